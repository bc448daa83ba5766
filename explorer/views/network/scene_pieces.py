"""What the scenes are made of: pictures with their frames, windows, sums, and how channels are called."""

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.pictures import data_uri, icon_uri
from explorer.drawing.ranges import Range
from explorer.engine.geometry import layer_size
from explorer.engine.probe import ConvStep
from explorer.engine.strongest_path import MapStep, Position
from explorer.ui.components.play import Box, Grid, Picture, Row
from explorer.ui.selection import Selection
from explorer.views.maps.inspector import input_names
from explorer.views.maps.matrix import decimals_for, fixed
from model.words import N_, tr

MOST_FRAMES = 30  # of a sliding window
LARGEST = 128  # positions across of a map's picture
WIDE = 6  # columns of a window from which on its cells have no numbers
THUMB = 32  # positions across of a picture in the row of steps


def channel_name(channel: int, layer: str) -> str:
    return tr("channel {channel} of {layer}", channel=channel, layer=layer)


def channel_names(selection: Selection, channels: Sequence[int]) -> list[str]:
    """The names of channels of the image: its colors, or gray."""
    conv = next((name for name, read in selection.seen.inputs.items() if read.source == ""), None)
    if conv is None:
        return [tr("channel {channel}", channel=channel) for channel in channels]
    names = input_names(selection, conv, range(max(channels) + 1))
    return [names[channel] for channel in channels]


def conv_input_names(selection: Selection, step: MapStep) -> list[str]:
    assert isinstance(step.arithmetic, ConvStep)
    channels = step.arithmetic.channels
    if step.source == "":
        return input_names(selection, step.layer, channels)
    if step.source is None:
        return [tr("input channel {channel}", channel=channel) for channel in channels]
    return [channel_name(channel, step.source) for channel in channels]


def photo(selection: Selection, name: str, box: Box) -> Picture:
    pixels = selection.framed
    alt = tr("The input of the network: {name}", name=selection.sample.name)
    uri = data_uri(pixels) if len(pixels) <= LARGEST else icon_uri(pixels)
    return Picture(uri, *pixels.shape[:2], name, alt, box)


def map_picture(values: npt.NDArray[np.float32], name: str, box: Box) -> Picture:
    range_ = range_of(values)
    extent = ranges.text(range_)
    small = _small(values)
    rows, columns = values.shape
    template = N_("{name}: {rows} by {columns} values, color range {range}")
    alt = tr(template, name=name, rows=rows, columns=columns, range=extent)
    caption = tr("{name} · {range}", name=name, range=extent)
    return Picture(data_uri(color(small, range_)), rows, columns, caption, alt, box)


def range_of(values: npt.NDArray[np.float32]) -> Range:
    return ranges.shared(values, signed=bool(np.nanmin(values) < 0))


def _small(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Every n-th value of a map that is larger than its picture."""
    return values[:: max(1, len(values) // LARGEST), :: max(1, values.shape[1] // LARGEST)]


def thumb(values: npt.NDArray[np.float32]) -> str:
    """The picture of a map (h, w) in the row of steps, or of a vector (U,), row by row."""
    if values.ndim == 1:
        side = math.ceil(math.sqrt(len(values)))
        values = np.pad(values, (0, side * side - len(values))).reshape(side, side)
    small = values[:: max(1, len(values) // THUMB), :: max(1, values.shape[1] // THUMB)]
    return data_uri(color(small, range_of(values)))


def both(step: MapStep) -> dict[str, Picture]:
    box: Box = (*row_column(step.position), 1, 1)
    after = map_picture(step.made, tr("after {layer}", layer=step.layer), box)
    return {"left": map_picture(step.read, tr("before"), box), "right": after}


def row_column(position: Position) -> tuple[int, int]:
    return position[-2], position[-1]


def window(rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> Box:
    return (
        int(rows[0]), int(columns[0]), int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1,
    )  # fmt: skip


def sweep(selection: Selection, step: MapStep) -> tuple[tuple[Box, Box], ...]:
    """The window and its result on the way from the first position to the last, row by row."""
    size = layer_size(selection.net, selection.seen, step.layer)
    if size is None:
        return ()
    (row, column), width = row_column(step.position), step.made.shape[1]
    last = row * width + column
    frames = []
    for number in np.linspace(0, last, min(last + 1, MOST_FRAMES)).round().astype(int).tolist():
        i, j = divmod(number, width)
        frames.append((window(size.rows.taps(i), size.columns.taps(j)), (float(i), float(j), 1.0, 1.0)))
    return tuple(frames)


def grid(
    values: npt.NDArray[np.floating],
    range_: Range,
    title: str,
    name: str,
    sign: str = "",
    *,
    outside: npt.NDArray[np.bool_] | None = None,
    chosen: tuple[int, int] | None = None,
) -> Grid:
    decimals, pixels = decimals_for(range_), color(values, range_)
    hidden = np.zeros(values.shape, bool) if outside is None else outside
    cells = tuple(
        _cell(float(values[at]), pixels[at], decimals, bool(hidden[at]), at == chosen)
        for at in np.ndindex(*values.shape)
    )
    label = tr(
        "{name}: {rows} by {columns} values, color range {range}", name=f"{title}, {name}",
        rows=values.shape[0], columns=values.shape[1], range=ranges.text(range_),
    )  # fmt: skip
    return Grid(title, label, values.shape[1], cells, sign, small=values.shape[1] >= WIDE)


def _cell(
    value: float, pixel: npt.NDArray[np.uint8], decimals: int, outside: bool, chosen: bool
) -> tuple[str, str, str, str]:
    if outside:
        return ("" if math.isnan(value) else fixed(value, decimals), "", "", "outside")
    ink = "#fff" if pixel @ (0.299, 0.587, 0.114) < 132 else "#111"
    red, green, blue = pixel.tolist()
    return fixed(value, decimals), f"rgb({red},{green},{blue})", ink, "chosen" if chosen else ""


def terms_of(terms: Sequence[tuple[str, float, str]], texts: dict[str, str] | None = None) -> tuple[Row, ...]:
    """Terms of a sum as (name, value, kind), with bars from a common zero and the sum up to each."""
    values = [value for _, value, _ in terms]
    largest, least = max((0.0, *values)), min((0.0, *values))
    extent = largest - least
    zero = -least / extent if extent else 0.0
    sums = list(accumulate(values))
    as_shown = accumulate(shown(value) for value in values)
    rows = []
    for (name, value, kind), sum_, computed in zip(terms, sums, as_shown, strict=True):
        side = largest if value >= 0 else -least
        text = (texts or {}).get(name) or text_of(value)
        rows.append(Row(name, text, value / side if side else 0.0, zero, equals(sum_, computed), kind))
    return tuple(rows)


def index_of(indices: npt.NDArray[np.int64], index: int) -> int:
    return int(np.flatnonzero(indices == index)[0])


def text_of(value: float) -> str:
    return fixed(value, 3)


def equals(value: float, computed: float | None = None) -> str:
    """A result, behind ≈ where the numbers shown before it give another one, `computed`."""
    sign = "=" if computed is None else ranges.equals(computed, text_of(value))
    return f"{sign} {text_of(value)}"


def shown(value: float) -> float:
    """A number as `text_of` shows it."""
    return round(value, 3)


def _sign(kind: str) -> str:
    return {"ReLU": "⟋", "Dropout": "·"}.get(kind, "ƒ")


def in_brackets(value: float) -> str:
    """A number behind a sign: in brackets if it is negative."""
    return f"({text_of(value)})" if value < 0 else text_of(value)
