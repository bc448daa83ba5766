"""Two predictions for the same images: with running statistics, and with the images' own statistics."""

import math
from collections.abc import Callable

import numpy as np
import streamlit as st

from explorer.drawing.ranges import inside, percent, probability
from explorer.engine.batches import Batch
from explorer.engine.batchnorm import TwoPredictions
from explorer.engine.tracing import Floats
from explorer.ui import cached, markup
from explorer.ui.markdown import literal, sentence
from explorer.ui.selection import Selection
from explorer.views.batchnorm.measured import MeasuredImages
from model.problems import Problem
from model.words import N_, ngettext, tr

CLASSES, IMAGES = 5, 8
NEAR = 0.1  # two probabilities that differ by less count as equal
RUNNING = N_("Running statistics (eval mode)")
OWN = N_("Statistics of this image (train mode, Dropout off)")
BATCH = N_("Batch statistics (train mode, Dropout off)")


def show(selection: Selection, measured: MeasuredImages) -> None:
    """Both predictions side by side, and a sentence that interprets them."""
    try:
        both = cached.two_predictions(selection.network, measured.input)
    except Problem as problem:
        st.info(sentence(problem))
        return
    if measured.batch is None:
        one_image(selection, both)
    else:
        many_images(selection, both, measured.batch)


# One image


def one_image(selection: Selection, both: TwoPredictions) -> None:
    names = selection.class_names
    side_by_side(
        (tr(RUNNING), most_probable(names, both.running[0])), (tr(OWN), most_probable(names, both.batch[0]))
    )
    st.markdown(meaning_of_one(tuple(map(literal, names)), both))


def side_by_side(
    *sides: tuple[str, list[tuple[str, float, bool]]], format: Callable[[float], str] = probability
) -> None:
    panels = [
        markup.element("section", markup.text(title, tag="h3"), markup.bars(rows, format))
        for title, rows in sides
    ]
    markup.show(markup.element("div", *panels, cls="fx-panels"))


def most_probable(names: tuple[str, ...], probabilities: Floats) -> list[tuple[str, float, bool]]:
    order = np.argsort(-probabilities, kind="stable")[:CLASSES]
    return [(names[k], float(probabilities[k]), k == order[0]) for k in order]


def meaning_of_one(names: tuple[str, ...], both: TwoPredictions) -> str:
    """What the two predictions for one image mean, as Markdown; `names` are escaped."""
    first, second = int(both.running[0].argmax()), int(both.batch[0].argmax())
    running, own = both.running[0, first], both.batch[0, second]
    fields = {"running": probability(running), "own": probability(own)}
    if first != second:
        return tr(
            "With the image’s own statistics the prediction changes from **{first}** ({running}) to "
            "**{second}** ({own}). In train mode a prediction depends on the other images of the batch; "
            "this is why eval mode uses running statistics.",
            first=names[first],
            second=names[second],
            **fields,
        )
    if abs(running - own) < NEAR:
        return tr(
            "Both predict **{name}**: {running} with running statistics, {own} with the image’s own. The "
            "prediction hardly depends on which statistics are used.",
            name=names[first],
            **fields,
        )
    return tr(
        "Both predict **{name}**, but the probability depends on which statistics are used: {running} with "
        "running statistics, {own} with the image’s own.",
        name=names[first],
        **fields,
    )


# Many images


def many_images(selection: Selection, both: TwoPredictions, batch: Batch) -> None:
    side_by_side(
        (tr(RUNNING), overall(both.running, batch)), (tr(BATCH), overall(both.batch, batch)), format=percent
    )
    st.markdown(meaning_of_many(both, batch))
    if both.changed.any():
        changed(selection.class_names, both, batch)


def overall(probabilities: Floats, batch: Batch) -> list[tuple[str, float, bool]]:
    """The accuracy on the labeled images, and the mean confidence of all."""
    labeled = batch.labels >= 0
    correct = probabilities.argmax(1)[labeled] == batch.labels[labeled]
    accuracy = tr("accuracy (n = {count})", count=int(labeled.sum()))
    rows = [(accuracy, float(correct.mean()), True)] if labeled.any() else []
    return [*rows, (tr("mean confidence"), inside(float(probabilities.max(1).mean())), False)]


def meaning_of_many(both: TwoPredictions, batch: Batch) -> str:
    """How many predictions change, and what this means, as Markdown."""
    count, total = int(both.changed.sum()), len(both.changed)
    if not count:
        return tr("The predicted class is the same for all {count} images.", count=total)
    changes = ngettext(
        "The predicted class changes for **{n}** of {total} images ({percent}).",
        "The predicted class changes for **{n}** of {total} images ({percent}).",
        count,
        total=total,
        percent=percent(count / total, 0),
    )
    return f"{changes} {_interpretation(both, batch, count)}"


def _interpretation(both: TwoPredictions, batch: Batch, count: int) -> str:
    if (batch.labels < 0).all():
        return tr("Without labels it is unknown which prediction is correct.")
    running, own = both.correct(batch.labels)
    # More than two standard deviations of a fair coin thrown once for every image that changed.
    decided = abs(own - running) > 2 * math.sqrt(count)
    if decided and own > running:
        return tr(
            "Batch statistics give more correct predictions, so the running statistics do not fit these "
            "images. Possible reasons: the images differ from the training images, they are preprocessed "
            "differently, or training was too short."
        )
    if decided:
        return tr(
            "Running statistics give more correct predictions: the statistics of this batch are not a good "
            "estimate."
        )
    return tr(
        "The difference in accuracy is no larger than chance explains for that many changed predictions."
    )


def changed(names: tuple[str, ...], both: TwoPredictions, batch: Batch) -> None:
    """The images whose predicted class changes, the most confident first."""
    rows = np.flatnonzero(both.changed)
    rows = rows[np.argsort(-both.running.max(1)[rows], kind="stable")]
    cards = [_card(names, both, batch, int(row)) for row in rows[:IMAGES]]
    st.caption(_changed_caption(len(rows)))
    markup.show(markup.element("div", *cards, cls="fx-cards"))


def _changed_caption(count: int) -> str:
    if count > IMAGES:
        return tr(
            "The {most} most confident of the {count} images whose predicted class changes: with running "
            "statistics → with batch statistics.",
            most=IMAGES,
            count=count,
        )
    return tr("Images whose predicted class changes: with running statistics → with batch statistics.")


def _card(names: tuple[str, ...], both: TwoPredictions, batch: Batch, row: int) -> str:
    running, own = _prediction(names, both.running[row]), _prediction(names, both.batch[row])
    label = int(batch.labels[row])
    labeled = tr("label: {name}", name=names[label]) if label >= 0 else tr("no label")
    alt = tr(
        "An image ({label}): {running} with running statistics, {own} with batch statistics",
        label=labeled,
        running=running,
        own=own,
    )
    lines = markup.text(running), markup.text(f"→ {own}", "strong"), markup.text(labeled, "muted")
    return markup.figure(batch.pixels[row], alt, *lines, fill=True)


def _prediction(names: tuple[str, ...], probabilities: Floats) -> str:
    confidence = float(probabilities.max())
    digits = 0 if confidence >= 0.1 else 1
    return tr(
        "{name} {probability}",
        name=names[probabilities.argmax()],
        probability=probability(confidence, digits),
    )
