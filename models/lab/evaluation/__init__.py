"""Measure a classifier: accuracy over corpora, and time."""
