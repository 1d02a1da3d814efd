from __future__ import annotations

import omnishot as om


def test_search_prints_what_the_library_finds(omnishot, run, birds):
    expected = om.search(run, birds, "near the lake", top=3)
    done = omnishot("search", run.folder, birds, "--query", "near the lake", "--top", 3)
    assert done.code == 0, done.err
    assert done.out == f"{expected}\n"
    assert "near the lake: note → photo, of 25 rows" in done.out
    assert done.out.count("photo: photos/") == 3


def test_several_queries_as_json(omnishot, run, birds):
    done = omnishot(
        "search", run.folder, birds, "--query", "a lake", "--query", '{"weight": 30}', "--by", "photo", "--json"
    )
    assert done.code == 0, done.err
    first, second = done.json()
    assert first == om.search(run, birds, "a lake").to_json()
    assert (second["input"], second["by"], len(second["hits"])) == ("tabular", "photo", 10)
    assert set(first["hits"][0]) == {"row", "similarity", "values"}


def test_mistakes_are_explained(omnishot, run, birds, tmp_path):
    for args, code, message in (
        ((run.folder, birds, "--query", '{"weight": '), 2, "begins as a row in JSON"),
        ((run.folder, birds), 2, "--query"),
        ((run.folder, birds, "--query", "x", "--by", "foto"), 2, "did you mean 'photo'"),
        ((run.folder, birds, "--query", "x.png"), 1, "x.png does not exist"),
        ((tmp_path / "none", birds, "--query", "x"), 1, "does not exist"),
        ((run.folder, tmp_path / "none.csv", "--query", "x"), 1, "no such table"),
    ):
        done = omnishot("search", *args)
        assert done.code == code, (args, done.err)
        assert message in done.err
        assert done.out == ""
