"""The six animals of CIFAR-10 as soft bodies: x ahead, y up, z to the near side; about one unit long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.brushes import Coat, Colour, Cone, Flesh, Part, Point, mix, pick, rgb, spline, tinted, turned

Rng = np.random.Generator
Head = tuple[list[Cone], list[Flesh]]
BLACK, WHITE = rgb("14110f"), rgb("f4f0e8")


@dataclass(frozen=True)
class Subject:
    """An object ready to be placed: its parts, how it is turned, the box it fills, and the places it is seen in."""

    parts: tuple[Part, ...]
    turn: NDArray[np.float64]
    places: tuple[str, ...]
    width: float = 0.8
    height: float = 0.8
    centre: tuple[float, float] = (0.5, 0.52)
    ground: str = "stands"
    near: float = 0.0


# ---------------------------------------------------------------- building


def chain(points: Sequence[Sequence[float]], radii: Sequence[float], *colours: Colour) -> list[Cone]:
    """Cones from point to point; the last colour goes on to the end."""
    ends = [tuple(float(v) for v in p) for p in points]
    hues = [colours[min(i, len(colours) - 1)] for i in range(len(ends) - 1)]
    return [Cone(a, b, ra, rb, c) for a, b, ra, rb, c in zip(ends, ends[1:], radii, radii[1:], hues, strict=False)]  # type: ignore[arg-type]


def ball(at: Point, radius: float, colour: Colour) -> Cone:
    return Cone(at, at, radius, radius, colour)


def both(make: Callable[[float], list[Cone]]) -> list[Cone]:
    """What `make` builds for the near side (1) and for the far side (-1)."""
    return make(1.0) + make(-1.0)


def moved(cones: Sequence[Cone], by: Point, turn: NDArray[np.float64] | None = None, grow: float = 1.0) -> list[Cone]:
    """The cones turned about the origin, enlarged and then moved."""
    spin = np.eye(3) if turn is None else turn

    def place(p: Point) -> Point:
        x, y, z = grow * (spin @ np.asarray(p)) + by
        return float(x), float(y), float(z)

    return [Cone(place(c.a), place(c.b), c.ra * grow, c.rb * grow, c.colour) for c in cones]


def eye(at: Point, radius: float, iris: Colour, pupil: float = 0.7, out: Point = (1, 0, 0)) -> Flesh:
    """An eye that looks along `out`: rim, iris, pupil and a spark of light."""
    ahead = np.asarray(out, float) / np.linalg.norm(out)

    def forward(share: float) -> Point:
        x, y, z = np.asarray(at) + ahead * radius * share
        return float(x), float(y), float(z)

    x, y, z = forward(1.24)
    spark = (x, y + radius * 0.32, z)
    cones = (
        ball(at, radius * 1.15, BLACK), ball(forward(0.35), radius * 0.95, iris),
        ball(forward(0.35 + 0.95 - 0.9 * pupil), radius * pupil, rgb("080706")), ball(spark, radius * 0.19, (1, 1, 1)),
    )
    return Flesh(cones, Coat(hair=0, gloss=0.5), melt=0.002)


# ---------------------------------------------------------------- horse and deer


@dataclass(frozen=True)
class Hoofed:
    """The build of a hoofed animal."""

    girth: float
    leg: float
    bone: float
    neck: float
    coat: Colour
    points: Colour
    hoof: Colour


def _legs(build: Hoofed, rng: Rng) -> list[Cone]:
    legs: list[Cone] = []
    swing = rng.uniform(0.0, 0.14)
    g, b, down = build.girth, build.bone, -build.leg
    for side in (1.0, -1.0):
        z = side * g * 0.5
        step = swing * side * (1 if rng.random() < 0.8 else -1)
        front = [(0.30, -0.04, z), (0.30 + step * 0.3, down * 0.42, z), (0.30 + step, down * 0.68, z), (0.28 + step * 1.3, down * 0.93, z), (0.31 + step * 1.3, down, z)]
        hind = [(-0.36, 0.0, z), (-0.30 - step * 0.3, down * 0.36, z), (-0.45 - step, down * 0.62, z), (-0.42 - step * 1.2, down * 0.93, z), (-0.38 - step * 1.2, down, z)]
        lower = [build.coat, build.coat, build.points, build.hoof]
        legs += chain(front, (g * 0.55, b * 1.5, b * 1.1, b * 0.8, b), *lower)
        legs += chain(hind, (g * 0.85, b * 2.2, b * 1.25, b * 0.85, b), *lower)
    return legs


def _trunk(build: Hoofed) -> list[Cone]:
    g = build.girth
    return [
        Cone((-0.30, 0.02, 0), (0.05, -0.02, 0), g * 0.98, g, build.coat),
        Cone((0.05, -0.02, 0), (0.30, 0.02, 0), g, g * 0.95, build.coat),
        ball((-0.37, 0.05, 0), g * 0.98, build.coat),
        Cone((0.10, 0.10, 0), (0.30, 0.14, 0), g * 0.6, g * 0.62, build.coat),
    ]


def _horse_head(coat: Colour, muzzle: Colour, mane: Colour, blaze: Colour | None) -> Head:
    """A head about the poll at the origin, nose ahead and down."""
    nose = (0.30, -0.20, 0)
    skull = [
        Cone((0.02, 0.0, 0), (0.14, -0.08, 0), 0.088, 0.074, coat), ball((0.05, -0.07, 0), 0.092, coat),
        Cone((0.06, -0.07, 0.02), (0.12, -0.12, 0.02), 0.085, 0.06, coat),
        Cone((0.14, -0.09, 0), (0.28, -0.18, 0), 0.07, 0.052, coat), ball(nose, 0.054, muzzle),
        Cone((0.28, -0.235, 0), (0.20, -0.19, 0), 0.036, 0.045, muzzle),
    ]
    skull += both(lambda s: [Cone((-0.01, 0.07, s * 0.05), (0.0, 0.17, s * 0.062), 0.03, 0.008, coat)])
    skull += [Cone((0.0, 0.09, 0), (0.09, 0.03, 0), 0.035, 0.02, mane)]
    if blaze is not None:
        skull += [Cone((0.12, -0.025, 0), (0.29, -0.155, 0), 0.034, 0.028, blaze)]
    marks = [eye((0.115, -0.045, s * 0.066), 0.02, rgb("2a1a10"), 0.6, (0.3, 0.1, s)) for s in (1.0, -1.0)]
    marks += [Flesh((ball((0.325, -0.195, s * 0.036), 0.015, BLACK),), Coat(hair=0), 0.004) for s in (1.0, -1.0)]
    return skull, marks


def _placed(head: Head, at: Point, pitch: float, look: float, grow: float = 1.0) -> Head:
    """The head nodded by `pitch` and looking `look` degrees to the near side."""
    spin = turned(look) @ turned(0, 0, pitch)
    return moved(head[0], at, spin, grow), [Flesh(tuple(moved(m.cones, at, spin, grow)), m.coat, m.melt) for m in head[1]]


HORSES = (
    ("7a4423", "7a4423", "1c1512"), ("5a3019", "1d1512", "17110e"), ("8f5128", "8f5128", "c79a63"), ("2b2320", "1d1816", "15110f"),
    ("b9b3aa", "8d877f", "d8d3ca"), ("c79f63", "c79f63", "efe2c4"), ("6b3a20", "221814", "1a1310"), ("e6e1d8", "d4cec3", "f2eee6"),
)


def horse(rng: Rng) -> Subject:
    coat_code, point_code, mane_code = HORSES[rng.integers(len(HORSES))]
    coat, points, mane = tinted(rgb(coat_code), rng), rgb(point_code), rgb(mane_code)
    socks = rgb("e9e2d6") if rng.random() < 0.3 else points
    build = Hoofed(0.19, 0.78, 0.034, 0.12, coat, socks, rgb("2a211b"))
    blaze = WHITE if rng.random() < 0.45 else None
    head = _horse_head(coat, mix(coat, BLACK, 0.5), mane, blaze)
    pose = rng.choice(["stand", "graze", "portrait"], p=[0.6, 0.17, 0.23])
    if pose == "portrait":
        return _horse_portrait(rng, build, head, mane)
    poll = (0.62, 0.50, 0.0) if pose == "stand" else (0.62, -0.40, 0.0)
    poll = (poll[0] + rng.normal(0, 0.03), poll[1] + rng.normal(0, 0.03), 0.0)
    skull, marks = _placed(head, poll, rng.uniform(-12, 10) - (22 if pose == "graze" else 0), rng.uniform(-10, 30))
    patch = WHITE if rng.random() < 0.12 else None
    cones = _trunk(build) + _legs(build, rng) + _horse_neck(build, poll, mane) + skull + _horse_tail(rng, mane)
    coat_kind = Coat(hair=0.35, cells=26, gloss=0.10, patch=patch, belly=mix(coat, BLACK, 0.25))
    yaw = float(rng.choice([rng.uniform(-25, 30), rng.uniform(30, 58)], p=[0.7, 0.3]))
    return Subject(
        (Flesh(tuple(cones), coat_kind, 0.045), *marks), turned(yaw, rng.uniform(2, 8), 0, bool(rng.integers(2))),
        ("meadow", "meadow", "paddock", "forest", "sand", "hills"), rng.uniform(0.75, 0.9), rng.uniform(0.72, 0.86),
    )


def _horse_neck(build: Hoofed, poll: Point, mane: Colour) -> list[Cone]:
    x, y, z = poll
    neck = chain([(0.30, 0.06, 0), (0.45, 0.06 + (y - 0.06) * 0.5, z * 0.5), (x, y - 0.01, z)], (0.185, 0.135, 0.092), build.coat)
    crest = np.array([(0.24, 0.20, 0.03), (0.36, 0.20 + (y - 0.06) * 0.45, 0.04), (x - 0.05, y + 0.07, 0.03)])
    return neck + chain([tuple(p) for p in crest], (0.03, 0.055, 0.035), mane)


def _horse_tail(rng: Rng, mane: Colour) -> list[Cone]:
    lift = rng.uniform(0, 0.12)
    line = [(-0.53, 0.14, 0), (-0.62 - lift, 0.06, 0), (-0.66 - lift, -0.22, 0), (-0.64 - lift, -0.52, 0.02)]
    return chain(line, (0.03, 0.045, 0.06, 0.018), mane)


def _horse_portrait(rng: Rng, build: Hoofed, head: Head, mane: Colour) -> Subject:
    skull, marks = _placed(head, (0.0, 0.0, 0.0), rng.uniform(-8, 12), 0)
    neck = chain([(0.02, -0.03, 0), (-0.12, -0.25, 0), (-0.30, -0.62, 0)], (0.09, 0.145, 0.23), build.coat)
    hair = [c for d in (0.0, 0.05) for c in chain([(-0.02, 0.09, 0.01 + d * 0.3), (-0.115 + d * 0.3, -0.01, 0.02 + d), (-0.225 + d * 0.5, -0.19, 0.03 + 1.4 * d), (-0.40 + d, -0.47, 0.04 + 2 * d)], (0.03, 0.042, 0.048, 0.05), mane)]
    yaw = rng.uniform(-15, 60)
    return Subject(
        (Flesh((*neck, *hair, *skull), Coat(hair=0.35, cells=22, gloss=0.1), 0.03), *marks),
        turned(yaw, 3, 0, bool(rng.integers(2))), ("meadow", "forest", "hills", "paddock"), 1.05, 1.1,
        (0.48, 0.66), "cut",
    )


def _deer_head(coat: Colour, rng: Rng, antlers: float) -> Head:
    pale = mix(coat, WHITE, 0.55)
    skull = [
        ball((0.02, 0.0, 0), 0.075, coat), Cone((0.05, -0.01, 0), (0.20, -0.07, 0), 0.062, 0.036, coat),
        Cone((0.19, -0.085, 0), (0.13, -0.085, 0), 0.026, 0.03, pale),
    ]
    skull += both(lambda s: chain([(-0.02, 0.05, s * 0.06), (-0.05, 0.10, s * 0.13), (-0.06, 0.135, s * 0.20)], (0.022, 0.042, 0.008), mix(coat, BLACK, 0.15)))
    horn = rgb("6f553b")
    if antlers > 0:
        a = antlers
        skull += both(lambda s: chain([(0.0, 0.06, s * 0.03), (-0.04, 0.06 + 0.16 * a, s * 0.12), (0.0, 0.06 + 0.34 * a, s * 0.19), (0.08, 0.06 + 0.47 * a, s * 0.17)], (0.018, 0.015, 0.013, 0.006), horn))
        skull += both(lambda s: chain([(-0.03, 0.06 + 0.13 * a, s * 0.10), (0.10, 0.06 + 0.24 * a, s * 0.12)], (0.013, 0.006), horn))
        skull += both(lambda s: chain([(-0.02, 0.06 + 0.26 * a, s * 0.16), (-0.12, 0.06 + 0.40 * a, s * 0.24)], (0.012, 0.006), horn))
    marks = [eye((0.07, 0.015, s * 0.057), 0.019, rgb("1d120c"), 0.6, (0.4, 0.1, s)) for s in (1.0, -1.0)]
    marks.append(Flesh((ball((0.225, -0.065, 0), 0.024, BLACK),), Coat(hair=0, gloss=0.2), 0.004))
    return skull, marks


def deer(rng: Rng) -> Subject:
    coat = pick(rng, "8a5f3c", "9b6b42", "7a5a40", "6e5138", "a8764a")
    build = Hoofed(0.15, 0.66, 0.022, 0.08, coat, mix(coat, BLACK, 0.2), rgb("231b16"))
    antlers = float(rng.choice([0, rng.uniform(0.6, 1.1)], p=[0.5, 0.5]))
    head = _deer_head(coat, rng, antlers)
    pose = rng.choice(["stand", "graze", "portrait"], p=[0.62, 0.16, 0.22])
    if pose == "portrait":
        return _deer_portrait(rng, build, head)
    poll = (0.56, 0.50, 0.0) if pose == "stand" else (0.58, -0.34, 0.0)
    look = rng.uniform(-10, 75) if pose == "stand" else rng.uniform(-5, 25)
    skull, marks = _placed(head, poll, rng.uniform(-8, 8) - (35 if pose == "graze" else 0), look)
    x, y, _ = poll
    neck = chain([(0.30, 0.05, 0), (0.44, 0.05 + (y - 0.05) * 0.5, 0), (x, y, 0)], (0.135, 0.085, 0.062), coat)
    tail = [Cone((-0.50, 0.12, 0), (-0.56, 0.0, 0), 0.035, 0.025, WHITE), ball((-0.47, 0.02, 0), 0.07, mix(coat, WHITE, 0.6))]
    spots = mix(coat, WHITE, 0.7) if rng.random() < 0.12 else None
    kind = Coat(hair=0.5, cells=34, belly=mix(coat, WHITE, 0.5), patch=spots, patch_share=0.16, patch_cells=36)
    cones = _trunk(build) + _legs(build, rng) + neck + skull + tail
    yaw = float(rng.choice([rng.uniform(-30, 30), rng.uniform(30, 65)], p=[0.7, 0.3]))
    return Subject(
        (Flesh(tuple(cones), kind, 0.04), *marks), turned(yaw, rng.uniform(2, 8), 0, bool(rng.integers(2))),
        ("forest", "glade", "forest", "reeds", "meadow", "glade", "snow"), rng.uniform(0.66, 0.85), rng.uniform(0.72, 0.88),
    )


def _deer_portrait(rng: Rng, build: Hoofed, head: Head) -> Subject:
    skull, marks = _placed(head, (0.0, 0.0, 0.0), rng.uniform(-8, 6), 0)
    neck = chain([(0.0, -0.02, 0), (-0.07, -0.2, 0), (-0.14, -0.46, 0), (-0.3, -0.56, 0)], (0.062, 0.07, 0.12, 0.2), build.coat)
    neck.append(Cone((0.0, -0.09, 0), (-0.02, -0.2, 0), 0.05, 0.058, mix(build.coat, WHITE, 0.5)))
    kind = Coat(hair=0.6, cells=30, belly=mix(build.coat, WHITE, 0.45))
    return Subject(
        (Flesh((*neck, *skull), kind, 0.02), *marks), turned(rng.uniform(15, 85), 3, 0, bool(rng.integers(2))),
        ("forest", "glade", "reeds"), 0.8, 1.0, (0.5, 0.58), "cut",
    )


# ---------------------------------------------------------------- cat and dog


CATS = (
    ("94908a", "33302d", "ebe7e0", True), ("c98f55", "9a6232", "f4e9d8", True), ("252322", "252322", "f4f0ea", False), ("252322", "1b1a19", "2e2b29", False),
    ("e8e2d8", "e8e2d8", "f4f0ea", False), ("85878c", "5a5c61", "f0eeea", False), ("7d756a", "2c2825", "d3c9bb", True), ("ddd0bb", "43352b", "ece2d2", False),
    ("a39a8e", "45403b", "f4f0ea", True), ("8f9196", "44464a", "d8d8d8", True),
)


def _cat_head(fur: Colour, dark: Colour, pale: Colour, iris: Colour) -> Head:
    """A cat's head about the origin, looking along x."""
    pink, snout = rgb("c4877a"), mix(fur, pale, 0.6)
    skull = [
        ball((0, 0, 0), 0.2, fur), ball((0.04, 0.075, 0), 0.155, fur), Cone((0.15, 0.06, 0), (0.195, -0.045, 0), 0.045, 0.036, mix(fur, pale, 0.25)),
        *both(lambda s: [ball((0.06, -0.055, s * 0.1), 0.118, fur), Cone((0.03, -0.08, s * 0.14), (-0.02, -0.12, s * 0.235), 0.09, 0.018, mix(fur, pale, 0.3))]),
        *both(lambda s: [Cone((-0.02, 0.1, s * z), (-0.03, 0.305, s * 0.185), r, 0.008, fur) for z, r in ((0.165, 0.045), (0.07, 0.045), (0.115, 0.055))]),
        *both(lambda s: [ball((0.165, -0.088, s * 0.042), 0.058, snout)]), ball((0.15, -0.145, 0), 0.046, pale),
    ]
    marks = [Flesh((Cone((0.035, 0.15, s * 0.128), (0.0, 0.25, s * 0.172), 0.03, 0.006, mix(pink, dark, 0.4)),), Coat(hair=0.4), 0.01) for s in (1.0, -1.0)]
    marks += [Flesh((ball((0.148, 0.03, s * 0.09), 0.058, mix(fur, pale, 0.55)),), Coat(hair=0.6, cells=42), 0.03) for s in (1.0, -1.0)]
    marks += [_cat_eye(s, iris) for s in (1.0, -1.0)]
    marks.append(Flesh((Cone((0.222, -0.05, 0.014), (0.222, -0.05, -0.014), 0.017, 0.017, pink), ball((0.224, -0.068, 0), 0.012, pink)), Coat(hair=0, gloss=0.15), 0.006))
    marks.append(Flesh(tuple(Cone((0.222, -0.08, 0), (0.195, -0.125, s * 0.04), 0.006, 0.004, mix(dark, BLACK, 0.6)) for s in (1.0, -1.0)), Coat(hair=0), 0.002))
    hairs = both(lambda s: [Cone((0.205, -0.085 - d * 0.02, s * 0.06), (0.13, -0.07 - d * 0.06, s * 0.33), 0.003, 0.001, rgb("f2efe9")) for d in (-0.5, 0.4, 1.2)])
    marks.append(Flesh(tuple(hairs), Coat(hair=0), 0.001))
    return skull, marks


