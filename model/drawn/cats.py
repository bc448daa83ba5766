"""The cat: portrait, sitting, lying and standing."""

from __future__ import annotations

from model.drawn.bodies import BLACK, WHITE, DrawnObject, Head, ball, both, chain, placed
from model.drawn.brushes import Color, Rng, mix, pick, rgb, tinted
from model.drawn.naming import all_named, named, rest_named
from model.drawn.solids import Coat, Cone, Flesh, turned

CATS = (
    ("94908a", "33302d", "ebe7e0", True),
    ("c98f55", "9a6232", "f4e9d8", True),
    ("252322", "252322", "f4f0ea", False),
    ("252322", "1b1a19", "2e2b29", False),
    ("e8e2d8", "e8e2d8", "f4f0ea", False),
    ("85878c", "5a5c61", "f0eeea", False),
    ("7d756a", "2c2825", "d3c9bb", True),
    ("ddd0bb", "43352b", "ece2d2", False),
    ("a39a8e", "45403b", "f4f0ea", True),
    ("8f9196", "44464a", "d8d8d8", True),
)


def _cat_head(fur: Color, dark: Color, pale: Color, iris: Color) -> Head:
    """A cat's head about the origin, looking along x."""
    pink, snout = rgb("c4877a"), mix(fur, pale, 0.6)
    skull = [
        ball((0, 0, 0), 0.2, fur),
        ball((0.04, 0.075, 0), 0.155, fur),
        Cone((0.15, 0.06, 0), (0.195, -0.045, 0), 0.045, 0.036, mix(fur, pale, 0.25)),
        *both(
            lambda s: [
                ball((0.06, -0.055, s * 0.1), 0.118, fur),
                Cone((0.03, -0.08, s * 0.14), (-0.02, -0.12, s * 0.235), 0.09, 0.018, mix(fur, pale, 0.3)),
            ]
        ),
    ]
    skull += named(
        "ears",
        both(
            lambda s: [
                Cone((-0.02, 0.1, s * z), (-0.03, 0.305, s * 0.185), r, 0.008, fur)
                for z, r in ((0.165, 0.045), (0.07, 0.045), (0.115, 0.055))
            ]
        ),
    )
    muzzle = both(lambda s: [ball((0.165, -0.088, s * 0.042), 0.058, snout)])
    skull += named("muzzle", [*muzzle, ball((0.15, -0.145, 0), 0.046, pale)])
    return skull, [
        *all_named("ears", _cat_inner_ears(mix(pink, dark, 0.4))),
        *_cat_eyes(iris, mix(fur, pale, 0.55)),
        *all_named("muzzle", _cat_mouth(pink, mix(dark, BLACK, 0.6))),
    ]


def _cat_inner_ears(color: Color) -> list[Flesh]:
    return [
        Flesh(
            (Cone((0.035, 0.15, s * 0.128), (0.0, 0.25, s * 0.172), 0.03, 0.006, color),),
            Coat(hair=0.4),
            0.01,
        )
        for s in (1.0, -1.0)
    ]


def _cat_eyes(iris: Color, around: Color) -> list[Flesh]:
    rings = [
        Flesh((ball((0.148, 0.03, s * 0.09), 0.058, around),), Coat(hair=0.6, cells=42), 0.03)
        for s in (1.0, -1.0)
    ]
    return rings + all_named("eyes", [_cat_eye(s, iris) for s in (1.0, -1.0)])


def _cat_mouth(pink: Color, line: Color) -> list[Flesh]:
    """The nose, the mouth and the whiskers."""
    marks = [
        Flesh(
            (
                Cone((0.222, -0.05, 0.014), (0.222, -0.05, -0.014), 0.017, 0.017, pink),
                ball((0.224, -0.068, 0), 0.012, pink),
            ),
            Coat(hair=0, gloss=0.15),
            0.006,
        ),
        Flesh(
            tuple(
                Cone((0.222, -0.08, 0), (0.195, -0.125, s * 0.04), 0.006, 0.004, line) for s in (1.0, -1.0)
            ),
            Coat(hair=0),
            0.002,
        ),
    ]
    hairs = both(
        lambda s: [
            Cone(
                (0.205, -0.085 - d * 0.02, s * 0.06),
                (0.13, -0.07 - d * 0.06, s * 0.33),
                0.003,
                0.001,
                rgb("f2efe9"),
            )
            for d in (-0.5, 0.4, 1.2)
        ]
    )
    return [*marks, Flesh(tuple(hairs), Coat(hair=0), 0.001)]


