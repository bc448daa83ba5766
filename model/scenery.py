"""Backgrounds of the drawn scenes: places with sky, ground and things that stand about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from model.brushes import (
    Array, Colour, Light, blend, blob, grid, mix, noise, out_of_focus, pick, polygons, rgb, smoothstep, tinted,
)

Rng = np.random.Generator


@dataclass(frozen=True)
class Place:
    """A background (wide,wide,3), its light, how blurred it is, and what of it stands before the object (wide,wide)."""

    pixels: Array
    light: Light = Light()
    blur: float = 0.004
    front: Array | None = None
    shadow: float = 0.55


SUNNY = Light()
DULL = Light((-0.2, 0.9, 0.5), (0.95, 0.97, 1.0), (0.66, 0.69, 0.74), (0.34, 0.33, 0.32), 0.55)
LAMP = Light((-0.4, 0.5, 0.9), (1.0, 0.93, 0.82), (0.5, 0.48, 0.46), (0.25, 0.22, 0.2), 0.9)
SHADE = Light((-0.35, 0.75, 0.5), (0.98, 1.0, 0.88), (0.5, 0.55, 0.48), (0.24, 0.25, 0.18), 0.8)


def daylight(rng: Rng) -> Light:
    """Sun from somewhere above, or a dull day."""
    if rng.random() < 0.3:
        return DULL
    return Light((float(rng.uniform(-0.8, 0.8)), 0.75, 0.55), strength=float(rng.uniform(0.8, 1.05)))


# ---------------------------------------------------------------- elements


def heaven(rng: Rng, wide: int, deep: Colour | None = None, clouds: float | None = None) -> Array:
    """A sky, paler towards the horizon, with more or fewer clouds."""
    _, y = grid(wide)
    top = deep or pick(rng, "3f7cc4", "5b93d0", "78a9dc", "4a6fae", "8db8e0")
    pixels = blend(top, mix(top, rgb("eaf2f8"), 0.75), smoothstep(0, 1, y) * 0.85)
    amount = rng.uniform(-0.5, 1.2) if clouds is None else clouds
    puffs = noise(rng, wide, 2.5, 6, 0.55, 2.2) + np.float32(amount) - 0.6
    body = smoothstep(0, 1.3, puffs)
    shade = blend(rgb("ffffff"), rgb("b7c0cc"), smoothstep(0.3, 2.2, puffs))
    return blend(pixels, shade, body * 0.92)


def soil(rng: Rng, wide: int, horizon: float, near: Colour, far: Colour, speck: Colour, rough: float = 0.5, grain: float = 40) -> Array:
    """Ground seen at a slant: texture shrinks towards the horizon."""
    x, y = grid(wide)
    depth = np.clip((y[:, 0] - horizon) / (1 - horizon + 1e-6), 0, 1)
    fine = noise(rng, wide, grain, 3, 0.8, 0.6)
    coarse = noise(rng, wide, 4, 3, 0.6, 2.5)
    rows = np.clip((depth**0.6) * (wide - 1), 0, wide - 1).astype(int)
    spread = 0.55 + 0.45 * depth
    columns = np.clip(((x - 0.5) / spread[:, None] * 0.55 + 0.5) * (wide - 1), 0, wide - 1).astype(int)
    texture = fine[rows[:, None], columns] * (0.35 + 0.65 * depth[:, None].astype(np.float32))
    pixels = blend(far, near, np.broadcast_to(depth[:, None], (wide, wide)).astype(np.float32))
    pixels = blend(pixels, speck, np.clip(0.25 * coarse + 0.2, 0, 0.6))
    return pixels * (1 + np.float32(0.28 * rough) * texture + np.float32(0.06) * coarse)[..., None]


def below(pixels: Array, ground: Array, horizon: Array | float, soft: float = 0.004) -> Array:
    """The ground laid under the horizon (a height, or one a column)."""
    _, y = grid(pixels.shape[0])
    return blend(pixels, ground, smoothstep(-soft, soft, y - np.asarray(horizon, np.float32)))


def ridge(rng: Rng, wide: int, base: float, high: float, cells: float, octaves: int = 4) -> Array:
    """A skyline (wide,): the height at which it begins in every column."""
    line = noise(rng, wide, cells, octaves, 0.55)[wide // 2]
    return (base - high * np.clip(0.6 + 0.4 * line, 0.05, 2)).astype(np.float32)


def wood(rng: Rng, wide: int, base: float, high: float, leaf: Colour, cells: float = 7) -> tuple[Array, Array]:
    """Trees standing on `base`: their pixels and the skyline."""
    _, y = grid(wide)
    top = ridge(rng, wide, base, high, cells, 5)
    mottled = noise(rng, wide, 18, 4, 0.7)
    light = np.clip(1 - (y - top) / max(high, 0.05), 0, 1)
    pixels = blend(mix(leaf, (0.03, 0.05, 0.03), 0.62), leaf, np.clip(0.5 * light + 0.28 * mottled + 0.15, 0, 1.15))
    return pixels, top


def foliage(rng: Rng, wide: int, *leaves: Colour) -> Array:
    """Leaves far out of focus, with patches of light between them."""
    tones = [noise(rng, wide, cells, 3, 0.6) for cells in (3, 5)]
    pixels = blend(leaves[0], leaves[1], smoothstep(-1, 1, tones[0]))
    pixels = blend(pixels, leaves[-1], smoothstep(0.1, 1.6, tones[1]) * 0.8)
    return pixels * (1 + 0.12 * noise(rng, wide, 7, 4, 0.6))[..., None]


def trunks(rng: Rng, wide: int, base: float, count: int) -> Array:
    """How far tree trunks cover each pixel (wide,wide)."""
    shapes = []
    for x in rng.uniform(0, 1, count):
        half, lean, foot = rng.uniform(0.008, 0.035), rng.normal(0, 0.03), base + rng.uniform(-0.02, 0.05)
        shapes.append([(x - half, foot), (x - half * 0.7 + lean, -0.1), (x + half * 0.7 + lean, -0.1), (x + half, foot)])
    return polygons(wide, shapes)


def bushes(pixels: Array, rng: Rng, base: float, count: int, leaf: Colour) -> Array:
    """Round bushes standing about on `base`."""
    wide = pixels.shape[0]
    mottled = noise(rng, wide, 20, 3, 0.7)
    _, y = grid(wide)
    for x in rng.uniform(-0.05, 1.05, count):
        rx, ry = rng.uniform(0.06, 0.18), rng.uniform(0.04, 0.11)
        shape = smoothstep(0.35, 0.6, blob(wide, x, base - ry * 0.4, rx, ry, 0.5) + 0.12 * mottled)
        light = np.clip((base - y) / (ry * 1.6) + 0.25 * mottled, 0, 1)
        pixels = blend(pixels, blend(mix(leaf, (0.02, 0.04, 0.02), 0.6), leaf, light), shape)
    return pixels


def rocks(pixels: Array, rng: Rng, low: float, high: float, count: int) -> Array:
    """Grey stones lying about between two heights."""
    wide = pixels.shape[0]
    _, y = grid(wide)
    for _ in range(count):
        x, at, r = rng.uniform(0, 1), rng.uniform(low, high), rng.uniform(0.015, 0.05)
        shape = blob(wide, x, at, r * 1.5, r, 0.1)
        tone = pick(rng, "8a857c", "6e6a63", "a09a8e")
        pixels = blend(pixels, blend(mix(tone, (1, 1, 1), 0.2), mix(tone, (0, 0, 0), 0.5), np.clip((y - at) / r * 0.5 + 0.5, 0, 1)), shape)
    return pixels


def houses(pixels: Array, rng: Rng, base: float, count: int, tall: float = 0.3) -> Array:
    """Buildings with rows of windows, standing on `base`."""
    wide = pixels.shape[0]
    x, y = grid(wide)
    left = -0.1
    for _ in range(count):
        width, top = rng.uniform(0.14, 0.34), base - tall * rng.uniform(0.4, 1.1)
        wall = pick(rng, "b8a892", "9c8577", "c9c2b5", "8d8f93", "a8624a", "d6cdbd", "75787d")
        inside = ((x > left) & (x < left + width) & (y > top) & (y < base)).astype(np.float32)
        pixels = blend(pixels, wall, inside)
        across, down = ((x - left) / rng.uniform(0.035, 0.06)) % 1, ((y - top) / rng.uniform(0.05, 0.08)) % 1
        panes = inside * ((across > 0.3) & (across < 0.75) & (down > 0.35) & (down < 0.8))
        pixels = blend(pixels, pick(rng, "3b4652", "5a6875", "2e3338"), panes * 0.85)
        left += width * rng.uniform(0.85, 1.25)
    return pixels


def water(rng: Rng, wide: int, horizon: float, near: Colour, far: Colour, chop: float = 0.5) -> Array:
    """Water up to the horizon: waves that flatten with distance, and glitter."""
    x, y = grid(wide)
    depth = np.clip((y[:, 0] - horizon) / (1 - horizon + 1e-6), 0, 1)
    rows = np.clip(depth**0.55 * (wide - 1), 0, wide - 1).astype(int)
    waves = noise(rng, wide, 14, 4, 0.75, 7)[rows] * (0.25 + 0.75 * depth[:, None].astype(np.float32))
    pixels = blend(far, near, np.broadcast_to(smoothstep(0, 0.9, depth.astype(np.float32))[:, None], (wide, wide)))
    pixels = pixels * (1 + np.float32(0.28 * chop) * waves)[..., None]
    return blend(pixels, mix(far, (1, 1, 1), 0.6), smoothstep(1.2, 2.6, waves) * np.float32(0.8 * chop))


def tufts(rng: Rng, wide: int, foot: float, high: float, thick: float = 60) -> Array:
    """Blades of grass that hide what stands behind them near `foot`: coverage (wide,wide)."""
    _, y = grid(wide)
    blades = noise(rng, wide, thick, 2, 0.6, 0.12) * 0.5 + 0.5 + 0.3 * noise(rng, wide, 5, 2)
    return smoothstep(0, 0.02, y - (foot - high * np.clip(blades, 0, 1.4)).astype(np.float32))


# ---------------------------------------------------------------- open country


GREENS = ("6f8f3f", "5c7f3a", "86a04c", "4f7339", "7c9a54", "93a65a")


def _field(rng: Rng, wide: int, foot: float, near: Colour, speck: Colour, rough: float, blades: float) -> tuple[Array, Array | None]:
    horizon = foot - rng.uniform(0.22, 0.5)
    sky = heaven(rng, wide)
    leaf = pick(rng, "3f5a2c", "4a6b33", "2f4526", "5d6b35")
    if rng.random() < 0.35:
        far = ridge(rng, wide, horizon + 0.02, rng.uniform(0.05, 0.15), 2, 3)
        sky = below(sky, np.broadcast_to(np.asarray(mix(pick(rng, "5d7390", "6b7f6a", "7f8fa3"), leaf, 0.2), np.float32), sky.shape), far)
    trees, top = wood(rng, wide, horizon + 0.02, rng.uniform(0.04, 0.35), leaf)
    pixels = below(sky, trees, top) if rng.random() < 0.85 else sky
    pixels = below(pixels, soil(rng, wide, horizon, near, mix(near, rgb("c9cfa0"), 0.25), speck, rough), horizon)
    if rng.random() < 0.4:
        pixels = bushes(pixels, rng, horizon + 0.03, int(rng.integers(1, 4)), tinted(leaf, rng, 0.15))
    front = tufts(rng, wide, foot + 0.01, blades) if blades > 0 else None
    return pixels, front


def meadow(rng: Rng, wide: int, foot: float) -> Place:
    near = pick(rng, *GREENS)
    pixels, front = _field(rng, wide, foot, near, mix(near, rgb("b9a85a"), 0.4), 0.7, float(rng.choice([0.02, 0.05])))
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
    pixels = below(pixels, soil(rng, wide, horizon, rgb("e6ebf2"), rgb("d3dbe6"), rgb("c3cfdf"), 0.12), horizon, 0.02)
    return Place(pixels, DULL, 0.006, tufts(rng, wide, foot + 0.01, 0.02, 12))


def hills(rng: Rng, wide: int, foot: float) -> Place:
    pixels = heaven(rng, wide)
    for i, base in enumerate(np.linspace(foot - 0.35, foot - 0.15, 3)):
        tone = mix(rgb("8fa3bb"), pick(rng, "5f7a3f", "7d8a4a", "6b6f48"), i / 2)
        slope = np.broadcast_to(np.asarray(tone, np.float32), pixels.shape) * (1 + 0.08 * noise(rng, wide, 12, 4))[..., None]
        pixels = below(pixels, slope, ridge(rng, wide, base, 0.12, 2 + i, 4))
    near = pick(rng, *GREENS)
    pixels = below(pixels, soil(rng, wide, foot - 0.14, near, near, rgb("a39a5a"), 0.7), foot - 0.14, 0.02)
    return Place(pixels, daylight(rng), 0.005, tufts(rng, wide, foot + 0.01, 0.03))


def forest(rng: Rng, wide: int, foot: float) -> Place:
    tones = [("33472a", "5d7a3d", "a9bd6c"), ("3b3a26", "6d6a3d", "b0a56a"), ("25331f", "47622f", "8aa35a")][rng.integers(3)]
    horizon = foot - rng.uniform(0.15, 0.35)
    pixels = foliage(rng, wide, *(rgb(t) for t in tones))
    bark = pick(rng, "4a3b2e", "5b4a3a", "3a332b", "6e6456")
    pixels = blend(pixels, bark, trunks(rng, wide, horizon + 0.05, int(rng.integers(3, 9))) * 0.9)
    floor = pick(rng, "6b7a3c", "7d6a45", "5c6b38", "8a7a52")
    pixels = below(pixels, soil(rng, wide, horizon, floor, mix(floor, rgb(tones[0]), 0.5), pick(rng, "8f7a4a", "4a5a2c"), 0.9), horizon, 0.05)
    return Place(pixels, SHADE, rng.uniform(0.005, 0.014), tufts(rng, wide, foot + 0.01, rng.uniform(0.02, 0.07)))


def glade(rng: Rng, wide: int, foot: float) -> Place:
    """Grass before a dark wood; no sky."""
    tones = [("1f2d1a", "3b5228", "6f8a44"), ("2d3320", "4f5a30", "85904f"), ("28361f", "55703a", "93a862")][rng.integers(3)]
    near, horizon = pick(rng, *GREENS), foot - rng.uniform(0.1, 0.4)
    ground = soil(rng, wide, horizon, near, mix(near, rgb(tones[1]), 0.4), mix(near, rgb("b9a85a"), 0.4), 0.8)
    pixels = below(foliage(rng, wide, *(rgb(t) for t in tones)), ground, ridge(rng, wide, horizon, 0.03, 6), 0.02)
    return Place(pixels, SHADE if rng.random() < 0.5 else daylight(rng), rng.uniform(0.004, 0.012), tufts(rng, wide, foot + 0.01, rng.uniform(0.02, 0.06)))


def reeds(rng: Rng, wide: int, foot: float) -> Place:
    """Dry stalks and brush, brown and olive; no sky."""
    tones = [("4a4230", "857850", "b8a878"), ("5a4a38", "94805c", "c2ad85"), ("3f4230", "6f7048", "a39c6c")][rng.integers(3)]
    near, horizon = pick(rng, "b39a5f", "a08a58", "8f7f52", "9a8a66"), foot - rng.uniform(0.1, 0.35)
    stalks = noise(rng, wide, 22, 3, 0.7, 0.1)
    pixels = foliage(rng, wide, *(rgb(t) for t in tones)) * (1 + 0.13 * stalks)[..., None]
    ground = soil(rng, wide, horizon, near, mix(near, rgb(tones[1]), 0.5), pick(rng, "7d7444", "8a6f45"), 0.9)
    pixels = below(pixels, ground, ridge(rng, wide, horizon, 0.05, 9), 0.03)
    return Place(pixels, daylight(rng), rng.uniform(0.004, 0.012), tufts(rng, wide, foot + 0.01, rng.uniform(0.02, 0.07)))


def paddock(rng: Rng, wide: int, foot: float) -> Place:
    horizon = foot - rng.uniform(0.25, 0.4)
    trees, top = wood(rng, wide, horizon + 0.02, rng.uniform(0.15, 0.45), pick(rng, "4a6b33", "3f5a2c"))
    pixels = below(heaven(rng, wide), trees, top)
    near = pick(rng, "b59f78", "a08b68", "c2b08a", "86a04c")
    pixels = below(pixels, soil(rng, wide, horizon, near, mix(near, (1, 1, 1), 0.15), mix(near, (0, 0, 0), 0.3), 0.5), horizon)
    rail, at = pick(rng, "e8e4da", "8a7258", "6b5a48"), horizon + 0.03
    bars = [[(0, at - d), (1, at - d), (1, at - d + 0.016), (0, at - d + 0.016)] for d in (0.06, 0.13, 0.2)]
    posts = [[(p, at - 0.23), (p + 0.018, at - 0.23), (p + 0.018, at + 0.03), (p, at + 0.03)] for p in np.arange(rng.uniform(0, 0.2), 1, 0.27)]
    return Place(blend(pixels, rail, polygons(wide, bars + posts)), daylight(rng), 0.004)


def sand(rng: Rng, wide: int, foot: float) -> Place:
    horizon = foot - rng.uniform(0.3, 0.6)
    near = pick(rng, "cdb68a", "d8c49a", "bda478")
    pixels = below(heaven(rng, wide), water(rng, wide, horizon, rgb("4f7f96"), rgb("7ba3b8"), 0.5), horizon)
    pixels = below(pixels, soil(rng, wide, horizon + 0.12, near, mix(near, (1, 1, 1), 0.2), mix(near, (0, 0, 0), 0.2), 0.35), horizon + 0.12, 0.02)
    return Place(rocks(pixels, rng, horizon + 0.16, horizon + 0.6, int(rng.integers(0, 4))), daylight(rng), 0.005)


def lawn(rng: Rng, wide: int, foot: float) -> Place:
    near = pick(rng, *GREENS)
    if rng.random() < 0.6:
        pixels = soil(rng, wide, -0.25, near, mix(near, (0.05, 0.1, 0.02), 0.25), mix(near, rgb("b9b25a"), 0.35), 1.0)
    else:
        horizon = foot - rng.uniform(0.4, 0.6)
        pixels = foliage(rng, wide, rgb("2f4526"), rgb("4f6b35"), rgb("8aa05a"))
        pixels = below(pixels, soil(rng, wide, horizon, near, near, mix(near, rgb("b9b25a"), 0.35), 0.9), horizon, 0.04)
    return Place(pixels, daylight(rng), rng.uniform(0.003, 0.01), tufts(rng, wide, foot + 0.01, 0.035))


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
    ground = soil(rng, wide, foot - 0.12, floor, mix(floor, (0, 0, 0), 0.25), mix(floor, (1, 1, 1), 0.15), 0.25)
    return Place(below(pixels, ground, foot - 0.12), LAMP, rng.uniform(0.008, 0.018))


def sofa(rng: Rng, wide: int, foot: float) -> Place:
    x, y = grid(wide)
    cloth = pick(rng, "7a4a3a", "4a5a6e", "94897c", "c4b8a6", "5a4a58", "a8adb3", "d3c8b6", "8a94a0")
    folds = noise(rng, wide, 4, 3, 0.5, 0.5)
    weave = noise(rng, wide, 90, 2, 0.8)
    pixels = blend(mix(cloth, (1, 1, 1), 0.12), mix(cloth, (0, 0, 0), 0.4), np.clip(0.4 + 0.22 * folds + 0.3 * (y - 0.4), 0, 1))
    seam = smoothstep(0.0, 0.02, np.abs(y - (foot - 0.25) + 0.02 * folds))
    pixels = pixels * (0.72 + 0.28 * seam + 0.04 * weave)[..., None]
    if rng.random() < 0.5:
        pillow = blob(wide, rng.uniform(0.05, 0.95), foot - 0.38, 0.24, 0.2, 0.06)
        tone = pick(rng, "c96a4a", "d8c9a8", "5a7a8a", "a33f45", "e3ddd0")
        pixels = blend(pixels, blend(mix(tone, (1, 1, 1), 0.2), mix(tone, (0, 0, 0), 0.35), np.clip(x * 0.4 + 0.2 * folds + 0.3, 0, 1)), pillow)
    return Place(pixels, LAMP, rng.uniform(0.004, 0.01))


def blanket(rng: Rng, wide: int, foot: float) -> Place:
    x, y = grid(wide)
    cloth, other = pick(rng, "c9b8a0", "9c4a45", "4a6078", "8a8f94", "d9d2c8", "6a5a78"), pick(rng, "e8e0d2", "3a3f4a", "b8843f", "6f2f33")
    folds = noise(rng, wide, 3.5, 4, 0.55)
    bars = np.sin((x + 0.05 * folds) * rng.uniform(20, 50)) + np.sin((y + 0.05 * folds) * rng.uniform(20, 50))
    pixels = blend(cloth, other, smoothstep(0.2, 1.2, bars) * float(rng.choice([0, 0.6])))
    return Place(pixels * (0.88 + 0.16 * folds + 0.04 * noise(rng, wide, 80, 2, 0.8))[..., None], LAMP, rng.uniform(0.003, 0.008))


def floor(rng: Rng, wide: int, foot: float) -> Place:
    x, y = grid(wide)
    tone = pick(rng, "9c7248", "b58d5f", "7a573a", "c2a27a", "b8b3aa")
    rows = (y + 0.6) ** 2 * 7
    board = np.floor(rows) * 12.9898
    pixels = np.broadcast_to(np.asarray(tone, np.float32), (wide, wide, 3)) * (0.92 + 0.1 * np.sin(board * 7) + 0.06 * noise(rng, wide, 20, 4, 0.7, 8))[..., None]
    gap = smoothstep(0.0, 0.08, np.minimum(rows % 1, 1 - rows % 1))
    pixels = pixels * (0.7 + 0.3 * gap)[..., None]
    return Place(blend(pixels, (1, 0.97, 0.9), blob(wide, rng.uniform(0, 1), 0.15, 0.5, 0.35, 0.9) * 0.35), LAMP, rng.uniform(0.004, 0.009))


# ---------------------------------------------------------------- small ground, water's edge


def leaves(rng: Rng, wide: int, foot: float) -> Place:
    """A forest floor close by: overlapping leaves."""
    tones = [("8a6239", "b08a55", "5a4028"), ("6b7a3a", "8fa350", "3f4f27"), ("7d6a4a", "a6946b", "4a3d2b")][rng.integers(3)]
    pixels = np.broadcast_to(np.asarray(rgb(tones[2]), np.float32), (wide, wide, 3)) * (1 + 0.2 * noise(rng, wide, 30, 3, 0.7))[..., None]
    for _ in range(4):
        shapes = [_leaf(rng, rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.05, 0.14)) for _ in range(14)]
        tone = tinted(rgb(tones[rng.integers(2)]), rng, 0.16)
        pixels = pixels * (1 - 0.4 * polygons(wide, [[(x + 0.01, y + 0.014) for x, y in s] for s in shapes]))[..., None]
        pixels = blend(pixels, np.asarray(tone, np.float32) * (1 + 0.14 * noise(rng, wide, 26, 3))[..., None], polygons(wide, shapes))
    return Place(pixels, SHADE, rng.uniform(0.003, 0.009))


def _leaf(rng: Rng, x: float, y: float, r: float) -> list[tuple[float, float]]:
    angle, t = rng.uniform(0, 6.28), np.linspace(-1, 1, 9)
    side = 0.42 * (1 - t**2) * r
    across = np.concatenate([t * r, t[::-1] * r])
    down = np.concatenate([side, -side[::-1]])
    c, s = np.cos(angle), np.sin(angle)
    return list(zip((x + across * c - down * s).tolist(), (y + (across * s + down * c) * 0.75).tolist(), strict=True))


def leaf(rng: Rng, wide: int, foot: float) -> Place:
    """One great green leaf under the animal, with its veins."""
    x, y = grid(wide)
    green = pick(rng, "5f8f3a", "7aa84a", "4a7a35", "8fb85a")
    slant = rng.uniform(-0.6, 0.6)
    down = y - foot + 0.05 + (x - 0.5) * slant * 0.3
    veins = np.abs(np.sin((x + np.abs(down) * 1.2 * np.sign(slant + 0.01)) * 26)) ** 0.3
    pixels = blend(green, mix(green, (0.9, 1, 0.6), 0.45), 1 - veins) * (1 + 0.06 * noise(rng, wide, 30, 3))[..., None]
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
    return Place(rocks(pixels, rng, 0.0, 0.5, int(rng.integers(0, 4))), SHADE, rng.uniform(0.004, 0.01), tufts(rng, wide, foot + 0.01, 0.02, 90))


def pond(rng: Rng, wide: int, foot: float) -> Place:
    deep = pick(rng, "3a4a32", "4a5a3f", "2f3f3a", "5f6f5a", "4f6a70")
    pixels = water(rng, wide, -0.4, deep, mix(deep, rgb("9fb5b0"), 0.4), 0.5)
    for _ in range(int(rng.integers(2, 7))):
        px, py, r = rng.uniform(0, 1), rng.uniform(0.05, 1), rng.uniform(0.06, 0.14)
        tone = pick(rng, "6f8f3f", "86a552", "557a35")
        pixels = blend(pixels, tone, blob(wide, px, py, r, r * 0.45, 0.05))
        pixels = blend(pixels, mix(tone, (1, 1, 0.8), 0.3), blob(wide, px - r * 0.2, py - r * 0.1, r * 0.6, r * 0.22, 0.6) * 0.6)
    return Place(pixels, SHADE, 0.004, _waterline(rng, wide, foot - 0.045), 0.35)


def _waterline(rng: Rng, wide: int, level: float) -> Array:
    _, y = grid(wide)
    return smoothstep(-0.004, 0.004, y - np.float32(level) - 0.004 * noise(rng, wide, 12, 3, 0.6, 5))


def lake(rng: Rng, wide: int, foot: float) -> Place:
    deep = pick(rng, "4a6f8f", "5f7f8a", "3f5f70", "7a93a0")
    horizon = foot - rng.uniform(0.45, 0.9)
    pixels = heaven(rng, wide)
    trees, top = wood(rng, wide, horizon + 0.02, 0.15, pick(rng, "4a5f3a", "3f5a2c"))
    pixels = below(below(pixels, trees, top), water(rng, wide, horizon, deep, mix(deep, (1, 1, 1), 0.35), 0.6), horizon)
    return Place(pixels, daylight(rng), 0.005, _waterline(rng, wide, foot - 0.05), 0.35)


def branch(rng: Rng, wide: int, foot: float) -> Place:
    """A bough to perch on, leaves far behind."""
    tones = [("3f5a2c", "6f8f45", "b5c97a"), ("5d6b4a", "8f9a70", "c9cfa8"), ("6f8fb5", "9fb8d3", "d3e0ec"), ("6b5a45", "94806a", "b8a88f")][rng.integers(4)]
    pixels = out_of_focus(foliage(rng, wide, *(rgb(t) for t in tones)), 0.02)
    slope, thick, bark = rng.uniform(-0.2, 0.2), rng.uniform(0.025, 0.05), pick(rng, "5b4636", "6e5d4c", "4a3f36", "7d7062")
    x, y = grid(wide)
    across = (y - (foot + thick * 0.8) - slope * (x - 0.5) - 0.012 * noise(rng, wide, 4, 2)) / thick
    tone = blend(mix(bark, (1, 1, 1), 0.25), mix(bark, (0, 0, 0), 0.55), np.clip(across * 0.5 + 0.5, 0, 1))
    tone = tone * (1 + 0.16 * noise(rng, wide, 24, 3, 0.7, 4))[..., None]
    pixels = blend(pixels, tone, smoothstep(1.08, 0.96, np.abs(across)))
    twigs = [_leaf(rng, rng.uniform(0, 1), foot + rng.uniform(-0.1, 0.2), rng.uniform(0.04, 0.09)) for _ in range(int(rng.integers(0, 8)))]
    return Place(blend(pixels, tinted(rgb(tones[1]), rng, 0.2), polygons(wide, twigs)), SHADE if rng.random() < 0.5 else SUNNY, 0.002, None, 0.0)


def thicket(rng: Rng, wide: int, foot: float) -> Place:
    """Nothing but leaves, far out of focus."""
    tones = [("3f5a2c", "6f8f45", "b5c97a"), ("5d6b4a", "8f9a70", "c9cfa8"), ("4a4a3a", "7d7a5f", "b5b08f")][rng.integers(3)]
    return Place(foliage(rng, wide, *(rgb(t) for t in tones)), daylight(rng), 0.025, None, 0.0)


def post(rng: Rng, wide: int, foot: float) -> Place:
    scene = branch(rng, wide, 3.0)
    bark = pick(rng, "7d7062", "94877a", "5b4f45")
    x, y = grid(wide)
    across = (x - 0.47 - 0.02 * y) / rng.uniform(0.09, 0.16)
    tone = blend(mix(bark, (1, 1, 1), 0.2), mix(bark, (0, 0, 0), 0.5), np.clip(across * 0.5 + 0.5, 0, 1)) * (1 + 0.15 * noise(rng, wide, 30, 3, 0.7, 0.15))[..., None]
    stands = smoothstep(1.03, 0.98, np.abs(across)) * smoothstep(-0.005, 0.005, y - foot - 0.02 * across**2)
    return Place(blend(scene.pixels, tone, stands), scene.light, 0.002, None, 0.3)


def bush(rng: Rng, wide: int, foot: float) -> Place:
    """Among sharp leaves, some in front."""
    base = branch(rng, wide, foot)
    near = [_leaf(rng, rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.04, 0.1)) for _ in range(26)]
    pixels = blend(base.pixels, pick(rng, "4f7339", "6f8f3f", "8a8f4a"), polygons(wide, near))
    front = polygons(wide, [s for s in near if s[0][1] > foot])
    return Place(pixels, base.light, 0.002, front, 0.0)


# ---------------------------------------------------------------- sky, sea, roads


def sky(rng: Rng, wide: int, foot: float) -> Place:
    return Place(heaven(rng, wide), daylight(rng), 0.003, None, 0.0)


def overcast(rng: Rng, wide: int, foot: float) -> Place:
    return Place(heaven(rng, wide, pick(rng, "9aa5b3", "b8c0c9", "7d8a9a", "c9d3dd"), rng.uniform(0, 1)), DULL, 0.004, None, 0.0)


def sea(rng: Rng, wide: int, foot: float) -> Place:
    """Open water with the object's waterline at `foot`."""
    horizon = foot - rng.uniform(0.04, 0.2)
    deep = pick(rng, "2f5a7d", "3f6f8f", "27496b", "4a7a85", "5a7d94", "345f6e")
    pixels = heaven(rng, wide)
    if rng.random() < 0.45:
        tone = mix(pick(rng, "5a6f5a", "6f7f94", "7d8a70"), rgb("b8c6d3"), rng.uniform(0.1, 0.5))
        coast = np.broadcast_to(np.asarray(tone, np.float32), pixels.shape) * (1 + 0.1 * noise(rng, wide, 16, 4))[..., None]
        pixels = below(pixels, coast, ridge(rng, wide, horizon + 0.01, rng.uniform(0.03, 0.13), 2.5, 4))
    pixels = below(pixels, water(rng, wide, horizon, deep, mix(deep, rgb("b8d0de"), 0.35), rng.uniform(0.4, 0.9)), horizon)
    return Place(pixels, daylight(rng), 0.002, _waterline(rng, wide, foot - 0.012), 0.0)


