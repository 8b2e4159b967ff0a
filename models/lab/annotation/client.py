"""Asks an endpoint about turns: as many at once as allowed, with retries where they can help.

Nothing from a request or an answer is logged: they carry a key and what a caller said.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

import httpx
from pydantic import SecretStr

from ...errors import DeescalateError
from ...http import Message, NoHttpAnswerError, backoff_s, post
from .answers import AnnotatorAnswer, UnparsableAnswerError, read_answer
from .providers import ProviderReply, Question, Wire, read_refusal

_MAX_REPLY = 1 << 20
_MAX_KEPT_CHARS = 2_000
_MAX_DELAY_S = 30.0
_RETRIED = frozenset({408, 409, 425, 500, 502, 503, 504, 520, 522, 524, 529})


class EndpointError(DeescalateError):
    """An endpoint will not answer until a person does something; the message gives its reason."""


class NoAnswerError(DeescalateError):
    """One turn got no answer in all its attempts; another run asks again."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask, and with which key. The wire's path is appended to `url`."""

    wire: Wire
    url: str
    model: str
    key: SecretStr


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long and how often to ask about one turn.

    `timeout_s` bounds one request. Faults get `attempts` attempts; the wait before attempt
    n + 1 is `first_delay_s` * 2^(n - 1), at most 30 s, times a random 0.5 to 1. Rate limits do
    not count as attempts, but end after `rate_limit_s` in total.
    """

    timeout_s: float = 120.0
    attempts: int = 6
    first_delay_s: float = 0.5
    rate_limit_s: float = 600.0


@dataclass(frozen=True, slots=True)
class AnnotationResult:
    """The result for one turn. Without an `answer` it was unparsable, twice.

    `unparsable` is the last answer that could not be parsed, cut to 2,000 characters. The tokens
    are those of all answered requests.
    """

    answer: AnnotatorAnswer | None
    unparsable: str | None
    times: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class _Fault:
    what: str
    retry: bool


class AnnotatorClient:
    """One endpoint; use it with `async with`.

    When the endpoint limits the rate of one request, all requests wait.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        concurrency: int,
        tls: ssl.SSLContext,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> None:
        self._endpoint = endpoint
        self._retry = retry or RetryPolicy()
        self._sleep = sleep
        self._url = endpoint.url.rstrip("/") + endpoint.wire.path(endpoint.model)
        self._resume_at = 0.0
        # One connection each: the work of httpx's pool per request grows with its connections.
        self._free = [
            httpx.AsyncHTTPTransport(verify=tls, limits=httpx.Limits(max_connections=1))
            for _ in range(concurrency)
        ]
        self._slots = asyncio.Semaphore(concurrency)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._free:
            await connection.aclose()

    async def ask(self, question: Question) -> AnnotationResult:
        """Ask, and ask once more if the answer cannot be parsed.

        Raises:
            EndpointError: the endpoint refuses this key, model or account.
            NoAnswerError: there was no answer.
        """
        where = self._endpoint
        content = json.dumps(where.wire.body(where.model, question)).encode()
        message = Message(
            self._url, content, lambda: where.wire.headers(where.key.get_secret_value())
        )
        unparsable, used_in, used_out = None, 0, 0
        for times in (1, 2):
            reply = await self._reply(message)
            used_in, used_out = used_in + reply.input_tokens, used_out + reply.output_tokens
            try:
                answer = read_answer(reply.text or "", reasoning=question.reasoning)
            except UnparsableAnswerError:
                unparsable = (reply.text or "")[:_MAX_KEPT_CHARS]
                continue
            return AnnotationResult(answer, unparsable, times, used_in, used_out)
        return AnnotationResult(None, unparsable, 2, used_in, used_out)

    async def _reply(self, message: Message) -> ProviderReply:
        retry, clock = self._retry, asyncio.get_running_loop().time
        attempt, give_up_at = 1, clock() + retry.rate_limit_s
        while True:
            while (wait_s := self._resume_at - clock()) > 0:
                await self._sleep(wait_s)
            result = await self._attempt(message)
            if isinstance(result, ProviderReply):
                return result
            if isinstance(result, float):  # rate limited
                self._resume_at = max(self._resume_at, clock() + result)
                if self._resume_at > give_up_at:
                    raise EndpointError(
                        f"the endpoint allows no more requests for {result:.0f} s; "
                        "run again later to continue"
                    )
                continue
            if not result.retry or attempt >= retry.attempts:
                raise NoAnswerError(result.what)
            await self._sleep(backoff_s(attempt, retry.first_delay_s, _MAX_DELAY_S))
            attempt += 1

    async def _attempt(self, message: Message) -> ProviderReply | float | _Fault:
        """One request: its reply, or the seconds to wait, or why there is none."""
        timeout_s = self._retry.timeout_s
        async with self._slots:
            connection = self._free.pop()
            try:
                answer = await post(connection, message, timeout_s=timeout_s, max_bytes=_MAX_REPLY)
            except NoHttpAnswerError as error:
                return _Fault(str(error), retry=True)
            finally:
                self._free.append(connection)
        if answer.body is None:
            return _Fault("connection lost", retry=True)
        return self._judge(answer.status, answer.headers, answer.body)

    def _judge(
        self, status: int, headers: httpx.Headers, body: bytes
    ) -> ProviderReply | float | _Fault:
        if status == 200:
            try:
                return self._endpoint.wire.reply(json.loads(body))
            except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
                return _Fault("HTTP 200, but not this kind of endpoint's answer", retry=True)
        refusal = read_refusal(status, headers, body)
        what = f"HTTP {status}" + (f" {refusal.code}" if refusal.code else "")
        if refusal.final:
            raise EndpointError(f"the endpoint refuses: {what}{_advice(status)}")
        if refusal.wait_s is not None and status in (429, 503):
            return refusal.wait_s
        if status == 429:
            return backoff_s(3, self._retry.first_delay_s, _MAX_DELAY_S)
        return _Fault(what, retry=status in _RETRIED)


def _advice(status: int) -> str:
    if status in (401, 403):
        return "; is the key right?"
    if status in (404, 405) or 300 <= status < 400:
        return "; are --endpoint, --api and --model right?"
    return ""
