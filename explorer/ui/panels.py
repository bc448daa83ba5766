"""A heat map as pages show it: large over the picture, small as the raw map."""

import numpy as np
import numpy.typing as npt

from explorer.drawing.colormaps import colour
from explorer.drawing.overlay import overlay
from explorer.drawing.ranges import Range, number
from explorer.ui import markup
from model.checkpoint import Pixels


def heat_panel(
    pixels: Pixels, heat: npt.NDArray[np.float32], range: Range, title: str, alt: str, note: str = ""
) -> str:
    """One heat map (h, w) on a range: over `pixels`, and beside it cell by cell; a note below."""
    height, width = heat.shape
    return markup.element(
        "section",
        markup.text(title, tag="h3"),
        markup.element(
            "div",
            markup.figure(overlay(pixels, heat, range), f"{alt}, over the image", fill=True),
            markup.figure(colour(heat, range), f"{alt}, the raw map of {height} by {width} cells", fill=True),
            cls="fx-pair",
        ),
        markup.text(note, "muted") if note else "",
    )


def extent(values: npt.NDArray[np.float32]) -> str:
    """How many cells a map (h, w) has, and from where to where their values reach."""
    height, width = values.shape
    return f"{height} × {width} cells, {number(values.min())} … {number(values.max())}"


def side_by_side(panels: list[str], *below: str) -> None:
    """Put panels into one row, as many as fit, and html below them."""
    markup.show(markup.element("div", *panels, cls="fx-panels"), *below)
