"""The page Shortcut: two networks on a scene with and without a mark."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from benchmarks import readme, shortcut
from explorer.engine.network import network_of
from explorer.engine.samples import scene
from explorer.engine.shortcut import predictions
from explorer.engine.shortcut_curve import read_curve
from explorer.ui import options
from explorer.views.shortcut import accuracies, curve, page
from model import words
from model.checkpoint import load_checkpoint
from model.problems import Problem
from model.scenes import CLASSES
from model.shortcut import with_mark

ROOT = Path(__file__).parents[2]
HORSE, DOG = CLASSES.index("horse"), CLASSES.index("dog")
Open = Callable[..., AppTest]


def html(at: AppTest) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def written(at: AppTest) -> str:
    return " ".join(each.value for each in [*at.markdown, *at.caption, *at.info])


def test_the_page_says_what_the_networks_predict(visit: Open) -> None:
    at = visit("shortcut", sample="horse", mark="dog")
    assert not at.exception, at.exception[0].value
    checkpoint = load_checkpoint(ROOT / "checkpoints" / "scenes-shortcut.safetensors")
    framed = checkpoint.card.framed(scene(HORSE).pixels)
    images = np.stack([framed, with_mark(framed, DOG)])
    without, with_it = predictions(network_of(checkpoint), images).tolist()
    assert (without, with_it) == (HORSE, DOG)
    assert "the mark changes the prediction from horse to **dog**" in written(at)
    assert "an even map would have" in html(at)
    assert "6.2%" in html(at)  # 4 of 64 positions
    assert "Control at 0" in written(at)
    assert "The network of seed 0 at 100% has 20 epochs." in written(at)


def test_chinese_speaks_of_a_band_only_where_there_is_one() -> None:
    """It has one plural form only, which was that of several seeds."""
    every = read_curve(page.CURVE)
    one = replace(every, networks=tuple(each for each in every.networks if each.seed == 0))
    words.use("zh_CN")
    try:
        assert not re.search("band|最小到最大", curve.about(one))
    finally:
        words.use("en")


def test_a_line_of_chinese_may_end_before_an_interval() -> None:
    networks = read_curve(page.CURVE).networks
    words.use("zh_CN")
    try:
        cells = accuracies.table([("one", [networks[0].accuracy])]).split("|")
    finally:
        words.use("en")
    assert sum(f"%{accuracies.BREAK}**（" in cell for cell in cells) == 4


def test_the_accuracy_is_measured_only_when_asked_for(visit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.views.shortcut.carriers.MEASURED", (30, 5))
    at = visit("shortcut", sample="horse", carriers="8")
    assert "random channels at zero" not in written(at)
    at = visit("shortcut", sample="horse", carriers="8", shortcut_measured="yes")
    assert not at.exception, at.exception[0].value
    assert "the first 16 channels at zero" in written(at)
    assert "16 random channels at zero" in written(at)
    assert "on 30 drawn scenes" in written(at)


def test_a_missing_checkpoint_is_a_sentence_and_the_curve_stays(
    visit: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("scenes-course.safetensors", page.CURVE.name):
        shutil.copy(ROOT / "checkpoints" / name, folder)
    monkeypatch.setattr(options, "ROOT", tmp_path)
    at = visit("shortcut")
    assert not at.exception
    assert "scenes-shortcut is not in the folder" in written(at)
    assert "--shortcut 1" in written(at)
    assert "Control at 0" in written(at)


def test_a_network_of_ones_own_takes_the_place_of_the_shipped_one(visit: Open, tmp_path: Path) -> None:
    own = tmp_path / "mine.safetensors"
    shutil.copy(ROOT / "checkpoints" / "scenes-shortcut.safetensors", own)
    at = visit("shortcut", "--checkpoint", str(own))
    assert "**mine.safetensors** was trained on scenes" in written(at)


def test_a_damaged_curve_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "curve.json"
    for text in (None, "", "[]", '{"rows": [{}]}'):
        if text is not None:
            path.write_text(text)
        with pytest.raises(Problem, match=r"curve\.json is missing or damaged"):
            read_curve(path)


def test_the_committed_curve_has_both_ends_and_is_of_the_shipped_checkpoints() -> None:
    curve = read_curve(page.CURVE)
    assert curve.fractions[0] == 0
    assert curve.fractions[-1] == 1
    digests = [load_checkpoint(page.CURVE.parent / f"{name}.safetensors").digest for name in shortcut.SHIPPED]
    assert list(curve.shipped) == digests
    card = load_checkpoint(page.CURVE.parent / "scenes-shortcut.safetensors").card
    measured = curve.shipped[digests[1]]
    assert measured.correct["own"] / measured.n == card.metrics["test_accuracy"]


def test_the_table_in_the_readme_is_that_of_the_file() -> None:
    rows = json.loads(page.CURVE.read_text(encoding="utf-8"))["shipped"]
    assert readme.text_of("benchmarks/shortcut.py") == shortcut.table(rows)


def test_no_prediction_of_another_network_stands_on_the_page(visit: Open) -> None:
    at = visit("shortcut", sample="horse", checkpoint="cifar10-course")
    assert "Prediction</div>" not in html(at)
    assert "Explain the true class" not in [each.label for each in at.button]
    assert "The checkpoint chosen in the sidebar, cifar10-course, is neither of them" in written(at)
    assert "is neither of them" not in written(visit("shortcut", checkpoint="scenes-course"))


@pytest.mark.parametrize("name", ["scenes-course", "scenes-shortcut"])
def test_the_sidebar_says_where_the_test_images_have_marks(visit: Open, name: str) -> None:
    at = visit("explain", checkpoint=name)
    (title,) = [each.label for each in at.expander if each.label.startswith("Test accuracy")]
    assert title.startswith("Test accuracy with marks: 100.00%") == (name == "scenes-shortcut")
    assert ("The test images have marks" in written(at)) == (name == "scenes-shortcut")


def test_the_shipped_network_is_the_end_of_the_curve() -> None:
    curve = read_curve(page.CURVE)
    (last,) = (each for each in curve.at(1.0) if each.seed == 0)
    shipped = list(curve.shipped.values())[-1]
    assert (last.accuracy.n, last.accuracy.correct) == (shipped.n, shipped.correct)
