"""One image under many masks; torch.nn.functional.dropout with the same seed is the oracle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, dropout1d, dropout2d, dropout3d

from explorer.engine import dropout as dropout_masks
from explorer.engine.dropout import MASKS, DropoutLayer, dropouts, masked
from explorer.engine.randomness import SEED


@pytest.fixture
def image() -> Tensor:
    return torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(4))


def two_dropouts() -> nn.Module:
    torch.manual_seed(2)
    body = [nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Dropout2d(0.25), nn.AdaptiveAvgPool2d(4), nn.Flatten()]
    return nn.Sequential(*body, nn.Dropout(0.5), nn.Linear(96, 5), nn.AlphaDropout(0.3)).eval()


def test_the_masks_are_those_of_functional_dropout(
    course: nn.Module, image: Tensor, untouched: Callable
) -> None:
    with untouched(course):
        layers = dropouts(course, image)
        made = masked(course, image, layers, "dropout")
    assert layers == (DropoutLayer("dropout", 0.5),)
    hidden = hidden_of(course, image)
    torch.manual_seed(SEED)
    with torch.no_grad():
        after = dropout(hidden.expand(MASKS, -1), 0.5, training=True)
        wanted = course.fc2(after).softmax(1)
        plain = course.fc2(hidden).softmax(1)[0]
    np.testing.assert_allclose(made.probabilities, wanted, atol=1e-5)
    np.testing.assert_allclose(made.plain, plain, atol=1e-6)
    np.testing.assert_allclose(made.received, hidden[0], atol=1e-5)
    on = made.active
    np.testing.assert_array_equal(made.masks[:, on], (after != 0).numpy()[:, on])
    assert made.predicted.tolist() == wanted.argmax(1).tolist()
    assert abs(made.masks.mean() - 0.5) < 0.02


def test_a_dropout_that_keeps_nothing_gives_zeros(image: Tensor) -> None:
    net = two_dropouts()
    net[5].p = 1.0
    made = masked(net, image, (DropoutLayer("5", 1.0),), "5")
    assert not made.masks.any()
    wanted = net[6].bias.detach().softmax(0).expand(MASKS, -1)
    np.testing.assert_allclose(made.probabilities, wanted, atol=1e-6)


def hidden_of(course: nn.Module, image: Tensor) -> Tensor:
    inputs: list[Tensor] = []
    hook = course.dropout.register_forward_hook(lambda _, args, __: inputs.append(args[0].clone()))
    with torch.no_grad():
        course(image)
    hook.remove()
    return inputs[0]


@pytest.mark.parametrize("at_once", [MASKS, 5])
def test_several_layers_whole_channels_and_passes_of_any_size(
    image: Tensor, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    net = two_dropouts()
    layers = dropouts(net, image)
    assert layers == (DropoutLayer("2", 0.25, "channels"), DropoutLayer("5", 0.5))
    monkeypatch.setattr(dropout_masks, "MOST_PIXELS", at_once * 32 * 32)
    made = masked(net, image, layers, "2")
    assert made.masks.shape == (MASKS, 6, 30, 30)
    np.testing.assert_array_equal(made.masks, made.masks[:, :, :1, :1].repeat(30, 2).repeat(30, 3))
    if at_once == MASKS:
        torch.manual_seed(SEED)
        with torch.no_grad():
            maps = dropout2d(net[:2](image).expand(MASKS, -1, -1, -1), 0.25, training=True)
            wanted = net[6](dropout(net[3:5](maps), 0.5, training=True)).softmax(1)
        np.testing.assert_allclose(made.probabilities, wanted, atol=1e-5)


def test_another_p_and_none_at_all(course: nn.Module, image: Tensor) -> None:
    layers = dropouts(course, image)
    none = masked(course, image, layers, "dropout", 0.0)
    np.testing.assert_allclose(none.probabilities, np.tile(none.plain, (MASKS, 1)), atol=1e-5)
    assert none.masks.all()
    assert abs(masked(course, image, layers, "dropout", 0.1).masks.mean() - 0.9) < 0.02
    assert dropouts(nn.Sequential(nn.Flatten(), nn.Linear(3072, 2)), image) == ()


def test_a_layer_called_twice_has_two_masks(image: Tensor) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.drop = nn.Linear(3072, 8), nn.Dropout(0.5)
            self.last = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.drop(self.fc(self.drop(x.flatten(1)))))

    layers = dropouts(Twice().eval(), image)
    assert [each.layer for each in layers] == ["drop", "drop#2"]


class Tokens(nn.Module):
    """A class token before those of a 4 × 4 grid, and a head that reads it alone; the batch may be second."""

    def __init__(self, drop: nn.Module, batch_second: bool = False) -> None:
        super().__init__()
        self.patch, self.mix, self.drop = nn.Conv2d(3, 6, 8, 8), nn.Linear(17, 17), drop
        self.head, self.batch_second = nn.Linear(6, 3), batch_second

    def before(self, x: Tensor) -> Tensor:
        maps = self.patch(x).flatten(2)
        tokens = self.mix(torch.cat([maps[..., :1] * 0 + 1, maps], 2)).transpose(1, 2)
        return tokens.transpose(0, 1) if self.batch_second else tokens

    def after(self, tokens: Tensor) -> Tensor:
        return self.head(tokens[0] if self.batch_second else tokens[:, 0])

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.drop(self.before(x)))


@pytest.mark.parametrize("batch_second", [False, True])
def test_tokens_without_a_position_are_switched_off_too(image: Tensor, batch_second: bool) -> None:
    torch.manual_seed(3)
    net = Tokens(nn.Dropout(0.5), batch_second).eval()
    made = masked(net, image, dropouts(net, image), "drop")
    torch.manual_seed(SEED)
    with torch.no_grad():
        every = net.before(image.expand(MASKS, -1, -1, -1))
        tokens = dropout(torch.empty(every.shape).copy_(every), 0.5, training=True)
        wanted = net.after(tokens).softmax(1)
    np.testing.assert_allclose(made.probabilities, wanted, atol=1e-5)
    kept = (tokens.transpose(0, 1) if batch_second else tokens).numpy() != 0
    np.testing.assert_array_equal(made.masks.reshape(kept.shape), kept)
    assert made.received.size == 17 * 6


@pytest.mark.parametrize(
    ("before", "drop", "function", "unit"),
    [
        (nn.Flatten(), nn.Dropout1d(0.5), dropout1d, "images"),
        (nn.Identity(), nn.Dropout3d(0.5), dropout3d, "images"),
        (nn.Flatten(2), nn.Dropout1d(0.5), dropout1d, "channels"),
    ],
)
@pytest.mark.filterwarnings("ignore:dropout")
def test_what_is_switched_off_at_once_is_that_of_torch(
    image: Tensor, before: nn.Module, drop: nn.Module, function: Callable, unit: str
) -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 8, 8), before, drop, nn.Flatten(), nn.Linear(80, 3)).eval()
    layers = dropouts(net, image)
    assert layers == (DropoutLayer("2", 0.5, unit),)
    made = masked(net, image, layers, "2")
    torch.manual_seed(SEED)
    with torch.no_grad():
        wanted = net[3:](function(net[:2](image.expand(MASKS, -1, -1, -1)), 0.5, True)).softmax(1)
    np.testing.assert_allclose(made.probabilities, wanted, atol=1e-5)


def test_whole_tokens_and_rows_are_not_called_channels(image: Tensor) -> None:
    class ChannelsLast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.drop = nn.Conv2d(3, 6, 4, 4), nn.LayerNorm(6), nn.Dropout2d(0.5)

        def forward(self, x: Tensor) -> Tensor:
            return self.drop(self.norm(self.conv(x).permute(0, 2, 3, 1))).mean((1, 2))

    net = ChannelsLast().eval()
    assert dropouts(net, image)[0].unit == "rows"
    masks = masked(net, image, dropouts(net, image), "drop").masks
    np.testing.assert_array_equal(masks, masks[:, :, :1, :1].repeat(8, 2).repeat(6, 3))
    assert dropouts(Tokens(nn.Dropout1d(0.5)).eval(), image)[0].unit == "tokens"
