"""Draws that several augmentations share: one value an image, from the given generator and nothing else.

A larger strength stretches the same draw, so that with one seed a slider of strengths moves smoothly, and
strength 0 changes nothing.
"""

import torch
from torch import Generator, Tensor

Shape = tuple[int, int, int]
"""Number of images, height, width."""


def draw_chance(shape: Shape, strength: float, generator: Generator) -> tuple[Tensor]:
    """Draw bool (N,), true with the probability `strength`."""
    return (torch.rand(shape[0], generator=generator) < strength,)


def draw_about_zero(shape: Shape, strength: float, generator: Generator) -> tuple[Tensor]:
    """Draw float32 (N,) evenly from -strength to strength."""
    return (torch.rand(shape[0], generator=generator).mul_(2).sub_(1).mul_(strength),)


def draw_about_one(shape: Shape, strength: float, generator: Generator) -> tuple[Tensor]:
    """Draw float32 (N,) evenly from 1 - strength to 1 + strength."""
    return (draw_about_zero(shape, strength, generator)[0].add_(1),)
