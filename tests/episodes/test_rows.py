"""Rows and episodes: a tree of tensors that can be mapped, taken apart and put together."""

from __future__ import annotations

import torch
from support import helpers

from omnishot.episodes.rows import Episode, Rows, concatenate

BATCH = helpers.random_episode(helpers.MODALITIES, tasks=3)


def test_one_task_of_a_batch_and_some_rows_of_a_task():
    task = BATCH.task(1)
    assert BATCH.tasks == 3
    assert len(task.support) == len(BATCH.support) == 6
    assert task.support.ways == 3
    for name, x in BATCH.support.inputs.items():
        assert torch.equal(task.support.inputs[name], x[1])
    two = task.support.select([4, 0])
    assert len(two) == 2
    assert torch.equal(two.target, task.support.target[[4, 0]])
    assert torch.equal(two.inputs["photo"], task.support.inputs["photo"][[4, 0]])
    assert torch.equal(two.present, task.support.present[[4, 0]])


def test_tensors_come_back_as_they_were():
    rows = BATCH.support
    assert rows.with_tensors(rows.tensors()) == rows
    bare = Rows(rows.inputs, rows.present)
    assert set(bare.tensors()) == {"inputs", "present"}
    assert bare.with_tensors(bare.tensors()) == bare


def test_a_new_dtype_is_for_floats_only():
    rows = BATCH.to("cpu", torch.float32).query
    assert rows.inputs["photo"].dtype == torch.float32
    assert rows.inputs["words"].dtype == rows.target.dtype == rows.label.dtype == torch.int64
    assert rows.present.dtype == torch.bool
    assert BATCH.to("cpu").query.inputs["photo"].dtype == torch.float64


def test_rows_one_after_the_other():
    task = BATCH.task(0)
    both = concatenate(task.support, task.query)
    assert len(both) == len(task.support) + len(task.query)
    assert torch.equal(both.target[:6], task.support.target)
    assert torch.equal(both.inputs["words"][6:], task.query.inputs["words"])
    assert torch.equal(both.present, torch.cat([task.support.present, task.query.present]))
    unlabelled = Rows(task.query.inputs, task.query.present)
    for pair in ((task.support, unlabelled), (unlabelled, task.support)):
        joined = concatenate(*pair)
        assert joined.target is joined.label is None
        assert len(joined) == 12


def test_an_episode_moves_both_halves():
    moved = Episode(BATCH.support, BATCH.query).to("cpu", torch.float16)
    assert moved.support.inputs["sound"].dtype == moved.query.inputs["sound"].dtype == torch.float16
