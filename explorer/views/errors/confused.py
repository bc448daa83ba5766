"""The confusion matrix, and beside it the images of the chosen cell."""

from functools import partial

import numpy as np
import streamlit as st

from explorer.drawing.ranges import number, probability
from explorer.engine.values import Integers
from explorer.ui import choices, link, stepping
from explorer.ui.class_names import glossed
from explorer.ui.components.confusion import Cell, confusion_matrix
from explorer.ui.components.picture_grid import CARD, Picture, picture_grid
from explorer.ui.markdown import literal
from explorer.ui.scans.scanning import image_number
from explorer.ui.stepping import Button
from explorer.views.errors import filters, opening
from explorer.views.errors.evaluation import Evaluation
from explorer.views.errors.filters import Filter
from explorer.views.errors.thumbnails import thumbnail
from model.words import N_, ngettext, paragraph, tr

MOST_CLASSES = 24
"""As many as fit beside the images; of more classes, those with the most errors are shown."""
SHOWN = 20
NUMBERS = {"counts": N_("Counts"), "percent": N_("Percent of the class")}


def show(evaluation: Evaluation) -> None:
    matrix, images = st.columns([11, 9], gap="medium")
    with matrix:
        show_matrix(evaluation)
    with images:
        show_images(evaluation)


def show_matrix(evaluation: Evaluation) -> None:
    matrix, classes = st.container(), matrix_classes(evaluation.table)
    names = {name: tr(text) for name, text in NUMBERS.items()}
    numbers = choices.choice(tr("Numbers in the cells"), names, "err_cells")
    with matrix:
        draw_matrix(evaluation, classes, numbers == "percent")
    st.caption(literal(about_matrix(evaluation, len(classes))))


def draw_matrix(evaluation: Evaluation, classes: list[int], percents: bool) -> None:
    confusion_matrix(
        evaluation.table,
        evaluation.class_names,
        classes,
        key="confusion",
        percents=percents,
        chosen=filters.chosen_cell(evaluation.classes),
        on_choose=partial(filters.choose_cell, evaluation.classes),
    )


def matrix_classes(table: Integers) -> list[int]:
    """All classes, or the MOST_CLASSES that take part in the most errors, in their order."""
    if len(table) <= MOST_CLASSES:
        return list(range(len(table)))
    errors = table - np.diag(np.diag(table))
    order = np.argsort(-(errors.sum(0) + errors.sum(1)), kind="stable")[:MOST_CLASSES]
    return sorted(order.tolist())


def about_matrix(evaluation: Evaluation, matrix_size: int) -> str:
    about = tr(
        "A click on a cell shows its images; a click on the name of a class shows those of the class, wrong, "
        "correct or all, as chosen under “Predictions”. A second click shows all images again. The color "
        "shows the fraction of the row’s class."
    )
    count = len(evaluation.classes)
    if matrix_size == count:
        return about
    some = tr(
        "Of the {count:,} classes, the {shown} that take part in the most errors are shown; the lists of "
        "classes have them all.",
        count=count,
        shown=matrix_size,
    )
    return paragraph([some, about])


def show_images(evaluation: Evaluation) -> None:
    one = evaluation.predictions
    which, order = filters.choose_order()
    images = st.container()
    wanted = filters.choose_more(evaluation.classes, one, which)
    rows = filters.rows(one, wanted, order)
    with images:
        draw_images(evaluation, wanted, order, rows)


