"""What the page Time machine offers for download: the film's pictures, the predictions, BatchNorm."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import figures, ranges
from explorer.drawing.figures import Panel
from explorer.drawing.ranges import number
from explorer.engine.batchnorm import NormSummary
from explorer.engine.timeline import Course
from explorer.ui.exports import downloads, export_parts
from explorer.ui.exports.downloads import Offer, Pictures, Tables
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import path_text, program
from explorer.ui.selection import Selection
from explorer.views.time_machine import films
from explorer.views.time_machine.over_time import TimeView
from model.words import N_, tr

FEW = 6  # epochs in the figure for print
ENGINE = "from explorer.engine.timeline import course_of, open_timeline, snapshots_of"


def show(selection: Selection, view: TimeView) -> None:
    """The downloads for one film, and for the predictions at its epochs."""
    downloads.show(partial(offer, selection, view))


def offer(selection: Selection, view: TimeView) -> Offer:
    epoch = view.epochs[view.index]
    return Offer(
        name=f"{view.film.title} {selection.sample.name}",
        caption=caption(selection, view),
        pictures=pictures(selection, view),
        tables=tables(selection, view),
        arrays=lambda: arrays(selection, view),
        figure=lambda: figure(view),
        snippet=probability_program(selection, epoch),
        printed=printed_text(selection, view),
    )


def printed_text(selection: Selection, view: TimeView) -> str:
    """The sentence that says what the program prints."""
    probability = view.course.probabilities[view.index, selection.target]
    rounded = number(probability) if probability < 0.9995 else f"{probability:.7g}"  # never rounded to 1
    name, epoch = selection.target_name, view.epochs[view.index]
    return tr(
        "It prints the probability of {name} at epoch {epoch}: {value}.",
        name=name,
        epoch=epoch,
        value=rounded,
    )


def caption(selection: Selection, view: TimeView) -> str:
    of = view.film.of
    about = export_parts.caption(
        selection,
        method=of.method,
        layer=of.layer,
        range=ranges.text(view.film.ranges[view.index], view.film.scale),
    )
    epochs = tr(", ").join(str(epoch) for epoch in view.epochs)
    snapshots = tr("Snapshots of epochs {epochs} ({digest})", epochs=epochs, digest=view.timeline.digest[:12])
    return f"{about} · {snapshots}"


def probability_program(selection: Selection, epoch: int) -> str:
    path = selection.opened.source.path
    assert path is not None  # snapshots lie beside a file
    target = selection.target
    lines = [
        f"timeline = open_timeline(snapshots_of({path_text(path)}), checkpoint)",
        "course = course_of(timeline, x)",
        f"print(course.probabilities[course.epochs.index({epoch}), {target}])"
        f"  # {selection.card.classes[target]!r}",
    ]
    return program([selection], [ENGINE], lines)


# Pictures


def pictures(selection: Selection, view: TimeView) -> Pictures:
    """The chosen epoch first, then the others, the strip, and the charts."""
    film, epochs = view.film, view.epochs
    order = [view.index, *(index for index in range(len(epochs)) if index != view.index)]
    drawn: Pictures = {
        tr("epoch {epoch}", epoch=epochs[index]): partial(film.large, index) for index in order
    }
    drawn[tr("every epoch")] = partial(films.contact, film, epochs)
    drawn[tr("class probabilities")] = partial(figures.picture, view.probabilities)
    if view.history is not None:
        for chart in view.history.charts.values():
            name = tr("{statistic} over the epochs", statistic=chart.title)
            drawn[name] = partial(figures.picture, chart)
    return drawn | export_parts.the_image(selection)


def figure(view: TimeView) -> list[Panel]:
    """The film at a few epochs, the chosen one among them."""
    film = view.film
    return [
        Panel(film.large(index), view.predictions[index], film.ranges[index], film.scale, not film.own)
        if film.bar
        else Panel(film.large(index), view.predictions[index])
        for index in few_epochs(len(view.epochs), view.index)
    ]


def few_epochs(count: int, index: int) -> list[int]:
    """Up to FEW of the indices 0 … count − 1: the ends, some between, and `index`, ascending.

    >>> few_epochs(3, 1), few_epochs(20, 4)
    ([0, 1, 2], [0, 4, 5, 10, 14, 19])
    """
    if count <= FEW:
        return list(range(count))
    spread = np.linspace(0, count - 1, FEW - 1).round().astype(int).tolist()
    return sorted({*spread, index})


# Tables and arrays


def tables(selection: Selection, view: TimeView) -> Tables:
    offered: Tables = {
        tr("Epochs"): lambda: by_epoch(selection, view),
        tr("Probabilities"): lambda: probabilities(selection, view.course),
    }
    history = view.history
    if history is not None:
        offered[tr("BatchNorm")] = lambda: statistics(view.epochs, history.norms)
    return offered


def by_epoch(selection: Selection, view: TimeView) -> pd.DataFrame:
    """One row for each epoch: the prediction, the explained class, and the range of the film's values."""
    values, names = view.course.probabilities, selection.card.classes
    film = view.film.of.values.reshape(len(view.epochs), -1)
    return pd.DataFrame(
        {
            "epoch": view.epochs,
            "prediction": [names[best] for best in values.argmax(1)],
            "prediction_probability": values.max(1),
            "class": names[selection.target],
            "class_probability": values[:, selection.target],
            "minimum": film.min(1),
            "maximum": film.max(1),
        }
    )


def probabilities(selection: Selection, course: Course) -> pd.DataFrame:
    """One row for each epoch and class."""
    count, classes = course.logits.shape
    return pd.DataFrame(
        {
            "epoch": np.repeat(course.epochs, classes),
            "class": list(selection.card.classes) * count,
            "logit": course.logits.ravel(),
            "probability": course.probabilities.ravel(),
        }
    )


def statistics(epochs: Sequence[int], norms: Sequence[NormSummary]) -> pd.DataFrame:
    """One row for each epoch and channel: the learned statistics, and those of this image."""
    names = ["running_mean", "running_var", "weight", "bias", "mean", "var", "distance"]
    each = [
        pd.DataFrame(
            {"epoch": epoch, "channel": np.arange(len(norm.mean))}
            | {name: getattr(norm, name) for name in names}
        )
        for epoch, norm in zip(epochs, norms, strict=True)
    ]
    return pd.concat(each)


def arrays(selection: Selection, view: TimeView) -> Arrays:
    course, of = view.course, view.film.of
    probabilities = N_("softmax of the logits (epochs, K)")
    if selection.opened.checkup.outputs.independent:
        probabilities = N_("sigmoid of each logit (epochs, K)")
    described = export_parts.input_arrays(selection) | {
        "epochs": (np.array(course.epochs), tr("of the snapshots (epochs,); 0 is the untrained network")),
        "logits": (course.logits, tr("at every epoch (epochs, K)")),
        "probabilities": (course.probabilities, tr(probabilities)),
        "values": (of.values, of.description),
    }
    if view.history is not None:
        text = tr("of each channel of {layer} at every epoch (epochs, C)", layer=of.layer)
        for name in ("running_mean", "running_var", "weight", "bias", "mean", "var"):
            described[name] = (np.stack([getattr(norm, name) for norm in view.history.norms]), text)
    return described
