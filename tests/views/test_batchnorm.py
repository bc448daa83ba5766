"""The BatchNorm page: one image and many, the channel chosen, and networks with other normalization."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest
from torch import nn

from explorer.engine.batches import from_scenes
from explorer.engine.batchnorm import Floats, TwoPredictions, statistics, summary, with_batch_statistics
from explorer.engine.samples import scene
from explorer.ui.cached import networks
from explorer.views.batchnorm import batch_prediction
from model.checkpoint import load_checkpoint

ROOT = Path(__file__).parents[2]
COURSE = ROOT / "checkpoints" / "cifar10-course.safetensors"
CAT = 3
OWN = ("--net", "own_norms:build", "--classes", "a,b", "--input-size", "16")
Open = Callable[..., AppTest]


@pytest.fixture
def page(visit: Open) -> Open:
    """Open the page with options and a link."""
    return lambda *options, **link: checked(visit("batchnorm", *options, **link))


@pytest.fixture
def folder(tmp_path: Path) -> None:
    """A test set of five noisy cats."""
    directory = tmp_path / "test" / "cat"
    directory.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(5):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(directory / f"{number}.png")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], nn.Module]], None]:
    """Make a network importable, as `--net own_norms:build`."""

    def importable(build: Callable[[], nn.Module]) -> None:
        networks._opened.clear()  # another test's network had the same name
        module = ModuleType("own_norms")
        module.build = build  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "own_norms", module)

    return importable


def of(norm: nn.Module | None) -> Callable[[], nn.Module]:
    """A small network of one block with this normalization."""
    body = [nn.Conv2d(3, 8, 3), *([] if norm is None else [norm]), nn.ReLU()]
    return lambda: nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))


def checked(at: AppTest) -> AppTest:
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value
    return at


def text(at: AppTest) -> str:
    pieces = [*at.main.markdown, *at.main.caption, *at.main.info, *at.main.warning, *at.main.subheader]
    return " ".join([piece.value for piece in pieces] + [piece.proto.body for piece in at.main.get("html")])


def opened_table(at: AppTest) -> pd.DataFrame:
    """The numbers of every channel, which are made once their expander is open."""
    assert not at.main.dataframe
    at.session_state["channel_numbers"] = True
    return checked(at.run()).main.dataframe[0].value


def charts(at: AppTest) -> list[dict[str, Any]]:
    """All that the page's charts are given to show: that of all channels, then the histograms."""
    components = at.main.get("bidi_component")
    return [json.loads(each.proto.json) for each in components if "xhtml" in (each.proto.json or "")]


def columns(at: AppTest) -> list[tuple[str, float, float]]:
    """The channels of the first chart: the text, observed mean and spread that their tips say."""
    tips = (tip for _, _, tip in charts(at)[0]["columns"])
    return [(text, float(mean.replace("\N{MINUS SIGN}", "-")), float(spread)) for text, mean, spread in tips]


def distances(at: AppTest) -> list[float]:
    return [mean for _, mean, _ in columns(at)]


def channels(at: AppTest) -> list[int]:
    return [int(text.partition(":")[0]) for text, _, _ in columns(at)]


def chosen(at: AppTest) -> list[int]:
    return [int(each) for each in re.findall(r'class="chosen"[^>]*>(\d+)<', charts(at)[0]["xhtml"])]


def test_an_image_against_the_learned_statistics(page: Open) -> None:
    at = page(norm="bn2")
    checkpoint = load_checkpoint(COURSE)
    observed = statistics(checkpoint.build(), checkpoint.card.to_input(scene(CAT).pixels), "bn2")
    assert channels(at) == np.argsort(observed.distance, kind="stable").tolist()
    np.testing.assert_allclose(distances(at), np.sort(observed.distance), atol=0.006)
    furthest = int(np.abs(observed.distance).argmax())
    assert chosen(at) == [furthest]
    assert f"Largest distance: channel {furthest} (" in text(at)
    assert f"Channel {furthest}, before and after BatchNorm" in text(at)
    table = opened_table(at)
    assert table["channel"].tolist() == np.argsort(-np.abs(observed.distance), kind="stable").tolist()
    np.testing.assert_allclose(table["slope"], observed.slope[table["channel"]])
    assert table["map"].str.startswith("data:image/png").all()


def test_three_histograms_of_the_same_positions(page: Open) -> None:
    before, normalized, after = charts(page(norm="bn1", channel="9"))[1:]
    for chart in (before, normalized, after):
        assert sum(int(count.replace(",", "")) for _, _, (_, _, count) in chart["columns"]) == 32 * 32
    pale = {name: re.search(r'd="([^"]*)"[^>]*opacity="0.28"', chart["xhtml"]) for name, chart in
            (("before", before), ("normalized", normalized), ("after", after))}  # fmt: skip
    assert {name: bool(found and found[1]) for name, found in pale.items()} == {
        "before": False, "normalized": False, "after": True}  # fmt: skip


