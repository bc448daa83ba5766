"""Every batched transform against torchvision's on each image by itself, with the same parameters."""

import model  # noqa: F401  (first: it repairs torchvision's import)

# isort: split
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from model import augment

COUNT = 64
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stored(count: int = COUNT, height: int = 32, width: int = 32) -> Tensor:
    """uint8 (N,H,W,3): noise, greys, black, white and saturated colours among them."""
    images = torch.randint(256, (count, height, width, 3), generator=generator(), dtype=torch.uint8)
    images[0], images[1] = 0, 255
    images[2] = images[2, :, :, :1]
    images[3] = images[3] // 128 * 255
    return images


def floats(height: int = 32, width: int = 32) -> Tensor:
    return stored(height=height, width=width).permute(0, 3, 1, 2) / 255


def assert_equal(ours: Tensor, theirs: Tensor, atol: float = 2e-6) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=atol)


COLOUR = {
    "brightness": (augment.brightness, reference.adjust_brightness, (0.0, 2.5)),
    "contrast": (augment.contrast, reference.adjust_contrast, (0.0, 2.5)),
    "saturation": (augment.saturation, reference.adjust_saturation, (0.0, 2.5)),
    "hue": (augment.hue, reference.adjust_hue, (-0.5, 0.5)),
}


@pytest.mark.parametrize("name", COLOUR)
def test_colour_equals_torchvision(name: str) -> None:
    apply, expected, (low, high) = COLOUR[name]
    images, factors = floats(), torch.linspace(low, high, COUNT)
    theirs = torch.stack([expected(image, float(f)) for image, f in zip(images, factors, strict=True)])
    before = images.clone()
    assert_equal(apply(images, factors), theirs)
    assert torch.equal(images, before)


def jittered_one(image: Tensor, factors: Tensor, order: int) -> Tensor:
    steps = [expected for _, expected, _ in COLOUR.values()]
    for step in augment.ORDERS[order]:
        image = steps[step](image, float(factors[step]))
    return image


def test_jitter_equals_torchvision_in_every_order() -> None:
    images = floats()
    factors, _ = augment.draw_jitter(COUNT, generator(), strength=0.8, turn=0.5)
    order = torch.arange(COUNT) % 24
    theirs = [jittered_one(*each) for each in zip(images, factors, order.tolist(), strict=True)]
    assert_equal(augment.jitter(images, factors, order), torch.stack(theirs), atol=1e-5)


def cropped_one(image: Tensor, top: int, left: int, flipped: bool, padding: int) -> Tensor:
    height, width = image.shape[1:]
    image = reference.crop(reference.pad(image, padding), top, left, height, width)
    return reference.horizontal_flip(image) if flipped else image


@pytest.mark.parametrize(("padding", "height", "width"), [(4, 32, 32), (0, 8, 8), (3, 20, 28)])
def test_crop_and_flip_equal_torchvision(padding: int, height: int, width: int) -> None:
    images = stored(height=height, width=width)
    draws = augment.draw_crop_flip(COUNT, generator(), padding)
    each = zip(images.permute(0, 3, 1, 2) / 255, *(draw.tolist() for draw in draws), strict=True)
    theirs = torch.stack([cropped_one(*one, padding) for one in each])
    assert_equal(augment.crop_flip(images, *draws, padding), theirs)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (20, 27)])
def test_rotation_equals_torchvision(height: int, width: int) -> None:
    images, degrees = floats(height, width), torch.linspace(-180, 179, COUNT)
    theirs = torch.stack([reference.rotate(one, float(d)) for one, d in zip(images, degrees, strict=True)])
    different = (augment.rotate(images, degrees) != theirs).any(1).float().mean()
    assert different < 2e-4  # a coordinate half-way between two pixels may round either way


def test_no_rotation_is_the_identity() -> None:
    images = floats(20, 27)
    assert torch.equal(augment.rotate(images, torch.zeros(COUNT)), images)


def test_course_equals_the_plain_composition() -> None:
    images, count = stored(), COUNT
    drawing = generator(7)
    crops = [draw.tolist() for draw in augment.draw_crop_flip(count, drawing)]
    factors, order = augment.draw_jitter(count, drawing)
    degrees = augment.draw_rotation(count, drawing).tolist()
    theirs = []
    for n, image in enumerate(images.permute(0, 3, 1, 2) / 255):
        image = cropped_one(image, *(crop[n] for crop in crops), 4)
        image = reference.rotate(jittered_one(image, factors[n], int(order[n])), degrees[n])
        theirs.append(reference.normalize(image, list(MEAN), list(STD)))
    ours = augment.course(images, generator(7), MEAN, STD)
    different = (ours - torch.stack(theirs)).abs().amax(1) > 2e-5
    assert different.float().mean() < 2e-4


def test_normalise_equals_torchvision() -> None:
    images = stored(height=20, width=27)
    theirs = reference.normalize(images.permute(0, 3, 1, 2) / 255, list(MEAN), list(STD))
    torch.testing.assert_close(augment.normalise(images, MEAN, STD), theirs, rtol=0, atol=2e-6)


def test_course_is_deterministic_and_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    images = stored()
    whole = augment.course(images, generator(3), MEAN, STD)
    assert torch.equal(whole, augment.course(images, generator(3), MEAN, STD))
    assert not torch.equal(whole, augment.course(images, generator(4), MEAN, STD))
    monkeypatch.setattr(augment, "CHUNK", 5)
    torch.testing.assert_close(augment.course(images, generator(3), MEAN, STD), whole, rtol=0, atol=0)


def test_course_draws_as_torchvision_does() -> None:
    top, left, flipped = augment.draw_crop_flip(5000, generator())
    assert (top.min(), top.max(), left.min(), left.max()) == (0, 8, 0, 8)
    assert abs(flipped.float().mean() - 0.5) < 0.03
    factors, order = augment.draw_jitter(5000, generator())
    for column, (low, high) in zip(factors.T, [(0.8, 1.2)] * 3 + [(-0.1, 0.1)], strict=True):
        assert low <= column.min() < low + 0.01
        assert high - 0.01 < column.max() <= high
    assert torch.bincount(order, minlength=24).min() > 120
    degrees = augment.draw_rotation(5000, generator())
    assert -15 <= degrees.min() < -14.5
    assert 14.5 < degrees.max() <= 15
