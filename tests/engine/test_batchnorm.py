import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.batchnorm import is_batchnorm, statistics, statistics_many, with_batch_statistics
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

        met = statistics(course, x, f"bn{n}")
        np.testing.assert_array_equal(met.before[0], seen.maps[f"conv{n}"])
        np.testing.assert_array_equal(met.after[0], seen.maps[f"bn{n}"])
        np.testing.assert_allclose(
            met.slope[:, None, None] * conv + met.offset[:, None, None], by_hand, atol=1e-5
        )
        np.testing.assert_allclose(met.normalised[0] * weight + bias, by_hand, atol=1e-5)
        np.testing.assert_allclose(met.mean, conv.mean((1, 2)), atol=1e-5)
        np.testing.assert_allclose(met.var, conv.var((1, 2)), atol=1e-5)
        np.testing.assert_allclose(met.distance, met.normalised.mean((0, 2, 3)), atol=1e-5)
        np.testing.assert_allclose(met.spread**2, met.normalised.var((0, 2, 3)), rtol=1e-3)


def test_many_layers_and_images_at_once(course: nn.Module, x: Tensor) -> None:
    batch = torch.cat([x, 2 * x, x + 1])
    many = statistics_many(course, batch, ["bn1", "bn3"])
    assert list(many) == ["bn1", "bn3"]
    for layer, met in many.items():
        rows = [statistics(course, image[None], layer) for image in batch]
        assert met.before.shape[0] == 3
        np.testing.assert_allclose(met.after, np.concatenate([row.after for row in rows]), atol=1e-5)
        np.testing.assert_allclose(met.mean, np.mean([row.mean for row in rows], 0), atol=1e-5)
        np.testing.assert_allclose(met.var, met.before.var((0, 2, 3)), rtol=1e-4)
        assert pickle.loads(pickle.dumps(met)) == met


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
    met = statistics(net, x, "1")
    assert met.tracked is tracked
    assert (met.weight == 1).all() is not affine
    np.testing.assert_allclose(
        met.slope[:, None, None] * met.before + met.offset[:, None, None], met.after, atol=1e-5
    )
    if not tracked:
        np.testing.assert_array_equal(met.running_mean, met.mean)
        np.testing.assert_allclose(met.distance, 0)
        np.testing.assert_allclose(met.spread, 1)


def test_faint_and_dead_channels(course: nn.Module, x: Tensor) -> None:
    course.bn2.weight.data[3] = 0.001
    course.bn2.bias.data[3] = -0.1
    met = statistics(course, x, "bn2")
    assert np.flatnonzero(met.faint()).tolist() == [3]
    assert met.dead[3]
    assert not trace(course, x).maps["relu2"][met.dead].any()
    assert trace(course, x).maps["relu2"][~met.dead].any((1, 2)).all()


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
    for module in course.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
    np.testing.assert_allclose(both.batch, course(batch).softmax(1).detach(), atol=1e-6)


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
        with pytest.raises(ValueError, match="'conv1' is Conv2d, no BatchNorm2d"):
            statistics(tricky, x, "conv1")
        with pytest.raises(ValueError, match="no layer 'bn9'"):
            statistics(tricky, x, "bn9")
        with pytest.raises(ValueError, match="did not run"):
            statistics(tricky, x, "bn1#2")
        with pytest.raises(ValueError, match=r"\(N, 3, h, w\)"):
            statistics(tricky, x[0], "bn1")
    assert not is_batchnorm(nn.Sequential(nn.BatchNorm1d(3)), "0")
    assert is_batchnorm(tricky, "bn1")
    assert not is_batchnorm(tricky, "relu#2")
    assert not is_batchnorm(tricky, None)
