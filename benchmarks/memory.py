"""Peak memory of a meta-gradient, beside plain autograd loops over the same network.

    python benchmarks/memory.py

- `layers`: second-order MAML over a network of linear layers, 784-256-128-64-5, with 1 and 5 inner steps and 64 tasks.
  The plain loop comes in two forms: it adds up the losses of all tasks and calls `backward` once, so that the adapted
  weights of all tasks live at a time, or it calls `backward` task by task. The adapted weights alone are counted too:
  the library keeps those of linear layers as thin factors where that is less work. It runs all tasks at once (`vmap`),
  or by another of its plans.
- `conv4`: second-order MAML over Conv-4 with 10 inner steps and 4 tasks, task by task, with and without
  `inner_checkpoint`; here the time is measured as well, in this process, in turn.

All of 28×28 pixels, 5-way 1-shot, 15 query rows a class. Before anything is measured, everybody's meta-gradient is
compared in float64. Memory is measured in a process for every contender and round: after one task to warm up, what
malloc holds free is given back, and the highest resident size during one meta-gradient is taken less the size before
it. For all alike, malloc gives freed blocks back at once (`--malloc strict`), so that this is what is in use at a
time; with `--malloc default`, what its holes between blocks cost comes on top. Linux only.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import meta_step
import numpy as np
import timing
import torch
import torch.nn.functional as F
from meta_step import RATE, WAYS, halves
from torch import Tensor, nn

from omnishot.episodes.rows import Episode
from omnishot.experiment.plan import Plan
from omnishot.learners.maml import MAML
from omnishot.modality.image import Image
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.linear import Linear, LowRank
from omnishot.nn.network import build_network
from omnishot.objectives.classify import Classify
from omnishot.training.engine.backward import backward

WIDTHS = (784, 256, 128, 64)
TASKS = {"layers": 64, "conv4": 4}
STEPS = {"layers": (1, 5), "conv4": (10,)}
PLAIN = {"layers": "plain loop, one backward", "conv4": "plain loop"}
MEMORY = {"layers": ("omnishot", 0.3), "conv4": ("omnishot, inner checkpoint", 0.5)}  # who is asked what share
STRICT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}  # bytes from which blocks go back
TIME = 1.5  # times the plain loop's, asked of inner checkpointing

#: A model, and what adds the meta-gradient of a meta-batch to its parameters' `.grad`.
Contender = tuple[nn.Module, Callable[[Episode], object]]


class Layers(Encoder):
    """Pixels `[rows, 1, 28, 28]` through linear layers and ReLU."""

    out = WIDTHS[-1]

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Linear(i, o) for i, o in pairwise(WIDTHS))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer in self.layers:
            x = F.relu(layer(x))
        return x


def over_layers(steps: int) -> MAML:
    """The library's MAML over linear layers; its weights are the same each time."""
    torch.manual_seed(0)
    network = build_network({"photo": Image((meta_step.SIZE, meta_step.SIZE), 1, (0.5,), (0.5,))})
    network.encoders[0], network.out = Layers(), Layers.out
    return MAML(network, Classify(), head="linear", ways=WAYS, inner_steps=steps, inner_lr=RATE)


def plain_layers(weights: Sequence[Tensor], steps: int, together: bool) -> Contender:
    """The same as one writes it: a list of weights and biases, `torch.autograd.grad`, one backward or one a task."""
    model = nn.ParameterList([nn.Parameter(w.detach().clone()) for w in weights])

    def forward(p: Sequence[Tensor], x: Tensor) -> Tensor:
        x = x.flatten(1)
        for weight, bias in zip(p[:-2:2], p[1:-2:2], strict=True):
            x = F.relu(F.linear(x, weight, bias))
        return F.linear(x, p[-2], p[-1])

    def loss(batch: Episode, t: int) -> Tensor:
        x, y, query, target = halves(batch, t)
        fast: list[Tensor] = list(model)
        for _ in range(steps):
            inner = F.cross_entropy(forward(fast, x), y)
            grads = torch.autograd.grad(inner, fast, create_graph=True)
            fast = [p - RATE * g for p, g in zip(fast, grads, strict=True)]
        return F.cross_entropy(forward(fast, query), target) / batch.tasks

    def backward(batch: Episode) -> None:
        if together:
            torch.stack([loss(batch, t) for t in range(batch.tasks)]).sum().backward()
        else:
            for t in range(batch.tasks):
                loss(batch, t).backward()

    return model, backward


def everybody(case: str, steps: int, dtype: torch.dtype) -> dict[str, Callable[[], Contender]]:
    """How every contender is built, all with the same weights."""

    def ours(plan: str, checkpoint: bool = False) -> Contender:
        learner = over_layers(steps) if case == "layers" else meta_step.learner("maml", steps, True)
        assert isinstance(learner, MAML)
        learner.inner_checkpoint = checkpoint
        learner.to(dtype=dtype, memory_format=torch.channels_last)
        return learner, partial(backward, learner, plan=Plan.parse(plan))

    def plain_conv4() -> Contender:
        model = meta_step.plain_copy(meta_step.learner("maml", steps, True))
        model.to(dtype=dtype, memory_format=torch.channels_last)
        return model, meta_step.by_hand(model, steps, True)

    def plain(together: bool) -> Contender:
        return plain_layers([p.to(dtype) for p in over_layers(steps).parameters()], steps, together)

    if case == "conv4":
        return {
            "omnishot, inner checkpoint": lambda: ours("loop", True),
            "omnishot": lambda: ours("loop"),
            PLAIN[case]: plain_conv4,
        }
    return {
        "omnishot": lambda: ours("vmap"),
        **{f"omnishot, {plan}": partial(ours, plan) for plan in ("split", "vmap:8", "loop")},
        PLAIN[case]: lambda: plain(True),
        "plain loop, task by task": lambda: plain(False),
    }


