"""From interactions to the symmetric PPMI matrix that is factorised.

Two items *co-occur* when a context (a playlist, a user) holds both. Popular items
co-occur with everything, so raw counts mostly rank popularity. Positive pointwise
mutual information divides the popularity out: it is positive only where two items
share more contexts than independence would give.

The counts are the product X X', formed a block of rows at a time within a memory budget, one
block a core; a block is filtered before the next is begun, so the whole product never exists.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
from tqdm import tqdm

_BYTES = 48  # taken by a block at its largest, for each pair of items that share a context
_SMALLEST = 1 << 20  # pairs of a block below which threads do not pay
_ENTRIES = 1 << 22  # entries of M worked out at a time


def cooccurrence(X, *, min_count=2, top_k=2000, memory=2**30):
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
    memory : int, default 2**30
        Bytes to work in, beside X and the result. The result does not depend on it. A single
        row is never divided: that takes 48 bytes per item and core at most.

    Returns
    -------
    scipy.sparse.csr_array, shape (n_items, n_items), int32
        8 bytes per entry kept; while it runs, 8 more for each that passes the filter of its row.

    Raises
    ------
    ValueError
        If X is not two-dimensional, is empty, or holds negative or non-finite values; if
        `min_count`, `top_k` or `memory` is below 1.

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
    _check_options(min_count=min_count, top_k=top_k, memory=memory)
    return _counts(_binary(X), min_count, top_k, memory)


def ppmi_matrix(X, *, min_count=2, top_k=2000, memory=2**30):
    """Weigh the co-occurrence of items by positive pointwise mutual information.

    .. math:: m_{ij} = \\max\\left(0, \\ln \\frac{N c_{ij}}{c_i c_j}\\right)

    with :math:`N` the number of contexts, :math:`c_{ij}` the filtered count of
    :func:`cooccurrence` and :math:`c_i` the contexts that hold item i, counted in X before
    any filter. Items left with no neighbour are dropped.

    Parameters
    ----------
    X : sparse matrix or array, shape (n_items, n_contexts)
        Interactions, as for :func:`cooccurrence`.
    min_count, top_k, memory : int
        As for :func:`cooccurrence`.

    Returns
    -------
    M : scipy.sparse.csr_array, shape (n_kept, n_kept), float64
        Symmetric, non-negative, in nats. 12 bytes per entry; 16 while it is made.
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
    _check_options(min_count=min_count, top_k=top_k, memory=memory)
    X = _binary(X)
    count = np.diff(X.indptr).astype(np.float64)
    C = _counts(X, min_count, top_k, memory, positive=True)
    kept = np.flatnonzero(np.diff(C.indptr)).astype(np.int64)
    if len(kept) == 0:
        raise ValueError(
            f"no pair of items is left: none shares {min_count} contexts or more, and more of them "
            "than chance would give; lower min_count or bring more contexts"
        )
    number = np.zeros(len(count), dtype=np.int32)
    number[kept] = np.arange(len(kept))
    value = np.empty(C.nnz)
    for a, b in _blocks(np.diff(C.indptr), _ENTRIES):
        entries = slice(C.indptr[a], C.indptr[b])
        row, col = _rows(C.indptr, a, b), C.indices[entries]
        value[entries] = np.log(float(X.shape[1]) * C.data[entries] / (count[row] * count[col]))
        C.indices[entries] = number[col]
    indptr = np.append(C.indptr[kept], C.indptr[-1])
    return sp.csr_array((value, C.indices, indptr), shape=(len(kept), len(kept))), kept


def _check_options(**options):
    for name, value in options.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def _binary(X):
    """X as a checked csr array of int32 ones."""
    if not sp.issparse(X):
        X = np.asarray(X)
    if X.ndim != 2:
        raise ValueError(f"X must be two-dimensional (items x contexts), got {X.ndim} dimension(s)")
    if 0 in X.shape:
        raise ValueError(f"X is empty: its shape is {X.shape}")
    if X.dtype.kind not in "fiub":
        raise ValueError(f"X must hold real numbers, got dtype {X.dtype}; interactions are 0 or 1")
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


