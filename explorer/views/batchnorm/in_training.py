"""What BatchNorm does while a network trains: the drift of a layer's values, and runs with and without it."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from explorer.drawing.chart import LineChart
from explorer.drawing.ranges import percent
from explorer.engine.drift import Drift, Moments
from explorer.engine.intervals import interval
from explorer.ui import cached, lessons, markup, panels
from explorer.ui.cached import Opened
from explorer.ui.markdown import literal, sentence
from explorer.ui.selection import Selection
from explorer.views.batchnorm import run_charts
from explorer.views.batchnorm.measured import LayerView
from explorer.views.batchnorm.run_charts import NormRun
from model.problems import Problem
from model.words import N_, paragraph, tr

RUNS = {
    "batch": ("batch", 0.01),
    "layer": ("layer", 0.01),
    "none": ("none", 0.01),
    "batch-10": ("batch", 0.1),
    "layer-10": ("layer", 0.1),
    "none-10": ("none", 0.1),
}
"""Name of a shipped run → its normalization and its learning rate."""
TEST_IMAGES, CHANCE = 1000, 0.1
DRIFTING = {"batch": "bn3", "none": "conv3"}  # the runs with snapshots, and what feeds the last block's ReLU
IMAGES = 64
SETTING = N_(
    "Six runs of one small network (8, 16 and 32 channels) that differ in nothing but the normalization and "
    "the learning rate: SGD with momentum 0.9 and a constant rate, 20 epochs of 5,000 drawn scenes, seed 0. "
    "Accuracy and loss on 1,000 other scenes; chance is 10%. One seed each, so small differences mean "
    "nothing; the setting was chosen before the runs. Their commands are in docs/training.md."
)
RATES = N_("Solid: learning rate 0.01. Dashed: 0.1. Gray line: chance.")
SAME_FOR_ALL = N_("They are shown for every checkpoint: that of the sidebar is none of them.")
ABOUT_DRIFT = N_(
    "Median over the channels of how far each channel’s mean, and its standard deviation, are from those of "
    "the last epoch, measured on the same {count} drawn scenes in eval mode; 0 is the last epoch."
)
VIEWS = N_(
    "While the weights before a layer change, the distribution of what it receives changes too. The paper on "
    "BatchNorm calls this **internal covariate shift**, and gives its reduction as the reason why BatchNorm "
    "helps ([arXiv:1502.03167](https://arxiv.org/abs/1502.03167)). Its critics added random shifts after "
    "BatchNorm, and training remained as good; they found the shift no smaller with BatchNorm, and explain "
    "the benefit by a smoother loss ([arXiv:1805.11604](https://arxiv.org/abs/1805.11604)). So the drift "
    "below is a description, and no proof of a cause."
)


BEFORE, AFTER = N_("before BatchNorm"), N_("after BatchNorm")
NO_NORM, LESSONS = N_("no normalization"), N_("two of the runs")
DriftSeries = Mapping[str, tuple[tuple[int, ...], Moments]]
"""Of one network: the name of some values → the epochs, and the values' moments at each."""


def show(selection: Selection, view: LayerView) -> tuple[list[NormRun], dict[str, DriftSeries]]:
    """The part of the page; gives the runs, and the drift of each network that has snapshots, by its name."""
    shipped = runs()
    st.subheader(tr("Drift of a layer’s values (internal covariate shift)"), anchor=False)
    st.markdown(tr(VIEWS))
    return shipped, own_drift(selection, view) | lesson_drift()


# Runs with and without normalization


def runs() -> list[NormRun]:
    """The shipped runs: what normalization allows; gives them, none where they are missing."""
    st.subheader(tr("Six runs: with and without, at two learning rates"), anchor=False)
    try:
        shipped = [NormRun(norm, rate, lessons.run(name)) for name, (norm, rate) in RUNS.items()]
    except Problem as problem:
        st.info(sentence(problem))
        return []
    for column, chart in zip(st.columns(2, gap="medium"), run_charts.by_epoch(shipped, CHANCE), strict=True):
        with column:
            panels.chart(chart)
    st.caption(tr(RATES))
    st.markdown(finding({(each.norm, each.rate): each for each in shipped}))
    markup.show(table(shipped))
    st.caption(paragraph([tr(SETTING), tr(SAME_FOR_ALL)]))
    return shipped


