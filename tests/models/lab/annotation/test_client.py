"""Requests as two kinds of endpoint want them, against a real server that fails as they do."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from pipecat_deescalate.models.lab.annotation.client import (
    AnnotationResult,
    AnnotatorClient,
    Endpoint,
    EndpointError,
    NoAnswerError,
    RetryPolicy,
)
from pipecat_deescalate.models.lab.annotation.labels import Emotion
from pipecat_deescalate.models.lab.annotation.providers import (
    WIRES,
    Api,
    Question,
    duration_s,
    read_refusal,
)

from .llm_server import KEY, LlmServer

QUESTION = Question("system words", "user words", b"RIFF and so on", reasoning=True)
TLS = ssl.create_default_context()
RETRY = RetryPolicy(timeout_s=1.0, attempts=3, first_delay_s=0.001, rate_limit_s=5.0)


async def ask(
    server: LlmServer, api: Api = Api.OPENAI, key: str = KEY, **retry: Any
) -> AnnotationResult:
    endpoint = Endpoint(WIRES[api], server.url, "model/1", SecretStr(key))
    limits = RetryPolicy(
        **{**{name: getattr(RETRY, name) for name in RetryPolicy.__slots__}, **retry}
    )
    async with AnnotatorClient(endpoint, concurrency=2, tls=TLS, retry=limits) as client:
        return await client.ask(QUESTION)


def acts(*said: str) -> Callable[[int, str], str]:
    """Do these in turn, then answer."""
    return lambda times, _: said[times] if times < len(said) else "answer"


@pytest.mark.parametrize("api", Api)
async def test_both_kinds_are_asked_and_understood(api: Api) -> None:
    """Each wants audio, words and the form of the answer in places of its own."""
    with LlmServer() as server:
        asked = await ask(server, api)
    assert asked.answer is not None
    assert asked.answer.label in Emotion
    assert asked.answer.reasoning == "the voice rises"
    assert (asked.times, asked.input_tokens, asked.output_tokens) == (1, 100, 10)
    body = server.bodies[0]
    sent = base64.b64encode(QUESTION.wav).decode()
    if api is Api.GEMINI:
        assert server.paths == ["/v1beta/models/model%2F1:generateContent"]
        audio, words = body["contents"][0]["parts"]
        assert audio["inlineData"] == {"mimeType": "audio/wav", "data": sent}
        assert body["systemInstruction"]["parts"][0]["text"] == "system words"
        assert "reasoning" in body["generationConfig"]["responseJsonSchema"]["required"]
    else:
        assert server.paths == ["/chat/completions"]
        audio, words = body["messages"][1]["content"]
        assert audio["input_audio"] == {"data": sent, "format": "wav"}
        assert body["tool_choice"]["function"]["name"] == "annotate"
    assert words["text"] == "user words"


@pytest.mark.parametrize("api", Api)
@pytest.mark.parametrize(
    "said",
    ["429", "429 retry-after", "500", "503", "reset", "half", "garbage", "slow", "unparsable"],
)
async def test_one_fault_costs_no_answer(api: Api, said: str) -> None:
    """Busy, broken, slow and babbling endpoints answer a moment later."""
    with LlmServer(acts(said)) as server:
        asked = await ask(server, api, timeout_s=0.4 if said == "slow" else 5.0)
    assert asked.answer is not None
    assert server.asked.total() == 2
    assert asked.unparsable == ("I would say: negative!" if said == "unparsable" else None)


async def test_what_cannot_be_read_is_asked_again_once_and_kept() -> None:
    """An endpoint that never answers as asked must not be paid for over and over."""
    with LlmServer(lambda *_: "unparsable") as server:
        asked = await ask(server)
    assert asked == AnnotationResult(None, "I would say: negative!", 2, 200, 20)
    assert server.asked.total() == 2


@pytest.mark.parametrize(("said", "reason"), [("500", "HTTP 500"), ("reset", "connection lost")])
async def test_attempts_end(said: str, reason: str) -> None:
    """A turn that cannot be answered is left to another run, by name."""
    with LlmServer(lambda *_: said) as server:
        with pytest.raises(NoAnswerError, match=reason):
            await ask(server)
        assert server.asked.total() == RETRY.attempts


async def test_a_turn_that_is_refused_is_not_sent_again() -> None:
    """A clip that the endpoint cannot use will not become usable."""
    with LlmServer(lambda *_: "400") as server:
        with pytest.raises(NoAnswerError, match="HTTP 400"):
            await ask(server)
        assert server.asked.total() == 1


@pytest.mark.parametrize("said", ["302", "402", "403", "404"])
async def test_a_refusal_of_everything_stops_at_once(said: str) -> None:
    """No turn would be answered: the operator has to do something."""
    with LlmServer(lambda *_: said) as server, pytest.raises(EndpointError, match=f"HTTP {said}"):
        await ask(server)
    assert server.asked.total() == 1


async def test_a_wrong_key_is_told_without_showing_any() -> None:
    """The server's own words hold the key that was sent."""
    with LlmServer() as server, pytest.raises(EndpointError) as caught:
        await ask(server, key="sk-wrong-key-8")
    assert "is the key right?" in str(caught.value)
    assert "sk-wrong" not in str(caught.value)


