"""The bytes that carry feature maps to the channel grid, made once and sent once.

Layout, little-endian: header length (uint32); header (JSON, padded with spaces to a multiple of four);
256 colors (uint8 × 3); each channel's `high` (float32); the maps (float16, C × h × w).
A range runs from zero, or for signed data from `-high`, to `high`. Values and highs are divided by `unit`,
a power of two, so that float16 neither overflows nor loses small values.
"""

import json
import struct
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.drawing.colormaps import NOT_A_NUMBER, table
from explorer.drawing.ranges import Range, per_channel, shared

SCALES = ("shared", "channel")
INDEX = "index"


def payload(
    maps: ArrayLike,
    *,
    signed: bool,
    label: str,
    orders: Mapping[str, Sequence[int]] | None = None,
    scale: str = "shared",
    order: str = INDEX,
    limits: Range | None = None,
    each: Sequence[Range] | None = None,
    **settings: object,
) -> bytes:
    """Pack float maps (C,h,w) with their colors and orders; see the module's layout.

    `orders` names permutations of the channels, beside "index", which is always there; `limits` replaces
    the shared range by one chosen for several grids, `each` every channel's own likewise. `settings` are
    JSON values that go into the header as they are. ValueError for another shape, a scale or order that
    does not exist, an order that is no permutation, or another number of ranges than channels.
    """
    values = _checked(maps)
    orders = _orders(orders or {})
    order = INDEX if order.lower() == INDEX else order
    _check_choices(len(values), orders, scale, order)
    whole = limits or shared(values, signed=signed)
    unit = unit_for(values)
    header = {
        "shape": values.shape,
        "signed": signed,
        "label": label,
        "orders": orders,
        "scale": scale,
        "order": order,
        "high": whole.high,
        "unit": unit,
        "missing": NOT_A_NUMBER,
        **settings,
    }
    highs = _highs(values, signed, each) / unit
    parts = (table(whole).tobytes(), highs.astype("<f4").tobytes(), _halves(values, unit))
    return _with_length(header) + b"".join(parts)


def _orders(orders: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """The orders as JSON takes them, without one by index."""
    return {name: [int(one) for one in order] for name, order in orders.items() if name.lower() != INDEX}


def _highs(values: NDArray[np.float32], signed: bool, each: Sequence[Range] | None) -> NDArray[np.float64]:
    own = per_channel(values, signed) if each is None else each
    if len(own) != len(values):
        raise ValueError(f"{len(values)} channels need as many ranges, not {len(own)}.")
    return np.array([one.high for one in own])


def unit_for(values: NDArray[np.float32]) -> float:
    """The power of two that brings the largest finite magnitude to between 2¹⁴ and 2¹⁵; 1 without one."""
    reach = shared(values, signed=True).high
    return float(np.ldexp(1.0, np.frexp(reach)[1] - 15)) if reach else 1.0


def _halves(values: NDArray[np.float32], unit: float) -> bytes:
    return (values.astype(np.float64) / unit).astype("<f2").tobytes()


def _with_length(header: Mapping[str, object]) -> bytes:
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    padded = text.ljust(-(-len(text) // 4) * 4)
    return struct.pack("<I", len(padded)) + padded


def _checked(maps: ArrayLike) -> NDArray[np.float32]:
    values = np.asarray(maps, dtype=np.float32)
    if values.ndim != 3 or not values.size:
        raise ValueError(
            f"A channel grid draws maps of shape (C,h,w) with cells in them, not {values.shape}."
        )
    return values


def _check_choices(channels: int, orders: Mapping[str, Sequence[int]], scale: str, order: str) -> None:
    if scale not in SCALES:
        raise ValueError(f"There is no scale {scale!r}; choose one of {', '.join(SCALES)}.")
    if order not in (INDEX, *orders):
        raise ValueError(f"There is no order {order!r}; choose one of {', '.join((INDEX, *orders))}.")
    for name, places in orders.items():
        if sorted(places) != list(range(channels)):
            raise ValueError(f"The order {name!r} must name each of the {channels} channels once.")
