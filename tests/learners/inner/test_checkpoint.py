"""A function computed again in the backward pass: the same values and gradients, and nothing kept."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from omnishot.learners.inner.checkpoint import recomputed


def curve(tree: dict, power: int) -> dict:
    """Some outputs need a gradient, one is handed on, one does not depend on anything that needs it."""
    x, y = tree["x"], tree["y"]
    return {"z": (x.sin() * y) ** power, "same": y, "count": (tree["n"] + 1, x.sum())}


def inputs() -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(0)
    x, y = (torch.randn(4, 3, generator=g, dtype=torch.float64).requires_grad_() for _ in range(2))
    return {"x": x, "y": y, "n": torch.arange(4)}


def total(result: dict) -> Tensor:
    return (result["z"] * result["same"]).sum() + result["count"][1].square().sum()


@pytest.mark.parametrize("mapped", [False, True])
def test_values_and_gradients_are_those_of_the_function(mapped):
    def run(again: bool) -> tuple[dict, list[Tensor]]:
        tree = inputs()

        def one(tree: dict) -> dict:
            return recomputed(curve, tree, 2) if again else curve(tree, 2)

        result = torch.vmap(one)(tree) if mapped else one(tree)
        return result, list(torch.autograd.grad(total(result), [tree["x"], tree["y"]]))

    (result, gradients), (expected, theirs) = run(True), run(False)
    assert torch.equal(result["count"][0], expected["count"][0])
    for ours, right in zip([result["z"], *gradients], [expected["z"], *theirs], strict=True):
        assert torch.allclose(ours, right, rtol=1e-14, atol=1e-14)


def test_what_all_share_stays_shared_under_vmap():
    """An input handed on as it came is not copied for every task."""
    shared = torch.randn(5, requires_grad=True)
    found = []

    def one(x: Tensor) -> Tensor:
        same, y = recomputed(lambda w, x: (w, w * x), shared, x)
        found.append(same is shared)
        return y

    torch.vmap(one)(torch.randn(3, 5)).sum().backward()
    assert found == [True]


def test_a_gradient_that_is_not_asked_for_is_not_given():
    tree = inputs()
    recomputed(curve, tree, 2)["count"][1].backward()
    assert torch.equal(tree["x"].grad, torch.ones(4, 3, dtype=torch.float64))
    assert tree["y"].grad is None


def test_no_second_derivative_rather_than_a_wrong_one():
    tree = inputs()
    (first,) = torch.autograd.grad(total(recomputed(curve, tree, 2)), tree["x"], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_the_precision_is_that_of_the_first_run():
    """Wherever the backward pass runs; and a cast of the first run, which has no graph, is not used by others."""
    w, x, seen = torch.randn(3, 3, requires_grad=True), torch.randn(4, 3), []

    def product(w: Tensor, x: Tensor) -> Tensor:
        y = x @ w
        seen.append(y.dtype)
        return y.float()

    with torch.autocast("cpu", torch.bfloat16):
        y = recomputed(product, w, x)
        (direct,) = torch.autograd.grad((x @ w).float().sum(), w)
    y.sum().backward()
    assert seen == [torch.bfloat16] * 2
    assert torch.equal(w.grad, direct)
