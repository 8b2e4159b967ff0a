"""Recorded calls in every form that is read, and every bad one that is refused."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.audio import (
    CallerChannel,
    open_call,
    read_audio,
    resample,
    to_mono_float32,
)
from pipecat_deescalate.models.errors import AudioError, SamplesError
from pipecat_deescalate.models.levels import Levels
from pipecat_deescalate.models.source import ForwardFile

from ..audio import (
    FLOAT,
    FORMS,
    noise,
    pcm16,
    speech_like,
    tone,
    wav_bytes,
    write_audio,
    write_long_call,
)

LOSSY = {"call.opus", "call.ogg", "call.mp3", "gsm.wav", "ms_adpcm.wav"}
STEP = {"pcm8.wav": 2**-6, "mulaw.wav": 2**-5, "alaw.wav": 2**-5}
RATES = (8_000, 11_025, 16_000, 22_050, 44_100, 48_000)


def refused(path: Path, **options: CallerChannel) -> str:
    """Read a file that must be refused; return the one line that says why."""
    with pytest.raises(AudioError) as caught, open_call(path, **options) as call:
        for _ in call:
            pass
    message = str(caught.value)
    assert message == f"{path}: {caught.value.reason}"
    assert "\n" not in message
    return caught.value.reason


def written(folder: Path, content: bytes) -> Path:
    path = folder / "call.wav"
    path.write_bytes(content)
    return path


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


@pytest.mark.parametrize("rate", [7_999, 6_000, 48_001, 96_000])
def test_other_rates_are_refused(rate: int, tmp_path: Path) -> None:
    """Below 8 kHz there is too little of the voice; above 48 kHz is no telephone recording."""
    path = written(tmp_path, wav_bytes(pcm16(tone(0.5, rate)), rate=rate))
    assert f"sample rate of {rate} Hz; convert" in refused(path)


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


def test_stereo_without_a_named_channel_is_refused(tmp_path: Path) -> None:
    """Mixing both sides would score the bot's voice as the caller's."""
    sides = np.stack((tone(1.0), tone(1.0)), axis=1)
    path = write_audio(tmp_path / "pcm16.wav", sides, 16_000, "pcm16.wav")
    assert "--caller-channel left|right" in refused(path)


def test_a_channel_named_for_a_mono_call_is_fine(tmp_path: Path) -> None:
    """One option for a folder of mono and stereo calls must not fail the mono ones."""
    path = write_audio(tmp_path / "pcm16.wav", tone(1.0), 16_000, "pcm16.wav")
    assert read_audio(path, caller_channel=CallerChannel.RIGHT).size == 16_000


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
        (b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(2_000), "cannot be read as WAV, FLAC, Ogg or MP3"),
        (bytes(2_000), "cannot be read as WAV, FLAC, Ogg or MP3"),
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
    path = tmp_path / "call.aiff"
    soundfile.write(path, tone(1.0), 16_000)
    assert refused(path) == "is AIFF; convert it to WAV, FLAC, Ogg or MP3"


def test_a_wav_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    """Half a call read as a whole one would lose the angry half in silence."""
    content = wav_bytes(pcm16(tone(4.0)))
    reason = refused(written(tmp_path, content[: 44 + 32_000]))
    assert "promises 4.00 s" in reason
    assert "holds 1.00 s" in reason


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.98])
@pytest.mark.parametrize("form", [form for form in FORMS if form not in ("call.opus", "call.ogg")])
def test_a_recording_that_was_cut_off_is_refused(form: str, cut: float, tmp_path: Path) -> None:
    """Every form that announces its length must be held to it, whoever decodes it."""
    path = write_audio(tmp_path / form, noise(20.0), 16_000, form)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    assert "cut off" in refused(path)


@pytest.mark.parametrize("form", ["call.opus", "call.ogg"])
def test_an_ogg_stream_that_was_cut_off_is_read_as_far_as_it_goes(
    form: str, tmp_path: Path
) -> None:
    """An Ogg stream announces no length; refusing a call that broke off would lose it."""
    audio = noise(20.0)
    path = write_audio(tmp_path / form, audio, 16_000, form)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 0.3 < read_audio(path).size / audio.size < 0.6


def _without_first_frame(path: Path) -> bytes:
    """An MP3 file without the frame in which the encoder notes its length."""
    content = path.read_bytes()
    return content[content.find(content[:2], 4) :]


def test_an_mp3_that_announces_nothing_is_read_to_its_end(tmp_path: Path) -> None:
    """What was streamed has no length to be held to: a call that broke off is read."""
    path = tmp_path / "call.mp3"
    soundfile.write(path, noise(10.0), 16_000, bitrate_mode="CONSTANT", compression_level=0.5)
    bare = _without_first_frame(path)
    for share in (1.0, 0.5):
        path.write_bytes(bare[: int(share * len(bare))])
        with open_call(path) as call:
            assert call.duration_s is None
            samples = sum(block.size for block in call)
        assert samples == pytest.approx(share * 160_000, abs=4_000)


def test_an_mp3_whose_length_would_be_misjudged_is_refused(tmp_path: Path) -> None:
    """The decoder guesses from the first frame's bit rate, and stops there: half a call lost."""
    path = write_audio(tmp_path / "call.mp3", speech_like(10.0), 16_000, "call.mp3")
    path.write_bytes(_without_first_frame(path))
    assert "more audio than its MP3 header tells" in refused(path)


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("call.mp3", "s more audio than its MP3 header tells"),
        ("call.opus", "several Ogg streams"),
        ("call.ogg", "several Ogg streams"),
        ("call.flac", "damaged or cut off near"),
        ("pcm16.wav", "10.00 s more follow"),
    ],
)
def test_recordings_joined_byte_by_byte_are_refused(form: str, reason: str, tmp_path: Path) -> None:
    """Decoders stop after the first one, and the rest of the call would be lost in silence."""
    path = write_audio(tmp_path / form, noise(10.0), 16_000, form)
    content = path.read_bytes()
    path.write_bytes(content + (content[44:] if form == "pcm16.wav" else content))
    assert reason in refused(path)


