"""Shared brushes of the drawn scenes: colour, noise, gradients, views of a solid, and two ways to paint one.

A solid lives in its own space (x ahead, y up, z towards the viewer at yaw 0). `Flesh` melts rounded cones
into one soft body and shades it; `Faces` are flat polygons, painted back to front.
Pictures are float32 in 0..1; a `Layer` is premultiplied by its coverage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Array = NDArray[np.float32]
Colour = tuple[float, float, float]
Point = tuple[float, float, float]


# ---------------------------------------------------------------- colour


def rgb(code: str) -> Colour:
    """The colour behind six hexadecimal digits."""
    red, green, blue = bytes.fromhex(code)
    return red / 255, green / 255, blue / 255


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """The colour `share` of the way from a to b."""
    return tuple(p + (q - p) * share for p, q in zip(a, b, strict=True))  # type: ignore[return-value]


def tinted(colour: Colour, rng: np.random.Generator, spread: float = 0.05) -> Colour:
    """The colour a little lighter or darker and a little off in hue."""
    change = rng.normal(0, spread) + rng.normal(0, spread / 3, 3)
    return tuple(float(v) for v in np.clip(np.asarray(colour) * (1 + change), 0, 1))  # type: ignore[return-value]


def pick(rng: np.random.Generator, *codes: str) -> Colour:
    """One of the colours, slightly varied."""
    return tinted(rgb(codes[rng.integers(len(codes))]), rng)


def blend(a: Array | Colour, b: Array | Colour, share: Array) -> Array:
    """Pixels `share` (h,w) of the way from a to b, each a colour or (h,w,3)."""
    first, second = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return first + (second - first) * share[..., None]


# ---------------------------------------------------------------- planes


def smoothstep(low: float | Array, high: float | Array, values: Array) -> Array:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


@lru_cache(maxsize=8)
def grid(wide: int) -> tuple[Array, Array]:
    """The x and y of every pixel's centre in a unit square, y downwards, each (wide,wide)."""
    axis = (np.arange(wide, dtype=np.float32) + 0.5) / wide
    x, y = np.meshgrid(axis, axis)
    x.setflags(write=False)
    y.setflags(write=False)
    return x, y


def enlarged(values: Array, wide: int) -> Array:
    """The plane resized smoothly to (wide,wide)."""
    return np.asarray(Image.fromarray(values).resize((wide, wide), Image.Resampling.BICUBIC))


def noise(
    rng: np.random.Generator, wide: int, cells: float, octaves: int = 4, gain: float = 0.5, stretch: float = 1.0
) -> Array:
    """Cloudy noise about 0 with deviation near 1; `cells` blotches across, `stretch` times as wide as high.

    One of 32 planes, flipped in one of four ways: small planes are kept, which makes data sets quick.
    """
    plane, flip = divmod(int(rng.integers(128)), 4)
    make = _kept_noise if wide <= 96 else _noise
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


_kept_noise = lru_cache(maxsize=2048)(_noise)


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


# ---------------------------------------------------------------- solids


@dataclass(frozen=True)
class Cone:
    """A rounded cone from a to b with the radii there."""

    a: Point
    b: Point
    ra: float
    rb: float
    colour: Colour


@dataclass(frozen=True)
class Coat:
    """What covers a soft body: hair or wrinkles, a paler belly, blotches, stripes, gloss."""

    hair: float = 0.5
    cells: float = 40
    belly: Colour | None = None
    patch: Colour | None = None
    patch_share: float = 0.35
    patch_cells: float = 4
    stripe: Colour | None = None
    stripes: float = 9
    slant: float = 0.0
    gloss: float = 0.0
    mottle: float = 0.0


@dataclass(frozen=True)
class Flesh:
    """Rounded cones melted together over a distance of `melt`."""

    cones: tuple[Cone, ...]
    coat: Coat = Coat()
    melt: float = 0.03


@dataclass(frozen=True)
class Faces:
    """Flat polygons (n,3) with colours, seen from one side unless said otherwise, painted back to front unless `sort` is off.

    `smooth` softens the edges between them by that much of the picture; `flat` leaves out the light.
    """

    shapes: tuple[tuple[NDArray[np.float64], Colour], ...]
    gloss: float = 0.0
    one_sided: bool = True
    sort: bool = True
    flat: bool = False
    smooth: float = 0.0


