"""Class names as a person is shown them; links, files and programs keep them as the network has them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from explorer.engine.samples import Sample
from model.words import N_, tr

CIFAR10 = (
    N_("airplane"),
    N_("automobile"),
    N_("bird"),
    N_("cat"),
    N_("deer"),
    N_("dog"),
    N_("frog"),
    N_("horse"),
    N_("ship"),
    N_("truck"),
)


def glossed_all(names: Sequence[str]) -> tuple[str, ...]:
    """All classes of a network in its order, with their numbers where two have the same name."""
    counts = Counter(names)
    return tuple(
        glossed(name) if counts[name] == 1 else tr("{name} (class {number})", name=glossed(name), number=k)
        for k, name in enumerate(names)
    )


def glossed(name: str) -> str:
    """A class name, with its translation behind it if it is one of a well-known data set: `cat 猫`."""
    translation = tr(name) if name in CIFAR10 else name
    return name if translation == name else tr("{name} ({translation})", name=name, translation=translation)


def glossed_within(sample: Sample, classes: tuple[str, ...]) -> Sample:
    """An image of a test set whose name has its class in brackets: there with its translation."""
    if sample.label is None:
        return sample
    name = classes[sample.label]
    return replace(sample, name=sample.name.replace(f"({name})", f"({glossed(name)})"))
