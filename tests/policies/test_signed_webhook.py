"""The other end of the webhook: whose packets are taken."""

from __future__ import annotations

import base64
import time

import httpx
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from pipecat_deescalate.policies.transfer.request import transfer_request
from pipecat_deescalate.policies.transfer.signed_webhook import WebhookTransfer, signed_by

SECRET = SecretStr("whsec_" + base64.b64encode(b"x" * 32).decode())
OTHER = SecretStr("whsec_" + base64.b64encode(b"y" * 32).decode())


def a_request() -> tuple[httpx.Headers, bytes]:
    """What the target sends."""
    target = WebhookTransfer("https://desk.example/calls", secret=SECRET)
    message = target.message(transfer_request("CA1", []))
    return httpx.Headers(message.headers()), message.content


def test_our_own_packets_are_taken() -> None:
    """What the target signs, the receiver must accept, with a rotated key's signature beside it."""
    headers, body = a_request()
    assert signed_by(SECRET, headers, body)
    headers["webhook-signature"] = "v1,AAAA v2,zzz " + headers["webhook-signature"]
    assert signed_by(SECRET, headers, body)


def test_what_was_changed_is_refused() -> None:
    """Another key, body, id or time must not pass for ours."""
    headers, body = a_request()
    assert not signed_by(OTHER, headers, body)
    assert not signed_by(SECRET, headers, body + b" ")
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        for value in ("", "1", "é", "9" * 400):
            changed = httpx.Headers([*headers.items()], encoding="utf-8")
            changed[name] = value
            assert not signed_by(SECRET, changed, body)
        without = httpx.Headers([item for item in headers.items() if item[0] != name])
        assert not signed_by(SECRET, without, body)


def test_an_old_packet_is_refused() -> None:
    """A packet that someone kept and sends again later must not reach the human."""
    headers, body = a_request()
    assert signed_by(SECRET, headers, body, now=time.time() + 299)
    assert not signed_by(SECRET, headers, body, now=time.time() + 302)
    assert not signed_by(SECRET, headers, body, now=time.time() - 302)


@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()
    )
)
def test_any_headers_are_judged(headers: dict[str, str]) -> None:
    """What strangers send must never raise."""
    assert not signed_by(SECRET, headers, b"{}")