def _cat_eye(s: float, iris: Colour) -> Flesh:
    x, y, z = 0.172, 0.032, 0.086
    cones = (
        Cone((x - 0.014, y, s * (z - 0.012)), (x - 0.014, y + 0.004, s * (z + 0.014)), 0.042, 0.042, BLACK), ball((x, y, s * z), 0.0385, iris),
        Cone((x + 0.03, y + 0.014, s * (z + 0.003)), (x + 0.03, y - 0.014, s * (z + 0.003)), 0.0155, 0.0155, rgb("080706")), ball((x + 0.036, y + 0.018, s * z + 0.016), 0.0075, (1, 1, 1)),
    )
    return Flesh(cones, Coat(hair=0, gloss=0.35), melt=0.002)


def cat(rng: Rng) -> Subject:
    fur_code, dark_code, pale_code, striped = CATS[rng.integers(len(CATS))]
    fur, dark, pale = tinted(rgb(fur_code), rng), rgb(dark_code), rgb(pale_code)
    iris = pick(rng, "b5a642", "8fa65a", "c98b2b", "7fb0b8")
    head = _cat_head(fur, dark, pale, iris)
    coat = Coat(
        hair=0.9, cells=42, mottle=0.17, belly=pale, stripe=dark if striped else None, stripes=rng.uniform(7, 11), slant=rng.uniform(-0.3, 0.3),
        patch=WHITE if rng.random() < 0.25 else None, patch_share=0.3, patch_cells=3,
    )
    pose = rng.choice(["portrait", "sit", "loaf", "stand"], p=[0.5, 0.22, 0.18, 0.1])
    return {"portrait": _cat_portrait, "sit": _cat_sitting, "loaf": _cat_loaf, "stand": _cat_standing}[pose](rng, head, coat, fur, pale)


