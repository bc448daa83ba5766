"""A file's tensors fitted to a network: the prefix in the file under which they are, and what is left out."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from model.problems import Problem
from model.weights.changes import Changes
from model.weights.flattened import with_dots
from model.weights.joining import joined_sets
from model.weights.parametrized import SPECTRAL_NORM, groups, in_form_of
from model.weights.prefixes import Rank, chosen_prefix, rank, ranked, rivals
from model.weights.stored import Leaf, StoredTensor, UnusableTensor
from model.words import N_, tr

Entries = Mapping[str, Leaf]
State = dict[str, Tensor]

LONGEST = 100  # characters of a name in a sentence
COUNTER = "num_batches_tracked"
MOST_PREFIXES = 16  # tried in one file
# Parts of a name that a wrapper added, and what old files write with a dot: `norm.1` for `norm1`.
_WRAPPERS = re.compile(r"(^|(?<=\.))(module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_PARTED = re.compile(r"\b(norm|relu|conv)\.(\d)")
# Parts of names kept beside a network's own weights, which take no part in its prediction.
_MEASURE = r"(criterion|criteria|loss|losses|loss_fn|loss_func|loss_function|metrics?|acc|accuracy|auroc)"
_BESIDE = re.compile(
    rf"(^|\.)(n_averaged|total_ops|total_params|num_updates|initted|step|epoch|best_\w+|(ema_)?decay|aux\w*|"
    rf"(\w+_)?{_MEASURE}(_\w+)?|(\w+_)?(ema|swa)(_\w+)?|swag\w*|"
    r"(\w+_)?optim(izers?)?(_\w+)?|(\w+_)?schedulers?(_\w+)?|rng_state|hyper_parameters|callbacks)(\.|$)",
    re.I,
)
# Of these also whole layers: a loss may have some, and auxiliary classifiers are trained with only.
_LAYERS_BESIDE = re.compile(
    r"(^|\.)(criterion|criteria|loss|losses|loss_fn|loss_func|loss_function|callbacks|swag\w*|"
    r"(\w+_)?optim(izers?)?(_\w+)?|aux\d*|auxlogits|auxiliary|aux(iliary)?_(logits|classifiers?|heads?))(\.|$)",
    re.I,
)
# Parts that are trained with only, as long as nothing of the network can read what they give.
_TRAINED_WITH = re.compile(
    r"(^|.*\.)(\w+_)?(projector|projection_head|proj_head|projection_mlp|predictor|discriminator|"
    r"(domain|rot|rotation)_(classifier|head))(_\w+)?\.",
    re.I,
)
_OF_OPTIMIZER = re.compile(
    r"(^|\.)(\w*optim\w*|(max_)?exp_avg\w*|momentum_buffer|square_avg|acc_delta|step)(\.|$)", re.I
)
_OF_LAYERS = ("weight", "bias", "running_mean", "running_var")


class Missing(Problem):
    """A file has less than the weights of its network."""


@dataclass(frozen=True)
class StateLayout:
    """What a network's state_dict is to be: name → tensor (its memory is not needed).

    `buffers` are names of buffers that it has and does not keep. `shared`: names of the same tensor, of which
    some files have one only. `classes`: how many it is built with, 0 if unknown. `plain`: whether numbers
    keep the type they are stored in.
    """

    state: Mapping[str, Tensor]
    buffers: Collection[str] = ()
    shared: Collection[Collection[str]] = ()
    classes: int = 0
    plain: bool = False

    @cached_property
    def joined(self) -> Mapping[tuple[int, ...], tuple[str, ...]]:
        """Its names without dots, by the shape of their tensors."""
        names = dict[tuple[int, ...], tuple[str, ...]]()
        for name, tensor in self.state.items():
            shape = tuple(tensor.shape)
            names[shape] = (*names.get(shape, ()), name.replace(".", ""))
        return names


@dataclass(frozen=True)
class _Attempt:
    """The entries under one prefix of a file beside a network's names; or of several, `parts` of it."""

    prefix: str
    leaves: Mapping[str, Leaf]
    extra: Mapping[str, Leaf]
    renamed: int
    parts: tuple[tuple[str, str], ...] = ()


