"""Tokens in another order than rows and columns are found out and are not shown as maps."""

from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from explorer.engine.layouts import left_out_grids
from explorer.engine.network import network_of
from explorer.engine.network_source import Source
from explorer.engine.opening import open_source
from explorer.engine.token_order import wrong_grids
from explorer.engine.tracing import trace

SIZE, SIDE, BLOCK = 64, 16, 4
X = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def blocked(maps: Tensor) -> Tensor:
    """As NesT's blockify at 64 pixels: 16 blocks of 16 tokens, as many as there are rows and columns."""
    parts = maps.reshape(len(maps), SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK, -1)
    return parts.transpose(2, 3).reshape(len(maps), SIDE, SIDE, -1)


ORDERS: dict[str, tuple[Callable[[Tensor], Tensor], bool]] = {
    "rows and columns": (lambda maps: maps, True),
    "blocks": (blocked, False),
    "columns first": (lambda maps: maps.transpose(1, 2).contiguous(), False),
    "turned": (lambda maps: maps.flip(1, 2).clone(), False),
    "tokens": (lambda maps: maps.flatten(1, 2), True),
    "tokens by blocks": (lambda maps: blocked(maps).flatten(1, 2), False),
}


class Transformer(nn.Module):
    """A patch embedding, then layers over the last axis of what `order` makes of maps (N, h, w, C)."""

    def __init__(self, order: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.order, self.patches = order, nn.Conv2d(3, 8, 4, stride=4)
        self.norm, self.mlp, self.act = nn.LayerNorm(8), nn.Linear(8, 8), nn.GELU()
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.order(self.patches(x).permute(0, 2, 3, 1)) + 0.1
        tokens = self.act(self.mlp(self.norm(tokens)))
        return self.head(tokens.flatten(1, -2).mean(1))


@pytest.mark.parametrize("name", ORDERS)
def test_a_wrong_map_is_not_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    order, right = ORDERS[name]
    module = ModuleType("own_order")
    module.build = lambda: Transformer(order).eval()  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "own_order", module)
    opening = open_source(Source(net="own_order:build", input_size=SIZE))
    net = network_of(opening.checkpoint, opening.checkup).net
    shown = set(trace(net, X).maps)
    assert shown == ({"patches", "norm", "mlp", "act"} if right else {"patches"})
    said = [str(each) for each in opening.checkup.findings if each.name == "grid"]
    assert said == (
        []
        if right
        else [
            "A tensor of 16 × 16 tokens is not in the order of the picture’s rows and columns, so the "
            "positions of its tokens are not known. Layers of these tokens are not shown as feature maps."
        ]
    )
    assert bool(left_out_grids(net)) is not right


@pytest.mark.parametrize("right", [True, False])
def test_four_rows_and_columns_are_enough_to_tell(right: bool) -> None:
    """As of a transformer for small pictures."""
    net = Transformer(lambda maps: maps if right else maps.transpose(1, 2).contiguous())
    net.patches = nn.Conv2d(3, 8, 8, stride=8)
    assert bool(wrong_grids(net.eval(), X[..., :32, :32])) is not right


def test_what_mixes_everything_at_once_tells_nothing() -> None:
    def mixed(maps: Tensor) -> Tensor:
        return maps.mean((1, 2), keepdim=True) + 0 * maps

    assert not wrong_grids(Transformer(mixed).eval(), X)


class WideKernel(nn.Module):
    """As ConvNeXt begins, for small pictures: a kernel nearly as wide as the maps, then channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.deep = nn.Conv2d(3, 8, 4, 4), nn.Conv2d(8, 8, 7, padding=3, groups=8)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.deep(self.stem(x)).permute(0, 2, 3, 1)).mean((1, 2)))


def test_what_a_wide_kernel_carries_far_is_in_order() -> None:
    for seed in range(8):
        torch.manual_seed(seed)
        assert not wrong_grids(WideKernel().eval(), torch.randn(1, 3, 32, 32))
