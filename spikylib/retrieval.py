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

Functions. :func:`top_k` retrieves; :func:`temper_norms` is the compromise between its two similarities;
:func:`hide_one`, :func:`recall`, :func:`evaluate` and :func:`paired_interval` measure the quality of lists;
:func:`knee` chooses a truncation rank from Spk.
"""

import math

import numpy as np
import scipy.sparse as sp

from spikylib._arrays import checked_rows, gini, has_direction, n_threads, row_norms, take_rows, threaded_map
from spikylib._checks import check_choice, check_range, row_numbers
from spikylib._device import beside, namespace, on_gpu, to_host, within_memory
from spikylib.spikes import SpikeCover

_QUERY_BLOCK = 512  # queries served by one pass over the candidates
_CANDIDATE_BLOCK = 2048  # candidates scored by one matrix product, where they are many
_FEW = 64  # candidates per result up to which double precision alone is faster
_PRODUCT = 2**19  # scores of one product in double precision: they fit a core's cache
_TABLE = 2**23  # numbers up to which the scaled candidates are kept for all queries
_ENTRIES = 2**21  # candidates held for a block of queries
_GPU_BLOCK = 2**18  # candidates scored by one product of a GPU, at most
_SCORED = 24  # bytes of its memory that a score takes, with its place and its copies
_PLACE = 22  # bits for a place among those held: with the 42 bits of a score, they fill 64
_WIDE = 64  # maxima of groups, at least: a loop over fewer costs more than their sorting
_CHANCE = 8  # peaks up to which a rise may be chance
_MOST = 2 ** (_PLACE - 2)  # results of a query: among those held are at most three times as many


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
        Embeddings, one row per item; finite. May be a memory map, or a CuPy array: the result is that of
        the same rows in memory.
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

        Besides these 16 q k bytes, works in 28 bytes per candidate and at most about 150 MB for
        every thread (40 MB at k = 500), whatever q and n are.

    Raises
    ------
    ValueError
        If E or the query vectors are not two-dimensional, real and finite or differ in their number of
        columns; if E is zero; if a row is out of range, or candidates repeat; if `k` is not between 1 and
        the number of candidates left to every query; if `similarity` is unknown; if `exclude_self` is
        given with query vectors.

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
    queries = np.asarray(to_host(queries))
    given_rows = queries.ndim != 2
    check_choice("similarity", similarity, "cosine", "dot")
    rows = np.arange(len(E)) if candidates is None else np.sort(row_numbers("candidates", candidates, len(E)))
    if len(repeated := rows[1:][rows[1:] == rows[:-1]]):
        raise ValueError(f"candidates repeat row {repeated[0]}; give each row once")
    if given_rows:
        queries = row_numbers("queries", queries, len(E))
    elif checked_rows("queries", queries).shape[1] != E.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} columns, E has {E.shape[1]}")
    elif exclude_self:
        raise ValueError("exclude_self needs queries that are rows of E, got vectors")
    most = len(rows) - int(exclude_self and np.isin(queries, rows).any())
    check_range("k", k, 1, min(most, _MOST), "candidates of a query")
    indices = np.empty((len(queries), k), dtype=np.int64)
    scores = np.empty((len(queries), k))
    with threaded_map(not on_gpu(E)) as map_blocks:
        norm, scale = row_norms("E", E, map_blocks)
        if given_rows:
            length, own_scale, directed = norm[queries], scale, has_direction(norm)[queries]
        else:
            together = np.vstack([queries, to_host(E[norm.argmax()])])
            length, own_scale = row_norms("queries", together, map_blocks)
            length, directed = length[:-1], has_direction(length)[:-1]
        cosine = similarity == "cosine"
        length[~directed if cosine else length == 0] = np.inf
        # powers of two, hence exponents: dot products go back to the scale of the input exactly
        shift = 0 if cosine else 2 - math.frexp(scale)[1] - math.frexp(own_scale)[1]

        def serve(table, part):
            vectors = to_host(take_rows(*((E, queries[part]) if given_rows else (queries, part)), own_scale))
            found, ticks, exponent = _Search(table, vectors, length[part]).run()
            if table.k > k:
                spare = found == queries[part, None]
                spare[~spare.any(axis=1), -1] = True
                found, ticks = found[~spare].reshape(-1, k), ticks[~spare].reshape(-1, k)
            indices[part] = found
            with np.errstate(over="ignore"):
                scores[part] = np.ldexp(ticks, exponent[:, None] + shift)

        def stage(memory):
            # a query that must not be in its own list costs it one result
            table = _Candidates(E, rows, norm, scale, similarity, min(k + exclude_self, len(rows)), memory)
            # as many blocks for every thread, all of about one size
            threads = 1 if on_gpu(E) else n_threads()
            shares = threads * math.ceil(len(queries) / threads / table.queries_at_once)
            step = math.ceil(len(queries) / max(1, shares)) or 1
            parts = [slice(a, a + step) for a in range(0, len(queries), step)]
            list(map_blocks(serve, [table] * len(parts), parts))

        within_memory(E, stage, "a comparison of the queries with candidates")
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
    """Hide one item of each context, and pick another of its items as the query.

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
        For each context tested, in order, the query and the hidden item.

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
    check_range("min_size", min_size, 2)  # one item to hide and one to ask with
    columns = sp.csc_array(X, copy=True)
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
    columns.data[at + first] = 0
    columns.eliminate_zeros()
    return sp.csr_array(columns), queries.astype(np.int64), hidden.astype(np.int64)


