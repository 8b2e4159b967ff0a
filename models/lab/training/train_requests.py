"""Train the request classifier on sentences written for it, and write its card."""

from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ...errors import UnreadableInputError
from ...progress import Progress
from ...registry import write_model
from ...text.bot_prompts import NOTHING_ASKED, Asked
from ...text.cues import LANGUAGES, Language, readable
from ...text.patterns import SENTENCE_END
from ...text.request_classifier import BUCKETS, RequestClassifier, Said, unit_length
from ..text_corpora import Flags, read_goemotions

SENTENCES = Path(__file__).with_name("asks_for_human_en.tsv")
OUT_FILE = "asks_for_human_en.npz"
LANGUAGE = "en"
INVERSE_PENALTY = 100.0
COMMENTS = 4_000
"""The number of forum comments that count as not asking, each with `COMMENT_WEIGHT`."""
COMMENT_WEIGHT = 0.1
SNIPPET_WORDS = 4
PRECISION = 0.975
"""A transfer that nobody asked for costs more than a caller who has to ask again."""
SEED = 0

Floats = NDArray[np.float64]


JUDGED = ("q", "r")
"""The sets whose writers had the definition of a request; the threshold is set on them."""
_WITH_PROMPTS = 4.0
"""The weight of a sentence of a set that says what the bot asked before."""
_NOUNS = frozenset({"staff", "person", "office", "trade"})
_OF_NOUNS = frozenset(
    ["a", "an", "the", "real", "live", "actual", "human", "customer", "service", "care", "support"]
)
_FULL_REQUEST_WORDS = 4
_AFTER_WEIGHT = 0.5
"""The weight of a sentence that is learnt once more as the answer to some kind of question."""


@dataclass(frozen=True, slots=True)
class Sentences:
    """Sentences: whether each asks for a human, its set, and what the bot had said before ("")."""

    texts: list[str]
    asks: Flags
    sets: NDArray[np.str_]
    prompts: list[str]


@dataclass(frozen=True, slots=True)
class RequestClassifierReport:
    """Precision and recall over all sets and by set, each classified by a model of the others."""

    sentences: int
    precision: float
    recall: float
    by_set: dict[str, tuple[float, float]]


def train_request_classifier(
    data: Path,
    out: Path,
    sentences: Path = SENTENCES,
    progress: Progress = lambda _what, _done, _all: None,
) -> RequestClassifierReport:
    """Train on `sentences` and, as examples that do not ask, on GoEmotions under `data`.

    The threshold is set on the sets `JUDGED`, each left out. Writes the weights to `out` and
    the card beside them.

    Raises:
        UnreadableInputError: a file cannot be read, or has no such sentences.
    """
    known = read_sentences(sentences)
    comments = _with_snippets(read_goemotions(data, "train", ()).texts[:COMMENTS])
    progress("hashing the sentences", 0, 1)
    language = Language(LANGUAGES / f"{LANGUAGE}.yaml", trained=False)
    answers = _answers(known, language)
    rows, asks, weight, of = _examples(known, answers, comments, language)
    left_out = np.zeros(len(known.texts))
    for name in np.unique(known.sets):
        progress(f"fitting without set {name}", 0, 1)
        held_out = np.flatnonzero(known.sets == name)
        train = ~np.isin(of, held_out)
        model = _fit(rows[train], asks[train], weight[train])
        left_out[held_out] = model.decision_function(rows[held_out])
    judged = np.isin(known.sets, JUDGED)
    threshold = _threshold(left_out[judged], known.asks[judged])
    progress(f"fitting {len(asks)} texts", 0, 1)
    classifier = _quantised(_fit(rows, asks, weight), threshold)
    report = _report(left_out > threshold, known)
    _write(classifier, report, sentences, out)
    return report


def read_sentences(path: Path) -> Sentences:
    """Read a tab-separated file with the columns set, asks (1 or 0), sentence and maybe prompt.

    Raises:
        UnreadableInputError: it cannot be read, or a line is not of this form.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        flags = [{"0": False, "1": True}[row["asks"]] for row in rows]
        texts = [row["sentence"] for row in rows]
        if len(set(flags)) < 2:
            raise UnreadableInputError(path, "needs sentences that ask and sentences that do not")
        sets = np.array([row["set"] for row in rows])
        return Sentences(texts, np.array(flags), sets, [row.get("prompt") or "" for row in rows])
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableInputError(path, f"cannot be read ({error})") from error
    except KeyError as error:
        raise UnreadableInputError(path, f"a line has an invalid value: {error}") from error


def _with_snippets(comments: list[str]) -> list[str]:
    """The comments, and a few consecutive words of each: callers' turns are often that short."""
    rng = random.Random(SEED)  # noqa: S311 - a draw of words, not security
    snippets = []
    for comment in comments:
        words = comment.split()
        length = rng.randint(1, SNIPPET_WORDS)
        start = rng.randint(0, max(len(words) - length, 0))
        snippets.append(" ".join(words[start : start + length]))
    return [*comments, *snippets]


