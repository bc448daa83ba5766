"""The channel inspector: one feature map large, what made it, and what it does for the answer."""

from collections.abc import Sequence
from html import escape

import numpy as np
import streamlit as st
from torch import nn

from explorer.drawing import ranges
from explorer.drawing.colormaps import colour
from explorer.drawing.ranges import Range, number, percent
from explorer.drawing.sheets import sheet
from explorer.engine.ablation import Ablations
from explorer.engine.batchnorm import is_batchnorm
from explorer.engine.tracing import Block, Floats, layer_module
from explorer.ui import link, markup
from explorer.ui.components.channel_grid import channel_grid
from explorer.ui.markdown import literal
from explorer.ui.panels import facts
from explorer.ui.selection import Selection
from explorer.views.maps.matrix import MOST, fixed, matrix, plain

STRONGEST = "strongest"
ALL_WITH_NUMBERS = 4  # so few slices need no choice
WIDE = 6  # cells across from which a slice is shown without its numbers at first
LABELLED = 64  # slices shown with their input channel's number
CLASSES_IN_VIEW = 5  # whose change without the channel is shown before anything is unfolded
MOST_CLASSES = 12
COLOURS = ("red", "green", "blue")

Cell = tuple[int, int]


def show(selection: Selection, block: Block, layer: str, channel: int) -> Cell:
    """One channel of a layer of the block: its map, its numbers, the logits without it. The cell chosen."""
    large, numbers = st.columns([5, 6], gap="small")
    with large:
        cell = large_map(selection, layer, channel)
    with numbers:
        markup.show(on_this_image(selection, block, layer, channel), for_the_class(selection, layer, channel))
    switched_off(selection, layer, channel)
    return cell


def show_more(selection: Selection, block: Block, channel: int) -> None:
    """What made the channel: its kernel, and what BatchNorm did to it."""
    with st.container(key="made"):
        made, moved = st.columns([3, 2], gap="large")
    with made:
        kernel(selection, block, channel)
    with moved:
        markup.show(normalisation(selection, block, channel))


# The map


def large_map(selection: Selection, layer: str, channel: int) -> Cell:
    """The map on a scale of its own; its chosen cell is kept in the link, at first it is the largest."""
    values = selection.seen.maps[layer][channel]
    held = held_cell(values.shape)
    shown = held or largest_cell(values)
    choice = channel_grid(
        values[None],
        key="map",
        signed=bool(selection.seen.maps[layer].min() < 0),
        label=f"Feature map {channel} of {layer}",
        selected=0,
        cell=shown,
        cells=True,
    )
    cell = choice.cell or shown
    if cell != shown or held:
        keep_cell(cell)
    return cell


def keep_cell(cell: Cell) -> None:
    """Keep a chosen cell in the link."""
    link.hold("cell", "-".join(map(str, cell)), "")


def largest_cell(values: Floats) -> Cell:
    """Where the largest number of a map (h, w) is."""
    row, column = np.unravel_index(np.argmax(np.nan_to_num(values, nan=-np.inf)), values.shape)
    return int(row), int(column)


def held_cell(shape: Sequence[int]) -> Cell | None:
    """The cell in the link, `row-column`, if a map of this shape has it."""
    parts = link.held("cell", "").split("-")
    if len(parts) != 2 or not all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts):
        return None
    row, column = int(parts[0]), int(parts[1])
    return (row, column) if row < shape[0] and column < shape[1] else None


# Facts


def on_this_image(selection: Selection, block: Block, layer: str, channel: int) -> str:
    values = selection.seen.maps[layer][channel]
    rows = [("mean", number(values.mean())), ("maximum", number(values.max()))]
    if values.min() < 0:
        rows.append(("minimum", number(values.min())))
    if block.act:
        zero = float((selection.seen.maps[block.act][channel] == 0).mean())
        rows.append((f"zero after {block.act}", percent(zero, 0)))
    return facts("On this image", rows)


def for_the_class(selection: Selection, layer: str, channel: int) -> str:
    """Grad-CAM's weight and contribution for the class to explain, and the contribution's rank."""
    evidence = selection.evidence((layer,))[layer]
    share = evidence.contributions
    rank = int((share > share[channel]).sum()) + 1
    rows = [
        ("Grad-CAM weight", number(evidence.weights[channel])),
        ("contribution", f"{'+' if share[channel] > 0 else ''}{number(share[channel])}"),
        ("rank among channels", f"{rank} of {len(share)}"),
    ]
    return facts(f"For {selection.card.classes[selection.target]}", rows)


