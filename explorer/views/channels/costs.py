"""What channels are worth: the accuracy on the scan's images without them, measured in the background."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
import streamlit as st

from explorer.drawing.chart import LineChart
from explorer.drawing.ranges import MINUS, percent
from explorer.engine import pruning
from explorer.engine.channel_survey import ChannelSurvey
from explorer.engine.pruning import PrunedPredictions, PruningCost
from explorer.engine.scan.result import Scan, naming_hint
from explorer.engine.values import Floats
from explorer.ui import choices, jobs, markup, panels
from explorer.ui.jobs import JOBS, Progress, Work
from explorer.ui.markdown import sentence
from explorer.ui.scans.scan_batches import BATCH, batches, labeled_rows
from explorer.ui.selection import Selection
from explorer.views.channels import charts
from model.words import N_, paragraph, tr

SEEDS, CURVE_SEEDS = 5, 3  # of random channels, beside each named set and in the curve
SIZES = (500, 2000)  # images to measure on, beside all of them
FILLS = {"zero": N_("Zero"), "mean": N_("Its mean over the images")}
SETS = {
    "dead": N_("dead"),
    "constant": N_("constant"),
    "redundant": N_("one of each near-duplicates"),
    "faint": N_("γ near zero"),
    "all": N_("all of these"),
    "chosen": N_("marked in the table"),
}
Set = tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Which sets of channels are removed: `named` ones with random ones of the same sizes, and those of the
    curve, `orders` and random ones, at each of `counts`.
    """

    channels: int
    named: Mapping[str, Set]
    orders: Mapping[str, Set]

    @property
    def counts(self) -> tuple[int, ...]:
        return pruning.counts(self.channels)

    @property
    def named_sets(self) -> tuple[Set, ...]:
        """The named ones, then those of each seed for each of them."""
        return (
            *self.named.values(),
            *chain(*(self._random([len(one)], SEEDS) for one in self.named.values())),
        )

    @property
    def curve_sets(self) -> tuple[Set, ...]:
        """Those of each order, then of each seed."""
        ordered = (pruning.first_of(order, self.counts) for order in self.orders.values())
        return (*chain(*ordered), *self._random(self.counts, CURVE_SEEDS))

    def _random(self, counts: Sequence[int], seeds: int) -> tuple[Set, ...]:
        orders = (pruning.random_order(self.channels, seed) for seed in range(seeds))
        return tuple(chain(*(pruning.first_of(order, counts) for order in orders)))


@dataclass(frozen=True, eq=False)
class MeasuredCosts:
    """What is measured so far on `images` images: the cost of each named set with those of as many random
    channels, and the curve's costs by order and by seed.
    """

    plan: Plan
    fill: str
    images: int
    named: Mapping[str, tuple[PruningCost, tuple[PruningCost, ...]]]
    orders: Mapping[str, tuple[PruningCost, ...]]
    drawn: tuple[tuple[PruningCost, ...], ...]


def plan_of(surveyed: ChannelSurvey, chosen: Set) -> Plan:
    """The sets that are there, and the orders that this layer allows."""
    sets: dict[str, Set] = {
        "dead": _indices(surveyed.dead),
        "constant": _indices(surveyed.constant),
        "redundant": surveyed.redundant,
        "faint": surveyed.faint,
    }
    sets = {name: one for name, one in sets.items() if one}
    if len(sets) > 1:
        sets["all"] = tuple(sorted({channel for one in sets.values() for channel in one}))
    if chosen:
        sets["chosen"] = tuple(sorted(chosen))
    count = len(surveyed.mean)
    rest = np.argsort(surveyed.mean, kind="stable").tolist()
    orders: dict[str, Set] = {"mean": tuple(np.argsort(np.abs(surveyed.mean), kind="stable").tolist())}
    if surveyed.scaling is not None:
        orders["gamma"] = tuple(np.argsort(np.abs(surveyed.scaling.gamma), kind="stable").tolist())
    # Those that vary least, or not at all, have no order among the duplicates: they follow.
    orders["alike"] = (*surveyed.order, *(each for each in rest if each not in surveyed.order))
    return Plan(count, sets, orders)


def _indices(flags: np.ndarray) -> Set:
    return tuple(np.flatnonzero(flags).tolist())


def show(selection: Selection, scan: Scan, surveyed: ChannelSurvey, chosen: Set) -> MeasuredCosts | None:
    """The choices, and what is measured; None where nothing is."""
    st.subheader(tr("What the network loses without them"), anchor=False)
    rows = labeled_rows(scan)
    if not len(rows):
        none = tr("No image of this scan has a label among the network’s classes, so there is no accuracy.")
        st.info(paragraph(filter(None, [none, naming_hint(scan)])))
        return None
    sizes = {str(size): tr("On {count:,} images", count=size) for size in SIZES if size < len(rows)}
    sizes["all"] = tr("On all {count:,} images", count=len(rows))
    with st.container(horizontal=True):
        fill = choices.choice(
            tr("In the place of a channel"), {name: tr(text) for name, text in FILLS.items()}, "fill"
        )
        size = choices.choice(tr("Measure"), {"no": tr("Not now"), **sizes}, "measure", "no")
    if size == "no":
        st.caption(
            tr("The network runs again from this layer on, without one set of channels after another.")
        )
        return None
    plan = plan_of(surveyed, chosen)
    count = None if size == "all" else int(size)
    works = works_of(selection, scan, surveyed, plan, fill, count)
    jobs.show(partial(draw, surveyed.layer, plan, fill), *works)
    return measured(plan, fill, JOBS.look(*works))


