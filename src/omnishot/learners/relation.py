"""Relation networks: the comparison itself is learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.learners.base import Learner, Params, State
from omnishot.nn.heads import class_mask, class_means
from omnishot.nn.linear import Linear
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class Relation(Learner):
    """A network that reads a class mean beside a row and says how well they go together.

    Trained as published: the squared error of the sigmoid of each score against one for the row's class and zero for
    the others. The score itself is the logit: given that exactly one class is right, its softmax over the classes
    follows from these sigmoids.

    Published relation modules are convolutions over two stacks of feature maps, whose maps are summed over a class's
    rows; ours is a perceptron on two feature vectors, because rows mix modalities, of which few have maps, and takes
    their mean, because classes may have unequal shots. Without maps to compare place by place it takes very long to
    find out what alike means, so it reads the squared difference too.

    Args:
        hidden: width of the perceptron's two hidden layers.
        difference: also read the squared difference of the two vectors; the published module does not.

    Paper: Sung et al., Learning to Compare: Relation Network for Few-Shot Learning, CVPR 2018
    """

    def __init__(self, network: Network, objective: Objective, *, hidden: int = 128, difference: bool = True):
        super().__init__(network, objective)
        if hidden < 1:
            raise UsageError(f"hidden={hidden}: use 1 or more")
        self.difference = difference
        self.relation = nn.Sequential(
            Linear((3 if difference else 2) * network.out, hidden),
            nn.ReLU(),
            Linear(hidden, hidden),
            nn.ReLU(),
            Linear(hidden, 1),
        )

    def fit(self, params: Params, support: Rows) -> State:
        assert support.target is not None
        assert support.ways is not None
        return {"prototypes": class_means(self.features(params, support), support.target, support.ways)}

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        x, prototypes = self.features(params, query).unsqueeze(-2), state["prototypes"].unsqueeze(-3)
        shape = (x.shape[-3], prototypes.shape[-2], -1)
        read = [prototypes.expand(shape), x.expand(shape)] + [(prototypes - x).square()] * self.difference
        return self.part("relation", params, torch.cat(read, -1)).squeeze(-1)

    def loss(self, params: Params, episode: Episode) -> Tensor:
        """The squared error of the sigmoids against one-hot vectors."""
        assert episode.query.target is not None
        scores = self.predict(params, self.fit(params, episode.support), episode.query)
        right = class_mask(episode.query.target, scores.shape[-1])
        return (scores.sigmoid() - right.to(scores.dtype)).square().mean()
