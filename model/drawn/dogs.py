"""The dog: ten breeds; portrait, sitting and standing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.drawn.bodies import BLACK, WHITE, DrawnObject, Head, ball, both, chain, eye, moved, placed
from model.drawn.brushes import Color, Rng, mix, rgb, tinted
from model.drawn.naming import all_named, named, rest_named
from model.drawn.solids import Coat, Cone, Flesh, turned


@dataclass(frozen=True)
class Breed:
    """The look of a dog: colors, how its ears hang, how long its muzzle and hair are."""

    fur: str
    ear: str
    muzzle: str
    hanging: bool
    snout: float
    hair: float
    patch: str | None = None


BREEDS = (
    Breed("d9b57c", "c99c5f", "e3c698", True, 1.0, 0.7),
    Breed("2a2422", "211c1a", "8a5a34", True, 1.0, 0.5),
    Breed("6b4128", "55311d", "6b4128", True, 1.0, 0.6),
    Breed("f1ece3", "e4ddd0", "f4f0e8", True, 0.8, 1.3),
    Breed("c9a070", "2b211c", "2a201b", True, 0.5, 0.5),
    Breed("e8e0d2", "8a5228", "efe9dd", True, 0.9, 0.6, "9a5e31"),
    Breed("7d5d3c", "2b2320", "2c2421", False, 1.1, 0.8, "2a2320"),
    Breed("6f6e70", "5a595b", "d8d5d0", False, 1.0, 1.0),
    Breed("b8763f", "a2632f", "efe3d2", False, 0.8, 0.9),
    Breed("efe9e0", "1f1a18", "efe9e0", True, 1.0, 0.7, "1f1a18"),
)


def _dog_head(breed: Breed, fur: Color) -> Head:
    """A dog's head about the origin, looking along x."""
    ear, muzzle, n = rgb(breed.ear), rgb(breed.muzzle), breed.snout
    tip = 0.17 + 0.2 * n
    head = [
        ball((0, 0.02, 0), 0.19, fur),
        Cone((0.08, -0.03, 0), (0.16, -0.06, 0), 0.145, 0.12, fur),
        *named(
            "muzzle",
            [
                Cone((0.15, -0.07, 0), (tip - 0.02, -0.085, 0), 0.098, 0.078, muzzle),
                Cone((0.12, -0.13, 0), (tip - 0.06, -0.155, 0), 0.08, 0.048, muzzle),
            ],
        ),
        *both(lambda s: [ball((0.08, 0.09, s * 0.07), 0.09, fur)]),
    ]
    if breed.hanging:
        ears = both(
            lambda s: chain(
                [(-0.02, 0.12, s * 0.15), (0.0, 0.02, s * 0.225), (0.02, -0.17, s * 0.22)],
                (0.05, 0.072, 0.06),
                ear,
            )
        )
    else:
        ears = both(lambda s: [Cone((-0.03, 0.15, s * 0.11), (-0.02, 0.33, s * 0.14), 0.07, 0.015, ear)])
    eyes = [eye((0.168, 0.055, s * 0.078), 0.03, rgb("3a2312"), 0.6, (1, 0.05, s * 0.5)) for s in (1.0, -1.0)]
    return head + named("ears", ears), [
        *all_named("eyes", eyes),
        *all_named("muzzle", _dog_nose(tip, mix(muzzle, BLACK, 0.75))),
    ]


def _dog_nose(tip: float, line: Color) -> list[Flesh]:
    """The nose and the mouth."""
    nose = (
        Cone((tip + 0.045, -0.05, 0.02), (tip + 0.045, -0.05, -0.02), 0.034, 0.034, BLACK),
        ball((tip + 0.045, -0.075, 0), 0.022, BLACK),
    )
    mouth = chain(
        [(tip + 0.035, -0.118, 0), (tip - 0.01, -0.138, 0.04), (tip - 0.1, -0.138, 0.068)],
        (0.008, 0.009, 0.006),
        line,
    )
    return [
        Flesh(nose, Coat(hair=0, gloss=0.45), 0.01),
        Flesh(tuple(mouth + moved(mouth, (0, 0, 0), np.diag([1.0, 1, -1]))), Coat(hair=0), 0.003),
    ]


def _tongue(tip: float) -> Flesh:
    return Flesh(
        (Cone((tip - 0.02, -0.16, 0), (tip + 0.03, -0.25, 0), 0.036, 0.034, rgb("c9606a")),),
        Coat(hair=0, gloss=0.2),
        0.01,
    )


def dog(rng: Rng) -> DrawnObject:
    breed = BREEDS[rng.integers(len(BREEDS))]
    fur = tinted(rgb(breed.fur), rng)
    head = _dog_head(breed, fur)
    if rng.random() < 0.35:
        head[1].extend(all_named("muzzle", [_tongue(0.17 + 0.2 * breed.snout)]))
    patch = None if breed.patch is None else rgb(breed.patch)
    coat = Coat(
        hair=breed.hair,
        cells=36,
        mottle=0.13,
        belly=mix(fur, WHITE, 0.2),
        patch=patch,
        patch_fraction=0.38,
        patch_cells=3,
    )
    pose = rng.choice(["portrait", "sit", "stand"], p=[0.56, 0.26, 0.18])
    return {"portrait": _dog_portrait, "sit": _dog_sitting, "stand": _dog_standing}[pose](
        rng, head, coat, fur
    )


