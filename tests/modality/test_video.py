import sys

import numpy as np
import pytest
import torch
from support import clips

from omnishot.errors import UsageError
from omnishot.modality.base import CellError
from omnishot.modality.image import Image
from omnishot.modality.video import Video

av = pytest.importorskip("av")

PLAIN = Video(8, (8, 12), 3, (0.0,) * 3, (1.0,) * 3)
GREY = Video(6, (4, 4), 1, (0.5,), (0.5,))
SIXTEEN = clips.greys(16)


@pytest.fixture(scope="module")
def file() -> bytes:
    return clips.encoded(SIXTEEN, sound="aac")


def noise(rng, frames: int = 5, size: tuple[int, int] = (16, 16)) -> np.ndarray:
    return rng.integers(0, 256, (frames, *size, 3), dtype=np.uint8)


def test_fits_and_keeps_the_contract(rng, keeps_the_contract):
    cells = [noise(rng) for _ in range(6)] + [clips.encoded(noise(rng), "matroska", "ffv1", pixels="bgr0")]
    fitted = Video.fit(cells, frames=5)
    assert (fitted.frames, fitted.size, fitted.channels) == (5, (16, 16), 3)
    stored = np.stack([fitted.decode(cell) for cell in cells])
    keeps_the_contract(fitted, stored)
    normal = fitted.normalise(torch.from_numpy(stored))
    torch.testing.assert_close(normal.mean((0, 1, 3, 4)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(normal.std((0, 1, 3, 4), correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_defaults(rng, file):
    assert Video.fit([file]).shape == (8, 1, 32, 48)
    assert Video.fit([file, noise(rng)]).shape == (8, 3, 64, 64)
    assert Video.fit([noise(rng, size=(100, 100))]).size == (64, 64)
    turned = clips.encoded(SIXTEEN[:2], turned=90)
    assert Video.fit([turned]).size == (48, 32)
    assert Video.fit([file], frames=3, size=[5, 7], channels=3).shape == (3, 3, 5, 7)


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"frames": 2000}, {"size": 0}, {"size": (1, 2, 3)}, {"channels": 2}])
def test_options_out_of_range(file, wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Video.fit([file], **wrong)


def test_files_and_arrays_agree(rng):
    frames = noise(rng, 16, (8, 12))
    expected = PLAIN.decode(clips.encoded(frames, "matroska", "ffv1", pixels="bgr0"))
    np.testing.assert_array_equal(expected, frames[1::2].transpose(0, 3, 1, 2))
    for cell in (frames, frames.transpose(0, 3, 1, 2), frames.astype(np.int64), frames / np.float32(255)):
        np.testing.assert_array_equal(PLAIN.decode(cell), expected)
    assert PLAIN.decode(frames[:1]).std(0).max() == 0
    assert GREY.decode(frames[..., :1]).shape == GREY.shape


def test_frames_are_resized_as_pictures_are(rng):
    frames = noise(rng, 6, (30, 17))
    still = Image((4, 4), 1, (0.5,), (0.5,))
    np.testing.assert_array_equal(GREY.decode(frames), np.stack([still.decode(frame) for frame in frames]))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((0, 4, 4, 3), np.uint8),
        np.zeros((2, 5, 5, 5), np.uint8),
        np.full((2, 4, 4, 3), 256),
        np.full((2, 4, 4, 3), np.nan),
        np.full((2, 4, 4, 3), "a"),
    ],
)
def test_arrays_that_are_no_videos(array):
    with pytest.raises(CellError):
        PLAIN.decode(array)
    with pytest.raises(CellError):
        Video.fit([array])


def test_bad_cells_are_left_out_of_the_fit(file):
    assert Video.fit([b"nothing", file, clips.encoded(None, sound="aac")]).channels == 1
    with pytest.raises(CellError, match="none of 2 cells can be read; the first: no video"):
        Video.fit([b"nothing", b"at all"])


def test_without_pyav(monkeypatch, file, rng):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r"pip install omnishot\[video\]"):
        Video.fit([file])
    with pytest.raises(CellError, match=r"pip install omnishot\[video\]"):
        PLAIN.decode(file)
    assert PLAIN.decode(noise(rng)).shape == PLAIN.shape  # arrays need none


