"""What happens to the logits when feature maps are switched off: real forward passes, no gradient."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.engine.independence import pieces
from explorer.engine.passes import check_images, feature_maps, recorded, recording_calls, to_numpy
from explorer.engine.randomness import is_random
from explorer.engine.tracing import Trace
from explorer.engine.values import Floats, Rows, one_or_many
from model.nets import check_logits
from model.problems import Problem

BATCH = 64  # variants of one image that are computed together, fewer where they take more than MOST_VALUES
MOST_VALUES = 2**24  # in the layer's maps, all together


@dataclass(frozen=True, eq=False)
class Ablations(Rows):
    """Logits float32: (K,) as they are, and (n, K) with one channel of the layer switched off.

    Of the n, number i has channel `channels[i]` at zero (`zeroed`), or at the mean of its map (`averaged`).
    """

    layer: str
    channels: tuple[int, ...]
    logits: Floats
    zeroed: Floats
    averaged: Floats

    ROW: ClassVar[Mapping[str, int]] = {"logits": 1, "zeroed": 2, "averaged": 2}


def ablation(net: nn.Module, x: Tensor, layer: str, channel: int, seen: Trace | None = None) -> Ablations:
    """The Ablations of one channel (n = 1) for images x, float (N, C, h, w); errors as `ablations`."""
    return ablations(net, x, layer, [channel], seen=seen)


def ablations(
    net: nn.Module,
    x: Tensor,
    layer: str,
    channels: Sequence[int] | None = None,
    batch: int = BATCH,
    seen: Trace | None = None,
) -> Ablations:
    """The Ablations of many channels, all by default, for images x, float (N, C, h, w); `batch` at a time.
    The trace of one image, `seen`, saves the pass without a change if it has the layer's maps.

    Raises Problem for an unknown layer or channel, ValueError for another shape of x.
    """
    check_images(x)
    if seen is not None and len(x) == 1 and layer in seen.maps:
        logits, maps = (torch.from_numpy(a)[None].to(x.device) for a in (seen.logits, seen.maps[layer]))
    else:
        logits, maps = unchanged(net, x, layer)
    chosen = tuple(range(maps.shape[1]) if channels is None else channels)
    masks = _masks([(channel,) for channel in chosen], layer, maps.shape[1]).to(maps.device).repeat(2, 1)
    each = []
    for row, own in enumerate(maps):
        fills = torch.stack([torch.zeros_like(own[:, 0, 0]), own.mean((1, 2))])
        is_changed = (own != fills[:, :, None, None]).flatten(2).any(2).repeat_interleave(len(chosen), 0)
        fills = fills.repeat_interleave(len(chosen), 0)
        image = ImageAtLayer(net, x[row : row + 1], layer, logits[row])
        each.append(image.filled(masks, fills, (masks & is_changed).any(1), batch))
    zeroed, averaged = (to_numpy(half) for half in torch.stack(each).chunk(2, 1))
    return one_or_many(Ablations(layer, chosen, to_numpy(logits), zeroed, averaged))


@dataclass(frozen=True, eq=False)
class WithoutSets(Rows):
    """Logits float32: (K,) as they are, and (n, K) with the channels of a set at zero in each row."""

    layer: str
    sets: tuple[tuple[int, ...], ...]
    logits: Floats
    zeroed: Floats

    ROW: ClassVar[Mapping[str, int]] = {"logits": 1, "zeroed": 2}

    def falls(self, target: int) -> Floats:
        """How much the logit of a class falls without each set, (n,) for one image; negative for a rise."""
        return np.asarray(self.logits[..., None, target] - self.zeroed[..., target], np.float32)


def without_sets(
    net: nn.Module,
    x: Tensor,
    layer: str,
    sets: Iterable[Iterable[int]] | None = None,
    batch: int = BATCH,
    known: tuple[Tensor, Tensor] | None = None,
) -> WithoutSets:
    """The WithoutSets for images x, float (N, C, h, w), every channel alone by default; `batch` at a time.

    The layers before this one run for a single image in each pass, those from it on for every set. A set in
    which every map is zero changes nothing, so nothing is computed for it. `known` is what `unchanged` gives,
    if that was computed before. Errors as `ablations`.
    """
    check_images(x)
    logits, maps = unchanged(net, x, layer) if known is None else known
    single = [(channel,) for channel in range(maps.shape[1])]
    chosen = single if sets is None else [tuple(sorted(set(one))) for one in sets]
    batch = max(2, min(batch, MOST_VALUES // maps[0].numel()))
    masks = _masks(chosen, layer, maps.shape[1]).to(maps.device)
    none = logits.new_zeros(1, maps.shape[1])
    each = []
    for row, own in enumerate(maps):
        image = ImageAtLayer(net, x[row : row + 1], layer, logits[row])
        is_alive = (own != 0).flatten(1).any(1)
        each.append(image.filled(masks, none, (masks & is_alive).any(1), batch))
    return one_or_many(WithoutSets(layer, tuple(chosen), to_numpy(logits), to_numpy(torch.stack(each))))


def _masks(sets: Sequence[Sequence[int]], layer: str, channels: int) -> Tensor:
    """Which channels are in each set, bool (n, channels). Raises Problem for one that is not there."""
    check_channels(layer, [channel for one in sets for channel in one], channels)
    masks = torch.zeros(len(sets), channels, dtype=torch.bool)
    for mask, one in zip(masks, sets, strict=True):
        mask[list(one)] = True
    return masks


def check_channels(layer: str, channels: Iterable[int], count: int) -> None:
    """Problem for a channel that a layer with `count` of them does not have."""
    if wrong := [channel for channel in channels if not 0 <= channel < count]:
        raise Problem(
            "There is no channel {channel} in {layer}: choose 0 to {last}.",
            channel=wrong[0],
            layer=repr(layer),
            last=count - 1,
        )


def unchanged(net: nn.Module, x: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    """The logits (N, K), and the layer's maps (N, C, h, w), of images x without a change."""
    maps: list[Tensor] = []
    view = recording_calls(net, [layer], lambda call: maps.append(feature_maps(call).clone()))
    with torch.inference_mode(False), torch.no_grad():
        logits = [check_logits(view(x[rows].detach().clone())) for rows in pieces(net, x, len(x))]
    return torch.cat(logits), torch.cat(maps)


