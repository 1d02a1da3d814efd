from __future__ import annotations

import numpy as np
import pytest

from omnishot.episodes.missing import ALL
from omnishot.report.cards import cards
from omnishot.report.episode import draw_sample
from omnishot.runs.run import Run


def test_a_sample_has_the_predictions_of_the_model(run: Run) -> None:
    """Names, rows and answers belong together: adapting to the same rows of the table gives the same answers."""
    data = run.dataset()
    sample = draw_sample(run, data, "test")
    frame = data.table.frame
    assert set(data.parts[[*sample.support, *sample.query]]) == {"test"}
    names = np.array(sample.classes)
    assert (frame["species"].to_numpy()[sample.query] == names[sample.query_target]).all()
    model = run.adapt(data.table.select(sample.support))
    p = model.predict_proba(data.table.select(sample.query))
    assert (model.classes_[p.argmax(1)] == names[sample.prediction]).all()
    assert sample.probability is not None
    np.testing.assert_allclose(p.max(1), sample.probability, atol=1e-5)


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_numbers_are_in_their_own_unit(numbers: Run) -> None:
    data = numbers.dataset()
    sample = draw_sample(numbers, data, "test")
    y = data.table.frame["y"].to_numpy(dtype=np.float64)
    np.testing.assert_allclose(sample.query_target, y[sample.query], atol=1e-4)
    model = numbers.adapt(data.table.select(sample.support))
    np.testing.assert_allclose(model.predict(data.table.select(sample.query)), sample.prediction, rtol=1e-4, atol=1e-4)
    assert sample.classes == ()
    assert sample.group == f"sensor {data.table.frame['sensor'][sample.support[0]]}"


def test_taking_cells_away_keeps_the_task(every_kind: Run) -> None:
    data = every_kind.dataset()
    complete, incomplete = (draw_sample(every_kind, data, "test", missing=m) for m in ({}, {ALL: 0.5}))
    assert (complete.query == incomplete.query).all()
    assert abs(incomplete.query_present.sum() - complete.query_present.sum() / 2) <= 0.5
    html = cards(incomplete, data.store)
    shown = np.concatenate([incomplete.support_present, incomplete.query_present])  # 2 classes, all of their rows
    assert html.count('class="cell missing"') == (~shown).sum()
    assert html.count("<audio") == shown[:, list(data.store.modalities).index("call <i>")].sum()
