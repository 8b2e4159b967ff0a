"""Recorded calls in every form that is read, and arrays as others hold them."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.audio.recording import (
    CallerChannel,
    open_call,
    read_audio,
)
from pipecat_deescalate.models.audio.samples import resample, to_mono_float32
from pipecat_deescalate.models.audio.source import ForwardFile
from pipecat_deescalate.models.errors import SamplesError

from ..audio import (
    FORMS,
    noise,
    pcm16,
    speech_like,
    tone,
    wav_bytes,
    write_audio,
    write_long_call,
    written,
)

LOSSY = {"call.opus", "call.ogg", "call.mp3", "gsm.wav", "ms_adpcm.wav"}
STEP = {"pcm8.wav": 2**-6, "mulaw.wav": 2**-5, "alaw.wav": 2**-5}
RATES = (8_000, 11_025, 16_000, 22_050, 44_100, 48_000)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read(form: str, tmp_path: Path) -> None:
    """A form that comes out shorter, shifted or at another level would spoil every turn."""
    audio = speech_like(3.0, 16_000)
    read = read_audio(write_audio(tmp_path / form, audio, 16_000, form))
    assert read.dtype == np.float32
    if form == "ms_adpcm.wav":  # a whole number of its blocks
        assert 0 <= read.size - audio.size < 2_048
        read = read[: audio.size]
    assert read.size == audio.size
    if form in LOSSY:
        assert np.corrcoef(read, audio)[0, 1] > 0.9
    else:
        assert np.abs(read - audio).max() <= STEP.get(form, 2**-15)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("form", ["pcm16.wav", "call.flac", "call.mp3"])
def test_rates_of_telephones_and_of_studios_come_out_at_one(
    form: str, rate: int, tmp_path: Path
) -> None:
    """A rate error of any size would move the caller's pitch, which is what the model hears."""
    path = write_audio(tmp_path / form, tone(2.0, rate, hz=500), rate, form)
    with open_call(path) as call:
        assert (call.source_rate, call.channels) == (rate, 1)
        assert call.duration_s == pytest.approx(2.0, abs=1e-3)
        audio = np.concatenate(list(call))
    assert audio.size == 32_000
    spectrum = np.abs(np.fft.rfft(audio))
    assert np.argmax(spectrum) / 2.0 == pytest.approx(500, abs=0.5)


def test_blocks_are_even_and_counted(tmp_path: Path) -> None:
    """Blocks of uneven length would break a VAD that takes a fixed window."""
    path = write_audio(tmp_path / "pcm16.wav", noise(1.234, 44_100), 44_100, "pcm16.wav")
    with open_call(path, block_ms=32) as call:
        sizes, counts = [], []
        for block in call:
            sizes.append(block.size)
            counts.append(call.samples_read)
    assert set(sizes[:-1]) == {512}
    assert 0 < sizes[-1] <= 512
    assert counts == list(np.cumsum(sizes))
    assert sum(sizes) == round(1.234 * 16_000)


