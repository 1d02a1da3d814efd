"""A task vector changes what it should of every encoder, nothing at zero, and with right derivatives."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from support import helpers
from torch import Tensor, nn
from torch.func import vmap

from omnishot.learners.base import Learner
from omnishot.nn.encoders import ENCODERS
from omnishot.nn.modulation import Modulation, per_channel
from omnishot.nn.network import Network
from omnishot.objectives.classify import Classify


class Host(Learner):
    """A learner that does nothing but hold a network and its modulation."""

    def __init__(self, network: Network, dim: int = 3, spread: float = 0.3):
        super().__init__(network, Classify())
        self.modulation = Modulation(network, dim, spread)


def host(net: Network, spread: float = 0.3) -> Host:
    torch.manual_seed(0)
    return Host(net, spread=spread).double()


def random_z(*shape: int) -> Tensor:
    return torch.randn(*shape, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("norm", ["layer", "group", "instance", "batch", "none"])
@pytest.mark.parametrize("encoder", ENCODERS.names())
def test_every_encoder_can_be_modulated_and_zero_changes_nothing(encoder, norm):
    name = helpers.READS[encoder]
    method = host(helpers.network(name, encoders=(encoder,), norm=norm))
    rows = helpers.random_rows({name: helpers.MODALITIES[name]}, (4,), here=1.0)
    params, z = method.params(), random_z()
    plain = method.features(params, rows)
    assert torch.equal(method.features(method.modulation.modulated(params, 0 * z), rows), plain)
    assert (method.features(method.modulation.modulated(params, z), rows) - plain).abs().max() > 1e-3


@pytest.mark.parametrize("encoder", ENCODERS.names())
def test_each_change_reaches_the_features(encoder):
    name = helpers.READS[encoder]
    method = host(helpers.network(name, encoders=(encoder,)))
    rows = helpers.random_rows({name: helpers.MODALITIES[name]}, (8,), here=1.0)
    params = method.modulation.modulated(method.params(), random_z())
    moved = [params[n] for n in method.modulation.names]
    for n, g in zip(moved, torch.autograd.grad(method.features(params, rows).square().sum(), moved), strict=True):
        assert g.shape == n.shape
        assert g.abs().max() > 1e-8


def test_what_is_changed_of_which_network():
    ends = {n.rpartition(".")[2] for n in per_channel(helpers.network("photo", "words", "sensor"))}
    assert ends == {"scale", "shift"}  # every part has a norm
    assert per_channel(helpers.network("facts")) == ["encoders.0.layers.0.bias", "encoders.0.layers.1.bias"]
    assert per_channel(helpers.network("sensor", norm="none")) == [f"encoders.0.convs.{i}.bias" for i in range(3)]
    assert per_channel(helpers.network("traits")) == ["encoders.0.weight"]
    many = per_channel(helpers.network("facts", "traits"))
    assert [n for n in many if n.startswith("projections")] == [
        f"projections.{i}.1.{kind}" for i in (0, 1) for kind in ("scale", "shift")
    ]


def test_a_change_is_a_scale_and_a_shift_of_the_normalised_channel():
    net = helpers.network("facts", "traits")
    method = host(net)
    params, z = method.params(), random_z()
    delta = method.modulation.deltas(params, z)
    x = torch.randn(5, 8, dtype=torch.float64)
    norm: nn.Module = net.projections[0][1]
    own = {kind: params[f"network.projections.0.1.{kind}"] for kind in ("scale", "shift")}
    changed = {kind: delta[f"network.projections.0.1.{kind}"] for kind in ("scale", "shift")}
    normal = F.layer_norm(x, (8,))
    expected = (own["scale"] + changed["scale"]) * normal + own["shift"] + changed["shift"]
    given = {kind: method.modulation.modulated(params, z)[f"network.projections.0.1.{kind}"] for kind in own}
    assert torch.allclose(torch.func.functional_call(norm, given, (x,)), expected, atol=1e-12)


def test_deltas_are_one_linear_map():
    method = host(helpers.network("photo", "facts"))
    params, (a, b) = method.params(), random_z(2)
    joined = [torch.cat(list(method.modulation.deltas(params, z).values())) for z in (a, b, 2 * a - b)]
    assert torch.allclose(joined[2], 2 * joined[0] - joined[1], atol=1e-12)
    assert torch.equal(joined[0], method.modulation.weight @ a)


def test_without_spread_no_task_vector_changes_anything_at_first():
    method = host(helpers.network("facts"), spread=0.0)
    assert all(not d.any() for d in method.modulation.deltas(method.params(), random_z()).values())


def test_tasks_at_once_and_both_derivatives():
    modalities = {n: helpers.MODALITIES[n] for n in ("photo", "words", "facts")}
    method = host(helpers.network(*modalities))
    rows = helpers.random_rows(modalities, (3, 4), here=0.8)
    params, z = method.params(), random_z(3).requires_grad_()

    def energy(tensors: dict, z: Tensor) -> Tensor:
        return method.features(method.modulation.modulated(params, z), rows.with_tensors(tensors)).square().sum()

    def slopes(values: Tensor) -> list[Tensor]:
        """First derivatives by z and the map, and the derivative of their size by the map: two times through."""
        by = [z, method.modulation.weight]
        first = torch.autograd.grad(values.sum(), by, create_graph=True)
        return [*first, *torch.autograd.grad(sum(g.square().sum() for g in first), by)]

    looped = torch.stack([energy(rows.task(t).tensors(), z[t]) for t in range(3)])
    at_once = vmap(energy)(rows.tensors(), z)
    assert torch.allclose(at_once, looped, rtol=1e-10)
    for ours, expected in zip(slopes(at_once), slopes(looped), strict=True):
        assert torch.allclose(ours, expected, rtol=1e-8, atol=1e-10)


def test_derivatives_by_the_task_vector_are_right():
    method = host(helpers.network("words", "traits"))
    modalities = {n: helpers.MODALITIES[n] for n in ("words", "traits")}
    rows = helpers.random_rows(modalities, (3,), here=1.0)

    def features(z: Tensor) -> Tensor:
        return method.features(method.modulation.modulated(method.params(), z), rows)

    assert torch.autograd.gradcheck(features, random_z().requires_grad_())
    assert torch.autograd.gradgradcheck(features, random_z().requires_grad_())
