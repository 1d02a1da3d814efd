import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishot.errors import DataError, UsageError
from omnishot.table.reading import read_table
from omnishot.table.splits import PARTS, assign


def table(labels, **columns):
    others = zip(*columns.values(), strict=True) if columns else [()] * len(labels)
    rows = [{"x": "a b", "label": l, **dict(zip(columns, o, strict=True))} for l, o in zip(labels, others, strict=True)]  # noqa: E741
    return read_table(rows, group="who" if "who" in columns else None)


def held(parts, names):
    return {part: {n for n, p in zip(names, parts, strict=True) if p == part} for part in PARTS}


@given(st.integers(4, 60), st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_classes_are_divided_whole_whatever_the_order_of_rows(classes, seed, random):
    labels = [f"k{i}" for i in range(classes) for _ in range(1 + i % 3)]
    shuffled = random.sample(labels, len(labels))
    parts = held(assign(table(labels), seed), labels)
    assert held(assign(table(shuffled), seed), shuffled) == parts
    assert sum(map(len, parts.values())) == classes  # none in two, none lost
    assert len(parts["train"]) >= 2
    assert len(parts["test"]) >= 2
    assert len(parts["val"]) >= 2 if classes >= 6 else not parts["val"]


@given(st.integers(2, 40), st.integers(0, 2**32))
def test_groups_are_divided_whole(groups, seed):
    who = [f"g{i % groups}" for i in range(3 * groups)]
    parts = held(assign(table([f"k{i % 3}" for i in range(3 * groups)], who=who), seed), who)
    assert sum(map(len, parts.values())) == groups
    assert parts["train"]
    assert parts["test"]
    assert bool(parts["val"]) == (groups >= 3)


def test_seeds_matter_and_fractions_are_kept():
    labels = [f"k{i}" for i in range(100)]
    a = assign(table(labels), 0)
    assert [int((a == part).sum()) for part in PARTS] == [64, 16, 20]
    np.testing.assert_array_equal(a, assign(table(labels), 0))
    assert (a != assign(table(labels), 1)).any()
    halves = assign(table(labels), 0, (0.5, 0.0, 0.5))
    assert [int((halves == part).sum()) for part in PARTS] == [50, 0, 50]


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.5, 0.5, 0.5), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1)])
def test_fractions_that_are_none(fractions):
    with pytest.raises(UsageError, match="three fractions"):
        assign(table("abcdef"), 0, fractions)


@given(st.integers(6, 30), st.floats(0.01, 0.98), st.floats(0.01, 0.98))
def test_any_fractions_leave_every_part_enough(classes, train, fraction):
    rest = 1 - train
    parts = assign(table([f"k{i}" for i in range(classes)]), 0, (train, rest * fraction, rest * (1 - fraction)))
    assert min(int((parts == part).sum()) for part in PARTS) >= 2


def test_too_few():
    with pytest.raises(
        DataError, match=r"3 distinct label: a \(2 rows\), b \(1 rows\), c \(1 rows\).*at least 4 classes"
    ):
        assign(table("aabc"), 0)
    with pytest.raises(DataError, match=r"1 distinct who.*at least 2 groups"):
        assign(table("abcd", who="gggg"), 0)


def test_rows_without_a_class_or_group_are_in_no_part():
    assert assign(table(["a", "b", "c", "d", None]), 0)[4] == ""
    parts = assign(table("abcd", who=["g", "h", None, "g"]), 0)
    assert parts[2] == ""
    assert parts[0] == parts[3]


def test_a_split_column_is_honoured():
    t = table("aabbc", split=["train", "Train", "validation", "val", "test"])
    assert assign(t, 0).tolist() == ["train", "train", "val", "val", "test"]
    assert set(assign(table("abc", split=["train", "train", "test"]), 0)) == {"train", "test"}


def test_a_split_column_that_shares_is_refused():
    labels = [f"k{i}" for i in range(7)] * 2
    with pytest.raises(DataError, match=r"k0 \(train and test\), k1 .* k4 \(train and test\) and 2 more.*split=None"):
        assign(table(labels, split=["train"] * 7 + ["test"] * 7), 0)
    # the same classes are right if each group is a task, and a shared group is not
    split = ["train"] * 7 + ["test"] * 7
    assert assign(table(labels, who=["g"] * 7 + ["h"] * 7, split=split), 0).tolist() == split
    with pytest.raises(DataError, match=r"share a group, but share g \(train and test\)"):
        assign(table(labels, who=["g"] * 14, split=split), 0)


def test_numbers_without_groups_need_a_given_split():
    rows = [{"x": "a b", "y": i + 0.5, "split": "train"} for i in range(4)]
    assert set(assign(read_table(rows), 0)) == {"train"}
    with pytest.raises(UsageError, match="need a group column"):
        assign(read_table(rows, split=None), 0)
    with pytest.raises(UsageError, match="no target"):
        assign(read_table([{"x": 1, "z": "a"}], objective="classify"), 0)


def test_what_was_trained_on_is_in_the_training_part_and_the_sizes_stay():
    labels = [f"k{i:02}" for i in range(20)]
    before = held(assign(table(labels), 0), labels)
    assert held(assign(table(labels), 0, trained_on=before["train"]), labels) == before
    known = {*sorted(before["test"])[:2], "of another table"}
    after = held(assign(table(labels), 0, trained_on=known), labels)
    assert known & {*labels} <= after["train"]
    assert {part: len(names) for part, names in after.items()} == {p: len(names) for p, names in before.items()}


@given(st.integers(0, 20), st.integers(0, 100))
def test_what_was_trained_on_is_in_no_other_part(known, seed):
    labels = [f"k{i:02}" for i in range(20)]
    if 20 - known < 2:
        with pytest.raises(
            DataError, match=rf"trained on {known} of the 20 distinct label, so that {20 - known} remain"
        ):
            assign(table(labels), seed, trained_on=labels[:known])
        return
    parts = held(assign(table(labels), seed, trained_on=labels[:known]), labels)
    assert {*labels[:known]} <= parts["train"]
    assert sum(map(len, parts.values())) == 20
    assert len(parts["test"]) >= 2
    assert len(parts["val"]) >= 2 or (not parts["val"] and 20 - known < 4)


def test_groups_that_were_trained_on_are_in_the_training_part():
    who = [f"g{i}" for i in range(6)]
    parts = held(assign(table("abcdef", who=who), 0, trained_on=who[:5]), who)
    assert parts == {"train": {*who[:5]}, "val": set(), "test": {"g5"}}


def test_a_split_column_that_tests_what_was_trained_on_is_refused():
    split = ["train"] * 2 + ["val"] * 2 + ["test"] * 2
    split_table = table("abcdef", split=split)
    assert assign(split_table, 0, trained_on=["a", "x"]).tolist() == split
    with pytest.raises(DataError, match=r"a frozen encoder was trained on c, e, .* put their rows into train"):
        assign(split_table, 0, trained_on=["e", "c", "a"])
