"""What :mod:`spikylib.cluster` needs of Dask: tasks, and the basis and the rows that live on workers."""

import operator
import weakref
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from dask.sizeof import sizeof
from distributed import Client, as_completed
from tqdm import tqdm

from spikylib import _lanczos
from spikylib._arrays import at_safe_scale, checked_rows, largest_entry, scaled_norms
from spikylib._counts import row_blocks
from spikylib._greedy import LocalRows

_SENT = 1 << 19  # entries sent to the cluster in one message: 6 MB
_SHARE = 4  # a task works in one part in so many of its thread's memory
_UNLIMITED = 8 << 30  # bytes counted on where workers have no limit
_BLOCK = 8  # columns multiplied at a time


class Work:
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
        """One task for each row of the columns; anything but a list or tuple is the same in all."""
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


def send(work, A, edges):
    """Blocks of A on the workers, cut at the edges and sent in messages of moderate size."""
    sizes = np.diff(A.indptr) if sp.issparse(A) else np.full(len(A), A.shape[1])
    parts = []
    for a, b in pairwise(edges):
        pieces = [A[a + i : a + j] for i, j in row_blocks(sizes[a:b], _SENT)]
        pieces = [work.submit(same, p if sp.issparse(p) else np.array(p)) for p in pieces]
        parts.append(work.submit(stack, pieces))
    return parts


@sizeof.register(sp.csr_array)
def _bytes(A):
    """Bytes of A, which Dask needs to place and to spill it, and does not know by itself."""
    return A.data.nbytes + A.indices.nbytes + A.indptr.nbytes


def same(value):
    return value


def stack(parts):
    if len(parts) == 1:
        return parts[0]
    return sp.vstack(parts, format="csr") if sp.issparse(parts[0]) else np.vstack(parts)


