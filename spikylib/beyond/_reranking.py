"""Reorder lists by spikes."""

import numpy as np

from spikylib._checks import check_range


def rerank(lists: np.ndarray, spike: np.ndarray, k: int, *, queries: np.ndarray | None = None) -> np.ndarray:
    """Move to the front the first item of each spike or, given queries, the items on the query's spike.

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
    check_range("k", k, 1, lists.shape[1], "items of a list")
    listed = spike[lists]
    if queries is None:
        later = listed >= 0
        for row, numbers in zip(later, listed):
            row[np.unique(numbers, return_index=True)[1]] = False  # the first item of each spike
    elif np.shape(queries) == (len(lists),):
        own = spike[np.asarray(queries)][:, None]
        later = (listed != own) | (own < 0)
    else:
        raise ValueError(f"there are {len(lists)} lists for queries of shape {np.shape(queries)}")
    first = np.argsort(later, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(lists, first, axis=1)
