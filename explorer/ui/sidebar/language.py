"""The switch between the languages, and the page's own word for the language it is in."""

import streamlit as st

from explorer.ui import link
from explorer.ui.components import page_language
from model import words

NAMES = {words.ENGLISH: "English", "zh_CN": "中文"}  # each in its own language, whatever is chosen


def switch() -> None:
    """Offer the languages in the sidebar, and tell the browser which one the page is in."""
    language = words.language()
    options = dict.fromkeys((*words.languages(), language))
    with st.sidebar.container(key="language"):
        link.choose(
            st.segmented_control,
            " / ".join(NAMES.values()),
            list(options),
            "lang",
            link.browsers_language(),
            required=True,
            format_func=lambda option: NAMES.get(option, f"⟦{option}⟧"),
            label_visibility="collapsed",
        )
    page_language.tell(language.replace("_", "-"))
