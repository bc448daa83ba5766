"""One square of an image covered, to see what the network makes of the rest."""

from dataclasses import dataclass

from torch import Tensor

from explorer.engine.attribution.baseline import BASELINES
from model.card import Card


@dataclass(frozen=True)
class Patch:
    """A square in pixels of the network's input: its top and left end, and its side."""

    top: int
    left: int
    side: int

    def within(self, height: int, width: int) -> "Patch":
        """The patch moved, and made smaller if need be, so that it lies in an image (height, width)."""
        side = max(1, min(self.side, height, width))
        return Patch(max(0, min(self.top, height - side)), max(0, min(self.left, width - side)), side)


def covered(card: Card, x: Tensor, patch: Patch, baseline: str) -> Tensor:
    """Images x, float (N, C, h, w), with the patch taken from an entry of BASELINES; all else to the bit.

    The patch is moved into the image if it is not.
    """
    inside = patch.within(x.shape[2], x.shape[3])
    rows, columns = (slice(start, start + inside.side) for start in (inside.top, inside.left))
    made = x.clone()
    made[:, :, rows, columns] = BASELINES[baseline].images(card, x)[:, :, rows, columns]
    return made
