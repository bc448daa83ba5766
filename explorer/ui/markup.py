"""Small pieces of html. Every text that comes in is escaped; every picture has an alternative text."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt
import streamlit as st

from explorer.drawing import colorbar, ranges
from explorer.drawing.pictures import data_uri
from explorer.drawing.ranges import Range
from explorer.ui.class_names import glossed
from model.words import tr

_PATH = re.compile(r"\b[A-Za-z_]\w*(?:\.\w+){2,}")
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Html:
    """Html that Streamlit takes as it is; of a string it looks for the indent, which takes long."""

    body: str

    def _repr_html_(self) -> str:
        return self.body


def show(*pieces: str) -> None:
    """Put html on the page, in the project's own style."""
    st.html(_Html(f'<div class="fx">{"".join(pieces)}</div>'))


def element(tag: str, *inner: str, cls: str = "") -> str:
    attribute = f' class="{cls}"' if cls else ""
    return f"<{tag}{attribute}>{''.join(inner)}</{tag}>"


def text(words: str, cls: str = "", tag: str = "div") -> str:
    return element(tag, _breakable(escape(words)), cls=cls)


def _breakable(words: str) -> str:
    """Html in which the path of a layer may be broken behind its dots, and is better not broken elsewhere."""
    return _PATH.sub(lambda path: path[0].replace(".", ".<wbr>"), words)


def image(pixels: Pixels, alt: str, *, fill: bool = False) -> str:
    """An img of uint8 (h, w, 3); small ones are enlarged by the browser without blur."""
    classes = " ".join(name for name, on in (("crisp", max(pixels.shape) <= 128), ("fill", fill)) if on)
    return f'<img class="{classes}" alt="{escape(alt, quote=True)}" src="{data_uri(pixels)}">'


def figure(pixels: Pixels, alt: str, *caption: str, fill: bool = False) -> str:
    """A picture with lines of (html) caption under it."""
    return element("figure", image(pixels, alt, fill=fill), element("figcaption", *caption))


def bars(rows: list[tuple[str, float, bool]], said: Callable[[float], str] = ranges.probability) -> str:
    """Horizontal bars of (class, probability, chosen); `said` writes fractions that may be 0 or 1."""
    return element(
        "div", *(_bar(name, share, said(share), chosen) for name, share, chosen in rows), cls="fx-bars"
    )


def _bar(name: str, share: float, number: str, chosen: bool) -> str:
    mark = "chosen" if chosen else ""
    return (
        text(glossed(name), mark)
        + f'<div class="track"><div class="value" style="width:{share:.1%}"></div></div>'
        + text(number, mark)
    )


def bar(fraction: float) -> str:
    """A bar for −1 to 1 of the largest: from the left what supports the class, from the right the rest."""
    side = "fx-contribution" if fraction >= 0 else "fx-contribution against"
    return f'<div class="{side}"><span style="width:{abs(fraction):.1%}"></span></div>'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Texts as a table, wider than the page if need be; the first of each row is its name."""
    head = "".join(f'<th scope="col">{escape(words)}</th>' for words in heads)
    cells = (
        f'<th scope="row">{escape(name)}</th>' + "".join(f"<td>{escape(words)}</td>" for words in texts)
        for name, *texts in rows
    )
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f'<div class="fx-runs"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def scale(range: Range, sharing: str) -> str:
    """The color bar of a range with its numbers, and how far it is shared."""
    label = tr("Color scale from {range}", range=ranges.text(range, sharing))
    ticks = "".join(
        f'<span style="left:{share:.1%};transform:translateX(-{share:.0%})">{ranges.number(value)}</span>'
        for share, value in colorbar.ticks(range)
    )
    return element(
        "div",
        f'<img alt="{escape(label, quote=True)}" src="{data_uri(colorbar.bar(range, 256, 1))}">',
        element("div", ticks, cls="ticks"),
        text(sharing, "muted"),
        cls="fx-scale",
    )
