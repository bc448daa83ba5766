"""What the page “Compare” offers for download: feature maps of two sides, two networks, or two classes."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.figures import Panel, mapped
from explorer.drawing.ranges import number
from explorer.ui.exports import downloads, export_parts
from explorer.ui.exports.downloads import Array, Offer, Pictures
from explorer.ui.exports.export_parts import ATTRIBUTE, TRACE, Arrays
from explorer.ui.exports.snippets import program
from explorer.ui.selection import Selection
from explorer.views.compare.classes import ClassMaps
from explorer.views.compare.feature_maps import DIFFERENCE, Comparison
from explorer.views.compare.networks import Cam
from explorer.views.compare.sides import Side
from model.words import N_, tr

HEAT = N_(
    "Grad-CAM (h, w) of {name} at {layer}: raw and signed, positive supports the class; in units of the "
    "logit, which is not their sum"
)


def pictures_of(name: str, side: Side) -> Pictures:
    """The image of a side and what its network gets."""
    images = export_parts.the_image(side.selection)
    return {tr("{side}, {picture}", side=name, picture=picture): draw for picture, draw in images.items()}


def arrays_of(name: str, side: Side) -> Arrays:
    """The image, the input and the prediction of a side, their names beginning with its own."""
    return {
        f"{name.lower()}_{array}": value for array, value in export_parts.input_arrays(side.selection).items()
    }


# Feature maps of one network, or of two states of one run


def show_comparison(comparison: Comparison) -> None:
    """The maps of two sides, one channel large, and its difference."""
    downloads.show(partial(offer_of_comparison, comparison))


def offer_of_comparison(comparison: Comparison) -> Offer:
    a, b, channel = comparison.a, comparison.b, comparison.channel
    lines = [
        f"a = trace(net, x).maps[{a.layer!r}][{channel}]",
        f"b = trace(net_b, x_b).maps[{b.layer!r}][{channel}]",
        "print(a.mean(), b.mean())",
    ]
    means = {"a": number(a.maps[channel].mean()), "b": number(b.maps[channel].mean())}
    return Offer(
        name=f"compare {a.layer} {b.layer} channel {channel}",
        caption=comparison_caption(comparison),
        pictures=comparison_pictures(comparison),
        tables={
            tr("Channels"): lambda: channels(comparison),
            tr("Classes of A"): lambda: export_parts.classes(a.selection),
            tr("Classes of B"): lambda: export_parts.classes(b.selection),
        },
        arrays=lambda: comparison_arrays(comparison),
        figure=lambda: comparison_figure(comparison),
        snippet=program([a.selection, b.selection], [TRACE], lines),
        printed=tr("It prints the means of A and B: {a} and {b}.", **means),
    )


def comparison_caption(comparison: Comparison) -> str:
    a = comparison.maps["A"]
    lines = [
        tr("Channel {channel}", channel=comparison.channel),
        tr("Range {range}", range=ranges.text(a.range, a.scale)),
    ]
    for name, side in (("A", comparison.a), ("B", comparison.b)):
        caption = export_parts.caption(side.selection, method=tr("Feature maps"), layer=side.layer, target="")
        lines.append(tr("{side}: {caption}", side=name, caption=caption))
    return " · ".join(lines)


def comparison_pictures(comparison: Comparison) -> Pictures:
    pictures: Pictures = {
        tr("{side}, channel {channel}", side=tr(name), channel=comparison.channel): partial(
            color, one.values, one.range
        )
        for name, one in comparison.maps.items()
    }
    for name, side in (("A", comparison.a), ("B", comparison.b)):
        order = range(len(side.maps))
        grid = partial(export_parts.grid, side.maps, comparison.scale, comparison.common, comparison.each)
        pictures[tr("{side}, all channels", side=name)] = partial(grid, order)
        pictures |= pictures_of(name, side)
    return pictures


def comparison_figure(comparison: Comparison) -> list[Panel]:
    titles = {DIFFERENCE: tr(DIFFERENCE)}
    a, b = (side.selection for side in (comparison.a, comparison.b))
    for name, side in (("A", comparison.a), ("B", comparison.b)):
        one = side.selection
        differing = one.sample.name if a.opened.name == b.opened.name else one.opened.name
        titles[name] = tr("{side}: {layer}, {image}", side=name, layer=side.layer, image=differing)
    return [
        mapped(one.values, one.range, titles[name], one.scale, name != DIFFERENCE)
        for name, one in comparison.maps.items()
    ]


def comparison_arrays(comparison: Comparison) -> Arrays:
    arrays: Arrays = {}
    for name, side in (("A", comparison.a), ("B", comparison.b)):
        arrays |= export_parts.map_arrays(side.layer, side.maps, f"{name.lower()}_maps")
        arrays |= arrays_of(name, side)
    return arrays


def channels(comparison: Comparison) -> pd.DataFrame:
    """One row a channel that both sides have: means, largest values, and how far apart they are."""
    count = min(len(comparison.a.maps), len(comparison.b.maps))
    rows: dict[str, Array] = {"channel": np.arange(count)}
    for name, side in (("a", comparison.a), ("b", comparison.b)):
        maps = side.maps[:count]
        rows |= {f"{name}_mean": maps.mean((1, 2)), f"{name}_max": maps.max((1, 2))}
    if comparison.difference is not None:
        rows["mean_absolute_difference"] = np.abs(comparison.difference).mean((1, 2))
    return pd.DataFrame(rows)


# Two networks


def show_networks(cams: Mapping[str, Cam]) -> None:
    """Grad-CAM of one class by two networks at a layer of each, and both predictions."""
    downloads.show(partial(offer_of_networks, cams))


def offer_of_networks(cams: Mapping[str, Cam]) -> Offer:
    a, b = cams["A"], cams["B"]
    names = f"{a.side.selection.opened.name} {b.side.selection.opened.name}"
    selections = [cam.side.selection for cam in cams.values()]
    largest = {"a": number(a.values.max()), "b": number(b.values.max())}
    return Offer(
        name=f"compare {names} {a.side.target}",
        caption=" · ".join(cam_caption(name, cam) for name, cam in cams.items()),
        pictures=cam_pictures(cams),
        tables={
            tr("Classes of A"): lambda: export_parts.classes(a.side.selection),
            tr("Classes of B"): lambda: export_parts.classes(b.side.selection),
        },
        arrays=lambda: cam_arrays(cams),
        figure=lambda: [cam_panel(name, cam) for name, cam in cams.items()],
        snippet=program(selections, [ATTRIBUTE], cam_lines(cams)),
        printed=tr("It prints the largest values of A and B: {a} and {b}.", **largest),
    )


def cam_caption(name: str, cam: Cam) -> str:
    range = ranges.text(cam.range, cam.scale)
    caption = export_parts.caption(
        cam.side.selection, method=tr("Grad-CAM"), layer=cam.side.layer, range=range
    )
    return tr("{side}: {caption}", side=name, caption=caption)


def over_image(cam: Cam) -> Array:
    return export_parts.over_image(cam.side.selection, cam.side.layer, cam.values, cam.range)


def cam_pictures(cams: Mapping[str, Cam]) -> Pictures:
    pictures: Pictures = {}
    for name, cam in cams.items():
        pictures[tr("{side}, over the image", side=name)] = partial(over_image, cam)
        pictures[tr("{side}, raw map", side=name)] = partial(color, cam.values, cam.range)
        pictures |= pictures_of(name, cam.side)
    return pictures


def cam_panel(name: str, cam: Cam) -> Panel:
    title = tr(
        "{side}: {checkpoint}, {name} at {layer}",
        side=name,
        checkpoint=cam.side.selection.opened.name,
        name=cam.side.target_name,
        layer=cam.side.layer,
    )
    return export_parts.printed(cam.side.selection, over_image(cam), title, cam.range, cam.scale, cam.shared)


def cam_arrays(cams: Mapping[str, Cam]) -> Arrays:
    arrays: Arrays = {}
    for name, cam in cams.items():
        meaning = tr(HEAT, name=cam.side.target_name, layer=cam.side.layer)
        arrays[f"{name.lower()}_heat"] = (cam.values, meaning)
        arrays |= arrays_of(name, cam.side)
    return arrays


def cam_lines(cams: Mapping[str, Cam]) -> list[str]:
    """Python that computes both heat maps and prints the largest value of each."""
    lines = [
        f"heat{end} = attribute(net{end}, x{end}, 'grad_cam', layer={side.layer!r}, "
        f"target={side.selection.target})  # {side.target!r}"
        for end, side in (("", cams["A"].side), ("_b", cams["B"].side))
    ]
    return [*lines, "print(heat.values.max(), heat_b.values.max())"]


# Two classes


def show_classes(selection: Selection, maps: ClassMaps) -> None:
    """Grad-CAM of two classes and of the difference of their logits at some layers."""
    downloads.show(partial(offer_of_classes, selection, maps))


def offer_of_classes(selection: Selection, maps: ClassMaps) -> Offer:
    first, second = maps.titles["target"], maps.titles["other"]
    names = selection.card.classes
    last = list(maps.ranges)[-1]
    largest = number(maps.values[last, "difference"].max())
    return Offer(
        name=f"{names[selection.target]} rather than {names[maps.other]} {selection.sample.name}",
        caption=export_parts.caption(
            selection,
            method=tr("Grad-CAM"),
            layer=last,
            target=tr("{first} rather than {second}", first=first, second=second),
            range=ranges.text(maps.ranges[last], tr("the same scale for all three maps")),
        ),
        pictures=class_pictures(selection, maps) | export_parts.the_image(selection),
        tables={tr("Classes"): lambda: export_parts.classes(selection)},
        arrays=lambda: export_parts.input_arrays(selection) | class_arrays(maps),
        figure=lambda: class_figure(selection, maps, last),
        snippet=export_parts.heat_program(selection, "grad_cam", last, selection.target, maps.other),
        printed=tr(
            "It prints the largest value of the difference at {layer}: {value}.", layer=last, value=largest
        ),
    )


def class_pictures(selection: Selection, maps: ClassMaps) -> Pictures:
    pictures: Pictures = {}
    for (layer, name), heat in maps.values.items():
        fields, range = {"layer": layer, "name": maps.titles[name]}, maps.ranges[layer]
        over = partial(export_parts.over_image, selection, layer, heat, range)
        pictures[tr("{layer}, {name}", **fields)] = over
        pictures[tr("{layer}, {name}, raw map", **fields)] = partial(color, heat, range)
    return pictures


def class_arrays(maps: ClassMaps) -> Arrays:
    return {
        f"{name}_{layer}": (heat, tr(HEAT, name=maps.titles[name], layer=layer))
        for (layer, name), heat in maps.values.items()
    }


def class_figure(selection: Selection, maps: ClassMaps, layer: str) -> list[Panel]:
    range, scale = maps.ranges[layer], tr("the same scale for all three maps")
    return [
        export_parts.printed(
            selection,
            export_parts.over_image(selection, layer, maps.values[layer, name], range),
            title,
            range,
            scale,
            True,
        )
        for name, title in maps.titles.items()
    ]
