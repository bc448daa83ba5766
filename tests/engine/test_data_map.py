"""The data map, computed by hand."""

import numpy as np
import pytest

from explorer.engine.data_map import (
    AMBIGUOUS,
    EASY,
    HARD,
    SUSPECT,
    UNSEEN,
    Retrieval,
    by_last_loss,
    by_suspicion,
    data_map,
    forgetting_events,
    hardest,
    most_forgotten,
    region_counts,
    regions,
    retrieval_among_first,
    suspects,
)
from model.example_log import ExampleLog, LogCard

NAN = np.nan


def log_of(confidence, correct, classes=2):
    confidence = np.array(confidence, np.float16)
    count = confidence.shape[1]
    card = LogCard("a.safetensors", "", "", tuple("abcdefgh"[:classes]))
    zeros = np.zeros(count, np.int64)
    return ExampleLog(confidence, np.array(correct, bool), zeros, zeros.astype(np.uint16), card)


def test_the_numbers_of_four_images_over_four_epochs():
    one = data_map(
        log_of(
            [
                [0.5, 0.25, 0.125, NAN],
                [0.75, 0.75, 0.125, NAN],
                [0.75, 0.25, NAN, NAN],
                [1, 0.75, 0.125, NAN],
            ],
            [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0]],
        )
    )
    np.testing.assert_allclose(one.confidence, [0.75, 0.5, 0.125, NAN])
    np.testing.assert_allclose(one.variability, [np.sqrt(0.125 / 4), 0.25, 0, NAN], rtol=1e-6)
    np.testing.assert_allclose(one.correctness, [1, 0.5, 0, NAN])
    assert one.forgetting.tolist() == [0, 1, 0, 0]
    assert one.learned.tolist() == [1, 2, 0, 0]
    assert one.epoch_counts.tolist() == [4, 4, 3, 0]
    np.testing.assert_allclose(one.last_loss, [0, -np.log(0.75), np.log(8), NAN], rtol=1e-6)
    assert one.region.tolist() == [EASY, AMBIGUOUS, SUSPECT, UNSEEN]
    assert region_counts(one) == {EASY: 1, AMBIGUOUS: 1, HARD: 0, SUSPECT: 1}


@pytest.mark.parametrize(("confidence", "near"), [(0.55, True), (0.65, False)])
def test_a_network_that_learned_little_says_nothing_of_labels(confidence, near):
    one = data_map(log_of([[confidence, confidence, NAN]], [[1, 0, 0]]))
    assert one.chance == 0.5
    assert one.mean_confidence == pytest.approx(confidence, abs=1e-3)
    assert one.is_near_chance is near


def test_an_epoch_without_the_image_is_neither_forgetting_nor_a_gap():
    correct = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1]], bool)
    present = np.array([[1, 1, 1], [0, 0, 0], [1, 1, 1]], bool)
    assert forgetting_events(correct, present).tolist() == [1, 0, 0]


def test_regions_are_by_chance_by_the_highest_third_and_by_a_half():
    confidence = [0.9, 0.6, 0.4, 0.2, 0.05, 0.5]
    variability = [0.1, 0.3, 0.2, 0.0, 0.4, 0.05]  # the highest third: of 0.3 and 0.4
    expected = [EASY, AMBIGUOUS, HARD, HARD, SUSPECT, EASY]
    assert regions(confidence, variability, 10).tolist() == expected
    assert regions([0.2, 0.1], [0.0, 0.0], 10).tolist() == [HARD, HARD]  # exactly chance is not below it
    assert regions([NAN], [NAN], 10).tolist() == [UNSEEN]
    assert regions([], [], 10).tolist() == []


def test_rankings_put_the_foremost_first_and_leave_out_what_was_not_seen():
    one = data_map(
        log_of(
            [[0.25, 0.125, 0.875, NAN, 0.375], [0.25, 0.25, 0.125, NAN, 0.375]],
            [[0, 0, 1, 0, 0], [0, 0, 0, 0, 0]],
            classes=3,
        )
    )
    assert by_suspicion(one).tolist() == [1, 0, 4, 2]
    assert by_last_loss(one).tolist() == [2, 0, 1, 4]
    assert suspects(one).tolist() == [1, 0]
    assert hardest(one).tolist() == [4]
    assert most_forgotten(one).tolist() == [2]


def test_precision_and_recall():
    retrieval = retrieval_among_first(np.array([4, 2, 0, 1]), np.array([2, 3]), 2)
    assert retrieval == Retrieval(1, 2, 2)
    assert (retrieval.precision, retrieval.recall) == (0.5, 0.5)


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_log_without_epochs_or_images_is_a_map(epochs):
    one = data_map(log_of(np.full((epochs, 3), NAN), np.zeros((epochs, 3))))
    assert np.isnan(one.confidence).all()
    assert one.region.tolist() == [UNSEEN] * 3
    empty = data_map(log_of(np.zeros((epochs, 0)), np.zeros((epochs, 0))))
    assert by_suspicion(empty).tolist() == []


def test_the_map_ranks_wrong_labels_better_than_the_last_loss():
    """Images learned with noise of each epoch: what 20 epochs agree on, one of them does not know."""
    rng = np.random.default_rng(0)
    wrong = np.arange(50)
    skill = np.where(np.arange(1000) < 50, -1.5, 1.0)
    values = 1 / (1 + np.exp(-(skill + rng.normal(0, 1.5, (20, 1000)))))
    one = data_map(log_of(values, values > 0.5))
    by_map = retrieval_among_first(by_suspicion(one), wrong, 50)
    by_loss = retrieval_among_first(by_last_loss(one), wrong, 50)
    assert by_map.precision > 0.9 > by_loss.precision + 0.2
    assert by_loss.precision > 0.05  # chance
