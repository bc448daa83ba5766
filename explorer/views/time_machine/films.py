"""The pictures of the time machine: one quantity at every epoch, large, as a strip, as an animation."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explorer.drawing import animation, ranges
from explorer.drawing.colormaps import color
from explorer.drawing.kernels import kernels
from explorer.drawing.overlay import overlay
from explorer.drawing.pictures import data_uri, reduced
from explorer.drawing.ranges import Range, from_to, percent
from explorer.drawing.sheets import colored, columns_for, sheet, tiled
from explorer.engine.batchnorm import NormSummary
from explorer.ui.markdown import literal
from model.card import Pixels
from model.pixels import Rectangle
from model.words import N_, ngettext, tr

Floats = npt.NDArray[np.float32]
SHEET_WIDTH = 720  # of a sheet of all channels, on the page and in the animation
DARK = (24, 28, 33)  # between filters: their zero is gray
LARGEST = 512  # pixels across of a photograph under a heat map
STRIP = 96  # pixels across of a picture in the strip
IN_A_ROW = 6  # of them, where the strip is one picture

STATISTICS: dict[str, tuple[str, Callable[[NormSummary], Floats], bool]] = {
    "mean": (N_("Running mean"), lambda norm: norm.running_mean, True),
    "std": (N_("Running σ"), lambda norm: norm.running_std, False),
    "gamma": (N_("γ"), lambda norm: norm.weight, True),
    "beta": (N_("β"), lambda norm: norm.bias, True),
}
"""Name → its title, how to read it from a summary, and whether it is signed."""


@dataclass(frozen=True, eq=False)
class FilmSubject:
    """The quantity that a film shows: a method's `values` (epochs, …) at a layer, described in words."""

    method: str
    layer: str
    values: Floats
    description: str


@dataclass(frozen=True, eq=False)
class Film:
    """One quantity over the epochs: `large` and `small` draw it at an index among them, `note` describes it.

    A picture is drawn on the range of its index, which is one range for all unless `own`; `scale` says how
    far it is shared. `bar` is False where the picture has its own colors, so that no color bar fits it.
    """

    of: FilmSubject
    title: str
    large: Callable[[int], Pixels]
    small: Callable[[int], Pixels]
    note: Callable[[int], str]
    ranges: Sequence[Range]
    scale: str
    bar: bool = True
    own: bool = False

    @property
    def digest(self) -> str:
        """What stands for the pictures: the values, their ranges, and what they are drawn over."""
        ends = [(range.low, range.high) for range in self.ranges]
        about = f"{self.of.method} {self.of.layer} {self.of.values.shape} {ends}\n".encode()
        return hashlib.sha256(about + self.of.values.tobytes() + self.large(0).tobytes()).hexdigest()[:16]


def heat(
    pixels: Pixels,
    place: Rectangle,
    values: Floats,
    layer: str,
    target: str,
    signed: bool,
    own: bool = False,
) -> Film:
    """Grad-CAM (epochs, h, w) of a class over `place`, the part of the picture that it lies on.

    With `own`, each epoch is drawn on a scale of its own.
    """
    ranged = ranges.symmetric if signed else ranges.positive
    drawn = [ranged(each) for each in values] if own else [ranged(values)] * len(values)

    def drawer(side: int) -> Callable[[int], Pixels]:
        picture = reduced(pixels, side)
        part = place.scaled(pixels.shape[:2], picture.shape[:2])
        return lambda index: overlay(picture, values[index], drawn[index], part)

    return Film(
        FilmSubject("Grad-CAM", layer, values, heat_description(target)),
        tr("Grad-CAM of {target} at {layer}", target=target, layer=layer),
        drawer(LARGEST),
        drawer(STRIP),
        lambda index: heat_note(values[index]),
        drawn,
        tr("separate scale for each epoch") if own else tr("shared scale for all epochs"),
        own=own,
    )


def heat_description(target: str) -> str:
    return tr(
        "Grad-CAM of {target} (epochs, h, w): raw and signed, in units of the logit; its values do not "
        "add up to the logit",
        target=target,
    )


def heat_note(values: Floats) -> str:
    """The range of one Grad-CAM (h, w), and how much of it is negative."""
    negative = percent(float((values < 0).mean()), 0)
    if not values.max() > 0:
        return tr(
            "No positive evidence for the class: {percent} of positions are negative.", percent=negative
        )
    low, high = from_to(values.min(), values.max())
    return tr(
        "{low} … {high}; {percent} of positions are negative.",
        low=low,
        high=high,
        percent=negative,
    )


def range_note(values: Floats) -> str:
    """The range of one epoch's values."""
    low, high = from_to(values.min(), values.max())
    return tr("{low} … {high} in this epoch.", low=low, high=high)


