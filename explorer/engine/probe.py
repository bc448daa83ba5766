"""The arithmetic of one position: from an input patch through kernel, norm and activation to its pooling."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.utils.parametrize import is_parametrized

from explorer.engine.geometry import WindowAxis, axes
from explorer.engine.passes import check_images, is_calm, layer_module, recording, to_numpy
from explorer.engine.tracing import Block, Trace, input_output, stage_of
from explorer.engine.values import Doubles, Floats, Integers, Value
from model.problems import Problem

Booleans = npt.NDArray[np.bool_]
ROUNDING = 1e-5  # of the magnitudes that are added up, in float32
InputsOutputs = dict[str, tuple[Tensor, Tensor]]  # layer → its input and its output, each (C, h, w)


@dataclass(frozen=True, eq=False)
class ConvStep(Value):
    """One position of a convolution: value = Σ patch · kernel + bias. Patch and kernel are float32 (I, kh,
    kw).

    `channels` are the I input channels of its group, `rows` (kh,) and `columns` (kw,) the input positions
    under the kernel, `padding` (kh, kw) which of them lie outside the input. `traced` is what the network
    computed.
    """

    layer: str
    channels: range
    rows: Integers
    columns: Integers
    padding: Booleans
    patch: Floats
    kernel: Floats
    bias: float
    traced: float

    @property
    def products(self) -> Doubles:
        """Patch times kernel, (I, kh, kw)."""
        return self.patch.astype(np.float64) * self.kernel

    @property
    def sum(self) -> float:
        """The sum of the products, without the bias."""
        return float(self.products.sum())

    @property
    def value(self) -> float:
        """The value of the position."""
        return self.sum + self.bias


@dataclass(frozen=True)
class NormStep:
    """One position of a normalization: value = (before − mean) / √(var + eps) · weight + bias.

    Mean and variance are a BatchNorm's running ones, or this input's for a layer that uses those.
    """

    layer: str
    kind: str
    before: float
    mean: float
    var: float
    eps: float
    weight: float
    bias: float
    traced: float

    @property
    def normalized(self) -> float:
        """(before − mean) / √(var + eps)."""
        return (self.before - self.mean) / float(np.sqrt(self.var + self.eps))

    @property
    def value(self) -> float:
        """The value of the position."""
        return self.normalized * self.weight + self.bias


@dataclass(frozen=True)
class ActStep:
    """One position of an activation, or of a layer not explained here: its input and its output."""

    layer: str
    kind: str
    before: float
    value: float
    traced: float


@dataclass(frozen=True, eq=False)
class PoolWindow(Value):
    """A pooling window over a map; it gives `position` (row, column) of the pooled map.

    `rows` (kh,) and `columns` (kw,) are the map's positions under it, `padding` (kh, kw) which lie outside
    the map (those hold NaN in `values`, float32 (kh, kw)). `winner` is the position (row, column) that a max
    pooling hands on, None for an average. `value` is this window's own arithmetic, `traced` the network's.
    """

    position: tuple[int, int]
    rows: Integers
    columns: Integers
    values: Floats
    padding: Booleans
    winner: tuple[int, int] | None
    value: float
    traced: float


@dataclass(frozen=True, eq=False)
class PoolStep(Value):
    """A position in its pooling window or, where windows overlap, in all of its `windows`, by rows.

    The one that is `followed`: the first of a max pooling that the position wins, else the first.
    """

    layer: str
    kind: str
    before: float
    windows: tuple[PoolWindow, ...]
    followed: PoolWindow

    @property
    def value(self) -> float:
        """What the followed window holds."""
        return self.followed.value

    @property
    def traced(self) -> float:
        """What the network computed for it."""
        return self.followed.traced

    def into(self, position: tuple[int, int]) -> "PoolStep":
        """The step with the window followed that gives the position at `position` of the pooled map.

        Raises Problem where none of the windows does.
        """
        for window in self.windows:
            if window.position == position:
                return replace(self, followed=window)
        raise Problem(
            "No window here gives position ({row}, {column}) of {layer}: choose another position.",
            row=position[0], column=position[1], layer=self.layer,
        )  # fmt: skip


ProbeStep = ConvStep | NormStep | ActStep | PoolStep


@dataclass(frozen=True, eq=False)
class PositionProbe(Value):
    """How one position (channel, row, column) of a block's convolution is computed, and where it goes.

    `steps` begin with the ConvStep, in a block without convolution with the first layer's, and follow the
    block in execution order. Each step's `value` is its own
    arithmetic, `traced` the network's; they agree. A `before` other than the last step's value means that
    something else, such as a skip's addition, came between. A position that no pooling window covers ends
    there; where several do, the steps after follow one of them.
    """

    block: Block
    channel: int
    row: int
    column: int
    steps: tuple[ProbeStep, ...]


def probe(
    net: nn.Module,
    x: Tensor,
    block: Block,
    channel: int,
    row: int,
    column: int,
    seen: Trace | None = None,
) -> PositionProbe:
    """The PositionProbe of one position of `block.conv`, or of the first layer of a block without, for one
    input x, float (1, C, h, w); from its trace where that has what the block read and gave, else from another
    pass.

    Raises Problem for a position outside the map, for a transposed convolution, and for one whose value is
    not the arithmetic of a Conv2d.
    """
    check_images(x, one=True)
    names = [name for name in (block.conv, block.norm, block.act, block.pool) if name]
    view, layers = _of_trace(net, x, names, seen) or _inputs_outputs(net, x, names)
    first, position = block.conv or next(iter(layers)), (channel, row, column)
    _check_inside(position, tuple(layers[first][1].shape))
    steps: list[ProbeStep] = []
    if block.conv:
        steps.append(
            convolution_step(layer_module(view, block.conv), block.conv, *layers[block.conv], position)
        )
    for layer in [name for name in layers if name != block.conv]:
        step = later_step(layer_module(view, layer), layer, *layers[layer], position)
        if step is None:
            break
        steps.append(step)
        position = (channel, *step.followed.position) if isinstance(step, PoolStep) else position
    return PositionProbe(block, channel, row, column, tuple(steps))


def _check_inside(position: tuple[int, int, int], shape: tuple[int, ...]) -> None:
    if not all(0 <= at < size for at, size in zip(position, shape, strict=True)):
        raise Problem(
            "Position {cell} is outside maps of shape {shape}: choose one inside.", cell=position, shape=shape
        )


def _of_trace(
    net: nn.Module, x: Tensor, layers: list[str], seen: Trace | None
) -> tuple[nn.Module, InputsOutputs] | None:
    """`_inputs_outputs` from a trace; None where it does not have all, or where only a pass makes weights."""
    if seen is None or net.training or not is_calm(net):
        return None
    if any(_makes_weights(layer_module(net, layer)) for layer in layers):
        return None
    tensors: InputsOutputs = {}
    for layer in sorted(layers, key=list(seen.shapes).index) if set(layers) <= set(seen.shapes) else []:
        both = input_output(seen, x, layer)
        if both is None:
            return None
        tensors[layer] = (torch.from_numpy(both[0]), torch.from_numpy(both[1]))
    return (net, tensors) if tensors else None


def _makes_weights(module: nn.Module) -> bool:
    """Whether a layer's weights are computed whenever it runs."""
    return is_parametrized(module) or bool(module._forward_pre_hooks)


