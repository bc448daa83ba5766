"""The network as the graph that ran: its layers, the functions between them, and what each of them read."""

import heapq
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine.dataflow import Dataflow, FlowStep
from explorer.engine.passes import check_images
from explorer.engine.stage import has_modules
from explorer.engine.tracing import Block, Trace, blocks
from model.builders import reason_of

JOINING = ("norm", "act", "pool", "dropout")  # the functions that belong to the block that they read


@dataclass(frozen=True)
class Node:
    """One step of a forward pass: a layer as Trace names it, a function between layers, or the image.

    `name` is a module path, `path#2` for its second call, "" for the image, or a function such as `add`,
    `add#2`; `torch.add` where a module has that name. `kind` is "image", "conv", "norm", "act", "pool",
    "flatten", "dense", "dropout", "add", "concat", "multiply" or "other"; "block" for a folded block.
    `shape` is that of its output for one image, without the batch, maps as (C, h, w); () where it gave no
    tensor or several. `parameters` are the numbers that a layer learns, each counted where it is first used.
    `block` is its index in `tracing.blocks(net, seen)`, None outside of these.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    block: int | None


@dataclass(frozen=True)
class Failure:
    """Where a forward pass stopped, the last of the nodes, and the kind and first line of the error."""

    node: str
    message: str


@dataclass(frozen=True, eq=False)
class Graph:
    """The `nodes` of a forward pass in execution order, and which output which other read.

    `edges` are (source, target), indexes into nodes, sorted by target; a source runs before its target.
    Moving values without changing them (a view, a transposition, a slice, a split) is part of an edge, except
    for flattening.
    """

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]
    failure: Failure | None = None


def graph(net: nn.Module, x: Tensor) -> Graph:
    """The Graph of one image x, float (1, C, h, w), of any size and number of channels.

    Where the network cannot process it, the graph ends with the node that stopped, of shape (), or with the
    last one that ran if it stopped between two. Raises ValueError for another shape of x, and Problem for a
    network that cannot be looked into.
    """
    check_images(x, one=True)
    flow = Dataflow(net, lambda *_: None)
    failure: Exception | None = None
    with torch.inference_mode(False), torch.no_grad():
        try:
            flow.run(x.detach().clone())
        except Exception as error:  # whatever a network makes of an input it was not meant for
            failure = error
    return graph_of(net, flow, failure)


def graph_of(net: nn.Module, flow: Dataflow, failure: Exception | None = None) -> Graph:
    """The Graph of a pass of `net` that has run, or that stopped with this failure."""
    steps = [*flow.steps, flow.stopped] if failure and flow.stopped else flow.steps
    edges = tuple((source, target) for target, step in enumerate(steps) for source in sorted(step.sources))
    nodes = _nodes(flow, steps, _blocks_of(net, flow, steps, edges))
    return Graph(nodes, edges, Failure(nodes[-1].name, reason_of(failure)) if failure else None)


def _nodes(flow: Dataflow, steps: Sequence[FlowStep], block_of: dict[int, int]) -> tuple[Node, ...]:
    counted = set[int]()
    nodes = list[Node]()
    for index, step in enumerate(steps):
        parameters = [p for p in _parameters(flow, step.path) if id(p) not in counted]
        counted.update(map(id, parameters))
        count = sum(p.numel() for p in parameters)
        nodes.append(Node(step.name, step.kind, step.shape, count, block_of.get(index)))
    return tuple(nodes)


def _parameters(flow: Dataflow, path: str | None) -> list[nn.Parameter]:
    """Those of a step, without those of the modules inside of it where these are steps of their own."""
    if path is None:
        return []
    module = flow.modules[path]
    split = has_modules(module) and path not in flow.untraced
    inner = {id(p) for child in module.children() for p in child.parameters()} if split else set()
    return [p for p in module.parameters() if id(p) not in inner]


def _blocks_of(
    net: nn.Module, flow: Dataflow, steps: Sequence[FlowStep], edges: Iterable[tuple[int, int]]
) -> dict[int, int]:
    """Index of a node → index of its block; a function joins the block of the only layer that it reads."""
    nothing = np.empty(0, np.float32)
    seen = Trace(nothing, nothing, {}, flow.inputs, flow.shapes)
    names = {
        name: index
        for index, block in enumerate(blocks(net, seen))
        for name in (block.conv, block.norm, block.act, block.pool)
        if name
    }
    readers: dict[int, list[int]] = {}
    for source, target in edges:
        readers.setdefault(source, []).append(target)
    block_of: dict[int, int] = {}
    for index, step in enumerate(steps):
        if step.name in names and step.path is not None:
            block_of[index] = names[step.name]
        elif step.path is None and step.kind in JOINING and len(step.sources) == 1:
            source = step.sources[0]
            if source in block_of and readers[source] == [index]:
                block_of[index] = block_of[source]
    return block_of


def folded(graph: Graph, blocks: Sequence[Block], unfolded: Collection[int] = ()) -> Graph:
    """The graph with every block as one node of kind "block", unless its index is in `unfolded`.

    The node is called as the block is, has the shape of its last node and the parameters of all; an addition
    between two of its layers is part of it. Where another block lies in between, only the layers before that
    are folded. Nodes are in an order in which a source still comes before its target.
    """
    folds = _folds(graph, set(unfolded))
    while cycle := _order(graph, groups := _groups(graph, folds))[1]:
        del folds[max(group for group in cycle if group in folds)]
    return _contracted(graph, blocks, groups, folds)


def _folds(graph: Graph, unfolded: set[int]) -> dict[int, set[int]]:
    """The first node of each block that is folded → all of its nodes."""
    members: dict[int, list[int]] = {}
    for index, node in enumerate(graph.nodes):
        stopped = graph.failure is not None and index == len(graph.nodes) - 1
        if node.block is not None and node.block not in unfolded and not stopped:
            members.setdefault(node.block, []).append(index)
    folds, folded_nodes = dict[int, set[int]](), set[int]()
    for block, inside in members.items():
        while (between := _between(graph, inside)) & folded_nodes or any(
            graph.nodes[index].block not in (None, block) for index in between
        ):
            inside.pop()
        folds[inside[0]] = between
        folded_nodes |= between
    return folds


def _groups(graph: Graph, folds: dict[int, set[int]]) -> list[int]:
    """For each node the first node of its group: itself where it stays alone."""
    groups = list(range(len(graph.nodes)))
    for first, members in folds.items():
        for index in members:
            groups[index] = first
    return groups


def _between(graph: Graph, inside: Sequence[int]) -> set[int]:
    """These nodes, in order, and those on a way from one of them to another."""
    after, before = set(inside), set(inside)
    window = [edge for edge in graph.edges if inside[0] <= edge[0] and edge[1] <= inside[-1]]
    for source, target in window:  # sorted by target: a node's own sources came before
        if source in after:
            after.add(target)
    for source, target in sorted(window, reverse=True):
        if target in before:
            before.add(source)
    return after & before


def _order(graph: Graph, groups: Sequence[int]) -> tuple[list[int], set[int]]:
    """The groups in an order in which sources come first, and those of which there is none: on a cycle."""
    edges = {(groups[a], groups[b]) for a, b in graph.edges if groups[a] != groups[b]}
    waiting, targets = dict.fromkeys(groups, 0), dict[int, list[int]]()
    for source, target in edges:
        waiting[target] += 1
        targets.setdefault(source, []).append(target)
    ready, order = [group for group, count in waiting.items() if not count], list[int]()
    heapq.heapify(ready)
    while ready:
        order.append(group := heapq.heappop(ready))
        for target in targets.get(group, ()):
            waiting[target] -= 1
            if not waiting[target]:
                heapq.heappush(ready, target)
    return order, set(waiting) - set(order)


def _contracted(
    graph: Graph, blocks: Sequence[Block], groups: Sequence[int], folds: dict[int, set[int]]
) -> Graph:
    order, _ = _order(graph, groups)
    nodes = [
        _block_node([graph.nodes[index] for index in sorted(folds[group])], blocks)
        if group in folds
        else graph.nodes[group]
        for group in order
    ]
    position = {group: index for index, group in enumerate(order)}
    edges = {(position[groups[a]], position[groups[b]]) for a, b in graph.edges if groups[a] != groups[b]}
    return Graph(tuple(nodes), tuple(sorted(edges, key=lambda edge: edge[::-1])), graph.failure)


def _block_node(members: Sequence[Node], blocks: Sequence[Block]) -> Node:
    block = members[0].block
    name = members[0].name if block is None else blocks[block].name
    return Node(name, "block", members[-1].shape, sum(node.parameters for node in members), block)
