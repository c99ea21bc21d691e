"""Thick-restart block Lanczos, written once for a basis in memory or on a GPU, and for one on a cluster.

A *basis* holds orthonormal columns V, cut by rows or not, and the newest block W, not yet part of V:

- ``columns`` is the number of columns of V, ``block`` that of W;
- ``multiply(near)`` sets W = M V[:, -block:] and returns V[:, -near:]' W;
- ``project_out(coordinates)`` takes V[:, -len(coordinates):] times them from W, and returns V' W and
  R of W = Q R, found by stretches of rows and then of their R, as in Demmel, Grigori, Hoemmen, Langou
  (2012), https://doi.org/10.1137/080731992;
- ``divide(coordinates, inverse)`` sets W = (W - V coordinates) inverse;
- ``randomise(lost)`` draws those columns of W anew;
- ``append()`` makes W the last columns of V;
- ``rotate(Y, keep_last)`` sets V = V[:, :len(Y)] Y, followed by its last block if that is kept.
"""

from itertools import chain, pairwise

import numpy as np
import scipy.sparse as sp
from tqdm import tqdm

from spikylib._arrays import n_threads
from spikylib._device import beside, namespace, on_gpu, to_host

ROUNDING = 1e-14  # share of the largest singular value below which rounding decides
_LOST = 50  # times the rounding of R: what is smaller on its diagonal is nothing
_DENSE_UP_TO = 500  # rows up to which a full eigendecomposition is the fastest way
_SLOWDOWN = 20  # time of f sparse products with a full matrix over f / n of its decomposition (measured)
_ROOM = 64  # columns of the basis beyond the wanted ones, at least: near ties need them
_PROOF = 48, 8  # columns, and steps at least, grown from a random block to see what was missed (measured)
_MAX_RESTARTS = 300
_CHUNK = 1024  # rows of the basis worked on at a time


def is_small(n, f, n_entries=0):
    """Whether a matrix of n rows is decomposed whole: small, near the size of the basis, or nearly full."""
    return n <= _DENSE_UP_TO or f > n // 3 or _SLOWDOWN * f * n_entries > n**3


