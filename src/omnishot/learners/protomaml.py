"""MAML that starts at class prototypes."""

from __future__ import annotations

from omnishot.learners.inner.inner_loop import InnerLoop


class ProtoMAML(InnerLoop, fixed={"head": "prototype", "ways": None}, defaults={"second_order": False}):
    """MAML whose linear head starts where a prototypical network stands, for any number of classes.

    The outer gradient goes through that start into the network, as published. The published head stands at weight
    2c and bias −|c|²; ours divides both by √dim, so that wide features do not saturate the softmax at the start.

    Options: those of `InnerLoop`, but for the head. Without `second_order` it is the published form (fo-Proto-MAML).

    Paper: Triantafillou et al., Meta-Dataset: A Dataset of Datasets for Learning to Learn from Few Examples, ICLR 2020
    """

    serves = ("classify",)
