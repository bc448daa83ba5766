"""How the page looks: title, icon, and the explorer's own style sheet over Streamlit's theme."""

from pathlib import Path

import numpy as np
import streamlit as st

from explorer.drawing.colormaps import viridis
from explorer.drawing.pictures import data_uri
from explorer.ui import markup
from model.words import tr

SHEET = Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def set_up_page(title: str) -> None:
    """The page's name in the browser's tab, and as the only h1 before all else, for screen readers.

    To the eye the navigation names it already.
    """
    st.set_page_config(tr("{page} · Feature-map explorer", page=title), icon(), layout="wide")
    st.html(f"<style>{SHEET}</style>")
    markup.show(markup.text(title, "fx-unseen", tag="h1"))


def icon() -> str:
    """The tab's icon, drawn here: a named one would be fetched from outside."""
    cells = viridis()[np.array([[230, 90, 30], [120, 250, 70], [20, 140, 200]])]
    return data_uri(cells, 16)
