from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishot.datasets.files import File, fields, find, laid_out, lines, need, parse_json
from omnishot.errors import DataError


def test_the_nearest_file_comes_first_and_the_first_name_before_the_second(lay, pack):
    directory = lay({"a/b/one.txt": "deep", "z/one.txt": "near", "two.txt": "2", "all.zip": pack({"one.txt": b"zip"})})
    assert find(directory, "one.txt", "two.txt") == File(str(directory / "z" / "one.txt"), b"near")
    assert find(directory, "two.txt", "one.txt").data == b"2"
    (directory / "z" / "one.txt").unlink()
    assert find(directory, "one.txt").data == b"deep"
    (directory / "a" / "b" / "one.txt").unlink()
    assert find(directory, "one.txt") == File(f"{directory / 'all.zip'}: one.txt", b"zip")


def test_files_too_deep_and_litter_are_skipped(lay, pack):
    zipped = pack({"__MACOSX/one.txt": b"", "one.txt/": b""})
    files = {"a/b/c/one.txt": "", "__MACOSX/one.txt": "", ".hidden/one.txt": "", "one.txt/folder": ""}
    directory = lay(files | {"x.zip": zipped})
    assert find(directory, "one.txt") is None
    with pytest.raises(DataError, match=r"looked for one\.txt, unpacked or in a zip; try something else"):
        need(directory, "one.txt", remedy="try something else")


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(DataError, match=r"nowhere is not a folder; give the folder that holds a or b"):
        find(tmp_path / "nowhere", "a", "b")


def test_a_damaged_zip_is_named(lay, pack):
    whole = pack({"one.txt": b"some text" * 9})
    with pytest.raises(DataError, match=r"x\.zip is damaged"):
        find(lay({"x.zip": whole[:-30]}), "one.txt")
    with pytest.raises(DataError, match=r"x\.zip is damaged"):
        find(lay({"x.zip": whole.replace(b"some text", b"sane text", 1)}), "one.txt")


LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))


@given(st.lists(LINE), st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["", "\ufeff"]), st.booleans())
def test_lines_keep_their_text_and_number(written, end, mark, ended):
    if written and written[0].startswith("\ufeff"):
        mark = "\ufeff"  # a mark of its own would be taken for the file's
    data = (mark + end.join(written) + end * ended).encode()
    expected = [(i, line) for i, line in enumerate(written, start=1) if line.strip()]
    assert list(lines(File("x", data))) == expected


def test_what_is_not_utf8_is_named_by_its_line():
    with pytest.raises(DataError, match=r"^x, line 3: not UTF-8"):
        list(lines(File("x", "ä\n\nb".encode() + b"\xe9\n")))


def test_fields_are_enough():
    assert list(fields(File("x", b"1  a b\n\n2\tc\n"), 2)) == [["1", "a", "b"], ["2", "c"]]
    with pytest.raises(DataError, match=r"x, line 2 is damaged: '3' has fewer than 2 fields"):
        list(fields(File("x", b"1 a\n3\n"), 2))


@pytest.mark.parametrize("data", [b"", b"{", b'{"a": \xff}'])
def test_what_is_no_json(data):
    with pytest.raises(DataError, match="x is damaged"):
        parse_json(File("x", data))


def test_what_is_laid_out_otherwise():
    with pytest.raises(DataError, match="x is damaged: it lacks 'a'"), laid_out("x"):
        {}["a"]
    with pytest.raises(DataError, match="x is damaged: it has another layout"), laid_out("x"):
        int("a")
    with pytest.raises(DataError, match=r"^y$"), laid_out("x"):
        raise DataError("y")
