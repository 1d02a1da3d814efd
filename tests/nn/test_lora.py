"""Low-rank changes of weights: none at the start, then exactly W + Lᵀ R, in linear layers and convolutions alike."""

from __future__ import annotations

import pytest
import torch
from support import helpers

from omnishot.nn.calling import call_with
from omnishot.nn.linear import dense
from omnishot.nn.lora import LoRA


@pytest.mark.parametrize("encoder", ["conv4", "logmel", "framewise", "conv1d", "transformer", "mlp"])
def test_changes_are_the_product_of_the_factors(encoder):
    name = helpers.READS[encoder]
    net = helpers.network(name, encoders=(encoder,)).double()
    lora = LoRA(net, 3).double()
    rows = helpers.random_rows({name: helpers.MODALITIES[name]}, (4,), here=1.0)
    weights, own = dict(net.named_parameters()), dict(lora.named_parameters())
    assert lora.names
    assert torch.allclose(call_with(net, lora.changed(own, weights), rows), net(rows), atol=1e-12)
    with torch.no_grad():
        for p in lora.parameters():
            p.normal_()
    changed = lora.changed(own, weights)
    written = {}
    for i, weight in enumerate(lora.names):
        product = torch.einsum("ro,ri->oi", lora.left[i], lora.right[i])
        written[weight] = weights[weight] + product.reshape(weights[weight].shape)
        assert torch.allclose(dense(changed[weight]), written[weight], atol=1e-12)
        assert lora.left[i].shape[0] == lora.right[i].shape[0] == 3
    after = call_with(net, changed, rows)
    assert torch.allclose(after, call_with(net, written, rows), atol=1e-10)
    assert not torch.allclose(after, net(rows))
