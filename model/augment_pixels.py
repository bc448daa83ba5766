"""Batched augmentation that changes colors and detail and leaves everything in its place.

Images are float32 (N,3,H,W) from 0 to 1, in and out; factors as in torchvision.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from model.augment_draws import Shape, draw_about_one, draw_about_zero

GRAY = (0.2989, 0.587, 0.114)
TINY = 1e-12  # keeps a division by the chroma of a gray pixel finite


def per_image(values: Tensor) -> Tensor:
    """Shape one value an image (N,) so that it broadcasts over (N,3,H,W)."""
    return values.view(-1, 1, 1, 1)


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply each image by factor, float32 (N,) from 0."""
    return images.mul(per_image(factor)).clamp_(0, 1)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Move each image's pixels away from its mean gray by factor, float32 (N,) from 0."""
    mean = (images.mean((2, 3)) * images.new_tensor(GRAY)).sum(1)
    return images.mul(per_image(factor)).add_(per_image(mean * (1 - factor))).clamp_(0, 1)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Move each pixel away from its own gray by its image's factor, float32 (N,) from 0."""
    gray_weight = per_image(1 - factor)
    return images.mul(per_image(factor)).add_(luminance(images).mul_(gray_weight)).clamp_(0, 1)


def luminance(images: Tensor) -> Tensor:
    """Weigh the colors of (N,3,H,W) into gray (N,1,H,W)."""
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    return red.mul(GRAY[0]).add_(green, alpha=GRAY[1]).add_(blue, alpha=GRAY[2])


def hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of each image by a fraction of the color circle, float32 (N,) from -0.5 to 0.5.

    Without a detour over HSV and without a case per color. Let low be the least and chroma the range of a
    pixel's colors, and u its hue from 0 to 1, red at 0. Then 6 |u| = 1 + (green + blue - red - low) / chroma
    for u from -1/2 to 1/2 with the sign of green - blue, and back again
    red = low + chroma * clamp(6 |u - 1/2| - 1, 0, 1), green = low + chroma * clamp(2 - 6 |u - 1/3|, 0, 1).
    """
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    low = torch.minimum(red, green).minimum(blue)
    chroma6 = torch.maximum(red, green).maximum(blue).sub_(low).mul_(6)
    u = (green + blue).sub_(red).sub_(low).div_(chroma6.clamp_min(TINY)).add_(1 / 6)
    u = u.copysign_(green - blue).add_(per_image(turn + 1)).frac_()
    centers = images.new_tensor([1 / 2, 1 / 3, 2 / 3]).view(3, 1, 1)
    turned = (u - centers).abs_().clamp_(1 / 6, 2 / 6).mul_(chroma6)
    low.sub_(chroma6, alpha=1 / 6)
    turned[:, :1].add_(low)
    turned[:, 1:].neg_().add_(low.add_(chroma6, alpha=1 / 2))
    return turned.clamp_(0, 1)


JITTER = (brightness, contrast, saturation, hue)


def jitter(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """Apply all of JITTER with factors, float32 (N,4), in each image's own order, int64 (N,4) of 0 to 3."""
    jittered = images.clone()
    for turn in order.unbind(1):
        for step, change in enumerate(JITTER):
            rows = (turn == step).nonzero().squeeze(1)
            factor = factors.index_select(0, rows)[:, step]
            jittered.index_copy_(0, rows, change(jittered.index_select(0, rows), factor))
    return jittered


def gray(images: Tensor, chosen: Tensor) -> Tensor:
    """Take the color out of the chosen images, bool (N,)."""
    return torch.where(per_image(chosen), luminance(images), images)


def blur(images: Tensor, kernel: Tensor) -> Tensor:
    """Blur each image down and across with its own odd kernel, float32 (N,K); the border is mirrored."""
    blurred = pad(images, [kernel.shape[1] // 2] * 4, mode="reflect")
    for axis in (2, 3):
        blurred = weigh(blurred, kernel, axis)
    return blurred.clamp_(0, 1)


def weigh(images: Tensor, kernel: Tensor, axis: int) -> Tensor:
    """Sum neighbors along an axis, each times its kernel's tap, float32 (N,K): K - 1 shorter than images."""
    taps = kernel.shape[1]
    length = images.shape[axis] - taps + 1
    total = images.narrow(axis, 0, length) * per_image(kernel[:, 0])
    for tap in range(1, taps):
        total.addcmul_(images.narrow(axis, tap, length), per_image(kernel[:, tap]))
    return total


def gaussian(sigma: Tensor, radius: int) -> Tensor:
    """Sample a Gaussian of each width sigma, float32 (N,) in pixels, at -radius to radius; each sums to 1."""
    distance = torch.arange(-radius, radius + 1) / sigma.clamp_min(1e-3)[:, None]
    return (distance.square() / -2).softmax(1)


def noise(images: Tensor, amplitude: Tensor, field: Tensor) -> Tensor:
    """Add to each image the field, float32 (N,3,H,W), times its amplitude, float32 (N,)."""
    return images.addcmul(per_image(amplitude), field).clamp_(0, 1)


def mosaic(images: Tensor, block: Tensor) -> Tensor:
    """Give every square of block by block pixels, int64 (N,) from 1, its mean; squares start top left."""
    count, _, height, width = images.shape
    side = block.view(-1, 1, 1)
    rows = torch.arange(height, device=images.device)[:, None] // side
    squares = rows * width + torch.arange(width, device=images.device) // side
    squares = squares.view(count, 1, -1)
    shared = squares.expand(-1, 3, -1)
    sums = torch.zeros_like(images).flatten(2).scatter_add_(2, shared, images.flatten(2))
    sizes = torch.zeros_like(sums[:, :1]).scatter_add_(2, squares, torch.ones_like(sums[:, :1]))
    return sums.div_(sizes.clamp_min_(1)).gather(2, shared).view(images.shape)


def draw_jitter(shape: Shape, strength: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Draw factors (N,4), three 1 ± strength and a hue ± strength / 2, and their order, int64 (N,4)."""
    factors = [draw_about_one(shape, strength, generator)[0] for _ in range(3)]
    factors += draw_about_zero(shape, strength / 2, generator)
    return torch.stack(factors, 1), torch.rand((shape[0], 4), generator=generator).argsort(1)


def draw_blur(shape: Shape, strength: float, generator: Generator) -> tuple[Tensor]:
    """Draw Gaussian kernels (N,K) with sigma evenly up to the fraction `strength` of the shorter side."""
    count, *sides = shape
    widest = strength * min(sides)
    radius = min(math.ceil(3 * widest), min(sides) - 1)
    return (gaussian(torch.rand(count, generator=generator) * widest, radius),)


def draw_noise(shape: Shape, strength: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Draw amplitudes (N,) evenly up to strength, and a field (N,3,H,W) of standard normal values."""
    count, height, width = shape
    amplitude = torch.rand(count, generator=generator) * strength
    return amplitude, torch.randn((count, 3, height, width), generator=generator)


def draw_mosaic(shape: Shape, strength: float, generator: Generator) -> tuple[Tensor]:
    """Draw block sides int64 (N,) from 1 to the fraction `strength` of the shorter side."""
    count, *sides = shape
    largest = max(1, round(strength * min(sides)))
    return (torch.rand(count, generator=generator).mul_(largest).long().clamp_(max=largest - 1).add_(1),)
