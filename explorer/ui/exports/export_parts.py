"""What the downloads of several pages have in common: captions, the image, its prediction, programs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from explorer.drawing import figures, ranges
from explorer.drawing.figures import Panel
from explorer.drawing.overlay import overlay
from explorer.drawing.ranges import Range
from explorer.drawing.sheets import sheet
from explorer.engine.attribution import METHODS, ChannelEvidence
from explorer.engine.effects import Effects
from explorer.ui import panels
from explorer.ui.exports.downloads import Array, Pictures
from explorer.ui.exports.snippets import program
from explorer.ui.selection import Selection
from model.card import Pixels
from model.pixels import whole
from model.words import N_, tr

Arrays = dict[str, tuple[Array, str]]
Evidence = dict[str, ChannelEvidence]
Floats = npt.NDArray[np.float32]

ATTRIBUTE = "from explorer.engine.attribution import attribute"
TRACE = "from explorer.engine.tracing import trace"


LOGITS = N_("logits of the {count} classes (K,)")
LOG_PROBABILITIES = N_("log-probabilities of the {count} classes (K,)")
SOFTMAX, SIGMOID = N_("softmax of the logits (K,)"), N_("sigmoid of each logit (K,)")


def caption(
    selection: Selection,
    *,
    layer: str = "",
    method: str = "",
    target: str | None = None,
    range: str = "",
) -> str:
    """What a figure says of itself: image, method, layer, class, range, checkpoint and its digest."""
    return figures.caption(
        checkpoint=selection.opened.name,
        digest=selection.opened.checkpoint.digest,
        image=image_name(selection),
        layer=layer,
        method=method,
        target=selection.target_name if target is None else target,
        range=range,
    )


def image_name(selection: Selection) -> str:
    """The name of the picture, with how it was made square, unless the network gets all of it as it is."""
    height, width = selection.sample.pixels.shape[:2]
    name = selection.sample.name
    if selection.received != whole(height, width):
        return tr("{image} (center square)", image=name)
    return name if height == width else tr("{image} (squashed to a square)", image=name)


def each_own(scales: Mapping[str, Range]) -> str:
    """Several ranges in words, each with the name of what is drawn on it."""
    each = tr(", ").join(f"{name} {ranges.text(range)}" for name, range in scales.items())
    return tr("{ranges}, one scale per map", ranges=each)


def input_arrays(selection: Selection) -> Arrays:
    """The image, the network's input and its outputs."""
    count, outputs = len(selection.card.classes), selection.opened.checkup.outputs
    part = selection.received
    return {
        "image": (selection.sample.pixels, tr("the picture (H, W, 3), RGB, 0 to 255")),
        "received": (
            np.array([part.top, part.bottom, part.left, part.right]),
            tr("the part of the picture that the network gets (4,): top, bottom, left, right; ends excluded"),
        ),
        "input": (
            selection.input.x.numpy(),
            tr("the network’s normalized input (1, C, s, s)"),
        ),
        "logits": (
            selection.seen.logits,
            tr(LOG_PROBABILITIES if outputs.log_probabilities else LOGITS, count=count),
        ),
        "probabilities": (selection.seen.probabilities, tr(SIGMOID if outputs.independent else SOFTMAX)),
        "classes": (np.array(selection.card.classes), tr("the names of the classes (K,)")),
    }


def classes(selection: Selection) -> pd.DataFrame:
    """One row per class, the most probable first."""
    seen = selection.seen
    rows = {"class": selection.card.classes, "logit": seen.logits, "probability": seen.probabilities}
    return pd.DataFrame(rows).sort_values("probability", ascending=False, kind="stable")


def channels(evidence: Evidence) -> pd.DataFrame:
    """One row per channel of each layer: statistics of its map, and its contribution to Grad-CAM."""
    return pd.concat([_channels(layer, one) for layer, one in evidence.items()])


def _channels(layer: str, one: ChannelEvidence) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "layer": layer,
            "channel": np.arange(len(one.maps)),
            "mean": one.maps.mean((1, 2)),
            "min": one.maps.min((1, 2)),
            "max": one.maps.max((1, 2)),
            "zero_fraction": (one.maps == 0).mean((1, 2)),
            "weight": one.weights,
            "contribution": one.contributions,
        }
    )


def effects(measured: Effects) -> pd.DataFrame:
    """One row per channel: its contribution to Grad-CAM, and how much the logit falls without it."""
    rows = {
        "channel": np.arange(len(measured.falls)),
        "contribution": measured.contributions,
        "fall_of_logit": measured.falls,
    }
    return pd.DataFrame(rows).sort_values("fall_of_logit", ascending=False, kind="stable")


def evidence_arrays(selection: Selection, evidence: Evidence) -> Arrays:
    name = selection.target_name
    arrays: Arrays = {}
    for layer, one in evidence.items():
        weights = tr("Grad-CAM’s weight of each channel (C,) for the class {name}", name=name)
        contributions = tr("weight × mean of the map (C,) for the class {name}", name=name)
        arrays[f"weights_{layer}"] = (one.weights, weights)
        arrays[f"contributions_{layer}"] = (one.contributions, contributions)
    return arrays


def map_arrays(layer: str, maps: Floats, name: str = "maps") -> Arrays:
    return {name: (maps, tr("the feature maps (C, h, w) of {layer}, as they are", layer=layer))}


def heat_arrays(method: str, heats: dict[str, Floats]) -> Arrays:
    units = tr(METHODS[method].units)
    text = tr("{method} (h, w): raw values, not normalized. {units}", method=method, units=units)
    return {f"heat_{layer}": (heat, text) for layer, heat in heats.items()}


def heat_program(
    selection: Selection, method: str, layer: str, target: int, against: int | None = None
) -> str:
    names = selection.card.classes
    name = repr(names[target])
    if against is not None:
        name = tr("{name} rather than {other}", name=name, other=repr(names[against]))
    more = "" if against is None else f", against={against}"
    lines = [
        f"heat = attribute(net, x, {method!r}, layer={layer!r}, target={target}{more})  # {name}",
        "print(heat.values.max())",
    ]
    return program([selection], [ATTRIBUTE], lines)


def over_image(selection: Selection, layer: str | None, heat: Floats, range: Range) -> Pixels:
    """A heat map (h, w) of a layer, or of the input's pixels for None, over all pixels of the picture."""
    return overlay(selection.sample.pixels, heat, range, selection.covered(layer))


def printed(selection: Selection, drawn: Pixels, title: str, *scale: Any) -> Panel:
    """A picture, or what is drawn over it, in a figure: without a panorama's ends, as on the page."""
    return Panel(panels.around_received(selection, drawn), title, *scale)


def the_image(selection: Selection) -> Pictures:
    """The pictures at the top of every page."""
    return {
        tr("the image"): lambda: selection.sample.pixels,
        tr("the network’s input"): lambda: selection.framed,
    }


def grid(maps: Floats, scale: str, common: Range, each: Sequence[Range], order: Sequence[int]) -> Pixels:
    """A sheet of maps (C, h, w) as the channel grid shows them: on its scale, in its order."""
    channels = list(order)
    return sheet(maps[channels], common if scale == "shared" else [each[channel] for channel in channels])
