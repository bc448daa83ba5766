"""The columns of the picture: each node of the graph, with the channels that contribute most to the class."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from explorer.drawing import ranges
from explorer.drawing.ranges import Range
from explorer.engine.glimpses import Glimpse
from explorer.engine.graph import Graph, Node, folded
from explorer.engine.values import Floats
from explorer.ui import cached
from explorer.ui.selection import Selection

ROWS, FEW_ROWS = 8, 5  # channels that a column shows, and one of many columns
MANY = 36  # columns from which on each shows fewer
LARGE = 28  # nodes from which on blocks are folded
SYMBOLS = ("flatten", "add", "concat", "multiply")  # drawn as a sign, also where a module does it


@dataclass(frozen=True, eq=False)
class Column:
    """A node and the channels of it that are shown, those with the largest contributions first.

    `layer` is the layer whose channels they are, "" for the image, None for an operation, of which none are
    shown. `contributions` (C,) are those of all its channels, None where no gradient reaches the layer.
    `range` is the color range that all of them share.
    """

    node: Node
    layer: str | None
    channels: tuple[int, ...] = ()
    contributions: Floats | None = None
    glimpse: Glimpse | None = None
    range: Range | None = None

    @property
    def count(self) -> int:
        """How many channels the node has."""
        return self.node.shape[0] if self.node.shape else 1


@dataclass(frozen=True, eq=False)
class Columns:
    """All columns in the order in which they ran, with their edges, and whether blocks are folded in them.

    `column_indices` maps a layer or an operation to the column that it is in, `contributions` maps it to
    those of its channels; `classes` are the classes that are shown, the most probable first, `logits` is
    their column.
    """

    graph: Graph
    columns: tuple[Column, ...]
    column_indices: Mapping[str, int]
    contributions: Mapping[str, Floats]
    classes: tuple[int, ...]
    logits: int | None

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        return self.graph.edges


def columns_of(selection: Selection, unfolded: tuple[int, ...], chosen: tuple[str, int] | None) -> Columns:
    """The columns of the selection's network; `chosen` is a layer and a channel of it, shown anyway."""
    whole = cached.graph(selection.network, selection.input, selection.target)
    graph = folded(whole, selection.blocks, unfolded) if is_large(whole) else whole
    layers = _layers(whole, graph)
    named = tuple(dict.fromkeys(layer for layer in layers if layer))
    contributions = contributions_in(selection, whole)
    rows = FEW_ROWS if len(named) > MANY else ROWS
    classes = most_probable(selection, rows)
    logits = _logits(graph, layers, len(selection.card.classes))
    channels_by_column: list[tuple[int, ...]] = []
    for index, (node, layer) in enumerate(zip(graph.nodes, layers, strict=True)):
        if layer is None:
            channels_by_column.append(())
        elif index == logits:
            channels_by_column.append(classes)
        else:
            of_layer = contributions.get(layer) if layer else None  # colors stay in their order
            channels_by_column.append(_first(of_layer, _count(node), rows, _channel(chosen, layer)))
    wanted = tuple(
        (layer, channels)
        for layer, channels in zip(layers, channels_by_column, strict=True)
        if layer is not None and channels
    )
    glimpses = cached.glimpses(selection.network, selection.input, wanted, selection.target)
    columns = tuple(
        _column(node, layer, channels, contributions, glimpses)
        for node, layer, channels in zip(graph.nodes, layers, channels_by_column, strict=True)
    )
    return Columns(graph, columns, _column_indices(whole, graph), contributions, classes, logits)


def is_large(graph: Graph) -> bool:
    """Whether the blocks of a graph are folded at first."""
    return len(graph.nodes) > LARGE


def most_probable(selection: Selection, count: int) -> tuple[int, ...]:
    """The most probable classes, the one to explain always among them."""
    order = np.argsort(-selection.seen.probabilities, kind="stable")[:count].tolist()
    if selection.target not in order:
        order[-1] = selection.target
    return tuple(order)


def contributions_in(selection: Selection, graph: Graph) -> dict[str, Floats]:
    """Name of a node → its channels' contributions (C,) to the class."""
    names = tuple(node.name for node in graph.nodes)
    return cached.contributions(selection.network, selection.input, names, selection.target)


def _layers(whole: Graph, graph: Graph) -> list[str | None]:
    """Whose channels stand for each node: its own, those of a folded block's last; None for an operation."""
    own = {node.name for node in graph.nodes if node.kind != "block"}
    inside = {node.block: node.name for node in whole.nodes if node.name not in own and _has_channels(node)}
    return [
        inside.get(node.block) if node.kind == "block" else node.name if _has_channels(node) else None
        for node in graph.nodes
    ]


def _has_channels(node: Node) -> bool:
    return node.kind not in SYMBOLS and len(node.shape) in (1, 3)


def _logits(graph: Graph, layers: list[str | None], classes: int) -> int | None:
    """The column of the logits: the last that has channels, if it has a number for each class."""
    last = max((index for index, layer in enumerate(layers) if layer), default=0)
    return last if graph.nodes[last].shape == (classes,) else None


def _count(node: Node) -> int:
    return node.shape[0] if node.shape else 1


def _channel(chosen: tuple[str, int] | None, layer: str) -> int | None:
    return chosen[1] if chosen is not None and chosen[0] == layer else None


def _first(contributions: Floats | None, count: int, rows: int, chosen: int | None) -> tuple[int, ...]:
    """The channels to show: the largest contributions of either sign first; without any, by number."""
    if contributions is None or len(contributions) != count:
        order = list(range(min(rows, count)))
    else:
        order = np.argsort(-np.abs(contributions), kind="stable")[:rows].tolist()
    if chosen is not None and chosen < count and chosen not in order:
        order[-1] = chosen
    return tuple(order)


def _column(
    node: Node,
    layer: str | None,
    channels: tuple[int, ...],
    contributions: Mapping[str, Floats],
    glimpses: Mapping[str, Glimpse],
) -> Column:
    if layer is None or layer not in glimpses:
        return Column(node, None)
    glimpse = glimpses[layer]
    return Column(node, layer, channels, contributions.get(layer), glimpse, color_range(glimpse))


def color_range(glimpse: Glimpse) -> Range:
    """The range that the shown channels of a layer share: about zero if any has a negative value."""
    ends = np.array([glimpse.low, glimpse.high])
    return ranges.shared(ends, signed=bool((glimpse.low < 0).any()))


def _column_indices(whole: Graph, graph: Graph) -> dict[str, int]:
    """Name of a node, also of one in a folded block → its column."""
    folds = {node.block: index for index, node in enumerate(graph.nodes) if node.kind == "block"}
    within = {node.name: folds[node.block] for node in whole.nodes if node.block in folds}
    return within | {node.name: index for index, node in enumerate(graph.nodes) if node.kind != "block"}
