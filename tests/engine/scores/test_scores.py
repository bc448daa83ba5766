"""Of every score: the record is complete, a batch is its rows, the seed decides, the net is untouched."""

import math
import pickle
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.attribution import attribute
from explorer.engine.redrawing import Redrawing
from explorer.engine.scores import SCORES, Score, Scored, Subject, random_nets, reading
from explorer.engine.scores.forward import logits
from explorer.engine.scores.score import FEWEST_FOR_QUANTILES, STUDENT, TIED


@pytest.fixture(params=SCORES)
def score(request: pytest.FixtureRequest) -> Score:
    return SCORES[request.param]


@pytest.fixture
def subject(course: nn.Module) -> Subject:
    generator = torch.Generator().manual_seed(5)
    x, images = torch.randn(2, 3, 32, 32, generator=generator), torch.randn(8, 3, 32, 32, generator=generator)
    mask = np.zeros((2, 32, 32), bool)
    mask[0, 4:20, 8:30] = mask[1, 20:, 3:9] = True
    return Subject(
        course,
        x,
        attribute(course, x, layer="relu3", target=[4, 0]),
        mask=mask,
        random_nets=random_nets(course, images),
        redrawings=(redrawing(0), redrawing(1)),
    )


def redrawing(seed: int, size: int = 32, classes: int = 10) -> Redrawing:
    """What a network could make of a scene without each of four parts, drawn at random."""
    random = np.random.default_rng(seed)
    parts = ("body", "head", "legs", "tail", "object", "background")
    return Redrawing(
        label=0,
        seed=seed,
        parts=parts,
        picture=random.integers(0, 256, (size, size, 3), np.uint8),
        pictures=random.integers(0, 256, (len(parts), size, size, 3), np.uint8),
        masks=random.random((len(parts), size, size)) < 0.2,
        logits=random.standard_normal(classes).astype(np.float32),
        without=random.standard_normal((len(parts), classes)).astype(np.float32),
    )


def row(subject: Subject, index: int) -> Subject:
    mask = None if subject.mask is None else subject.mask[index]
    x = subject.x[[index]]
    return Subject(
        subject.net,
        x,
        subject.heat.row(index),
        mask=mask,
        random_nets=subject.random_nets,
        redrawings=(subject.redrawings[index],),
    )


def test_the_record_is_complete(score: Score) -> None:
    for sentence in (score.summary, score.chance, score.pitfall):
        assert re.fullmatch(r"[A-Z].*\.", sentence)
    assert score.summary.startswith(score.title)
    assert score.direction in ("higher", "lower", "none")
    assert re.fullmatch(r"arXiv:\d{4}\.\d{4,5}|doi:10\.\S+", score.paper)
    assert [each.title for each in SCORES.values()].count(score.title) == 1


def test_a_batch_equals_its_rows(score: Score, subject: Subject) -> None:
    batch = score.measure(subject)
    assert (batch.images, len(batch.rows())) == (2, 2)
    assert pickle.loads(pickle.dumps(batch)) == batch
    for index, one in enumerate(batch.rows()):
        alone = score.measure(row(subject, index))
        assert (type(one), type(one.value), alone.images) == (type(alone), float, None)
        for name in alone.ROW:
            assert np.shape(getattr(one, name)) == np.shape(getattr(alone, name))
            assert np.allclose(getattr(one, name), getattr(alone, name), atol=1e-3, equal_nan=True), name


def test_a_difference_of_two_classes_in_a_batch_equals_its_rows(score: Score, subject: Subject) -> None:
    heat = attribute(subject.net, subject.x, layer="relu3", target=[4, 0], against=[0, 7])
    both = replace(subject, heat=heat)
    for index, one in enumerate(score.measure(both).rows()):
        assert np.isclose(one.value, score.measure(row(both, index)).value, atol=1e-3, equal_nan=True)


@pytest.mark.parametrize("layer", ["relu", "relu#2", "conv3"])
def test_a_network_with_reused_modules_and_functions(
    score: Score, tricky: nn.Module, untouched: Callable, layer: str
) -> None:
    x = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(6))
    heat = attribute(tricky, x, layer=layer, target=2)
    mask = np.eye(16, dtype=bool)
    with untouched(tricky):
        nets, drawn = random_nets(tricky, x), redrawing(0, 16, tricky(x).shape[1])
        result = score.measure(Subject(tricky, x, heat, mask=mask, random_nets=nets, redrawings=(drawn,)))
    assert result.images is None
    assert np.isfinite(result.value) or (heat.values <= 0).all()


