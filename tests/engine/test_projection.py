"""Features in two dimensions: PCA against an eigendecomposition, outlines, neighbors."""

import numpy as np
import pytest

from explorer.engine import projection
from explorer.engine.projection import PROJECTIONS, inside, nearest, neighbor_preservation, pca
from explorer.engine.values import Floats
from model.problems import Problem


def features(count: int = 60, width: int = 7, seed: int = 0) -> Floats:
    random = np.random.default_rng(seed)
    return (random.normal(size=(count, width)) * np.arange(1, width + 1) + 5).astype(np.float32)


@pytest.mark.parametrize(("count", "width"), [(60, 7), (5, 40), (3, 2)])
def test_pca_is_the_eigendecomposition_of_the_covariance(count: int, width: int) -> None:
    values = features(count, width)
    made = pca(values)
    covariance = np.cov(values.astype(np.float64), rowvar=False)
    variances, directions = np.linalg.eigh(covariance)
    first = directions[:, ::-1][:, :2]
    first = first * np.sign(first[np.abs(first).argmax(0), [0, 1]])
    centered = values.astype(np.float64) - values.mean(0, dtype=np.float64)
    np.testing.assert_allclose(made.points, centered @ first, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(made.explained, variances[::-1][:2] / variances.sum(), rtol=1e-9)


def test_pca_of_one_feature_and_of_equal_images_has_zeros() -> None:
    one = pca(features(10, 1))
    assert not one.points[:, 1].any()
    np.testing.assert_allclose(one.explained, [1, 0])
    equal = pca(np.ones((5, 4), np.float32))
    assert not equal.points.any()
    assert not equal.explained.any()


def test_too_few_images_and_nan_are_sentences() -> None:
    with pytest.raises(Problem, match="needs 3 images or more"):
        pca(features(2))
    values = features()
    values[3, 2] = np.nan
    with pytest.raises(Problem, match="NaN or infinity"):
        pca(values)


def test_an_outline_is_followed_by_the_even_odd_rule() -> None:
    u = [(0, 0), (3, 0), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)]
    points = [(0.5, 2), (1.5, 2), (2.5, 2), (1.5, 0.5), (4, 1), (-1, 1)]
    assert inside(points, u).tolist() == [True, False, True, True, False, False]
    star = [(0, 3), (2, -3), (-3, 1), (3, 1), (-2, -3)]  # its middle is enclosed twice
    assert not inside([(0, 0)], star)[0]


def test_nearest_are_those_of_all_distances() -> None:
    values = features()
    distances = np.linalg.norm(values[:, None].astype(np.float64) - values[None], axis=2)
    expected = [row for row in np.argsort(distances[4], kind="stable") if row != 4][:6]
    assert nearest(values, 4, 6).tolist() == expected
    assert len(nearest(values[:4], 0, 12)) == 3


def test_an_image_is_not_its_own_neighbor_however_large_the_features_are() -> None:
    values = features()
    huge = (values.astype(np.float64) * 1e30).astype(np.float32)
    assert nearest(huge, 4, 6).tolist() == nearest(values, 4, 6).tolist()


def test_neighbor_preservation_equals_the_count_by_hand() -> None:
    values, points = features(), features(60, 2, seed=1)

    def neighbors(each: Floats, row: int) -> set[int]:
        distances = np.linalg.norm(each.astype(np.float64) - each[row], axis=1)
        return set(np.argsort(distances)[1:11].tolist())

    counts = [len(neighbors(values, row) & neighbors(points, row)) for row in range(60)]
    assert neighbor_preservation(values, points) == pytest.approx(np.mean(counts) / 10)
    assert neighbor_preservation(points, points) == 1.0


def test_chance_is_what_a_random_map_keeps() -> None:
    values = features(400, 5)
    kept = [neighbor_preservation(values, features(400, 2, seed)) for seed in range(1, 9)]
    assert np.mean(kept) == pytest.approx(pca(values).chance_preservation, rel=0.15)


def test_the_same_features_give_the_same_map() -> None:
    assert pca(features()) == pca(features())


@pytest.mark.parametrize("name", PROJECTIONS)
def test_a_method_is_there_or_says_what_to_install(name: str) -> None:
    method, values = PROJECTIONS[name], features(40, 5)
    if method.installed:
        assert method.compute(values).points.shape == (40, 2)
    else:
        with pytest.raises(Problem, match=f"needs the package {method.package}"):
            method.compute(values)


class _Placed:
    """Stands for a package's class: what it is given, and a map from it."""

    def __init__(self, *_: int, **settings: object) -> None:
        self.settings = settings

    def fit_transform(self, values: Floats) -> Floats:
        assert values.shape[1] <= projection.FIRST_AXES
        return values[:, :2]


def test_other_methods_are_seeded_and_begin_from_pca(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[_Placed] = []

    class Package:
        @staticmethod
        def TSNE(*arguments: int, **settings: object) -> _Placed:
            made.append(_Placed(*arguments, **settings))
            return made[-1]

        UMAP = TSNE

    monkeypatch.setattr(projection, "_package", lambda *_: Package)
    values = features(40, 60)
    for method in (projection.tsne, projection.umap):
        np.testing.assert_allclose(method(values).points, pca(values).points, rtol=1e-3, atol=1e-3)
    assert [each.settings["random_state"] for each in made] == [projection.SEED] * 2
    assert made[0].settings["perplexity"] == 13.0  # fewer images than three times the usual
