"""What a few images tell of a network's layers, before all of them are scanned."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine.batchnorm import MAP_NORMS
from explorer.engine.calls import Call
from explorer.engine.independence import pieces
from explorer.engine.passes import layer_module, recording_calls, to_numpy
from explorer.engine.scan.reductions import Affine, Ranges, ranges_of
from explorer.engine.values import Doubles, Floats

CLOSE = 1e-4  # of the range of a layer's values
CHANCE = 1e-3  # of a BatchNorm's values: more zeros than that come of what it reads, as after a ReLU


@dataclass(eq=False)
class _Layer:
    """Of each batch the least and largest value, the mean and the mean square, each (C,); whether a value is
    zero; the largest fraction of zeros in a channel, but for whole maps; whether the layer follows from
    another; and of how many images.
    """

    batches: list[tuple[Tensor, Tensor, Tensor, Tensor]] = field(default_factory=list)
    has_zeros: bool = False
    zeros: float = 0
    affine: Affine | None = None
    images: int = 0


def calibrate(
    net: nn.Module, x: Tensor, layers: Sequence[str], batch: int
) -> tuple[dict[str, Ranges], dict[str, Affine]]:
    """The Ranges of layers by images x, float (N, C, h, w), and those layers that are Affine in another.

    Layers that do not run for every image are left out.
    """
    by_layer = {layer: _Layer() for layer in layers}

    def visit(call: Call) -> None:
        if call.layer not in by_layer or call.layout is None:
            return
        layer, maps = by_layer[call.layer], call.output.float()
        if not layer.batches:
            layer.affine = _affine(net, call, layers)
        fractions = (maps == 0).float().mean((2, 3))
        layer.has_zeros = layer.has_zeros or bool(fractions.any())
        layer.zeros = max(layer.zeros, float(fractions.masked_fill(fractions == 1, 0).mean(0).max()))
        dimensions = (0, 2, 3)
        values = maps.double().mean(dimensions), maps.double().square().mean(dimensions)
        layer.images += len(maps)
        layer.batches.append((maps.amin(dimensions), maps.amax(dimensions), *values))

    view = recording_calls(net, None, visit)
    with torch.inference_mode(False), torch.no_grad():
        for rows in pieces(net, x, batch):
            view(x[rows].clone())
    return _settled({name: layer for name, layer in by_layer.items() if layer.images == len(x)})


def _settled(layers: dict[str, _Layer]) -> tuple[dict[str, Ranges], dict[str, Affine]]:
    ranges: dict[str, Ranges] = {}
    affine: dict[str, Affine] = {}
    for name, layer in layers.items():
        follows = layer.affine
        of_source = ranges.get(follows.source) if follows else None
        derived = follows.ranges(of_source, layer.zeros > CHANCE) if follows and of_source else None
        ranges[name] = derived or _ranges(layer)
        if follows is not None and derived is not None:
            affine[name] = follows
    return ranges, affine


def _ranges(layer: _Layer) -> Ranges:
    low, high, mean, squares = (torch.stack(each).cpu().numpy() for each in zip(*layer.batches, strict=True))
    mean, squares = mean.mean(0), squares.mean(0)
    return ranges_of(low.min(0), high.max(0), mean, squares - mean**2, layer.has_zeros)


def _affine(net: nn.Module, call: Call, layers: Sequence[str]) -> Affine | None:
    """How a BatchNorm with running statistics follows from another layer, where it does so in this call."""
    norm = layer_module(net, call.layer)
    if not isinstance(norm, MAP_NORMS) or norm.running_mean is None or norm.running_var is None:
        return None
    if call.source not in layers or call.received.shape != call.output.shape:
        return None
    slope = _double(norm.weight, 1.0, norm) / np.sqrt(_double(norm.running_var, 1.0, norm) + norm.eps)
    offset = _double(norm.bias, 0.0, norm) - slope * _double(norm.running_mean, 0.0, norm)
    expected = to_numpy(call.received) * slope[:, None, None] + offset[:, None, None]
    given: Floats = to_numpy(call.output)
    is_close = np.abs(expected - given).max() <= CLOSE * max(float(np.ptp(given)), 1e-6)
    return Affine(str(call.source), slope, offset) if is_close else None


def _double(values: Tensor | None, default: float, norm: nn.Module) -> Doubles:
    """A tensor of a norm as float64 (C,), or a constant where it has none."""
    if values is None:
        return np.full(int(norm.num_features), default)  # type: ignore[arg-type]
    return np.asarray(values.detach().cpu().double().numpy())
