"""What holds for every fusion."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fused import DIM, FORMS, build, inputs_of, rows
from torch import Tensor
from torch.func import functional_call, grad, vmap

every_form = pytest.mark.parametrize(("name", "options"), FORMS, ids=str)


@every_form
def test_rows_may_have_any_leading_dimensions(name, options):
    fusion = build(name, options)
    x, present = rows(0, inputs=inputs_of(name))
    expected = fusion(x, present)
    assert expected.shape == (len(x), DIM)
    tasks = fusion(x.unflatten(0, (2, 3)), present.unflatten(0, (2, 3)))
    assert torch.allclose(tasks.flatten(0, 1), expected, atol=1e-12)
    assert torch.allclose(fusion(x[3], present[3]), expected[3], atol=1e-12)


@every_form
def test_every_input_counts_and_no_other_row_does(name, options):
    fusion = build(name, options)
    x, present = rows(1, inputs=inputs_of(name))
    before = fusion(x, present)
    for i in range(inputs_of(name)):
        changed = x.clone()
        changed[1, i] += torch.linspace(-1, 1, DIM)
        after = fusion(changed, present)
        assert (after[1] - before[1]).abs().max() > 1e-6, i
        assert torch.equal(after[2:], before[2:])


@every_form
def test_an_input_that_goes_missing_is_noticed(name, options):
    fusion = build(name, options)
    x, present = rows(2, inputs=inputs_of(name))
    for i in range(inputs_of(name)):
        without, left = x.clone(), present.clone()
        without[1, i], left[1, i] = 0.0, False
        assert (fusion(without, left)[1] - fusion(x, present)[1]).abs().max() > 1e-6, i


@every_form
def test_nothing_present_is_finite_with_finite_gradients(name, options):
    fusion = build(name, options)
    x = torch.zeros(3, inputs_of(name), DIM, dtype=torch.float64, requires_grad=True)
    out = fusion(x, torch.zeros(3, inputs_of(name), dtype=torch.bool))
    out.square().sum().backward()
    assert out.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in [x, *fusion.parameters()])


@every_form
@given(seed=st.integers(0, 999))
@settings(max_examples=10)
def test_the_order_of_inputs_changes_nothing_where_that_is_promised(name, options, seed):
    fusion = build(name, options)
    x, present = rows(seed, inputs=inputs_of(name))
    inputs = inputs_of(name)
    order = torch.randperm(inputs, generator=torch.Generator().manual_seed(seed))
    own = {n: p[order] if p.shape[:1] == (inputs,) else p for n, p in fusion.named_parameters()}
    moved = functional_call(fusion, own, (x[:, order], present[:, order]))
    same = torch.allclose(moved, fusion(x, present), rtol=0, atol=1e-10)
    assert same == (type(fusion).symmetric or order.tolist() == list(range(inputs)))


@every_form
def test_weights_are_zero_where_absent_and_say_what_is_read(name, options):
    fusion = build(name, options)
    x, present = rows(3, inputs=inputs_of(name))
    weights = fusion.weights(x, present)
    if weights is None:
        assert name in ("concat", "transformer", "lowrank", "mixture", "pair")
        return
    assert weights.shape == present.shape
    assert (weights[~present] == 0).all()
    assert (weights[present] != 0).all()


@every_form
def test_derivatives_are_those_of_finite_differences(name, options):
    fusion = build(name, options, inputs=min(3, inputs_of(name)), dim=4)
    x, present = rows(4, count=3, inputs=min(3, inputs_of(name)), dim=4)
    named = dict(fusion.named_parameters())

    def fused(embeddings: Tensor, *parameters: Tensor) -> Tensor:
        own = dict(zip(named, parameters, strict=True))
        return functional_call(fusion, own, (embeddings * present[..., None], present))

    arguments = (x.requires_grad_(), *named.values())
    assert torch.autograd.gradcheck(fused, arguments, fast_mode=True)
    assert torch.autograd.gradgradcheck(fused, arguments, fast_mode=True)


@every_form
def test_tasks_with_parameters_of_their_own_at_once_equal_one_after_the_other(name, options):
    """A step of gradient descent a task, and the gradient through it."""
    fusion = build(name, options)
    inputs = inputs_of(name)
    named = {n: p.detach() for n, p in fusion.named_parameters()} | {"shift": torch.zeros(inputs, DIM).double()}
    x, present = (t.unflatten(0, (2, 3)) for t in rows(5, inputs=inputs))
    expected = torch.randn(2, 3, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def loss(own: dict[str, Tensor], x: Tensor, present: Tensor, expected: Tensor) -> Tensor:
        own = dict(own)
        embeddings = (x + own.pop("shift")) * present[..., None]  # what a projection before the fusion learns
        return (functional_call(fusion, own, (embeddings, present)) - expected).square().mean()

    def after_a_step(own: dict[str, Tensor], *task: Tensor) -> Tensor:
        slope = grad(loss)(own, *task)
        return loss({n: p - 0.1 * slope[n] for n, p in own.items()}, *task)

    def total(own: dict[str, Tensor]) -> Tensor:
        return vmap(after_a_step, in_dims=(None, 0, 0, 0))(own, x, present, expected).sum()

    together, one_by_one = grad(total)(named), {n: torch.zeros_like(p) for n, p in named.items()}
    for task in zip(x, present, expected, strict=True):
        leaves = {n: p.clone().requires_grad_() for n, p in named.items()}
        slope = torch.autograd.grad(loss(leaves, *task), leaves.values(), create_graph=True, materialize_grads=True)
        moved = {n: p - 0.1 * g for (n, p), g in zip(leaves.items(), slope, strict=True)}
        outer = torch.autograd.grad(loss(moved, *task), leaves.values(), materialize_grads=True)
        for n, g in zip(leaves, outer, strict=True):
            one_by_one[n] += g
    for n, g in together.items():
        assert torch.allclose(g, one_by_one[n], rtol=1e-10, atol=1e-12), n
