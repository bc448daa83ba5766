import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.batchnorm import (
    BINS,
    TwoPredictions,
    batchnorms,
    is_batchnorm,
    relu_behind,
    statistics,
    statistics_many,
    summary,
    with_batch_statistics,
)
from explorer.engine.tracing import trace


def test_batchnorm_by_hand_from_the_conv_map(course: nn.Module, x: Tensor) -> None:
    seen = trace(course, x)
    for n in (1, 2, 3):
        conv, norm = seen.maps[f"conv{n}"].astype(np.float64), getattr(course, f"bn{n}")
        mean, var, weight, bias = (
            getattr(norm, name).detach().double().numpy()[:, None, None]
            for name in ("running_mean", "running_var", "weight", "bias")
        )
        by_hand = (conv - mean) / np.sqrt(var + norm.eps) * weight + bias
        np.testing.assert_allclose(seen.maps[f"bn{n}"], by_hand, atol=1e-5)

        layer_statistics = statistics(course, x, f"bn{n}")
        np.testing.assert_array_equal(layer_statistics.before[0], seen.maps[f"conv{n}"])
        np.testing.assert_array_equal(layer_statistics.after[0], seen.maps[f"bn{n}"])
        np.testing.assert_allclose(
            layer_statistics.slope[:, None, None] * conv + layer_statistics.offset[:, None, None],
            by_hand,
            atol=1e-5,
        )
        np.testing.assert_allclose(layer_statistics.normalized[0] * weight + bias, by_hand, atol=1e-5)
        np.testing.assert_allclose(layer_statistics.mean, conv.mean((1, 2)), atol=1e-5)
        np.testing.assert_allclose(layer_statistics.var, conv.var((1, 2)), atol=1e-5)
        np.testing.assert_allclose(
            layer_statistics.distance, layer_statistics.normalized.mean((0, 2, 3)), atol=1e-5
        )
        np.testing.assert_allclose(
            layer_statistics.spread**2, layer_statistics.normalized.var((0, 2, 3)), rtol=1e-3
        )


def test_many_layers_and_images_at_once(course: nn.Module, x: Tensor) -> None:
    batch = torch.cat([x, 2 * x, x + 1])
    many = statistics_many(course, batch, ["bn1", "bn3"])
    assert list(many) == ["bn1", "bn3"]
    for layer, layer_statistics in many.items():
        rows = [statistics(course, image[None], layer) for image in batch]
        assert layer_statistics.before.shape[0] == 3
        np.testing.assert_allclose(
            layer_statistics.after, np.concatenate([row.after for row in rows]), atol=1e-5
        )
        np.testing.assert_allclose(layer_statistics.mean, np.mean([row.mean for row in rows], 0), atol=1e-5)
        np.testing.assert_allclose(layer_statistics.var, layer_statistics.before.var((0, 2, 3)), rtol=1e-4)
        assert pickle.loads(pickle.dumps(layer_statistics)) == layer_statistics


def test_a_reused_batchnorm_has_statistics_for_each_call(x: Tensor) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.conv(self.norm(x)).relu_()).mean((2, 3))

    net = Twice().eval()
    many = statistics_many(net, x, ["norm", "norm#2"])
    np.testing.assert_array_equal(many["norm"].before, x)
    assert (many["norm#2"].before >= 0).all()


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
def test_without_parameters_or_statistics(x: Tensor, settled: Callable, affine: bool, tracked: bool) -> None:
    norm = nn.BatchNorm2d(4, affine=affine, track_running_stats=tracked)
    if not tracked:
        norm.running_mean = norm.running_var = None
    net = nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    if affine:
        norm.weight.data.uniform_(0.5, 1)
        norm.bias.data.uniform_(0.5, 1)
    layer_statistics = statistics(net, x, "1")
    assert layer_statistics.tracked is tracked
    assert (layer_statistics.weight == 1).all() is not affine
    np.testing.assert_allclose(
        layer_statistics.slope[:, None, None] * layer_statistics.before
        + layer_statistics.offset[:, None, None],
        layer_statistics.after,
        atol=1e-5,
    )
    if not tracked:
        np.testing.assert_array_equal(layer_statistics.running_mean, layer_statistics.mean)
        np.testing.assert_allclose(layer_statistics.distance, 0)
        np.testing.assert_allclose(layer_statistics.spread, 1)


