"""Meadows, woods, sand and snow."""

from __future__ import annotations

import numpy as np

from model.drawn.brushes import (
    Array,
    Color,
    Rng,
    blend,
    mix,
    noise,
    pick,
    polygons,
    rgb,
    tinted,
)
from model.drawn.landscape import (
    DULL,
    GREENS,
    SHADE,
    Place,
    below,
    bushes,
    daylight,
    foliage,
    heaven,
    ridge,
    rocks,
    soil,
    trunks,
    tufts,
    water,
    wood,
)


def _field(
    rng: Rng, wide: int, foot: float, near: Color, speck: Color, rough: float, blades: float
) -> tuple[Array, Array | None]:
    horizon = foot - rng.uniform(0.22, 0.5)
    sky = heaven(rng, wide)
    leaf = pick(rng, "3f5a2c", "4a6b33", "2f4526", "5d6b35")
    if rng.random() < 0.35:
        far = ridge(rng, wide, horizon + 0.02, rng.uniform(0.05, 0.15), 2, 3)
        sky = below(
            sky,
            np.broadcast_to(
                np.asarray(mix(pick(rng, "5d7390", "6b7f6a", "7f8fa3"), leaf, 0.2), np.float32), sky.shape
            ),
            far,
        )
    trees, top = wood(rng, wide, horizon + 0.02, rng.uniform(0.04, 0.35), leaf)
    pixels = below(sky, trees, top) if rng.random() < 0.85 else sky
    pixels = below(
        pixels, soil(rng, wide, horizon, near, mix(near, rgb("c9cfa0"), 0.25), speck, rough), horizon
    )
    if rng.random() < 0.4:
        pixels = bushes(pixels, rng, horizon + 0.03, int(rng.integers(1, 4)), tinted(leaf, rng, 0.15))
    front = tufts(rng, wide, foot + 0.01, blades) if blades > 0 else None
    return pixels, front


def meadow(rng: Rng, wide: int, foot: float) -> Place:
    near = pick(rng, *GREENS)
    pixels, front = _field(
        rng, wide, foot, near, mix(near, rgb("b9a85a"), 0.4), 0.7, float(rng.choice([0.02, 0.05]))
    )
    return Place(pixels, daylight(rng), rng.uniform(0.002, 0.009), front)


def drygrass(rng: Rng, wide: int, foot: float) -> Place:
    near = pick(rng, "b39a5f", "a08a58", "c2ab72", "8f7f52")
    pixels, front = _field(rng, wide, foot, near, pick(rng, "7d7444", "8a6f45"), 0.9, rng.uniform(0.02, 0.09))
    return Place(pixels, daylight(rng), rng.uniform(0.003, 0.01), front)


def snow(rng: Rng, wide: int, foot: float) -> Place:
    horizon = foot - rng.uniform(0.3, 0.55)
    trees, top = wood(rng, wide, horizon + 0.02, 0.4, pick(rng, "4d5a58", "5a5348"))
    pixels = below(heaven(rng, wide, rgb("b9c6d3"), 0.6), trees, top)
    pixels = blend(pixels, pick(rng, "4a3d33"), trunks(rng, wide, horizon + 0.04, 7))
    pixels = below(
        pixels, soil(rng, wide, horizon, rgb("e6ebf2"), rgb("d3dbe6"), rgb("c3cfdf"), 0.12), horizon, 0.02
    )
    return Place(pixels, DULL, 0.006, tufts(rng, wide, foot + 0.01, 0.02, 12))


def hills(rng: Rng, wide: int, foot: float) -> Place:
    pixels = heaven(rng, wide)
    for i, base in enumerate(np.linspace(foot - 0.35, foot - 0.15, 3)):
        tone = mix(rgb("8fa3bb"), pick(rng, "5f7a3f", "7d8a4a", "6b6f48"), i / 2)
        slope = (
            np.broadcast_to(np.asarray(tone, np.float32), pixels.shape)
            * (1 + 0.08 * noise(rng, wide, 12, 4))[..., None]
        )
        pixels = below(pixels, slope, ridge(rng, wide, base, 0.12, 2 + i, 4))
    near = pick(rng, *GREENS)
    pixels = below(pixels, soil(rng, wide, foot - 0.14, near, near, rgb("a39a5a"), 0.7), foot - 0.14, 0.02)
    return Place(pixels, daylight(rng), 0.005, tufts(rng, wide, foot + 0.01, 0.03))


def forest(rng: Rng, wide: int, foot: float) -> Place:
    tones = [("33472a", "5d7a3d", "a9bd6c"), ("3b3a26", "6d6a3d", "b0a56a"), ("25331f", "47622f", "8aa35a")][
        rng.integers(3)
    ]
    horizon = foot - rng.uniform(0.15, 0.35)
    pixels = foliage(rng, wide, *(rgb(t) for t in tones))
    bark = pick(rng, "4a3b2e", "5b4a3a", "3a332b", "6e6456")
    pixels = blend(pixels, bark, trunks(rng, wide, horizon + 0.05, int(rng.integers(3, 9))) * 0.9)
    floor = pick(rng, "6b7a3c", "7d6a45", "5c6b38", "8a7a52")
    pixels = below(
        pixels,
        soil(rng, wide, horizon, floor, mix(floor, rgb(tones[0]), 0.5), pick(rng, "8f7a4a", "4a5a2c"), 0.9),
        horizon,
        0.05,
    )
    return Place(
        pixels, SHADE, rng.uniform(0.005, 0.014), tufts(rng, wide, foot + 0.01, rng.uniform(0.02, 0.07))
    )


