"""Truncated SVD of a symmetric matrix, converged, with its residuals.

M is symmetric, so its singular triplets come from the eigenpairs of largest magnitude
(Lemma 3.1 of the paper): with M = P D P', U = P, Sigma = abs(D) and V = P sign(D).
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.linalg
import scipy.sparse as sp

_DENSE_UP_TO = 1000  # rows; below this a full eigendecomposition takes well under a second
_BLOCK = 8  # columns multiplied at a time: wide enough for cache, narrow enough to converge
_MAX_RESTARTS = 200
_ROUNDING = 1e-14  # a residual, as a share of sigma_1, below which rounding decides


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

    def embeddings(self, power=1.0):
        """Return U Sigma^power, one row per item.

        Parameters
        ----------
        power : float, default 1.0
            0 gives U, 1 the paper's U Sigma.

        Returns
        -------
        numpy.ndarray, shape (n, f), float64, newly allocated
        """
        return self.U * self.s**power

    def reconstruct(self, rows, cols):
        """Return the block M-hat[rows, cols] = U[rows] Sigma V[cols]' of the approximation.

        Parameters
        ----------
        rows, cols : array-like of int, or slice
            Rows and columns wanted. The whole of M-hat is n x n and dense: ask for blocks.

        Returns
        -------
        numpy.ndarray, shape (len(rows), len(cols)), float64
        """
        return (self.U[rows] * self.s) @ self.V[cols].T


def truncated_svd(M, f=128, *, solver="exact", tol=1e-10, seed=0):
    """Factorise a symmetric matrix by its f largest singular values.

    Parameters
    ----------
    M : sparse matrix or array, shape (n, n)
        Symmetric, finite.
    f : int, default 128
        Truncation rank, 1 to n.
    solver : {"exact", "randomized"}, default "exact"
        "exact" is converged: thick-restart block Lanczos, or a dense decomposition where n is
        at most 1000 or f more than a third of n. "randomized" is scikit-learn's `randomized_svd` with
        its defaults, the kind of solver behind the paper's figures; it is there for
        comparison, its residuals are typically some percent of the largest singular value.
    tol : float, default 1e-10
        Largest residual allowed, as a share of the largest singular value ("exact" only).
        Raise it to trade accuracy for speed; below about 1e-13 rounding gets in the way.
    seed : int, default 0
        Seed of the starting vector, or of the random projection.

    Returns
    -------
    TruncatedSVD
        Beside M, allocates about 5 n f float64 while it runs, and 2 n f for what it returns.

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
    M = _checked(M)
    n = M.shape[0]
    if not 1 <= f <= n:
        raise ValueError(f"f must be between 1 and the {n} rows of M, got {f}")
    if solver == "exact":
        P, d = _eigenpairs(M, f, tol, seed)
        U, s, V = P, np.abs(d), P * np.where(d < 0, -1.0, 1.0)
    elif solver == "randomized":
        from sklearn.utils.extmath import randomized_svd

        U, s, Vt = randomized_svd(M, f, random_state=seed)
        V = Vt.T
    else:
        raise ValueError(f'solver must be "exact" or "randomized", got {solver!r}')
    sign = _signs(U)
    U, V = U * sign, V * sign
    return TruncatedSVD(U, s, V, _residuals(M, U, s, V))


def _checked(M):
    if not sp.issparse(M):
        M = np.asarray(M)
    if M.ndim != 2 or M.shape[0] != M.shape[1] or M.shape[0] == 0:
        raise ValueError(f"M must be a non-empty square matrix, got shape {M.shape}")
    M = sp.csr_array(M, dtype=np.float64)
    if not np.isfinite(M.data).all():
        raise ValueError("M holds NaN or infinity")
    largest = abs(M).max()
    if largest == 0:
        raise ValueError("M is zero everywhere: it has no direction to embed")
    if abs(M - M.T).max() > 1e-12 * largest:
        raise ValueError("M is not symmetric; use ppmi_matrix, or M @ M.T, or (M + M.T) / 2")
    return M


def _eigenpairs(M, f, tol, seed):
    """Eigenpairs of largest magnitude, residuals at most tol times the largest."""
    n = M.shape[0]
    if n <= _DENSE_UP_TO or f > n // 3:
        d, P = scipy.linalg.eigh(M.toarray())
        order = _by_magnitude(d)[:f]
        return P[:, order], d[order]
    d, P = _block_lanczos(M, f, max(tol, _ROUNDING) / 2, np.random.default_rng(seed))
    worst = _residuals(M, P, d, P).max() / abs(d[0])
    if worst > tol:
        raise ArithmeticError(
            f"residual {worst:.1e} of the largest singular value, above tol={tol:.1e}; raise tol or lower f"
        )
    return P, d


