"""The heat maps of Explain: their values, titles and color ranges, and how they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.ranges import Range, from_to, percent, plain_number
from explorer.engine.attribution import METHODS, LayerGradients, heat_from
from explorer.engine.tracing import Block, stages
from explorer.engine.values import Floats
from explorer.ui import markup, panels
from explorer.ui.selection import Selection
from model.words import N_, paragraph, tr

FAINT = 1 / 5  # of the upper end of the scale
POSITIVE = N_("{height} × {width} positions, {low} … {high}; {percent} of them are negative.")
FAINT_POSITIVE = N_(
    "{height} × {width} positions, {low} … {high}; {percent} of them are negative. Positive values are small "
    "on this scale."
)
ONE_POSITION = N_("1 × 1 position, {value}: this map marks no place in the image.")
NOT_POSITIVE = N_(
    "No position supports the class: {percent} of the {height} × {width} positions are negative."
)


@dataclass(frozen=True, eq=False)
class HeatMaps:
    """One method's heat maps: layer → values (h, w), title and color range, in the order of the page.

    If `shared`, all ranges are the same.
    """

    method: str
    values: dict[str, Floats]
    titles: dict[str, str]
    ranges: dict[str, Range]
    shared: bool


def titles_at(selection: Selection, blocks: dict[int, Block], stage: str) -> dict[str, str]:
    """Layer → title of each block at this stage, or else of the layer that the block is called by."""
    layers = {
        number: stages(block, selection.seen).get(stage, block.name) for number, block in blocks.items()
    }
    return {
        layer: tr("Block {number} · {layer}", number=number, layer=layer) for number, layer in layers.items()
    }


def compute(
    selection: Selection,
    gradients: Mapping[str, Sequence[LayerGradients]],
    method: str,
    titles: dict[str, str],
    *,
    signed: bool,
    shared: bool,
) -> HeatMaps:
    """The heat maps at the layers that have a title. Raises Problem where the method cannot explain one."""
    values = {layer: heat_from(selection.net, gradients[layer][0], method).values for layer in titles}
    choose = ranges.symmetric if signed else ranges.positive
    common = choose(*values.values())
    own = {layer: common if shared else choose(heat) for layer, heat in values.items()}
    return HeatMaps(method, values, titles, own, shared)


def show(selection: Selection, heat_maps: HeatMaps) -> None:
    common = islice(heat_maps.ranges.values(), 1) if heat_maps.shared else ()
    panels.side_by_side(
        [panel(selection, heat_maps, layer) for layer in heat_maps.values],
        *(markup.scale(range, tr("shared scale for all blocks")) for range in common),
    )
    panels.explain_dimmed(selection)


def panel(selection: Selection, heat_maps: HeatMaps, layer: str) -> str:
    heat, range = heat_maps.values[layer], heat_maps.ranges[layer]
    alt = tr(
        "{method} of {name} at {layer}",
        method=tr(METHODS[heat_maps.method].title),
        name=selection.target_name,
        layer=layer,
    )
    scale = "" if heat_maps.shared else tr("its own scale")
    return panels.heat_panel(
        selection, layer, heat, range, heat_maps.titles[layer], alt, description(heat, range), scale
    )


def description(heat: Floats, range: Range) -> str:
    """A heat map (h, w) in words: its size and values, and whether it supports the class at all."""
    height, width = heat.shape
    if heat.size == 1:
        return tr(ONE_POSITION, value=plain_number(heat.max()))
    negative = percent(float((heat < 0).mean()), 0)
    if not heat.max() > 0:
        return tr(NOT_POSITIVE, height=height, width=width, percent=negative)
    low, high = from_to(heat.min(), heat.max())
    template = FAINT_POSITIVE if heat.max() < range.high * FAINT else POSITIVE
    return tr(template, height=height, width=width, low=low, high=high, percent=negative)


def how_to_read(method: str) -> None:
    record = METHODS[method]
    maps = tr(
        "For every block, the large picture shows the heat map over the image, smoothly enlarged; the small "
        "one is the raw map, one square for each position. Late layers have few positions, and each of them "
        "depends on a large part of the image; early layers have many positions, but their maps say less "
        "about the class."
    )
    with st.expander(tr("How to read this")):
        st.markdown(
            "\n\n".join([paragraph([tr(record.summary), tr(record.units)]), tr(record.pitfall), maps])
        )
