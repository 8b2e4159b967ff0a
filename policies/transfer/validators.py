"""What an operator sets for a vendor: secrets, addresses and numbers, checked when given."""

from __future__ import annotations

import os
import re

import httpx
from pydantic import SecretStr

from ...models.errors import DeescalateError

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SIP = re.compile(
    r"sips?:(?:[A-Za-z0-9_.!~*'()&=+$,;?/%-]+@)?"  # user
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"  # host
    r"(?:;[A-Za-z0-9_.!~*'()+=%:-]+)*(?:\?[A-Za-z0-9_.!~*'()+=%&:-]+)?"  # parameters, headers
)
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]+")
_PRINTABLE = re.compile(r"[!-~]+")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class SettingError(DeescalateError, ValueError):
    """A vendor cannot be reached with these settings; the message names the one to correct.

    Raised when a target or a rewriter is built, never later. It shows no secret.
    """


def secret(value: str | SecretStr | None, *, name: str, env: str) -> SecretStr:
    """The secret given, or the one in the environment variable `env`.

    Raises:
        SettingError: neither is set, or it has spaces or characters that no header can carry.
    """
    given = value.get_secret_value() if isinstance(value, SecretStr) else value
    found = SecretStr(given if given is not None else os.environ.get(env, ""))
    if not found.get_secret_value():
        raise SettingError(f"{name}: give it, or set {env}")
    if not _PRINTABLE.fullmatch(found.get_secret_value()):
        raise SettingError(f"{name}: only printable ASCII without spaces can be sent")
    return found


def identifier(value: str | None, *, name: str, env: str | None = None) -> str:
    """An account, room or key name that becomes a part of a path: letters, digits, - and _.

    Raises:
        SettingError: it is missing or has other characters.
    """
    found = value if value is not None else os.environ.get(env, "") if env else ""
    if not found:
        raise SettingError(f"{name}: give it" + (f", or set {env}" if env else ""))
    if not _IDENTIFIER.fullmatch(found):
        raise SettingError(f"{name}: only letters, digits, - and _ are allowed")
    return found


def address(url: str, *, name: str) -> str:
    """An absolute https URL without user, password or fragment; http only on this machine.

    Raises:
        SettingError: it is another kind of URL. The message does not show it: many hold a token.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        raise SettingError(f"{name}: not a URL") from None
    if not parsed.host or parsed.scheme not in {"https", "http"}:
        raise SettingError(f"{name}: an absolute https URL is needed")
    if parsed.scheme == "http" and parsed.host not in _LOOPBACK:
        raise SettingError(f"{name}: use https; what is sent must not be read on the way")
    if parsed.userinfo or parsed.fragment:
        raise SettingError(f"{name}: no user, password or fragment in the URL")
    return url.rstrip("/") if parsed.path == "/" and not parsed.query else url


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