def finding(shipped: Mapping[tuple[str, float], NormRun]) -> str:
    """What ten times the learning rate costs with each normalization, as Markdown."""
    accuracy = {key: each.run.epochs[-1].test_accuracy for key, each in shipped.items()}
    norms = dict.fromkeys(norm for norm, _ in shipped)
    low, high = sorted({rate for _, rate in shipped})
    fields = {
        f"{norm}_{end}": percent(accuracy[norm, rate])
        for norm in norms
        for end, rate in (("low", low), ("high", high))
    }
    return tr(
        "At ten times the learning rate accuracy falls from {batch_low} to **{batch_high}** with BatchNorm, "
        "from {layer_low} to **{layer_high}** with LayerNorm, and from {none_low} to **{none_high}** without "
        "normalization. All six runs learn, and each does better at the lower rate.",
        **fields,
    )


def table(shipped: list[NormRun]) -> str:
    heads = [
        tr("Normalization"),
        tr("Learning rate"),
        tr("Test accuracy"),
        tr("95% interval"),
        tr("Test loss (nats)"),
    ]
    return markup.table(heads, [_table_row(each) for each in shipped])


def _table_row(each: NormRun) -> list[str]:
    last = each.run.epochs[-1]
    low, high = interval(last.test_accuracy, TEST_IMAGES)
    return [
        each.name,
        f"{each.rate:g}",
        percent(last.test_accuracy),
        tr("{low} to {high}", low=percent(low), high=percent(high)),
        f"{last.test_loss:.3f}",
    ]


# Drift


def own_drift(selection: Selection, view: LayerView) -> dict[str, DriftSeries]:
    """The drift at the chosen layer over the snapshots of the chosen network's own run, where it has them."""
    name = literal(selection.opened.name)
    timeline = cached.timeline(selection.opened)
    if timeline is None or len(timeline.epochs) < 2:
        st.caption(
            tr(
                "{name} has no snapshots, so its own drift is unknown; below are two runs that have.",
                name=name,
            )
        )
        return {}
    scenes = cached.scene_batch(IMAGES, selection.card)
    moved = cached.drift(timeline, scenes.input, view.layer)
    st.markdown(tr("**{name}**, {layer}", name=name, layer=literal(view.layer)))
    series = {
        BEFORE: (moved.epochs, moved.received),
        AFTER: (moved.epochs, moved.given),
    }
    charts_of_drift(series)
    return {f"{selection.opened.name}, {view.layer}": series}


def lesson_drift() -> dict[str, DriftSeries]:
    """The drift of the same layer with and without BatchNorm, in two runs that have snapshots."""
    try:
        both = {name: _lesson(lessons.network(name), layer) for name, layer in DRIFTING.items()}
    except Problem as problem:
        st.info(sentence(problem))
        return {}
    batch, none = both["batch"], both["none"]
    st.markdown(tr("**Two of the runs above** (learning rate 0.01), the values before the ReLU of block 3"))
    series = {
        BEFORE: (batch.epochs, batch.received),
        AFTER: (batch.epochs, batch.given),
        NO_NORM: (none.epochs, none.given),
    }
    charts_of_drift(series)
    st.caption(tr(ABOUT_DRIFT, count=IMAGES))
    return {LESSONS: series}


def _lesson(opened: Opened, layer: str) -> Drift:
    timeline = cached.timeline(opened)
    if timeline is None:
        raise Problem(lessons.MISSING, name=opened.name)
    return cached.drift(timeline, cached.scene_batch(IMAGES, opened.card).input, layer)


def charts_of_drift(series: DriftSeries) -> None:
    texts = (
        tr("Distance of the mean from that of the last epoch, in its σ"),
        tr("|log₂| of σ over σ of the last epoch: 1 is twice or half"),
    )
    for column, text, chart in zip(st.columns(2, gap="medium"), texts, drift_charts(series), strict=True):
        with column:
            st.caption(text)
            panels.chart(chart)


def drift_charts(series: DriftSeries, network: str = "") -> tuple[LineChart, LineChart]:
    """How far the mean and the standard deviation are from the last epoch's; of a network for print."""
    titles = tr("Drift of the mean"), tr("Drift of the standard deviation")
    if network:
        network = tr(LESSONS) if network == LESSONS else network
        titles = (
            tr("Drift of the mean: {network}", network=network),
            tr("Drift of the standard deviation: {network}", network=network),
        )
    means = {tr(name): (epochs, np.median(each.moved, 1)) for name, (epochs, each) in series.items()}
    spreads = {tr(name): (epochs, np.median(each.stretched, 1)) for name, (epochs, each) in series.items()}
    return (
        run_charts.drift(titles[0], tr("distance (σ)"), means),
        run_charts.drift(titles[1], tr("|log₂ ratio|"), spreads),
    )
