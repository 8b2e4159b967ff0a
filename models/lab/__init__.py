"""Offline work on models: corpora, metrics and channel effects here, the rest in its folders."""
