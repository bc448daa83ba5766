"""The four vehicles of CIFAR-10 as faces: x ahead, y up, z to the near side; about two units long."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.brushes import Colour, Faces, Part, cross, mix, pick, rgb, spline, tinted, turned
from model.drawn_animals import Subject

Rng = np.random.Generator
Points = NDArray[np.float64]
Face = tuple[Points, Colour]
TYRE, GLASS, CHROME, DARK = rgb("1b1b1d"), rgb("2c3944"), rgb("c9ced3"), rgb("26272a")
LAMP, TAIL = rgb("f6f1da"), rgb("b3201f")


# ---------------------------------------------------------------- building


def face(points: Sequence[Sequence[float]] | Points, colour: Colour, out: Sequence[float]) -> Face:
    """A polygon, wound so that it is seen from the side `out` points to."""
    p = np.asarray(points, float)
    normal = cross(p, np.concatenate([p[1:], p[:1]])).sum(0)
    return (p if normal @ np.asarray(out, float) >= 0 else p[::-1]), colour


def strips(far: Points, near: Points, middle: Points, colours: Sequence[Colour]) -> list[Face]:
    """The band of quads between two rings (n,3), seen from outside of `middle`."""
    quads = np.stack([far, np.roll(far, -1, 0), np.roll(near, -1, 0), near], axis=1)
    normals = cross(quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1])
    outward = (normals * (quads.mean(1) - middle)).sum(1) >= 0
    return [(q if out else q[::-1], c) for q, out, c in zip(quads, outward, colours, strict=True)]


def box(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], colour: Colour) -> list[Face]:
    corners = np.array([(a, b, c) for a in x for b in y for c in z])
    sides = {(-1, 0, 0): (0, 1, 3, 2), (1, 0, 0): (4, 5, 7, 6), (0, -1, 0): (0, 1, 5, 4), (0, 1, 0): (2, 3, 7, 6), (0, 0, -1): (0, 2, 6, 4), (0, 0, 1): (1, 3, 7, 5)}
    return [face(corners[list(i)], colour, out) for out, i in sides.items()]


def extruded(profile: Sequence[Sequence[float]] | Points, rims: Sequence[tuple[float, float, float]], colour: Colour, centre: tuple[float, float]) -> list[Face]:
    """A side view carried across z: rims are (z, shrink in x, shrink in y) about the centre, from far to near."""
    p, c = np.asarray(profile, float), np.asarray(centre, float)
    rings = [np.column_stack([c + (p - c) * (sx, sy), np.full(len(p), z)]) for z, sx, sy in rims]
    middle = np.array([c[0], c[1], 0.0])
    faces = [face(rings[0], colour, (0, 0, -1)), face(rings[-1], colour, (0, 0, 1))]
    for far, near in zip(rings, rings[1:], strict=False):
        faces += strips(far, near, middle, [colour] * len(p))
    return faces


def lofted(sections: Sequence[tuple[float, float, float, float]], around: int, upper: Colour, lower: Colour, split: float = 0.0, power: float = 1.0) -> list[Face]:
    """A tube along x: sections are (x, height of the axis, half height, half width)."""
    angles = np.linspace(0, 2 * np.pi, around, endpoint=False) + np.pi / around
    up, side = np.sin(angles), np.cos(angles)
    up, side = np.sign(up) * np.abs(up) ** power, np.sign(side) * np.abs(side) ** power
    rings = [np.column_stack([np.full(around, x), y + h * up, w * side]) for x, y, h, w in sections]
    colours = [upper if high else lower for high in (up + np.roll(up, -1)) / 2 > split]
    faces: list[Face] = []
    for back, front in zip(rings, rings[1:], strict=False):
        middle = (back.mean(0) + front.mean(0)) / 2
        faces += strips(back, front, middle, colours)
    faces.append(face(rings[0], lower, (-1, 0, 0)))
    faces.append(face(rings[-1], lower, (1, 0, 0)))
    return faces


def disc(x: float, y: float, z: float, radius: float, colour: Colour, steps: int = 18) -> Face:
    t = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    return face(np.column_stack([x + radius * np.cos(t), y + radius * np.sin(t), np.full(steps, z)]), colour, (0, 0, np.sign(z)))


def mirrored(faces: Sequence[Face]) -> list[Face]:
    """The faces and their reflections on the far side."""
    return [*faces, *[((p * (1, 1, -1))[::-1], c) for p, c in faces]]


def panel(xy: Sequence[tuple[float, float]], z: float, colour: Colour) -> Face:
    """A flat thing on the near side."""
    return face([(x, y, z) for x, y in xy], colour, (0, 0, 1))


def rect(x: tuple[float, float], y: tuple[float, float]) -> list[tuple[float, float]]:
    return [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])]


def front(x: float, y: tuple[float, float], z: tuple[float, float], colour: Colour, out: float = 1.0) -> Face:
    """A flat thing on the front (or, with out -1, on the back)."""
    return face([(x, y[0], z[0]), (x, y[1], z[0]), (x, y[1], z[1]), (x, y[0], z[1])], colour, (out, 0, 0))


# ---------------------------------------------------------------- wheels


def wheels(at: Sequence[float], radius: float, z: float, rim: Colour, wide: float = 0.12) -> tuple[list[Face], list[Face]]:
    """Tyres behind the body's side (drawn before it) and hubs upon them (drawn after)."""
    behind, before = [], []
    for x in at:
        behind += [disc(x, radius, s * (z - d), radius, TYRE) for s in (1.0, -1.0) for d in (wide, wide * 0.5)]
        behind += [(p[::-1], c) for p, c in behind[-4:]]
        hub = [disc(x, radius, z, radius, TYRE), disc(x, radius, z + 0.002, radius * 0.66, rim), disc(x, radius, z + 0.003, radius * 0.55, mix(rim, DARK, 0.45))]
        hub += [panel(_spoke(x, radius, a), z + 0.004, rim) for a in np.linspace(0, 2 * np.pi, 5, endpoint=False)]
        before += [*hub, disc(x, radius, z + 0.005, radius * 0.16, rim)]
    return behind, mirrored(before)


def _spoke(x: float, radius: float, angle: float) -> list[tuple[float, float]]:
    turn = [(angle - 0.18, 0.58), (angle + 0.18, 0.58), (angle + 0.5, 0.12), (angle - 0.5, 0.12)]
    return [(x + radius * r * float(np.cos(a)), radius + radius * r * float(np.sin(a))) for a, r in turn]