def fitted(
    entries: Entries, layout: StateLayout, path: str, wanted: str | None = None
) -> tuple[State, Changes]:
    """The state that the network takes, and what was done for it. Raises Problem, and Damaged.

    `wanted` is “ema”, “model” or a prefix; else the first by `prefixes.rank` is taken, whatever their order.
    """
    entries, normed = in_form_of(entries, layout.state)
    fitting, problem = _fitting(entries, layout, path)
    dotted = {} if fitting else with_dots(entries, layout.state)
    if dotted.keys() - entries.keys():
        fitting, problem = _fitting(dotted, layout, path)
        fitting = {prefix: _counted(each, entries) for prefix, each in fitting.items()}
        entries = dotted
    prefixes = ranked(fitting)
    if problem is not None:
        raise problem
    prefix = chosen_prefix(prefixes, path, wanted)
    state, changes = _state_of(fitting[prefix], layout, path)
    others = tuple(each for each in prefixes if each != prefix)
    alike = () if prefix == wanted else rivals(prefix, prefixes)
    unused = _unused(entries, fitting[prefix], others)
    nameless = next((each for each in nameless_lists(entries) if rank(each) == Rank.AVERAGE), "")
    return state, replace(
        changes, others=others, rivals=alike, unused=unused, normed=normed, nameless=nameless
    )


def _fitting(entries: Entries, layout: StateLayout, path: str) -> tuple[dict[str, _Attempt], Problem | None]:
    """By prefix what fits the network, or why nothing does."""
    attempts = [attempt for bared in (False, True) for attempt in _attempts(entries, layout, bared)]
    fitting = _different(each for each in attempts if _problem(each, layout, path) is None)
    if fitting:
        return fitting, None
    joined, left = _joined(entries, layout)
    if joined and not left:
        return {each.prefix: each for each in joined}, None
    if joined:
        return {}, _does_not_fit(_SURPLUS, path, left[0])
    return {}, _refusal(entries, attempts, layout, path)


def _counted(attempt: _Attempt, entries: Entries) -> _Attempt:
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


def _attempts(entries: Entries, layout: StateLayout, bared: bool) -> list[_Attempt]:
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
        attempts.append(_Attempt(prefix, leaves, extra, changed))
    return attempts


def _joined(entries: Entries, layout: StateLayout) -> tuple[list[_Attempt], list[str]]:
    """The sets of weights that several parts of a file give together, and what is left of the file."""

    def is_beside(name: str) -> bool:
        entry = original[name]
        layer = _LAYERS_BESIDE.search(name) or not _is_of_layer(name, entries[entry])
        beside = _OF_OPTIMIZER.search(name) or (_BESIDE.search(name) and layer)
        return bool(beside) or _is_trained_with(name, described, layout)

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
        _Attempt(each.label, {names[name]: entries[original[entry]] for name, entry in each.names.items()
                              if name in names}, extra, 0, each.parts)
        for each in sets
    ]  # fmt: skip
    return attempts, left


def _is_trained_with(name: str, entries: Entries, layout: StateLayout) -> bool:
    """Whether an entry is of a part that is trained with only, such as a projector of contrastive learning.

    Not where a layer of the network could read what the part gives, or where that could be the classes.
    """
    part = _TRAINED_WITH.match(name)
    if part is None:
        return False
    leaves = [leaf for entry, leaf in entries.items() if entry.startswith(part[0])]
    given = [leaf.shape[0] for leaf in leaves if isinstance(leaf, StoredTensor) and len(leaf.shape) > 1]
    read = {tensor.shape[1] for tensor in layout.state.values() if tensor.ndim > 1}
    return bool(given) and given[-1] not in {*read, layout.classes}


def _described(leaf: Leaf) -> str:
    return shape_and_kind(leaf) if isinstance(leaf, StoredTensor) else leaf.kind


def _different(attempts: Iterable[_Attempt]) -> dict[str, _Attempt]:
    """The attempts by prefix, of those that find the same tensors the first, LAST ones last."""
    by_tensors = dict[frozenset[int], _Attempt]()
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


