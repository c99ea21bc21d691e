"""Truncated SVD of a symmetric matrix, converged, with its residuals.

M is symmetric, so its singular triplets come from the eigenpairs of largest magnitude
(Lemma 3.1 of the paper): with M = P D P', U = P, Sigma = abs(D) and V = P sign(D).
"""

import operator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from spikylib import _lanczos
from spikylib._arrays import threaded_map
from spikylib._checks import check_range
from spikylib._device import as_array, beside, csr, eigh, on_gpu, sparse, to_host, within_memory

_NARROW = 4  # columns of a block: few converge in fewer products
_CACHE_LINE = 64  # bytes that memory hands over at once: many columns share the reading of M, a row this long
_RESIDUALS = 8  # columns whose residuals are measured at a time
_WIDE_FROM = 1_000_000  # entries of M from which its reading costs more than the basis (measured)
_THREADED = 8192  # rows from which threads pay for their hand-over at every step
_SINGLE = 1e-6  # a tolerance that single precision keeps, unless rows have thousands of entries (measured)


@dataclass(frozen=True)
class TruncatedSVD:
    """The f leading singular triplets of a matrix M of n rows, M ~ U diag(s) V'.

    Attributes
    ----------
    U, V : numpy.ndarray, shape (n, f), float64
        Left and right singular vectors, orthonormal columns by decreasing singular value.
        In each column of U the entry of largest magnitude is positive.
    s : numpy.ndarray, shape (f,), float64
        Singular values, decreasing.
    residuals : numpy.ndarray, shape (f,), float64
        ``norm(M @ V[:, k] - s[k] * U[:, k])`` for each column k.
    """

    U: np.ndarray
    s: np.ndarray
    V: np.ndarray
    residuals: np.ndarray

    def embeddings(self, power: float = 1.0) -> np.ndarray:
        """Return U Sigma^power, one row per item.

        Parameters
        ----------
        power : float, default 1.0
            0 gives U, 1 the paper's U Sigma.

        Returns
        -------
        numpy.ndarray, shape (n, f), float64, newly allocated
        """
        return self.U * beside(self.U, self.s**power)

    def reconstruct(self, rows: ArrayLike | slice, cols: ArrayLike | slice) -> np.ndarray:
        """Return the block M-hat[rows, cols] = U[rows] Sigma V[cols]' of the approximation.

        Parameters
        ----------
        rows, cols : array-like of int, or slice
            Rows and columns wanted. The whole of M-hat is n x n and dense: request blocks.

        Returns
        -------
        numpy.ndarray, shape (len(rows), len(cols)), float64
        """
        return (self.U[rows] * beside(self.U, self.s)) @ self.V[cols].T

    def leading(self, f: int) -> "TruncatedSVD":
        """Return the f leading triplets alone, which are the truncated SVD of that rank.

        Parameters
        ----------
        f : int
            1 to the number of triplets.

        Returns
        -------
        TruncatedSVD
            Views of these arrays.

        Raises
        ------
        ValueError
            If f is out of range.

        Examples
        --------
        >>> truncated_svd(np.diag([3.0, 2.0, 1.0]), f=3).leading(2).s
        array([3., 2.])
        """
        check_range("f", f, 1, len(self.s), "triplets held")
        return TruncatedSVD(self.U[:, :f], self.s[:f], self.V[:, :f], self.residuals[:f])


def truncated_svd(
    M: np.ndarray | sp.csr_array, f: int = 128, *, solver: str = "exact", tol: float = 1e-10, seed: int = 0
) -> TruncatedSVD:
    """Factorise a symmetric matrix by its f largest singular values.

    Parameters
    ----------
    M : sparse matrix or array, shape (n, n)
        Symmetric, finite. May be CuPy's: then U and V are, too; s and the residuals are in memory.
    f : int, default 128
        Truncation rank, 1 to n.
    solver : {"exact", "randomized"}, default "exact"
        "exact" is converged: thick-restart block Lanczos, or a dense decomposition where n is at most 500,
        f more than a third of n, or M nearly full. "randomized" is scikit-learn's `randomized_svd` with its
        defaults, the kind of solver behind the paper's figures, kept for comparison: its residuals are
        typically a few percent of the largest singular value.
    tol : float, default 1e-10
        Largest residual allowed, as a share of the largest singular value ("exact" only). Raise it
        to trade accuracy for speed: from 1e-6 on, a large M is factorised in single precision, and once
        more in double where that was not enough. Rounding prevents values below about 1e-13.
    seed : int, default 0
        Seed of the starting vector, or of the random projection.

    Returns
    -------
    TruncatedSVD
        2 n f float64. While it runs, besides M, 3 n f of them (n (2 f + 88) where f is below 64)
        and little more; in single precision, 4 bytes per entry of M as well.

    Raises
    ------
    ValueError
        If M is not square, symmetric and finite, if f is not in 1..n, or the solver unknown.
    ArithmeticError
        If the residuals stay above `tol`.

    References
    ----------
    Lemma 3.1 of Afchar, Hennequin, Guigue (2023); Wu and Simon (2000), thick-restart Lanczos,
    https://doi.org/10.1137/S0895479898334605; Halko, Martinsson, Tropp (2011),
    https://doi.org/10.1137/090771806.

    Examples
    --------
    >>> import numpy as np
    >>> M = np.array([[0., 2., 0.], [2., 0., 0.], [0., 0., 1.]])
    >>> svd = truncated_svd(M, f=3)
    >>> svd.s.round(6)
    array([2., 2., 1.])
    >>> bool(np.allclose(svd.reconstruct([0, 1], [0, 1, 2]), M[:2]))
    True
    """
    M, exponent = _checked(M)
    n = M.shape[0]
    check_range("f", operator.index(f), 1, n, "rows of M")
    with threaded_map(n >= _THREADED and not on_gpu(M)) as map_blocks:
        if solver == "exact":
            U, s, V, residuals = _exact(M, f, tol, seed, map_blocks)
        elif solver == "randomized" and not on_gpu(M):
            from sklearn.utils.extmath import randomized_svd

            U, s, Vt = randomized_svd(M, f, random_state=seed)
            V = np.ascontiguousarray(Vt.T)
            residuals = _residuals(M, U, s, V, map_blocks)
        else:
            raise ValueError(f'solver must be "exact" or, in memory, "randomized", got {solver!r}')
    sign = _lanczos.first_sign(U, _lanczos.largest_magnitudes(U))
    U *= sign
    V *= sign
    return TruncatedSVD(U, np.ldexp(s, exponent), V, np.ldexp(residuals, exponent))


