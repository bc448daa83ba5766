"""One position of a feature map, step by step: from its receptive field to the pooled value."""

from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from explorer.drawing.ranges import plain_number
from explorer.engine.geometry import WindowAxis, layer_size
from explorer.engine.probe import ConvStep, PoolStep, PoolWindow, PositionProbe, ProbeStep
from explorer.engine.tracing import Block, stages
from explorer.ui import cached, markup
from explorer.ui.markdown import sentence
from explorer.ui.selection import Selection
from explorer.views.maps.convolution_step import products
from explorer.views.maps.later_steps import between, step_html_of
from explorer.views.maps.receptive_field_step import receptive_field
from explorer.views.maps.view import Position
from model.problems import Problem
from model.words import N_, tr


def show(
    selection: Selection, block: Block, layer: str, channel: int, position: Position
) -> PositionProbe | None:
    """The steps to a position of the chosen channel of a layer; None where they cannot be shown."""
    try:
        probe = walk(selection, block, layer, channel, position)
    except Problem as problem:
        st.info(sentence(problem))
        return None
    steps = [receptive_field(selection, block, layer, position, probe), *arithmetic(selection, probe)]
    markup.show(markup.element("ol", *steps, cls="fx-walk"), agreement(probe, block))
    return probe


def arithmetic(selection: Selection, probe: PositionProbe) -> list[str]:
    """Every step of the probe as html, and what the network adds between two of them."""
    first, *later = probe.steps
    opening = products(selection, first) if isinstance(first, ConvStep) else step_html_of(first, probe)
    steps, before = [opening], first.value
    for step in later:
        assert not isinstance(step, ConvStep)
        if abs(step.before - before) > 1e-5 * max(1.0, abs(before)):
            steps.append(between(before, step.before))
        steps.append(step_html_of(step, probe))
        before = step.value
    return steps


def agreement(probe: PositionProbe, block: Block) -> str:
    """How far the values of the steps are from those that the network computed."""
    results: list[ProbeStep | PoolWindow] = []
    for step in probe.steps:
        results += step.windows if isinstance(step, PoolStep) else (step,)
    difference = max(abs(each.value - each.traced) for each in results)
    text = tr("The network computed exactly the same at every step.")
    if difference:
        template = N_("The network computed the same at every step; the largest difference is {difference}.")
        text = tr(template, difference=plain_number(difference))
    if block.pool and not any(isinstance(step, PoolStep) for step in probe.steps):
        end = tr("No window of {layer} covers this position, so the steps end here.", layer=block.pool)
        text = f"{text} {end}"
    return markup.text(text, "muted")


# Which position is followed


def walk(selection: Selection, block: Block, layer: str, channel: int, position: Position) -> PositionProbe:
    """The probe of a position of any stage; a pooled one is followed back to the winner of its window.

    Raises Problem where the steps cannot be shown.
    """
    order = list(stages(block, selection.seen).values())
    probe_at = partial(cached.position_probe, selection.network, selection.input, block, channel)
    if block.pool is None or order.index(block.pool) > order.index(layer):
        return probe_at(*position)
    inside = inside_window(selection, block.pool, position)
    window = pooling(probe_at(*inside)).into(position).followed
    probe = probe_at(*(window.winner or largest(window)))
    pool = pooling(probe).into(position)
    return replace(probe, steps=tuple(pool if isinstance(step, PoolStep) else step for step in probe.steps))


def inside_window(selection: Selection, pool: str, position: Position) -> Position:
    """A position of the map that the pooling reads for `position` of its output."""
    size = layer_size(selection.net, selection.seen, pool)
    if size is None:
        raise Problem("The windows of {layer} are not known here: choose another stage.", layer=pool)
    return _last_inside(size.rows, position[0]), _last_inside(size.columns, position[1])


def _last_inside(axis: WindowAxis, index: int) -> int:
    taps = axis.taps(index)
    return int(taps[(taps >= 0) & (taps < axis.input)].max())


def pooling(probe: PositionProbe) -> PoolStep:
    """The probe's pooling step. Raises Problem where it has none."""
    for step in probe.steps:
        if isinstance(step, PoolStep):
            return step
    raise Problem("These steps do not reach {layer}: choose another stage.", layer=probe.block.pool)


def largest(window: PoolWindow) -> Position:
    """The position of the largest value in a window."""
    row, column = np.unravel_index(np.nanargmax(window.values), window.values.shape)
    return int(window.rows[row]), int(window.columns[column])
