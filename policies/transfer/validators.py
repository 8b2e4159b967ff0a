"""What an operator sets for a vendor: account names and numbers, checked when given."""

from __future__ import annotations

import os
import re

from ...models.errors import SettingError

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SIP = re.compile(
    r"sips?:(?:[A-Za-z0-9_.!~*'()&=+$,;?/%-]+@)?"  # user
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"  # host
    r"(?:;[A-Za-z0-9_.!~*'()+=%:-]+)*(?:\?[A-Za-z0-9_.!~*'()+=%&:-]+)?"  # parameters, headers
)
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]+")


def identifier(value: str | None, *, name: str, env: str | None = None) -> str:
    """An account, room or key name that becomes part of a path: letters, digits, - and _.

    Raises:
        SettingError: it is missing or has other characters.
    """
    found = value if value is not None else os.environ.get(env, "") if env else ""
    if not found:
        raise SettingError(f"{name}: give it" + (f", or set {env}" if env else ""))
    if not _IDENTIFIER.fullmatch(found):
        raise SettingError(f"{name}: only letters, digits, - and _ are allowed")
    return found


def phone_number(value: str, *, name: str) -> str:
    """A phone number in E.164 form: +, country code, number, at most 15 digits.

    Raises:
        SettingError: it is not one.
    """
    if not _E164.fullmatch(value):
        raise SettingError(f"{name}: {value!r} is not a number in E.164 form, such as +15550100123")
    return value


def phone_or_sip(value: str, *, name: str) -> str:
    """A phone number in E.164 form or a SIP URI.

    Raises:
        SettingError: it is neither.
    """
    if not _E164.fullmatch(value) and not _SIP.fullmatch(value):
        raise SettingError(
            f"{name}: {value!r} is neither a number in E.164 form (+15550100123) nor a SIP URI"
        )
    return value
