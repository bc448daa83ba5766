"""The learned statistics of each BatchNorm, and those observed on this input."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.engine.outputs import probabilities
from explorer.engine.passes import check_images, layer_module, private_view, recorded, to_numpy
from explorer.engine.tracing import Trace, input_output
from explorer.engine.values import Doubles, Floats, Value
from model.nets import check_logits
from model.problems import Problem

MAP_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm, nn.BatchNorm1d)  # the last of tokens on a grid
# The layers between a BatchNorm and its ReLU that keep which values are positive.
PASSED = (nn.MaxPool2d, nn.AdaptiveMaxPool2d, nn.Identity, nn.modules.dropout._DropoutNd)
BINS = 32
FAINT = 0.01  # a γ below this is near zero
Stage = Literal["before", "normalized", "after"]


@dataclass(frozen=True, eq=False)
class NormChannels(Value):
    """One BatchNorm on N images. Per channel, float32 (C,): `weight` γ and `bias` β (1 and 0 where the layer
    has none), `running_mean` and `running_var`, and this input's `mean` and `var` (biased, over N, h and w).

    A layer that tracks no statistics normalizes by this input's own: then the running ones repeat them.
    """

    layer: str
    weight: Floats
    bias: Floats
    running_mean: Floats
    running_var: Floats
    eps: float
    mean: Floats
    var: Floats

    @property
    def running_std(self) -> Floats:
        """√(running_var + ε), what the layer divides by, (C,)."""
        return np.asarray(np.sqrt(self.running_var + self.eps), np.float32)

    @property
    def distance(self) -> Floats:
        """This input's mean less the running one, (C,), signed, in running standard deviations."""
        return (self.mean - self.running_mean) / self.running_std

    @property
    def spread(self) -> Floats:
        """This input's standard deviation over the running one, (C,): 1 where they are equal."""
        return np.asarray(np.sqrt(self.var + self.eps) / self.running_std, np.float32)

    @property
    def slope(self) -> Floats:
        """What the layer multiplies by, γ / √(running_var + ε), (C,)."""
        return self.weight / self.running_std

    @property
    def offset(self) -> Floats:
        """What it then adds, β − slope · running_mean, (C,): after = slope · before + offset."""
        return self.bias - self.slope * self.running_mean

    def faint(self, threshold: float = FAINT) -> npt.NDArray[np.bool_]:
        """Channels (C,) with |γ| below the threshold: the output is close to β for any input."""
        return np.asarray(np.abs(self.weight) < threshold)


@dataclass(frozen=True, eq=False)
class NormStatistics(NormChannels):
    """The channels of one BatchNorm with its input and output: `before` and `after`, float32 (N, C, h, w),
    with the leading N also for one image, since `mean` and `var` are taken over all N.

    `tracked` is False for a layer that keeps no running statistics.
    """

    before: Floats
    after: Floats
    tracked: bool = True

    def row(self, index: int) -> "NormStatistics":
        """The statistics of one image of a batch, as of a batch of one. Raises IndexError."""
        before, after = self.before[[index]], self.after[[index]]
        mean, var = before.mean((0, 2, 3)), before.var((0, 2, 3))
        own = {} if self.tracked else {"running_mean": mean, "running_var": var}
        return replace(self, before=before, after=after, mean=mean, var=var, **own)

    def rows(self) -> tuple["NormStatistics", ...]:
        """The statistics of each image, in order."""
        return tuple(self.row(index) for index in range(len(self.before)))

    @property
    def normalized(self) -> Floats:
        """The maps normalized, not yet scaled by γ and shifted by β, (N, C, h, w)."""
        return (self.before - self.running_mean[:, None, None]) / self.running_std[:, None, None]

    @property
    def dead(self) -> npt.NDArray[np.bool_]:
        """Channels (C,) that are nowhere positive on this input: a ReLU after them gives only zeros."""
        return np.asarray(self.after.max((0, 2, 3)) <= 0)


@dataclass(frozen=True, eq=False)
class StageHistogram(Value):
    """One channel's values at a stage of the layer: bins by their `edges`, float64 (BINS + 1,), in the order
    of the counts; `band`, the running mean ± one running σ at this stage; and the `mean` of the values.
    """

    stage: Stage
    edges: Doubles
    band: tuple[float, float]
    mean: float

    @property
    def reach(self) -> tuple[float, float]:
        """The ends of a histogram's x-axis: all values and the whole band, with a small margin."""
        low, high = min(self.edges.min(), self.band[0]), max(self.edges.max(), self.band[1])
        margin = 0.03 * (high - low or 1.0)
        return float(low - margin), float(high + margin)


