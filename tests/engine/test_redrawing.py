"""What a network makes of a scene without each part: the same as it makes of those pictures one by one."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from explorer.engine.network import Network
from explorer.engine.redrawing import redraw
from model import scenes
from model.card import Card

HORSE = scenes.CLASSES.index("horse")


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(64, 3),
    )
    return Network(net.eval(), Card(classes=("a", "b", "c")), "for a test")


def test_logits_are_those_of_the_pictures_one_by_one(network: Network) -> None:
    drawn = redraw(network, HORSE, 1, 48)
    assert drawn.parts[-2:] == ("object", "background")
    assert set(drawn.parts[:-2]) == set(scenes.parts(HORSE, 1))
    with torch.no_grad():
        whole = network.net(network.card.to_input(scenes.draw(HORSE, 1, 48).pixels))[0]
        assert np.allclose(drawn.logits, whole, atol=1e-5)
        for name, logits in zip(drawn.parts, drawn.without, strict=True):
            picture = scenes.draw(HORSE, 1, 48, [name]).pixels
            assert np.allclose(logits, network.net(network.card.to_input(picture))[0], atol=1e-5), name


def test_the_network_gets_the_same_outside_the_masks(network: Network) -> None:
    drawn = redraw(network, HORSE, 1, 48)
    assert drawn.masks.shape == (len(drawn.parts), 32, 32)
    for picture, mask in zip(drawn.pictures, drawn.masks, strict=True):
        assert np.array_equal(picture[~mask], drawn.picture[~mask])
        assert (picture != drawn.picture).any(-1)[mask].all()


def test_an_effect_is_the_fall_of_the_logit_or_of_a_difference(network: Network) -> None:
    drawn = redraw(network, HORSE, 1, 48)
    assert np.allclose(drawn.effects(2), drawn.logits[2] - drawn.without[:, 2])
    assert np.allclose(drawn.effects(2, 0), drawn.effects(2) - drawn.effects(0), atol=1e-6)


def test_a_network_that_reads_the_background_depends_on_it(network: Network) -> None:
    class Corner(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            corner = x[:, :, :4, :4].mean((1, 2, 3))
            return torch.stack([corner, torch.zeros_like(corner)], 1)

    drawn = redraw(Network(Corner(), network.card, "corner"), HORSE, 1, 48)
    effects = dict(zip(drawn.parts, drawn.effects(0), strict=True))
    background = effects.pop("background")
    assert abs(background) > 0.1
    assert set(effects.values()) == {0.0}
    assert drawn.depends_on_background(0) == (background > 0)
    assert not drawn.depends_on_background(0, 0)


def test_a_redrawing_is_a_value_and_leaves_the_network_alone(network: Network, untouched) -> None:  # type: ignore[no-untyped-def]
    with untouched(network.net):
        drawn = redraw(network, HORSE, 1, 48)
    assert pickle.loads(pickle.dumps(drawn)) == drawn == redraw(network, HORSE, 1, 48)
    assert drawn != redraw(network, HORSE, 2, 48)
