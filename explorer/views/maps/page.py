"""Feature maps: every channel of a layer in one grid, then one channel, then one position of its map."""

import numpy as np
import streamlit as st

from explorer.engine.geometry import layer_size
from explorer.engine.tracing import Block, layer_module, stages
from explorer.ui import choices, link, markup
from explorer.ui.channel_link import open_channel
from explorer.ui.components import arrival
from explorer.ui.components.channel_grid import Choice, channel_grid
from explorer.ui.frame import checkup
from explorer.ui.markdown import code, literal
from explorer.ui.selection import Selection, current
from explorer.views.maps import exports, inspector, position_arithmetic
from explorer.views.maps.view import ColorRanges, View, color_ranges
from model.words import N_, ngettext, tr

TITLE = N_("What each channel responds to")
ORDERS = ("index", "mean", "contribution")  # as the link calls them


def page() -> None:
    selection = current()
    if not selection.blocks:
        st.header(tr(TITLE), anchor=False)
        checkup.without_maps(
            selection.opened, tr("No layer of this network gives feature maps, so there are none to show.")
        )
        return
    all_channels, one_channel = st.columns([4, 3], gap="medium")
    with all_channels:
        st.header(tr(TITLE), anchor=False)
        with st.container(horizontal=True, gap="small", key="layer"):
            block, _, layer = choices.choose_layer(selection)
        colors = color_ranges(selection.seen.maps[layer])
        orders = channel_orders(selection, layer)
        with st.container(key="tiles"):
            channel, choice = choose_channel(selection, layer, colors, orders)
        about_the_grid(selection, block)
    with one_channel, st.container(key="channel", gap="xsmall"):
        st.header(tr("Channel {channel} of {layer}", channel=channel, layer=literal(layer)), anchor=False)
        position = inspector.show(selection, block, layer, channel, colors.each[channel])
        if st.button(tr("This channel over many images"), icon=":material/biotech:", key="to_channel"):
            open_channel(selection, layer, channel, "channel")
    title = tr("How the value at row {row}, column {column} is computed", row=position[0], column=position[1])
    st.subheader(title, anchor=False)
    arithmetic = position_arithmetic.show(selection, block, layer, channel, position)
    kernel = inspector.kernel(selection, block, channel)
    inspector.show_more(selection, block, channel, kernel)
    about_the_channel()
    order = [range(len(colors.each)), *orders.values()][choice.order]
    view = View(block, layer, colors, choice.scale, order, channel, kernel, position, arithmetic)
    exports.feature_maps(selection, view)
    arrival.at("made")


def choose_channel(
    selection: Selection, layer: str, colors: ColorRanges, orders: dict[str, list[int]]
) -> tuple[int, Choice]:
    """All channels of a layer, one of them chosen: the link's, or the one that contributes most to the class.

    The choice also says on what scale and in which order the grid shows them.
    """
    maps = selection.seen.maps[layer]
    first = list(orders.values())[-1][0]
    strongest = first if len(orders) > 1 else None
    markup.show(markup.text(about_the_layer(selection, layer, strongest), "muted"))
    initial = linked_channel(len(maps), first)
    choice = channel_grid(
        maps,
        key="grid",
        signed=colors.signed,
        selected=initial,
        orders=orders,
        scale=choices.grid_scale(),
        order=min(linked_order(), len(orders)),
        limits=colors.shared,
        each=colors.each,
        label=ngettext(
            "The feature map of {layer}", "The {n} feature maps of {layer}", len(maps), layer=layer
        ),
    )
    channel = initial if choice.channel is None else choice.channel
    if channel != initial or link.value("channel", "") == str(channel):
        keep(channel, initial)
    link.keep("scale", choice.scale, "shared")
    link.keep("order", ORDERS[choice.order], ORDERS[0])
    return channel, choice


