"""Errors: how often a network is wrong over a data set, which classes it confuses, and on which images."""

from collections.abc import Callable

import streamlit as st

from explorer.drawing.ranges import percent
from explorer.engine.scan.result import naming_hint
from explorer.ui import choices, markup
from explorer.ui.frame import way_back
from explorer.ui.markdown import sentence
from explorer.ui.scans.scanning import scan_of
from explorer.ui.selection import current_network
from explorer.views.errors import calibration, class_table, confused, exports, failure_exports, failures
from explorer.views.errors.evaluation import Evaluation, evaluate
from explorer.views.errors.failures import ErrorCard
from model.problems import Problem
from model.words import N_, ngettext, paragraph, tr

INTRODUCTION = N_(
    "A network’s predictions for a whole data set beside the labels: how many are wrong, which classes are "
    "confused, whether the confidence can be trusted, and which feature maps lead to the wrong class."
)
PARTS = {
    "matrix": N_("Confusion"),
    "classes": N_("Classes"),
    "calibration": N_("Calibration"),
    "failures": N_("Failures explained"),
}
SHOW: dict[str, Callable[[Evaluation], list[ErrorCard] | None]] = {
    "matrix": confused.show,
    "classes": class_table.show,
    "calibration": calibration.show,
    "failures": failures.show,  # gives its cards, which have downloads of their own
}


def page() -> None:
    way_back.forget()
    opened = current_network()
    st.header(tr("Errors"), anchor=False)
    st.markdown(tr(INTRODUCTION))
    if opened is None:  # the sidebar says why
        return
    images, parts = st.columns(2, gap="medium")
    with images:
        scan = scan_of(opened.network)
    if scan is None:
        return
    evaluation = evaluate(opened, scan)
    if not evaluation.accuracy.n:
        none = tr(
            "None of these images has a label that is a class of this network: there is no error to count."
        )
        st.info(paragraph(filter(None, [none, naming_hint(scan)])))
        return
    with parts:
        part = choices.choice(tr("Show"), {name: tr(text) for name, text in PARTS.items()}, "errors")
    show_summary(evaluation)
    cards = None
    try:
        cards = SHOW[part](evaluation)
    except Problem as problem:  # the images are gone, or the network does not allow it
        st.info(sentence(problem))
    if cards:
        failure_exports.show(evaluation, cards)
    else:
        exports.show(evaluation)


def show_summary(evaluation: Evaluation) -> None:
    """The accuracy with its interval, beside chance; what is left out of it."""
    notes = paragraph([chance_in_words(evaluation), *left_out(evaluation)])
    markup.show(markup.text(accuracy_in_words(evaluation), "strong"), markup.text(notes, "muted"))


def accuracy_in_words(evaluation: Evaluation) -> str:
    one = evaluation.accuracy
    return ngettext(
        "Accuracy {accuracy} (95% interval {low} to {high}, n = {count:,}): {n:,} image is wrong.",
        "Accuracy {accuracy} (95% interval {low} to {high}, n = {count:,}): {n:,} images are wrong.",
        evaluation.mistakes,
        accuracy=percent(one.value, 2),
        low=percent(one.low, 2),
        high=percent(one.high, 2),
        count=one.n,
    )


def chance_in_words(evaluation: Evaluation) -> str:
    one = evaluation.accuracy
    return tr(
        "By chance: the same predictions assigned to the images at random give {shuffled}; always naming the "
        "most frequent class gives {largest}.",
        shuffled=percent(one.shuffled),
        largest=percent(one.largest),
    )


def left_out(evaluation: Evaluation) -> list[str]:
    """Images that are not counted, and why; where the interval does not hold."""
    unlabeled, unreadable = int((~evaluation.predictions.labeled).sum()), len(evaluation.scan.unreadable)
    notes = []
    if unlabeled:
        notes.append(
            ngettext(
                "{n:,} image is not counted: the network has no class of its label’s name.",
                "{n:,} images are not counted: the network has no class of their label’s name.",
                unlabeled,
            )
        )
    if undecided := int((~evaluation.predictions.decided).sum()):
        notes.append(
            ngettext(
                "{n:,} image has no prediction, because the network gives NaN or infinity for it: it is "
                "never correct, and calibration leaves it out.",
                "{n:,} images have no prediction, because the network gives NaN or infinity for them: they "
                "are never correct, and calibration leaves them out.",
                undecided,
            )
        )
    if unreadable:
        notes.append(
            ngettext("{n:,} image could not be read.", "{n:,} images could not be read.", unreadable)
        )
    if evaluation.opened.checkup.outputs.independent and not evaluation.opened.checkup.outputs.single:
        notes.append(
            tr("The classes are independent labels; the most probable one counts as the prediction.")
        )
    return notes


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
