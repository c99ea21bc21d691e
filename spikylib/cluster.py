"""The stages X -> M -> E -> Spk on a cluster of workers, with the same results as on one machine.

Concept. Each stage is the one of its namesake: :func:`ppmi_matrix` of :mod:`spikylib.ppmi`,
:func:`truncated_svd` of :mod:`spikylib.svd`, :func:`cover` of :mod:`spikylib.spikes`; the same
algorithms run here over blocks of rows that live on the workers of a
`Dask <https://distributed.dask.org>`_ cluster and never come together in one place.

Conventions. `client` is a ``distributed.Client``; its workers need spikylib. Every block on a worker is the
result of a task that the scheduler can run again, so a worker that dies costs time and nothing else. An
error or Ctrl-C in the client withdraws the tasks of the call. At a terminal, a bar on stderr shows the
progress of a stage. Options, errors and warnings are those of the namesakes; a cluster without workers also
raises a ValueError.

Functions. :func:`ppmi_matrix`, :func:`truncated_svd` and :func:`cover`; :func:`partition_rows`
sends a matrix to the workers, :meth:`RowPartitions.gather` collects a result.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from distributed import Client, Future

from spikylib import _counts, _greedy, _lanczos, svd
from spikylib._checks import check_range
from spikylib._dask import Basis, Rows, Work, send, stack
from spikylib.spikes import SpikeCover

_SENT = 1 << 19  # interactions in a block of contexts on its way to the cluster
_BYTES = 32  # taken by an entry of M while it is made
_ROW_WEIGHT = 100  # a row costs a step of the iteration about as much as so many entries


@dataclass(frozen=True)
class RowPartitions:
    """A matrix whose blocks of rows live on the workers of a cluster.

    ``A[:, :f]`` and ``A * row`` are made on the workers.

    Attributes
    ----------
    parts : tuple of distributed.Future
        The blocks from top to bottom, csr arrays or numpy arrays.
    edges : numpy.ndarray, shape (len(parts) + 1,), int64
        ``parts[k]`` contains rows ``edges[k]`` up to ``edges[k + 1]``.
    shape : tuple of int
    """

    parts: tuple[Future, ...]
    edges: np.ndarray
    shape: tuple[int, int]

    def gather(self) -> np.ndarray | sp.csr_array:
        """Bring all rows to the client, newly allocated."""
        return stack([part.result() for part in self.parts])

    def __mul__(self, row: np.ndarray) -> "RowPartitions":
        return self._map(operator.mul, row, self.shape[1])

    def __getitem__(self, columns: tuple[slice, slice]) -> "RowPartitions":
        if columns[0] != slice(None):
            raise TypeError(f"only whole columns can be selected, as A[:, :f], got rows {columns[0]}")
        return self._map(operator.getitem, columns, len(range(self.shape[1])[columns[1]]))

    def _map(self, function, argument, n_columns):
        # a slice or a pair of them would be taken for one argument a partition: see Work.map
        with Work(self.parts[0].client) as work:
            parts = work.map(function, self.parts, [argument] * len(self.parts))
            return RowPartitions(tuple(parts), self.edges, (self.shape[0], n_columns))


def partition_rows(
    A: np.ndarray | sp.csr_array, client: Client, n_partitions: int | None = None
) -> RowPartitions:
    """Cut a matrix of this machine into blocks of rows on the workers.

    Parameters
    ----------
    A : sparse matrix or array, shape (n, d)
        May be a memory map.
    n_partitions : int, optional
        1 to n. Default: two for each thread of the cluster, at most n.

    Returns
    -------
    RowPartitions
        The scheduler keeps a copy of A, from which lost blocks are made again.

    Raises
    ------
    ValueError
        If A is not two-dimensional or is empty, or `n_partitions` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from distributed import Client
    >>> with Client(processes=False, n_workers=2, dashboard_address=":0") as client:
    ...     A = partition_rows(np.arange(6).reshape(3, 2), client, n_partitions=2)
    ...     A.edges, A.gather().sum()
    (array([0, 1, 3]), np.int64(15))
    """
    A = sp.csr_array(A) if sp.issparse(A) else np.asanyarray(A)
    if A.ndim != 2 or 0 in A.shape:
        raise ValueError(f"A must be a non-empty matrix, got shape {A.shape}")
    with Work(client) as work:
        n = A.shape[0]
        wanted = min(2 * work.threads, n) if n_partitions is None else n_partitions
        if not 1 <= wanted <= n:
            raise ValueError(f"n_partitions must be between 1 and the {n} rows of A, got {n_partitions}")
        edges = np.linspace(0, n, wanted + 1).astype(np.int64)
        return RowPartitions(tuple(send(work, A, edges)), edges, A.shape)


def ppmi_matrix(
    X: np.ndarray | sp.csr_array | Sequence[str | Path],
    client: Client,
    *,
    min_count: int = 2,
    top_k: int = 2000,
) -> tuple[RowPartitions, np.ndarray]:
    """Weight the co-occurrence of items as :func:`spikylib.ppmi.ppmi_matrix` does.

    `keep` and `shift` are not options here: neighbours are mutual, and no shift is subtracted.

    Parameters
    ----------
    X : sparse matrix or array, shape (n_items, n_contexts), or sequence of paths
        Interactions; any positive entry counts as one. Paths name files that all workers
        can read, each with all interactions of its own contexts: scipy's ``.npz`` of shape
        (n_items, its contexts), read fastest when csc and not compressed; or Parquet with the
        integer columns ``item`` (from 0) and ``context``.

    Returns
    -------
    M : RowPartitions, shape (n_kept, n_kept), csr, float64
        At least one partition per thread. A task uses at most about a quarter of its worker's memory, or
        what one row of counts takes, 48 bytes per item. The client uses some 30 bytes per item, besides X
        if that is a matrix.
    kept : numpy.ndarray, shape (n_kept,), int64
        Item behind each row of M, increasing.

    Raises
    ------
    ValueError
        As for the namesake; also if the files disagree on the number of items or are of another kind, or if
        X is a matrix that takes more than a quarter of a worker's memory at 8 bytes per interaction.

    Examples
    --------
    >>> import numpy as np
    >>> from distributed import Client
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]])
    >>> with Client(processes=False, n_workers=2, dashboard_address=":0") as client:
    ...     M, kept = ppmi_matrix(X, client)
    ...     M.gather().toarray().round(3), kept
    (array([[0.   , 0.693],
           [0.693, 0.   ]]), array([0, 1]))
    """
    _counts.check_options(min_count=min_count, top_k=top_k)
    with Work(client) as work:
        sources, n_items, n_contexts, count = _counted(work, X, min_count)
        pairs = work.map(_pairs, sources, count, min_count)
        pairs = np.minimum(work.fold(np.add, pairs).result(), n_items)
        largest = min(work.memory // _counts.PAIR_BYTES, pairs.sum() // (4 * work.threads) + 1)
        edges = _counts.row_blocks(pairs, largest)
        starts = [a for a, _ in edges]
        blocks = [work.submit(_count, sources, count, edge, n_contexts, min_count, top_k) for edge in edges]
        cutoffs = work.submit(np.hstack, work.map(operator.itemgetter(1), blocks))
        blocks = work.map(_mutual, blocks, starts, cutoffs)
        sizes = work.map(_entries_by_row, blocks)
        entries = np.concatenate(work.gather(sizes))
        kept = np.flatnonzero(entries).astype(np.int64)
        if len(kept) == 0:
            raise _counts.no_pair_left(min_count)
        number = work.submit(_numbers, sizes)
        weight = np.cumsum(entries[kept] + _ROW_WEIGHT, dtype=np.int64)
        wanted = max(work.threads, int(_BYTES * entries.sum(dtype=np.int64) // work.memory) + 1)
        rows = np.searchsorted(weight, weight[-1] / wanted * np.arange(1, wanted))
        rows = np.unique([0, *rows, len(kept)])
        parts = []
        for a, b in pairwise([0, *kept[rows[1:-1]].tolist(), n_items]):
            first, last = np.searchsorted(starts, a, side="right") - 1, np.searchsorted(starts, b)
            items = (starts[first], a, b)
            parts.append(work.submit(_weigh, blocks[first:last], items, number, count, n_contexts, len(kept)))
        work.wait(parts, "PPMI")
        return RowPartitions(tuple(parts), rows, (len(kept), len(kept))), kept


def truncated_svd(
    M: RowPartitions, client: Client, f: int = 128, *, tol: float = 1e-10, seed: int = 0
) -> svd.TruncatedSVD:
    """Factorise a symmetric matrix as :func:`spikylib.svd.truncated_svd` does.

    The basis is cut as M is and stays on the workers. Each step sends eight columns between workers, and
    the client receives nothing longer than 2 f. A small matrix (at most 500 rows, or fewer than 3 f) is
    factorised by the client.

    Parameters
    ----------
    M : RowPartitions, shape (n, n)
        Symmetric (checked on random vectors), finite.

    Returns
    -------
    spikylib.svd.TruncatedSVD
        `U` and `V` are RowPartitions, cut as M is; so is what `embeddings` returns. While it runs, a
        partition of r rows takes about 4 r f float64 on its worker besides M, and each thread 16 n float64
        for the columns that it multiplies. The client uses O(f^2).

    Examples
    --------
    >>> import numpy as np
    >>> from distributed import Client
    >>> M = np.array([[0., 2., 0.], [2., 0., 0.], [0., 0., 1.]])
    >>> with Client(processes=False, n_workers=2, dashboard_address=":0") as client:
    ...     truncated_svd(partition_rows(M, client), client, f=3).s.round(6)
    array([2., 2., 1.])
    """
    n = M.shape[0]
    if M.shape[0] != M.shape[1]:
        raise ValueError(f"M must be a square matrix, got shape {M.shape}")
    check_range("f", f, 1, n, "rows of M")
    with Work(client) as work:
        if _lanczos.is_small(n, f):
            whole = svd.truncated_svd(stack(work.gather(M.parts)), f, tol=tol, seed=seed)
            parts = (tuple(send(work, vectors, M.edges)) for vectors in (whole.U, whole.V))
            U, V = (RowPartitions(own, M.edges, (n, f)) for own in parts)
            return svd.TruncatedSVD(U, whole.s, V, whole.residuals)
        basis = Basis(work, M, seed)
        d = _lanczos.leading_eigenpairs(basis, f, max(tol, _lanczos.ROUNDING) / 2)
        vectors = RowPartitions(tuple(own[0] for own in basis.blocks), M.edges, (n, f))
        residuals = basis.residuals(vectors.parts, d)
        if residuals.max() > tol * abs(d[0]):
            raise _lanczos.not_converged(residuals, abs(d[0]), tol)
        largest = np.max(work.gather(work.map(_lanczos.largest_magnitudes, vectors.parts)), axis=0)
        signs = np.array(work.gather(work.map(_lanczos.first_sign, vectors.parts, largest)))
        U = vectors * signs[np.abs(signs).argmax(axis=0), np.arange(f)]
        V = U * np.where(d < 0, -1.0, 1.0)
        work.wait([*U.parts, *V.parts], "embeddings")
        return svd.TruncatedSVD(U, np.abs(d), V, residuals)


def cover(
    E: RowPartitions, client: Client, *, f: int | None = None, cos_theta: float = 0.9, rho: float = 0.5
) -> SpikeCover:
    """Choose peaks as :func:`spikylib.spikes.cover` does.

    The client goes through the rows by norm; each block of peaks is sent to the partitions, which
    return the rows that it captures.

    Parameters
    ----------
    E : RowPartitions, shape (n, d), any real dtype
        Embeddings, one row per item; finite.

    Returns
    -------
    spikylib.spikes.SpikeCover
        The client uses 25 n bytes, a task 40 MB besides its partition.
    """
    n, d = E.shape
    check_range("f", d if f is None else f, 1, d, "columns of E")
    _greedy.check_thresholds([cos_theta], [rho])
    with Work(client) as work:
        rows = Rows(work, E if f is None else E[:, :f])
        order = _greedy.by_norm(rows.norm)
        _greedy.warn_of_zero_rows(len(order), n, rho)
        return SpikeCover(*_greedy.greedy_cover(rows, order, float(cos_theta), rho))


# Co-occurrence. On a worker the interactions are csr arrays of contexts x items.


def _counted(work, X, min_count):
    """Where the workers find the interactions, items, contexts, and contexts by item."""
    if isinstance(X, (list, tuple)) and X and isinstance(X[0], (str, Path)):
        sources = [str(path) for path in X]
        kinds, shapes = zip(*work.gather(work.map(_shape, sources)))
        n_items = max(items for items, _, _ in shapes)
        for path, kind, (items, _, _) in zip(sources, kinds, shapes):
            if kind == ".npz" and items != n_items:
                raise ValueError(f"{path} has {items} items where another file has {n_items}")
        n_contexts = sum(contexts for _, contexts, _ in shapes)
        entries = sum(nnz for _, _, nnz in shapes)
        if entries == 0:
            raise ValueError("the files contain no interactions")
    else:
        X = _counts.binary(X)
        (n_items, n_contexts), entries = X.shape, X.nnz
        if 8 * entries > work.room // 4:
            raise ValueError(
                f"X takes {8 * entries / 1e6:.0f} MB, more than a quarter of the {work.room / 1e6:.0f} MB that a "
                "worker has free; save it in files by context and pass their paths"
            )
        edges = np.linspace(0, n_contexts, min(n_contexts, entries // _SENT + 1) + 1).astype(np.int64)
        sources = send(work, sp.csr_array(X.T), edges)
    count = work.fold(np.add, work.map(_count_items, sources, n_items))
    if 8 * entries <= work.room // 4:
        sources = [work.submit(_whole, sources, count, min_count)]
    return sources, n_items, n_contexts, count


def _shape(path):
    """Kind of a file, and its items, contexts and interactions."""
    T = _contexts(path)
    return Path(path).suffix, (T.shape[1], T.shape[0], T.nnz)


def _contexts(source, n_items=None):
    """Interactions as a csr array of contexts x items of int32 ones."""
    if not isinstance(source, str):
        return source
    suffix = Path(source).suffix
    if suffix == ".npz":
        T = sp.csr_array(sp.load_npz(source).T)
    elif suffix == ".parquet":
        import pandas as pd

        table = pd.read_parquet(source, columns=["item", "context"])
        if len(table) and (table["item"].dtype.kind not in "iu" or table["item"].min() < 0):
            raise ValueError(f"the column item of {source} must contain integers from 0")
        row, names = pd.factorize(table["context"])
        shape = (len(names), n_items or int(table["item"].max()) + 1 if len(table) else 0)
        T = sp.csr_array((np.ones(len(table), dtype=np.int32), (row, table["item"])), shape=shape)
    else:
        raise ValueError(f"{source} is neither .npz nor .parquet")
    if n_items == 0 or 0 in T.shape:
        return sp.csr_array(T.shape, dtype=np.int32)
    return _counts.binary(T) if T.nnz else sp.csr_array(T, dtype=np.int32)


def _count_items(source, n_items):
    return np.bincount(_contexts(source, n_items).indices, minlength=n_items).astype(np.int32)


def _whole(sources, count, min_count):
    """All interactions, without the items that too few contexts hold to share min_count."""
    return stack([_operand(source, count, min_count) for source in sources])


def _operand(source, count, min_count):
    T = _contexts(source, len(count))
    return _counts.subset(T, count[T.indices] >= min_count)


def _pairs(source, count, min_count):
    """For each item, the items met in its contexts, with repetition."""
    T = _operand(source, count, min_count)
    return T.T @ np.diff(T.indptr).astype(np.int64)


def _count(sources, count, edge, n_contexts, min_count, top_k):
    """Rows a to b of the counts, filtered by row, and their cutoffs."""
    a, b = edge
    sums = []  # of 1, 2, 4 ... files, so that a count is added up few times
    for source in sources:
        T = _operand(source, count, min_count)
        C, files = sp.csr_array(T[:, a:b].T) @ T, 1
        while sums and sums[-1][1] == files:
            C, files = sums.pop()[0] + C, 2 * files
        sums.append((C, files))
    C = sums.pop()[0]
    while sums:
        C = sums.pop()[0] + C
    return _counts.filter_rows(C, a, min_count, top_k, (count, n_contexts, 0.0))


def _mutual(block, first, cutoffs):
    return _counts.filter_mutual(block[0], first, cutoffs)


def _entries_by_row(C):
    return np.diff(C.indptr).astype(np.int32)


def _numbers(sizes):
    """Rows of M, by item; meaningless where an item has none."""
    return np.cumsum(np.concatenate(sizes) > 0, dtype=np.int32) - np.int32(1)


def _weigh(blocks, items, number, count, n_contexts, n_kept):
    """PPMI of items a to b, from consecutive blocks of counts that begin at item `start`."""
    start, a, b = items
    parts = []
    for C in blocks:
        height, first = C.shape[0], max(a - start, 0)
        C = C[first : b - start]
        value = _counts.information(
            C.data, _counts.entry_rows(C.indptr, start + first), C.indices, count, n_contexts
        )
        indptr = np.append(C.indptr[:-1][np.diff(C.indptr) > 0], C.indptr[-1])
        parts.append(sp.csr_array((value, number[C.indices], indptr), shape=(len(indptr) - 1, n_kept)))
        start += height
    return stack(parts)
