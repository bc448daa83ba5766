"""What happens to the logits when feature maps are switched off: real forward passes, no gradient."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from explorer.engine.tracing import Floats, check_images, tapped, to_numpy
from explorer.engine.values import Value
from model.nets import check_logits


@dataclass(frozen=True, eq=False)
class Ablations(Value):
    """Logits float32: (K,) as they are, and (n, K) with one channel of the layer switched off.

    Row i has channel `channels[i]` at zero (`zeroed`), or each cell of it at the map's mean (`averaged`).
    """

    layer: str
    channels: tuple[int, ...]
    logits: Floats
    zeroed: Floats
    averaged: Floats


def ablation(net: nn.Module, x: Tensor, layer: str, channel: int) -> Ablations:
    """The Ablations of one channel (n = 1) for one input x, float (1, 3, h, w); errors as `ablations`."""
    return ablations(net, x, layer, [channel])


def ablations(
    net: nn.Module, x: Tensor, layer: str, channels: Sequence[int] | None = None, batch: int = 64
) -> Ablations:
    """The Ablations of many channels, all by default, for one input x, float (1, 3, h, w).

    Raises ValueError for an unknown layer or channel and for another shape of x.
    """
    check_images(x, one=True)
    with torch.inference_mode(False), torch.no_grad():
        x = x.detach().clone()
        logits, maps = _plain(net, x, layer)
        chosen = tuple(range(maps.shape[1]) if channels is None else channels)
        if wrong := [channel for channel in chosen if not 0 <= channel < maps.shape[1]]:
            raise ValueError(f"There is no channel {wrong[0]} in {layer!r}: choose 0 to {maps.shape[1] - 1}.")
        fills = (torch.zeros_like(maps[0, :, 0, 0]), maps[0].mean((1, 2)))
        parts = torch.split(torch.tensor(chosen), batch)
        off = [torch.cat([_switched(net, x, layer, part, fill) for part in parts]) for fill in fills]
    return Ablations(layer, chosen, to_numpy(logits[0]), to_numpy(off[0]), to_numpy(off[1]))


def _plain(net: nn.Module, x: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    view, points = tapped(net, [layer])
    met: list[Tensor] = []
    points[layer].register_forward_hook(lambda _, __, output: met.append(output))
    return check_logits(view(x)), met[0]


def _switched(net: nn.Module, x: Tensor, layer: str, channels: Tensor, fill: Tensor) -> Tensor:
    """Logits (n, K), row i with `channels[i]` filled.

    The image runs once and becomes a batch at the layer; a net that cannot go on so gets a batch of images.
    """
    view, points = tapped(net, [layer])

    def switch(_: nn.Module, __: object, output: Tensor) -> Tensor:
        maps = output.expand(len(channels), -1, -1, -1).clone()
        maps[torch.arange(len(channels)), channels] = fill[channels, None, None]
        return maps

    points[layer].register_forward_hook(switch)
    try:
        logits = check_logits(view(x))
    except RuntimeError:
        logits = view(x.expand(len(channels), -1, -1, -1).clone())
    return logits if len(logits) == len(channels) else view(x.expand(len(channels), -1, -1, -1).clone())
