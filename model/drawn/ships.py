"""The ship: freighters, liners, warships, sailing and motor boats, about two units long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.drawn.bodies import DrawnObject
from model.drawn.brushes import (
    Color,
    Rng,
    mix,
    pick,
    rgb,
    spline,
)
from model.drawn.meshes import (
    CHROME,
    DARK,
    GLASS,
    Face,
    box,
    disc,
    extruded,
    face,
    mirrored,
    panel,
    rect,
)
from model.drawn.naming import parted
from model.drawn.solids import (
    Faces,
    Part,
    turned,
)


def _hull(
    long: float, wide: float, deck: float, bow: float, paint: Color, boot: Color, trim: Color
) -> list[Face]:
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
    return [
        *mirrored(side),
        face(stern, paint, (-1, 0, 0)),
        face(plank, mix(rgb("9a8a72"), trim, 0.3), (0, 1, 0)),
    ]


@dataclass(frozen=True)
class Deckhouse:
    """A block on deck with rows of windows, one a deck."""

    x: tuple[float, float]
    y: tuple[float, float]
    z: float
    color: Color
    rows: int = 1

    def walls(self) -> list[Face]:
        return box(self.x, self.y, (-self.z, self.z), self.color)

    def windows(self) -> list[Face]:
        high = (self.y[1] - self.y[0]) / self.rows
        lows = [self.y[0] + high * (row + 0.4) for row in range(self.rows)]
        lefts = np.arange(self.x[0] + 0.03, self.x[1] - 0.04, 0.05).tolist()
        tone, z = rgb("2f3f50"), self.z + 0.002
        return mirrored(
            [panel(rect((a, a + 0.026), (low, low + high * 0.34)), z, tone) for low in lows for a in lefts]
        )


def _built(*houses: Deckhouse) -> tuple[list[Face], list[Face]]:
    """The walls of deckhouses, and their windows, which are painted after."""
    return [f for h in houses for f in h.walls()], [f for h in houses for f in h.windows()]


def _mast(
    x: float, y: tuple[float, float], thick: float = 0.012, color: Color = (0.75, 0.75, 0.74)
) -> list[Face]:
    return box((x - thick, x + thick), y, (-thick, thick), color)


def ship(rng: Rng) -> DrawnObject:
    kind = str(
        rng.choice(
            ["cargo", "liner", "warship", "sail", "boat", "tall"], p=[0.26, 0.2, 0.16, 0.14, 0.14, 0.1]
        )
    )
    parts = {
        "cargo": _cargo,
        "liner": _cruise,
        "warship": _warship,
        "sail": _sailboat,
        "boat": _motorboat,
        "tall": _tall_ship,
    }[kind](rng)
    yaw = float(rng.choice([rng.uniform(-18, 22), rng.uniform(20, 48)], p=[0.6, 0.4]))
    place = ("sea", "sea", "harbour") if kind in ("cargo", "liner", "tall") else ("sea", "sea", "lake")
    return DrawnObject(
        parts,
        turned(yaw, rng.uniform(2, 8), rng.uniform(-1.5, 1.5), bool(rng.integers(2))),
        place,
        rng.uniform(0.82, 0.98),
        0.74,
        (0.5, rng.uniform(0.48, 0.56)),
        "sails",
        0.12,
    )


def _cargo(rng: Rng) -> tuple[Part, ...]:
    paint, boot = pick(rng, "1f3f6e", "26272a", "8a2a22", "2f5f4a", "5a6068"), pick(rng, "8a2a22", "6a2420")
    hull = _hull(1.0, 0.17, 0.2, 0.1, paint, boot, mix(paint, (1, 1, 1), 0.4))
    house, panes = _built(Deckhouse((-0.86, -0.62), (0.2, 0.52), 0.14, rgb("eeeee9"), 4))
    house += box((-0.88, -0.76), (0.52, 0.62), (-0.05, 0.05), paint) + _mast(-0.66, (0.52, 0.68))
    load: list[Face] = []
    if rng.random() < 0.7:
        for x in np.arange(-0.52, 0.62, 0.17):
            for level in range(int(rng.integers(1, 4))):
                load += box(
                    (x, x + 0.15),
                    (0.2 + level * 0.075, 0.27 + level * 0.075),
                    (-0.14, 0.14),
                    pick(rng, "a8452f", "2f5f8a", "c9953f", "7d8288", "3f7a5f", "d9d6cc", "8a3f45"),
                )
    else:
        for x in (-0.3, 0.1, 0.45):
            load += box((x - 0.12, x + 0.12), (0.2, 0.25), (-0.11, 0.11), rgb("8a6a52")) + _mast(
                x + 0.16, (0.2, 0.5), 0.016, rgb("d9c68a")
            )
    groups = {"hull": hull, "deckhouse": house, "cargo": load, "masts": _mast(0.86, (0.28, 0.46))}
    return (Faces(*parted(groups)), Faces(*parted({"deckhouse": panes})))


def _cruise(rng: Rng) -> tuple[Part, ...]:
    paint, funnel = (
        pick(rng, "f2f2ee", "f2f2ee", "26456e", "2a2c30"),
        pick(rng, "b3261e", "1f3f8a", "e0a51f", "26272a"),
    )
    hull = _hull(1.0, 0.17, 0.17, 0.08, paint, pick(rng, "8a2a22", "2f4f6e"), rgb("f2f2ee"))
    decks = int(rng.integers(2, 5))
    top = 0.25 + 0.08 * decks
    house, panes = _built(
        Deckhouse((-0.86, 0.58), (0.17, top - 0.08), 0.14, rgb("f4f3ee"), decks),
        Deckhouse((-0.7, 0.42), (top - 0.08, top), 0.11, rgb("f4f3ee")),
    )
    stack = box((-0.46, -0.28), (top, top + 0.14), (-0.05, 0.05), funnel)
    ports = mirrored([disc(x, 0.115, 0.166, 0.011, rgb("2f3f50"), 8) for x in np.arange(-0.8, 0.45, 0.08)])
    boats = mirrored(
        [panel(rect((x, x + 0.12), (0.2, 0.24)), 0.15, rgb("e0842f")) for x in np.arange(-0.6, 0.4, 0.22)]
    )
    mast = _mast(0.3, (top, top + 0.16))
    return (
        Faces(*parted({"hull": hull, "deckhouse": house, "funnel": stack, "masts": mast})),
        Faces(*parted({"deckhouse": panes, "hull": ports, "deckhouse/lifeboats": boats}), sort=False),
    )


def _warship(rng: Rng) -> tuple[Part, ...]:
    gray = pick(rng, "7d868e", "6a737b", "8f979d")
    light = mix(gray, (1, 1, 1), 0.15)
    hull = _hull(1.0, 0.12, 0.14, 0.1, gray, DARK, light)
    house, panes = _built(
        Deckhouse((-0.5, 0.3), (0.14, 0.26), 0.095, light),
        Deckhouse((-0.05, 0.28), (0.26, 0.38), 0.08, light),
    )
    house += box((-0.4, -0.2), (0.26, 0.4), (-0.06, 0.06), light)
    guns = [
        f
        for x in (0.46, -0.66)
        for f in [
            *box((x, x + 0.12), (0.14, 0.21), (-0.05, 0.05), gray),
            *box((x + 0.12, x + 0.28), (0.18, 0.195), (-0.01, 0.01), DARK),
        ]
    ]
    masts = (
        _mast(0.08, (0.38, 0.74), 0.018, gray)
        + box((0.0, 0.16), (0.56, 0.58), (-0.09, 0.09), gray)
        + _mast(-0.3, (0.4, 0.62), 0.014, gray)
    )
    groups = {"hull": hull, "deckhouse": house, "guns": guns, "masts": masts}
    return (Faces(*parted(groups)), Faces(*parted({"deckhouse": panes})))


def _sailboat(rng: Rng) -> tuple[Part, ...]:
    paint, sail = (
        pick(rng, "f2f2ee", "1f3f6e", "8a2a22", "2a2c30", "f2f2ee"),
        pick(rng, "f4f2ea", "f4f2ea", "e9dcc0", "c94a3a"),
    )
    hull = _hull(0.62, 0.12, 0.11, 0.05, paint, mix(paint, DARK, 0.4), rgb("f2f2ee"))
    cabin, panes = _built(Deckhouse((-0.25, 0.15), (0.11, 0.17), 0.07, rgb("f2f0e8")))
    bulge = spline([(0.02, 1.5, 0), (-0.3, 0.8, 0.05), (-0.58, 0.26, 0.06)], 4)
    main = np.concatenate([bulge, [(0.02, 0.26, 0.0)]])
    jib = np.concatenate(
        [spline([(0.06, 1.3, 0), (0.1, 0.7, 0.06), (0.08, 0.2, 0.06)], 4), [(0.62, 0.17, 0.0)]]
    )
    seams = [
        face(
            [
                (0.02 - 0.6 * t, 1.5 - 1.24 * t, 0.07),
                (0.02, 1.5 - 1.24 * t - 0.02, 0.03),
                (0.02, 1.5 - 1.24 * t, 0.03),
            ],
            mix(sail, DARK, 0.15),
            (0, 0, 1),
        )
        for t in (0.3, 0.5, 0.7)
    ]
    sails = [(jib, mix(sail, (0.8, 0.85, 0.95), 0.25)), (main, sail), *seams]
    return (
        Faces(*parted({"hull": hull, "deckhouse": cabin})),
        Faces(*parted({"deckhouse": panes})),
        Faces(*parted({"sails": sails}), one_sided=False, sort=False),
        Faces(*parted({"masts": _mast(0.04, (0.12, 1.54), 0.012, rgb("8a7a66"))})),
    )


def _motorboat(rng: Rng) -> tuple[Part, ...]:
    paint = pick(rng, "f2f2ee", "f2f2ee", "b3261e", "1f3f8a", "2f6f6a")
    hull = _hull(0.8, 0.2, 0.2, 0.14, paint, pick(rng, "1f3f6e", "8a2a22", "26272a"), rgb("f2f2ee"))
    house = extruded(
        [(-0.4, 0.2), (-0.34, 0.42), (0.12, 0.42), (0.34, 0.22)],
        [(-0.13, 0.95, 1), (0.13, 0.95, 1)],
        rgb("f4f3ee"),
        (-0.1, 0.3),
    )
    panes = mirrored(
        [
            panel([(-0.32, 0.28), (-0.3, 0.38), (-0.1, 0.38), (-0.1, 0.28)], 0.134, GLASS),
            panel([(-0.06, 0.28), (-0.06, 0.38), (0.1, 0.38), (0.2, 0.28)], 0.134, GLASS),
        ]
    )
    screen = [
        face([(0.15, 0.4, -0.11), (0.15, 0.4, 0.11), (0.3, 0.26, 0.11), (0.3, 0.26, -0.11)], GLASS, (1, 1, 0))
    ]
    rail = mirrored([panel([(0.3, 0.3), (0.86, 0.42), (0.86, 0.43), (0.3, 0.31)], 0.06, CHROME)])
    mast = _mast(-0.2, (0.42, 0.68), 0.01)
    return (
        Faces(*parted({"hull": hull, "deckhouse": house, "masts": mast})),
        Faces(*parted({"deckhouse/windows": screen + panes, "hull": rail})),
    )


def _tall_ship(rng: Rng) -> tuple[Part, ...]:
    paint, cloth = pick(rng, "3a2a20", "26272a", "f2f2ee", "5a3a26"), pick(rng, "ece4d0", "f4f2ea")
    hull = _hull(0.9, 0.14, 0.17, 0.1, paint, mix(paint, DARK, 0.5), pick(rng, "d9b45a", "f2f2ee"))
    sails: list[Face] = []
    masts: list[Face] = [
        face(
            [(0.9, 0.26, 0.01), (1.3, 0.42, 0.005), (1.3, 0.43, 0.005), (0.9, 0.29, 0.01)],
            rgb("6a4a32"),
            (0, 0, 1),
        )
    ]
    for x, high in ((0.5, 0.95), (0.0, 1.08), (-0.5, 0.9)):
        masts += _mast(x, (0.17, high + 0.1), 0.014, rgb("5a4230"))
        for low, up, w in ((0.26, 0.5, 0.24), (0.53, 0.76, 0.2), (0.79, high, 0.15)):
            sails.append(
                (
                    np.array(
                        [
                            (x - w, low, 0.05),
                            (x + w * 0.9, low, 0.05),
                            (x + w * 0.8, up, 0.03),
                            (x - w * 0.85, up, 0.03),
                        ]
                    ),
                    mix(cloth, DARK, float(rng.uniform(0, 0.12))),
                )
            )
    jib = (np.array([(0.62, 0.34, 0.0), (1.22, 0.42, 0.0), (0.56, 0.9, 0.0)]), mix(cloth, DARK, 0.06))
    return (
        Faces(*parted({"hull": hull, "masts": masts}), one_sided=False),
        Faces(*parted({"sails": [jib, *sails]}), one_sided=False, sort=False),
    )
