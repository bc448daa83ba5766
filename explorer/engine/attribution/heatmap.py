"""What an attribution is: a heat map, what each feature map contributes to it, and what both come from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from explorer.engine import notebook
from explorer.engine.values import Floats, Integers, Rows
from model.words import tr


@dataclass(frozen=True, eq=False)
class Heatmap(Rows):
    """One attribution, float32 (h, w): raw, signed (positive supports `target`), at the layer's resolution.

    `layer` is None where the method needs none; the heat map then lies on the pixels of the input. With
    `against`, what is explained is logit `target` minus logit `against`. Both are (N,) for a batch.
    """

    method: str
    layer: str | None
    target: int | Integers
    values: Floats
    against: int | Integers | None = None

    ROW: ClassVar[Mapping[str, int]] = {"values": 2, "target": 0, "against": 0}

    def _repr_html_(self) -> str:
        rows = self.rows()[: notebook.MOST]
        title = self.method
        if self.layer is not None:
            title = tr("{method} at {layer}", method=self.method, layer=self.layer)
        title += notebook.of_images(self.images, len(rows))
        return notebook.section(
            title, notebook.row(notebook.picture(one.values, _asked(one)) for one in rows)
        )


@dataclass(frozen=True, eq=False)
class LayerGradients(Rows):
    """A layer's maps (C, h, w) and the gradients of the score on them, float32: all that a CAM works from.

    The score is logit `target`, minus logit `against` if there is one; both are (N,) for a batch.
    """

    layer: str
    target: int | Integers
    maps: Floats
    gradients: Floats
    against: int | Integers | None = None

    ROW: ClassVar[Mapping[str, int]] = {"maps": 3, "gradients": 3, "target": 0, "against": 0}

    def minus(self, other: "LayerGradients") -> "LayerGradients":
        """Those of the difference of two classes' logits, both for the same images."""
        return replace(self, gradients=self.gradients - other.gradients, against=other.target)


@dataclass(frozen=True, eq=False)
class ChannelEvidence(Rows):
    """What each feature map contributes to Grad-CAM: weights (C,), signed, and maps (C, h, w), both float32.

    A weight is the spatial mean of the score's gradient on that map; (weights · maps).sum(0) is the heat map.
    The score is logit `target`, minus logit `against` if there is one; both are (N,) for a batch.
    """

    layer: str
    target: int | Integers
    weights: Floats
    maps: Floats
    against: int | Integers | None = None

    ROW: ClassVar[Mapping[str, int]] = {"weights": 1, "maps": 3, "target": 0, "against": 0}

    @property
    def contributions(self) -> Floats:
        """Each channel's part (C,) of the heat map's mean: weight times the map's mean. Signed."""
        return np.asarray(self.weights * self.maps.mean((-2, -1)), np.float32)

    @property
    def values(self) -> Floats:
        """The heat map (h, w) that the channels add up to."""
        return np.asarray(np.einsum("...c,...chw->...hw", self.weights, self.maps), np.float32)

    def _repr_html_(self) -> str:
        one = self.row(0)
        order = np.argsort(-np.abs(one.contributions), kind="stable")[: notebook.MOST]
        title = tr(
            "Channels of {layer} with the largest contributions, {score}", layer=self.layer, score=_asked(one)
        )
        pictures = (notebook.picture(one.maps[channel], _term(one, channel)) for channel in order)
        return notebook.section(title + notebook.of_images(self.images, 1), notebook.row(pictures))


def _asked(one: Heatmap | ChannelEvidence) -> str:
    """Which class, or which difference of two, was explained."""
    if one.against is None:
        return tr("class {target}", target=one.target)
    return tr("class {target} minus class {against}", target=one.target, against=one.against)


def _term(one: ChannelEvidence, channel: int) -> str:
    return tr(
        "channel {channel}: {weight:.3g} × {mean:.3g} ≈ {contribution:.3g}",
        channel=channel,
        weight=one.weights[channel],
        mean=one.maps[channel].mean(),
        contribution=one.contributions[channel],
    )
