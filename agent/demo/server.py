"""The demo's web server: the page, signalling, and the human agent's end of a hand-over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib import resources
from typing import TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, SecretStr, ValidationError

from ...policies.transfer.http import fields
from ...policies.transfer.signed_webhook import signed_by
from .connections import ActiveCalls, IceCandidates, Offer, RefusedError
from .limits import MAX_BODY_BYTES, RateLimiter
from .phone import PATH as PHONE_PATH
from .phone import PhoneLine
from .samples import SAMPLES, sample_ogg
from .security import HEADERS, Door, bearer

NOTICE = (
    "The bot's voice is synthetic (espeak-ng), and so are the callers of the samples: a synthetic "
    "voice that is turned up is not an angry one. Nothing that you say is stored or sent away."
)

Body = TypeVar("Body", bound=BaseModel)


class DemoServer:
    """Handles the requests; `app` is the application to serve."""

    def __init__(
        self, calls: ActiveCalls, *, door: Door, secret: SecretStr, phone: bool = False
    ) -> None:
        self._calls = calls
        self._door = door
        self._secret = secret
        self._offers = RateLimiter(burst=20, refill_s=2.0)
        self.app = FastAPI(lifespan=self._lifespan, docs_url=None, redoc_url=None, openapi_url=None)
        self._route()
        if phone:
            line = PhoneLine(calls, door=door, offers=self._offers)
            self.app.websocket(PHONE_PATH)(line.answer)

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        ready = asyncio.gather(*(asyncio.to_thread(sample_ogg, name) for name in SAMPLES))
        yield
        await self._calls.close()
        await ready

    def _route(self) -> None:
        app = self.app
        app.middleware("http")(self._guarded)
        app.get("/api/demo")(self._about)
        app.get("/api/calls/{name}.ogg")(self._sample)
        app.post("/api/offer")(self._offer)
        app.patch("/api/offer")(self._candidates)
        app.post("/api/hand-over")(self._hand_over)
        web = resources.files(__package__) / "web"
        app.mount("/static", StaticFiles(directory=str(web)))
        app.get("/")(partial(_page, str(web)))

    async def _guarded(
        self, request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        refused = self._door.refuses(request.headers)
        try:
            response = _problem(403, refused) if refused else await call_next(request)
        except RefusedError as error:
            response = _problem(error.status, error.detail)
        response.headers.update(HEADERS)
        return response

    async def _about(self) -> dict[str, object]:
        policy = self._calls.bot.policy
        return {
            "calls": [{"id": name, "title": title} for name, title in SAMPLES.items()],
            "notice": NOTICE,
            "policy": policy.name,
            "levels": {"strained": policy.strained.enter, "distressed": policy.distressed.enter},
            "token_required": self._door.token is not None,
        }

    def _sample(self, name: str) -> Response:  # in a thread: the first request is slow
        if name not in SAMPLES:
            raise RefusedError(404, "There is no such call.")
        return Response(sample_ogg(name), media_type="audio/ogg")

    async def _offer(self, request: Request) -> dict[str, str]:
        self._admit(request)
        return await self._calls.offer(await _body(request, Offer))

    async def _candidates(self, request: Request) -> Response:
        self._admit(request)
        await self._calls.candidates(await _body(request, IceCandidates))
        return Response(status_code=204)

    async def _hand_over(self, request: Request) -> Response:
        body = await _bytes(request)
        if not signed_by(self._secret, request.headers, body):
            raise RefusedError(401, "The signature is missing or wrong.")
        packet = fields(body).get("data")
        if not isinstance(packet, dict):
            raise RefusedError(400, "There is no packet.")
        await self._calls.packet_arrived(packet)
        return Response(status_code=204)

    def _admit(self, request: Request) -> None:
        client = request.client.host if request.client else ""
        if not self._offers.take(client):
            raise RefusedError(429, "Too many requests. Wait a few seconds.")
        if not self._door.admits(bearer(request.headers)):
            raise RefusedError(401, "The token is missing or wrong. Open the address as printed.")


async def _bytes(request: Request) -> bytes:
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > MAX_BODY_BYTES:
            raise RefusedError(413, f"More than {MAX_BODY_BYTES // 1024} KiB are not taken.")
    return bytes(parts)


async def _body(request: Request, kind: type[Body]) -> Body:
    try:
        return kind.model_validate(json.loads(await _bytes(request)))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise RefusedError(
            422, f"The request is not as expected: {where or 'the whole'}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "The request is not JSON.") from error


def _page(web: str) -> Response:
    page = resources.files(__package__) / "web" / "index.html"
    return Response(page.read_bytes(), media_type="text/html; charset=utf-8")


def _problem(status: int, detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, status)
