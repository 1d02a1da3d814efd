"""Images: any file Pillow reads safely, or an array, as uint8 pixels of one size."""

from __future__ import annotations

import functools
import io
import math
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch
import torch.nn.functional as F
from torch import Tensor

from omnishot.errors import UsageError
from omnishot.modality.base import CellError, Media, Reach, dense, usable
from omnishot.modality.file_signatures import unreadable

LARGEST = 84  # default pixels per side (mini-ImageNet's size)
PIXEL_LIMIT = 64_000_000  # an image that would unpack to more is refused before it is unpacked
# No format whose reader runs a program or an interpreter (EPS runs Ghostscript).
_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "TGA", "JPEG2000", "AVIF")
# `catch_warnings` changes a state that all threads share.
_OPENING = threading.Lock()


@dataclass(frozen=True)
class Image(Media):
    """Images of one size.

    Args:
        size: height and width in pixels.
        channels: 1 (grey) or 3 (red, green, blue).
        mean, std: of the training pixels, by channel, in units where white is 1.
    """

    size: tuple[int, int]
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    kind = "image"
    later = ("mean", "std")
    dtype = np.uint8
    unit = "of the way from black to white"

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.channels, *self.size)

    @classmethod
    def fit(
        cls, cells: Sequence[Any], *, size: int | Sequence[int] | None = None, channels: int | None = None
    ) -> Image:
        """Choose size, channels, mean and deviation from training images.

        Args:
            cells: bytes or arrays.
            size: pixels per side, or (height, width). Default: the size of the images if all have the same one, of at
                most 84 pixels per side; else 84 x 84.
            channels: 1 or 3. Default: 1 if no image has any colour.

        Raises:
            CellError: if no cell can be decoded.
            UsageError: for a size or number of channels that no image can have.
        """
        if channels not in (None, 1, 3):
            raise UsageError(f"channels = {channels} for images: give 1 (grey) or 3 (colour)")
        shape = common_size(usable(_size, cells)) if size is None else sides(size)
        colour = cls(shape, 3, (0.0,) * 3, (1.0,) * 3)
        statistics = usable(lambda cell: pixel_statistics(colour.decode(cell)), cells)
        if channels is None:
            channels = 1 if all(grey for grey, _ in statistics) else 3
        return cls.from_statistics(shape, channels, [of_image for _, of_image in statistics])

    @classmethod
    def from_statistics(cls, shape: tuple[int, int], channels: int, statistics: Sequence[np.ndarray]) -> Image:
        """Images of a size, from the `pixel_statistics` of training images of that size."""
        chosen = slice(3, 4) if channels == 1 else slice(3)
        mean, square = np.mean(statistics, 0)[:, chosen]
        std = np.sqrt(np.maximum(square - mean**2, 0))
        return cls(shape, channels, tuple(mean.tolist()), tuple(np.where(std > 1e-6, std, 1.0).tolist()))

    def decode(self, cell: bytes | np.ndarray) -> np.ndarray:
        """Turn upright (EXIF), put on white where transparent, and resize (Lanczos, proportions not kept)."""
        image = from_array(cell) if isinstance(cell, np.ndarray) else _open(cell)
        height, width = self.size
        try:
            # JPEG can be unpacked at a fraction of its size; twice the target size leaves enough pixels to average.
            image.draft("RGB" if self.channels == 3 else "L", (2 * max(self.size), 2 * max(self.size)))
            image.load()
            image = _plain(PIL.ImageOps.exif_transpose(image)).convert("RGB" if self.channels == 3 else "L")
        except Exception as error:  # Pillow raises errors of many types on damaged files
            raise CellError(_reason(error)) from error
        if image.size != (width, height):
            image = image.resize((width, height), PIL.Image.Resampling.LANCZOS)
        pixels = np.asarray(image, np.uint8)
        return np.ascontiguousarray(pixels.reshape(height, width, self.channels).transpose(2, 0, 1))

    def normalise(self, stored: Tensor) -> Tensor:
        """uint8 `[..., channels, h, w]` -> float32, mean 0 and deviation 1 over the training pixels."""
        mean, std = (by_channel(moment, stored.device) for moment in (self.mean, self.std))
        return stored.to(torch.float32, copy=True).div_(255).sub_(mean).div_(std)  # one allocation: the costly part

    def _corrupt(self, stored: Tensor, level: float | Tensor, generator: torch.Generator) -> Tensor:
        """Mix with uniform noise: `(1 - level) * pixel + level * noise`."""
        noise = torch.randint(0, 256, stored.shape, generator=generator, dtype=torch.uint8, device=generator.device)
        return ((1 - level) * stored.float() + level * noise.to(stored.device)).round().to(stored.dtype)

    def reach(self, cells: Tensor) -> Reach:
        """An epsilon of 1 is the distance from black to white. Perturbed pixels stay within that range."""
        black, white = (self.normalise(torch.full((self.channels, 1, 1), end, device=cells.device)) for end in (0, 255))
        unit = 1 / torch.tensor(self.std, dtype=torch.float64, device=cells.device).view(-1, 1, 1)
        return Reach(unit, black.to(cells.dtype), white.to(cells.dtype))

    def vary(self, stored: Tensor, level: float, generator: torch.Generator) -> Tensor:
        """Each picture rotated, scaled, sheared and shifted at random; pixels at the border are repeated outside.

        The largest changes at level 1: a rotation of 20 degrees, a scale of one fifth, a shear of 0.2, a shift of one
        tenth of each side.
        """
        cells = stored.flatten(0, stored.ndim - 4)
        chance = level * (2 * torch.rand(6, len(cells), generator=generator, device=generator.device) - 1)
        turn, wide, high, shear, right, down = chance.to(stored.device)
        cos, sin = (turn * math.radians(20)).cos(), (turn * math.radians(20)).sin()
        wide, high, shear = 1 + 0.2 * wide, 1 + 0.2 * high, 0.2 * shear
        rows = [wide * cos, shear * cos - high * sin, 0.2 * right, wide * sin, shear * sin + high * cos, 0.2 * down]
        theta = torch.stack(rows, -1).view(-1, 2, 3)  # half a side is 1
        grid = F.affine_grid(theta, list(cells.shape), align_corners=False)
        moved = F.grid_sample(cells.float(), grid, padding_mode="border", align_corners=False)
        return moved.round_().to(stored.dtype).view(stored.shape)

    def turn(self, stored: Tensor, turns: Tensor) -> Tensor:
        """uint8 `[..., channels, h, w]`, each turned by `turns` `[...]` quarter turns against the clock.

        Raises:
            UsageError: if the images are not square.
        """
        if self.size[0] != self.size[1]:
            raise UsageError(f"only square images can be turned, not {self.size[0]} x {self.size[1]}: set their size")
        cells, turns = stored.flatten(0, stored.ndim - 4), turns.flatten() % 4
        # Row numbers are computed on the device of `turns`, which avoids waiting for an accelerator.
        rows = [(turns == k).nonzero()[:, 0] for k in range(4)]
        there, back = (
            index.to(stored.device, non_blocking=True) for index in (torch.cat(rows), torch.cat(rows).argsort())
        )
        parts = cells.index_select(0, there).split([len(chosen) for chosen in rows])
        turned = torch.cat([part.rot90(k, (-2, -1)) for k, part in enumerate(parts)])
        return turned.index_select(0, back).view(stored.shape)

    def picture(self, stored: np.ndarray) -> PIL.Image.Image:
        """The pixels as a Pillow image."""
        pixels = np.asarray(stored, np.uint8)
        return PIL.Image.fromarray(pixels[0] if self.channels == 1 else pixels.transpose(1, 2, 0))


