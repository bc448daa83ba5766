"""An image made for the channel, beside what random images and the best real one reach."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import streamlit as st

from explorer.drawing.ranges import column
from explorer.engine.scan.result import LayerScan
from explorer.engine.visualization import PART, RANDOM, Visualization, prior_of, steps_of, visualize
from explorer.ui import jobs, link, markup
from explorer.ui.frame import presentation
from explorer.ui.jobs import JOBS, Progress, Work
from explorer.ui.markdown import literal, sentence
from explorer.views.channel.subject import MOST_OF_PRIOR, ChannelSubject
from model.words import tr

SEEDS = 99


def work(subject: ChannelSubject, seed: int) -> Work[Visualization]:
    """The image, anew after some steps each."""
    selection, images = subject.selection, subject.images
    rows = images.some(MOST_OF_PRIOR[not subject.small])

    def run() -> Iterator[Visualization]:
        pixels = np.stack([selection.card.framed(images.take(row).pixels) for row in rows])
        yield from visualize(selection.network, subject.layer, subject.channel, prior_of(pixels), seed)

    values = (selection.network, *images.key, subject.layer, subject.channel, seed)
    return Work("visualization", values, -(-steps_of(selection.card.input_size) // PART), run)


def show(subject: ChannelSubject) -> Visualization | None:
    """The image and the numbers, as far as they are; the finished one is returned."""
    image = st.container()
    seed = link.number(
        tr("Seed of the starting images"), 0, SEEDS, "made_seed", 0, width=presentation.pixels(200)
    )
    job = work(subject, seed)
    with image:
        jobs.show(partial(_draw, subject), job)
    (progress,) = JOBS.look(job)
    return progress.results[-1] if len(progress.results) == progress.steps else None


def _draw(subject: ChannelSubject, progress: Sequence[Progress[Visualization]]) -> None:
    (one,) = progress
    if one.problem is not None:
        st.info(sentence(one.problem))
        return
    if not one.results:
        st.progress(0.0, tr("Taking amplitudes and colors from {images}", images=subject.images.text))
        return
    best = one.results[-1]
    markup.show(markup.element("div", made(best), compared(best, subject.scanned), cls="fx-optimized"))
    if len(one.results) < one.steps:
        st.progress(best.step / best.steps, tr("Step {step} of {steps}", step=best.step, steps=best.steps))
    else:
        st.caption(literal(about(subject, best)))


def made(best: Visualization) -> str:
    alt = tr("Image made for channel {channel} of {layer}", channel=best.channel, layer=best.layer)
    size = best.pixels.shape[0]
    return markup.figure(best.pixels, alt, markup.text(tr("{size} × {size} px", size=size)), fill=True)


def compared(best: Visualization, scanned: LayerScan | None) -> str:
    """The response to the image, to random ones and to the best real one, as html."""
    rows = [
        (tr("image made for it"), best.response.mean, best.response.maximum),
        (tr("random images, mean"), best.random.mean, best.random.maximum),
        (tr("random images, largest"), best.best_random.mean, best.best_random.maximum),
    ]
    if scanned is not None:
        real = float(scanned.image_mean[:, best.channel].max()), float(scanned.maximum[best.channel])
        rows.insert(1, (tr("real images, largest"), *real))
    names, means, maxima = zip(*rows, strict=True)
    cells = ["", tr("mean"), tr("maximum")]
    for row in zip(names, column(means), column(maxima), strict=True):
        cells += row
    table = markup.element("div", *(markup.text(cell) for cell in cells), cls="fx-statistics")
    title = markup.text(tr("What the channel gives"), tag="h3")
    return markup.element("section", title, table, markup.text(judged(best, scanned), "muted"))


def judged(best: Visualization, scanned: LayerScan | None) -> str:
    """Whether the image excites the channel more than others do, in a sentence."""
    value = best.response.mean
    if value <= best.best_random.mean:
        return tr("It does no better than random images: it says nothing about this channel.")
    if scanned is None:
        return tr("The mean of the map, which was optimized, is larger than for all random images.")
    if value > float(scanned.image_mean[:, best.channel].max()):
        return tr("The mean of the map, which was optimized, is larger than for any image of the scan.")
    return tr(
        "The mean of the map is larger than for all random images, but a real image of the scan gives a "
        "larger one: look at that one first."
    )


def about(subject: ChannelSubject, best: Visualization) -> str:
    return tr(
        "Optimized: the mean of the map. Only the phases of the spectrum were moved; the amplitude of each "
        "frequency and the colors are the mean of {count} of {images} (after MACO, arXiv:2306.06805). "
        "{steps} steps, padding of 2 pixels, jitter of up to 2. The numbers are those of the 8-bit image "
        "without padding and jitter. Random: {random} images with the same amplitudes and colors.",
        random=RANDOM,
        count=len(subject.images.some(MOST_OF_PRIOR[not subject.small])),
        images=subject.images.text,
        steps=best.steps,
    )
