"""3×3 convolutions of small maps as matrix products: the same sums, sooner, for training on a CPU.

What oneDNN gains by not copying windows it loses on maps of a few cells and many channels: with 384 channels
of 4×4 and batches of 128 in bf16 the gradient of the filters takes 18 ms there and 5 ms here (two cores).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

SMALL = 16
"""Cells of a map up to which the product is sooner; at 64 both take as long."""


def convolved(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """What `conv`, 3×3 with padding 1 and without a bias, makes of x (N, C, H, W), within rounding.

    Where maps are small that is a product, and hooks of `conv` are not called; else `conv` itself.
    """
    if x.device.type != "cpu" or x.shape[2:].numel() > SMALL or torch.compiler.is_compiling():
        return conv(x)  # type: ignore[no-any-return]
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    return _Product.apply(x.to(dtype), conv.weight.to(dtype))  # type: ignore[no-any-return, no-untyped-call]


def windows(x: Tensor) -> Tensor:
    """Every cell's 3×3 surroundings in x (N, C, H, W), zero outside: (N·H·W, 9·C), row by row of a window."""
    count, channels, height, width = x.shape
    padded = pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    image, row, column, channel = padded.stride()
    shape, strides = (count, height, width, 3, 3, channels), (image, row, column, row, column, channel)
    return padded.as_strided(shape, strides).reshape(count * height * width, 9 * channels)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        patches = windows(x)
        ctx.save_for_backward(patches, weight)
        return _maps(patches @ weight.permute(2, 3, 1, 0).reshape(patches.shape[1], -1), x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor]:
        patches, weight = ctx.saved_tensors
        wide, narrow = weight.shape[:2]
        input_gradient = None
        if ctx.needs_input_grad[0]:  # what a cell gave to its surroundings: the filters turned half round
            turned = weight.flip(2, 3).permute(2, 3, 0, 1).reshape(9 * wide, narrow)
            input_gradient = _maps(windows(gradient) @ turned, gradient)
        cells = gradient.permute(0, 2, 3, 1).reshape(-1, wide)
        return input_gradient, (cells.t() @ patches).view(wide, 3, 3, narrow).permute(0, 3, 1, 2)


def _maps(rows: Tensor, like: Tensor) -> Tensor:
    """Rows (N·H·W, C) as maps (N, C, H, W), channels last, of the size of `like`."""
    count, _, height, width = like.shape
    return rows.view(count, height, width, rows.shape[1]).permute(0, 3, 1, 2)
