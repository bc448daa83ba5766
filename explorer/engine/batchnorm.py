"""What each BatchNorm learned, against what it met in this input."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.engine.tracing import (
    Floats,
    check_images,
    check_logits,
    layer_module,
    layer_path,
    private_view,
    to_numpy,
    visit_layers,
)
from explorer.engine.values import Value

MAP_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)


@dataclass(frozen=True, eq=False)
class NormStatistics(Value):
    """One BatchNorm on N images. Per channel, float32 (C,): `weight` γ and `bias` β (1 and 0 where the layer
    has none), `running_mean` and `running_var`, and this input's `mean` and `var` (biased, over N, h and w).

    `before` and `after` are the layer's input and output, float32 (N, C, h, w). A layer that tracks no
    statistics normalises by this input's own: then `tracked` is False and the running ones repeat them.
    """

    layer: str
    weight: Floats
    bias: Floats
    running_mean: Floats
    running_var: Floats
    eps: float
    mean: Floats
    var: Floats
    before: Floats
    after: Floats
    tracked: bool = True

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
        """This input's standard deviation over the running one, (C,): 1 is what training met."""
        return np.asarray(np.sqrt(self.var + self.eps) / self.running_std, np.float32)

    @property
    def slope(self) -> Floats:
        """What the layer multiplies by, γ / √(running_var + ε), (C,)."""
        return self.weight / self.running_std

    @property
    def offset(self) -> Floats:
        """What it then adds, β − slope · running_mean, (C,): after = slope · before + offset."""
        return self.bias - self.slope * self.running_mean

    @property
    def normalised(self) -> Floats:
        """The maps between: normalised, not yet scaled by γ and shifted by β, (N, C, h, w)."""
        return (self.before - self.running_mean[:, None, None]) / self.running_std[:, None, None]

    @property
    def dead(self) -> npt.NDArray[np.bool_]:
        """Channels (C,) that are nowhere positive on this input: a ReLU after them gives only zeros."""
        return np.asarray(self.after.max((0, 2, 3)) <= 0)

    def faint(self, threshold: float = 0.01) -> npt.NDArray[np.bool_]:
        """Channels (C,) with |γ| below the threshold: whatever comes in, β goes out."""
        return np.asarray(np.abs(self.weight) < threshold)


@dataclass(frozen=True, eq=False)
class TwoPredictions(Value):
    """Probabilities float32 (N, K) of the same images, normalised by `running` and by `batch` statistics."""

    running: Floats
    batch: Floats


def statistics(net: nn.Module, x: Tensor, layer: str) -> NormStatistics:
    """The NormStatistics of one BatchNorm layer for images x, float (N, 3, h, w).

    Raises ValueError for a layer that is no BatchNorm, is not in the network or does not run.
    """
    return statistics_many(net, x, [layer])[layer]


def statistics_many(net: nn.Module, x: Tensor, layers: list[str]) -> dict[str, NormStatistics]:
    """`statistics` of many layers from one forward pass."""
    check_images(x)
    for layer in layers:
        if not is_batchnorm(net, layer):
            kind = type(layer_module(net, layer)).__name__
            raise ValueError(f"Layer {layer!r} is {kind}, no BatchNorm2d: choose a layer that is one.")
    met: dict[str, tuple[Tensor, Tensor]] = {}

    def keep(name: str, received: Tensor, output: Tensor) -> None:
        met[name] = (received.clone(), output.clone())

    view = private_view(net)
    visit_layers(view, {layer_path(net, layer) for layer in layers}, keep)
    with torch.inference_mode(False), torch.no_grad():
        view(x.detach().clone())
    if missed := set(layers) - set(met):
        raise ValueError(f"Layer {min(missed)!r} did not run on this input: choose another layer.")
    return {layer: _summarise(layer, layer_module(view, layer), *met[layer]) for layer in layers}


def is_batchnorm(net: nn.Module, layer: str | None) -> bool:
    """Whether the layer is a BatchNorm of feature maps; False for None, for a block without norm."""
    return layer is not None and isinstance(layer_module(net, layer), MAP_NORMS)


def with_batch_statistics(net: nn.Module, x: Tensor) -> TwoPredictions:
    """The same images x, float (N, 3, h, w), normalised by running and by their own batch's statistics.

    Dropout stays off and nothing stored is touched. Raises ValueError where a channel has one value only.
    """
    check_images(x)
    view, own = private_view(net), private_view(net)
    for module in own.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = None
    with torch.inference_mode(False), torch.no_grad():
        x = x.detach().clone()
        running = check_logits(view(x)).softmax(1)
        try:
            batch = check_logits(own(x)).softmax(1)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            message = "Batch statistics need more than one value per channel: give more images."
            raise ValueError(message) from error
    return TwoPredictions(to_numpy(running), to_numpy(batch))


def _summarise(layer: str, norm: nn.Module, before: Tensor, after: Tensor) -> NormStatistics:
    assert isinstance(norm, _BatchNorm)
    mean, var = before.mean((0, 2, 3)), before.var((0, 2, 3), correction=0)
    tracked = norm.running_mean is not None and norm.running_var is not None
    kept = [
        torch.ones_like(mean) if norm.weight is None else norm.weight,
        torch.zeros_like(mean) if norm.bias is None else norm.bias,
        norm.running_mean if norm.running_mean is not None else mean,
        norm.running_var if norm.running_var is not None else var,
    ]
    weight, bias, running_mean, running_var = (to_numpy(tensor) for tensor in kept)
    return NormStatistics(
        layer, weight, bias, running_mean, running_var, norm.eps,
        to_numpy(mean), to_numpy(var), to_numpy(before), to_numpy(after), tracked,
    )  # fmt: skip
