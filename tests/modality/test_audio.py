import io
import struct
import sys
import zipfile

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import clips

from omnishot.errors import UsageError
from omnishot.modality.audio import Audio
from omnishot.modality.base import CellError

MODALITY = Audio(8000, 4000, 0.1)


def tone(rate: int, seconds: float = 0.5, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def file_of(wave: np.ndarray, rate: int = 8000, kind: str = "WAV", subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=subtype)
    return file.getvalue()


def test_fits_and_keeps_the_contract(rng, keeps_the_contract):
    cells = [file_of(rng.normal(0, 0.1, n).clip(-1, 1)) for n in (3000, 4000, 2000)]
    fitted = Audio.fit(cells)
    assert (fitted.rate, fitted.samples) == (8000, 4000)
    assert fitted.loudness == pytest.approx(0.1, rel=0.05)
    stored = np.stack([fitted.decode(cell) for cell in cells])
    keeps_the_contract(fitted, stored)
    assert (stored[2, 2000:] == 0).all()
    normal = fitted.normalise(torch.from_numpy(stored))
    assert normal.dtype == torch.float32
    assert normal.abs().max() <= 1


def test_default_rate_and_length():
    assert Audio.fit([file_of(tone(44100), 44100)]).rate == 16000
    mixed = [file_of(tone(8000)), file_of(tone(8000)), file_of(tone(11025), 11025)]
    assert Audio.fit(mixed).rate == 8000
    assert Audio.fit([tone(16000, 2.0)]).samples == 32000
    assert Audio.fit([file_of(tone(8000, 12.0))]).samples == 80000
    assert Audio.fit(mixed, rate=4000, seconds=0.25).shape == (1000,)
    for wrong in ({"rate": 10}, {"seconds": 0}):
        with pytest.raises(UsageError):
            Audio.fit(mixed, **wrong)


CODECS = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")]


@pytest.mark.parametrize(("kind", "subtype"), CODECS)
@pytest.mark.parametrize("rate", [8000, 44100])
def test_a_tone_stays_the_tone(kind, subtype, rate):
    stereo = np.stack([tone(rate), tone(rate)], 1)
    wave = MODALITY.decode(file_of(stereo, rate, kind, subtype)).astype(float)
    spectrum = np.abs(np.fft.rfft(wave))
    assert abs(np.argmax(spectrum) * 2 - 440) <= 4
    assert np.abs(wave).max() / 32768 == pytest.approx(0.5, abs=0.06)


def test_arrays_and_dicts_agree_with_files():
    wave = tone(8000)
    expected = MODALITY.decode(file_of(wave))
    for cell in (wave, wave[:, None], np.stack([wave, wave], 1), (wave * 32768).astype(np.int16)):
        assert np.abs(MODALITY.decode(cell).astype(int) - expected).max() <= 1
    louder = {"array": tone(16000), "sampling_rate": 16000}
    assert np.abs(MODALITY.decode(louder).astype(int) - expected)[50:-50].max() < 200


@pytest.mark.parametrize(
    "cell",
    [
        np.zeros(0),
        np.zeros((0, 2), np.float32),
        np.zeros((2, 2, 2)),
        np.zeros(5, np.int64),
        np.full(5, np.nan),
        np.full(5, 2000.0),
        {"array": np.zeros(5)},
        {"array": np.zeros(5), "sampling_rate": 3},
        np.zeros((5, 100)),
    ],
)
def test_arrays_that_are_no_sound(cell):
    with pytest.raises(CellError):
        MODALITY.decode(cell)


@given(frames=st.integers(1, 9000), rate=st.integers(1000, 200_000), channels=st.integers(1, 3))
def test_any_sound_gives_one_shape(frames, rate, channels):
    stored = MODALITY.decode(file_of(np.full((frames, channels), 0.5, np.float32), rate))
    assert stored.shape == MODALITY.shape
    assert stored.dtype == np.int16


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "FLAC", "OGG"])
def test_truncated_files(kind):
    data = file_of(tone(8000), kind=kind)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(CellError, match=r"truncated|damaged|zero length"):
            MODALITY.decode(data[: int(len(data) * share)])


