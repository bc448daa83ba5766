"""Opens any network: a checkpoint by its card, or whatever a builder makes.

The only module imported is the one a `Source` names; what stands in a checkpoint's card is never imported.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from explorer.engine.attribution.operations import Functions
from explorer.engine.checkup import Checkup, check_up
from explorer.engine.copies import check_kind, copied, let_functions_know
from explorer.engine.first_pass import returned_by
from explorer.engine.gradient_mode import answer_as_in_evaluation
from explorer.engine.kinds import function_name, kind_of_function
from explorer.engine.layouts import give_grid, leave_out_grids, leave_out_layers
from explorer.engine.network_source import Source, asked_of_builder, blank_card, described, with_classes
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
from model.card import AS_BUILT, WITHOUT_CARD, Card
from model.checkpoint import Checkpoint, card_in, digest_of, load_checkpoint
from model.nets import in_evaluation
from model.problems import Problem

MOST_OF_MAPS = 2_000_000_000  # bytes of all feature maps of one image: a trace keeps them, its cache a copy
OF_NUMBERS = re.compile(r"(?i)dtype|double|float|half|scalar type")  # in errors about the kinds of numbers


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
    card = with_classes(checkpoint.card, 1 if outputs.single else checkup.classes)
    noted = checkup.part.places or checkup.wrong_grids or checkup.asks_for_gradients or checkup.overwrites
    plain = outputs == LOGITS and source.grid is None and not noted and not checkup.unrelated
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
        return checkpoint.build(), described(checkpoint.card, source)
    written = card_in(source.path) if source.path else None
    net = build(source.net, written, asked_of_builder(source))
    card = replace(written or blank_card(source.net), net=source.net)
    if written is None:
        card = replace(card, channels=channels_of(net, source.input_size or card.input_size))
    return net, described(card, source)


def _modules(checkpoint: Checkpoint, checkup: Checkup, grid: tuple[int, int] | None) -> nn.Module:
    """The modules of a checkpoint's network, without its weights, giving logits, with what is known of it."""
    net = give_grid(give_logits(checkpoint.modules(), checkup.outputs), grid)
    if checkup.asks_for_gradients:
        answer_as_in_evaluation(net)
    if checkup.overwrites:
        keep_overwritten(net)
    leave_out_layers(net, checkup.unrelated)
    return leave_out_grids(give_places(net, checkup.part.places), checkup.wrong_grids)


def _from_file(source: Source, path: Path) -> Checkpoint:
    checkpoint = load_checkpoint(path, weights=source.weights)
    card = described(checkpoint.card, source)
    if card != checkpoint.card:
        checkpoint = load_checkpoint(path, card=card, weights=source.weights)
    _check_maps(checkpoint.build(), card)
    return checkpoint


def _from_builder(source: Source, spec: str) -> Checkpoint:
    written = card_in(source.path) if source.path else None
    net, card, columns = _built(source, spec, written)
    if source.path is not None:
        card = with_classes(card, columns)
        return load_checkpoint(source.path, lambda: copied(net, shared=False), card, source.weights)
    if card.data == WITHOUT_CARD and not card.preset:
        card = replace(card, data=AS_BUILT)
    state = {
        name: value.detach().contiguous()
        for name, value in net.state_dict().items()
        if isinstance(value, torch.Tensor)
    }
    return Checkpoint(with_classes(card, columns), state, digest_of(state), lambda: copied(net, shared=False))


def _built(source: Source, spec: str, written: Card | None) -> tuple[nn.Module, Card, int]:
    """A builder's network, its card, and how many values it gives.

    It is float32, unless it cannot process an image so, but can with the numbers that its builder made.
    """
    blank = replace(written or blank_card(spec), net=spec)
    net = build(spec, written, asked_of_builder(source))
    try:
        return net, *_card_and_columns(net, blank, source, written is None)
    except Problem as problem:
        if not OF_NUMBERS.search(str(problem.__cause__)):
            raise
        net = build(spec, written, asked_of_builder(source), made_as_it_is)
        with suppress(Problem):
            return net, *_card_and_columns(net, blank, source, written is None)
        raise


def _card_and_columns(net: nn.Module, card: Card, source: Source, guess: bool) -> tuple[Card, int]:
    """The card with what the source says, and how many values the network gives for an empty image.

    With `guess`, the number of channels is what the first layer reads, or 3 if the network gives as many
    values for that, as one does that makes gray of color itself; otherwise the first that it takes.
    """
    if source.channels is not None or not guess:
        return _tried(net, card, source, source.channels or card.channels)
    problems: list[Problem] = []
    possible: list[tuple[Card, int]] = []
    first = channels_of(net, source.input_size or card.input_size)
    for channels in dict.fromkeys((first, 3, 1)):
        if possible and channels != 3:
            break
        try:
            possible.append(_tried(net, card, source, channels))
        except Problem as problem:
            problems.append(problem)
    if not possible:
        raise _for_channels_last(net, source.input_size or card.input_size) or problems[0]
    return possible[-1] if possible[-1][1] == possible[0][1] else possible[0]


def _tried(net: nn.Module, card: Card, source: Source, channels: int) -> tuple[Card, int]:
    """As `_card_and_columns`, for this number of channels."""
    card = described(replace(card, channels=channels), source)
    _check_maps(net, card)
    return card, logits_of(net, card.input_size, channels, source.output_name, len(card.classes))


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
        visit_layers(view, leaf_paths(view), lambda _, __, output: sizes.append(output.nbytes))
        with _seeded(), torch.no_grad(), Functions(_without_values):
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


def _without_values(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a function gives of tensors without values: of the commonest only its size is found.

    They would be slow, and torch would import its compiler for some of them.
    """
    name, kind = function_name(function), kind_of_function(function_name(function))
    read = [each for each in args[:2] if isinstance(each, torch.Tensor)]
    if not read or not any(each.is_meta for each in read):
        return function(*args, **kwargs)
    if kind in ("act", "norm", "dropout") and "glu" not in name:
        return read[0]
    if kind in ("add", "multiply"):
        size = torch.broadcast_shapes(*(each.shape for each in read))  # type: ignore[no-untyped-call]
        return torch.empty(size, dtype=read[0].dtype, device="meta")
    if name == "linear":
        return read[0].new_empty((*read[0].shape[:-1], args[1].shape[0]))
    if name == "mean":
        return read[0].sum(*args[1:], **kwargs)
    return function(*args, **kwargs)


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
