"""Metrics against cases worked by hand, torch's own losses, and sums over single images."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from explorer.engine import metrics

LABELS = np.array([0, 0, 0, 1, 1, 2, -1])
PREDICTED = np.array([0, 1, 0, 1, 1, 0, 2])
TABLE = np.array([[2, 1, 0], [0, 2, 0], [1, 0, 0]])


def test_a_case_worked_by_hand() -> None:
    table = metrics.confusion(LABELS, PREDICTED, 3)
    assert table.tolist() == TABLE.tolist()
    one = metrics.accuracy(table)
    assert (one.n, one.correct) == (6, 4)
    assert one.value == pytest.approx(4 / 6)
    assert one.shuffled == pytest.approx((3 * 3 + 2 * 3 + 1 * 0) / 36)
    assert one.largest == 0.5
    assert (one.low, one.high) == pytest.approx((0.3000, 0.9032), abs=1e-4)  # Wilson, 4 of 6, by hand
    each = metrics.class_scores(table)
    np.testing.assert_allclose(each.recall, [2 / 3, 1, 0])
    np.testing.assert_allclose(each.precision, [2 / 3, 2 / 3, np.nan])
    np.testing.assert_allclose(each.f1, [2 / 3, 0.8, 0])
    np.testing.assert_allclose(each.chance_recall, [3 / 6, 3 / 6, 0])
    np.testing.assert_allclose(each.chance_precision, [3 / 6, 2 / 6, np.nan])
    np.testing.assert_allclose(each.chance_f1, [0.5, 0.4, np.nan])
    assert np.isnan(each.precision_interval[2]).all()


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 3)), max_size=40))
def test_scores_of_classes_count_single_images(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = (np.array([pair[k] for pair in pairs], np.int64) for k in (0, 1))
    table = metrics.confusion(labels, predicted, 4)
    each = metrics.class_scores(table)
    for k in range(4):
        hits = sum(pair == (k, k) for pair in pairs)
        images = sum(label == k for label, _ in pairs)
        named = sum(guess == k and label >= 0 for label, guess in pairs)
        for value, below in ((each.recall[k], images), (each.precision[k], named)):
            assert np.isnan(value) if not below else value == pytest.approx(hits / below)
        if images + named:
            assert each.f1[k] == pytest.approx(2 * hits / (images + named))
    labeled = [pair for pair in pairs if pair[0] >= 0]
    one = metrics.accuracy(table)
    assert one.n == len(labeled)
    if labeled:
        assert one.value == pytest.approx(np.mean([label == guess for label, guess in labeled]))


def test_chance_is_what_shuffled_predictions_give() -> None:
    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 4, 300) // 2, random.integers(0, 5, 300) // 2
    shuffles = [metrics.confusion(labels, random.permutation(predicted), 3) for _ in range(400)]
    one = metrics.accuracy(metrics.confusion(labels, predicted, 3))
    assert np.mean([metrics.accuracy(table).value for table in shuffles]) == pytest.approx(
        one.shuffled, abs=0.01
    )


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_probabilities_are_those_of_torch(scale: float) -> None:
    logits = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32) * np.float32(scale)
    labels = np.arange(50) % 5 - 1
    one = metrics.predictions(logits, labels)
    of = torch.distributions.Categorical(logits=torch.from_numpy(logits).double())
    np.testing.assert_allclose(one.confidence, of.probs.max(1).values, rtol=1e-9)
    np.testing.assert_allclose(one.entropy, of.entropy(), atol=1e-9)
    known = labels >= 0
    wanted = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits[known]).double(), torch.from_numpy(labels[known]), reduction="none"
    )
    np.testing.assert_allclose(one.loss[known], wanted, atol=1e-9)
    assert np.isnan(one.loss[~known]).all()
    assert (one.correct == (logits.argmax(1) == labels)).all()
    assert not one.wrong[~known].any()


def test_independent_labels_have_a_sigmoid_each() -> None:
    logits = np.random.default_rng(2).normal(size=(20, 3)).astype(np.float32)
    labels = np.arange(20) % 3
    one = metrics.predictions(logits, labels, independent=True)
    of = torch.distributions.Bernoulli(logits=torch.from_numpy(logits).double())
    np.testing.assert_allclose(one.confidence, of.probs.max(1).values, rtol=1e-9)
    np.testing.assert_allclose(one.entropy, of.entropy().sum(1), rtol=1e-9)
    np.testing.assert_allclose(np.exp(-one.loss), of.probs[np.arange(20), labels], rtol=1e-9)


def test_labels_must_be_classes() -> None:
    with pytest.raises(ValueError, match="Labels must be −1 or a class from 0 to 2"):
        metrics.predictions(np.zeros((1, 3), np.float32), np.array([3]))
    with pytest.raises(ValueError, match="Logits must be"):
        metrics.predictions(np.zeros((2, 3), np.float32), np.array([0]))


def test_calibration_worked_by_hand() -> None:
    confidence = np.array([0.0, 0.3, 0.5, 0.6, 0.9, 1.0])
    correct = np.array([False, True, False, True, True, True])
    one = metrics.reliability(confidence, correct, bins=2)
    assert one.counts.tolist() == [3, 3]  # an edge belongs to the bin below it
    np.testing.assert_allclose(one.confidence, [0.8 / 3, 2.5 / 3])
    np.testing.assert_allclose(one.accuracy, [1 / 3, 1])
    assert one.ece == pytest.approx((3 * (1 - 0.8) / 3 + 3 * (3 - 2.5) / 3) / 6)


@pytest.mark.parametrize("equal_counts", [False, True])
def test_calibration_is_a_sum_over_bins(equal_counts: bool) -> None:
    random = np.random.default_rng(3)
    confidence, correct = random.random(500) ** 0.3, random.random(500) < 0.7
    one = metrics.reliability(confidence, correct, 10, equal_counts)
    if equal_counts:
        assert one.counts.tolist() == [50] * 10
    total = 0.0
    for low, high in zip(one.edges[:-1], one.edges[1:], strict=True):
        inside = (low < confidence) & (confidence <= high)
        if inside.any():
            total += inside.sum() * abs(correct[inside].mean() - confidence[inside].mean())
    assert one.ece == pytest.approx(total / 500)


def test_chance_makes_an_error_of_calibration_too() -> None:
    random = np.random.default_rng(4)
    confidence = random.uniform(0.1, 1, 400)
    by_chance = metrics.calibrated_error(confidence)
    drawn = [metrics.reliability(confidence, random.random(400) < confidence).ece for _ in range(200)]
    assert by_chance.mean == pytest.approx(np.mean(drawn), rel=0.1)
    assert 0.01 < by_chance.mean < by_chance.high
    never = metrics.reliability(confidence, np.zeros(400, bool)).ece
    assert never > by_chance.high
    certain = metrics.calibrated_error(np.ones(5))
    assert certain.mean == certain.high == 0


def test_nothing_is_no_number() -> None:
    none, empty = np.zeros(0), np.zeros(0, np.int64)
    assert np.isnan(metrics.accuracy(metrics.confusion(empty, empty, 3)).value)
    assert np.isnan(metrics.reliability(none, none > 0).ece)
    assert np.isnan(metrics.calibrated_error(none).mean)
    assert len(metrics.predictions(np.zeros((0, 3), np.float32), empty).loss) == 0


NAN, INFINITY = np.nan, np.inf
DIVERGED = np.array([[0, 2], [NAN, NAN], [INFINITY, 0], [3, 0], [-INFINITY, 1]], np.float32)


@pytest.mark.parametrize("independent", [False, True])
def test_without_finite_logits_an_image_has_no_prediction(independent: bool) -> None:
    labels = np.array([1, 0, 0, 1, -1])
    one = metrics.predictions(DIVERGED, labels, independent)
    assert one.predicted.tolist() == [1, -1, -1, 0, -1]
    assert one.correct.tolist() == [True, False, False, False, False]
    assert one.wrong.tolist() == [False, True, True, True, False]
    for values in (one.confidence, one.entropy, one.loss):
        assert np.isfinite(values).tolist() == [True, False, False, True, False]


def test_images_without_a_prediction_are_wrong() -> None:
    labels, predicted = np.array([1, 0, 0, 1, -1, 0]), np.array([1, -1, -1, 0, -1, 0])
    table, undecided = (count(labels, predicted, 2) for count in (metrics.confusion, metrics.undecided))
    assert (table.tolist(), undecided.tolist()) == ([[1, 0], [1, 1]], [2, 0])
    one = metrics.accuracy(table, undecided)
    assert (one.n, one.correct, one.largest) == (5, 2, 3 / 5)
    assert one.shuffled == pytest.approx(3 / 5 * 2 / 5 + 2 / 5 * 1 / 5)
    each = metrics.class_scores(table, undecided)
    assert (each.images.tolist(), each.recall.tolist()) == ([3, 2], [1 / 3, 1 / 2])
    assert each.precision.tolist() == [1 / 2, 1]
