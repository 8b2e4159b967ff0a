"""Swear words that speech recognition masked, in any language: `****`, `f**k`, `[expletive]`."""

from __future__ import annotations

import re

_NAMES = (
    r"bleep(?:ed|s)?|beep(?:ed|s)?|censored|expletives?(?: deleted)?|profanity|obscenity"
    r"|(?:swear|curse|cuss)(?:s|es|ing| word)?|cursing"
)
_EMPHASIS = re.compile(
    rf"(?<![*\w])(\*{{1,3}})(?!(?:{_NAMES})\b)(?=[^\s*])([^*]*[^\s*])\1(?![*\w])", re.IGNORECASE
)
_FORMS = (
    r"<profanity>[^<]*</profanity>",
    rf"[\[(<{{*]\W{{0,2}}(?:{_NAMES})\W{{0,2}}[\])>}}*]",
    r"\[\s?_{2,}\s?\]",
    r"(?P<symbols>(?<!\S)[@#$%&!*]{3,}(?!\S))",
    r"(?P<stars>(?<![\w*])\*{2,}(?:[\s-]\*{2,})*(?![\w*]))",
    r"[^\W\d_]+(?:\*{2,}[^\W\d_]*|\*[^\W\d_]+)(?!\w)",
    r"\b(?:f|s|sh|b|bi|c|cu|d|bulls|motherf)(?:-{3,}|-{2,}(?=[a-z]))[a-z]*",
)
_SIGN = re.compile(r"[*@#$%<\[({]|--")
_MASK = re.compile("|".join(_FORMS), re.IGNORECASE)
_DIGITS_BEFORE = re.compile(
    r"(?:\d|\b(?:press|dial|hit|push|star|ending|ends|digits|nummer|num[eé]ro|n[uú]mero|pin|password"
    r"|pincode|passcode|code|codice|c[oó]digo|clave|senha|iban|cvv|ssn|number"
    r"|(?:card|account|phone) (?:is|ending|ends))"
    r"(?:\s+(?:in|is|it's|was|with|on|ist|es|est|[eéè]))*)[\s:=#(+.-]*$",
    re.IGNORECASE,
)
_DIGITS_AFTER = re.compile(
    r"[\s)(.*-]*(?:\d*#|(?:\d[\s-]?){3}"
    r"|(?:(?:oh|zero|one|two|three|four|five|six|seven|eight|nine)\b\s*){3})",
    re.IGNORECASE,
)
_SWEAR_WORD = "damn"
"""A mild one: which was said is not known."""


def find_masked(text: str) -> str | None:
    """The first masked swear word of a turn; None without one.

    Masked digits (`card ending **** 1234`), star keys and Markdown's emphasis are none.
    """
    if _SIGN.search(text) is None:
        return None
    plain = _EMPHASIS.sub(r"\2", text)
    return next((match[0] for match in _MASK.finditer(plain) if _swears(match)), None)


def unmasked(text: str) -> str:
    """The text with a swear word in place of each masked one, without Markdown's emphasis."""
    if "*" not in text and find_masked(text) is None:
        return text
    return _MASK.sub(
        lambda match: _SWEAR_WORD if _swears(match) else match[0], _EMPHASIS.sub(r"\2", text)
    )


def _swears(match: re.Match[str]) -> bool:
    if match["symbols"] and match["symbols"].strip("*!"):
        return len(set(match["symbols"]) - {"!"}) > 1
    if match["stars"] or match["symbols"]:
        before, after = match.string[: match.start()], match.string[match.end() :]
        return not (_DIGITS_BEFORE.search(before[-60:]) or _DIGITS_AFTER.match(after))
    return True
