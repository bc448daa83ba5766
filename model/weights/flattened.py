"""Names in a file with another sign for every dot, as in an nn.ParameterDict, which takes no dots."""

import re
from collections.abc import Collection, Mapping
from typing import TypeVar

Value = TypeVar("Value")
_OTHER_SIGNS = re.compile(r"(?<=\w)(__|/)(?=\w)")


def with_dots(entries: Mapping[str, Value], names: Collection[str]) -> dict[str, Value]:
    """The entries of a file, of which those that are a network's names with `_`, `__` or `/` for `.` have its
    dots again.

    Also those of one of its modules, and behind something else, as the averages of mmcv:
    `ema_backbone_conv1_weight` becomes `ema_backbone.conv1.weight`. Of names that would be the same without
    dots none is found.

    >>> [*with_dots({"params.conv1_weight": 1, "epoch": 2}, ["conv1.weight"])]
    ['params.conv1.weight', 'epoch']
    """
    flat = dict[str, str]()
    for name in (*names, *{name.partition(".")[2] for name in names if "." in name}):
        short = name.replace(".", "_")
        flat[short] = name if flat.get(short, name) == name else ""
    dotted = {entry: _dotted(entry, flat) for entry in entries}
    taken = {*entries}
    return {entry if dotted[entry] in taken else dotted[entry]: value for entry, value in entries.items()}


def _dotted(entry: str, flat: Mapping[str, str]) -> str:
    entry = _OTHER_SIGNS.sub(".", entry)
    parent, _, last = entry.rpartition(".")
    above = f"{parent}." if parent else ""
    words = last.split("_")
    for cut in range(len(words)):  # the longest name first
        if name := flat.get("_".join(words[cut:])):
            before = "_".join(words[:cut]).rstrip("_")
            return f"{above}{before}.{name}" if before else f"{above}{name}"
    return entry
