"""BatchNorm: what each channel learned to expect, against what this image or a batch of images brings."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor, nn

from explorer.drawing.ranges import number
from explorer.engine import batches
from explorer.engine.batchnorm import FAINT, NormSummary, TwoPredictions, is_batchnorm
from explorer.engine.samples import SampleError
from explorer.engine.tracing import Block, layer_module
from explorer.ui import cached, charts, choices, link, markup, offers
from explorer.ui.inspector import facts
from explorer.ui.options import options
from explorer.ui.selection import Selection, current

MEASURED = {"image": "This image", "test": "Test images", "scenes": "Drawn scenes"}


@dataclass(frozen=True)
class Measured:
    """What the statistics are taken of: images as the network gets them, and their digest."""

    x: Tensor
    digest: str
    said: str
    one: bool


def page() -> None:
    selection = current()
    st.header("What BatchNorm expected, and what came", anchor=False)
    layers = norm_layers(selection)
    if not layers:
        st.info(without(selection))
        return
    where, what, how_many = st.columns([2, 2, 1], vertical_alignment="bottom")
    with where:
        layer = choices.pick("Layer", layers, "norm")
    measured = choose_measured(selection, what, how_many)
    found = cached.norm_summary(selection.opened.key, measured.digest, layer, selection.net, measured.x)
    st.markdown(summary(found, measured))
    channel = all_channels(found, measured)
    one_channel(found, channel, measured)
    with st.expander("Every channel in numbers"):
        table(selection, found, measured)
    st.header("The same answer by other statistics", anchor=False)
    predictions(selection, measured)
    how_to_read()
    offers.batch_norm(selection, layer, channel)


# What is looked at


def norm_layers(selection: Selection) -> dict[str, str]:
    """Layer → its name on the page, for every block that has a BatchNorm; the others are named."""
    named = dict(zip(selection.blocks, choices.block_names(selection.blocks).values(), strict=True))
    others = [
        f"{name} ({kind_of(selection.net, block)})"
        for block, name in named.items()
        if not is_batchnorm(selection.net, block.norm)
    ]
    if others and len(others) < len(named):
        st.caption("Without BatchNorm: " + ", ".join(others) + ".")
    return {
        block.norm: f"{name} → {block.norm}"
        for block, name in named.items()
        if block.norm and is_batchnorm(selection.net, block.norm)
    }


def kind_of(net: nn.Module, block: Block) -> str:
    """What normalises a block: the layer's kind, or nothing."""
    return "no normalisation" if block.norm is None else type(layer_module(net, block.norm)).__name__


def without(selection: Selection) -> str:
    kinds = {kind_of(selection.net, block) for block in selection.blocks} - {"no normalisation"}
    if not kinds:
        return "This network has no BatchNorm: nothing is normalised, so there is nothing to show here."
    return (
        f"This network has no BatchNorm: its blocks normalise by {' and '.join(sorted(kinds))}, which takes "
        "the statistics of each image by itself and remembers none, so there is nothing to compare."
    )


def choose_measured(selection: Selection, what: DeltaGenerator, how_many: DeltaGenerator) -> Measured:
    """This image, or a batch of test images or drawn scenes."""
    found = cached.test_set(str(options().data_dir))
    names = {name: said for name, said in MEASURED.items() if name != "test" or found is not None}
    with what:
        chosen = choices.choice("Statistics of", names, "of")
    if chosen == "image":
        return Measured(selection.x, selection.keys[1], "this image", True)
    with how_many:
        counts = {str(count): str(count) for count in batches.counts(selection.card)}
        wanted = int(choices.pick("Images", counts, "images", "64"))
    try:
        if chosen == "test" and found is not None:
            batch = cached.test_batch(str(options().data_dir), found, wanted, selection.card)
        else:
            batch = cached.scene_batch(wanted, selection.card)
    except SampleError as error:
        st.warning(str(error))
        return Measured(selection.x, selection.keys[1], "this image", True)
    kind = "test images" if chosen == "test" else "drawn scenes"
    return Measured(batch.x, batch.digest, f"these {len(batch.labels)} {kind}", False)


