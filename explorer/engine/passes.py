"""Forward passes that show what happens inside, on private views of the network that is shared.

Hooks sit on modules and Streamlit runs each visitor in a thread of its own, so nothing here ever hooks
the network it is given. Each call hooks a private view of it: new module objects with tensors of their own.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from explorer.engine.calls import UNASKED, Call, Instead, OnCall, visit_calls
from explorer.engine.copies import copied, uncompile
from explorer.engine.gradient_mode import answer
from explorer.engine.notes import note_of, write_note
from explorer.engine.randomness import SEED, seed_passes
from explorer.engine.stage import has_modules, stage_of
from explorer.engine.values import Floats
from model.nets import in_evaluation
from model.problems import Problem
from model.words import N_

Visit = Callable[[str, Tensor, Tensor], Tensor | None]


def private_view(net: nn.Module, seed: int = SEED) -> nn.Module:
    """New module objects with tensors of their own, in eval mode, with nothing in place.

    Hook it, switch it, run it, throw it away: `net` keeps its hooks, its mode and every value. Buffers
    and other tensors are copies. Parameters share memory with `net` once a forward pass of a view has
    left all of them as they were; until then, and for a network that writes them, they are copies too.
    A network that writes a parameter only for some inputs, or only when gradients are taken, is not caught.
    Tensors that share memory in `net` share it in the view. Random numbers are those of `seed` in every pass,
    and every pass begins with the buffers of `net`, whatever the one before wrote into them.
    """
    calm = net in _CALM
    with torch.inference_mode(False), torch.no_grad():
        view = copied(net, shared=calm)
    uncompile(view)
    for module in view.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    seed_passes(net, view, seed)
    answer(net, view)
    if note_of(net, GRADIENTS):
        _keep_gradients(view)
    if overwrites(net):
        _keep_copies(view)
    if net not in _STEADY:
        _start_anew(net, view)
    if not calm:
        view.register_forward_hook(lambda view, *_: _note_calm(net, view))
    return in_evaluation(view)


GRADIENTS, OVERWRITES = "gradients", "overwrites"  # names of notes


def need_gradients(net: nn.Module) -> nn.Module:
    """The network itself, whose every pass computes a graph from now on: its forward fails without one.

    One that hooks its own feature maps does, as tutorials of Grad-CAM write it (`x.register_hook`).
    """
    return write_note(net, GRADIENTS, True)


def keep_overwritten(net: nn.Module) -> nn.Module:
    """The network itself, of whose every pass copies are kept of what its gradients need, from now on.

    For one that writes into such tensors: torch itself refuses the gradients of, for example, `x *= 2` after
    a ReLU, which are as well defined as those of `x = 2 * x`.
    """
    return write_note(net, OVERWRITES, True)


def overwrites(net: nn.Module) -> bool:
    """Whether `keep_overwritten` was called for the network."""
    return bool(note_of(net, OVERWRITES))


def is_refused(error: RuntimeError) -> bool:
    """Whether torch refuses gradients since the network wrote into what they need."""
    return "modified by an inplace operation" in str(error)


def _keep_copies(view: nn.Module) -> None:
    kept: list[saved_tensors_hooks] = []

    def start(*_: object) -> None:
        kept.append(saved_tensors_hooks(lambda tensor: tensor.detach().clone(), lambda copy: copy))
        kept[-1].__enter__()

    def finish(*_: object) -> None:
        kept.pop().__exit__()

    view.register_forward_pre_hook(start, prepend=True)
    view.register_forward_hook(finish, always_call=True)


def _keep_gradients(view: nn.Module) -> None:
    """Let each pass compute a graph; without gradients outside, what it returns has none."""
    modes: list[bool] = []

    def start(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        modes.append(torch.is_grad_enabled())
        torch.set_grad_enabled(True)
        UNASKED.set(not modes[-1])
        return inputs if modes[-1] else tuple(map(_on_graph, inputs))

    def finish(_: nn.Module, __: object, output: object) -> object:
        before = modes.pop()
        torch.set_grad_enabled(before)
        UNASKED.set(False)
        return output.detach() if not before and isinstance(output, Tensor) else output

    view.register_forward_pre_hook(start, prepend=True)
    view.register_forward_hook(finish, always_call=True)


def _on_graph(value: object) -> object:
    return value.detach().requires_grad_().clone() if isinstance(value, Tensor) else value


# Networks whose parameters a forward pass left as they were.
_CALM: "WeakSet[nn.Module]" = WeakSet()


def is_calm(net: nn.Module) -> bool:
    """Whether a forward pass of a view has left the parameters of the network as they were."""
    return net in _CALM


def _note_calm(net: nn.Module, view: nn.Module) -> None:
    before, after = list(net.parameters()), list(view.parameters())
    if len(before) == len(after) and all(map(_equal, before, after)):
        _CALM.add(net)


# Networks whose buffers a forward pass left as they were.
_STEADY: "WeakSet[nn.Module]" = WeakSet()


def _start_anew(net: nn.Module, view: nn.Module) -> None:
    """Give every pass of a view but the first new buffers: gradients may need those written before."""
    held = list(view.buffers())  # TorchScript would give new ones with new ids
    originals = {id(buffer): buffer.clone() for buffer in held}
    slots = [
        (module._buffers, name, originals[id(buffer)])
        for module in view.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    passes: list[bool] = []

    def start(*_: object) -> None:
        if passes and net not in _STEADY:
            copies = {id(original): original.clone() for original in originals.values()}
            for buffers, name, original in slots:
                buffers[name] = copies[id(original)]
        passes.append(True)

    def finish(*_: object) -> None:
        pairs = ((dict(buffers.items()).get(name), original) for buffers, name, original in slots)
        if len(passes) == 1 and all(now is not None and _equal(now, before) for now, before in pairs):
            _STEADY.add(net)

    view.register_forward_pre_hook(start)
    view.register_forward_hook(finish)


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)


def recorded(net: nn.Module, x: Tensor, layers: Iterable[str] | None, visit: Visit) -> object:
    """The network's output for images x, float (N, C, h, w), from one pass without gradients that calls
    `visit` as `recording` says; errors as there.
    """
    view = recording(net, layers, visit)
    with torch.inference_mode(False), torch.no_grad():
        return view(x.detach().clone())


def recording(net: nn.Module, layers: Iterable[str] | None, visit: Visit) -> nn.Module:
    """A private view that calls `visit(name, input, output)` whenever one of these layers has run.

    None stands for every module that computes. Feature maps are given as (N, C, h, w), however the network
    holds them. What `visit` returns, unless None, is handed on instead of the output. Raises Problem for a
    layer that is not there or, when the view runs, for one that does not run.
    """
    return recording_calls(net, layers, lambda call: visit(call.layer, call.received, call.output))


class NotRun(Problem):
    """A layer that does not run on an input, or gives no tensor."""


def recording_calls(net: nn.Module, layers: Iterable[str] | None, on_call: OnCall) -> nn.Module:
    """As `recording`, with all that is known of each call."""
    view, reached = private_view(net), set[str]()
    wanted = None if layers is None else set(layers)

    def visited(call: Call) -> Tensor | Instead | None:
        reached.add(call.layer)
        return on_call(call) if wanted is None or call.layer in wanted else None

    def check_reached(*_: object) -> None:
        if missed := (wanted or set()) - reached:
            template = N_("Layer {layer} did not run on this input: choose another layer.")
            if min(missed) in without_tensor:
                template = N_("Layer {layer} gives no tensor: choose another layer.")
            raise NotRun(template, layer=repr(min(missed)))

    # The layers before the wanted ones tell how these hold their maps.
    paths = dict.fromkeys([*leaf_paths(view), *(_python_path(view, layer) for layer in wanted or ())])
    without_tensor = visit_calls(view, paths, visited)
    view.register_forward_pre_hook(lambda *_: reached.clear())
    view.register_forward_hook(check_reached)
    return view


def _python_path(view: nn.Module, layer: str) -> str:
    """A layer's path. Raises Problem if it is not there or is TorchScript, which takes no hooks."""
    path = layer_path(view, layer)
    if isinstance(view.get_submodule(path), torch.jit.ScriptModule):
        raise Problem("Layer {layer} is TorchScript: choose another layer.", layer=repr(layer))
    return path


