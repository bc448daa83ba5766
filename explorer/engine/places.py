"""Where in the input the maps of a network's layers lie: a network may crop it inside of its forward pass."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from explorer.engine.notes import note_of, write_note
from explorer.engine.values import Doubles, Integers
from model.pixels import Rectangle, whole

Places = tuple[tuple[str, Rectangle], ...]


PLACES = "places"  # the name of a note


def give_places(net: nn.Module, places: Places) -> nn.Module:
    """The network itself; the maps of these layers lie on these parts of its input from now on."""
    return write_note(net, PLACES, places)


def places_of(net: nn.Module) -> Mapping[str, Rectangle]:
    """What `give_places` gave the network: the layers whose maps lie on less than the input."""
    return dict(note_of(net, PLACES) or ())


def place_of(net: nn.Module, layer: str | None, size: tuple[int, int]) -> Rectangle:
    """The part of an input of this size (h, w) that a layer's maps lie on; all of it for None, the input."""
    return places_of(net).get(layer or "", whole(*size))


def on_image(maps: Doubles, place: Rectangle, size: tuple[int, int]) -> Doubles:
    """Maps (…, h, w) that lie on a part of an image of `size`, as maps over all of it, zero outside.

    Their positions keep their size, or nearly where the image has no whole number of them.
    """
    if place == whole(*size):
        return maps
    ends = (place.top, place.bottom), (place.left, place.right)
    rows, columns = (_positions(*one) for one in zip(ends, size, maps.shape[-2:], strict=True))
    taken = maps[..., np.maximum(rows, 0)[:, None], np.maximum(columns, 0)]
    return np.asarray(np.where((rows >= 0)[:, None] & (columns >= 0), taken, 0.0))


def _positions(ends: tuple[int, int], side: int, count: int) -> Integers:
    """For each position over `side` pixels which of `count` between `ends` it is, -1 for none of them."""
    pixels = (ends[1] - ends[0]) / count
    number = max(round(side / pixels), 1)
    centers = (np.arange(number) + 0.5) * side / number
    index = np.floor((centers - ends[0]) / pixels).astype(np.int64)
    return np.where((index >= 0) & (index < count), index, -1)


def enlarged(maps: Tensor, place: Rectangle, size: tuple[int, int]) -> Tensor:
    """Maps (N, C, h, w) that lie on a part of an image of `size`, at its pixels, bilinearly, zero outside."""
    inside = place.bottom - place.top, place.right - place.left
    large = interpolate(maps, inside, mode="bilinear", align_corners=False)
    if place == whole(*size):
        return large
    return pad(large, (place.left, size[1] - place.right, place.top, size[0] - place.bottom))
