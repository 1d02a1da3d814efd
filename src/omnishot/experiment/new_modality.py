"""A modality that meta-training did not have, learned when the learner adapts to a task.

Its plain features (without learned parameters: pixels, log-mel bands, token counts, numbers) are mapped into the space
of the network's features by ridge regression on the support rows that have both. The prediction for a row is its hint
(`Rows.hint`): any learner that reads the network's features can use it without a change.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from omnishot.core import seeds
from omnishot.episodes.decoding import decode_table
from omnishot.episodes.rows import Rows, target_of
from omnishot.episodes.store import Store
from omnishot.errors import DataError, UsageError, choose
from omnishot.experiment.ridge import bridge
from omnishot.learners.base import Learner
from omnishot.learners.distances import squared_distances
from omnishot.modality import from_json
from omnishot.modality.base import Modality
from omnishot.modality.inputs import columns_of, fit_inputs
from omnishot.nn import encoders
from omnishot.nn.heads import class_mask
from omnishot.nn.layers import mask
from omnishot.table.checking import BadCell
from omnishot.table.inference import infer_modality, tabular_kind
from omnishot.table.reading import read_rows
from omnishot.table.schema import KINDS, Column, Schema
from omnishot.table.table import Table

#: New columns: their kinds by name, or only names, whose kinds are then inferred.
NewColumns = Mapping[str, str] | Sequence[str]
#: Candidate weights of a hint that is added to the known features.
HINT_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
#: The weight where support rows do not allow a choice (one row per class).
DEFAULT_HINT_WEIGHT = 0.5
#: Candidate scales of squared distances when the weight is chosen, in units of 1 / the features' mean squared
#: deviation.
SHARPNESS = (2.0, 8.0, 32.0)


@dataclass(frozen=True)
class NewModality:
    """New inputs, and the map from them to the network's features.

    The features of a row that has known inputs too are moved by its hint times `hint_weight`, which is chosen by
    leave-one-out on the support rows. The features of a row that has new inputs only are the hint itself, rescaled to
    the variance of the features, because ridge regression shrinks predictions towards the mean.

    Support rows that have both keep their features: the map was fitted to them, so their hints hold no new information.

    Args:
        modalities: of the new inputs, by name, fitted on the support rows.
        state: the map, `hint_weight` and scales, all tensors.
        pairs: the number of support rows that the map was fitted on.
    """

    modalities: Mapping[str, Modality]
    state: Mapping[str, Tensor]
    pairs: int

    @classmethod
    def fit(cls, learner: Learner, support: Rows, cells: Rows, modalities: Mapping[str, Modality]) -> NewModality:
        """Fit to support rows; `cells` are the new inputs of the same rows.

        Raises:
            UsageError: if the learner does not read the network's features.
            DataError: if fewer than two rows have both a known and a new input.
        """
        if not learner.fuses:
            raise UsageError(
                f"learner {learner.called()!r} does not read the network's features, which a new input is mapped to: "
                f"leave {_columns(modalities)} out, or train another learner"
            )
        both = support.present.any(-1).cpu() & cells.present.any(-1)
        if (pairs := int(both.sum())) < 2:
            raise DataError(
                f"{pairs} support rows have {_columns(modalities, 'or')} and a known input "
                f"({', '.join(support.inputs)}): a new input is learned from two such rows or more: add some, or leave "
                "it out"
            )
        plain = _scales(cells.select(both), modalities)
        x = _read(cells.select(both), modalities, plain)
        with torch.no_grad():
            y = learner.features(learner.params(), support.to(learner.device))
        y = y.cpu().double()[both]
        ridge = bridge(x, y)
        left_out = ridge.pop("left_out")
        known = support.select(both.to(support.present.device))
        spread, reach = ((v - v.mean(0)).square().sum().sqrt() for v in (y, left_out))
        state = ridge | {
            "hint_weight": hint_weight(y, left_out, known),
            "stretch": torch.where(reach > 0, spread / reach.clamp(min=1e-12), torch.ones_like(reach)),
        }
        return cls(modalities, {name: value.float() for name, value in (plain | state).items()}, pairs)

    def add_hints(self, rows: Rows, cells: Rows, support: bool = False) -> Rows:
        """The rows with a hint for each that has new inputs (`cells`); `support`: whether they are support rows."""
        known = rows.present.any(-1)
        here = cells.present.any(-1).to(known.device)
        hinted = here & ~known if support else here
        if support and not hinted.any():
            return rows
        x = _read(cells, self.modalities, self.state).float() - self.state["centre"]
        moves = (x @ self.state["weight"]).to(known.device)
        mean, stretch, weight = (self.state[n].to(known.device) for n in ("mean", "stretch", "hint_weight"))
        hint = torch.where(known.unsqueeze(-1), weight * moves, mean + stretch * moves)
        return rows.with_hint(mask(hint, hinted).to(_dtype(rows)), hinted)

    @property
    def notes(self) -> dict[str, str]:
        """The quality of the map and the weight of hints, for people."""
        explained = f"{float(self.state['explained']):.0%} of the known features explained, rows left out"
        weight = float(self.state["hint_weight"])
        what = f"learned from {self.pairs} rows that have both; {explained}; counts {weight:g}"
        return {f"new input {_columns(self.modalities)}": what}

    def to_json(self) -> dict[str, Any]:
        """The settings without the tensors."""
        return {"modalities": {name: m.to_json() for name, m in self.modalities.items()}, "pairs": self.pairs}

    @classmethod
    def from_json(cls, record: Mapping[str, Any], state: Mapping[str, Tensor]) -> NewModality:
        """The inverse of `to_json`, given the tensors."""
        return cls({name: from_json(dict(m)) for name, m in record["modalities"].items()}, state, record["pairs"])


def hint_weight(features: Tensor, hints: Tensor, rows: Rows) -> Tensor:
    """The best of HINT_WEIGHTS for adding `hints` to `features`, both `[rows, dim]`.

    The best weight has the least leave-one-out error for the labelled rows' targets.
    """
    target = target_of(rows).cpu()
    if rows.ways is None:
        errors = [1 - bridge(features + weight * hints, target.double())["explained"] for weight in HINT_WEIGHTS]
    else:
        members = class_mask(target, rows.ways).to(features.dtype)
        compared = members.sum(0)[target] > 1  # a class mean without the row exists
        if not compared.any():
            return features.new_tensor(DEFAULT_HINT_WEIGHT)
        spread = (features - features.mean(0)).square().sum(-1).mean().clamp(min=1e-12)
        errors = [
            torch.stack([_confusion(features + weight * hints, members, compared, s / spread) for s in SHARPNESS]).min()
            for weight in HINT_WEIGHTS
        ]
    return features.new_tensor(HINT_WEIGHTS[int(torch.stack(errors).argmin())])


def _confusion(x: Tensor, members: Tensor, compared: Tensor, scale: Tensor) -> Tensor:
    """Leave-one-out cross-entropy of the `compared` rows of `x` `[rows, dim]` under the nearest class mean.

    Logits are −`scale` times the squared distances from the class means. Leaving a row out of the mean of its own class
    of k rows multiplies its distance from it by k / (k − 1).
    """
    sizes = members.sum(0)
    means = (members.mT @ x) / sizes.clamp(min=1)[:, None]
    own = (sizes / (sizes - 1).clamp(min=1)).square()
    logits = -scale * squared_distances(x, means) * torch.where(members > 0, own, 1.0)
    logits = logits.masked_fill(sizes == 0, -torch.inf)
    log_p = logits.log_softmax(-1)[compared]
    return -log_p.gather(-1, members[compared].argmax(-1, keepdim=True)).mean()


def fit_new_inputs(table: Table, kinds: Mapping[str, str]) -> tuple[dict[str, Modality], Store, list[BadCell]]:
    """The modalities of a support table's new columns, fitted on its rows alone; their cells; and the bad ones.

    Raises:
        DataError: if a column has no cell that can be read.
    """
    own = Schema(tuple(Column(name, "input", kind) for name, kind in kinds.items()), None)
    modalities = fit_inputs(dataclasses.replace(table, schema=own), np.arange(len(table)))
    return modalities, *decode_new_inputs(table, modalities)


def decode_new_inputs(table: Table, modalities: Mapping[str, Modality]) -> tuple[Store, list[BadCell]]:
    """The new inputs' cells of a table's rows, and the bad ones."""
    return decode_table(table, modalities)


def read_with_new(rows: Any, schema: Schema, new: NewColumns) -> tuple[Table, dict[str, str]]:
    """Read rows as `read_rows` does, with new columns as further inputs; also the kinds of the new columns by name.

    Raises:
        UsageError: if a new column is an input already, is not in the table, or is given an unknown kind.
        DataError: if it is empty.
    """
    given = dict(new) if isinstance(new, Mapping) else dict.fromkeys([new] if isinstance(new, str) else new)
    if not given:
        return read_rows(rows, schema), {}
    roles = {column.name: column.role for column in schema.columns}
    for name, kind in given.items():
        if roles.get(name, "note") != "note":
            raise UsageError(f"{name!r} is the {roles[name]} that the run was trained with: new is for columns it was "
                             "trained without (inputs)")  # fmt: skip
        if kind is not None:
            choose("modality", kind, [kind for kind in KINDS if kind != "note"])
    others = tuple(column for column in schema.columns if column.name not in given)
    noted = dataclasses.replace(schema, columns=(*others, *(Column(name, "note") for name in given)))
    table = read_rows(rows, noted)
    kinds = {}
    for name, kind in given.items():
        column = table.frame[choose("column", name, table.frame.columns)]
        kind = kind or infer_modality(name, column, chosen=True)
        kinds[name] = tabular_kind(column) if kind == "tabular" else kind
        if kinds[name] == "note":
            raise DataError(f"{table.name}: the new column {name!r} is empty: fill in some cells, or leave it out")
    return read_rows(table, with_inputs(schema, kinds)), kinds


def kinds_of(table: Table, new: NewColumns) -> dict[str, str]:
    """The kinds of new columns of a table that `read_with_new` has read.

    Raises:
        UsageError: if it was read without them.
    """
    kinds = {}
    for name in [new] if isinstance(new, str) else new:
        kind = table.schema.column(name).modality
        if kind is None:
            raise UsageError(f"{table.name} was read without the new column {name!r}: give the table itself")
        kinds[name] = kind
    return kinds


def with_inputs(schema: Schema, kinds: Mapping[str, str]) -> Schema:
    """The schema with new input columns, of these kinds."""
    others = tuple(column for column in schema.columns if column.name not in kinds)
    return dataclasses.replace(schema, columns=(*others, *(Column(n, "input", kind) for n, kind in kinds.items())))


def _columns(modalities: Mapping[str, Modality], word: str = "and") -> str:
    """The names of the columns that inputs read, for people."""
    return f" {word} ".join(column for name, modality in modalities.items() for column in columns_of(name, modality))


def _scales(cells: Rows, modalities: Mapping[str, Modality]) -> dict[str, Tensor]:
    """The mean `mean/NAME` of each new input's plain features, and their spread `spread/NAME`."""
    scales: dict[str, Tensor] = {}
    for i, name in enumerate(modalities):
        x = _plain(cells, name, modalities[name])[cells.present[:, i]]
        centre = x.mean(0) if len(x) else x.sum(0)
        spread = (x - centre).square().sum(-1).mean().sqrt() if len(x) else x.new_zeros(())
        scales |= {f"mean/{name}": centre, f"spread/{name}": spread}
    return scales


def _read(cells: Rows, modalities: Mapping[str, Modality], scales: Mapping[str, Tensor]) -> Tensor:
    """The concatenated plain features of the new inputs, `[rows, width]`, each input scaled to count the same; the mean
    where absent.
    """
    parts = []
    for i, (name, modality) in enumerate(modalities.items()):
        x = _plain(cells, name, modality) - scales[f"mean/{name}"]
        spread = scales[f"spread/{name}"]
        parts.append(mask(x / torch.where(spread > 0, spread, 1.0), cells.present[:, i]))
    return torch.cat(parts, -1)


def _plain(cells: Rows, name: str, modality: Modality) -> Tensor:
    """The plain features of one new input, `[rows, features]`; those of zeros where absent."""
    with seeds.torch_generators(torch.device("cpu")), torch.no_grad():  # building an encoder draws random parameters
        encoder = encoders.build(modality).bare()
        here = cells.present[:, list(cells.inputs).index(name)]
        return encoder.raw(mask(cells.inputs[name], here)).double()


def _dtype(rows: Rows) -> torch.dtype:
    """The data type of the rows' numbers."""
    return next((x.dtype for x in rows.inputs.values() if x.is_floating_point()), torch.get_default_dtype())
