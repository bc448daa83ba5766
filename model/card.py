"""What a checkpoint says of itself: its `Card`, and the only preprocessing of pictures."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from model import augment, cifar10
from model.names import readable_values, short_path
from model.pixels import INTERPOLATIONS, Rectangle, ResizedCrop, center_square, whole
from model.problems import Problem

MOST_OF_CARD = 8_000_000  # characters
MOST_CLASSES = 100_000
MOST_CHANNELS = 1024  # of an input
MOST_EPOCHS = 1_000_000_000
MOST_RESIZE = 8192  # pixels of a shorter side

Pixels = npt.NDArray[np.uint8]

WITHOUT_CARD = "unknown (a plain state_dict)"
"""What a card says of the data when the file has none: class names, mean and std are then assumed."""

AS_BUILT = "unknown (weights as the builder makes them)"
"""What a card says of the data of a network without a file of weights: random ones, or its builder's."""

FORMER_NAMES = {"optimiser": "optimizer"}
"""Settings that have another name in files written earlier."""


@dataclass(frozen=True)
class Card:
    """What a checkpoint is: everything needed to rebuild the net, feed it and trust its figures.

    `resize` is the length of a picture's shorter side before its center is cropped to the input size; None
    crops the whole center square. `preset` names the weights whose preprocessing this is, if it is theirs.
    """

    net: str = "course"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = cifar10.CLASSES
    channels: int = 3
    mean: tuple[float, ...] = cifar10.MEAN
    std: tuple[float, ...] = cifar10.STD
    input_size: int = 32
    recipe: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    epoch: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: str = "unknown"
    versions: Mapping[str, str] = field(default_factory=dict)
    resize: int | None = None
    interpolation: str = "bilinear"
    preset: str = ""

    def framed(self, pixels: Pixels, fit: str = "crop") -> Pixels:
        """The picture the network gets, before normalizing: uint8 (H, W, 3) → uint8 (s, s, 3).

        With `resize`, “crop” makes the shorter side that long and takes the square of (s, s) in the middle,
        as torchvision's presets do. Without, or to squash:

        Already at the input size: unchanged. Otherwise `fit="crop"` takes the center square and
        `fit="squash"` the whole picture; either is then resized with an antialiasing bilinear filter.
        Gray, with three equal colors, for a network with fewer channels than three.
        """
        colored = self._resized(pixels, fit)
        return colored if self.channels >= 3 else np.repeat(gray(colored), 3, 2)

    def framed_mask(self, mask: npt.NDArray[np.bool_], fit: str = "crop") -> npt.NDArray[np.bool_]:
        """Where something is in what the network gets: bool (H, W) → bool (s, s), by halves."""
        white = np.repeat(mask[..., None], 3, 2).astype(np.uint8) * 255
        return np.asarray(self._resized(white, fit)[..., 0] > 127)

    def _resized(self, pixels: Pixels, fit: str) -> Pixels:
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"pixels must be uint8 (H, W, 3), not {pixels.dtype} {pixels.shape}")
        (height, width), size = pixels.shape[:2], self.input_size
        part = self.received(height, width, fit)
        if self._crop is not None and fit == "crop":
            return np.asarray(self._crop.of(Image.fromarray(pixels)))
        if (height, width) == (size, size):
            return pixels
        image = Image.fromarray(pixels[part.inside])  # cropped first: resize(box=…) looks past the edge
        return np.asarray(image.resize((size, size), INTERPOLATIONS[self.interpolation]))

    def received(self, height: int, width: int, fit: str = "crop") -> Rectangle:
        """The part of a picture of this size that the network receives by `framed`.

        `fit="crop"`: its center square, less of it with `resize`; `fit="squash"`: all of it. ValueError for
        another `fit`.
        """
        if fit not in ("crop", "squash"):
            raise ValueError(f"fit must be 'crop' or 'squash', not {fit!r}")
        if fit == "squash":
            return whole(height, width)
        return center_square(height, width) if self._crop is None else self._crop.received(height, width)

    @property
    def _crop(self) -> ResizedCrop | None:
        if self.resize is None:
            return None
        return ResizedCrop(self.resize, self.input_size, self.interpolation)

    def to_input(self, pixels: Pixels, fit: str = "crop") -> Tensor:
        """The network's input for a picture: uint8 (H, W, 3) → float32 (1, channels, s, s), normalized."""
        return self.to_inputs([pixels], fit)

    def to_inputs(self, pictures: Iterable[Pixels], fit: str = "crop") -> Tensor:
        """The network's input for pictures of any sizes: N of uint8 (H, W, 3) → float32 (N, channels, s, s).

        One or two channels are gray; of four or more the first three are red, green, blue, the others gray.
        """
        return self.normalized([self.framed(pixels, fit) for pixels in pictures])

    def normalized(self, framed: Iterable[Pixels]) -> Tensor:
        """The same for N pictures that are framed already, each uint8 (s, s, 3)."""
        pixels = np.stack([in_channels(each, self.channels) for each in framed])
        x = augment.normalize(torch.from_numpy(pixels), self.mean, self.std)
        # Not `contiguous`: it leaves one channel in the order of channels last, which networks cannot `view`.
        return x.clone(memory_format=torch.contiguous_format)


