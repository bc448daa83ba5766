"""The downloads of the page “Shifted data”: its charts, every channel in numbers, and a program."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import figures
from explorer.drawing.chart import Chart
from explorer.drawing.ranges import number
from explorer.engine.shift_measuring import SeverityResult
from explorer.ui.exports import downloads, export_parts, snippets
from explorer.ui.exports.downloads import Array, Offer, Pictures
from explorer.ui.exports.snippets import Origin
from explorer.ui.options import options
from explorer.ui.selection import Selection
from explorer.views.shift import charts, this_image
from explorer.views.shift.drift_part import Look, arrays, channel_table
from explorer.views.shift.measuring import ShiftQuestion
from model.words import tr

IMPORTS = (
    "from explorer.engine.corruptions import CORRUPTIONS",
    "from explorer.engine.network import network_of",
    "from explorer.engine.shift_measuring import Pictures, measure_shift",
)


def show(selection: Selection, question: ShiftQuestion, steps: Sequence[SeverityResult], look: Look) -> None:
    downloads.show(partial(offer, selection, question, tuple(steps), look))


def offer(
    selection: Selection, question: ShiftQuestion, steps: tuple[SeverityResult, ...], look: Look
) -> Offer:
    drawn = list(drawn_charts(question, steps, look))
    return Offer(
        name=f"shift {question.shift} {look.layer}",
        caption=caption(selection, question, steps, look),
        pictures=pictures(selection, question),
        tables={
            tr("Accuracy"): lambda: accuracy_table(steps),
            tr("Channels"): lambda: channel_table(steps[1:], look),
        },
        arrays=lambda: {**predictions(steps), **channel_arrays(look.step)},
        figure=lambda: drawn,
        snippet=snippets.program_of(selection.opened.source, origin(question), IMPORTS, lines(question)),
        printed=printed(steps),
    )


def drawn_charts(question: ShiftQuestion, steps: Sequence[SeverityResult], look: Look) -> tuple[Chart, ...]:
    chart = charts.accuracies(question, steps)
    moved = (
        charts.layers(question, look.step, look.ranking),
        charts.channels(question, look.step, look.layer, look.ranking),
    )
    return moved if chart is None else (chart, *moved)


def caption(
    selection: Selection, question: ShiftQuestion, steps: Sequence[SeverityResult], look: Look
) -> str:
    about = tr(
        "{shift}, {severity}; {measuring} measure, {calibrating} others recalibrate",
        shift=question.title,
        severity=question.severity(look.step),
        measuring=question.images(len(steps[0].labels)),
        calibrating=steps[0].calibrated_on,
    )
    traced = figures.caption(
        checkpoint=selection.opened.name, digest=selection.opened.checkpoint.digest, layer=look.layer
    )
    return f"{about} · {look.ranking.explained()} · {traced}"


def pictures(selection: Selection, question: ShiftQuestion) -> Pictures:
    """The image at each severity."""
    drawn: Pictures = export_parts.the_image(selection)
    for severity, pixels in this_image.versions(selection, question)[1:]:
        drawn[tr("the image, {severity}", severity=severity)] = partial(np.asarray, pixels)
    return drawn


def accuracy_table(steps: Sequence[SeverityResult]) -> pd.DataFrame:
    """One row for each severity, the unshifted one first."""
    return pd.DataFrame([_accuracy_row(step, steps[0]) for step in steps])


def _accuracy_row(step: SeverityResult, unshifted: SeverityResult) -> dict[str, float | str | None]:
    severity = "unshifted" if step.severity is None else step.severity
    row: dict[str, float | str | None] = {"severity": severity, "images": step.running.n}
    for name, accuracy in (("running", step.running), ("recalibrated", step.recovered)):
        row |= {f"{name}_correct": accuracy.correct, f"{name}_accuracy": accuracy.value}
        row |= {f"{name}_low": accuracy.ends[0], f"{name}_high": accuracy.ends[1]}
    shifted = step.since(unshifted)
    row |= {
        "lost_by_shift": shifted.lost if shifted else None,
        "gained_by_shift": shifted.gained if shifted else None,
    }
    return row | {"gained_by_recalibrating": step.gain.gained, "lost_by_recalibrating": step.gain.lost}


def predictions(steps: Sequence[SeverityResult]) -> dict[str, tuple[Array, str]]:
    """The predicted classes at every severity."""
    made: dict[str, tuple[Array, str]] = {}
    for index, step in enumerate(steps):
        made[f"labels_{index}"] = (step.labels, tr("the class of each image (n,), -1 for none"))
        made[f"running_{index}"] = (
            step.predicted,
            tr("the class predicted with the running statistics of training (n,)"),
        )
        made[f"recalibrated_{index}"] = (
            step.recalibrated,
            tr("the class predicted with recalibrated statistics (n,)"),
        )
    return made


def channel_arrays(step: SeverityResult) -> dict[str, tuple[Array, str]]:
    """What is measured of the channels of every layer at one severity."""
    return {
        f"{layer}_{name}": (values, tr("{name} of each channel of {layer} (C,)", name=name, layer=layer))
        for layer, one in step.layers.items()
        for name, values in arrays(one).items()
    }


# A program


def origin(question: ShiftQuestion) -> Origin:
    if question.kind == "test":
        return snippets.test_batch(options().data_dir, question.wanted, question.fit)
    return snippets.drawn_batch(question.wanted)


def lines(question: ShiftQuestion) -> list[str]:
    """Python that measures the shift and prints the accuracy at each severity."""
    shift = question.shift if question.corruption is not None else "blur"
    return [
        "pictures = Pictures(batch.pixels, batch.labels)",
        f"steps = list(measure_shift(network_of(checkpoint), pictures, CORRUPTIONS[{shift!r}]))",
        "print(steps[0].running.value)",
    ]


def printed(steps: Sequence[SeverityResult]) -> str:
    value = number(steps[0].running.value)
    return tr("It prints the accuracy on the unshifted images: {value}.", value=value)
