"""Rank lists again with spikes in mind."""

import numpy as np


def rerank(lists: np.ndarray, spike: np.ndarray, k: int, *, queries: np.ndarray | None = None) -> np.ndarray:
    """Move to the front the first item of each spike or, given queries, those on the query's own.

    Both parts keep their order. An item on no spike is at the front without queries, and at the
    back with them; a query on no spike keeps its list.

    Parameters
    ----------
    lists : array of int, shape (q, depth)
        Items by decreasing score, more than are needed.
    spike : array of int, shape (n,)
        Spike of each item, -1 for none.
    k : int
        Items to keep, 1 to depth.
    queries : array of int, shape (q,), optional
        The item that each list is for.

    Returns
    -------
    numpy.ndarray, shape (q, k), int64

    Raises
    ------
    ValueError
        If shapes do not match or `k` is out of range.

    Examples
    --------
    >>> rerank([[0, 1, 2, 3, 4]], [7, 7, 7, 8, -1], 4)
    array([[0, 3, 4, 1]])
    >>> rerank([[0, 1, 2, 3, 4]], [7, 8, 7, 7, -1], 4, queries=[3])
    array([[0, 2, 3, 1]])
    """
    lists, spike = np.asarray(lists, dtype=np.int64), np.asarray(spike)
    if lists.ndim != 2 or not 1 <= k <= lists.shape[1]:
        raise ValueError(f"k must be between 1 and the length of the lists, shape {lists.shape}, got {k}")
    listed = spike[lists]
    if queries is None:
        # sorted by spike, and stably, an item that follows one of its spike is not the first of it
        order = np.argsort(listed, axis=1, kind="stable")
        grouped = np.take_along_axis(listed, order, axis=1)
        repeated = (grouped == np.roll(grouped, 1, axis=1)) & (grouped >= 0)
        repeated[:, 0] = False
        later = np.empty_like(repeated)
        np.put_along_axis(later, order, repeated, axis=1)
    elif np.shape(queries) == (len(lists),):
        own = spike[np.asarray(queries)][:, None]
        later = (listed != own) | (own < 0)
    else:
        raise ValueError(f"there are {len(lists)} lists for queries of shape {np.shape(queries)}")
    first = np.argsort(later, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(lists, first, axis=1)
