"""Recordings decoded block by block, and what can be measured in samples without a model."""
