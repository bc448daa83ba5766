"""The columns and lines as the picture shows them: every text that stands in it."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import nn

from explorer.drawing import ranges
from explorer.drawing.pictures import reduced
from explorer.drawing.ranges import in_decimals, number, probability, signed
from explorer.engine.graph import Node
from explorer.ui.components.network_graph import Answer, Stage, Thread, Tile
from explorer.ui.selection import Selection
from explorer.views.network.columns import Column, Columns
from explorer.views.network.lines import ContributionLine
from explorer.views.network.names import (
    capital,
    channel_name,
    depth,
    full_name,
    gives_logits,
    layer_to_open,
    levels,
    short_name,
)
from model.names import readable
from model.words import N_, ngettext, paragraph, tr

SIGNS = {"flatten": "▤", "add": "+", "concat": "∥", "multiply": "×"}
PICTURE = 96  # pixels at most of the image
THOUSANDS = ((1e6, "M"), (1e4, "k"))  # parameters from which on a number is rounded


def image_of(selection: Selection) -> np.ndarray:
    """The pixels that the network gets, uint8 (h, w, 3), no larger than the picture shows them."""
    return reduced(selection.framed, PICTURE)


def stages_of(selection: Selection, columns: Columns, unfolded: Sequence[int], folds: bool) -> list[Stage]:
    """Every column as the picture shows it; with `folds`, blocks can be folded and unfolded."""
    around = modules_around([column.node for column in columns.columns])
    return [
        stage_of(selection, column, index == columns.logits, unfolded if folds else None, around)
        for index, column in enumerate(columns.columns)
    ]


def stage_of(
    selection: Selection, column: Column, is_last: bool, unfolded: Sequence[int] | None, around: int
) -> Stage:
    node, glimpse = column.node, column.glimpse
    folding = fold_of(selection, column, unfolded)
    return Stage(
        name=short_name(column),
        lines=lines_of(column, around, is_last and gives_logits(selection, column)),
        text=about(selection, column, is_last),
        kind=node.kind,
        node=node.name,
        sign="" if column.layer is not None else SIGNS.get(node.kind, "·"),
        opens=page_of(selection, column, is_last) is not None,
        folds=folding[0],
        folds_text=folding[1],
        tiles=tuple(tile(selection, column, row, is_last) for row in range(len(column.channels))),
        rest=some(len(column.channels), column.count),
        maps=None if glimpse is None else glimpse.maps,
        range=column.range,
    )


def some(drawn: int, count: int) -> str:
    """How many of a column's channels are shown; "" where all are, or none."""
    return tr("{shown} of {count:,}", shown=drawn, count=count) if 0 < drawn < count else ""


def fold_of(selection: Selection, column: Column, unfolded: Sequence[int] | None) -> tuple[str, str]:
    """Whether a column's block can be unfolded or folded by it, and how that is called."""
    block = column.node.block
    if unfolded is None or block is None:
        return "", ""
    name = readable(selection.blocks[block].name)
    if column.node.kind == "block":
        return "unfold", tr("Show the layers of block {number}, {layer}", number=block + 1, layer=name)
    if block in unfolded and column.node.name == selection.blocks[block].name:
        return "fold", tr("Fold block {number}, {layer}", number=block + 1, layer=name)
    return "", ""


def page_of(selection: Selection, column: Column, is_last: bool) -> str | None:
    """The page that a column's heading opens."""
    if is_last:
        return "explain"
    if layer_to_open(selection, column) is None:
        return None
    return "batchnorm" if column.node.kind == "norm" else "maps"


# Words


def modules_around(nodes: Sequence[Node]) -> int:
    """How many modules stand under the names of columns: one where any is in a module, or as many as it
    takes to tell all columns apart.
    """
    nested = any("." in node.name for node in nodes)
    return max(depth(node.name for node in nodes), 1 if nested else 0)


def lines_of(column: Column, around: int, is_logits: bool = False) -> tuple[str, ...]:
    """What stands under a name: modules it is in, channels, positions, and parameters if it learns any.

    Each has the same line under every name, the first ones for as many modules as `modules_around` says, the
    nearest first; under the image stands what the last line is.
    """
    shape = column.node.shape
    outer = levels(column.node.name)[1:]
    within = [readable(outer[index]) if index < len(outer) else "" for index in range(around)]
    size = [f"{shape[0]:,}" if len(shape) < 3 else f"{shape[0]:,} ×"] if shape else []
    positions = ["×".join(f"{side}" for side in shape[1:])] if len(shape) > 1 else [""]
    if is_logits:
        positions = [tr("logits")]
    if column.node.kind == "image":
        learned = [tr("parameters:")]
    else:
        learned = [compact(column.node.parameters)] if column.node.parameters else []
    return (*within, *size, *positions, *learned)


def size(node: Node) -> str:
    """A shape in words: `32 × 16 × 16`."""
    return " × ".join(f"{side:,}" for side in node.shape)


def compact(count: int) -> str:
    """A number of parameters in five signs: the whole one stands in the heading's tip.

    >>> compact(896), compact(9_248), compact(73_856), compact(1_049_088)
    ('896', '9,248', '73.9k', '1.05M')
    """
    for unit, letter in THOUSANDS:
        if count >= unit:
            scaled = count / (1e6 if letter == "M" else 1e3)
            return f"{scaled:.3g}{letter}"
    return f"{count:,}"


