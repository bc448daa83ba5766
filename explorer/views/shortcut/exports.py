"""The downloads of the page Shortcut: the scene with and without the mark, both heat maps, the ranking."""

from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.figures import Panel
from explorer.drawing.ranges import number
from explorer.ui.class_names import glossed
from explorer.ui.exports import downloads, export_parts
from explorer.ui.exports.downloads import Offer, Pictures
from explorer.ui.exports.export_parts import ATTRIBUTE, Arrays
from explorer.ui.exports.snippets import program_of_pixels
from explorer.views.shortcut.carriers import MarkCarriers
from explorer.views.shortcut.marked import MarkedPair, MarkedSide
from model.scenes import CLASSES
from model.words import tr

MARKS = ("from model.shortcut import with_mark", "from explorer.engine.shortcut import on_mark")


def show(pair: MarkedPair, carried: MarkCarriers) -> None:
    """The scene with and without the mark, Grad-CAM of both networks, and the channels by their shift."""
    downloads.show(partial(offer, pair, carried))


def offer(pair: MarkedPair, carried: MarkCarriers) -> Offer:
    side = pair.shortcut
    return Offer(
        name=f"shortcut {CLASSES[pair.label]} mark {CLASSES[pair.mark]}",
        caption=" · ".join(map(caption, pair.sides)),
        pictures=pictures(pair),
        tables={tr("Channels by their shift"): lambda: shifts(carried)},
        arrays=lambda: arrays(pair, carried),
        figure=lambda: [panel(each) for each in pair.sides],
        snippet=program_of_pixels(side.plain, [ATTRIBUTE, *MARKS], lines(pair)),
        printed=tr(
            "It prints the fraction of the absolute evidence of {checkpoint} on the mark: {value}.",
            checkpoint=side.name,
            value=number(side.on.absolute),
        ),
    )


def caption(side: MarkedSide) -> str:
    return export_parts.caption(
        side.marked,
        method=tr("Grad-CAM"),
        layer=side.layer,
        target=glossed(CLASSES[side.marked.predicted]),
        range=ranges.text(side.range, tr("scale of this map only")),
    )


def pictures(pair: MarkedPair) -> Pictures:
    scene = pair.shortcut
    drawn: Pictures = {
        tr("the scene with the mark"): lambda: scene.marked.sample.pixels,
        tr("the scene without the mark"): lambda: scene.plain.sample.pixels,
    }
    for side in pair.sides:
        over = partial(export_parts.over_image, side.marked, side.layer, side.heat, side.range)
        drawn[tr("{checkpoint}, over the image", checkpoint=side.name)] = over
        drawn[tr("{checkpoint}, raw map", checkpoint=side.name)] = partial(color, side.heat, side.range)
    return drawn


def panel(side: MarkedSide) -> Panel:
    title = tr(
        "{checkpoint}: {name} at {layer}",
        checkpoint=side.name,
        name=glossed(CLASSES[side.marked.predicted]),
        layer=side.layer,
    )
    over = export_parts.over_image(side.marked, side.layer, side.heat, side.range)
    return Panel(over, title, side.range, tr("scale of this map only"))


def shifts(carried: MarkCarriers) -> pd.DataFrame:
    """One row a channel, the most shifted first."""
    order = np.argsort(-carried.shifts, kind="stable")
    off = np.isin(order, carried.off)
    return pd.DataFrame({"channel": order, "shift": carried.shifts[order], "switched_off": off})


def arrays(pair: MarkedPair, carried: MarkCarriers) -> Arrays:
    made: Arrays = {
        "scene": (pair.shortcut.plain.sample.pixels, tr("the scene as the networks get it (h, w, 3)")),
        "marked": (pair.shortcut.marked.sample.pixels, tr("the scene with the mark (h, w, 3)")),
        "shifts": (carried.shifts, tr("how far the mark moves each channel at {layer} (C,), in standard "
                                      "deviations", layer=carried.side.layer)),
    }  # fmt: skip
    for name, side in (("control", pair.control), ("shortcut", pair.shortcut)):
        meaning = tr(
            "Grad-CAM (h, w) of {name} at {layer} by {checkpoint}: raw and signed",
            name=glossed(CLASSES[side.marked.predicted]),
            layer=side.layer,
            checkpoint=side.name,
        )
        made[f"{name}_heat"] = (side.heat, meaning)
    return made


def lines(pair: MarkedPair) -> list[str]:
    """Python that computes the evidence of the second network on the mark."""
    side = pair.shortcut
    return [
        "net = checkpoint.build()",
        f"pixels = with_mark(pixels, {pair.mark})  # {CLASSES[pair.mark]!r}",
        "x = checkpoint.card.to_input(pixels)",
        f"heat = attribute(net, x, 'grad_cam', layer={side.layer!r}, target={side.marked.predicted})",
        f"print(on_mark(heat.values, {pair.mark}, {side.marked.card.input_size}).absolute)",
    ]
