import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.ablation import ablation, ablations, without_sets
from explorer.engine.tracing import trace
from model.nets import NETS
from tests.engine.odd_networks import ODD


@pytest.mark.parametrize("layer", ["relu1", "bn2", "relu3", "pool3"])
def test_one_channel_by_hand(course: nn.Module, x: Tensor, untouched: Callable, layer: str) -> None:
    with untouched(course):
        off = ablation(course, x, layer, 5)
    assert off.channels == (5,)
    np.testing.assert_allclose(off.logits, course(x)[0].detach(), atol=1e-5)
    for logits, fill in ((off.zeroed, lambda maps: 0.0), (off.averaged, lambda maps: maps[0, 5].mean())):

        def switch(_: nn.Module, __: object, maps: Tensor, fill: Callable = fill) -> Tensor:
            maps = maps.clone()
            maps[0, 5] = fill(maps)
            return maps

        with course.get_submodule(layer).register_forward_hook(switch):
            np.testing.assert_allclose(logits[0], course(x)[0].detach(), atol=1e-5)


@pytest.mark.parametrize("layer", ["conv1", "relu2"])
def test_all_channels_equal_the_single_ones(course: nn.Module, x: Tensor, layer: str) -> None:
    every = ablations(course, x, layer, batch=24)
    assert every.zeroed.shape == every.averaged.shape == (len(every.channels), 10)
    for channel in every.channels[::7]:
        one = ablation(course, x, layer, channel)
        np.testing.assert_allclose(every.zeroed[channel], one.zeroed[0], atol=1e-5)
        np.testing.assert_allclose(every.averaged[channel], one.averaged[0], atol=1e-5)
    assert pickle.loads(pickle.dumps(every)) == every


@pytest.mark.parametrize("layer", ["relu", "bn2", "down.1", "relu#2", "conv3"])
def test_skips_and_reused_layers(tricky: nn.Module, x: Tensor, untouched: Callable, layer: str) -> None:
    """`y += skip` cannot become a batch in place if only the skip did: then the whole net gets a batch."""
    with untouched(tricky):
        every = ablations(tricky, x, layer)
    for channel in every.channels:
        one = ablation(tricky, x, layer, channel).zeroed[0]
        np.testing.assert_allclose(every.zeroed[channel], one, atol=1e-5)
    assert np.abs(every.zeroed - every.logits).max() > 1e-4


def test_channels_and_errors(course: nn.Module, x: Tensor) -> None:
    some = ablations(course, x, "relu1", channels=[4, 2])
    assert some.channels == (4, 2)
    np.testing.assert_allclose(some.zeroed[1], ablation(course, x, "relu1", 2).zeroed[0], atol=1e-5)
    with pytest.raises(ValueError, match="no channel 32 in 'relu1': choose 0 to 31"):
        ablation(course, x, "relu1", 32)
    with pytest.raises(ValueError, match="not feature maps"):
        ablation(course, x, "fc1", 0)


def test_switching_a_channel_off_in_a_linear_head(gap: nn.Module, x: Tensor) -> None:
    """With a global average the mean of a channel is all that counts: averaging it changes nothing."""
    off = ablations(gap, x, "3")
    np.testing.assert_allclose(off.averaged, np.broadcast_to(off.logits, off.averaged.shape), atol=1e-5)
    drop = (gap[:5](x).flatten() * gap[-1].weight).T.detach()
    np.testing.assert_allclose(off.logits - off.zeroed, drop, atol=1e-5)
    assert torch.is_grad_enabled()


# Sets of channels, from the layer on


def by_hand(net: nn.Module, x: Tensor, layer: str, channels: tuple[int, ...]) -> np.ndarray:
    """The whole network, with a hook of its own."""

    def switch(_: nn.Module, __: object, maps: Tensor) -> Tensor:
        kept = torch.ones(maps.shape[1])
        kept[list(channels)] = 0
        return maps * kept[:, None, None]

    with net.get_submodule(layer).register_forward_hook(switch), torch.no_grad():
        return net(x).numpy()


NOT_TRIED = ("Tokens", "Compiled", "NormAct", "GroupNormAct")


