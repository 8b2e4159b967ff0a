"""Deprecated: the transfer targets are in `policies.transfer`."""

import warnings

from .transfer.vendors import (
    DailySipTransfer,
    FunctionTransfer,
    PlivoTransfer,
    TelnyxTransfer,
    TwilioTransfer,
)

__all__ = [
    "DailySipTransfer",
    "FunctionTransfer",
    "PlivoTransfer",
    "TelnyxTransfer",
    "TwilioTransfer",
]

warnings.warn(
    "policies.targets is deprecated; import the targets from policies.transfer",
    DeprecationWarning,
    stacklevel=2,
)
