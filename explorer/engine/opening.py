"""Opens any network: a checkpoint by its card, or whatever a builder makes.

The only module imported is the one a `Source` names; what stands in a checkpoint's card is never imported.
"""

import copy
import errno
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from explorer.engine.checkup import Checkup, check_up
from explorer.engine.copies import check_kind, copied, let_functions_know
from explorer.engine.first_pass import returned_by
from explorer.engine.gradient_mode import answer_as_in_evaluation
from explorer.engine.layouts import give_grid, leave_out_grids
from explorer.engine.outputs import LOGITS, choose, give_logits, tensors_in
from explorer.engine.passes import (
    keep_overwritten,
    leaf_paths,
    need_gradients,
    private_view,
    visit_layers,
)
from explorer.engine.places import give_places
from model.builders import made_as_it_is, make, offer
from model.card import AS_BUILT, MOST_CLASSES, MOST_RESIZE, WITHOUT_CARD, Card
from model.checkpoint import Checkpoint, card_in, digest_of, load_checkpoint
from model.files import contents
from model.names import short_path
from model.nets import in_evaluation
from model.presets import Preset, preset_of
from model.problems import Problem
from model.words import tr

MOST_OF_NAMES = 10_000_000  # bytes of a file with class names
MOST_OF_MAPS = 2_000_000_000  # bytes of all feature maps of one image: a trace keeps them, its cache a copy
OF_NUMBERS = re.compile(r"(?i)dtype|double|float|half|scalar type")  # in errors about the kinds of numbers
SLOW_WITHOUT_VALUES = (nn.BatchNorm2d, nn.BatchNorm1d)  # of torch's layers that keep the size
LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue, by ITU-R 601
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Source:
    """Where a network comes from: the file of its weights, the builder of its modules, or both.

    `net` is `package.module:builder`, with plain keyword arguments if wanted: `mine:make(num_classes=5)`.
    `classes` is `a,b,c`, a number, or a file with one name a line. What is None is read off the file's
    card; without a card it is 224 pixels, ImageNet's mean and std, and as many classes as there are logits,
    or what a builder's own weights say (`model/presets.py`). `resize` is the card's; None, with an
    `input_size`, is none.
    `weights` chooses among several in one file, as in `load_checkpoint`.
    `output`, one of KINDS, says what its outputs are, `output_name` which of several they are, and `channels`
    how many its input has; what is None of these is found by a check-up. `grid` is the rows and columns of
    its tokens, where they do not follow from it.
    """

    path: Path | None = None
    net: str | None = None
    classes: str | None = None
    input_size: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    weights: str | None = None
    resize: int | None = None
    channels: int | None = None
    output: str | None = None
    output_name: str | None = None
    grid: tuple[int, int] | None = None


@dataclass(frozen=True)
class Opening:
    """What a source opens: its Checkpoint, whose networks return logits, and the Checkup of one of them."""

    checkpoint: Checkpoint
    checkup: Checkup


def open_checkpoint(source: Source) -> Checkpoint:
    """The Checkpoint of a source; its networks return logits, whatever they are made of. Raises Problem.

    A builder's random weights are drawn from seed 0: the same at every start.
    """
    return open_source(source).checkpoint


def open_source(source: Source) -> Opening:
    """A source's Checkpoint with the Checkup of its network; errors as `open_checkpoint`."""
    if source.net is not None:
        checkpoint = _from_builder(source, source.net)
    elif source.path is not None:
        checkpoint = _from_file(source, source.path)
    else:
        raise Problem("There is no network to open; give --checkpoint PATH, --net, or both.")
    net = give_grid(checkpoint.build(), source.grid)
    checkup = check_up(net, checkpoint.card, source.output, source.output_name)
    outputs = checkup.outputs
    card = _with_classes(checkpoint.card, 1 if outputs.single else checkup.classes)
    noted = checkup.part.places or checkup.wrong_grids or checkup.asks_for_gradients or checkup.overwrites
    plain = outputs == LOGITS and source.grid is None and not noted
    builder = checkpoint.builder if plain else partial(_modules, checkpoint, checkup, source.grid)
    return Opening(replace(checkpoint, card=card, builder=builder), checkup)


def unopened(source: Source) -> tuple[nn.Module, Card]:
    """A source's network and how it wants pictures prepared, whether its forward pass works or not.

    Without a card the number of channels is what its first layer reads. Raises Problem.
    """
    if source.net is None:
        if source.path is None:
            raise Problem("There is no network to open; give --checkpoint PATH, --net, or both.")
        checkpoint = load_checkpoint(source.path, weights=source.weights)
        return checkpoint.build(), _described(checkpoint.card, source)
    written = card_in(source.path) if source.path else None
    net = build(source.net, written, _asked(source))
    card = replace(written or _blank(source.net), net=source.net)
    if written is None:
        card = replace(card, channels=channels_of(net, source.input_size or card.input_size))
    return net, _described(card, source)


