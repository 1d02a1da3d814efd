"""One option of depth and width is the smaller network itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import erf
from torch.nn.functional import one_hot

from omnishot.nn.tower import Tower

DIM, DEPTH, WIDTHS = 8, 3, (0.25, 0.5, 1.0)


def tower() -> Tower:
    torch.manual_seed(0)
    return Tower(DIM, DEPTH, WIDTHS).double()


def only(option: int, options: int) -> torch.Tensor:
    return one_hot(torch.tensor(option), options).double()


def smaller(t: Tower, x: np.ndarray, depth: int, channels: int) -> np.ndarray:
    """The first blocks, their first channels cut out: a network that knows nothing of the others."""
    h = x[:, :channels]
    for i in range(depth):
        a, b = ({n: p.detach().numpy() for n, p in layer[i].named_parameters()} for layer in (t.into, t.back))
        inside = h @ a["weight"][:channels, :channels].T + a["bias"][:channels]
        inside = inside * (1 + erf(inside / np.sqrt(2))) / 2
        h = h + inside @ b["weight"][:channels, :channels].T + b["bias"][:channels]
    return h


@pytest.mark.parametrize("depth", range(DEPTH + 1))
@pytest.mark.parametrize(("width", "channels"), [(0, 2), (1, 4), (2, 8)])
def test_a_pick_is_a_smaller_network(depth, width, channels):
    t, x = tower(), torch.randn(5, DIM, dtype=torch.float64)
    got = t(x, only(depth, DEPTH + 1), only(width, len(WIDTHS))).detach().numpy()
    assert np.allclose(got[:, :channels], smaller(t, x.numpy(), depth, channels), atol=1e-12)
    assert not got[:, channels:].any()


def test_depths_are_mixed_by_their_weights():
    t, x, wide = tower(), torch.randn(5, DIM, dtype=torch.float64), only(2, 3)
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    each = torch.stack([t(x, only(d, DEPTH + 1), wide) for d in range(DEPTH + 1)], -1)
    assert torch.allclose(t(x, weights, wide), each @ weights, atol=1e-12)


def test_every_width_has_a_channel():
    assert Tower(3, 1, (0.01, 1.0)).masks.tolist() == [[1, 0, 0], [1, 1, 1]]
