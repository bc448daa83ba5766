import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.class_evidence import differences, evidence, joined, most_confused

LABELS = np.array([3, 7, 3, 0, 7])


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(8))


def by_hand(net: nn.Module, x: Tensor, score: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """One image's contributions and heat map at relu2, by a plain gradient; score is (K,), what to add up."""
    outputs: list[Tensor] = []
    with net.get_submodule("relu2").register_forward_hook(lambda _, __, maps: outputs.append(maps)):
        logits = net(x)
    (gradient,) = torch.autograd.grad((logits[0] * score).sum(), outputs[0])
    terms = (gradient.mean((2, 3), keepdim=True) * outputs[0])[0].detach().numpy()
    return terms.mean((1, 2)), terms.sum(0)


@pytest.mark.parametrize("against", [None, 5])
def test_the_average_of_a_class_is_that_of_a_loop(
    course: nn.Module, images: Tensor, against: int | None
) -> None:
    parts = [
        evidence(course, images[rows], LABELS[rows], "relu2", LABELS[rows], against)
        for rows in (slice(0, 3), slice(3, 4), slice(4, 5))
    ]
    one = joined(parts)
    for label in (0, 3, 7):
        score = torch.zeros(10)
        score[label] = 1.0
        if against is not None:
            score[against] -= 1.0
        each = [by_hand(course, images[[row]], score) for row in np.flatnonzero(label == LABELS)]
        of_class = one.of(label)
        assert len(of_class.labels) == len(each)
        np.testing.assert_allclose(
            of_class.contributions.mean(0), np.mean([terms for terms, _ in each], 0), atol=1e-5
        )
        np.testing.assert_allclose(of_class.heats.mean(0), np.mean([heat for _, heat in each], 0), atol=1e-5)


def test_a_planted_difference_is_found_and_nothing_else() -> None:
    generator = np.random.default_rng(0)
    first = generator.standard_normal((60, 20)).astype(np.float32)
    second = generator.standard_normal((50, 20)).astype(np.float32)
    first[:, 7] += 1.5
    second[:, 12] = first[0, 12] = 0.0
    first[:, 12] = 0.0  # a dead channel
    group_differences = differences(first, second)
    assert group_differences.beyond.tolist() == [7]
    assert group_differences.order[0] == 7
    assert group_differences.p[7] == pytest.approx(1 / 1001)
    assert (group_differences.p[12], group_differences.difference[12]) == (1, 0)
    expected = first[:, 7].mean() - second[:, 7].mean()
    error = np.sqrt(first[:, 7].var(ddof=1) / 60 + second[:, 7].var(ddof=1) / 50)
    assert group_differences.difference[7] == pytest.approx(expected, rel=1e-5)
    assert group_differences.high[7] - group_differences.low[7] == pytest.approx(2 * 1.96 * error, rel=1e-5)
    assert group_differences.low[7] > group_differences.chance[7]


def test_random_groups_are_rarely_beyond_chance() -> None:
    """In 5 % of the comparisons of what does not differ some channel may be beyond; heavy tails included."""
    generator = np.random.default_rng(1)
    beyond = 0
    for draw in range(100):
        values = generator.standard_t(3, (40, 15)).astype(np.float32)
        beyond += bool(len(differences(values[:18], values[18:], 200, seed=draw).beyond))
    assert beyond <= 12


def test_classes_most_confused() -> None:
    labels = np.array([0, 1, 1, 1, 2, 2, -1, -1])
    predicted = np.array([0, 2, 2, 0, 2, 1, 3, 3])
    assert most_confused(labels, predicted) == (1, 2)
    assert most_confused(labels[:1], predicted[:1]) is None


def test_chance_is_so_many_standard_errors_as_no_channel_reaches_in_random_groups() -> None:
    """Groups that differ much and unequally: the difference itself goes beyond `chance` far more often."""
    random = np.random.default_rng(3)
    first, second = random.normal(3, 3, (30, 12)), random.normal(0, 0.3, (30, 12))
    one = differences(first.astype(np.float32), second.astype(np.float32))
    np.testing.assert_allclose(one.first - one.second, one.difference, atol=1e-6)
    np.testing.assert_allclose(one.first, first.mean(0), atol=1e-6)
    together = np.concatenate([first, second])
    limit = one.chance / np.sqrt(first.var(0, ddof=1) / 30 + second.var(0, ddof=1) / 30)
    beyond, errors_beyond = 0, 0
    for _ in range(400):
        drawn = together[random.permutation(60)]
        difference = np.abs(drawn[:30].mean(0) - drawn[30:].mean(0))
        error = np.sqrt(drawn[:30].var(0, ddof=1) / 30 + drawn[30:].var(0, ddof=1) / 30)
        beyond += bool((difference > one.chance).any())
        errors_beyond += bool((difference / error > limit).any())
    assert errors_beyond / 400 > 0.01
    assert beyond / 400 > 0.1 > errors_beyond / 400
