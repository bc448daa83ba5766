"""What happens to the logits when feature maps are switched off: real forward passes, no gradient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.engine.passes import check_images, feature_maps, recorded, recording_calls, to_numpy
from explorer.engine.randomness import is_random
from explorer.engine.tracing import Trace
from explorer.engine.values import Floats, Rows, one_or_many
from model.nets import check_logits
from model.problems import Problem


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
    batch: int = 64,
    seen: Trace | None = None,
) -> Ablations:
    """The Ablations of many channels, all by default, for images x, float (N, C, h, w); `batch` at a time.
    The trace of one image, `seen`, saves the pass without a change if it has the layer's maps.

    Raises Problem for an unknown layer or channel, ValueError for another shape of x.
    """
    check_images(x)
    if seen is not None and len(x) == 1 and layer in seen.maps:
        logits, maps = torch.from_numpy(seen.logits)[None], torch.from_numpy(seen.maps[layer])[None]
    else:
        logits, maps = _unchanged(net, x, layer)
    chosen = tuple(range(maps.shape[1]) if channels is None else channels)
    if wrong := [channel for channel in chosen if not 0 <= channel < maps.shape[1]]:
        raise Problem(
            "There is no channel {channel} in {layer}: choose 0 to {last}.",
            channel=wrong[0],
            layer=repr(layer),
            last=maps.shape[1] - 1,
        )
    parts = [torch.tensor(chosen[start : start + batch]) for start in range(0, len(chosen), batch)]

    def filled(fills: Tensor) -> Floats:
        """Logits (N, n, K), with the channels of image i filled by `fills[i]`, (C,)."""
        rows = zip(x[:, None], fills, strict=True)
        each = [torch.cat([_each_alone(net, one, layer, part, fill) for part in parts]) for one, fill in rows]
        return to_numpy(torch.stack(each))

    means = maps.mean((2, 3))
    zeroed, averaged = filled(torch.zeros_like(means)), filled(means)
    return one_or_many(Ablations(layer, chosen, to_numpy(logits), zeroed, averaged))


def _unchanged(net: nn.Module, x: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    """The logits (N, K), and the layer's maps (N, C, h, w)."""
    kept: list[Tensor] = []
    view = recording_calls(net, [layer], lambda call: kept.append(feature_maps(call).clone()))
    with torch.inference_mode(False), torch.no_grad():
        return check_logits(view(x.detach().clone())), kept[0]


def _each_alone(net: nn.Module, x: Tensor, layer: str, channels: Tensor, fill: Tensor) -> Tensor:
    """Logits (n, K) of one image, row i with `channels[i]` filled, whatever is in the other rows.

    In a net that mixes the rows, or gives each its own random numbers, they are computed one at a time.
    """
    if len(channels) == 1:
        return _switched(net, x, layer, channels, fill)
    if not (_normalizes_by_batch(net) or is_random(net)):
        together = _switched(net, x, layer, channels, fill)
        row = 1 + int((together - together.mean(0))[1:].abs().amax(1).argmax())  # that others change most
        alone = _switched(net, x, layer, channels[row : row + 1], fill)
        rounding = 1e-3 * float(alone.abs().max())
        if torch.allclose(together[row : row + 1], alone, rtol=1e-3, atol=rounding, equal_nan=True):
            return together
    return torch.cat([_switched(net, x, layer, one, fill) for one in channels[:, None]])


def _normalizes_by_batch(net: nn.Module) -> bool:
    return any(isinstance(norm, _BatchNorm) and norm.running_mean is None for norm in net.modules())


def _switched(net: nn.Module, x: Tensor, layer: str, channels: Tensor, fill: Tensor) -> Tensor:
    """Logits (n, K) of one image, row i with `channels[i]` filled.

    The image runs once and becomes a batch at the layer; a net that cannot go on so gets a batch of images.
    """

    def switch(_: str, __: Tensor, output: Tensor) -> Tensor:
        maps = output.expand(len(channels), -1, -1, -1).clone()
        maps[torch.arange(len(channels)), channels] = fill[channels, None, None]
        return maps

    many = x.expand(len(channels), -1, -1, -1)
    try:
        logits = check_logits(recorded(net, x, [layer], switch))
    except RuntimeError:
        logits = check_logits(recorded(net, many, [layer], switch))
    return logits if len(logits) == len(channels) else check_logits(recorded(net, many, [layer], switch))
