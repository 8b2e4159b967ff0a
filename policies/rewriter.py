"""Rewrites a scripted prompt with an LLM within a time budget, or else by the phrase bank."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx
from pydantic import SecretStr

from ..models.http import address, secret, tls_context
from ..models.logs import get_logger
from .empathy import PhraseBook, Rewritten, guidance
from .types import Action, Decision

_INSTRUCTIONS = (
    "You write what a telephone bot says next. You are given the bot's scripted prompt. Write it "
    "again, as plain speech in the language of the prompt. Keep its meaning, every name and "
    "number and any question in it; add and promise nothing. Use at most {words} words. Answer "
    "with the words to be spoken and nothing else."
)
_MORE_WORDS = 20
_NUMBER = re.compile(r"\d+")
_MARKUP = re.compile(r"[\n*#`<>{}\[\]_|]")

log = get_logger("rewriter")


class LlmRewriter:
    """Rewrites prompts with any OpenAI-compatible endpoint (/chat/completions).

    Only empathy is left to the model; offers and hand-overs are promises and come from the phrase
    bank. The phrase bank also answers when the model is late, fails, or says something unfit: too
    long, with markup, naming an emotion, without the prompt's question, or with other numbers
    than the prompt's. `fallbacks` counts the reasons.

    Args:
        book: the phrases to fall back to.
        model: the model's name at the endpoint.
        base_url: including the version, as in OpenAI's clients.
        api_key: default OPENAI_API_KEY. Use "none" for an endpoint without keys.
        budget_s: for everything: connecting, sending and the whole answer.
        options: more fields for the request, such as `temperature`.
    """

    def __init__(
        self,
        book: PhraseBook,
        *,
        model: str,
        base_url: str = "https://api.openai.com/v1",
        api_key: str | SecretStr | None = None,
        budget_s: float = 0.3,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.fallbacks = Counter[str]()
        self._book = book
        self._model = model
        self._url = f"{address(base_url, name='base_url').rstrip('/')}/chat/completions"
        self._key = secret(api_key, name="api_key", env="OPENAI_API_KEY")
        self._budget_s = budget_s
        self._options = dict(options or {})
        self._client = httpx.AsyncClient(timeout=budget_s, verify=tls_context())

    async def acknowledge(
        self,
        prompt: str,
        decision: Decision,
        *,
        call_id: str,
        used: frozenset[str] = frozenset(),
        text: str | None = None,
    ) -> Rewritten:
        """As `PhraseBook.acknowledge`, in the model's words if they arrive in time and are fit."""
        fallback = self._book.acknowledge(prompt, decision, call_id=call_id, used=used, text=text)
        if decision.action is not Action.EMPATHIZE:
            return fallback
        try:
            async with asyncio.timeout(self._budget_s):
                answer = await self._ask(prompt, decision, text)
        except (TimeoutError, httpx.TimeoutException):
            return self._fall_back("late", fallback)
        except Exception as error:  # noqa: BLE001 - the bot must speak, whatever a model answers
            return self._fall_back(type(error).__name__, fallback)
        unfit = self._unfit(answer, prompt, used)
        if unfit is not None:
            return self._fall_back(unfit, fallback)
        return Rewritten(answer, None, used | {answer})

    async def aclose(self) -> None:
        """Close the connection, which stays open between calls."""
        await self._client.aclose()

    async def _ask(self, prompt: str, decision: Decision, text: str | None) -> str:
        limit = len(prompt.split()) + _MORE_WORDS
        system = f"{_INSTRUCTIONS.format(words=limit)} {guidance(decision, text)}"
        messages = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
        response = await self._client.post(
            self._url,
            json={"model": self._model, "messages": messages, **self._options},
            headers={"Authorization": f"Bearer {self._key.get_secret_value()}"},
        )
        if response.status_code != 200:
            raise _NoAnswerError
        content = response.json()["choices"][0]["message"]["content"]
        return str(content or "").strip().strip('"').strip()

    def _unfit(self, answer: str, prompt: str, used: frozenset[str]) -> str | None:
        """Why an answer must not be spoken; None if it may."""
        checks = {
            "empty": not answer,
            "too long": len(answer.split()) > len(prompt.split()) + _MORE_WORDS,
            "markup": _MARKUP.search(answer) is not None,
            "names an emotion": self._book.names_emotion(answer),
            "other numbers": set(_NUMBER.findall(answer)) != set(_NUMBER.findall(prompt)),
            "lost the question": "?" in prompt and "?" not in answer,
            "repeated": answer in used,
        }
        return next((name for name, failed in checks.items() if failed), None)

    def _fall_back(self, reason: str, rewritten: Rewritten) -> Rewritten:
        self.fallbacks[reason] += 1
        if self.fallbacks[reason] == 1:
            log.warning("prompt not rewritten by the model", reason=reason)
        return rewritten


class _NoAnswerError(Exception):
    """The endpoint answered with an error or a redirect."""