INDOORS = ("room", "sofa", "blanket", "room", "blanket", "floor")


def _cat_portrait(rng: Rng, head: Head, coat: Coat, fur: Colour, pale: Colour) -> Subject:
    skull, marks = _placed(head, (0, 0, 0), rng.uniform(-8, 8), rng.uniform(-25, 25))
    body = [Cone((-0.2, -0.2, 0), (-0.22, -0.62, 0), 0.17, 0.27, mix(fur, BLACK, 0.12)), ball((-0.06, -0.42, 0), 0.15, mix(fur, pale, 0.6)), Cone((-0.22, -0.42, -0.12), (-0.22, -0.42, 0.12), 0.2, 0.2, fur), Cone((-0.2, -0.66, -0.14), (-0.2, -0.66, 0.14), 0.24, 0.24, fur)]
    return Subject(
        (Flesh((*body, *skull), coat, 0.025), *marks), turned(90, rng.uniform(-5, 12), rng.uniform(-10, 10), bool(rng.integers(2))),
        INDOORS, rng.uniform(0.95, 1.3), 1.7, (rng.uniform(0.42, 0.58), rng.uniform(0.62, 0.78)), "cut",
    )


def _cat_sitting(rng: Rng, head: Head, coat: Coat, fur: Colour, pale: Colour) -> Subject:
    skull, marks = _placed(head, (0.15, 0.36, 0), rng.uniform(-8, 8), rng.uniform(-30, 30), 1.2)
    body = [
        Cone((0.08, 0.2, 0), (-0.06, -0.15, 0), 0.15, 0.24, fur), ball((-0.10, -0.22, 0), 0.24, fur), ball((0.15, 0.1, 0), 0.12, pale),
        *both(lambda s: chain([(0.14, 0.02, s * 0.09), (0.17, -0.25, s * 0.085), (0.2, -0.43, s * 0.08)], (0.085, 0.06, 0.05), fur, fur)),
        *both(lambda s: [Cone((0.18, -0.44, s * 0.08), (0.24, -0.45, s * 0.08), 0.045, 0.045, pale), Cone((-0.03, -0.28, s * 0.16), (0.1, -0.43, s * 0.18), 0.15, 0.05, fur)]),
        *chain([(-0.3, -0.38, 0), (-0.3, -0.43, 0.22), (-0.05, -0.45, 0.33), (0.15, -0.46, 0.3)], (0.05, 0.05, 0.045, 0.03), fur),
    ]
    return Subject(
        (Flesh((*body, *skull), coat, 0.03), *marks), turned(rng.uniform(50, 95), rng.uniform(2, 14), 0, bool(rng.integers(2))),
        INDOORS, rng.uniform(0.85, 1.05), rng.uniform(1.1, 1.5), (rng.uniform(0.44, 0.56), rng.uniform(0.6, 0.75)),
    )


