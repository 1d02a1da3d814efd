from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishot.errors import DataError, UsageError
from omnishot.experiment.config import Config
from omnishot.experiment.options import from_options, read_toml, split_input_options
from omnishot.objectives.answer import Answer
from omnishot.objectives.caption import Caption
from omnishot.objectives.classify import Classify
from omnishot.objectives.regress import Regress
from omnishot.objectives.tag import Tag

INPUTS = {"photo": "image", "note": "text"}


def test_options_are_the_same_in_python_on_the_command_line_and_in_a_file(tmp_path):
    python = from_options(
        {"learner": "maml", "ways": (2, 5), "inner_lr": 0.5, "second_order": False, "lr": 1, "noise": {"photo": 0.3},
         "image": {"size": [20, 30]}}, INPUTS,
    )  # fmt: skip
    text = {"learner": "maml", "ways": "2-5", "inner_lr": "0.5", "second_order": "false", "lr": "1",
            "noise": {"photo": "0.3"}, "image.size": "[20, 30]"}  # fmt: skip
    assert from_options(text, INPUTS) == python
    (tmp_path / "c.toml").write_text(python.to_toml())
    assert from_options(read_toml(tmp_path / "c.toml"), INPUTS) == python
    assert (python.ways, python.lr, python.options) == ((2, 5), 1.0, {"inner_lr": 0.5, "second_order": False})
    assert split_input_options(python, "photo", "image") == ("conv4", {"size": (20, 30)}, {})


CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "learner": st.sampled_from(["maml", "protonet", "scratch"]),
        "ways": st.one_of(st.integers(2, 50), st.tuples(st.integers(2, 5), st.integers(5, 9))),
        "shots": st.integers(1, 20),
        "queries": st.none() | st.integers(1, 20),
        "lr": st.floats(1e-6, 1),
        "noise": st.dictionaries(st.sampled_from(["photo", "image", "*", "a b"]), st.floats(0, 1)),
        "skip_bad": st.booleans(),
        "plan": st.sampled_from(["auto", "loop", "split", "vmap", "vmap:4"]),
        "seed": st.integers(0, 2**31),
        "fuse": st.fixed_dictionaries({}, optional={"weighing": st.sampled_from(["softmax", "exponential"])}),
        "image": st.fixed_dictionaries({"size": st.integers(8, 99)}),
    },
)


@given(CONFIGS)
def test_a_config_survives_its_file(options: dict[str, Any]):
    config = from_options(options, INPUTS)
    assert from_options(tomllib.loads(config.to_toml()), INPUTS) == config
    assert from_options(config.to_options(), INPUTS) == config
    assert tomllib.loads(config.to_toml()) == config.to_options()


def test_the_names_options_count_before_the_kinds():
    config = from_options({"image.size": 20, "photo.size": 30, "image.width": 8}, INPUTS)
    assert split_input_options(config, "photo", "image") == ("conv4", {"size": 30}, {"width": 8})
    assert split_input_options(config, "other", "image") == ("conv4", {"size": 20}, {"width": 8})


def test_where_nothing_is_fused_no_fusion_is_named():
    config = from_options({"level": "early"}, INPUTS)
    assert not {"fusion", "fuse"} & config.to_options().keys()
    assert from_options(config.to_options(), INPUTS) == config


def test_options_of_the_fusion_have_a_table_of_their_own(tmp_path):
    config = from_options({"fusion": "sum", "fuse": {"alpha": "gate"}}, INPUTS)
    assert config.fuse == {"alpha": "gate"}
    assert from_options({"fusion": "sum", "fuse.alpha": "gate"}, INPUTS) == config
    (tmp_path / "c.toml").write_text('fusion = "sum"\n[fuse]\nalpha = "gate"\n')
    assert from_options(read_toml(tmp_path / "c.toml"), INPUTS) == config
    assert from_options(tomllib.loads(config.to_toml()), INPUTS) == config


