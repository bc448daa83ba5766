"""The lines of the picture: what flows into the chosen channel, back to the first layer that mixes them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from explorer.engine.values import Floats
from explorer.ui import cached
from explorer.ui.selection import Selection
from explorer.views.network.columns import Column, Columns
from model.problems import Problem

LARGEST = 6  # lines of a fan that are drawn whether their channel is shown or not
MOST_STEPS = 8  # layers that a line is followed back through


@dataclass(frozen=True)
class ContributionLine:
    """What a channel of one column gives to the contribution of a channel of a later one.

    `channel` is None for all channels without a line of their own, together: `count` of them. `layer` is
    the one that computes the target from it: a convolution has a kernel for the pair.
    """

    source: int
    channel: int | None
    target: int
    target_channel: int
    layer: str
    value: float
    count: int = 1


def lines_into(selection: Selection, columns: Columns, layer: str, channel: int) -> list[ContributionLine]:
    """The lines into a channel of a layer, and into it through layers before that keep channels apart."""
    lines: list[ContributionLine] = []
    for _ in range(MOST_STEPS):
        inflow = _inflow(selection, layer, channel)
        lines += _fan(selection, columns, inflow, layer, channel)
        before = _only_channel(inflow)
        if before is None or not _shows_channels(columns, before[0]):
            break
        layer, channel = before
    return lines


def _only_channel(inflow: Mapping[str, Floats]) -> tuple[str, int] | None:
    """The one channel of one layer that everything comes from."""
    if len(inflow) != 1:
        return None
    layer, values = next(iter(inflow.items()))
    channels = np.flatnonzero(values)
    return (layer, int(channels[0])) if len(channels) == 1 else None


def _shows_channels(columns: Columns, layer: str) -> bool:
    return (
        layer != ""
        and layer in columns.column_indices
        and columns.columns[columns.column_indices[layer]].layer is not None
    )


def _inflow(selection: Selection, layer: str, channel: int) -> dict[str, Floats]:
    try:
        return cached.inflow(selection.network, selection.input, layer, channel, selection.target)
    except Problem:  # no gradient reaches it, or it mixes channels in a way that cannot be split
        return {}


def _fan(
    selection: Selection, columns: Columns, inflow: Mapping[str, Floats], layer: str, channel: int
) -> list[ContributionLine]:
    """A line from each channel that a layer's channel reads; in a folded block from what is read there."""
    lines: list[ContributionLine] = []
    target = columns.column_indices[layer]
    for source, values in inflow.items():
        index = columns.column_indices.get(source)
        if index is not None and index < target:
            lines += [
                ContributionLine(index, k, target, channel, layer, value, count)
                for k, value, count in _parts(columns.columns[index], values)
            ]
        elif index == target and len(inflow) > 1:  # one of several: what is behind it is looked for here
            lines += _inside(selection, columns, source, values)
    return lines


def _inside(selection: Selection, columns: Columns, layer: str, values: Floats) -> list[ContributionLine]:
    """The lines into a layer of a folded block of which one channel is read, as far as it is read."""
    channels = np.flatnonzero(values)
    total = columns.contributions.get(layer)
    if len(channels) != 1 or total is None or not total[channels[0]]:
        return []
    part = float(values[channels[0]] / total[channels[0]])
    return [
        replace(line, value=line.value * part)
        for line in lines_into(selection, columns, layer, int(channels[0]))
    ]


def _parts(column: Column, values: Floats) -> list[tuple[int | None, float, int]]:
    """The values of the channels that a column shows, of the largest others, and of all others together.

    With each stands how many channels it is of.
    """
    largest = np.argsort(-np.abs(values), kind="stable")[:LARGEST].tolist()
    channels = [k for k in dict.fromkeys([*column.channels, *largest]) if k < len(values)]
    parts: list[tuple[int | None, float, int]] = [(k, float(values[k]), 1) for k in channels if values[k]]
    rest = float(values.sum() - values[channels].sum()) if len(channels) < len(values) else 0.0
    others = np.count_nonzero(values) > len(parts)
    return [*parts, (None, rest, len(values) - len(parts))] if others else parts
