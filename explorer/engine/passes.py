"""Forward passes that show what happens inside, on private views of the network that is shared.

Hooks sit on modules and Streamlit runs each visitor in a thread of its own, so nothing here ever hooks
the network it is given. Each call hooks a private view of it: new module objects with tensors of their own.
"""

import copy
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from explorer.engine.randomness import SEED, seed_passes
from explorer.engine.values import Floats
from model.problems import Problem

Visit = Callable[[str, Tensor, Tensor], Tensor | None]


def private_view(net: nn.Module, seed: int = SEED) -> nn.Module:
    """New module objects with tensors of their own, in eval mode, with nothing in place.

    Hook it, switch it, run it, throw it away: `net` keeps its hooks, its mode and every value. Buffers
    and other tensors are copies. Parameters share memory with `net` once a forward pass of a view has
    left all of them as they were; until then, and for a network that writes them, they are copies too.
    A network that writes a parameter only for some inputs, or only when gradients are taken, is not caught.
    Tensors that share memory in `net` share it in the view. Random numbers are those of `seed` in every pass.
    """
    calm = net in _CALM
    with torch.inference_mode(False), torch.no_grad():
        view = copy.deepcopy(net, _copies(net, shared=calm) | _empty(net))
    for module in view.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    seed_passes(net, view, seed)
    if not calm:
        view.register_forward_hook(lambda view, *_: _note_calm(net, view))
    return view.eval()


# Networks whose parameters a forward pass left as they were.
_CALM: "WeakSet[nn.Module]" = WeakSet()


def _note_calm(net: nn.Module, view: nn.Module) -> None:
    before, after = list(net.parameters()), list(view.parameters())
    if len(before) == len(after) and all(map(_equal, before, after)):
        _CALM.add(net)


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)


def _copies(net: nn.Module, shared: bool) -> dict[int, Any]:
    """A memo for deepcopy: by id, every tensor's copy, a parameter's over the same memory if `shared`."""
    tensors = {
        id(value): value
        for module in net.modules()
        for held in (module._parameters, module._buffers, vars(module))
        for value in held.values()
        if isinstance(value, Tensor)
    }
    parameters = [t for t in tensors.values() if isinstance(t, nn.Parameter) and _is_dense(t)]
    written = {_storage_of(t) for t in tensors.values() if not isinstance(t, nn.Parameter) and _is_dense(t)}
    safe = [t for t in parameters if shared and _storage_of(t) not in written]
    storages = {_storage_of(t): t.untyped_storage() for t in safe}
    return {key: _copy(tensor, storages) for key, tensor in tensors.items()}


