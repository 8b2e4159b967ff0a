"""Files that are no recording, or not all of one, and what is said about each."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipecat_deescalate.models.audio.recording import CallerChannel, open_call, read_audio
from pipecat_deescalate.models.errors import AudioError

from ..audio import FLOAT, FORMS, noise, pcm16, speech_like, tone, wav_bytes, write_audio, written


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
    assert "more audio than its MP3 header says" in refused(path)


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("call.mp3", "s more audio than its MP3 header says"),
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


@pytest.mark.parametrize("data_bytes", [0, 2**64 - 1])
def test_an_rf64_that_was_not_completed_is_refused(data_bytes: int, tmp_path: Path) -> None:
    """The decoder would call it empty, or speak of an internal error."""
    path = write_audio(tmp_path / "long.wav", tone(1.0), 16_000, "long.wav")
    content = bytearray(path.read_bytes())
    at = content.find(b"ds64") + 16
    content[at : at + 8] = struct.pack("<Q", data_bytes)
    path.write_bytes(content)
    assert "not completed" in refused(path)


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"channels": 2, "block_align": 2, "byte_rate": 32_000}, "is stereo"),
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


@pytest.mark.parametrize(
    "lie", [{"block_align": 4}, {"block_align": 0}, {"byte_rate": 8_000}, {"byte_rate": 0}]
)
def test_a_header_that_is_wrong_where_nothing_depends_on_it_is_read(
    lie: dict[str, int], tmp_path: Path
) -> None:
    """Every player plays such a file; the record must say that it was odd, and lose no sample."""
    content = wav_bytes(pcm16(tone(2.0)), **lie)
    with open_call(written(tmp_path, wav_bytes(pcm16(tone(2.0))))) as call:
        right = np.concatenate(list(call))
        assert call.has_consistent_header
    with open_call(written(tmp_path, content)) as call:
        assert np.array_equal(np.concatenate(list(call)), right)
        assert not call.has_consistent_header
    assert "promises 2.00 s" in refused(written(tmp_path, content[:-20_000]))


def test_24_bits_in_a_container_of_32_are_read(tmp_path: Path) -> None:
    """Some recorders write so, and the decoder finds out by itself."""
    frames = ((tone(2.0) * (2**23 - 1)).astype("<i4") * 256).tobytes()
    content = wav_bytes(frames, bits=24, block_align=4, byte_rate=64_000)
    assert np.abs(read_audio(written(tmp_path, content)) - tone(2.0)).max() < 2**-15


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
