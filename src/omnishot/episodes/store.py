"""The decoded table: every input as one array, from which episodes are gathered by row number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError, nearest
from omnishot.modality.base import Modality


def matching_inputs(said: Mapping[str, float], modalities: Mapping[str, Modality]) -> dict[str, float]:
    """Levels said by input name, by kind of modality, or for all inputs (`*`), as levels by input name.

    Raises:
        UsageError: if a name is neither an input nor a kind that the table has, or a level is outside 0…1.
    """
    kinds = {m.kind for m in modalities.values()}
    for name, level in said.items():
        if name != "*" and name not in modalities and name not in kinds:
            raise UsageError(f"no input {name!r}: {nearest(name, {*modalities, *kinds, '*'})}")
        if not 0 <= level <= 1:
            raise UsageError(f"the level of {name!r} must lie between 0 and 1, not {level}")
    return {
        name: said.get(name, said.get(m.kind, said.get("*", 0.0)))
        for name, m in modalities.items()
        if {name, m.kind, "*"} & said.keys()
    }


@dataclass(frozen=True)
class Store:
    """A decoded table of n rows.

    Args:
        modalities: by input name.
        stored: by input name, `[n, *cell]`, possibly memory-mapped.
        present: bool `[n, inputs]`.
        target: int64 `[n]` class codes, float32 `[n, 1]` standardised numbers, or None.
    """

    modalities: Mapping[str, Modality]
    stored: Mapping[str, np.ndarray]
    present: np.ndarray
    target: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.present)

    def gather(
        self,
        index: np.ndarray,
        *,
        turns: np.ndarray | None = None,
        noise: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> Rows:
        """Normalised rows at row numbers `index` `[...]`, without a target.

        Args:
            turns: quarter turns of each row's pictures, `[...]`.
            noise: noise level by input, each input's drawn from `seed` and its position alone.
        """
        inputs = {}
        for i, (name, modality) in enumerate(self.modalities.items()):
            cells = torch.from_numpy(np.ascontiguousarray(self.stored[name][index]))
            if turns is not None:
                cells = modality.turn(cells, torch.from_numpy(turns))
            if noise and noise.get(name):
                cells = modality.corrupt(cells, noise[name], torch.Generator().manual_seed(seed + i))
            inputs[name] = modality.normalise(cells)
        return Rows(inputs, torch.from_numpy(self.present[index]))
