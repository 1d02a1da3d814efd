"""Every command line in the documentation is one that the program understands. Nothing is trained."""

from __future__ import annotations

import dataclasses
import importlib
import re
import shlex
from argparse import Namespace
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from omnishot.analysis.comparison.options import choose_all, learner_options
from omnishot.cli.main import parser
from omnishot.core.options import typed
from omnishot.core.registries import describe
from omnishot.core.registry import KINDS, Registry
from omnishot.datasets import DATASETS
from omnishot.experiment.config import TABLES, Config
from omnishot.experiment.options import from_options
from omnishot.learners import LEARNERS
from omnishot.nn.fusion import FUSIONS
from omnishot.objectives import OBJECTIVES
from omnishot.worlds import WORLDS

ROOT = Path(__file__).parents[2]
PAGES = sorted([
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/**/README.md"),
])  # fmt: skip

VALUES = dict.fromkeys(("age", "sex", "creatinine", "lactate", "crp", "white_cells"), "tabular")
WARD = {"picture": "image", "note": "text", "vitals": "series", **VALUES}
#: The kind of each input of the tables that the documentation trains on.
INPUTS = {
    **{f"{name}.csv": {"audio": "audio"} for name in ("commands", "esc50", "fsdd", "sentences", "words")},
    **{f"{name}.csv": {"image": "image"} for name in ("flickr8k", "omniglot", "scenes")},
    "birds.csv": {"photo": "image", "note": "text", "weight": "tabular"},
    "cub.csv": {"image": "image", "attributes": "text", "caption": "text"},
    "drives.csv": {"camera": "image", "radar": "series", "motion": "series"},
    "glyphs.csv": {"picture": "image", "sound": "audio", "text": "text"},
    "har.csv": {"series": "series"},
    "rare.csv": WARD,
    "relations.csv": {"sentence_a": "text", "sentence_b": "text"},
    "sick.csv": {"sentence_a": "text", "sentence_b": "text"},
    "strokes.csv": {"image": "image", "strokes": "series"},
    "vqa.jsonl": {"image": "image", "question": "text"},
    "wards.csv": WARD,
}
#: The objective that is inferred from these targets; from all others it is `classify`.
OBJECTIVE_OF = {"caption": "caption", "answer": "answer", "relatedness": "match", "steering,collision": "regress"}


@dataclasses.dataclass(frozen=True)
class Line:
    """A command line of a page; `inline` ones stand in a sentence and may leave arguments out."""

    page: str
    words: tuple[str, ...]
    inline: bool = False

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def blocks(text: str) -> list[str]:
    """The contents of the blocks of shell commands."""
    return re.findall(r"^```(?:bash|sh)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def shell_lines(block: str) -> Iterator[str]:
    """The logical lines of a block: continued after a backslash, and while a quotation is open."""
    text = ""
    for line in block.splitlines():
        text += line if not text or text.endswith(" ") else "\n" + line
        if text.endswith("\\"):
            text = text[:-1].rstrip() + " "
            continue
        try:
            shlex.split(text, comments=True)
        except ValueError:  # an open quotation
            continue
        yield text
        text = ""
    assert not text, f"the line is not complete: {text}"


def expanded(text: str, variables: dict[str, str]) -> str:
    """A line with its `$NAME`s replaced; assignments are kept in `variables`."""
    return re.sub(r"\$(\w+)", lambda match: variables[match[1]], text)


def lines_of_block(page: str, block: str, variables: dict[str, str]) -> Iterator[Line]:
    for text in shell_lines(block):
        words: list[str] = []
        for word in [*shlex.split(expanded(text, variables), comments=True), "&&"]:
            if word != "&&":
                words.append(word)
            elif words:
                yield Line(page, tuple(words))
                words = []


def assignments(block: str) -> dict[str, str]:
    words = [shlex.split(text, comments=True) for text in shell_lines(block)]
    return dict(line[0].split("=", 1) for line in words if len(line) == 1 and re.match(r"\w+=", line[0]))


def documented() -> list[Line]:
    """Every command of the documentation, in blocks and in sentences."""
    found: list[Line] = []
    for path in PAGES:
        text, page = path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))
        shell = blocks(text)
        variables: dict[str, str] = {}
        for block in shell:
            variables |= assignments(block)
        for block in shell:
            found += lines_of_block(page, block, variables)
        prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        for span in re.findall(r"`([^`\n]+)`", prose):
            words = span.replace("\\|", "|").replace("[", " ").replace("]", " ").split()
            if words and words[0] in ("omnishot", "python", "torchrun"):
                found.append(Line(page, tuple(words), inline=True))
    return found


