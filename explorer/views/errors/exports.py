"""What the page Errors offers for download: predictions, scores of the classes, the matrix, charts."""

from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import figures
from explorer.drawing.figures import Part
from explorer.drawing.ranges import percent
from explorer.ui import cached
from explorer.ui.exports import downloads, scan_export
from explorer.ui.exports.downloads import Offer, Pictures
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import joined, path_text
from explorer.ui.options import options
from explorer.views.errors import calibration, charts
from explorer.views.errors.class_table import scores
from explorer.views.errors.confused import matrix_classes
from explorer.views.errors.evaluation import Evaluation
from model.words import ngettext, tr


def show(evaluation: Evaluation) -> None:
    """The downloads; the bins of the calibration are those chosen on the page."""
    downloads.show(partial(offer, evaluation, calibration.equal_counts_chosen()))


def offer(evaluation: Evaluation, equal_counts: bool) -> Offer:
    parts = drawn(evaluation, equal_counts)
    return Offer(
        name=f"errors {evaluation.opened.name} {evaluation.scan.dataset}",
        caption=caption(evaluation),
        pictures=pictures(parts),
        tables={
            tr("Predictions"): lambda: predictions(evaluation),
            tr("Classes"): lambda: scores(evaluation),
            tr("Confusion matrix"): lambda: confusion(evaluation),
            tr("Calibration"): lambda: bins(evaluation, equal_counts),
        },
        arrays=lambda: arrays(evaluation),
        figure=lambda: [parts[:2], parts[2:]],  # the matrix needs more than a third of the width
        snippet=program(evaluation),
        printed=tr("It prints the accuracy: {accuracy}.", accuracy=f"{evaluation.accuracy.value:.4f}"),
    )


def drawn(evaluation: Evaluation, equal_counts: bool) -> list[Part]:
    """The matrix and the charts of the page, for print."""
    one, _ = calibration.compute(evaluation, equal_counts)
    matrix = charts.matrix_drawing(evaluation, matrix_classes(evaluation.table))
    return [matrix, charts.recall_chart(evaluation), charts.reliability_chart(one)]


def pictures(parts: list[Part]) -> Pictures:
    return {part.title: partial(figures.picture, part) for part in parts}


def caption(evaluation: Evaluation) -> str:
    """What was scanned with which network, its accuracy, and how to read the charts."""
    digest = evaluation.opened.checkpoint.digest
    traced = figures.caption(checkpoint=evaluation.opened.name, digest=digest)
    return " · ".join([traced, scanned(evaluation), tr(charts.ABOUT_RECALL), tr(charts.ABOUT_BINS)])


def scanned(evaluation: Evaluation) -> str:
    """What was scanned, and the accuracy."""
    one, scan = evaluation.accuracy, evaluation.scan
    images = ngettext(
        "{n:,} image of {dataset} ({split}), digest {digest}",
        "{n:,} images of {dataset} ({split}), digest {digest}",
        len(scan),
        dataset=scan.dataset,
        split=scan.split,
        digest=scan.images[:12],
    )
    accuracy = tr(
        "Accuracy {accuracy} (95% interval {low} to {high}, n = {count:,})",
        accuracy=percent(one.value, 2),
        low=percent(one.low, 2),
        high=percent(one.high, 2),
        count=one.n,
    )
    return " · ".join([images, accuracy])


def predictions(evaluation: Evaluation) -> pd.DataFrame:
    """One row for each image: its number in the data set, its label and its prediction."""
    one, scan = evaluation.predictions, evaluation.scan
    names = np.array([*evaluation.classes, ""])  # the last for −1
    return pd.DataFrame({
        **scan_export.all_images(scan),
        "label": names[one.labels],
        "predicted": names[one.predicted],
        "correct": np.where(one.labeled, one.correct, None),
        "confidence": one.confidence,
        "entropy": one.entropy,
        "loss": one.loss,
    })  # fmt: skip


def confusion(evaluation: Evaluation) -> pd.DataFrame:
    """One row for each class, one column for each prediction."""
    table = pd.DataFrame(evaluation.table, columns=evaluation.classes)
    table.insert(0, "true class", evaluation.classes, allow_duplicates=True)
    return table


def bins(evaluation: Evaluation, equal_counts: bool) -> pd.DataFrame:
    """One row for each bin of the reliability diagram."""
    one, _ = calibration.compute(evaluation, equal_counts)
    return pd.DataFrame({
        "above": one.edges[:-1],
        "up_to": one.edges[1:],
        "images": one.counts,
        "confidence": one.confidence,
        "accuracy": one.accuracy,
        "accuracy_low": one.intervals[:, 0],
        "accuracy_high": one.intervals[:, 1],
    })  # fmt: skip


def arrays(evaluation: Evaluation) -> Arrays:
    one, scan = evaluation.predictions, evaluation.scan
    return {
        "ids": (scan.ids, tr("the number of each image in its data set, or its seed (N,)")),
        "labels": (one.labels, tr("the label of each image, an index into the classes, −1 for none (N,)")),
        "logits": (scan.logits, tr("the logits of each image (N, K)")),
        "confidence": (
            one.confidence,
            tr("the probability of the predicted class, NaN without a prediction (N,)"),
        ),
        "entropy": (
            one.entropy,
            tr("the entropy of the probabilities in nats, NaN without a prediction (N,)"),
        ),
        "loss": (one.loss, tr("−log of the probability of the label in nats, NaN without one (N,)")),
        "confusion": (evaluation.table, tr("images by true class (row) and predicted class (column) (K, K)")),
        "classes": (np.array(evaluation.classes), tr("the names of the classes (K,)")),
    }


def program(evaluation: Evaluation) -> str:
    """A program that prints the accuracy from the file of the scan."""
    path = cached.finished_scan(options().scans, evaluation.opened.network, evaluation.scan.images)
    assert path is not None
    return joined(
        ["from explorer.engine import metrics", "from explorer.engine.scan.result import load"],
        [f"scan = load({path_text(path)})",
         "counted = (scan.labels, scan.predicted, len(scan.classes))",
         "one = metrics.accuracy(metrics.confusion(*counted), metrics.undecided(*counted))",
         "print(f'{one.value:.4f}')"],
    )  # fmt: skip
