"""The same images answered twice: BatchNorm by its running statistics, and by the images' own."""

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
from explorer.views.batchnorm.measured import Measured

CLASSES, PICTURES = 5, 8
NEAR = 0.1  # two probabilities that differ by less are as good as the same
EVAL = "Running statistics: eval mode, as in use"


def show(selection: Selection, measured: Measured) -> None:
    """Both predictions side by side, and a sentence that says what it means."""
    key = selection.opened.key
    try:
        both = cached.two_predictions(key, measured.digest, selection.net, measured.x)
    except ValueError as error:
        st.info(sentence(error))
        return
    if measured.batch is None:
        one_answer(selection, both)
    else:
        many_answers(selection, both, measured, measured.batch)


# One image


def one_answer(selection: Selection, both: TwoPredictions) -> None:
    names = selection.card.classes
    side_by_side(
        (EVAL, likeliest(names, both.running[0])),
        ("Its own statistics: train mode, Dropout off", likeliest(names, both.batch[0])),
    )
    st.markdown(meaning_of_one(tuple(map(literal, names)), both))


def side_by_side(
    *sides: tuple[str, list[tuple[str, float, bool]]], said: Callable[[float], str] = probability
) -> None:
    panels = [
        markup.element("section", markup.text(title, tag="h3"), markup.bars(rows, said))
        for title, rows in sides
    ]
    markup.show(markup.element("div", *panels, cls="fx-panels"))


def likeliest(names: tuple[str, ...], shares: Floats) -> list[tuple[str, float, bool]]:
    order = np.argsort(-shares, kind="stable")[:CLASSES]
    return [(names[k], float(shares[k]), k == order[0]) for k in order]


def meaning_of_one(names: tuple[str, ...], both: TwoPredictions) -> str:
    first, second = int(both.running[0].argmax()), int(both.batch[0].argmax())
    sure, then = probability(both.running[0, first]), probability(both.batch[0, second])
    if first == second:
        near = abs(both.running[0, first] - both.batch[0, second]) < NEAR
        what = "this answer does not hang" if near else "the answer is the same, but how sure it is hangs"
        return f"Both say **{names[first]}**, at {sure} and at {then}: {what} on which statistics are taken."
    return (
        f"By its own statistics the same image is no longer **{names[first]}** ({sure}) but "
        f"**{names[second]}** ({then}): in train mode an answer hangs on what else is in the batch, which is "
        "why in use the running statistics are taken."
    )


# Many images


def many_answers(selection: Selection, both: TwoPredictions, measured: Measured, batch: Batch) -> None:
    side_by_side(
        (EVAL, overall(both.running, batch)),
        ("The batch's own statistics: train mode, Dropout off", overall(both.batch, batch)),
        said=percent,
    )
    st.markdown(meaning_of_many(both, measured, batch))
    if both.changed.any():
        changed(selection.card.classes, both, batch)


def overall(shares: Floats, batch: Batch) -> list[tuple[str, float, bool]]:
    """How many of the labelled images are answered rightly, and how sure the answers are."""
    labelled = batch.labels >= 0
    right = shares.argmax(1)[labelled] == batch.labels[labelled]
    rows = [(f"right, of {labelled.sum()}", float(right.mean()), True)] if labelled.any() else []
    return [*rows, ("sure of its answer, on average", inside(float(shares.max(1).mean())), False)]


def meaning_of_many(both: TwoPredictions, measured: Measured, batch: Batch) -> str:
    count, total = int(both.changed.sum()), len(both.changed)
    if not count:
        return f"None of {measured.said} gets another class: the running statistics fit them."
    part, get = percent(count / total, 0), "gets" if count == 1 else "get"
    some = f"**{count}** of {measured.said} ({part}) {get} another class"
    if (batch.labels < 0).all():
        return f"{some}: so much hangs on which statistics are taken."
    running, own = both.right(batch.labels)
    # More than two standard deviations of a fair coin thrown once for every image that changed.
    decided = abs(own - running) > 2 * math.sqrt(count)
    if decided and own > running:
        return (
            f"{some}, and the batch's own statistics answer better: the running ones do not fit these "
            "images, which come from elsewhere, are prepared differently, or training never settled them."
        )
    if decided:
        return f"{some}, and the running statistics answer better: the batch's own are too rough an estimate."
    if count <= total / 4:
        return f"{some}, about as often rightly as wrongly: these images are much like what training met."
    return f"{some}, about as often rightly as wrongly: these answers hang on which statistics are taken."


def changed(names: tuple[str, ...], both: TwoPredictions, batch: Batch) -> None:
    """The images that get another class, those first that were surest."""
    rows = np.flatnonzero(both.changed)
    rows = rows[np.argsort(-both.running.max(1)[rows], kind="stable")]
    cards = [_card(names, both, batch, int(row)) for row in rows[:PICTURES]]
    more = f", the {PICTURES} surest of {len(rows)}" if len(rows) > PICTURES else ""
    said = f"Images whose class changes{more}: by running statistics → by the batch's own."
    st.caption(said)
    markup.show(markup.element("div", *cards, cls="fx-cards"))


def _card(names: tuple[str, ...], both: TwoPredictions, batch: Batch, row: int) -> str:
    first, second = _answer(names, both.running[row]), _answer(names, both.batch[row])
    label = int(batch.labels[row])
    said = f"labelled {names[label]}" if label >= 0 else "without a label"
    words = markup.text(first), markup.text(f"→ {second}", "strong"), markup.text(said, "muted")
    return markup.figure(batch.pixels[row], f"An image {said}: {first}, then {second}", *words, fill=True)


def _answer(names: tuple[str, ...], shares: Floats) -> str:
    sure = float(shares.max())
    return f"{names[shares.argmax()]} {probability(sure, 0 if sure >= 0.1 else 1)}"
