"""Normalized pictures and their statistics, against torchvision, torch and plain NumPy."""

import numpy as np
import pytest
import torch

from explorer.engine import augmented, normalization
from explorer.engine.augmented import TrainingImages
from model.card import Card, Pixels
from model.datasets import Dataset
from model.nets import NETS
from model.recipes import Config

MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
CARD = Card(mean=MEAN, std=STD, arguments={"widths": [4, 4, 4], "hidden": 8})


def pictures(count: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def test_pictures_are_normalized_as_by_torchvision() -> None:
    from torchvision import transforms  # not before this project repairs it

    framed = pictures(3)
    made = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    wanted = torch.stack([made(each) for each in framed])
    torch.testing.assert_close(CARD.normalized(framed), wanted)
    of = normalization.statistics(CARD.normalized(framed))
    np.testing.assert_allclose(of.mean, wanted.mean((0, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(of.std, wanted.std((0, 2, 3), correction=0), rtol=1e-5)
    np.testing.assert_allclose(of.low, wanted.amin((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(of.high, wanted.amax((0, 2, 3)), rtol=1e-6)
    plain = normalization.before_normalization(CARD, list(framed))
    np.testing.assert_allclose(plain, np.stack([transforms.ToTensor()(each) for each in framed]), atol=1e-7)


def test_probabilities_are_those_of_each_picture_alone() -> None:
    torch.manual_seed(0)
    net = NETS["course"](**CARD.arguments).eval()
    framed = pictures(4)
    probabilities = normalization.probabilities_of(net, CARD, framed)
    for picture, row in zip(framed, probabilities, strict=True):
        with torch.no_grad():
            alone = net(CARD.normalized([picture])).softmax(1)[0]
        np.testing.assert_allclose(row, alone, atol=1e-6)
    np.testing.assert_array_equal(normalization.probabilities_of(net, CARD, framed[:1]).shape, (1, 10))


def test_a_picture_that_is_framed_is_not_framed_again() -> None:
    resized = Card(mean=MEAN, std=STD, input_size=32, resize=40)
    framed = pictures(1)
    torch.testing.assert_close(resized.normalized(framed), CARD.normalized(framed))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_estimate_is_the_samples_own_and_its_interval_holds_the_truth(channels: int) -> None:
    rng = np.random.default_rng(5)
    levels = rng.uniform(60, 180, (400, 1, 1, 1))
    every = (levels + rng.normal(0, 20, (400, 8, 8, 3))).clip(0, 255).astype(np.uint8)
    card = Card(channels=channels, mean=(0.5,) * channels, std=(0.2,) * channels, input_size=8)
    values = normalization.before_normalization(card, list(every))
    inside = 0
    for start in range(0, 400, 20):
        sample = normalization.estimate(card, every[start : start + 20])
        np.testing.assert_allclose(sample.mean, values[start : start + 20].mean((0, 2, 3)), rtol=1e-5)
        np.testing.assert_allclose(sample.std, values[start : start + 20].std((0, 2, 3)), rtol=1e-4)
        low, high = sample.mean_ends[:, 0]
        inside += low <= values[:, 0].mean() <= high
    assert inside >= 15  # of 20 samples, 19 expected


def test_unchanged_pictures_are_counted() -> None:
    one = pictures(1)[0]
    other = one.copy()
    other[3, 4, 1] ^= 1
    assert normalization.unchanged(np.stack([one, other, one]), one) == 2
    assert normalization.unchanged(np.stack([one, other]), np.stack([other, other])) == 1


def test_the_batchs_originals_are_in_its_order() -> None:
    data = Dataset("noise", pictures(20), np.arange(20) % 10, tuple("abcdefghij"), MEAN, STD, "")
    images = TrainingImages(data, "scenes", "digest")
    plain = Config(augment="none", batch_size=7, seed=3)
    before = augmented.originals(images, plain, epoch=4)
    np.testing.assert_array_equal(augmented.first_batch(images, plain, epoch=4).pixels, before)
    flipped = augmented.first_batch(images, Config(augment="flip", batch_size=7, seed=3), epoch=4).pixels
    for picture, original in zip(flipped, before, strict=True):
        assert np.array_equal(picture, original) or np.array_equal(picture, original[:, ::-1])
    assert 0 < normalization.unchanged(flipped, before) < 20
