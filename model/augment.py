"""Batched augmentation: every transform is one function that applies parameters and one that draws them.

Applying functions take a batch and one parameter per image; an image's result depends on its own
parameters only, never on the rest of the batch. Images are uint8 (N,H,W,3) as a dataset stores them, or
float32 (N,3,H,W) from 0 to 1 between transforms. Results equal torchvision.transforms.v2.functional on each
image by itself.

Chunks of about 1,024 images are fastest: what a step touches stays in the cache, and few steps are started.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

CHUNK = 1024
GREY = (0.2989, 0.587, 0.114)
CENTRES = torch.tensor([1 / 2, 1 / 3, 2 / 3]).view(3, 1, 1)  # of hue, opposite red, at green, at blue
TINY = 1e-12


def per_image(values: Tensor) -> Tensor:
    """Shape one value an image (N,) so that it broadcasts over (N,3,H,W)."""
    return values.view(-1, 1, 1, 1)


def uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Draw float32 (count,) evenly from low to high."""
    return torch.rand(count, generator=generator) * (high - low) + low


# Geometry: each output pixel is fetched from one input pixel by an integer gather.


def crop_flip(images: Tensor, top: Tensor, left: Tensor, flipped: Tensor, padding: int = 4) -> Tensor:
    """Pad uint8 (N,H,W,3) with black, cut (H,W) out at top, left int64 (N,), mirror where flipped bool (N,).

    Returns float32 (N,3,H,W) from 0 to 1.
    """
    count, height, width, _ = images.shape
    padded = pad(images.permute(0, 3, 1, 2).contiguous(), [padding] * 4)
    rows, columns = torch.arange(height), torch.arange(width)
    columns = left[:, None] + torch.where(flipped[:, None], width - 1 - columns, columns)
    source = (top[:, None] + rows)[:, :, None] * (width + 2 * padding) + columns[:, None, :]
    cut = padded.flatten(2).gather(2, source.view(count, 1, -1).expand(-1, 3, -1))
    return cut.view(count, 3, height, width).float().mul_(1 / 255)


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Turn each image of float32 (N,3,H,W) anticlockwise by degrees (N,): nearest pixel, black outside."""
    radians = degrees * (math.pi / 180)
    cosine, sine = radians.cos()[:, None, None], radians.sin()[:, None, None]
    height, width = images.shape[2:]
    y = (torch.arange(height) - (height - 1) / 2)[:, None]
    x = torch.arange(width) - (width - 1) / 2
    return fetch(images, y * cosine + x * sine, x * cosine - y * sine)


def fetch(images: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """For each output pixel fetch the nearest to (y, x) float32 (N,h,w) from the centre, black outside."""
    count, channels, height, width = images.shape
    # A black border takes what lies outside: cheaper than a mask. Rounding comes before any shift by one,
    # because it goes to the even neighbour half-way.
    rows = (y + (height - 1) / 2).round_().clamp_(-1, height).int()
    columns = (x + (width - 1) / 2).round_().clamp_(-1, width).int()
    source = rows.add_(1).mul_(width + 2).add_(columns).add_(1).long().view(count, 1, -1)
    fetched = pad(images, [1] * 4).flatten(2).gather(2, source.expand(-1, channels, -1))
    return fetched.view(count, channels, *y.shape[1:])


# Colour.


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply float32 (N,3,H,W) by factor (N,); 1 leaves an image as it is."""
    return images.mul(per_image(factor)).clamp_(0, 1)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Move float32 (N,3,H,W) away from each image's mean grey by factor (N,); 1 leaves it as it is."""
    mean = (images.mean((2, 3)) * torch.tensor(GREY)).sum(1)
    return images.mul(per_image(factor)).add_(per_image(mean * (1 - factor))).clamp_(0, 1)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Move float32 (N,3,H,W) away from each pixel's own grey by factor (N,); 1 leaves it as it is."""
    share = per_image(1 - factor)
    return images.mul(per_image(factor)).add_(luminance(images).mul_(share)).clamp_(0, 1)


def luminance(images: Tensor) -> Tensor:
    """Weigh the colours of float32 (N,3,H,W) into grey (N,1,H,W)."""
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    return red.mul(GREY[0]).add_(green, alpha=GREY[1]).add_(blue, alpha=GREY[2])


def hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of float32 (N,3,H,W) by a share (N,) of the colour circle, -0.5 to 0.5; 0 changes nothing.

    Without a detour over HSV and without a case per colour. Let low be the least and chroma the range of a
    pixel's colours, and u its hue from 0 to 1, red at 0. Then 6 |u| = 1 + (green + blue - red - low) / chroma
    for u from -1/2 to 1/2 with the sign of green - blue, and back again
    red = low + chroma * clamp(6 |u - 1/2| - 1, 0, 1), green = low + chroma * clamp(2 - 6 |u - 1/3|, 0, 1).
    """
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    low = torch.minimum(red, green).minimum(blue)
    chroma6 = torch.maximum(red, green).maximum(blue).sub_(low).mul_(6)
    u = (green + blue).sub_(red).sub_(low).div_(chroma6.clamp_min(TINY)).add_(1 / 6)
    u = u.copysign_(green - blue).add_(per_image(turn + 1)).frac_()
    turned = (u - CENTRES).abs_().clamp_(1 / 6, 2 / 6).mul_(chroma6)
    low.sub_(chroma6, alpha=1 / 6)
    turned[:, :1].add_(low)
    turned[:, 1:].neg_().add_(low.add_(chroma6, alpha=1 / 2))
    return turned.clamp_(0, 1)


JITTER: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (brightness, contrast, saturation, hue)
ORDERS = tuple(itertools.permutations(range(len(JITTER))))


def jitter(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """Apply brightness, contrast, saturation, hue with factors (N,4); image n in order ORDERS[order[n]]."""
    jittered = torch.empty_like(images)
    for number, steps in enumerate(ORDERS):
        rows = (order == number).nonzero().squeeze(1)
        if len(rows) == 0:
            continue
        group, group_factors = images.index_select(0, rows), factors.index_select(0, rows)
        for step in steps:
            group = JITTER[step](group, group_factors[:, step])
        jittered.index_copy_(0, rows, group)
    return jittered


# Draws.


def draw_crop_flip(count: int, generator: torch.Generator, padding: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Draw top, left int64 (count,) from 0 to 2 * padding, and flipped bool (count,), true for one in two."""
    top, left = torch.randint(2 * padding + 1, (2, count), generator=generator)
    return top, left, torch.rand(count, generator=generator) < 0.5


def draw_jitter(
    count: int, generator: torch.Generator, strength: float = 0.2, turn: float = 0.1
) -> tuple[Tensor, Tensor]:
    """Draw factors (count,4), three 1 ± strength, one ± turn, and one of 24 orders int64 (count,)."""
    reach, centre = torch.tensor([strength, strength, strength, turn]), torch.tensor([1.0, 1.0, 1.0, 0.0])
    factors = torch.rand((count, 4), generator=generator).mul_(2).sub_(1).mul_(reach).add_(centre)
    return factors, torch.randint(len(ORDERS), (count,), generator=generator)


def draw_rotation(count: int, generator: torch.Generator, degrees: float = 15.0) -> Tensor:
    """Draw angles float32 (count,) evenly from -degrees to degrees."""
    return uniform(count, -degrees, degrees, generator)


# Ready for the network.


def standardise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Subtract mean and divide by std, one value a channel: float32 (N,3,H,W) from 0 to 1 in and out."""
    return (images - torch.tensor(mean).view(3, 1, 1)).div_(torch.tensor(std).view(3, 1, 1))


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Scale uint8 (N,H,W,3) to 0..1, subtract mean, divide by std: float32 (N,3,H,W), channels last."""
    count, height, width, channels = images.shape
    scale = (1 / torch.tensor(std)).repeat(width)
    shift = torch.tensor(mean).repeat(width).mul_(scale)
    # Whole rows of interleaved colours: a broadcast over an innermost dimension of three is slow.
    rows = images.reshape(count, height, width * channels).float().mul_(scale / 255).sub_(shift)
    return rows.view(count, height, width, channels).permute(0, 3, 1, 2)


def course(images: Tensor, generator: torch.Generator, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Augment as the course trains: crop with padding 4, flip, colour jitter, rotate to 15°, normalise.

    Takes uint8 (N,H,W,3) of any N, works through it in chunks and returns float32 (N,3,H,W). The same
    generator state, images and N give the same result.
    """
    count = len(images)
    top, left, flipped = draw_crop_flip(count, generator)
    factors, order = draw_jitter(count, generator)
    degrees = draw_rotation(count, generator)
    augmented = torch.empty((count, 3, *images.shape[1:3]))
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        chunk = crop_flip(images[part], top[part], left[part], flipped[part])
        chunk = rotate(jitter(chunk, factors[part], order[part]), degrees[part])
        augmented[part] = standardise(chunk, mean, std)
    return augmented
