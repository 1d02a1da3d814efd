"""Meta-batches are pure functions of seed and step, whichever thread makes them."""

from __future__ import annotations

import dataclasses
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from omnishot.episodes.corruption import CORRUPTION_KEYS, Corruption
from omnishot.episodes.loader import Loader, Shape, pick
from omnishot.episodes.rows import Episode
from omnishot.episodes.shots import each_alone
from omnishot.episodes.store import Store
from omnishot.episodes.tasks import ClassTasks, GroupTasks
from omnishot.modality.image import Image
from omnishot.modality.tabular import Tabular

CLASSES, EACH = 6, 10
N = CLASSES * EACH
CODES = np.arange(N) % CLASSES


def store() -> Store:
    """Rows whose picture and number both tell their row number."""
    photo = np.zeros((N, 1, 4, 4), np.uint8)
    photo[:, 0, 0, 0] = np.arange(N) + 1  # top left, so that turns are seen
    facts = np.stack([np.arange(N, dtype=np.float32), np.ones(N, np.float32)], -1)[:, None]
    modalities = {
        "photo": Image((4, 4), 1, (0.0,), (1 / 255,)),
        "facts": Tabular(("row",), ("number",), (0.0,), (1.0,), ((),)),
        "other": Image((4, 4), 1, (0.0,), (1 / 255,)),
    }
    stored = {"photo": photo, "facts": facts, "other": photo.copy()}
    target = np.arange(N, dtype=np.float32)[:, None] / N
    return Store(modalities, stored, np.ones((N, 3), bool), target)


def loader(**options) -> Loader:
    corruption = Corruption(**{name: options.pop(name) for name in [*options] if name in CORRUPTION_KEYS})
    options = {"shape": Shape(4, 3, 2, 3), "seed": 11, "corruption": corruption} | options
    return Loader(store(), ClassTasks(CODES, np.arange(N)), **options)


def drawn(episode: Episode) -> list[list[int]]:
    """The row numbers of support and query."""
    return [half.inputs["facts"][..., 0, 0].int().tolist() for half in (episode.support, episode.query)]


def flat(episode: Episode) -> list[torch.Tensor]:
    halves = [half.tensors() for half in (episode.support, episode.query)]
    return [x for half in halves for name, v in half.items() for x in (v.values() if name == "inputs" else [v])]


def same(a: Episode, b: Episode) -> bool:
    return all(torch.equal(x, y) for x, y in zip(flat(a), flat(b), strict=True))


EVERYTHING = {
    "labels": CODES + 10,
    "rotations": True,
    "dropout": 0.3,
    "missing": {"photo": 0.5, "*": 0.2},
    "noise": {"photo": 0.5, "other": 0.5},
    "noise_varies": True,
    "failure": {"facts": "dead"},
    "augment": {"photo": 1.0},
    "cross": 0.5,
    "extra_shots": True,
}


@given(st.integers(0, 2**31), st.integers(0, 2**31))
@settings(max_examples=20)
def test_a_batch_depends_on_seed_and_step_alone(seed, step):
    options = EVERYTHING | {"seed": seed}
    here = loader(**options)
    first = here.batch(step)
    other = here.batch(step + 1)
    assert same(first, here.batch(step))
    assert same(first, loader(**options).batch(step))
    assert not same(first, other)
    assert not same(first, loader(**options | {"seed": seed + 1}).batch(step))


@given(st.integers(0, 2**31), st.integers(1, 6), st.booleans())
@settings(max_examples=20)
def test_the_shards_of_a_batch_are_the_batch(step, world, noisy):
    options = EVERYTHING if noisy else EVERYTHING | {"noise": {}, "augment": {}}
    whole = loader(**options).batch(step)
    shards = [loader(**options, shard=(rank, world)).batch(step) for rank in range(world)]
    assert [shard.tasks for shard in shards] == [len(range(rank, 4, world)) for rank in range(world)]
    for rank, shard in enumerate(shards):
        assert len(shard.support) == len(whole.support)
        for own, task in enumerate(range(rank, 4, world)):
            assert same(shard.task(own), whole.task(task))


