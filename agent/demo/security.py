"""Which requests the demo's server accepts."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; connect-src 'self'; media-src 'self' blob:; object-src 'none'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "cache-control": "no-cache",
}
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Door:
    """Admits requests; `token` is needed if other machines can reach the server."""

    token: str | None = field(default=None, repr=False)

    def refuses(self, headers: Mapping[str, str]) -> str | None:
        """The reason to refuse a request with these headers; None to accept it.

        Another site's name in Host (DNS rebinding) is refused unless a token protects the server;
        another site in Origin always is.
        """
        host = headers.get("host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if self.token is None and name.casefold() not in _LOOPBACK_NAMES:
            return "This server answers only to its own address."
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].casefold() != host.casefold():
            return "Pages of other sites may not call."
        return None

    def admits(self, given: str | None) -> bool:
        """Whether this is the token, if one is needed; compares in constant time."""
        if self.token is None:
            return True
        return hmac.compare_digest((given or "").encode(errors="replace"), self.token.encode())


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token in an Authorization header."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.casefold() == "bearer" else None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server bound to this address or name."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
