from __future__ import annotations

import pytest
import tables


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
        (("import", "mnits", "."), "unknown data set 'mnits': did you mean 'mnist'"),
        (("import", "mnist", ".", "--directory", "x"), "no option 'directory'"),
    ],
)
def test_what_there_is_not_is_refused(omnishot, tmp_path, args, message):
    done = omnishot("data", *args, "--out", tmp_path / "t.csv")
    assert done.code == 2
    assert message in done.err


def test_a_data_set_is_imported(omnishot, tmp_path, shared_data):
    folder = shared_data / "fsdd"
    if not folder.is_dir():
        pytest.skip("needs the published data set fsdd")
    out = tmp_path / "digits.csv"
    done = omnishot("data", "import", "fsdd", folder, "--out", out, "--split", "none")
    assert done.code == 0, done.err
    assert "split" not in tables.read(out)[0]
