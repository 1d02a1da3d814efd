"""Clips of moving scenes as MP4 files. Needs PyAV, the extra `video`."""

from __future__ import annotations

import importlib.util
import io

import numpy as np

from omnishot.worlds.scenes.concepts import Concept
from omnishot.worlds.scenes.motion import SECONDS, Clip, position
from omnishot.worlds.scenes.pictures import NOISE, compose, draw_ground, draw_sprite, soil

FRAMES = 20  # of a clip
INSTALL = "pip install 'omnishot[video]' (or: pip install av)"


def installed() -> bool:
    """Whether clips can be written here."""
    return importlib.util.find_spec("av") is not None


def draw(clip: Clip, concept: Concept, side: int, rng: np.random.Generator) -> np.ndarray:
    """The frames of a clip: uint8 `[FRAMES, side, side, 3]`."""
    pairs = list(zip(clip.scene.things, clip.motions, strict=True))
    sprites = [draw_sprite(thing, concept, side, rng) for thing, _ in pairs]
    ground = draw_ground(clip.scene.ground, side, rng)
    frames = []
    for seconds in np.arange(FRAMES) * SECONDS / FRAMES:
        there = [
            (sprite, *position(thing, motion, seconds))
            for sprite, (thing, motion) in zip(sprites, pairs, strict=True)
            if seconds >= motion.appears
        ]
        frames.append(compose(ground, there))
    return soil(np.stack(frames), rng.uniform(*NOISE) / 2, rng)


def encode_mp4(frames: np.ndarray) -> bytes:
    """uint8 `[frames, height, width, 3]` (height and width even) as a silent H.264 clip of `SECONDS`."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=round(len(frames) / SECONDS))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        # One thread, since several can divide the work, and so the bytes, in another way; and only what x264 computes
        # alike on every processor, since its faster routines depend on where a frame lies in memory.
        stream.options = {"crf": "20", "preset": "veryfast", "threads": "1", "x264-params": "cpu-independent=1"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()
