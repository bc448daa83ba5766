"""What the offers of several pages have in common: captions, the image and its answer, tables, programs."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from explorer.drawing import figures, ranges
from explorer.drawing.overlay import overlay
from explorer.drawing.ranges import Range
from explorer.drawing.sheets import sheet
from explorer.engine.attribution import ChannelEvidence
from explorer.ui.downloads import Array, Pictures
from explorer.ui.selection import Selection
from explorer.ui.snippets import program
from model.checkpoint import Pixels

Arrays = dict[str, tuple[Array, str]]
Evidence = dict[str, ChannelEvidence]
Floats = npt.NDArray[np.float32]

ATTRIBUTE = "from explorer.engine.attribution import attribute"
TRACE = "from explorer.engine.tracing import trace"
SIGNED = "raw and signed, positive supports the class; in units of the logit, whose value is not their sum"
UNSCALED = "raw and signed, positive supports the class; compares positions, not in units of the logit"


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
        image=selection.sample.name + fitted(selection),
        layer=layer,
        method=method,
        target=selection.card.classes[selection.target] if target is None else target,
        range=range,
    )


def fitted(selection: Selection) -> str:
    """How a picture that is not square came to the network, in parentheses; nothing for a square one."""
    height, width = selection.sample.pixels.shape[:2]
    if height == width:
        return ""
    return " (its center square)" if selection.fit == "crop" else " (squashed to a square)"


def each_own(scales: Mapping[str, Range]) -> str:
    """Several ranges in words, each with what it belongs to."""
    return ", ".join(f"{name} {ranges.text(range)}" for name, range in scales.items()) + ", each its own"


def given(selection: Selection) -> Arrays:
    """The image, what the network gets of it and what it answers."""
    part = selection.received
    return {
        "image": (selection.sample.pixels, "the picture (H, W, 3), RGB, 0 to 255"),
        "received": (
            np.array([part.top, part.bottom, part.left, part.right]),
            "the rows and columns of the picture that the network gets (4,): top, bottom, left, right, "
            "ends excluded",
        ),
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


def evidence_arrays(selection: Selection, evidence: Evidence) -> Arrays:
    name = selection.card.classes[selection.target]
    found: Arrays = {}
    for layer, one in evidence.items():
        found[f"weights_{layer}"] = (one.weights, f"Grad-CAM's weight of each channel (C,) for {name}")
        found[f"contributions_{layer}"] = (one.contributions, f"weight × mean of the map (C,) for {name}")
    return found


def map_arrays(layer: str, maps: Floats, name: str = "maps") -> Arrays:
    return {name: (maps, f"the feature maps (C, h, w) that {layer} gives, in its own units")}


def heat_arrays(method: str, heats: dict[str, Floats]) -> Arrays:
    said = UNSCALED if method == "grad_cam_pp" else SIGNED
    return {f"heat_{layer}": (heat, f"{method} (h, w): {said}") for layer, heat in heats.items()}


def heat_program(
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


def over_image(selection: Selection, heat: Floats, range: Range) -> Pixels:
    """A heat map (h, w) over the picture, as pages show it."""
    return overlay(selection.sample.pixels, heat, range, selection.received)


def the_image(selection: Selection) -> Pictures:
    """The pictures on top of every page."""
    return {
        "the image": lambda: selection.sample.pixels,
        "what the network gets": lambda: selection.framed,
    }


def grid(maps: Floats, scale: str, common: Range, each: Sequence[Range], order: Sequence[int]) -> Pixels:
    """A sheet of maps (C, h, w) as the channel grid shows them: on its scale, in its order."""
    shown = list(order)
    return sheet(maps[shown], common if scale == "shared" else [each[channel] for channel in shown])