def normalisation(selection: Selection, block: Block, channel: int) -> str:
    """What the block's BatchNorm does to this channel: learned, remembered, and met in this image."""
    if block.norm is None:
        return facts("BatchNorm", (), markup.text("This block has none.", "muted"))
    if not is_batchnorm(selection.net, block.norm):
        kind = type(layer_module(selection.net, block.norm)).__name__
        said = f"{block.norm} is a {kind} instead: its numbers stand in the steps below."
        return facts("BatchNorm", (), markup.text(said, "muted"))
    found = selection.norm_statistics(block.norm)
    here = np.sqrt(found.var + found.eps)
    table = ["", "running" if found.tracked else "used", "this image"]
    table += ["mean μ", number(found.running_mean[channel]), number(found.mean[channel])]
    table += ["deviation σ", number(found.running_std[channel]), number(here[channel])]
    rows = [
        ("learned scale γ, shift β", f"{number(found.weight[channel])}, {number(found.bias[channel])}"),
        ("in effect", f"× {number(found.slope[channel])}, then {_plus(found.offset[channel])}"),
    ]
    met = markup.element("div", *(markup.text(words) for words in table), cls="fx-met")
    return facts(f"BatchNorm · {block.norm}", rows, met)


def _plus(value: float) -> str:
    return f"− {number(-value)}" if value < 0 else f"+ {number(value)}"


# The kernel


def kernel(selection: Selection, block: Block, channel: int) -> None:
    """The slices of the channel's kernel: all as tiles, the strongest first, and the numbers of one."""
    st.subheader("The kernel that makes it", anchor=False)
    conv, slices = layer_module(selection.net, block.conv), slices_of(selection, block, channel)
    if slices is None or not isinstance(conv, nn.Conv2d):
        st.info(f"{literal(block.conv)} is a {type(conv).__name__}, whose kernels are not taken apart here.")
        return
    first = channel // (conv.out_channels // conv.groups) * len(slices)
    names = input_names(selection, block.conv, range(first, first + len(slices)))
    scale = ranges.symmetric(slices)
    order = strongest_first(slices)
    if len(slices) <= ALL_WITH_NUMBERS:
        shown = [with_numbers(slices[k], names[k], scale) for k in range(len(slices))]
        picture = [as_colours(slices)] if names == list(COLOURS) else []
        markup.show(markup.element("div", *shown, *picture, cls="fx-row"))
    else:
        chosen = choose_slice(order, names)
        tiles = labelled(slices, order, names, scale, chosen)
        numbers = with_numbers(slices[chosen], names[chosen], scale)
        markup.show(markup.element("div", numbers, tiles, cls="fx-kernel"))
    size = " × ".join(map(str, slices.shape[1:]))
    many = "one slice" if len(slices) == 1 else f"one scale for all {len(slices)} slices"
    markup.show(markup.scale(scale, f"{many} of {size}, one for each input channel"))


def slices_of(selection: Selection, block: Block, channel: int) -> Floats | None:
    """The channel's kernel, float32 (I, kh, kw) for the I input channels of its group; None for a layer
    that is no plain convolution.
    """
    conv = layer_module(selection.net, block.conv)
    if not isinstance(conv, nn.Conv2d):
        return None
    return conv.weight[channel].detach().numpy().astype(np.float32)


def strongest_first(slices: Floats) -> list[int]:
    """The slices' places by the sum of their magnitudes, the largest first."""
    order: list[int] = np.argsort(-np.abs(slices).sum((1, 2)), kind="stable").tolist()
    return order


def input_names(selection: Selection, conv: str, channels: range) -> list[str]:
    """What the convolution's input channels are called: by colour if it reads the image."""
    if selection.seen.inputs[conv].source == "":
        return [COLOURS[channel] for channel in channels]
    return [f"channel {channel}" for channel in channels]


def choose_slice(order: list[int], names: list[str]) -> int:
    options = {STRONGEST: "The strongest", **{str(k): names[k] for k in order}}  # a text never changes
    said = link.choose(
        st.selectbox,
        "Numbers of the slice for input",
        list(options),
        "slice",
        STRONGEST,
        format_func=options.get,
        width=260,
    )
    return order[0] if said == STRONGEST else int(said)


def with_numbers(values: Floats, name: str, scale: Range) -> str:
    """A slice with its numbers, which a wide one has to unfold."""
    said = f"Kernel slice for {name}"
    numbers = matrix(values, scale, said)
    if WIDE <= max(values.shape) <= MOST:
        folded = markup.element("details", markup.text("the numbers", tag="summary"), numbers)
        numbers = plain(values, scale, said) + folded
    caption = markup.element("figcaption", markup.text(name))
    return markup.element("figure", numbers, caption, cls="fx-slice")


def as_colours(slices: Floats) -> str:
    """The three slices of a first layer (3, kh, kw) as one colour picture: grey is zero."""
    reach = float(np.abs(slices).max()) or 1.0
    pixels = np.rint((slices.transpose(1, 2, 0) / reach + 1) * 127.5).astype(np.uint8)
    caption = markup.text("all three as colours; grey is zero")
    figure = markup.figure(pixels, "The kernel as a colour picture", caption, fill=True)
    return markup.element("div", figure, cls="fx-many")


