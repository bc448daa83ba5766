"""One map in detail: what each score has measured, drawn beside the map."""

from collections.abc import Iterator, Sequence

import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.ranges import from_to
from explorer.engine.attribution import Method
from explorer.engine.scores import Scored
from explorer.engine.scores.deletion import Deletions
from explorer.engine.scores.ordering import Orderings
from explorer.engine.scores.randomized import Randomized
from explorer.engine.values import Doubles
from explorer.ui import choices, markup, panels
from explorer.ui.selection import Selection
from explorer.views.attributions import charts
from explorer.views.attributions.measuring import Attribution
from model.words import tr


def show(selection: Selection, attributions: Sequence[Attribution]) -> None:
    """A map of the visitor's choice: both curves, and the maps that it is compared with."""
    there = {each.choice.method: each for each in attributions if each.map is not None}
    if not there:
        return
    st.header(tr("What the scores compare"), anchor=False)
    names = {name: tr(each.choice.record.title) for name, each in there.items()}
    one = there[choices.pick(tr("Map"), names, "map", width=240)]
    show_curves(selection, one)
    show_maps(one)


def show_curves(selection: Selection, one: Attribution) -> None:
    ordering = one.scored("ordering")
    if isinstance(ordering, Orderings):
        panels.chart(charts.removal(ordering, one.choice.title, selection.target_name))
        st.caption(
            tr(
                "The image is removed bit by bit, in the map’s order and in the reverse order; what is "
                "removed is interpolated from what is left. The shaded area between the curves is the score. "
                "The gray band spans {count} random orders and their reverses. The chance beside the score "
                "is another: the area for the same map, mirrored and shifted at random {draws} times.",
                count=len(ordering.random) // 2,
                draws=ordering.draws,
            )
        )


def show_maps(one: Attribution) -> None:
    """The map, and beside it each map that a score compares it with."""
    assert one.map is not None
    heat = one.map.heat.values
    record = one.choice.record
    compared = [(tr("This map"), heat.astype(float), record.is_signed(heat))]
    for measured in one.scores.values():
        compared += [] if measured.scored is None else list(maps_of(measured.scored, record))
    markup.show(
        markup.element("div", *(figure(*each) for each in compared), cls="fx-compared"),
        markup.text(tr("Each picture has its own scale."), "muted"),
    )


def maps_of(scored: Scored, record: Method) -> Iterator[tuple[str, Doubles, bool]]:
    """What a score compares a map with: title, values (h, w), whether they are signed."""
    match scored:
        case Deletions(sums=sums, drops=drops):
            yield tr("This map, summed by patch"), sums, record.is_signed(sums)
            yield tr("Measured drop of the logit by patch"), drops, True
        case Randomized(maps=maps):
            for seed, values in enumerate(maps):
                yield tr("Random weights, seed {seed}", seed=seed), values, record.is_signed(values)


def figure(title: str, values: Doubles, signed: bool) -> str:
    range = ranges.shared(values, signed=signed)
    low, high = from_to(float(values.min()), float(values.max()))
    return markup.figure(
        color(values, range),
        title,
        markup.text(title),
        markup.text(tr("{low} … {high}", low=low, high=high), "muted"),
        fill=True,
    )
