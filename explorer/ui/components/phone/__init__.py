"""What a narrow screen needs besides: the pages in sight, and a sidebar that does not stay over them.

Streamlit folds both its navigation and the sidebar away there. What is narrow is decided by the style sheet
and by `phone.js`, at the width where Streamlit does so.
"""

from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from explorer.ui import link
from explorer.ui.components import menu
from explorer.ui.components.beside import component
from explorer.ui.selection import Selection
from model.words import tr

_CLOSING = component(__file__)


def page_links(sections: Mapping[str, Sequence[StreamlitPage]], current: StreamlitPage) -> None:
    """A button that names the current page and opens a list of all, by section; the style sheet hides it on a
    wide screen. There the menu marks the section of the current page.
    """
    here = next(title for title, pages in sections.items() if current in pages)
    label = tr("{section} · {page}", section=here, page=current.title) if here else current.title
    with st.container(key="pages"):
        # A list of its own for each page: an open one would stay open over the next page.
        key = f"menu_{current.url_path}"
        opened = st.popover(label, icon=":material/menu:", width="stretch", key=key, on_change="rerun")
        if opened.open:  # else every run of every page would send two dozen links that nobody sees
            with opened:
                for title, pages in sections.items():
                    if title:
                        st.html(f'<div class="fx-section">{escape(title)}</div>')
                    _links(pages, current)
        menu.mark(here, current.title)


def _links(pages: Sequence[StreamlitPage], current: StreamlitPage) -> None:
    """The pages of a section as links, the current one marked instead."""
    with st.container(horizontal=True, gap="xxsmall"):
        for page in pages:
            if page.title == current.title:
                st.html(f'<b class="fx-here" aria-current="page">{escape(page.title)}</b>', width="content")
            else:
                st.page_link(page, label=page.title, width="content")


def close_sidebar(selection: Selection | None) -> None:
    """Close the sidebar of a narrow screen when another checkpoint, image or class is chosen in it.

    Another source of images, or no `selection`, leaves it open: there the image is still to be chosen.
    """
    shown = ""
    if selection is not None:
        shown = f"{selection.network.key} {selection.input.digest} {selection.chosen}"
    with st.sidebar:
        _CLOSING(key="closing_sidebar", data={"shown": shown, "source": link.chosen("source")})
