from __future__ import annotations

import pytest

from omnishot.errors import UsageError
from omnishot.objectives import OBJECTIVES
from omnishot.table.targets import _TARGETS, Target, objective_name, target_of


@pytest.mark.parametrize("name", sorted({*_TARGETS, *OBJECTIVES.names()}))
def test_tables_know_of_an_objective_what_it_says_itself(name: str) -> None:
    cls = OBJECTIVES.load(name)
    assert target_of(name) == Target(cls.target_form, cls.tasks_of, cls.several_targets)


def test_names_are_those_of_the_registry() -> None:
    assert [objective_name(OBJECTIVES.load(name)) for name in OBJECTIVES.names()] == OBJECTIVES.names()


def test_an_unknown_objective_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown objective 'clasify': did you mean 'classify'"):
        target_of("clasify")
