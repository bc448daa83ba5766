"""Output sizes of convolutions and poolings, and the input window of each of their positions."""

from dataclasses import dataclass

import numpy as np
from torch import nn

from explorer.engine.passes import layer_module
from explorer.engine.tracing import Trace
from explorer.engine.values import Integers
from model.problems import Problem
from model.words import N_, tr

ADAPTIVE = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.LPPool2d)


@dataclass(frozen=True)
class WindowAxis:
    """The size arithmetic of one axis: `input` positions → `output` positions.

    `padding` is (before, after). An adaptive pooling cuts its input into `output` even windows: there
    `kernel` is the widest window and stride is 0. `transposed` marks a transposed convolution, whose
    `output_padding` adds positions at the end.
    """

    input: int
    output: int
    kernel: int
    stride: int
    padding: tuple[int, int] = (0, 0)
    dilation: int = 1
    ceil_mode: bool = False
    transposed: bool = False
    output_padding: int = 0

    @property
    def formula(self) -> str:
        """The arithmetic with its numbers, `⌊(32 + 1 + 1 − 3) / 1⌋ + 1 = 32`."""
        before, after = self.padding
        reach = f"{self.dilation}·({self.kernel} − 1)" if self.dilation > 1 else f"{self.kernel - 1}"
        if self.stride == 0:
            return tr("{input} → {output} even windows", input=self.input, output=self.output)
        if self.transposed:
            extra = f" + {self.output_padding}" if self.output_padding else ""
            return (
                f"({self.input} − 1)·{self.stride} − {before} − {after} + {reach} + 1{extra} = {self.output}"
            )
        pads = f" + {before} + {after}" if before or after else ""
        span = reach + " − 1" if self.dilation > 1 else f"{self.kernel}"
        left, right = "⌈⌉" if self.ceil_mode else "⌊⌋"
        plain = -(-self._free // self.stride) + 1 if self.ceil_mode else self._free // self.stride + 1
        windows = f"{left}({self.input}{pads} − {span}) / {self.stride}{right} + 1"
        if plain == self.output:
            return f"{windows} = {self.output}"
        dropped = N_("{windows} − 1 (a window that starts in the padding) = {output}")
        return tr(dropped, windows=windows, output=self.output)

    @property
    def _free(self) -> int:
        return self.input + sum(self.padding) - self.dilation * (self.kernel - 1) - 1

    @property
    def span(self) -> int:
        """How many positions a window spans, from its first to its last: `dilation·(kernel − 1) + 1`."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def unread(self) -> Integers:
        """The input positions that are in no window, ascending."""
        read = np.unique(np.concatenate([self.taps(position) for position in range(self.output)]))
        return np.setdiff1d(np.arange(self.input), read)

    def taps(self, position: int) -> Integers:
        """The input positions (k,) in the window of one output position; below 0 or from `input` on is
        padding.
        """
        if self.transposed:
            raise Problem("A transposed convolution has no window on its input: choose another layer.")
        if self.stride == 0:
            start, stop = position * self.input // self.output, -(-(position + 1) * self.input // self.output)
            return np.arange(start, stop)
        return position * self.stride - self.padding[0] + self.dilation * np.arange(self.kernel)


@dataclass(frozen=True)
class LayerSize:
    """The size arithmetic of one layer: `channels` (in, out), a WindowAxis for rows, one for columns."""

    layer: str
    kind: str
    channels: tuple[int, int]
    rows: WindowAxis
    columns: WindowAxis

    @property
    def formula(self) -> str:
        """One line if rows and columns have the same arithmetic, else one for each."""
        if self.rows == self.columns:
            return self.rows.formula
        return tr("rows {rows}; columns {columns}", rows=self.rows.formula, columns=self.columns.formula)


def layer_size(net: nn.Module, seen: Trace, layer: str) -> LayerSize | None:
    """The LayerSize of a traced convolution or pooling, None for one of another kind or with an
    arithmetic of its own (as “same” padding that depends on the input).

    Raises Problem for a layer that was not traced.
    """
    if layer not in seen.shapes:
        traced = ", ".join(seen.shapes)
        raise Problem("Layer {layer!r} was not traced: choose one of {traced}.", layer=layer, traced=traced)
    module = layer_module(net, layer)
    incoming = seen.inputs[layer].shape
    both = axes(module, *incoming[-2:])
    channels, *size = seen.shapes[layer]
    if both is None or [axis.output for axis in both] != size:
        return None
    return LayerSize(layer, type(module).__name__, (incoming[0], channels), *both)


def axes(module: nn.Module, height: int, width: int) -> tuple[WindowAxis, WindowAxis] | None:
    """The arithmetic of rows and of columns for an input of this size, None if the layer has no window."""
    sizes = (height, width)
    if isinstance(module, nn.Conv2d):
        left, right, top, bottom = module._reversed_padding_repeated_twice
        pads = ((top, bottom), (left, right))
        made = [
            window(sizes[i], module.kernel_size[i], module.stride[i], pads[i], module.dilation[i])
            for i in (0, 1)
        ]
    elif isinstance(module, nn.ConvTranspose2d):
        made = [_transposed(module, i, sizes[i]) for i in (0, 1)]
    elif isinstance(module, ADAPTIVE):
        made = [
            _adaptive(size, wanted) for size, wanted in zip(sizes, _pair(module.output_size), strict=True)
        ]
    elif isinstance(module, POOLS):
        kernel, stride = _pair(module.kernel_size), _pair(module.stride or module.kernel_size)
        padding, dilation = _pair(getattr(module, "padding", 0)), _pair(getattr(module, "dilation", 1))
        made = [
            window(sizes[i], kernel[i], stride[i], (padding[i], padding[i]), dilation[i], module.ceil_mode)
            for i in (0, 1)
        ]
    else:
        return None
    return made[0], made[1]


def window(
    size: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int, ceil_mode: bool = False
) -> WindowAxis:
    """The arithmetic of a convolution or pooling; its output is below 1 where the window does not fit."""
    free = size + sum(padding) - dilation * (kernel - 1) - 1
    output = (-(-free // stride) if ceil_mode else free // stride) + 1
    if ceil_mode and (output - 1) * stride >= size + padding[0]:
        output -= 1  # PyTorch drops a last window that would start in the padding
    return WindowAxis(size, output, kernel, stride, padding, dilation, ceil_mode)


def _transposed(conv: nn.ConvTranspose2d, i: int, size: int) -> WindowAxis:
    kernel, stride, dilation = conv.kernel_size[i], conv.stride[i], conv.dilation[i]
    assert isinstance(conv.padding, tuple)
    padding, extra = conv.padding[i], conv.output_padding[i]
    output = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1
    return WindowAxis(size, output, kernel, stride, (padding, padding), dilation, False, True, extra)


def _adaptive(size: int, wanted: int | None) -> WindowAxis:
    output = size if wanted is None else wanted
    widest = max(
        -(-(position + 1) * size // output) - position * size // output for position in range(output)
    )
    return WindowAxis(size, output, widest, 0)


def _pair(value: object) -> tuple[int, int]:
    pair: tuple[int, int] = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    return pair
