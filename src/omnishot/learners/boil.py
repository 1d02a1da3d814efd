"""Body only update in inner loop."""

from __future__ import annotations

from omnishot.learners.inner.inner_loop import InnerLoop


class BOIL(InnerLoop, fixed={"adapt": "network", "lora_rank": 0}):
    """MAML whose inner loop moves the network only; the head stays where it starts, so features must move to it.

    Options: those of `InnerLoop`, but for what moves. `head="prototype"` stays at the class means of the features
    before the first step; `linear` is the published form.

    Paper: Oh et al., BOIL: Towards Representation Change for Few-shot Learning, ICLR 2021
    """
