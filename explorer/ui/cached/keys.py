"""What stands for a value in the key of a result, and how results are kept."""

import hashlib
import os
from collections.abc import Callable
from functools import wraps
from operator import attrgetter
from pathlib import Path, PosixPath, WindowsPath
from typing import Any, ParamSpec, TypeVar

import numpy as np
import streamlit as st

from explorer.engine.arithmetic import Settings
from explorer.engine.augmented import TrainingImages
from explorer.engine.channel_survey import Scaling
from explorer.engine.dropout import DropoutLayer
from explorer.engine.intervention import Change
from explorer.engine.network import Input, Network
from explorer.engine.network_source import Source
from explorer.engine.samples import ArrayTestSet, FolderTestSet
from explorer.engine.scan.result import Scan
from explorer.engine.timeline import SnapshotFile, Timeline
from explorer.engine.tracing import Block
from explorer.ui.pictures import Picture
from model.card import Card
from model.checkpoint import Checkpoint
from model.recipes import Config
from model.words import tr

P = ParamSpec("P")
R = TypeVar("R")


def digest_of(array: np.ndarray[Any, Any]) -> str:
    """SHA-256 of type, shape and all values; Streamlit itself looks at a sample of a large array."""
    about = f"{array.dtype} {array.shape}\n".encode()
    return hashlib.sha256(about + np.ascontiguousarray(array).tobytes()).hexdigest()


KEYS: dict[str | type, Callable[[Any], Any]] = {
    Network: attrgetter("key"),
    Input: attrgetter("digest"),
    Block: repr,
    Change: repr,
    DropoutLayer: repr,
    Settings: repr,
    # What a network's input and its labels depend on.
    Card: lambda card: repr(
        (card.input_size, card.channels, card.resize, card.interpolation, card.mean, card.std, card.classes)
    ),
    Checkpoint: lambda checkpoint: f"{checkpoint.card.net} {checkpoint.digest}",
    Config: repr,
    Timeline: attrgetter("digest"),
    SnapshotFile: repr,
    Source: repr,
    FolderTestSet: lambda images: (os.fsencode(images.root), images.digest),
    ArrayTestSet: attrgetter("digest"),
    TrainingImages: attrgetter("digest"),
    Picture: lambda picture: (picture.name, picture.digest),
    Scan: lambda scan: (
        scan.network,
        scan.images,
        scan.dataset,
        scan.split,
        repr(scan.card),
        digest_of(scan.ids),
    ),
    Scaling: lambda scaling: (scaling.layer, digest_of(scaling.gamma), digest_of(scaling.beta)),
    np.ndarray: digest_of,
    # The name of a file need not be valid Unicode.
    str: lambda text: text.encode("utf-8", "surrogatepass"),
    PosixPath: os.fsencode,
    WindowsPath: os.fsencode,
}
"""Type → what stands for a value of it in the key of a result."""


def key_of(value: Any) -> Any:
    """What stands for a value in a key, also within a tuple; ValueError for a type that KEYS lacks."""
    if isinstance(value, tuple):
        return tuple(map(key_of, value))
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) not in KEYS:
        raise ValueError(f"KEYS does not say what stands for a {type(value).__name__}.")
    return KEYS[type(value)](value)


def data(**bounds: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep what a function returns, within bounds; each caller gets a copy of its own."""
    return st.cache_data(show_spinner=False, hash_funcs=KEYS, **bounds)


def resource(**bounds: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep what a function returns, within bounds; all callers share it."""
    return st.cache_resource(show_spinner=False, hash_funcs=KEYS, **bounds)


def announced(template: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Say on the page what takes so long, in the language in use, while a function runs."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def announced(*args: P.args, **kwargs: P.kwargs) -> R:
            with st.spinner(tr(template)):
                return function(*args, **kwargs)

        return announced

    return decorate


def stamp_of(path: Path | None) -> tuple[int, int]:
    """When a file was changed, and its size: it is read again once they differ."""
    try:
        stamp = path.stat() if path else None
    except (OSError, ValueError):  # opening it says what is wrong
        stamp = None
    return (stamp.st_mtime_ns, stamp.st_size) if stamp else (0, 0)
