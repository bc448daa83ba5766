import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from explorer.drawing.colormaps import COLORMAPS, NOT_A_NUMBER, blue_red, color, positions, table, viridis
from explorer.drawing.ranges import Range, positive, symmetric

floats = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.floats(width=32))


def test_viridis_is_matplotlibs():
    import matplotlib

    theirs = matplotlib.colormaps["viridis"](np.arange(256), bytes=True)[:, :3]
    assert np.abs(viridis().astype(int) - theirs).max() <= 1


def lightness(colors):
    light = (colors / 255.0) ** 2.2
    return light @ [0.2126, 0.7152, 0.0722]


def test_the_signed_map_is_neutral_at_zero_and_darkens_to_both_sides():
    entries = blue_red()
    assert np.array_equal(entries[127], entries[128])
    assert np.ptp(entries[127].astype(int)) <= 6
    light = lightness(entries)
    assert (np.diff(light[:128]) > -1e-3).all()
    assert (np.diff(light[128:]) < 1e-3).all()
    assert np.abs(light[:128] - light[:127:-1]).max() < 0.12
    assert entries[20, 2] > entries[20, 0] + 50
    assert entries[-20, 0] > entries[-20, 2] + 50


@pytest.mark.parametrize("name", COLORMAPS)
def test_every_map_has_256_colors_and_never_the_grey_of_what_is_missing(name):
    entries = COLORMAPS[name]
    assert entries.shape == (256, 3)
    assert entries.dtype == np.uint8
    assert np.abs(entries.astype(int) - NOT_A_NUMBER).sum(axis=1).min() > 10


@given(floats)
def test_any_values_are_drawn_in_colors_of_the_map(values):
    for range in (symmetric(values), positive(values)):
        pixels = color(values, range)
        assert pixels.shape == (*values.shape, 3)
        assert pixels.dtype == np.uint8
        assert (pixels[np.isnan(values)] == NOT_A_NUMBER).all()
        known = {tuple(entry) for entry in table(range)}
        assert {tuple(pixel) for pixel in pixels[~np.isnan(values)]} <= known


@given(st.floats(-1e30, 1e30), st.floats(-1e30, 1e30))
@example(0.0, 5e-324)  # the smallest number there is: half of it is zero
def test_larger_values_never_come_lower(first, second):
    low, high = positions([min(first, second), max(first, second)], symmetric([first, second]))
    assert 0 <= low <= high <= 1


def test_ends_and_zero():
    signed = Range(-2, 2, signed=True)
    assert color([[-2, 0, 2, -9, 9]], signed)[0].tolist() == table(signed)[[0, 128, 255, 0, 255]].tolist()
    assert color([[0, 4, -1]], Range(0, 4))[0].tolist() == viridis()[[0, 255, 0]].tolist()


def test_nothing_overflows_at_the_ends_of_float64():
    most = np.finfo(np.float64).max
    assert positions([-most, 0, most], Range(-most, most, True)).tolist() == [0, 0.5, 1]


def test_constant_data():
    assert (color(np.zeros((2, 3)), symmetric(np.zeros((2, 3)))) == blue_red()[128]).all()
    assert (color(np.zeros((2, 3)), positive(np.zeros((2, 3)))) == viridis()[0]).all()
    assert (color(np.full((2, 3), 7.0), positive([7.0])) == viridis()[255]).all()


def test_an_unknown_map_is_named():
    with pytest.raises(ValueError, match="no color map 'jet'; choose one of viridis, blue_red"):
        color([[0.0]], Range(0, 1), "jet")


def test_drawing_loads_neither_matplotlib_nor_streamlit():
    modules = ["ranges", "colormaps", "sheets", "overlay", "colorbar", "pictures", "figures"]
    code = "".join(f"import explorer.drawing.{module}\n" for module in modules)
    code += "import sys; print([name for name in ('matplotlib', 'streamlit') if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
