"""Places close by: rooms, forest floors, the water's edge, branches."""

from __future__ import annotations

import numpy as np

from model.drawn.brushes import (
    Rng,
    blend,
    blob,
    grid,
    mix,
    noise,
    out_of_focus,
    pick,
    polygons,
    rgb,
    smoothstep,
    tinted,
)
from model.drawn.landscape import (
    LAMP,
    SHADE,
    SUNNY,
    Place,
    below,
    daylight,
    foliage,
    heaven,
    leaf_shape,
    rocks,
    soil,
    tufts,
    water,
    waterline,
    wood,
)

# ---------------------------------------------------------------- indoors


def room(rng: Rng, wide: int, foot: float) -> Place:
    x, y = grid(wide)
    wall = pick(rng, "d3cabb", "b9aea0", "e0dbd2", "a3adb5", "c2a891", "7a7068", "5f6a73", "cfd3d6")
    pixels = blend(wall, mix(wall, (0, 0, 0), 0.35), np.clip(0.5 * x + 0.3 * y, 0, 1))
    left = rng.uniform(-0.1, 0.8)
    things = [[(left, 0.0), (left + 0.3, 0.0), (left + 0.3, 0.3), (left, 0.3)]]
    pixels = blend(pixels, pick(rng, "e9efef", "5b4636", "37506b", "8a4a3a"), polygons(wide, things))
    top, start = rng.uniform(0.2, 0.5), rng.uniform(-0.2, 0.9)
    shelf = [[(start, top), (start + 0.35, top), (start + 0.35, foot), (start, foot)]]
    pixels = blend(pixels, pick(rng, "6b4a32", "3b3029", "8a6f52", "b5a48f"), polygons(wide, shelf))
    floor = pick(rng, "8a6a4a", "a98b68", "6e5a48", "b8aa98", "7a4a3f")
    ground = soil(
        rng, wide, foot - 0.12, floor, mix(floor, (0, 0, 0), 0.25), mix(floor, (1, 1, 1), 0.15), 0.25
    )
    return Place(below(pixels, ground, foot - 0.12), LAMP, rng.uniform(0.008, 0.018))


def sofa(rng: Rng, wide: int, foot: float) -> Place:
    x, y = grid(wide)
    cloth = pick(rng, "7a4a3a", "4a5a6e", "94897c", "c4b8a6", "5a4a58", "a8adb3", "d3c8b6", "8a94a0")
    folds = noise(rng, wide, 4, 3, 0.5, 0.5)
    weave = noise(rng, wide, 90, 2, 0.8)
    pixels = blend(
        mix(cloth, (1, 1, 1), 0.12),
        mix(cloth, (0, 0, 0), 0.4),
        np.clip(0.4 + 0.22 * folds + 0.3 * (y - 0.4), 0, 1),
    )
    seam = smoothstep(0.0, 0.02, np.abs(y - (foot - 0.25) + 0.02 * folds))
    pixels = pixels * (0.72 + 0.28 * seam + 0.04 * weave)[..., None]
    if rng.random() < 0.5:
        pillow = blob(wide, rng.uniform(0.05, 0.95), foot - 0.38, 0.24, 0.2, 0.06)
        tone = pick(rng, "c96a4a", "d8c9a8", "5a7a8a", "a33f45", "e3ddd0")
        pixels = blend(
            pixels,
            blend(
                mix(tone, (1, 1, 1), 0.2),
                mix(tone, (0, 0, 0), 0.35),
                np.clip(x * 0.4 + 0.2 * folds + 0.3, 0, 1),
            ),
            pillow,
        )
    return Place(pixels, LAMP, rng.uniform(0.004, 0.01))


def blanket(rng: Rng, wide: int, foot: float) -> Place:
    x, y = grid(wide)
    cloth, other = (
        pick(rng, "c9b8a0", "9c4a45", "4a6078", "8a8f94", "d9d2c8", "6a5a78"),
        pick(rng, "e8e0d2", "3a3f4a", "b8843f", "6f2f33"),
    )
    folds = noise(rng, wide, 3.5, 4, 0.55)
    bars = np.sin((x + 0.05 * folds) * rng.uniform(20, 50)) + np.sin((y + 0.05 * folds) * rng.uniform(20, 50))
    pixels = blend(cloth, other, smoothstep(0.2, 1.2, bars) * float(rng.choice([0, 0.6])))
    return Place(
        pixels * (0.88 + 0.16 * folds + 0.04 * noise(rng, wide, 80, 2, 0.8))[..., None],
        LAMP,
        rng.uniform(0.003, 0.008),
    )


