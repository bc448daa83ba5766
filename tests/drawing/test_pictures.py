import base64
import io

import numpy as np
import pytest
from PIL import Image

from explorer.drawing.pictures import data_uri, enlarged, png


def test_a_png_brings_back_the_pixels_enlarged_without_blur():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    read = np.asarray(Image.open(io.BytesIO(png(pixels, scale=4))))
    assert np.array_equal(read, np.kron(pixels, np.ones((4, 4, 1), np.uint8)))
    assert base64.b64decode(data_uri(pixels).split(",")[1]) == png(pixels)


def test_pictures_do_not_shrink():
    with pytest.raises(ValueError, match="not 0"):
        enlarged(np.zeros((1, 1, 3), np.uint8), 0)
