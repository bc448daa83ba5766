"""Feature maps of two images, layers or epochs, side by side, and the difference of one channel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.ranges import Range, plain_number
from explorer.engine.values import Floats
from explorer.ui import choices, link, markup, panels
from explorer.ui.components.channel_grid import Choice, channel_grid
from explorer.ui.frame import header
from explorer.ui.selection import Selection
from explorer.views.compare import sides
from explorer.views.compare.sides import Side
from model.words import N_, paragraph, tr

DIFFERENCE = N_("A − B")


@dataclass(frozen=True, eq=False)
class Map:
    """One map (h, w), its color range, and in words how far the range is shared."""

    values: Floats
    range: Range
    scale: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """The feature maps of two sides: a range for all channels and one for each, the same on both sides.

    `maps` are the chosen channel of "A", of "B" and, where channels correspond, their difference.
    """

    a: Side
    b: Side
    channel: int
    scale: str
    common: Range
    each: Sequence[Range]
    difference: Floats | None
    maps: dict[str, Map]


def show(selection: Selection, other: Selection, own: str) -> Comparison:
    """Choose a layer of each side, and show both."""
    left, right = st.columns(2, gap="large")
    a, b = choose_layers(left, right, selection, other, own)
    channel = chosen_channel(a, b)
    comparison = compare(a, b, channel, choices.grid_scale())
    for column, name, side in ((left, "A", a), (right, "B", b)):
        with column:
            show_side(name, side, comparison)
    link.keep("scale", comparison.scale, "shared")
    show_channel(comparison)
    how_to_read()
    return comparison


def choose_layers(
    left: DeltaGenerator, right: DeltaGenerator, selection: Selection, other: Selection, own: str
) -> tuple[Side, Side]:
    with left:
        st.subheader(tr("A"), anchor=False)
        block, stage, layer = choices.choose_layer(selection, "a_")
    with right:
        st.subheader(tr("B"), anchor=False)
        # The same layer of the same image would show no difference at first.
        first = sides.another_stage(selection, block, stage) if own == "same" else stage
        other_block, _, other_layer = sides.choose_like(selection, other, "b_", block, first)
    return Side(selection, layer, block.name), Side(other, other_layer, other_block.name)


def compare(a: Side, b: Side, channel: int, scale: str) -> Comparison:
    """Two sides on one range ("shared"), or on one for each channel ("channel")."""
    common = ranges.shared(a.maps, b.maps, signed=bool(min(a.maps.min(), b.maps.min()) < 0))
    each = ranges.each_shared(a.maps, b.maps, signed=common.signed)
    range, same = common if scale == "shared" else each[channel], tr("the same scale for A and B")
    maps = {"A": Map(a.maps[channel], range, same), "B": Map(b.maps[channel], range, same)}
    difference = a.maps - b.maps if channels_correspond(a, b) else None
    if difference is not None:
        largest = tr("up to the largest difference of any channel")
        maps[DIFFERENCE] = Map(difference[channel], ranges.symmetric(difference), largest)
    return Comparison(a, b, channel, scale, common, each, difference, maps)


def channels_correspond(a: Side, b: Side) -> bool:
    """Whether channel c of A is that of B, position by position: in one block, with maps of one size."""
    return a.conv == b.conv and a.maps.shape == b.maps.shape


def chosen_channel(a: Side, b: Side) -> int:
    """The channel that both sides show, from the link or from the last click on either grid; without one the
    channel that differs most.
    """
    text = link.value("channel", "")
    channels = min(len(a.maps), len(b.maps))
    if text.isascii() and text.isdecimal() and len(text) < 6 and int(text) < channels:
        link.keep("channel", text, "")
        return int(text)
    link.keep("channel", "", "")
    return int(_differences(a.maps - b.maps).argmax()) if channels_correspond(a, b) else 0


def _differences(difference: Floats) -> Floats:
    """The mean absolute difference of each channel, (C,)."""
    return np.asarray(np.abs(difference).mean((1, 2)))


def follow(choice: Choice) -> None:
    """A click on one grid chooses the channel, or the kind of scale, for both."""
    if choice.channel is not None:
        link.keep("channel", str(choice.channel), "")
    link.keep("scale", choice.scale, "shared")


def show_side(name: str, side: Side, comparison: Comparison) -> None:
    markup.show(header.beside(side.selection))
    channel_grid(
        side.maps,
        key=f"grid_{name}",
        signed=comparison.common.signed,
        limits=comparison.common,
        each=comparison.each[: len(side.maps)],
        scale=comparison.scale,
        selected=comparison.channel,
        on_change=follow,
        label=tr("{side}: the feature maps of {layer}", side=name, layer=side.layer),
    )


def show_channel(comparison: Comparison) -> None:
    """The chosen channel of both sides, large, and their difference where it is the same channel."""
    st.subheader(tr("Channel {channel} of A and B", channel=comparison.channel), anchor=False)
    panels.side_by_side([panel(name, comparison) for name in comparison.maps])
    st.caption(difference_in_words(comparison))


def panel(name: str, comparison: Comparison) -> str:
    one = comparison.maps[name]
    height, width = one.values.shape
    if name == DIFFERENCE:
        alt = tr("A minus B: channel {channel}", channel=comparison.channel)
    else:
        alt = tr("{side}: channel {channel}", side=name, channel=comparison.channel)
    size = tr("{height} × {width} positions", height=height, width=width)
    return markup.element(
        "section",
        markup.text(tr(name), tag="h4"),
        markup.figure(color(one.values, one.range), alt, markup.text(size), fill=True),
        markup.scale(one.range, one.scale),
    )


def difference_in_words(comparison: Comparison) -> str:
    """How far A and B are apart, or why they are not subtracted."""
    a, b, difference = comparison.a, comparison.b, comparison.difference
    if a.conv != b.conv:
        return tr(
            "A and B are in different blocks. The same channel number does not mean the same feature there, "
            "so no difference is shown."
        )
    if difference is None:
        return tr("The maps of A and B have different sizes, so no difference is shown.")
    if np.array_equal(a.maps, b.maps):
        return tr("A and B are equal at every position of every channel.")
    means = _differences(difference)
    most, chosen = int(means.argmax()), comparison.channel
    sentence = tr(
        "Channel {channel} differs most: its mean absolute difference is {value}.",
        channel=most,
        value=plain_number(means[most]),
    )
    if chosen == most:
        return sentence
    own = tr("That of channel {channel} is {value}.", channel=chosen, value=plain_number(means[chosen]))
    return paragraph([sentence, own])


def how_to_read() -> None:
    with st.expander(tr("How to read this")):
        st.markdown(
            tr(
                "A and B have the same color scale, so in one channel equal colors mean equal values. Click "
                "a channel to show it on both sides. Compare two stages of a block to see what a layer does, "
                "two images to see what a channel responds to, or two epochs of one run to see what training "
                "changed. Channels correspond only within one block and one run; otherwise no difference is "
                "shown."
            )
        )
