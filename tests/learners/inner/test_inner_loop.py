"""What inner loops move, by what steps, and which losses count: against loops written out, in float64 to 1e-8."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from support import helpers
from torch import Tensor

from omnishot.episodes.rows import Episode
from omnishot.errors import UsageError
from omnishot.experiment.plan import Plan
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.learners.maml import step_weights
from omnishot.nn.network import build_network
from omnishot.training.engine.cuda_graph import runner

WAYS, RATE = 3, 0.07
LAYERS = "network.encoders.0.layers."
PLANS = ["loop", "split", "vmap"]


def built(name: str = "maml", objective: str = "classify", seed: int = 0, **options) -> tuple[Learner, Episode]:
    """A learner of a two-layer perceptron on three numbers, and two tasks."""
    modalities = {"facts": helpers.tabular(3)}
    torch.manual_seed(3)
    net = build_network(modalities, encoder_options={"facts": {"width": 8}})
    method = helpers.learner(name, net, objective, seed, **{"inner_lr": RATE} | options)
    sizes = torch.Generator().manual_seed(5)
    with torch.no_grad():  # learned step sizes that all differ
        for p in method.step_sizes.parameters():
            p.mul_(0.5 + torch.rand(p.shape, generator=sizes, dtype=p.dtype))
    ways = WAYS if objective == "classify" else None
    return method, helpers.random_episode(modalities, tasks=2, ways=ways, shots=2, queries=3, seed=5, here=1.0)


def features(p: dict[str, Tensor], x: Tensor) -> Tensor:
    h = x.flatten(1)
    for i in range(2):
        weight = p[f"{LAYERS}{i}.weight"]
        if f"lora.left.{i}" in p:
            weight = weight + p[f"lora.left.{i}"].T @ p[f"lora.right.{i}"]
        h = torch.relu(h @ weight.T + p[f"{LAYERS}{i}.bias"])
    return h


def expected(
    method: Learner, batch: Episode, moves: set[str], *, steps: int, second_order: bool = True,
    weights: list[float] | None = None,
) -> dict[str, Tensor]:  # fmt: skip
    """The meta-gradient with both loops written out. `moves`: names of all that the inner loop moves."""
    own = {n: p.detach().clone().requires_grad_() for n, p in method.named_parameters()}
    fixed = "head.weight" in own

    def loss(p: dict[str, Tensor], rows) -> Tensor:
        answer = features(p, rows.inputs["facts"]) @ p["head.weight"].T + p["head.bias"]
        return F.cross_entropy(answer, rows.target) if rows.ways else F.mse_loss(answer, rows.target)

    def size(step: int, name: str) -> Tensor | float:
        i = method.names.index(name)
        if "step_sizes.values" in own:
            values = own["step_sizes.values"]
            return values[i] if values.dim() == 1 else values[min(step, len(values) - 1), i]
        return own.get(f"step_sizes.of.{i}", RATE)

    losses = []
    for t in range(batch.tasks):
        support, query = batch.support.task(t), batch.query.task(t)
        fast = dict(own)
        if not fixed:
            f = features(own, support.inputs["facts"])
            means = torch.stack([f[support.target == k].mean(0) for k in range(WAYS)])
            s = means.shape[1] ** -0.5
            fast |= {"head.weight": 2 * s * means, "head.bias": -s * (means * means).sum(1)}
        after = [loss(fast, query)]
        for step in range(steps):
            here = fast | {n: fast[n].clone() for n in moves}
            grads = torch.autograd.grad(loss(here, support), [here[n] for n in sorted(moves)], create_graph=True)
            for n, g in zip(sorted(moves), grads, strict=True):
                fast[n] = fast[n] - size(step, n) * (g if second_order else g.detach())
            after.append(loss(fast, query))
        losses.append(sum(w * q for w, q in zip(weights or [0.0] * (steps - 1) + [1.0], after[1:], strict=True)))
    grads = torch.autograd.grad(torch.stack(losses).mean(), list(own.values()), allow_unused=True)
    return {n: torch.zeros_like(p) if g is None else g for (n, p), g in zip(own.items(), grads, strict=True)}


def check(method: Learner, batch: Episode, reference: dict[str, Tensor], plans=PLANS) -> None:
    for plan in plans:
        if plan != "split" or method.splits:
            assert helpers.relative_error(helpers.meta_gradient(method, batch, plan), reference) < 1e-8, plan


NETWORK = {f"{LAYERS}{i}.{kind}" for i in range(2) for kind in ("weight", "bias")}
HEAD = {"head.weight", "head.bias"}
LORA = {f"lora.{side}.{i}" for side in ("left", "right") for i in range(2)}
PARTS = {
    "all": NETWORK | HEAD,
    "network": NETWORK,
    "head": HEAD,
    "encoder": NETWORK,
    "encoder.facts": NETWORK,
    "encoder.tabular,head": NETWORK | HEAD,
    "film": {n for n in NETWORK if n.endswith("bias")},
    "lora": LORA,
    "lora,head": LORA | HEAD,
    "all,lora": NETWORK | HEAD | LORA,
}


@pytest.mark.parametrize("objective", ["classify", "regress"])
@pytest.mark.parametrize("adapt", PARTS)
def test_the_parts_named_are_moved_and_no_others(adapt, objective):
    method, batch = built(objective=objective, adapt=adapt, inner_steps=2, lora_rank=2)
    assert set(method.names) == PARTS[adapt]
    check(method, batch, expected(method, batch, PARTS[adapt], steps=2))


@pytest.mark.parametrize("second_order", [True, False])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("head", [{"head": "prototype"}, {"head": "linear", "ways": WAYS}], ids=str)
@pytest.mark.parametrize("rates", ["none", "tensor", "step", "element"])
def test_step_sizes_of_every_kind(rates, head, steps, second_order):
    method, batch = built(learned_inner_lr=rates, inner_steps=steps, second_order=second_order, **head)
    check(method, batch, expected(method, batch, NETWORK | HEAD, steps=steps, second_order=second_order))


FORMS = {
    "boil": ({}, NETWORK),
    "anil": ({}, HEAD),
    "metasgd": ({}, NETWORK | HEAD),
    "protomaml": ({"second_order": True}, NETWORK | HEAD),
}


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("name", FORMS)
def test_the_members_of_the_family(name, fixed, steps):
    options, moves = FORMS[name]
    if fixed and name == "protomaml":
        pytest.skip("its head starts at prototypes")
    method, batch = built(name, inner_steps=steps, **options, **({"head": "linear", "ways": WAYS} if fixed else {}))
    check(method, batch, expected(method, batch, moves, steps=steps))


def test_meta_sgd_has_a_step_size_for_every_parameter_of_its_published_form():
    method, _ = built("metasgd", head="linear", ways=WAYS)
    sizes = {n: p.shape for n, p in zip(method.names, method.step_sizes.of, strict=True)}
    assert sizes == {n: p.shape for n, p in method.named_parameters() if n in sizes}
    assert set(sizes) == NETWORK | HEAD


@pytest.mark.parametrize("progress", [0.0, 0.15, 0.3, 1.0])
def test_losses_after_all_steps_count_less_and_less(progress):
    method, batch = built(inner_steps=3, multi_step=0.3, learned_inner_lr="step")
    method = method.at(progress)
    weights = step_weights(3, progress, 0.3)
    assert sum(weights) == pytest.approx(1)
    assert weights == pytest.approx({0.0: [1 / 3] * 3, 0.15: [1 / 6, 1 / 6, 2 / 3]}.get(progress, [0, 0, 1]))
    check(method, batch, expected(method, batch, NETWORK | HEAD, steps=3, weights=weights))


@pytest.mark.parametrize(("progress", "second_order"), [(0.0, False), (0.39, False), (0.4, True), (1.0, True)])
def test_the_order_of_the_derivative_is_annealed(progress, second_order):
    method, batch = built(inner_steps=2, first_order=0.4)
    method = method.at(progress)
    check(method, batch, expected(method, batch, NETWORK | HEAD, steps=2, second_order=second_order))


def test_more_steps_than_were_trained_with_take_the_last_step_sizes():
    method, batch = built(inner_steps=2, learned_inner_lr="step")
    method = method.with_steps(4)
    check(method, batch, expected(method, batch, NETWORK | HEAD, steps=4), plans=["loop"])


def test_lora_starts_as_the_network_itself_and_reaches_convolutions():
    net = helpers.network("photo", "words", "facts")
    plain = helpers.learner("protonet", net)
    torch.manual_seed(0)
    method = LEARNERS.load("maml")(net, plain.objective, adapt="lora", inner_steps=2, head="prototype").double()
    modalities = {n: helpers.MODALITIES[n] for n in ("photo", "words", "facts")}
    task = helpers.random_episode(modalities, tasks=1, here=1.0).task(0)
    own = method.params()
    assert torch.equal(method.read(own, {}, task.query), method.features(own, task.query))
    state = method.adapt(task.support)
    moved = [n for n in method.names if not torch.equal(state[n], own[n])]
    assert any(method.lora.names[int(n.rpartition(".")[2])].startswith("encoders.0.convs") for n in moved)
    assert not any(n.startswith("network.") for n in state)


@pytest.mark.parametrize(
    ("adapt", "message"),
    [
        ("haed", "no part 'haed' to adapt: did you mean 'head'"),
        ("encoder.photo", "no part 'encoder.photo'.*encoder.facts"),
        ("fusion", "part 'fusion' of this network has no parameters"),
        ("", "nothing to move"),
    ],
)
def test_parts_that_there_are_not(adapt, message):
    with pytest.raises(UsageError, match=message):
        built(adapt=adapt)


@pytest.mark.parametrize("options", [{"multi_step": 1.5}, {"first_order": -0.1}, {"learned_inner_lr": "stpe"}])
def test_options_that_do_not_fit(options):
    with pytest.raises(UsageError, match=r"multi_step|first_order|did you mean 'step'"):
        built(**options)


def test_a_loss_that_changes_in_training_is_not_recorded():
    method, _ = built(multi_step=0.5)
    with pytest.raises(UsageError, match="leave out \\+graph"):
        runner(method, Plan("vmap", cuda_graph=True))
