"""Handing a call over: what the human gets, who takes the call, and at most once.

The targets are in `vendors` and `signed_webhook`; `http_target` sends their requests.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import Any, Literal, Protocol, Self

from ...models.logs import get_logger
from ..record import TurnRecord
from ..trend import trend_of
from ..types import Action, Level

SCHEMA = "deescalate.transfer/1"

log = get_logger("transfer")


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
    both stay empty unless the operator keeps words. `manner` is the prosody note: how the caller
    sounds next to their own earlier turns.
    """

    call_id: str
    reason: str
    level: Level
    summary: str
    turns: tuple[TransferTurn, ...] = ()
    asked: str | None = field(default=None, repr=False)
    transcript: tuple[Utterance, ...] = field(default=(), repr=False)
    manner: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The packet in its JSON form, schema `SCHEMA` (docs/transfer.md)."""
        return {"schema": SCHEMA, **asdict(self)}


@dataclass(frozen=True, slots=True)
class TransferOutcome:
    """How a transfer ended: `ok` if the vendor accepted it; `detail` is fit for a log.

    `unknown` if an answer was lost: the call may have been handed over or not. `attempts` counts
    requests that were started. `repeated` is set for a second request for the same call: nothing
    was sent, and the outcome is that of the first.
    """

    ok: bool
    detail: str
    attempts: int = 1
    repeated: bool = False
    unknown: bool = False

    @property
    def status(self) -> Literal["accepted", "failed", "unknown"]:
        """The three outcomes in one word."""
        return "accepted" if self.ok else "unknown" if self.unknown else "failed"

    @classmethod
    def raised(cls, error: BaseException, *, lost: bool = False) -> Self:
        """The outcome of a target that raised; unknown if an answer was `lost`, or looks so."""
        lost = lost or isinstance(error, TimeoutError | ConnectionResetError | BrokenPipeError)
        return cls(False, f"raised {type(error).__name__}", unknown=lost)


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
    """The request for a call after these turns; the last one decided the transfer.

    Without a transcript the caller's own words replace it, if they were kept.
    """
    said = tuple(Utterance("caller", turn.text) for turn in turns if turn.text)
    last = turns[-1].decision if turns else None
    return TransferRequest(
        call_id=call_id,
        reason=last.reason if last else "no turn was heard",
        level=last.level if last else Level.CALM,
        summary=summarize(turns),
        turns=tuple(_seen(turn) for turn in turns),
        asked=said[-1].text if said else None,
        transcript=tuple(transcript) or said,
        manner=manner,
    )


def summarize(turns: Sequence[TurnRecord]) -> str:
    """Two lines for a human who has seconds: how the call went, and why it is handed over.

    They contain none of the caller's words.
    """
    if not turns:
        return "The caller was not heard yet.\nHanded over without a reading."
    return f"{_progress(turns)}\n{_cause(turns)}"


def _progress(turns: Sequence[TurnRecord]) -> str:
    count = "1 caller turn" if len(turns) == 1 else f"{len(turns)} caller turns"
    line = f"{count} until {_clock(turns[-1].reading.ended_at_s)}"
    now = turns[-1].decision.level
    since = len(turns) - 1
    while since > 0 and turns[since - 1].decision.level is now:
        since -= 1
    if now is Level.CALM:
        line = f"{line}; calm"
    else:
        line = f"{line}; {now.value} since {_clock(turns[since].reading.started_at_s)}"
    trend = trend_of(turns[-1].reading.voice.timeline)
    return f"{line}; {trend}" if trend else line


def _cause(turns: Sequence[TurnRecord]) -> str:
    line = f"Handed over because: {turns[-1].decision.reason}"
    seen = dict.fromkeys(cue.value for turn in turns for cue, _ in turn.reading.cues)
    return f"{line}. Signs: {', '.join(seen)}." if seen else f"{line}."


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _seen(turn: TurnRecord) -> TransferTurn:
    reading, decision = turn.reading, turn.decision
    p_negative = reading.voice.p_negative
    return TransferTurn(
        index=reading.index,
        started_at_s=round(reading.started_at_s, 3),
        ended_at_s=round(reading.ended_at_s, 3),
        p_negative=p_negative if p_negative is not None and isfinite(p_negative) else None,
        level=decision.level,
        action=decision.action,
    )


class OnceOnly:
    """A target that takes each call once, however many requests arrive, even concurrently.

    A later request waits for the first one and gets its outcome as `repeated`. A transfer that
    failed or was cancelled (then its outcome is unknown) is not tried again either. The last
    `remembered` calls are remembered.
    """

    def __init__(self, target: TransferTarget, *, remembered: int = 4096) -> None:
        self._target = target
        self._remembered = remembered
        self._outcomes: OrderedDict[str, asyncio.Future[TransferOutcome]] = OrderedDict()

    async def transfer(self, request: TransferRequest) -> TransferOutcome:
        """Hand the call over, or wait for the first request and return its outcome."""
        first = self._outcomes.get(request.call_id)
        if first is not None:
            return replace(await asyncio.shield(first), repeated=True)
        outcome = asyncio.get_running_loop().create_future()
        self._remember(request.call_id, outcome)
        result = TransferOutcome(False, "cancelled", unknown=True)
        try:
            result = await self._target.transfer(request)
        except Exception as error:
            result = TransferOutcome.raised(error)
            raise
        finally:
            outcome.set_result(result)
        return result

    def _remember(self, call_id: str, outcome: asyncio.Future[TransferOutcome]) -> None:
        self._outcomes[call_id] = outcome
        if len(self._outcomes) > self._remembered:
            self._outcomes.popitem(last=False)


class WithPacket:
    """Hands the call over by one target and, at the same time, the packet by another.

    A phone transfer carries no context: let a webhook deliver what the human should know.
    `transfer` waits for both, each within its own budget. The outcome is the call's; a packet
    that does not arrive is only logged.
    """

    def __init__(self, target: TransferTarget, *, packet_to: TransferTarget) -> None:
        self._target = target
        self._packet_to = packet_to

    async def transfer(self, request: TransferRequest) -> TransferOutcome:
        """Hand both over."""
        async with asyncio.TaskGroup() as tasks:
            call = tasks.create_task(self._target.transfer(request))
            tasks.create_task(self._deliver(request))
        return call.result()

    async def _deliver(self, request: TransferRequest) -> None:
        try:
            outcome = await self._packet_to.transfer(request)
        except Exception as error:  # noqa: BLE001 - the call must not fail with its packet
            outcome = TransferOutcome.raised(error)
        if not outcome.ok:
            lost = "transfer packet perhaps not delivered"
            log.warning(
                lost if outcome.unknown else "transfer packet not delivered", detail=outcome.detail
            )
