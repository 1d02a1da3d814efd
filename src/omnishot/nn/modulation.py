"""Feature-wise modulation: a task vector changes the scale and shift of a network's channels.

Every norm here ends in a scale and a shift per channel. FiLM layers change them by a linear map of a task vector. Since
a network can be called with other parameters than its own, its code needs no such layer. Encoders without a norm have
biases, which the task vector changes instead, so every encoder can be modulated.

Paper: Perez et al., FiLM: Visual Reasoning with a General Conditioning Layer, AAAI 2018
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from omnishot.nn.layers import LayerNorm, Norm
from omnishot.nn.network import Network

#: What a learner must call its modulation and its network.
PREFIX, NETWORK = "modulation.", "network."


def per_channel(network: Network) -> list[str]:
    """Names of the parameters with one value per channel, in each of `Network.input_modules`.

    These are the scales and shifts of a module with active norms; otherwise its vectors (biases, the weights of frozen
    features).
    """
    return [f"{part}.{name}" for part, module in network.input_modules().items() for name in _of_part(module)]


def _of_part(module: nn.Module) -> Iterator[str]:
    norms = [n for n, m in module.named_modules() if isinstance(m, LayerNorm) or (isinstance(m, Norm) and m.acts)]
    for name in norms:
        yield from (f"{name}.scale", f"{name}.shift")
    if not norms:
        idle = tuple(f"{n}." for n, m in module.named_modules() if isinstance(m, Norm))
        yield from (n for n, p in module.named_parameters() if p.dim() == 1 and not n.startswith(idle))


class Modulation(nn.Module):
    """A learned linear map from a task vector `[dim]` to changes of a network's per-channel parameters.

    It has no bias, since the network's own parameters are one: z = 0 changes nothing. A learner must hold it as
    `modulation`, and its network as `network`.

    Args:
        network: the network whose parameters are changed.
        dim: width of the task vector.
        spread: initial standard deviation of the map's weights. With 0 no z changes anything at first, which suits a z
            that a network computes; a z that is itself initialised to 0 needs a spread above 0, or no gradient reaches
            either.
    """

    def __init__(self, network: Network, dim: int, spread: float = 0.0):
        super().__init__()
        own = dict(network.named_parameters())
        self.sizes = {NETWORK + name: own[name].numel() for name in per_channel(network)}
        self.weight = nn.Parameter(spread * torch.randn(sum(self.sizes.values()), dim))

    @property
    def names(self) -> list[str]:
        """The learner's parameters that are changed."""
        return list(self.sizes)

    def deltas(self, params: Mapping[str, Tensor], z: Tensor) -> dict[str, Tensor]:
        """The changes by the task vector `z` `[dim]`, by parameter name; pure in `params`, the learner's parameters."""
        parts = (params[PREFIX + "weight"] @ z).split(list(self.sizes.values()))
        return dict(zip(self.sizes, parts, strict=True))

    def modulated(self, params: Mapping[str, Tensor], z: Tensor) -> dict[str, Tensor]:
        """All of the learner's parameters with the changes added, for `Learner.features`."""
        return {**params, **{name: params[name] + delta for name, delta in self.deltas(params, z).items()}}
