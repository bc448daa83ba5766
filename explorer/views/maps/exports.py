"""Downloads of the page “Feature maps”: the grid, one channel, its kernel, and the steps to one position."""

from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.figures import Panel, mapped
from explorer.drawing.overlay import outline
from explorer.drawing.pictures import enlarged
from explorer.drawing.ranges import number
from explorer.drawing.sheets import sheet
from explorer.engine.probe import ConvStep, PositionProbe
from explorer.ui import cached
from explorer.ui.exports import downloads, export_parts
from explorer.ui.exports.downloads import Offer, Pictures, Tables
from explorer.ui.exports.export_parts import TRACE, Arrays, Evidence
from explorer.ui.exports.snippets import program
from explorer.ui.selection import Selection
from explorer.views.maps.view import View
from model.card import Pixels
from model.words import tr

ENLARGED, AROUND = 8, 12  # each pixel of the input becomes a square; gray around the picture


def feature_maps(selection: Selection, view: View) -> None:
    """All maps of a layer, one of them large, how it is computed, and the prediction without it."""
    downloads.show(partial(offer, selection, view))


def offer(selection: Selection, view: View) -> Offer:
    layer, channel = view.layer, view.channel
    mean = selection.seen.maps[layer][channel].mean()
    lines = ["seen = trace(net, x)", f"print(seen.maps[{layer!r}][{channel}].mean())"]
    return Offer(
        name=f"maps {selection.sample.name} {layer} channel {channel}",
        caption=export_parts.caption(
            selection,
            method=tr("Feature maps"),
            layer=tr("{layer}, channel {channel}", layer=layer, channel=channel),
            range=tr("{range}, this channel only", range=ranges.text(view.ranges.each[channel])),
        ),
        pictures=pictures(selection, view),
        tables=tables(selection, view),
        arrays=lambda: arrays(selection, view),
        figure=lambda: figure(selection, view),
        snippet=program([selection], [TRACE], lines),
        printed=tr("It prints the mean of channel {channel}: {mean}.", channel=channel, mean=number(mean)),
    )


def pictures(selection: Selection, view: View) -> Pictures:
    maps, kernel = selection.seen.maps[view.layer], view.kernel
    own = view.ranges.each[view.channel]
    drawings: Pictures = {
        tr("all channels"): lambda: all_channels(selection, view),
        tr("channel {channel}", channel=view.channel): lambda: color(maps[view.channel], own),
    }
    if kernel is not None:
        drawings[tr("its kernel")] = lambda: sheet(kernel.slices[kernel.order], kernel.range)
    row, column = view.position
    name = tr("receptive field of position ({row}, {column})", row=row, column=column)
    drawings[name] = lambda: receptive_field(selection, view)
    return drawings | export_parts.the_image(selection)


def all_channels(selection: Selection, view: View) -> Pixels:
    maps, colors = selection.seen.maps[view.layer], view.ranges
    return export_parts.grid(maps, view.scale, colors.shared, colors.each, view.order)


def receptive_field(selection: Selection, view: View) -> Pixels:
    """The network's input with the position's receptive field framed; what lies outside is gray."""
    field = cached.receptive_fields(selection.network, selection.input)[view.layer].at(*view.position)
    pixels = enlarged(selection.framed, ENLARGED)
    around = np.pad(pixels, ((AROUND, AROUND), (AROUND, AROUND), (0, 0)), constant_values=128)
    mask = np.zeros(around.shape[:2], bool)
    rows = [max(0, AROUND + ENLARGED * at) for at in (field.top, field.bottom)]
    columns = [max(0, AROUND + ENLARGED * at) for at in (field.left, field.right)]
    mask[slice(*rows), slice(*columns)] = True
    mask[[0, -1]] = mask[:, [0, -1]] = False  # a frame that reaches further is drawn along the edge
    return outline(around, mask)


def figure(selection: Selection, view: View) -> list[Panel]:
    maps, channel, colors = selection.seen.maps[view.layer], view.channel, view.ranges
    title, common, extent = tr("all {n} channels, scale per channel", n=len(maps)), None, ""
    if view.scale == "shared":
        title, common, extent = tr("all {n} channels", n=len(maps)), colors.shared, tr("shared scale")
    name = tr("channel {channel}", channel=channel)
    return [
        Panel(selection.framed, tr("what the network gets")),
        mapped(maps[channel], colors.each[channel], name, tr("this channel only")),
        Panel(all_channels(selection, view), title, common, extent),
    ]


def tables(selection: Selection, view: View) -> Tables:
    evidence, probe = evidence_of(selection, view), view.arithmetic
    channels: Tables = {
        tr("Channels"): lambda: export_parts.channels(evidence).iloc[list(view.order)],
    }
    frames: Tables = (channels if evidence else {}) | {
        tr("Without this channel"): lambda: without(selection, view),
        tr("Classes"): lambda: export_parts.classes(selection),
    }
    return frames if probe is None else frames | {tr("Position"): lambda: steps(probe)}


def evidence_of(selection: Selection, view: View) -> Evidence:
    """The channel evidence of the layer; none where no gradient reaches it."""
    evidence = selection.evidence(view.layer)
    return {} if evidence is None else {view.layer: evidence}


def without(selection: Selection, view: View) -> pd.DataFrame:
    """One row a class: its logit as it is, and with the channel at zero or at its mean."""
    ablations = cached.ablation_of(selection.network, selection.input, view.layer, view.channel)
    return pd.DataFrame(
        {
            "class": selection.card.classes,
            "logit": ablations.logits,
            "at_zero": ablations.zeroed[0],
            "at_its_mean": ablations.averaged[0],
        }
    )


def steps(probe: PositionProbe) -> pd.DataFrame:
    """One row a step to the position: its own arithmetic, and the value that the network computed."""
    rows = [
        {
            "layer": step.layer,
            "step": "Convolution" if isinstance(step, ConvStep) else step.kind,
            "row": probe.row,
            "column": probe.column,
            "value": step.value,
            "traced": step.traced,
        }
        for step in probe.steps
    ]
    return pd.DataFrame(rows)


def arrays(selection: Selection, view: View) -> Arrays:
    maps, evidence = selection.seen.maps[view.layer], evidence_of(selection, view)
    kernel: Arrays = {}
    if view.kernel is not None:
        text = tr("the kernel of channel {channel} (I, kh, kw)", channel=view.channel)
        kernel = {"kernel": (view.kernel.slices, text)}
    return (
        export_parts.input_arrays(selection)
        | export_parts.map_arrays(view.layer, maps)
        | kernel
        | export_parts.evidence_arrays(selection, evidence)
    )