def arguments(line: Line) -> list[str] | None:
    """The arguments that a line gives to `omnishot`; None if it calls something else."""
    words = list(line.words)
    if Path(words[0]).name == "omnishot":
        return words[1:]
    if words[0] == "torchrun" and "omnishot" in words:
        return words[words.index("omnishot") + 1 :]
    return None


LINES = documented()
COMPLETE = [line for line in LINES if not line.inline and arguments(line) is not None]
INLINE = [line for line in LINES if line.inline and arguments(line) is not None]
SCRIPTS = [line for line in LINES if line.words[0] == "python"]


@cache
def subparsers() -> dict[str, Any]:
    choices: Any = next(action.choices for action in parser()._actions if action.dest == "command")
    return dict(choices)


@pytest.mark.parametrize("line", COMPLETE, ids=str)
def test_a_documented_command_is_understood(line):
    args = parser().parse_args(arguments(line))
    if args.command == "train":
        check_training(args)
    elif args.command == "compare":
        check_comparison(args)
    elif args.command == "data":
        name, registry = (args.world, WORLDS) if args.action == "make" else (args.name, DATASETS)
        check_call(registry, name, args.options)
    elif args.command == "list":
        assert describe(args.kind)


def check_training(args: Namespace) -> None:
    inputs = inputs_of(args)
    if args.learner is not None:
        assert args.learner in LEARNERS.names()
    objective = objective_of(args)
    from_options({**objective.defaults, **training_options(args)}, inputs, objective)


def check_comparison(args: Namespace) -> None:
    inputs, objective = inputs_of(args), objective_of(args)
    every = LEARNERS.names() if args.learners == ["all"] else args.learners
    learners = choose_all("learner", every, LEARNERS.names())
    for fusion in args.fusions or ():
        assert fusion in FUSIONS.names()
    options = {name: value for name, value in training_options(args).items() if name != "steps"}
    for learner in learners:
        own = learner_options(learner, learners, options, inputs)
        from_options({**objective.defaults, **own, "learner": learner}, inputs, objective)


def check_call(registry: Registry, name: str, options: dict[str, str]) -> None:
    registry.check_options(name, options)
    types = registry.types(name)
    for option, value in options.items():
        typed(option, value, types[option])


def inputs_of(args: Namespace) -> dict[str, str]:
    inputs = INPUTS[args.table]
    return inputs if args.inputs is None else {name: inputs[name] for name in args.inputs}


def objective_of(args: Namespace) -> Any:
    return OBJECTIVES.load(args.objective or OBJECTIVE_OF.get(args.target, "classify"))


def training_options(args: Namespace) -> dict[str, Any]:
    """The options of the training, as `omnishot train` and `compare` give them to the library."""
    fields = {field.name for field in dataclasses.fields(Config)} - set(TABLES)
    return {name: value for name, value in vars(args).items() if name in fields and value is not None} | args.options


