"""A started server gets ready by itself: what the first visitor needs is loaded and has run once before."""

import gc
import importlib
import logging
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event, Thread
from typing import Any

from explorer.server.arrivals import wait_for_rest


@asynccontextmanager
async def warming(_server: object) -> AsyncIterator[dict[str, Any]]:
    """While the server lives: it takes visitors at once, and warms up beside them."""
    loaded.clear()
    Thread(target=warm, daemon=True, name="warm").start()
    yield {}


SCRIPT = "explorer.app"
loaded = Event()
"""Whether what the pages need is imported. A visit waits for it: packages that import one another may fail
where several threads import them at once.
"""
loaded.set()  # without a server there is nothing to wait for
IMPORTED_LATE = ("captum.attr", "matplotlib.backends.backend_agg")
"""What pages import where they use it; two visits at once must not, see `loaded`. Streamlit does so with the
others that `load` names.
"""
UNVISITED = logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context")


def warm() -> None:
    """Import what the pages need, draw the samples, and explain one of them with the network shown first.

    All of that stays, so it is taken out of the garbage collection that Streamlit runs after every visit.
    """
    from explorer.ui.turns import use_threads

    use_threads(1)  # every visitor has a thread already
    try:
        load()
    finally:
        loaded.set()
    try:
        explain()
        draw_samples()
        give_way()
        # torch imports it for some networks. Its objects are half of all there are: here before they count.
        importlib.import_module("torch._dynamo")
    finally:
        give_way()
        gc.collect()
        gc.freeze()


def give_way() -> None:
    """Wait while somebody opens the app or a page is computed."""
    from explorer.ui.turns import TURNS

    wait_for_rest(TURNS.is_anyone_computing)


def load() -> None:
    """Import every module that a page may ask for, the pages among them; read the texts of all languages."""
    import explorer
    from model import words

    for module in pkgutil.walk_packages(explorer.__path__, "explorer."):
        if module.name != SCRIPT:
            importlib.import_module(module.name)
    for name in (*IMPORTED_LATE, "pyarrow", "streamlit.emojis", "streamlit.material_icon_names"):
        importlib.import_module(name)
    words.load()


def explain() -> None:
    """Draw the samples, and explain one of them with the network shown first."""
    from explorer.ui import cached, choices
    from explorer.ui.options import options
    from explorer.ui.selection import Selection
    from explorer.ui.sidebar import image_choice
    from explorer.views.network import page
    from explorer.views.network.columns import columns_of
    from explorer.views.network.lines import lines_into
    from model.problems import Problem

    UNVISITED.addFilter(_from_a_visit)
    cached.gallery()
    try:
        name, source = next(iter(options().checkpoints.items()))
        sample = image_choice.first_sample()
        selection = Selection(cached.opened(name, source), sample)
        blocks = [selection.blocks[index] for index in choices.at_first(len(selection.blocks))]
        layers = tuple(block.act or block.name for block in blocks)
        network, input = selection.network, selection.input
        cached.gradients(network, input, layers, (selection.target,))
        cached.receptive_fields(network, input)
        columns = columns_of(selection, (), None)
        if first := page.first_channel(columns):
            lines_into(selection, columns, *first)
        cached.strongest_path(network, input, selection.target)
        cached.account(network, input, selection.target)
    except (Problem, StopIteration):
        return  # the page says what is wrong to whoever opens it


def draw_samples() -> None:
    """Draw the built-in samples that the first page does not show: one takes up to a quarter of a second."""
    from explorer.ui import cached
    from model import cifar10

    for label in range(len(cifar10.CLASSES)):
        give_way()
        cached.scene(label)


def _from_a_visit(record: logging.LogRecord) -> bool:
    """Caches are filled here on purpose without a visitor; Streamlit would warn of it."""
    return record.threadName != "warm"
