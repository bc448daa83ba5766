"""What each page gives away: the pictures and numbers that it shows, and how to come to them in Python."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from explorer.drawing import figures, ranges
from explorer.drawing.colormaps import colour
from explorer.drawing.figures import Panel, mapped
from explorer.drawing.overlay import overlay
from explorer.drawing.ranges import Range, number
from explorer.drawing.sheets import sheet
from explorer.engine.attribution import ChannelEvidence
from explorer.engine.batchnorm import NormStatistics
from explorer.ui import takeaway
from explorer.ui.selection import Selection
from explorer.ui.snippets import program
from explorer.ui.takeaway import Array, Offer
from model.checkpoint import Pixels

Arrays = dict[str, tuple[Array, str]]
Evidence = dict[str, ChannelEvidence]
Floats = npt.NDArray[np.float32]

ATTRIBUTE = "from explorer.engine.attribution import attribute"
TRACE = "from explorer.engine.tracing import trace"
SIGNED = "raw and signed, positive speaks for the class, in units of the logit"


def caption(
    selection: Selection,
    *,
    layer: str = "",
    method: str = "",
    target: str | None = None,
    range: Range | None = None,
    scale: str = "",
) -> str:
    """What a figure says of itself: image, method, layer, class, range, checkpoint and its digest."""
    return figures.caption(
        checkpoint=selection.opened.name,
        digest=selection.opened.checkpoint.digest,
        image=selection.sample.name,
        layer=layer,
        method=method,
        target=selection.card.classes[selection.target] if target is None else target,
        range=range,
        scale=scale,
    )


# Explain


def heat_maps(
    selection: Selection, method: str, named: str, titles: dict[str, str], signed: bool, shared: bool
) -> None:
    """Heat maps by a method at some layers, with the channel evidence behind Grad-CAM at each."""
    takeaway.show(partial(_heat_maps, selection, method, named, titles, signed, shared))


def _heat_maps(
    selection: Selection, method: str, named: str, titles: dict[str, str], signed: bool, shared: bool
) -> Offer:
    layers = tuple(titles)
    heats = {layer: heat.values for layer, heat in selection.heat_maps(method, layers).items()}
    scales = _scales(heats, signed, shared)
    last, pixels = layers[-1], selection.sample.pixels

    def over(layer: str) -> Pixels:
        return overlay(pixels, heats[layer], scales[layer])

    def figure() -> list[Panel]:
        own = "one scale for all" if shared else "its own scale"
        drawn = [Panel(over(layer), titles[layer], scales[layer], own) for layer in layers]
        return [Panel(pixels, selection.sample.name), *drawn]

    pictures: dict[str, Callable[[], Pixels]] = {"the image": lambda: pixels}
    for layer in layers:
        pictures[f"{layer}, over the image"] = partial(over, layer)
        pictures[f"{layer}, raw map"] = partial(colour, heats[layer], scales[layer])
    evidence = selection.evidence(layers)
    return Offer(
        name=f"{method} {selection.sample.name} {selection.card.classes[selection.target]}",
        caption=caption(
            selection,
            method=named,
            layer=", ".join(layers),
            range=scales[last] if shared else None,
            scale="one scale for all blocks",
        ),
        pictures=pictures,
        tables={"Classes": lambda: classes(selection), "Channels": lambda: channels(evidence)},
        arrays=lambda: given(selection) | _heat_arrays(method, heats) | _evidence_arrays(selection, evidence),
        figure=figure,
        snippet=_heat_snippet(selection, method, last, selection.target),
        printed=f"the largest value at {last}, {number(heats[last].max())}",
    )


def _scales(heats: dict[str, Floats], signed: bool, shared: bool) -> dict[str, Range]:
    choose = ranges.symmetric if signed else ranges.positive
    common = choose(*heats.values())
    return {layer: common if shared else choose(heat) for layer, heat in heats.items()}


def _heat_arrays(method: str, heats: dict[str, Floats]) -> Arrays:
    return {f"heat_{layer}": (heat, f"{method} (h, w): {SIGNED}") for layer, heat in heats.items()}


def _heat_snippet(
    selection: Selection, method: str, layer: str, target: int, against: int | None = None
) -> str:
    names = selection.card.classes
    said = repr(names[target]) if against is None else f"{names[target]!r} rather than {names[against]!r}"
    more = "" if against is None else f", against={against}"
    lines = [
        f"heat = attribute(net, x, {method!r}, layer={layer!r}, target={target}{more})  # {said}",
        "print(heat.values.max())",
    ]
    return program([selection], [ATTRIBUTE], lines)


# Feature maps


def feature_maps(selection: Selection, layer: str, channel: int) -> None:
    """All maps of a layer, and one of them large."""
    takeaway.show(partial(_feature_maps, selection, layer, channel))


def _feature_maps(selection: Selection, layer: str, channel: int) -> Offer:
    maps = selection.seen.maps[layer]
    common = ranges.shared(maps, signed=bool(maps.min() < 0))
    own = ranges.shared(maps[channel], signed=common.signed)
    evidence = selection.evidence((layer,))

    def figure() -> list[Panel]:
        return [
            Panel(selection.framed, "what the network gets"),
            mapped(maps[channel], own, f"channel {channel}", "its own scale"),
            Panel(sheet(maps, common), f"all {len(maps)} channels", common, "one scale for all"),
        ]

    lines = ["seen = trace(net, x)", f"print(seen.maps[{layer!r}][{channel}].mean())"]
    return Offer(
        name=f"maps {selection.sample.name} {layer}",
        caption=caption(selection, layer=f"{layer}, channel {channel}", range=own, scale="this channel"),
        pictures={
            "all channels": lambda: sheet(maps, common),
            f"channel {channel}": lambda: colour(maps[channel], own),
            "the image": lambda: selection.sample.pixels,
            "what the network gets": lambda: selection.framed,
        },
        tables={"Classes": lambda: classes(selection), "Channels": lambda: channels(evidence)},
        arrays=lambda: given(selection) | _map_arrays(layer, maps) | _evidence_arrays(selection, evidence),
        figure=figure,
        snippet=program([selection], [TRACE], lines),
        printed=f"the mean of channel {channel}, {number(maps[channel].mean())}",
    )


def _map_arrays(layer: str, maps: Floats, name: str = "maps") -> Arrays:
    return {name: (maps, f"the feature maps (C, h, w) that {layer} gives, in its own units")}


# BatchNorm


def batch_norm(selection: Selection, layer: str, channel: int) -> None:
    """One BatchNorm's learned and met statistics, and one channel before and after it."""
    takeaway.show(partial(_batch_norm, selection, layer, channel))


