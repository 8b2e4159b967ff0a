"""Recordings that are slightly off: read as every player reads them, and said."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipecat_deescalate.models.audio import source
from pipecat_deescalate.models.audio.recording import CallerChannel, open_call, read_audio
from pipecat_deescalate.models.errors import AudioError
from pipecat_deescalate.models.readings import Samples

from ..audio import FORMS, noise, pcm16, speech_like, tone, wav_bytes, write_audio, written

MULAW, GSM, MP3 = 7, 0x31, 0x55
ID3 = b"ID3\4\0\0\0\0\x02\0" + b"\x5a" * 256
TAG = b"TAG" + b"caller" + bytes(119)
LIST = b"LIST" + struct.pack("<I", 2_004) + b"INFO" + b"\x41\x7a" * 1_000


def heard(path: Path, **options: CallerChannel) -> tuple[Samples, str]:
    """A recording's audio, and what is odd about it."""
    with open_call(path, **options) as call:
        samples = np.concatenate(list(call))
    return samples, "; ".join(call.warnings)


def encoded(samples: Samples, container: str, subtype: str, rate: int = 16_000) -> bytes:
    """The bytes of a file in a form that libsndfile writes."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype, format=container)
    return file.getvalue()


@pytest.mark.parametrize(
    "lie",
    [
        {"block_align": 4},
        {"block_align": 0},
        {"byte_rate": 8_000},
        {"byte_rate": 0},
        {"data_bytes": 0},
        {"data_bytes": 64_044},
        {"data_bytes": 0x7FFF_F000},
        {"data_bytes": 0xFFFF_FFFF},
        {"data_bytes": 16_000},
        {"tail": bytes(5_000)},
        {"tail": ID3},
        {"tail": TAG},
        {"tail": b"<xml>a note of the recorder</xml>" * 50},
        {"tail": np.random.default_rng(0).bytes(50_000)},
        {"data_bytes": 0, "tail": LIST},
        {"data_bytes": 0xFFFF_FFFF, "tail": ID3},
        {"data_bytes": 0xFFFF_FFFF, "tail": TAG},
    ],
)
def test_a_header_that_is_off_costs_no_sample_and_is_said(
    lie: dict[str, int], tmp_path: Path
) -> None:
    """Refused, or with a tag read as noise, a call would be lost that every player plays."""
    audio = speech_like(2.0)
    right, none = heard(written(tmp_path, wav_bytes(pcm16(audio))))
    assert none == ""
    samples, warning = heard(written(tmp_path, wav_bytes(pcm16(audio), **lie)))
    assert np.array_equal(samples, right)
    assert "WAV" in warning


@pytest.mark.parametrize("order", ["<", ">"])
def test_mu_law_of_16_bits_is_of_8(order: str, tmp_path: Path) -> None:
    """The recorder names the size of the decoded sample; taken for it, the call is refused."""
    data = encoded(speech_like(2.0, 8_000), "RAW", "ULAW", 8_000)
    lie = {"tag": MULAW, "bits": 16, "block_align": 1, "byte_rate": 8_000}
    samples, warning = heard(written(tmp_path, wav_bytes(data, rate=8_000, order=order, **lie)))
    assert samples.size == 32_000
    assert np.corrcoef(samples, speech_like(2.0))[0, 1] > 0.9
    assert "contradicts itself" in warning


def test_audio_in_two_chunks_or_two_files_is_read_to_its_end(tmp_path: Path) -> None:
    """The second half of the call would be lost."""
    audio = speech_like(4.0)
    half = pcm16(audio[:32_000]), pcm16(audio[32_000:])
    chunk = b"data" + struct.pack("<I", len(half[1])) + half[1]
    for content in (wav_bytes(half[0], tail=chunk), wav_bytes(half[0]) + wav_bytes(half[1])):
        samples, warning = heard(written(tmp_path, content))
        assert np.array_equal(samples, read_audio(written(tmp_path, wav_bytes(pcm16(audio)))))
        assert "2 pieces" in warning
    other = wav_bytes(half[1], rate=8_000)
    with pytest.raises(AudioError, match="different formats"):
        heard(written(tmp_path, wav_bytes(half[0]) + other))


def test_a_tag_behind_audio_of_odd_length_is_no_noise(tmp_path: Path) -> None:
    """Without the padding byte the tag stands one byte early, and was taken for audio."""
    audio = ((speech_like(2.0, 8_000)[:-1] + 1) * 127).astype(np.uint8).tobytes()
    content = wav_bytes(audio, rate=8_000, bits=8, tail=LIST)
    samples, warning = heard(written(tmp_path, content))
    assert samples.size == 31_998
    assert "not padded" in warning


def test_mp3_in_a_wav_file_is_read(tmp_path: Path) -> None:
    """Recorders write it so, with sizes of 0 in the header."""
    mp3 = encoded(speech_like(3.0), "MP3", "MPEG_LAYER_III")
    content = wav_bytes(mp3, tag=MP3, bits=0, block_align=1, byte_rate=0)
    samples, warning = heard(written(tmp_path, content))
    assert samples.size == pytest.approx(48_000, abs=2_000)
    assert np.corrcoef(samples[:40_000], speech_like(3.0)[:40_000])[0, 1] > 0.9
    assert "MP3 inside" in warning


@pytest.mark.parametrize("data_bytes", [0, 2**64 - 1])
def test_an_rf64_that_was_not_completed_is_read(data_bytes: int, tmp_path: Path) -> None:
    """A recorder that was killed leaves the length open."""
    path = write_audio(tmp_path / "long.wav", tone(1.0), 16_000, "long.wav")
    content = bytearray(path.read_bytes())
    at = content.find(b"ds64") + 16
    content[at : at + 8] = struct.pack("<Q", data_bytes)
    path.write_bytes(content)
    samples, warning = heard(path)
    assert samples.size == 16_000
    assert "how long" in warning


def test_24_bits_in_a_container_of_32_are_read(tmp_path: Path) -> None:
    """Some recorders write so, and nothing is wrong with it."""
    frames = ((tone(2.0) * (2**23 - 1)).astype("<i4") * 256).tobytes()
    content = wav_bytes(frames, bits=24, block_align=4, byte_rate=64_000)
    for data_bytes in (None, 0):
        path = written(tmp_path, wav_bytes(frames, bits=24, block_align=4, byte_rate=64_000,
                                           data_bytes=data_bytes))  # fmt: skip
        assert np.abs(read_audio(path) - tone(2.0)).max() < 2**-15
    assert heard(written(tmp_path, content))[1] == ""


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.98])
@pytest.mark.parametrize("form", FORMS)
def test_a_recording_that_was_cut_off_is_read_and_said(
    form: str, cut: float, tmp_path: Path
) -> None:
    """Half a call must neither be lost nor pass for a whole one, whoever decodes it."""
    path = write_audio(tmp_path / form, noise(20.0), 16_000, form)
    assert heard(path)[1] == ""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    samples, warning = heard(path)
    assert cut - 0.1 < samples.size / 320_000 < cut + 0.1
    assert "cut off" in warning


@pytest.mark.parametrize("container", ["AU", "W64", "AIFF"])
def test_other_containers_are_read_and_held_to_their_length(container: str, tmp_path: Path) -> None:
    """Libsndfile shortens these without a word when they were cut off."""
    content = encoded(noise(4.0), container, "PCM_16")
    path = written(tmp_path, content)
    samples, warning = heard(path)
    assert (samples.size, warning) == (64_000, "")
    path.write_bytes(content[: len(content) // 2])
    samples, warning = heard(path)
    assert samples.size == pytest.approx(32_000, abs=200)
    assert "cut off: it announces 4.00 s" in warning


def _bare(mp3: bytes) -> bytes:
    """An MP3 stream without the frame in which the encoder notes its length."""
    return mp3[mp3.find(mp3[:2], 4) :]


def test_an_mp3_that_announces_nothing_is_read_to_its_end(tmp_path: Path) -> None:
    """The decoder guesses the length from the first frame's bit rate, and stops there."""
    bare = _bare(encoded(speech_like(10.0), "MP3", "MPEG_LAYER_III"))
    for share in (1.0, 0.5):
        path = written(tmp_path, bare[: int(share * len(bare))])
        with open_call(path) as call:
            assert call.duration_s is None
            samples = sum(block.size for block in call)
        assert samples == pytest.approx(share * 160_000, abs=16_000)
        assert bool(call.warnings) == (share < 1)


