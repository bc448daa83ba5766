"""A small network with what is hard to reduce, images for it, and a naive scan that keeps every map."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from explorer.engine.network import Network
from explorer.engine.samples import ArrayTestSet
from explorer.engine.scan import running
from explorer.engine.scan.images import ScanImages, of_test_set
from model.card import Card

SIDE = 16
CLASSES = ("bird", "cat", "dog", "ship")
CARD = Card(net="tiny", classes=CLASSES, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), input_size=SIDE,
            data="drawn for a test")  # fmt: skip
IMAGES = 300


class Net(nn.Module):
    """A negative, a zero and a tiny γ, a channel far from zero, a ReLU that runs twice, overlapping pools."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5)
        self.conv2, self.bn2 = nn.Conv2d(5, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.relu, self.pool, self.last = nn.ReLU(), nn.MaxPool2d(3, 2), nn.Linear(6, len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.last(x.mean((2, 3)))


@pytest.fixture(scope="session")
def network() -> Network:
    torch.manual_seed(0)
    net = Net().eval()
    with torch.no_grad():
        net.bn1.weight.copy_(torch.tensor([1.0, -0.7, 0.3, 1.2, 0.9]))
        net.bn1.bias.copy_(torch.tensor([0.1, 0.0, -9.0, 0.2, 0.0]))
        net.bn2.weight.copy_(torch.tensor([1.0, -0.7, 0.0, 0.0, 1e-9, 0.5]))
        net.bn2.bias.copy_(torch.tensor([0.1, 0.0, 0.0, -1.0, 0.3, 0.0]))
        net.conv1.bias[3] = 40.0
    return Network(net, CARD, "tiny 0123")


@pytest.fixture(scope="session")
def photos() -> ArrayTestSet:
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (IMAGES, SIDE, SIDE, 3), np.uint8)
    images[::7] //= 8
    images[5] = images[123]  # equal images: the first of them counts
    labels = random.integers(0, 3, IMAGES)  # and none of the fourth class
    labels[:3] = 3
    return ArrayTestSet("photos", ("bird", "cat", "dog", "plate"), labels.astype(np.int64), images)


@pytest.fixture(scope="session")
def images(photos: ArrayTestSet) -> ScanImages:
    return of_test_set(photos, CARD)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of twelve images of two classes, two of them unreadable."""
    random = np.random.default_rng(0)
    for name in ("bird", "cat"):
        place = tmp_path / "photos" / "test" / name
        place.mkdir(parents=True)
        for index in range(5):
            Image.fromarray(random.integers(0, 255, (20, 20, 3), np.uint8)).save(place / f"{index}.png")
        (place / "3a.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    return tmp_path / "photos"


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of four images, in batches of two."""
    monkeypatch.setattr(running, "BATCH", 2)
    monkeypatch.setattr(running, "SHARD", 2)
    monkeypatch.setattr(running, "CALIBRATION", 4)


def few(images: ScanImages, count: int) -> ScanImages:
    return replace(images, count=count)