@dataclass(frozen=True, eq=False)
class ImageAtLayer:
    """One image x, float (1, C, h, w), whose maps at a layer are filled; `unchanged`, (K,), its logits."""

    net: nn.Module
    x: Tensor
    layer: str
    unchanged: Tensor

    def filled(self, masks: Tensor, fills: Tensor, is_changed: Tensor, batch: int) -> Tensor:
        """As `logits`, `batch` at a time; the rows that are not `is_changed`, bool (n,), are `unchanged`."""
        made = self.unchanged.expand(len(masks), -1).clone()
        if bool(is_changed.any()):
            changed = (torch.split(each[is_changed], batch) for each in (masks, fills.expand(masks.shape)))
            made[is_changed] = torch.cat([self.logits(*part) for part in zip(*changed, strict=True)])
        return made

    def logits(self, masks: Tensor, fills: Tensor) -> Tensor:
        """Logits (n, K), row i with the channels of `masks[i]` filled, whatever is in the other rows.

        Masks are bool (n, C), fills float (n, C), or (1, C) for all. In a net that mixes the rows, or gives
        each its own random numbers, they are computed one at a time.
        """
        if len(masks) == 1 or not self._mixes_rows(masks.shape[1]):
            return self._together(masks, fills)
        pairs = zip(masks, fills.expand(masks.shape), strict=True)
        return torch.cat([self._together(mask[None], fill[None]) for mask, fill in pairs])

    def _mixes_rows(self, channels: int) -> bool:
        """Whether the maps as they are give other logits beside a row of other maps.

        Found once for each layer and size of images.
        """
        if _normalizes_by_batch(self.net) or is_random(self.net):
            return True
        known = _MIXING.setdefault(self.net, {})
        key = (self.layer, tuple(self.x.shape))
        if key not in known:
            known[key] = not self._is_the_same_beside_noise(channels)
        return known[key]

    def _is_the_same_beside_noise(self, channels: int) -> bool:
        masks = torch.tensor([[False], [True]]).expand(2, channels).to(self.x.device)
        noise = torch.randn(1, channels, generator=torch.Generator().manual_seed(0)).to(self.x.device)
        try:
            beside, alone = self._together(masks, noise)[0], self.unchanged.to(self.x.device)
        except Exception:  # it takes one image at a time, and says so in whatever way
            return False
        rounding = 1e-3 * float(alone.nan_to_num(0, 0, 0).abs().max())
        return torch.allclose(beside, alone, rtol=1e-3, atol=rounding, equal_nan=True)

    def _together(self, masks: Tensor, fills: Tensor) -> Tensor:
        """The image runs once and becomes a batch at the layer; a net that cannot go on so gets a batch."""

        def switch(_: str, __: Tensor, output: Tensor) -> Tensor:
            return torch.where(masks[:, :, None, None], fills.to(output)[:, :, None, None], output)

        many = self.x.expand(len(masks), -1, -1, -1)
        try:
            logits = check_logits(recorded(self.net, self.x, [self.layer], switch))
        except Exception:  # whatever a network makes of another number of images from the layer on
            logits = check_logits(recorded(self.net, many, [self.layer], switch))
        is_whole = len(logits) == len(masks)
        return logits if is_whole else check_logits(recorded(self.net, many, [self.layer], switch))


_MIXING: "WeakKeyDictionary[nn.Module, dict[tuple[str, tuple[int, ...]], bool]]" = WeakKeyDictionary()


def _normalizes_by_batch(net: nn.Module) -> bool:
    return any(isinstance(norm, _BatchNorm) and norm.running_mean is None for norm in net.modules())