def _cat_eye(s: float, iris: Color) -> Flesh:
    x, y, z = 0.172, 0.032, 0.086
    cones = (
        Cone((x - 0.014, y, s * (z - 0.012)), (x - 0.014, y + 0.004, s * (z + 0.014)), 0.041, 0.041, BLACK),
        ball((x, y, s * z), 0.04, iris),
        Cone(
            (x + 0.03, y + 0.014, s * (z + 0.003)),
            (x + 0.03, y - 0.014, s * (z + 0.003)),
            0.0155,
            0.0155,
            rgb("080706"),
        ),
        ball((x + 0.036, y + 0.018, s * z + 0.016), 0.0075, (1, 1, 1)),
    )
    return Flesh(cones, Coat(hair=0, gloss=0.35), melt=0.002)


def cat(rng: Rng) -> DrawnObject:
    fur_code, dark_code, pale_code, striped = CATS[rng.integers(len(CATS))]
    fur, dark, pale = tinted(rgb(fur_code), rng), rgb(dark_code), rgb(pale_code)
    iris = pick(rng, "b5a642", "8fa65a", "c98b2b", "7fb0b8")
    head = _cat_head(fur, dark, pale, iris)
    coat = Coat(
        hair=0.9,
        cells=42,
        mottle=0.17,
        belly=pale,
        stripe=dark if striped else None,
        stripes=rng.uniform(7, 11),
        slant=rng.uniform(-0.3, 0.3),
        patch=WHITE if rng.random() < 0.25 else None,
        patch_fraction=0.3,
        patch_cells=3,
    )
    pose = rng.choice(["portrait", "sit", "loaf", "stand"], p=[0.5, 0.22, 0.18, 0.1])
    return {"portrait": _cat_portrait, "sit": _cat_sitting, "loaf": _cat_loaf, "stand": _cat_standing}[pose](
        rng, head, coat, fur, pale
    )


INDOORS = ("room", "sofa", "blanket", "room", "blanket", "floor")


def _cat_portrait(rng: Rng, head: Head, coat: Coat, fur: Color, pale: Color) -> DrawnObject:
    skull, marks = placed(head, (0, 0, 0), rng.uniform(-8, 8), rng.uniform(-25, 25))
    body = [
        Cone((-0.2, -0.2, 0), (-0.22, -0.62, 0), 0.17, 0.27, mix(fur, BLACK, 0.12)),
        ball((-0.06, -0.42, 0), 0.15, mix(fur, pale, 0.6)),
        Cone((-0.22, -0.42, -0.12), (-0.22, -0.42, 0.12), 0.2, 0.2, fur),
        Cone((-0.2, -0.66, -0.14), (-0.2, -0.66, 0.14), 0.24, 0.24, fur),
    ]
    return DrawnObject(
        (Flesh((*rest_named("body", body), *skull), coat, 0.025), *marks),
        turned(90, rng.uniform(-5, 12), rng.uniform(-10, 10), bool(rng.integers(2))),
        INDOORS,
        rng.uniform(0.95, 1.3),
        1.7,
        (rng.uniform(0.42, 0.58), rng.uniform(0.62, 0.78)),
        "cut",
    )


def _cat_sitting(rng: Rng, head: Head, coat: Coat, fur: Color, pale: Color) -> DrawnObject:
    skull, marks = placed(head, (0.15, 0.36, 0), rng.uniform(-8, 8), rng.uniform(-30, 30), 1.2)
    body = [
        Cone((0.08, 0.2, 0), (-0.06, -0.15, 0), 0.15, 0.24, fur),
        ball((-0.10, -0.22, 0), 0.24, fur),
        ball((0.15, 0.1, 0), 0.12, pale),
        *named(
            "legs",
            both(
                lambda s: chain(
                    [(0.14, 0.02, s * 0.09), (0.17, -0.25, s * 0.085), (0.2, -0.43, s * 0.08)],
                    (0.085, 0.06, 0.05),
                    fur,
                    fur,
                )
            ),
        ),
        *named(
            "legs",
            both(
                lambda s: [
                    Cone((0.18, -0.44, s * 0.08), (0.24, -0.45, s * 0.08), 0.045, 0.045, pale),
                    Cone((-0.03, -0.28, s * 0.16), (0.1, -0.43, s * 0.18), 0.15, 0.05, fur),
                ]
            ),
        ),
        *named(
            "tail",
            chain(
                [(-0.3, -0.38, 0), (-0.3, -0.43, 0.22), (-0.05, -0.45, 0.33), (0.15, -0.46, 0.3)],
                (0.05, 0.05, 0.045, 0.03),
                fur,
            ),
        ),
    ]
    return DrawnObject(
        (Flesh((*rest_named("body", body), *skull), coat, 0.03), *marks),
        turned(rng.uniform(50, 95), rng.uniform(2, 14), 0, bool(rng.integers(2))),
        INDOORS,
        rng.uniform(0.85, 1.05),
        rng.uniform(1.1, 1.5),
        (rng.uniform(0.44, 0.56), rng.uniform(0.6, 0.75)),
    )


