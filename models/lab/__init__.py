"""Offline work on models: corpora, metrics and channel effects; the rest is in the folders."""
