"""How far a channel's largest positions lie on objects: against overlaps counted by hand."""

import numpy as np
import pytest

from explorer.engine.dissection import dissect, enlarged, iou, threshold_of

RNG = np.random.default_rng(0)


def box(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((8, 8), bool)
    mask[rows, columns] = True
    return mask


def test_the_overlap_is_that_counted_by_hand() -> None:
    """Two images: 4 × 4 on the object and 2 × 4 beside it in the first, nothing in the second."""
    masks = np.stack([box(slice(0, 4), slice(0, 4)), box(slice(2, 6), slice(2, 4))])
    maps = np.zeros((2, 8, 8), np.float32)
    maps[0, 0:4, 0:6] = 1.0
    one = dissect(maps, masks, np.array([0, 1]), ("cat", "dog"), quantile=25 / 128)
    overall, cat, dog = one.overlaps
    assert (overall.concept, cat.concept, dog.concept) == ("", "cat", "dog")
    assert one.fraction == 24 / 128
    assert overall.iou == pytest.approx(16 / (24 + 16 + 8 - 16))
    assert cat.iou == pytest.approx(16 / 24)
    assert dog.iou == 0.0
    assert overall.inside == cat.inside == pytest.approx(16 / 24)
    assert (overall.area, cat.area) == (24 / 128, 16 / 128)
    assert cat.best == pytest.approx(16 / 24)
    assert not dog.above_chance


def test_the_threshold_is_that_of_all_images_together() -> None:
    maps = RNG.permutation(np.arange(1000, dtype=np.float32)).reshape(10, 10, 10)
    threshold = threshold_of(maps, 0.005)
    assert (maps > threshold).sum() == 4  # of 1000, at most 0.5 %
    assert threshold == 995


def test_chance_is_that_of_masks_moved_at_random() -> None:
    """For a map without a pattern the overlap is the chance, for one on the object far above."""
    masks = RNG.random((40, 1, 1)) < 2  # all images have an object
    masks = np.repeat(np.repeat(masks, 8, 1), 8, 2) & box(slice(2, 6), slice(2, 6))
    noise = RNG.random((40, 8, 8)).astype(np.float32)
    labels = np.zeros(40, np.int64)
    blind = dissect(noise, masks, labels, ("cat",), 0.25).overlaps[0]
    seeing = dissect(noise + masks, masks, labels, ("cat",), 0.25).overlaps[0]
    expected = 0.25 / (2 - 0.25)  # of two independent quarters: 1/16 over 7/16
    assert blind.chance == pytest.approx(1 / 7, abs=0.01) == pytest.approx(expected, abs=0.01)
    assert blind.iou == pytest.approx(1 / 7, abs=0.02)
    assert seeing.iou > 0.95
    assert seeing.above_chance
    assert seeing.chance == pytest.approx(1 / 7, abs=0.03)


def test_a_map_without_any_difference_has_no_position_above_the_threshold() -> None:
    masks = np.ones((3, 8, 8), bool)
    one = dissect(np.zeros((3, 4, 4), np.float32), masks, np.array([0, 0, -1]), ("cat",))
    assert one.fraction == 0
    assert (one.overlaps[0].iou, one.overlaps[0].inside, one.overlaps[0].best) == (0.0, 0.0, 0.0)
    assert not one.overlaps[0].above_chance


def test_maps_are_interpolated_to_the_masks() -> None:
    maps = np.array([[[0.0, 1.0]]], np.float32)
    np.testing.assert_allclose(enlarged(maps, 1, 4)[0, 0], [0, 0.25, 0.75, 1])


def test_nothing_in_common_is_zero() -> None:
    empty = np.zeros((1, 2, 2), bool)
    assert iou(empty, empty, np.array([True])) == 0.0
