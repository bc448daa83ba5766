"""Convolution arithmetic against what PyTorch makes of the same settings."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.engine.arithmetic import FREE, Settings, changed_axis, check, settings_of, with_ceil
from explorer.engine.geometry import WindowAxis, window
from explorer.engine.tracing import trace
from explorer.engine.what_if import LayerReach, chain, with_settings
from explorer.views.arithmetic.results import field_formula
from model.nets import NETS
from model.problems import Problem

quick = settings(max_examples=150, deadline=None)
sides = st.tuples(
    st.integers(1, 14), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3), st.integers(1, 3)
)


def axis(side: tuple[int, int, int, int, int], ceil_mode: bool = False) -> WindowAxis:
    size, kernel, stride, padding, dilation = side
    return window(size, kernel, stride, (padding, padding), dilation, ceil_mode)


def refused(made: Settings) -> bool:
    try:
        check(made)
    except Problem:
        return True
    return False


def of_torch(run: object) -> Tensor | None:
    try:
        return run()  # type: ignore[operator,no-any-return]
    except RuntimeError:
        return None


def agree(made: Settings, output: Tensor | None) -> None:
    """PyTorch's output has that size, and PyTorch refuses what `check` refuses."""
    assert refused(made) == (output is None)
    if output is not None:
        assert (made.rows.output, made.columns.output) == output.shape[2:]


