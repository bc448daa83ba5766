"""Checkpoints: weights as safetensors with a `Card` as JSON metadata. Loading one executes nothing in it."""

import errno
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from model import cifar10
from model.card import WITHOUT_CARD, Card, check_values, parse_card
from model.files import contents, replacing
from model.names import readable_values, short_path
from model.nets import NETS, in_evaluation
from model.problems import Problem
from model.weights import formats
from model.weights.changes import UNCHANGED, Changes
from model.weights.fitting import bare, below, fitted, prefixes_of
from model.weights.mismatch import Missing, StateLayout, not_a_state
from model.weights.parametrized import in_form_of
from model.weights.prefixes import chosen_prefix
from model.weights.reading import has_constants, metadata_of, read_entries
from model.weights.sharded import file_in, files_of, is_index, read_sharded, weights_in
from model.weights.stored import Damaged, Leaf, StoredTensor
from model.words import N_

MOST_BYTES = 8_000_000_000  # of a checkpoint; it is read into memory

State = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """Weights with their card; `digest` is the SHA-256 of the weights, so that results can name them.

    `changes`: what was done to the file's weights so that they fit.
    """

    card: Card
    state: State
    digest: str
    builder: Callable[..., nn.Module] | None = None
    changes: Changes = UNCHANGED

    def build(self) -> nn.Module:
        """A new network with these weights, float32, in eval mode."""
        net = self.modules()
        state = net.state_dict()  # with what it has besides tensors, and the versions of its modules
        state.update(self.state)
        net.load_state_dict(state)
        return in_evaluation(net)

    def modules(self) -> nn.Module:
        """A new network as its builder makes it, without these weights."""
        return _build(self.card, self.builder)


def _build(card: Card, builder: Callable[..., nn.Module] | None = None) -> nn.Module:
    if builder is not None:
        return builder()
    return NETS[card.net](classes=len(card.classes), input_size=card.input_size, **card.arguments)


def digest_of(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over every tensor's name, dtype, shape and bytes, in order of names."""
    sha = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()


# Saving


def save_checkpoint(
    path: str | Path, card: Card, state: Mapping[str, Tensor], half: bool = False
) -> Checkpoint:
    """Write weights and card to `path` (.safetensors), whole or not at all; return what was written.

    With `half` the file takes half the room (`compact`); networks built from it are float32 all the same.
    """
    stored = compact(state) if half else state
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in stored.items()}
    data = to_safetensors(plain, metadata={"card": json.dumps(readable_values(asdict(card)))})
    with replacing(Path(path)) as file:
        file.write(data)
    return Checkpoint(card, plain, digest_of(plain))


def compact(state: Mapping[str, Tensor]) -> State:
    """The state with float16 for every float32 tensor that has two dimensions or more and fits its range.

    Vectors stay as they are: biases and normalization take next to no room, and a running variance may
    leave float16's range.
    """
    return {name: _halved(tensor) for name, tensor in state.items()}


def _halved(tensor: Tensor) -> Tensor:
    if tensor.dtype != torch.float32 or tensor.ndim < 2:
        return tensor
    half = tensor.half()
    return half if bool(half.isfinite().all()) else tensor


# Loading


def load_checkpoint(
    path: str | Path,
    builder: Callable[..., nn.Module] | None = None,
    card: Card | None = None,
    weights: str | None = None,
) -> Checkpoint:
    """Read a checkpoint of this project, or any file of weights of the course CNN.

    Of a checkpoint in several files `path` is the index, or the folder with it; any folder with one file of
    weights stands for that.
    `builder`, called without arguments, makes the network of weights of one's own; `card` then says its
    classes, input size, mean and std. `weights` chooses among several in one file: “ema”, “model” or their
    place; by default an average over training goes before the weights it is of. Keys, shapes and finiteness
    are checked, and nothing in the file is executed. Raises Problem.
    """
    path = file_in(Path(path))
    data = _contents(path)
    entries = _entries(data, path)
    file_card = _card_of(data, path)
    card = card or file_card or _course_card(entries, path, weights)
    _check_card(card, path, builder)
    layout = replace(_expected(card, path, builder), plain=file_card is not None)
    try:
        state, changes = fitted(entries, layout, short_path(path), weights)
    except Damaged as error:
        raise formats.problem("cut", short_path(path)) from error
    except Missing as problem:
        raise _why_missing(problem, path, data) from problem
    _check_finite(state, path)
    return Checkpoint(card, state, digest_of(state), builder, changes)