OUTDOORS = ("lawn", "room", "room", "floor", "sofa", "blanket", "glade", "sand")


def _dog_portrait(rng: Rng, head: Head, coat: Coat, fur: Color) -> DrawnObject:
    skull, marks = placed(head, (0, 0, 0), rng.uniform(-12, 8), rng.uniform(-40, 40))
    body = [
        Cone((-0.2, -0.18, 0), (-0.22, -0.6, 0), 0.15, 0.24, mix(fur, BLACK, 0.1)),
        ball((-0.02, -0.48, 0), 0.16, mix(fur, WHITE, 0.2)),
        Cone((-0.22, -0.42, -0.1), (-0.22, -0.42, 0.1), 0.2, 0.2, fur),
        Cone((-0.2, -0.66, -0.14), (-0.2, -0.66, 0.14), 0.24, 0.24, fur),
    ]
    return DrawnObject(
        (Flesh((*rest_named("body", body), *skull), coat, 0.03), *marks),
        turned(90, rng.uniform(-2, 14), rng.uniform(-8, 8), bool(rng.integers(2))),
        OUTDOORS,
        rng.uniform(0.95, 1.25),
        1.6,
        (rng.uniform(0.42, 0.58), rng.uniform(0.6, 0.75)),
        "cut",
    )


def _dog_sitting(rng: Rng, head: Head, coat: Coat, fur: Color) -> DrawnObject:
    skull, marks = placed(head, (0.17, 0.40, 0), rng.uniform(-10, 6), rng.uniform(-30, 30), 1.2)
    pale = mix(fur, WHITE, 0.25)
    body = [
        Cone((0.08, 0.2, 0), (-0.08, -0.15, 0), 0.16, 0.22, fur),
        ball((-0.14, -0.22, 0), 0.23, fur),
        ball((0.13, 0.08, 0), 0.14, pale),
        *named(
            "legs",
            both(
                lambda s: chain(
                    [
                        (0.12, 0.0, s * 0.11),
                        (0.17, -0.25, s * 0.105),
                        (0.19, -0.46, s * 0.105),
                        (0.26, -0.48, s * 0.105),
                    ],
                    (0.1, 0.065, 0.052, 0.05),
                    fur,
                    fur,
                    pale,
                )
            ),
        ),
        *named(
            "legs", both(lambda s: [Cone((-0.08, -0.28, s * 0.17), (0.08, -0.46, s * 0.2), 0.14, 0.06, fur)])
        ),
        *named(
            "tail",
            chain([(-0.3, -0.36, 0), (-0.45, -0.42, 0.1), (-0.55, -0.36, 0.15)], (0.06, 0.05, 0.03), fur),
        ),
    ]
    return DrawnObject(
        (Flesh((*rest_named("body", body), *skull), coat, 0.03), *marks),
        turned(rng.uniform(30, 95), rng.uniform(2, 14), 0, bool(rng.integers(2))),
        OUTDOORS,
        rng.uniform(0.72, 0.92),
        rng.uniform(0.98, 1.15),
        (rng.uniform(0.44, 0.56), 0.55),
    )


def _dog_standing(rng: Rng, head: Head, coat: Coat, fur: Color) -> DrawnObject:
    skull, marks = placed(head, (0.5, 0.33, 0.0), rng.uniform(-10, 8), rng.uniform(15, 70), 1.25)
    step, pale = rng.uniform(-0.1, 0.1), mix(fur, WHITE, 0.2)
    body = [
        Cone((-0.32, 0.02, 0), (0.26, 0.03, 0), 0.17, 0.2, fur),
        Cone((0.28, 0.1, 0), (0.44, 0.26, 0), 0.16, 0.13, fur),
        *named(
            "legs",
            both(
                lambda s: chain(
                    [
                        (0.28, -0.02, s * 0.1),
                        (0.3 + s * step, -0.22, s * 0.1),
                        (0.29 + s * step, -0.38, s * 0.1),
                        (0.35 + s * step, -0.4, s * 0.1),
                    ],
                    (0.14, 0.08, 0.062, 0.06),
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
                        (-0.34, 0.0, s * 0.09),
                        (-0.3 - s * step, -0.18, s * 0.1),
                        (-0.4 - s * step, -0.27, s * 0.1),
                        (-0.37 - s * step, -0.38, s * 0.1),
                        (-0.32 - s * step, -0.4, s * 0.1),
                    ],
                    (0.17, 0.105, 0.064, 0.06, 0.06),
                    fur,
                    fur,
                    fur,
                    pale,
                )
            ),
        ),
        *named("tail", chain([(-0.47, 0.1, 0), (-0.62, 0.2, 0), (-0.72, 0.38, 0)], (0.055, 0.05, 0.03), fur)),
    ]
    return DrawnObject(
        (Flesh((*rest_named("body", body), *skull), coat, 0.03), *marks),
        turned(rng.uniform(20, 70), rng.uniform(2, 12), 0, bool(rng.integers(2))),
        OUTDOORS,
        rng.uniform(0.95, 1.08),
        1.0,
    )
