"""What the page “Compare” offers for download: two sides on one scale, two networks, or two classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import ranges
from explorer.drawing.colormaps import colour
from explorer.drawing.figures import Panel, mapped
from explorer.drawing.ranges import Range, number
from explorer.ui import downloads, export_parts
from explorer.ui.downloads import Array, Offer, Pictures
from explorer.ui.export_parts import ATTRIBUTE, SIGNED, TRACE, Arrays, Floats
from explorer.ui.selection import Selection
from explorer.ui.snippets import program


@dataclass(frozen=True, eq=False)
class Side:
    """What one side shows: a layer, and the block that it is in by its convolution."""

    selection: Selection
    layer: str
    block: str

    @property
    def maps(self) -> Floats:
        return self.selection.seen.maps[self.layer]


# Feature maps of one network, or of two states of one run


def side_by_side(a: Side, b: Side, channel: int, scale: str) -> None:
    """The maps of two sides on one scale, or on one for each channel, one channel large, the difference."""
    downloads.show(partial(offer_of_sides, a, b, channel, scale))


def offer_of_sides(a: Side, b: Side, channel: int, scale: str) -> Offer:
    shown = closely(a, b, channel, scale)
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
            + [f"{name}: {caption_of(side)}" for name, side in sides.items()]
        ),
        pictures=pictures(a, b, channel, scale),
        tables={
            "Channels": lambda: two_sides(a, b),
            "Classes of A": lambda: export_parts.classes(a.selection),
            "Classes of B": lambda: export_parts.classes(b.selection),
        },
        arrays=lambda: arrays(a, b),
        figure=lambda: figure(a, b, shown),
        snippet=program([a.selection, b.selection], [TRACE], lines),
        printed="the means of A and B, "
        f"{number(a.maps[channel].mean())} and {number(b.maps[channel].mean())}",
    )


def caption_of(side: Side) -> str:
    return export_parts.caption(side.selection, method="Feature maps", layer=side.layer, target="")


def closely(a: Side, b: Side, channel: int, scale: str) -> dict[str, tuple[Floats, Range]]:
    """The chosen channel of both sides, and their difference where it is the same channel, with its range."""
    range = common(a.maps, b.maps) if scale == "shared" else each(a.maps, b.maps)[channel]
    shown = {"A": (a.maps[channel], range), "B": (b.maps[channel], range)}
    if same_channels(a, b):
        apart = a.maps - b.maps
        shown["A − B"] = (apart[channel], ranges.symmetric(apart))
    return shown


def same_channels(a: Side, b: Side) -> bool:
    """Whether channel c of A is that of B, position by position: in one block, with maps of one size."""
    return a.block == b.block and a.maps.shape == b.maps.shape


def common(a: Floats, b: Floats) -> Range:
    """One range for all channels of both sides."""
    return ranges.shared(a, b, signed=bool(min(a.min(), b.min()) < 0))


def each(a: Floats, b: Floats) -> tuple[Range, ...]:
    """One range for each channel, the same on both sides."""
    return ranges.each_shared(a, b, signed=common(a, b).signed)


def pictures(a: Side, b: Side, channel: int, scale: str) -> Pictures:
    found: Pictures = {
        f"{name}, channel {channel}": partial(colour, values, range)
        for name, (values, range) in closely(a, b, channel, scale).items()
    }
    whole, own = common(a.maps, b.maps), each(a.maps, b.maps)
    for name, side in (("A", a), ("B", b)):
        order = range(len(side.maps))
        found[f"{name}, all channels"] = partial(export_parts.grid, side.maps, scale, whole, own, order)
        found |= {f"{name}, {said}": draw for said, draw in export_parts.the_image(side.selection).items()}
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
        found |= export_parts.map_arrays(side.layer, side.maps, f"{name}_maps")
        found |= {f"{name}_{said}": held for said, held in export_parts.given(side.selection).items()}
    return found


def two_sides(a: Side, b: Side) -> pd.DataFrame:
    """One row a channel that both sides have: means, largest values, and how far apart they are."""
    count = min(len(a.maps), len(b.maps))
    rows: dict[str, Array] = {"channel": np.arange(count)}
    for name, side in (("a", a), ("b", b)):
        maps = side.maps[:count]
        rows |= {f"{name}_mean": maps.mean((1, 2)), f"{name}_max": maps.max((1, 2))}
    if same_channels(a, b):
        rows["mean_absolute_difference"] = np.abs(a.maps - b.maps).mean((1, 2))
    return pd.DataFrame(rows)


# Two networks


def two_networks(a: Side, b: Side, shared: bool) -> None:
    """Grad-CAM of one class by two networks at a layer of each, and both predictions."""
    downloads.show(partial(offer_of_networks, a, b, shared))


def offer_of_networks(a: Side, b: Side, shared: bool) -> Offer:
    """ValueError as Grad-CAM's, where it cannot explain one of the layers."""
    sides = {"A": a, "B": b}
    heats, scales = cams(sides), cam_scales(sides, shared)
    said = {name: "the same for A and B" if shared else f"{name} alone" for name in sides}
    found: Pictures = {}
    draw = export_parts.over_image
    for name, side in sides.items():
        found[f"{name}, over the image"] = partial(draw, side.selection, heats[name], scales[name])
        found[f"{name}, raw map"] = partial(colour, heats[name], scales[name])
        found |= {f"{name}, {what}": draw for what, draw in export_parts.the_image(side.selection).items()}
    return Offer(
        name=f"compare {a.selection.opened.name} {b.selection.opened.name} {explained(a)}",
        caption=" · ".join(cam_caption(name, side, scales[name], said[name]) for name, side in sides.items()),
        pictures=found,
        tables={
            f"Classes of {name}": partial(export_parts.classes, side.selection)
            for name, side in sides.items()
        },
        arrays=lambda: cam_arrays(sides, heats),
        figure=lambda: [
            Panel(
                draw(side.selection, heats[name], scales[name]),
                title(name, side),
                scales[name],
                said[name],
                shared,
            )
            for name, side in sides.items()
        ],
        snippet=program([a.selection, b.selection], [ATTRIBUTE], cam_lines(a, b)),
        printed=f"the largest values of A and B, {number(heats['A'].max())} and {number(heats['B'].max())}",
    )


