"""Checkpoints: weights as safetensors with a `Card` as JSON metadata. Loading one executes nothing in it."""

import errno
import hashlib
import io
import json
import math
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from model import augment, cifar10
from model.files import contents, replacing
from model.names import readable, readable_values, shown
from model.nets import NETS
from model.pixels import Rectangle, center_square, whole
from model.problems import Problem
from model.words import N_

MOST_BYTES = 8_000_000_000  # of a checkpoint; it is read into memory
MOST_OF_CARD = 8_000_000  # characters
MOST_CLASSES = 100_000
MOST_EPOCHS = 1_000_000_000

Pixels = npt.NDArray[np.uint8]
State = dict[str, Tensor]

WITHOUT_CARD = "unknown (a plain state_dict)"
"""What a card says of the data when the file has none: class names, mean and std are then assumed."""

FORMER_NAMES = {"optimiser": "optimizer"}
"""Settings that have another name in files written earlier."""


@dataclass(frozen=True)
class Card:
    """What a checkpoint is: everything needed to rebuild the net, feed it and trust its figures."""

    net: str = "course"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = cifar10.CLASSES
    mean: tuple[float, ...] = cifar10.MEAN
    std: tuple[float, ...] = cifar10.STD
    input_size: int = 32
    recipe: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    epoch: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: str = "unknown"
    versions: Mapping[str, str] = field(default_factory=dict)

    def framed(self, pixels: Pixels, fit: str = "crop") -> Pixels:
        """The picture the network gets, before normalizing: uint8 (H, W, 3) → uint8 (s, s, 3).

        Already at the input size: unchanged. Otherwise `fit="crop"` takes the center square and
        `fit="squash"` the whole picture; either is then resized with an antialiasing bilinear filter.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"pixels must be uint8 (H, W, 3), not {pixels.dtype} {pixels.shape}")
        (height, width), size = pixels.shape[:2], self.input_size
        part = self.received(height, width, fit)
        if (height, width) == (size, size):
            return pixels
        image = Image.fromarray(pixels[part.inside])  # cropped first: resize(box=…) looks past the edge
        return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))

    def received(self, height: int, width: int, fit: str = "crop") -> Rectangle:
        """The part of a picture of this size that the network receives by `framed`.

        `fit="crop"`: its center square; `fit="squash"`: all of it. ValueError for another `fit`.
        """
        if fit not in ("crop", "squash"):
            raise ValueError(f"fit must be 'crop' or 'squash', not {fit!r}")
        return center_square(height, width) if fit == "crop" else whole(height, width)

    def to_input(self, pixels: Pixels, fit: str = "crop") -> Tensor:
        """The network's input for a picture: uint8 (H, W, 3) → float32 (1, 3, s, s), normalized."""
        return self.to_inputs([pixels], fit)

    def to_inputs(self, pictures: Iterable[Pixels], fit: str = "crop") -> Tensor:
        """The network's input for pictures of any sizes: N of uint8 (H, W, 3) → float32 (N, 3, s, s)."""
        framed = torch.from_numpy(np.stack([self.framed(pixels, fit) for pixels in pictures]))
        return augment.normalize(framed, self.mean, self.std).contiguous()


@dataclass(frozen=True)
class Checkpoint:
    """Weights with their card; `digest` is the SHA-256 of the weights, so that results can name them."""

    card: Card
    state: State
    digest: str
    builder: Callable[..., nn.Module] | None = None

    def build(self) -> nn.Module:
        """A new network with these weights, float32, in eval mode."""
        net = _build(self.card, self.builder)
        state = net.state_dict()  # with what it has besides tensors, and the versions of its modules
        state.update(self.state)
        net.load_state_dict(state)
        net.eval()  # some networks return nothing here
        return net


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
    path: str | Path, builder: Callable[..., nn.Module] | None = None, card: Card | None = None
) -> Checkpoint:
    """Read a checkpoint of this project, or a plain `state_dict` (.pt, .pth) of the course CNN.

    `builder`, called without arguments, makes the network of a `state_dict` of one's own; `card` then
    says its classes, input size, mean and std. Keys, shapes and finiteness are checked, and nothing in
    the file is executed. Raises Problem.
    """
    path = Path(path)
    read = _read_state_dict if path.suffix in (".pt", ".pth", ".bin") else _read_safetensors
    state, found = read(path)
    card = card or found or _course_card(state, path)
    _check_card(card, path, builder)
    _check_state(_expected(card, path, builder), state, path)
    return Checkpoint(card, state, digest_of(state), builder)


