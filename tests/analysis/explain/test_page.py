from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import tables
from support.pages import CLASS, WORDS, Page

from omnishot import report
from omnishot.analysis.explain import page as explanation_page
from omnishot.analysis.explain.explain import explain
from omnishot.analysis.explain.explanation import Explanation
from omnishot.analysis.explain.row_cards import choice_text, choose_rows
from omnishot.errors import DataError, UsageError
from omnishot.html.heatmap import heatmap
from omnishot.html.signed_bars import Scale, ValueFormat
from omnishot.runs.run import Run


def read(path: Path) -> Page:
    return Page(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def explanation(every_kind: Run) -> Explanation:
    return explain(every_kind)


@pytest.fixture(scope="module")
def page(explanation: Explanation, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return read(explanation_page.write(explanation, tmp_path_factory.mktemp("explanation") / "page.html"))


def test_nothing_is_fetched_and_texts_stay_texts(page: Page) -> None:
    for element in page.elements:
        for name in ("src", "href", "xlink:href", "srcset"):
            value = element.attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), element
        assert not any(name.startswith("on") for name in element.attributes)
    assert not page.all("script")
    assert not page.all("link")
    assert not re.search(r"https?://|@import", page.source)
    assert CLASS in page.text
    assert WORDS.lower() in page.text
    names = [e.attributes["id"] for e in page.elements if e.attributes.get("id")]
    assert len(names) == len(set(names))


def test_it_shows_the_contributions_to_each_prediction(page: Page, explanation: Explanation) -> None:
    task = explanation.task
    assert "a validation task of every.csv, seed 0" in page.text
    rows = choose_rows(explanation, 6)
    text = ValueFormat(fraction=True)
    for row in rows:
        assert f"Row {task.query.numbers[row]}" in page.text
        for i in np.flatnonzero(task.query.present[row]):
            assert text.difference(explanation.contributions[row, i]) in page.text
    for name in explanation.inputs:
        assert name in page.text
    assert "no track" in page.text
    assert page.text.count("Nearest support rows:") == len(rows)
    assert page.all("audio")
    assert all(image.attributes.get("alt") for image in page.all("img"))
    assert len(page.all("svg")) == 2  # before and after
    assert all(chart.attributes.get("aria-label") for chart in page.all("svg"))
    assert "same class" in page.text
    assert "Linear CKA" in page.text
    assert "photo: encoder" in page.text


def test_a_run_on_numbers_from_one_input(numbers: Run, tmp_path: Path) -> None:
    explanation = explain(numbers, out=tmp_path / "page.html", rows=3)
    page = read(tmp_path / "page.html")
    assert "Contributions of the inputs" not in page.text  # the only input moves all
    assert "mean absolute error is" not in page.text
    assert page.text.count("Row ") >= 3
    assert f"{explanation.prediction[0]:.4g}" in page.text
    assert f"target {explanation.task.query_target[0]:.4g}" in page.text
    assert "probability" not in page.text
    assert "Similarity of the inputs" not in page.text


def test_a_learner_that_leaves_its_network_as_it_is_says_so(run: Run, tmp_path: Path) -> None:
    explain(run, out=tmp_path / "page.html")
    page = read(tmp_path / "page.html")
    assert "does not change its network" in page.text
    assert len(page.all("svg")) == 1
    assert "CKA" not in page.text


def test_labelled_rows_are_learned_and_the_others_answered(run: Run, birds: Path, tmp_path: Path) -> None:
    rows = pd.read_csv(birds).query("species in ('kite', 'heron', 'goose')").reset_index(drop=True)
    rows.loc[::3, "species"] = np.nan
    rows["photo"] = [str(birds.parent / p) if isinstance(p, str) else p for p in rows["photo"]]
    table = birds.parent / "some-labelled.csv"
    rows.assign(photo=rows["photo"].str.removeprefix(f"{birds.parent}/")).to_csv(table, index=False)
    explanation = explain(run, table, out=tmp_path / "page.html")
    assert explanation.task.classes == ("goose", "heron", "kite")
    assert explanation.task.query.numbers == (2, 5, 8)  # lines of the file
    assert not explanation.task.has_target.any()
    page = read(tmp_path / "page.html")
    assert "The first 3 of 3" not in page.text
    assert "All 3 rows." in page.text
    assert "✓" not in page.text
    assert "targets are not known" in page.text
    assert "6 labelled rows of some-labelled.csv as support" in page.text


def test_a_model_is_explained_with_and_without_its_support_rows(run: Run, birds: Path, tmp_path: Path) -> None:
    model = run.adapt(birds)
    path = model.save(tmp_path / "birds.omni")
    explanation = explain(path, birds, out=tmp_path / "page.html")
    page = read(tmp_path / "page.html")
    assert "a model file does not hold the rows that it was adapted to" in page.text
    assert "Nearest support rows:" not in page.text
    assert explanation.correct.mean() == pytest.approx((model.predict(birds) == pd.read_csv(birds)["species"]).mean())
    assert np.allclose(explanation.values[-1], model.predict_proba(birds).max(-1), atol=1e-6)
    with_rows = explain(path, birds, support=birds, out=tmp_path / "page.html")
    assert "Nearest support rows:" in read(tmp_path / "page.html").text
    assert with_rows.neighbours is not None
    assert np.allclose(with_rows.neighbours[1][:, 0], 0, atol=1e-5)  # every row is its own neighbour
    assert np.array_equal(with_rows.contributions, explanation.contributions)
    half = pd.read_csv(birds)
    other = birds.parent / "other.csv"
    half.iloc[::-1].assign(weight=7.0).to_csv(other, index=False)
    with pytest.raises(DataError, match="other rows"):
        explain(path, birds, support=other)
    half[half["species"] != "kite"].to_csv(other, index=False)
    with pytest.raises(DataError, match="it was adapted to"):
        explain(path, birds, support=other)


def test_a_table_that_is_labelled_throughout_has_a_task_drawn_from_it(run: Run, birds: Path) -> None:
    first, again, other = (explain(run, birds, seed=seed, ways=3).to_json() for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert len(first["classes"]) == 3
    assert "task of birds.csv, seed 0" in first["task"]


def test_what_does_not_go_together_is_refused(run: Run, birds: Path, tmp_path: Path) -> None:
    model = run.adapt(birds)
    with pytest.raises(UsageError, match="give a table"):
        explain(model)
    with pytest.raises(UsageError, match="give a table"):
        explain(run, support=birds)
    with pytest.raises(UsageError, match="rows must be at least 1"):
        explain(run, rows=0)
    unlabelled = tables.read(birds)
    for row in unlabelled:
        row["species"] = ""
    table = tables.write(birds.parent / "unlabelled.csv", unlabelled)
    with pytest.raises(DataError, match="no row with a target"):
        explain(run, table)
    assert len(explain(run, table, support=birds).prediction) == len(unlabelled)
    with pytest.raises(DataError, match=r"row 2.*support rows need a target"):
        explain(run, birds, support=table)
    with pytest.raises(DataError, match="does not exist"):
        explain(tmp_path / "none.omni", birds)


def test_the_first_rows_of_a_large_table_are_explained_and_bad_cells_are_named(
    run: Run, birds: Path, tmp_path: Path
) -> None:
    rows = tables.read(birds) * 7
    rows[3] = rows[3] | {"photo": "photos/none.png"}
    table = tables.write(birds.parent / "many.csv", rows)
    explanation = explain(run, table, support=birds, out=tmp_path / "page.html")
    assert len(explanation.prediction) == 200
    text = unescape(read(tmp_path / "page.html").text)
    assert "The first 200 of 210 rows are explained." in text
    assert "1 cell could not be read and counted as missing; the first: row 5, column 'photo'" in text


def test_wrong_answers_are_shown_first_for_half_of_the_rows(explanation: Explanation) -> None:
    rows = choose_rows(explanation, 3)
    assert len(rows) == len(set(rows)) == 3
    wrong = [row for row in rows if not explanation.correct[row]]
    assert rows[: len(wrong)] == wrong
    assert len(wrong) >= min(1, int((~explanation.correct).sum()))
    everything = choose_rows(explanation, 1000)
    assert sorted(everything) == list(range(len(explanation.prediction)))
    assert choice_text(explanation, everything) == f"All {len(explanation.prediction)} rows."


def test_a_report_has_a_section_of_it(every_kind: Run, tmp_path: Path) -> None:
    page = read(report.write(every_kind, tmp_path / "report.html"))
    assert "Explanation of predictions" in page.text
    assert "A validation task of every.csv, seed 0." in page.text
    assert "Nearest support rows:" in page.text


def test_bars_have_one_scale_and_numbers_have_typographic_signs() -> None:
    scale = Scale.of(np.array([-0.25, 0.75]))
    assert 'style="left:25.00%;width:75.00%"' in scale.bar(0.75)
    assert 'class="fill negative" style="left:12.50%;width:12.50%"' in scale.bar(-0.125)
    assert Scale.of(np.zeros(3)).bar(0.0).count("width:0.00%") == 1
    text = ValueFormat(fraction=True)
    assert text.value(0.814) == "81%"
    assert [text.difference(d) for d in (0.31, -0.07, -0.001)] == ["+31 points", "−7 points", "0 points"]
    assert text.size(-0.07) == "7 points"
    text = ValueFormat(fraction=False)
    assert (text.value(-12.345678), text.difference(0.5), text.size(-0.5)) == ("−12.35", "+0.5", "0.5")


def test_a_heatmap_has_a_dash_for_nan() -> None:
    html = heatmap("pairs", np.array([[1.0, np.nan], [np.nan, -0.001]]), ["<a>", "b"])
    assert html.count('class="heat"') == 3
    assert ">1.00<" in html
    assert ">0.00<" in html
    assert ">–<" in html
    assert "<a>" not in html
