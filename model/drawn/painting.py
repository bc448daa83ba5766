"""From solids to pixels: soft bodies shaded by their height, faces by their normal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from model.drawn.brushes import (
    Array,
    blend,
    grid,
    noise,
    smoothstep,
)
from model.drawn.solids import (
    Coat,
    Faces,
    Flesh,
    Layer,
    Light,
    Part,
    Viewpoint,
    cross,
    extent,
)


def paint(parts: Sequence[Part], view: Viewpoint, light: Light, wide: int, rng: np.random.Generator) -> Layer:
    """The parts painted in order, soft bodies hiding each other by depth."""
    layer = Layer.empty(wide)
    for part in _joined(parts):
        if isinstance(part, Flesh):
            own = np.random.default_rng(rng.integers(2**32))  # drawn for what is left out, too
            if part.cones:
                _paint_flesh(layer, part, view, light, wide, own)
        elif part.shapes:
            _paint_faces(layer, part, view, light, wide)
    return layer


def _joined(parts: Sequence[Part]) -> list[Part]:
    """The same parts with all bare details (eyes, noses) in one, which is quicker to paint."""
    bare = [p for p in parts if isinstance(p, Flesh) and p.coat.hair == 0]
    rest = [p for p in parts if not (isinstance(p, Flesh) and p.coat.hair == 0)]
    if not bare:
        return rest
    return [*rest, Flesh(tuple(c for p in bare for c in p.cones), Coat(hair=0, gloss=0.16), 0.003)]


def _window(wide: int, bounds: tuple[float, float, float, float], margin: float) -> tuple[slice, slice]:
    left, top, right, bottom = (round(v * wide) for v in bounds)
    edge = max(2, round(margin * wide))
    return slice(max(0, top - edge), max(0, bottom + edge)), slice(max(0, left - edge), max(0, right + edge))


def _paint_flesh(
    layer: Layer, part: Flesh, view: Viewpoint, light: Light, wide: int, own: np.random.Generator
) -> None:
    window = _window(wide, extent([part], view), part.melt * view.scale)
    x, y = (plane[window] for plane in grid(wide))
    if x.size == 0 or min(x.shape) < 2:
        return
    height, away, colors = _melted(part, view, x, y)
    if part.coat.hair == 0:
        normals = _normals(height, wide * view.scale)
    else:
        bump = _fur(part.coat, own, wide)[window]
        away = away + bump * np.float32(0.0013 * part.coat.hair) * np.float32(part.melt > 0.012)
        normals = _normals(height + bump * np.float32(part.coat.hair * 0.0016), wide * view.scale)
        colors = _coated(part.coat, colors, normals, bump, own, wide, window)
    shade = light.on(normals) * _hollows(height, wide)[..., None]
    pixels = colors * shade + (light.glint(normals) * part.coat.gloss)[..., None]
    cover = np.clip(0.5 - away * wide, 0, 1) * smoothstep(-0.02, 0.0, height - layer.depth[window])
    layer.over(np.clip(pixels, 0, 1) * cover[..., None], cover, window)
    layer.depth[window] = np.where(cover > 0.5, np.maximum(height, layer.depth[window]), layer.depth[window])


def _melted(part: Flesh, view: Viewpoint, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Height towards the viewer (solid units), distance outside the outline (picture units), colors.

    Worked out in bands of rows, each with the cones that reach it, so that large pictures stay in the cache.
    """
    rows = max(8, 12_000 // x.shape[1])
    bands = [slice(top, top + rows) for top in range(0, len(y), rows)]
    painted_bands = [_melted_band(_reaching(part, view, y[band]), view, x[band], y[band]) for band in bands]
    heights, outlines, colors = zip(*painted_bands, strict=True)
    return np.concatenate(heights), np.concatenate(outlines), np.concatenate(colors)


def _reaching(part: Flesh, view: Viewpoint, y: Array) -> Flesh:
    """The part with only the cones that reach the rows `y`, or all of them if none does."""
    if len(y) > 48 or len(part.cones) < 4:
        return part
    ends = view.project(np.array([(c.a, c.b) for c in part.cones]))
    reach = (np.array([(c.ra, c.rb) for c in part.cones]) + 6 * part.melt) * ends[..., 3]
    near = ((ends[..., 1] - reach).min(1) < y[-1, 0]) & ((ends[..., 1] + reach).max(1) > y[0, 0])
    if not near.any():
        return part
    return Flesh(
        tuple(c for c, is_near in zip(part.cones, near, strict=True) if is_near), part.coat, part.melt
    )


def _melted_band(part: Flesh, view: Viewpoint, x: Array, y: Array) -> tuple[Array, Array, Array]:
    a = view.project(np.array([c.a for c in part.cones])).astype(np.float32)[:, :, None, None]
    b = view.project(np.array([c.b for c in part.cones])).astype(np.float32)[:, :, None, None]
    ra, rb = (np.array([getattr(c, k) for c in part.cones], np.float32)[:, None, None] for k in ("ra", "rb"))
    dx, dy = b[:, 0] - a[:, 0], b[:, 1] - a[:, 1]
    px, py = x - a[:, 0], y - a[:, 1]
    along = np.clip((px * dx + py * dy) / (dx * dx + dy * dy + 1e-9), 0, 1)
    far = np.sqrt((px - along * dx) ** 2 + (py - along * dy) ** 2)
    size = a[:, 3] + along * (b[:, 3] - a[:, 3])
    radius = ra + along * (rb - ra)
    away = far - radius * size
    rise = radius * np.sqrt(np.clip(1 - (far / (radius * size)) ** 2, 0, 1))
    heights = a[:, 2] + along * (b[:, 2] - a[:, 2]) + rise - np.maximum(away, 0) * (4 / view.scale)
    nearest = away.min(0)
    nearness = np.exp(np.maximum((nearest - away) / (part.melt * view.scale), -60))
    thick = (nearness * radius).sum(0) / nearness.sum(0)
    melt = np.float32(part.melt) * np.clip(thick / 0.14, 0.12, 1)
    reach = melt * np.float32(view.scale * 0.6)
    outline = nearest - reach * np.log(np.exp(np.maximum((nearest - away) / reach, -60)).sum(0))
    top = heights.max(0)
    weights = np.exp(np.maximum((heights - top) / melt, -60))
    total = weights.sum(0)
    hues = np.array([c.color for c in part.cones], np.float32)
    return top + melt * np.log(total), outline, np.tensordot((weights / total).transpose(1, 2, 0), hues, 1)


def _fur(coat: Coat, rng: np.random.Generator, wide: int) -> Array:
    """Hairs (wide,wide): noise drawn out along a direction that wanders."""
    strands = noise(rng, wide, coat.cells * 2.6, 2, 0.8, 0.22) * np.float32(
        min(1.0, wide / (coat.cells * 5.5))
    )
    drift = noise(rng, wide, 3, 2)
    columns = np.arange(wide) + (drift * (0.035 * wide)).astype(int)
    return np.asarray(strands[np.arange(wide)[:, None], columns % wide])


def _normals(height: Array, scale: float) -> Array:
    down, across = np.gradient(height * np.float32(scale))
    normals = np.stack([-across, down, np.ones_like(height)], axis=-1)
    return np.asarray(normals / np.sqrt((normals**2).sum(-1, keepdims=True)))


def _hollows(height: Array, wide: int) -> Array:
    """Less light (h,w) where the surroundings rise higher."""
    h, w = height.shape
    small = Image.fromarray(height).resize(
        (max(2, w * 14 // wide), max(2, h * 14 // wide)), Image.Resampling.BOX
    )
    around = np.asarray(small.resize((w, h), Image.Resampling.BICUBIC))
    return 1 - np.clip((around - height) * 2.2, -0.12, 0.5)


def _coated(
    coat: Coat,
    colors: Array,
    normals: Array,
    bump: Array,
    rng: np.random.Generator,
    wide: int,
    window: tuple[slice, slice],
) -> Array:
    x, y = (plane[window] for plane in grid(wide))
    if coat.stripe is not None:
        wave = noise(rng, wide, 4, 2)[window] * 1.3
        bars = (
            np.sin((x * (1 - abs(coat.slant)) + y * coat.slant) * coat.stripes * 6.283 + wave * 2)
            + bump * 0.4
        )
        colors = blend(colors, coat.stripe, smoothstep(-0.1, 0.9, bars) * 0.75)
    if coat.patch is not None:
        level = 1.2 * (0.5 - coat.patch_fraction) * 2
        colors = blend(
            colors,
            coat.patch,
            smoothstep(level - 0.12, level + 0.12, noise(rng, wide, coat.patch_cells, 3, 0.35)[window]),
        )
    if coat.belly is not None:
        colors = blend(colors, coat.belly, smoothstep(0.25, 0.8, -normals[..., 1]) * 0.8)
    if coat.mottle > 0:
        colors = (
            colors
            * (1 + np.float32(coat.mottle) * np.clip(noise(rng, wide, 9, 3, 0.8)[window], -1.6, 1.6))[
                ..., None
            ]
        )
    return colors * (1 + bump * np.float32(0.13 * coat.hair))[..., None]


def _paint_faces(layer: Layer, part: Faces, view: Viewpoint, light: Light, wide: int, fine: int = 2) -> None:
    sheet = Image.new("RGBA", (wide * fine, wide * fine))
    pen = ImageDraw.Draw(sheet)
    for outline, color in _shaded_faces(part, view, light):
        pen.polygon((outline * (wide * fine)).ravel().tolist(), fill=color)
    box = sheet.getbbox()
    if box is None:
        return
    top, bottom, left, right = box[1] // fine, -(-box[3] // fine), box[0] // fine, -(-box[2] // fine)
    painted = (
        np.asarray(
            sheet.crop((left * fine, top * fine, right * fine, bottom * fine)).reduce(fine), np.float32
        )
        / 255
    )
    colors, cover = painted[..., :3], painted[..., 3]
    if part.smooth > 0:
        colors = _rounded(colors, cover, part.smooth * wide)
    if part.gloss > 0:
        colors = colors * _reflections(colors.shape[:2], part.gloss)[..., None]
    layer.over(colors, cover, (slice(top, bottom), slice(left, right)))


def _rounded(colors: Array, cover: Array, radius: float) -> Array:
    """Colors blurred inside their outline, so that facets look round."""
    packed = (np.clip(np.dstack([colors, cover]), 0, 1) * 255 + 0.5).astype(np.uint8)
    soft = np.asarray(Image.fromarray(packed).filter(ImageFilter.BoxBlur(radius)), np.float32) / 255
    return np.clip(soft[..., :3] / np.maximum(soft[..., 3:], 0.02), 0, 1) * cover[..., None]


def _reflections(shape: tuple[int, int], gloss: float) -> Array:
    """Sky in the upper part of a polished body, a dark band, and the ground below: factors (h,w)."""
    down = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None]
    across = np.linspace(0, 1, shape[1], dtype=np.float32)[None]
    line = down + 0.06 * np.sin(across * 5)
    factor = 1.16 - 0.34 * line + 0.14 * np.exp(-(((line - 0.56) / 0.05) ** 2))
    return 1 + (factor.astype(np.float32) - 1) * np.float32(min(1.0, gloss * 2.5))


def _shaded_faces(
    part: Faces, view: Viewpoint, light: Light
) -> list[tuple[NDArray[np.float64], tuple[int, ...]]]:
    counts = np.array([len(points) for points, _ in part.shapes])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    points = part.corners
    after = np.arange(1, len(points) + 1)
    after[starts + counts - 1] = starts
    projected, solid = view.project(points), points @ view.turn.T
    handed = np.linalg.det(view.turn)
    normals = handed * np.add.reduceat(cross(solid, solid[after]), starts)
    area = -handed * np.add.reduceat(
        projected[:, 0] * projected[after, 1] - projected[after, 0] * projected[:, 1], starts
    )
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    normals *= np.where(normals[:, 2:] < 0, -1, 1)
    colors = np.array([color for _, color in part.shapes])
    if not part.flat:
        colors = colors * light.on(normals) + (light.glint(normals) * part.gloss)[:, None]
    inks = (np.clip(colors, 0, 1) * 255).astype(int).tolist()
    depth = np.add.reduceat(projected[:, 2], starts) / counts
    order = np.argsort(depth, kind="stable") if part.sort else np.arange(len(counts))
    visible = [i for i in order if area[i] > 0 or not part.one_sided]
    return [(projected[starts[i] : starts[i] + counts[i], :2], (*inks[i], 255)) for i in visible]
