"""Shifts of the data against torchvision, Pillow and plain arithmetic."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from explorer.engine.corruptions import CORRUPTIONS, blur, brightness, contrast, jpeg, noise, pixelation
from model.images import Images

RANDOM = np.random.default_rng(0)
IMAGES: Images = RANDOM.integers(0, 256, (4, 16, 16, 3), np.uint8)


def tensor(images: Images) -> torch.Tensor:
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def close(made: Images, expected: torch.Tensor, most: int = 1) -> None:
    difference = np.abs(made.astype(int) - expected.numpy().transpose(0, 2, 3, 1).astype(int))
    assert difference.max() <= most


def test_brightness_is_a_factor_cut_off_at_white() -> None:
    even = IMAGES // 2 * 2
    np.testing.assert_array_equal(brightness(even, 0.5), even // 2)
    np.testing.assert_array_equal(brightness(IMAGES, 2.0), np.minimum(IMAGES.astype(int) * 2, 255))


def test_contrast_and_blur_are_torchvisions() -> None:
    fractions = tensor(IMAGES).float() / 255
    close(contrast(IMAGES, 0.5), functional.adjust_contrast(fractions, 0.5).mul(255).round())
    blurred = functional.gaussian_blur(fractions, [7, 7], [1.0, 1.0])
    close(blur(IMAGES, 1.0), blurred.mul(255).round())


def test_noise_is_the_same_in_every_run_and_as_wide_as_it_says() -> None:
    gray = np.full((8, 32, 32, 3), 128, np.uint8)
    made = noise(gray, 16.0)
    np.testing.assert_array_equal(made, noise(gray, 16.0))
    assert made.std() == pytest.approx(16, rel=0.02)
    assert made.mean() == pytest.approx(128, abs=0.5)


def test_jpeg_is_pillows() -> None:
    file = io.BytesIO()
    Image.fromarray(IMAGES[1]).save(file, "JPEG", quality=30)
    np.testing.assert_array_equal(jpeg(IMAGES, 30)[1], np.asarray(Image.open(file)))


def test_pixelation_has_the_mean_of_each_square() -> None:
    means = IMAGES.reshape(4, 4, 4, 4, 4, 3).mean((2, 4))
    np.testing.assert_allclose(pixelation(IMAGES, 4)[:, ::4, ::4], means, atol=0.51)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_goes_from_mild_to_strong_and_each_image_is_by_itself(name: str) -> None:
    corruption = CORRUPTIONS[name]
    smooth = np.kron(RANDOM.integers(40, 120, (3, 4, 4, 3)), np.ones((1, 8, 8, 1))).astype(np.uint8)
    before = smooth.copy()
    made = [corruption.shift(smooth, severity) for severity in corruption.severities]
    np.testing.assert_array_equal(smooth, before)
    sizes = [np.abs(each.astype(float) - smooth).mean() for each in made]
    if name != "pixelation":  # on blocks of 8 pixels, squares of 6 are worse than those of 8
        assert sizes == sorted(sizes)
        assert sizes[0] > 0
    assert all(each.dtype == np.uint8 and each.shape == smooth.shape for each in made)
    if name != "noise":
        np.testing.assert_array_equal(corruption.shift(smooth[1:2], corruption.severities[2])[0], made[2][1])
    if corruption.neutral is not None:
        np.testing.assert_allclose(corruption.shift(smooth, corruption.neutral), smooth, atol=1)
