"""From an image of the page to the page Explain."""

import streamlit as st

from explorer.ui import link
from explorer.ui.frame import way_back
from explorer.ui.scans import scanning
from explorer.views.errors.evaluation import Evaluation

_CHOSEN = "_open_error"


def choose(evaluation: Evaluation, row: int) -> None:
    """Make a row's image the selected one, in a callback of a widget."""
    scanning.select(evaluation.scan, row, evaluation.rival(row))
    st.session_state[_CHOSEN] = True


def go() -> None:
    """Open Explain, where a callback has chosen an image since the last run."""
    if st.session_state.pop(_CHOSEN, False):
        leave()
        link.open_page("explain")


def leave() -> None:
    """Let the page that is opened next offer the way back."""
    way_back.depart("errors")