def visit_layers(view: nn.Module, paths: Iterable[str], visit: Visit) -> None:
    """Hooks a private view: `visit(name, input, output)` as `recording` says, after every call of these."""
    visit_calls(view, paths, lambda call: visit(call.layer, call.received, call.output))


def tapped(net: nn.Module, layers: Iterable[str]) -> tuple[nn.Module, dict[str, nn.Module]]:
    """A private view in which each named layer's output passes through an Identity of its own.

    Hook the Identity, or give it to Captum as the layer: it runs once a forward, also for `relu#2`,
    which a hook on `relu` could not tell from `relu`. Its maps are (N, C, h, w). Errors as `recording` and
    `feature_maps`.
    """
    points: dict[str, nn.Module] = {layer: nn.Identity() for layer in layers}

    def pass_through(call: Call) -> Tensor:
        passed: Tensor = points[call.layer](feature_maps(call))
        return passed.clone()  # what the network later does in place then happens to the copy

    return recording_calls(net, points, pass_through), points


def feature_maps(call: Call) -> Tensor:
    """A layer's output as feature maps (N, C, h, w); Problem if it holds none."""
    if call.layout is None:
        raise Problem(
            "Layer {layer} gives values of shape {shape}, which are not feature maps: choose another layer.",
            layer=repr(call.layer),
            shape=tuple(call.output.shape),
        )
    return call.output


