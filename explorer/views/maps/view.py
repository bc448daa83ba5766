"""What the page shows, computed once: screen and exports draw from the same value."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explorer.drawing import ranges
from explorer.drawing.ranges import Range
from explorer.engine.probe import PositionProbe
from explorer.engine.tracing import Block
from explorer.engine.values import Floats

Position = tuple[int, int]  # a row and a column of a map


@dataclass(frozen=True)
class ColorRanges:
    """The color ranges of a layer's maps: one shared by all channels, and one for each channel."""

    shared: Range
    each: tuple[Range, ...]

    @property
    def signed(self) -> bool:
        """True where the maps have negative values."""
        return self.shared.signed


def color_ranges(maps: Floats) -> ColorRanges:
    """The color ranges of maps (C, h, w), about zero if any value is negative."""
    signed = bool(maps.min() < 0)
    return ColorRanges(ranges.shared(maps, signed=signed), ranges.per_channel(maps, signed))


@dataclass(frozen=True, eq=False)
class Kernel:
    """A channel's kernel: slices float32 (I, kh, kw), the input channels they belong to, their shared color
    range, and their indices, largest sum of magnitudes first.
    """

    slices: Floats
    channels: range
    range: Range
    order: list[int]


def kernel_of(slices: Floats, channels: range) -> Kernel:
    """The Kernel of slices (I, kh, kw) for these input channels."""
    order: list[int] = np.argsort(-np.abs(slices).sum((1, 2)), kind="stable").tolist()
    return Kernel(slices, channels, ranges.symmetric(slices), order)


@dataclass(frozen=True, eq=False)
class View:
    """A layer of a block, the color ranges, scale and order of its grid, the chosen channel with its kernel,
    and the chosen position with its arithmetic. The kernel is None for a layer that is not a Conv2d, the
    arithmetic where it cannot be shown.
    """

    block: Block
    layer: str
    ranges: ColorRanges
    scale: str
    order: Sequence[int]
    channel: int
    kernel: Kernel | None
    position: Position
    arithmetic: PositionProbe | None
