import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.intervals import interval
from explorer.engine.intervention import Change, altered
from explorer.engine.pruning import (
    counts,
    first_of,
    joined,
    pruned_predictions,
    pruning,
    random_order,
)
from tests.engine.conftest import settle

SETS = ((0,), (1, 4), (), tuple(range(8)))


class Small(nn.Sequential):
    """Two convolutions with BatchNorm and ReLU, and a linear head."""

    def __init__(self, width: int = 8) -> None:
        super().__init__(
            nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5),
        )  # fmt: skip


def without(net: Small, channels: tuple[int, ...]) -> Small:
    """The network built without some channels of its first block, with its weights sliced by hand."""
    kept = [channel for channel in range(8) if channel not in channels]
    small = Small(len(kept)).eval()
    state = dict(net.state_dict())
    for name in ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"):
        state[name] = state[name][kept]
    state["4.weight"] = state["4.weight"][:, kept]
    small.load_state_dict(state)
    return small


@pytest.fixture(scope="module")
def images() -> tuple[Tensor, np.ndarray]:
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(150, 3, 8, 8, generator=generator)
    return x, np.random.default_rng(5).integers(0, 5, 150)


@pytest.fixture(scope="module")
def net(images: tuple[Tensor, np.ndarray]) -> nn.Module:
    """It predicts each of the classes for some of the images."""
    torch.manual_seed(3)
    net = settle(Small())
    with torch.no_grad():
        net[-1].bias -= net(images[0]).mean(0)
    return net


@pytest.mark.parametrize("layer", ["2", "3", "1"])  # after the ReLU, after the pooling, before the ReLU
def test_it_is_the_accuracy_of_a_network_without_these_channels(
    net: Small, images: tuple[Tensor, np.ndarray], layer: str
) -> None:
    x, labels = images
    sets = ((0,), (1, 4), (2, 3, 5, 6, 7))
    measured = pruned_predictions(net, x, labels, layer, sets, np.zeros(8, np.float32))
    with torch.no_grad():
        assert (measured.whole == net(x).argmax(1).numpy()).all()
        for index, one in enumerate(sets):
            expected = without(net, one)(x).argmax(1).numpy()
            assert (measured.pruned[index] == expected).all()
            assert measured.cost(index).accuracy == (expected == labels).mean()
    assert (measured.pruned[2] != measured.whole).any()


def test_the_mean_of_a_channel_is_a_bias_of_the_next_layer(
    net: Small, images: tuple[Tensor, np.ndarray]
) -> None:
    x, labels = images
    fill = np.linspace(0.1, 0.8, 8, dtype=np.float32)
    measured = pruned_predictions(net, x, labels, "3", ((2, 6),), fill)

    def constant(_: nn.Module, __: object, maps: Tensor) -> Tensor:
        maps = maps.clone()
        maps[:, 2], maps[:, 6] = float(fill[2]), float(fill[6])
        return maps

    with torch.no_grad(), net[3].register_forward_hook(constant):
        assert (measured.pruned[0] == net(x).argmax(1).numpy()).all()


def test_counts_of_changed_lost_and_gained_images(net: Small, images: tuple[Tensor, np.ndarray]) -> None:
    x, labels = images
    measured = pruned_predictions(net, x, labels, "2", SETS, np.zeros(8, np.float32))
    cost = measured.cost(3)
    whole, pruned = measured.whole, measured.pruned[3]
    assert cost.changed == sum(one != other for one, other in zip(whole, pruned, strict=True))
    assert cost.lost == sum((whole == labels) & (pruned != labels))
    assert cost.correct == cost.before - cost.lost + cost.gained
    assert cost.difference == pytest.approx((cost.gained - cost.lost) / 150)
    assert cost.interval == interval(cost.correct / 150, 150)
    assert (measured.cost(2).changed, measured.cost(2).difference) == (0, 0)


def test_batches_give_what_all_images_give(
    net: Small, images: tuple[Tensor, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, labels = images
    fill = np.zeros(8, np.float32)
    together = pruned_predictions(net, x, labels, "2", SETS, fill)
    monkeypatch.setattr("explorer.engine.pruning.MOST_VALUES", 2 * 40 * 8 * 64)
    batches = [(lambda rows=rows: x[rows], labels[rows]) for rows in (slice(0, 40), slice(40, 150))]
    assert joined(list(pruning(net, batches, "2", SETS, fill))) == together


@pytest.mark.parametrize("layer", ["relu", "bn2", "down.1", "relu#2", "conv3"])
def test_skips_and_reused_layers(tricky: nn.Module, layer: str) -> None:
    """What skips the layer has fewer rows than what it becomes: then the whole network gets all of them."""
    x = torch.randn(5, 3, 9, 9, generator=torch.Generator().manual_seed(1))
    channels = 6 if layer == "conv3" else 8
    sets = (*((channel,) for channel in range(channels)), tuple(range(channels)))
    fill = np.zeros(channels, np.float32)
    measured = pruned_predictions(tricky, x, np.zeros(5, np.int64), layer, sets, fill)
    with torch.no_grad():
        for index, one in enumerate(sets):
            expected = altered(tricky, [Change(layer, one)])(x.clone()).argmax(1).numpy()
            assert (measured.pruned[index] == expected).all()


def test_a_network_that_mixes_the_rows_gets_one_image_at_a_time(images: tuple[Tensor, np.ndarray]) -> None:
    torch.manual_seed(6)
    mixing = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU(), nn.Flatten(),
        nn.Linear(144, 5),
    ).eval()  # fmt: skip
    x, labels = images[0][:6], images[1][:6]
    measured = pruned_predictions(mixing, x, labels, "2", ((0, 1, 2),), np.zeros(4, np.float32))
    with torch.no_grad():
        changed = altered(mixing, [Change("2", (0, 1, 2))])
        expected = [int(changed(one[None].clone()).argmax()) for one in x]
    assert measured.pruned[0].tolist() == expected


def test_orders_and_errors(net: Small, images: tuple[Tensor, np.ndarray]) -> None:
    assert sorted(random_order(64, 2)) == list(range(64))
    assert random_order(64, 2) == random_order(64, 2) != random_order(64, 3)
    assert counts(64) == (8, 16, 24, 32, 40, 48, 56, 64)
    assert counts(3) == (1, 2, 3)
    assert first_of((5, 2, 9), (1, 3)) == ((5,), (2, 5, 9))
    with pytest.raises(ValueError, match="no channel 8 in '2'"):
        pruned_predictions(net, images[0], images[1], "2", ((8,),), np.zeros(8, np.float32))