def _batch_norm(selection: Selection, layer: str, channel: int) -> Offer:
    found = selection.norm_statistics(layer)
    stages = {
        "before": found.before[0, channel],
        "normalised": found.normalised[0, channel],
        "after": found.after[0, channel],
    }
    scales = {name: ranges.symmetric(values) for name, values in stages.items()}
    lines = [f"found = statistics(net, x, {found.layer!r})", f"print(found.distance[{channel}])"]
    return Offer(
        name=f"batchnorm {selection.sample.name} {found.layer}",
        caption=caption(selection, layer=f"{found.layer}, channel {channel}", target=""),
        pictures={
            f"channel {channel} {name}": partial(colour, values, scales[name])
            for name, values in stages.items()
        },
        tables={"Statistics": lambda: statistics(found), "Classes": lambda: classes(selection)},
        arrays=lambda: given(selection) | _norm_arrays(found),
        figure=lambda: [mapped(stages[name], scales[name], name, "its own scale") for name in stages],
        snippet=program([selection], ["from explorer.engine.batchnorm import statistics"], lines),
        printed=f"the distance of channel {channel}, {number(found.distance[channel])} σ",
    )


def statistics(found: NormStatistics) -> pd.DataFrame:
    """One row a channel: what was learned, what this input brings, what the layer does with it."""
    names = ["mean", "running_mean", "var", "running_var", "weight", "bias", "slope", "offset", "distance"]
    columns = {name: getattr(found, name) for name in [*names, "spread", "dead"]}
    return pd.DataFrame({"channel": np.arange(len(found.mean)), **columns})


def _norm_arrays(found: NormStatistics) -> Arrays:
    return {
        "before": (found.before, "the layer's input (N, C, h, w)"),
        "after": (found.after, "the layer's output (N, C, h, w)"),
        "weight": (found.weight, "γ of each channel (C,)"),
        "bias": (found.bias, "β of each channel (C,)"),
        "running_mean": (found.running_mean, "learned (C,), in units of the input"),
        "running_var": (found.running_var, "learned (C,), in units of the input squared"),
        "mean": (found.mean, "of this input (C,)"),
        "var": (found.var, "of this input (C,), biased"),
        "eps": (np.array(found.eps), "added to the variance"),
    }


# Compare


def side_by_side(
    mine: Selection, layer: str, theirs: Selection, other_layer: str, common: Range, channel: int
) -> None:
    """The maps of two sides on one scale, one channel of each large, and their difference."""
    takeaway.show(partial(_side_by_side, mine, layer, theirs, other_layer, common, channel))


