"""Transcripts from tables: tones that stand for letters, and what is wrong with some rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support import tables
from support.tones import RATE, SHORT, SMALL, TEXTS, spoken, table

import omnishot as om
from omnishot.cli.main import main
from omnishot.errors import DataError
from omnishot.objectives.text import TextEpisode
from omnishot.objectives.transcribe import Transcribe


@pytest.fixture(scope="module")
def transcripts(tmp_path_factory) -> Path:
    return table(tmp_path_factory.mktemp("transcripts"), TEXTS)


def test_a_run_transcribes_before_and_after_adapting(transcripts, tmp_path, capsys):
    run = om.train(transcripts, target="text", out=tmp_path / "run", audio=SHORT, **SMALL)
    for more, adapted in (([], True), (["--unadapted"], False)):
        assert main(["evaluate", str(run.folder), "--episodes", "3", "--queries", "2", "--json", *more]) == 0
        figures = {f["metric"]: f for f in json.loads(capsys.readouterr().out)}
        assert {"character_error_rate", "word_error_rate"} <= set(figures)
        assert figures["character_error_rate"]["adapted"] is adapted
        assert figures["character_error_rate"]["mean"] > 0


def test_every_row_is_answered_whatever_it_holds(transcripts, tmp_path):
    """No sound at all, silence, and letters that no training text has."""
    run = om.train(transcripts, target="text", out=tmp_path / "run", audio=SHORT, **SMALL)
    tone, silence = spoken("ab", 9), np.zeros(RATE // 2, np.float32)
    learned = [{"audio": tone, "text": "ab", "voice": "v"}, {"audio": tone, "text": "xyz ß", "voice": "v"}]
    model = run.adapt(learned)
    texts = model.predict([{"audio": tone}, {"audio": silence}, {"audio": None}])
    assert len(texts) == 3
    assert all(isinstance(text, str) and set(text) <= set("abc") for text in texts)


def test_a_letter_that_training_lacks_is_one_error():
    objective = Transcribe(("a", "b"))
    tokens = objective.numbering.renumbered(objective.encode([["aßb"], ["ab"]])[0], np.array([], np.int64))
    _, references, _ = objective.text_episode(tokens[:, 0], tokens)
    assert [len(text) for (text,) in references] == [3, 2]
    figures = objective.figures([TextEpisode(["ab", "ab"], references, [])])
    assert figures["character_error_rate"][0] == pytest.approx(1 / 5)


def test_a_sound_of_no_length_is_named(transcripts, tmp_path):
    rows = tables.read(transcripts)
    soundfile.write(transcripts.parent / "sounds" / "empty.wav", np.zeros(0), RATE)
    rows[3]["audio"] = "sounds/empty.wav"
    bad = tables.write(transcripts.parent / "bad.csv", rows)
    with pytest.raises(DataError, match=r"row 5, column 'audio': sound of zero length"):
        om.train(bad, target="text", out=tmp_path / "run", audio=SHORT, **SMALL)


def test_texts_that_have_no_room_are_named(tmp_path):
    """Of three tenths of a second there are two parts of 160 ms; two letters alike need one between them besides."""
    options = SMALL | {"steps": 0, "target": "text"}
    coarse, fine = ({"times": times, "width": 4, "seconds": 0.3} for times in (16, 2))
    crowded = table(tmp_path / "crowded", ["aabb", "ccaa", "bbcc", "abba"])
    named = (
        r"16 of 16 .* too long for decoder 'ctc'.*row \d+ needs 6 time steps for '(aabb|ccaa|bbcc)', and rows have 2"
    )
    with pytest.raises(DataError, match=named):
        om.train(crowded, out=tmp_path / "run", audio=coarse, **options)
    some = table(tmp_path / "some", ["ab", "ba", "ac", "ca", "cb", "aabbccaabb"])
    named = (
        r": 4 of 24 training texts .* needs 15 time steps for 'aabbccaabb', and rows have 14.* nothing is learned from"
    )
    with pytest.warns(UserWarning, match=named):
        om.train(some, out=tmp_path / "warned", audio=fine, **options)
    om.train(crowded, out=tmp_path / "other", audio=coarse, objective_options={"decoder": "gru"}, **options)


def test_letters_are_learned(tmp_path):
    """Tones are distinguished, so that the error falls far below that of saying nothing."""
    letters = table(tmp_path / "letters", [*TEXTS, "ba", "ac", "bcb", "acb"], voices=8)
    options = SMALL | {"steps": 150, "tasks": 4, "lr": 5e-3, "val_every": 75}
    run = om.train(letters, target="text", out=tmp_path / "run", audio={"times": 4, "width": 8}, **options)
    assert run.evaluate(episodes=8, queries=3, save=False).mean < 0.5