def look_into(path: Path) -> tuple[Card, str]:
    """The card of a file and the digest of its weights; of safetensors the network need not be at hand.

    Raises Problem.
    """
    path = file_in(path)
    data = _contents(path)
    if not formats.is_safetensors(data):
        checkpoint = load_checkpoint(path)
        return checkpoint.card, checkpoint.digest
    entries = read_entries(data, short_path(path))
    state = {name: leaf.load() for name, leaf in entries.items() if isinstance(leaf, StoredTensor)}
    card = _card_of(data, path) or _course_card(entries, path)
    check_values(card, path)
    return card, digest_of(state)


def card_in(path: Path) -> Card | None:
    """The card in a safetensors file, None where it has none. Raises Problem."""
    path = file_in(path)
    card = _card_of(_contents(path), path)
    if card is not None:
        check_values(card, path)
    return card


def files_read(path: Path) -> tuple[Path, ...]:
    """The files that are read of a checkpoint: one, or an index and those that it names."""
    path = file_in(path)
    if path.suffix != ".json":
        return (path,)
    try:
        return (path, *dict.fromkeys(files_of(_contents(path), path).values()))
    except Problem:  # opening it says what is wrong
        return (path,)


def _entries(data: bytes, path: Path) -> Mapping[str, Leaf]:
    if not is_index(data):
        return read_entries(data, short_path(path))
    left = MOST_BYTES - len(data)

    def read(file: Path) -> bytes:
        nonlocal left
        part = _contents(file, left)
        left -= len(part)
        return part

    return read_sharded(data, path, read)


def _card_of(data: bytes, path: Path) -> Card | None:
    try:
        text = metadata_of(data).get("card")
    except ValueError:  # a file without a card, or what loading will complain of
        return None
    return None if text is None else parse_card(text, path)


