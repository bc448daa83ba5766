"""Showing the explorer to others: large type and pictures for a projector, a page without sidebar and menu.

Both stand in the link, `?size=large` and `?show=page`, so that a prepared page opens as it is to be shown.
"""

from pathlib import Path

import streamlit as st

from explorer.ui import link
from model.words import N_, tr

SIZES = {"normal": N_("Normal"), "large": N_("Large")}
ENLARGED = 1.375
"""How much larger everything is on a projector: 22 px for 16."""
LARGE, ONLY_PAGE = (
    Path(__file__).with_name(f"style_{name}.css").read_text(encoding="utf-8") for name in ("large", "page")
)


def use() -> None:
    """The style of the size and of the page alone, as the link has them. Early in a run."""
    if large():
        st.html(f"<style>:root {{ --enlarged: {ENLARGED}; }}\n{LARGE}</style>")
    if only_page():
        st.html(f"<style>{ONLY_PAGE}</style>")


def large() -> bool:
    return link.chosen("size") == "large"


def only_page() -> bool:
    """Whether the page is shown without sidebar and menu."""
    return link.chosen("show") == "page"


def pixels(normal: int) -> int:
    """How many pixels something has at the chosen size that has so many at the normal one."""
    return round(normal * ENLARGED) if large() else normal


def control() -> None:
    """What the sidebar offers: the size, and the page alone."""
    with st.expander(tr("Presentation")):
        link.choose(
            st.segmented_control, tr("Size"), list(SIZES), "size", "normal", required=True, width="stretch",
            format_func=lambda size: tr(SIZES[size]),
        )  # fmt: skip
        show = tr("Hide sidebar and menu")
        st.button(show, key="show_page", on_click=link.change, args=("show", "page"), width="stretch")


def way_back() -> None:
    """Keep in the link that the page stands alone; then a small button that brings the rest back."""
    alone = link.value("show", "") == "page"
    link.keep("show", "page" if alone else "", "")
    if alone:
        with st.container(key="way_back"):
            st.button(
                tr("Show sidebar and menu"), key="show_all", on_click=link.change, args=("show", ""),
                icon=":material/menu:", type="tertiary",
            )  # fmt: skip
