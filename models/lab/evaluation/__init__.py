"""Evaluate a classifier: metrics by corpus, condition and group; recalibration."""
