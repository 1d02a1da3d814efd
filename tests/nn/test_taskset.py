"""A task vector does not depend on the order of rows nor on the numbers of classes, and does on everything else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import vmap

from omnishot.episodes.rows import Rows
from omnishot.nn.taskset import TaskSet

DIM = 4


def taskset(targets: int = 0) -> TaskSet:
    torch.manual_seed(0)
    return TaskSet(DIM, 3, targets, hidden=6).double()


def features(rows: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, DIM, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def classed(target: list[int], ways: int) -> Rows:
    return Rows({}, torch.ones(len(target), 1, dtype=torch.bool), torch.tensor(target), None, ways)


def numbered(numbers: Tensor) -> Rows:
    return Rows({}, torch.ones(len(numbers), 1, dtype=torch.bool), numbers[:, None])


@pytest.mark.parametrize("target", [[0, 0, 1, 1, 2], [2, 2, 2, 0, 1], [0, 0, 2, 2, 2]])
def test_neither_order_nor_class_numbers_matter(target):
    x, reader = features(5), taskset()
    z = reader(x, classed(target, 3))
    order, renumbered = [4, 2, 0, 3, 1], [1, 2, 0]
    again = reader(x[order], classed([renumbered[target[i]] for i in order], 3))
    assert z.shape == (3,)
    assert torch.allclose(again, z, atol=1e-12)


def test_classes_without_rows_are_as_if_they_were_not():
    x, reader = features(4), taskset()
    z = reader(x, classed([0, 0, 1, 1], 2))
    assert torch.allclose(reader(x, classed([1, 1, 4, 4], 6)), z, atol=1e-12)
    assert reader(x[:0], classed([], 2)).isfinite().all()
    assert reader(x[:1], classed([0], 1)).isfinite().all()


def test_which_rows_are_together_and_their_spread_matter():
    x, reader = features(4), taskset()
    z = reader(x, classed([0, 0, 1, 1], 2))
    assert (reader(x, classed([0, 1, 0, 1], 2)) - z).abs().max() > 1e-4
    centre = x.view(2, 2, DIM).mean(1, keepdim=True)
    wider = (centre + 2 * (x.view(2, 2, DIM) - centre)).view(4, DIM)  # the same means
    assert (reader(wider, classed([0, 0, 1, 1], 2)) - z).abs().max() > 1e-4


def test_rows_with_numbers():
    x, y, reader = features(5), torch.arange(5.0, dtype=torch.float64), taskset(targets=1)
    z = reader(x, numbered(y))
    order = [4, 2, 0, 3, 1]
    assert torch.allclose(reader(x[order], numbered(y[order])), z, atol=1e-12)
    assert torch.allclose(reader(x.repeat(2, 1), numbered(y.repeat(2))), z, atol=1e-12)  # a mean, so of any number
    assert (reader(x, numbered(y[order])) - z).abs().max() > 1e-4  # which row has which number matters


@pytest.mark.parametrize("targets", [0, 1])
def test_derivatives_and_tasks_at_once(targets):
    reader = taskset(targets)
    rows = numbered(torch.arange(4.0, dtype=torch.float64)) if targets else classed([0, 0, 1, 1], 3)
    assert torch.autograd.gradcheck(lambda x: reader(x, rows), features(4).requires_grad_())
    assert torch.autograd.gradgradcheck(lambda x: reader(x, rows), features(4).requires_grad_())
    many = torch.stack([features(4, seed) for seed in range(3)])
    each = torch.stack([reader(x, rows) for x in many])
    assert torch.allclose(vmap(lambda x: reader(x, rows))(many), each, atol=1e-12)
