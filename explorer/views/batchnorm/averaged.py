"""Which values BatchNorm averages: beside LayerNorm on the same batch, and before or after the pooling."""

from html import escape

import numpy as np
import streamlit as st
import torch

from explorer.drawing.chart import Line, LineChart, axis, doubles
from explorer.drawing.colormaps import color
from explorer.drawing.figures import Panel
from explorer.drawing.palette import SERIES
from explorer.drawing.ranges import Range, number, plain_number, symmetric
from explorer.engine.network import Input
from explorer.engine.norm_axes import NormAxes, Order, Orders, pool_beside
from explorer.engine.values import Floats
from explorer.ui import cached, markup, panels
from explorer.ui.markdown import literal, sentence
from explorer.ui.selection import Selection
from explorer.views.batchnorm import observed
from explorer.views.batchnorm.measured import LayerView
from model.problems import Problem
from model.words import N_, paragraph, tr

IMAGES, CHANNELS = 8, 16  # rows and columns of the diagram
ORDER_NAMES = {"norm_first": N_("BatchNorm first"), "pool_first": N_("Pooling first")}


def show(selection: Selection, view: LayerView) -> tuple[Input, NormAxes, Orders | None]:
    """The part of the page; gives the batch, what both normalizations average of it, and both orders."""
    batch = averaged_batch(selection, view)
    observed.channel_heading(view, tr("BatchNorm and LayerNorm on the same batch"))
    axes = axes_part(selection, view, batch)
    st.subheader(tr("Before or after the pooling?"), anchor=False)
    try:
        return batch, axes, order_part(selection, view, batch)
    except Problem as problem:
        st.info(sentence(problem))
        return batch, axes, None


# BatchNorm and LayerNorm


def axes_part(selection: Selection, view: LayerView, batch: Input) -> NormAxes:
    axes = cached.axes_of_norm(selection.network, Input(batch.x[:IMAGES]), view.layer)
    columns = chosen_columns(axes.maps.shape[1], view.channel)
    markup.show(diagram(axes, columns, view.channel))
    st.markdown(explanation(axes, view))
    st.caption(about(axes, columns, view))
    return axes


def averaged_batch(selection: Selection, view: LayerView) -> Input:
    """The batch; where there is none, this image and drawn scenes behind it."""
    if view.measured.batch is not None:
        return view.measured.input
    scenes = cached.scene_batch(IMAGES - 1, selection.card)
    return Input(torch.cat([selection.input.x, scenes.x]))


def batch_lines(view: LayerView) -> list[str]:
    """In a program, what makes `averaged_batch` of the measured images x."""
    if view.measured.batch is not None:
        return []
    return [f"x = torch.cat([x, from_scenes({IMAGES - 1}, checkpoint.card).x])"]


def batch_imports(view: LayerView) -> list[str]:
    if view.measured.batch is not None:
        return []
    return ["import torch", "from explorer.engine.batches import from_scenes"]


def axes_picture(axes: NormAxes, channel: int) -> Panel:
    """The diagram for print: images by channels, one square each."""
    columns = chosen_columns(axes.maps.shape[1], channel)
    scale = symmetric(axes.maps[:, columns])
    title = tr("Mean of each map: {images} images by channels {first} to {last}", images=len(axes.maps),
               first=columns[0], last=columns[-1])  # fmt: skip
    return Panel(color(axes.maps[:, columns], scale), title, scale, tr("shared scale"))