def _counts(X, min_count, top_k, memory, positive=False):
    """The filtered counts of :func:`cooccurrence`; with `positive`, only those above c_i c_j / N.

    Two numbers tell whom an item lists: all others above its `least` count, and of those with just
    that count the ones up to its `last` index. So whether j lists i is known without its row.
    """
    n = X.shape[0]
    count = np.diff(X.indptr)
    left, right = _factors(X, min_count)
    least, last = np.zeros(n, dtype=np.int32), np.full(n, n, dtype=np.int32)
    workers = os.cpu_count() or 1
    products = np.minimum(left @ np.diff(right.indptr).astype(np.int64), n)
    even = max(products.sum() // (4 * workers), _SMALLEST)
    edges = _blocks(products, min(memory // (_BYTES * workers), even))

    def form(edge):
        a, b = edge
        C = left[a:b] @ right
        rows = _rows(C.indptr, 0, b - a)
        keep = (C.data >= min_count) & (C.indices != rows + a)
        C = _subset(C, rows, keep)
        for i in np.flatnonzero(np.diff(C.indptr) > top_k):
            here = slice(C.indptr[i], C.indptr[i + 1])
            least[a + i], last[a + i] = _limits(C.data[here], C.indices[here], top_k)
        rows = _rows(C.indptr, 0, b - a)
        keep = _lists(least, last, rows + a, C.indices, C.data)
        keep &= _lists(least, last, C.indices, rows + a, C.data)  # where j has been seen already
        if positive:
            keep &= float(X.shape[1]) * C.data > count[rows + a].astype(float) * count[C.indices]
        C = _subset(C, rows, keep)
        C.sort_indices()
        return C

    def finish(edge, C):
        rows = _rows(C.indptr, 0, C.shape[0])
        return _subset(C, rows, _lists(least, last, C.indices, rows + edge[0], C.data))

    with ThreadPoolExecutor(workers) as pool:
        parts = list(tqdm(pool.map(form, edges), "co-occurrence", len(edges), disable=None, delay=3))
        if least.any():
            for k, C in enumerate(pool.map(finish, edges, parts)):
                parts[k] = C
    return _stack(parts, n)


def _factors(X, min_count):
    """X without the items that too few contexts hold to share min_count of them; its transpose."""
    count = np.diff(X.indptr)
    if (count < min_count).any():
        X = sp.csr_array(sp.diags_array(count >= min_count, dtype=np.int32) @ X)
        X.eliminate_zeros()
    return X, sp.csr_array(X.T)


def _blocks(sizes, largest):
    """Edges (a, b) of consecutive rows whose sizes add up to `largest` at most, or of one row."""
    total, edges, a = np.append(0, np.cumsum(sizes, dtype=np.int64)), [], 0
    while a < len(sizes):
        b = max(a + 1, int(np.searchsorted(total, total[a] + largest, side="right")) - 1)
        edges.append((a, b))
        a = b
    return edges


def _rows(indptr, a, b):
    """The row of each entry of rows a to b."""
    return np.repeat(np.arange(a, b, dtype=np.int32), np.diff(indptr[a : b + 1]))


def _subset(C, rows, keep):
    """The entries of C that are kept; `rows` holds the row of each."""
    if keep.all():
        return C
    indptr = np.append(0, np.cumsum(np.bincount(rows[keep], minlength=C.shape[0])))
    return sp.csr_array((C.data[keep], C.indices[keep], indptr), shape=C.shape)


def _limits(counts, cols, top_k):
    """The top_k-th highest count, and the highest index that is listed with just that count."""
    least = np.partition(counts, len(counts) - top_k)[len(counts) - top_k]
    ties = np.sort(cols[counts == least])
    return least, ties[top_k - np.count_nonzero(counts > least) - 1]


def _lists(least, last, i, j, counts):
    """Whether each i lists j among its neighbours."""
    edge = least[i]
    return (counts > edge) | ((counts == edge) & (j <= last[i]))


def _stack(parts, n):
    """The parts one below the other; each is dropped once it is copied."""
    indptr = np.concatenate([[0], *(np.diff(C.indptr) for C in parts)]).cumsum()
    data, indices = np.empty(indptr[-1], dtype=np.int32), np.empty(indptr[-1], dtype=np.int32)
    start = 0
    for k, C in enumerate(parts):
        data[start : start + C.nnz], indices[start : start + C.nnz] = C.data, C.indices
        start, parts[k] = start + C.nnz, None
    return sp.csr_array((data, indices, indptr), shape=(n, n))
