"""Numbers at the edge of what floats and shapes allow: right, or refused in words."""

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp

from spikylib import consistency, dcbm, stability, synthetic
from spikylib.datasets import Embeddings
from spikylib.ppmi import cooccurrence, ppmi_matrix
from spikylib.retrieval import temper_norms, top_k
from spikylib.spikes import cover
from spikylib.svd import TruncatedSVD, truncated_svd

PLAYLISTS = np.array([[1, 1, 0, 0, 0], [1, 1, 0, 0, 1], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0]])
SHARED = math.log(5 * 2 / (2 * 3)), math.log(5 * 2 / (2 * 2))  # of items 0-1 and 2-3


def rows(seed=0, n=60, d=4):
    return np.random.default_rng(seed).standard_normal((n, d))


def exact_order(E, query, similarity):
    """Rows by decreasing similarity in exact arithmetic, ties to the lower row."""
    E = [[Fraction(x) for x in row] for row in E.tolist()]

    def score(row):
        dot = sum(a * b for a, b in zip(E[query], E[row]))
        if similarity == "dot":
            return dot
        # the cosine squared, signed: the norm of the query is the same for all
        length = sum(a * a for a in E[row])
        return dot * abs(dot) / length if length else Fraction(0)

    return sorted(range(len(E)), key=lambda row: (-score(row), row))


# --- co-occurrence and PPMI ---------------------------------------------------------------------


@pytest.mark.parametrize("value", [5e-324, 1e-200, 1.0, 1e200, 1.7e308])
def test_any_positive_entry_counts_as_one(value):
    M, kept = ppmi_matrix(PLAYLISTS * value)
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 0] = SHARED[0]
    expected[2, 3] = expected[3, 2] = SHARED[1]
    np.testing.assert_allclose(M.toarray(), expected, rtol=1e-14)
    assert kept.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.float32, np.int64])
def test_counts_do_not_overflow_the_type_of_the_entries(dtype):
    C = cooccurrence(np.ones((2, 70_000), dtype=dtype))
    assert C.toarray().tolist() == [[0, 70_000], [70_000, 0]]


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
def test_one_item_or_one_context_has_no_ppmi(shape):
    with pytest.raises(ValueError, match="no pair of items is left"):
        ppmi_matrix(np.ones(shape), min_count=1)


def test_a_disconnected_graph_is_the_graphs_one_by_one():
    X = np.random.default_rng(0).random((9, 40)) < 0.3
    Y = np.random.default_rng(1).random((7, 40)) < 0.3
    both = sp.block_diag([X, Y], format="csr").astype(np.int8)
    M, kept = ppmi_matrix(both, min_count=1)
    for part, items in ((X, range(9)), (Y, range(9, 16))):
        # alone, an item has the same contexts, but of half as many
        alone, held = ppmi_matrix(np.hstack([part, np.zeros_like(part)]), min_count=1)
        here = np.isin(kept, items)
        assert kept[here].tolist() == [items[i] for i in held]
        np.testing.assert_allclose(M.toarray()[np.ix_(here, here)], alone.toarray(), rtol=1e-14)
        assert not M.toarray()[np.ix_(here, ~here)].any()


# --- truncated SVD ------------------------------------------------------------------------------


def assert_is_svd(M, f, scale=1.0):
    """Compare with LAPACK's general SVD, which is told nothing of symmetry, at a scale of one."""
    dense = (M.toarray() if sp.issparse(M) else M) / scale
    found = truncated_svd(M, f)
    s = np.linalg.svd(dense, compute_uv=False)[:f]
    np.testing.assert_allclose(found.s / scale, s, atol=1e-9 * s[0])
    for vectors in (found.U, found.V):
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(f), atol=1e-9)
    np.testing.assert_allclose(dense @ found.V, found.U * (found.s / scale), atol=1e-9 * s[0])


@pytest.mark.parametrize("power", [-1040, -700, 0, 700, 1000])
def test_the_svd_is_the_same_at_every_scale(power):
    A = rows(1, 30, 30)
    M = (A + A.T) * 2.0**power
    assert_is_svd(M, 7, 2.0**power)


@pytest.mark.parametrize("f", [1, 3, 6])
def test_rank_one_and_f_up_to_n(f):
    assert_is_svd(np.outer(np.arange(1.0, 7), np.arange(1.0, 7)), f)


def test_one_by_one():
    found = truncated_svd(np.array([[-3.0]]), 1)
    assert (found.U, found.s, found.V) == ([[1.0]], [3.0], [[-1.0]])


