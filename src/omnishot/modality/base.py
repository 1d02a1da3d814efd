"""The base class of modalities: a frozen, fitted description of how cells become tensors.

A modality is fitted on training rows only, holds settings that JSON can store, and is then applied to every row:

    cell --decode--> stored array (fixed shape, small dtype, cached) --corrupt?--> --normalise--> network
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from omnishot.errors import UsageError, nearest

Cell = TypeVar("Cell")
Reading = TypeVar("Reading")


class CellError(ValueError):
    """Why one cell cannot be decoded. The message holds the reason alone: the caller knows the row and the column."""


def usable(read: Callable[[Cell], Reading], cells: Sequence[Cell]) -> list[Reading]:
    """The results of `read` for every cell that it can read. Bad cells are left out; checking the table reports them.

    Raises:
        CellError: if no cell can be read; its cause is the error of the first cell.
    """
    readings, errors = [], []
    for cell in cells:
        try:
            readings.append(read(cell))
        except CellError as error:
            errors.append(error)
    if errors and not readings:
        raise CellError(f"none of {len(errors)} cells can be read; the first: {errors[0]}") from errors[0]
    if not readings:
        raise CellError("there is no cell")
    return readings


def dense(cell: np.ndarray) -> np.ndarray:
    """The array itself; of nested arrays (a Parquet list column) the rectangular array that they form.

    Raises:
        CellError: if it holds anything but real numbers, or rows of unequal length.
    """
    if cell.dtype == object:
        try:
            cell = np.array([np.asarray(item, np.float64) for item in cell], np.float64)
        except (TypeError, ValueError):
            raise CellError("nested values that form no rectangular array of numbers") from None
    if cell.dtype.kind not in "buif":
        raise CellError(f"array of {cell.dtype}, not of numbers")
    return cell


def random_like(draw: Callable[..., Tensor], shape: Sequence[int], generator: torch.Generator, to: Tensor) -> Tensor:
    """Random numbers of `draw` (torch.rand, torch.randn), drawn on the generator's device, moved to that of `to`."""
    return draw(tuple(shape), generator=generator, device=generator.device).to(to.device)


