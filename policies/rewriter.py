"""Rewriting a scripted prompt with an LLM, within a time budget."""

from __future__ import annotations

from .empathy import PhraseBook, Rewritten
from .types import Decision


class LlmRewriter:
    """Rewrites prompts with any OpenAI-compatible endpoint; falls back to the phrase bank."""

    def __init__(
        self,
        book: PhraseBook,
        *,
        model: str,
        base_url: str = "https://api.openai.com/v1",
        api_key: str | None = None,
        budget_s: float = 0.3,
    ) -> None:
        raise NotImplementedError

    async def acknowledge(
        self,
        prompt: str,
        decision: Decision,
        *,
        call_id: str,
        used: frozenset[str] = frozenset(),
        text: str | None = None,
    ) -> Rewritten:
        """As `PhraseBook.acknowledge`, in the model's words if they come in time and are fit."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close the connection."""
        raise NotImplementedError