def _modules(checkpoint: Checkpoint, checkup: Checkup, grid: tuple[int, int] | None) -> nn.Module:
    """The modules of a checkpoint's network, without its weights, giving logits, with what is known of it."""
    net = give_grid(give_logits(checkpoint.modules(), checkup.outputs), grid)
    if checkup.asks_for_gradients:
        answer_as_in_evaluation(net)
    if checkup.overwrites:
        keep_overwritten(net)
    return leave_out_grids(give_places(net, checkup.part.places), checkup.wrong_grids)


def _from_file(source: Source, path: Path) -> Checkpoint:
    checkpoint = load_checkpoint(path, weights=source.weights)
    card = _described(checkpoint.card, source)
    if card != checkpoint.card:
        checkpoint = load_checkpoint(path, card=card, weights=source.weights)
    _check_maps(checkpoint.build(), card)
    return checkpoint


def _from_builder(source: Source, spec: str) -> Checkpoint:
    written = card_in(source.path) if source.path else None
    net, card, columns = _built(source, spec, written)
    if source.path is not None:
        card = _with_classes(card, columns)
        return load_checkpoint(source.path, lambda: copied(net, shared=False), card, source.weights)
    if card.data == WITHOUT_CARD and not card.preset:
        card = replace(card, data=AS_BUILT)
    state = {
        name: value.detach().contiguous()
        for name, value in net.state_dict().items()
        if isinstance(value, torch.Tensor)
    }
    return Checkpoint(
        _with_classes(card, columns), state, digest_of(state), lambda: copied(net, shared=False)
    )


def _built(source: Source, spec: str, written: Card | None) -> tuple[nn.Module, Card, int]:
    """A builder's network, its card, and how many values it gives.

    It is float32, unless it cannot process an image so, but can with the numbers that its builder made.
    """
    blank = replace(written or _blank(spec), net=spec)
    net = build(spec, written, _asked(source))
    try:
        return net, *_fitting(net, blank, source, written is None)
    except Problem as problem:
        if not OF_NUMBERS.search(str(problem.__cause__)):
            raise
        net = build(spec, written, _asked(source), made_as_it_is)
        with suppress(Problem):
            return net, *_fitting(net, blank, source, written is None)
        raise


def _fitting(net: nn.Module, card: Card, source: Source, guess: bool) -> tuple[Card, int]:
    """The card with what the source says, and how many values the network gives for an empty image.

    With `guess`, the number of channels is what the first layer reads, or 3 if the network gives as many
    values for that, as one does that makes gray of color itself; otherwise the first that it takes.
    """
    if source.channels is not None or not guess:
        return _tried(net, card, source, source.channels or card.channels)
    problems: list[Problem] = []
    fitting: list[tuple[Card, int]] = []
    first = channels_of(net, source.input_size or card.input_size)
    for channels in dict.fromkeys((first, 3, 1)):
        if fitting and channels != 3:
            break
        try:
            fitting.append(_tried(net, card, source, channels))
        except Problem as problem:
            problems.append(problem)
    if not fitting:
        raise _for_channels_last(net, source.input_size or card.input_size) or problems[0]
    return fitting[-1] if fitting[-1][1] == fitting[0][1] else fitting[0]


def _tried(net: nn.Module, card: Card, source: Source, channels: int) -> tuple[Card, int]:
    """As `_fitting`, for this number of channels."""
    described = _described(replace(card, channels=channels), source)
    _check_maps(net, described)
    size, classes = described.input_size, len(described.classes)
    return described, logits_of(net, size, channels, source.output_name, classes)


def _for_channels_last(net: nn.Module, size: int) -> Problem | None:
    """Problem for a network that processes images (N, h, w, C), as one from Keras; None for another."""
    with suppress(Exception), torch.no_grad(), _seeded():
        choose(private_view(net)(torch.zeros(1, size, size, 3)))
        return Problem(
            "The network takes images with channels last (N, height, width, channels): give --net a builder "
            "of one that takes (N, channels, height, width), or that permutes them first."
        )
    return None


