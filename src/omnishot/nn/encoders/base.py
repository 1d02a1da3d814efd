"""What every encoder is."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn


class Encoder(nn.Module):
    """Reads normalised cells `[rows, *cell]` of one input, gives `[rows, out]`."""

    #: Kinds of modality that this encoder reads.
    reads: ClassVar[tuple[str, ...]]
    #: Width of the vector it gives.
    out: int

    def raw(self, x: Tensor) -> Tensor:
        """The cells as plain features `[rows, features]`, nothing learned: what raw-feature baselines see."""
        return x.flatten(1)
