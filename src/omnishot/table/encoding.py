"""Media cells as the bytes of files: PNG pictures and NumPy arrays."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image


def encode_png(picture: np.ndarray, **options: Any) -> bytes:
    """A PNG file of `picture`, uint8 `[height, width]` (grey) or `[height, width, 3]`; `options` are Pillow's."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", **options)
    return file.getvalue()


def encode_npy(array: np.ndarray) -> bytes:
    """A NumPy `.npy` file of `array`."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
