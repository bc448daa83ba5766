"""Explain: which places, and which feature maps, made this class win."""

import numpy as np
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import colour
from explorer.drawing.ranges import Range, number
from explorer.engine.attribution import METHODS, ChannelEvidence
from explorer.engine.tracing import Block, stages
from explorer.ui import choices, markup, offers, panels
from explorer.ui.offers.explain import Shown
from explorer.ui.selection import Selection, current

FOR, AGAINST = 8, 4  # how many maps are shown on either side


def page() -> None:
    selection = current()
    st.header(f"Where does {selection.card.classes[selection.target]} come from?", anchor=False)
    if not selection.blocks:
        st.info("This network has no convolution, so there are no feature maps to explain.")
        return
    named = choices.stage_names(selection, selection.blocks)
    with st.container(horizontal=True):
        names = {name: record.title for name, record in METHODS.items()}
        method = choices.pick("Method", names, "method", width=150)
        stage = choices.pick("Stage", named, "cam_stage", "act", width=150)
        evidence = choices.choice("Evidence", choices.EVIDENCE_NAMES, "evidence")
        scale = choices.choice("Colour scale", choices.SCALE_NAMES, "cam_scale")
    titles = layers_at(selection, choices.choose_blocks(selection), stage)
    if not titles:
        st.info("Choose at least one block above.")
        return
    try:
        heat_maps(selection, method, titles, evidence == "signed", scale == "shared")
    except ValueError as error:
        st.info(str(error))
    how_to_read(method)
    st.header("The feature maps that carry it", anchor=False)
    layer, shown = carriers(selection, titles)
    offers.heat_maps(
        selection,
        Shown(method, METHODS[method].title, titles, evidence == "signed", scale == "shared", layer, shown),
    )


def layers_at(selection: Selection, blocks: dict[int, Block], stage: str) -> dict[str, str]:
    """Layer → title of each block at this stage, or of its convolution where it has no such stage."""
    layers = {place: stages(block, selection.seen).get(stage, block.conv) for place, block in blocks.items()}
    return {layer: f"Block {place} · {layer}" for place, layer in layers.items()}


def heat_maps(selection: Selection, method: str, titles: dict[str, str], signed: bool, shared: bool) -> None:
    heats = {layer: heat.values for layer, heat in selection.heat_maps(method, tuple(titles)).items()}
    choose = ranges.symmetric if signed else ranges.positive
    common = choose(*heats.values())
    pixels, name = selection.sample.pixels, selection.card.classes[selection.target]
    scales = {layer: common if shared else choose(heat) for layer, heat in heats.items()}
    panels.side_by_side(
        [
            panels.heat_panel(
                pixels,
                heat,
                scales[layer],
                titles[layer],
                f"{METHODS[method].title} of {name} at {layer}",
                finding(heat, scales[layer]),
            )
            for layer, heat in heats.items()
        ],
        markup.scale(common, "one scale for all blocks") if shared else "",
    )


def finding(heat: np.ndarray, range: Range) -> str:
    """What the map amounts to, in words: its range, or that nothing speaks for the class."""
    height, width = heat.shape
    negative = float((heat < 0).mean())
    if not heat.max() > 0:
        return (
            f"Nothing here speaks for the class: {negative:.0%} of the {height} × {width} cells are negative."
        )
    faint = ", faint on this scale" if heat.max() < range.high / 5 else ""
    return f"{panels.extent(heat)}{faint}; {negative:.0%} of them negative."


def how_to_read(method: str) -> None:
    record = METHODS[method]
    with st.expander("How to read this"):
        st.markdown(
            f"{record.title} {record.summary}. Large is the sum over the image, small is the raw map with "
            "its true cells. Late blocks see whole objects on a coarse grid; early ones see edges finely, "
            f"but say less about the class. {record.units}"
        )


def carriers(selection: Selection, titles: dict[str, str]) -> tuple[str, list[int]]:
    """The feature maps that speak most for and against the class at a chosen layer, and which they are."""
    layer = choices.choice("At", titles, "carrier", list(titles)[-1])
    evidence = selection.evidence(tuple(titles))[layer]
    total = evidence.contributions
    order = np.argsort(-total)
    helping = [int(c) for c in order[:FOR] if total[c] > 0]
    opposing = [int(c) for c in order[::-1][:AGAINST] if total[c] < 0]
    reach = float(np.abs(total).max()) or 1.0
    for title, channels in (("Speaking for it", helping), ("Speaking against it", opposing)):
        if channels:
            st.markdown(f"**{title}**")
            cards = [card(evidence, c, total[c] / reach) for c in channels]
            markup.show(markup.element("div", *cards, cls="fx-cards"))
    st.caption(
        "Grad-CAM's weight × the map's mean = its contribution; all contributions add up to the mean of the "
        "heat map. Bars are drawn against the largest of this layer, each map on its own colour scale."
    )
    return layer, helping + opposing


def card(evidence: ChannelEvidence, channel: int, share: float) -> str:
    values = evidence.maps[channel]
    own = ranges.shared(values, signed=bool(values.min() < 0))
    side = "fx-share" if share >= 0 else "fx-share against"
    return markup.figure(
        colour(values, own),
        f"Feature map {channel}, from {number(values.min())} to {number(values.max())}",
        markup.text(f"channel {channel}", "strong"),
        markup.text(f"{number(evidence.weights[channel])} × {number(values.mean())}"),
        markup.text(f"= {number(evidence.contributions[channel])}"),
        f'<div class="{side}"><span style="width:{abs(share):.1%}"></span></div>',
        fill=True,
    )


page()
