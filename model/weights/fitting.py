"""A file's tensors fitted to a network: the prefix in the file under which they are, and what is left out."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from model.problems import Problem
from model.weights.changes import Changes
from model.weights.flattened import with_dots
from model.weights.joining import joined_sets
from model.weights.mismatch import (
    COUNTER,
    Attempt,
    Entries,
    StateLayout,
    is_beside_by_name,
    is_of_optimizer,
    is_trained_with,
    nameless_lists,
    problem_of,
    refusal,
    shape_and_kind,
    surplus,
)
from model.weights.parametrized import in_form_of
from model.weights.prefixes import Rank, chosen_prefix, rank, ranked, rivals
from model.weights.stored import Leaf, StoredTensor

State = dict[str, Tensor]

MOST_PREFIXES = 16  # tried in one file
# Parts of a name that a wrapper added, and what old files write with a dot: `norm.1` for `norm1`.
_WRAPPERS = re.compile(r"(^|(?<=\.))(module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_PARTED = re.compile(r"\b(norm|relu|conv)\.(\d)")


def fitted(
    entries: Entries, layout: StateLayout, path: str, wanted: str | None = None
) -> tuple[State, Changes]:
    """The state that the network takes, and what was done for it. Raises Problem, and Damaged.

    `wanted` is “ema”, “model” or a prefix; else the first by `prefixes.rank` is taken, whatever their order.
    """
    entries, normed = in_form_of(entries, layout.state)
    fitting, problem = _fitting_attempts(entries, layout, path)
    dotted = {} if fitting else with_dots(entries, layout.state)
    if dotted.keys() - entries.keys():
        fitting, problem = _fitting_attempts(dotted, layout, path)
        fitting = {prefix: _counted(each, entries) for prefix, each in fitting.items()}
        entries = dotted
    prefixes = ranked(fitting)
    if problem is not None:
        raise problem
    prefix = chosen_prefix(prefixes, path, wanted)
    state, changes = _state_of(fitting[prefix], layout)
    others = tuple(each for each in prefixes if each != prefix)
    alike = () if prefix == wanted else rivals(prefix, prefixes)
    unused = _unused(entries, fitting[prefix], others)
    nameless = next((each for each in nameless_lists(entries) if rank(each) == Rank.AVERAGE), "")
    return state, replace(
        changes, others=others, rivals=alike, unused=unused, normed=normed, nameless=nameless
    )


def _fitting_attempts(
    entries: Entries, layout: StateLayout, path: str
) -> tuple[dict[str, Attempt], Problem | None]:
    """By prefix what fits the network, or why nothing does."""
    attempts = [attempt for bared in (False, True) for attempt in _attempts(entries, layout, bared)]
    fitting = _different(each for each in attempts if problem_of(each, layout, path) is None)
    if fitting:
        return fitting, None
    joined, left = _joined(entries, layout)
    if joined and not left:
        return {each.prefix: each for each in joined}, None
    if joined:
        return {}, surplus(path, left[0])
    return {}, refusal(entries, attempts, layout, path)


def _counted(attempt: Attempt, entries: Entries) -> Attempt:
    """The attempt, in which names that were given dots count as renamed."""
    known = {id(leaf): name for name, leaf in entries.items()}
    given = [name for name, leaf in attempt.leaves.items() if not known[id(leaf)].endswith(name)]
    return replace(attempt, renamed=max(attempt.renamed, len(given)))


def prefixes_of(entries: Iterable[str], names: Collection[str]) -> list[str]:
    """Where in a file the most of these names are, the best first; "" for its top."""
    hits = Counter[str]()
    deepest = max((name.count(".") for name in names), default=0) + 1
    for entry in entries:
        parts = entry.split(".")
        for cut in range(max(0, len(parts) - deepest), len(parts)):
            if ".".join(parts[cut:]) in names:
                hits[".".join(parts[:cut])] += 1
    ordered = sorted(hits, key=lambda prefix: (rank(prefix) == Rank.LAST, -hits[prefix]))
    return [prefix for prefix in ordered if 2 * hits[prefix] >= max(hits.values())][:MOST_PREFIXES]


def bare(name: str) -> str:
    """A name without what wrappers added, as newer files write it.

    >>> bare("layer1._orig_mod.norm.1.weight")
    'layer1.norm1.weight'
    """
    return _PARTED.sub(r"\1\2", _WRAPPERS.sub("", name))


# Trying


def _attempts(entries: Entries, layout: StateLayout, bared: bool) -> list[Attempt]:
    """The prefixes under which the network's names are, tried as they are written or `bare`."""
    names = {bare(name) if bared else name: name for name in layout.state}
    renamed = {bare(entry) if bared else entry: entry for entry in reversed(list(entries))}
    renamed = dict(reversed(renamed.items()))  # of two with the same bare name the first
    if bared:
        if len(names) < len(layout.state):
            return []
        names = _without_common_prefix(names)
    attempts = []
    for prefix in prefixes_of(renamed, names):
        within = below(renamed, prefix)
        leaves = {names[name]: entries[entry] for name, entry in within.items() if name in names}
        for group in layout.shared:
            known = [leaves[name] for name in group if name in leaves]
            leaves = {name: known[0] for name in group if known and name not in leaves} | leaves
        changed = sum(
            f"{prefix}.{names[name]}".lstrip(".") != within[name] for name in within if name in names
        )
        extra = {name: entries[entry] for name, entry in within.items() if name not in names}
        attempts.append(Attempt(prefix, leaves, extra, changed))
    return attempts


