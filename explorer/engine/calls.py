"""Each call of a layer in a forward pass of a private view: what it read, from where, and what it gave."""

import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from explorer.engine.copies import tensors_in, uncompile
from explorer.engine.layouts import (
    Layout,
    Layouts,
    across_tokens,
    grid_of,
    left_out_grids,
    left_out_layers,
)
from explorer.engine.stage import has_modules, stage_of


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer that gives a tensor: `path`, or `path#k` for its k-th call in one forward.

    `source` is the name of the layer whose output it read unchanged, "" for the image, None for anything
    computed in between. What holds feature maps, as `layout` says of the output, is given as (N, C, h, w);
    `handed_on` is the output as the network goes on with it, of which later gradients are, `read` is every
    tensor that it read, as the network gave it. `mixes` says that it works across the tokens of a grid.
    """

    layer: str
    source: str | None
    received: Tensor
    output: Tensor
    layout: Layout | None
    handed_on: Tensor
    read: tuple[Tensor, ...]
    mixes: bool = False


@dataclass(frozen=True, eq=False)
class Instead:
    """A whole tensor to hand on in place of an output, laid out as that is, not maps of it."""

    tensor: Tensor


UNASKED: ContextVar[bool] = ContextVar("unasked", default=False)
"""Whether the pass that runs has a graph only because the network needs one: maps are given without it."""

OnCall = Callable[[Call], Tensor | Instead | None]


def visit_calls(view: nn.Module, paths: Iterable[str], on_call: OnCall) -> set[str]:
    """Hooks a private view: `on_call` after every call of these modules that gives a tensor.

    What it returns, unless None, is handed on instead of the output. A norm with an activation inside is
    visited before that: its own value is what the first of its modules reads. Returns the paths of the
    modules that gave no tensor in the last forward, once it has run.
    """
    uncompile(view)
    follower = _Follower(view, on_call)
    view.register_forward_pre_hook(follower.begin, with_kwargs=True)
    for path in paths:
        module = view.get_submodule(path)
        if stage_of(module) == "norm" and has_modules(module):
            _OwnValue(partial(follower.visit, path, module)).hook(module)
        else:
            module.register_forward_hook(partial(follower.after, path), with_kwargs=True)
    return follower.without_tensor


class _Follower:
    """What is known of the tensors of one forward pass: whose output they are, and how they hold maps."""

    def __init__(self, view: nn.Module, on_call: OnCall) -> None:
        self.view, self.on_call, self.across = view, on_call, across_tokens(view)
        self.unrelated = left_out_layers(view)
        self.without_tensor: set[str] = set()
        self.begin()

    def begin(self, _: object = None, args: object = (), kwargs: object = None) -> None:
        images = tensors_in((args, kwargs))
        self.calls: Counter[str] = Counter()
        self.without_tensor.clear()
        self.layouts = Layouts(
            images[0] if images else torch.empty(0),
            grid_of(self.view),
            left_out_grids(self.view),
            self.across,
        )
        # A tensor written to since it was handed on has another version: it is no longer that output.
        self.handed_on: dict[int, tuple[str, weakref.ref[Tensor], int]] = {}
        if images:
            self._hand_on("", images[0])

    def after(self, path: str, module: nn.Module, args: Any, kwargs: Any, output: object) -> Tensor | None:
        if isinstance(output, Tensor):
            return self.visit(path, module, tensors_in((args, kwargs)), output)
        self.without_tensor.add(path)
        return None

    def visit(self, path: str, module: nn.Module, read: list[Tensor], output: Tensor) -> Tensor | None:
        """The output that goes on instead of this one, None for this one; `read` is all that it read."""
        self.calls[path] += 1
        name = path if self.calls[path] == 1 else f"{path}#{self.calls[path]}"
        received = read[0] if read else output
        source = self._source(received) if len(read) == 1 else None
        layout = None if name in self.unrelated else self.layouts.of(module, received, output)
        mixes = self.layouts.mixes
        before = self.layouts.read(received, layout if received.shape == output.shape else None)
        maps = layout.maps(output) if layout else output
        given = before.maps(received) if before else received
        call = Call(name, source, given, maps, layout, output, tuple(read), mixes)
        changed = _without_graph(self.on_call, call) if UNASKED.get() else self.on_call(call)
        if changed is None:
            self._hand_on(name, output)
            return None
        if isinstance(changed, Instead):
            made = changed.tensor
        else:
            made = layout.filled(output, changed) if layout else changed
        if UNASKED.get():
            made = made.detach().requires_grad_().clone()
        self.layouts.known[id(made)] = (weakref.ref(made), layout)
        self._hand_on(name, made)
        return made

    def _source(self, received: Tensor) -> str | None:
        name, tensor, version = self.handed_on.get(id(received), (None, None, None))
        return name if tensor and tensor() is received and version == version_of(received) else None

    def _hand_on(self, name: str, output: Tensor) -> None:
        self.handed_on[id(output)] = (name, weakref.ref(output), version_of(output))


def _without_graph(on_call: OnCall, call: Call) -> Tensor | Instead | None:
    """What `on_call` returns for a call whose maps are outside of the graph that the network computes."""
    with torch.no_grad():
        return on_call(replace(call, received=call.received.detach(), output=call.output.detach()))


def version_of(tensor: Tensor) -> int:
    """How often the tensor was written to, as far as it counts: one of inference mode does not."""
    return 0 if tensor.is_inference() else tensor._version


Handle = Callable[[list[Tensor], Tensor], Tensor | None]


class _OwnValue:
    """Finds the own value of a norm with modules inside, in whatever order and however often it is called."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.read: list[Tensor] = []  # empty outside a call, and once the value is found

    def hook(self, norm: nn.Module) -> None:
        norm.register_forward_pre_hook(self._enter, with_kwargs=True)
        for inner in norm.children():
            inner.register_forward_pre_hook(self._inside)
        norm.register_forward_hook(self._leave)

    def _enter(self, _: nn.Module, args: Any, kwargs: Any) -> None:
        self.read = tensors_in((args, kwargs))

    def _inside(self, _: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        value = args[0] if args else None
        if not self.read or not isinstance(value, Tensor) or value is self.read[0]:
            return None
        if value.shape != self.read[0].shape:
            return None
        read, self.read = self.read, []
        changed = self.handle(read, value)
        return None if changed is None else (changed, *args[1:])

    def _leave(self, _: nn.Module, __: object, output: object) -> Tensor | None:
        read, self.read = self.read, []
        return self.handle(read, output) if read and isinstance(output, Tensor) else None
