"""Model-agnostic meta-learning."""

from __future__ import annotations

from torch import Tensor

from omnishot.episodes.rows import Episode
from omnishot.errors import UsageError
from omnishot.learners.base import Learner, Needs, Params
from omnishot.learners.inner.inner_loop import InnerLoop
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class MAML(InnerLoop):
    """Learn initial parameters from which a few gradient steps on a task's support rows predict its query rows.

    MAML++ (Antoniou et al., How to Train Your MAML, ICLR 2019, §4) is `learned_inner_lr="step"`, `multi_step` and
    `first_order` of about 0.2, with the outer step size falling by a cosine, which is the default.

    Args:
        inner_steps: gradient steps on the support rows.
        inner_lr: their step size (where it starts, if learned).
        adapt: what the steps move, joined by commas: `all`, `head`, `fusion`, `encoder`, `encoder.NAME` of an input or
            kind, `film` (scale and shift of every channel), `lora` (low-rank changes of all weights).
        learned_inner_lr: step sizes that are learned across tasks: `none`; one a `tensor`; one a tensor and `step`; one
            an `element`.
        second_order: differentiate through the inner steps; False is first-order MAML.
        first_order: share of meta-training, at its start, that is first order (derivative-order annealing).
        multi_step: share of meta-training over which the losses after all steps count, the last one more and more.
        inner_checkpoint: compute the inner steps again in the backward pass instead of keeping them: memory hardly
            grows with their number, a meta-step takes longer. The gradient is the same.
        head: `linear` is the published form, a learned head of `ways` outputs; `prototype` starts a linear head at the
            class means, for any number of classes, as `protomaml` does. None: `linear` for classes, and what the
            objective needs for texts and labels. Numbers are always predicted by a learned head.
        ways: outputs of a linear head.
        lora_rank: of low-rank changes.

    Paper: Finn et al., Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks, ICML 2017
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        inner_steps: int = 5,
        inner_lr: float = 0.1,
        adapt: str = "all",
        learned_inner_lr: str = "none",
        second_order: bool = True,
        first_order: float = 0.0,
        multi_step: float = 0.0,
        inner_checkpoint: bool = False,
        head: str | None = None,
        ways: int | None = None,
        lora_rank: int = 4,
    ):
        super().__init__(
            network, objective, inner_steps=inner_steps, inner_lr=inner_lr, adapt=adapt,
            learned_inner_lr=learned_inner_lr, second_order=second_order, inner_checkpoint=inner_checkpoint,
            head=head or objective.published_head, ways=ways, lora_rank=lora_rank,
        )  # fmt: skip
        for name, fraction in (("first_order", first_order), ("multi_step", multi_step)):
            if not 0 <= fraction <= 1:
                raise UsageError(f"{name} is a share of meta-training, 0 to 1, not {fraction}")
        self.first_order, self.multi_step = first_order, multi_step

    @property
    def differentiable(self) -> bool:
        return self.second_order and self.progress >= self.first_order

    @property
    def needs(self) -> Needs:
        return Needs(scheduled=self.first_order > 0 or self.multi_step > 0)

    @property
    def splits(self) -> bool:
        return self.multi_step == 0

    def loss(self, params: Params, episode: Episode) -> Tensor:
        weights = step_weights(self.inner_steps, self.progress, self.multi_step)
        if not any(weights[:-1]):
            return Learner.loss(self, params, episode)
        states, query = self.path(params, episode.support)[1:], episode.query
        losses = [self.objective.loss(self.predict(params, state, query), query) for state in states]
        return sum(w * loss for w, loss in zip(weights, losses, strict=True))  # type: ignore[return-value]


def step_weights(steps: int, progress: float, until: float) -> list[float]:
    """How much the loss after each inner step counts: all alike at the start, the last alone from `until` on.

    Between, the weight of all but the last falls linearly (Antoniou et al. 2019, §4, multi-step loss optimisation).
    """
    left = max(0.0, 1 - progress / until) if until else 0.0
    earlier = left / max(steps, 1)
    return [earlier] * (steps - 1) + [1 - earlier * (steps - 1)]