def check_gradients(case: str, steps: int) -> None:
    """Stop unless all meta-gradients are the plain loop's in float64, to 1e-8 of their norm."""
    batch, gradients = meta_step.random_batch(2, torch.float64), {}
    for name, build in everybody(case, steps, torch.float64).items():
        model, backward = build()
        backward(batch)
        gradients[name] = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    expected = gradients[PLAIN[case]]
    for name, gradient in gradients.items():
        error = ((gradient - expected).norm() / expected.norm()).item()
        print(f"{case}, inner steps: {steps}: meta-gradient of {name}: relative error {error:.1e}", file=sys.stderr)
        if not error < 1e-8:
            raise SystemExit(f"the meta-gradient of {name} differs by {error:.1e}: nothing to compare")


def peak(case: str, steps: int, name: str) -> int:
    """Bytes that one meta-gradient needs in this process, which has done nothing else before."""
    batch = meta_step.random_batch(TASKS[case], torch.float32)
    model, backward = everybody(case, steps, torch.float32)[name]()
    backward(batch.select(slice(1)))  # libraries load and set up what they need
    model.zero_grad()
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # forget the peak so far, importing's for one
    before = resident("VmRSS")
    backward(batch)
    return resident("VmHWM") - before


def resident(field: str) -> int:
    """Bytes of this process in memory, by a field of `/proc/self/status`."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def in_a_process(case: str, steps: int, name: str, malloc: str) -> float:
    """`peak` in a new process, in MB."""
    call = [sys.executable, __file__, "--measure", json.dumps([case, steps, name])]
    environment = os.environ | (STRICT if malloc == "strict" else {})
    done = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return int(done.stdout) / 1e6


def memory(case: str, steps: int, title: str, rounds: int, malloc: str) -> list[dict]:
    """Megabytes of every contender, and what share of the plain loop's that is, taken within each round."""
    names = list(everybody(case, steps, torch.float32))
    megabytes: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            megabytes[name].append(in_a_process(case, steps, name, malloc))
    records = [timing.figure(f"{title}: memory", name, values, "MB") for name, values in megabytes.items()]
    reference, (limited, fraction) = PLAIN[case], MEMORY[case]
    if case == "layers":
        records += adapted(steps, f"{title}: adapted weights, counted")
    return records + ratios(f"{title}: memory", megabytes, reference, {limited: fraction})


def adapted(steps: int, title: str) -> list[dict]:
    """Megabytes of the weights that the tasks own after the inner steps, with and without thin factors."""
    learner, support = over_layers(steps), meta_step.random_batch(1, torch.float32).support.task(0)
    state = learner.fit(learner.params(), support)
    thin = sum(w.left.nbytes + w.right.nbytes if isinstance(w, LowRank) else w.nbytes for w in state.values())
    counted = {"omnishot": thin, "plain loop": sum(p.nbytes for p in learner.parameters())}
    values_of = {name: [TASKS["layers"] * each / 1e6] for name, each in counted.items()}
    records = [timing.figure(title, name, values, "MB") for name, values in values_of.items()]
    return records + ratios(title, values_of, "plain loop", {})


def seconds(case: str, steps: int, title: str, rounds: int) -> list[dict]:
    """How long a meta-gradient takes, and how many times as long as the plain loop's."""
    batch = meta_step.random_batch(TASKS[case], torch.float32)
    runs: dict[str, Callable[[], Any]] = {}
    for name, build in everybody(case, steps, torch.float32).items():
        runs[name] = partial(build()[1], batch)
    values_of = timing.interleave(runs, rounds)
    records = [timing.figure(f"{title}: time", name, values, "s") for name, values in values_of.items()]
    return records + ratios(f"{title}: time", values_of, PLAIN[case], {MEMORY[case][0]: TIME})


def ratios(title: str, values_of: Any, reference: str, at_most: dict[str, float]) -> list[dict]:
    """Everybody's values over those of the reference."""
    return [
        timing.figure(
            title, f"{name} / {reference}", np.divide(values, values_of[reference]), "×", at_most=at_most.get(name)
        )
        for name, values in values_of.items()
        if name != reference
    ]


def main() -> None:
    parser = timing.arguments(__doc__, rounds=3)
    parser.add_argument("--cases", nargs="+", choices=sorted(TASKS), default=sorted(TASKS), help="what is measured")
    parser.add_argument("--malloc", choices=("strict", "default"), default="strict", help="how it keeps freed memory")
    parser.add_argument("--measure", type=json.loads, help="[case, inner steps, contender]: one, in this process")
    args = parser.parse_args()
    if args.measure:
        print(peak(*args.measure))
        return
    records = []
    for case in args.cases:
        network = "-".join(map(str, (*WIDTHS, WAYS))) if case == "layers" else "Conv-4"
        for steps in STEPS[case]:
            check_gradients(case, steps)
            title = f"MAML, {network}, {TASKS[case]} tasks, inner steps: {steps}"
            records += memory(case, steps, title, args.rounds, args.malloc)
            if case == "conv4":
                records += seconds(case, steps, title, args.rounds)
    timing.report(args, records, ("omnishot",))


if __name__ == "__main__":
    main()
