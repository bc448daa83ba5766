"""Figures for print: pictures side by side with their colour bars and a caption that can be traced back."""

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.drawing.colorbar import bar, ticks
from explorer.drawing.colormaps import colour
from explorer.drawing.ranges import Range, number, text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Panel:
    """One picture of a figure: uint8 (h,w,3) pixels, a title, and the range of its colours if it has one."""

    pixels: NDArray[np.uint8]
    title: str
    range: Range | None = None
    scale: str = ""


def mapped(values: ArrayLike, range: Range, title: str, scale: str = "") -> Panel:
    """A panel that shows a map (h,w) on a range."""
    return Panel(colour(values, range), title, range, scale)


def caption(
    *,
    checkpoint: str,
    digest: str,
    image: str = "",
    layer: str = "",
    method: str = "",
    target: str = "",
    range: Range | str | None = None,
    scale: str = "",
) -> str:
    """What a figure must say to be traced back: what is given, parted by middle dots; the digest shortened.

    >>> caption(checkpoint="course", digest="0123456789abcdef", layer="conv3", target="cat")
    'Layer conv3 · Class cat · Checkpoint course (0123456789ab)'
    """
    said = (
        ("Image", image),
        ("Method", method),
        ("Layer", layer),
        ("Class", target),
        ("Range", text(range, scale) if isinstance(range, Range) else range),
        ("Checkpoint", f"{checkpoint} ({digest[:12]})"),
    )
    return " · ".join(f"{name} {value}" for name, value in said if value)


def figure(
    panels: Sequence[Panel], caption: str, kind: Literal["png", "pdf"] = "png", dpi: int = 200
) -> bytes:
    """Panels side by side with colour bars and a caption, as PNG or PDF bytes; cells stay crisp.

    The files carry no date, so that the same figure gives the same bytes. ValueError without a panel.
    """
    if not panels:
        raise ValueError("A figure needs at least one picture.")
    from matplotlib import rc_context

    file = io.BytesIO()
    undated = {"CreationDate": None} if kind == "pdf" else {"Software": None}
    with rc_context({"font.size": 8, "pdf.fonttype": 42}):
        drawn = _laid_out(panels, caption)
        drawn.savefig(file, format=kind, dpi=dpi, metadata=undated, bbox_inches="tight", pad_inches=0.08)
    return file.getvalue()


def _laid_out(panels: Sequence[Panel], caption: str) -> "Figure":
    from matplotlib.figure import Figure

    column = 2.4
    width = max(4.0, column * len(panels))
    tallest = max(panel.pixels.shape[0] / panel.pixels.shape[1] for panel in panels)
    drawn = Figure(figsize=(width, column * tallest + 0.9), layout="constrained", facecolor="white")
    rows = {"height_ratios": [column * tallest, 0.1]}
    pictures, bars = drawn.subplots(2, len(panels), squeeze=False, gridspec_kw=rows)
    for panel, upper, lower in zip(panels, pictures, bars, strict=True):
        _draw_picture(upper, panel)
        _draw_bar(lower, panel)
    lines = "\n".join(textwrap.wrap(caption, int(width * 18)))
    drawn.text(0.01, -0.01, _plain(lines), fontsize=7, color="0.35", ha="left", va="top")
    return drawn


def _draw_picture(axes: "Axes", panel: Panel) -> None:
    axes.imshow(panel.pixels, interpolation="nearest")
    axes.set_title(_plain(panel.title), fontsize=8)
    axes.set_axis_off()


def _draw_bar(axes: "Axes", panel: Panel) -> None:
    if panel.range is None:
        axes.set_axis_off()
        return
    from matplotlib.ticker import NullLocator

    axes.imshow(bar(panel.range, 256, 1), aspect="auto", interpolation="nearest", extent=(0, 1, 0, 1))
    axes.spines[:].set_visible(False)
    axes.yaxis.set_major_locator(NullLocator())
    places = ticks(panel.range)
    axes.set_xticks([share for share, _ in places], [number(value) for _, value in places], fontsize=7)
    axes.tick_params(length=2, width=0.5)
    axes.set_xlabel(panel.scale, fontsize=7)


def _plain(text: str) -> str:
    """Text whose dollar signs matplotlib does not read as mathematics."""
    return text.replace("$", r"\$")
