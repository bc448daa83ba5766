"""What the time machine shows: one thing at every epoch, on one scale, large, as a strip, as a film."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from explorer.drawing import animation, ranges
from explorer.drawing.colormaps import colour
from explorer.drawing.kernels import kernels
from explorer.drawing.overlay import overlay
from explorer.drawing.ranges import Range, number, percent
from explorer.drawing.sheets import coloured, columns_for, sheet, tiled
from explorer.engine.batchnorm import NormSummary
from explorer.ui import markup
from model.checkpoint import Pixels
from model.pixels import Rectangle

Floats = npt.NDArray[np.float32]
SHEET_WIDTH = 720  # of a sheet of all channels, on the page and in the animation
DARK = (24, 28, 33)  # between filters: their zero is grey
LARGEST = 512  # pixels across of a photograph under a heat map
STRIP = 96  # pixels across of a picture in the strip
IN_A_ROW = 6  # of them, where the strip is one picture

STATISTICS: dict[str, tuple[str, Callable[[NormSummary], Floats], bool]] = {
    "mean": ("Running mean", lambda norm: norm.running_mean, True),
    "std": ("Running σ", lambda norm: norm.running_std, False),
    "gamma": ("γ", lambda norm: norm.weight, True),
    "beta": ("β", lambda norm: norm.bias, True),
}
"""Name → what it is called, where it stands, and whether it has a sign."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What a film follows: a method's `values` (epochs, …) at a layer, and what they are in words."""

    method: str
    layer: str
    values: Floats
    said: str


@dataclass(frozen=True, eq=False)
class Film:
    """One thing over the epochs: `large` and `small` draw it at a place among them, `note` says what is seen.

    A picture is drawn on the range of its place, which is one range for all unless `own`; `scale` says how
    far it is shared. `bar` is False where the picture has its own colours, so that no colour bar fits it.
    """

    of: Subject
    title: str
    large: Callable[[int], Pixels]
    small: Callable[[int], Pixels]
    note: Callable[[int], str]
    ranges: Sequence[Range]
    scale: str
    bar: bool = True
    own: bool = False


def heat(
    pixels: Pixels,
    received: Rectangle,
    values: Floats,
    layer: str,
    target: str,
    signed: bool,
    own: bool = False,
) -> Film:
    """Grad-CAM (epochs, h, w) of a class over the part of the picture that the network `received`.

    Each epoch is drawn on its `own` scale if so wanted.
    """
    ranged = ranges.symmetric if signed else ranges.positive
    drawn = [ranged(each) for each in values] if own else [ranged(values)] * len(values)

    def drawer(side: int) -> Callable[[int], Pixels]:
        picture = reduced(pixels, side)
        part = received.scaled(pixels.shape[:2], picture.shape[:2])
        return lambda place: overlay(picture, values[place], drawn[place], part)

    def note(place: int) -> str:
        at = values[place]
        negative = percent(float((at < 0).mean()), 0)
        if not at.max() > 0:
            return f"Nothing speaks for the class: {negative} of the cells are negative."
        return f"{number(at.min())} … {number(at.max())}; {negative} of the cells negative."

    subject = Subject(
        "Grad-CAM",
        layer,
        values,
        f"Grad-CAM of {target} (epochs, h, w): raw and signed, in units of the logit, "
        "whose value is not their sum",
    )
    return Film(
        subject,
        f"Grad-CAM of {target} at {layer}",
        drawer(LARGEST),
        drawer(STRIP),
        note,
        drawn,
        "this epoch's own scale" if own else "one scale for all epochs",
        own=own,
    )


def maps(values: Floats, layer: str, channel: int) -> Film:
    """All feature maps (epochs, C, h, w) of a layer; in the strip one channel."""
    range = ranges.shared(values, signed=bool(values.min() < 0))
    subject = Subject(
        "Feature maps", layer, values, f"what {layer} gives (epochs, C, h, w), in its own units"
    )
    return Film(
        subject,
        f"{layer}, all {values.shape[1]} channels",
        lambda place: sheet(values[place], range, width=SHEET_WIDTH),
        lambda place: colour(values[place, channel], range),
        lambda place: f"{number(values[place].min())} … {number(values[place].max())} in this epoch.",
        [range] * len(values),
        "one scale for all epochs and channels",
    )


