"""Retrieve the most similar items of an embedding, exactly.

Concept. The items most similar to a query are those of highest *cosine*, or of highest *dot
product*, which is the cosine times the norm of the item (the norm of the query changes nothing
in its own list). Any compromise, cosine times norm^gamma, is the dot product with rows rescaled
to norm^gamma.

Conventions. ``E`` has one row per item; what is returned are rows of ``E``. The order is
total: by score, and where two scores agree to :math:`2^{-40}` of the largest score possible
for the query, by row, the lower first. So rounding never decides, and items on one exact spike
are ties for the cosine. A row of zero norm (below 1e-150, whose square may vanish) has cosine 0 with
everything.

Functions. :func:`top_k` retrieves; :func:`temper_norms` is the compromise between its two
similarities; :func:`limit_per_spike` and :func:`own_spike_first` rank again with spikes in mind;
:func:`hide_one`, :func:`evaluate`, :func:`k_occurrence` and :func:`paired_interval` tell what lists are
worth; :func:`knee` chooses a truncation rank from Spk.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

_QUERY_BLOCK = 1024  # queries served by one pass over the candidates
_CANDIDATE_BLOCK = 4096  # candidates scored by one matrix product
_ENTRIES = 2**22  # survivors held for a block of queries
_DIGITS = 2.0**40  # scores that agree to one part in this are tied
_SMALLEST = 1e-150  # norms below this count as zero: their products leave the range of floats


def top_k(E, queries, k, *, similarity="cosine", candidates=None, exclude_self=False):
    """Return the k candidates most similar to each query, best first.

    The result is that of sorting all candidates by their score in double precision. Scores are
    first bounded from both sides by single-precision matrix products; only those that the
    bounds leave in doubt are computed in double precision.

    Parameters
    ----------
    E : array, shape (n, d), any real dtype
        Embeddings, one row per item; finite. May be a memory map.
    queries : array of int, shape (q,), or array of float, shape (q, d)
        Rows of E, or vectors of their own (means of items, say).
    k : int
        Results per query, 1 to the number of candidates.
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
        Their similarity, to a precision of 2^-40 of the norms' product (1 for the cosine).

        Beside these 16 q k bytes, works in 20 bytes per candidate and at most about 480 MB
        (280 MB at k = 500), whatever q and n are.

    Raises
    ------
    ValueError
        If E or the query vectors are not two-dimensional, real and finite or differ in their
        number of columns; if a row is out of range, or candidates repeat; if `k` is not
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
    E = _matrix("E", E)
    if similarity not in ("cosine", "dot"):
        raise ValueError(f'similarity must be "cosine" or "dot", got {similarity!r}')
    rows = np.arange(len(E)) if candidates is None else np.sort(_rows("candidates", candidates, len(E)))
    if len(rows) and (rows[1:] == rows[:-1]).any():
        raise ValueError(f"candidates repeat row {rows[1:][rows[1:] == rows[:-1]][0]}; give each row once")
    queries = np.asarray(queries)
    given_rows = queries.ndim != 2
    if given_rows:
        queries = _rows("queries", queries, len(E))
    else:
        queries = _matrix("queries", queries)
        if queries.shape[1] != E.shape[1]:
            raise ValueError(f"queries have {queries.shape[1]} columns, E has {E.shape[1]}")
        vanished = (_norms("queries", queries) == 0) & np.any(queries, axis=1)
        if vanished.any():
            raise ValueError(f"query {vanished.argmax()} has a norm below {_SMALLEST}; rescale it")
        if exclude_self:
            raise ValueError("exclude_self needs queries that are rows of E, got vectors")
    available = len(rows) - int(exclude_self and np.isin(queries, rows).any())
    if not 1 <= k <= available:
        raise ValueError(f"k must be between 1 and the {available} candidates of a query, got {k}")
    table = _Candidates(E, rows, similarity)
    indices = np.empty((len(queries), k), dtype=np.int64)
    scores = np.empty((len(queries), k))
    workers = os.cpu_count() or 1
    step = max(1, min(_QUERY_BLOCK, _ENTRIES // k, -(-len(queries) // workers)))

    def serve(a):
        block = queries[a : a + step]
        vectors = np.asarray(E[block] if given_rows else block, dtype=np.float64)
        banned = table.positions(block) if exclude_self else None
        indices[a : a + step], scores[a : a + step] = _search(table, vectors, k, banned)

    # blocks of queries are independent, and numpy releases the lock where the time goes; the
    # threads of the matrix product would only fight with these
    with threadpool_limits(1), ThreadPoolExecutor(workers) as pool:
        list(pool.map(serve, range(0, len(queries), step)))
    return indices, scores


def temper_norms(E, gamma):
    """Rescale each row to its norm to the power gamma, so that the dot product interpolates.

    For the dot product of a query with the result is its cosine times the item's norm^gamma: the
    ranking of the cosine at 0, of the dot product at 1.

    Parameters
    ----------
    E : array, shape (n, d), float
        Embeddings. Rows of zero norm stay zero.
    gamma : float
        Exponent.

    Returns
    -------
    numpy.ndarray, shape (n, d), float64

    Examples
    --------
    >>> import numpy as np
    >>> temper_norms(np.array([[3., 4.], [0., 9.]]), 0.5).round(3)
    array([[1.342, 1.789],
           [0.   , 3.   ]])
    """
    E = _matrix("E", E).astype(np.float64)
    norm = _norms("E", E)
    factor = np.zeros_like(norm)
    np.power(norm, gamma - 1.0, out=factor, where=norm > 0)
    return E * factor[:, None]


def limit_per_spike(lists, spike, k, *, per_spike=1):
    """Let each spike have at most so many places, first come first served.

    Parameters
    ----------
    lists : array of int, shape (q, depth)
        Items by decreasing score, more than are needed.
    spike : array of int, shape (n,)
        Spike of each item, -1 for none; an item on no spike is never held back.
    k : int
        Items to keep, 1 to depth.
    per_spike : int, default 1
        Places for each spike, at least 1.

    Returns
    -------
    numpy.ndarray, shape (q, k), int64
        The items within the limit, in their order; where they are fewer than k, those held back
        follow in theirs.

    Raises
    ------
    ValueError
        If `k` or `per_spike` is out of range.

    Examples
    --------
    >>> limit_per_spike([[0, 1, 2, 3, 4]], [7, 7, 7, 8, -1], 4)
    array([[0, 3, 4, 1]])
    """
    lists, spike = _checked_lists(lists, k), np.asarray(spike)
    if per_spike < 1:
        raise ValueError(f"per_spike must be at least 1, got {per_spike}")
    of = spike[lists]
    together = np.argsort(of, axis=1, kind="stable")
    grouped = np.take_along_axis(of, together, axis=1)
    at = np.broadcast_to(np.arange(lists.shape[1]), of.shape)
    starts = np.where(grouped != np.roll(grouped, 1, axis=1), at, 0)
    place = np.empty(of.shape, dtype=np.int64)  # among the items of its spike in the list
    np.put_along_axis(place, together, at - np.maximum.accumulate(starts, axis=1), axis=1)
    return _first(lists, (place >= per_spike) & (of >= 0), k)


def own_spike_first(lists, queries, spike, k):
    """Move the items on the query's own spike to the front, both parts in their order.

    Parameters
    ----------
    lists : array of int, shape (q, depth)
        Items by decreasing score, more than are needed.
    queries : array of int, shape (q,)
        The item that each list is for; one on no spike keeps its list.
    spike : array of int, shape (n,)
        Spike of each item, -1 for none.
    k : int
        Items to keep, 1 to depth.

    Returns
    -------
    numpy.ndarray, shape (q, k), int64

    Raises
    ------
    ValueError
        If shapes do not match or `k` is out of range.

    Examples
    --------
    >>> own_spike_first([[0, 1, 2], [0, 1, 2]], [3, 4], [7, 8, 7, 7, -1], 3)
    array([[0, 2, 1],
           [0, 1, 2]])
    """
    lists, spike = _checked_lists(lists, k), np.asarray(spike)
    queries = np.asarray(queries)
    if queries.shape != (len(lists),):
        raise ValueError(f"there are {len(lists)} lists for queries of shape {queries.shape}")
    own = spike[queries][:, None]
    return _first(lists, (spike[lists] != own) | (own < 0), k)


def hide_one(X, *, min_size=3, seed=0):
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


def recall(lists, queries, hidden):
    """Find for each test whether the list of its query holds the hidden row."""
    return (np.asarray(lists)[queries] == np.asarray(hidden)[:, None]).any(axis=1)


def evaluate(lists, queries, hidden, *, popularity, cover):
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
    lists, queries, hidden = np.asarray(lists), np.asarray(queries), np.asarray(hidden)
    n = len(cover.spike)
    if lists.ndim != 2 or len(lists) != n or np.shape(popularity) != (n,):
        raise ValueError(
            f"the cover has {n} items: lists must have as many rows, got shape {lists.shape}, "
            f"and popularity as many values, got shape {np.shape(popularity)}"
        )
    if queries.shape != hidden.shape or queries.ndim != 1 or len(queries) == 0:
        raise ValueError(
            f"queries and hidden must be equally long lists of tests, got {queries.shape} and {hidden.shape}"
        )
    rank = np.arange(1, lists.shape[1] + 1)
    hit = lists[queries] == hidden[:, None]
    exposure = np.sort(np.bincount(lists.ravel(), minlength=n))
    on, peak = cover.spike >= 0, np.zeros(n, dtype=bool)
    peak[cover.peaks] = True
    asked = np.flatnonzero(on & ~peak)
    listed, own = cover.spike[lists[on]], cover.spike[on][:, None]
    return {
        "recall": float(hit.any(axis=1).mean()),
        "ndcg": float((hit / np.log2(1 + rank)).sum(axis=1).mean()),
        "coverage": float((exposure > 0).mean()),
        "gini": float((2 * np.arange(1, n + 1) - n - 1) @ exposure / (n * exposure.sum())),
        "popularity": float(np.asarray(popularity)[lists].mean()),
        "opens_with_peak": _share(lists[asked, 0] == cover.peaks[cover.spike[asked]]),
        "crosses": _share((listed != own)[listed >= 0]),
    }


def k_occurrence(lists, n_items):
    """Count the lists that each item is in, N_k of Radovanovic et al.

    Its mean is k where all items have a list; its skewness (``scipy.stats.skew``) measures
    hubness: 0 where all items are listed alike, large where a few hubs fill the lists.

    Parameters
    ----------
    lists : array of int, shape (q, k)
        Items listed, as from :func:`top_k`; distinct within a list.
    n_items : int
        Items that there are.

    Returns
    -------
    numpy.ndarray, shape (n_items,), int64

    Raises
    ------
    ValueError
        If a list holds an item that is not in 0 to n_items - 1.

    References
    ----------
    Radovanovic, Nanopoulos, Ivanovic (2010), "Hubs in Space: Popular Nearest Neighbors in
    High-Dimensional Data", JMLR 11:2487.

    Examples
    --------
    >>> k_occurrence([[1, 2], [0, 2], [0, 1], [2, 1]], 4)
    array([2, 3, 3, 0])
    """
    lists = np.asarray(lists)
    if lists.size and not 0 <= lists.min() <= lists.max() < n_items:
        raise ValueError(f"lists hold items {lists.min()} to {lists.max()}, beyond 0 to {n_items - 1}")
    return np.bincount(lists.ravel(), minlength=n_items)


def paired_interval(values, others, *, level=0.95, n_resamples=1000, seed=0):
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
    step = max(1, 2**21 // n)
    means = [
        difference[rng.integers(n, size=(min(step, n_resamples - a), n))].mean(axis=1)
        for a in range(0, n_resamples, step)
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return float(difference.mean()), float(low), float(high)


def knee(f, peaks):
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
    at = int(np.argmax(np.round(slope, 12)))
    return int(f[at]), float(slope[at])


class _Candidates:
    """Candidate rows, with what bounds and what computes their scores."""

    def __init__(self, E, rows, similarity):
        self.E, self.rows, self.cosine = E, rows, similarity == "cosine"
        norm = np.concatenate([_norms("E", E[block]) for block in self._blocks(len(rows))])
        if not norm.any() and any(np.any(E[block]) for block in self._blocks(len(rows))):
            raise ValueError(
                f"E holds only rows of norm below {_SMALLEST}, whose squares vanish; rescale them"
            )
        self.norm = norm
        self.top = max(float(norm.max()), np.finfo(float).tiny)
        # error of a dot product of two single-precision rows, relative to their norms, with room
        # to spare; the constant covers underflow and the rounding of scores
        self.band = (E.shape[1] + 16) * 2.0**-23
        self.slack = np.where(norm > 0, 1.0, 0.0) if self.cosine else norm / self.top
        self.slack = (self.slack + 1e-6).astype(np.float32)

    def _blocks(self, n):
        return (self.rows[a : a + _CANDIDATE_BLOCK] for a in range(0, n, _CANDIDATE_BLOCK))

    def positions(self, rows):
        """Position of each row among the candidates, -1 where it is none."""
        at = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.where(self.rows[at] == rows, at, -1)

    def upper_bounds(self, unit, start):
        """Upper bounds of the scores of one block of candidates, shape (queries, block)."""
        block = slice(start, start + _CANDIDATE_BLOCK)
        scale = np.where(self.norm[block] > 0, self.norm[block], 1.0) if self.cosine else self.top
        vectors = np.empty((len(self.rows[block]), unit.shape[1]), dtype=np.float32)
        vectors[:, :-1] = self.E[self.rows[block]] / np.reshape(scale, (-1, 1))
        vectors[:, -1] = self.slack[block]
        return unit @ vectors.T

    def ticks(self, vector, norm, at):
        """Scores of one query in whole multiples of one tick, and the tick."""
        size = 1.0 if self.cosine else norm * self.top
        tick = 2.0 ** (math.frexp(size)[1] - 40) if size > 0 else 1.0
        scores = np.concatenate(
            [
                np.einsum("ij,j->i", np.asarray(self.E[self.rows[part]], dtype=np.float64), vector)
                for part in (at[a : a + _CANDIDATE_BLOCK] for a in range(0, len(at), _CANDIDATE_BLOCK))
            ]
        )
        if self.cosine:
            length = self.norm[at] * norm
            scores = np.divide(scores, length, out=np.zeros(len(at)), where=length > 0)
        return np.rint(scores / tick), tick

    def best(self, vector, norm, at, k):
        """The first k of the candidates `at` (ascending) in order, and their scores."""
        ticks, tick = self.ticks(vector, norm, at)
        order = np.argsort(-ticks, kind="stable")[:k]
        return at[order], ticks[order] * tick


def _search(table, vectors, k, banned):
    """Top k of a block of queries; `banned` holds a candidate position per query, or -1."""
    norm = _norms("queries", vectors)
    unit = np.zeros((len(vectors), vectors.shape[1] + 1), dtype=np.float32)
    unit[:, :-1] = vectors / np.where(norm > 0, norm, 1.0)[:, None]
    unit[:, -1] = table.band
    held = _Held(table, vectors, norm, k)
    for start in range(0, len(table.rows), _CANDIDATE_BLOCK):
        upper = table.upper_bounds(unit, start)
        if banned is not None:
            here = np.flatnonzero((banned >= start) & (banned < start + upper.shape[1]))
            upper[here, banned[here] - start] = -np.inf
        held.add(upper, start)
    return held.results()


class _Held:
    """Candidates that may still be among the top k of each query of a block."""

    def __init__(self, table, vectors, norm, k):
        self.table, self.vectors, self.norm, self.k = table, vectors, norm, k
        self.floor = np.full(len(vectors), -np.inf, dtype=np.float32)
        self.query = np.empty(0, dtype=np.uint16)
        self.at = np.empty(0, dtype=np.int32)
        self.upper = np.empty(0, dtype=np.float32)

    def add(self, upper, start):
        """Take the entries of a block of upper bounds that reach their query's floor."""
        # flat positions: numpy finds them several times faster than pairs
        flat = np.flatnonzero(upper >= self.floor[:, None])
        found = upper.ravel()[flat]
        flat, found = flat[found > -np.inf], found[found > -np.inf]
        query, column = np.divmod(flat, upper.shape[1])
        self.query = np.concatenate([self.query, query.astype(np.uint16)])
        self.at = np.concatenate([self.at, (column + start).astype(np.int32)])
        self.upper = np.concatenate([self.upper, found])
        if len(self.at) > 2 * self.k * len(self.vectors):
            self._prune()

    def results(self):
        picked = [self._best(q, part) for q, part in enumerate(self._parts())]
        rows = [self.table.rows[at] for at, _ in picked]
        return np.stack(rows), np.stack([scores for _, scores in picked])

    def _parts(self):
        """Entries of each query, its candidates ascending."""
        order = np.argsort(self.query, kind="stable")
        return np.split(order, np.searchsorted(self.query[order], np.arange(1, len(self.vectors))))

    def _best(self, query, part):
        return self.table.best(self.vectors[query], self.norm[query], self.at[part], self.k)

    def _prune(self):
        """Raise each query's floor to the k-th lower bound, and drop what is under it."""
        lower = self.upper - np.float32(2 * self.table.band) * self.table.slack[self.at]
        kept = []
        for query, part in enumerate(self._parts()):
            if len(part) > self.k:
                kth = len(part) - self.k
                self.floor[query] = max(self.floor[query], np.partition(lower[part], kth)[kth])
                part = part[self.upper[part] >= self.floor[query]]
            if len(part) > 2 * self.k:
                # bounds too close to tell them apart, as on an exact spike: settle it now
                best, _ = self._best(query, part)
                part = part[np.isin(self.at[part], best)]
            kept.append(part)
        kept = np.concatenate(kept)
        self.query, self.at, self.upper = self.query[kept], self.at[kept], self.upper[kept]


def _checked_lists(lists, k):
    lists = np.asarray(lists)
    if lists.ndim != 2 or not 1 <= k <= lists.shape[1]:
        raise ValueError(f"k must be between 1 and the length of the lists, shape {lists.shape}, got {k}")
    return lists.astype(np.int64)


def _first(lists, later, k):
    """The first k of each list once the items marked `later` are moved to its end."""
    order = np.argsort(later, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(lists, order, axis=1)


def _share(mask):
    return float(mask.mean()) if mask.size else math.nan


def _matrix(name, array):
    array = np.asanyarray(array)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"{name} must be a non-empty array of shape (rows, columns), got shape {array.shape}"
        )
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return array


def _rows(name, rows, n):
    rows = np.asarray(rows)
    if rows.ndim != 1 or (rows.dtype.kind not in "iu" and len(rows)):
        raise ValueError(
            f"{name} must be a list of row numbers, got dtype {rows.dtype} and shape {rows.shape}"
        )
    bad = rows[(rows < 0) | (rows >= n)]
    if len(bad):
        raise ValueError(f"{name} holds row {bad[0]}, but E has rows 0 to {n - 1}")
    return rows.astype(np.int64)


def _norms(name, block):
    block = np.asarray(block, dtype=np.float64)
    with np.errstate(over="ignore"):
        norm = np.linalg.norm(block, axis=1)
    if not np.isfinite(norm).all():
        raise ValueError(
            f"{name} holds NaN, infinity or values whose square overflows; remove or rescale them"
        )
    return np.where(norm < _SMALLEST, 0.0, norm)
