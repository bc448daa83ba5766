"""What the page «Feature maps» gives away: the grid, one channel, its kernel, and the walk to one cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import ranges
from explorer.drawing.colormaps import colour
from explorer.drawing.figures import Panel, mapped
from explorer.drawing.overlay import outline
from explorer.drawing.pictures import enlarged
from explorer.drawing.ranges import number
from explorer.drawing.sheets import sheet
from explorer.engine.probe import CellProbe, ConvStep
from explorer.engine.tracing import Block
from explorer.ui import downloads, export_parts
from explorer.ui.downloads import Offer, Pictures, Tables
from explorer.ui.export_parts import TRACE, Arrays
from explorer.ui.selection import Selection
from explorer.ui.snippets import program
from explorer.views.maps import cell_arithmetic, inspector
from explorer.views.maps.inspector import Cell
from model.checkpoint import Pixels

ENLARGED, AROUND = 8, 12  # each pixel of the input becomes a square; grey around the picture


@dataclass(frozen=True)
class Shown:
    """What the page shows: a layer of a block, how its grid is coloured and ordered, a channel and a cell."""

    block: Block
    layer: str
    scale: str
    order: Sequence[int]
    channel: int
    cell: Cell


def feature_maps(selection: Selection, shown: Shown) -> None:
    """All maps of a layer, one of them large, what made it, and what the answer is without it."""
    downloads.show(partial(offer, selection, shown))


def offer(selection: Selection, shown: Shown) -> Offer:
    layer, channel = shown.layer, shown.channel
    values = selection.seen.maps[layer][channel]
    own = ranges.shared(values, signed=bool(selection.seen.maps[layer].min() < 0))
    lines = ["seen = trace(net, x)", f"print(seen.maps[{layer!r}][{channel}].mean())"]
    return Offer(
        name=f"maps {selection.sample.name} {layer} channel {channel}",
        caption=export_parts.caption(
            selection,
            method="Feature maps",
            layer=f"{layer}, channel {channel}",
            range=ranges.text(own, "this channel's own"),
        ),
        pictures=pictures(selection, shown),
        tables=tables(selection, shown),
        arrays=lambda: arrays(selection, shown),
        figure=lambda: figure(selection, shown),
        snippet=program([selection], [TRACE], lines),
        printed=f"the mean of channel {channel}, {number(values.mean())}",
    )


def pictures(selection: Selection, shown: Shown) -> Pictures:
    maps = selection.seen.maps[shown.layer]
    slices = inspector.slices_of(selection, shown.block, shown.channel)
    own = ranges.shared(maps[shown.channel], signed=bool(maps.min() < 0))
    found: Pictures = {
        "all channels": lambda: all_channels(selection, shown),
        f"channel {shown.channel}": lambda: colour(maps[shown.channel], own),
    }
    if slices is not None:
        order = inspector.strongest_first(slices)
        found["its kernel"] = lambda: sheet(slices[order], ranges.symmetric(slices))
    row, column = shown.cell
    found[f"what cell ({row}, {column}) sees"] = lambda: sight(selection, shown)
    return found | export_parts.the_image(selection)


def all_channels(selection: Selection, shown: Shown) -> Pixels:
    maps = selection.seen.maps[shown.layer]
    signed = bool(maps.min() < 0)
    each = ranges.per_channel(maps, signed)
    return export_parts.grid(maps, shown.scale, ranges.shared(maps, signed=signed), each, shown.order)


def sight(selection: Selection, shown: Shown) -> Pixels:
    """The network's input with the cell's receptive field framed; what lies outside is grey."""
    field = selection.receptive_fields()[shown.layer].cell(*shown.cell)
    pixels = enlarged(selection.framed, ENLARGED)
    around = np.pad(pixels, ((AROUND, AROUND), (AROUND, AROUND), (0, 0)), constant_values=128)
    mask = np.zeros(around.shape[:2], bool)
    rows = [max(0, AROUND + ENLARGED * at) for at in (field.top, field.bottom)]
    columns = [max(0, AROUND + ENLARGED * at) for at in (field.left, field.right)]
    mask[slice(*rows), slice(*columns)] = True
    mask[[0, -1]] = mask[:, [0, -1]] = False  # a frame that reaches further is drawn along the edge
    return outline(around, mask)


def figure(selection: Selection, shown: Shown) -> list[Panel]:
    maps, channel = selection.seen.maps[shown.layer], shown.channel
    signed = bool(maps.min() < 0)
    own, common = ranges.shared(maps[channel], signed=signed), ranges.shared(maps, signed=signed)
    one_scale = shown.scale == "shared"
    sheet_said = f"all {len(maps)} channels" + ("" if one_scale else ", each on its own scale")
    return [
        Panel(selection.framed, "what the network gets"),
        mapped(maps[channel], own, f"channel {channel}", "its own scale"),
        Panel(
            all_channels(selection, shown),
            sheet_said,
            common if one_scale else None,
            "one scale for all" if one_scale else "",
        ),
    ]


def tables(selection: Selection, shown: Shown) -> Tables:
    evidence = selection.evidence((shown.layer,))
    found: Tables = {
        "Channels": lambda: export_parts.channels(evidence).iloc[list(shown.order)],
        "Without it": lambda: without(selection, shown),
        "Classes": lambda: export_parts.classes(selection),
    }
    try:
        walked = cell_arithmetic.walk(selection, shown.block, shown.layer, shown.channel, shown.cell)
    except ValueError:  # the page says why it cannot be spelled out
        return found
    return found | {"Cell": lambda: steps(walked)}


def without(selection: Selection, shown: Shown) -> pd.DataFrame:
    """One row a class: its logit as it is, and with the channel at zero or at its mean."""
    found = selection.ablation(shown.layer, shown.channel)
    return pd.DataFrame(
        {
            "class": selection.card.classes,
            "logit": found.logits,
            "at_zero": found.zeroed[0],
            "at_its_mean": found.averaged[0],
        }
    )


def steps(walked: CellProbe) -> pd.DataFrame:
    """One row a step of the walk to the cell: what comes out, and what the network computed."""
    rows = [
        {
            "layer": step.layer,
            "step": "Convolution" if isinstance(step, ConvStep) else step.kind,
            "row": walked.row,
            "column": walked.column,
            "value": step.value,
            "traced": step.traced,
        }
        for step in walked.steps
    ]
    return pd.DataFrame(rows)


def arrays(selection: Selection, shown: Shown) -> Arrays:
    maps, evidence = selection.seen.maps[shown.layer], selection.evidence((shown.layer,))
    slices = inspector.slices_of(selection, shown.block, shown.channel)
    kernel: Arrays = {} if slices is None else {"kernel": (slices, f"of channel {shown.channel} (I, kh, kw)")}
    return (
        export_parts.given(selection)
        | export_parts.map_arrays(shown.layer, maps)
        | kernel
        | export_parts.evidence_arrays(selection, evidence)
    )