def floor(rng: Rng, wide: int, foot: float) -> Place:
    _x, y = grid(wide)
    tone = pick(rng, "9c7248", "b58d5f", "7a573a", "c2a27a", "b8b3aa")
    rows = (y + 0.6) ** 2 * 7
    board = np.floor(rows) * 12.9898
    pixels = (
        np.broadcast_to(np.asarray(tone, np.float32), (wide, wide, 3))
        * (0.92 + 0.1 * np.sin(board * 7) + 0.06 * noise(rng, wide, 20, 4, 0.7, 8))[..., None]
    )
    gap = smoothstep(0.0, 0.08, np.minimum(rows % 1, 1 - rows % 1))
    pixels = pixels * (0.7 + 0.3 * gap)[..., None]
    return Place(
        blend(pixels, (1, 0.97, 0.9), blob(wide, rng.uniform(0, 1), 0.15, 0.5, 0.35, 0.9) * 0.35),
        LAMP,
        rng.uniform(0.004, 0.009),
    )


# ---------------------------------------------------------------- small ground, water's edge


def leaves(rng: Rng, wide: int, foot: float) -> Place:
    """A forest floor close by: overlapping leaves."""
    tones = [("8a6239", "b08a55", "5a4028"), ("6b7a3a", "8fa350", "3f4f27"), ("7d6a4a", "a6946b", "4a3d2b")][
        rng.integers(3)
    ]
    pixels = (
        np.broadcast_to(np.asarray(rgb(tones[2]), np.float32), (wide, wide, 3))
        * (1 + 0.2 * noise(rng, wide, 30, 3, 0.7))[..., None]
    )
    for _ in range(4):
        shapes = [
            leaf_shape(rng, rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.05, 0.14)) for _ in range(14)
        ]
        tone = tinted(rgb(tones[rng.integers(2)]), rng, 0.16)
        pixels = (
            pixels
            * (1 - 0.4 * polygons(wide, [[(x + 0.01, y + 0.014) for x, y in s] for s in shapes]))[..., None]
        )
        pixels = blend(
            pixels,
            np.asarray(tone, np.float32) * (1 + 0.14 * noise(rng, wide, 26, 3))[..., None],
            polygons(wide, shapes),
        )
    return Place(pixels, SHADE, rng.uniform(0.003, 0.009))


def leaf(rng: Rng, wide: int, foot: float) -> Place:
    """One great green leaf under the animal, with its veins."""
    x, y = grid(wide)
    green = pick(rng, "5f8f3a", "7aa84a", "4a7a35", "8fb85a")
    slant = rng.uniform(-0.6, 0.6)
    down = y - foot + 0.05 + (x - 0.5) * slant * 0.3
    veins = np.abs(np.sin((x + np.abs(down) * 1.2 * np.sign(slant + 0.01)) * 26)) ** 0.3
    pixels = (
        blend(green, mix(green, (0.9, 1, 0.6), 0.45), 1 - veins)
        * (1 + 0.06 * noise(rng, wide, 30, 3))[..., None]
    )
    pixels = blend(pixels, mix(green, (0.95, 1, 0.7), 0.6), smoothstep(0.012, 0.004, np.abs(down)))
    behind = foliage(rng, wide, rgb("1f2f18"), rgb("33502a"), rgb("5f8a3f"))
    edge = foot - 0.28 + 0.1 * (x - 0.5) + 0.5 * (x - 0.5) ** 2
    return Place(below(out_of_focus(behind, 0.02), pixels, edge, 0.006), SHADE, 0.004)


def mud(rng: Rng, wide: int, foot: float) -> Place:
    near = pick(rng, "6e5a42", "85704f", "5c4f3d", "94866c")
    pixels = soil(rng, wide, -0.4, near, mix(near, (0, 0, 0), 0.2), mix(near, rgb("c9bfa5"), 0.4), 1.0)
    return Place(rocks(pixels, rng, 0.0, 1.0, int(rng.integers(3, 9))), SHADE, rng.uniform(0.003, 0.008))


def moss(rng: Rng, wide: int, foot: float) -> Place:
    near = pick(rng, "5f7a33", "4a6a2c", "7d8f45")
    pixels = soil(rng, wide, -0.4, near, mix(near, (0, 0, 0), 0.45), mix(near, rgb("c2c97a"), 0.5), 1.3, 60)
    return Place(
        rocks(pixels, rng, 0.0, 0.5, int(rng.integers(0, 4))),
        SHADE,
        rng.uniform(0.004, 0.01),
        tufts(rng, wide, foot + 0.01, 0.02, 90),
    )


def pond(rng: Rng, wide: int, foot: float) -> Place:
    deep = pick(rng, "3a4a32", "4a5a3f", "2f3f3a", "5f6f5a", "4f6a70")
    pixels = water(rng, wide, -0.4, deep, mix(deep, rgb("9fb5b0"), 0.4), 0.5)
    for _ in range(int(rng.integers(2, 7))):
        px, py, r = rng.uniform(0, 1), rng.uniform(0.05, 1), rng.uniform(0.06, 0.14)
        tone = pick(rng, "6f8f3f", "86a552", "557a35")
        pixels = blend(pixels, tone, blob(wide, px, py, r, r * 0.45, 0.05))
        pixels = blend(
            pixels,
            mix(tone, (1, 1, 0.8), 0.3),
            blob(wide, px - r * 0.2, py - r * 0.1, r * 0.6, r * 0.22, 0.6) * 0.6,
        )
    return Place(pixels, SHADE, 0.004, waterline(rng, wide, foot - 0.045), 0.35)


