"""What would become of a network's sizes and receptive fields if one of its layers had other settings."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from explorer.engine.arithmetic import Settings
from explorer.engine.calls import Call
from explorer.engine.copies import copied
from explorer.engine.geometry import ADAPTIVE, POOLS
from explorer.engine.passes import check_images, layer_path, leaf_paths, recording_calls
from explorer.engine.receptive import Follow, run_followed
from explorer.engine.spans import Fields

WINDOWS = (nn.Conv2d, nn.ConvTranspose2d, *POOLS, *ADAPTIVE)
Pair = tuple[int, int]


@dataclass(frozen=True)
class LayerReach:
    """What one layer with a window gives, all as (rows, columns): its output `size`, the `field` of pixels
    that one position in the middle of its map reads, the field and the `jump` of what it reads itself (the
    distance in pixels between two neighbors; 0 where every position reads the same).

    If not `exact`, a position may read less.
    """

    layer: str
    kind: str
    size: Pair
    field: Pair
    read_field: Pair
    jump: Pair
    exact: bool


@dataclass(frozen=True)
class StopPoint:
    """Where a forward pass ended early: the layer and its kind, "" for an operation outside of modules that
    follows `layer`; for a linear layer, how many values it takes and how many it was given, else 0; what
    PyTorch says.
    """

    layer: str
    kind: str
    takes: int
    given: int
    message: str


@dataclass(frozen=True)
class Chain:
    """Every layer with a window that ran, in order; `stop` is None where the pass came to its end."""

    layers: tuple[LayerReach, ...]
    stop: StopPoint | None = None


def chain(net: nn.Module, x: Tensor, layer: str = "", settings: Settings | None = None) -> Chain:
    """The Chain of a network for an image x, float (1, C, h, w), with other settings of one layer if given.

    The layer keeps its channels; its weights are random, since neither sizes nor fields depend on them. A
    module that runs several times is changed in each of its calls.
    """
    check_images(x)
    x = x.detach().clone()
    follow, layers = Follow(x), list[LayerReach]()

    def record(call: Call) -> None:
        module = changed.get_submodule(layer_path(changed, call.layer))
        if call.layout is not None and call.received.ndim == 4 and isinstance(module, WINDOWS):
            layers.append(_reach(call, type(module).__name__, follow))

    changed = net if settings is None else with_settings(net, layer, settings)
    view = recording_calls(changed, None, record)
    progress = _Progress(view)
    try:
        run_followed(view, x, follow)
    except (RuntimeError, ValueError, IndexError, TypeError, AssertionError) as error:
        if settings is None:  # as it is, the network takes this image
            raise
        return Chain(tuple(layers), progress.stop(error))
    return Chain(tuple(layers))


def with_settings(net: nn.Module, layer: str, settings: Settings) -> nn.Module:
    """A copy of a network in which one layer has the kernel, stride, padding and dilation of `settings`."""
    path = layer_path(net, layer)
    with torch.inference_mode(False), torch.no_grad():
        copy = copied(net, shared=True)
        copy.set_submodule(path, _with(copy.get_submodule(path), settings))
    return copy


def _with(module: nn.Module, settings: Settings) -> nn.Module:
    """A layer of the same kind and channels."""
    rows, columns = settings.rows, settings.columns
    kernel, stride = (rows.kernel, columns.kernel), (rows.stride, columns.stride)
    dilation = (rows.dilation, columns.dilation)
    even = all(axis.padding[0] == axis.padding[1] for axis in (rows, columns))
    padding = (rows.padding[0], columns.padding[0]) if even else (0, 0)
    if isinstance(module, nn.MaxPool2d):
        return nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=rows.ceil_mode)
    if isinstance(module, nn.AvgPool2d):
        return nn.AvgPool2d(kernel, stride, padding, ceil_mode=rows.ceil_mode)
    assert isinstance(module, nn.Conv2d)
    weight = module.weight
    conv = nn.Conv2d(
        module.in_channels, module.out_channels, kernel, stride, padding, dilation, module.groups,
        module.bias is not None, module.padding_mode, device=weight.device, dtype=weight.dtype,
    )  # fmt: skip
    if not even:  # Conv2d itself pads so where the padding is not of zeros
        if conv.padding_mode == "zeros":
            conv.padding_mode = "constant"  # type: ignore[assignment]
        conv._reversed_padding_repeated_twice = [*columns.padding, *rows.padding]
    return conv


class _Progress:
    """Which modules of a view have begun and not ended, and the last that ended."""

    def __init__(self, view: nn.Module) -> None:
        self.open: list[tuple[str, nn.Module, Tensor | None]] = []
        self.last = ""
        for path in leaf_paths(view):
            module = view.get_submodule(path)
            module.register_forward_pre_hook(partial(self._begin, path))
            module.register_forward_hook(self._end)

    def _begin(self, path: str, module: nn.Module, args: tuple[object, ...]) -> None:
        received = args[0] if args and isinstance(args[0], Tensor) else None
        self.open.append((path, module, received))

    def _end(self, *_: object) -> None:
        self.last = self.open.pop()[0]

    def stop(self, error: Exception) -> StopPoint:
        message = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        if not self.open:
            return StopPoint(self.last, "", 0, 0, message)
        path, module, received = self.open[-1]
        kind = type(module).__name__
        if isinstance(module, nn.Linear) and received is not None:
            return StopPoint(path, kind, module.in_features, received.shape[-1], message)
        return StopPoint(path, kind, 0, 0, message)


def _reach(call: Call, kind: str, follow: Follow) -> LayerReach:
    given, read = follow.of(call.output), follow.of(call.received)
    height, width = call.output.shape[-2:]
    jump = read.axes[0].jump, read.axes[1].jump
    return LayerReach(
        call.layer, kind, (height, width), _middle(given, call.output), _middle(read, call.received), jump,
        given.exact,
    )  # fmt: skip


def _middle(fields: Fields, maps: Tensor) -> Pair:
    """How many pixels a position in the middle of maps reads, in rows and in columns."""
    rows, columns = (spans.look[len(spans.look) // 2] for spans in fields.sized(maps.shape).axes)
    return int(rows[1] - rows[0]), int(columns[1] - columns[0])
