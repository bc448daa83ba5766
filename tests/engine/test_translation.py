"""Pictures moved by whole pixels, and how often each weight is used."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.functional import pad

from explorer.engine.intervals import interval
from explorer.engine.network import Network
from explorer.engine.translation import DIRECTIONS, MOST, SEED, every_shift, moved, shifted_predictions
from explorer.engine.weight_uses import weight_uses
from model.card import Card
from model.nets import NETS

CARD = Card(input_size=16, classes=tuple("abcd"))


def network() -> Network:
    torch.manual_seed(0)
    return Network(NETS["course"](classes=4, input_size=16, widths=(4, 6), hidden=8).eval(), CARD, "key")


def padded(pixels: np.ndarray, down: int, right: int) -> np.ndarray:
    """The same by padding with the border's pixels and cutting out."""
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    wide = pad(tensor, (MOST,) * 4, mode="replicate")
    cut = wide[:, :, MOST - down : MOST - down + 16, MOST - right : MOST - right + 16]
    return cut[0].permute(1, 2, 0).numpy().astype(np.uint8)


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 16, 16, 3), np.uint8)


def test_moved_by_hand() -> None:
    picture = pictures(1)[0]
    for down, right in ((0, 0), (3, -2), (-1, 3)):
        np.testing.assert_array_equal(moved(picture, down, right), padded(picture, down, right))
    np.testing.assert_array_equal(moved(picture, 2, 0)[2:], picture[:-2])


def test_predictions_of_moved_pictures_are_those_of_one_at_a_time() -> None:
    net, images, labels = network(), pictures(12), np.arange(12) % 4
    made = shifted_predictions(net, images, labels)
    directions = [DIRECTIONS[k] for k in np.random.default_rng(SEED).integers(len(DIRECTIONS), size=12)]
    for distance in range(MOST + 1):
        for row, (down, right) in enumerate(directions):
            x = CARD.to_input(padded(images[row], distance * down, distance * right))
            with torch.no_grad():
                assert made.predicted[distance, row] == int(net.net(x).argmax())
    correct = int((made.predicted[2] == labels).sum())
    assert (made.correct(2).count, made.correct(2).n) == (correct, 12)
    assert made.same(0).value == 1
    assert made.correct(2).ends == interval(correct / 12, 12)


def test_every_shift_of_one_picture() -> None:
    net, picture = network(), pictures(1)[0]
    values = every_shift(net, picture)
    assert values.shape == (7, 7, 4)
    with torch.no_grad():
        for down, right in ((0, 0), (-3, 2)):
            wanted = net.net(CARD.to_input(padded(picture, down, right))).softmax(1)[0]
            np.testing.assert_allclose(values[MOST + down, MOST + right], wanted, atol=1e-6)


def test_uses_of_weights_by_hand() -> None:
    x = torch.zeros(1, 3, 16, 16)
    uses = {each.layer: each for each in weight_uses(network().net, x)}
    assert list(uses) == ["conv1", "conv2", "fc1", "fc2"]
    assert [each.uses for each in uses.values()] == [16 * 16, 8 * 8, 1, 1]
    assert uses["conv2"].parameters == 4 * 6 * 9 + 6
    assert uses["conv2"].products == 4 * 6 * 9 * 64
    assert uses["fc1"].products == 6 * 16 * 8
    mlp = weight_uses(NETS["mlp"](classes=4, input_size=16, hidden=5).eval(), x)
    assert [each.parameters for each in mlp] == [3 * 256 * 5 + 5, 5 * 4 + 4]
    assert {each.uses for each in mlp} == {1}


def test_a_strided_convolution_is_used_at_each_of_its_positions() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(4 * 64, 2)).eval()
    assert [each.uses for each in weight_uses(net, torch.zeros(1, 3, 16, 16))] == [64, 1]
