"""`deescalate simulate`: escalation policies on recorded calls."""