def leaf_paths(net: nn.Module) -> list[str]:
    """The paths of the modules that compute, also a norm, activation or pooling with modules of its own.

    What is inside of them counts too, but not the modules of a parametrized weight or of TorchScript.
    """
    return [
        path
        for path, module in net.named_modules()
        if path
        and "parametrizations" not in path.split(".")
        and not isinstance(module, torch.jit.ScriptModule)
        and (not has_modules(module) or stage_of(module) is not None)
    ]


def layer_path(net: nn.Module, layer: str) -> str:
    """The module path in a layer name, `relu` of `relu#2`; Problem if it is not in `net`.

    A module may itself have such a name.
    """
    for path in dict.fromkeys((layer, layer.rpartition("#")[0] or layer)):
        with suppress(AttributeError):
            net.get_submodule(path)
            return path
    raise Problem("There is no layer {layer} in this network: choose one of its layers.", layer=repr(layer))


def layer_module(net: nn.Module, layer: str) -> nn.Module:
    """The module behind a layer name; Problem if it is not in `net`."""
    return net.get_submodule(layer_path(net, layer))


def in_faster_order(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What `run` gives for images x, in the memory order that is faster if the network can work in it.

    A network that calls `.view` on its maps cannot.
    """
    try:
        return run(x.detach().clone(memory_format=torch.channels_last))
    except RuntimeError as error:
        if "view size is not compatible" not in str(error):
            raise
    return run(x.detach().clone(memory_format=torch.contiguous_format))


def check_images(x: Tensor, one: bool = False) -> None:
    """ValueError unless x is a float batch (N, C, h, w) of one image or more, or of just `one`."""
    if x.ndim != 4 or not x.is_floating_point() or not x.numel() or (one and len(x) > 1):
        wanted = "(1, C, h, w)" if one else "(N, C, h, w), N at least 1"
        raise ValueError(f"The input must be float {wanted}, not {x.dtype} {tuple(x.shape)}.")


def to_numpy(tensor: Tensor) -> Floats:
    """A float32 array of its own, without the graph."""
    plain = tensor.detach().dequantize() if tensor.is_quantized else tensor.detach()
    return plain.to("cpu", torch.float32).numpy().copy()
