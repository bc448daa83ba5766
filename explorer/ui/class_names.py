"""Class names as a person is shown them; links, files and programs keep them as the network has them."""

from collections.abc import Iterable

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


def glossed_all(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(glossed, names))


def glossed(name: str) -> str:
    """A class name, with its translation behind it if it is one of a well-known data set: `cat 猫`."""
    translation = tr(name) if name in CIFAR10 else name
    return name if translation == name else tr("{name} ({translation})", name=name, translation=translation)
