"""The language of the page in its HTML, for screen readers, fonts and the browser's offer to translate."""

from pathlib import Path

import streamlit as st

_PAGE_LANGUAGE = st.components.v2.component(
    "page_language", js=Path(__file__).with_name("page_language.js").read_text(encoding="utf-8")
)


def tell(tag: str) -> None:
    """Let the page be in the language of this tag, such as zh-CN. Nothing is seen of the component."""
    _PAGE_LANGUAGE(key="page_language", data={"tag": tag}, height="content")
