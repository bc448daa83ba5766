"""Checkpoints: weights as safetensors with a `Card` as JSON metadata. Loading one executes nothing in it."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from model.nets import NETS

Pixels = npt.NDArray[np.uint8]
State = dict[str, Tensor]

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2470, 0.2435, 0.2616)


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message says why and what to do, in one sentence."""


@dataclass(frozen=True)
class Card:
    """What a checkpoint is: everything needed to rebuild the net, feed it and trust its figures."""

    net: str = "course"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = CIFAR10_CLASSES
    mean: tuple[float, ...] = CIFAR10_MEAN
    std: tuple[float, ...] = CIFAR10_STD
    input_size: int = 32
    recipe: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    epoch: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: str = "unknown"
    versions: Mapping[str, str] = field(default_factory=dict)

    def framed(self, pixels: Pixels, fit: str = "crop") -> Pixels:
        """The picture the network gets, before normalising: uint8 (H, W, 3) → uint8 (s, s, 3).

        Already at the input size: unchanged. Otherwise `fit="crop"` takes the centre square and
        `fit="squash"` the whole picture; either is then resized with an antialiasing bilinear filter.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"pixels must be uint8 (H, W, 3), not {pixels.dtype} {pixels.shape}")
        if fit not in ("crop", "squash"):
            raise ValueError(f"fit must be 'crop' or 'squash', not {fit!r}")
        size = self.input_size
        if pixels.shape[:2] == (size, size):
            return pixels
        square = _centre_square(pixels) if fit == "crop" else pixels
        return np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.BILINEAR))

    def to_input(self, pixels: Pixels, fit: str = "crop") -> Tensor:
        """The network's input for a picture: uint8 (H, W, 3) → float32 (1, 3, s, s), normalised."""
        framed = torch.from_numpy(self.framed(pixels, fit).copy())
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        return ((framed.float() / 255 - mean) / std).permute(2, 0, 1)[None].contiguous()


def _centre_square(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


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
        net.load_state_dict(self.state)
        return net.eval()


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


def save_checkpoint(path: str | Path, card: Card, state: Mapping[str, Tensor]) -> Checkpoint:
    """Write weights and card to `path` (.safetensors), whole or not at all; return what was written."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    data = to_safetensors(plain, metadata={"card": json.dumps(asdict(card))})
    with replacing(Path(path)) as file:
        file.write(data)
    return Checkpoint(card, plain, digest_of(plain))


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that takes its place once written, flushed and synced.

    On any error `path` keeps its former content and the temporary file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _mode_for(path))
        os.replace(name, path)
        _sync_folder(path.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _mode_for(path: Path) -> int:
    """mkstemp gives 0600; a saved file keeps the mode it had, or gets what the umask allows."""
    if path.exists():
        return path.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there, and its rename is durable by itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# Loading


def load_checkpoint(
    path: str | Path, builder: Callable[..., nn.Module] | None = None, card: Card | None = None
) -> Checkpoint:
    """Read a checkpoint of this project, or a plain `state_dict` (.pt, .pth) of the course CNN.

    `builder`, called without arguments, makes the network of a `state_dict` of one's own; `card` then
    says its classes, input size, mean and std. Keys, shapes and finiteness are
    checked. Nothing in the file is executed. Raises CheckpointError.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(
            f"There is no checkpoint at {path}; train one with `python -m model.train` or give another path."
        )
    read = _read_safetensors if _is_safetensors(path) else _read_state_dict
    state, found = read(path)
    card = card or found or _course_card(state, path)
    _check(card, state, path, builder)
    return Checkpoint(card, state, digest_of(state), builder)


def _is_safetensors(path: Path) -> bool:
    return path.suffix not in (".pt", ".pth", ".bin")


def _read_safetensors(path: Path) -> tuple[State, Card | None]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged or not a safetensors file; copy it again or train a new one."
        ) from error
    return state, _parse_card(metadata["card"], path) if "card" in metadata else None


def _parse_card(text: str, path: Path) -> Card:
    try:
        values = json.loads(text)
        known = {f.name for f in fields(Card)}
        card = Card(**{name: value for name, value in values.items() if name in known})
        card = replace(
            card,
            classes=tuple(str(name) for name in card.classes),
            mean=tuple(float(v) for v in card.mean),
            std=tuple(float(v) for v in card.std),
            input_size=int(card.input_size),
            arguments=dict(card.arguments),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"The card in {path} cannot be read; train the checkpoint anew.") from error
    return card


def _read_state_dict(path: Path) -> tuple[State, None]:
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and torch each raise kinds of their own
        raise CheckpointError(
            f"{path} is damaged or holds more than weights, which is never loaded; "
            "save it again with torch.save(net.state_dict(), path)."
        ) from error
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise CheckpointError(
            f"{path} holds no state_dict; save one with torch.save(net.state_dict(), path)."
        )
    return {str(name): value.detach().contiguous() for name, value in loaded.items()}, None


def _course_card(state: State, path: Path) -> Card:
    """Read widths, classes and input size off a course CNN's shapes."""
    convs = sorted(name for name in state if name.startswith("conv") and name.endswith(".weight"))
    if not convs or "fc1.weight" not in state or "fc2.weight" not in state:
        raise CheckpointError(
            f"The weights in {path} are not the course CNN's; name theirs with --net package.module:builder."
        )
    widths = [state[name].shape[0] for name in convs]
    hidden, flat = state["fc1.weight"].shape
    classes = state["fc2.weight"].shape[0]
    side = round((flat / widths[-1]) ** 0.5)
    names = CIFAR10_CLASSES if classes == 10 else tuple(f"class {k}" for k in range(classes))
    return Card(
        arguments={"widths": widths, "hidden": hidden},
        classes=names,
        input_size=side << len(widths),
        data="unknown (a plain state_dict); CIFAR-10's class names, mean and std are assumed",
    )


def _check(card: Card, state: State, path: Path, builder: Callable[..., nn.Module] | None) -> None:
    if builder is None and card.net not in NETS:
        raise CheckpointError(
            f"{path} was made with the network {card.net!r}, which is not one of {', '.join(NETS)}; "
            "give its builder with --net package.module:builder."
        )
    _check_numbers(card, path)
    try:
        with torch.device("meta"):
            expected = _build(card, builder).state_dict()
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"The network that {path} describes cannot be built: {error}") from error
    _check_shapes({k: tuple(v.shape) for k, v in expected.items()}, state, path)
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(
                f"{name} in {path} has values that are no numbers (NaN or infinity); use an earlier one."
            )


def _check_numbers(card: Card, path: Path) -> None:
    channels_right = len(card.mean) == len(card.std) == 3 and all(value > 0 for value in card.std)
    if not channels_right or not 1 <= card.input_size <= 4096 or not card.classes:
        raise CheckpointError(
            f"The card in {path} has an impossible mean, std, input size or class list; train it anew."
        )


def _check_shapes(expected: dict[str, tuple[int, ...]], state: State, path: Path) -> None:
    for name in sorted(expected.keys() | state.keys()):
        found = tuple(state[name].shape) if name in state else "nothing"
        wanted = expected.get(name, "nothing")
        if found != wanted:
            raise CheckpointError(
                f"{path} does not fit its network: {name} is {found} where {wanted} is expected; "
                "give the network it was trained with."
            )