@pytest.mark.parametrize("rate", RATES)
def test_tags_around_an_mp3_change_nothing(rate: int, tmp_path: Path) -> None:
    """Recorders write the call's number there; the frames must be counted past it."""
    path = write_audio(tmp_path / "call.mp3", noise(2.0, rate), rate, "call.mp3")
    content = path.read_bytes()
    path.write_bytes(b"ID3\4\0\0\0\0\1\0" + bytes(128) + content + b"TAG" + bytes(125))
    assert read_audio(path).size == 32_000


def test_a_flac_that_announces_nothing_is_read_to_its_end(tmp_path: Path) -> None:
    """An encoder that writes to a pipe leaves its number of samples at 0."""
    path = write_audio(tmp_path / "call.flac", noise(5.0), 16_000, "call.flac")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    with open_call(path) as call:
        assert call.duration_s is None
        assert sum(block.size for block in call) == 80_000


@pytest.mark.parametrize("size", [0x7FFF_F000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF])
def test_a_wav_written_to_a_pipe_is_read_to_its_end(size: int, tmp_path: Path) -> None:
    """SoX, arecord and ffmpeg put such lengths into what they stream: nothing is wrong with it."""
    audio = tone(2.0)
    path = written(tmp_path, wav_bytes(pcm16(audio), data_bytes=size))
    with open_call(path) as call:
        assert call.duration_s == 2.0
        assert sum(block.size for block in call) == audio.size


@pytest.mark.parametrize("data_bytes", [0, 2**64 - 1])
def test_an_rf64_that_was_not_completed_is_refused(data_bytes: int, tmp_path: Path) -> None:
    """The decoder would call it empty, or speak of an internal error."""
    path = write_audio(tmp_path / "long.wav", tone(1.0), 16_000, "long.wav")
    content = bytearray(path.read_bytes())
    at = content.find(b"ds64") + 16
    content[at : at + 8] = struct.pack("<Q", data_bytes)
    path.write_bytes(content)
    assert "not completed" in refused(path)


def test_a_big_endian_wav_is_read(tmp_path: Path) -> None:
    """Its header must be checked in its own byte order."""
    data = np.frombuffer(pcm16(tone(1.0)), "<i2").astype(">i2").tobytes()
    audio = read_audio(written(tmp_path, wav_bytes(data, order=">")))
    assert np.abs(audio - tone(1.0)).max() < 2**-14


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"block_align": 4}, "2 bytes a frame, it says 4"),
        ({"block_align": 0}, "2 bytes a frame, it says 0"),
        ({"byte_rate": 8_000}, "32000 bytes a second, it says 8000"),
        ({"channels": 2, "block_align": 2, "byte_rate": 32_000}, "contradicts itself"),
        ({"bits": 0}, "0 bits a sample"),
        ({"bits": 16, "tag": FLOAT}, "16 bits a sample"),
        ({"rate": 0}, "sample rate of 0 Hz"),
        ({"rate": 4_000_000_000 // 2}, "sample rate of 2000000000 Hz"),
        ({"channels": 0}, "0 channels"),
        ({"tag": 0x1234}, "cannot be read"),
        ({"tag": 0x11, "block_align": 0}, "sizes of 0"),
        ({"data_bytes": 0}, "promises 0.00 s of audio, but 2.00 s more follow"),
        ({"data_bytes": 16_000}, "promises 0.50 s of audio, but 1.50 s more follow"),
    ],
)
def test_a_wav_header_that_lies_is_refused(
    lie: dict[str, int], reason: str, tmp_path: Path
) -> None:
    """The decoder believes these and gives audio of the wrong speed, length or channel."""
    byte_rate = {"byte_rate": 2**32 - 1} if lie.get("rate", 0) > 2**30 else {}
    assert reason in refused(written(tmp_path, wav_bytes(pcm16(tone(2.0)), **byte_rate, **lie)))