def _problem(attempt: _Attempt, layout: StateLayout, path: str) -> Problem | None:
    """Why the entries of an attempt do not fit; None where they do."""
    mismatched = [name for name in sorted(layout.state) if not _is_fitting(name, attempt, layout)]
    if mismatched:
        head = _other_head(mismatched, attempt, layout, path)
        return head or _mismatch(mismatched[0], attempt, layout, path)
    for name in sorted(attempt.extra):
        if not _is_beside(name, attempt, layout):
            return _does_not_fit(_SURPLUS, path, name)
    return None


def _is_fitting(name: str, attempt: _Attempt, layout: StateLayout) -> bool:
    actual = attempt.leaves.get(name)
    if name.rpartition(".")[2] == COUNTER:
        return actual is None or (isinstance(actual, StoredTensor) and math.prod(actual.shape) == 1)
    return isinstance(actual, StoredTensor) and shape_and_kind(actual) == shape_and_kind(layout.state[name])


def _is_beside(name: str, attempt: _Attempt, layout: StateLayout) -> bool:
    """Whether an entry takes no part in the network's prediction."""
    entry = attempt.extra[name]
    if name in layout.buffers or _is_copy(name, entry, layout):
        return True
    if _is_trained_with(name, attempt.extra, layout):
        return True
    if _BESIDE.search(name) and (_LAYERS_BESIDE.search(name) or not _is_of_layer(name, entry)):
        return True
    if not isinstance(entry, StoredTensor):
        return False
    counts = not entry.dtype.is_floating_point and not entry.dtype.is_complex  # such as an index of positions
    of_classes = entry.shape == (layout.classes,) and name.endswith(("weight", "weights"))  # those of a loss
    return counts or of_classes


def _is_of_layer(name: str, entry: Leaf) -> bool:
    """Whether an entry looks like a layer's weights, not like a number or a statistic that a run keeps."""
    shape = entry.shape if isinstance(entry, StoredTensor) else ()
    return len(shape) >= 3 or (len(shape) >= 1 and name.rpartition(".")[2] in _OF_LAYERS)


def _is_copy(name: str, entry: Leaf, layout: StateLayout) -> bool:
    """Whether an entry is a copy of one of the network's, such as `ema.conv1.weight` or `ema.conv1weight`."""
    first, _, rest = name.partition(".")
    if rank(first) in (Rank.USUAL, Rank.OTHER) or not isinstance(entry, StoredTensor):
        return False
    return rest.replace(".", "").endswith(layout.joined.get(tuple(entry.shape), ()))


def _unused(entries: Entries, attempt: _Attempt, others: Collection[str]) -> tuple[str, ...]:
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


def _state_of(attempt: _Attempt, layout: StateLayout, path: str) -> tuple[State, Changes]:
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


# Refusing


def not_a_state(entries: Entries, path: str) -> Problem | None:
    """What a file has instead of weights with names; None where it has some."""
    others = [name for name in entries if not _OF_OPTIMIZER.search(name)]
    if not others:
        return Problem(
            "{path} has the state of an optimizer, but no weights of a network; "
            "give the file with the weights.",
            path=path,
        )
    lists = nameless_lists(entries)
    if not {name.rpartition(".")[0] for name in others} <= set(lists):
        return None
    return Problem(
        "{path} has weights in a list without names ({place}), as torch_ema saves averaged weights; "
        "copy them to the parameters of the network and save its state_dict.",
        path=path,
        place=lists[0] or tr("the top of the file"),
    )


def nameless_lists(entries: Entries) -> list[str]:
    """The lists of tensors in a file that have numbers for names; “” for its top. Not an optimizer's."""
    numbered = Counter(name.rpartition(".")[0] for name in entries if name.rpartition(".")[2].isdecimal())
    return [place for place, count in numbered.items() if count > 1 and rank(place) != Rank.LAST]