def _contents(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a checkpoint; Problem says why there are none."""
    try:
        return contents(path, most)
    except PermissionError as error:
        raise Problem(
            "{path} cannot be read ({reason}); change its permissions.",
            path=short_path(path),
            reason=error.strerror,
        ) from error
    except OSError as error:
        if error.errno == errno.EISDIR:
            raise _no_file(path) from error
        template = _NOT_THERE.get(error.errno or 0, _NOT_READ)
        raise Problem(template, path=short_path(path), reason=error.strerror) from error


def _no_file(folder: Path) -> Problem:
    """What to give instead of a folder from which no checkpoint is read."""
    inside = weights_in(folder)
    if os.path.isfile(folder / ".metadata"):
        return Problem(_DISTRIBUTED, path=short_path(folder))
    if inside:
        return Problem(_WITH_WEIGHTS, path=short_path(folder), inside=short_path(inside[0], 1))
    return Problem(_FOLDER, path=short_path(folder))


_PART_OF_SEVERAL = re.compile(r"-0*(\d+)-of-0*(\d+)$")  # as transformers names the files of one checkpoint


def _why_missing(problem: Missing, path: Path, data: bytes) -> Problem:
    """Why a file has less than the weights of its network, where its name or its content tells."""
    if has_constants(data):
        return formats.problem("frozen", short_path(path))
    if part := _PART_OF_SEVERAL.search(path.stem):
        return Problem(
            "{path} is file {number} of {count} of one checkpoint; give the folder of all of them, with the "
            "index (….index.json) that names them.",
            path=short_path(path),
            number=part[1],
            count=part[2],
        )
    return problem


_MISSING = N_(
    "There is no checkpoint at {path}; train one with `python -m model.train` or give another path."
)
_NOT_THERE = {
    errno.ENOENT: _MISSING,
    errno.ENOTDIR: _MISSING,
}
_FOLDER = N_(
    "{path} is a folder, not a checkpoint; train one with `python -m model.train` or give another path."
)
_WITH_WEIGHTS = N_("{path} is a folder, not a checkpoint; give one of the files in it, such as {inside}.")
_DISTRIBUTED = N_(
    "{path} is a folder of torch.distributed.checkpoint; make one file of it with "
    "`python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER FILE`."
)
_NOT_READ = N_(
    "{path} cannot be read ({reason}); train one with `python -m model.train` or give another path."
)


_COURSE = ("conv1.weight", "fc1.weight", "fc2.weight")  # the names by which a course CNN is known


def _course_card(entries: Mapping[str, Leaf], path: Path, weights: str | None = None) -> Card:
    """Widths, classes and input size off a course CNN's shapes; mean and std of the course's script."""
    shapes = _course_shapes(entries, path, weights)
    widths: list[int] = []
    while (name := f"conv{len(widths) + 1}.weight") in shapes:
        widths.append(_sized(shapes[name], 4)[0])
    hidden, flat = _sized(shapes.get("fc1.weight", ()), 2)
    classes, _ = _sized(shapes.get("fc2.weight", ()), 2)
    if not widths or not all(widths) or not hidden:
        raise not_a_state(entries, short_path(path)) or Problem(
            "The weights in {path} are not the course CNN’s; give the builder of their network with --net.",
            path=short_path(path),
        )
    side = round((flat / widths[-1]) ** 0.5)
    names = cifar10.CLASSES if classes == 10 else tuple(f"class {k}" for k in range(classes))
    return Card(
        arguments={"widths": widths, "hidden": hidden},
        classes=names,
        mean=cifar10.COURSE_MEAN,
        std=cifar10.COURSE_STD,
        input_size=side << len(widths),
        data=WITHOUT_CARD,
    )


def _course_shapes(
    entries: Mapping[str, Leaf], path: Path, weights: str | None
) -> dict[str, tuple[int, ...]]:
    """Name → shape of the tensors where the file has a course CNN; empty where it has none.

    A weight that was pruned, or is by weight_norm, has its plain name.
    """
    entries, _ = in_form_of(entries, {})
    for names in ({name: name for name in entries}, {bare(name): name for name in entries}):
        prefixes = [
            prefix for prefix in prefixes_of(names, _COURSE) if set(_COURSE) <= below(names, prefix).keys()
        ]
        if prefixes:
            chosen = below(names, chosen_prefix(prefixes, short_path(path), weights))
            leaves = {name: entries[entry] for name, entry in chosen.items()}
            return {name: leaf.shape for name, leaf in leaves.items() if isinstance(leaf, StoredTensor)}
    return {}


def _sized(shape: tuple[int, ...], dimensions: int) -> tuple[int, ...]:
    """The shape, or zeros where it has another number of dimensions, or no elements."""
    return shape if len(shape) == dimensions and all(shape) else (0,) * dimensions


def _check_card(card: Card, path: Path, builder: Callable[..., nn.Module] | None) -> None:
    if builder is None and card.net not in NETS:
        raise Problem(
            "{path} was made with the network “{net}”, which is not one of {known}; give its builder with "
            "--net.",
            path=short_path(path),
            net=card.net,
            known=", ".join(NETS),
        )
    check_values(card, path)


def _expected(card: Card, path: Path, builder: Callable[..., nn.Module] | None) -> StateLayout:
    """What the card's network takes, without its memory: a card may claim any size."""
    try:
        with torch.device("meta"):
            net = _build(card, builder)
            state = {name: value for name, value in net.state_dict().items() if isinstance(value, Tensor)}
        buffers = frozenset(name for name, _ in net.named_buffers(remove_duplicate=False))
        return StateLayout(state, buffers, _shared_names(net), len(card.classes))
    except Exception as error:  # whatever a builder makes of arguments it was never meant for
        reason = (str(error).splitlines() or ["for no stated reason"])[0].rstrip(".")
        raise Problem(
            "The network that {path} describes cannot be built ({reason}); train a new checkpoint.",
            path=short_path(path),
            reason=reason,
        ) from error


def _shared_names(net: nn.Module) -> list[list[str]]:
    """The names of every parameter that has more than one."""
    names: dict[int, list[str]] = {}
    for name, parameter in net.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return [each for each in names.values() if len(each) > 1]


def _check_finite(state: State, path: Path) -> None:
    for name in sorted(state):
        if not bool(torch.isfinite(state[name].float()).all()):
            raise Problem(
                "{name} in {path} has values that are not finite (NaN or infinity); use another checkpoint.",
                name=name,
                path=short_path(path),
            )
