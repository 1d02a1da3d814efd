"""A table of short videos from end to end, its sound as a column of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import clips, tables

from omnishot import train
from omnishot.cli.main import main
from omnishot.report import write

pytest.importorskip("av")

MOTIONS = ("left", "right", "up", "down", "grows", "shrinks")
KINDS = (("mp4", "mp4", "aac"), ("matroska", "mkv", "pcm_s16le"), ("avi", "avi", "mp3"))
PLAIN = {name: option for name, option in tables.QUICK.items() if not isinstance(option, dict)}
QUICK = PLAIN | {"video": {"size": 16, "frames": 3, "width": 8}, "audio": {"rate": 2000, "width": 4}}


@pytest.fixture(scope="module")
def moving(tmp_path_factory) -> Path:
    """Four clips of each of six motions, in three containers; the sounds are those of the same files."""
    folder, rng = tmp_path_factory.mktemp("moving"), np.random.default_rng(0)
    rows = []
    for motion, name in enumerate(MOTIONS):
        for i in range(4):
            frames = rng.integers(0, 60, (6, 32, 32, 3), dtype=np.uint8)
            for t in range(6):
                row, column = ((16, 24 - 4 * t), (16, 4 + 4 * t), (24 - 4 * t, 16), (4 + 4 * t, 16))[motion % 4]
                half = 3 + (t if motion == 4 else 6 - t if motion == 5 else 0)
                frames[t, max(0, row - half) : row + half, max(0, column - half) : column + half] = 255
            kind, extension, sound = KINDS[i % 3]
            file = folder / f"{name} {i}.{extension}"
            file.write_bytes(clips.encoded(frames, kind, sound=sound, seconds=0.7))
            rows.append({"clip": file.name, "sound": file.name if i else "", "motion": name})
    return tables.write(folder / "moving.csv", rows)


@pytest.fixture(scope="module")
def run(moving, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "moving"
    return train(moving, target="motion", out=out, modality={"sound": "audio"}, ways=2, shots=1, queries=1, **QUICK)


def test_videos_are_recognised_and_checked(moving, capsys):
    assert main(["check", str(moving), "--target", "motion", "--modality", "sound=audio"]) == 0
    out = capsys.readouterr().out
    assert "video" in out
    (moving.parent / "cut.mkv").write_bytes((moving.parent / "up 1.mkv").read_bytes()[:3000])
    rows = tables.read(moving)
    rows[4]["clip"] = rows[4]["sound"] = "cut.mkv"
    broken = tables.write(moving.parent / "broken.csv", rows)
    assert main(["check", str(broken), "--target", "motion", "--modality", "sound=audio"]) == 1
    out = capsys.readouterr().out
    assert out.count("video file is truncated") == 2


def test_clips_and_their_sound_are_learned_from(run, moving):
    modalities = run.learner.network.modalities
    assert {name: modality.kind for name, modality in modalities.items()} == {"clip": "video", "sound": "audio"}
    assert modalities["clip"].shape == (3, 3, 16, 16)
    model = run.adapt(tables.write(moving.parent / "few.csv", tables.read(moving)[:8]))
    model.save(moving.parent / "motion.omni")
    assert set(model.predict(moving)) <= {"left", "right"}
    alone = tables.write(moving.parent / "silent.csv", [row | {"sound": ""} for row in tables.read(moving)[:3]])
    assert len(model.predict(alone)) == 3


def test_corrupted_videos_are_evaluated(run):
    corruptions = (
        {"noise": {"clip": 0.5}},
        {"failure": {"clip": "frozen"}},
        {"attack": "fgsm", "epsilon": {"clip": 0.02}},
    )
    for each in corruptions:
        figure = run.evaluate(episodes=2, save=False, subsets=False, ways=2, shots=1, **each).figures[0]
        assert 0 <= figure.mean <= 1
        assert figure != run.evaluate(episodes=2, save=False, subsets=False, ways=2, shots=1).figures[0]


def test_the_report_shows_frames(run):
    run.evaluate(episodes=2, ways=2, shots=1)
    page = write(run).read_text()
    assert 'class="cell video"' in page
    assert 'class="cell sound"' in page
