"""How the tensors of a forward pass hold feature maps: channels first, channels last, or as tokens of a grid.

Nothing of a network says which axes of a tensor are rows and columns. It follows from the layer that gives
the tensor, from what that layer read, and from the sizes of the maps before it; or a person gives the grid.
"""

import weakref
from collections import deque
from dataclasses import dataclass, replace
from math import isqrt
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from explorer.engine.notes import note_of, write_note
from explorer.engine.stage import stage_of

Grid = tuple[int, int]
MOST_EXTRA = 8  # tokens without a position: a class token, registers
LATEST = 4  # layers whose values are kept to know a tensor by that was computed in between
NORMS_OF_MAPS = (_BatchNorm, _InstanceNorm, nn.GroupNorm, nn.LocalResponseNorm)


@dataclass(frozen=True)
class Layout:
    """Feature maps in a tensor: (N, C, h, w) with channels `first`, (N, h, w, C) with channels `last`, or
    (N, `extra` + h·w, C) as `tokens` of a `grid` (h, w); these as BatchNorm1d reads them are `flat`,
    (N·(`extra` + h·w), C), or `across`, (N, C, `extra` + h·w).
    """

    order: Literal["first", "last", "tokens", "flat", "across"]
    grid: Grid = (0, 0)
    extra: int = 0

    def maps(self, tensor: Tensor) -> Tensor:
        """The feature maps in it, (N, C, h, w)."""
        if self.order == "first":
            return tensor
        if self.order == "last":
            return tensor.permute(0, 3, 1, 2)
        tokens = self._tokens(tensor)[:, self.extra :]
        return tokens.transpose(1, 2).reshape(len(tokens), -1, *self.grid)

    @property
    def count(self) -> int:
        """How many tokens an image has."""
        return self.extra + self.grid[0] * self.grid[1]

    def _tokens(self, tensor: Tensor) -> Tensor:
        """As (N, count, C)."""
        if self.order == "flat":
            return tensor.reshape(-1, self.count, tensor.shape[1])
        return tensor.transpose(1, 2) if self.order == "across" else tensor

    def fits(self, tensor: Tensor) -> bool:
        """Whether a tensor can hold feature maps in this way; a part of the tokens cannot."""
        if self.order == "flat":
            return tensor.ndim == 2 and tensor.shape[0] % self.count == 0
        if self.order in ("tokens", "across"):
            return tensor.ndim == 3 and tensor.shape[1 if self.order == "tokens" else 2] == self.count
        return tensor.ndim == 4

    def filled(self, tensor: Tensor, maps: Tensor) -> Tensor:
        """The tensor with these feature maps in place of its own; `maps` may be of more images."""
        if self.order == "first":
            return maps
        if self.order == "last":
            return _laid_out(maps.permute(0, 2, 3, 1), tensor)
        tokens = maps.flatten(2).transpose(1, 2)
        if self.extra:
            others = self._tokens(tensor)[:, : self.extra].expand(len(maps), -1, -1)
            tokens = torch.cat([others, tokens], 1)
        if self.order == "flat":
            return tokens.flatten(0, 1)
        return _laid_out(tokens.transpose(1, 2) if self.order == "across" else tokens, tensor)


FIRST, LAST = Layout("first"), Layout("last")


def _laid_out(tensor: Tensor, like: Tensor) -> Tensor:
    """Contiguous if `like` is: some networks call `.view` on it."""
    return tensor.contiguous() if like.is_contiguous() else tensor


GRID, WRONG_GRIDS, UNRELATED = "grid", "wrong grids", "unrelated layers"  # names of notes
WrongGrid = tuple[str, Grid]  # the order of a Layout, and its grid


def give_grid(net: nn.Module, grid: Grid | None) -> nn.Module:
    """The network itself, whose tokens have the positions of this grid (h, w) from now on; None: as found."""
    return write_note(net, GRID, grid)


def grid_of(net: nn.Module) -> Grid | None:
    """The grid that `give_grid` gave the network."""
    grid: Grid | None = note_of(net, GRID)
    return grid


def leave_out_grids(net: nn.Module, grids: frozenset[WrongGrid]) -> nn.Module:
    """The network itself, of which tensors on these grids are not taken for maps from now on."""
    return write_note(net, WRONG_GRIDS, grids)


def left_out_grids(net: nn.Module) -> frozenset[WrongGrid]:
    """The grids that `leave_out_grids` left out."""
    return note_of(net, WRONG_GRIDS) or frozenset()


