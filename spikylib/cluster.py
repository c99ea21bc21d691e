"""The stages X -> M -> E -> Spk on a cluster of workers, with the results of one machine.

Concept. Each stage is the one of its namesake: :func:`ppmi_matrix` of :mod:`spikylib.ppmi`,
:func:`truncated_svd` of :mod:`spikylib.svd`, :func:`cover` of :mod:`spikylib.spikes`. What has
a row per item, and more than a few numbers in it, is cut into blocks of rows that live on the
workers of a `Dask <https://distributed.dask.org>`_ cluster and never come together in one place.

Conventions. `client` is a ``distributed.Client``; its workers need spikylib. Every block on a
worker is the result of a task that the scheduler can run again, so a worker that dies takes
time and nothing else. An error or Ctrl-C in the client withdraws the tasks of the call. At a
terminal, a bar on stderr shows how far a stage is.

Functions. :func:`ppmi_matrix`, :func:`truncated_svd` and :func:`cover`; :func:`partition_rows`
brings a matrix made elsewhere, :meth:`RowPartitions.gather` brings a result home.
"""

import math
import operator
import threading
import uuid
import warnings
import weakref
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from dask.sizeof import sizeof
from distributed import Client, as_completed
from tqdm import tqdm

from spikylib import ppmi, spikes, svd

_SENT = 1 << 19  # entries sent to the cluster in one message: 6 MB
_SHARE = 4  # a task works in one part in so many of its thread's memory
_BYTES = 32  # taken by an entry of M while it is made
_UNLIMITED = 8 << 30  # bytes counted on where workers have no limit
_ROW_WEIGHT = 100  # a row costs a step of the iteration about as much as so many entries
_BLOCK = 8  # columns multiplied at a time
_MAX_RESTARTS = 200
_ROUNDING = 1e-14  # a residual, as a share of sigma_1, below which rounding decides
_PEAK_BLOCK = 512  # candidate peaks resolved and broadcast at a time
_ROW_BLOCK = 2048  # rows compared with them at a time
_ZERO = 1e-9  # a norm at most this share of the largest counts as zero

_lock = threading.Lock()
_columns = weakref.WeakValueDictionary()  # multiplied by this worker at this moment, by step


@dataclass(frozen=True)
class RowPartitions:
    """A matrix whose blocks of rows live on the workers of a cluster.

    Attributes
    ----------
    parts : tuple of distributed.Future
        The blocks from top to bottom, csr arrays or numpy arrays.
    edges : numpy.ndarray, shape (len(parts) + 1,), int64
        ``parts[k]`` holds rows ``edges[k]`` to ``edges[k + 1]``.
    shape : tuple of int
    """

    parts: tuple
    edges: np.ndarray
    shape: tuple

    def gather(self):
        """Bring all rows to the client.

        Returns
        -------
        scipy.sparse.csr_array or numpy.ndarray, of the same shape, newly allocated
        """
        return _stack([part.result() for part in self.parts])


@dataclass(frozen=True)
class DistributedSVD:
    """The f leading singular triplets of a matrix of n rows, M ~ U diag(s) V'.

    Attributes
    ----------
    U : RowPartitions, shape (n, f), float64
        Left singular vectors by decreasing singular value, in the partitions of M. In each
        column the entry of largest magnitude is positive.
    s : numpy.ndarray, shape (f,), float64
        Singular values, decreasing.
    sign : numpy.ndarray, shape (f,), float64
        1 or -1, the sign of the eigenvalue behind each: V is U times `sign`.
    residuals : numpy.ndarray, shape (f,), float64
        ``norm(M @ V[:, k] - s[k] * U[:, k])`` for each column k.
    """

    U: RowPartitions
    s: np.ndarray
    sign: np.ndarray
    residuals: np.ndarray

    def embeddings(self, client, power=1.0):
        """Make U Sigma^power on the workers, one row per item.

        Parameters
        ----------
        client : distributed.Client
        power : float, default 1.0
            0 gives U, 1 the paper's U Sigma.

        Returns
        -------
        RowPartitions, shape (n, f), float64
        """
        with _Work(client) as work:
            parts = work.map(operator.mul, self.U.parts, self.s**power)
            return RowPartitions(tuple(parts), self.U.edges, self.U.shape)

    def gather(self):
        """Bring the factors to the client, as :func:`spikylib.svd.truncated_svd` returns them.

        Returns
        -------
        spikylib.svd.TruncatedSVD, newly allocated: 2 n f float64
        """
        U = self.U.gather()
        return svd.TruncatedSVD(U, self.s, U * self.sign, self.residuals)


