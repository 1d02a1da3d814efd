"""Streams of random numbers: fixed for ever, apart from each other, and without effect on the user's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from omnishot.core import seeds

CPU = torch.device("cpu")


def test_streams_are_what_they_were():
    """A changed derivation changes the result of every run."""
    assert (seeds.training_step(3, 7), seeds.training_step(3, 7, rank=2)) == (3_000_016, 3_000_016 + (2 << 40))
    assert (seeds.validation(5), seeds.initial_parameters(5)) == (1_000_008, 5)
    assert (seeds.noise(9, 1), seeds.augmentation(9, 1), seeds.failure(9, 1)) == (10, 10 + (1 << 40), 10 + (1 << 41))
    assert seeds.attack((1, 2, 3)) == int(np.random.default_rng([1, 2, 3]).integers(2**63))
    places = {seeds.tasks: 0, seeds.corruption: 1, seeds.open_set: 2, seeds.gallery: 3}
    for stream, number in places.items():
        assert stream(4, 6).integers(2**63) == np.random.default_rng([4, 6, number]).integers(2**63)
    assert seeds.memory_rows(4).integers(2**63) == np.random.default_rng([4, 2_000_003]).integers(2**63)
    for stream in (seeds.split, seeds.modality_sample):
        assert stream(4).integers(2**63) == np.random.default_rng(4).integers(2**63)


def test_streams_of_one_run_differ():
    drawn = [stream(0, 6).integers(2**63) for stream in (seeds.tasks, seeds.corruption, seeds.open_set, seeds.gallery)]
    drawn += [stream(0).integers(2**63) for stream in (seeds.split, seeds.memory_rows, seeds.explained_corruption)]
    drawn += [seeds.tasks(seeds.validation(0), 6).integers(2**63), seeds.tasks(0, 7).integers(2**63)]
    assert len(set(drawn)) == len(drawn)


def test_a_block_is_seeded_and_the_generators_are_as_before_after_it():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with seeds.torch_generators(CPU, 2):
        inside = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with seeds.torch_generators(CPU, 2):
        assert torch.equal(torch.rand(3), inside)
    with pytest.raises(KeyError), seeds.torch_generators(CPU, 2):
        raise KeyError
    with seeds.torch_generators(CPU):
        torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.equal(inside, expected)