def harbour(rng: Rng, wide: int, foot: float) -> Place:
    horizon = foot - rng.uniform(0.06, 0.16)
    pixels = houses(heaven(rng, wide), rng, horizon + 0.005, 7, rng.uniform(0.1, 0.3))
    deep = pick(rng, "3f5f70", "4a6a7d", "2f4f5f")
    pixels = below(pixels, water(rng, wide, horizon, deep, mix(deep, rgb("c9d3d6"), 0.4), 0.5), horizon)
    return Place(pixels, daylight(rng), 0.003, _waterline(rng, wide, foot - 0.012), 0.0)


def road(rng: Rng, wide: int, foot: float) -> Place:
    """Asphalt with a verge and trees or hills behind."""
    horizon = foot - rng.uniform(0.2, 0.36)
    leaf = pick(rng, "4a6b33", "3f5a2c", "6b7a45")
    trees, top = wood(rng, wide, horizon + 0.02, rng.uniform(0.05, 0.4), leaf)
    pixels = below(heaven(rng, wide), trees, top)
    verge = pick(rng, *GREENS)
    pixels = below(pixels, soil(rng, wide, horizon, verge, verge, rgb("a39a6a"), 0.8), horizon)
    pixels = below(pixels, _asphalt(rng, wide, foot - 0.15), foot - rng.uniform(0.1, 0.16), 0.006)
    return Place(pixels, daylight(rng), 0.004)


