"""What the caller's words say: sentiment by a small model, cues by language files."""
