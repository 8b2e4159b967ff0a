"""What the classifiers that Hugging Face's libraries load have in common."""

from __future__ import annotations

from safetensors import SafetensorError

LOADING_FAULTS = (
    *(OSError, ValueError, ImportError, KeyError, TypeError, AttributeError, RuntimeError),
    SafetensorError,
)
"""What loading a model that is missing, damaged or of another kind ends in."""
