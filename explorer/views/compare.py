"""Compare: two sides, each with its own checkpoint, image and layer, on one locked scale; or two classes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import colour
from explorer.drawing.ranges import Range
from explorer.ui import cached, choices, header, link, markup, panels, sidebar
from explorer.ui.components.channel_grid import Choice, channel_grid
from explorer.ui.markdown import literal
from explorer.ui.offers import compare as offered
from explorer.ui.offers.compare import Side
from explorer.ui.options import options
from explorer.ui.selection import Selection, current

MODES = {"maps": "Feature maps", "classes": "Two classes"}
SIDES = {
    "same": "The same image",
    "image": "Another image",
    "checkpoint": "Another checkpoint",
    "both": "Another of both",
}


def page() -> None:
    selection = current()
    st.header("Side by side, on one scale", anchor=False)
    with st.container(horizontal=True):
        mode = choices.choice("Compare", MODES, "compare")
        own = choices.choice("B looks at", SIDES, "b_own") if mode == "maps" else ""
    if mode == "maps":
        feature_maps(selection, own)
    else:
        classes(selection)


# Feature maps


def feature_maps(selection: Selection, own: str) -> None:
    other = other_side(selection, own)
    if other is None:
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("A", anchor=False)
        layer = choices.choose_layer(selection, "a_")[2]
    with right:
        st.subheader("B", anchor=False)
        # The same place of the same image would show no difference at first.
        first = "norm" if other is selection else "act"
        other_layer = choices.choose_layer(other, "b_", first)[2]
    mine, theirs = selection.seen.maps[layer], other.seen.maps[other_layer]
    common, each, scale = offered.common(mine, theirs), offered.each(mine, theirs), choices.grid_scale()
    channel = chosen_channel(min(len(mine), len(theirs)))
    with left:
        show_side("A", selection, layer, mine, common, each, channel)
    with right:
        show_side("B", other, other_layer, theirs, common, each, channel)
    link.hold("scale", scale, "shared")
    closely(mine, theirs, channel, scale)
    how_to_read()
    offered.side_by_side(Side(selection, layer), Side(other, other_layer), channel, scale)


def chosen_channel(channels: int) -> int:
    """The channel that both sides show, from the link or from the last click on either grid."""
    held = link.held("channel", "0")
    channel = int(held) if held.isdecimal() and int(held) < channels else 0
    link.hold("channel", str(channel), "0")
    return channel


def follow(choice: Choice) -> None:
    """A click on one grid chooses the channel, or the kind of scale, for both."""
    if choice.channel is not None:
        link.hold("channel", str(choice.channel), "0")
    link.hold("scale", choice.scale, "shared")


def other_side(selection: Selection, own: str) -> Selection | None:
    """What B looks at, of SIDES: another image, another checkpoint, or the same as A; None until chosen."""
    given = options()
    opened, sample = selection.opened, selection.sample
    if own in ("checkpoint", "both"):
        names = list(given.checkpoints)
        first = next((name for name in names if name != opened.name), names[0])
        name = link.choose(st.selectbox, "Checkpoint of B", names, "b_checkpoint", first)
        opened = cached.opened(name, given.checkpoints[name])
    if own in ("image", "both"):
        chosen = sidebar.choose_sample(opened.card, given, "b_")
        if chosen is None:
            return None
        sample = chosen
    if own == "same":
        return selection
    return replace(selection, opened=opened, sample=sample, chosen=None)


def show_side(
    side: str,
    one: Selection,
    layer: str,
    maps: np.ndarray,
    common: Range,
    each: Sequence[Range],
    channel: int,
) -> None:
    markup.show(header.beside(one))
    channel_grid(
        maps,
        key=f"grid_{side}",
        signed=common.signed,
        limits=common,
        each=each[: len(maps)],
        scale=choices.grid_scale(),
        selected=channel,
        on_change=follow,
        label=f"{side}: the feature maps of {layer}",
    )


def closely(mine: np.ndarray, theirs: np.ndarray, channel: int, scale: str) -> None:
    """The chosen channel of both sides, large, and their difference where the shapes agree."""
    st.subheader(f"Channel {channel}, closely", anchor=False)
    panels.side_by_side(
        [
            titled(side, values, range, f"{side.replace('−', 'minus')}: channel {channel}")
            for side, (values, range) in offered.closely(mine, theirs, channel, scale).items()
        ]
    )
    if mine.shape != theirs.shape:
        st.caption("The two layers have different shapes, so there is no difference cell by cell.")
    elif np.array_equal(mine, theirs):
        st.caption("Both sides are the same in every cell of every channel.")
    else:
        most = np.abs(mine - theirs).mean((1, 2))
        st.caption(
            f"Over all channels, A and B differ most in channel {most.argmax()} "
            f"(on average by {ranges.number(most.max())} a cell)."
        )


def titled(title: str, values: np.ndarray, range: Range, alt: str) -> str:
    height, width = values.shape
    said = "the same scale for A and B" if title in ("A", "B") else "the largest difference of any channel"
    return markup.element(
        "section",
        markup.text(title, tag="h4"),
        markup.figure(colour(values, range), alt, markup.text(f"{height} × {width} cells"), fill=True),
        markup.scale(range, said),
    )


def how_to_read() -> None:
    with st.expander("How to read this"):
        st.markdown(
            "Both sides share one colour scale, so equal colours are equal values. Choose a channel on "
            "either side and both follow. Compare stages to see what each step does, images to see what "
            "a channel answers to, checkpoints to see what training changed: channel 5 of one network has "
            "nothing to do with channel 5 of another that was trained from other random weights."
        )


# Two classes


def classes(selection: Selection) -> None:
    names = selection.card.classes
    if len(names) < 2:
        st.info("This network has one class only, so there is no other to compare it with.")
        return
    others = [int(k) for k in np.argsort(-selection.seen.logits) if k != selection.target]
    chosen = link.choose(
        st.selectbox,
        f"Why {literal(names[selection.target])} rather than",
        [names[k] for k in others],
        "against",
        names[others[0]],
    )
    other = names.index(chosen)
    blocks = choices.choose_blocks(selection).values()
    layers = tuple(block.act or block.norm or block.conv for block in blocks)
    rows = {
        names[selection.target]: selection.heat_maps("grad_cam", layers),
        names[other]: selection.heat_maps("grad_cam", layers, other),
        f"{names[selection.target]} − {names[other]}": selection.heat_maps("grad_cam", layers, None, other),
    }
    for layer in layers:
        heats = {title: found[layer].values for title, found in rows.items()}
        compared(selection, layer, heats)
    panels.explain_dimmed(selection)
    st.caption(
        "The difference is Grad-CAM of the difference of the two logits: red speaks for the first class."
    )
    offered.two_classes(selection, layers, other)


def compared(selection: Selection, layer: str, heats: dict[str, np.ndarray]) -> None:
    common = ranges.symmetric(*heats.values())
    st.subheader(literal(layer), anchor=False)
    panels.side_by_side(
        [
            panels.heat_panel(
                selection, heat, common, title, f"Grad-CAM of {title} at {layer}", panels.extent(heat)
            )
            for title, heat in heats.items()
        ],
        markup.scale(common, f"one scale for all three at {layer}"),
    )


page()
