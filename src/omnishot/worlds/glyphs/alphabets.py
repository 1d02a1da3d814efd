"""The letters of the world `glyphs`: alphabets that matplotlib's font faces can draw, and names."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass

# What Unicode writes around a letter's own name: "GREEK SMALL LETTER FINAL SIGMA" -> "final sigma".
_AROUND = re.compile(
    r"^(?:LATIN|GREEK|COPTIC|CYRILLIC|ARMENIAN|HEBREW|ARABIC|NKO|LAO|GEORGIAN|OGHAM|TIFINAGH|LISU|"
    r"OLD ITALIC|CANADIAN SYLLABICS)(?: CAPITAL| SMALL)?(?: LETTER)? "
)


@dataclass(frozen=True)
class Letter:
    """One class of the world: a character of an alphabet."""

    char: str
    alphabet: str
    split: str

    @functools.cached_property
    def name(self) -> str:
        """What the letter is called aloud, in lower case: "alpha", "final kaf"."""
        return _AROUND.sub("", unicodedata.name(self.char)).lower()

    @property
    def case(self) -> str:
        """ "capital", "small", or "uncased" for scripts without the distinction."""
        name = unicodedata.name(self.char)
        return "capital" if " CAPITAL " in name else "small" if " SMALL " in name else "uncased"

    @property
    def label(self) -> str:
        """The class label: "greek alpha", "greek capital gamma"."""
        return f"{self.alphabet} {'capital ' if self.case == 'capital' else ''}{self.name}"


def _char_range(first: str, last: str) -> str:
    return "".join(map(chr, range(ord(first), ord(last) + 1)))


def _plain_tifinagh() -> str:
    """Tifinagh without the regional variants, whose names begin with the region."""
    chars = _char_range("\u2d30", "\u2d65")
    return "".join(c for c in chars if " " not in _AROUND.sub("", unicodedata.name(c)))


def _syllabics() -> str:
    rows = ("", "P", "T", "K", "C", "M", "N", "L", "S", "SH", "Y", "R", "F", "TH")
    return "".join(unicodedata.lookup(f"CANADIAN SYLLABICS {row}{vowel}") for row in rows for vowel in "EIOA")


# name -> (split, letters). Both cases only where their shapes differ. Alphabets that share shapes (Latin,
# Greek, Cyrillic, Lisu, ...) or names (the two Georgian ones) lie in the same split. The order makes every
# prefix of three or more hold all three splits.
ALPHABETS: dict[str, tuple[str, str]] = {
    "greek": ("train", "αβγδεζηθικλμνξπρςστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"),
    "georgian": ("test", _char_range("ა", "ჰ")),
    "armenian": ("val", _char_range("ա", "ֆ") + _char_range("Ա", "Ֆ")),
    "cyrillic": ("train", "бвгджзийклмнптуфцчшщъыьэюяђѓєљњћџѣѳѵ"),
    "hebrew": ("test", _char_range("א", "ת")),
    "arabic": ("train", "ءابةتثجحخدذرزسشصضطظعغفقكلمنهوىيٹپچڈژڤگ"),
    "latin": ("train", "ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghijlmnqrty"),
    "lao": ("val", "ກຂຄງຈຊຍດຕຖທນບປຜຝພຟມຢຣລວສຫອຮ"),
    "syllabics": ("train", _syllabics()),
    "nko": ("test", _char_range("\u07ca", "\u07e7")),
    "tifinagh": ("train", _plain_tifinagh()),
    "phonetic": ("train", "ɐɑɒɔɘəɛɜɞɡɣɤɥɯɵɸɹʃʇʊʌʍʎʒʔʕʘŋðþæß"),
    "etruscan": ("train", _char_range("\U00010300", "\U0001031e")),
    "ogham": ("train", _char_range("ᚁ", "ᚚ")),
    "asomtavruli": ("test", _char_range("Ⴀ", "Ⴠ")),
    "lisu": ("train", "ꓒꓕꓘꓛꓞꓤꓥꓨꓩꓭꓯꓱꓵꓶꓷ"),
    "coptic": ("train", "ϣϥϧϩϫϭϯ"),
}


def letters(alphabets: int | None = None) -> list[Letter]:
    """The letters of the first `alphabets` alphabets (all of them by default), alphabet by alphabet."""
    chosen = list(ALPHABETS.items())[:alphabets]
    return [Letter(char, alphabet, split) for alphabet, (split, chars) in chosen for char in chars]
