"""The tour leads through ten stations on their pages; it is in the link, can be left, and resumed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from explorer.views.tour.stations import STATIONS
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


def html(at: AppTest) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def strip(at: AppTest) -> str:
    """The html of the strip: from its place in the tour on."""
    return html(at).partition("Tour, station ")[2]


def station(at: AppTest) -> str:
    """The number of the station in the address."""
    held = at.query_params.get("tour", "")
    return held[0] if isinstance(held, list) else held


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button if str(button.key).startswith("tour_")]


def heading(at: AppTest) -> str:
    return at.header[0].value


def test_the_tour_leads_through_all_stations_and_back(visit: Callable[..., AppTest]) -> None:
    at = visit(sample="horse")
    at.button(key="tour_start").click().run()
    headings = []
    for number, title in enumerate(TITLES, start=1):
        assert not at.exception, at.exception[0].value
        assert station(at) == str(number)
        assert f"{number} of 10<" in strip(at)
        assert f">{title}<" in strip(at)
        at.button(key="tour_choice_0").click().run()
        assert 'role="status"' in strip(at)
        headings.append(heading(at))
        if number < len(TITLES):
            at.button(key="tour_next").click().run()
    assert "tour_next" not in [button.key for button in at.button]
    assert headings[2:3] + headings[5:] == [
        "Learned and observed statistics", "Why “horse”?", "What changes if …?", "Attributions for “horse”", "Errors",
        "Training runs",
    ]  # fmt: skip
    at.button(key="tour_previous").click().run()
    assert (station(at), heading(at)) == ("9", "Errors")
    assert "role=" not in strip(at)


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


@pytest.mark.parametrize("number", ["0", "11", "x", ""])
def test_anything_else_in_the_link_is_no_station(visit: Callable[..., AppTest], number: str) -> None:
    at = visit(tour=number)
    assert not at.exception
    assert "Tour, station" not in html(at)
    assert labels(at) == ["Take the tour"]


def test_the_tour_is_left_and_resumed(visit: Callable[..., AppTest]) -> None:
    at = visit(tour="4")
    assert "Take the tour" not in labels(at)
    at.button(key="tour_leave").click().run()
    assert (station(at), labels(at)) == ("", ["Resume the tour: station 4 of 10"])
    at.switch_page("views/compare/page.py").run()
    at.button(key="tour_start").click().run()
    assert station(at) == "4"
    assert heading(at) == "Feature maps"
    assert "What does ReLU cut?" in strip(at)


@pytest.mark.parametrize("name", ["perceptron", "Tokens"])
def test_a_network_that_cannot_be_asked_does_not_end_the_tour(
    visit: Callable[..., AppTest], name: str
) -> None:
    at = visit("maps", *own(name), tour="1")
    for number in range(1, len(STATIONS) + 1):
        assert not at.exception, at.exception[0].value
        assert station(at) == str(number)
        assert STATIONS[number - 1].titled or STATIONS[number - 1].title in strip(at)
        if number < len(STATIONS):
            at.button(key="tour_next").click().run()
