"""Networks whose images change each other's results in a batch: a batch still is its images one by one."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.engine.ablation import ablations
from explorer.engine.attribution import METHODS, attribute, attribute_many, completeness_gap, evidence_many
from explorer.engine.independence import mixes_rows, pieces
from explorer.engine.passes import private_view
from explorer.engine.scores import forward
from explorer.engine.tracing import trace
from model.problems import Problem

TARGETS = [3, 0, 2]
FEW: dict[str, dict[str, float]] = {
    "expected_gradients": {"samples": 3},
    "smooth_grad": {"samples": 3},
    "integrated_gradients": {"steps": 3},
    "occlusion": {"patch": 0.5},
}


class Net(nn.Sequential):
    """Modules only, each used once, so that every method of a plain network has its rules."""

    def __init__(self, mixing: nn.Module) -> None:
        layers = [nn.Conv2d(3, 4, 3), mixing, nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.ReLU()]
        super().__init__(*layers, nn.Flatten(), nn.Linear(4 * 3 * 3, 5))


class KeptInTraining(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, None, None, self.weight, self.bias, training=True)


class Drops(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.3, training=True)


class MinusMean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0, keepdim=True)


class OneAtATime(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.view(1, 4, 10, 10)


MIXING: dict[str, Callable[[], nn.Module]] = {
    "kept in training": lambda: KeptInTraining(4),
    "without statistics": lambda: nn.BatchNorm2d(4, track_running_stats=False),
    "random": Drops,
    "minus the mean of the batch": lambda: nn.Sequential(MinusMean(), nn.Conv2d(4, 4, 1)),
    "one at a time": OneAtATime,
}


def built(name: str) -> nn.Module:
    torch.manual_seed(3)
    return Net(MIXING[name]()).eval()


X = torch.randn(3, 3, 12, 12, generator=torch.Generator().manual_seed(8))


def close(one: object, other: object) -> None:
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    assert first.shape == second.shape
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-5 * max(np.abs(second).max(), 1e-3))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", MIXING)
def test_a_batch_of_heat_maps_is_its_images_one_by_one(name: str, method: str) -> None:
    net, record = built(name), METHODS[method]
    layer = "5" if record.needs_layer else None
    if record.unmet(net, layer, X[:1]) is not None:
        pytest.skip("not allowed by this network")
    batch = attribute(net, X, method, layer=layer, target=TARGETS, **FEW.get(method, {}))
    for row, target in enumerate(TARGETS):
        one = X[row : row + 1]
        alone = attribute(built(name), one, method, layer=layer, target=target, **FEW.get(method, {}))
        close(batch.row(row).values, alone.values)


@pytest.mark.parametrize("name", MIXING)
def test_score_cam_asks_about_each_masked_image_alone(name: str) -> None:
    net = built(name)

    def one_pass(x: Tensor) -> Tensor:
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(0)
            return net(x)

    seen = trace(net, X[:1], ["5"]).maps["5"]
    maps = torch.from_numpy(seen)
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    masks = F.interpolate(
        (maps - low)[:, None] / (high - low).clamp_min(1e-12)[:, None], (12, 12), mode="bilinear"
    )
    scores = torch.stack([one_pass(mask * X[:1])[0, 3] for mask in masks[:, None]])
    wanted = (scores.softmax(0)[:, None, None] * maps).sum(0)
    close(attribute(net, X[:1], "score_cam", layer="5", target=3).values, wanted)


@pytest.mark.parametrize("name", MIXING)
def test_the_other_results_of_a_batch(name: str) -> None:
    net = built(name)
    seen, proof = trace(net, X), evidence_many(net, X, ["5"], TARGETS)["5"]
    cams = attribute_many(net, X, ["grad_cam"], ["5"], TARGETS)["grad_cam"]["5"]
    heat = attribute(net, X, "input_x_gradient", target=TARGETS)
    gaps, off = completeness_gap(net, X, heat), ablations(net, X, "5", [0, 2])
    for row, target in enumerate(TARGETS):
        one, net = X[row : row + 1], built(name)
        close(seen.row(row).logits, trace(net, one).logits)
        for layer, maps in trace(net, one).maps.items():
            close(seen.row(row).maps[layer], maps)
        close(cams.row(row).values, attribute(net, one, layer="5", target=target).values)
        close(proof.row(row).values, cams.row(row).values)
        close(gaps[row], completeness_gap(net, one, heat.row(row))[0])
        close(off.row(row).zeroed, ablations(net, one, "5", [0, 2]).zeroed)
        close(off.row(row).logits, seen.row(row).logits)


def test_what_does_not_mix_runs_together() -> None:
    net = Net(nn.BatchNorm2d(4)).eval()
    assert not mixes_rows(net, X)
    assert pieces(net, X, 2) == [slice(0, 2), slice(2, 4)]
    assert pieces(built("random"), X, 2) == [slice(row, row + 1) for row in range(3)]


class ByBrightness(nn.Module):
    """What it computes depends on the mean of all images of a batch."""

    def forward(self, x: Tensor) -> Tensor:
        return x.neg() if x.mean() > 0 else x


def test_a_decision_for_a_whole_batch_mixes_its_images() -> None:
    assert mixes_rows(nn.Sequential(ByBrightness(), nn.Flatten(), nn.Linear(432, 3)).eval(), X)


def test_deep_lift_says_why_it_does_not_work() -> None:
    with pytest.raises(Problem, match="computes an image together with its baseline"):
        attribute(built("minus the mean of the batch"), X[:1], "deep_lift", target=0)


class Moves(nn.BatchNorm2d):
    """Writes into its running mean, also in eval mode."""

    def forward(self, x: Tensor) -> Tensor:
        self.running_mean.lerp_(x.detach().mean((0, 2, 3)), 0.5)
        return super().forward(x)


def test_every_pass_begins_with_the_networks_own_buffers() -> None:
    net = Net(Moves(4)).eval()
    heats = (
        attribute(net, X, layer="5", target=TARGETS),
        attribute(net, X, "smooth_grad", target=1, samples=3),
    )
    for row, target in enumerate(TARGETS):
        close(heats[0].row(row).values, attribute(net, X[row : row + 1], layer="5", target=target).values)
        close(
            heats[1].row(row).values,
            attribute(net, X[row : row + 1], "smooth_grad", target=1, samples=3).values,
        )
    view = private_view(net)
    with torch.no_grad():
        assert torch.equal(view(X.clone()), view(X.clone()))


@pytest.mark.parametrize("name", MIXING)
def test_the_changed_images_of_a_score_are_predicted_alone(name: str) -> None:
    torch.manual_seed(0)
    net = Net(MIXING[name]()).eval()
    images = torch.randn(3, 3, 12, 12)
    together = forward.logits(net, images)
    assert torch.allclose(together, torch.cat([forward.logits(net, one[None]) for one in images]), atol=1e-5)
