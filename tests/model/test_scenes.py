"""The drawn scenes: exact masks, the same picture every time, variety, balanced data sets."""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from model import scenes
from model.checkpoint import load_checkpoint
from model.drawn.places import PLACES
from model.scenes import CLASSES, DEFAULT_SEEDS, SUBJECTS, backdrop, dataset, draw, samples
from tests import forks

ROOT = Path(__file__).parents[2]


@cache
def the_samples() -> tuple[scenes.Scene, ...]:
    return samples()


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def test_classes_are_those_of_cifar10_in_its_order() -> None:
    assert CLASSES == (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    )
    assert tuple(SUBJECTS) == CLASSES == tuple(DEFAULT_SEEDS)


@pytest.mark.parametrize("label", range(10), ids=CLASSES)
def test_every_class_is_drawn(label: int) -> None:
    scene = draw(label, 3, 64)
    assert (scene.label, scene.name) == (label, CLASSES[label])
    assert scene.pixels.shape == (64, 64, 3)
    assert scene.pixels.dtype == np.uint8
    assert scene.mask.shape == (64, 64)
    assert scene.mask.dtype == np.bool_
    assert scene.pixels.std() > 15


@pytest.mark.parametrize("size", [16, 17, 32, 48, 49, 96, 256])
def test_any_size_from_16(size: int) -> None:
    scene = draw(5, 1, size)
    assert scene.pixels.shape == (size, size, 3)
    assert scene.mask.shape == (size, size)


@pytest.mark.parametrize("label", range(10), ids=CLASSES)
@pytest.mark.parametrize("seed", range(3))
def test_the_mask_is_exactly_what_the_object_changes(label: int, seed: int) -> None:
    scene, without = draw(label, seed, 64), backdrop(label, seed, 64)
    np.testing.assert_array_equal(scene.pixels[~scene.mask], without[~scene.mask])
    changed = (scene.pixels != without).any(-1)
    assert changed[scene.mask].mean() > 0.93


def test_a_default_sample_has_an_exact_mask_at_full_size() -> None:
    label = CLASSES.index("frog")
    scene, without = draw(label, DEFAULT_SEEDS["frog"]), backdrop(label, DEFAULT_SEEDS["frog"])
    np.testing.assert_array_equal(scene.pixels[~scene.mask], without[~scene.mask])


@pytest.mark.parametrize("label", range(10), ids=CLASSES)
def test_the_object_takes_a_fair_share_of_the_picture(label: int) -> None:
    shares = [draw(label, seed, 24).mask.mean() for seed in range(12)]
    assert min(shares) > 0.02
    assert 0.1 < np.mean(shares) < 0.85
    assert max(shares) < 0.95


@pytest.mark.parametrize("label", range(10), ids=CLASSES)
def test_the_object_spans_much_of_the_width(label: int) -> None:
    spans = [np.flatnonzero(draw(label, seed, 32).mask.any(0)) for seed in range(8)]
    assert np.mean([(span[-1] - span[0] + 1) / 32 for span in spans]) > 0.55


def test_size_changes_the_resolution_and_not_the_drawing() -> None:
    for label in range(10):
        small, large = draw(label, 2, 32), draw(label, 2, 128)
        reduced = large.mask.reshape(32, 4, 32, 4).any((1, 3))
        union = (small.mask | reduced).sum()
        assert (small.mask & reduced).sum() / union > 0.6, CLASSES[label]
        color = large.pixels.reshape(32, 4, 32, 4, 3).mean((1, 3))
        assert np.abs(color - small.pixels).mean() < 25, CLASSES[label]


def test_the_same_seed_gives_the_same_scene() -> None:
    for label in range(10):
        first, again = draw(label, 11, 32), draw(label, 11, 32)
        np.testing.assert_array_equal(first.pixels, again.pixels)
        np.testing.assert_array_equal(first.mask, again.mask)