def _inputs_outputs(net: nn.Module, x: Tensor, layers: list[str]) -> tuple[nn.Module, InputsOutputs]:
    """The view that ran, and the input and output of each layer, in execution order."""
    tensors: InputsOutputs = {}

    def keep(name: str, received: Tensor, output: Tensor) -> None:
        tensors[name] = (received[0].clone(), output[0].clone())

    view = recording(net, layers, keep)
    with torch.inference_mode(False), torch.no_grad():
        view(x.detach().clone())
    return view, tensors


def convolution_step(
    conv: nn.Module, layer: str, read: Tensor, made: Tensor, position: tuple[int, int, int]
) -> ConvStep:
    """The ConvStep of a position of what a layer gave, (C, h, w), for what it read, both of one image.

    Raises Problem unless it is what the network computed.
    """
    if not isinstance(conv, nn.Conv2d):
        raise Problem(
            "Layer {layer!r} is a {kind}, not a Conv2d: choose another layer.",
            layer=layer, kind=type(conv).__name__,
        )  # fmt: skip
    both = axes(conv, *read.shape[1:])
    step = _conv_step(conv, layer, both, read, made, position) if both and _fits(both, made) else None
    if step is None or not agree(
        step.value, step.traced, float(np.abs(step.products).sum()), rounding_of(conv, made)
    ):
        raise Problem(
            "Layer {layer!r} is a {kind} that computes more than a plain Conv2d, so its value cannot be "
            "spelled out here: choose another layer.",
            layer=layer, kind=type(conv).__name__,
        )  # fmt: skip
    return step


