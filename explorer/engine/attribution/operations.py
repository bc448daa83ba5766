"""What a network computes for an image, and whether its modules do it: some methods change modules only."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from explorer.engine.outputs import MAKING_LOGITS
from explorer.engine.passes import leaf_paths, private_view

RESHAPING = frozenset(
    {"flatten", "view", "reshape", "contiguous", "squeeze", "unsqueeze", "clone", "dropout"}
    | {"to", "type", "float", "double", "half", "bfloat16"}
)
"""Functions that hand on every value as it is."""
LINEAR = RESHAPING | frozenset(
    {"add", "radd", "iadd", "sub", "isub", "neg", "mean", "sum", "cat", "concat", "stack", "chunk", "split"}
    | {"permute", "transpose", "expand", "getitem", "avg_pool2d", "adaptive_avg_pool2d", "pad"}
)
SCALING = frozenset({"mul", "rmul", "imul", "div", "truediv", "itruediv", "matmul", "linear", "conv2d"})
"""Functions that are linear in the first of their arguments if the others do not depend on the image."""
FINAL = {"probabilities": "softmax", "sigmoid": "sigmoid", "tanh": "tanh"}
"""What a network ends with, by the kind of its outputs; the app computes the opposite of it."""


@dataclass(frozen=True)
class Operations:
    """What ran for an image: modules with their paths, in order and as often as they did, and functions.

    The functions are those outside of the modules, by name; `scalings` are the functions among them that are
    linear because only their first argument depends on the image. Of what makes logits of the network's
    outputs, which it does not call itself, only FINAL counts.
    """

    modules: tuple[tuple[str, nn.Module], ...]
    functions: tuple[str, ...]
    scalings: tuple[str, ...]

    @property
    def reused(self) -> tuple[str, ...]:
        """The paths of the modules that ran more than once."""
        counts = Counter(path for path, _ in self.modules)
        return tuple(path for path, times in counts.items() if times > 1)


def operations(net: nn.Module, x: Tensor) -> Operations:
    """The Operations of one forward pass of images x, float (N, C, h, w), on a private view."""
    view = private_view(net).requires_grad_(False)
    modules: list[tuple[str, nn.Module]] = []
    inside: list[str] = []
    for path in leaf_paths(view):
        module = view.get_submodule(path)
        module.register_forward_pre_hook(lambda *_, path=path: inside.append(path))
        module.register_forward_hook(lambda module, *_, path=path: modules.append((inside.pop(), module)))
    with torch.inference_mode(False), torch.enable_grad():
        images = x.detach().clone().requires_grad_()
        noted = _Dependent(inside)
        with Functions(noted.run):
            view(images)
    return Operations(tuple(modules), tuple(noted.functions), tuple(noted.scalings))


class Functions(TorchFunctionMode):
    """Lets `run(function, args, kwargs)` give the result of each function of torch that is called."""

    def __init__(self, run: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]) -> None:
        super().__init__()
        self.run = run

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.run(function, args, kwargs or {})


class _Dependent:
    """Notes the functions that give something that depends on the image while no module runs."""

    def __init__(self, inside: list[str]) -> None:
        self.inside = inside
        self.functions: dict[str, None] = {}
        self.scalings: dict[str, None] = {}

    def run(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = function(*args, **kwargs)
        if not self.inside and _depends(result):
            name = getattr(function, "__name__", str(function)).strip("_")
            if kind := MAKING_LOGITS.get():
                if name in LINEAR | SCALING:
                    return result
                name = FINAL.get(kind, name)
            noted = self.scalings if name in SCALING and _by_constant(args, kwargs) else self.functions
            noted[name] = None
        return result


def _by_constant(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return _depends(args[:1]) and not _depends((*args[1:], *kwargs.values()))


def _depends(value: Any) -> bool:
    """Whether a tensor, or one in a list, depends on the image."""
    if isinstance(value, list | tuple):
        return any(map(_depends, value))
    return isinstance(value, Tensor) and value.requires_grad
