"""The strip of the tour above a page: the station, its question, and the way to the next one.

The number of the station is in the link, under `tour`. What was chosen or shown is not, so that whoever opens
the link can answer for themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from explorer.ui import link, markup
from explorer.ui.markdown import literal
from explorer.ui.selection import Selection
from explorer.views.tour.questions import TourQuestion
from explorer.views.tour.stations import STATIONS, Station
from model import words
from model.problems import Problem
from model.words import paragraph, tr

KEY = "tour"
MOST_CHOICES = 3  # of a question
_GOING, _LEFT, _OPENED, _PRESSED, _ANSWER = (
    f"_tour_{name}" for name in ("going", "left", "opened", "pressed", "answer")
)


@dataclass(frozen=True)
class Asked:
    """A station as it is on one network and image; `problem` says why there is no question."""

    title: str
    question: TourQuestion | None
    problem: str = ""


def start(key: str = "tour_start") -> None:
    """A button that starts the tour, or resumes it where it was left; none while the tour runs."""
    if _number(link.chosen(KEY)):
        return
    left = st.session_state.get(_LEFT)
    label = tr("Take the tour")
    if left is not None:
        label = tr("Resume the tour: station {number} of {count}", number=left, count=len(STATIONS))
    st.button(label, key=key, icon=":material/tour:", on_click=go, args=(left or 1,))


def show(selection: Selection | None, page: str, begins: bool = False) -> None:
    """The strip, if the tour runs, above the page of this folder; opens the page of a station gone to.

    `begins` says that the address names no page: a visit that begins there with a station opens its page.
    """
    number = _number(link.value(KEY, ""))
    first = _OPENED not in st.session_state
    st.session_state[_OPENED] = True
    if number is None:
        link.keep(KEY, "", "")
        return
    link.keep(KEY, str(number), "")
    station = STATIONS[number - 1]
    going = st.session_state.get(_GOING, False) or (first and begins)
    if going and page != station.page:
        st.session_state[_GOING] = True
        link.open_page(station.page)
    st.session_state[_GOING] = False
    with st.container(key="tour"):
        if page != station.page:
            _elsewhere(station, number)
            return
        if going and selection is not None:
            _view(station, selection)
        _here(station, number, selection)


def go(number: int) -> None:
    """Go to a station: its page opens with the choices that the station asks for. In a callback."""
    link.change(KEY, str(number))
    if explained := STATIONS[number - 1].explained:
        link.change("class", explained)
    st.session_state[_GOING] = True
    st.session_state.pop(_PRESSED, None)


def leave(number: int) -> None:
    """Leave the tour at a station, where it can be resumed; after the last one it is over. In a callback."""
    link.change(KEY, "")
    st.session_state[_LEFT] = number if number < len(STATIONS) else None


def _number(text: str) -> int | None:
    """The station that the link names; None for anything else."""
    numbers = {str(number): number for number in range(1, len(STATIONS) + 1)}
    return numbers.get(text)


def _view(station: Station, selection: Selection) -> None:
    """Make the choices with which the page opens."""
    try:
        choices: Mapping[str, str] = station.view(selection)
    except Problem:  # the strip says why
        return
    for key, value in choices.items():
        link.change(key, value)


# What is drawn


def _here(station: Station, number: int, selection: Selection | None) -> None:
    one = asked(station, selection)
    with st.container(horizontal=True, vertical_alignment="bottom", key="tour_head"):
        markup.show(_station_number(number), markup.text(one.title, "fx-tour-title", tag="h2"))
        _ways(number)
    about, task = st.columns(2, gap="medium")
    with about:
        action = led(tr("Try it:"), tr(station.action))
        markup.show(markup.element("p", escape(tr(station.sentences))), f"<p>{action}</p>")
    with task:
        if one.question is None:
            markup.show(markup.text(one.problem, tag="p"))
            _choices((), None, ())
            st.empty()
        elif selection is not None:
            _ask(one.question, _key(number, selection))


def _elsewhere(station: Station, number: int) -> None:
    """The strip on a page that is not the station's."""
    with st.container(horizontal=True, vertical_alignment="center", key="tour_head"):
        on = tr("This station is on the page “{page}”.", page=tr(station.page_title))
        markup.show(_station_number(number), markup.text(on))
        st.button(tr("Back to the station"), key="tour_back", on_click=go, args=(number,))
        _leave(number)


