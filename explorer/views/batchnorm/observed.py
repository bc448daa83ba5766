"""Each channel's learned statistics beside the observed ones: all channels, one of them, and in numbers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from explorer.drawing.chart import ChannelChart, Histogram
from explorer.drawing.ranges import MINUS, number, percent
from explorer.engine.batchnorm import FAINT, NormSummary
from explorer.ui import cached, link, markup, number_table, panels
from explorer.ui.markdown import literal
from explorer.ui.selection import Selection
from explorer.ui.turns import TURNS
from explorer.views.batchnorm import charts
from explorer.views.batchnorm.measured import LayerView
from explorer.views.batchnorm.other_norms import MOST_NAMED, listed
from model import words
from model.words import ngettext, paragraph, tr

MOST_LISTED = 12  # dead channels that a sentence names


def summary_text(view: LayerView) -> str:
    """The main findings, as Markdown: the channels of the largest distance, dead ones, those of small γ."""
    summary, measured = view.summary, view.measured
    if not summary.tracked:
        return tr(
            "**{layer}** keeps no running statistics. In eval mode too it normalizes with the statistics of "
            "its input, so every distance is 0.",
            layer=literal(view.layer),
        )
    sentences = [measured.text, distance_text(summary), largest_distances(summary)]
    if view.relu and summary.dead.any():
        sentences.append(dead_text(summary, view.relu))
    if summary.faint().any():
        sentences.append(faint_text(summary))
    return paragraph(sentences)


def distance_text(summary: NormSummary) -> str:
    far, count = int((np.abs(summary.distance) > 1).sum()), len(summary.mean)
    return ngettext(
        "The observed mean differs from the running mean by more than one running standard deviation (σ) in "
        "**{n}** of {count} channels.",
        "The observed mean differs from the running mean by more than one running standard deviation (σ) in "
        "**{n}** of {count} channels.",
        far,
        count=count,
    )


def largest_distances(summary: NormSummary) -> str:
    order = np.argsort(-np.abs(summary.distance), kind="stable")[:MOST_NAMED]
    channels = [
        tr("channel {channel} ({distance})", channel=channel, distance=sigmas(summary.distance[channel]))
        for channel in order
    ]
    return tr("Largest distance: {channels}.", channels=tr(", ").join(channels))


def dead_text(summary: NormSummary, relu: str) -> str:
    numbers = channel_numbers(summary.dead)
    return ngettext(
        "Dead channel: {channels}. Its output is nowhere above zero, so the ReLU ({relu}) gives only zeros.",
        "Dead channels: {channels}. Their output is nowhere above zero, so the ReLU ({relu}) gives only "
        "zeros.",
        len(numbers),
        channels=listed(numbers, MOST_LISTED),
        relu=literal(relu),
    )


def faint_text(summary: NormSummary) -> str:
    numbers = channel_numbers(summary.faint())
    return ngettext(
        "γ near zero (|γ| below {threshold:g}) in channel {channels}: its output is close to β for any "
        "input.",
        "γ near zero (|γ| below {threshold:g}) in channels {channels}: their output is close to β for any "
        "input.",
        len(numbers),
        channels=listed(numbers, MOST_LISTED),
        threshold=FAINT,
    )


def sigmas(distance: float) -> str:
    return f"{distance:+.2f} σ".replace("-", MINUS)


def channel_numbers(which: np.ndarray) -> list[str]:
    return [str(channel) for channel in np.flatnonzero(which)]


def all_channels(view: LayerView, chart: ChannelChart) -> None:
    """The chart of all channels, from the lowest observed mean to the highest; a click chooses a channel."""
    panels.drawn_chart(chart, "channels", lambda index: keep(int(chart.channels[index])))
    st.caption(paragraph([charts.caption(view), tr("Click a channel to see it below.")]))


def chosen_channel(summary: NormSummary) -> int:
    """The channel in the link if the layer has it, else the one of the largest distance."""
    text = link.value("channel", "")
    if text.isascii() and text.isdecimal() and len(text) < 6 and int(text) < len(summary.mean):
        link.keep("channel", text, "")
        return int(text)
    return int(np.abs(summary.distance).argmax())


def typed(key: str) -> None:
    keep(int(st.session_state[key]))


def keep(channel: int) -> None:
    """Put a chosen channel into the link; the position chosen on the maps page was another channel's."""
    link.keep("channel", str(channel), "")
    link.keep("cell", "", "")


# One channel


def one_channel(view: LayerView, histograms: Sequence[Histogram]) -> None:
    """One channel's values before, normalized, and after γ and β, each over the learned band."""
    summary, channel = view.summary, view.channel
    channel_heading(view, tr("Channel {channel}, before and after BatchNorm", channel=channel))
    for column, (stage, histogram) in zip(st.columns(3, gap="medium"), enumerate(histograms), strict=True):
        with column:
            st.markdown(f"**{histogram.title}**")
            panels.drawn_chart(histogram, f"histogram_{stage}")
    st.caption(literal(charts.about_histograms(view)))
    markup.show(channel_facts(summary, channel))


