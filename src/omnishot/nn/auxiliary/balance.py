"""Equal loads for the experts of a mixture."""

from __future__ import annotations

from torch import Tensor

from omnishot.errors import UsageError
from omnishot.nn.auxiliary.base import Auxiliary, EncodedBatch
from omnishot.nn.fusion.mixture import Mixture
from omnishot.nn.network import Network


class Balance(Auxiliary):
    """How unevenly the rows of a task are distributed over the experts of the fusion `mixture`.

    The squared coefficient of variation (variance over squared mean) of the experts' summed gates: zero where all have
    the same load.

    Paper: Shazeer et al., Outrageously Large Neural Networks: The Sparsely-Gated Mixture-of-Experts Layer, ICLR 2017
    """

    def __init__(self, network: Network):
        super().__init__(network)
        mixture_of(network)

    def forward(self, network: Network, batch: EncodedBatch) -> Tensor:
        loads = mixture_of(network).gates(*network.imputed(batch.tokens, batch.tokens_present)).sum(-2)
        return loads.var(-1, correction=0) / loads.mean(-1).square()


def mixture_of(network: Network) -> Mixture:
    """The fusion of a network.

    Raises:
        UsageError: if it is no mixture of experts.
    """
    if not isinstance(network.fusion, Mixture):
        raise UsageError("auxiliary 'balance' balances the loads of experts: it needs fusion='mixture'")
    return network.fusion
