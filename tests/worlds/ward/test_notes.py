import dataclasses

import numpy as np
import pytest

from omnishot.worlds.ward.hospitals import draw_hospital
from omnishot.worlds.ward.notes import PHRASES, note
from omnishot.worlds.ward.patients import GRAVE, MILD, draw_patient

PLAIN = dataclasses.replace(
    draw_hospital("h", np.random.default_rng(0)), terse=False, denials_first=False, capitals=False
)
PATIENT = dataclasses.replace(
    draw_patient(np.random.default_rng(0)),
    age=63,
    female=True,
    days=3,
    findings={"fainting": True, "chest pain": True, "rash": False},
)
DENIALS = ("no ", "denies ", "nothing suggests ", "neg for ")


def write(seed=0, **habits):
    return note(dataclasses.replace(PLAIN, **habits), PATIENT, np.random.default_rng(seed))


@pytest.mark.parametrize("terse", [False, True])
def test_a_note_says_what_is_there_and_what_is_not(terse):
    for seed in range(20):
        present, denied, *rest = write(seed, terse=terse).split(". ")
        assert not rest
        assert PHRASES["fainting"][terse] in present
        assert PHRASES["chest pain"][terse] in present
        assert PHRASES["rash"][terse] in denied
        assert any(word in denied.lower() for word in DENIALS)
        assert not any(word in present.lower() for word in DENIALS)


def test_hospitals_write_in_their_own_manner():
    assert write().startswith("A woman of 63, ill for 3 days, ")
    assert write(terse=True).startswith("63F")
    assert write(capitals=True) == write().upper()
    assert write(denials_first=True) == " ".join(f"{part.rstrip('.')}." for part in reversed(write().split(". ")))


def test_a_patient_without_findings_has_no_complaint_and_one_without_denials_one_sentence():
    nothing = dataclasses.replace(PATIENT, findings={"rash": False})
    assert "no complaint" in note(PLAIN, nothing, np.random.default_rng(0))
    only = dataclasses.replace(PATIENT, findings={"rash": True})
    assert note(PLAIN, only, np.random.default_rng(0)).count(".") == 1


def test_every_finding_has_words_of_its_own():
    assert set(PHRASES) == {*GRAVE, *MILD}
    assert len({words for both in PHRASES.values() for words in set(both)}) >= 2 * len(PHRASES) - 1
