"""Every error that this library raises on purpose; `DeescalateError` is the root of them all."""

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
        self.path = shown(path)
        self.reason = reason


_MAPPING = "must be a mapping of keys to values"
_NUMBER, _WHOLE_NUMBER = "must be a number", "must be a whole number"
_COMPLAINTS = {
    "missing": "missing key",
    "extra_forbidden": "unknown key",
    "unexpected_keyword_argument": "unknown key",
    "value_error": "{error}",
    "json_invalid": "is not valid JSON: {error}",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "finite_number": "must be a finite number",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "length must be at least {min_length}",
    "string_too_long": "length must be at most {max_length}",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "time_parsing": "must be a time of day from 00:00 to 23:59",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "too_short": "length must be at least {min_length}",
    "too_long": "length must be at most {max_length}",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "dataclass_type": _MAPPING,
    "model_attributes_type": _MAPPING,
}
"""Our words for what pydantic finds wrong, by its name for the kind of error."""


def first_complaint(error: ValidationError, whole: str = "") -> str:
    """The first of pydantic's complaints on one line: the key, then what is wrong with it.

    `whole` is the key of a complaint about all of it. A kind of error that we have no words for
    is reported in pydantic's.
    """
    details = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in details["loc"]) or whole
    words = _COMPLAINTS.get(details["type"])
    message = details["msg"] if words is None else words.format_map(details.get("ctx", {}))
    return f"{key}: {message}" if key else message


def first_line(error: Exception) -> str:
    """The first line of another library's message."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def shown(name: object) -> str:
    """A file's name as text that can be printed and stored: what is no UTF-8 in it is escaped."""
    return str(name).encode(errors="backslashreplace").decode()


def _on_one_line(message: str) -> str:
    return "".join(c if c.isprintable() else " " for c in shown(message))


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
    """An argument that describes audio cannot be used; change it as the message says."""


class RecordError(DeescalateError, ValueError):
    """A dict is not the record of a call; the message names the key and what is wrong with it."""


class MissingPackageError(DeescalateError, ImportError):
    """A package that the core install leaves out is needed; the message says which."""
