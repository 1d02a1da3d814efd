"""Invariant 3: the meta-gradient against references that share no code with the learners, in float64 to 1e-8."""

from __future__ import annotations

import copy

import higher
import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchopt
from support import helpers
from support.covering import pairwise
from torch import Tensor, nn

from omnishot.episodes.rows import Episode
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner, Params
from omnishot.modality.base import Modality
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.network import Network, build_network

TOLERANCE = 1e-8
RATE = 0.07
STEPS = [1, 2, 5]
TRAINED = [n for n in LEARNERS.names() if LEARNERS.load(n).meta_trained]
PLANS = ["loop", "split", "vmap", "vmap:1"]


# -- stateful networks of plain torch layers, loaded with a learner's parameters --------------------------


class PlainConv4(nn.Module):
    """Conv-4 for `[rows, 1, 16, 16]` with affine layer norm and a linear head."""

    def __init__(self, width: int, out: int):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(i, width, 3, padding=1) for i in [1, width, width, width])
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for _ in range(4))
        self.head = nn.Linear(width, out)

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.max_pool2d(torch.relu(norm(conv(x))), 2)
        return self.head(x.flatten(1))


class PlainMLP(nn.Module):
    """Two layers and a linear head, for `[rows, 2 * columns]`."""

    def __init__(self, inputs: int, width: int, out: int):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(inputs, width), nn.Linear(width, width), nn.Linear(width, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.second(torch.relu(self.first(x.flatten(1))))))


def plain_copy(method: Learner) -> tuple[nn.Module, dict[str, str]]:
    """A stateful copy of a fixed-head learner with one image or table input, and its names for the parameters."""
    encoder = "network.encoders.0."
    out = method.head.out
    if method.network.names == ["photo"]:
        model: nn.Module = PlainConv4(method.network.out, out)
        names = {f"{encoder}{kind}.{i}": f"{kind}.{i}" for kind in ("convs", "norms") for i in range(4)}
        parts = {"convs": ("weight", "bias"), "norms": ("scale", "shift")}
    else:
        inputs = 2 * method.network.encoders[0].numbers
        model = PlainMLP(inputs, method.network.out, out)
        names = {f"{encoder}layers.{i}": layer for i, layer in enumerate(("first", "second"))}
        parts = {"first": ("weight", "bias"), "second": ("weight", "bias")}
    names["head"], parts["head"] = "head", ("weight", "bias")
    of_learner = {
        f"{theirs}.{part}": f"{ours}.{mine}"
        for ours, theirs in names.items()
        for mine, part in zip(parts[theirs.split(".")[0]], ("weight", "bias"), strict=True)
    }
    own = method.params()
    model = model.double()
    model.load_state_dict({theirs: own[ours].detach() for theirs, ours in of_learner.items()})
    assert sorted(of_learner.values()) == sorted(own)
    return model, of_learner


def one_input(name: str, objective: str = "classify") -> tuple[Network, Episode]:
    modalities: dict[str, Modality] = {name: helpers.MODALITIES[name] if name == "photo" else helpers.tabular(3)}
    kind = modalities[name].kind
    torch.manual_seed(3)
    net = build_network(
        modalities, encoder_options={kind: {"width": 16, "norm": "layer"} if name == "photo" else {"width": 8}}
    )
    ways = 3 if objective == "classify" else None
    return net, helpers.random_episode(modalities, tasks=2, ways=ways, shots=2, queries=3, seed=5, here=1.0)


