"""A network whose forward pass stops: everything up to there, with the place of the error."""

import streamlit as st

from explorer.engine import graph as graphs
from explorer.engine import opening
from explorer.engine.glimpses import Glimpse, glimpses
from explorer.engine.graph import Graph, Node
from explorer.ui import cached, link
from explorer.ui.components.network_graph import Event, Stage, Tile, network_graph
from explorer.ui.markdown import literal
from explorer.ui.options import options
from explorer.ui.sidebar import image_choice
from explorer.views.network import names, picture
from explorer.views.network.columns import SYMBOLS, Column, color_range
from model.card import Card
from model.problems import Problem
from model.words import paragraph, tr

ROWS = 4  # channels of each stage


def show() -> None:
    """The network chosen in the sidebar, as far as its forward pass gets; nothing if it gets to its end."""
    try:
        sources = options().checkpoints
    except Problem:  # the sidebar has said so
        return
    name = link.chosen("checkpoint", next(iter(sources), ""))
    if name not in sources:
        return
    try:
        cached.opened(name, sources[name])
        return  # the network is all right: there is only no picture yet
    except Problem:  # the sidebar has said so
        pass
    try:
        net, card = opening.unopened(sources[name])
        sample = image_choice.first_sample()
        x = card.to_input(sample.pixels)
        graph = graphs.graph(net, x)
    except Problem:  # it cannot even be built, or looked into
        return
    if graph.failure is None:
        return
    rows = {node.name: range(min(ROWS, node.shape[0])) for node in graph.nodes if _has_channels(node)}
    draw(
        card,
        graph,
        [stage_of(graph, node, maps) for node, maps in _with_maps(graph, glimpses(net, x, rows))],
    )


def _has_channels(node: Node) -> bool:
    return len(node.shape) in (1, 3) and node.kind not in SYMBOLS


def _with_maps(graph: Graph, maps: dict[str, Glimpse]) -> list[tuple[Node, Glimpse | None]]:
    return [(node, maps.get(node.name)) for node in graph.nodes]


def stage_of(graph: Graph, node: Node, glimpse: Glimpse | None) -> Stage:
    """A node with its first channels; the last one is where the pass stopped."""
    column = Column(node, None if glimpse is None else node.name)
    texts = [
        tr("channel {channel} of {layer}", channel=k, layer=names.full_name(column)) for k in range(ROWS)
    ]
    count = 0 if glimpse is None else len(glimpse.maps)
    is_last = node is graph.nodes[-1]
    return Stage(
        name=names.short_name(column),
        lines=picture.lines_of(column, picture.modules_around(graph.nodes)),
        text=where(graph) if is_last else names.full_name(column),
        kind=node.kind,
        node=node.name,
        sign="" if count else "!" if is_last else picture.SIGNS.get(node.kind, "·"),
        tiles=tuple(Tile(k, text) for k, text in enumerate(texts[:count])),
        rest=picture.some(count, column.count),
        stopped=is_last,
        maps=None if glimpse is None else glimpse.maps,
        range=None if glimpse is None else color_range(glimpse),
    )


def where(graph: Graph) -> str:
    """Where the pass stopped, and why."""
    assert graph.failure is not None
    name, reason = graph.failure.node, graph.failure.message
    return tr("The forward pass stops at {layer}: {reason}", layer=name or tr("input"), reason=reason)


def draw(card: Card, graph: Graph, stages: list[Stage]) -> None:
    sample = image_choice.first_sample()
    st.header(tr("As far as the network gets"), anchor=False)
    network_graph(
        card.framed(sample.pixels),
        stages,
        graph.edges,
        [],
        [],
        key="stopped",
        chosen=None,
        on_event=_ignore,
        label=tr("The network, up to where it stops"),
        image_text=tr("The image: {name}", name=sample.name),
        answers_name="",
        answers_line="",
        status=where(graph),
        opens="",
        flows="",
        none_flows="",
        logits=None,
        stopped=True,
    )
    st.caption(literal(shapes_before(graph)))


def shapes_before(graph: Graph) -> str:
    """What the layer that stopped was given: the shapes of what it reads."""
    last = len(graph.nodes) - 1
    sources = [graph.nodes[source] for source, target in graph.edges if target == last]
    given = (
        tr(
            "It reads the output of {layer}, {shape}.",
            layer=node.name or tr("input"),
            shape=picture.size(node),
        )
        for node in sources
    )
    return paragraph(given)


def _ignore(_: Event) -> None:
    """Nothing here leads to another page: there is no network to look at."""
