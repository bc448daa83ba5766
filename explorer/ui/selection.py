"""What the visitor looks at: one checkpoint, one image, one class. Every page starts from it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import sqrt

import numpy as np
import streamlit as st
from torch import nn

from explorer.drawing.pictures import reduced
from explorer.engine import tracing
from explorer.engine.attribution import ChannelEvidence
from explorer.engine.attribution.gradients import NoGradient
from explorer.engine.network import Input, Network
from explorer.engine.places import place_of
from explorer.engine.samples import Sample
from explorer.engine.tracing import Block, Floats, Trace
from explorer.ui import cached
from explorer.ui.cached import Opened
from explorer.ui.class_names import glossed, glossed_all
from model.card import Card, Pixels
from model.pixels import Rectangle
from model.problems import Problem

SHOWN = 448  # squared, pixels: a photo as a PNG of all its pixels takes longer than its explanation


class LayerMaps(Mapping[str, Floats]):
    """Feature maps by layer, computed when asked for: `compute` gives those of a layer, and of others."""

    def __init__(self, layers: Collection[str], compute: Callable[[str], dict[str, Floats]]) -> None:
        self.layers, self.compute = tuple(layers), compute
        self.maps: dict[str, Floats] = {}

    def __getitem__(self, layer: str) -> Floats:
        if layer in self.layers and layer not in self.maps:
            self.maps |= self.compute(layer)
        return self.maps[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)


@dataclass(frozen=True, eq=False)
class Selection:
    """A checkpoint and an image: what the network gets of it, and what one pass shows."""

    opened: Opened
    sample: Sample
    fit: str = "crop"
    chosen: int | None = None

    @property
    def card(self) -> Card:
        return self.opened.card

    @property
    def network(self) -> Network:
        return self.opened.network

    @property
    def net(self) -> nn.Module:
        return self.network.net

    @property
    def independent(self) -> bool:
        """Whether the classes are independent labels, each with a probability of its own."""
        outputs = self.opened.checkup.outputs
        return outputs.independent and not outputs.single

    def gradient_reaches(self, layer: str) -> bool:
        """Whether heat maps and channel evidence of a layer can be computed."""
        return layer not in self.opened.checkup.without_gradient

    def evidence(self, layer: str) -> ChannelEvidence | None:
        """Grad-CAM's channel evidence for the class to explain; None where no gradient reaches the layer."""
        if not self.gradient_reaches(layer):
            return None
        try:
            return cached.evidence(self.network, self.input, layer, self.target)
        except NoGradient:  # one reached it in the check-up, but none does so for this image and class
            return None

    @cached_property
    def shown(self) -> Pixels:
        """The picture no larger than a page shows it, uint8 (h, w, 3): a tall one is as wide as others."""
        height, width = self.sample.pixels.shape[:2]
        return reduced(self.sample.pixels, round(SHOWN * sqrt(max(height, width) / min(height, width))))

    @cached_property
    def framed(self) -> Pixels:
        """The pixels the network gets, uint8 (s, s, 3)."""
        return self.card.framed(self.sample.pixels, self.fit)

    @cached_property
    def received(self) -> Rectangle:
        """The part of the picture that the network gets."""
        height, width = self.sample.pixels.shape[:2]
        return self.card.received(height, width, self.fit)

    def covered(self, layer: str | None) -> Rectangle:
        """The part of the picture that a layer's maps lie on; for None, those of the input's pixels."""
        return self.place(layer).of(self.received, (self.card.input_size, self.card.input_size))

    def place(self, layer: str | None) -> Rectangle:
        """The part of what the network gets that a layer's maps lie on; for None all of it."""
        return place_of(self.net, layer, (self.card.input_size, self.card.input_size))

    @cached_property
    def input(self) -> Input:
        """What the network gets, float32 (1, C, s, s)."""
        return Input(self.card.to_input(self.sample.pixels, self.fit))

    @cached_property
    def seen(self) -> Trace:
        """What one pass shows; many maps are computed when they are asked for, those of a block together."""
        seen = cached.trace(self.network, self.input)
        if seen.maps:
            return seen
        return replace(
            seen, maps=LayerMaps(seen.shapes, partial(cached.block_maps, self.network, self.input))
        )

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return tracing.blocks(self.net, self.seen)

    def check_prediction(self) -> None:
        """Problem where the network predicts nothing for this image."""
        if not np.isfinite(self.seen.logits).all():
            raise Problem(
                "The network returns NaN or infinity for this image, so there is no prediction and nothing "
                "to explain: choose another image or another checkpoint."
            )

    @cached_property
    def predicted(self) -> int:
        return int(self.seen.logits.argmax())

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes as a page writes them; links, files and programs have those of the card."""
        return glossed_all(self.card.classes)

    @property
    def target_name(self) -> str:
        """The class to explain as a page writes it."""
        return glossed(self.card.classes[self.target])

    @property
    def target(self) -> int:
        """The class to explain: the chosen one, or the predicted."""
        return self.predicted if self.chosen is None else self.chosen

    def explaining(self, chosen: int | None) -> "Selection":
        """The same network and image, with what is known of them, and another class to explain."""
        other = replace(self, chosen=chosen)
        vars(other).update(vars(self) | {"chosen": chosen})
        return other


def remember(selection: Selection) -> None:
    """Make the selection this run's, for the page that follows."""
    st.session_state["_selection"] = selection


def current_network() -> Opened | None:
    """The network of this run's selection, for a page without an image; None where none can be opened."""
    selection: Selection | None = st.session_state.get("_selection")
    return None if selection is None else selection.opened


def current() -> Selection:
    """The selection of this run."""
    selection: Selection = st.session_state["_selection"]
    return selection
