import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU

from omnishot.errors import DataError
from omnishot.metrics.sentences import bleu, bleu_counts, corpus_figures, rouge_l

WORDS = ["a", "the", "red", "green", "cube", "ball", "left", "of", "under", "é日", "dog's", ",", "."]
sentence = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join)
row = st.tuples(sentence, st.lists(sentence, min_size=1, max_size=4))
rows = st.lists(row, min_size=1, max_size=6)


def random_rows(r: random.Random, empty: float = 0.1) -> tuple[list[str], list[list[str]]]:
    def written(low: int = 1) -> str:
        return " ".join(r.choice(WORDS) for _ in range(r.randint(low, 12)))

    count = r.randint(1, 4)
    return (
        ["" if r.random() < empty else written() for _ in range(count)],
        [[written() for _ in range(r.randint(1, 5))] for _ in range(count)],
    )


def test_bleu_is_sacrebleus_on_random_corpora() -> None:
    r = random.Random(0)
    for _ in range(1000):
        hypotheses, references = random_rows(r)
        most = max(map(len, references))
        streams = [[row[i] if i < len(row) else None for row in references] for i in range(most)]
        sums = bleu_counts(hypotheses, references).sum(0)
        for order in (1, 2, 3, 4):
            scorer = BLEU(tokenize="none", force=True, max_ngram_order=order)
            expected = scorer.corpus_score(hypotheses, streams).score / 100
            assert float(bleu(sums, order)) == pytest.approx(expected, abs=1e-12)


def test_bleu_by_hand() -> None:
    # 3 of 4 words right, no brevity penalty; 2 of 3 pairs.
    sums = bleu_counts(["a red cube left"], [["a red cube", "under a red cube right"]]).sum(0)
    assert float(bleu(sums, 1)) == pytest.approx(3 / 4)
    assert float(bleu(sums, 2)) == pytest.approx(math.sqrt(3 / 4 * 2 / 3))
    # Half as long as its reference: exp(1 - 4/2).
    assert float(bleu(bleu_counts(["a red"], [["a red cube left"]]).sum(0), 2)) == pytest.approx(math.exp(-1))


class Split:
    def tokenize(self, text: str) -> list[str]:
        return text.split()


def test_rouge_is_rouge_scores_on_random_rows() -> None:
    r, scorer = random.Random(1), RougeScorer(["rougeL"], tokenizer=Split())
    for _ in range(1000):
        hypotheses, references = random_rows(r)
        expected = [
            max(scorer.score(reference, h)["rougeL"].fmeasure for reference in row)
            for h, row in zip(hypotheses, references, strict=True)
        ]
        assert rouge_l(hypotheses, references) == pytest.approx(expected)


def test_rouge_by_hand() -> None:
    # Longest common subsequence "a cube left": 3 of 4 said, 3 of 5 wanted.
    assert rouge_l(["a red cube left"], [["under", "a ball cube , left"]]).item() == pytest.approx(2 * 3 / (4 + 5))
    # Every letter counts, not only a to z.
    assert rouge_l(["日"], [["é"]]).item() == 0
    assert rouge_l(["日 é"], [["日 é"]]).item() == 1


def test_perfect_sentences_give_the_best_of_everything() -> None:
    r = random.Random(2)
    episodes = []
    for _ in range(20):
        written = [" ".join(r.sample([f"w{i}" for i in range(500)], 7)) for _ in range(3)]
        episodes.append((written, [[text] for text in written]))
    figures = corpus_figures(episodes)
    for name in ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l"):
        assert figures[name] == pytest.approx((1.0, 0.0))
    assert figures["cider_d"] == pytest.approx((10.0, 0.0))


def test_empty_hypotheses_give_nothing() -> None:
    figures = corpus_figures([(["", ""], [["a red cube"], ["the ball"]]), ([""], [["under the dog's"]])])
    assert all(value == (0.0, 0.0) for value in figures.values())


@settings(max_examples=40, deadline=None)
@given(st.lists(rows, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_order_of_rows_and_references_changes_nothing(predicted, r) -> None:
    def shuffled(episode):
        episode = [(h, r.sample(refs, len(refs))) for h, refs in episode]
        return r.sample(episode, len(episode))

    def figures(episodes):
        return corpus_figures([([h for h, _ in e], [refs for _, refs in e]) for e in episodes])

    before, after = figures(predicted), figures([shuffled(e) for e in predicted])
    for name, value in before.items():
        assert after[name] == pytest.approx(value, abs=1e-12), name
        assert -1e-9 <= value[0] <= (10 if name == "cider_d" else 1) + 1e-9


def test_figures_are_of_all_rows_together() -> None:
    r = random.Random(3)
    episodes = [random_rows(r) for _ in range(12)]
    hypotheses, references = [h for e in episodes for h in e[0]], [row for e in episodes for row in e[1]]
    whole, split = corpus_figures([(hypotheses, references)]), corpus_figures(episodes)
    for name in whole:
        assert split[name][0] == pytest.approx(whole[name][0])
        assert whole[name][1] == math.inf
        assert 0 < split[name][1] < math.inf
    assert split["rouge_l"][0] == pytest.approx(np.mean(rouge_l(hypotheses, references)))


def test_blank_references_are_left_out_and_none_at_all_is_refused() -> None:
    assert corpus_figures([(["a dog's"], [[" ", "a dog's", ""]])])["bleu1"][0] == 1
    with pytest.raises(DataError, match="Row 1 has no reference"):
        corpus_figures([(["a", "the"], [["a"], [" "]])])
    with pytest.raises(DataError, match="2 generated sentences but 1 rows"):
        corpus_figures([(["a", "the"], [["a"]])])
    with pytest.raises(DataError, match="no sentence to score"):
        corpus_figures([])
