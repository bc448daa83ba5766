"""Explain: which positions, and which feature maps, support a class."""

from collections.abc import Collection, Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.engine.attribution import METHODS, LayerGradients, evidence_from
from explorer.engine.tracing import Block
from explorer.ui import cached, choices
from explorer.ui.frame import checkup, way_back
from explorer.ui.markdown import literal, sentence
from explorer.ui.selection import Selection, current
from explorer.views.explain import contributions, exports, heat_maps
from explorer.views.explain.heat_maps import HeatMaps
from model.problems import Problem
from model.words import tr


def page() -> None:
    selection = current()
    way_back.button(selection)
    name = literal(selection.target_name)
    st.header(tr("Why “{name}”?", name=name), anchor=False)
    if not selection.blocks:
        checkup.without_maps(
            selection.opened,
            tr("No layer of this network gives feature maps, so there is nothing to explain here."),
        )
        return
    row = st.container(horizontal=True)
    blocks = choices.choose_blocks(selection)
    with row:
        method, stage, signed = choose_method(selection, blocks.values())
    titles = heat_maps.titles_at(selection, blocks, stage)
    titles = checkup.with_gradient(selection, titles)
    if not titles:
        return
    shared = color_scale(row, titles) == "shared"
    gradients = cached.gradients(selection.network, selection.input, tuple(titles), (selection.target,))
    maps = show_heat_maps(selection, gradients, method, titles, signed, shared)
    heat_maps.how_to_read(method)
    st.header(tr("Feature maps with the largest contributions"), anchor=False)
    with st.container(horizontal=True):
        layer = choices.choice(tr("Layer"), titles, "carrier", choices.last_layer(selection, list(titles)))
        opens = {"maps": tr("Feature maps"), "channel": tr("Channel")}
        opened = choices.choice(tr("A click on a card opens"), opens, "opens_on")
    evidence = {layer: evidence_from(one) for layer, (one,) in gradients.items()}
    largest = contributions.largest(evidence[layer])
    contributions.show(selection, largest, opened)
    if maps is not None:
        exports.show(selection, maps, evidence, largest)


def choose_method(selection: Selection, blocks: Collection[Block]) -> tuple[str, str, bool]:
    """A method that works from the kept pass, a stage of these blocks, and whether to show negatives."""
    names = {name: tr(record.title) for name, record in METHODS.items() if record.heat}
    method = choices.pick(tr("Method"), names, "method", width=150)
    stages = choices.stage_names(selection, blocks)
    stage = choices.pick(tr("Stage"), stages, "cam_stage", "act", width=150)
    kinds = {kind: tr(name) for kind, name in choices.EVIDENCE_NAMES.items()}
    return method, stage, choices.choice(tr("Evidence"), kinds, "evidence") == "signed"


def color_scale(row: DeltaGenerator, titles: dict[str, str]) -> str:
    """A key of SCALE_NAMES; a single map has its own scale, without a question."""
    if len(titles) < 2:
        return "own"
    scales = {scale: tr(name) for scale, name in choices.SCALE_NAMES.items()}
    with row:
        return choices.choice(tr("Color scale"), scales, "cam_scale", "own")


def show_heat_maps(
    selection: Selection,
    gradients: Mapping[str, Sequence[LayerGradients]],
    method: str,
    titles: dict[str, str],
    signed: bool,
    shared: bool,
) -> HeatMaps | None:
    """The heat maps that are shown; None, and the reason on the page, where the method has none."""
    try:
        maps = heat_maps.compute(selection, gradients, method, titles, signed=signed, shared=shared)
    except Problem as problem:
        st.info(sentence(problem))
        return None
    if not METHODS[method].uses_class:
        title = tr(METHODS[method].title)
        st.info(
            tr("{method} does not use the class: these heat maps are the same for every class.", method=title)
        )
    heat_maps.show(selection, maps)
    return maps


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
