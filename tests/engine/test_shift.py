"""BatchNorm under a shift of the data: statistics, recalibration, intervals."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from explorer.engine import norm_inputs, recalibration, shift_measuring
from explorer.engine.corruptions import CORRUPTIONS
from explorer.engine.intervals import paired_interval
from explorer.engine.network import Network
from explorer.engine.norm_inputs import logits_of, observe
from explorer.engine.recalibration import recalibrated
from explorer.engine.shift import drift
from explorer.engine.shift_measuring import Pictures, change, first_beyond, measure_own, measure_shift
from model.card import Card
from model.problems import Problem


def network(seed: int = 0) -> nn.Sequential:
    """Two convolutions with BatchNorm that have seen some noise; a dropout that stays off."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(5, 3), nn.BatchNorm1d(3),
    )  # fmt: skip
    net.train()
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(16, 3, 8, 8) + 0.5)
    return net.eval()


def images(count: int = 20, seed: int = 1) -> Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


class Reused(nn.Module):
    """One BatchNorm called twice, and a view that needs the usual memory order."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Linear(192, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(self.norm(x)))
        logits: Tensor = self.fc(x.view(len(x), -1))
        return logits


NETWORKS: dict[str, Callable[[], nn.Module]] = {"plain": network, "reused": lambda: Reused().eval()}


def test_what_batchnorm_receives_is_the_convolutions_output() -> None:
    net, x = network(), images(300)
    seen = observe(net, x)
    with torch.no_grad():
        first = net[0](x).double()
        second = net[:4](x).double()
    for layer, maps in (("1", first), ("4", second)):
        np.testing.assert_allclose(seen.norms[layer].mean, maps.mean((0, 2, 3)), atol=1e-6)
        np.testing.assert_allclose(seen.norms[layer].var, maps.var((0, 2, 3), correction=0), rtol=1e-5)
    np.testing.assert_allclose(seen.logits, net(x).detach(), atol=1e-5)
    np.testing.assert_allclose(logits_of(net, x), seen.logits, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("count", [20, 300])
def test_recalibrated_statistics_are_batchnorms_own(name: str, count: int) -> None:
    net, x = NETWORKS[name](), images(count)
    state = copy.deepcopy(net.state_dict())
    made = recalibrated(net, x)
    oracle = copy.deepcopy(net)
    for module in oracle.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    update_bn(torch.split(x, norm_inputs.AT_ONCE), oracle)  # type: ignore[arg-type]
    for key, value in oracle.state_dict().items():
        if "running" in key:
            torch.testing.assert_close(made.state_dict()[key], value, rtol=1e-5, atol=1e-6)
            assert not torch.equal(value, state[key])
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in state.items())
    assert not net.training
    np.testing.assert_allclose(logits_of(made, x[:4]), oracle.eval()(x[:4]).detach(), atol=1e-5)


def test_the_first_layers_recalibrated_statistics_follow_from_the_images() -> None:
    net, x = network(), images(40)
    made = recalibrated(net, x)
    with torch.no_grad():
        maps = net[0](x)
    torch.testing.assert_close(made.state_dict()["1.running_mean"], maps.mean((0, 2, 3)))
    torch.testing.assert_close(made.state_dict()["1.running_var"], maps.var((0, 2, 3)), rtol=1e-5, atol=1e-6)


def test_a_pure_brightness_shift_moves_a_linear_convolution_as_computed_by_hand() -> None:
    """Without padding, w·(x + d) is w·x + d·Σw: the mean moves by d·Σw, the variance not at all."""
    net, x = network(), images(30)
    plain, shifted = observe(net, x), observe(net, x + 0.3)
    one = drift(net, plain, shifted, paired=True)["1"]
    weight, norm = net[0].weight.detach().double(), net[1]
    expected = 0.3 * weight.sum((1, 2, 3)) / (norm.running_var.double() + norm.eps).sqrt()
    np.testing.assert_allclose(one.shift, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(one.low, expected, rtol=1e-3, atol=1e-5)  # the same for every image
    np.testing.assert_allclose(one.high, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(one.widening, 1, rtol=1e-4)
    np.testing.assert_allclose(one.running_mean, norm.running_mean, rtol=1e-6)
    distance = (one.plain_mean - one.running_mean) / one.running_std
    np.testing.assert_allclose(one.distance, distance)


def test_other_images_of_the_same_kind_are_seldom_beyond_chance() -> None:
    net = network()
    beyond = [
        drift(net, observe(net, images(60, 2 * seed)), observe(net, images(60, 2 * seed + 1)), False)[
            "4"
        ].beyond
        for seed in range(1, 21)
    ]
    assert np.mean(beyond) == pytest.approx(0.05, abs=0.06)  # of 100 channels


def test_a_network_without_running_statistics_is_a_sentence() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2, track_running_stats=False), nn.Flatten())
    with pytest.raises(Problem, match="no BatchNorm with running statistics"):
        observe(net, images(4))


def test_one_value_per_channel_is_a_sentence() -> None:
    with pytest.raises(Problem, match="more than one value per channel"):
        recalibrated(network(), images(1))


def test_large_images_run_in_smaller_batches() -> None:
    sizes = [norm_inputs.batch_size(torch.empty(1, 3, side, side)) for side in (32, 64, 96, 224)]
    assert sizes == [128, 128, 56, 32]


def test_a_last_batch_of_one_image_goes_with_the_one_before() -> None:
    assert [each.stop - each.start for each in recalibration._batches(257, 128)] == [128, 129]
    assert [each.stop - each.start for each in recalibration._batches(256, 128)] == [128, 128]


# Steps


def pictures(count: int = 24) -> Pictures:
    random = np.random.default_rng(3)
    return Pictures(random.integers(0, 256, (count, 8, 8, 3), np.uint8), np.arange(count) % 4 - 1)


def opened() -> Network:
    return Network(network(), Card(classes=("a", "b", "c"), input_size=8), "test")


def test_no_image_measures_that_recalibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, list[bytes]] = {"measure": [], "recalibrate": []}
    for name, role in (("observe", "measure"), ("recalibrated", "recalibrate")):
        original = getattr(shift_measuring, name)

        def noted(net: nn.Module, x: Tensor, role: str = role, original: Callable = original) -> object:
            given[role] += [row.numpy().tobytes() for row in x]
            return original(net, x)

        monkeypatch.setattr(shift_measuring, name, noted)
    steps = list(measure_shift(opened(), pictures(), CORRUPTIONS["blur"]))
    assert len(steps) == 6
    assert not set(given["measure"]) & set(given["recalibrate"])
    assert len(given["measure"]) == len(given["recalibrate"]) == 6 * 12
    assert [step.severity for step in steps] == [None, *CORRUPTIONS["blur"].severities]
    assert all(step.calibrated_on == 12 for step in steps)


def test_the_accuracies_are_those_of_the_networks_by_hand() -> None:
    one, given = opened(), pictures()
    step = list(measure_shift(one, given, CORRUPTIONS["dark"]))[3]
    measuring, calibrating = given.halves()
    to_inputs, darker = one.card.to_inputs, CORRUPTIONS["dark"]
    x = to_inputs(darker.shift(measuring.pixels, 0.45))
    other = recalibrated(one.net, to_inputs(darker.shift(calibrating.pixels, 0.45)))
    known = measuring.labels >= 0
    for accuracy, net in ((step.running, one.net), (step.recovered, other)):
        right = net(x).argmax(1).numpy() == measuring.labels
        assert (accuracy.correct, accuracy.n) == (right[known].sum(), known.sum())


def test_own_pictures_are_not_paired() -> None:
    first, last = measure_own(opened(), pictures(), Pictures(pictures(40).pixels, np.full(40, -1)))
    assert last.since(first) is None
    assert last.running.n == 0
    assert np.isnan(last.running.value)
    assert len(last.predicted) == 20
    assert last.layers["1"].shift.shape == (4,)


def test_a_change_counts_what_is_gained_and_lost() -> None:
    one = change(np.array([0, 1, 2, -1, 2]), np.array([0, 0, 1, 0, 2]), np.array([1, 1, 2, 0, 2]))
    assert (one.gained, one.lost, one.n) == (2, 1, 4)
    assert one.value == 0.25


def test_the_paired_interval_covers_the_true_change() -> None:
    random, covered = np.random.default_rng(0), 0
    for gained, lost, _ in random.multinomial(60, (0.1, 0.25, 0.65), 2000):
        low, high = paired_interval(int(gained), int(lost), 60)
        covered += low <= -0.15 <= high
    assert covered / 2000 == pytest.approx(0.95, abs=0.02)


def test_a_channel_moves_first_where_it_stays_beyond() -> None:
    steps = tuple(measure_shift(opened(), pictures(60), CORRUPTIONS["dark"]))[1:]
    beyond = np.stack([step.layers["1"].beyond for step in steps])
    for channel, first in enumerate(first_beyond(steps, "1")):
        if first < 0:
            assert not beyond[-1, channel]
        else:
            assert beyond[first:, channel].all()
            assert first == 0 or not beyond[first - 1, channel]
