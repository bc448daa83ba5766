"""Maps that no network was asked for: what a heat map has to be better than."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from explorer.engine.attribution import Heatmap
from explorer.engine.scores.score import Masks
from explorer.engine.values import Doubles
from model.words import N_

SIGMA = 0.25  # of the centered Gaussian, as a fraction of the image's side


@dataclass(frozen=True)
class Reference:
    """A map made without the network.

    `summary`, a whole sentence marked with `N_`, is what it is. `make(size, mask, seed)` gives it, float64
    (h, w) of `size`; a mask, bool (h, w), is True on the object.
    """

    title: str
    summary: str
    make: Callable[[tuple[int, int], Masks | None, int], Doubles]
    needs_mask: bool = False

    def heat(self, size: tuple[int, int], target: int, mask: Masks | None = None, seed: int = 0) -> Heatmap:
        """The map as a Heatmap for a class, float32 (h, w)."""
        return Heatmap(self.title, None, target, self.make(size, mask, seed).astype(np.float32))


def random_map(size: tuple[int, int], mask: Masks | None, seed: int) -> Doubles:
    """Independent normal values about zero: as much against the class as for it."""
    return np.random.default_rng(seed).standard_normal(size)


def centered(size: tuple[int, int], mask: Masks | None, seed: int) -> Doubles:
    """A Gaussian in the middle of the image, the same for every image."""
    rows, columns = (((np.arange(side) + 0.5) / side - 0.5) / SIGMA for side in size)
    return np.asarray(np.exp(-(rows[:, None] ** 2 + columns**2) / 2))


def area(size: tuple[int, int], mask: Masks | None, seed: int) -> Doubles:
    """1 on the object and 0 elsewhere; ValueError without a mask."""
    if mask is None or mask.shape != size:
        raise ValueError(f"The object's area needs a mask of the object, bool {size}.")
    return mask.astype(np.float64)


REFERENCES: dict[str, Reference] = {
    "random": Reference(
        title=N_("Random map"),
        summary=N_("Every pixel has a random value, positive or negative."),
        make=random_map,
    ),
    "gaussian": Reference(
        title=N_("Centered Gaussian"),
        summary=N_("A smooth spot in the middle, the same for every image."),
        make=centered,
    ),
    "area": Reference(
        title=N_("Object area"),
        summary=N_("1 on the object and 0 elsewhere: each part counts by its size alone."),
        make=area,
        needs_mask=True,
    ),
}
