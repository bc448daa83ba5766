"""What the page Data map offers for download: the map, one image's curve, Grad-CAM, all numbers."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from explorer.drawing import figures
from explorer.drawing.chart import LineChart
from explorer.drawing.figures import Part
from explorer.drawing.ranges import number
from explorer.engine.data_map import REGIONS, UNSEEN
from explorer.engine.samples import Sample
from explorer.ui.exports import downloads
from explorer.ui.exports.downloads import Offer, Pictures
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import joined, path_text
from explorer.views.data_map import charts
from explorer.views.data_map.logs import LoggedRun
from explorer.views.time_machine import films
from model.provenance import in_words
from model.words import tr

if TYPE_CHECKING:
    from explorer.views.data_map.page import MapView


def show(view: "MapView") -> None:
    downloads.show(partial(offer, view))


def offer(view: "MapView") -> Offer:
    drawn = charts.curve(view.run.log, view.index)
    return Offer(
        name=f"data map {view.run.name} image {view.index}",
        caption=caption(view),
        pictures=pictures(view, drawn),
        tables={
            tr("Images"): partial(all_images, view.run),
            tr("Epochs"): partial(one_image, view.run, view.index),
        },
        arrays=partial(arrays, view.run),
        figure=partial(figure, view, drawn),
        snippet=program(view),
        printed=tr(
            "It prints the mean confidence of training image {index}: {value}.",
            index=view.index,
            value=number(float(view.run.map.confidence[view.index])),
        ),
    )


def caption(view: "MapView") -> str:
    card = view.run.log.card
    parts = [
        tr("Run {name}", name=view.run.name),
        in_words(card.images),
        tr("Training images {digest}", digest=card.data[:12]),
        tr("Training image {index}", index=view.index),
    ]
    if view.filmed is not None:
        opened = view.filmed.selection.opened
        parts.append(figures.caption(checkpoint=opened.name, digest=opened.checkpoint.digest))
    return " · ".join(parts)


def pictures(view: "MapView", drawn: LineChart) -> Pictures:
    made: Pictures = {
        tr("data map"): partial(figures.picture, view.scatter),
        tr("probability by epoch"): partial(figures.picture, drawn),
    }
    sample, filmed = view.sample, view.filmed
    if isinstance(sample, Sample):
        made[tr("the training image")] = lambda: sample.pixels
    if filmed is not None:
        made[tr("every epoch")] = partial(films.contact, filmed.film, filmed.timeline.epochs)
    return made


def figure(view: "MapView", drawn: LineChart) -> list[Part]:
    return [view.scatter, drawn]


def all_images(run: LoggedRun) -> pd.DataFrame:
    """One row for each training image."""
    one, names = run.map, np.array(run.log.card.classes)
    regions = {UNSEEN: ""} | REGIONS
    return pd.DataFrame(
        {
            "image": np.arange(len(one.epoch_counts)),
            "label": names[run.log.labels],
            "confidence": one.confidence,
            "variability": one.variability,
            "correctness": one.correctness,
            "forgetting": one.forgetting,
            "first_predicted": one.learned,
            "last_loss": one.last_loss,
            "epochs_seen": one.epoch_counts,
            "region": [regions[region] for region in one.region.tolist()],
        }
    )


def one_image(run: LoggedRun, index: int) -> pd.DataFrame:
    """One row for each epoch of an image."""
    log = run.log
    return pd.DataFrame(
        {
            "epoch": np.arange(1, log.epochs + 1),
            "probability": log.confidence[:, index],
            "predicted": log.correct[:, index],
        }
    )


def arrays(run: LoggedRun) -> Arrays:
    log, one = run.log, run.map
    return {
        "probabilities": (log.confidence, tr("of each image’s class at every epoch (E, N), NaN: not seen")),
        "predicted": (log.correct, tr("whether that class was predicted (E, N)")),
        "labels": (log.labels, tr("of the images in training (N,)")),
        "classes": (np.array(log.card.classes), tr("the names of the classes (K,)")),
        "confidence": (one.confidence, tr("mean of the probabilities of each image (N,)")),
        "variability": (one.variability, tr("their standard deviation (N,)")),
        "forgetting": (one.forgetting, tr("how often each image was forgotten (N,)")),
        "region": (
            one.region,
            tr("0 easy, 1 ambiguous, 2 hard to learn, 3 likely mislabeled, −1 not seen (N,)"),
        ),
    }


def program(view: "MapView") -> str:
    """A program that prints the mean confidence of the chosen image."""
    imports = ["from explorer.engine.data_map import data_map", "from model.example_log import load_log"]
    lines = [
        f"log = load_log({path_text(view.run.path)})",
        f"print(data_map(log).confidence[{view.index}])",
    ]
    return joined(imports, lines)
