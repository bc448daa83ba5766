"""What each operation does to the rows and columns that its values read.

A rule gives None where the operation is not followed: its values may then read the whole image.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.engine.spans import CHANNELS_FIRST, Dims, Fields
from explorer.engine.values import Integers

Rule = Callable[[Fields, tuple[Any, ...], Any], Fields | list[Fields] | None]

# Operations whose every position reads the same place of what comes in, beside those PyTorch tags as
# pointwise.
ALIKE = {"clone", "detach", "alias", "_to_copy", "copy_", "hardswish", "hardswish_", "log_sigmoid_forward"}
ALIKE |= {"_prelu_kernel", "rrelu_with_noise", "contiguous"}
# Operations of which every position reads the whole map.
MIXING = {"native_group_norm", "native_layer_norm", "native_batch_norm"}


def _convolution(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields:
    _, weight, _, stride, padding, dilation, transposed = args[:7]
    rule = _spread if transposed else _windows
    return rule(read, out, weight.shape[2:], stride, padding, dilation)


def _spread(read: Fields, out: Tensor, *window: Sequence[int]) -> Fields:
    """Transposed convolution: input i adds to output i·stride − padding + t·dilation, t below the kernel."""
    made, exact = [], read.exact
    for axis, (kernel, stride, padding, dilation) in enumerate(_by_axis(window)):
        spans, positions = read.axes[axis].within_image(), np.arange(out.shape[axis - 2])
        steps = positions[:, None] + padding - np.arange(kernel) * dilation
        read_by = steps // stride
        real = (steps % stride == 0) & (read_by >= 0) & (read_by < len(spans.look))
        some = np.take_along_axis(read_by, real.argmax(1)[:, None], 1).clip(0, len(spans.look) - 1)
        taps = np.where(real, read_by, some)
        made.append(spans.at(taps, np.where(real, taps, -1), -(-spans.jump // stride)))
        exact &= spans.jump % stride == 0  # else padding lies less than a pixel apart
    return Fields((made[0], made[1]), exact, read.dims)


def _max_pool(read: Fields, args: tuple[Any, ...], out: tuple[Tensor, Tensor]) -> Fields:
    kernel, stride, padding, dilation = (argument(args, 1 + i, d) for i, d in enumerate(([], [], [0], [1])))
    return _windows(read, out[0], kernel, stride or kernel, padding, dilation)


def _avg_pool(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields:
    kernel, stride, padding = (argument(args, 1 + i, default) for i, default in enumerate(([], [], [0])))
    return _windows(read, out, kernel, stride or kernel, padding, [1])


def _windows(read: Fields, out: Tensor, *window: Sequence[int]) -> Fields:
    made = []
    for axis, (kernel, stride, padding, dilation) in enumerate(_by_axis(window)):
        starts = np.arange(out.shape[axis - 2]) * stride - padding
        made.append((starts[:, None] + np.arange(kernel) * dilation, stride))
    return read.windowed(made)


def _by_axis(window: Sequence[Sequence[int]]) -> list[list[int]]:
    """Kernel, stride, padding and dilation of rows and of columns, each given for every axis or once for all;
    three-dimensional ones have another axis before these."""
    return [[sizes[-2:][axis % len(sizes[-2:])] for sizes in window] for axis in (0, 1)]


def _fractional_pool(read: Fields, args: tuple[Any, ...], out: tuple[Tensor, Tensor]) -> Fields:
    """Its windows begin at one of two neighbors, at random."""
    made = []
    for axis, size in enumerate(args[0].shape[2:]):
        kernel, count = args[1][axis], out[0].shape[2 + axis]
        scaled, gaps = np.arange(count) * (size - kernel), max(count - 1, 1)
        lasts = -(-scaled // gaps)[:, None] + kernel - 1
        made.append((np.minimum((scaled // gaps)[:, None] + np.arange(kernel + 1), lasts), size // count))
    fields = read.windowed(made)
    return Fields(fields.axes, False, fields.dims)


def _adaptive_pool(read: Fields, args: tuple[Any, ...], out: Any) -> Fields:
    pooled, made = out[0] if isinstance(out, tuple) else out, list[tuple[Integers, int]]()
    for axis, size in enumerate(args[0].shape[2:]):
        positions = np.arange(pooled.shape[2 + axis])
        starts, stops = positions * size // len(positions), -(-(positions + 1) * size // len(positions))
        taps = starts[:, None] + np.arange((stops - starts).max())
        made.append((np.minimum(taps, stops[:, None] - 1), size // len(positions)))
    return read.windowed(made)


def _resize(support: float, antialias: bool = False, nearest: bool = False) -> Rule:
    """What resizing reads: at most `support` positions to both sides, however the ends are aligned."""

    def resized(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields:
        made = []
        for axis, size in enumerate(args[0].shape[2:]):
            count = out.shape[2 + axis]
            index, ratio = np.arange(count), size / count
            aligned = index * ratio if nearest else index * (size - 1) / max(count - 1, 1)
            centers = np.stack([(index + 0.5) * ratio - 0.5, aligned])
            reach = support * max(ratio, 1) if antialias else support
            first = np.ceil(centers.min(0) - reach).astype(np.int64)
            last = np.floor(centers.max(0) + reach).astype(np.int64)
            taps = first[:, None] + np.arange((last - first).max() + 1)
            made.append((np.clip(np.minimum(taps, last[:, None]), 0, size - 1), 1))
        fields = read.windowed(made)
        return Fields(fields.axes, False, fields.dims)

    return resized


# Rules for maps (N, C, h, w) only; those of WINDOWS also for (N, C, d, h, w)
WINDOWS: dict[str, Rule] = {
    "convolution": _convolution,
    "max_pool2d_with_indices": _max_pool,
    "max_pool3d_with_indices": _max_pool,
    "avg_pool2d": _avg_pool,
    "avg_pool3d": _avg_pool,
}
SPATIAL: dict[str, Rule] = WINDOWS | {
    "fractional_max_pool2d": _fractional_pool,
    "_adaptive_avg_pool2d": _adaptive_pool,
    "adaptive_max_pool2d": _adaptive_pool,
    "upsample_nearest2d": _resize(1, nearest=True),
    "_upsample_nearest_exact2d": _resize(1, nearest=True),
    "upsample_bilinear2d": _resize(1),
    "upsample_bicubic2d": _resize(2),
    "_upsample_bilinear2d_aa": _resize(1, True),
    "_upsample_bicubic2d_aa": _resize(2, True),
}


def _batch_norm(read: Fields, args: tuple[Any, ...], out: Any) -> Fields | None:
    return None if args[5] is True else read  # args[5]: normalizes by this batch's own statistics


def _layer_norm(read: Fields, args: tuple[Any, ...], out: Any) -> Fields | None:
    """Each position by itself where neither rows nor columns are normalized over."""
    return read if max(_dims(read)) < -len(args[1]) else None


def _reduce(read: Fields, args: tuple[Any, ...], out: Any) -> Fields | None:
    ndim, given, keepdim = args[0].ndim, argument(args, 1, None), argument(args, 2, False)
    dims = given if isinstance(given, list | tuple) else [] if given is None else [given]
    reduced = {dim % ndim - ndim for dim in dims} or set(range(-ndim, 0))
    if set(_dims(read)) <= reduced:
        return read.whole(True)
    if set(_dims(read)) & reduced:
        return None
    return read if keepdim else _without(read, reduced)


def _without(read: Fields, gone: set[int]) -> Fields:
    """After dimensions are gone, counted from the end."""
    rows, columns = (dim + sum(1 for other in gone if other > dim) for dim in _dims(read))
    return read.at((rows, columns))


def _over_one(index: int, default: int) -> Rule:
    """For an operation along one dimension, its argument of this index."""

    def along(read: Fields, args: tuple[Any, ...], out: Any) -> Fields | None:
        ndim = args[0].ndim
        return None if argument(args, index, default) % ndim - ndim in _dims(read) else read

    return along


def _view(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields | None:
    """Rows and columns go to the dimensions of their length with as many values behind them."""
    shape, made = args[0].shape, list[int]()
    for dim in _dims(read):
        behind = prod(shape[dim + 1 :]) if dim < -1 else 1
        at = [
            to
            for to in range(-out.ndim, 0)
            if out.shape[to] == shape[dim] and (prod(out.shape[to + 1 :]) if to < -1 else 1) == behind
        ]
        if not at:
            return None
        made.append(at[-1])
    return read.at((made[0], made[1])) if made[0] < made[1] else None


def _transpose(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields:
    first, second = (dim % out.ndim - out.ndim for dim in args[1:3])
    swapped = {first: second, second: first}
    rows, columns = (swapped.get(dim, dim) for dim in _dims(read))
    return read.at((rows, columns))


def _permute(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields:
    order = [dim % out.ndim - out.ndim for dim in args[1]]
    rows, columns = (order.index(dim) - out.ndim for dim in _dims(read))
    return read.at((rows, columns))


def _unsqueeze(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields:
    new, ndim = args[1] % out.ndim, args[0].ndim
    rows, columns = (dim - 1 if dim + ndim < new else dim for dim in _dims(read))
    return read.at((rows, columns))


def _select(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields | None:
    gone = args[1] % args[0].ndim - args[0].ndim
    return None if gone in _dims(read) else _without(read, {gone})


def _expand(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields | None:
    return read if all(out.shape[dim] == args[0].shape[dim] for dim in _dims(read)) else None


def _slice(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields:
    tensor, dim = args[0], argument(args, 1, 0) % args[0].ndim - args[0].ndim
    if dim not in _dims(read):
        return read
    axis = _dims(read).index(dim)
    start, stop, step = argument(args, 2, None), argument(args, 3, None), argument(args, 4, 1)
    indices = np.arange(tensor.shape[dim])[start:stop:step]
    return _taken(read, axis, indices, step, tensor.shape[dim])


def _taken(read: Fields, axis: int, indices: Integers, step: int, size: int) -> Fields:
    """Some rows (axis 0) or columns of a tensor that has `size` of them."""
    if not len(indices):
        return read.whole(False)
    spans = read.axes[axis].cropped(*_cells(indices, step, size))
    moved = spans.at(indices[:, None], jump=spans.jump * step)
    axes = (moved, read.axes[1]) if axis == 0 else (read.axes[0], moved)
    return Fields(axes, read.exact, read.dims)


def _cells(indices: Integers, step: int, size: int) -> tuple[int, int]:
    """The start and stop of what indices with a step stand for: of every second one, all between them."""
    low, high = int(indices.min()), int(indices.max())
    return low // step * step, min(-(-(high + 1) // step) * step, size)


def _index_select(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields:
    return _picked(read, args[0], args[1] % args[0].ndim, args[2])


def _index(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields | None:
    """By one list of rows or of columns; by several together is not followed."""
    given = [(dim, index) for dim, index in enumerate(args[1]) if index is not None]
    if len(given) != 1 or given[0][1].ndim != 1 or given[0][1].dtype.is_floating_point:
        return None
    dim, index = given[0]
    return _picked(read, args[0], dim, index.nonzero()[:, 0] if index.dtype == torch.bool else index)


def _picked(read: Fields, tensor: Tensor, dim: int, index: Tensor) -> Fields:
    size, dim = tensor.shape[dim], dim - tensor.ndim
    if dim not in _dims(read):
        return read
    return _taken(read, _dims(read).index(dim), index.cpu().numpy().astype(np.int64) % size, 1, size)


def _split(read: Fields, args: tuple[Any, ...], out: Sequence[Tensor]) -> list[Fields]:
    """Those of every part, one after another."""
    dim = argument(args, 2, 0) % args[0].ndim - args[0].ndim
    if dim not in _dims(read):
        return [read] * len(out)
    axis, size = _dims(read).index(dim), args[0].shape[dim]
    stops = np.cumsum([part.shape[dim] for part in out])
    starts = [0, *stops[:-1]]
    return [_taken(read, axis, np.arange(*ends), 1, size) for ends in zip(starts, stops, strict=True)]


def _pad(mode: str) -> Callable[[Fields, tuple[Any, ...], Any], Fields]:
    def padded(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields:
        made = []
        for axis, dim in enumerate(_dims(read)):
            size, before = args[0].shape[dim], [*args[1], *[0] * 8][2 * (-dim - 1)]
            taps = np.arange(out.shape[dim]) - before
            mirrored = size - 1 - np.abs(size - 1 - np.abs(taps))
            copied = {
                "constant": taps, "replicate": np.clip(taps, 0, size - 1), "reflect": mirrored,
                "circular": taps % size,
            }[mode]  # fmt: skip
            spans = read.axes[axis].cropped(int(taps[0]), int(taps[-1]) + 1)
            made.append(spans.at((copied if mode == "circular" else taps)[:, None], copied[:, None]))
        return Fields((made[0], made[1]), read.exact and mode != "circular", read.dims)

    return padded


RULES: dict[str, Rule] = {
    "native_batch_norm": _batch_norm,
    "native_layer_norm": _layer_norm,
    "mean": _reduce,
    "sum": _reduce,
    "amax": _reduce,
    "max": _reduce,
    "_softmax": _over_one(1, -1),
    "_log_softmax": _over_one(1, -1),
    "glu": _over_one(1, -1),
    "split": _split,
    "split_with_sizes": _split,
    "index_select": _index_select,
    "index": _index,
    "view": _view,
    "_unsafe_view": _view,
    "reshape": _view,
    "transpose": _transpose,
    "permute": _permute,
    "unsqueeze": _unsqueeze,
    "select": _select,
    "expand": _expand,
    "slice": _slice,
    "constant_pad_nd": _pad("constant"),
    "replication_pad2d": _pad("replicate"),
    "reflection_pad2d": _pad("reflect"),
}


def followed(name: str, read: Fields, args: tuple[Any, ...], out: Any) -> Fields | list[Fields] | None:
    """The Fields of what an operation gives that reads one tensor, its first argument; None if not known.

    Those of each tensor, where it gives several with fields of their own.
    """
    tensor = args[0]
    if name in SPATIAL:
        fits = tensor.ndim in ((4, 5) if name in WINDOWS else (4,)) and read.dims in (CHANNELS_FIRST, None)
        return SPATIAL[name](read.sized(tensor.shape), args, out) if fits else None
    if read.dims is None:  # all values read the same, and so does whatever is made of them
        return read
    if name not in RULES:
        return None
    return RULES[name](read.sized(tensor.shape), args, out)


def circular(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields:
    """The Fields after circular padding by `args`, a tensor and its padding, which is no operation of its
    own."""
    return read if read.dims is None else _pad("circular")(read.sized(args[0].shape), args, out)


def keeps_positions(name: str, args: tuple[Any, ...], read: list[Fields]) -> bool:
    """Whether a concatenation is along another dimension than rows or columns."""
    if name != "cat":
        return False
    ndim = args[0][0].ndim
    along = argument(args, 1, 0) % ndim - ndim
    return all(along not in fields.dims for fields in read if fields.dims)


def _dims(read: Fields) -> Dims:
    return read.dims or CHANNELS_FIRST


def argument(args: tuple[Any, ...], index: int, default: Any) -> Any:
    """A function's argument by its place, or the default where it was not given by place."""
    return args[index] if index < len(args) else default
