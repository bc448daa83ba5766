"""Networks in which the images of a batch change each other's results: one image is computed alone."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.engine.ablation import ablations
from explorer.engine.attribution import (
    attribute,
    class_gradients,
    evidence_from,
    heat_from,
)
from explorer.engine.checkup import check_up, picture
from explorer.engine.tracing import blocks, trace
from model.card import Card
from model.problems import Problem
from tests.engine.conftest import settle

X = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
CLASSES = (0, 2, 3)


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)
        self.conv2, self.fc = nn.Conv2d(8, 12, 3, padding=1), nn.Linear(12, 4)

    def mixed(self, maps: Tensor) -> Tensor:
        return maps

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv2(self.pool(self.relu(self.bn1(self.conv1(x)))))
        return self.fc(self.mixed(maps).relu().mean((2, 3)))


class Untracked(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(8, track_running_stats=False)


class Functional(Plain):
    def mixed(self, maps: Tensor) -> Tensor:
        return F.batch_norm(maps, None, None, training=True)


class Centered(Plain):
    def mixed(self, maps: Tensor) -> Tensor:
        return maps - 0.5 * maps.mean(0)


class Drops(Plain):
    def mixed(self, maps: Tensor) -> Tensor:
        return F.dropout(maps, 0.3)


MIXING = (Untracked, Functional, Centered, Drops)


def made(kind: type[Plain]) -> Plain:
    torch.manual_seed(1)
    return settle(kind())  # type: ignore[return-value]


def by_hand(net: nn.Module, layer: str, target: int) -> tuple[Tensor, Tensor]:
    """A layer's maps and autograd's gradients, (C, h, w), of the image alone, by the seed of all passes."""
    outputs: list[Tensor] = []
    handle = net.get_submodule(layer).register_forward_hook(lambda _, __, output: outputs.append(output))
    torch.manual_seed(0)
    logits = net(X)
    handle.remove()
    return outputs[0][0].detach(), torch.autograd.grad(logits[0, target], outputs[0])[0][0]


@pytest.mark.parametrize("kind", [Plain, *MIXING])
@pytest.mark.parametrize("layer", ["conv1", "pool"])
def test_the_gradients_of_many_classes_are_those_of_the_image_alone(kind: type[Plain], layer: str) -> None:
    net = made(kind)
    for one, target in zip(class_gradients(net, X, [layer], CLASSES)[layer], CLASSES, strict=True):
        maps, gradient = by_hand(net, layer, target)
        assert (one.target, one.against) == (target, None)
        torch.testing.assert_close(torch.from_numpy(one.maps), maps)
        torch.testing.assert_close(torch.from_numpy(one.gradients), gradient, rtol=1e-5, atol=1e-7)
        heat = (gradient.mean((1, 2), keepdim=True) * maps).sum(0)
        torch.testing.assert_close(torch.from_numpy(heat_from(net, one, "grad_cam").values), heat)
        torch.testing.assert_close(torch.from_numpy(evidence_from(one).weights), gradient.mean((1, 2)))


@pytest.mark.parametrize("kind", [Plain, *MIXING])
def test_they_are_captums(kind: type[Plain]) -> None:
    """Captum is asked for one class after another, with a pass of its own for each."""
    from captum.attr import LayerGradientXActivation

    net = made(kind)
    captum = LayerGradientXActivation(net, net.pool, multiply_by_inputs=False)
    for one, target in zip(class_gradients(net, X, ["pool"], CLASSES)["pool"], CLASSES, strict=True):
        torch.manual_seed(0)
        wanted = captum.attribute(X, target=target)[0].detach()
        torch.testing.assert_close(torch.from_numpy(one.gradients), wanted, rtol=1e-6, atol=1e-6)
        alone = attribute(net, X, layer="pool", target=target)
        np.testing.assert_allclose(heat_from(net, one, "grad_cam").values, alone.values, rtol=1e-5, atol=1e-6)


def test_no_class_depends_on_a_layer_whose_maps_are_dropped() -> None:
    class Unused(Plain):
        def forward(self, x: Tensor) -> Tensor:
            self.conv1(x)
            return self.conv2(self.bn1(x.repeat(1, 3, 1, 1)[:, :8])).mean((2, 3))[:, :4]

    assert class_gradients(made(Unused), X, ["bn1", "conv2"], (2, 3))["bn1"][1].gradients.any()
    with pytest.raises(ValueError, match="No gradient of the class reaches layer 'conv1'"):
        class_gradients(made(Unused), X, ["bn1", "conv1"], (2, 3))


@pytest.mark.parametrize("kind", [Plain, *MIXING])
@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_each_channel_is_switched_off_alone(kind: type[Plain], layer: str) -> None:
    """By hand: one channel after another is set to zero in a pass of its own, by the seed of all passes."""
    net = made(kind)
    zeroed = ablations(net, X, layer).zeroed
    for channel, logits in enumerate(zeroed):

        def switch(_: nn.Module, __: object, maps: Tensor, channel: int = channel) -> Tensor:
            kept = torch.ones(maps.shape[1])
            kept[channel] = 0
            return maps * kept[:, None, None]

        handle = net.get_submodule(layer).register_forward_hook(switch)
        torch.manual_seed(0)
        with torch.no_grad():
            wanted = net(X)[0].numpy()
        handle.remove()
        np.testing.assert_allclose(logits, wanted, rtol=1e-4, atol=1e-5)


class Flips(Plain):
    """The mean of an image's logits and its mirror image's, both in one batch."""

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv0(x)
        return Plain.forward(self, torch.cat([maps, maps.flip(3)])).unflatten(0, (2, -1)).mean(0)

    def __init__(self) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(3, 3, 3, padding=1)


class Patches(Flips):
    def forward(self, x: Tensor) -> Tensor:
        patches = self.conv0(x).unfold(2, 8, 8).unfold(3, 8, 8).permute(0, 2, 3, 1, 4, 5)
        return Plain.forward(self, patches.flatten(0, 2)).unflatten(0, (-1, 4)).mean(1)


@pytest.mark.parametrize("kind", [Flips, Patches])
@pytest.mark.parametrize("images", [1, 2])
def test_layers_with_another_number_of_rows_than_images_are_left_out(kind: type[Plain], images: int) -> None:
    net, x = made(kind), torch.cat([X, X.flip(2)])[:images]
    seen = trace(net, x)
    assert list(seen.maps) == list(seen.shapes) == ["conv0"]
    assert [block.name for block in blocks(net, seen)] == ["conv0"]
    with torch.no_grad():
        np.testing.assert_allclose(np.atleast_2d(seen.logits), net(x).numpy(), rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match=r"'conv1' gives values of shape .* which are not feature maps"):
        attribute(net, x, layer="conv1", target=0)


@pytest.mark.parametrize(("kind", "rows"), [(Flips, 2), (Patches, 4)])
def test_such_layers_are_named(kind: type[Plain], rows: int) -> None:
    (finding,) = check_up(made(kind), CARD).findings
    assert (finding.name, finding.warning) == ("parts", False)
    assert str(finding) == (
        f"These layers compute with {rows} parts or copies of one image at once: conv1, conv2. They are not "
        "shown as feature maps."
    )


class ReadsTwice(Plain):
    """Attention whose keys and values come of two calls of one layer: it refuses one image with many."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(12), nn.MultiheadAttention(12, 2, batch_first=True)
        self.query = nn.Parameter(torch.randn(1, 2, 12))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.conv2(self.pool(self.relu(self.bn1(self.conv1(x))))).flatten(2).transpose(1, 2)
        query = self.query.expand(len(x), -1, -1)
        return self.fc(self.attention(query, self.norm(tokens), self.norm(tokens))[0].mean(1))


