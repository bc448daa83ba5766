"""The tour leads through ten stations on their pages; it is in the link, can be left, and resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from explorer.drawing.ranges import before_and_after, number
from explorer.engine.network_source import Source
from explorer.engine.samples import scene
from explorer.engine.scan.images import drawn_scenes
from explorer.engine.scores import random_nets
from explorer.ui import cached
from explorer.ui.jobs import JOBS
from explorer.ui.selection import Selection
from explorer.views.tour import strip as strip_of
from explorer.views.tour.stations import STATIONS, Station
from model import words
from model.card import Card
from model.checkpoint import load_checkpoint
from model.cifar10 import CLASSES
from model.words import ENGLISH, PSEUDO
from tests import tour_oracle as oracle
from tests.conftest import ROOT
from tests.ui.test_words import untranslated
from tests.views.test_any_network import own

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

TITLES = (
    "What is a feature map?",
    "Why 16 × 16?",
    "What does BatchNorm do?",
    "What does ReLU cut?",
    "What can one position see?",
    "Which maps made it “horse”?",
    "Does removing a map change the prediction?",
    "Can you trust this map?",
    "Where does the network fail?",
    "How did it learn this?",
)
HEADINGS = [
    "Learned and observed statistics", "Why “horse”?", "What changes if …?", "Attributions for “horse”",
    "Errors", "Training runs",
]  # fmt: skip


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages begin no work in the background: the tour needs none of it."""
    monkeypatch.setattr(JOBS, "follow", JOBS.look)


@pytest.fixture
def visit(visit: Callable[..., AppTest]) -> Callable[..., AppTest]:
    """`visit`, and from then on the test stays on the page that the app has opened."""

    def opened(page: str = "network", *options: str, **link: str) -> AppTest:
        at = visit(page, *options, **link)
        at._page_hash = ""
        return at

    return opened


def html(at: AppTest) -> str:
    return unescape(" ".join(piece.proto.body for piece in at.get("html")))


def strip(at: AppTest) -> str:
    """The html of the strip, to the next style sheet; "" without one."""
    return html(at).partition("Tour, station ")[2].partition("<style>")[0]


def station(at: AppTest) -> str:
    """The number of the station in the address."""
    value = at.query_params.get("tour", "")
    return value[0] if isinstance(value, list) else value


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button if str(button.key).startswith("tour_")]


def heading(at: AppTest) -> str:
    return at.header[0].value


def answers() -> tuple[tuple[str, str], ...]:
    """The correct choice of each station for the horse, "" where there is none, and what its answer says."""
    checkpoint = load_checkpoint(ROOT / "checkpoints/cifar10-course.safetensors")
    net, card = checkpoint.build().eval(), checkpoint.card
    x = card.to_input(scene(CLASSES.index("horse")).pixels)
    maps = {name: values.detach() for name, values in oracle.maps(net, x).items()}
    return (
        ("27", "3 × 3 weights for each of 3 channels that it reads, so 27 weights"),
        ("{} × {}".format(*maps["pool3"].shape[2:]), "⌊(8 − 2) / 2⌋ + 1 = 4"),
        mean(net, maps),
        cut(maps["bn1"]),
        ("18 × 18", "rows {} to {} and columns {} to {}".format(*pixels(net))),
        *last_maps(net, x),
        ("", trust(net, card, x)),
        ("", errors(net, card)),
        ("", learned()),
    )


