"""A convolution, a norm, max-pooling and ReLU as one block, ordered so that little is computed at full size.

ReLU and max-pooling commute exactly, so ReLU runs on a quarter of the pixels. Where a few channels become many (the
first block of an image), the convolution is cheap and the operations after it are expensive. Since a convolution is
linear in the patches of its input, the norm's statistics are then computed from the mean and covariance of the patches.
With these statistics the norm is one scale and shift per channel, which is applied after the pooling. The result is the
same.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.nn.convolution import convolve
from omnishot.nn.layers import EPSILON, Norm


def block(conv: nn.Conv2d, norm: Norm, x: Tensor, pool: bool) -> Tensor:
    """ReLU(pool(norm(conv(x)))), `[rows, in, h, w] -> [rows, out, h', w']`; `pool` halves height and width."""
    if pool and _widens(conv) and norm.of_one_row:
        return _folded(conv, norm, x)
    h = norm(convolve(conv, x))
    return F.relu(F.max_pool2d(h, 2) if pool else h)


def _widens(conv: nn.Conv2d) -> bool:
    """Whether a patch has at most half as many values as the convolution has output channels."""
    return 2 * conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1] <= conv.out_channels


def _folded(conv: nn.Conv2d, norm: Norm, x: Tensor) -> Tensor:
    bias = torch.zeros_like(norm.shift) if conv.bias is None else conv.bias
    with torch.autocast(x.device.type, enabled=False):  # statistics are never taken in half precision
        weight = conv.weight.flatten(1)  # [out, patch]
        mean, covariance = _patch_statistics(conv, x)
        centre = mean @ weight.transpose(-1, -2) + bias  # [rows, out], each channel's mean
        spread = ((weight @ covariance) * weight).sum(-1)  # and its variance
    of_group, variance = _group_statistics(centre, spread, norm.groups)
    scale = (variance + EPSILON).rsqrt() * norm.scale
    shift = (bias - of_group) * scale + norm.shift
    # Where the scale is negative, the largest value of a window becomes the smallest: negate the channel.
    sign = torch.where(norm.scale.detach() < 0, -1.0, 1.0).to(x.dtype)
    largest = F.max_pool2d(convolve(conv, x, conv.weight * sign[:, None, None, None]), 2)
    return F.relu(torch.addcmul(_per_channel(shift), largest, _per_channel(scale * sign)))


def _patch_statistics(conv: nn.Conv2d, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean `[rows, patch]` and covariance `[rows, patch, patch]` of the patches that the convolution reads."""
    patches = F.unfold(x, conv.kernel_size, padding=conv.padding[0])  # type: ignore[arg-type]
    mean = patches.mean(-1)
    off = patches - mean.unsqueeze(-1)
    return mean, off @ off.transpose(-1, -2) / off.shape[-1]


def _group_statistics(mean: Tensor, variance: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel's group from those of the channels, all `[rows, channels]`."""
    means, variances = (t.unflatten(-1, (groups, -1)) for t in (mean, variance))
    of_group = means.mean(-1, keepdim=True)
    within = (variances + (means - of_group).square()).mean(-1, keepdim=True)
    return (t.expand_as(means).flatten(-2) for t in (of_group, within))  # type: ignore[return-value]


def _per_channel(values: Tensor) -> Tensor:
    return values[..., None, None]
