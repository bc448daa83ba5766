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
    changes = {
        grid: tuple(_change(one, other) for one, other in zip(pair, after[grid], strict=True))
        for grid, pair in before.items()
        if grid in after
    }
    return frozenset(
        grid for grid, (change, read) in changes.items() if change is not None and _is_elsewhere(change, read)
    )


def _change(before: Tensor | None, after: Tensor | None) -> Tensor | None:
    """How much each position of maps (C, h, w) changes, over all channels, (h, w)."""
    if before is None or after is None or before.shape != after.shape:
        return None
    return (after - before).abs().sum(0)


def _with_patch(x: Tensor) -> Tensor:
    """The image with other pixels in a square."""
    rows, columns = (
        slice(int((at - SIDE / 2) * size), int((at + SIDE / 2) * size) + 1)
        for at, size in zip(AT, x.shape[2:], strict=True)
    )
    changed = x.detach().clone()
    changed[..., rows, columns] = 2 - changed[..., rows, columns]
    return changed


def _first_maps(net: nn.Module, x: Tensor) -> dict[WrongGrid, tuple[Tensor, Tensor | None]]:
    """The maps (C, h, w) of the first layer of each grid, and the last ones before with channels first of the
    same size; those of a grid that a person gave are left out.
    """
    first: dict[WrongGrid, tuple[Tensor, Tensor | None]] = {}
    latest: dict[tuple[int, int], Tensor] = {}

    def keep(call: Call) -> None:
        if call.layout is None:
            return
        grid = (call.output.shape[2], call.output.shape[3])
        if call.layout.order == "first":
            latest[grid] = call.output[0].detach().float().cpu().clone()
        elif (call.layout.order, grid) not in first and (call.layout.order == "last" or grid_of(net) is None):
            maps = call.output[0].detach().float().cpu().clone()
            first[call.layout.order, grid] = maps, latest.get(grid)

    view = recording_calls(net, None, keep)
    with torch.inference_mode(False), torch.no_grad():
        view(x.detach().clone())
    return first


def _is_elsewhere(strength: Tensor, read: Tensor | None) -> bool:
    """Whether most of the large changes (h, w) are neither near the patch nor where the maps before changed.

    A wide kernel carries a change far over small maps.
    """
    if not bool(strength.isfinite().all()) or not float(strength.max()) > 0:
        return False
    rows, columns = (
        ((torch.arange(count) + 0.5) / count - at).abs() <= SIDE / 2 + FAR + 0.5 / count
        for at, count in zip(AT, strength.shape, strict=True)
    )
    near = rows[:, None] & columns
    if read is not None and read.shape == near.shape:
        near |= read >= LARGE / 2 * read.max()
    large = (strength >= LARGE * strength.max()).float()
    told = max(float(large.mean()), float(near.float().mean())) <= EVERYWHERE
    return told and float(large[near].sum() / large.sum()) < 0.5