def test_a_batch_of_scenes(page: Open) -> None:
    at = page(of="scenes", images="16", norm="bn3")
    checkpoint = load_checkpoint(COURSE)
    batch = from_scenes(16, checkpoint.card)
    observed = summary(checkpoint.build(), batch.x, "bn3")
    np.testing.assert_allclose(distances(at), np.sort(observed.distance), atol=0.006)
    assert "Observed on 16 drawn scenes." in text(at)
    assert "map" not in opened_table(at)
    both = with_batch_statistics(checkpoint.build(), batch.x)
    running, own = both.correct(batch.labels)
    assert f"{running / 16:.1%}" in text(at)
    assert f"{own / 16:.1%}" in text(at)
    assert f"of 16 images ({both.changed.mean():.0%})" in text(at)


@pytest.mark.usefixtures("folder")
def test_a_batch_of_test_images_has_at_most_what_there_is(page: Open) -> None:
    at = page(of="test", images="16")
    assert "Observed on 5 test images." in text(at)
    assert "accuracy (n = 5)" in text(at)
    assert at.selectbox(key="images").value == "16"


def test_test_images_need_a_test_set(page: Open) -> None:
    at = page(of="test")
    assert "Observed on this image." in text(at)
    assert "Test images" not in [option for group in at.main.button_group for option in group.options]


@pytest.mark.usefixtures("folder")
def test_test_images_that_cannot_be_read_are_a_sentence(page: Open, tmp_path: Path) -> None:
    for file in tmp_path.glob("test/cat/*.png"):
        file.write_bytes(b"no picture")
    at = page(of="test")
    assert "None of the test images can be read" in text(at)
    assert "Observed on this image." in text(at)


def test_choices_stand_in_the_link(page: Open) -> None:
    at = page(of="scenes", images="32", norm="bn2", channel="5")
    kept = {"of": "scenes", "images": "32", "norm": "bn2", "channel": "5"}
    assert {key: at.query_params[key] for key in kept} == kept
    assert "Observed on 32 drawn scenes." in text(at)


def test_a_typed_channel_survives_layers_that_do_not_have_it(page: Open) -> None:
    at = page(norm="bn3")
    checked(at.number_input(key="norm_channel").set_value(100).run())
    assert at.query_params["channel"] == "100"
    assert chosen(at) == [100]
    checked(at.selectbox(key="norm").select("bn1").run())
    assert "channel" not in at.query_params
    assert "Channel 100" not in text(at)
    checked(at.selectbox(key="norm").select("bn3").run())
    assert "Channel 100, before and after BatchNorm" in text(at)


@pytest.mark.parametrize("channel", ["-1", "99999999", "²", "<b>"])
def test_a_channel_that_is_none_is_the_furthest(page: Open, channel: str) -> None:
    at = page(channel=channel)
    assert chosen(at) == [channels(at)[int(np.abs(distances(at)).argmax())]]
    assert "channel" not in at.run().query_params  # a first run leaves an address as it is


def test_dead_and_faint_channels_are_named(page: Open, network: Callable[..., None]) -> None:
    norm = nn.BatchNorm2d(8)
    norm.weight.data[2], norm.bias.data[2] = 0.001, -1.0
    norm.bias.data[5] = -1e3
    network(of(norm))
    at = page(*OWN)
    assert (
        "Dead channels: 2, 5. Their output is nowhere above zero, so the ReLU (2) gives only zeros."
        in text(at)
    )
    assert "γ near zero (|γ| below 0.01) in channel 2: its output is close to β for any input." in text(at)
    texts = dict(zip(channels(at), (text for text, _, _ in columns(at)), strict=True))
    assert texts[2] == "2: dead, the ReLU gives only zeros; γ near zero"
    assert texts[5] == "5: dead, the ReLU gives only zeros"
    assert texts[0] == "0"
    signs = re.findall(r'class="sign"[^>]*>(.)<', charts(at)[0]["xhtml"])
    assert (signs.count("✕"), signs.count("◇")) == (2, 1)


def test_a_layer_that_keeps_no_statistics_says_so(page: Open, network: Callable[..., None]) -> None:
    network(of(nn.BatchNorm2d(8, track_running_stats=False)))
    assert "keeps no running statistics" in text(page(*OWN))


