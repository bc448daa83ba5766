from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine.attribution import Heatmap, attribute
from explorer.engine.scores import SCORES, Subject
from explorer.engine.scores.class_sensitivity import class_sensitivity
from explorer.engine.scores.ranks import spearman


def test_a_map_blind_to_the_class_has_one(
    by_hand: Callable[..., Subject], top_left: nn.Module, bright: Tensor, quarter: np.ndarray
) -> None:
    result = class_sensitivity(by_hand(top_left, bright, quarter))
    assert np.isclose(result.value, 1)
    assert result.above_chance > 0.95


def test_the_other_class_is_the_runner_up(course: nn.Module, x: Tensor) -> None:
    order = course(x)[0].argsort(descending=True).tolist()
    for target, other in [(order[0], order[1]), (order[1], order[0]), (order[5], order[0])]:
        heat = attribute(course, x, layer="relu3", target=target)
        result = class_sensitivity(Subject(course, x, heat))
        expected = attribute(course, x, layer="relu3", target=other).values
        assert result.other == other
        assert np.allclose(result.map, expected, atol=1e-6)
        assert np.isclose(result.value, spearman(heat.values, expected))


def test_opposite_classes_have_opposite_maps(x: Tensor) -> None:
    torch.manual_seed(0)
    conv, linear = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)
    linear.weight.data[1] = -linear.weight.data[0]
    net = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear).eval()
    heat = attribute(net, x, layer="1", target=0)
    assert np.isclose(class_sensitivity(Subject(net, x, heat)).value, -1)


def test_a_map_without_differences_says_nothing(
    by_hand: Callable[..., Subject], top_left: nn.Module, bright: Tensor
) -> None:
    result = class_sensitivity(by_hand(top_left, bright, np.zeros((8, 8))))
    assert np.isnan([result.value, result.above_chance]).all()


def test_one_class_has_no_other(x: Tensor) -> None:
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1))
    subject = Subject(net, x, Heatmap("by hand", "input", 0, np.zeros((2, 2), np.float32)))
    assert "at least two classes" in str(SCORES["class_sensitivity"].unmet(subject))