def task_loss(objective: str, prediction: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(prediction, target) if objective == "classify" else F.mse_loss(prediction, target)


FORMS = [("photo", "classify"), ("facts", "classify"), ("facts", "regress")]


def fixed_maml(name: str, objective: str, steps: int, second_order: bool) -> tuple[Learner, Episode]:
    net, batch = one_input(name, objective)
    options = {"head": "linear", "ways": 3, "inner_steps": steps, "inner_lr": RATE, "second_order": second_order}
    return helpers.learner("maml", net, objective, **options), batch


# -- other people's MAML --------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "steps", "second_order", "plan"), pairwise(FORMS, STEPS, [True, False], PLANS))
def test_maml_equals_higher(form, steps, second_order, plan):
    name, objective = form
    method, batch = fixed_maml(name, objective, steps, second_order)
    model, of_learner = plain_copy(method)
    total = {theirs: torch.zeros_like(p) for theirs, p in model.named_parameters()}
    for t in range(batch.tasks):
        task = batch.task(t)
        optimiser = torch.optim.SGD(model.parameters(), lr=RATE)
        with higher.innerloop_ctx(model, optimiser, copy_initial_weights=False, track_higher_grads=second_order) as (
            fast,
            steps_of,
        ):
            for _ in range(steps):
                steps_of.step(task_loss(objective, fast(task.support.inputs[name]), task.support.target))
            loss = task_loss(objective, fast(task.query.inputs[name]), task.query.target)
            # First order: the gradient where the inner loop ended stands for the one where it began.
            at = list(fast.parameters(time=0 if second_order else -1))
            for theirs, g in zip(total, torch.autograd.grad(loss, at), strict=True):
                total[theirs] += g / batch.tasks
    expected = {ours: total[theirs] for theirs, ours in of_learner.items()}
    assert helpers.relative_error(helpers.meta_gradient(method, batch, plan), expected) < TOLERANCE


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize(("name", "objective"), FORMS)
def test_maml_equals_torchopt(name, objective, steps):
    method, batch = fixed_maml(name, objective, steps, second_order=True)
    model, of_learner = plain_copy(method)
    total = {theirs: torch.zeros_like(p) for theirs, p in model.named_parameters()}
    for t in range(batch.tasks):
        task, fast = batch.task(t), copy.deepcopy(model)
        start = dict(fast.named_parameters())
        optimiser = torchopt.MetaSGD(fast, lr=RATE)
        for _ in range(steps):
            optimiser.step(task_loss(objective, fast(task.support.inputs[name]), task.support.target))
        loss = task_loss(objective, fast(task.query.inputs[name]), task.query.target)
        for theirs, g in zip(start, torch.autograd.grad(loss, list(start.values())), strict=True):
            total[theirs] += g / batch.tasks
    expected = {ours: total[theirs] for theirs, ours in of_learner.items()}
    assert helpers.relative_error(helpers.meta_gradient(method, batch), expected) < TOLERANCE


# -- a double loop written out, for what no library has ---------------------------------------------------


def mlp(p: dict[str, Tensor], x: Tensor) -> Tensor:
    encoder = "network.encoders.0."
    h = torch.relu(x.flatten(1) @ p[encoder + "layers.0.weight"].T + p[encoder + "layers.0.bias"])
    return torch.relu(h @ p[encoder + "layers.1.weight"].T + p[encoder + "layers.1.bias"])


def written_out(
    own: dict[str, Tensor],
    batch: Episode,
    *,
    steps: int,
    prototypes: bool,
    body: bool,
    second_order: bool,
    objective: str,
) -> dict[str, Tensor]:
    """The meta-gradient of MAML (`body`) or ANIL on the table network, its loops written out.

    `own["step_sizes.values"]`, if there, holds a step size for every adapted tensor: body, then head weight and bias.
    """
    own = {n: p.detach().clone().requires_grad_() for n, p in own.items()}
    losses = []
    for t in range(batch.tasks):
        support, query = batch.support.task(t), batch.query.task(t)
        if prototypes:
            features = mlp(own, support.inputs["facts"])
            means = torch.stack([features[support.target == k].mean(0) for k in range(3)])
            s = 1 / means.shape[1] ** 0.5
            weight, bias = 2 * s * means, -s * (means * means).sum(1)
        else:
            weight, bias = own["head.weight"], own["head.bias"]
        names = [n for n in own if n.startswith("network.")] if body else []
        fast = {n: own[n] for n in names} | {"weight": weight, "bias": bias}
        for _ in range(steps):
            # The inner gradient holds everything but `fast` constant, the head's start included.
            here = {n: v.clone() for n, v in fast.items()}
            prediction = mlp(own | here, support.inputs["facts"]) @ here["weight"].T + here["bias"]
            inner = task_loss(objective, prediction, support.target)
            grads = torch.autograd.grad(inner, list(here.values()), create_graph=True)
            stepped = {}
            for i, (n, g) in enumerate(zip(fast, grads, strict=True)):
                rate = own["step_sizes.values"][i] if "step_sizes.values" in own else RATE
                stepped[n] = fast[n] - rate * (g if second_order else g.detach())
            fast = stepped
        prediction = mlp(own | fast, query.inputs["facts"]) @ fast["weight"].T + fast["bias"]
        losses.append(task_loss(objective, prediction, query.target))
    mean = torch.stack(losses).mean()
    return dict(zip(own, torch.autograd.grad(mean, list(own.values())), strict=True))


GRID = [(n, p, o) for n in ("maml", "anil") for p in (True, False) for o in ("classify", "regress")]
GRID = [(n, p, o) for n, p, o in GRID if not (p and o == "regress")]  # numbers have no class means


def table_learner(name: str, prototypes: bool, objective: str, **options) -> tuple[Learner, Episode]:
    net, batch = one_input("facts", objective)
    head = {"head": "prototype"} if prototypes else {"head": "linear", "ways": 3}
    method = helpers.learner(name, net, objective, inner_lr=RATE, **head, **options)
    if "step_sizes.values" in method.params():
        with torch.no_grad():
            sizes = method.step_sizes.values
            sizes.mul_(torch.linspace(0.5, 1.5, len(sizes), dtype=torch.float64))
    return method, batch


@pytest.mark.parametrize(
    ("form", "steps", "rates", "second_order", "plan"), pairwise(GRID, STEPS, ["none", "tensor"], [True, False], PLANS)
)
def test_gradient_equals_the_loops_written_out(form, steps, rates, second_order, plan):
    name, prototypes, objective = form
    options = {"inner_steps": steps, "learned_inner_lr": rates, "second_order": second_order}
    method, batch = table_learner(name, prototypes, objective, **options)
    expected = written_out(
        method.params(),
        batch,
        steps=steps,
        prototypes=prototypes,
        body=name == "maml",
        second_order=second_order,
        objective=objective,
    )
    assert helpers.relative_error(helpers.meta_gradient(method, batch, plan), expected) < TOLERANCE


@pytest.mark.parametrize(("name", "prototypes", "objective"), GRID)
def test_gradient_equals_finite_differences(name, prototypes, objective):
    method, batch = table_learner(name, prototypes, objective, inner_steps=2, learned_inner_lr="tensor")
    measured = helpers.finite_differences(method, batch)
    assert helpers.relative_error(helpers.meta_gradient(method, batch), measured) < 1e-7
    method.second_order = False
    if name == "maml" or prototypes:  # first order is another gradient: the check can fail
        assert helpers.relative_error(helpers.meta_gradient(method, batch), measured) > 1e-4


def test_gradient_of_many_inputs_equals_finite_differences():
    """All of the network at once, cells missing: encoders, projections and fusion, along random directions."""
    modalities = {n: helpers.MODALITIES[n] for n in ("words", "sensor", "facts")}
    for fusion in FUSIONS.names():
        method = helpers.learner("maml", helpers.network(*modalities, fusion=fusion))
        batch = helpers.random_episode(modalities, tasks=2)
        gradient = helpers.meta_gradient(method, batch)
        g = torch.Generator().manual_seed(0)
        for _ in range(3):
            direction = {n: torch.randn(p.shape, generator=g, dtype=p.dtype) for n, p in method.named_parameters()}
            losses = []
            for sign in (1, -1):
                moved = {n: p.detach() + sign * 1e-6 * direction[n] for n, p in method.named_parameters()}
                losses.append(np.mean([method.loss(moved, batch.task(t)).item() for t in range(2)]))
            slope = sum((gradient[n] * direction[n]).sum() for n in direction).item()
            assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("decoder", helpers.SPEAKERS)
def test_gradient_through_a_decoder_equals_finite_differences(decoder):
    """Second order, through the steps that move network, decoder and the words that only the task says.

    Along random directions of all parameters. (The other plans give the gradient of this one: test_engine.)
    """
    method = helpers.speaker("maml", decoder, helpers.network("facts", **helpers.OTHER_NETWORKS["model"]))
    batch = helpers.episode_for(method, tasks=1, shots=1, queries=1, seed=2, here=1.0)
    gradient = helpers.meta_gradient(method, batch)
    method.second_order = False
    first = helpers.meta_gradient(method, batch)
    method.second_order = True
    g = torch.Generator().manual_seed(0)
    for _ in range(2):
        way = {n: torch.randn(p.shape, generator=g, dtype=p.dtype) for n, p in method.named_parameters()}
        slope = torch.zeros(())
        for weight, h in ((8, 1e-4), (-8, -1e-4), (-1, 2e-4), (1, -2e-4)):  # four points leave an error of h⁴
            moved = {n: p.detach() + h * way[n] for n, p in method.named_parameters()}
            slope = slope + weight * method.loss(moved, batch.task(0)).detach() / 12e-4
        assert sum((gradient[n] * way[n]).sum() for n in way).item() == pytest.approx(slope.item(), rel=1e-7)
        # First order is another gradient: the check can fail.
        assert sum((first[n] * way[n]).sum() for n in way).item() != pytest.approx(slope.item(), rel=1e-4)


# -- prototypical networks --------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", PLANS)
def test_protonet_equals_a_plain_computation(plan):
    net, batch = one_input("facts")
    method = helpers.learner("protonet", net, scale=0.3)
    own = {n: p.detach().clone().requires_grad_() for n, p in method.named_parameters()}
    losses = []
    for t in range(batch.tasks):
        support, query = batch.support.task(t), batch.query.task(t)
        embedded, asked = mlp(own, support.inputs["facts"]), mlp(own, query.inputs["facts"])
        for row, target in zip(asked, query.target.tolist(), strict=True):
            means = [embedded[support.target == k].mean(0) for k in range(3)]
            scores = torch.stack([torch.exp(-0.3 * ((row - m) ** 2).sum()) for m in means])
            losses.append(-torch.log(scores[target] / scores.sum()))
    grads = torch.autograd.grad(torch.stack(losses).mean(), list(own.values()))
    expected = dict(zip(own, grads, strict=True))
    assert helpers.relative_error(helpers.meta_gradient(method, batch, plan), expected) < TOLERANCE


# -- the classic mistake ----------------------------------------------------------------------------------


def without_gradient(method: Learner, batch: Episode) -> set[str]:
    """The parameters that a meta-gradient does not reach (rounding does not count as reaching)."""
    gradient = helpers.meta_gradient(method, batch)
    assert gradient.keys() == {n for n, p in method.named_parameters() if p.requires_grad}
    return {n for n, g in gradient.items() if g.abs().max() < 1e-12}


def idle(method: Learner, batch: Episode, parameter: str) -> bool:
    """Whether the loss is the same whatever a parameter is, as of a bias that moves all features alike."""
    params, task = method.params(), batch.task(0)
    moved = params | {parameter: params[parameter] + torch.randn_like(params[parameter])}
    torch.manual_seed(0)
    before = method.loss(params, task)
    torch.manual_seed(0)
    return torch.allclose(before, method.loss(moved, task), rtol=1e-10, atol=1e-10)


class CopiedModel(LEARNERS.load("maml")):
    """MAML as it is often got wrong: the inner loop trains a copy, so the loss knows nothing of where it began."""

    def fit(self, params: Params, support) -> Params:
        return super().fit({n: p.detach().clone().requires_grad_() for n, p in params.items()}, support)


class FrozenCopy(LEARNERS.load("protonet")):
    """A prototypical network whose prototypes are computed without a gradient."""

    def fit(self, params: Params, support) -> Params:
        with torch.no_grad():
            return super().fit(params, support)


@pytest.mark.parametrize(("name", "fusion"), helpers.crossed(TRAINED, FUSIONS.names()))
def test_the_meta_gradient_reaches_every_parameter(name, fusion):
    method = helpers.learner(name, helpers.mixed(name, fusion=fusion))
    batch = helpers.random_episode(method.network.modalities, tasks=3, here=0.8)
    for parameter in without_gradient(method, batch):
        assert idle(method, batch, parameter), parameter


@pytest.mark.parametrize(
    "options", [{"head": "linear", "ways": 3}, {"learned_inner_lr": "tensor"}, {"second_order": False}]
)
@pytest.mark.parametrize("name", ["maml", "anil"])
def test_in_every_form_of_maml(name, options):
    method = helpers.learner(name, helpers.network("photo", "words", "facts"), **options)
    modalities = {n: helpers.MODALITIES[n] for n in ("photo", "words", "facts")}
    assert without_gradient(method, helpers.random_episode(modalities, here=0.8)) == set()


def test_what_no_gradient_can_reach():
    """A norm of kind none has a scale and shift that do nothing, and what normalises each channel undoes a bias."""
    batch = helpers.random_episode({"sensor": helpers.MODALITIES["sensor"]}, here=1.0)
    none = helpers.learner("maml", helpers.network("sensor", norm="none"))
    assert all(".norms." in n for n in without_gradient(none, batch))
    instance = helpers.learner("maml", helpers.network("sensor", norm="instance"))
    assert all(n.endswith("bias") and ".convs." in n for n in without_gradient(instance, batch))


def test_a_copied_model_would_be_caught():
    modalities = {n: helpers.MODALITIES[n] for n in ("photo", "facts")}
    batch = helpers.random_episode(modalities, here=1.0)
    right = helpers.learner("maml", helpers.network(*modalities), head="linear", ways=3)
    wrong = CopiedModel(right.network, right.objective, head="linear", ways=3).double()
    assert without_gradient(right, batch) == set()
    assert without_gradient(wrong, batch) == set(wrong.params())


def test_prototypes_without_a_gradient_would_be_caught():
    """Every parameter gets some gradient through the query rows, so only the reference shows this mistake."""
    modalities = {n: helpers.MODALITIES[n] for n in ("photo", "facts")}
    batch = helpers.random_episode(modalities, here=1.0)
    right = helpers.learner("protonet", helpers.network(*modalities))
    wrong = FrozenCopy(right.network, right.objective).double()
    assert helpers.relative_error(helpers.meta_gradient(wrong, batch), helpers.meta_gradient(right, batch)) > 0.01
