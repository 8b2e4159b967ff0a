"""Who can take a call: Twilio, Telnyx, Plivo, Daily, or a function of your own.

Every target checks its settings when built, takes its secrets from arguments or the environment,
and never shows them.
"""

from __future__ import annotations

import asyncio
import base64
import re
import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import httpx
from pydantic import SecretStr

from ...models.http import Message, address, secret
from ...models.logs import get_logger
from . import validators
from .http_target import JSON, HttpTarget, Sender, fields, to_json
from .request import TransferOutcome, TransferRequest

_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_FORM = "application/x-www-form-urlencoded"
_LOST = (
    httpx.ReadTimeout,
    httpx.WriteTimeout,
    httpx.ReadError,
    httpx.WriteError,
    httpx.RemoteProtocolError,
)

log = get_logger("transfer")


class TwilioTransfer(HttpTarget):
    """Redirects a live Twilio call to a phone number or SIP address, by new TwiML for the call.

    https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource; the request's
    `call_id` is the CallSid. Environment: TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN.

    Accepted is a 2xx with the call's own resource as JSON. Twilio documents no idempotency key,
    but an update sets what the call does: sent twice it dials the same number anew on the same
    call, within seconds, and never calls the caller a second time. So it is repeatable.

    Args:
        to: who takes the call: E.164 number or SIP URI.
        caller_id: the number that the human sees; Twilio's default is the caller's.
        ring_s: how long it rings; Twilio's default is 30 s.
        action_url: where Twilio asks for more TwiML when nobody answers or the human hangs up;
            without it the call ends there.
        whisper_url: TwiML that the human hears before the caller is connected (numbers only).
    """

    name = "Twilio"
    repeatable = True

    def __init__(
        self,
        *,
        to: str,
        account_sid: str | None = None,
        auth_token: str | SecretStr | None = None,
        caller_id: str | None = None,
        ring_s: int | None = None,
        action_url: str | None = None,
        whisper_url: str | None = None,
        base_url: str = "https://api.twilio.com",
        sender: Sender | None = None,
    ) -> None:
        super().__init__(sender)
        self._account = validators.identifier(
            account_sid, name="account_sid", env="TWILIO_ACCOUNT_SID"
        )
        self._token = secret(auth_token, name="auth_token", env="TWILIO_AUTH_TOKEN")
        self._base_url = address(base_url, name="base_url")
        options = {
            "callerId": caller_id and validators.phone_or_sip(caller_id, name="caller_id"),
            "timeout": str(ring_s) if ring_s is not None else None,
            "action": action_url and address(action_url, name="action_url"),
        }
        whisper = whisper_url and address(whisper_url, name="whisper_url")
        self._twiml = _dial(validators.phone_or_sip(to, name="to"), options, whisper)

    def message(self, request: TransferRequest) -> Message:
        """The request to send."""
        path = f"/2010-04-01/Accounts/{self._account}/Calls/{_part(request.call_id)}.json"
        body = urlencode({"Twiml": self._twiml}).encode()
        return Message(
            self._base_url + path, body, lambda: _basic(self._account, self._token, _FORM)
        )

    def accepts(self, body: bytes | None, call_id: str) -> bool:
        """Twilio answers with the call's resource."""
        return fields(body).get("sid") == call_id

    def error_code(self, body: bytes) -> str | None:
        """Such as 21220: the call is no longer in progress."""
        return _code(fields(body).get("code"))