def _side_by_side(
    mine: Selection, layer: str, theirs: Selection, other_layer: str, common: Range, channel: int
) -> Offer:
    a, b = mine.seen.maps[layer], theirs.seen.maps[other_layer]
    maps = {"A": (a[channel], common), "B": (b[channel], common)}
    if a.shape == b.shape:
        maps["A − B"] = (a[channel] - b[channel], ranges.symmetric(a - b))
    said = {"A": f"{layer}, {mine.sample.name}", "B": f"{other_layer}, {theirs.sample.name}"}

    def figure() -> list[Panel]:
        scale = {"A − B": "largest difference of any channel"}
        return [
            mapped(values, range, f"{side} {said.get(side, '')}", scale.get(side, "the same for A and B"))
            for side, (values, range) in maps.items()
        ]

    lines = [
        f"a = trace(net, x).maps[{layer!r}][{channel}]",
        f"b = trace(net_b, x_b).maps[{other_layer!r}][{channel}]",
        "print(a.mean(), b.mean())",
    ]
    sides = (mine, "A", layer), (theirs, "B", other_layer)
    return Offer(
        name=f"compare {layer} {other_layer} channel {channel}",
        caption=" · ".join(
            [f"Channel {channel}", f"Range {ranges.text(common, 'the same for A and B')}"]
            + [f"{side}: {caption(one, layer=name, target='')}" for one, side, name in sides]
        ),
        pictures={
            f"{side}, channel {channel}": partial(colour, values, range)
            for side, (values, range) in maps.items()
        }
        | {"A, all channels": lambda: sheet(a, common), "B, all channels": lambda: sheet(b, common)},
        tables={
            "Channels": lambda: two_sides(a, b),
            "Classes of A": lambda: classes(mine),
            "Classes of B": lambda: classes(theirs),
        },
        arrays=lambda: {
            **_map_arrays(layer, a, "a_maps"),
            **_map_arrays(other_layer, b, "b_maps"),
            **{f"a_{name}": held for name, held in given(mine).items()},
            **{f"b_{name}": held for name, held in given(theirs).items()},
        },
        figure=figure,
        snippet=program([mine, theirs], [TRACE], lines),
        printed=f"the means of A and B, {number(a[channel].mean())} and {number(b[channel].mean())}",
    )


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
    takeaway.show(partial(_two_classes, selection, tuple(layers), other))


def _two_classes(selection: Selection, layers: tuple[str, ...], other: int) -> Offer:
    first, second = selection.card.classes[selection.target], selection.card.classes[other]
    asked = {first: (None, None), second: (other, None), f"{first} − {second}": (None, other)}
    heats = {
        (layer, title): heat.values
        for title, (target, against) in asked.items()
        for layer, heat in selection.heat_maps("grad_cam", layers, target, against).items()
    }
    scales = {layer: ranges.symmetric(*(heats[layer, title] for title in asked)) for layer in layers}
    last, pixels = layers[-1], selection.sample.pixels
    pictures = {
        f"{layer}, {title}": partial(overlay, pixels, heats[layer, title], scales[layer])
        for layer in layers
        for title in asked
    }
    named = dict(zip(asked, ("target", "other", "difference"), strict=True))
    return Offer(
        name=f"{first} rather than {second} {selection.sample.name}",
        caption=caption(
            selection,
            method="Grad-CAM",
            layer=last,
            target=f"{first} rather than {second}",
            range=scales[last],
            scale="one scale for all three",
        ),
        pictures=pictures,
        tables={"Classes": lambda: classes(selection)},
        arrays=lambda: (
            given(selection)
            | {
                f"{named[title]}_{layer}": (heat, f"Grad-CAM (h, w) of {title}: {SIGNED}")
                for (layer, title), heat in heats.items()
            }
        ),
        figure=lambda: [
            Panel(overlay(pixels, heats[last, title], scales[last]), title, scales[last]) for title in asked
        ],
        snippet=_heat_snippet(selection, "grad_cam", last, selection.target, other),
        printed=f"the largest value of the difference at {last}, {number(heats[last, list(asked)[2]].max())}",
    )


# What every page has


def given(selection: Selection) -> Arrays:
    """The image, what the network gets of it and what it answers."""
    return {
        "image": (selection.sample.pixels, "the picture (H, W, 3), RGB, 0 to 255"),
        "input": (selection.x.numpy(), "what the network gets (1, 3, s, s), normalised by the card"),
        "logits": (selection.seen.logits, f"of {len(selection.card.classes)} classes (K,)"),
        "probabilities": (selection.seen.probabilities, "softmax of the logits (K,)"),
        "classes": (np.array(selection.card.classes), "the classes' names (K,)"),
    }


def classes(selection: Selection) -> pd.DataFrame:
    """One row a class, the most probable first."""
    seen = selection.seen
    rows = {"class": selection.card.classes, "logit": seen.logits, "probability": seen.probabilities}
    return pd.DataFrame(rows).sort_values("probability", ascending=False, kind="stable")


def channels(evidence: Evidence) -> pd.DataFrame:
    """One row a channel of each layer: its map in figures, and its part in Grad-CAM of the class."""
    return pd.concat([_channels(layer, one) for layer, one in evidence.items()])


def _channels(layer: str, one: ChannelEvidence) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "layer": layer,
            "channel": np.arange(len(one.maps)),
            "mean": one.maps.mean((1, 2)),
            "min": one.maps.min((1, 2)),
            "max": one.maps.max((1, 2)),
            "zero_share": (one.maps == 0).mean((1, 2)),
            "weight": one.weights,
            "contribution": one.contributions,
        }
    )


def _evidence_arrays(selection: Selection, evidence: Evidence) -> Arrays:
    name = selection.card.classes[selection.target]
    found: Arrays = {}
    for layer, one in evidence.items():
        found[f"weights_{layer}"] = (one.weights, f"Grad-CAM's weight of each channel (C,) for {name}")
        found[f"contributions_{layer}"] = (one.contributions, f"weight × mean of the map (C,) for {name}")
    return found
