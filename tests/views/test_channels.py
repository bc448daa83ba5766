"""The pages Channels of a layer and Evidence per class: a network with planted faults, over drawn scenes."""

import contextlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer.drawing.chart import LineChart
from explorer.engine.attribution import channel_evidence
from explorer.engine.class_evidence import Evidence
from explorer.engine.intervals import interval
from explorer.engine.intervention import Change, altered
from explorer.engine.network import Network, network_of
from explorer.engine.network_source import Source
from explorer.engine.opening import open_source
from explorer.engine.scan import result, running
from explorer.engine.scan.images import drawn_scenes
from explorer.engine.scan.result import Scan
from explorer.ui import jobs
from explorer.ui.exports.downloads import Offer
from explorer.ui.options import ROOT
from explorer.views.class_evidence import exports, pair
from explorer.views.class_evidence.measuring import Groups
from model import words
from model.checkpoint import load_checkpoint, save_checkpoint
from model.words import ENGLISH, tr

IMAGES = 40
DEAD, ONE, COPY = 5, 2, 9


@dataclass(frozen=True)
class Planted:
    """A checkpoint's file and a folder with the scan of its network."""

    file: Path
    folder: Path
    network: Network
    scan: Scan

    @property
    def options(self) -> tuple[str, ...]:
        return ("--checkpoint", str(self.file), "--scans", str(self.folder))

    def x(self) -> torch.Tensor:
        images = drawn_scenes(self.network.card, IMAGES)
        return self.network.card.to_inputs([images.take(number).pixels for number in range(IMAGES)])


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """The shipped network of scenes, in whose third block a channel is dead and one is another's copy."""
    folder = tmp_path_factory.mktemp("planted")
    shipped = load_checkpoint(ROOT / "checkpoints" / "scenes-course.safetensors")
    net = shipped.build()
    with torch.no_grad():
        net.bn3.weight[DEAD], net.bn3.bias[DEAD] = 0.001, -1.0
        net.conv3.weight[COPY] = net.conv3.weight[ONE]
        for values in (net.bn3.weight, net.bn3.bias, net.bn3.running_mean, net.bn3.running_var):
            values[COPY] = values[ONE]
        if net.conv3.bias is not None:
            net.conv3.bias[COPY] = net.conv3.bias[ONE]
    file = folder / "planted.safetensors"
    save_checkpoint(file, shipped.card, net.state_dict())
    opening = open_source(Source(file))
    network = network_of(opening.checkpoint, opening.checkup)
    images = drawn_scenes(network.card, IMAGES)
    scan = running.scan(network, images)
    result.save(scan, folder / "planted-scan.safetensors")
    return Planted(file, folder, network, scan)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages wait for their work, so that the first run shows the results."""
    monkeypatch.setattr(jobs, "show", lambda draw, *works: draw(jobs.JOBS.wait(*works)))


def written(at: AppTest) -> str:
    return " ".join(each.value for each in [*at.markdown, *at.caption, *at.info])


def html(at: AppTest) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def test_the_dead_and_the_duplicated_channel_are_named(
    visit: Callable[..., AppTest], planted: Planted
) -> None:
    at = visit("channels", *planted.options, block="3")
    assert not at.exception, at.exception[0].value
    text = written(at)
    assert "**1 dead channel**: 5" in text
    assert "Channel 5 is dead: γ = 0.001 and β = −1 put 100.0% of a normal distribution at zero." in text
    assert f"{ONE} and {COPY} (1)" in text
    assert "a channel and the one most like it" in text  # not every pair that is as much alike
    assert "with the images of each channel shuffled, the highest of all is" in text
    assert "**1 channel with γ near zero** in `bn3`: 5" in text
    table = at.dataframe[0].value.set_index("channel")
    assert table.loc[DEAD, "finding"] == "dead, γ near zero"
    assert table.loc[ONE, "partner"] == COPY
    zeros = planted.scan.layers["relu3"].zeros
    np.testing.assert_allclose(table.loc[range(10), "zeros"], 100 * zeros[:10], rtol=1e-6)
    assert "percent" not in at.dataframe[0].proto.columns  # the format that leaves out zeros at the end


def test_downloads_are_the_last_on_the_page(visit: Callable[..., AppTest], planted: Planted) -> None:
    at = visit("channels", *planted.options, block="3")
    assert [each.label for each in at.main.expander][-2:] == ["How to read this", "Download"]


def test_the_cost_is_that_of_the_network_without_the_channels(
    opened: Callable[..., tuple[AppTest, Offer]], planted: Planted
) -> None:
    at, offer = opened("channels", *planted.options, block="3", measure="all")
    net, x, labels = planted.network.net, planted.x(), planted.scan.labels
    zeros = offer.tables["Channels"]().set_index("channel").zeros
    np.testing.assert_allclose(zeros.sort_index(), planted.scan.layers["relu3"].zeros, rtol=1e-6)
    table = offer.tables["Accuracy without channels"]().set_index("removed")
    assert table.loc["dead", ["channels", "changed"]].tolist() == [str(DEAD), 0]
    redundant, every = (tuple(map(int, table.loc[name, "channels"].split())) for name in ("redundant", "all"))
    assert len({ONE, COPY} & set(redundant)) == 1
    assert set(every) == {DEAD, *redundant}
    with torch.no_grad():
        whole = net(x).argmax(1).numpy()
        without = altered(net, [Change("relu3", every)])(x).argmax(1).numpy()
    assert table.loc["all", "accuracy"] == (without == labels).mean()
    assert table.loc["all", "changed"] == (without != whole).sum()
    assert table.loc["dead", ["low", "high"]].tolist() == list(interval((whole == labels).mean(), IMAGES))
    assert (table["images"] == IMAGES).all()
    curve = offer.tables["Curve"]()
    assert set(curve["order"]) == {"gamma", "mean", "alike", *(f"random, seed {seed}" for seed in range(3))}
    last = curve[curve["count"] == len(planted.scan.layers["relu3"].mean)]
    assert last["accuracy"].nunique() == 1  # without any channel the order does not matter
    assert "as many random channels" in html(at)
    check(offer)


def test_evidence_of_each_class_is_the_mean_of_its_images(
    opened: Callable[..., tuple[AppTest, Offer]], planted: Planted
) -> None:
    at, offer = opened("class_evidence", *planted.options, block="3", per_class="20")
    net, x, labels = planted.network.net, planted.x(), planted.scan.labels
    table = offer.tables["Mean contributions"]().set_index("channel")
    for label in (0, 7):
        each = [
            channel_evidence(net, x[[row]], "relu3", label).contributions
            for row in np.flatnonzero(label == labels)
        ]
        np.testing.assert_allclose(table[planted.scan.classes[label]], np.mean(each, 0), atol=1e-5)
    assert "Mean heat map of airplane" in html(at)
    assert "differ" in written(at)
    check(offer)


def groups(planted: Planted, first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
    """Contributions at relu3 for one class minus another over the images of each, by plain gradients."""
    net, x, labels = planted.network.net, planted.x(), planted.scan.labels
    maps: list[torch.Tensor] = []
    with net.relu3.register_forward_hook(lambda _, __, output: maps.append(output)):
        logits = net.eval()(x)
    (gradient,) = torch.autograd.grad((logits[:, first] - logits[:, second]).sum(), maps[0])
    contributions = (gradient.mean((2, 3)) * maps[0].mean((2, 3))).detach().double().numpy()
    return contributions[labels == first], contributions[labels == second]


def adds_up(card: str) -> None:
    """A card's difference is that of its two mean contributions as they are shown, to three digits."""
    shown = re.findall("[−\\d.]*\\d", card.replace("\N{WORD JOINER}", ""))
    one, other, difference = (Decimal(each.replace("−", "-")) for each in shown[:3])
    assert abs(one - other - difference) <= abs(difference) / 100


