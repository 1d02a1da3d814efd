import json

import pandas as pd
import pytest

from omnishot.errors import UsageError
from omnishot.table.frames import clean
from omnishot.table.schema import Column, Schema, infer

FRAME = clean(
    pd.DataFrame(
        {
            "age": [1.5, 2.5, 3.5, 4.5],
            "photo": ["a.png", "b.png", "c.png", "d.png"],
            "note": ["some words", "other words", "more words", "last words"],
            "colour": ["red", "blue", "red", "blue"],
            "speaker": ["s1", "s1", "s2", "s2"],
            "label": ["x", "y", "x", "y"],
        }
    ),
    "t",
)


def test_inputs_are_media_and_text_by_themselves_and_numbers_and_categories_together():
    schema = infer(FRAME, group="speaker")
    assert schema.inputs() == {
        "tabular": ("tabular", ("age", "colour")),
        "photo": ("image", ("photo",)),
        "note": ("text", ("note",)),
    }
    assert (schema.target, schema.group, schema.split, schema.objective) == ("label", "speaker", None, "classify")


def test_options_win_over_inference():
    schema = infer(FRAME, modality={"colour": "text", "age": "note", "photo": "text"})
    assert [schema.column(name).modality for name in ("colour", "age", "photo")] == ["text", None, "text"]
    assert infer(FRAME, modality={"age": "tabular", "colour": "tabular"}).inputs()["tabular"][1][:2] == (
        "age",
        "colour",
    )
    assert infer(FRAME, target="age").objective == "regress"
    assert infer(FRAME, target="age", objective="classify").objective == "classify"


def test_inputs_restrict():
    schema = infer(FRAME, inputs=["photo", "age"])
    assert list(schema.inputs()) == ["tabular", "photo"]
    assert schema.column("note") == Column("note", "note")
    assert infer(FRAME, inputs=["label", "photo"]).target is None  # chosen as an input


def test_only_the_tabular_input_is_named_tabular():
    with pytest.raises(UsageError, match="named 'tabular'"):
        infer(FRAME.rename(columns={"photo": "tabular"}))
    assert infer(FRAME.rename(columns={"age": "tabular"})).inputs()["tabular"][1][0] == "tabular"


def test_a_schema_survives_json():
    schema = infer(FRAME, group="speaker")
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


def test_unknown_columns_are_refused_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'photo'"):
        infer(FRAME).column("fotos")
