"""What every reader returns, and how parallel arrays of (item, context) become it."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp


@dataclass(frozen=True)
class Interactions:
    """Which item was seen in which context.

    Attributes
    ----------
    matrix : scipy.sparse.csr_array, shape (n_items, n_contexts), int32
        1 where the context contains the item, however often.
    items : pandas.DataFrame, n_items rows
        ``id``, and ``title``, ``artist``, ``album``, ``tags`` where the data have them.
    contexts : pandas.DataFrame, n_contexts rows
        ``id``, and what else the data have.
    times : numpy.ndarray of datetime64[s], shape (matrix.nnz,), or None
        First time of each stored entry, in the order of ``matrix.data``, where the data are dated.
    name : str
        Name of the dataset, or of the file.
    notes : str
        Rows read, dropped and repeated, and what was guessed.
    """

    matrix: sp.csr_array
    items: pd.DataFrame
    contexts: pd.DataFrame
    times: np.ndarray | None = None
    name: str = ""
    notes: str = ""

    @property
    def n_items(self) -> int:
        """Number of items, the rows of the matrix."""
        return self.matrix.shape[0]

    @property
    def n_contexts(self) -> int:
        """Number of contexts, the columns of the matrix."""
        return self.matrix.shape[1]

    def select(self, entries: np.ndarray) -> "Interactions":
        """Keep some of the stored entries, and of the items and contexts those that have one.

        Parameters
        ----------
        entries : array of bool, shape (matrix.nnz,)
            In the order of ``matrix.data``.

        Returns
        -------
        Interactions
            Items and contexts in their order, with their `times` where the data are dated.
        """
        stored = self.matrix.tocoo()
        items, row = np.unique(stored.row[entries], return_inverse=True)
        contexts, col = np.unique(stored.col[entries], return_inverse=True)
        ones = np.ones(len(row), np.int32)
        matrix = sp.coo_array((ones, (row, col)), shape=(len(items), len(contexts))).tocsr()
        return replace(
            self,
            matrix=matrix,
            items=self.items.iloc[items].reset_index(drop=True),
            contexts=self.contexts.iloc[contexts].reset_index(drop=True),
            times=None if self.times is None else self.times[entries],
        )


@dataclass(frozen=True)
class Embeddings:
    """Vectors made elsewhere, one per item.

    Attributes
    ----------
    ids : numpy.ndarray, shape (n_items,)
        Distinct names or numbers of the items; 0 to n_items - 1 where the file has none.
    vectors : numpy.ndarray, shape (n_items, dim), float32 or float64
        Finite.
    name : str
        Name of the dataset, or of the file.
    notes : str
        What was read: the size, where the ids are from, what was dropped.
    items : pandas.DataFrame, n_items rows, or None
        ``id``, and ``title``, ``artist``, ``tags``, where the publisher of the vectors names the items.
    """

    ids: np.ndarray
    vectors: np.ndarray
    name: str = ""
    notes: str = ""
    items: pd.DataFrame | None = None


def resample(
    interactions: Interactions,
    *,
    share: float = 0.8,
    replace: bool = False,
    seed: int | np.random.Generator = 0,
) -> Interactions:
    """Draw some of the contexts at random.

    Drawn without replacement, N - d of N, the spread of a statistic over draws gives the delete-d
    jackknife: the standard error of the statistic of the whole is their standard deviation times
    sqrt(share / (1 - share)), for statistics that are not smooth (counts of peaks) as well. Drawn
    with replacement, N of N, is the bootstrap: a context drawn twice makes every pair of its items
    co-occur twice, so a pair found in one context alone passes a filter of two.

    Parameters
    ----------
    interactions : Interactions
    share : float, default 0.8
        Share of the contexts drawn, in (0, 1); not used with replacement.
    replace : bool, default False
    seed : int or numpy.random.Generator, default 0
        Successive draws from one generator differ.

    Returns
    -------
    Interactions
        Contexts in their order, with the times of their items. Items in no context drawn are left out.

    Raises
    ------
    ValueError
        If `share` is not between 0 and 1.

    References
    ----------
    Shao, Wu (1989), the delete-d jackknife, https://doi.org/10.1214/aos/1176347263.

    Examples
    --------
    >>> data = build(np.repeat([0, 1], 10), np.tile(np.arange(10), 2), name="two items")
    >>> resample(data).n_contexts, resample(data, replace=True).n_contexts
    (8, 10)
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be between 0 and 1, both excluded, got {share}")
    n = interactions.n_contexts
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.choice(n, n if replace else max(1, round(share * n)), replace=replace))
    X = interactions.matrix
    # the number of each entry goes along in place of its 1, and leads to its time
    entries = sp.csr_array((np.arange(X.nnz), X.indices, X.indptr), shape=X.shape)
    matrix = sp.csr_array(entries.tocsc()[:, drawn])
    seen = np.flatnonzero(np.diff(matrix.indptr))
    matrix = matrix[seen]
    entry, matrix.data = matrix.data, np.ones(matrix.nnz, dtype=np.int32)
    return Interactions(
        matrix,
        interactions.items.iloc[seen].reset_index(drop=True),
        interactions.contexts.iloc[drawn].reset_index(drop=True),
        None if interactions.times is None else interactions.times[entry],
        interactions.name,
        "contexts drawn " + ("with replacement" if replace else f"at random, {share:.0%} of them"),
    )


