"""The columns and lines of the start page say what the trace, the gradients and the flow say."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from explorer.drawing.ranges import number
from explorer.engine.flow import Flow
from explorer.engine.network_source import Source
from explorer.engine.passes import private_view
from explorer.engine.samples import scene
from explorer.engine.tracing import trace
from explorer.ui import cached, link
from explorer.ui.cached import one_image
from explorer.ui.components.network_graph import Event
from explorer.ui.selection import Selection
from explorer.views.network import names, page, picture
from explorer.views.network.columns import ROWS, Columns, columns_of, is_large
from explorer.views.network.lines import lines_into

CHECKPOINTS = Path(__file__).parents[3] / "checkpoints"
NETWORKS = ("Tokens", "PreActivation", "activated_norm", "same_padding", "perceptron", "Volumes")


def selected(name: str) -> Selection:
    """A scene with a shipped network, or with one of the odd ones."""
    path = CHECKPOINTS / f"{name}.safetensors"
    own = Source(net=f"tests.engine.odd_networks:{name}", classes="5", input_size=32)
    return Selection(cached.opened(name, Source(path) if path.exists() else own), scene(3))


@pytest.fixture(scope="module")
def course() -> tuple[Selection, Columns]:
    selection = selected("cifar10-course")
    return selection, columns_of(selection, (), None)


def test_the_columns_are_what_ran(course: tuple[Selection, Columns]) -> None:
    selection, columns = course
    seen = trace(selection.net, selection.input.x)
    shapes = {one.node.name: one.node.shape for one in columns.columns}
    assert {name: shapes[name] for name in seen.shapes} == seen.shapes
    names = [one.node.name for one in columns.columns]
    assert names[:5] == ["", "conv1", "bn1", "relu1", "pool1"]
    assert names[-5:] == ["flatten", "fc1", "relu_fc", "dropout", "fc2"]
    assert sum(one.node.parameters for one in columns.columns) == 1_147_914
    assert columns.edges == tuple((at, at + 1) for at in range(len(names) - 1))


def test_the_maps_are_those_of_the_trace(course: tuple[Selection, Columns]) -> None:
    selection, columns = course
    seen = trace(selection.net, selection.input.x)
    for one in columns.columns:
        if one.layer in seen.maps:
            assert one.glimpse is not None
            np.testing.assert_array_equal(one.glimpse.maps, seen.maps[one.layer][list(one.channels)])


def test_the_order_is_that_of_gradient_times_activation(course: tuple[Selection, Columns]) -> None:
    """The oracle: autograd of a plain hooked view."""
    selection, columns = course
    kept = {}
    view = private_view(selection.net)
    for name in ("conv1", "bn2", "pool3", "fc1"):
        view.get_submodule(name).register_forward_hook(lambda _, __, out, name=name: kept.update({name: out}))
    logits = view(selection.input.x.clone().requires_grad_())
    gradients = torch.autograd.grad(logits[0, selection.target], list(kept.values()))
    for (name, output), gradient in zip(kept.items(), gradients, strict=True):
        product = (output * gradient)[0]
        expected = (product.sum((1, 2)) if product.ndim == 3 else product).detach().numpy()
        one = next(each for each in columns.columns if each.layer == name)
        np.testing.assert_allclose(one.contributions, expected, atol=1e-5)
        sizes = np.abs(expected)[list(one.channels)]
        assert (np.diff(sizes) <= 1e-6).all()
        assert sizes[-1] >= np.sort(np.abs(expected))[-ROWS] - 1e-6


def test_a_chosen_channel_is_shown_whatever_it_contributes(course: tuple[Selection, Columns]) -> None:
    selection, columns = course
    conv = next(one for one in columns.columns if one.layer == "conv2")
    assert conv.contributions is not None
    least = int(np.abs(conv.contributions).argmin())
    assert least not in conv.channels
    again = columns_of(selection, (), ("conv2", least))
    shown = next(one for one in again.columns if one.layer == "conv2").channels
    assert shown == (*conv.channels[:-1], least)


def test_the_logits_are_in_the_order_of_the_classes(course: tuple[Selection, Columns]) -> None:
    selection, columns = course
    assert columns.logits == len(columns.columns) - 1
    assert columns.columns[-1].channels == columns.classes
    assert columns.classes[0] == selection.predicted


@pytest.mark.parametrize("layer", ["pool3", "fc1", "fc2", "conv1", "bn2"])
def test_lines_add_up_to_what_flows_in(course: tuple[Selection, Columns], layer: str) -> None:
    """Those into one channel, the one of all others included, have the sum of the engine's inflow."""
    selection, columns = course
    channel = columns.columns[columns.column_indices[layer]].channels[0]
    lines = lines_into(selection, columns, layer, channel)
    assert lines
    for step in {line.layer for line in lines}:
        into = [line for line in lines if line.layer == step]
        flow = cached.inflow(
            selection.network, selection.input, step, into[0].target_channel, selection.target
        )
        total = sum(float(values.sum()) for values in flow.values())
        assert sum(line.value for line in into) == pytest.approx(total, abs=1e-4)


