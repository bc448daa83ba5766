"""Every batched augmentation against a plain one of each image by itself, with the same parameters."""

import model  # noqa: F401  (first: it repairs torchvision's import)

# isort: split

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as torchvision

from model import augment, augment_geometry, augment_mixing, augment_pixels
from model.augment import AUGMENTATIONS
from model.problems import Problem

COUNT = 40
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
GEOMETRIC = [name for name, each in AUGMENTATIONS.items() if each.group == "geometric"]
MIXING = [name for name, each in AUGMENTATIONS.items() if each.mix is not None]
ALONE = [name for name in AUGMENTATIONS if name not in MIXING]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stored(count: int = COUNT, height: int = 32, width: int = 32) -> Tensor:
    """uint8 (N,H,W,3): noise, and black, white, grays and saturated colors among it."""
    images = torch.randint(256, (count, height, width, 3), generator=generator(), dtype=torch.uint8)
    for n, special in enumerate([0, 255, images[:1, :, :, :1], images[:1] // 128 * 255][: count - 1]):
        images[n] = special
    return images


def floats(count: int = COUNT, height: int = 32, width: int = 32) -> Tensor:
    return augment.to_float(stored(count, height, width).permute(0, 3, 1, 2)).contiguous()


def drawn(name: str, images: Tensor, strength: float | None = None, seed: int = 0) -> tuple[Tensor, ...]:
    each = AUGMENTATIONS[name]
    count, _, height, width = images.shape
    chosen = each.strength if strength is None else strength
    return each.draw((count, height, width), chosen, generator(seed))


def assert_equal(ours: Tensor, theirs: Tensor, atol: float = 5e-6) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=atol)


# One image by itself: the batch, the image's number in it, and its own parameters.


def affine(image: Tensor, **given: Any) -> Tensor:
    unchanged = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]}
    return torchvision.affine(image, **(unchanged | given))


def cropped_one(images: Tensor, n: int, down: int, right: int) -> Tensor:
    height, width = images.shape[2:]
    padded = torchvision.pad(images[n], [width, height])
    return torchvision.crop(padded, height - down, width - right, height, width)


def jittered_one(images: Tensor, n: int, factors: Sequence[float], order: Sequence[int]) -> Tensor:
    for step in order:
        name = ("brightness", "contrast", "saturation", "hue")[step]
        images = REFERENCES[name](images[n : n + 1], 0, factors[step])[None].expand(n + 1, -1, -1, -1)
    return images[n]


def blurred_one(images: Tensor, n: int, kernel: Sequence[float]) -> Tensor:
    middle = len(kernel) // 2
    beside = kernel[middle + 1] / kernel[middle] if middle else 0.0
    sigma = math.sqrt(-0.5 / math.log(beside)) if beside > 0 else 1e-3
    return torchvision.gaussian_blur(images[n], [len(kernel)] * 2, [sigma] * 2)


def mosaic_one(images: Tensor, n: int, block: int) -> Tensor:
    image = images[n].clone()
    for top in range(0, image.shape[1], block):
        for left in range(0, image.shape[2], block):
            square = image[:, top : top + block, left : left + block]
            square[:] = square.mean((1, 2), keepdim=True)
    return image


def cut_one(images: Tensor, n: int, partner: int, share: float, box: Sequence[int]) -> Tensor:
    top, bottom, left, right = box
    image = images[n].clone()
    image[:, top:bottom, left:right] = images[partner][:, top:bottom, left:right]
    return image


def erased_one(images: Tensor, n: int, box: Sequence[int]) -> Tensor:
    top, bottom, left, right = box
    return torchvision.erase(images[n], top, left, bottom - top, right - left, torch.zeros(1))