Part = Flesh | Faces


@dataclass(frozen=True)
class View:
    """Where a solid stands in the picture: turned, scaled and moved into the unit square."""

    turn: NDArray[np.float64]
    scale: float
    x: float
    y: float
    near: float = 0.0

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (…,3) to picture x, y (downwards) and depth towards the viewer, with the local scale: (…,4)."""
        turned = points @ self.turn.T
        size = self.scale / (1 - self.near * turned[..., 2])
        seen = np.empty((*turned.shape[:-1], 4))
        seen[..., 0] = self.x + turned[..., 0] * size
        seen[..., 1] = self.y - turned[..., 1] * size
        seen[..., 2] = turned[..., 2]
        seen[..., 3] = size
        return seen


@dataclass(frozen=True)
class Light:
    """Where the light comes from (view space) and how the scene colours it."""

    towards: tuple[float, float, float] = (-0.45, 0.75, 0.5)
    sun: Colour = (1.0, 0.97, 0.9)
    sky: Colour = (0.52, 0.57, 0.66)
    ground: Colour = (0.26, 0.24, 0.2)
    strength: float = 0.95

    def on(self, normals: NDArray[np.float64] | Array) -> Array:
        """Light (…,3) that reaches surfaces with these unit normals (…,3)."""
        towards = np.asarray(self.towards, np.float32)
        direct = np.clip(normals @ (towards / np.linalg.norm(towards)) * 0.85 + 0.15, 0, 1)
        up = (normals[..., 1] * 0.5 + 0.5).astype(np.float32)
        around = blend(self.ground, self.sky, up)
        return around + direct[..., None].astype(np.float32) * np.asarray(self.sun, np.float32) * self.strength

    def glint(self, normals: NDArray[np.float64] | Array, power: float = 24) -> Array:
        """Brightness (…) of the highlight on a glossy surface."""
        half = np.asarray(self.towards, np.float32) / np.linalg.norm(self.towards) + np.array([0, 0, 1], np.float32)
        return np.clip(normals @ (half / np.linalg.norm(half)), 0, 1).astype(np.float32) ** power


@dataclass
class Layer:
    """What has been painted of the object: premultiplied colour, coverage and depth."""

    pixels: Array
    cover: Array
    depth: Array = field(repr=False)

    @staticmethod
    def empty(wide: int) -> Layer:
        flat = np.zeros((wide, wide), np.float32)
        return Layer(np.zeros((wide, wide, 3), np.float32), flat, np.full_like(flat, -1e3))

    def over(self, pixels: Array, cover: Array, window: tuple[slice, slice]) -> None:
        """Lay premultiplied pixels over what is there."""
        self.pixels[window] = pixels + self.pixels[window] * (1 - cover[..., None])
        self.cover[window] = cover + self.cover[window] * (1 - cover)


def turned(yaw: float, pitch: float = 0.0, roll: float = 0.0, mirror: bool = False) -> NDArray[np.float64]:
    """The rotation (3,3): first about the upright, then nodding towards the viewer, then in the picture; degrees."""
    a, b, c = np.radians([yaw, pitch, roll])
    about = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    lean = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.diag([-1.0 if mirror else 1.0, 1, 1]) @ lean @ nod @ about


def extent(parts: Sequence[Part], view: View) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the parts in the picture."""
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for part in parts:
        if isinstance(part, Flesh):
            ends = view.project(np.array([end for c in part.cones for end in (c.a, c.b)]))
            reach = np.array([r for c in part.cones for r in (c.ra, c.rb)])[:, None] * ends[:, 3:]
        else:
            ends, reach = view.project(np.concatenate([points for points, _ in part.shapes])), np.zeros((1, 1))
        low = np.minimum(low, (ends[:, :2] - reach).min(0))
        high = np.maximum(high, (ends[:, :2] + reach).max(0))
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def fitted(
    parts: Sequence[Part], turn: NDArray[np.float64], width: float, height: float, centre: tuple[float, float],
    near: float = 0.0,
) -> View:
    """The view that makes the parts as large as fits a box of that width and height about the centre."""
    left, top, right, bottom = extent(parts, View(turn, 1.0, 0.0, 0.0, near))
    scale = min(width / (right - left), height / (bottom - top))
    return View(turn, scale, centre[0] - scale * (left + right) / 2, centre[1] - scale * (top + bottom) / 2, near)


def cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cross product of rows (n,3); several times faster than NumPy's on a few."""
    ax, ay, az, bx, by, bz = *a.T, *b.T
    product = np.empty_like(a)
    product[:, 0] = ay * bz - az * by
    product[:, 1] = az * bx - ax * bz
    product[:, 2] = ax * by - ay * bx
    return product


# ---------------------------------------------------------------- painting solids


def paint(parts: Sequence[Part], view: View, light: Light, wide: int, rng: np.random.Generator) -> Layer:
    """The parts painted in order, soft bodies hiding each other by depth."""
    layer = Layer.empty(wide)
    for part in _joined(parts):
        if isinstance(part, Flesh):
            _paint_flesh(layer, part, view, light, wide, rng)
        else:
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
    layer: Layer, part: Flesh, view: View, light: Light, wide: int, rng: np.random.Generator
) -> None:
    own = np.random.default_rng(rng.integers(2**32))
    window = _window(wide, extent([part], view), part.melt * view.scale)
    x, y = (plane[window] for plane in grid(wide))
    if x.size == 0 or min(x.shape) < 2:
        return
    height, away, colours = _melted(part, view, x, y)
    if part.coat.hair == 0:
        normals = _normals(height, wide * view.scale)
    else:
        bump = _fur(part.coat, own, wide)[window]
        away = away + bump * np.float32(0.0013 * part.coat.hair) * np.float32(part.melt > 0.012)
        normals = _normals(height + bump * np.float32(part.coat.hair * 0.0016), wide * view.scale)
        colours = _coated(part.coat, colours, normals, bump, own, wide, window)
    shade = light.on(normals) * _hollows(height, wide)[..., None]
    pixels = colours * shade + (light.glint(normals) * part.coat.gloss)[..., None]
    cover = np.clip(0.5 - away * wide, 0, 1) * smoothstep(-0.02, 0.0, height - layer.depth[window])
    layer.over(np.clip(pixels, 0, 1) * cover[..., None], cover, window)
    layer.depth[window] = np.where(cover > 0.5, np.maximum(height, layer.depth[window]), layer.depth[window])


