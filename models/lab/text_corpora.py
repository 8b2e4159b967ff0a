"""The texts for training and evaluating the text model, and how speech recognition changes them."""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import UnreadableInputError, first_complaint
from ..readings import Cue
from ..text.cues import find_cues

RECIPE = Path(__file__).with_name("text_corpora.yaml")
Flags = NDArray[np.bool_]

CALLERS = Path(__file__).parent / "training" / "asks_for_human_en.tsv"
_HEATED = {Cue.PROFANITY, Cue.COMPLAINT_ABOUT_SYSTEM, Cue.THREATENS_TO_LEAVE}
_CHOICE = re.compile(r"\((?P<options>[^()]*)\)|\{(?P<list>\w+)\}")
_INSERTED = ("um", "uh", "like", "you know", "well", "i mean")
_FALSE_STARTS = ("i", "the", "to", "a", "my", "we", "you", "it", "is", "and")


class TextRecipe(BaseModel):
    """The recipe of the text model; the YAML file beside this module explains every key."""

    model_config = ConfigDict(extra="forbid")
    seed: int
    negative_labels: list[str]
    negative_weight: float
    regularisation: float
    min_texts: int
    least_length: float
    false_alarms: float
    cucom_weight: float
    cucom_held_out: int
    heated_phrases: list[str]
    signs_of_heat: list[str]
    xed_weight: float
    own_weight: float
    own_samples: int
    caller_sets: list[str]
    caller_weight: float
    lists: dict[str, list[str]]
    calm_turns: list[str]
    heated_turns: list[str]


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Texts, whether each is negative, and whether each is neutral and nothing else."""

    texts: list[str]
    negative: Flags
    neutral: Flags


def read_text_recipe(path: Path = RECIPE) -> TextRecipe:
    """Read and check a recipe.

    Raises:
        UnreadableInputError: naming the file and the key.
    """
    try:
        return TextRecipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnreadableInputError(path, str(error)) from error
    except ValidationError as error:
        raise UnreadableInputError(path, first_complaint(error)) from error


def spoken(text: str, rng: random.Random) -> str:
    """A text as speech recognition may return it: no punctuation or case, fillers, false starts."""
    out = []
    for word in re.sub(r"[^\w\s'\u2019]", " ", text).lower().split():
        draw = rng.random()
        if draw < 0.03:
            out.append(rng.choice(_INSERTED))
        elif draw < 0.05:
            out.append(word)
        elif draw < 0.06:
            out.append(rng.choice(_FALSE_STARTS))
        out.append(word)
    return " ".join(out)


def half_spoken(text: str, rng: random.Random) -> str:
    """With probability 1/2 the text as speech recognition may return it, else as it is."""
    return spoken(text, rng) if rng.random() < 0.5 else text


def written(entries: Sequence[str], recipe: TextRecipe, rng: random.Random) -> list[list[str]]:
    """For each entry of the recipe's own turns, the different sentences drawn from it."""
    return [
        sorted({_one_of(entry, recipe.lists, rng) for _ in range(recipe.own_samples)})
        for entry in entries
    ]


