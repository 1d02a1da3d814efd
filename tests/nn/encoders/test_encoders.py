"""Encoders: their promises, and against torch's own or plain computations where there are any."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from support import helpers
from torch import nn

from omnishot.core.options import keywords, typed
from omnishot.errors import UsageError
from omnishot.modality.audio import Audio
from omnishot.modality.image import Image
from omnishot.modality.video import Video
from omnishot.nn.encoders import DEFAULTS, ENCODERS, build
from omnishot.nn.encoders.conv4 import Conv4
from omnishot.nn.encoders.logmel import LogMelConv, mel_filters

ALL = [(n, m) for n in ENCODERS.names() for m in helpers.MODALITIES.values() if m.kind in ENCODERS.load(n).reads]


@pytest.mark.parametrize(("name", "modality"), ALL)
def test_an_encoder_gives_the_width_that_it_says(name, modality):
    x = helpers.random_cells(modality, (5,), torch.Generator().manual_seed(0))
    encoder = build(modality, name)
    out = encoder(x)
    assert out.shape == (5, encoder.out)
    assert out.isfinite().all()
    assert (out[0] - out[1]).abs().max() > 1e-4
    assert encoder.raw(x).dim() == 2
    if "width" in ENCODERS.options(name):
        assert build(modality, name, width=16)(x).shape[0] == 5


@pytest.mark.parametrize(("name", "modality"), ALL)
def test_empty_cells_are_finite_with_finite_gradients(name, modality):
    """What every absent cell is read as: zeros."""
    encoder = build(modality, name)
    x = torch.zeros(2, *modality.shape, dtype=torch.int64 if modality.kind == "text" else torch.float32)
    out = encoder(x)
    out.square().sum().backward()
    assert out.isfinite().all()
    assert encoder.raw(x).isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


def test_every_kind_has_a_default_that_reads_it():
    for kind, name in DEFAULTS.items():
        assert kind in ENCODERS.load(name).reads
    assert {m.kind for m in helpers.MODALITIES.values()} == DEFAULTS.keys()


def test_gru_equals_torch():
    torch.manual_seed(0)
    ours = build(helpers.MODALITIES["words"], "gru", width=6).double()
    theirs = nn.GRU(6, 6, batch_first=True).double()
    theirs.load_state_dict(
        {
            "weight_ih_l0": ours.read.weight,
            "bias_ih_l0": ours.read.bias,
            "weight_hh_l0": ours.carry.weight,
            "bias_hh_l0": ours.carry.bias,
        }
    )
    x = torch.tensor([[3, 4, 5, 6, 7, 8], [9, 2, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]])
    for row, length in zip(x, (6, 2, 1), strict=True):
        states, _ = theirs(ours.tokens(row[None, :length]))
        assert torch.allclose(ours(row[None]), states.mean(1))


@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_padding_changes_nothing(name):
    """A text is read the same however much room the longest one needs."""
    short, long = helpers.MODALITIES["words"], None
    long = type(short)("", 9, helpers.VOCABULARY)
    a, b = build(short, name, width=8).double(), build(long, name, width=8).double()
    weights = a.state_dict()
    if name == "transformer":
        weights["positions"] = torch.cat([weights["positions"], torch.randn(3, 8)])
    b.load_state_dict(weights)
    x = torch.tensor([[3, 4, 5, 6, 7, 8], [9, 2, 0, 0, 0, 0]])
    assert torch.allclose(a(x), b(torch.cat([x, torch.zeros(2, 3, dtype=torch.int64)], 1)))


@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_the_order_of_words_matters(name):
    encoder = helpers.learner("protonet", helpers.network("words", encoders=(name,))).network.encoders[0]
    there = encoder(torch.tensor([[3, 4, 5, 0, 0, 0]]))
    back = encoder(torch.tensor([[5, 4, 3, 0, 0, 0]]))
    assert (there - back).abs().max() > 1e-4


def test_a_tone_lights_up_its_mel_band():
    rate, bands = 8000, 40
    encoder = LogMelConv(Audio(rate, 4000, 1.0), bands=bands)
    time = torch.arange(4000) / rate
    centres = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), bands + 2) / 2595) - 1)
    for hertz in (500.0, 1000.0, 2000.0, 3000.0):
        frames = encoder.spectrogram(torch.sin(2 * torch.pi * hertz * time)[None])[0]
        loudest = frames.mean(0).argmax().item() + 1
        assert centres[loudest - 1] <= hertz <= centres[loudest + 1]
        assert frames.shape == (1 + (4000 - 200) // 80, bands)


def test_mel_filters_are_triangles_that_sum_to_one_between_their_centres():
    filters = mel_filters(20, 513, 16000)
    assert (filters >= 0).all()
    assert (filters <= 1).all()
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 22) / 2595) - 1)
    inside = (np.linspace(0, 8000, 513) > edges[1]) & (np.linspace(0, 8000, 513) < edges[-2])
    assert torch.allclose(filters.sum(1)[torch.from_numpy(inside)], torch.ones(int(inside.sum())), atol=1e-4)


@pytest.mark.parametrize("times", [1, 2, 4, 8, 16])
def test_a_part_of_a_sound_stands_for_so_many_windows(times):
    """A click moves the parts that it is in most."""
    sound = Audio(8000, 16_000, 1.0)
    encoder = build(sound, "logmel", width=4, times=times)
    quiet = torch.zeros(1, 16_000)
    click = quiet.clone()
    click[0, 12_000:12_080] = 1.0  # after one and a half seconds of two
    before, after = (encoder.parts(x)[0][0] for x in (quiet, click))
    frames = 1 + (16_000 - 200) // 80
    assert before.shape == (-(-frames // times), encoder.out)
    loudest = (before - after).abs().amax(-1).argmax().item() * times / 100  # in seconds
    assert abs(loudest - 1.5) < 0.25
    assert encoder(click).shape == (1, encoder.out)


@pytest.mark.parametrize("times", [0, 3, 32])
def test_other_parts_of_a_sound_are_refused(times):
    with pytest.raises(UsageError, match=f"times = {times} windows a part of a sound: use one of 1, 2, 4, 8, 16"):
        build(Audio(8000, 4000, 1.0), "logmel", times=times)


def test_a_sound_shorter_than_a_window_is_read():
    encoder = build(Audio(8000, 50, 1.0), "logmel")
    assert encoder(torch.randn(2, 50)).shape == (2, encoder.out)


@pytest.mark.parametrize("size", [(16, 16), (28, 28), (17, 31), (84, 84)])
@pytest.mark.parametrize("pool", ["max", "stride", "stem"])
def test_conv4_takes_any_size_of_sixteen_pixels_or_more(size, pool):
    modality = Image(size, 3, (0.5,) * 3, (0.5,) * 3)
    encoder = build(modality, "conv4", width=8, pool=pool)
    assert encoder(torch.randn(2, 3, *size)).shape == (2, encoder.out)
    # A stride rounds odd sizes up, pooling rounds them down.
    half = {"max": (0, 0, 0, 0), "stride": (1, 1, 1, 1), "stem": (1, 0, 0, 0)}[pool]
    left = list(size)
    for up in half:
        left = [(n + up) // 2 for n in left]
    assert encoder.out == 8 * left[0] * left[1]


def test_conv4_refuses_pictures_too_small_for_it():
    small = Image((16, 12), 1, (0.5,), (0.5,))
    with pytest.raises(
        UsageError, match="16x12 pixels are too few: set the image size to 16 or more, or pool='stride'"
    ):
        build(small, "conv4")
    assert build(small, "conv4", pool="stride").out > 0
    assert build(small, "conv4", blocks=3).out > 0


@pytest.mark.parametrize(("activation", "pool"), [("tanh", "mean"), ("relu", "max")])
def test_lenet_has_the_layers_of_the_paper(activation, pool):
    encoder = build(Image((28, 28), 1, (0.5,), (0.5,)), "lenet", activation=activation, pool=pool)
    squash = nn.Tanh if activation == "tanh" else nn.ReLU
    half = nn.AvgPool2d if pool == "mean" else nn.MaxPool2d
    plain = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), squash(), half(2),
        nn.Conv2d(6, 16, 5), squash(), half(2), nn.Flatten(),
        nn.Linear(400, 120), squash(), nn.Linear(120, 84), squash(),
    )  # fmt: skip
    plain.load_state_dict(dict(zip(plain.state_dict(), encoder.state_dict().values(), strict=True)))
    x = torch.randn(3, 1, 28, 28)
    assert torch.allclose(encoder(x), plain(x), atol=1e-5)
    assert encoder.out == 84


def test_lenet_keeps_its_proportions_at_another_width():
    encoder = build(Image((28, 28), 1, (0.5,), (0.5,)), "lenet", width=12)
    assert [conv.out_channels for conv in encoder.convs] == [12, 32]
    assert [layer.out_features for layer in encoder.layers] == [240, 168]


@pytest.mark.parametrize("size", [(12, 12), (13, 28), (32, 32)])
def test_lenet_takes_any_size_of_twelve_pixels_or_more(size):
    encoder = build(Image(size, 3, (0.5,) * 3, (0.5,) * 3), "lenet")
    assert encoder(torch.randn(2, 3, *size)).shape == (2, 84)
    with pytest.raises(UsageError, match="lenet needs 12 pixels a side, 11x28 are too few: set the image size"):
        build(Image((11, 28), 1, (0.5,), (0.5,)), "lenet")


def test_lenet_takes_a_norm():
    encoder = build(Image((28, 28), 1, (0.5,), (0.5,)), "lenet", norm="layer")
    x = torch.randn(2, 1, 28, 28)
    for conv in encoder.convs:
        nn.init.zeros_(conv.bias)
    assert torch.allclose(encoder(x), encoder(3 * x), atol=1e-3)  # how bright it is does not matter
    with pytest.raises(UsageError, match="norm"):
        build(Image((28, 28), 1, (0.5,), (0.5,)), "lenet", norm="lauer")


def test_lenet_drops_out_in_training_alone():
    x = torch.randn(2, 1, 28, 28)
    encoder = build(Image((28, 28), 1, (0.5,), (0.5,)), "lenet", dropout=0.5)
    assert not torch.equal(encoder.train()(x), encoder(x))
    encoder.eval()
    assert torch.equal(encoder(x), encoder(x))
    with pytest.raises(UsageError, match=r"dropout .* below 1, not 1"):
        build(Image((28, 28), 1, (0.5,), (0.5,)), "lenet", dropout=1)


@pytest.mark.parametrize("norm", ["layer", "group", "instance", "batch", "none"])
def test_pictures_down_to_one_pixel_are_read_in_any_norm(norm):
    tiny = Image((2, 2), 1, (0.5,), (0.5,))
    for name, options in (("conv4", {"pool": "stride"}), ("resnet", {})):
        encoder = build(tiny, name, width=8, norm=norm, **options)
        out = encoder(torch.randn(1, 1, 2, 2))
        assert out.shape == (1, encoder.out)


@pytest.mark.parametrize("size", [(16, 16), (17, 31)])
def test_frames_are_read_by_one_image_encoder(size):
    """With what looks from frame to frame turned off, a clip is the mean of its normed frames, position added."""
    modality = Video(5, size, 3, (0.5,) * 3, (0.5,) * 3)
    encoder = build(modality, "framewise", width=8, layers=0).double()
    assert isinstance(encoder.still, Conv4)
    x = torch.randn(2, *modality.shape, dtype=torch.float64)
    each = [encoder.norm(encoder.shrink(encoder.still(x[:, t])) + encoder.positions[t]) for t in range(5)]
    assert torch.allclose(encoder(x), torch.stack(each).mean(0))
    parts, real = encoder.parts(x)
    assert real is None
    assert torch.allclose(parts, torch.stack(each, 1))


def test_a_clip_played_backwards_is_another():
    encoder = helpers.learner("protonet", helpers.network("clip")).network.encoders[0]
    x = helpers.random_cells(helpers.MODALITIES["clip"], (2,), torch.Generator().manual_seed(0)).double()
    assert (encoder(x) - encoder(x.flip(1))).abs().max() > 1e-4
    first = encoder.parts(x)[0][:, 0]
    other = torch.cat([x[:, :1], x[:, 1:] + 1], 1)
    assert (encoder.parts(other)[0][:, 0] - first).abs().max() > 1e-4  # a frame is read in the light of the others


def test_tables_read_numbers_flags_and_levels():
    modality = helpers.MODALITIES["facts"]
    encoder = build(modality, "mlp", width=8).double()
    x = helpers.random_cells(modality, (4,), torch.Generator().manual_seed(0)).double()
    colour = encoder.levels[0](x[:, 2, 0].long())
    h = torch.cat([x[:, 0], x[:, 1], colour], 1)
    assert torch.allclose(encoder(x), encoder.layers[1](encoder.layers[0](h).relu()).relu())
    moved = x.clone()
    moved[:, 2, 0] = (x[:, 2, 0] + 1) % 4
    assert (encoder(moved) - encoder(x)).abs().max() > 1e-4
    missing = x.clone()
    missing[:, 0] = 0.0  # value and flag
    zero = x.clone()
    zero[:, 0, 0] = 0.0
    assert (encoder(missing) - encoder(zero)).abs().max() > 1e-4


def test_tables_take_a_width_for_each_layer():
    encoder = build(helpers.tabular(3), "mlp", width=[7, 5, 4])
    assert [(layer.in_features, layer.out_features) for layer in encoder.layers] == [(6, 7), (7, 5), (5, 4)]
    assert encoder.out == 4
    assert encoder(torch.randn(2, 3, 2)).shape == (2, 4)
    one = build(helpers.tabular(3), "mlp", width=5)
    assert [layer.out_features for layer in one.layers] == [5, 5]


@pytest.mark.parametrize("width", [0, [], [8, 0]])
def test_tables_refuse_widths_of_nothing(width):
    with pytest.raises(UsageError, match="width"):
        build(helpers.tabular(3), "mlp", width=width)


def test_widths_are_said_as_a_list_on_the_command_line():
    annotation = keywords(ENCODERS.load("mlp"))["width"]
    assert typed("facts.width", "[256, 128, 64]", annotation) == (256, 128, 64)
    assert typed("facts.width", "32", annotation) == 32


@pytest.mark.parametrize("numbers", [1, 3])
def test_tables_of_numbers_alone(numbers):
    encoder = build(helpers.tabular(numbers), "mlp")
    assert len(encoder.levels) == 0
    assert encoder(torch.randn(2, numbers, 2)).shape == (2, encoder.out)


@pytest.mark.parametrize("width", [2, 4, 6])
def test_a_narrow_resnet_with_channels_last_does_not_crash_the_process(width):
    """In a process of its own, with the AVX2 kernels that crashed."""
    code = f"""
import torch
from omnishot.modality.image import Image
from omnishot.nn.encoders import build
encoder = build(Image((28, 28), 3, (0.5,) * 3, (0.5,) * 3), "resnet", width={width})
encoder.to(memory_format=torch.channels_last)(torch.randn(20, 3, 28, 28)).square().sum().backward()
print("done")
"""
    path = os.pathsep.join(sys.path)
    env = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2", "PYTHONPATH": path}
    process = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert process.stdout == "done\n", process.stderr
