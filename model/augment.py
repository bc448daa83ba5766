"""Batched augmentation by name: every transform draws parameters for each image and applies them to a batch.

An image's result depends on its own parameters only (in mixup and cutmix also on its partner), never on the
rest of the batch. To add one, write an applying function, draw with it, and name it in AUGMENTATIONS.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from model import augment_captions as captions
from model import augment_geometry as geometry
from model import augment_mixing as mixing
from model import augment_pixels as pixels
from model.augment_captions import Caption
from model.augment_draws import Shape, draw_about_one, draw_about_zero, draw_chance
from model.problems import Problem
from model.words import N_

CHUNK = 256
"""Images worked on at once: more leave the cache and make the allocator give memory back after every step
(measured on images of 32 pixels: up to 24 page faults an image), fewer are slowed by the number of calls."""

Draws = dict[str, tuple[Tensor, ...]]
"""Parameters by augmentation, in the order of application; the first axis of each tensor is the image."""


@dataclass(frozen=True)
class Augmentation:
    """A transform of a batch: `apply(images, *draw((N, H, W), strength, generator))`, float32 (N,3,H,W).

    Those of the group “geometric” move uint8 as well. Strength 0 changes nothing. `summary` says what it does
    and what the strength measures, to be translated where it is shown; `caption(*drawn)` says what was drawn
    for one image, from as many of its parameters as it takes, each a tuple of numbers; `mix`, where labels
    must follow, is `mix(labels, *drawn)`, float32 (N,K).
    """

    group: str
    draw: Callable[[Shape, float, Generator], tuple[Tensor, ...]]
    apply: Callable[..., Tensor]
    strength: float
    range: tuple[float, float]
    summary: str
    caption: Caption
    mix: Callable[..., Tensor] | None = None


# fmt: off
AUGMENTATIONS: dict[str, Augmentation] = {
    "crop": Augmentation("geometric", geometry.draw_shift, geometry.shift, 0.125, (0, 0.5),
        N_("Adds a black border of this fraction of each side, then crops to the original size at random."),
        captions.moved),
    "flip": Augmentation("geometric", draw_chance, geometry.flip, 0.5, (0, 1),
        N_("Mirrors the image left to right with this probability."),
        captions.flipped),
    "rotate": Augmentation("geometric", draw_about_zero, geometry.rotate, 15, (0, 180),
        N_("Rotates by up to this many degrees in either direction."),
        captions.turned),
    "scale": Augmentation("geometric", draw_about_one, geometry.scale, 0.2, (0, 0.9),
        N_("Enlarges or shrinks the image by up to this fraction."),
        captions.multiplied),
    "translate": Augmentation("geometric", geometry.draw_shift, geometry.shift, 0.25, (0, 1),
        N_("Moves the image by up to this fraction of its height and width."),
        captions.moved),
    "shear": Augmentation("geometric", draw_about_zero, geometry.shear, 15, (0, 60),
        N_("Shears horizontally by up to this many degrees."),
        captions.sheared),
    "brightness": Augmentation("pixel", draw_about_one, pixels.brightness, 0.2, (0, 1),
        N_("Makes the image brighter or darker by up to this fraction."),
        captions.multiplied),
    "contrast": Augmentation("pixel", draw_about_one, pixels.contrast, 0.2, (0, 1),
        N_("Increases or reduces the contrast by up to this fraction, around the image’s mean gray."),
        captions.multiplied),
    "saturation": Augmentation("pixel", draw_about_one, pixels.saturation, 0.2, (0, 1),
        N_("Makes colors more or less saturated by up to this fraction."),
        captions.multiplied),
    "hue": Augmentation("pixel", draw_about_zero, pixels.hue, 0.1, (0, 0.5),
        N_("Rotates all hues on the color circle by up to this fraction of it."),
        captions.hue_turned),
    "jitter": Augmentation("pixel", pixels.draw_jitter, pixels.jitter, 0.2, (0, 1),
        N_("Changes brightness, contrast, saturation by up to this fraction, hue by half, in random order."),
        captions.jittered),
    "gray": Augmentation("pixel", draw_chance, pixels.gray, 0.2, (0, 1),
        N_("Converts the image to grayscale with this probability."),
        captions.grayed),
    "blur": Augmentation("pixel", pixels.draw_blur, pixels.blur, 0.03, (0, 0.2),
        N_("Blurs with a Gaussian whose sigma is up to this fraction of the shorter side."),
        captions.blurred),
    "noise": Augmentation("pixel", pixels.draw_noise, pixels.noise, 0.1, (0, 1),
        N_("Adds Gaussian noise with a standard deviation of up to this fraction of the brightness range."),
        captions.noisy),
    "mosaic": Augmentation("pixel", pixels.draw_mosaic, pixels.mosaic, 0.125, (0, 0.5),
        N_("Fills squares of up to this fraction of the shorter side with their mean color."),
        captions.squared),
    "mixup": Augmentation("semantic", mixing.draw_mixup, mixing.mixup, 0.2, (0, 2),
        N_("Blends each image and its label with another: hardly at all near 0, often half and half at 2."),
        captions.blended, mix=mixing.mix),
    "cutmix": Augmentation("semantic", mixing.draw_cutmix, mixing.cutmix, 1, (0, 2),
        N_("Pastes a box from another image and mixes the labels by area: near 0 the box covers almost "
           "nothing or almost everything, at 2 often about half."),
        captions.blended, mix=mixing.mix),
    "cutout": Augmentation("semantic", mixing.draw_cutout, mixing.cutout, 0.5, (0, 1),
        N_("Sets a box of this fraction of each side to black, at a random position."),
        captions.erased),
}
# fmt: on

ALIASES = {"grey": "gray"}
"""Other spellings of a name, which commands and older checkpoints may use."""

COURSE = {"crop": 0.125, "flip": 0.5, "jitter": 0.2, "rotate": 15.0}
"""The course's training transform: strengths by name, in order. Any such mapping is a transform."""


