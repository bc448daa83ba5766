"""Pixels as PNG: enlarged without blur, as bytes or as a data URI."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def enlarged(pixels: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Every pixel of uint8 (h,w,3) as a square of `scale` pixels."""
    if scale < 1:
        raise ValueError(f"A picture can be enlarged 1 time or more, not {scale}.")
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def png(pixels: NDArray[np.uint8], scale: int = 1) -> bytes:
    """PNG bytes of uint8 (h,w,3) pixels, each enlarged to a square of `scale` pixels."""
    file = io.BytesIO()
    Image.fromarray(enlarged(pixels, scale)).save(file, "PNG")
    return file.getvalue()


def data_uri(pixels: NDArray[np.uint8], scale: int = 1) -> str:
    """The PNG as a `data:` address, for table columns and html."""
    return "data:image/png;base64," + base64.b64encode(png(pixels, scale)).decode("ascii")
