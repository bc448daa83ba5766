"""A photo that is not square: heat lies where the network looked, on every page and in every file."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.drawing.figures import Panel
from explorer.ui.exports.downloads import Offer
from explorer.ui.selection import SHOWN
from model.scenes import draw

Open = Callable[..., tuple[AppTest, Offer]]
WIDE, TALL = (288, 448), (448, 300)  # height, width; both leave an even number over
PAGES = {
    "explain": ("explain", {}),
    "explain, shared": ("explain", {"cam_scale": "shared", "evidence": "signed"}),
    "two classes": ("compare", {"compare": "classes"}),
    "time machine": ("time_machine", {"checkpoint": "cifar10-fast"}),
    "network": ("network", {}),
    "interventions": ("interventions", {}),
    "attributions": ("attributions", {"methods": "input_x_gradient"}),
}


@pytest.fixture(params=[WIDE, TALL], ids=["wide", "tall"])
def photos(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, tuple[slice, slice]]:
    """A test set of a photo's center square, cut by Pillow, and of the photo; where the square lies in it."""
    height, width = request.param
    side, middle = min(height, width), np.asarray(Image.fromarray(draw(label=7, seed=3, size=64).pixels))
    photo = Image.fromarray(middle).resize((width, height))
    left, top = (width - side) // 2, (height - side) // 2
    folder = tmp_path / "test" / "horse"
    folder.mkdir(parents=True)
    photo.crop((left, top, left + side, top + side)).save(folder / "0.png")
    photo.save(folder / "1.png")
    return tmp_path, np.s_[top : top + side, left : left + side]


def pictures(at: AppTest) -> dict[str, np.ndarray]:
    """Alternative text → pixels of the heat maps over the image, and of the film's large picture."""
    html = " ".join(piece.proto.body for piece in at.get("html"))
    found = re.findall(r'<img class="[^"]*" alt="([^"]*)" src="data:image/png;base64,([^"]+)"', html)
    sent = [json.loads(each.proto.json or "{}") for each in at.main.get("bidi_component")]
    film = next((each for each in sent if "addresses" in each), None)
    if film:
        shown = film["index"]
        found.append((film["frames"][shown]["alt"], film["addresses"][shown].partition(",")[2]))
    over = ("over the image", "at relu3, epoch", "the change")
    return {alt: pixels(data) for alt, data in found if any(words in alt for words in over)}


def pixels(data: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize("page", PAGES)
def test_heat_is_that_of_the_square_and_the_rest_has_none(
    opened: Open, page: str, photos: tuple[Path, tuple[slice, slice]]
) -> None:
    data, inside = photos
    name, link = PAGES[page]
    square, of_square = opened(name, "--data-dir", str(data), source="test", index="0", **link)
    photo, of_photo = opened(name, "--data-dir", str(data), source="test", index="1", **link)
    if page == "attributions":  # they have been computed for the downloads
        square, photo = square.run(), photo.run()
    wanted, drawn = pictures(square), pictures(photo)
    full = [alt for alt in drawn if drawn[alt].shape[:2] in (WIDE, TALL)]
    assert full
    for alt in full:
        np.testing.assert_array_equal(drawn[alt][inside], wanted[alt])
        dimmed(drawn[alt], inside, of_photo)
    over = [name for name in of_photo.pictures if of_photo.pictures[name]().shape[:2] in (WIDE, TALL)]
    over.remove("the image")
    assert over or page == "network"  # offers maps, none over the image
    for name in over:
        made = of_photo.pictures[name]()
        np.testing.assert_array_equal(made[inside], of_square.pictures[name]())
        dimmed(made, inside, of_photo)
    assert "Image horse/1.png (center square)" in of_photo.caption
    assert "square" not in of_square.caption


@pytest.mark.parametrize("page", ["explain", "interventions", "attributions"])
@pytest.mark.parametrize("size", [(900, 700), (300, 1001)])
def test_a_larger_photo_is_reduced_and_the_heat_with_it(
    opened: Open, page: str, size: tuple[int, int], tmp_path: Path
) -> None:
    height, width = size
    folder = tmp_path / "test" / "horse"
    folder.mkdir(parents=True)
    photo = Image.fromarray(draw(label=7, seed=3, size=64).pixels).resize((width, height))
    photo.save(folder / "0.png")
    at, offer = opened(page, "--data-dir", str(tmp_path), source="test", index="0", **PAGES[page][1])
    drawn = pictures(at.run() if page == "attributions" else at)
    small = photo.copy()
    side = round(SHOWN * (max(size) / min(size)) ** 0.5)
    small.thumbnail((side, side))
    wanted = np.minimum(small.size[::-1], 2 * min(small.size))  # a panorama loses its ends
    reduced = [each for each in drawn.values() if np.abs(each.shape[:2] - wanted).max() <= 1]
    assert reduced
    sides = [each.pixels.shape[:2] for each in offer.figure() if isinstance(each, Panel)]
    assert sides
    assert all(max(each) <= 2 * min(each) + 1 for each in sides)
    full = [each() for name, each in offer.pictures.items() if name != "the image"]
    whole = [Image.fromarray(each) for each in full if each.shape[:2] == size]
    expected = [np.asarray(each.resize(small.size, Image.Resampling.BOX), float) for each in whole]
    for each in reduced:
        left = (small.width - each.shape[1]) // 2
        assert min(np.abs(each - other[:, left : left + each.shape[1]]).mean() for other in expected) < 2


def dimmed(made: np.ndarray, inside: tuple[slice, slice], offer: Offer) -> None:
    """Outside the square there is the photo, darker, whatever the heat."""
    outside = np.ones(made.shape[:2], bool)
    outside[inside] = False
    plain = offer.pictures["the image"]()[outside].astype(float)
    np.testing.assert_allclose(made[outside], 0.35 * plain, atol=0.51)


@pytest.mark.parametrize("page", ["explain", "two classes", "time machine"])
def test_a_squashed_photo_has_heat_all_over(
    opened: Open, page: str, photos: tuple[Path, tuple[slice, slice]]
) -> None:
    data, _ = photos
    name, link = PAGES[page]
    squashed = {"source": "test", "index": "1", "fit": "squash", "evidence": "signed"}
    at, offer = opened(name, "--data-dir", str(data), **squashed, **link)
    text = " ".join(piece.proto.body for piece in at.get("html"))
    assert "Dimmed" not in text
    assert "Image horse/1.png (squashed to a square)" in offer.caption
    image = offer.pictures["the image"]()
    for made in pictures(at).values():
        if made.shape == image.shape:
            assert not np.array_equal(made[0], np.rint(0.35 * image[0].astype(float)))
    np.testing.assert_array_equal(offer.arrays()["received"][0], [0, image.shape[0], 0, image.shape[1]])


@pytest.mark.parametrize("page", ["explain", "network", "interventions"])
def test_the_page_says_what_is_dimmed(opened: Open, tmp_path: Path, page: str) -> None:
    folder = tmp_path / "test" / "horse"
    folder.mkdir(parents=True)
    for name, size in (("0.png", (64, 64)), ("1.png", (96, 64))):
        Image.fromarray(draw(label=7, seed=3, size=64).pixels).resize(size).save(folder / name)
    at, _ = opened(page, "--data-dir", str(tmp_path), source="test", index="1")
    text = " ".join(piece.proto.body for piece in at.get("html"))
    assert "Dimmed: outside the center square" in text
    at, _ = opened(page, "--data-dir", str(tmp_path), source="test", index="0")
    assert "Dimmed" not in " ".join(piece.proto.body for piece in at.get("html"))
