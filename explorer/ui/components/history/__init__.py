"""One entry in the browser's history for a page that is opened.

Streamlit makes two: one when the page is opened, without any choice in its address, and one when the page
has put the choices there. Back would lead to the first of them, which is no place the visitor has been at.
"""

from explorer.ui.components.beside import component

_HISTORY = component(__file__)


def one_entry_a_page() -> None:
    """Let the address of a page just opened replace its entry. Early in a run; nothing is seen of it."""
    _HISTORY(key="history", height="content")
