"""What the page “Network” offers for download: its nodes, edges, contributions and lines."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing.colormaps import color
from explorer.drawing.figures import Panel
from explorer.drawing.ranges import number, signed
from explorer.ui.exports import downloads, export_parts
from explorer.ui.exports.downloads import Offer, Pictures
from explorer.ui.exports.snippets import program
from explorer.ui.selection import Selection
from explorer.views.network.columns import Column, Columns
from explorer.views.network.lines import ContributionLine
from explorer.views.network.names import channel_name
from model.words import tr

FLOW = "from explorer.engine.flow import channel_contributions"


def show(
    selection: Selection, columns: Columns, chosen: tuple[str, int] | None, lines: Sequence[ContributionLine]
) -> None:
    downloads.show(partial(offer, selection, columns, chosen, lines))


def offer(
    selection: Selection, columns: Columns, chosen: tuple[str, int] | None, lines: Sequence[ContributionLine]
) -> Offer:
    return Offer(
        name=f"network {selection.sample.name} {selection.card.classes[selection.target]}",
        caption=export_parts.caption(selection),
        pictures=pictures(selection, columns),
        tables={
            tr("Nodes"): lambda: nodes(columns),
            tr("Edges"): lambda: edges(columns),
            tr("Contributions"): lambda: contributions(columns),
            tr("Lines"): lambda: flows(columns, lines),
            tr("Classes"): lambda: export_parts.classes(selection),
        },
        arrays=lambda: export_parts.input_arrays(selection) | arrays(selection, columns),
        figure=lambda: figure(selection, columns),
        snippet=snippet(selection, columns, chosen),
        printed=printed(selection, columns, chosen),
    )


def nodes(columns: Columns) -> pd.DataFrame:
    """One row for each node of the graph, in the order in which they ran."""
    rows = [
        {
            "node": index,
            "name": column.node.name,
            "kind": column.node.kind,
            "shape": "×".join(map(str, column.node.shape)),
            "parameters": column.node.parameters,
            "block": "" if column.node.block is None else column.node.block + 1,
        }
        for index, column in enumerate(columns.columns)
    ]
    return pd.DataFrame(rows)


def edges(columns: Columns) -> pd.DataFrame:
    """One row for each edge, by the numbers and the names of its nodes."""
    names = [column.node.name for column in columns.columns]
    rows = [(source, target, names[source], names[target]) for source, target in columns.edges]
    return pd.DataFrame(rows, columns=["source", "target", "source_name", "target_name"])


def contributions(columns: Columns) -> pd.DataFrame:
    """One row for each channel of each layer that has contributions."""
    tables = [
        pd.DataFrame(
            {
                "layer": layer,
                "channel": np.arange(len(values)),
                "contribution": values,
            }
        )
        for layer, values in contributions_by_layer(columns).items()
    ]
    empty = pd.DataFrame({"layer": [], "channel": [], "contribution": []})
    return pd.concat(tables) if tables else empty


def contributions_by_layer(columns: Columns) -> dict[str, np.ndarray]:
    return {
        column.layer: column.contributions
        for column in columns.columns
        if column.layer and column.contributions is not None
    }


def flows(columns: Columns, lines: Sequence[ContributionLine]) -> pd.DataFrame:
    """One row for each line of the picture; the channel is empty for those not shown, together."""
    rows = [
        {
            "source": columns.columns[line.source].node.name,
            "source_channel": "" if line.channel is None else line.channel,
            "target": columns.columns[line.target].node.name,
            "target_channel": line.target_channel,
            "through": line.layer,
            "value": line.value,
        }
        for line in lines
    ]
    heads = ["source", "source_channel", "target", "target_channel", "through", "value"]
    return pd.DataFrame(rows, columns=heads)


def arrays(selection: Selection, columns: Columns) -> export_parts.Arrays:
    name = selection.target_name
    text = tr(
        "gradient × activation of each channel (C,), summed over positions, for the class {name}", name=name
    )
    return {
        f"contributions_{layer}": (values, text) for layer, values in contributions_by_layer(columns).items()
    }


def pictures(selection: Selection, columns: Columns) -> Pictures:
    """The channel of each column that contributes most."""
    drawn: Pictures = {}
    for column in maps_of(columns):
        drawn[channel_name(selection, column, column.channels[0])] = partial(first_map, column)
    return drawn | export_parts.the_image(selection)


def maps_of(columns: Columns) -> list[Column]:
    return [column for column in columns.columns if column.layer and len(column.node.shape) == 3]


def first_map(column: Column) -> np.ndarray:
    assert column.glimpse is not None
    assert column.range is not None
    return color(column.glimpse.maps[0], column.range)


def figure(selection: Selection, columns: Columns) -> list[Panel]:
    """The input, and the channel that contributes most of up to seven columns."""
    maps = maps_of(columns)
    picked = (
        [maps[index] for index in sorted({round(at) for at in np.linspace(0, len(maps) - 1, 7)})]
        if maps
        else []
    )
    panels = [
        Panel(
            first_map(column),
            channel_name(selection, column, column.channels[0]),
            column.range,
            tr("scale of the channels shown"),
        )
        for column in picked
    ]
    return [Panel(selection.framed, tr("the network’s input")), *panels]


def snippet(selection: Selection, columns: Columns, chosen: tuple[str, int] | None) -> str:
    """A program that prints the contribution of the chosen channel, or without one the largest logit."""
    layer = printed_layer(columns, chosen)
    if layer is None or chosen is None:
        return program([selection], [export_parts.TRACE], ["print(trace(net, x).logits.max())"])
    name = repr(selection.card.classes[selection.target])
    lines = [
        f"values = channel_contributions(net, x, [{layer!r}], {selection.target})  # {name}",
        f"print(values[{layer!r}][{chosen[1]}])",
    ]
    return program([selection], [FLOW], lines)


def printed_layer(columns: Columns, chosen: tuple[str, int] | None) -> str | None:
    return chosen[0] if chosen and chosen[0] in contributions_by_layer(columns) else None


def printed(selection: Selection, columns: Columns, chosen: tuple[str, int] | None) -> str:
    layer = printed_layer(columns, chosen)
    if layer is None or chosen is None:
        return tr("It prints the largest logit: {value}.", value=number(selection.seen.logits.max()))
    value = float(contributions_by_layer(columns)[layer][chosen[1]])
    return tr("It prints what the chosen channel contributes: {value}.", value=signed(value))