def test_channels_are_switched_off_where_a_network_refuses_one_image_with_many() -> None:
    net = made(ReadsTwice)
    zeroed = ablations(net, X, "norm#2").zeroed
    for channel, logits in enumerate(zeroed):
        calls: list[Tensor] = []

        def switch(
            _: nn.Module, __: object, tokens: Tensor, channel: int = channel, calls: list = calls
        ) -> Tensor:
            calls.append(tokens)
            kept = torch.ones(12)
            kept[channel] = float(len(calls) != 2)
            return tokens * kept

        handle = net.norm.register_forward_hook(switch)
        with torch.no_grad():
            wanted = net(X)[0].numpy()
        handle.remove()
        np.testing.assert_allclose(logits, wanted, rtol=1e-4, atol=1e-5)


CARD = Card(classes=("a", "b", "c", "d"), input_size=16)


@pytest.mark.parametrize("kind", [Functional, Centered])
def test_the_check_up_says_by_how_much_images_change_each_other(kind: type[Plain]) -> None:
    net = made(kind)
    both = torch.cat([CARD.to_input(picture(seed, 16)) for seed in (0, 1)])
    with torch.no_grad():
        change = float((net(both) - torch.cat([net(both[:1]), net(both[1:])])).abs().max())
    (finding,) = check_up(net, CARD).findings
    assert (finding.name, finding.warning) == ("batch", True)
    assert "The result for one image depends on the other images of a batch" in str(finding)
    assert f"(largest difference of the logits: {change:.2g})" in str(finding)


@pytest.mark.parametrize("kind", [Plain, Flips, Untracked, Drops])
def test_it_says_so_of_no_other_network_and_not_twice(kind: type[Plain]) -> None:
    assert "batch" not in [finding.name for finding in check_up(made(kind), CARD).findings]


class Columns(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).T


def test_a_column_for_each_image_is_refused() -> None:
    with pytest.raises(Problem, match="a column for each image, 4 × 2: make it return a row"):
        check_up(made(Columns), CARD)


class OneAtATime(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).reshape(1, 4)


def test_a_network_that_takes_one_image_at_a_time_is_opened() -> None:
    assert check_up(made(OneAtATime), CARD).findings == ()
