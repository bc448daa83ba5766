"""What the steps of a forward pass are: the kind of a module, and of a function called between modules."""

import re
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from explorer.engine.stage import stage_named, stage_of

MODULES: dict[type[nn.Module], str] = {
    nn.Linear: "dense",
    nn.Flatten: "flatten",
    nn.modules.dropout._DropoutNd: "dropout",
}
POOLS = ("avg_pool", "max_pool", "lp_pool")
ACTS = ("relu", "elu", "gelu", "silu", "mish", "sigmoid", "tanh", "softplus", "hardswish", "softmax")
FUNCTIONS = {
    "add": "add", "sub": "add", "cat": "concat", "stack": "concat", "mul": "multiply", "div": "multiply",
    "flatten": "flatten", "linear": "dense", "mean": "pool", "amax": "pool",
}  # fmt: skip
"""By the name of a function; others by a part of their name, as in `kind_of_function`."""
PARTS = (
    dict.fromkeys(("conv1d", "conv2d", "conv3d", "conv_transpose"), "conv")
    | dict.fromkeys(("_norm",), "norm")
    | dict.fromkeys(("dropout",), "dropout")
    | dict.fromkeys(POOLS, "pool")
    | dict.fromkeys(ACTS, "act")
)
MERGED = frozenset(
    {"view", "view_as", "reshape", "reshape_as", "unflatten", "contiguous", "squeeze", "unsqueeze", "clone"}
    | {"to", "type", "type_as", "float", "double", "half", "bfloat16", "detach", "alias", "requires_grad"}
    | {"permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "t", "get", "set", "copy"}
    | {"expand", "expand_as", "broadcast_to", "broadcast_tensors", "getitem", "setitem", "chunk", "split"}
    | {"tensor_split", "unbind", "narrow", "select", "index_select", "cpu", "atleast_2d", "positive"}
)
"""Functions that move values without changing them: no steps of their own."""
LIKE = re.compile(r"(zeros|ones|empty|full|rand|randn|randint)_like|new_\w+|size|len|dim|numel|is_\w+")
"""Functions that read the form of a tensor, not its values."""
ALIASES = {
    "multiply": "mul", "rmul": "mul", "imul": "mul", "radd": "add", "iadd": "add", "subtract": "sub",
    "rsub": "sub", "isub": "sub", "divide": "div", "true_divide": "div", "truediv": "div",
    "itruediv": "div", "idiv": "div", "rdiv": "reciprocal", "rtruediv": "reciprocal", "concat": "cat",
    "concatenate": "cat",
}  # fmt: skip
IN_PLACE = re.compile(r"__(setitem|i(add|sub|mul|div|truediv|floordiv|pow|mod|and|or|xor))__|.*[^_]_")


def kind_of_module(module: nn.Module) -> str:
    """The kind of a module: "conv", "norm", "act", "pool", "dense", "flatten", "dropout", else "other"."""
    named = (kind for base, kind in MODULES.items() if isinstance(module, base))
    return next(named, None) or stage_of(module) or "other"


def kind_by_functions(names: Iterable[str], flattens: bool) -> str:
    """The kind of another module by the only one of the functions it called that computes something."""
    computing = [name for name in names if name not in MERGED and not LIKE.fullmatch(name)]
    if not computing:
        return "flatten" if flattens else "other"
    return kind_of_function(computing[0]) if len(computing) == 1 else "other"


def kind_of_function(name: str) -> str:
    """As `kind_of_module`, also "add", "concat" and "multiply", of a name that `function_name` gives."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    return next((kind for part, kind in PARTS.items() if part in name), "other")


def kind_of_class(name: str) -> str:
    """As `kind_of_module`, of an `autograd.Function`, by the name of its class."""
    return stage_named(name) or "other"


def function_name(function: Any) -> str:
    """One name for a function, its method, its operator, and its form in place: `add` for `+=`."""
    name = str(getattr(function, "__name__", "function")).strip("_")
    return ALIASES.get(name, name)


def written_by(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """The tensor that a call of a function writes into, if any."""
    if isinstance(kwargs.get("out"), Tensor):
        out: Tensor = kwargs["out"]
        return out
    in_place = kwargs.get("inplace") or IN_PLACE.fullmatch(str(getattr(function, "__name__", "")))
    return args[0] if in_place and args and isinstance(args[0], Tensor) else None
