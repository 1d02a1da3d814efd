"""Sensor and time series: numbers over time in one or more channels, from text, .npy files or arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from omnishot.errors import UsageError
from omnishot.modality.base import CellError, Media, Reach, dense, random_like, usable
from omnishot.modality.failing import LATEST, one_of, rewired, two_exchanged
from omnishot.modality.numberfiles import read_numbers
from omnishot.modality.standard import FURTHEST, mean_and_std, standardised

LONGEST = 256  # steps
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Series(Media):
    """Series of one length and number of channels.

    A stored cell is `[steps, 2 * channels]`: the values, standardised by channel, then for every channel whether the
    value is valid (1) or padding or NaN (0); a value that is not valid is stored as 0. A series longer than `steps`
    is resampled linearly to `steps` (its time scale is lost), a shorter one is padded at the end.

    Args:
        steps: length.
        channels: numbers measured at each step.
        mean, std: of the training values, by channel.
    """

    steps: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    kind = "series"
    dtype = np.float32
    unit = "standard deviations"

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.steps, 2 * self.channels)

    @classmethod
    def fit(cls, cells: Sequence[Any], *, steps: int | None = None) -> Series:
        """Choose length, channels, mean and deviation from training series.

        Args:
            cells: bytes or arrays. The number of channels is the most common one; `decode` refuses others.
            steps: default: the 95th percentile of the lengths, at most 256.

        Raises:
            CellError: if no cell can be decoded.
            UsageError: if steps is not positive.
        """
        if steps is not None and steps < 1:
            raise UsageError(f"steps = {steps} for series: give 1 or more")
        arrays = usable(_read, cells)
        channels = Counter(array.shape[1] for array in arrays).most_common(1)[0][0]
        arrays = [array for array in arrays if array.shape[1] == channels]
        if steps is None:
            steps = min(int(np.percentile([len(array) for array in arrays], 95, method="higher")), LONGEST)
        mean, std = mean_and_std(np.concatenate(arrays))
        return cls(steps, channels, tuple(mean.tolist()), tuple(std.tolist()))

    def decode(self, cell: bytes | np.ndarray) -> np.ndarray:
        """A .npy file, or text: one line per step, split by comma, tab, semicolon or blanks; an empty value is NaN."""
        values = _read(cell)
        if values.shape[1] != self.channels:
            raise CellError(f"{values.shape[1]} channels; the training series have {self.channels}")
        if len(values) > self.steps:
            values = _resample(values, self.steps)
        valid = np.isfinite(values)
        if not valid.any():
            raise CellError("no value in it but NaN")
        stored = np.zeros(self.shape, np.float32)
        stored[: len(values), : self.channels] = standardised(values, np.array(self.mean), np.array(self.std))
        stored[: len(values), self.channels :] = valid
        return stored

    def normalise(self, stored: Tensor) -> Tensor:
        """The stored cell, unchanged."""
        return stored.float()

    def _corrupt(self, stored: Tensor, level: float | Tensor, generator: torch.Generator) -> Tensor:
        """Mix with Gaussian noise. Invalid values become noise with probability `level`: they reveal the length."""
        values, valid = stored.split(self.channels, -1)
        noise = random_like(torch.randn, values.shape, generator, stored)
        filled = random_like(torch.rand, values.shape, generator, stored) < level
        valid = torch.where(filled, torch.ones_like(valid), valid)
        return torch.cat([((1 - level) * values + level * noise) * valid, valid], -1)

    @property
    def failures(self) -> Mapping[str, Callable[[Tensor, torch.Generator], Tensor]]:
        """Failures of random channels. `dead`: one holds its last value from a random step on. `swapped`: two are
        exchanged. `delayed`: one is late by up to half of the series' length, and the steps before it are missing.
        """
        several = {"swapped": self._swapped} if self.channels > 1 else {}
        return {"dead": self._dead, **several, "delayed": self._delayed}

    def _dead(self, stored: Tensor, generator: torch.Generator) -> Tensor:
        values, valid, step, length = self._timed(stored)
        moment = (random_like(torch.rand, length.shape, generator, stored) * length).long()
        # The last valid step so far; where there is none, the value is the channel's mean.
        last = torch.where(valid > 0, step, -1).cummax(-2).values.gather(-2, moment.expand_as(values[..., :1, :]))
        held = values.gather(-2, last.clamp(min=0)) * (last >= 0)
        hit = one_of(self.channels, length.shape[:-1], generator, stored) & (step > moment) & (step < length)
        return torch.cat([torch.where(hit, held, values), torch.where(hit, 1.0, valid)], -1)

    def _swapped(self, stored: Tensor, generator: torch.Generator) -> Tensor:
        values, valid = stored.split(self.channels, -1)
        order = two_exchanged(self.channels, (*stored.shape[:-2], 1), generator, stored)
        return torch.cat(rewired(values, valid, order, self.mean, self.std), -1)

    def _delayed(self, stored: Tensor, generator: torch.Generator) -> Tensor:
        values, valid, step, length = self._timed(stored)
        late = (LATEST * random_like(torch.rand, length.shape, generator, stored) * length).round().long()
        source = (step - late).expand_as(values)
        come = (source >= 0) & (step < length)
        shifted = [torch.where(come, x.gather(-2, source.clamp(min=0)), 0.0) for x in (values, valid)]
        hit = one_of(self.channels, length.shape[:-1], generator, stored)
        return torch.cat([torch.where(hit, x, y) for x, y in zip(shifted, (values, valid), strict=True)], -1)

    def _timed(self, stored: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Values and validity `[..., steps, channels]`, step numbers `[steps, 1]`, and the lengths `[..., 1, 1]`.

        The length reaches to the last valid value.
        """
        values, valid = stored.split(self.channels, -1)
        step = torch.arange(self.steps, device=stored.device)[:, None]
        length = (torch.where(valid > 0, step, -1).amax((-2, -1), keepdim=True)) + 1
        return values, valid, step, length

    def reach(self, cells: Tensor) -> Reach:
        """An epsilon of 1 is one standard deviation of the channel. Valid values move; validity does not."""
        valid = cells[..., self.channels :].double()
        furthest = cells.new_tensor(FURTHEST)
        return Reach(torch.cat([valid, torch.zeros_like(valid)], -1), -furthest, furthest)

    def picture(self, stored: np.ndarray) -> PIL.Image.Image:
        """A line plot with one line per channel, interrupted where values are missing."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        values, valid = np.split(np.asarray(stored, np.float64), 2, axis=-1)
        values = values * self.std + self.mean
        figure = Figure(figsize=(2.4, 1.2), dpi=100, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.plot(np.where(valid > 0, values, np.nan), linewidth=1, marker="." if self.steps < 4 else None)
        axes.tick_params(labelsize=6)
        canvas.draw()
        return PIL.Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _read(cell: bytes | np.ndarray) -> np.ndarray:
    """float64 `[time, channels]`, NaN where missing."""
    values = dense(cell) if isinstance(cell, np.ndarray) else read_numbers(cell)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise CellError(f"array of shape {values.shape} is no series: expected [time] or [time, channels]")
    if values.size == 0:
        raise CellError("empty series")
    values = values.astype(np.float64)
    if (np.abs(values) > _LARGEST).any():
        step, channel = np.argwhere(np.abs(values) > _LARGEST)[0]
        raise CellError(f"{values[step, channel]} at step {step + 1}, channel {channel + 1}: expected finite numbers")
    return values


def _resample(values: np.ndarray, steps: int) -> np.ndarray:
    """`[time, channels]` -> `[steps, channels]`, linear between neighbours; NaN next to a NaN."""
    position = np.linspace(0, len(values) - 1, steps)
    before = position.astype(int)
    after = np.minimum(before + 1, len(values) - 1)
    weight = (position - before)[:, None]
    return np.where(weight == 0, values[before], values[before] * (1 - weight) + values[after] * weight)
