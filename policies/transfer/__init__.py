"""Handing a call over: what the human gets, who takes the call, and at most once.

The targets are loaded on first use: a bot without transfers imports no HTTP client.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .request import (
    OnceOnly,
    TransferOutcome,
    TransferRequest,
    TransferTarget,
    Utterance,
    WithPacket,
    transfer_request,
)

if TYPE_CHECKING:
    from .signed_webhook import WebhookTransfer, signed_by
    from .vendors import (
        DailySipTransfer,
        FunctionTransfer,
        PlivoTransfer,
        TelnyxTransfer,
        TwilioTransfer,
    )

_HOMES = {
    "DailySipTransfer": ".vendors",
    "FunctionTransfer": ".vendors",
    "PlivoTransfer": ".vendors",
    "TelnyxTransfer": ".vendors",
    "TwilioTransfer": ".vendors",
    "WebhookTransfer": ".signed_webhook",
    "signed_by": ".signed_webhook",
}

__all__ = [
    "DailySipTransfer",
    "FunctionTransfer",
    "OnceOnly",
    "PlivoTransfer",
    "TelnyxTransfer",
    "TransferOutcome",
    "TransferRequest",
    "TransferTarget",
    "TwilioTransfer",
    "Utterance",
    "WebhookTransfer",
    "WithPacket",
    "signed_by",
    "transfer_request",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
