"""Extra shots: what a learner is given, and that it is all that it takes."""

from __future__ import annotations

import numpy as np
import torch
from support import helpers
from torch.func import vmap

from omnishot.episodes.rows import Rows
from omnishot.episodes.shots import each_alone

INPUTS = {n: helpers.MODALITIES[n] for n in ("words", "sensor", "facts")}
PRESENT = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=torch.bool)


def rows() -> Rows:
    drawn = helpers.random_rows(INPUTS, (4,), ways=2)
    return Rows(drawn.inputs, PRESENT, drawn.target, drawn.label, 2)


def test_every_cell_is_a_row_of_its_own_and_an_absent_one_the_row_again():
    plain = rows()
    extra = each_alone(plain)
    assert torch.equal(extra.present[:4], PRESENT)
    alone = extra.present[4:].view(3, 4, 3)
    wanted = [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [1, 0, 1], [0, 0, 1]],
        [[0, 1, 0], [0, 1, 0], [0, 1, 0]],
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
    ]
    assert alone.transpose(0, 1).int().tolist() == wanted
    for block in range(4):  # cells, targets and labels are those of the row
        part = extra.select(slice(4 * block, 4 * block + 4))
        assert torch.equal(part.target, plain.target)
        assert torch.equal(part.label, plain.label)
        assert all(torch.equal(part.inputs[n], plain.inputs[n]) for n in INPUTS)
    assert extra.ways == 2


def test_numbers_go_with_their_rows():
    plain = helpers.random_rows(INPUTS, (5,), ways=None)
    assert torch.equal(each_alone(plain).target, plain.target.repeat(4, 1))
    unlabelled = Rows(plain.inputs, plain.present)
    assert each_alone(unlabelled).target is None


def test_rows_of_a_single_input_have_nothing_to_add():
    plain = helpers.random_rows({"facts": helpers.MODALITIES["facts"]}, (3,))
    assert each_alone(plain) is plain


def test_tasks_one_by_one_together_and_under_vmap():
    batch = helpers.random_rows(INPUTS, (3, 6), ways=3)
    together = each_alone(batch)
    mapped = vmap(lambda tree: each_alone(batch.with_tensors(tree)).tensors())(batch.tensors())
    for t in range(3):
        one = each_alone(batch.task(t))
        for other in (together.task(t), batch.with_tensors(mapped).task(t)):
            assert torch.equal(one.present, other.present)
            assert torch.equal(one.target, other.target)
            assert all(torch.equal(one.inputs[n], other.inputs[n]) for n in INPUTS)


def test_a_prototype_is_the_mean_over_rows_and_their_cells_alone():
    method = helpers.learner("protonet", helpers.network(*INPUTS, fusion="attention"))
    plain = rows()
    found = method.adapt(each_alone(plain))["prototypes"]
    parts = [plain.present, *(plain.present & (torch.arange(3) == i) for i in range(3))]
    parts = [torch.where(p.any(-1, keepdim=True), p, plain.present) for p in parts]
    features = [method.features(method.params(), Rows(plain.inputs, p)).detach() for p in parts]
    mean = torch.stack(features).mean(0)
    wanted = np.stack([mean[plain.target == k].mean(0) for k in range(2)])
    assert np.allclose(found, wanted, atol=1e-12)
