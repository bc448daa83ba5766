"""Copies of networks: new module objects, also where an attribute cannot be copied or a part is compiled."""

import copy
import pickle
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any
from weakref import ReferenceType

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from model.problems import Problem

# What deepcopy raises for a lock, a file, a Python module, a pool, a function of TorchScript, a graph tensor.
REFUSALS = (TypeError, ValueError, RuntimeError, AttributeError, pickle.PickleError)

WAYS = ("__new__", "__deepcopy__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__")
"""By which a class says how its objects are copied."""

HOOKS = ("_forward_pre_hooks", "_forward_hooks")
MODES_OF_HOOKS = (
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
)

CONTAINERS = (dict, OrderedDict, defaultdict, list)
MOST = 10_000  # parts of a container outside of the network that are looked into
KNOWING = (FunctionType, MethodType, ReferenceType, tuple)
"""What deepcopy leaves as it is, or has in it such as it leaves."""

PLAIN = (bool, int, float, str, type(None))  # the commonest attributes: torch takes long to look into them


def copied(net: nn.Module, shared: bool) -> nn.Module:
    """A deep copy, in which parameters are over the same memory if `shared`, and an attribute that cannot be
    copied is that of `net`. Raises Problem for a network without modules to look into.
    """
    check_kind(net)
    memo = _copies(net, shared) | _empty(net)
    try:
        return _copied_whole(net, dict(memo))
    except REFUSALS:
        memo |= dict(_not_copyable(net, memo))
    try:
        return _copied_whole(net, memo)
    except REFUSALS as error:
        raise Problem(
            "This network cannot be copied ({reason}), and a look inside needs a copy: remove what cannot "
            "be copied from its attributes.",
            reason=str(error)[:200],
        ) from error


def _copied_whole(net: nn.Module, memo: dict[int, Any]) -> nn.Module:
    view = _copied_module(net, memo)
    let_functions_know(view, memo)
    return view


def let_functions_know(view: nn.Module, memo: dict[int, Any]) -> None:
    """Lets the hooks of a deep copy, and functions in its attributes, know the copies of what they know.

    Deepcopy leaves functions and weak references as they are, so a hook such as `lambda _, __, out:
    self.keep(out)` would write into the network that was copied, and a `forward` set from outside would run
    that.
    """
    seen: set[int] = set()
    for module in view.modules():
        _let_know(vars(module), memo, seen)


def _let_know(container: Any, memo: dict[int, Any], seen: set[int]) -> None:
    """The same for a list or dict of the copy, in place."""
    if id(container) in memo or id(container) in seen:  # one that was not copied, or is met again
        return
    seen.add(id(container))
    for key, part in list(container.items() if isinstance(container, dict) else enumerate(container)):
        if type(part) in CONTAINERS and part:
            _let_know(part, memo, seen)
        elif type(part) in KNOWING and (made := _that_knows(part, memo)) is not part:
            container[key] = made


def _that_knows(value: Any, memo: dict[int, Any]) -> Any:
    """What stands in the copy for what a function refers to, or for the function; itself if nothing does."""
    if id(value) in memo:
        return memo[id(value)]
    if type(value) is FunctionType:
        return _function_that_knows(value, memo)
    if type(value) is MethodType and id(value.__self__) in memo:
        return MethodType(value.__func__, memo[id(value.__self__)])
    if type(value) is ReferenceType and id(value()) in memo:
        return ReferenceType(memo[id(value())])
    if type(value) is tuple and not _is_plain(value):
        made = tuple(_that_knows(part, memo) for part in value)
        return made if any(new is not old for new, old in zip(made, value, strict=True)) else value
    return _container_that_knows(value, memo) if type(value) in CONTAINERS else value


def _container_that_knows(container: Any, memo: dict[int, Any]) -> Any:
    """A list or dict outside of the network with copies in it; itself where nothing of it was copied."""
    if len(container) > MOST:
        return container
    made = memo[id(container)] = copy.copy(container)  # it may have itself in it
    pairs = list(container.items() if isinstance(container, dict) else enumerate(container))
    known = [(key, part, _that_knows(part, memo)) for key, part in pairs]
    if all(new is part or new is made for _, part, new in known):
        memo[id(container)] = container
        return container
    for key, _, new in known:
        made[key] = new
    return made