def _cat_loaf(rng: Rng, head: Head, coat: Coat, fur: Colour, pale: Colour) -> Subject:
    skull, marks = _placed(head, (0.36, 0.18, 0.02), rng.uniform(-8, 8), rng.uniform(20, 60), 1.25)
    body = [
        Cone((-0.3, -0.03, 0), (0.2, 0.0, 0), 0.23, 0.19, fur), ball((-0.34, -0.07, 0.06), 0.21, fur),
        *both(lambda s: chain([(0.2, -0.1, s * 0.12), (0.32, -0.2, s * 0.12), (0.5, -0.21, s * 0.09)], (0.1, 0.065, 0.05), fur, pale)),
        *chain([(-0.5, -0.17, 0.05), (-0.45, -0.2, 0.25), (-0.1, -0.2, 0.32)], (0.06, 0.055, 0.035), fur),
    ]
    return Subject(
        (Flesh((*body, *skull), coat, 0.03), *marks), turned(rng.uniform(5, 60), rng.uniform(8, 20), 0, bool(rng.integers(2))),
        INDOORS, rng.uniform(0.9, 1.1), 0.86, (0.5, rng.uniform(0.52, 0.58)),
    )


def _cat_standing(rng: Rng, head: Head, coat: Coat, fur: Colour, pale: Colour) -> Subject:
    skull, marks = _placed(head, (0.48, 0.27, 0.0), rng.uniform(-8, 8), rng.uniform(20, 70), 1.15)
    step = rng.uniform(-0.08, 0.08)
    body = [
        Cone((-0.3, 0.02, 0), (0.28, 0.04, 0), 0.17, 0.16, fur), Cone((0.28, 0.08, 0), (0.42, 0.2, 0), 0.13, 0.11, fur),
        *both(lambda s: chain([(0.3, 0.0, s * 0.08), (0.3 + s * step, -0.22, s * 0.08), (0.3 + s * step, -0.4, s * 0.08), (0.35 + s * step, -0.41, s * 0.08)], (0.11, 0.06, 0.045, 0.045), fur, fur, pale)),
        *both(lambda s: chain([(-0.33, 0.0, s * 0.08), (-0.3 - s * step, -0.17, s * 0.09), (-0.38 - s * step, -0.28, s * 0.09), (-0.34 - s * step, -0.4, s * 0.09), (-0.3 - s * step, -0.41, s * 0.09)], (0.15, 0.09, 0.05, 0.045, 0.045), fur, fur, fur, pale)),
        *chain([(-0.45, 0.08, 0), (-0.6, 0.15, 0), (-0.68, 0.34, 0), (-0.64, 0.52, 0)], (0.05, 0.042, 0.04, 0.03), fur),
    ]
    return Subject(
        (Flesh((*body, *skull), coat, 0.025), *marks), turned(rng.uniform(15, 65), rng.uniform(3, 14), 0, bool(rng.integers(2))),
        INDOORS, rng.uniform(0.92, 1.1), 1.0,
    )


