"""Values for inputs are given by input, by kind, or for all."""

from __future__ import annotations

import pytest

from omnishot.episodes.inputs import input_names, levels_by_input
from omnishot.errors import UsageError
from omnishot.modality.image import Image
from omnishot.modality.tabular import Tabular

MODALITIES = {
    "photo": Image((2, 2), 1, (0.5,), (0.25,)),
    "drawing": Image((2, 2), 1, (0.0,), (1.0,)),
    "facts": Tabular(("x",), ("number",), (0.0,), (1.0,), ((),)),
}


def test_levels_by_input_before_kind_before_all():
    assert levels_by_input({"image": 0.3}, MODALITIES) == {"photo": 0.3, "drawing": 0.3}
    assert levels_by_input({"image": 0.3, "photo": 0.1}, MODALITIES) == {"photo": 0.1, "drawing": 0.3}
    assert levels_by_input({"*": 0.2, "photo": 0.0}, MODALITIES) == {"photo": 0.0, "drawing": 0.2, "facts": 0.2}
    assert levels_by_input({"*": 0.2, "image": 1}, MODALITIES) == {"photo": 1, "drawing": 1, "facts": 0.2}
    assert levels_by_input({}, MODALITIES) == {}


def test_levels_that_cannot_be():
    with pytest.raises(UsageError, match="no input 'foto': did you mean 'photo'"):
        levels_by_input({"foto": 0.5}, MODALITIES)
    with pytest.raises(UsageError, match="no input 'audio'"):
        levels_by_input({"audio": 0.5}, MODALITIES)
    for level in (-0.1, 1.5, float("nan")):
        with pytest.raises(UsageError, match="'photo' must lie between 0 and 1"):
            levels_by_input({"photo": level}, MODALITIES)


def test_names_stand_in_the_order_of_the_inputs():
    assert input_names(["facts", "image"], MODALITIES) == ("photo", "drawing", "facts")
    assert input_names("photo", MODALITIES) == ("photo",)
    assert input_names((), MODALITIES) == ()
