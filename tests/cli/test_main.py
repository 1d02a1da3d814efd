from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from omnishot.cli import check
from omnishot.core.registry import KINDS
from omnishot.experiment.config import Config


def run(*args: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter runs the command line, then `code`."""
    program = f"from omnishot.cli.main import main\nimport sys\ncode = main({list(args)})\n{code or ''}\nsys.exit(code)"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


HEAVY = (
    "print(sorted({'torch', 'numpy', 'pandas', 'pyarrow', 'scipy', 'sklearn', 'matplotlib', 'PIL', 'rich', "
    "'omnishot.runs.run'} & set(sys.modules)))"
)


@pytest.mark.parametrize(
    "args",
    [
        ("train", "t.csv"),
        ("trian",),
        ("evaluate", "run", "--episods", "3"),
        ("evaluate", "run", "--missing", "image=much"),
        ("predict", "m.omni"),
        ("list", "lerners"),
        ("data", "maek"),
        ("data", "make", "glyphs", "--out", "t.csv", "--rows-per-leter", "3"),
        ("data", "import", "fsdd", "folder", "--out", "t.csv", "--splt", "index"),
        (),
    ],
)
def test_usage_errors_exit_with_2_and_load_nothing_heavy(args):
    done = run(*args, code=HEAVY)
    assert done.returncode == 2
    assert done.stdout == "[]\n"
    assert done.stderr.startswith("omnishot: error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("args", [("--help",), ("train", "--help"), ("data", "make", "--help"), ("--version",)])
def test_help_loads_nothing_heavy(args):
    done = run(*args, code="")
    assert done.returncode == 0
    assert done.stdout
    loaded = f"import atexit, sys\natexit.register(lambda: {HEAVY})\n"
    program = f"{loaded}from omnishot.cli.main import main\nmain({list(args)})"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    assert out.endswith("[]\n")


@pytest.mark.parametrize("kind", [plural for plural, _ in KINDS.values()])
def test_listing_loads_nothing_heavy(kind):
    for output in (), ("--json",):
        done = run("list", kind, *output, code=HEAVY)
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) > 1
        assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize(
    ("args", "nearest"),
    [
        (("trian", "t.csv"), "train"),
        (("data", "imprt", "mnist"), "import"),
        (("list", "learner"), "learners"),
        (("evaluate", "r", "--mising", "a=1"), "--missing"),
        (("check", "t.csv", "--tagret=a"), "--target"),
    ],
)
def test_a_wrong_word_is_refused_with_the_nearest(omnishot, args, nearest):
    done = omnishot(*args)
    assert done.code == 2
    assert f"did you mean '{nearest}'" in done.err
    assert not done.out


def test_an_option_is_not_guessed_from_its_beginning(omnishot):
    assert omnishot("evaluate", "run", "--epi", "3").code == 2


def test_an_argument_too_many_is_refused(omnishot):
    done = omnishot("list", "learners", "fusions")
    assert done.code == 2
    assert "unexpected argument 'fusions'" in done.err


def test_an_interrupted_command_exits_with_1_and_no_traceback(omnishot, monkeypatch):
    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "_check", interrupted)
    done = omnishot("check", "t.csv")
    assert (done.code, done.err) == (1, "omnishot: interrupted\n")


def test_a_reader_that_closes_the_pipe_is_no_error():
    program = "import time; from omnishot.cli.main import run; run()"
    with subprocess.Popen(
        [sys.executable, "-c", program, "list", "learners", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_python_m_omnishot_is_the_command_line():
    done = subprocess.run([sys.executable, "-m", "omnishot", "list", "worlds"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("glyphs: ")


def test_the_help_of_train_names_every_option_of_every_training(capsys):
    from omnishot.cli.main import main

    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = capsys.readouterr().out
    for field in dataclasses.fields(Config):
        if field.name not in ("options", "inputs"):
            assert f"--{field.name.replace('_', '-')}" in text, field.name