def test_faint_and_dead_channels(course: nn.Module, x: Tensor) -> None:
    course.bn2.weight.data[3] = 0.001
    course.bn2.bias.data[3] = -0.1
    layer_statistics = statistics(course, x, "bn2")
    assert np.flatnonzero(layer_statistics.faint()).tolist() == [3]
    assert layer_statistics.dead[3]
    assert not trace(course, x).maps["relu2"][layer_statistics.dead].any()
    assert trace(course, x).maps["relu2"][~layer_statistics.dead].any((1, 2)).all()


@pytest.mark.parametrize("layer", ["bn1", "bn2", "bn3"])
def test_a_summary_is_the_statistics_without_their_maps(
    course: nn.Module, x: Tensor, untouched: Callable, layer: str
) -> None:
    batch = torch.cat([x, 2 * x, x.flip(3) - 1])
    with untouched(course):
        short = summary(course, batch, layer)
    whole = statistics(course, batch, layer)
    for name in ("weight", "bias", "running_mean", "running_var", "mean", "var", "slope", "offset", "spread"):
        np.testing.assert_array_equal(getattr(short, name), getattr(whole, name))
    assert (short.images, short.tracked) == (3, True)
    np.testing.assert_array_equal(short.dead, whole.dead)
    np.testing.assert_allclose(short.passing, (whole.after > 0).mean((0, 2, 3)), atol=1e-6)
    for channel in range(len(short.mean)):
        values = whole.before[:, channel]
        np.testing.assert_allclose(short.edges(channel)[[0, -1]], [values.min(), values.max()], rtol=1e-6)
        counted, _ = np.histogram(values, BINS, (values.min(), values.max()))
        # A cell within rounding of a border may be counted on either side of it.
        assert np.abs(np.cumsum(short.counts[channel]) - np.cumsum(counted)).max() <= 2
        assert short.counts[channel].sum() == values.size
    assert pickle.loads(pickle.dumps(short)) == short


def test_a_summary_does_not_grow_with_the_images(course: nn.Module, x: Tensor) -> None:
    one, many = (len(pickle.dumps(summary(course, x.repeat(n, 1, 1, 1), "bn1"))) for n in (1, 16))
    assert many == one


def test_histograms_of_constant_and_broken_channels() -> None:
    norm = nn.BatchNorm2d(3)
    norm.running_mean.data[:] = 1
    net = nn.Sequential(norm, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    x = torch.randn(2, 3, 4, 4)
    x[:, 0], x[:, 1], x[0, 2, 0, 0] = 5, float("nan"), float("inf")
    layer_statistics = summary(net, x, "0")
    assert layer_statistics.counts.sum(1).tolist() == [32, 0, 31]
    assert layer_statistics.edges(0)[0] < 5 < layer_statistics.edges(0)[-1]
    assert np.isfinite([layer_statistics.edges(channel) for channel in range(3)]).all()
    assert (np.diff([layer_statistics.edges(channel) for channel in range(3)]) > 0).all()


def test_prediction_with_batch_statistics_equals_train_mode(
    course: nn.Module, x: Tensor, untouched: Callable
) -> None:
    batch = torch.cat([x, torch.randn(4, 3, 32, 32)])
    with untouched(course):
        both = with_batch_statistics(course, batch)
        one = with_batch_statistics(course, x)
    np.testing.assert_allclose(both.running, course(batch).softmax(1).detach(), atol=1e-6)
    np.testing.assert_allclose(one.running[0], both.running[0], atol=1e-6)
    assert np.abs(one.batch[0] - both.batch[0]).max() > 1e-3
    assert pickle.loads(pickle.dumps(both)) == both
    training = copy.deepcopy(course).train()
    for module in training.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    np.testing.assert_allclose(both.batch, training(batch).softmax(1).detach(), atol=1e-6)
    assert not torch.equal(training.bn1.running_mean, course.bn1.running_mean)


def test_two_predictions() -> None:
    running = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]], np.float32)
    batch = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6]], np.float32)
    both = TwoPredictions(running, batch)
    assert both.changed.tolist() == [False, True, False]
    np.testing.assert_allclose(both.difference, [-0.1, -0.4, 0.2], atol=1e-6)
    assert both.correct(np.array([0, 1, -1])) == (2, 1)


