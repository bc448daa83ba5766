"""The drift of a layer's values over the networks of a run."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from explorer.engine.drift import drift
from model.problems import Problem


def test_what_a_layer_receives_and_gives(course: nn.Module) -> None:
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    other = copy.deepcopy(course)
    with torch.no_grad():
        other.conv1.bias += 2.0
        other.bn1.weight *= 4.0
    moved = drift([other, course], [3, 9], images, "bn1")
    assert moved.epochs == (3, 9)
    with torch.no_grad():
        maps = [net.conv1(images) for net in (other, course)]
        outputs = [net.bn1(each) for net, each in zip((other, course), maps, strict=True)]
    for moments, values in ((moved.received, maps), (moved.given, outputs)):
        means = np.stack([each.mean((0, 2, 3)).numpy() for each in values])
        stds = np.stack([each.std((0, 2, 3), correction=0).numpy() for each in values])
        np.testing.assert_allclose(moments.mean, means, atol=1e-5)
        np.testing.assert_allclose(moments.std, stds, rtol=1e-4)
        np.testing.assert_allclose(
            moments.moved[0], np.abs(means[0] - means[1]) / stds[1], rtol=1e-3, atol=1e-5
        )
    np.testing.assert_allclose(moved.received.stretched[0], 0, atol=1e-5)
    np.testing.assert_allclose(moved.given.stretched[0], 2, atol=1e-4)  # four times as wide
    assert not moved.given.moved[1].any()
    with pytest.raises(Problem, match="There is no layer"):
        drift([course], [1], images, "bn9")
