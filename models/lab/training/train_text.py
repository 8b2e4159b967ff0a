"""Train the text model on forums, films and callers' turns, calibrate it, and write its card."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from itertools import chain
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ...progress import Progress
from ...registry import write_model
from ...text.sentiment import BUCKETS, WEIGHTS, Weights, features
from ..text_corpora import (
    RECIPE,
    Flags,
    LabelledTexts,
    TextRecipe,
    read_calm_callers,
    read_cucom,
    read_goemotions,
    read_meld,
    read_text_recipe,
    read_xed,
    spoken,
    written,
)

Floats = NDArray[np.float64]
HELD_OUT = 5
"""One in this many of the callers' turns is held out for the calibration."""

# fmt: off
_NAMES = (
    "John", "Mary", "Mike", "Sarah", "Dave", "Lisa", "Tom", "Anna", "James", "Kate", "Bob", "Susan",
    "Mark", "Julie", "Chris", "Emma", "Steve", "Laura", "Paul", "Jane", "Peter", "Amy", "Alex",
    "Sam", "Max", "Joe", "Nick", "Ben", "Dan", "Rachel", "David", "Kevin", "Brian", "Linda",
    "Karen",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class TextReport:
    """ROC-AUC per corpus; `_spoken`: the same text without punctuation and case, with fillers."""

    goemotions_dev: float
    goemotions_dev_spoken: float
    goemotions_test: float
    goemotions_test_spoken: float
    cucom_held_out_spoken: float
    meld_neutral: float
    meld_all: float
    meld_neutral_spoken: float
    meld_all_spoken: float


def train_text_model(
    data: Path,
    out: Path = WEIGHTS,
    recipe: Path = RECIPE,
    progress: Progress = lambda _what, _done, _all: None,
) -> TextReport:
    """Train the text model on the texts under `data`; write the weights and the card beside them.

    Raises:
        UnreadableInputError: a corpus or the recipe cannot be read.
    """
    settings = read_text_recipe(recipe)
    rng = random.Random(settings.seed)  # noqa: S311 - augmentation, not security
    progress("reading the texts", 0, 1)
    known = _training_texts(data, settings, rng)
    progress("hashing the features", 0, 1)
    counts = _matrix(known.texts)
    kept = ~known.held_out
    progress(f"fitting {kept.sum()} texts, to calibrate on the others", 0, 1)
    trial = _fit(counts[kept], known.negative[kept], known.weight[kept], settings)
    progress(f"fitting {len(known.texts)} texts", 0, 1)
    weights = _fit(counts, known.negative, known.weight, settings)
    progress("calibrating", 0, 1)
    slope, offset = _calibrate(trial, known, settings)
    weights = replace(weights, slope=slope, offset=offset)
    report = evaluate_text_model(weights, data, settings)
    _write(weights, report, settings, out)
    return report


@dataclass(frozen=True, slots=True)
class _Known:
    """Texts for training, each as written and as spoken, and what calibrates: turns of callers.

    `held_out` turns are unknown to the model that calibrates; `hard` ones are calm by the recipe's
    own turns.
    """

    texts: list[str]
    negative: Flags
    weight: Floats
    held_out: Flags
    hard: Flags


def _training_texts(data: Path, recipe: TextRecipe, rng: random.Random) -> _Known:
    texts: list[str] = []
    columns: list[NDArray[np.float64]] = []

    def add(
        some: Sequence[str],
        negative: Flags,
        weight: Floats,
        entry: Sequence[int] | None = None,
        *,
        hard: bool = False,
    ) -> None:
        held_out = np.full(len(some), -1) if entry is None else np.array(entry) % HELD_OUT
        for version in (list(some), [spoken(text, rng) for text in some]):
            texts.extend(version)
            flags = (negative, weight, held_out == 0, np.full(len(some), hard))
            columns.append(np.stack(flags).astype(float))

    train = read_goemotions(data, "train", recipe.negative_labels)
    xed = read_xed(data)
    callers = read_calm_callers(recipe)
    rng.shuffle(callers)
    for corpus, share in ((train, 1.0), (xed, recipe.xed_weight)):
        named = [_named(text, rng) for text in corpus.texts]
        add(named, corpus.negative, share * np.where(corpus.negative, recipe.negative_weight, 1.0))
    cucom, _, agents = read_cucom(data, recipe)
    agents = rng.sample(agents, min(10_000, len(agents)))
    heated = [t for t, n in zip(cucom.texts, cucom.negative, strict=True) if n]
    calm = [t for t, n in zip(cucom.texts, cucom.negative, strict=True) if not n]
    own = [written(turns, recipe, rng) for turns in (recipe.heated_turns, recipe.calm_turns)]
    entries = [[i for i, drawn in enumerate(turns) for _ in drawn] for turns in own]
    for some, flag, share, entry in (
        (heated, True, 1.0 * recipe.cucom_weight, None),
        (calm, False, 0.5 * recipe.cucom_weight, None),
        (agents, False, 0.5 * recipe.cucom_weight, None),
        (list(chain(*own[0])), True, recipe.own_weight, entries[0]),
        (list(chain(*own[1])), False, recipe.own_weight, entries[1]),
        (callers, False, recipe.caller_weight, range(len(callers))),
    ):
        if some:
            total = share * 0.23 * len(train.texts)
            weight = np.full(len(some), total / len(some))
            add(some, np.full(len(some), flag), weight, entry, hard=entry is entries[1])
    negative, weights, held_out, hard = np.concatenate(columns, axis=1)
    return _Known(texts, negative > 0, weights, held_out > 0, hard > 0)


def _named(text: str, rng: random.Random) -> str:
    """Replace most of GoEmotions' masked names by a name, as a caller would say one."""
    text = text.replace("[RELIGION]", "religiontok")
    return re.sub(
        r"\[NAME\]", lambda _: rng.choice(_NAMES) if rng.random() < 0.6 else "nametok", text
    )


def _matrix(texts: Sequence[str]) -> sp.csr_matrix:
    columns = [features(text) for text in texts]
    pointers = np.cumsum([0, *map(len, columns)])
    indices = np.concatenate(columns)
    return sp.csr_matrix(
        (np.ones(len(indices), np.float32), indices, pointers), shape=(len(texts), BUCKETS)
    )


def _fit(counts: sp.csr_matrix, negative: Flags, weight: Floats, recipe: TextRecipe) -> Weights:
    """Fit a logistic regression on rarity-weighted features; round both to 8 bits."""
    texts = counts.shape[0]
    frequency = np.asarray(counts.sum(axis=0)).ravel()
    rarity = np.where(frequency >= recipe.min_texts, np.log((1 + texts) / (1 + frequency)) + 1, 0.0)
    rarity_unit = float(rarity.max()) / 255
    coarse = np.round(rarity / rarity_unit).astype(np.uint8)
    rows = counts @ sp.diags(coarse.astype(np.float32))
    square = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    least = recipe.least_length / rarity_unit
    rows = sp.diags(1 / np.sqrt(square + least**2)) @ rows
    model = LogisticRegression(C=recipe.regularisation, max_iter=200)
    model.fit(rows, negative, sample_weight=weight)
    fitted = model.coef_[0]
    unit = float(np.abs(fitted).max()) / 127
    return Weights(
        np.round(fitted / unit).astype(np.int8),
        unit,
        coarse,
        rarity_unit,
        float(model.intercept_[0]),
        least,
    )


def _scores(weights: Weights, texts: Sequence[str]) -> Floats:
    return np.array([weights.score(features(text)) for text in texts])


def _calibrate(trial: Weights, known: _Known, recipe: TextRecipe) -> tuple[float, float]:
    """Platt scaling on held-out turns of callers, both classes with equal weight.

    The offset is lowered until at most `false_alarms` of the hard calm ones are over 0.5. J. Platt,
    Probabilistic outputs for support vector machines, 1999.
    """
    held_out = np.flatnonzero(known.held_out)
    scores = _scores(trial, [known.texts[i] for i in held_out])
    platt = LogisticRegression(C=1e6, class_weight="balanced")
    platt.fit(scores[:, None], known.negative[held_out])
    slope = float(platt.coef_[0, 0])
    highest = float(np.quantile(scores[known.hard[held_out]], 1.0 - recipe.false_alarms))
    return slope, min(float(platt.intercept_[0]), -slope * highest)


def evaluate_text_model(weights: Weights, data: Path, recipe: TextRecipe) -> TextReport:
    """ROC-AUC on texts that the model was not trained on; MELD is used nowhere else."""
    rng = random.Random(recipe.seed + 1)  # noqa: S311 - augmentation, not security

    def auc(corpus: LabelledTexts, as_spoken: bool, against: Flags | None = None) -> float:
        texts = [spoken(text, rng) for text in corpus.texts] if as_spoken else corpus.texts
        keep = np.full(len(texts), True) if against is None else corpus.negative | against
        return round(float(roc_auc_score(corpus.negative[keep], _scores(weights, texts)[keep])), 4)

    dev = read_goemotions(data, "dev", recipe.negative_labels)
    test = read_goemotions(data, "test", recipe.negative_labels)
    _, held_out, _ = read_cucom(data, recipe)
    meld = read_meld(data)
    return TextReport(
        auc(dev, False),
        auc(dev, True),
        auc(test, False),
        auc(test, True),
        auc(held_out, True),
        auc(meld, False, meld.neutral),
        auc(meld, False),
        auc(meld, True, meld.neutral),
        auc(meld, True),
    )


def _write(weights: Weights, report: TextReport, recipe: TextRecipe, out: Path) -> None:
    content = BytesIO()
    np.savez_compressed(content, **asdict(weights))
    card = {
        "name": "wording-1",
        "what": "logistic regression over hashed words and letters; P(negative) at even odds",
        "language": "en",
        "trained_on": {
            "GoEmotions (train)": "Apache-2.0",
            "XED (English: labelled and neutral)": "CC BY 4.0",
            "CuCom e-commerce complaints, synthetic": "Apache-2.0",
            "turns written for this project (models/lab/text_corpora.yaml and those of the request "
            "classifier)": "BSD-2-Clause",
        },
        "negative": recipe.negative_labels,
        "calibrated_on": "held-out turns of callers, written for this project; cautious: at most "
        f"{recipe.false_alarms:.0%} of hard calm ones over 0.5",
        "roc_auc": asdict(report),
        "limits": [
            "English only",
            "GoEmotions labels comments on Reddit, read, not heard; CuCom's turns are labelled by "
            "their signs of heat (phrases, capitals, repeated marks), not by people",
            "without punctuation and case it knows less: see the _spoken figures",
            "sarcasm, quoted anger and cold disappointment are often missed",
        ],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    write_model(out, content.getvalue(), card)