@pytest.mark.parametrize("line", INLINE, ids=str)
def test_a_command_in_a_sentence_names_what_there_is(line):
    command, *rest = arguments(line) or ["--help"]
    if command.startswith("--"):
        assert command in ("--help", "--version", "--import")
        return
    assert command in subparsers()
    if command == "list" and rest and "|" not in rest[0]:
        assert rest[0] in [plural for plural, _ in KINDS.values()]
    if command != "data":
        known = subparsers()[command]
        for word in rest:
            name = word.partition("=")[0]
            assert not name.startswith("--") or known.free or name in known._option_string_actions, name
    if command == "data" and len(rest) > 1 and not rest[1].isupper() and rest[1] != "…":
        registry = WORLDS if rest[0] == "make" else DATASETS
        options = [word[2:].replace("-", "_") for word in rest if word.startswith("--") and word != "--out"]
        registry.check_options(rest[1], dict.fromkeys(options, ""))


@pytest.mark.parametrize("line", SCRIPTS, ids=str)
def test_a_documented_script_has_the_options_named(line):
    if line.words[1] == "-m":
        return
    script = ROOT / line.words[1]
    text = script.read_text(encoding="utf-8")
    for module in re.findall(r"^\s*(?:from|import) (\w+)", text, flags=re.MULTILINE):
        shared = [
            folder / f"{module}.py" for folder in (script.parent, ROOT / "benchmarks", ROOT / "benchmarks/studies")
        ]
        text += "".join(path.read_text(encoding="utf-8") for path in shared if path.exists())
    for word in line.words[2:]:
        if word.startswith("--"):
            assert f'"{word.partition("=")[0]}"' in text, f"{script.name} has no option {word}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_block_of_commands_is_marked_as_such(path):
    assert not re.findall(
        r"^```\n(?:omnishot|python|torchrun) .*", path.read_text(encoding="utf-8"), flags=re.MULTILINE
    )


#: Options of other programs that the documentation names, and those programs.
OTHERS = ("--nnodes", "--nproc-per-node")
PROGRAMS = ("pip", "pytest", "ruff")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_option_in_a_sentence_is_one_of_something(path):
    prose = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    spans = [span for span in re.findall(r"`([^`\n]+)`", prose) if span.split()[0] not in PROGRAMS]
    named = {name for span in spans for name in re.findall(r"(?<![\w-])--[a-z][\w.-]*", span)}
    unknown = sorted(name for name in named if name not in known_options() and name not in OTHERS)
    assert not unknown


@cache
def known_options() -> frozenset[str]:
    """Every option of the command line, of what the library lists, and of the benchmarks."""
    known = {name for each in subparsers().values() for name in each._option_string_actions}
    known |= {"--import", "--help", "--version", "--out"}
    own: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for kind, (plural, _) in KINDS.items():
        for thing in describe(plural):
            own[kind] |= {option.replace("_", "-") for option in thing["options"]}
            if kind == "learner":
                known |= {f"--{thing['name']}.{option.replace('_', '-')}" for option in thing["options"]}
    fields = {field.name.replace("_", "-") for field in dataclasses.fields(Config)}
    plain = fields | own["learner"] | own["world"] | own["dataset"]
    of_inputs = own["encoder"] | own["modality"] | {"encoder", "frozen"}
    places = {name for inputs in INPUTS.values() for pair in inputs.items() for name in pair}
    known |= {f"--{option}" for option in plain}
    known |= {f"--{place}.{option}" for place in places for option in of_inputs}
    known |= {f"--fuse.{option}" for option in own["fusion"]}
    known |= {f"--objective-options.{option}" for option in own["objective"] | own["decoder"]}
    scripts = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("benchmarks/**/*.py"))
    return frozenset(known | set(re.findall(r'"(--[a-z][\w-]*)"', scripts)))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_in_a_sentence_exists(path):
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"`([\w/]+\.py)`", text):
        places = [ROOT, ROOT / "src/omnishot", path.parent]
        assert any((place / name).exists() for place in places) or "NAME" in name, name
    for name in re.findall(r"`(omnishot(?:\.\w+)+)", text):
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name
