"""The receptive field of each cell of any layer, followed through the operations that really ran.

A dispatch mode sees every operation of one forward pass, also those that are no module (a skip's addition,
a functional pooling), and carries along which input rows and columns each row and column of a tensor reads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from explorer.engine.passes import check_images, recording
from explorer.engine.values import Integers, Value
from model.problems import Problem

NOTHING = (2**40, -(2**40))  # an empty span: any minimum or maximum with it is the other's


@dataclass(frozen=True)
class ReceptiveField:
    """The input pixels of one cell: rows `top` to `bottom`, columns `left` to `right`, without the stops.

    Below 0, or beyond the image, lies padding. `reach` is the part of the image that can change the cell,
    in the same order; (0, 0, 0, 0) if nothing can. If not `exact`, the cell may read less than this.
    """

    top: int
    bottom: int
    left: int
    right: int
    reach: tuple[int, int, int, int]
    exact: bool


@dataclass(frozen=True, eq=False)
class ReceptiveFields(Value):
    """The receptive fields of a layer's cells as (start, stop): for each row (h, 2), for each column (w, 2).

    The `…_reach` are the parts in the image, in which `start >= stop` says that there is none.
    """

    layer: str
    rows: Integers
    columns: Integers
    row_reach: Integers
    column_reach: Integers
    exact: bool

    def cell(self, row: int, column: int) -> ReceptiveField:
        """The ReceptiveField of one cell. Raises Problem outside the map."""
        if not (0 <= row < len(self.rows) and 0 <= column < len(self.columns)):
            raise Problem(
                "Position ({row}, {column}) is outside a map of {height} × {width}: choose one inside.",
                row=row, column=column, height=len(self.rows), width=len(self.columns),
            )  # fmt: skip
        (top, bottom), (left, right) = self.rows[row].tolist(), self.columns[column].tolist()
        reach = (*self.row_reach[row].tolist(), *self.column_reach[column].tolist())
        return ReceptiveField(
            top, bottom, left, right, reach if _is_area(reach) else (0, 0, 0, 0), self.exact
        )


@dataclass(frozen=True, eq=False)
class Spans:
    """For each index of one axis the input span it reads (n, 2), and the part of it in the image.

    `jump` is the distance in pixels between neighbors, which continues the axis into its padding.
    """

    look: Integers
    reach: Integers
    jump: int

    def at(self, taps: Integers, filled: Integers | None = None, jump: int | None = None) -> "Spans":
        """The spans of windows (m, k) of indices; `filled` are what they read where padding copies cells."""
        inside = np.clip(taps, 0, len(self.look) - 1)
        look = self.look[inside] + ((taps - inside) * self.jump)[..., None]
        copied = taps if filled is None else filled
        real = (copied >= 0) & (copied < len(self.reach))
        reach = np.where(real[..., None], self.reach[np.clip(copied, 0, len(self.reach) - 1)], NOTHING)
        return Spans(_hull(look, 1), _hull(reach, 1), self.jump if jump is None else jump)

    def sized(self, cells: int) -> "Spans":
        """As many spans as cells, from one that stands for any number."""
        look, reach = (np.broadcast_to(spans, (cells, 2)).copy() for spans in (self.look, self.reach))
        return Spans(look, reach, self.jump)

    def whole(self) -> "Spans":
        """One span for the whole axis."""
        return Spans(_hull(self.look, 0)[None], _hull(self.reach, 0)[None], 0)


@dataclass(frozen=True, eq=False)
class Fields:
    """The spans of a tensor's rows and columns; an axis of length 1 stands for any length."""

    axes: tuple[Spans, Spans]
    exact: bool = True

    def whole(self, exact: bool) -> "Fields":
        return Fields((self.axes[0].whole(), self.axes[1].whole()), self.exact and exact)

    def sized(self, height: int, width: int) -> "Fields":
        """With axes of the tensor's own lengths."""
        rows, columns = (s.sized(n) for s, n in zip(self.axes, (height, width), strict=True))
        return Fields((rows, columns), self.exact)

    def windowed(self, windows: Sequence[tuple[Integers, int]]) -> "Fields":
        rows, columns = (
            spans.at(taps, jump=spans.jump * stride)
            for spans, (taps, stride) in zip(self.axes, windows, strict=True)
        )
        return Fields((rows, columns), self.exact)


def receptive_fields(net: nn.Module, x: Tensor) -> dict[str, ReceptiveFields]:
    """The ReceptiveFields of every layer that gives feature maps, by name, for inputs (N, C, h, w) like x."""
    check_images(x)
    fields: dict[str, ReceptiveFields] = {}
    x = x.detach().clone()
    follow = Follow(x)

    def record(layer: str, _: Tensor, output: Tensor) -> None:
        if output.ndim == 4:
            fields[layer] = _receptive_fields(layer, follow.of(output), *output.shape[2:])

    view = recording(net, None, record)
    with torch.inference_mode(False), torch.no_grad(), follow:
        view(x)
    return fields