def test_equal_blocks_have_equal_singular_values():
    M = sp.block_diag([np.ones((3, 3))] * 400, format="csr")  # 1200 rows: the sparse route
    assert_is_svd(M, 20)


@pytest.mark.parametrize("power", [-1000, 0, 1000])
def test_the_sparse_route_is_the_same_at_every_scale(power):
    M = sp.random_array((1200, 1200), density=0.01, rng=1)
    assert_is_svd(sp.csr_array(M + M.T) * 2.0**power, 6, 2.0**power)


@pytest.mark.parametrize("rank", [1, 5, 45])
def test_f_may_pass_the_rank(rank):
    # disconnected communities and items without links: 1200 rows, the sparse route
    blocks = [np.full((5, 5), 1.0 + k) for k in range(rank)]
    M = sp.block_diag([*blocks, np.zeros((1200 - 5 * rank,) * 2)], format="csr")
    assert_is_svd(M, 50)


# --- cover --------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [-1070, -600, 600, 1020])
def test_the_cover_is_the_same_at_every_scale(power):
    # whole numbers, so that not even denormals lose a digit
    E = np.random.default_rng(2).integers(-7, 8, (80, 3)).astype(float)
    plain, scaled = cover(E, rho=0.9), cover(np.ldexp(E, power), rho=0.9)
    assert scaled.peaks.tolist() == plain.peaks.tolist()
    assert scaled.spike.tolist() == plain.spike.tolist()


def test_one_row_and_one_column():
    assert cover(np.array([[-2.0]])).spike.tolist() == [0]
    line = cover(np.array([[-2.0], [1.0], [1.0], [3.0]]), rho=1)
    assert (line.peaks.tolist(), line.spike.tolist()) == ([3, 0], [1, 0, 0, 0])