def test_lines_lead_back_to_the_first_convolution(course: tuple[Selection, Columns]) -> None:
    selection, columns = course
    lines = lines_into(
        selection, columns, "pool3", columns.columns[columns.column_indices["pool3"]].channels[0]
    )
    assert [line.layer for line in lines[:3]] == ["pool3", "relu3", "bn3"]
    assert {line.layer for line in lines[3:]} == {"conv3"}
    assert {line.source for line in lines[3:]} == {columns.column_indices["pool2"]}


@pytest.mark.parametrize("most", [0, one_image.MOST_OF_FLOW])
def test_columns_and_lines_come_from_one_pass(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Also where the network is too large for its pass to be kept."""
    passes = []

    class Counted(Flow):
        def __init__(self, *args: object) -> None:
            passes.append(args)
            super().__init__(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(one_image, "Flow", Counted)
    monkeypatch.setattr(one_image, "MOST_OF_FLOW", most)
    selection = replace(selected("cifar10-course"), sample=scene(6 if most else 5))  # seen by no other test
    columns = columns_of(selection, (), None)
    for layer in ("pool3", "conv2", "bn1"):
        assert lines_into(
            selection, columns, layer, columns.columns[columns.column_indices[layer]].channels[0]
        )
    assert len(passes) == 1


def test_every_line_of_a_convolution_opens_a_kernel(course: tuple[Selection, Columns]) -> None:
    selection, columns = course
    lines = lines_into(selection, columns, "conv2", 0)
    threads = picture.threads_of(selection, columns, lines)
    assert [thread.opens for thread in threads] == [line.channel is not None for line in lines]
    assert max(abs(thread.value) for thread in threads) == 1


def test_a_residual_network_is_folded_and_unfolds() -> None:
    selection = selected("cifar10-resnet9")
    whole = cached.graph(selection.network, selection.input, selection.target)
    assert is_large(whole)
    columns = columns_of(selection, (), None)
    kinds = [one.node.kind for one in columns.columns]
    assert kinds.count("block") == len(selection.blocks)
    assert "add" in kinds
    assert any(target > source + 1 for source, target in columns.edges)  # the skip
    opened = columns_of(selection, (0,), None)
    assert [one.node.name for one in opened.columns[1:4]] == ["prepare.conv", "prepare.bn", "prepare.act"]
    for one in opened.columns:
        assert one.layer is None or one.glimpse is not None
    folded = next(one for one in columns.columns if one.node.kind == "block")
    assert folded.layer == "prepare.act"


def test_lines_into_a_folded_block_come_from_before_it() -> None:
    selection = selected("cifar10-resnet9")
    columns = columns_of(selection, (), None)
    place = [at for at, one in enumerate(columns.columns) if one.node.kind == "block"][1]
    one = columns.columns[place]
    assert one.layer
    lines = lines_into(selection, columns, one.layer, one.channels[0])
    assert lines
    assert all(line.source < place == line.target for line in lines)


@pytest.mark.parametrize("name", NETWORKS)
def test_any_network_has_columns_with_an_image_first(name: str) -> None:
    selection = selected(name)
    columns = columns_of(selection, (), None)
    assert columns.columns[0].node.kind == "image"
    assert all(source < target for source, target in columns.edges)
    stages = picture.stages_of(selection, columns, (), False)
    assert len(stages) == len(columns.columns)
    assert all(re.search(r"\S", stage.name) for stage in stages)


def test_parameters_are_short_under_a_name() -> None:
    counts = (0, 896, 9_999, 18_496, 147_584, 1_049_088, 25_557_032)
    assert [picture.compact(count) for count in counts] == [
        "0", "896", "9,999", "18.5k", "148k", "1.05M", "25.6M"
    ]  # fmt: skip


def test_a_click_on_a_logit_explains_its_class(
    course: tuple[Selection, Columns], monkeypatch: pytest.MonkeyPatch
) -> None:
    selection, columns = course
    changed: dict[str, str] = {}
    monkeypatch.setattr(link, "change", lambda key, value: changed.update({key: value}))
    second = int(np.argsort(-selection.seen.logits)[1])
    page.choose(selection, columns, None, Event("choose", 17, second))
    assert changed == {"class": selection.card.classes[second], "flow": f"fc2~{second}"}


@pytest.mark.parametrize(
    "event", [Event("choose", 1, 32), Event("choose", 13, 0), Event("class", 0, 10)], ids=str
)
def test_a_click_on_what_is_not_there_changes_nothing(
    course: tuple[Selection, Columns], monkeypatch: pytest.MonkeyPatch, event: Event
) -> None:
    changed: list[str] = []
    monkeypatch.setattr(link, "change", lambda key, value: changed.append(key))
    page.choose(*course, None, event)
    assert not changed


def test_the_chosen_channel_stays_when_a_block_is_unfolded(monkeypatch: pytest.MonkeyPatch) -> None:
    changed: dict[str, str] = {}
    monkeypatch.setattr(link, "change", lambda key, value: changed.update({key: value}))
    monkeypatch.setattr(link, "value", lambda key, default: default)
    monkeypatch.setattr(link, "keep", lambda *_: None)
    selection = selected("cifar10-resnet9")
    columns = columns_of(selection, (), None)
    chosen = page.first_channel(columns)
    assert chosen is not None
    page.choose(selection, columns, chosen, Event("fold", 1))
    layer, _, channel = changed["flow"].rpartition("~")
    unfolded = columns_of(selection, (0,), (layer, int(channel)))
    assert changed["unfolded"] == "1"
    assert page.first_channel(unfolded) != chosen  # fewer columns are in sight
    assert page.chosen_channel(unfolded, (layer, int(channel)), selection.target) == chosen


def test_a_folded_block_names_the_layer_whose_channels_it_shows() -> None:
    selection = selected("cifar10-resnet9")
    columns = columns_of(selection, (), None)
    block = next(column for column in columns.columns if column.node.kind == "block")
    assert block.layer is not None
    assert block.layer != block.node.name
    name = names.channel_name(selection, block, 3)
    assert name == f"channel 3 of {block.layer}"
    assert block.glimpse is not None
    np.testing.assert_array_equal(
        block.glimpse.maps[0], trace(selection.net, selection.input.x).maps[block.layer][block.channels[0]]
    )


def test_all_other_channels_together_are_named_as_several(course: tuple[Selection, Columns]) -> None:
    selection, columns = course
    lines = lines_into(selection, columns, "conv3", 108)
    others = next(line for line in lines if line.channel is None)
    text = picture.thread(selection, columns, others, 1.0, number).text
    together = r"The \d+ channels of pool2 without a line together add .+ to the contribution of channel 108"
    assert re.match(together, text)
    assert others.count + sum(line.channel is not None and line.layer == "conv3" for line in lines) == 64
    drawn = [picture.thread(selection, columns, line, 1.0, number) for line in lines]
    assert [each.together for each in drawn] == [line is others for line in lines]
    assert {
        picture.thread(selection, columns, line, 1.0, number).label for line in lines if line.channel == 3
    } <= {"channel 3 of pool2"}


def test_why_no_lines_lead_to_a_channel(course: tuple[Selection, Columns]) -> None:
    _, columns = course
    place = columns.column_indices["pool3"]
    contributions = columns.columns[place].contributions
    assert contributions is not None
    dead, largest = int((contributions == 0).argmax()), int(contributions.argmax())
    assert contributions[dead] == 0
    assert page.no_lines(columns, ("pool3", dead)).startswith("Its contribution is 0")
    assert "cannot be told" in page.no_lines(columns, ("pool3", largest))


def test_the_parameters_are_on_one_line_under_every_name(course: tuple[Selection, Columns]) -> None:
    selection, columns = course
    stages = {stage.name: stage.lines for stage in picture.stages_of(selection, columns, (), False)}
    assert stages["input"] == ("3 ×", "32×32", "parameters:")
    assert stages["conv1"] == ("32 ×", "32×32", "896")
    assert stages["fc1"] == ("512", "", "1.05M")
    assert stages["fc2"] == ("10", "logits", "5,130")


class Functional(nn.Module):
    """A block whose ReLU and pooling are functions, as in torchvision's GoogLeNet."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = nn.functional.max_pool2d(nn.functional.relu(self.bn(self.conv(x))), 2)
        return self.fc(maps.mean((2, 3)))


def test_a_column_of_a_function_opens_the_last_layer_of_its_block() -> None:
    own = Source(net=f"{__name__}:Functional", classes="5", input_size=32)
    selection = Selection(cached.opened("Functional", own), scene(3))
    columns = columns_of(selection, (), None)
    opened = {one.node.name: names.layer_to_open(selection, one) for one in columns.columns}
    assert [opened[name] for name in ("conv", "bn", "relu", "max_pool2d")] == ["conv", "bn", "bn", "bn"]
    assert opened["fc"] is None
    relu = columns.columns[columns.column_indices["relu"]]
    assert picture.page_of(selection, relu, False) == "maps"
    assert names.channel_name(selection, relu, 2) == "channel 2 of relu after bn"


@pytest.mark.parametrize("unfolded", [(), tuple(range(8))], ids=["folded", "unfolded"])
def test_no_two_columns_are_called_the_same(unfolded: tuple[int, ...]) -> None:
    """In the shipped ResNet-9 two residual blocks each have a `block1.conv`."""
    selection = selected("cifar10-resnet9")
    columns = columns_of(selection, unfolded, None)
    stages = picture.stages_of(selection, columns, unfolded, folds=True)
    around = picture.modules_around([one.node for one in columns.columns])
    assert around == 2
    assert len({(stage.name, *stage.lines[:around]) for stage in stages}) == len(stages)
    lines = {stage.node: stage.lines[:around] for stage in stages}
    assert lines["residual3.block1.conv"] == ("block1", "residual3")
    assert lines["fc"] == ("", "")


def test_only_as_many_modules_are_named_as_it_takes() -> None:
    assert names.depth(("conv1", "bn1")) == 0
    assert names.depth(("layer1.0.conv1", "layer1.1.conv1", "fc")) == 1
    assert names.depth(("a.block.conv", "b.block.conv")) == 2