def _empty(net: nn.Module) -> dict[int, Any]:
    """A memo for deepcopy: new empty containers, most of them for hooks, which would take it longest."""
    return {
        id(value): type(value)()
        for module in net.modules()
        for value in vars(module).values()
        if type(value) in (dict, OrderedDict) and not value
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


def recorded(net: nn.Module, x: Tensor, layers: Iterable[str] | None, visit: Visit) -> object:
    """The network's output for images x, float (N, C, h, w), from one pass without gradients that calls
    `visit` as `recording` says; errors as there.
    """
    view = recording(net, layers, visit)
    with torch.inference_mode(False), torch.no_grad():
        return view(x.detach().clone())


def recording(net: nn.Module, layers: Iterable[str] | None, visit: Visit) -> nn.Module:
    """A private view that calls `visit(name, input, output)` whenever one of these layers has run.

    None stands for every module that computes. What `visit` returns, unless None, is handed on instead of the
    output. Raises Problem for a layer that is not there or, when the view runs, for one that does not run.
    """
    view, reached = private_view(net), set[str]()
    wanted = None if layers is None else set(layers)

    def visited(name: str, received: Tensor, output: Tensor) -> Tensor | None:
        reached.add(name)
        return visit(name, received, output) if wanted is None or name in wanted else None

    def check_reached(*_: object) -> None:
        if missed := (wanted or set()) - reached:
            raise Problem(
                "Layer {layer} did not run on this input: choose another layer.", layer=repr(min(missed))
            )

    paths = leaf_paths(view) if wanted is None else {layer_path(view, layer) for layer in wanted}
    visit_layers(view, paths, visited)
    view.register_forward_pre_hook(lambda *_: reached.clear())
    view.register_forward_hook(check_reached)
    return view


def visit_layers(view: nn.Module, paths: Iterable[str], visit: Visit) -> None:
    """Hooks a private view: `visit(name, input, output)` after every call of these modules giving a tensor.

    What it returns, unless None, is handed on instead of the output. The k-th call of one forward is
    named `path#k` from the second on.
    """
    calls: Counter[str] = Counter()

    def visited(path: str, _: nn.Module, inputs: tuple[Tensor, ...], output: object) -> Tensor | None:
        calls[path] += 1
        name = path if calls[path] == 1 else f"{path}#{calls[path]}"
        return visit(name, inputs[0], output) if inputs and isinstance(output, Tensor) else None

    view.register_forward_pre_hook(lambda *_: calls.clear())
    for path in paths:
        view.get_submodule(path).register_forward_hook(partial(visited, path))


def tapped(net: nn.Module, layers: Iterable[str]) -> tuple[nn.Module, dict[str, nn.Module]]:
    """A private view in which each named layer's output passes through an Identity of its own.

    Hook the Identity, or give it to Captum as the layer: it runs once a forward, also for `relu#2`,
    which a hook on `relu` could not tell from `relu`. Errors as `recording` and `feature_maps`.
    """
    points: dict[str, nn.Module] = {layer: nn.Identity() for layer in layers}

    def pass_through(name: str, _: Tensor, output: Tensor) -> Tensor:
        passed: Tensor = points[name](feature_maps(name, output))
        return passed.clone()  # what the network later does in place then happens to the copy

    return recording(net, points, pass_through), points


def feature_maps(layer: str, output: Tensor) -> Tensor:
    """A layer's output as it is; Problem unless it is feature maps (N, C, h, w)."""
    if output.ndim != 4:
        raise Problem(
            "Layer {layer} gives values of shape {shape}, which are not feature maps: choose another layer.",
            layer=repr(layer),
            shape=tuple(output.shape),
        )
    return output


def leaf_paths(net: nn.Module) -> list[str]:
    """The paths of the modules that compute; a parametrised weight's own modules do not count."""
    return [
        path
        for path, module in net.named_modules()
        if path
        and "parametrizations" not in path.split(".")
        and all(name == "parametrizations" for name, _ in module.named_children())
    ]


def layer_path(net: nn.Module, layer: str) -> str:
    """The module path in a layer name, `relu` of `relu#2`; Problem if it is not in `net`."""
    path = layer.partition("#")[0]
    try:
        net.get_submodule(path)
    except AttributeError:
        raise Problem(
            "There is no layer {layer} in this network: choose one of its layers.", layer=repr(layer)
        ) from None
    return path


def layer_module(net: nn.Module, layer: str) -> nn.Module:
    """The module behind a layer name; Problem if it is not in `net`."""
    return net.get_submodule(layer_path(net, layer))


def check_images(x: Tensor, one: bool = False) -> None:
    """ValueError unless x is a float batch (N, C, h, w) of one image or more, or of just `one`."""
    if x.ndim != 4 or not x.is_floating_point() or not x.numel() or (one and len(x) > 1):
        wanted = "(1, C, h, w)" if one else "(N, C, h, w), N at least 1"
        raise ValueError(f"The input must be float {wanted}, not {x.dtype} {tuple(x.shape)}.")


def to_numpy(tensor: Tensor) -> Floats:
    """A float32 array of its own, without the graph."""
    return tensor.detach().to("cpu", torch.float32).numpy().copy()
