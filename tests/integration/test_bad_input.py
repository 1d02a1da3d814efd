"""Whatever can be wrong with what a user gives: a clear error, an exit code, and nothing lost."""

from __future__ import annotations

import errno
import io
import os
import wave
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import tables

from omnishot.cli.main import main
from omnishot.core.storage import read_json
from omnishot.errors import DataError, UsageError
from omnishot.runs.run import Run
from omnishot.table import cache_entry
from omnishot.training.train import train


def birds(folder: Path, **first: str) -> Path:
    """The birds, with other cells in the first row."""
    table = tables.birds(folder)
    rows = tables.read(table)
    rows[0] |= first
    return tables.write(table, rows)


def small(table: Path, out: Path, **options: Any) -> Run:
    return train(table, out=out, **{"target": "species", **tables.QUICK, **options})


def truncated_png(folder: Path) -> str:
    path = folder / "photos" / "crane-0.png"
    (folder / "cut.png").write_bytes(path.read_bytes()[:-100])
    return "cut.png"


def bomb(folder: Path) -> str:
    """A PNG of a few bytes that says it is 60,000 × 60,000."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = (60_000).to_bytes(4, "big") * 2
    header = chunk(b"IHDR", size + bytes([8, 0, 0, 0, 0]))
    (folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    return "bomb.png"


def path_outside(folder: Path) -> str:
    (folder.parent / "secret.png").write_bytes((folder / "photos" / "crane-0.png").read_bytes())
    return "../secret.png"


def link(folder: Path) -> str:
    (folder / "link.png").symlink_to(path_outside(folder).replace("..", str(folder.parent)))
    return "link.png"


CELLS: dict[str, tuple[Callable[[Path], str], str]] = {
    "missing file": (lambda _: "photos/gone.png", "no such file: photos/gone.png"),
    "truncated picture": (truncated_png, "truncated"),
    "decompression bomb": (bomb, "decompression bomb"),
    "path outside": (path_outside, "points outside the table's folder: ../secret.png"),
    "link outside": (link, "points outside the table's folder: link.png"),
    "no picture": (lambda folder: str((folder / "x.txt").write_text("hello") and "x.txt"), "no image"),
    "a folder": (lambda _: "photos", "is a directory, not a file: photos"),
}


@pytest.mark.parametrize("what", CELLS)
def test_a_bad_picture_is_named_by_row_and_column_and_stops_the_training(tmp_path, what, capsys):
    folder = tmp_path / "table"
    folder.mkdir()
    tables.birds(folder)
    make, reason = CELLS[what]
    table = birds(folder, photo=make(folder))
    assert main(["check", str(table), "--target", "species"]) == 1
    output = capsys.readouterr().out
    assert "bad cell: row 2, column 'photo': " in output
    assert "1 bad cell" in output
    assert reason in output
    with pytest.raises(DataError, match=r"1 bad cell\n  row 2, column 'photo': .*\n.*--skip-bad"):
        small(table, tmp_path / "run")
    assert not (tmp_path / "run" / "config.toml").exists()
    run = small(table, tmp_path / "run", skip_bad=True)
    (skipped,) = read_json(run.folder / "skipped.json")
    assert (skipped["row"], skipped["column"]) == (2, "photo")
    assert run.record.rows == {"train": 18, "val": 6, "test": 6}  # the row goes on with its other cells


def recording(frames: int = 800) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(os.urandom(2 * frames))
    return file.getvalue()


def test_a_truncated_recording_is_named(tmp_path, capsys):
    rows = [{"call": f"{i}.wav", "species": tables.SPECIES[i // 3]} for i in range(18)]
    for i in range(18):
        (tmp_path / f"{i}.wav").write_bytes(recording()[: 600 if i == 4 else None])
    table = tables.write(tmp_path / "calls.csv", rows)
    assert main(["check", str(table), "--target", "species"]) == 1
    assert "bad cell: row 6, column 'call': " in capsys.readouterr().out
    with pytest.raises(DataError, match="row 6, column 'call'"):
        train(table, target="species", out=tmp_path / "run", learner="protonet", steps=1)


def test_every_bad_cell_is_listed_by_check_and_the_first_by_train(tmp_path, capsys):
    table = tables.birds(tmp_path)
    rows = tables.read(table)
    for row in rows[:12]:
        row["photo"] = "gone.png"
    tables.write(table, rows)
    assert main(["check", str(table), "--target", "species"]) == 1
    assert capsys.readouterr().out.count("bad cell: ") == 12
    with pytest.raises(DataError, match=r"(?s)12 bad cells.*… and 2 more \(`omnishot check` lists them all\)"):
        small(table, tmp_path / "run")


def test_an_input_of_bad_cells_only_does_not_keep_check_from_listing_them(tmp_path, capsys):
    table = tables.birds(tmp_path)
    rows = tables.read(table)
    for i, row in enumerate(rows):
        row["photo"] = f"gone-{i}.png" if i else ""
    tables.write(table, rows)
    assert main(["check", str(table), "--target", "species"]) == 1
    out = capsys.readouterr().out
    assert out.count("bad cell: ") == 29
    assert "row 31, column 'photo': no such file: gone-29.png" in out
    assert "problem: " in out
    with pytest.raises(DataError, match="image input 'photo' cannot be learned from the 18 training rows"):
        small(table, tmp_path / "run")


def test_text_in_a_number_column(tmp_path, capsys):
    table = birds(tmp_path, weight="heavy")
    assert main(["check", str(table)]) == 1
    assert "row 2, column 'weight': text in a number column: 'heavy'" in capsys.readouterr().out
    with pytest.raises(DataError, match="row 2, column 'weight': text in a number column: 'heavy'"):
        small(table, tmp_path / "run")


@pytest.mark.parametrize("option", ["target", "group", "split"])
def test_a_column_that_does_not_exist(tmp_path, option, capsys):
    table = tables.birds(tmp_path)
    assert main(["check", str(table), f"--{option}", "specis"]) == 2
    assert "unknown column 'specis': did you mean 'species'?" in capsys.readouterr().err
    with pytest.raises(UsageError, match="unknown column 'specis': did you mean 'species'"):
        small(table, tmp_path / "run", **{option: "specis"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("photo,note,note\na.png,b,c\n", "has two columns named 'note'"),
        ("", "is empty: a table needs a header and at least one row"),
        ("photo,species\n", "a table needs a header and at least one row"),
        ("a,b\n1,2\n3\n", "line 3"),
    ],
)
def test_a_table_that_is_none(tmp_path, text, message, capsys):
    table = tmp_path / "t.csv"
    table.write_text(text)
    assert main(["check", str(table)]) == 1
    assert message in capsys.readouterr().err
    assert main(["train", str(table), "--target", "species", "--out", str(tmp_path / "run")]) == 1
    assert message in capsys.readouterr().err


def test_a_missing_table_and_an_unknown_format(tmp_path, capsys):
    assert main(["check", str(tmp_path / "gone.csv")]) == 1
    assert "no such table" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "t.xls")]) == 2
    assert "unknown table format '.xls'" in capsys.readouterr().err


def test_a_class_with_too_few_rows_is_named_with_its_count(tmp_path, run):
    table = tables.birds(tmp_path)
    rows, trained = tables.read(table), run.record.trained_on[0]
    first = [row for row in rows if row["species"] == trained][:1]
    tables.write(table, [row for row in rows if row["species"] != trained] + first)
    with pytest.raises(
        DataError, match=rf"1 shots and at least 1 query need 2 rows of every class; .*: {trained} \(1\)"
    ):
        small(table, tmp_path / "run")
    with pytest.raises(DataError, match=r"2 shots and 1 queries need 3 rows of every class; fewer in: .*\(\d\)"):
        small(table, tmp_path / "run", shots=2, queries=1)
    assert small(table, tmp_path / "run", skip_bad=True).record.ways == 5


def test_too_many_ways_are_refused_with_the_number_of_classes(tmp_path):
    with pytest.raises(DataError, match=r"7 ways need 7 classes .* the part 'train' has 6: ask for 6 ways or fewer"):
        small(tables.birds(tmp_path), tmp_path / "run", ways=7)


def test_too_few_classes_to_split(tmp_path, capsys):
    table = tables.birds(tmp_path)
    tables.write(table, tables.read(table)[:9])
    message = "parts that share no class need at least 4 classes"
    with pytest.raises(DataError, match=message):
        small(table, tmp_path / "run")
    assert main(["check", str(table), "--target", "species"]) == 1
    assert f"problem: {table}" in (out := capsys.readouterr().out)
    assert message in out


def test_a_row_whose_every_cell_is_missing(tmp_path, capsys):
    table = birds(tmp_path, photo="", note="", weight="")
    assert main(["check", str(table), "--target", "species"]) == 1
    assert "row 2, column '(every input)': every cell of the row is missing or bad" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"row 2, column '\(every input\)'"):
        small(table, tmp_path / "run")


def test_a_row_without_a_target(tmp_path):
    table = birds(tmp_path, species="")
    with pytest.raises(DataError, match="row 2, column 'species': the target is missing"):
        small(table, tmp_path / "run")
    assert small(table, tmp_path / "run", skip_bad=True).record.rows != {"train": 18, "val": 6, "test": 6}


def test_a_table_with_no_input(tmp_path, capsys):
    table, notes = tables.birds(tmp_path), dict.fromkeys(("photo", "note", "weight"), "note")
    message = "has no column to learn from: photo is a note, note is a note, weight is a note, species is the target"
    with pytest.raises(UsageError, match=message):
        train(table, target="species", out=tmp_path / "run", modality=notes)
    modalities = ",".join(f"{name}={kind}" for name, kind in notes.items())
    assert main(["check", str(table), "--target", "species", "--modality", modalities]) == 1
    assert message in capsys.readouterr().out


def test_pictures_given_as_videos(tmp_path, capsys):
    assert main(["check", str(tables.birds(tmp_path)), "--modality", "photo=video"]) == 1
    assert "no video, but a PNG image" in capsys.readouterr().out


# -- adapting and predicting -------------------------------------------------------------------------------


def test_a_support_set_with_one_class(run, birds):
    rows = [row for row in tables.read(birds) if row["species"] == "crane"]
    with pytest.raises(DataError, match="the only class is 'crane'; there is nothing to tell apart"):
        run.adapt(tables.write(birds.parent / "cranes.csv", rows))


def test_support_rows_with_bad_cells_or_no_target(run, birds):
    rows = tables.read(birds)[:6]
    broken = [row | {"photo": "gone.png"} if i == 3 else row for i, row in enumerate(rows)]
    with pytest.raises(DataError, match=r"row 5, column 'photo': no such file: gone\.png"):
        run.adapt(tables.write(birds.parent / "broken.csv", broken))
    unlabelled = [row | {"species": ""} if i == 2 else row for i, row in enumerate(rows)]
    with pytest.raises(DataError, match="row 4, column 'species': the target is missing"):
        run.adapt(tables.write(birds.parent / "unlabelled.csv", unlabelled))
    with pytest.raises(UsageError, match="no column 'species': adapting needs labelled rows"):
        run.adapt([{"photo": "", "weight": 1.0}])


def test_a_query_with_an_unknown_column_or_with_none_of_the_inputs(run, birds):
    model = run.adapt(birds)
    with pytest.raises(UsageError, match="a column 'wieght' that the training table had not: did you mean 'weight'"):
        model.predict([{"wieght": 3}])
    with pytest.raises(DataError, match="has none of the inputs"):
        model.predict([{"_note": "x"}])
    with pytest.raises(DataError, match="a table needs a header and at least one row"):
        model.predict([])


def test_a_disk_that_is_full_while_caching_says_what_is_needed_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OMNISHOT_CACHE", str(tmp_path / "cache"))
    table = tables.birds(tmp_path)

    def full(path: Path, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(cache_entry, "_allocate", full)
        assert main(["train", str(table), "--target", "species", "--out", str(tmp_path / "run")]) == 1
    output = capsys.readouterr().err
    assert "No space left on device" in output
    assert "set OMNISHOT_CACHE to a folder on a disk that has it" in output
    assert list((tmp_path / "cache").iterdir()) == []
    assert not (tmp_path / "run").exists()
    assert small(table, tmp_path / "run").summary()["step"] == 6


def test_a_disk_that_is_full_while_training_leaves_the_last_checkpoint(tmp_path, birds, monkeypatch):
    own = Path.replace
    saves = []

    def replace(self: Path, target: Path) -> Path:
        if "last" in str(target):
            saves.append(target)
            if len(saves) == 3:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return own(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(DataError, match=r"cannot write .*last/checkpoint.safetensors .* bytes\): No space left"):
            small(birds, tmp_path / "run")
    assert not list((tmp_path / "run" / "last").glob(".*"))
    assert train(birds, out=tmp_path / "run", resume=True).summary()["step"] == 6
