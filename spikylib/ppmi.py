"""From interactions to the symmetric PPMI matrix that is factorised.

Two items *co-occur* when a context (a playlist, a user) holds both. Popular items
co-occur with everything, so raw counts mostly rank popularity. Positive pointwise
mutual information divides the popularity out: it is positive only where two items
share more contexts than independence would give.
"""

import numpy as np
import scipy.sparse as sp


def cooccurrence(X, *, min_count=2, top_k=2000):
    """Count the contexts that each pair of items shares, and filter the counts.

    A count :math:`c_{ij}`, i != j, is kept if it is at least `min_count` and j is among the
    `top_k` highest of row i *and* i among the `top_k` highest of row j; ties go to the lower
    item index. The result is therefore symmetric, with a zero diagonal.

    Parameters
    ----------
    X : sparse matrix or array, shape (n_items, n_contexts)
        Interactions. Any positive entry counts as one: a repeated pair counts once.
    min_count : int, default 2
        Smallest number of shared contexts that is kept, at least 1.
    top_k : int, default 2000
        Neighbours kept per item, at least 1.

    Returns
    -------
    scipy.sparse.csr_array, shape (n_items, n_items), int32
        Allocates the full product X X' once: about 12 bytes per pair of items that share a
        context, before any filter.

    Raises
    ------
    ValueError
        If X is not two-dimensional, is empty, or holds negative or non-finite values; if
        `min_count` or `top_k` is below 1.

    References
    ----------
    Afchar, Hennequin, Guigue (2023), "Of Spiky SVDs and Music Recommendation", section 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]])
    >>> cooccurrence(X, min_count=1).toarray()
    array([[0, 2, 1],
           [2, 0, 2],
           [1, 2, 0]], dtype=int32)
    """
    for name, value in (("min_count", min_count), ("top_k", top_k)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    X = _binary(X)
    C = sp.csr_array(X @ X.T)
    C.setdiag(0)
    C.data[C.data < min_count] = 0
    C.eliminate_zeros()
    C.sort_indices()
    return _mutual_top_k(C, top_k)


def ppmi_matrix(X, *, min_count=2, top_k=2000):
    """Weigh the co-occurrence of items by positive pointwise mutual information.

    .. math:: m_{ij} = \\max\\left(0, \\ln \\frac{N c_{ij}}{c_i c_j}\\right)

    with :math:`N` the number of contexts, :math:`c_{ij}` the filtered count of
    :func:`cooccurrence` and :math:`c_i` the contexts that hold item i, counted in X before
    any filter. Items left with no neighbour are dropped.

    Parameters
    ----------
    X : sparse matrix or array, shape (n_items, n_contexts)
        Interactions, as for :func:`cooccurrence`.
    min_count, top_k : int
        As for :func:`cooccurrence`.

    Returns
    -------
    M : scipy.sparse.csr_array, shape (n_kept, n_kept), float64
        Symmetric, non-negative, in nats.
    kept : numpy.ndarray, shape (n_kept,), int64
        Row of X behind each row of M, increasing: ``interactions.items.iloc[kept]`` are
        the labels of M.

    Raises
    ------
    ValueError
        As for :func:`cooccurrence`, and if no pair of items is left.

    References
    ----------
    Afchar, Hennequin, Guigue (2023), section 2.2; Levy, Goldberg, Dagan (2015),
    https://doi.org/10.1162/tacl_a_00134.

    Examples
    --------
    Four contexts; the first two items share two of them and nothing with the third:

    >>> import numpy as np
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]])
    >>> M, kept = ppmi_matrix(X)
    >>> M.toarray().round(3)
    array([[0.   , 0.693],
           [0.693, 0.   ]])
    >>> kept
    array([0, 1])
    """
    C = cooccurrence(X, min_count=min_count, top_k=top_k).tocoo()
    count = _binary(X).sum(axis=1).astype(np.float64)
    n_contexts = X.shape[1]
    value = np.log(float(n_contexts) * C.data / (count[C.row] * count[C.col]))
    positive = value > 0
    row, col, value = C.row[positive], C.col[positive], value[positive]
    kept = np.unique(row).astype(np.int64)
    if len(kept) == 0:
        raise ValueError(
            f"no pair of items is left: of {C.nnz // 2} pairs with {min_count} shared contexts "
            "or more, none is shared more often than chance; lower min_count or bring more contexts"
        )
    number = np.zeros(C.shape[0], dtype=np.int64)
    number[kept] = np.arange(len(kept))
    M = sp.csr_array((value, (number[row], number[col])), shape=(len(kept), len(kept)))
    M.sort_indices()
    return M, kept


def _binary(X):
    """X as a checked csr array of int32 ones."""
    if not sp.issparse(X):
        X = np.asarray(X)
    if X.ndim != 2:
        raise ValueError(f"X must be two-dimensional (items x contexts), got {X.ndim} dimension(s)")
    if 0 in X.shape:
        raise ValueError(f"X is empty: its shape is {X.shape}")
    X = sp.csr_array(X)
    if X.data.dtype.kind == "f" and not np.isfinite(X.data).all():
        raise ValueError("X holds NaN or infinity; interactions are 0 or 1")
    if X.nnz and X.data.min() < 0:
        raise ValueError(f"X holds a negative value, {X.data.min()}; interactions are 0 or 1")
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    X = sp.csr_array((X.data > 0, X.indices, X.indptr), shape=X.shape).astype(np.int32)
    X.eliminate_zeros()
    if X.nnz == 0:
        raise ValueError(f"X of shape {X.shape} holds no interaction")
    return X


def _mutual_top_k(C, top_k):
    """Keep c_ij when each item is among the top_k of the other; C has sorted indices."""
    if np.diff(C.indptr).max(initial=0) <= top_k:
        return C
    keep = np.ones(C.nnz, dtype=bool)
    for i in np.flatnonzero(np.diff(C.indptr) > top_k):
        start, end = C.indptr[i], C.indptr[i + 1]
        best = np.argsort(-C.data[start:end], kind="stable")
        keep[start + best[top_k:]] = False
    one_sided = sp.csr_array((keep.astype(np.int32), C.indices, C.indptr), shape=C.shape)
    C = sp.csr_array(C.multiply(one_sided).multiply(one_sided.T))
    C.eliminate_zeros()
    C.sort_indices()
    return C
