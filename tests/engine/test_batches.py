import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from explorer.engine import batches
from explorer.engine.samples import TestSet, find_test_set
from model import scenes
from model.card import Card
from model.problems import Problem


@pytest.fixture
def found(tmp_path: Path) -> TestSet:
    """Two classes of six pictures, twice as wide as high; the third one is broken."""
    rng = np.random.default_rng(0)
    for name in ("cat", "zebra"):
        place = tmp_path / "test" / name
        place.mkdir(parents=True)
        for number in range(6):
            Image.fromarray(rng.integers(0, 256, (20, 40, 3), np.uint8)).save(place / f"{number}.png")
    (tmp_path / "test" / "cat" / "2.png").write_bytes(b"no picture")
    opened = find_test_set(tmp_path)
    assert opened is not None
    return opened


@given(st.integers(1, 400), st.integers(1, 400))
def test_a_spread_is_even_and_without_repeats(available: int, wanted: int) -> None:
    places = batches.spread(available, wanted)
    assert len(places) == min(available, wanted)
    assert places[0] == 0
    assert places[-1] < available
    gaps = np.diff([*places, available])
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1


def test_test_images_are_the_card_s_own_input(found: TestSet) -> None:
    card = Card()
    batch = batches.from_test_set(found, 4, card)
    assert batch.labels.tolist() == [3, 3, -1, -1]  # places 0, 3, 6, 9; no class of the card is a zebra
    for row, place in enumerate((0, 3, 6, 9)):
        sample = found.sample(place)
        np.testing.assert_array_equal(batch.pixels[row], card.framed(sample.pixels))
        assert torch.equal(batch.x[row : row + 1], card.to_input(sample.pixels))


def test_whole_pictures_where_the_page_squashes(found: TestSet) -> None:
    squashed = batches.from_test_set(found, 4, Card(), "squash")
    np.testing.assert_array_equal(squashed.pixels[1], Card().framed(found.sample(3).pixels, "squash"))
    assert squashed.input.digest != batches.from_test_set(found, 4, Card()).input.digest


def test_what_cannot_be_read_is_left_out(found: TestSet, tmp_path: Path) -> None:
    assert len(batches.from_test_set(found, 100, Card()).labels) == 11
    for file in tmp_path.glob("test/*/*.png"):
        file.write_bytes(b"no picture")
    with pytest.raises(Problem, match="None of the test images can be read: choose"):
        batches.from_test_set(found, 3, Card())


def test_scenes_are_balanced_and_always_the_same() -> None:
    batch, again = batches.from_scenes(20, Card()), batches.from_scenes(20, Card())
    assert np.bincount(batch.labels).tolist() == [2] * len(scenes.CLASSES)
    assert batch.x.shape == (20, 3, 32, 32)
    assert batch.input.digest == again.input.digest
    assert pickle.loads(pickle.dumps(batch)) == batch
    brighter = batches.from_scenes(10, Card(std=(1.0, 1.0, 1.0)))
    assert brighter.input.digest != batches.from_scenes(10, Card()).input.digest


def test_scenes_for_a_network_of_other_classes_and_size() -> None:
    batch = batches.from_scenes(10, Card(classes=("dog", "unicorn"), input_size=8))
    assert batch.x.shape == (10, 3, 8, 8)
    assert sorted(set(batch.labels.tolist())) == [-1, 0]


@pytest.mark.parametrize(
    ("size", "offered"),
    [(32, (16, 32, 64, 128, 256)), (224, (2, 4, 8, 16)), (299, (2, 4, 8)), (4096, (2,))],
)
def test_large_images_make_small_batches(size: int, offered: tuple[int, ...]) -> None:
    assert batches.counts(Card(input_size=size)) == offered