def _checked(M):
    """M as a csr array of float64, times a power of two if it is out of scale; that power's exponent."""
    M = as_array(M)
    if M.ndim != 2 or M.shape[0] != M.shape[1] or M.shape[0] == 0:
        raise ValueError(f"M must be a non-empty square matrix, got shape {M.shape}")
    if M.dtype.kind not in "fiub":
        raise ValueError(f"M must contain real numbers, got dtype {M.dtype}")
    M = csr(M, np.float64)
    if not np.isfinite(M.data).all():
        raise ValueError("M contains NaN or infinity")
    if not M.data.any():
        raise ValueError("M is zero everywhere: it has no direction to embed")
    largest = float(max(M.data.max(), -M.data.min()))
    if not _is_symmetric(M, largest):
        raise ValueError("M is not symmetric; use ppmi_matrix, or M @ M.T, or (M + M.T) / 2")
    if 1e-10 < largest < 1e10:
        return M, 0
    exponent = int(np.frexp(largest)[1])
    return sparse(M).csr_array((np.ldexp(M.data, -exponent), M.indices, M.indptr), shape=M.shape), exponent


def _is_symmetric(M, largest):
    """Whether M z = M' z, to rounding, for a random z: neither M' nor M - M' is formed."""
    z = beside(M, np.random.default_rng(0).uniform(1, 2, M.shape[0]))
    return bool((np.abs(M @ z - M.T @ z) <= 1e-12 * largest * np.diff(M.indptr)).all())


def _exact(M, f, tol, seed, map_blocks):
    """U, s, V and their residuals: in single precision where that is enough, else in double."""
    for dtype in (np.float32, np.float64) if tol >= _SINGLE else (np.float64,):

        def stage(memory, dtype=dtype):
            return _eigenpairs(M, f, tol, seed, map_blocks, dtype, memory)

        U, d = within_memory(M, stage, "the basis of the SVD")
        s, V = np.abs(d), U * beside(U, np.where(d < 0, -1.0, 1.0))
        residuals = _residuals(M, U, s, V, map_blocks)
        if residuals.max() <= tol * s[0]:
            return U, s, V, residuals
        del U, V
    raise _lanczos.not_converged(residuals, s[0], tol)


def _eigenpairs(M, f, tol, seed, map_blocks, dtype, memory):
    """Eigenpairs of largest magnitude, residuals at most tol times the largest."""
    n = M.shape[0]
    if _lanczos.is_small(n, f, M.nnz):
        d, P = eigh(M.toarray())
        order = _lanczos.by_magnitude(d)[:f]
        return P[:, order], d[order]
    # BLAS would divide products that are small already, and wait for its threads at every step: on a
    # busy machine that takes ten times as long
    with threadpool_limits(1):
        block = _CACHE_LINE // np.dtype(dtype).itemsize if M.nnz >= _WIDE_FROM else _NARROW
        size = _lanczos.basis_size(f, block)
        basis = _lanczos.LocalBasis(M, size, block, seed, map_blocks, dtype, memory)
        # half of what is allowed, as the bound on a residual and the residual itself differ by rounding
        d = _lanczos.leading_eigenpairs(basis, f, max(tol, _lanczos.ROUNDING) / 2)
        U = basis.V[:, :f].astype(np.float64, order="C")
        del basis
        if dtype != np.float64:  # then they are orthonormal to single precision so far
            U = U @ np.linalg.inv(np.linalg.cholesky(U.T @ U)).T
    return U, d


def _residuals(M, U, s, V, map_blocks):
    full = 2 * M.nnz > M.shape[0] ** 2  # then a sparse product is several times slower
    product = M.toarray().__matmul__ if full else _lanczos.threaded_product(M, map_blocks)
    # in blocks, so that no second matrix of the size of U is made
    blocks = [slice(k, k + _RESIDUALS) for k in range(0, len(s), _RESIDUALS)]
    rest = (product(V[:, b]) - U[:, b] * beside(U, s[b]) for b in blocks)
    return np.concatenate([to_host(np.linalg.norm(A, axis=0)) for A in rest])
