"""Prototypes that mix the modalities, each class in its own way."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError, choose
from omnishot.learners.base import Params, State
from omnishot.learners.protonet import ProtoNet
from omnishot.nn.heads import class_mask
from omnishot.nn.layers import mask, masked_mean
from omnishot.nn.linear import Linear
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class AM3(ProtoNet):
    """Adaptive mixture: for every class, one input's prototype decides how much to trust the prototypes of all.

    Every input has a prototype of its own for each class, the mean of its embeddings over the class's rows where it
    is present. A perceptron reads the prototype of the guide, and the softmax of what it gives over the inputs that
    the class has weighs their sum: for a picture and a text which guides, λ = sigmoid(h(text)) as published. Inputs
    that the class lacks take no part, and a class that lacks the guide is mixed by weights learned for all classes.

    Published is the mixture of one picture and the text of the class's name, which all classes have, and a row asked
    about is a picture. Here there may be any number of inputs; a row is the mean of the embeddings that it has,
    which ranks the classes as the mean of the squared distances of each would. The mixture takes the place of the
    network's fusion, whose choice changes nothing.

    Args:
        guide: the input that decides; None: all texts, as published, or every input where there is no text. Several
            add up what they say.
        hidden: width of the perceptron's hidden layer.

    Paper: Xing et al., Adaptive Cross-Modal Few-shot Learning, NeurIPS 2019
    """

    reads_embeddings = True
    inputs_needed = 2
    fuses = False

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        guide: str | None = None,
        hidden: int = 32,
        distance: str = "euclidean",
        scale: float | None = None,
    ):
        super().__init__(network, objective, distance=distance, scale=scale)
        if hidden < 1:
            raise UsageError(f"hidden={hidden}: use 1 or more")
        texts = [name for name, modality in network.modalities.items() if modality.cell_kind == "text"]
        given = [] if guide is None else [choose("input to guide", guide, network.names)]
        self.guides = [network.names.index(name) for name in given or texts or network.names]
        inputs = len(network.names)
        self.trust = nn.ModuleList(
            nn.Sequential(Linear(network.out, hidden), nn.ReLU(), Linear(hidden, inputs, bias=False))
            for _ in self.guides
        )
        self.bias = nn.Parameter(torch.zeros(inputs))

    def fit(self, params: Params, support: Rows) -> State:
        assert support.target is not None
        assert support.ways is not None
        embeddings = self.embeddings(params, support)
        own = class_mask(support.target, support.ways).mT.unsqueeze(-2)  # [ways, 1, rows]
        has = own & support.present.mT  # [ways, inputs, rows]
        prototypes = masked_mean(embeddings.transpose(0, 1).unsqueeze(0), has)
        mixture = self._mixture(params, prototypes, has.any(-1))
        return {"prototypes": (mixture.unsqueeze(-1) * prototypes).sum(-2), "mixture": mixture}

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        return self.scores(params, self.represent(params, state, query), state["prototypes"])

    def represent(self, params: Params, state: State, rows: Rows) -> Tensor:
        return masked_mean(self.embeddings(params, rows), rows.present)

    def notes(self, state: State) -> dict[str, str]:
        """How much each input counts, the mean over the classes."""
        shares = zip(self.network.names, state["mixture"].mean(0).tolist(), strict=True)
        return {"mixture": ", ".join(f"{name} {weight:.0%}" for name, weight in shares)}

    def _mixture(self, params: Params, prototypes: Tensor, has: Tensor) -> Tensor:
        """How much each input counts for each class, from `[ways, inputs, dim]` and which a class has `[ways, inputs]`.

        Sums to one for a class that has any input; zero for inputs that it lacks.
        """
        scores = params["bias"].expand(has.shape)
        for part, i in enumerate(self.guides):
            scores = scores + mask(self.part(f"trust.{part}", params, prototypes[:, i]), has[:, i])
        weights = torch.where(has, scores, torch.finfo(scores.dtype).min).softmax(-1)
        return torch.where(has, weights, torch.zeros_like(weights))
