"""The first step of a position's arithmetic: the input image with the receptive field framed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explorer.engine.probe import PositionProbe
from explorer.engine.receptive import ReceptiveField, wraps_around
from explorer.engine.tracing import Block
from explorer.ui import cached, markup
from explorer.ui.selection import Selection
from explorer.views.maps.step_html import step_html
from explorer.views.maps.view import Position
from model.words import N_, paragraph, tr

WRAPS = N_(
    "The network pads its maps circularly: at a border a layer reads the opposite side, so a field that "
    "crosses the border is shown as all rows or all columns."
)
MARGIN = 0.35  # of the image's size: how much padding is drawn around it at most

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FieldFrame:
    """A part of the image plane in pixels; below 0 and beyond the image is padding."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left


def receptive_field(
    selection: Selection, block: Block, layer: str, position: Position, probe: PositionProbe
) -> str:
    """The input image with the receptive field framed, and the field by itself."""
    fields = cached.receptive_fields(selection.network, selection.input)
    field = fields[layer].at(*position)
    inner = fields[block.name].at(probe.row, probe.column)
    pixels = selection.framed
    boxes = [box(field)] + ([box(inner)] if box(inner) != box(field) else [])
    around = surroundings(pixels, fields[layer].rows, fields[layer].columns)
    text = field_text(field, pixels)
    alt = tr("The input with the receptive field framed. {description}", description=text)
    pictures = [placed(pixels, around, alt, boxes)]
    if not covers(field, pixels):
        pictures.append(placed(pixels, box(field), tr("The image inside the receptive field"), boxes[1:]))
    texts = [markup.text(text)]
    if not field.exact and wraps_around(selection.network.net):
        texts.append(markup.text(tr(WRAPS), "muted"))
    if len(boxes) > 1:
        template = N_("Inner frame: the receptive field of the position in {layer} that the steps follow.")
        texts.append(markup.text(tr(template, layer=block.name), "muted"))
    title = tr("Receptive field of ({row}, {column})", row=position[0], column=position[1])
    return step_html(title, markup.element("div", *pictures, cls="fx-sights"), *texts)


def box(field: ReceptiveField) -> FieldFrame:
    return FieldFrame(field.top, field.bottom, field.left, field.right)


def covers(field: ReceptiveField, pixels: Pixels) -> bool:
    height, width = pixels.shape[:2]
    return field.top <= 0 and field.left <= 0 and field.bottom >= height and field.right >= width


def surroundings(pixels: Pixels, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> FieldFrame:
    """The image with as much padding around it as the positions of a layer reach into, within bounds."""
    height, width = pixels.shape[:2]
    most = int(MARGIN * max(height, width))
    top, bottom = max(int(rows.min()), -most), min(int(rows.max()), height + most)
    left, right = max(int(columns.min()), -most), min(int(columns.max()), width + most)
    return FieldFrame(min(top, 0), max(bottom, height), min(left, 0), max(right, width))


def field_text(field: ReceptiveField, pixels: Pixels) -> str:
    """The receptive field's size and position in one or two sentences."""
    top, bottom, left, right = field.reach
    text = tr(
        field_template(field, pixels),
        height=field.bottom - field.top,
        width=field.right - field.left,
        top=top,
        bottom=bottom - 1,
        left=left,
        right=right - 1,
    )
    beyond = field.top < 0 or field.left < 0 or field.bottom > len(pixels) or field.right > pixels.shape[1]
    return paragraph([text, tr("The hatched area is padding.")]) if beyond else text


def field_template(field: ReceptiveField, pixels: Pixels) -> str:
    """The sentence for a field: whole image, part of it or padding only; exact or an upper bound."""
    if covers(field, pixels):
        if field.exact:
            return N_("{height} × {width} pixels: the whole image.")
        return N_("At most {height} × {width} pixels: the whole image.")
    if field.reach == (0, 0, 0, 0):
        return N_("{height} × {width} pixels, none of them in the image.")
    if field.exact:
        return N_(
            "{height} × {width} pixels. In the image: rows {top} to {bottom}, columns {left} to {right}."
        )
    return N_(
        "At most {height} × {width} pixels. In the image: rows {top} to {bottom}, columns {left} to {right}."
    )


def placed(pixels: Pixels, frame: FieldFrame, alt: str, boxes: list[FieldFrame]) -> str:
    """A part of the image plane as html: the image's pixels, hatching for padding, frames on top."""
    top, bottom = max(frame.top, 0), min(frame.bottom, len(pixels))
    left, right = max(frame.left, 0), min(frame.right, pixels.shape[1])
    inner = []
    if top < bottom and left < right:
        part = FieldFrame(top, bottom, left, right)
        picture = markup.image(pixels[top:bottom, left:right], alt, fill=True)
        inner.append(f'<div style="{_style(part, frame)}">{picture}</div>')
    else:
        inner.append(markup.text(tr("padding only"), "muted"))
    inner += [f'<i style="{_style(one, frame)}"></i>' for one in boxes]
    ratio = f"aspect-ratio:{frame.width}/{frame.height}"
    return f'<div class="fx-sight" style="{ratio}">{"".join(inner)}</div>'


def _style(part: FieldFrame, whole: FieldFrame) -> str:
    return (
        f"left:{(part.left - whole.left) / whole.width:.3%};top:{(part.top - whole.top) / whole.height:.3%};"
        f"width:{part.width / whole.width:.3%};height:{part.height / whole.height:.3%}"
    )