def leave_out_layers(net: nn.Module, layers: frozenset[str]) -> nn.Module:
    """The network itself, of which these layers, not computed from the image, have no maps from now on."""
    return write_note(net, UNRELATED, layers)


def left_out_layers(net: nn.Module) -> frozenset[str]:
    """The layers that `leave_out_layers` left out."""
    return note_of(net, UNRELATED) or frozenset()


@dataclass(frozen=True, eq=False)
class _Values:
    """Some values of an image's maps (C, h, w): all channels at the first position, and the first channel."""

    channels: Tensor
    positions: Tensor

    def are_in(self, tensor: Tensor) -> bool:
        """Whether the last of the tokens of a tensor (count, C) are these."""
        count = len(self.positions)
        if not 0 <= len(tensor) - count <= MOST_EXTRA or tensor.shape[1] != len(self.channels):
            return False
        first, rest = tensor[len(tensor) - count], tensor[len(tensor) - count :, 0]
        return torch.equal(first, self.channels) and torch.equal(rest, self.positions)


def across_tokens(net: nn.Module) -> frozenset[int] | None:
    """How many values the Linear layers of a network take, which may be its tokens; None where a Conv1d
    may work across any number of them.
    """
    modules = list(net.modules())
    if any(isinstance(each, nn.Conv1d) for each in modules):
        return None
    return frozenset(each.in_features for each in modules if isinstance(each, nn.Linear))