def _refusal(entries: Entries, attempts: list[_Attempt], layout: StateLayout, path: str) -> Problem:
    """Why nothing in the file fits, by the prefix that has the most of the network."""
    if any(isinstance(leaf, UnusableTensor) and leaf.kind == "quantized" for leaf in entries.values()):
        return Problem(
            "{path} has quantized weights, which cannot be explained; "
            "give the weights that the network had before it was quantized.",
            path=path,
        )
    if plain := _without_spectral_norm(entries, layout):
        return Problem(
            "{path} has {name} as it is without spectral_norm, with which its network is built; "
            "give a builder without spectral_norm.",
            path=path,
            name=plain,
        )
    if not attempts and (problem := not_a_state(entries, path)):
        return problem
    best = max(attempts, key=lambda each: len(each.leaves), default=_Attempt("", {}, {}, 0))
    return _problem(best, layout, path) or _missing(path, min(layout.state, default=""))


def _without_spectral_norm(entries: Entries, layout: StateLayout) -> str:
    """A plain weight in the file that the network divides by its largest singular value; "" for none."""
    if groups(entries):
        return ""
    wanted = [group.weight for group in groups(layout.state) if group.norm == SPECTRAL_NORM]
    return next((weight for weight in wanted for name in entries if f".{name}".endswith(f".{weight}")), "")


def _other_head(mismatched: list[str], attempt: _Attempt, layout: StateLayout, path: str) -> Problem | None:
    """A sentence where nothing but the number of classes differs."""
    pairs = set()
    for name in mismatched:
        actual, wanted = attempt.leaves.get(name), tuple(layout.state[name].shape)
        if not isinstance(actual, StoredTensor) or not wanted or actual.shape[1:] != wanted[1:]:
            return None
        pairs.add((actual.shape[:1], wanted[0]))
    parents = {name.rpartition(".")[0] for name in mismatched}
    heads = [name for name in layout.state if name.rpartition(".")[0] in parents]
    if len(pairs) != 1 or heads != [name for name in heads if name in mismatched]:
        return None
    (actual_classes, classes) = pairs.pop()
    if not actual_classes or classes != (layout.classes or classes):
        return None
    if actual_classes[0] == 1:
        return Problem(
            "{path} has a single output, but its network is built with {classes}; "
            "write num_classes=1 in the arguments of --net.",
            path=path,
            classes=classes,
        )
    return Problem(
        "{path} has {found} classes, but its network is built with {classes}; give --classes {found} or the "
        "{found} names (its builder gets num_classes={found}).",
        path=path,
        found=actual_classes[0],
        classes=classes,
    )


_MISSING = N_("{path} does not fit its network: {name} is missing; give the network it was trained with.")
_SURPLUS = N_("{path} does not fit its network, which has no {name}; give the network it was trained with.")
_DIFFERENT = N_(
    "{path} does not fit its network: {name} is {actual}, but must be {wanted}; "
    "give the network it was trained with."
)
_UNUSABLE = N_(
    "{path} stores {name} in a form that no network takes ({actual}); save it again as a dense tensor."
)


def _mismatch(name: str, attempt: _Attempt, layout: StateLayout, path: str) -> Problem:
    match attempt.leaves.get(name):
        case None:
            return _missing(path, name)
        case UnusableTensor(kind):
            return _does_not_fit(_UNUSABLE, path, name, kind)
        case StoredTensor() as actual:
            wanted = shape_and_kind(layout.state[name])
            return _does_not_fit(_DIFFERENT, path, name, shape_and_kind(actual), wanted)


def _missing(path: str, name: str) -> Missing:
    return Missing(_MISSING, path=path, name=_shortened(name))


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _does_not_fit(template: str, path: str, name: str, actual: str = "", wanted: str = "") -> Problem:
    return Problem(template, path=path, name=_shortened(name), actual=actual, wanted=wanted)


def shape_and_kind(tensor: Tensor | StoredTensor) -> str:
    """Such as `float (32, 3, 3, 3)`; float16 and float32 are both `float`."""
    dtype = tensor.dtype
    kind = "float" if dtype.is_floating_point else "complex" if dtype.is_complex else "int"
    return f"{kind} {tuple(tensor.shape)}"
