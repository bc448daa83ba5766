"""What the page «Compare» gives away: two sides on one scale, or two classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import ranges
from explorer.drawing.colormaps import colour
from explorer.drawing.figures import Panel, mapped
from explorer.drawing.ranges import Range, number
from explorer.ui import takeaway
from explorer.ui.offers import parts
from explorer.ui.offers.parts import SIGNED, TRACE, Arrays, Floats
from explorer.ui.selection import Selection
from explorer.ui.snippets import program
from explorer.ui.takeaway import Array, Offer, Pictures


@dataclass(frozen=True, eq=False)
class Side:
    """What one side looks at."""

    selection: Selection
    layer: str

    @property
    def maps(self) -> Floats:
        return self.selection.seen.maps[self.layer]


def side_by_side(a: Side, b: Side, channel: int, scale: str) -> None:
    """The maps of two sides on one scale, or on one for each channel, one channel large, the difference."""
    takeaway.show(partial(offer_of_sides, a, b, channel, scale))


def offer_of_sides(a: Side, b: Side, channel: int, scale: str) -> Offer:
    shown = closely(a.maps, b.maps, channel, scale)
    lines = [
        f"a = trace(net, x).maps[{a.layer!r}][{channel}]",
        f"b = trace(net_b, x_b).maps[{b.layer!r}][{channel}]",
        "print(a.mean(), b.mean())",
    ]
    sides = {"A": a, "B": b}
    return Offer(
        name=f"compare {a.layer} {b.layer} channel {channel}",
        caption=" · ".join(
            [f"Channel {channel}", f"Range {ranges.text(shown['A'][1], 'the same for A and B')}"]
            + [
                f"{name}: {parts.caption(side.selection, method='Feature maps', layer=side.layer)}"
                for name, side in sides.items()
            ]
        ),
        pictures=pictures(a, b, channel, scale),
        tables={
            "Channels": lambda: two_sides(a.maps, b.maps),
            "Classes of A": lambda: parts.classes(a.selection),
            "Classes of B": lambda: parts.classes(b.selection),
        },
        arrays=lambda: arrays(a, b),
        figure=lambda: figure(a, b, shown),
        snippet=program([a.selection, b.selection], [TRACE], lines),
        printed="the means of A and B, "
        f"{number(a.maps[channel].mean())} and {number(b.maps[channel].mean())}",
    )


def closely(a: Floats, b: Floats, channel: int, scale: str) -> dict[str, tuple[Floats, Range]]:
    """The chosen channel of both sides, and their difference where the shapes agree, each with its range."""
    range = common(a, b) if scale == "shared" else each(a, b)[channel]
    shown = {"A": (a[channel], range), "B": (b[channel], range)}
    if a.shape == b.shape:
        shown["A − B"] = (a[channel] - b[channel], ranges.symmetric(a - b))
    return shown


def common(a: Floats, b: Floats) -> Range:
    """One range for all channels of both sides."""
    return ranges.shared(a, b, signed=bool(min(a.min(), b.min()) < 0))


def each(a: Floats, b: Floats) -> tuple[Range, ...]:
    """One range for each channel, the same on both sides."""
    return ranges.each_shared(a, b, signed=common(a, b).signed)


def pictures(a: Side, b: Side, channel: int, scale: str) -> Pictures:
    found: Pictures = {
        f"{name}, channel {channel}": partial(colour, values, range)
        for name, (values, range) in closely(a.maps, b.maps, channel, scale).items()
    }
    whole, own = common(a.maps, b.maps), each(a.maps, b.maps)
    for name, side in (("A", a), ("B", b)):
        order = range(len(side.maps))
        found[f"{name}, all channels"] = partial(parts.grid, side.maps, scale, whole, own, order)
        found |= {f"{name}, {said}": draw for said, draw in parts.the_image(side.selection).items()}
    return found


def figure(a: Side, b: Side, shown: dict[str, tuple[Floats, Range]]) -> list[Panel]:
    said = {"A": f"{a.layer}, {a.selection.sample.name}", "B": f"{b.layer}, {b.selection.sample.name}"}
    scale = {"A − B": "largest difference of any channel"}
    return [
        mapped(
            values,
            range,
            f"{side} {said.get(side, '')}".strip(),
            scale.get(side, "the same for A and B"),
            side != "A − B",
        )
        for side, (values, range) in shown.items()
    ]


def arrays(a: Side, b: Side) -> Arrays:
    found: Arrays = {}
    for name, side in (("a", a), ("b", b)):
        found |= parts.map_arrays(side.layer, side.maps, f"{name}_maps")
        found |= {f"{name}_{said}": held for said, held in parts.given(side.selection).items()}
    return found


def two_sides(a: Floats, b: Floats) -> pd.DataFrame:
    """One row a channel that both sides have: means, largest values, and how far apart they are."""
    count = min(len(a), len(b))
    rows: dict[str, Array] = {"channel": np.arange(count)}
    for side, maps in (("a", a[:count]), ("b", b[:count])):
        rows |= {f"{side}_mean": maps.mean((1, 2)), f"{side}_max": maps.max((1, 2))}
    if a.shape == b.shape:
        rows["mean_absolute_difference"] = np.abs(a - b).mean((1, 2))
    return pd.DataFrame(rows)


def two_classes(selection: Selection, layers: Sequence[str], other: int) -> None:
    """Grad-CAM of two classes and of the difference of their logits at some layers."""
    takeaway.show(partial(offer_of_classes, selection, tuple(layers), other))


def offer_of_classes(selection: Selection, layers: tuple[str, ...], other: int) -> Offer:
    first, second = selection.card.classes[selection.target], selection.card.classes[other]
    titles = {"target": first, "other": second, "difference": f"{first} − {second}"}
    heats = heats_of(selection, layers, other)
    scales = {layer: ranges.symmetric(*(heats[layer, name] for name in titles)) for layer in layers}
    last, over = layers[-1], partial(parts.over_image, selection)
    found: Pictures = {}
    for layer, name in heats:
        found[f"{layer}, {titles[name]}"] = partial(over, heats[layer, name], scales[layer])
        found[f"{layer}, {titles[name]}, raw map"] = partial(colour, heats[layer, name], scales[layer])
    return Offer(
        name=f"{first} rather than {second} {selection.sample.name}",
        caption=parts.caption(
            selection,
            method="Grad-CAM",
            layer=last,
            target=f"{first} rather than {second}",
            range=ranges.text(scales[last], "one scale for all three"),
        ),
        pictures=found | parts.the_image(selection),
        tables={"Classes": lambda: parts.classes(selection)},
        arrays=lambda: (
            parts.given(selection)
            | {
                f"{name}_{layer}": (heat, f"Grad-CAM (h, w) of {titles[name]}: {SIGNED}")
                for (layer, name), heat in heats.items()
            }
        ),
        figure=lambda: [
            Panel(over(heats[last, name], scales[last]), title, scales[last], "one scale for all", True)
            for name, title in titles.items()
        ],
        snippet=parts.heat_program(selection, "grad_cam", last, selection.target, other),
        printed=f"the largest value of the difference at {last}, {number(heats[last, 'difference'].max())}",
    )


def heats_of(selection: Selection, layers: tuple[str, ...], other: int) -> dict[tuple[str, str], Floats]:
    """(layer, which) → Grad-CAM of the class, of the other one, and of the difference of their logits."""
    asked = {"target": (None, None), "other": (other, None), "difference": (None, other)}
    found = {name: selection.heat_maps("grad_cam", layers, *who) for name, who in asked.items()}
    return {(layer, name): found[name][layer].values for layer in layers for name in found}
