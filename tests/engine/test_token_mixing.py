"""Layers that work across tokens, as in an MLP-Mixer: their axes are no rows and columns of maps."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.checkup import check_up
from explorer.engine.tracing import trace
from model.card import Card

CARD = Card(input_size=32, classes=tuple("abcde"))
X = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
ACROSS = ("tokens1", "act", "drop", "tokens2")


class Mixer(nn.Module):
    """Two blocks with the same weights, 8 × 8 tokens; the tokens are mixed by what `turn` makes of them."""

    def __init__(
        self, turn: Callable[[Tensor], Tensor], dim: int = 64, hidden: int = 32, norm: bool = True
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.patches = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, dim, 4, 4)
        self.norm1 = nn.LayerNorm(dim) if norm else None
        self.tokens1, self.act, self.drop, self.tokens2 = (
            nn.Linear(64, hidden), nn.GELU(), nn.Dropout(), nn.Linear(hidden, 64))  # fmt: skip
        self.norm2, self.expand, self.reduce = (
            nn.LayerNorm(dim),
            nn.Linear(dim, hidden),
            nn.Linear(hidden, dim),
        )
        self.turn, self.head = turn, nn.Linear(dim, 5)

    def block(self, x: Tensor) -> Tensor:
        mixed = self.turn(x if self.norm1 is None else self.norm1(x))
        x = x + self.tokens2(self.drop(self.act(self.tokens1(mixed)))).transpose(1, 2)
        return x + self.reduce(self.expand(self.norm2(x)).relu())

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(self.stem(x)).flatten(2).transpose(1, 2)
        return self.head(self.block(self.block(x)).mean(1))


class Turn(nn.Module):
    """As einops' layer: `b n d -> b d n`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 1).contiguous()


TURNS = {
    "view": lambda x: x.transpose(1, 2),
    "copy": lambda x: x.transpose(1, 2).contiguous(),
    "einsum": lambda x: torch.einsum("bnd->bdn", x),
    "module": Turn(),
}
NORMED = [(*each, True) for each in product(TURNS, (48, 64, 72, 1024), (32, 64))]
"""As many channels as tokens; as tokens and others without a position; as positions of earlier maps."""
BARE = [("view", dim, 32, False) for dim in (48, 64, 72, 1024)]


@pytest.mark.parametrize(("turn", "dim", "hidden", "norm"), [*NORMED, *BARE])
def test_layers_across_tokens_are_left_out_by_name(turn: str, dim: int, hidden: int, norm: bool) -> None:
    net = Mixer(TURNS[turn], dim, hidden, norm).eval()
    seen = trace(net, X)
    assert not {name.partition("#")[0] for name in seen.shapes} & {*ACROSS, "turn"}
    assert {"norm2", "norm2#2", "expand", "reduce#2"} <= {*seen.shapes}
    (finding,) = check_up(net, CARD).findings
    assert (finding.name, finding.warning) == ("mixing", False)
    assert {*ACROSS} <= {*finding.sizes["layers"]}


def test_the_other_layers_are_laid_out_as_they_are() -> None:
    net = Mixer(TURNS["view"]).eval()
    tokens: list[Tensor] = []
    net.norm2.register_forward_hook(lambda _, __, output: tokens.append(output.detach()))
    seen = trace(net, X)
    with torch.no_grad():
        net(X)
    wanted = np.empty((64, 8, 8), np.float32)
    for row, column in product(range(8), range(8)):
        wanted[:, row, column] = tokens[0][0, 8 * row + column]
    np.testing.assert_allclose(seen.maps["norm2"], wanted, rtol=1e-5, atol=1e-6)


def test_a_convolution_over_tokens_is_named() -> None:
    class ByConvolution(Mixer):
        """As a Mixer that takes the tokens for the channels of a 1-D convolution."""

        def __init__(self) -> None:
            super().__init__(lambda x: x)
            self.tokens1, self.tokens2 = nn.Conv1d(64, 32, 1), nn.Conv1d(32, 64, 1)

        def block(self, x: Tensor) -> Tensor:
            x = x + self.tokens2(self.act(self.tokens1(self.norm1(x))))
            return x + self.reduce(self.expand(self.norm2(x)).relu())

    net = ByConvolution().eval()
    assert not {"tokens1", "tokens2", "act"} & {*trace(net, X).shapes}
    (finding,) = check_up(net, CARD).findings
    assert "tokens1" in finding.sizes["layers"]


def test_tokens_as_many_as_channels_stay_maps_in_a_transformer() -> None:
    class Square(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.norm = nn.Conv2d(3, 64, 4, 4), nn.LayerNorm(64)
            self.first, self.act, self.second = nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 64)
            self.attention = nn.MultiheadAttention(64, 4, batch_first=True)
            self.head = nn.Linear(64, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = self.patches(x).flatten(2).transpose(1, 2)
            x = x + self.attention(x, x, x)[0]
            x = x + self.second(self.act(self.first(x)))
            return self.head(self.norm(x + self.second(self.first(self.norm(x)))).mean(1))

    net = Square().eval()
    assert {"first", "act", "second", "norm", "first#2", "second#2", "norm#2"} <= {*trace(net, X).shapes}
    assert not check_up(net, CARD).findings
