"""The strip on top of every page: image, input and prediction; from a wrong one, the ways to its reasons."""

import numpy as np
import streamlit as st

from explorer.ui import link, markup
from explorer.ui.selection import Selection
from explorer.ui.sidebar import PREDICTED

SHOWN, FEW = 5, 4  # probabilities in the strip, and on each of two sides
PAGES = {"": "views/explain/page.py", "compare": "views/compare/page.py"}  # as app.py has them


def show(selection: Selection, page: str = "") -> None:
    """The strip; below a wrong prediction the two ways to its reasons, except the one that `page` shows."""
    strip(selection)
    label = selection.sample.label
    if label is not None and label != selection.predicted:
        with st.container(horizontal=True, key="mistake"):
            why_wrong(selection, selection.card.classes[label], page)


def why_wrong(selection: Selection, true: str, page: str) -> None:
    """Buttons that explain the true class, or compare it with the predicted one, each in one click."""
    way("Explain the true class", {"class": true}, "", page)
    rather = {"class": PREDICTED, "compare": "classes", "against": true}
    way("Why this rather than the true class", rather, "compare", page)


def way(label: str, asked: dict[str, str], target: str, page: str) -> None:
    """A button that makes these choices and opens a page; none where that is what the visitor looks at."""
    if page == target and all(link.chosen(key) == value for key, value in asked.items()):
        return
    if st.button(label, key=label, on_click=choose, args=(asked,)):
        st.switch_page(PAGES[target])


def choose(asked: dict[str, str]) -> None:
    for key, value in asked.items():
        link.change(key, value)


def strip(selection: Selection) -> None:
    size = selection.card.input_size
    height, width = selection.sample.pixels.shape[:2]
    markup.show(
        markup.element(
            "div",
            markup.figure(
                selection.sample.pixels,
                f"The image: {selection.sample.name}",
                markup.text(selection.sample.name),
                markup.text(f"{width} × {height} px"),
            ),
            markup.figure(
                selection.framed,
                f"The same picture at {size} by {size} pixels",
                markup.text("the network's input"),
                markup.text(f"{size} × {size} px"),
            ),
            markup.bars(_rows(selection, SHOWN)),
            _prediction(selection),
            cls="fx-strip",
        )
    )


def beside(selection: Selection) -> str:
    """Checkpoint, input and prediction alone, for a page with two sides, as html."""
    return markup.element(
        "div",
        markup.image(selection.framed, f"The network's input: {selection.sample.name}"),
        markup.element(
            "div",
            markup.text(selection.opened.name, "muted"),
            markup.text(f"Prediction: {predicted(selection)}", "strong"),
            markup.bars(_rows(selection, FEW)),
        ),
        cls="fx-side",
    )


def _rows(selection: Selection, count: int) -> list[tuple[str, float, bool]]:
    """The most probable classes, the one to explain always among them."""
    probabilities = selection.seen.probabilities
    order = np.argsort(-probabilities)[:count].tolist()
    if selection.target not in order:
        order[-1] = selection.target
    names = selection.card.classes
    return [(names[k], float(probabilities[k]), k == selection.target) for k in order]


def _prediction(selection: Selection) -> str:
    name = markup.text(selection.card.classes[selection.predicted], "answer", tag="span")
    verdict = markup.text(_verdict(selection), tag="span")
    lines = [markup.text("Prediction", "muted"), markup.element("div", name, " ", verdict)]
    if selection.target != selection.predicted:
        lines.append(markup.text(f"Explained below: {selection.card.classes[selection.target]}", "strong"))
    return markup.element("div", *lines, cls="fx-says")


def predicted(selection: Selection) -> str:
    """The predicted class, and how it compares with the image's label: `cat (correct)`."""
    return f"{selection.card.classes[selection.predicted]} {_verdict(selection)}".strip()


def _verdict(selection: Selection) -> str:
    """How the prediction compares with the image's label; nothing without one."""
    label = selection.sample.label
    if label is None or label == selection.predicted:
        return "" if label is None else "(correct)"
    return f"(wrong: labeled {selection.card.classes[label]})"
