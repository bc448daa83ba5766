"""What the page “Explain” offers for download: heat maps, and the feature maps that contribute most."""

from collections.abc import Mapping
from functools import partial

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.figures import Panel
from explorer.drawing.ranges import number
from explorer.engine.attribution import METHODS, ChannelEvidence
from explorer.ui import effects
from explorer.ui.exports import downloads, export_parts
from explorer.ui.exports.downloads import Offer, Pictures, Tables
from explorer.ui.selection import Selection
from explorer.views.explain.contributions import Contributions
from explorer.views.explain.heat_maps import HeatMaps
from model.words import tr


def show(
    selection: Selection,
    heat_maps: HeatMaps,
    evidence: Mapping[str, ChannelEvidence],
    largest: Contributions,
) -> None:
    """Heat maps by a method at some layers, with the channel evidence behind Grad-CAM at each."""
    downloads.show(partial(offer, selection, heat_maps, dict(evidence), largest))


def offer(
    selection: Selection, maps: HeatMaps, evidence: dict[str, ChannelEvidence], largest: Contributions
) -> Offer:
    last, measured = list(maps.values)[-1], effects.measured_so_far(selection, largest.evidence)
    more: Tables = {}
    if measured is not None:
        more[tr("Effects, {layer}", layer=measured.layer)] = partial(export_parts.effects, measured)
    return Offer(
        name=f"{maps.method} {selection.sample.name} {selection.card.classes[selection.target]}",
        caption=caption(selection, maps),
        pictures=pictures(selection, maps, largest),
        tables={
            tr("Classes"): lambda: export_parts.classes(selection),
            tr("Channels"): lambda: export_parts.channels(evidence),
            **more,
        },
        arrays=lambda: (
            export_parts.input_arrays(selection)
            | export_parts.heat_arrays(maps.method, maps.values)
            | export_parts.evidence_arrays(selection, evidence)
        ),
        figure=lambda: figure(selection, maps),
        snippet=export_parts.heat_program(selection, maps.method, last, selection.target),
        printed=tr(
            "It prints the largest value at {layer}: {value}.",
            layer=last,
            value=number(maps.values[last].max()),
        ),
    )


def caption(selection: Selection, maps: HeatMaps) -> str:
    common = next(iter(maps.ranges.values()))
    return export_parts.caption(
        selection,
        method=tr(METHODS[maps.method].title),
        layer=tr(", ").join(maps.values),
        range=(
            ranges.text(common, tr("shared scale for all blocks"))
            if maps.shared
            else export_parts.each_own(maps.ranges)
        ),
    )


def pictures(selection: Selection, maps: HeatMaps, largest: Contributions) -> Pictures:
    drawn: Pictures = {}
    for layer, heat in maps.values.items():
        range = maps.ranges[layer]
        over = partial(export_parts.over_image, selection, layer, heat, range)
        drawn[tr("{layer}, over the image", layer=layer)] = over
        drawn[tr("{layer}, raw map", layer=layer)] = partial(color, heat, range)
    one = largest.evidence
    for channel, range in largest.ranges.items():
        name = tr("{layer}, channel {channel}", layer=one.layer, channel=channel)
        drawn[name] = partial(color, one.maps[channel], range)
    return drawn | export_parts.the_image(selection)


def figure(selection: Selection, maps: HeatMaps) -> list[Panel]:
    scale = tr("shared scale for all blocks") if maps.shared else tr("its own scale")
    heats = [
        export_parts.printed(
            selection,
            export_parts.over_image(selection, layer, heat, maps.ranges[layer]),
            maps.titles[layer],
            maps.ranges[layer],
            scale,
            maps.shared,
        )
        for layer, heat in maps.values.items()
    ]
    return [export_parts.printed(selection, selection.sample.pixels, selection.sample.name), *heats]
