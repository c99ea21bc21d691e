"""Draw null models: embeddings and interactions as they would be without spikes.

Communities are not the only reason for a small Spk: few effective dimensions, a cloud far from the origin
and unequal popularity are others. Each null keeps one of these and makes the rest random, so an embedding
is called spiky only where its Spk lies below that of all of them (``Study.nulls``).
"""

import numpy as np
import scipy.sparse as sp

from spikylib._arrays import checked_rows, unit_rows


def gaussian(n: int, f: int, *, seed: int = 0) -> np.ndarray:
    """Draw rows of independent standard normal numbers: no structure at all.

    Parameters
    ----------
    n, f : int
        Rows and columns.
    seed : int, default 0

    Returns
    -------
    numpy.ndarray, shape (n, f), float64

    Examples
    --------
    >>> gaussian(1000, 16).shape
    (1000, 16)
    """
    return np.random.default_rng(seed).standard_normal((n, f))


def same_spectrum(E: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Draw rows whose singular values are those of E, in a random orthonormal basis.

    The first dimensions of an embedding are longer than its last, so it has fewer effective dimensions than
    columns, and directions coincide more often; this null keeps that.

    Parameters
    ----------
    E : array, shape (n, f), n >= f
    seed : int, default 0

    Returns
    -------
    numpy.ndarray, shape (n, f), float64
        Q times the singular values of E, decreasing: orthogonal columns.

    Raises
    ------
    ValueError
        If E has fewer rows than columns.

    Examples
    --------
    >>> E = np.diag([3.0, 2.0])[[0, 1, 1]]
    >>> np.linalg.norm(same_spectrum(E), axis=0).round(3)
    array([3.   , 2.828])
    """
    E = checked_rows("E", E)
    if len(E) < E.shape[1]:
        raise ValueError(f"E has {len(E)} rows and {E.shape[1]} columns; it needs as many rows as columns")
    # the eigenvalues of E'E, f x f, cost less than an SVD of E, and a null needs no more digits
    gram = E.T.astype(np.float64) @ E
    s = np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[::-1], 0.0))
    return np.linalg.qr(gaussian(*E.shape, seed=seed))[0] * s


def like_normal(E: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Draw normal rows with the mean and the covariance of the rows of E.

    Their Spk is that of a cloud without spikes, as flat and as far from the origin as E.

    Parameters
    ----------
    E : array, shape (n, f)
    seed : int, default 0

    Returns
    -------
    numpy.ndarray, shape (n, f), float64
        Normal numbers times the symmetric root of the covariance, so that no basis is chosen on the
        way: the same on every machine but for rounding. O(n f^2).

    Examples
    --------
    >>> E = np.repeat([[1., 5.], [3., 5.]], 500, axis=0)
    >>> null = like_normal(E)
    >>> null.mean(axis=0).round(1), null.std(axis=0).round(1)
    (array([2., 5.]), array([1., 0.]))
    """
    E = np.asarray(E, dtype=np.float64)
    mean = E.mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov(E, rowvar=False, bias=True).reshape(E.shape[1], -1))
    # the symmetric root does not depend on the signs of the axes, nor on their choice where variances tie
    root = (axes * np.sqrt(np.maximum(variance, 0.0))) @ axes.T
    return gaussian(*E.shape, seed=seed) @ root + mean


def in_cones(E: np.ndarray, axes: np.ndarray, *, rest: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """Keep the norm of each row of E and its angle to an axis, and turn it about that axis at random.

    What such rows have in common follows from the width of the cones alone.

    Parameters
    ----------
    E : array, shape (n, f)
    axes : array, shape (n, f)
        Axis of each row: for a row on a spike, its peak.
    rest : array, shape (n, f), optional
        Direction that each row turns to. Default: normal draws with the second moments of the columns of E.
    seed : int, default 0

    Returns
    -------
    numpy.ndarray, shape (n, f), float64

    Examples
    --------
    >>> E = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 2.0]])
    >>> drawn = in_cones(E, np.eye(3)[:2])
    >>> np.linalg.norm(drawn, axis=1).round(3), drawn[[0, 1], [0, 1]].round(3)
    (array([3.162, 2.828]), array([3., 2.]))
    """
    unit, axis = unit_rows(E), unit_rows(axes)
    cosine = (unit * axis).sum(axis=1, keepdims=True)
    if rest is None:
        rest = gaussian(*unit.shape, seed=seed) * np.sqrt((np.asarray(E) ** 2).mean(axis=0))
    rest = unit_rows(rest - (rest * axis).sum(axis=1, keepdims=True) * axis)
    drawn = cosine * axis + np.sqrt(np.clip(1 - cosine**2, 0, None)) * rest
    return drawn * np.linalg.norm(E, axis=1, keepdims=True)


def shuffle_items(X: sp.csr_array, *, seed: int = 0) -> sp.csr_array:
    """Permute the items over the interactions, which keeps only how often each occurs.

    Parameters
    ----------
    X : sparse array, shape (n_items, n_contexts)
        Binary interactions.
    seed : int, default 0

    Returns
    -------
    scipy.sparse.csr_array, shape (n_items, n_contexts), int32
        Each item keeps its number of contexts and each context its size, except that a repeated pair counts
        once.

    Examples
    --------
    >>> X = np.kron(np.eye(2), np.ones((3, 50)))  # items 0 to 2 share no context with items 3 to 5
    >>> mixed = shuffle_items(X).toarray()
    >>> int((X[:3].sum(axis=0) * X[3:].sum(axis=0)).sum()), bool((mixed[:3].any(axis=0) & mixed[3:].any(axis=0)).any())
    (0, True)
    """
    row, col = sp.csr_array(X).nonzero()
    row = np.random.default_rng(seed).permutation(row)
    mixed = sp.csr_array((np.ones(len(row), dtype=np.int32), (row, col)), shape=X.shape)
    mixed.sum_duplicates()
    mixed.data[:] = 1
    return mixed