def filters(values: Floats, layer: str) -> Film:
    """The kernels (epochs, C, in, k, k) of the first convolution."""
    range = ranges.symmetric(values)

    def tiles(place: int) -> Pixels:
        return kernels(values[place], range)

    def large(place: int) -> Pixels:
        each = tiles(place)
        columns = columns_for(len(each))
        scale = max(1, 3 * SHEET_WIDTH // (columns * (3 * each.shape[2] + 1)))
        return tiled(each.repeat(scale, axis=1).repeat(scale, axis=2), columns, 1 + scale // 3, DARK)

    colours = values.shape[2] == 3
    said = "grey is 0, a cell's colour is what it likes" if colours else "the mean over what each reads"
    subject = Subject("Filters", layer, values, f"the kernels of {layer} (epochs, C, in, k, k)")
    return Film(
        subject,
        f"The {values.shape[1]} filters of {layer}, {values.shape[3]} × {values.shape[4]} cells each",
        large,
        lambda place: tiled(tiles(place), columns_for(values.shape[1]), 1, DARK),
        lambda place: f"{number(values[place].min())} … {number(values[place].max())} in this epoch; {said}.",
        [range] * len(values),
        "one scale for all epochs and filters",
        bar=not colours,
    )


def norm(found: Sequence[NormSummary], statistic: str) -> Film:
    """One statistic of a BatchNorm: a cell for every channel."""
    name, of, signed = STATISTICS[statistic]
    values = np.stack([of(each) for each in found])
    range = ranges.shared(values, signed=signed)

    def cells(place: int) -> Floats:
        return np.asarray(values[place][:, None, None])

    subject = Subject(f"BatchNorm, {name}", found[0].layer, values, f"{name} of each channel (epochs, C)")
    return Film(
        subject,
        f"{name} of the {values.shape[1]} channels of {found[0].layer}",
        lambda place: sheet(cells(place), range, width=SHEET_WIDTH, largest=80),
        lambda place: tiled(coloured(cells(place), range), columns_for(values.shape[1]), gap=0),
        lambda place: f"{number(values[place].min())} … {number(values[place].max())} in this epoch.",
        [range] * len(values),
        "one scale for all epochs and channels",
    )


def reduced(pixels: Pixels, side: int) -> Pixels:
    """The picture, no larger than `side` either way."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    return np.array(image)


def strip(film: Film, epochs: Sequence[int], place: int) -> str:
    """Every epoch small, side by side, the chosen one framed, as html."""
    tiles = [_tile(film, place_, f"epoch {epoch}", place_ == place) for place_, epoch in enumerate(epochs)]
    return markup.element("div", *tiles, cls="fx-strip-time")


def _tile(film: Film, place: int, said: str, chosen: bool) -> str:
    picture = markup.figure(film.small(place), f"{film.title}, {said}", markup.text(said), fill=True)
    return markup.element("div", picture, cls="chosen" if chosen else "")


def contact(film: Film, epochs: Sequence[int]) -> Pixels:
    """The strip as one picture: every epoch small, in rows, with its number below it."""
    tiles = [animation.labelled(film.small(place), [f"epoch {epoch}"]) for place, epoch in enumerate(epochs)]
    return tiled(np.stack(tiles), min(len(tiles), IN_A_ROW), 8, animation.PAPER)


def animated(film: Film, words: Sequence[str], kind: str) -> bytes:
    """All epochs as one animation, each with its words and its range below it."""
    last = max(len(words) - 1, 1)
    frames = [
        animation.labelled(
            film.large(place), (said, f"{film.title}: {ranges.text(film.ranges[place])}"), place / last
        )
        for place, said in enumerate(words)
    ]
    return animation.animation(frames, "gif" if kind == "gif" else "png")
