"""Rows and episodes: the inputs of networks and learners."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """A batch of decoded rows. Leading dimensions `...` are empty for one task, `[tasks]` for a meta-batch.

    Args:
        inputs: by input name, `[..., rows, *cell]`, normalised; the content of an absent cell has no meaning.
        present: bool `[..., rows, inputs]` in the order of `inputs`.
        target: classes 0..ways-1 as int64 `[..., rows]`, numbers as float `[..., rows, targets]`, or None if unknown.
        label: int64 `[..., rows]`, the class among all training classes (the target of joint training), or None.
        ways: number of classes of the task; None when the target is no class.
        hint: a vector for each row from a source other than `inputs`, `[..., rows, dim]`, in the space of the network's
            features. It is added to the features, and replaces them where no cell is present. None: no row has one.
        hinted: bool `[..., rows]`, which rows have a hint.
    """

    inputs: dict[str, Tensor]
    present: Tensor
    target: Tensor | None = None
    label: Tensor | None = None
    ways: int | None = None
    hint: Tensor | None = None
    hinted: Tensor | None = None

    def __len__(self) -> int:
        return self.present.shape[-2]

    def tensors(self) -> dict[str, Any]:
        """The tensors as a plain tree without those that are None, for `torch.vmap` to map over."""
        tree = {"inputs": self.inputs, "present": self.present, "target": self.target, "label": self.label}
        tree |= {"hint": self.hint, "hinted": self.hinted}
        return {name: value for name, value in tree.items() if value is not None}

    def with_tensors(self, tree: dict[str, Any]) -> Rows:
        """The same rows with other tensors; the inverse of `tensors`."""
        return dataclasses.replace(self, **tree)

    def map(self, function: Any) -> Rows:
        """Apply `function` to every tensor."""
        tree = self.tensors()
        mapped = {name: function(value) for name, value in tree.items() if name != "inputs"}
        return self.with_tensors(mapped | {"inputs": {k: function(v) for k, v in self.inputs.items()}})

    def with_hint(self, hint: Tensor, hinted: Tensor) -> Rows:
        """The same rows with hints, `[..., rows, dim]` and bool `[..., rows]`."""
        return dataclasses.replace(self, hint=hint, hinted=hinted)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Rows:
        """Move to a device; `dtype` applies to floating tensors only."""
        return self.map(lambda t: t.to(device, dtype if dtype and t.is_floating_point() else t.dtype))

    def task(self, index: int) -> Rows:
        """One task of a meta-batch."""
        return self.map(lambda t: t[index])

    def select(self, index: Any) -> Rows:
        """Some rows of one task, or tasks of a meta-batch (`index` as for a tensor's first dimension)."""
        return self.map(lambda t: t[index])


@dataclass(frozen=True)
class Episode:
    """One task, or with a leading dimension a meta-batch of tasks of equal shape."""

    support: Rows
    query: Rows

    @property
    def tasks(self) -> int:
        """Number of tasks of a meta-batch."""
        return self.support.present.shape[0]

    def task(self, index: int) -> Episode:
        """One task of a meta-batch."""
        return Episode(self.support.task(index), self.query.task(index))

    def map(self, function: Any) -> Episode:
        """Apply `function` to every tensor."""
        return Episode(self.support.map(function), self.query.map(function))

    def select(self, tasks: slice) -> Episode:
        """Some tasks of a meta-batch."""
        return Episode(self.support.select(tasks), self.query.select(tasks))

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Episode:
        """Move both halves."""
        return Episode(self.support.to(device, dtype), self.query.to(device, dtype))


def target_of(rows: Rows) -> Tensor:
    """The target of labelled rows.

    Raises:
        ValueError: if they have none.
    """
    if rows.target is None:
        raise ValueError("rows without a target are not labelled")
    return rows.target


def ways_of(rows: Rows) -> int:
    """The number of classes of a task whose target is a class.

    Raises:
        ValueError: if the target is no class.
    """
    if rows.ways is None:
        raise ValueError("the target of these rows is no class")
    return rows.ways


def concatenate(first: Rows, second: Rows) -> Rows:
    """The rows of two batches of one task; targets and hints are kept only if both have them."""
    a, b = first.tensors(), second.tensors()
    tree: dict[str, Any] = {name: torch.cat([a[name], b[name]]) for name in a if name in b and name != "inputs"}
    tree["inputs"] = {name: torch.cat([first.inputs[name], second.inputs[name]]) for name in first.inputs}
    gone: dict[str, Any] = dict.fromkeys(("target", "label", "hint", "hinted"))
    return dataclasses.replace(first, **gone | tree)
