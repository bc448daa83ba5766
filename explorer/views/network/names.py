"""What the start page calls columns and channels, and which layer it opens for them."""

from collections.abc import Iterable

import numpy as np

from explorer.engine.tracing import stages
from explorer.ui.selection import Selection
from explorer.views.network.columns import Column
from model.names import readable
from model.words import N_, ngettext, tr

COLORS = (N_("red"), N_("green"), N_("blue"))


def short_name(column: Column) -> str:
    """The end of the node's name, which has to fit over its column."""
    return tr("input") if column.node.kind == "image" else readable(short(column.node.name))


def short(layer: str) -> str:
    """The end of a layer's path.

    >>> short("layer1.0.conv2"), short("features.0#2"), short("0")
    ('conv2', 'features.0#2', '0')
    """
    return levels(layer)[0]


def levels(layer: str) -> tuple[str, ...]:
    """The parts of a layer's path from its end, a number with the part before it.

    >>> levels("layer1.0.conv2"), levels("residual1.block1.conv")
    (('conv2', 'layer1.0'), ('conv', 'block1', 'residual1'))
    """
    parts, found = layer.split("."), list[str]()
    while parts:
        count = 2 if parts[-1].partition("#")[0].isdecimal() else 1
        found.append(".".join(parts[-count:]))
        parts = parts[:-count]
    return tuple(found)


def depth(layers: Iterable[str]) -> int:
    """How many modules around a layer are to be named so that no two of these layers are called the same."""
    paths = [levels(layer) for layer in dict.fromkeys(layers)]
    most = max(map(len, paths), default=1)
    return next(
        (count for count in range(most) if len({path[: count + 1] for path in paths}) == len(paths)), most - 1
    )


def chips(layers: Iterable[str]) -> dict[str, str]:
    """Layer → the shortest end of its path that no other of these layers has; lines may break in it.

    >>> [chip.replace(BREAK, "|") for chip in chips(["stem.conv", "a.block.conv", "b.block.conv"]).values()]
    ['stem.|conv', 'a.|block.|conv', 'b.|block.|conv']
    """
    paths = {layer: levels(layer) for layer in layers}
    ends = {}
    for layer, path in paths.items():
        others = [each for each in paths.values() if each != path]
        counts = range(1, len(path) + 1)
        count = next((n for n in counts if all(path[:n] != each[:n] for each in others)), len(path))
        ends[layer] = readable(f".{BREAK}".join(reversed(path[:count])))
    return ends


BREAK = "\N{ZERO WIDTH SPACE}"


def full_name(column: Column) -> str:
    return tr("input") if column.node.kind == "image" else readable(column.node.name)


def channel_name(
    selection: Selection, column: Column, channel: int | None, *, of_class: bool = False, count: int = 1
) -> str:
    """A channel with the layer that gives it: `channel 12 of conv1`, `red`, a logit, or, for None, the
    `count` channels without a line.

    A folded block shows the channels of its last layer; `of_class` tells that they are one for each class.
    """
    if column.layer is None:
        return full_name(column)
    if column.layer == "":
        colors = COLORS if column.count >= len(COLORS) else ()
        return tr(colors[channel]) if channel is not None and channel < len(colors) else tr("gray")
    layer, is_unit = layer_name(selection, column), len(column.node.shape) < 2
    if channel is None:
        return without_line(layer, count, is_unit)
    if of_class:
        template = N_("the logit of “{class_name}”") if gives_logits(selection, column) else CLASS
        return tr(template, class_name=selection.class_names[channel], layer=layer)
    if is_unit:
        return tr("unit {unit} of {layer}", unit=channel, layer=layer)
    return tr("channel {channel} of {layer}", channel=channel, layer=layer)


def without_line(layer: str, count: int, is_unit: bool) -> str:
    """The channels or units of a layer whose line is one for all of them."""
    if is_unit:
        return ngettext(
            "the {n:,} unit of {layer} without a line",
            "the {n:,} units of {layer} without a line",
            count,
            layer=layer,
        )
    return ngettext(
        "the {n:,} channel of {layer} without a line",
        "the {n:,} channels of {layer} without a line",
        count,
        layer=layer,
    )


CLASS = N_("{class_name} ({layer})")


def gives_logits(selection: Selection, column: Column) -> bool:
    """Whether the numbers of a column, one for each class, are the logits, and not scaled afterward."""
    if column.glimpse is None or column.node.shape != selection.seen.logits.shape:
        return False
    logits = selection.seen.logits[list(column.channels)]
    return np.allclose(column.glimpse.low, logits, rtol=1e-3, atol=1e-4)


def layer_name(selection: Selection, column: Column) -> str:
    """What gives a column's channels: a layer, or a function after the last layer of its block."""
    name, block = column.layer or "", column.node.block
    if block is None or name in selection.seen.shapes:
        return readable(name)
    layer = last_layer(selection, block)
    return tr("{function} after {layer}", function=readable(name), layer=readable(layer))


def last_layer(selection: Selection, block: int) -> str:
    return list(stages(selection.blocks[block], selection.seen).values())[-1]


def layer_to_open(selection: Selection, column: Column) -> str | None:
    """The layer that Feature maps shows for a column: for a function of a block, the last layer before it."""
    if column.layer is None:
        return None
    if any(column.layer in stages(block, selection.seen).values() for block in selection.blocks):
        return column.layer
    return None if column.node.block is None else last_layer(selection, column.node.block)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
