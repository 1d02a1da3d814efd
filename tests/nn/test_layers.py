"""Building blocks against torch's own, and right second derivatives under vmap."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from support import helpers
from torch import nn
from torch.func import grad, vmap

from omnishot.errors import UsageError
from omnishot.nn.layers import (
    NORMS,
    Attention,
    LayerNorm,
    Norm,
    TransformerBlock,
    channels_last,
    groups_of,
    mask,
    masked_mean,
)

DOUBLE = torch.float64


def shaken(module: nn.Module) -> nn.Module:
    """The module in float64, away from scales of one and shifts of zero."""
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in module.double().parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=g, dtype=DOUBLE))
    return module


@pytest.mark.parametrize("shape", [(5, 16), (5, 16, 7), (5, 16, 4, 3)])
@pytest.mark.parametrize("kind", NORMS)
def test_norms_equal_torch(kind, shape):
    x = torch.randn(shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(1))
    norm = shaken(Norm(16, kind))
    got = norm(x)
    if kind == "none":
        assert torch.equal(got, x)
    elif kind == "batch":
        assert torch.allclose(got, F.batch_norm(x, None, None, norm.scale, norm.shift, training=True))
    elif kind == "instance" and x.dim() == 2:  # one value a channel: nothing to normalise with
        assert torch.allclose(got, x * norm.scale + norm.shift)
    else:
        groups = {"layer": 1, "group": 2, "instance": 16}[kind]
        assert torch.allclose(got, F.group_norm(x, groups, norm.scale, norm.shift))


@pytest.mark.parametrize("kind", NORMS)
def test_a_norm_takes_one_row_of_one_pixel(kind):
    """What torch refuses, a user may ask for: one row to predict, whose picture is down to a pixel."""
    got = Norm(8, kind)(torch.arange(8.0).view(1, 8, 1, 1))
    assert got.isfinite().all()
    assert got.std() > 0.1


@given(st.integers(1, 300), st.integers(1, 32))
def test_groups_are_equal_and_large_enough(channels, size):
    groups = groups_of(channels, size)
    assert channels % groups == 0
    assert channels // groups >= min(size, channels)
    Norm(channels, "group", size)(torch.randn(2, channels, 3))


def test_an_unknown_norm_is_refused():
    with pytest.raises(UsageError, match="unknown norm 'instanse': did you mean 'instance'"):
        Norm(8, "instanse")


def test_layer_norm_equals_torch():
    x, norm = torch.randn(5, 6, 8, dtype=DOUBLE), shaken(LayerNorm(8))
    assert torch.allclose(norm(x), F.layer_norm(x, (8,), norm.scale, norm.shift))


def test_attention_equals_torch():
    torch.manual_seed(0)
    ours, theirs = shaken(Attention(8, heads=2)), nn.MultiheadAttention(8, 2, batch_first=True).double()
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.qkv.weight,
            "in_proj_bias": ours.qkv.bias,
            "out_proj.weight": ours.out.weight,
            "out_proj.bias": ours.out.bias,
        }
    )
    x = torch.randn(4, 6, 8, dtype=DOUBLE)
    real = torch.arange(6) < torch.tensor([6, 4, 1, 3])[:, None]
    expected, _ = theirs(x, x, x, key_padding_mask=~real)
    assert torch.allclose(ours(x, real), expected)


def test_attention_refuses_a_width_that_it_cannot_share():
    with pytest.raises(UsageError, match="width of 50 among 4 heads: use a multiple of 4"):
        Attention(50)


def test_a_transformer_block_equals_torch():
    torch.manual_seed(0)
    ours = shaken(TransformerBlock(8, heads=2, expand=2))
    theirs = nn.TransformerEncoderLayer(8, 2, 16, 0.0, F.gelu, batch_first=True, norm_first=True).double()
    theirs.load_state_dict(
        {
            "self_attn.in_proj_weight": ours.attention.qkv.weight,
            "self_attn.in_proj_bias": ours.attention.qkv.bias,
            "self_attn.out_proj.weight": ours.attention.out.weight,
            "self_attn.out_proj.bias": ours.attention.out.bias,
            "linear1.weight": ours.mlp[0].weight,
            "linear1.bias": ours.mlp[0].bias,
            "linear2.weight": ours.mlp[2].weight,
            "linear2.bias": ours.mlp[2].bias,
            "norm1.weight": ours.norm1.scale,
            "norm1.bias": ours.norm1.shift,
            "norm2.weight": ours.norm2.scale,
            "norm2.bias": ours.norm2.shift,
        }
    )
    x = torch.randn(4, 6, 8, dtype=DOUBLE)
    real = torch.arange(6) < torch.tensor([6, 4, 1, 3])[:, None]
    assert torch.allclose(ours(x, real), theirs(x, src_key_padding_mask=~real))


@pytest.mark.parametrize(
    "module",
    [Norm(16, kind) for kind in NORMS] + [LayerNorm(7), Attention(7, 1), TransformerBlock(7, 1)],
    ids=[*NORMS, "LayerNorm", "Attention", "TransformerBlock"],
)
def test_second_derivatives_are_right_alone_and_under_vmap(module):
    """The trap that these blocks exist for: torch's affine norms are silently wrong here."""
    module = shaken(module)
    x = torch.randn(3, 4, 16, 7, dtype=DOUBLE, generator=torch.Generator().manual_seed(2))  # [tasks, rows, ...]
    params = {n: p.detach() for n, p in module.named_parameters()}
    real = torch.ones(4, 16, dtype=torch.bool)
    more = (real,) if isinstance(module, Attention | TransformerBlock) else ()

    def inner(params, x):
        return torch.func.functional_call(module, params, (x, *more)).pow(3).mean()

    def outer(params, x):  # the gradient after one inner step, of the mean over tasks
        stepped = {n: p - 0.3 * g for (n, p), g in zip(params.items(), grad(inner)(params, x).values(), strict=True)}
        return inner(stepped, x)

    over_tasks = {n: g.mean(0) for n, g in vmap(grad(outer), in_dims=(None, 0))(params, x).items()}
    looped = [grad(outer)(params, x[t]) for t in range(3)]
    mean = {n: sum(g[n] for g in looped) / 3 for n in params}
    if any(g.abs().max() > 0 for g in mean.values()):
        assert helpers.relative_error(over_tasks, mean) < 1e-12
    g = torch.Generator().manual_seed(3)
    way = {n: torch.randn(p.shape, generator=g, dtype=DOUBLE) for n, p in params.items()}
    up, down = ({n: p + s * way[n] for n, p in params.items()} for s in (1e-6, -1e-6))
    slope = sum((outer(up, x[t]) - outer(down, x[t])) / 2e-6 for t in range(3)) / 3
    assert sum((mean[n] * way[n]).sum() for n in params).item() == pytest.approx(slope.item(), rel=1e-6, abs=1e-9)