@pytest.mark.parametrize("ahead", [1, 2, 20])
def test_the_stream_is_the_batches_in_order(ahead):
    here = loader(**EVERYTHING)
    streamed = list(here.stream(3, 9, ahead))
    assert len(streamed) == 6
    assert all(same(episode, here.batch(step)) for step, episode in enumerate(streamed, 3))


def test_an_empty_stream():
    assert list(loader().stream(5, 5)) == []


@dataclasses.dataclass(frozen=True)
class Slow(Loader):
    def batch(self, step: int) -> Episode:
        time.sleep(0.05)
        return super().batch(step)


def test_the_stream_tells_how_long_every_batch_was_waited_for():
    plain, waits = loader(), []
    stream = Slow(plain.store, plain.source, plain.shape).stream(0, 3, waited=waits.append)
    next(stream)
    assert len(waits) == 1
    list(stream)
    assert len(waits) == 3
    assert min(waits) > 0.01  # nothing else is done, so all of its time is waiting


@dataclasses.dataclass(frozen=True)
class Breaking(Loader):
    def batch(self, step: int) -> Episode:
        if step == 7:
            raise OSError("the disk is gone")
        return super().batch(step)


def loaders_alive() -> int:
    return sum(thread.name == "omnishot-loader" for thread in threading.enumerate())


def test_an_error_in_the_background_is_raised_at_its_step():
    plain = loader()
    stream = Breaking(plain.store, plain.source, plain.shape).stream(5, 20)
    assert len([next(stream), next(stream)]) == 2
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream)
    assert loaders_alive() == 0


def test_leaving_early_ends_the_thread():
    stream = loader().stream(0, 10**9)
    next(stream)
    assert loaders_alive() == 1
    stream.close()
    assert loaders_alive() == 0

    for i, _ in enumerate(loader().stream(0, 10**9)):
        if i == 2:
            break
    assert loaders_alive() == 0


def test_an_exception_of_the_reader_ends_the_thread():
    stream = loader().stream(0, 10**9)
    next(stream)
    with pytest.raises(KeyboardInterrupt):
        stream.throw(KeyboardInterrupt)
    assert loaders_alive() == 0


def test_two_streams_at_once_do_not_disturb_each_other():
    a, b = loader(seed=1), loader(seed=2)
    for step, (x, y) in enumerate(zip(a.stream(0, 4), b.stream(0, 4), strict=True)):
        assert same(x, a.batch(step))
        assert same(y, b.batch(step))


# -- what a meta-batch holds -------------------------------------------------------------------------------


def test_shapes_and_targets():
    episode = loader(labels=CODES + 10).batch(0)
    assert episode.tasks == 4
    assert episode.support.inputs["photo"].shape == (4, 6, 1, 4, 4)
    assert episode.query.present.shape == (4, 9, 3)
    assert episode.support.ways == 3
    for half, rows in zip((episode.support, episode.query), drawn(episode), strict=True):
        codes = torch.from_numpy(CODES[np.array(rows)])
        assert torch.equal(half.label, codes + 10)
        for t in range(4):  # within a task a class is one code, and a code one class
            assert len(set(zip(half.target[t].tolist(), codes[t].tolist(), strict=True))) == 3
        assert half.target.dtype == torch.int64
    assert loader().batch(0).support.label is None


def test_a_whole_meta_batch_on_a_device():
    plain = loader(**EVERYTHING)
    episode = dataclasses.replace(plain, store=plain.store.to("meta")).batch(0)
    assert {tensor.device.type for tensor in flat(episode)} == {"meta"}
    assert [tensor.shape for tensor in flat(episode)] == [tensor.shape for tensor in flat(plain.batch(0))]


