"""Network: every stage of the network that ran, from the image to the class."""

import streamlit as st

from explorer.ui import checkup
from explorer.ui.selection import current
from model.words import tr


def page() -> None:
    selection = current()
    checkup.show(selection.opened)
    st.header(tr("The network"), anchor=False)


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
