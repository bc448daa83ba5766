"""Where one is, in a menu with sections: the section of the page in sight is marked and names that page.

Streamlit marks a page in its menu only while the section is open.
"""

from explorer.ui.components.beside import component

_MENU = component(__file__)


def mark(section: str, page: str) -> None:
    """Mark a section by its title, or none for a page without one (""). Nothing is seen of the component."""
    _MENU(key="menu", data={"section": section, "page": page}, height="content")
