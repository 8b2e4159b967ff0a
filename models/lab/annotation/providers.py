"""The wire formats of two kinds of endpoint: Gemini's generateContent, OpenAI's chat completions.

Gemini: https://ai.google.dev/api/generate-content. OpenAI: the chat completions of
https://platform.openai.com/docs/api-reference/chat, which many local servers support.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from ...http import retry_after_s
from .answers import answer_schema

_MAX_OUTPUT_TOKENS = 8_192  # including what a model thinks before it answers
_JSON = {"Content-Type": "application/json"}
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_FINAL_STATUS = frozenset({300, 301, 302, 303, 307, 308, 401, 402, 403, 404, 405})
_FINAL_CODES = frozenset({"API_KEY_INVALID", "insufficient_quota", "billing_hard_limit_reached"})
_CODES = _FINAL_CODES | {
    "DEADLINE_EXCEEDED",
    "INTERNAL",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
    "context_length_exceeded",
    "invalid_api_key",
    "invalid_request_error",
    "model_not_found",
    "rate_limit_exceeded",
    "server_error",
}
"""The only words of an error answer that are shown: others could be a key or a caller's words."""


class Api(StrEnum):
    """The kinds of endpoint."""

    GEMINI = "gemini"
    OPENAI = "openai"


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask about one turn. `wav` is a whole WAV file."""

    system: str
    user: str
    wav: bytes
    reasoning: bool


@dataclass(frozen=True, slots=True)
class ProviderReply:
    """The text of an answer, None where the endpoint withheld it, and its tokens."""

    text: str | None
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Wire:
    """One kind of endpoint.

    `audio_tokens_per_s` is for estimates. `path` and `body` make a request; `reply` reads the JSON
    of a 200 and raises LookupError, TypeError or ValueError if it is not an answer.
    """

    key_variable: str
    audio_tokens_per_s: float
    path: Callable[[str], str]
    headers: Callable[[str], dict[str, str]]
    body: Callable[[str, Question], dict[str, Any]]
    reply: Callable[[Any], ProviderReply]


def _gemini_body(_model: str, question: Question) -> dict[str, Any]:
    audio = {"mimeType": "audio/wav", "data": base64.b64encode(question.wav).decode()}
    return {
        "systemInstruction": {"parts": [{"text": question.system}]},
        "contents": [{"role": "user", "parts": [{"inlineData": audio}, {"text": question.user}]}],
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseJsonSchema": answer_schema(reasoning=question.reasoning),
            "maxOutputTokens": _MAX_OUTPUT_TOKENS,
        },
    }


def _gemini_reply(answer: Any) -> ProviderReply:
    usage = answer.get("usageMetadata", {})
    tokens = (
        usage.get("promptTokenCount", 0),
        _sum(usage, "candidatesTokenCount", "thoughtsTokenCount"),
    )
    if not answer.get("candidates"):
        _ = answer["promptFeedback"]  # blocked; without it this is not an answer of Gemini's
        return ProviderReply(None, *tokens)
    parts = answer["candidates"][0].get("content", {}).get("parts", [])
    said = "".join(part.get("text", "") for part in parts if not part.get("thought"))
    return ProviderReply(said or None, *tokens)


def _openai_body(model: str, question: Question) -> dict[str, Any]:
    # A forced function call: audio models have no structured outputs there.
    function = {"name": "annotate", "parameters": answer_schema(reasoning=question.reasoning)}
    audio = {"data": base64.b64encode(question.wav).decode(), "format": "wav"}
    content = [
        {"type": "input_audio", "input_audio": audio},
        {"type": "text", "text": question.user},
    ]
    return {
        "model": model,
        "modalities": ["text"],
        "messages": [
            {"role": "system", "content": question.system},
            {"role": "user", "content": content},
        ],
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "annotate"}},
        "max_completion_tokens": _MAX_OUTPUT_TOKENS,
    }


def _openai_reply(answer: Any) -> ProviderReply:
    message = answer["choices"][0]["message"]
    calls = message.get("tool_calls")
    text = calls[0]["function"]["arguments"] if calls else message.get("content")
    usage = answer.get("usage") or {}
    return ProviderReply(
        text if isinstance(text, str) and text else None,
        usage.get("prompt_tokens", 0),
        usage.get("completion_tokens", 0),
    )


def _sum(values: dict[str, int], *names: str) -> int:
    return sum(values.get(name, 0) for name in names)


WIRES = {
    Api.GEMINI: Wire(
        key_variable="GEMINI_API_KEY",
        audio_tokens_per_s=32.0,
        path=lambda model: f"/v1beta/models/{quote(model, safe='')}:generateContent",
        headers=lambda key: {"x-goog-api-key": key, **_JSON},
        body=_gemini_body,
        reply=_gemini_reply,
    ),
    Api.OPENAI: Wire(
        key_variable="OPENAI_API_KEY",
        audio_tokens_per_s=10.0,
        path=lambda _model: "/chat/completions",
        headers=lambda key: {"Authorization": f"Bearer {key}", **_JSON},
        body=_openai_body,
        reply=_openai_reply,
    ),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an error answer says: the endpoint's code, and how long it asks to wait.

    `final` means that no request will succeed until a person does something: a wrong key, a model
    that does not exist, a budget or a daily quota that is used up.
    """

    code: str | None
    wait_s: float | None
    final: bool


def read_refusal(status: int, headers: Any, body: bytes) -> Refusal:
    """Read an error answer of either kind. Its free text is dropped."""
    error = _error(body)
    details = [detail for detail in error.get("details") or [] if isinstance(detail, dict)]
    codes = [error.get("code"), error.get("type"), *(detail.get("reason") for detail in details)]
    known = [code for code in [*codes, error.get("status")] if code in _CODES]
    asked = next((d["retryDelay"] for d in details if isinstance(d.get("retryDelay"), str)), None)
    wait_s = _header_wait_s(headers)
    return Refusal(
        code=next(iter(known), None),
        wait_s=duration_s(asked) if wait_s is None and asked is not None else wait_s,
        final=status in _FINAL_STATUS or bool(_FINAL_CODES & set(known)) or _day_is_over(details),
    )


def _error(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if isinstance(answer, list) and answer:
        answer = answer[0]
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, dict) else {}


def _day_is_over(details: list[dict[str, Any]]) -> bool:
    """Whether Gemini says that a daily quota is used up."""
    return any("PerDay" in json.dumps(detail.get("violations", "")) for detail in details)


def _header_wait_s(headers: Any) -> float | None:
    milliseconds = headers.get("retry-after-ms", "")
    if milliseconds.strip().isdecimal():
        return float(milliseconds) / 1000
    asked = headers.get("retry-after", "")
    seconds = duration_s(asked)
    return retry_after_s(asked) if seconds is None else seconds


def duration_s(text: str) -> float | None:
    """Seconds in "3", "1.5s", "6m0s" or "12ms"; None for anything else, such as a date."""
    if re.fullmatch(r"\d+(\.\d+)?", text.strip()):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    if not parts or "".join(map("".join, parts)) != text.strip():
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)
