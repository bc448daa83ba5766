"""BatchNorm: what each channel learned to expect, against what this image or a batch of images brings."""

from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig
from torch import nn

from explorer.drawing import vega
from explorer.drawing.ranges import MINUS, number, percent
from explorer.engine.batchnorm import FAINT, NormSummary, batchnorms, relu_behind
from explorer.engine.tracing import layer_module
from explorer.ui import cached, choices, link, markup
from explorer.ui.markdown import literal
from explorer.ui.panels import facts
from explorer.ui.selection import Selection, current
from explorer.views.batchnorm import batch_exports, batch_prediction, exports
from explorer.views.batchnorm.measured import Measured, choose_measured

FURTHEST = 4  # channels that the first sentence names
EACH_BY_ITSELF = {
    nn.GroupNorm: "GroupNorm, by the mean and variance of groups of channels",
    nn.LayerNorm: "LayerNorm, by the mean and variance of all that the layer gives",
    nn.modules.instancenorm._InstanceNorm: "InstanceNorm, by each channel's own mean and variance",
    nn.LocalResponseNorm: "LocalResponseNorm, by the sum of squares of neighbouring channels",
}


def page() -> None:
    selection = current()
    st.header("What BatchNorm expected, and what came", anchor=False)
    layers = norm_layers(selection)
    if not layers:
        st.info(literal(without(selection)))
        return
    where, what, how_many = st.columns([2, 2, 1], vertical_alignment="bottom")
    with where:
        layer = choices.pick("Layer", layers, "norm")
    left_out(selection)
    measured = choose_measured(selection, what, how_many)
    found = cached.norm_summary(selection.opened.key, measured.digest, layer, selection.net, measured.x)
    relu = relu_behind(selection.net, selection.seen, layer)
    st.markdown(summary(found, measured, relu))
    channel = all_channels(found, measured, relu)
    one_channel(found, channel, measured, relu)
    with st.expander("Every channel in numbers, furthest from what was learned first"):
        table(selection, found, measured)
    st.header("The same answer by other statistics", anchor=False)
    batch_prediction.show(selection, measured)
    how_to_read()
    if measured.batch is None:
        exports.batch_norm(selection, layer, channel)
    else:
        batch_exports.show(selection, measured, found, channel)


# Where there is a BatchNorm


def norm_layers(selection: Selection) -> dict[str, str]:
    """Layer → its name on the page, for every BatchNorm that ran."""
    numbers = {block.norm: number for number, block in enumerate(selection.blocks, start=1) if block.norm}
    found = batchnorms(selection.net, selection.seen)
    return {
        layer: f"Block {numbers[layer]} · {layer}" if layer in numbers else f"{layer}, in no block"
        for layer in found
    }


def left_out(selection: Selection) -> None:
    """Says which blocks have no BatchNorm."""
    have = set(batchnorms(selection.net, selection.seen))
    names = choices.block_names(selection.blocks).values()
    others = [
        f"{name} ({kind(selection.net, block.norm)})"
        for block, name in zip(selection.blocks, names, strict=True)
        if block.norm not in have
    ]
    if others:
        st.caption(f"Without BatchNorm: {literal(', '.join(others[:FURTHEST]))}{_more(others, FURTHEST)}.")


def kind(net: nn.Module, norm: str | None) -> str:
    return "no normalisation" if norm is None else type(layer_module(net, norm)).__name__


def without(selection: Selection) -> str:
    """Why there is nothing to compare in a network without BatchNorm."""
    norms = [layer_module(selection.net, block.norm) for block in selection.blocks if block.norm]
    if not norms:
        return "This network has no BatchNorm: nothing is normalised, so there is nothing to show here."
    kinds = dict.fromkeys(by_itself(norm) for norm in norms)
    return (
        f"This network has no BatchNorm. It normalises each image by itself: {'; '.join(kinds)}. Nothing is "
        "remembered from training, and training and use do the same, so there is nothing to compare here."
    )


def by_itself(norm: nn.Module) -> str:
    if isinstance(norm, nn.GroupNorm) and norm.num_groups == 1:
        return (
            "GroupNorm with one group, that is by the mean and variance of the whole layer, as LayerNorm does"
        )
    return next(
        (said for kind, said in EACH_BY_ITSELF.items() if isinstance(norm, kind)), type(norm).__name__
    )


# All channels