def _asphalt(rng: Rng, wide: int, top: float) -> Array:
    tone = pick(rng, "6e6f72", "87888a", "9a9896", "5a5b5e", "a8a49c")
    pixels = soil(rng, wide, top, tone, mix(tone, (1, 1, 1), 0.12), mix(tone, (0, 0, 0), 0.12), 0.2, 90)
    line = [[(-0.1, top + 0.34), (1.1, top + 0.31), (1.1, top + 0.325), (-0.1, top + 0.358)]]
    return blend(pixels, rgb("e3ddc9"), polygons(wide, line) * float(rng.choice([0, 0.8])))


def avenue(rng: Rng, wide: int, foot: float) -> Place:
    """A road along trees; no sky."""
    tones = [("2d3f24", "4f6b35", "93a862"), ("3a3f30", "6b7050", "a8ab84"), ("44403a", "7a7468", "b5ad9c")][rng.integers(3)]
    pixels = foliage(rng, wide, *(rgb(t) for t in tones))
    pixels = blend(pixels, pick(rng, "4a3b2e", "5b4a3a", "6e6456"), trunks(rng, wide, foot - 0.16, int(rng.integers(0, 6))) * 0.8)
    verge, edge = pick(rng, *GREENS, "b5b0a6"), foot - rng.uniform(0.1, 0.2)
    pixels = below(pixels, soil(rng, wide, edge - 0.07, verge, verge, mix(verge, (0, 0, 0), 0.3), 0.5), edge - 0.07, 0.015)
    return Place(below(pixels, _asphalt(rng, wide, edge), edge, 0.006), daylight(rng), rng.uniform(0.005, 0.014))


