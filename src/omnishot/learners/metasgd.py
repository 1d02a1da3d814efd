"""Meta-SGD."""

from __future__ import annotations

from omnishot.learners.inner.inner_loop import InnerLoop


class MetaSGD(
    InnerLoop, fixed={"learned_inner_lr": "element", "adapt": "all", "lora_rank": 0}, defaults={"inner_steps": 1}
):
    """MAML that also learns the direction of its steps: a step size for every single parameter.

    Options: those of `InnerLoop`, but for what moves and the step sizes, which all begin at `inner_lr`. One step is the
    published form, and so is `head="linear"`; the classes of a `prototype` head share their step sizes.

    Paper: Li et al., Meta-SGD: Learning to Learn Quickly for Few-Shot Learning, 2017
    """
