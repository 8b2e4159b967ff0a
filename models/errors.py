"""Every error this library raises on purpose. Catch `DeescalateError` to catch them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class DeescalateError(Exception):
    """The root: one line that a person can act on."""


class UnreadableInputError(DeescalateError):
    """A file could not be used: missing, empty, damaged, or in a form that is not supported.

    Raised by whatever reads a file that the user named. The message starts with its path, or with
    the name of what was read in its place.
    """

    def __init__(self, path: object, reason: str) -> None:
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
    """What another library complains of, without the lines that follow."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _on_one_line(message: str) -> str:
    return "".join(c if c.isprintable() else " " for c in message)


class AudioError(UnreadableInputError):
    """A recording could not be read as speech; convert it or name the right channel."""


class ModelFileError(UnreadableInputError):
    """A model file is missing or damaged, or is not one of ours; install or export it again."""


class PolicyError(UnreadableInputError):
    """A policy file or name is not valid; the message names the key and what is allowed."""


class SamplesError(DeescalateError, ValueError):
    """An argument that describes audio cannot be used; change it as the message says."""


class RecordError(DeescalateError, ValueError):
    """A dict is not the record of a call; the message names the key and what is wrong with it."""


class MissingPackageError(DeescalateError, ImportError):
    """A package that the core install leaves out is needed; the message says which."""
