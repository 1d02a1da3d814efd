"""What an auxiliary objective reads, and the gradient that all of them add to the meta-gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.nn.auxiliary import AUXILIARIES
from omnishot.nn.network import Network


@dataclass(frozen=True)
class EncodedBatch:
    """A meta-batch after the encoders, support and query rows together.

    Args:
        embeddings: `[tasks, rows, inputs, dim]`, zero where absent.
        present: bool `[tasks, rows, inputs]`.
        tokens: what is fused, `[tasks, rows, tokens, dim]`.
        tokens_present: bool `[tasks, rows, tokens]`.
        same: bool `[tasks, rows, rows]`: pairs of rows of the same class; in regression, a row with itself.
    """

    embeddings: Tensor
    present: Tensor
    tokens: Tensor
    tokens_present: Tensor
    same: Tensor

    def pairs(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Every ordered pair of inputs.

        Yields:
            The embeddings of both, `[tasks, rows, dim]` each; bool `[tasks, rows, rows]`, where row i has the first
            input and row j the second; and where, in addition, both rows are the `same`.
        """
        for i, j in permutations(range(self.present.shape[-1]), 2):
            both = self.present[..., i, None] & self.present[..., None, :, j]
            yield self.embeddings[..., i, :], self.embeddings[..., j, :], both, both & self.same


class Auxiliary(nn.Module):
    """One auxiliary objective. It is built for a network, but does not hold the network's parameters."""

    def __init__(self, network: Network):
        super().__init__()

    def forward(self, network: Network, batch: EncodedBatch) -> Tensor:
        """The loss of each task, `[tasks]`; zero for a task without rows that count."""
        raise NotImplementedError(f"{type(self).__name__}.forward")


class Auxiliaries(nn.Module):
    """The auxiliary objectives of a training, by name, each with its weight.

    They are computed with the parameters that all tasks share, before adaptation to any task.

    Raises:
        UsageError: for an unknown name, or a network without embeddings of two inputs.
    """

    def __init__(self, network: Network, weights: Mapping[str, float]):
        super().__init__()
        names = ", ".join(weights)
        if len(network.names) < 2:
            raise UsageError(
                f"auxiliary {names} compares the inputs of a row, of which this network has one "
                f"({network.names[0]}): add input columns, or leave it out"
            )
        if not network.has_embeddings:
            raise UsageError(f"auxiliary {names}: a network of level {network.level!r} has no embeddings to compare")
        self.weights = dict(weights)
        self.terms = nn.ModuleDict({name: AUXILIARIES.load(name)(network) for name in weights})

    def backward(self, network: Network, batch: Episode) -> Tensor:
        """Add the gradient of the mean loss over the tasks to the parameters' `.grad`.

        Returns:
            The weighted sum of the losses of each task, `[tasks]`, detached.
        """
        encoded = encode_batch(network, batch)
        losses = torch.stack([w * self.terms[name](network, encoded) for name, w in self.weights.items()]).sum(0)
        losses.mean().backward()
        return losses.detach()


def encode_batch(network: Network, batch: Episode) -> EncodedBatch:
    """Encode all rows of a meta-batch with the encoders of a network."""
    rows = join_rows(batch)
    tokens, tokens_present = network.tokens(rows.map(lambda t: t.flatten(0, 1)))
    embeddings = network.pool_tokens(tokens, tokens_present)
    if rows.ways is None or rows.target is None:
        same = torch.eye(len(rows), dtype=torch.bool, device=rows.present.device).expand(batch.tasks, -1, -1)
    else:
        same = rows.target[:, :, None] == rows.target[:, None, :]
    embeddings, tokens, tokens_present = (
        t.unflatten(0, (batch.tasks, -1)) for t in (embeddings, tokens, tokens_present)
    )
    return EncodedBatch(embeddings, rows.present, tokens, tokens_present, same)


def join_rows(batch: Episode) -> Rows:
    """Support and query rows of every task as one batch, `[tasks, rows]`."""
    support, query = batch.support, batch.query
    inputs = {name: torch.cat([x, query.inputs[name]], 1) for name, x in support.inputs.items()}
    target = None if support.target is None or query.target is None else torch.cat([support.target, query.target], 1)
    return Rows(inputs, torch.cat([support.present, query.present], 1), target, ways=support.ways)


def mean_where(values: Tensor, keep: Tensor) -> Tensor:
    """The mean of each task's `values` `[tasks, …]` where `keep`, `[tasks]`; zero if none is kept."""
    kept = torch.where(keep, values, values.new_zeros(()))
    return kept.flatten(1).sum(1) / keep.flatten(1).sum(1).clamp(min=1)
