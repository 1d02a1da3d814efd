"""The network: what it is built of, and what its features are."""

from __future__ import annotations

import pytest
import torch
from support import helpers

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.nn.encoders.conv1d import SeriesConv
from omnishot.nn.encoders.gru import TextGRU
from omnishot.nn.encoders.resnet import ResNet
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.network import build_network


@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_features_of_several_inputs_have_the_common_width(fusion):
    net = helpers.network(*helpers.MODALITIES, fusion=fusion, dim=12).double()
    rows = helpers.random_rows(net.modalities, (7,))
    assert net.out == 12
    assert net(rows).shape == (7, 12)
    embeddings = net.embeddings(rows)
    assert embeddings.shape == (7, len(net.names), 12)
    assert (embeddings[~rows.present] == 0).all()
    assert (embeddings[rows.present].abs().sum(-1) > 0).all()


@pytest.mark.parametrize("name", helpers.MODALITIES)
def test_a_single_input_is_read_by_its_encoder_and_nothing_else(name):
    net = helpers.network(name).double()
    rows = helpers.random_rows({name: helpers.MODALITIES[name]}, (4,), here=1.0)
    assert torch.equal(net(rows), net.encoders[0](rows.inputs[name]))
    assert net.out == net(rows).shape[-1]
    assert len(list(net.children())) == 1
    rows.present[1] = False
    assert (net(rows)[1] == 0).all()


def test_encoders_are_chosen_by_input_before_kind():
    modalities = {"a": helpers.MODALITIES["photo"], "b": helpers.MODALITIES["photo"], "c": helpers.MODALITIES["words"]}
    modalities["d"] = helpers.MODALITIES["sensor"]
    net = build_network(
        modalities,
        encoder={"image": "conv4", "b": "resnet", "text": "gru"},
        encoder_options={"image": {"width": 8}, "b": {"width": 4, "norm": "instance"}, "d": {"blocks": 2}},
    )
    a, b, c, d = net.encoders
    assert a.convs[0].out_channels == 8
    assert isinstance(b, ResNet)
    assert b.out == 32
    assert isinstance(c, TextGRU)
    assert isinstance(d, SeriesConv)
    assert len(d.convs) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": {"phto": "conv4"}}, "no input 'phto' to set an encoder for: did you mean 'photo'"),
        ({"encoder_options": {"audio": {"width": 8}}}, "no input 'audio'"),
        ({"encoder": {"photo": "conv5"}}, "unknown encoder 'conv5': did you mean 'conv4'"),
        ({"encoder": {"photo": "gru"}}, "encoder 'gru' reads text, not image; use one of: conv4, resnet"),
        ({"encoder_options": {"photo": {"widht": 8}}}, "encoder 'conv4' has no option 'widht': did you mean 'width'"),
        (
            {"fusion": "sum", "fusion_options": {"alfa": "gate"}},
            "fusion 'sum' has no option 'alfa': did you mean 'alpha'",
        ),
        ({"fusion": "sum", "fusion_options": {"alpha": "gait"}}, "unknown alpha 'gait': did you mean 'gate'"),
        ({"fusion": "konkat"}, "unknown fusion 'konkat': did you mean 'concat'"),
        ({"encoder_options": {"photo": {"norm": "grup"}}}, "unknown norm 'grup': did you mean 'group'"),
        ({"encoder_options": {"photo": {"pool": "avg"}}}, "unknown pool 'avg'"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    modalities = {n: helpers.MODALITIES[n] for n in ("photo", "words")}
    with pytest.raises(UsageError, match=message):
        build_network(modalities, **options)


def test_a_network_is_transductive_only_with_batch_norm():
    assert not helpers.network(*helpers.MODALITIES).transductive
    assert helpers.network("photo", "words", norm="batch").transductive
    assert helpers.network("sensor", norm="batch").transductive


def test_raw_features_count_inputs_the_same_and_absent_as_zero():
    net = helpers.network("photo", "facts").double()
    modalities = {n: helpers.MODALITIES[n] for n in ("photo", "facts")}
    rows = helpers.random_rows(modalities, (6,), here=1.0)
    pixels = rows.inputs["photo"].flatten(1) / 16
    raw = net.raw(rows)
    assert torch.allclose(raw[:, :256], pixels)
    numbers, colour = rows.inputs["facts"][:, :2].flatten(1), rows.inputs["facts"][:, 2, 0].long()
    columns = torch.cat([numbers, torch.eye(4)[colour].double()], 1)
    assert torch.allclose(raw[:, 256:], columns / columns.shape[1] ** 0.5)
    rows.present[2, 0] = False
    assert (net.raw(rows)[2, :256] == 0).all()
    assert torch.equal(net.raw(rows)[3], raw[3])


def test_raw_texts_are_bags_of_their_tokens():
    net = helpers.network("words")
    words = torch.tensor([[3, 3, 5, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    raw = net.raw(Rows({"words": words}, torch.ones(2, 1, dtype=torch.bool)))
    expected = torch.zeros(helpers.VOCABULARY)
    expected[3], expected[5] = 2.0, 1.0
    assert torch.allclose(raw[0], expected / 5**0.5 / helpers.VOCABULARY**0.5)
    assert (raw[1] == 0).all()


@pytest.mark.parametrize(("norm", "seen"), [("group", [2, 7, 7]), ("batch", [7, 7, 7])])
def test_absent_cells_are_not_worked_on_where_they_are_many(norm, seen, monkeypatch):
    """Nor are embeddings, or gradients, any different for it."""
    net = helpers.network("photo", "facts", norm=norm).double()
    rows = helpers.random_rows(net.modalities, (7,), here=1.0)
    read = []
    net.encoders[0].register_forward_pre_hook(lambda _, args: read.append(len(args[0])))

    def outcome(here: list[int]) -> tuple[torch.Tensor, ...]:
        rows.present[:, 0] = torch.tensor([i in here for i in range(7)])
        found = net.embeddings(rows)
        return found, *torch.autograd.grad(found.square().sum(), net.encoders[0].convs[0].weight)

    few, none, many = outcome([1, 4]), outcome([]), outcome([0, 1, 2, 3, 4, 5])
    assert read == seen
    monkeypatch.setattr("omnishot.nn.network.intermediate.encode_present", lambda encoder, x, here: encoder(x))
    for got, expected in zip(
        (few, none, many), (outcome([1, 4]), outcome([]), outcome([0, 1, 2, 3, 4, 5])), strict=True
    ):
        assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(got, expected, strict=True))
