"""Colors and planes: the pictures and masks that everything drawn is made of, float32 in 0..1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Array = NDArray[Any]
Color = tuple[float, float, float]
Point = tuple[float, float, float]
Rng = np.random.Generator


# ---------------------------------------------------------------- color


def rgb(code: str) -> Color:
    """The color behind six hexadecimal digits."""
    red, green, blue = bytes.fromhex(code)
    return red / 255, green / 255, blue / 255


def mix(a: Color, b: Color, fraction: float) -> Color:
    """The color `fraction` of the way from a to b."""
    return tuple(p + (q - p) * fraction for p, q in zip(a, b, strict=True))  # type: ignore[return-value]


def tinted(color: Color, rng: np.random.Generator, spread: float = 0.05) -> Color:
    """The color a little lighter or darker and a little off in hue."""
    change = rng.normal(0, spread) + rng.normal(0, spread / 3, 3)
    return tuple(float(v) for v in np.clip(np.asarray(color) * (1 + change), 0, 1))  # type: ignore[return-value]


def pick(rng: np.random.Generator, *codes: str) -> Color:
    """One of the colors, slightly varied."""
    return tinted(rgb(codes[rng.integers(len(codes))]), rng)


def blend(a: Array | Color, b: Array | Color, fraction: Array) -> Array:
    """Pixels `fraction` (h,w) of the way from a to b, each a color or (h,w,3)."""
    first, second = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return first + (second - first) * fraction[..., None]


# ---------------------------------------------------------------- planes


def smoothstep(low: float | Array, high: float | Array, values: Array) -> Array:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


@lru_cache(maxsize=8)
def grid(wide: int) -> tuple[Array, Array]:
    """The x and y of every pixel's center in a unit square, y downwards, each (wide,wide)."""
    axis = (np.arange(wide, dtype=np.float32) + 0.5) / wide
    x, y = np.meshgrid(axis, axis)
    x.setflags(write=False)
    y.setflags(write=False)
    return x, y


def enlarged(values: Array, wide: int) -> Array:
    """The plane resized smoothly to (wide,wide)."""
    return np.asarray(Image.fromarray(values).resize((wide, wide), Image.Resampling.BICUBIC))


def noise(
    rng: np.random.Generator,
    wide: int,
    cells: float,
    octaves: int = 4,
    gain: float = 0.5,
    stretch: float = 1.0,
) -> Array:
    """Cloudy noise about 0 with deviation near 1; `cells` blotches across, `stretch` times as wide as high.

    One of 32 planes, flipped in one of four ways: small planes are kept, which makes data sets quick.
    """
    plane, flip = divmod(int(rng.integers(128)), 4)
    make = _cached_noise if wide <= 96 else _noise
    values = make(plane, wide, round(cells, 1), octaves, gain, stretch)
    return values[:: 1 if flip & 1 else -1, :: 1 if flip & 2 else -1]


def _noise(plane: int, wide: int, cells: float, octaves: int, gain: float, stretch: float) -> Array:
    own = np.random.default_rng([plane, round(cells * 10), octaves, round(stretch * 100)])
    total, power = np.zeros((wide, wide), np.float32), 0.0
    for octave in range(octaves):
        across, down = (max(2, round(cells * 2**octave * s)) for s in (stretch**-0.5, stretch**0.5))
        if octave and max(across, down) > wide:
            break
        values = own.standard_normal((down, across), np.float32)
        total += gain**octave * 1.5 * enlarged(values, wide)
        power += gain ** (2 * octave)
    total /= np.float32(power**0.5)
    total.setflags(write=False)
    return total


_cached_noise = lru_cache(maxsize=2048)(_noise)


def out_of_focus(pixels: Array, radius: float) -> Array:
    """The picture (h,w,3), blurred by `radius` of its width as a lens would."""
    if radius * pixels.shape[0] < 0.3:
        return pixels
    picture = Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(radius * pixels.shape[0])), np.float32) / 255


def blob(wide: int, x: float, y: float, rx: float, ry: float, soft: float = 0.3) -> Array:
    """A soft ellipse (wide,wide), 1 at its heart and 0 outside."""
    across, down = grid(wide)
    far = np.sqrt(((across - x) / rx) ** 2 + ((down - y) / ry) ** 2)
    return 1 - smoothstep(1 - soft, 1 + soft, far)


def polygons(wide: int, shapes: Iterable[Sequence[tuple[float, float]]], fine: int = 2) -> Array:
    """How far polygons given in the unit square cover each pixel (wide,wide), 0..1."""
    sheet = Image.new("L", (wide * fine, wide * fine))
    pen = ImageDraw.Draw(sheet)
    for shape in shapes:
        pen.polygon([(x * wide * fine, y * wide * fine) for x, y in shape], fill=255)
    return np.asarray(sheet.reduce(fine), np.float32) / 255


def spline(points: Sequence[Sequence[float]], steps: int = 6) -> NDArray[np.float64]:
    """A smooth line (n,d) through all the points (Catmull-Rom)."""
    p = np.asarray(points, float)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = (np.arange(steps) / steps)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return np.concatenate([*pieces, p[-2:-1]])
