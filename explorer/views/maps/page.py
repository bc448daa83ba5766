"""Feature maps: every channel of a layer in one sheet, then one channel, then one cell of it."""

import numpy as np
import streamlit as st

from explorer.engine.geometry import layer_size
from explorer.engine.tracing import Block, layer_module, stages
from explorer.ui import choices, link, markup
from explorer.ui.components.channel_grid import Choice, channel_grid
from explorer.ui.markdown import code, literal
from explorer.ui.selection import Selection, current
from explorer.views.maps import cell_arithmetic, exports, inspector
from explorer.views.maps.exports import Shown

TITLE = "What every channel sees"
ORDERS = ("index", "mean", "contribution")  # as the link calls them


def page() -> None:
    selection = current()
    if not selection.blocks:
        st.header(TITLE, anchor=False)
        st.info("This network has no convolution, so it has no feature maps.")
        return
    all_channels, one_channel = st.columns([4, 3], gap="medium")
    with all_channels:
        st.header(TITLE, anchor=False)
        with st.container(horizontal=True, gap="small", key="layer"):
            block, _, layer = choices.choose_layer(selection)
        found = orders(selection, layer)
        with st.container(key="tiles"):
            channel, choice = choose_channel(selection, layer, found)
        about_the_grid(selection, block)
    with one_channel, st.container(key="channel", gap="xsmall"):
        cell = the_channel(selection, block, layer, channel)
    st.subheader(f"Where the number in row {cell[0]}, column {cell[1]} comes from", anchor=False)
    cell_arithmetic.show(selection, block, layer, channel, cell)
    inspector.show_more(selection, block, channel)
    about_the_channel()
    order = [range(len(selection.seen.maps[layer])), *found.values()][choice.order]
    exports.feature_maps(selection, Shown(block, layer, choice.scale, order, channel, cell))


def the_channel(selection: Selection, block: Block, layer: str, channel: int) -> inspector.Cell:
    """The chosen channel beside the grid; the cell chosen in its map."""
    st.header(f"Channel {channel} of {literal(layer)}", anchor=False)
    return inspector.show(selection, block, layer, channel)


def choose_channel(selection: Selection, layer: str, found: dict[str, list[int]]) -> tuple[int, Choice]:
    """All channels of a layer, one of them chosen: the link's, or the one that speaks most for the class.

    The choice says besides on what scale and in which order the grid shows them.
    """
    maps = selection.seen.maps[layer]
    count, height, width = maps.shape
    first, name = list(found.values())[-1][0], selection.card.classes[selection.target]
    markup.show(
        markup.text(
            f"{layer} has {count} channels of {height} × {width} positions. "
            f"Channel {first} contributes most to “{name}”. Choose any in the grid.",
            "muted",
        )
    )
    shown = held_channel(count, first)
    choice = channel_grid(
        maps,
        key="grid",
        signed=bool(maps.min() < 0),
        selected=shown,
        orders=found,
        scale=choices.grid_scale(),
        order=held_order(),
        label=f"The {count} feature maps of {layer}",
    )
    channel = shown if choice.channel is None else choice.channel
    if channel != shown or link.held("channel", "") == str(channel):
        keep(channel, shown)
    link.hold("scale", choice.scale, "shared")
    link.hold("order", ORDERS[choice.order], ORDERS[0])
    return channel, choice


def held_order() -> int:
    """The place among ORDERS of the order in the link."""
    said = link.held("order", ORDERS[0])
    return ORDERS.index(said) if said in ORDERS else 0


def held_channel(count: int, otherwise: int) -> int:
    """The channel in the link, if the layer has it."""
    said = link.held("channel", "")
    held = int(said) if said.isascii() and said.isdecimal() and len(said) < 6 else count
    return held if held < count else otherwise


def keep(channel: int | None, before: int) -> None:
    """Keep a chosen channel in the link; another one than before starts at its own largest cell."""
    if channel != before:
        link.hold("cell", "", "")
    link.hold("channel", "" if channel is None else str(channel), "")


def orders(selection: Selection, layer: str) -> dict[str, list[int]]:
    """Channels from first to last, besides by number: by mean activation, by contribution to the class."""
    maps = selection.seen.maps[layer]
    share = selection.evidence((layer,))[layer].contributions
    return {
        "Mean activation": np.argsort(-maps.mean((1, 2)), kind="stable").tolist(),
        "Contribution to the class": np.argsort(-share, kind="stable").tolist(),
    }


def about_the_grid(selection: Selection, block: Block) -> None:
    """How to read the grid, and how each layer of the block comes by its size, in numbers."""
    rows = [size_row(selection, name) for name in stages(block, selection.seen).values()]
    with st.expander("How to read this, and how big it comes out"):
        st.markdown(
            "Each tile is one channel: what one learned filter makes of the whole image. Bright (or red) "
            "cells are where it finds what it looks for. With one scale for all channels you see which "
            "are strong; with a scale for each you see the pattern even of faint ones.\n\n"
            "| layer | kind | channels | cells: (input + padding − kernel) / stride + 1 |\n"
            "|---|---|---|---|\n" + "\n".join(rows)
        )


def size_row(selection: Selection, layer: str) -> str:
    name, size = code(layer).replace("|", "\\|"), layer_size(selection.net, selection.seen, layer)
    if size is None:
        kind = type(layer_module(selection.net, layer)).__name__
        return f"| {name} | {literal(kind)} | unchanged | unchanged |"
    return f"| {name} | {literal(size.kind)} | {size.channels[0]} → {size.channels[1]} | {size.formula} |"


def about_the_channel() -> None:
    with st.expander("How to read this"):
        st.markdown(
            "The kernel is what was learned: a small pattern for each input channel, red where the channel "
            "likes a large input, blue where it does not. BatchNorm then moves and stretches every cell of "
            "the channel in the same way. *Grad-CAM weight* is the gradient of the class's logit on the map, "
            "averaged over all positions; times the map's mean it is the channel's *contribution* to the "
            "mean of the heat map. *Without it* does not estimate: the network runs again with this one map "
            "at zero, or flat at its mean, which keeps its level and removes its pattern."
        )


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
