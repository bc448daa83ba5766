"""The picture of a whole network: a column for each stage, and lines for what flows into one channel.

All maps travel once as bytes. What the visitor does comes back as an event: a channel that is chosen or
opened, a heading, a line, a class, a block that is folded or unfolded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import streamlit as st

from explorer.ui.components.beside import component
from explorer.ui.components.network_graph.payload import Answer, Stage, Thread, Tile, payload
from model.card import Pixels

__all__ = ["Answer", "Event", "Stage", "Thread", "Tile", "network_graph"]

Kind = Literal["choose", "open", "page", "fold", "kernel", "class"]

_GRAPH = component(__file__, "graph")


@dataclass(frozen=True)
class Event:
    """What the visitor did, with the number of the stage or thread, and that of the channel or class.

    The browser names node and channel, not where they stood: since then the order may be another one.
    """

    kind: Kind
    index: int
    channel: int = 0


def network_graph(
    image: Pixels,
    stages: Sequence[Stage],
    edges: Sequence[tuple[int, int]],
    threads: Sequence[Thread],
    answers: Sequence[Answer],
    *,
    key: str,
    chosen: tuple[int, int] | None,
    on_event: Callable[[Event], None],
    **settings: object,
) -> Event | None:
    """Draw a network, and return what the visitor did to make the page run; `on_event` got it before that.

    `chosen` is the stage and the row of the chosen tile.

    `settings` are the texts of the picture: `label`, `image_text`, `image_name`, `answers_name`,
    `answers_line`, `flows`, `none_flows`, `status`, `opens` and `stopped`.
    """
    data = payload(image, stages, edges, threads, answers, chosen=chosen, **settings)

    def sent() -> Event | None:
        return event_of((st.session_state.get(key) or {}).get("event"), stages, threads)

    def report() -> None:
        event = sent()
        if event is not None:
            on_event(event)

    _GRAPH(key=key, data=data, on_event_change=report)
    return sent()


def event_of(sent: object, stages: Sequence[Stage], threads: Sequence[Thread]) -> Event | None:
    """The event that the browser sent, None for one that cannot be: it may send anything.

    Whether there is such a channel or class is left to the page.
    """
    if not isinstance(sent, dict) or sent.get("kind") not in get_args(Kind):
        return None
    kind, channel = sent["kind"], sent.get("channel", 0)
    if type(channel) is not int or channel < 0:
        return None
    if kind == "class":
        return Event(kind, 0, channel)
    if kind == "kernel":
        index = sent.get("index")
        return Event(kind, index) if type(index) is int and 0 <= index < len(threads) else None
    node, nodes = sent.get("node"), [stage.node for stage in stages]
    return Event(kind, nodes.index(node), channel) if node in nodes else None