def _function_that_knows(function: FunctionType, memo: dict[int, Any]) -> FunctionType:
    """The function with copies in its closure, its defaults and what it names of its module; itself where
    nothing of that was copied.
    """
    contents = [_content(cell) for cell in function.__closure__ or ()]
    named = _named(function, memo)
    if not (contents or named or function.__defaults__ or function.__kwdefaults__):
        return function
    cells = tuple(CellType() for _ in contents)
    defaults = _that_knows(function.__defaults__, memo)
    namespace = dict(function.__globals__) if named else function.__globals__
    made = FunctionType(function.__code__, namespace, function.__name__, defaults, cells or None)
    memo[id(function)] = made  # it may call itself
    keywords = {name: _that_knows(value, memo) for name, value in (function.__kwdefaults__ or {}).items()}
    made.__kwdefaults__ = keywords or None
    made.__dict__.update(vars(function))
    known = [_that_knows(content, memo) for content in contents]
    for cell, original, value in zip(cells, function.__closure__ or (), known, strict=True):
        if _is_set(original):
            cell.cell_contents = value
    names = {name: _that_knows(value, memo) for name, value in named.items()}
    namespace.update(names)
    given = (*(function.__kwdefaults__ or {}).values(), *named.values())
    before = (*contents, function.__defaults__, *given)
    after = (*known, defaults, *keywords.values(), *names.values())
    if all(new is old or new is made for new, old in zip(after, before, strict=True)):
        memo[id(function)] = made = function
    return made


def _named(function: FunctionType, memo: dict[int, Any]) -> dict[str, Any]:
    """What a function names of its module that may know a network: parts of one, lists, dicts, functions."""
    namespace = function.__globals__
    named = {name: namespace[name] for name in _names(function.__code__) if name in namespace}
    return {
        name: value
        for name, value in named.items()
        if id(value) in memo
        or type(value) in (*CONTAINERS, MethodType, ReferenceType, tuple)
        or (type(value) is FunctionType and value.__module__ == function.__module__)
    }


@lru_cache(1000)
def _names(code: CodeType) -> frozenset[str]:
    """Every name in the code of a function, and of those inside of it."""
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return frozenset(code.co_names).union(*inner)