class Layouts:
    """The layouts of the tensors of one forward pass of some images, float (N, channels, h, w).

    `grid`, if it is given, is that of the tokens; with fewer tokens, it is halved as often as they fit.
    `wrong` are grids whose tensors are no maps, since they are not in the order of rows and columns.
    `across` tells how many tokens a layer may work across; None for any number.
    """

    def __init__(
        self,
        images: Tensor,
        grid: Grid | None = None,
        wrong: frozenset[WrongGrid] = frozenset(),
        across: frozenset[int] | None = None,
    ) -> None:
        self.wrong, self.across = wrong, across
        self.given = _halved(grid) if grid else ()
        self.images = images.shape[0] if images.ndim else 0
        self.image_grid: Grid | None = (images.shape[2], images.shape[3]) if images.ndim == 4 else None
        self.grids: list[Grid] = []
        self.guessed: dict[Grid, None] = {}  # of tokens before any maps
        self.halved: dict[Grid, None] = {}  # of tokens that are fewer than those of the maps before
        self.tokens: set[int] = set()
        self.latest: dict[tuple[int, int], Layout] = {}  # of tokens, by their count and channels
        self.reordered = False  # whether a layer has put the tokens in another order
        self.others: set[torch.Size] = set()
        self.known: dict[int, tuple[weakref.ref[Tensor], Layout | None]] = {}
        self.values: deque[_Values] = deque(maxlen=LATEST)
        self.mixes = False  # whether the latest layer works across tokens
        self.mixed: dict[int, weakref.ref[Tensor]] = {}  # what such layers gave

    def of(self, module: nn.Module, received: Tensor, output: Tensor) -> Layout | None:
        """How the output of a layer holds feature maps; None if it holds none."""
        with torch._C.DisableTorchFunction():  # what is compared here is no part of the network's pass
            return self._of(module, received, output)

    def _of(self, module: nn.Module, received: Tensor, output: Tensor) -> Layout | None:
        if self._knows(output):
            self.mixes = self._is_mixed(output)
            return self.known[id(output)][1]
        self.mixes = self._is_across_tokens(module, received, output)
        layout = None if self.mixes else self._find(module, received, output)
        if self.mixes:
            self.mixed[id(output)] = weakref.ref(output)
        if layout and self.wrong and (layout.order, tuple(layout.maps(output).shape[2:])) in self.wrong:
            layout = None
        self.known[id(output)] = (weakref.ref(output), layout)
        if layout:
            self._note(layout, output)
        elif output.ndim == 4:
            self.others.add(output.shape)
        return layout

    def read(self, received: Tensor, given: Layout | None) -> Layout | None:
        """How a tensor that a layer reads holds feature maps: as is known, else as what it gave."""
        if self._knows(received):
            return self.known[id(received)][1]
        return given or (FIRST if received.ndim == 4 else None)

    def _knows(self, tensor: Tensor) -> bool:
        return id(tensor) in self.known and self.known[id(tensor)][0]() is tensor

    def _is_mixed(self, tensor: Tensor) -> bool:
        return id(tensor) in self.mixed and self.mixed[id(tensor)]() is tensor

    def _is_across_tokens(self, module: nn.Module, received: Tensor, output: Tensor) -> bool:
        """Whether a layer's axes are channels and tokens (N, C, count), or what it makes of all tokens.

        So it is in an MLP-Mixer's first half of a block. A tensor that no layer gave is known by the values
        that it has in common with what a layer gave before; else it is a plain transposition, or what a
        Linear layer reads that takes as many values as there are tokens.
        """
        if received.ndim != 3 or output.ndim != 3 or isinstance(module, _BatchNorm) or output.is_meta:
            return False
        if not received.shape[0] == output.shape[0] == self.images or not self.images:
            return False
        if self._is_transposed(output):
            return True
        if received.shape[1] != output.shape[1] or self._is_in_order(received):
            return stage_of(module) == "conv" and self._holds_tokens(received)
        if self._knows(received):
            return self._is_mixed(received) or (stage_of(module) == "conv" and self._holds_tokens(received))
        if self._is_transposed(received):
            return True
        many = received.shape[2] in self.tokens
        alone = isinstance(module, nn.Linear) and received.shape[1] not in self.tokens
        return many and (alone or _is_transposition(received))

    def _holds_tokens(self, tensor: Tensor) -> bool:
        layout = self.known[id(tensor)][1] if self._knows(tensor) else None
        return self._is_in_order(tensor) or (layout is not None and layout.order == "tokens")

    def _is_in_order(self, tensor: Tensor) -> bool:
        """Whether it is (N, count, C), by its values."""
        return any(values.are_in(tensor[0]) for values in self.values)

    def _is_transposed(self, tensor: Tensor) -> bool:
        """Whether it is (N, C, count), by its values."""
        if self._is_in_order(tensor):
            return False
        return any(values.are_in(tensor[0].T) for values in self.values)

    def _keep_values(self, layout: Layout, output: Tensor) -> None:
        if output.is_meta:
            return
        maps = layout.maps(output)[0].detach()
        count = maps[0].numel()
        tokens = self.across is None or any(0 <= each - count <= MOST_EXTRA for each in self.across)
        if count > 1 and tokens:
            self.values.append(_Values(maps[:, 0, 0].clone(), maps[0].flatten().clone()))

    def _note(self, layout: Layout, output: Tensor) -> None:
        self._keep_values(layout, output)
        if layout.order == "tokens":
            self.tokens.add(output.shape[1])
            self.latest[output.shape[1], output.shape[2]] = layout
        if layout.order not in ("first", "last"):
            return
        height, width = layout.maps(output).shape[2:]
        if height * width > 1 and (height, width) not in self.grids[-1:]:
            self.grids.append((height, width))

    def _find(self, module: nn.Module, received: Tensor, output: Tensor) -> Layout | None:
        if output.is_complex():
            return None  # of two parts, of which a map shows one
        if isinstance(module, nn.BatchNorm1d):
            return self._normalized_tokens(output)
        if not output.ndim or output.shape[0] != self.images:
            return None  # of flipped copies or patches, not of the images
        if output.ndim == 3:
            self.reordered = self.reordered or is_reordering(module, received, output)
            return None if self.reordered else self._as_tokens(module, received, output)
        if output.ndim != 4:
            return None
        if _is_channels_first(module, output):
            return FIRST
        if _is_channels_last(module):
            return LAST if self._is_grid(output) else None
        known = self._knows(received)
        before = self.known[id(received)][1] if known else self._by_grid(received)
        if before == FIRST:
            return _after_first(module, received, output)
        if before == LAST and output.shape[1:3] == received.shape[1:3]:
            return LAST
        if output.shape in self.others or self._has_tokens(output):
            return None
        return self._by_grid(output) or (None if known and before is None else FIRST)

    def _normalized_tokens(self, output: Tensor) -> Layout | None:
        """How a BatchNorm1d gives tokens, all in one axis or last: as many, and as wide, as came before."""
        if output.ndim not in (2, 3) or not self.images or self.reordered:
            return None
        count = output.shape[0] // self.images if output.ndim == 2 else output.shape[2]
        layout = self.latest.get((count, output.shape[1]))
        if layout is None or output.shape[0] != self.images * (count if output.ndim == 2 else 1):
            return None
        return replace(layout, order="flat" if output.ndim == 2 else "across")

    def _as_tokens(self, module: nn.Module, received: Tensor, output: Tensor) -> Layout | None:
        count = output.shape[1]
        if stage_of(module) == "conv" or isinstance(module, nn.Unfold):
            return None
        if received.shape == output.shape and self._knows(received) and not self.known[id(received)][1]:
            return None  # of what holds no tokens, such as the channels of a 1-D convolution
        for grid in (*self.given, *(reversed(self.grids) if self.grids else self.guessed)):
            if 0 <= (extra := count - grid[0] * grid[1]) <= MOST_EXTRA:
                return Layout("tokens", grid, extra)
        if self.grids:
            return self._as_fewer_tokens(count)
        for extra in (0, 1):
            side = isqrt(max(count - extra, 0))
            if side > 1 and side * side == count - extra:
                self.guessed[side, side] = None
                return Layout("tokens", (side, side), extra)
        return None

    def _as_fewer_tokens(self, count: int) -> Layout | None:
        """Every second row and column of the grid before, as LeViT goes on with fewer tokens."""
        rows, columns = next(reversed(self.halved), self.grids[-1])
        grid = -(-rows // 2), -(-columns // 2)
        for each in (grid, *self.halved):
            if each[0] * each[1] == count > 1:
                self.halved.setdefault(each)
                return Layout("tokens", each)
        return None

    def _is_grid(self, output: Tensor) -> bool:
        """Whether axes 1 and 2 are rows and columns: as large as maps were before, or half."""
        height, width = output.shape[1:3]
        grids = [grid for grid in (self.image_grid, *self.grids) if grid]
        halves = [(-(-rows // 2), -(-columns // 2)) for rows, columns in grids]
        return (height, width) in {*grids, *halves}

    def _by_grid(self, tensor: Tensor) -> Layout | None:
        """By the sizes of the maps before; None where they do not tell."""
        if tensor.ndim != 4 or self._has_tokens(tensor):
            return None
        if tuple(tensor.shape[2:]) in self.grids:
            return FIRST
        return LAST if tuple(tensor.shape[1:3]) in self.grids else None

    def _has_tokens(self, tensor: Tensor) -> bool:
        """Whether it is attention of tokens to tokens, or tokens by heads."""
        return bool(set(tensor.shape[1:3]) & self.tokens)


def _is_transposition(tensor: Tensor) -> bool:
    """Whether a tensor (N, A, B) is another one, (N, B, A), whose axes were exchanged."""
    base = tensor._base
    if base is None or base.shape != tensor.transpose(1, 2).shape:
        return False
    return base.stride() == tensor.transpose(1, 2).stride()


def _halved(grid: Grid) -> tuple[Grid, ...]:
    """A grid and those with half as many rows and columns, as long as these are whole and more than one."""
    rows, columns = grid
    smaller = _halved((rows // 2, columns // 2)) if rows > 2 and columns > 2 else ()
    return (grid, *(smaller if rows % 2 == columns % 2 == 0 else ()))


def is_reordering(module: nn.Module, received: Tensor, output: Tensor) -> bool:
    """Whether a layer gives the tokens (N, count, C) that it reads in another order, as Hiera's does."""
    if output.ndim != 3 or output.shape != received.shape or output.is_meta or [*module.parameters()]:
        return False
    if torch.equal(output, received):
        return False
    return all(  # the first channel alone tells of nearly every other layer that it is none
        torch.equal(output[..., part].sort(1).values, received[..., part].sort(1).values)
        for part in (slice(1), slice(None))
    )


def _is_channels_first(module: nn.Module, output: Tensor) -> bool:
    if isinstance(module, nn.LayerNorm):
        own = type(module).forward is not nn.LayerNorm.forward
        return len(module.normalized_shape) == 3 or (own and output.shape[1] == module.normalized_shape[0])
    return isinstance(module, NORMS_OF_MAPS) or stage_of(module) in ("conv", "pool")


def _is_channels_last(module: nn.Module) -> bool:
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        return len(module.normalized_shape) == 1
    return isinstance(module, nn.Linear)


def _after_first(module: nn.Module, received: Tensor, output: Tensor) -> Layout | None:
    """What a layer of no known kind makes of maps with channels first."""
    channels, height, width = received.shape[1:]
    if output.shape[1:] == received.shape[1:]:
        return FIRST
    if output.shape[1:] == (height, width, channels):
        return LAST
    across = abs(output.shape[2] * width - output.shape[3] * height)
    torchs = type(module).__module__.startswith("torch.nn.")
    return FIRST if torchs or across <= max(height, width) else None
