"""The vendors as the tests of the transfers need them: targets that send to a fake server."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

from pipecat_deescalate.models.readings import Cue
from pipecat_deescalate.policies import Level, load_policy
from pipecat_deescalate.policies.record import TurnRecord
from pipecat_deescalate.policies.transfer.http_target import HttpTarget, Limits, Sender
from pipecat_deescalate.policies.transfer.request import TransferRequest
from pipecat_deescalate.policies.transfer.signed_webhook import WebhookTransfer
from pipecat_deescalate.policies.transfer.vendors import (
    DailySipTransfer,
    PlivoTransfer,
    TelnyxTransfer,
    TwilioTransfer,
)

from .readings import play, turn

SECRET = "s3cr3t-Token-4711"  # noqa: S105 - nobody's
KEY = b"k" * 32
WHSEC = "whsec_" + base64.b64encode(KEY).decode()
CALL = "CA0123456789abcdef0123456789abcdef"
REQUEST = TransferRequest(CALL, "asked for a human", Level.DISTRESSED, "line one\nline two")
YES = {
    "twilio": json.dumps({"sid": CALL, "status": "in-progress"}),
    "telnyx": '{"data": {"result": "ok"}}',
    "plivo": '{"message": "call transferred", "api_id": "08c94608"}',
    "daily": '{"ok": "true"}',
    "webhook": "",
}
VENDORS = tuple(YES)
REPEATABLE = tuple(name for name in VENDORS if name != "daily")


class Naps:
    """A sleep and a clock that cost no time: every wait is noted and passes at once."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def clock(self) -> float:
        return time.monotonic() + sum(self.waits)


def target(vendor: str, url: str, naps: Naps, **limits: float) -> HttpTarget:
    sender = Sender(Limits(**limits), sleep=naps.sleep, clock=naps.clock)
    build: dict[str, Callable[[], HttpTarget]] = {
        "twilio": lambda: TwilioTransfer(
            to="+15550100123", account_sid="AC1", auth_token=SECRET, base_url=url, sender=sender
        ),
        "telnyx": lambda: TelnyxTransfer(
            to="+15550100123", api_key=SECRET, base_url=url, sender=sender
        ),
        "plivo": lambda: PlivoTransfer(
            aleg_url="https://bot.example/dial?to=desk&key=dial-key",
            auth_id="MA1",
            auth_token=SECRET,
            base_url=url,
            sender=sender,
        ),
        "daily": lambda: DailySipTransfer(
            room="room-1", to="sip:desk@example.com", api_key=SECRET, base_url=url, sender=sender
        ),
        "webhook": lambda: WebhookTransfer(f"{url}/desk?key={SECRET}", secret=WHSEC, sender=sender),
    }
    return build[vendor]()


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{SECRET}".encode()).decode()


def records(last_words: str | None = None) -> list[TurnRecord]:
    policy, last = load_policy("balanced"), turn(1.11, index=2, cues=(Cue.WAITING,))
    _, decisions = play(policy, -2.0, 1.11, last)
    return [TurnRecord(one, last_words if one is decisions[-1] else None) for one in decisions]
