"""What Compare begins with, what it subtracts, and what a wrong prediction offers, run without a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.drawing import ranges
from explorer.engine.attribution import attribute
from explorer.engine.samples import scene
from explorer.engine.tracing import trace
from explorer.ui.exports import downloads
from explorer.ui.exports.downloads import Offer
from explorer.ui.options import Options, options
from model.card import Card
from model.checkpoint import load_checkpoint, save_checkpoint
from model.nets import NETS
from model.scenes import CLASSES
from model.snapshots import save_snapshot

ROOT = Path(__file__).parents[2]
Open = Callable[..., AppTest]
Take = Callable[..., tuple[AppTest, Offer]]
ARGUMENTS = {"widths": [4, 6], "hidden": 8}
CONFIG = {"seed": 3, "lr": 0.1, "epochs": 9, "device": "cpu"}


@pytest.fixture
def app(visit: Open) -> Open:
    """Open Compare with a link."""

    def at_compare(*options: str, **link: str) -> AppTest:
        return checked(visit("compare", *options, **link))

    return at_compare


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A small network's checkpoint of epoch 2 with snapshots of 0 and 1, and labels for four classes."""
    path = tmp_path / "mine.safetensors"
    for epoch in range(3):
        torch.manual_seed(epoch)
        state = NETS["course"](**ARGUMENTS).state_dict()
        card = Card(arguments=ARGUMENTS, epoch=epoch, config=CONFIG)
        save_snapshot(path, card, state) if epoch < 2 else save_checkpoint(path, card, state)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Test images whose labels are their folders: a dog among the cats, a ship among the horses, a frog."""
    for place, (label, drawn) in enumerate((("cat", "dog"), ("frog", "frog"), ("horse", "ship"))):
        path = tmp_path / "test" / label / f"{place}.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(scene(CLASSES.index(drawn), 64).pixels).save(path)
    return tmp_path


def checked(at: AppTest) -> AppTest:
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value
    return at


def html(at: AppTest) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def address(at: AppTest, key: str) -> str:
    held = at.query_params[key]
    return held if isinstance(held, str) else str(held[0])


def widgets(at: AppTest) -> dict[str, Any]:
    """Choice → its widget; the key of a widget that shows another choice than its last has a number."""
    drawn = [*at.selectbox, *at.number_input, *at.get("button_group")]
    return {widget.key.partition("~")[0]: widget for widget in drawn if widget.key}


def value(at: AppTest, key: str) -> Any:
    return widgets(at)[key].value


def choose(at: AppTest, key: str, wanted: str) -> AppTest:
    widgets(at)[key].set_value(wanted)
    return checked(at.run())


def press_next(at: AppTest) -> AppTest:
    """Click Next, as the browser counts it."""
    drawn = (each.proto.id.split("-", 2)[2] for each in at.get("bidi_component"))
    (name,) = [key for key in drawn if key in ("sample_steps", "index_steps")]
    counted = at.session_state[name].get("count", {"sum": 0})["sum"]
    at.session_state[name] = {"count": {"drawn": "once", "sum": counted + 1}}
    return checked(at.run())


# What B begins with


def test_the_same_image_begins_at_another_stage(app: Open) -> None:
    at = app()
    assert (value(at, "a_stage"), value(at, "b_stage")) == ("act", "norm")
    choose(at, "a_stage", "norm")
    assert value(at, "b_stage") == "conv"
    choose(at, "a_stage", "conv")
    assert value(at, "b_stage") == "norm"
    choose(at, "a_block", "2")
    assert value(at, "b_block") == "2"


@pytest.mark.parametrize("own", ["image", "epoch"])
def test_after_the_same_image_another_one_is_compared_at_the_same_stage(app: Open, own: str) -> None:
    at = app(checkpoint="cifar10-fast")
    assert value(at, "b_stage") == "norm"
    choose(at, "b_own", own)
    assert (value(at, "a_stage"), value(at, "b_stage")) == ("act", "act")
    choose(at, "a_stage", "pool")
    assert value(at, "b_stage") == "pool"
    choose(at, "b_own", "same")
    assert value(at, "b_stage") == "act"
    assert "b_stage" not in at.query_params


def test_a_stage_that_was_chosen_stays(app: Open) -> None:
    at = app(b_own="image", b_stage="conv")
    choose(at, "a_stage", "pool")
    assert value(at, "b_stage") == "conv"
    assert address(at, "b_stage") == "conv"


def test_two_networks_begin_at_the_same_stage_of_their_last_blocks(app: Open) -> None:
    at = app(b_own="checkpoint", b_checkpoint="cifar10-resnet9")
    assert (value(at, "a_cam_block"), value(at, "b_cam_block")) == ("3", "8")
    assert value(at, "a_cam_stage") == value(at, "b_cam_stage") == "act"
    choose(at, "a_cam_stage", "norm")
    assert value(at, "b_cam_stage") == "norm"


def test_another_image_is_another_one(app: Open, folder: Path) -> None:
    at = app(b_own="image")
    assert (value(at, "sample"), value(at, "b_sample")) == ("cat", "dog")
    press_next(at)
    assert (value(at, "sample"), value(at, "b_sample")) == ("deer", "cat")
    at = app("--data-dir", str(folder), b_own="image", source="test", b_source="test")
    assert (value(at, "index"), value(at, "b_index")) == (0, 1)
    press_next(at)
    assert (value(at, "index"), value(at, "b_index")) == (1, 0)
    at = app("--data-dir", str(folder), b_own="image", source="test", only="frog", b_source="test")
    assert (value(at, "index"), value(at, "b_index")) == (0, 0)


def test_an_image_that_was_chosen_stays(app: Open) -> None:
    at = app(b_own="image", b_sample="frog")
    press_next(at)
    assert value(at, "b_sample") == "frog"


def test_a_checkpoint_that_cannot_be_opened_is_one_sentence(visit: Open, run: Path) -> None:
    broken = next((run.parent / "mine.snapshots").glob("epoch-0000*"))
    broken.write_bytes(b"\x80nothing\0")
    at = visit("compare", "--checkpoint", str(run), b_own="epoch")
    assert not at.exception
    assert "damaged" in at.error[0].value


# Two classes


def order(name: str) -> list[str]:
    """Classes by their logits for a built-in sample, the largest first."""
    checkpoint = load_checkpoint(ROOT / "checkpoints/cifar10-course.safetensors")
    x = checkpoint.card.to_input(scene(CLASSES.index(name)).pixels)
    logits = trace(checkpoint.build(), x).logits
    return [checkpoint.card.classes[k] for k in np.argsort(-logits)]


def test_the_other_class_is_the_runner_up_of_each_image(app: Open) -> None:
    at = app(compare="classes")
    for name in ("cat", "deer", "dog"):
        first, second = order(name)[:2]
        assert f"Why “{first}” rather than “{second}”?" in html(at)
        assert "against" not in at.query_params
        press_next(at)


def test_a_class_that_was_chosen_stays(app: Open) -> None:
    at = app(compare="classes")
    choose(at, "against", "truck")
    for name in ("cat", "deer"):
        assert f"Why “{order(name)[0]}” rather than “truck”?" in html(at)
        assert address(at, "against") == "truck"
        press_next(at)


# What is subtracted


def test_two_networks_are_not_subtracted(opened: Take) -> None:
    at, offer = opened("compare", b_own="checkpoint", b_checkpoint="cifar10-fast")
    assert "A − B" not in html(at)
    assert not any("channel" in name for name in [*offer.pictures, *offer.arrays()])
    assert not [each for each in at.get("bidi_component") if "grid" in each.proto.id]
    assert any("Channels are not compared" in caption.value for caption in at.caption)


@pytest.mark.parametrize("scale", ["own", "shared"])
def test_two_networks_are_compared_by_prediction_and_grad_cam(opened: Take, scale: str) -> None:
    link = {"b_own": "checkpoint", "b_checkpoint": "cifar10-fast", "class": "dog", "ab_scale": scale}
    at, offer = opened("compare", **link)
    arrays = offer.arrays()
    for side, name in (("a", "course"), ("b", "fast")):
        checkpoint = load_checkpoint(ROOT / f"checkpoints/cifar10-{name}.safetensors")
        net, x = checkpoint.build(), checkpoint.card.to_input(scene(CLASSES.index("cat")).pixels)
        heat = attribute(net, x, layer="relu3", target=CLASSES.index("dog")).values
        np.testing.assert_allclose(arrays[f"{side}_heat"][0], heat, rtol=1e-4, atol=1e-7)
        probabilities = trace(net, x).probabilities
        np.testing.assert_allclose(arrays[f"{side}_probabilities"][0], probabilities, rtol=1e-5)
        assert f"Prediction: {CLASSES[probabilities.argmax()]} (correct)" in html(at)
        assert f"cifar10-{name}" in offer.caption
    assert ("the same scale for A and B" in offer.caption) == (scale == "shared")


def test_both_sides_give_the_probability_of_the_class_explained(app: Open) -> None:
    at = app(b_own="both", b_sample="frog", **{"class": "truck"})
    _, *sides = html(at).split('class="fx-side"')
    assert len(sides) == 2
    assert all('<div class="chosen">truck</div>' in side for side in sides)


def test_a_class_that_b_lacks_is_said(app: Open, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path, classes = tmp_path / "other.safetensors", ("apple", "pear", "DOG")
    net = NETS["course"](classes=3, **ARGUMENTS)
    save_checkpoint(path, Card(arguments=ARGUMENTS, classes=classes), net.state_dict())
    at = app("--checkpoint", str(path), b_own="checkpoint", checkpoint="cifar10-fast", **{"class": "cat"})
    choose(at, "b_checkpoint", path.name)
    assert "B has no class “cat”" in html(at)
    choose(at, "class", "dog")
    assert "B: DOG at relu2" in html(at)


def test_epochs_of_one_run_are_subtracted(opened: Take, run: Path) -> None:
    _, offer = opened("compare", "--checkpoint", str(run), b_own="epoch", b_epoch="1", channel="2")
    maps = []
    x = load_checkpoint(run).card.to_input(scene(CLASSES.index("cat")).pixels)
    for path in (run, run.parent / "mine.snapshots" / "epoch-0001.safetensors"):
        maps.append(trace(load_checkpoint(path).build(), x).maps["relu1"])
    table = offer.tables["Channels"]()
    expected = np.abs(maps[0] - maps[1]).mean((1, 2))
    np.testing.assert_allclose(table["mean_absolute_difference"], expected, rtol=1e-4, atol=1e-6)
    assert "A − B, channel 2" in offer.pictures
    titles = [panel.title for panel in offer.figure()]
    assert titles == ["A: relu1, mine.safetensors", "B: relu1, mine.safetensors, epoch 1", "A − B"]


def test_different_blocks_are_not_subtracted(opened: Take) -> None:
    link = {"a_block": "3", "b_block": "4", "a_stage": "act", "b_stage": "act"}  # maps of one shape
    at, offer = opened("compare", checkpoint="cifar10-resnet9", **link)
    shapes = {offer.arrays()[f"{side}_maps"][0].shape for side in "ab"}
    assert len(shapes) == 1
    assert not any("−" in name for name in offer.pictures)
    assert "mean_absolute_difference" not in offer.tables["Channels"]()
    assert any("different blocks" in caption.value for caption in at.caption)


def test_only_what_there_is_is_offered(app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    offered = widgets(app(checkpoint="cifar10-fast"))["b_own"].options
    without = widgets(app(checkpoint="scenes-course"))["b_own"].options
    assert set(offered) - set(without) == {"Another epoch of this run"}
    only = {"scenes-course": options().checkpoints["scenes-course"]}
    monkeypatch.setattr(Options, "checkpoints", only)
    assert widgets(app())["b_own"].options == ["The same image", "Another image"]


# A wrong prediction


def test_a_correct_prediction_offers_nothing(visit: Open, folder: Path) -> None:
    at = visit("explain", "--data-dir", str(folder), source="test", index="1")
    assert "(correct)" in html(at)
    assert not [button for button in at.button if "true class" in button.label]


def test_a_wrong_prediction_explains_its_true_class(visit: Open, folder: Path) -> None:
    at = visit("explain", "--data-dir", str(folder), source="test")
    assert "(wrong: labeled cat)" in html(at)
    checked(at.button(key="explain_true").click().run())
    assert value(at, "class") == "cat"
    assert address(at, "class") == "cat"
    assert "Grad-CAM of cat" in html(at)
    assert "Explain the true class" not in [button.label for button in at.button]
    press_next(at)
    assert value(at, "class") == "cat"
    assert "Grad-CAM of cat" in html(at)


def test_why_this_rather_than_the_true_class(visit: Open, folder: Path) -> None:
    at = visit("maps", "--data-dir", str(folder), source="test", **{"class": "truck"})
    checked(at.button(key="compare_true").click().run())
    assert "Why “dog” rather than “cat”?" in html(at)
    assert (address(at, "compare"), address(at, "against")) == ("classes", "cat")
    assert "class" not in at.query_params
    assert [button.label for button in at.button if "true class" in button.label] == [
        "Explain the true class"
    ]
    at.switch_page("views/compare/page.py")  # AppTest itself does not follow the page's own switch
    press_next(at)
    assert "Why “frog” rather than “cat”?" in html(at)


# Controls that do nothing


def controls(at: AppTest) -> set[str]:
    return widgets(at).keys() & EVERYTHING


EVERYTHING = {"checkpoint", "source", "sample", "class"}


@pytest.mark.parametrize(
    ("page", "link", "missing"),
    [
        ("explain", {}, set()),
        ("maps", {}, set()),
        ("batchnorm", {}, {"class"}),
        ("compare", {}, {"class"}),
        ("compare", {"compare": "classes"}, set()),
        ("compare", {"b_own": "checkpoint"}, set()),
        ("shortcut", {}, {"class"}),
        ("training", {}, {"source", "sample", "class"}),
        ("scoreboard", {}, {"source", "sample", "class"}),
        ("errors", {}, {"source", "sample", "class"}),
        ("time_machine", {"checkpoint": "cifar10-fast"}, set()),
        ("augmentation", {}, {"class"}),
        ("set_map", {}, {"class"}),
        ("shift", {}, {"class"}),
        ("data_map", {}, {"source", "sample", "class"}),
    ],
)
def test_a_page_has_the_controls_that_it_uses(
    visit: Open, page: str, link: dict[str, str], missing: set[str]
) -> None:
    at = checked(visit(page, sample="horse", **{"class": "dog"}, **link))
    assert controls(at) == EVERYTHING - missing
    assert ("Explained below" in html(at)) == (
        "class" not in missing and page not in ("training", "scoreboard", "data_map")
    )


def test_what_is_hidden_stays_chosen(visit: Open) -> None:
    at = visit("training", sample="horse", **{"class": "dog"})
    for page in ("augmentation", "training", "explain"):
        checked(at.switch_page(f"views/{page}/page.py").run())
    assert (value(at, "sample"), value(at, "class")) == ("horse", "dog")
    assert "Grad-CAM of dog" in html(at)


def labels(at: AppTest) -> set[str]:
    return {widget.label for widget in [*at.selectbox, *at.get("button_group")]}


def test_one_map_has_no_choice_of_scale(visit: Open, run: Path) -> None:
    deep = {"checkpoint": "cifar10-resnet9"}
    assert "Color scale" in labels(visit("explain", **deep))
    assert "Color scale" not in labels(visit("explain", blocks="8", **deep))
    assert "Color scale" in labels(visit("time_machine", "--checkpoint", str(run)))
    early, late = sorted((run.parent / "mine.snapshots").glob("*.safetensors"))
    early.replace(run)  # an untrained network with the snapshot of its epoch alone
    late.replace(early)
    assert "Color scale" not in labels(visit("time_machine", "--checkpoint", str(run)))


def test_without_training_images_nobody_is_asked_for_a_recipe(visit: Open, tmp_path: Path) -> None:
    path = tmp_path / "train" / "cat" / "0.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"nothing")
    at = visit("augmentation")
    assert "can be read" in at.warning[0].value
    assert "Recipe" not in labels(at)


# What the page shows and what it gives away are one value


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("explain", {"cam_scale": "shared"}),
        ("explain", {"evidence": "signed"}),
        ("compare", {"scale": "channel"}),
        ("compare", {"b_own": "checkpoint"}),
        ("compare", {"compare": "classes"}),
    ],
)
def test_exports_choose_no_color_range(
    visit: Open, monkeypatch: pytest.MonkeyPatch, page: str, link: dict[str, str]
) -> None:
    makers: list[Callable[[], Offer]] = []
    monkeypatch.setattr(downloads, "show", makers.append)
    checked(visit(page, **link))

    def chosen(*values: object, **details: object) -> None:
        raise AssertionError("The page has chosen this range before.")

    for name in ("symmetric", "positive", "shared", "each_shared", "per_channel"):
        monkeypatch.setattr(ranges, name, chosen)
    offer = makers[-1]()
    assert offer.figure()
    for draw in offer.pictures.values():
        assert draw().size


def test_it_begins_with_the_channel_that_differs_most(app: Open) -> None:
    at = app()
    shown = [each.value for each in at.caption if "differs most" in each.value]
    number = shown[0].split()[1]
    assert number != "0"
    assert f"Channel {number} of A and B" in [each.value for each in at.subheader]
    assert "That of channel" not in shown[0]
    other = app(channel="0")
    assert "Channel 0 of A and B" in [each.value for each in other.subheader]
    assert [each for each in other.caption if each.value.startswith(f"{shown[0]} That of channel 0 is ")]