def _fits(both: tuple[WindowAxis, WindowAxis], made: Tensor) -> bool:
    """Whether this arithmetic gives maps (C, h, w) of that size."""
    return tuple(axis.output for axis in both) == made.shape[1:] and not made.is_complex()


def agree(value: float, traced: float, terms: float, rounding: float = ROUNDING) -> bool:
    """Whether two numbers differ by no more than the rounding of terms of this sum of magnitudes."""
    return abs(value - traced) <= rounding * (terms + abs(traced)) or not np.isfinite(value)


def rounding_of(module: nn.Module, made: Tensor) -> float:
    """How far a layer's arithmetic is rounded, relative to its terms: more in 16 bits."""
    tensors = [made, *(each for each in module.parameters() if each.is_floating_point())]
    return max(ROUNDING, *(torch.finfo(each.dtype).eps for each in tensors))


def _conv_step(
    conv: nn.Conv2d,
    layer: str,
    both: tuple[WindowAxis, WindowAxis],
    read: Tensor,
    made: Tensor,
    position: tuple[int, int, int],
) -> ConvStep:
    channel, row, column = position
    rows, columns = both[0].taps(row), both[1].taps(column)
    per_group = conv.in_channels // conv.groups
    first = channel // (conv.out_channels // conv.groups) * per_group
    padded, (left, _, top, _) = _padded(conv, read), conv._reversed_padding_repeated_twice
    patch = padded[first : first + per_group, rows[:, None] + top, columns[None] + left]
    return ConvStep(
        layer=layer,
        channels=range(first, first + per_group),
        rows=rows,
        columns=columns,
        padding=_outside(both, rows, columns),
        patch=to_numpy(patch),
        kernel=to_numpy(conv.weight[channel]),
        bias=0.0 if conv.bias is None else conv.bias[channel].item(),
        traced=float(made[position]),
    )


def _padded(conv: nn.Conv2d, read: Tensor) -> Tensor:
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    return F.pad(read[None], conv._reversed_padding_repeated_twice, mode=mode)[0]


def later_step(
    module: nn.Module, layer: str, read: Tensor, made: Tensor, position: tuple[int, int, int]
) -> ProbeStep | None:
    """The step that a layer after the convolution makes of a position of what it read, (C, h, w), None where
    no window of a pooling covers that.
    """
    kind, stage = type(module).__name__, stage_of(module)
    if stage == "pool":
        return _pool(module, layer, read, made, position)
    before, traced = float(read[position]), float(made[position])
    terms = _norm_terms(module, read, position) if stage == "norm" else None
    if terms is not None:
        step = NormStep(layer, kind, before, *terms, traced)
        if agree(step.value, traced, _magnitude(step), rounding_of(module, made)):
            return step
    return ActStep(layer, kind, before, traced, traced)


def _magnitude(step: NormStep) -> float:
    """The magnitudes that a normalization adds up, as they are scaled."""
    scale = abs(step.weight) / float(np.sqrt(step.var + step.eps))
    return (abs(step.before) + abs(step.mean)) * scale + abs(step.bias)


