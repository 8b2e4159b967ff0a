"""Keys that ask for a human, and entries that are an answer to the bot instead."""

from __future__ import annotations

import re
from collections.abc import Iterable

HUMAN_KEYS = ("0", "#0")
ENTRY_S = 2.0
"""Keys with no longer pause between them are one entry, as in Pipecat's `DTMFAggregator`."""

_ENTRY = re.compile(r"\bDTMF:\s*([0-9A-D*#]+)")
_NUMBER = re.compile(
    r"\b(numbers?|digits?|pin|(pass|zip|post)?codes?|zip|extension|date of birth|dob"
    r"|birth ?da(y|te)|otp|amount|how (many|much)|(enter|key|type)( it)? in|enter"
    r"|n[úu]meros?|d[íi]gitos?|c[óo]digos?|clave|senha|introduzca|ingrese|teclee|digite|insira"
    r"|num[ée]ros?|chiffres?|saisissez|entrez|composez"
    r"|\w*nummern?|ziffern?|zahl|plz|postleitzahl|geburtsdatum|eingeben|geben sie"
    r"|cifr[ae]|codice|inserisca|digiti)\b"
    r"|नंबर|संख्या|अंक|पिन|कोड|दर्ज",
    re.IGNORECASE,
)
_STATE = re.compile(r"account|card|phone|pin\b|quantity", re.IGNORECASE)
_ZERO = re.compile(r"\b(0|zero|cero|z[ée]ro|null)\b|शून्य", re.IGNORECASE)
_HUMAN = re.compile(
    r"\b(agents?|agente|humans?|person\w*|operator\w*|operador\w*|op[ée]rat\w+|representa\w*"
    r"|advisor|colleague|mitarbeiter\w*|menschen?|conseiller\w*|atendente|somebody|someone|staff)\b"
    r"|इंसान|एजेंट",
    re.IGNORECASE,
)


def entries_in(text: str) -> tuple[list[str], str | None]:
    """The keypad entries in a transcript (`DTMF: 0#`), and what was said apart from them."""
    entries = [entry[:-1] if entry[1:].endswith("#") else entry for entry in _ENTRY.findall(text)]
    return entries, _ENTRY.sub(" ", text).strip() or None


def asks_for_number(prompt: str | None, dialog_state: str | None) -> bool:
    """Whether digits answer what the bot asked, so that a 0 is no request."""
    said = prompt or ""
    if _ZERO.search(said):
        return not _HUMAN.search(said)
    state = re.sub(r"[_\-.]+", " ", dialog_state or "")
    return any(map(_NUMBER.search, (said, state))) or bool(_STATE.search(state))


def human_key(
    entries: Iterable[str],
    human_keys: Iterable[str],
    prompt: str | None,
    dialog_state: str | None,
) -> str | None:
    """The first entry that asks for a human; None if there is none, or digits were asked for."""
    wanted = tuple(human_keys)
    found = next((entry for entry in entries if entry in wanted), None)
    return None if found is None or asks_for_number(prompt, dialog_state) else found
