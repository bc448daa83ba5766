import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from explorer.drawing.colormaps import blue_red, viridis
from explorer.drawing.overlay import dimmed, outline, overlay, strength, upsampled
from explorer.drawing.ranges import Range, positive, symmetric
from model.pixels import Rectangle, whole

ALL = whole(12, 20)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(sizes, st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_upsampling_is_torchs(small, large):
    heat = np.random.default_rng(0).normal(size=small).astype(np.float32)
    before = torch.from_numpy(heat)[None, None]
    theirs = torch.nn.functional.interpolate(before, size=large, mode="bilinear", align_corners=False)
    ours = upsampled(heat, large)
    assert ours.dtype == np.float32
    assert ours.shape == large
    np.testing.assert_allclose(ours, theirs[0, 0].numpy(), atol=2e-5)


def test_a_heat_map_of_another_shape_is_named():
    with pytest.raises(ValueError, match=r"not \(1, 4, 4\)"):
        upsampled(np.zeros((1, 4, 4)), (8, 8))


@pytest.fixture
def pixels():
    return np.random.default_rng(1).integers(0, 256, (12, 20, 3), dtype=np.uint8)


@pytest.mark.parametrize("range", [Range(0, 1), Range(-1, 1, True), Range(0, 0), Range(0, 0, True)])
@pytest.mark.parametrize("empty", [0.0, np.nan])
def test_no_evidence_leaves_the_picture_untouched(pixels, range, empty):
    assert np.array_equal(overlay(pixels, np.full((3, 5), empty), range, ALL), pixels)


def test_negative_evidence_shows_only_on_a_signed_range(pixels):
    heat = -np.ones((3, 5))
    assert np.array_equal(overlay(pixels, heat, positive([1.0]), ALL), pixels)
    assert (overlay(pixels, heat, symmetric(heat), ALL, opacity=1) == blue_red()[0]).all()


def test_positive_evidence_among_negative_is_as_large_as_among_zeros(pixels):
    heat = np.full((3, 5), -20.0)
    heat[1, 2] = 1
    alone = np.where(heat > 0, heat, 0)
    assert np.array_equal(overlay(pixels, heat, Range(0, 1), ALL), overlay(pixels, alone, Range(0, 1), ALL))


def test_full_evidence_at_full_opacity_is_the_end_color(pixels):
    assert (overlay(pixels, np.ones((3, 5)), Range(0, 1), ALL, opacity=1) == viridis()[255]).all()


def test_the_picture_given_is_not_written_to(pixels):
    before = pixels.copy()
    overlay(pixels, np.ones((3, 5)), Range(0, 1), ALL)
    outline(pixels, np.ones((12, 20), bool))
    assert np.array_equal(pixels, before)


@given(st.floats(-2, 2))
def test_strength_grows_from_zero_to_one(value):
    assert strength(value, Range(-1, 1, True)) == pytest.approx(min(1, abs(value)))
    assert strength(value, Range(0, 1)) == pytest.approx(min(1, max(0, value)))


def test_an_outline_runs_on_the_edge_with_its_halo_outside():
    mask = np.zeros((7, 7), bool)
    mask[2:5, 2:5] = True
    drawn = outline(np.full((7, 7, 3), 100, np.uint8), mask)
    assert (drawn[2, 2:5] == 255).all()
    assert (drawn[3, 3] == 100).all()
    assert (drawn[1, 2:5] == 0).all()
    assert (drawn[0] == 100).all()


def test_an_empty_or_misfit_mask():
    pixels = np.full((4, 4, 3), 100, np.uint8)
    assert np.array_equal(outline(pixels, np.zeros((4, 4), bool)), pixels)
    with pytest.raises(ValueError, match=r"The mask is \(2, 2\), but the picture is \(4, 4\)"):
        outline(pixels, np.zeros((2, 2), bool))


def test_heat_lies_where_the_network_looked_and_the_rest_is_dimmed(pixels):
    part = Rectangle(0, 12, 4, 16)
    heat = np.arange(15.0).reshape(3, 5)
    drawn = overlay(pixels, heat, positive(heat), part)
    inside = overlay(pixels[:, 4:16], heat, positive(heat), whole(12, 12))
    np.testing.assert_array_equal(drawn[:, 4:16], inside)
    for outside in (np.s_[:, :4], np.s_[:, 16:]):
        np.testing.assert_allclose(drawn[outside], 0.35 * pixels[outside].astype(float), atol=0.51)


@pytest.mark.parametrize("brightness", [30, 96, 128, 255])
def test_what_is_dimmed_is_darker_than_the_picture(brightness):
    """On a dark and on a light photo, so that the edge of what the network received is seen."""
    drawn = dimmed(np.full((12, 20, 3), brightness, np.uint8), Rectangle(0, 12, 4, 16))
    assert (drawn[:, 4:16] == brightness).all()
    assert (drawn[:, :4] < brightness / 2).all()
    assert (drawn[:, 16:] < brightness / 2).all()
