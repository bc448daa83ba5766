"""The channels that a visitor has marked in each layer, in the link as a short text, and back again."""

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise

import streamlit as st

from explorer.ui import link
from model.words import tr

Marks = dict[str, tuple[int, ...]]  # layer → channels, in order; no layer without any
KEY, UNDO = "marked", "_undo_marks"
MOST_UNDONE = 50
MOST_CHANNELS = 100_000
RUN = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)


def encoded(marks: Mapping[str, Collection[int]]) -> str:
    """The text for marks.

    >>> encoded({"relu2": (0, 1, 2, 7), "layer~1": (5,)})
    'relu2~0-2.7~layer%7E1~5'
    """
    named = ((name.replace("%", "%25").replace("~", "%7E"), runs(marked)) for name, marked in marks.items())
    return "~".join(part for pair in named if pair[1] for part in pair)


def decoded(text: str, counts: Mapping[str, int]) -> Marks:
    """The marks in a text, as far as these layers have so many channels; the rest of it is left out.

    >>> decoded("relu2~0-2.7.99~none~3~relu1~x", {"relu1": 4, "relu2": 8})
    {'relu2': (0, 1, 2, 7)}
    """
    parts = text.split("~")
    names = (name.replace("%7E", "~").replace("%25", "%") for name in parts[::2])
    marks = {
        name: channels_in(runs_text, counts[name])
        for name, runs_text in zip(names, parts[1::2], strict=False)
        if name in counts
    }
    return {name: channels for name, channels in marks.items() if channels}


def runs(channels: Collection[int]) -> str:
    """Channel numbers with consecutive ones joined.

    >>> runs([3, 1, 2, 9])
    '1-3.9'
    """
    order = sorted(set(channels))
    if not order:
        return ""
    starts = [order[0], *(after for before, after in pairwise(order) if after != before + 1)]
    ends = [*(before for before, after in pairwise(order) if after != before + 1), order[-1]]
    return ".".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


def channels_in(text: str, count: int) -> tuple[int, ...]:
    """The channels that a text of runs names, of `count`."""
    channels: set[int] = set()
    for match in map(RUN.fullmatch, text.split(".")):
        if match:
            first, last = int(match[1]), int(match[2] or match[1])
            channels.update(range(first, min(last + 1, count)))
    return tuple(sorted(channels))


def in_words(channels: Iterable[int]) -> str:
    """The channels as a person reads them: `0–2, 7`."""
    return runs(tuple(channels)).replace("-", "–").replace(".", tr(", "))


def by_layer(marked: Marks) -> list[str]:
    """The marked channels of each layer as a person reads them: `relu1: 0–2, 7`."""
    return [tr("{name}: {value}", name=layer, value=in_words(each)) for layer, each in marked.items()]


# In the link


def current(counts: Mapping[str, int]) -> Marks:
    """The marks in the link; what these layers do not have stays there, for a network that does."""
    text = link.value(KEY, "")
    link.keep(KEY, text, "")
    return decoded(text, counts)


def change(marks: Mapping[str, Collection[int]]) -> None:
    """Put other marks into the link, to be undone. In a callback."""
    before = link.chosen(KEY)
    if (after := encoded(marks)) != before:
        undone: list[str] = st.session_state.setdefault(UNDO, [])
        undone.append(before)
        del undone[:-MOST_UNDONE]
        link.change(KEY, after)


def can_undo() -> bool:
    return bool(st.session_state.get(UNDO))


def undo() -> None:
    """Take the last change back. In a callback."""
    if can_undo():
        link.change(KEY, st.session_state[UNDO].pop())
