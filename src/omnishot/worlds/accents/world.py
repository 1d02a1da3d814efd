"""The world `accents`: words and short sentences, spoken by many voices of many languages."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from omnishot.errors import UsageError, choose
from omnishot.table.writing import TableWriter
from omnishot.worlds import speech
from omnishot.worlds.accents.lexicon import ENGLISHES, LANGUAGES, sentence, sentences
from omnishot.worlds.accents.voices import Voice, draw, record, utter
from omnishot.worlds.ranges import check_range

FORMS, UNSEEN = ("words", "sentences"), ("voices", "accents", "languages")
VOICES = {"words": 90, "sentences": 64}
PARTS = ("train", "test", "val", "train", "train")  # the voices of a language take these splits in turn


@dataclass(frozen=True)
class Speaker:
    """A voice, its own language, the language of its texts, and its split."""

    voice: Voice
    language: str
    reads: str
    split: str


def make(
    out: str | Path,
    *,
    seed: int = 0,
    form: str = "words",
    unseen: str = "voices",
    languages: str | None = None,
    voices: int | None = None,
    words: int = 40,
    takes: int = 2,
    utterances: int = 60,
    progress: bool = False,
) -> Path:
    """Words and short sentences spoken by many voices: recognition and transcription of unseen speakers.

    Columns: `audio` (8 kHz mono WAV), `word` (a class) or `text` (in lower case), `voice` (the group),
    `_language` (a note: of the voice), `split` (train, val or test; no voice in two). A voice is a language's or a
    region's way of speaking, a variant of eSpeak NG's, a pitch, a speed, a vocal tract and a microphone; a take
    differs in pitch, speed, loudness and noise. The same seed and options give the same files with the same versions
    of NumPy and eSpeak NG.

    Args:
        out: the table to write; `.parquet` holds the sounds itself, others in a folder beside it.
        seed: of everything random, 0 or more.
        form: "words", or "sentences" of 3 to 7 words of a small grammar.
        unseen: what val and test hold that training does not. "voices": voices alone. "accents": English read by
            voices of other languages by their own rules of reading, each in one split. "languages": languages with
            their own words and letters, each in one split.
        languages: eSpeak NG's names joined by commas; by default all there are, or for sentences of unseen voices,
            the ways in which English is spoken.
        voices: how many, in turn of each language; by default 90, or 64 for sentences.
        words: how many of the 40 words of a language each voice says.
        takes: how often a voice says each word.
        utterances: how many sentences a voice says, no two alike.
        progress: whether to show a progress bar.

    Raises:
        UsageError: for an unknown form or language, a number out of range, a split left without a voice, or if
            `espeakng-loader` is not installed.
    """
    choose("form", form, FORMS)
    choose("unseen", unseen, UNSEEN)
    voices = VOICES[form] if voices is None else voices
    for name, value, low in (
        ("seed", seed, 0),
        ("voices", voices, 3),
        ("takes", takes, 1),
        ("utterances", utterances, 1),
    ):
        check_range(name, value, low)
    check_range("words", words, 2, 40)
    speakers = _cast(_language_names(languages, form, unseen), unseen, voices, seed)
    if form == "words":
        texts = [[word for word in LANGUAGES[s.reads].words[:words] for _ in range(takes)] for s in speakers]
    else:
        texts = [_sentences(s.reads, utterances, _rng(seed, who, 1)) for who, s in enumerate(speakers)]
    if not speech.installed():
        raise UsageError(f"voices need espeakng-loader, which is not installed; install it with: {speech.INSTALL}")
    writer = TableWriter(out)
    return _write(writer, speakers, texts, "word" if form == "words" else "text", seed, progress)


def _write(
    writer: TableWriter, speakers: list[Speaker], texts: list[list[str]], column: str, seed: int, progress: bool
) -> Path:
    """Speak the texts of every speaker and write one row for each, with the text in `column`; the table's path."""
    takes = [(who, turn, text) for who, own in enumerate(texts) for turn, text in enumerate(own)]
    requests = [utter(speakers[who].voice, text, _rng(seed, who, 2, turn)) for who, turn, text in takes]
    sounds, bar = speech.speak(requests), Progress(console=Console(stderr=True), disable=not progress)
    with contextlib.closing(sounds), bar:
        for (who, turn, text), samples in zip(bar.track(takes, description="accents"), sounds, strict=True):
            voice = speakers[who].voice
            recording = speech.encode_wav(record(voice, samples, _rng(seed, who, 3, turn)))
            audio = writer.media(f"{who:03d}/{turn:04d}.wav", recording)
            cells = {"audio": audio, column: text, "voice": voice.name}
            writer.row(**cells, _language=speakers[who].language, split=speakers[who].split)
    return writer.close()


def _rng(*key: int) -> np.random.Generator:
    """Every voice, sentence and take has its own generator."""
    return np.random.default_rng(key)


def _language_names(languages: str | None, form: str, unseen: str) -> list[str]:
    """The languages of the voices: those given, or the default."""
    available = [name for name, known in LANGUAGES.items() if known.phrases or form == "words" or unseen == "accents"]
    if languages is None:
        return list(ENGLISHES) if (form, unseen) == ("sentences", "voices") else available
    names = [choose("language", name.strip(), {*available, *ENGLISHES}) for name in languages.split(",")]
    if len(set(names)) < len(names):
        raise UsageError(f"languages = {languages!r} names one twice")
    return names


def _cast(names: list[str], unseen: str, count: int, seed: int) -> list[Speaker]:
    """`count` voices, the languages in turn."""
    speakers: list[Speaker] = []
    for who in range(count):
        round_, turn = divmod(who, len(names))
        name = names[turn]
        own = "en" if name in ENGLISHES else name
        split = PARTS[round_ % len(PARTS)] if unseen == "voices" else LANGUAGES[own].split
        voice = draw(name, {s.voice.name for s in speakers}, _rng(seed, who, 0))
        speakers.append(Speaker(voice, name, "en" if unseen == "accents" else own, split))
    missing = {"train", "val", "test"} - {s.split for s in speakers}
    if missing and unseen == "voices":
        raise UsageError(f"voices must be {3 * len(names)} or more, 3 of each of {', '.join(names)}, not {count}")
    if missing:
        parts = "; ".join(f"{part}: {', '.join(_of(part))}" for part in sorted(missing))
        raise UsageError(f"{count} voices of {', '.join(names)} leave none of a language of every split ({parts})")
    return speakers


def _of(split: str) -> list[str]:
    return [name for name, language in LANGUAGES.items() if language.split == split]


def _sentences(language: str, count: int, rng: np.random.Generator) -> list[str]:
    """`count` different random sentences of a language."""
    if count > (most := sentences(LANGUAGES[language])):
        raise UsageError(f"utterances must be at most {most}, the number of different ones, not {count}")
    distinct: dict[str, None] = {}
    while len(distinct) < count:
        distinct[sentence(LANGUAGES[language], rng)] = None
    return list(distinct)
