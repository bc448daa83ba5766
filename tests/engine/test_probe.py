import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from explorer.engine.probe import ActStep, ConvStep, NormStep, PoolStep, probe
from explorer.engine.tracing import Block, blocks, trace
from model.nets import ResNet9

quick = settings(max_examples=60, deadline=None)


def near(value: float, traced: float) -> bool:
    return value == pytest.approx(traced, abs=1e-5, rel=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_position_of_the_course_network(course: nn.Module, x: Tensor, untouched: Callable, n: int) -> None:
    seen = trace(course, x)
    block = blocks(course, seen)[n - 1]
    for row, column in ((0, 0), (3, 6), (7, 7)):
        with untouched(course):
            found = probe(course, x, block, 5, row, column)
        conv, norm, act, pool = found.steps
        assert (type(conv), type(norm), type(act), type(pool)) == (ConvStep, NormStep, ActStep, PoolStep)
        for step in found.steps:
            place = pool.followed.position if step is pool else (row, column)
            assert step.traced == seen.maps[step.layer][5, *place]
            assert near(step.value, step.traced)
        assert (norm.before, act.before, pool.before) == (conv.traced, norm.traced, act.traced)
        assert conv.patch.shape == conv.kernel.shape == conv.products.shape == (len(conv.channels), 3, 3)
        assert near(conv.products.sum() + conv.bias, conv.traced)
        assert conv.padding.sum() == {(0, 0): 5, (3, 6): 0, (7, 7): 5 if n == 3 else 0}[row, column]
        assert not conv.patch[:, conv.padding].any()
        assert norm.weight == getattr(course, f"bn{n}").weight[5].item()
        assert act.value == max(0.0, act.before)
        (window,) = pool.windows
        assert window.position == (row // 2, column // 2)
        assert pool.traced == seen.maps[act.layer][5, *window.winner] == window.values.max()
        assert pickle.loads(pickle.dumps(found)) == found


def test_a_block_that_pools_before_it_normalizes_is_followed_by_its_winner(x: Tensor) -> None:
    torch.manual_seed(0)
    net = ResNet9(width=4).eval()
    seen = trace(net, x)
    block = next(block for block in blocks(net, seen) if block.conv == "layer1.conv")
    for row, column in ((0, 0), (3, 6), (7, 7)):
        conv, pool, norm, act = probe(net, x, block, 2, row, column).steps
        assert (type(pool), type(norm), type(act)) == (PoolStep, NormStep, ActStep)
        place = pool.followed.position
        assert place == (row // 2, column // 2)
        assert conv.traced == seen.maps["layer1.conv"][2, row, column]
        assert pool.value == seen.maps["layer1.conv"][2, *pool.followed.winner] >= conv.traced
        for before, step in zip((pool, norm), (norm, act), strict=True):
            assert step.before == before.traced
            assert step.traced == seen.maps[step.layer][2, *place]
            assert near(step.value, step.traced)


modes = st.sampled_from(["zeros", "reflect", "replicate", "circular"])
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@quick
@given(
    pairs,
    pairs,
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    pairs,
    st.sampled_from([1, 2, 4]),
    modes,
    st.booleans(),
    st.data(),
)
def test_any_convolution(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    mode: str,
    bias: bool,
    data: st.DataObject,
) -> None:
    stem = nn.Conv2d(3, 4, 1)
    conv = nn.Conv2d(4, 8, kernel, stride, padding, dilation, groups, bias, mode)
    named = data.draw(st.sampled_from([None, "same", "valid"]))
    if named and stride == (1, 1):
        conv = nn.Conv2d(4, 8, kernel, 1, named, dilation, groups, bias, mode)
    check_conv(nn.Sequential(stem, conv, nn.Flatten()), data)


def check_conv(net: nn.Module, data: st.DataObject) -> None:
    x = torch.randn(1, 3, 9, 7)
    try:
        seen = trace(net, x)
    except RuntimeError:
        assume(False)
    position = [data.draw(st.integers(0, size - 1)) for size in seen.maps["1"].shape]
    (step,) = probe(net, x, Block("1"), *position).steps
    assert step.traced == seen.maps["1"][*position]
    assert near(step.value, step.traced)
    inside = np.ix_(step.channels, step.rows.clip(0, 8), step.columns.clip(0, 6))
    np.testing.assert_array_equal(step.patch[:, ~step.padding], seen.maps["0"][inside][:, ~step.padding])
    if net[1].padding_mode == "zeros":
        assert not step.patch[:, step.padding].any()


def halved(padding: tuple[int, int], kernel: tuple[int, int]) -> tuple[int, int]:
    """PyTorch pads a pooling by half its kernel at most."""
    return min(padding[0], kernel[0] // 2), min(padding[1], kernel[1] // 2)


pools = st.one_of(
    st.builds(
        lambda k, s, p, d, c: nn.MaxPool2d(k, s, halved(p, k), d, ceil_mode=c),
        pairs, st.none() | pairs, pairs, pairs, st.booleans(),
    ),
    st.builds(
        lambda k, s, p, c, count, by: nn.AvgPool2d(k, s, halved(p, k), c, count, by),
        pairs, st.none() | pairs, pairs, st.booleans(), st.booleans(), st.none() | st.integers(1, 5),
    ),
    st.builds(nn.AdaptiveAvgPool2d, pairs),
    st.builds(nn.AdaptiveMaxPool2d, pairs),
    st.builds(nn.LPPool2d, st.just(2), pairs),
)  # fmt: skip


@quick
@given(pools, st.data())
def test_any_pooling(pool: nn.Module, data: st.DataObject) -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 2), pool, nn.Flatten())
    x = torch.randn(1, 3, 10, 8)
    seen = trace(net, x)
    position = [data.draw(st.integers(0, size - 1)) for size in seen.maps["0"].shape]
    steps = probe(net, x, Block("0", pool="1"), *position).steps
    if len(steps) == 1:  # a stride wider than the kernel, or a last window that did not fit
        assert not isinstance(pool, (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d))
        return
    step = steps[1]
    assert step.followed in step.windows
    for window in step.windows:
        assert window.traced == seen.maps["1"][position[0], *window.position]
        assert near(window.value, window.traced)
        assert position[1] in window.rows
        assert position[2] in window.columns
        assert np.isnan(window.values[window.padding]).all()
        assert step.into(window.position).value == window.value
        if "Max" in step.kind:
            assert seen.maps["0"][position[0], *window.winner] == window.traced
        else:
            assert window.winner is None


@quick
@given(pools, st.data())
def test_a_position_is_in_every_window_that_changes_with_it(pool: nn.Module, data: st.DataObject) -> None:
    """Raised above all others, the position changes exactly the pooled positions whose windows it lies in."""
    net = nn.Sequential(nn.Conv2d(3, 2, 2), pool, nn.Flatten())
    x = torch.randn(1, 3, 10, 8)
    maps = torch.from_numpy(trace(net, x).maps["0"])[None]
    position = [data.draw(st.integers(0, size - 1)) for size in maps.shape[1:]]
    raised = maps.clone()
    raised[0, *position] += 100
    changed = (pool(raised) != pool(maps))[0, position[0]].nonzero().tolist()
    steps = probe(net, x, Block("0", pool="1"), *position).steps
    assert [list(window.position) for step in steps[1:] for window in step.windows] == changed
    if changed:
        with pytest.raises(ValueError, match="choose another position"):
            steps[1].into((99, 99))


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False), nn.BatchNorm2d(4, track_running_stats=False),
        nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
        nn.LayerNorm([4, 30, 30]), nn.LayerNorm([4, 30, 30], bias=False),
    ],
)  # fmt: skip
def test_any_norm(norm: nn.Module, x: Tensor, settled: Callable) -> None:
    for parameter in norm.parameters():
        parameter.data.uniform_(0.5, 1.5)
    net = settled(nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.Flatten()))
    _, step = probe(net, x, Block("0", norm="1"), 3, 4, 5).steps
    assert isinstance(step, NormStep)
    assert near(step.value, step.traced)


