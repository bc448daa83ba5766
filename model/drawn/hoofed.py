"""The horse and the deer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.drawn.bodies import BLACK, WHITE, DrawnObject, Head, ball, both, chain, eye, placed
from model.drawn.brushes import (
    Color,
    Point,
    Rng,
    mix,
    pick,
    rgb,
    tinted,
)
from model.drawn.naming import named, rest_named
from model.drawn.solids import (
    Coat,
    Cone,
    Flesh,
    turned,
)


@dataclass(frozen=True)
class Hoofed:
    """The build of a hoofed animal."""

    girth: float
    leg: float
    bone: float
    neck: float
    coat: Color
    points: Color
    hoof: Color


def _legs(build: Hoofed, rng: Rng) -> list[Cone]:
    legs: list[Cone] = []
    swing = rng.uniform(0.0, 0.14)
    g, b, down = build.girth, build.bone, -build.leg
    for side in (1.0, -1.0):
        z = side * g * 0.5
        step = swing * side * (1 if rng.random() < 0.8 else -1)
        front = [
            (0.30, -0.04, z),
            (0.30 + step * 0.3, down * 0.42, z),
            (0.30 + step, down * 0.68, z),
            (0.28 + step * 1.3, down * 0.93, z),
            (0.31 + step * 1.3, down, z),
        ]
        hind = [
            (-0.36, 0.0, z),
            (-0.30 - step * 0.3, down * 0.36, z),
            (-0.45 - step, down * 0.62, z),
            (-0.42 - step * 1.2, down * 0.93, z),
            (-0.38 - step * 1.2, down, z),
        ]
        lower = [build.coat, build.coat, build.points, build.hoof]
        legs += chain(front, (g * 0.55, b * 1.5, b * 1.1, b * 0.8, b), *lower)
        legs += chain(hind, (g * 0.85, b * 2.2, b * 1.25, b * 0.85, b), *lower)
    return named("legs", legs)


def _trunk(build: Hoofed) -> list[Cone]:
    g = build.girth
    return [
        Cone((-0.30, 0.02, 0), (0.05, -0.02, 0), g * 0.98, g, build.coat),
        Cone((0.05, -0.02, 0), (0.30, 0.02, 0), g, g * 0.95, build.coat),
        ball((-0.37, 0.05, 0), g * 0.98, build.coat),
        Cone((0.10, 0.10, 0), (0.30, 0.14, 0), g * 0.6, g * 0.62, build.coat),
    ]


def _horse_head(coat: Color, muzzle: Color, mane: Color, blaze: Color | None) -> Head:
    """A head about the poll at the origin, nose ahead and down."""
    nose = (0.30, -0.20, 0)
    skull = [
        Cone((0.02, 0.0, 0), (0.14, -0.08, 0), 0.088, 0.074, coat),
        ball((0.05, -0.07, 0), 0.092, coat),
        Cone((0.06, -0.07, 0.02), (0.12, -0.12, 0.02), 0.085, 0.06, coat),
        Cone((0.14, -0.09, 0), (0.28, -0.18, 0), 0.07, 0.052, coat),
        ball(nose, 0.054, muzzle),
        Cone((0.28, -0.235, 0), (0.20, -0.19, 0), 0.036, 0.045, muzzle),
    ]
    ears = both(lambda s: [Cone((-0.01, 0.07, s * 0.05), (0.0, 0.17, s * 0.062), 0.03, 0.008, coat)])
    skull += named("ears", ears)
    skull += named("mane", [Cone((0.0, 0.09, 0), (0.09, 0.03, 0), 0.035, 0.02, mane)])
    if blaze is not None:
        skull += [Cone((0.12, -0.025, 0), (0.29, -0.155, 0), 0.034, 0.028, blaze)]
    marks = [eye((0.115, -0.045, s * 0.066), 0.02, rgb("2a1a10"), 0.6, (0.3, 0.1, s)) for s in (1.0, -1.0)]
    marks += [
        Flesh((ball((0.325, -0.195, s * 0.036), 0.015, BLACK),), Coat(hair=0), 0.004) for s in (1.0, -1.0)
    ]
    return skull, marks


HORSES = (
    ("7a4423", "7a4423", "1c1512"),
    ("5a3019", "1d1512", "17110e"),
    ("8f5128", "8f5128", "c79a63"),
    ("2b2320", "1d1816", "15110f"),
    ("b9b3aa", "8d877f", "d8d3ca"),
    ("c79f63", "c79f63", "efe2c4"),
    ("6b3a20", "221814", "1a1310"),
    ("e6e1d8", "d4cec3", "f2eee6"),
)


def horse(rng: Rng) -> DrawnObject:
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
    skull, marks = placed(
        head, poll, rng.uniform(-12, 10) - (22 if pose == "graze" else 0), rng.uniform(-10, 30)
    )
    patch = WHITE if rng.random() < 0.12 else None
    cones = rest_named(
        "body",
        _trunk(build) + _legs(build, rng) + _horse_neck(build, poll, mane) + skull + _horse_tail(rng, mane),
    )
    coat_kind = Coat(hair=0.35, cells=26, gloss=0.10, patch=patch, belly=mix(coat, BLACK, 0.25))
    yaw = float(rng.choice([rng.uniform(-25, 30), rng.uniform(30, 58)], p=[0.7, 0.3]))
    return DrawnObject(
        (Flesh(tuple(cones), coat_kind, 0.045), *marks),
        turned(yaw, rng.uniform(2, 8), 0, bool(rng.integers(2))),
        ("meadow", "meadow", "paddock", "forest", "sand", "hills"),
        rng.uniform(0.75, 0.9),
        rng.uniform(0.72, 0.86),
    )


def _horse_neck(build: Hoofed, poll: Point, mane: Color) -> list[Cone]:
    x, y, z = poll
    neck = chain(
        [(0.30, 0.06, 0), (0.45, 0.06 + (y - 0.06) * 0.5, z * 0.5), (x, y - 0.01, z)],
        (0.185, 0.135, 0.092),
        build.coat,
    )
    crest = np.array([(0.24, 0.20, 0.03), (0.36, 0.20 + (y - 0.06) * 0.45, 0.04), (x - 0.05, y + 0.07, 0.03)])
    hair = chain([tuple(p) for p in crest], (0.03, 0.055, 0.035), mane)
    return named("neck", neck + named("mane", hair))


def _horse_tail(rng: Rng, mane: Color) -> list[Cone]:
    lift = rng.uniform(0, 0.12)
    line = [(-0.53, 0.14, 0), (-0.62 - lift, 0.06, 0), (-0.66 - lift, -0.22, 0), (-0.64 - lift, -0.52, 0.02)]
    return named("tail", chain(line, (0.03, 0.045, 0.06, 0.018), mane))


def _horse_portrait(rng: Rng, build: Hoofed, head: Head, mane: Color) -> DrawnObject:
    skull, marks = placed(head, (0.0, 0.0, 0.0), rng.uniform(-8, 12), 0)
    neck = chain([(0.02, -0.03, 0), (-0.12, -0.25, 0), (-0.30, -0.62, 0)], (0.09, 0.145, 0.23), build.coat)
    hair = [
        c
        for d in (0.0, 0.05)
        for c in chain(
            [
                (-0.02, 0.09, 0.01 + d * 0.3),
                (-0.115 + d * 0.3, -0.01, 0.02 + d),
                (-0.225 + d * 0.5, -0.19, 0.03 + 1.4 * d),
                (-0.40 + d, -0.47, 0.04 + 2 * d),
            ],
            (0.03, 0.042, 0.048, 0.05),
            mane,
        )
    ]
    yaw = rng.uniform(-15, 60)
    return DrawnObject(
        (
            Flesh(
                (*named("neck", neck + named("mane", hair)), *skull),
                Coat(hair=0.35, cells=22, gloss=0.1),
                0.03,
            ),
            *marks,
        ),
        turned(yaw, 3, 0, bool(rng.integers(2))),
        ("meadow", "forest", "hills", "paddock"),
        1.05,
        1.1,
        (0.48, 0.66),
        "cut",
    )


def _deer_head(coat: Color, antlers: float) -> Head:
    pale = mix(coat, WHITE, 0.55)
    skull = [
        ball((0.02, 0.0, 0), 0.075, coat),
        Cone((0.05, -0.01, 0), (0.20, -0.07, 0), 0.062, 0.036, coat),
        Cone((0.19, -0.085, 0), (0.13, -0.085, 0), 0.026, 0.03, pale),
    ]
    skull += named(
        "ears",
        both(
            lambda s: chain(
                [(-0.02, 0.05, s * 0.06), (-0.05, 0.10, s * 0.13), (-0.06, 0.135, s * 0.20)],
                (0.022, 0.042, 0.008),
                mix(coat, BLACK, 0.15),
            )
        ),
    )
    horn = rgb("6f553b")
    if antlers > 0:
        a = antlers
        skull += named(
            "antlers",
            both(
                lambda s: chain(
                    [
                        (0.0, 0.06, s * 0.03),
                        (-0.04, 0.06 + 0.16 * a, s * 0.12),
                        (0.0, 0.06 + 0.34 * a, s * 0.19),
                        (0.08, 0.06 + 0.47 * a, s * 0.17),
                    ],
                    (0.018, 0.015, 0.013, 0.006),
                    horn,
                )
            ),
        )
        skull += named(
            "antlers",
            both(
                lambda s: chain(
                    [(-0.03, 0.06 + 0.13 * a, s * 0.10), (0.10, 0.06 + 0.24 * a, s * 0.12)],
                    (0.013, 0.006),
                    horn,
                )
            ),
        )
        skull += named(
            "antlers",
            both(
                lambda s: chain(
                    [(-0.02, 0.06 + 0.26 * a, s * 0.16), (-0.12, 0.06 + 0.40 * a, s * 0.24)],
                    (0.012, 0.006),
                    horn,
                )
            ),
        )
    marks = [eye((0.07, 0.015, s * 0.057), 0.019, rgb("1d120c"), 0.6, (0.4, 0.1, s)) for s in (1.0, -1.0)]
    marks.append(Flesh((ball((0.225, -0.065, 0), 0.024, BLACK),), Coat(hair=0, gloss=0.2), 0.004))
    return skull, marks


def deer(rng: Rng) -> DrawnObject:
    coat = pick(rng, "8a5f3c", "9b6b42", "7a5a40", "6e5138", "a8764a")
    build = Hoofed(0.15, 0.66, 0.022, 0.08, coat, mix(coat, BLACK, 0.2), rgb("231b16"))
    antlers = float(rng.choice([0, rng.uniform(0.6, 1.1)], p=[0.5, 0.5]))
    head = _deer_head(coat, antlers)
    pose = rng.choice(["stand", "graze", "portrait"], p=[0.62, 0.16, 0.22])
    if pose == "portrait":
        return _deer_portrait(rng, build, head)
    poll = (0.56, 0.50, 0.0) if pose == "stand" else (0.58, -0.34, 0.0)
    look = rng.uniform(-10, 75) if pose == "stand" else rng.uniform(-5, 25)
    skull, marks = placed(head, poll, rng.uniform(-8, 8) - (35 if pose == "graze" else 0), look)
    x, y, _ = poll
    neck = chain(
        [(0.30, 0.05, 0), (0.44, 0.05 + (y - 0.05) * 0.5, 0), (x, y, 0)], (0.135, 0.085, 0.062), coat
    )
    tail = [
        Cone((-0.50, 0.12, 0), (-0.56, 0.0, 0), 0.035, 0.025, WHITE),
        ball((-0.47, 0.02, 0), 0.07, mix(coat, WHITE, 0.6)),
    ]
    spots = mix(coat, WHITE, 0.7) if rng.random() < 0.12 else None
    kind = Coat(
        hair=0.5, cells=34, belly=mix(coat, WHITE, 0.5), patch=spots, patch_fraction=0.16, patch_cells=36
    )
    cones = rest_named(
        "body", _trunk(build) + _legs(build, rng) + named("neck", neck) + skull + named("tail", tail)
    )
    yaw = float(rng.choice([rng.uniform(-30, 30), rng.uniform(30, 65)], p=[0.7, 0.3]))
    return DrawnObject(
        (Flesh(tuple(cones), kind, 0.04), *marks),
        turned(yaw, rng.uniform(2, 8), 0, bool(rng.integers(2))),
        ("forest", "glade", "forest", "reeds", "meadow", "glade", "snow"),
        rng.uniform(0.66, 0.85),
        rng.uniform(0.72, 0.88),
    )


def _deer_portrait(rng: Rng, build: Hoofed, head: Head) -> DrawnObject:
    skull, marks = placed(head, (0.0, 0.0, 0.0), rng.uniform(-8, 6), 0)
    neck = chain(
        [(0.0, -0.02, 0), (-0.07, -0.2, 0), (-0.14, -0.46, 0), (-0.3, -0.56, 0)],
        (0.062, 0.07, 0.12, 0.2),
        build.coat,
    )
    neck.append(Cone((0.0, -0.09, 0), (-0.02, -0.2, 0), 0.05, 0.058, mix(build.coat, WHITE, 0.5)))
    kind = Coat(hair=0.6, cells=30, belly=mix(build.coat, WHITE, 0.45))
    return DrawnObject(
        (Flesh((*named("neck", neck), *skull), kind, 0.02), *marks),
        turned(rng.uniform(15, 85), 3, 0, bool(rng.integers(2))),
        ("forest", "glade", "reeds"),
        0.8,
        1.0,
        (0.5, 0.58),
        "cut",
    )
