"""The store gathers rows by number, and noise levels are said by input, kind or for all."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from omnishot.episodes import store as module
from omnishot.episodes.store import Store
from omnishot.modality.image import Image
from omnishot.modality.tabular import Tabular

MODALITIES = {
    "photo": Image((2, 2), 1, (0.5,), (0.25,)),
    "drawing": Image((2, 2), 1, (0.0,), (1.0,)),
    "facts": Tabular(("x",), ("number",), (0.0,), (1.0,), ((),)),
}
STORED = {
    "photo": np.arange(24, dtype=np.uint8).reshape(6, 1, 2, 2) * 10,
    "drawing": np.zeros((6, 1, 2, 2), np.uint8),
    "facts": np.stack([np.arange(6), np.ones(6)], -1).astype(np.float32)[:, None],
}
PRESENT = np.arange(18).reshape(6, 3) % 4 > 0


def test_rows_are_gathered_by_number_and_normalised():
    store = Store(MODALITIES, STORED, PRESENT)
    assert len(store) == 6
    index = np.array([[3, 0], [5, 3]])
    rows = store.gather(index)
    assert list(rows.inputs) == list(MODALITIES)
    assert np.allclose(rows.inputs["photo"], (STORED["photo"][index] / 255 - 0.5) / 0.25)
    assert rows.inputs["facts"][..., 0, 0].tolist() == [[3, 0], [5, 3]]
    assert np.array_equal(rows.present, PRESENT[index])
    assert rows.target is rows.label is rows.ways is None
    assert len(store.gather(np.array([1]))) == 1


def test_gathering_changes_nothing_in_the_store(tmp_path):
    np.save(tmp_path / "photo.npy", STORED["photo"])
    mapped = np.load(tmp_path / "photo.npy", mmap_mode="r")
    store = Store(MODALITIES, STORED | {"photo": mapped}, PRESENT)
    store.inputs(np.arange(6), turns=np.ones(6, int), noise={"photo": 0.9})["photo"].zero_()
    rows = store.gather(np.arange(6))
    rows.present[:] = False
    for cells in rows.inputs.values():
        cells.zero_()
    assert np.array_equal(mapped, STORED["photo"])
    assert np.array_equal(store.stored["facts"][:, 0, 0], np.arange(6))
    assert np.array_equal(store.present, np.arange(18).reshape(6, 3) % 4 > 0)


def test_noise_is_the_same_from_the_same_seed():
    store = Store(MODALITIES, STORED, PRESENT)

    def noisy(seed: int) -> torch.Tensor:
        return store.inputs(np.arange(6), noise={"photo": 0.5}, seed=seed)["photo"]

    assert torch.equal(noisy(1), noisy(1))
    assert not torch.equal(noisy(1), noisy(2))
    assert torch.equal(noisy(2**63 - 1), noisy(2**63 - 1))  # the largest seed that a loader draws


def test_rows_of_a_store_that_lives_on_a_device_are_the_same(monkeypatch):
    host = Store(MODALITIES, STORED, PRESENT)
    monkeypatch.setattr(module, "PART", 4)  # the last part is shorter
    there = {name: module.resident(cells, module.CPU) for name, cells in STORED.items()}
    device = Store(MODALITIES, there, PRESENT)
    index = np.array([[3, 0, 3], [5, 1, 2]])
    spoiled = {"turns": np.array([[0, 1, 2], [3, 0, 1]]), "noise": {"photo": 0.5, "facts": 0.2}, "seed": 3}
    for a, b in ((host.gather(index).inputs, device.gather(index).inputs),
                 (host.inputs(index, **spoiled), device.inputs(index, **spoiled))):  # fmt: skip
        assert all(torch.equal(a[name], b[name]) for name in MODALITIES)
    device.gather(index).inputs["facts"].zero_()
    assert torch.equal(there["facts"], torch.from_numpy(STORED["facts"]))


@pytest.mark.parametrize("fits", [False, True])
def test_a_store_moves_to_a_device_where_it_fits(monkeypatch, fits):
    needed = sum(cells.nbytes for cells in STORED.values())
    monkeypatch.setattr(module, "free_memory", lambda device: 2 * needed - (not fits))
    host = Store(MODALITIES, STORED, PRESENT)
    moved = host.to("meta")  # it has shapes and types, and no values
    assert [torch.is_tensor(cells) for cells in moved.stored.values()] == [fits] * 3
    rows, wanted = moved.gather(np.array([[3, 0], [5, 3]])), host.gather(np.array([[3, 0], [5, 3]]))
    tensors = [*rows.inputs.values(), rows.present]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    for tensor, like in zip(tensors, [*wanted.inputs.values(), wanted.present], strict=True):
        assert (tensor.shape, tensor.dtype) == (like.shape, like.dtype)


def test_a_store_stays_in_memory_for_the_cpu():
    assert host_arrays(Store(MODALITIES, STORED, PRESENT).to("cpu"))
    assert module.free_memory(torch.device("cpu")) == 0


def host_arrays(store: Store) -> bool:
    return all(store.stored[name] is STORED[name] for name in STORED)
