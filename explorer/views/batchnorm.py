"""BatchNorm: what each channel learned to expect, against what this image brings."""

import numpy as np
import pandas as pd
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import colour
from explorer.drawing.pictures import data_uri
from explorer.engine.batchnorm import NormStatistics, is_batchnorm
from explorer.ui import charts, choices
from explorer.ui.selection import Selection, current


def page() -> None:
    selection = current()
    st.header("What BatchNorm expected, and what came", anchor=False)
    layers = norm_layers(selection)
    if not layers:
        st.info("This network has no BatchNorm; nothing is normalised, so there is nothing to show here.")
        return
    layer = choices.choice("Layer", layers, "norm")
    found = selection.norm_statistics(layer)
    order = np.argsort(-np.abs(found.distance))
    st.markdown(summary(found))
    chart = st.empty()
    chosen = table(found, order)
    chart.altair_chart(charts.distances(order, found.distance, chosen), width="stretch")
    distributions(found, chosen)
    how_to_read()


def norm_layers(selection: Selection) -> dict[str, str]:
    """Layer → its name on the page, for every block that has a BatchNorm; the others are named."""
    named = dict(zip(selection.blocks, choices.block_names(selection.blocks).values(), strict=True))
    without = [name for block, name in named.items() if not is_batchnorm(selection.net, block.norm)]
    if without and len(without) < len(named):
        st.caption("Without BatchNorm: " + ", ".join(without) + ".")
    return {b.norm: f"{name} → {b.norm}" for b, name in named.items() if b.norm and name not in without}


def summary(found: NormStatistics) -> str:
    far = int((np.abs(found.distance) > 1).sum())
    worst = int(np.abs(found.distance).argmax())
    dead = int(found.dead.sum())
    return (
        f"Of {len(found.mean)} channels, **{far}** have a mean more than one running standard deviation "
        f"from what was learned; furthest is channel **{worst}** at {found.distance[worst]:+.2f} σ. "
        f"**{dead}** come out nowhere above zero, so that a ReLU behind them passes nothing."
    )


def table(found: NormStatistics, order: np.ndarray) -> int:
    """Every channel's numbers, furthest first; the channel of the selected row."""
    rows = pd.DataFrame(
        {
            "channel": order,
            "map": [thumbnail(found.after[0, c]) for c in order],
            "distance": found.distance[order],
            "mean": found.mean[order],
            "running_mean": found.running_mean[order],
            "var": found.var[order],
            "running_var": found.running_var[order],
            "gamma": found.weight[order],
            "beta": found.bias[order],
        }
    )
    event = st.dataframe(
        rows,
        hide_index=True,
        height=260,
        column_config=COLUMNS,
        on_select="rerun",
        selection_mode="single-row",
        key=f"rows_{found.layer}",
    )
    st.caption("Select a row to see that channel's distribution below.")
    selected = event.selection.rows
    return int(order[selected[0] if selected else 0])


def _figures(label: str, help: str) -> dict:
    return st.column_config.NumberColumn(label, help=help, format="%.3f")


COLUMNS = {
    "channel": st.column_config.NumberColumn("channel", width="small"),
    "map": st.column_config.ImageColumn("after", width="small", help="The map behind BatchNorm, own scale"),
    "distance": st.column_config.NumberColumn(
        "distance", help="(mean − running mean) / running σ", format="%+.2f σ"
    ),
    "mean": _figures("mean", "of this image's cells"),
    "running_mean": _figures("running mean", "learned in training"),
    "var": _figures("variance", "of this image's cells"),
    "running_var": _figures("running variance", "learned in training"),
    "gamma": _figures("γ", "the learned scale (weight)"),
    "beta": _figures("β", "the learned shift (bias)"),
}


def thumbnail(values: np.ndarray) -> str:
    return data_uri(colour(values, ranges.symmetric(values)), max(1, 32 // max(values.shape)))


def distributions(found: NormStatistics, channel: int) -> None:
    """One channel's cells before, after normalising, and after γ and β."""
    st.subheader(f"Channel {channel}, cell by cell", anchor=False)
    mean, running = float(found.mean[channel]), float(found.running_mean[channel])
    before, normalised, after = st.columns(3)
    marks = {"this image's mean": mean, "running mean": running}
    before.altair_chart(charts.histogram(found.before[0, channel], marks, "before"), width="stretch")
    marks = {"this image's mean": float(found.distance[channel]), "running mean": 0.0}
    normalised.altair_chart(
        charts.histogram(found.normalised[0, channel], marks, "normalised, in running σ"), width="stretch"
    )
    marks = {"this image's mean": float(found.after[0, channel].mean()), "zero, where ReLU cuts": 0.0}
    after.altair_chart(charts.histogram(found.after[0, channel], marks, "after γ and β"), width="stretch")
    passed = float((found.after[0, channel] > 0).mean())
    st.markdown(
        f"After = **{found.slope[channel]:.3f}** × before {found.offset[channel]:+.3f} "
        f"(slope γ / √(σ² + ε) with γ = {found.weight[channel]:.3f}, β = {found.bias[channel]:.3f}). "
        f"A ReLU behind it passes {passed:.0%} of the cells."
    )


def how_to_read() -> None:
    with st.expander("How to read this"):
        st.markdown(
            "While training, BatchNorm subtracts each channel's mean over the batch and divides by its "
            "standard deviation; it keeps running averages of both. In use it applies those **running** "
            "figures to every image, then scales by γ and shifts by β. A channel whose mean lies far from "
            "the running one meets something unlike the average training image: that is often just what "
            "the channel is there to say, and sometimes a sign that the image is of another kind."
        )


page()
