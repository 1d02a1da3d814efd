"""The decoded table: every input as one array, from which episodes are gathered by row number."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from omnishot.core import seeds
from omnishot.episodes.numbering import TaskNumbering
from omnishot.episodes.rows import Rows
from omnishot.modality.base import Modality

CPU = torch.device("cpu")
#: Rows that are copied to a device at a time.
PART = 1 << 14


def placed(array: np.ndarray, device: torch.device) -> Tensor:
    """An array as a tensor on a device; to CUDA through pinned memory, so that the copy is asynchronous."""
    tensor = torch.from_numpy(array)
    if device.type == "cpu":
        return tensor
    return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)


def free_memory(device: torch.device) -> int:
    """Free bytes of a device with its own memory; 0 if it has none or cannot report them."""
    if device.type in ("cpu", "meta"):
        return 0
    look = getattr(torch.get_device_module(device), "mem_get_info", None)
    return look(device)[0] if look else 0


def resident(cells: np.ndarray, device: torch.device) -> Tensor:
    """A whole array on a device, copied in parts."""
    there = torch.empty(cells.shape, dtype=torch.from_numpy(np.empty(0, cells.dtype)).dtype, device=device)
    for start in range(0, len(cells), PART):
        there[start : start + PART] = torch.tensor(cells[start : start + PART])
    return there


@dataclass(frozen=True)
class Store:
    """A decoded table of n rows.

    Args:
        modalities: by input name.
        stored: by input name, `[n, *cell]`: in memory, memory-mapped, or as a tensor on `device`.
        present: bool `[n, inputs]`.
        target: int64 `[n]` class codes, float32 `[n, targets]` standardised numbers, int32 `[n, texts, longest]`
            tokens, int32 `[n, labels a row]` labels, or None.
        words: how a task's own words, or its labels, are numbered, where the target is tokens or labels.
        device: where rows are gathered to and normalised.
    """

    modalities: Mapping[str, Modality]
    stored: Mapping[str, np.ndarray | Tensor]
    present: np.ndarray
    target: np.ndarray | None = None
    words: TaskNumbering | None = None
    device: torch.device = CPU

    def __len__(self) -> int:
        return len(self.present)

    def to(self, device: torch.device | str, fraction: float = 0.5) -> Store:
        """The store that gathers rows to a device.

        On an accelerator the inputs are moved there if they fit together into `fraction` of its free memory. Otherwise
        rows are gathered in main memory, copied as they are stored (a picture as bytes), and normalised on the device.
        """
        device = torch.device(device)
        stored = self.stored
        if device.type != "cpu" and sum(cells.nbytes for cells in stored.values()) <= fraction * free_memory(device):
            stored = {name: resident(np.asarray(cells), device) for name, cells in stored.items()}
        return dataclasses.replace(self, stored=stored, device=device)

    def targets(self, support: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The targets of the support and query rows of a meta-batch, `[tasks, rows]` each.

        Raises:
            ValueError: if the store has none.
        """
        if self.target is None:
            raise ValueError("the store has no target")
        halves = self.target[support], self.target[query]
        return halves if self.words is None else self.words.of_tasks(*halves)

    def gather(self, index: np.ndarray) -> Rows:
        """Normalised rows at row numbers `index` `[...]`, without a target, on the store's device."""
        return Rows(self.inputs(index), placed(self.present[index], self.device))

    def inputs(
        self,
        index: np.ndarray,
        *,
        turns: np.ndarray | None = None,
        noise: Mapping[str, float] | None = None,
        augment: Mapping[str, float] | None = None,
        failure: Mapping[str, str] | None = None,
        noise_varies: bool = False,
        seed: int = 0,
    ) -> dict[str, Tensor]:
        """Normalised inputs at row numbers `index` `[...]`, by name, on the store's device.

        Args:
            turns: quarter turns of each row's pictures, `[...]`.
            noise: noise level by input; each input's noise depends on `seed` and its position alone.
            augment: strength of augmentation by input; random numbers as for `noise`.
            failure: failure by input (`Modality.fail`); random numbers as for `noise`.
            noise_varies: whether every cell has a noise level of its own, up to the given one.
        """
        inputs = {}
        for i, (name, modality) in enumerate(self.modalities.items()):
            cells = self._cells(self.stored[name], index)
            if turns is not None:
                cells = modality.turn(cells, torch.from_numpy(turns))
            if augment and augment.get(name):
                cells = modality.vary(cells, augment[name], torch.Generator().manual_seed(seeds.augmentation(seed, i)))
            if failure and name in failure:
                cells = modality.fail(cells, failure[name], torch.Generator().manual_seed(seeds.failure(seed, i)))
            if noise and noise.get(name):
                chance = torch.Generator().manual_seed(seeds.noise(seed, i))
                cells = modality.corrupt(cells, noise[name], chance, noise_varies)
            inputs[name] = modality.normalise(cells)
        return inputs

    def _cells(self, stored: np.ndarray | Tensor, index: np.ndarray) -> Tensor:
        """Cells as they are stored, `[..., *cell]`, a copy."""
        if torch.is_tensor(stored):
            chosen = stored.index_select(0, placed(index.ravel(), self.device))
            return chosen.view(*index.shape, *stored.shape[1:])
        return placed(np.asarray(stored).take(index, 0), self.device)
