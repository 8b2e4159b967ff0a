"""What our classifiers on Hugging Face's libraries have in common."""

from __future__ import annotations

from safetensors import SafetensorError

LOADING_FAULTS = (
    *(OSError, ValueError, ImportError, KeyError, TypeError, AttributeError, RuntimeError),
    SafetensorError,
)
"""What is raised when a model is missing, damaged or of another kind."""