def test_every_batchnorm_is_found_also_outside_blocks(tricky: nn.Module, x: Tensor) -> None:
    assert batchnorms(tricky, trace(tricky, x)) == ("bn1", "bn2", "down.1")
    first = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    assert batchnorms(first, trace(first, x)) == ("0",)


def test_a_relu_is_found_only_where_it_reads_the_layer_itself(tricky: nn.Module, x: Tensor) -> None:
    seen = trace(tricky, x)
    assert relu_behind(tricky, seen, "bn1") == "relu"
    assert relu_behind(tricky, seen, "bn2") is None  # a skip is added first
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.ReLU(), nn.BatchNorm2d(4), nn.SiLU()]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    seen = trace(net, x)
    assert relu_behind(net, seen, "1") == "3"  # the largest of a window is cut as its cells would be
    assert relu_behind(net, seen, "4") is None


def test_a_batchnorm_of_vectors_has_no_maps(x: Tensor) -> None:
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(4), nn.Linear(4, 3)]
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), *head).eval()
    assert batchnorms(net, trace(net, x)) == ("1",)


def test_batch_statistics_of_one_value(x: Tensor) -> None:
    head = [nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(4)]
    net = nn.Sequential(*head).eval()
    with pytest.raises(ValueError, match="give more images"):
        with_batch_statistics(net, x)
    assert with_batch_statistics(net, torch.cat([x, x + 1])).batch.shape == (2, 4)


def test_statistics_leave_the_network_alone(tricky: nn.Module, x: Tensor, untouched: Callable) -> None:
    tricky.train()
    with untouched(tricky):
        statistics(tricky, x, "bn1")
        with pytest.raises(ValueError, match="'conv1' is Conv2d, not BatchNorm2d"):
            statistics(tricky, x, "conv1")
        with pytest.raises(ValueError, match="no layer 'bn9'"):
            statistics(tricky, x, "bn9")
        with pytest.raises(ValueError, match="did not run"):
            statistics(tricky, x, "bn1#2")
        with pytest.raises(ValueError, match=r"\(N, C, h, w\)"):
            statistics(tricky, x[0], "bn1")
    assert not is_batchnorm(nn.Sequential(nn.GroupNorm(1, 3)), "0")
    assert is_batchnorm(tricky, "bn1")
    assert not is_batchnorm(tricky, "relu#2")
    assert not is_batchnorm(tricky, None)


def test_the_stages_of_a_channel_are_its_values_at_each():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(2)).eval()
    x = torch.randn(5, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    net(x)
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([1.5, -0.5, 2.0, 0.3]))  # γ < 0 turns the bins round
        net[1].running_mean.copy_(torch.tensor([0.1, -0.2, 0.3, 0.0]))
        net[1].running_var.copy_(torch.tensor([0.5, 2.0, 1.0, 0.1]))
        before, after = net[0](x), net[1](net[0](x))
    layer_summary = summary(net, x, "1")
    for channel in range(4):
        first, _, last = layer_summary.stages(channel)
        for stage, maps in ((first, before), (last, after)):
            edges, counts = stage.edges, layer_summary.counts[channel]
            if edges[0] > edges[-1]:
                edges, counts = edges[::-1], counts[::-1]
            values = maps[:, channel].flatten().numpy().astype(np.float64)
            theirs, _ = np.histogram(values, edges)
            assert np.abs(theirs - counts).sum() <= 4  # a cell on a border may fall to either side
            assert stage.mean == pytest.approx(values.mean(), abs=1e-5)
            low, high = stage.reach
            assert low < values.min() <= values.max() < high
