"""A network with some of its feature maps switched off, averaged or scaled, for the other functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from explorer.engine.ablation import check_channels
from explorer.engine.calls import Call, visit_calls
from explorer.engine.passes import feature_maps, layer_path, private_view, recording, to_numpy
from explorer.engine.values import Floats, Rows, one_or_many
from model.nets import check_logits

How = Literal["zero", "mean", "scale"]


@dataclass(frozen=True)
class Change:
    """What is done to some channels of a layer: set to zero, set to the mean of the map at every position,
    or multiplied by `factor`.
    """

    layer: str
    channels: tuple[int, ...]
    how: How = "zero"
    factor: float = 1.0

    def made(self, maps: Tensor) -> Tensor:
        """Maps (N, C, h, w) with the change; the same tensor if it changes no channel. Raises Problem."""
        check_channels(self.layer, self.channels, maps.shape[1])
        if not self.channels:
            return maps
        mask = torch.zeros(maps.shape[1], dtype=torch.bool, device=maps.device)
        mask[list(self.channels)] = True
        return torch.where(mask[:, None, None], self._everywhere(maps), maps)

    def _everywhere(self, maps: Tensor) -> Tensor:
        if self.how == "scale":
            return maps * self.factor
        if self.how == "mean":
            return maps.mean((2, 3), keepdim=True).expand_as(maps)
        return torch.zeros_like(maps)


@dataclass(frozen=True)
class _Make:
    """Makes changes to the output of a call; copies of a view get copies of it."""

    changes: tuple[Change, ...]

    def __call__(self, call: Call) -> Tensor | None:
        wanted = [change for change in self.changes if change.layer == call.layer and change.channels]
        if not wanted:
            return None
        maps = feature_maps(call)
        for change in wanted:
            maps = change.made(maps)
        return maps


def altered(net: nn.Module, changes: Iterable[Change]) -> nn.Module:
    """A private view of a network that makes these changes in every pass, for any function of the engine.

    Changes of one layer are made in the order given. Its layers have the names and the maps that follow from
    the changes; those of a changed layer are the changed ones. Raises Problem for a layer that is not there,
    and when it runs for a channel that is not there and for a layer without feature maps.
    """
    every = tuple(change for change in changes if change.channels)
    view = private_view(net)
    paths = dict.fromkeys(layer_path(view, change.layer) for change in every)
    visit_calls(view, paths, _Make(every))
    return view


@dataclass(frozen=True, eq=False)
class Intervention(Rows):
    """Logits float32 (K,): as they are, and `changed`, with the changes made."""

    changes: tuple[Change, ...]
    logits: Floats
    changed: Floats

    ROW: ClassVar[Mapping[str, int]] = {"logits": 1, "changed": 1}


def intervene(net: nn.Module, x: Tensor, changes: Sequence[Change]) -> Intervention:
    """The Intervention for images x, float (N, C, h, w); errors as `altered`, also for a layer not run."""
    layers = {change.layer for change in changes if change.channels}
    with torch.inference_mode(False), torch.no_grad():
        logits = check_logits(private_view(net)(x.detach().clone()))
        view = recording(altered(net, changes), layers, lambda *_: None)
        changed = check_logits(view(x.detach().clone()))
    return one_or_many(Intervention(tuple(changes), to_numpy(logits), to_numpy(changed)))
