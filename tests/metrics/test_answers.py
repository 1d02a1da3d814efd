import itertools
import random

import pytest

from omnishot.errors import DataError
from omnishot.metrics.answers import answer_figures, plain, soft_accuracy


@pytest.mark.parametrize(("given", "score"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)])
def test_ten_people_by_hand(given: int, score: float) -> None:
    # 3 of 10: left out one of the three (3 times) 2 others are there, else 3: (3·2/3 + 7·1)/10.
    assert soft_accuracy("red", ["red"] * given + ["blue"] * (10 - given)) == pytest.approx(score)


def test_is_the_mean_over_all_choices_of_nine() -> None:
    r = random.Random(0)
    for _ in range(1000):
        answers = [r.choice(("red", "blue", "two")) for _ in range(10)]
        nines = list(itertools.combinations(answers, 9))
        expected = sum(min(1.0, nine.count("red") / 3) for nine in nines) / len(nines)
        assert soft_accuracy("red", answers) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("people", "score"),
    [(["red"], 1), (["blue"], 0), (["red", "blue"], 0.5), (["red"] * 2, 1), (["red"] * 3, 1), (["red"] * 4, 1)],
)
def test_fewer_people(people: list[str], score: float) -> None:
    assert soft_accuracy("Red.", people) == score


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        ("The Red   Cube.", "red cube"),
        ("two", "2"),
        ("None", "0"),
        ("dont", "don't"),
        ("don’t know", "don't know"),
        ("1,000,000", "1000000"),
        ("red, blue", "red blue"),
        ("3.5 m.", "3.5 m"),
        ("2:50 p.m.", "2:50 pm"),
        ("girl's", "girl's"),
        ("left/right (both)", "left right both"),
        ("t-shirt", "t shirt"),
        ("snake_case", "snake case"),
        ("a", ""),
        ("Été", "été"),
        ("an\tapple\n", "apple"),
    ],
)
def test_the_form_in_which_answers_are_compared(answer: str, form: str) -> None:
    assert plain(answer) == form
    assert plain(form) == form


def test_both_sides_are_brought_into_that_form() -> None:
    assert soft_accuracy("Two cubes", ["2 cubes!", "the two cubes", "2 cubes", "3"]) == pytest.approx(
        (3 * 2 / 3 + 1) / 4
    )


def test_figures_are_means_over_rows_of_all_episodes() -> None:
    episodes = [(["red", "blue"], [["red"], ["red"]]), (["red"], [["red"]])]
    assert answer_figures(episodes)["soft_accuracy"][0] == pytest.approx(2 / 3)
    assert answer_figures([(["red"], [["red"]])] * 3)["soft_accuracy"] == (1.0, 0.0)
    with pytest.raises(DataError, match="No reference answer"):
        soft_accuracy("red", [])
