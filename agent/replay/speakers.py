"""Who is the caller among the speakers of a transcript: by their roles, the channel, or a name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ...models.audio.recording import CallerChannel

Speaker = Literal["caller", "bot", "agent"]

_ROLES: dict[Speaker, str] = {
    "caller": "caller customer client external user consumer enduser endcustomer",
    "bot": "bot assistant ivr acd system virtual virtualagent virtualassistant voicebot chatbot "
    "custombot robot ai aiagent aiassistant",
    "agent": "agent internal human humanagent liveagent representative rep csr operator advisor "
    "supervisor employee staff",
}
UNNAMED = "unnamed"
"""What lines without a speaker are called."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One line as a file gives it: who said it in the file's words, and a transcript's fields.

    `where` names the line for messages; `counts_from_one` is how the file counts its channels;
    `is_ours` whether it is in the form of `TranscriptLine`, where every speaker has a role.
    """

    where: str
    speaker: str | None = None
    channel: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    counts_from_one: bool = False
    is_ours: bool = False


def role(name: object) -> Speaker | None:
    """The role that a name stands for, whatever its case; None for names of people and numbers."""
    word = _folded(str(name))
    return next((known for known, words in _ROLES.items() if word in words.split()), None)


def assign_speakers(
    lines: Sequence[Spoken],
    caller_channel: CallerChannel | str | None = None,
    caller_speaker: str | None = None,
) -> tuple[list[Speaker | None], tuple[str, ...]]:
    """The role of each line's speaker, None where nobody knows, and what to warn about.

    `caller_speaker` names the caller. Otherwise roles decide, then the caller's channel.

    Raises:
        ValueError: nothing says who the caller is, or no speaker is called `caller_speaker`.
    """
    several = any(line.channel for line in lines)
    labels = [_label(line, by_channel=several) for line in lines]
    found = Counter(labels)
    roles = {label: role(label) for label in found}
    if caller_speaker is not None:
        callers = {label for label in found if _folded(label) == _folded(caller_speaker)}
        if lines and not callers:
            raise ValueError(f"no speaker is called {caller_speaker!r}; it has {_listed(found)}")
        for label in found:
            if label in callers:
                roles[label] = "caller"
            elif roles[label] != "bot":
                roles[label] = None if label == UNNAMED else "agent"
    elif caller_channel is not None and not any(roles.values()) and several:
        own = f"channel {int(caller_channel == CallerChannel.RIGHT)}"
        roles = {label: "caller" if label == own else "agent" for label in found}
    unknown = Counter({label: found[label] for label, known in roles.items() if known is None})
    if unknown and "caller" not in roles.values():
        raise ValueError(
            f"nothing says who the caller is; the speakers are {_listed(found)}: name the caller "
            "with --caller-speaker (caller_speaker=)"
            + (", or give --caller-channel" if several else "")
        )
    warnings = (f"the transcript's words of {_listed(unknown)} are left out",) if unknown else ()
    return [roles[label] for label in labels], warnings


def _label(line: Spoken, *, by_channel: bool) -> str:
    if by_channel and line.channel is not None and role(line.speaker) is None:
        return f"channel {line.channel}"
    return (line.speaker or "").strip() or UNNAMED


def _folded(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def _listed(found: Counter[str]) -> str:
    return ", ".join(
        f'"{label}" ({count} line{"s" * (count > 1)})' for label, count in sorted(found.items())
    )
