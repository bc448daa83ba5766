"""What happens to the logits when feature maps are switched off: real forward passes, no gradient."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

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
    masks = _masks([(channel,) for channel in chosen], layer, maps.shape[1]).to(maps.device)
    means = maps.mean((2, 3))
    zeroed = _each_image(net, x, layer, masks, torch.zeros_like(means), batch)
    averaged = _each_image(net, x, layer, masks, means, batch)
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
    each = [
        _zeroed(net, x[row : row + 1], layer, masks, (maps[row] != 0).flatten(1).any(1), logits[row], batch)
        for row in range(len(x))
    ]
    return one_or_many(WithoutSets(layer, tuple(chosen), to_numpy(logits), to_numpy(torch.stack(each))))


def _zeroed(
    net: nn.Module, x: Tensor, layer: str, masks: Tensor, alive: Tensor, logits: Tensor, batch: int
) -> Tensor:
    """Logits (n, K) of one image: those that it has, `logits`, where no channel of the mask is `alive`."""
    rows = (masks & alive).any(1)
    zeroed = logits.expand(len(masks), -1).clone()
    if bool(rows.any()):
        parts, zeros = torch.split(masks[rows], batch), logits.new_zeros(len(alive))
        zeroed[rows] = torch.cat([_each_alone(net, x, layer, part, zeros) for part in parts])
    return zeroed


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


def _each_image(net: nn.Module, x: Tensor, layer: str, masks: Tensor, fills: Tensor, batch: int) -> Floats:
    """Logits (N, n, K), with the channels of each mask of image i filled by `fills[i]`, (C,)."""
    rows = zip(x[:, None], fills, strict=True)
    each = [
        torch.cat([_each_alone(net, one, layer, part, fill) for part in torch.split(masks, batch)])
        for one, fill in rows
    ]
    return to_numpy(torch.stack(each))


def unchanged(net: nn.Module, x: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    """The logits (N, K), and the layer's maps (N, C, h, w), of images x without a change."""
    maps: list[Tensor] = []
    view = recording_calls(net, [layer], lambda call: maps.append(feature_maps(call).clone()))
    with torch.inference_mode(False), torch.no_grad():
        logits = [check_logits(view(x[rows].detach().clone())) for rows in pieces(net, x, len(x))]
    return torch.cat(logits), torch.cat(maps)


def _each_alone(net: nn.Module, x: Tensor, layer: str, masks: Tensor, fill: Tensor) -> Tensor:
    """Logits (n, K) of one image, row i with the channels of `masks[i]` filled, whatever is in other rows.

    In a net that mixes the rows, or gives each its own random numbers, they are computed one at a time.
    """
    if len(masks) == 1:
        return _switched(net, x, layer, masks, fill)
    if not (_normalizes_by_batch(net) or is_random(net)):
        together = _switched(net, x, layer, masks, fill)
        row = 1 + int((together - together.mean(0))[1:].abs().amax(1).argmax())  # that others change most
        alone = _switched(net, x, layer, masks[row : row + 1], fill)
        rounding = 1e-3 * float(alone.nan_to_num(0, 0, 0).abs().max())
        if torch.allclose(together[row : row + 1], alone, rtol=1e-3, atol=rounding, equal_nan=True):
            return together
    return torch.cat([_switched(net, x, layer, one[None], fill) for one in masks])


def _normalizes_by_batch(net: nn.Module) -> bool:
    return any(isinstance(norm, _BatchNorm) and norm.running_mean is None for norm in net.modules())


def _switched(net: nn.Module, x: Tensor, layer: str, masks: Tensor, fill: Tensor) -> Tensor:
    """Logits (n, K) of one image, row i with the channels of `masks[i]` filled.

    The image runs once and becomes a batch at the layer; a net that cannot go on so gets a batch of images.
    """

    def switch(_: str, __: Tensor, output: Tensor) -> Tensor:
        return torch.where(masks[:, :, None, None], fill.to(output)[:, None, None], output)

    many = x.expand(len(masks), -1, -1, -1)
    try:
        logits = check_logits(recorded(net, x, [layer], switch))
    except Exception:  # whatever a network makes of another number of images from the layer on
        logits = check_logits(recorded(net, many, [layer], switch))
    return logits if len(logits) == len(masks) else check_logits(recorded(net, many, [layer], switch))