def frozen(value: Any) -> Any:
    """Lists as tuples, at every level: the inverse of JSON, which stores tuples as lists."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value


class Reach(NamedTuple):
    """How far an attack may move the numbers of normalised cells. Each field is broadcast to `[..., *cell]`.

    Args:
        unit: float64, the distance that an epsilon of 1 allows a number to move; 0: the number is fixed.
        low, high: bounds of a moved number.
    """

    unit: Tensor
    low: Tensor
    high: Tensor


@dataclasses.dataclass(frozen=True)
class Modality(ABC):
    """One input of a row: an image column, a text column, or all number and category columns together.

    Shape notation: `cell` is `shape`, the fixed shape of one stored cell; `...` are any leading dimensions.
    """

    kind: ClassVar[str]
    dtype: ClassVar[type[np.generic]]
    #: True if a cell is a file (path, bytes) or an array, which is decoded one by one and in parallel;
    #: False if cells are plain values, which are decoded a whole column at a time.
    media: ClassVar[bool]
    #: The unit of an attack's epsilon (`reach`), for people.
    unit: ClassVar[str] = ""

    @property
    def cell_kind(self) -> str:
        """The kind of the table's cells that this modality is computed from."""
        return self.kind

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one stored cell."""

    @classmethod
    @abstractmethod
    def fit(cls, *cells: Any, **options: Any) -> Self:
        """Choose the settings by looking at training rows; `options` take precedence.

        Media and texts take a sequence of cells, tabular takes the columns (and their kinds).
        """

    @abstractmethod
    def normalise(self, stored: Tensor) -> Tensor:
        """Stored cells `[..., *cell]` -> what the encoder reads: floats, or int64 tokens."""

    def blank(self, rows: int = 1) -> Tensor:
        """Cells `[rows, *cell]` as the encoder reads them, made of stored zeros: to find out shapes."""
        return self.normalise(torch.from_numpy(np.zeros((rows, *self.shape), self.dtype)))

    def corrupt(self, stored: Tensor, level: float, generator: torch.Generator, each: bool = False) -> Tensor:
        """Stored cells `[..., *cell]` with noise of `level`, 0 (unchanged) to 1 (noise alone).

        Args:
            each: whether every cell has a level of its own, drawn uniformly from 0 to `level`.

        Raises:
            UsageError: if the level is not within 0..1.
        """
        if not 0 <= level <= 1:
            raise UsageError(f"noise level {level} for {self.kind}: give a number from 0 (none) to 1 (noise only)")
        if level == 0:
            return stored
        if not each:
            return self._corrupt(stored, level, generator)
        cells = stored.shape[: stored.ndim - len(self.shape)] + (1,) * len(self.shape)
        return self._corrupt(stored, level * random_like(torch.rand, cells, generator, stored), generator)

    @abstractmethod
    def _corrupt(self, stored: Tensor, level: float | Tensor, generator: torch.Generator) -> Tensor:
        """`corrupt` for levels above 0, one number or `[..., 1, …]`; at 1 the result is independent of `stored`."""

    def fail(self, stored: Tensor, failure: str, generator: torch.Generator) -> Tensor:
        """Stored cells `[..., *cell]` as a broken device gives them, each at random; see `failures` for the names.

        Raises:
            UsageError: if this kind of cell has no such failure.
        """
        if failure not in self.failures:
            raise UsageError(f"{self.cell_kind} cells have no failure {failure!r}: {nearest(failure, self.failures)}")
        return self.failures[failure](stored, generator)

    @property
    def failures(self) -> Mapping[str, Callable[[Tensor, torch.Generator], Tensor]]:
        """The failures of this kind of cell by name: functions of stored cells and a generator."""
        return {}

    def reach(self, cells: Tensor) -> Reach | None:
        """How far an attack may move normalised cells `[..., *cell]`; None for discrete cells."""
        return None

    def vary(self, stored: Tensor, level: float, generator: torch.Generator) -> Tensor:
        """Stored cells `[..., *cell]` with random augmentation of each, of strength `level`: 0 (unchanged) to 1.

        Raises:
            UsageError: if no augmentation is defined for this kind of cell.
        """
        raise UsageError(f"cells of kind {self.kind} cannot be augmented, only images and videos: leave augment out")

    def turn(self, stored: Tensor, turns: Tensor) -> Tensor:
        """Stored cells `[..., *cell]`, turned by `turns` `[...]` quarter turns; unchanged without an orientation."""
        return stored

    @abstractmethod
    def picture(self, stored: np.ndarray) -> Any:
        """One stored cell for people: a PIL image, or a string for text and numbers."""

    def wav_bytes(self, stored: np.ndarray) -> bytes | None:
        """One stored cell as a WAV file; None for modalities that are not sounds."""
        return None

    def to_json(self) -> dict[str, Any]:
        """The settings, with the kind."""
        return {"kind": self.kind, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, settings: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**{name: frozen(value) for name, value in settings.items() if name != "kind"})


class Media(Modality):
    """A modality whose cells are files or arrays: `decode` takes the file's bytes or the array."""

    media = True
    #: Fields that decoding does not use: the cache stays valid when they change.
    later: ClassVar[tuple[str, ...]] = ()

    @property
    def decoding(self) -> dict[str, Any]:
        """The settings that `decode` depends on."""
        return {name: value for name, value in self.to_json().items() if name not in self.later}

    @abstractmethod
    def decode(self, cell: bytes | np.ndarray) -> np.ndarray:
        """One cell -> stored array of `self.shape` and `self.dtype`.

        Raises:
            CellError: with the reason, if the cell is damaged or not of this modality.
        """


class Values(Modality):
    """A modality whose cells are plain values: `decode_columns` takes whole columns at once."""

    media = False

    @abstractmethod
    def decode_columns(self, columns: Mapping[str, Sequence[Any]]) -> tuple[np.ndarray, list[tuple[int, str, str]]]:
        """Columns of equal length n (missing: None, NaN) -> `[n, *cell]`, and bad cells as (row, column, reason).

        Rows count from 0. A bad cell is stored as missing; the caller decides whether bad cells are an error.
        """

    @abstractmethod
    def present(self, stored: np.ndarray) -> np.ndarray:
        """Stored `[n, *cell]` -> bool `[n]`: which cells hold anything."""
