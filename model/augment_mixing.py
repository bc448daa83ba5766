"""Batched augmentation that hides parts of an image or blends in another, and with it the label.

Images are float32 (N,3,H,W) from 0 to 1, labels float32 (N,K) with rows that sum to 1. `partner`, int64 (N,),
names the image of the same batch that is blended in; `fraction`, float32 (N,), is what stays of an image's
own.
"""

import torch
from torch import Generator, Tensor

from model.augment_draws import Shape


def mixup(images: Tensor, partner: Tensor, fraction: Tensor) -> Tensor:
    """Blend each image with its partner (arXiv:1710.09412)."""
    return torch.lerp(images.index_select(0, partner), images, fraction.view(-1, 1, 1, 1))


def cutmix(images: Tensor, partner: Tensor, fraction: Tensor, box: Tensor) -> Tensor:
    """Replace each image's box, int64 (N,4), by what its partner shows there (arXiv:1905.04899)."""
    return torch.where(inside(box, images), images.index_select(0, partner), images)


def cutout(images: Tensor, box: Tensor) -> Tensor:
    """Blacken each image's box, int64 (N,4) (arXiv:1708.04552)."""
    return images.masked_fill(inside(box, images), 0)


def mix(labels: Tensor, partner: Tensor, fraction: Tensor, *_: Tensor) -> Tensor:
    """Blend labels as mixup and cutmix blend the images."""
    return torch.lerp(labels.index_select(0, partner), labels, fraction[:, None])


def inside(box: Tensor, images: Tensor) -> Tensor:
    """Mark the pixels of each box, top, bottom, left, right int64 (N,4), ends excluded: bool (N,1,H,W)."""
    top, bottom, left, right = box[:, :, None].unbind(1)
    rows = torch.arange(images.shape[2], device=box.device)
    columns = torch.arange(images.shape[3], device=box.device)
    vertical, horizontal = (top <= rows) & (rows < bottom), (left <= columns) & (columns < right)
    return vertical[:, None, :, None] & horizontal[:, None, None, :]


def draw_mixup(shape: Shape, strength: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Draw partner and fraction, the larger part of Beta(strength, strength): an image stays mostly itself.

    Every image is also a partner, so that this mixes the same pairs as the plain fraction and renames them.
    """
    count = shape[0]
    partner, fraction = torch.randperm(count, generator=generator), beta(count, strength, generator)
    return partner, torch.maximum(fraction, 1 - fraction)


def draw_cutmix(shape: Shape, strength: float, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Draw partner, fraction and box: 1 - Beta(strength, strength) of the area, less what is outside."""
    count = shape[0]
    partner, fraction = torch.randperm(count, generator=generator), beta(count, strength, generator)
    box = draw_boxes(shape, (1 - fraction).sqrt(), generator)
    top, bottom, left, right = box.unbind(1)
    return partner, 1 - (bottom - top) * (right - left) / (shape[1] * shape[2]), box


def draw_cutout(shape: Shape, strength: float, generator: Generator) -> tuple[Tensor]:
    """Draw a box of the fraction `strength` of each side."""
    return (draw_boxes(shape, torch.full(shape[:1], strength), generator),)


def draw_boxes(shape: Shape, fraction: Tensor, generator: Generator) -> Tensor:
    """Draw boxes int64 (N,4) of a fraction (N,) of each side, centers anywhere, cut off at the border."""
    edges = []
    for side in shape[1:]:
        center, reach = torch.rand(shape[0], generator=generator) * side, fraction * side / 2
        edges += [center - reach, center + reach]
        edges[-2:] = [edge.round().clamp_(0, side).long() for edge in edges[-2:]]
    return torch.stack(edges, 1)


def beta(count: int, strength: float, generator: Generator) -> Tensor:
    """Draw float32 (N,) from Beta(strength, strength); 1 at strength 0."""
    if strength < 0.02:  # in effect 0 or 1 only, and both gammas below would often vanish
        return torch.ones(count)
    parameters = torch.full((2, count), strength, dtype=torch.float64)
    ours, theirs = torch._standard_gamma(parameters, generator=generator).unbind()
    fraction: Tensor = ours / (ours + theirs)
    return fraction.float()