class TelnyxTransfer(HttpTarget):
    """Transfers a Telnyx Voice API call; the new leg is bridged when it answers.

    https://developers.telnyx.com/api-reference/call-commands/transfer-call; the request's
    `call_id` is the call_control_id. Environment: TELNYX_API_KEY.

    Accepted is a 2xx with result "ok". A transfer makes a new leg, but Telnyx ignores a command
    whose `command_id` it has seen for the call; ours is made from the call id, so it is
    repeatable.
    """

    name = "Telnyx"
    repeatable = True

    def __init__(
        self,
        *,
        to: str,
        api_key: str | SecretStr | None = None,
        from_number: str | None = None,
        base_url: str = "https://api.telnyx.com",
        sender: Sender | None = None,
    ) -> None:
        super().__init__(sender)
        self._key = secret(api_key, name="api_key", env="TELNYX_API_KEY")
        self._base_url = address(base_url, name="base_url")
        self._body = {"to": validators.phone_or_sip(to, name="to")}
        if from_number is not None:
            self._body["from"] = validators.phone_number(from_number, name="from_number")

    def message(self, request: TransferRequest) -> Message:
        """The request to send."""
        path = f"/v2/calls/{_part(request.call_id)}/actions/transfer"
        command_id = str(uuid.uuid5(uuid.NAMESPACE_OID, _part(request.call_id)))
        body = to_json({**self._body, "command_id": command_id})
        return Message(self._base_url + path, body, lambda: _bearer(self._key))

    def accepts(self, body: bytes | None, call_id: str) -> bool:
        """Telnyx answers {"data": {"result": "ok"}}."""
        data = fields(body).get("data")
        return isinstance(data, dict) and data.get("result") == "ok"

    def error_code(self, body: bytes) -> str | None:
        """Such as 90018: the call has already ended."""
        errors = fields(body).get("errors")
        first = errors[0] if isinstance(errors, list) and errors else None
        return _code(first.get("code")) if isinstance(first, dict) else None

    def repeats(self, status: int, code: str | None) -> bool:
        """90018: the call has ended, as it does for the bot once it is transferred."""
        return code == "90018"


class PlivoTransfer(HttpTarget):
    """Sends a live Plivo call to XML of yours, which dials the human.

    https://www.plivo.com/docs/voice/api/call/transfer-a-call; the request's `call_id` is the
    CallUUID. Plivo takes no XML in the request: `aleg_url` must serve it, with a <Dial>.
    Environment: PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN.

    Accepted is a 2xx with an `api_id`. A transfer makes the same leg fetch the same XML; sent
    twice it dials anew on the same call. So it is repeatable.
    """

    name = "Plivo"
    repeatable = True

    def __init__(
        self,
        *,
        aleg_url: str,
        auth_id: str | None = None,
        auth_token: str | SecretStr | None = None,
        base_url: str = "https://api.plivo.com",
        sender: Sender | None = None,
    ) -> None:
        super().__init__(sender)
        self._account = validators.identifier(auth_id, name="auth_id", env="PLIVO_AUTH_ID")
        self._token = secret(auth_token, name="auth_token", env="PLIVO_AUTH_TOKEN")
        self._base_url = address(base_url, name="base_url")
        self._xml_url = SecretStr(address(aleg_url, name="aleg_url"))

    def message(self, request: TransferRequest) -> Message:
        """The request to send."""
        path = f"/v1/Account/{self._account}/Call/{_part(request.call_id)}/"
        body = {"legs": "aleg", "aleg_url": self._xml_url.get_secret_value(), "aleg_method": "POST"}
        return Message(
            self._base_url + path, to_json(body), lambda: _basic(self._account, self._token, JSON)
        )

    def accepts(self, body: bytes | None, call_id: str) -> bool:
        """Plivo acknowledges with a message, spelt in two ways, and an api_id."""
        return isinstance(fields(body).get("api_id"), str)


