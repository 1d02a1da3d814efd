"""Canonical correlation analysis, and the nearest class mean in the space that it finds."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import DataError, UsageError
from omnishot.learners.base import Learner, Needs, Params, State
from omnishot.learners.canonical import canonical
from omnishot.learners.distances import SCALE, cosines
from omnishot.learners.memory import constant
from omnishot.nn.heads import class_means
from omnishot.nn.layers import mask, masked_mean
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective

#: Of these the best on the validation tasks is chosen.
POWERS = (0.0, 1.0, 2.0, 4.0)
#: Unless there are none.
UNCHOSEN = 1.0


class CCA(Learner):
    """Linear maps of every input's plain features into one space where those of a row agree; classes by their mean.

    The maps are fitted to rows of the training part in closed form (`omnishot.learners.canonical`): canonical
    correlation analysis for two inputs, for more its generalisation by Kettenring (Biometrika 1971, there MAXVAR).
    A row is the mean of what its inputs are mapped to, a class the mean of its rows, and they are compared by their
    angle, each component counting by a power of its correlation (Gong et al., A Multi-View Embedding Space for Modeling
    Internet Images, Tags, and their Semantics, IJCV 2014). So a class learned from one input can be recognised by
    another. It sees the inputs as pixels, log-mel bands, token counts and numbers; the network has no part in it.

    Args:
        components: most dimensions of the space.
        principal: most principal components of each input that the maps may use.
        fit_rows: how many rows of the training part they are fitted to; none is kept.
        power: of the correlations; None: of 0, 1, 2 and 4 the best on the validation tasks, 1 where there are none.

    Paper: Hotelling, Relations Between Two Sets of Variates, Biometrika 1936
    """

    meta_trained = False
    transductive = False  # raw features pass through no norm
    fuses = False
    inputs_needed = 2

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        components: int = 32,
        principal: int = 64,
        fit_rows: int = 2000,
        power: float | None = None,
    ):
        super().__init__(network, objective)
        for name, value in (("components", components), ("principal", principal), ("fit_rows", fit_rows)):
            if value < 1:
                raise UsageError(f"{name}={value}: use 1 or more")
        if power is not None and not 0 <= power < math.inf:
            raise UsageError(f"power must be at least 0 and finite, not {power!r}")
        self.principal = principal
        self._needs = Needs(rows=fit_rows, tuned={"power": POWERS} if power is None else {})
        read = enumerate(network.modalities.values())
        self.widths = [network.encoder(i).raw(modality.blank()).shape[-1] for i, modality in read]
        self.centres = nn.ParameterList(constant(torch.zeros(width)) for width in self.widths)
        self.maps = nn.ParameterList(constant(torch.zeros(width, components)) for width in self.widths)
        self.correlations = constant(torch.zeros(components))
        self.power = constant(torch.tensor(float(UNCHOSEN if power is None else power)))

    @property
    def needs(self) -> Needs:
        return self._needs

    @torch.no_grad()
    def remember(self, rows: Rows) -> None:
        """Fit the maps to these rows.

        Raises:
            DataError: if no two inputs are in the same row often enough to be correlated.
        """
        present = rows.present.cpu()
        together = present.double().T @ present.double()
        if (together.triu(1) < 2).all():
            raise DataError(
                f"cca learns from rows that have two of the inputs {', '.join(self.network.names)}: of "
                f"{len(rows)} training rows it has seen at most {int(together.triu(1).max())} have the same two: "
                "add such rows, or choose another learner"
            )
        views = [x.cpu().double() for x in self._views(rows)]
        centres, maps, correlations = canonical(views, present, len(self.correlations), self.principal)
        for buffer, value in zip(
            [*self.centres, *self.maps, self.correlations], [*centres, *maps, correlations], strict=True
        ):
            buffer.copy_(value)

    def fit(self, params: Params, support: Rows) -> State:
        assert support.target is not None
        assert support.ways is not None
        return {"prototypes": class_means(self.mapped(params, support), support.target, support.ways)}

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        return SCALE["cosine"](len(self.correlations)) * cosines(self.mapped(params, query), state["prototypes"])

    def mapped(self, params: Params, rows: Rows) -> Tensor:
        """The mean of what the inputs of every row are mapped to, `[rows, components]`; zero for an empty row."""
        views = [(x - params[f"centres.{i}"]) @ params[f"maps.{i}"] for i, x in enumerate(self._views(rows))]
        return masked_mean(torch.stack(views, -2), rows.present) * params["correlations"] ** params["power"]

    def embedding(self, params: Params, name: str, cells: Tensor, present: Tensor) -> Tensor:
        """What one input is mapped to, `[rows, components]`."""
        i = self.network.names.index(name)
        x = self.network.encoder(i).raw(mask(cells, present)) / self.widths[i] ** 0.5
        view = (x - params[f"centres.{i}"]) @ params[f"maps.{i}"]
        return mask(view, present) * params["correlations"] ** params["power"]

    def _views(self, rows: Rows) -> tuple[Tensor, ...]:
        """The plain features of every input, `[rows, width]` each."""
        return self.network.raw(rows).split(self.widths, -1)