@dataclass(frozen=True, eq=False)
class NormSummary(NormChannels):
    """The channels of one BatchNorm without its maps, so that its size does not grow with N.

    `counts` int64 (C, BINS) are the positions of its input in equal bins from `low` to `high`, float32 (C,);
    `passing` float32 (C,) is the fraction of its output above zero.
    """

    images: int
    low: Floats
    high: Floats
    counts: npt.NDArray[np.int64]
    passing: Floats
    tracked: bool = True

    @property
    def dead(self) -> npt.NDArray[np.bool_]:
        """Channels (C,) that are nowhere positive on this input: a ReLU after them gives only zeros."""
        return np.asarray(self.passing == 0)

    def edges(self, channel: int) -> Doubles:
        """The borders of one channel's bins before the layer, float64 (BINS + 1,), ascending."""
        return np.linspace(self.low[channel], self.high[channel], BINS + 1, dtype=np.float64)

    def stages(self, channel: int) -> tuple[StageHistogram, StageHistogram, StageHistogram]:
        """One channel's values before the layer, normalized, after γ and β: the same counts, other bins."""
        before, observed = self.edges(channel), float(self.mean[channel])
        mean, std = float(self.running_mean[channel]), float(self.running_std[channel])
        slope, offset = float(self.slope[channel]), float(self.offset[channel])
        gamma, beta = abs(float(self.weight[channel])), float(self.bias[channel])
        return (
            StageHistogram("before", before, (mean - std, mean + std), observed),
            StageHistogram("normalized", (before - mean) / std, (-1.0, 1.0), float(self.distance[channel])),
            StageHistogram(
                "after", before * slope + offset, (beta - gamma, beta + gamma), observed * slope + offset
            ),
        )


@dataclass(frozen=True, eq=False)
class TwoPredictions(Value):
    """Probabilities float32 (N, K) of the same images, normalized by `running` and by `batch` statistics."""

    running: Floats
    batch: Floats

    @property
    def changed(self) -> npt.NDArray[np.bool_]:
        """Images (N,) whose most probable class is not the same."""
        return np.asarray(self.running.argmax(1) != self.batch.argmax(1))

    def correct(self, labels: npt.NDArray[np.int64]) -> tuple[int, int]:
        """How many predictions equal the label (N,), -1 for none: with running, with batch statistics."""
        return int((self.running.argmax(1) == labels).sum()), int((self.batch.argmax(1) == labels).sum())

    @property
    def difference(self) -> Floats:
        """The change in probability, (N,), signed, of the class predicted with running statistics."""
        rows, predicted = np.arange(len(self.running)), self.running.argmax(1)
        return np.asarray(self.batch[rows, predicted] - self.running[rows, predicted])


def statistics(net: nn.Module, x: Tensor, layer: str) -> NormStatistics:
    """The NormStatistics of one BatchNorm layer for images x, float (N, C, h, w).

    Raises Problem for a layer that is not a BatchNorm, ValueError for one that is not in the network or does
    not run.
    """
    return statistics_many(net, x, [layer])[layer]


def statistics_of_trace(net: nn.Module, seen: Trace, x: Tensor, layer: str) -> NormStatistics | None:
    """`statistics` of one image x without another pass, where its trace has all of it; else None."""
    both = input_output(seen, x, layer) if is_batchnorm(net, layer) else None
    if both is None:
        return None
    before, after = (torch.from_numpy(maps)[None] for maps in both)
    return _with_maps(layer, layer_module(net, layer), before, after)


def statistics_many(net: nn.Module, x: Tensor, layers: list[str]) -> dict[str, NormStatistics]:
    """`statistics` of many layers from one forward pass."""
    maps: dict[str, tuple[Tensor, Tensor]] = {}

    def keep(name: str, received: Tensor, output: Tensor) -> None:
        maps[name] = (received.clone(), output.clone())

    _visit(net, x, layers, keep)
    return {layer: _with_maps(layer, layer_module(net, layer), *maps[layer]) for layer in layers}


def summary(net: nn.Module, x: Tensor, layer: str) -> NormSummary:
    """The NormSummary of one BatchNorm layer for images x, float (N, C, h, w). Raises as `statistics`."""
    summaries: list[NormSummary] = []

    def summarize(name: str, received: Tensor, output: Tensor) -> None:
        summaries.append(_summarized(name, layer_module(net, name), received, output))

    _visit(net, x, [layer], summarize)
    return summaries[0]


