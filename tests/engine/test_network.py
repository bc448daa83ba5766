from dataclasses import replace

import torch

from explorer.engine.network import network_of
from model.card import Card
from model.checkpoint import Checkpoint, digest_of
from model.nets import CourseCNN

CARD = Card(arguments={"widths": (2, 3), "hidden": 4}, input_size=8)


def checkpoint_of(net: CourseCNN, card: Card = CARD) -> Checkpoint:
    state = net.state_dict()
    return Checkpoint(card, state, digest_of(state))


def test_the_key_is_that_of_modules_and_weights() -> None:
    torch.manual_seed(0)
    one, other = (CourseCNN(widths=(2, 3), hidden=4, input_size=8) for _ in range(2))
    first = network_of(checkpoint_of(one))
    assert first.card is CARD
    assert first.key == network_of(checkpoint_of(one)).key
    assert first.key != network_of(checkpoint_of(other)).key
    named = replace(checkpoint_of(one, replace(CARD, net="mine:net")), builder=lambda: one)
    assert first.key != network_of(named).key
    x = torch.zeros(1, 3, 8, 8)
    assert torch.equal(first.net(x), one.eval()(x))