def _is_set(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _content(cell: CellType) -> object:
    """What a closure has there; None of what is not set yet."""
    return cell.cell_contents if _is_set(cell) else None


def _copied_module(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """As deepcopy does it, several times as fast: most of a network's thousands of attributes are plain."""
    kind = type(module)
    if id(module) in memo or any(_is_own(kind, way) for way in WAYS):
        made: nn.Module = copy.deepcopy(module, memo)
        for name in (*HOOKS, *MODES_OF_HOOKS):  # a module of torch.fx is copied without
            setattr(made, name, copy.deepcopy(getattr(module, name), memo))
        return made
    made = memo[id(module)] = kind.__new__(kind)
    state = {name: value for name, value in vars(module).items() if name != "_compiled_call_impl"}
    made.__dict__.update({name: _copied_value(value, memo) for name, value in state.items()})
    return made


def _is_own(kind: type[nn.Module], way: str) -> bool:
    """Whether a class has a way of its own; a convolution's only completes states of older torch."""
    return getattr(kind, way, None) not in (getattr(nn.Module, way, None), nn.Conv2d.__setstate__)


def _is_plain(value: object) -> bool:
    return type(value) in PLAIN or (type(value) is tuple and all(type(part) in PLAIN for part in value))


def _copied_value(value: object, memo: dict[int, Any]) -> Any:
    if _is_plain(value):
        return value
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, nn.Module):
        return _copied_module(value, memo)
    if type(value) is not dict:
        return copy.deepcopy(value, memo)
    made: dict[Any, Any] = {}
    memo[id(value)] = made
    for key, part in value.items():
        made[_copied_value(key, memo)] = _copied_value(part, memo)
    return made


def uncompile(view: nn.Module) -> None:
    """Let compiled parts run as they were written: else they would be compiled anew for each view."""
    for module in view.modules():
        original = dict(module.named_children()).get("_orig_mod")
        if original is not None:
            module.forward = original.__call__


def check_kind(net: nn.Module) -> None:
    """Problem for a network whose layers are not modules that can be looked into."""
    kind = "TorchScript" if isinstance(net, torch.jit.ScriptModule) else None
    if isinstance(net, torch.fx.GraphModule) and not any(
        node.op == "call_module" and node.target != "_guards_fn" for node in net.graph.nodes
    ):
        kind = "torch.export"
    if kind:
        raise Problem(
            "This network is a program made by {kind}, whose layers cannot be looked into: give the network "
            "as Python code, with the same weights.",
            kind=kind,
        )


def _not_copyable(net: nn.Module, memo: dict[int, Any]) -> Iterator[tuple[int, Any]]:
    """By id, what stands for the parts of the modules' attributes that deepcopy refuses."""
    modules = {id(module): module for module in net.modules()}
    for module in modules.values():
        for value in vars(module).values():
            yield from _refused(value, memo | modules, set())


def _refused(value: object, memo: dict[int, Any], inside: set[int]) -> Iterator[tuple[int, Any]]:
    if id(value) in inside or _is_copyable(value, memo):
        return
    if isinstance(value, Tensor | ModuleType):
        yield id(value), _copy(value, {}) if isinstance(value, Tensor) else value
        return
    inside.add(id(value))
    parts = list(value.values()) if isinstance(value, dict) else getattr(value, "__dict__", {}).values()
    replaced: dict[int, Any] = {}
    for part in value if isinstance(value, list | tuple | set) else parts:
        replaced |= dict(_refused(part, memo, inside))
    yield from replaced.items()
    if not _is_copyable(value, memo | replaced):
        yield id(value), value


def _is_copyable(value: object, memo: dict[int, Any]) -> bool:
    try:
        copy.deepcopy(value, dict(memo))
    except REFUSALS:
        return False
    return True


def _copies(net: nn.Module, shared: bool) -> dict[int, Any]:
    """A memo for deepcopy: by id, every tensor's copy, a parameter's over the same memory if `shared`."""
    tensors = {
        id(value): value
        for module in net.modules()
        for attribute in vars(module).values()  # the parameters and buffers among them
        for value in tensors_in(attribute)
    }
    parameters = [t for t in tensors.values() if isinstance(t, nn.Parameter) and _is_dense(t)]
    written = {_storage_of(t) for t in tensors.values() if not isinstance(t, nn.Parameter) and _is_dense(t)}
    safe = [t for t in parameters if shared and _storage_of(t) not in written]
    storages = {_storage_of(t): t.untyped_storage() for t in safe}
    return {key: _copy(tensor, storages) for key, tensor in tensors.items()}


def tensors_in(value: object) -> list[Tensor]:
    """The tensors in a value, in lists, dicts and whatever else torch looks into, in order."""
    if isinstance(value, Tensor):
        return [value]
    if _is_plain(value) or (type(value) in (dict, OrderedDict, list, set) and not value):
        return []
    if type(value) is tuple:
        return [tensor for part in value for tensor in tensors_in(part)]
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def _empty(net: nn.Module) -> dict[int, Any]:
    """A memo for deepcopy: new empty containers, most of them for hooks, which would take it longest."""
    attributes = (value for module in net.modules() for value in vars(module).values())
    return {
        id(value): type(value)()
        for value in attributes
        if type(value) in (dict, OrderedDict, list, set) and not value
    }


def _storage_of(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _copy(tensor: Tensor, storages: dict[int, torch.UntypedStorage]) -> Tensor:
    """The tensor over the storage that stands for its own, by default a copy of it."""
    if not _is_dense(tensor):
        return copy.deepcopy(tensor) if tensor.is_leaf else tensor.detach().clone()
    key = _storage_of(tensor)
    if key not in storages:
        storages[key] = copy.deepcopy(tensor.untyped_storage())
    own = storages[key]
    made = tensor.new_empty(0).set_(own, tensor.storage_offset(), tensor.size(), tensor.stride())
    if isinstance(tensor, nn.Parameter):
        made = nn.Parameter(made, tensor.requires_grad)
    made.__dict__.update(vars(tensor))
    return made


def _is_dense(tensor: Tensor) -> bool:
    """Whether the tensor is no more than a window on a storage of plain numbers."""
    plain = type(tensor) in (Tensor, nn.Parameter) and tensor.layout is torch.strided
    return plain and not (tensor.is_quantized or tensor.is_conj() or tensor.is_neg() or tensor.is_meta)
