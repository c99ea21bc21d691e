"""Truncated SVD against LAPACK, and the promises on residuals, signs and errors."""

from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from spikylib import _arrays, _lanczos
from spikylib import svd as module
from spikylib.svd import truncated_svd


def symmetric(n, seed, density=0.1):
    upper = sp.triu(sp.random_array((n, n), density=density, rng=seed), k=1)
    return sp.csr_array(upper + upper.T)


@cache
def singular_values(n, seed, density):
    return np.linalg.svd(symmetric(n, seed, density).toarray(), compute_uv=False)


@given(n=st.integers(1, 12), seed=st.integers(0, 999), data=st.data())
def test_dense_route_is_the_svd(n, seed, data):
    A = np.random.default_rng(seed).standard_normal((n, n))
    M = A + A.T
    f = data.draw(st.integers(1, n))
    result = truncated_svd(M, f)
    u, s, vt = np.linalg.svd(M)
    np.testing.assert_allclose(result.s, s[:f], atol=1e-10 * s[0])
    np.testing.assert_allclose(
        result.reconstruct(slice(None), slice(None)), (u[:, :f] * s[:f]) @ vt[:f], atol=1e-7 * s[0]
    )


def test_sparse_route_is_the_svd():
    M = symmetric(1300, seed=3, density=0.02)
    result = truncated_svd(M, f=40)
    s = singular_values(1300, 3, 0.02)
    np.testing.assert_allclose(result.s, s[:40], rtol=1e-10)
    assert result.residuals.max() <= 1e-10 * s[0]
    np.testing.assert_allclose(result.U.T @ result.U, np.eye(40), atol=1e-10)
    np.testing.assert_allclose(result.V.T @ result.V, np.eye(40), atol=1e-10)
    np.testing.assert_allclose(np.abs(np.sum(result.U * result.V, axis=0)), 1, atol=1e-8)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("tol", [1e-5, 1e-8])
def test_any_tolerance_and_number_of_threads(tol, threads, monkeypatch):
    monkeypatch.setattr(_arrays, "n_threads", lambda: threads)
    monkeypatch.setattr(_lanczos, "n_threads", lambda: threads)
    monkeypatch.setattr(module, "_THREADED", 0)
    M = symmetric(1500, seed=4, density=0.01)
    result = truncated_svd(M, f=30, tol=tol)
    s = singular_values(1500, 4, 0.01)
    np.testing.assert_allclose(result.s, s[:30], rtol=tol)
    assert 0 < result.residuals.max() <= tol * s[0]
    np.testing.assert_allclose(result.U.T @ result.U, np.eye(30), atol=1e-10)


