"""How the page looks: title, icon, and the explorer's own style sheet over Streamlit's theme."""

import json
from pathlib import Path

import numpy as np
import streamlit as st

from explorer.drawing.colormaps import viridis
from explorer.drawing.pictures import data_uri
from explorer.ui import markup
from model.words import N_, tr

TITLE = N_("Feature-map explorer")
SHEET = Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def set_up_page() -> None:
    # Before the navigation, which else sets the page's named icon, to be fetched from outside.
    st.set_page_config(tr(TITLE), icon(), layout="wide")
    st.html(f"<style>{SHEET}{uploader_words()}</style>")


def uploader_words() -> str:
    """Rules that write what Streamlit says in a file uploader, always in English, in the language in use."""
    limit = tr("Up to {megabytes} MB per file", megabytes=st.get_option("server.maxUploadSize"))
    words = {
        '[data-testid="stFileUploaderDropzone"] button p': (tr("Upload"), "0.875rem"),
        '[data-testid="stFileUploaderDropzoneInstructions"] span': (limit, "0.875rem"),
    }
    return "".join(
        f"{where} {{ font-size: 0; }} {where}::after "
        f"{{ content: {json.dumps(text, ensure_ascii=False)}; font-size: {size}; }}\n"
        for where, (text, size) in words.items()
    )


def icon() -> str:
    """The icon of the browser's tab, drawn here and kept as a `data:` address."""
    return data_uri(viridis()[np.array([[230, 90, 30], [120, 250, 70], [20, 140, 200]])], 16)


def name_page(title: str, shown: bool) -> None:
    """Put the page's name into the browser's tab, and as the only h1 before all else.

    Where it is not `shown` it is there for screen readers: to the eye the navigation, or a heading, names it.
    On a narrow screen the button of the menu does.
    """
    st.set_page_config(tr("{page} · Feature-map explorer", page=title))
    markup.show(markup.text(title, "fx-title" if shown else "fx-unseen", tag="h1"))