def test_a_network_that_calls_view_works_in_the_slower_memory_order() -> None:
    class Viewed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.relu, self.linear = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4 * 36, 3)

        def forward(self, x: Tensor) -> Tensor:
            maps = self.relu(self.conv(x))
            return self.linear(maps.view(len(x), -1))

    torch.manual_seed(0)
    net, x = Viewed().eval(), torch.randn(5, 3, 8, 8)
    with torch.no_grad():
        assert torch.allclose(logits(net, x), net(x).double())


def test_the_same_seed_gives_the_same_and_random_numbers_of_others_are_left_alone(
    score: Score, subject: Subject
) -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    assert score.measure(subject) == score.measure(subject)
    assert torch.equal(state, torch.get_rng_state())


def test_the_network_is_untouched(score: Score, subject: Subject, untouched: Callable) -> None:
    with untouched(subject.net):
        score.measure(subject)


def test_what_chance_gives_is_on_the_same_image(score: Score, subject: Subject) -> None:
    result = score.measure(subject)
    assert isinstance(result, Scored)
    assert (result.chance.ndim, len(result.chance)) == (2, 2)
    assert result.chance_band.shape == (2, 2)
    for index, one in enumerate(result.rows()):
        assert np.allclose(one.chance_band, result.chance_band[index], equal_nan=True)
        low, high = one.chance_band
        assert low <= one.chance_mean <= high
        assert 0 <= one.above_chance <= 1


def test_the_band_of_few_draws_holds_one_more_draw_in_95_percent_of_cases() -> None:
    draws = np.random.default_rng(0).standard_normal((20_000, 9))
    low, high = Scored(draws[:, :8], draws[:, 8]).chance_band.T
    assert ((low <= draws[:, 8]) & (draws[:, 8] <= high)).mean() == pytest.approx(0.95, abs=0.005)


def test_the_band_of_few_draws_by_hand() -> None:
    low, high = Scored(np.array([1.0, 2.0, 3.0]), 2.0).chance_band  # mean 2, standard deviation 1
    assert [low, high] == pytest.approx([2 - 4.303 * (4 / 3) ** 0.5, 2 + 4.303 * (4 / 3) ** 0.5])
    assert np.isnan(Scored(np.array([1.0]), 2.0).chance_band).all()
    many = Scored(np.arange(200.0), 2.0)
    assert list(many.chance_band) == pytest.approx([4.975, 194.025])


def test_a_value_that_chance_always_gives_has_no_verdict(score: Score) -> None:
    assert reading(score, Scored(np.full(200, 0.5), 0.5)) == TIED
    assert reading(score, Scored(np.full(200, 0.5), 0.6)) == score.above
    assert reading(score, Scored(np.linspace(0, 1, 200), 0.5)) == score.within
    assert reading(score, Scored(np.linspace(0, 1, 200), -1.0)) == score.below
    assert reading(score, Scored(np.full(200, np.nan), 0.5)) is None


@pytest.mark.parametrize("name", ["randomized", "class_sensitivity"])
def test_a_correlation_claims_no_more_than_its_value(name: str) -> None:
    score = SCORES[name]
    for text in (score.below, score.within, score.above):
        assert not re.search("opposite|map depends|as much as|: it depends", text)
    assert " can be measured." in score.within


def test_quantiles_of_students_t() -> None:
    t = (np.arange(13_000) + 0.5) * 1e-3
    for degrees in range(1, FEWEST_FOR_QUANTILES - 1):
        density = (1 + t[: round(STUDENT[degrees - 1] * 1000)] ** 2 / degrees) ** (-(degrees + 1) / 2)
        norm = math.sqrt(degrees * math.pi) * math.gamma(degrees / 2) / math.gamma((degrees + 1) / 2) / 2
        assert density.sum() * 1e-3 / norm == pytest.approx(0.95, abs=1e-4)
    assert len(STUDENT) == FEWEST_FOR_QUANTILES - 2


def test_shapes_that_do_not_fit_are_refused(course: nn.Module, x: Tensor) -> None:
    heat = attribute(course, x, layer="relu3", target=0)
    with pytest.raises(ValueError, match="one heat map per image"):
        Subject(course, torch.cat([x, x]), heat)
    with pytest.raises(ValueError, match="mask must be"):
        Subject(course, x, heat, mask=np.zeros((16, 16), bool))
