"""Clinical notes of the world `ward`: findings present and absent, in sentences or in abbreviations."""

from __future__ import annotations

import numpy as np

from omnishot.worlds.ward.hospitals import Hospital
from omnishot.worlds.ward.patients import Patient

#: Of each finding: the patient's words, and a doctor's abbreviation.
PHRASES = {
    "breathlessness": ("shortness of breath", "SOB"),
    "confusion": ("confusion", "AMS"),
    "coughing blood": ("coughing up blood", "haemoptysis"),
    "chest pain": ("chest pain", "CP"),
    "fainting": ("fainting", "LOC"),
    "blue lips": ("blue lips", "cyanosis"),
    "cough": ("dry cough", "cough"),
    "headache": ("headaches", "HA"),
    "joint pain": ("joint pain", "arthralgia"),
    "rash": ("itchy rash", "rash"),
    "vomiting": ("vomiting", "N/V"),
    "night sweats": ("night sweats", "NS"),
    "swollen legs": ("swollen legs", "LE oedema"),
    "weight loss": ("weight loss", "wt loss"),
}
_PRESENT = ("{who} presents with {what}.", "{who} comes in with {what}.", "{who} reports {what}.")
_DENIED = ("There is no {what}.", "{pronoun} denies {what}.", "Nothing suggests {what}.")
_PRESENT_TERSE = ("{who} w/ {what} x{days}d.", "{who}, {what} x{days}d.", "{who} c/o {what}.")
_DENIED_TERSE = ("No {what}.", "Neg for {what}.", "Denies {what}.")


def note(hospital: Hospital, patient: Patient, rng: np.random.Generator) -> str:
    """A note of one or two sentences in the hospital's style."""
    names = [str(name) for name in rng.permutation(list(patient.findings))]
    present = [PHRASES[name][hospital.terse] for name in names if patient.findings[name]]
    denied = [PHRASES[name][hospital.terse] for name in names if not patient.findings[name]]
    shapes = (_PRESENT_TERSE, _DENIED_TERSE) if hospital.terse else (_PRESENT, _DENIED)
    words = {
        "who": _who(hospital, patient),
        "days": patient.days,
        "pronoun": "She" if patient.female else "He",
    }
    first = str(rng.choice(shapes[0])).format(what=_join(present or ["no complaint"], hospital.terse, "and"), **words)
    if not denied:
        text = first
    else:
        second = str(rng.choice(shapes[1])).format(what=_join(denied, hospital.terse, "or"), **words)
        text = f"{second} {first}" if hospital.denials_first else f"{first} {second}"
    return text.upper() if hospital.capitals else text


def _who(hospital: Hospital, patient: Patient) -> str:
    if hospital.terse:
        return f"{patient.age}{'F' if patient.female else 'M'}"
    since = "since yesterday" if patient.days == 1 else f"ill for {patient.days} days"
    return f"A {'woman' if patient.female else 'man'} of {patient.age}, {since},"


def _join(names: list[str], terse: bool, last: str) -> str:
    if terse or len(names) < 2:
        return ", ".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