def test_a_truncated_wav_says_what_is_missing():
    with pytest.raises(CellError, match="8000 bytes of sound announced, 4000 are there"):
        MODALITY.decode(file_of(tone(8000), subtype="PCM_16")[:4044])


def test_streamed_wavs_with_unknown_length_are_read():
    data = bytearray(file_of(tone(8000), subtype="PCM_16"))
    data[4:8] = data[40:44] = struct.pack("<I", 0xFFFFFFFF)
    assert MODALITY.decode(bytes(data)).any()


def test_a_flac_stream_of_unknown_length():
    data = bytearray(file_of(tone(8000), kind="FLAC"))
    data[21] &= 0xF0  # the 36 bits from here on count the samples (RFC 9639, section 8.2)
    data[22:26] = bytes(4)
    with pytest.raises(CellError, match="does not say how long"):
        MODALITY.decode(bytes(data))


def test_zero_length():
    with pytest.raises(CellError, match="zero length"):
        MODALITY.decode(file_of(np.zeros(0, np.float32)))


def test_a_long_sound_is_not_unpacked_whole(monkeypatch):
    asked = []
    read = soundfile.SoundFile.read
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda self, n=-1, **k: asked.append(n) or read(self, n, **k))
    MODALITY.decode(file_of(np.zeros(400_000, np.float32), kind="FLAC"))
    assert len(asked) == 1
    assert 4000 <= asked[0] < 5000


@given(st.binary(max_size=200), st.sampled_from([b"", b"RIFF\xff\0\0\0WAVE", b"fLaC", b"OggS"]))
def test_garbage_is_a_cell_error(garbage, magic):
    with pytest.raises(CellError) as caught:
        MODALITY.decode(magic + garbage)
    assert str(caught.value)


def test_noise_is_as_loud_as_training_sounds():
    noise = MODALITY.corrupt(torch.zeros(20, 4000, dtype=torch.int16), 1.0, torch.Generator().manual_seed(0))
    assert MODALITY.normalise(noise).std() == pytest.approx(0.1, rel=0.02)


def test_picture_and_player():
    stored = MODALITY.decode(tone(8000, hertz=200))
    pixels = np.asarray(MODALITY.picture(stored)).astype(int).sum(-1)
    row = pixels.mean(1).argmax()
    assert row > len(pixels) / 2  # a low tone is in the lower half
    assert len(np.unique(np.asarray(MODALITY.picture(np.zeros(4000, np.int16))))) < 8  # silence has no picture
    np.testing.assert_array_equal(MODALITY.decode(MODALITY.wav_bytes(stored)), stored)
    assert Audio(8000, 1, 1.0).picture(np.ones(1, np.int16)).size[0] >= 1


def test_a_spoken_digit(shared_data):
    archive = shared_data / "fsdd" / "recordings.zip"
    if not archive.is_file():
        pytest.skip("needs recordings.zip")
    with zipfile.ZipFile(archive) as files:
        cells = [files.read(name) for name in files.namelist() if name.endswith(".wav")][:20]
    fitted = Audio.fit(cells)
    assert fitted.rate == 8000
    assert np.stack([fitted.decode(cell) for cell in cells]).any(1).all()


# -- the sound of videos -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "sound"), [("mp4", "aac"), ("matroska", "pcm_s16le"), ("webm", "libopus")])
def test_the_sound_of_a_video(kind, sound):
    pytest.importorskip("av")
    data = clips.encoded(clips.greys(16), kind, "libvpx" if kind == "webm" else "mpeg4", sound=sound)
    fitted = Audio.fit([data])
    assert fitted.rate == 16_000
    assert fitted.samples / fitted.rate == pytest.approx(2.0, abs=0.15)
    spectrum = np.abs(np.fft.rfft(MODALITY.decode(data).astype(float)))
    assert abs(np.argmax(spectrum) * 2 - clips.HERTZ) <= 4
    assert np.abs(MODALITY.decode(data)).max() / 32768 == pytest.approx(0.5, abs=0.1)


def test_a_video_that_has_no_sound_to_give(monkeypatch):
    pytest.importorskip("av")
    data = clips.encoded(clips.greys(4))
    with pytest.raises(CellError, match="a video without sound"):
        MODALITY.decode(data)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(CellError, match=r"pip install omnishot\[video\]"):
        MODALITY.decode(data)