@pytest.mark.parametrize(
    ("norm", "words"),
    [
        (None, "nothing is normalized"),
        (nn.GroupNorm(4, 8), "GroupNorm normalizes with the mean and variance of groups"),
        (nn.GroupNorm(1, 8), "as LayerNorm does"),
        (nn.LayerNorm([8, 14, 14]), "LayerNorm normalizes with the mean and variance over its normalized"),
        (nn.InstanceNorm2d(8), "InstanceNorm normalizes with each channel’s own"),
    ],
)
def test_a_network_without_batchnorm_says_what_it_has(
    page: Open, network: Callable[..., None], norm: nn.Module | None, words: str
) -> None:
    network(of(norm))
    at = page(*OWN)
    assert "This network has no BatchNorm" in text(at)
    assert words in text(at)
    assert not charts(at)


def test_a_norm_of_what_are_no_maps_is_named_too(page: Open, network: Callable[..., None]) -> None:
    pooled = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    network(lambda: nn.Sequential(*pooled, nn.LayerNorm(8), nn.Linear(8, 2)))
    said = text(page(*OWN))
    assert "nothing is normalized" not in said
    assert "LayerNorm normalizes with the mean and variance over its normalized_shape" in said


def test_batchnorm_of_three_dimensions_is_named(page: Open, network: Callable[..., None]) -> None:
    def build() -> nn.Module:
        body = [nn.Unflatten(1, (1, 3)), nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU()]
        return nn.Sequential(*body, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 2))

    network(build)
    seen = text(page(*OWN))
    assert "BatchNorm layers of this network (BatchNorm3d) did not run, or do not normalize" in seen
    assert "no BatchNorm" not in seen


def test_blocks_without_batchnorm_are_named(page: Open, network: Callable[..., None]) -> None:
    def build() -> nn.Module:
        body = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.GroupNorm(2, 8)]
        return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))

    network(build)
    assert "Without BatchNorm: Block 2 · 3 (GroupNorm)." in text(page(*OWN))


def test_one_cell_an_image_has_no_batch_statistics(page: Open, network: Callable[..., None]) -> None:
    network(lambda: nn.Sequential(nn.Conv2d(3, 4, 16), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2)))
    assert "give more images" in text(page(*OWN))
    assert "mean confidence" in text(page(*OWN, of="scenes"))


def probabilities(*classes: int) -> Floats:
    """Predictions of three classes, confident of these."""
    return np.asarray(torch.eye(3)[list(classes)] * 0.7 + 0.1, np.float32)


@pytest.mark.parametrize(
    ("running", "own", "words"),
    [
        ((0, 1, 2, 0), (0, 1, 2, 0), "The predicted class is the same for all 12 images."),
        ((1, 1, 2, 0), (0, 1, 2, 0), "no larger than chance explains"),
        ((1, 2, 0, 1), (0, 1, 2, 0), "Batch statistics give more correct predictions"),
        ((0, 1, 2, 0), (1, 2, 0, 1), "Running statistics give more correct predictions"),
        ((1, 1, 2, 0), (0, 2, 2, 0), "no larger than chance explains"),
    ],
)
def test_a_sentence_interprets_the_two_predictions(
    running: tuple[int, ...], own: tuple[int, ...], words: str
) -> None:
    batch = from_scenes(12, load_checkpoint(COURSE).card)
    batch.labels[:] = (0, 1, 2, 0) * 3
    both = TwoPredictions(probabilities(*running * 3), probabilities(*own * 3))
    assert words in batch_prediction.meaning_of_many(both, batch)


def test_without_labels_nothing_is_said_of_accuracy() -> None:
    batch = from_scenes(4, load_checkpoint(COURSE).card)
    batch.labels[:] = -1
    both = TwoPredictions(probabilities(0, 1, 2, 0), probabilities(1, 1, 2, 0))
    assert batch_prediction.meaning_of_many(both, batch) == (
        "The predicted class changes for **1** of 4 images (25%). Without labels it is unknown which "
        "prediction is correct."
    )
    assert [name for name, _, _ in batch_prediction.overall(both.running, batch)] == ["mean confidence"]


def test_two_predictions_for_one_image() -> None:
    names = ("cat", "dog", "horse")
    same = batch_prediction.meaning_of_one(names, TwoPredictions(probabilities(1), probabilities(1)))
    assert "Both predict **dog**: 80.0% with running statistics, 80.0% with the image’s own." in same
    assert "hardly depends on which statistics are used" in same
    less = batch_prediction.meaning_of_one(names, TwoPredictions(probabilities(1), probabilities(1) / 2))
    assert (
        "the probability depends on which statistics are used: 80.0% with running statistics, 40.0%" in less
    )
    other = batch_prediction.meaning_of_one(names, TwoPredictions(probabilities(1), probabilities(2)))
    assert "from **dog** (80.0%) to **horse** (80.0%)" in other
