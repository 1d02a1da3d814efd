"""One corruption: how it is given, written, read and compared."""

from __future__ import annotations

import json

import pytest
from support import helpers

from omnishot.episodes.corruption import CLEAN, CORRUPTION_KEYS, Corruption
from omnishot.errors import UsageError

MODALITIES = {name: helpers.MODALITIES[name] for name in ("photo", "words", "sensor", "facts")}
EVERYTHING = {
    "missing": {"image": 0.5, "facts": 0.25},
    "missing_in": "query",
    "noise": {"photo": 0.3},
    "failure": {"facts": "dead"},
    "attack": "pgd",
    "epsilon": {"photo": 0.03},
    "attack_steps": 4,
    "support_inputs": ["text"],
    "query_inputs": ["photo", "facts"],
}


def test_options_are_resolved_to_inputs():
    corruption = Corruption.of(MODALITIES, **EVERYTHING)
    assert corruption.missing == {"photo": 0.5, "facts": 0.25}
    assert corruption.support_inputs == corruption.inputs_of("support") == ("words",)
    assert corruption.inputs_of("query") == ("photo", "facts")
    assert corruption.attack is not None
    assert (corruption.attack.name, corruption.attack.epsilon, corruption.attack.steps) == ("pgd", {"photo": 0.03}, 4)
    assert Corruption.of(MODALITIES, missing={"*": 0.5}).missing == {"*": 0.5}  # of all cells together


def test_a_corruption_survives_json_and_is_compared_by_what_it_does():
    corruption = Corruption.of(MODALITIES, **EVERYTHING)
    record = corruption.to_json()
    assert record.keys() == CORRUPTION_KEYS
    again = Corruption.from_json(json.loads(json.dumps(record)) | {"metric": "accuracy"})
    assert again == corruption
    assert hash(again) == hash(corruption)
    turned = Corruption.of(MODALITIES, **EVERYTHING | {"missing": {"facts": 0.25, "photo": 0.5}})
    assert (turned, hash(turned)) == (corruption, hash(corruption))  # whatever the order of its inputs
    for name, value in (("missing_in", "all"), ("noise", {"photo": 0.2}), ("attack_steps", 5), ("query_inputs", ())):
        assert Corruption.of(MODALITIES, **EVERYTHING | {name: value}) != corruption
    assert Corruption.from_json({}) == CLEAN == Corruption.of(MODALITIES)


def test_a_corruption_is_described_in_phrases():
    assert str(Corruption.of(MODALITIES, **EVERYTHING)) == (
        "support rows of words only, query rows of photo+facts only, half of photo cells missing in query rows, "
        "25% of facts cells missing in query rows, noise 0.3 on photo, facts dead, pgd-4 within 0.03 on photo"
    )
    assert str(Corruption(new=("sound",), missing={"*": 0.5})) == "sound unseen in training, half of all cells missing"
    assert str(CLEAN) == ""


def test_only_a_corruption_of_the_tasks_own_inputs_changes_cells():
    assert not CLEAN.changes_cells
    assert not Corruption(new=("sound",)).changes_cells
    for name in ("missing", "noise", "failure", "support_inputs", "query_inputs"):
        assert Corruption.of(MODALITIES, **{name: EVERYTHING[name]}).changes_cells


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"missing": {"phto": 0.5}}, "no input 'phto': did you mean 'photo'"),
        ({"noise": {"photo": 1.5}}, "'photo' must lie between 0 and 1"),
        ({"missing_in": "queries"}, "unknown missing_in 'queries': did you mean 'query'"),
        ({"epsilon": {"photo": 0.1}}, r"an epsilon \(photo\) needs an attack"),
        ({"attack_steps": 3}, "attack_steps = 3 without an attack"),
    ],
)
def test_options_that_cannot_be_are_refused(options, match):
    with pytest.raises(UsageError, match=match):
        Corruption.of(MODALITIES, **options)
