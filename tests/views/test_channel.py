"""The page Channel: what is shown with a scan and without, and a channel that follows one color."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from explorer.engine.network import Network, network_of
from explorer.engine.network_source import Source
from explorer.engine.opening import open_source
from explorer.engine.places import give_places
from explorer.engine.samples import scene
from explorer.engine.scan import running
from explorer.engine.scan.images import drawn_scenes, scene_number
from explorer.engine.scan.reductions import Numbered, Ranges, Running, edges_of
from explorer.engine.scan.result import Scan, save
from explorer.engine.tracing import blocks, trace
from explorer.ui.cached import Opened
from explorer.ui.jobs import JOBS
from explorer.ui.selection import Selection
from explorer.views.channel import charts, examples, masks, optimized, over_scan, switched_off, tiles
from explorer.views.channel.subject import ChannelSubject
from model.card import Card
from model.pixels import Rectangle
from tests.components import click, component

ROOT = Path(__file__).parents[2]
COUNT = 60
Visit = Callable[..., object]


class Red(nn.Module):
    """Its channel 1 is what is more red than green and blue in each pixel; the others are random."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.act = nn.ReLU()
        self.head = nn.Linear(4, 10)
        with torch.no_grad():
            self.conv.weight[1] = 0
            self.conv.weight[1, :, 1, 1] = torch.tensor([1.0, -0.5, -0.5])
            self.conv.bias[1] = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.act(self.conv(x)).mean((2, 3)))


CARD = Card(mean=(0.0,) * 3, std=(1.0,) * 3)


@cache
def red() -> tuple[ChannelSubject, Scan]:
    network = Network(Red().eval(), CARD, "red")
    scan = running.scan(network, drawn_scenes(CARD, COUNT))
    opened = Opened("red", Source(), None, network)  # type: ignore[arg-type]
    selection = Selection(opened, scene(3, 32))
    seen = trace(network.net, CARD.to_input(selection.sample.pixels))
    vars(selection)["seen"] = seen
    (block,) = blocks(network.net, seen)
    return ChannelSubject(selection, block, "act", 1, scan), scan


def redness(row: int) -> np.ndarray:
    """How red each pixel of a scene is, (s, s)."""
    pixels = drawn_scenes(CARD).take(row).pixels.astype(np.float64) / 255
    return np.maximum(pixels @ [1.0, -0.5, -0.5], 0)


def test_a_channel_that_follows_red_gets_the_reddest_images() -> None:
    subject, _ = red()
    top, bottom = examples.by_activation(subject)
    each = np.array([redness(row).max() for row in range(COUNT)])
    assert [tile.value for tile in top] == pytest.approx(np.sort(each)[::-1][:8].tolist(), abs=1e-5)
    assert [tile.value for tile in bottom] == pytest.approx(np.sort(each)[:8].tolist(), abs=1e-5)
    for tile in top:
        assert tile.position is not None
        assert redness(tile.row)[tile.position] == pytest.approx(tile.value, abs=1e-5)


def test_an_image_is_cut_to_the_receptive_field_and_at_the_border() -> None:
    subject, _ = red()
    pixels = drawn_scenes(CARD).take(5).pixels
    inside = tiles.picture(subject, tiles.ExampleTile(5, 1.0, (10, 20)), False)
    np.testing.assert_array_equal(inside, pixels[9:12, 19:22])
    corner = tiles.picture(subject, tiles.ExampleTile(5, 1.0, (0, 31)), False)
    np.testing.assert_array_equal(corner, pixels[0:2, 30:32])
    np.testing.assert_array_equal(tiles.picture(subject, tiles.ExampleTile(5, 1.0, None), False), pixels)
    framed = tiles.picture(subject, tiles.ExampleTile(5, 1.0, (10, 20)), True)
    scale = framed.shape[0] // 32
    assert (framed[9 * scale, 19 * scale : 22 * scale] == 0).all()
    assert "3 × 3 of 32 × 32 pixels" in tiles.field_in_words(subject, False)


def test_contributions_are_ranked_for_the_class_to_explain() -> None:
    subject, _ = red()
    (progress,) = JOBS.wait(examples.work(subject))
    found = examples.by_contribution(subject, progress.results)
    weight = float(subject.selection.net.head.weight[subject.selection.target, 1].detach()) / 32**2
    each = np.array([weight * redness(row).mean() for row in examples.candidates(subject)])
    assert [tile.value for tile in found] == pytest.approx(np.sort(each)[::-1][:8].tolist(), abs=1e-8)


