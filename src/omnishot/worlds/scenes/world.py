"""The world `scenes`: drawn scenes that are told or asked about, with a new word to learn in every task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from omnishot.errors import UsageError, choose
from omnishot.table.writing import TableWriter
from omnishot.worlds.scenes import concepts as scene_concepts
from omnishot.worlds.scenes import events as scene_happenings
from omnishot.worlds.scenes import motion as scene_motion
from omnishot.worlds.scenes import pictures as scene_pictures
from omnishot.worlds.scenes import videos as scene_videos
from omnishot.worlds.scenes.concepts import Concept
from omnishot.worlds.scenes.layout import MOST, Scene, draw_scene
from omnishot.worlds.scenes.motion import Clip
from omnishot.worlds.scenes.questions import ask
from omnishot.worlds.scenes.sentences import sentences as tell
from omnishot.worlds.speech import encode_wav

FEWEST = 12  # concepts: one of each kind for train and val, two for test
SIDES = (24, 512)  # pixels
MOST_QUESTIONS = 7
MOST_SENTENCES = 20  # a lone plain thing can hardly be told in more ways


def make(
    out: str | Path,
    *,
    seed: int = 0,
    form: str = "captions",
    concepts: int = 600,
    pictures: int = 20,
    sentences: int = 5,
    questions: int = 3,
    things: int = 3,
    without: float = 0.3,
    size: int = 64,
) -> Path:
    """Drawn scenes in sentences, questions or short videos; every task has a new word for a colour, shape or texture.

    Columns of `captions`, a row for each picture: `image` (PNG), `caption` (a list of sentences, the target);
    of `questions`, a row for each question: `image`, `question`, `answer` (the target); of `videos`, a row for each
    clip: `video` (2 s), `sound` (its tones), `caption`. All have `concept` (the group: the invented word), `split`
    (seven tenths of the concepts of each kind train, one val, two test) and the notes `_kind` (what the word names,
    or what is asked) and `_scene` (what there is, as JSON). The same seed and options give the same files, byte for
    byte, with the same versions of Pillow, NumPy and PyAV; pictures of `captions` and `questions` are the same.

    Args:
        out: the table to write; `.parquet` holds pictures itself, others in a folder beside it.
        seed: of everything random, 0 or more.
        form: `captions`, `questions` or `videos`; the last needs PyAV.
        concepts: how many new words, 12 or more; a third each names colours, shapes and textures.
        pictures: pictures, or clips, of each.
        sentences: sentences of each picture or clip, 1 to 20.
        questions: questions about each picture, 1 to 7.
        things: the most things in a scene, 1 to 3; fewer are easier.
        without: the share of a task's captioned pictures that have nothing to do with its new word, 0 to 0.9: to say
            it of every picture is then wrong. Questions and clips all have to do with it.
        size: pixels of a picture's side, 24 to 512.

    Raises:
        UsageError: for an unknown form or a number out of range, or `videos` without PyAV.
    """
    write = WRITERS[choose("form", form, WRITERS)]
    if seed < 0:
        raise UsageError(f"seed must be 0 or more, not {seed}")
    if concepts < FEWEST:
        raise UsageError(f"concepts must be {FEWEST} or more, not {concepts}")
    if pictures < 1:
        raise UsageError(f"pictures must be 1 or more, not {pictures}")
    if not 1 <= sentences <= MOST_SENTENCES:
        raise UsageError(f"sentences must be 1 to {MOST_SENTENCES}, not {sentences}")
    if not 1 <= questions <= MOST_QUESTIONS:
        raise UsageError(f"questions must be 1 to {MOST_QUESTIONS}, not {questions}")
    if not 1 <= things <= MOST:
        raise UsageError(f"things must be 1 to {MOST}, not {things}")
    if not 0 <= without <= 0.9:
        raise UsageError(f"without must be 0 to 0.9, not {without}")
    if not SIDES[0] <= size <= SIDES[1]:
        raise UsageError(f"size must be {SIDES[0]} to {SIDES[1]}, not {size}")
    if form == "videos" and size % 2:
        raise UsageError(f"size must be even for videos, not {size}")
    if form == "videos" and not scene_videos.installed():
        raise UsageError(f"videos cannot be written without PyAV; install it with: {scene_videos.INSTALL}")
    writer = TableWriter(out)
    write(writer, Plan(seed, concepts, pictures, sentences, questions, things, without * (form == "captions"), size))
    return writer.close()


@dataclass(frozen=True)
class Plan:
    """The options of `make` that say what is drawn."""

    seed: int
    concepts: int
    pictures: int
    sentences: int
    questions: int
    things: int
    without: float
    size: int

    def scenes(self) -> Iterator[tuple[Concept, Scene, Callable[[int], np.random.Generator]]]:
        """Every scene with its concept and the generators of its parts: more pictures change none of these."""
        for number, concept in enumerate(scene_concepts.concepts(self.concepts, self.seed)):
            for picture in range(self.pictures):

                def rng(part: int, key: tuple[int, ...] = (self.seed, 2, number, picture)) -> np.random.Generator:
                    return np.random.default_rng([*key, part])

                shown = None if rng(8).random() < self.without else concept
                yield concept, draw_scene(shown, rng(0), most=self.things), rng


def _notes(concept: Concept, scene: Scene | Clip, kind: str) -> dict[str, str]:
    return {"concept": concept.word, "split": concept.split, "_kind": kind, "_scene": scene.to_json()}


def _image(
    writer: TableWriter, plan: Plan, row: int, concept: Concept, scene: Scene, rng: np.random.Generator
) -> str | bytes:
    picture = scene_pictures.draw(scene, concept, plan.size, rng)
    return writer.media(f"{row:06d}.png", scene_pictures.encode_png(picture))


def _captions(writer: TableWriter, plan: Plan) -> None:
    for row, (concept, scene, rng) in enumerate(plan.scenes()):
        image = _image(writer, plan, row, concept, scene, rng(1))
        caption = tell(scene, plan.sentences, rng(2))
        writer.row(image=image, caption=caption, **_notes(concept, scene, concept.kind))


def _questions(writer: TableWriter, plan: Plan) -> None:
    asked: dict[str, Counter[str]] = {}
    for row, (concept, scene, rng) in enumerate(plan.scenes()):
        image = _image(writer, plan, row, concept, scene, rng(1))
        for question in ask(scene, concept.word, plan.questions, asked.setdefault(concept.split, Counter()), rng(3)):
            notes = _notes(concept, scene, question.kind)
            writer.row(image=image, question=question.text, answer=question.answer, **notes)


def _videos(writer: TableWriter, plan: Plan) -> None:
    for row, (concept, _, rng) in enumerate(plan.scenes()):
        clip = scene_motion.draw_clip(concept, rng(4), most=plan.things)
        frames = scene_videos.draw(clip, concept, plan.size, rng(5))
        video = writer.media(f"{row:06d}.mp4", scene_videos.encode_mp4(frames))
        sound = writer.media(f"{row:06d}.wav", encode_wav(scene_motion.sound(clip, rng(6))))
        caption = scene_happenings.sentences(clip, plan.sentences, rng(7))
        writer.row(video=video, sound=sound, caption=caption, **_notes(concept, clip, concept.kind))


#: Form -> function that writes its rows.
WRITERS: dict[str, Callable[[TableWriter, Plan], None]] = {
    "captions": _captions,
    "questions": _questions,
    "videos": _videos,
}
