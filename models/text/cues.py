"""What a caller's words ask for or complain of: cues, as defined by a language file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from pydantic import ValidationError

from ..errors import ModelFileError, first_complaint
from ..logs import get_logger
from ..readings import Cue
from ..registry import WEIGHTS
from .bot_prompts import NOTHING_ASKED, Asked, Prompts, state_as_words
from .language_file import LanguageFile
from .masked import find_masked
from .patterns import SENTENCE_END, Node, PatternError, Patterns, TurnTokens, one_of, parse
from .request_classifier import Lexicon, RequestClassifier

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # twenty times faster where libyaml is

LANGUAGES = Path(__file__).parent / "languages"
AUTO = "auto"
"""In place of a language: each turn is in the language of its words."""
MAX_CHARS = 2_000
"""Longer turns are read at both ends: half of this from the start, half from the end."""
_MAX_WORDS_SHOWN = 120
_TOKEN = re.compile(r"[^\W_][\w\u0300-\u036f\u0900-\u097f'*@#$]*|[.?!;:,\u0964\u2026]+")
_STARRED = re.compile(r"(?<=\w)[*@#$_]+")
_MARKS = re.compile("[\u0300-\u036f]")
_UNSAFE = re.compile("[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\ud800-\udfff\ufeff]+")


def readable(text: object) -> str:
    """Any transcript as text of at most `MAX_CHARS`; "" for what is not text.

    Control characters and lone surrogates become spaces. A longer text keeps half the limit from
    its start and half from its end, with a sentence end between.
    """
    if not isinstance(text, str):
        return ""
    if len(text) > MAX_CHARS:
        half = MAX_CHARS // 2
        text = text[:half].rpartition(" ")[0] + " . " + text[-half:].partition(" ")[2]
    return _UNSAFE.sub(" ", text).replace("\u2019", "'")


@dataclass(frozen=True, slots=True)
class _Tokens:
    """A turn as normalised words and sentence ends, and where each stood in the text."""

    words: list[str]
    origins: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _CueRule:
    """How one cue is found: by patterns or by a trained classifier.

    Patterns are `say`, or `bare` where a noun alone is no answer; but not `unless`. A turn with
    one of `never` has no such cue.
    """

    cue: Cue
    say: Patterns
    bare: Patterns
    unless: Patterns
    never: Patterns
    classifier: RequestClassifier | None

    def spans(
        self, turn: TurnTokens, words: list[str], lexicon: Lexicon, asked: Asked
    ) -> list[tuple[int, int]]:
        """Where the cue is in a turn; as (first word, word after the last)."""
        spans = self.said(turn)
        if not asked.by_noun:
            spans += self._allowed(self.bare.spans(turn), turn)
        if self.classifier is not None:
            span = self.classifier.span(words, lexicon, asked)
            spans += [] if span is None else [span]
        return [] if spans and self.never.spans(turn) else spans

    def said(self, turn: TurnTokens) -> list[tuple[int, int]]:
        """Where the patterns alone find the cue said in full."""
        return self._allowed(self.say.spans(turn), turn)

    def _allowed(self, spans: list[tuple[int, int]], turn: TurnTokens) -> list[tuple[int, int]]:
        void = self.unless.spans(turn) if spans else []
        return [s for s in spans if not any(s[0] < v[1] and v[0] < s[1] for v in void)]


class Language:
    """One language file, compiled."""

    def __init__(self, path: Path, *, trained: bool = True) -> None:
        """Read and compile a file; without its classifiers (`trained`) for those who train them.

        Raises:
            ModelFileError: naming the file, the key and what is wrong with it.
        """
        try:
            # With this loader every scalar is a string: `no` and `on` are words, not booleans.
            raw = yaml.load(path.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 - builds no objects
            source = LanguageFile.model_validate(raw)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ModelFileError(path, " ".join(str(error).split())) from error
        except ValidationError as error:
            raise ModelFileError(path, first_complaint(error, "the file")) from error
        self.name = source.name
        self.also = tuple(source.also)
        self._split = source.apostrophe == "split"
        self._fillers = frozenset(map(self._plain, source.fillers))
        self._stutters = frozenset(map(self._plain, source.stutters))
        self.answers = frozenset(map(self._plain, source.answers))
        self._small = frozenset(
            map(self._plain, (*source.fillers, *source.answers, *source.small_words))
        )
        self.lexicon = Lexicon(
            self._fillers.difference(map(self._plain, source.counts)),
            frozenset(map(self._plain, source.negations)),
            frozenset(map(self._plain, source.resumes)),
            {self._plain(word): name for name, words in source.classes.items() for word in words},
        )
        self._prompts, self._cues = self._compile(path, source, trained=trained)

    def _plain(self, text: str) -> str:
        return _plain(text, self._split)

    def _compile(
        self, path: Path, source: LanguageFile, *, trained: bool
    ) -> tuple[Prompts, list[_CueRule]]:
        lists: dict[str, Node] = {}

        def node(key: str, pattern: str) -> Node:
            try:
                return parse(self._plain(pattern), lists)
            except PatternError as error:
                raise ModelFileError(path, f"{key}: {error}") from error

        def patterns(key: str, given: list[str]) -> Patterns:
            nodes = [node(f"{key}.{i}", pattern) for i, pattern in enumerate(given)]
            return Patterns(nodes, self._stutters)

        for name, entries in {**source.classes, **source.words}.items():
            lists[name] = one_of([node(f"words.{name}.{i}", e) for i, e in enumerate(entries)])
        prompts = Prompts(
            {kind: patterns(f"prompts.{kind}", say) for kind, say in source.prompts.items()},
            patterns("agrees", source.agrees),
            patterns("declines", source.declines),
            self._fillers,
        )
        rules = [
            _CueRule(
                Cue[name.upper()],
                patterns(f"cues.{name}.say", cue.say),
                patterns(f"cues.{name}.bare", cue.bare),
                patterns(f"cues.{name}.unless", cue.unless),
                patterns(f"cues.{name}.never", cue.never),
                RequestClassifier.load(WEIGHTS / cue.trained) if trained and cue.trained else None,
            )
            for name, cue in source.cues.items()
        ]
        return prompts, rules

    def find(self, text: str, asked: Asked = NOTHING_ASKED) -> list[tuple[Cue, str]]:
        """The cues of one `readable` turn, each once, with the words that matched longest."""
        tokens = self._tokens(text)
        turn = TurnTokens(tokens.words, self._fillers)
        found = []
        for rule in self._cues:
            spans = rule.spans(turn, tokens.words, self.lexicon, asked)
            if rule.cue is Cue.ASKS_FOR_HUMAN:
                spans += self._prompts.accepted(asked, turn)
            if spans:
                found.append((rule.cue, _longest(text, tokens, spans)))
        return found

    def request(self, text: str, words: frozenset[str]) -> str | None:
        """The words of a full request for a human in a turn that may be in another language.

        `words` are those of `plain_words`; a bare noun is none, for it may mean something else.
        """
        rule = next((rule for rule in self._cues if rule.cue is Cue.ASKS_FOR_HUMAN), None)
        if rule is None or not rule.say.may_match(words):
            return None
        tokens = self._tokens(text)
        turn = TurnTokens(tokens.words, self._fillers)
        spans = rule.said(turn)
        return _longest(text, tokens, spans) if spans and not rule.never.spans(turn) else None

    def small_words(self, words: Iterable[str]) -> int:
        """How many of some normalised words are function words of this language."""
        return sum(word in self._small for word in words)

    def asked(self, prompt: str | None) -> Asked:
        """What a bot's last sentences, or the name of its dialog state, ask for."""
        if not prompt:
            return NOTHING_ASKED
        return self._prompts.asked(self.words(readable(state_as_words(prompt))))

    def words(self, text: str) -> list[str]:
        """The normalised words of a `readable` turn, with `SENTENCE_END` around each sentence."""
        return self._tokens(text).words

    def content(self, text: str) -> list[str]:
        """The words of a turn that carry a request: no fillers, answers, small words, digits."""
        return [
            word
            for word in self._tokens(text).words
            if len(word) > 1 and word not in self._small and not word[0].isdigit()
        ]

    def _tokens(self, text: str) -> _Tokens:
        words = [SENTENCE_END]
        origins = [(0, 0)]
        for match in _TOKEN.finditer(text):
            raw: str = match[0]
            if raw[0] in ".?!;:,\u0964\u2026":
                after_answer = (
                    len(words) > 1 and words[-2] == SENTENCE_END and words[-1] in self.answers
                )
                if raw not in {",", ":"} or after_answer:
                    self._end_sentence(words, origins, match.end())
                continue
            if not raw.isalnum():
                raw = _STARRED.sub("_", raw)
            for word in self._plain(raw).split():
                repeated = word == words[-1] and word in self._stutters
                if not repeated:
                    words.append(word)
                    origins.append(match.span())
        self._end_sentence(words, origins, len(text))
        return _Tokens(words, origins)

    @staticmethod
    def _end_sentence(words: list[str], origins: list[tuple[int, int]], position: int) -> None:
        if words[-1] != SENTENCE_END:
            words.append(SENTENCE_END)
            origins.append((position, position))


