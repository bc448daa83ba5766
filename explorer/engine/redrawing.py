"""Drawn scenes drawn again without a part: what that part really does to every logit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from explorer.engine.network import Network
from explorer.engine.passes import in_faster_order, private_view, to_numpy
from explorer.engine.values import Doubles, Floats, Value
from model import scenes
from model.card import Pixels
from model.nets import check_logits
from model.words import N_

OBJECT, BACKGROUND = N_("object"), N_("background")
"""What can be left out besides the object's parts."""

MATTERS = 0.05
"""What lowers a logit by less than this fraction of the largest change does not matter to it."""


@dataclass(frozen=True, eq=False)
class Redrawing(Value):
    """A drawn scene, and what a network makes of it without each of P things: its parts, object, background.

    `parts` names them, the object and the background last. `picture` uint8 (s,s,3) is the scene as the
    network gets it, `pictures` (P,s,s,3) the scene without each; `masks` bool (P,s,s) is True wherever they
    differ.
    `logits` float32 (K,) are those of the scene and `without` (P,K) those without each.
    """

    label: int
    seed: int
    parts: tuple[str, ...]
    picture: Pixels
    pictures: Pixels
    masks: npt.NDArray[np.bool_]
    logits: Floats
    without: Floats

    @property
    def object_mask(self) -> npt.NDArray[np.bool_]:
        """True (s,s) wherever the picture differs without the object."""
        return np.asarray(self.masks[self.parts.index(OBJECT)])

    @property
    def own_parts(self) -> npt.NDArray[np.int64]:
        """The indices of the object's parts, so without the object and the background, ascending."""
        return np.flatnonzero([name not in (OBJECT, BACKGROUND) for name in self.parts])

    def effects(self, target: int, against: int | None = None) -> Doubles:
        """How much the target's logit falls without each, float64 (P,); a negative one is a rise.

        With `against`, how much the difference to that class's logit falls.
        """
        all_logits = np.concatenate([self.logits[None], self.without]).astype(np.float64)
        scores = all_logits[:, target] - (0 if against is None else all_logits[:, against])
        return np.asarray(scores[0] - scores[1:])

    def depends_on_background(self, target: int, against: int | None = None) -> bool:
        """Whether without the background the logit falls by at least 5% of the largest change."""
        effects = self.effects(target, against)
        fall = effects[self.parts.index(BACKGROUND)]
        return bool(fall > 0 and fall >= MATTERS * np.abs(effects).max())


def redraw(network: Network, label: int, seed: int, size: int = 256, fit: str = "crop") -> Redrawing:
    """The Redrawing of a scene, drawn with `size` pixels; all its logits come from one forward pass.

    `label` is one of the drawn classes, whatever classes the network has. A part of which the network gets
    nothing to see is not in it. `fit` as in `Card.framed`. Problem for another label or size.
    """
    drawing = scenes.redrawn(label, seed, size)
    card = network.card
    picture = card.framed(drawing.scene.pixels, fit)
    pictures = np.stack([card.framed(pixels, fit) for pixels in drawing.without])
    masks = (pictures != picture).any(-1)
    indices = np.flatnonzero(
        [mask.any() or name in (OBJECT, BACKGROUND) for name, mask in zip(drawing.parts, masks, strict=True)]
    )
    logits = to_numpy(_logits(network, [drawing.scene.pixels, *drawing.without[indices]], fit))
    return Redrawing(
        label=label,
        seed=seed,
        parts=tuple(drawing.parts[index] for index in indices),
        picture=picture,
        pictures=pictures[indices],
        masks=masks[indices],
        logits=logits[0],
        without=logits[1:],
    )


def _logits(network: Network, pictures: Sequence[Pixels], fit: str) -> Tensor:
    x = network.card.to_inputs(pictures, fit)
    view = private_view(network.net)
    with torch.inference_mode(False), torch.no_grad():
        return check_logits(in_faster_order(view, x))