def maps(values: Floats, layer: str, channel: int) -> Film:
    """All feature maps (epochs, C, h, w) of a layer; in the strip one channel."""
    range = ranges.shared(values, signed=bool(values.min() < 0))
    description = tr("output of {layer} (epochs, C, h, w), in its own units", layer=layer)
    count = values.shape[1]
    return Film(
        FilmSubject(tr("Feature maps"), layer, values, description),
        ngettext("{layer}, {n} channel", "{layer}, all {n} channels", count, layer=layer),
        lambda index: sheet(values[index], range, width=SHEET_WIDTH),
        lambda index: color(values[index, channel], range),
        lambda index: range_note(values[index]),
        [range] * len(values),
        tr("shared scale for all epochs and channels"),
    )


def filters(values: Floats, layer: str) -> Film:
    """The kernels (epochs, C, in, k, k) of the first convolution."""
    range = ranges.symmetric(values)
    columns = columns_for(values.shape[1])

    def tiles(index: int) -> Pixels:
        return kernels(values[index], range)

    def large(index: int) -> Pixels:
        each = tiles(index)
        scale = max(1, 3 * SHEET_WIDTH // (columns * (3 * each.shape[2] + 1)))
        return tiled(each.repeat(scale, axis=1).repeat(scale, axis=2), columns, 1 + scale // 3, DARK)

    description = tr("kernels of {layer} (epochs, C, in, k, k)", layer=layer)
    return Film(
        FilmSubject(tr("Kernels"), layer, values, description),
        filters_title(values, layer),
        large,
        lambda index: tiled(tiles(index), columns, 1, DARK),
        lambda index: filters_note(values[index]),
        [range] * len(values),
        tr("shared scale for all epochs and kernels"),
        bar=values.shape[2] != 3,
    )


def filters_title(values: Floats, layer: str) -> str:
    _, count, _, height, width = values.shape
    return ngettext(
        "{n} kernel of {layer}, {height} × {width}",
        "{n} kernels of {layer}, {height} × {width} each",
        count,
        layer=layer,
        height=height,
        width=width,
    )


def filters_note(values: Floats) -> str:
    """The range of one epoch's kernels (C, in, k, k), and what their colors mean."""
    low, high = from_to(values.min(), values.max())
    if values.shape[1] == 3:
        return tr(
            "{low} … {high} in this epoch; red, green and blue show the weights of the three input channels, "
            "gray is 0.",
            low=low,
            high=high,
        )
    return tr("{low} … {high} in this epoch; drawn is the mean over the input channels.", low=low, high=high)


def norm(norms: Sequence[NormSummary], statistic: str) -> Film:
    """One statistic of a BatchNorm: one square for each channel."""
    title, of, signed = STATISTICS[statistic]
    values, layer, name = np.stack([of(each) for each in norms]), norms[0].layer, tr(title)
    range = ranges.shared(values, signed=signed)
    count = values.shape[1]

    def squares(index: int) -> Floats:
        return np.asarray(values[index][:, None, None])

    description = tr("{statistic} of each channel (epochs, C)", statistic=name)
    return Film(
        FilmSubject(tr("BatchNorm, {statistic}", statistic=name), layer, values, description),
        ngettext(
            "{statistic} of the {n} channel of {layer}",
            "{statistic} of the {n} channels of {layer}",
            count,
            statistic=name,
            layer=layer,
        ),
        lambda index: sheet(squares(index), range, width=SHEET_WIDTH, largest=80),
        lambda index: tiled(colored(squares(index), range), columns_for(count), gap=0),
        lambda index: range_note(values[index]),
        [range] * len(values),
        tr("shared scale for all epochs and channels"),
    )


def tiles(film: Film, epochs: Sequence[int]) -> list[str]:
    """Every epoch small, with its number below it, as the Markdown of a button's label."""
    return [_tile(film, index, epoch) for index, epoch in enumerate(epochs)]


def _tile(film: Film, index: int, epoch: int) -> str:
    pixels = film.small(index)
    address = data_uri(pixels, max(1, STRIP // max(pixels.shape)))
    return f"![{literal(film.title)}]({address}) {epoch_name(epoch)}"


def epoch_name(epoch: int) -> str:
    return tr("epoch {epoch}", epoch=epoch)


def contact(film: Film, epochs: Sequence[int]) -> Pixels:
    """The strip as one picture: every epoch small, in rows, with its number below it."""
    tiles = [animation.labelled(film.small(index), [epoch_name(each)]) for index, each in enumerate(epochs)]
    return tiled(np.stack(tiles), min(len(tiles), IN_A_ROW), 8, animation.PAPER)


def frame_texts(film: Film, predictions: Sequence[str]) -> list[tuple[str, str]]:
    """The two lines below each frame of the animation: the prediction, and the picture's range."""
    return [
        (prediction, tr("{title}: {range}", title=film.title, range=ranges.text(range)))
        for prediction, range in zip(predictions, film.ranges, strict=True)
    ]


def animated(film: Film, texts: Sequence[tuple[str, str]], kind: str) -> bytes:
    """All epochs as one animation, each with its lines of text below it."""
    last = max(len(texts) - 1, 1)
    frames = [animation.labelled(film.large(index), lines, index / last) for index, lines in enumerate(texts)]
    return animation.animation(frames, "gif" if kind == "gif" else "png")
