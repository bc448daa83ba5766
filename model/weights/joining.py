"""Weights that lie in several parts of a file, each of one or more of the network's modules, joined.

A part is known by its name (`encoder_state_dict` for `encoder`), or where it is the only one whose names and
shapes are those of a module. Nothing is joined where something else in the file could be meant, or is left.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from model.weights.prefixes import Rank, rank

MOST_PARTS = 16  # joined
MOST_PLACES = 200  # looked at in a file
DEEPEST = 4  # parts of the name of such a place
_DECORATION = re.compile(
    r"^(state_?dict|model|net|weights)_|^net(?=[A-Z])|_(model_)?(state(_?dict)?|weights|params|net|model|module)$"
)
_CONTAINERS = {"state_dict", "model_state_dict", "model", "module", "net", "weights", "params"}

Shapes = Mapping[str, str]  # the name of a tensor → its shape and kind


@dataclass(frozen=True)
class Joined:
    """One set of all weights: `parts` are the place in the file and the network's module that it is of, ""
    for one of several modules; `names` the network's names with the file's.
    """

    parts: tuple[tuple[str, str], ...]
    names: Mapping[str, str]

    @property
    def label(self) -> str:
        """What the set is called in the choice of weights."""
        return " + ".join(place for place, _ in self.parts)


@dataclass(frozen=True, eq=False)
class _Part:
    place: str
    module: str
    names: Mapping[str, str]  # the network's → the file's
    modules: frozenset[str]
    named: bool

    def of(self, module: str) -> frozenset[str]:
        """The file's names of one of its modules."""
        return frozenset(entry for name, entry in self.names.items() if name.partition(".")[0] == module)


def joined_sets(
    wanted: Shapes, entries: Shapes, is_beside: Callable[[str], bool]
) -> tuple[list[Joined], list[str]]:
    """The complete sets of weights that parts of a file give, one at most of each rank; and the entries that
    none of them has, though they may take part in a prediction: where there are any, nothing is to be joined.

    `is_beside` says of an entry that it takes no part in a prediction.
    """
    modules = {name.partition(".")[0] for name in wanted if "." in name}
    if len(modules) < 2:
        return [], []
    parts = [part for place in _places(entries) for part in _parts_at(place, wanted, entries, modules)]
    sets: list[Joined] = []
    for kind in (Rank.AVERAGE, Rank.BEST, Rank.OTHER, Rank.LAST):
        chosen = _chosen([part for part in parts if _kind(part.place) == kind], wanted, modules)
        if chosen is not None:
            sets.append(chosen)
    used = {entry for each in sets for entry in each.names.values()}
    used |= {entry for part in parts if _is_copy(part) for entry in part.names.values()}
    return sets, [entry for entry in entries if entry not in used and not is_beside(entry)]


def _kind(place: str) -> Rank:
    found = rank(place)
    return Rank.OTHER if found == Rank.USUAL else found


def _is_copy(part: _Part) -> bool:
    """Whether a part is a module's average or best weights, or what is never taken unasked."""
    kind = _kind(part.place)
    return kind == Rank.LAST or (kind != Rank.OTHER and part.named)


def _places(entries: Collection[str]) -> list[str]:
    """Where in the file parts can be, the outermost first."""
    counted = Counter[str]()
    for entry in entries:
        steps = entry.split(".")[:-1]
        counted.update(".".join(steps[:cut]) for cut in range(1, min(len(steps), DEEPEST) + 1))
    return sorted(counted, key=lambda place: place.count("."))[:MOST_PLACES]


def _parts_at(place: str, wanted: Shapes, entries: Shapes, modules: Collection[str]) -> list[_Part]:
    """The modules that the names and shapes below a place give, each alone or several together."""
    start = len(place) + 1
    below = {entry[start:]: entry for entry in entries if entry.startswith(f"{place}.")}
    parts = [
        _Part(place, module, names, frozenset([module]), _is_named(place, module))
        for module in modules
        if (names := _whole_modules(below, wanted, entries, f"{module}."))
    ]
    own = _whole_modules(below, wanted, entries, "")
    inner = frozenset(name.partition(".")[0] for name in own)
    return [*parts, _Part(place, "", own, inner, True)] if len(inner) > 1 else parts


def _is_named(place: str, module: str) -> bool:
    steps = [step for step in place.split(".") if step not in _CONTAINERS]
    return bool(steps) and module.lower() in (steps[-1].lower(), _plain(steps[-1]))


def _plain(step: str) -> str:
    """The name of a part without what says that it is weights, also of an average.

    >>> _plain("encoder_state_dict"), _plain("netEncoder"), _plain("ema_head")
    ('encoder', 'encoder', 'head')
    """
    bare = _DECORATION.sub("", _DECORATION.sub("", step)).lower()
    return re.sub(r"^(ema|swa|best|avg)_|_(ema|swa|best|avg)$", "", bare)


def _whole_modules(below: Shapes, wanted: Shapes, entries: Shapes, module: str) -> dict[str, str]:
    """The network's names with the file's, where what lies below a place is that of whole modules."""
    names = {f"{module}{name}": entry for name, entry in below.items()}
    if not all(wanted.get(name) == entries[entry] or _is_counter(name) for name, entry in names.items()):
        return {}
    tops = {name.partition(".")[0] for name in names}
    needed = {name for name in wanted if name.partition(".")[0] in tops and not _is_counter(name)}
    return names if needed <= names.keys() <= wanted.keys() else {}


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _chosen(parts: list[_Part], wanted: Shapes, modules: Collection[str]) -> Joined | None:
    """One part for every module; None where there is none, or more than one could be meant."""
    taken: dict[str, _Part] = {}
    for module in sorted(modules):
        fitting = [part for part in parts if module in part.modules]
        fitting = [part for part in fitting if part.named] or fitting
        different = {part.of(module): part for part in reversed(fitting)}  # of equal ones the outermost
        if len(different) != 1:
            return None
        taken[module] = next(iter(different.values()))
    names: dict[str, str] = {}
    for part in dict.fromkeys(taken.values()):
        if part.names.keys() & names.keys():
            return None
        names |= part.names
    complete = all(name in names or _is_counter(name) for name in wanted)
    twice = len(set(names.values())) < len(names)
    if not complete or twice or not 2 <= len(set(taken.values())) <= MOST_PARTS:
        return None
    return Joined(tuple((part.place, part.module) for part in dict.fromkeys(taken.values())), names)
