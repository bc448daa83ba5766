"""Compare: two sides, each with its own checkpoint, image and layer, on one locked scale; or two classes."""

from dataclasses import replace

import numpy as np
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import colour
from explorer.drawing.overlay import overlay
from explorer.drawing.ranges import Range
from explorer.drawing.sheets import sheet
from explorer.ui import cached, choices, header, link, markup, sidebar
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
    mode = choices.choice("Compare", MODES, "compare")
    if mode == "maps":
        feature_maps(selection)
    else:
        classes(selection)


# Feature maps


def feature_maps(selection: Selection) -> None:
    other = other_side(selection)
    if other is None:
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("A", anchor=False)
        layer = choices.choose_layer(selection, "a_")[2]
    with right:
        st.subheader("B", anchor=False)
        other_layer = choices.choose_layer(other, "b_")[2]
    mine, theirs = selection.seen.maps[layer], other.seen.maps[other_layer]
    common = ranges.shared(mine, theirs, signed=bool(min(mine.min(), theirs.min()) < 0))
    with left:
        show_side("A", selection, layer, mine, common)
    with right:
        show_side("B", other, other_layer, theirs, common)
    markup.show(markup.scale(common, "shared by A and B"))
    difference(mine, theirs, layer, other_layer)


def other_side(selection: Selection) -> Selection | None:
    """What B looks at: another image, another checkpoint, or the same as A; None until it is chosen."""
    given = options()
    opened, sample = selection.opened, selection.sample
    own = choices.choice("B looks at", SIDES, "b_own")
    if own in ("checkpoint", "both"):
        names = list(given.checkpoints)
        name = link.choose(st.selectbox, "Checkpoint of B", names, "b_checkpoint", names[0])
        opened = cached.opened(name, given.checkpoints[name])
    if own in ("image", "both"):
        chosen = sidebar.choose_sample(opened.card, given, "b_")
        if chosen is None:
            return None
        sample = chosen
    return replace(selection, opened=opened, sample=sample, chosen=None)


def show_side(side: str, one: Selection, layer: str, maps: np.ndarray, common: Range) -> None:
    channels, height, width = maps.shape
    markup.show(
        header.beside(one),
        markup.figure(
            sheet(maps, common),
            f"{side}: the {channels} feature maps of {layer}",
            markup.text(f"{layer}: {channels} channels of {height} × {width} cells"),
            fill=True,
        ),
    )


def difference(mine: np.ndarray, theirs: np.ndarray, layer: str, other: str) -> None:
    st.subheader("A − B", anchor=False)
    if mine.shape != theirs.shape:
        st.caption(f"{layer} and {other} have different shapes, so there is no difference cell by cell.")
        return
    gap = mine - theirs
    if not gap.any():
        st.caption("Both sides are the same in every cell.")
        return
    own = ranges.symmetric(gap)
    markup.show(
        markup.figure(sheet(gap, own), f"{layer} of A minus {other} of B, channel by channel", fill=True),
        markup.scale(own, "A − B, shared by all channels"),
    )


# Two classes


def classes(selection: Selection) -> None:
    names = selection.card.classes
    others = [int(k) for k in np.argsort(-selection.seen.logits) if k != selection.target]
    chosen = link.choose(
        st.selectbox,
        f"Why {names[selection.target]} rather than",
        [names[k] for k in others],
        "against",
        names[others[0]],
    )
    other = names.index(chosen)
    layers = tuple(block.act or block.norm or block.conv for block in selection.blocks)
    rows = {
        names[selection.target]: selection.evidence(layers),
        names[other]: selection.evidence(layers, other),
        f"{names[selection.target]} − {names[other]}": selection.evidence(layers, None, other),
    }
    for layer in layers:
        heats = {title: found[layer].values for title, found in rows.items()}
        compared(selection, layer, heats)
    st.caption(
        "The difference is Grad-CAM of the difference of the two logits: red speaks for the first class."
    )


def compared(selection: Selection, layer: str, heats: dict[str, np.ndarray]) -> None:
    common = ranges.symmetric(*heats.values())
    panels = [
        markup.element(
            "section",
            markup.element("h4", markup.text(title, tag="span")),
            markup.element(
                "div",
                markup.figure(
                    overlay(selection.sample.pixels, heat, common), f"{title} at {layer}", fill=True
                ),
                markup.figure(colour(heat, common), f"{title} at {layer}, the raw map", fill=True),
                cls="fx-pair",
            ),
        )
        for title, heat in heats.items()
    ]
    st.subheader(layer, anchor=False)
    markup.show(markup.element("div", *panels, cls="fx-panels"), markup.scale(common, f"shared at {layer}"))


page()
