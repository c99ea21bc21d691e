"""Truncated SVD of a symmetric matrix, converged, with its residuals.

M is symmetric, so its singular triplets come from the eigenpairs of largest magnitude
(Lemma 3.1 of the paper): with M = P D P', U = P, Sigma = abs(D) and V = P sign(D).
"""

import operator
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from threadpoolctl import threadpool_limits
from tqdm import tqdm

_DENSE_UP_TO = 1000  # rows; below this a full eigendecomposition takes well under a second
_BLOCK = 8  # columns multiplied at a time: wide enough for cache, narrow enough to converge
_CHUNK = 1024  # rows of the basis worked on at a time: they fit a core's cache
_ROOM = 96  # columns of the basis beyond the wanted ones, at least: near ties need them
_MAX_RESTARTS = 300
_ROUNDING = 1e-14  # a residual, as a share of sigma_1, below which rounding decides
_SINGLE = 1e-5  # a tolerance that products in single precision keep with room to spare


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
        Raise it to trade accuracy for speed: from 1e-5 on, M is multiplied in single
        precision. Below about 1e-13 rounding gets in the way.
    seed : int, default 0
        Seed of the starting vector, or of the random projection.

    Returns
    -------
    TruncatedSVD
        2 n f float64. While it runs, beside M, 3 n f of them (n (2 f + 120) where f is below
        96) and little more; from `tol` 1e-5 on, 4 bytes per entry of M as well.

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
    if not 1 <= operator.index(f) <= n:
        raise ValueError(f"f must be between 1 and the {n} rows of M, got {f}")
    if solver == "exact":
        U, d = _eigenpairs(M, f, tol, seed)
        s, V = np.abs(d), U.copy()
        V *= np.where(d < 0, -1.0, 1.0)
    elif solver == "randomized":
        from sklearn.utils.extmath import randomized_svd

        U, s, Vt = randomized_svd(M, f, random_state=seed)
        V = np.ascontiguousarray(Vt.T)
    else:
        raise ValueError(f'solver must be "exact" or "randomized", got {solver!r}')
    sign = _signs(U)
    U *= sign
    V *= sign
    residuals = _residuals(M, U, s, V)
    if solver == "exact" and residuals.max() > tol * s[0]:
        raise ArithmeticError(
            f"residual {residuals.max() / s[0]:.1e} of the largest singular value, above tol={tol:.1e}; "
            "raise tol or lower f"
        )
    return TruncatedSVD(U, np.ldexp(s, exponent), V, np.ldexp(residuals, exponent))


def _checked(M):
    """M as a csr array of float64, times a power of two if it is out of scale; that power's exponent."""
    if not sp.issparse(M):
        M = np.asarray(M)
    if M.ndim != 2 or M.shape[0] != M.shape[1] or M.shape[0] == 0:
        raise ValueError(f"M must be a non-empty square matrix, got shape {M.shape}")
    if M.dtype.kind not in "fiub":
        raise ValueError(f"M must hold real numbers, got dtype {M.dtype}")
    M = sp.csr_array(M, dtype=np.float64)
    if not np.isfinite(M.data).all():
        raise ValueError("M holds NaN or infinity")
    if not M.data.any():
        raise ValueError("M is zero everywhere: it has no direction to embed")
    if not _is_symmetric(M):
        raise ValueError("M is not symmetric; use ppmi_matrix, or M @ M.T, or (M + M.T) / 2")
    largest = max(M.data.max(), -M.data.min())
    if 1e-100 < largest < 1e100:
        return M, 0
    exponent = int(np.frexp(largest)[1])
    return sp.csr_array((np.ldexp(M.data, -exponent), M.indices, M.indptr), shape=M.shape), exponent


def _is_symmetric(M):
    """Whether M z = M' z, to rounding, for a random z: neither M' nor M - M' is formed."""
    z = np.random.default_rng(0).uniform(1, 2, M.shape[0])
    largest = max(M.data.max(), -M.data.min())
    return bool((np.abs(M @ z - M.T @ z) <= 1e-12 * largest * np.diff(M.indptr)).all())


def _eigenpairs(M, f, tol, seed):
    """Eigenpairs of largest magnitude, residuals at most tol times the largest."""
    n = M.shape[0]
    if n <= _DENSE_UP_TO or f > n // 3:
        d, P = scipy.linalg.eigh(M.toarray())
        order = _by_magnitude(d)[:f]
        return P[:, order], d[order]
    if tol >= _SINGLE:
        M = M.astype(np.float32)
    # the threads are ours, over blocks of rows: those of the matrix product would fight with them
    with threadpool_limits(1), ThreadPoolExecutor(_threads()) as pool:
        product = _product(M, pool)
        d, P = _block_lanczos(product, n, f, max(tol, _ROUNDING) / 2, np.random.default_rng(seed), pool)
    return P, d


