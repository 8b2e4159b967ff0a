"""Packages that the core install leaves out."""

from __future__ import annotations

from importlib.util import find_spec

from ..models.errors import DeescalateError


class MissingExtraError(DeescalateError):
    """A command needs packages that the core install leaves out; the message says which extra."""


def require_extra(extra: str, *packages: str) -> None:
    """Raise MissingExtraError unless these packages of an extra are installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f'{", ".join(missing)} not installed: pip install "pipecat-deescalate[{extra}]"'
        )
