"""Opens any network: a checkpoint by its card, or whatever a builder makes.

The only module imported is the one a `Source` names; what stands in a checkpoint's card is never imported.
"""

import ast
import copy
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from explorer.engine.tracing import check_logits
from model.checkpoint import Card, Checkpoint, CheckpointError, digest_of, load_checkpoint

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SPEC = re.compile(r"([\w.]+):(\w+)(\(.*\))?", re.DOTALL)


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
    """The Checkpoint of a source, tried once on an empty image. Raises CheckpointError.

    A builder's random weights are drawn from seed 0: the same at every start.
    """
    if source.net is not None:
        return _from_builder(source, source.net)
    if source.path is None:
        raise CheckpointError("There is no network to open: give --checkpoint PATH, --net, or both.")
    checkpoint = load_checkpoint(source.path)
    card = _described(checkpoint.card, source)
    if card != checkpoint.card:
        checkpoint = load_checkpoint(source.path, card=card)
    _check_classes(card, count_logits(checkpoint.build(), card.input_size))
    return checkpoint


def _from_builder(source: Source, spec: str) -> Checkpoint:
    net = build(spec)
    card = _described(replace(_card_of(source.path, net) or _blank(spec), net=spec), source)
    logits = count_logits(net, card.input_size)
    card = card if card.classes else replace(card, classes=numbered(logits))
    _check_classes(card, logits)
    if source.path is not None:
        return load_checkpoint(source.path, lambda: copy.deepcopy(net), card)
    state = {name: value.detach().contiguous() for name, value in net.state_dict().items()}
    return Checkpoint(card, state, digest_of(state), lambda: copy.deepcopy(net))


# The card


def _blank(spec: str) -> Card:
    return Card(net=spec, classes=(), mean=IMAGENET_MEAN, std=IMAGENET_STD, input_size=224)


def _card_of(path: Path | None, net: nn.Module) -> Card | None:
    """The card in a file of this network's weights, None where there is none."""
    try:
        with safe_open(path or "", framework="pt") as file:
            written = "card" in (file.metadata() or {})
    except (SafetensorError, OSError, ValueError):  # a state_dict, or what loading will complain of
        return None
    return load_checkpoint(path, lambda: copy.deepcopy(net)).card if path and written else None


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
        return numbered(int(text))
    try:
        lines = Path(text).read_text(encoding="utf-8").splitlines() if Path(text).is_file() else None
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"The class names in {text} cannot be read; save them as UTF-8 text."
        ) from error
    names = tuple(name.strip() for name in (lines if lines is not None else text.split(",")) if name.strip())
    if lines is None and (len(names) < 2 or "/" in text):
        raise CheckpointError(
            f"{text!r} is no list of classes: give names with commas, a number, or a file that exists."
        )
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise CheckpointError(f"The class name {repeated[0]!r} stands twice; give every class its own name.")
    return names


def numbered(count: int) -> tuple[str, ...]:
    """Names for classes that have none: class 0, class 1 …"""
    return tuple(f"class {k}" for k in range(count))


def _check_classes(card: Card, logits: int) -> None:
    if len(card.classes) != logits:
        raise CheckpointError(
            f"The network tells {logits} classes apart, but {len(card.classes)} are named; "
            f"give --classes {logits} or the {logits} names."
        )


# The network


def build(spec: str) -> nn.Module:
    """The network that `package.module:builder` makes, float32 in eval mode. Raises CheckpointError."""
    builder = load_builder(spec)
    try:
        with _seeded():
            net = builder()
    except Exception as error:
        raise CheckpointError(f"The builder {spec} failed ({_reason(error)}); try it in Python.") from error
    if not isinstance(net, nn.Module):
        kind = type(net).__name__
        raise CheckpointError(
            f"{spec} makes a {kind}; name a function or class that makes a torch.nn.Module."
        )
    return net.cpu().float().eval()


def load_builder(spec: str) -> Callable[[], object]:
    """What `package.module:builder` names, arguments filled in; imports that module. CheckpointError."""
    parts = _SPEC.fullmatch(spec.strip())
    if parts is None:
        raise CheckpointError(
            f"--net wants package.module:builder, such as torchvision.models:resnet18, not {spec!r}."
        )
    module, name, call = parts.groups()
    arguments = _arguments(call, spec) if call else {}
    builder = getattr(_imported(module), name, None)
    if builder is None:
        raise CheckpointError(f"The module {module} has no {name!r}; name a function or class that it has.")
    if not callable(builder) or isinstance(builder, nn.Module):
        kind = type(builder).__name__
        raise CheckpointError(f"{module}:{name} is a {kind}; name a function or class that makes a network.")
    return lambda: builder(**arguments)


def _arguments(call: str, spec: str) -> dict[str, Any]:
    """Plain values by keyword, such as `(num_classes=5)`; nothing in them is run."""
    try:
        node = ast.parse(f"_{call}", mode="eval").body
        if not isinstance(node, ast.Call) or node.args or not isinstance(node.func, ast.Name):
            raise ValueError("not keywords only")
        return {str(each.arg): ast.literal_eval(each.value) for each in node.keywords}
    except (ValueError, SyntaxError, RecursionError) as error:
        raise CheckpointError(
            f"The arguments in {spec} are not plain values by keyword; write them as in (num_classes=5)."
        ) from error


def _imported(module: str) -> Any:
    if os.getcwd() not in sys.path:  # Streamlit's script does not stand where the person does
        sys.path.append(os.getcwd())
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise CheckpointError(
                f"There is no module {error.name!r}; install it, or start in the folder that holds it."
            ) from error
        raise _import_failed(module, error) from error
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        raise _import_failed(module, error) from error


def _import_failed(module: str, error: BaseException) -> CheckpointError:
    return CheckpointError(f"The module {module} cannot be imported ({_reason(error)}); try it in Python.")


@contextmanager
def _seeded() -> Iterator[None]:
    """Random numbers from seed 0, those of everybody else undisturbed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def count_logits(net: nn.Module, size: int) -> int:
    """How many logits the network gives for an empty image; CheckpointError if it takes none of that size."""
    try:
        with _seeded(), torch.no_grad():  # a lazy layer draws its weights here
            return check_logits(net(torch.zeros(1, 3, size, size))).shape[1]
    except Exception as error:  # whatever a network makes of a size it was not meant for
        raise CheckpointError(
            f"The network cannot take an image of {size} × {size} pixels ({_reason(error)}); "
            "give another --input-size or network."
        ) from error


def _reason(error: BaseException) -> str:
    said = (str(error).strip().splitlines() or [""])[0].rstrip(".;:")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
