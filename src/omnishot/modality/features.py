"""Features: vectors that a frozen encoder computes from the cells of another modality."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from omnishot.errors import UsageError
from omnishot.modality.base import Modality, random_like


@dataclass(frozen=True)
class Features(Modality):
    """Cells of a fitted modality, each as the vector of an encoder that is not trained further.

    Args:
        of: the modality that decodes and normalises cells for the encoder.
        encoder: name of the encoder.
        encoder_options: options that the encoder was built with.
        width: of the vector.
        digest: of the encoder's weights.
        trained_on: names of the classes or groups that the encoder was trained on, by the column that they are in;
            sorted.
        module: the encoder. It belongs to no network, so it is neither trained nor saved with a network's parameters.
    """

    of: Modality
    encoder: str
    encoder_options: Mapping[str, Any]
    width: int
    digest: str
    module: nn.Module = field(compare=False, repr=False)
    trained_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    kind = "features"
    media = False
    dtype = np.float32

    @property
    def cell_kind(self) -> str:
        return self.of.cell_kind

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.width,)

    @classmethod
    def fit(cls, *cells: Any, **options: Any) -> Self:
        """Raises: UsageError: always, for features come from an earlier run."""
        raise UsageError("features are not fitted: say frozen=RUN for an input, with the run that learned its encoder")

    @torch.no_grad()
    def derive(self, cells: np.ndarray) -> np.ndarray:
        """Decoded cells of `of` `[k, *cell]` -> float32 `[k, width]`, computed on the encoder's device."""
        device = next(self.module.parameters(), torch.empty(0)).device
        x = self.of.normalise(torch.tensor(cells).to(device))
        return self.module(x).float().cpu().numpy()

    def normalise(self, stored: Tensor) -> Tensor:
        """float32 `[..., width]`, unchanged."""
        return stored

    def _corrupt(self, stored: Tensor, level: float | Tensor, generator: torch.Generator) -> Tensor:
        """Mix with Gaussian noise: `(1 - level) * feature + level * noise`."""
        return (1 - level) * stored + level * random_like(torch.randn, stored.shape, generator, stored)

    def picture(self, stored: np.ndarray) -> str:
        """A description of the features: the cell itself is not available."""
        return f"{self.width} features of {self.cell_kind}"

    @property
    def encoding(self) -> dict[str, Any]:
        """The settings that determine a cell's features."""
        plain = {name: getattr(self, name) for name in ("encoder", "encoder_options", "width", "digest")}
        return {"kind": self.kind, "of": self.of.to_json(), **plain}

    def to_json(self) -> dict[str, Any]:
        """The settings without the encoder's weights, which `frozen_weights` gives."""
        return {**self.encoding, "trained_on": {column: list(names) for column, names in self.trained_on.items()}}


def freeze(
    of: Modality,
    module: nn.Module,
    encoder: str,
    options: Mapping[str, Any],
    trained_on: Mapping[str, Sequence[str]] | None = None,
) -> Features:
    """The features that `module`, an encoder of cells of `of`, computes; the module is not trained further."""
    module.eval().requires_grad_(False)
    names = {column: tuple(of_column) for column, of_column in (trained_on or {}).items()}
    width: int = module.out  # type: ignore[assignment]
    return Features(of, encoder, dict(options), width, digest_of(module.state_dict()), module, names)


def all_trained_on(modalities: Iterable[Modality]) -> dict[str, tuple[str, ...]]:
    """What any of the modalities' frozen encoders was trained on: sorted names by column."""
    return joined(m.trained_on for m in modalities if isinstance(m, Features))


def joined(each: Iterable[Mapping[str, Sequence[str]]]) -> dict[str, tuple[str, ...]]:
    """The union of sets of names by column; sorted."""
    names: dict[str, set[str]] = {}
    for by_column in each:
        for column, own in by_column.items():
            names.setdefault(column, set()).update(own)
    return {column: tuple(sorted(own)) for column, own in names.items()}


def digest_of(weights: Mapping[str, Tensor]) -> str:
    """32 hex digits over an encoder's weights."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def frozen_weights(modalities: Mapping[str, Modality]) -> dict[str, Tensor]:
    """Weights of all frozen encoders, by `input/name`; empty if there are none."""
    frozen = {name: m.module for name, m in modalities.items() if isinstance(m, Features)}
    return {f"{name}/{own}": tensor for name, module in frozen.items() for own, tensor in module.state_dict().items()}


def weights_of(name: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """One input's part of `frozen_weights`."""
    keys = {key: key.rpartition("/") for key in weights}
    return {own: weights[key] for key, (place, _, own) in keys.items() if place == name}