def works_of(
    selection: Selection, scan: Scan, surveyed: ChannelSurvey, plan: Plan, fill: str, count: int | None
) -> tuple[Work[PrunedPredictions], ...]:
    """The work of the table, where there is one, and that of the curve."""
    network, layer, rows = selection.network, surveyed.layer, labeled_rows(scan, count)
    values: Floats = np.zeros(plan.channels, np.float32)
    if fill == "mean":
        values = surveyed.mean.astype(np.float32)

    def work(sets: tuple[Set, ...]) -> Work[PrunedPredictions]:
        parts = [(make, scan.labels[part]) for make, part in batches(network, scan, rows)]
        return Work(
            "pruning",
            (network, scan.images, scan.ids[rows], layer, sets, values),
            len(parts),
            lambda: pruning.pruning(network.net, parts, layer, sets, values),
        )

    return tuple(work(sets) for sets in (plan.named_sets, plan.curve_sets) if sets)


def measured(plan: Plan, fill: str, progress: Sequence[Progress[PrunedPredictions]]) -> MeasuredCosts | None:
    """What is measured by now; None before there is anything."""
    done = [pruning.joined(each.results) for each in progress if each.results]
    if len(done) < len(progress):
        return None
    *table, curve = done
    named = _of_named(plan, table[0]) if table else {}
    orders, drawn = _of_curve(plan, curve)
    return MeasuredCosts(plan, fill, len(curve.labels), named, orders, drawn)


def _of_named(plan: Plan, done: PrunedPredictions) -> dict[str, tuple[PruningCost, tuple[PruningCost, ...]]]:
    first = len(plan.named)
    return {
        name: (
            done.cost(index),
            tuple(done.cost(first + index * SEEDS + seed) for seed in range(SEEDS)),
        )
        for index, name in enumerate(plan.named)
    }


def _of_curve(
    plan: Plan, done: PrunedPredictions
) -> tuple[dict[str, tuple[PruningCost, ...]], tuple[tuple[PruningCost, ...], ...]]:
    points = len(plan.counts)
    series = [
        tuple(done.cost(line * points + point) for point in range(points))
        for line in range(len(plan.orders) + CURVE_SEEDS)
    ]
    return dict(zip(plan.orders, series, strict=False)), tuple(series[len(plan.orders) :])


def draw(layer: str, plan: Plan, fill: str, progress: Sequence[Progress[PrunedPredictions]]) -> None:
    """How far it is, and what is measured by now."""
    for each in progress:
        if each.problem is not None:
            st.warning(sentence(each.problem))
            return
    done, steps = (sum(each) for each in zip(*((len(p.results), p.steps) for p in progress), strict=True))
    if done < steps:
        st.progress(done / steps, tr("Measuring: {done} of {steps} batches of {size} images",
                                     done=done, steps=steps, size=BATCH))  # fmt: skip
    by_now = measured(plan, fill, progress)
    if by_now is None:
        return
    if by_now.named:
        markup.show(table(by_now))
    else:
        st.markdown(
            tr("No channel is dead, constant, a near-duplicate or with γ near zero. Mark some in the table.")
        )
    panels.chart(curve(layer, by_now))
    st.caption(about(by_now))


def curve(layer: str, by_now: MeasuredCosts) -> LineChart:
    first = next(iter(by_now.orders.values()))[0]
    whole = first.before / first.n
    return charts.curve(layer, by_now.plan.counts, by_now.orders, by_now.drawn, whole)


HEADS = (
    N_("removed"),
    N_("channels"),
    N_("accuracy (95% interval)"),
    N_("change"),
    N_("other predictions"),
    N_("of these lost, gained"),
    N_("as many random channels"),
)


def table(by_now: MeasuredCosts) -> str:
    """A row for nothing removed and for each named set, as html."""
    first = next(iter(by_now.named.values()))[0]
    whole = PruningCost(first.n, first.before, first.before, 0, 0, 0)
    rows = [[tr("nothing"), "0", accuracy(whole), "–", "–", "–", "–"]]
    for name, (cost, drawn) in by_now.named.items():
        rows.append([
            tr(SETS[name]), str(len(by_now.plan.named[name])), accuracy(cost), change(cost.difference),
            f"{cost.changed:,}", tr(", ").join((f"{cost.lost:,}", f"{cost.gained:,}")), spread(drawn),
        ])  # fmt: skip
    return markup.table([tr(head) for head in HEADS], rows)


def accuracy(cost: PruningCost) -> str:
    low, high = cost.interval
    return tr("{value} ({low} to {high})", value=percent(cost.accuracy), low=percent(low), high=percent(high))


def change(difference: float) -> str:
    """A difference of accuracies in percentage points, with its sign."""
    if not difference:
        return tr("none")
    return tr("{points} points", points=f"{100 * difference:+.1f}".replace("-", MINUS))


def spread(drawn: Sequence[PruningCost]) -> str:
    """The mean accuracy of several draws, and their least and largest."""
    values = [cost.accuracy for cost in drawn]
    mean = sum(values) / len(values)
    return tr(
        "{mean} ({low} to {high})", mean=percent(mean), low=percent(min(values)), high=percent(max(values))
    )


def about(by_now: MeasuredCosts) -> str:
    """How it was measured."""
    template = N_(
        "Measured on {images} images, each removed channel at zero everywhere, as in a network built without "
        "it. Intervals: Wilson, 95%. Random channels: mean, least and largest of {seeds} draws, in the curve "
        "of {curve}. The network was not trained again."
    )
    if by_now.fill == "mean":
        template = N_(
            "Measured on {images} images, each removed channel at its mean over all images of the scan, as "
            "in a network built without it whose next layer has that in its bias. Intervals: Wilson, 95%. "
            "Random channels: mean, least and largest of {seeds} draws, in the curve of {curve}. The network "
            "was not trained again."
        )
    return tr(template, images=f"{by_now.images:,}", seeds=SEEDS, curve=CURVE_SEEDS)
