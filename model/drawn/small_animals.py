"""The frog and the bird."""

from __future__ import annotations

import numpy as np

from model.drawn.bodies import BLACK, DrawnObject, Head, ball, both, chain, eye, moved
from model.drawn.brushes import (
    Color,
    Rng,
    mix,
    pick,
    rgb,
    spline,
    tinted,
)
from model.drawn.naming import all_named, named, rest_named
from model.drawn.solids import (
    Coat,
    Cone,
    Flesh,
    turned,
)

# ---------------------------------------------------------------- frog and bird


def frog(rng: Rng) -> DrawnObject:
    skin = pick(rng, "6f8a3a", "5f7d34", "7c7a45", "86663f", "4f7a3c", "8a8a4a", "6b5436", "3f6b3a")
    pale = mix(skin, rgb("e6dfae"), 0.6)
    dark = mix(skin, BLACK, 0.6)
    body = [
        Cone((-0.28, -0.02, 0), (0.08, 0.06, 0), 0.16, 0.215, skin),
        *named(
            "head",
            [
                Cone((0.08, 0.09, 0), (0.32, 0.10, 0), 0.2, 0.12, skin),
                Cone((0.2, 0.02, 0.07), (0.34, 0.045, 0.05), 0.12, 0.075, pale),
                Cone((0.2, 0.02, -0.07), (0.34, 0.045, -0.05), 0.12, 0.075, pale),
            ],
        ),
        ball((0.02, -0.1, 0), 0.17, pale),
        *named("head/eyes", both(lambda s: [ball((0.2, 0.225, s * 0.115), 0.082, skin)])),
        *named(
            "hind legs",
            both(
                lambda s: chain(
                    [
                        (-0.22, -0.04, s * 0.16),
                        (0.02, -0.08, s * 0.27),
                        (-0.25, -0.19, s * 0.28),
                        (-0.02, -0.235, s * 0.33),
                        (0.12, -0.24, s * 0.38),
                    ],
                    (0.12, 0.095, 0.065, 0.038, 0.02),
                    skin,
                )
            ),
        ),
        *named(
            "front legs",
            both(
                lambda s: chain(
                    [(0.14, -0.04, s * 0.17), (0.17, -0.14, s * 0.25), (0.25, -0.22, s * 0.21)],
                    (0.085, 0.055, 0.04),
                    skin,
                )
            ),
        ),
        *named(
            "front legs",
            both(
                lambda s: [
                    Cone((0.25, -0.23, s * 0.21), (0.33, -0.24, s * (0.21 + d)), 0.026, 0.014, skin)
                    for d in (-0.06, 0.01, 0.08)
                ]
            ),
        ),
        *named(
            "hind legs",
            both(
                lambda s: [
                    Cone((-0.04, -0.235, s * 0.33), (0.1, -0.24, s * (0.33 + d)), 0.026, 0.012, skin)
                    for d in (-0.06, 0.12)
                ]
            ),
        ),
    ]
    iris = pick(rng, "c9a13a", "b5701f", "a8331f", "8a7a2c")
    lid = mix(skin, BLACK, 0.25)
    eyes = [eye((0.225, 0.235, s * 0.15), 0.058, iris, 0.62, (0.6, 0.1, s), lid) for s in (1.0, -1.0)]
    lips = chain([(0.42, 0.075, 0), (0.36, 0.055, 0.1), (0.2, 0.045, 0.19)], (0.008, 0.009, 0.006), dark)
    mouth = Flesh(tuple(lips + moved(lips, (0, 0, 0), np.diag([1.0, 1, -1]))), Coat(hair=0), 0.003)
    marks = [*all_named("head/eyes", eyes), *all_named("head", [mouth])]
    coat = Coat(
        hair=0.22,
        cells=50,
        mottle=0.1,
        belly=pale,
        patch=dark if rng.random() < 0.7 else None,
        patch_fraction=rng.uniform(0.15, 0.4),
        patch_cells=rng.uniform(7, 13),
        gloss=0.3,
    )
    return DrawnObject(
        (Flesh(tuple(rest_named("body", body)), coat, 0.03), *marks),
        turned(rng.uniform(0, 80), rng.uniform(8, 32), rng.uniform(-6, 6), bool(rng.integers(2))),
        ("leaves", "mud", "pond", "leaf", "moss", "leaves"),
        rng.uniform(0.74, 0.95),
        rng.uniform(0.66, 0.85),
        (rng.uniform(0.45, 0.55), rng.uniform(0.48, 0.58)),
    )


