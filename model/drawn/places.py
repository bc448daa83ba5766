"""Every place something is drawn in, by name."""

from __future__ import annotations

from collections.abc import Callable

from model.drawn import countryside, near_places, wide_places
from model.drawn.brushes import Rng
from model.drawn.landscape import Place

PLACES: dict[str, Callable[[Rng, int, float], Place]] = {
    "meadow": countryside.meadow,
    "drygrass": countryside.drygrass,
    "snow": countryside.snow,
    "hills": countryside.hills,
    "forest": countryside.forest,
    "glade": countryside.glade,
    "reeds": countryside.reeds,
    "paddock": countryside.paddock,
    "sand": countryside.sand,
    "lawn": countryside.lawn,
    "room": near_places.room,
    "sofa": near_places.sofa,
    "blanket": near_places.blanket,
    "floor": near_places.floor,
    "leaves": near_places.leaves,
    "leaf": near_places.leaf,
    "mud": near_places.mud,
    "moss": near_places.moss,
    "pond": near_places.pond,
    "lake": near_places.lake,
    "branch": near_places.branch,
    "thicket": near_places.thicket,
    "post": near_places.post,
    "foliage": near_places.bush,
    "sky": wide_places.sky,
    "overcast": wide_places.overcast,
    "sea": wide_places.sea,
    "harbour": wide_places.harbour,
    "road": wide_places.road,
    "avenue": wide_places.avenue,
    "street": wide_places.street,
    "parking": wide_places.parking,
    "studio": wide_places.studio,
    "runway": wide_places.runway,
}