def basis_size(f, block):
    """Columns to which a basis grows before it is rotated to its leading Ritz vectors."""
    return -(-(f + max(f, _ROOM) + 2 * block) // block) * block


def leading_eigenpairs(basis, f, tol):
    """The f eigenvalues of largest magnitude; the first columns of the basis become their vectors.

    The basis V grows by blocks until it has `size` columns; H = V' M V is then decomposed. The
    residual of a Ritz vector V y is that of the last block, R y[-b:], so it costs nothing to
    know. Unless the f leading ones are small, V shrinks to its leading Ritz vectors and grows
    again. Blocks make every step a matrix product, and find eigenvalues repeated up to b times;
    to find those repeated more often, V grows once more at the end, from a random block.
    """
    b, size = basis.block, basis_size(f, basis.block)
    proof = f + min(max(_PROOF[0] // b, _PROOF[1]), (size - f) // b) * b
    H = np.zeros((size, size))
    start, end, scale, found = 0, size, 0.0, None
    _append_random(basis)
    with tqdm(total=f, desc="singular pairs", disable=None, delay=3) as bar:
        for _ in range(_MAX_RESTARTS):
            for j in range(start, end, b):
                # M times a block lies in the span of it, its two neighbours and, right after a
                # restart, of all before: take that out first, and then what rounding left
                first = basis.multiply(j + b if j == start else 2 * b)
                rest, R = basis.project_out(first)
                overlap = rest.copy()
                overlap[-len(first) :] += first
                scale = max(scale, np.abs(overlap).max())
                H[: j + b, j : j + b] = overlap
                H[j : j + b, : j + b] = overlap.T
                R = _append_orthonormal(basis, rest, R, scale)
            d, Y = np.linalg.eigh((H[:end, :end] + H[:end, :end].T) / 2)
            order = by_magnitude(d)
            d, Y = d[order], Y[:, order]
            converged = np.linalg.norm(R @ Y[-b:, :f], axis=0) <= tol * abs(d[0])
            bar.update(np.count_nonzero(converged) - bar.n)
            if found is not None and (np.abs(d[:f]) - np.abs(found) <= tol * abs(d[0])).all():
                return found
            if converged.all():
                found, start, end = d[:f], f, proof
                basis.rotate(Y[:, :f], keep_last=False)
                _append_random(basis)
            else:
                found, start = None, (f + (end - f) // 2) // b * b
                basis.rotate(Y[:, :start], keep_last=True)
                end = size
            H[:] = 0
            np.fill_diagonal(H[:start, :start], d[:start])
    basis.rotate(Y[:, :f], keep_last=False)  # not converged: the caller measures how far off it is
    return d[:f]


def by_magnitude(d):
    """Order by decreasing magnitude; where two agree to rounding, the positive one first."""
    magnitude = np.round(np.abs(d) / np.abs(d).max(), 10)
    return np.lexsort((d < 0, -magnitude))


def chunks(n, most=_CHUNK):
    """Stretches of that many rows at most; such as fit a core's cache, if it is not said."""
    return [slice(*edges) for edges in pairwise(np.linspace(0, n, -(-n // most) + 1).astype(int))]


def largest_magnitudes(U):
    """Largest magnitude in each column."""
    return np.abs(U).max(axis=0)


def first_sign(U, largest):
    """Sign of the first entry of each column that has the largest magnitude, 0 where none has.

    To rounding: two entries of equal magnitude must not let the last digit decide a column's sign.
    """
    large = np.abs(U) >= largest * (1 - 1e-8)
    first = large.argmax(axis=0)[None]
    there, value = (np.take_along_axis(A, first, axis=0)[0] for A in (large, U))
    return np.where(there, np.where(value < 0, -1.0, 1.0), 0.0)


def not_converged(residuals, largest, tol):
    """The error about residuals above the tolerance."""
    return ArithmeticError(
        f"residual {residuals.max() / largest:.1e} of the largest singular value, above tol={tol:.1e}; "
        "raise tol or lower f"
    )


def _append_random(basis):
    basis.randomise(np.ones(basis.block, dtype=bool))
    _reorthogonalise(basis)


def _append_orthonormal(basis, coordinates, R, scale):
    """Add what is left of M times the last block, W = Q R; return R."""
    _orthonormalise(basis, coordinates, R)
    diagonal, eps = np.abs(np.diag(R)), np.finfo(R.dtype).eps
    scale = max(scale, diagonal.max())
    if diagonal.min() > np.sqrt(eps) * scale:
        basis.append()
        return R
    # W has lost rank: what is left of it is rounding, and where nothing is left any direction will do
    lost = diagonal <= _LOST * eps * scale
    basis.randomise(lost)
    R[lost] = 0
    return _reorthogonalise(basis) @ R


def _reorthogonalise(basis):
    total = np.eye(basis.block)
    for _ in range(3):  # twice is enough (Kahan, Parlett), once R is that of what is outside the basis
        coordinates, R = basis.project_out(np.zeros((0, basis.block)))
        _orthonormalise(basis, coordinates, R)
        total = R @ total
    basis.append()
    return total


def _orthonormalise(basis, coordinates, R):
    """Set W to what is left of it outside the basis, divided by R; a column without rest stays near zero."""
    diagonal = np.abs(np.diag(R))
    lost = diagonal <= _LOST * np.finfo(R.dtype).eps * diagonal.max()
    basis.divide(coordinates, np.linalg.inv(R + np.diag(lost)))


class LocalBasis:
    """A basis where M is: one array, worked on in place by chunks of rows, a stretch of them for each thread."""

    def __init__(self, M, size, block, seed, map_blocks, dtype, memory):
        self.product, self.n = threaded_product(M, map_blocks, dtype), M.shape[0]
        self.block, self.columns = block, 0
        xp, order = namespace(M), "F" if on_gpu(M) else "C"  # CuPy copies columns that lie apart
        self.V = xp.empty((self.n, size + block), dtype, order=order)
        self.W = xp.empty((self.n, block), dtype)
        self.rng, self.map_blocks = np.random.default_rng(seed), map_blocks
        rows = _CHUNK if memory is None else max(1, memory // (2 * self.V[:1].nbytes))
        self.stretches = np.array_split(chunks(self.n, rows), n_threads() if memory is None else 1)

    def multiply(self, near):
        self.W = self.product(self.V[:, self.columns - self.block : self.columns])
        columns = slice(self.columns - near, self.columns)
        return sum(self._by_rows(lambda rows: to_host(self.V[rows, columns].T @ self.W[rows])), np.float64(0))

    def project_out(self, coordinates):
        near = slice(self.columns - len(coordinates), self.columns)
        coordinates = beside(self.V, coordinates, self.V.dtype)

        def of(rows):
            self.W[rows] -= self.V[rows, near] @ coordinates
            inside, R = self.V[rows, : self.columns].T @ self.W[rows], np.linalg.qr(self.W[rows], mode="r")
            return to_host(inside), to_host(R)

        products, factors = zip(*self._by_rows(of))
        return sum(products, np.float64(0)), np.linalg.qr(np.vstack(factors), mode="r")

    def divide(self, coordinates, inverse):
        coordinates, inverse = (beside(self.V, A, self.V.dtype) for A in (coordinates, inverse))

        def of(rows):
            self.W[rows] = (self.W[rows] - self.V[rows, : self.columns] @ coordinates) @ inverse

        self._by_rows(of)

    def randomise(self, lost):
        self.W[:, lost] = beside(self.W, self.rng.standard_normal((self.n, np.count_nonzero(lost))))

    def append(self):
        self.V[:, self.columns : self.columns + self.block] = self.W
        self.columns += self.block

    def rotate(self, Y, keep_last):
        V, Y, (old, new) = self.V, beside(self.V, Y, self.V.dtype), Y.shape
        last = slice(self.columns - self.block, self.columns)

        def of(rows):
            V[rows, :new] = V[rows, :old] @ Y
            if keep_last:
                V[rows, new : new + self.block] = V[rows, last]

        self._by_rows(of)
        self.columns = new + self.block * keep_last

    def _by_rows(self, function):
        def stretch(chunks):
            return [function(rows) for rows in chunks]

        return chain.from_iterable(list(self.map_blocks(stretch, self.stretches)))


def threaded_product(M, map_blocks, dtype=np.float64):
    """A function X -> M X in that precision that keeps every thread busy; each has rows of equal weight."""
    if on_gpu(M):
        M = M.astype(dtype, copy=False)
        return lambda X: M @ X.astype(dtype)
    n = M.shape[0]
    inner = np.searchsorted(M.indptr, np.linspace(0, M.nnz, n_threads() + 1)[1:-1])
    parts = []
    for a, b in pairwise(np.unique([0, *inner, n])):
        entries = slice(M.indptr[a], M.indptr[b])
        rows = (
            M.data[entries].astype(dtype, copy=False),
            M.indices[entries],
            M.indptr[a : b + 1] - M.indptr[a],
        )
        parts.append((slice(a, b), sp.csr_array(rows, shape=(b - a, n))))

    def multiply(X):
        X = np.ascontiguousarray(X, dtype=dtype)
        out = np.empty_like(X)

        def one(part):
            out[part[0]] = part[1] @ X

        list(map_blocks(one, parts))
        return out

    return multiply
