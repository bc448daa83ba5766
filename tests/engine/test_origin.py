"""Every sample knows where it came from."""

import hashlib
import pickle
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.engine.samples import (
    ArrayTestSet,
    FromScene,
    FromTestSet,
    FromUpload,
    Sample,
    decode,
    folder_test_set,
    in_classes,
    scene,
)
from model import scenes

NOISE = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, pixels in enumerate(NOISE):
        path = tmp_path / "test" / f"class{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return tmp_path


def test_a_scene_by_its_label_and_seed() -> None:
    sample = scene(3, 32)
    assert sample.origin == FromScene(3, scenes.DEFAULT_SEEDS["cat"])
    again = scenes.draw(sample.origin.label, sample.origin.seed, 32)
    np.testing.assert_array_equal(again.pixels, sample.pixels)


def test_a_test_image_by_its_index_and_the_digest_of_the_set(folder: Path) -> None:
    test_set = folder_test_set(folder)
    origins = [test_set.sample(index).origin for index in range(3)]
    assert origins == [FromTestSet(index, test_set.digest) for index in range(3)]
    assert folder_test_set(folder).digest == test_set.digest
    (folder / "test" / "class0" / "0.png").rename(folder / "test" / "class1" / "0.png")
    assert folder_test_set(folder).digest != test_set.digest


def test_the_digest_of_images_in_memory_is_of_their_pixels() -> None:
    labels = np.array([0, 1, 0])
    sets = [
        ArrayTestSet("a", ("cat", "dog"), labels, images) for images in (NOISE, NOISE.copy(), 255 - NOISE)
    ]
    digests = [each.digest for each in sets]
    assert digests[0] == digests[1] != digests[2]
    assert sets[0].sample(2).origin == FromTestSet(2, digests[0])


def test_an_upload_by_the_digest_of_its_bytes() -> None:
    file = BytesIO()
    Image.fromarray(NOISE[0]).save(file, "PNG")
    sample = decode(file.getvalue(), "mine.png")
    assert sample.origin == FromUpload(hashlib.sha256(file.getvalue()).hexdigest())


def test_an_origin_stays_with_the_sample(folder: Path) -> None:
    sample = scene(3, 32)
    assert in_classes(sample, scenes.CLASSES, ("dog", "cat")).origin == sample.origin
    assert pickle.loads(pickle.dumps(sample)).origin == sample.origin
    assert Sample("anything", NOISE[0]).origin is None
