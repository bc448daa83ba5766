"""One forward pass as the steps that ran, layers and the functions between them, and which read which."""

import re
import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from explorer.engine.attribution.operations import Functions
from explorer.engine.calls import Call, Instead
from explorer.engine.copies import tensors_in
from explorer.engine.kinds import (
    LIKE,
    MERGED,
    function_name,
    kind_by_functions,
    kind_of_class,
    kind_of_function,
    kind_of_module,
    written_by,
)
from explorer.engine.layouts import FIRST, Layout
from explorer.engine.passes import layer_path, leaf_paths, recording_calls
from explorer.engine.tracing import LayerInput
from explorer.engine.unseen import (
    is_inside_function,
    is_of_function,
    name_of,
    nodes_before,
    tensors_replaced,
)

IMAGE = ""  # the name of the image, as in a Trace
KEEPING = frozenset({"clone", "contiguous", "to", "float", "detach", "getitem", "chunk", "split", "narrow"})
"""Functions after which the same dimensions hold channels, rows and columns."""


@dataclass(frozen=True, eq=False)
class FlowStep:
    """One call of a layer, of which `path` is the module's, or of a function between layers, without a path.

    `sources` are the steps whose outputs it read, as their indexes in the order in which they ran; `read`
    are these tensors, none where they are not known, and `output` is None where it gave several tensors or
    none; both only while it is visited. `layout` is how the output holds maps, `shape` is that for one image,
    of maps (C, h, w).
    """

    name: str
    kind: str
    path: str | None
    sources: tuple[int, ...]
    read: tuple[Tensor, ...]
    output: Tensor | None = None
    layout: Layout | None = None
    shape: tuple[int, ...] = ()


@dataclass
class _Running:
    """A layer that runs, what it read, and the functions that it has called."""

    path: str
    read: tuple[Tensor, ...]
    functions: list[str] = field(default_factory=list)