def test_stages_follow_in_the_order_they_ran(x: Tensor) -> None:
    layers = [nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.PReLU(4), nn.LocalResponseNorm(2), nn.Flatten()]
    net = nn.Sequential(*layers).eval()
    seen = trace(net, x)
    found = probe(net, x, blocks(net, seen)[0], 1, 9, 4)
    assert [step.layer for step in found.steps] == ["0", "1", "2", "3"]
    assert found.steps[1].followed.position == (4, 2)
    assert found.steps[3].traced == seen.maps["3"][1, 4, 2]
    assert (found.row, found.column) == (9, 4)


def test_an_addition_between_shows_in_what_came_before(tricky: nn.Module, x: Tensor) -> None:
    conv, norm, act = probe(tricky, x, blocks(tricky, trace(tricky, x))[1], 2, 3, 3).steps
    assert norm.before == conv.traced
    assert act.before != norm.traced
    assert act.before == pytest.approx(norm.traced + trace(tricky, x).maps["down.1"][2, 3, 3])


def test_errors_name_what_came(course: nn.Module, x: Tensor) -> None:
    with pytest.raises(ValueError, match=r"Position \(32, 0, 0\) is outside maps of shape \(32, 32, 32\)"):
        probe(course, x, Block("conv1"), 32, 0, 0)
    with pytest.raises(ValueError, match="did not run"):
        probe(course, x, Block("conv1", "bn1#2"), 0, 0, 0)
    net = nn.Sequential(nn.ConvTranspose2d(3, 4, 3), nn.Flatten())
    with pytest.raises(ValueError, match="not a Conv2d"):
        probe(net, x, Block("0"), 0, 0, 0)
