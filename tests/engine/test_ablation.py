import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.ablation import ablation, ablations


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