def arches(at: Sequence[float], radius: float, z: float) -> list[Face]:
    t = np.linspace(-0.35, np.pi + 0.35, 14)
    outline = [[(x + radius * float(np.cos(a)), radius * 0.85 + radius * float(np.sin(a))) for a in t] for x in at]
    return mirrored([panel(o, z, rgb("0f0f11")) for o in outline])


# ---------------------------------------------------------------- automobile and truck


PAINTS = ("b3261e", "c43a2a", "1f3f7a", "c9ccd0", "e9e9e6", "2a2c30", "7d8288", "d9a51f", "2f5f45", "8a1f28", "3f6fa8", "e07b1f", "5a1f24", "a8b0b5")
Outline = list[tuple[float, float]]


def _body(tail: float, nose: float, belt: float, boot: float, hood: float, tip: float, low: float = 0.12) -> Outline:
    """A car's side below the windows: heights at the boot, the belt, the end of the bonnet and its tip."""
    return [
        (tail + 0.06, low), (tail + 0.012, low + 0.045), (tail, low + 0.13), (tail + 0.008, boot - 0.09), (tail + 0.04, boot - 0.02), (tail + 0.16, boot),
        (-0.5, belt), (0.4, belt - 0.015), (nose - 0.3, hood), (nose - 0.1, tip), (nose - 0.025, tip - 0.055), (nose, tip - 0.13), (nose - 0.008, low + 0.05), (nose - 0.05, low),
    ]


CARS: dict[str, tuple[Outline, Outline, float]] = {
    "sedan": (_body(-1.0, 1.0, 0.475, 0.46, 0.43, 0.385), [(-0.72, 0.465), (-0.44, 0.68), (-0.2, 0.725), (0.06, 0.71), (0.43, 0.455)], 0.42),
    "hatch": (_body(-0.9, 0.94, 0.5, 0.5, 0.46, 0.41), [(-0.86, 0.49), (-0.74, 0.74), (-0.45, 0.79), (0.06, 0.77), (0.47, 0.48)], 0.43),
    "coupe": (_body(-0.98, 1.0, 0.43, 0.44, 0.39, 0.345, 0.1), [(-0.82, 0.43), (-0.4, 0.6), (-0.14, 0.635), (0.05, 0.615), (0.46, 0.41)], 0.45),
    "suv": (_body(-0.94, 0.96, 0.56, 0.56, 0.53, 0.49, 0.18), [(-0.91, 0.55), (-0.84, 0.82), (-0.6, 0.87), (0.1, 0.855), (0.45, 0.545)], 0.45),
    "classic": (_body(-1.0, 0.94, 0.53, 0.46, 0.5, 0.47, 0.14), [(-0.66, 0.515), (-0.5, 0.74), (-0.2, 0.79), (0.06, 0.76), (0.3, 0.515)], 0.41),
}


def _narrowed(z: float) -> list[tuple[float, float, float]]:
    half = [(1.0, 0.945, 0.92), (0.94, 0.975, 0.975), (0.8, 0.995, 1.0), (0.4, 1.005, 1.01)]
    return [(-z * d, sx, sy) for d, sx, sy in half] + [(z * d, sx, sy) for d, sx, sy in half[::-1]]


def _cabin(profile: Sequence[tuple[float, float]], z: float, paint: Colour, glass: Colour) -> list[Face]:
    """The roof on its pillars, with windows all round; narrower at the top."""
    low, high = min(y for _, y in profile), max(y for _, y in profile)
    width = [z * (0.93 - 0.2 * (y - low) / (high - low)) for _, y in profile]
    near = np.array([(x, y, w) for (x, y), w in zip(profile, width, strict=True)])
    far = near * (1, 1, -1)
    middle = near.mean(0) * (1, 1, 0)
    faces = mirrored([face(near, paint, (0, 0, 1)), face(_inset(near, 0.86), glass, (0, 0, 1)), face(_gleam(near), mix(glass, (1, 1, 1), 0.22), (0, 0, 1)), *_pillars(near, paint)])
    for i in range(len(profile) - 1):
        strip = np.array([near[i], near[i + 1], far[i + 1], far[i]])
        out = strip.mean(0) - middle
        faces.append(face(strip, paint, out))
        if abs(strip[0, 1] - strip[1, 1]) > 0.1:
            faces.append(face(_inset(strip, 0.88), glass, out))
    return faces


def _inset(points: Points, share: float) -> Points:
    middle = points.mean(0)
    return np.asarray(middle + (points - middle) * share)


def _gleam(near: Points) -> Points:
    """A slanting patch of sky in the side windows."""
    low, high = near[:, 1].min(), near[:, 1].max()
    bottom, top = near[near[:, 1].argmin(), 2] + 0.003, near[near[:, 1].argmax(), 2] + 0.003
    a, b = low + 0.12 * (high - low), low + 0.84 * (high - low)
    za, zb = bottom + (top - bottom) * 0.12, bottom + (top - bottom) * 0.84
    return np.array([(0.0, a, za), (0.12, a, za), (0.02, b, zb), (-0.07, b, zb)])


def _pillars(near: Points, paint: Colour) -> list[Face]:
    low, high = near[:, 1].min(), near[:, 1].max()
    w0, w1 = near[:, 2].max() + 0.004, near[:, 2].min() + 0.004
    return [face([(x, low, w0), (x + 0.045, low, w0), (x + 0.035, high - 0.03, w1), (x, high - 0.03, w1)], paint, (0, 0, 1)) for x in (-0.12,)]


def _face_of_car(nose: float, tail: float, belt: float, z: float, paint: Colour) -> list[Face]:
    """Lamps, grille, bumpers and number plates, front and back."""
    n, t, low = nose + 0.008, tail - 0.008, belt * 0.45
    dark = mix(paint, DARK, 0.75)
    parts = [front(n, (low + 0.05, low + 0.115), (-z * 0.42, z * 0.42), rgb("1d1e20")), front(n, (low - 0.09, low - 0.035), (-z * 0.6, z * 0.6), dark), front(n + 0.002, (low - 0.02, low + 0.03), (-0.09, 0.09), rgb("e6e3d2"))]
    parts += [front(t, (low - 0.09, low - 0.03), (-z * 0.6, z * 0.6), dark, -1), front(t, (low + 0.03, low + 0.1), (-0.1, 0.1), rgb("e6e3d2"), -1)]
    parts += mirrored([*_corner(nose, z, (low + 0.045, low + 0.135), LAMP, 1), *_corner(tail, z, (low + 0.05, low + 0.16), TAIL, -1)])
    return parts


