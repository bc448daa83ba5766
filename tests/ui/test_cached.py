"""Results are kept under what they depend on, and callers pass the values themselves."""

import inspect
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
import torch
from PIL import Image
from streamlit.runtime.caching.cache_utils import CachedFunc

from explorer.engine import attribution, receptive, samples, tracing
from explorer.engine.network import Input, Network
from explorer.ui import cached
from explorer.ui.pictures import Picture
from model import words
from model.card import Card
from model.nets import CourseCNN

LAYERS = ("relu1", "relu3")


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network(CourseCNN(widths=(4, 4, 4), hidden=8).eval(), Card(), f"net {torch.rand(1).item()}")


@pytest.fixture(autouse=True)
def emptied() -> Iterator[None]:
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


def image(seed: int = 0, side: int = 32) -> Input:
    return Input(torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(seed)))


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[tuple[Any, ...]]:
    """The calls of an engine function from now on."""
    calls: list[tuple[Any, ...]] = []
    function = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given: calls.append(given) or function(*given))
    return calls


def test_equal_values_share_a_result_and_others_do_not(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(monkeypatch, tracing, "trace")
    first = cached.trace(network, image())
    assert cached.trace(network, image()) == first
    assert len(calls) == 1
    cached.trace(network, image(1))
    cached.trace(replace(network, key="another"), image())
    assert len(calls) == 3


def test_one_pass_serves_heat_maps_and_evidence(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = counted(monkeypatch, attribution, "maps_and_gradients")
    found = cached.gradients(network, image(), LAYERS, (3,))
    again = cached.gradients(network, image(), LAYERS, (3,))
    assert len(passes) == 1
    for layer, (one,) in again.items():
        assert one == found[layer][0]
        for method, record in attribution.METHODS.items():
            if record.heat:
                attribution.heat_from(network.net, one, method)
        attribution.evidence_from(one)
    assert len(passes) == 1
    cached.gradients(network, image(), LAYERS, (4,))
    cached.gradients(network, image(), LAYERS[:1], (3,))
    assert len(passes) == 3


def test_the_digest_is_of_shape_and_values_and_made_once() -> None:
    one = image()
    assert one.digest is one.digest
    assert one.digest == image().digest != image(1).digest
    assert Input(one.x.reshape(1, 3, 16, 64)).digest != one.digest


def test_receptive_fields_depend_on_the_size_only(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, receptive, "receptive_fields")
    for given in (image(), image(1)):
        cached.receptive_fields(network, given)
    assert len(calls) == 1


def test_every_pixel_of_a_large_picture_counts() -> None:
    """Streamlit itself would hash a sample of a large array."""
    one = np.zeros((600, 600, 3), np.uint8)
    other = one.copy()
    other[300, 300, 1] = 1
    made = [cached.draws(pixels, "flip", 0.5, 0, 1, ()).pixels for pixels in (one, other)]
    assert not np.array_equal(*made)


def test_two_folders_with_equal_names_are_two_test_sets(tmp_path: Path) -> None:
    pictures = []
    for number, name in enumerate(("one", "other")):
        folder = tmp_path / name / "test" / "cat"
        folder.mkdir(parents=True)
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(folder / "0.png")
        images = cached.test_set(tmp_path / name)
        assert images is not None
        pictures.append(cached.test_batch(images, 1, Card(input_size=8), "crop").pixels)
    assert not np.array_equal(*pictures)


def test_names_need_not_be_valid_unicode(tmp_path: Path) -> None:
    folder = tmp_path / "caf\udce9" / "test" / "cat"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "\udcff.png")
    images = cached.test_set(tmp_path / "caf\udce9")
    assert images is not None
    assert len(cached.test_batch(images, 1, Card(input_size=8), "crop").labels) == 1


def test_an_upload_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, "PNG")
    calls = counted(monkeypatch, samples, "decode")
    for name, digest in (("a.png", "1"), ("a.png", "1"), ("b.png", "1"), ("a.png", "2")):
        assert cached.decoded(Picture(name, file.getvalue(), digest)).name == name
    assert len(calls) == 3


def test_a_spinner_speaks_the_language_in_use(monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
    texts: list[str] = []
    spinner = st.spinner
    monkeypatch.setattr(st, "spinner", lambda text: texts.append(text) or spinner(text))
    try:
        for language in (words.PSEUDO, words.ENGLISH):
            words.use(language)
            cached.norm_summary(replace(network, key=language), image(), "bn1")
        cached.norm_summary(replace(network, key=words.ENGLISH), image(), "bn1")  # kept
    finally:
        words.use(words.ENGLISH)
    assert texts == ["⟦Computing the statistics …⟧", "Computing the statistics …"]


def test_no_argument_is_left_out_of_a_key() -> None:
    functions = {name: each for name, each in vars(cached).items() if isinstance(each, CachedFunc)}
    assert {"trace", "gradients", "norm_summary", "draws"} <= functions.keys()
    for name, function in functions.items():
        left_out = [argument for argument in inspect.signature(function).parameters if argument[0] == "_"]
        assert not left_out, name
