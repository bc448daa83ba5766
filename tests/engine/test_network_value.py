"""What names a network: its weights, whatever its builder is called, and how images are prepared for it."""

from dataclasses import replace

import pytest

from explorer.engine.network import Network, network_of
from explorer.engine.network_source import Source
from explorer.engine.opening import open_source


def opened(spec: str) -> Network:
    opening = open_source(Source(net=spec, input_size=32))
    return network_of(opening.checkpoint, opening.checkup)


@pytest.mark.parametrize("spec", ["model.nets:CourseCNN", "model.nets:CourseCNN(classes=3, hidden=8)"])
def test_the_digest_is_that_of_the_weights(spec: str) -> None:
    opening = open_source(Source(net=spec, input_size=32))
    network = network_of(opening.checkpoint, opening.checkup)
    assert network.digest == opening.checkpoint.digest


def test_the_identity_tells_weights_and_settings_apart() -> None:
    network = opened("model.nets:CourseCNN(classes=3, hidden=8)")
    others = [
        opened("model.nets:CourseCNN(classes=3, hidden=9)"),
        replace(network, card=replace(network.card, std=(0.3,) * 3)),
        replace(network, card=replace(network.card, classes=("a", "b", "c"))),
        replace(network, card=replace(network.card, resize=40)),
    ]
    identities = {network.identity, *(other.identity for other in others)}
    assert len(identities) == 5
    assert opened("model.nets:CourseCNN(classes=3, hidden=8)").identity == network.identity
