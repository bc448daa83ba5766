"""The link: what the visitor chose stands in the address, and stays when pages change.

Streamlit's own `bind="query-params"` puts the text shown on the page into the address; here it is the
plain option, so that a link stays short and holds when words change.

A choice has one widget, and what the visitor does with it counts. Whatever else changes the choice (a step
to the next image, the browser's Back button, a button of the page) or its texts gives it a new widget, whose
key has another turn: what the browser still sends of the old one is late, and is not taken for a choice.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer.ui.frame.pages import BY_FOLDER
from model import words

_LINK = "_link"
TURNS = 64  # then keys are used again: Streamlit remembers every key of a visit


@dataclass
class _Link:
    """A visitor's choices: those in effect, and the address, which leaves out what is at its default.

    `requested` are the keys that this run used, `in_address` those of them that belong in the address,
    `left_out` those that must not; `private` are all that must not, as of the last run that came to its end.
    `turns` number the widgets of a key, `texts` are the hashes of what their options show, `defaults` those
    that change with other choices.
    """

    choices: dict[str, str]
    address: dict[str, str]
    written: dict[str, str] | None = None
    requested: set[str] = field(default_factory=set)
    in_address: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    turns: dict[str, int] = field(default_factory=dict)
    texts: dict[str, dict[str, int]] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    begun_anew: bool = False


def _link() -> _Link:
    link: _Link = st.session_state[_LINK]
    return link


def read() -> None:
    """Take over what stands in the address when a visit begins, or when the visitor goes back or forward.

    Otherwise the address follows the choices: a browser that sends a click before it has put the last
    choice into its address would undo that choice. First thing in a run.
    """
    address = st.query_params.to_dict()
    if _LINK not in st.session_state:
        st.session_state[_LINK] = _Link(address, dict(address))
    else:
        _link().begun_anew = _link().written is None
        if came_back():
            _go_to(_link(), address)
    link = _link()
    link.requested, link.in_address, link.left_out = set(), {}, set()


def came_back() -> bool:
    """Whether this run answers the browser's Back or Forward button."""
    run = get_script_run_ctx()
    return run is not None and run.is_history_navigation


def _go_to(link: _Link, address: dict[str, str]) -> None:
    """Every choice as the address has it; one that may not stand there stays as it is."""
    before = {key: value for key, value in link.choices.items() if key in link.private}
    for key in link.choices.keys() | address.keys() | link.turns.keys():
        if address.get(key) != link.address.get(key):
            _turn(link, key)
    link.choices, link.address, link.written = before | address, dict(address), dict(address)
    link.defaults.clear()  # those of the state that is left: what the address says does not stand at them


def choose(
    widget: Callable[..., Any], label: str, options: Sequence[str], key: str, default: str, **details: Any
) -> str:
    """One of `options` by a widget such as `st.selectbox`; starts from the link, else at the default."""
    value = current(key, options, default)
    named = _named(options, details)
    at = {"selectbox": "index", "select_slider": "value"}.get(widget.__name__, "default")
    start = list(options).index(value) if at == "index" else value
    option = widget(label, options, key=_showing(key, value, named), **details | {at: start})
    keep(key, str(option), default)
    return str(option)


def several(
    widget: Callable[..., Any],
    label: str,
    options: Sequence[str],
    key: str,
    default: Sequence[str],
    **details: Any,
) -> list[str]:
    """Some of `options`, at least one, by a widget such as `st.multiselect`; joined by commas in the link."""
    in_browser = _in_browser(key)
    candidates = (
        in_browser if isinstance(in_browser, list) else map(unquote, _link().choices.get(key, "").split(","))
    )
    value = [option for option in dict.fromkeys(candidates) if option in options] or list(default)
    named = _named(options, details)
    chosen = widget(label, options, key=_showing(key, value, named), **details | {"default": value})
    keep(key, _joined(chosen or default), _joined(default))
    return list(chosen or default)


def _joined(options: Sequence[str]) -> str:
    """Names with commas between them; a comma within a name stands as its code."""
    return ",".join(option.replace("%", "%25").replace(",", "%2C") for option in options)


def number(label: str, low: int, high: int, key: str, default: int | None = None, **details: Any) -> int:
    """A whole number from `low` to `high`; starts from the link, else at the default, which is `low`."""
    first = str(low if default is None else default)
    value = int(current(key, range(low, high + 1), first))
    chosen_number = st.number_input(label, low, high, value, key=_showing(key, value, {}), **details)
    keep(key, str(int(chosen_number)), first)
    return int(chosen_number)


def decimal(label: str, low: float, high: float, key: str, default: float, **details: Any) -> float:
    """A number from `low` to `high`; starts from the link, else at the default."""
    in_browser = _in_browser(key)
    text = _link().choices.get(key, "") if in_browser is None else str(in_browser)
    try:
        value = float(text)
    except ValueError:
        value = default
    value = float(min(max(value, low), high) if math.isfinite(value) else default)
    shown = _showing(key, value, {})
    chosen = st.number_input(label, float(low), float(high), value, key=shown, format="%g", **details)
    keep(key, f"{chosen:g}", f"{default:g}")
    return float(chosen)


