"""How values show themselves in a notebook: maps as small pictures in HTML, by NumPy and Pillow alone.

A map without negative values is drawn from zero in viridis, any other from blue (negative) through white
(zero) to red. Positions are squares, never blurred; every picture says its range.
"""

import base64
import html
import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from explorer.engine.values import Floats
from model.words import tr

SIDE = 112  # pixels on the page
MOST = 8  # maps of a layer, or images of a batch, that are shown

VIRIDIS = ((68, 1, 84), (65, 68, 135), (42, 120, 142), (34, 168, 132), (122, 209, 81), (253, 231, 37))
BLUE_RED = ((5, 48, 97), (67, 147, 195), (247, 247, 247), (214, 96, 77), (103, 0, 31))
NOT_A_NUMBER = (120, 120, 120)


def section(title: str, *parts: str) -> str:
    """A titled part of what a notebook shows; the parts are HTML, the title is text."""
    return f"<div><p><b>{html.escape(title)}</b></p>{''.join(parts)}</div>"


def row(pictures: Iterable[str]) -> str:
    """HTML side by side, in a new line where there is no more room."""
    return f'<div style="display:flex;flex-wrap:wrap;gap:8px">{"".join(pictures)}</div>'


@dataclass(frozen=True)
class Scale:
    """A color scale from zero to `reach`, or from -`reach` to `reach` where it is `signed`."""

    reach: float
    signed: bool


def scale_of(values: Floats) -> Scale:
    """The scale on which all of these values can be drawn."""
    finite = values[np.isfinite(values)]
    return Scale(float(np.abs(finite).max(initial=0)) or 1.0, bool((finite < 0).any()))


def picture(values: Floats, caption: str, shared: Scale | None = None) -> str:
    """A map (h, w) with its caption; its range too, unless it is drawn on a scale shared with others."""
    text = html.escape(caption if shared else tr("{caption}; {range}", caption=caption, range=extent(values)))
    address = _address(colored(values, shared or scale_of(values)))
    image = f'<img src="{address}" alt="{text}" style="width:{SIDE}px;image-rendering:pixelated">'
    return f'<figure style="margin:0;width:{SIDE}px">{image}<figcaption>{text}</figcaption></figure>'


def of_images(images: int | None, pictures: int) -> str:
    """What a title adds for a batch: which of its images are shown."""
    if images is None:
        return ""
    if pictures == 1:
        return f" {tr('(image 0 of {count})', count=images)}"
    return f" {tr('(images 0 to {last} of {count})', last=pictures - 1, count=images)}"


def extent(values: Floats) -> str:
    """From the least to the largest value of any maps, in words."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return tr("no finite value")
    return tr("{low:.3g} to {high:.3g}", low=finite.min(), high=finite.max())


def colored(values: Floats, scale: Scale) -> npt.NDArray[np.uint8]:
    """A map (h, w) as colors, uint8 (h, w, 3)."""
    anchors = np.array(BLUE_RED if scale.signed else VIRIDIS)
    positions = np.linspace(-1 if scale.signed else 0, 1, len(anchors))
    fractions = np.nan_to_num(values.astype(np.float64)) / scale.reach
    colors = np.stack([np.interp(fractions, positions, channel) for channel in anchors.T], axis=-1)
    colors[~np.isfinite(values)] = NOT_A_NUMBER
    pixels: npt.NDArray[np.uint8] = np.rint(colors).astype(np.uint8)
    return pixels


def _address(pixels: npt.NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
