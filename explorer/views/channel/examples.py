"""The images of a scan in which the channel is largest, contributes most to the class, and is smallest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from explorer.engine.batches import spread
from explorer.engine.channel_effects import Contribution, contribution
from explorer.engine.scan.result import LayerScan
from explorer.ui import choices, jobs
from explorer.ui.jobs import Progress, Work
from explorer.ui.markdown import literal, sentence
from explorer.views.channel import tiles
from explorer.views.channel.subject import ChannelSubject
from explorer.views.channel.tiles import ExampleTile
from model.words import paragraph, tr

SHOWN, LOWEST = 8, 8  # tiles
SPREAD = 128, 16  # images over the whole scan that contributions are computed on, besides the top ones
CHUNK = 32, 4  # of them at once, for small and larger inputs


@dataclass(frozen=True, eq=False)
class Examples:
    """The tiles by activation, highest and lowest, and by contribution once it is computed."""

    top: list[ExampleTile]
    bottom: list[ExampleTile]
    contributing: list[ExampleTile]


def by_activation(subject: ChannelSubject) -> tuple[list[ExampleTile], list[ExampleTile]]:
    """The images with the largest maximum of the map, and those with the smallest."""
    scanned, channel = subject.scanned, subject.channel
    assert scanned is not None
    parts = (scanned.top_rows, scanned.top_values, scanned.top_positions)
    top = [
        ExampleTile(int(row), float(value), (int(position[0]), int(position[1])))
        for row, value, position in zip(*(part[channel][:SHOWN] for part in parts), strict=True)
    ]
    silent = silent_rows(scanned, channel)
    if len(silent) > LOWEST:
        return top, [ExampleTile(silent[at], 0.0, None) for at in spread(len(silent), LOWEST)]
    ends = (scanned.bottom_rows, scanned.bottom_values)
    lowest = zip(*(part[channel][:LOWEST] for part in ends), strict=True)
    return top, [ExampleTile(int(row), float(value), None) for row, value in lowest]


def silent_rows(scanned: LayerScan, channel: int) -> list[int]:
    """The images whose map is zero everywhere, if the channel is never negative and they are the lowest."""
    if not scanned.bottom_values.shape[1] or scanned.bottom_values[channel, 0] != 0:
        return []
    means = scanned.image_mean[:, channel]
    return [] if means.min() < 0 else [int(row) for row in np.flatnonzero(means == 0)]


def candidates(subject: ChannelSubject) -> list[int]:
    """The rows that contributions are computed on: the top images of the channel, and a spread over all."""
    scanned = subject.scanned
    assert scanned is not None
    top = scanned.top_rows[subject.channel].tolist()
    return list(dict.fromkeys([*top, *subject.images.some(SPREAD[not subject.small])]))


def work(subject: ChannelSubject) -> Work[Contribution]:
    """Contributions to the class to explain, some images after another."""
    selection, rows = subject.selection, candidates(subject)
    size = CHUNK[not subject.small]
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    values = (selection.network, *subject.images.key, subject.layer, subject.channel, selection.target)
    images = subject.images

    def run() -> Iterator[Contribution]:
        for part in parts:
            x = selection.card.to_inputs([images.take(row).pixels for row in part])
            yield contribution(selection.net, x, subject.layer, subject.channel, selection.target)

    return Work("contributions of a channel", values, len(parts), run)


def by_contribution(subject: ChannelSubject, parts: Sequence[Contribution]) -> list[ExampleTile]:
    """The images in which the channel contributes most to the class, as far as they are computed."""
    values = np.concatenate([part.values for part in parts])
    positions = np.concatenate([part.positions for part in parts])
    rows = candidates(subject)
    order = np.argsort(-values, kind="stable")[:SHOWN].tolist()
    return [
        ExampleTile(rows[k], float(values[k]), (int(positions[k, 0]), int(positions[k, 1]))) for k in order
    ]


def show(subject: ChannelSubject) -> Examples:
    """The tiles; a click on one selects its image."""
    with st.container(horizontal=True, gap="small"):
        name = subject.selection.target_name
        by = {"activation": tr("Activation"), "contribution": tr("Contribution to {name}", name=name)}
        order = choices.choice(tr("Largest by"), by, "examples")
        shapes = {"field": tr("Receptive field"), "whole": tr("Whole image")}
        whole = choices.choice(tr("Picture"), shapes, "picture") == "whole"
    top, bottom = by_activation(subject)
    contributing: list[ExampleTile] = []
    if order == "activation":
        st.markdown(literal(tr("Largest value of the map, over {images}", images=subject.images.text)))
        tiles.show(subject, top, "top", whole)
    else:
        job = work(subject)
        contributing = finished(subject, job)
        jobs.show(partial(_draw, subject, whole), job)
    st.markdown(literal(about_the_lowest(subject)))
    tiles.show(subject, bottom, "bottom", whole)
    st.caption(
        literal(
            paragraph(
                [tiles.field_in_words(subject, whole), tr("Click an image to select it on every page.")]
            )
        )
    )
    return Examples(top, bottom, contributing)


def about_the_lowest(subject: ChannelSubject) -> str:
    assert subject.scanned is not None
    silent, count = len(silent_rows(subject.scanned, subject.channel)), LOWEST
    if silent <= count:
        return tr("Smallest: the images whose largest value is lowest")
    return tr(
        "In {silent:,} of {images} the map is zero everywhere; {shown} of these, evenly spread:",
        silent=silent,
        images=subject.images.text,
        shown=count,
    )


def finished(subject: ChannelSubject, job: Work[Contribution]) -> list[ExampleTile]:
    (progress,) = jobs.JOBS.look(job)
    return by_contribution(subject, progress.results) if len(progress.results) == progress.steps else []


def _draw(subject: ChannelSubject, whole: bool, progress: Sequence[Progress[Contribution]]) -> None:
    (one,) = progress
    if one.problem is not None:
        st.info(sentence(one.problem))
        return
    if len(one.results) < one.steps:
        done = {"done": len(one.results), "steps": one.steps}
        st.progress(
            len(one.results) / one.steps, tr("Computing contributions: part {done} of {steps}", **done)
        )
        return
    st.markdown(literal(about_contributions(subject)))
    tiles.show(subject, by_contribution(subject, one.results), "contribution", whole)


def about_contributions(subject: ChannelSubject) -> str:
    """What the number is, and on which images it was computed."""
    return tr(
        "Largest contribution to the logit of {name}: Grad-CAM’s weight × mean of the map, computed on "
        "{count} of {images} (the {top} with the largest values of this channel, and a spread over all)",
        name=subject.selection.target_name,
        count=len(candidates(subject)),
        images=subject.images.text,
        top=len(subject.scanned.top_rows[subject.channel]) if subject.scanned else 0,
    )
