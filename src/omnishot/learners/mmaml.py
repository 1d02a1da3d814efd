"""MAML for unlike families of tasks."""

from __future__ import annotations

from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.learners.base import Learner, Params, State
from omnishot.learners.inner.inner_loop import InnerLoop
from omnishot.nn.layers import EPSILON
from omnishot.nn.modulation import Modulation
from omnishot.nn.network import Network
from omnishot.nn.taskset import TaskSet
from omnishot.objectives.base import Objective


class MMAML(InnerLoop):
    """MAML from a start of the task's own: an encoder of the support rows modulates the initial parameters first.

    The encoder reads the support rows' features, scaled, under the unmodulated parameters; a learned linear map takes
    what it says to changes of scale and shift of every channel (FiLM; of the biases, where an encoder has no norm).
    The inner loop goes on from there. The published encoder is a recurrent network over the rows in an order; here
    neither the order of rows nor the names of classes matter.

    Args:
        inner_steps: gradient steps on the support rows.
        inner_lr: their step size (where it starts, if learned).
        context: width of the task vector.
        adapt: what the steps move, joined by commas: `all`, `head`, `fusion`, `encoder`, `encoder.NAME` of an input or
            kind, `film` (scale and shift of every channel), `lora` (low-rank changes of all weights).
        learned_inner_lr: step sizes that are learned across tasks: `none`; one a `tensor`; one a tensor and `step`; one
            an `element`.
        second_order: differentiate through the inner steps.
        inner_checkpoint: compute the inner steps again in the backward pass instead of keeping them.
        head: `prototype` starts a linear head at the class means, for any number of classes; `linear` is the
            published form, a learned head of `ways` outputs. Numbers are always predicted by a learned head.
        ways: outputs of a linear head.
        lora_rank: of low-rank changes.

    Paper: Vuorio et al., Multimodal Model-Agnostic Meta-Learning via Task-Aware Modulation, NeurIPS 2019
    """

    serves = ("classify", "regress")  # its encoder of the support rows reads classes and numbers, not texts
    initial_state = Learner.initial_state  # refused: where a task begins depends on its support rows

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        inner_steps: int = 5,
        inner_lr: float = 0.1,
        context: int = 32,
        adapt: str = "all",
        learned_inner_lr: str = "none",
        second_order: bool = True,
        inner_checkpoint: bool = False,
        head: str = "prototype",
        ways: int | None = None,
        lora_rank: int = 4,
    ):
        super().__init__(
            network, objective, inner_steps=inner_steps, inner_lr=inner_lr, adapt=adapt,
            learned_inner_lr=learned_inner_lr, second_order=second_order, inner_checkpoint=inner_checkpoint, head=head,
            ways=ways, lora_rank=lora_rank,
        )  # fmt: skip
        targets = 0 if objective.has_classes else objective.outputs(None)
        self.taskset = TaskSet(network.out, context, targets)
        self.modulation = Modulation(network, context)

    def modulated(self, params: Params, support: Rows) -> Params:
        """All parameters, those of the network as this task's support rows want them before the first step."""
        features = self.features(params, support)
        # Of length 1 on average, or wide features would drown the numbers that come with them.
        length = (features.square().sum(-1).mean() + EPSILON).sqrt()
        return self.modulation.modulated(params, self.part("taskset", params, features / length, support))

    def path(self, params: Params, support: Rows) -> list[State]:
        params = self.modulated(params, support)
        unmoved = {name: params[name] for name in self.modulation.names if name not in self.names}
        return [step | unmoved for step in super().path(params, support)]

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        own = {name: state[name] for name in self.modulation.names}
        return super().predict(params | own, state, query)
