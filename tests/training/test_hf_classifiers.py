"""Hugging Face's models, tiny and random, behind the classifier protocol; nothing is fetched."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipecat_deescalate import Deescalator
from pipecat_deescalate.models.errors import ModelFileError
from pipecat_deescalate.models.readings import EmotionReading, UnknownReason
from pipecat_deescalate.processors import CallerEmotionFrame, InferencePool

from ..agent.lab.test_measuring import a_manifest
from ..audio import CALM, speech_like
from ..commands import in_a_process as deescalate
from ..pipelines import running, speech

torch = pytest.importorskip("torch", reason="the extra `hf` is not installed")
transformers = pytest.importorskip("transformers")

from pipecat_deescalate.models.lab.audio_lm import AudioLanguageModel, AudioLm  # noqa: E402 - torch
from pipecat_deescalate.models.voice_hf import HuggingFaceVoiceClassifier  # noqa: E402 - torch

from .audio_lms import save_qwen2_audio  # noqa: E402 - torch

TURN = speech_like(1.0, seed=2)


def save_wav2vec2(folder: Path, labels: list[str], **options: object) -> Path:
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(16, 16),
        conv_kernel=(10, 3),
        conv_stride=(5, 2),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        classifier_proj_size=8,
        id2label=dict(enumerate(labels)),
        label2id={label: place for place, label in enumerate(labels)},
        **options,
    )
    transformers.Wav2Vec2ForSequenceClassification(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=16_000).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_wav2vec2(tmp_path_factory.mktemp("w2v"), ["neutral", "Angry", "disgust", "happy"])


@pytest.fixture(scope="module")
def qwen2_audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_qwen2_audio(tmp_path_factory.mktemp("qwen"))


def test_the_negative_labels_are_found_by_their_names(wav2vec2: Path) -> None:
    """P(negative) is the share of anger and disgust together, whatever their case and place."""
    found = HuggingFaceVoiceClassifier(wav2vec2).classify(TURN, 16_000)
    named = [
        HuggingFaceVoiceClassifier(wav2vec2, [label]).classify(TURN, 16_000).p_negative
        for label in ("ANGRY", "disgust", "neutral", "happy")
    ]
    assert found.p_negative == pytest.approx(sum(filter(None, named[:2])), abs=1e-6)
    assert sum(filter(None, named)) == pytest.approx(1.0, abs=1e-6)


def test_independent_labels_take_the_highest(tmp_path: Path) -> None:
    """Summed, the probabilities of labels that do not exclude each other could pass one."""
    folder = save_wav2vec2(
        tmp_path, ["anger", "disgust", "joy"], problem_type="multi_label_classification"
    )
    both = HuggingFaceVoiceClassifier(folder).classify(TURN, 16_000).p_negative
    each = [
        HuggingFaceVoiceClassifier(folder, [label]).classify(TURN, 16_000).p_negative
        for label in ("anger", "disgust")
    ]
    assert both == pytest.approx(max(filter(None, each)))


def test_labels_that_do_not_match_are_named(tmp_path: Path) -> None:
    """Whoever named a wrong label needs to know the right ones."""
    folder = save_wav2vec2(tmp_path, ["LABEL_0", "LABEL_1"])
    with pytest.raises(ModelFileError, match=r"\['label_0', 'label_1'\], none known as negative"):
        HuggingFaceVoiceClassifier(folder)
    with pytest.raises(ModelFileError, match=r"not all of \['anger'\]"):
        HuggingFaceVoiceClassifier(folder, ["anger"])
    with pytest.raises(ModelFileError, match="all are negative"):
        HuggingFaceVoiceClassifier(folder, ["LABEL_0", "LABEL_1"])


def test_what_cannot_be_heard_is_unknown_to_them_too(wav2vec2: Path, qwen2_audio: Path) -> None:
    """Silence is not calm, whichever model gets it; an audio language model would not say so."""
    for classifier in (HuggingFaceVoiceClassifier(wav2vec2), AudioLanguageModel(qwen2_audio)):
        silent = classifier.classify(np.zeros(16_000, np.float32), 16_000)
        assert (silent.p_negative, silent.reason) == (None, UnknownReason.SILENT)


def test_a_model_that_is_not_there_is_one_line_and_nothing_is_fetched(tmp_path: Path) -> None:
    """Without leave to download, a name that is not on disk is an error, not a request."""
    for kind in (HuggingFaceVoiceClassifier, AudioLanguageModel):
        with pytest.raises(ModelFileError, match="cannot be loaded") as raised:
            kind(tmp_path / "absent")
        assert len(str(raised.value).splitlines()) == 1


def test_a_download_that_was_cut_short_is_one_line(
    wav2vec2: Path, qwen2_audio: Path, tmp_path: Path
) -> None:
    """Half of a model's weights is what an interrupted download leaves."""
    kinds = {HuggingFaceVoiceClassifier: wav2vec2, AudioLanguageModel: qwen2_audio}
    for number, (kind, whole) in enumerate(kinds.items()):
        folder = tmp_path / str(number)
        shutil.copytree(whole, folder)
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-500])
        with pytest.raises(ModelFileError, match="cannot be loaded") as raised:
            kind(folder)
        assert len(str(raised.value).splitlines()) == 1
        (folder / "preprocessor_config.json").write_text("[]")
        (folder / "processor_config.json").unlink(missing_ok=True)
        with pytest.raises(ModelFileError, match="cannot be loaded"):
            kind(folder)