@functools.cache
def by_channel(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Numbers as float32 `[channels, 1, 1]`, cached, since a copy to an accelerator waits for its queued work."""
    return torch.tensor(values, device=device).view(-1, 1, 1)


def sides(size: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) from an option of the user.

    Raises:
        UsageError: if the option is no size.
    """
    both = (size, size) if isinstance(size, int) else tuple(size)
    if len(both) != 2 or not all(isinstance(side, int) and 1 <= side <= 4096 for side in both):
        raise UsageError(f"size = {size!r} for images: give pixels a side, or [height, width], from 1 to 4096")
    return both[0], both[1]


def common_size(sizes: list[tuple[int, int]], largest: int = LARGEST) -> tuple[int, int]:
    """The (height, width) that all images have, if it is at most `largest` per side; else a square of `largest`."""
    same = len(set(sizes)) == 1 and max(sizes[0]) <= largest
    return sizes[0] if same else (largest, largest)


def _size(cell: bytes | np.ndarray) -> tuple[int, int]:
    """(height, width) after EXIF rotation, as far as `common_size` needs it."""
    image = from_array(cell) if isinstance(cell, np.ndarray) else _open(cell)
    if image.width == image.height or max(image.size) > LARGEST:  # the EXIF orientation cannot change the result
        return image.size[::-1]
    try:
        turned = image.getexif().get(0x0112, 1) >= 5  # EXIF orientations 5 to 8 lie on their side
    except Exception:  # unreadable EXIF data: no rotation
        turned = False
    return image.size if turned else image.size[::-1]


def pixel_statistics(pixels: np.ndarray) -> tuple[bool, np.ndarray]:
    """Whether `[3, h, w]` is grey; mean and mean square `[2, 4]` of red, green, blue and luma (ITU-R BT.601)."""
    grey = bool((pixels == pixels[:1]).all())
    values = pixels / np.float64(255)
    values = np.concatenate([values, np.tensordot([[0.299, 0.587, 0.114]], values, 1)])
    return grey, np.stack([values.mean((1, 2)), (values**2).mean((1, 2))])


def _open(data: bytes) -> PIL.Image.Image:
    """Read the header only."""
    PIL.Image.init()
    formats = [name for name in _FORMATS if name in PIL.Image.OPEN]
    try:
        with _OPENING, warnings.catch_warnings():
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            image = PIL.Image.open(io.BytesIO(data), formats=formats)
    except (PIL.Image.DecompressionBombWarning, PIL.Image.DecompressionBombError) as error:
        raise CellError(f"refused as a decompression bomb ({error})") from None
    except PIL.UnidentifiedImageError:
        raise CellError(unreadable("image", data)) from None
    except Exception as error:  # as in decode
        raise CellError(_reason(error)) from error
    check_pixels(*image.size)
    return image


def _reason(error: Exception) -> str:
    """The reason of Pillow's error. Pillow reports "image file is truncated" with several messages."""
    message = str(error) or type(error).__name__
    if message.startswith("image file is truncated"):
        return message
    return f"image file is truncated ({message})" if "truncated" in message.lower() else f"damaged image ({message})"


def check_pixels(width: int, height: int) -> None:
    """Raises CellError if a picture is too large to be unpacked."""
    if width * height > PIXEL_LIMIT:
        raise CellError(f"refused as a decompression bomb ({width} x {height} pixels; the limit is {PIXEL_LIMIT:,})")


def _plain(image: PIL.Image.Image) -> PIL.Image.Image:
    """Any mode -> "L" or "RGB" (or one that converts to them without loss), on white where transparent."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image, np.float64)
        if not np.isfinite(values).all():
            raise CellError("NaN or infinite pixels")
        # Only the 16-bit modes define white; for 32-bit integers and floats the range of the values decides.
        whites = (65535.0,) if image.mode.startswith("I;16") else (255.0, 65535.0)
        whites = (1.0, *whites) if image.mode == "F" else whites
        white = next((white for white in whites if values.max() <= white), whites[-1])
        return PIL.Image.fromarray((values / white * 255).round().clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return PIL.Image.alpha_composite(PIL.Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("L") if image.mode == "1" else image


def from_array(cell: np.ndarray) -> PIL.Image.Image:
    """`[h, w]`, `[h, w, c]` or `[c, h, w]` with 1, 3 or 4 channels; integers 0..255, floats 0..1 or bool."""
    array = dense(cell)
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or 0 in array.shape:
        raise CellError(
            f"array of shape {cell.shape} is no image: expected [h, w], [h, w, c] or [c, h, w], c 1, 3 or 4"
        )
    check_pixels(array.shape[1], array.shape[0])
    white = 1 if array.dtype.kind in "bf" else 255
    low, high = array.min(), array.max()
    if not (low >= -1e-6 and high <= white + 1e-6):  # also true of NaN
        raise CellError(f"pixel values from {low} to {high}: expected 0 to {white} for an array of {array.dtype}")
    pixels = array if array.dtype == np.uint8 else (array * (255 / white)).round().clip(0, 255).astype(np.uint8)
    return PIL.Image.fromarray(
        np.ascontiguousarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)
    )
