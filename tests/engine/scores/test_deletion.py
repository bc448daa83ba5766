from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from torch import Tensor, nn

from explorer.engine.scores import Subject
from explorer.engine.scores.deletion import PATCHES, deletions
from explorer.engine.scores.removal import REMOVALS

BySide = Callable[..., Subject]


@pytest.mark.parametrize("removal", ["infilled", "mean"])
def test_only_the_quarter_that_the_network_reads_has_a_drop(
    by_hand: BySide, top_left: nn.Module, bright: Tensor, quarter: np.ndarray, removal: str
) -> None:
    result = deletions(by_hand(top_left, bright, quarter), removal=removal)
    assert result.drops.shape == (PATCHES, PATCHES)
    assert np.abs(result.drops[2:]).max() < 1e-6 > np.abs(result.drops[:, 2:]).max()
    assert (result.drops[:2, :2].sum(), result.value) > (0.2, 0.7)
    assert result.above_chance > 0.95


def test_a_drop_is_the_change_of_the_logit_with_that_patch_filled(
    by_hand: BySide, top_left: nn.Module, bright: Tensor, quarter: np.ndarray
) -> None:
    drops = deletions(by_hand(top_left, bright, quarter), removal="mean").drops
    for row, column in [(0, 0), (1, 0), (3, 3)]:
        changed = bright.clone()
        changed[..., 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = bright.mean((2, 3), keepdim=True)
        expected = float(top_left(bright)[0, 0] - top_left(changed)[0, 0])
        assert np.isclose(drops[row, column], expected, atol=1e-6)


def test_the_wrong_quarter_is_told_from_the_right_one(
    by_hand: BySide, top_left: nn.Module, bright: Tensor, quarter: np.ndarray
) -> None:
    right = deletions(by_hand(top_left, bright, quarter))
    for wrong in (np.rot90(quarter), np.rot90(quarter, 2), -quarter):
        result = deletions(by_hand(top_left, bright, wrong))
        assert result.value < 0.3 < right.value


def test_a_difference_of_two_logits_has_the_drops_of_the_difference(course: nn.Module, x: Tensor) -> None:
    from explorer.engine.attribution import attribute

    def drops(target: int, against: int | None = None) -> np.ndarray:
        heat = attribute(course, x, layer="relu3", target=target, against=against)
        return deletions(Subject(course, x, heat)).drops

    assert np.allclose(drops(2, 5), drops(2) - drops(5), atol=1e-5)


def test_a_constant_map_scores_nothing_and_a_constant_network_tells_nothing(
    by_hand: BySide, top_left: nn.Module, constant: nn.Module, bright: Tensor, quarter: np.ndarray
) -> None:
    for shape in ((8, 8), (7, 7), (1, 1)):
        result = deletions(by_hand(top_left, bright, np.full(shape, 0.1)))
        assert (result.value, result.above_chance) == (0, 0.5)
    result = deletions(by_hand(constant, bright, quarter))
    assert not result.drops.any()
    assert np.isnan([result.value, result.above_chance]).all()


def test_a_smooth_map_in_the_wrong_place_is_no_better_than_chance(
    by_hand: BySide, top_left: nn.Module, bright: Tensor, quarter: np.ndarray
) -> None:
    places = [np.roll(quarter, (2 * row, 2 * column), (0, 1)) for row in range(4) for column in range(4)]
    above = np.array([deletions(by_hand(top_left, bright, place)).above_chance for place in places])
    assert (above > 0.95).sum() <= 3
    assert (above < 0.05).sum() <= 3
    assert above[0] > 0.95
    assert abs(above.mean() - 0.5) < 0.1


def test_every_removal_is_offered(
    by_hand: BySide, top_left: nn.Module, bright: Tensor, quarter: np.ndarray
) -> None:
    values = [deletions(by_hand(top_left, bright, quarter), removal=name).drops for name in REMOVALS]
    assert all(not np.array_equal(one, other) for one, other in pairwise(values))
