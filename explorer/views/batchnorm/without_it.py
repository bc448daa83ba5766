"""A BatchNorm replaced by the identity: what it does to the values, and what the prediction is without it."""

import numpy as np
import streamlit as st

from explorer.drawing.chart import Line, LineChart, axis, doubles
from explorer.drawing.palette import SERIES
from explorer.drawing.ranges import column, percent, probability
from explorer.engine.batchnorm import NormSummary, StageHistogram, batchnorms
from explorer.engine.values import Doubles
from explorer.engine.without_norm import PredictionWithoutNorm
from explorer.ui import cached, markup, panels
from explorer.ui.markdown import literal
from explorer.ui.selection import Selection
from explorer.views.batchnorm import batch_prediction, observed
from explorer.views.batchnorm.charts import STAGES
from explorer.views.batchnorm.measured import LayerView
from model.words import N_, ngettext, tr

CLASSES = 5
ABOUT = N_(
    "Nothing else is changed and nothing is trained again: the layers after it still expect normalized "
    "values. So this shows how much they rely on the layer, not how well a network trained without BatchNorm "
    "would do; for that see “In training”."
)


def show(selection: Selection, view: LayerView) -> dict[str, PredictionWithoutNorm]:
    """The part of the page; gives the predictions, by the title of each."""
    observed.channel_heading(view, tr("Channel {channel} on one axis", channel=view.channel))
    panels.chart(one_axis(view))
    st.caption(
        tr(
            "The same positions at the three stages of the layer, as density: each area is 1. Normalizing "
            "moves and scales them by the running mean and standard deviation of training; γ and β move and "
            "scale them again, to what the next layer needs."
        )
    )
    st.subheader(tr("The prediction without it"), anchor=False)
    sides = predictions(selection, view)
    if view.measured.batch is None:
        one_image(selection, sides)
        st.markdown(meaning(selection, view, sides))
        markup.show(logits(selection, sides))
    else:
        batch = view.measured.batch
        rows = [(title, batch_prediction.overall(one.probabilities, batch)) for title, one in sides.items()]
        batch_prediction.side_by_side(*rows, format=percent)
        st.markdown(changed(view, sides))
    st.caption(tr(ABOUT))
    return sides


# The values of a channel


def one_axis(view: LayerView) -> LineChart:
    """The chosen channel before the layer, normalized, and after γ and β, as densities over one axis."""
    stages = view.summary.stages(view.channel)
    lines = []
    for stage, color in zip(stages, SERIES, strict=False):
        name = tr(STAGES[stage.stage])
        x, y = density(view.summary, view.channel, stage)
        lines.append(Line(name, x, y, color, steps=True, details=((tr("stage"), name),)))
    title = tr("Channel {channel} of {layer} on one axis", channel=view.channel, layer=view.layer)
    return LineChart(
        title,
        tr("{title}: {lines}", title=title, lines=tr(", ").join(line.name for line in lines)),
        axis(tr("value"), [line.x for line in lines], most=8),
        axis(tr("density"), [line.y for line in lines], zero=True, rounded=True, most=4),
        tuple(lines),
        legend=True,
        height=240,
    )


def density(summary: NormSummary, channel: int, stage: StageHistogram) -> tuple[Doubles, Doubles]:
    """Where each bin begins, ascending, and its density until the next; 0 at both ends."""
    edges, counts = stage.edges, doubles(summary.counts[channel])
    if edges[0] > edges[-1]:  # a negative γ turns the order around
        edges, counts = edges[::-1], counts[::-1]
    widths = np.maximum(np.diff(edges), 1e-12)
    heights = counts / max(counts.sum(), 1.0) / widths
    return doubles(np.concatenate([edges[:1], edges])), doubles(np.concatenate([[0.0], heights, [0.0]]))


# The prediction


def predictions(selection: Selection, view: LayerView) -> dict[str, PredictionWithoutNorm]:
    """Title → prediction: as it is, without the layer, and without any BatchNorm where there are more."""
    layers = batchnorms(selection.net, selection.seen)
    cases: dict[str, tuple[str, ...]] = {
        tr("As it is"): (),
        tr("Without {layer}", layer=view.layer): (view.layer,),
    }
    if len(layers) > 1:
        cases[tr("Without any of the {count} BatchNorm layers", count=len(layers))] = layers
    return {
        title: cached.predicted_without(selection.network, view.measured.input, without)
        for title, without in cases.items()
    }


def one_image(selection: Selection, sides: dict[str, PredictionWithoutNorm]) -> None:
    names = selection.class_names
    batch_prediction.side_by_side(
        *(
            (title, batch_prediction.most_probable(names, side.probabilities[0]))
            for title, side in sides.items()
        )
    )


def meaning(selection: Selection, view: LayerView, sides: dict[str, PredictionWithoutNorm]) -> str:
    """What the layer's absence does to the prediction for one image, as Markdown."""
    before, without = [side.probabilities[0] for side in sides.values()][:2]
    first, second = int(before.argmax()), int(without.argmax())
    names = tuple(map(literal, selection.class_names))
    fields = {"layer": literal(view.layer), "first": names[first], "before": probability(before[first])}
    if first == second:
        return tr(
            "Without **{layer}** the prediction is still **{first}**: {before} with it, {after} without it.",
            after=probability(without[first]),
            **fields,
        )
    return tr(
        "Without **{layer}** the prediction changes from **{first}** ({before}) to **{second}** ({after}).",
        second=names[second],
        after=probability(without[second]),
        **fields,
    )


def changed(view: LayerView, sides: dict[str, PredictionWithoutNorm]) -> str:
    """How many predictions of a batch the layer's absence changes, as Markdown."""
    before, without = [side.probabilities.argmax(1) for side in sides.values()][:2]
    return ngettext(
        "Without **{layer}** the predicted class changes for **{n}** of {total} images.",
        "Without **{layer}** the predicted class changes for **{n}** of {total} images.",
        int((before != without).sum()),
        layer=literal(view.layer),
        total=len(before),
    )


def logits(selection: Selection, sides: dict[str, PredictionWithoutNorm]) -> str:
    """The logits of the classes that are most probable in one of the cases, as a table."""
    likely = [
        int(k)
        for side in sides.values()
        for k in np.argsort(-side.probabilities[0], kind="stable")[: CLASSES - 2]
    ]
    classes = list(dict.fromkeys(likely))
    columns = [column(side.logits[0, classes].tolist()) for side in sides.values()]
    names = [selection.class_names[k] for k in classes]
    heads = [tr("Logit of"), *sides]
    return markup.table(heads, list(zip(names, *columns, strict=True)))