def gray(pixels: Pixels) -> Pixels:
    """The luminance of a picture by ITU-R 601, as Pillow's mode L: uint8 (H, W, 3) → (H, W, 1)."""
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., None]


def in_channels(pixels: Pixels, channels: int) -> Pixels:
    """A picture uint8 (H, W, 3) in a number of channels, (H, W, channels), as `Card.to_inputs` says."""
    if channels == 3:
        return pixels
    colors = [pixels] if channels > 3 else []
    return np.concatenate([*colors, np.repeat(gray(pixels), channels - 3 * len(colors), 2)], 2)


def parse_card(text: str, path: Path) -> Card:
    """The card in a file's JSON; names that no card has are passed over. Raises Problem."""
    try:
        if len(text) > MOST_OF_CARD:
            raise ValueError(f"{len(text):,} characters")
        values = readable_values(json.loads(text))
        known = {f.name for f in fields(Card)}
        return _typed(Card(**{name: value for name, value in values.items() if name in known}))
    except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise Problem(
            "The card in {path} cannot be read; copy the file again or train a new checkpoint.",
            path=short_path(path),
        ) from error


def _typed(card: Card) -> Card:
    """The card with every field of the type it is declared as, whatever a file held."""
    return replace(
        card,
        net=str(card.net),
        arguments=dict(card.arguments),
        classes=tuple(str(name) for name in card.classes),
        channels=int(card.channels),
        mean=tuple(float(value) for value in card.mean),
        std=tuple(float(value) for value in card.std),
        input_size=int(card.input_size),
        recipe=str(card.recipe),
        config=with_current_names(card.config),
        epoch=int(card.epoch),
        metrics={name: float(value) for name, value in card.metrics.items()},
        data=str(card.data),
        versions={name: str(value) for name, value in card.versions.items()},
        resize=None if card.resize is None else int(card.resize),
        interpolation=str(card.interpolation),
        preset=str(card.preset),
    )


def with_current_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by the names that they have now, whatever their file called them."""
    return {FORMER_NAMES.get(name, name): value for name, value in settings.items()}


def check_values(card: Card, path: Path) -> None:
    """Raise Problem where a card's numbers are none that a picture can be prepared with."""
    fitted = card.resize is None or card.input_size <= card.resize <= MOST_RESIZE
    fitted = fitted and card.interpolation in INTERPOLATIONS
    finite = all(map(math.isfinite, (*card.mean, *card.std)))
    fits = 1 <= len(card.mean) == len(card.std) == card.channels <= MOST_CHANNELS
    each = fits and all(value > 0 for value in card.std)
    counted = 1 <= len(card.classes) <= MOST_CLASSES and 0 <= card.epoch <= MOST_EPOCHS
    if not fitted or not finite or not each or not counted or not 1 <= card.input_size <= 4096:
        raise Problem(
            "The card in {path} has an impossible mean, std, input size, resize, epoch or class list; "
            "copy the file again or train a new checkpoint.",
            path=short_path(path),
        )
