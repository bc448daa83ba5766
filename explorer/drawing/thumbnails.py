"""Small pictures of many maps for the rows of a table."""

import base64

import numpy as np
from numpy.typing import ArrayLike

from explorer.drawing.pictures import png
from explorer.drawing.ranges import per_channel
from explorer.drawing.sheets import colored

SIDE = 32


def thumbnails(maps: ArrayLike, signed: bool = True) -> list[str]:
    """Each of `maps` (C,h,w) as the `data:` address of a PNG, on a range of its own, about SIDE pixels.

    Small maps are enlarged without blur; of large ones every n-th row and column is taken.
    """
    maps = np.asarray(maps)
    h, w = maps.shape[1:]
    maps = maps[:, :: max(1, h // SIDE), :: max(1, w // SIDE)]
    scale = max(1, SIDE // max(maps.shape[1:]))
    encoded = (base64.b64encode(png(tile, scale)) for tile in colored(maps, per_channel(maps, signed)))
    return ["data:image/png;base64," + data.decode("ascii") for data in encoded]
