"""A tiny network, images for it, and a scoreboard of them."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from explorer.engine.network import Network
from explorer.engine.scoreboard import chunks, running
from explorer.engine.scoreboard.board import Board
from explorer.engine.scoreboard.image_sets import ImageSet, folder, scenes
from explorer.engine.scoreboard.running import Measurement, MeasurementPlan, prepare
from model.card import Card

SIDE = 16
CARD = Card(net="tiny", classes=("airplane", "automobile", "bird", "cat"), mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25), input_size=SIDE, data="drawn for a test")  # fmt: skip
METHODS = ("grad_cam", "saliency")
CHEAP = ("deletion", "inside_object", "class_sensitivity", "redrawing", "findings")
CHUNK = 3


@dataclass(frozen=True)
class MeasuredBoard:
    """A finished scoreboard, and the folder with its chunks."""

    board: Board
    folder: Path


@pytest.fixture(scope="session")
def network() -> Network:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 4),
    ).eval()  # fmt: skip
    return Network(net, CARD, "tiny 0123")


@pytest.fixture(scope="session")
def drawn() -> ImageSet:
    return scenes(CARD, 0)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with twelve images of two classes, two of them unreadable."""
    random = np.random.default_rng(0)
    for name in ("bird", "cat"):
        place = tmp_path / "photos" / "test" / name
        place.mkdir(parents=True)
        for index in range(5):
            Image.fromarray(random.integers(0, 255, (20, 20, 3), np.uint8)).save(place / f"{index}.png")
        (place / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    return tmp_path / "photos"


@pytest.fixture
def photo_set(photos: Path) -> ImageSet:
    return folder(CARD, photos, 0)


@pytest.fixture
def ready(
    network: Network, drawn: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Measurement]:
    """`ready(images=…, out=…, …)`: a Measurement by chunks of CHUNK, whose clock ticks once a call."""
    make_small(monkeypatch)

    def make(
        images: int = 2 * CHUNK, out: str = "out", on: ImageSet = drawn, **wanted: object
    ) -> Measurement:
        return planned(network, on, tmp_path / out, images, **wanted)

    return make


@pytest.fixture(scope="module")
def whole(network: Network, drawn: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> MeasuredBoard:
    """What `ready()` plans, measured in one piece, for tests that only read it."""
    with pytest.MonkeyPatch.context() as patched:
        make_small(patched)
        measurement = planned(network, drawn, tmp_path_factory.mktemp("whole"), 2 * CHUNK)
        running.run(measurement, lambda done, total: None)
        board = running.board_of(measurement, running.chunks_of(measurement)[0], "tiny", "command")
    return MeasuredBoard(board, measurement.store.folder)


def make_small(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(chunks, "CHUNK", CHUNK)
    patched.setattr(running, "RECALIBRATION", 4)


def planned(network: Network, on: ImageSet, out: Path, images: int, **wanted: object) -> Measurement:
    chosen = MeasurementPlan(images, **{"methods": METHODS, "scores": CHEAP, **wanted})  # type: ignore[arg-type]
    return prepare(network, on, chosen, out, clock=count().__next__)
