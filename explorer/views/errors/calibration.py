"""Whether confidence agrees with accuracy: the reliability diagram and the calibration error."""

import numpy as np
import streamlit as st

from explorer.drawing.ranges import percent
from explorer.engine import metrics
from explorer.engine.metrics import BINS, Booleans, CalibratedError, Reliability
from explorer.engine.values import Doubles
from explorer.ui import cached, choices, link, markup, panels
from explorer.ui.markdown import literal
from explorer.views.errors import charts
from explorer.views.errors.evaluation import Evaluation
from model.words import N_, tr

BINNINGS = {"width": N_("Equally wide"), "count": N_("Equally many images")}
KEY = "err_bins"
MOST_DECIMALS = 5  # of the ends of the bins


def show(evaluation: Evaluation) -> None:
    names = {name: tr(text) for name, text in BINNINGS.items()}
    equal_counts = choices.choice(tr("Bins"), names, KEY) == "count"
    one, by_chance = compute(evaluation, equal_counts)
    if not one.counts.sum():
        st.info(tr("No image has both a label and a prediction, so there is no calibration to measure."))
        return
    markup.show(markup.text(in_words(one, by_chance), "strong"))
    chart, words = st.columns([3, 2], gap="medium")
    with chart:
        panels.chart(charts.reliability_chart(one))
    with words:
        for text in how_to_read(evaluation, equal_counts):
            st.markdown(literal(text))
    markup.show(table(one))


def equal_counts_chosen() -> bool:
    """Whether the bins hold equally many images, as chosen on this page."""
    return link.chosen(KEY) == "count"


def compute(evaluation: Evaluation, equal_counts: bool) -> tuple[Reliability, CalibratedError]:
    """The reliability over the images with a label and a prediction, and what chance makes of a perfectly
    calibrated network.
    """
    confidence, correct = outcomes(evaluation)
    return (
        metrics.reliability(confidence, correct, equal_counts=equal_counts),
        cached.calibrated_error(confidence, equal_counts),
    )


def outcomes(evaluation: Evaluation) -> tuple[Doubles, Booleans]:
    """The confidence of each image with a label and a prediction, and whether that is correct, (n,)."""
    one = evaluation.predictions
    counted = one.labeled & one.decided
    return one.confidence[counted], one.correct[counted]


def in_words(one: Reliability, by_chance: CalibratedError) -> str:
    """The error beside what chance gives, and what follows."""
    fields = {
        "error": percent(one.ece, 2),
        "mean": percent(by_chance.mean, 2),
        "high": percent(by_chance.high, 2),
    }
    template = N_(
        "Expected calibration error (ECE): {error}. A perfectly calibrated network with these confidences "
        "would have {mean} by chance, and at most {high} in 95% of cases, so this is no evidence of "
        "miscalibration."
    )
    if one.ece > by_chance.high:
        template = N_(
            "Expected calibration error (ECE): {error}. A perfectly calibrated network with these "
            "confidences would have {mean} by chance, and at most {high} in 95% of cases, so chance alone "
            "does not explain it."
        )
    return tr(template, **fields)


def table(one: Reliability) -> str:
    """One row for each bin that holds images: how many, and its point in the diagram, as html."""
    heads = (tr("confidence"), tr("images"), tr("mean confidence"), tr("accuracy"), tr("95% interval"))
    edges = edges_in_words(one.edges)
    rows = [
        (
            tr("{low} to {high}", low=edges[k], high=edges[k + 1]),
            f"{one.counts[k]:,}",
            percent(one.confidence[k]),
            percent(one.accuracy[k]),
            tr("{low} to {high}", low=percent(one.intervals[k, 0]), high=percent(one.intervals[k, 1])),
        )
        for k in np.flatnonzero(one.counts)
    ]
    return markup.table(heads, rows)


def edges_in_words(edges: Doubles) -> list[str]:
    """The ends of the bins in percent, with so many decimals that no two that differ look the same."""
    texts = [[f"{edge:.{decimals}%}" for edge in edges] for decimals in range(1, MOST_DECIMALS + 1)]
    return max(texts, key=lambda each: len(set(each)))


def images_of_bins(one: Reliability) -> str:
    """How the images are spread over the bins, in a sentence."""
    filled = one.counts[one.counts > 0]
    return tr(
        "The {bins} bins with images hold from {least:,} to {most:,} of them, as the table below shows: a "
        "point of few images says little.",
        bins=len(filled),
        least=int(filled.min()),
        most=int(filled.max()),
    )


def how_to_read(evaluation: Evaluation, equal_counts: bool) -> list[str]:
    """What the diagram shows, on which side of the diagonal the network is, and what the bins hide."""
    confidence, correct = outcomes(evaluation)
    mean, accuracy = float(confidence.mean()), float(correct.mean())
    fields = {
        "confidence": percent(mean),
        "accuracy": percent(accuracy),
        "gap": f"{100 * abs(mean - accuracy):.1f}",
    }
    over = N_("Mean confidence {confidence}, accuracy {accuracy}: {gap} percentage points overconfident.")
    under = N_("Mean confidence {confidence}, accuracy {accuracy}: {gap} percentage points underconfident.")
    width = N_(
        "ECE is the mean distance of accuracy and confidence, weighted by the images in each of {bins} "
        "equally wide bins. Its value depends on the bins: within one, too high and too low confidences "
        "cancel, and with few images chance adds to it."
    )
    count = N_(
        "ECE is the mean distance of accuracy and confidence over {bins} bins with equally many images. Its "
        "value depends on the bins: within one, too high and too low confidences cancel, and with few images "
        "chance adds to it."
    )
    one, _ = compute(evaluation, equal_counts)
    return [
        tr(charts.ABOUT_BINS),
        images_of_bins(one),
        tr(over if mean > accuracy else under, **fields),
        tr(count if equal_counts else width, bins=BINS),
        tr(
            "Only the confidence of the prediction is looked at, over n = {count:,} labeled images.",
            count=len(correct),
        ),
    ]
