"""Small pictures of a few channels of many steps of a graph, from one pass."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from explorer.engine.dataflow import Dataflow, FlowStep
from explorer.engine.flow import Flow
from explorer.engine.layouts import Layout
from explorer.engine.passes import to_numpy
from explorer.engine.values import Floats, Value


@dataclass(frozen=True, eq=False)
class Glimpse(Value):
    """Some channels of a layer, float32 (n, h, w), every `step`-th row and column of each, with the smallest
    and largest number that each has at any position, (n,); what has no maps has h = w = 1.
    """

    maps: Floats
    low: Floats
    high: Floats
    step: int


def glimpses(
    net: nn.Module, x: Tensor, channels: Mapping[str, Sequence[int]], side: int = 32
) -> dict[str, Glimpse]:
    """Node of a Graph → a Glimpse of these of its channels for one image x, float (1, C, h, w).

    Maps have no more than `side` positions in each direction. Nodes that the pass does not come to, or that
    give something else than maps (C, h, w) or numbers (C,), are left out.
    """
    made: dict[str, Glimpse] = {}

    def keep(_: int, step: FlowStep) -> None:
        if step.output is not None and step.name in channels:
            _add(made, step.name, _maps(step.output, step.layout), channels[step.name], side)

    flow = Dataflow(net, keep)
    with torch.inference_mode(False), torch.no_grad(), suppress(Exception):  # a Graph says where it stopped
        flow.run(x.detach().clone())
    return made


def glimpses_of(flow: Flow, channels: Mapping[str, Sequence[int]], side: int = 32) -> dict[str, Glimpse]:
    """As `glimpses`, of a pass that was made; what that holds no values of is left out."""
    made: dict[str, Glimpse] = {}
    for index, step in enumerate(flow.steps):
        if step.name in channels and index in flow.leaves:
            _add(made, step.name, _maps(flow.leaves[index], step.layout), channels[step.name], side)
    return made


def _maps(output: Tensor, layout: Layout | None) -> Tensor:
    return layout.maps(output) if layout else output


def _add(made: dict[str, Glimpse], name: str, output: Tensor, channels: Sequence[int], side: int) -> None:
    if output.ndim in (2, 4):
        made[name] = _glimpse(output[0].detach(), channels, side)


def _glimpse(output: Tensor, channels: Sequence[int], side: int) -> Glimpse:
    maps = (output if output.ndim == 3 else output[:, None, None])[list(channels)]
    step = max(1, -(-max(maps.shape[1:]) // side))
    flat = maps.flatten(1)
    small = maps[:, ::step, ::step]
    return Glimpse(to_numpy(small), to_numpy(flat.amin(1)), to_numpy(flat.amax(1)), step)
