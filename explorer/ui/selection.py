"""What the visitor looks at: one checkpoint, one image, one class. Every page starts from it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import streamlit as st
from torch import Tensor, nn

from explorer.engine import tracing
from explorer.engine.ablation import Ablations
from explorer.engine.attribution import ChannelEvidence, Heatmap
from explorer.engine.batchnorm import NormStatistics, NormSummary
from explorer.engine.probe import CellProbe
from explorer.engine.receptive import ReceptiveFields
from explorer.engine.samples import Sample
from explorer.engine.tracing import Block, Floats, Trace, stages
from explorer.ui import cached
from explorer.ui.cached import Opened
from model.checkpoint import Card, Pixels
from model.pixels import Rectangle


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
    """A checkpoint and an image, with the results that pages ask of them, cached."""

    opened: Opened
    sample: Sample
    fit: str = "crop"
    chosen: int | None = None

    @property
    def card(self) -> Card:
        return self.opened.card

    @property
    def net(self) -> nn.Module:
        return self.opened.net

    @cached_property
    def framed(self) -> Pixels:
        """The pixels the network gets, uint8 (s, s, 3)."""
        return self.card.framed(self.sample.pixels, self.fit)

    @cached_property
    def received(self) -> Rectangle:
        """The part of the picture that the network gets."""
        height, width = self.sample.pixels.shape[:2]
        return self.card.received(height, width, self.fit)

    @cached_property
    def x(self) -> Tensor:
        """The network's input, float32 (1, 3, s, s)."""
        return self.card.to_input(self.sample.pixels, self.fit)

    @cached_property
    def keys(self) -> tuple[str, str]:
        """What results depend on: the network with its weights, and the input's digest."""
        return self.opened.key, cached.input_digest(self.x)

    @cached_property
    def seen(self) -> Trace:
        """What one pass shows; maps are computed when they are asked for, those of a block together."""
        structure = cached.traced(*self.keys, self.net, self.x)
        return replace(structure, maps=LayerMaps(structure.shapes, self._maps_with))

    def _maps_with(self, layer: str) -> dict[str, Floats]:
        """The maps of a layer and of the others of its block."""
        layers = [tuple(stages(block, self.seen).values()) for block in self.blocks]
        together = next((names for names in layers if layer in names), (layer,))
        return cached.layer_maps(*self.keys, together, self.net, self.x)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return tracing.blocks(self.net, self.seen)

    @property
    def predicted(self) -> int:
        return int(self.seen.logits.argmax())

    @property
    def target(self) -> int:
        """The class to explain: the chosen one, or the predicted."""
        return self.predicted if self.chosen is None else self.chosen

    def heat_maps(
        self, method: str, layers: tuple[str, ...], target: int | None = None, against: int | None = None
    ) -> dict[str, Heatmap]:
        """A method's heat map at each of these layers for the class to explain, or another."""
        target = self.target if target is None else target
        return cached.heat_maps(*self.keys, method, layers, target, against, self.net, self.x)

    def evidence(
        self, layers: tuple[str, ...], target: int | None = None, against: int | None = None
    ) -> dict[str, ChannelEvidence]:
        """Grad-CAM's channel evidence at these layers for the class to explain, or another."""
        target = self.target if target is None else target
        return cached.evidence(*self.keys, layers, target, against, self.net, self.x)

    def norm_statistics(self, layer: str) -> NormStatistics:
        return cached.norm_statistics(*self.keys, layer, self.net, self.x)

    def norm_summary(self, layer: str) -> NormSummary:
        return cached.norm_summary(*self.keys, layer, self.net, self.x)

    def ablation(self, layer: str, channel: int) -> Ablations:
        """The logits with one channel of a layer switched off."""
        return cached.ablation_of(*self.keys, layer, channel, self.net, self.x)

    def probe(self, block: Block, channel: int, row: int, column: int) -> CellProbe:
        """How one cell of a block's convolution comes about. ValueError as the engine's."""
        return cached.cell_probe(*self.keys, block.name, channel, row, column, self.net, self.x, block)

    def receptive_fields(self) -> dict[str, ReceptiveFields]:
        """What every layer's cells look at, by layer."""
        return cached.receptive_fields(self.keys[0], tuple(self.x.shape), self.net, self.x)


def remember(selection: Selection) -> None:
    """Make the selection this run's, for the page that follows."""
    st.session_state["_selection"] = selection


def current() -> Selection:
    """The selection of this run."""
    selection: Selection = st.session_state["_selection"]
    return selection