def parse(texts: Iterable[str]) -> dict[str, float]:
    """Read strengths from texts such as “rotate” (its default) or “rotate=30”; Problem if wrong."""
    strengths = {}
    for text in texts:
        written, equals, value = text.partition("=")
        name = ALIASES.get(written, written)
        default = find(name).strength
        try:
            strengths[name] = float(value) if equals else default
        except ValueError:
            raise Problem(
                "“{value}” in “{text}” is not a number; write for example “{name}={strength:g}”.",
                value=value,
                text=text,
                name=name,
                strength=default,
            ) from None
    check(strengths)
    return strengths


def find(name: str) -> Augmentation:
    """Look up an augmentation; Problem names the known ones."""
    if name not in AUGMENTATIONS:
        names = ", ".join(AUGMENTATIONS)
        raise Problem("There is no augmentation “{name}”; choose from {known}.", name=name, known=names)
    return AUGMENTATIONS[name]


def check(strengths: Mapping[str, float]) -> None:
    """Raise Problem unless every name is known and every strength within its range."""
    for name, strength in strengths.items():
        low, high = find(name).range
        if not low <= strength <= high:
            raise Problem(
                "The augmentation {name} cannot have the strength {strength:g}; "
                "choose a value from {low} to {high}.",
                name=name,
                strength=strength,
                low=low,
                high=high,
            )


def draw(strengths: Mapping[str, float], shape: Shape, generator: Generator) -> Draws:
    """Draw parameters of every named augmentation for `shape` = (N, H, W)."""
    return {name: find(name).draw(shape, strength, generator) for name, strength in strengths.items()}


def apply(images: Tensor, draws: Draws) -> Tensor:
    """Apply drawn parameters, in order, to uint8 (N,H,W,3): float32 (N,3,H,W) from 0 to 1."""
    augmented = images.permute(0, 3, 1, 2).contiguous()
    for name, drawn in draws.items():
        if AUGMENTATIONS[name].group != "geometric":  # moving bytes costs less than moving floats
            augmented = to_float(augmented)
        augmented = AUGMENTATIONS[name].apply(augmented, *(each.to(images.device) for each in drawn))
    return to_float(augmented)