async def test_endless_rate_limits_end() -> None:
    """An endpoint that never has room again must not hold a run for ever."""
    with (
        LlmServer(lambda *_: "429") as server,
        pytest.raises(EndpointError, match="no more requests"),
    ):
        await ask(server, rate_limit_s=0.1)


async def test_one_rate_limit_holds_all_requests_back() -> None:
    """What is sent while the endpoint wants peace only makes it longer."""
    pauses: list[float] = []
    released = asyncio.Event()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await released.wait()
        await asyncio.sleep(seconds)

    with LlmServer(acts("429 retry-after")) as server:
        endpoint = Endpoint(WIRES[Api.OPENAI], server.url, "m", SecretStr(KEY))
        async with AnnotatorClient(endpoint, concurrency=2, tls=TLS, sleep=pause) as client:
            first = asyncio.create_task(client.ask(QUESTION))
            while not pauses:
                await asyncio.sleep(0.01)
            other = asyncio.create_task(client.ask(replace(QUESTION, user="other words")))
            while len(pauses) < 2:
                await asyncio.sleep(0.01)
            assert server.asked.total() == 1
            released.set()
            assert (await first).answer is not None
            assert (await other).answer is not None


def gemini_error(status: str, *details: dict[str, Any]) -> bytes:
    return json.dumps({"error": {"code": 429, "status": status, "details": details}}).encode()


def test_refusals_are_read_as_the_vendors_write_them() -> None:
    """Both say in their own way how long to wait, and what no waiting helps against."""
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "45.837s"}
    waits = read_refusal(429, {}, gemini_error("RESOURCE_EXHAUSTED", retry))
    assert (waits.code, waits.wait_s, waits.final) == ("RESOURCE_EXHAUSTED", 45.837, False)
    quota = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]}
    assert read_refusal(429, {}, gemini_error("RESOURCE_EXHAUSTED", quota, retry)).final
    key = {"reason": "API_KEY_INVALID"}
    assert read_refusal(400, {}, gemini_error("INVALID_ARGUMENT", key)).final
    broke = b'{"error": {"code": "insufficient_quota", "type": "insufficient_quota"}}'
    assert read_refusal(429, {"retry-after": "20"}, broke).final
    assert read_refusal(429, {"retry-after-ms": "250"}, b"<html>").wait_s == 0.25
    date = {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert read_refusal(503, date, b"").wait_s == 0
    assert read_refusal(503, {"retry-after": "soon"}, b"").wait_s is None
    assert read_refusal(500, {}, b'{"error": {"code": "sk-secret"}}').code is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3), ("1.5s", 1.5), ("6m0s", 360), ("12ms", 0.012), ("10h17m5.7s", 37025.7)],
)
def test_durations(text: str, seconds: float) -> None:
    """Minutes taken for milliseconds would be a storm of requests."""
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-3", "3 s", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_other_texts_are_no_durations(text: str) -> None:
    """What is not understood is None, so that the usual pause is made."""
    assert duration_s(text) is None