@pytest.mark.parametrize(("first", "second"), [(0, 8), (3, 5)])
def test_a_positive_difference_is_not_said_to_be_support(
    opened: Callable[..., tuple[AppTest, Offer]], planted: Planted, first: int, second: int
) -> None:
    names = planted.scan.classes
    link = {"evidence_class": names[first], "evidence_against": names[second]}
    at, offer = opened("class_evidence", *planted.options, block="3", per_class="20", **link)
    text = written(at)
    one, other = (each.mean(0) for each in groups(planted, first, second))
    table = offer.tables["Differences"]().set_index("channel")
    np.testing.assert_allclose(table["mean_of_group"].sort_index(), one, atol=1e-6)
    np.testing.assert_allclose(table["mean_of_minus"].sort_index(), other, atol=1e-6)
    np.testing.assert_allclose(table["difference"].sort_index(), one - other, atol=1e-6)
    for channel in table.index[:4]:
        support = {
            (True, True): f"supports {names[first]} in both groups",
            (False, False): f"supports {names[second]} in both groups",
            (True, False): f"supports {names[first]} over images of {names[first]}",
            (False, True): f"supports {names[second]} over images of {names[first]}",
        }[bool(one[channel] > 0), bool(other[channel] > 0)]
        assert f"**Channel {channel}** {support}" in text
        adds_up(text.partition(f"**Channel {channel}** ")[2])
    above = table.index[(table["p"] <= 0.05) & (table["difference"] > 0)]
    if len(above):
        assert f"{int((one[above] > 0).sum())} support" in text
    assert f"So a dot on the right is not support for {names[first]}" in text


