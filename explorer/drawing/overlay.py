"""A heat map over the picture it explains."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.drawing.colormaps import color, positions
from explorer.drawing.ranges import Range

if TYPE_CHECKING:
    from model.pixels import Rectangle  # which would load torch

DIMMED = 0.35  # of its brightness, what a map does not lie on keeps


def upsampled(heat: ArrayLike, size: tuple[int, int]) -> NDArray[np.float32]:
    """Bring a heat map (h,w) to `size` (H,W) as float32.

    Bilinear with `align_corners=False`, as `torch.nn.functional.interpolate` does it.
    """
    values = np.asarray(heat, dtype=np.float32)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"A heat map has shape (h,w) with at least one cell, not {values.shape}.")
    tall = _bilinear(values, size[0])
    return np.ascontiguousarray(_bilinear(np.ascontiguousarray(tall.T), size[1]).T)


def _bilinear(values: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Resample the first axis to `length` at cell centers, holding the edge."""
    last = len(values) - 1
    at = ((np.arange(length) + 0.5) * len(values) / length - 0.5).clip(0, last)
    below = np.floor(at).astype(np.intp)
    weight = (at - below).astype(np.float32)[:, None]
    between: NDArray[np.float32] = values[below] * (1 - weight) + values[np.minimum(below + 1, last)] * weight
    return between


def strength(values: ArrayLike, range: Range) -> NDArray[np.float64]:
    """How far values reach from zero towards the range's end: 0 … 1; NaN, and below a positive range, is 0.

    Shape as given. For a signed range both signs count, for a positive one what is negative does not.
    """
    fractions = np.nan_to_num(positions(values, range), nan=0.5 if range.signed else 0.0)
    return np.abs(fractions * 2 - 1) if range.signed else fractions


def overlay(
    pixels: NDArray[np.uint8],
    heat: ArrayLike,
    range: Range,
    place: "Rectangle",
    *,
    opacity: float = 0.85,
    name: str | None = None,
) -> NDArray[np.uint8]:
    """Blend a raw heat map (h,w) over `pixels` uint8 (H,W,3), the more opaque the stronger the evidence.

    It lies on `place`, a part of the picture; the rest is dimmed. Where the evidence is zero that part stays
    as it is, bit for bit. A positive range shows positive evidence only, a signed one both.
    """
    drawn = dimmed(pixels, place)
    drawn[place.inside] = _blended(pixels[place.inside], heat, range, opacity, name)
    return drawn


def dimmed(pixels: NDArray[np.uint8], place: "Rectangle") -> NDArray[np.uint8]:
    """A copy of `pixels` uint8 (H,W,3), darkened outside `place`."""
    inside = pixels[place.inside]
    if inside.shape == pixels.shape:
        return pixels.copy()
    drawn: NDArray[np.uint8] = np.rint(pixels * DIMMED).astype(np.uint8)
    drawn[place.inside] = inside
    return drawn


def _blended(
    pixels: NDArray[np.uint8], heat: ArrayLike, range: Range, opacity: float, name: str | None
) -> NDArray[np.uint8]:
    # Negative values go before enlarging: else a position between strongly negative ones would vanish.
    values = upsampled(heat if range.signed else np.maximum(heat, 0), pixels.shape[:2])
    evidence = strength(values, range)[..., None]
    # Steeper than a straight line, so that middling evidence is seen, but without an edge at zero.
    alpha = (opacity * evidence * (2 - evidence)).astype(np.float32)
    toward = color(values, range, name).astype(np.float32) - pixels
    blended: NDArray[np.uint8] = np.rint(pixels + toward * alpha).astype(np.uint8)
    return blended


def outline(
    pixels: NDArray[np.uint8], mask: NDArray[np.bool_], color: tuple[int, int, int] = (255, 255, 255)
) -> NDArray[np.uint8]:
    """Trace the edge of a bool mask (H,W) on a copy of `pixels` uint8 (H,W,3): a line with a dark halo.

    The line runs on the object's own edge pixels, the halo on those just outside.
    """
    if mask.shape != pixels.shape[:2]:
        raise ValueError(f"The mask is {mask.shape}, but the picture is {pixels.shape[:2]}.")
    drawn = pixels.copy()
    drawn[_grown(mask) & ~mask] = (0, 0, 0)
    drawn[mask & _grown(~mask)] = color
    return drawn


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and its four-neighbours."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown
