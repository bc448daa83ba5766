"""The channel inspector and the position probe: on many kinds of network, and as parts of the page."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.drawing.ranges import MINUS, Range
from explorer.engine.ablation import Ablations
from explorer.engine.network import Network
from explorer.engine.probe import ConvStep, PoolStep, PositionProbe
from explorer.engine.receptive import ReceptiveField
from explorer.engine.samples import Sample
from explorer.engine.tracing import Block, stages
from explorer.ui import cached
from explorer.ui.cached import Opened
from explorer.ui.selection import Selection
from explorer.views.maps import convolution_step, inspector, position_arithmetic, receptive_field_step
from explorer.views.maps.matrix import decimals_for, fixed, matrix
from explorer.views.maps.view import kernel_of
from model.card import Card
from model.nets import NETS
from model.problems import Problem

ROOT = Path(__file__).parents[2]
NUMBERS = itertools.count()


class Skip(nn.Module):
    """A convolution whose norm is added to a shortcut before an in-place ReLU that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)) + x)
        return cast(Tensor, self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1)))


def plain(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(10))


BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "course": lambda: NETS["course"](widths=(4, 6, 8), hidden=16),
    "skip": Skip,
    "stride and dilation": lambda: plain(nn.Conv2d(3, 6, 3, 2, 2, 2), nn.ReLU(), nn.AvgPool2d(3, 2, 1)),
    "groups": lambda: plain(nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3, groups=3), nn.GroupNorm(2, 6), nn.SiLU()),
    "depthwise": lambda: plain(nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 5, padding=2, groups=6), nn.ReLU()),
    "overlapping windows": lambda: plain(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)),
    "copied padding": lambda: plain(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), nn.MaxPool2d(2)),
    "large kernel": lambda: plain(nn.Conv2d(3, 4, (9, 3), padding=(4, 1), bias=False), nn.BatchNorm2d(4)),
    "pool before activation": lambda: plain(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.ReLU()),
    "many inputs": lambda: plain(nn.Conv2d(3, 80, 1), nn.Conv2d(80, 4, 3), nn.ReLU(), nn.MaxPool2d(2)),
}


def select(net: nn.Module, size: int = 32) -> Selection:
    """A selection of a network with random statistics and a random picture."""
    torch.manual_seed(0)
    net.eval()(torch.zeros(1, 3, size, size))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.uniform_(-0.3, 0.3)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.3, 0.3)
    digest = f"net {next(NUMBERS)}"
    network = Network(net, Card(input_size=size), digest)
    opened = SimpleNamespace(
        network=network,
        card=network.card,
        checkpoint=SimpleNamespace(digest=digest),
        checkup=network.checkup,
    )
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    return Selection(cast(Opened, opened), Sample("noise", pixels, None, None))


@pytest.fixture(params=BUILDERS)
def selection(request: pytest.FixtureRequest) -> Selection:
    torch.manual_seed(1)
    return select(BUILDERS[request.param]())


def conv_step(walked: PositionProbe) -> ConvStep:
    step = walked.steps[0]
    assert isinstance(step, ConvStep)
    return step


