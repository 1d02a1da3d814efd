from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import omnishot as om


@pytest.fixture
def saved(run, birds, tmp_path):
    return run.adapt(om.read_table(birds, target="species").select(range(15))).save(tmp_path / "birds.omni")


def test_unanswered_rows_have_an_empty_prediction_and_all_else(omnishot, saved, birds, tmp_path):
    model = om.load(saved)
    least = float(np.median(model.predict_proba(birds).max(1)))
    answers = tmp_path / "answers.csv"
    done = omnishot("predict", saved, birds, "--out", answers, "--abstain", least)
    assert done.code == 0, done.err
    written = pd.read_csv(answers)
    assert written["prediction"].tolist() == pd.Series(model.predict(birds, least)).fillna(np.nan).tolist()
    empty = int(written["prediction"].isna().sum())
    assert 0 < empty < 30
    assert f"30 rows, {empty} of them without a prediction" in done.err
    assert written["probability"].notna().all()
    assert (written["probability"] >= least).tolist() == written["prediction"].notna().tolist()


@pytest.mark.parametrize("value", ["1.2", "-0.1", "nan", "much"])
def test_what_is_no_probability_is_refused(omnishot, saved, birds, tmp_path, value):
    done = omnishot("predict", saved, birds, "--out", tmp_path / "a.csv", f"--abstain={value}")
    assert done.code == 2
    assert "abstain" in done.err
    assert not (tmp_path / "a.csv").exists()
