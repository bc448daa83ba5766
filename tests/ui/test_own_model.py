"""A network of one's own on every page: torchvision's, with random weights, and the awkward ones."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import nn

from explorer.engine import samples, tracing
from explorer.engine.attribution import heat_from
from explorer.engine.network_source import Source
from explorer.ui import cached
from explorer.ui.choices import spread_evenly
from explorer.ui.selection import Selection
from model.nets import NETS

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.parent.name for path in (ROOT / "explorer" / "views").glob("*/page.py"))
RESNET = ("--net", "torchvision.models:resnet18", "--input-size", "64", "--classes", "1000")
VGG = ("--net", "tests.engine.odd_networks:vgg16_bn(num_classes=3)", "--input-size", "32",
       "--classes", "cat,dog,horse")  # fmt: skip
Open = Callable[..., AppTest]


@pytest.fixture
def app(visit: Open) -> Open:
    """Open the explorer with options on a page."""
    return lambda options, page="explain", **link: visit(page, *options, **link)


def check(at: AppTest) -> None:
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value
    assert at.header


def about(at: AppTest) -> str:
    return " ".join(caption.value for caption in at.sidebar.caption)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("options", [RESNET, VGG], ids=["resnet18", "vgg16_bn"])
def test_every_page_shows_a_network_of_torchvision(app: Open, options: tuple[str, ...], page: str) -> None:
    check(app(options, page))


def test_blocks_are_counted_and_other_layers_named(app: Open) -> None:
    assert "20 conv blocks. Layers outside them: `fc` (Linear)." in about(app(RESNET))
    said = about(app(VGG))
    assert "13 conv blocks. Layers outside them: `avgpool` (AdaptiveAvgPool2d)" in said
    assert "`classifier.0`, `classifier.3`, `classifier.6` (Linear)" in said


def test_any_of_twenty_blocks_is_within_reach(app: Open) -> None:
    at = app(RESNET, "maps", block="20")
    check(at)
    assert at.selectbox(key="block").value == "20"
    assert len(at.selectbox(key="block").options) == 20
    at.selectbox(key="block").select("7").run()
    check(at)
    assert any("layer2.0.relu" in text.value for text in at.markdown)


def test_its_classes_are_the_choice(app: Open) -> None:
    at = app(VGG, **{"class": "dog"})
    check(at)
    assert "dog" in at.header[0].value
    assert len(at.selectbox(key="class").options) == 4


def test_weights_of_its_own_are_loaded(app: Open, tmp_path: Path) -> None:
    torch.manual_seed(3)
    net = NETS["course"](classes=4)
    torch.save(net.state_dict(), tmp_path / "mine.pt")
    at = app(("--checkpoint", str(tmp_path / "mine.pt"), "--classes", "a,b,c,d"))
    check(at)
    assert at.selectbox(key="checkpoint").value == "mine.pt"
    assert at.selectbox(key="class").options[1:] == ["a", "b", "c", "d"]


def test_the_shipped_checkpoint_stays_beside_it(app: Open) -> None:
    at = app(VGG, "compare", compare="maps", b_own="checkpoint", b_checkpoint="cifar10-course")
    check(at)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--net", "own_nowhere:net"), "There is no module “own_nowhere”"),
        (("--net", "torchvision.models:ResNet34"), "has no “ResNet34”"),
        (("--net", "torchvision.models:resnet18(num_classes=7)", "--classes", "5"), "returns 7 logits"),
        (("--net", "math:pi"), "is a float"),
        (("--classes", "5"), "add --checkpoint PATH or --net"),
        (("--net", "a:b", "--mean", "0.1,0.2"), "three numbers"),
        (("--net", "a:b", "--std", "0"), "must be numbers above zero"),
        (("--net", "a:b", "--input-size", "-3"), "pixels from 1 to 4096"),
        (("--net", "a:b", "--resize", "9000"), "pixels from the input size to 8192"),
        (("--net", "a:b", "--weights", "ema"), "add --checkpoint PATH"),
        ((*VGG[:4], "--classes", "0"), "at least one class"),
        ((*VGG[:4], "--classes", ""), "--classes is empty"),
        (("--net", "a:b", "--mean", "128,128,128"), "such as 0.5 instead of 128"),
    ],
    ids=str,
)
def test_a_wrong_option_is_one_sentence(app: Open, options: tuple[str, ...], said: str) -> None:
    at = app(options)
    assert not at.exception
    assert len(at.error) == 1
    assert said in at.error[0].value


# What the pages get of it


class Reused(nn.Module):
    """One in-place ReLU for two convolutions, and sums in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.relu(self.conv1(x))
        second = self.conv2(first)
        second += first
        logits: torch.Tensor = self.fc(self.relu(second).mean((2, 3)))
        return logits


