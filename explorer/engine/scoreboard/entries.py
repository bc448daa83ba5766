"""The rows of a scoreboard: the methods that a network allows, and maps that no network was asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from explorer.engine.attribution import METHODS, attribute
from explorer.engine.scores.score import Masks
from explorer.engine.values import Doubles
from model.problems import Problem
from model.words import N_, tr

CENTERED_SIGMA = 0.25  # of the centered Gaussian, as a fraction of the image's side


@dataclass(frozen=True)
class Entry:
    """A row: a method, at a layer if it needs one, or a reference."""

    name: str
    layer: str | None = None

    @property
    def key(self) -> str:
        """What names the row in files, such as `grad_cam@relu3`."""
        return self.name if self.layer is None else f"{self.name}@{self.layer}"

    @property
    def is_reference(self) -> bool:
        return self.name in REFERENCES

    @property
    def title(self) -> str:
        """What the row is called, in the language in use."""
        if self.is_reference:
            return tr(REFERENCES[self.name].title)
        title = tr(METHODS[self.name].title)
        return title if self.layer is None else tr("{method} at {layer}", method=title, layer=self.layer)


def entry(key: str) -> Entry:
    """The Entry of a key."""
    name, _, layer = key.partition("@")
    return Entry(name, layer or None)


@dataclass(frozen=True)
class Reference:
    """A map that is made without the network: `make(size, mask, seed)` gives it, float64 (h, w) of `size`."""

    title: str
    make: Callable[[tuple[int, int], Masks | None, int], Doubles]
    needs_mask: bool = False


def random_map(size: tuple[int, int], mask: Masks | None, seed: int) -> Doubles:
    """Independent random values, another map for every image."""
    return np.random.default_rng(seed).random(size)


def centered(size: tuple[int, int], mask: Masks | None, seed: int) -> Doubles:
    """A Gaussian in the middle of the image, the same for every image."""
    rows, columns = (((np.arange(side) + 0.5) / side - 0.5) / CENTERED_SIGMA for side in size)
    return np.asarray(np.exp(-(rows[:, None] ** 2 + columns**2) / 2))


def area(size: tuple[int, int], mask: Masks | None, seed: int) -> Doubles:
    """1 on the object and 0 elsewhere."""
    assert mask is not None
    return mask.astype(np.float64)


REFERENCES: dict[str, Reference] = {
    "random": Reference(N_("Random map"), random_map),
    "gaussian": Reference(N_("Centered Gaussian"), centered),
    "area": Reference(N_("Object area"), area, needs_mask=True),
}


@dataclass(frozen=True)
class Entries:
    """The rows that can be measured, and name → reason of those that cannot."""

    rows: tuple[Entry, ...]
    left_out: dict[str, str]


def entries(net: nn.Module, x: Tensor, methods: Sequence[str], layer: str, masked: bool) -> Entries:
    """The Entries of methods for a network, tried on one image x, float (1, C, h, w), and all references."""
    rows, left_out = [], {}
    for name in methods:
        tried = Entry(name, layer if METHODS[name].needs_layer else None)
        try:
            attribute(net, x, name, layer=tried.layer, target=0)
        except Problem as problem:
            left_out[tried.key] = str(problem)
        else:
            rows.append(tried)
    for name, reference in REFERENCES.items():
        if reference.needs_mask and not masked:
            left_out[name] = tr("It needs masks of the objects, which only drawn scenes have.")
        else:
            rows.append(Entry(name))
    return Entries(tuple(rows), left_out)
