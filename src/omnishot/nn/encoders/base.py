"""What every encoder is."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from omnishot.nn.layers import uses_batch_statistics


class Encoder(nn.Module):
    """Reads normalised cells `[rows, *cell]` of one input, gives `[rows, out]`."""

    #: Kinds of modality that this encoder reads; empty: any.
    reads: ClassVar[tuple[str, ...]] = ()
    #: Width of the vector it gives.
    out: int

    @property
    def transductive(self) -> bool:
        """Whether the vector of a row depends on the other rows of the batch."""
        return uses_batch_statistics(self)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The parts of each cell, `[rows, parts, width]`, in order, and which of them are real, bool `[rows, parts]`
        (None: all are). An encoder that knows no parts gives its vector as the only one."""
        return self(x).unsqueeze(-2), None

    def raw(self, x: Tensor) -> Tensor:
        """The cells as plain features `[rows, features]`, nothing learned: what raw-feature baselines see."""
        return x.flatten(1)

    def bare(self) -> Encoder:
        """This encoder without anything learned: good for `raw` alone."""
        for module in self.modules():
            module._parameters.clear()
        self._modules.clear()
        return self