def test_an_image_made_for_red_is_red() -> None:
    subject, scan = red()
    (progress,) = JOBS.wait(optimized.work(subject, 0))
    best = progress.results[-1]
    middle = best.pixels[4:-4, 4:-4].reshape(-1, 3).mean(0)
    assert middle[0] > middle[1:].max() + 20
    assert best.response.mean > best.best_random.mean
    real = float(scan.layers["act"].image_mean[:, 1].max())
    assert real > best.response.mean  # colors and amplitudes are those of all images, not of the reddest
    assert "a real image of the scan gives a larger one" in optimized.judged(best, scan.layers["act"])
    assert "for all random images" in optimized.judged(best, None)


def test_masks_and_effects_are_measured() -> None:
    subject, _ = red()
    effects, dissection = JOBS.wait(switched_off.work(subject))[0], JOBS.wait(masks.work(subject))[0]
    assert [one.label for one in effects.results] == list(range(10))
    assert all(one.fall.n == COUNT // 10 for one in effects.results)
    one = masks.dissected(dissection, 0.2)
    assert one is not None
    assert 0 < one.fraction <= 0.2
    assert "200 drawn scenes" in masks.about(one, 200)


@pytest.mark.parametrize(("zeros", "shown"), [(0.5, [3, 2, 0, 4]), (0.2, [3, 2, 50, 4])])
def test_only_the_bar_of_many_zeros_is_left_out(zeros: float, shown: list[int]) -> None:
    """Values below zero, of a Hardswish for example, stay."""
    edges = np.linspace(-1, 1, 5, dtype=np.float32)[None]
    scanned = SimpleNamespace(
        zeros=np.array([zeros]), histogram=np.array([[3, 2, 50, 4]]), edges=edges, mean=np.zeros(1),
        variance=np.ones(1),
    )  # fmt: skip
    chart = charts.values(scanned, "act", 0)  # type: ignore[arg-type]
    assert (chart.counts.tolist(), chart.edges.tolist()) == (shown, edges[0].tolist())
    assert scanned.histogram.sum() == 59


@pytest.mark.parametrize(("low", "high"), [(-1, 7), (-0.97086316, 3.8829474), (-0.375, 2), (0, 6), (-6, 0)])
def test_the_bar_of_zeros_is_the_one_where_the_scan_counts_them(low: float, high: float) -> None:
    """Also where zero is an edge, but for rounding."""
    edges = edges_of(np.float32([low]), np.float32([high]))
    running = Running(Ranges(edges, None, has_zeros=True))
    running.add(torch.zeros(1, 1, 4, 4), Numbered(torch.arange(1)))
    part = running.part()
    scanned: Any = SimpleNamespace(zeros=np.ones(1), histogram=part.histogram, edges=edges)
    assert charts.bar_of_zeros(scanned, 0) == part.histogram[0].argmax()


@pytest.mark.parametrize(("maximum", "low", "says"), [(3.0, 0.0, True), (1.5, -1.0, True), (1.5, 0.0, False)])
def test_values_beyond_the_chart_are_said_to_be_in_its_last_bars(
    maximum: float, low: float, says: bool
) -> None:
    subject, _ = red()
    edges = np.linspace(low, 2, 5)[None].repeat(2, 0)
    one, zeros = np.ones(2), np.zeros(2)
    scanned: Any = SimpleNamespace(
        mean=one, variance=one, maximum=one * maximum, zeros=zeros, edges=edges, histogram=edges
    )
    assert ("also holds the values beyond" in over_scan.about_values(subject, scanned)) == says


class Bright(nn.Module):
    """Its channel 0 is how bright each pixel is of what is left after rows and columns are cut off."""

    def __init__(self, cut: int) -> None:
        super().__init__()
        self.cut, self.conv, self.head = cut, nn.Conv2d(3, 1, 1, bias=False), nn.Linear(1, 10)
        nn.init.constant_(self.conv.weight, 1 / 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = x.shape[2] - 2 * self.cut
        return self.head(self.conv(x[:, :, self.cut :, self.cut :][:, :, :size, :size]).mean((2, 3)))


@pytest.mark.parametrize(("resize", "cut"), [(None, 0), (40, 0), (None, 6), (40, 6)])
def test_masks_lie_where_the_maps_do(monkeypatch: pytest.MonkeyPatch, resize: int | None, cut: int) -> None:
    """Where objects are white and all else is black, a map of the brightness is the object's mask."""
    random = np.random.default_rng(0)
    bright = random.random((masks.PART, 4, 4)).repeat(8, 1).repeat(8, 2) > 0.5
    pixels = np.repeat(bright[..., None], 3, 3).astype(np.uint8) * 255
    labels = np.zeros(masks.PART, np.int64)
    monkeypatch.setattr(masks, "drawn", lambda size, first: (pixels, bright, labels))
    card = Card(mean=(0.0,) * 3, std=(1.0,) * 3, resize=resize)
    net = give_places(Bright(cut).eval(), (("conv", Rectangle(cut, 32 - cut, cut, 32 - cut)),))
    opened = Opened("bright", Source(), None, Network(net, card, f"bright {resize} {cut}"))  # type: ignore[arg-type]
    (progress,) = JOBS.wait(masks.work(ChannelSubject(Selection(opened, scene(3, 32)), None, "conv", 0)))  # type: ignore[arg-type]
    for maps, of_objects, _ in progress.results:
        assert maps.shape[1:] == (32 - 2 * cut,) * 2
        np.testing.assert_array_equal(maps > 0.5, of_objects)


# The page


def written(at) -> str:
    parts = [each.value for each in [*at.markdown, *at.caption, *at.info, *at.subheader, *at.header]]
    return " ".join([*parts, *(each.proto.body for each in at.get("html"))])


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scan of a shipped network."""
    opening = open_source(Source(ROOT / "checkpoints" / "cifar10-course.safetensors"))
    network = network_of(opening.checkpoint, opening.checkup)
    folder = tmp_path_factory.mktemp("scans")
    save(running.scan(network, drawn_scenes(network.card, COUNT)), folder / "any.safetensors")
    return folder


def test_without_a_scan_the_rest_is_there(visit: Visit, tmp_path: Path) -> None:
    at = visit("channel", "--scans", str(tmp_path), checkpoint="cifar10-fast", block="2", channel="5")
    assert not at.exception, at.exception[0].value
    text = written(at)
    assert "Channel 5 of relu2" in text
    assert "γ (scale)" in text
    assert "Epoch 12" in text
    assert "Largest value of the map" not in text
    assert any("Scan" in button.label for button in at.button)


def test_with_a_scan_a_click_selects_the_image(visit: Visit, scans: Path) -> None:
    at = visit("channel", "--scans", str(scans), block="3", channel="7")
    assert not at.exception, at.exception[0].value
    assert f"Largest value of the map, over {COUNT} drawn scenes" in written(at)
    assert "Class selectivity index" in written(at)
    assert "Channels most like it" in written(at)
    card = component(at, "cards_top")["pictures"][0]
    name = card["text"].removeprefix("Select ")
    click(at, "cards_top", number=card["number"])
    assert not at.exception, at.exception[0].value
    assert at.query_params["source"] == "scenes"
    assert int(at.query_params["scene"]) == scene_number(int(name.split()[-1]))


def test_the_way_leads_from_feature_maps_and_back(visit: Visit) -> None:
    at = visit("maps", block="2", channel="5")
    next(button for button in at.button if button.key == "to_channel").click().run()
    assert not at.exception, at.exception[0].value
    assert "Channel 5 of relu2" in written(at)
    next(button for button in at.button if button.key == "to_maps").click().run()
    assert not at.exception, at.exception[0].value
    assert "Channel 5 of relu2" in written(at)
    assert "Kernel of channel 5" in written(at)


def test_images_in_which_a_channel_is_silent_are_counted_not_the_first_of_them() -> None:
    means = np.array([[0, 1], [2, 0], [0, 3], [0, -1]], np.float32)
    scanned = SimpleNamespace(image_mean=means, bottom_values=np.array([[0, 0], [0, 2]], np.float32))
    assert examples.silent_rows(scanned, 0) == [0, 2, 3]  # type: ignore[arg-type]
    assert examples.silent_rows(scanned, 1) == []  # type: ignore[arg-type]  # it has negative values
