"""The page “Interventions”: marks in the link, undo, and results by hand."""

import re
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest

from explorer.drawing.ranges import MINUS
from explorer.engine.attribution.baseline import BASELINES
from explorer.engine.intervention import Change, How, intervene
from explorer.engine.network_source import Source
from explorer.engine.samples import scene
from explorer.ui import cached, effects
from explorer.ui.cached import Outcome
from explorer.ui.jobs import JOBS
from explorer.ui.selection import Selection
from explorer.views.interventions import before_after, covering, exports, marks, other_class
from explorer.views.interventions.channels import Intervened, changes_of
from model import words
from model.checkpoint import load_checkpoint
from model.cifar10 import CLASSES
from tests.conftest import ROOT
from tests.views.test_any_network import own

pytestmark = pytest.mark.usefixtures("patient")


def html(at: object) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def assert_changes(html: str, before: float, after: float) -> None:
    """The sentence and the bars give these logits, and the change that subtracting those shown gives."""
    shown = re.search(r"goes from (\S+) to (\S+) \((\S+)\)", html).groups()
    first, last, change = (Decimal(each.replace(MINUS, "-")) for each in shown)
    assert (float(first), float(last)) == pytest.approx((before, after), abs=0.006)
    assert last - first == change
    assert f'class="chosen">{shown[2]}</div>' in html
    column = re.findall(r'<div(?: class="\w*")?>([+−][\d.]+)</div>', html)
    assert len(column) >= 4
    assert len({len(each.partition(".")[2]) for each in column}) == 1, column


def logits(name: str, *changes: Change) -> np.ndarray:
    checkpoint = load_checkpoint(ROOT / "checkpoints/cifar10-course.safetensors")
    x = checkpoint.card.to_input(scene(CLASSES.index(name)).pixels)
    return intervene(checkpoint.build(), x, changes).changed


@pytest.mark.parametrize(
    ("link", "change"),
    [
        ({}, Change("relu3", (52, 104, 105))),
        ({"how": "mean"}, Change("relu3", (52, 104, 105), "mean")),
        ({"how": "scale", "times": "-0.5"}, Change("relu3", (52, 104, 105), "scale", -0.5)),
    ],
)
def test_a_link_brings_marks_back_and_results_follow(visit: Callable, link: dict, change: Change) -> None:
    at = visit("interventions", sample="dog", marked="relu3~52.104-105", **link)
    assert not at.exception, at.exception[0].value
    before, after = logits("dog"), logits("dog", change)
    target = int(before.argmax())
    assert "relu3: 52, 104–105" in html(at)
    assert_changes(html(at), before[target], after[target])
    assert "Grad-CAM before the change" in html(at)


def test_reset_and_undo(visit: Callable) -> None:
    at = visit("interventions", sample="dog", marked="relu3~1-3")
    undo, reset = (next(each for each in at.button if each.label == name) for name in ("Undo", "Reset"))
    assert undo.disabled
    reset.click()
    at.run()
    assert "No logit changes" in html(at)
    assert "marked" not in at.query_params
    next(each for each in at.button if each.label == "Undo").click().run()
    assert "relu3: 1–3" in html(at)
    assert not at.exception


@pytest.mark.parametrize("change", ["patch", "effect", "other"])
@pytest.mark.parametrize("name", ["Tokens", "PreActivation", "UnderInference", "Volumes"])
def test_every_part_with_any_network(visit: Callable, change: str, name: str) -> None:
    at = visit("interventions", *own(name), change=change)
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value


def test_a_covered_square_by_hand(visit: Callable) -> None:
    at = visit("interventions", sample="dog", change="patch", patch="4.8.9", fill="black")
    checkpoint = load_checkpoint(ROOT / "checkpoints/cifar10-course.safetensors")
    card = checkpoint.card
    x = card.to_input(scene(CLASSES.index("dog")).pixels)
    black = x.clone()
    for channel, (mean, std) in enumerate(zip(card.mean, card.std, strict=True)):
        black[0, channel, 4:13, 8:17] = -mean / std
    before, after = (checkpoint.build().eval()(each)[0].detach().numpy() for each in (x, black))
    target = int(before.argmax())
    assert_changes(html(at), before[target], after[target])
    assert "Covered: 9 × 9 pixels of the input, from row 4 and column 8 on." in at.caption[0].value


def test_the_search_says_what_it_found_and_marks_it(visit: Callable) -> None:
    at = visit("interventions", sample="cat", change="other")
    text = " ".join(each.value for each in at.markdown)
    assert "Found by greedy search; a smaller set may exist." in text
    channels = tuple(map(int, re.search(r"channels ([\d, ]+), in the order", text)[1].split(", ")))
    after = logits("cat", Change("relu3", channels))
    assert CLASSES[int(after.argmax())] in text.partition("changes from cat to ")[2]
    assert logits("cat", Change("relu3", channels[:-1])).argmax() == logits("cat").argmax()
    next(each for each in at.button if each.label == "Mark these channels").click().run()
    at.run()
    assert not at.exception
    assert f"relu3: {marks.in_words(channels)}" in html(at)
    assert "The prediction changes from cat to" in html(at)


