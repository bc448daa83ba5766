"""Parts that several pages show: a heat map over the picture and as the raw map, and lists of facts."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from explorer.drawing.colormaps import colour
from explorer.drawing.overlay import overlay
from explorer.drawing.ranges import Range, number
from explorer.ui import markup
from explorer.ui.selection import Selection
from model.pixels import whole


def heat_panel(
    selection: Selection,
    heat: npt.NDArray[np.float32],
    range: Range,
    title: str,
    alt: str,
    note: str = "",
    scale: str = "",
) -> str:
    """One heat map (h, w) on a range: over the picture, and beside it cell by cell; a note below.

    With a `scale`, which says how far the range is shared, its color bar follows.
    """
    height, width = heat.shape
    return markup.element(
        "section",
        markup.text(title, tag="h3"),
        markup.element(
            "div",
            markup.figure(
                overlay(selection.sample.pixels, heat, range, selection.received),
                f"{alt}, over the image",
                fill=True,
            ),
            markup.figure(colour(heat, range), f"{alt}, the raw map of {height} by {width} cells", fill=True),
            cls="fx-pair",
        ),
        markup.text(note, "muted") if note else "",
        markup.scale(range, scale) if scale else "",
    )


def explain_dimmed(selection: Selection) -> None:
    """Say what the dimmed part of the picture is; nothing where the network gets all of it."""
    if selection.received != whole(*selection.sample.pixels.shape[:2]):
        said = "Dimmed: outside the center square, which is all that the network gets."
        markup.show(markup.text(said, "muted"))


def extent(values: npt.NDArray[np.float32]) -> str:
    """How many cells a map (h, w) has, and from where to where their values reach."""
    height, width = values.shape
    return f"{height} × {width} cells, {number(values.min())} … {number(values.max())}"


def side_by_side(panels: list[str], *below: str) -> None:
    """Put panels into one row, as many as fit, and html below them."""
    markup.show(markup.element("div", *panels, cls="fx-panels"), *below)


def facts(title: str, rows: Sequence[tuple[str, str]], *before: str) -> str:
    """Names and values under a small title, as html; everything is escaped but `before`."""
    pairs = [markup.text(name, tag="dt") + markup.text(value, tag="dd") for name, value in rows]
    heading = markup.text(title, tag="h3") if title else ""
    return markup.element("section", heading, *before, markup.element("dl", *pairs), cls="fx-facts")