class _Program(nn.Module):
    """Runs TorchScript, which takes no hooks."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.program(*args, **kwargs)


def _wrapped_programs(view: nn.Module) -> set[str]:
    """Puts each program among the modules of a private view into a module that takes hooks; their paths."""
    programs = {path for path, each in view.named_modules() if isinstance(each, torch.jit.ScriptModule)}
    outer = {path for path in programs if path.rpartition(".")[0] not in programs}
    for path in outer:
        view.set_submodule(path, _Program(view.get_submodule(path)))
    return outer


OnStep = Callable[[int, FlowStep], Tensor | None]
OF_MAPS = re.compile(r"conv(_transpose)?2d|.*_pool2d|interpolate|grid_sample|pixel_(un)?shuffle")
"""Functions that read and give maps (N, C, h, w)."""
REDUCING = re.compile(r"(a|arg)?(max|min)|mean|sum|logsumexp")
Known = tuple["weakref.ref[Tensor]", tuple[int, ...], Layout | None]


class Dataflow:
    """A forward pass of one image that calls `on_step(index, step)` at each of its steps.

    What that returns, unless None, is handed on instead of the output. `steps` are those that ran, the image
    first; `inputs` and `shapes` are those of a Trace; `untraced` are modules of which it tells nothing.
    """

    def __init__(self, net: nn.Module, on_step: OnStep) -> None:
        self.on_step = on_step
        self.runs = False  # a backward pass calls layers again where these are checkpointed
        self.steps: list[FlowStep] = []
        self.inputs: dict[str, LayerInput] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.view = recording_calls(net, None, self._on_call).requires_grad_(False)
        self.untraced = _wrapped_programs(self.view)
        self.modules = dict(self.view.named_modules())
        self.state = {_memory(each) for each in (*self.view.parameters(), *self.view.buffers())}
        attention = (path for path, each in self.modules.items() if isinstance(each, nn.MultiheadAttention))
        self.untraced.update(attention)
        self.inside: list[_Running] = []
        self.calls: Counter[str] = Counter()
        self.failed: FlowStep | None = None
        self._renamed: dict[str, str] = {}
        # Weakly: a tensor that is gone may leave its id to another.
        self._known: dict[int, Known] = {}
        self._nodes: dict[Any, int] = {}  # of the gradient graph, that of what a step handed on → its index
        self._instead: dict[int, tuple[Tensor, Tensor]] = {}  # what an unseen function gave, what goes on
        for layer in (*leaf_paths(self.view), *self.untraced):
            self.modules[layer].register_forward_pre_hook(partial(self._enter, layer), with_kwargs=True)
            self.modules[layer].register_forward_hook(partial(self._leave, layer))

    def run(self, x: Tensor) -> object:
        """What the network returns for one image x, float (1, C, h, w), which it may write on."""
        image = self._hand_on(FlowStep(IMAGE, "image", None, (), (), x, FIRST))
        self.runs = True
        try:
            with Functions(self._run):
                result = self.view(image)
            return self._noting_unseen(result)
        finally:
            self.runs = False
            self._nodes.clear()
            self._instead.clear()

    @property
    def stopped(self) -> FlowStep | None:
        """The step at which an error was raised; None if that was between two steps."""
        if not self.inside:
            return self.failed
        path, read = self.inside[-1].path, self.inside[-1].read
        return FlowStep(
            self._named(path), kind_of_module(self.modules[path]), path, self._sources(read), read
        )

    # Layers

    def _enter(self, path: str, _: nn.Module, args: object, kwargs: object) -> Any:
        if not self.runs:
            return None
        with torch._C.DisableTorchFunction():  # no part of the network's pass
            given = (args, kwargs) if self.inside else self._noting_unseen((args, kwargs))
        self.inside.append(_Running(path, tuple(tensors_in(given))))
        return given

    def _on_call(self, call: Call) -> Instead | None:
        if not self.runs:
            return None
        path = layer_path(self.view, call.layer)
        self._note_for_trace(call)
        sources = self._sources([call.handed_on]) or self._sources(call.read)  # by the modules inside, if any
        kind = self._kind(path, call.read, call.handed_on)
        self.calls[path] += 1
        made = self._hand_on(
            FlowStep(call.layer, kind, path, sources, call.read, call.handed_on, call.layout)
        )
        return None if made is None or made is call.handed_on else Instead(made)

    def _kind(self, path: str, read: tuple[Tensor, ...], output: Tensor) -> str:
        kind = kind_of_module(self.modules[path])
        if kind != "other" or not self.inside or self.inside[-1].path != path:
            return kind
        return kind_by_functions(self.inside[-1].functions, bool(read) and _flattens(read[0], output))

    def _leave(self, path: str, _: nn.Module, __: object, output: object) -> Tensor | None:
        """Steps that are not in a Trace: attention, programs, and layers that give several tensors."""
        if not self.runs:
            return None
        read, tensors = self.inside.pop().read, tensors_in(output)
        if not tensors or (isinstance(output, Tensor) and path not in self.untraced):
            return None
        one = output if isinstance(output, Tensor) else None
        kind = kind_of_module(self.modules[path])
        layout = FIRST if one is not None and one.ndim == 4 else None
        made = self._hand_on(FlowStep(self._named(path), kind, path, self._sources(read), read, one, layout))
        self.calls[path] += 1
        if made is None:
            self._know_all(tensors)
        return made

    def _named(self, path: str) -> str:
        return f"{path}#{self.calls[path] + 1}" if self.calls[path] else path

    def _note_for_trace(self, call: Call) -> None:
        """As in a Trace, where a layer that hands on its very input is the source of what reads that."""
        if call.layout is None:
            return
        source = call.source
        while source in self._renamed:
            source = self._renamed[source]
        self.inputs[call.layer] = LayerInput(source, tuple(call.received.shape[1:]))
        self.shapes[call.layer] = tuple(call.output.shape[1:])
        if call.source is not None and any(call.handed_on is tensor for tensor in call.read):
            self._renamed[call.source] = call.layer

    # Functions between layers

    def _run(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = function_name(function)
        if self.inside:
            if not self._nodes or any(tensor.requires_grad for tensor in tensors_in((args, kwargs))):
                self.inside[-1].functions.append(name)  # not of what makes a weight
            return function(*args, **kwargs)
        if self._nodes and is_inside_function():
            return function(*args, **kwargs)
        args, kwargs = self._noting_unseen((args, kwargs))
        read = tuple(tensor for tensor in tensors_in((args, kwargs)) if self._is_known(tensor))
        if not read or LIKE.fullmatch(name):
            return function(*args, **kwargs)
        written = written_by(function, args, kwargs)
        if written is not None and _memory(written) in self.state:
            with torch.no_grad():  # statistics that a network keeps: nothing of them flows on
                return function(*args, **kwargs)
        if name in MERGED:
            result = function(*args, **kwargs)
            if not _flattens(read[0], result):
                self._merge(name, read[:1] if name.endswith("_as") else read, result, written)
                return result
            name = "flatten"
        else:
            result = self._computed(name, function, args, kwargs, read, written)
        if not tensors_in(result):
            return result
        return self._note(name, read, result, written)

    def _computed(
        self,
        name: str,
        function: Any,
        args: Any,
        kwargs: Any,
        read: tuple[Tensor, ...],
        written: Tensor | None,
    ) -> Any:
        """The result, of a copy of what the function writes into: the original gets it later."""
        if written is not None:
            copy = written.clone()
            args = tuple(copy if arg is written else arg for arg in args)
            kwargs = {key: copy if arg is written else arg for key, arg in kwargs.items()}
        try:
            return function(*args, **kwargs)
        except Exception:
            self.failed = self._operation(name, read, None)
            raise

    def _operation(
        self,
        name: str,
        read: tuple[Tensor, ...],
        output: Tensor | None,
        sources: tuple[int, ...] | None = None,
    ) -> FlowStep:
        full, sources = self._named(self._full(name)), self._sources(read) if sources is None else sources
        layout = None if output is None else self._layout_of(name, read, output, sources)
        return FlowStep(full, kind_of_function(name), None, sources, read, output, layout)

    def _layout_of(
        self, name: str, read: tuple[Tensor, ...], output: Tensor, sources: Iterable[int]
    ) -> Layout | None:
        """That of what a function read where it fits; else as maps by its kind, or as what it comes from."""
        layouts = map(self._layout, read)
        fitting = next((each for each in layouts if each and each.fits(output)), None)
        if fitting or output.ndim != 4:
            return fitting
        if OF_MAPS.fullmatch(name):
            return FIRST
        grouped = REDUCING.fullmatch(name) and all(tensor.ndim == 5 for tensor in read)
        steps = self.steps if grouped else map(self.steps.__getitem__, sources)
        shapes = [step.shape for step in steps if step.layout == FIRST]
        if grouped or not read:
            shapes = [(*output.shape[1:2], *shape[1:]) for shape in shapes]  # of groups or parts of channels
        return FIRST if tuple(output.shape[1:]) in shapes else None

    def _full(self, name: str) -> str:
        return f"torch.{name}" if name in self.modules else name

    def _note(self, name: str, read: tuple[Tensor, ...], result: Any, written: Tensor | None) -> Any:
        output = _values_in(result)
        made = self._hand_on(self._operation(name, read, output))
        self.calls[self._full(name)] += 1
        if made is None:
            self._know_all(tensors_in(result))
            return result
        if output is not result:
            return type(result)([made if each is output else each for each in result])
        if written is None:
            return made
        if written.shape != made.shape:
            written.resize_(made.shape)
        written.copy_(made)
        self._write(written, (len(self.steps) - 1,), self.steps[-1].layout)
        return written

    def _merge(self, name: str, read: tuple[Tensor, ...], result: Any, written: Tensor | None) -> None:
        layout = self._known[id(read[0])][2] if name in KEEPING else None
        for tensor in tensors_in(result):
            if tensor is not read[0]:
                self._know(tensor, self._sources(read), layout)
        if written is not None:
            self._write(written, self._sources(read), self._layout(written))

    # Functions that torch does not tell of

    def _noting_unseen(self, value: Any) -> Any:
        """A value with what the network goes on with instead of what such functions gave."""
        return tensors_replaced(value, self._gone_on_with) if self._nodes else value

    def _gone_on_with(self, tensor: Tensor) -> Tensor:
        original, made = self._instead.get(id(tensor), (None, tensor))
        if original is tensor:
            return made
        if tensor.grad_fn is None or (self._is_known(tensor) and not is_of_function(tensor)):
            return tensor
        nodes = nodes_before(tensor.grad_fn, self._nodes)
        sources = tuple(sorted(self._nodes[node] for node in nodes))
        if not sources:
            return tensor
        name = name_of(tensor)
        step = replace(self._operation(name, (), tensor, sources), kind=kind_of_class(name))
        goes_on = self._hand_on(step)
        self.calls[self._full(name)] += 1
        if goes_on is None or goes_on is tensor:
            return tensor
        self._instead[id(tensor)] = tensor, goes_on
        return goes_on

    # Tensors

    def _hand_on(self, step: FlowStep) -> Tensor | None:
        """Note the step; the tensor that the network goes on with, which is another one than was read."""
        if step.output is not None:
            maps = step.layout.maps(step.output) if step.layout else step.output
            step = replace(step, shape=tuple(maps.shape[1:]))
        self.steps.append(replace(step, read=(), output=None))
        self.failed = None
        made = self.on_step(len(self.steps) - 1, step)
        if step.output is None:
            return None
        if made is None:
            is_read = any(step.output is tensor for tensor in step.read)
            made = step.output.view_as(step.output) if is_read else step.output
        self._know(made, (len(self.steps) - 1,), step.layout)
        if made.grad_fn is not None:
            self._nodes[made.grad_fn] = len(self.steps) - 1
        return made

    def _know_all(self, tensors: Iterable[Tensor]) -> None:
        """Several tensors are what the last step gave."""
        for tensor in tensors:
            self._know(tensor, (len(self.steps) - 1,), None)

    def _know(self, tensor: Tensor, sources: tuple[int, ...], layout: Layout | None) -> None:
        fitting = layout if layout and layout.fits(tensor) else None
        self._known[id(tensor)] = (weakref.ref(tensor), sources, fitting)

    def _write(self, written: Tensor, sources: tuple[int, ...], layout: Layout | None) -> None:
        """What is written into a tensor can be in all that share its memory."""
        memory = _memory(written)
        for reference, old, layout_of_other in list(self._known.values()):
            other = reference()
            if other is not None and other is not written and _memory(other) == memory:
                self._know(other, _united([old, sources]), layout_of_other)
        self._know(written, sources, layout)

    def _is_known(self, tensor: Tensor) -> bool:
        return id(tensor) in self._known and self._known[id(tensor)][0]() is tensor

    def _layout(self, tensor: Tensor) -> Layout | None:
        return self._known[id(tensor)][2] if self._is_known(tensor) else None

    def _sources(self, tensors: Iterable[Tensor]) -> tuple[int, ...]:
        return _united([self._known[id(tensor)][1] for tensor in tensors if self._is_known(tensor)])


def _values_in(result: Any) -> Tensor | None:
    """What a function gave: also the values that `max` over an axis gives with their indexes."""
    if isinstance(result, Tensor):
        return result
    values = [each for each in tensors_in(result) if each.is_floating_point()]
    return values[0] if isinstance(result, tuple) and len(values) == 1 < len(result) else None


def _memory(tensor: Tensor) -> int:
    """What is the same for tensors that share memory."""
    memory: int = tensor.untyped_storage()._cdata
    return memory


def _united(sources: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(index for each in sources for index in each))


def _flattens(read: Tensor, result: object) -> bool:
    """Whether maps (N, C, h, w) become one row for each image."""
    return (
        isinstance(result, Tensor)
        and read.ndim == 4
        and result.ndim == 2
        and len(result) == len(read)
        and result.numel() == read.numel()
    )
