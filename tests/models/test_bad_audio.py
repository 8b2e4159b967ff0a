"""Files that are no recording, or not all of one, and what is said about each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipecat_deescalate.models.audio.recording import CallerChannel, open_call, read_audio
from pipecat_deescalate.models.errors import AudioError

from ..audio import FLOAT, FORMS, noise, pcm16, tone, wav_bytes, write_audio, written


def refused(path: Path, **options: CallerChannel) -> str:
    """Read a file that must be refused; return the one line that says why."""
    with pytest.raises(AudioError) as caught, open_call(path, **options) as call:
        for _ in call:
            pass
    message = str(caught.value)
    assert message == f"{path}: {caught.value.reason}"
    assert "\n" not in message
    return caught.value.reason


@pytest.mark.parametrize("rate", [7_999, 6_000, 48_001, 96_000])
def test_other_rates_are_refused(rate: int, tmp_path: Path) -> None:
    """Below 8 kHz there is too little of the voice; above 48 kHz is no telephone recording."""
    path = written(tmp_path, wav_bytes(pcm16(tone(0.5, rate)), rate=rate))
    assert f"sample rate of {rate} Hz; convert" in refused(path)


def test_stereo_without_a_named_channel_is_refused(tmp_path: Path) -> None:
    """Mixing both sides would score the bot's voice as the caller's."""
    sides = np.stack((tone(1.0), tone(1.0)), axis=1)
    path = write_audio(tmp_path / "pcm16.wav", sides, 16_000, "pcm16.wav")
    assert 'caller_channel="left" or "right"' in refused(path)


def test_three_channels_are_refused(tmp_path: Path) -> None:
    """Nobody could say which of three channels is left or right."""
    path = write_audio(tmp_path / "pcm16.wav", noise(1.0).reshape(-1, 2)[:, [0, 1, 0]], 16_000,
                       "pcm16.wav")  # fmt: skip
    assert "3 channels" in refused(path, caller_channel=CallerChannel.LEFT)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A typo in a path must not come out as a traceback."""
    assert refused(tmp_path / "missing.wav") == "is not there; check the path"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A shell's completion stops at directories, so people pass them."""
    assert "is a directory" in refused(tmp_path)


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    """Opening a pipe that nobody writes to would hang for ever."""
    path = tmp_path / "call.wav"
    os.mkfifo(path)
    assert "is a pipe or device" in refused(path)
    assert "is a pipe or device" in refused(Path("/dev/zero"))


@contextmanager
def _without_rights(path: Path) -> Iterator[None]:
    """Take away the right to read a file, root's too, which no mode bits can."""
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """Recordings of a telephone system often belong to another user."""
    path = write_audio(tmp_path / "pcm16.wav", tone(1.0), 16_000, "pcm16.wav")
    with _without_rights(path):
        assert "permission denied" in refused(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty (0 bytes)"),
        (b"Caller: hello?\n" * 40, "holds text, not audio"),
        ("Anruferin: schöner Tag\n".encode() * 40, "holds text, not audio"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(2_000), "with ffmpeg -i IN OUT.wav"),
        (bytes(2_000), "cannot be read as WAV, FLAC, Ogg, MP3"),
        (b"RIFF", "ends inside its WAV header"),
        (wav_bytes(b"")[:30], "ends inside its WAV header"),
        (wav_bytes(b"")[:40], "ends inside its WAV header"),
        (wav_bytes(b""), "holds no audio"),
        (wav_bytes(b"", tail=b"LIST\4\0\0\0INFO"), "holds no audio"),
        (b"RIFF\x24\0\0\0WAVEdata\4\0\0\0\0\0\0\0", "has no format in its WAV header"),
    ],
)
def test_what_is_no_recording_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    """Whatever a person names by mistake must be told apart from a damaged recording."""
    assert reason in refused(written(tmp_path, content))


def test_headerless_audio_is_refused(tmp_path: Path) -> None:
    """Guessing a rate for bare samples would give any pitch."""
    path = tmp_path / "call.raw"
    path.write_bytes(pcm16(tone(1.0)))
    assert "sample rate" in refused(path)


def test_a_format_nobody_tested_here_is_refused(tmp_path: Path) -> None:
    """Two dozen more formats can be decoded, whose lies nobody checks."""
    path = tmp_path / "call.voc"
    soundfile.write(path, tone(1.0), 16_000)
    assert refused(path) == "is VOC; convert it with ffmpeg -i IN OUT.wav"


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"channels": 2, "block_align": 2, "byte_rate": 32_000}, "is stereo"),
        ({"bits": 0}, "0 bits a sample"),
        ({"bits": 16, "tag": FLOAT}, "16 bits a sample"),
        ({"rate": 0}, "sample rate of 0 Hz"),
        ({"rate": 4_000_000_000 // 2}, "sample rate of 2000000000 Hz"),
        ({"channels": 0}, "0 channels"),
        ({"tag": 0x1234}, "with ffmpeg -i IN OUT.wav"),
        ({"tag": 0x11, "block_align": 0}, "sizes of 0"),
    ],
)
def test_a_wav_header_that_lies_is_refused(
    lie: dict[str, int], reason: str, tmp_path: Path
) -> None:
    """The decoder believes these and gives audio of the wrong speed, length or channel."""
    byte_rate = {"byte_rate": 2**32 - 1} if lie.get("rate", 0) > 2**30 else {}
    assert reason in refused(written(tmp_path, wav_bytes(pcm16(tone(2.0)), **byte_rate, **lie)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_refused_with_its_time(value: float, tmp_path: Path) -> None:
    """One NaN would spread over the whole turn in the features."""
    audio = tone(3.0, 8_000)
    audio[20_000] = value
    path = write_audio(tmp_path / "float32.wav", audio, 8_000, "float32.wav")
    assert "not a number (NaN or infinite) at 2.500 s" in refused(path)


def test_floats_at_the_scale_of_integers_are_refused(tmp_path: Path) -> None:
    """Limited to [-1, 1] they would be a square wave, which sounds like shouting."""
    path = write_audio(tmp_path / "float32.wav", tone(1.0) * 32_768, 16_000, "float32.wav")
    assert "far beyond full scale" in refused(path)


@pytest.mark.parametrize("form", FORMS)
def test_damage_is_an_error_of_ours_or_audio(form: str, tmp_path: Path) -> None:
    """Flipped bytes must end in a reading or in one line, never in a traceback."""
    path = write_audio(tmp_path / form, noise(2.0), 16_000, form)
    content = path.read_bytes()
    draw = np.random.default_rng(7)
    for reach in (48, 200, len(content)) * 10:
        damaged = np.frombuffer(content, np.uint8).copy()
        damaged[draw.integers(0, min(reach, len(content)), 4)] = draw.integers(0, 256, 4)
        path.write_bytes(damaged.tobytes())
        try:
            audio = read_audio(path, caller_channel=CallerChannel.LEFT)
        except AudioError:
            continue
        assert np.isfinite(audio).all()