def everywhere(selection: Selection) -> list[tuple[Block, str, tuple[int, int]]]:
    """Of every layer two corners, the middle and the largest position of channel 1."""
    positions_of_layers = []
    for block in selection.blocks:
        for layer in stages(block, selection.seen).values():
            height, width = selection.seen.maps[layer].shape[1:]
            largest = inspector.largest_position(selection.seen.maps[layer][1])
            positions = {(0, 0), (height - 1, width - 1), (height // 2, width // 2), largest}
            positions_of_layers += [(block, layer, position) for position in positions]
    return positions_of_layers


def test_every_step_is_what_the_network_computed(selection: Selection) -> None:
    for block, layer, position in everywhere(selection):
        walked = position_arithmetic.walk(selection, block, layer, 1, position)
        for step in walked.steps:
            assert step.value == pytest.approx(step.traced, rel=1e-5, abs=1e-5)
        mine = next(step for step in walked.steps if step.layer == layer)
        assert mine.traced == pytest.approx(float(selection.seen.maps[layer][1][position]), abs=1e-6)


def test_the_walk_is_shown_for_every_position(selection: Selection) -> None:
    for block, layer, position in everywhere(selection):
        walked = position_arithmetic.walk(selection, block, layer, 1, position)
        html = "".join(position_arithmetic.arithmetic(selection, walked))
        sights = receptive_field_step.receptive_field(selection, block, layer, position, walked)
        assert fixed(walked.steps[0].value) in html
        assert html.count("<li") >= len(walked.steps)
        assert 'alt="The input with the receptive field framed' in sights


def test_the_numbers_add_up_as_shown(selection: Selection) -> None:
    for block, layer, position in everywhere(selection)[:4]:
        walked = position_arithmetic.walk(selection, block, layer, 1, position)
        html = convolution_step.products(selection, conv_step(walked)).replace(">none<", ">0<")
        numbers = re.findall(r'class="sum">([^<]*)<', html)
        *parts, total, _bias = (float(number.replace("−", "-").replace(" ", "")) for number in numbers)
        assert sum(parts) == pytest.approx(total, abs=1e-3)


def test_padding_is_told_apart() -> None:
    selection = select(BUILDERS["course"]())
    block = selection.blocks[0]
    corner, middle = (
        position_arithmetic.walk(selection, block, block.conv, 0, position) for position in ((0, 0), (9, 9))
    )
    assert 'title="padding"' in convolution_step.products(selection, conv_step(corner))
    assert 'title="padding"' not in convolution_step.products(selection, conv_step(middle))


def test_a_skip_is_a_step_of_its_own() -> None:
    selection = select(Skip())
    block = next(block for block in selection.blocks if block.conv == "conv2")
    assert block.act == "relu#2"
    where_it_adds = inspector.largest_position(selection.seen.maps["relu"][1])
    walked = position_arithmetic.walk(selection, block, "relu#2", 1, where_it_adds)
    assert any("Between these layers" in step for step in position_arithmetic.arithmetic(selection, walked))


def test_a_pooled_position_is_followed_from_its_winner() -> None:
    selection = select(BUILDERS["overlapping windows"]())
    block = selection.blocks[0]
    walked = position_arithmetic.walk(selection, block, str(block.pool), 2, (3, 5))
    pool = walked.steps[-1]
    assert isinstance(pool, PoolStep)
    assert pool.followed.position == (3, 5)
    assert pool.followed.winner == (walked.row, walked.column)
    assert len(pool.windows) in (1, 2, 4)


def test_a_position_in_overlapping_windows_is_followed_through_all() -> None:
    selection = select(BUILDERS["overlapping windows"]())
    block = selection.blocks[0]
    walked = position_arithmetic.walk(
        selection, block, str(block.act), 2, (5, 5)
    )  # odd: between two windows each way
    html = position_arithmetic.arithmetic(selection, walked)[-1]
    assert len(position_arithmetic.pooling(walked).windows) == 4
    assert "It is in 3 more windows" in html
    maps = selection.seen.maps[str(block.pool)][2]
    for position in ((2, 2), (2, 3), (3, 2), (3, 3)):
        assert (
            f"osition {position}" in html or position == position_arithmetic.pooling(walked).followed.position
        )
        assert fixed(float(maps[position])) in html


def test_a_loser_of_the_window_ends_there() -> None:
    selection = select(BUILDERS["course"]())
    block = selection.blocks[0]
    window = selection.seen.maps[str(block.act)][0][:2, :2]
    row, column = np.unravel_index(window.argmin(), (2, 2))
    walked = position_arithmetic.walk(selection, block, str(block.act), 0, (int(row), int(column)))
    if window.min() < window.max():
        assert (
            "The value of this position is not used further"
            in position_arithmetic.arithmetic(selection, walked)[-1]
        )


def test_a_field_outside_the_image_names_no_rows() -> None:
    field = ReceptiveField(-2, -1, -2, -1, (0, 0, 0, 0), exact=True)
    text = receptive_field_step.field_text(field, np.zeros((8, 8, 3), np.uint8))
    assert text == "1 × 1 pixels, none of them in the image. The hatched area is padding."


def test_what_cannot_be_spelled_out_is_said() -> None:
    selection = select(
        nn.Sequential(nn.ConvTranspose2d(3, 4, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
    )
    with pytest.raises(Problem, match="not a Conv2d"):
        position_arithmetic.walk(selection, selection.blocks[0], selection.blocks[0].conv, 0, (0, 0))


# The inspector


def test_the_facts_of_every_channel(selection: Selection) -> None:
    for block in selection.blocks:
        for layer in stages(block, selection.seen).values():
            assert "maximum" in inspector.on_this_image(selection, block, layer, 1)
            assert "rank among channels" in inspector.for_the_class(selection, layer, 1)
            assert "BatchNorm" in inspector.normalization(selection, block, 1)
            ablations = cached.ablation_of(selection.network, selection.input, layer, 1)
            assert "the logit of" in inspector.consequence(selection, ablations)
            inspector.changes(selection, ablations)


def test_the_rank_counts_contributions() -> None:
    selection = select(BUILDERS["course"]())
    contributions = cached.evidence(
        selection.network, selection.input, "relu2", selection.target
    ).contributions
    best, worst = int(contributions.argmax()), int(contributions.argmin())
    assert f">1 of {len(contributions)}<" in inspector.for_the_class(selection, "relu2", best)
    assert f">{len(contributions)} of {len(contributions)}<" in inspector.for_the_class(
        selection, "relu2", worst
    )


def test_many_classes_show_the_most_changed_and_the_one_to_explain() -> None:
    net = plain(nn.Conv2d(3, 4, 3), nn.ReLU())
    net[-1] = nn.Linear(4, 40)  # type: ignore[index]
    selection = select(net)
    object.__setattr__(selection.card, "classes", tuple(f"class {k}" for k in range(40)))
    html = inspector.changes(selection, cached.ablation_of(selection.network, selection.input, "1", 0))
    assert html.count('class="track"') == inspector.MOST_CLASSES
    in_view = html.split("<details>")[0]
    assert in_view.count('class="track"') == inspector.CLASSES_IN_VIEW
    assert f"class {selection.target}<" in in_view


def test_a_channel_without_effect_says_so() -> None:
    net = plain(nn.Conv2d(3, 4, 3), nn.ReLU())
    net[0].bias.data[1] = -1e3  # type: ignore[index, union-attr]
    selection = select(net)
    assert "No logit changes" in inspector.changes(
        selection, cached.ablation_of(selection.network, selection.input, "1", 1)
    )


def test_a_logit_that_stays_is_not_a_change() -> None:
    net = plain(nn.Conv2d(3, 4, 3), nn.ReLU())
    net[0].bias.data[1] = -1e3  # type: ignore[index, union-attr]
    selection = select(net)
    logit = selection.seen.logits[selection.target]
    text = inspector.consequence(selection, switched_off(selection, "1", 1))
    stays = re.search(r" stays at (\S+), and the prediction stays ", text)[1]
    assert float(stays.replace(MINUS, "-")) == pytest.approx(logit, abs=0.006)
    assert " goes from " not in text
    changed = inspector.consequence(selection, switched_off(selection, "1", most_changing(selection)))
    before = re.search(r" goes from (\S+) to ", changed)[1]
    assert float(before.replace(MINUS, "-")) == pytest.approx(logit, abs=0.006)


def most_changing(selection: Selection) -> int:
    """The channel that changes the logit most."""
    logits = [switched_off(selection, "1", channel).zeroed[0][selection.target] for channel in range(4)]
    return int(np.abs(np.array(logits) - selection.seen.logits[selection.target]).argmax())


def switched_off(selection: Selection, layer: str, channel: int) -> Ablations:
    return cached.ablation_of(selection.network, selection.input, layer, channel)


@pytest.mark.parametrize(("act", "zeros"), [(nn.ReLU(), True), (nn.SiLU(), False), (nn.GELU(), False)])
def test_zeros_are_counted_where_the_activation_gives_some(act: nn.Module, zeros: bool) -> None:
    selection = select(plain(nn.Conv2d(3, 4, 3), act))
    text = inspector.on_this_image(selection, selection.blocks[0], "1", 0)
    assert ("zero after 1" in text) == zeros


# Matrices


@pytest.mark.parametrize(
    ("reach", "decimals"), [(250, 0), (12, 1), (2.3, 2), (0.4, 2), (0.03, 3), (0.001, 4), (0, 4)]
)
def test_decimals_suit_the_range(reach: float, decimals: int) -> None:
    assert decimals_for(Range(-reach, reach, signed=True)) == decimals


def test_a_matrix_has_its_numbers_as_label_and_marks_padding() -> None:
    padding = np.array([[True, False], [False, False]])
    html = matrix(
        [[0, 1], [-0.5, 2]], Range(-2, 2, signed=True), 'a "patch"', padding=padding, marked=[(1, 1)]
    )
    assert "a &quot;patch&quot;: 2 by 2 values, color range −2 … 2: 0.00, 1.00, −0.50, 2.00" in html
    assert html.count('class="padding"') == 1
    assert html.count('class="marked"') == 1


def test_a_large_matrix_is_a_picture_without_numbers() -> None:
    html = matrix(np.full((9, 9), np.nan), Range(0, 0), "nothing")
    assert "<img" in html
    assert "<span" not in html


def test_wide_kernels_unfold_their_numbers() -> None:
    scale = Range(-1, 1, signed=True)
    html = inspector.with_numbers(np.ones((7, 7), np.float32), "red", scale)
    assert "<details>" in html
    assert html.count(">1.00<") == 2 * 49
    assert "<details>" not in inspector.with_numbers(np.ones((3, 3), np.float32), "red", scale)


def test_all_slices_are_shown_the_strongest_first_with_their_channels() -> None:
    slices = np.arange(80, dtype=np.float32)[:, None, None] * np.ones((1, 3, 3), np.float32)
    names = [f"channel {k}" for k in range(80)]
    html = inspector.labeled(kernel_of(slices, range(80)), names, 79)
    assert html.index("channel 79") < html.index("channel 78")
    assert html.count('alt="Kernel slice') == inspector.LABELED
    assert f"The other {80 - inspector.LABELED} slices" in html


def test_a_first_kernel_as_colors_is_gray_at_zero() -> None:
    html = inspector.as_colors(np.zeros((3, 2, 2), np.float32))
    assert "gray is zero" in html


@pytest.mark.parametrize("text", ["", "3", "3-", "-1-2", "1-2-3", "9999999-1", "٣-١", "4-0"])
def test_a_position_that_is_not_there_is_not_taken_from_the_link(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(inspector.link, "value", lambda key, default: text)
    assert inspector.linked_position((4, 4)) is None


# On the page


@pytest.fixture
def app(visit: Callable[..., AppTest]) -> Callable[..., AppTest]:
    def opened(**link: str) -> AppTest:
        at = visit("maps", **link)
        assert not at.exception
        return at

    return opened


def link_of(at: AppTest) -> dict[str, str]:
    return {key: value[0] if isinstance(value, list) else value for key, value in at.query_params.items()}


def choose(at: AppTest, grid: str, channel: int, position: list[int] | None = None) -> AppTest:
    at.session_state[grid] = {"choice": {"channel": channel, "cell": position}}
    at.run()
    assert not at.exception
    return at


def strongest(at: AppTest) -> str:
    """The channel that the page says contributes most to the class."""
    html = " ".join(piece.proto.body for piece in at.get("html"))
    named = re.search(r"Channel (\d+) contributes most to “cat”", html)
    assert named
    return named[1]


def test_something_is_chosen_without_a_click(app: Callable[..., AppTest]) -> None:
    at = app(block="3")
    assert at.header[1].value == f"Channel {strongest(at)} of relu3"
    assert "channel" not in link_of(at)
    assert "cell" not in link_of(at)


def test_a_chosen_channel_and_position_stand_in_the_link(app: Callable[..., AppTest]) -> None:
    at = choose(choose(app(block="3"), "grid", 20), "map", 0, [2, 5])
    assert at.header[1].value == "Channel 20 of relu3"
    assert "row 2, column 5" in at.subheader[0].value
    assert link_of(at) | {"channel": "20", "cell": "2-5"} == link_of(at)


def test_a_link_opens_channel_and_position(app: Callable[..., AppTest]) -> None:
    at = app(block="3", channel="20", cell="2-5")
    assert at.header[1].value == "Channel 20 of relu3"
    assert "row 2, column 5" in at.subheader[0].value


def test_another_channel_starts_at_its_own_largest_position(app: Callable[..., AppTest]) -> None:
    at = choose(app(block="3", channel="20", cell="2-5"), "grid", 21)
    assert at.header[1].value == "Channel 21 of relu3"
    assert "cell" not in link_of(at)


def test_a_channel_survives_blocks_and_pages_where_it_exists(app: Callable[..., AppTest]) -> None:
    at = app(block="3", channel="100")
    at.segmented_control(key="block").set_value("1").run()
    assert at.header[1].value != "Channel 100 of relu1"
    at.segmented_control(key="block").set_value("3").run()
    assert at.header[1].value == "Channel 100 of relu3"
    at.switch_page("views/batchnorm/page.py").run()
    at.switch_page("views/maps/page.py").run()
    assert at.header[1].value == "Channel 100 of relu3"


@pytest.mark.parametrize(
    "link", [{"channel": "999"}, {"channel": "<b>"}, {"cell": "99-99"}, {"slice": "nine"}]
)
def test_nonsense_in_the_link_shows_the_default(app: Callable[..., AppTest], link: dict[str, str]) -> None:
    at = app(block="3", **link)
    assert at.header[1].value == f"Channel {strongest(at)} of relu3"


def test_every_stage_of_every_block(app: Callable[..., AppTest]) -> None:
    at = app()
    for block, stage in itertools.product("123", ("conv", "norm", "act", "pool")):
        at.segmented_control(key="block").set_value(block)
        at.segmented_control(key="stage").set_value(stage).run()
        assert not at.exception
        html = " ".join(piece.proto.body for piece in at.get("html"))
        assert "The network computed" in html
        assert "sum of all products" in html
        assert "BatchNorm" in html