def test_no_options_are_the_defaults():
    assert from_options({}, INPUTS) == Config()
    assert from_options({"ways": None, "queries": None}, INPUTS) == Config()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stepz": 3}, "no option 'stepz' for learner 'protonet': did you mean 'steps'"),
        ({"learner": "protonet", "inner_steps": 3}, "no option 'inner_steps' for learner 'protonet'"),
        ({"learner": "mamml"}, "unknown learner 'mamml': did you mean 'maml'"),
        ({"labels": 3}, "no option 'labels'"),
        ({"video.size": 3}, "no option 'video'"),
        ({"photo": 3}, "no option 'photo'"),
        ({"photo.encoder": "conv5"}, "unknown encoder 'conv5': did you mean 'conv4'"),
        ({"photo.encoder": "gru"}, None),
        ({"photo.sise": 3}, r"input 'photo' \(image, read by conv4\) has no option 'sise': did you mean 'size'"),
        ({"photo.size": "big"}, "option 'photo.size' takes int or Sequence.* or None, not 'big'"),
        ({"steps": 1.5}, "option 'steps' takes int, not 1.5"),
        ({"steps": True}, "option 'steps' takes int, not True"),
        ({"rotations": 1}, "option 'rotations' takes bool, not 1"),
        ({"ways": [2, "x"]}, "option 'ways' takes"),
        ({"ways": [2, 3, 4]}, "option 'ways' takes"),
        ({"ways": [5, 2]}, r"ways as a range is \[low, high\], not \[5, 2\]"),
        ({"ways": 1}, "ways must be at least 2, not 1"),
        ({"shots": 0}, "shots must be at least 1, not 0"),
        ({"tasks": -1}, "tasks must be at least 1, not -1"),
        ({"steps": -1}, "steps must be at least 0, not -1"),
        ({"lr": 0}, "lr must be above 0 and finite, not 0.0"),
        ({"lr": "nan"}, "lr must be above 0 and finite, not nan"),
        ({"clip": "inf"}, "clip must be above 0 and finite, not inf"),
        ({"weight_decay": -1.0}, "weight_decay must be at least 0 and finite, not -1.0"),
        ({"dropout": 1}, "dropout must be at least 0 and below 1, not 1.0"),
        ({"dropout": {"image": 1.5}}, "dropout must be at least 0 and below 1, not {'image': 1.5}"),
        ({"level": "tokn"}, "unknown level 'tokn': did you mean 'token'"),
        ({"imputation": "imput"}, "unknown imputation 'imput': did you mean 'impute'"),
        ({"auxiliary": {"infonse": 0.1}}, "unknown auxiliary 'infonse': did you mean 'infonce'"),
        ({"auxiliary": {"infonce": 0}}, "the weight of auxiliary infonce must be above 0 and finite, not 0"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
        ({"patience": -1}, "patience must be at least 0, not -1"),
        ({"noise": {"photo": "loud"}}, "option 'noise' takes"),
        ({"noise": 0.3}, "option 'noise' takes"),
        ({"fusion": "sum", "fuse.alfa": "gate"}, "fusion 'sum' has no option 'alfa': did you mean 'alpha'"),
        ({"fuse": {"alpha": "gate"}}, "fusion 'attention' has no option 'alpha'"),
        ({"fusion": "sum", "fuse.alpha": 3}, "option 'fuse.alpha' takes str, not 3"),
        ({"fuse": "gate"}, "option 'fuse' takes options of the fusion, as in fuse.NAME, not 'gate'"),
        ({"level": "early", "fusion": "sum"}, "nothing is fused: leave out fusion .'sum'."),
        ({"level": "early", "fuse.alpha": "gate", "fusion": None}, "nothing is fused: leave out fuse"),
        ({"fuze.alpha": "gate"}, "no option 'fuze' .* did you mean 'fuse'"),
        ({"options": {}}, "no option 'options'"),
        ({"inputs": {}}, "no option 'inputs'"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    if message is None:
        from_options(options, INPUTS)  # which inputs an encoder reads is for the network to say
        return
    with pytest.raises(UsageError, match=message):
        from_options(options, INPUTS)


def test_a_file_that_is_none_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot read options from .*gone\.toml: No such file"):
        read_toml(tmp_path / "gone.toml")
    (tmp_path / "bad.toml").write_text("steps = 3\nlr = = 2\n")
    with pytest.raises(DataError, match=r"bad\.toml is not valid TOML: .*line 2"):
        read_toml(tmp_path / "bad.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"bytes\.toml is not valid TOML"):
        read_toml(tmp_path / "bytes.toml")


def test_options_of_the_objective_are_typed_by_its_constructor():
    given = {"objective_options.decoder": "gru", "objective_options.beam": "5", "objective_options.heads": "2"}
    config = from_options(given, INPUTS, Caption)
    assert config.objective_options == {"decoder": "gru", "beam": 5, "decoder_options": {"heads": 2}}
    assert from_options(config.to_options(), INPUTS, Caption) == config
    assert from_options({"objective_options": {"most": "5"}}, INPUTS, Tag).objective_options == {"most": 5}
    assert from_options({"objective_options.among": "task"}, INPUTS, Answer).objective_options == {"among": "task"}
    assert from_options({"objective_options.beam": "2"}, INPUTS, Answer).objective_options == {"beam": 2}


WRONG = {
    "unknown": (Tag, "mots", 5, "objective 'tag' has no option 'mots': did you mean 'most'"),
    "of the wrong type": (Tag, "most", "many", "option 'objective_options.most' takes int, not 'many'"),
    "fitted to the table": (Regress, "mean", 1.0, "objective 'regress' has no option 'mean'"),
    "of an objective without any": (Classify, "most", 5, "objective 'classify' .* it has no options"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_options_of_the_objective_are_explained(case):
    objective, name, value, message = WRONG[case]
    with pytest.raises(UsageError, match=message):
        from_options({f"objective_options.{name}": value}, INPUTS, objective)


def test_options_of_the_objective_are_a_table():
    with pytest.raises(UsageError, match=r"as in objective_options\.NAME, not 3"):
        from_options({"objective_options": 3}, INPUTS, Tag)