def test_one_entry_more_is_not_symmetric():
    M = symmetric(2500, seed=4, density=0.01).tolil()
    M[7, 2000] += 1e-6
    with pytest.raises(ValueError, match="not symmetric"):
        truncated_svd(M.tocsr(), f=5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_flat_spectrum_converges(seed):
    M = symmetric(1500, seed, density=0.01)
    np.testing.assert_allclose(truncated_svd(M, f=6).s, singular_values(1500, seed, 0.01)[:6], rtol=1e-10)


@pytest.mark.parametrize("rank", [1, 3, 20])
def test_more_dimensions_than_rank(rank):
    # blocks of ones of different sizes, and a thousand items that nobody shares
    blocks = [np.ones((k, k)) for k in range(2, 2 + rank)]
    M = sp.csr_array(sp.block_diag([*blocks, sp.csr_array((1200, 1200))]))
    result = truncated_svd(M, f=50)
    expected = np.append(np.arange(1 + rank, 1, -1.0), np.zeros(50))[:50]
    np.testing.assert_allclose(result.s, expected, atol=1e-12)
    np.testing.assert_allclose(result.U.T @ result.U, np.eye(50), atol=1e-12)


@pytest.mark.parametrize("n", [40, 1300])
@pytest.mark.parametrize("power", [-1040, -1000, -400, 150, 400, 1000])
@pytest.mark.parametrize("tol", [1e-10, 1e-5])
def test_scale_changes_nothing_else(n, power, tol):
    M = symmetric(n, seed=6, density=0.02)
    M.data = np.ceil(M.data * 1024) / 1024  # exact at every scale
    scaled = M.copy()
    scaled.data = np.ldexp(M.data, power)
    plain, other = truncated_svd(M, f=5, tol=tol), truncated_svd(scaled, f=5, tol=tol)
    np.testing.assert_allclose(np.ldexp(other.s, -power), plain.s, rtol=1e-10)
    np.testing.assert_allclose(other.U, plain.U, atol=1e-6)


def test_one_by_one():
    found = truncated_svd(np.array([[-3.0]]), 1)
    assert (found.U, found.s, found.V) == ([[1.0]], [3.0], [[-1.0]])


def test_both_routes_agree(monkeypatch):
    M = symmetric(300, seed=5)
    dense = truncated_svd(M, f=10)
    monkeypatch.setattr(_lanczos, "_DENSE_UP_TO", 10)
    sparse = truncated_svd(M, f=10)
    np.testing.assert_allclose(sparse.U, dense.U, atol=1e-7)
    np.testing.assert_allclose(sparse.V, dense.V, atol=1e-7)


def test_residuals_are_those_of_the_definition():
    M = symmetric(80, seed=1)
    for solver in ("exact", "randomized"):
        r = truncated_svd(M, f=5, solver=solver)
        by_column = [np.linalg.norm(M @ r.V[:, k] - r.s[k] * r.U[:, k]) for k in range(5)]
        np.testing.assert_allclose(r.residuals, by_column, atol=1e-14 * r.s[0])


def test_randomized_is_loose_where_exact_is_not():
    M = symmetric(1500, seed=2, density=0.01)
    exact, loose = truncated_svd(M, f=30), truncated_svd(M, f=30, solver="randomized")
    assert exact.residuals.max() < 1e-10 * exact.s[0] < 1e-4 * exact.s[0] < loose.residuals.max()


def test_reruns_and_signs():
    M = symmetric(1200, seed=7, density=0.01)
    a, b = truncated_svd(M, f=12, seed=0), truncated_svd(M, f=12, seed=1)
    np.testing.assert_allclose(a.U, b.U, atol=1e-7)
    largest = a.U[np.argmax(np.abs(a.U), axis=0), np.arange(12)]
    assert (largest > 0).all()


def test_repeated_eigenvalues_are_all_found():
    # twelve equal components: every eigenvalue comes twelve times, more often than a block is wide
    part = symmetric(100, seed=6)
    M = sp.csr_array(sp.block_diag([part] * 12))
    expected = np.repeat(np.sort(np.abs(np.linalg.eigvalsh(part.toarray())))[::-1], 12)[:40]
    r = truncated_svd(M, f=40)
    np.testing.assert_allclose(r.s, expected, rtol=1e-9)
    np.testing.assert_allclose(r.U.T @ r.U, np.eye(40), atol=1e-9)


def test_eigenvalues_repeated_more_often_than_a_block_is_wide():
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((100, 100)))[0]
    block = (Q * (-0.8) ** np.arange(100)) @ Q.T
    M = sp.csr_array(sp.block_diag([(block + block.T) / 2] * 12))
    expected = np.repeat([1.0, 0.8, 0.64], 12)
    for f in (5, 16, 30):
        np.testing.assert_allclose(truncated_svd(M, f).s, expected[:f], atol=1e-10)


def test_a_large_matrix_of_small_rank():
    x = np.random.default_rng(0).standard_normal((1500, 3))
    r = truncated_svd(x @ x.T, f=10)
    np.testing.assert_allclose(r.s[:3], np.linalg.svd(x, compute_uv=False) ** 2, rtol=1e-10)
    np.testing.assert_allclose(r.s[3:] / r.s[0], 0, atol=1e-12)
    np.testing.assert_allclose(r.U.T @ r.U, np.eye(10), atol=1e-8)


