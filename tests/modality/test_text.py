import datetime

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from omnishot.errors import UsageError
from omnishot.modality.base import CellError
from omnishot.modality.text import PAD, UNKNOWN, Text

TEXTS = [f"a {colour} {bird}, flying over the {place}" for colour in ("red", "blue") for bird in ("robin", "heron")
         for place in ("lake", "hill", "town")]  # fmt: skip
FITTED = Text.fit(TEXTS)
LONG = Text.fit(TEXTS, max_tokens=64)


def decode(modality, cells):
    return modality.decode_columns({"note": cells})


def test_fits_and_keeps_the_contract(keeps_the_contract):
    stored, bad = decode(FITTED, [*TEXTS, "red"])
    assert not bad
    keeps_the_contract(FITTED, stored)
    assert FITTED.normalise(torch.from_numpy(stored)).dtype == torch.int64
    assert stored.max() < FITTED.vocabulary
    assert Text.fit(TEXTS) == FITTED


def test_lengths():
    needed = (decode(LONG, TEXTS)[0] != PAD).sum(1).max()
    assert FITTED.max_tokens == needed < 64
    assert Text.fit([" ".join(map(str, range(500)))]).max_tokens == 64
    assert Text.fit(TEXTS, max_tokens=3).shape == (3,)
    for wrong in ({"max_tokens": 0}, {"vocabulary": 100}):
        with pytest.raises(UsageError):
            Text.fit(TEXTS, **wrong)
    with pytest.raises(CellError, match="no text"):
        Text.fit([None, " ", b"bytes"])


def test_the_words_come_back_in_lower_case():
    stored, _ = decode(LONG, ["A RED   robin,\n flying", "ｆｕｌｌ　ｗｉｄｔｈ", "naïve 鳥 words never seen!"])
    assert [LONG.picture(row) for row in stored] == ["a red robin, flying", "full width", "naïve 鳥 words never seen!"]


def test_unseen_words_are_pieces_and_differ():
    stored, _ = decode(LONG, ["zyxwv", "vwxyz", "🦩"])
    assert not (stored == UNKNOWN).any()
    assert len({tuple(row) for row in stored}) == 3


def test_missing_and_bad_cells():
    cells = [
        "red",
        None,
        float("nan"),
        pd.NA,
        "",
        " \t\n",
        5.0,
        2.5,
        True,
        datetime.date(2020, 1, 2),
        b"red",
        [1],
        np.ones(2),
        ["a blue bird", "another sentence about it"],
    ]
    stored, bad = decode(LONG, cells)
    assert LONG.present(stored).tolist() == [True] + 5 * [False] + 4 * [True] + 3 * [False] + [True]
    assert LONG.picture(stored[13]) == "a blue bird"  # of several sentences the first
    assert [(row, column) for row, column, _ in bad] == [(10, "note"), (11, "note"), (12, "note")]
    assert bad[0][2] == "bytes instead of text"
    assert [LONG.picture(row) for row in stored[6:10]] == ["5", "2.5", "true", "2020-01-02"]


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, lambda cells: pd.Series(cells, index=[7, 7, 3])])
def test_columns_of_any_type(kind):
    stored, bad = decode(FITTED, kind(["red robin", "blue heron", "red robin"]))
    assert not bad
    assert (stored[0] == stored[2]).all()
    assert (stored[0] != stored[1]).any()


@given(st.lists(st.text(max_size=80) | st.none() | st.integers() | st.floats() | st.binary(max_size=5)))
def test_any_cells_give_one_shape(cells):
    stored, bad = decode(FITTED, cells)
    assert stored.shape == (len(cells), *FITTED.shape)
    assert stored.dtype == np.int32
    assert {row for row, _, _ in bad} == {row for row, cell in enumerate(cells) if isinstance(cell, bytes)}
    real = stored != PAD
    assert (real[:, :-1] >= real[:, 1:]).all()  # padding at the end only


@given(st.text(min_size=1))
def test_names_of_special_tokens_are_ordinary_text(text):
    stored, _ = decode(LONG, [f"[pad] [unk] {text}"])
    assert not (stored[0][:2] <= UNKNOWN).any()


def test_surrogates_are_no_crash():
    stored, bad = decode(Text.fit(["\ud800 a"]), ["\udfff red"])
    assert not bad
    assert stored.any()


def test_noise_replaces_that_share_of_the_tokens():
    cells = torch.randint(2, FITTED.vocabulary, (400, FITTED.max_tokens), dtype=torch.int32)
    noisy = FITTED.corrupt(cells, 0.3, torch.Generator().manual_seed(0))
    kept = noisy != PAD
    assert abs(((noisy != cells) & kept).sum() / kept.sum() - 0.3) < 0.03
    assert not (noisy == UNKNOWN).any()


def test_encoding_in_chunks_changes_nothing(monkeypatch):
    expected, _ = decode(FITTED, TEXTS)
    monkeypatch.setattr("omnishot.modality.text._CHUNK", 5)
    np.testing.assert_array_equal(decode(FITTED, TEXTS)[0], expected)
    assert decode(FITTED, [])[0].shape == (0, *FITTED.shape)