BIRDS = (
    ("8a6d4f", "5a4432", "d9c9b0"),
    ("4a5a70", "33404f", "b9793f"),
    ("6b6f73", "45494d", "d5d6d4"),
    ("b5452f", "6f2b20", "c9705a"),
    ("2b2a2c", "1d1c1e", "3a383a"),
    ("c9b23f", "4a4636", "e0d27a"),
    ("4f7296", "2f4a68", "dfe2df"),
    ("7d7357", "51493a", "cfc58f"),
    ("e9e6df", "b9b9b9", "f4f2ee"),
)


def bird(rng: Rng) -> DrawnObject:
    pose = rng.choice(["perch", "ground", "ratite", "swim", "fly"], p=[0.42, 0.28, 0.13, 0.1, 0.07])
    back_code, wing_code, breast_code = BIRDS[rng.integers(len(BIRDS))]
    back, wing, breast = tinted(rgb(back_code), rng), rgb(wing_code), rgb(breast_code)
    return {
        "perch": _songbird,
        "ground": _songbird_walking,
        "ratite": _ratite,
        "swim": _duck,
        "fly": _flying,
    }[pose](rng, back, wing, breast)


def _songbird_body(rng: Rng, back: Color, wing: Color, breast: Color) -> Head:
    beak = pick(rng, "3a332c", "c98a2b", "5a4a3a")
    cap = wing if rng.random() < 0.4 else back
    body = [
        Cone((-0.2, -0.06, 0), (0.1, 0.0, 0), 0.13, 0.185, back),
        ball((0.1, -0.05, 0), 0.175, breast),
        ball((0.0, -0.1, 0), 0.15, breast),
        *named(
            "head",
            [
                Cone((0.12, 0.06, 0), (0.2, 0.2, 0), 0.15, 0.115, back),
                ball((0.22, 0.24, 0), 0.122, back),
                Cone((0.2, 0.3, 0), (0.25, 0.29, 0), 0.075, 0.07, cap),
                ball((0.24, 0.17, 0), 0.09, breast),
            ],
        ),
        *named(
            "tail", chain([(-0.25, -0.08, 0), (-0.5, -0.17, 0), (-0.66, -0.22, 0)], (0.08, 0.05, 0.04), wing)
        ),
        *named(
            "wings",
            both(
                lambda s: chain(
                    [(0.06, 0.03, s * 0.13), (-0.16, -0.03, s * 0.14), (-0.42, -0.13, s * 0.06)],
                    (0.09, 0.085, 0.02),
                    wing,
                )
            ),
        ),
    ]
    eyes = [eye((0.27, 0.26, s * 0.095), 0.022, rgb("2a1d12"), 0.7, (0.4, 0.1, s)) for s in (1.0, -1.0)]
    mouth = Flesh(
        (Cone((0.31, 0.235, 0), (0.44, 0.215, 0), 0.035, 0.006, beak),), Coat(hair=0, gloss=0.2), 0.01
    )
    feathers = both(
        lambda s: [
            Cone(
                (-0.12 - 0.05 * i, -0.005 - 0.03 * i, s * 0.2),
                (-0.44 - 0.03 * i, -0.13 - 0.02 * i, s * 0.085),
                0.024,
                0.008,
                mix(wing, BLACK, 0.25),
            )
            for i in range(3)
        ]
    )
    return rest_named("body", body), [
        *all_named("head", eyes),
        *all_named("head/beak", [mouth]),
        Flesh(tuple(named("wings", feathers)), Coat(hair=0.4), 0.008),
    ]


