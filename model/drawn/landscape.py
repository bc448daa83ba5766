"""What places are made of: sky, ground, water, trees, houses, and the light on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.drawn.brushes import (
    Array,
    Color,
    Rng,
    blend,
    blob,
    grid,
    mix,
    noise,
    pick,
    polygons,
    rgb,
    smoothstep,
)
from model.drawn.solids import (
    Light,
)

GREENS = ("6f8f3f", "5c7f3a", "86a04c", "4f7339", "7c9a54", "93a65a")


@dataclass(frozen=True)
class Place:
    """A background (wide,wide,3), its light, its blur, and what of it hides the object (wide,wide)."""

    pixels: Array
    light: Light
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


def heaven(rng: Rng, wide: int, deep: Color | None = None, clouds: float | None = None) -> Array:
    """A sky, paler towards the horizon, with more or fewer clouds."""
    _, y = grid(wide)
    top = deep or pick(rng, "3f7cc4", "5b93d0", "78a9dc", "4a6fae", "8db8e0")
    pixels = blend(top, mix(top, rgb("eaf2f8"), 0.75), smoothstep(0, 1, y) * 0.85)
    amount = rng.uniform(-0.5, 1.2) if clouds is None else clouds
    puffs = noise(rng, wide, 2.5, 6, 0.55, 2.2) + np.float32(amount) - 0.6
    body = smoothstep(0, 1.3, puffs)
    step = max(1, wide // 22)
    above = np.concatenate([puffs[:step], puffs[:-step]])
    shade = blend(rgb("ffffff"), rgb("b3bdca"), np.clip(0.3 + 0.45 * (above - puffs * 0.7), 0, 1))
    return blend(pixels, shade, body * 0.92)


def soil(
    rng: Rng,
    wide: int,
    horizon: float,
    near: Color,
    far: Color,
    speck: Color,
    rough: float = 0.5,
    grain: float = 40,
) -> Array:
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
    return np.asarray(pixels * (1 + 0.28 * rough * texture + 0.06 * coarse)[..., None], np.float32)


def below(pixels: Array, ground: Array, horizon: Array | float, soft: float = 0.004) -> Array:
    """The ground laid under the horizon (a height, or one a column)."""
    _, y = grid(pixels.shape[0])
    return blend(pixels, ground, smoothstep(-soft, soft, y - np.asarray(horizon, np.float32)))


def ridge(rng: Rng, wide: int, base: float, high: float, cells: float, octaves: int = 4) -> Array:
    """A skyline (wide,): the height at which it begins in every column."""
    line = noise(rng, wide, cells, octaves, 0.55)[wide // 2]
    return np.asarray(base - high * np.clip(0.6 + 0.4 * line, 0.05, 2), np.float32)


def wood(rng: Rng, wide: int, base: float, high: float, leaf: Color, cells: float = 7) -> tuple[Array, Array]:
    """Trees standing on `base`: their pixels and the skyline."""
    _, y = grid(wide)
    top = ridge(rng, wide, base, high, cells, 5)
    mottled = noise(rng, wide, 18, 4, 0.7)
    light = np.clip(1 - (y - top) / max(high, 0.05), 0, 1)
    pixels = blend(
        mix(leaf, (0.03, 0.05, 0.03), 0.62), leaf, np.clip(0.5 * light + 0.28 * mottled + 0.15, 0, 1.15)
    )
    return pixels, top


def foliage(rng: Rng, wide: int, *leaves: Color) -> Array:
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
        shapes.append(
            [(x - half, foot), (x - half * 0.7 + lean, -0.1), (x + half * 0.7 + lean, -0.1), (x + half, foot)]
        )
    return polygons(wide, shapes)


def bushes(pixels: Array, rng: Rng, base: float, count: int, leaf: Color) -> Array:
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
    """Gray stones lying about between two heights."""
    wide = pixels.shape[0]
    _, y = grid(wide)
    for _ in range(count):
        x, at, r = rng.uniform(0, 1), rng.uniform(low, high), rng.uniform(0.015, 0.05)
        shape = blob(wide, x, at, r * 1.5, r, 0.1)
        tone = pick(rng, "8a857c", "6e6a63", "a09a8e")
        pixels = blend(
            pixels,
            blend(
                mix(tone, (1, 1, 1), 0.2), mix(tone, (0, 0, 0), 0.5), np.clip((y - at) / r * 0.5 + 0.5, 0, 1)
            ),
            shape,
        )
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


def water(rng: Rng, wide: int, horizon: float, near: Color, far: Color, chop: float = 0.5) -> Array:
    """Water up to the horizon: waves that flatten with distance, and glitter."""
    _x, y = grid(wide)
    depth = np.clip((y[:, 0] - horizon) / (1 - horizon + 1e-6), 0, 1)
    rows = np.clip(depth**0.55 * (wide - 1), 0, wide - 1).astype(int)
    waves = noise(rng, wide, 14, 4, 0.75, 7)[rows] * (0.25 + 0.75 * depth[:, None].astype(np.float32))
    pixels = blend(
        far, near, np.broadcast_to(smoothstep(0, 0.9, depth.astype(np.float32))[:, None], (wide, wide))
    )
    pixels = pixels * (1 + np.float32(0.28 * chop) * waves)[..., None]
    return blend(pixels, mix(far, (1, 1, 1), 0.6), smoothstep(1.2, 2.6, waves) * np.float32(0.8 * chop))


def tufts(rng: Rng, wide: int, foot: float, high: float, thick: float = 60) -> Array:
    """Blades of grass that hide what stands behind them near `foot`: coverage (wide,wide)."""
    _, y = grid(wide)
    blades = noise(rng, wide, thick, 2, 0.6, 0.12) * 0.5 + 0.5 + 0.3 * noise(rng, wide, 5, 2)
    return smoothstep(0, 0.02, y - (foot - high * np.clip(blades, 0, 1.4)).astype(np.float32))


def leaf_shape(rng: Rng, x: float, y: float, r: float) -> list[tuple[float, float]]:
    angle, t = rng.uniform(0, 6.28), np.linspace(-1, 1, 9)
    side = 0.42 * (1 - t**2) * r
    across = np.concatenate([t * r, t[::-1] * r])
    down = np.concatenate([side, -side[::-1]])
    c, s = np.cos(angle), np.sin(angle)
    return list(
        zip((x + across * c - down * s).tolist(), (y + (across * s + down * c) * 0.75).tolist(), strict=True)
    )


def waterline(rng: Rng, wide: int, level: float) -> Array:
    _, y = grid(wide)
    return smoothstep(-0.004, 0.004, y - np.float32(level) - 0.004 * noise(rng, wide, 12, 3, 0.6, 5))


def asphalt(rng: Rng, wide: int, top: float) -> Array:
    tone = pick(rng, "6e6f72", "87888a", "9a9896", "5a5b5e", "a8a49c")
    pixels = soil(rng, wide, top, tone, mix(tone, (1, 1, 1), 0.12), mix(tone, (0, 0, 0), 0.12), 0.2, 90)
    line = [[(-0.1, top + 0.34), (1.1, top + 0.31), (1.1, top + 0.325), (-0.1, top + 0.358)]]
    return blend(pixels, rgb("e3ddc9"), polygons(wide, line) * float(rng.choice([0, 0.8])))
