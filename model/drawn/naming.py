"""The parts that a drawn object consists of, by name: tagged where they are built, looked for, left out.

Every cone and face bears a path such as “head/ears”: it belongs to the ears, which belong to the head, so
that a head is left out together with its ears.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import compress

from model.drawn.brushes import Color
from model.drawn.solids import Coat, Cone, Faces, Flesh, Part, Points
from model.words import N_

Shape = tuple[Points, Color]
Groups = Mapping[str, Sequence[Shape]]

PARTS = (
    N_("antlers"),
    N_("beak"),
    N_("body"),
    N_("cab"),
    N_("cabin"),
    N_("cargo"),
    N_("chassis"),
    N_("cockpit"),
    N_("deckhouse"),
    N_("ears"),
    N_("engines"),
    N_("eyes"),
    N_("front legs"),
    N_("funnel"),
    N_("fuselage"),
    N_("guns"),
    N_("head"),
    N_("hind legs"),
    N_("hull"),
    N_("ladder"),
    N_("legs"),
    N_("lifeboats"),
    N_("lights"),
    N_("mane"),
    N_("masts"),
    N_("missiles"),
    N_("muzzle"),
    N_("neck"),
    N_("propeller"),
    N_("rear body"),
    N_("sails"),
    N_("tail"),
    N_("wheels"),
    N_("windows"),
    N_("wings"),
)
"""Every name that a part can have."""

THIS, OTHER = (0.5, 0.0, 0.0), (0.0, 0.5, 0.0)


def named(name: str, cones: Iterable[Cone]) -> list[Cone]:
    """The cones as the part `name`; those that have a part already belong to it and to that."""
    return [replace(cone, part=f"{name}/{cone.part}" if cone.part else name) for cone in cones]


def rest_named(name: str, cones: Iterable[Cone]) -> list[Cone]:
    """The cones, of which those without a part become the part `name`."""
    return [cone if cone.part else replace(cone, part=name) for cone in cones]


def all_named(name: str, bodies: Iterable[Flesh]) -> list[Flesh]:
    """Soft bodies as the part `name`, as `named` says."""
    return [replace(body, cones=tuple(named(name, body.cones))) for body in bodies]


def parted(groups: Groups) -> tuple[tuple[Shape, ...], tuple[str, ...]]:
    """The shapes of all groups in order, and the part that each belongs to: the first fields of a Faces."""
    pairs = [(shape, name) for name, group in groups.items() for shape in group]
    return tuple(shape for shape, _ in pairs), tuple(name for _, name in pairs)


def part_names(solids: Iterable[Part]) -> tuple[str, ...]:
    """The names of the parts that an object has, in the order of PARTS."""
    present = {name for solid in solids for path in _paths(solid) for name in path.split("/")}
    return tuple(name for name in PARTS if name in present)


def without_parts(solids: Iterable[Part], names: Collection[str]) -> tuple[Part, ...]:
    """As many solids in the same order, of which what belongs to one of the parts is left out."""
    return tuple(
        _solid_without(solid, [not _belongs(path, names) for path in _paths(solid)]) for solid in solids
    )


def marked(solids: Iterable[Part], name: str) -> tuple[Part, ...]:
    """The solids in two plain colors, THIS for what belongs to the part and OTHER for the rest."""
    return tuple(_marked(solid, name) for solid in solids)


def _paths(solid: Part) -> tuple[str, ...]:
    return tuple(cone.part for cone in solid.cones) if isinstance(solid, Flesh) else solid.names


def _belongs(path: str, names: Collection[str]) -> bool:
    return any(name in names for name in path.split("/"))


def _solid_without(solid: Part, keep: Sequence[bool]) -> Part:
    if isinstance(solid, Flesh):
        return replace(solid, cones=tuple(compress(solid.cones, keep)))
    return replace(
        solid, shapes=tuple(compress(solid.shapes, keep)), names=tuple(compress(solid.names, keep))
    )


def _marked(solid: Part, name: str) -> Part:
    colors = [THIS if _belongs(path, (name,)) else OTHER for path in _paths(solid)]
    if isinstance(solid, Flesh):
        cones = tuple(replace(cone, color=color) for cone, color in zip(solid.cones, colors, strict=True))
        return Flesh(cones, Coat(solid.coat.hair, solid.coat.cells), solid.melt)
    shapes = tuple((points, color) for (points, _), color in zip(solid.shapes, colors, strict=True))
    return Faces(shapes, solid.names, one_sided=solid.one_sided, sort=solid.sort, flat=True)
