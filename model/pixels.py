"""From any Pillow image to the uint8 RGB pixels the rest of the project works on."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps


def to_rgb(image: Image.Image) -> Image.Image:
    """Return `image` upright and in RGB: EXIF rotation applied, transparency laid on white, 16-bit grey scaled.

    Modes 1, L, LA, P, PA, RGB, RGBA, RGBX, CMYK, YCbCr, LAB, HSV and 16-bit grey; ValueError for the others
    (32-bit integer and floating-point pixels have no agreed range).
    """
    image = _upright(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return _from_16_bit(image)
    if image.mode in ("I", "F"):
        raise ValueError("its pixels are 32-bit numbers, which have no agreed brightness: save it with 8 or 16 bits")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def square(image: Image.Image, size: int) -> Image.Image:
    """Centre-crop `image` to a square and resize it to (size, size), antialiased; one already that size is unchanged."""
    if image.size == (size, size):
        return image
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box)


def _upright(image: Image.Image) -> Image.Image:
    if not image.info.get("exif") and image.format in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
        return image  # most training images: nothing to look for, and looking is slow
    return ImageOps.exif_transpose(image)


def _from_16_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float64) / 257  # 65535 / 257 == 255
    return Image.fromarray(np.rint(values.clip(0, 255)).astype(np.uint8)).convert("RGB")
