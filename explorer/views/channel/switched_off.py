"""What is lost without the channel: the logit of each class, on images of that class."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import streamlit as st

from explorer.engine.channel_effects import ClassEffect, class_effect
from explorer.ui import jobs, panels
from explorer.ui.jobs import JOBS, Progress, Work
from explorer.ui.markdown import literal, sentence
from explorer.views.channel import charts
from explorer.views.channel.subject import ChannelSubject
from model.words import ngettext, paragraph, tr

EACH = 12, 3  # images of a class, for small and larger inputs
MOST_CLASSES = 12


def classes_of(subject: ChannelSubject) -> list[int]:
    """The classes that there are images of: the first ones, and the one to explain."""
    there = np.unique(subject.images.labels)
    known = [int(k) for k in there if k >= 0]
    target = [subject.selection.target] if subject.selection.target in known else []
    return sorted(dict.fromkeys([*target, *known][:MOST_CLASSES]))


def work(subject: ChannelSubject) -> Work[ClassEffect]:
    """The effect on one class after another."""
    selection, layer, channel, images = subject.selection, subject.layer, subject.channel, subject.images
    classes = classes_of(subject)
    rows = {label: images.of_class(label, EACH[not subject.small]) for label in classes}

    def run() -> Iterator[ClassEffect]:
        for label in classes:
            x = selection.card.to_inputs([images.take(row).pixels for row in rows[label]])
            yield class_effect(selection.net, x, layer, channel, label)

    values = (selection.network, *images.key, layer, channel, tuple(classes))
    return Work("effects by class", values, len(classes), run)


def show(subject: ChannelSubject) -> list[ClassEffect]:
    """The effects, once all are measured; nothing where no image has a class of the network."""
    st.subheader(tr("Switched off"), anchor=False)
    if not classes_of(subject):
        st.caption(tr("None of these images is labeled with a class of this network."))
        return []
    job = work(subject)
    jobs.show(partial(_draw, subject), job)
    (progress,) = JOBS.look(job)
    return list(progress.results) if len(progress.results) == progress.steps else []


def _draw(subject: ChannelSubject, progress: Sequence[Progress[ClassEffect]]) -> None:
    (one,) = progress
    if one.problem is not None:
        st.info(sentence(one.problem))
    elif len(one.results) < one.steps:
        st.progress(len(one.results) / one.steps, tr("Switching the channel off in images of each class"))
    else:
        panels.chart(charts.effects(one.results, subject.selection.class_names), key="effects")
        st.caption(literal(about(subject, one.results)))


def about(subject: ChannelSubject, measured: Sequence[ClassEffect]) -> str:
    """How many predictions change, and what the chart shows."""
    counts = [one.fall.n for one in measured]
    least, most = min(counts), max(counts)
    chart = tr(
        "The channel at zero in {count} of {images}, evenly spread over each class (n = {each}): mean fall "
        "of that class’s logit with its 95% interval (bootstrap). Diamond: no change; left of it the "
        "logit rises. Gray: the interval includes zero.",
        each=str(least) if least == most else f"{least} … {most}",
        images=subject.images.text,
        count=sum(counts),
    )
    changed = ngettext(
        "{n} of {count} predictions changes.",
        "{n} of {count} predictions change.",
        sum(one.changed for one in measured),
        count=sum(counts),
    )
    return paragraph([chart, changed])
