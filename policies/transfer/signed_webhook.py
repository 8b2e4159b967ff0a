"""Hands the packet of a call to a service of your own, by a signed webhook."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import SecretStr

from ...models.errors import SettingError
from ...models.http import Message, address
from ...models.http import secret as read_secret
from .http_target import JSON, HttpTarget, Sender, to_json
from .request import TransferRequest

TOLERANCE_S = 300.0


class WebhookTransfer(HttpTarget):
    """Posts the whole packet to a service of yours, signed as Standard Webhooks 1.0 describes.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
    Environment: DEESCALATE_WEBHOOK_SECRET ("whsec_" and the base64 of 24 to 64 random bytes).

    Any 2xx accepts, whatever its body, as the scheme says. `webhook-id` is the call id, the same in
    every attempt, and receivers drop ids that they have seen, with a 2xx or 409. So it is
    repeatable.
    """

    name = "webhook"
    repeatable = True

    def __init__(
        self, url: str, *, secret: str | SecretStr | None = None, sender: Sender | None = None
    ) -> None:
        super().__init__(sender)
        self._url = SecretStr(address(url, name="url"))
        given = read_secret(secret, name="secret", env="DEESCALATE_WEBHOOK_SECRET")
        _webhook_key(given)
        self._secret = given

    def message(self, request: TransferRequest) -> Message:
        """The request to send."""
        event = {
            "type": "call.transfer_requested",
            "timestamp": datetime.now(UTC).isoformat(),
            "data": request.to_dict(),
        }
        body = to_json(event)
        message_id = _webhook_id(request.call_id)
        return Message(
            self._url.get_secret_value(), body, lambda: _signed(self._secret, message_id, body)
        )

    def accepts(self, body: bytes | None, call_id: str) -> bool:
        """Any body, or none."""
        return True

    def repeats(self, status: int, code: str | None) -> bool:
        """409: the id was seen before."""
        return status == 409


def _webhook_key(secret: SecretStr) -> bytes:
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise SettingError("secret: whsec_ and the base64 of 24 to 64 bytes are needed")
    return key


def _webhook_id(call_id: str) -> str:
    """The call id, or its digest if it has a character that is not allowed in an id."""
    if re.fullmatch(r"[A-Za-z0-9_:-]{1,200}", call_id):
        return call_id
    return hashlib.sha256(call_id.encode(errors="replace")).hexdigest()


def signed_by(
    secret: SecretStr, headers: Mapping[str, str], body: bytes, *, now: float | None = None
) -> bool:
    """Whether an incoming request was signed with this secret, at most 5 minutes ago.

    For the service that receives the packets. `headers` must be case-insensitive, like those of
    web frameworks; `now` is Unix time in seconds.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "").split()
    if not timestamp.isdecimal() or not timestamp.isascii() or len(timestamp) > 12:
        return False
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE_S:
        return False
    due = f"v1,{_signature(secret, message_id, timestamp, body)}".encode()
    return any(hmac.compare_digest(one.encode(errors="replace"), due) for one in given)


def _signed(secret: SecretStr, message_id: str, body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    return {
        "Content-Type": JSON,
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{_signature(secret, message_id, timestamp, body)}",
    }


def _signature(secret: SecretStr, message_id: str, timestamp: str, body: bytes) -> str:
    content = f"{message_id}.{timestamp}.".encode(errors="replace") + body
    digest = hmac.new(_webhook_key(secret), content, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
