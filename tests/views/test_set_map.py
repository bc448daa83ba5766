"""The page “Map of the test set”: what is chosen on it, in words, as thumbnails, everywhere, as downloads."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from explorer.drawing import figures
from explorer.engine.network import network_of
from explorer.engine.projection import Projection, inside, nearest, pca
from explorer.engine.scan.images import scan_images, scene_number
from explorer.engine.scan.result import Scan, save
from explorer.engine.scan.running import scan
from explorer.ui.exports import downloads
from explorer.ui.exports.downloads import Offer
from explorer.views.set_map import coloring
from explorer.views.set_map.coloring import COLORINGS, MapImages
from explorer.views.set_map.page import reading
from model import words
from model.checkpoint import load_checkpoint
from model.words import PSEUDO

ROOT = Path(__file__).parents[2]
NETWORK = network_of(load_checkpoint(ROOT / "checkpoints" / "scenes-course.safetensors"))
LINK = {"checkpoint": "scenes-course"}
POINTS = "set_map_points"
Visit = Callable[..., AppTest]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scan]:
    """The folder of a scan of 60 scenes, and the scan."""
    folder = tmp_path_factory.mktemp("scans")
    made = scan(NETWORK, scan_images("scenes", NETWORK.card, folder, limit=60))
    save(made, folder / "scenes.safetensors")
    return folder, made


@pytest.fixture
def page(visit: Visit, scanned: tuple[Path, Scan], patient: None) -> Visit:

    def opened(**link: str) -> AppTest:
        at = visit("set_map", "--scans", str(scanned[0]), **(LINK | link))
        assert not at.exception, at.exception[0].value
        return at

    return opened


def written(at: AppTest) -> str:
    return " ".join(each.value for each in [*at.markdown, *at.caption, *at.info])


def around(made: Scan, rows: list[int]) -> list[list[float]]:
    """A rectangle around the points of some rows."""
    points = pca(made.features).points[rows]
    (left, bottom), (right, top) = points.min(0) - 1e-3, points.max(0) + 1e-3
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    return [[float(x), float(y)] for x, y in corners]


def choose(at: AppTest, made: Scan, point: int | None, outline: object) -> AppTest:
    title = f"pca {made.network} {made.images} {len(made)}"
    at.session_state[POINTS] = {"choice": {"title": title, "point": point, "outline": outline}}
    return at.run()


def test_without_a_scan_the_page_offers_one(visit: Visit, tmp_path: Path) -> None:
    at = visit("set_map", "--scans", str(tmp_path / "none"), **LINK)
    assert not at.exception
    assert "scan_start" in [button.key for button in at.button]


def test_the_page_says_how_much_is_in_the_map(page: Visit, scanned: tuple[Path, Scan]) -> None:
    made = pca(scanned[1].features)
    text = written(page())
    assert f"The two axes hold {made.explained[0]:.1%} and {made.explained[1]:.1%}" in text
    assert f"{made.neighbor_preservation:.1%} are among its 10 nearest here (the mean over " in text
    assert f"(the mean over {min(500, len(scanned[1]))} images; by chance" in text
    assert "real distances in feature space" in text


@pytest.mark.parametrize("color", coloring.COLORINGS)
def test_every_coloring_has_a_color_for_every_point(
    page: Visit, scanned: tuple[Path, Scan], color: str
) -> None:
    page(map_color=color)
    images = MapImages(scanned[1], NETWORK.net)
    made = coloring.COLORINGS[color][1](images)
    assert made.colors.shape == (60, 3)
    assert sorted(made.order.tolist()) == list(range(60))


def test_images_without_a_label_have_no_loss(scanned: tuple[Path, Scan]) -> None:
    none = replace(scanned[1], labels=np.full(60, -1))
    colored = coloring.by_loss(MapImages(none, NETWORK.net))
    assert "without a label that the network knows (60)" in colored.legend
    assert "of the losses are larger" not in colored.legend
    some = replace(scanned[1], labels=np.where(np.arange(60) < 5, -1, scanned[1].labels))
    colored = coloring.by_loss(MapImages(some, NETWORK.net))
    assert "without a label that the network knows (5)" in colored.legend
    assert "of the losses are larger" in colored.scale


def test_logits_in_place_of_features_are_called_so(scanned: tuple[Path, Scan]) -> None:
    projection = Projection("pca", np.zeros((60, 2)), np.ones(2) / 2, 0.5)
    stand_in = "here the logits stand for the features"
    made = scanned[1]
    assert stand_in not in " ".join(reading(made, projection))
    assert stand_in in " ".join(reading(replace(made, card={**made.card, "features": None}), projection))


def test_errors_and_large_losses_are_on_top(scanned: tuple[Path, Scan]) -> None:
    images = MapImages(scanned[1], NETWORK.net)
    losses = images.loss[coloring.by_loss(images).order]
    assert (np.diff(losses) >= 0).all()
    wrong = ~scanned[1].correct
    assert coloring.by_error(images).order[-1] in np.flatnonzero(wrong) or not wrong.any()
    chosen = images.probabilities[np.arange(60), scanned[1].labels]
    np.testing.assert_allclose(images.loss, -np.log(chosen), rtol=1e-5)


def test_what_is_inside_an_outline_is_counted_by_class(page: Visit, scanned: tuple[Path, Scan]) -> None:
    made = scanned[1]
    rows = np.flatnonzero(made.labels == 3)[:3].tolist()
    outline = around(made, rows)
    within = np.flatnonzero(inside(pca(made.features).points, outline))
    at = choose(page(), made, None, outline)
    text = written(at)
    assert f"**{len(within)}** of 60 images are selected" in text
    name = made.classes[3]
    count = int((made.labels[within] == 3).sum())
    whole = (made.labels == 3).mean()
    assert f"| {name} | {count} | {count / len(within):.1%} | {whole:.1%} |" in text


def test_a_point_shows_its_image_and_the_nearest_by_all_features(
    page: Visit, scanned: tuple[Path, Scan]
) -> None:
    at = choose(page(), scanned[1], 5, None)
    assert "The image of the point" in [each.value for each in at.subheader]
    grid = next(each for each in at.get("bidi_component") if "set_map_neighbors" in str(each.proto))
    numbers = [f'"number":{row},' for row in nearest(scanned[1].features, 5, 12).tolist()]
    packed = str(grid.proto).replace("\\", "").replace(" ", "")
    assert all(number in packed for number in numbers)


def test_select_makes_the_image_the_selected_one_everywhere(page: Visit, scanned: tuple[Path, Scan]) -> None:
    at = choose(page(), scanned[1], 7, None)
    next(button for button in at.button if button.key == "set_map_select").click().run()
    assert at.query_params["source"] == "scenes"
    assert at.query_params["scene"] == str(scene_number(int(scanned[1].ids[7])))


@pytest.mark.parametrize(
    "choice",
    [
        None,
        {"title": "another"},
        {"point": -1, "outline": [[0, 0]]},
        {"point": "5", "outline": [["a", 1], [2, 3], [4, 5]]},
        {"point": 10**9, "outline": [[0, 0], [1, float("nan")], [1, 1]]},
        {"outline": [[0, 0], [1], [1, 1]]},
    ],
)
def test_whatever_the_browser_sends_nothing_breaks(
    page: Visit, scanned: tuple[Path, Scan], choice: object
) -> None:
    at = page()
    title = f"pca {scanned[1].network} {scanned[1].images} 60"
    at.session_state[POINTS] = {"choice": {"title": title} | choice if isinstance(choice, dict) else choice}
    at.run()
    assert not at.exception, at.exception[0].value
    assert "Nothing is selected yet" in written(at)


def test_the_downloads_hold_every_image_and_the_program_prints_its_number(
    page: Visit, scanned: tuple[Path, Scan], monkeypatch: pytest.MonkeyPatch
) -> None:
    offers: list[Offer] = []
    monkeypatch.setattr(downloads, "show", lambda make: offers.append(make()))
    made = scanned[1]
    choose(page(map_color="loss"), made, None, around(made, [0, 1, 2]))
    files = downloads.files(offers[-1])
    name = next(each for each in files if each.endswith(".csv"))
    table = pd.read_csv(io.BytesIO(files[name]()))
    np.testing.assert_array_equal(table["seed"], made.ids)
    np.testing.assert_array_equal(table["image"], np.arange(len(made)))
    np.testing.assert_allclose(table[["x", "y"]], pca(made.features).points, rtol=1e-5, atol=1e-6)
    assert table["selected"].sum() >= 3
    assert all(make() for make in files.values())
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(offers[-1].snippet, "snippet", "exec"), {"__name__": "__main__"})
    assert float(printed.getvalue()) == pytest.approx(pca(made.features).explained.sum())
    assert f" {float(printed.getvalue()):.3g}" in offers[-1].printed


def test_the_figure_names_its_colors(scanned: tuple[Path, Scan]) -> None:
    """In print nothing else says which color is which class."""
    scan = scanned[1]
    images = MapImages(scan, NETWORK.net)
    names = {title: [name for _, name in colored(images).named] for title, colored in COLORINGS.values()}
    assert names["Class"] == names["Predicted class"] == list(scan.classes)
    assert names["Error"] == ["wrong", "correct"]
    assert names["Loss"] == []
    assert COLORINGS["loss"][1](images).scale.startswith("0 … ")


def test_the_legend_of_the_figure_covers_no_point(page: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    offers = list[Offer]()
    monkeypatch.setattr(downloads, "show", lambda make: offers.append(make()))
    page()
    drawn = figures._laid_out(offers[-1].figure(), "")
    drawn.draw_without_rendering()
    (axes,) = drawn.axes
    legend = axes.get_legend()
    assert legend is not None
    assert legend.get_window_extent().x0 >= axes.get_window_extent().x1


def test_every_text_of_the_map_is_translated(page: Visit, scanned: tuple[Path, Scan]) -> None:
    words.use(PSEUDO)
    try:
        at = choose(page(lang=PSEUDO), scanned[1], 3, around(scanned[1], [3, 4, 5]))
        texts = [each.value for each in [*at.markdown, *at.caption, *at.subheader, *at.header]]
        assert [text for text in texts if "⟦" not in text] == []
    finally:
        words.use(words.ENGLISH)
