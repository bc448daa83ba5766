"""The receptive field of each position of any layer, followed through the operations that really ran.

A dispatch mode sees every operation of one forward pass, also those outside of modules (a skip's addition,
a functional pooling), and carries along which input rows and columns each row and column of a tensor reads.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from explorer.engine.calls import Call
from explorer.engine.passes import check_images, recording_calls
from explorer.engine.receptive_rules import ALIKE, MIXING, circular, followed, keeps_positions
from explorer.engine.spans import CHANNELS_FIRST, Fields, pixels, union
from explorer.engine.values import Integers, Value
from model.pixels import Rectangle
from model.problems import Problem


@dataclass(frozen=True)
class ReceptiveField:
    """The input pixels of one position: rows `top` to `bottom`, columns `left` to `right`, without the stops.

    Below 0, or beyond the image, lies padding. `reach` is the part of the image that can change the position,
    in the same order; (0, 0, 0, 0) if nothing can. If not `exact`, the position may read less than this.
    """

    top: int
    bottom: int
    left: int
    right: int
    reach: tuple[int, int, int, int]
    exact: bool


@dataclass(frozen=True, eq=False)
class ReceptiveFields(Value):
    """The receptive fields of a layer's positions as (start, stop): for each row (h, 2), for each column (w,
    2).

    The `…_reach` are the parts in the image, in which `start >= stop` says that there is none. `place` is
    the part of the image that all positions together stand for: less than all of it after a crop.
    """

    layer: str
    rows: Integers
    columns: Integers
    row_reach: Integers
    column_reach: Integers
    exact: bool
    place: Rectangle

    def at(self, row: int, column: int) -> ReceptiveField:
        """The ReceptiveField of one position. Raises Problem outside the map."""
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


def receptive_fields(net: nn.Module, x: Tensor) -> dict[str, ReceptiveFields]:
    """The ReceptiveFields of every layer that gives feature maps, by name, for inputs (N, C, h, w) like x."""
    check_images(x)
    fields: dict[str, ReceptiveFields] = {}
    x = x.detach().clone()
    follow = Follow(x)

    def record(call: Call) -> None:
        if call.layout is not None:
            size = (x.shape[2], x.shape[3])
            fields[call.layer] = _receptive_fields(call, follow.of(call.output), size)

    run_followed(recording_calls(net, None, record), x, follow)
    return fields


def wraps_around(net: nn.Module) -> bool:
    """Whether a layer's padding is circular: at a border it reads the opposite side of its maps."""
    return any(
        isinstance(module, nn.CircularPad2d) or getattr(module, "padding_mode", "") == "circular"
        for module in net.modules()
    )


def run_followed(view: nn.Module, x: Tensor, follow: "Follow") -> None:
    """One pass of a private view, without gradients, that `follow` goes along with."""
    with torch.inference_mode(False), torch.no_grad(), follow, _Functions(follow):
        view(x)


class _Functions(TorchFunctionMode):
    """Follows as one operation a linear layer over channels, which inside puts rows and columns into one, and
    circular padding, which copies parts.
    """

    def __init__(self, follow: "Follow") -> None:
        super().__init__()
        self.follow = follow

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if args and id(args[0]) in self.follow.known:
            fields = self.follow.of(args[0])
            if func is functional.linear and fields.dims is not None and -1 not in fields.dims:
                self.follow.known[id(out)] = (out, fields)
            elif func is functional.pad and (kwargs or {})["mode"] == "circular":
                self.follow.known[id(out)] = (out, circular(fields, args, out))
        return out


class Follow(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Carries Fields along every operation on tensors that descend from an image."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch would import its compiler to leave this mode out of it; nothing is compiled here."""
        return False

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.image = Fields((pixels(image.shape[2]), pixels(image.shape[3])))
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
            tensors = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
            each = fields if isinstance(fields, list) else [fields] * len(tensors)
            for tensor, own in zip(tensors, each, strict=True):
                self.known[id(tensor)] = (tensor, own)
                self._written(func, tensor, own)
        if func.is_view and args and isinstance(args[0], Tensor):
            self.parent.update({id(leaf): (leaf, args[0]) for leaf in tree_leaves(out)})
        return out

    def _through(
        self, func: Any, args: tuple[Any, ...], out: Any, read: list[Fields]
    ) -> Fields | list[Fields]:
        name = func.overloadpacket.__name__
        if torch.Tag.pointwise in func.tags or name in ALIKE or keeps_positions(name, args, read):
            return union(read)
        if len(read) == 1 and (fields := followed(name, read[0], args, out)):
            return fields
        return union([fields.whole(name in MIXING) for fields in read])

    def _written(self, func: Any, tensor: Tensor, fields: Fields) -> None:
        """What is written into a tensor can be anywhere in the others that share its memory."""
        if not func._schema.is_mutable:
            return
        memory = tensor.untyped_storage()._cdata
        pairs = [pair for pair in self.parent.values() if pair[0].untyped_storage()._cdata == memory]
        for other in {id(each): each for pair in pairs for each in pair if each is not tensor}.values():
            old = [self.known[id(other)][1]] if id(other) in self.known else []
            self.known[id(other)] = (other, union([f.whole(False) for f in (*old, fields)]))


def _is_area(reach: tuple[int, ...]) -> bool:
    return reach[0] < reach[1] and reach[2] < reach[3]


def _receptive_fields(call: Call, fields: Fields, size: tuple[int, int]) -> ReceptiveFields:
    """The fields of a layer's maps, (N, C, h, w), for an image of this size."""
    placed = fields if fields.dims in (CHANNELS_FIRST, None) else fields.whole(False)
    rows, columns = placed.sized(call.output.shape).axes
    (top, bottom), (left, right) = _pixels(rows.place, size[0]), _pixels(columns.place, size[1])
    place = Rectangle(top, bottom, left, right)
    return ReceptiveFields(
        call.layer, rows.look, columns.look, rows.reach, columns.reach, fields.exact, place
    )


def _pixels(place: tuple[float, float], side: int) -> tuple[int, int]:
    """A place in whole pixels of an image; all of it where that leaves none."""
    start, stop = (min(max(round(end), 0), side) for end in place)
    return (start, stop) if start < stop else (0, side)
