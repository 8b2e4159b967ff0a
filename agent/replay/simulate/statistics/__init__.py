"""What many replayed calls say about a policy: counts, figures, sweeps, staffing."""