def test_repeated_rows_and_tied_norms_go_to_the_lower_row():
    E = np.array([[0.0, 2.0], [2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [0.0, -2.0]])
    found = cover(E, rho=1)
    assert (found.peaks.tolist(), found.spike.tolist()) == ([0, 1, 4], [0, 1, 0, 1, 2])


def test_a_row_next_to_nothing_beside_a_huge_one_is_on_no_spike():
    E = np.array([[1e200, 0.0], [1e-200, 0.0], [0.0, 1e-200]])
    with pytest.warns(RuntimeWarning, match="only 1 of 3 rows"):
        assert cover(E, rho=1).spike.tolist() == [0, -1, -1]


# --- top k --------------------------------------------------------------------------------------


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("power", [-490, -300, 0, 300, 500])
def test_top_k_is_exact_at_every_scale(similarity, power):
    E = np.ldexp(np.random.default_rng(3).integers(-9, 10, (40, 3)).astype(float), power)
    expected = [exact_order(E, query, similarity)[:7] for query in range(40)]
    assert top_k(E, range(40), 7, similarity=similarity)[0].tolist() == expected


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_differences_that_single_precision_cannot_see_decide(similarity):
    # 3,000 rows that agree to about 1e-8: pruning by bounds must not drop the best of them
    rng = np.random.default_rng(4)
    E = np.ones((3000, 8)) + 1e-8 * rng.standard_normal((3000, 8))
    query = np.zeros(8)
    query[0] = 1.0
    score = E[:, 0] / (np.linalg.norm(E, axis=1) if similarity == "cosine" else 1.0)
    best = np.argsort(-score, kind="stable")[:5]
    assert top_k(E, query[None], 5, similarity=similarity)[0][0].tolist() == best.tolist()


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize(
    "scale, own_scale", [(2.0**-1000, 2.0**-1000), (2.0**900, 2.0**900), (1.0, 2.0**1000)]
)
def test_squares_that_vanish_or_overflow_change_no_order(similarity, scale, own_scale):
    plain, scores = top_k(rows(), rows(1)[:5], 7, similarity=similarity)
    found, scaled = top_k(rows() * scale, rows(1)[:5] * own_scale, 7, similarity=similarity)
    np.testing.assert_array_equal(found, plain)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(scaled, scores * scale * own_scale if similarity == "dot" else scores)


def test_a_row_whose_square_vanishes_is_near_nothing():
    E = np.array([[1.0, 0.0], [1e-200, 0.0], [-1.0, 0.0]])
    indices, scores = top_k(E, [0], 3)
    assert (indices.tolist(), scores.tolist()) == ([[0, 1, 2]], [[1.0, 0.0, -1.0]])


def test_tempered_norms_of_zero_rows_stay_zero():
    assert temper_norms(np.array([[0.0, 0.0], [0.0, 4.0]]), -0.5).tolist() == [[0.0, 0.0], [0.0, 0.5]]


# --- block model --------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [-400, 0, 400])
def test_the_theorem_holds_at_every_scale(power):
    M, spike = synthetic.planted_spikes(sizes=(8, 5), n_off=3)
    svd = truncated_svd(np.ldexp(M, power), 2)
    model = dcbm.from_spikes(svd, spike)
    on = spike >= 0
    np.testing.assert_allclose(np.ldexp(model.scale * model.mean(), -power), M[np.ix_(on, on)], rtol=1e-9)


def test_a_scale_without_a_float_is_refused():
    M, spike = synthetic.planted_spikes(sizes=(8, 5), n_off=3)
    svd = truncated_svd(M, 2)
    for power in (1000, -1000):
        extreme = TruncatedSVD(svd.U, svd.s * 2.0**power, svd.V, svd.residuals)
        with pytest.raises(ValueError, match="whose square is no float; rescale M"):
            dcbm.from_spikes(extreme, spike)


def test_one_item_and_one_community():
    model = dcbm.DCBM([0], [[1.0]], [1.0])
    assert model.sample(0).toarray().tolist() == [[1]]
    assert dcbm.DCBM([0], [[0.0]], [0.0]).sample(0).nnz == 0


# --- stability ----------------------------------------------------------------------------------


def two_dates(E, F):
    ids = np.arange(len(E))
    return {"2021-01-01": Embeddings(ids, E), "2022-01-01": Embeddings(ids, F)}


@pytest.mark.parametrize("power", [-700, -450, 0, 450, 700])
def test_a_scale_changes_no_list(power):
    table = stability.curves(two_dates(rows(), np.ldexp(rows(), power)), k=5, n_partitions=3)
    assert (table["overlap"] == 1).all()


def test_ties_of_norm_are_cut_by_row():
    parts = stability.norm_partitions(np.ones((7, 2)), 3)
    assert [part.tolist() for part in parts] == [[0, 1, 2], [3, 4], [5, 6]]


def test_equal_rows_have_equal_lists():
    table = stability.curves(two_dates(np.ones((9, 2)), np.full((9, 2), 3.0)), k=2, n_partitions=1)
    assert (table["overlap"] == 1).all()


def test_one_item_has_no_list():
    with pytest.raises(ValueError, match="k=1 is more than the 0 candidates"):
        stability.curves(two_dates(np.ones((1, 2)), np.ones((1, 2))), k=1, n_partitions=1)


# --- consistency --------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [-1060, -900, 0, 900, 1015])
def test_moments_are_the_same_at_every_scale(power):
    E = np.random.default_rng(5).integers(-9, 10, (30, 4)).astype(float)
    exact = [Fraction(x) for x in E.ravel().tolist()]
    mean = sum(exact) / 120
    central = [float(sum((x - mean) ** k for x in exact) / 120) for k in (2, 3, 4)]
    found = consistency.moments(np.ldexp(E, power))
    assert found["skew"] == pytest.approx(central[1] / central[0] ** 1.5, rel=1e-9)
    assert found["kurtosis"] == pytest.approx(central[2] / central[0] ** 2, rel=1e-9)
    if power > -1000:  # a mean of denormals is itself rounded to one
        assert math.ldexp(found["mean"], -power) == pytest.approx(float(mean), rel=1e-9)
        assert math.ldexp(found["std"], -power) == pytest.approx(central[0] ** 0.5, rel=1e-9)


def test_a_subset_of_all_items_is_recovered():
    assert consistency.empirical(rows(), 60, n_subsets=3) == (1.0, 0.0)
    assert consistency.theoretical(5, 3, 5) == 1.0


def test_one_row_or_equal_rows_have_no_nearest():
    for E in (np.ones((1, 3)), np.full((4, 2), 1e-300)):
        with pytest.raises(ValueError, match="rows of E are equal"):
            consistency.empirical(E, 1)


@pytest.mark.parametrize("moments", [{"mean": 1e200}, {"std": 1e-200, "mean": 1}, {"kurtosis": 1e200}])
@pytest.mark.parametrize("form", ["independent", "conditional"])
def test_moments_that_rounding_would_decide_are_refused(moments, form):
    with pytest.raises(ValueError, match="must be at most 1e\\+06"):
        consistency.theoretical(100, 10, 2, form=form, **moments)


@pytest.mark.parametrize("form", ["independent", "conditional"])
def test_a_mean_that_outweighs_everything_leaves_chance(form):
    value = consistency.theoretical(1000, 64, 10, mean=1e5, form=form)
    assert value == pytest.approx(0.01, abs=0.01)