def about(selection: Selection, column: Column, is_last: bool) -> str:
    """A column in sentences: what it is, its shape and parameters, its color range, what a click opens."""
    node = column.node
    shape = size(node)
    sentences = [
        tr(
            "{name} ({kind}): {shape}.",
            name=full_name(column),
            kind=kind_of(selection.net, column),
            shape=shape,
        )
    ]
    if node.parameters:
        sentences.append(ngettext("{n:,} parameter.", "{n:,} parameters.", node.parameters))
    if column.range is not None and node.kind != "image":
        sentences.append(tr("Colors: {range}, shared by the column.", range=ranges.text(column.range)))
    page = page_of(selection, column, is_last)
    if page is not None:
        sentences.append(tr(OPENS[page]))
    return paragraph(sentences)


OPENS = {
    "maps": N_("Click to open Feature maps."),
    "batchnorm": N_("Click to open BatchNorm."),
    "explain": N_("Click to open Explain."),
}
OPERATIONS = {
    "image": N_("the network’s input"),
    "add": N_("addition"),
    "concat": N_("concatenation"),
    "multiply": N_("multiplication"),
    "flatten": N_("the maps as one row of numbers"),
    "block": N_("folded block"),
}


def kind_of(net: nn.Module, column: Column) -> str:
    """The class of the node's module, or what its operation is called."""
    node = column.node
    if node.kind in OPERATIONS:
        return tr(OPERATIONS[node.kind])
    module = dict(net.named_modules()).get(node.name.rpartition("#")[0] or node.name)
    return tr("operation") if module is None else type(module).__name__


def tile(selection: Selection, column: Column, row: int, of_class: bool) -> Tile:
    """A channel in words, and its contribution beside the largest of its layer."""
    channel, glimpse = column.channels[row], column.glimpse
    assert glimpse is not None
    name = capital(channel_name(selection, column, channel, of_class=of_class))
    low, high = number(float(glimpse.low[row])), number(float(glimpse.high[row]))
    if of_class:
        template = N_("{name}: {value}. Click to explain this class.")
    elif column.layer == "":
        template = N_("{name}, normalized: from {low} to {high}.")
    else:
        template = N_("{name}: {value}.") if low == high else N_("{name}: from {low} to {high}.")
    text = tr(template, name=name, value=low, low=low, high=high)
    contributions = column.contributions
    if contributions is None or column.layer == "" or of_class:
        return Tile(channel, text)
    largest = float(np.abs(contributions).max())
    value = float(contributions[channel])
    contribution = tr(
        "Contribution to “{class_name}”: {value}.", class_name=selection.target_name, value=signed(value)
    )
    return Tile(channel, f"{text} {contribution}", round(value / largest, 4) if largest else 0.0)


# Lines


def threads_of(selection: Selection, columns: Columns, lines: Sequence[ContributionLine]) -> list[Thread]:
    """Lines as the picture draws them: their thickness is relative to the largest into the same channel."""
    largest: dict[tuple[int, int], float] = {}
    for line in lines:
        if line.channel is not None:
            into = line.target, line.target_channel
            largest[into] = max(largest.get(into, 0.0), abs(line.value))
    written = in_decimals(line.value for line in lines)
    return [
        thread(selection, columns, line, largest.get((line.target, line.target_channel), 0.0), written)
        for line in lines
    ]


def thread(
    selection: Selection,
    columns: Columns,
    line: ContributionLine,
    largest: float,
    written: Callable[[float], str],
) -> Thread:
    source, target = columns.columns[line.source], columns.columns[line.target]
    from_name = channel_name(selection, source, line.channel, count=line.count)
    opens = opens_kernel(selection, columns, line)
    of_class = line.target == columns.logits
    text = tr(
        ADDS if line.count == 1 or source.layer is None else ADD,
        source=capital(from_name),
        value=signed(line.value),
        target=channel_name(selection, target, line.target_channel, of_class=of_class),
    )
    if opens:
        text += " " + tr("Click to open its kernel.")
    return Thread(
        source=(line.source, row_of(source, line.channel)),
        target=(line.target, row_of(target, line.target_channel)),
        value=float(np.clip(line.value / largest, -1, 1).round(4)) if largest else 0.0,
        amount=signed(line.value, written),
        label=from_name,
        text=text,
        opens=opens,
        together=line.channel is None,
    )


ADDS = N_("{source} adds {value} to the contribution of {target}.")
ADD = N_("{source} together add {value} to the contribution of {target}.")


def row_of(column: Column, channel: int | None) -> int:
    """The row of a channel in its column, −1 where it is not shown."""
    return column.channels.index(channel) if channel is not None and channel in column.channels else -1


def opens_kernel(selection: Selection, columns: Columns, line: ContributionLine) -> bool:
    """Whether a line has a kernel of its own: a channel through a convolution."""
    conv = {block.conv for block in selection.blocks}
    return line.layer in conv and line.channel is not None and columns.columns[line.source].layer is not None


# Classes


def class_bars(selection: Selection, columns: Columns) -> list[Answer]:
    return [class_bar(selection, k) for k in columns.classes]


def class_bar(selection: Selection, k: int) -> Answer:
    """A class with its probability."""
    name, fraction = selection.class_names[k], float(selection.seen.probabilities[k])
    percent = probability(fraction)
    template = N_("{class_name}: {percent}. Click to explain this class.")
    text = tr(template, class_name=name, percent=percent)
    return Answer(k, readable(name), percent, round(fraction, 4), text, k == selection.target)
