"""What a model is asked, and what of its answer is spoken."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator

import pytest

from pipecat_deescalate.models.errors import SettingError
from pipecat_deescalate.models.readings import Cue
from pipecat_deescalate.policies import Action, Level
from pipecat_deescalate.policies.empathy import Cause, PhraseBook
from pipecat_deescalate.policies.rewriter import LlmRewriter

from ..fakes import HANG, FakeServer, Reply
from .readings import decision

ENGLISH = PhraseBook.load("en")

KEY = "sk-nobody-4711"
ASK = "Your 2 invoices are open. Shall I send them?"
GOOD = "You have asked before, so let me do it now: your 2 invoices are open. Shall I send them?"


def completion(content: object) -> Reply:
    return Reply(200, json.dumps({"choices": [{"message": {"content": content}}]}))


@pytest.fixture
async def rewriter(server: FakeServer) -> AsyncIterator[LlmRewriter]:
    """One with time enough, on whatever machine the tests run."""
    built = LlmRewriter(
        ENGLISH,
        model="small",
        base_url=f"{server.url}/v1",
        api_key=KEY,
        options={"temperature": 0},
        budget_s=10.0,
    )
    yield built
    await built.aclose()


async def test_the_model_is_asked_as_openai_is(server: FakeServer, rewriter: LlmRewriter) -> None:
    """Any compatible endpoint must understand the request; the answer is what is spoken."""
    server.replies = [completion(f'"{GOOD}"\n')]
    got = await rewriter.acknowledge(ASK, decision(cues=(Cue.REPEATS_REQUEST,)), call_id="a")
    assert (got.text, got.phrase, got.used) == (GOOD, None, {GOOD})
    (seen,) = server.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.headers["Authorization"] == f"Bearer {KEY}"
    body = json.loads(seen.body)
    assert (body["model"], body["temperature"]) == ("small", 0)
    assert [one["role"] for one in body["messages"]] == ["system", "user"]
    assert "say the same thing again" in body["messages"][0]["content"]
    assert body["messages"][1]["content"] == ASK
    await rewriter.acknowledge(ASK, decision(), call_id="a")
    assert len(server.seen) == 2


UNFIT = {
    "empty": "",
    "too long": f"{'Well, ' * 40}{ASK}",
    "markup": f"**Sure!** {ASK}",
    "names an emotion": f"I see you are upset. {ASK}",
    "other numbers": "Your 3 invoices are open. Shall I send them?",
    "lost the question": "Your 2 invoices are open. I will send them.",
}


@pytest.mark.parametrize("reason", UNFIT)
async def test_unfit_words_are_not_spoken(
    reason: str, server: FakeServer, rewriter: LlmRewriter
) -> None:
    """What a model makes up must not reach the caller; the phrase bank speaks instead."""
    server.replies = [completion(UNFIT[reason])]
    got = await rewriter.acknowledge(ASK, decision(), call_id="a")
    assert got == ENGLISH.acknowledge(ASK, decision(), call_id="a")
    assert rewriter.fallbacks == {reason: 1}


FAULTS = [
    Reply(401, KEY),
    Reply(500),
    Reply(302, headers={"Location": "/elsewhere"}),
    Reply(200, "garbage"),
    Reply(200, "{}"),
    Reply(200, '{"choices": []}'),
    Reply(200, "[" * 60_000),
    Reply(200, '{"choices', cut=True),
    Reply(drop=True),
    completion(None),
    completion({"a": 1}),
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_failing_model_costs_nothing(
    fault: Reply, server: FakeServer, rewriter: LlmRewriter, caplog: pytest.LogCaptureFixture
) -> None:
    """The phrase bank must answer, and neither the key nor the prompt be logged."""
    caplog.set_level(logging.INFO)
    server.replies = [fault]
    for _ in range(2):
        got = await rewriter.acknowledge(ASK, decision(), call_id="a")
        assert got == ENGLISH.acknowledge(ASK, decision(), call_id="a")
    assert sum(rewriter.fallbacks.values()) == 2
    ours = [one for one in caplog.records if one.name == "pipecat_deescalate.rewriter"]
    assert len(ours) == 1
    for text in (caplog.text, repr(rewriter), repr(vars(rewriter)), str(vars(ours[0]))):
        assert KEY not in text
        assert "invoices" not in text


async def test_a_slow_model_is_not_waited_for(server: FakeServer) -> None:
    """The caller must not hear silence: 300 ms is all there is, also if bytes trickle in."""
    server.replies = [HANG]
    rewriter = LlmRewriter(ENGLISH, model="small", base_url=f"{server.url}/v1", api_key=KEY)
    started = time.monotonic()
    got = await rewriter.acknowledge(ASK, decision(), call_id="a")
    assert 0.28 < time.monotonic() - started < 1.0
    assert got.phrase
    assert rewriter.fallbacks == {"late": 1}
    assert await server.all_closed()
    await rewriter.aclose()


async def test_what_was_said_is_not_said_again(server: FakeServer, rewriter: LlmRewriter) -> None:
    """A model asked twice answers twice the same; the caller must not hear it twice."""
    server.replies = [completion(GOOD)]
    first = await rewriter.acknowledge(ASK, decision(), call_id="a")
    second = await rewriter.acknowledge(ASK, decision(), call_id="a", used=first.used)
    assert second.phrase in ENGLISH.acknowledgements[Cause.GENERAL][Level.STRAINED]


async def test_promises_are_not_left_to_the_model(
    server: FakeServer, rewriter: LlmRewriter
) -> None:
    """Offers and hand-overs must be worded as they were checked, and calm calls left alone."""
    for action in (Action.PROCEED, Action.OFFER_HUMAN, Action.TRANSFER):
        got = await rewriter.acknowledge(ASK, decision(action), call_id="a")
        assert got == ENGLISH.acknowledge(ASK, decision(action), call_id="a")
    assert server.seen == []


async def test_cancelling_leaves_no_connection(server: FakeServer, rewriter: LlmRewriter) -> None:
    """A barge-in while the model is thinking must leave nothing behind."""
    server.replies = [HANG]
    asking = asyncio.create_task(rewriter.acknowledge(ASK, decision(), call_id="a"))
    await server.arrived.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await server.all_closed()


def test_a_rewriter_without_a_key_says_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is read when it is built, and the error names the variable."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(SettingError, match=r"^api_key: give it, or set OPENAI_API_KEY$"):
        LlmRewriter(ENGLISH, model="small")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert KEY not in repr(vars(LlmRewriter(ENGLISH, model="small")))
