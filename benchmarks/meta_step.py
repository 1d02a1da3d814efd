"""Meta-training steps per second, beside higher, torchopt and plain loops over the same network.

Conv-4 (max-pooling, 64 filters), 28×28 pixels, 5-way 1-shot, 15 query rows a class, 16 tasks a step. Everybody has a
process of their own and the same weights; before anything is timed, everybody's meta-gradient is compared in float64.
The library runs by the plan that its own trial chooses. The plain loop runs in both layouts of pictures, for which is
faster depends on the method and the machine; a ratio is to the fastest of all peers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import contenders
import higher
import timing
import torch
import torch.nn.functional as F
import torchopt
from contenders import Backward, Build, Race
from torch import Tensor, nn

from omnishot.episodes.rows import Episode, Rows
from omnishot.learners.base import Learner
from omnishot.learners.maml import MAML
from omnishot.learners.protonet import ProtoNet
from omnishot.modality.image import Image
from omnishot.nn.network import build_network
from omnishot.objectives.classify import Classify

WAYS, SHOTS, QUERIES, SIZE, WIDTH, RATE = 5, 1, 15, 28, 64, 0.1
SCALE = 1.0  # of the prototypical network's distances, as published

#: The ratio to the fastest peer that is required.
REQUIRED = {"maml": 1.8, "protonet": 2.0}
#: Layouts of pictures and weights.
LAYOUTS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}


class PlainConv4(nn.Module):
    """The library's Conv-4 as it is written without the library."""

    def __init__(self, outputs: int | None):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(i, WIDTH, 3, padding=1) for i in (1, WIDTH, WIDTH, WIDTH))
        self.norms = nn.ModuleList(nn.GroupNorm(1, WIDTH) for _ in range(4))
        self.head = nn.Linear(WIDTH, outputs) if outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.max_pool2d(F.relu(norm(conv(x))), 2)
        return self.head(x.flatten(1))


