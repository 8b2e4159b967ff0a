"""Train the text model on GoEmotions and CuCom, calibrate it on held-out texts, write its card."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
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
    read_cucom,
    read_goemotions,
    read_meld,
    read_text_recipe,
    spoken,
)

Floats = NDArray[np.float64]

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
    train = read_goemotions(data, "train", settings.negative_labels)
    cucom, held_out, agents = read_cucom(data, settings)
    progress("hashing the features", 0, 1)
    texts, negative, weight = _training_texts(train, cucom, agents, settings, rng)
    counts = _matrix(texts)
    progress(f"fitting {len(texts)} texts", 0, 1)
    weights = _fit(counts, 2 * len(train.texts), negative, weight, settings)
    dev = read_goemotions(data, "dev", settings.negative_labels)
    progress("calibrating", 0, 1)
    weights = _calibrate(weights, [dev, held_out], rng)
    report = evaluate_text_model(weights, data, settings)
    _write(weights, report, settings, out)
    return report


def _training_texts(
    train: LabelledTexts,
    cucom: LabelledTexts,
    agents: list[str],
    recipe: TextRecipe,
    rng: random.Random,
) -> tuple[list[str], Flags, Floats]:
    """All training texts, GoEmotions first, each as written and as spoken, with their weights."""
    texts: list[str] = []
    negative: list[Flags] = []
    weight: list[Floats] = []

    def add(some: Sequence[str], flags: Flags, weights: Floats) -> None:
        for version in (list(some), [spoken(text, rng) for text in some]):
            texts.extend(version)
            negative.append(flags)
            weight.append(weights)

    named = [_named(text, rng) for text in train.texts]
    add(named, train.negative, np.where(train.negative, recipe.negative_weight, 1.0))
    agents = rng.sample(agents, min(10_000, len(agents)))
    heated = [t for t, n in zip(cucom.texts, cucom.negative, strict=True) if n]
    calm = [t for t, n in zip(cucom.texts, cucom.negative, strict=True) if not n]
    for some, flag, share in (
        (heated, True, 1.0 * recipe.cucom_weight),
        (calm, False, 0.5 * recipe.cucom_weight),
        (agents, False, 0.5 * recipe.cucom_weight),
        (recipe.heated_turns, True, recipe.own_weight),
        (recipe.calm_turns, False, recipe.own_weight),
    ):
        if some:
            total = share * 0.23 * len(train.texts)
            add(some, np.full(len(some), flag), np.full(len(some), total / len(some)))
    return texts, np.concatenate(negative), np.concatenate(weight)


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


def _fit(
    counts: sp.csr_matrix, first: int, negative: Flags, weight: Floats, recipe: TextRecipe
) -> Weights:
    """Fit a logistic regression on unit-length rarity-weighted features; round both to 8 bits.

    Rarity is computed on the `first` rows (GoEmotions).
    """
    frequency = np.asarray(counts[:first].sum(axis=0)).ravel()
    rarity = np.where(frequency >= recipe.min_texts, np.log((1 + first) / (1 + frequency)) + 1, 0.0)
    rarity_unit = float(rarity.max()) / 255
    coarse = np.round(rarity / rarity_unit).astype(np.uint8)
    rows = counts @ sp.diags(coarse.astype(np.float32))
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    rows = sp.diags(1 / np.maximum(length, 1.0)) @ rows
    model = LogisticRegression(C=recipe.regularisation, solver="liblinear", random_state=0)
    model.fit(rows, negative, sample_weight=weight)
    fitted = model.coef_[0]
    unit = float(np.abs(fitted).max()) / 127
    return Weights(
        np.round(fitted / unit).astype(np.int8),
        unit,
        coarse,
        rarity_unit,
        float(model.intercept_[0]),
    )


def _scores(weights: Weights, texts: Sequence[str]) -> Floats:
    return np.array([weights.score(features(text)) for text in texts])


def _calibrate(weights: Weights, held_out: Sequence[LabelledTexts], rng: random.Random) -> Weights:
    """Platt scaling with equal weight for classes, corpora, and written and spoken texts.

    J. Platt, Probabilistic outputs for support vector machines, 1999.
    """
    scores, flags, shares = [], [], []
    for corpus in held_out:
        share = np.where(
            corpus.negative, 0.5 / corpus.negative.sum(), 0.5 / (~corpus.negative).sum()
        )
        for texts in (corpus.texts, [spoken(text, rng) for text in corpus.texts]):
            scores.append(_scores(weights, texts))
            flags.append(corpus.negative)
            shares.append(share * 10_000)
    platt = LogisticRegression(C=1e6)
    platt.fit(
        np.concatenate(scores)[:, None], np.concatenate(flags), sample_weight=np.concatenate(shares)
    )
    return Weights(
        weights.weight,
        weights.weight_unit,
        weights.rarity,
        weights.rarity_unit,
        weights.intercept,
        float(platt.coef_[0, 0]),
        float(platt.intercept_[0]),
    )


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
            "CuCom e-commerce complaints, synthetic": "Apache-2.0",
            "turns written for this project (models/lab/text_corpora.yaml)": "BSD-2-Clause",
        },
        "negative": recipe.negative_labels,
        "calibrated_on": ["GoEmotions (dev)", "CuCom (held-out conversations)"],
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