def look_into(path: Path) -> tuple[Card, str]:
    """The card in a safetensors file and the digest of its weights; their network need not be at hand.

    Raises Problem.
    """
    state, found = _read_safetensors(path)
    card = found or _course_card(state, path)
    _check_values(card, path)
    return card, digest_of(state)


def card_in(path: Path) -> Card | None:
    """The card in a safetensors file, None where it has none. Raises Problem."""
    data = _contents(path)
    try:
        text = _metadata(data).get("card")
    except ValueError:  # a state_dict, or what loading will complain of
        return None
    if text is None:
        return None
    card = _parse_card(text, path)
    _check_values(card, path)
    return card


def _contents(path: Path) -> bytes:
    """The bytes of a checkpoint; Problem says why there are none."""
    try:
        return contents(path, MOST_BYTES)
    except PermissionError as error:
        raise Problem(
            "{path} cannot be read ({reason}); change its permissions.",
            path=shown(path),
            reason=error.strerror,
        ) from error
    except OSError as error:
        template = _NOT_THERE.get(error.errno or 0, _NOT_READ)
        raise Problem(template, path=shown(path), reason=error.strerror) from error


_MISSING = N_(
    "There is no checkpoint at {path}; train one with `python -m model.train` or give another path."
)
_NOT_THERE = {
    errno.ENOENT: _MISSING,
    errno.ENOTDIR: _MISSING,
    errno.EISDIR: N_(
        "{path} is a folder, not a checkpoint; train one with `python -m model.train` or give another path."
    ),
}
_NOT_READ = N_(
    "{path} cannot be read ({reason}); train one with `python -m model.train` or give another path."
)


def _read_safetensors(path: Path) -> tuple[State, Card | None]:
    data = _contents(path)
    try:
        state, metadata = from_safetensors(data), _metadata(data)
    except Exception as error:  # its reader and torch each raise kinds of their own
        raise Problem(
            "{path} is damaged or not a safetensors file; copy it again or train a new one.", path=shown(path)
        ) from error
    return state, _parse_card(metadata["card"], path) if "card" in metadata else None


