"""Deprecated: the signed webhook is in `policies.transfer`."""

import warnings

from .transfer.signed_webhook import WebhookTransfer, signed_by

__all__ = ["WebhookTransfer", "signed_by"]

warnings.warn(
    "policies.webhook is deprecated; import WebhookTransfer from policies.transfer",
    DeprecationWarning,
    stacklevel=2,
)
