"""Hear a caller's frustration turn by turn, and do something about it."""
