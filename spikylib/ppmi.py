"""Turn interactions into the symmetric PPMI matrix that is factorised.

Two items *co-occur* when a context (a playlist, a user) contains both. Popular items co-occur with
everything, so raw counts mostly rank popularity. Positive pointwise mutual information divides popularity
out: it is positive only where two items share more contexts than independent items would.

The counts are the product X X', formed a block of rows at a time within a memory budget, one
block a core; a block is filtered before the next is begun, so the whole product never exists.
"""

import numpy as np
import scipy.sparse as sp
from tqdm import tqdm

from spikylib import _counts
from spikylib._arrays import n_threads, threaded_map
from spikylib._checks import check_choice, check_range
from spikylib._device import multiply_ones, namespace, on_gpu, sparse, to_host, within_memory

_SMALLEST = 1 << 20  # pairs of a block below which threads do not pay
_ENTRIES = 1 << 22  # entries of M worked out at a time
_MOST = 1 << 28  # terms of a block on a GPU, which has work enough with so many


def cooccurrence(
    X: np.ndarray | sp.csr_array,
    *,
    min_count: int = 2,
    top_k: int = 2000,
    keep: str = "mutual",
    memory: int = 2**30,
) -> sp.csr_array:
    """Count the contexts that each pair of items shares, and filter the counts.

    A count :math:`c_{ij}`, i != j, is kept if it is at least `min_count` and j is among the
    `top_k` highest of row i *and* i among the `top_k` highest of row j; ties go to the lower
    item index. The result is symmetric, with a zero diagonal, whatever `keep` is.

    Parameters
    ----------
    X : sparse matrix or array, shape (n_items, n_contexts)
        Interactions. Any positive entry counts as one: a repeated pair counts once. May be CuPy's: then the
        work is done on the GPU and the result stays there (counts as float64).
    min_count : int, default 2
        Smallest number of shared contexts that is kept, at least 1.
    top_k : int, default 2000
        Neighbours kept per item, at least 1.
    keep : {"mutual", "either", "later"}, default "mutual"
        Which pairs stay: those where both items have the other among their `top_k`; where either has; or
        where the earlier of the two has, each item ranking only those after it. With the last two an item
        may have more than `top_k` neighbours. "later" is the condition of the paper's released SQL on the
        earlier item; the SQL also has one on the later item, among those before it.
    memory : int, default 2**30
        Bytes of working memory, besides X and the result, which does not depend on it. A single row is
        never divided: it takes at most 48 bytes per item and core. On a GPU, half of what is free.

    Returns
    -------
    scipy.sparse.csr_array, shape (n_items, n_items), int32
        8 bytes per entry kept; while it runs, 8 more for each that passes the filter of its row,
        or 32 more unless `keep` is "mutual".

    Raises
    ------
    ValueError
        If X is not two-dimensional, is empty, or contains negative or non-finite values; if
        `min_count`, `top_k` or `memory` is below 1; if `keep` is none of the three.

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

    Each keeps one neighbour; the first two keep each other, the third is kept by neither:

    >>> cooccurrence(X, min_count=1, top_k=1).toarray()[:, 2]
    array([0, 0, 0], dtype=int32)
    >>> cooccurrence(X, min_count=1, top_k=1, keep="either").toarray()[:, 2]
    array([0, 2, 0], dtype=int32)
    """
    _check(min_count, top_k, keep, memory)
    return _filtered_counts(_counts.binary(X), min_count, top_k, keep, memory)