def channels_of(net: nn.Module, size: int) -> int:
    """How many channels the first layer with weights reads, by their shape; 3 where that does not tell."""
    for module in net.modules():
        if isinstance(module, nn.modules.conv._ConvNd):
            return module.in_channels or 3
        if isinstance(module, nn.Linear):
            return max(module.in_features // size**2, 1) if module.in_features % size**2 == 0 else 3
    return 3


def _asked(source: Source) -> dict[str, int]:
    """What a person says of the network that its builder is asked for."""
    if source.classes is None:
        return {}
    asked = offer(len(class_names(source.classes)), source.input_size or 0)
    return {name: value for name, value in asked.items() if value}


# The card


def _blank(spec: str) -> Card:
    return Card(net=spec, classes=(), mean=IMAGENET_MEAN, std=IMAGENET_STD, input_size=224, data=WITHOUT_CARD)


def assumed(card: Card, source: Source) -> dict[str, tuple[float, ...]]:
    """The mean and std of a card that neither its file nor the source gives, by name; empty where both do."""
    if card.data != WITHOUT_CARD or source.path is None:
        return {}
    if card.preset and (preset := _preset(source)) is not None and preset.certain:
        return {}
    given = {"mean": (source.mean, card.mean), "std": (source.std, card.std)}
    return {name: value for name, (own, value) in given.items() if own is None}


def _described(card: Card, source: Source) -> Card:
    """The card with what the source says of its own, before that what its builder's weights say."""
    card = _with_preset(card, source)
    channels = source.channels or card.channels
    own = {
        "input_size": source.input_size,
        "mean": source.mean or card.mean,
        "std": source.std or card.std,
        "resize": source.resize,
    }
    fields: dict[str, Any] = {name: value for name, value in own.items() if value is not None}
    fields |= {name: _per_channel(name, fields[name], channels) for name in ("mean", "std")}
    fields["channels"] = channels
    if source.classes is not None:
        fields["classes"] = class_names(source.classes)
    described = replace(card, **fields)
    _check_resize(described)
    return described


def _preset(source: Source) -> Preset | None:
    return preset_of(source.net, source.path.name if source.path else "") if source.net else None


def _with_preset(card: Card, source: Source) -> Card:
    """A card that no file gives, with the preprocessing and the class names of its builder's weights.

    Random weights get the names only: how their pictures are prepared is nobody's.
    """
    preset = _preset(source) if card.data == WITHOUT_CARD else None
    if preset is None:
        return card
    if source.classes is None:
        card = replace(card, classes=preset.classes)
    if source.path is None and not preset.certain:
        return card
    card = replace(card, mean=preset.mean, std=preset.std)
    if source.input_size not in (None, preset.size):
        return card
    card = replace(card, input_size=preset.size, resize=preset.resize)
    return replace(card, interpolation=preset.interpolation, preset=preset.name)


def _check_resize(card: Card) -> None:
    if card.resize is not None and not card.input_size <= card.resize <= MOST_RESIZE:
        raise Problem(
            "A picture cannot be resized to {resize} pixels and then cropped to {size}: "
            "give a --resize from {size} to {most}.",
            resize=card.resize,
            size=card.input_size,
            most=MOST_RESIZE,
        )


def _per_channel(name: str, values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """A mean or standard deviation for every channel; for gray, the luminance of three colors."""
    if len(values) == channels:
        return values
    if len(set(values)) == 1:
        return values[:1] * channels
    if len(values) != 3:
        raise Problem(
            "The network takes {channels} channels, but --{name} has {given} numbers: give one number, "
            "or one for each channel.",
            channels=channels,
            name=name,
            given=len(values),
        )
    gray = sum(weight * value for weight, value in zip(LUMINANCE, values, strict=True))
    colors = values if channels > 3 else ()
    return (*colors, *(round(gray, 4),) * (channels - len(colors)))


def class_names(text: str) -> tuple[str, ...]:
    """Class names from `a,b,c`, from a number (class 0, class 1 …) or from a file with one name a line.

    One name is that of the only output of a network.
    """
    if not text.strip():
        raise Problem("--classes is empty; give names separated by commas, a number, or a file.")
    if re.fullmatch(r"-?\d+", text):
        return numbered(_count(text))
    if os.path.isdir(text):
        raise Problem(
            "--classes has a folder, {name}; give names separated by commas, a number, or a file with one "
            "name on each line.",
            name=short_path(Path(text)),
        )
    lines = _lines(text)
    names = tuple(name.strip() for name in (text.split(",") if lines is None else lines) if name.strip())
    if not names or (lines is None and _is_path(text)):
        raise Problem(
            "“{text}” is not a list of classes; give names separated by commas, a number, "
            "or a file that exists.",
            text=short_path(Path(text)),
        )
    if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
        raise Problem(
            "The class name “{name}” is used twice; give every class its own name.", name=repeated[0]
        )
    return names


def _is_path(text: str) -> bool:
    """Whether a text without a file of that name was meant as one, rather than as names."""
    suffix = re.search(r"\.\w{1,5}$", text) and "," not in text
    return "\0" in text or "/" in text or bool(suffix)


def _count(text: str) -> int:
    if len(text) > len(str(MOST_CLASSES)) or int(text) > MOST_CLASSES:
        raise Problem("A network has at most {most:,} classes; give fewer with --classes.", most=MOST_CLASSES)
    if int(text) <= 0:
        raise Problem("A network has at least one class; give more than 0 with --classes.")
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
        file=short_path(Path(text)),
        reason=reason,
    )


def numbered(count: int) -> tuple[str, ...]:
    """Names for classes that have none: class 0, class 1 …"""
    return tuple(f"class {k}" for k in range(count))


def _with_classes(card: Card, columns: int) -> Card:
    """The card with names for all classes; one value stands for the second of two. Raises Problem."""
    names = card.classes or numbered(max(columns, 2))
    if columns == 1 and len(names) == 1:
        names = (f"not {names[0]}", names[0])  # in no visitor's language: all share the network, and links
    if len(names) == 1:
        raise Problem(
            "The network returns {logits} logits, but only one class is named, “{name}”; give --classes "
            "{logits} or the {logits} names.",
            logits=columns,
            name=names[0],
        )
    if len(names) != max(columns, 2):
        raise Problem(
            "The network returns {logits} logits, but {named} classes are named; "
            "give --classes {logits} or the {logits} names.",
            logits=max(columns, 2),
            named=len(names),
        )
    return replace(card, classes=names)


# The network


def build(
    spec: str,
    written: Card | None = None,
    asked: Mapping[str, int] | None = None,
    make: Callable[[str, Mapping[str, int]], nn.Module] = make,
) -> nn.Module:
    """The network that `make` makes of `package.module:builder`, in eval mode. Raises Problem.

    It is offered the class count and input size of the card that its weights have, as in training, unless a
    person asked for others.
    """
    offered = (offer(len(written.classes), written.input_size) if written else {}) | dict(asked or {})
    with _seeded():
        net = make(spec, offered)
        check_kind(net)
        return in_evaluation(net)


def _check_maps(net: nn.Module, card: Card) -> None:
    """Problem if the feature maps of one image take more than MOST_OF_MAPS, found without any memory.

    A network that cannot run without values, as one with lazy layers, is let pass.
    """
    sizes: list[int] = []
    try:
        tensors = (*net.parameters(), *net.buffers())
        memo = {id(tensor): tensor.detach().to("meta") for tensor in tensors}
        view = copy.deepcopy(net, memo)
        let_functions_know(view, memo)
        for norm in (each for each in view.modules() if type(each) in SLOW_WITHOUT_VALUES):
            norm.forward = _unchanged
        visit_layers(view, leaf_paths(view), lambda _, __, output: sizes.append(output.nbytes))
        with _seeded(), torch.no_grad():
            view(torch.zeros(1, card.channels, card.input_size, card.input_size, device="meta"))
    except Exception:  # whatever a network makes of a tensor without values, or of this size
        pass
    if sum(sizes) > MOST_OF_MAPS:
        raise Problem(
            "The feature maps of one image of {size} × {size} pixels take {needed:.1f} GB, "
            "but only {most:g} GB are allowed; give a smaller --input-size.",
            size=card.input_size,
            needed=sum(sizes) / 1e9,
            most=MOST_OF_MAPS / 1e9,
        )


def _unchanged(x: torch.Tensor) -> torch.Tensor:
    return x


def logits_of(net: nn.Module, size: int, channels: int = 3, name: str | None = None, classes: int = 0) -> int:
    """How many logits the network gives for an empty image; of the network it writes only lazy weights.

    `name` and `classes` choose among several outputs. Raises Problem.
    """
    x = torch.zeros(1, channels, size, size)
    with _seeded():
        if any(map(is_lazy, (*net.parameters(), *net.buffers()))):
            returned_by(net, x)
        returned = _first_returned(net, x)
    return tensors_in(returned)[choose(returned, name, classes)].numel()


def _first_returned(net: nn.Module, x: torch.Tensor) -> object:
    """What a network returns for images x; one whose forward works only with gradients is told to have them.

    Raises Problem where it cannot process them.
    """
    try:
        return returned_by(private_view(net), x)
    except Problem as problem:
        if "grad" not in str(problem.__cause__):
            raise
        returned = _with_gradients(net, x)
        if returned is None:
            raise
    need_gradients(net)
    return returned


def _with_gradients(net: nn.Module, x: torch.Tensor) -> object:
    """What a network returns for images x with gradients; None where it cannot process them so either."""
    with suppress(Problem):
        return returned_by(private_view(net), x.requires_grad_(), gradients=True)
    return None


@contextmanager
def _seeded() -> Iterator[None]:
    """Random numbers from seed 0, those of everybody else undisturbed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
