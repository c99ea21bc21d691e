"""Retrieve the most similar items of an embedding, exactly.

Concept. The items most similar to a query are those of highest *cosine*, or of highest *dot
product*, which is the cosine times the norm of the item (the norm of the query changes nothing
in its own list). Any compromise, cosine times norm^gamma, is the dot product with rows rescaled
to norm^gamma.

Conventions. ``E`` has one row per item; what is returned are rows of ``E``. The order is
total: by score, and where two scores agree to :math:`2^{-40}` of the largest score possible
for the query, by row, the lower first. So rounding never decides, and items on one exact spike
are ties for the cosine. A row whose norm is at most 1e-9 of the largest has no direction: its
cosine with everything is 0.

Functions. :func:`top_k` retrieves; :func:`temper_norms` is the compromise between its two
similarities; :func:`hide_one`, :func:`recall`, :func:`evaluate` and :func:`paired_interval` measure
what lists are worth; :func:`knee` chooses a truncation rank from Spk.
"""

import math

import numpy as np
import scipy.sparse as sp

from spikylib._arrays import checked_rows, gini, has_direction, n_threads, row_norms, take_rows, threaded_map
from spikylib.spikes import SpikeCover

_QUERY_BLOCK = 512  # queries served by one pass over the candidates
_CANDIDATE_BLOCK = 2048  # candidates scored by one matrix product, where they are many
_FEW = 64  # candidates per result up to which double precision alone is faster
_PRODUCT = 2**18  # scores of one product in double precision: they fit a core's cache
_TABLE = 2**23  # numbers up to which the scaled candidates are kept for all queries
_ENTRIES = 2**22  # candidates held for a block of queries
_PLACE = 22  # bits for a place among those held: beside a score of 42 bits, it fits 64


