"""CIDEr-D against cases worked by hand and the formula written out slowly."""

import math
import random
from collections.abc import Sequence

import pytest

from omnishot.metrics.cider import cider_d


def grams(text: str, n: int) -> list[str]:
    words = text.split()
    return [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)]


def by_formula(row: int, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Vedantam et al. 2015, CIDEr-D as in §6: vectors over all n-grams there are, for one n after the other."""
    total = 0.0
    for n in (1, 2, 3, 4):
        texts = [hypotheses[row], *(text for several in references for text in several)]
        vocabulary = sorted({gram for text in texts for gram in grams(text, n)})

        def weigh(text: str, n: int = n, vocabulary: list[str] = vocabulary) -> list[float]:
            results = []
            for gram in vocabulary:
                rows_with = sum(any(gram in grams(ref, n) for ref in several) for several in references)
                results.append(grams(text, n).count(gram) * math.log(len(references) / max(1, rows_with)))
            return results

        hypothesis = weigh(hypotheses[row])
        for reference in references[row]:
            expected = weigh(reference)
            gap = len(hypotheses[row].split()) - len(reference.split())
            dot = sum(min(a, b) * b for a, b in zip(hypothesis, expected, strict=True))
            norm = math.sqrt(sum(a * a for a in hypothesis)) * math.sqrt(sum(b * b for b in expected))
            if norm > 0:
                total += 10 / len(references[row]) / 4 * math.exp(-gap * gap / (2 * 6.0**2)) * dot / norm
    return total


def test_is_the_formula_on_random_corpora() -> None:
    r = random.Random(0)
    words = ["a", "the", "red", "cube", "ball", "left", "of", "under"]
    hypothesis = 0
    while hypothesis < 1000:
        texts = [[" ".join(r.choice(words) for _ in range(r.randint(0, 8))) for _ in range(r.randint(1, 3))]
                 for _ in range(r.randint(1, 7))]  # fmt: skip
        hypotheses = [r.choice([r.choice(row), " ".join(r.choice(words) for _ in range(r.randint(0, 8)))])
                      for row in texts]  # fmt: skip
        expected = [by_formula(i, hypotheses, texts) for i in range(len(texts))]
        assert cider_d(hypotheses, texts) == pytest.approx(expected, abs=1e-9)
        hypothesis += len(texts)


def test_single_words_by_hand() -> None:
    # One word: only n = 1 counts, so the best is 10/4; of two references the half.
    assert cider_d(["cat", "dog"], [["cat"], ["dog"]]) == pytest.approx([2.5, 2.5])
    assert cider_d(["cat", "dog"], [["cat", "bird"], ["dog"]]) == pytest.approx([1.25, 2.5])


def test_two_words_by_hand() -> None:
    # Three rows; "a" is in all (weight 0), "cat" in one. 1-grams: said (cat: ln 3) = wanted: 1. "a cat": 1.
    references = [["a cat"], ["a dog"], ["a bird"]]
    assert cider_d(["a cat", "a", "cat a"], references) == pytest.approx([10 * 2 / 4, 0.0, 0.0])
    # "a" is no evidence: "cat" alone has the unigram right, one word short.
    assert cider_d(["cat", "", ""], references)[0] == pytest.approx(10 / 4 * math.exp(-1 / 72))


def test_repeating_a_word_is_clipped_and_its_length_punished() -> None:
    # Said cat 3 times: weights (3w) against (w): clipped product w·w over 3w·w = 1/3; two words too long.
    assert cider_d(["cat cat cat", "dog"], [["cat"], ["dog"]])[0] == pytest.approx(10 / 4 / 3 * math.exp(-4 / 72))


def test_what_is_said_of_two_of_four_rows_weighs_half_of_what_is_said_of_one() -> None:
    # "red": ln(4/2), "cat": ln 4 = 2 ln 2. Said "red": 1 of (1, 2): cosine 1/√5; one word short.
    references = [["red cat"], ["red dog"], ["big owl"], ["small pig"]]
    results = cider_d(["red", "", "", ""], references)[0]
    assert results == pytest.approx(10 / 4 / math.sqrt(5) * math.exp(-1 / 72))


def test_a_single_row_tells_nothing_apart() -> None:
    assert cider_d(["a cat"], [["a cat"]]).tolist() == [0.0]
