"""A picture that is much longer than wide: its heat map is drawn around the part that the network gets."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from explorer.ui import panels
from model.pixels import center_square, whole


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize(
    ("shape", "part"),
    [((2, 12), np.s_[:, 4:8]), ((12, 2), np.s_[4:8]), ((4, 6), np.s_[:]), ((4, 4), np.s_[:])],
)
def test_a_panorama_is_drawn_around_what_the_network_gets(
    shape: tuple[int, int], part: Any, times: int
) -> None:
    drawn = np.arange(shape[0] * shape[1]).reshape(shape)
    sample = SimpleNamespace(pixels=np.zeros((shape[0] * times, shape[1] * times, 3), np.uint8))
    cropped: Any = SimpleNamespace(sample=sample, received=center_square(*sample.pixels.shape[:2]))
    np.testing.assert_array_equal(panels.around_received(cropped, drawn), drawn[part])
    cropped.covered = lambda _: cropped.received
    numbered = cropped.sample.pixels = np.arange(sample.pixels.size).reshape(sample.pixels.shape)
    picture, place = panels.picture_around(cropped, "relu3")
    np.testing.assert_array_equal(picture, panels.around_received(cropped, numbered))
    np.testing.assert_array_equal(picture[place.inside], numbered[cropped.received.inside])
    squashed: Any = SimpleNamespace(sample=sample, received=whole(*sample.pixels.shape[:2]))
    np.testing.assert_array_equal(panels.around_received(squashed, drawn), drawn)