def _one_of(entry: str, lists: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    """One sentence of an entry with `(a|b)` for a choice and `{name}` for one of a list."""
    while choice := _CHOICE.search(entry):
        options = lists[choice["list"]] if choice["list"] else choice["options"].split("|")
        entry = entry[: choice.start()] + rng.choice(options) + entry[choice.end() :]
    return " ".join(entry.split()).replace(" 's ", "'s ")


def read_xed(folder: Path) -> LabelledTexts:
    """Read the English subtitles of XED: anger (1) and disgust (3) are negative."""
    path = folder / "xed" / "AnnotatedData" / "en-annotated.tsv"
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
        negative = [not {"1", "3"}.isdisjoint(labels.split(", ")) for _, labels in rows]
        path = path.with_name("neu_en.txt")
        lines = path.read_text(encoding="utf-8").splitlines()
        neutral = [line.split("\t", 1)[1] for line in lines]
    except (OSError, ValueError, IndexError) as error:
        raise UnreadableInputError(path, str(error)) from error
    return LabelledTexts(
        [*(text for text, _ in rows), *neutral],
        np.array([*negative, *(False for _ in neutral)]),
        np.arange(len(rows) + len(neutral)) >= len(rows),
    )


def read_calm_callers(recipe: TextRecipe, path: Path = CALLERS) -> list[str]:
    """Callers' turns without a sign of heat, of those written for the request classifier."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        said = [
            row["sentence"]
            for row in rows
            if row["asks"] == "0" and row["set"] in recipe.caller_sets
        ]
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise UnreadableInputError(path, str(error)) from error
    words = "|".join(map(re.escape, (*recipe.heated_phrases, *recipe.signs_of_heat)))
    heat = re.compile(rf"!|{words}", re.IGNORECASE)
    return [text for text in said if not heat.search(text) and not _HEATED & _cues(text)]


def _cues(text: str) -> set[Cue]:
    return {cue for cue, _ in find_cues(text)}


def read_goemotions(folder: Path, split: str, negative_labels: Sequence[str]) -> LabelledTexts:
    """Read one split of GoEmotions (tab-separated: text, label numbers, id)."""
    path = folder / "goemotions" / "labels.txt"
    try:
        names = path.read_text(encoding="utf-8").split()
        wanted = {names.index(label) for label in negative_labels}
        neutral = names.index("neutral")
        path = path.with_name(f"{split}.tsv")
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]
        labels = [{int(number) for number in row[1].split(",")} for row in rows]
    except (OSError, ValueError, IndexError) as error:
        raise UnreadableInputError(path, str(error)) from error
    return LabelledTexts(
        [row[0] for row in rows],
        np.array([bool(wanted & have) for have in labels]),
        np.array([have == {neutral} for have in labels]),
    )


def read_cucom(folder: Path, recipe: TextRecipe) -> tuple[LabelledTexts, LabelledTexts, list[str]]:
    """Read CuCom: customer turns for training, those held out, and agents' sentences.

    Signs of heat label the customer turns; turns with a single sign are left out.
    """
    path = folder / "cucom_ecommerce.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        calls = [json.loads(line)["turns"] for line in lines if line]
        said = [[(turn["role"], turn["content"]) for turn in turns] for turns in calls]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableInputError(path, str(error)) from error
    held_out = max(0, len(said) - recipe.cucom_held_out)
    agents = {text for call in said[:held_out] for role, text in call if role != "user"}
    sentences = {
        sentence
        for text in sorted(agents)
        for sentence in re.split(r"(?<=[.?!])\s+", text)
        if 3 < len(sentence) < 120
    }
    return (
        _by_heat(said[:held_out], recipe),
        _by_heat(said[held_out:], recipe),
        sorted(sentences),
    )


def _by_heat(calls: list[list[tuple[str, str]]], recipe: TextRecipe) -> LabelledTexts:
    phrases = re.compile("|".join(map(re.escape, recipe.heated_phrases)), re.IGNORECASE)
    words = "|".join(map(re.escape, (*recipe.heated_phrases, *recipe.signs_of_heat)))
    signs = re.compile(rf"[!?]{{2}}|!.*!|\b[A-Z]{{4,}}\b|(?i:{words})")
    texts, negative = [], []
    for text in sorted({text for call in calls for role, text in call if role == "user"}):
        heated = phrases.search(text) is not None or len(signs.findall(text)) > 1
        if heated or (signs.search(text) is None and "!" not in text):
            texts.append(text)
            negative.append(heated)
    flags = np.array(negative)
    return LabelledTexts(texts, flags, ~flags)


def read_meld(folder: Path) -> LabelledTexts:
    """Read MELD's test utterances: anger and disgust are negative. For evaluation only."""
    path = folder / "meld_test.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        emotions = np.array([row["Emotion"] for row in rows])
        texts = [row["Utterance"] for row in rows]
    except (OSError, KeyError) as error:
        raise UnreadableInputError(path, str(error)) from error
    return LabelledTexts(texts, np.isin(emotions, ["anger", "disgust"]), emotions == "neutral")
