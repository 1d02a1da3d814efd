"""The voices of the world `accents`: a way of speaking of eSpeak NG, a vocal tract, and a microphone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from omnishot.worlds.speech import RATE, VARIANTS, Utterance, coloured_noise

SPEED, PITCH = (130, 211), (25, 76)  # words per minute and eSpeak NG's pitch, from and below
TRACT = (0.87, 1.15)  # of the length that eSpeak NG's own voices have
COLOURING = 4.0  # dB, standard deviation of a microphone's ripples
RIPPLES = 4
SNR = (10.0, 30.0)  # dB of speech over noise
PAUSE = 0.06  # seconds before and after, at most


@dataclass(frozen=True)
class Voice:
    """A speaker and a microphone: `tract` scales all frequencies, `ripples [RIPPLES]` (dB) shape the spectrum."""

    name: str
    reader: str
    pitch: int
    speed: int
    tract: float
    ripples: tuple[float, ...]


def draw(language: str, taken: Collection[str], rng: np.random.Generator) -> Voice:
    """A random voice of a language, under a name like "en-us+f3 p40 s160" that is not among those `taken`."""
    while True:
        variant, pitch, speed = rng.choice(VARIANTS), int(rng.integers(*PITCH)), int(rng.integers(*SPEED))
        tract, ripples = rng.uniform(*TRACT), tuple(rng.normal(0, COLOURING, RIPPLES))
        name = f"{language}+{variant} p{pitch} s{speed}"
        if name not in taken:
            return Voice(name, f"{language}+{variant}", pitch, speed, float(tract), ripples)


def utter(voice: Voice, text: str, rng: np.random.Generator) -> Utterance:
    """A request for one take of `text`, with a little random pitch and speed."""
    pitch = int(np.clip(voice.pitch + rng.integers(-6, 7), 0, 99))
    return text, voice.reader, round(voice.speed * rng.uniform(0.9, 1.1)), pitch


def record(voice: Voice, samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A recording of spoken `samples [n]` by the voice's microphone: int16 `[m]` at 8 kHz, whole, with noise."""
    count = max(round(len(samples) * voice.tract), 2)
    sound = np.interp(np.linspace(0, len(samples) - 1, count), np.arange(len(samples)), samples.astype(np.float64))
    sound = np.pad(sound, tuple(rng.integers(0, int(RATE * PAUSE), 2)))
    sound = _colour(sound, voice.ripples)
    noise = coloured_noise(len(sound), rng)
    mixed = sound + noise * np.sqrt(np.mean(sound**2)) * 10 ** (-rng.uniform(*SNR) / 20)
    loudness = rng.uniform(0.3, 0.9) * 32767
    return np.rint(mixed * (loudness / np.abs(mixed).max())).astype(np.int16)


def _colour(sound: np.ndarray, ripples: tuple[float, ...]) -> np.ndarray:
    """`sound [n]` with the frequency response of a microphone: cosines over the octaves from 125 Hz to 4 kHz."""
    spectrum = np.fft.rfft(sound)
    octave = np.log2(np.clip(np.linspace(0, RATE / 2, len(spectrum)), 125, None) / 125) / 5
    decibels = sum(ripple * np.cos(np.pi * (k + 1) * octave) for k, ripple in enumerate(ripples))
    return np.fft.irfft(spectrum * 10 ** (decibels / 20), len(sound))
