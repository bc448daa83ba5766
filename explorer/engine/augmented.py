"""Augmented images by training's own functions: one image under a transform, and whole batches."""

import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from explorer.engine.passes import to_numpy
from explorer.engine.values import Floats, Value
from model import augment, scenes
from model.augment import AUGMENTATIONS
from model.batches import batches, order_of
from model.card import Card, Pixels
from model.datasets import Dataset, cifar10_present, class_folders, decode_all, list_images, read_cifar10
from model.names import readable, short_path
from model.problems import Problem
from model.recipes import RECIPES, Config, config_from
from model.shortcut import planted_marks, with_marks

SCENES_SEED = 30_000_001  # of scenes that neither training nor testing has drawn
FEW, MANY, LARGE = 16, 64, 64  # images of a batch, of large ones and of small ones
Parameters = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, eq=False)
class Draws(Value):
    """One image transformed several times: `pixels` uint8 (n, h, w, 3).

    `parameters` are for each result those that the transform's caption takes. `fractions`, float32
    (n, 1 + partners), are the parts of the label: the image's own and each partner's.
    """

    name: str
    pixels: Pixels
    parameters: tuple[Parameters, ...]
    fractions: Floats

    def text(self, index: int) -> str:
        """The parameters of one draw in words, such as “2 px down, 1 px left”. Raises IndexError."""
        return AUGMENTATIONS[self.name].caption(*self.parameters[index])


@dataclass(frozen=True, eq=False)
class TrainingBatch(Value):
    """What goes into a training step: `pixels` uint8 (n, h, w, 3), `labels` float32 (n, K) that sum to 1."""

    pixels: Pixels
    labels: Floats


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """Some training images, where they came from, and the digest that is their cache key."""

    data: Dataset
    source: Literal["cifar10", "folder", "scenes"]
    digest: str


# One image


def draws(
    pixels: Pixels, name: str, strength: float, seed: int, count: int, partners: Sequence[Pixels] = ()
) -> Draws:
    """`pixels` uint8 (h, w, 3) under one augmentation, `count` times, drawn from `seed`.

    A transform that mixes images is drawn for a batch of the image and its partners, uint8 of the same shape,
    once for each result. Problem for an unknown name or a strength out of range.
    """
    augment.check({name: strength})
    if AUGMENTATIONS[name].mix is None:
        return _alone(pixels, name, strength, seed, count)
    return _mixed([pixels, *partners], name, strength, seed, count)


def _alone(pixels: Pixels, name: str, strength: float, seed: int, count: int) -> Draws:
    images = torch.from_numpy(np.repeat(pixels[None], count, axis=0))
    drawn = augment.draw({name: strength}, _shape(images), _generator(seed))
    parameters = tuple(_parameters(name, drawn[name], row) for row in range(count))
    return Draws(name, _pixels(augment.apply(images, drawn)), parameters, np.ones((count, 1), np.float32))


def _mixed(images: Sequence[Pixels], name: str, strength: float, seed: int, count: int) -> Draws:
    batch, own = torch.from_numpy(np.stack(images)), augment.one_hot(torch.arange(len(images)), len(images))
    rows, parameters, fractions = [], [], []
    for index in range(count):
        drawn = augment.draw({name: strength}, _shape(batch), _generator(seed * count + index))
        rows.append(_pixels(augment.apply(batch, drawn)[:1])[0])
        fractions.append(to_numpy(augment.mix_labels(own, drawn)[0]))
        parameters.append(_parameters(name, drawn[name], 0))
    return Draws(name, np.stack(rows), tuple(parameters), np.stack(fractions))


