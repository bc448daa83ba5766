"""The shipped short runs: every optimizer with several schedulers on the same drawn scenes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from explorer.drawing.chart import Chart
from explorer.drawing.ranges import percent
from explorer.engine import runs as engine
from explorer.engine.descent import VARIANTS
from explorer.engine.optimizer_runs import (
    CLASSES,
    OTHER_SEED,
    RATES,
    SCHEDULED,
    TEST_IMAGES,
    TRIED,
    OptimizerRun,
)
from explorer.ui import cached, link, markup, panels
from explorer.ui.components.command_box import command_box
from explorer.ui.markdown import sentence
from explorer.ui.options import ROOT
from explorer.views.optimizers import charts
from explorer.views.optimizers.charts import METRICS, NAMES
from model.problems import Problem
from model.words import paragraph, tr

FOLDER = ROOT / "checkpoints" / "optimizers"
MOST = 2  # schedulers in the same charts: one solid, one dashed


@dataclass(frozen=True, eq=False)
class Recorded:
    """All runs, the largest final accuracy first, the chosen ones and their schedulers, and the charts by
    short name.
    """

    every: tuple[OptimizerRun, ...]
    chosen: tuple[OptimizerRun, ...]
    schedulers: Sequence[str]
    charts: Mapping[str, Chart]


def show() -> Recorded | None:
    """The runs of the chosen optimizers and schedulers; None where none is there to be read."""
    st.header(tr("Optimizers on the same images"), anchor=False)
    try:
        every = cached.optimizer_runs(FOLDER)
    except Problem as problem:
        st.warning(sentence(problem))
        return None
    if not every:
        st.info(tr("The folder checkpoints/optimizers has no histories, so there are no runs to show."))
        return None
    st.markdown(paragraph([about(every), about_seeds(every)]))
    left, right = st.columns([3, 2])
    with left:
        variants = {name: tr(variant.title) for name, variant in VARIANTS.items()}
        names = link.several(
            st.multiselect, tr("Optimizers"), list(variants), "opt", list(variants),
            format_func=variants.get,
        )  # fmt: skip
    with right:
        titles = {name: tr(NAMES[name]) for name in SCHEDULED}
        label = tr("Schedulers (at most {count})", count=MOST)
        schedulers = link.several(
            st.multiselect, label, list(titles), "opt_sch", ["none", "cosine"], format_func=titles.get,
            max_selections=MOST,
        )[:MOST]  # fmt: skip
    chosen = tuple(each for each in every if each.variant in names and each.scheduler in schedulers)
    recorded = Recorded(by_accuracy(every), chosen, schedulers, charts_of(every, chosen, schedulers))
    draw(recorded)
    return recorded


def by_accuracy(runs: Sequence[OptimizerRun]) -> tuple[OptimizerRun, ...]:
    return tuple(sorted(runs, key=lambda each: -each.accuracy))


def charts_of(
    every: Sequence[OptimizerRun], chosen: Sequence[OptimizerRun], schedulers: Sequence[str]
) -> dict[str, Chart]:
    solid, *others = schedulers
    drawn: dict[str, Chart] = {"final": charts.final_accuracies(by_accuracy(every))}
    if chosen:
        for name, metric in METRICS.items():
            drawn[name] = charts.by_epoch(chosen, solid, metric, others[0] if others else "")
    return drawn


def about(every: Sequence[OptimizerRun]) -> str:
    """What was run, and how far it can be trusted."""
    return tr(
        "{count} runs of the course’s CNN at a quarter of its usual width, {epochs} epochs on 2,500 "
        "drawn scenes, **one seed each**. Each optimizer has one learning rate: the best of a few, tried "
        "with another seed and without scheduler on the same test images.",
        count=len(every),
        epochs=len(every[0].run.epochs),
    )


def about_seeds(every: Sequence[OptimizerRun]) -> str:
    """How far another seed moved the accuracy, beside how far schedulers did; "" without these runs."""
    seeds = [abs(each.accuracy - OTHER_SEED[each.variant]) for each in every if each.scheduler == "none"]
    spreads = [
        max(accuracies) - min(accuracies)
        for accuracies in (
            [each.accuracy for each in every if each.variant == variant] for variant in VARIANTS
        )
        if len(accuracies) == len(SCHEDULED)
    ]
    if not seeds or not spreads:
        return ""
    return tr(
        "Without scheduler, that other seed changed the final accuracy by {least} to {most} percentage "
        "points, depending on the optimizer. The four schedulers of one optimizer differ by {narrow} to "
        "{wide} points: one seed does not tell which of them is better.",
        least=f"{100 * min(seeds):.1f}", most=f"{100 * max(seeds):.1f}",
        narrow=f"{100 * min(spreads):.1f}", wide=f"{100 * max(spreads):.1f}",
    )  # fmt: skip


def draw(recorded: Recorded) -> None:
    if "accuracy" in recorded.charts:
        markup.show(panels.legend(recorded.charts["accuracy"]))  # type: ignore[arg-type]
    by_name = [recorded.charts[name] for name in METRICS if name in recorded.charts]
    for chart, column in zip(by_name, st.columns(3, gap="medium"), strict=False):
        with column:
            st.markdown(f"**{chart.title}**")
            panels.chart(chart)  # type: ignore[arg-type]
    st.caption(lines_in_words(recorded.schedulers))
    st.subheader(tr("Final test accuracy"), anchor=False)
    left, right = st.columns([2, 3], gap="large")
    with left:
        panels.chart(recorded.charts["final"])  # type: ignore[arg-type]
    with right:
        markup.show(markup.element("div", table(recorded.every), cls="fx-wrapped"))
    st.caption(
        tr(
            "n = {images} test images, one seed each. Intervals are Wilson’s at 95%: how far other test "
            "images might move the accuracy. They do not contain what another seed would change. Diamonds: "
            "chance, {chance}.",
            images=f"{TEST_IMAGES:,}",
            chance=percent(1 / CLASSES),
        )
    )
    how_to_repeat(recorded.every)


def lines_in_words(schedulers: Sequence[str]) -> str:
    """What the color of a line is, and which scheduler is solid or dashed."""
    solid, *others = (tr(NAMES[name]) for name in schedulers)
    if others:
        return tr("Color: optimizer. Solid: {solid}. Dashed: {dashed}.", solid=solid, dashed=others[0])
    return tr("Color: optimizer. Scheduler: {solid}.", solid=solid)


def table(every: Sequence[OptimizerRun]) -> str:
    """A row for every run: its rate, and its accuracy with the interval."""
    heads = (tr("run"), tr("rate"), tr("accuracy (95% interval)"))
    return markup.table(heads, [row(each) for each in every])


def row(one: OptimizerRun) -> list[str]:
    low, high = one.interval
    accuracy = tr(
        "{accuracy} ({low} to {high})",
        accuracy=percent(one.accuracy),
        low=percent(low),
        high=percent(high),
    )
    return [charts.run_name(one), f"{RATES[one.variant]:g}", accuracy]


def how_to_repeat(every: Sequence[OptimizerRun]) -> None:
    with st.expander(tr("Rates that were tried, and the command of each run")):
        lines = [
            tr(
                "- {optimizer}: {rates} → **{best}**",
                optimizer=tr(VARIANTS[name].title),
                rates=tr(", ").join(f"{rate:g}" for rate in rates),
                best=f"{RATES[name]:g}",
            )
            for name, rates in TRIED.items()
        ]
        st.markdown("\n".join(lines))
        st.caption(tr("RMSprop’s best rate is the lowest that was tried: a lower one might be better."))
        command_box("\n".join(engine.command(each.run, None)[0] for each in every))
