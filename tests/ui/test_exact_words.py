"""What pages and files say: no probability of 0 or 100%, whole ticks, one color map a row, one color bar."""

import ast
import base64
import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.drawing import chart_print, colormaps, figures, vega
from explorer.drawing.ranges import percent, probability
from explorer.engine.runs import read_run
from explorer.engine.samples import find_test_set
from explorer.ui import markup
from explorer.ui.exports import downloads
from explorer.ui.exports.downloads import Offer
from explorer.views.time_machine import charts
from explorer.views.training.charts import charts_of
from explorer.views.training.run_list import ChartSettings
from model.history import Epoch, History, save_history
from tests.components import component

Open = Callable[..., tuple[AppTest, Offer]]
ROOT = Path(__file__).parents[2]
BLUE_RED = {tuple(color) for color in colormaps.blue_red().tolist()}


# Fractions


@given(st.floats(0, 1), st.integers(0, 2))
def test_percent_is_exact_at_its_ends_and_rounds_between(value: float, decimals: int) -> None:
    said = percent(value, decimals)
    if said[0] in "<>":
        bound = float(said[2:-1]) / 100
        assert 0 < value < 1
        assert value < bound if said[0] == "<" else value > bound - 0.5 * 10 ** -(decimals + 2)
        return
    assert abs(float(said[:-1]) / 100 - value) <= 0.500001 * 10 ** -(decimals + 2)
    assert (float(said[:-1]) == 0) == (value == 0)
    assert (float(said[:-1]) == 100) == (value == 1)


@pytest.mark.parametrize("value", [1.0, 0.9999999, np.float32(1), np.float32(0.99996)])
def test_a_probability_is_never_certain(value: float) -> None:
    assert probability(value) == "> 99.9%"
    assert probability(1 - value) == "< 0.1%"
    assert "> 99.9%".replace(">", "&gt;") in markup.bars([("cat", float(value), True)])


def test_a_tooltip_over_the_epochs_says_the_same() -> None:
    values = np.array([[0.2, 0.8], [0.99999, 0.00001]], np.float32)
    chart = charts.class_probabilities([0, 1], values, ["cat", "dog"], [0], 1)
    rows = [row for layer in vega.spec(chart)["layer"][1:] for row in layer["data"]["values"]]
    texts = {(row["name"], row["x"]): row["text"] for row in rows}
    assert texts == {
        ("cat", 0): "20.0%", ("cat", 1): "> 99.9%", ("dog", 0): "80.0%", ("dog", 1): "< 0.1%"
    }  # fmt: skip
    field = {"field": "text", "type": "nominal", "title": "probability"}
    assert all(field in layer["encoding"]["tooltip"] for layer in vega.spec(chart)["layer"][1:])


@pytest.mark.parametrize("page", ["explain", "compare", "batchnorm"])
def test_no_page_says_0_or_100_percent_of_a_probability(opened: Open, page: str) -> None:
    """Of this drawing the network is so certain that float32 makes the probability 1."""
    at, _ = opened(page, checkpoint="scenes-course", sample="truck")
    said = re.sub(r'style="[^"]*"', "", html(at)) + " ".join(each.value for each in at.markdown)
    assert "&gt; 99.9%" in said
    assert "&lt; 0.1%" in said
    assert not re.search(r"\b(100\.0|0\.0)%", said)