@pytest.mark.parametrize("name", [*NETS, *(name for name in ODD if name not in NOT_TRIED)])
def test_sets_from_a_layer_on_are_those_of_the_whole_network(name: str, x: Tensor, settled: Callable) -> None:
    torch.manual_seed(0)
    net = (NETS | ODD)[name]()
    settled(net)
    for layer in list(trace(net, x).maps)[::3]:
        sets = [(0, 1), (2,), (1,), ()]
        without = without_sets(net, x.clone(), layer, sets)
        wanted = np.concatenate([by_hand(net, x.clone(), layer, one) for one in sets])
        np.testing.assert_allclose(without.zeroed, wanted, atol=1e-5)


def test_the_layers_before_run_for_one_image(course: nn.Module, x: Tensor) -> None:
    rows: dict[str, list[int]] = {"conv1": [], "conv3": []}
    hooks = [
        course.get_submodule(layer).register_forward_hook(lambda _, __, maps, n=n: n.append(len(maps)))
        for layer, n in rows.items()
    ]
    without_sets(course, x, "conv2", [(k,) for k in range(9)])
    for hook in hooks:
        hook.remove()
    assert set(rows["conv1"]) == {1}
    assert max(rows["conv3"]) == 9


def test_one_pass_is_enough_once_it_is_known_that_rows_do_not_mix(course: nn.Module, x: Tensor) -> None:
    seen = trace(course, x)
    ablation(course, x, "relu2", 5, seen)
    passes: list[int] = []
    with course.relu2.register_forward_hook(lambda _, __, maps: passes.append(len(maps))):
        for channel in (6, 7):
            ablation(course, x, "relu2", channel, seen)
    assert passes == [1, 1]


class Centered(nn.Module):
    """Subtracts the mean over the batch, after a layer of which one channel is dead."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu, self.fc = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 3)
        nn.init.constant_(self.conv.bias, 1.0)
        nn.init.zeros_(self.conv.weight[0])
        self.conv.bias.data[0] = 0.0

    def forward(self, x: Tensor) -> Tensor:
        maps = self.relu(self.conv(x)).mean((2, 3))
        return self.fc(maps - maps.mean(0) if len(maps) > 1 else maps)


class OneAtATime(nn.Module):
    """As many first networks end: the maps of one image as one row, whatever comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu, self.fc = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4 * 30 * 30, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.relu(self.conv(x)).view(1, 4 * 30 * 30))


def test_channels_are_switched_off_in_a_network_that_takes_one_image_at_a_time(x: Tensor) -> None:
    torch.manual_seed(0)
    net = OneAtATime().eval()
    every = ablations(net, x, "relu")
    with torch.no_grad():
        maps = net.relu(net.conv(x))
        for channel in every.channels:
            for logits, fill in ((every.zeroed, 0.0), (every.averaged, maps[0, channel].mean())):
                filled = maps.clone()
                filled[0, channel] = fill
                np.testing.assert_allclose(logits[channel], net.fc(filled.flatten(1))[0], atol=1e-5)


def test_a_dead_channel_does_not_hide_that_rows_mix(x: Tensor) -> None:
    torch.manual_seed(0)
    net = Centered().eval()
    for channel in (0, 2):  # the first one changes nothing, so that all rows are alike
        off = ablation(net, x, "relu", channel)
        with torch.no_grad():
            maps = net.relu(net.conv(x)).mean((2, 3))
            maps[:, channel] = 0
            wanted = net.fc(maps)[0].numpy()
        np.testing.assert_allclose(off.zeroed[0], wanted, atol=1e-5)


def test_a_batch_of_sets_is_its_rows(course: nn.Module) -> None:
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    batch = without_sets(course, images, "relu3", [(0, 5), (7,)], batch=2)
    for row, image in zip(batch.rows(), images, strict=True):
        alone = without_sets(course, image[None], "relu3", [(0, 5), (7,)])
        np.testing.assert_allclose(row.zeroed, alone.zeroed, atol=1e-5)
        np.testing.assert_allclose(row.falls(3), alone.logits[3] - alone.zeroed[:, 3], atol=1e-5)


def test_an_empty_set_and_maps_of_zeros_change_nothing_to_the_bit(course: nn.Module, x: Tensor) -> None:
    course.bn3.weight.data[4], course.bn3.bias.data[4] = 0, -1
    every = without_sets(course, x, "relu3", [(), (4,), (5,)])
    assert every.zeroed[0].tobytes() == every.zeroed[1].tobytes() == every.logits.tobytes()
    assert np.abs(every.zeroed[2] - every.logits).max() > 1e-6
    assert without_sets(course, x, "relu3").sets == tuple((k,) for k in range(128))
