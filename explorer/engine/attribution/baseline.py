"""What an image is compared with by the methods that have a baseline: `BASELINES`, by name."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from model.card import Card
from model.words import N_


@dataclass(frozen=True)
class Baseline:
    """A baseline: `summary` is a whole sentence, marked with `N_`.

    `images(card, x)` gives it for each of the images x, (N, C, h, w), normalized as the card says.
    """

    title: str
    summary: str
    images: Callable[[Card, Tensor], Tensor]


def mean_color(card: Card, x: Tensor) -> Tensor:
    """Zeros, (N, C, h, w): what the card's mean color is normalized to."""
    return torch.zeros_like(x)


def black(card: Card, x: Tensor) -> Tensor:
    """Black, normalized, (N, C, h, w)."""
    color = [-mean / std for mean, std in zip(card.mean, card.std, strict=True)]
    return torch.tensor(color).to(x)[:, None, None].expand(x.shape)


def blurred(card: Card, x: Tensor) -> Tensor:
    """The images under a Gaussian whose σ is an eighth of their shorter side, (N, C, h, w)."""
    sigma = min(x.shape[2:]) / 8
    reach = math.ceil(3 * sigma)
    weights = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2)).to(x)
    kernel = (weights / weights.sum()).expand(x.shape[1], 1, 1, -1)
    wide = pad(x, (reach, reach, reach, reach), "replicate")
    return conv2d(conv2d(wide, kernel, groups=x.shape[1]), kernel.mT, groups=x.shape[1])


BASELINES: dict[str, Baseline] = {
    "mean": Baseline(
        N_("Mean color"),
        N_("A plain image of the mean color of the training images: zero after normalization."),
        mean_color,
    ),
    "black": Baseline(N_("Black"), N_("A black image."), black),
    "blurred": Baseline(N_("Blurred"), N_("The image itself, strongly blurred."), blurred),
}
