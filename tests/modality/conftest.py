"""What holds for every modality; each modality's tests ask for it on cells of their own."""

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch

from omnishot.errors import UsageError
from omnishot.modality import from_json
from omnishot.modality.base import Modality


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def keeps_the_contract() -> Callable[[Modality, np.ndarray], None]:
    return check


def check(modality: Modality, stored: np.ndarray) -> None:
    """`stored` `[n, *cell]`: at least two different cells."""
    cells = torch.from_numpy(stored)
    assert stored.shape[1:] == modality.shape
    assert stored.dtype == modality.dtype
    assert from_json(json.loads(json.dumps(modality.to_json()))) == modality
    before = cells.clone()
    normal = modality.normalise(cells)
    assert torch.equal(cells, before)  # a table that lives on a device is handed to it
    assert torch.isfinite(normal).all()
    torch.testing.assert_close(modality.normalise(cells[:, None])[:, 0], normal)
    noise_fades_the_cell(modality, cells)


def noise_fades_the_cell(modality: Modality, cells: torch.Tensor) -> None:
    def noisy(cells: torch.Tensor, level: float, seed: int = 0) -> torch.Tensor:
        return modality.corrupt(cells, level, torch.Generator().manual_seed(seed))

    assert torch.equal(noisy(cells, 0), cells)
    for level in (0.2, 0.5, 1.0):
        result = noisy(cells, level)
        assert result.shape == cells.shape
        assert result.dtype == cells.dtype
        assert torch.isfinite(modality.normalise(result)).all()
        assert torch.equal(result, noisy(cells, level))
        assert not torch.equal(result, noisy(cells, level, seed=1))
    # The same draws give the same noise whatever cell they fall on: nothing of the cell is left.
    assert not torch.equal(cells, cells.flip(0))
    assert torch.equal(noisy(cells, 1.0), noisy(cells.flip(0), 1.0))
    assert not torch.equal(noisy(cells, 0.2), noisy(cells.flip(0), 0.2))
    for level in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="noise level"):
            noisy(cells, level)
    each = [modality.corrupt(cells, 1.0, torch.Generator().manual_seed(seed), each=True) for seed in (0, 0, 1)]
    assert each[0].shape == cells.shape
    assert each[0].dtype == cells.dtype
    assert torch.equal(each[0], each[1])
    assert not torch.equal(each[0], each[2])
    alone = [modality.corrupt(cells[:1], 1.0, torch.Generator().manual_seed(0), each=each_) for each_ in (True, False)]
    assert not torch.equal(*alone)  # one noise, at another level