REFERENCES: dict[str, Callable[..., Tensor]] = {
    "crop": cropped_one,
    "flip": lambda images, n, flipped: torchvision.hflip(images[n]) if flipped else images[n],
    "rotate": lambda images, n, degrees: torchvision.rotate(images[n], degrees),
    "scale": lambda images, n, factor: affine(images[n], scale=factor),
    "translate": lambda images, n, down, right: affine(images[n], translate=[right, down]),
    "shear": lambda images, n, degrees: affine(images[n], shear=[degrees, 0.0]),
    "brightness": lambda images, n, factor: torchvision.adjust_brightness(images[n], factor),
    "contrast": lambda images, n, factor: torchvision.adjust_contrast(images[n], factor),
    "saturation": lambda images, n, factor: torchvision.adjust_saturation(images[n], factor),
    "hue": lambda images, n, turn: torchvision.adjust_hue(images[n], turn),
    "jitter": jittered_one,
    "gray": lambda images, n, chosen: torchvision.rgb_to_grayscale(images[n], 3) if chosen else images[n],
    "blur": blurred_one,
    "noise": lambda images, n, amplitude, field: (images[n] + amplitude * torch.tensor(field)).clamp(0, 1),
    "mosaic": mosaic_one,
    "mixup": lambda images, n, partner, share: images[n] * share + images[partner] * (1 - share),
    "cutmix": cut_one,
    "cutout": erased_one,
}


def reference(name: str, images: Tensor, parameters: tuple[Tensor, ...]) -> Tensor:
    each = zip(*(parameter.tolist() for parameter in parameters), strict=True)
    return torch.stack([REFERENCES[name](images, n, *own) for n, own in enumerate(each)])


@pytest.mark.parametrize(("height", "width"), [(32, 32), (20, 27)])
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_batch_equals_each_image_by_itself(name: str, height: int, width: int) -> None:
    images = floats(COUNT, height, width)
    for strength in (AUGMENTATIONS[name].strength, AUGMENTATIONS[name].range[1]):
        parameters = drawn(name, images, strength)
        ours, theirs = AUGMENTATIONS[name].apply(images, *parameters), reference(name, images, parameters)
        if name in GEOMETRIC:  # a coordinate half-way between two pixels may round either way
            assert (ours != theirs).any(1).float().mean() < 1e-3
        else:
            assert_equal(ours, theirs, atol=2e-5 if name == "jitter" else 5e-6)


@pytest.mark.parametrize("name", GEOMETRIC)
def test_bytes_move_as_floats_do(name: str) -> None:
    images = stored().permute(0, 3, 1, 2).contiguous()
    parameters = drawn(name, images)
    moved = AUGMENTATIONS[name].apply(images, *parameters)
    assert moved.dtype == torch.uint8
    assert torch.equal(augment.to_float(moved), AUGMENTATIONS[name].apply(floats(), *parameters))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_strength_zero_changes_nothing(name: str) -> None:
    images, labels = floats(), torch.eye(COUNT)
    parameters = drawn(name, images, 0)
    assert_equal(AUGMENTATIONS[name].apply(images, *parameters), images)
    assert torch.equal(augment.mix_labels(labels, {name: parameters}), labels)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_images_stay_in_range_and_inputs_as_they_were(name: str) -> None:
    each, images = AUGMENTATIONS[name], floats()
    parameters = drawn(name, images, each.range[1])
    before, state = images.clone(), torch.get_rng_state()
    augmented = each.apply(images, *parameters)
    assert augmented.min() >= 0
    assert augmented.max() <= 1
    assert not torch.equal(augmented, images)
    assert torch.equal(images, before)
    again = drawn(name, images, each.range[1])
    assert all(torch.equal(a, b) for a, b in zip(parameters, again, strict=True))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", ALONE)
def test_an_image_does_not_depend_on_its_batch(name: str) -> None:
    images = floats()
    parameters = drawn(name, images)
    batch = AUGMENTATIONS[name].apply(images, *parameters)
    for n in range(0, COUNT, 7):
        one = slice(n, n + 1)
        alone = AUGMENTATIONS[name].apply(images[one], *(each[one] for each in parameters))
        assert torch.equal(alone, batch[one])