def build(
    item,
    context,
    *,
    name,
    notes="",
    times=None,
    context_times=None,
    items=None,
    contexts=None,
    min_context_size=1,
    min_item_count=1,
    start=None,
    end=None,
):
    """Interactions of parallel arrays; numbers by first appearance, duplicates once.

    Filters apply in this order: `start` <= time < `end`; contexts of at least `min_context_size` rows;
    items in at least `min_item_count` contexts. `items` (`contexts`) is a table that describes the
    entries of `item` (`context`), which are its index; its ids are the column ``id``, else the index.
    Where `context` contains numbers 0, 1, ..., `context_times` are the times of whole contexts. Memory:
    about 40 bytes a row, 20 more where rows are dated.
    """
    for option, value in (("min_context_size", min_context_size), ("min_item_count", min_item_count)):
        if value < 1:
            raise ValueError(f"{option} must be at least 1, got {value}")
    found = len(item)

    def keep(rows):
        nonlocal item, context, times
        item, context, times = item[rows], context[rows], None if times is None else times[rows]

    if start is not None or end is not None:
        if times is None and context_times is None:
            raise ValueError(f"{name} has no times: start and end cannot be used")
        dated = _within(context_times if times is None else times, start, end, name)
        keep(dated[context] if times is None else dated)
    if min_context_size > 1 and len(item):
        number, _ = pd.factorize(context)
        keep((np.bincount(number) >= min_context_size)[number])
    if min_item_count > 1 and len(item):
        number, _ = pd.factorize(item)
        key, _ = _pairs(number, pd.factorize(context)[0])  # a pair that repeats counts once
        keep((np.bincount(key >> 32) >= min_item_count)[number])
    if len(item) == 0:
        options = f"{min_context_size=}, {min_item_count=}, {start=}, {end=}"
        remedy = f"relax {options}" if found else "it has no row with an item and a context"
        raise ValueError(f"{name}: no interaction is left of {found}{notes and f' ({notes})'}; {remedy}")
    row, item_ids = pd.factorize(item)
    col, context_ids = pd.factorize(context)
    key, times = _pairs(row, col, times)
    starts = np.concatenate([[0], np.cumsum(np.bincount(key >> 32))])  # every item is in a pair
    key &= 0xFFFFFFFF
    shape = (len(item_ids), len(context_ids))
    matrix = sp.csr_array((np.ones(len(key), np.int32), key, starts), shape=shape)
    if context_times is not None:
        times = context_times[context_ids][matrix.indices]
    return Interactions(
        matrix, _described(items, item_ids), _described(contexts, context_ids), times, name, notes
    )


def _pairs(row, col, times=None):
    """Distinct pairs as row * 2^32 + col, increasing, with the first time of each."""
    # one integer a pair sorts several times faster than two columns do
    key = row.astype(np.int64)
    key <<= 32
    key |= col
    if times is not None:
        order = np.argsort(key, kind="stable")
        key, times = key[order], np.asarray(times)[order].astype("datetime64[s]")
    else:
        key.sort()
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    if times is not None:
        times = np.fmin.reduceat(times, first)  # a time that is not known counts only alone
    return key[first], times


def _within(times, start, end, name):
    low, high = pd.Timestamp(start or "0001-01-01"), pd.Timestamp(end or "9999-12-31")
    if low >= high:
        raise ValueError(f"{name}: start={start} is not before end={end}")
    times = np.asarray(times)
    return (times >= low.to_datetime64()) & (times < high.to_datetime64())  # false where it is not known


def _described(table, ids):
    if table is None:
        return pd.DataFrame({"id": ids})
    described = table[~table.index.duplicated()].reindex(ids).reset_index(drop=True)
    if "id" not in described:
        described.insert(0, "id", ids)
    return described
