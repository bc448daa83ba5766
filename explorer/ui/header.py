"""The strip on top of every page: the image, what the network gets of it, and what it answers."""

import numpy as np

from explorer.ui import markup
from explorer.ui.selection import Selection

SHOWN = 5


def show(selection: Selection) -> None:
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
                markup.text("what the network gets"),
                markup.text(f"{size} × {size} px"),
            ),
            markup.bars(_rows(selection)),
            _answer(selection),
            cls="fx-strip",
        )
    )


def beside(selection: Selection) -> str:
    """Input and probabilities alone, for a page with two sides, as html."""
    name = selection.sample.name
    return markup.element(
        "div",
        markup.image(selection.framed, f"What the network gets of {name}"),
        markup.bars(_rows(selection)[:4]),
        cls="fx-side",
    )


def _rows(selection: Selection) -> list[tuple[str, float, bool]]:
    """The most probable classes, the one to explain always among them."""
    probabilities = selection.seen.probabilities
    order = np.argsort(-probabilities)[:SHOWN].tolist()
    if selection.target not in order:
        order[-1] = selection.target
    names = selection.card.classes
    return [(names[k], float(probabilities[k]), k == selection.target) for k in order]


def _answer(selection: Selection) -> str:
    names = selection.card.classes
    said, label = selection.predicted, selection.sample.label
    lines = [markup.text("The network says", "muted"), markup.text(names[said], "answer")]
    if label is not None:
        verdict = "which is right" if label == said else f"but it is labelled {names[label]}"
        lines.append(markup.text(verdict))
    if selection.target != said:
        lines.append(markup.text(f"Explained below: {names[selection.target]}", "strong"))
    return markup.element("div", *lines, cls="fx-says")