def test_chunks_behind_the_audio_are_no_lie(tmp_path: Path) -> None:
    """Recorders write the caller's number and their own name there."""
    tail = b"LIST" + struct.pack("<I", 50_000) + b"INFO" + bytes(49_996)
    path = written(tmp_path, wav_bytes(pcm16(tone(1.0)), tail=tail))
    assert read_audio(path).size == 16_000


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_refused_with_its_time(value: float, tmp_path: Path) -> None:
    """One NaN would spread over the whole turn in the features."""
    audio = tone(3.0, 8_000)
    audio[20_000] = value
    path = write_audio(tmp_path / "float32.wav", audio, 8_000, "float32.wav")
    assert "not a number (NaN or infinite) at 2.500 s" in refused(path)


def test_a_nan_on_the_other_channel_does_not_matter(tmp_path: Path) -> None:
    """Only the caller is read."""
    sides = np.stack((tone(1.0), np.full(16_000, np.nan, np.float32)), axis=1)
    path = write_audio(tmp_path / "float32.wav", sides, 16_000, "float32.wav")
    assert read_audio(path, caller_channel=CallerChannel.LEFT).size == 16_000


def test_floats_at_the_scale_of_integers_are_refused(tmp_path: Path) -> None:
    """Limited to [-1, 1] they would be a square wave, which sounds like shouting."""
    path = write_audio(tmp_path / "float32.wav", tone(1.0) * 32_768, 16_000, "float32.wav")
    assert "far beyond full scale" in refused(path)


def test_clipping_is_counted_and_limited(tmp_path: Path) -> None:
    """Clipped speech sounds angry: the caller of this has to be able to say so."""
    loud = tone(1.0, level=3.0)
    over = int(np.count_nonzero(np.abs(loud) > 1))
    for form in ("float32.wav", "pcm16.wav", "pcm8.wav"):
        with open_call(write_audio(tmp_path / form, loud, 16_000, form)) as call:
            audio = np.concatenate(list(call))
            assert call.clipped_samples == pytest.approx(over, rel=0.01)
            assert np.abs(audio).max() == 1.0
            assert call.peak == pytest.approx(3.0 if form == "float32.wav" else 1.0)


def test_speech_at_full_level_is_not_clipped(tmp_path: Path) -> None:
    """A recording normalised to full scale touches it once, which is no damage."""
    audio = speech_like(3.0)
    audio *= np.float32(32_767 / 32_768) / np.abs(audio).max()
    with open_call(write_audio(tmp_path / "pcm16.wav", audio, 16_000, "pcm16.wav")) as call:
        assert sum(block.size for block in call) == audio.size
        assert call.clipped_samples == 0


@given(
    signal=st.lists(st.sampled_from([0.0, 0.5, 1.0, -1.0, 1.5]), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_clipping_is_counted_the_same_across_chunks(signal: list[float], cuts: list[int]) -> None:
    """A run that crosses a chunk's edge must be counted once."""
    audio = np.array(signal, dtype=np.float32)
    levels = Levels()
    for piece in np.split(audio, sorted(min(cut, audio.size) for cut in cuts)):
        levels.add(piece)
    levels.finish()
    full = [False, *(np.abs(audio) >= 1), False]
    expected = sum(
        full[at] and (full[at - 1] or full[at + 1] or abs(signal[at - 1]) > 1)
        for at in range(1, len(full) - 1)
    )
    assert levels.clipped_samples == expected
    assert levels.peak == np.abs(audio).max(initial=0.0)


@pytest.mark.parametrize(
    "content",
    [
        wav_bytes(bytes(32_000)),
        wav_bytes(bytes(16_000), bits=8),
        wav_bytes(b"\x80" * 16_000, bits=8),
        wav_bytes(b"\xff" * 16_000, bits=8, tag=7),
        wav_bytes(b"\xd5\x55" * 8_000, bits=8, tag=6),
    ],
)
def test_digital_silence_is_told(content: bytes, tmp_path: Path) -> None:
    """A recorder on the wrong channel writes it; each encoding has its own silence."""
    with open_call(written(tmp_path, content)) as call:
        samples = sum(block.size for block in call)
        assert call.is_silent
    assert samples == 16_000


def test_the_faintest_speech_is_not_silence(tmp_path: Path) -> None:
    """A quiet line must be analysed, not refused."""
    audio = speech_like(2.0, level=0.001)
    with open_call(write_audio(tmp_path / "pcm16.wav", audio, 16_000, "pcm16.wav")) as call:
        assert sum(block.size for block in call) == audio.size
        assert not call.is_silent


def test_a_recording_is_read_once(tmp_path: Path) -> None:
    """A second pass over a stream would silently find no audio."""
    with open_call(write_audio(tmp_path / "pcm16.wav", tone(1.0), 16_000, "pcm16.wav")) as call:
        assert len(list(call)) == 10
        with pytest.raises(RuntimeError, match="open it again"):
            list(call)


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


_PEAK_MEMORY = """
import resource, sys
from pipecat_deescalate.models.audio import open_call
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
