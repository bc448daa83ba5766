"""Pixels taken out of an image and filled in, so that the network is not shown a hole it has never seen."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model.words import N_

NOISE = 0.01
EXACT = 5e-4  # of the system's right-hand side: well below the noise
ROUNDS, MOST_ROUNDS = 4, 600
LARGEST = 64
MOST_PIXELS = 2_000_000  # of the images solved together, so that memory stays bounded
Fill = Callable[[Tensor, Tensor, int], Tensor]


@dataclass(frozen=True)
class Removal:
    """A way to remove pixels. `summary`, a whole sentence marked with `N_`, is what comes in their place.

    `fill(x, removed, seed)` gives n images (n, 3, h, w) of x (3, h, w), each without its own pixels of
    `removed`, bool (n, h, w). Where nothing is left, the mean color of x comes in its place.
    """

    title: str
    summary: str
    fill: Fill


def infilled(x: Tensor, removed: Tensor, seed: int) -> Tensor:
    """Each removed pixel is the weighted mean of its neighbors, kept or removed, plus small noise.

    Weights are 1/6 for the four direct and 1/12 for the four diagonal neighbors; at the image's border those
    that exist are weighted up. One linear system an image, solved by conjugate gradients; for an image larger
    than LARGEST at a smaller size, and then enlarged. arXiv:2202.00449.
    """
    parts = torch.split(removed, max(1, MOST_PIXELS // removed[0].numel()))
    generator = torch.Generator().manual_seed(seed)
    noise = NOISE * torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
    return torch.cat([_smooth(x, part) + noise * part[:, None] for part in parts])


def _smooth(x: Tensor, removed: Tensor) -> Tensor:
    """Images with what is removed filled in, without noise."""
    all_removed = removed.flatten(1).all(1)[:, None, None, None]
    base = torch.where(all_removed, x.mean((1, 2), keepdim=True), x)
    missing = (removed[:, None] & ~all_removed).to(x.dtype)
    known, mask = base * (1 - missing), 1 - missing
    if max(x.shape[1:]) <= LARGEST:
        return known + _solved(missing, known, missing * _from_coarse(known, mask))
    small, where_known = _reduced(known, mask, -(-max(x.shape[1:]) // LARGEST))
    holes = 1 - where_known
    filled = small + _solved(holes, small, holes * _from_coarse(small, where_known))
    return known + missing * functional.interpolate(filled, size=x.shape[1:], mode="bilinear")


def _reduced(known: Tensor, mask: Tensor, times: int) -> tuple[Tensor, Tensor]:
    """The mean of the pixels that are kept, so many times smaller, and where there are some."""
    height, width = known.shape[2:]
    size = -(-height // times), -(-width // times)
    weight = functional.adaptive_avg_pool2d(mask, size)
    mean = functional.adaptive_avg_pool2d(known, size) / weight.clamp_min(1e-6)
    return mean, (weight > 0).to(known.dtype)


def averaged(x: Tensor, removed: Tensor, seed: int) -> Tensor:
    """Each removed pixel has the mean color of the image."""
    return torch.where(removed[:, None], x.mean((1, 2), keepdim=True), x)


def zeroed(x: Tensor, removed: Tensor, seed: int) -> Tensor:
    """Each removed pixel is zero: after normalization, the mean color of the training images."""
    return x * ~removed[:, None]


def _neighbors(values: Tensor) -> Tensor:
    """The weighted sum of each pixel's eight neighbors, (n, c, h, w); outside the image is zero."""
    rows = 2 * values
    rows[..., 1:, :] += values[..., :-1, :]
    rows[..., :-1, :] += values[..., 1:, :]
    both = 2 * rows
    both[..., 1:] += rows[..., :-1]
    both[..., :-1] += rows[..., 1:]
    return both.sub_(values, alpha=4).div_(12)


def _solved(missing: Tensor, known: Tensor, start: Tensor) -> Tensor:
    """The removed pixels u of degree · u − neighbors(u) = neighbors(known), by conjugate gradients.

    Images whose residual is small enough are left alone: a few with large holes take far more rounds.
    """
    degree = _neighbors(torch.ones_like(missing[:1]))
    wanted = missing * _neighbors(known)
    enough = EXACT**2 * _dot(wanted, wanted).clamp_min(1e-12)
    u, solved = start, torch.empty_like(start)
    open_rows = torch.arange(len(u), device=u.device)
    residual = wanted - missing * (degree * u - _neighbors(u))
    direction, size = residual, _dot(residual, residual)
    for turn in range(MOST_ROUNDS):
        if turn % ROUNDS == 0:
            unsolved = (size > enough).flatten(1).any(1)
            solved[open_rows] = u
            if not bool(unsolved.any()):
                break
            state = (open_rows, missing, enough, u, residual, direction, size)
            open_rows, missing, enough, u, residual, direction, size = (each[unsolved] for each in state)
        ahead = (degree * direction).sub_(_neighbors(direction)).mul_(missing)
        step = size / _dot(direction, ahead).clamp_min(1e-30)
        u = torch.addcmul(u, step, direction)
        residual = torch.addcmul(residual, step, ahead, value=-1)
        before, size = size, _dot(residual, residual)
        direction = torch.addcmul(residual, size / before.clamp_min(1e-30), direction)
    solved[open_rows] = u
    return solved


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum((2, 3), keepdim=True)


def _from_coarse(values: Tensor, mask: Tensor) -> Tensor:
    """A first guess of what is missing, from the image at half its size, and so on."""
    height, width = values.shape[2:]
    if height * width == 1:
        return values
    coarse = _from_coarse(*_reduced(values * mask, mask, 2))
    guess = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :height, :width]
    return torch.where(mask > 0, values, guess)


REMOVALS: dict[str, Removal] = {
    "infilled": Removal(
        title=N_("Linear infilling"),
        summary=N_("Removed pixels are interpolated from what is left around them, with a little noise."),
        fill=infilled,
    ),
    "mean": Removal(
        title=N_("Mean color of the image"),
        summary=N_("Removed pixels get the mean color of the image; the patch itself can be seen."),
        fill=averaged,
    ),
    "zero": Removal(
        title=N_("Zero"),
        summary=N_(
            "Removed pixels are zero, the mean color of the training images after normalization; the patch "
            "itself can be seen."
        ),
        fill=zeroed,
    ),
}
