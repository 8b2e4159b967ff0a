"""Every error this library raises on purpose. Catch `DeescalateError` to catch them all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class DeescalateError(Exception):
    """The root: one line that a person can act on."""


class UnreadableInputError(DeescalateError):
    """A file could not be used: missing, empty, damaged, or in a form that is not supported.

    Raised by whatever reads a file that the user named. The message starts with the path.
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(_on_one_line(f"{path}: {reason}"))
        self.path = str(path)
        self.reason = reason


def first_complaint(error: ValidationError, whole: str = "") -> str:
    """The first of pydantic's complaints on one line: the key, then what is wrong with it.

    `whole` is the key of a complaint about all of it.
    """
    details = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in details["loc"]) or whole
    if details["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    message = details["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message


def first_line(error: Exception) -> str:
    """The first line of another library's complaint."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _on_one_line(message: str) -> str:
    return "".join(c if c.isprintable() else " " for c in message)


class AudioError(UnreadableInputError):
    """A recording could not be read as speech; convert it or name the right channel."""


class ModelFileError(UnreadableInputError):
    """A model file is missing or damaged, or is not one of ours; install or export it again."""


class PolicyError(UnreadableInputError):
    """A policy file or name is not valid; the message names the key and what is allowed."""


class SettingError(DeescalateError, ValueError):
    """A service cannot be reached with these settings; the message names the one to correct.

    Raised when a target, a rewriter or a client is built, never later. It shows no secret.
    """


class SamplesError(DeescalateError, ValueError):
    """An array or a sample rate given as audio cannot be used; convert it as the message says."""