def street(rng: Rng, wide: int, foot: float) -> Place:
    pixels = houses(heaven(rng, wide), rng, foot - 0.14, 7, rng.uniform(0.4, 1.0))
    if rng.random() < 0.5:
        pixels = bushes(pixels, rng, foot - 0.14, 3, pick(rng, "4a6b33", "5d7a3d"))
    kerb = foot - 0.15
    pixels = below(pixels, soil(rng, wide, kerb, rgb("b5b0a6"), rgb("a8a49b"), rgb("8f8b83"), 0.2), kerb)
    return Place(below(pixels, _asphalt(rng, wide, foot - 0.11), foot - 0.11), daylight(rng), 0.005)


def parking(rng: Rng, wide: int, foot: float) -> Place:
    horizon = foot - rng.uniform(0.25, 0.45)
    pixels = heaven(rng, wide)
    trees, top = wood(rng, wide, horizon + 0.01, rng.uniform(0.05, 0.25), pick(rng, "4a6b33", "5d6b45"))
    pixels = below(pixels, trees, top)
    if rng.random() < 0.4:
        pixels = houses(pixels, rng, horizon + 0.01, 4, 0.3)
    return Place(below(pixels, _asphalt(rng, wide, horizon), horizon), daylight(rng), 0.004)


def studio(rng: Rng, wide: int, foot: float) -> Place:
    """A plain backdrop as in a catalogue."""
    x, y = grid(wide)
    tone = pick(rng, "f2f2f0", "e3e5e8", "d3d6da", "c9ccd1")
    return Place(blend(tone, mix(tone, (0, 0, 0), 0.22), smoothstep(0.1, 1.0, np.abs(y - foot + 0.1) + np.abs(x - 0.5) * 0.4)), DULL, 0.004)


