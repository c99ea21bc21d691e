"""Blocks of rows of co-occurrence counts: formed, filtered and weighed, here or on a worker.

Two numbers say which items an item keeps: all others above its *min kept count*, and of those with
just that count the ones up to its *last tied index*. So whether j keeps i is known without the
row of j, and a block is never transposed or compared with another.
"""

import numpy as np
import scipy.sparse as sp

from spikylib._checks import check_range
from spikylib._device import as_array, at_places, count_type, csr, namespace, on_gpu, sparse

PAIR_BYTES = 48  # taken by a block at its largest, for each pair of items that share a context


def check_options(**options):
    """Refuse options below 1."""
    for name, value in options.items():
        check_range(name, value, 1)


def binary(X):
    """X as a checked csr array of ones, int32 but on a GPU."""
    X = as_array(X)
    if X.ndim != 2:
        raise ValueError(f"X must be two-dimensional (items x contexts), got {X.ndim} dimension(s)")
    if 0 in X.shape:
        raise ValueError(f"X is empty: its shape is {X.shape}")
    if X.dtype.kind not in "fiub":
        raise ValueError(f"X must contain real numbers, got dtype {X.dtype}; interactions are 0 or 1")
    X = csr(X)
    if X.data.dtype.kind == "f" and not np.isfinite(X.data).all():
        raise ValueError("X contains NaN or infinity; interactions are 0 or 1")
    if X.nnz and X.data.min() < 0:
        raise ValueError(f"X contains a negative value, {X.data.min()}; interactions are 0 or 1")
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    present = X.data > 0
    ones = present.astype(count_type(X))
    X = subset(sparse(X).csr_array((ones, X.indices, X.indptr), shape=X.shape), present)
    if X.nnz == 0:
        raise ValueError(f"X of shape {X.shape} contains no interaction")
    return X


def row_blocks(sizes, largest):
    """Edges (a, b) of consecutive rows whose sizes add up to `largest` at most, or of one row."""
    total, edges, a = np.append(0, np.cumsum(sizes, dtype=np.int64)), [], 0
    while a < len(sizes):
        b = max(a + 1, int(np.searchsorted(total, total[a] + largest, side="right")) - 1)
        edges.append((a, b))
        a = b
    return edges


def entry_rows(indptr, first=0):
    """The row of each entry, where the first row is number `first`."""
    rows = namespace(indptr).arange(first, first + len(indptr) - 1, dtype=np.int32)
    return np.repeat(rows, np.diff(indptr))


def subset(C, keep):
    """The entries of C that are kept."""
    if keep.all():
        return C
    kept = np.cumsum(keep, dtype=C.indptr.dtype)
    indptr = np.where(C.indptr > 0, kept[C.indptr - 1], 0)  # from a running count: rows need not be known
    return sparse(C).csr_array((C.data[keep], C.indices[keep], indptr), shape=C.shape)


def vstack_csr(parts, n_columns):
    """The parts one below the other, dropped from the list as they are copied: half of vstack's memory."""
    xp, kind = namespace(parts[0]), sparse(parts[0])
    indptr = xp.concatenate([xp.zeros(1, np.int64), *(np.diff(C.indptr) for C in parts)]).cumsum()
    total = int(indptr[-1])
    indptr = indptr.astype(sp.get_index_dtype(maxval=max(total, n_columns)))
    data, indices = xp.empty(total, dtype=parts[0].dtype), xp.empty(total, dtype=indptr.dtype)
    start = 0
    for k, C in enumerate(parts):
        data[start : start + C.nnz], indices[start : start + C.nnz] = C.data, C.indices
        start, parts[k] = start + C.nnz, None
    return kind.csr_array((data, indices, indptr), shape=(len(indptr) - 1, n_columns))


def filter_rows(C, first, min_count, top_k, expected=None, later=False):
    """Filter rows `first` and on of the counts by themselves; return them and their cutoffs.

    `expected`, if given, holds contexts by item, contexts in all and the shift. Counts that are no
    more than chance would give, raised by the shift, then go too. If `later`, a row counts only the
    items after its own.
    """
    is_other = np.greater if later else np.not_equal
    C = subset(C, (C.data >= min_count) & is_other(C.indices, entry_rows(C.indptr, first)))
    cutoffs = no_cutoffs(*C.shape, C)
    long = np.flatnonzero(np.diff(C.indptr) > top_k)
    if not on_gpu(C):
        for i in long:
            row = slice(C.indptr[i], C.indptr[i + 1])
            cutoffs[:, i] = _top_k_cutoff(C.data[row], C.indices[row], top_k)
    elif len(long):
        cutoffs[0, long], cutoffs[1, long] = at_places(C, long, top_k - 1)
    rows = entry_rows(C.indptr)
    keep = _is_neighbour(*cutoffs, rows, C.indices, C.data)
    if expected is not None:
        count, n_contexts, shift = expected
        keep &= float(n_contexts) * C.data > count[rows + first].astype(float) * count[C.indices]
        if shift:  # by more than logarithms differ between CPUs: just the shift is nothing on all of them
            keep &= information(C.data, rows + first, C.indices, count, n_contexts) > shift + 1e-12
    C = subset(C, keep)
    C.sort_indices()
    return C, cutoffs


def no_cutoffs(n_rows, n_items, C):
    """Cutoffs that keep every count, beside C: the min kept counts, and the last tied indices."""
    xp = namespace(C)
    return xp.stack([xp.zeros(n_rows, dtype=np.int32), xp.full(n_rows, n_items, dtype=np.int32)])


def filter_mutual(C, first, cutoffs):
    """Of rows `first` and on, the counts of items that keep the row's item too, by all items' cutoffs."""
    return subset(C, _is_neighbour(*cutoffs, C.indices, entry_rows(C.indptr, first), C.data))


def information(counts, rows, columns, count, n_contexts):
    """Pointwise mutual information of counts, in nats; `count` holds the contexts of each item."""
    return np.log(float(n_contexts) * counts / (count[rows].astype(float) * count[columns]))


def no_pair_left(min_count, shift=0.0):
    """The error about a matrix without entries."""
    chance = f"e^{shift:g} times what chance" if shift else "chance"
    lower = "min_count or shift" if shift else "min_count"
    return ValueError(
        f"no pair of items is left: none shares {min_count} contexts or more, and more of them "
        f"than {chance} would give; bring more contexts, or in Python lower {lower}"
    )


def _top_k_cutoff(counts, columns, top_k):
    """The top_k-th highest count, and the highest index that is kept with just that count."""
    min_kept_count = np.partition(counts, len(counts) - top_k)[len(counts) - top_k]
    ties = np.sort(columns[counts == min_kept_count])
    return min_kept_count, ties[top_k - np.count_nonzero(counts > min_kept_count) - 1]


def _is_neighbour(min_kept_count, last_tied_index, i, j, counts):
    """Whether each i keeps j among its neighbours."""
    cutoff = min_kept_count[i]
    return (counts > cutoff) | ((counts == cutoff) & (j <= last_tied_index[i]))