@pytest.mark.parametrize(("count", "height", "width"), [(1, 1, 1), (1, 32, 32), (3, 2, 5), (2, 64, 9)])
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_any_size_and_count_keeps_its_shape(name: str, count: int, height: int, width: int) -> None:
    images = floats(count, height, width)
    for strength in (AUGMENTATIONS[name].strength, AUGMENTATIONS[name].range[1]):
        augmented = AUGMENTATIONS[name].apply(images, *drawn(name, images, strength))
        assert augmented.shape == images.shape
        assert augmented.isfinite().all()


def test_every_augmentation_says_what_it_does() -> None:
    for name, each in AUGMENTATIONS.items():
        assert each.range[0] == 0 < each.strength <= each.range[1], name
        assert each.group in ("geometric", "pixel", "semantic")
        assert each.summary.endswith(".")


# The course's transform.


def test_course_equals_the_plain_composition() -> None:
    images = stored()
    draws = augment.draw(augment.COURSE, (COUNT, 32, 32), generator(7))
    theirs = images.permute(0, 3, 1, 2) / 255
    for name, parameters in draws.items():
        theirs = reference(name, theirs, parameters)
    theirs = torchvision.normalize(theirs, list(MEAN), list(STD))
    ours = augment.course(images, generator(7), MEAN, STD)
    assert ((ours - theirs).abs().amax(1) > 2e-5).float().mean() < 2e-4
    assert list(draws) == ["crop", "flip", "jitter", "rotate"]


def test_course_repeats_itself_and_goes_through_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    images = stored()
    monkeypatch.setattr(augment, "CHUNK", 25)
    whole = augment.course(images, generator(3), MEAN, STD)
    assert torch.equal(whole, augment.course(images, generator(3), MEAN, STD))
    assert not torch.equal(whole, augment.course(images, generator(4), MEAN, STD))
    drawing = generator(3)
    parts = [augment.course(part, drawing, MEAN, STD) for part in images.split(25)]
    assert torch.equal(whole, torch.cat(parts))


def test_course_draws_what_torchvision_draws() -> None:
    draws = augment.draw(augment.COURSE, (5000, 32, 32), generator())
    for offsets in draws["crop"]:
        assert torch.bincount(offsets + 4).min() > 450
        assert len(offsets.unique()) == 9
    assert abs(draws["flip"][0].float().mean() - 0.5) < 0.03
    factors, order = draws["jitter"]
    for column, (low, high) in zip(factors.T, [(0.8, 1.2)] * 3 + [(-0.1, 0.1)], strict=True):
        assert low <= column.min() < low + 0.01
        assert high - 0.01 < column.max() <= high
    assert len(order.unique(dim=0)) == 24
    (degrees,) = draws["rotate"]
    assert -15 <= degrees.min() < -14.5
    assert 14.5 < degrees.max() <= 15


def test_normalize_equals_torchvision() -> None:
    images = stored(COUNT, 20, 27)
    theirs = torchvision.normalize(images.permute(0, 3, 1, 2) / 255, list(MEAN), list(STD))
    assert_equal(augment.normalize(images, MEAN, STD), theirs)
    assert_equal(augment.standardize(floats(COUNT, 20, 27), MEAN, STD), theirs)


# Colors beyond the registry's ranges, and the pieces the references above lean on.


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_factors_up_to_three_equal_torchvision(name: str) -> None:
    images, factors = floats(), torch.linspace(0, 3, COUNT)
    assert_equal(AUGMENTATIONS[name].apply(images, factors), reference(name, images, (factors,)))


def test_hue_meets_its_corners() -> None:
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 0.5, 1.0])] * 3).T.view(1, 3, 1, 27)
    for turn in (-0.5, -1 / 3, 0.0, 1 / 6, 0.25, 0.5):
        turned = augment_pixels.hue(corners, torch.tensor([turn]))
        assert_equal(turned[0], torchvision.adjust_hue(corners[0], turn))


