"""Grad-CAM of one class by two networks, and both predictions."""

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.drawing import ranges
from explorer.drawing.ranges import Range
from explorer.engine.attribution import heat_from
from explorer.engine.values import Floats
from explorer.ui import cached, choices, markup, panels
from explorer.ui.frame import checkup, header
from explorer.ui.markdown import sentence
from explorer.ui.selection import Selection
from explorer.views.compare import side_b, sides
from explorer.views.compare.sides import Side
from model.problems import Problem
from model.words import N_, paragraph, tr

HOW_TO_READ = N_(
    "Red supports the class, blue opposes it. Values are in units of the logit of each network. Channels are "
    "not compared: in networks that were trained from different initial weights, the same channel number "
    "does not mean the same feature."
)


@dataclass(frozen=True, eq=False)
class Cam:
    """Grad-CAM (h, w) of one side, its color range, and in words how far the range is shared."""

    side: Side
    values: Floats
    range: Range
    scale: str
    shared: bool


def show(selection: Selection, other: Selection) -> dict[str, Cam] | None:
    """Both predictions, and Grad-CAM of one class at a layer of each; None where there is none."""
    left, right = st.columns(2, gap="large")
    a, b = choose_layers(left, right, selection, other)
    st.subheader(tr("Grad-CAM"), anchor=False)
    scales = {scale: tr(name) for scale, name in choices.SCALE_NAMES.items()}
    shared = choices.choice(tr("Color scale"), scales, "ab_scale", "own") == "shared"
    try:
        cams = compute(a, b, shared)
    except Problem as problem:
        st.info(sentence(problem))
        return None
    show_cams(cams)
    st.caption(paragraph([tr(HOW_TO_READ), where_channels_are_compared(selection)]))
    return cams


def where_channels_are_compared(selection: Selection) -> str:
    """How to choose, or to train, two networks whose channels correspond."""
    if side_b.other_epochs(selection.opened):
        return tr(
            "Snapshots of one run are compared channel by channel: choose “{option}” above.",
            option=tr(side_b.SIDES["epoch"]),
        )
    return tr(
        "Snapshots of one run are compared channel by channel, but A has none: train with "
        "`--snapshot-every 1` to keep them."
    )


def choose_layers(
    left: DeltaGenerator, right: DeltaGenerator, selection: Selection, other: Selection
) -> tuple[Side, Side]:
    with left:
        st.subheader(tr("A"), anchor=False)
        last = choices.last_block(selection)
        block, stage, layer = choices.choose_layer(selection, "a_cam_", first_block=last)
        markup.show(header.beside(selection))
    with right:
        st.subheader(tr("B"), anchor=False)
        other_block, _, other_layer = sides.choose_like(selection, other, "b_cam_", block, stage)
        markup.show(header.beside(other))
        checkup.show(other.opened)
    return Side(selection, layer, block.name), Side(other, other_layer, other_block.name)


def compute(a: Side, b: Side, shared: bool) -> dict[str, Cam]:
    """Grad-CAM of each side, "A" and "B". Raises Problem where it cannot explain one of the layers."""
    heats = {"A": grad_cam(a), "B": grad_cam(b)}
    common = ranges.symmetric(*heats.values())
    cams = {}
    for name, side in (("A", a), ("B", b)):
        range = common if shared else ranges.symmetric(heats[name])
        scale = tr("the same scale for A and B") if shared else tr("scale of {side} only", side=name)
        cams[name] = Cam(side, heats[name], range, scale, shared)
    return cams


def grad_cam(side: Side) -> Floats:
    """Grad-CAM (h, w) of the side's class at its layer."""
    one = side.selection
    gradients = cached.gradients(one.network, one.input, (side.layer,), (one.target,))
    return heat_from(one.net, gradients[side.layer][0], "grad_cam").values


def show_cams(cams: dict[str, Cam]) -> None:
    a, b = cams["A"], cams["B"]
    below = markup.scale(a.range, a.scale) if a.shared else ""
    panels.side_by_side([panel(name, cam) for name, cam in cams.items()], below)
    first, second = a.side.selection, b.side.selection
    panels.explain_dimmed(first)
    if second.sample.pixels.shape != first.sample.pixels.shape:
        panels.explain_dimmed(second)
    if a.side.target != b.side.target:
        note = tr(
            "B has no class “{name}”, so its Grad-CAM explains its own prediction, “{prediction}”.",
            name=a.side.target_name,
            prediction=b.side.target_name,
        )
        markup.show(markup.text(note, "muted"))


def panel(name: str, cam: Cam) -> str:
    fields = {"side": name, "name": cam.side.target_name, "layer": cam.side.layer}
    return panels.heat_panel(
        cam.side.selection,
        cam.side.layer,
        cam.values,
        cam.range,
        tr("{side}: {name} at {layer}", **fields),
        tr("{side}: Grad-CAM of {name} at {layer}", **fields),
        panels.extent(cam.values),
        "" if cam.shared else cam.scale,
    )