def mean(net: nn.Module, maps: dict[str, Tensor]) -> tuple[str, str]:
    norm, observed = net.bn1, maps["conv1"].mean((0, 2, 3))
    distance = (observed - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
    k = int(distance.abs().argmax())
    after = maps["bn1"].mean((0, 2, 3))
    values = (observed, norm.running_mean, distance.abs(), norm.weight, norm.bias, after)
    texts = [number(each[k].item()) for each in values]
    side, order = ("Above", "higher") if distance[k] > 0 else ("Below", "lower")
    return side, (
        "{}: this image has {}, the running mean is {}, so it is {} running standard deviations {}. "
        "With γ = {} and β = {} the mean after BatchNorm is {}."
    ).format(side, *texts[:3], order, *texts[3:])


def cut(before: Tensor) -> tuple[str, str]:
    negative = int((before < 0).sum())
    fraction = negative / before.numel()
    parts = ("less than a third", "between one and two thirds", "more than two thirds")
    return parts[int(3 * fraction)], f"{fraction:.1%}: {negative:,} of {before.numel():,} values"


def pixels(net: nn.Module) -> tuple[int, int, int, int]:
    top, bottom, left, right = oracle.reach(net, 32, 4, 4)
    return top, bottom - 1, left, right - 1


def last_maps(net: nn.Module, x: Tensor) -> tuple[tuple[str, str], tuple[str, str]]:
    """The strongest maps of the last ReLU, and what the logit is without the first of them."""
    horse = CLASSES.index("horse")
    contributions, _ = oracle.grad_cam(net, x, horse)
    order = contributions.argsort(descending=True).tolist()[:3]
    first = ", ".join(f"channel {k} ({number(float(contributions[k]))})" for k in order)
    before, after = (float(each[horse]) for each in oracle.without(net, x, order[0]))
    falls = "It falls" if after < before else "It rises"
    first_shown, last_shown, change = before_and_after(before, after)
    contribution = number(float(contributions[order[0]]))
    return (
        f"Channel {order[0]}",
        f"of the 128 channels of relu3, in units of the logit per position (8 × 8 positions): {first}.",
    ), (
        falls,
        f"The logit goes from {first_shown} to {last_shown} ({change}). The prediction stays “horse”. This "
        f"is the effect of the whole map, in units of the logit. The channel’s contribution, {contribution}, "
        "is an estimate in units of the logit per position (8 × 8 positions)",
    )


def trust(net: nn.Module, card: Card, x: Tensor) -> str:
    horse = CLASSES.index("horse")
    images = torch.cat([card.to_input(scene(label, 64).pixels) for label in range(10)])
    _, heat = oracle.grad_cam(net, x, horse)
    each = [
        oracle.rank_correlation(heat, oracle.grad_cam(random, x, horse)[1])
        for random in random_nets(net, images)
    ]
    return f"Their mean rank correlation is {number(sum(each) / len(each))};"


def errors(net: nn.Module, card: Card) -> str:
    wrong = []
    for label in range(20):
        x = card.to_input(drawn_scenes(card).take(label).pixels)
        predicted = int(oracle.logits(net, oracle.last(net, x)).argmax())
        if predicted != label % 10:
            wrong.append(f"{CLASSES[label % 10]} → {CLASSES[predicted]}")
    return f"{len(wrong)} of 20 (label → prediction): {', '.join(wrong)}."


def learned() -> str:
    history = json.loads((ROOT / "checkpoints/cifar10-course.history.json").read_text())
    accuracies = [row["test_accuracy"] for row in history["epochs"]]
    goal = (accuracies[0] + accuracies[-1]) / 2
    half = next(index for index, each in enumerate(accuracies) if each >= goal)
    return (
        f"After epoch {half + 1}: {accuracies[half]:.1%}. After the first epoch it was "
        f"{accuracies[0]:.1%}, after the last one {accuracies[-1]:.1%}."
    )


def press(at: AppTest, choice: str) -> None:
    """Press a choice, or the button that shows the answer."""
    label = choice or "Show the answer"
    next(button for button in at.button if button.label == label).click().run()


def test_every_answer_is_that_of_the_raw_network(visit: Callable[..., AppTest]) -> None:
    at = visit(sample="horse")
    at.button(key="tour_start_here").click().run()
    headings = []
    for n, (title, (choice, answer)) in enumerate(zip(TITLES, answers(), strict=True), start=1):
        assert not at.exception, at.exception[0].value
        assert (station(at), f"{n} of 10<" in strip(at), f">{title}<" in strip(at)) == (str(n), True, True)
        press(at, choice)
        assert 'role="status"' in strip(at)
        assert answer in strip(at)
        assert ("<b>Correct.</b>" in strip(at)) == bool(choice)
        headings.append(heading(at))
        if n < len(TITLES):
            at.button(key="tour_next").click().run()
    assert "tour_next" not in [button.key for button in at.button]
    assert headings[2:3] + headings[5:] == HEADINGS
    at.button(key="tour_previous").click().run()
    assert (station(at), heading(at)) == ("9", "Errors")
    assert 'role="status"' not in strip(at)


def places(at: AppTest) -> tuple[int, int]:
    """How many places a station's question takes: in all, and for its choices."""
    path = way(at.main, "tour_choice_0")
    return len(path[-2].children), len(path[-1].children)


def way(block: Any, key: str) -> list[Any]:
    """The blocks from this one to the button of the key, each in the one before; [] if it is not in it."""
    for child in block.children.values():
        if getattr(child, "key", None) == key:
            return [block]
        inner = way(child, key) if hasattr(child, "children") else []
        if inner:
            return [block, *inner]
    return []


def test_every_station_takes_the_places_of_the_one_before(visit: Callable[..., AppTest]) -> None:
    """Else the browser shows its last choices and its answer until a slow page has run."""
    at = visit("interventions", tour="7")
    press(at, "It falls")
    before = places(at)
    at.button(key="tour_next").click().run()
    assert at.button(key="tour_choice_0").label == "Show the answer"
    assert places(at) == before == (3, 3)


def test_a_wrong_choice_is_told_so(visit: Callable[..., AppTest]) -> None:
    at = visit("maps", sample="horse", tour="1")
    press(at, "9")
    assert "<b>Not correct.</b> conv1 gives 32 maps" in strip(at)
    at.button(key="tour_next").click().run()
    at.button(key="tour_previous").click().run()
    assert 'role="status"' not in strip(at)


def test_a_link_opens_a_station_and_its_page(visit: Callable[..., AppTest]) -> None:
    at = visit(sample="ship", tour="3")
    assert not at.exception, at.exception[0].value
    assert heading(at) == "Learned and observed statistics"
    assert "What does BatchNorm do?" in strip(at)
    assert at.query_params["sample"] in ("ship", ["ship"])


def test_a_page_that_is_not_the_stations_says_where_it_is(visit: Callable[..., AppTest]) -> None:
    at = visit("compare", tour="6")
    assert "This station is on the page “Explain”." in strip(at)
    at.button(key="tour_back").click().run()
    assert heading(at) == "Why “cat”?"
    assert "Which maps made it “cat”?" in strip(at)


@pytest.mark.parametrize("number", ["0", "11", "x"])
def test_anything_else_in_the_link_is_no_station(visit: Callable[..., AppTest], number: str) -> None:
    at = visit("training", tour=number)
    assert not at.exception
    assert "Tour, station" not in html(at)
    assert labels(at) == ["Take the tour"]


def test_the_tour_is_left_and_resumed(visit: Callable[..., AppTest]) -> None:
    at = visit(tour="4")
    assert "Take the tour" not in labels(at)
    at.button(key="tour_leave").click().run()
    assert (station(at), labels(at)) == ("", ["Resume the tour: station 4 of 10"])
    at.switch_page("views/training/page.py").run()
    at._page_hash = ""
    at.button(key="tour_start").click().run()
    assert (station(at), heading(at)) == ("4", "What each channel responds to")
    assert "What does ReLU cut?" in strip(at)


def test_after_the_last_station_the_tour_is_over(visit: Callable[..., AppTest]) -> None:
    at = visit("training", tour="10")
    assert at.button(key="tour_leave").label == "Finish the tour"
    at.button(key="tour_leave").click().run()
    assert at.button(key="tour_start").label == "Take the tour"


@pytest.mark.parametrize("name", ["perceptron", "Tokens"])
def test_a_network_that_cannot_be_asked_does_not_end_the_tour(
    visit: Callable[..., AppTest], name: str
) -> None:
    at = visit("maps", *own(name), tour="1")
    for n, one in enumerate(STATIONS, start=1):
        assert not at.exception, at.exception[0].value
        assert station(at) == str(n)
        assert one.titled or one.title in strip(at)
        if n < len(STATIONS):
            at.button(key="tour_next").click().run()


@pytest.mark.parametrize("station", STATIONS, ids=lambda one: one.title)
def test_every_text_of_a_station_is_translated(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    path = ROOT / "checkpoints/cifar10-course.safetensors"
    selection = Selection(cached.opened(path.stem, Source(path)), scene(CLASSES.index("cat")))
    words.use(PSEUDO)
    try:
        asked = strip_of.asked(station, selection)
        question = asked.question
        assert question is not None
        texts = [asked.title, question.text, *question.choices, question.answer()]
    finally:
        words.use(ENGLISH)
    assert untranslated(texts) == []


def test_chinese_has_no_space_behind_a_full_width_mark() -> None:
    assert strip_of.led("正确。", "它下降。") == "<b>正确。</b>它下降。"
    assert strip_of.led("Correct.", "It falls.") == "<b>Correct.</b> It falls."
    assert strip_of.led("", "<It falls.") == "&lt;It falls."