def test_a_card_has_rounded_numbers(planted: Planted) -> None:
    """A mean contribution that is nothing beside the difference has no string of zeros, and no sign."""
    cat, dog = (np.flatnonzero(planted.scan.labels == label) for label in (3, 5))
    means = [-0.00000118, -0.000327]
    noise = np.random.default_rng(0).normal(0, 1e-5, (2, 8, 1))
    values = (np.array(means)[:, None, None] + noise - noise.mean(1, keepdims=True)).astype(np.float32)
    evidence = Evidence(np.repeat([0, 1], 8), values.reshape(16, 1), np.zeros((16, 2, 2), np.float32))
    one = pair.pair_of(planted.scan, "relu3", Groups(3, 5, (cat, dog), False), evidence)
    card = pair.about_channel(one, 0).replace("\N{WORD JOINER}", "")
    assert "mean contribution about 0 over images of cat, −0.00033 over images of dog" in card
    assert "The difference is 0.00033 (0.0003" in card
    assert "supports" not in card


@pytest.mark.parametrize("errors", [False, True])
def test_a_table_names_groups_as_the_network_does_in_every_language(planted: Planted, errors: bool) -> None:
    cat, dog = (np.flatnonzero(planted.scan.labels == label) for label in (3, 5))
    values = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    evidence = Evidence(np.repeat([0, 1], 4), values, np.zeros((8, 2, 2), np.float32))
    words.use("zh_CN")
    try:
        one = pair.pair_of(planted.scan, "relu3", Groups(3, 5, (cat, dog), errors), evidence)
        assert tr("cat") != "cat"
        assert all(tr("cat") in name or tr("dog") in name for name in one.names)
        table = exports.differences(one)
        names = ("cat", "dog")
        if errors:
            names = tuple(tr("{true} predicted as {other}", true="cat", other=other) for other in names)
        assert (table["group"].iloc[0], table["minus"].iloc[0]) == names
    finally:
        words.use(ENGLISH)


def check(offer: Offer) -> None:
    """What is offered is there, and the program prints what is promised."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(offer.snippet, "snippet", "exec"), {"__name__": "__main__"})
    assert f"{float(printed.getvalue()):.2g}" in f"{float(offer.printed.rstrip('.').split(' ')[-1]):.2g}"
    assert all(isinstance(make(), pd.DataFrame) for make in offer.tables.values())
    assert all(text for _, text in offer.arrays().values())
    assert next(iter(offer.pictures.values()))().dtype == np.uint8
    parts = offer.figure()
    assert len(parts)
    for chart in parts:
        if isinstance(chart, LineChart):  # in print each name of the legend stands there once
            alone = {one.name for one in chart.lines} - {one.name for one in chart.lines if not one.dashed}
            assert not (chart.dashed and alone)  # its own name says what it is


@pytest.mark.parametrize("page", ["channels", "class_evidence"])
def test_without_a_scan_a_page_says_how_to_make_one(
    visit: Callable[..., AppTest], planted: Planted, tmp_path: Path, page: str
) -> None:
    at = visit(page, "--checkpoint", str(planted.file), "--scans", str(tmp_path))
    assert not at.exception, at.exception[0].value
    assert any("Scan" in button.label for button in at.button)


@pytest.mark.parametrize("page", ["channels", "class_evidence"])
@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("Tokens", "airplane,automobile,bird,cat,deer"),
        ("PreActivation", "airplane,automobile,bird,cat,deer"),
        ("activated_norm", "a,b,c,d,e"),
    ],
)
def test_a_scan_of_any_network_is_shown(
    visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, page: str, name: str, classes: str
) -> None:
    def scan_of(network: Network) -> Scan:
        return running.scan(network, drawn_scenes(network.card, 15))

    monkeypatch.setattr("explorer.ui.scans.scanning.scan_of", scan_of)
    net = ("--net", f"tests.engine.odd_networks:{name}", "--classes", classes, "--input-size", "32")
    at = visit(page, *net, measure="all", per_class="20")
    assert not at.exception, at.exception[0].value
    assert not at.error
    text = written(at)
    if classes.startswith("a,"):
        assert "No image of this scan has a label among the network’s classes" in text
    elif page == "channels":
        assert "Measured on" in text


@pytest.mark.parametrize("page", ["channels", "class_evidence"])
def test_a_network_that_cannot_be_opened_is_reported_on_the_page(
    visit: Callable[..., AppTest], tmp_path: Path, page: str
) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"nothing")
    at = visit(page, "--checkpoint", str(damaged))
    assert not at.exception, at.exception[0].value
    assert len(at.main.error) == 1
