"""Which values a normalization averages: BatchNorm those of a channel, LayerNorm those of an image.

Also what follows from the place of the pooling: the statistics of one layer before and after it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from explorer.engine.passes import check_images, layer_module, private_view, recorded, to_numpy
from explorer.engine.stage import stage_of
from explorer.engine.tracing import Trace
from explorer.engine.values import Doubles, Floats, Value
from model.problems import Problem

BINS = 32


@dataclass(frozen=True, eq=False)
class NormAxes(Value):
    """What one layer receives of N images: `maps` float32 (N, C) is the mean of each map.

    BatchNorm's mean and standard deviation (biased) are `batch_mean`, `batch_std` (C,), over N, h and w;
    LayerNorm's are `layer_mean`, `layer_std` (N,), over C, h and w. `positions` is h·w.
    """

    maps: Floats
    batch_mean: Floats
    batch_std: Floats
    layer_mean: Floats
    layer_std: Floats
    positions: int


def norm_axes(net: nn.Module, x: Tensor, layer: str) -> NormAxes:
    """The NormAxes of what a layer receives of images x, float (N, C, h, w). Problem if it does not run."""
    maps = received(net, x, layer)
    batch_mean, batch_std = _moments(maps, (0, 2, 3))
    layer_mean, layer_std = _moments(maps, (1, 2, 3))
    return NormAxes(
        to_numpy(maps.mean((2, 3))),
        to_numpy(batch_mean),
        to_numpy(batch_std),
        to_numpy(layer_mean),
        to_numpy(layer_std),
        maps.shape[2] * maps.shape[3],
    )


def received(net: nn.Module, x: Tensor, layer: str) -> Tensor:
    """The maps (N, C, h, w) that a layer receives. Problem if it does not run or receives others."""
    check_images(x)
    inputs: list[Tensor] = []
    recorded(net, x, [layer], lambda _, before, after: inputs.append(before.clone()))
    if inputs[0].ndim != 4:
        raise Problem("Layer {layer} receives no feature maps: choose another layer.", layer=repr(layer))
    return inputs[0].float()


def _moments(values: Tensor, over: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    return values.mean(over), values.var(over, correction=0).sqrt()


# Pooling before or after


@dataclass(frozen=True, eq=False)
class Order(Value):
    """BatchNorm and pooling in one order, with this batch's statistics and the layer's γ and β.

    `measured_mean` and `measured_std` (C,) are BatchNorm's statistics, each of `values` numbers; `mean` and
    `std` (C,) are those of what leaves both. `counts` int64 (BINS,) and `edges` float64 (BINS + 1,) are the
    histogram of that for one channel; the edges are the same in both orders.
    """

    values: int
    measured_mean: Floats
    measured_std: Floats
    mean: Floats
    std: Floats
    counts: npt.NDArray[np.int64]
    edges: Doubles


@dataclass(frozen=True, eq=False)
class Orders(Value):
    """Both orders of a BatchNorm and a pooling; `network` is how this network has it, "" without a pooling.

    `pool` names the pooling layer, "" where none belongs to the layer: then it is a 2×2 maximum. `largest`
    tells whether it takes the largest value, not an average.
    """

    norm_first: Order
    pool_first: Order
    pool: str
    network: str
    largest: bool


def pool_beside(net: nn.Module, seen: Trace, layer: str) -> tuple[str, str]:
    """The pooling before or behind a layer and the order, “pool_first” or “norm_first”; two "" without one.

    Between a layer and the pooling behind it there may be an activation and layers that compute nothing.
    """
    source = seen.inputs[layer].source if layer in seen.inputs else None
    if source and stage_of(layer_module(net, source)) == "pool":
        return source, "pool_first"
    current, passed = layer, {layer}
    for name, read in seen.inputs.items():
        if read.source != current or name in passed:
            continue
        kind = stage_of(layer_module(net, name))
        if kind == "pool":
            return name, "norm_first"
        if kind == "act" or isinstance(layer_module(net, name), nn.Identity | nn.Dropout):
            current, passed = name, {*passed, name}
    return "", ""


def orders(net: nn.Module, x: Tensor, layer: str, channel: int, beside: tuple[str, str]) -> Orders:
    """Both orders for images x, float (N, C, h, w); `beside` is what `pool_beside` gives.

    Raises Problem for maps that the pooling cannot halve.
    """
    pool, network = beside
    maps = received(net, x, pool if network == "pool_first" else layer)
    pooled = _pooling(net, pool)
    if min(maps.shape[2:]) < 2:
        raise Problem("The maps are too small to be pooled: choose another layer.")
    norm = layer_module(net, layer)
    with torch.no_grad():
        before, first = _normalized(norm, maps)
        small = pooled(maps)
        after, second = _normalized(norm, small)
        outputs = pooled(before), after
    edges = _edges([each[:, channel] for each in outputs])
    return Orders(
        _order(maps, first, outputs[0], channel, edges),
        _order(small, second, outputs[1], channel, edges),
        pool,
        network,
        not pool or isinstance(layer_module(net, pool), nn.MaxPool2d | nn.AdaptiveMaxPool2d),
    )


def _pooling(net: nn.Module, pool: str) -> nn.Module:
    return layer_module(private_view(net), pool) if pool else nn.MaxPool2d(2)


def _normalized(norm: nn.Module, maps: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """γ·(x − μ) / √(σ² + ε) + β with the statistics μ, σ of these maps, and these."""
    mean, std = _moments(maps, (0, 2, 3))
    weight, bias = getattr(norm, "weight", None), getattr(norm, "bias", None)
    scaled = (maps - mean[:, None, None]) / (std.square() + float(getattr(norm, "eps", 0.0))).sqrt()[
        :, None, None
    ]
    if isinstance(weight, Tensor):
        scaled = scaled * weight[:, None, None]
    if isinstance(bias, Tensor):
        scaled = scaled + bias[:, None, None]
    return scaled, (mean, std)


def _edges(values: list[Tensor]) -> Doubles:
    low = min(float(each.min()) for each in values)
    high = max(float(each.max()) for each in values)
    margin = max(abs(low), 1.0) * 1e-3 if low == high else 0.0
    return np.linspace(low - margin, high + margin, BINS + 1, dtype=np.float64)


def _order(
    maps: Tensor, measured: tuple[Tensor, Tensor], output: Tensor, channel: int, edges: Doubles
) -> Order:
    counts = np.histogram(to_numpy(output[:, channel]).ravel(), edges)[0].astype(np.int64)
    values = maps.shape[0] * maps.shape[2] * maps.shape[3]
    mean, std = _moments(output, (0, 2, 3))
    arrays = map(to_numpy, (*measured, mean, std))
    return Order(values, next(arrays), next(arrays), next(arrays), next(arrays), counts, edges)
