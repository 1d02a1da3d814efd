"""Failures of sensors: what is done to a cell, to nothing else, and by chance that a generator alone decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from omnishot.errors import UsageError
from omnishot.modality.audio import Audio
from omnishot.modality.base import Modality
from omnishot.modality.features import Features
from omnishot.modality.image import Image
from omnishot.modality.series import Series
from omnishot.modality.tabular import Tabular
from omnishot.modality.text import Text

STEPS, MEAN, STD = 12, (5.0, -2.0, 100.0), (2.0, 0.5, 10.0)
SERIES, ONE = Series(STEPS, 3, MEAN, STD), Series(STEPS, 1, (0.0,), (1.0,))
SOUND = Audio(800, 200, 0.1)
FACTS = Tabular(("size", "weight", "heat", "colour"), ("number", "number", "number", "category"), (*MEAN, 0.0),
                (*STD, 1.0), ((), (), (), ("red", "green")))  # fmt: skip
MANY = 300


def failed(modality: Modality, cells: Tensor, failure: str, seed: int = 0) -> Tensor:
    return modality.fail(cells, failure, torch.Generator().manual_seed(seed))


@pytest.fixture
def series(rng) -> Tensor:
    """Series of 4 to 12 steps, their channels in their own units, some values missing."""
    cells = []
    for _ in range(MANY):
        values = rng.normal(MEAN, STD, (rng.integers(4, STEPS + 1), 3))
        values[1:-1][rng.random((len(values) - 2, 3)) < 0.1] = np.nan
        cells.append(SERIES.decode(values))
    return torch.from_numpy(np.stack(cells))


@pytest.fixture
def facts(rng) -> Tensor:
    columns = {name: rng.normal(m, s, MANY) for name, m, s in zip(FACTS.columns, MEAN, STD, strict=False)}
    columns["weight"][::5] = np.nan
    return torch.from_numpy(FACTS.decode_columns(columns | {"colour": ["red", "green", None] * (MANY // 3)})[0])


def lengths(cells: Tensor) -> Tensor:
    return torch.where(cells[..., 3:] > 0, torch.arange(1, STEPS + 1)[:, None], 0).amax((-2, -1))


@pytest.mark.parametrize("failure", ["dead", "swapped", "delayed"])
def test_failing_is_by_the_generator_alone_and_leaves_what_was_given(series, failure):
    before = series.clone()
    first = failed(SERIES, series, failure)
    assert torch.equal(series, before)
    assert first.dtype == series.dtype
    assert torch.equal(first, failed(SERIES, series, failure))
    assert not torch.equal(first, failed(SERIES, series, failure, seed=1))
    assert torch.equal(first.view(3, 100, STEPS, 6), failed(SERIES, series.view(3, 100, STEPS, 6), failure))
    assert (first[..., :3][first[..., 3:] == 0] == 0).all()
    assert set(first[..., 3:].unique().tolist()) == {0, 1}
    padding = torch.arange(STEPS) >= lengths(series)[:, None]
    assert not first[padding].any()


def test_a_dead_channel_holds_its_last_value(series):
    after = failed(SERIES, series, "dead")
    when = []
    for cell, hit, length in zip(series, after, lengths(series).tolist(), strict=True):
        changed = (cell != hit).view(STEPS, 2, 3).any(1)
        channels = changed.any(0).nonzero()[:, 0].tolist()
        assert len(channels) <= 1
        for c in channels:
            moment = int(changed[:, c].nonzero()[0])
            valid = cell[:moment, 3 + c].nonzero()[:, 0]
            held = cell[valid[-1], c] if len(valid) else 0.0
            assert (hit[moment:length, c] == held).all()
            assert (hit[moment:length, 3 + c] == 1).all()
            when.append(moment / length)
    assert len(when) > MANY / 2
    assert min(when) < 0.3
    assert max(when) > 0.7


def test_swapped_channels_keep_their_numbers_in_their_own_units(series):
    after, mean, std = failed(SERIES, series, "swapped"), torch.tensor(MEAN), torch.tensor(STD)
    pairs = set()
    for cell, hit in zip(series, after, strict=True):
        channels = [c for c in range(3) if not torch.equal(cell[:, [c, 3 + c]], hit[:, [c, 3 + c]])]
        assert len(channels) == 2
        pairs.add(tuple(channels))
        for c, other in (channels, channels[::-1]):
            assert torch.equal(hit[:, 3 + c], cell[:, 3 + other])
            read = (cell[:, other] * std[other] + mean[other] - mean[c]) / std[c]
            there = hit[:, 3 + c] == 1
            torch.testing.assert_close(hit[there, c], read[there].clamp(-100, 100))
    assert pairs == {(0, 1), (0, 2), (1, 2)}


def test_a_late_channel_is_shifted_by_up_to_half_of_the_series(series):
    after, shifts = failed(SERIES, series, "delayed"), set()
    for cell, hit, length in zip(series, after, lengths(series).tolist(), strict=True):
        channels = [c for c in range(3) if not torch.equal(cell[:, [c, 3 + c]], hit[:, [c, 3 + c]])]
        assert len(channels) <= 1
        for c in channels:
            late = [n for n in range(1, length // 2 + 2)
                    if torch.equal(hit[n:length, [c, 3 + c]], cell[: length - n, [c, 3 + c]])
                    and not hit[:n, 3 + c].any()]  # fmt: skip
            assert late
            assert late[0] <= length / 2 + 0.5
            shifts.add(late[0])
    assert shifts == {1, 2, 3, 4, 5, 6}


def test_a_single_channel_dies_or_is_late_but_is_not_swapped():
    assert set(ONE.failures) == {"dead", "delayed"}
    assert set(SERIES.failures) == {"dead", "swapped", "delayed"}


def test_a_microphone_falls_silent(rng):
    cells = torch.from_numpy(rng.integers(1, 1000, (MANY, 200)).astype(np.int16))
    after = failed(SOUND, cells, "dead")
    assert after.dtype == torch.int16
    heard = (after != 0).sum(1)
    for cell, hit, n in zip(cells, after, heard.tolist(), strict=True):
        assert torch.equal(hit[:n], cell[:n])
        assert not hit[n:].any()
    assert heard.min() < 20
    assert heard.max() > 180


def test_a_late_sound_is_cut_off_at_its_end(rng):
    cells = torch.from_numpy(rng.integers(1, 1000, (MANY, 200)).astype(np.int16))
    after = failed(SOUND, cells, "delayed")
    late = (after == 0).sum(1)
    for cell, hit, n in zip(cells, after, late.tolist(), strict=True):
        assert torch.equal(hit[n:], cell[: 200 - n])
        assert not hit[:n].any()
    assert late.min() < 10
    assert 90 < late.max() <= 100


def test_a_dead_number_column_reads_zero_in_its_own_unit(facts):
    after, columns = failed(FACTS, facts, "dead"), set()
    for cell, hit in zip(facts, after, strict=True):
        changed = (cell != hit).any(-1).nonzero()[:, 0].tolist()
        assert len(changed) == 1
        columns.add(changed[0])
        mean, std = MEAN[changed[0]], STD[changed[0]]
        assert hit[changed[0]].tolist() == pytest.approx([-mean / std, 1])
    assert columns == {0, 1, 2}  # the category stays


def test_swapped_number_columns_keep_their_numbers_in_their_own_units(facts):
    after, mean, std = failed(FACTS, facts, "swapped"), torch.tensor(MEAN), torch.tensor(STD)
    pairs = set()
    for cell, hit in zip(facts, after, strict=True):
        changed = (cell != hit).any(-1).nonzero()[:, 0].tolist()
        assert len(changed) == 2
        pairs.add(tuple(changed))
        for c, other in (changed, changed[::-1]):
            assert hit[c, 1] == cell[other, 1]
            read = (cell[other, 0] * std[other] + mean[other] - mean[c]) / std[c]
            torch.testing.assert_close(hit[c, 0], (read * hit[c, 1]).clamp(-100, 100))
    assert pairs == {(0, 1), (0, 2), (1, 2)}


@pytest.mark.parametrize(
    ("modality", "failure", "match"),
    [
        (SERIES, "deaf", "series cells have no failure 'deaf': did you mean 'dead'"),
        (ONE, "swapped", "series cells have no failure 'swapped': known: dead, delayed"),
        (SOUND, "swapped", "audio cells have no failure 'swapped': known: dead, delayed"),
        (FACTS, "delayed", "tabular cells have no failure 'delayed'.*known: dead, swapped"),
        (Image((4, 4), 1, (0.5,), (0.5,)), "dead", "image cells have no failure 'dead': known: none"),
        (Text("", 6, 20), "dead", "text cells have no failure 'dead': known: none"),
        (Features(SOUND, "logmel", {}, 6, "", torch.nn.Identity()), "dead", "audio cells have no failure 'dead'"),
    ],
)
def test_a_failure_that_cells_do_not_have_is_refused(modality, failure, match):
    with pytest.raises(UsageError, match=match):
        failed(modality, torch.zeros(2, *modality.shape), failure)
