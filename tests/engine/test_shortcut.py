"""Networks with known answers: one reads only the mark, one cannot see it."""

import numpy as np
import pytest
import torch
from torch import nn

from explorer.engine.intervals import interval
from explorer.engine.network import Network
from explorer.engine.shortcut import (
    accuracy,
    mark_shifts,
    marked_scenes,
    mean_on_mark,
    on_mark,
    predictions,
    touched_positions,
)
from model.card import Card
from model.shortcut import mark_mask, with_mark

SIZE = 32
CARD = Card(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), input_size=SIZE)


class ReadsMark(nn.Module):
    """Compares the pixels under the ten marks with each mark: its maps are zero elsewhere.

    Channel c of `act` is the match with mark c at each position; `blind` looks only elsewhere.
    """

    def __init__(self, blind=False):
        super().__init__()
        gray = np.full((SIZE, SIZE, 3), 128, np.uint8)
        marks = torch.stack([CARD.to_input(with_mark(gray, mark))[0] for mark in range(10)])
        inside = torch.from_numpy(np.stack([mark_mask(mark, SIZE) for mark in range(10)])).float()
        self.blind = blind
        self.register_buffer("marks", marks)
        self.register_buffer("inside", inside)
        self.act = nn.ReLU()

    def forward(self, x):
        if self.blind:
            x = x * (1 - self.inside.amax(0))
            return self.act(x).mean((2, 3)) @ torch.ones(3, 10) + torch.arange(10.0)
        apart = (x[:, None] - self.marks).abs().sum(2)
        return self.act((1 - apart) * self.inside).mean((2, 3))


def network(**settings):
    return Network(ReadsMark(**settings).eval(), CARD, str(settings))


@pytest.fixture(scope="module")
def scenes():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, SIZE, SIZE, 3), dtype=np.uint8)
    return marked_scenes(images, np.repeat(np.arange(10), 4))


def test_a_network_that_reads_only_the_mark_follows_it(scenes):
    measured = accuracy(network(), scenes)
    assert (measured.n, measured.correct["own"], measured.correct["wrong"], measured.followed) == (
        40,
        40,
        0,
        40,
    )


def test_a_network_that_cannot_see_the_mark_is_the_same_in_all_conditions(scenes):
    measured = accuracy(network(blind=True), scenes)
    assert set(measured.correct.values()) == {4}  # always class 9
    images = [predictions(network(blind=True), each) for each in scenes.images.values()]
    assert np.array_equal(images[0], images[1])
    assert np.array_equal(images[0], images[2])


def test_all_evidence_of_a_network_that_reads_only_the_mark_is_on_it(scenes):
    on = mean_on_mark(network(), scenes, "act")
    assert (on.positive, on.absolute) == pytest.approx((1, 1))
    assert on.area == pytest.approx(36 / 1024)


def test_none_of_the_evidence_of_a_network_that_cannot_see_the_mark_is_on_it(scenes):
    on = mean_on_mark(network(blind=True), scenes, "act")
    assert on.positive == 0


def test_the_channel_of_a_mark_is_moved_by_it_and_the_others_are_not():
    images = np.random.default_rng(1).integers(0, 256, (6, SIZE, SIZE, 3), dtype=np.uint8)
    shifts = mark_shifts(network(), marked_scenes(images, np.full(6, 3)), "act")
    assert shifts.argmax() == 3
    assert shifts[3] > 1.5  # 0 without, much with: at most 2 standard deviations
    unmoved = mark_shifts(network(blind=True), marked_scenes(images, np.full(6, 3)), "act")
    assert np.array_equal(unmoved, np.zeros(3, np.float32))


def test_switching_off_the_channel_of_a_mark_takes_away_what_it_did(scenes):
    on, off = (predictions(network(), scenes.images["own"], "act", channels) for channels in ((), (9,)))
    assert np.array_equal(on, scenes.labels)
    assert np.array_equal(off[scenes.labels < 9], scenes.labels[scenes.labels < 9])
    assert (off[scenes.labels == 9] != 9).all()


def test_an_even_map_has_the_fraction_of_the_area():
    for shape in ((4, 4), (8, 8), (32, 32)):
        on = on_mark(np.full(shape, -2, np.float32), 7, SIZE)
        assert on.absolute == pytest.approx(on.area)
        assert np.isnan(on.positive)
    assert touched_positions(0, SIZE, (8, 8)).sum() == 4
    assert touched_positions(0, SIZE, (4, 4)).sum() == 1
    assert touched_positions(9, SIZE, (4, 4))[3, 0]


def test_interval_of_wilson():
    low, high = interval(0.5, 10)
    assert (low, high) == pytest.approx((0.2366, 0.7634), abs=1e-4)  # Brown, Cai, DasGupta 2001
