"""The demo, a twentieth of its length: every station, every file it promises."""

import json

import pandas as pd
import pytest

import omnishot as om
from omnishot.demo import demo


def test_a_folder_in_use_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(om.UsageError, match="is not empty"):
        demo(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep me"


@pytest.mark.slow
def test_the_whole_story(tmp_path):
    report = demo(tmp_path / "demo", quick=True)
    folder = report.parent
    page = report.read_text(encoding="utf-8")
    assert "An alphabet never seen" in page
    assert "Learners and inputs compared" in page
    records = json.loads((folder / "comparison.json").read_text())
    accuracies = [r for r in records if r["metric"] == "accuracy"]
    assert {r["learner"] for r in accuracies} == {"protomaml", "protonet", "finetune", "scratch", "logreg", "centroid"}
    assert all(r["episodes"] == 30 and r["split"] == "test" and r["ways"] == 5 for r in accuracies)
    assert any(r["missing"] == {"*": 0.5} for r in accuracies)
    answers = pd.read_csv(folder / "new_alphabet_answers.csv")
    query = pd.read_csv(folder / "new_alphabet_query.csv")
    assert len(answers) == len(query)
    model = om.load(folder / "new_alphabet.omni")
    assert (model.predict(folder / "new_alphabet_query.csv") == answers["prediction"]).all()