def _corner(end: float, z: float, y: tuple[float, float], colour: Colour, out: float) -> list[Face]:
    """A lamp round the near corner of the front (out 1) or back (-1)."""
    line = [(end + out * 0.01, z * 0.5), (end * 0.995 + out * 0.008, z * 0.8), (end * 0.975 + out * 0.006, z * 0.945), (end * 0.9, z * 1.002)]
    return [
        face([(a, y[0], b), (c, y[0], d), (c, y[1], d), (a, y[1], b)], mix(colour, (1, 1, 1), 0.12 * i), (out, 0, 0.6))
        for i, ((a, b), (c, d)) in enumerate(zip(line, line[1:], strict=False))
    ]


def _sides_of_car(belt: float, z: float, paint: Colour, nose: float, tail: float) -> list[Face]:
    dark, low = mix(paint, DARK, 0.55), 0.16
    side = [panel([(-0.42, low), (0.42, low), (0.4, belt * 0.5), (-0.42, belt * 0.53)], z + 0.001, mix(paint, DARK, 0.16))]
    side += [panel(rect((x, x + 0.014), (low, belt - 0.04)), z + 0.002, dark) for x in (0.36, -0.1)]
    side += [panel(rect((x, x + 0.085), (belt - 0.11, belt - 0.08)), z + 0.003, mix(dark, CHROME, 0.35)) for x in (-0.06, -0.4)]
    side.append(panel(rect((-0.42, 0.42), (0.1, low)), z + 0.002, mix(paint, DARK, 0.75)))
    mirror = [panel([(0.3, belt + 0.01), (0.36, belt), (0.37, belt + 0.06), (0.31, belt + 0.07)], z + 0.03, dark)]
    return mirrored(side + mirror)


def automobile(rng: Rng) -> Subject:
    body, cabin, z = CARS[str(rng.choice(list(CARS)))]
    paint = pick(rng, *PAINTS)
    nose, tail, belt = max(x for x, _ in body), min(x for x, _ in body), max(y for _, y in body)
    glass = mix(GLASS, rgb("8fa9bd"), rng.uniform(0, 0.5))
    radius, at = rng.uniform(0.145, 0.17), (0.6, -0.6)
    rim = pick(rng, "c9ced3", "a8adb3", "8f949a")
    tyres, hubs = wheels(at, radius, z * 0.99, rim)
    outline = spline(body, 2)
    shell = extruded(outline, _narrowed(z), paint, (0, 0.3))
    parts = (
        Faces(tuple(box((tail + 0.15, nose - 0.15), (0.06, 0.2), (-z * 0.9, z * 0.9), rgb("101012")))), Faces(tuple(tyres)),
        Faces(tuple(shell), gloss=0.4, smooth=0.007), Faces(tuple(_cabin(cabin, z, paint, glass)), gloss=0.3, smooth=0.002, sort=False),
        Faces(tuple(arches(at, radius * 1.22, z + 0.001))), Faces(tuple(_sides_of_car(belt, z, paint, nose, tail)), sort=False),
        Faces(tuple(_face_of_car(nose, tail, belt, z, paint)), sort=False), Faces(tuple(hubs), sort=False),
    )
    yaw = float(rng.choice([rng.uniform(15, 55), rng.uniform(-50, -15), rng.uniform(-10, 10), rng.uniform(55, 80)], p=[0.5, 0.22, 0.16, 0.12]))
    return Subject(
        parts, turned(yaw, rng.uniform(6, 18), 0, bool(rng.integers(2))), ("avenue", "avenue", "street", "parking", "studio", "road"),
        rng.uniform(0.9, 1.04), 0.84, (0.5, rng.uniform(0.5, 0.58)), "stands", 0.12,
    )


def truck(rng: Rng) -> Subject:
    kind = str(rng.choice(["box", "semi", "pickup", "dump", "fire"], p=[0.3, 0.28, 0.1, 0.17, 0.15]))
    parts = {"box": _box_truck, "semi": _semi, "pickup": _pickup, "dump": _dump_truck, "fire": _fire_engine}[kind](rng)
    yaw = float(rng.choice([rng.uniform(18, 58), rng.uniform(-45, -15), rng.uniform(-8, 10)], p=[0.66, 0.14, 0.2]))
    return Subject(
        parts, turned(yaw, rng.uniform(3, 12), 0, bool(rng.integers(2))), ("road", "parking", "street", "road", "studio"),
        rng.uniform(0.82, 0.95), 0.84, (0.5, rng.uniform(0.48, 0.54)), "stands", 0.14,
    )


def _cab(x: tuple[float, float], y: tuple[float, float], z: float, paint: Colour, bonnet: float = 0.0) -> list[Face]:
    """A lorry's cab between two x; with a bonnet it reaches further ahead."""
    (back, nose), (low, high) = x, y
    waist = low + (high - low) * 0.5
    profile = [(back, low), (back, high), (nose - 0.1, high), (nose - 0.015, waist), (nose, low + 0.05), (nose, low)]
    faces = extruded(profile, [(-z, 0.98, 0.99), (-z * 0.9, 1, 1), (z * 0.9, 1, 1), (z, 0.98, 0.99)], paint, ((back + nose) / 2, (low + high) / 2))
    if bonnet > 0:
        faces += extruded([(nose - 0.02, low), (nose - 0.02, waist), (nose + bonnet * 0.85, waist - 0.05), (nose + bonnet, low + 0.08), (nose + bonnet, low)], _narrowed(z * 0.86), paint, (nose + bonnet / 2, (low + waist) / 2))
    return faces