def _station_number(number: int) -> str:
    return markup.text(tr("Tour, station {number} of {count}", number=number, count=len(STATIONS)), "muted")


def _ways(number: int) -> None:
    """Previous, next and leave; the first station has nothing before it, the last nothing after it."""
    if number > 1:
        st.button(tr("Previous station"), key="tour_previous", on_click=go, args=(number - 1,))
    if number < len(STATIONS):
        st.button(tr("Next station"), key="tour_next", type="primary", on_click=go, args=(number + 1,))
    _leave(number)


def _leave(number: int) -> None:
    label = tr("Leave the tour") if number < len(STATIONS) else tr("Finish the tour")
    st.button(label, key="tour_leave", type="tertiary", on_click=leave, args=(number,))


def asked(station: Station, selection: Selection | None) -> Asked:
    """A station's title and question for what is selected, or why there is no question."""
    if selection is None:
        reason = tr("There is no network or no picture yet: choose one in the sidebar.")
        return Asked(tr(station.title), None, reason)
    try:
        title = station.titled(selection) if station.titled else tr(station.title)
        return Asked(title, station.ask(selection))
    except Problem as problem:
        return Asked(tr(station.title), None, str(problem))


def _key(number: int, selection: Selection) -> tuple[object, ...]:
    """What an answer belongs to."""
    return number, selection.network.key, selection.input.digest, words.language()


def _ask(question: TourQuestion, key: tuple[object, ...]) -> None:
    """The question with its choices, or with a button that shows the answer; below it the answer."""
    markup.show(markup.text(question.text, "strong", tag="p"))
    pressed = st.session_state.get(_PRESSED)
    choice = pressed[1] if pressed is not None and pressed[0] == key else None
    chosen = choice if question.choices else None
    _choices(question.choices or (tr("Show the answer"),), chosen, key)
    with st.empty():
        if choice is not None:
            _show_answer(question, key, choice)


def _choices(labels: Sequence[str], chosen: int | None, key: tuple[object, ...]) -> None:
    """A button for each label, and nothing in the place of those that another station has more: the browser
    shows what had a place before until the page has run.
    """
    with st.container(horizontal=True, gap="small", key="tour_choices"):
        for index, label in enumerate(labels):
            kind = "primary" if chosen == index else "secondary"
            st.button(
                literal(label), key=f"tour_choice_{index}", type=kind, on_click=_press, args=(key, index)
            )
        for _ in range(len(labels), MOST_CHOICES):
            st.empty()


def _press(key: tuple[object, ...], choice: int) -> None:
    st.session_state[_PRESSED] = key, choice


def _show_answer(question: TourQuestion, key: tuple[object, ...], choice: int) -> None:
    """Whether the choice was correct, and the answer, which is computed once."""
    known = st.session_state.get(_ANSWER)
    if known is None or known[0] != key:
        with st.spinner(tr("Computing the answer …")):
            try:
                known = key, question.answer()
            except Problem as problem:
                known = key, str(problem)
        st.session_state[_ANSWER] = known
    verdict = ""
    if question.choices:
        verdict = tr("Correct.") if choice == question.correct else tr("Not correct.")
    markup.show(f'<p role="status">{led(verdict, known[1])}</p>')


def led(first: str, text: str) -> str:
    """A text behind bold first words, as html; Chinese has no space behind its full-width mark.

    >>> led("Correct.", "It falls."), led("正确。", "它下降。"), led("", "It falls.")
    ('<b>Correct.</b> It falls.', '<b>正确。</b>它下降。', 'It falls.')
    """
    space = paragraph([first, ""])[len(first) :] if first else ""
    return f"<b>{escape(first)}</b>{space}{escape(text)}" if first else escape(text)
