"""What the page «Explain» gives away: heat maps, and the feature maps that carry them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from explorer.drawing import ranges
from explorer.drawing.colormaps import colour
from explorer.drawing.figures import Panel
from explorer.drawing.ranges import Range, number
from explorer.engine.attribution import ChannelEvidence
from explorer.ui import downloads, export_parts
from explorer.ui.downloads import Offer, Pictures
from explorer.ui.export_parts import Evidence, Floats
from explorer.ui.selection import Selection


@dataclass(frozen=True)
class Shown:
    """How the page shows its heat maps: method and its name, layer → title, colours and their scale; and
    the cards below: their layer, and the channels that have one.
    """

    method: str
    named: str
    titles: dict[str, str]
    signed: bool
    shared: bool
    carrier: str
    carriers: Sequence[int]


def heat_maps(selection: Selection, shown: Shown) -> None:
    """Heat maps by a method at some layers, with the channel evidence behind Grad-CAM at each."""
    downloads.show(partial(offer, selection, shown))


def offer(selection: Selection, shown: Shown) -> Offer:
    """ValueError as the method's, where it cannot explain one of the layers."""
    layers, method = tuple(shown.titles), shown.method
    heats = {layer: heat.values for layer, heat in selection.heat_maps(method, layers).items()}
    scales, evidence = scales_of(heats, shown), selection.evidence(layers)
    last = layers[-1]
    common = ranges.text(scales[last], "one scale for all blocks")
    return Offer(
        name=f"{method} {selection.sample.name} {selection.card.classes[selection.target]}",
        caption=export_parts.caption(
            selection,
            method=shown.named,
            layer=", ".join(layers),
            range=common if shown.shared else export_parts.each_own(scales),
        ),
        pictures=pictures(selection, shown, heats, scales, evidence),
        tables={
            "Classes": lambda: export_parts.classes(selection),
            "Channels": lambda: export_parts.channels(evidence),
        },
        arrays=lambda: (
            export_parts.given(selection)
            | export_parts.heat_arrays(method, heats)
            | export_parts.evidence_arrays(selection, evidence)
        ),
        figure=lambda: figure(selection, shown, heats, scales),
        snippet=export_parts.heat_program(selection, method, last, selection.target),
        printed=f"the largest value at {last}, {number(heats[last].max())}",
    )


def scales_of(heats: dict[str, Floats], shown: Shown) -> dict[str, Range]:
    """The range of every heat map, as the page has it."""
    choose = ranges.symmetric if shown.signed else ranges.positive
    common = choose(*heats.values())
    return {layer: common if shown.shared else choose(heat) for layer, heat in heats.items()}


def pictures(
    selection: Selection,
    shown: Shown,
    heats: dict[str, Floats],
    scales: dict[str, Range],
    evidence: Evidence,
) -> Pictures:
    found: Pictures = {}
    for layer, heat in heats.items():
        found[f"{layer}, over the image"] = partial(export_parts.over_image, selection, heat, scales[layer])
        found[f"{layer}, raw map"] = partial(colour, heat, scales[layer])
    carrier = evidence[shown.carrier]
    for channel in shown.carriers:
        drawn = partial(colour, carrier.maps[channel], range_of(carrier, channel))
        found[f"{shown.carrier}, channel {channel}"] = drawn
    return found | export_parts.the_image(selection)


def range_of(evidence: ChannelEvidence, channel: int) -> Range:
    """A channel's own range; one color map for all channels of the layer: signed where any of them is."""
    return ranges.shared(evidence.maps[channel], signed=bool(evidence.maps.min() < 0))


def figure(
    selection: Selection, shown: Shown, heats: dict[str, Floats], scales: dict[str, Range]
) -> list[Panel]:
    said = "one scale for all" if shown.shared else "its own scale"
    drawn = [
        Panel(
            export_parts.over_image(selection, heat, scales[layer]),
            shown.titles[layer],
            scales[layer],
            said,
            shown.shared,
        )
        for layer, heat in heats.items()
    ]
    return [Panel(selection.sample.pixels, selection.sample.name), *drawn]