def lake(rng: Rng, wide: int, foot: float) -> Place:
    deep = pick(rng, "4a6f8f", "5f7f8a", "3f5f70", "7a93a0")
    horizon = foot - rng.uniform(0.45, 0.9)
    pixels = heaven(rng, wide)
    trees, top = wood(rng, wide, horizon + 0.02, 0.15, pick(rng, "4a5f3a", "3f5a2c"))
    pixels = below(
        below(pixels, trees, top), water(rng, wide, horizon, deep, mix(deep, (1, 1, 1), 0.35), 0.6), horizon
    )
    return Place(pixels, daylight(rng), 0.005, waterline(rng, wide, foot - 0.05), 0.35)


def branch(rng: Rng, wide: int, foot: float) -> Place:
    """A bough to perch on, leaves far behind."""
    tones = [
        ("3f5a2c", "6f8f45", "b5c97a"),
        ("5d6b4a", "8f9a70", "c9cfa8"),
        ("6f8fb5", "9fb8d3", "d3e0ec"),
        ("6b5a45", "94806a", "b8a88f"),
    ][rng.integers(4)]
    pixels = out_of_focus(foliage(rng, wide, *(rgb(t) for t in tones)), 0.02)
    slope, thick, bark = (
        rng.uniform(-0.2, 0.2),
        rng.uniform(0.025, 0.05),
        pick(rng, "5b4636", "6e5d4c", "4a3f36", "7d7062"),
    )
    x, y = grid(wide)
    across = (y - (foot + thick * 0.8) - slope * (x - 0.5) - 0.012 * noise(rng, wide, 4, 2)) / thick
    tone = blend(mix(bark, (1, 1, 1), 0.25), mix(bark, (0, 0, 0), 0.55), np.clip(across * 0.5 + 0.5, 0, 1))
    tone = tone * (1 + 0.16 * noise(rng, wide, 24, 3, 0.7, 4))[..., None]
    pixels = blend(pixels, tone, smoothstep(1.08, 0.96, np.abs(across)))
    twigs = [
        leaf_shape(rng, rng.uniform(0, 1), foot + rng.uniform(-0.1, 0.2), rng.uniform(0.04, 0.09))
        for _ in range(int(rng.integers(0, 8)))
    ]
    return Place(
        blend(pixels, tinted(rgb(tones[1]), rng, 0.2), polygons(wide, twigs)),
        SHADE if rng.random() < 0.5 else SUNNY,
        0.002,
        None,
        0.0,
    )


def thicket(rng: Rng, wide: int, foot: float) -> Place:
    """Nothing but leaves, far out of focus."""
    tones = [("3f5a2c", "6f8f45", "b5c97a"), ("5d6b4a", "8f9a70", "c9cfa8"), ("4a4a3a", "7d7a5f", "b5b08f")][
        rng.integers(3)
    ]
    return Place(foliage(rng, wide, *(rgb(t) for t in tones)), daylight(rng), 0.025, None, 0.0)


def post(rng: Rng, wide: int, foot: float) -> Place:
    scene = branch(rng, wide, 3.0)
    bark = pick(rng, "7d7062", "94877a", "5b4f45")
    x, y = grid(wide)
    across = (x - 0.47 - 0.02 * y) / rng.uniform(0.09, 0.16)
    tone = (
        blend(mix(bark, (1, 1, 1), 0.2), mix(bark, (0, 0, 0), 0.5), np.clip(across * 0.5 + 0.5, 0, 1))
        * (1 + 0.15 * noise(rng, wide, 30, 3, 0.7, 0.15))[..., None]
    )
    stands = smoothstep(1.03, 0.98, np.abs(across)) * smoothstep(-0.005, 0.005, y - foot - 0.02 * across**2)
    return Place(blend(scene.pixels, tone, stands), scene.light, 0.002, None, 0.3)


def bush(rng: Rng, wide: int, foot: float) -> Place:
    """Among sharp leaves, some in front."""
    base = branch(rng, wide, foot)
    near = [leaf_shape(rng, rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.04, 0.1)) for _ in range(26)]
    pixels = blend(base.pixels, pick(rng, "4f7339", "6f8f3f", "8a8f4a"), polygons(wide, near))
    front = polygons(wide, [s for s in near if s[0][1] > foot])
    return Place(pixels, base.light, 0.002, front, 0.0)
