import numpy as np
import pandas as pd
import pytest

from omnishot.errors import DataError
from omnishot.table.frames import clean, objects
from omnishot.table.inference import infer_modality, infer_objective, tabular_kind

N = 100


def column(cells) -> pd.Series:
    return clean(pd.DataFrame({"c": cells if isinstance(cells, pd.Series) else objects(list(cells))}), "t")["c"]


CASES = {
    "images by extension": ([f"p/{i}.jpg" for i in range(N)], "image"),
    "80% images": ([f"{i}.jpg" if i % 5 else f"{i}" for i in range(N)], "image"),
    "79% images": ([f"{i}.jpg" if i >= 21 else f"word w{i}" for i in range(N)], "text"),
    "numbers": (np.arange(N) / 3, "number"),
    "few whole numbers": ([4, 6, 8] * 30, "number"),
    "90% numbers": ([str(i) if i >= 10 else "broken" for i in range(N)], "number"),
    "89% numbers": ([str(i) if i >= 11 else "broken" for i in range(N)], "text"),
    "numbers with gaps": ([i if i % 2 else None for i in range(N)], "number"),
    "bool": ([True, False] * 5, "category"),
    "bool with gaps": ([True, False, None] * 5, "category"),
    "few values": (["red", "green", "blue"] * 10, "category"),
    "two values in two rows": (["wet", "dry"], "category"),
    "three values in three rows": (["red", "green", "blue"], "text"),
    "codes with leading zeros": ([f"0{i % 7}" for i in range(N)], "category"),
    "51 values": ([f"value {i % 51}" for i in range(1000)], "text"),
    "50 values": ([f"value {i % 50}" for i in range(1000)], "category"),
    "long values": (["a" * 41, "b" * 41] * 20, "text"),
    "one long value in many": (["a", "b"] * 2000 + ["c" * 41], "text"),
    "sentences": ([f"sentence number {i}" for i in range(N)], "text"),
    "identifiers": ([f"id_{i:04}" for i in range(N)], "note"),
    "identifiers with a repeat": ([f"id_{i % 99:04}" for i in range(N)], "text"),
    "words": (["alpha", "beta", "gamma", "delta"], "text"),
    "nothing": ([None] * 4, "note"),
    "arrays": ([np.zeros((3, 4))] * 3, "series"),
    "lists of numbers": ([[1, 2], [3, 4, 5]], "series"),
    "pictures as arrays": ([np.zeros((3, 4, 3), np.uint8)] * 3, "image"),
    "bytes and paths": ([b"\x89PNG\r\n\x1a\n", "a.png"], "image"),
}


@pytest.mark.parametrize("case", CASES)
def test_rules(case):
    cells, kind = CASES[case]
    assert infer_modality("c", column(cells)) == kind


@pytest.mark.parametrize("name", ["id", "Index", "row", "UUID"])
def test_names_of_identifiers(name):
    assert infer_modality(name, column(range(N))) == "note"
    assert infer_modality(name, column([f"word {i}" for i in range(N)])) == "note"
    assert infer_modality(name, column(np.arange(N) / 3)) == "number"
    assert infer_modality(name, column([f"{i}.png" for i in range(N)])) == "image"


def test_a_name_with_an_underscore_first_is_a_note_even_for_media():
    assert infer_modality("_photo", column([f"{i}.png" for i in range(N)])) == "note"


def test_a_chosen_input_is_no_identifier():
    assert infer_modality("id", column(range(N)), chosen=True) == "number"
    assert infer_modality("code", column([f"id_{i}" for i in range(N)]), chosen=True) == "text"


@pytest.mark.parametrize("cells", [[b"junk", b"more junk"], [np.zeros((2, 3, 4))], [{"a": 1}]])
def test_unknown_objects_need_a_modality(cells):
    with pytest.raises(DataError, match=r"column 'c' holds .* give its modality"):
        infer_modality("c", column(cells))


def test_tabular_is_number_or_category():
    assert tabular_kind(column([1, 2, 3])) == "number"
    assert tabular_kind(column(["1", "2", "x y"])) == "category"
    assert tabular_kind(column([True, False])) == "category"


@pytest.mark.parametrize(
    ("cells", "objective"),
    [
        (["a", "b", "c"], "classify"),
        ([True, False], "classify"),
        ([0.5, 1.5, 2.5], "regress"),
        ([1.0, 2.0, None] * 5, "classify"),
        ([1, 2, 3, 4, 5], "regress"),
        ([1, 2, 3] * 5, "classify"),
        (np.arange(10_000) // 10, "classify"),  # a thousand classes of ten rows
        (np.random.default_rng(0).geometric(0.0005, 10_000), "regress"),  # prices: many occur once
        (["1.5", "2.25", "3.5", "4.5", "5.5", "6.5", "7.5", "8.5", "9.5", "10.5", "eleven"], "regress"),
        (["007", "008"] * 4, "classify"),
        ([None, None], "classify"),
    ],
)
def test_objectives(cells, objective):
    assert infer_objective(column(cells)) == objective


def test_inference_does_not_depend_on_chance():
    cells = column([f"{i}.png" if i % 3 else f"text {i}" for i in range(5000)])
    assert {infer_modality("c", cells) for _ in range(3)} == {"text"}
