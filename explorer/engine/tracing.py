"""Every feature map of one forward pass, seen without touching the network that is shared."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine import notebook
from explorer.engine.calls import Call
from explorer.engine.independence import pieces
from explorer.engine.outputs import probabilities
from explorer.engine.passes import (
    check_images,
    layer_module,
    layer_path,
    leaf_paths,
    private_view,
    recording_calls,
    to_numpy,
)
from explorer.engine.stage import stage_of
from explorer.engine.values import Floats, Rows, one_or_many
from model.nets import check_logits
from model.words import tr

__all__ = [
    "Block",
    "Floats",
    "LayerInput",
    "Trace",
    "blocks",
    "last_with_positions",
    "layer_module",
    "layer_path",
    "leaf_paths",
    "private_view",
    "stage_of",
    "stages",
    "trace",
]

OPENERS = ("conv", "norm", "act")  # the stages that a block can begin with


@dataclass(frozen=True)
class LayerInput:
    """What one layer read: its shape (C, h, w), and whose output that was.

    `source` is the name of the layer whose output arrived unchanged, "" for the image itself, None for
    anything computed in between (an addition, a concatenation, a functional activation).
    """

    source: str | None
    shape: tuple[int, ...]

    @classmethod
    def of(cls, call: Call) -> Self:
        return cls(call.source, tuple(call.received.shape[1:]))


@dataclass(frozen=True, eq=False)
class Trace(Rows):
    """One forward pass in eval mode: logits (K,), probabilities (K,), and what every layer made of the image.

    `maps` holds the output of each leaf module that gives feature maps, float32 (C, h, w), in execution
    order by module path; a second call of one module is recorded as `path#2`. `inputs` and `shapes`, the
    (C, h, w) of each, have the same keys, also where only some of the maps are kept.
    """

    logits: Floats
    probabilities: Floats
    maps: Mapping[str, Floats]
    inputs: dict[str, LayerInput]
    shapes: dict[str, tuple[int, ...]]

    ROW: ClassVar[Mapping[str, int]] = {"logits": 1, "probabilities": 1, "maps": 3}

    def _repr_html_(self) -> str:
        one = self.row(0)
        best = np.argsort(-one.probabilities, kind="stable")[: notebook.MOST]
        classes = ", ".join(
            tr("class {index}: {probability:.1%}", index=k, probability=one.probabilities[k]) for k in best
        )
        title = tr("Trace{image}: {classes}", image=notebook.of_images(self.images, 1), classes=classes)
        return notebook.section(title, *(_layer_html(layer, maps) for layer, maps in one.maps.items()))


def _layer_html(layer: str, maps: Floats) -> str:
    """The first maps of a layer, (C, h, w), on one color scale."""
    scale, shape = notebook.scale_of(maps), " × ".join(map(str, maps.shape))
    pictures = [
        notebook.picture(one, tr("channel {index}", index=k), scale)
        for k, one in enumerate(maps[: notebook.MOST])
    ]
    title = tr(
        "{layer}, {shape}, shared scale for {range}", layer=layer, shape=shape, range=notebook.extent(maps)
    )
    return notebook.section(title, notebook.row(pictures))


@dataclass(frozen=True)
class Block:
    """The layer names of one block; what it does not have is None. Without a convolution it has a norm or an
    activation.
    """

    conv: str | None
    norm: str | None = None
    act: str | None = None
    pool: str | None = None

    @property
    def name(self) -> str:
        """The layer that it is called by: its convolution, or else its norm or its activation."""
        return self.conv or self.norm or self.act or ""

    @property
    def explained(self) -> str:
        """The layer that its heat maps explain: its activation, or else its norm or its convolution."""
        return self.act or self.norm or self.name


def last_with_positions(layers: Sequence[str], shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The last of some layers whose maps have several positions; without any, the last one."""
    return ([layer for layer in layers if shapes[layer][1:] != (1, 1)] or list(layers))[-1]