def _plain(text: str, split: bool) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", text)))
    text = text.casefold()
    if "'" in text:
        text = text.replace("'", " " if split else "")
    return text


def plain_words(text: str) -> frozenset[str]:
    """The words of a `readable` turn without accents and case, whatever its language."""
    return frozenset(_TOKEN.findall(_plain(text, split=True)))


def _longest(text: str, tokens: _Tokens, spans: Iterable[tuple[int, int]]) -> str:
    return _words_of(text, tokens, max(spans, key=lambda span: (span[1] - span[0], -span[0])))


def _words_of(text: str, tokens: _Tokens, span: tuple[int, int]) -> str:
    inside = [
        origin
        for word, origin in zip(
            tokens.words[slice(*span)], tokens.origins[slice(*span)], strict=True
        )
        if word != SENTENCE_END
    ]
    shown = " ".join(text[inside[0][0] : inside[-1][1]].split())
    return shown if len(shown) <= _MAX_WORDS_SHOWN else shown[:_MAX_WORDS_SHOWN].rstrip() + "…"


@cache
def load_language(code: str) -> Language | None:
    """The compiled language of a code such as "en", "en-US" or "hi_Latn"; None without a file.

    Logs once that a language has no file.

    Raises:
        ModelFileError: if the file is there and not valid.
    """
    primary = re.split(r"[-_]", code.strip().casefold(), maxsplit=1)[0]
    path = LANGUAGES / f"{primary}.yaml"
    if not re.fullmatch("[a-z]{2,3}", primary) or not path.is_file():
        get_logger("words").warning(
            "no language file; words in this language give no cues", language=primary[:8]
        )
        return None
    return Language(path)


