import numpy as np
from matplotlib.colors import to_rgb

from explorer.drawing.channel_chart import ACCENT, OTHER, expectations


def count(pixels: np.ndarray, tone: str) -> int:
    wanted = np.round(np.array(to_rgb(tone)) * 255)
    return int((np.abs(pixels.astype(int) - wanted) <= 1).all(-1).sum())


def test_every_channel_is_drawn_and_the_chosen_one_marked():
    rng = np.random.default_rng(0)
    distance, spread = rng.normal(0, 0.5, (2, 40)).astype(np.float32)
    pixels = expectations(distance, np.abs(spread), 7, "σ")
    assert pixels.dtype == np.uint8
    assert pixels.shape == (720, 1584, 3)
    assert count(pixels, ACCENT) > 10 * count(pixels, OTHER) > 0
    assert not np.array_equal(pixels, expectations(distance, np.abs(spread), 8, "σ"))


def test_one_channel_is_enough():
    assert expectations(np.zeros(1, np.float32), np.ones(1, np.float32), 0, "σ").std() > 0
