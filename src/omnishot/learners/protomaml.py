"""MAML that starts at class prototypes."""

from __future__ import annotations

from omnishot.learners.inner.inner_loop import InnerLoop
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class ProtoMAML(InnerLoop):
    """MAML whose linear head starts where a prototypical network stands, for any number of classes.

    The outer gradient goes through that start into the network, as published. The published head stands at weight
    2c and bias −|c|²; ours divides both by √dim, so that wide features do not saturate the softmax at the start.

    Args:
        inner_steps, inner_lr: gradient steps on the support rows, and their step size.
        rates: step sizes: `fixed`, or learned: one a `tensor`, one a tensor and `step`, or one an `element`.
        second_order: differentiate through the inner steps; the published form does not (fo-Proto-MAML).
        inner_checkpoint: compute the inner steps again in the backward pass instead of keeping them.

    Paper: Triantafillou et al., Meta-Dataset: A Dataset of Datasets for Learning to Learn from Few Examples, ICLR 2020
    """

    serves = ("classify",)

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        inner_steps: int = 5,
        inner_lr: float = 0.1,
        rates: str = "fixed",
        second_order: bool = False,
        inner_checkpoint: bool = False,
    ):
        super().__init__(
            network, objective, inner_steps, inner_lr, rates=rates, second_order=second_order,
            checkpoint=inner_checkpoint,
        )  # fmt: skip
