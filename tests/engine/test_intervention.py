"""Channels switched off, averaged and scaled: by hand on hooks, in batches, and through other functions."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.attribution import attribute, class_gradients
from explorer.engine.intervention import Change, altered, intervene
from explorer.engine.tracing import trace
from model.nets import NETS
from tests.engine.odd_networks import ODD

BY_HAND: dict[str, Callable[[Tensor], Tensor]] = {
    "zero": lambda maps: maps * 0,
    "mean": lambda maps: maps.mean((2, 3), keepdim=True).expand_as(maps),
    "scale": lambda maps: maps * -1.5,
}


def hooked(net: nn.Module, x: Tensor, layer: str, channels: list[int], how: str) -> np.ndarray:
    def change(_: nn.Module, __: object, maps: Tensor) -> Tensor:
        maps = maps.clone()
        maps[:, channels] = BY_HAND[how](maps)[:, channels]
        return maps

    with net.get_submodule(layer).register_forward_hook(change), torch.no_grad():
        return net(x).numpy()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("how", BY_HAND)
@pytest.mark.parametrize("layer", ["conv1", "relu2", "pool3"])
def test_sets_by_hand(course: nn.Module, images: Tensor, untouched: Callable, layer: str, how: str) -> None:
    with untouched(course):
        made = intervene(course, images, [Change(layer, (1, 4, 7), how, -1.5)])  # type: ignore[arg-type]
    np.testing.assert_allclose(made.changed, hooked(course, images, layer, [1, 4, 7], how), atol=1e-5)
    np.testing.assert_array_equal(made.logits, course(images).detach())
    assert np.abs(made.changed - made.logits).max() > 1e-3


WITH_MAPS = [name for name in (*NETS, *ODD) if name not in ("mlp", "Compiled")]


@pytest.mark.parametrize("name", WITH_MAPS)
def test_changing_no_channel_changes_nothing_to_the_bit(name: str, images: Tensor) -> None:
    torch.manual_seed(0)
    net = (NETS | ODD)[name]()
    net.eval()
    layer = list(trace(net, images[:1]).maps)[-1]
    for changes in ([], [Change(layer, ())], [Change(layer, (0, 1), "scale", 1.0)]):
        for x in (images[:1], images):
            made = intervene(net, x, changes)
            assert made.changed.tobytes() == made.logits.tobytes()


def test_a_batch_is_its_rows(course: nn.Module, images: Tensor) -> None:
    changes = [Change("relu1", (0, 3)), Change("relu3", (5, 6), "mean"), Change("bn2", (2,), "scale", 3.0)]
    batch = intervene(course, images, changes)
    assert batch.images == 3
    for row, x in zip(batch.rows(), images, strict=True):
        alone = intervene(course, x[None], changes)
        assert alone.changed.shape == (10,)
        np.testing.assert_allclose(row.changed, alone.changed, atol=1e-5)


def test_changes_of_one_layer_are_made_in_order(course: nn.Module, x: Tensor) -> None:
    once = intervene(course, x, [Change("relu2", (1,), "scale", 6.0)])
    twice = intervene(course, x, [Change("relu2", (1,), "scale", 2.0), Change("relu2", (1,), "scale", 3.0)])
    np.testing.assert_allclose(once.changed, twice.changed, atol=1e-5)


def test_the_second_call_of_a_reused_layer(tricky: nn.Module, x: Tensor) -> None:
    """After the second ReLU there is only conv3, so a channel there can be taken out of its weights."""
    made = intervene(tricky, x, [Change("relu#2", (2,))])
    plain = intervene(tricky, x, [])
    with torch.no_grad():
        tricky.conv3.weight[:, 2] = 0
        np.testing.assert_allclose(made.changed, tricky(x)[0], atol=1e-5)
    assert np.abs(made.changed - plain.changed).max() > 1e-4


def test_every_function_takes_an_altered_network(course: nn.Module, x: Tensor, untouched: Callable) -> None:
    """Heat maps and maps follow; by hand with autograd on the altered maps."""
    with untouched(course):
        net = altered(course, [Change("relu2", (1, 4), "scale", 2.0)])
        seen, heat = trace(net, x), attribute(net, x, layer="relu3", target=3)
        (own,) = class_gradients(net, x, ["relu2"], [3])["relu2"]
    before = trace(course, x)
    np.testing.assert_allclose(seen.maps["relu2"][[1, 4]], 2 * before.maps["relu2"][[1, 4]], atol=1e-5)
    np.testing.assert_array_equal(seen.maps["relu1"], before.maps["relu1"])
    outputs: dict[str, Tensor] = {}

    def scale(_: nn.Module, __: object, maps: Tensor) -> Tensor:
        factors = torch.ones(maps.shape[1])
        factors[[1, 4]] = 2
        outputs["relu2"] = maps * factors[:, None, None]
        return outputs["relu2"]

    hooks = [
        course.relu2.register_forward_hook(scale),
        course.relu3.register_forward_hook(lambda _, __, maps: outputs.update(relu3=maps)),
    ]
    logits = course(x)
    two, three = torch.autograd.grad(logits[0, 3], [outputs["relu2"], outputs["relu3"]])
    for hook in hooks:
        hook.remove()
    wanted = (three.mean((2, 3), keepdim=True) * outputs["relu3"]).sum(1)[0].detach()
    np.testing.assert_allclose(heat.values, wanted, atol=1e-6)
    np.testing.assert_allclose(own.gradients, two[0], atol=1e-6)
    np.testing.assert_allclose(seen.logits, logits[0].detach(), atol=1e-5)


def test_channels_of_tokens(settled: Callable[[nn.Module], nn.Module], x: Tensor) -> None:
    torch.manual_seed(0)
    net = settled(ODD["Tokens"]())
    maps = trace(net, x).maps["mlp.2"]
    changed = trace(altered(net, [Change("mlp.2", (3,))]), x).maps["mlp.2"]
    assert not changed[3].any()
    np.testing.assert_array_equal(np.delete(changed, 3, 0), np.delete(maps, 3, 0))


def test_errors(course: nn.Module, x: Tensor) -> None:
    with pytest.raises(ValueError, match="no channel 64 in 'relu2': choose 0 to 63"):
        intervene(course, x, [Change("relu2", (64,))])
    with pytest.raises(ValueError, match="no layer 'relu9'"):
        intervene(course, x, [Change("relu9", (0,))])
    with pytest.raises(ValueError, match="not feature maps"):
        intervene(course, x, [Change("fc1", (0,))])
    with pytest.raises(ValueError, match="'relu2#2' did not run"):
        intervene(course, x, [Change("relu2#2", (0,))])