def runway(rng: Rng, wide: int, foot: float) -> Place:
    horizon = foot - rng.uniform(0.12, 0.24)
    pixels = heaven(rng, wide)
    trees, top = wood(rng, wide, horizon + 0.01, rng.uniform(0.01, 0.09), pick(rng, "4a5f3a", "5f6f4a"))
    pixels = below(pixels, trees, top)
    grass = pick(rng, "7d8a4a", "8f9a5a", "a39a62")
    pixels = below(pixels, soil(rng, wide, horizon, grass, grass, rgb("b0a56a"), 0.5), horizon)
    return Place(below(pixels, _asphalt(rng, wide, foot - 0.08), foot - 0.08, 0.006), daylight(rng), 0.004)


PLACES: dict[str, Callable[[Rng, int, float], Place]] = {
    "meadow": meadow, "drygrass": drygrass, "snow": snow, "hills": hills, "forest": forest, "glade": glade, "reeds": reeds, "paddock": paddock, "sand": sand, "lawn": lawn,
    "room": room, "sofa": sofa, "blanket": blanket, "floor": floor, "leaves": leaves, "leaf": leaf, "mud": mud, "moss": moss,
    "pond": pond, "lake": lake, "branch": branch, "thicket": thicket, "post": post, "foliage": bush, "sky": sky, "overcast": overcast, "sea": sea,
    "harbour": harbour, "road": road, "avenue": avenue, "street": street, "parking": parking, "studio": studio, "runway": runway,
}
