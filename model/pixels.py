"""From any Pillow image to the uint8 RGB pixels the rest of the project works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from model.image_file import orientation

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Rectangle:
    """A part of a picture: pixel rows `top` to `bottom`, columns `left` to `right`, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def inside(self) -> tuple[slice, slice]:
        """What picks its pixels out of an array (H, W, …)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def scaled(self, old: tuple[int, int], new: tuple[int, int]) -> Rectangle:
        """The same part once the picture goes from `old` to `new` (height, width): one pixel at least."""
        top, bottom = _scaled(self.top, self.bottom, old[0], new[0])
        left, right = _scaled(self.left, self.right, old[1], new[1])
        return Rectangle(top, bottom, left, right)


def _scaled(start: int, end: int, old: int, new: int) -> tuple[int, int]:
    first = min(round(start * new / old), new - 1)
    return first, max(round(end * new / old), first + 1)


def whole(height: int, width: int) -> Rectangle:
    """All of a picture."""
    return Rectangle(0, height, 0, width)


def center_square(height: int, width: int) -> Rectangle:
    """The largest square in the middle of a picture; where a row or column is over, it is the last one."""
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return Rectangle(top, top + side, left, left + side)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return `image` upright and in RGB: EXIF rotation applied, transparency on white, 16-bit gray scaled.

    Takes every mode of 8 bits or fewer a channel that Pillow converts, and 16-bit gray; ValueError for others
    (32-bit integer and floating-point pixels have no agreed range).
    """
    image.load()  # some formats keep their EXIF and transparency behind the pixels
    image = _upright(image)
    if image.mode.startswith("I;16"):
        return _from_16_bit(image)
    if image.mode in ("I", "F"):
        raise ValueError("its pixels are 32-bit numbers without an agreed brightness")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def square(image: Image.Image, size: int) -> Image.Image:
    """Center-crop `image` to a square and resize it to (size, size) as `Card.framed` does.

    Bilinear with antialiasing; an image that is size × size already is returned unchanged.
    """
    if image.size == (size, size):
        return image
    part = center_square(image.height, image.width)
    cropped = image.crop((part.left, part.top, part.right, part.bottom))  # resize(box=…) looks past the edge
    return cropped.resize((size, size), Image.Resampling.BILINEAR)


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = UPRIGHT.get(orientation(image))
    except Exception:  # broken EXIF raises whatever it makes Pillow trip over; the picture itself is good
        return image
    return image if turn is None else image.transpose(turn)


def _from_16_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    scaled = np.empty(values.shape, np.uint8)
    for row, wide in zip(scaled, values, strict=True):  # row by row takes a quarter of the memory
        row[:] = (wide.astype(np.uint32) + 128) // 257  # 65535 = 257 · 255
    return Image.fromarray(scaled).convert("RGB")
