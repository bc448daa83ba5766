"""How far the channel's largest positions lie on the objects of drawn scenes."""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial

import numpy as np
import streamlit as st

from explorer.drawing.ranges import percent, plain_number
from explorer.engine.dissection import PAPER, SHIFTS, Dissection, Masks
from explorer.engine.scan.images import drawn_scenes
from explorer.engine.tracing import trace
from explorer.engine.values import Floats, Integers
from explorer.ui import cached, choices, jobs, panels
from explorer.ui.jobs import JOBS, Progress, Work
from explorer.ui.markdown import literal, sentence
from explorer.views.channel import charts
from explorer.views.channel.subject import ChannelSubject
from model.card import Card, Pixels
from model.scenes import CLASSES
from model.words import tr

SCENES = 200, 40  # for small and larger inputs
FIRST = 100_000  # of their numbers: the app's scans have none of these
PART = 20  # in each step
QUANTILES = {"0.005": PAPER, "0.05": 0.05, "0.2": 0.2}


@lru_cache(maxsize=32)
def drawn(size: int, first: int) -> tuple[Pixels, Masks, Integers]:
    """PART scenes from a number on, the drawn classes in turn: pixels, masks bool (n, H, W), labels (n,)."""
    take = drawn_scenes(Card(input_size=size, classes=CLASSES)).take
    samples = [take(number) for number in range(first, first + PART)]
    masks = np.stack([sample.mask for sample in samples if sample.mask is not None])
    labels = np.array([sample.label for sample in samples], np.int64)
    return np.stack([sample.pixels for sample in samples]), masks, labels


def work(subject: ChannelSubject) -> Work[tuple[Floats, Masks, Integers]]:
    """The channel's maps (n, h, w) of drawn scenes, with the masks and the labels, some after another.

    The masks are those of the part of the scene that the maps lie on.
    """
    selection, layer, channel = subject.selection, subject.layer, subject.channel
    card, part = selection.card, selection.place(layer)
    count, size = SCENES[not subject.small], card.input_size

    def run() -> Iterator[tuple[Floats, Masks, Integers]]:
        for first in range(FIRST, FIRST + count, PART):
            pixels, masks, labels = drawn(max(size, 16), first)
            maps = trace(selection.net, card.to_inputs(list(pixels)), [layer]).maps[layer][:, channel]
            yield maps, np.stack([card.framed_mask(mask)[part.inside] for mask in masks]), labels

    return Work("masks", (selection.network, layer, channel), count // PART, run)


def show(subject: ChannelSubject) -> Dissection | None:
    """The overlap at the chosen threshold; once it is measured it is returned."""
    st.subheader(tr("Overlap with objects"), anchor=False)
    names = {"0.005": tr("Top 0.5%"), "0.05": tr("Top 5%"), "0.2": tr("Top 20%")}
    quantile = QUANTILES[choices.choice(tr("Positions that count"), names, "quantile")]
    job = work(subject)
    jobs.show(partial(_draw, quantile), job)
    (progress,) = JOBS.look(job)
    return dissected(progress, quantile)


def dissected(progress: Progress[tuple[Floats, Masks, Integers]], quantile: float) -> Dissection | None:
    """The Dissection; None before all parts are there."""
    if len(progress.results) < progress.steps:
        return None
    maps, masks, labels = (np.concatenate(parts) for parts in zip(*progress.results, strict=True))
    return cached.dissected(maps, masks, labels, CLASSES, quantile)


def _draw(quantile: float, progress: Sequence[Progress[tuple[Floats, Masks, Integers]]]) -> None:
    (one,) = progress
    if one.problem is not None:
        st.info(sentence(one.problem))
    elif (measured := dissected(one, quantile)) is None:
        st.progress(len(one.results) / one.steps, tr("Looking at drawn scenes with masks"))
    elif measured.fraction == 0:
        st.caption(tr("The map has the same largest value almost everywhere, so no position stands out."))
    else:
        panels.chart(charts.overlaps(measured), key="overlaps")
        st.caption(literal(about(measured, one.steps * PART)))


def about(measured: Dissection, scenes: int) -> str:
    """The overlap with any object, in words, and how to read the chart."""
    overall = measured.overlaps[0]
    fields = {
        "fraction": percent(measured.fraction),
        "threshold": plain_number(measured.threshold),
        "inside": percent(overall.inside, 0),
        "area": percent(overall.area, 0),
        "iou": f"{overall.iou:.3f}",
        "chance": f"{overall.chance:.3f}",
        "best": f"{overall.best:.3f}",
        "scenes": scenes,
        "shifts": SHIFTS,
    }
    return tr(
        "Network Dissection (arXiv:1704.05796) on {scenes} drawn scenes, whose masks are exact: {fraction} "
        "of the positions are above {threshold}. {inside} of these lie on an object; objects cover {area}. "
        "IoU with any object {iou}; {chance} with masks moved at random ({shifts} times, diamonds); areas "
        "of these sizes allow at most {best}. Gray: not above every one of the {shifts}. Read "
        "classes with care: with ten of them, one can be above chance by chance.",
        **fields,
    )
