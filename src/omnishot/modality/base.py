"""What every modality is: a frozen, fitted description of how cells become tensors.

A modality is fitted on training rows only, holds JSON-able settings, and is then applied to every row:

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
    """Why one cell cannot be decoded; the reason alone, since the caller knows the row and the column."""


def usable(read: Callable[[Cell], Reading], cells: Sequence[Cell]) -> list[Reading]:
    """What `read` gives for every cell that it can read; bad cells are left out, for the check names them.

    Raises:
        CellError: if not a single cell can be read, caused by the first one's.
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
    """The array itself, or the rectangular one that nested arrays (a Parquet list column) stand for.

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
    """`draw` (torch.rand, torch.randn) on the generator's device, moved to where `to` is."""
    return draw(tuple(shape), generator=generator, device=generator.device).to(to.device)


def frozen(value: Any) -> Any:
    """Lists as tuples, all the way down: the inverse of what JSON does to tuples."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value


class Reach(NamedTuple):
    """How far an attack may move the numbers of normalised cells; each is broadcast to `[..., *cell]`.

    Args:
        unit: float64, by how much a budget of 1 lets a number move; 0: it has to stay.
        low, high: within which a moved number stays.
    """

    unit: Tensor
    low: Tensor
    high: Tensor


@dataclasses.dataclass(frozen=True)
class Modality(ABC):
    """One input of a row: an image column, a text column, or all number and category columns together.

    Shape notation: `cell` is `shape`, the fixed shape of one stored cell; `...` any leading dimensions.
    """

    kind: ClassVar[str]
    dtype: ClassVar[type[np.generic]]
    #: True if a cell is a file (path, bytes) or an array, which is decoded one by one and in parallel;
    #: False if cells are plain values, which are decoded a whole column at a time.
    media: ClassVar[bool]
    #: What the budget of an attack is measured in (`reach`), for people.
    unit: ClassVar[str] = ""

    @property
    def cell_kind(self) -> str:
        """The kind of cells in the table that it is made of."""
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
        """Cells `[rows, *cell]` as the encoder reads them, of zeros as they are stored: to see shapes with."""
        return self.normalise(torch.from_numpy(np.zeros((rows, *self.shape), self.dtype)))

    def corrupt(self, stored: Tensor, level: float, generator: torch.Generator, each: bool = False) -> Tensor:
        """Stored cells `[..., *cell]` with noise of `level`, 0 (unchanged) to 1 (noise alone).

        Args:
            each: every cell at a level of its own, drawn evenly from 0 to `level`.

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
        """`corrupt` for a level above 0, or one a cell `[..., 1, …]`; at 1 the result is independent of `stored`."""

    def fail(self, stored: Tensor, failure: str, generator: torch.Generator) -> Tensor:
        """Stored cells `[..., *cell]` as a broken device gives them, each by chance: what, see `failures`.

        Raises:
            UsageError: if cells like these have no such failure.
        """
        if failure not in self.failures:
            raise UsageError(f"{self.cell_kind} cells have no failure {failure!r}: {nearest(failure, self.failures)}")
        return self.failures[failure](stored, generator)

    @property
    def failures(self) -> Mapping[str, Callable[[Tensor, torch.Generator], Tensor]]:
        """How such cells fail, by name: functions of stored cells and a generator."""
        return {}

    def reach(self, cells: Tensor) -> Reach | None:
        """How far an attack may move normalised cells `[..., *cell]`; None: such cells have no in-between."""
        return None

    def vary(self, stored: Tensor, level: float, generator: torch.Generator) -> Tensor:
        """Stored cells `[..., *cell]` as they might have been as well, each by chance; `level` 0 (unchanged) to 1.

        Raises:
            UsageError: if nobody has said how cells of this kind vary.
        """
        raise UsageError(f"cells of kind {self.kind} cannot be augmented, only images and videos: leave augment out")

    def turn(self, stored: Tensor, turns: Tensor) -> Tensor:
        """Stored cells `[..., *cell]` turned by `turns` `[...]` quarter turns; what has no orientation stays."""
        return stored

    @abstractmethod
    def picture(self, stored: np.ndarray) -> Any:
        """One stored cell as a person would look at it: a PIL image, or a string for text and numbers."""

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
    #: Fields that matter only after decoding: other values of theirs need no other cache.
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
        """Columns of equal length n (missing: None, NaN) -> `[n, *cell]`, and bad (row, column, reason).

        Rows count from 0. A bad cell is stored as missing; the caller decides whether bad cells stop the work.
        """

    @abstractmethod
    def present(self, stored: np.ndarray) -> np.ndarray:
        """Stored `[n, *cell]` -> bool `[n]`: which cells hold anything."""