def test_what_single_precision_misses_is_found_in_double():
    # rows of 1,500 entries of one sign, summed up in single precision, are off by more than 1e-6
    x = np.abs(np.random.default_rng(0).standard_normal((1500, 40)))
    r = truncated_svd(sp.block_diag([x @ x.T, sp.csr_array((6000, 6000))]), f=20, tol=1e-6)
    assert r.residuals.max() <= 1e-6 * r.s[0]
    np.testing.assert_allclose(r.s, np.linalg.svd(x, compute_uv=False)[:20] ** 2, rtol=1e-6)


def test_equal_magnitudes_put_the_positive_eigenvalue_first():
    M = sp.block_diag([[[0, 1], [1, 0]], [[0, 2], [2, 0]]])  # eigenvalues 2, -2, 1, -1
    r = truncated_svd(M, f=4)
    assert r.s.round(12).tolist() == [2, 2, 1, 1]
    assert np.sign(np.sum(r.U * r.V, axis=0)).tolist() == [1, -1, 1, -1]


def test_the_leading_triplets_are_the_svd_of_that_rank():
    M = symmetric(60, seed=4)
    r, expected = truncated_svd(M, f=6).leading(3), truncated_svd(M, f=3)
    for name in ("U", "s", "V"):
        np.testing.assert_array_equal(getattr(r, name), getattr(expected, name))
    # residuals are rounding here, and a product of fewer columns may round otherwise
    np.testing.assert_allclose(r.residuals, expected.residuals, atol=1e-13)
    for f in (0, 4):
        with pytest.raises(ValueError, match=f"between 1 and the 3 triplets held, got {f}"):
            r.leading(f)


def test_embeddings_and_blocks():
    r = truncated_svd(symmetric(60, seed=4), f=6)
    np.testing.assert_allclose(r.embeddings(), r.U @ np.diag(r.s))
    np.testing.assert_allclose(r.embeddings(0), r.U)
    np.testing.assert_allclose(r.embeddings(0.5) ** 2, r.U**2 @ np.diag(r.s))
    whole = r.U @ np.diag(r.s) @ r.V.T
    np.testing.assert_allclose(r.reconstruct([3, 1], [2, 2, 5]), whole[np.ix_([3, 1], [2, 2, 5])])


def test_rank_deficient_and_full_rank():
    ones = np.ones((6, 6))
    r = truncated_svd(ones, f=6)
    np.testing.assert_allclose(r.s, [6, 0, 0, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(r.reconstruct(slice(None), slice(None)), ones, atol=1e-12)


@pytest.mark.parametrize(
    ("M", "options", "message"),
    [
        (np.ones((2, 3)), {}, r"square matrix, got shape \(2, 3\)"),
        (np.array([[0.0, 1.0], [2.0, 0.0]]), {"f": 1}, "not symmetric"),
        (np.array([[np.inf, 1.0], [1.0, 0.0]]), {"f": 1}, "NaN or infinity"),
        (np.zeros((2, 2)), {"f": 1}, "zero everywhere"),
        (np.array([[0, 1j], [1j, 0]]), {"f": 1}, "real numbers, got dtype complex128"),
        (np.eye(2), {"f": 0}, "f must be between 1 and the 2 rows of M, got 0"),
        (np.eye(2), {"f": 3}, "got 3"),
        (np.eye(2), {"f": 1, "solver": "magic"}, "'magic'"),
    ],
)
def test_bad_input_is_named(M, options, message):
    with pytest.raises(ValueError, match=message):
        truncated_svd(M, **options)


def test_an_unreachable_tolerance_is_said():
    with pytest.raises(ArithmeticError, match=r"above tol=1\.0e-30"):
        truncated_svd(symmetric(1200, seed=7, density=0.01), f=5, tol=1e-30)


def test_real_playlists(cornell):
    _, M = cornell
    r = truncated_svd(M)
    assert r.s[[0, 127]] == pytest.approx([638.6768, 40.0847], abs=5e-5)
    assert r.residuals.max() <= 1e-10 * r.s[0]
