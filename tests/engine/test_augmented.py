"""Pictures of augmentation, against what the trainer itself feeds the network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.engine import augmented
from explorer.engine.augmented import TrainingImages
from model import augment
from model.augment import AUGMENTATIONS
from model.augment_pixels import draw_blur
from model.batches import batches
from model.card import Card, Pixels
from model.datasets import Dataset
from model.problems import Problem
from model.recipes import RECIPES, Config, choose, recorded
from model.shortcut import with_marks

MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
ALONE = [name for name, transform in AUGMENTATIONS.items() if transform.mix is None]
MIXING = [name for name, transform in AUGMENTATIONS.items() if transform.mix is not None]


def pictures(count: int = 1, side: int = 32, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@pytest.fixture
def images() -> TrainingImages:
    labels = np.random.default_rng(1).integers(0, 10, 40)
    data = Dataset("noise", pictures(40), labels, tuple("abcdefghij"), MEAN, STD, "")
    return TrainingImages(data, "scenes", "digest")


# One image


@pytest.mark.parametrize("name", ALONE)
def test_draws_are_what_training_would_make_of_the_image(name: str) -> None:
    (pixels,) = pictures()
    strength = AUGMENTATIONS[name].strength
    drawn = augmented.draws(pixels, name, strength, seed=5, count=4)
    batch = torch.from_numpy(np.stack([pixels] * 4))
    made, _ = augment.augment(
        batch, torch.ones(4, 1), {name: strength}, torch.Generator().manual_seed(5), (0, 0, 0), (1, 1, 1)
    )
    np.testing.assert_allclose(drawn.pixels, made.permute(0, 2, 3, 1).numpy() * 255, atol=0.501)
    np.testing.assert_array_equal(drawn.fractions, np.ones((4, 1)))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_strength_zero_changes_nothing_and_a_seed_repeats(name: str) -> None:
    pixels, *partners = pictures(4)
    low = AUGMENTATIONS[name].range[0]
    assert low == 0
    still = augmented.draws(pixels, name, 0, 3, 2, partners)
    np.testing.assert_array_equal(still.pixels, np.stack([pixels] * 2))
    strength = AUGMENTATIONS[name].strength
    assert augmented.draws(pixels, name, strength, 3, 5, partners) == augmented.draws(
        pixels, name, strength, 3, 5, partners
    )
    assert augmented.draws(
        pixels, name, 0.9 * AUGMENTATIONS[name].range[1], 3, 9, partners
    ) != augmented.draws(pixels, name, 0.9 * AUGMENTATIONS[name].range[1], 4, 9, partners)


@pytest.mark.parametrize("name", MIXING)
def test_labels_mix_as_the_pictures_do(name: str) -> None:
    pixels = np.full((16, 16, 3), 250, np.uint8)
    partners = [np.full((16, 16, 3), level, np.uint8) for level in (0, 50, 100)]
    drawn = augmented.draws(pixels, name, 1.0, 0, 12, partners)
    np.testing.assert_allclose(drawn.fractions.sum(1), 1, rtol=1e-6)
    levels = np.array([250, 0, 50, 100])
    np.testing.assert_allclose(drawn.pixels.mean((1, 2, 3)), drawn.fractions @ levels, atol=0.6)
    assert (drawn.fractions[:, 0] < 0.999).any()


@pytest.mark.parametrize(
    ("name", "drawn", "text"),
    [
        ("crop", [torch.tensor([2]), torch.tensor([-1])], "2 px down, 1 px left"),
        ("translate", [torch.tensor([0]), torch.tensor([3])], "3 px right"),
        ("crop", [torch.tensor([0]), torch.tensor([0])], "not moved"),
        ("rotate", [torch.tensor([-90.0])], "90.0° to the right"),
        ("shear", [torch.tensor([12.0])], "12.0°, top to the right"),
        ("gray", [torch.tensor([True])], "grayscale"),
        ("hue", [torch.tensor([-0.05])], "−18°"),
        ("brightness", [torch.tensor([1.118])], "× 1.12"),
        (
            "jitter",
            [torch.tensor([[1.1, 0.9, 1.0, 0.1]])],
            "brightness × 1.10, contrast × 0.90, saturation × 1.00, hue +36°",
        ),
        ("mosaic", [torch.tensor([4])], "squares of 4 px"),
        ("cutout", [torch.tensor([[0, 9, 12, 28]])], "9 × 16 px black"),
        ("cutout", [torch.tensor([[4, 4, 12, 28]])], "unchanged"),
    ],
)
def test_what_was_drawn_is_said(name: str, drawn: list[torch.Tensor], text: str) -> None:
    assert AUGMENTATIONS[name].caption(*(tuple(each[0].reshape(-1).tolist()) for each in drawn)) == text


def test_captions_say_which_way_pixels_move() -> None:
    """A white pixel in the middle of the upper edge, moved, turned and sheared as the captions say."""
    image = torch.zeros(1, 3, 5, 5)
    image[..., 0, 2] = 1
    moves = {"translate": [torch.tensor([1]), torch.tensor([-1])], "rotate": [torch.tensor([90.0])]}
    moves["shear"] = [torch.tensor([45.0])]
    ends = {name: AUGMENTATIONS[name].apply(image, *moves[name])[0, 0].nonzero().tolist() for name in moves}
    assert ends == {"translate": [[1, 1]], "rotate": [[2, 0]], "shear": [[0, 4]]}
    assert AUGMENTATIONS["translate"].caption((1.0,), (-1.0,)) == "1 px down, 1 px left"
    assert AUGMENTATIONS["rotate"].caption((90.0,)) == "90.0° to the left"
    assert AUGMENTATIONS["shear"].caption((45.0,)) == "45.0°, top to the right"


def test_a_draw_is_captioned_with_its_own_parameters() -> None:
    (pixels,) = pictures()
    drawn = augment.draw({"rotate": 90.0}, (3, 32, 32), torch.Generator().manual_seed(0))["rotate"][0]
    draws = augmented.draws(pixels, "rotate", 90, 0, 3)
    assert [draws.text(n) for n in range(3)] == [
        f"{abs(float(angle)):.1f}° to the {'left' if angle >= 0 else 'right'}" for angle in drawn
    ]


@pytest.mark.parametrize("strength", [0.0, 0.03, 0.2])
def test_a_blur_is_captioned_with_its_sigma(strength: float) -> None:
    (pixels,) = pictures()
    sigmas = torch.rand(9, generator=torch.Generator().manual_seed(4)) * strength * min(pixels.shape[:2])
    kernels = draw_blur((9, *pixels.shape[:2]), strength, torch.Generator().manual_seed(4))[0]
    texts = [AUGMENTATIONS["blur"].caption(tuple(kernel.tolist())) for kernel in kernels]
    assert texts == [f"sigma {sigma:.2f} px" if sigma > 0.07 else "unchanged" for sigma in sigmas.tolist()]


def test_another_spelling_of_gray_is_known() -> None:
    assert augment.parse(["grey=0.3"]) == {"gray": 0.3}


def test_an_unknown_transform_or_strength_is_refused() -> None:
    (pixels,) = pictures()
    with pytest.raises(Problem, match="no augmentation"):
        augmented.draws(pixels, "sparkle", 1, 0, 1)
    with pytest.raises(Problem, match="cannot have the strength"):
        augmented.draws(pixels, "flip", 1.5, 0, 1)


# A batch


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("also", ["", ",mixup", ",cutmix"])
def test_a_batch_is_the_trainers_first(images: TrainingImages, recipe: str, also: str) -> None:
    config = replace(RECIPES[recipe], augment=RECIPES[recipe].augment + also, seed=3)
    made = augmented.first_batch(images, config, 2)
    x, y = next(batches(images.data, replace(config, batch_size=40), 2))
    normalized = (made.pixels / 255 - MEAN) / STD
    np.testing.assert_allclose(normalized, x.permute(0, 2, 3, 1).numpy(), atol=0.51 / 255 / min(STD))
    if also:
        np.testing.assert_allclose(made.labels, y.numpy(), atol=1e-6)
        assert ((made.labels > 0.01).sum(1) > 1).any()
    else:
        np.testing.assert_array_equal(made.labels.argmax(1), y.numpy())
    np.testing.assert_allclose(made.labels.sum(1), 1, rtol=1e-5)


def test_without_augmentation_a_batch_is_the_images_themselves(images: TrainingImages) -> None:
    made = augmented.first_batch(images, Config(augment="none"), 1)
    order = [row.tobytes() for row in images.data.images]
    for picture, label in zip(made.pixels, made.labels.argmax(1), strict=True):
        assert images.data.labels[order.index(picture.tobytes())] == label


def test_another_epoch_is_another_batch(images: TrainingImages) -> None:
    assert augmented.first_batch(images, Config(), 1) == augmented.first_batch(images, Config(), 1)
    assert augmented.first_batch(images, Config(), 1) != augmented.first_batch(images, Config(), 2)


# Recipes


def test_a_checkpoints_own_recipe_comes_first_where_it_is_another() -> None:
    own = choose({"recipe": "course", "augment": "flip,cutout=0.25"})
    recipes = augmented.recipes_of(Card(recipe="course", config=recorded(own)))
    assert list(recipes) == ["own", *RECIPES]
    assert recipes["own"].augment == "flip,cutout=0.25"
    plain = augmented.recipes_of(Card(recipe="course", config=recorded(choose({}))))
    assert list(plain) == ["own", "fast"]


@pytest.mark.parametrize(
    "config", [{}, {"epochs": 20}, {"augment": "sparkle"}, {"augment": "flip=9"}, {"augment": None}]
)
def test_a_card_that_tells_no_known_augmentation_has_none(config: dict[str, object]) -> None:
    assert augmented.config_of(Card(config=config)) is None
    assert list(augmented.recipes_of(Card(config=config))) == list(RECIPES)


# Training images


def folder(root: Path, each: int = 40) -> Path:
    for label, name in enumerate(("dark", "bright")):
        class_folder = root / "train" / name
        class_folder.mkdir(parents=True)
        for number, pixels in enumerate(pictures(each, 20, label)):
            Image.fromarray(pixels // 2 + 120 * label).save(class_folder / f"{number}.png")
    return root


def test_images_come_from_the_training_folder_always_the_same(tmp_path: Path) -> None:
    card = Card(mean=MEAN, std=STD, input_size=16)
    images = augmented.training_images(folder(tmp_path), card)
    assert images.data.images.shape == (64, 16, 16, 3)
    assert images.data.classes == ("bright", "dark")
    bright = images.data.images.mean((1, 2, 3)) > 120
    np.testing.assert_array_equal(images.data.labels == 0, bright)
    assert (images.data.mean, images.data.std) == (MEAN, STD)
    assert (images.source, images.data.name) == ("folder", tmp_path.name)
    assert augmented.training_images(tmp_path, card).digest == images.digest


def test_large_images_are_fewer(tmp_path: Path) -> None:
    assert len(augmented.training_images(folder(tmp_path), Card(input_size=96)).data) == 16


def test_scenes_have_the_marks_of_the_run(tmp_path: Path) -> None:
    plain = augmented.training_images(tmp_path, Card()).data
    marked = augmented.training_images(tmp_path, Card(config={"augment": "flip", "shortcut": 1.0})).data
    assert np.array_equal(marked.images, with_marks(plain.images, plain.labels))


def test_without_training_images_scenes_are_drawn(tmp_path: Path) -> None:
    images = augmented.training_images(tmp_path, Card())
    assert images.data.images.shape == (64, 32, 32, 3)
    assert images.source == "scenes"
    assert set(np.bincount(images.data.labels, minlength=10)) <= {6, 7}


def test_an_empty_class_folder_is_a_sentence(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "train" / "empty").mkdir()
    with pytest.raises(Problem, match="has no images"):
        augmented.training_images(tmp_path, Card())


def test_unreadable_images_are_left_out_and_none_at_all_is_a_sentence(tmp_path: Path) -> None:
    folder(tmp_path, each=3)
    (tmp_path / "train" / "dark" / "0.png").write_bytes(b"broken")
    assert len(augmented.training_images(tmp_path, Card()).data) == 5
    for path in tmp_path.glob("train/*/*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(Problem, match="None of the training images"):
        augmented.training_images(tmp_path, Card())
