"""Scans of networks with other kinds of numbers, and of such as decide which layers run."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.network import Network
from explorer.engine.samples import ArrayTestSet
from explorer.engine.scan import running
from explorer.engine.scan.images import ScanImages, of_test_set
from model.problems import Problem
from tests.engine.odd_networks import Plain
from tests.engine.scan.conftest import CARD as FOUR

CARD = replace(FOUR, classes=(*FOUR.classes, "tree"))


@pytest.fixture
def few(photos: ArrayTestSet) -> ScanImages:
    """Six random images, and the same nearly black."""
    images = np.concatenate([photos.images[1:7], photos.images[1:7] // 8])
    return of_test_set(ArrayTestSet("photos", photos.classes, photos.labels[:12], images), CARD)


class InDtype(Plain):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        with torch.no_grad():
            self.norm.weight[0] = 0  # and the maximum is where another kind of numbers rounds
        self.to(dtype)
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.to(self.dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_maxima_are_those_of_the_networks_own_numbers(few: ScanImages, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    net = InDtype(dtype).eval()
    scan = running.scan(Network(net, CARD, "own"), few)
    x = CARD.to_inputs([few.take(number).pixels for number in range(12)])
    with torch.no_grad():
        maxima = net.norm(net.conv(x.to(dtype))).float().amax((2, 3))
    expected = maxima.sort(0, descending=True).values.T
    np.testing.assert_allclose(scan.layers["norm"].top_values, expected, atol=1e-6)


class Routes(Plain):
    """Bright images only are given to one layer, as by a mixture of experts."""

    def __init__(self) -> None:
        super().__init__()
        self.expert = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.act(self.norm(self.conv(x)))
        bright = (x.mean((1, 2, 3)) > -1).nonzero().flatten()
        if len(bright):
            maps = maps.index_copy(0, bright, self.expert(maps[bright]))
        return self.head(maps.mean((2, 3)))


def test_layers_that_some_images_run_only_are_left_out(few: ScanImages) -> None:
    net = Routes().eval()
    scan = running.scan(Network(net, CARD, "own"), few)
    assert set(scan.layers) == {"conv", "norm", "act"}
    x = CARD.to_inputs([few.take(number).pixels for number in range(12)])
    with torch.no_grad():
        np.testing.assert_allclose(scan.logits, net(x), atol=1e-6)


def test_an_image_that_does_not_run_a_layer_ends_in_a_sentence(
    few: ScanImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "CALIBRATION", 1)
    with pytest.raises(Problem, match="'expert' does not run for every image"):
        running.scan(Network(Routes().eval(), CARD, "own"), few)