def _cab_details(x: tuple[float, float], y: tuple[float, float], z: float, paint: Colour, bonnet: float = 0.0) -> list[Face]:
    (back, nose), (low, high) = x, y
    waist, tip = low + (high - low) * 0.5, nose + bonnet + 0.004
    screen = face([(nose - 0.012, waist + 0.03, -z * 0.86), (nose - 0.012, waist + 0.03, z * 0.86), (nose - 0.088, high - 0.05, z * 0.84), (nose - 0.088, high - 0.05, -z * 0.84)], GLASS, (1, 0, 0.0))
    side = [panel([(back + 0.1, waist + 0.02), (nose - 0.05, waist + 0.02), (nose - 0.11, high - 0.06), (back + 0.1, high - 0.06)], z + 0.003, GLASS), panel(rect((back + 0.06, back + 0.072), (low + 0.08, high - 0.05)), z + 0.003, mix(paint, DARK, 0.5)), panel(rect((back + 0.1, back + 0.17), (waist - 0.08, waist - 0.05)), z + 0.003, DARK)]
    grille_low, grille_high = low + 0.1, waist - 0.05
    face_parts = [screen, front(tip, (grille_low, grille_high), (-z * 0.5, z * 0.5), rgb("2b2d30")), front(tip + 0.002, (low, low + 0.07), (-z * 0.95, z * 0.95), CHROME)]
    face_parts += [front(tip + 0.003, (grille_low + i * 0.05, grille_low + i * 0.05 + 0.016), (-z * 0.48, z * 0.48), CHROME) for i in range(max(1, int((grille_high - grille_low) / 0.05)))]
    face_parts += [front(tip, (low + 0.09, low + 0.18), (s * z * 0.58, s * z * 0.86), LAMP) for s in (1, -1)]
    return [*face_parts, *mirrored(side)]


def _chassis(tail: float, nose: float, z: float) -> list[Face]:
    return box((tail, nose), (0.14, 0.24), (-z * 0.8, z * 0.8), rgb("1d1e20"))


def _assembled(solid: list[Face], details: list[Face], at: Sequence[float], radius: float, z: float, tail: float, nose: float, rim: Colour) -> tuple[Part, ...]:
    tyres, hubs = wheels(at, radius, z, rim, 0.16)
    return (
        Faces(tuple(_chassis(tail, nose, z))), Faces(tuple(tyres)), Faces(tuple(solid), gloss=0.15, smooth=0.003), Faces(tuple(arches(at, radius * 1.1, z - 0.004))),
        Faces(tuple(details), sort=False), Faces(tuple(hubs), sort=False),
    )


def _box_truck(rng: Rng) -> tuple[Part, ...]:
    paint, cargo = pick(rng, "e9e9e6", "b3261e", "2f5fa8", "e0b02f", "3f7a4f"), pick(rng, "f0efe9", "e3e3df", "c9ccd0", "d9c35a", "b3c4d3")
    z, top = 0.36, rng.uniform(0.88, 1.02)
    body = [*box((-1.0, 0.42), (0.26, top), (-z, z), cargo), *_cab((0.46, 0.98), (0.2, 0.74), z * 0.93, paint)]
    stripe = pick(rng, "b3261e", "1f3f7a", "e07b1f", "3f7a4f")
    trim = mirrored([panel(rect((-1.0, 0.42), (0.26, 0.3)), z + 0.002, mix(cargo, DARK, 0.45)), panel(rect((-1.0, 0.42), (top - 0.03, top)), z + 0.002, mix(cargo, DARK, 0.25)), panel(rect((-0.8, 0.22), (0.5, 0.66)), z + 0.002, stripe)])
    trim += [front(-1.003, (0.3, top - 0.04), (-z * 0.9, z * 0.9), mix(cargo, DARK, 0.15), -1.0), front(-1.005, (0.3, top - 0.04), (-0.008, 0.008), DARK, -1.0)]
    trim += [front(-1.004, (0.2, 0.26), (s * z * 0.7, s * z * 0.95), TAIL, -1.0) for s in (1, -1)]
    return _assembled(body, trim + _cab_details((0.46, 0.98), (0.2, 0.74), z * 0.93, paint), (0.68, -0.58), 0.165, z * 0.97, -0.98, 0.94, rgb("b0b4b8"))


def _semi(rng: Rng) -> tuple[Part, ...]:
    paint, cargo = pick(rng, "b3261e", "1f3f7a", "e9e9e6", "2f5f45", "e07b1f", "5a2f6a", "26272a"), pick(rng, "e9e9e6", "c9ccd0", "d3d6d9")
    z = 0.28
    bonnet = float(rng.choice([0, 0.3]))
    nose = 0.98 - bonnet
    tank = rng.random() < 0.25
    trailer = lofted([(-1.15, 0.56, 0.16, 0.16), (-1.12, 0.56, 0.24, 0.24), (0.38, 0.56, 0.24, 0.24), (0.42, 0.56, 0.16, 0.16)], 14, cargo, mix(cargo, DARK, 0.15)) if tank else box((-1.15, 0.42), (0.28, 0.86), (-z, z), cargo)
    body = [*trailer, *_cab((0.5, nose), (0.18, 0.78), z * 0.96, paint, bonnet), *box((0.36, 0.52), (0.16, 0.3), (-z * 0.7, z * 0.7), DARK)]
    trim = _cab_details((0.5, nose), (0.18, 0.78), z * 0.96, paint, bonnet)
    if not tank:
        trim += mirrored([panel(rect((-1.15, 0.42), (0.28, 0.31)), z + 0.002, mix(cargo, DARK, 0.4)), *[panel(rect((x, x + 0.022), (0.31, 0.86)), z + 0.002, mix(cargo, DARK, 0.12)) for x in np.arange(-1.0, 0.4, 0.17)]])
        trim.append(front(-1.153, (0.3, 0.84), (-z * 0.92, z * 0.92), mix(cargo, DARK, 0.12), -1.0))
    pipes = mirrored([panel(rect((0.47, 0.5), (0.3, 0.92)), z * 0.9, CHROME)])
    return _assembled(body, trim + pipes, (0.78 if bonnet == 0 else 0.9, 0.46, 0.24, -0.78, -1.0), 0.125, z * 0.97, -1.1, 0.9, rgb("b8bcc0"))


def _pickup(rng: Rng) -> tuple[Part, ...]:
    paint = pick(rng, *PAINTS)
    z = 0.4
    lower = extruded([(-0.98, 0.2), (-1.0, 0.26), (-1.0, 0.48), (-0.97, 0.5), (-0.3, 0.5), (0.4, 0.51), (0.8, 0.485), (0.94, 0.46), (0.98, 0.41), (0.98, 0.26), (0.95, 0.2)], _narrowed(z), paint, (0, 0.36))
    cabin = _cabin([(-0.32, 0.5), (-0.24, 0.8), (0.0, 0.83), (0.12, 0.81), (0.4, 0.5)], z, paint, GLASS)
    bed = [face([(-0.96, 0.502, -z * 0.82), (-0.96, 0.502, z * 0.82), (-0.36, 0.502, z * 0.82), (-0.36, 0.502, -z * 0.82)], rgb("2a2b2d"), (0, 1, 0))]
    trim = [*bed, *_sides_of_car(0.5, z, paint, 0.98, -1.0), *_face_of_car(0.98, -1.0, 0.54, z, paint)]
    tyres, hubs = wheels((0.62, -0.62), 0.18, z * 0.99, rgb("b8bcc0"))
    return (
        Faces(tuple(_chassis(-0.95, 0.9, z))), Faces(tuple(tyres)), Faces(tuple(lower), gloss=0.35, smooth=0.006), Faces(tuple(cabin), gloss=0.3, smooth=0.002, sort=False),
        Faces(tuple(arches((0.62, -0.62), 0.215, z + 0.001))), Faces(tuple(trim), sort=False), Faces(tuple(hubs), sort=False),
    )