class DailySipTransfer(HttpTarget):
    """Transfers a SIP or phone participant of a Daily room, through Daily's REST API.

    https://docs.daily.co/reference/rest-api/rooms/call-transfer/sip-call-transfer; the request's
    `call_id` is the participant's session id. Environment: DAILY_API_KEY. Where the bot has no
    API key, use `FunctionTransfer` with its transport's `sip_call_transfer` or `sip_refer`.

    Accepted is a 2xx with "ok": "true". A transfer makes a new leg and Daily documents no
    idempotency key: a request that may have arrived is not sent again.
    """

    name = "Daily"
    repeatable = False

    def __init__(
        self,
        *,
        room: str,
        to: str,
        api_key: str | SecretStr | None = None,
        caller_id: str | None = None,
        base_url: str = "https://api.daily.co",
        sender: Sender | None = None,
    ) -> None:
        super().__init__(sender)
        self._room = validators.identifier(room, name="room")
        self._key = secret(api_key, name="api_key", env="DAILY_API_KEY")
        self._base_url = address(base_url, name="base_url")
        self._body = {"toEndPoint": validators.phone_or_sip(to, name="to")}
        if caller_id is not None:
            self._body["callerId"] = validators.identifier(caller_id, name="caller_id")

    def message(self, request: TransferRequest) -> Message:
        """The request to send."""
        body = to_json({"sessionId": request.call_id, **self._body})
        url = f"{self._base_url}/v1/rooms/{self._room}/sipCallTransfer"
        return Message(url, body, lambda: _bearer(self._key))

    def accepts(self, body: bytes | None, call_id: str) -> bool:
        """Daily answers {"ok": "true"}, in its reference with the quotes."""
        return fields(body).get("ok") in (True, "true")

    def error_code(self, body: bytes) -> str | None:
        """Such as invalid-request-error."""
        return _code(fields(body).get("error"))


class FunctionTransfer:
    """Hands over by a function of yours, such as a transport's own `sip_call_transfer`.

    The function takes the request and returns None, a `TransferOutcome`, or anything else if it
    failed; its return value is not logged. It is called once and has `budget_s` seconds. If they
    run out, or it raises because an answer was lost, the outcome is unknown.
    """

    def __init__(
        self, function: Callable[[TransferRequest], Awaitable[object]], *, budget_s: float = 8.0
    ) -> None:
        self._function = function
        self._budget_s = budget_s

    async def transfer(self, request: TransferRequest) -> TransferOutcome:
        """Hand the call over."""
        try:
            async with asyncio.timeout(self._budget_s):
                answer = await self._function(request)
        except TimeoutError:
            outcome = TransferOutcome(False, "no answer in time", unknown=True)
        except Exception as error:  # noqa: BLE001 - foreign code must not end the call
            outcome = TransferOutcome.raised(error, lost=isinstance(error, _LOST))
        else:
            outcome = (
                answer
                if isinstance(answer, TransferOutcome)
                else TransferOutcome(answer is None, "accepted" if answer is None else "refused")
            )
        if not outcome.ok:
            log.warning(
                "transfer outcome unknown" if outcome.unknown else "transfer failed",
                target="function",
                call_id=request.call_id,
                attempts=1,
                detail=outcome.detail,
            )
        return outcome


def _dial(to: str, options: dict[str, str | None], whisper_url: str | None) -> str:
    """TwiML that dials a number or a SIP address, every value escaped."""
    response = ElementTree.Element("Response")
    chosen = {key: value for key, value in options.items() if value}
    dial = ElementTree.SubElement(response, "Dial", chosen)
    is_sip = to.startswith(("sip:", "sips:"))
    whisper = {"url": whisper_url} if whisper_url and not is_sip else {}
    ElementTree.SubElement(dial, "Sip" if is_sip else "Number", whisper).text = to
    return ElementTree.tostring(response, encoding="unicode")


def _part(text: str) -> str:
    """A text as one part of a path."""
    return quote(text, safe="", errors="replace")


def _code(value: object) -> str | None:
    """A vendor's error code if it looks like one, since it goes into a log."""
    text = str(value)
    return text if isinstance(value, int | str) and _CODE.fullmatch(text) else None


def _bearer(key: SecretStr) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.get_secret_value()}", "Content-Type": JSON}


def _basic(user: str, password: SecretStr, content_type: str) -> dict[str, str]:
    pair = base64.b64encode(f"{user}:{password.get_secret_value()}".encode()).decode()
    return {"Authorization": f"Basic {pair}", "Content-Type": content_type, "Accept": JSON}
