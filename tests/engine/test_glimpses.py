"""Small pictures of channels against the feature maps of a trace, however the pass was made."""

import gc
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from explorer.engine.flow import Flow
from explorer.engine.glimpses import glimpses, glimpses_of
from explorer.engine.tracing import trace
from model.nets import NETS
from tests.engine.odd_networks import ODD

CHANNELS = (0, 2)
SIDE = 8


def odd(name: str) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    return ODD[name]().eval(), torch.randn(1, 3, 32, 32)


@pytest.mark.parametrize("name", ["Tokens", "PreActivation", "NormAct", "SameConv2d"])
def test_a_glimpse_shows_every_nth_position_of_a_trace(name: str) -> None:
    net, x = odd(name)
    maps = {layer: maps for layer, maps in trace(net, x).maps.items() if maps.ndim == 3 and len(maps) > 2}
    assert maps
    wanted = dict.fromkeys(maps, CHANNELS)
    for made in (glimpses(net, x, wanted, SIDE), glimpses_of(Flow(net, x, 1), wanted, SIDE)):
        assert made.keys() == maps.keys()
        for layer, all_maps in maps.items():
            expected, glimpse = all_maps[list(CHANNELS)], made[layer]
            assert max(glimpse.maps.shape[1:]) <= SIDE
            np.testing.assert_allclose(
                glimpse.maps, expected[:, :: glimpse.step, :: glimpse.step], rtol=1e-5, atol=1e-6
            )
            np.testing.assert_allclose(glimpse.low, expected.min((1, 2)), rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(glimpse.high, expected.max((1, 2)), rtol=1e-5, atol=1e-6)


def test_what_is_no_layer_of_the_pass_is_left_out() -> None:
    net, x = NETS["course"]().eval(), torch.randn(1, 3, 32, 32)
    assert not glimpses_of(Flow(net, x, 1), {"conv9": (0,)})


def test_a_pass_ends_with_its_last_use() -> None:
    """It holds far more than the feature maps of a network: nothing may keep it until the next collection."""
    gc.collect()
    gc.disable()
    try:
        flow = Flow(NETS["course"]().eval(), torch.randn(1, 3, 32, 32), 1)
        values = weakref.ref(flow.leaves[1])
        del flow
        assert values() is None
    finally:
        gc.enable()
