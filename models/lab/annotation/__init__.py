"""Turns of recorded calls as data: chosen, labelled by a language model, compared, described."""
