from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest
from support.pages import CLASS, WORDS, Page

from omnishot import report
from omnishot.errors import DataError
from omnishot.runs.run import Run
from omnishot.training.train import train


@pytest.fixture(scope="module")
def page(every_kind: Run, tmp_path_factory: pytest.TempPathFactory) -> Page:
    report.curves(every_kind, episodes=2)
    return Page(report.write(every_kind.folder, tmp_path_factory.mktemp("report") / "page.html").read_text("utf-8"))


def test_nothing_is_fetched(page: Page) -> None:
    for element in page.elements:
        for name in ("src", "href", "xlink:href", "srcset", "action", "poster", "data", "background"):
            value = element.attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), element
        assert not re.search(r"url\((?!#)", element.attributes.get("style") or ""), element
    assert not page.all("link")
    assert not page.all("script")
    assert not re.search(r"https?://|@import", page.source)
    policy = next(e for e in page.all("meta") if e.attributes.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in (policy.attributes["content"] or "")


def test_what_is_not_text_says_what_it_shows(page: Page) -> None:
    assert page.all("img")
    assert all(image.attributes.get("alt") for image in page.all("img"))
    assert len(page.all("svg")) == 4  # loss, validation, inner steps, missing cells
    assert all(chart.attributes.get("aria-label") for chart in page.all("svg"))
    assert page.all("audio")
    assert all(sound.attributes.get("aria-label") for sound in page.all("audio"))


def test_texts_of_the_table_stay_texts(page: Page) -> None:
    assert CLASS in page.text
    assert ['"><img', "src=x", 'onerror="alert(1)">', "&", "cup"][0] in page.text
    assert not any("onerror" in element.attributes for element in page.elements)
    assert any(CLASS in (image.attributes["alt"] or "") for image in page.all("img"))
    assert "no track" in page.text
    assert "call <i>" in page.text
    assert all("class" in element.attributes for element in page.all("i"))  # those of the bars only
    assert WORDS.lower() in page.text


def test_names_within_the_page_are_unique(page: Page) -> None:
    names = [e.attributes["id"] for e in page.elements if e.attributes.get("id")]
    assert len(names) == len(set(names))
    used = re.findall(r'(?:href="#|url\(#)([^")]+)', page.source)
    assert used
    assert set(used) <= set(names)


def test_figures_stand_with_their_protocol(page: Page, every_kind: Run) -> None:
    main = every_kind.figures()[0]
    assert f"{100 * main.mean:.1f}%" in page.text
    assert f"± {100 * main.ci95:.1f}" in page.text
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page.source)
    assert len(captions) == 5
    for caption in map(unescape, captions):
        assert re.search(r"seed \d+", caption)
        assert "2-way 1-shot" in caption
    evaluated = [caption for caption in captions if "training tasks" not in caption]
    assert all(re.search(r"\d+ (test|validation) episodes", c) and "95% interval" in c for c in evaluated)
    assert all("inductive" in caption for caption in evaluated)


def test_the_same_run_gives_the_same_page(every_kind: Run, tmp_path: Path) -> None:
    first, second = (report.write(every_kind, tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second


def test_a_run_without_figures_says_so(run: Run, tmp_path: Path) -> None:
    assert not (run.folder / "evaluation.json").exists()
    page = Page(report.write(run, tmp_path / "report.html").read_text("utf-8"))
    assert "has not been evaluated yet" in page.text
    assert "A sample task" in page.text


def test_it_lands_in_the_run_folder_with_sections_of_others(copied: Run) -> None:
    path = report.write(copied.folder, extra=[report.Section("Mine & <yours>", "<p>hello</p>")], title="A <title>")
    assert path == copied.folder / "report.html"
    page = Page(path.read_text("utf-8"))
    assert page.text.index("Mine & <yours>") < page.text.index("The run")
    assert "hello" in page.text
    assert page.text.count("A <title>") == 2
    assert not page.all("yours")


def test_numbers_from_one_input(numbers: Run, tmp_path: Path) -> None:
    numbers.evaluate(episodes=3)
    page = Page(report.write(numbers, tmp_path / "report.html").read_text("utf-8"))
    assert "Mean absolute error" in page.text
    assert "prediction" in page.text
    assert "chance" not in page.text
    assert "sensor s" in page.text
    assert "half of all cells missing" not in page.text


def test_a_table_that_is_gone_is_no_obstacle(copied: Run, tmp_path: Path) -> None:
    about = json.loads((copied.folder / "table.json").read_text())
    about["source"] = str(tmp_path / "gone.csv")
    (copied.folder / "table.json").write_text(json.dumps(about))
    page = Page(report.write(copied.folder).read_text("utf-8"))
    assert "No task can be shown." in page.text
    assert "gone.csv" in page.text


def test_runs_without_training_or_validation(birds: Path, tmp_path: Path) -> None:
    from support import tables

    rows = [row | {"split": "train" if i < 15 else "test"} for i, row in enumerate(tables.read(birds))]
    table = tables.write(birds.parent / "no-validation.csv", rows)
    for learner in ("protonet", "centroid"):
        made = train(table, target="species", out=tmp_path / learner, **tables.QUICK | {"learner": learner})
        page = Page(report.write(made).read_text("utf-8"))
        assert ("no validation" in page.text) == (learner == "protonet")
        assert len(page.all("svg")) == (1 if learner == "protonet" else 0)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a run"):
        report.write(tmp_path)
