"""What an auxiliary objective sees, and what all of them together add to the meta-gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.nn.auxiliary import AUXILIARIES
from omnishot.nn.network import EARLY, Network


@dataclass(frozen=True)
class EncodedBatch:
    """A meta-batch as its network sees it, support and query rows together.

    Args:
        embeddings: `[tasks, rows, inputs, dim]`, zero where absent.
        present: bool `[tasks, rows, inputs]`.
        parts, here: what is fused, `[tasks, rows, slots, dim]` and bool `[tasks, rows, slots]`.
        same: bool `[tasks, rows, rows]`: rows of the same class; of numbers, the same row.
    """

    embeddings: Tensor
    present: Tensor
    parts: Tensor
    here: Tensor
    same: Tensor

    def pairs(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """For both orders of every two inputs: their embeddings `[tasks, rows, dim]`, and bool `[tasks, rows, rows]`
        which rows of the one and of the other are both there, and which of those belong together."""
        for i, j in permutations(range(self.present.shape[-1]), 2):
            both = self.present[..., i, None] & self.present[..., None, :, j]
            yield self.embeddings[..., i, :], self.embeddings[..., j, :], both, both & self.same


class Auxiliary(nn.Module):
    """One auxiliary objective; it is made for a network, whose parameters are not its own."""

    def __init__(self, network: Network):
        super().__init__()

    def forward(self, network: Network, seen: EncodedBatch) -> Tensor:
        """The loss of each task, `[tasks]`; zero where a task has nothing to judge."""
        raise NotImplementedError(f"{type(self).__name__}.forward")


class Auxiliaries(nn.Module):
    """The auxiliary objectives of a training, by name, each with its weight.

    They judge a meta-batch at the parameters that all tasks share, before any task is learned.

    Raises:
        UsageError: for an unknown name, or a network that has no two embeddings.
    """

    def __init__(self, network: Network, weights: Mapping[str, float]):
        super().__init__()
        if len(network.names) < 2:
            raise UsageError(
                f"auxiliary {', '.join(weights)} compares the inputs of a row, of which this network has one "
                f"({network.names[0]}): add input columns, or leave it out"
            )
        if network.level == EARLY:
            said = ", ".join(weights)
            raise UsageError(f"auxiliary {said}: a network of level 'early' has no embeddings to compare")
        self.weights = dict(weights)
        self.terms = nn.ModuleDict({name: AUXILIARIES.load(name)(network) for name in weights})

    def backward(self, network: Network, batch: Episode) -> Tensor:
        """Add the gradient of the mean over a meta-batch's tasks to the parameters' `.grad`; the losses `[tasks]`."""
        found = seen(network, batch)
        losses = sum(w * self.terms[name](network, found) for name, w in self.weights.items())
        assert isinstance(losses, Tensor)
        losses.mean().backward()
        return losses.detach()


def seen(network: Network, batch: Episode) -> EncodedBatch:
    """What the network makes of all rows of a meta-batch."""
    rows, tasks = together(batch), batch.tasks
    parts, here = network.parts(rows.map(lambda t: t.flatten(0, 1)))
    embeddings = network.pool_tokens(parts, here)
    if rows.ways is None:
        same = torch.eye(len(rows), dtype=torch.bool, device=rows.present.device).expand(tasks, -1, -1)
    else:
        assert rows.target is not None
        same = rows.target[:, :, None] == rows.target[:, None, :]
    of_task = (t.unflatten(0, (tasks, -1)) for t in (embeddings, parts, here))
    embeddings, parts, here = of_task
    return EncodedBatch(embeddings, rows.present, parts, here, same)


def together(batch: Episode) -> Rows:
    """Support and query rows of every task as one, `[tasks, rows]`."""
    first, second = batch.support, batch.query
    inputs = {name: torch.cat([x, second.inputs[name]], 1) for name, x in first.inputs.items()}
    target = None if first.target is None or second.target is None else torch.cat([first.target, second.target], 1)
    return Rows(inputs, torch.cat([first.present, second.present], 1), target, ways=first.ways)


def mean_where(values: Tensor, keep: Tensor) -> Tensor:
    """The mean of each task's `values` `[tasks, …]` where `keep`, `[tasks]`; zero where nothing is kept."""
    kept = torch.where(keep, values, values.new_zeros(()))
    return kept.flatten(1).sum(1) / keep.flatten(1).sum(1).clamp(min=1)
