"""BatchNorms that read the tokens of a grid are looked at as maps, as in LeViT."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.ablation import ablations
from explorer.engine.batchnorm import batchnorms, statistics
from explorer.engine.checkup import check_up
from explorer.engine.layouts import Layout
from explorer.engine.tracing import trace
from model.card import Card

CARD = Card(net="x", classes=("a", "b", "c"), mean=(0.0,) * 3, std=(1.0,) * 3, input_size=28, data="")
X = torch.randn(3, 3, 28, 28, generator=torch.Generator().manual_seed(0))


class Flat(nn.Module):
    """As LeViT's LinearNorm: all tokens of all images in one axis."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear, self.bn = nn.Linear(width, width), nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        return self.bn(x.flatten(0, 1)).reshape_as(x)


class Across(Flat):
    """Tokens in the last axis."""

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.linear(x).transpose(1, 2)).transpose(1, 2)


class Tokens(nn.Module):
    """A convolution to 7 × 7, tokens, then every second row and column of them, 4 × 4; `token` adds one."""

    def __init__(self, kind: type[Flat], token: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.one, self.two = nn.Conv2d(3, 6, 4, stride=4), kind(6), kind(6)
        self.extra = nn.Parameter(torch.randn(1, 1, 6)) if token else None
        self.norm, self.head = nn.BatchNorm1d(6), nn.Linear(6, 3)
        for each in self.modules():
            if isinstance(each, nn.BatchNorm1d):
                nn.init.uniform_(each.running_mean, -0.1, 0.1)
                nn.init.uniform_(each.weight, 0.5, 2)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.stem(x).flatten(2).transpose(1, 2)
        if self.extra is not None:
            return self.head(
                self.norm(self.one(torch.cat([self.extra.expand(len(x), -1, -1), tokens], 1))[:, 0])
            )
        tokens = self.one(tokens).reshape(len(x), 7, 7, 6)[:, ::2, ::2].flatten(1, 2)
        return self.head(self.norm(self.two(tokens).mean(1)))


@pytest.mark.parametrize("kind", [Flat, Across])
def test_their_statistics_are_those_of_what_they_read(kind: type[Flat]) -> None:
    net = Tokens(kind).eval()
    assert batchnorms(net, trace(net, X[:1])) == ("one.bn", "two.bn")
    for layer, side in (("one.bn", 7), ("two.bn", 4)):
        seen: list[tuple[Tensor, Tensor]] = []
        handle = net.get_submodule(layer).register_forward_hook(
            lambda _, read, made, seen=seen: seen.append((read[0].detach(), made.detach()))
        )
        net(X)
        handle.remove()
        before, after = (as_maps(each, kind, side) for each in seen[0])
        measured = statistics(net, X, layer)
        assert np.array_equal(measured.before, before)
        assert np.array_equal(measured.after, after)
        assert np.abs(measured.mean - before.mean((0, 2, 3))).max() < 1e-6


def as_maps(values: Tensor, kind: type[Flat], side: int) -> np.ndarray:
    """By index: position (row, column) of image n is token row · side + column."""
    made = np.zeros((3, 6, side, side), np.float32)
    for n, row, column in np.ndindex(3, side, side):
        token = row * side + column
        made[n, :, row, column] = values[n * side**2 + token] if kind is Flat else values[n, :, token]
    return made


def test_a_token_without_a_position_is_left_out_and_kept() -> None:
    net = Tokens(Flat, token=True).eval()
    seen = trace(net, X)
    assert seen.maps["one.bn"].shape == (3, 6, 7, 7)
    off = ablations(net, X[:1], "one.bn", [2])  # the class token goes on as it was
    assert np.allclose(off.logits.reshape(-1), seen.logits[0], atol=1e-6)


@pytest.mark.parametrize("order", ["tokens", "flat", "across"])
@pytest.mark.parametrize("extra", [0, 1])
def test_maps_are_put_back_where_they_came_from(order: str, extra: int) -> None:
    shape = {"tokens": (2, 6 + extra, 5), "flat": (2 * (6 + extra), 5), "across": (2, 5, 6 + extra)}[order]
    tensor, layout = torch.randn(shape), Layout(order, (2, 3), extra)  # type: ignore[arg-type]
    assert layout.fits(tensor)
    assert layout.maps(tensor).shape == (2, 5, 2, 3)
    assert torch.equal(layout.filled(tensor, layout.maps(tensor)), tensor)


def test_norms_of_vectors_and_of_sequences_are_no_maps() -> None:
    class Sequences(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm = nn.Conv1d(84, 16, 3, padding=1), nn.BatchNorm1d(16)
            self.vector, self.head = nn.BatchNorm1d(16), nn.Linear(16, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.vector(self.norm(self.first(x.flatten(1, 2))).mean(2)))

    assert not batchnorms(Sequences().eval(), trace(Sequences().eval(), X[:1]))


def test_a_grid_of_fewer_tokens_is_said_to_be_a_guess() -> None:
    found = [str(each) for each in check_up(Tokens(Flat).eval(), CARD).findings]
    assert any("they are taken as a grid of 4 × 4" in each for each in found)
