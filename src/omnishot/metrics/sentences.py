"""BLEU, ROUGE-L and CIDEr-D of a corpus of generated sentences.

Words are separated by blanks: a caption is lower-cased and tokenized when it is read, and not again here. Blank
references are ignored; a row needs at least one other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from omnishot.errors import DataError
from omnishot.metrics.cider import cider_d
from omnishot.metrics.resampling import ratio, resampled

#: Generated sentences `[rows]`, and of each row the reference sentences.
Sentences = tuple[Sequence[str], Sequence[Sequence[str]]]
ORDERS = (1, 2, 3, 4)


def corpus_figures(episodes: Sequence[Sentences]) -> dict[str, tuple[float, float]]:
    """`bleu1` … `bleu4`, `rouge_l` and `cider_d` of all episodes' rows together, as (value, half its 95% interval).

    BLEU is the corpus's (counts of all rows summed), a fraction of 1; ROUGE-L (a fraction of 1) and CIDEr-D (at most
    10) are means over rows. The intervals are over episodes, by resampling them.

    Args:
        episodes: a (hypotheses, references) pair for each. Document frequencies of CIDEr-D are over the rows of all.

    Raises:
        DataError: without rows, or where a row has no reference.
    """
    corpus = [(list(hypotheses), references_of(hypotheses, references)) for hypotheses, references in episodes]
    corpus = [episode for episode in corpus if episode[0]]
    if not corpus:
        raise DataError("There is no sentence to score.")
    counts = np.stack([bleu_counts(*episode).sum(0) for episode in corpus])
    figures = {f"bleu{n}": resampled(lambda sums, n=n: bleu(sums, n), counts) for n in ORDERS}  # type: ignore[misc]
    rouge = [rouge_l(*episode) for episode in corpus]
    flat = [h for hypotheses, _ in corpus for h in hypotheses], [r for _, references in corpus for r in references]
    cider = np.split(cider_d(*flat), np.cumsum([len(hypotheses) for hypotheses, _ in corpus])[:-1])
    for name, values in (("rouge_l", rouge), ("cider_d", cider)):
        figures[name] = resampled(ratio, np.array([(each.sum(), len(each)) for each in values]))
    return figures


def references_of(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[str]]:
    """The references of each row that are not blank.

    Raises:
        DataError: where a row has none, or there are more or fewer rows of references than hypotheses.
    """
    if len(hypotheses) != len(references):
        raise DataError(f"{len(hypotheses)} generated sentences but {len(references)} rows of references.")
    kept = [[text for text in row if text.strip()] for row in references]
    for number, row in enumerate(kept):
        if not row:
            raise DataError(f"Row {number} has no reference sentence that is not blank: leave the row out.")
    return kept


def bleu_counts(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Per row: words, words of the closest reference, n-grams matched (n=1…4), n-grams: int `[rows, 10]`."""
    from sacrebleu.metrics.bleu import BLEU

    scorer = BLEU(tokenize="none", force=True, effective_order=True)
    scores: list[Any] = [scorer.sentence_score(h, list(r)) for h, r in zip(hypotheses, references, strict=True)]
    return np.array([(s.sys_len, s.ref_len, *s.counts, *s.totals) for s in scores]).reshape(-1, 2 + 2 * len(ORDERS))


def bleu(sums: np.ndarray, order: int = 4) -> np.ndarray:
    """BLEU of n-grams up to `order` from summed counts `[..., 10]`, a fraction of 1 `[...]`.

    Papineni et al., BLEU, ACL 2002, §2.3, through sacrebleu with its default smoothing (`exp`).
    """
    from sacrebleu.metrics.bleu import BLEU

    last = len(ORDERS)
    scores = []
    for length, reference_length, *grams in np.asarray(sums).reshape(-1, 2 + 2 * last).astype(int).tolist():
        right, total = grams[:order], grams[last : last + order]
        scores.append(BLEU.compute_bleu(right, total, length, reference_length, "exp", None, False, order).score / 100)
    return np.minimum(scores, 1.0).reshape(np.shape(sums)[:-1])  # rounding may exceed 1


def rouge_l(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """ROUGE-L's F per row against the reference that gives the most, fractions of 1 `[rows]`.

    Lin, ROUGE, ACL workshop 2004, §3, through rouge-score: precision and recall weigh the same (coco-caption's
    weighs recall 1.2 times).
    """
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], tokenizer=_Blanks())
    pairs = zip(hypotheses, references, strict=True)
    return np.array([scorer.score_multi(list(row), h)["rougeL"].fmeasure for h, row in pairs], dtype=np.float64)


class _Blanks:
    """rouge-score's own tokenizer would drop punctuation and every letter beyond a to z."""

    def tokenize(self, text: str) -> list[str]:
        return text.split()