def _block_lanczos(M, f, tol, rng):
    """Thick-restart block Lanczos with full reorthogonalisation.

    The basis V grows by blocks until it has `size` columns; H = V' M V is then decomposed. The
    residual of a Ritz vector V y is that of the last block, R y[-b:], so it costs nothing to
    know. Unless the f leading ones are small, V shrinks to its leading Ritz vectors and grows
    again. Blocks make every step a matrix product, and find repeated eigenvalues.
    """
    n, b = M.shape[0], _BLOCK
    size = -(-(2 * f + 2 * b) // b) * b
    V = np.empty((n, size + b), order="F")
    H = np.zeros((size, size))
    V[:, :b] = np.linalg.qr(rng.standard_normal((n, b)))[0]
    start = 0
    multiply = _threaded_product(M)
    for _ in range(_MAX_RESTARTS):
        for j in range(start, size, b):
            basis = V[:, : j + b]
            W, overlap = _orthogonalise(multiply(np.ascontiguousarray(V[:, j : j + b])), basis)
            V[:, j + b : j + 2 * b], R = _orthonormal(W, basis)
            H[: j + b, j : j + b] = overlap
            H[j : j + b, : j + b] = overlap.T
        d, Y = np.linalg.eigh((H + H.T) / 2)
        order = _by_magnitude(d)
        d, Y = d[order], Y[:, order]
        if (np.linalg.norm(R @ Y[-b:, :f], axis=0) <= tol * abs(d[0])).all():
            break
        start = (f + (size - f) // 2) // b * b
        _in_place_product(V, Y[:, :start])
        V[:, start : start + b] = V[:, size:]
        H[:] = 0
        np.fill_diagonal(H[:start, :start], d[:start])
    _in_place_product(V, Y[:, :f])
    return d[:f], V[:, :f].copy()


def _orthogonalise(W, basis):
    """W without its part in the span of the basis, twice is enough; and its coordinates there."""
    first = basis.T @ W
    W = W - basis @ first
    second = basis.T @ W
    return W - basis @ second, first + second


def _orthonormal(W, basis):
    """QR of W; where W has lost rank, directions that are orthogonal to the basis as well."""
    Q, R = np.linalg.qr(W)
    diagonal = np.abs(np.diag(R))
    if diagonal.min() <= 1e-8 * diagonal.max():
        Q, again = np.linalg.qr(_orthogonalise(Q, basis)[0])
        R = again @ R
    return Q, R


def _in_place_product(V, Y):
    """Replace the leading columns of V by V Y, a block of rows at a time."""
    for a in range(0, len(V), 16384):
        V[a : a + 16384, : Y.shape[1]] = V[a : a + 16384, : Y.shape[0]] @ Y


def _threaded_product(M):
    """A function X -> M X that keeps every core busy; each thread has rows of equal weight."""
    n, workers = M.shape[0], os.cpu_count() or 1
    inner = np.searchsorted(M.indptr, np.linspace(0, M.nnz, workers + 1)[1:-1])
    edges = np.unique([0, *inner, n])
    parts = []
    for a, b in pairwise(edges):
        entries = slice(M.indptr[a], M.indptr[b])
        rows = (M.data[entries], M.indices[entries], M.indptr[a : b + 1] - M.indptr[a])
        parts.append((slice(a, b), sp.csr_array(rows, shape=(b - a, n))))
    pool = ThreadPoolExecutor(max_workers=len(parts))

    def multiply(X):
        out = np.empty((n, X.shape[1]))

        def one(part):
            out[part[0]] = part[1] @ X

        list(pool.map(one, parts))
        return out

    return multiply


def _by_magnitude(d):
    """Order by decreasing magnitude; where two agree to rounding, the positive one first."""
    magnitude = np.round(np.abs(d) / np.abs(d).max(), 10)
    return np.lexsort((d < 0, -magnitude))


def _signs(U):
    """Sign that makes the first entry of largest magnitude (to rounding) of each column positive."""
    magnitude = np.abs(U)
    first = np.argmax(magnitude >= magnitude.max(axis=0) * (1 - 1e-8), axis=0)
    return np.where(U[first, np.arange(U.shape[1])] < 0, -1.0, 1.0)


def _residuals(M, U, s, V):
    return np.linalg.norm(M @ V - U * s, axis=0)
