"""The channel at each snapshot of its training: its map of the selected image, and its BatchNorm."""

from dataclasses import dataclass

import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.chart import LineChart
from explorer.drawing.colormaps import color
from explorer.drawing.ranges import Range, column
from explorer.engine.timeline import Timeline
from explorer.engine.values import Floats
from explorer.ui import cached, markup, panels
from explorer.ui.markdown import literal, sentence
from explorer.views.channel import charts, over_scan
from explorer.views.channel.subject import ChannelSubject
from model.problems import Problem
from model.words import tr


@dataclass(frozen=True, eq=False)
class MapHistory:
    """The channel's maps of one image (epochs, h, w) on one range, and charts of its BatchNorm by name."""

    epochs: tuple[int, ...]
    maps: Floats
    range: Range
    statistics: dict[str, LineChart]


def history(subject: ChannelSubject) -> MapHistory | None:
    """The channel over the snapshots; None where there are none. Raises Problem."""
    selection = subject.selection
    timeline = cached.timeline(selection.opened)
    if timeline is None:
        return None
    maps = cached.maps_over_time(timeline, selection.input, subject.layer)[:, subject.channel]
    range = ranges.shared(maps, signed=bool(maps.min() < 0))
    return MapHistory(timeline.epochs, maps, range, _statistics(subject, timeline))


def _statistics(subject: ChannelSubject, timeline: Timeline) -> dict[str, LineChart]:
    layer = subject.block.norm
    if layer is None or over_scan.statistics(subject) is None:
        return {}
    norms = cached.norms_over_time(timeline, subject.selection.input, layer)
    return charts.over_training(timeline.epochs, norms, subject.channel)


def show(subject: ChannelSubject) -> MapHistory | None:
    """The section; it says where there are no snapshots."""
    st.subheader(tr("Over training"), anchor=False)
    try:
        one = history(subject)
    except Problem as problem:
        st.info(sentence(problem))
        return None
    if one is None:
        st.caption(
            tr(
                "This checkpoint has no snapshots: a training with `--snapshot-every 1` keeps one after "
                "every epoch."
            )
        )
        return None
    largest = column(one.maps.max((1, 2)).tolist())
    cards = [_card(one, index, text) for index, text in enumerate(largest)]
    markup.show(markup.element("div", *cards, cls="fx-cards"))
    name = subject.selection.sample.name
    markup.show(markup.scale(one.range, tr("shared by all epochs; the map of {name}", name=name)))
    if one.statistics:
        for place, chart in zip(st.columns(len(one.statistics)), one.statistics.values(), strict=True):
            with place:
                st.markdown(f"**{literal(chart.title)}**")
                panels.chart(chart)
    return one


def _card(one: MapHistory, index: int, largest: str) -> str:
    values, epoch = one.maps[index], one.epochs[index]
    return markup.figure(
        color(values, one.range),
        tr("The map at epoch {epoch}", epoch=epoch),
        markup.text(tr("Epoch {epoch}", epoch=epoch), "strong"),
        markup.text(tr("max. {value}", value=largest)),
        fill=True,
    )