def _dump_truck(rng: Rng) -> tuple[Part, ...]:
    paint = pick(rng, "e0a51f", "d98a1f", "b3261e", "3f6fa8", "e9e9e6")
    z = 0.36
    tub = extruded([(-1.0, 0.5), (-1.06, 0.88), (0.36, 0.9), (0.62, 0.95), (0.62, 0.9), (0.34, 0.84), (0.24, 0.34), (-0.86, 0.34)], [(-z, 1, 1), (z, 1, 1)], mix(paint, rgb("8a8f94"), float(rng.choice([0, 0.8]))), (-0.35, 0.6))
    body = [*tub, *_cab((0.4, 0.96), (0.2, 0.82), z * 0.9, paint)]
    ribs = mirrored([panel([(x, 0.36), (x + 0.045, 0.36), (x + 0.045, 0.86), (x, 0.86)], z + 0.003, mix(paint, DARK, 0.3)) for x in np.arange(-0.85, 0.3, 0.25)])
    return _assembled(body, ribs + _cab_details((0.4, 0.96), (0.2, 0.82), z * 0.9, paint), (0.68, -0.4, -0.76), 0.18, z * 0.96, -0.95, 0.92, paint)


def _fire_engine(rng: Rng) -> tuple[Part, ...]:
    paint = pick(rng, "b8211c", "c42f22", "a81f1f")
    z = 0.34
    body = [*box((-1.0, 0.5), (0.22, 0.78), (-z, z), paint), *_cab((0.5, 1.0), (0.2, 0.8), z, paint), *box((-0.9, 0.3), (0.8, 0.85), (-0.18, 0.18), CHROME)]
    shutters = [panel(rect((x, x + 0.3), (0.34, 0.68)), z + 0.003, rgb("b9bec3")) for x in (-0.94, -0.58, 0.02)]
    band = [panel(rect((-1.0, 1.0), (0.29, 0.33)), z + 0.004, rgb("f0eee6"))]
    lights = box((0.62, 0.8), (0.8, 0.86), (-z * 0.7, z * 0.7), rgb("3f7fd3"))
    return _assembled(body + lights, mirrored(shutters + band) + _cab_details((0.5, 1.0), (0.2, 0.8), z, paint), (0.72, -0.5), 0.165, z * 0.98, -0.96, 0.94, CHROME)


# ---------------------------------------------------------------- airplane


def _fuselage(long: float, r: float, upper: Colour, lower: Colour, split: float = -0.3) -> list[Face]:
    line = [(-long, 0.07, 0.012), (-long * 0.8, 0.05, 0.4 * r), (-long * 0.5, 0.015, 0.86 * r), (-long * 0.3, 0, r), (long * 0.6, 0, r), (long * 0.8, -0.005, 0.86 * r), (long * 0.92, -0.015, 0.58 * r), (long, -0.025, 0.14 * r)]
    smooth = spline(line, 2)
    return lofted([(x, y, h, h) for x, y, h in smooth], 16, upper, lower, split)


def _wing(root: tuple[float, float], tip: tuple[float, float], span: float, y: float, rise: float, z: float, colour: Colour) -> list[Face]:
    """A pair of wings: root and tip are (leading, trailing) x."""
    top = np.array([(root[0], y, z), (root[1], y, z), (tip[1], y + rise, span), (tip[0], y + rise, span)])
    under = top - (0, 0.022, 0)
    edge = np.array([top[0], top[3], under[3], under[0]])
    return mirrored([face(top, colour, (0, 1, 0)), face(under, mix(colour, DARK, 0.25), (0, -1, 0)), face(edge, mix(colour, (1, 1, 1), 0.3), (1, 0, 0))])


def _fin(x: tuple[float, float, float, float], y: tuple[float, float], colour: Colour) -> list[Face]:
    outline = [(x[0], y[0]), (x[1], y[1]), (x[2], y[1]), (x[3], y[0])]
    return mirrored([face([(a, b, 0.012) for a, b in outline], colour, (0, 0, 1))])


def airplane(rng: Rng) -> Subject:
    kind = str(rng.choice(["liner", "prop", "fighter", "jumbo"], p=[0.42, 0.2, 0.22, 0.16]))
    parts = {"liner": _airliner, "jumbo": _airliner, "prop": _light_plane, "fighter": _fighter}[kind](rng)
    grounded = rng.random() < (0.3 if kind in ("liner", "jumbo") else 0.1)
    if grounded:
        turn = turned(float(rng.choice([rng.uniform(-20, 25), rng.uniform(25, 50)])), rng.uniform(3, 10), 0, bool(rng.integers(2)))
        if kind != "prop":
            parts = (Faces(tuple(_gear())), *parts)
        return Subject(parts, turn, ("runway",), rng.uniform(0.88, 1.0), 0.7, (0.5, 0.5), "stands", 0.1)
    turn = turned(float(rng.choice([rng.uniform(-25, 25), rng.uniform(20, 55), rng.uniform(-55, -20)])), rng.uniform(-32, 22), rng.uniform(-6, 22), bool(rng.integers(2)))
    return Subject(parts, turn, ("sky", "sky", "overcast"), rng.uniform(0.82, 0.98), 0.76, (0.5, 0.5), "flies", 0.12)


def _gear() -> list[Face]:
    """Wheels down: a nose leg and two main legs."""
    legs = [f for x, z in ((0.68, 0.0), (-0.1, 0.13), (-0.1, -0.13)) for f in box((x - 0.012, x + 0.012), (-0.2, -0.05), (z - 0.012, z + 0.012), rgb("8a8f94"))]
    return legs + [f for x in (0.66, 0.7, -0.13, -0.07) for z in (0.03, 0.15) for f in mirrored([disc(x, -0.2, z, 0.034, TYRE, 10)])]