def _songbird(rng: Rng, back: Color, wing: Color, breast: Color) -> DrawnObject:
    body, marks = _songbird_body(rng, back, wing, breast)
    legs = both(
        lambda s: chain([(0.0, -0.18, s * 0.06), (0.03, -0.3, s * 0.05)], (0.022, 0.015), rgb("4a3a2e"))
    )
    return DrawnObject(
        (Flesh((*body, *named("legs", legs)), Coat(hair=0.5, cells=38), 0.025), *marks),
        turned(rng.uniform(-35, 50), rng.uniform(-6, 10), rng.uniform(-4, 22), bool(rng.integers(2))),
        ("branch", "branch", "post", "foliage"),
        rng.uniform(0.66, 0.86),
        rng.uniform(0.62, 0.8),
        (rng.uniform(0.45, 0.55), 0.48),
        "perches",
        feet=(0.03, -0.3, 0.0),
    )


def _songbird_walking(rng: Rng, back: Color, wing: Color, breast: Color) -> DrawnObject:
    body, marks = _songbird_body(rng, back, wing, breast)
    leg = rgb("6a4a36")
    legs = both(
        lambda s: chain(
            [
                (0.0, -0.18, s * 0.07),
                (-0.03, -0.3, s * 0.07),
                (0.02, -0.42, s * 0.07),
                (0.1, -0.43, s * 0.08),
            ],
            (0.03, 0.016, 0.013, 0.01),
            leg,
        )
    )
    return DrawnObject(
        (Flesh((*body, *named("legs", legs)), Coat(hair=0.5, cells=38), 0.025), *marks),
        turned(rng.uniform(-30, 45), rng.uniform(2, 12), rng.uniform(-6, 12), bool(rng.integers(2))),
        ("lawn", "reeds", "moss", "glade"),
        rng.uniform(0.68, 0.86),
        rng.uniform(0.66, 0.8),
    )


def _ratite(rng: Rng, back: Color, wing: Color, breast: Color) -> DrawnObject:
    down, skin = pick(rng, "3a322c", "5f5347", "4a4038"), pick(rng, "b59a85", "8a8f98", "a8897a")
    body = [
        Cone((-0.28, 0.0, 0), (0.12, 0.0, 0), 0.18, 0.2, down),
        Cone((-0.34, -0.04, 0), (-0.5, -0.16, 0), 0.15, 0.07, down),
        *named(
            "neck",
            chain(
                [(0.2, 0.06, 0), (0.36, 0.18, 0), (0.38, 0.42, 0), (0.42, 0.62, 0)],
                (0.14, 0.06, 0.045, 0.045),
                down,
                skin,
            ),
        ),
        *named("head", [Cone((0.42, 0.65, 0), (0.47, 0.65, 0), 0.07, 0.055, skin)]),
        *named("head/beak", [Cone((0.5, 0.64, 0), (0.6, 0.615, 0), 0.035, 0.018, rgb("8a7358"))]),
        *named(
            "legs",
            both(
                lambda s: chain(
                    [
                        (-0.05, -0.1, s * 0.1),
                        (0.06, -0.36, s * 0.1),
                        (-0.04, -0.58, s * 0.1),
                        (0.02, -0.84, s * 0.1),
                        (0.1, -0.86, s * 0.1),
                    ],
                    (0.12, 0.055, 0.04, 0.026, 0.022),
                    down,
                    skin,
                )
            ),
        ),
    ]
    eyes = [eye((0.46, 0.67, s * 0.052), 0.017, rgb("3a2312"), 0.7, (0.3, 0.1, s)) for s in (1.0, -1.0)]
    return DrawnObject(
        (Flesh(tuple(rest_named("body", body)), Coat(hair=1.3, cells=30), 0.025), *all_named("head", eyes)),
        turned(rng.uniform(-30, 50), rng.uniform(2, 8), 0, bool(rng.integers(2))),
        ("glade", "lawn", "drygrass", "lawn"),
        0.85,
        rng.uniform(0.84, 0.96),
    )


