from __future__ import annotations

import json

import pytest

SMALL = ["--target", "species", "--episodes", 3, "--tasks", 1, "--val-episodes", 2, "--dim", 8, "--text.width", 8,
         "--text.heads", 2, "--modality", "photo=note,weight=note"]  # fmt: skip


@pytest.fixture
def compared(omnishot, birds, tmp_path):
    """Compares with `args`; returns what the command came to and the folder."""

    def call(*args: object):
        out = tmp_path / "out"
        return omnishot("compare", birds, "--out", out, *SMALL, *args), out

    return call


def test_one_table_best_first(compared):
    done, out = compared("--learners", "protonet,maml,centroid", "--steps", 2, "--maml.inner-steps", 1)
    assert done.code == 0, done.err
    saved = json.loads((out / "comparison.json").read_text())
    head, *rows = done.out.splitlines()[2:6]
    assert " ".join(head.split()) == "rank learner accuracy steps trained s/task parameters"
    assert [row.split()[1] for row in rows] == [cell["learner"] for cell in saved["cells"]]
    assert [row.split()[0].lstrip("=") for row in rows] == [str(cell["rank"]) for cell in saved["cells"]]
    assert "3 test episodes, seed 0" in done.out
    assert str(out / "comparison.html") in done.err
    assert saved["settings"]["options"]["maml"]["inner_steps"] == 1
    again, _ = compared("--learners", "protonet,maml,centroid", "--steps", 2, "--maml.inner-steps", 1, "--resume")
    assert (again.code, again.out) == (0, done.out)


def test_json_on_stdout_words_on_stderr_and_exit_code_1_for_a_failure(compared, monkeypatch):
    done, out = compared(
        "--learners", "centroid,logreg", "--steps", 1, "--ways", 2, "--shots", 2, "--queries", 9, "--json"
    )
    assert done.code == 1
    assert done.json() == json.loads((out / "comparison.json").read_text())
    assert all("rows of every class" in cell["error"] for cell in done.json()["cells"])
    assert "failed: centroid, logreg: " in done.err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--learners", "maml,protonet", "--steps", "1", "--inner-steps", "1"], "give it to maml alone"),
        (["--learners", "maml", "--steps", "1", "--protonet.scale", "1"], "not among the learners compared"),
        (["--learners", "maml"], "give either minutes or steps"),
        (["--learners", "maml", "--steps", "many"], "argument --steps: invalid int value: 'many'"),
        (["--learners", "maml,protnet", "--steps", "1"], "did you mean 'protonet'"),
        (["--steps", "1"], "--learners"),
        (["--learners", "maml", "--steps", "1", "--fusion", "sum"], "'fusion' is set by the comparison"),
    ],
)
def test_wrong_use_is_refused(compared, args, message):
    done, out = compared(*args)
    assert done.code == 2
    assert message in done.err
    assert not done.out
    assert not out.exists()