def _joined(entries: Entries, layout: StateLayout) -> tuple[list[Attempt], list[str]]:
    """The sets of weights that several parts of a file give together, and what is left of the file."""

    def is_beside(name: str) -> bool:
        beside = is_of_optimizer(name) or is_beside_by_name(name, described[name])
        return beside or is_trained_with(name, described, layout)

    original = {bare(entry): entry for entry in reversed(list(entries))}
    original = dict(reversed(original.items()))  # of two with the same bare name the first
    names = _without_common_prefix({bare(name): name for name in layout.state})
    described = {name: entries[entry] for name, entry in original.items()}
    sets, left = joined_sets(
        {name: shape_and_kind(layout.state[own]) for name, own in names.items()},
        {name: _described(entry) for name, entry in described.items()},
        is_beside,
    )
    used = {original[entry] for each in sets for entry in each.names.values()}
    extra = {entry: leaf for entry, leaf in entries.items() if entry not in used}
    attempts = [
        Attempt(each.label, {names[name]: entries[original[entry]] for name, entry in each.names.items()
                              if name in names}, extra, 0, each.parts)
        for each in sets
    ]  # fmt: skip
    return attempts, left


def _described(leaf: Leaf) -> str:
    return shape_and_kind(leaf) if isinstance(leaf, StoredTensor) else leaf.kind


def _different(attempts: Iterable[Attempt]) -> dict[str, Attempt]:
    """The attempts by prefix, of those that find the same tensors the first, LAST ones last."""
    by_tensors = dict[frozenset[int], Attempt]()
    for each in sorted(attempts, key=lambda each: rank(each.prefix) == Rank.LAST):
        by_tensors.setdefault(frozenset(map(id, each.leaves.values())), each)
    return {each.prefix: each for each in reversed(by_tensors.values())}  # of two under a prefix the first


def _without_common_prefix(names: dict[str, str]) -> dict[str, str]:
    """The network's names without the first part, where all of them share one."""
    first = {name.partition(".")[0] for name in names}
    inner = {name.partition(".")[2]: value for name, value in names.items()}
    return inner if len(first) == 1 and all(inner) else names


def below(entries: Mapping[str, str], prefix: str) -> dict[str, str]:
    """What a file has under a prefix, by the names there."""
    if not prefix:
        return dict(entries)
    return {
        name[len(prefix) + 1 :]: entry for name, entry in entries.items() if name.startswith(f"{prefix}.")
    }


def _unused(entries: Entries, attempt: Attempt, others: Collection[str]) -> tuple[str, ...]:
    """What is left out: each entry beside the weights, of anything further away only where it begins."""
    if attempt.parts:
        return tuple(dict.fromkeys(entry.partition(".")[0] for entry in attempt.extra))
    prefix = attempt.prefix.split(".") if attempt.prefix else []
    away = []
    for entry in entries:
        parts = entry.split(".")
        shared = next((k for k, part in enumerate(prefix) if parts[k : k + 1] != [part]), len(prefix))
        if shared < len(prefix) and not any(f"{entry}.".startswith(f"{other}.") for other in others if other):
            away.append(".".join(parts[: shared + 1]))
    return tuple(dict.fromkeys([*attempt.extra, *away]))


# Taking


def _state_of(attempt: Attempt, layout: StateLayout) -> tuple[State, Changes]:
    state: State = {}
    converted = dict[str, None]()
    missing = [name for name in layout.state if name not in attempt.leaves]
    for name, expected in layout.state.items():
        leaf = attempt.leaves.get(name)
        value = leaf.load() if isinstance(leaf, StoredTensor) else torch.zeros(expected.shape).long()
        if name.rpartition(".")[2] == COUNTER:
            value = value.reshape(expected.shape).to(expected.dtype)
        elif value.dtype != expected.dtype and not layout.plain:
            converted[str(value.dtype).removeprefix("torch.")] = None
            value = value.to(expected.dtype)
        state[name] = value
    average = rank(attempt.prefix) == Rank.AVERAGE
    changes = Changes(attempt.prefix, (), (), tuple(missing), attempt.renamed, tuple(converted), average)
    return state, replace(changes, parts=attempt.parts)
