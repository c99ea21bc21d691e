"""Nulls keep what they are said to keep, and nothing else."""

import numpy as np
import scipy.sparse as sp

from spikylib import nulls, spikes, synthetic


def test_like_normal_has_mean_and_covariance_and_no_spikes():
    rng = np.random.default_rng(0)
    E = np.outer(rng.uniform(1, 3, 3000), [2.0, 1.0, 0.0])
    E[:, 1] += 5
    null = nulls.like_normal(E, seed=4)
    np.testing.assert_allclose(null.mean(axis=0), E.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(np.cov(null.T), np.cov(E.T), atol=0.15)
    rays = np.repeat(np.eye(8), 50, axis=0) * rng.uniform(1, 2, (400, 1))
    assert spikes.spk(rays) == 4 / 400
    assert spikes.spk(nulls.like_normal(rays)) > 0.3
    whole = nulls.like_normal(E[:50], seed=1)
    assert whole.shape == (50, 3)
    # variances that tie leave the axes to rounding: the rows drawn do not depend on them
    tied = np.kron(np.eye(4), rng.uniform(1, 2, (9, 1)))
    nearly = tied + 1e-9 * rng.standard_normal(tied.shape)
    np.testing.assert_allclose(nulls.like_normal(nearly, seed=1), nulls.like_normal(tied, seed=1), atol=1e-6)


def test_shuffled_items_keep_their_counts_but_for_pairs_drawn_twice():
    X = synthetic.clean_playlists(n_items=150, n_contexts=900, n_communities=3, noise=0.02, seed=1).matrix
    mixed = nulls.shuffle_items(X, seed=2)
    assert mixed.shape == X.shape and set(np.unique(mixed.data)) == {1}
    assert (mixed.sum(axis=1) <= X.sum(axis=1)).all() and (mixed.sum(axis=0) <= X.sum(axis=0)).all()
    assert mixed.nnz > 0.85 * X.nnz
    assert (mixed != X).nnz > X.nnz / 2
    diagonal = sp.csr_array(np.eye(6, dtype=int))  # nothing can come up twice
    np.testing.assert_array_equal(nulls.shuffle_items(diagonal).sum(axis=0), np.ones(6))
    np.testing.assert_array_equal(nulls.shuffle_items(diagonal).sum(axis=1), np.ones(6))


def test_rows_in_cones_keep_norm_and_angle_and_nothing_else():
    rng = np.random.default_rng(3)
    E, axes = rng.standard_normal((2000, 6)) * [3, 1, 1, 1, 1, 1], rng.standard_normal((2000, 6))
    E[7] = 0
    drawn = nulls.in_cones(E, axes, seed=1)
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), np.linalg.norm(E, axis=1))
    np.testing.assert_allclose((drawn * axes).sum(axis=1), (E * axes).sum(axis=1), atol=1e-12)
    axis = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    rest = drawn - (drawn * axis).sum(axis=1, keepdims=True) * axis
    assert rest[:, 0].var() > 2 * rest[:, 1].var(), "turned mostly to where the rows are long"
    np.testing.assert_allclose(nulls.in_cones(E, 5 * axes, seed=1), drawn, atol=1e-12)