def test_jitter_follows_every_order() -> None:
    images = floats(24)
    order = torch.cartesian_prod(*[torch.arange(4)] * 4)
    order = order[order.sort(1).values.eq(torch.arange(4)).all(1)]
    factors, _ = drawn("jitter", images)
    theirs = reference("jitter", images, (factors, order))
    assert_equal(augment_pixels.jitter(images, factors, order), theirs, atol=2e-5)


def test_quarter_turns_are_exact() -> None:
    images = floats(4)
    turned = augment_geometry.rotate(images, torch.tensor([0.0, 90.0, 180.0, -90.0]))
    for n, one in enumerate(turned):
        assert torch.equal(one, images[n].rot90(n, (1, 2)))


def test_gaussian_sums_to_one_and_has_its_width() -> None:
    kernel = augment_pixels.gaussian(torch.tensor([0.0, 0.5, 2.0]), 8)
    assert_equal(kernel.sum(1), torch.ones(3))
    assert kernel[0, 8] == 1
    variance = (kernel * torch.arange(-8, 9).square()).sum(1)
    assert_equal(variance[2].sqrt(), torch.tensor(2.0), atol=0.01)


# Labels.


@pytest.mark.parametrize("name", MIXING)
@pytest.mark.parametrize("strength", [0.1, 1.0, 2.0])
def test_labels_mix_as_their_images_do(name: str, strength: float) -> None:
    """Image n is all n / COUNT: what the label says of each image must be what the pixels show."""
    values = torch.arange(COUNT) / COUNT
    images = values.view(-1, 1, 1, 1).expand(-1, 3, 32, 32)
    parameters = drawn(name, images, strength)
    labels = augment.mix_labels(torch.eye(COUNT), {name: parameters})
    assert_equal(labels.sum(1), torch.ones(COUNT))
    assert_equal(labels @ values, AUGMENTATIONS[name].apply(images, *parameters).mean((1, 2, 3)))


def test_beta_has_its_mean_and_variance() -> None:
    for strength in (0.02, 0.2, 1.0, 2.0):
        share = augment_mixing.beta(20000, strength, generator())
        assert share.isfinite().all()
        assert abs(share.mean() - 0.5) < 0.015
        assert abs(share.var() - 1 / (4 * (2 * strength + 1))) < 0.01


def test_augment_mixes_images_and_labels_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "CHUNK", 25)
    images, labels = stored(), augment.one_hot(torch.arange(COUNT) % 10, 10)
    strengths = {"flip": 0.5, "mixup": 0.4, "cutmix": 1.0}
    x, soft = augment.augment(images, labels, strengths, generator(5), MEAN, STD)
    drawing = generator(5)
    for rows in (slice(0, 25), slice(25, COUNT)):
        part, part_labels = floats()[rows], labels[rows]
        for name, strength in strengths.items():
            parameters = AUGMENTATIONS[name].draw((len(part), 32, 32), strength, drawing)
            part = AUGMENTATIONS[name].apply(part, *parameters)
            if name in MIXING:
                part_labels = augment_mixing.mix(part_labels, *parameters)
        assert_equal(x[rows], augment.standardize(part, MEAN, STD))
        assert torch.equal(soft[rows], part_labels)
    assert augment.mixes(strengths)
    assert not augment.mixes(augment.COURSE)


# Names and strengths as people write them.


def test_parse_reads_names_and_strengths() -> None:
    assert augment.parse(["flip", "rotate=30", "mixup=.4"]) == {"flip": 0.5, "rotate": 30, "mixup": 0.4}
    assert augment.parse([]) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("swirl", "no augmentation “swirl”; choose from crop, flip"),
        ("swirl=1", "no augmentation “swirl”"),
        ("rotate=far", "“far” in “rotate=far” is not a number"),
        ("rotate=", "is not a number"),
        ("rotate=200", "rotate cannot have the strength 200; choose a value from 0 to 180"),
        ("rotate=nan", "rotate cannot have the strength nan"),
    ],
)
def test_parse_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(Problem, match=said):
        augment.parse([text])
