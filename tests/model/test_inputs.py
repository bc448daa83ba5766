"""What a network gets of pictures, by torchvision's transforms, one by one and many at once."""

import numpy as np
import pytest
import torch

import model  # noqa: F401  (before torchvision)
from model.card import Card

transforms = pytest.importorskip("torchvision.transforms")


@pytest.fixture
def pictures():
    draw = np.random.default_rng(0)
    return [draw.integers(0, 256, (*size, 3), np.uint8) for size in ((32, 32), (50, 70), (20, 20))]


@pytest.mark.parametrize("fit", ["crop", "squash"])
def test_inputs_are_torchvisions(pictures, fit):
    card = Card(mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))
    usual = transforms.Compose([transforms.ToTensor(), transforms.Normalize(card.mean, card.std)])
    wanted = torch.stack([usual(card.framed(pixels, fit).copy()) for pixels in pictures])
    x = card.to_inputs(pictures, fit)
    assert (x.dtype, x.is_contiguous()) == (torch.float32, True)
    torch.testing.assert_close(x, wanted, rtol=0, atol=2e-6)
    for row, pixels in enumerate(pictures):
        assert torch.equal(card.to_input(pixels, fit), x[row : row + 1])
