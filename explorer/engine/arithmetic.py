"""Convolution arithmetic: what output size, parameters and receptive field follow from a layer's settings."""

from dataclasses import dataclass, replace
from typing import Literal

from torch import nn

from explorer.engine.geometry import WindowAxis, layer_size, window
from explorer.engine.passes import layer_module
from explorer.engine.tracing import Trace
from model.problems import Problem

Kind = Literal["conv", "max", "avg"]
KINDS: tuple[tuple[type[nn.Module], Kind], ...] = (
    (nn.Conv2d, "conv"),
    (nn.MaxPool2d, "max"),
    (nn.AvgPool2d, "avg"),
)


@dataclass(frozen=True)
class Settings:
    """The settings of a convolution or pooling: a WindowAxis for rows and one for columns, `channels` (in,
    out).

    A pooling has as many channels out as in, one group and no bias.
    """

    kind: Kind
    rows: WindowAxis
    columns: WindowAxis
    channels: tuple[int, int]
    groups: int = 1
    bias: bool = False

    @property
    def square(self) -> bool:
        """Whether rows and columns have the same settings."""
        return self.rows == self.columns

    @property
    def kernel_channels(self) -> int:
        """How many input channels each kernel reads."""
        return self.channels[0] // self.groups if self.kind == "conv" else 1

    @property
    def parameters(self) -> int:
        """How many numbers the layer learns."""
        if self.kind != "conv":
            return 0
        weights = self.channels[1] * self.kernel_channels * self.rows.kernel * self.columns.kernel
        return weights + (self.channels[1] if self.bias else 0)

    @property
    def multiplications(self) -> int:
        """How many products the layer computes for one image, those with padding included."""
        if self.kind != "conv":
            return 0
        positions = self.rows.output * self.columns.output
        return positions * (self.parameters - (self.channels[1] if self.bias else 0))


FREE = Settings("conv", window(32, 3, 1, (1, 1), 1), window(32, 3, 1, (1, 1), 1), (3, 32), bias=True)
"""A convolution of no network, as the first one of many."""


def settings_of(net: nn.Module, seen: Trace) -> dict[str, Settings]:
    """The Settings of every traced Conv2d, MaxPool2d and AvgPool2d, by layer, in the order of the pass.

    Those with an arithmetic of their own, as “same” padding that depends on the input, are left out.
    """
    every = {layer: _settings(net, seen, layer) for layer in seen.shapes}
    return {layer: settings for layer, settings in every.items() if settings is not None}


def _settings(net: nn.Module, seen: Trace, layer: str) -> Settings | None:
    module = layer_module(net, layer)
    kind = next((kind for type, kind in KINDS if isinstance(module, type)), None)
    size = None if kind is None else layer_size(net, seen, layer)
    if kind is None or size is None:
        return None
    if isinstance(module, nn.Conv2d):
        return Settings(kind, size.rows, size.columns, size.channels, module.groups, module.bias is not None)
    return Settings(kind, size.rows, size.columns, size.channels)


def changed_axis(
    before: WindowAxis, size: int, kernel: int, stride: int, padding: int, dilation: int
) -> WindowAxis:
    """An axis with other settings; `padding` is that before the first position, and padding that is uneven in
    `before` stays so."""
    uneven = before.padding[1] - before.padding[0]
    return window(size, kernel, stride, (padding, max(padding + uneven, 0)), dilation, before.ceil_mode)


def with_ceil(settings: Settings, ceil_mode: bool) -> Settings:
    """The same settings with another rounding of the output size."""
    rows, columns = (
        window(axis.input, axis.kernel, axis.stride, axis.padding, axis.dilation, ceil_mode)
        for axis in (settings.rows, settings.columns)
    )
    return replace(settings, rows=rows, columns=columns)


def check(settings: Settings) -> None:
    """Problem where PyTorch would refuse a layer with these settings, or its output would be empty."""
    inside, outside = settings.channels
    if inside % settings.groups or outside % settings.groups:
        raise Problem(
            "{groups} groups do not divide {inside} channels in and {outside} channels out evenly: choose a "
            "number of groups that divides both.",
            groups=settings.groups,
            inside=inside,
            outside=outside,
        )
    for axis in (settings.rows, settings.columns):
        _check_padding(settings.kind, axis)
        if axis.output < 1:
            raise Problem(
                "There is no output: the window reaches over {span} positions, but the input has only "
                "{size} with its padding. Choose a larger input or padding, or a smaller kernel or dilation.",
                span=axis.span,
                size=axis.input + sum(axis.padding),
            )


def _check_padding(kind: Kind, axis: WindowAxis) -> None:
    most = axis.kernel // 2
    if kind != "conv" and max(axis.padding) > most:
        raise Problem(
            "PyTorch allows a pooling a padding of at most half its kernel, here {most}: choose a smaller "
            "padding or a larger kernel.",
            most=most,
        )
