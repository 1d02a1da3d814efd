from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fused import DIM, build, here, rows
from torch import nn

from omnishot.errors import UsageError
from omnishot.nn.fusion.transformer import Transformer
from omnishot.nn.layers import TransformerBlock


def published(block: TransformerBlock) -> nn.TransformerEncoderLayer:
    """torch's own layer with the same parameters."""
    layer = nn.TransformerEncoderLayer(
        DIM, block.attention.heads, 2 * DIM, 0.0, "gelu", batch_first=True, norm_first=True
    ).double()
    up, down = block.mlp[0], block.mlp[2]
    pairs = {
        "self_attn.in_proj_weight": block.attention.qkv.weight,
        "self_attn.in_proj_bias": block.attention.qkv.bias,
        "self_attn.out_proj.weight": block.attention.out.weight,
        "self_attn.out_proj.bias": block.attention.out.bias,
        "linear1.weight": up.weight, "linear1.bias": up.bias, "linear2.weight": down.weight, "linear2.bias": down.bias,
        "norm1.weight": block.norm1.scale, "norm1.bias": block.norm1.shift,
        "norm2.weight": block.norm2.scale, "norm2.bias": block.norm2.shift,
    }  # fmt: skip
    layer.load_state_dict(pairs)
    return layer


@given(st.integers(0, 99))
@settings(max_examples=10)
def test_it_is_a_transformer_of_the_tokens_present_and_one_to_read(seed):
    x, present = rows(seed)
    fusion = build("transformer", {"heads": 2}, seed=seed).requires_grad_(False)
    got = fusion(x, present)
    layers = [published(block) for block in fusion.blocks]
    for row in range(len(x)):
        there = here(present[row])
        mean = torch.stack([x[row, i] for i in there]).mean(0) if there else torch.zeros(DIM).double()
        tokens = torch.stack([fusion.reader + mean, *(x[row, i] + fusion.positions[i] for i in there)])[None]
        for layer in layers:
            tokens = layer(tokens)
        read = tokens[0, 0]
        normed = (read - read.mean()) / (read.var(correction=0) + 1e-5) ** 0.5
        assert torch.allclose(got[row], normed * fusion.norm.scale + fusion.norm.shift)


@pytest.mark.parametrize("options", [{"layers": 0}, {"heads": 3}, {"heads": 0}])
def test_what_cannot_be_built_is_refused(options):
    with pytest.raises(UsageError, match=r"layers|heads"):
        Transformer(2, DIM, **options)
