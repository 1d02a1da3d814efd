"""What is read of video files, of every container, codec and kind of damage that can be made here."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import clips

from omnishot.modality import clip
from omnishot.modality.base import CellError

pytest.importorskip("av")

FILES = [
    ("mp4", "mpeg4", "aac"),
    ("mp4", "libx264", "aac"),  # holds frames back to the end
    ("mov", "mpeg4", "pcm_s16le"),
    ("matroska", "mpeg4", "pcm_s16le"),
    ("avi", "mpeg4", "mp3"),
    ("avi", "libx264", "mp3"),  # no times of its packets
    ("webm", "libvpx", "libopus"),
    ("mpegts", "libx264", "aac"),
]
SIXTEEN = clips.greys(16)


def seen(data: bytes, count: int = 8) -> list[int]:
    """How bright what is seen at each moment is."""
    found = [round(float(picture.mean())) for picture, times in clip.pictures(data, count) for _ in range(times)]
    assert len(found) == count
    return found


def about(frames: list[int]) -> object:
    return pytest.approx([clips.grey(i) for i in frames], abs=4)


@pytest.mark.parametrize(("kind", "codec", "sound"), FILES)
def test_moments_are_evenly_spaced(kind, codec, sound):
    data = clips.encoded(SIXTEEN, kind, codec, sound=sound)
    assert seen(data) == about([1, 3, 5, 7, 9, 11, 13, 15])
    assert seen(data, 2) == about([4, 12])
    assert seen(data, 1) == about([8])
    assert seen(data, 32) == about([i // 2 for i in range(32)])
    assert clip.size(data) == (32, 48)


@pytest.mark.parametrize(("kind", "codec", "sound"), FILES)
def test_a_single_frame_is_seen_all_the_time(kind, codec, sound):
    assert seen(clips.encoded(SIXTEEN[:1], kind, codec)) == about([0] * 8)
    assert seen(clips.encoded(SIXTEEN[:1], kind, codec, sound=sound)) == about([0] * 8)


@pytest.mark.parametrize("kind", ["mp4", "matroska"])
def test_a_frame_is_seen_until_the_next_one(kind):
    data = clips.encoded(SIXTEEN[:4], kind, moments=[0, 1, 2, 15])
    assert seen(data) == about([1, 2, 2, 2, 2, 2, 2, 3])
    late = clips.encoded(SIXTEEN[:4], kind, moments=[40, 41, 50, 55])
    assert seen(late) == about([1, 1, 1, 1, 1, 2, 2, 3])


def test_a_length_that_the_header_does_not_say():
    class Pipe(io.RawIOBase):
        written = b""

        def writable(self) -> bool:
            return True

        def write(self, part) -> int:
            self.written += bytes(part)
            return len(part)

    pipe = Pipe()
    clips.encoded(SIXTEEN, "matroska", file=pipe)
    import av

    with av.open(io.BytesIO(pipe.written)) as container:
        assert container.duration is None
    assert seen(pipe.written) == about([1, 3, 5, 7, 9, 11, 13, 15])


@pytest.mark.parametrize(("turned", "bright"), [(0, "top"), (90, "left"), (180, "bottom"), (-90, "right")])
def test_pictures_are_turned_upright(turned, bright):
    frame = np.zeros((1, 32, 48, 3), np.uint8)
    frame[:, :16] = 255
    data = clips.encoded(frame, turned=turned)
    ((picture, times),) = clip.pictures(data, 3)
    assert times == 3
    assert picture.shape[:2] == clip.size(data) == ((32, 48) if turned in (0, 180) else (48, 32))
    quarters = {"top": picture[:8], "bottom": picture[-8:], "left": picture[:, :8], "right": picture[:, -8:]}
    assert max(quarters, key=lambda side: quarters[side].mean()) == bright


@pytest.mark.parametrize("size", [(1, 1), (33, 47), (17, 130)])
def test_odd_sizes(size):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (3, *size, 3), dtype=np.uint8)
    data = clips.encoded(frames, "matroska", "ffv1", pixels="bgr0")
    for (picture, _), frame in zip(clip.pictures(data, 3), frames, strict=True):
        np.testing.assert_array_equal(picture, frame)


@pytest.mark.parametrize(("kind", "codec", "sound"), FILES)
def test_a_file_that_is_cut_off_is_named_so(kind, codec, sound):
    data = clips.encoded(SIXTEEN, kind, codec, sound=sound)
    if kind == "mpegts":  # made to be cut: it announces nothing
        assert seen(data[: len(data) // 2])[-1] < seen(data)[-1]
        return
    for share in (0.01, 0.3, 0.6):
        with pytest.raises(CellError, match=r"truncated|damaged or cut off"):
            list(clip.pictures(data[: int(share * len(data))], 8))
    with pytest.raises(CellError, match=r"truncated|damaged or cut off"):
        clip.sound(data[: int(0.5 * len(data))], 2.0)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda: clips.encoded(None, sound="aac"), "no video, but a file with sound alone"),
        (lambda: clips.encoded(SIXTEEN[:0]), "no video, but an empty file|damaged or cut off"),
        (lambda: clips.encoded(SIXTEEN[:0], sound="aac"), "sound alone|zero frames|damaged"),
        (lambda: b"#EXTM3U\n#EXTINF:10,\nfile:///etc/hostname\n", "no video, but text that begins '#EXTM3U"),
        (lambda: b"ffconcat version 1.0\nfile /etc/hostname\n", "no video, but text that begins 'ffconcat"),
        (lambda: b"\x89PNG\r\n\x1a\n" + bytes(50), "no video, but a PNG image"),
        (lambda: bytes(50), "no video, but 50 bytes"),
    ],
)
def test_what_is_no_video_is_named(data, reason):
    for read in (clip.size, lambda given: list(clip.pictures(given, 8))):
        with pytest.raises(CellError, match=reason):
            read(data())


def test_damaged_packets_are_an_error_or_are_seen():
    data = bytearray(clips.encoded(SIXTEEN, "matroska", "libx264"))
    rng, outcomes = np.random.default_rng(0), set()
    for _ in range(30):
        broken = data.copy()
        for place in rng.integers(200, len(data), 20):
            broken[place] = rng.integers(256)
        try:
            outcomes.add(len(seen(bytes(broken))))
        except CellError as error:
            outcomes.add(bool(str(error)))
    assert outcomes <= {8, True}


@given(st.binary(max_size=200), st.sampled_from([b"", b"RIFF\0\0\0\0AVI ", b"\0\0\0\x18ftypisom", b"\x1aE\xdf\xa3"]))
def test_any_bytes_are_refused_with_a_reason(rest, head):
    for read in (clip.size, clip.sound_length, lambda given: list(clip.pictures(given, 2))):
        with pytest.raises(CellError, match=r"\w"):
            read(head + rest)


@pytest.mark.parametrize(("kind", "codec", "sound"), FILES)
def test_the_tone_is_heard(kind, codec, sound):
    data = clips.encoded(SIXTEEN, kind, codec, sound=sound)
    rate, samples = clip.sound_length(data)
    assert samples / rate == pytest.approx(2.0, abs=0.15)
    wave, same = clip.sound(data, 1.0)
    assert same == rate
    assert wave.shape[1] == 1
    assert len(wave) >= rate
    spectrum = np.abs(np.fft.rfft(wave[:rate, 0]))
    assert abs(np.argmax(spectrum) - clips.HERTZ) <= 2
    assert np.abs(wave[rate // 2 : rate]).max() == pytest.approx(0.5, abs=0.1)


def test_a_video_without_sound():
    for read in (clip.sound_length, lambda data: clip.sound(data, 1.0)):
        with pytest.raises(CellError, match="a video without sound"):
            read(clips.encoded(SIXTEEN))


@pytest.mark.parametrize(("kind", "codec", "sound"), FILES[:-1])
def test_videos_are_known_by_their_first_bytes(kind, codec, sound):
    assert clip.is_clip(clips.encoded(SIXTEEN[:1], kind, codec))
    assert not clip.is_clip(b"RIFF\0\0\0\0WAVEfmt ")


def test_without_pyav_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(CellError, match=r"PyAV, which is not installed: pip install omnishot\[video\]"):
        clip.size(b"")
