"""Which images the page shows, and in which order: kept in the link."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from explorer.engine.metrics import Predictions
from explorer.engine.values import Doubles, Integers
from explorer.ui import choices, link
from explorer.ui.components.confusion import Cell
from model.words import N_, tr

WHICH = {"wrong": N_("Wrong"), "correct": N_("Correct"), "all": N_("All")}
ORDERS = {
    "confident": N_("Most confident first"),
    "unsure": N_("Least confident first"),
    "entropy": N_("Largest entropy first"),
    "loss": N_("Largest loss first"),
    "set": N_("As in the data set"),
}
PAGE = "err_page"
CELL = ("err_true", "err_predicted")  # keys of the two classes of the chosen cell


@dataclass(frozen=True)
class Bounds:
    """The least and the largest value that an image may have; None where any will do."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Filter:
    """Which images: of a class, predicted as a class (None for all), of WHICH, and within bounds."""

    cell: Cell = (None, None)
    which: str = "wrong"
    confidence: Bounds = Bounds()
    entropy: Bounds = Bounds()
    loss: Bounds = Bounds()


def rows(one: Predictions, wanted: Filter, order: str) -> Integers:
    """The rows of the scan that a filter lets through, by one of ORDERS, equal ones as in the data set."""
    true, predicted = wanted.cell
    mask = {"wrong": one.wrong, "correct": one.correct, "all": np.ones(len(one.labels), bool)}[wanted.which]
    mask = mask if true is None else mask & (one.labels == true)
    mask = mask if predicted is None else mask & (one.predicted == predicted)
    for name in ("confidence", "entropy", "loss"):
        mask = mask & _within(getattr(one, name), getattr(wanted, name))
    return np.flatnonzero(mask)[np.argsort(_sorted_by(one, order)[mask], kind="stable")]


def _within(values: Doubles, bounds: Bounds) -> npt.NDArray[np.bool_]:
    """What has no value, such as the loss of an image without a label, is outside of any bounds."""
    low = np.ones(len(values), bool) if bounds.low is None else values >= bounds.low
    return low if bounds.high is None else low & (values <= bounds.high)


def _sorted_by(one: Predictions, order: str) -> Doubles:
    """What puts images into an order, ascending; NaN comes last."""
    values = {
        "confident": -one.confidence,
        "unsure": one.confidence,
        "entropy": -one.entropy,
        "loss": -one.loss,
        "set": np.arange(len(one.labels), dtype=np.float64),
    }
    return values[order]


# On the page


def chosen_cell(classes: tuple[str, ...]) -> Cell:
    """The cell of the matrix that is chosen: by a click, or in the lists of classes."""
    return _class_chosen("err_true", classes), _class_chosen("err_predicted", classes)


def _class_chosen(key: str, classes: tuple[str, ...]) -> int | None:
    name = choices.class_chosen(key, classes, choices.ALL)
    return None if name is None else classes.index(name)


def choose_cell(classes: tuple[str, ...], chosen: Cell) -> None:
    """Choose a cell in a callback; choosing it again chooses all."""
    cell = (None, None) if chosen == chosen_cell(classes) else chosen
    for key, of_cell in zip(CELL, cell, strict=True):
        name = choices.ALL if of_cell is None else choices.class_option(classes[of_cell], choices.ALL)
        link.change(key, name)
    on_diagonal = cell[0] is not None and cell[0] == cell[1]
    if on_diagonal or link.chosen("err_which") == "correct":
        link.change("err_which", "correct" if on_diagonal else "wrong")
    link.change(PAGE, "0")


def choose_order() -> tuple[str, str]:
    """The kind of predictions, and the order of the images, by widgets."""
    with st.container(horizontal=True, gap="small"):
        which = choices.choice(
            tr("Predictions"), {name: tr(text) for name, text in WHICH.items()}, "err_which"
        )
        order = choices.pick(
            tr("Order"), {name: tr(text) for name, text in ORDERS.items()}, "err_order", width=180
        )
    return which, order


def choose_more(classes: tuple[str, ...], one: Predictions, which: str) -> Filter:
    """The filter with a cell, and with bounds of confidence, entropy and loss, by widgets."""
    with st.expander(tr("Classes, confidence, entropy, loss")):
        cell = _choose_classes(classes)
        confidence = _bounds(tr("confidence"), one.confidence, "err_confidence", 1.0)
        entropy = _bounds(tr("entropy (nats)"), one.entropy, "err_entropy")
        loss = _bounds(tr("loss (nats)"), one.loss, "err_loss")
    return Filter(cell, which, confidence, entropy, loss)


def _choose_classes(classes: tuple[str, ...]) -> Cell:
    """A cell of the matrix by lists, which have classes that the matrix leaves out."""
    true, named = st.columns(2)
    with true:
        one = choices.choose_class(tr("True class"), classes, "err_true", choices.ALL, tr("all"))
    with named:
        other = choices.choose_class(tr("Predicted class"), classes, "err_predicted", choices.ALL, tr("all"))
    first, second = (None if name is None else classes.index(name) for name in (one, other))
    return first, second


def _bounds(name: str, values: Doubles, key: str, most: float | None = None) -> Bounds:
    """The least and the largest value, each of which does nothing where it stands at the end."""
    finite = values[np.isfinite(values)]
    end = most or (math.ceil(100 * float(finite.max())) / 100 if finite.size and finite.max() > 0 else 1.0)
    link.follow_default(f"{key}_to", f"{end:g}")
    first, last = st.columns(2)
    with first:
        low = link.decimal(tr("Smallest {name}", name=name), 0.0, end, f"{key}_from", 0.0)
    with last:
        high = link.decimal(tr("Largest {name}", name=name), 0.0, end, f"{key}_to", end)
    return Bounds(low or None, None if float(f"{high:g}") >= float(f"{end:g}") else high)
