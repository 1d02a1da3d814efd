"""Runs on tables whose texts try to be HTML, and reading a report as a browser would."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tables

from omnishot.launch import train
from omnishot.run import Run

#: A class name, a text cell and a file name that would run or fetch something if they were not escaped.
CLASS, WORDS = '<script>alert("class")</script>', '"><img src=x onerror="alert(1)"> & cup'
VOID = ("meta", "br", "img", "input", "link", "hr")


@dataclass
class Element:
    """A tag with its attributes."""

    tag: str
    attributes: dict[str, str | None]


@dataclass
class Page(HTMLParser):
    """The elements and the text of an HTML document; fails where tags are not nested."""

    source: str
    elements: list[Element] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)
        self.feed(self.source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]


@pytest.fixture(scope="session")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A MAML run on pictures, sounds, series, texts and numbers, one cell missing; evaluated."""
    folder = tmp_path_factory.mktemp("every-kind")
    rng = np.random.default_rng(0)
    rows = []
    for kind in range(6):
        for i in range(4):
            tables.picture(folder / f"{kind}-{i}.png", kind, rng)
            soundfile.write(folder / f"{kind}-{i}.wav", rng.normal(0, 0.1, 400), 4000)
            np.save(folder / f"{kind}-{i}.npy", rng.normal(size=(8, 2)))
            rows.append({
                "photo": f"{kind}-{i}.png", "call <i>": f"{kind}-{i}.wav", "track": "" if i == 1 else f"{kind}-{i}.npy",
                "words": f"{WORDS} {kind} {i}", "weight": f"{kind + rng.normal():.3f}", "name": f"{CLASS}{kind}",
                "split": ("train", "val", "test")[kind // 2],
            })  # fmt: skip
    table = tables.write(folder / "every.csv", rows)
    options = tables.QUICK | {"learner": "maml", "inner_steps": 1, "queries": 2, "steps": 4, "val_every": 2}
    options |= {"audio": {"width": 4}, "series": {"width": 4}, "modality": {"words": "text"}}
    run = train(table, target="name", out=folder / "run<b>", **options)
    run.evaluate(episodes=4)
    return run


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that predicts a number, grouped, from a single input."""
    folder = tmp_path_factory.mktemp("numbers")
    rng = np.random.default_rng(0)
    rows = [
        {"x": f"{x:.3f}", "y": f"{group * x:.3f}", "sensor": f"s{group}"}
        for group in range(8)
        for x in rng.normal(size=8)
    ]
    options = tables.QUICK | {"learner": "maml", "inner_steps": 1, "shots": 3, "queries": 4}
    del options["image"], options["text"]
    table = tables.write(folder / "numbers.csv", rows)
    return train(table, target="y", group="sensor", out=folder / "run", **options)


@pytest.fixture
def copied(run: Run, tmp_path: Path) -> Run:
    """The small run, free to be changed."""
    import shutil

    return Run.load(shutil.copytree(run.folder, tmp_path / "run"))
