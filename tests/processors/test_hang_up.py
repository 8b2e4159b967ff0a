"""Which serializers are kept from hanging up, and until when."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import WebSocket
from pipecat.pipeline.pipeline import Pipeline
from pipecat.serializers.plivo import PlivoFrameSerializer
from pipecat.serializers.telnyx import TelnyxFrameSerializer
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport

from pipecat_deescalate.processors.hang_up import HangUps

SERIALIZERS: dict[type[Any], dict[str, str]] = {
    TwilioFrameSerializer: {"stream_sid": "MZ1", "call_sid": "CA1", "account_sid": "AC1"},
    TelnyxFrameSerializer: {
        "stream_id": "1",
        "call_control_id": "2",
        "outbound_encoding": "PCMU",
        "inbound_encoding": "PCMU",
    },
    PlivoFrameSerializer: {"stream_id": "1", "call_id": "2", "auth_id": "3"},
}


@pytest.mark.parametrize("kind", SERIALIZERS)
def test_every_serializer_that_hangs_up_is_held(kind: type[Any]) -> None:
    """A bot on Telnyx or Plivo loses its callers in the same way, and other calls must hang up."""
    shared = kind.InputParams()
    secret = "api_key" if kind is TelnyxFrameSerializer else "auth_token"
    mine, other = (kind(**SERIALIZERS[kind], **{secret: "x"}, params=shared) for _ in range(2))
    line: Any = None  # nobody calls
    websocket = WebSocket({"type": "websocket", "headers": []}, line, line)
    transport = FastAPIWebsocketTransport(websocket, FastAPIWebsocketParams(serializer=mine))
    pipeline = Pipeline([Pipeline([transport.input()]), transport.output()])
    hang_ups = HangUps()
    hang_ups.hold(pipeline)
    hang_ups.hold(pipeline)
    assert (mine._params.auto_hang_up, other._params.auto_hang_up) == (False, True)
    hang_ups.release()
    assert mine._params.auto_hang_up
