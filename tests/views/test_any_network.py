"""Every page opens with the networks that people really have, or says in a sentence why it cannot."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from explorer.engine import attribution
from explorer.engine.attribution.gradients import NoGradient
from explorer.ui import cached
from explorer.ui.frame import pages
from model.problems import Problem

PAGES = [page.folder for page in pages.PAGES if page.network and page.folder not in ("errors", "shortcut")]
"""Errors works from a scan alone, and Shortcut from the shipped networks."""
WITHOUT_MAPS = {"set_map", "shift", "time_machine", "augmentation", "dropout", "mlp"}
"""They show predictions, or what snapshots have."""
NETWORKS = (
    "Tokens", "PreActivation", "activated_norm", "same_padding", "perceptron", "Volumes"
)  # fmt: skip


def own(name: str) -> tuple[str, ...]:
    """The start options that open one of the odd networks."""
    return "--net", f"tests.engine.odd_networks:{name}", "--classes", "5", "--input-size", "32"


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_with(visit: Callable, page: str, name: str) -> None:
    at = visit(page, *own(name))
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value


@pytest.mark.parametrize("name", ["Checkpointed", "HooksMaps"])
@pytest.mark.parametrize("page", ["network", "explain", "maps", "interventions"])
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_a_page_opens_where_gradients_go_their_own_way(visit: Callable, page: str, name: str) -> None:
    at = visit(page, *own(name))
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value


@pytest.mark.parametrize(
    ("name", "methods"), [("Checkpointed", {"occlusion"}), ("HooksMaps", {"saliency", "occlusion"})]
)
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_methods_without_a_gradient_say_so_and_others_are_shown(
    opened: Callable, name: str, methods: set[str]
) -> None:
    at, offer = opened("attributions", *own(name), methods="saliency,occlusion")
    at.run()
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value
    assert {*offer.tables["Scores"]().method} == methods


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_cannot_show_is_one_sentence(
    visit: Callable, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    def refused(*_: object) -> None:
        raise Problem("This cannot be shown here: choose another network.")

    monkeypatch.setattr("explorer.ui.selection.current", refused)
    monkeypatch.setattr(f"explorer.views.{page}.page.current", refused)
    at = visit(page)
    assert not at.exception, at.exception[0].value
    assert [each.value for each in at.info] == ["This cannot be shown here: choose another network."]


@pytest.mark.parametrize("page", [page for page in PAGES if page not in WITHOUT_MAPS])
def test_a_page_says_why_there_are_no_maps(visit: Callable, page: str) -> None:
    at = visit(page, *own("Copies"))
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value
    said = " ".join(each.value for each in (*at.info, *at.caption))
    assert "computes 2 parts or copies of each image as one batch, larger than the batch" in said


def test_a_norm_of_ones_own_is_not_said_to_be_without_statistics(visit: Callable) -> None:
    at = visit("batchnorm", *own("frozen_norm"))
    said = at.info[0].value
    assert "What it normalizes with is not known; only BatchNorm layers of torch are compared" in said
    assert "without statistics from training" not in said


def options(at: object, label: str) -> list[str]:
    return next(box.options for box in at.selectbox if box.label == label)


def test_only_stages_of_the_chosen_blocks_are_offered(visit: Callable) -> None:
    net = own("PreActivation")
    assert options(visit("explain", *net), "Stage") == ["Convolution", "BatchNorm", "ReLU"]
    assert options(visit("explain", *net, blocks="2,4"), "Stage") == ["Convolution"]
    last = visit("explain", *net, blocks="5", cam_stage="norm")
    assert options(last, "Stage") == ["BatchNorm"]
    assert "Block 5 · norms.2" in " ".join(text.value for text in last.html)


def test_feature_maps_are_shown_also_where_no_gradient_arrives(visit: Callable) -> None:
    html = maps_of(visit, "UnderInference")
    assert "act has 8 channels of 32 × 32 positions. Select any channel" in html
    assert "No gradient of a class reaches this layer." in html


def test_feature_maps_are_shown_also_where_the_class_of_an_image_does_not_depend_on_them(
    visit: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise NoGradient("No gradient reaches this layer: choose another.")

    cached.gradients.clear()
    monkeypatch.setattr(attribution, "class_gradients", refused)
    assert "No gradient of a class reaches this layer." in maps_of(visit, "PreActivation")


def maps_of(visit: Callable, name: str) -> str:
    at = visit("maps", *own(name))
    assert not at.exception, at.exception[0].value
    return " ".join(element.value for element in at.html)


@pytest.mark.parametrize(
    "name", ["ReturnsNothing", "Uncopyable", "ExtraState", "Keywords", "NormalizesInPlace"]
)
def test_explain_opens_with(visit: Callable, name: str) -> None:
    at = visit(
        "explain", "--net", f"tests.engine.odd_networks:{name}", "--classes", "5", "--input-size", "32"
    )
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value
    assert "Grad-CAM of" in " ".join(element.value for element in at.html)


def test_channels_can_be_marked_of_a_layer_with_underscores_in_its_name(visit: Callable) -> None:
    at = visit("interventions", *own("Private"), blocks="2")
    assert not at.exception, at.exception[0].value
    assert "marking _Private_ _last" in at.session_state


@pytest.mark.parametrize("name", ["scripted", "exported"])
def test_a_program_is_refused_in_a_sentence(visit: Callable, name: str) -> None:
    at = visit(
        "explain", "--net", f"tests.engine.odd_networks:{name}", "--classes", "5", "--input-size", "32"
    )
    assert not at.exception, at.exception[0].value
    assert "give the network as Python code" in at.error[0].value


def test_the_kernel_of_a_convolution_in_16_bits_is_shown(visit: Callable) -> None:
    at = visit("maps", "--net", "tests.engine.test_precision:InHalf", "--classes", "5", "--input-size", "32")
    assert not at.exception, at.exception[0].value
    assert "Kernel of channel" in " ".join(each.value for each in at.subheader)
    assert "more than a plain Conv2d" not in " ".join(each.value for each in at.info)