@pytest.mark.parametrize("between", [b"", ID3, TAG, TAG + ID3, bytes(700)])
@pytest.mark.parametrize("noted", [True, False])
def test_an_mp3_joined_from_parts_is_read_to_its_end(
    between: bytes, noted: bool, tmp_path: Path
) -> None:
    """Telephone systems join the parts of a call byte by byte; half of it was lost, unsaid."""
    part = encoded(speech_like(5.0, 8_000), "MP3", "MPEG_LAYER_III", 8_000)
    part = part if noted else _bare(part)
    path = tmp_path / "call.mp3"
    path.write_bytes(between + part + between + part)
    samples, warning = heard(path)
    assert samples.size == pytest.approx(160_000, abs=5_000)
    halves = samples[:80_000], samples[-80_000:]
    assert np.corrcoef(*halves)[0, 1] > 0.9 or not noted
    assert warning or not (between or noted)


def test_mp3_parts_of_two_rates_are_read_at_one(tmp_path: Path) -> None:
    """The decoder stops at the change; read at one rate, the rest would be at another pitch."""
    parts = [
        encoded(speech_like(3.0, rate), "MP3", "MPEG_LAYER_III", rate) for rate in (8_000, 16_000)
    ]
    samples, warning = heard(written(tmp_path, b"".join(parts)))
    assert samples.size == 96_000
    assert np.corrcoef(samples[:48_000], samples[48_000:])[0, 1] > 0.9
    assert "different rates" in warning
    both = encoded(np.stack([speech_like(3.0)] * 2, axis=1), "MP3", "MPEG_LAYER_III")
    path = written(tmp_path, parts[1] + both)
    with pytest.raises(AudioError, match="mono and stereo"):
        heard(path, caller_channel=CallerChannel.LEFT)


