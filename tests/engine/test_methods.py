"""Every attribution method's record is complete, and what it says of the method is so."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.attribution import METHODS, Method, attribute
from explorer.engine.tracing import trace
from model.problems import Problem


@pytest.fixture(params=METHODS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def method(name: str) -> Method:
    return METHODS[name]


def test_the_record_is_complete(method: Method) -> None:
    assert re.fullmatch(rf"{re.escape(method.title)} [^.]*\.", method.summary), "one sentence"
    assert re.fullmatch(r"[A-Z].*\.", method.pitfall)
    assert re.fullmatch(r"[A-Z].*\.", method.units)
    assert re.fullmatch(r"arXiv:\d{4}\.\d{4,5}|doi:10\.\S+", method.paper)
    assert method.space in ("layer", "input")
    assert [each.title for each in METHODS.values()].count(method.title) == 1
    assert all(each.low <= each.default <= each.high for each in method.parameters.values())


def layers_for(method: Method, layers: Iterable[str]) -> list[str | None]:
    """These layers for a method that needs one, else none."""
    return list(layers) if method.needs_layer else [None]


def test_a_method_has_one_way_to_be_computed(method: Method) -> None:
    assert (method.heat is None) is not (method.compute is None)
    assert method.needs_layer or method.space == "input"


def test_only_a_signed_method_gives_negative_values(
    course: nn.Module, x: Tensor, name: str, method: Method
) -> None:
    layers = layers_for(method, ["relu1", "relu3", "pool3"])
    values = [attribute(course, x, name, layer=at, target=k).values for at in layers for k in range(3)]
    assert any((each > 0).any() for each in values)
    if not method.signed:
        assert not any((each < 0).any() for each in values)


def test_a_map_is_drawn_from_zero_only_where_the_method_cannot_be_negative(
    course: nn.Module, x: Tensor, name: str, method: Method
) -> None:
    (after,) = layers_for(method, ["relu3"])
    values = attribute(course, x, name, layer=after, target=0).values
    assert method.is_signed(values) == (method.signed and name not in ("layer_cam", "eigen_cam"))
    if method.signed_as_maps:
        assert method.is_signed(np.array([[-0.001, 2.0]]))
        assert not method.is_signed(np.array([[-1e-9, 2.0]]))


def test_what_is_required_is_said_before_and_when_it_is_computed(
    course: nn.Module, x: Tensor, name: str, method: Method
) -> None:
    maps = trace(course, x).maps
    for layer in layers_for(method, ["conv1", "bn2", "relu3", "pool3"]):
        values = x if method.space == "input" else torch.from_numpy(maps[layer])[None]
        reason = method.unmet(course, layer, values)
        if reason is None:
            attribute(course, x, name, layer=layer, target=0)
        else:
            assert re.fullmatch(r"[A-Z].*: .*\.", str(reason))
            with pytest.raises(Problem, match=re.escape(str(reason))):
                attribute(course, x, name, layer=layer, target=0)


def test_what_grad_cam_pp_requires(course: nn.Module, x: Tensor) -> None:
    unmet = METHODS["grad_cam_pp"].unmet
    for layer, maps in trace(course, x).maps.items():
        assert (unmet(course, layer, torch.from_numpy(maps)) is None) is (
            not layer.startswith(("conv", "bn"))
        )
    assert not any(
        METHODS[name].unmet(course, "conv1", -torch.ones(1, 1, 1, 1)) for name in ("grad_cam", "layer_cam")
    )


def test_the_page_on_attributions_names_every_method(method: Method) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/attributions.md").read_text(encoding="utf-8")
    table = page.partition("## Methods")[2].partition("```python")[0]
    assert re.search(rf"(\||,) {re.escape(method.title)}( \||,)", table)