def _norm_terms(
    norm: nn.Module, read: Tensor, position: tuple[int, int, int]
) -> tuple[float, float, float, float, float] | None:
    """Mean, var, eps, weight and bias of a normalization at one position; None for a kind not known here."""
    channel = position[0]
    at: int | tuple[int, int, int] = channel
    statistics: tuple[Tensor | None, Tensor | None] = (None, None)
    if isinstance(norm, (_BatchNorm, _InstanceNorm)):
        size, statistics = 1, (norm.running_mean, norm.running_var)
    elif isinstance(norm, nn.GroupNorm):
        size = norm.num_channels // norm.num_groups
    elif isinstance(norm, nn.LayerNorm) and tuple(norm.normalized_shape) == read.shape:
        size, at = len(read), position
    else:
        return None
    values = read[channel // size * size :][:size].double()
    mean = values.mean() if statistics[0] is None else statistics[0][channel]
    var = values.var(correction=0) if statistics[1] is None else statistics[1][channel]
    weight = 1.0 if norm.weight is None else norm.weight[at].item()
    bias = 0.0 if norm.bias is None else norm.bias[at].item()
    return float(mean), float(var), norm.eps, weight, bias


def _pool(
    pool: nn.Module, layer: str, read: Tensor, made: Tensor, position: tuple[int, int, int]
) -> PoolStep | None:
    channel, row, column = position
    both = axes(pool, *read.shape[1:])
    both = both if both and _fits(both, made) else None
    positions = list(product(_windows_over(both[0], row), _windows_over(both[1], column))) if both else []
    if not both or not positions:
        return None
    windows = tuple(_window(pool, both, read[channel], made[channel], position) for position in positions)
    if not all(agree(w.value, w.traced, float(np.nansum(np.abs(w.values)))) for w in windows):
        return None
    followed = next((window for window in windows if window.winner == (row, column)), windows[0])
    return PoolStep(layer, type(pool).__name__, float(read[position]), windows, followed)


def window_of(
    pool: nn.Module, layer: str, read: Tensor, made: Tensor, position: tuple[int, int, int]
) -> PoolStep | None:
    """The PoolStep of the window that gave a position of a pooled map; None where it is not known here."""
    channel, *row_column = position
    both = axes(pool, *read.shape[1:])
    if both is None or not _fits(both, made):
        return None
    window = _window(pool, both, read[channel], made[channel], (row_column[0], row_column[1]))
    if not agree(window.value, window.traced, float(np.nansum(np.abs(window.values)))):
        return None
    before = window.value if window.winner is None else float(read[channel, *window.winner])
    return PoolStep(layer, type(pool).__name__, before, (window,), window)


def _window(
    pool: nn.Module,
    both: tuple[WindowAxis, WindowAxis],
    read: Tensor,
    made: Tensor,
    position: tuple[int, int],
) -> PoolWindow:
    """The window that gives the position at `position` of a channel, from maps (h, w) to (h', w')."""
    rows, columns = (axis.taps(at) for axis, at in zip(both, position, strict=True))
    outside = _outside(both, rows, columns)
    inside = [np.clip(taps, 0, axis.input - 1) for taps, axis in zip((rows, columns), both, strict=True)]
    values = np.where(outside, np.float32(np.nan), to_numpy(read)[np.ix_(*inside)])
    traced, winner = float(made[position]), None
    if isinstance(pool, (nn.MaxPool2d, nn.AdaptiveMaxPool2d)):
        i, j = np.unravel_index(np.nanargmax(values), values.shape)
        winner = (int(rows[i]), int(columns[j]))
    value = _pooled(pool, values, rows, columns, both)
    return PoolWindow(
        position, rows, columns, values, outside, winner, traced if value is None else value, traced
    )


def _pooled(
    pool: nn.Module, window: Floats, rows: Integers, columns: Integers, both: tuple[WindowAxis, WindowAxis]
) -> float | None:
    """What the pooling makes of a window; None for a kind not spelled out here."""
    if isinstance(pool, (nn.MaxPool2d, nn.AdaptiveMaxPool2d)):
        return float(np.nanmax(window))
    total = float(np.nansum(window, dtype=np.float64))
    if isinstance(pool, nn.AdaptiveAvgPool2d):
        return total / window.size
    if isinstance(pool, nn.AvgPool2d):
        # PyTorch counts padding positions, but not those a last, partial window has beyond the padding.
        counted = [
            int((taps < axis.input + axis.padding[1]).sum())
            for taps, axis in zip((rows, columns), both, strict=True)
        ]
        count = counted[0] * counted[1] if pool.count_include_pad else int(np.isfinite(window).sum())
        return total / (pool.divisor_override or count)
    return None


def _windows_over(axis: WindowAxis, position: int) -> list[int]:
    """The windows in which the position lies."""
    return [window for window in range(axis.output) if position in axis.taps(window)]


def _outside(both: tuple[WindowAxis, WindowAxis], rows: Integers, columns: Integers) -> Booleans:
    beyond = [(taps < 0) | (taps >= axis.input) for taps, axis in zip((rows, columns), both, strict=True)]
    return np.asarray(beyond[0][:, None] | beyond[1][None])
