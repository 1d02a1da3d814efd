from __future__ import annotations

import pytest

from omnishot.core.registry import KINDS


@pytest.mark.parametrize("kind", [plural for plural, _ in KINDS.values()])
def test_everything_listed_is_a_record_of_name_summary_paper_and_options(omnishot, kind):
    done = omnishot("list", kind, "--json")
    assert done.code == 0
    things = done.json()
    assert things
    for thing in things:
        assert list(thing) == ["name", "summary", "paper", "options"]
        assert thing["summary"].strip()
        assert isinstance(thing["options"], dict)
    assert all(thing["name"] in omnishot("list", kind).out for thing in things)


def test_options_are_those_that_a_user_may_give(omnishot):
    listed = {thing["name"]: thing for thing in omnishot("list", "learners", "--json").json()}
    assert listed["maml"]["options"]["inner_steps"] == 5
    assert "ways" not in listed["maml"]["options"]
    assert "labels" not in listed["finetune"]["options"]
    assert "Finn" in listed["maml"]["paper"]


def test_objectives_show_their_own_options_and_those_handed_on_to_their_base(omnishot):
    options = {thing["name"]: thing["options"] for thing in omnishot("list", "objectives", "--json").json()}
    assert options["regress"] == {"standardise": "table"}  # mean and spread are fitted to the table
    assert options["tag"] == {"most": 64}
    assert options["answer"] == {"among": "any"} | options["caption"]
    assert options["caption"]["beam"] == 3
    assert options["classify"] == {}