# All channels


def summary(found: NormSummary, measured: Measured) -> str:
    far = int((np.abs(found.distance) > 1).sum())
    worst = int(np.abs(found.distance).argmax())
    said = (
        f"In **{far}** of {len(found.mean)} channels the mean of {measured.said} lies more than one running "
        f"standard deviation σ from what was learned; furthest is channel **{worst}** at "
        f"{found.distance[worst]:+.2f} σ."
    )
    if found.dead.any():
        said += f" Nowhere above zero, so that a ReLU behind passes nothing: {_listed(found.dead)}."
    if found.faint().any():
        said += f" |γ| below {FAINT:g}, so that whatever comes in, β goes out: {_listed(found.faint())}."
    return said


def _listed(which: np.ndarray, most: int = 12) -> str:
    numbers = [str(channel) for channel in np.flatnonzero(which)]
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return f"channel{'s' if len(numbers) > 1 else ''} {', '.join(numbers[:most])}{more}"


def all_channels(found: NormSummary, measured: Measured) -> int:
    """The chart of all channels, from furthest below to furthest above; the channel chosen in it."""
    chosen = held_channel(found)
    order = np.argsort(found.distance, kind="stable")
    drawn = [
        charts.Channel(int(c), float(found.distance[c]), float(found.spread[c]), note(found, int(c)))
        for c in order
    ]
    label = f"Mean and spread of every channel of {found.layer} on {measured.said}, in running σ"
    event = st.vega_lite_chart(
        charts.expectations(drawn, chosen, label),
        width="stretch",
        on_select="rerun",
        selection_mode="chosen",
        key=f"expected_{found.layer}_{measured.digest[:8]}_{chosen}",
    )
    if picked := event.selection.get("chosen"):
        link.hold("channel", str(int(picked[0]["channel"])), "")
        st.rerun()
    st.caption(
        f"Each channel's mean ± standard deviation on {measured.said}, in running standard deviations σ from "
        "its running mean; the grey band is what training met (0 ± 1 σ). "
        "✕ never above zero, ◇ γ near zero. Click a channel to look at it below."
    )
    return chosen


def held_channel(found: NormSummary) -> int:
    """The channel in the link if the layer has it, else the one furthest from what was learned."""
    held = link.held("channel", "")
    if held.isascii() and held.isdecimal() and len(held) < 6 and int(held) < len(found.mean):
        link.hold("channel", held, "")
        return int(held)
    return int(np.abs(found.distance).argmax())


def note(found: NormSummary, channel: int) -> str:
    """What is remarkable about a channel, in words that the chart marks."""
    words = [("dead: never above zero", found.dead[channel]), ("faint: γ near zero", found.faint()[channel])]
    return ", ".join(said for said, true in words if true)


# One channel


def one_channel(found: NormSummary, channel: int, measured: Measured) -> None:
    """One channel's cells before, normalised, and after γ and β, each on the band that training met."""
    st.subheader(f"Channel {channel}, cell by cell", anchor=False)
    mean, std = float(found.running_mean[channel]), float(found.running_std[channel])
    gamma, beta = float(found.weight[channel]), float(found.bias[channel])
    slope, offset = float(found.slope[channel]), float(found.offset[channel])
    before = found.edges(channel)
    steps = [
        ("Before", before, (mean - std, mean + std), float(found.mean[channel]), None),
        ("Normalised", (before - mean) / std, (-1.0, 1.0), float(found.distance[channel]), None),
        ("After γ and β", before * slope + offset, (beta - abs(gamma), beta + abs(gamma)),
         float(found.mean[channel]) * slope + offset, 0.0),
    ]  # fmt: skip
    for column, (title, edges, band, at, cut) in zip(st.columns(3, gap="medium"), steps, strict=True):
        with column:
            st.markdown(f"**{title}**")
            st.vega_lite_chart(
                charts.histogram(
                    edges, found.counts[channel], lines={charts.OTHER: at}, band=band,
                    reach=reach(edges, band), cut=cut,
                    label=f"Channel {channel} of {found.layer} {title.lower()}: cells by value",
                ),
                width="stretch",
            )  # fmt: skip
    st.caption(
        f"Cells of {measured.said} by value; the orange line is their mean, the grey band what training met "
        "(running mean ± running σ). Pale bars are below zero: a ReLU behind makes them zero."
    )
    markup.show(figures(found, channel))