def languages() -> tuple[str, ...]:
    """The codes that have a language file."""
    return tuple(sorted(path.stem for path in LANGUAGES.glob("*.yaml")))


@cache
def call_languages(language: str) -> dict[str, Language]:
    """The languages of a call by code: of "en", of several ("en,es"), or of `AUTO` all.

    Those without a file are left out.
    """
    found = languages() if language.strip().casefold() == AUTO else language.split(",")
    loaded = {code.strip(): load_language(code) for code in found}
    return {code: each for code, each in loaded.items() if each is not None}


def languages_spoken(text: str, language: str) -> tuple[str, ...]:
    """Which of a call's languages a `readable` turn is in: those with most function words in it.

    Several only if they tie; the code as it is if the call has but one.
    """
    if language.strip().casefold() != AUTO and "," not in language:
        return (language,)
    words = plain_words(text)
    known = {code: each.small_words(words) for code, each in call_languages(language).items()}
    return tuple(code for code, count in known.items() if count == max(known.values()))


def find_cues(
    text: object, language: str = "en", *, prompt: str | None = None
) -> tuple[tuple[Cue, str], ...]:
    """The cues of one turn, each with the words that triggered it.

    They are in the language, or in that of several (`languages_spoken`) which the turn is in; a
    full request for a human counts in any bundled language. `prompt` is what the bot said last.
    """
    turn = readable(text)
    if not turn:
        return ()
    asked = [each.asked(prompt) for each in call_languages(language).values()] if prompt else []
    question = next((each for each in asked if each.kind), NOTHING_ASKED)
    found: dict[Cue, str] = {}
    heard: list[Language] = []
    for code in languages_spoken(turn, language):
        heard += call_languages(code).values()
    for also in [code for each in heard for code in each.also]:
        heard += call_languages(also).values()
    for each in heard:
        for cue, words in each.find(turn, question):
            found.setdefault(cue, words)
    masked = find_masked(turn)
    if masked is not None:
        found.setdefault(Cue.PROFANITY, masked)
    if Cue.ASKS_FOR_HUMAN not in found:
        plain = plain_words(turn)
        others = (each for each in call_languages(AUTO).values() if each not in heard)
        request = next(filter(None, (each.request(turn, plain) for each in others)), None)
        if request is not None:
            found[Cue.ASKS_FOR_HUMAN] = request
    return tuple(found.items())
