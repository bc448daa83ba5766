"""Weights that a network computes from others, by weight_norm, spectral_norm or pruning, in the form it has.

PyTorch keeps the others in an older form (`weight_g` and `weight_v`, or `weight_orig`, `weight_u` and
`weight_v`) and in a newer one, as parametrizations; a network with fused weights has the plain `weight`.
Pruning has only the older form, `weight_orig` and `weight_mask`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from model.weights.stored import Leaf, StoredTensor

PLAIN, OLD, NEW = "plain", "old", "new"
WEIGHT_NORM, SPECTRAL_NORM, PRUNING = "weight_norm", "spectral_norm", "pruning"
_OLD_ENDINGS = {WEIGHT_NORM: ("_g", "_v"), SPECTRAL_NORM: ("_orig", "_u", "_v"), PRUNING: ("_orig", "_mask")}
_NEW_ENDINGS = {
    WEIGHT_NORM: (".original0", ".original1"),
    SPECTRAL_NORM: (".original", ".0._u", ".0._v"),
}
_FORMS = [*product((OLD,), _OLD_ENDINGS.items()), *product((NEW,), _NEW_ENDINGS.items())]


@dataclass(frozen=True)
class Group:
    """A weight by its name without parametrization, and the names of what it is computed from."""

    weight: str
    norm: str
    form: str
    parts: tuple[str, ...]


def in_form_of(entries: Mapping[str, Leaf], state: Mapping[str, Tensor]) -> tuple[Mapping[str, Leaf], int]:
    """A file's entries with such weights in the form of a network's state, and how many were changed.

    What the network computes stays the same but for rounding. Weights that cannot be changed so stay as they
    are: plain ones of a spectral norm, whose largest singular value is not in the file.
    """
    there, wanted = groups(entries), groups(state)
    forms = {group.form for group in wanted} or {PLAIN}
    if there:
        changed = [group for group in there if group.form not in forms]
        return _replaced(entries, changed, min(forms)) if len(forms) == 1 else (entries, 0)
    return _normed(entries, wanted, state)


def groups(names: Mapping[str, Leaf] | Mapping[str, Tensor]) -> list[Group]:
    """The weights by these norms among the names of a file or a network."""
    weight_groups = []
    for name in names:
        for form, (norm, endings) in _FORMS:
            if not name.endswith(endings[0]):
                continue
            weight = name.removesuffix(endings[0])
            if form == NEW:
                before, _, inner = weight.rpartition("parametrizations.")
                weight = before + inner
            parts = _names(weight, norm, form)
            if name in parts and all(part in names for part in parts):
                weight_groups.append(Group(weight, norm, form, parts))
    return weight_groups


def _names(weight: str, norm: str, form: str) -> tuple[str, ...]:
    """The names of what a weight is computed from, in a form."""
    if form == OLD:
        return tuple(weight + ending for ending in _OLD_ENDINGS[norm])
    before, dot, inner = weight.rpartition(".")
    return tuple(f"{before}{dot}parametrizations.{inner}{ending}" for ending in _NEW_ENDINGS[norm])


def _replaced(
    entries: Mapping[str, Leaf], changed: Sequence[Group], form: str
) -> tuple[Mapping[str, Leaf], int]:
    """The entries with these groups in another form, in the places where they are."""
    by_part: dict[str, dict[str, Leaf]] = {}
    for group in changed:
        leaves = [entries[part] for part in group.parts]
        if form != PLAIN and group.norm != PRUNING:
            made = dict(zip(_names(group.weight, group.norm, form), leaves, strict=True))
        elif (plain := _computed(group.norm, leaves)) is not None:
            made = {group.weight: plain}
        else:
            continue
        by_part |= {part: {} for part in group.parts} | {group.parts[0]: made}
    replaced: dict[str, Leaf] = {}
    for name, leaf in entries.items():
        replaced |= by_part.get(name, {name: leaf})
    return replaced, sum(map(bool, by_part.values()))


def _normed(
    entries: Mapping[str, Leaf], wanted: Sequence[Group], state: Mapping[str, Tensor]
) -> tuple[Mapping[str, Leaf], int]:
    """The entries with plain weights as direction and length, where the network has weight_norm for them."""
    made: dict[str, dict[str, Leaf]] = {}
    for group in wanted:
        shapes = [tuple(state[part].shape) for part in group.parts]
        for name, leaf in entries.items():
            ends = f".{name}".endswith(f".{group.weight}")
            if (
                group.norm == WEIGHT_NORM
                and ends
                and isinstance(leaf, StoredTensor)
                and leaf.shape == shapes[1]
            ):
                names = _names(name, group.norm, group.form)
                made[name] = dict(zip(names, (_length(leaf, shapes[0]), leaf), strict=True))
    replaced: dict[str, Leaf] = {}
    for name, leaf in entries.items():
        replaced |= made.get(name, {name: leaf})
    return replaced, len(made)


def _computed(norm: str, leaves: Sequence[Leaf]) -> StoredTensor | None:
    """The plain weight, computed when it is loaded; None of what does not belong together."""
    tensors = [leaf for leaf in leaves if isinstance(leaf, StoredTensor) and leaf.dtype.is_floating_point]
    if len(tensors) < len(leaves) or not _belong_together(norm, *(tensor.shape for tensor in tensors)):
        return None
    compute = _COMPUTED[norm]
    main = tensors[1] if norm == WEIGHT_NORM else tensors[0]
    return StoredTensor(main.dtype, main.shape, lambda: compute(*(tensor.load() for tensor in tensors)))


def _belong_together(norm: str, *shapes: tuple[int, ...]) -> bool:
    if norm == PRUNING:
        return len(set(shapes)) == 1
    if norm == WEIGHT_NORM:
        length, direction = shapes
        one_each = len(length) == len(direction) and all(
            size in (1, whole) for size, whole in zip(length, direction, strict=True)
        )
        return one_each or math.prod(length) == 1
    weight, u, v = shapes
    return len(u) == len(v) == 1 and any((size, math.prod(weight)) == (u[0], u[0] * v[0]) for size in weight)


def _length(leaf: StoredTensor, shape: tuple[int, ...]) -> StoredTensor:
    """The lengths of a plain weight's directions, in the shape that weight_norm has them."""
    return StoredTensor(leaf.dtype, shape, lambda: _norm(leaf.load(), shape))


def _norm(direction: Tensor, shape: Sequence[int]) -> Tensor:
    """The norm over the dimensions in which the shape has one element."""
    if len(shape) != direction.ndim:
        return direction.square().sum().sqrt().reshape(tuple(shape))
    axes = [axis for axis, size in enumerate(shape) if size == 1]
    return direction.square().sum(axes, keepdim=True).sqrt() if axes else direction.abs()


def _by_length(length: Tensor, direction: Tensor) -> Tensor:
    return direction * (length / _norm(direction, length.shape))


def _by_singular_value(weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """The weight over its largest singular value, u·W·v, with the rows along the dimension that u and v fit.

    Of two that both fit, the one whose value is larger: u and v are near the singular vectors of that one.
    """
    rows = [weight.movedim(axis, 0).flatten(1) for axis in range(weight.ndim)]
    fitting = [matrix for matrix in rows if matrix.shape == (len(u), len(v))]
    values = [u @ matrix @ v for matrix in fitting]
    return weight / max(values, key=torch.abs)


_COMPUTED: dict[str, Callable[..., Tensor]] = {
    WEIGHT_NORM: _by_length,
    SPECTRAL_NORM: _by_singular_value,
    PRUNING: torch.mul,
}
