"""A network with what is known of it, as one value."""

from dataclasses import dataclass

from torch import nn

from model.checkpoint import Card, Checkpoint


@dataclass(frozen=True, eq=False)
class Network:
    """A network, which nobody hooks or changes, with its card: what it is fed and what its logits mean.

    `key` names it: networks with the same key have the same modules and weights and give the same results.
    """

    net: nn.Module
    card: Card
    key: str


def network_of(checkpoint: Checkpoint) -> Network:
    """The Network of a checkpoint, built anew."""
    return Network(checkpoint.build(), checkpoint.card, f"{checkpoint.card.net} {checkpoint.digest}")
