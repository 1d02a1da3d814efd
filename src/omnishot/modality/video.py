"""Videos: any file that PyAV reads, or an array, as uint8 frames of one size, evenly spaced in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from omnishot.errors import UsageError
from omnishot.modality import clip
from omnishot.modality.base import CellError, Media, Reach, dense, random_like, usable
from omnishot.modality.failing import LATEST
from omnishot.modality.image import Image, check_pixels, common_size, from_array, pixel_statistics, sides

FRAMES = 8  # of a clip, by default
LARGEST = 64  # default pixels per side
_MOST = 1024
_SAMPLE = 128  # training clips that `fit` reads
_SHOWN = 8  # frames in a picture, with so many pixels between them:
_GAP = 2


@dataclass(frozen=True)
class Video(Media):
    """Clips of the same number of frames and the same size.

    Args:
        frames: number of frames, from the middles of as many equal parts of a clip.
        size: height and width in pixels.
        channels: 1 (grey) or 3 (red, green, blue).
        mean, std: of the training pixels, by channel, in units where white is 1.
    """

    frames: int
    size: tuple[int, int]
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    kind = "video"
    later = ("mean", "std")
    dtype = np.uint8
    unit = Image.unit

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, *self.still.shape)

    @property
    def still(self) -> Image:
        """The modality of one frame."""
        return Image(self.size, self.channels, self.mean, self.std)

    @classmethod
    def fit(
        cls,
        cells: Sequence[Any],
        *,
        frames: int | None = None,
        size: int | Sequence[int] | None = None,
        channels: int | None = None,
    ) -> Video:
        """Choose size, channels, mean and deviation from training clips.

        Args:
            cells: bytes, or arrays `[time, h, w, c]`.
            frames: default: 8.
            size: pixels per side, or (height, width). Default: the size of the clips if all have the same one, at
                most 64 pixels per side; else 64 x 64.
            channels: 1 or 3. Default: 1 if no clip has any colour.

        Raises:
            CellError: if no cell can be decoded.
            UsageError: for frames, a size or a number of channels that no clip can have, or if PyAV is not installed
                and not every cell is an array.
        """
        frames = FRAMES if frames is None else frames
        if not 1 <= frames <= _MOST:
            raise UsageError(f"frames = {frames} for videos: give how many there are to be of a clip, 1 to {_MOST:,}")
        if channels not in (None, 1, 3):
            raise UsageError(f"channels = {channels} for videos: give 1 (grey) or 3 (colour)")
        cells = cells[:_SAMPLE]
        if any(isinstance(cell, bytes) for cell in cells):
            _check_library()
        shape = common_size(usable(_size, cells), LARGEST) if size is None else sides(size)
        colour = cls(frames, shape, 3, (0.0,) * 3, (1.0,) * 3)
        statistics = usable(lambda cell: _pixel_statistics(colour.decode(cell)), cells)
        channels = channels or (1 if all(grey for grey, _ in statistics) else 3)
        still = Image.from_statistics(shape, channels, [of_clip for _, of_clip in statistics])
        return cls(frames, shape, channels, still.mean, still.std)

    def decode(self, cell: bytes | np.ndarray) -> np.ndarray:
        """Turn upright and resize each frame (Lanczos, proportions not kept); frames of a short clip are repeated."""
        frames = _of_array(cell, self.frames) if isinstance(cell, np.ndarray) else clip.pictures(cell, self.frames)
        stored = np.empty(self.shape, np.uint8)
        done = 0
        for picture, times in frames:
            check_pixels(*picture.shape[:2])
            stored[done : done + times] = self.still.decode(picture)
            done += times
        return stored

    def normalise(self, stored: Tensor) -> Tensor:
        """uint8 `[..., frames, channels, h, w]` -> float32, mean 0 and deviation 1 over the training pixels."""
        return self.still.normalise(stored)

    def _corrupt(self, stored: Tensor, level: float | Tensor, generator: torch.Generator) -> Tensor:
        """Mix with uniform noise that is independent in every frame."""
        return self.still._corrupt(stored, level, generator)

    @property
    def failures(self) -> Mapping[str, Callable[[Tensor, torch.Generator], Tensor]]:
        """Failures of the camera. `dead`: black from a random frame on. `frozen`: the same frame from a random one on.
        `delayed`: the clip begins late, by up to half of its length, with its first frame, and its end is cut off.
        """
        return {"dead": self._dead, "frozen": self._frozen, "delayed": self._delayed}

    def _dead(self, stored: Tensor, generator: torch.Generator) -> Tensor:
        alive = torch.arange(self.frames, device=stored.device) < self._chance(stored, generator) * self.frames
        return torch.where(alive[..., None, None, None], stored, 0)

    def _frozen(self, stored: Tensor, generator: torch.Generator) -> Tensor:
        last = (self._chance(stored, generator) * self.frames).long()
        return self._at(stored, torch.minimum(torch.arange(self.frames, device=stored.device), last))

    def _delayed(self, stored: Tensor, generator: torch.Generator) -> Tensor:
        late = (LATEST * self._chance(stored, generator) * self.frames).round().long()
        return self._at(stored, (torch.arange(self.frames, device=stored.device) - late).clamp(min=0))

    def _chance(self, stored: Tensor, generator: torch.Generator) -> Tensor:
        """A random number from 0 to 1 for each clip, `[..., 1]`."""
        return random_like(torch.rand, (*stored.shape[:-4], 1), generator, stored)

    def _at(self, stored: Tensor, order: Tensor) -> Tensor:
        """The frames with the numbers `order` `[..., frames]`."""
        return stored.gather(-4, order[..., None, None, None].expand(stored.shape))

    def reach(self, cells: Tensor) -> Reach:
        """An epsilon of 1 is the distance from black to white. Perturbed pixels stay within that range."""
        return self.still.reach(cells)

    def vary(self, stored: Tensor, level: float, generator: torch.Generator) -> Tensor:
        """Augmentation as of images, the same for all frames of a clip."""
        return self.still.vary(stored.flatten(-4, -3), level, generator).view(stored.shape)

    def turn(self, stored: Tensor, turns: Tensor) -> Tensor:
        """uint8 `[..., frames, channels, h, w]`, each clip turned by `turns` `[...]` quarter turns against the clock.

        Raises:
            UsageError: if the frames are not square.
        """
        return self.still.turn(stored.flatten(-4, -3), turns).view(stored.shape)

    def picture(self, stored: np.ndarray) -> PIL.Image.Image:
        """The frames, or eight of them, next to each other."""
        height, width = self.size
        chosen = np.unique(((np.arange(_SHOWN) + 0.5) / _SHOWN * self.frames).astype(int))
        strip = PIL.Image.new("RGB", (len(chosen) * (width + _GAP) - _GAP, height), "white")
        for i, frame in enumerate(chosen):
            strip.paste(self.still.picture(stored[frame]).convert("RGB"), (i * (width + _GAP), 0))
        return strip


def _check_library() -> None:
    try:
        clip.library()
    except CellError as error:
        raise UsageError(str(error)) from None


def _size(cell: bytes | np.ndarray) -> tuple[int, int]:
    """(height, width) of the frames."""
    if isinstance(cell, np.ndarray):
        return from_array(next(_of_array(cell, 1))[0]).size[::-1]
    height, width = clip.size(cell)
    check_pixels(height, width)
    return height, width


def _pixel_statistics(stored: np.ndarray) -> tuple[bool, np.ndarray]:
    """Whether `[frames, 3, h, w]` is grey, and the mean statistics of its frames."""
    statistics = [pixel_statistics(frame) for frame in stored]
    return all(grey for grey, _ in statistics), np.mean([of_frame for _, of_frame in statistics], 0)


def _of_array(cell: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, int]]:
    """The frame in the middle of each of `count` equal parts of `[time, h, w, c]` or `[time, c, h, w]`."""
    array = dense(cell)
    if array.ndim != 4 or 0 in array.shape:
        raise CellError(f"array of shape {cell.shape} is no video: expected [time, h, w, c], c 1, 3 or 4")
    chosen, times = np.unique(((np.arange(count) + 0.5) / count * len(array)).astype(int), return_counts=True)
    for frame, repeated in zip(chosen, times.tolist(), strict=True):
        yield array[frame], repeated
