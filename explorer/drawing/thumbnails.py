"""Small pictures of many maps for the rows of a table."""

import base64
import io

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from explorer.drawing.ranges import per_channel
from explorer.drawing.sheets import coloured

SIDE = 32


def thumbnails(maps: ArrayLike, signed: bool = True) -> list[str]:
    """Each of `maps` (C,h,w) as the `data:` address of a PNG, on a range of its own, about SIDE pixels."""
    maps = np.asarray(maps)
    h, w = maps.shape[1:]
    maps = maps[:, :: max(1, h // SIDE), :: max(1, w // SIDE)]
    tiles = coloured(maps, per_channel(maps, signed))
    scale = max(1, SIDE // max(maps.shape[1:]))
    tiles = tiles.repeat(scale, axis=1).repeat(scale, axis=2)
    return [_address(tile) for tile in tiles]


def _address(tile: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(tile).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
