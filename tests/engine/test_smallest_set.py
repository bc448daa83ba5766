"""The greedy search, against a plain loop and on networks where the smallest set is known."""

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine.intervention import Change, intervene
from explorer.engine.smallest_set import GreedySearch, margins, search


class Weighed(nn.Module):
    """Channel k of `maps` is 1 everywhere, and adds `weights[k]` to class 0; class 1 has the logit 1."""

    def __init__(self, weights: list[float]) -> None:
        super().__init__()
        self.maps = nn.Conv2d(3, len(weights), 1)
        nn.init.zeros_(self.maps.weight)
        nn.init.ones_(self.maps.bias)
        self.head = nn.Linear(len(weights), 2)
        self.head.weight.data = torch.tensor([weights, [0.0] * len(weights)])
        self.head.bias.data = torch.tensor([0.0, 1.0])

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.maps(x).mean((2, 3)))
        return logits


X = torch.zeros(1, 3, 4, 4)


def last(net: nn.Module, x: Tensor, layer: str) -> GreedySearch:
    return list(search(net.eval(), x, layer))[-1]


def test_the_largest_weights_go_first() -> None:
    found = last(Weighed([0.5, 3.0, 1.0, 2.0, -1.0]), X, "maps")  # a logit of 5.5, then 2.5, then 0.5
    assert found.channels == (1, 3)
    assert found.changed
    np.testing.assert_allclose(found.margins, [4.5, 1.5, -0.5], atol=1e-6)


def test_a_prediction_that_no_channel_changes() -> None:
    net = Weighed([1.0, 1.0])
    net.head.bias.data = torch.tensor([5.0, 1.0])
    found = last(net, X, "maps")
    assert sorted(found.channels) == [0, 1]
    assert not found.changed


def test_channels_that_are_zero_are_never_taken() -> None:
    net = Weighed([1.0, 1.0, 1.0])
    net.maps.bias.data[1] = 0
    assert sorted(last(net, X, "maps").channels) == [0, 2]


def test_greedy_by_a_plain_loop(tricky: nn.Module, x: Tensor) -> None:
    taken: list[int] = []
    predicted = int(tricky(x)[0].argmax())
    states = list(search(tricky, x, "relu"))
    assert [len(state.channels) for state in states] == list(range(len(states)))
    for _ in states[1:]:
        left = [k for k in range(8) if k not in taken]
        tries = [intervene(tricky, x, [Change("relu", (*taken, k))]).changed for k in left]
        taken.append(left[int(np.argmin(margins(np.stack(tries), predicted)))])
    assert states[-1].channels == tuple(taken)
    assert len(taken) > 1