def _duck(rng: Rng, back: Color, wing: Color, breast: Color) -> DrawnObject:
    head, beak = pick(rng, "234a38", "6a553f", "e9e6df", "2b2724"), pick(rng, "c98f2b", "c96a2b", "5a564f")
    body = [
        Cone((-0.32, 0.0, 0), (0.1, -0.02, 0), 0.14, 0.185, back),
        ball((0.16, -0.02, 0), 0.17, breast),
        *named("tail", [Cone((-0.4, 0.05, 0), (-0.58, 0.1, 0), 0.08, 0.02, wing)]),
        *named(
            "wings",
            both(
                lambda s: chain(
                    [(0.08, 0.05, s * 0.13), (-0.2, 0.06, s * 0.13), (-0.46, 0.08, s * 0.05)],
                    (0.09, 0.09, 0.02),
                    wing,
                )
            ),
        ),
        *named(
            "neck",
            chain([(0.22, 0.04, 0), (0.28, 0.2, 0), (0.3, 0.32, 0)], (0.11, 0.07, 0.075), breast, head),
        ),
        *named("head", [ball((0.33, 0.34, 0), 0.098, head)]),
    ]
    eyes = [eye((0.37, 0.365, s * 0.078), 0.018, BLACK, 0.7, (0.4, 0.1, s)) for s in (1.0, -1.0)]
    bill = Flesh(
        (Cone((0.41, 0.32, 0), (0.53, 0.285, 0), 0.038, 0.026, beak),), Coat(hair=0, gloss=0.2), 0.01
    )
    marks = [*all_named("head", eyes), *all_named("head/beak", [bill])]
    return DrawnObject(
        (Flesh(tuple(rest_named("body", body)), Coat(hair=0.5, cells=34), 0.025), *marks),
        turned(rng.uniform(-35, 45), rng.uniform(3, 12), 0, bool(rng.integers(2))),
        ("pond",),
        rng.uniform(0.78, 0.95),
        0.72,
        (0.5, 0.52),
        "floats",
    )


def _flying(rng: Rng, back: Color, wing: Color, breast: Color) -> DrawnObject:
    lift = rng.uniform(0.5, 1.3)
    body = [
        *chain([(-0.3, 0, 0), (0.0, 0, 0), (0.2, 0.02, 0), (0.3, 0.05, 0)], (0.04, 0.1, 0.085, 0.07), breast),
        *named("head", [ball((0.33, 0.06, 0), 0.07, back)]),
        *named("head/beak", [Cone((0.38, 0.055, 0), (0.5, 0.04, 0), 0.03, 0.008, rgb("c9932b"))]),
        *named(
            "tail",
            [Cone((-0.28, 0, 0), (-0.5, 0.01, d), 0.04, 0.02, wing) for d in (-0.09, -0.03, 0.03, 0.09)],
        ),
    ]

    def feathers(s: float) -> list[Cone]:
        line = spline(
            [
                (0.12, 0.03, s * 0.06),
                (0.16, 0.03 + 0.18 * lift, s * 0.35),
                (0.02, 0.03 + 0.2 * lift, s * 0.7),
                (-0.14, 0.22 * lift, s * 0.95),
            ],
            3,
        )
        arm = chain(line.tolist(), np.linspace(0.05, 0.018, len(line)).tolist(), back)
        return arm + [
            Cone(
                tuple(p),
                (p[0] - 0.24 + 0.08 * i / len(line), p[1] - 0.02, p[2] + s * 0.07),
                0.045,
                0.022,
                wing,
            )
            for i, p in enumerate(line.tolist())
        ]

    return DrawnObject(
        (
            Flesh(
                (*rest_named("body", body), *named("wings", both(feathers))), Coat(hair=0.4, cells=34), 0.015
            ),
        ),
        turned(
            rng.uniform(-30, 40),
            float(rng.choice([rng.uniform(20, 45), rng.uniform(-45, -20)])),
            rng.uniform(-15, 20),
            bool(rng.integers(2)),
        ),
        ("thicket", "lake", "sky"),
        rng.uniform(0.76, 0.94),
        0.72,
        (0.5, 0.5),
        "flies",
    )
