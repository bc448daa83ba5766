"""The link: what the visitor chose stands in the address, and stays when pages change.

Streamlit's own `bind="query-params"` puts the text shown on the page into the address; here it is the
plain option, so that a link stays short and holds when words change.
"""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

import streamlit as st

_KEPT, _SHOWN, _WRITTEN = "_link_kept", "_link_shown", "_link_written"


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
    wanted = map(unquote, str(st.session_state[_KEPT].get(key, "")).split(","))
    held = [option for option in dict.fromkeys(st.session_state.get(key, wanted)) if option in options]
    if held and held == st.session_state.get(key):
        details |= _starting_at(widget, options, held)
    else:
        st.session_state[key] = held or list(default)
    value = widget(label, options, key=key, **details) or list(default)
    _keep(key, _joined(value), _joined(default))
    return list(value)


def number(label: str, low: int, high: int, key: str, **details: Any) -> int:
    """A whole number from `low` to `high`; starts from the link, then at `low`."""
    held = st.session_state.get(key)
    if held is not None and low <= held <= high:
        details |= {"value": held}
    else:
        wanted = str(st.session_state[_KEPT].get(key, low))
        known = wanted.isdecimal() and len(wanted) < 19
        st.session_state[key] = min(max(int(wanted), low), high) if known else low
    value = int(st.number_input(label, low, high, key=key, **details))
    _keep(key, str(value), str(low))
    return value


def _joined(options: Sequence[str]) -> str:
    """Names with commas between them; a comma within a name stands as its code."""
    return ",".join(option.replace("%", "%25").replace(",", "%2C") for option in options)


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