def about_the_layer(selection: Selection, layer: str, strongest: int | None) -> str:
    """How many channels a layer has, how large they are, and which contributes most to the class if known."""
    count, height, width = selection.seen.maps[layer].shape
    size = {"layer": layer, "height": height, "width": width}
    if strongest is None:
        return ngettext(
            "{layer} has one channel of {height} × {width} positions.",
            "{layer} has {n} channels of {height} × {width} positions. Select any channel in the grid.",
            count,
            **size,
        )
    return ngettext(
        "{layer} has one channel of {height} × {width} positions. "
        "Channel {first} contributes most to “{class_name}”.",
        "{layer} has {n} channels of {height} × {width} positions. "
        "Channel {first} contributes most to “{class_name}”. Select any channel in the grid.",
        count,
        first=strongest,
        class_name=selection.target_name,
        **size,
    )


def linked_order() -> int:
    """The index among ORDERS of the order in the link."""
    order = link.value("order", ORDERS[0])
    return ORDERS.index(order) if order in ORDERS else 0


def linked_channel(count: int, otherwise: int) -> int:
    """The channel in the link, if the layer has it."""
    text = link.value("channel", "")
    channel = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else count
    return channel if channel < count else otherwise


def keep(channel: int, before: int) -> None:
    """Keep a chosen channel in the link; another one than before starts at its own largest value."""
    if channel != before:
        link.keep("cell", "", "")
    link.keep("channel", str(channel), "")


def channel_orders(selection: Selection, layer: str) -> dict[str, list[int]]:
    """Channels from first to last, besides by number: by mean activation, by contribution to the class.

    There are no contributions to layers that no gradient reaches.
    """
    maps, evidence = selection.seen.maps[layer], selection.evidence(layer)
    orders = {tr("Mean activation"): np.argsort(-maps.mean((1, 2)), kind="stable").tolist()}
    if evidence is not None:
        order = np.argsort(-evidence.contributions, kind="stable").tolist()
        orders[tr("Grad-CAM contribution")] = order
    return orders


def about_the_grid(selection: Selection, block: Block) -> None:
    """How to read the grid, and how the size of each layer of the block is computed, in numbers."""
    titles = (tr("layer"), tr("kind"), tr("channels"), tr("positions in each direction"))
    rows = [size_row(selection, name) for name in stages(block, selection.seen).values()]
    with st.expander(tr("How to read this, and how the map sizes are computed")):
        st.markdown(
            tr(
                "Each tile is one channel: the output of one learned kernel at every position of the image. "
                "Where a layer has negative values, red is positive and blue is negative; otherwise brighter "
                "is larger. On a shared scale the channels can be compared. On a scale per channel the "
                "pattern of weak channels is visible too."
            )
        )
        st.markdown("\n".join([table_row(titles), "|---|---|---|---|", *map(table_row, rows)]))


def size_row(selection: Selection, layer: str) -> tuple[str, str, str, str]:
    """A layer's name, kind, channels and size arithmetic as Markdown."""
    name, size = code(layer).replace("|", "\\|"), layer_size(selection.net, selection.seen, layer)
    if size is None:
        kind = type(layer_module(selection.net, layer)).__name__
        return name, literal(kind), tr("unchanged"), tr("unchanged")
    return name, literal(size.kind), f"{size.channels[0]} → {size.channels[1]}", size.formula


def table_row(cells: tuple[str, str, str, str]) -> str:
    return f"| {' | '.join(cells)} |"


def about_the_channel() -> None:
    with st.expander(tr("How to read this")):
        st.markdown(
            tr(
                "The kernel is what the convolution learned: a small pattern of weights for each input "
                "channel. Red weights are positive, blue weights are negative. BatchNorm then scales and "
                "shifts every position of the channel in the same way. *Grad-CAM weight* is the gradient of "
                "the class’s logit with respect to the map, averaged over all positions. Multiplied by the "
                "mean of the map it is the channel’s *contribution* to the mean of the heat map. *Without "
                "this channel* is not an estimate: the network runs again with this map set to zero, or to "
                "its mean at every position, which keeps its level and removes its pattern."
            )
        )


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
