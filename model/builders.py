"""Networks of one's own, named by their builder: `package.module:builder`, with plain keyword arguments.

A module is imported because a person names it, with --net, and for no other reason: what stands in a file is
never imported.
"""

import ast
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from model.nets import check_logits
from model.problems import Problem

CLASS_COUNTS = ("classes", "num_classes", "n_classes", "num_labels", "nb_classes", "num_class", "n_class",
                "nclass", "class_num")  # fmt: skip
"""What builders call the number of classes."""
_SPEC = re.compile(r"([\w.]+):(\w+)(\(.*\))?", re.DOTALL)


def is_own(net: str) -> bool:
    """Whether a network's name is that of a builder, not a key of NETS."""
    return ":" in net


def make(spec: str, offered: Mapping[str, Any]) -> nn.Module:
    """The network that `package.module:builder` makes, float32, on the CPU. Raises Problem."""
    return made_as_it_is(spec, offered).float()


def made_as_it_is(spec: str, offered: Mapping[str, Any]) -> nn.Module:
    """As `make`, with the weights in the kinds of numbers that the builder gives them."""
    builder = load_builder(spec, offered)
    try:
        with _same_default():
            net = builder()
    except (Exception, SystemExit) as error:  # whatever happens in code of other people's
        if needed := _needed_count(error, offered):
            raise Problem(
                "The builder {builder} needs the number of classes ({name}); give --classes.",
                builder=spec,
                name=needed,
            ) from error
        raise Problem(
            "The builder {builder} failed ({reason}); try it in Python.",
            builder=spec,
            reason=reason_of(error),
        ) from error
    if not isinstance(net, nn.Module):
        raise Problem(
            "{builder} returns a {kind}; name a function or class that returns a torch.nn.Module.",
            builder=spec,
            kind=type(net).__name__,
        )
    if any(each.is_meta for each in (*net.parameters(), *net.buffers())):
        raise Problem(
            "The network of {builder} has no weights in memory (device “meta”): build it on the CPU.",
            builder=spec,
        )
    return net.cpu()


@contextmanager
def _same_default() -> Iterator[None]:
    """Code of other people's may change in which kind of numbers torch computes everything."""
    dtype = torch.get_default_dtype()
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)


def _needed_count(error: BaseException, offered: Mapping[str, Any]) -> str:
    """The parameter for the number of classes, where nothing but that was not given; "" elsewhere."""
    if offered or not isinstance(error, TypeError) or " missing " not in str(error):
        return ""
    names = re.findall(r"'(\w+)'", str(error).partition(" missing ")[2])
    return names[0] if len(names) == 1 and names[0] in CLASS_COUNTS else ""


def offer(classes: int, input_size: int) -> dict[str, int]:
    """What a builder is told of the data if it has a parameter of that name."""
    return dict.fromkeys(CLASS_COUNTS, classes) | {"input_size": input_size}


def load_builder(spec: str, offered: Mapping[str, Any] | None = None) -> Callable[[], object]:
    """What `package.module:builder` names, arguments filled in; imports that module. Problem.

    Of `offered` it gets what it has a parameter for, as in `offer`; what stands in the spec goes before.
    """
    parts = _SPEC.fullmatch(spec.strip())
    if parts is None:
        raise Problem(
            "“{builder}” is not the name of a network; write --net package.module:builder, "
            "such as torchvision.models:resnet18.",
            builder=spec,
        )
    module, name, call = parts.groups()
    arguments = _arguments(call, spec) if call else {}
    builder = getattr(_imported(module), name, None)
    if builder is None:
        raise Problem(
            "The module {module} has no “{name}”; name a function or class that it has.",
            module=module,
            name=name,
        )
    if not callable(builder) or isinstance(builder, nn.Module):
        raise Problem(
            "{module}:{name} is a {kind}; name a function or class that returns a network.",
            module=module,
            name=name,
            kind=type(builder).__name__,
        )
    accepted = {each: value for each, value in (offered or {}).items() if each in _parameters(builder)}
    more = _for_any_keyword(builder, offered or {}, accepted)
    return lambda: _called(builder, accepted | arguments, more)


def _for_any_keyword(
    builder: Callable[..., object], offered: Mapping[str, Any], accepted: Mapping[str, Any]
) -> dict[str, Any]:
    """The number of classes for a builder that hands on any keyword, as torchvision's do."""
    kinds = {each.kind for each in _parameters(builder).values()}
    named = any(name in accepted for name in CLASS_COUNTS)
    if named or inspect.Parameter.VAR_KEYWORD not in kinds or "num_classes" not in offered:
        return {}
    return {"num_classes": offered["num_classes"]}


def _called(builder: Callable[..., object], given: dict[str, Any], more: dict[str, Any]) -> object:
    try:
        return builder(**more | given)
    except TypeError as error:
        if "num_classes" in given or "num_classes" not in str(error):
            raise
        return builder(**given)  # it does not take the keyword after all


def _arguments(call: str, spec: str) -> dict[str, Any]:
    """Plain values by keyword, such as `(num_classes=5)`; nothing in them is run."""
    try:
        node = ast.parse(f"_{call}", mode="eval").body
        if not isinstance(node, ast.Call) or node.args or not isinstance(node.func, ast.Name):
            raise ValueError("not keywords only")
        return {str(each.arg): ast.literal_eval(each.value) for each in node.keywords}
    except (ValueError, SyntaxError, RecursionError) as error:
        raise Problem(
            "The arguments in {builder} must be plain values by keyword; write for example (num_classes=5).",
            builder=spec,
        ) from error


def _parameters(builder: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(builder).parameters
    except (TypeError, ValueError):  # some of those written in C tell nothing
        return {}


def _imported(module: str) -> Any:
    if os.getcwd() not in sys.path:  # Streamlit's script does not stand where the person does
        sys.path.append(os.getcwd())
    try:
        with _same_default():
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            if module.endswith(".py"):
                raise Problem(
                    "{module} is a file: write its name without “.py”, as in “{name}:{builder}”.",
                    module=module,
                    name=module.removesuffix(".py"),
                    builder="Net",
                ) from error
            raise Problem(
                "There is no module “{module}”; install it, start in the folder that contains it, or name "
                "that folder in PYTHONPATH.",
                module=error.name,
            ) from error
        raise _import_failed(module, error) from error
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        raise _import_failed(module, error) from error


def _import_failed(module: str, error: BaseException) -> Problem:
    return Problem(
        "The module {module} cannot be imported ({reason}); try it in Python.",
        module=module,
        reason=reason_of(error),
    )


# What it gives


def count_logits(net: nn.Module, size: int) -> int:
    """How many logits the network gives for an empty image; Problem if it takes none or gives something else.

    A lazy layer draws its weights here.
    """
    try:
        with torch.no_grad():
            given = net(torch.zeros(1, 3, size, size))
    except (Exception, SystemExit) as error:  # whatever a network makes of a size it was not meant for
        raise Problem(
            "The network cannot process an RGB image of {size} × {size} pixels ({reason}); "
            "choose another size or network.",
            size=size,
            reason=reason_of(error),
        ) from error
    try:
        return check_logits(given).shape[1]
    except ValueError as error:
        raise Problem(
            "To be trained here, a network must return nothing but logits (N, K), and this one returns "
            "{kind}: wrap it in a module that returns the class logits.",
            kind=tuple(given.shape) if isinstance(given, torch.Tensor) else type(given).__name__,
        ) from error


def reason_of(error: BaseException) -> str:
    """The kind and the first line of an error, to stand within a sentence."""
    message = (str(error).strip().splitlines() or [""])[0].rstrip(".;:")
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