class Follow(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Carries Fields along every operation on tensors that descend from an image."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.image = Fields((_pixels(image.shape[2]), _pixels(image.shape[3])))
        # Tensors are kept so that no id is given away twice.
        self.known: dict[int, tuple[Tensor, Fields]] = {id(image): (image, self.image)}
        self.parent: dict[int, tuple[Tensor, Tensor]] = {}

    def of(self, tensor: Tensor) -> Fields:
        """The Fields of a tensor; the whole image, not exact, if it is not known to descend from it."""
        return self.known[id(tensor)][1] if id(tensor) in self.known else self.image.whole(False)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        read = [leaf for leaf in tree_leaves((args, kwargs)) if id(leaf) in self.known]
        if read:
            fields = self._through(func, args, out, [self.known[id(tensor)][1] for tensor in read])
            for tensor in (leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)):
                self.known[id(tensor)] = (tensor, fields)
                self._written(func, tensor, fields)
        if func.is_view and args and isinstance(args[0], Tensor):
            self.parent.update({id(leaf): (leaf, args[0]) for leaf in tree_leaves(out)})
        return out

    def _through(self, func: Any, args: tuple[Any, ...], out: Any, read: list[Fields]) -> Fields:
        name = func.overloadpacket.__name__
        if (
            torch.Tag.pointwise in func.tags
            or name in ALIKE
            or (name == "cat" and _argument(args, 1, 0) == 1)
        ):
            return _union(read)
        if name in RULES and len(read) == 1:
            sized = read[0].sized(*args[0].shape[2:]) if args[0].ndim == 4 else read[0]
            followed = RULES[name](sized, args, out)
            if followed is not None:
                return followed
        return _union([fields.whole(name in MIXING) for fields in read])

    def _written(self, func: Any, tensor: Tensor, fields: Fields) -> None:
        """What is written into a part of a tensor can be anywhere in it."""
        while func._schema.is_mutable and id(tensor) in self.parent:
            _, tensor = self.parent[id(tensor)]
            old = [self.known[id(tensor)][1]] if id(tensor) in self.known else []
            self.known[id(tensor)] = (tensor, _union([f.whole(False) for f in (*old, fields)]))


# Operations whose every cell reads the same place of what comes in, beside those PyTorch tags as pointwise.
ALIKE = {"clone", "detach", "alias", "_to_copy", "copy_", "hardswish", "hardswish_", "log_sigmoid_forward"}
ALIKE |= {"_prelu_kernel", "rrelu_with_noise"}
# Operations of which every cell reads the whole map.
MIXING = {"native_group_norm", "native_layer_norm", "native_batch_norm"}


