"""All streams of random numbers of a run, derived from the seed of its config.

Each purpose has its own stream, so that more draws for one never shift those of another: the noise does not change
which tasks are drawn, and validation tasks differ from those of training. A stream depends on the seed and on a place
(a step, an episode) alone, never on earlier draws, so a resumed run repeats an uninterrupted one. Changing a derivation
changes the result of every run. (Generated and imported data sets take their own seeds.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

_VALIDATION = 1_000_003
_MEMORY = 2_000_003
_AUGMENTATION, _FAILURE = 1 << 40, 1 << 41


# -- a whole run -------------------------------------------------------------------------------------------


def split(seed: int) -> np.random.Generator:
    """The order in which classes or groups are put into the parts train, val and test."""
    return np.random.default_rng(seed)


def modality_sample(seed: int) -> np.random.Generator:
    """The training rows that a modality is fitted on."""
    return np.random.default_rng(seed)


def initial_parameters(seed: int) -> int:
    """The initial parameters of a learner (for torch)."""
    return seed


def memory_rows(seed: int) -> np.random.Generator:
    """The training rows that a learner with a memory keeps."""
    return np.random.default_rng([seed, _MEMORY])


def validation(seed: int) -> int:
    """The seed of a run's validation tasks, from which a loader derives its own streams."""
    return seed + _VALIDATION


def resampling() -> np.random.Generator:
    """Bootstrap samples of episodes: the same for every run, so that intervals can be compared."""
    return np.random.default_rng(0)


# -- a meta-batch ------------------------------------------------------------------------------------------


def tasks(seed: int, step: int) -> np.random.Generator:
    """The rows that the tasks of a step consist of."""
    return np.random.default_rng([seed, step, 0])


def corruption(seed: int, step: int) -> np.random.Generator:
    """The corruption of a step's tasks: missing cells, and the seed of noise, augmentation and failures."""
    return np.random.default_rng([seed, step, 1])


def noise(seed: int, column: int) -> int:
    """The noise of an input, by its position among the inputs (for torch); `seed` was drawn from `corruption`."""
    return seed + column


def augmentation(seed: int, column: int) -> int:
    """The augmentation of an input; arguments as for `noise`."""
    return seed + _AUGMENTATION + column


def failure(seed: int, column: int) -> int:
    """The failure of an input; arguments as for `noise`."""
    return seed + _FAILURE + column


def training_step(seed: int, step: int, rank: int = 0) -> int:
    """Random numbers of a training step other than its batch, such as dropout, on one rank (for torch)."""
    return seed * 1_000_003 + step + (rank << 40)


def attack(place: Sequence[int]) -> int:
    """The random start of an attack on one task, at a place such as (seed, step, task) (for torch)."""
    return int(np.random.default_rng(list(place)).integers(2**63))


# -- an evaluation -----------------------------------------------------------------------------------------


def open_set(seed: int, episode: int) -> np.random.Generator:
    """Which classes of an episode have no support rows."""
    return np.random.default_rng([seed, episode, 2])


def gallery(seed: int, episode: int) -> np.random.Generator:
    """The rows of a retrieval gallery."""
    return np.random.default_rng([seed, episode, 3])


def explained_task(seed: int) -> np.random.Generator:
    """The rows of the task that a report or an explanation shows."""
    return np.random.default_rng([seed, 0])


def explained_corruption(seed: int) -> np.random.Generator:
    """The missing cells of that task."""
    return np.random.default_rng([seed, 1])


# -- torch's global generators -----------------------------------------------------------------------------


@contextmanager
def torch_generators(device: torch.device, seed: int | None = None) -> Iterator[None]:
    """Restore the state of torch's global generators at the end; seed them for the block first if a seed is given.

    Args:
        device: the device that the block computes on. On "cpu" no accelerator's generator is touched.
    """
    import torch

    here = device.type == "cpu"
    accelerators = [] if here else list(range(torch.get_device_module(device).device_count()))
    with torch.random.fork_rng(accelerators, device_type="cuda" if here else device.type):
        if seed is not None:
            (torch.default_generator.manual_seed if here else torch.manual_seed)(seed)
        yield