@dataclass(frozen=True)
class Breed:
    """The look of a dog: colours, how its ears hang, how long its muzzle and hair are."""

    fur: str
    ear: str
    muzzle: str
    hanging: bool
    snout: float
    hair: float
    patch: str | None = None


BREEDS = (
    Breed("d9b57c", "c99c5f", "e3c698", True, 1.0, 0.7), Breed("2a2422", "211c1a", "8a5a34", True, 1.0, 0.5), Breed("6b4128", "55311d", "6b4128", True, 1.0, 0.6),
    Breed("f1ece3", "e4ddd0", "f4f0e8", True, 0.8, 1.3), Breed("c9a070", "2b211c", "2a201b", True, 0.5, 0.5), Breed("e8e0d2", "8a5228", "efe9dd", True, 0.9, 0.6, "9a5e31"),
    Breed("7d5d3c", "2b2320", "2c2421", False, 1.1, 0.8, "2a2320"), Breed("6f6e70", "5a595b", "d8d5d0", False, 1.0, 1.0), Breed("b8763f", "a2632f", "efe3d2", False, 0.8, 0.9),
    Breed("efe9e0", "1f1a18", "efe9e0", True, 1.0, 0.7, "1f1a18"),
)


def _dog_head(breed: Breed, fur: Colour) -> Head:
    """A dog's head about the origin, looking along x."""
    ear, muzzle, n = rgb(breed.ear), rgb(breed.muzzle), breed.snout
    tip = 0.17 + 0.2 * n
    head = [
        ball((0, 0.02, 0), 0.19, fur), Cone((0.08, -0.03, 0), (0.16, -0.06, 0), 0.145, 0.12, fur),
        Cone((0.15, -0.07, 0), (tip - 0.02, -0.085, 0), 0.098, 0.078, muzzle), Cone((0.12, -0.13, 0), (tip - 0.06, -0.155, 0), 0.08, 0.048, muzzle),
        *both(lambda s: [ball((0.08, 0.09, s * 0.07), 0.09, fur)]),
    ]
    if breed.hanging:
        head += both(lambda s: chain([(-0.02, 0.12, s * 0.15), (0.0, 0.02, s * 0.225), (0.02, -0.17, s * 0.22)], (0.05, 0.072, 0.06), ear))
    else:
        head += both(lambda s: [Cone((-0.03, 0.15, s * 0.11), (-0.02, 0.33, s * 0.14), 0.07, 0.015, ear)])
    marks = [eye((0.168, 0.055, s * 0.078), 0.03, rgb("3a2312"), 0.6, (1, 0.05, s * 0.5)) for s in (1.0, -1.0)]
    marks.append(Flesh((Cone((tip + 0.045, -0.05, 0.02), (tip + 0.045, -0.05, -0.02), 0.034, 0.034, BLACK), ball((tip + 0.045, -0.075, 0), 0.022, BLACK)), Coat(hair=0, gloss=0.45), 0.01))
    mouth = chain([(tip + 0.035, -0.118, 0), (tip - 0.01, -0.138, 0.04), (tip - 0.1, -0.138, 0.068)], (0.008, 0.009, 0.006), mix(muzzle, BLACK, 0.75))
    marks.append(Flesh(tuple(mouth + moved(mouth, (0, 0, 0), np.diag([1.0, 1, -1]))), Coat(hair=0), 0.003))
    return head, marks


def _tongue(tip: float) -> Flesh:
    return Flesh((Cone((tip - 0.02, -0.16, 0), (tip + 0.03, -0.25, 0), 0.036, 0.034, rgb("c9606a")),), Coat(hair=0, gloss=0.2), 0.01)