@pytest.mark.parametrize("form", ["call.opus", "call.ogg", "call.flac"])
def test_streams_in_a_row_are_read_to_the_last(form: str, tmp_path: Path) -> None:
    """Decoders stop after the first one, and the rest of the call would be lost in silence."""
    path = write_audio(tmp_path / form, speech_like(10.0), 16_000, form)
    once = read_audio(path)
    path.write_bytes(path.read_bytes() * 2)
    samples, warning = heard(path)
    assert np.array_equal(samples, np.concatenate((once, once)))
    assert "2 recordings" in warning


def _streamed(flac: bytes) -> bytes:
    """A FLAC file as an encoder that writes to a pipe leaves it: of no stated length."""
    return flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]


def test_a_flac_that_announces_nothing_is_read_to_its_end(tmp_path: Path) -> None:
    """What was streamed has no length to be held to; where it was cut shows in its last block."""
    flac = encoded(noise(5.0), "FLAC", "PCM_16")
    path = written(tmp_path, _streamed(flac))
    with open_call(path) as call:
        assert call.duration_s is None
        assert sum(block.size for block in call) == 80_000
    assert call.warnings == ()
    samples, warning = heard(written(tmp_path, _streamed(flac)[: len(flac) // 2]))
    assert 0.3 < samples.size / 80_000 < 0.6
    assert "cut off" in warning


def test_a_flac_in_its_own_length_or_more(tmp_path: Path) -> None:
    """A wrong count of samples ended the call early; a tag behind it was an error."""
    flac = encoded(noise(5.0), "FLAC", "PCM_16")
    short = flac[:22] + struct.pack(">I", 16_000) + flac[26:]
    assert read_audio(written(tmp_path, short)).size == 80_000
    assert read_audio(written(tmp_path, flac + TAG)).size == 80_000
    damaged = written(tmp_path, flac[:40_000] + b"\xff" * 1_000 + flac[41_000:])
    with pytest.raises(AudioError, match="is damaged near"):
        heard(damaged)


@pytest.mark.parametrize(
    ("name", "subtype", "rate"),
    [
        ("call.ulaw", "ULAW", 8_000),
        ("call.ul", "ULAW", 8_000),
        ("call.ALAW", "ALAW", 8_000),
        ("call.sln", "PCM_16", 8_000),
        ("call.sln16", "PCM_16", 16_000),
        ("call.gsm", "GSM610", 8_000),
        ("call.vox", "VOX_ADPCM", 8_000),
    ],
)
def test_bare_samples_are_read_as_their_name_says(
    name: str, subtype: str, rate: int, tmp_path: Path
) -> None:
    """Asterisk records so; refused, a whole archive would have to be converted."""
    path = tmp_path / name
    path.write_bytes(encoded(speech_like(3.0, rate), "RAW", subtype, rate))
    samples, warning = heard(path)
    assert samples.size == pytest.approx(48_000, abs=400)
    assert np.corrcoef(samples[:47_000], speech_like(3.0)[:47_000])[0, 1] > 0.8
    assert f"read as {subtype}, mono, at {rate} Hz" in warning


def test_a_file_that_is_no_bare_samples_is_not_read_as_such(tmp_path: Path) -> None:
    """A WAV under such a name would be noise; words and other bytes, too."""
    path = tmp_path / "call.gsm"
    path.write_bytes(wav_bytes(pcm16(tone(1.0))))
    assert heard(path) == (pytest.approx(tone(1.0), abs=2**-14), "")
    for content in (b"Caller: hello?\n" * 40, b"\x12" * 400):
        path.write_bytes(content)
        with pytest.raises(AudioError):
            heard(path)


OTHERS = {
    "mp4": ("aac", 16_000, "fltp"),
    "webm": ("libopus", 48_000, "flt"),
    "g722": ("g722", 16_000, "s16"),
    "mov": ("pcm_s16le", 16_000, "s16"),
    "adts": ("aac", 16_000, "fltp"),
}


def _by_pyav(path: Path, container: str) -> Path:
    av = pytest.importorskip("av")
    codec, rate, form = OTHERS[container]
    with av.open(path, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        samples = speech_like(4.0, rate)
        if form == "s16":
            samples = np.frombuffer(pcm16(samples), "<i2")
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], form, "mono")
        frame.sample_rate = rate
        fifo = av.AudioFifo()
        fifo.write(frame)
        size = stream.codec_context.frame_size or 1_024
        for piece in [*fifo.read_many(size), fifo.read(0, partial=True)]:
            for packet in stream.encode(piece) if piece else ():
                file.mux(packet)
        for packet in stream.encode(None):
            file.mux(packet)
    return path


@pytest.mark.parametrize("container", OTHERS)
def test_the_second_decoder_reads_what_the_first_cannot(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Phones, browsers and meetings record so; without it, one command that converts is named."""
    ending = container if container == "g722" else "wav"
    path = _by_pyav(tmp_path / f"call.{ending}", container)
    samples, warning = heard(path)
    assert samples.size == pytest.approx(64_000, abs=3_000)
    level = np.abs(samples).reshape(-1, samples.size)[0]
    assert 0.1 < level.max() <= 1
    assert warning == ""
    monkeypatch.setattr(source, "is_installed", lambda: False)
    with pytest.raises(AudioError) as caught:
        heard(path)
    assert 'pip install "pipecat-deescalate[demo]"' in caught.value.reason
    assert "ffmpeg -i IN OUT.wav" in caught.value.reason


def test_an_mp4_that_was_cut_off_is_one_line(tmp_path: Path) -> None:
    """Its index stands at the end: nothing can be read, and that must be said."""
    path = _by_pyav(tmp_path / "call.m4a", "mp4")
    path.write_bytes(path.read_bytes()[:5_000])
    with pytest.raises(AudioError, match="cannot be read"):
        heard(path)


def test_an_amr_of_which_packets_cannot_be_decoded_keeps_its_clock(tmp_path: Path) -> None:
    """Left out, they would move every later turn."""
    pytest.importorskip("av")
    speech, comfort_noise = b"\x3c" + bytes(31), b"\x44" + bytes(5)
    path = tmp_path / "call.amr"
    path.write_bytes(b"#!AMR\n" + (speech * 50 + comfort_noise * 50) * 2)
    samples, warning = heard(path)
    assert samples.size == 64_000
    assert "100 packets could not be decoded" in warning


def test_a_list_of_files_is_never_opened(tmp_path: Path) -> None:
    """The second decoder would follow a play list to other files, and to the network."""
    path = tmp_path / "call.m4a"
    for content in (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", b"ffconcat version 1.0\nfile x.wav\n"):
        path.write_bytes(content)
        with pytest.raises(AudioError, match="holds text"):
            heard(path)


@pytest.mark.parametrize(
    "other",
    [
        lambda left: left,
        lambda left: 0.2 * left,
        lambda left: -left,
        lambda left: np.roll(left, 160),
        lambda left: left + noise(left.size / 16_000, level=0.005),
        lambda left: np.round(left * 64) / 64,
    ],
    ids=["equal", "softer", "inverted", "late", "noisy", "coarse"],
)
def test_one_recording_on_both_channels_is_said(other: object, tmp_path: Path) -> None:
    """Whichever side is named, bot and caller are read as one; nothing else would show it."""
    assert callable(other)
    left = speech_like(6.0)
    sides = np.stack((left, other(left).astype(np.float32)), axis=1)
    path = write_audio(tmp_path / "pcm16.wav", sides, 16_000, "pcm16.wav")
    assert "both channels hold the same audio" in heard(path, caller_channel=CallerChannel.LEFT)[1]


def test_two_people_on_two_channels_are_no_copies(tmp_path: Path) -> None:
    """Hum, silence and an echo of the bot on the caller's side are in every good recording."""
    turns = (np.arange(96_000) // 24_000) % 2
    hum = 0.05 * np.sin(2 * np.pi * 50 * np.arange(96_000) / 16_000)
    caller, bot = speech_like(6.0, seed=1) * turns, speech_like(6.0, seed=2) * (1 - turns)
    for left, right in (
        (caller + 0.1 * bot + hum, bot + hum),
        (np.zeros(96_000), bot),
        (caller, 1e-4 * noise(6.0)),
    ):
        sides = np.stack((left, right), axis=1).astype(np.float32)
        path = write_audio(tmp_path / "pcm16.wav", sides, 16_000, "pcm16.wav")
        assert heard(path, caller_channel=CallerChannel.RIGHT)[1] == ""


def test_a_channel_named_for_a_mono_call_is_said(tmp_path: Path) -> None:
    """One option for a folder of mono and stereo calls reads them all; a mix is not the caller."""
    path = write_audio(tmp_path / "pcm16.wav", tone(1.0), 16_000, "pcm16.wav")
    samples, warning = heard(path, caller_channel=CallerChannel.RIGHT)
    assert samples.size == 16_000
    assert "the recording is mono" in warning
    assert "right" in warning


def test_what_is_odd_about_a_short_recording_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who reads a clip into memory has no record to find the warning in."""
    read_audio(written(tmp_path, wav_bytes(pcm16(tone(1.0)), data_bytes=0)))
    assert [record.getMessage() for record in caplog.records] == ["odd_recording"]


def test_a_live_call_loads_no_decoder_of_files() -> None:
    """It would cost every bot the memory and the start of libraries that it never uses."""
    code = (
        "import sys; from pipecat_deescalate import Deescalator; Deescalator(); "
        "print({'soundfile', 'av'} & set(sys.modules))"
    )
    run = subprocess.run(  # noqa: S603 - the interpreter that runs this test
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "set()"
