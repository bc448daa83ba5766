"""A component from the files that lie beside its module."""

import re
from pathlib import Path
from typing import Any

import streamlit as st


def component(module: str, files: str = "", **settings: Any) -> Any:
    """The component of a module, given by its `__file__`: its html, css and js, as far as they are there.

    The files are called as their folder, or as `files` says.
    """
    folder = Path(module).parent
    parts = {kind: folder / f"{files or folder.name}.{kind}" for kind in ("html", "css", "js")}
    texts = {kind: path.read_text(encoding="utf-8") for kind, path in parts.items() if path.exists()}
    return st.components.v2.component(folder.name, **texts, **settings)


def key_with(*names: object) -> str:
    """A component's key with names of layers in it: Streamlit separates its own parts of a key by `__`."""
    return re.sub("_(?=_|$)", "_ ", " ".join(map(str, names)))
