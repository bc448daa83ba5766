"""Scenes without a part: byte-equal elsewhere, the same random numbers, masks that are what changes."""

from copy import deepcopy
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from model import scenes
from model.drawn.naming import PARTS, without_parts
from model.scenes import CLASSES, DEFAULT_SEEDS, SUBJECTS, draw, part_masks, parts, redrawn

SEEDS = (0, 3, 8)
MEANS = {  # of nine tiles of the picture of seed 3 with 48 pixels, as it was before parts had names
    "airplane": (146.0, 146.9, 148.6, 143.6, 154.1, 154.0, 182.3, 189.3, 179.2),
    "automobile": (101.3, 117.4, 85.5, 136.3, 160.4, 131.8, 125.7, 116.7, 113.3),
    "bird": (111.5, 103.7, 75.4, 96.6, 92.8, 72.6, 88.3, 72.7, 100.7),
    "cat": (67.9, 43.7, 104.0, 65.3, 27.8, 110.5, 34.3, 30.8, 54.0),
    "deer": (70.0, 68.2, 60.7, 99.7, 71.3, 75.2, 88.4, 72.7, 71.8),
    "dog": (132.1, 167.0, 130.9, 137.7, 115.5, 124.5, 160.4, 179.2, 141.2),
    "frog": (75.2, 96.7, 75.7, 88.9, 62.4, 75.9, 80.0, 67.0, 72.3),
    "horse": (168.6, 158.5, 154.7, 141.3, 146.2, 181.2, 160.0, 132.7, 137.5),
    "ship": (171.3, 167.4, 174.6, 153.4, 146.2, 178.5, 114.1, 118.0, 118.7),
    "truck": (111.0, 114.2, 109.8, 150.3, 121.7, 75.5, 121.8, 120.3, 121.9),
}


@cache
def drawing(label: int, seed: int) -> scenes.Redrawn:
    return redrawn(label, seed, 48)


each = pytest.mark.parametrize("label", range(10), ids=CLASSES)


@each
def test_pictures_are_what_they_were_before_parts_had_names(label: int) -> None:
    tiles = draw(label, 3, 48).pixels.reshape(3, 16, 3, 16, 3).mean((1, 3, 4))
    np.testing.assert_allclose(tiles.ravel(), MEANS[CLASSES[label]], atol=0.1)


@each
@pytest.mark.parametrize("seed", SEEDS)
def test_every_byte_outside_of_what_is_left_out_stays(label: int, seed: int) -> None:
    drawn = drawing(label, seed)
    np.testing.assert_array_equal(drawn.scene.pixels, draw(label, seed, 48).pixels)
    for name, picture, mask in zip(drawn.parts, drawn.without, drawn.masks, strict=True):
        np.testing.assert_array_equal(picture[~mask], drawn.scene.pixels[~mask], err_msg=name)
        assert (picture != drawn.scene.pixels)[mask].any(), name
        np.testing.assert_array_equal(picture, draw(label, seed, 48, [name]).pixels, err_msg=name)


@each
def test_a_part_changes_most_of_its_mask_and_lies_on_the_object(label: int) -> None:
    drawn = drawing(label, 3)
    for name, picture, mask in zip(drawn.parts, drawn.without, drawn.masks, strict=True):
        if name in ("object", "background"):
            continue
        assert (picture != drawn.scene.pixels).any(-1)[mask].mean() > 0.5, name
        assert (mask & ~drawn.scene.mask).sum() == 0, name


@each
def test_parts_together_cover_most_of_the_object(label: int) -> None:
    drawn = drawing(label, 3)
    own = [mask for name, mask in zip(drawn.parts, drawn.masks, strict=True) if name in PARTS]
    assert (np.any(own, 0) & drawn.scene.mask).sum() > 0.9 * drawn.scene.mask.sum()


@each
def test_every_seed_has_two_to_seven_parts_with_known_names(label: int) -> None:
    named = {seed: parts(label, seed) for seed in range(60)}
    assert all(2 <= len(names) <= 7 for names in named.values()), named
    assert {name for names in named.values() for name in names} <= set(PARTS)


@each
def test_every_cone_and_face_belongs_to_a_part(label: int) -> None:
    for seed in range(20):
        solids = SUBJECTS[CLASSES[label]](np.random.default_rng([seed, label])).parts
        bare = without_parts(solids, PARTS)
        assert not any(getattr(solid, "cones", ()) or getattr(solid, "shapes", ()) for solid in bare)


@each
def test_as_many_random_numbers_are_drawn_without_a_part(label: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is drawn after a part would otherwise change with it."""
    copies: list[np.random.Generator] = []

    def recorded(rng: np.random.Generator) -> np.random.Generator:
        copies.append(deepcopy(rng))
        return copies[-1]

    monkeypatch.setattr("model.drawn.stage.deepcopy", recorded)
    names = part_masks(label, 1, 32)
    assert len(copies) == 1 + 2 * len(names)
    assert all(rng.bit_generator.state == copies[0].bit_generator.state for rng in copies)


def test_several_parts_change_nothing_outside_their_masks() -> None:
    label, seed = CLASSES.index("horse"), 1
    whole, masks = draw(label, seed, 48).pixels, part_masks(label, seed, 48)
    for one, other in combinations(("head", "legs", "tail"), 2):
        picture = draw(label, seed, 48, (one, other)).pixels
        outside = ~(masks[one] | masks[other])
        np.testing.assert_array_equal(picture[outside], whole[outside])


def test_a_part_goes_with_the_part_that_contains_it() -> None:
    masks = part_masks(CLASSES.index("cat"), DEFAULT_SEEDS["cat"], 64)
    for inner in ("ears", "eyes", "muzzle"):
        assert (masks[inner] & ~masks["head"]).sum() < 0.1 * masks[inner].sum(), inner


@each
def test_without_the_background_all_but_the_object_is_flat_gray(label: int) -> None:
    scene, gray = draw(label, 2, 48), draw(label, 2, 48, ["background"])
    assert (gray.pixels[~scene.mask] == 128).all()
    np.testing.assert_array_equal(gray.mask, scene.mask)
    assert (draw(label, 2, 48, ["background", "object"]).pixels == 128).all()


def test_without_the_object_the_shadow_stays() -> None:
    label = CLASSES.index("truck")
    np.testing.assert_array_equal(draw(label, 32, 48, ["object"]).pixels, scenes.backdrop(label, 32, 48))
    assert not draw(label, 32, 48, ["object"]).mask.any()


def test_an_unknown_part_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="no part “wings”; choose from body, cabin"):
        draw(CLASSES.index("automobile"), 1, 32, ["wings"])