def _block_lanczos(product, n, f, tol, rng, pool):
    """Thick-restart block Lanczos with full reorthogonalisation; `product` gives M X.

    The basis V grows by blocks until it has `size` columns; H = V' M V is then decomposed. The
    residual of a Ritz vector V y is that of the last block, R y[-b:], so it costs nothing to
    know. Unless the f leading ones are small, V shrinks to its leading Ritz vectors and grows
    again. Blocks make every step a matrix product, and find eigenvalues repeated up to b times;
    to find those repeated more often, V grows once more at the end, from a random block.
    """
    b = _BLOCK
    size = -(-(f + max(f, _ROOM) + 2 * b) // b) * b
    V = np.empty((n, size + b))
    H = np.zeros((size, size))
    V[:, :b] = np.linalg.qr(rng.standard_normal((n, b)))[0]
    start, end, scale = 0, size, 0.0
    found = None
    with tqdm(total=f, desc="singular pairs", disable=None, delay=3) as bar:
        for _ in range(_MAX_RESTARTS):
            for j in range(start, end, b):
                W = product(V[:, j : j + b])
                # M times a block lies in the span of it, its two neighbours and, right after a
                # restart, of all before: take that out first, and then what rounding left
                near = V[:, 0 if j == start else j - b : j + b]
                overlap = np.zeros((j + b, b))
                overlap[-near.shape[1] :] = _project_out(W, near, pool)
                overlap += _project_out(W, V[:, : j + b], pool)
                scale = max(scale, np.abs(overlap).max())
                V[:, j + b : j + 2 * b], R = _orthonormal(W, V[:, : j + b], scale, rng, pool)
                H[: j + b, j : j + b] = overlap
                H[j : j + b, : j + b] = overlap.T
            d, Y = np.linalg.eigh((H[:end, :end] + H[:end, :end].T) / 2)
            order = _by_magnitude(d)
            d, Y = d[order], Y[:, order]
            converged = np.linalg.norm(R @ Y[-b:, :f], axis=0) <= tol * abs(d[0])
            bar.update(np.count_nonzero(converged) - bar.n)
            if found is not None and (np.abs(d[:f]) - np.abs(found) <= tol * abs(d[0])).all():
                return found, V[:, :f].copy()
            if converged.all():
                found, start, end = d[:f], f, f + (size - f) // b * b
                _rotate(V, Y[:, :f], pool)
                V[:, f : f + b], _ = _orthonormal(np.zeros((n, b)), V[:, :f], scale, rng, pool)
            else:
                found, start = None, (f + (end - f) // 2) // b * b
                _rotate(V, Y[:, :start], pool)
                V[:, start : start + b] = V[:, end : end + b]
                end = size
            H[:] = 0
            np.fill_diagonal(H[:start, :start], d[:start])
    return d[:f], V[:, :f].copy()


def _project_out(W, basis, pool):
    """Take from W, in place, its part in the span of the basis; return its coordinates there."""
    coordinates = sum(_by_rows(lambda rows: basis[rows].T @ W[rows], len(W), pool))

    def subtract(rows):
        W[rows] -= basis[rows] @ coordinates

    _by_rows(subtract, len(W), pool)
    return coordinates


def _orthonormal(W, basis, scale, rng, pool):
    """QR of W; where W has lost rank, other directions that are orthogonal to the basis as well."""
    Q, R = np.linalg.qr(W)
    diagonal = np.abs(np.diag(R))
    scale = max(scale, diagonal.max())
    if diagonal.min() <= 1e-8 * scale:
        lost = diagonal <= _ROUNDING * scale
        Q[:, lost] = rng.standard_normal((len(Q), np.count_nonzero(lost)))
        R[lost] = 0
        for _ in range(2):
            Q, again = np.linalg.qr(Q)
            R = again @ R
            _project_out(Q, basis, pool)
        Q, again = np.linalg.qr(Q)
        R = again @ R
    return Q, R


def _rotate(V, Y, pool):
    """Replace the leading columns of V by V Y."""

    def replace(rows):
        V[rows, : Y.shape[1]] = V[rows, : Y.shape[0]] @ Y

    _by_rows(replace, len(V), pool)


def _by_rows(function, n, pool):
    """What a function returns for each chunk of n rows; every thread has a stretch of chunks."""
    edges = np.linspace(0, n, _threads() + 1).astype(int)

    def stretch(a, b):
        return [function(slice(k, min(k + _CHUNK, b))) for k in range(a, b, _CHUNK)]

    return list(chain.from_iterable(pool.map(stretch, edges[:-1], edges[1:])))


def _threads():
    return os.cpu_count() or 1


def _product(M, pool):
    """A function X -> M X that keeps every thread busy; each has rows of equal weight."""
    n = M.shape[0]
    inner = np.searchsorted(M.indptr, np.linspace(0, M.nnz, _threads() + 1)[1:-1])
    parts = []
    for a, b in pairwise(np.unique([0, *inner, n])):
        entries = slice(M.indptr[a], M.indptr[b])
        rows = (M.data[entries], M.indices[entries], M.indptr[a : b + 1] - M.indptr[a])
        parts.append((slice(a, b), sp.csr_array(rows, shape=(b - a, n))))

    def multiply(X):
        X = np.ascontiguousarray(X, dtype=M.dtype)
        out = np.empty(X.shape)

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
    norms = []
    with ThreadPoolExecutor(_threads()) as pool:
        product = _product(M, pool)
        for k in range(0, len(s), _BLOCK):
            columns = slice(k, k + _BLOCK)
            norms.append(np.linalg.norm(product(V[:, columns]) - U[:, columns] * s[columns], axis=0))
    return np.concatenate(norms)
