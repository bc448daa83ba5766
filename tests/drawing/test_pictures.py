import base64
import io

import numpy as np
import pytest
from PIL import Image

from explorer.drawing.pictures import data_uri, enlarged, icon_uri, png
from explorer.engine.samples import scene


def test_a_png_brings_back_the_pixels_enlarged_without_blur():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    read = np.asarray(Image.open(io.BytesIO(png(pixels, scale=4))))
    assert np.array_equal(read, np.kron(pixels, np.ones((4, 4, 1), np.uint8)))
    assert base64.b64decode(data_uri(pixels).split(",")[1]) == png(pixels)


def test_pictures_do_not_shrink():
    with pytest.raises(ValueError, match="not 0"):
        enlarged(np.zeros((1, 1, 3), np.uint8), 0)


def test_an_icon_is_much_smaller_than_its_png_and_looks_the_same():
    pixels = scene(3, 64).pixels
    address = icon_uri(pixels)
    assert len(address) < len(data_uri(pixels)) / 4
    read = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB"))
    assert read.shape == pixels.shape
    assert np.abs(read.astype(int) - pixels.astype(int)).mean() < 8