def _airliner(rng: Rng) -> tuple[Part, ...]:
    white, belly = pick(rng, "f0f1f2", "e6e9ec", "f4f2ec", "c9ced3"), pick(rng, "c3c9cf", "dfe3e6", "8f9aa6", "2f4f8a")
    tail = pick(rng, "1f3f8a", "b3261e", "2f6f5a", "e07b1f", "26456e", "d9b02f", "c9ced3")
    r = rng.uniform(0.095, 0.12)
    metal = rgb("b5bcc4")
    shell = _fuselage(1.0, r, white, belly)
    wings = _wing((0.22, -0.12), (-0.28, -0.38), 0.95, -0.05, 0.1, r * 0.6, metal)
    stabiliser = _wing((-0.76, -0.94), (-0.98, -1.06), 0.36, 0.07, 0.04, 0.02, metal)
    fin = _fin((-0.66, -0.93, -1.06, -0.96), (0.07, 0.42), tail)
    engines = [f for z in (0.34,) for s in (1.0, -1.0) for f in _engine(0.14, -0.095, s * z, r * 0.46, mix(tail, white, 0.6))]
    windows = mirrored([panel(rect((x, x + 0.02), (0.018, 0.045)), r + 0.002, rgb("36424f")) for x in np.arange(-0.55, 0.7, 0.05)])
    cockpit = mirrored([face([(0.86, 0.03, r * 0.62), (0.93, 0.022, r * 0.42), (0.92, 0.05, r * 0.3), (0.86, 0.062, r * 0.5)], DARK, (0.4, 0.4, 1))])
    stripe = mirrored([panel(rect((-0.6, 0.72), (-0.02, -0.002)), r + 0.001, tail)])
    return (Faces(tuple(shell + wings + stabiliser + fin + engines), gloss=0.15, smooth=0.003), Faces(tuple(stripe + windows + cockpit), sort=False))


def _engine(x: float, y: float, z: float, r: float, colour: Colour) -> list[Face]:
    tube = lofted([(x - 0.2, y, r * 0.55, r * 0.55), (x - 0.1, y, r * 0.95, r * 0.95), (x, y, r, r), (x + 0.03, y, r * 0.9, r * 0.9)], 10, colour, colour)
    t = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    mouth = np.column_stack([np.full(12, x + 0.032), y + r * 0.75 * np.sin(t), r * 0.75 * np.cos(t)])
    return [(p + (0, 0, z), c) for p, c in [*tube, face(mouth, DARK, (1, 0, 0))]]


def _light_plane(rng: Rng) -> tuple[Part, ...]:
    paint, trim = pick(rng, "f0f1f2", "e9d9a5", "d9b02f", "b3261e", "c9ced3"), pick(rng, "b3261e", "1f3f8a", "2f5f45", "26272a")
    line = spline([(-0.95, 0.06, 0.02), (-0.5, 0.03, 0.08), (0.0, 0, 0.15), (0.45, 0, 0.15), (0.75, -0.02, 0.12), (0.85, -0.03, 0.05)], 2)
    shell = lofted([(x, y, h, h * 0.8) for x, y, h in line], 14, paint, mix(paint, trim, 0.2), -0.5, 0.8)
    high = rng.random() < 0.6
    wings = _wing((0.42, 0.08), (0.38, 0.1), 1.05, 0.2 if high else -0.08, 0.04, 0.04, paint)
    stabiliser = _wing((-0.74, -0.94), (-0.78, -0.92), 0.36, 0.08, 0.0, 0.01, paint)
    fin = _fin((-0.66, -0.84, -0.98, -0.95), (0.06, 0.36), trim)
    cabin = extruded([(-0.05, 0.1), (0.08, 0.2), (0.4, 0.2), (0.52, 0.08)], [(-0.1, 1, 1), (0.1, 1, 1)], GLASS, (0.2, 0.12))
    legs = [f for s in (1.0, -1.0) for f in box((0.2, 0.24), (-0.3, -0.1), (s * 0.17 - 0.012, s * 0.17 + 0.012), trim)]
    tyres = [f for s in (1.0, -1.0) for x in (0.22,) for f in mirrored([disc(x, -0.3, 0.19, 0.06, TYRE)])] + [disc(0.7, -0.28, 0.02, 0.05, TYRE)]
    stripe = mirrored([panel([(-0.9, 0.05), (0.7, -0.02), (0.7, 0.02), (-0.9, 0.07)], 0.125, trim)])
    blades = [face([(0.88, -0.28, -0.015), (0.88, -0.28, 0.015), (0.88, 0.22, 0.02), (0.88, 0.22, -0.02)], rgb("3a3b3d"), (1, 0, 0))]
    return (Faces(tuple(legs + tyres)), Faces(tuple(shell + wings + stabiliser + fin + cabin), gloss=0.2), Faces(tuple(stripe)), Faces(tuple(blades), one_sided=False))


def _fighter(rng: Rng) -> tuple[Part, ...]:
    grey = pick(rng, "8a9199", "6f7780", "a5abb0", "7d8474", "5a6068")
    line = spline([(-0.9, 0, 0.085), (-0.4, 0.0, 0.115), (0.1, 0.0, 0.12), (0.5, 0.01, 0.09), (0.8, 0, 0.05), (1.1, -0.02, 0.006)], 2)
    shell = lofted([(x, y, h, h * 1.15) for x, y, h in line], 14, grey, mix(grey, (1, 1, 1), 0.2), -0.2)
    wings = _wing((0.25, -0.62), (-0.38, -0.6), 0.66, 0.0, -0.01, 0.06, grey)
    stabiliser = _wing((-0.62, -0.95), (-0.9, -1.08), 0.4, 0.0, 0.0, 0.05, grey)
    fins = [(p + (0, 0, s), c) for s in ((0.09, -0.09) if rng.random() < 0.5 else (0.0,)) for p, c in _fin((-0.45, -0.78, -1.0, -0.88), (0.06, 0.42), mix(grey, DARK, 0.15))]
    canopy = lofted([(0.2, 0.1, 0.01, 0.01), (0.34, 0.1, 0.075, 0.06), (0.5, 0.085, 0.07, 0.055), (0.68, 0.05, 0.01, 0.01)], 10, rgb("33414f"), rgb("33414f"))
    nozzle = lofted([(-0.98, 0, 0.06, 0.07), (-0.88, 0, 0.085, 0.098)], 12, DARK, DARK)
    missiles = [f for s in (1.0, -1.0) for f in [(p + (0, -0.05, s * 0.45), c) for p, c in lofted([(-0.55, 0, 0.02, 0.02), (-0.1, 0, 0.02, 0.02), (-0.04, 0, 0.002, 0.002)], 6, rgb("d9d9d6"), rgb("d9d9d6"))]]
    return (Faces(tuple(shell + wings + stabiliser + fins + nozzle + missiles), gloss=0.15), Faces(tuple(canopy), gloss=0.6))