def glade(rng: Rng, wide: int, foot: float) -> Place:
    """Grass before a dark wood; no sky."""
    tones = [("1f2d1a", "3b5228", "6f8a44"), ("2d3320", "4f5a30", "85904f"), ("28361f", "55703a", "93a862")][
        rng.integers(3)
    ]
    near, horizon = pick(rng, *GREENS), foot - rng.uniform(0.1, 0.4)
    ground = soil(rng, wide, horizon, near, mix(near, rgb(tones[1]), 0.4), mix(near, rgb("b9a85a"), 0.4), 0.8)
    pixels = below(
        foliage(rng, wide, *(rgb(t) for t in tones)), ground, ridge(rng, wide, horizon, 0.03, 6), 0.02
    )
    return Place(
        pixels,
        SHADE if rng.random() < 0.5 else daylight(rng),
        rng.uniform(0.004, 0.012),
        tufts(rng, wide, foot + 0.01, rng.uniform(0.02, 0.06)),
    )


def reeds(rng: Rng, wide: int, foot: float) -> Place:
    """Dry stalks and brush, brown and olive; no sky."""
    tones = [("4a4230", "857850", "b8a878"), ("5a4a38", "94805c", "c2ad85"), ("3f4230", "6f7048", "a39c6c")][
        rng.integers(3)
    ]
    near, horizon = pick(rng, "b39a5f", "a08a58", "8f7f52", "9a8a66"), foot - rng.uniform(0.1, 0.35)
    stalks = noise(rng, wide, 22, 3, 0.7, 0.1)
    pixels = foliage(rng, wide, *(rgb(t) for t in tones)) * (1 + 0.13 * stalks)[..., None]
    ground = soil(rng, wide, horizon, near, mix(near, rgb(tones[1]), 0.5), pick(rng, "7d7444", "8a6f45"), 0.9)
    pixels = below(pixels, ground, ridge(rng, wide, horizon, 0.05, 9), 0.03)
    return Place(
        pixels,
        daylight(rng),
        rng.uniform(0.004, 0.012),
        tufts(rng, wide, foot + 0.01, rng.uniform(0.02, 0.07)),
    )


def paddock(rng: Rng, wide: int, foot: float) -> Place:
    horizon = foot - rng.uniform(0.25, 0.4)
    trees, top = wood(rng, wide, horizon + 0.02, rng.uniform(0.15, 0.45), pick(rng, "4a6b33", "3f5a2c"))
    pixels = below(heaven(rng, wide), trees, top)
    near = pick(rng, "b59f78", "a08b68", "c2b08a", "86a04c")
    pixels = below(
        pixels,
        soil(rng, wide, horizon, near, mix(near, (1, 1, 1), 0.15), mix(near, (0, 0, 0), 0.3), 0.5),
        horizon,
    )
    rail, at = pick(rng, "e8e4da", "8a7258", "6b5a48"), horizon + 0.03
    bars = [[(0, at - d), (1, at - d), (1, at - d + 0.016), (0, at - d + 0.016)] for d in (0.06, 0.13, 0.2)]
    posts = [
        [(p, at - 0.23), (p + 0.018, at - 0.23), (p + 0.018, at + 0.03), (p, at + 0.03)]
        for p in np.arange(rng.uniform(0, 0.2), 1, 0.27).tolist()
    ]
    return Place(blend(pixels, rail, polygons(wide, bars + posts)), daylight(rng), 0.004)


def sand(rng: Rng, wide: int, foot: float) -> Place:
    horizon = foot - rng.uniform(0.3, 0.6)
    near = pick(rng, "cdb68a", "d8c49a", "bda478")
    pixels = below(heaven(rng, wide), water(rng, wide, horizon, rgb("4f7f96"), rgb("7ba3b8"), 0.5), horizon)
    pixels = below(
        pixels,
        soil(rng, wide, horizon + 0.12, near, mix(near, (1, 1, 1), 0.2), mix(near, (0, 0, 0), 0.2), 0.35),
        horizon + 0.12,
        0.02,
    )
    return Place(
        rocks(pixels, rng, horizon + 0.16, horizon + 0.6, int(rng.integers(0, 4))), daylight(rng), 0.005
    )


def lawn(rng: Rng, wide: int, foot: float) -> Place:
    near = pick(rng, *GREENS)
    if rng.random() < 0.6:
        pixels = soil(
            rng, wide, -0.25, near, mix(near, (0.05, 0.1, 0.02), 0.25), mix(near, rgb("b9b25a"), 0.35), 1.0
        )
    else:
        horizon = foot - rng.uniform(0.4, 0.6)
        pixels = foliage(rng, wide, rgb("2f4526"), rgb("4f6b35"), rgb("8aa05a"))
        pixels = below(
            pixels, soil(rng, wide, horizon, near, near, mix(near, rgb("b9b25a"), 0.35), 0.9), horizon, 0.04
        )
    return Place(pixels, daylight(rng), rng.uniform(0.003, 0.01), tufts(rng, wide, foot + 0.01, 0.035))