def cams(sides: Mapping[str, Side]) -> dict[str, Floats]:
    """Grad-CAM (h, w) of each side's class at its layer."""
    found = {name: side.selection.heat_maps("grad_cam", (side.layer,)) for name, side in sides.items()}
    return {name: found[name][side.layer].values for name, side in sides.items()}


def cam_scales(sides: Mapping[str, Side], shared: bool) -> dict[str, Range]:
    """The range of each side's Grad-CAM: its own, or the same for all."""
    heats = cams(sides)
    common = ranges.symmetric(*heats.values())
    return {name: common if shared else ranges.symmetric(heat) for name, heat in heats.items()}


def explained(side: Side) -> str:
    """The class that a side explains."""
    return side.selection.card.classes[side.selection.target]


def title(name: str, side: Side) -> str:
    return f"{name}: {side.selection.opened.name}, {explained(side)} at {side.layer}"


def cam_caption(name: str, side: Side, range: Range, scale: str) -> str:
    said = ranges.text(range, scale)
    return f"{name}: {export_parts.caption(side.selection, method='Grad-CAM', layer=side.layer, range=said)}"


def cam_arrays(sides: Mapping[str, Side], heats: Mapping[str, Floats]) -> Arrays:
    found: Arrays = {}
    for name, side in sides.items():
        about = f"Grad-CAM (h, w) of {explained(side)} at {side.layer}: {SIGNED}"
        found[f"{name.lower()}_heat"] = (heats[name], about)
        found |= {f"{name.lower()}_{what}": held for what, held in export_parts.given(side.selection).items()}
    return found


def cam_lines(a: Side, b: Side) -> list[str]:
    """Python that comes to both heat maps and prints the largest value of each."""
    lines = [
        f"heat{end} = attribute(net{end}, x{end}, 'grad_cam', layer={side.layer!r}, "
        f"target={side.selection.target})  # {explained(side)!r}"
        for end, side in (("", a), ("_b", b))
    ]
    return [*lines, "print(heat.values.max(), heat_b.values.max())"]


# Two classes


def two_classes(selection: Selection, layers: Sequence[str], other: int) -> None:
    """Grad-CAM of two classes and of the difference of their logits at some layers."""
    downloads.show(partial(offer_of_classes, selection, tuple(layers), other))


def offer_of_classes(selection: Selection, layers: tuple[str, ...], other: int) -> Offer:
    titles = class_titles(selection, other)
    first, second = titles["target"], titles["other"]
    heats = heats_of(selection, layers, other)
    scales = {layer: ranges.symmetric(*(heats[layer, name] for name in titles)) for layer in layers}
    last, over = layers[-1], partial(export_parts.over_image, selection)
    found: Pictures = {}
    for layer, name in heats:
        found[f"{layer}, {titles[name]}"] = partial(over, heats[layer, name], scales[layer])
        found[f"{layer}, {titles[name]}, raw map"] = partial(colour, heats[layer, name], scales[layer])
    return Offer(
        name=f"{first} rather than {second} {selection.sample.name}",
        caption=export_parts.caption(
            selection,
            method="Grad-CAM",
            layer=last,
            target=f"{first} rather than {second}",
            range=ranges.text(scales[last], "the same scale for all three"),
        ),
        pictures=found | export_parts.the_image(selection),
        tables={"Classes": lambda: export_parts.classes(selection)},
        arrays=lambda: (
            export_parts.given(selection)
            | {
                f"{name}_{layer}": (heat, f"Grad-CAM (h, w) of {titles[name]}: {SIGNED}")
                for (layer, name), heat in heats.items()
            }
        ),
        figure=lambda: [
            Panel(over(heats[last, name], scales[last]), title, scales[last], "the same scale for all", True)
            for name, title in titles.items()
        ],
        snippet=export_parts.heat_program(selection, "grad_cam", last, selection.target, other),
        printed=f"the largest value of the difference at {last}, {number(heats[last, 'difference'].max())}",
    )


def class_titles(selection: Selection, other: int) -> dict[str, str]:
    """What the heat maps of two classes are called: the class to explain, the other, their difference."""
    first, second = selection.card.classes[selection.target], selection.card.classes[other]
    return {"target": first, "other": second, "difference": f"{first} − {second}"}


def heats_of(selection: Selection, layers: tuple[str, ...], other: int) -> dict[tuple[str, str], Floats]:
    """(layer, which) → Grad-CAM of the class, of the other one, and of the difference of their logits."""
    asked = {"target": (None, None), "other": (other, None), "difference": (None, other)}
    found = {name: selection.heat_maps("grad_cam", layers, *who) for name, who in asked.items()}
    return {(layer, name): found[name][layer].values for layer in layers for name in found}
