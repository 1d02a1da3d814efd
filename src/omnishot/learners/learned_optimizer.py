"""A learned optimiser."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError, choose
from omnishot.learners.base import Params, State
from omnishot.learners.inner.checkpoint import recomputed
from omnishot.learners.inner.descent import gradient
from omnishot.learners.inner.inner_loop import InnerLoop, whole
from omnishot.nn.calling import call_with
from omnishot.nn.linear import Linear
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective

FORGET = 6.0  # where the forget gate's bias starts: almost nothing is forgotten
PRECISION = 10.0  # logarithms below −PRECISION are cut off
OPTIMIZER = "optimizer."


class LearnedOptimizer(InnerLoop):
    """Network and head are moved by a learned rule instead of gradient descent; rule and start are both learned.

    The rule is the same for every single parameter w with gradient g: w ← f w − i g. The forget gate f and the input
    gate i are read from the output of an LSTM on g and the loss, from w, and from their own last values; the input
    gate starts out as gradient descent's step size. Training unrolls it, with the gradients g taken as constants.

    Args:
        inner_steps: updates on the support rows.
        inner_lr: where the input gate starts, between 0 and 1.
        form: what reads gradient and loss: `lstm`, as published, or `mlp`, a perceptron without a memory.
        hidden: its width.
        second_order: differentiate the gradients too.
        inner_checkpoint: compute the updates again in the backward pass instead of keeping them.
        adapt: what is moved, joined by commas: `all`, `head`, `fusion`, `encoder`, `encoder.NAME` of an input or
            kind, `film` (scale and shift of every channel).
        head: `prototype` starts a linear head at the class means, for any number of classes; `linear` is the
            published form, a learned head of `ways` outputs. Numbers are always predicted by a learned head.
        ways: outputs of a linear head.

    Paper: Ravi & Larochelle, Optimization as a Model for Few-Shot Learning, ICLR 2017
    """

    @classmethod
    def called(cls) -> str:
        return "learned-optimizer"

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        inner_steps: int = 5,
        inner_lr: float = 0.1,
        form: str = "lstm",
        hidden: int = 20,
        second_order: bool = False,
        inner_checkpoint: bool = False,
        adapt: str = "all",
        head: str = "prototype",
        ways: int | None = None,
    ):
        super().__init__(
            network, objective, inner_steps=inner_steps, inner_lr=inner_lr, adapt=adapt, second_order=second_order,
            inner_checkpoint=inner_checkpoint, head=head, ways=ways,
        )  # fmt: skip
        if not 0 < inner_lr < 1:
            raise UsageError(f"inner_lr is where a gate starts, between 0 and 1, not {inner_lr}")
        self.optimizer = Optimizer(form, hidden, inner_lr)

    @property
    def factored(self) -> frozenset[str]:
        """None: every number of a weight is moved by itself."""
        return frozenset()

    def path(self, params: Params, support: Rows) -> list[State]:
        task, known = self.begin(params, support)
        own = {name.removeprefix(OPTIMIZER): p for name, p in params.items() if name.startswith(OPTIMIZER)}
        memory = self.optimizer.memory(sum(p.numel() for p in task.values()), next(iter(task.values())))
        steps = [task]
        for _ in range(self.inner_steps):
            given: tuple[Any, ...] = (steps[-1], memory, own, known, support.tensors())
            again = self.inner_checkpoint and torch.is_grad_enabled()

            def step(task: Params, memory: Params, own: Params, known: Params, tensors: Any) -> tuple[Params, Params]:
                return self._step(task, memory, own, known, support.with_tensors(tensors))

            task, memory = recomputed(step, *given) if again else step(*given)
            steps.append(task)
        return [whole(step, known) for step in steps]

    def _step(self, task: Params, memory: Params, own: Params, known: Params, support: Rows) -> tuple[Params, Params]:
        def loss(at: Params) -> Tensor:
            return at["times"] * self.error({n: at[n] for n in task}, known, support)

        # The loss itself is its derivative by a factor of 1.
        one = {"times": next(iter(task.values())).new_ones(())}
        gradients: Any = gradient(loss, task | one, self.second_order and torch.is_grad_enabled())
        flat = [torch.cat([tree[n].flatten() for n in task]) for tree in (task, gradients)]
        moved, memory = call_with(self.optimizer, own, *flat, gradients["times"], memory)
        parts = moved.split([p.numel() for p in task.values()])
        return {n: part.view_as(p) for (n, p), part in zip(task.items(), parts, strict=True)}, memory


class Optimizer(nn.Module):
    """What a learned rule makes of `[n]` parameters, their gradient and the loss; `n` may be any number.

    Args:
        form: `lstm` or `mlp`.
        hidden: its width.
        rate: where the input gate starts.
    """

    def __init__(self, form: str, hidden: int, rate: float):
        super().__init__()
        self.form, self.hidden = choose("form", form, ("lstm", "mlp")), hidden
        if form == "lstm":
            self.gates = Linear(4 + hidden, 4 * hidden)
        else:
            self.mlp = nn.Sequential(Linear(4, hidden), nn.GELU(), Linear(hidden, hidden), nn.GELU())
        self.forget, self.input = Linear(hidden + 2, 1), Linear(hidden + 2, 1)
        for gate, bias in ((self.forget, FORGET), (self.input, math.log(rate / (1 - rate)))):
            nn.init.uniform_(gate.weight, -0.01, 0.01)
            nn.init.constant_(gate.bias, bias)

    def memory(self, n: int, like: Tensor) -> Params:
        """What is remembered at the start: nothing."""
        kept = {"forget": like.new_zeros(n), "input": like.new_zeros(n)}
        if self.form == "lstm":
            kept |= {name: like.new_zeros(n, self.hidden) for name in ("output", "cell")}
        return kept

    def forward(self, weights: Tensor, grads: Tensor, loss: Tensor, memory: Params) -> tuple[Tensor, Params]:
        """The parameters moved, and what is remembered for the next step."""
        read = torch.cat([preprocessed(grads), preprocessed(loss).expand(len(grads), 2)], -1)
        kept: Params = {}
        if self.form == "lstm":
            i, f, o, new = self.gates(torch.cat([read, memory["output"]], -1)).chunk(4, -1)
            kept["cell"] = f.sigmoid() * memory["cell"] + i.sigmoid() * new.tanh()
            kept["output"] = o.sigmoid() * kept["cell"].tanh()
        output = kept["output"] if self.form == "lstm" else self.mlp(read)
        for name, gate in (("forget", self.forget), ("input", self.input)):
            last = torch.stack([weights, memory[name]], -1)
            kept[name] = gate(torch.cat([output, last], -1)).squeeze(-1).sigmoid()
        return kept["forget"] * weights - kept["input"] * grads, kept


def preprocessed(x: Tensor) -> Tensor:
    """Size and sign of each number apart, `[…] -> […, 2]`, since gradients differ by orders of magnitude.

    (ln|x| / p, sign x), or (−1, eᵖ x) where |x| < e⁻ᵖ (Andrychowicz et al. 2016, appendix A).
    """
    least = math.exp(-PRECISION)
    large = x.abs() >= least
    size = torch.where(large, x.abs().clamp(min=least).log() / PRECISION, -1)
    return torch.stack([size, torch.where(large, x.sign(), x / least)], -1)