# ---------------------------------------------------------------- ship


def _hull(long: float, wide: float, deck: float, bow: float, paint: Colour, boot: Colour, trim: Colour) -> list[Face]:
    """A hull with its waterline at y 0: stations from stern to bow."""
    t = np.linspace(0, 1, 13)
    x = -long + 2 * long * t
    half = wide * np.clip(1.15 * np.minimum(1, (1 - t) * 2.6) ** 0.6, 0.0, 1) * np.where(t < 0.08, 0.85, 1)
    top = deck + bow * np.clip((t - 0.62) / 0.38, 0, 1) ** 2 + 0.15 * bow * np.clip((0.2 - t) / 0.2, 0, 1)
    flare = np.column_stack([x + 0.16 * long * np.clip(t - 0.75, 0, 1), top, half])
    line = np.column_stack([x * 0.97, np.full(13, 0.045), half * 0.9])
    keel = np.column_stack([x * 0.95, np.full(13, -0.05), half * 0.8])
    side: list[Face] = []
    for i in range(12):
        out = (0.5 * (half[i] - half[i + 1]) / 0.1, 0, 1)
        side.append(face([line[i], line[i + 1], flare[i + 1], flare[i]], paint, out))
        side.append(face([keel[i], keel[i + 1], line[i + 1], line[i]], boot, out))
        lip = flare - (0, 0.03, 0)
        side.append(face([lip[i], lip[i + 1], flare[i + 1], flare[i]], trim, out))
    stern = [line[0], flare[0], flare[0] * (1, 1, -1), line[0] * (1, 1, -1)]
    plank = np.concatenate([flare, (flare * (1, 1, -1))[::-1]])
    return [*mirrored(side), face(stern, paint, (-1, 0, 0)), face(plank, mix(rgb("9a8a72"), trim, 0.3), (0, 1, 0))]


def _house(x: tuple[float, float], y: tuple[float, float], z: float, colour: Colour, rows: int = 1) -> list[Face]:
    """A deckhouse with rows of windows, one a deck."""
    walls = box(x, y, (-z, z), colour)
    high = (y[1] - y[0]) / rows
    panes = []
    for row in range(rows):
        low = y[0] + high * (row + 0.4)
        panes += [panel(rect((a, a + 0.026), (low, low + high * 0.34)), z + 0.002, rgb("2f3f50")) for a in np.arange(x[0] + 0.03, x[1] - 0.04, 0.05)]
    return walls + mirrored(panes)


def _mast(x: float, y: tuple[float, float], thick: float = 0.012, colour: Colour = (0.75, 0.75, 0.74)) -> list[Face]:
    return box((x - thick, x + thick), y, (-thick, thick), colour)


def ship(rng: Rng) -> Subject:
    kind = str(rng.choice(["cargo", "liner", "warship", "sail", "boat", "tall"], p=[0.26, 0.2, 0.16, 0.14, 0.14, 0.1]))
    parts = {"cargo": _cargo, "liner": _cruise, "warship": _warship, "sail": _sailboat, "boat": _motorboat, "tall": _tall_ship}[kind](rng)
    yaw = float(rng.choice([rng.uniform(-18, 22), rng.uniform(20, 48)], p=[0.6, 0.4]))
    place = ("sea", "sea", "harbour") if kind in ("cargo", "liner", "tall") else ("sea", "sea", "lake")
    return Subject(
        parts, turned(yaw, rng.uniform(2, 8), rng.uniform(-1.5, 1.5), bool(rng.integers(2))), place,
        rng.uniform(0.82, 0.98), 0.74, (0.5, rng.uniform(0.48, 0.56)), "sails", 0.12,
    )


def _cargo(rng: Rng) -> tuple[Part, ...]:
    paint, boot = pick(rng, "1f3f6e", "26272a", "8a2a22", "2f5f4a", "5a6068"), pick(rng, "8a2a22", "6a2420")
    hull = _hull(1.0, 0.17, 0.2, 0.1, paint, boot, mix(paint, (1, 1, 1), 0.4))
    house = _house((-0.86, -0.62), (0.2, 0.52), 0.14, rgb("eeeee9"), 4) + box((-0.88, -0.76), (0.52, 0.62), (-0.05, 0.05), paint) + _mast(-0.66, (0.52, 0.68))
    load: list[Face] = []
    if rng.random() < 0.7:
        for x in np.arange(-0.52, 0.62, 0.17):
            for level in range(int(rng.integers(1, 4))):
                load += box((x, x + 0.15), (0.2 + level * 0.075, 0.27 + level * 0.075), (-0.14, 0.14), pick(rng, "a8452f", "2f5f8a", "c9953f", "7d8288", "3f7a5f", "d9d6cc", "8a3f45"))
    else:
        for x in (-0.3, 0.1, 0.45):
            load += box((x - 0.12, x + 0.12), (0.2, 0.25), (-0.11, 0.11), rgb("8a6a52")) + _mast(x + 0.16, (0.2, 0.5), 0.016, rgb("d9c68a"))
    return (Faces(tuple(hull + house + load + _mast(0.86, (0.28, 0.46)))),)


def _cruise(rng: Rng) -> tuple[Part, ...]:
    paint, funnel = pick(rng, "f2f2ee", "f2f2ee", "26456e", "2a2c30"), pick(rng, "b3261e", "1f3f8a", "e0a51f", "26272a")
    hull = _hull(1.0, 0.17, 0.17, 0.08, paint, pick(rng, "8a2a22", "2f4f6e"), rgb("f2f2ee"))
    decks = int(rng.integers(2, 5))
    house = _house((-0.86, 0.58), (0.17, 0.17 + 0.08 * decks), 0.14, rgb("f4f3ee"), decks) + _house((-0.7, 0.42), (0.17 + 0.08 * decks, 0.25 + 0.08 * decks), 0.11, rgb("f4f3ee"))
    top = 0.25 + 0.08 * decks
    stack = lofted([(0, 0, 0.06, 0.05), (0.01, 0, 0.06, 0.05)], 4, funnel, funnel)[:0] + box((-0.46, -0.28), (top, top + 0.14), (-0.05, 0.05), funnel)
    ports = mirrored([disc(x, 0.115, 0.166, 0.011, rgb("2f3f50"), 8) for x in np.arange(-0.8, 0.45, 0.08)])
    boats = mirrored([panel(rect((x, x + 0.12), (0.2, 0.24)), 0.15, rgb("e0842f")) for x in np.arange(-0.6, 0.4, 0.22)])
    return (Faces(tuple(hull + house + stack + _mast(0.3, (top, top + 0.16)))), Faces(tuple(ports + boats)))


