from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import omnishot as om
from omnishot.errors import DataError, UsageError
from omnishot.runs.run import Run
from omnishot.training.train import train

INPUTS = ["photo", "note", "weight"]


@pytest.fixture(scope="module")
def frame(birds: Path) -> pd.DataFrame:
    """Rows of five species, pictures as arrays, some cells missing."""
    rows = pd.read_csv(birds).iloc[:15]
    photos = [np.asarray(Image.open(birds.parent / p)) if isinstance(p, str) else None for p in rows["photo"]]
    return rows.assign(photo=pd.Series(photos, dtype=object))


@pytest.fixture(scope="module")
def pictures(birds: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose only input is a column of pictures."""
    out = tmp_path_factory.mktemp("pictures") / "run"
    table = om.read_table(birds, target="species", inputs=["photo"])
    keep = table.select(table.frame["photo"].notna().to_numpy())
    return train(keep, out=out, learner="protonet", steps=2, tasks=1, val_episodes=2, image={"size": 16, "width": 8},
                 shots=1, queries=1)  # fmt: skip


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that predicts a number from two."""
    rng = np.random.default_rng(0)
    slope = np.repeat(rng.normal(size=12), 8)
    x = rng.normal(size=(96, 2))
    table = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": slope * x[:, 0] + x[:, 1], "task": np.repeat(range(12), 8)})
    out = tmp_path_factory.mktemp("numbers") / "run"
    options = {"steps": 2, "inner_steps": 1, "shots": 4, "val_episodes": 2}
    return train(table, target="y", group="task", out=out, **options)


@pytest.mark.parametrize("labels", ["text", "whole", "negative", "bool"])
def test_labels_come_back_as_they_were_given(run, frame, labels):
    codes = np.arange(15) // 3
    y = {"text": frame["species"].to_numpy(), "whole": codes * 7, "negative": codes - 12, "bool": codes > 2}[labels]
    fitted = om.FewShotClassifier(run).fit(frame[INPUTS], y)
    assert fitted.classes_.tolist() == sorted(set(y.tolist()))
    p = fitted.predict_proba(frame[INPUTS])
    assert p.shape == (15, len(fitted.classes_))
    assert np.allclose(p.sum(1), 1)
    predictions = fitted.predict(frame[INPUTS])
    assert predictions.dtype == y.dtype
    assert predictions.tolist() == fitted.classes_[p.argmax(1)].tolist()
    assert fitted.score(frame[INPUTS], y) == (predictions == y).mean()


def test_more_than_ten_classes_keep_their_order(run, frame):
    y = np.arange(15)
    fitted = om.FewShotClassifier(run).fit(frame[INPUTS], y)
    assert (fitted.predict(frame[INPUTS]) == y).mean() > 0.7  # a row is most like itself
    assert fitted.classes_.tolist() == y.tolist()


def test_answers_are_those_of_the_model(run, frame):
    fitted = om.FewShotClassifier(run).fit(frame[INPUTS], frame["species"])
    model = run.adapt(frame)
    assert np.array_equal(fitted.predict(frame[INPUTS]), model.predict(frame))
    assert np.array_equal(fitted.predict_proba(frame[INPUTS]), model.predict_proba(frame))


@pytest.mark.parametrize("labels", ["text", "whole"])
def test_rows_below_a_probability_are_left_unanswered(run, frame, labels):
    y = frame["species"].to_numpy() if labels == "text" else np.arange(15) // 3 * 7
    fitted = om.FewShotClassifier(run).fit(frame[INPUTS], y)
    p, plain = fitted.predict_proba(frame[INPUTS]).max(1), fitted.predict(frame[INPUTS])
    abstain = float(np.median(p))
    predictions = fitted.predict(frame[INPUTS], abstain=abstain)
    assert predictions.tolist() == [
        label if sure >= abstain else None for label, sure in zip(plain.tolist(), p, strict=True)
    ]
    assert None in predictions
    with pytest.raises(UsageError, match="abstain must be a probability"):
        fitted.predict(frame[INPUTS], abstain=1.5)


def test_rows_may_be_a_frame_dicts_or_rows_of_cells(run, frame):
    X, y = frame[INPUTS], frame["species"].tolist()
    expected = om.FewShotClassifier(run).fit(X, y).predict_proba(X)
    dicts = [
        {k: v for k, v in row.items() if not (isinstance(v, float) and np.isnan(v))} for row in X.to_dict("records")
    ]
    cells = [list(row) for row in X.itertuples(index=False)]
    for rows in (dicts, cells):
        assert np.array_equal(om.FewShotClassifier(run).fit(rows, y).predict_proba(rows), expected)


def test_cells_alone_where_there_is_one_column(pictures, frame):
    with_photo = frame[frame["photo"].notna()]
    X, y = list(with_photo["photo"]), with_photo["species"].to_numpy()
    expected = om.FewShotClassifier(pictures).fit(with_photo[["photo"]], y).predict_proba(with_photo[["photo"]])
    for rows in (X, np.stack(X), [{"photo": x} for x in X]):
        assert np.array_equal(om.FewShotClassifier(pictures).fit(rows, y).predict_proba(rows), expected)


def test_a_fitted_estimator_tells_its_features(run, frame):
    fitted = om.FewShotClassifier(run).fit(frame[INPUTS], frame["species"])
    assert fitted.n_features_in_ == 3
    assert fitted.feature_names_in_.tolist() == INPUTS
    assert not hasattr(
        om.FewShotClassifier(run).fit(frame[INPUTS].to_dict("records"), frame["species"]), "feature_names_in_"
    )


def test_conventions_of_parameters(run):
    estimator = om.FewShotClassifier(run)
    assert estimator.get_params() == {"run": run}
    assert estimator.run is run
    assert clone(estimator).get_params().keys() == {"run"}
    assert estimator.set_params(run="elsewhere").run == "elsewhere"
    assert is_classifier(estimator)
    assert is_regressor(om.FewShotRegressor(run))
    assert len(repr(estimator)) < 2000
    with pytest.raises(NotFittedError):
        om.FewShotClassifier(run).predict([{"note": "x"}])
    with pytest.raises(NotFittedError):
        om.FewShotRegressor(run).predict([{"note": "x"}])


def test_a_run_may_be_given_by_its_folder(run, frame):
    here, there = (om.FewShotClassifier(each).fit(frame[INPUTS], frame["species"]) for each in (run, str(run.folder)))
    assert np.array_equal(here.predict_proba(frame[INPUTS]), there.predict_proba(frame[INPUTS]))
    assert there.run == str(run.folder)


@pytest.mark.parametrize("kind", ["frame", "dicts"])
def test_cross_validation_in_a_pipeline(run, frame, kind):
    X = frame[INPUTS] if kind == "frame" else frame[INPUTS].to_dict("records")
    steps = make_pipeline(FunctionTransformer(), om.FewShotClassifier(run))
    folds = list(StratifiedKFold(3).split(frame, frame["species"]))
    scores = cross_val_score(steps, X, frame["species"], cv=folds, error_score="raise")
    for score, (fit, test) in zip(scores, folds, strict=True):
        answers = run.adapt(frame.iloc[fit]).predict(frame.iloc[test])
        assert score == (answers == frame["species"].iloc[test]).mean()


def test_grid_search_over_runs(run, frame):
    search = GridSearchCV(om.FewShotClassifier(run), {"run": [run.folder, str(run.folder)]}, cv=2, error_score="raise")
    assert search.fit(frame[INPUTS], frame["species"]).best_score_ >= 0


def test_a_fitted_estimator_survives_joblib(run, frame, tmp_path):
    fitted = om.FewShotClassifier(run).fit(frame[INPUTS], frame["species"])
    joblib.dump(fitted, tmp_path / "f.joblib")
    again = joblib.load(tmp_path / "f.joblib")
    assert np.array_equal(again.predict_proba(frame[INPUTS]), fitted.predict_proba(frame[INPUTS]))


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_missing_label_is_refused(run, frame, missing):
    y = frame["species"].astype(object).to_numpy(copy=True)
    y[4] = missing
    with pytest.raises(UsageError, match=r"y must hold a label a row.*without: \[4\]"):
        om.FewShotClassifier(run).fit(frame[INPUTS], y)


def test_what_does_not_fit_the_run_is_refused(run, pictures, numbers, frame):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        om.FewShotClassifier(run).fit(frame[INPUTS], frame["species"][:-1])
    with pytest.raises(UsageError, match=r"each row must hold 3 cells \(photo, note, weight\)"):
        om.FewShotClassifier(run).fit([[1, 2]] * 3, [0, 1, 1])
    with pytest.raises(DataError, match="nothing to tell apart"):
        om.FewShotClassifier(run).fit(frame[INPUTS], ["same"] * 15)
    with pytest.raises(UsageError, match="FewShotRegressor is there to regress, the run to classify"):
        om.FewShotRegressor(run).fit(frame[INPUTS], np.arange(15))
    with pytest.raises(UsageError, match="FewShotClassifier is there to classify, the run to regress"):
        om.FewShotClassifier(numbers).fit([[1, 2]], [3])
    with pytest.raises(UsageError, match="did you mean 'weight'"):
        om.FewShotClassifier(run).fit(frame[INPUTS].rename(columns={"weight": "wieght"}), frame["species"])


def test_numbers_are_predicted_in_their_own_unit(numbers):
    X = np.random.default_rng(1).normal(size=(8, 2))
    y = 3 * X[:, 0] + X[:, 1]
    fitted = om.FewShotRegressor(numbers).fit(X, y)
    assert fitted.predict(X).shape == (8,)
    rows = pd.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    assert np.array_equal(fitted.predict(X), numbers.adapt(rows.assign(y=y)).predict(rows))
    assert np.isfinite(fitted.score(X, y))
    for method in (fitted.model_.predict, fitted.model_.answers, fitted.model_.fill):
        with pytest.raises(UsageError, match="predicts a number: it has no probability to abstain by"):
            method(rows, abstain=0.5)
    assert cross_val_score(om.FewShotRegressor(numbers), X, y, cv=2, error_score="raise").shape == (2,)
    with pytest.raises(DataError, match="the target is missing"):
        om.FewShotRegressor(numbers).fit(X, [np.nan, *y[1:]])