def ppmi_matrix(
    X: np.ndarray | sp.csr_array,
    *,
    min_count: int = 2,
    top_k: int = 2000,
    keep: str = "mutual",
    shift: float = 0.0,
    memory: int = 2**30,
) -> tuple[sp.csr_array, np.ndarray]:
    """Weight the co-occurrence of items by positive pointwise mutual information.

    .. math:: M_{ij} = \\max\\left(0, \\ln \\frac{m\\, C_{ij}}{c_i c_j} - \\mathrm{shift}\\right)

    with :math:`m` the number of contexts, :math:`C_{ij}` the filtered count of :func:`cooccurrence` and
    :math:`c_i` the number of contexts with item i, counted in X before any filter. Items left with no
    neighbour are dropped.

    Parameters
    ----------
    X : sparse matrix or array, shape (n_items, n_contexts)
        Interactions, as for :func:`cooccurrence`.
    min_count, top_k, keep, memory
        As for :func:`cooccurrence`.
    shift : float, default 0
        Subtracted before the maximum, in nats, at least 0: skip-gram with k negative samples implies ln k.

    Returns
    -------
    M : scipy.sparse.csr_array, shape (n_kept, n_kept), float64
        Symmetric, non-negative, in nats. 12 bytes per entry; 16 while it is made.
    kept : numpy.ndarray, shape (n_kept,), int64
        Row of X behind each row of M, increasing: ``interactions.items.iloc[kept]`` are
        the labels of M. In memory, wherever X is.

    Raises
    ------
    ValueError
        As for :func:`cooccurrence`, if `shift` is negative, and if no pair of items is left.

    References
    ----------
    Afchar, Hennequin, Guigue (2023), section 2.2; Levy, Goldberg, Dagan (2015), section 3.1 for
    the shift, https://doi.org/10.1162/tacl_a_00134.

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
    _check(min_count, top_k, keep, memory)
    check_range("shift", shift, 0)
    X = _counts.binary(X)
    count = np.diff(X.indptr)
    C = _filtered_counts(X, min_count, top_k, keep, memory, expected=(count, X.shape[1], shift))
    kept, xp = np.flatnonzero(np.diff(C.indptr)).astype(np.int64), namespace(C)
    if len(kept) == 0:
        raise _counts.no_pair_left(min_count, shift)
    number = xp.zeros(len(count), dtype=np.int32)
    number[kept] = xp.arange(len(kept))
    value = xp.empty(C.nnz)
    for a, b in _counts.row_blocks(to_host(np.diff(C.indptr)), _ENTRIES):
        entries = slice(C.indptr[a], C.indptr[b])
        rows, columns = _counts.entry_rows(C.indptr[a : b + 1], a), C.indices[entries]
        value[entries] = _counts.information(C.data[entries], rows, columns, count, X.shape[1]) - shift
        C.indices[entries] = number[columns]  # in place: M takes over the indices of C
    indptr = np.append(C.indptr[kept], C.indptr[-1])
    return sparse(C).csr_array((value, C.indices, indptr), shape=(len(kept), len(kept))), to_host(kept)


def _check(min_count, top_k, keep, memory):
    _counts.check_options(min_count=min_count, top_k=top_k, memory=memory)
    check_choice("keep", keep, "mutual", "either", "later")


def _filtered_counts(X, min_count, top_k, keep, memory, expected=None):
    """The filtered counts of :func:`cooccurrence`."""

    def stage(free):
        return _in_blocks(X, min_count, top_k, keep, free or memory, expected)

    return within_memory(X, stage, "the co-occurrence of the items")


def _in_blocks(X, min_count, top_k, keep, memory, expected):
    """The filtered counts, a block of rows at a time."""
    n, later = X.shape[0], keep == "later"
    left, right = _factors(X, min_count)
    products = to_host(left @ np.diff(right.indptr).astype(np.float64)).astype(np.int64)
    if on_gpu(X):
        threads, even = 1, _MOST  # and the terms of a pair take memory one by one
    else:
        threads, products = n_threads(), np.minimum(products, n)
        even = max(products.sum() // (4 * threads), _SMALLEST)
    edges = _counts.row_blocks(products, min(memory // (_counts.PAIR_BYTES * threads), even))
    cutoffs = _counts.no_cutoffs(n, n, X)  # rows whose own are not known yet keep all

    def form(edge):
        a, b = edge
        C = multiply_ones(left, right, a, b)
        C, cutoffs[:, a:b] = _counts.filter_rows(C, a, min_count, top_k, expected, later)
        # by the rows that are known already, so that less is held
        return _counts.filter_mutual(C, a, cutoffs) if keep == "mutual" else C

    with threaded_map(len(edges) > 1 and not on_gpu(X)) as map_blocks:
        parts = list(tqdm(map_blocks(form, edges), "co-occurrence", len(edges), disable=None, delay=3))
        if keep == "mutual" and cutoffs[0].any():
            starts = [a for a, _ in edges]
            for k, C in enumerate(map_blocks(_counts.filter_mutual, parts, starts, [cutoffs] * len(parts))):
                parts[k] = C
    C = _counts.vstack_csr(parts, n)
    return C if keep == "mutual" else C.maximum(C.T.tocsr())


def _factors(X, min_count):
    """X without the items that too few contexts hold to share min_count of them; its transpose."""
    X = _counts.subset(X, (np.diff(X.indptr) >= min_count)[_counts.entry_rows(X.indptr)])
    return X, X.T.tocsr()