@given(
    samples=st.integers(1, 60_000),
    rate=st.sampled_from([8_000, 11_025, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000]),
    to_rate=st.sampled_from([8_000, 16_000, 24_000]),
    block_ms=st.sampled_from([1, 20, 32, 100, 1_000, 5_000]),
)
def test_streaming_gives_what_resampling_at_once_gives(
    samples: int, rate: int, to_rate: int, block_ms: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A seam between chunks, or a lost tail, would be heard by the model as an onset."""
    audio = noise(samples / rate, rate)
    path = tmp_path_factory.getbasetemp() / "stream.wav"
    write_audio(path, audio, rate, "float32.wav")
    with open_call(path, sample_rate=to_rate, block_ms=block_ms) as call:
        streamed = np.concatenate([np.zeros(0, np.float32), *call])
    at_once = resample(audio, rate, to_rate)
    assert streamed.size == at_once.size == (audio.size * to_rate + rate // 2) // rate
    assert np.abs(streamed - at_once).max(initial=0.0) < 1e-6


def test_mp3_has_no_seams_between_chunks(tmp_path: Path) -> None:
    """Seeking between reads loses MP3's bit reservoir: noise several times a second."""
    path = write_audio(tmp_path / "call.mp3", speech_like(10.0), 16_000, "call.mp3")
    with ForwardFile(path) as file:
        whole = file.read(file.frames, dtype="float32")
    assert np.array_equal(read_audio(path), np.clip(whole, -1, 1))


@pytest.mark.parametrize(("channel", "hz"), [(CallerChannel.LEFT, 300), ("right", 700)])
@pytest.mark.parametrize("form", ["pcm16.wav", "mulaw.wav", "call.flac", "call.ogg", "call.mp3"])
def test_the_named_channel_of_a_stereo_call_is_read(
    form: str, channel: CallerChannel, hz: int, tmp_path: Path
) -> None:
    """The other channel is the bot: reading it would score the wrong speaker."""
    sides = np.stack((tone(1.0, hz=300), tone(1.0, hz=700)), axis=1)
    audio = read_audio(write_audio(tmp_path / form, sides, 16_000, form), caller_channel=channel)
    assert audio.shape == (16_000,)
    assert np.argmax(np.abs(np.fft.rfft(audio))) == hz


@pytest.mark.parametrize("rate", RATES)
def test_tags_around_an_mp3_change_nothing(rate: int, tmp_path: Path) -> None:
    """Recorders write the call's number there; the frames must be counted past it."""
    path = write_audio(tmp_path / "call.mp3", noise(2.0, rate), rate, "call.mp3")
    content = path.read_bytes()
    path.write_bytes(b"ID3\4\0\0\0\0\1\0" + bytes(128) + content + b"TAG" + bytes(125))
    assert read_audio(path).size == 32_000


@pytest.mark.parametrize("size", [0x7FFF_F000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF])
def test_a_wav_written_to_a_pipe_is_read_to_its_end(size: int, tmp_path: Path) -> None:
    """SoX, arecord and ffmpeg put such lengths into what they stream: nothing is wrong with it."""
    audio = tone(2.0)
    path = written(tmp_path, wav_bytes(pcm16(audio), data_bytes=size))
    with open_call(path) as call:
        assert call.duration_s == 2.0
        assert sum(block.size for block in call) == audio.size


def test_a_big_endian_wav_is_read(tmp_path: Path) -> None:
    """Its header must be checked in its own byte order."""
    data = np.frombuffer(pcm16(tone(1.0)), "<i2").astype(">i2").tobytes()
    audio = read_audio(written(tmp_path, wav_bytes(data, order=">")))
    assert np.abs(audio - tone(1.0)).max() < 2**-14


def test_chunks_behind_the_audio_are_no_lie(tmp_path: Path) -> None:
    """Recorders write the caller's number and their own name there."""
    tail = b"LIST" + struct.pack("<I", 50_000) + b"INFO" + bytes(49_996)
    path = written(tmp_path, wav_bytes(pcm16(tone(1.0)), tail=tail))
    assert read_audio(path).size == 16_000


def test_a_nan_on_the_other_channel_does_not_matter(tmp_path: Path) -> None:
    """Only the caller is read."""
    sides = np.stack((tone(1.0), np.full(16_000, np.nan, np.float32)), axis=1)
    path = write_audio(tmp_path / "float32.wav", sides, 16_000, "float32.wav")
    assert read_audio(path, caller_channel=CallerChannel.LEFT).size == 16_000


def test_a_recording_is_read_once(tmp_path: Path) -> None:
    """A second pass over a stream would silently find no audio."""
    with open_call(write_audio(tmp_path / "pcm16.wav", tone(1.0), 16_000, "pcm16.wav")) as call:
        assert len(list(call)) == 10
        with pytest.raises(RuntimeError, match="open it again"):
            list(call)


_PEAK_MEMORY = """
import resource, sys
from pipecat_deescalate.models.audio.recording import open_call
with open_call(sys.argv[1]) as call:
    print(sum(block.size for block in call))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_an_hour_takes_no_more_memory_than_a_minute(tmp_path: Path) -> None:
    """A queue of long calls must not need a machine sized for the longest one."""
    peaks = []
    for minutes in (1, 60):
        path = write_long_call(tmp_path / f"{minutes}.wav", minutes)
        command = [sys.executable, "-c", _PEAK_MEMORY, str(path)]
        # the interpreter that runs this test, and a path that the test made
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        samples, peak = map(int, done.stdout.split())
        assert samples == minutes * 60 * 16_000
        peaks.append(peak)
    assert peaks[1] <= 1.1 * peaks[0]


def test_arrays_of_other_types_come_out_as_floats() -> None:
    """Whoever calls the classifier holds PCM from a socket or floats from a library."""
    audio = tone(0.1)
    integers = np.frombuffer(pcm16(audio), "<i2")
    assert np.abs(to_mono_float32(integers) - audio).max() < 2**-14
    assert to_mono_float32(np.array([-32_768], np.int16)) == -1.0
    for same in (audio, audio.astype(np.float64), audio[:, np.newaxis]):
        converted = to_mono_float32(same)
        assert converted.dtype == np.float32
        assert np.array_equal(converted, audio)
    assert to_mono_float32(np.zeros(0, np.float32)).size == 0
    assert to_mono_float32(np.array([-3.0, 3.0])).tolist() == [-1.0, 1.0]


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (np.zeros((100, 2), np.float32), "mono is needed"),
        (np.zeros((), np.float32), "mono is needed"),
        (np.zeros(100, np.int32), "int16, float32 or float64"),
        (np.zeros(100, np.uint8), "int16, float32 or float64"),
        (np.zeros(100, np.complex64), "int16, float32 or float64"),
        (np.array([0.0, np.nan]), "not numbers"),
        (np.array([0.0, np.inf], np.float32), "not numbers"),
        (np.array([0.0, 1e300]), "far beyond full scale"),
        (np.array([0.0, 20_000.0], np.float32), "far beyond full scale"),
    ],
)
def test_arrays_that_are_no_mono_audio_are_refused(
    audio: np.ndarray[tuple[int, ...], np.dtype[np.generic]], reason: str
) -> None:
    """A wrong type or scale would be scored as a voice, and nobody would know."""
    with pytest.raises(SamplesError, match=reason) as caught:
        to_mono_float32(audio)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("rate", [0, -16_000, 7_999, 48_001, 16_000.5])
def test_rates_of_arrays_are_checked(rate: int, tmp_path: Path) -> None:
    """A rate in kHz, or none, must not come out as silence."""
    for call in (
        lambda: resample(tone(0.1), rate, 16_000),
        lambda: resample(tone(0.1), 16_000, rate),
        lambda: open_call(tmp_path / "any.wav", sample_rate=rate),
    ):
        with pytest.raises(SamplesError, match="sample rate"):
            call()
    with pytest.raises(SamplesError, match="block of 0 ms"):
        open_call(tmp_path / "any.wav", block_ms=0)