def labelled(slices: Floats, order: list[int], names: list[str], scale: Range, chosen: int) -> str:
    """Tiles with the input channel under each, and what is left over as one sheet."""
    pixels = colour(slices, scale)
    tiles = [_tile(pixels[k], names[k], k == chosen) for k in order[:LABELLED]]
    inner = [markup.element("div", *tiles, cls="fx-tiles")]
    if rest := order[LABELLED:]:
        others = sheet(slices[rest], scale, gap=2, width=420, largest=24)
        said = f"The other {len(rest)} slices, from stronger to weaker"
        inner.append(markup.figure(others, said, markup.text(said)))
    return markup.element("div", *inner)


def _tile(pixels: markup.Pixels, name: str, chosen: bool) -> str:
    short = name.removeprefix("channel ")
    figure = markup.figure(pixels, f"Kernel slice for {name}", markup.text(short), fill=True)
    return markup.element("div", figure, cls="chosen" if chosen else "")


# Without it


def switched_off(selection: Selection, layer: str, channel: int) -> None:
    """What every logit does when the channel is set to zero, or to its mean, in a real forward pass."""
    found = selection.ablation(layer, channel)
    markup.show(
        markup.element(
            "section",
            markup.text("Without it", tag="h3"),
            markup.text(consequence(selection, found)),
            changes(selection, found),
            cls="fx-without",
        )
    )


def consequence(selection: Selection, found: Ablations) -> str:
    """One sentence on the class to explain and the answer, with the channel at zero."""
    names, target = selection.card.classes, selection.target
    after = int(found.zeroed[0].argmax())
    answer = f"stays {names[after]}" if after == selection.predicted else f"becomes {names[after]}"
    return (
        f"With this channel at zero the logit of {names[target]} goes from {number(found.logits[target])} "
        f"to {number(found.zeroed[0][target])}, and the answer {answer}."
    )


def changes(selection: Selection, found: Ablations) -> str:
    """Bars left and right of zero: each class's logit with the channel off, less the logit as it is.

    The most changed classes come first; all but a few of them are folded away.
    """
    zeroed, averaged = (off[0] - found.logits for off in (found.zeroed, found.averaged))
    largest = np.maximum(np.abs(zeroed), np.abs(averaged))
    reach = float(largest.max())
    if not reach:
        return markup.text("No logit changes: what comes after does not use this channel here.", "muted")
    names = selection.card.classes
    rows = [
        _change(names[k], zeroed[k], averaged[k], reach, k == selection.target)
        for k in most_changed(largest, selection.target)
    ]
    head = ["<div></div><div></div>", _key("at zero", "zeroed"), _key("at its mean", "averaged")]
    bars = markup.element("div", *head, *rows[:CLASSES_IN_VIEW], cls="fx-changes")
    said = f"Change of each logit, the most changed first; bars to ±{number(reach)}"
    return bars + markup.text(said, "muted") + _folded(rows[CLASSES_IN_VIEW:], len(names) - len(rows))


def most_changed(largest: Floats, target: int) -> list[int]:
    """The classes by how far their logit moves, the furthest first; the target is among those in view."""
    order: list[int] = np.argsort(-largest, kind="stable").tolist()
    if target not in order[:CLASSES_IN_VIEW]:
        order.remove(target)
        order.insert(CLASSES_IN_VIEW - 1, target)
    return order[:MOST_CLASSES]


def _folded(rows: list[str], left_out: int) -> str:
    """The classes that are not in view at first, to unfold."""
    if not rows:
        return ""
    more = f", {left_out} others changed less" if left_out else ""
    summary = markup.text(f"{len(rows)} more classes{more}", tag="summary")
    return markup.element("details", summary, markup.element("div", *rows, cls="fx-changes"))


def _change(name: str, zeroed: float, averaged: float, reach: float, chosen: bool) -> str:
    mark = "chosen" if chosen else ""
    decimals = max(2, 1 - int(np.floor(np.log10(reach))))
    bars = _bar(zeroed / reach, "zeroed") + _bar(averaged / reach, "averaged")
    return (
        markup.text(name, mark)
        + f'<div class="track">{bars}</div>'
        + markup.text(_signed(zeroed, decimals), mark)
        + markup.text(_signed(averaged, decimals), mark)
    )


def _key(words: str, cls: str) -> str:
    return f'<div class="key"><i class="{cls}"></i>{escape(words)}</div>'


def _signed(value: float, decimals: int) -> str:
    return f"{'+' if value > 0 else ''}{fixed(value, decimals)}"


def _bar(share: float, cls: str) -> str:
    side = "gain" if share > 0 else "loss"
    place = f"left:{50 + min(share, 0) * 50:.2f}%;width:{abs(share) * 50:.2f}%"
    return f'<span class="{cls} {side}" style="{place}"></span>'
