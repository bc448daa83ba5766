"""Parts that several pages show: heat maps over the image and as raw maps, charts, and lists of facts."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from explorer.drawing import small_chart as small_charts
from explorer.drawing import vega
from explorer.drawing.chart import ChannelChart, DotChart, Histogram, LineChart, PointChart, ScatterChart
from explorer.drawing.colormaps import color
from explorer.drawing.overlay import overlay
from explorer.drawing.ranges import Range, from_to
from explorer.engine.places import places_of
from explorer.ui import markup
from explorer.ui.components.small_chart import small_chart
from explorer.ui.frame import presentation
from explorer.ui.selection import Selection
from model.card import Pixels
from model.pixels import Rectangle, whole
from model.words import N_, tr

ZERO = N_(
    "There is no heat map: it is zero at every position, because the gradient of the class or the feature "
    "maps are zero there."
)


def heat_panel(
    selection: Selection,
    layer: str | None,
    heat: npt.NDArray[np.float32],
    range: Range,
    title: str,
    alt: str,
    note: str = "",
    scale: str = "",
) -> str:
    """One heat map (h, w) of a layer on a range: over the image, and beside it position by position.

    A note is below, and `layer` is None for a map of the input's pixels.

    With a `scale`, which says how far the range is shared, its color bar follows. In the place of a map of
    zeros, which is no finding, there is a sentence.
    """
    if not heat.any():
        return markup.element("section", markup.text(title, tag="h3"), markup.text(tr(ZERO), "muted"))
    height, width = heat.shape
    pixels = over_image(selection, layer, heat, range)
    raw = tr("{title}, the raw map of {height} by {width} positions", title=alt, height=height, width=width)
    return markup.element(
        "section",
        markup.text(title, tag="h3"),
        markup.element(
            "div",
            markup.figure(pixels, tr("{title}, over the image", title=alt), fill=True),
            markup.figure(color(heat, range), raw, fill=True),
            cls="fx-pair",
        ),
        markup.text(note, "muted") if note else "",
        markup.scale(range, scale) if scale else "",
    )


def over_image(
    selection: Selection, layer: str | None, heat: npt.NDArray[np.float32], range: Range
) -> Pixels:
    """A heat map (h, w) of a layer, or of the input's pixels for None, over the picture as it is shown."""
    place = selection.covered(layer).scaled(selection.sample.pixels.shape[:2], selection.shown.shape[:2])
    return around_received(selection, overlay(selection.shown, heat, range, place))


def around_received(selection: Selection, drawn: Pixels) -> Pixels:
    """Of a drawn picture twice as much as the network gets of it: a panorama loses its ends."""
    return drawn[_around(selection, drawn.shape[:2])]


def picture_around(selection: Selection, layer: str) -> tuple[Pixels, Rectangle]:
    """The picture without a panorama's ends, and the part of it that a layer's maps lie on."""
    pixels, part = selection.sample.pixels, selection.covered(layer)
    rows, columns = _around(selection, pixels.shape[:2])
    top, left = rows.start, columns.start
    place = Rectangle(part.top - top, part.bottom - top, part.left - left, part.right - left)
    return pixels[rows, columns], place


def _around(selection: Selection, size: tuple[int, ...]) -> tuple[slice, slice]:
    full = selection.sample.pixels.shape[:2]
    place = selection.received.scaled((full[0], full[1]), (size[0], size[1]))
    rows, columns = place.inside
    return _widened(rows, size[0]), _widened(columns, size[1])


def _widened(part: slice, length: int) -> slice:
    """A part of a length with half of itself before and after it, as far as there is so much."""
    more = (part.stop - part.start) // 2
    return slice(max(part.start - more, 0), min(part.stop + more, length))


def explain_dimmed(selection: Selection) -> None:
    """A note on the dimmed part of the image; nothing where the network gets and reads all of it."""
    if selection.received != whole(*selection.sample.pixels.shape[:2]):
        note = tr("Dimmed: outside the center square. The network gets the center square only.")
        markup.show(markup.text(note, "muted"))
    if places_of(selection.net):
        note = tr("Dimmed: what the network crops away before the layer of a heat map.")
        markup.show(markup.text(note, "muted"))


def extent(values: npt.NDArray[np.float32]) -> str:
    """The size of a map (h, w), and its least and largest value."""
    height, width = values.shape
    low, high = from_to(values.min(), values.max())
    return tr("{height} × {width} positions, {low} … {high}", height=height, width=width, low=low, high=high)


def side_by_side(panels: list[str], *below: str) -> None:
    """Put panels into one row, as many as fit, and html below them."""
    markup.show(markup.element("div", *panels, cls="fx-panels"), *below)


def chart(chart: LineChart | PointChart | DotChart | ScatterChart, **details: Any) -> None:
    """Show a chart as wide as its column and `chart.height` pixels high.

    The height is reserved: the browser would give a chart none until it is drawn, so that the page below
    moves up for a moment, and a click lands beside its target.
    """
    height, label_limit = presentation.pixels(chart.height), presentation.pixels(200)
    st.vega_lite_chart(vega.spec(chart, label_limit), width="stretch", height=height, **details)


def legend(chart: LineChart) -> str:
    """The names of a chart's lines in their colors, as html: it wraps where Vega’s would be cut off."""
    entries = (
        markup.element("span", f'<i style="background:{color}"></i>', escape(name))
        for name, color in chart.names.items()
    )
    return markup.element("div", *entries, cls="fx-legend")


def drawn_chart(
    chart: Histogram | ChannelChart, key: str, on_choose: Callable[[int], None] | None = None
) -> None:
    """Show a chart that the server draws; `on_choose` gets the index of a bin or a channel clicked."""
    small_chart(small_charts.draw(chart), presentation.pixels(chart.height), key, on_choose)


def facts(title: str, rows: Sequence[tuple[str, str]], *before: str) -> str:
    """Names and values under a small title, as html; everything is escaped but `before`."""
    pairs = [markup.text(name, tag="dt") + markup.text(value, tag="dd") for name, value in rows]
    heading = markup.text(title, tag="h3") if title else ""
    return markup.element("section", heading, *before, markup.element("dl", *pairs), cls="fx-facts")