def dog(rng: Rng) -> Subject:
    breed = BREEDS[rng.integers(len(BREEDS))]
    fur = tinted(rgb(breed.fur), rng)
    head = _dog_head(breed, fur)
    if rng.random() < 0.35:
        head[1].append(_tongue(0.17 + 0.2 * breed.snout))
    patch = None if breed.patch is None else rgb(breed.patch)
    coat = Coat(hair=breed.hair, cells=36, mottle=0.13, belly=mix(fur, WHITE, 0.2), patch=patch, patch_share=0.38, patch_cells=3)
    pose = rng.choice(["portrait", "sit", "stand"], p=[0.56, 0.26, 0.18])
    return {"portrait": _dog_portrait, "sit": _dog_sitting, "stand": _dog_standing}[pose](rng, head, coat, fur)


OUTDOORS = ("lawn", "room", "room", "floor", "sofa", "blanket", "glade", "sand")


def _dog_portrait(rng: Rng, head: Head, coat: Coat, fur: Colour) -> Subject:
    skull, marks = _placed(head, (0, 0, 0), rng.uniform(-12, 8), rng.uniform(-40, 40))
    body = [Cone((-0.2, -0.18, 0), (-0.22, -0.6, 0), 0.15, 0.24, mix(fur, BLACK, 0.1)), ball((-0.02, -0.48, 0), 0.16, mix(fur, WHITE, 0.2)), Cone((-0.22, -0.42, -0.1), (-0.22, -0.42, 0.1), 0.2, 0.2, fur), Cone((-0.2, -0.66, -0.14), (-0.2, -0.66, 0.14), 0.24, 0.24, fur)]
    return Subject(
        (Flesh((*body, *skull), coat, 0.03), *marks), turned(90, rng.uniform(-2, 14), rng.uniform(-8, 8), bool(rng.integers(2))),
        OUTDOORS, rng.uniform(0.95, 1.25), 1.6, (rng.uniform(0.42, 0.58), rng.uniform(0.6, 0.75)), "cut",
    )


def _dog_sitting(rng: Rng, head: Head, coat: Coat, fur: Colour) -> Subject:
    skull, marks = _placed(head, (0.17, 0.40, 0), rng.uniform(-10, 6), rng.uniform(-30, 30), 1.2)
    pale = mix(fur, WHITE, 0.25)
    body = [
        Cone((0.08, 0.2, 0), (-0.08, -0.15, 0), 0.16, 0.22, fur), ball((-0.14, -0.22, 0), 0.23, fur), ball((0.13, 0.08, 0), 0.14, pale),
        *both(lambda s: chain([(0.12, 0.0, s * 0.11), (0.17, -0.25, s * 0.105), (0.19, -0.46, s * 0.105), (0.26, -0.48, s * 0.105)], (0.1, 0.065, 0.052, 0.05), fur, fur, pale)),
        *both(lambda s: [Cone((-0.08, -0.28, s * 0.17), (0.08, -0.46, s * 0.2), 0.14, 0.06, fur)]),
        *chain([(-0.3, -0.36, 0), (-0.45, -0.42, 0.1), (-0.55, -0.36, 0.15)], (0.06, 0.05, 0.03), fur),
    ]
    return Subject(
        (Flesh((*body, *skull), coat, 0.03), *marks), turned(rng.uniform(30, 95), rng.uniform(2, 14), 0, bool(rng.integers(2))),
        OUTDOORS, rng.uniform(0.72, 0.92), rng.uniform(0.98, 1.15), (rng.uniform(0.44, 0.56), 0.55),
    )


def _dog_standing(rng: Rng, head: Head, coat: Coat, fur: Colour) -> Subject:
    skull, marks = _placed(head, (0.5, 0.33, 0.0), rng.uniform(-10, 8), rng.uniform(15, 70), 1.25)
    step, pale = rng.uniform(-0.1, 0.1), mix(fur, WHITE, 0.2)
    body = [
        Cone((-0.32, 0.02, 0), (0.26, 0.03, 0), 0.17, 0.2, fur), Cone((0.28, 0.1, 0), (0.44, 0.26, 0), 0.16, 0.13, fur),
        *both(lambda s: chain([(0.28, -0.02, s * 0.1), (0.3 + s * step, -0.22, s * 0.1), (0.29 + s * step, -0.38, s * 0.1), (0.35 + s * step, -0.4, s * 0.1)], (0.14, 0.08, 0.062, 0.06), fur, fur, pale)),
        *both(lambda s: chain([(-0.34, 0.0, s * 0.09), (-0.3 - s * step, -0.18, s * 0.1), (-0.4 - s * step, -0.27, s * 0.1), (-0.37 - s * step, -0.38, s * 0.1), (-0.32 - s * step, -0.4, s * 0.1)], (0.17, 0.105, 0.064, 0.06, 0.06), fur, fur, fur, pale)),
        *chain([(-0.47, 0.1, 0), (-0.62, 0.2, 0), (-0.72, 0.38, 0)], (0.055, 0.05, 0.03), fur),
    ]
    return Subject(
        (Flesh((*body, *skull), coat, 0.03), *marks), turned(rng.uniform(20, 70), rng.uniform(2, 12), 0, bool(rng.integers(2))),
        OUTDOORS, rng.uniform(0.95, 1.08), 1.0,
    )


# ---------------------------------------------------------------- frog and bird