@quick
@given(sides, sides, st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_convolutions(
    rows: tuple, columns: tuple, inside: int, outside: int, groups: int, bias: bool
) -> None:
    made = Settings("conv", axis(rows), axis(columns), (inside, outside), groups, bias)
    kernel, stride, padding, dilation = zip(rows[1:], columns[1:], strict=True)
    if inside % groups or outside % groups:
        assert refused(made)
        return
    conv = nn.Conv2d(inside, outside, kernel, stride, padding, dilation, groups, bias)
    agree(made, of_torch(lambda: conv(torch.zeros(1, inside, rows[0], columns[0]))))
    assert made.parameters == sum(each.numel() for each in conv.parameters())


@quick
@given(sides, sides, st.booleans())
def test_max_poolings(rows: tuple, columns: tuple, ceil_mode: bool) -> None:
    made = Settings("max", axis(rows, ceil_mode), axis(columns, ceil_mode), (2, 2))
    kernel, stride, padding, dilation = zip(rows[1:], columns[1:], strict=True)
    image = torch.zeros(1, 2, rows[0], columns[0])
    agree(made, of_torch(lambda: F.max_pool2d(image, kernel, stride, padding, dilation, ceil_mode)))


@quick
@given(sides, sides, st.booleans())
def test_average_poolings(rows: tuple, columns: tuple, ceil_mode: bool) -> None:
    rows, columns = (*rows[:4], 1), (*columns[:4], 1)
    made = Settings("avg", axis(rows, ceil_mode), axis(columns, ceil_mode), (2, 2))
    kernel, stride, padding, _ = zip(rows[1:], columns[1:], strict=True)
    image = torch.zeros(1, 2, rows[0], columns[0])
    agree(made, of_torch(lambda: F.avg_pool2d(image, kernel, stride, padding, ceil_mode)))


@quick
@given(sides)
def test_unread_inputs_are_those_that_change_nothing(side: tuple) -> None:
    one = axis(side)
    if one.output < 1:
        return
    row = torch.zeros(1, 1, 1, side[0], requires_grad=True)
    weight = torch.ones(1, 1, 1, side[1])
    made = F.conv2d(row, weight, stride=(1, side[2]), padding=(0, side[3]), dilation=(1, side[4]))
    (gradient,) = torch.autograd.grad(made.sum(), row)
    assert one.unread.tolist() == (gradient.flatten() == 0).nonzero().flatten().tolist()


def test_multiplications_of_the_first_layer() -> None:
    assert FREE.multiplications == 32 * 32 * 32 * 27
    assert with_ceil(FREE, True).rows.ceil_mode


# In a network


def course() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return NETS["course"](widths=(4, 8, 8), hidden=8), torch.rand(1, 3, 32, 32)


def test_settings_are_those_of_the_network() -> None:
    net, x = course()
    every = settings_of(net, trace(net, x))
    assert list(every) == ["conv1", "pool1", "conv2", "pool2", "conv3", "pool3"]
    conv, pool = every["conv2"], every["pool2"]
    assert (conv.rows.input, conv.rows.kernel, conv.rows.padding, conv.channels) == (16, 3, (1, 1), (4, 8))
    assert conv.parameters == sum(each.numel() for each in net.get_submodule("conv2").parameters())
    assert (pool.kind, pool.rows.stride, pool.parameters) == ("max", 2, 0)


@pytest.mark.parametrize("layer", ["conv1", "pool1", "conv2"])
@pytest.mark.parametrize("change", [(5, 1, 2, 1), (3, 2, 1, 1), (3, 1, 1, 2), (2, 2, 1, 2)])
def test_sizes_and_fields_of_the_changed_network(layer: str, change: tuple[int, int, int, int]) -> None:
    """The sizes are what PyTorch gives, the field of the middle position what its gradient reaches."""
    net, x = course()
    start = settings_of(net, trace(net, x))[layer]
    one = changed_axis(start.rows, start.rows.input, *change)
    changed = replace(start, rows=one, columns=one)
    after = chain(net, x, layer, changed)
    names = [each.layer for each in after.layers]
    assert layer in names
    stages = with_settings(net, layer, changed)
    big = torch.zeros(1, 3, 96, 96, requires_grad=True)  # large enough that no field is cut off
    small, maps = x, big
    reaches = {each.layer: each for each in after.layers}
    for name, module in stages.named_children():
        if name not in {f"{kind}{block}" for kind in ("conv", "pool") for block in (1, 2, 3)}:
            continue
        if name not in names:
            break
        small, maps = module(small), counted(module)(maps)
        assert reaches[name].size == tuple(small.shape[2:])
        middle = maps[0, 0, maps.shape[2] // 2, maps.shape[3] // 2]
        (gradient,) = torch.autograd.grad(middle, big, retain_graph=True)
        rows = gradient[0, 0].any(1).nonzero()
        assert reaches[name].field[0] == int(rows.max() - rows.min()) + 1


def counted(module: nn.Module) -> nn.Module:
    """The same window over one channel, every weight 1 and no maximum, so that no gradient is 0."""
    kernel, stride, padding, dilation = (
        getattr(module, name) for name in ("kernel_size", "stride", "padding", "dilation")
    )
    one = nn.Conv2d(3 if getattr(module, "in_channels", 0) == 3 else 1, 1, kernel, stride, padding, dilation)
    nn.init.ones_(one.weight)
    return one


def test_where_the_network_stops_is_said() -> None:
    net, x = course()
    start = settings_of(net, trace(net, x))["conv2"]
    one = changed_axis(start.rows, 16, 3, 2, 1, 1)
    after = chain(net, x, "conv2", replace(start, rows=one, columns=one))
    assert after.stop is not None
    assert (after.stop.layer, after.stop.kind, after.stop.takes, after.stop.given) == (
        "fc1",
        "Linear",
        128,
        32,
    )
    assert chain(net, x).stop is None
    assert net.get_submodule("conv2").stride == (1, 1)  # the network itself is as it was


def test_an_addition_outside_of_modules_that_no_longer_fits() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            maps = self.first(x)
            return (maps + self.second(maps)).mean((2, 3))

    net, x = Skip(), torch.rand(1, 3, 9, 9)
    start = settings_of(net, trace(net, x))["second"]
    one = changed_axis(start.rows, 9, 3, 2, 1, 1)
    stop = chain(net, x, "second", replace(start, rows=one, columns=one)).stop
    assert stop is not None
    assert (stop.layer, stop.kind) == ("second", "")
    assert "size of tensor" in stop.message


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # that is what is tried
def test_uneven_padding_stays_uneven() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 4, padding="same"), nn.Flatten(), nn.Linear(2 * 64, 3))
    x = torch.rand(1, 3, 8, 8)
    start = settings_of(net, trace(net, x))["0"]
    assert start.rows.padding == (1, 2)
    one = changed_axis(start.rows, 8, 4, 1, 2, 1)
    assert one.padding == (2, 3)
    after = chain(net, x, "0", replace(start, rows=one, columns=one))
    assert [(each.layer, each.size, each.field) for each in after.layers] == [("0", (10, 10), (4, 4))]


def test_a_changed_convolution_pads_as_before() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect"), nn.Flatten(), nn.Linear(72, 3))
    start = settings_of(net, trace(net, torch.rand(1, 3, 6, 6)))["0"]
    one = changed_axis(start.rows, 6, 3, 1, 6, 1)
    stop = chain(net, torch.rand(1, 3, 6, 6), "0", replace(start, rows=one, columns=one)).stop
    assert stop is not None
    assert "Padding size should be less than" in stop.message


def test_no_sum_is_shown_of_a_field_that_is_not_known() -> None:
    reach = LayerReach("conv", "Conv2d", (8, 8), (32, 32), (32, 32), (0, 0), False)
    assert field_formula(reach, FREE) == "–"
    assert field_formula(replace(reach, exact=True), FREE) == "32 + (3 − 1)·0 = 32"
