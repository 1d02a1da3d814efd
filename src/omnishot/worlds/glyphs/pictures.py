"""Pictures of letters: 28 x 28, font faces that matplotlib ships in random pose, thickness and noise."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from omnishot.errors import DataError

SIDE = 28  # pixels
EM = 56  # pixels a letter's em measures before it is posed
_BLANK = 16  # pixels around it, room for the stroke

ROTATION = 15.0  # degrees either way
SHEAR = 0.25
EXTENT = (18.0, 25.0)  # pixels of the longer side of the posed letter
GRAIN = (0.02, 0.09)  # standard deviation of the noise, of 1
SCRATCHED = 0.3  # fraction of the pictures with a scratch across

# Named one by one: among the others that matplotlib ships, one draws a placeholder box for every character.
FACES = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *("cmr10", "cmb10", "cmss10", "cmti10", "cmtt10"),
)


def _path(face: str) -> Path:
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"


@functools.cache
def _covers(face: str) -> frozenset[int]:
    return frozenset(FT2Font(str(_path(face))).get_charmap())


@functools.cache
def _font(face: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(_path(face)), EM, layout_engine=ImageFont.Layout.BASIC)


@functools.cache
def faces_of(char: str) -> tuple[str, ...]:
    """The faces that have an outline for `char`.

    Raises:
        DataError: if none has one: matplotlib is installed without its fonts.
    """
    faces = tuple(face for face in FACES if _path(face).exists() and ord(char) in _covers(face))
    if not faces:
        raise DataError(f"no font face below {_path('x').parent} draws {char!r}: reinstall matplotlib")
    return faces


@functools.lru_cache(maxsize=4096)
def outline(char: str, face: str, stroke: int = 0) -> Image.Image:
    """`char` in `face`, white on black with an empty margin, `stroke` pixels thicker all round."""
    font = _font(face)
    left, top, right, bottom = font.getbbox(char, stroke_width=stroke)
    size = (math.ceil(right - left) + 2 * _BLANK, math.ceil(bottom - top) + 2 * _BLANK)
    image = Image.new("L", size)
    draw = ImageDraw.Draw(image)
    draw.text((_BLANK - left, _BLANK - top), char, fill=255, font=font, stroke_width=stroke)
    return image


def descent(char: str) -> float:
    """How far `char` extends below the baseline, in em, in its first face."""
    return float(_font(faces_of(char)[0]).getbbox(char, anchor="ls")[3]) / EM


def pose(image: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """The letter turned, sheared, stretched, scaled and shifted at random: `[SIDE, SIDE]` in 0...1."""
    angle, shear = np.deg2rad(rng.uniform(-ROTATION, ROTATION)), rng.uniform(-SHEAR, SHEAR)
    stretch, extent = np.exp(rng.uniform(-0.2, 0.2)), rng.uniform(*EXTENT)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[stretch, shear], [0, 1 / stretch]])
    width, height = image.width - 2 * _BLANK, image.height - 2 * _BLANK
    # Posed at twice the size, then halved, against jagged edges.
    box = np.abs(matrix @ np.array([[width, width], [height, -height]])).max(1)  # the posed letter's extents
    grow = 2 * extent / box.max()
    matrix *= grow
    centre = SIDE + rng.uniform(-0.5, 0.5, 2) * (2 * SIDE - grow * box)
    back = np.linalg.inv(matrix)  # PIL asks where each output pixel comes from
    offset = np.array([image.width, image.height]) / 2 - back @ centre
    data = (*back[0], offset[0], *back[1], offset[1])
    double = image.transform((SIDE * 2, SIDE * 2), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    return np.asarray(double.reduce(2), np.float64) / 255


def soil(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`ink [SIDE, SIDE]` in 0...1 as dark ink on paper: scratched, unevenly lit, grainy, in 0...1."""
    if rng.random() < SCRATCHED:  # takes ink away or leaves some
        x, y = rng.uniform(0, SIDE, 2)
        slope = rng.uniform(0, np.pi)
        rows, columns = np.mgrid[:SIDE, :SIDE]
        far = np.abs((columns - x) * np.sin(slope) - (rows - y) * np.cos(slope)) > rng.uniform(0.4, 1.2)
        ink = np.where(far, ink, rng.choice([0.0, 0.8], p=[0.7, 0.3]))
    tilt = rng.uniform(-0.15, 0.15, 2) @ (np.mgrid[:SIDE, :SIDE] / SIDE - 0.5).reshape(2, -1)
    contrast, paper = rng.uniform(0.45, 0.8), rng.uniform(0.85, 0.95)
    picture = paper + tilt.reshape(SIDE, SIDE) - contrast * ink
    return np.clip(picture + rng.normal(0, rng.uniform(*GRAIN), picture.shape), 0, 1)


def draw(char: str, rng: np.random.Generator) -> np.ndarray:
    """A random picture of `char`: uint8 `[SIDE, SIDE]`."""
    face = faces_of(char)[rng.integers(len(faces_of(char)))]
    image = outline(char, face, int(rng.integers(0, 4)))
    ink = pose(image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 2.5))), rng)
    return np.rint(soil(ink, rng) * 255).astype(np.uint8)
