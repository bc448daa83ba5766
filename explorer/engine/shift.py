"""BatchNorm over many images: its running statistics beside those of the images, and of shifted ones.

Also what recomputing the running statistics on shifted images gives back. Images are x, float (N, C, h, w).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.engine import distribution
from explorer.engine.copies import copied
from explorer.engine.distribution import Histograms, wasserstein
from explorer.engine.independence import pieces
from explorer.engine.passes import check_images, in_faster_order, is_calm, private_view, to_numpy
from explorer.engine.values import Doubles, Floats, Value
from model.nets import check_logits
from model.problems import Problem

AT_ONCE, FEWEST = 128, 32  # images in a pass, which is also a batch of the recalibration
WHOLE = 64 * 64  # pixels of an image up to which AT_ONCE run together
DRAWS = 400  # of images, with replacement, for what resampling alone gives
SEED = 0
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


@dataclass(frozen=True, eq=False)
class NormDrift(Value):
    """One BatchNorm layer: its running statistics, those of plain images and of shifted ones, (C,) each.

    `running_std` is √(running variance + ε). `low` and `high` are a 95% interval of `shift` over images;
    `chance` is what 95% of differences stay below, in size, between two draws of as many plain images.
    `moved` is how far the distribution moves, by Wasserstein-1 in running standard deviations, and
    `between_halves` the largest such distance between random halves of the plain images.
    """

    running_mean: Doubles
    running_std: Doubles
    plain_mean: Doubles
    plain_std: Doubles
    mean: Doubles
    std: Doubles
    low: Doubles
    high: Doubles
    chance: Doubles
    moved: Doubles
    between_halves: Doubles

    @property
    def distance(self) -> Doubles:
        """The plain images' mean less the running one, in running standard deviations, (C,), signed."""
        return (self.plain_mean - self.running_mean) / self.running_std

    @property
    def spread(self) -> Doubles:
        """The plain images' standard deviation over the running one, (C,)."""
        return self.plain_std / self.running_std

    @property
    def shift(self) -> Doubles:
        """How far the shift of the data moves the mean, in running standard deviations, (C,), signed."""
        return (self.mean - self.plain_mean) / self.running_std

    @property
    def widening(self) -> Doubles:
        """The standard deviation on shifted images over that on plain ones, (C,)."""
        return self.std / np.maximum(self.plain_std, 1e-12)

    @property
    def beyond(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Channels (C,) that move further than 95% of what resampling alone gives."""
        return np.asarray(np.abs(self.shift) > self.chance)

    @property
    def moved_beyond(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Channels (C,) whose distribution moves further than random halves of the plain images differ."""
        return np.asarray(self.moved > self.between_halves)


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

    noting = _Noting(net, norm_layers(net), partial(_received, net))
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
    norm = _norm(net, layer)
    mean, var = _learned(norm)
    flat = maps.flatten(2) if maps.ndim > 2 else maps[..., None]
    counts = distribution.counts(flat, mean, (var + norm.eps).sqrt())
    return (to_numpy(flat.mean(2)), to_numpy(flat.var(2, correction=0))), counts


def logits_of(net: nn.Module, x: Tensor) -> Floats:
    """The logits of images x, float32 (N, K)."""
    view = private_view(net)
    with torch.inference_mode(False), torch.no_grad():
        parts = [in_faster_order(view, x[part]) for part in pieces(net, x, batch_size(x))]
    return np.concatenate([to_numpy(check_logits(part)) for part in parts])


def recalibrated(net: nn.Module, x: Tensor) -> nn.Module:
    """A network like `net` whose running statistics are those of images x: for every function of the engine.

    They are what BatchNorm itself computes in train mode with `momentum=None` from batches of `batch_size`:
    the mean over the batches of each batch's mean and unbiased variance. Dropout stays off, weights are not
    changed, `net` is left as it is. Raises Problem as `check_norms`, and where a channel has one value only.
    """
    check_images(x)
    check_norms(net)

    def statistics(_: str, maps: Tensor) -> tuple[Tensor, Tensor]:
        axes = [axis for axis in range(maps.ndim) if axis != 1]
        unbiased = int(maps.numel() > maps.shape[1])  # one value has no variance: the layer itself says so
        return maps.mean(axes).double(), maps.var(axes, correction=unbiased).double()

    noting = _Noting(_by_batch(net), norm_layers(net), statistics)
    for part in _batches(len(x), batch_size(x)):
        _check_values(noting, x[part])
    means = {
        layer: tuple(torch.stack(each).mean(0) for each in zip(*parts, strict=True))
        for layer, parts in noting.statistics.items()
    }
    return with_statistics(net, {layer: (mean, var) for layer, (mean, var) in means.items()})


def _by_batch(net: nn.Module) -> nn.Module:
    """A network over the same weights whose BatchNorm normalizes by the batch, as in training."""
    with torch.inference_mode(False), torch.no_grad():
        made = copied(net, shared=is_calm(net)).eval()
    for layer in norm_layers(net):
        module = _norm(made, layer)
        module.running_mean = module.running_var = None
    return made


def with_statistics(net: nn.Module, statistics: Mapping[str, tuple[Tensor, Tensor]]) -> nn.Module:
    """A network over the same weights with other running means and variances, (C,) each, by module."""
    with torch.inference_mode(False), torch.no_grad():
        made = copied(net, shared=is_calm(net)).eval()
        for layer, (mean, var) in statistics.items():
            module = _norm(made, layer)
            module.running_mean = mean.to(_learned(module)[0])
            module.running_var = var.to(_learned(module)[1])
    return made


def drift(net: nn.Module, plain: Observed, shifted: Observed, paired: bool) -> dict[str, NormDrift]:
    """Layer → its NormDrift. `paired`: the shifted images are the plain ones, in the same order."""
    drifts = {}
    for layer in plain.norms:
        mean, var = (to_numpy(each).astype(np.float64) for each in _learned(_norm(net, layer)))
        std = np.sqrt(var + _norm(net, layer).eps)
        one, other = plain.norms[layer], shifted.norms[layer]
        low, high = _interval(one.means, other.means, paired)
        drifts[layer] = NormDrift(
            running_mean=mean,
            running_std=std,
            plain_mean=one.mean,
            plain_std=np.sqrt(one.var),
            mean=other.mean,
            std=np.sqrt(other.var),
            low=low / std,
            high=high / std,
            chance=_chance(one.means, len(other.means)) / std,
            moved=wasserstein(one.counts, other.counts),
            between_halves=one.between_halves,
        )
    return drifts


def _interval(plain: Floats, shifted: Floats, paired: bool) -> tuple[Doubles, Doubles]:
    """A 95% interval of the difference of means (C,), from images drawn again with replacement."""
    if paired:
        draws = _drawn_means((shifted - plain).astype(np.float64), len(plain), SEED)
    else:
        draws = _drawn_means(shifted, len(shifted), SEED) - _drawn_means(plain, len(plain), SEED + 1)
    low, high = np.quantile(draws, (0.025, 0.975), axis=0)
    return low, high


def _chance(plain: Floats, count: int) -> Doubles:
    """What 95% of the differences between two draws of images stay below, in size, (C,).

    One draw is of as many images as there are plain ones, the other of `count`.
    """
    one, other = _drawn_means(plain, len(plain), SEED + 2), _drawn_means(plain, count, SEED + 3)
    return np.asarray(np.quantile(np.abs(one - other), 0.95, axis=0))


def _drawn_means(values: Floats | Doubles, count: int, seed: int) -> Doubles:
    """The means (DRAWS, C) of `count` rows of values (N, C), drawn with replacement."""
    total = len(values)
    weights = np.random.default_rng(seed).multinomial(count, np.full(total, 1 / total), DRAWS) / count
    return np.asarray(weights @ values.astype(np.float64))


def _norm(net: nn.Module, layer: str) -> _BatchNorm:
    module = net.get_submodule(layer)
    assert isinstance(module, _BatchNorm)
    return module


def _learned(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """A layer's running mean and variance."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var


class _Noting(Generic[S]):
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


def _batches(count: int, size: int) -> list[slice]:
    """The rows of batches of `size` images; a last one of a single image goes with the one before."""
    starts = [start for start in range(0, count, size) if count - start > 1 or start == 0]
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], count], strict=True)]


def _check_values(noting: _Noting[S], x: Tensor) -> None:
    """A pass that normalizes by the batch. Raises Problem where a channel has one value only."""
    try:
        noting.run(x)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise Problem("Batch statistics need more than one value per channel: give more images.") from error
