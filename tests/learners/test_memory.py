"""Rows that a learner keeps."""

from __future__ import annotations

import pytest
import torch
from support import helpers

from omnishot.core.storage import pack, read_tensors
from omnishot.learners.memory import Memory


def memory(ways: int | None = 3, rows: int = 5) -> tuple[Memory, object]:
    return Memory(helpers.MODALITIES, rows, ways is not None), helpers.random_rows(
        helpers.MODALITIES, (rows,), ways, dtype=torch.float32
    )


@pytest.mark.parametrize("ways", [3, None])
def test_rows_of_every_kind_of_input_come_back_as_they_were(ways, tmp_path):
    kept, rows = memory(ways)
    kept.fill(rows)
    (tmp_path / "file").write_bytes(pack(dict(kept.named_parameters()), {}))
    again, _ = memory(ways)
    again.load_state_dict(read_tensors(tmp_path / "file")[0])
    result = again.rows(dict(again.named_parameters()))
    assert list(result.inputs) == list(rows.inputs)
    for name, cells in rows.inputs.items():
        assert result.inputs[name].dtype == cells.dtype, name
        assert torch.equal(result.inputs[name], cells)
    assert torch.equal(result.present, rows.present)
    if ways is None:
        assert torch.equal(result.target, rows.target)
        assert result.label is None
    else:
        assert torch.equal(result.label, rows.label)
        assert result.target is None


def test_nothing_trains_it_and_tokens_stay_whole_numbers():
    kept, rows = memory()
    kept.fill(rows)
    kept.double()
    assert not any(p.requires_grad for p in kept.parameters())
    result = kept.rows(dict(kept.named_parameters()))
    assert result.inputs["words"].dtype == torch.int64
    assert result.inputs["photo"].dtype == torch.float64


def test_it_is_empty_until_it_is_filled_and_takes_as_many_rows_as_it_has_place_for():
    kept, rows = memory()
    assert kept.filled == 0
    with pytest.raises(ValueError, match="cannot keep"):
        kept.fill(rows.select(slice(0, 4)))
    kept.fill(rows)
    assert kept.filled == 1
