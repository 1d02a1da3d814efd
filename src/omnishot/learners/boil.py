"""Body only update in inner loop."""

from __future__ import annotations

from omnishot.learners.inner.inner_loop import InnerLoop
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class BOIL(InnerLoop):
    """MAML whose inner loop moves the network only; the head stays where it starts, so features must move to it.

    Args:
        inner_steps, inner_lr: gradient steps on the support rows, and their step size.
        rates: step sizes: `fixed`, or learned: one a `tensor`, one a tensor and `step`, or one an `element`.
        second_order: differentiate through the inner steps.
        inner_checkpoint: compute the inner steps again in the backward pass instead of keeping them.
        head: `prototype` stays at the class means of the features before the first step, for any number of classes;
            `fixed` is the published form, a learned head of `ways` outputs.
        ways: outputs of a fixed head.

    Paper: Oh et al., BOIL: Towards Representation Change for Few-shot Learning, ICLR 2021
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        inner_steps: int = 5,
        inner_lr: float = 0.1,
        rates: str = "fixed",
        second_order: bool = True,
        inner_checkpoint: bool = False,
        head: str = "prototype",
        ways: int | None = None,
    ):
        super().__init__(
            network, objective, inner_steps, inner_lr, parts="network", rates=rates, second_order=second_order,
            checkpoint=inner_checkpoint, head=head, ways=ways,
        )  # fmt: skip
