import base64
import io

import numpy as np
import pytest
from PIL import Image

from explorer.drawing.colormaps import color
from explorer.drawing.ranges import positive, symmetric
from explorer.drawing.thumbnails import SIDE, thumbnails


def pixels(address: str) -> np.ndarray:
    kind, data = address.split(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize("signed", [True, False])
def test_small_maps_are_enlarged_without_blur_each_on_its_own_range(signed):
    maps = np.random.default_rng(0).standard_normal((3, 8, 5)).astype(np.float32) * [[[1]], [[20]], [[0.1]]]
    choose = symmetric if signed else positive
    drawn = thumbnails(maps, signed)
    assert len(drawn) == 3
    for values, address in zip(maps, drawn, strict=True):
        expected = color(values, choose(values)).repeat(4, 0).repeat(4, 1)
        np.testing.assert_array_equal(pixels(address), expected)


def test_large_maps_are_thinned_out():
    maps = np.random.default_rng(1).standard_normal((2, 112, 70)).astype(np.float32)
    for values, address in zip(maps, thumbnails(maps), strict=True):
        thin = values[::3, ::2]
        np.testing.assert_array_equal(pixels(address), color(thin, symmetric(thin)))
        assert max(pixels(address).shape) < 2 * SIDE


def test_constant_and_broken_maps_have_a_picture_too():
    maps = np.stack([np.zeros((4, 4)), np.full((4, 4), np.nan)]).astype(np.float32)
    assert [pixels(address).shape for address in thumbnails(maps)] == [(SIDE, SIDE, 3)] * 2
