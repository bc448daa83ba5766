"""Batched augmentation that moves pixels: each output pixel is fetched from one input pixel.

Images are float32 (N,3,H,W) from 0 to 1. What comes from outside an image is black. Angles, scales and shears
are about the center, signs and rounding as in torchvision.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from model.augment_draws import Shape


def shift(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Move each image by whole pixels, int64 (N,); negative up and left."""
    y, x = grid(images)
    return fetch(images, y - across(down), x - across(right))


def flip(images: Tensor, flipped: Tensor) -> Tensor:
    """Mirror left and right where flipped, bool (N,), is true."""
    mirrored = images.clone()
    rows = flipped.nonzero().squeeze(1)
    return mirrored.index_copy_(0, rows, images.index_select(0, rows).flip(3))


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Turn each image counterclockwise by degrees, float32 (N,)."""
    radians = degrees * (math.pi / 180)
    cosine, sine = across(radians.cos()), across(radians.sin())
    y, x = grid(images)
    return fetch(images, y * cosine + x * sine, x * cosine - y * sine)


def scale(images: Tensor, factor: Tensor) -> Tensor:
    """Enlarge each image by factor, float32 (N,) above 0; below 1 it shrinks."""
    y, x = grid(images)
    return fetch(images, y / across(factor), x / across(factor))


def shear(images: Tensor, degrees: Tensor) -> Tensor:
    """Slant each image sideways by degrees, float32 (N,): its lower half moves left, its upper half right."""
    y, x = grid(images)
    return fetch(images, y, x + y * across((degrees * (math.pi / 180)).tan()))


def grid(images: Tensor) -> tuple[Tensor, Tensor]:
    """Give each pixel's distance from the center: y float32 (H,1) and x (W,)."""
    height, width = images.shape[2:]
    y = torch.arange(height, device=images.device) - (height - 1) / 2
    return y[:, None], torch.arange(width, device=images.device) - (width - 1) / 2


def across(values: Tensor) -> Tensor:
    """Shape one value an image (N,) so that it broadcasts over (N,H,W)."""
    return values.view(-1, 1, 1)


def fetch(images: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """For each output pixel fetch the nearest to y, x, float32 that broadcast to (N,H,W), from the center."""
    count, channels, height, width = images.shape
    # A black border takes what lies outside: cheaper than a mask. Rounding comes before any shift by one,
    # because it goes to the even neighbor half-way.
    rows = (y + (height - 1) / 2).round_().clamp_(-1, height).int()
    columns = (x + (width - 1) / 2).round_().clamp_(-1, width).int()
    source = (rows.add_(1).mul_(width + 2) + columns.add_(1)).long().view(count, 1, -1)
    fetched = pad(images, [1] * 4).flatten(2).gather(2, source.expand(-1, channels, -1))
    return fetched.view(images.shape)


def draw_shift(shape: Shape, strength: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Draw down and right, whole pixels up to the fraction `strength` of the height and of the width."""
    count, height, width = shape
    down, right = torch.rand((2, count), generator=generator)
    return whole(down, round(strength * height)), whole(right, round(strength * width))


def whole(drawn: Tensor, reach: int) -> Tensor:
    """Spread values from 0 to 1 evenly over the whole numbers from -reach to reach."""
    return drawn.mul(2 * reach + 1).long().clamp_(max=2 * reach).sub_(reach)