def draw_images(evaluation: Evaluation, wanted: Filter, order: str, rows: Integers) -> None:
    """A page of the images, and the way to the next."""
    st.markdown(f"**{literal(heading(evaluation, wanted.cell, wanted.which, len(rows)))}**")
    if not len(rows):
        return
    pages = range(-(-len(rows) // SHOWN))
    stepping.follow(filters.PAGE, pages)
    at = int(link.current(filters.PAGE, pages, "0"))
    link.keep(filters.PAGE, str(at), "0")
    page_rows = rows[at * SHOWN : (at + 1) * SHOWN].tolist()
    pictures = [picture_of(evaluation, row, order) for row in page_rows]
    picture_grid(pictures, key="cell_images", on_open=partial(opening.choose, evaluation), side=CARD)
    opening.go()
    if len(pages) > 1:
        st.caption(
            tr(
                "{first:,} to {last:,} of {count:,}",
                first=at * SHOWN + 1,
                last=at * SHOWN + len(page_rows),
                count=len(rows),
            )
        )
        stepping.buttons(filters.PAGE, [Button(tr("Previous"), -1), Button(tr("Next"), 1)])
    st.caption(about_images(order))


def heading(evaluation: Evaluation, cell: Cell, which: str, count: int) -> str:
    """How many images are shown, and of which kind."""
    true, predicted = (None if k is None else evaluation.class_names[k] for k in cell)
    templates = {
        (False, False): HEADINGS[which],
        (True, False): OF_CLASS[which],
        (False, True): PREDICTED_AS[which],
        (True, True): OF_CELL,
    }
    one, many = templates[true is not None, predicted is not None]
    return ngettext(one, many, count, true=true or "", predicted=predicted or "")


HEADINGS = {
    "wrong": (N_("{n:,} wrong prediction"), N_("{n:,} wrong predictions")),
    "correct": (N_("{n:,} correct prediction"), N_("{n:,} correct predictions")),
    "all": (N_("{n:,} image"), N_("{n:,} images")),
}
OF_CLASS = {
    "wrong": (
        N_("{n:,} image of the class {true} with a wrong prediction"),
        N_("{n:,} images of the class {true} with a wrong prediction"),
    ),
    "correct": (
        N_("{n:,} image of the class {true} with the correct prediction"),
        N_("{n:,} images of the class {true} with the correct prediction"),
    ),
    "all": (N_("{n:,} image of the class {true}"), N_("{n:,} images of the class {true}")),
}
PREDICTED_AS = {
    "wrong": (
        N_("{n:,} image wrongly predicted as {predicted}"),
        N_("{n:,} images wrongly predicted as {predicted}"),
    ),
    "correct": (
        N_("{n:,} image correctly predicted as {predicted}"),
        N_("{n:,} images correctly predicted as {predicted}"),
    ),
    "all": (N_("{n:,} image predicted as {predicted}"), N_("{n:,} images predicted as {predicted}")),
}
OF_CELL = (
    N_("{true} predicted as {predicted}: {n:,} image"),
    N_("{true} predicted as {predicted}: {n:,} images"),
)


def picture_of(evaluation: Evaluation, row: int, order: str) -> Picture:
    """An image as a button: its classes and what it is sorted by below it, all that is known in words."""
    one, names = evaluation.predictions, evaluation.class_names
    label, confidence = int(one.labels[row]), probability(float(one.confidence[row]))
    lines = {"entropy": number(float(one.entropy[row])), "loss": number(float(one.loss[row]))}
    fields = {
        "number": image_number(evaluation.scan, row),
        "predicted": names[int(one.predicted[row])],
        "confidence": confidence,
        "entropy": lines["entropy"],
    }
    title = classes_of(evaluation, row)
    if not one.decided[row]:
        return Picture(row, thumbnail(evaluation, row), without_prediction(evaluation, row), ("–",), title)
    text = (
        tr(
            "Image {number}: predicted as {predicted} ({confidence}), without a label. Entropy {entropy}.",
            **fields,
        )
        if label < 0
        else tr(
            "Image {number}: {true} predicted as {predicted} ({confidence}). Entropy {entropy}, loss {loss}.",
            **fields,
            true=names[label],
            loss=lines["loss"],
        )
    )
    return Picture(row, thumbnail(evaluation, row), text, (lines.get(order, confidence),), title)


def classes_of(evaluation: Evaluation, row: int) -> str:
    """The class of an image and the predicted one, or the only one of them that there is or that both are."""
    one, names = evaluation.predictions, evaluation.classes
    label, predicted = int(one.labels[row]), int(one.predicted[row])
    if not one.decided[row]:
        return glossed(names[label]) if label >= 0 else ""
    if label in (-1, predicted):
        return glossed(names[predicted])
    return tr("{true} → {predicted}", true=glossed(names[label]), predicted=glossed(names[predicted]))


def without_prediction(evaluation: Evaluation, row: int) -> str:
    number, label = image_number(evaluation.scan, row), int(evaluation.predictions.labels[row])
    if label < 0:
        return tr("Image {number}: without a label and without a prediction.", number=number)
    true = evaluation.class_names[label]
    return tr("Image {number}: {true} without a prediction.", number=number, true=true)


def about_images(order: str) -> str:
    below = {
        "entropy": tr(
            "Below each image: true class → predicted class, and the entropy of its probabilities, in nats."
        ),
        "loss": tr(
            "Below each image: true class → predicted class, and its loss, −log of the probability of its "
            "label, in nats."
        ),
    }.get(
        order,
        tr("Below each image: true class → predicted class, and the probability of the predicted class."),
    )
    click = tr("A click opens the image on “Explain”, with the true class as the class to explain.")
    return paragraph([below, click])
