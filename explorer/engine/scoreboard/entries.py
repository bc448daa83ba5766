"""The rows of a scoreboard: the methods that a network allows, and maps that no network was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from explorer.engine.attribution import METHODS, attribute
from explorer.engine.scores.references import REFERENCES
from model.problems import Problem
from model.words import tr


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