class Basis:
    """The basis of spikylib._lanczos on the workers: by partition, a list of blocks of columns.

    The newest block is a future of an array, or of a pair (array, products with the basis): what
    can be done in one task a partition is, as a round trip costs more than the arithmetic.
    """

    def __init__(self, work, M, seed):
        self.work, self.M, self.seed, self.draws, self.block = work, M, seed, 0, _BLOCK
        self.heights = np.diff(M.edges).tolist()
        self.columns, self.blocks, self.newest = 0, [[] for _ in M.parts], [None] * len(M.parts)

    def multiply(self, near):
        last = [own[-1] for own in self.blocks]
        self.newest = self.work.map(_multiply, self.M.parts, [last] * len(last), self._last(near))
        products = sum(self._found())
        if self.columns == self.block:  # the first: Q' M Q for random Q
            _check_symmetric(products)
        return products

    def project_out(self, coordinates):
        near = self._last(len(coordinates))
        self.newest = self.work.map(_project_out, self.newest, near, coordinates, self.blocks)
        products, factors = zip(*self._found())
        return sum(products), np.linalg.qr(np.vstack(factors), mode="r")

    def divide(self, coordinates, inverse):
        self.newest = self.work.map(_divide, self.newest, self.blocks, coordinates, inverse)

    def randomise(self, lost):
        seeds = [[self.seed, p, self.draws] for p in range(len(self.heights))]
        self.newest = self.work.map(_randomised, self.newest, self.heights, lost, seeds)
        self.draws += 1

    def append(self):
        self.blocks = [[*own, new] for own, new in zip(self.blocks, self.newest)]
        self.columns += self.block

    def rotate(self, Y, keep_last):
        ritz = self.work.map(_combine, [own[:-1] for own in self.blocks], Y)
        self.blocks = [[new, own[-1]] if keep_last else [new] for new, own in zip(ritz, self.blocks)]
        self.columns = Y.shape[1] + self.block * keep_last

    def residuals(self, vectors, d):
        """Norms of M u - lambda u for the vectors, given by partition, and their eigenvalues."""
        squares, places = [], list(range(len(vectors)))
        for k in range(0, len(d), self.block):
            columns = slice(k, min(k + self.block, len(d)))
            taken = self.work.map(operator.getitem, vectors, [(slice(None), columns)] * len(vectors))
            parts = self.work.map(_square, self.M.parts, [taken] * len(taken), places, d[columns])
            squares.append(sum(self.work.gather(parts)))
        return np.sqrt(np.concatenate(squares))

    def _last(self, columns):
        """By partition, the last blocks, which have so many columns: all, two or none."""
        if columns == self.columns:
            return self.blocks
        return [own[len(own) - columns // self.block :] for own in self.blocks]

    def _found(self):
        """What comes along with the newest block, by partition."""
        return self.work.gather(self.work.map(operator.itemgetter(1), self.newest))


def _check_symmetric(products):
    if not np.isfinite(products).all():
        raise ValueError("M contains NaN or infinity")
    largest = np.abs(products).max()
    if largest == 0:
        raise ValueError("M is zero everywhere: it has no direction to embed")
    if np.abs(products - products.T).max() > 1e-9 * largest:
        raise ValueError("M is not symmetric; use ppmi_matrix")


def _multiply(part, newest, near):
    W = part @ np.vstack(newest)
    return W, _products(near, W)


def _array(block):
    return block[0] if isinstance(block, tuple) else block


def _products(own, W):
    return np.vstack([np.empty((0, W.shape[1])), *(block.T @ W for block in own)])


def _project_out(block, near, coordinates, own):
    W = _rest(block, near, coordinates)
    factors = np.vstack([np.linalg.qr(W[chunk], mode="r") for chunk in _lanczos.chunks(len(W))])
    return W, (_products(own, W), np.linalg.qr(factors, mode="r"))


def _divide(block, own, coordinates, inverse):
    return _rest(block, own, coordinates) @ inverse


def _rest(block, own, coordinates):
    return _array(block) - _combine(own, coordinates) if own else _array(block)


def _randomised(block, height, lost, seed):
    W = np.empty((height, len(lost))) if block is None else _array(block).copy()
    W[:, lost] = np.random.default_rng(seed).standard_normal((height, np.count_nonzero(lost)))
    return W


def _combine(blocks, Y):
    """The product of a basis in column blocks with a small matrix."""
    factors = np.split(Y, np.cumsum([block.shape[1] for block in blocks])[:-1])
    rows = _lanczos.chunks(len(blocks[0]))
    return np.vstack([sum(block[chunk] @ y for block, y in zip(blocks, factors)) for chunk in rows])


def _square(part, columns, p, d):
    return np.sum((part @ np.vstack(columns) - columns[p] * d) ** 2, axis=0)


class Rows:
    """The rows of spikylib._greedy on the workers: by partition, LocalRows."""

    def __init__(self, work, E):
        self.work, self.edges = work, E.edges
        starts = E.edges[:-1].tolist()
        self.norm, _ = at_safe_scale(
            "E",
            lambda scale: np.concatenate(work.gather(self._measured(E.parts, scale))),
            lambda: max(work.gather(work.map(largest_entry, "E", E.parts, starts))),
        )

    def _measured(self, parts, scale):
        self.parts = self.work.map(_rows, parts, scale)
        return self.work.map(operator.attrgetter("norm"), self.parts)

    def take(self, rows):
        place = np.searchsorted(self.edges, rows, side="right") - 1
        held = np.unique(place)
        inside = [rows[place == p] - self.edges[p] for p in held]
        found = self.work.gather(self.work.map(LocalRows.take, [self.parts[p] for p in held], inside))
        return np.concatenate(found)[np.argsort(np.argsort(place, kind="stable"), kind="stable")]

    def captured_by(self, peaks, free):
        block = self.work.submit(same, peaks)
        held = [p for p, (a, b) in enumerate(pairwise(self.edges)) if free[a:b].any()]
        bits = [np.packbits(free[self.edges[p] : self.edges[p + 1]]) for p in held]
        found = self.work.gather(self.work.map(_captured_by, [self.parts[p] for p in held], block, bits))
        rows, position = zip(*found)
        return np.concatenate([self.edges[p] + r for p, r in zip(held, rows)]), np.concatenate(position)


def _rows(rows, scale):
    return LocalRows(checked_rows("E", rows), scaled_norms(rows, scale), scale)


def _captured_by(rows, peaks, bits):
    return rows.captured_by(peaks, np.unpackbits(bits, count=len(rows.norm)).astype(bool))
