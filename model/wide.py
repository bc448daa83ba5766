"""Pixels of more than 8 bits, or of numbers without a range, as 8 bits of gray or color.

The rules. Whole numbers: the fewest of 8, 10, 12, 14, 16, 17 … 32 bits that hold the largest color are
the range, so that a camera's 12 bits in a file of 16 are not near black; alpha may need more. Floating
point: within 0 to 1 as it is, else within 0 to 255 as it is, else from the least value (black) to the
greatest (white). So are whole numbers of which some are negative. What is not finite is black.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

Pixels = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
BITS = (8, 10, 12, 14, *range(16, 33))
BITS_PER_SAMPLE, SAMPLE_FORMAT = 258, 339  # tags of a TIFF
CHUNK = 2_000_000  # values that are scaled at once: all of them would take eight times the memory


def is_wide(image: Image.Image) -> bool:
    """Whether each pixel is one number of more than 8 bits."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def numbers(image: Image.Image) -> npt.NDArray[Any]:
    """The pixels (H, W) of a wide image; whole numbers of 32 bits without a sign as what they are."""
    values, tags = np.asarray(image), getattr(image, "tag_v2", {})
    unsigned = (
        image.mode == "I" and tags.get(BITS_PER_SAMPLE) == (32,) and tags.get(SAMPLE_FORMAT, (1,)) == (1,)
    )
    return values.view(np.uint32) if unsigned else values


def to_8_bits(values: npt.NDArray[Any]) -> Pixels:
    """Numbers of any range, (H, W) or more, as uint8 by the rules above."""
    return _scaled(values, *_range(values))


def _range(values: npt.NDArray[Any]) -> tuple[float, float]:
    """The numbers that become black and white."""
    if values.dtype.kind != "f":
        low, high = float(values.min()), float(values.max())
        return (0.0, _most_of_bits(high)) if low >= 0 else (low, max(high, low + 1))
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 and high <= 255:
        return 0.0, 1.0 if high <= 1 else 255.0
    return low, high if high > low else low + 1


def _most_of_bits(value: float) -> float:
    return float(2 ** next(bits for bits in BITS if value < 2**bits) - 1)


def _scaled(values: npt.NDArray[Any], low: float, high: float) -> Pixels:
    scaled = np.empty(values.shape, np.uint8)
    rows = max(1, CHUNK // max(1, values[:1].size))
    for start in range(0, len(values), rows):
        part = values[start : start + rows].astype(np.float64)
        part[~np.isfinite(part)] = low
        scaled[start : start + rows] = np.floor(255 * ((part - low) / (high - low)).clip(0, 1) + 0.5)
    return scaled


# Colors of 16 bits, of which Pillow reads the upper 8 only

COLORS = re.compile(r"(RGBA?);16([BLN])")
GRAY_ALPHA = "LA;16B"  # has no other order, but as RGBA its bytes are gray, gray, alpha, alpha
OTHER_ORDER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
FEW = 64  # of the upper byte: 14 bits or fewer are used


def with_all_bits(image: ImageFile.ImageFile, reopened: Callable[[], Image.Image]) -> None:
    """Decode an image; colors, or gray with alpha, of 16 bits that use 14 or fewer are scaled by these rules.

    Alpha has the range of the colors, or that of more bits if it has a number beyond it. `reopened` opens the
    same file again: Pillow gives the lower 8 bits if it is told that the bytes come in the other order.
    """
    tiles = [_in_other_order(tile) for tile in image.tile]
    image.load()
    if not tiles or None in tiles:
        return
    most = [int(top) for _, top in image.getextrema()]  # type: ignore[misc]
    if max(most[:3]) >= FEW:
        return
    lower = reopened()
    if not isinstance(lower, ImageFile.ImageFile):
        return
    lower.tile = [tile for tile in tiles if tile is not None]
    gray = any(tile.args == "RGBA" for tile in lower.tile)
    lower.load()
    white = _most_of_bits(256 * max(most[:3]) + 255)
    opaque = max(white, _most_of_bits(256 * most[-1] + 255))
    _scale(image, _of_gray(lower) if gray else lower, white, opaque)


def _of_gray(lower: Image.Image) -> Image.Image:
    _, gray, _, alpha = lower.split()
    return Image.merge("RGBA", (gray, gray, gray, alpha))


def _scale(image: Image.Image, lower: Image.Image, white: float, opaque: float) -> None:
    """Scale an image, of which the lower 8 bits are given too, in place.

    `white` and `opaque` become 255.
    """
    colors, alpha = (_scaled(np.arange(2**16), 0, end) for end in (white, opaque))
    for box in _strips(*image.size):
        values = _joined(image, lower, box)
        pixels = colors[values]
        if opaque != white:
            pixels[..., 3:] = alpha[values[..., 3:]]
        image.paste(Image.fromarray(pixels), box[:2])


def _in_other_order(tile: ImageFile._Tile) -> ImageFile._Tile | None:
    """A part of a file to decode, with the bytes of each number in the other order; None for other pixels."""
    mode = tile.args[0] if isinstance(tile.args, tuple) else tile.args
    match = COLORS.fullmatch(mode) if isinstance(mode, str) else None
    if match is None and mode != GRAY_ALPHA:
        return None
    other = f"{match[1]};16{OTHER_ORDER[match[2]]}" if match else "RGBA"
    return tile._replace(args=(other, *tile.args[1:]) if isinstance(tile.args, tuple) else other)


def _strips(width: int, height: int) -> list[Box]:
    rows = max(1, CHUNK // (4 * width))
    return [(0, top, width, min(top + rows, height)) for top in range(0, height, rows)]


def _joined(upper: Image.Image, lower: Image.Image, box: Box) -> npt.NDArray[np.uint16]:
    """All channels of a part of the image, (h, w, channels)."""
    high, low = (np.asarray(each.crop(box)).astype(np.uint16) for each in (upper, lower))
    return high * np.uint16(256) + low