def _cat_loaf(rng: Rng, head: Head, coat: Coat, fur: Color, pale: Color) -> DrawnObject:
    skull, marks = placed(head, (0.36, 0.18, 0.02), rng.uniform(-8, 8), rng.uniform(20, 60), 1.25)
    body = [
        Cone((-0.3, -0.03, 0), (0.2, 0.0, 0), 0.23, 0.19, fur),
        ball((-0.34, -0.07, 0.06), 0.21, fur),
        *named(
            "legs",
            both(
                lambda s: chain(
                    [(0.2, -0.1, s * 0.12), (0.32, -0.2, s * 0.12), (0.5, -0.21, s * 0.09)],
                    (0.1, 0.065, 0.05),
                    fur,
                    pale,
                )
            ),
        ),
        *named(
            "tail",
            chain([(-0.5, -0.17, 0.05), (-0.45, -0.2, 0.25), (-0.1, -0.2, 0.32)], (0.06, 0.055, 0.035), fur),
        ),
    ]
    return DrawnObject(
        (Flesh((*rest_named("body", body), *skull), coat, 0.03), *marks),
        turned(rng.uniform(5, 60), rng.uniform(8, 20), 0, bool(rng.integers(2))),
        INDOORS,
        rng.uniform(0.9, 1.1),
        0.86,
        (0.5, rng.uniform(0.52, 0.58)),
    )


def _cat_standing(rng: Rng, head: Head, coat: Coat, fur: Color, pale: Color) -> DrawnObject:
    skull, marks = placed(head, (0.48, 0.27, 0.0), rng.uniform(-8, 8), rng.uniform(20, 70), 1.15)
    step = rng.uniform(-0.08, 0.08)
    body = [
        Cone((-0.3, 0.02, 0), (0.28, 0.04, 0), 0.17, 0.16, fur),
        Cone((0.28, 0.08, 0), (0.42, 0.2, 0), 0.13, 0.11, fur),
        *named(
            "legs",
            both(
                lambda s: chain(
                    [
                        (0.3, 0.0, s * 0.08),
                        (0.3 + s * step, -0.22, s * 0.08),
                        (0.3 + s * step, -0.4, s * 0.08),
                        (0.35 + s * step, -0.41, s * 0.08),
                    ],
                    (0.11, 0.06, 0.045, 0.045),
                    fur,
                    fur,
                    pale,
                )
            ),
        ),
        *named(
            "legs",
            both(
                lambda s: chain(
                    [
                        (-0.33, 0.0, s * 0.08),
                        (-0.3 - s * step, -0.17, s * 0.09),
                        (-0.38 - s * step, -0.28, s * 0.09),
                        (-0.34 - s * step, -0.4, s * 0.09),
                        (-0.3 - s * step, -0.41, s * 0.09),
                    ],
                    (0.15, 0.09, 0.05, 0.045, 0.045),
                    fur,
                    fur,
                    fur,
                    pale,
                )
            ),
        ),
        *named(
            "tail",
            chain(
                [(-0.45, 0.08, 0), (-0.6, 0.15, 0), (-0.68, 0.34, 0), (-0.64, 0.52, 0)],
                (0.05, 0.042, 0.04, 0.03),
                fur,
            ),
        ),
    ]
    return DrawnObject(
        (Flesh((*rest_named("body", body), *skull), coat, 0.025), *marks),
        turned(rng.uniform(15, 65), rng.uniform(3, 14), 0, bool(rng.integers(2))),
        INDOORS,
        rng.uniform(0.92, 1.1),
        1.0,
    )
