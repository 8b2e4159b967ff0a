"""Turns of recorded calls as data: selected, labelled by a language model, compared."""
