"""Pixels as PNG: enlarged without blur or reduced, as bytes or as a data URI; as WebP to press on."""

import base64
import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RUNS = 3
"""Of zlib's strategies (Z_RLE): half the time of the usual one for photographs, a fifth for sheets of maps,
and no more bytes."""


def enlarged(pixels: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Every pixel of uint8 (h,w,3) as a square of `scale` pixels."""
    if scale < 1:
        raise ValueError(f"A picture can be enlarged 1 time or more, not {scale}.")
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def reduced(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The picture, no larger than `side` either way."""
    if max(pixels.shape[:2]) <= side:
        return pixels
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    return np.array(image)


def png(pixels: NDArray[np.uint8], scale: int = 1) -> bytes:
    """PNG bytes of uint8 (h,w,3) pixels, each enlarged to a square of `scale` pixels."""
    file = io.BytesIO()
    Image.fromarray(enlarged(pixels, scale)).save(file, "PNG", compress_level=3, compress_type=RUNS)
    return file.getvalue()


def data_uri(pixels: NDArray[np.uint8], scale: int = 1) -> str:
    """The PNG as a `data:` address, for html; made once, since a page asks for most of them again."""
    return _address(pixels.tobytes(), pixels.shape, scale)


def icon_uri(pixels: NDArray[np.uint8]) -> str:
    """A small picture for a button as a `data:` address: WebP, a seventh of the PNG, and not quite exact."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


@lru_cache(maxsize=512)
def _address(data: bytes, shape: tuple[int, ...], scale: int) -> str:
    pixels = np.frombuffer(data, np.uint8).reshape(shape)
    return "data:image/png;base64," + base64.b64encode(png(pixels, scale)).decode("ascii")