def current(key: str, options: Sequence[Any], default: str) -> str:
    """The choice among `options`: what its widget says in the browser, else what is kept, else the default.

    `options` are texts, or a range of whole numbers.
    """
    in_browser = _in_browser(key)
    value = _link().choices.get(key, default) if in_browser is None else str(in_browser)
    if isinstance(options, range):
        within = value.isascii() and value.isdecimal() and len(value) < 16
        return str(min(max(int(value), options[0]), options[-1])) if within else default
    return value if value in options else default


def change(key: str, value: str) -> None:
    """Make a choice in another way than by its own widget, before that is drawn."""
    link = _link()
    link.choices[key] = value
    _turn(link, key)


def change_several(key: str, values: Sequence[str]) -> None:
    """`change` for a choice of several."""
    change(key, _joined(values))


def chosen(key: str, default: str = "") -> str:
    """What is chosen under the key of a widget that this run draws later, or another page draws."""
    in_browser = _in_browser(key)
    return _link().choices.get(key, default) if in_browser is None else str(in_browser)


def follow_default(key: str, default: str) -> None:
    """Let a choice that stands at its default go along when that changes. Before its widget is drawn."""
    defaults = _link().defaults
    former = defaults.get(key, default)
    defaults[key] = default
    if former != default and chosen(key, former) == former:
        change(key, default)


def showing(key: str, value: int) -> str:
    """The key of a number field whose choice is kept under another key and is now `value`."""
    return _showing(key, value, {})


def value(key: str, default: str) -> str:
    """What is kept under a key that no Streamlit widget has, such as the chosen channel."""
    link = _link()
    link.requested.add(key)
    return link.choices.get(key, default)


def keep(key: str, value: str, default: str) -> None:
    """Keep a value under a key."""
    link = _link()
    link.requested.add(key)
    link.choices[key] = value
    if value != default:
        link.in_address[key] = value
    else:
        link.in_address.pop(key, None)


def open_page(folder: str) -> None:
    """Go on with another page, by its folder. Else Streamlit would first empty the address of this one, which
    the browser would keep as the place that Back leads to.
    """
    st.switch_page(BY_FOLDER[folder].script, query_params=_link().address)


def language() -> str:
    """The language of the page: the link's, else the browser's. A fragment that runs alone asks too."""
    default = browsers_language()
    language = words.known(chosen("lang", default)) or default
    keep("lang", language, default)
    return language


def browsers_language() -> str:
    """The language that the visitor's browser asks for, English if there is no catalog for it."""
    return words.known(st.context.locale or words.ENGLISH) or words.ENGLISH


def leave_out(key: str) -> None:
    """Keep a choice for this visitor, but not in the address: it means nothing to others."""
    link = _link()
    link.left_out.add(key)
    link.in_address.pop(key, None)


def write() -> None:
    """Put this run's choices into the address; what is at its default is left out. Last thing in a run.

    Choices of other pages stay there, so that going back to an address restores every one of them.
    """
    link = _link()
    link.private = link.private - link.requested | link.left_out
    now = {key: value for key, value in link.address.items() if key not in link.requested} | link.in_address
    link.address = {key: now[key] for key in [*link.address, *now] if key in now}
    in_browser = st.query_params.to_dict()
    first, written = link.written is None, link.address if link.written is None else link.written
    # A link may state defaults: to drop them would make an entry in the history that changes nothing.
    states_defaults = first and in_browser.items() >= link.address.items()
    states_defaults = states_defaults and not link.private & in_browser.keys()
    # What a link says and no page can show, such as a channel that there is not, goes at once.
    asked = link.requested & in_browser.keys()
    states_defaults = states_defaults and all(link.choices.get(key) == in_browser[key] for key in asked)
    # A click before the first run came to its end may have changed what the link says.
    if link.begun_anew and any(link.choices.get(key) != value for key, value in in_browser.items()):
        states_defaults = False
    if not states_defaults and not link.address == in_browser == written:
        st.query_params.from_dict(link.address)
    link.written = dict(link.address)


# A widget and its turn


def _key(link: _Link, key: str) -> str:
    turn = link.turns.get(key, 0)
    return f"{key}~{turn}" if turn else key


def _turn(link: _Link, key: str) -> None:
    link.turns[key] = (link.turns.get(key, 0) + 1) % TURNS
    link.texts.pop(key, None)


def _in_browser(key: str) -> Any:
    """What the widget of this turn says; None before the browser has drawn it."""
    return st.session_state.get(_key(_link(), key))


def _showing(key: str, value: Any, named: Mapping[str, int]) -> str:
    """The key of a widget that shows `value` and these texts: a new one where the last shows others.

    The browser keeps the text of a chosen option though the option has another one now.
    """
    link, in_browser = _link(), _in_browser(key)
    texts = link.texts.get(key, {})
    renamed = any(texts.get(option, text) != text for option, text in named.items())
    if renamed or (in_browser is not None and in_browser != value):
        _turn(link, key)
    link.texts[key] = link.texts.get(key, {}) | named
    return _key(link, key)


def _named(options: Collection[str], details: Mapping[str, Any]) -> dict[str, int]:
    """Option → the hash of the text that a widget shows for it."""
    text = details.get("format_func", str)
    return {option: hash(str(text(option))) for option in options}