def _convolution(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields | None:
    _, weight, _, stride, padding, dilation, transposed = args[:7]
    if transposed:
        return None
    return _windows(read, out, weight.shape[2:], stride, padding, dilation)


def _max_pool(read: Fields, args: tuple[Any, ...], out: tuple[Tensor, Tensor]) -> Fields:
    kernel, stride, padding, dilation = (_argument(args, 1 + i, d) for i, d in enumerate(([], [], [0], [1])))
    return _windows(read, out[0], kernel, stride or kernel, padding, dilation)


def _avg_pool(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields:
    kernel, stride, padding = (_argument(args, 1 + i, default) for i, default in enumerate(([], [], [0])))
    return _windows(read, out, kernel, stride or kernel, padding, [1])


def _windows(read: Fields, out: Tensor, *window: Sequence[int]) -> Fields:
    """`window` is kernel, stride, padding and dilation, each for rows and columns or one for both."""
    made = []
    for axis in (0, 1):
        kernel, stride, padding, dilation = (sizes[axis % len(sizes)] for sizes in window)
        starts = np.arange(out.shape[2 + axis]) * stride - padding
        made.append((starts[:, None] + np.arange(kernel) * dilation, stride))
    return read.windowed(made)


def _adaptive_pool(read: Fields, args: tuple[Any, ...], out: Any) -> Fields:
    pooled, made = out[0] if isinstance(out, tuple) else out, []
    for axis, size in enumerate(args[0].shape[2:]):
        cells = np.arange(pooled.shape[2 + axis])
        starts, stops = cells * size // len(cells), -(-(cells + 1) * size // len(cells))
        taps = starts[:, None] + np.arange((stops - starts).max())
        made.append((np.minimum(taps, stops[:, None] - 1), size // len(cells)))
    return read.windowed(made)


def _batch_norm(read: Fields, args: tuple[Any, ...], out: Any) -> Fields | None:
    return None if args[5] is True else read  # args[5]: normalizes by this batch's own statistics


def _reduce(read: Fields, args: tuple[Any, ...], out: Any) -> Fields | None:
    ndim, wanted = args[0].ndim, _argument(args, 1, [])
    dims = {dim % ndim for dim in (wanted if isinstance(wanted, (list, tuple)) else [wanted])}
    if {ndim - 2, ndim - 1} <= dims:
        return read.whole(True)
    return read if dims == {1} and ndim == 4 and _argument(args, 2, False) else None


def _over_channels(read: Fields, args: tuple[Any, ...], out: Any) -> Fields | None:
    return read if _argument(args, 1, -1) % args[0].ndim < args[0].ndim - 2 else None


def _view(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields | None:
    return read if out.ndim > 2 and out.shape[-2:] == args[0].shape[-2:] else None


def _transpose(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields | None:
    return read if max(dim % out.ndim for dim in args[1:3]) < out.ndim - 2 else None


def _split(read: Fields, args: tuple[Any, ...], out: Any) -> Fields | None:
    return read if _argument(args, 2, 0) % args[0].ndim < args[0].ndim - 2 else None


def _slice(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields:
    tensor, dim = args[0], _argument(args, 1, 0) % args[0].ndim
    axis = dim - tensor.ndim + 2
    if axis < 0:
        return read
    start, stop, step = _argument(args, 2, None), _argument(args, 3, None), _argument(args, 4, 1)
    taken = np.arange(tensor.shape[dim])[start:stop:step]
    moved = read.axes[axis].at(taken[:, None], jump=read.axes[axis].jump * step)
    return Fields((moved, read.axes[1]) if axis == 0 else (read.axes[0], moved), read.exact)


def _pad(mode: str) -> Callable[[Fields, tuple[Any, ...], Any], Fields]:
    def padded(read: Fields, args: tuple[Any, ...], out: Tensor) -> Fields:
        made = []
        for axis in (0, 1):
            size, before = args[0].shape[2 + axis], [*args[1], 0, 0][2 * (1 - axis)]
            taps = np.arange(out.shape[2 + axis]) - before
            mirrored = size - 1 - np.abs(size - 1 - np.abs(taps))
            copied = {"constant": taps, "replicate": np.clip(taps, 0, size - 1), "reflect": mirrored}[mode]
            made.append(read.axes[axis].at(taps[:, None], copied[:, None]))
        return Fields((made[0], made[1]), read.exact)

    return padded


RULES: dict[str, Callable[[Fields, tuple[Any, ...], Any], Fields | None]] = {
    "convolution": _convolution,
    "max_pool2d_with_indices": _max_pool,
    "avg_pool2d": _avg_pool,
    "_adaptive_avg_pool2d": _adaptive_pool,
    "adaptive_max_pool2d": _adaptive_pool,
    "native_batch_norm": _batch_norm,
    "mean": _reduce,
    "sum": _reduce,
    "amax": _reduce,
    "max": _reduce,
    "_softmax": _over_channels,
    "_log_softmax": _over_channels,
    "glu": _over_channels,
    "view": _view,
    "_unsafe_view": _view,
    "transpose": _transpose,
    "split": _split,
    "split_with_sizes": _split,
    "slice": _slice,
    "constant_pad_nd": _pad("constant"),
    "replication_pad2d": _pad("replicate"),
    "reflection_pad2d": _pad("reflect"),
}


def _union(many: list[Fields]) -> Fields:
    rows, columns = (_join([fields.axes[axis] for fields in many]) for axis in (0, 1))
    return Fields((rows, columns), all(fields.exact for fields in many))


def _join(spans: list[Spans]) -> Spans:
    look = np.stack(np.broadcast_arrays(*(s.look for s in spans)), 1)
    reach = np.stack(np.broadcast_arrays(*(s.reach for s in spans)), 1)
    return Spans(_hull(look, 1), _hull(reach, 1), max(s.jump for s in spans))


def _hull(spans: Integers, axis: int) -> Integers:
    return np.stack([spans[..., 0].min(axis), spans[..., 1].max(axis)], -1)


def _pixels(size: int) -> Spans:
    spans = np.stack([np.arange(size), np.arange(size) + 1], -1)
    return Spans(spans, spans, 1)


def _argument(args: tuple[Any, ...], index: int, default: Any) -> Any:
    return args[index] if index < len(args) else default


def _is_area(reach: tuple[int, ...]) -> bool:
    return reach[0] < reach[1] and reach[2] < reach[3]


def _receptive_fields(layer: str, fields: Fields, height: int, width: int) -> ReceptiveFields:
    rows, columns = fields.sized(height, width).axes
    return ReceptiveFields(layer, rows.look, columns.look, rows.reach, columns.reach, fields.exact)
