"""A covered square: what is in it, and that nothing else changes."""

import pytest
import torch

from explorer.engine.attribution.baseline import BASELINES
from explorer.engine.occluding import Patch, covered
from model.card import Card

CARD = Card(input_size=8, classes=("a", "b"))
X = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", BASELINES)
def test_the_square_is_the_baseline_and_the_rest_is_the_image(name: str) -> None:
    made = covered(CARD, X, Patch(2, 3, 4), name)
    inside = torch.zeros(8, 8, dtype=torch.bool)
    inside[2:6, 3:7] = True
    assert torch.equal(made[:, :, ~inside], X[:, :, ~inside])
    assert torch.equal(made[:, :, inside], BASELINES[name].images(CARD, X)[:, :, inside])
    for row in range(2):
        alone = covered(CARD, X[row : row + 1], Patch(2, 3, 4), name)
        torch.testing.assert_close(made[row], alone[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (Patch(-3, 2, 4), Patch(0, 2, 4)),
        (Patch(7, 7, 4), Patch(4, 4, 4)),
        (Patch(1, 1, 99), Patch(0, 0, 8)),
        (Patch(3, 3, 0), Patch(3, 3, 1)),
    ],
)
def test_a_patch_is_moved_into_the_image(given: Patch, wanted: Patch) -> None:
    assert given.within(8, 8) == wanted
    assert torch.equal(covered(CARD, X, given, "black"), covered(CARD, X, wanted, "black"))