# Ticks


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The history of a run of three epochs and a bit, 40 steps each."""
    each = {
        "train_accuracy": 0.3,
        "test_accuracy": 0.99999,
        "lr": 0.1,
        "seconds": 60,
        "images_per_second": 100,
    }
    rows = [Epoch(epoch=at, train_loss=2 / at, test_loss=2 / at, **each) for at in (1, 2, 3)]
    save_history(tmp_path / "mine.history.json", History(np.linspace(2, 1, 130).tolist(), rows))
    return tmp_path / "mine.history.json"


@pytest.mark.parametrize("along", ["steps", "epochs"])
def test_steps_and_epochs_have_whole_ticks(run: Path, along: str) -> None:
    for chart in charts_of({"mine": read_run(run)}, ChartSettings(10, along)).values():
        for layer in vega.spec(chart)["layer"]:
            values = layer["encoding"]["x"]["axis"]["values"]
            assert len(values) > 1
            assert all(type(tick) is int for tick in values)
        axes = Figure().subplots()
        chart_print.draw(chart, axes)
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert len(ticks) > 1
        assert all(tick == round(tick) for tick in ticks)


def test_an_accuracy_in_a_tooltip_is_not_rounded_to_all(run: Path) -> None:
    chart = charts_of({"mine": read_run(run)}, ChartSettings(10, "epochs"))["accuracy"]
    texts = {row["text"] for row in vega.spec(chart)["layer"][0]["data"]["values"] if not row["dashed"]}
    assert texts == {"> 99.99%"}


# Color maps and bars


def test_maps_in_one_row_have_one_color_map(opened: Open) -> None:
    """In this layer some of the strongest maps have negative values, and some have none."""
    link = {"checkpoint": "cifar10-fast", "sample": "truck", "cam_stage": "norm", "carrier": "bn1"}
    at, offer = opened("explain", **link)
    sides = [component(at, key)["pictures"] for key in ("cards_supporting", "cards_opposing")]
    cards = [card for side in sides for card in side]
    assert len(cards) > 8
    for card in cards:
        assert card["alt"].startswith(f"Feature map {card['number']}, from ")
        data = card["address"].removeprefix("data:image/png;base64,")
        drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        assert set(map(tuple, drawn.reshape(-1, 3).tolist())) <= BLUE_RED
        np.testing.assert_array_equal(offer.pictures[f"bn1, channel {card['number']}"](), drawn)


@pytest.mark.parametrize(
    ("page", "link", "bars"),
    [
        ("explain", {"cam_scale": "shared"}, 1),
        ("explain", {"cam_scale": "own"}, 3),
        ("compare", {"compare": "classes"}, 1),
        ("time_machine", {"checkpoint": "cifar10-fast"}, 1),
        ("time_machine", {"checkpoint": "cifar10-fast", "time_scale": "own"}, 6),
    ],
)
def test_a_figure_has_one_color_bar_a_range(opened: Open, page: str, link: dict[str, str], bars: int) -> None:
    _, offer = opened(page, **link)
    panels = offer.figure()
    assert sum(map(len, figures.bars(figures.in_rows(panels)))) == bars
    assert figures.figure(panels, offer.caption, "pdf").startswith(b"%PDF")


def test_explain_opens_with_each_map_on_its_own_stated_scale(opened: Open) -> None:
    at, offer = opened("explain")
    assert html(at).count('alt="Color scale from 0 … ') == 3
    assert html(at).count("its own scale") >= 3
    assert "one scale per map" in offer.caption
    heats = {name: array for name, (array, _) in offer.arrays().items() if name.startswith("heat_")}
    for name, heat in heats.items():
        raw = offer.pictures[f"{name.removeprefix('heat_')}, raw map"]()
        assert (raw == colormaps.viridis()[255]).all(-1)[heat == heat.max()].all()  # each reaches its end
    at, _ = opened("explain", cam_scale="shared")
    assert html(at).count("shared scale for all blocks") == 2


# Units and names


def test_values_are_in_units_of_the_logit_and_do_not_add_up_to_it(opened: Open) -> None:
    at, offer = opened("explain")
    said = " ".join(each.value for each in at.markdown)
    assert "shares of the logit" not in said
    assert "in general they do not add up" in said
    held = {name: array for name, (array, _) in offer.arrays().items()}
    logit = held["logits"].max()
    assert all(abs(held[f"heat_relu{k}"].sum() - logit) > 1 for k in (1, 2, 3))
    at, offer = opened("explain", method="grad_cam_pp")
    assert "neither probabilities nor in units of the logit" in " ".join(each.value for each in at.markdown)
    assert "neither probabilities nor in units of the logit" in offer.arrays()["heat_relu3"][1]


def test_predictions_name_their_images(opened: Open, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for place in range(3):
            path = tmp_path / "test" / name / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(place).integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(path)
    _, offer = opened("batchnorm", "--data-dir", str(tmp_path), of="test", images="16")
    table = offer.tables["Predictions"]()
    found = find_test_set(tmp_path)
    assert found is not None
    assert table["image"].tolist() == [found.sample(at).name for at in range(6)]
    for name, pixels in zip(table["image"], offer.arrays()["images"][0], strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "test" / name)), pixels)
    _, offer = opened("batchnorm", of="scenes", images="16")
    assert offer.tables["Predictions"]()["image"].is_unique


def html(at: AppTest) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def test_chinese_classes_and_names_are_drawn_in_every_file(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "test" / "小猫" / "照片.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(path)
    own = ("--net", "torchvision.models:mobilenet_v3_small(num_classes=2)", "--input-size", "32")
    link = {"source": "test", "index": "0"}
    _, offer = opened("explain", *own, "--classes", "小猫,小狗", "--data-dir", str(tmp_path), **link)
    assert "照片.png" in offer.caption
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for name, make in downloads.files(offer).items():
            if name.endswith(("figure.png", "figure.pdf")):
                assert make()


# How percent is written


def texts_of(path: Path) -> list[str]:
    """The text literals of a module, with a 0 for each value in an f-string."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    formatted = [
        "".join(str(part.value) if isinstance(part, ast.Constant) else "0" for part in node.values)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
    ]
    return texts + formatted


def test_no_text_has_a_space_before_the_percent_sign() -> None:
    in_files = ROOT / "model" / "provenance.py"  # reads notes as they are in files
    paths = [
        path for path in [*ROOT.glob("explorer/**/*.py"), *ROOT.glob("model/**/*.py")] if path != in_files
    ]
    spaced = [text for path in sorted(paths) for text in texts_of(path) if re.search(r"[\d}]\s%", text)]
    assert spaced == []
    scripts = [*ROOT.glob("explorer/**/*.js"), *ROOT.glob("explorer/**/*.html")]
    assert [
        path for path in scripts if re.search(r"\d\s%[^\w(]|\}\s%", path.read_text(encoding="utf-8"))
    ] == []


# Numbers in sentences


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("maps", {"cell": "3.3", "stage": "act"}),
        ("maps", {"block": "3", "stage": "norm"}),
        ("network", {}),
        ("explain", {}),
        ("interventions", {"marked": "relu1~3"}),
        ("batchnorm", {}),
        ("batchnorm", {"norm_part": "averaged"}),
    ],
)
def test_no_sentence_has_a_power_of_ten(opened: Open, page: str, link: dict[str, str]) -> None:
    at, _ = opened(page, **link)
    shown = re.sub(r"<style.*?</style>|<[^>]+>", " ", html(at), flags=re.DOTALL)
    said = [shown, *(each.value for each in [*at.markdown, *at.caption, *at.info])]
    assert [each for each in said if re.search(r"\de[−-]\d", each)] == []