def _answers(known: Sentences, language: Language) -> list[tuple[int, Asked, bool]]:
    """Sentences without a prompt as answers to some kind of question: which, what kind, asks.

    A request stays one whatever was asked, but a bare noun may answer; what is no request asks
    for nothing unless a human was offered.
    """
    rng = random.Random(SEED)  # noqa: S311 - a draw of kinds, not security
    answers = []
    for i, text in enumerate(known.texts):
        words = [word for word in language.words(readable(text)) if word != SENTENCE_END]
        if known.prompts[i] or not words:
            continue
        bare = _is_bare(words, language)
        if known.asks[i] and bare:
            kinds = {"number": True, "offer": True}
            if "please" not in words:
                kinds["noun"] = False
        elif known.asks[i]:
            long = len(words) >= _FULL_REQUEST_WORDS
            kinds = dict.fromkeys(("noun", "number", "offer", "call_back") if long else (), True)
        else:
            kinds = dict.fromkeys(("noun", "number", "call_back"), False)
            if len(words) > _FULL_REQUEST_WORDS and words[0] not in language.answers:
                kinds["offer"] = False
        drawn = list(kinds) if bare else rng.sample(list(kinds), min(len(kinds), 1))
        answers += [(i, Asked(kind), kinds[kind]) for kind in drawn]
    return answers


def _is_bare(words: Sequence[str], language: Language) -> bool:
    classes = language.lexicon.classes
    nouns = [word for word in words if word not in _OF_NOUNS and word != "please"]
    return len(nouns) <= 2 and all(classes.get(word) in _NOUNS for word in nouns)


def _examples(
    known: Sentences,
    answers: Sequence[tuple[int, Asked, bool]],
    comments: Sequence[str],
    language: Language,
) -> tuple[sp.csr_matrix, Flags, Floats, NDArray[np.int64]]:
    """All that is learnt: features, whether it asks, weight, and the sentence that it is of."""
    texts = [*known.texts, *(known.texts[i] for i, *_ in answers), *comments]
    asked = [*map(language.asked, known.prompts), *(kind for _, kind, _ in answers)]
    asked += [NOTHING_ASKED] * len(comments)
    asks = [*known.asks, *(flag for *_, flag in answers), *[False] * len(comments)]
    counts = [len(known.texts), len(answers), len(comments)]
    of = [*range(len(known.texts)), *(i for i, *_ in answers), *[-1] * len(comments)]
    weight = np.repeat([1.0, _AFTER_WEIGHT, COMMENT_WEIGHT], counts)
    prompted = np.isin(known.sets, known.sets[np.array([bool(p) for p in known.prompts])])
    weight[: len(known.texts)][prompted] = _WITH_PROMPTS
    return _matrix(texts, asked, language), np.array(asks), weight, np.array(of)


def _matrix(texts: Sequence[str], asked: Sequence[Asked], language: Language) -> sp.csr_matrix:
    columns = [
        sorted(Said.of(language.words(readable(text)), language.lexicon).features(what))
        for text, what in zip(texts, asked, strict=True)
    ]
    counts = np.array([len(column) for column in columns])
    values = np.repeat([1.0 / unit_length(count) for count in counts], counts)
    return sp.csr_matrix(
        (values, np.concatenate(columns).astype(np.int64), np.cumsum([0, *counts])),
        shape=(len(texts), BUCKETS),
    )


def _fit(rows: sp.csr_matrix, asks: Flags, weight: Floats) -> LogisticRegression:
    model = LogisticRegression(
        C=INVERSE_PENALTY, solver="liblinear", intercept_scaling=10.0, random_state=0
    )
    return model.fit(rows, asks, sample_weight=weight)


def _threshold(scores: Floats, asks: Flags) -> float:
    """The lowest threshold with the precision `PRECISION`."""
    order = np.argsort(-scores)
    precision = np.cumsum(asks[order]) / np.arange(1, len(order) + 1)
    last = int(np.flatnonzero(precision >= PRECISION)[-1])
    return float(scores[order[last]] + scores[order[min(last + 1, len(order) - 1)]]) / 2


def _quantised(model: LogisticRegression, threshold: float) -> RequestClassifier:
    fitted = model.coef_[0]
    unit = float(np.abs(fitted).max()) / 127
    weight = np.round(fitted / unit).astype(np.int8)
    return RequestClassifier(weight, unit, float(model.intercept_[0]) - threshold)


def _report(found: Flags, known: Sentences) -> RequestClassifierReport:
    def figures(some: Flags) -> tuple[float, float]:
        hits = int((found & known.asks & some).sum())
        precision = hits / max(int((found & some).sum()), 1)
        return round(precision, 4), round(hits / max(int((known.asks & some).sum()), 1), 4)

    every = np.full(len(known.texts), True)
    by_set = {str(name): figures(known.sets == name) for name in np.unique(known.sets)}
    return RequestClassifierReport(len(known.texts), *figures(every), by_set)


def _write(
    classifier: RequestClassifier, report: RequestClassifierReport, sentences: Path, out: Path
) -> None:
    content = BytesIO()
    np.savez_compressed(content, **asdict(classifier))
    card = {
        "name": out.stem,
        "what": "logistic regression over hashed word sequences; the cue is there above 0",
        "language": LANGUAGE,
        "trained_on": {
            f"{report.sentences} sentences written for this project": "BSD-2-Clause",
            "GoEmotions (train), as texts that do not ask": "Apache-2.0",
        },
        "sentences_sha256": hashlib.sha256(sentences.read_bytes()).hexdigest(),
        "set_left_out": asdict(report),
        "limits": ["English only", "sentences and their labels are by one kind of author"],
    }
    write_model(out, content.getvalue(), card)
