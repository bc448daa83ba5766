"""Shifts of the data: what changes every image in one way, in steps from mild to strong.

Images are uint8 (N, s, s, 3), as the network gets them before normalizing, in and out: a shifted image is an
image again, its values rounded and cut off at 0 and 255.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from model import augment_pixels
from model.images import Images
from model.words import N_

SEED = 0  # of the noise, which is the same in every run


@dataclass(frozen=True)
class Corruption:
    """A shift of the data: its title, what its severities are numbers of, and these, from mild to strong.

    `shift(images, severity)` gives the shifted images; `unit` is a template with the field `value`, `axis`
    says what the values are. `neutral` is the severity that changes nothing, None where there is none.
    """

    title: str
    unit: str
    axis: str
    severities: tuple[float, ...]
    neutral: float | None
    shift: Callable[[Images, float], Images]


def brightness(images: Images, factor: float) -> Images:
    """Every value times the factor."""
    return _pixels(augment_pixels.brightness(_fractions(images), _each(images, factor)))


def contrast(images: Images, factor: float) -> Images:
    """Every pixel moved towards the mean gray of its image, which the factor 0 leaves alone."""
    return _pixels(augment_pixels.contrast(_fractions(images), _each(images, factor)))


def blur(images: Images, sigma: float) -> Images:
    """A Gaussian of width sigma in pixels, taken out to 3 sigma; the border is mirrored."""
    radius = min(int(np.ceil(3 * sigma)), min(images.shape[1:3]) - 1)
    kernel = augment_pixels.gaussian(_each(images, sigma), radius)
    return _pixels(augment_pixels.blur(_fractions(images), kernel))


def noise(images: Images, sigma: float) -> Images:
    """Normal noise of standard deviation sigma, of values from 0 to 255, another for every value."""
    fractions = _fractions(images)
    field = torch.randn(fractions.shape, generator=torch.Generator().manual_seed(SEED))
    return _pixels(augment_pixels.noise(fractions, _each(images, sigma / 255), field))


def jpeg(images: Images, quality: float) -> Images:
    """Each image written as a JPEG of this quality, with halved colors, and read again."""
    return np.stack([_as_jpeg(image, int(quality)) for image in images])


def pixelation(images: Images, side: float) -> Images:
    """Every square of side × side pixels at its mean; squares start top left."""
    block = _each(images, side).long()
    return _pixels(augment_pixels.mosaic(_fractions(images), block))


CORRUPTIONS: dict[str, Corruption] = {
    "dark": Corruption(
        N_("Darker"),
        N_("× {value}"),
        N_("factor by which every value is multiplied"),
        (0.8, 0.6, 0.45, 0.3, 0.2),
        1.0,
        brightness,
    ),
    "bright": Corruption(
        N_("Brighter"),
        N_("× {value}"),
        N_("factor by which every value is multiplied"),
        (1.25, 1.5, 2.0, 2.5, 3.0),
        1.0,
        brightness,
    ),
    "contrast": Corruption(
        N_("Less contrast"),
        N_("× {value}"),
        N_("factor of the contrast"),
        (0.75, 0.5, 0.35, 0.2, 0.1),
        1.0,
        contrast,
    ),
    "blur": Corruption(
        N_("Gaussian blur"), N_("σ = {value} px"), N_("σ in pixels"), (0.4, 0.6, 0.8, 1.2, 2.0), 0.0, blur
    ),
    "noise": Corruption(
        N_("Gaussian noise"),
        N_("σ = {value} of 255"),
        N_("σ, of values from 0 to 255"),
        (4.0, 8.0, 16.0, 24.0, 40.0),
        0.0,
        noise,
    ),
    "jpeg": Corruption(
        N_("JPEG"), N_("quality {value}"), N_("JPEG quality"), (80.0, 50.0, 30.0, 15.0, 5.0), None, jpeg
    ),
    "pixelation": Corruption(
        N_("Pixelation"),
        N_("{value} × {value} px"),
        N_("side of a square in pixels"),
        (2.0, 3.0, 4.0, 6.0, 8.0),
        1.0,
        pixelation,
    ),
}
"""The shifts by name."""


def _fractions(images: Images) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float().div_(255)


def _pixels(fractions: Tensor) -> Images:
    rounded = fractions.mul(255).round_().to(torch.uint8)
    return np.ascontiguousarray(rounded.numpy().transpose(0, 2, 3, 1))


def _each(images: Images, value: float) -> Tensor:
    return torch.full((len(images),), float(value))


def _as_jpeg(image: Images, quality: int) -> Images:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=2)
    return np.asarray(Image.open(file).convert("RGB"))
