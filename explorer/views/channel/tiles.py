"""Images in which a channel is large or small, cut to what the position that fired can see."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from explorer.drawing.pictures import data_uri, enlarged
from explorer.drawing.ranges import column
from explorer.ui.components.picture_grid import CARD, MAP, Picture, picture_grid
from explorer.ui.scans import scanning
from explorer.views.channel.subject import ChannelSubject, framed
from model.card import Pixels
from model.words import tr

SIDE = 160  # pixels that a whole image is enlarged to about, so that a frame is thin


@dataclass(frozen=True, eq=False)
class ExampleTile:
    """An image by its row, the position that fired if there is one, and its value."""

    row: int
    value: float
    position: tuple[int, int] | None


def picture(subject: ChannelSubject, tile: ExampleTile, whole: bool) -> Pixels:
    """The receptive field of the position, cut at the border of the image; or all of it, with a frame."""
    pixels = framed(subject, tile.row)
    if tile.position is None:
        return pixels
    top, bottom, left, right = subject.field(tile.position).reach
    if top >= bottom or left >= right:
        return pixels
    return with_frame(pixels, (top, bottom, left, right)) if whole else pixels[top:bottom, left:right]


def with_frame(pixels: Pixels, reach: tuple[int, int, int, int]) -> Pixels:
    """The image enlarged, with a white and black frame inside rows and columns `reach`, stops excluded."""
    scale = max(1, SIDE // max(pixels.shape[:2]))
    large = np.array(enlarged(pixels, scale))
    top, bottom, left, right = (each * scale for each in reach)
    for inset, shade in ((0, 0), (1, 255), (2, 255), (3, 0)):
        one, other = slice(top + inset, bottom - inset), slice(left + inset, right - inset)
        if bottom - top <= 2 * inset or right - left <= 2 * inset:
            break
        large[one, [left + inset, right - inset - 1]] = shade
        large[[top + inset, bottom - inset - 1], other] = shade
    return large


def show(subject: ChannelSubject, tiles: list[ExampleTile], key: str, whole: bool) -> None:
    """Cards that are buttons: each makes its image the selected one on every page."""
    assert subject.scan is not None
    values = column(tile.value for tile in tiles)
    cards = [card(subject, tile, whole, text) for tile, text in zip(tiles, values, strict=True)]
    select = partial(scanning.select, subject.scan)
    picture_grid(cards, key=f"cards_{key}", on_open=select, side=CARD, crisp=MAP)


def card(subject: ChannelSubject, tile: ExampleTile, whole: bool, value: str) -> Picture:
    name = subject.images.take(tile.row).name
    return Picture(
        tile.row,
        data_uri(picture(subject, tile, whole)),
        tr("Select {name}", name=name),
        (value,),
        label_of(subject, tile.row),
        tr("{name}: {value}", name=name, value=value),
    )


def label_of(subject: ChannelSubject, row: int) -> str:
    """The class that an image is labeled with; a sign for none."""
    label = int(subject.images.labels[row])
    return "–" if label < 0 else subject.selection.class_names[label]


def field_in_words(subject: ChannelSubject, whole: bool) -> str:
    """How much of an image a position sees, in a sentence; it is what is cut out, or framed in a `whole`."""
    (rows, columns), size = (subject.fields.rows, subject.fields.columns), subject.selection.card.input_size
    height, width = int((rows[:, 1] - rows[:, 0]).max()), int((columns[:, 1] - columns[:, 0]).max())
    fields = {"height": height, "width": width, "size": size}
    if whole:
        return tr(
            "Frame: the receptive field of the position with the largest value, {height} × {width} of "
            "{size} × {size} pixels, less at the border of the image.",
            **fields,
        )
    return tr(
        "Cut to the receptive field of the position with the largest value: {height} × {width} of "
        "{size} × {size} pixels, less at the border of the image.",
        **fields,
    )
