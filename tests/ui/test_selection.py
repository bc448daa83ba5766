"""What a visit keeps of a network's pass: its structure, and the maps of the blocks that were looked at."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.drawing.overlay import overlay
from explorer.drawing.ranges import Range
from explorer.engine import tracing
from explorer.engine.attribution import class_gradients
from explorer.engine.network_source import Source
from explorer.engine.samples import Sample, scene
from explorer.ui import cached, panels
from explorer.ui.cached import one_image
from explorer.ui.options import ROOT
from explorer.ui.selection import Selection


def test_maps_are_computed_by_block_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(ROOT / "checkpoints" / "cifar10-resnet9.safetensors")
    selection = Selection(cached.opened("resnet9", source), scene(3, 40))
    whole = tracing.trace(selection.net, selection.input.x)
    monkeypatch.setattr(one_image, "MOST_OF_MAPS", 0)
    monkeypatch.setattr(one_image, "_WITH_MANY_MAPS", WeakKeyDictionary())  # of this test alone
    asked: list[object] = []
    trace = tracing.trace
    monkeypatch.setattr(
        tracing, "trace", lambda net, x, layers=None: asked.append(layers) or trace(net, x, layers)
    )
    assert list(selection.seen.maps) == list(whole.maps)
    first, last = selection.blocks[0], selection.blocks[-1]
    assert len(asked) <= 1
    for block in (first, last, first):
        for layer in tracing.stages(block, whole).values():
            assert (selection.seen.maps[layer] == whole.maps[layer]).all()
    own = [tuple(tracing.stages(block, whole).values()) for block in (first, last)]
    read = whole.inputs[own[1][0]].source
    assert read
    assert asked[-2:] == [own[0], (*own[1], read)]  # what the block reads comes with it
    with pytest.raises(KeyError):
        selection.seen.maps["nope"]
    assert selection.seen == whole


def test_one_run_of_a_page_makes_one_pass_of_a_large_network(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(ROOT / "checkpoints" / "cifar10-resnet9.safetensors")
    selection = Selection(cached.opened("resnet9", source), scene(7, 40))
    network, input, layers = selection.network, selection.input, [b.act or "" for b in selection.blocks[-2:]]
    large = WeakKeyDictionary({network.net: tuple(selection.seen.shapes)})
    monkeypatch.setattr(one_image, "_WITH_MANY_MAPS", large)
    cached.trace.clear()
    passes: list[torch.nn.Module] = []
    call = torch.nn.Module.__call__

    def counting(module: torch.nn.Module, *arguments: object, **named: object) -> object:
        passes.extend([module] if type(module) is type(network.net) else [])
        return call(module, *arguments, **named)

    monkeypatch.setattr(torch.nn.Module, "__call__", counting)
    seen = cached.trace(network, input)
    maps = cached.layer_maps(network, input, tuple(layers))
    gradients = cached.gradients(network, input, tuple(layers), (3,))
    assert len(passes) == 1
    assert seen.maps == {}
    whole, fresh = tracing.trace(network.net, input.x), class_gradients(network.net, input.x, layers, (3,))
    np.testing.assert_array_equal(seen.logits, whole.logits)
    for layer in layers:
        np.testing.assert_array_equal(maps[layer], whole.maps[layer])
        np.testing.assert_array_equal(gradients[layer][0].gradients, fresh[layer][0].gradients)


def test_thumbnails_are_those_of_maps_that_were_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from explorer.drawing import thumbnails

    monkeypatch.setattr(one_image, "MOST_OF_MAPS", 0)
    monkeypatch.setattr(one_image, "_WITH_MANY_MAPS", WeakKeyDictionary())  # of this test alone
    source = Source(ROOT / "checkpoints" / "cifar10-resnet9.safetensors")
    selection = Selection(cached.opened("resnet9", source), scene(5, 40))
    layer = selection.blocks[1].norm or ""
    whole = tracing.trace(selection.net, selection.input.x)
    pictures = cached.map_thumbnails(selection.network, selection.input, layer)
    assert pictures == thumbnails.thumbnails(whole.maps[layer])


@pytest.mark.parametrize("size", [(768, 1024), (137, 1024), (1024, 197)])
def test_heat_over_the_picture_as_it_is_shown_is_that_over_all_of_it_reduced(size: tuple[int, int]) -> None:
    source = Source(ROOT / "checkpoints" / "scenes-course.safetensors")
    picture = Image.fromarray(scene(3, 64).pixels).resize(size[::-1], Image.Resampling.BICUBIC)
    selection = Selection(cached.opened("course", source), Sample("photo", np.asarray(picture)))
    heat = np.random.default_rng(0).random((8, 8), np.float32)
    shown = panels.over_image(selection, None, heat, Range(0, 1))
    whole = Image.fromarray(overlay(selection.sample.pixels, heat, Range(0, 1), selection.covered(None)))
    smaller = whole.resize(selection.shown.shape[1::-1], Image.Resampling.BILINEAR, reducing_gap=2.0)
    difference = np.abs(shown.astype(int) - panels.around_received(selection, np.asarray(smaller)))
    assert difference.mean() < 0.7
    assert min(shown.shape[:2]) >= min(160, *size), "the part that the network gets is blurred"
