"""The active calls of this process, and their WebRTC connections."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from aiortc.sdp import SessionDescription, candidate_from_sdp
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ...models.logs import get_logger
from ...policies.transfer.signed_webhook import WebhookTransfer
from .bot import DemoBot, DemoCall
from .limits import Ended
from .memory_release import release

_GOODBYE_S = 5.0
_RELEASE_S = 2.0

log = get_logger("demo")


class RefusedError(Exception):
    """A request is refused: an HTTP status, and a sentence for the client."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class RequestData(BaseModel):
    """The page's options for a call."""

    model_config = ConfigDict(extra="ignore")
    analysis: bool = True


class Offer(BaseModel):
    """A browser's offer: a new call, or another path to its current one (`pc_id`)."""

    model_config = ConfigDict(extra="ignore")
    sdp: str
    type: str = Field(pattern="^offer$")
    pc_id: str | None = None
    restart_pc: bool = False
    request_data: RequestData = RequestData()


class IceCandidate(BaseModel):
    """One way to reach the browser; an empty one ends the list."""

    candidate: str
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


class IceCandidates(BaseModel):
    """Ways to reach the browser, found after its offer."""

    pc_id: str
    candidates: list[IceCandidate] = Field(max_length=64)


class ActiveCalls:
    """The calls of one server, which posts their packets to `hand_over_url`."""

    def __init__(self, bot: DemoBot, *, hand_over_url: str, secret: SecretStr) -> None:
        self.bot = bot
        self._hand_over_url = hand_over_url
        self._secret = secret
        self._calls: dict[str, DemoCall] = {}
        self._connections: dict[str, SmallWebRTCConnection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy = 0

    @contextmanager
    def line(self) -> Iterator[None]:
        """Occupy one of the lines.

        Raises:
            RefusedError: all are busy.
        """
        if self._busy >= self.bot.limits.calls:
            raise RefusedError(503, "All lines are busy. Try again in a minute.")
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    async def offer(self, offer: Offer) -> dict[str, str]:
        """Begin a call, or change its connection; return the answer in SDP, and its `pc_id`.

        Raises:
            RefusedError: the offer is not valid, or all lines are busy.
        """
        _check_sdp(offer.sdp)
        known = self._connections.get(offer.pc_id or "")
        if known is None:
            return await self._begin(offer)
        try:
            await known.renegotiate(offer.sdp, offer.type, offer.restart_pc)
        except Exception as error:  # aiortc raises anything on invalid SDP
            raise RefusedError(400, "This offer cannot be answered.") from error
        return _answer(known)

    async def candidates(self, found: IceCandidates) -> None:
        """Add ways to reach a browser.

        Raises:
            RefusedError: there is no such call, or a candidate is not valid.
        """
        connection = self._connections.get(found.pc_id)
        if connection is None:
            raise RefusedError(404, "There is no such call.")
        try:
            for one in found.candidates:
                await connection.add_ice_candidate(_candidate(one))
        except Exception as error:  # as above
            raise RefusedError(400, "One of the candidates is not valid.") from error

    async def run(self, call: DemoCall) -> Ended:
        """Run a call on any transport; it is active while it lasts."""
        self._calls[call.call_id] = call
        try:
            return await call.run()
        finally:
            del self._calls[call.call_id]
            asyncio.get_running_loop().call_later(_RELEASE_S, release)

    def transfer(self) -> WebhookTransfer:
        """The demo's human agent: the page, reached through this server's own webhook."""
        return WebhookTransfer(self._hand_over_url, secret=self._secret)

    async def packet_arrived(self, packet: dict[str, Any]) -> None:
        """Pass the packet of a hand-over to the page of its call.

        Raises:
            RefusedError: there is no such call.
        """
        call = self._calls.get(str(packet.get("call_id")))
        if call is None:
            raise RefusedError(404, "There is no such call.")
        await call.packet_arrived(packet)

    async def close(self) -> None:
        """End all calls, and wait until they are over."""
        ends = [call.end(Ended.SHUTDOWN) for call in self._calls.values()]
        await asyncio.gather(*ends, return_exceptions=True)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_GOODBYE_S)
            for task in late:
                task.cancel()

    async def _begin(self, offer: Offer) -> dict[str, str]:
        with ExitStack() as held:
            held.enter_context(self.line())
            connection = SmallWebRTCConnection()
            try:
                await connection.initialize(offer.sdp, offer.type)
                answer = _answer(connection)
            except Exception as error:  # as above
                await connection.disconnect()
                raise RefusedError(400, "This offer cannot be answered.") from error
            task = asyncio.create_task(
                self._hold(connection, held.pop_all(), analysis=offer.request_data.analysis)
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return answer

    async def _hold(
        self, connection: SmallWebRTCConnection, line: ExitStack, *, analysis: bool
    ) -> None:
        """Run a call over WebRTC."""
        call_id = uuid.uuid4().hex
        params = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
        with line:
            self._connections[connection.pc_id] = connection
            try:
                transport = SmallWebRTCTransport(connection, params)
                transfer = self.transfer()
                call = DemoCall(
                    self.bot, transport, call_id=call_id, transfer=transfer, analysis=analysis
                )
                await self.run(call)
            except Exception as error:  # one call must not end the others
                log.exception("call failed", call_id=call_id, error=type(error).__name__)
            finally:
                del self._connections[connection.pc_id]
                await connection.disconnect()


def _answer(connection: SmallWebRTCConnection) -> dict[str, str]:
    answer = connection.get_answer()
    assert answer is not None, "an initialized connection has one"
    return dict(answer)


def _check_sdp(sdp: str) -> None:
    try:
        kinds = [media.kind for media in SessionDescription.parse(sdp).media]
    except Exception as error:  # the parser raises whatever it runs into
        raise RefusedError(400, "The offer's SDP cannot be read.") from error
    if kinds[:1] != ["audio"]:
        raise RefusedError(400, "The offer has no audio.")


def _candidate(one: IceCandidate) -> Any:
    if not one.candidate:
        return None
    candidate = candidate_from_sdp(one.candidate.removeprefix("candidate:"))
    candidate.sdpMid = one.sdp_mid
    candidate.sdpMLineIndex = one.sdp_mline_index
    return candidate
