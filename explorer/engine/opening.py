"""Opens any network: a checkpoint by its card, or whatever a builder makes.

The only module imported is the one a `Source` names; what stands in a checkpoint's card is never imported.
"""

import copy
import errno
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from explorer.engine.copies import check_kind, copied
from explorer.engine.passes import leaf_paths, private_view, visit_layers
from model.builders import count_logits, make, offer
from model.checkpoint import MOST_CLASSES, WITHOUT_CARD, Card, Checkpoint, card_in, digest_of, load_checkpoint
from model.files import contents
from model.names import shown
from model.problems import Problem
from model.words import tr

MOST_OF_NAMES = 10_000_000  # bytes of a file with class names
MOST_OF_MAPS = 2_000_000_000  # bytes of all feature maps of one image: a trace keeps them, its cache a copy
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Source:
    """Where a network comes from: the file of its weights, the builder of its modules, or both.

    `net` is `package.module:builder`, with plain keyword arguments if wanted: `mine:make(num_classes=5)`.
    `classes` is `a,b,c`, a number, or a file with one name a line. What is None is read off the file's
    card; without a card it is 224 pixels, ImageNet's mean and std, and as many classes as there are logits.
    """

    path: Path | None = None
    net: str | None = None
    classes: str | None = None
    input_size: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def open_checkpoint(source: Source) -> Checkpoint:
    """The Checkpoint of a source, tried once on an empty image. Raises Problem.

    A builder's random weights are drawn from seed 0: the same at every start.
    """
    if source.net is not None:
        return _from_builder(source, source.net)
    if source.path is None:
        raise Problem("There is no network to open; give --checkpoint PATH, --net, or both.")
    checkpoint = load_checkpoint(source.path)
    card = _described(checkpoint.card, source)
    if card != checkpoint.card:
        checkpoint = load_checkpoint(source.path, card=card)
    net = checkpoint.build()
    _check_maps(net, card.input_size)
    _check_classes(card, logits_of(net, card.input_size))
    return checkpoint


def _from_builder(source: Source, spec: str) -> Checkpoint:
    written = card_in(source.path) if source.path else None
    net = build(spec, written)
    card = _described(replace(written or _blank(spec), net=spec), source)
    _check_maps(net, card.input_size)
    logits = logits_of(net, card.input_size)
    card = card if card.classes else replace(card, classes=numbered(logits))
    _check_classes(card, logits)
    if source.path is not None:
        return load_checkpoint(source.path, lambda: copied(net, shared=False), card)
    state = {
        name: value.detach().contiguous()
        for name, value in net.state_dict().items()
        if isinstance(value, torch.Tensor)
    }
    return Checkpoint(card, state, digest_of(state), lambda: copied(net, shared=False))


# The card


def _blank(spec: str) -> Card:
    return Card(net=spec, classes=(), mean=IMAGENET_MEAN, std=IMAGENET_STD, input_size=224, data=WITHOUT_CARD)


def assumed(card: Card, source: Source) -> dict[str, tuple[float, ...]]:
    """The mean and std of a card that neither its file nor the source gives, by name; empty where both do."""
    if card.data != WITHOUT_CARD or source.path is None:
        return {}
    given = {"mean": (source.mean, card.mean), "std": (source.std, card.std)}
    return {name: value for name, (said, value) in given.items() if said is None}


def _described(card: Card, source: Source) -> Card:
    """The card with what the source says of its own."""
    own = {"input_size": source.input_size, "mean": source.mean, "std": source.std}
    said: dict[str, Any] = {name: value for name, value in own.items() if value is not None}
    if source.classes is not None:
        said["classes"] = class_names(source.classes)
    return replace(card, **said)


def class_names(text: str) -> tuple[str, ...]:
    """Class names from `a,b,c`, from a number (class 0, class 1 …) or from a file with one name a line."""
    if text.isdecimal():
        return numbered(_count(text))
    lines = _lines(text)
    names = tuple(name.strip() for name in (text.split(",") if lines is None else lines) if name.strip())
    if lines is None and (len(names) < 2 or "/" in text):
        raise Problem(
            "“{text}” is not a list of classes; give names separated by commas, a number, "
            "or a file that exists.",
            text=shown(Path(text)),
        )
    if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
        raise Problem(
            "The class name “{name}” is used twice; give every class its own name.", name=repeated[0]
        )
    return names


def _count(text: str) -> int:
    if len(text) > len(str(MOST_CLASSES)) or int(text) > MOST_CLASSES:
        raise Problem("A network has at most {most:,} classes; give fewer with --classes.", most=MOST_CLASSES)
    return int(text)


def _lines(text: str) -> list[str] | None:
    """The lines of the file of that name; None where there is none."""
    try:
        return contents(Path(text), MOST_OF_NAMES).decode("utf-8").splitlines()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL):
            return None
        reason = error.strerror
    except UnicodeDecodeError:
        reason = tr("not UTF-8")
    raise Problem(
        "The class names in {file} cannot be read ({reason}); save them as UTF-8 text.",
        file=shown(Path(text)),
        reason=reason,
    )


def numbered(count: int) -> tuple[str, ...]:
    """Names for classes that have none: class 0, class 1 …"""
    return tuple(f"class {k}" for k in range(count))


def _check_classes(card: Card, logits: int) -> None:
    if len(card.classes) != logits:
        raise Problem(
            "The network returns {logits} logits, but {named} classes are named; "
            "give --classes {logits} or the {logits} names.",
            logits=logits,
            named=len(card.classes),
        )


# The network


def build(spec: str, written: Card | None = None) -> nn.Module:
    """The network that `package.module:builder` makes, float32 in eval mode. Raises Problem.

    It is offered the class count and input size of the card that its weights have, as in training.
    """
    offered = offer(len(written.classes), written.input_size) if written else {}
    with _seeded():
        net = make(spec, offered)
        check_kind(net)
        net.eval()  # some networks return nothing here
        return net


def _check_maps(net: nn.Module, size: int) -> None:
    """Problem if the feature maps of one image take more than MOST_OF_MAPS, found without any memory.

    A network that cannot run without values, as one with lazy layers, is let pass.
    """
    sizes: list[int] = []
    try:
        tensors = (*net.parameters(), *net.buffers())
        view = copy.deepcopy(net, {id(tensor): tensor.detach().to("meta") for tensor in tensors})
        visit_layers(view, leaf_paths(view), lambda _, __, output: sizes.append(output.nbytes))
        with _seeded(), torch.no_grad():
            view(torch.zeros(1, 3, size, size, device="meta"))
    except Exception:  # whatever a network makes of a tensor without values, or of this size
        pass
    if sum(sizes) > MOST_OF_MAPS:
        raise Problem(
            "The feature maps of one image of {size} × {size} pixels take {needed:.1f} GB, "
            "but only {most:g} GB are allowed; give a smaller --input-size.",
            size=size,
            needed=sum(sizes) / 1e9,
            most=MOST_OF_MAPS / 1e9,
        )


def logits_of(net: nn.Module, size: int) -> int:
    """How many logits the network gives for an empty image; of the network it writes only lazy weights."""
    with _seeded():
        if any(map(is_lazy, (*net.parameters(), *net.buffers()))):
            count_logits(net, size)
        return count_logits(private_view(net), size)


@contextmanager
def _seeded() -> Iterator[None]:
    """Random numbers from seed 0, those of everybody else undisturbed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
