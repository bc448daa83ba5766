"""A convolution's or pooling's window on its padded input, and the position of its output, as pictures."""

import numpy as np
import numpy.typing as npt

from explorer.drawing.palette import Color
from explorer.engine.geometry import WindowAxis

Pixels = npt.NDArray[np.uint8]
Booleans = npt.NDArray[np.bool_]
SIDE = 480  # pixels of a picture's longer side, about
LEAST, MOST = 3, 32  # pixels of a cell
CELL, PADDING, HATCH, LINE = "#dcd8cf", "#f4f2ec", "#c9c4b8", "#ffffff"
FRAME = 2  # pixels


def padded_input(rows: WindowAxis, columns: WindowAxis, row: int, column: int) -> Pixels:
    """The padded input, uint8 (H, W, 3): padding hatched, the cells that output position (row, column) reads
    in green, its window framed, and in orange the cells of the input that no window reads."""
    start = rows.padding[0], columns.padding[0]
    taps = rows.taps(row) + start[0], columns.taps(column) + start[1]
    height = max(rows.input + sum(rows.padding), int(taps[0][-1]) + 1)
    width = max(columns.input + sum(columns.padding), int(taps[1][-1]) + 1)
    inside = np.zeros((height, width), bool)
    inside[start[0] : start[0] + rows.input, start[1] : start[1] + columns.input] = True
    unread = np.zeros((height, width), bool)
    unread[rows.unread + start[0]] = True
    unread[:, columns.unread + start[1]] = True
    read = np.zeros((height, width), bool)
    read[np.ix_(*taps)] = True
    pixels = _pixels(inside, unread & inside, read)
    size = _pixel_size(height, width)
    _frame(pixels, *(slice(int(each[0]) * size, (int(each[-1]) + 1) * size) for each in taps))
    return pixels


def output_map(rows: WindowAxis, columns: WindowAxis, row: int, column: int) -> Pixels:
    """The output's positions, uint8 (H, W, 3), with the position (row, column) in green."""
    every = np.ones((rows.output, columns.output), bool)
    chosen = np.zeros_like(every)
    chosen[row, column] = True
    return _pixels(every, ~every, chosen)


def _pixel_size(height: int, width: int) -> int:
    return min(max(SIDE // max(height, width), LEAST), MOST)


def _pixels(inside: Booleans, unread: Booleans, read: Booleans) -> Pixels:
    """Cells (h, w) as a picture: outside hatched, unread and read ones colored, lines between."""
    size = _pixel_size(*inside.shape)
    dark, light = (
        _colored(ground, inside, unread, read).repeat(size, 0).repeat(size, 1) for ground in (HATCH, PADDING)
    )
    y, x = np.indices(dark.shape[:2])
    pixels = np.where(((x + y) % 6 < 2)[..., None], dark, light)
    if size > LEAST:
        pixels[(y % size == 0) | (x % size == 0)] = _rgb(LINE)
    return pixels


def _colored(ground: str, inside: Booleans, unread: Booleans, read: Booleans) -> Pixels:
    """The color of each cell (h, w, 3), on a ground of one color."""
    pixels = np.broadcast_to(_rgb(ground), (*inside.shape, 3))
    for mask, color in zip((inside, unread, read), (CELL, Color.HIGHLIGHT, Color.ACCENT), strict=True):
        opacity = 1.0 if color == CELL else 0.62
        mixed = (opacity * _rgb(color) + (1 - opacity) * pixels).astype(np.uint8)
        pixels = np.where(mask[..., None], mixed, pixels)
    return pixels.astype(np.uint8)


def _frame(pixels: Pixels, rows: slice, columns: slice) -> None:
    for edge in range(FRAME):
        pixels[[rows.start + edge, rows.stop - 1 - edge], columns] = _rgb("#0b4f4b")
        pixels[rows, [columns.start + edge, columns.stop - 1 - edge]] = _rgb("#0b4f4b")


def _rgb(color: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(color[1:]), np.uint8)
