"""What a network computes for an image, and whether its modules do it: some methods change modules only."""

import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from explorer.engine.copies import tensors_in
from explorer.engine.outputs import MAKING_LOGITS
from explorer.engine.passes import leaf_paths, private_view
from explorer.engine.unseen import is_inside_function, is_of_function, name_of

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
    linear because only their first argument depends on the image, `unseen` those that torch does not tell
    of. Of what makes logits of the network's outputs, which it does not call itself, only FINAL counts.
    """

    modules: tuple[tuple[str, nn.Module], ...]
    functions: tuple[str, ...]
    scalings: tuple[str, ...]
    unseen: tuple[str, ...] = ()

    @property
    def reused(self) -> tuple[str, ...]:
        """The paths of the modules that ran more than once."""
        counts = Counter(path for path, _ in self.modules)
        return tuple(path for path, times in counts.items() if times > 1)


def operations(net: nn.Module, x: Tensor) -> Operations:
    """The Operations of one forward pass of images x, float (N, C, h, w), on a private view."""
    view = private_view(net).requires_grad_(False)
    modules: list[tuple[str, nn.Module]] = []
    noted = _Dependent()
    for path in leaf_paths(view):
        module = view.get_submodule(path)
        module.register_forward_pre_hook(partial(_enter, noted, path), with_kwargs=True)
        module.register_forward_hook(partial(_leave, noted, modules))
    with torch.inference_mode(False), torch.enable_grad():
        images = x.detach().requires_grad_().clone()
        noted.know(images)
        with Functions(noted.run):
            result = view(images)
        noted.note_unseen(result)
    return Operations(tuple(modules), tuple(noted.functions), tuple(noted.scalings), tuple(noted.unseen))


class Functions(TorchFunctionMode):
    """Lets `run(function, args, kwargs)` give the result of each function of torch that is called."""

    def __init__(self, run: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]) -> None:
        super().__init__()
        self.run = run

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.run(function, args, kwargs or {})


def _enter(noted: "_Dependent", path: str, _: nn.Module, args: object, kwargs: object) -> None:
    noted.note_unseen((args, kwargs))
    noted.inside.append(path)


def _leave(
    noted: "_Dependent", ran: list[tuple[str, nn.Module]], module: nn.Module, _: object, output: object
) -> None:
    ran.append((noted.inside.pop(), module))
    if not is_inside_function():
        noted.know(output)


class _Dependent:
    """Notes the functions that give something that depends on the image while no module runs."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.functions: dict[str, None] = {}
        self.scalings: dict[str, None] = {}
        self.unseen: dict[str, None] = {}
        self.known: dict[int, tuple[weakref.ref[Tensor], bool]] = {}

    def run(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.inside or is_inside_function():
            return function(*args, **kwargs)
        self.note_unseen((args, kwargs))
        result = function(*args, **kwargs)
        self.know(result)
        if _depends(result):
            name = getattr(function, "__name__", str(function)).strip("_")
            if kind := MAKING_LOGITS.get():
                if name in LINEAR | SCALING:
                    return result
                name = FINAL.get(kind, name)
            noted = self.scalings if name in SCALING and _by_constant(args, kwargs) else self.functions
            noted[name] = None
        return result

    def know(self, value: object) -> None:
        with torch._C.DisableTorchFunction():
            for tensor in tensors_in(value):
                self.known[id(tensor)] = weakref.ref(tensor), is_of_function(tensor)

    def note_unseen(self, value: object) -> None:
        """Note the functions that gave what is read here and that torch does not tell of."""
        if self.inside:
            return
        with torch._C.DisableTorchFunction():
            for tensor in tensors_in(value):
                if tensor.grad_fn is not None and not self._is_known(tensor):
                    self.functions[name_of(tensor)] = self.unseen[name_of(tensor)] = None

    def _is_known(self, tensor: Tensor) -> bool:
        """Whether a function or a module gave it that was seen; another may have written into it since."""
        known, of_function = self.known.get(id(tensor), (None, False))
        return known is not None and known() is tensor and of_function == is_of_function(tensor)


def _by_constant(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return _depends(args[:1]) and not _depends((*args[1:], *kwargs.values()))


def _depends(value: Any) -> bool:
    """Whether a tensor, or one in a list, depends on the image."""
    if isinstance(value, list | tuple):
        return any(map(_depends, value))
    return isinstance(value, Tensor) and value.requires_grad
