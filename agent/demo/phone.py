"""Phone calls to the demo: Twilio's media streams, 8 kHz mu-law over a websocket."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from contextlib import suppress

from fastapi import WebSocket, WebSocketDisconnect
from pipecat.pipeline.worker import PipelineParams
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...policies.transfer.request import TransferTarget, WithPacket
from ...policies.transfer.vendors import TwilioTransfer
from .bot import DemoCall
from .connections import ActiveCalls, RefusedError
from .limits import Ended, RateLimiter
from .security import Door, bearer

PATH = "/phone"
LINE = PipelineParams(audio_in_sample_rate=8_000, audio_out_sample_rate=8_000)
_START_S = 10.0
_POLICY_VIOLATION = 1008
_TRY_AGAIN_LATER = 1013
_NORMAL = 1000


class Start(BaseModel):
    """Twilio's message before the audio of a call; `customParameters` are the <Stream>'s."""

    model_config = ConfigDict(extra="ignore")
    stream_sid: str = Field(alias="streamSid", min_length=1, max_length=64)
    call_sid: str = Field(alias="callSid", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    parameters: dict[str, str] = Field(alias="customParameters", default_factory=dict)


class PhoneLine:
    """Answers media streams; a token, if needed, comes as a header or a parameter."""

    def __init__(self, calls: ActiveCalls, *, door: Door, offers: RateLimiter) -> None:
        self._calls = calls
        self._door = door
        self._offers = offers
        self._human = _human(os.environ)

    async def answer(self, websocket: WebSocket) -> None:
        """Run one call; anything else is closed with a reason."""
        client = websocket.client.host if websocket.client else ""
        if self._door.refuses(websocket.headers) or not self._offers.take(client):
            await websocket.close(_POLICY_VIOLATION)
            return
        await websocket.accept()
        try:
            start = await _start(websocket)
            if not self._door.admits(bearer(websocket.headers) or start.parameters.get("token")):
                raise RefusedError(_POLICY_VIOLATION, "The token is missing or wrong.")
            with self._calls.line():
                await self._call(websocket, start)
        except RefusedError as error:
            code = _TRY_AGAIN_LATER if error.status == 503 else _POLICY_VIOLATION
            with suppress(RuntimeError):
                await websocket.close(code, error.detail)

    async def _call(self, websocket: WebSocket, start: Start) -> None:
        # With auto_hang_up, the serializer would need the account's credentials.
        serializer = TwilioFrameSerializer(
            stream_sid=start.stream_sid,
            call_sid=start.call_sid,
            params=TwilioFrameSerializer.InputParams(auto_hang_up=False),
        )
        params = FastAPIWebsocketParams(
            audio_in_enabled=True, audio_out_enabled=True, serializer=serializer
        )

        async def close(reason: Ended) -> None:
            with suppress(RuntimeError, WebSocketDisconnect):  # the caller hung up first
                await websocket.close(_NORMAL, reason.value)

        transfer: TransferTarget = self._calls.transfer()
        if self._human is not None:
            transfer = WithPacket(self._human, packet_to=transfer)
        call = DemoCall(
            self._calls.bot,
            FastAPIWebsocketTransport(websocket, params),
            call_id=start.call_sid,
            transfer=transfer,
            line=LINE,
            on_end=close,
        )
        await self._calls.run(call)


async def _start(websocket: WebSocket) -> Start:
    """Read the stream's messages up to its start."""
    try:
        async with asyncio.timeout(_START_S):
            for _ in range(2):
                message = json.loads(await websocket.receive_text())
                if isinstance(message, dict) and message.get("event") == "start":
                    return Start.model_validate(message.get("start"))
    except TimeoutError as error:
        raise RefusedError(_POLICY_VIOLATION, "No call began in time.") from error
    except WebSocketDisconnect as error:
        raise RefusedError(_POLICY_VIOLATION, "The caller hung up.") from error
    except (ValidationError, ValueError, KeyError, RecursionError) as error:
        raise RefusedError(_POLICY_VIOLATION, "This is not a Twilio media stream.") from error
    raise RefusedError(_POLICY_VIOLATION, "This is not a Twilio media stream.")


def _human(environment: Mapping[str, str]) -> TwilioTransfer | None:
    """The human who takes real calls, if the environment names one."""
    to = environment.get("TRANSFER_TO")
    return TwilioTransfer(to=to) if to else None
