"""The table of all channels of a layer; those chosen in it can be opened, and measured together."""

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from explorer.engine.channel_survey import ChannelSurvey
from explorer.engine.duplicates import NEAR, NONE
from explorer.engine.scan.result import Scan
from explorer.ui import number_table
from explorer.ui.channel_link import open_channel
from explorer.ui.frame import presentation
from explorer.ui.selection import Selection
from model.words import tr

HEIGHT = 420
FORMATS = {
    "expected": "{:.2%}",
    "mean": "{:.3f}",
    "maximum": "{:.3f}",
    "correlation": "{:.2f}",
    "gamma": "{:.3f}",
    "beta": "{:.3f}",
}
OPENED = 3  # channels with buttons of their own


def show(selection: Selection, scan: Scan, surveyed: ChannelSurvey) -> tuple[int, ...]:
    """The table, and for the channels chosen in it buttons that open them; gives these channels."""
    frame = rows(surveyed)
    event = st.dataframe(
        number_table.written(frame.assign(zeros=100 * frame["zeros"]), FORMATS),  # a bar, in percent
        hide_index=True,
        height=min(HEIGHT, 38 + 35 * len(frame)),
        column_config=column_configs(),
        on_select="rerun",
        selection_mode="multi-row",
        key=f"channels {selection.network.key} {scan.images} {surveyed.layer}",
    )
    chosen = tuple(int(frame["channel"].iloc[row]) for row in event.selection.rows if row < len(frame))
    if not chosen:
        st.caption(
            tr("Click a column’s title to sort. Mark rows to open their channels, and to measure them below.")
        )
    with st.container(horizontal=True):
        for channel in chosen[:OPENED]:
            if st.button(tr("Channel {channel}: its page", channel=channel), key=f"page {channel}"):
                open_channel(selection, surveyed.layer, channel, page="channel")
            if st.button(tr("{channel} in Feature maps", channel=channel), key=f"maps {channel}"):
                open_channel(selection, surveyed.layer, channel)
    return chosen


def rows(surveyed: ChannelSurvey) -> pd.DataFrame:
    """One row per channel; those of which something is to be said come first, then by their zeros, a fraction
    like those expected."""
    count = len(surveyed.mean)
    partner = surveyed.partners
    columns: dict[str, object] = {
        "channel": np.arange(count),
        "finding": [finding(surveyed, channel) for channel in range(count)],
        "zeros": surveyed.zeros,
    }
    if surveyed.expected_zeros is not None:
        columns["expected"] = surveyed.expected_zeros
    columns |= {
        "mean": surveyed.mean,
        "maximum": surveyed.maximum,
        "partner": pd.Series(partner.channel, dtype="Int64").mask(partner.channel == NONE),
        "correlation": partner.correlation,
    }
    if surveyed.scaling is not None:
        columns |= {"gamma": surveyed.scaling.gamma, "beta": surveyed.scaling.beta}
    frame = pd.DataFrame(columns)
    if not frame["finding"].any():
        return frame.drop(columns="finding").sort_values("zeros", ascending=False, ignore_index=True)
    order = np.lexsort((-surveyed.zeros, frame["finding"].eq("")))
    return frame.iloc[order].reset_index(drop=True)


def finding(surveyed: ChannelSurvey, channel: int) -> str:
    """What is to be said of a channel, "" for nothing."""
    named = {
        tr("dead"): surveyed.dead[channel],
        tr("always on"): surveyed.always_on[channel],
        tr("constant"): surveyed.constant[channel],
        tr("near-duplicate"): surveyed.partners.correlation[channel] >= NEAR,
        tr("γ near zero"): channel in surveyed.faint,
    }
    return tr(", ").join(name for name, holds in named.items() if holds)


def _numbers(label: str, help: str) -> ColumnConfig:
    return st.column_config.NumberColumn(label, help=help, width="small")


def column_configs() -> dict[str, ColumnConfig]:
    return {
        "channel": st.column_config.NumberColumn(tr("channel"), width=presentation.pixels(70), pinned=True),
        "finding": st.column_config.TextColumn(tr("finding"), width=presentation.pixels(130)),
        "zeros": st.column_config.ProgressColumn(
            tr("zeros"),
            help=tr("fraction of the values over all images and positions that are exactly zero"),
            format="%.2f%%",  # “percent” would leave out zeros at the end
            min_value=0.0,
            max_value=100.0,
            width=presentation.pixels(110),
        ),
        "expected": _numbers(
            tr("by γ, β"), tr("fraction of zeros if the normalized values are normal: Φ(−β / |γ|)")
        ),
        "mean": _numbers(tr("mean"), tr("over all images and positions")),
        "maximum": _numbers(tr("maximum"), tr("over all images and positions")),
        "partner": st.column_config.NumberColumn(
            tr("most alike"), width="small", help=tr("the channel with the highest correlation")
        ),
        "correlation": _numbers(
            tr("correlation"), tr("with that channel, of the means of each image’s maps")
        ),
        "gamma": _numbers(tr("γ"), tr("the learned scale (weight) of the normalization before")),
        "beta": _numbers(tr("β"), tr("the learned shift (bias) of the normalization before")),
    }
