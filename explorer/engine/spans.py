"""Which rows and columns of an image the rows and columns of a tensor read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from explorer.engine.values import Integers

NOTHING = (2**40, -(2**40))  # an empty span: any minimum or maximum with it is the other's
Dims = tuple[int, int]
CHANNELS_FIRST: Dims = (-2, -1)


@dataclass(frozen=True, eq=False)
class Spans:
    """For each index of one axis the input span it reads (n, 2), and the part of it in the image.

    `jump` is the distance in pixels between neighbors, which continues the axis into its padding. `place` is
    the part of the image that all indices together stand for, in pixels: less than the image after a crop,
    but not after a window, since a map is drawn over the whole of what a convolution read.
    """

    look: Integers
    reach: Integers
    jump: int
    place: tuple[float, float]

    def at(self, taps: Integers, filled: Integers | None = None, jump: int | None = None) -> "Spans":
        """The spans of windows (m, k) of indices; `filled` are what they read where padding copies some."""
        inside = np.clip(taps, 0, len(self.look) - 1)
        look = self.look[inside] + ((taps - inside) * self.jump)[..., None]
        copied = taps if filled is None else filled
        real = (copied >= 0) & (copied < len(self.reach))
        reach = np.where(real[..., None], self.reach[np.clip(copied, 0, len(self.reach) - 1)], NOTHING)
        return Spans(_hull(look, 1), _hull(reach, 1), self.jump if jump is None else jump, self.place)

    def cropped(self, start: int, stop: int) -> "Spans":
        """The same spans, with the `place` of the indices from `start` to `stop`, also beyond its ends."""
        first, last = self.place
        pixel = (last - first) / len(self.look)
        return replace(self, place=(first + start * pixel, first + stop * pixel))

    def within_image(self) -> "Spans":
        """The same spans, whose `place` has no padding: a window reads it, and its map does not show it."""
        low, high = int(self.reach[:, 0].min()), int(self.reach[:, 1].max())
        start, stop = max(self.place[0], low), min(self.place[1], high)
        return replace(self, place=(start, stop)) if start < stop else self

    def sized(self, count: int) -> "Spans":
        """As many spans as positions, from one that stands for any number."""
        look, reach = (np.broadcast_to(spans, (count, 2)).copy() for spans in (self.look, self.reach))
        return Spans(look, reach, self.jump, self.place)

    def whole(self) -> "Spans":
        """One span for the whole axis."""
        return Spans(_hull(self.look, 0)[None], _hull(self.reach, 0)[None], 0, self.place)


@dataclass(frozen=True, eq=False)
class Fields:
    """The spans of a tensor's rows and columns; an axis of length 1 stands for any length.

    `dims` are the tensor's dimensions that hold the rows and the columns, counted from its end: (-2, -1) with
    channels first, (-3, -2) with channels last; None where every value reads the same.
    """

    axes: tuple[Spans, Spans]
    exact: bool = True
    dims: Dims | None = CHANNELS_FIRST

    def whole(self, exact: bool) -> "Fields":
        return Fields((self.axes[0].whole(), self.axes[1].whole()), self.exact and exact, None)

    def sized(self, shape: Sequence[int]) -> "Fields":
        """With axes of the lengths of a tensor of this shape."""
        dims = self.dims or CHANNELS_FIRST
        rows, columns = (s.sized(shape[dim]) for s, dim in zip(self.axes, dims, strict=True))
        return Fields((rows, columns), self.exact, dims)

    def at(self, dims: Dims) -> "Fields":
        """The same rows and columns in other dimensions."""
        return Fields(self.axes, self.exact, dims if self.dims else None)

    def windowed(self, windows: Sequence[tuple[Integers, int]]) -> "Fields":
        rows, columns = (
            spans.within_image().at(taps, jump=spans.jump * stride)
            for spans, (taps, stride) in zip(self.axes, windows, strict=True)
        )
        return Fields((rows, columns), self.exact, self.dims)


def union(many: list[Fields]) -> Fields:
    """What a value reads that is made of values of several tensors, at the same row and column of each."""
    dims = {fields.dims for fields in many} - {None}
    if len(dims) > 1:
        return union([fields.whole(False) for fields in many])
    rows, columns = (_join([fields.axes[axis] for fields in many]) for axis in (0, 1))
    return Fields((rows, columns), all(fields.exact for fields in many), next(iter(dims), None))


def _join(spans: list[Spans]) -> Spans:
    look = np.stack(np.broadcast_arrays(*(s.look for s in spans)), 1)
    reach = np.stack(np.broadcast_arrays(*(s.reach for s in spans)), 1)
    place = min(s.place[0] for s in spans), max(s.place[1] for s in spans)
    return Spans(_hull(look, 1), _hull(reach, 1), max(s.jump for s in spans), place)


def _hull(spans: Integers, axis: int) -> Integers:
    return np.stack([spans[..., 0].min(axis), spans[..., 1].max(axis)], -1)


def pixels(size: int) -> Spans:
    """The spans of an image's own rows or columns."""
    spans = np.stack([np.arange(size), np.arange(size) + 1], -1)
    return Spans(spans, spans, 1, (0.0, float(size)))
