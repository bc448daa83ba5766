"""A command to copy, in a box: its lines end between words only.

Streamlit's own box of code breaks a line after any dash, so that `--data-dir` may stand on two.
"""

from explorer.ui.components.beside import component
from model.words import tr

_COMMAND_BOX = component(__file__)


def command_box(text: str) -> None:
    """Show the command of a page, or one on each line, with a button that copies it."""
    data = {"text": text, "copy": tr("Copy"), "copied": tr("Copied")}
    _COMMAND_BOX(key="command", data=data, height="content")
