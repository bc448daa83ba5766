"""Whether what a file has under one prefix is the state of a network, and if not, why: in one sentence."""

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from model.problems import Problem
from model.weights.parametrized import SPECTRAL_NORM, groups
from model.weights.prefixes import Rank, rank
from model.weights.stored import Leaf, StoredTensor, UnusableTensor
from model.words import N_, tr

Entries = Mapping[str, Leaf]

LONGEST = 100  # characters of a name in a sentence
COUNTER = "num_batches_tracked"
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
class Attempt:
    """The entries under one prefix of a file beside a network's names; or of several, `parts` of it."""

    prefix: str
    leaves: Mapping[str, Leaf]
    extra: Mapping[str, Leaf]
    renamed: int
    parts: tuple[tuple[str, str], ...] = ()


def problem_of(attempt: Attempt, layout: StateLayout, path: str) -> Problem | None:
    """Why the entries of an attempt do not fit; None where they do."""
    mismatched = [name for name in sorted(layout.state) if not _is_fitting(name, attempt, layout)]
    if mismatched:
        head = _other_head(mismatched, attempt, layout, path)
        return head or _mismatch(mismatched[0], attempt, layout, path)
    for name in sorted(attempt.extra):
        if not _is_beside(name, attempt, layout):
            return surplus(path, name)
    return None


def _is_fitting(name: str, attempt: Attempt, layout: StateLayout) -> bool:
    actual = attempt.leaves.get(name)
    if name.rpartition(".")[2] == COUNTER:
        return actual is None or (isinstance(actual, StoredTensor) and math.prod(actual.shape) == 1)
    return isinstance(actual, StoredTensor) and shape_and_kind(actual) == shape_and_kind(layout.state[name])


def shape_and_kind(tensor: Tensor | StoredTensor) -> str:
    """Such as `float (32, 3, 3, 3)`; float16 and float32 are both `float`."""
    dtype = tensor.dtype
    kind = "float" if dtype.is_floating_point else "complex" if dtype.is_complex else "int"
    return f"{kind} {tuple(tensor.shape)}"


# What a prediction does not need


def _is_beside(name: str, attempt: Attempt, layout: StateLayout) -> bool:
    """Whether an entry takes no part in the network's prediction."""
    entry = attempt.extra[name]
    if name in layout.buffers or _is_copy(name, entry, layout):
        return True
    if is_beside_by_name(name, entry) or is_trained_with(name, attempt.extra, layout):
        return True
    if not isinstance(entry, StoredTensor):
        return False
    counts = not entry.dtype.is_floating_point and not entry.dtype.is_complex  # such as an index of positions
    of_classes = entry.shape == (layout.classes,) and name.endswith(("weight", "weights"))  # those of a loss
    return counts or of_classes


def is_beside_by_name(name: str, entry: Leaf) -> bool:
    """Whether an entry is by its name what a run keeps beside the weights, such as a loss or a best score."""
    return bool(_BESIDE.search(name) and (_LAYERS_BESIDE.search(name) or not _is_of_layer(name, entry)))


def is_of_optimizer(name: str) -> bool:
    """Whether an entry is by its name part of an optimizer's state."""
    return bool(_OF_OPTIMIZER.search(name))


def is_trained_with(name: str, entries: Entries, layout: StateLayout) -> bool:
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


# Whole files


def not_a_state(entries: Entries, path: str) -> Problem | None:
    """What a file has instead of weights with names; None where it has some."""
    others = [name for name in entries if not is_of_optimizer(name)]
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


def refusal(entries: Entries, attempts: list[Attempt], layout: StateLayout, path: str) -> Problem:
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
    best = max(attempts, key=lambda each: len(each.leaves), default=Attempt("", {}, {}, 0))
    return problem_of(best, layout, path) or _missing(path, min(layout.state, default=""))


def _without_spectral_norm(entries: Entries, layout: StateLayout) -> str:
    """A plain weight in the file that the network divides by its largest singular value; "" for none."""
    if groups(entries):
        return ""
    wanted = [group.weight for group in groups(layout.state) if group.norm == SPECTRAL_NORM]
    return next((weight for weight in wanted for name in entries if f".{name}".endswith(f".{weight}")), "")


# Sentences


def _other_head(mismatched: list[str], attempt: Attempt, layout: StateLayout, path: str) -> Problem | None:
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


def _mismatch(name: str, attempt: Attempt, layout: StateLayout, path: str) -> Problem:
    match attempt.leaves.get(name):
        case None:
            return _missing(path, name)
        case UnusableTensor(kind):
            return _does_not_fit(_UNUSABLE, path, name, kind)
        case StoredTensor() as actual:
            wanted = shape_and_kind(layout.state[name])
            return _does_not_fit(_DIFFERENT, path, name, shape_and_kind(actual), wanted)


def surplus(path: str, name: str) -> Problem:
    """The sentence for an entry of a file that its network has no place for."""
    return _does_not_fit(_SURPLUS, path, name)


def _missing(path: str, name: str) -> Missing:
    return Missing(_MISSING, path=path, name=_shortened(name))


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _does_not_fit(template: str, path: str, name: str, actual: str = "", wanted: str = "") -> Problem:
    return Problem(template, path=path, name=_shortened(name), actual=actual, wanted=wanted)
