"""The language of the page in its HTML, for screen readers, fonts and the browser's offer to translate."""

from explorer.ui.components.beside import component

_PAGE_LANGUAGE = component(__file__)


def tell(tag: str) -> None:
    """Let the page be in the language of this tag, such as zh-CN. Nothing is seen of the component."""
    _PAGE_LANGUAGE(key="page_language", data={"tag": tag}, height="content")
