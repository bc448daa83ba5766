"""What each BatchNorm layer with running statistics receives, over many images x, float (N, C, h, w)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.engine import distribution
from explorer.engine.distribution import Histograms
from explorer.engine.independence import pieces
from explorer.engine.passes import check_images, in_faster_order, private_view, to_numpy
from explorer.engine.values import Doubles, Floats, Value
from model.nets import check_logits
from model.problems import Problem

AT_ONCE, FEWEST = 128, 32  # images in a pass, which is also a batch of the recalibration
WHOLE = 64 * 64  # pixels of an image up to which AT_ONCE run together
S = TypeVar("S")


@dataclass(frozen=True, eq=False)
class NormInputs(Value):
    """What one BatchNorm layer receives of N images: each one's mean and variance per channel, (N, C).

    `counts`, float32 (C, BINS), is the histogram of all, in running standard deviations from the running
    mean; `between_halves` (C,) the largest distance between those of random halves of the images.
    """

    means: Floats
    variances: Floats
    counts: Floats
    between_halves: Doubles

    @property
    def mean(self) -> Doubles:
        """The mean of each channel over images and positions, float64 (C,)."""
        return np.asarray(self.means.mean(0, dtype=np.float64))

    @property
    def var(self) -> Doubles:
        """The variance of each channel over images and positions (not unbiased), float64 (C,)."""
        between = self.means.astype(np.float64).var(0)
        return np.asarray(self.variances.mean(0, dtype=np.float64) + between)


@dataclass(frozen=True, eq=False)
class Observed(Value):
    """Logits float32 (N, K), and what each BatchNorm layer with running statistics receives, by layer."""

    logits: Floats
    norms: Mapping[str, NormInputs]


def norm_layers(net: nn.Module) -> tuple[str, ...]:
    """The modules of BatchNorm with running statistics; only these can disagree with images."""
    return tuple(
        name
        for name, module in net.named_modules()
        if isinstance(module, _BatchNorm)
        and isinstance(module.running_mean, Tensor)
        and isinstance(module.running_var, Tensor)
    )


def check_norms(net: nn.Module) -> None:
    """Problem for a network without running statistics."""
    if not norm_layers(net):
        raise Problem(
            "This network has no BatchNorm with running statistics, so a shift of the data cannot make them "
            "wrong: choose a checkpoint with BatchNorm."
        )


def batch_size(x: Tensor) -> int:
    """How many images run together: AT_ONCE, fewer where each is large, so that memory stays bounded."""
    return max(FEWEST, min(AT_ONCE, AT_ONCE * WHOLE // (x.shape[2] * x.shape[3])))


def observe(net: nn.Module, x: Tensor) -> Observed:
    """The Observed of images x from passes in eval mode; raises Problem as `check_norms`.

    A layer that runs several times in a pass has one row for each image and run.
    """
    check_images(x)
    check_norms(net)

    noting = Noting(net, norm_layers(net), partial(_received, net))
    halves, logits = distribution.halves(len(x)), []
    moments_by_layer: dict[str, list[tuple[Floats, Floats]]] = {}
    counted: dict[str, Histograms] = {}
    for part in pieces(net, x, batch_size(x)):
        logits.append(to_numpy(check_logits(noting.run(x[part]))))
        for layer, each in noting.take().items():
            moments_by_layer.setdefault(layer, []).extend(moments for moments, _ in each)
            for _, counts in each:
                counted.setdefault(layer, Histograms()).add(counts, halves[:, part])
    norms = {layer: _joined(moments, counted[layer]) for layer, moments in moments_by_layer.items()}
    return Observed(np.concatenate(logits), norms)


def _joined(moments: list[tuple[Floats, Floats]], histograms: Histograms) -> NormInputs:
    means, variances = (np.concatenate(each) for each in zip(*moments, strict=True))
    return NormInputs(means, variances, histograms.total, histograms.between_halves)


def _received(net: nn.Module, layer: str, maps: Tensor) -> tuple[tuple[Floats, Floats], Tensor]:
    """Means and variances of each image, (n, C), and the counts of its values."""
    norm = norm_of(net, layer)
    mean, var = running_statistics(norm)
    flat = maps.flatten(2) if maps.ndim > 2 else maps[..., None]
    counts = distribution.counts(flat, mean, (var + norm.eps).sqrt())
    return (to_numpy(flat.mean(2)), to_numpy(flat.var(2, correction=0))), counts


def logits_of(net: nn.Module, x: Tensor) -> Floats:
    """The logits of images x, float32 (N, K)."""
    view = private_view(net)
    with torch.inference_mode(False), torch.no_grad():
        parts = [in_faster_order(view, x[part]) for part in pieces(net, x, batch_size(x))]
    return np.concatenate([to_numpy(check_logits(part)) for part in parts])


def norm_of(net: nn.Module, layer: str) -> _BatchNorm:
    """The BatchNorm layer of that name."""
    module = net.get_submodule(layer)
    assert isinstance(module, _BatchNorm)
    return module


def running_statistics(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """A layer's running mean and variance."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var


class Noting(Generic[S]):
    """A private view whose passes leave `statistics`: by layer, those of what BatchNorm received each
    time.
    """

    def __init__(self, net: nn.Module, layers: Iterable[str], of: Callable[[str, Tensor], S]) -> None:
        self.view = private_view(net)
        self.statistics: dict[str, list[S]] = {}
        self._pass: list[tuple[str, S]] = []
        for layer in layers:
            note = partial(self._note, layer, of)
            self.view.get_submodule(layer).register_forward_pre_hook(note)

    def run(self, x: Tensor) -> object:
        """One pass without gradients, noted once however often it is tried."""
        with torch.inference_mode(False), torch.no_grad():
            returned = in_faster_order(self._try, x)
        for layer, statistics in self._pass:
            self.statistics.setdefault(layer, []).append(statistics)
        return returned

    def _try(self, x: Tensor) -> Any:
        self._pass.clear()
        return self.view(x)

    def take(self) -> dict[str, list[S]]:
        """The statistics since the last time."""
        statistics, self.statistics = self.statistics, {}
        return statistics

    def _note(
        self, layer: str, of: Callable[[str, Tensor], S], _: nn.Module, inputs: tuple[Tensor, ...]
    ) -> None:
        self._pass.append((layer, of(layer, inputs[0])))