def test_an_encoder_without_a_classifier_is_refused(wav2vec2: Path, tmp_path: Path) -> None:
    """Its figures would be those of random weights, and look like any others."""
    from safetensors.torch import load_file, save_file  # noqa: PLC0415 - torch

    shutil.copytree(wav2vec2, tmp_path / "bare")
    place = tmp_path / "bare" / "model.safetensors"
    kept = {k: v for k, v in load_file(place).items() if k.startswith("wav2vec2.")}
    save_file(kept, place, metadata={"format": "pt"})
    with pytest.raises(ModelFileError, match=r"not trained to classify: it has no classifier\."):
        HuggingFaceVoiceClassifier(tmp_path / "bare")


def test_the_two_answers_share_all_probability(qwen2_audio: Path) -> None:
    """Asked the other way round, the same pass must give the rest of one."""
    one = AudioLanguageModel(qwen2_audio).classify(TURN, 16_000)
    other = AudioLanguageModel(qwen2_audio, answers=("non-negative", "negative"))
    p, q = one.p_negative, other.classify(TURN, 16_000).p_negative
    assert p is not None
    assert q is not None
    assert 0 < p < 1
    assert p + q == pytest.approx(1.0, abs=1e-5)


def test_an_audio_language_model_depends_on_the_audio(qwen2_audio: Path) -> None:
    """If the audio did not reach the model, every turn would get the same answer."""
    model = AudioLanguageModel(qwen2_audio)
    heard = {model.classify(speech_like(1.0, seed=seed), 16_000).p_negative for seed in range(3)}
    assert len(heard) == 3


def test_one_pass_over_at_most_half_a_minute(qwen2_audio: Path) -> None:
    """A word generated token by token, or an hour of music on hold, would never be done."""
    model = AudioLm(qwen2_audio)
    long = speech_like(40.0, seed=1)
    inputs = model.inputs([long[-30 * 16_000 :]])
    with torch.inference_mode():
        everything = model.network(**inputs).logits
    made: list[Any] = []
    model.network.lm_head.register_forward_hook(lambda *passed: made.append(passed[-1]))
    model.p_negative([long])
    (last,) = made
    torch.testing.assert_close(last, everything[:, -1:])


class Noting(AudioLanguageModel):
    """Notes on which thread it was asked."""

    def classify(self, audio: NDArray[np.generic], sample_rate: int) -> EmotionReading:
        self.thread = threading.current_thread().name
        return super().classify(audio, sample_rate)


