"""Whether tokens and maps with channels last lie in the order of rows and columns: tried with a patch."""

import torch
from torch import Tensor, nn

from explorer.engine.calls import Call
from explorer.engine.layouts import WrongGrid, grid_of
from explorer.engine.passes import recording_calls

AT = (0.3, 0.7)  # the middle of the patch, in the image's height and width: no symmetry of a square keeps it
SIDE = 0.15  # of the image
FAR = 0.05  # of the image, what a change may spread at most before the first layer of tokens
LARGE = 0.5  # of the largest change
EVERYWHERE = 0.3  # of all positions: with so many large changes nothing can be told


def wrong_grids(net: nn.Module, x: Tensor) -> frozenset[WrongGrid]:
    """The grids, by the order of their layout, on which a patch of one image x appears somewhere else.

    The first layer of each is looked at: attention soon carries a change everywhere.
    """
    before, after = _first_maps(net, x), _first_maps(net, _with_patch(x))
    return frozenset(
        grid
        for grid, maps in before.items()
        if grid in after and maps.shape == after[grid].shape and _is_elsewhere((after[grid] - maps).abs())
    )


def _with_patch(x: Tensor) -> Tensor:
    """The image with other pixels in a square."""
    rows, columns = (
        slice(int((at - SIDE / 2) * size), int((at + SIDE / 2) * size) + 1)
        for at, size in zip(AT, x.shape[2:], strict=True)
    )
    changed = x.detach().clone()
    changed[..., rows, columns] = 2 - changed[..., rows, columns]
    return changed


def _first_maps(net: nn.Module, x: Tensor) -> dict[WrongGrid, Tensor]:
    """The maps (C, h, w) of the first layer of each grid; those of a grid that a person gave are left out."""
    first: dict[WrongGrid, Tensor] = {}

    def keep(call: Call) -> None:
        if call.layout is None or call.layout.order == "first":
            return
        grid = (call.output.shape[2], call.output.shape[3])
        if call.layout.order == "last" or grid_of(net) is None:
            first.setdefault((call.layout.order, grid), call.output[0].detach().float().cpu().clone())

    view = recording_calls(net, None, keep)
    with torch.inference_mode(False), torch.no_grad():
        view(x.detach().clone())
    return first


def _is_elsewhere(change: Tensor) -> bool:
    """Whether most of the large changes (C, h, w) are not near the patch."""
    strength = change.sum(0)
    if not bool(strength.isfinite().all()) or not float(strength.max()) > 0:
        return False
    near = [
        ((torch.arange(count) + 0.5) / count - at).abs() <= SIDE / 2 + FAR + 0.5 / count
        for at, count in zip(AT, strength.shape, strict=True)
    ]
    large = (strength >= LARGE * strength.max()).float()
    return float(large.mean()) <= EVERYWHERE and float(large[near[0]][:, near[1]].sum() / large.sum()) < 0.5
