"""One HTTP POST: where it may go, how long it may take, and when to send the next.

Nothing here logs: addresses, headers and bodies carry secrets and caller data.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import random
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache

import httpx
from pydantic import SecretStr

from .errors import DeescalateError, SettingError

_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "pipecat-deescalate"}
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)
_PRINTABLE = re.compile(r"[!-~]+")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Message:
    """A POST. `headers` are made anew each time it is sent."""

    url: str = field(repr=False)
    content: bytes = field(repr=False)
    headers: Callable[[], dict[str, str]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer; `body` is None if the connection broke before its end."""

    status: int
    headers: httpx.Headers
    body: bytes | None


class NoHttpAnswerError(DeescalateError):
    """A request got no answer; `was_sent` is False if it certainly never left this machine."""

    def __init__(self, error: TimeoutError | httpx.HTTPError) -> None:
        self.was_sent = not isinstance(error, _NOT_SENT)
        late = isinstance(error, TimeoutError | httpx.TimeoutException) and self.was_sent
        what = "connection lost" if self.was_sent else "not connected"
        super().__init__("no answer in time" if late else f"{what}: {type(error).__name__}")


async def post(
    transport: httpx.AsyncHTTPTransport, message: Message, *, timeout_s: float, max_bytes: int
) -> HttpAnswer:
    """Send one request and read its answer, or the first `max_bytes` of it.

    `timeout_s` bounds the whole, connecting 80 % of it. Redirects are not followed.

    Raises:
        NoHttpAnswerError: there was none.
    """
    # The transport itself, not a client: a client logs addresses, and these may hold tokens.
    timeout = httpx.Timeout(timeout_s, connect=timeout_s * 0.8).as_dict()
    url, content, headers = message.url, message.content, _HEADERS | message.headers()
    extensions = {"timeout": timeout}
    request = httpx.Request("POST", url, content=content, headers=headers, extensions=extensions)
    try:
        async with asyncio.timeout(timeout_s):
            response = await transport.handle_async_request(request)
            try:
                body = await _read(response, max_bytes)
            finally:
                await response.aclose()
    except (TimeoutError, httpx.HTTPError) as error:
        raise NoHttpAnswerError(error) from error
    return HttpAnswer(response.status_code, response.headers, body)


async def _read(response: httpx.Response, max_bytes: int) -> bytes | None:
    parts = bytearray()
    try:
        async for part in response.aiter_bytes():
            parts += part
            if len(parts) >= max_bytes:
                break
    except httpx.HTTPError:
        return None
    return bytes(parts[:max_bytes])


def backoff_s(attempt: int, first_s: float, max_s: float) -> float:
    """Seconds to wait after an attempt (1, 2, ...): doubled each time, times a random 0.5 to 1."""
    delay_s = min(max_s, first_s * 2.0 ** (attempt - 1))
    return delay_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not cryptography


def retry_after_s(value: str) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date; None if it is neither."""
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


@cache
def tls_context() -> ssl.SSLContext:
    """The TLS settings of the process, loaded with all that a first connection would wait for.

    Reading the certificates and importing what httpx connects with take a tenth of a second each:
    call this when a client is built, not in the event loop while a caller is on the line.
    """
    context = httpx.create_ssl_context()
    httpx.AsyncHTTPTransport(verify=context)
    with contextlib.suppress(ImportError):
        importlib.import_module("anyio._backends._asyncio")
    return context


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