def _visit(
    net: nn.Module, x: Tensor, layers: list[str], visit: Callable[[str, Tensor, Tensor], None]
) -> None:
    """One forward pass that visits the input and output of BatchNorm layers."""
    check_images(x)
    for layer in layers:
        if not is_batchnorm(net, layer):
            kind = type(layer_module(net, layer)).__name__
            raise Problem(
                "Layer '{layer}' is {kind}, not BatchNorm2d: choose a BatchNorm2d layer.",
                layer=layer,
                kind=kind,
            )
    recorded(net, x, layers, visit)


def is_batchnorm(net: nn.Module, layer: str | None) -> bool:
    """Whether the layer is a BatchNorm of feature maps; False for None, for a block without norm."""
    return layer is not None and isinstance(layer_module(net, layer), MAP_NORMS)


def batchnorms(net: nn.Module, seen: Trace) -> tuple[str, ...]:
    """Every BatchNorm of feature maps that ran, in execution order."""
    return tuple(layer for layer in seen.shapes if is_batchnorm(net, layer))


def relu_behind(net: nn.Module, seen: Trace, layer: str) -> str | None:
    """The ReLU layer that reads this layer's output, if need be max-pooled or after a dropout; or None."""
    for name, read in seen.inputs.items():
        module = layer_module(net, name)
        if read.source != layer:
            continue
        if isinstance(module, nn.ReLU | nn.ReLU6):
            return name
        if isinstance(module, PASSED):
            return relu_behind(net, seen, name)
    return None


def with_batch_statistics(net: nn.Module, x: Tensor) -> TwoPredictions:
    """The same images x, float (N, C, h, w), normalized by running and by their own batch's statistics.

    Dropout stays off and nothing stored is changed. Raises Problem where a channel has one value only.
    """
    check_images(x)
    view, own = private_view(net), private_view(net)
    for module in own.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = None
    with torch.inference_mode(False), torch.no_grad():
        running = probabilities(net, check_logits(view(x.detach().clone())))
        try:
            batch = probabilities(net, check_logits(own(x.detach().clone())))
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise Problem(
                "Batch statistics need more than one value per channel: give more images."
            ) from error
    return TwoPredictions(to_numpy(running), to_numpy(batch))


def _with_maps(layer: str, norm: nn.Module, before: Tensor, after: Tensor) -> NormStatistics:
    learned, tracked = _channels(layer, norm, before)
    return NormStatistics(**learned, before=to_numpy(before), after=to_numpy(after), tracked=tracked)


def _summarized(layer: str, norm: nn.Module, before: Tensor, after: Tensor) -> NormSummary:
    learned, tracked = _channels(layer, norm, before)
    low, high, counts = _histograms(before)
    passing = to_numpy((after > 0).float().mean((0, 2, 3)))
    return NormSummary(**learned, images=len(before), low=low, high=high, counts=counts, passing=passing,
                       tracked=tracked)  # fmt: skip


def _channels(layer: str, norm: nn.Module, before: Tensor) -> tuple[dict[str, Any], bool]:
    """The fields of NormChannels, and whether the layer tracks statistics."""
    assert isinstance(norm, _BatchNorm)
    mean, var = before.mean((0, 2, 3)), before.var((0, 2, 3), correction=0)
    tensors = {
        "weight": torch.ones_like(mean) if norm.weight is None else norm.weight,
        "bias": torch.zeros_like(mean) if norm.bias is None else norm.bias,
        "running_mean": mean if norm.running_mean is None else norm.running_mean,
        "running_var": var if norm.running_var is None else norm.running_var,
        "mean": mean,
        "var": var,
    }
    tracked = norm.running_mean is not None and norm.running_var is not None
    arrays = {name: to_numpy(tensor) for name, tensor in tensors.items()}
    return {"layer": layer, "eps": norm.eps, **arrays}, tracked


def _histograms(before: Tensor) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """The range of each channel's finite values, widened if constant, and their counts in BINS equal bins."""
    counts = np.zeros((before.shape[1], BINS), np.int64)
    low, high = np.zeros(len(counts), np.float32), np.ones(len(counts), np.float32)
    for channel in range(len(counts)):
        values = before[:, channel].flatten().float()
        values = values[values.isfinite()]
        if len(values):
            least, most = (float(end) for end in values.aminmax())
            margin = max(abs(least), 1.0) * 1e-3 if least == most else 0.0
            low[channel], high[channel] = least - margin, most + margin
            counts[channel] = (
                values.histc(BINS, low[channel].item(), high[channel].item()).long().cpu().numpy()
            )
    return low, high, counts