def reach(edges: np.ndarray, band: tuple[float, float]) -> tuple[float, float]:
    """From where to where a histogram shows: all cells and the whole band, with a little air."""
    low, high = min(edges.min(), band[0]), max(edges.max(), band[1])
    air = 0.03 * (high - low or 1.0)
    return float(low - air), float(high + air)


def figures(found: NormSummary, channel: int) -> str:
    """The channel's numbers, met and learned, and the straight line that the layer is."""
    offset = float(found.offset[channel])
    sign = "−" if offset < 0 else "+"
    line = f"{number(found.slope[channel])} × before {sign} {number(abs(offset))}"
    met = [
        ("mean", number(found.mean[channel])),
        ("variance", number(found.var[channel])),
        ("above zero after γ and β", f"{found.passing[channel]:.1%}"),
    ]
    learned = [
        ("running mean", number(found.running_mean[channel])),
        ("running variance σ²", number(found.running_var[channel])),
        ("scale γ, shift β", f"{number(found.weight[channel])}, {number(found.bias[channel])}"),
        ("after = slope × before + offset", line),
    ]
    both = facts("What came", met), facts("What was learned", learned)
    return markup.element("div", *both, cls="fx-panels")


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
    if measured.one:
        maps = selection.seen.maps[found.layer]
        pictures = cached.map_thumbnails(*selection.keys, found.layer, maps)
        columns = {"channel": order, "map": [pictures[channel] for channel in order]} | columns
    st.dataframe(pd.DataFrame(columns), hide_index=True, height=320, column_config=COLUMNS)


def _figures(label: str, help: str, format: str = "%.3f") -> dict:
    return st.column_config.NumberColumn(label, help=help, format=format)


COLUMNS = {
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


# Two predictions


def predictions(selection: Selection, measured: Measured) -> None:
    """The prediction with running statistics beside the one with the batch's own."""
    key = selection.opened.key
    try:
        both = cached.two_predictions(key, measured.digest, selection.net, measured.x)
    except ValueError as error:
        st.info(str(error))
        return
    if measured.one:
        one_answer(selection, both)
    else:
        many_answers(both, measured)


def one_answer(selection: Selection, both: TwoPredictions) -> None:
    running, batch = st.columns(2, gap="large")
    for column, title, shares in (
        (running, "Running statistics (as in use)", both.running[0]),
        (batch, "This image's own statistics (as in training)", both.batch[0]),
    ):
        with column:
            order = np.argsort(-shares)[:5]
            st.markdown(f"**{title}**")
            markup.show(
                markup.bars([(selection.card.classes[k], float(shares[k]), k == order[0]) for k in order])
            )
    first, second = (selection.card.classes[int(p.argmax())] for p in (both.running[0], both.batch[0]))
    st.markdown(
        f"Normalised by its own statistics the image becomes **{second}**: what the network says of one "
        "image would depend on what else is in the batch, which is why running statistics are used."
        if first != second
        else f"Both say **{first}**: this image's statistics are near enough to those of training."
    )


def many_answers(both: TwoPredictions, measured: Measured) -> None:
    changed, moved = int(both.changed.sum()), float(np.abs(both.moved).mean())
    share = changed / len(both.changed)
    st.markdown(
        f"Of {measured.said}, **{changed}** ({share:.0%}) get another class when each BatchNorm takes the "
        f"batch's own statistics instead of the running ones; the probability of the answer moves by "
        f"{moved:.1%} on average. "
        + (
            "So this batch is much like what training met."
            if share <= 0.1
            else "So this batch is unlike what training met: the running statistics do not fit it."
        )
    )


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


page()