def _metadata(data: bytes) -> dict[str, str]:
    """What a safetensors file says beside its tensors. ValueError for another file."""
    size = int.from_bytes(data[:8], "little")
    if not 2 <= size <= len(data) - 8:
        raise ValueError("no safetensors header")
    try:
        found = json.loads(data[8 : 8 + size])["__metadata__"]
    except (KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _parse_card(text: str, path: Path) -> Card:
    try:
        if len(text) > MOST_OF_CARD:
            raise ValueError(f"{len(text):,} characters")
        values = readable_values(json.loads(text))
        known = {f.name for f in fields(Card)}
        return _typed(Card(**{name: value for name, value in values.items() if name in known}))
    except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise Problem(
            "The card in {path} cannot be read; copy the file again or train a new checkpoint.",
            path=shown(path),
        ) from error


def _typed(card: Card) -> Card:
    """The card with every field of the type it is declared as, whatever a file held."""
    return replace(
        card,
        net=str(card.net),
        arguments=dict(card.arguments),
        classes=tuple(str(name) for name in card.classes),
        mean=tuple(float(value) for value in card.mean),
        std=tuple(float(value) for value in card.std),
        input_size=int(card.input_size),
        recipe=str(card.recipe),
        config=with_current_names(card.config),
        epoch=int(card.epoch),
        metrics={name: float(value) for name, value in card.metrics.items()},
        data=str(card.data),
        versions={name: str(value) for name, value in card.versions.items()},
    )


def with_current_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by the names that they have now, whatever their file called them."""
    return {FORMER_NAMES.get(name, name): value for name, value in settings.items()}


def _read_state_dict(path: Path) -> tuple[State, None]:
    data = _contents(path)
    try:
        check_unpacked(data)
        loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and torch each raise kinds of their own
        raise Problem(
            "{path} is damaged or contains more than weights, which is never loaded; "
            "save it again with torch.save(net.state_dict(), path).",
            path=shown(path),
        ) from error
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping) or not loaded or not all(map(_is_named, loaded.items())):
        raise Problem(
            "{path} contains no state_dict; save one with torch.save(net.state_dict(), path).",
            path=shown(path),
        )
    return {readable(name): value.detach().contiguous() for name, value in loaded.items()}, None


def check_unpacked(data: bytes) -> None:
    """ValueError for a file of torch that can take far more memory than its own size.

    A few deflated bytes can claim a thousand each, many entries the same bytes, and a `bytearray` any number.
    """
    if b"bytearray" in data:
        raise ValueError("it holds bytes that are no tensor")
    if data[:2] != b"PK":  # torch's older form, without an archive
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if packed or sum(entry.file_size for entry in entries) > len(data):
        raise ValueError("it unpacks to more than its own size")


def _is_named(item: tuple[object, object]) -> bool:
    """Whether a name goes with a dense tensor that stores all its elements: few bytes can claim terabytes."""
    name, value = item
    if not isinstance(name, str) or getattr(value, "is_nested", False):
        return False
    if not isinstance(value, Tensor) or value.layout is not torch.strided or value.is_quantized:
        return False
    stored = value.untyped_storage().nbytes() if value.device.type == "cpu" else -1
    return value.numel() * value.element_size() <= stored


def _course_card(state: State, path: Path) -> Card:
    """Widths, classes and input size off a course CNN's shapes; mean and std of the course's script."""
    widths: list[int] = []
    while f"conv{len(widths) + 1}.weight" in state:
        widths.append(_shape(state, f"conv{len(widths) + 1}.weight", 4)[0])
    hidden, flat = _shape(state, "fc1.weight", 2)
    classes, _ = _shape(state, "fc2.weight", 2)
    if not widths or not all(widths) or not hidden:
        raise Problem(
            f"The weights in {shown(path)} are not the course CNN's; give the builder of their network."
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


def _shape(state: State, name: str, dimensions: int) -> tuple[int, ...]:
    """The shape of a tensor, or zeros where there is none of that many dimensions."""
    found = tuple(state[name].shape) if name in state and state[name].numel() else ()
    return found if len(found) == dimensions else (0,) * dimensions


def _check_card(card: Card, path: Path, builder: Callable[..., nn.Module] | None) -> None:
    if builder is None and card.net not in NETS:
        raise Problem(
            "{path} was made with the network “{net}”, which is not one of {known}; give its builder.",
            path=shown(path),
            net=card.net,
            known=", ".join(NETS),
        )
    _check_values(card, path)


def _check_values(card: Card, path: Path) -> None:
    finite = all(map(math.isfinite, (*card.mean, *card.std)))
    three = len(card.mean) == len(card.std) == 3 and all(value > 0 for value in card.std)
    counted = 1 <= len(card.classes) <= MOST_CLASSES and 0 <= card.epoch <= MOST_EPOCHS
    if not finite or not three or not counted or not 1 <= card.input_size <= 4096:
        raise Problem(
            "The card in {path} has an impossible mean, std, input size, epoch or class list; "
            "copy the file again or train a new checkpoint.",
            path=shown(path),
        )


def _expected(card: Card, path: Path, builder: Callable[..., nn.Module] | None) -> State:
    """The state of the card's network without its memory: a card may claim any size."""
    try:
        with torch.device("meta"):
            return _build(card, builder).state_dict()
    except Exception as error:  # whatever a builder makes of arguments it was never meant for
        reason = (str(error).splitlines() or ["for no stated reason"])[0].rstrip(".")
        raise Problem(
            "The network that {path} describes cannot be built ({reason}); train a new checkpoint.",
            path=shown(path),
            reason=reason,
        ) from error


def _check_state(expected: State, state: State, path: Path) -> None:
    for name in sorted(expected.keys() | state.keys()):
        actual, wanted = state.get(name), expected.get(name)
        if _shape_and_kind(actual) != _shape_and_kind(wanted):
            raise _does_not_fit(name, actual, wanted, path)
        if not bool(torch.isfinite(state[name].float()).all()):
            raise Problem(
                "{name} in {path} has values that are not finite (NaN or infinity); use another checkpoint.",
                name=name,
                path=shown(path),
            )


def _does_not_fit(name: str, actual: Tensor | None, wanted: Tensor | None, path: Path) -> Problem:
    if actual is None:
        template = N_(
            "{path} does not fit its network: {name} is missing; give the network it was trained with."
        )
    elif wanted is None:
        template = N_(
            "{path} does not fit its network, which has no {name}; give the network it was trained with."
        )
    else:
        template = N_(
            "{path} does not fit its network: {name} is {actual}, but must be {wanted}; "
            "give the network it was trained with."
        )
    fields = {"actual": _shape_and_kind(actual), "wanted": _shape_and_kind(wanted)}
    return Problem(template, path=shown(path), name=name, **fields)


def _shape_and_kind(tensor: Tensor | None) -> str:
    """Such as `float (32, 3, 3, 3)`; float16 and float32 are both `float`."""
    if tensor is None:
        return ""
    kind = "float" if tensor.is_floating_point() else "complex" if tensor.is_complex() else "int"
    return f"{kind} {tuple(tensor.shape)}"
