"""In Chinese a class name has its translation behind it wherever a page shows it, also in charts."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from explorer.engine.network import network_of
from explorer.engine.scan import result
from explorer.engine.scan.images import drawn_scenes
from explorer.engine.scan.running import scan
from explorer.ui import jobs
from explorer.ui.class_names import CIFAR10
from explorer.ui.exports.downloads import Offer
from explorer.ui.jobs import JOBS
from explorer.views.channel import charts
from model import words
from model.checkpoint import load_checkpoint
from model.words import ENGLISH, tr
from tests.ui.test_words import LOOKS, elements, texts

ROOT = Path(__file__).parents[2]
Opened = Callable[..., tuple[AppTest, Offer]]
SCANNED: dict[str, tuple[str, dict[str, str]]] = {
    "errors": ("errors", {}),
    "errors, one cell": ("errors", {"err_true": "cat", "err_predicted": "dog"}),
    "channel over a scan": ("channel", {"block": "2", "channel": "5"}),
    "channels": ("channels", {}),
    "class evidence": ("class_evidence", {}),
    "map of the test set": ("set_map", {}),
}
looks = pytest.mark.parametrize("look", [*LOOKS, *SCANNED])


@pytest.fixture(autouse=True)
def chinese(monkeypatch: pytest.MonkeyPatch, patient: None) -> Iterator[None]:
    show = jobs.show

    def finished(draw: Callable[..., None], *works: Any, **details: Any) -> None:
        JOBS.wait(*works, seconds=600)
        show(draw, *works, **details)

    monkeypatch.setattr(jobs, "show", finished)
    words.use("zh_CN")
    yield
    words.use(ENGLISH)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scan of a few drawn scenes."""
    folder = tmp_path_factory.mktemp("scans")
    network = network_of(load_checkpoint(ROOT / "checkpoints" / "cifar10-course.safetensors"))
    result.save(scan(network, drawn_scenes(network.card, 40)), folder / "scenes.safetensors")
    return folder


@looks
def test_a_page_and_its_figure_show_no_class_name_alone(opened: Opened, scans: Path, look: str) -> None:
    page, link = (LOOKS | SCANNED)[look]
    at, offer = opened(page, "--scans", str(scans), lang="zh_CN", **link)
    sent = [each for each in elements(at.main) if each.type in ("vega_lite_chart", "bidi_component")]
    data = [json.loads(getattr(each.proto, "spec", "") or each.proto.json or "{}") for each in sent]
    tables = [one.value.select_dtypes(exclude="number").to_numpy().ravel().tolist() for one in at.dataframe]
    columns = [text for one in at.dataframe for text in one.value.columns]
    assert alone([*texts(at.main), *texts(at.sidebar), *strings(data), *strings(tables), *columns]) == []
    described = [text for _, text in offer.arrays().values()]
    assert alone([offer.caption, offer.printed, *offer.pictures, *described, *strings(offer.figure())]) == []


def test_the_overlap_with_objects_names_classes_in_both_languages() -> None:
    assert [charts.concept(name) for name in ("cat", "")] == ["cat 猫", "任何物体"]


def strings(data: Any) -> list[str]:
    """Every text in JSON, or in a value such as a chart, with those of a chart's data."""
    if isinstance(data, str):
        return [data]
    if isinstance(data, dict):
        return [text for value in data.values() for text in strings(value)]
    if isinstance(data, list | tuple):
        return [text for one in data for text in strings(one)]
    if is_dataclass(data):
        return strings([getattr(data, field.name) for field in fields(data)])
    return []


def alone(given: list[str]) -> list[str]:
    """The texts with a class name that has no translation behind it."""
    names = "|".join(rf"{name}(?!\w| {tr(name)}| \d)" for name in CIFAR10)
    given = [re.sub(r"`[^`]*`|\]\(data:[^)]*\)", "", text) for text in given]
    return sorted({text for text in given if re.search(rf"(?<![\w./=~-])(?:{names})", text)})
