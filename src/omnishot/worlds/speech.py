"""Speech by eSpeak NG voices through `espeakng-loader`, which is optional (GPL-3), and recordings of it."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
import tempfile
import wave
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np

from omnishot.errors import DataError

RATE = 8000  # Hz
LONGEST = 0.8  # seconds
SNR = (0.0, 15.0)  # dB of the name over the background noise
INSTALL = "pip install 'omnishot[demo]' (or: pip install espeakng-loader)"

# Languages that read the romanised names much as they are meant, and the voices that ship with eSpeak NG.
LANGUAGES = ("en", "en-us", "en-gb-scotland", "de", "es", "it", "nl", "pl", "sw", "ro", "id", "sv")
VARIANTS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5")

Utterance = tuple[str, str, int, int]
"""Text, voice, words per minute, pitch (0 to 100)."""


def installed() -> bool:
    """Whether eSpeak NG can be loaded here."""
    return importlib.util.find_spec("espeakng_loader") is not None


def draw_utterance(name: str, rng: np.random.Generator) -> Utterance:
    """`name` in a random voice, speed and pitch."""
    voice = f"{rng.choice(LANGUAGES)}+{rng.choice(VARIANTS)}"
    return name, voice, int(rng.integers(130, 230)), int(rng.integers(20, 81))


def speak(utterances: Sequence[Utterance]) -> Generator[np.ndarray, None, None]:
    """Yield each utterance, in order, as int16 samples `[n]` at 8 kHz without silence around it.

    The same list gives the same samples every time. The next utterances are spoken in the background.

    Raises:
        DataError: with eSpeak NG's own message, if it fails.
    """
    program = [sys.executable, "-P", str(Path(__file__).with_name("espeak.py"))]
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(program, stdin=pipe, stdout=pipe, stderr=complaints) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(list(utterances)).encode())
            process.stdin.close()
            for utterance in utterances:
                header = process.stdout.read(4)
                data = process.stdout.read(2 * int.from_bytes(header, "little")) if len(header) == 4 else b""
                if not data:
                    complaints.seek(0)
                    reason = complaints.read().decode(errors="replace").strip() or "it wrote nothing"
                    raise DataError(f"eSpeak NG could not speak {utterance}: {reason}")
                yield np.frombuffer(data, "<i2")
        finally:
            process.kill()


def record(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A noisy recording of spoken `samples [n]`: int16 `[m]` at 8 kHz, at most `LONGEST` seconds."""
    before, after = rng.integers(0, RATE // 25, 2)
    clean = np.pad(samples.astype(np.float64), (before, after))[: int(RATE * LONGEST)]
    noise = coloured_noise(int(RATE * LONGEST), rng)[: len(clean)]
    decibels = rng.uniform(*SNR)
    mixed = clean + noise * np.sqrt(np.mean(clean**2)) * 10 ** (-decibels / 20)
    loudness = rng.uniform(0.3, 0.9) * 32767
    return np.rint(mixed * (loudness / np.abs(mixed).max())).astype(np.int16)


def coloured_noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """Noise `[count]` of unit power with a spectrum f^-a for a random a in [0, 2) (white to brown)."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum *= np.arange(1, len(spectrum) + 1) ** -(rng.uniform(0, 2) / 2)
    noise = np.fft.irfft(spectrum, count)
    return noise / max(float(np.sqrt(np.mean(noise**2))), 1e-9)


def encode_wav(samples: np.ndarray) -> bytes:
    """int16 `[n]` as a mono WAV file at 8 kHz."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()
