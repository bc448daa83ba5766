import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from explorer.engine.geometry import axes, layer_size
from explorer.engine.tracing import trace

quick = settings(max_examples=60, deadline=None)
pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
sizes = st.tuples(st.integers(5, 14), st.integers(5, 14))


def check(module: nn.Module, size: tuple[int, int]) -> None:
    """Output size as PyTorch's, and every cell's taps are what its value depends on."""
    image = torch.rand(1, 1, *size).requires_grad_()
    try:
        made = module(image)
    except RuntimeError:
        assume(False)
    rows, columns = axes(module, *size)
    assert (rows.output, columns.output) == made.shape[2:]
    assert rows.formula.endswith(f"= {rows.output}") or "even windows" in rows.formula
    for axis, count in ((rows, made.shape[2]), (columns, made.shape[3])):
        for position in {0, count // 2, count - 1}:
            inside = axis.taps(position)[(axis.taps(position) >= 0) & (axis.taps(position) < axis.input)]
            index = (position, 0) if axis is rows else (0, position)
            (gradient,) = torch.autograd.grad(made[0, 0, *index], image, retain_graph=True)
            read = gradient[0, 0].any(1 if axis is rows else 0).nonzero().flatten().tolist()
            other = (columns if axis is rows else rows).taps(0)
            empty = not ((other >= 0) & (other < (columns if axis is rows else rows).input)).any()
            assert read == ([] if empty else inside.tolist())


@quick
@given(sizes, pairs, pairs, pairs, st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_convolutions(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: tuple[int, int],
) -> None:
    conv = nn.Conv2d(1, 1, kernel, stride, padding, dilation)
    nn.init.uniform_(conv.weight, 0.1, 1)
    check(conv, size)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@quick
@given(sizes, pairs, pairs, st.sampled_from(["same", "valid"]))
def test_named_paddings(
    size: tuple[int, int], kernel: tuple[int, int], dilation: tuple[int, int], padding: str
) -> None:
    conv = nn.Conv2d(1, 1, kernel, padding=padding, dilation=dilation)
    nn.init.uniform_(conv.weight, 0.1, 1)
    check(conv, size)


@quick
@given(sizes, pairs, pairs, st.tuples(st.integers(0, 2), st.integers(0, 2)), st.booleans())
def test_average_poolings(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    ceil: bool,
) -> None:
    check(nn.AvgPool2d(kernel, stride, padding, ceil), size)


@quick
@given(sizes, pairs, st.none() | pairs, pairs, st.tuples(st.integers(0, 2), st.integers(0, 2)), st.booleans())
def test_max_pooling_sizes(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int] | None,
    dilation: tuple[int, int],
    padding: tuple[int, int],
    ceil: bool,
) -> None:
    pool = nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil)
    try:
        made = pool(torch.rand(1, 1, *size))
    except RuntimeError:
        assume(False)
    rows, columns = axes(pool, *size)
    assert (rows.output, columns.output) == made.shape[2:]


@quick
@given(sizes, st.tuples(st.none() | st.integers(1, 7), st.integers(1, 7)))
def test_adaptive_poolings(size: tuple[int, int], output: tuple[int | None, int]) -> None:
    check(nn.AdaptiveAvgPool2d(output), size)


@quick
@given(sizes, pairs, pairs, pairs, st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_transposed_convolution_sizes(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: tuple[int, int],
) -> None:
    extra = tuple(max(s, d) - 1 for s, d in zip(stride, dilation, strict=True))
    conv = nn.ConvTranspose2d(1, 1, kernel, stride, padding, extra, dilation=dilation)
    try:
        made = conv(torch.rand(1, 1, *size))
    except RuntimeError:
        assume(False)
    rows, columns = axes(conv, *size)
    assert (rows.output, columns.output) == made.shape[2:]
    assert rows.formula.endswith(f"= {rows.output}")
    with pytest.raises(ValueError, match="transposed"):
        rows.taps(0)


def test_formulas() -> None:
    def rows(module: nn.Module, size: int) -> str:
        return axes(module, size, size)[0].formula

    assert rows(nn.Conv2d(1, 1, 3, padding=1), 32) == "⌊(32 + 1 + 1 − 3) / 1⌋ + 1 = 32"
    assert rows(nn.MaxPool2d(2), 32) == "⌊(32 − 2) / 2⌋ + 1 = 16"
    assert rows(nn.Conv2d(1, 1, 3, 2, 2, 3), 32) == "⌊(32 + 2 + 2 − 3·(3 − 1) − 1) / 2⌋ + 1 = 15"
    assert rows(nn.MaxPool2d(3, 2, ceil_mode=True), 112) == "⌈(112 − 3) / 2⌉ + 1 = 56"
    assert (
        rows(nn.MaxPool2d(2, 2, 1, ceil_mode=True), 3)
        == "⌈(3 + 1 + 1 − 2) / 2⌉ + 1 − 1 (a window that starts in the padding) = 2"
    )
    assert rows(nn.AdaptiveAvgPool2d(7), 12) == "12 → 7 even windows"
    assert rows(nn.ConvTranspose2d(1, 1, 4, 2, 1), 8) == "(8 − 1)·2 − 1 − 1 + 3 + 1 = 16"


def test_layers_of_a_network(course: nn.Module, x: Tensor) -> None:
    seen = trace(course, x)
    for name in seen.maps:
        size = layer_size(course, seen, name)
        if name.startswith(("bn", "relu")):
            assert size is None
        else:
            assert (size.channels[1], size.rows.output, size.columns.output) == seen.maps[name].shape
            assert (size.channels[0], size.rows.input, size.columns.input) == seen.inputs[name].shape
    assert layer_size(course, seen, "conv2").formula == "⌊(16 + 1 + 1 − 3) / 1⌋ + 1 = 16"
    with pytest.raises(ValueError, match="'fc1' was not traced"):
        layer_size(course, seen, "fc1")


def test_rows_and_columns_that_differ() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, (3, 1)), nn.Flatten()).eval()
    size = layer_size(net, trace(net, torch.zeros(1, 3, 8, 6)), "0")
    assert size.formula == "rows ⌊(8 − 3) / 1⌋ + 1 = 6; columns ⌊(6 − 1) / 1⌋ + 1 = 6"
    np.testing.assert_array_equal(size.rows.taps(2), [2, 3, 4])
