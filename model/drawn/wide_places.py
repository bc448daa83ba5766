"""Sky, sea and roads."""

from __future__ import annotations

import numpy as np

from model.drawn.brushes import (
    Rng,
    blend,
    grid,
    mix,
    noise,
    pick,
    rgb,
    smoothstep,
)
from model.drawn.landscape import (
    DULL,
    GREENS,
    Place,
    asphalt,
    below,
    bushes,
    daylight,
    foliage,
    heaven,
    houses,
    ridge,
    soil,
    trunks,
    water,
    waterline,
    wood,
)


def sky(rng: Rng, wide: int, foot: float) -> Place:
    return Place(heaven(rng, wide), daylight(rng), 0.003, None, 0.0)


def overcast(rng: Rng, wide: int, foot: float) -> Place:
    return Place(
        heaven(rng, wide, pick(rng, "9aa5b3", "b8c0c9", "7d8a9a", "c9d3dd"), rng.uniform(0, 1)),
        DULL,
        0.004,
        None,
        0.0,
    )


def sea(rng: Rng, wide: int, foot: float) -> Place:
    """Open water with the object's waterline at `foot`."""
    horizon = foot - rng.uniform(0.04, 0.2)
    deep = pick(rng, "2f5a7d", "3f6f8f", "27496b", "4a7a85", "5a7d94", "345f6e")
    pixels = heaven(rng, wide)
    if rng.random() < 0.45:
        tone = mix(pick(rng, "5a6f5a", "6f7f94", "7d8a70"), rgb("b8c6d3"), rng.uniform(0.1, 0.5))
        coast = (
            np.broadcast_to(np.asarray(tone, np.float32), pixels.shape)
            * (1 + 0.1 * noise(rng, wide, 16, 4))[..., None]
        )
        pixels = below(pixels, coast, ridge(rng, wide, horizon + 0.01, rng.uniform(0.03, 0.13), 2.5, 4))
    pixels = below(
        pixels,
        water(rng, wide, horizon, deep, mix(deep, rgb("b8d0de"), 0.35), rng.uniform(0.4, 0.9)),
        horizon,
    )
    return Place(pixels, daylight(rng), 0.002, waterline(rng, wide, foot - 0.012), 0.0)


def harbour(rng: Rng, wide: int, foot: float) -> Place:
    horizon = foot - rng.uniform(0.06, 0.16)
    pixels = houses(heaven(rng, wide), rng, horizon + 0.005, 7, rng.uniform(0.1, 0.3))
    deep = pick(rng, "3f5f70", "4a6a7d", "2f4f5f")
    pixels = below(pixels, water(rng, wide, horizon, deep, mix(deep, rgb("c9d3d6"), 0.4), 0.5), horizon)
    return Place(pixels, daylight(rng), 0.003, waterline(rng, wide, foot - 0.012), 0.0)


def road(rng: Rng, wide: int, foot: float) -> Place:
    """Asphalt with a verge and trees or hills behind."""
    horizon = foot - rng.uniform(0.2, 0.36)
    leaf = pick(rng, "4a6b33", "3f5a2c", "6b7a45")
    trees, top = wood(rng, wide, horizon + 0.02, rng.uniform(0.05, 0.4), leaf)
    pixels = below(heaven(rng, wide), trees, top)
    verge = pick(rng, *GREENS)
    pixels = below(pixels, soil(rng, wide, horizon, verge, verge, rgb("a39a6a"), 0.8), horizon)
    pixels = below(pixels, asphalt(rng, wide, foot - 0.15), foot - rng.uniform(0.1, 0.16), 0.006)
    return Place(pixels, daylight(rng), 0.004)


def avenue(rng: Rng, wide: int, foot: float) -> Place:
    """A road along trees; no sky."""
    tones = [("2d3f24", "4f6b35", "93a862"), ("3a3f30", "6b7050", "a8ab84"), ("44403a", "7a7468", "b5ad9c")][
        rng.integers(3)
    ]
    pixels = foliage(rng, wide, *(rgb(t) for t in tones))
    pixels = blend(
        pixels,
        pick(rng, "4a3b2e", "5b4a3a", "6e6456"),
        trunks(rng, wide, foot - 0.16, int(rng.integers(0, 6))) * 0.8,
    )
    verge, edge = pick(rng, *GREENS, "b5b0a6"), foot - rng.uniform(0.1, 0.2)
    pixels = below(
        pixels,
        soil(rng, wide, edge - 0.07, verge, verge, mix(verge, (0, 0, 0), 0.3), 0.5),
        edge - 0.07,
        0.015,
    )
    return Place(
        below(pixels, asphalt(rng, wide, edge), edge, 0.006), daylight(rng), rng.uniform(0.005, 0.014)
    )


def street(rng: Rng, wide: int, foot: float) -> Place:
    pixels = houses(heaven(rng, wide), rng, foot - 0.14, 7, rng.uniform(0.4, 1.0))
    if rng.random() < 0.5:
        pixels = bushes(pixels, rng, foot - 0.14, 3, pick(rng, "4a6b33", "5d7a3d"))
    kerb = foot - 0.15
    pixels = below(pixels, soil(rng, wide, kerb, rgb("b5b0a6"), rgb("a8a49b"), rgb("8f8b83"), 0.2), kerb)
    return Place(below(pixels, asphalt(rng, wide, foot - 0.11), foot - 0.11), daylight(rng), 0.005)


def parking(rng: Rng, wide: int, foot: float) -> Place:
    horizon = foot - rng.uniform(0.25, 0.45)
    pixels = heaven(rng, wide)
    trees, top = wood(rng, wide, horizon + 0.01, rng.uniform(0.05, 0.25), pick(rng, "4a6b33", "5d6b45"))
    pixels = below(pixels, trees, top)
    if rng.random() < 0.4:
        pixels = houses(pixels, rng, horizon + 0.01, 4, 0.3)
    return Place(below(pixels, asphalt(rng, wide, horizon), horizon), daylight(rng), 0.004)


def studio(rng: Rng, wide: int, foot: float) -> Place:
    """A plain backdrop as in a catalogue."""
    x, y = grid(wide)
    tone = pick(rng, "f2f2f0", "e3e5e8", "d3d6da", "c9ccd1")
    return Place(
        blend(
            tone,
            mix(tone, (0, 0, 0), 0.22),
            smoothstep(0.1, 1.0, np.abs(y - foot + 0.1) + np.abs(x - 0.5) * 0.4),
        ),
        DULL,
        0.004,
    )


def runway(rng: Rng, wide: int, foot: float) -> Place:
    horizon = foot - rng.uniform(0.12, 0.24)
    pixels = heaven(rng, wide)
    trees, top = wood(rng, wide, horizon + 0.01, rng.uniform(0.01, 0.09), pick(rng, "4a5f3a", "5f6f4a"))
    pixels = below(pixels, trees, top)
    grass = pick(rng, "7d8a4a", "8f9a5a", "a39a62")
    pixels = below(pixels, soil(rng, wide, horizon, grass, grass, rgb("b0a56a"), 0.5), horizon)
    tone = pick(rng, "b5b2aa", "c4c1b8", "a3a29e")
    slab = soil(rng, wide, foot - 0.08, tone, mix(tone, (1, 1, 1), 0.15), mix(tone, (0, 0, 0), 0.1), 0.15, 90)
    return Place(below(pixels, slab, foot - 0.08, 0.006), daylight(rng), 0.004)
