import numpy as np
import pytest
from PIL import Image

from model.card import Card
from model.pixels import square, to_rgb


def noise(width, height):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("width", "height"), [(32, 32), (64, 64), (200, 90), (51, 120), (7, 5), (1, 1)])
def test_square_is_the_framing_of_the_card(width, height):
    """A network must be shown images in training as the explorer shows them to it."""
    pixels = noise(width, height)
    framed = Card(input_size=32).framed(pixels)
    np.testing.assert_array_equal(np.asarray(square(Image.fromarray(pixels), 32)), framed)


def test_square_of_the_size_is_the_image_itself():
    image = Image.fromarray(noise(32, 32))
    assert square(image, 32) is image


def test_square_does_not_look_past_the_crop():
    pixels = np.zeros((90, 200, 3), np.uint8)
    pixels[:, :55] = pixels[:, 145:] = 255
    assert np.asarray(square(Image.fromarray(pixels), 16)).max() == 0


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "I;16", "I", "F"]
)
def test_every_usual_mode_becomes_rgb(mode):
    assert to_rgb(Image.new(mode, (4, 3))).mode == "RGB"


def test_16_bit_gray_rounds_to_the_nearest_level():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    levels = np.asarray(to_rgb(Image.fromarray(values)))[..., 0]
    np.testing.assert_array_equal(levels, np.rint(values / 257))
