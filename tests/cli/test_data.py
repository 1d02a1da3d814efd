from __future__ import annotations

import pytest
from support import tables


def test_a_world_is_made_and_checked(omnishot, tmp_path):
    out = tmp_path / "letters.csv"
    done = omnishot("data", "make", "glyphs", "--out", out, "--rows-per-letter", 1, "--alphabets=3", "--sound", "false")
    assert done.code == 0, done.err
    assert "sound" not in tables.read(out)[0]
    assert omnishot("check", out, "--target", "letter").code == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("make", "glyph"), "unknown world 'glyph': did you mean 'glyphs'"),
        (("make", "glyphs", "--alphabet", "3"), "no option 'alphabet': did you mean 'alphabets'"),
        (("make", "glyphs", "--seed", "x"), "option 'seed' takes int, not 'x'"),
        (("make", "glyphs", "--name", "x"), "no option 'name'"),
        (("import", "mnits", "."), "unknown dataset 'mnits': did you mean 'mnist'"),
        (("import", "mnist", ".", "--directory", "x"), "no option 'directory'"),
    ],
)
def test_what_there_is_not_is_refused(omnishot, tmp_path, args, message):
    done = omnishot("data", *args, "--out", tmp_path / "t.csv")
    assert done.code == 2
    assert message in done.err


@pytest.mark.filterwarnings("always::UserWarning")
def test_what_is_missing_is_printed_on_a_line_of_its_own(omnishot, tmp_path):
    (tmp_path / "set" / "Images").mkdir(parents=True)
    (tmp_path / "set" / "Images" / "a b.jpg").write_bytes(b"picture")
    (tmp_path / "set" / "Flickr8k.token.txt").write_text("a b.jpg#0\tOne .\nlost.jpg#0\tTwo .\n")
    out = tmp_path / "t.csv"
    done = omnishot("data", "import", "flickr8k", tmp_path / "set", "--out", out, "--split", "none")
    assert done.code == 0
    assert not done.out
    warning, last = done.err.splitlines()
    assert warning.startswith("omnishot: warning: missing or empty pictures: 1 of 2 (lost.jpg); ")
    assert last.startswith(f"the table is {out}")
    assert [row["image"] for row in tables.read(out)] == ["t_files/a b.jpg", ""]


def test_a_data_set_is_imported(omnishot, tmp_path, shared_data):
    folder = shared_data / "fsdd"
    if not folder.is_dir():
        pytest.skip("needs the published data set fsdd")
    out = tmp_path / "digits.csv"
    done = omnishot("data", "import", "fsdd", folder, "--out", out, "--split", "none")
    assert done.code == 0, done.err
    assert "split" not in tables.read(out)[0]