def _warship(rng: Rng) -> tuple[Part, ...]:
    grey = pick(rng, "7d868e", "6a737b", "8f979d")
    light = mix(grey, (1, 1, 1), 0.15)
    hull = _hull(1.0, 0.12, 0.14, 0.1, grey, DARK, light)
    house = _house((-0.5, 0.3), (0.14, 0.26), 0.095, light) + _house((-0.05, 0.28), (0.26, 0.38), 0.08, light) + box((-0.4, -0.2), (0.26, 0.4), (-0.06, 0.06), light)
    guns = [f for x in (0.46, -0.66) for f in [*box((x, x + 0.12), (0.14, 0.21), (-0.05, 0.05), grey), *box((x + 0.12, x + 0.28), (0.18, 0.195), (-0.01, 0.01), DARK)]]
    masts = _mast(0.08, (0.38, 0.74), 0.018, grey) + box((0.0, 0.16), (0.56, 0.58), (-0.09, 0.09), grey) + _mast(-0.3, (0.4, 0.62), 0.014, grey)
    return (Faces(tuple(hull + house + guns + masts)),)


def _sailboat(rng: Rng) -> tuple[Part, ...]:
    paint, sail = pick(rng, "f2f2ee", "1f3f6e", "8a2a22", "2a2c30", "f2f2ee"), pick(rng, "f4f2ea", "f4f2ea", "e9dcc0", "c94a3a")
    hull = _hull(0.62, 0.12, 0.11, 0.05, paint, mix(paint, DARK, 0.4), rgb("f2f2ee"))
    cabin = _house((-0.25, 0.15), (0.11, 0.17), 0.07, rgb("f2f0e8"))
    bulge = spline([(0.02, 1.5, 0), (-0.3, 0.8, 0.05), (-0.58, 0.26, 0.06)], 4)
    main = np.concatenate([bulge, [(0.02, 0.26, 0.0)]])
    jib = np.concatenate([spline([(0.06, 1.3, 0), (0.1, 0.7, 0.06), (0.08, 0.2, 0.06)], 4), [(0.62, 0.17, 0.0)]])
    seams = [face([(0.02 - 0.6 * t, 1.5 - 1.24 * t, 0.07), (0.02, 1.5 - 1.24 * t - 0.02, 0.03), (0.02, 1.5 - 1.24 * t, 0.03)], mix(sail, DARK, 0.15), (0, 0, 1)) for t in (0.3, 0.5, 0.7)]
    return (
        Faces(tuple(hull + cabin)), Faces(((jib, mix(sail, (0.8, 0.85, 0.95), 0.25)), (main, sail), *seams), one_sided=False, sort=False),
        Faces(tuple(_mast(0.04, (0.12, 1.54), 0.012, rgb("8a7a66")))),
    )


def _motorboat(rng: Rng) -> tuple[Part, ...]:
    paint = pick(rng, "f2f2ee", "f2f2ee", "b3261e", "1f3f8a", "2f6f6a")
    hull = _hull(0.8, 0.2, 0.2, 0.14, paint, pick(rng, "1f3f6e", "8a2a22", "26272a"), rgb("f2f2ee"))
    house = extruded([(-0.4, 0.2), (-0.34, 0.42), (0.12, 0.42), (0.34, 0.22)], [(-0.13, 0.95, 1), (0.13, 0.95, 1)], rgb("f4f3ee"), (-0.1, 0.3))
    panes = mirrored([panel([(-0.32, 0.28), (-0.3, 0.38), (-0.1, 0.38), (-0.1, 0.28)], 0.134, GLASS), panel([(-0.06, 0.28), (-0.06, 0.38), (0.1, 0.38), (0.2, 0.28)], 0.134, GLASS)])
    screen = [face([(0.15, 0.4, -0.11), (0.15, 0.4, 0.11), (0.3, 0.26, 0.11), (0.3, 0.26, -0.11)], GLASS, (1, 1, 0))]
    rail = mirrored([panel([(0.3, 0.3), (0.86, 0.42), (0.86, 0.43), (0.3, 0.31)], 0.06, CHROME)])
    return (Faces(tuple(hull + house + _mast(-0.2, (0.42, 0.68), 0.01))), Faces(tuple(screen + panes + rail)))


def _tall_ship(rng: Rng) -> tuple[Part, ...]:
    paint, cloth = pick(rng, "3a2a20", "26272a", "f2f2ee", "5a3a26"), pick(rng, "ece4d0", "f4f2ea")
    hull = _hull(0.9, 0.14, 0.17, 0.1, paint, mix(paint, DARK, 0.5), pick(rng, "d9b45a", "f2f2ee"))
    sails: list[Face] = []
    masts: list[Face] = [face([(0.9, 0.26, 0.01), (1.3, 0.42, 0.005), (1.3, 0.43, 0.005), (0.9, 0.29, 0.01)], rgb("6a4a32"), (0, 0, 1))]
    for x, high in ((0.5, 0.95), (0.0, 1.08), (-0.5, 0.9)):
        masts += _mast(x, (0.17, high + 0.1), 0.014, rgb("5a4230"))
        for low, up, w in ((0.26, 0.5, 0.24), (0.53, 0.76, 0.2), (0.79, high, 0.15)):
            sails.append((np.array([(x - w, low, 0.05), (x + w * 0.9, low, 0.05), (x + w * 0.8, up, 0.03), (x - w * 0.85, up, 0.03)]), mix(cloth, DARK, float(rng.uniform(0, 0.12)))))
    jib = (np.array([(0.62, 0.34, 0.0), (1.22, 0.42, 0.0), (0.56, 0.9, 0.0)]), mix(cloth, DARK, 0.06))
    return (Faces(tuple(hull + masts), one_sided=False), Faces((jib, *sails), one_sided=False, sort=False))


__all__ = ["airplane", "automobile", "ship", "tinted", "truck"]