def channel_heading(view: LayerView, title: str) -> None:
    """A heading, and beside it the field for the channel."""
    heading, which = st.columns([4, 1], vertical_alignment="bottom")
    heading.subheader(title, anchor=False)
    key, last = link.showing("norm_channel", view.channel), len(view.summary.mean) - 1
    which.number_input(tr("Channel"), 0, last, view.channel, key=key, on_change=typed, args=(key,))


def channel_facts(summary: NormSummary, channel: int) -> str:
    """The channel's observed and learned numbers, and the linear function of the layer."""
    observed = [
        (tr("mean"), number(summary.mean[channel])),
        (tr("variance"), number(summary.var[channel])),
        (tr("distance from the running mean"), sigmas(summary.distance[channel])),
    ]
    learned = [
        (tr("running mean μ"), number(summary.running_mean[channel])),
        (tr("running variance σ²"), number(summary.running_var[channel])),
        (
            tr("scale γ, shift β"),
            tr(", ").join((number(summary.weight[channel]), number(summary.bias[channel]))),
        ),
    ]
    function = [
        (tr("slope γ / √(σ² + ε)"), number(summary.slope[channel])),
        (tr("offset β − slope · μ"), number(summary.offset[channel])),
        (tr("output above zero"), percent(float(summary.passing[channel]))),
    ]
    sides = (
        panels.facts(tr("Observed statistics"), observed),
        panels.facts(tr("Learned statistics"), learned),
        panels.facts(tr("Output = slope · input + offset"), function),
    )
    return markup.element("div", *sides, cls="fx-panels")


# Every channel in numbers


@st.fragment
@TURNS.computing()
def numbers(selection: Selection, view: LayerView) -> None:
    """The table of all channels, folded away; it is made once it is opened."""
    words.use(link.language())  # a fragment that runs alone
    title = tr("Every channel in numbers, largest distance first")
    with st.expander(title, on_change="rerun", key="channel_numbers") as fold:
        if fold.open:
            table(selection, view)


def table(selection: Selection, view: LayerView) -> None:
    """Every channel's numbers, the largest distance first."""
    summary = view.summary
    order = np.argsort(-np.abs(summary.distance), kind="stable")
    names = ["distance", "spread", "mean", "running_mean", "var", "running_var"]
    columns = {name: getattr(summary, name)[order] for name in names}
    columns |= {"gamma": summary.weight[order], "beta": summary.bias[order]}
    columns |= {name: getattr(summary, name)[order] for name in ("slope", "offset", "passing")}
    first: dict[str, object] = {"channel": order}
    if view.measured.batch is None:
        pictures = cached.map_thumbnails(selection.network, selection.input, view.layer)
        first["map"] = [pictures[channel] for channel in order]
    frame = number_table.written(pd.DataFrame(first | columns), FORMATS)
    st.dataframe(frame, hide_index=True, height=320, column_config=column_configs())


FORMATS = {"distance": "{:+.2f} σ", "spread": "{:.2f} σ", "passing": "{:.1%}"} | dict.fromkeys(
    ("mean", "running_mean", "var", "running_var", "gamma", "beta", "slope", "offset"), "{:.3f}"
)


def _numbers(label: str, help: str) -> ColumnConfig:
    return st.column_config.NumberColumn(label, help=help)


def column_configs() -> dict[str, ColumnConfig]:
    observed, learned = tr("observed on these images"), tr("learned in training")
    return {
        "channel": st.column_config.NumberColumn(tr("channel"), width=64),
        "map": st.column_config.ImageColumn(
            tr("after"), width=56, help=tr("The map after BatchNorm, scale per map")
        ),
        "distance": _numbers(tr("distance"), tr("(mean − running mean) / running σ")),
        "spread": _numbers(tr("spread"), tr("standard deviation / running σ")),
        "mean": _numbers(tr("mean"), observed),
        "running_mean": _numbers(tr("running mean"), learned),
        "var": _numbers(tr("variance"), observed),
        "running_var": _numbers(tr("running variance"), learned),
        "gamma": _numbers(tr("γ"), tr("the learned scale (weight)")),
        "beta": _numbers(tr("β"), tr("the learned shift (bias)")),
        "slope": _numbers(tr("slope"), tr("γ / √(running variance + ε)")),
        "offset": _numbers(tr("offset"), tr("β − slope · running mean")),
        "passing": _numbers(tr("above zero"), tr("fraction of the output above zero")),
    }
