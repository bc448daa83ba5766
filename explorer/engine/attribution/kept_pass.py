"""One forward pass of an image, kept with its graph: maps and gradients of layers follow without another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from explorer.engine.attribution.gradients import LogitScore, Pairs, gradients_on
from explorer.engine.calls import Call, version_of
from explorer.engine.layouts import Layout
from explorer.engine.passes import check_images, recording_calls, to_numpy
from explorer.engine.tracing import LayerInput, Trace, trace_of
from explorer.engine.values import Floats
from model.nets import check_logits


class Output(NamedTuple):
    """What a layer gave, as the network went on with it, how it holds maps, and how often it was written."""

    tensor: Tensor
    layout: Layout
    version: int

    @property
    def is_whole(self) -> bool:
        """Whether the network has not written to it since."""
        return not self.tensor.is_inference() and version_of(self.tensor) == self.version


@dataclass(frozen=True, eq=False)
class KeptPass:
    """The pass of one image: its Trace without maps, its logits (1, K) on the graph, what every layer gave.

    It takes up to twice the memory of the feature maps. What is asked of a layer is None where the network
    wrote to its output later; the next pass of the network keeps a copy of that.
    """

    seen: Trace
    logits: Tensor
    outputs: Mapping[str, Output]

    def maps(self, layers: Iterable[str]) -> dict[str, Floats] | None:
        """The feature maps (C, h, w) of layers that ran."""
        outputs = self._outputs(layers)
        if outputs is None:
            return None
        return {layer: to_numpy(each.layout.maps(each.tensor)[0]) for layer, each in outputs.items()}

    def pairs(self, layers: Iterable[str], score: LogitScore) -> Pairs | None:
        """As `maps_and_class_gradients`, from a backward pass for each score."""
        outputs = self._outputs(layers)
        if outputs is None:
            return None
        tensors = {layer: each.tensor for layer, each in outputs.items()}
        pairs = gradients_on(tensors, self.logits, score)
        of = {layer: each.layout.maps for layer, each in outputs.items()}
        return {layer: (of[layer](maps), of[layer](gradients)) for layer, (maps, gradients) in pairs.items()}

    def _outputs(self, layers: Iterable[str]) -> dict[str, Output] | None:
        asked = {layer: self.outputs.get(layer) for layer in layers}
        found = {layer: each for layer, each in asked.items() if each is not None and each.is_whole}
        return found if len(found) == len(asked) else None


# The layers of a network whose outputs it writes to.
_WRITTEN: "WeakKeyDictionary[nn.Module, frozenset[str]]" = WeakKeyDictionary()


def keep_pass(net: nn.Module, x: Tensor) -> KeptPass:
    """The KeptPass of one image x, float (1, C, h, w). Errors as `trace`, and what a network raises where
    gradients are taken.
    """
    check_images(x, one=True)
    inputs: dict[str, LayerInput] = {}
    outputs: dict[str, Output] = {}
    copies: dict[str, Tensor] = {}
    is_first, written = net not in _WRITTEN, _WRITTEN.get(net, frozenset())

    def keep(call: Call) -> Tensor | None:
        if call.layout is None:
            return None
        inputs[call.layer] = LayerInput.of(call)
        outputs[call.layer] = Output(call.handed_on, call.layout, version_of(call.handed_on))
        if is_first:  # what is written by `.data` has no other version
            copies[call.layer] = call.handed_on.detach().clone()
        return call.output.clone() if call.layer in written else None

    view = recording_calls(net, None, keep)
    with torch.inference_mode(False), torch.enable_grad():
        logits = check_logits(view(x.detach().clone().requires_grad_().clone()))
    kept = dict(outputs)  # what a backward pass runs again is not added
    changed = {layer for layer, copy in copies.items() if not torch.equal(copy, kept[layer].tensor)}
    changed |= {layer for layer, each in kept.items() if not each.is_whole}
    _WRITTEN[net] = written | changed
    shapes = {layer: tuple(each.layout.maps(each.tensor).shape[1:]) for layer, each in kept.items()}
    whole = {layer: each for layer, each in kept.items() if layer not in changed}
    return KeptPass(trace_of(net, logits, {}, inputs, shapes), logits, whole)