def recall(lists: np.ndarray, queries: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Return whether the list of each test's query contains the hidden item.

    Parameters
    ----------
    lists : array of int, shape (n, k)
        The k items recommended for each of n items.
    queries, hidden : array of int, shape (n_tests,)
        Tests, as from :func:`hide_one`: the list of ``queries[t]`` should contain ``hidden[t]``.

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
    lists: np.ndarray, queries: np.ndarray, hidden: np.ndarray, *, popularity: np.ndarray, cover: SpikeCover
) -> dict[str, float]:
    """Measure one list of similar items per item: accuracy, discovery, and use of the spikes.

    Parameters
    ----------
    lists : array of int, shape (n, k)
        The k items recommended for each of the n items, best first, itself excluded.
    queries, hidden : array of int, shape (n_tested,)
        Tests: the list of ``queries[t]`` should contain ``hidden[t]``.
    popularity : array, shape (n,)
        Popularity of each item, in any unit.
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
        got = f"got shapes {lists.shape} and {np.shape(popularity)}"
        raise ValueError(f"lists and popularity must have a row for each of the cover's {n} items, {got}")
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


def paired_interval(values: np.ndarray, others: np.ndarray, *, seed: int = 0) -> tuple[float, float, float]:
    """Bootstrap the mean difference of two measurements of the same tests.

    Tests are drawn with replacement, both measurements of a test together, so that what makes
    a test easy or hard for both does not widen the interval.

    Parameters
    ----------
    values, others : array, shape (n_tests,)
        Measurements of each test by two methods.
    seed : int, default 0
        Seed of the generator.

    Returns
    -------
    difference, low, high : float
        Mean of ``values - others``, and the 2.5th and 97.5th percentiles of the mean over 1,000 resamples.
        Works in 32 MB, or in 16 bytes a test.

    Raises
    ------
    ValueError
        If the two differ in shape, or there is no test.

    References
    ----------
    Efron, Tibshirani (1993), "An Introduction to the Bootstrap", section 13.3.

    Examples
    --------
    >>> paired_interval([1, 1, 0, 1], [0, 0, 0, 0])
    (0.75, 0.25, 1.0)
    """
    difference = np.subtract(*_equally_long(values=values, others=others), dtype=np.float64)
    n = len(difference)
    rng = np.random.default_rng(seed)
    step = max(1, 2**21 // n)  # resamples drawn at once: 16 MB of row numbers
    sizes = (min(step, 1000 - a) for a in range(0, 1000, step))
    means = [difference[rng.integers(n, size=(size, n))].mean(axis=1) for size in sizes]
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return float(difference.mean()), float(low), float(high)


def knee(f: np.ndarray, peaks: np.ndarray) -> tuple[int, float]:
    """Return the truncation rank at the foot of the steepest rise of Spk.

    The rule: of neighbouring ranks, take the pair with the steepest slope of log peaks against log f; the
    knee is the lower rank of the pair (of the first, where slopes tie). Fewer than eight peaks count as
    eight, since a rise from 3 to 8 may be chance. The rule returns a knee on every curve, so check the
    slope as well: below 1, peaks grow more slowly than f, and there is no rise to speak of.

    Parameters
    ----------
    f : array of int, shape (r,)
        Truncation ranks, increasing, at least two; best in geometric steps.
    peaks : array of int, shape (r,)
        Peaks needed at each rank, at least 1: counts, not Spk.

    Returns
    -------
    f : int
        The knee.
    slope : float
        The slope of the rise that starts there.

    Raises
    ------
    ValueError
        If shapes do not match, ranks do not increase, or a value is not a count.

    References
    ----------
    A rule of our own, for section 3.3.3 of Afchar, Hennequin, Guigue (2023).

    Examples
    --------
    >>> at, slope = knee([16, 32, 64, 128], [12, 14, 16, 240])
    >>> at, round(slope, 2)
    (64, 3.91)
    """
    f, peaks = _equally_long(2, f=f, peaks=peaks)
    if f[0] <= 0 or (np.diff(f) <= 0).any():
        raise ValueError(f"f must be positive and increase, got {f.tolist()}")
    if peaks.dtype.kind not in "iu" or (peaks < 1).any():
        raise ValueError(f"peaks must be counts of at least 1, got {peaks.tolist()}")
    slope = np.diff(np.log(np.maximum(peaks, _CHANCE))) / np.diff(np.log(f))
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

    def __init__(self, E, rows, norm, scale, similarity, k, memory=None):
        self.E, self.rows, self.scale, self.k = E, rows, scale, k
        self.cosine, self.top = similarity == "cosine", norm.max()
        # a row without a direction is infinitely long to the cosine, which makes that 0
        length = np.where(has_direction(norm), norm, np.inf) if self.cosine else np.full(len(norm), self.top)
        self.length = length[rows]
        few = len(rows) <= _FEW * k and len(rows) * (E.shape[1] + 1) <= _TABLE
        self.dtype = np.float64 if few else np.float32
        block, entries = _CANDIDATE_BLOCK, _ENTRIES
        if memory is not None:  # a GPU is quick where much is compared at once
            block, entries = (
                min(max(1, memory // (_SCORED * _QUERY_BLOCK)), _GPU_BLOCK),
                _GPU_BLOCK * _QUERY_BLOCK,
            )
        self.block = len(rows) if few else block
        most = max(64, _PRODUCT // self.block) if few else _QUERY_BLOCK
        self.queries_at_once = max(1, min(most, entries // (2 * k + self.block)))
        self.rounding = (E.shape[1] + 16) * np.finfo(self.dtype).eps
        self.doubt = (self.rounding * norm[rows] / self.length + 2.0**-39).astype(self.dtype)
        self.whole = self.scaled(0) if len(rows) <= self.block else None  # kept for all queries

    def scaled(self, start):
        """Scaled rows of the block of candidates from `start`, shape (block, d + 1)."""
        part = slice(start, start + self.block)
        # a slice makes no copy, and all rows are in order
        rows = part if len(self.rows) == len(self.E) else self.rows[part]
        factor = beside(self.E, 1 / self.length[part, None], self.dtype)
        scaled = namespace(self.E).empty((len(factor), self.E.shape[1] + 1), dtype=self.dtype)
        np.multiply(take_rows(self.E, rows, self.scale, self.dtype), factor, out=scaled[:, :-1])
        scaled[:, -1] = beside(self.E, self.doubt[part])
        return scaled


class _Search:
    """A block of queries, and the candidates that may still be among the top k of each.

    The latter come in chunks: how many for each query, their positions by query and then row, and
    their upper bounds.
    """

    def __init__(self, table, vectors, length):
        self.table, self.vectors, self.length, self.k = table, vectors, length, table.k
        size = np.where(table.cosine | np.isinf(length), 1.0, length * table.top)
        self.exponent = np.frexp(size)[1] - 40  # of a tick, in which scores are counted
        self.ticks_in_one = np.ldexp(size, -self.exponent)
        self.floor = np.full(len(vectors), np.finfo(table.dtype).min)
        self.chunks = []

    def run(self):
        """Rows and scores of the top k of each query, and the exponent of the ticks of its scores."""
        table, n = self.table, len(self.table.rows)
        x = np.ones((len(self.vectors), self.vectors.shape[1] + 1), dtype=table.dtype)
        np.divide(self.vectors, self.length[:, None], out=x[:, :-1], casting="same_kind")
        x = beside(table.E, x)
        for start in range(0, n, table.block):
            upper = x @ (table.scaled(start) if table.whole is None else table.whole).T
            if start == 0 and upper.shape[1] > self.k:
                # the k-th highest of group maxima is about as high as that of all, and found sooner
                rounds = max(1, upper.shape[1] // max(4 * self.k, _WIDE))
                width = upper.shape[1] // rounds
                groups = upper[:, : rounds * width].reshape(len(upper), rounds, width)
                self._raise_floor(groups.max(axis=1), 2 * table.doubt[: table.block].max())
            self.chunks.append(self._survivors(upper, start))
            if start and sum(counts for counts, *_ in self.chunks).max() > 2 * self.k:
                self._prune()
        if len(self.chunks) > 1:
            self._prune()
        at, upper = self._rectangle()
        columns, ticks = self._best(np.arange(len(x)), at, upper)
        return table.rows[np.take_along_axis(at, columns, axis=1)], ticks, self.exponent

    def _raise_floor(self, bounds, doubt=0):
        kth = int(bounds.shape[1] - self.k)  # CuPy takes no integer of NumPy
        self.floor = np.maximum(self.floor, to_host(np.partition(bounds, kth, axis=1)[:, kth]) - doubt)

    def _survivors(self, upper, start=0, at=None):
        """The chunk of those whose bound reaches the floor of their query."""
        width = upper.shape[1]
        flat = np.flatnonzero(upper >= beside(upper, self.floor)[:, None])  # faster than pairs of indices
        bounds, flat = to_host(upper.ravel()[flat]), to_host(flat)
        edges = np.arange(len(upper) + 1) * width
        counts = np.diff(np.searchsorted(flat, edges))
        found = flat + np.repeat(start - edges[:-1], counts) if at is None else at.ravel()[flat]
        return counts, found, bounds

    def _rectangle(self):
        """Positions and upper bounds of the chunks, one line per query, filled up with -inf."""
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
        score = np.maximum(score, -(2.0**41))  # below all, where there is no candidate
        ticks = np.rint(score)
        # the product decides only where its rounding cannot lead to another tick
        near = np.abs(score - ticks) >= 0.5 - table.rounding * 2.0**40
        unsure = np.flatnonzero(near & (upper > -np.inf))
        for some in np.split(unsure, range(1024, len(unsure), 1024)):
            ticks.ravel()[some] = self._exact(queries[some // at.shape[1]], at.ravel()[some])
        # score and place in one integer, for numpy sorts these many times faster than pairs
        backwards = np.arange(at.shape[1])[::-1]  # of equal scores, the lower row is the higher key
        key = (ticks.astype(np.int64) << _PLACE) + backwards
        key.sort(axis=1)
        key = key[:, ::-1][:, : self.k]
        return backwards[key & (2**_PLACE - 1)], key >> _PLACE

    def _exact(self, queries, at):
        """Scores in ticks, from double-precision sums of one candidate and one query at a time."""
        rows = to_host(take_rows(self.table.E, self.table.rows[at], self.table.scale))
        score = np.vecdot(rows, self.vectors[queries])
        if self.table.cosine:
            score /= self.length[queries] * self.table.length[at]
        return np.rint(np.ldexp(score, -self.exponent[queries]))


def _hits(lists, queries, hidden):
    """Whether each place of the list of a test's query holds the hidden item, shape (n_tests, k)."""
    queries, hidden = _equally_long(queries=queries, hidden=hidden)
    return np.asarray(lists)[queries] == hidden[:, None]


def _equally_long(fewest=1, **lists):
    arrays = [np.asarray(values) for values in lists.values()]
    shapes = [array.shape for array in arrays]
    if shapes[0] != shapes[1] or arrays[0].ndim != 1 or arrays[0].size < fewest:
        raise ValueError(f"{' and '.join(lists)} must be lists of one length, {fewest} or more, got {shapes}")
    return arrays


def _share(mask):
    return float(mask.mean()) if mask.size else math.nan