def test_what_the_network_does_not_have_is_left_out(visit: Callable) -> None:
    at = visit("interventions", marked="relu3~500.2~none~1~fc1~3~relu2")
    assert not at.exception, at.exception[0].value
    assert "relu3: 2<" in html(at)
    assert at.query_params["marked"] in ("relu3~500.2~none~1~fc1~3~relu2", ["relu3~500.2~none~1~fc1~3~relu2"])


@pytest.mark.parametrize(
    "given", [{}, {"a": (0,)}, {"a": (0, 1, 2, 9), "b~%7E": (3, 5, 6)}, {"a": tuple(range(2048))}]
)
def test_marks_come_back_from_their_text(given: dict[str, tuple[int, ...]]) -> None:
    text = marks.encoded(given)
    assert marks.decoded(text, dict.fromkeys(given, 2048)) == given
    assert len(text) < 40


@pytest.mark.parametrize("text", ["~", "a", "a~", "a~~b", "a~-", "a~1-", "a~9-1", "a~99999999", "a~٣", "~1"])
def test_marks_of_nonsense_are_none(text: str) -> None:
    assert marks.decoded(text, {"a": 8}) == {}


def test_a_search_is_stopped_and_goes_on(visit: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (effects, other_class):
        monkeypatch.setattr(module, "AT_ONCE", 0.0)
    monkeypatch.setattr(JOBS, "follow", JOBS.look)  # a machine that is busy
    at = visit("interventions", sample="truck", change="other")
    next(each for each in at.button if each.label == "Stop").click().run()
    labels = [each.label for each in at.button]
    assert "Continue" in labels
    assert "Stop" not in labels
    next(each for each in at.button if each.label == "Continue").click().run()
    assert "Stop" in [each.label for each in at.button]
    assert not at.exception


def test_the_search_says_which_prediction_it_changes(visit: Callable) -> None:
    at = visit("interventions", sample="cat", change="other", against="ship", **{"class": "dog"})
    assert "about the prediction, cat, not about dog, the class to explain" in html(at)
    text = " ".join(each.value for each in at.markdown)
    count = int(re.search(r"Without (\d+) of the 128 channels", text)[1])
    assert f"{count} channels of relu3 without which the prediction is no longer “cat”" in html(at)


def test_each_baseline_says_what_a_covered_square_shows() -> None:
    assert covering.FILLS.keys() == BASELINES.keys()


def cat() -> Selection:
    source = Source(path=ROOT / "checkpoints/cifar10-course.safetensors")
    return Selection(cached.opened("cifar10-course", source), scene(CLASSES.index("cat")))


@pytest.mark.parametrize(("value", "note"), [(0.0, "There is no heat map"), (-0.5, "No position supports")])
def test_a_heat_map_without_support_says_so(value: float, note: str) -> None:
    seen = cat()
    heat = np.full((8, 8), value, np.float32)
    one = Outcome(seen.seen.logits, seen.seen.probabilities, heat)
    both = before_after.compare("relu3", one, one)
    assert note in before_after.heat_figure(seen, both, "after", "Grad-CAM after the change", heat)


def test_a_caption_says_what_was_done_to_which_channels() -> None:
    def words(marked: dict[str, tuple[int, ...]], how: How, factor: float = 1.0) -> list[str]:
        return exports.changed(Intervened(marked, changes_of(marked, how, factor), None))  # type: ignore[arg-type]

    marked = {"relu2": (0, 1, 2), "relu3": (7,)}
    assert words(marked, "zero") == ["Channels set to zero: relu2: 0–2; relu3: 7."]
    assert words(marked, "mean") == ["Channels set to their mean: relu2: 0–2; relu3: 7."]
    assert words({"relu3": (7,)}, "scale", -0.5) == ["Channels multiplied by −0.5: relu3: 7."]
    assert words({}, "zero") == []


def test_the_download_has_the_digits_of_the_page(opened: Callable) -> None:
    for change in ("channels", "patch"):
        at, offer = opened("interventions", sample="dog", marked="relu3~52.104-105", change=change)
        shown = re.search(r"goes from (\S+) to (\S+) \(", html(at))
        printed = re.search(r"before and after: (\S+) and (\S+)\.$", offer.printed)
        assert shown
        assert printed
        assert shown.groups() == printed.groups()


def test_a_change_too_small_for_its_digits_is_said_in_words() -> None:
    opened = cached.opened("course", Source(ROOT / "checkpoints/cifar10-course.safetensors"))
    selection = Selection(opened, scene(5))
    logits = selection.seen.logits.astype(np.float64)
    after = logits.copy()
    after[selection.target] -= 5e-7
    even = np.full(10, 0.1)
    both = before_after.compare("relu3", Outcome(logits, even, None), Outcome(after, even, None))
    said = before_after.in_words(selection, both)
    assert said.endswith(f"(between {MINUS}0.0001 and 0).")
    assert "e" + MINUS not in said


def test_marked_channels_have_the_marks_of_the_language() -> None:
    marked = {"relu1": (0, 1, 2, 7)}
    assert marks.by_layer(marked) == ["relu1: 0–2, 7"]
    words.use("zh_CN")
    try:
        assert marks.by_layer(marked) == ["relu1：0–2、7"]
    finally:
        words.use(words.ENGLISH)