def partition_rows(A, client, n_partitions=None):
    """Cut a matrix of this machine into blocks of rows on the workers.

    Parameters
    ----------
    A : sparse matrix or array, shape (n, d)
        May be a memory map.
    client : distributed.Client
    n_partitions : int, optional
        1 to n. Default: two for each thread of the cluster, or n.

    Returns
    -------
    RowPartitions
        The scheduler keeps a copy of A, from which lost blocks are made again.

    Raises
    ------
    ValueError
        If A is not two-dimensional or is empty, `n_partitions` is out of range, or the cluster
        has no worker.

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
    with _Work(client) as work:
        n = A.shape[0]
        wanted = min(2 * work.threads, n) if n_partitions is None else n_partitions
        if not 1 <= wanted <= n:
            raise ValueError(f"n_partitions must be between 1 and the {n} rows of A, got {n_partitions}")
        edges = np.linspace(0, n, wanted + 1).astype(np.int64)
        parts = [_sent(work, A, a, b) for a, b in pairwise(edges)]
        return RowPartitions(tuple(parts), edges, A.shape)


def ppmi_matrix(X, client, *, min_count=2, top_k=2000):
    """Weigh the co-occurrence of items by positive pointwise mutual information.

    The definition, and the result, are those of :func:`spikylib.ppmi.ppmi_matrix`. A block of
    rows of the counts is one task, filtered before it is stored; that i is among the `top_k` of j
    is told from two numbers per item, so blocks are never transposed or compared.

    Parameters
    ----------
    X : sparse matrix or array, shape (n_items, n_contexts), or sequence of paths
        Interactions; any positive entry counts as one. Paths name files that all workers
        can read, each with all interactions of its own contexts: scipy's ``.npz`` of shape
        (n_items, its contexts), read fastest when csc and not compressed; or Parquet with the
        integer columns ``item`` (from 0) and ``context``.
    client : distributed.Client
    min_count : int, default 2
        Smallest number of shared contexts that is kept, at least 1.
    top_k : int, default 2000
        Neighbours kept per item, at least 1.

    Returns
    -------
    M : RowPartitions, shape (n_kept, n_kept), csr, float64
        Symmetric, non-negative, in nats. One partition a thread or more. A task uses at most
        about a quarter of its worker's memory, or what one row of counts takes, 48 bytes per
        item. The client holds some 30 bytes per item, and X if that is a matrix.
    kept : numpy.ndarray, shape (n_kept,), int64
        Item behind each row of M, increasing.

    Raises
    ------
    ValueError
        As for :func:`spikylib.ppmi.ppmi_matrix`; if the files disagree on the number of items
        or are of another kind; if X is a matrix that takes more than a quarter of a worker's
        memory at 8 bytes per interaction; or if the cluster has no worker.

    References
    ----------
    Afchar, Hennequin, Guigue (2023), "Of Spiky SVDs and Music Recommendation", section 2.2.

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
    ppmi._check_options(min_count=min_count, top_k=top_k)
    with _Work(client) as work:
        sources, n_items, n_contexts, count = _counted(work, X, min_count)
        pairs = work.map(_pairs, sources, count, min_count)
        pairs = np.minimum(work.fold(np.add, pairs).result(), n_items)
        largest = min(work.memory // ppmi._BYTES, pairs.sum() // (4 * work.threads) + 1)
        edges = ppmi._blocks(pairs, largest)
        starts = [a for a, _ in edges]
        blocks = [work.submit(_count, sources, count, a, b, n_contexts, min_count, top_k) for a, b in edges]
        limits = work.submit(_joined, work.map(operator.itemgetter(1), blocks))
        blocks = work.map(_mutual, blocks, starts, limits)
        sizes = work.map(_entries_by_row, blocks)
        work.wait(sizes, "co-occurrence")
        entries = np.concatenate(work.gather(sizes))
        kept = np.flatnonzero(entries).astype(np.int64)
        if len(kept) == 0:
            raise ValueError(
                f"no pair of items is left: none shares {min_count} contexts or more, and more of them "
                "than chance would give; lower min_count or bring more contexts"
            )
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


def truncated_svd(M, client, f=128, *, tol=1e-10, seed=0):
    """Factorise a symmetric matrix by its f largest singular values.

    The iteration of :func:`spikylib.svd.truncated_svd`, with the same bound on the residuals:
    thick-restart block Lanczos. The basis is cut as M is and stays on the workers; between them
    go eight columns a step, to the client goes nothing longer than 2 f. A matrix of at most 1000
    rows, or of fewer than 3 f, is factorised by the client. Two things are not done here that are
    done there: an eigenvalue repeated more than eight times may be found eight times only, and
    with an f far below 100 a spectrum without gaps may not converge, which is refused.

    Parameters
    ----------
    M : RowPartitions, shape (n, n)
        Symmetric (checked on random vectors), finite.
    client : distributed.Client
    f : int, default 128
        Truncation rank, 1 to n.
    tol : float, default 1e-10
        Largest residual allowed, as a share of the largest singular value.
    seed : int, default 0
        Seed of the starting vectors.

    Returns
    -------
    DistributedSVD
        While it runs, a partition of r rows takes about 4 r f float64 on its worker beside M,
        and a worker 16 n float64, the columns multiplied. The client holds O(f^2).

    Raises
    ------
    ValueError
        If M is not square, symmetric and finite, is zero, or f is not in 1..n.
    ArithmeticError
        If the residuals stay above `tol`.

    References
    ----------
    Wu and Simon (2000), thick-restart Lanczos, https://doi.org/10.1137/S0895479898334605;
    Demmel, Grigori, Hoemmen, Langou (2012), the QR of row blocks, https://doi.org/10.1137/080731992.

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
    if not 1 <= f <= n:
        raise ValueError(f"f must be between 1 and the {n} rows of M, got {f}")
    with _Work(client) as work:
        if n <= svd._DENSE_UP_TO or f > n // 3:
            whole = svd.truncated_svd(_stack(work.gather(M.parts)), f, tol=tol, seed=seed)
            parts = [_sent(work, whole.U, a, b) for a, b in pairwise(M.edges)]
            sign = np.where(np.einsum("ij,ij->j", whole.U, whole.V) < 0, -1.0, 1.0)
            return DistributedSVD(
                RowPartitions(tuple(parts), M.edges, (n, f)), whole.s, sign, whole.residuals
            )
        d, blocks = _block_lanczos(M, work, f, max(tol, _ROUNDING) / 2, seed)
        residuals = _residuals(M, work, blocks, d)
        if residuals.max() > tol * abs(d[0]):
            raise ArithmeticError(
                f"residual {residuals.max() / abs(d[0]):.1e} of the largest singular value, "
                f"above tol={tol:.1e}; raise tol or lower f"
            )
        parts = work.map(np.hstack, [list(columns) for columns in zip(*blocks)])
        flip = _signs(work, parts)
        parts = work.map(operator.mul, parts, flip)
        work.wait(parts, "embeddings")
        U = RowPartitions(tuple(parts), M.edges, (n, f))
        return DistributedSVD(U, np.abs(d), np.where(d < 0, -1.0, 1.0), residuals)


def cover(E, client, *, f=None, cos_theta=0.9, rho=0.5):
    """Choose peaks by decreasing norm until they have captured a share rho of the rows.

    The definition, and the result, are those of :func:`spikylib.spikes.cover`. The client goes
    through the rows by norm; each block of peaks is sent to the partitions, which answer with
    the rows that it captures.

    Parameters
    ----------
    E : RowPartitions, shape (n, d), any real dtype
        Embeddings, one row per item; finite.
    client : distributed.Client
    f : int, optional
        Use the first f columns, 1 to d. Default: all.
    cos_theta : float, default 0.9
        Collinearity threshold, in (-1, 1).
    rho : float, default 0.5
        Share of the n rows to capture, in (0, 1].

    Returns
    -------
    spikylib.spikes.SpikeCover
        The client holds 25 n bytes, a task 40 MB beside its partition.

    Raises
    ------
    ValueError
        As for :func:`spikylib.spikes.cover`.

    Warns
    -----
    RuntimeWarning
        If rows of zero norm leave fewer than rho n rows to capture.

    References
    ----------
    Afchar, Hennequin, Guigue (2023), "Of Spiky SVDs and Music Recommendation", section 2.3.

    Examples
    --------
    >>> import numpy as np
    >>> from distributed import Client
    >>> E = np.array([[3., 0.], [2., 0.], [0., 2.5], [1., 0.1], [0., 1.]])
    >>> with Client(processes=False, n_workers=2, dashboard_address=":0") as client:
    ...     cover(partition_rows(E, client), client, rho=1).spike
    array([0, 0, 1, 0, 1])
    """
    n, d = E.shape
    if f is not None and not 1 <= f <= d:
        raise ValueError(f"f must be between 1 and the {d} columns of E, got {f}")
    if not -1 < cos_theta < 1:
        raise ValueError(f"cos_theta must be between -1 and 1, both excluded, got {cos_theta}")
    if not 0 < rho <= 1:
        raise ValueError(f"rho must be above 0 and at most 1, got {rho}")
    with _Work(client) as work:
        rows, norm = _measured(work, E, f)
        order = np.argsort(-norm, kind="stable")
        order = order[: np.count_nonzero(norm > _ZERO * norm.max())]
        target = math.ceil(rho * n - 1e-9)
        if len(order) < target:
            warnings.warn(
                f"only {len(order)} of {n} rows have a norm above zero: rho={rho} cannot be reached, "
                "so Spk counts the peaks that capture those",
                RuntimeWarning,
                stacklevel=2,
            )
        return _cover(work, E, rows, norm, order, target, float(cos_theta))


class _Work:
    """The tasks of one call: they are withdrawn if it ends by an error or Ctrl-C."""

    def __init__(self, client):
        if not isinstance(client, Client):
            raise TypeError(f"client must be a distributed.Client, got {type(client).__name__}")
        workers = list(client.run(_room, on_error="ignore").values())  # one may be dying
        if not workers:
            raise ValueError("the cluster has no worker; start one, and see Client.wait_for_workers")
        self.client = client
        self.futures = weakref.WeakSet()
        self.threads = sum(threads for threads, _ in workers)
        self.room = min(room for _, room in workers)
        self.memory = min(room // threads for threads, room in workers) // _SHARE

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind:
            for future in list(self.futures):
                future.release()

    def submit(self, function, *arguments):
        future = self.client.submit(function, *arguments, pure=False)
        self.futures.add(future)
        return future

    def map(self, function, *columns):
        """One task for each row of the columns; what is no list or tuple is the same in all."""
        rows = max(len(column) for column in columns if isinstance(column, (list, tuple)))
        columns = [c if isinstance(c, (list, tuple)) else [c] * rows for c in columns]
        futures = self.client.map(function, *columns, pure=False)
        self.futures.update(futures)
        return futures

    def wait(self, futures, title):
        for future in tqdm(as_completed(futures), title, len(futures), disable=None, delay=3):
            if future.status != "finished":
                future.result()

    def gather(self, futures):
        return self.client.gather(list(futures))

    def fold(self, function, futures):
        """Combine the results two by two, so that no task holds more than two."""
        while len(futures) > 1:
            pairs = [self.submit(function, a, b) for a, b in zip(futures[::2], futures[1::2])]
            futures = pairs + futures[2 * len(pairs) :]
        return futures[0]


def _room(dask_worker):
    """Threads of a worker, and the bytes that it may still use: a quarter of its limit or more."""
    limit = dask_worker.memory_manager.memory_limit
    room = max(limit - dask_worker.monitor.get_process_memory(), limit // 4) if limit else _UNLIMITED
    return dask_worker.state.nthreads, room


def _sent(work, A, a, b):
    """Rows a to b of A on a worker, sent in messages of moderate size."""
    if sp.issparse(A):
        edges = ppmi._blocks(np.diff(A.indptr[a : b + 1]), _SENT)
    else:
        step = max(1, _SENT // A.shape[1])
        edges = [(i, min(i + step, b - a)) for i in range(0, b - a, step)]
    pieces = [A[a + i : a + j] for i, j in edges]
    return work.submit(_stack, [work.submit(_same, p if sp.issparse(p) else np.array(p)) for p in pieces])


@sizeof.register(sp.csr_array)
def _bytes(A):
    """Bytes of A, which Dask needs to place and to spill it, and does not know by itself."""
    return A.data.nbytes + A.indices.nbytes + A.indptr.nbytes


def _same(value):
    return value


def _stack(parts):
    if len(parts) == 1:
        return parts[0]
    return sp.vstack(parts, format="csr") if sp.issparse(parts[0]) else np.vstack(parts)


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
            raise ValueError("the files hold no interaction")
    else:
        X = ppmi._binary(X)
        (n_items, n_contexts), entries = X.shape, X.nnz
        if 8 * entries > work.room // 4:
            raise ValueError(
                f"X takes {8 * entries / 1e6:.0f} MB, more than a quarter of the {work.room / 1e6:.0f} MB that a "
                "worker has free; save it in files by context and pass their paths"
            )
        T = sp.csr_array(X.T)
        edges = ppmi._blocks(np.diff(T.indptr), _SENT)
        sources = [work.submit(_same, T[a:b]) for a, b in edges]
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
        table = pd.read_parquet(source, columns=["item", "context"])
        if len(table) and (table["item"].dtype.kind not in "iu" or table["item"].min() < 0):
            raise ValueError(f"the column item of {source} must hold integers from 0")
        row, names = pd.factorize(table["context"])
        shape = (len(names), n_items or int(table["item"].max()) + 1 if len(table) else 0)
        T = sp.csr_array((np.ones(len(table), dtype=np.int32), (row, table["item"])), shape=shape)
    else:
        raise ValueError(f"{source} is neither .npz nor .parquet")
    if n_items == 0 or 0 in T.shape:
        return sp.csr_array(T.shape, dtype=np.int32)
    return ppmi._binary(T) if T.nnz else sp.csr_array(T, dtype=np.int32)


def _count_items(source, n_items):
    return np.bincount(_contexts(source, n_items).indices, minlength=n_items).astype(np.int32)


def _whole(sources, count, min_count):
    """All interactions, without the items that too few contexts hold to share min_count."""
    return _stack([_operand(source, count, min_count) for source in sources])


def _operand(source, count, min_count):
    T = _contexts(source, len(count))
    keep = count[T.indices] >= min_count
    return ppmi._subset(T, ppmi._rows(T.indptr, 0, T.shape[0]), keep)


def _pairs(source, count, min_count):
    """For each item, the items met in its contexts, with repetition."""
    T = _operand(source, count, min_count)
    return T.T @ np.diff(T.indptr).astype(np.int64)


def _count(sources, count, a, b, n_contexts, min_count, top_k):
    """Rows a to b of the counts, filtered by row; and whom each of these items lists.

    An item lists all others above its `least` count, and of those with just that count the ones
    up to its `last` index.
    """
    sums = []  # of 1, 2, 4 ... files, so that a count is added up few times
    for source in sources:
        T = _operand(source, count, min_count)
        C, files = sp.csr_array(T[:, a:b].T) @ T, 1
        while sums and sums[-1][1] == files:
            other, _ = sums.pop()
            C, files = other + C, 2 * files
        sums.append((C, files))
    C = sums.pop()[0]
    while sums:
        C = sums.pop()[0] + C
    rows = ppmi._rows(C.indptr, 0, b - a)
    C = ppmi._subset(C, rows, (C.data >= min_count) & (C.indices != rows + a))
    least, last = np.zeros(b - a, dtype=np.int32), np.full(b - a, len(count), dtype=np.int32)
    for i in np.flatnonzero(np.diff(C.indptr) > top_k):
        here = slice(C.indptr[i], C.indptr[i + 1])
        least[i], last[i] = ppmi._limits(C.data[here], C.indices[here], top_k)
    rows = ppmi._rows(C.indptr, 0, b - a)
    keep = ppmi._lists(least, last, rows, C.indices, C.data)
    keep &= float(n_contexts) * C.data > count[rows + a].astype(float) * count[C.indices]
    C = ppmi._subset(C, rows, keep)
    C.sort_indices()
    return C, (least, last)


def _joined(limits):
    return tuple(np.concatenate(column) for column in zip(*limits))


def _mutual(block, a, limits):
    """The counts of rows a and on where each item is listed by the other."""
    C, (least, last) = block[0], limits
    rows = ppmi._rows(C.indptr, 0, C.shape[0])
    return ppmi._subset(C, rows, ppmi._lists(least, last, C.indices, rows + a, C.data))


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
        rows = ppmi._rows(C.indptr, 0, C.shape[0]) + (start + first)
        value = np.log(float(n_contexts) * C.data / (count[rows].astype(float) * count[C.indices]))
        indptr = np.append(C.indptr[:-1][np.diff(C.indptr) > 0], C.indptr[-1])
        parts.append(sp.csr_array((value, number[C.indices], indptr), shape=(len(indptr) - 1, n_kept)))
        start += height
    return _stack(parts)


# SVD. basis[p] lists the column blocks of partition p.


def _block_lanczos(M, work, f, tol, seed):
    """The iteration of svd._block_lanczos; returns eigenvalues, and vectors by column blocks."""
    b = _BLOCK
    size = -(-(2 * f + 2 * b) // b) * b
    heights = np.diff(M.edges).tolist()
    first, _ = _qr(work, work.map(_random_qr, heights, seed, list(range(len(heights)))))
    basis = [[block] for block in first]
    H = np.zeros((size, size))
    start = 0
    with tqdm(desc="SVD", unit=" products", disable=None, delay=3) as bar:
        for _ in range(_MAX_RESTARTS):
            for j in range(start, size, b):
                # M times a block lies in the span of it, its two neighbours and, right after a
                # restart, of all before: take that out first, and then what rounding left
                near = basis if j == start else [own[-2:] for own in basis]
                newest = [[own[-1] for own in basis]] * len(basis)
                made = work.map(_multiply, M.parts, newest, uuid.uuid4().hex, near)
                block, overlap, R = _orthonormal(work, made, near, basis)
                if j == 0:
                    _check_symmetric(overlap)
                basis = [[*own, new] for own, new in zip(basis, block)]
                H[: j + b, j : j + b] = overlap
                H[j : j + b, : j + b] = overlap.T
                bar.update()
            d, Y = np.linalg.eigh((H + H.T) / 2)
            order = svd._by_magnitude(d)
            d, Y = d[order], Y[:, order]
            bounds = np.linalg.norm(R @ Y[-b:, :f], axis=0)
            bar.set_postfix_str(f"residual {bounds.max() / abs(d[0]):.0e}")
            if (bounds <= tol * abs(d[0])).all():
                break
            start = (f + (size - f) // 2) // b * b
            ritz = work.map(_combine, [own[:-1] for own in basis], Y[:, :start])
            basis = [[vectors, own[-1]] for vectors, own in zip(ritz, basis)]
            H[:] = 0
            np.fill_diagonal(H[:start, :start], d[:start])
    columns = [Y[:, k : min(k + b, f)] for k in range(0, f, b)]
    return d[:f], [work.map(_combine, [own[:-1] for own in basis], block) for block in columns]


def _orthonormal(work, made, near, basis, again=True):
    """Orthonormal columns beside the basis, and the coordinates of the given ones in both.

    `made` holds, by partition, a block of columns and its products with the near part of the basis.
    """
    first = _total(work, made)
    made = work.map(_subtract, made, near, first, basis)
    overlap = _total(work, made)
    block, R = _qr(work, work.map(_subtract_qr, made, basis, overlap))
    overlap[-len(first) :] += first
    diagonal = np.abs(np.diag(R))
    if again and diagonal.min() <= 1e-8 * diagonal.max():  # rank was lost: rounding is not orthogonal
        made = work.map(_with_products, block, basis)
        block, _, other = _orthonormal(work, made, basis, basis, again=False)
        R = other @ R
    return block, overlap, R


def _qr(work, factors):
    """Q by partition and R, from the QR of each partition."""
    small = work.gather(work.map(operator.itemgetter(1), factors))
    Q, R = np.linalg.qr(np.vstack(small))
    ends = np.cumsum([len(r) for r in small])
    return work.map(_times, factors, [Q[end - len(r) : end] for r, end in zip(small, ends)]), R


def _total(work, made):
    return sum(work.gather(work.map(operator.itemgetter(1), made)))


def _check_symmetric(overlap):
    if not np.isfinite(overlap).all():
        raise ValueError("M holds NaN or infinity")
    largest = np.abs(overlap).max()
    if largest == 0:
        raise ValueError("M is zero everywhere: it has no direction to embed")
    if np.abs(overlap - overlap.T).max() > 1e-9 * largest:
        raise ValueError("M is not symmetric; use ppmi_matrix")


def _random_qr(rows, seed, p):
    return np.linalg.qr(np.random.default_rng([seed, p]).standard_normal((rows, _BLOCK)))


def _multiply(part, newest, name, near):
    with _lock:  # threads of a worker that are at the same step share the columns
        columns = _columns.get(name)
        if columns is None:
            columns = _columns[name] = np.vstack(newest)
    return _with_products(part @ columns, near)


def _with_products(W, own):
    return W, np.vstack([block.T @ W for block in own])


def _subtract(pair, near, coordinates, own):
    return _with_products(pair[0] - _combine(near, coordinates), own)


def _subtract_qr(pair, own, coordinates):
    return np.linalg.qr(pair[0] - _combine(own, coordinates))


def _times(pair, small):
    return pair[0] @ small


def _combine(blocks, Y):
    """The product of a basis in column blocks with a small matrix."""
    ends = np.cumsum([block.shape[1] for block in blocks])
    out = np.zeros((len(blocks[0]), Y.shape[1]))
    for block, end in zip(blocks, ends):
        out += block @ Y[end - block.shape[1] : end]
    return out


def _residuals(M, work, blocks, d):
    squares = []
    for k, columns in enumerate(blocks):
        own = d[_BLOCK * k : _BLOCK * (k + 1)]
        parts = work.map(_square, M.parts, [columns] * len(M.parts), list(range(len(M.parts))), own)
        squares.append(sum(work.gather(parts)))
    return np.sqrt(np.concatenate(squares))


def _square(part, columns, p, d):
    return np.sum((part @ np.vstack(columns) - columns[p] * d) ** 2, axis=0)


def _signs(work, parts):
    """Sign that makes the first entry of largest magnitude (to rounding) of each column positive."""
    largest = np.max(work.gather(work.map(_largest_entry, parts)), axis=0)
    found = work.gather(work.map(_first_sign, parts, largest * (1 - 1e-8)))
    sign = np.zeros(len(largest))
    for here in found:
        sign = np.where(sign == 0, here, sign)
    return sign


def _largest_entry(U):
    return np.abs(U).max(axis=0)


def _first_sign(U, least):
    """Sign of the first entry of each column that is as large, 0 where none is."""
    large = np.abs(U) >= least
    first = large.argmax(axis=0)
    columns = np.arange(U.shape[1])
    return np.where(large[first, columns], np.where(U[first, columns] < 0, -1.0, 1.0), 0.0)


# Spk


def _cover(work, E, rows, norm, order, target, cos_theta):
    """The loop of spikes.cover, with rows and their norms in partitions."""
    spike = np.full(len(norm), -1, dtype=np.int64)
    free = norm > _ZERO * norm.max()
    peaks, captured, total, start = [], [], 0, 0
    with tqdm(total=target, desc="Spk", unit=" rows", disable=None, delay=3) as bar:
        while total < target and start < len(order):
            start, candidates = _next_free(order, free, start)
            if len(candidates) == 0:
                break
            vectors = _vectors(work, E, rows, candidates)
            capture = _captures(vectors, norm[candidates], vectors, norm[candidates], cos_theta)
            chosen, taken = [], np.zeros(len(candidates), dtype=bool)
            for j in range(len(candidates)):
                if not taken[j]:
                    chosen.append(j)
                    taken |= capture[:, j]
            new = candidates[chosen]
            block = work.submit(_same, (vectors[chosen], norm[new], cos_theta))
            asked = [p for p, (a, b) in enumerate(pairwise(E.edges)) if free[a:b].any()]
            bits = [np.packbits(free[E.edges[p] : E.edges[p + 1]]) for p in asked]
            answers = work.map(_captured, [rows[p] for p in asked], bits, block)
            first = len(peaks)
            for p, (where, which) in zip(asked, work.gather(answers)):
                spike[E.edges[p] + where] = first + which
            spike[new] = first + np.arange(len(new))
            sizes = np.bincount(spike[spike >= first] - first, minlength=len(new))
            running = total + np.cumsum(sizes)
            needed = min(int(np.searchsorted(running, target)) + 1, len(running))
            spike[spike >= first + needed] = -1
            free &= spike < 0
            peaks.extend(new[:needed])
            captured.extend(running[:needed])
            bar.update(int(running[needed - 1]) - total)
            total = int(running[needed - 1])
    return spikes.SpikeCover(np.array(peaks, dtype=np.int64), spike, np.array(captured, dtype=np.int64))


def _next_free(order, free, start):
    """The next candidates in order that no peak has captured, and where to go on from."""
    found, count = [], 0
    while start < len(order) and count < _PEAK_BLOCK:
        ahead = order[start : start + _PEAK_BLOCK]
        here = np.flatnonzero(free[ahead])[: _PEAK_BLOCK - count]
        found.append(ahead[here])
        count += len(here)
        start += int(here[-1]) + 1 if count == _PEAK_BLOCK else len(ahead)
    return start, np.concatenate(found)


def _measured(work, E, f):
    """Partitions of (rows, scale, norms) with the first f columns, and all norms at the client.

    The scale is 1 unless squares could leave the range of floats.
    """
    rows = E.parts if f is None else work.map(_first_columns, E.parts, f)
    scale = 1.0
    scaled = work.map(_with_norms, rows, scale)
    norm = np.concatenate(work.gather(work.map(operator.itemgetter(2), scaled)))
    if not 1e-10 < norm.max() < 1e10:  # true for NaN as well
        largest = max(work.gather(work.map(_largest, rows, E.edges[:-1].tolist())))
        if largest == 0:
            raise ValueError("every row of E is zero: there is no direction to measure")
        scale = 2.0 ** -min(max(math.frexp(largest)[1], -1022), 1022)
        scaled = work.map(_with_norms, rows, scale)
        norm = np.concatenate(work.gather(work.map(operator.itemgetter(2), scaled)))
    return scaled, norm


def _first_columns(rows, f):
    return rows[:, :f]


def _with_norms(rows, scale):
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "fiub":
        raise ValueError(f"E must hold real numbers in numpy arrays, got {type(rows).__name__}")
    norm = np.empty(len(rows))
    with np.errstate(over="ignore"):
        for a in range(0, len(rows), _ROW_BLOCK):
            block = _scaled(rows[a : a + _ROW_BLOCK], scale)
            norm[a : a + _ROW_BLOCK] = np.sqrt(np.einsum("ij,ij->i", block, block))
    return rows, scale, norm


def _scaled(rows, scale):
    block = rows.astype(np.float64, copy=False)
    return block if scale == 1 else block * scale


def _largest(rows, offset):
    largest = 0.0
    for a in range(0, len(rows), _ROW_BLOCK):
        block = np.abs(rows[a : a + _ROW_BLOCK].astype(np.float64))
        if not np.isfinite(block).all():
            i, j = np.argwhere(~np.isfinite(block))[0]
            raise ValueError(
                f"E holds {rows[a + i, j]} at row {offset + a + i}, column {j}; remove or fill such rows first"
            )
        largest = max(largest, float(block.max()))
    return largest


def _vectors(work, E, rows, wanted):
    """Rows of E at the client, in the order wanted, float64."""
    place = np.searchsorted(E.edges, wanted, side="right") - 1
    asked = np.unique(place)
    inside = [wanted[place == p] - E.edges[p] for p in asked]
    found = work.gather(work.map(_take, [rows[p] for p in asked], inside))
    out = np.empty((len(wanted), found[0].shape[1]))
    for p, vectors in zip(asked, found):
        out[place == p] = vectors
    return out


def _take(triple, where):
    rows, scale, _ = triple
    return _scaled(rows[where], scale)


def _captured(triple, bits, block):
    """Rows still free that a peak of the block captures, and the first such peak of each."""
    rows, scale, norm = triple
    free = np.flatnonzero(np.unpackbits(bits, count=len(rows)))
    where, which = [], []
    for a in range(0, len(free), _ROW_BLOCK):
        here = free[a : a + _ROW_BLOCK]
        capture = _captures(_scaled(rows[here], scale), norm[here], *block)
        hit = np.flatnonzero(capture.any(axis=1))
        where.append(here[hit])
        which.append(capture[hit].argmax(axis=1))
    return np.concatenate(where), np.concatenate(which)


def _captures(rows, norm, peaks, peak_norm, cos_theta):
    """Whether each peak captures each row: in single precision, and again in double where unclear."""
    # error of a product of a row with a unit row, as a share of the row's norm, with room to spare
    band = (rows.shape[1] + 16) * 2.0**-23
    product = rows.astype(np.float32) @ (peaks / peak_norm[:, None]).astype(np.float32).T
    lowest, highest = (((cos_theta + error) * norm[:, None]).astype(np.float32) for error in (-band, band))
    capture = product > lowest
    unclear = np.flatnonzero(capture & (product < highest))
    for a in range(0, len(unclear), _ROW_BLOCK):
        i, j = np.divmod(unclear[a : a + _ROW_BLOCK], len(peaks))
        cosine = np.einsum("ij,ij->i", rows[i], peaks[j]) / (norm[i] * peak_norm[j])
        capture[i, j] = cosine > cos_theta
    return capture