def chosen_columns(channels: int, channel: int) -> list[int]:
    """At most CHANNELS channels that follow one another, the chosen one among them."""
    first = min(max(channel - CHANNELS // 2, 0), max(channels - CHANNELS, 0))
    return list(range(first, min(first + CHANNELS, channels)))


def diagram(axes: NormAxes, columns: list[int], channel: int) -> str:
    """Images by channels, each cell the mean of a map; the averages of both normalizations at the edges."""
    scale = symmetric(axes.maps[:, columns], axes.batch_mean[columns], axes.layer_mean)
    head = ["", *map(str, columns), tr("LayerNorm")]
    rows = [_head(head, columns.index(channel) + 1)]
    for image, means in enumerate(axes.maps[:, columns]):
        cells = [
            _cell(means[k], scale, _marks(image, k, columns.index(channel))) for k in range(len(columns))
        ]
        name = tr("image {number}", number=image + 1)
        rows.append(_row(name, [*cells, _cell(axes.layer_mean[image], scale, "edge")]))
    below = [_cell(axes.batch_mean[k], scale, "edge below") for k in columns]
    rows.append(_row(tr("BatchNorm"), [*below, "<td></td>"]))
    table = f'<div class="fx-axes" tabindex="0"><table>{"".join(rows)}</table></div>'
    return table + markup.scale(scale, tr("mean of a map over its positions, shared scale"))


def _marks(image: int, column: int, chosen: int) -> str:
    """Which cells the two normalizations average for the chosen channel and the first image."""
    marks = ("batch" if column == chosen else "", "layer" if image == 0 else "")
    return " ".join(filter(None, marks))


def _head(names: list[str], chosen: int) -> str:
    cells = "".join(
        f'<th scope="col"{" class=chosen" if k == chosen else ""}>{escape(name)}</th>'
        for k, name in enumerate(names)
    )
    return f"<tr>{cells}</tr>"


def _row(name: str, cells: list[str]) -> str:
    return f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>'


def _cell(value: float, scale: Range, cls: str) -> str:
    red, green, blue = color(np.array([[value]], np.float32), scale)[0, 0]
    text = escape(number(value), quote=True)
    return (
        f'<td class="{cls}" title="{text}" style="background:rgb({red},{green},{blue})">'
        f"<span>{text}</span></td>"
    )


def explanation(axes: NormAxes, view: LayerView) -> str:
    """What each of the two averages, with the numbers of this batch, as Markdown."""
    images, channels = axes.maps.shape
    return tr(
        "**BatchNorm** averages a column: channel {channel} over all {images} images and {positions} "
        "positions gives the mean {batch_mean} and the standard deviation {batch_std}. **LayerNorm** "
        "averages a row: image 1 over all {channels} channels and {positions} positions gives {layer_mean} "
        "and {layer_std}. So BatchNorm makes images of a batch depend on each other and needs running "
        "statistics in eval mode; LayerNorm does neither, but it mixes channels that respond to different "
        "things.",
        channel=view.channel,
        images=images,
        channels=channels,
        positions=f"{axes.positions:,}",
        batch_mean=plain_number(axes.batch_mean[view.channel]),
        batch_std=plain_number(axes.batch_std[view.channel]),
        layer_mean=plain_number(axes.layer_mean[0]),
        layer_std=plain_number(axes.layer_std[0]),
    )


def about(axes: NormAxes, columns: list[int], view: LayerView) -> str:
    which = rows_text(axes, view)
    order_text = tr(
        "Columns: channels {first} to {last} of {count} of what {layer} receives.",
        first=columns[0],
        last=columns[-1],
        count=axes.maps.shape[1],
        layer=literal(view.layer),
    )
    edges = tr(
        "At the edges: what each averages; LayerNorm’s over all channels. As PyTorch’s GroupNorm with one "
        "group, it has γ and β for each channel."
    )
    return paragraph([which, order_text, edges])


def rows_text(axes: NormAxes, view: LayerView) -> str:
    """Which images are averaged."""
    if view.measured.batch is None:
        return tr("Rows: this image and {count} drawn scenes.", count=len(axes.maps) - 1)
    return tr("Rows: the first {count} images of the batch.", count=len(axes.maps))


# Before or after the pooling


def order_part(selection: Selection, view: LayerView, batch: Input) -> Orders:
    beside = pool_beside(selection.net, selection.seen, view.layer)
    both = cached.norm_orders(selection.network, batch, view.layer, view.channel, beside)
    markup.show(
        markup.element(
            "div",
            *(facts(tr(ORDER_NAMES[name]), order, view.channel) for name, order in sides(both).items()),
            cls="fx-panels",
        )
    )
    panels.chart(order_chart(view, both))
    st.markdown(reason(view, both))
    st.caption(setting(both, len(batch.x)))
    return both


def sides(both: Orders) -> dict[str, Order]:
    return {"norm_first": both.norm_first, "pool_first": both.pool_first}


def facts(title: str, order: Order, channel: int) -> str:
    rows = [
        (tr("values of each channel averaged"), f"{order.values:,}"),
        (tr("measured mean, standard deviation"), _pair(order.measured_mean, order.measured_std, channel)),
        (tr("output mean, standard deviation"), _pair(order.mean, order.std, channel)),
    ]
    return panels.facts(title, rows)


def _pair(mean: Floats, std: Floats, channel: int) -> str:
    return tr(", ").join((number(mean[channel]), number(std[channel])))


def order_chart(view: LayerView, both: Orders) -> LineChart:
    """What leaves BatchNorm and pooling in either order, for the chosen channel: fractions of positions."""
    lines = []
    for (name, order), tint in zip(sides(both).items(), SERIES, strict=False):
        title = tr(ORDER_NAMES[name])
        heights = np.concatenate([order.counts / max(order.counts.sum(), 1), [0.0]])
        lines.append(
            Line(title, order.edges, doubles(heights), tint, steps=True, details=((tr("order"), title),))
        )
    title = tr("Output of channel {channel} in both orders", channel=view.channel)
    return LineChart(
        title,
        tr("{title}: {lines}", title=title, lines=tr(", ").join(line.name for line in lines)),
        axis(tr("value"), [lines[0].x], most=8),
        axis(
            tr("fraction of positions"),
            [line.y for line in lines],
            "percent",
            zero=True,
            rounded=True,
            most=4,
        ),
        tuple(lines),
        legend=True,
    )


def reason(view: LayerView, both: Orders) -> str:
    """Why the course puts BatchNorm first, as Markdown."""
    fields = {
        "all": f"{both.norm_first.values:,}",
        "fewer": f"{both.pool_first.values:,}",
        "beta": plain_number(view.summary.bias[view.channel]),
    }
    if not both.largest:
        return tr(
            "**BatchNorm first** averages all {all} values of a channel. **Pooling first** leaves {fewer}, "
            "which are already averages, so their standard deviation is smaller and they are divided by "
            "less. What leaves this order is centered on β = {beta}.",
            **fields,
        )
    return tr(
        "**BatchNorm first** averages all {all} values of a channel, and the pooling chooses the largest of "
        "the normalized ones. **Pooling first** leaves {fewer} values, each the largest of its square, so "
        "the statistics are those of maxima, and what leaves is centered on β = {beta} again. With fixed "
        "statistics and a positive γ both orders give the same values, because the largest stays the "
        "largest: they differ in what is measured. The second order has fewer values to normalize.",
        **fields,
    )


def setting(both: Orders, count: int) -> str:
    measured = tr(
        "Normalized with the statistics of these {count} images; γ and β are the layer’s.", count=count
    )
    if not both.pool:
        return paragraph([measured, tr("No pooling belongs to this layer: a 2 × 2 maximum is assumed.")])
    order = tr(ORDER_NAMES[both.network])
    return paragraph([measured, tr("This network: {order} ({pool}).", order=order, pool=literal(both.pool))])