def _shape(images: Tensor) -> tuple[int, int, int]:
    count, height, width, _ = images.shape
    return count, height, width


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _pixels(images: Tensor) -> Pixels:
    """float32 (n, 3, h, w) from 0 to 1 as uint8 (n, h, w, 3)."""
    return images.mul(255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()


def _parameters(name: str, drawn: tuple[Tensor, ...], row: int) -> Parameters:
    """What was drawn for one image, as far as the transform's caption tells it."""
    count = len(inspect.signature(AUGMENTATIONS[name].caption).parameters)
    return tuple(tuple(tensor[row].reshape(-1).tolist()) for tensor in drawn[:count])


# A batch


def recipes_of(card: Card) -> dict[str, Config]:
    """Name → config of the recipes; first the checkpoint's, named "own", where the card records it."""
    own = config_of(card)
    known = {name: config for name, config in RECIPES.items() if own is None or not _alike(config, own)}
    return known if own is None else {"own": own} | known


def _alike(one: Config, other: Config) -> bool:
    names = ("augment", "alternating_flip", "batch_size", "recipe")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def config_of(card: Card) -> Config | None:
    """The settings that a card records; None without a known augmentation."""
    try:
        config = config_from({**card.config, "recipe": card.recipe or "course"})
        names = [text.strip() for text in str(card.config["augment"]).split(",")]
        augment.parse(name for name in names if name not in ("", "none"))
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    return config


def first_batch(images: TrainingImages, config: Config, epoch: int) -> TrainingBatch:
    """The first batch of an epoch, from 1, as the trainer makes it, with the normalization undone."""
    data = images.data
    x, y = next(batches(data, replace(config, batch_size=len(data)), epoch))
    labels = augment.one_hot(y, len(data.classes)) if y.ndim == 1 else y
    mean, std = (x.new_tensor(values).view(1, 3, 1, 1) for values in (data.mean, data.std))
    return TrainingBatch(_pixels(x * std + mean), to_numpy(labels))


def originals(images: TrainingImages, config: Config, epoch: int) -> Pixels:
    """The images of `first_batch` as they are before augmentation, in its order: uint8 (n, h, w, 3)."""
    order = order_of(len(images.data), config, epoch).numpy()
    return np.ascontiguousarray(images.data.images[order])


def training_images(data_dir: Path, card: Card) -> TrainingImages:
    """A few images from the training split below `data_dir`, at the card's size; scenes without one.

    Problem when the training split cannot be read.
    """
    wanted = FEW if card.input_size > LARGE else MANY
    if cifar10_present(data_dir):
        return _normalized(_some(read_cifar10(data_dir, "train", card.input_size), wanted), "cifar10", card)
    if class_folders(data_dir / "train"):
        return _normalized(_from_folder(data_dir, wanted, card), "folder", card)
    return _normalized(_scenes(wanted, card), "scenes", card)


def _normalized(data: Dataset, source: Literal["cifar10", "folder", "scenes"], card: Card) -> TrainingImages:
    """The images with the mean and standard deviation that the card normalizes by."""
    return TrainingImages(replace(data, mean=_three(card.mean), std=_three(card.std)), source, _digest(data))


def _chosen(count: int, wanted: int) -> list[int]:
    """Up to `wanted` indices below `count`, drawn at random, always the same."""
    indices = np.random.default_rng(0).permutation(count)[:wanted]
    return sorted(int(index) for index in indices)


def _some(data: Dataset, wanted: int) -> Dataset:
    rows = _chosen(len(data), wanted)
    return replace(data, images=data.images[rows], labels=data.labels[rows])


def _from_folder(data_dir: Path, wanted: int, card: Card) -> Dataset:
    listing = list_images(data_dir, "train")
    files = tuple(listing.files[row] for row in _chosen(len(listing.files), wanted))
    decoded = decode_all(replace(listing, files=files), card.input_size)
    if not len(decoded.labels):
        raise Problem(
            "None of the training images in {folder} can be read: replace them, or remove the folder.",
            folder=short_path(listing.root, 1),
        )
    name, classes = readable(data_dir.resolve().name), tuple(map(readable, listing.classes))
    return Dataset(name, decoded.images, decoded.labels, classes, (0, 0, 0), (1, 1, 1), "")


def _scenes(wanted: int, card: Card) -> Dataset:
    images, labels = scenes.dataset(wanted, SCENES_SEED, max(card.input_size, 16))
    config = config_of(card)
    if config is not None and config.shortcut is not None:
        images = with_marks(images, planted_marks(labels, config.shortcut, SCENES_SEED))
    if images.shape[1] != card.input_size:
        images = np.stack([card.framed(pixels) for pixels in images])
    return Dataset("scenes", images, labels, scenes.CLASSES, (0, 0, 0), (1, 1, 1), "")


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue, *_ = values if len(values) >= 3 else (values[0],) * 3
    return red, green, blue


def _digest(data: Dataset) -> str:
    return hashlib.sha256(data.images.tobytes() + data.labels.tobytes()).hexdigest()
