"""Which of several weights in a file is taken: a rank by their prefixes, not by their order."""

import re
from collections.abc import Collection
from enum import IntEnum
from itertools import groupby

from model.problems import Problem
from model.words import tr

AVERAGE, RAW = "ema", "model"  # words for `wanted`
USUAL = (
    *("state_dict", "model_state_dict", "model", "net", "network", "weights", "params", "parameters"),
    *("model_state", "model_weights", "net_state_dict", "network_state_dict", "state", "module"),
    *("student", "online", "encoder_q", "global", "last"),
)
"""Names under which a network's weights usually are, the first of them before the others."""

_AVERAGES = {"ema", "swa", "avg", "average", "averaged", "shadow", "polyak"}
_LAST_WORDS = {"grad", "grads", "gradient", "gradients", "init", "initial", "momentum", "history", "snapshot",
               "snapshots", "fisher", "target", "teacher"}  # fmt: skip
_LAST_PARTS = re.compile(r"optim|exp_avg|max_exp_avg|encoder_k$|sq_mean$|(\w+_)?masks?$", re.I)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


class Rank(IntEnum):
    """How likely the weights under a prefix are those to look at; the least is the likeliest."""

    AVERAGE, BEST, USUAL, OTHER, LAST = range(5)


def rank(prefix: str) -> Rank:
    """The rank of a prefix by its words.

    First averages over training (EMA, SWA), then what its author kept as best, then the USUAL names and the
    top of the file, then any other; LAST is what is never taken unasked: an optimizer's state, gradients,
    masks, first or earlier weights, a target or a teacher.

    >>> rank("model_ema").name, rank("best_state_dict").name, rank("optimizer.exp_avg").name
    ('AVERAGE', 'BEST', 'LAST')
    """
    parts = prefix.split(".")
    words = {word.lower() for part in parts for word in _WORD.findall(part)}
    if words & _LAST_WORDS or any(map(_LAST_PARTS.match, parts)):
        return Rank.LAST
    if words & _AVERAGES:
        return Rank.AVERAGE
    if "best" in words:
        return Rank.BEST
    return Rank.USUAL if not prefix or {part.lower() for part in parts} & set(USUAL) else Rank.OTHER


def ranked(prefixes: Collection[str]) -> list[str]:
    """The prefixes, the one to be taken first."""
    return [prefix for _, prefix in _keyed(prefixes)]


def rivals(prefix: str, prefixes: Collection[str]) -> tuple[str, ...]:
    """The other prefixes that no name puts before or behind this one."""
    keys = {each: key for key, each in _keyed(prefixes)}
    return tuple(each for each, key in keys.items() if key == keys[prefix] and each != prefix)


def chosen_prefix(prefixes: Collection[str], path: str, wanted: str | None) -> str:
    """The prefix of the weights that are wanted. Problem where there are none."""
    prefixes = ranked(prefixes)
    if wanted is None:
        if rank(prefixes[0]) == Rank.LAST:
            raise Problem(
                "The weights in {path} that fit its network are in {places}, which are seldom a trained "
                "network’s; give --weights {place} to use them.",
                path=path,
                places=_listed(prefixes),
                place=prefixes[0],
            )
        return prefixes[0]
    exact = [prefix for prefix in prefixes if prefix == wanted]
    averaged = [prefix for prefix in prefixes if rank(prefix) == Rank.AVERAGE]
    raw = [prefix for prefix in prefixes if Rank.AVERAGE < rank(prefix) < Rank.LAST]
    within = [prefix for prefix in prefixes if wanted in prefix.split(".")]
    suited = exact or {AVERAGE: averaged, RAW: raw}.get(wanted) or within
    if not suited:
        raise _not_there(prefixes, path, wanted)
    return suited[0]


def _not_there(prefixes: list[str], path: str, wanted: str) -> Problem:
    if len(prefixes) > 1:
        return Problem(
            "{path} has no weights “{wanted}” that fit its network; those that fit are in {places}.",
            path=path,
            wanted=wanted,
            places=_listed(prefixes),
        )
    return Problem(
        "{path} has no weights “{wanted}” that fit its network, but only one set ({places}); "
        "leave --weights out.",
        path=path,
        wanted=wanted,
        places=_listed(prefixes),
    )


def _listed(prefixes: list[str]) -> str:
    return tr(", ").join(f"“{prefix}”" if prefix else tr("the top of the file") for prefix in prefixes)


def _keyed(prefixes: Collection[str]) -> list[tuple[tuple[Rank, int], str]]:
    """The prefixes with their rank, and among USUAL names which; equal ones the shortest path first."""
    keyed = []
    for each, group in groupby(sorted(prefixes, key=rank), rank):
        alike = list(group)
        skipped = _in_common(alike)
        keyed += [((each, _usual(prefix.split(".")[skipped:])), prefix) for prefix in alike]
    return sorted(keyed, key=lambda pair: (pair[0], pair[1].count("."), len(pair[1]), pair[1]))


def _in_common(prefixes: list[str]) -> int:
    """How many parts all of them begin with."""
    columns = zip(*(prefix.split(".") for prefix in prefixes), strict=False)
    return next((k for k, column in enumerate(columns) if len(set(column)) > 1), _least_parts(prefixes))


def _least_parts(prefixes: list[str]) -> int:
    return min(prefix.count(".") + 1 for prefix in prefixes)


def _usual(parts: list[str]) -> int:
    """The number of the first usual name among them; nothing, as the top of the file, is before all."""
    if not any(parts):
        return -1
    return min(USUAL.index(part.lower()) if part.lower() in USUAL else len(USUAL) for part in parts)