def mix_labels(labels: Tensor, draws: Draws) -> Tensor:
    """Mix labels float32 (N,K) as `apply` mixes images; where nothing mixes they stay as they are."""
    for name, drawn in draws.items():
        mix = AUGMENTATIONS[name].mix
        if mix is not None:
            labels = mix(labels, *(each.to(labels.device) for each in drawn))
    return labels


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Turn int64 (N,) into float32 (N, classes) with a 1 at each label."""
    return torch.nn.functional.one_hot(labels, classes).float()


def mixes(strengths: Mapping[str, float]) -> bool:
    """Tell whether any of the named augmentations mixes labels."""
    return any(find(name).mix is not None for name in strengths)


def to_float(images: Tensor) -> Tensor:
    """Turn uint8 of any shape into float32 from 0 to 1; what is float32 already stays as it is."""
    return images if images.is_floating_point() else images.float().mul_(1 / 255)


def standardize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Subtract mean and divide by std, one value a channel: float32 (N,3,H,W) from 0 to 1 in."""
    return (images - images.new_tensor(mean).view(3, 1, 1)).div_(images.new_tensor(std).view(3, 1, 1))


def normalize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Scale uint8 (N,H,W,3) to 0..1, subtract mean, divide by std: float32 (N,3,H,W), channels last."""
    count, height, width, channels = images.shape
    scale = (1 / torch.tensor(std, dtype=torch.float32, device=images.device)).repeat(width)
    shift = torch.tensor(mean, dtype=torch.float32, device=images.device).repeat(width).mul_(scale)
    # Whole rows of interleaved colors: a broadcast over an innermost dimension of three is slow.
    rows = images.reshape(count, height, width * channels).float().mul_(scale / 255).sub_(shift)
    return rows.view(count, height, width, channels).permute(0, 3, 1, 2)


def chunks(
    images: Tensor, strengths: Mapping[str, float], generator: Generator
) -> Iterator[tuple[slice, Draws]]:
    """Go through a batch CHUNK images at a time: which rows, and parameters drawn for them."""
    for start in range(0, len(images), CHUNK):
        rows = slice(start, start + CHUNK)
        count, height, width, _ = images[rows].shape
        yield rows, draw(strengths, (count, height, width), generator)


def course(images: Tensor, generator: Generator, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Augment as the course trains: crop with padding 4 of 32, flip, color jitter, rotate to 15°, normalize.

    Takes uint8 (N,H,W,3) of any N and returns float32 (N,3,H,W), channels last; the same generator state,
    images and N give the same result.
    """
    augmented = torch.empty_like(images.permute(0, 3, 1, 2), dtype=torch.float32)
    for rows, draws in chunks(images, COURSE, generator):
        augmented[rows] = standardize(apply(images[rows], draws), mean, std)
    return augmented


def augment(
    images: Tensor,
    labels: Tensor,
    strengths: Mapping[str, float],
    generator: Generator,
    mean: Sequence[float],
    std: Sequence[float],
) -> tuple[Tensor, Tensor]:
    """Augment as `strengths` say, normalize, and mix labels where they must follow.

    Takes uint8 (N,H,W,3) of any N and float32 labels (N,K), rows that sum to 1 (see `one_hot`); returns
    float32 (N,3,H,W), channels last, and (N,K). Every CHUNK of images mixes among itself. Problem
    if a name is unknown.
    """
    augmented = torch.empty_like(images.permute(0, 3, 1, 2), dtype=torch.float32)
    mixed = torch.empty_like(labels)
    for rows, draws in chunks(images, strengths, generator):
        augmented[rows] = standardize(apply(images[rows], draws), mean, std)
        mixed[rows] = mix_labels(labels[rows], draws)
    return augmented, mixed
