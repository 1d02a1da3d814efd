"""Feature-wise modulation: a task vector changes the scale and shift of a network's channels.

Every norm here ends in a scale and a shift per channel. Changing them by a linear map of a task vector is what FiLM
layers do; a network whose parameters can be given needs no such layer in its code. Encoders without a norm have biases,
which a task vector moves instead, so every encoder can be modulated.

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
    """Names of the parameters with one value a channel, of each of `Network.input_modules`.

    They are the scales and shifts of a module with active norms; else its vectors (biases, the weights of frozen
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
        network: whose parameters are changed.
        dim: width of the task vector.
        spread: standard deviation of the map's weights to start with. With 0 no z changes anything at first, which
            suits a z that a network gives; a z that starts at 0 itself needs a spread, or no gradient reaches either.
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
        """What the task vector `z` `[dim]` adds, by the name of the learner's parameter; pure in `params`, all of the
        learner's."""
        parts = (params[PREFIX + "weight"] @ z).split(list(self.sizes.values()))
        return dict(zip(self.sizes, parts, strict=True))

    def modulated(self, params: Mapping[str, Tensor], z: Tensor) -> dict[str, Tensor]:
        """All of the learner's parameters with the changes added, for `Learner.features`."""
        return {**params, **{name: params[name] + delta for name, delta in self.deltas(params, z).items()}}
