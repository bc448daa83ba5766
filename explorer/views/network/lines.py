"""The lines of the picture: what flows into the chosen channel, back to the first layer that mixes them."""

from dataclasses import dataclass

import numpy as np

from explorer.engine.values import Floats
from explorer.ui import cached
from explorer.ui.selection import Selection
from explorer.views.network.columns import Column, Columns
from model.problems import Problem

MOST_STEPS = 8  # layers that a line is followed back through


@dataclass(frozen=True)
class Line:
    """What a channel of one column gives to the contribution of a channel of a later one.

    `channel` is None for all channels that the source's column does not show, together. `layer` is the one
    that computes the target from it: a convolution has a kernel for the pair.
    """

    source: int
    channel: int | None
    target: int
    target_channel: int
    layer: str
    value: float


def lines_into(selection: Selection, columns: Columns, layer: str, channel: int) -> list[Line]:
    """The lines into a channel of a layer, and into it through layers before that keep channels apart."""
    lines: list[Line] = []
    target = columns.places[layer]
    for _ in range(MOST_STEPS):
        inflow = _inflow(selection, layer, channel)
        inner = len(inflow) == 1 and columns.places.get(next(iter(inflow))) == target
        if not inner:
            lines += _fan(columns, inflow, target, channel, layer)
        if len(inflow) != 1 or np.count_nonzero(next(iter(inflow.values()))) != 1:
            break
        ((layer, values),) = inflow.items()
        if layer not in columns.places or layer == "":
            break
        channel_before, channel = channel, int(np.flatnonzero(values)[0])
        if channel != channel_before and inner:
            break
        target = columns.places[layer]
        if columns.columns[target].layer is None:
            break
    return lines


def _inflow(selection: Selection, layer: str, channel: int) -> dict[str, Floats]:
    try:
        return cached.inflow(selection.network, selection.input, layer, channel, selection.target)
    except Problem:  # no gradient reaches it, or it mixes channels in a way that cannot be split
        return {}


def _fan(columns: Columns, inflow: dict[str, Floats], target: int, channel: int, layer: str) -> list[Line]:
    lines: list[Line] = []
    for source, values in inflow.items():
        place = columns.places.get(source)
        if place is None or place >= target:
            continue
        lines += [
            Line(place, k, target, channel, layer, value)
            for k, value in _parts(columns.columns[place], values)
        ]
    return lines


def _parts(column: Column, values: Floats) -> list[tuple[int | None, float]]:
    """The values of the channels that a column shows, and of all others together."""
    shown = [k for k in column.channels if k < len(values)]
    parts: list[tuple[int | None, float]] = [(k, float(values[k])) for k in shown if values[k]]
    rest = float(values.sum() - values[shown].sum()) if len(shown) < len(values) else 0.0
    others = np.count_nonzero(values) > len(parts)
    return [*parts, (None, rest)] if others else parts
