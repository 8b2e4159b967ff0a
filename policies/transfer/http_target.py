"""How a request reaches a vendor: attempts within a time budget, retried only where that is safe.

Nothing from a request is logged: addresses, headers and bodies carry secrets and caller data.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from ...models.http import (
    HttpAnswer,
    Message,
    NoHttpAnswerError,
    backoff_s,
    post,
    retry_after_s,
    tls_context,
)
from ...models.logs import get_logger
from .request import TransferOutcome, TransferRequest

JSON = "application/json"
_MAX_ID = 500
_MAX_BODY = 64 * 1024
_MAX_DELAY_S = 4.0
_GATEWAY_LOST = {502, 504, 520, 524}

log = get_logger("transfer")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how often to try a vendor.

    `budget_s` bounds the whole, including waits; `attempt_s` one request with its answer. The wait
    before attempt n + 1 is `first_delay_s` * 2^(n - 1), at most 4 s, times a random 0.5 to 1.
    """

    budget_s: float = 8.0
    attempt_s: float = 3.0
    attempts: int = 5
    first_delay_s: float = 0.25


@dataclass(frozen=True, slots=True)
class _Failed:
    """`lost`: the request may have been carried out. `arrived`: somebody answered it, or may have.

    `repeated`: this refuses what an earlier attempt has done already.
    """

    detail: str
    retry: bool
    wait_s: float = 0.0
    lost: bool = False
    arrived: bool = False
    repeated: bool = False


class Sender:
    """Sends one message to a vendor until it is accepted, refused or out of time.

    Retried: 429 (after its Retry-After), failed connections, and, if the vendor's request is
    repeatable, 5xx, timeouts and dropped connections. Final: every other status, including
    redirects. If an attempt may have been carried out and no later one is accepted, the outcome
    is unknown. Each attempt opens a connection and closes it, so that nothing outlives a call.
    `proxy` is the URL of an HTTP proxy; the environment's is not used.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        proxy: str | None = None,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or Limits()
        self._proxy = httpx.Proxy(proxy) if proxy else None
        self._sleep = sleep
        self._clock = clock
        self._tls = tls_context()

    async def send(self, message: Message, vendor: HttpTarget, call_id: str) -> TransferOutcome:
        """Send it. Never raises for what a vendor or a network does."""
        deadline = self._clock() + self._limits.budget_s
        events = log.bind(target=vendor.name, call_id=call_id)
        attempt, lost, arrived = 0, "", ""  # the last detail of that kind
        while True:
            attempt += 1
            left = deadline - self._clock()
            result = await self._attempt(
                message, vendor, call_id, min(self._limits.attempt_s, left)
            )
            if isinstance(result, _Failed) and result.repeated and arrived:
                result = f"{arrived}, then {result.detail}"
            if isinstance(result, str):
                events.info("transfer accepted", attempts=attempt, detail=result)
                return TransferOutcome(True, result, attempt)
            lost = result.detail if result.lost else lost
            arrived = result.detail if result.arrived else arrived
            jitter_s = backoff_s(attempt, self._limits.first_delay_s, _MAX_DELAY_S)
            wait_s = max(result.wait_s, jitter_s)
            again = result.retry and attempt < self._limits.attempts
            if not again or self._clock() + wait_s >= deadline:
                event = "transfer outcome unknown" if lost else "transfer failed"
                after = f"{lost}, then " if lost and not result.lost else ""
                detail = f"{after}{result.detail}"
                events.warning(event, attempts=attempt, detail=detail)
                return TransferOutcome(False, detail, attempt, unknown=bool(lost))
            events.info("transfer attempt failed", attempt=attempt, detail=result.detail)
            await self._sleep(wait_s)

    async def _attempt(
        self, message: Message, vendor: HttpTarget, call_id: str, timeout_s: float
    ) -> str | _Failed:
        """One request: the answer that accepted it, or why it failed."""
        try:
            async with httpx.AsyncHTTPTransport(verify=self._tls, proxy=self._proxy) as transport:
                answer = await post(transport, message, timeout_s=timeout_s, max_bytes=_MAX_BODY)
        except NoHttpAnswerError as error:
            sent = error.was_sent
            return _Failed(str(error), vendor.repeatable or not sent, lost=sent, arrived=sent)
        except Exception as error:  # noqa: BLE001 - the call goes on, and the text may hold a secret
            return _Failed(type(error).__name__, retry=False)
        return _judge(answer, vendor, call_id)


class HttpTarget:
    """A target that is one POST to a vendor, retried while that is safe.

    `repeatable` says whether a request that may have arrived can be sent again without harm.
    """

    name: str
    repeatable: bool

    def __init__(self, sender: Sender | None) -> None:
        self._sender = sender or Sender()

    async def transfer(self, request: TransferRequest) -> TransferOutcome:
        """Hand the call over."""
        if request.call_id in {"", ".", ".."} or len(request.call_id) > _MAX_ID:
            return TransferOutcome(False, "the call has no id to transfer it by", 0)
        return await self._sender.send(self.message(request), self, request.call_id)

    def message(self, request: TransferRequest) -> Message:
        """The request to send."""
        raise NotImplementedError

    def accepts(self, body: bytes | None, call_id: str) -> bool:
        """Whether a 2xx answer accepts the transfer; `body` is None if it was cut short."""
        raise NotImplementedError

    def error_code(self, body: bytes) -> str | None:
        """The vendor's own error code in an error answer, if it has one."""
        return None

    def repeats(self, status: int, code: str | None) -> bool:
        """Whether this refusal of a second attempt shows that the first one was carried out."""
        return False


def to_json(value: object) -> bytes:
    """A value as compact JSON in UTF-8."""
    # Half a surrogate pair, as broken text has them, must not keep a caller from a human.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def fields(body: bytes | None) -> dict[str, Any]:
    """The JSON object in a body; empty if there is none."""
    try:
        value = json.loads(body or b"")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _judge(answer: HttpAnswer, vendor: HttpTarget, call_id: str) -> str | _Failed:
    status, body = answer.status, answer.body
    said = f"HTTP {status}"
    if 200 <= status < 300:
        if vendor.accepts(body, call_id):
            return said
        if body is None:
            return _Failed(f"{said}, cut short", vendor.repeatable, lost=True, arrived=True)
        return _Failed(f"{said}, but not {vendor.name}'s answer", retry=False)
    if 300 <= status < 400:
        return _Failed(f"{said}, a redirect: correct the address", retry=False)
    code = vendor.error_code(body) if body else None
    detail = f"{said}, code {code}" if code else said
    # 429 and 503 say that nothing was done; after another 5xx something may have been. A gateway
    # (502, 504) has lost the answer; 500 is the vendor's own word that it failed.
    return _Failed(
        detail,
        retry=status in {429, 503} or (status >= 500 and vendor.repeatable),
        wait_s=retry_after_s(answer.headers.get("retry-after", "")) or 0.0,
        lost=status in _GATEWAY_LOST,
        arrived=status >= 500,
        repeated=vendor.repeats(status, code),
    )
