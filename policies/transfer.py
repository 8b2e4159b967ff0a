"""Handing a call over: what the human gets, who takes the call, and at most once.

The targets themselves are in `targets.py`, how they reach their vendors in `sending.py`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Protocol

from .record import TurnRecord
from .types import Action, Level

SCHEMA = "deescalate.transfer/1"


@dataclass(frozen=True, slots=True)
class TransferTurn:
    """One caller turn as the human sees it; times in seconds from the start of the call."""

    index: int
    started_at_s: float
    ended_at_s: float
    p_negative: float | None
    level: Level
    action: Action


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of the transcript."""

    speaker: Literal["caller", "bot"]
    text: str


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """Everything a human needs to take the call; `call_id` is the vendor's own name for it.

    That is Twilio's CallSid, Telnyx's call_control_id, Plivo's CallUUID, or the session id of
    Daily's SIP participant. `asked` is what the caller last said and `transcript` the dialogue;
    both stay empty unless the operator keeps words. `manner` says how the caller sounded against
    their own earlier turns.
    """

    call_id: str
    reason: str
    level: Level
    summary: str
    turns: tuple[TransferTurn, ...] = ()
    asked: str | None = None
    transcript: tuple[Utterance, ...] = ()
    manner: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The packet as JSON has it, schema `SCHEMA` (docs/transfer.md)."""
        return {"schema": SCHEMA, **asdict(self)}


@dataclass(frozen=True, slots=True)
class TransferOutcome:
    """How a transfer ended: `ok` if the vendor accepted it; `detail` is fit for a log.

    `attempts` counts requests that were started. `repeated` is set when this call had been asked
    for already: nothing was sent, and the outcome is the first one's.
    """

    ok: bool
    detail: str
    attempts: int = 1
    repeated: bool = False


class TransferTarget(Protocol):
    """Who takes the call.

    `transfer` returns within its own time budget and never raises for what a vendor or a network
    does; cancelling it leaves nothing behind.
    """

    async def transfer(self, request: TransferRequest) -> TransferOutcome:
        """Hand the call over."""
        ...


def transfer_request(
    call_id: str,
    turns: Sequence[TurnRecord],
    *,
    transcript: Sequence[Utterance] = (),
    manner: str | None = None,
) -> TransferRequest:
    """The request for a call as it stands after these turns, the last of which decided it."""
    raise NotImplementedError


class OnceOnly:
    """A target that takes each call once, however often and however concurrently it is asked."""

    def __init__(self, target: TransferTarget) -> None:
        self._target = target

    async def transfer(self, request: TransferRequest) -> TransferOutcome:
        """Hand the call over, or wait for the first attempt and give its outcome, `repeated`."""
        raise NotImplementedError