def trace(net: nn.Module, x: Tensor, layers: Collection[str] | None = None) -> Trace:
    """The Trace of images x, float (N, C, h, w), with all maps or those of some `layers` only.

    Raises ValueError for any other shape, and for a net whose output is not logits (N, K). The
    probabilities are what `outputs.probabilities` makes of them.
    """
    check_images(x)
    by_layer: dict[str, list[Floats]] = {}
    inputs: dict[str, LayerInput] = {}
    shapes: dict[str, tuple[int, ...]] = {}

    def record(call: Call) -> None:
        if call.layout is None:
            return
        inputs[call.layer] = LayerInput.of(call)
        shapes[call.layer] = tuple(call.output.shape[1:])
        if layers is None or call.layer in layers:
            by_layer.setdefault(call.layer, []).append(to_numpy(call.output))

    view = recording_calls(net, None, record)
    with torch.inference_mode(False), torch.no_grad():
        parts = [check_logits(view(x[rows].detach().clone())) for rows in pieces(net, x, len(x))]
    logits = torch.cat(parts)
    maps = {layer: one[0] if len(one) == 1 else np.concatenate(one) for layer, one in by_layer.items()}
    return trace_of(net, logits, maps, inputs, shapes)


def trace_of(
    net: nn.Module,
    logits: Tensor,
    maps: Mapping[str, Floats],
    inputs: dict[str, LayerInput],
    shapes: dict[str, tuple[int, ...]],
) -> Trace:
    """The Trace of images with these logits (N, K), and maps (N, C, h, w) by layer."""
    values = to_numpy(logits), to_numpy(probabilities(net, logits.detach()))
    return one_or_many(Trace(*values, maps, inputs, shapes))


def input_output(seen: Trace, x: Tensor, layer: str) -> tuple[Floats, Floats] | None:
    """What a layer read of one image x, float (1, C, h, w), and gave, each (C, h, w), from its trace.

    None where the trace does not have both: without the maps, or for what was computed between two layers.
    """
    read = seen.inputs.get(layer)
    if read is None or layer not in seen.maps:
        return None
    received = to_numpy(x[0]) if read.source == "" else seen.maps.get(read.source or "")
    return None if received is None or received.shape != read.shape else (received, seen.maps[layer])


def blocks(net: nn.Module, seen: Trace) -> tuple[Block, ...]:
    """The blocks of any network in execution order, found from what ran and what it read.

    A convolution opens a block. A norm, activation or pooling joins the block whose output it read. After an
    operation that is no module (a skip's addition) it joins the unfinished block of its shape that lies
    nearest in the module tree. A norm or activation that can join none (after a concatenation, as in a
    DenseNet, or in a transformer) opens a block without convolution. Layers of another kind are left out.
    """
    made: list[dict[str, str]] = []
    owner: dict[str, dict[str, str]] = {}
    for name in seen.shapes:
        stage = stage_of(layer_module(net, name))
        block = None if stage == "conv" else _block_to_join(name, stage, made, owner, seen)
        if block is None and stage in OPENERS:
            made.append(block := {})
        if block is not None:
            owner[name] = block
            block.update({stage: name} if stage else {})
    return tuple(Block(**{"conv": None, **block}) for block in made)


def _block_to_join(
    name: str, stage: str | None, made: list[dict[str, str]], owner: dict[str, dict[str, str]], seen: Trace
) -> dict[str, str] | None:
    source = seen.inputs[name].source
    block = owner.get(source) if source is not None else _nearest_open(name, made, seen)
    return block if block is not None and stage not in block and _fits(stage, name, block, seen) else None


def stages(block: Block, seen: Trace) -> dict[str, str]:
    """The stages the block has, {"conv" | "norm" | "act" | "pool": layer name}, in execution order."""
    named = {stage: getattr(block, stage) for stage in ("conv", "norm", "act", "pool")}
    order = list(seen.shapes)
    return dict(sorted(((s, n) for s, n in named.items() if n), key=lambda item: order.index(item[1])))


def _fits(stage: str | None, name: str, block: dict[str, str], seen: Trace) -> bool:
    """Whether the layer keeps the block's shape, or, as a pooling, its channels."""
    made, end = seen.shapes[name], seen.shapes[list(block.values())[-1]]
    return made[0] == end[0] if stage == "pool" else made == end


def _nearest_open(name: str, candidates: list[dict[str, str]], seen: Trace) -> dict[str, str] | None:
    """Of the blocks of this shape whose end no module read: nearest in the tree, then latest."""
    read = {layer_input.source for layer_input in seen.inputs.values()}
    last = [list(block.values())[-1] for block in candidates]
    fits = [
        (-_tree_distance(name, end), index)
        for index, end in enumerate(last)
        if end not in read and seen.shapes[end] == seen.inputs[name].shape
    ]
    return candidates[max(fits)[1]] if fits else None


def _tree_distance(one: str, other: str) -> int:
    """Steps from one layer's parent to the other's in the module tree."""
    parents = one.split(".")[:-1], other.split(".")[:-1]
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*parents, strict=False)))
    return len(parents[0]) + len(parents[1]) - 2 * shared