@pytest.fixture
def reused(monkeypatch: pytest.MonkeyPatch) -> Selection:
    """A selection of `Reused`, which lies in a module `own_reused`."""
    module = ModuleType("own_reused")
    module.Reused = Reused  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_reused", module)
    opened = cached.opened("reused", Source(net="own_reused:Reused", input_size=16))
    return Selection(opened, samples.scene(3))


def test_reused_and_in_place_activations_give_the_true_maps(reused: Selection) -> None:
    net = reused.net
    with torch.no_grad():
        conv1 = net.conv1(reused.input.x)
        first = conv1.relu()
        conv2 = net.conv2(first)
        second = (conv2 + first).relu()
    true = {"conv1": conv1, "relu": first, "conv2": conv2, "relu#2": second}
    assert list(reused.seen.maps) == list(true)
    for layer, maps in true.items():
        np.testing.assert_allclose(reused.seen.maps[layer], maps[0], rtol=1e-5, atol=1e-6)
    assert [(block.conv, block.act) for block in reused.blocks] == [("conv1", "relu"), ("conv2", "relu#2")]


def test_reused_activations_are_explained_each_by_itself(reused: Selection) -> None:
    gradients = cached.gradients(reused.network, reused.input, ("relu", "relu#2"), (1,))
    heats = {layer: heat_from(reused.net, one, "grad_cam") for layer, (one,) in gradients.items()}
    weights = reused.net.fc.weight[1].detach().numpy() / 256
    expected = np.einsum("c,chw->hw", weights, reused.seen.maps["relu#2"])
    np.testing.assert_allclose(heats["relu#2"].values, expected, rtol=1e-4, atol=1e-7)
    assert not np.allclose(heats["relu"].values, heats["relu#2"].values)


class Kinds(nn.Sequential):
    def __init__(self) -> None:
        first = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.MaxPool2d(2)
        second = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.GELU()
        super().__init__(*first, *second, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


def test_a_stage_is_called_by_its_kind_of_layer(app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("own_kinds")
    module.Kinds = Kinds  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_kinds", module)
    options = ("--net", "own_kinds:Kinds", "--input-size", "16", "--classes", "3")
    at = app(options)
    assert at.selectbox(key="cam_stage").options == ["Convolution", "BatchNorm", "Activation", "Pooling"]
    for block, kind in ("1", "SiLU"), ("2", "GELU"):
        at = app(options, "maps", block=block)
        check(at)
        assert at.segmented_control(key="stage").options[2] == kind


def test_networks_with_the_same_weights_keep_their_own_results(
    reused: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Leaky(Reused):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.LeakyReLU(0.5)  # type: ignore[assignment]

    monkeypatch.setattr(sys.modules["own_reused"], "Leaky", Leaky, raising=False)
    other = Selection(cached.opened("leaky", Source(net="own_reused:Leaky", input_size=16)), reused.sample)
    assert other.opened.checkpoint.digest == reused.opened.checkpoint.digest
    assert other.seen == tracing.trace(other.net, other.input.x)
    assert other.seen != reused.seen


@pytest.mark.parametrize(("count", "most"), [(5, 4), (13, 4), (20, 4), (120, 6), (7, 7)])
def test_blocks_spread_evenly_and_end_with_the_last(count: int, most: int) -> None:
    places = spread_evenly(count, most)
    steps = set(np.diff(places).tolist())
    assert len(places) == most
    assert places[-1] == count - 1
    assert max(steps) - min(steps) <= 1
