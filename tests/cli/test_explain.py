from __future__ import annotations

import shutil

import pytest
from support import tables


@pytest.fixture
def copied(run, tmp_path):
    return shutil.copytree(run.folder, tmp_path / "run")


def test_a_run_is_explained_into_its_folder_and_as_json(omnishot, copied):
    done = omnishot("explain", copied, "--rows", 2, "--json")
    assert done.code == 0, done.err
    assert "a validation task of birds.csv, seed 0" in done.err
    assert (copied / "explain.html").read_text().startswith("<!DOCTYPE html>")
    record = done.json()
    assert record["inputs"] == ["photo", "note", "tabular"]
    for row in record["rows"]:
        total = row["value"] - row["base_value"]
        assert sum(row["contributions"].values()) == pytest.approx(total, abs=1e-6)
        assert row["base_value"] == 1 / len(record["classes"])
    assert record["cka"] is None
    assert record["parameter_change"] == {}


def test_a_model_is_explained_beside_it(omnishot, run, birds, tmp_path):
    path = run.adapt(birds).save(tmp_path / "birds.omni")
    done = omnishot("explain", path, birds)
    assert (done.code, done.out) == (0, "")
    assert "does not hold the rows" in (tmp_path / "birds.html").read_text()
    done = omnishot("explain", path, birds, "--support", birds, "--out", tmp_path / "page.html", "--json")
    assert done.code == 0, done.err
    assert done.json()["rows"][0]["nearest"][0] == {
        "row": 2, "target": "blackbird", "distance": pytest.approx(0, abs=1e-5),
    }  # fmt: skip
    assert "Nearest support rows:" in (tmp_path / "page.html").read_text()


def test_mistakes_are_explained(omnishot, run, birds, tmp_path):
    model = run.adapt(birds).save(tmp_path / "birds.omni")
    for args, code, message in (
        ((tmp_path / "none",), 1, "does not exist"),
        ((birds,), 1, "not a whole Omnishot model"),
        ((tmp_path,), 1, "is not a run"),
        ((model,), 2, "a model has no rows of its own: give a table"),
        ((run.folder, "--support", birds), 2, "give a table"),
        ((run.folder, tmp_path / "none.csv"), 1, "no such table"),
        ((run.folder, "--rows", 0), 2, "rows must be at least 1, not 0"),
        ((run.folder, "--ways", 40), 1, "40 ways need 40 classes"),
        ((run.folder, "--row", 3), 2, "did you mean '--rows'"),
        ((model, birds, "--support", model), 2, "unknown table format '.omni'"),
    ):
        done = omnishot("explain", *args, "--out", tmp_path / "page.html")
        assert done.code == code, (args, done.err)
        assert message in done.err
        assert done.out == ""
        assert not (tmp_path / "page.html").exists()
    wrong = tables.write(birds.parent / "columns.csv", [row | {"size": "3"} for row in tables.read(birds)])
    done = omnishot("explain", run.folder, wrong)
    assert done.code == 2
    assert "has a column 'size' that the training table had not" in done.err
    empty = tables.write(birds.parent / "unlabelled.csv", [row | {"species": ""} for row in tables.read(birds)])
    done = omnishot("explain", run.folder, empty)
    assert done.code == 1
    assert "no row with a target (species)" in done.err