def test_another_process_draws_the_same_scene() -> None:
    code = "from model.scenes import draw; print(draw(7, 5, 48).pixels.tobytes().hex())"
    done = forks.run("-c", code)
    assert bytes.fromhex(done.stdout) == draw(7, 5, 48).pixels.tobytes()


def test_drawing_other_scenes_before_changes_nothing() -> None:
    first = draw(3, 4, 32).pixels
    for seed in range(5):
        draw(seed, seed, 32)
    np.testing.assert_array_equal(draw(3, 4, 32).pixels, first)


@pytest.mark.parametrize("label", range(10), ids=CLASSES)
def test_different_seeds_give_different_scenes(label: int) -> None:
    pictures = [draw(label, seed, 24) for seed in range(10)]
    assert len({digest(p.pixels) for p in pictures}) == 10
    assert len({digest(p.mask) for p in pictures}) == 10
    colors = np.array([p.pixels[p.mask].mean(0) for p in pictures])
    assert colors.std(0).mean() > 8


def test_every_place_a_subject_is_seen_in_exists_and_can_be_drawn() -> None:
    rng = np.random.default_rng(0)
    named = {place for make in SUBJECTS.values() for _ in range(40) for place in make(rng).places}
    assert named <= set(PLACES)
    for name, place in PLACES.items():
        for foot in (0.6, 1.3):
            pixels = place(rng, 48, foot).pixels
            assert pixels.shape == (48, 48, 3), name
            assert np.isfinite(pixels).all(), name


def test_many_seeds_draw_without_a_hitch() -> None:
    for label in range(10):
        for seed in range(100, 112):
            assert draw(label, seed, 16).mask.any()


def test_the_samples_are_one_of_each_class_at_256() -> None:
    drawn = the_samples()
    assert [scene.label for scene in drawn] == list(range(10))
    assert all(scene.pixels.shape == (256, 256, 3) for scene in drawn)


SHIPPED = ROOT / "checkpoints" / "cifar10-course.safetensors"


@pytest.mark.skipif(not SHIPPED.exists(), reason="the shipped checkpoint is not there")
def test_the_shipped_checkpoint_names_eight_of_the_samples() -> None:
    checkpoint = load_checkpoint(SHIPPED)
    net = checkpoint.build()
    with torch.no_grad():
        named = [int(net(checkpoint.card.to_input(scene.pixels)).argmax()) for scene in the_samples()]
    assert sum(label == guess for label, guess in enumerate(named)) >= 8


@pytest.mark.parametrize("count", [0, 7, 40])
def test_a_dataset_is_balanced(count: int) -> None:
    images, labels = dataset(count, 1, 16)
    assert images.shape == (count, 16, 16, 3)
    assert images.dtype == np.uint8
    assert labels.shape == (count,)
    assert labels.dtype == np.int64
    tally = np.bincount(labels, minlength=10)
    assert tally.max() - tally.min() <= 1


def test_a_dataset_is_shuffled_and_belongs_to_its_seed() -> None:
    images, labels = dataset(40, 1)
    again, same = dataset(40, 1)
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(labels, same)
    assert not np.array_equal(labels, np.sort(labels))
    other, _ = dataset(40, 2)
    assert not np.array_equal(images, other)
    assert len({digest(image) for image in images}) == 40


def test_a_dataset_tells_how_far_it_is() -> None:
    seen: list[int] = []
    dataset(12, 0, 16, progress=seen.append)
    assert seen == list(range(1, 13))


@pytest.mark.parametrize("label", [-1, 10])
def test_an_unknown_class_is_refused_in_one_sentence(label: int) -> None:
    with pytest.raises(ValueError, match=f"no class {label}"):
        draw(label, 0)


def test_too_small_a_size_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="15 pixels are too small"):
        draw(0, 0, 15)


def test_pictures_are_read_only_values() -> None:
    assert scenes.Scene.__dataclass_params__.frozen  # type: ignore[attr-defined]