def frog(rng: Rng) -> Subject:
    skin = pick(rng, "6f8a3a", "5f7d34", "7c7a45", "86663f", "4f7a3c", "8a8a4a", "6b5436", "3f6b3a")
    pale = mix(skin, rgb("e6dfae"), 0.6)
    dark = mix(skin, BLACK, 0.6)
    body = [
        Cone((-0.28, -0.02, 0), (0.08, 0.06, 0), 0.16, 0.215, skin), Cone((0.08, 0.09, 0), (0.32, 0.10, 0), 0.2, 0.12, skin),
        Cone((0.2, 0.02, 0.07), (0.34, 0.045, 0.05), 0.12, 0.075, pale), Cone((0.2, 0.02, -0.07), (0.34, 0.045, -0.05), 0.12, 0.075, pale),
        ball((0.02, -0.1, 0), 0.17, pale),
        *both(lambda s: [ball((0.2, 0.225, s * 0.115), 0.082, skin)]),
        *both(lambda s: chain([(-0.22, -0.04, s * 0.16), (0.02, -0.08, s * 0.27), (-0.25, -0.19, s * 0.28), (-0.02, -0.235, s * 0.33), (0.12, -0.24, s * 0.38)], (0.12, 0.095, 0.065, 0.038, 0.02), skin)),
        *both(lambda s: chain([(0.14, -0.04, s * 0.17), (0.17, -0.14, s * 0.25), (0.25, -0.22, s * 0.21)], (0.085, 0.055, 0.04), skin)),
        *both(lambda s: [Cone((0.25, -0.23, s * 0.21), (0.33, -0.24, s * (0.21 + d)), 0.026, 0.014, skin) for d in (-0.06, 0.01, 0.08)]),
        *both(lambda s: [Cone((-0.04, -0.235, s * 0.33), (0.1, -0.24, s * (0.33 + d)), 0.026, 0.012, skin) for d in (-0.06, 0.12)]),
    ]
    iris = pick(rng, "c9a13a", "b5701f", "a8331f", "8a7a2c")
    marks = [eye((0.225, 0.235, s * 0.15), 0.058, iris, 0.62, (0.6, 0.1, s)) for s in (1.0, -1.0)]
    lips = chain([(0.42, 0.075, 0), (0.36, 0.055, 0.1), (0.2, 0.045, 0.19)], (0.008, 0.009, 0.006), dark)
    marks.append(Flesh(tuple(lips + moved(lips, (0, 0, 0), np.diag([1.0, 1, -1]))), Coat(hair=0), 0.003))
    coat = Coat(hair=0.22, cells=50, mottle=0.1, belly=pale, patch=dark if rng.random() < 0.7 else None, patch_share=rng.uniform(0.15, 0.4), patch_cells=rng.uniform(7, 13), gloss=0.3)
    return Subject(
        (Flesh(tuple(body), coat, 0.03), *marks), turned(rng.uniform(0, 80), rng.uniform(8, 32), rng.uniform(-6, 6), bool(rng.integers(2))),
        ("leaves", "mud", "pond", "leaf", "moss", "leaves"), rng.uniform(0.74, 0.95), rng.uniform(0.66, 0.85), (rng.uniform(0.45, 0.55), rng.uniform(0.48, 0.58)),
    )


BIRDS = (
    ("8a6d4f", "5a4432", "d9c9b0"), ("4a5a70", "33404f", "b9793f"), ("6b6f73", "45494d", "d5d6d4"), ("b5452f", "6f2b20", "c9705a"), ("2b2a2c", "1d1c1e", "3a383a"),
    ("c9b23f", "4a4636", "e0d27a"), ("4f7296", "2f4a68", "dfe2df"), ("7d7357", "51493a", "cfc58f"), ("e9e6df", "b9b9b9", "f4f2ee"),
)


def bird(rng: Rng) -> Subject:
    pose = rng.choice(["perch", "ground", "ratite", "swim", "fly"], p=[0.42, 0.28, 0.13, 0.1, 0.07])
    back_code, wing_code, breast_code = BIRDS[rng.integers(len(BIRDS))]
    back, wing, breast = tinted(rgb(back_code), rng), rgb(wing_code), rgb(breast_code)
    return {"perch": _songbird, "ground": _songbird_walking, "ratite": _ratite, "swim": _duck, "fly": _flying}[pose](rng, back, wing, breast)


def _songbird_body(rng: Rng, back: Colour, wing: Colour, breast: Colour) -> Head:
    beak = pick(rng, "3a332c", "c98a2b", "5a4a3a")
    cap = wing if rng.random() < 0.4 else back
    body = [
        Cone((-0.2, -0.06, 0), (0.1, 0.0, 0), 0.13, 0.185, back), ball((0.1, -0.05, 0), 0.175, breast), ball((0.0, -0.1, 0), 0.15, breast),
        Cone((0.12, 0.06, 0), (0.2, 0.2, 0), 0.15, 0.115, back), ball((0.22, 0.24, 0), 0.122, back), Cone((0.2, 0.3, 0), (0.25, 0.29, 0), 0.075, 0.07, cap), ball((0.24, 0.17, 0), 0.09, breast),
        *chain([(-0.25, -0.08, 0), (-0.5, -0.17, 0), (-0.66, -0.22, 0)], (0.08, 0.05, 0.04), wing),
        *both(lambda s: chain([(0.06, 0.03, s * 0.13), (-0.16, -0.03, s * 0.14), (-0.42, -0.13, s * 0.06)], (0.09, 0.085, 0.02), wing)),
    ]
    marks = [eye((0.27, 0.26, s * 0.095), 0.022, rgb("2a1d12"), 0.7, (0.4, 0.1, s)) for s in (1.0, -1.0)]
    marks.append(Flesh((Cone((0.31, 0.235, 0), (0.44, 0.215, 0), 0.035, 0.006, beak),), Coat(hair=0, gloss=0.2), 0.01))
    marks.append(Flesh(tuple(both(lambda s: [Cone((-0.12 - 0.05 * i, -0.005 - 0.03 * i, s * 0.2), (-0.44 - 0.03 * i, -0.13 - 0.02 * i, s * 0.085), 0.024, 0.008, mix(wing, BLACK, 0.25)) for i in range(3)])), Coat(hair=0.4), 0.008))
    return body, marks


def _songbird(rng: Rng, back: Colour, wing: Colour, breast: Colour) -> Subject:
    body, marks = _songbird_body(rng, back, wing, breast)
    legs = both(lambda s: chain([(0.0, -0.18, s * 0.06), (0.03, -0.3, s * 0.05)], (0.022, 0.015), rgb("4a3a2e")))
    return Subject(
        (Flesh((*body, *legs), Coat(hair=0.5, cells=38), 0.025), *marks), turned(rng.uniform(-35, 50), rng.uniform(-6, 10), rng.uniform(-4, 22), bool(rng.integers(2))),
        ("branch", "branch", "post", "foliage"), rng.uniform(0.66, 0.86), rng.uniform(0.62, 0.8), (rng.uniform(0.45, 0.55), 0.48), "perches",
    )