def summary(found: NormSummary, measured: Measured, relu: str | None) -> str:
    """What stands out, in words: the channels furthest from what was learned, dead ones, faint ones."""
    if not found.tracked:
        return (
            f"**{literal(found.layer)}** keeps no running statistics: in use too it normalises by what it "
            "gets, so no channel lies off."
        )
    far, count = int((np.abs(found.distance) > 1).sum()), len(found.mean)
    where = f"in **{far}** of {count} channels" if far else f"in none of {count} channels"
    said = (
        f"On {measured.said} the mean lies more than one running standard deviation (σ) from the running "
        f"mean {where}. Furthest: {furthest(found)}."
    )
    if relu and found.dead.any():
        said += f" Dead, nothing of it gets through the ReLU ({literal(relu)}): {listed(found.dead)}."
    if found.faint().any():
        said += (
            f" γ near zero (below {FAINT:g}), so that β comes out whatever goes in: {listed(found.faint())}."
        )
    return said


def furthest(found: NormSummary) -> str:
    order = np.argsort(-np.abs(found.distance), kind="stable")[:FURTHEST]
    return ", ".join(f"channel {c} ({sigmas(found.distance[c])})" for c in order)


def sigmas(distance: float) -> str:
    return f"{distance:+.2f} σ".replace("-", MINUS)


def listed(which: np.ndarray, most: int = 12) -> str:
    numbers = [str(channel) for channel in np.flatnonzero(which)]
    return f"channel{'s' if len(numbers) > 1 else ''} {', '.join(numbers[:most])}{_more(numbers, most)}"


def _more(named: list[str], most: int) -> str:
    return f" and {len(named) - most} more" if len(named) > most else ""


def all_channels(found: NormSummary, measured: Measured, relu: str | None) -> int:
    """The chart of all channels, from furthest below to furthest above; the channel chosen in it."""
    chosen = held_channel(found)
    key = f"expected_{found.layer}_{measured.digest[:8]}_{chosen}"
    st.vega_lite_chart(
        vega.expectations(
            [drawn(found, int(channel), relu) for channel in np.argsort(found.distance, kind="stable")],
            chosen,
            f"Mean and spread of every channel of {found.layer} on {measured.said}, in running σ",
        ),
        width="stretch",
        on_select=partial(clicked, key),
        selection_mode="chosen",
        key=key,
    )
    marks = " ✕ dead." * bool(relu and found.dead.any()) + " ◇ γ near zero." * bool(found.faint().any())
    st.caption(
        f"Each channel's mean ± standard deviation on {measured.said}, in running standard deviations σ from "
        f"its running mean; the grey band is what training met (0 ± 1 σ).{marks} "
        "Click a channel to look at it below."
    )
    return chosen


def drawn(found: NormSummary, channel: int, relu: str | None) -> vega.Channel:
    """A channel as the chart shows it, with what is remarkable about it in words that the chart marks."""
    words = [
        ("dead: nothing gets through the ReLU", relu and found.dead[channel]),
        ("faint: γ near zero", found.faint()[channel]),
    ]
    note = ", ".join(said for said, true in words if true)
    return vega.Channel(channel, float(found.distance[channel]), float(found.spread[channel]), note)


def held_channel(found: NormSummary) -> int:
    """The channel in the link if the layer has it, else the one furthest from what was learned."""
    held = link.held("channel", "")
    if held.isascii() and held.isdecimal() and len(held) < 6 and int(held) < len(found.mean):
        link.hold("channel", held, "")
        return int(held)
    return int(np.abs(found.distance).argmax())


def clicked(key: str) -> None:
    """Keep the channel whose column was clicked; a click beside all columns keeps what there is."""
    if picked := st.session_state[key].selection.get("chosen"):
        keep(int(picked[0]["channel"]))


def typed(key: str) -> None:
    keep(int(st.session_state[key]))


def keep(channel: int) -> None:
    """Put a chosen channel into the link; the cell chosen on the maps page was another channel's."""
    link.hold("channel", str(channel), "")
    link.hold("cell", "", "")


# One channel


