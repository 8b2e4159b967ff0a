"""The `train` command."""

from __future__ import annotations

from pathlib import Path

from ...models.lab import text_corpora
from ...models.lab.training import train_fusion, train_requests, train_text
from ...models.lab.training.recipe import load_recipe
from ...models.lab.training.train_voice import PREDICTIONS_FILE, train
from ...models.text.sentiment import WEIGHTS
from ..console import require_extra, stages


def run_training(what: str, *, data: Path, out: Path, recipe: Path | None) -> str:
    """Train one of the models, or the weights of their fusion; return what came out.

    Fusion takes the predictions of the voice run from `out`; for the recogniser of requests for a
    human, `recipe` is the file of sentences.
    """
    out.mkdir(parents=True, exist_ok=True)
    with stages() as progress:
        if what == "voice":
            loaded = load_recipe(recipe)
            if loaded.student is not None:
                require_extra("distill", "torch")
            voice = train(loaded, data, out, progress)
            left_out, found = "corpus", voice.left_out_corpus
            if not found:  # there is but one
                left_out, found = "speakers", voice.left_out_speakers
            scores = ", ".join(f"{name} {auc:.3f}" for name, auc in found.items())
            return f"{voice.model}: ROC-AUC with the {left_out} left out: {scores}"
        if what == "wording":
            words = train_text.train_text_model(
                data / "text",
                out / WEIGHTS.name,
                recipe or text_corpora.RECIPE,
                tell=lambda stage: progress(stage, 0, 1),
            )
            return f"{out / WEIGHTS.name}: ROC-AUC GoEmotions {words.goemotions_test:.3f}"
        if what == "requests":
            asks = train_requests.train_request_classifier(
                data / "text",
                out / train_requests.OUT_FILE,
                recipe or train_requests.SENTENCES,
                tell=lambda stage: progress(stage, 0, 1),
            )
            return (
                f"{out / train_requests.OUT_FILE}: sets left out: precision {asks.precision:.3f}, "
                f"recall {asks.recall:.3f}"
            )
        report = train_fusion.train_fusion(
            data, out / PREDICTIONS_FILE, out / train_fusion.FUSION_FILE.name
        )
    return (
        f"{out / train_fusion.FUSION_FILE.name}: ROC-AUC of held-out turns: voice "
        f"{report.roc_auc_voice:.3f}, words {report.roc_auc_words:.3f}, "
        f"both {report.roc_auc_fused:.3f}"
    )