def _songbird_walking(rng: Rng, back: Colour, wing: Colour, breast: Colour) -> Subject:
    body, marks = _songbird_body(rng, back, wing, breast)
    leg = rgb("6a4a36")
    legs = both(lambda s: chain([(0.0, -0.18, s * 0.07), (-0.03, -0.3, s * 0.07), (0.02, -0.42, s * 0.07), (0.1, -0.43, s * 0.08)], (0.03, 0.016, 0.013, 0.01), leg))
    return Subject(
        (Flesh((*body, *legs), Coat(hair=0.5, cells=38), 0.025), *marks), turned(rng.uniform(-30, 45), rng.uniform(2, 12), rng.uniform(-6, 12), bool(rng.integers(2))),
        ("lawn", "reeds", "moss", "glade"), rng.uniform(0.68, 0.86), rng.uniform(0.66, 0.8),
    )


def _ratite(rng: Rng, back: Colour, wing: Colour, breast: Colour) -> Subject:
    down, skin = pick(rng, "3a322c", "5f5347", "4a4038"), pick(rng, "b59a85", "8a8f98", "a8897a")
    body = [
        Cone((-0.28, 0.0, 0), (0.12, 0.0, 0), 0.18, 0.2, down), Cone((-0.34, -0.04, 0), (-0.5, -0.16, 0), 0.15, 0.07, down),
        *chain([(0.2, 0.06, 0), (0.36, 0.18, 0), (0.38, 0.42, 0), (0.42, 0.62, 0)], (0.14, 0.06, 0.045, 0.045), down, skin),
        Cone((0.42, 0.65, 0), (0.47, 0.65, 0), 0.07, 0.055, skin), Cone((0.5, 0.64, 0), (0.6, 0.615, 0), 0.035, 0.018, rgb("8a7358")),
        *both(lambda s: chain([(-0.05, -0.1, s * 0.1), (0.06, -0.36, s * 0.1), (-0.04, -0.58, s * 0.1), (0.02, -0.84, s * 0.1), (0.1, -0.86, s * 0.1)], (0.12, 0.055, 0.04, 0.026, 0.022), down, skin)),
    ]
    marks = [eye((0.46, 0.67, s * 0.052), 0.017, rgb("3a2312"), 0.7, (0.3, 0.1, s)) for s in (1.0, -1.0)]
    return Subject(
        (Flesh(tuple(body), Coat(hair=1.3, cells=30), 0.025), *marks), turned(rng.uniform(-30, 50), rng.uniform(2, 8), 0, bool(rng.integers(2))),
        ("glade", "lawn", "drygrass", "lawn"), 0.85, rng.uniform(0.84, 0.96),
    )


def _duck(rng: Rng, back: Colour, wing: Colour, breast: Colour) -> Subject:
    head, beak = pick(rng, "234a38", "6a553f", "e9e6df", "2b2724"), pick(rng, "c98f2b", "c96a2b", "5a564f")
    body = [
        Cone((-0.32, 0.0, 0), (0.1, -0.02, 0), 0.14, 0.185, back), ball((0.16, -0.02, 0), 0.17, breast), Cone((-0.4, 0.05, 0), (-0.58, 0.1, 0), 0.08, 0.02, wing),
        *both(lambda s: chain([(0.08, 0.05, s * 0.13), (-0.2, 0.06, s * 0.13), (-0.46, 0.08, s * 0.05)], (0.09, 0.09, 0.02), wing)),
        *chain([(0.22, 0.04, 0), (0.28, 0.2, 0), (0.3, 0.32, 0)], (0.11, 0.07, 0.075), breast, head), ball((0.33, 0.34, 0), 0.098, head),
    ]
    marks = [eye((0.37, 0.365, s * 0.078), 0.018, BLACK, 0.7, (0.4, 0.1, s)) for s in (1.0, -1.0)]
    marks.append(Flesh((Cone((0.41, 0.32, 0), (0.53, 0.285, 0), 0.038, 0.026, beak),), Coat(hair=0, gloss=0.2), 0.01))
    return Subject(
        (Flesh(tuple(body), Coat(hair=0.5, cells=34), 0.025), *marks), turned(rng.uniform(-35, 45), rng.uniform(3, 12), 0, bool(rng.integers(2))),
        ("pond",), rng.uniform(0.78, 0.95), 0.72, (0.5, 0.52), "floats",
    )


def _flying(rng: Rng, back: Colour, wing: Colour, breast: Colour) -> Subject:
    lift = rng.uniform(0.5, 1.3)
    body = [
        *chain([(-0.3, 0, 0), (0.0, 0, 0), (0.2, 0.02, 0), (0.3, 0.05, 0)], (0.04, 0.1, 0.085, 0.07), breast), ball((0.33, 0.06, 0), 0.07, back), Cone((0.38, 0.055, 0), (0.5, 0.04, 0), 0.03, 0.008, rgb("c9932b")),
        *[Cone((-0.28, 0, 0), (-0.5, 0.01, d), 0.04, 0.02, wing) for d in (-0.09, -0.03, 0.03, 0.09)],
    ]

    def feathers(s: float) -> list[Cone]:
        line = spline([(0.12, 0.03, s * 0.06), (0.16, 0.03 + 0.18 * lift, s * 0.35), (0.02, 0.03 + 0.2 * lift, s * 0.7), (-0.14, 0.22 * lift, s * 0.95)], 3)
        arm = chain([tuple(p) for p in line], np.linspace(0.05, 0.018, len(line)).tolist(), back)
        return arm + [Cone(tuple(p), (p[0] - 0.24 + 0.08 * i / len(line), p[1] - 0.02, p[2] + s * 0.07), 0.045, 0.022, wing) for i, p in enumerate(line)]  # type: ignore[arg-type]

    return Subject(
        (Flesh((*body, *both(feathers)), Coat(hair=0.4, cells=34), 0.015),), turned(rng.uniform(-30, 40), float(rng.choice([rng.uniform(20, 45), rng.uniform(-45, -20)])), rng.uniform(-15, 20), bool(rng.integers(2))),
        ("thicket", "lake", "sky"), rng.uniform(0.76, 0.94), 0.72, (0.5, 0.5), "flies",
    )