@given(st.integers(0, 999))
def test_mask_and_masked_mean(seed):
    g = torch.Generator().manual_seed(seed)
    x, keep = torch.randn(4, 5, 3, generator=g), torch.rand(4, 5, generator=g) < 0.5
    x[~keep] = float("nan")
    assert torch.equal(mask(x, keep), x.nan_to_num(0.0))
    means = masked_mean(x, keep)
    for i in range(4):
        kept = x[i, keep[i]]
        expected = kept.mean(0) if len(kept) else torch.zeros(3)
        assert torch.allclose(means[i], expected, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_last_says_so_to_convolutions(channels):
    x = torch.randn(4, channels, 6, 5)
    weight = torch.randn(8, channels, 3, 3)
    laid = channels_last(x)
    assert torch.equal(laid, x)
    assert torch.equal(vmap(channels_last)(x[None])[0], x)
    assert not F.conv2d(x, weight).is_contiguous(memory_format=torch.channels_last)
    assert F.conv2d(laid, weight).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("expected", [("scale", "shift"), ("scale",), ("shift",)])
@pytest.mark.parametrize("laid", [channels_last, lambda x: x], ids=["channels last", "contiguous"])
def test_the_gradient_of_a_norms_own_parameters_alone(laid, expected):
    """What an inner loop over scales and shifts asks for; torch's kernel alone crashes with channels last."""
    norm, x = shaken(Norm(6, "layer")), laid(torch.randn(4, 6, 5, 5, dtype=DOUBLE))
    own = [getattr(norm, name) for name in expected]
    normal = F.group_norm(x, 1)
    loss = norm(x).square().sum()
    slopes = {"scale": (2 * norm(x) * normal).sum((0, 2, 3)), "shift": (2 * norm(x)).sum((0, 2, 3))}
    for name, got in zip(expected, torch.autograd.grad(loss, own), strict=True):
        assert torch.allclose(got, slopes[name], rtol=1e-10)