# -- what is done to clips ---------------------------------------------------------------------------------


@pytest.fixture
def cells(rng) -> torch.Tensor:
    return torch.from_numpy(rng.integers(1, 256, (200, *GREY.shape), dtype=np.uint8))


def test_frames_vary_and_turn_alike(cells):
    one = cells[:, :1].expand_as(cells).contiguous()  # clips that stand still
    varied = GREY.vary(one, 1.0, torch.Generator().manual_seed(0))
    assert (varied == varied[:, :1]).all()
    assert not torch.equal(varied, one)
    turns = torch.arange(200) % 4
    turned = GREY.turn(cells, turns)
    for i in range(4):
        assert torch.equal(turned[i], cells[i].rot90(i, (-2, -1)))
    assert torch.equal(GREY.turn(cells.view(2, 100, *GREY.shape), turns.view(2, 100)).flatten(0, 1), turned)


def test_a_dead_camera_is_black_from_a_frame_on(cells):
    after = GREY.fail(cells, "dead", torch.Generator().manual_seed(0))
    seen = (after > 0).flatten(2).all(-1).sum(1)
    for cell, hit, n in zip(cells, after, seen.tolist(), strict=True):
        assert torch.equal(hit[:n], cell[:n])
        assert not hit[n:].any()
    assert set(seen.tolist()) == set(range(1, 7))


def test_a_frozen_camera_shows_one_frame_from_it_on(cells):
    after, found = GREY.fail(cells, "frozen", torch.Generator().manual_seed(0)), set()
    for cell, hit in zip(cells, after, strict=True):
        n = next(n for n in range(6) if torch.equal(hit[5], cell[n]))
        assert torch.equal(hit[:n], cell[:n])
        assert all(torch.equal(hit[i], cell[n]) for i in range(n, 6))
        found.add(n)
    assert found == set(range(6))


def test_a_late_clip_begins_with_its_first_frame(cells):
    after, found = GREY.fail(cells, "delayed", torch.Generator().manual_seed(0)), set()
    for cell, hit in zip(cells, after, strict=True):
        late = next(n for n in range(6) if torch.equal(hit[5], cell[5 - n]))
        assert torch.equal(hit[late:], cell[: 6 - late])
        assert all(torch.equal(hit[i], cell[0]) for i in range(late))
        found.add(late)
    assert found == {0, 1, 2, 3}


@pytest.mark.parametrize("failure", ["dead", "frozen", "delayed"])
def test_failing_is_by_the_generator_alone_and_leaves_what_was_given(cells, failure):
    before = cells.clone()
    first, again, other = (GREY.fail(cells, failure, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(cells, before)
    assert first.dtype == cells.dtype
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    as_tasks = GREY.fail(cells.view(2, 100, *GREY.shape), failure, torch.Generator().manual_seed(0))
    assert torch.equal(as_tasks.flatten(0, 1), first)


def test_an_attack_stays_between_black_and_white(cells):
    normal = GREY.normalise(cells)
    unit, low, high = GREY.reach(normal)
    assert torch.equal(GREY.normalise(torch.zeros_like(cells)).unique(), low.flatten())
    assert torch.equal(GREY.normalise(torch.full_like(cells, 255)).unique(), high.flatten())
    assert (normal + unit).shape == normal.shape
    assert unit.item() == pytest.approx((high - low).item())


def test_the_picture_is_a_strip_of_frames(file):
    picture = PLAIN.picture(PLAIN.decode(file))
    assert picture.size == (8 * 12 + 7 * 2, 8)
    greys = np.asarray(picture.convert("L"))[4, 6::14]
    assert greys.tolist() == pytest.approx([clips.grey(i) for i in range(1, 16, 2)], abs=4)
    long = Video(100, (8, 12), 1, (0.5,), (0.5,))
    assert long.picture(np.zeros(long.shape, np.uint8)).size == picture.size
    assert Video(2, (8, 12), 1, (0.5,), (0.5,)).picture(np.zeros((2, 1, 8, 12), np.uint8)).size == (26, 8)
