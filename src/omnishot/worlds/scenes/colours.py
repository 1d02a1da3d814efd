"""Colours of the world `scenes`, in OKLab, where equal distances look about equally large."""

from __future__ import annotations

import numpy as np

#: Lightness 0...1, chroma, hue in degrees (OKLCh).
BASIC: dict[str, tuple[float, float, float]] = {
    "red": (0.60, 0.23, 27),
    "orange": (0.74, 0.17, 58),
    "yellow": (0.90, 0.18, 103),
    "green": (0.62, 0.19, 143),
    "blue": (0.52, 0.22, 262),
    "pink": (0.80, 0.12, 355),
    "brown": (0.44, 0.08, 55),
    "purple": (0.50, 0.20, 304),
}
JITTER = (0.02, 0.012)  # standard deviation of lightness, and of the other two axes, from thing to thing
APART = 0.11  # least distance of a new colour from every basic one
_LIGHTNESS, _CHROMA = (0.36, 0.9), (0.06, 0.25)  # of new colours: no grey, nothing lost on a background

# Björn Ottosson, A perceptual color space for image processing, 2020.
_TO_LMS = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.291485548]]
)
_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.707614701],
    ]
)


def lab(lightness: float, chroma: float, hue: float) -> np.ndarray:
    """OKLCh, the hue in degrees, as OKLab `[3]`."""
    angle = np.deg2rad(hue)
    return np.array([lightness, chroma * np.cos(angle), chroma * np.sin(angle)])


def _linear(colour: np.ndarray) -> np.ndarray:
    return (colour @ _TO_LMS.T) ** 3 @ _TO_RGB.T


def to_rgb(colour: np.ndarray) -> np.ndarray:
    """OKLab `[..., 3]` as sRGB `[..., 3]` in 0...255, cut to what a screen can show."""
    linear = np.clip(_linear(colour), 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return 255 * curved


def invent(taken: list[np.ndarray], rng: np.random.Generator, candidates: int = 24) -> np.ndarray:
    """A new colour, OKLab `[3]`: one a screen can show, away from the basic ones, far from those `taken` already."""
    basic = np.stack([lab(*colour) for colour in BASIC.values()])
    tried: list[np.ndarray] = []
    while len(tried) < candidates:
        colour = lab(rng.uniform(*_LIGHTNESS), rng.uniform(*_CHROMA), rng.uniform(0, 360))
        shown = _linear(colour)
        if shown.min() >= 0 and shown.max() <= 1 and np.linalg.norm(basic - colour, axis=1).min() >= APART:
            tried.append(colour)
    if not taken:
        return tried[0]
    gaps = [np.linalg.norm(np.stack(taken) - colour, axis=1).min() for colour in tried]
    return tried[int(np.argmax(gaps))]


def vary(colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`colour`, OKLab `[3]`, as one thing happens to have it."""
    return colour + rng.standard_normal(3) * (JITTER[0], JITTER[1], JITTER[1])