async def test_a_live_call_is_read_by_it(qwen2_audio: Path) -> None:
    """In place of the bundled model it must be asked as that is: off the loop, once a turn."""
    model = Noting(qwen2_audio)
    guard = Deescalator(classifier=model, pool=InferencePool(time_limit_s=20.0))
    async with running(guard.listen()) as call:
        await call.send(*speech(1.0))
        await call.sees(CallerEmotionFrame)
    (frame,) = call.after.of(CallerEmotionFrame)
    voice = frame.reading.voice
    assert voice.model == str(qwen2_audio)
    assert voice.p_negative is not None
    assert model.thread == "deescalate-inference"


def test_recorded_calls_are_read_by_it(qwen2_audio: Path) -> None:
    """`analyze` must hand it every turn, and refuse two models at once."""
    run = deescalate(
        "analyze", CALM, "--caller-channel", "left", "--json", "--audio-lm", qwen2_audio
    )
    assert run.returncode == 0, run.stderr
    record = json.loads(run.stdout)
    assert record["model"] == str(qwen2_audio)
    assert all(turn["voice"]["p_negative"] is not None for turn in record["turns"])
    both = deescalate("analyze", CALM, "--audio-lm", qwen2_audio, "--model", "a.onnx")
    assert (both.returncode, both.stderr) == (
        2,
        "deescalate: name one of --model, --hf and --audio-lm\n",
    )


def save_as_aero(qwen2_audio: Path, folder: Path, *, without: str = "nothing") -> Path:
    """Write a model under the names and the kind that Aero-1-Audio is published with."""
    from safetensors.torch import load_file, save_file  # noqa: PLC0415 - torch

    shutil.copytree(qwen2_audio, folder)
    weights = {}
    for name, weight in load_file(folder / "model.safetensors").items():
        place = name.replace("multi_modal_projector.", "audio_modal_projector.")
        if without not in place:
            weights[place] = weight
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "aero", "architectures": ["AeroForConditionalGeneration"]}
    config["auto_map"] = {"AutoModelForCausalLM": "modeling_aero.AeroForConditionalGeneration"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "chat_template.jinja").write_text(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{% if m.content is string %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return folder


def test_aero_is_read_without_its_own_code(qwen2_audio: Path, tmp_path: Path) -> None:
    """With a random projector it would still answer, but ignore the audio."""
    aero = AudioLm(save_as_aero(qwen2_audio, tmp_path / "aero"))
    theirs, ours = aero.network.state_dict(), AudioLm(qwen2_audio).network.state_dict()
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in ours)
    heard = {aero.p_negative([speech_like(1.0, seed=seed)])[0] for seed in range(3)}
    assert len(heard) == 3
    save_as_aero(qwen2_audio, tmp_path / "torn", without="audio_modal_projector.")
    with pytest.raises(ModelFileError, match=r"has no weights .*projector"):
        AudioLm(tmp_path / "torn")


def test_answers_that_begin_alike_are_refused(qwen2_audio: Path) -> None:
    """One token cannot tell two answers apart."""
    with pytest.raises(ModelFileError, match="alike"):
        AudioLanguageModel(qwen2_audio, answers=("negative", "negative"))


def test_evaluate_takes_them_by_name(wav2vec2: Path, qwen2_audio: Path, tmp_path: Path) -> None:
    """The command must hand every option on, and refuse two models at once."""
    manifest = a_manifest(tmp_path)
    run = deescalate(
        "model", "evaluate", "--manifest", manifest, "--hf", wav2vec2, "--negative-label", "happy"
    )
    assert run.returncode == 0, run.stderr
    run = deescalate(
        "model", "evaluate", "--manifest", manifest, "--audio-lm", qwen2_audio, "--json"
    )
    assert run.returncode == 0, run.stderr
    assert str(qwen2_audio) in run.stdout
    both = deescalate("model", "evaluate", "--manifest", manifest, "--hf", "a", "--audio-lm", "b")
    assert both.returncode == 2
    assert "name one of" in both.stderr
