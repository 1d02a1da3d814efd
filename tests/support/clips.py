"""Small video files that tests encode: each frame of one grey, and a tone as sound."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

RATE = 8  # frames a second
HERTZ, SOUND_RATE = 440.0, 16_000


def grey(i: int) -> int:
    """How bright frame `i` is."""
    return 10 + 14 * i


def greys(frames: int, size: tuple[int, int] = (32, 48)) -> np.ndarray:
    """uint8 `[frames, h, w, 3]`."""
    return np.stack([np.full((*size, 3), grey(i), np.uint8) for i in range(frames)])


def encoded(
    frames: np.ndarray | None,
    kind: str = "mp4",
    codec: str = "mpeg4",
    *,
    sound: str | None = None,
    seconds: float = 2.0,
    moments: Sequence[int] | None = None,
    turned: float | None = None,
    pixels: str = "yuv420p",
    file: Any = None,
) -> bytes:
    """A video file of frames `[time, h, w, 3]`, or without pictures.

    Args:
        sound: codec of a tone of 440 hertz, half of full scale, of so many `seconds`.
        moments: of the frames, in eighths of a second.
        turned: degrees counter-clockwise by which a player is to turn the pictures.
        file: what is written to instead of one in memory that can be sought in.
    """
    import av

    target = io.BytesIO() if file is None else file
    with av.open(target, "w", format=kind) as container:
        video = container.add_stream(codec, rate=RATE) if frames is not None else None
        if video is not None:
            video.height, video.width, video.pix_fmt, video.bit_rate = *frames.shape[1:3], pixels, 2_000_000
            if turned is not None:
                if not hasattr(video, "set_display_rotation"):
                    pytest.skip("this version of PyAV cannot write how a video is turned")
                video.set_display_rotation(turned)
        tone = container.add_stream(sound, rate=SOUND_RATE, layout="mono") if sound else None
        for i, pixels_ in enumerate(() if frames is None else frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels_), format="rgb24")
            frame.pts, frame.time_base = i if moments is None else moments[i], Fraction(1, RATE)
            container.mux(video.encode(frame))
        if video is not None:
            container.mux(video.encode(None))
        if tone is not None:
            wave = 0.5 * np.sin(2 * np.pi * HERTZ * np.arange(int(seconds * SOUND_RATE)) / SOUND_RATE)
            frame = av.AudioFrame.from_ndarray((wave * 32767).astype(np.int16)[None], format="s16", layout="mono")
            frame.sample_rate = SOUND_RATE
            for part in av.AudioResampler(format=tone.format, layout="mono", rate=SOUND_RATE).resample(frame):
                container.mux(tone.encode(part))
            container.mux(tone.encode(None))
    return b"" if file is not None else target.getvalue()
