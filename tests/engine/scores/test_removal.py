import numpy as np
import pytest
import torch
from torch import Tensor

from explorer.engine.scores import removal
from explorer.engine.scores.removal import NOISE, REMOVALS, infilled

SIDE = 12


@pytest.fixture
def x() -> Tensor:
    return torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def removed() -> Tensor:
    masks = torch.zeros(4, SIDE, SIDE, dtype=torch.bool)
    masks[0, 3:9, 2:11] = True
    masks[1] = torch.rand(SIDE, SIDE, generator=torch.Generator().manual_seed(1)) < 0.6
    masks[2, : SIDE // 2] = True
    masks[3] = True
    masks[3, 0, 0] = False
    return masks


def solved_densely(x: Tensor, removed: np.ndarray) -> np.ndarray:
    """The definition as one dense system: degree · u − Σ weight · (removed neighbors) = Σ weight · (kept)."""
    holes = [(i, j) for i in range(SIDE) for j in range(SIDE) if removed[i, j]]
    number = {place: index for index, place in enumerate(holes)}
    matrix, right = np.zeros((len(holes), len(holes))), np.zeros((len(holes), 3))
    for (i, j), index in number.items():
        for di, dj in [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]:
            near, weight = (i + di, j + dj), 1 / 12 if di and dj else 1 / 6
            if not (0 <= near[0] < SIDE and 0 <= near[1] < SIDE):
                continue
            matrix[index, index] += weight
            if near in number:
                matrix[index, number[near]] -= weight
            else:
                right[index] += weight * x[:, near[0], near[1]].numpy()
    filled = x.numpy().astype(np.float64)
    filled[:, [i for i, _ in holes], [j for _, j in holes]] = np.linalg.solve(matrix, right).T
    return filled


def test_infilling_solves_the_system(x: Tensor, removed: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "NOISE", 0.0)
    for filled, mask in zip(infilled(x, removed, 0), removed, strict=True):
        assert np.allclose(filled, solved_densely(x, mask.numpy()), atol=NOISE / 4)


def test_the_noise_is_small_and_only_where_something_is_missing(x: Tensor, removed: Tensor) -> None:
    one, other = infilled(x, removed, 0), infilled(x, removed, 1)
    missing = removed[:, None].expand_as(one)
    assert torch.equal(one[~missing], x.expand_as(one)[~missing])
    assert NOISE < (one - other)[missing].std() < 2 * NOISE
    assert torch.equal(one, infilled(x, removed, 0))


@pytest.mark.parametrize("size", [(100, 80), (224, 224)])
def test_a_large_image_is_filled_in_smoothly(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from the border a plane is its own mean: holes in it leave no trace."""
    monkeypatch.setattr(removal, "NOISE", 0.0)
    height, width = size
    plane = torch.linspace(0, 1, height)[:, None] + torch.linspace(0, 2, width)
    removed = torch.zeros(1, *size, dtype=torch.bool)
    removed[0, height // 4 : height // 2, width // 3 : width // 2] = True
    filled = infilled(plane.expand(3, -1, -1), removed, 0)[0]
    assert torch.allclose(filled, plane.expand(3, -1, -1), atol=0.05)
    assert torch.equal(filled[:, ~removed[0]], plane.expand(3, -1, -1)[:, ~removed[0]])


@pytest.mark.parametrize("name", REMOVALS)
def test_images_do_not_influence_one_another(name: str, x: Tensor, removed: Tensor) -> None:
    together = REMOVALS[name].fill(x, removed, 0)
    for index in range(len(removed)):
        alone = REMOVALS[name].fill(x, removed[[index]], 0)[0]
        assert torch.allclose(together[index], alone, atol=1e-6)


@pytest.mark.parametrize("name", ["infilled", "mean"])
def test_nothing_left_is_the_mean_color(name: str, x: Tensor) -> None:
    filled = REMOVALS[name].fill(x, torch.ones(1, SIDE, SIDE, dtype=torch.bool), 0)[0]
    assert torch.allclose(filled, x.mean((1, 2), keepdim=True).expand_as(x), atol=6 * NOISE)


def test_nothing_removed_is_the_image(x: Tensor) -> None:
    for each in REMOVALS.values():
        assert torch.equal(each.fill(x, torch.zeros(1, SIDE, SIDE, dtype=torch.bool), 0)[0], x)
