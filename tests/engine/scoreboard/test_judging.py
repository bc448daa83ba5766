"""Scores whose worth is known, judged."""

import numpy as np
import pytest

from explorer.engine.scoreboard.judging import judgeable, judged
from explorer.engine.scores import SCORES

TRUTH = np.random.default_rng(0).normal(size=(6, 80))


def test_the_truth_itself_is_always_right_and_its_negative_never() -> None:
    assert judged(TRUTH, TRUTH, "higher").preferred.mean == 1
    assert judged(TRUTH, TRUTH, "lower").preferred.mean == 0
    assert judged(-TRUTH, TRUTH, "lower").better_than_coin


def test_a_coin_is_found_to_be_one() -> None:
    result = judged(np.random.default_rng(1).normal(size=TRUTH.shape), TRUTH, "higher")
    assert result.preferred.low < 0.5 < result.preferred.high
    assert not result.better_than_coin
    assert result.pairs == 15 * 80


def test_it_is_the_fraction_of_pairs_counted_one_by_one() -> None:
    score = np.round(TRUTH + np.random.default_rng(2).normal(size=TRUTH.shape), 1)
    score[0, :5], truth = np.nan, np.round(TRUTH, 1)
    right, pairs = 0.0, 0
    for image in range(80):
        for one in range(6):
            for other in range(one):
                better = truth[one, image] - truth[other, image]
                preferred = score[one, image] - score[other, image]
                if better and not np.isnan(preferred):
                    pairs += 1
                    right += 0.5 if preferred == 0 else float(better * preferred > 0)
    result = judged(score, truth, "higher")
    assert (result.pairs, result.preferred.mean) == (pairs, pytest.approx(right / pairs))


def test_a_score_that_never_decides_is_a_coin_and_nothing_gives_no_judgement() -> None:
    assert judged(np.zeros_like(TRUTH), TRUTH, "higher").preferred.mean == 0.5
    empty = judged(np.full_like(TRUTH, np.nan), TRUTH, "higher")
    assert (empty.pairs, empty.preferred.n, empty.better_than_coin) == (0, 0, False)


def test_only_scores_with_a_direction_are_judged() -> None:
    names = judgeable(list(SCORES))
    assert not {"redrawing", "distractibility", "target_sensitivity"} & set(names)
    assert "findings" not in names
    assert {"deletion", "ordering", "stability"} <= set(names)
