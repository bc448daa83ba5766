import numpy as np

from explorer.engine.scores.ranks import correlations_by_chance, moved, ranks, spearman


def test_equal_values_share_their_mean_rank():
    assert ranks(np.array([10.0, 30.0, 20.0, 20.0])).tolist() == [1, 4, 2.5, 2.5]
    assert ranks(np.array([7.0, 7.0, 7.0])).tolist() == [2, 2, 2]


def test_the_correlation_of_ranks_by_hand():
    one, other = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([5.0, 6.0, 7.0, 8.0, 7.0])
    # With ties: the ranks are 1 2 3.5 5 3.5, so Σ(a − 3)(b − 3) = 8 of √(10 · 9.5).
    assert np.isclose(spearman(one, other), 8 / np.sqrt(95), rtol=1e-12)
    assert np.isclose(spearman(one, np.exp(one)), 1)
    assert np.isclose(spearman(one, -one), -1)
    # No ties: 1 − 6 Σd² / n(n² − 1), with d² = 1 1 1 1.
    assert np.isclose(spearman(np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 4, 3])), 1 - 24 / 60)


def test_nothing_can_be_said_of_equal_values():
    assert np.isnan(spearman(np.ones((3, 3)), np.arange(9.0).reshape(3, 3)))


def test_chance_keeps_the_values_and_follows_from_the_seed():
    heat = np.arange(12.0).reshape(3, 4)
    draws = moved(heat, 1)
    assert np.array_equal(
        np.sort(draws.reshape(len(draws), -1), 1), np.tile(np.arange(12.0), (len(draws), 1))
    )
    assert np.array_equal(moved(heat, 1), moved(heat, 1))
    assert not np.array_equal(moved(heat, 1), moved(heat, 2))


def test_a_moved_map_keeps_its_neighbors():
    heat = np.arange(12.0).reshape(3, 4)
    rings = np.diff(np.concatenate([moved(heat, 0), moved(heat, 0)[:, :, :1]], 2), axis=2)
    assert set(np.unique(rings)) <= {-3.0, -1.0, 1.0, 3.0}


def test_unrelated_maps_correlate_as_chance_says():
    random = np.random.default_rng(0)
    chance = correlations_by_chance(random.random((8, 8)), random.random((8, 8)), 0)
    assert abs(chance.mean()) < 0.03
    assert np.isclose(chance.std(), 1 / np.sqrt(63), rtol=0.2)