def test_numbers_come_from_the_table():
    groups = np.arange(N) // 15
    numbers = Loader(store(), GroupTasks(groups, np.arange(N)), Shape(3, None, 4, 5), rotations=True)
    episode = numbers.batch(0)
    assert episode.support.ways is None
    for half, rows in zip((episode.support, episode.query), drawn(episode), strict=True):
        assert torch.allclose(half.target[..., 0], torch.tensor(rows) / N)
        corner = half.inputs["photo"][..., 0, 0, 0]  # where it was: without classes nothing is turned
        assert corner.round().int().tolist() == [[r + 1 for r in task] for task in rows]


def test_ranges_of_ways_and_shots():
    here = loader(shape=Shape(2, (2, 5), (1, 4), 3))
    seen = set()
    for step in range(80):
        episode = here.batch(step)
        ways = episode.support.ways
        assert episode.query.ways == ways
        shots, rest = divmod(len(episode.support), ways)
        assert rest == 0
        assert len(episode.query) == 3 * ways
        assert episode.support.target.max() == ways - 1
        seen.add((ways, shots))
    assert {w for w, _ in seen} == {2, 3, 4, 5}  # both ends included
    assert {s for _, s in seen} == {1, 2, 3, 4}


@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 99))
def test_pick(low, more, seed):
    assert pick(np.random.default_rng(seed), low) == low
    assert low <= pick(np.random.default_rng(seed), (low, low + more)) <= low + more


CORNERS = [(0, 0), (3, 0), (3, 3), (0, 3)]  # of a picture's top left pixel, after 0, 1, 2, 3 turns against the clock


def turns_of(episode: Episode) -> list[np.ndarray]:
    """How often each picture was turned, `[tasks, rows]` of support and query."""
    turned = []
    for half in (episode.support, episode.query):
        pixels = half.inputs["photo"][..., 0, :, :].numpy()
        at = np.stack([pixels[..., i, j] for i, j in CORNERS], -1)
        assert ((at > 0.5).sum(-1) == 1).all()
        turned.append(at.argmax(-1))
    return turned


def test_rotations_turn_each_class_of_a_task_as_one():
    here = loader(labels=CODES, rotations=True)
    seen, differ_in_task, differ_by_task = set(), False, set()
    for step in range(20):
        episode = here.batch(step)
        turned = turns_of(episode)
        for half, rows, turns in zip((episode.support, episode.query), drawn(episode), turned, strict=True):
            assert np.array_equal(half.label, 4 * CODES[np.array(rows)] + turns)
        targets = np.concatenate([episode.support.target, episode.query.target], 1)
        turns = np.concatenate(turned, 1)
        for t in range(4):
            of_class = {k: set(turns[t, targets[t] == k].tolist()) for k in range(3)}
            assert all(len(found) == 1 for found in of_class.values())
            differ_in_task |= len(set.union(*of_class.values())) > 1
            differ_by_task.add(min(of_class[0]))
        seen |= set(turns.ravel().tolist())
    assert seen == {0, 1, 2, 3}
    assert differ_in_task
    assert len(differ_by_task) == 4


@pytest.mark.parametrize(
    "spoiling",
    [
        {"dropout": 0.5},
        {"missing": {"*": 0.4}},
        {"noise": {"photo": 0.7}},
        {"augment": {"photo": 0.7}},
        {"cross": 0.7},
        {"support_inputs": ("facts",), "query_inputs": ("photo", "other")},
        {"rotations": True},
    ],
    ids=str,
)
def test_spoiling_leaves_the_drawn_rows_alone(spoiling):
    clean, spoiled = loader().batch(3), loader(**spoiling).batch(3)
    assert drawn(clean) == drawn(spoiled)
    for a, b in ((clean.support, spoiled.support), (clean.query, spoiled.query)):
        assert torch.equal(a.target, b.target)
    assert not same(clean, spoiled)


