"""Many points on one canvas: look at one, click it, draw around some, or enlarge; ten thousand stay quick.

The points travel once as bytes. A click and an outline come back as state of the component, in coordinates of
the points; which points are inside is for Python to say.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from explorer.engine.values import Doubles, Floats, Integers
from explorer.ui.components.beside import component
from model.card import Pixels
from model.words import N_, paragraph, tr

__all__ = ["Choice", "point_map"]

KEYS = N_(
    "Drag to draw around points; click or tap one to see its image. By keyboard, with the map in focus: the "
    "arrow keys move a rectangle, with Shift they change its size, Enter selects the points inside, Escape "
    "clears; + and − zoom, 0 shows all."
)
TOUCH = N_("With a finger, begin to draw sideways: upward and downward the page scrolls.")
MOST_CORNERS = 2000  # of an outline: what the browser sends is not trusted

_MAP = component(__file__, "map")


@dataclass(frozen=True, eq=False)
class Choice:
    """The number of the point that was clicked, and the outline that was drawn, float64 (M, 2)."""

    point: int | None
    outline: Doubles | None


def point_map(
    points: Floats,
    colors: Pixels,
    order: Integers,
    *,
    key: str,
    label: str,
    names: Sequence[str],
    of: Mapping[str, Integers],
    title: str,
    marked: int | None = None,
    height: int = 460,
) -> Choice:
    """Draw points, float32 (N, 2), in colors, uint8 (N, 3), the last of `order`, int64 (N,), on top.

    The text over a point has a line for each of `of`: its title, and `names` of the number, int64 (N,), that
    the point has there; none for -1. `title` says which map it is: with another, what was chosen is
    forgotten. `marked` is a point in a ring.
    """
    header = {
        "count": len(points), "title": title, "label": label, "names": list(names), "lines": list(of),
        "marked": marked, "height": height, "keys": paragraph([tr(KEYS), tr(TOUCH)]),
        "inside": tr("Points in the rectangle: {count}", count="{count}"),
        "buttons": {
            "in": tr("Zoom in"), "out": tr("Zoom out"), "pan": tr("Drag to move"), "whole": tr("Show all"),
            "clear": tr("Clear the selection"),
        },
    }  # fmt: skip
    _MAP(key=key, data=payload(header, points, colors, order, of), on_choice_change=lambda: None)
    return choice_of(st.session_state.get(key), title, len(points))


def payload(
    header: Mapping[str, object], points: Floats, colors: Pixels, order: Integers, of: Mapping[str, Integers]
) -> bytes:
    """Length of the header (uint32), header (JSON, padded to a multiple of four), x and y (float32), order
    (uint32), each of the lines (int16), colors (uint8); little-endian.
    """
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    padded = text.ljust(-(-len(text) // 4) * 4)
    parts = [np.asarray(points, "<f4").tobytes(), np.asarray(order, "<u4").tobytes()]
    parts += [np.asarray(numbers, "<i2").tobytes() for numbers in of.values()]
    return b"".join([struct.pack("<I", len(padded)), padded, *parts, np.asarray(colors, np.uint8).tobytes()])


def choice_of(state: object, title: str, count: int) -> Choice:
    """What the browser reports of the map with this title, as far as it can be."""
    reported = state.get("choice") if isinstance(state, Mapping) else None
    if not isinstance(reported, Mapping) or reported.get("title") != title:
        return Choice(None, None)
    point = reported.get("point")
    known = type(point) is int and 0 <= point < count
    return Choice(point if known else None, _outline(reported.get("outline")))


def _outline(reported: object) -> Doubles | None:
    if not isinstance(reported, list) or not 3 <= len(reported) <= MOST_CORNERS:
        return None
    try:
        corners = np.array(reported, np.float64)
    except (TypeError, ValueError):
        return None
    return corners if corners.shape == (len(reported), 2) and np.isfinite(corners).all() else None
