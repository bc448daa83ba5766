"""Two color maps: viridis for what starts at zero, and blue through neutral to red for signed values.

Both rise evenly in lightness to the eye. Values are looked up in 256 entries; what is not a number is
drawn in a gray that neither map contains.
"""

import base64
import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.drawing.ranges import Range

NOT_A_NUMBER = (120, 120, 120)

# viridis (Smith, van der Walt, Firing; CC0): differences between neighbouring entries, deflated.
_VIRIDIS = (
    "c-nQ4feiyO2m?)iwT{sJNBI<tLui{<E9*F%yp)%{VZ(owh%_6+6Uvy=Zz)b_+a+fJO7^ihzz7<%fGkXLt>8B&bos^O"
    "xc$kx_FUK_4xOj78}L+^|2IgY<V0I_X?=?{J!7jEU0%<S?=9Gz4=i3uNvJ=L<K6iZhr9|xrpfX4PNetQS*gx01m~%n"
    "e$ueXLL8KtIxEPpg9TgxM({MUkq5zZd;k$Khzb"
)
# Oklab anchors (lightness, green–red, blue–yellow) of the signed map, from most negative to most positive.
_SIGNED_ANCHORS = (
    (0.31, -0.025, -0.125),
    (0.53, -0.050, -0.130),
    (0.76, -0.040, -0.075),
    (0.965, 0.0, 0.004),
    (0.77, 0.085, 0.060),
    (0.56, 0.155, 0.085),
    (0.33, 0.105, 0.050),
)


def viridis() -> NDArray[np.uint8]:
    """The sequential map, uint8 (256,3), from dark violet through green to yellow."""
    steps = np.frombuffer(zlib.decompress(base64.b85decode("".join(_VIRIDIS))), np.int8)
    return steps.reshape(256, 3).cumsum(axis=0).astype(np.uint8)


def blue_red() -> NDArray[np.uint8]:
    """The signed map, uint8 (256,3), from blue through near-white to red; entries 127 and 128 are alike."""
    steps = np.arange(256) - 127.5
    position = np.sign(steps) * (np.abs(steps) - 0.5) / 127
    anchors = np.linspace(-1, 1, len(_SIGNED_ANCHORS))
    channels = zip(*_SIGNED_ANCHORS, strict=True)
    return _from_oklab(np.stack([np.interp(position, anchors, channel) for channel in channels], axis=-1))


def _from_oklab(lab: NDArray[np.float64]) -> NDArray[np.uint8]:
    to_cones = np.array([[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728],
                         [1, -0.0894841775, -1.2914855480]])  # fmt: skip
    to_light = np.array([[4.0767416621, -3.3077115913, 0.2309699292],
                         [-1.2684380046, 2.6097574011, -0.3413193965],
                         [-0.0041960863, -0.7034186147, 1.7076147010]])  # fmt: skip
    light = ((lab @ to_cones.T) ** 3 @ to_light.T).clip(0, 1)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    entries: NDArray[np.uint8] = np.rint(encoded * 255).astype(np.uint8)
    return entries


COLORMAPS: dict[str, NDArray[np.uint8]] = {"viridis": viridis(), "blue_red": blue_red()}


def name_for(range: Range) -> str:
    """The color map that suits a range: `blue_red` about zero for signed data, `viridis` otherwise."""
    return "blue_red" if range.signed else "viridis"


def table(range: Range, name: str | None = None) -> NDArray[np.uint8]:
    """The 256 colors of a range's map, uint8 (256,3); ValueError for a name that is not in COLORMAPS."""
    name = name or name_for(range)
    if name not in COLORMAPS:
        raise ValueError(f"There is no color map {name!r}; choose one of {', '.join(COLORMAPS)}.")
    return COLORMAPS[name]


def positions(values: ArrayLike, range: Range) -> NDArray[np.float64]:
    """Where `values` of any shape lie in the range, 0 at its low and 1 at its high end; NaN stays NaN.

    In a range without extent everything lies in the middle if it is signed, at the low end otherwise.
    """
    values = np.asarray(values, dtype=np.float64)
    # Halved so that no difference of two finite float64 overflows; half of the smallest number is zero.
    extent = range.high / 2 - range.low / 2
    if not extent:
        return np.where(np.isnan(values), np.nan, 0.5 if range.signed else 0.0)
    fractions: NDArray[np.float64] = (np.clip(values, range.low, range.high) / 2 - range.low / 2) / extent
    return fractions.clip(0, 1)


def color(values: ArrayLike, range: Range, name: str | None = None) -> NDArray[np.uint8]:
    """Draw `values` (…,h,w) as uint8 (…,h,w,3); beyond the range the end colors go on, NaN is gray."""
    fractions = positions(values, range)
    missing = np.isnan(fractions)
    entries = np.floor(np.where(missing, 0, fractions) * 255 + 0.5).astype(np.intp)
    pixels = table(range, name)[entries]
    pixels[missing] = NOT_A_NUMBER
    return pixels
