"""Every feature map of one forward pass, seen without touching the network that is shared.

Hooks sit on modules and Streamlit runs each visitor in a thread of its own, so nothing here ever hooks
the network it is given. Each call hooks a private view of it: new module objects with tensors of their own.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Any
from weakref import WeakSet

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from explorer.engine.values import Value
from model.nets import check_logits

Floats = npt.NDArray[np.float32]
Visit = Callable[[str, Tensor, Tensor], Tensor | None]

# The stage a layer can be, by the module of torch that its class comes from.
STAGES = {
    "torch.nn.modules.conv": "conv",
    "torch.nn.modules.batchnorm": "norm",
    "torch.nn.modules.instancenorm": "norm",
    "torch.nn.modules.normalization": "norm",
    "torch.nn.modules.activation": "act",
    "torch.nn.modules.pooling": "pool",
}


@dataclass(frozen=True)
class LayerInput:
    """What one layer read: its shape (C, h, w), and whose output that was.

    `source` is the name of the layer whose output arrived unchanged, "" for the image itself, None for
    anything computed in between (an addition, a concatenation, a functional activation).
    """

    source: str | None
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Trace(Value):
    """One forward pass in eval mode: logits (K,), probabilities (K,), and what every layer made of the image.

    `maps` holds the output of each leaf module that gives feature maps, float32 (C, h, w), in execution
    order by module path; a second call of one module is recorded as `path#2`. `inputs` has the same keys.
    """

    logits: Floats
    probabilities: Floats
    maps: dict[str, Floats]
    inputs: dict[str, LayerInput]


@dataclass(frozen=True)
class Block:
    """The layer names of one conv block; what it does not have is None."""

    conv: str
    norm: str | None = None
    act: str | None = None
    pool: str | None = None


def private_view(net: nn.Module) -> nn.Module:
    """New module objects with tensors of their own, in eval mode, with nothing in place.

    Hook it, switch it, run it, throw it away: `net` keeps its hooks, its mode and every value. Buffers
    and other tensors are copies. Parameters share memory with `net` once a forward pass of a view has
    left all of them as they were; until then, and for a network that writes them, they are copies too.
    Tensors that share memory in `net` share it in the view.
    """
    calm = net in _CALM
    with torch.inference_mode(False), torch.no_grad():
        view = copy.deepcopy(net, _copies(net, shared=calm))
    for module in view.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
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
    storages = {t.untyped_storage()._cdata: t.untyped_storage() for t in parameters if shared}
    return {key: _copy(tensor, storages) for key, tensor in tensors.items()}


def _copy(tensor: Tensor, storages: dict[int, torch.UntypedStorage]) -> Tensor:
    """The tensor over the storage that stands for its own, by default a copy of it."""
    if not _is_dense(tensor):
        return copy.deepcopy(tensor) if tensor.is_leaf else tensor.detach().clone()
    storage = tensor.untyped_storage()
    if storage._cdata not in storages:
        storages[storage._cdata] = copy.deepcopy(storage)
    own = storages[storage._cdata]
    made = tensor.new_empty(0).set_(own, tensor.storage_offset(), tensor.size(), tensor.stride())
    if isinstance(tensor, nn.Parameter):
        made = nn.Parameter(made, tensor.requires_grad)
    made.__dict__.update(vars(tensor))
    return made


def _is_dense(tensor: Tensor) -> bool:
    """Whether the tensor is no more than a window on a storage of plain numbers."""
    plain = type(tensor) in (Tensor, nn.Parameter) and tensor.layout is torch.strided
    return plain and not (tensor.is_quantized or tensor.is_conj() or tensor.is_neg() or tensor.is_meta)


def trace(net: nn.Module, x: Tensor) -> Trace:
    """The Trace of one input x, float (1, 3, h, w).

    Raises ValueError for any other shape, and for a net whose output is not logits (1, K).
    """
    check_images(x, one=True)
    view = private_view(net)
    maps: dict[str, Floats] = {}
    inputs: dict[str, LayerInput] = {}
    with torch.inference_mode(False), torch.no_grad():
        x = x.detach().clone()
        # A tensor written to since it was handed on has another version: it is no longer that output.
        handed_on = {id(x): ("", x, x._version)}

        def record(name: str, received: Tensor, output: Tensor) -> None:
            if output.ndim == 4:
                source, _, version = handed_on.get(id(received), (None, None, None))
                unchanged = version == received._version
                inputs[name] = LayerInput(source if unchanged else None, tuple(received.shape[1:]))
                maps[name] = to_numpy(output[0])
                handed_on[id(output)] = (name, output, output._version)

        visit_layers(view, leaf_paths(view), record)
        logits = check_logits(view(x))[0]
    return Trace(to_numpy(logits), to_numpy(logits.softmax(0)), maps, inputs)


def blocks(net: nn.Module, seen: Trace) -> tuple[Block, ...]:
    """The conv blocks of any CNN in execution order, found from what ran and what it read.

    A norm, activation or pooling joins the block whose output it read. After an operation that is no
    module (a skip's addition) it joins the unfinished block of its shape that lies nearest in the
    module tree. Layers of another kind are left out.
    """
    found: list[dict[str, str]] = []
    owner: dict[str, dict[str, str]] = {}
    for name in seen.maps:
        stage = stage_of(layer_module(net, name))
        if stage == "conv":
            found.append({"conv": name})
            owner[name] = found[-1]
            continue
        source = seen.inputs[name].source
        block = owner.get(source) if source is not None else _nearest_open(name, found, seen)
        if block is not None and stage not in block and _fits(stage, name, block, seen):
            owner[name] = block
            block.update({stage: name} if stage else {})
    return tuple(Block(**block) for block in found)


def stages(block: Block, seen: Trace) -> dict[str, str]:
    """The stages the block has, {"conv" | "norm" | "act" | "pool": layer name}, in execution order."""
    named = {stage: getattr(block, stage) for stage in ("conv", "norm", "act", "pool")}
    order = list(seen.maps)
    return dict(sorted(((s, n) for s, n in named.items() if n), key=lambda item: order.index(item[1])))


def tapped(net: nn.Module, layers: Iterable[str]) -> tuple[nn.Module, dict[str, nn.Module]]:
    """A private view in which each named layer's output passes through an Identity of its own.

    Hook the Identity, or give it to Captum as the layer: it runs once a forward, also for `relu#2`,
    which a hook on `relu` could not tell from `relu`. Raises ValueError for a layer that is not there
    or, when the view runs, for one that does not run or gives no feature maps (N, C, h, w).
    """
    view = private_view(net)
    points: dict[str, nn.Module] = {layer: nn.Identity() for layer in layers}
    reached: set[str] = set()

    def pass_through(name: str, _: Tensor, output: Tensor) -> Tensor | None:
        if name not in points:
            return None
        if output.ndim != 4:
            got = tuple(output.shape)
            raise ValueError(f"Layer {name!r} gives {got}, no feature maps: choose another layer.")
        reached.add(name)
        # The clone keeps what was recorded safe from whatever the net later does in place.
        passed: Tensor = points[name](output)
        return passed.clone()

    def check_reached(*_: object) -> None:
        if missed := set(points) - reached:
            raise ValueError(f"Layer {min(missed)!r} did not run on this input: choose another layer.")

    visit_layers(view, {layer_path(view, layer) for layer in points}, pass_through)
    view.register_forward_hook(check_reached)
    return view, points


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
    """The module path in a layer name, `relu` of `relu#2`; ValueError if it is not in `net`."""
    path = layer.partition("#")[0]
    try:
        net.get_submodule(path)
    except AttributeError:
        raise ValueError(f"There is no layer {layer!r} in this network: choose one of its own.") from None
    return path


def layer_module(net: nn.Module, layer: str) -> nn.Module:
    """The module behind a layer name; ValueError if it is not in `net`."""
    return net.get_submodule(layer_path(net, layer))


def stage_of(module: nn.Module) -> str | None:
    """A module's stage by its type: "conv", "norm", "act" or "pool", None for any other kind."""
    found = (STAGES.get(kind.__module__) for kind in type(module).__mro__)
    return next((stage for stage in found if stage), None)


def check_images(x: Tensor, one: bool = False) -> None:
    """ValueError unless x is a float batch (N, 3, h, w), with N = 1 where only one will do."""
    if x.ndim != 4 or x.shape[1] != 3 or not x.is_floating_point() or (one and len(x) != 1):
        wanted = "(1, 3, h, w)" if one else "(N, 3, h, w)"
        raise ValueError(f"The input must be float {wanted}, not {x.dtype} {tuple(x.shape)}.")


def to_numpy(tensor: Tensor) -> Floats:
    """A float32 array of its own, without the graph."""
    return tensor.detach().to("cpu", torch.float32).numpy().copy()


def _fits(stage: str | None, name: str, block: dict[str, str], seen: Trace) -> bool:
    """Whether the layer keeps the block's shape, or, as a pooling, its channels."""
    made, end = seen.maps[name].shape, seen.maps[list(block.values())[-1]].shape
    return made[0] == end[0] if stage == "pool" else made == end


def _nearest_open(name: str, found: list[dict[str, str]], seen: Trace) -> dict[str, str] | None:
    """Of the blocks of this shape whose end no module read: nearest in the tree, then latest."""
    read = {met.source for met in seen.inputs.values()}
    last = [list(block.values())[-1] for block in found]
    fits = [
        (-_tree_distance(name, end), index)
        for index, end in enumerate(last)
        if end not in read and seen.maps[end].shape == seen.inputs[name].shape
    ]
    return found[max(fits)[1]] if fits else None


def _tree_distance(one: str, other: str) -> int:
    """Steps from one layer's parent to the other's in the module tree."""
    parents = one.split(".")[:-1], other.split(".")[:-1]
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*parents, strict=False)))
    return len(parents[0]) + len(parents[1]) - 2 * shared