def test_what_is_missing_is_the_exact_fraction():
    episode = loader(missing={"photo": 0.5}).batch(0)
    assert (~episode.support.present).sum((0, 1)).tolist() == [12, 0, 0]
    assert (~episode.query.present).sum((0, 1)).tolist() == [18, 0, 0]
    assert loader().store.present.all()  # the table keeps its cells


def test_only_some_inputs():
    episode = loader(only=("facts", "other")).batch(0)
    for half in (episode.support, episode.query):
        assert half.present.all((0, 1)).tolist() == [False, True, True]
        assert half.present.any((0, 1)).tolist() == [False, True, True]


def test_some_inputs_to_learn_from_and_others_to_be_asked_by():
    episode = loader(support_inputs=("facts",), query_inputs=("photo", "other")).batch(0)
    assert episode.support.present.all((0, 1)).tolist() == [False, True, False]
    assert episode.support.present.any((0, 1)).tolist() == [False, True, False]
    assert episode.query.present.all((0, 1)).tolist() == [True, False, True]
    assert episode.query.present.any((0, 1)).tolist() == [True, False, True]
    both = loader(only=("facts", "other"), query_inputs=("photo", "other")).batch(0)
    assert both.support.present.all((0, 1)).tolist() == [False, True, True]
    assert both.query.present.any((0, 1)).tolist() == [False, False, True]


def test_a_row_without_the_input_is_asked_empty():
    plain = loader(query_inputs=("photo",))
    plain.store.present[::2, 0] = False
    for step in range(3):
        episode = plain.batch(step)
        even = torch.tensor(drawn(episode)[1]) % 2 == 0
        assert even.any()
        assert torch.equal(episode.query.present.any(-1), ~even)


def test_crossed_tasks_learn_from_one_input_and_are_asked_by_another():
    crossed = loader(shape=Shape(200, 3, 2, 3), cross=0.5).batch(0)
    halves = [half.present.unique(dim=1) for half in (crossed.support, crossed.query)]
    assert [half.shape[1] for half in halves] == [1, 1]  # all rows of a half alike
    support, query = (half[:, 0] for half in halves)
    single = support.sum(-1) == 1
    assert 0.35 < single.float().mean() < 0.65
    assert support[~single].all()
    assert query[~single].all()
    assert (query[single].sum(-1) == 1).all()
    assert not (support & query)[single].any()
    pairs = 3 * support[single].int().argmax(-1) + query[single].int().argmax(-1)
    assert len(pairs.unique()) == 6  # every input with every other


def test_extra_shots_are_of_the_support_rows_as_they_are_given():
    options = {"labels": CODES, "noise": {"photo": 0.5}, "missing": {"*": 0.5}}
    plain, extra = loader(**options).batch(3), loader(**options, extra_shots=True).batch(3)
    assert all(torch.equal(x, y) for x, y in zip(flat(plain)[6:], flat(extra)[6:], strict=True))  # the query rows
    assert len(extra.support) == 4 * len(plain.support)
    for t in range(plain.tasks):
        assert torch.equal(extra.support.task(t).present, each_alone(plain.support.task(t)).present)
        assert torch.equal(extra.support.task(t).label, plain.support.task(t).label.repeat(4))


def test_noise_is_for_the_inputs_said_and_each_has_its_own():
    clean = loader().batch(0)
    one = loader(noise={"photo": 1.0}).batch(0)
    both = loader(noise={"photo": 1.0, "other": 1.0}).batch(0)
    assert torch.equal(one.query.inputs["other"], clean.query.inputs["other"])
    assert torch.equal(one.query.inputs["photo"], both.query.inputs["photo"])
    # Level 1 leaves nothing of a picture, so equal pictures would be equal noise.
    assert not torch.equal(both.query.inputs["photo"], both.query.inputs["other"])
    assert not torch.equal(both.query.inputs["photo"][:, :6], both.support.inputs["photo"])
