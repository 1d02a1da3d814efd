"""The base class of encoders."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from omnishot.nn.layers import uses_batch_statistics


class Encoder(nn.Module):
    """Encodes normalised cells `[rows, *cell]` of one input as vectors `[rows, out]`."""

    #: Kinds of modality that this encoder reads; empty: any.
    reads: ClassVar[tuple[str, ...]] = ()
    #: Width of the vector it gives.
    out: int

    @property
    def transductive(self) -> bool:
        """Whether the vector of a row depends on the other rows of the batch."""
        return uses_batch_statistics(self)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The parts of each cell, `[rows, parts, width]`, in order, and which are real, bool `[rows, parts]`.

        The latter is None if all are real. An encoder without parts gives its vector as the only one.
        """
        return self(x).unsqueeze(-2), None

    def raw(self, x: Tensor) -> Tensor:
        """The cells as plain features `[rows, features]` without learned parameters, for baselines on raw features."""
        return x.flatten(1)

    def bare(self) -> Encoder:
        """This encoder without learned parameters; only `raw` can be used."""
        for module in self.modules():
            module._parameters.clear()
        self._modules.clear()
        return self
