"""One call's processors, wired together."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipecat.processors.frame_processor import FrameProcessor

from ..models.reader import CallReader
from ..models.text.cues import AUTO
from ..models.text.sentiment import TextClassifier
from ..models.voice import EmotionClassifier, load_classifier
from ..policies.config import MitigationPolicy, load_policy
from ..policies.empathy import PhraseBook
from ..policies.record import CallRecord
from ..policies.transfer.request import TransferTarget
from ..processors.emotion import EmotionProcessor
from ..processors.mitigation import MitigationProcessor
from ..processors.pass_through import PassThroughChain
from ..processors.prompts import PromptProcessor, Rewriter
from ..processors.session.inference import InferencePool
from ..processors.session.keypad import HUMAN_KEYS
from ..processors.session.live_call import LiveCall, phrase_book
from ..processors.transfer import TransferProcessor
from ..processors.wiring import GuardParts, Wiring, wiring_complaints


class Deescalator:
    """Detects one caller's frustration and makes the bot act on it.

    Create one for each call and put its parts into the pipeline::

        guard = Deescalator(policy="balanced", transfer=TwilioTransfer(to="+15550100"))
        Pipeline([transport.input(), stt, user_aggregator,
                  guard.listen(), llm, guard.speak(), tts, transport.output(),
                  guard.hand_over(), assistant_aggregator])

    A bot without STT and LLM has VADProcessor and UserTurnProcessor in place of `stt` and
    `user_aggregator`, and its dialogue in place of `llm`. With a speech-to-speech service,
    `listen()` gives readings and events, but no decisions. Without `hand_over()` or `transfer` no
    human counts as available: the bot offers a call back.

    Args:
        policy: a preset, a YAML file, or a policy.
        classifier: the voice classifier; by default the bundled model, shared by all calls.
        transfer: who takes the call.
        call_id: the vendor's name for the call (Twilio's CallSid), which `transfer` needs; random
            by default.
        language: of the caller's words and of the sentences that the bot says; or a phrase file.
            Of several, or "auto", the bot speaks the first, or English; each of the caller's turns
            is read in the language of its words.
        words: the text classifier; it runs on the event loop, so it must return within a few
            milliseconds. By default the bundled model, shared by all calls.
        rewriter: rephrases scripted prompts in place of the phrase bank.
        agents_available: whether a human could take the call now; called once per turn, must
            return at once. The policy's opening hours apply as well.
        keep_text: whether the record and the human who takes the call get the caller's words.
        max_wait: how long a reply waits for its reading, in seconds.
        scripted: whether the bot has no LLM; by default seen from the pipeline.
        participant: the caller's id in a room with others; by default whoever is heard first.
        human_keys: keypad entries that ask for a human where the bot asked for no number.
        pool: threads for the model; by default those of the process.

    Raises:
        PolicyError, ModelFileError, PhraseError: one of the files is not valid.
    """

    def __init__(
        self,
        policy: MitigationPolicy | str | Path = "balanced",
        classifier: EmotionClassifier | None = None,
        transfer: TransferTarget | None = None,
        *,
        call_id: str | None = None,
        language: str | Sequence[str] | Path = "en",
        words: TextClassifier | None = None,
        rewriter: Rewriter | None = None,
        agents_available: Callable[[], bool] | None = None,
        keep_text: bool = False,
        max_wait: float = 0.15,
        scripted: bool | None = None,
        participant: str | None = None,
        human_keys: Sequence[str] = HUMAN_KEYS,
        pool: InferencePool | None = None,
    ) -> None:
        if not isinstance(policy, MitigationPolicy):
            policy = load_policy(policy)
        self._classifier = classifier or load_classifier()
        book, heard = _languages(language)
        self._call = LiveCall(
            policy,
            call_id=call_id or uuid.uuid4().hex,
            book=book,
            reader=CallReader(language=heard, words=words),
            agents_available=agents_available,
            keep_text=keep_text,
            human_keys=tuple(human_keys),
        )
        self._emotion = EmotionProcessor(
            self._classifier, call=self._call, pool=pool, participant=participant
        )
        self._mitigation = MitigationProcessor(self._call, max_wait=max_wait, scripted=scripted)
        self._prompts = PromptProcessor(self._call, rewriter=rewriter)
        self._transfer = TransferProcessor(transfer, call=self._call)
        self._listen = PassThroughChain(self._emotion, self._mitigation)
        self._parts = GuardParts(
            self._listen, self._prompts, self._transfer, transfers=transfer is not None
        )
        wiring = Wiring(self._parts, self._call)
        for part in (self._emotion, self._mitigation, self._prompts, self._transfer):
            part.wiring = wiring

    def listen(self) -> FrameProcessor:
        """Reads the turn, decides, and edits the LLM's next context; goes before the LLM."""
        return self._listen

    def speak(self) -> FrameProcessor:
        """Rewrites scripted prompts; goes before the TTS."""
        return self._prompts

    def hand_over(self) -> FrameProcessor:
        """Runs the transfer after its announcement; goes after `transport.output()`."""
        return self._transfer

    def check(self, pipeline: FrameProcessor) -> list[str]:
        """What keeps the guard from its work in this pipeline, each with the line to write.

        The same is checked when the pipeline starts, and goes to the log and to the record's
        warnings. Empty if all is well, as far as the processors show it.
        """
        return wiring_complaints(pipeline, self._parts)

    def caller_typed(self, text: str) -> None:
        """Take text from the caller that no speech recognition heard, before the LLM runs on it.

        For a text channel of the bot's own. RTVI's `send-text` is seen without it.
        """
        self._mitigation.typed(text)

    def resume(self) -> None:
        """Let the bot speak and the guard listen again after a hand-over.

        Call it when the human is gone and the caller is back, or when an outcome was `unknown` and
        you know that nobody took the call. No second hand-over follows: callers are offered a call
        back.
        """
        self._transfer.resume()

    def event_handler(self, event: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorator that registers a handler for an event of one of the parts.

        `on_emotion(processor, reading)`, `on_decision(processor, decision)`,
        `on_transfer(processor, request)`, `on_rewritten(processor, prompt, said)`,
        `on_outcome(processor, outcome)`.

        Raises:
            ValueError: there is no such event.
        """
        parts: dict[str, FrameProcessor] = {
            "on_emotion": self._emotion,
            "on_decision": self._mitigation,
            "on_transfer": self._mitigation,
            "on_rewritten": self._prompts,
            "on_outcome": self._transfer,
        }
        if event not in parts:
            raise ValueError(f"no event {event!r}; use one of {', '.join(parts)}")

        def register(handler: Callable[..., Any]) -> Callable[..., Any]:
            parts[event].add_event_handler(event, handler)
            return handler

        return register

    @property
    def active(self) -> bool:
        """Whether the guard is at work; set it to False and the bot behaves as without a guard.

        A transfer that was already announced goes on. False once a human has the call, or may have
        it: `resume` ends that.
        """
        return self._call.active

    @active.setter
    def active(self, on: bool) -> None:
        self._call.active = on

    @property
    def dialog_state(self) -> str | None:
        """The bot's own name for the state of the dialogue; set it whenever that changes."""
        return self._call.dialog_state

    @dialog_state.setter
    def dialog_state(self, state: str | None) -> None:
        self._call.dialog_state = state

    @property
    def faults(self) -> Counter[str]:
        """Failures on our side in this call, by kind."""
        return Counter(self._call.faults.counts)

    def record(self) -> CallRecord:
        """The call so far, turn by turn, as `analyze_call` returns it for a recorded one."""
        capture = self._emotion.capture
        return CallRecord(
            call_id=self._call.call_id,
            source="live",
            duration_s=capture.elapsed_s,
            sample_rate=capture.sample_rate,
            model=self._classifier.name,
            policy=self._call.policy,
            turns=tuple(self._call.turns),
            warnings=(
                *self._call.warnings,
                *(f"{kind}: {count} times" for kind, count in self._call.faults.counts.items()),
            ),
        )


def _languages(language: str | Sequence[str] | Path) -> tuple[PhraseBook, str]:
    """What the bot says, and the languages that the caller's words may be in."""
    if isinstance(language, Path):
        book = phrase_book(language)
        return book, book.language
    heard = language if isinstance(language, str) else ",".join(language)
    first = heard.split(",")[0].strip()
    return phrase_book("en" if first == AUTO else first), heard