def _melted(part: Flesh, view: View, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Height towards the viewer in solid units, distance outside the outline in picture units, and colours."""
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
    share = np.exp(np.maximum((nearest - away) / (part.melt * view.scale), -60))
    thick = (share * radius).sum(0) / share.sum(0)
    melt = np.float32(part.melt) * np.clip(thick / 0.14, 0.12, 1)
    reach = melt * np.float32(view.scale * 0.6)
    outline = nearest - reach * np.log(np.exp(np.maximum((nearest - away) / reach, -60)).sum(0))
    top = heights.max(0)
    weights = np.exp(np.maximum((heights - top) / melt, -60))
    total = weights.sum(0)
    hues = np.array([c.colour for c in part.cones], np.float32)
    return top + melt * np.log(total), outline, np.tensordot((weights / total).transpose(1, 2, 0), hues, 1)


def _fur(coat: Coat, rng: np.random.Generator, wide: int) -> Array:
    """Hairs (wide,wide): noise drawn out along a direction that wanders."""
    strands = noise(rng, wide, coat.cells * 2.6, 2, 0.8, 0.22) * np.float32(min(1.0, wide / (coat.cells * 5.5)))
    drift = noise(rng, wide, 3, 2)
    columns = np.arange(wide) + (drift * (0.035 * wide)).astype(int)
    return strands[np.arange(wide)[:, None], columns % wide]


def _normals(height: Array, scale: float) -> Array:
    down, across = np.gradient(height * np.float32(scale))
    normals = np.stack([-across, down, np.ones_like(height)], axis=-1)
    return normals / np.sqrt((normals**2).sum(-1, keepdims=True))


def _hollows(height: Array, wide: int) -> Array:
    """Less light (h,w) where the surroundings rise higher."""
    h, w = height.shape
    small = Image.fromarray(height).resize((max(2, w * 14 // wide), max(2, h * 14 // wide)), Image.Resampling.BOX)
    around = np.asarray(small.resize((w, h), Image.Resampling.BICUBIC))
    return 1 - np.clip((around - height) * 2.2, -0.12, 0.5)


def _coated(
    coat: Coat, colours: Array, normals: Array, bump: Array, rng: np.random.Generator, wide: int,
    window: tuple[slice, slice],
) -> Array:
    x, y = (plane[window] for plane in grid(wide))
    if coat.stripe is not None:
        wave = noise(rng, wide, 4, 2)[window] * 1.3
        bars = np.sin((x * (1 - abs(coat.slant)) + y * coat.slant) * coat.stripes * 6.283 + wave * 2) + bump * 0.4
        colours = blend(colours, coat.stripe, smoothstep(-0.1, 0.9, bars) * 0.75)
    if coat.patch is not None:
        level = np.float32(1.2 * (0.5 - coat.patch_share) * 2)
        colours = blend(colours, coat.patch, smoothstep(level - 0.12, level + 0.12, noise(rng, wide, coat.patch_cells, 3, 0.35)[window]))
    if coat.belly is not None:
        colours = blend(colours, coat.belly, smoothstep(0.25, 0.8, -normals[..., 1]) * 0.8)
    if coat.mottle > 0:
        colours = colours * (1 + np.float32(coat.mottle) * np.clip(noise(rng, wide, 9, 3, 0.8)[window], -1.6, 1.6))[..., None]
    return colours * (1 + bump * np.float32(0.13 * coat.hair))[..., None]


def _paint_faces(layer: Layer, part: Faces, view: View, light: Light, wide: int, fine: int = 2) -> None:
    sheet = Image.new("RGBA", (wide * fine, wide * fine))
    pen = ImageDraw.Draw(sheet)
    for outline, colour in _shaded_faces(part, view, light):
        pen.polygon((outline * (wide * fine)).ravel().tolist(), fill=colour)
    box = sheet.getbbox()
    if box is None:
        return
    top, bottom, left, right = box[1] // fine, -(-box[3] // fine), box[0] // fine, -(-box[2] // fine)
    painted = np.asarray(sheet.crop((left * fine, top * fine, right * fine, bottom * fine)).reduce(fine), np.float32) / 255
    colours, cover = painted[..., :3], painted[..., 3]
    if part.smooth > 0:
        colours = _rounded(colours, cover, part.smooth * wide)
    if part.gloss > 0:
        colours = colours * _reflections(colours.shape[:2], part.gloss)[..., None]
    layer.over(colours, cover, (slice(top, bottom), slice(left, right)))


def _rounded(colours: Array, cover: Array, radius: float) -> Array:
    """Colours blurred inside their outline, so that facets look round."""
    packed = (np.clip(np.dstack([colours, cover]), 0, 1) * 255 + 0.5).astype(np.uint8)
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
    part: Faces, view: View, light: Light
) -> list[tuple[NDArray[np.float64], tuple[int, ...]]]:
    counts = np.array([len(points) for points, _ in part.shapes])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    points = np.concatenate([points for points, _ in part.shapes])
    after = np.arange(1, len(points) + 1)
    after[starts + counts - 1] = starts
    seen, solid = view.project(points), points @ view.turn.T
    handed = np.linalg.det(view.turn)
    normals = handed * np.add.reduceat(cross(solid, solid[after]), starts)
    area = -handed * np.add.reduceat(seen[:, 0] * seen[after, 1] - seen[after, 0] * seen[:, 1], starts)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    normals *= np.where(normals[:, 2:] < 0, -1, 1)
    colours = np.array([colour for _, colour in part.shapes])
    if not part.flat:
        colours = colours * light.on(normals) + (light.glint(normals) * part.gloss)[:, None]
    inks = (np.clip(colours, 0, 1) * 255).astype(int).tolist()
    depth = np.add.reduceat(seen[:, 2], starts) / counts
    order = np.argsort(depth, kind="stable") if part.sort else np.arange(len(counts))
    shown = [i for i in order if area[i] > 0 or not part.one_sided]
    return [(seen[starts[i] : starts[i] + counts[i], :2], (*inks[i], 255)) for i in shown]
