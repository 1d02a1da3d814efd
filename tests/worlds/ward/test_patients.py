from collections import Counter

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB

from omnishot.worlds.ward.hospitals import draw_hospital, outcome
from omnishot.worlds.ward.patients import (
    COURSES,
    GRAVE,
    MILD,
    NAMES,
    SHADOWS,
    draw_conditions,
    draw_patient,
    draw_sufferer,
    score,
)


def accuracy(x, y, half):
    return LogisticRegression(max_iter=1000).fit(x[:half], y[:half]).score(x[half:], y[half:])


def test_no_input_suffices_and_all_together_do():
    hospital = draw_hospital("h", np.random.default_rng(4))
    patients = [draw_patient(np.random.default_rng([0, i])) for i in range(3000)]
    x = np.array([(*p.severity, (p.age - 55) / 18) for p in patients])
    y = np.array([outcome(hospital, p) for p in patients])
    together = accuracy(x, y, 2000)
    alone = [accuracy(x[:, [i]], y, 2000) for i in range(4)]
    without = [accuracy(np.delete(x, i, 1), y, 2000) for i in range(4)]
    assert together > 0.95
    assert max(alone) < 0.7
    assert max(without) < together - 0.15


def test_hospitals_draw_the_line_elsewhere():
    patients = [draw_patient(np.random.default_rng([1, i])) for i in range(500)]
    shares = [
        Counter(outcome(draw_hospital("h", np.random.default_rng([2, i])), p) for p in patients) for i in range(40)
    ]
    for name, low, high in (("home", 0.15, 0.65), ("ward", 0.15, 0.45), ("intensive care", 0.07, 0.65)):
        of = np.array([fraction[name] / 500 for fraction in shares])
        assert low <= of.min()
        assert of.max() <= high
        assert np.ptp(of) > 0.1


def test_each_input_is_a_quarter_of_the_score():
    patients = [draw_patient(np.random.default_rng([0, i])) for i in range(3000)]
    scores = np.array([score(p) for p in patients])
    shares = [
        np.corrcoef(scores, severity)[0, 1] ** 2 for severity in zip(*(p.severity for p in patients), strict=True)
    ]
    assert shares == pytest.approx([0.24] * 4, abs=0.04)


def test_the_graver_the_note_the_more_grave_findings():
    patients = [draw_patient(np.random.default_rng([0, i])) for i in range(1000)]
    grave = [sum(p.findings.get(name, False) for name in GRAVE) for p in patients]
    mild = [sum(p.findings.get(name, False) for name in MILD) for p in patients]
    severity = [p.severity[1] for p in patients]
    assert np.corrcoef(grave, severity)[0, 1] > 0.75
    assert abs(np.corrcoef(mild, severity)[0, 1]) < 0.1


def test_conditions_differ_and_have_signs_in_common():
    conditions = draw_conditions(60, np.random.default_rng(0))
    assert len({c.name for c in conditions}) == 60
    assert len({(c.shadow, c.brings, c.course, c.labs) for c in conditions}) == 60
    for sign, most in (("shadow", len(SHADOWS)), ("brings", 8), ("course", len(COURSES)), ("labs", 8)):
        assert len({getattr(c, sign) for c in conditions}) <= most
    assert len(draw_conditions(len(NAMES), np.random.default_rng(0))) == len(NAMES)


def test_a_condition_is_recognised_by_its_signs_together():
    conditions = draw_conditions(30, np.random.default_rng(1))
    sick = [
        (c, draw_sufferer(c, np.random.default_rng([2, i, j]))) for i, c in enumerate(conditions) for j in range(60)
    ]
    order = np.random.default_rng(0).permutation(len(sick))
    y = np.array([c.name for c, _ in sick])[order]
    signs = {
        "film": np.array([[p.shadow == s for s in SHADOWS] for _, p in sick]),
        "note": np.array([[p.findings.get(f) is v for f in (*GRAVE, *MILD) for v in (True, False)] for _, p in sick]),
        "vitals": np.array([[p.course == c for c in COURSES] for _, p in sick]),
        "labs": np.array([[lab * sign > 1 for lab in p.labs for sign in (-1, 1)] for _, p in sick]),
    }

    def accuracy(names):
        x = np.concatenate([signs[name] for name in names], 1)[order]
        return BernoulliNB().fit(x[:900], y[:900]).score(x[900:], y[900:])

    assert accuracy(signs) > 0.75
    assert max(accuracy([name]) for name in signs) < 0.4
