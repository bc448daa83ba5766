"""The link: what the visitor chose stands in the address, and stays when pages change.

Streamlit's own `bind="query-params"` puts the text shown on the page into the address; here it is the
plain option, so that a link stays short and holds when words change.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

_KEPT, _SHOWN, _WRITTEN = "_link_kept", "_link_shown", "_link_written"
_DEFAULTS = "_link_defaults"


def read() -> None:
    """Take over what stands in the address when a visit begins. First thing in a run.

    Later the address follows the choices: a browser that sends a click before it has put the last
    choice into its address would otherwise undo that choice.
    """
    if _KEPT not in st.session_state:
        st.session_state[_KEPT] = st.query_params.to_dict()
    st.session_state[_SHOWN] = {}


def choose(
    widget: Callable[..., Any], label: str, options: Sequence[str], key: str, default: str, **details: Any
) -> Any:
    """One of `options` by a widget such as `st.selectbox`; starts from the link, else at the default."""
    held = st.session_state.get(key)
    if held in options:
        details |= _starting_at(widget, options, held)
    else:
        wanted = st.session_state[_KEPT].get(key)
        st.session_state[key] = wanted if wanted in options else default
    value = widget(label, options, key=key, **details)
    _keep(key, str(value), default)
    return value


def several(
    widget: Callable[..., Any],
    label: str,
    options: Sequence[str],
    key: str,
    default: Sequence[str],
    **details: Any,
) -> list[str]:
    """Some of `options`, at least one, by a widget such as `st.multiselect`; joined by commas in the link."""
    wanted = str(st.session_state[_KEPT].get(key, "")).split(",")
    held = [option for option in st.session_state.get(key, wanted) if option in options]
    if held and held == st.session_state.get(key):
        details |= _starting_at(widget, options, held)
    else:
        st.session_state[key] = held or list(default)
    value = widget(label, options, key=key, **details) or list(default)
    _keep(key, ",".join(value), ",".join(default))
    return list(value)


def number(label: str, low: int, high: int, key: str, default: int | None = None, **details: Any) -> int:
    """A whole number from `low` to `high`; starts from the link, else at the default, or at `low`."""
    first = low if default is None else default
    held = st.session_state.get(key)
    if held is not None and low <= held <= high:
        details |= {"value": held}
    else:
        wanted = str(st.session_state[_KEPT].get(key, first))
        st.session_state[key] = min(max(int(wanted), low), high) if wanted.isdecimal() else first
    value = int(st.number_input(label, low, high, key=key, **details))
    _keep(key, str(value), str(first))
    return value


def _starting_at(widget: Callable[..., Any], options: Sequence[str], held: Any) -> dict[str, Any]:
    """What makes a widget begin where the choice stands, in a browser that has not drawn it yet.

    Streamlit tells a value set through its state only once. Where a run breaks off before the browser has
    drawn it, the next one's widgets would begin at their first option, and send that back as a choice.
    """
    name = {"selectbox": "index", "select_slider": "value"}.get(widget.__name__, "default")
    return {name: list(options).index(held) if name == "index" else held}


def held(key: str, default: str) -> str:
    """What is kept under a key that no Streamlit widget has, such as the chosen channel."""
    value: str = st.session_state[_KEPT].get(key, default)
    return value


def hold(key: str, value: str, default: str) -> None:
    """Keep a value under a key that no Streamlit widget has."""
    _keep(key, value, default)


def chosen(key: str, default: str = "") -> str:
    """What is chosen under a widget's key, also before it is drawn, or where it stands on another page."""
    return str(st.session_state.get(key, held(key, default)))


def put(choices: Mapping[str, str]) -> None:
    """Choose by other means than the widgets of these keys, before they are drawn or on another page."""
    for key, value in choices.items():
        st.session_state[key] = st.session_state[_KEPT][key] = value


def follow(key: str, default: str | int) -> None:
    """Let a choice that stands at its default go along when that changes. Before the widget is drawn."""
    defaults = st.session_state.setdefault(_DEFAULTS, {})
    former = defaults.get(key, default)
    defaults[key] = default
    if former == default:
        return
    if st.session_state.get(key) == former:
        st.session_state[key] = default
    if st.session_state[_KEPT].get(key) == str(former):
        st.session_state[_KEPT][key] = str(default)


def leave_out(key: str) -> None:
    """Keep a choice for this visitor, but not in the address: it means nothing to others."""
    st.session_state[_SHOWN].pop(key, None)


def write() -> None:
    """Put this run's choices into the address; what is at its default is left out. Last thing in a run."""
    shown = st.session_state[_SHOWN]
    if not shown == st.query_params.to_dict() == st.session_state.get(_WRITTEN, shown):
        st.query_params.from_dict(shown)
    st.session_state[_WRITTEN] = dict(shown)  # a callback of the next run still adds to what this one showed


def _keep(key: str, value: str, default: str) -> None:
    st.session_state[_KEPT][key] = value
    if value != default:
        st.session_state[_SHOWN][key] = value
