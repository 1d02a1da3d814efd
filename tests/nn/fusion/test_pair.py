"""Two embeddings compared, against NumPy; and inputs that share an encoder."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from support import helpers
from support.fused import build, rows

from omnishot.errors import UsageError
from omnishot.learners import LEARNERS
from omnishot.modality.text import Text
from omnishot.nn.network import build_network
from omnishot.objectives.classify import Classify

TEXTS = {"a": Text("", 6, 20), "b": Text("", 6, 20)}
SMALL = {"text": {"width": 8, "heads": 2}}


def test_it_is_a_layer_over_both_their_difference_and_their_product():
    fusion = build("pair", {})
    x, present = rows(0, inputs=2)
    present[2], present[3] = torch.tensor([True, False]), torch.tensor([False, True])
    x = x * present[..., None]
    p = {name: value.detach().numpy() for name, value in fusion.named_parameters()}
    for row, here, found in zip(x.numpy(), present.numpy(), fusion(x, present).detach().numpy(), strict=True):
        u, v = row
        both = here.all()
        seen = np.concatenate([u, v, both * np.abs(u - v), both * u * v, here])
        hidden = torch.nn.functional.gelu(torch.from_numpy(p["read.weight"] @ seen + p["read.bias"])).numpy()
        np.testing.assert_allclose(p["mix.weight"] @ hidden + p["mix.bias"], found, atol=1e-10)


@pytest.mark.parametrize("names", [("photo", "words", "facts"), ("photo", "words")])
def test_it_takes_two_embeddings(names):
    modalities = {name: helpers.MODALITIES[name] for name in names}
    level = "intermediate" if len(names) == 3 else "token"
    with pytest.raises(UsageError, match=rf"'pair' compares 2 inputs, and a row has \d+ embed.* \({', '.join(names)}"):
        build_network(modalities, "pair", 8, level=level)


def test_inputs_of_one_kind_share_an_encoder_where_they_are_to():
    own, shared = (build_network(TEXTS, "pair", 8, encoder_options=SMALL, shared=s) for s in (False, True))
    assert (len(own.encoders), len(own.projections), own.reader) == (2, 2, [0, 1])
    assert (len(shared.encoders), len(shared.projections), shared.reader) == (1, 1, [0, 0])
    batch = helpers.random_rows(TEXTS, (4,), here=1.1, dtype=torch.float32)
    same = {"a": batch.inputs["a"], "b": batch.inputs["a"]}
    u, v = shared.embeddings(dataclasses.replace(batch, inputs=same)).unbind(-2)
    assert torch.equal(u, v)
    u, v = own.embeddings(dataclasses.replace(batch, inputs=same)).unbind(-2)
    assert not torch.allclose(u, v)


def test_inputs_that_differ_share_nothing():
    mixed = {"a": TEXTS["a"], "photo": helpers.MODALITIES["photo"], "b": TEXTS["b"], "long": Text("", 9, 20)}
    options = SMALL | {"image": {"width": 8}}
    assert build_network(mixed, "concat", 8, encoder_options=options, shared=True).reader == [0, 1, 0, 2]
    encoder = {"b": "gru"}
    assert build_network(TEXTS, "pair", 8, encoder, {"a": {"width": 8, "heads": 2}}, shared=True).reader == [0, 1]


@pytest.mark.parametrize("name", ["protomaml", "protonet", "cca"])
def test_shared_encoders_are_learned_alike_by_every_plan(name):
    network = build_network(TEXTS, "pair", 8, encoder_options=SMALL, shared=True)
    method = LEARNERS.load(name)(network, Classify()).double()
    batch = helpers.random_episode(TEXTS, tasks=3)
    if method.needs.rows:
        assert len(method.widths) == 2
        return
    looped = helpers.meta_gradient(method, batch)
    assert helpers.relative_error(helpers.meta_gradient(method, batch, "vmap"), looped) < 1e-10
    assert all(n.startswith(("network.encoders.0.", "network.projections.0.")) or "encoders" not in n
               for n, _ in method.named_parameters())  # fmt: skip


def test_a_shared_encoder_is_the_part_of_both_inputs():
    network = build_network(TEXTS, "pair", 8, encoder_options=SMALL, shared=True)
    own = LEARNERS.load("maml")(network, Classify(), adapt="encoder.b", head="prototype")
    both = LEARNERS.load("maml")(network, Classify(), adapt="encoder", head="prototype")
    assert own.names == both.names
    assert any("encoders.0." in name for name in own.names)