def halves(batch: Episode, t: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Support pictures and classes, query pictures and classes of one task."""
    support, query = batch.support, batch.query
    assert support.target is not None
    assert query.target is not None
    return support.inputs["photo"][t], support.target[t], query.inputs["photo"][t], query.target[t]


def with_higher(model: nn.Module, steps: int, second_order: bool) -> Backward:
    """MAML by `higher`, as its examples write it."""
    inner = torch.optim.SGD(model.parameters(), lr=RATE)

    def backward(batch: Episode) -> None:
        for t in range(batch.tasks):
            x, y, query, target = halves(batch, t)
            with higher.innerloop_ctx(model, inner, copy_initial_weights=False, track_higher_grads=second_order) as (
                fast,
                optimizer,
            ):
                for _ in range(steps):
                    optimizer.step(F.cross_entropy(fast(x), y))
                loss = F.cross_entropy(fast(query), target) / batch.tasks
                if second_order:
                    loss.backward()
                else:  # where the inner loop ended stands for where it began
                    for p, g in zip(model.parameters(), torch.autograd.grad(loss, fast.parameters()), strict=True):
                        p.grad = g if p.grad is None else p.grad + g

    return backward


def with_torchopt(model: nn.Module, steps: int) -> Backward:
    """MAML by `torchopt.MetaSGD`, as its examples write it; it has no first-order form."""
    inner = torchopt.MetaSGD(model, lr=RATE)

    def backward(batch: Episode) -> None:
        start = torchopt.extract_state_dict(model, by="reference", detach_buffers=True)
        state = torchopt.extract_state_dict(inner, by="reference")
        for t in range(batch.tasks):
            x, y, query, target = halves(batch, t)
            for _ in range(steps):
                inner.step(F.cross_entropy(model(x), y))
            (F.cross_entropy(model(query), target) / batch.tasks).backward()
            torchopt.recover_state_dict(model, start)
            torchopt.recover_state_dict(inner, state)

    return backward


def by_hand(model: nn.Module, steps: int, second_order: bool) -> Backward:
    """MAML as one writes it with `torch.autograd.grad` and a forward pass that takes its weights."""

    def forward(p: dict[str, Tensor], x: Tensor) -> Tensor:
        for i in range(4):
            x = F.conv2d(x, p[f"convs.{i}.weight"], p[f"convs.{i}.bias"], padding=1)
            x = F.group_norm(x, 1, p[f"norms.{i}.weight"], p[f"norms.{i}.bias"])
            x = F.max_pool2d(F.relu(x), 2)
        return F.linear(x.flatten(1), p["head.weight"], p["head.bias"])

    def backward(batch: Episode) -> None:
        for t in range(batch.tasks):
            x, y, query, target = halves(batch, t)
            fast: dict[str, Tensor] = dict(model.named_parameters())
            for _ in range(steps):
                loss = F.cross_entropy(forward(fast, x), y)
                grads = torch.autograd.grad(loss, list(fast.values()), create_graph=second_order)
                fast = {n: p - RATE * g for (n, p), g in zip(fast.items(), grads, strict=True)}
            (F.cross_entropy(forward(fast, query), target) / batch.tasks).backward()

    return backward


def prototypes_by_hand(model: nn.Module) -> Backward:
    """A prototypical network as easyfsl lays it out: one episode after the other, a pass for support, one for query."""

    def backward(batch: Episode) -> None:
        for t in range(batch.tasks):
            x, y, query, target = halves(batch, t)
            embedded = model(x)
            prototypes = torch.stack([embedded[y == k].mean(0) for k in range(WAYS)])
            scores = -SCALE * torch.cdist(model(query), prototypes) ** 2
            (F.cross_entropy(scores, target) / batch.tasks).backward()

    return backward


def learner(method: str, steps: int, second_order: bool) -> Learner:
    """The library's learner; its weights are the same each time."""
    torch.manual_seed(0)
    network = build_network(
        {"photo": Image((SIZE, SIZE), 1, (0.5,), (0.5,))}, encoder_options={"photo": {"width": WIDTH}}
    )
    if method == "protonet":
        return ProtoNet(network, Classify(), scale=SCALE)
    options = {"inner_steps": steps, "inner_lr": RATE, "second_order": second_order}
    return MAML(network, Classify(), head="linear", ways=WAYS, **options)  # type: ignore[arg-type]


def plain_copy(method: Learner) -> PlainConv4:
    """A plain network with the learner's weights, in the same order."""
    model = PlainConv4(WAYS if isinstance(method, MAML) else None)
    own = {n.split("encoders.0.")[-1]: p.detach() for n, p in method.named_parameters()}
    model.load_state_dict({n.replace("scale", "weight").replace("shift", "bias"): p for n, p in own.items()})
    return model


def ours(method: str, steps: int, second_order: bool, dtype: torch.dtype) -> tuple[Learner, Backward | None]:
    """The library's learner, laid out as `omnishot train` does."""
    model = learner(method, steps, second_order)
    return model.to(dtype=dtype, memory_format=torch.channels_last), None  # type: ignore[call-overload]


def peer(
    way: Callable[[nn.Module], Backward], method: str, layout: str, dtype: torch.dtype
) -> tuple[nn.Module, Backward]:
    """A plain network with the same weights, and somebody's way to its meta-gradient."""
    model = plain_copy(learner(method, 1, True)).to(dtype=dtype, memory_format=LAYOUTS[layout])  # type: ignore[call-overload]
    return model, way(model)


def everybody(method: str, steps: int, second_order: bool, layout: str) -> dict[str, Build]:
    """The library first, then a plain loop in either layout, then others in the one asked for."""
    if method == "protonet":
        ways = [("plain loop (easyfsl's), ", prototypes_by_hand, each) for each in LAYOUTS]
    else:
        by: dict[str, Any] = {"steps": steps, "second_order": second_order}
        ways = [("plain autograd loop, ", partial(by_hand, **by), each) for each in LAYOUTS]
        ways.append(("higher, ", partial(with_higher, **by), layout))
        if second_order:
            ways.append(("torchopt, ", partial(with_torchopt, steps=steps), layout))
    peers = {name + each: partial(peer, way, method, each) for name, way, each in ways}
    return {"omnishot": partial(ours, method, steps, second_order), **peers}


def random_batch(tasks: int, dtype: torch.dtype) -> Episode:
    """A meta-batch of noise; how long a step takes does not depend on what is in the pictures."""
    g = torch.Generator().manual_seed(1)

    def rows(each: int) -> Rows:
        n = WAYS * each
        photo = torch.randn((tasks, n, 1, SIZE, SIZE), generator=g, dtype=torch.float64).to(dtype)
        target = torch.arange(WAYS).repeat_interleave(each).repeat(tasks, 1)
        return Rows({"photo": photo}, torch.ones(tasks, n, 1, dtype=torch.bool), target, ways=WAYS)

    return Episode(rows(SHOTS), rows(QUERIES))


def main() -> None:
    parser = timing.arguments(__doc__, rounds=7)
    parser.add_argument("--learner", choices=("maml", "protonet", "both"), default="both")
    parser.add_argument("--inner-steps", type=int, default=1, help="of MAML")
    parser.add_argument("--first-order", action="store_true", help="first-order MAML")
    contenders.arguments(parser)
    parser.add_argument("--layout", choices=LAYOUTS, default="channels first", help="of higher and torchopt")
    args = parser.parse_args()
    race = Race(random_batch, args.tasks, args.allocator)
    records = []
    for method in ("maml", "protonet") if args.learner == "both" else (args.learner,):
        builds = everybody(method, args.inner_steps, not args.first_order, args.layout)
        seconds = contenders.run(race, builds, args.rounds)
        order = "first" if args.first_order else "second"
        title = f"MAML, {order} order, inner steps: {args.inner_steps}" if method == "maml" else "prototypical network"
        records += contenders.against_fastest(race.titled(title), seconds, REQUIRED[method])
    timing.report(args, records, ("omnishot", "higher", "torchopt"))


if __name__ == "__main__":
    main()