def one_channel(found: NormSummary, channel: int, measured: Measured, relu: str | None) -> None:
    """One channel's cells before, normalised, and after γ and β, each on the band that training met."""
    heading, which = st.columns([4, 1], vertical_alignment="bottom")
    heading.subheader(f"Channel {channel}, cell by cell", anchor=False)
    key = link.showing("norm_channel", channel)
    which.number_input("Channel", 0, len(found.mean) - 1, channel, key=key, on_change=typed, args=(key,))
    for column, step in zip(st.columns(3, gap="medium"), found.steps(channel), strict=True):
        with column:
            st.markdown(f"**{step.name}**")
            st.vega_lite_chart(
                vega.histogram(
                    step.edges, found.counts[channel], lines={vega.OTHER: step.mean}, band=step.band,
                    reach=step.reach, cut=0.0 if relu and step.name.startswith("After") else None,
                    label=f"Channel {channel} of {found.layer} {step.name.lower()}: cells by value",
                ),
                width="stretch",
            )  # fmt: skip
    st.caption(
        f"Cells of {measured.said} by value; the orange line is their mean, the grey band what training met "
        f"(running mean ± running σ, and what becomes of it). {what_is_cut(relu)}"
    )
    markup.show(figures(found, channel))


def what_is_cut(relu: str | None) -> str:
    if relu is None:
        return "No ReLU reads this layer's output as it is, so nothing is cut here."
    return f"Pale bars are below zero: the ReLU ({literal(relu)}) cuts them off."


def figures(found: NormSummary, channel: int) -> str:
    """The channel's numbers, met and learned, and the straight line that the layer is."""
    met = [
        ("mean", number(found.mean[channel])),
        ("variance", number(found.var[channel])),
        ("mean from the running mean", sigmas(found.distance[channel])),
    ]
    learned = [
        ("running mean μ", number(found.running_mean[channel])),
        ("running variance σ²", number(found.running_var[channel])),
        ("scale γ, shift β", f"{number(found.weight[channel])}, {number(found.bias[channel])}"),
    ]
    done = [
        ("slope γ / √(σ² + ε)", number(found.slope[channel])),
        ("offset β − slope · μ", number(found.offset[channel])),
        ("above zero afterwards", percent(float(found.passing[channel]))),
    ]
    sides = facts("What came", met), facts("What was learned", learned), facts("What the layer does", done)
    return markup.element("div", *sides, cls="fx-panels")


def table(selection: Selection, found: NormSummary, measured: Measured) -> None:
    """Every channel's numbers, furthest from what was learned first."""
    order = np.argsort(-np.abs(found.distance), kind="stable")
    columns = {
        "channel": order,
        "distance": found.distance[order],
        "spread": found.spread[order],
        "mean": found.mean[order],
        "running_mean": found.running_mean[order],
        "var": found.var[order],
        "running_var": found.running_var[order],
        "gamma": found.weight[order],
        "beta": found.bias[order],
        "slope": found.slope[order],
        "offset": found.offset[order],
        "passing": found.passing[order],
    }
    if measured.batch is None:
        maps = selection.seen.maps[found.layer]
        pictures = cached.map_thumbnails(*selection.keys, found.layer, maps)
        columns = {"channel": order, "map": [pictures[channel] for channel in order]} | columns
    st.dataframe(pd.DataFrame(columns), hide_index=True, height=320, column_config=COLUMNS)


def _figures(label: str, help: str, format: str = "%.3f") -> ColumnConfig:
    return st.column_config.NumberColumn(label, help=help, format=format)


COLUMNS: dict[str, ColumnConfig] = {
    "channel": st.column_config.NumberColumn("channel", width="small"),
    "map": st.column_config.ImageColumn("after", width="small", help="The map behind BatchNorm, own scale"),
    "distance": _figures("distance", "(mean − running mean) / running σ", "%+.2f σ"),
    "spread": _figures("spread", "standard deviation / running σ", "%.2f σ"),
    "mean": _figures("mean", "of the cells looked at"),
    "running_mean": _figures("running mean", "learned in training"),
    "var": _figures("variance", "of the cells looked at"),
    "running_var": _figures("running variance", "learned in training"),
    "gamma": _figures("γ", "the learned scale (weight)"),
    "beta": _figures("β", "the learned shift (bias)"),
    "slope": _figures("slope", "γ / √(running variance + ε)"),
    "offset": _figures("offset", "β − slope · running mean"),
    "passing": _figures("above zero", "share of cells that a ReLU behind passes", "percent"),
}


def how_to_read() -> None:
    with st.expander("How to read this"):
        st.markdown(
            "While training, BatchNorm subtracts each channel's mean over the batch and divides by its "
            "standard deviation; it keeps running averages of both. In use it applies those **running** "
            "figures to every image, then scales by γ and shifts by β. A channel whose mean lies far from "
            "the running one meets something unlike the average training image: that is often just what "
            "the channel is there to say, and sometimes a sign that the image is of another kind. A whole "
            "batch far from the running statistics is such a sign: other data, other preprocessing, or "
            "statistics that training never settled."
        )


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
