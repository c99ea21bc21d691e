"""Other factorisations on planted communities, whose answer is known, and on nothing at all."""

import numpy as np
import pytest
import scipy.sparse as sp

from spikylib import ppmi, spikes, synthetic
from spikylib._interactions import build
from spikylib.beyond import embed, factorise
from spikylib.svd import truncated_svd

ALL = ("svd", "svd_unscaled", "nmf", "autoencoder", "als", "bpr", "ease", "sgns")


@pytest.fixture(scope="module")
def catalogue():
    """Three communities of playlists, hardly mixed."""
    data = synthetic.clean_playlists(n_items=150, n_contexts=900, n_communities=3, noise=0.02, seed=1)
    M, kept = ppmi.ppmi_matrix(data.matrix)
    return M, sp.csr_array(data.matrix[kept]), data.items["community"].to_numpy()[kept]


@pytest.mark.parametrize("method", ALL)
def test_every_method_embeds_the_same_rows_and_again_the_same(catalogue, method):
    M, X, _ = catalogue
    E = factorise(M, X, 5, method=method, seed=3)
    assert E.shape == (M.shape[0], 5) and E.dtype == np.float64 and np.isfinite(E).all()
    np.testing.assert_array_equal(E, factorise(M, X, 5, method=method, seed=3))


@pytest.mark.parametrize("method", ALL)
def test_every_method_sees_planted_communities(catalogue, method):
    M, X, community = catalogue
    E = factorise(M, X, 6, method=method)
    unit = E / np.linalg.norm(E, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -2)
    assert (community[cosine.argmax(axis=1)] == community).mean() > 0.85


@pytest.mark.parametrize("method", ["nmf", "autoencoder", "als", "bpr", "sgns"])
def test_the_seed_matters_where_there_is_chance(catalogue, method):
    M, X, _ = catalogue
    assert (
        np.abs(factorise(M, X, 4, method=method, seed=1) - factorise(M, X, 4, method=method, seed=2)).max()
        > 0
    )


def test_svd_scaled_and_not(catalogue):
    M, X, _ = catalogue
    svd = truncated_svd(M, 5)
    np.testing.assert_array_equal(factorise(M, X, 5), svd.embeddings())
    np.testing.assert_allclose(factorise(M, X, 5, method="svd_unscaled"), svd.U, atol=1e-12)


def test_nmf_of_a_product_of_non_negative_factors_finds_its_columns():
    W = np.kron(np.eye(2), np.linspace(1, 2, 8)[:, None])  # two spikes along the axes
    M = W @ W.T
    E = factorise(M, np.ones((16, 1)), 2, method="nmf")
    assert (E >= 0).all()
    assert len(spikes.cover(E, cos_theta=0.999, rho=1).peaks) == 2
    # columns are scaled as U Sigma is
    np.testing.assert_allclose(np.linalg.norm(E, axis=0), truncated_svd(M, 2).s, rtol=1e-3)


def test_als_approximates_the_preferences(catalogue):
    """With the playlists' factors solved for, the product is near 1 on pairs and near 0 off them."""
    _, X, _ = catalogue
    items = factorise(None, X, 8, method="als", seed=1)
    dense = X.toarray().astype(float)
    preferred = items @ np.linalg.lstsq(items, dense, rcond=None)[0]
    assert preferred[dense == 1].mean() > preferred[dense == 0].mean() + 0.3
    # a larger penalty gives shorter factors
    short = factorise(None, X, 8, method="als", regularization=100.0, seed=1)
    assert np.linalg.norm(short) < np.linalg.norm(items)


@pytest.mark.parametrize("method", ["als", "bpr", "ease", "sgns"])
def test_methods_of_the_interactions_need_no_matrix(catalogue, method):
    M, X, _ = catalogue
    expected = factorise(M, X, 3, method=method)
    np.testing.assert_array_equal(factorise(None, X, 3, method=method), expected)


def test_ease_is_a_ridge_regression_of_each_item_on_all_others(catalogue):
    _, X, _ = catalogue
    dense = X.toarray().astype(float)
    B = np.zeros((len(dense), len(dense)))
    for j in range(len(dense)):
        others = np.arange(len(dense)) != j
        A = dense[others]
        B[others, j] = np.linalg.solve(A @ A.T + 20 * np.eye(len(A)), A @ dense[j])
    E = factorise(None, X, 6, method="ease", penalty=20)
    _, s, Vt = np.linalg.svd(B)
    np.testing.assert_allclose(E @ E.T, (Vt[:6].T * s[:6] ** 2) @ Vt[:6], atol=1e-8)
    np.testing.assert_allclose(np.linalg.norm(E, axis=0), s[:6])  # by decreasing weight


def test_sgns_reads_an_item_500_times(catalogue):
    _, X, _ = catalogue
    plays = X.sum(axis=1).mean()
    default, same, less = (
        factorise(None, X, 5, method="sgns", **o) for o in ({}, {"passes": round(500 / plays)}, {"passes": 1})
    )
    np.testing.assert_array_equal(default, same)
    assert np.abs(default - less).max() > 0.1


def test_bpr_scores_pairs_above_others_without_its_biases(catalogue):
    _, X, _ = catalogue
    items, dense = factorise(None, X, 8, method="bpr"), X.toarray()
    score = items @ (items.T @ dense)  # of a context, the sum over its items
    assert score[dense == 1].mean() > 2 * score[dense == 0].mean()


@pytest.mark.parametrize("method", ["svd", "ease"])
def test_embed_leaves_out_items_without_a_neighbour(method):
    # items 0 to 3 are together in five contexts, item 4 is alone and item 5 met them once
    contexts = [[0, 1, 2, 3]] * 5 + [[4]] * 5 + [[0, 5]]
    item = np.concatenate(contexts)
    data = build(
        np.array(list("abcdef"))[item], np.repeat(np.arange(11), [len(c) for c in contexts]), name="x"
    )
    made = embed(data, method=method, f=2)
    assert made.ids.tolist() == list("abcd") and made.vectors.shape == (4, 2) and made.name == "x"


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(method="word2vec"), "'word2vec'"),
        (dict(f=0), "between 1 and the 4 items, got 0"),
        (dict(f=5), "got 5"),
        (dict(X=np.ones((3, 2))), "same items"),
        (dict(M=np.ones((4, 3))), "same items"),
    ],
)
def test_bad_factorisations(change, message):
    plain = dict(M=np.ones((4, 4)), X=np.ones((4, 2)), f=2)
    arguments = {**plain, **change}
    with pytest.raises(ValueError, match=message):
        factorise(arguments["M"], arguments["X"], arguments["f"], method=arguments.get("method", "svd"))
