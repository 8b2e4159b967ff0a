"""What the model makes of a turn's audio, whatever goes wrong with it."""

from __future__ import annotations

from functools import partial

from ...models.reader import VoiceTurn, classify_voice
from ...models.readings import EmotionReading, TurnAudio, UnknownReason
from ...models.voice import EmotionClassifier
from .faults import Faults
from .inference import InferencePool, InferenceRefusedError


async def read_turn(
    audio: TurnAudio,
    classifier: EmotionClassifier,
    pool: InferencePool,
    faults: Faults,
    with_attributes: bool,
) -> VoiceTurn | None:
    """Have a turn read on the threads of a pool; what goes wrong is a fault, and nothing raises.

    `with_attributes` has it measured for a hand-over's note, too.

    None when the pool gave it up: the turn stays as unknown as it was.
    """
    if not audio.samples.size:
        return _unheard(audio, classifier.name, UnknownReason.TOO_SHORT)
    work = partial(classify_voice, audio, classifier, with_attributes=with_attributes)
    try:
        return _checked(await pool.run(work))
    except InferenceRefusedError as error:
        faults.report("refused", "reading dropped, the model is too busy or hangs", error)
    except Exception as error:  # noqa: BLE001 - whatever a model does, the call goes on
        faults.report("model", "the model failed, the reading is unknown", error.__cause__ or error)
        return _unheard(audio, classifier.name, UnknownReason.MODEL_FAILED)
    return None


def _unheard(audio: TurnAudio, model: str, reason: UnknownReason) -> VoiceTurn:
    voice = EmotionReading(None, model, len(audio.samples) / audio.sample_rate, 0.0, reason)
    return VoiceTurn(audio.index, audio.started_at_s, audio.ended_at_s, None, voice)


def _checked(heard: VoiceTurn) -> VoiceTurn:
    """What a classifier of anyone's making said, if it is a reading.

    Raises:
        TypeError, ValueError: it is not.
    """
    voice: object = heard.voice
    if not isinstance(voice, EmotionReading):
        raise TypeError(f"a classifier returns an EmotionReading, not {type(voice).__name__}")
    if voice.p_negative is not None and not 0.0 <= voice.p_negative <= 1.0:
        raise ValueError("p_negative is not a probability")
    if not all(0.0 <= p <= 1.0 for p in voice.timeline):
        raise ValueError("timeline holds something else than probabilities")
    if not all(-1.0 <= value <= 1.0 for value in (voice.arousal or 0.0, voice.valence or 0.0)):
        raise ValueError("arousal or valence is not in [-1, 1]")
    return heard