def top_k(
    E: np.ndarray,
    queries: np.ndarray,
    k: int,
    *,
    similarity: str = "cosine",
    candidates: np.ndarray | None = None,
    exclude_self: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k candidates most similar to each query, best first.

    The result is that of sorting all candidates by their score in double precision. Scores are
    first bounded from both sides by matrix products, in single precision where the candidates are
    many; only those that the bounds leave in doubt are computed one by one. So neither the
    number of threads nor the size of the request changes a result.

    Parameters
    ----------
    E : array, shape (n, d), any real dtype
        Embeddings, one row per item; finite. May be a memory map.
    queries : array of int, shape (q,), or array of float, shape (q, d)
        Rows of E, or vectors of their own (means of items, say). Such a vector has no direction
        where its norm is at most 1e-9 of the largest norm among the vectors and the rows of E.
    k : int
        Results per query, 1 to the number of candidates, and at most 1,048,576.
    similarity : {"cosine", "dot"}, default "cosine"
        What to rank by.
    candidates : array of int, shape (c,), optional
        Distinct rows of E to choose from. Default: all.
    exclude_self : bool, default False
        Leave each query out of its own result. Queries must then be rows of E.

    Returns
    -------
    indices : numpy.ndarray, shape (q, k), int64
        Rows of E by decreasing score; ties go to the lower row.
    scores : numpy.ndarray, shape (q, k), float64
        Their similarity, to a precision of 2^-40 of the norms' product (1 for the cosine). A
        dot product beyond the range of floats is infinite or 0; the order is right all the same.

        Beside these 16 q k bytes, works in MEMORY.

    Raises
    ------
    ValueError
        If E or the query vectors are not two-dimensional, real and finite or differ in their
        number of columns; if E is zero; if a row is out of range, or candidates repeat; if `k` is not
        between 1 and the number of candidates left to every query; if `similarity` is unknown;
        if `exclude_self` is asked of vectors.

    References
    ----------
    Afchar, Hennequin, Guigue (2023), "Of Spiky SVDs and Music Recommendation", section 3.3.2.

    Examples
    --------
    >>> import numpy as np
    >>> E = np.array([[1., 0.], [3., 3.], [0.5, 0.1], [0., 2.]])
    >>> indices, scores = top_k(E, [0], 2, exclude_self=True)
    >>> indices, scores.round(3)
    (array([[2, 1]]), array([[0.981, 0.707]]))
    >>> top_k(E, [0], 2, similarity="dot", exclude_self=True)
    (array([[1, 2]]), array([[3. , 0.5]]))
    """
    E = checked_rows("E", E)
    if similarity not in ("cosine", "dot"):
        raise ValueError(f'similarity must be "cosine" or "dot", got {similarity!r}')
    rows = (
        np.arange(len(E)) if candidates is None else np.sort(_row_numbers("candidates", candidates, len(E)))
    )
    repeated = rows[1:][rows[1:] == rows[:-1]]
    if len(repeated):
        raise ValueError(f"candidates repeat row {repeated[0]}; give each row once")
    queries = np.asarray(queries)
    given_rows = queries.ndim != 2
    if given_rows:
        queries = _row_numbers("queries", queries, len(E))
    elif checked_rows("queries", queries).shape[1] != E.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} columns, E has {E.shape[1]}")
    elif exclude_self:
        raise ValueError("exclude_self needs queries that are rows of E, got vectors")
    most = min(2 ** (_PLACE - 2), len(rows) - int(exclude_self and np.isin(queries, rows).any()))
    if not 1 <= k <= most:
        raise ValueError(f"k must be between 1 and the {most} candidates of a query, got {k}")
    indices = np.empty((len(queries), k), dtype=np.int64)
    scores = np.empty((len(queries), k))
    with threaded_map() as map_blocks:
        norm, scale = row_norms("E", E, map_blocks)
        table = _Candidates(E, rows, norm, scale, similarity, k)
        if given_rows:
            length, own_scale, directed = norm[queries], scale, has_direction(norm)[queries]
        else:
            length, own_scale = np.zeros(len(queries)), 1.0
            if queries.any():
                length, own_scale = row_norms("queries", queries, map_blocks)
            directed = has_direction(np.append(length * (scale / own_scale), norm.max()))[:-1]
        length[~directed if table.cosine else length == 0] = np.inf
        # powers of two, hence exponents: dot products go back to the scale of the input exactly
        shift = 0 if table.cosine else 2 - math.frexp(scale)[1] - math.frexp(own_scale)[1]

        def serve(part):
            vectors = take_rows(*((E, queries[part]) if given_rows else (queries, part)), own_scale)
            search = _Search(table, vectors, length[part], k)
            at, ticks = search.run(table.positions(queries[part]) if exclude_self else None)
            indices[part] = rows[at]
            with np.errstate(over="ignore"):
                scores[part] = np.ldexp(ticks, search.exponent[:, None] + shift)

        step = table.queries_at_once(k, len(queries))
        list(map_blocks(serve, (slice(a, a + step) for a in range(0, len(queries), step))))
    return indices, scores


def temper_norms(E: np.ndarray, gamma: float) -> np.ndarray:
    """Rescale each row to its norm to the power gamma, so that the dot product interpolates.

    For the dot product of a query with the result is its cosine times the item's norm^gamma: the
    ranking of the cosine at 0, of the dot product at 1.

    Parameters
    ----------
    E : array, shape (n, d), float
        Embeddings. Rows without a direction become zero.
    gamma : float
        Exponent.

    Returns
    -------
    numpy.ndarray, shape (n, d), float64

    Raises
    ------
    ValueError
        If E is zero, not two-dimensional, or not real and finite.

    Examples
    --------
    >>> import numpy as np
    >>> temper_norms(np.array([[3., 4.], [0., 9.]]), 0.5).round(3)
    array([[1.342, 1.789],
           [0.   , 3.   ]])
    """
    E = checked_rows("E", E)
    norm, scale = row_norms("E", E)
    directed = has_direction(norm)
    tempered = np.zeros(E.shape)
    factor = (norm[directed] / scale) ** gamma / norm[directed]
    tempered[directed] = take_rows(E, directed, scale) * factor[:, None]
    return tempered


def hide_one(
    X: sp.sparray | np.ndarray, *, min_size: int = 3, seed: int = 0
) -> tuple[sp.csr_array, np.ndarray, np.ndarray]:
    """Hide one item of each context, and pick another of its items to ask with.

    Parameters
    ----------
    X : sparse array, shape (n_items, n_contexts)
        Interactions, as in ``Interactions.matrix``.
    min_size : int, default 3
        Contexts of fewer items are left as they are, at least 2.
    seed : int, default 0
        Seed of the generator.

    Returns
    -------
    train : scipy.sparse.csr_array, shape (n_items, n_contexts)
        X without the hidden entries.
    queries, hidden : numpy.ndarray, shape (n_tested,), int64
        For each context tested, in order, the item to ask with and the item hidden.

    Raises
    ------
    ValueError
        If `min_size` is below 2, or no context is that large.

    Examples
    --------
    >>> import numpy as np
    >>> train, queries, hidden = hide_one(np.array([[1, 1], [1, 0], [1, 0]]))
    >>> len(hidden), int(train.sum()), int(train[hidden[0], 0])
    (1, 3, 0)
    """
    if min_size < 2:
        raise ValueError(f"min_size must be at least 2, one item to hide and one to ask with, got {min_size}")
    columns = sp.csc_array(X)
    columns.eliminate_zeros()
    size = np.diff(columns.indptr)
    tested = np.flatnonzero(size >= min_size)
    if len(tested) == 0:
        raise ValueError(f"no context has {min_size} items or more; the largest has {size.max(initial=0)}")
    rng = np.random.default_rng(seed)
    first = rng.integers(size[tested])
    second = (first + rng.integers(1, size[tested])) % size[tested]
    at = columns.indptr[tested].astype(np.int64)
    hidden, queries = columns.indices[at + first], columns.indices[at + second]
    kept = np.ones(columns.nnz, dtype=bool)
    kept[at + first] = False
    rows, context = columns.indices[kept], np.repeat(np.arange(len(size)), size)[kept]
    train = sp.csr_array((columns.data[kept], (rows, context)), shape=columns.shape)
    return train, queries.astype(np.int64), hidden.astype(np.int64)


def recall(lists: np.ndarray, queries: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Return whether the list of each test's query holds the hidden item.

    Parameters
    ----------
    lists : array of int, shape (n, k)
        The k items recommended for each of n items.
    queries, hidden : array of int, shape (n_tests,)
        Tests, as from :func:`hide_one`: the list of ``queries[t]`` should hold ``hidden[t]``.

    Returns
    -------
    numpy.ndarray, shape (n_tests,), bool
        Its mean is recall@k.

    Raises
    ------
    ValueError
        If shapes do not match, or there is no test.

    Examples
    --------
    >>> recall([[1, 2], [0, 2], [0, 1]], queries=[0, 2], hidden=[2, 2])
    array([ True, False])
    """
    return _hits(lists, queries, hidden).any(axis=1)


def evaluate(
    lists: np.ndarray,
    queries: np.ndarray,
    hidden: np.ndarray,
    *,
    popularity: np.ndarray,
    cover: SpikeCover,
) -> dict[str, float]:
    """Measure one list of similar items per item: accuracy, discovery, and use of the spikes.

    Parameters
    ----------
    lists : array of int, shape (n, k)
        The k items recommended for each of the n items, best first, itself excluded.
    queries, hidden : array of int, shape (n_tested,)
        Tests: the list of ``queries[t]`` should hold ``hidden[t]``.
    popularity : array, shape (n,)
        Of each item, in any unit.
    cover : SpikeCover of the same n items

    Returns
    -------
    dict of str to float
        ``recall``: share of the tests whose hidden item is in the list. ``ndcg``: mean over the
        tests of 1 / log2(1 + its rank), 0 where it is absent. ``coverage``: share of the n items
        that are in some list. ``gini``: inequality of how many lists each item is in, 0 (equal)
        to 1. ``popularity``: mean over all places of all lists. ``opens_with_peak``: of the lists
        of items on a spike, share whose first item is the spike's peak (the peak's own list left
        out). ``crosses``: of the places, in lists of items on a spike, that are given to items on
        spikes, share given to another spike. The last two are NaN where there is no such list.

    Raises
    ------
    ValueError
        If shapes do not match, or there is no test.

    References
    ----------
    Section 3.3.2 of Afchar, Hennequin, Guigue (2023); Ge, Delgado-Battenfeld, Jannach (2010),
    https://doi.org/10.1145/1864708.1864761 (coverage).

    Examples
    --------
    >>> import numpy as np
    >>> from spikylib.spikes import cover
    >>> E = np.array([[3., 0.], [2., 0.], [0., 2.], [0., 1.]])
    >>> lists, _ = top_k(E, np.arange(4), 1, similarity="dot", exclude_self=True)
    >>> found = evaluate(lists, [1, 3], [0, 0], popularity=[9, 4, 4, 1], cover=cover(E, rho=1))
    >>> found["recall"], found["opens_with_peak"], found["crosses"], found["popularity"]
    (0.5, 1.0, 0.0, 4.5)
    """
    lists, n = np.asarray(lists), len(cover.spike)
    if lists.ndim != 2 or len(lists) != n or np.shape(popularity) != (n,):
        raise ValueError(
            f"the cover has {n} items: lists must have as many rows, got shape {lists.shape}, "
            f"and popularity as many values, got shape {np.shape(popularity)}"
        )
    hit = _hits(lists, queries, hidden)
    exposure = np.bincount(lists.ravel(), minlength=n)
    on = cover.spike >= 0
    # the peak of a spike cannot open its own list, from which it is excluded
    asked = np.setdiff1d(np.flatnonzero(on), cover.peaks)
    listed, own = cover.spike[lists[on]], cover.spike[on][:, None]
    return {
        "recall": float(hit.any(axis=1).mean()),
        "ndcg": float((hit / np.log2(1 + np.arange(1, lists.shape[1] + 1))).sum(axis=1).mean()),
        "coverage": float((exposure > 0).mean()),
        "gini": gini(exposure),
        "popularity": float(np.asarray(popularity)[lists].mean()),
        "opens_with_peak": _share(lists[asked, 0] == cover.peaks[cover.spike[asked]]),
        "crosses": _share((listed != own)[listed >= 0]),
    }


def paired_interval(
    values: np.ndarray,
    others: np.ndarray,
    *,
    level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Bootstrap the mean difference of two measurements of the same tests.

    Tests are drawn with replacement, both measurements of a test together, so that what makes
    a test easy or hard for both does not widen the interval.

    Parameters
    ----------
    values, others : array, shape (n_tests,)
        Measurements of each test by two methods.
    level : float, default 0.95
        Coverage of the interval, between 0 and 1.
    n_resamples : int, default 1000
        Bootstrap resamples, at least 1.
    seed : int, default 0

    Returns
    -------
    difference, low, high : float
        Mean of ``values - others``, and percentiles of its resamples. Works in 32 MB, or in
        16 bytes a test.

    Raises
    ------
    ValueError
        If the two differ in shape, there is no test, or an option is out of range.

    References
    ----------
    Efron, Tibshirani (1993), "An Introduction to the Bootstrap", section 13.3.

    Examples
    --------
    >>> paired_interval([1, 1, 0, 1], [0, 0, 0, 0])
    (0.75, 0.25, 1.0)
    """
    values, others = np.asarray(values, dtype=np.float64), np.asarray(others, dtype=np.float64)
    if values.shape != others.shape or values.ndim != 1 or len(values) == 0:
        raise ValueError(
            f"values and others must be equally long lists of tests, got {values.shape} and {others.shape}"
        )
    if not 0 < level < 1 or n_resamples < 1:
        raise ValueError(
            f"level must be between 0 and 1 and n_resamples at least 1, got {level} and {n_resamples}"
        )
    difference = values - others
    n = len(difference)
    rng = np.random.default_rng(seed)
    step = max(1, 2**21 // n)  # resamples drawn at once: 16 MB of row numbers
    means = [
        difference[rng.integers(n, size=(min(step, n_resamples - a), n))].mean(axis=1)
        for a in range(0, n_resamples, step)
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return float(difference.mean()), float(low), float(high)


def knee(f: np.ndarray, peaks: np.ndarray) -> tuple[int, float]:
    """Return the truncation rank at the foot of the steepest rise of Spk.

    The rule: of neighbouring ranks, take the pair with the steepest slope of log Spk against log
    f; the knee is the lower rank of the pair (of the first, where slopes tie). It has no
    threshold, and the factor 1 / n of Spk plays no part. It finds a foot on every curve: look at
    the slope that it returns too. Below 1 (Spk grows slower than f) there is no rise to speak of.

    Parameters
    ----------
    f : array of int, shape (r,)
        Truncation ranks, increasing, at least two; best in geometric steps.
    peaks : array, shape (r,)
        Peaks needed at each rank (or Spk), above 0.

    Returns
    -------
    f : int
        The knee.
    slope : float
        The slope of the rise that starts there.

    Raises
    ------
    ValueError
        If shapes do not match, ranks do not increase, or a value is not above 0.

    References
    ----------
    A rule of our own, for section 3.3.3 of Afchar, Hennequin, Guigue (2023).

    Examples
    --------
    >>> at, slope = knee([16, 32, 64, 128], [12, 14, 16, 240])
    >>> at, round(slope, 2)
    (64, 3.91)
    """
    f, peaks = np.asarray(f), np.asarray(peaks, dtype=np.float64)
    if f.ndim != 1 or f.shape != peaks.shape or len(f) < 2:
        raise ValueError(
            f"f and peaks must be lists of equal length, 2 or more, got {f.shape}, {peaks.shape}"
        )
    if f[0] <= 0 or (np.diff(f) <= 0).any():
        raise ValueError(f"f must be positive and increase, got {f.tolist()}")
    if not (np.isfinite(peaks) & (peaks > 0)).all():
        raise ValueError(f"peaks must be above 0 and finite, got {peaks.tolist()}")
    slope = np.diff(np.log(peaks)) / np.diff(np.log(f))
    at = int(np.argmax(np.round(slope, 12)))  # slopes that differ by rounding alone tie
    return int(f[at]), float(slope[at])


class _Candidates:
    """Rows to choose from, scaled so that one matrix product bounds their scores from above.

    A score is measured in units of the largest possible one. Then x y, the product of the scaled
    query x and the scaled row y (|x| = 1, |y| <= 1), is it up to u = (d + 16) eps |y| + 2^-39.
    The first term is rounding: of x and y to `dtype` (at most 3 eps / 2), of a product of d + 1
    terms ((d + 1) eps / 2; Higham 2002, section 3.1), and of the sum in double precision that
    decides (again d eps / 2 at most). The second is half a tick twice over, which leaves room for
    underflow. A further column, 1 in x and u in y, makes the product the upper bound x y + u; the
    lower bound is 2 u less. Where k lower bounds lie above the upper bound of a row, k scores are
    at least a tick above that of the row, which is therefore not in the list.
    """

    def __init__(self, E, rows, norm, scale, similarity, k):
        self.E, self.rows, self.scale, self.cosine = E, rows, scale, similarity == "cosine"
        self.top = norm.max()
        # a row without a direction is infinitely long to the cosine, which makes that 0
        self.length = np.where(has_direction(norm), norm, np.inf)[rows] if self.cosine else self.top
        kept = len(rows) * (E.shape[1] + 1) <= _TABLE
        few = kept and len(rows) <= _FEW * k
        self.dtype = np.float64 if few else np.float32
        self.block = len(rows) if few else _CANDIDATE_BLOCK
        self.rounding = (E.shape[1] + 16) * np.finfo(self.dtype).eps
        self.doubt = (self.rounding * norm[rows] / self.length + 2.0**-39).astype(self.dtype)
        self.table = self._scaled(slice(None)) if kept else None

    def queries_at_once(self, k, n_queries):
        """Queries of one block: as many blocks for every thread, all of about one size."""
        most = min(_QUERY_BLOCK, _ENTRIES // (2 * k + self.block))
        if self.dtype == np.float64:
            most = min(most, max(32, _PRODUCT // self.block))
        threads = n_threads()
        rounds = -(-n_queries // (max(1, most) * threads))
        return -(-n_queries // max(1, rounds * threads)) or 1

    def positions(self, rows):
        """Position of each row among the candidates, -1 where it is none."""
        at = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.where(self.rows[at] == rows, at, -1)

    def scaled(self, start):
        """Scaled rows of the block of candidates from `start`, shape (block, d + 1)."""
        part = slice(start, start + self.block)
        return self._scaled(part) if self.table is None else self.table[part]

    def _scaled(self, part):
        doubt = self.doubt[part]
        # a slice is no copy, and all rows are in order
        rows = part if len(self.rows) == len(self.E) else self.rows[part]
        table = np.empty((len(doubt), self.E.shape[1] + 1), dtype=self.dtype)
        factor = np.broadcast_to(1 / self.length, self.rows.shape)[part].astype(self.dtype)
        np.multiply(take_rows(self.E, rows, self.scale, self.dtype), factor[:, None], out=table[:, :-1])
        table[:, -1] = doubt
        return table

    def dots(self, at, vectors):
        """Dot products, in double precision, of one candidate and one vector at a time."""
        return np.vecdot(take_rows(self.E, self.rows[at], self.scale), vectors)


class _Search:
    """A block of queries, and the candidates that may still be among the top k of each.

    The latter come in chunks: how many for each query, their positions by query and then row, and
    their upper bounds.
    """

    def __init__(self, table, vectors, length, k):
        self.table, self.vectors, self.length, self.k = table, vectors, length, k
        size = np.where(table.cosine | np.isinf(length), 1.0, length * table.top)
        self.exponent = np.frexp(size)[1] - 40  # of a tick, in which scores are counted
        self.ticks_in_one = np.ldexp(size, -self.exponent)
        self.floor = np.full(len(vectors), np.finfo(table.dtype).min)
        self.chunks = []

    def run(self, banned):
        """Positions and scores (in ticks) of the top k; `banned` holds one position a query, or -1."""
        table, k, n = self.table, self.k, len(self.table.rows)
        x = np.ones((len(self.vectors), self.vectors.shape[1] + 1), dtype=table.dtype)
        np.divide(self.vectors, self.length[:, None], out=x[:, :-1], casting="same_kind")
        space = np.empty(len(x) * min(n, table.block), dtype=table.dtype)
        for start in range(0, n, table.block):
            rows = table.scaled(start)
            upper = space[: len(x) * len(rows)].reshape(len(x), len(rows))
            np.matmul(x, rows.T, out=upper)
            if banned is not None:
                here = np.flatnonzero((banned >= start) & (banned < start + len(rows)))
                upper[here, banned[here] - start] = -np.inf
            if start == 0 and len(rows) > k:
                # the k-th highest of group maxima is as low a bound as that of all, and found sooner
                size = max(1, len(rows) // (4 * k))
                groups = upper[:, : len(rows) // size * size].reshape(len(x), size, -1)
                self._raise_floor(groups.max(axis=1) - 2 * table.doubt[: len(rows)].max())
            self.chunks.append(self._survivors(upper, start))
            if start and sum(counts for counts, *_ in self.chunks).max() > 2 * k:
                self._prune()
        if len(self.chunks) > 1:
            self._prune()
        at, upper = self._rectangle()
        columns, ticks = self._best(np.arange(len(x)), at, upper)
        return np.take_along_axis(at, columns, axis=1), ticks

    def _raise_floor(self, lower):
        kth = lower.shape[1] - self.k
        lower.partition(kth, axis=1)
        self.floor = np.maximum(self.floor, lower[:, kth])

    def _survivors(self, upper, start=0, at=None):
        """The chunk of those whose bound reaches the floor of their query."""
        width = upper.shape[1]
        flat = np.flatnonzero(upper >= self.floor[:, None])  # faster than pairs of indices
        edges = np.arange(len(upper) + 1) * width
        counts = np.diff(np.searchsorted(flat, edges))
        found = flat + np.repeat(start - edges[:-1], counts) if at is None else at.ravel()[flat]
        return counts, found, upper.ravel()[flat]

    def _rectangle(self):
        """Positions and upper bounds of the chunks, one line a query, filled up with -inf."""
        counts = sum(counts for counts, *_ in self.chunks)
        shape = len(counts), counts.max()
        at, upper = np.zeros(shape, dtype=np.int64), np.full(shape, -np.inf, dtype=self.table.dtype)
        ends = np.arange(shape[0]) * shape[1]
        for counts, found, bounds in self.chunks:
            place = np.arange(len(found)) + np.repeat(ends - np.cumsum(counts) + counts, counts)
            at.ravel()[place], upper.ravel()[place] = found, bounds
            ends = ends + counts
        return at, upper

    def _prune(self):
        """Raise the floors to the k-th lower bounds, and drop what is under them."""
        at, upper = self._rectangle()
        if upper.shape[1] > self.k:
            self._raise_floor(upper - 2 * self.table.doubt[at])
        # bounds too close to decide, as on an exact spike: settle it now
        many = np.flatnonzero((upper >= self.floor[:, None]).sum(axis=1) > 2 * self.k)
        if len(many):
            best = np.zeros((len(many), upper.shape[1]), dtype=bool)
            np.put_along_axis(best, self._best(many, at[many], upper[many])[0], True, axis=1)
            upper[many] = np.where(best, upper[many], -np.inf)
        self.chunks = [self._survivors(upper, at=at)]

    def _best(self, queries, at, upper):
        """Columns and scores (in ticks) of the top k of some queries, whose candidates are given."""
        table = self.table
        score = (upper.astype(np.float64) - table.doubt[at]) * self.ticks_in_one[queries, None]
        given = upper > -np.inf
        score[~given] = -(2.0**41)
        ticks = np.rint(score)
        # a product decides only where its rounding cannot lead to another tick
        line, column = np.nonzero(given & (np.abs(score - ticks) >= 0.5 - table.rounding * 2.0**40))
        for a in range(0, len(line), 1024):
            i, j = line[a : a + 1024], column[a : a + 1024]
            ticks[i, j] = self._exact(queries[i], at[i, j])
        # score and place in one integer, for numpy sorts these many times faster than pairs
        last = at.shape[1] - 1
        key = (ticks.astype(np.int64) << _PLACE) + (last - np.arange(at.shape[1]))
        key.sort(axis=1)
        key = key[:, ::-1][:, : self.k]
        return last - (key & (2**_PLACE - 1)), key >> _PLACE

    def _exact(self, queries, at):
        """Scores in ticks."""
        score = self.table.dots(at, self.vectors[queries])
        if self.table.cosine:
            score /= self.length[queries] * self.table.length[at]
        return np.rint(np.ldexp(score, -self.exponent[queries]))


def _hits(lists, queries, hidden):
    """Whether each place of the list of a test's query holds the hidden item, shape (n_tests, k)."""
    lists, queries, hidden = np.asarray(lists), np.asarray(queries), np.asarray(hidden)
    if queries.shape != hidden.shape or queries.ndim != 1 or len(queries) == 0:
        raise ValueError(
            f"queries and hidden must be equally long lists of tests, got {queries.shape} and {hidden.shape}"
        )
    return lists[queries] == hidden[:, None]


def _share(mask):
    return float(mask.mean()) if mask.size else math.nan


def _row_numbers(name, rows, n):
    rows = np.asarray(rows)
    if rows.ndim != 1 or (rows.dtype.kind not in "iu" and len(rows)):
        raise ValueError(
            f"{name} must be a list of row numbers, got dtype {rows.dtype} and shape {rows.shape}"
        )
    bad = rows[(rows < 0) | (rows >= n)]
    if len(bad):
        raise ValueError(f"{name} holds row {bad[0]}, but E has rows 0 to {n - 1}")
    return rows.astype(np.int64)
