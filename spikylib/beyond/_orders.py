"""Covers in other orders, and the smallest cover, from which row captures which."""

import heapq
import math
import warnings

import numpy as np
import scipy.sparse as sp

from spikylib._arrays import checked_rows, has_direction
from spikylib._greedy import Peaks, check_thresholds, local_rows, target
from spikylib.spikes import SpikeCover

_BLOCK_ENTRIES = 2**22  # cosines computed at a time
_MAX_PAIRS = 200_000_000  # 1 GB, and as much again while the matrix is put together
_TIME_LIMIT = 600  # seconds for the integer program, which is NP-hard


def neighbours(E: np.ndarray, *, f: int | None = None, cos_theta: float = 0.9) -> sp.csr_array:
    """Find for each row the rows that it would capture as a peak.

    Parameters
    ----------
    E : array, shape (n, d)
        Embeddings, finite.
    f : int, optional
        Use the first f columns. Default: all.
    cos_theta : float, default 0.9
        Collinearity threshold, in (-1, 1); the cosine must be larger.

    Returns
    -------
    scipy.sparse.csr_array, shape (n, n), bool
        Symmetric; a row without a direction has no entry, every other row has itself. Five bytes per pair;
        more than 200 million pairs raise a ValueError.

    Examples
    --------
    >>> E = np.array([[3., 0.], [2., 0.1], [0., 1.]])
    >>> neighbours(E).toarray().astype(int)
    array([[1, 1, 0],
           [1, 1, 0],
           [0, 0, 1]])
    """
    check_thresholds([cos_theta], [])
    rows = local_rows(checked_rows("E", E, f))
    alive = np.flatnonzero(has_direction(rows.norm))
    captures = rows.comparison(Peaks(rows.take(alive), rows.norm[alive], cos_theta))
    n, step = len(rows.norm), max(1, _BLOCK_ENTRIES // len(alive))
    size, columns, n_pairs = np.zeros(n, dtype=np.int64), [], 0
    for a in range(0, len(alive), step):
        block = alive[a : a + step]
        i, j = captures(block)
        size[block] = np.bincount(i, minlength=len(block))
        columns.append(alive[j].astype(np.int32))
        n_pairs += len(j)
        if n_pairs > _MAX_PAIRS:
            raise ValueError(
                f"more than {_MAX_PAIRS:,} pairs of rows lie within the threshold (row {block[-1] + 1:,} of "
                f"{n:,} reached); raise cos_theta or take a sample of rows"
            )
    # pairs come row by row, so that the matrix needs no sorting
    starts = np.concatenate([[0], np.cumsum(size)]).astype(np.int32)
    return sp.csr_array((np.ones(n_pairs, dtype=bool), np.concatenate(columns), starts), (n, n))


def ordered_cover(
    near: sp.csr_array, order: np.ndarray | str, *, rho: float = 0.5, limit: int | None = None
) -> SpikeCover:
    """Choose peaks in a given order until they have captured a share rho of the rows.

    By decreasing norm this is :func:`spikylib.spikes.cover`. With ``"gain"`` the next peak is the row
    that captures most rows not yet captured (the lower row on a tie): greedy maximum coverage, whose
    size is at most H(m) times the smallest, m the most rows that a peak captures and H(m) = 1 + 1/2 +
    ... + 1/m.

    Parameters
    ----------
    near : csr_array, shape (n, n), bool
        As :func:`neighbours` returns.
    order : array-like of int, or "gain"
        Rows to try, each at most once.
    rho : float, default 0.5
        Share of the n rows to capture, in (0, 1].
    limit : int, optional
        Stop at this many peaks, whatever they have captured.

    Returns
    -------
    SpikeCover
        A RuntimeWarning is issued if the order ends before a share rho is captured.

    References
    ----------
    Johnson (1974), https://doi.org/10.1016/S0022-0000(74)80044-9; Slavik (1997), partial cover,
    https://doi.org/10.1016/S0020-0190(97)00182-8; Minoux (1978), lazy evaluation,
    https://doi.org/10.1007/BFb0006528.

    Examples
    --------
    >>> near = neighbours(np.array([[1., 0.], [1., 0.4], [1., 0.8]]))
    >>> ordered_cover(near, [0, 1, 2], rho=1).peaks, ordered_cover(near, "gain", rho=1).peaks
    (array([0, 2]), array([1]))
    """
    check_thresholds([], [rho])
    n = near.shape[0]
    goal = target(n, rho)
    spike, total = np.full(n, -1, dtype=np.int64), 0
    peaks: list[int] = []
    captured: list[int] = []

    def free_rows(i):
        row = _row(near, i)
        return row[spike[row] < 0]

    if isinstance(order, str) and order == "gain":
        queue = [(-int(size), i) for i, size in enumerate(np.diff(near.indptr))]
        candidates = (i for _, i in best_first(queue, lambda entry: (-len(free_rows(entry[1])), entry[1])))
    else:
        order = np.asarray(order, dtype=np.int64)
        if len(order) and not 0 <= order.min() <= order.max() < n:
            raise ValueError(f"order must name rows 0 to {n - 1}, got {order.min()} to {order.max()}")
        if len(np.unique(order)) < len(order):
            raise ValueError("order names a row twice")
        candidates = (i for i in order if spike[i] < 0)
    for i in candidates:
        rows = free_rows(i)
        if len(rows):  # a row without a direction captures nothing, itself included
            spike[rows] = len(peaks)
            total += len(rows)
            peaks.append(int(i))
            captured.append(total)
        if total >= goal or len(peaks) == limit:
            break
    else:
        warnings.warn(
            f"the rows tried capture {total} of {n}, fewer than the {goal} required",
            RuntimeWarning,
            stacklevel=2,
        )
    return SpikeCover(np.array(peaks, dtype=np.int64), spike, np.array(captured, dtype=np.int64))


def fewest(near: sp.csr_array, *, rho: float = 0.5, relax: bool = False) -> int:
    """Count the fewest peaks that capture a share rho of the rows.

    Partial set cover as an integer program, solved by HiGHS: x_i says that row i is a peak, y_j
    that row j is captured; minimise sum x with y_j <= sum of x_i over the neighbours i of j, and
    sum y >= rho n.

    Parameters
    ----------
    near : csr_array, shape (n, n), bool
        As :func:`neighbours` returns.
    rho : float, default 0.5
        Share of the n rows to capture, in (0, 1].
    relax : bool, default False
        Allow fractions of peaks, a linear program: the result, rounded up, is a lower bound.

    Returns
    -------
    int
        A few thousand rows take seconds where few rows are neighbours, the bound seconds to a minute; after
        ten minutes an ArithmeticError is raised.

    References
    ----------
    Section 2.3 of Afchar, Hennequin, Guigue (2023), "Of Spiky SVDs and Music Recommendation";
    Huangfu, Hall (2018), the solver HiGHS, https://doi.org/10.1007/s12532-017-0130-5.

    Examples
    --------
    >>> near = neighbours(np.array([[1., 0.], [1., 0.4], [1., 0.8], [0., 1.]]))
    >>> fewest(near, rho=0.75), fewest(near, rho=1)
    (1, 2)
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    check_thresholds([], [rho])
    goal, n_alive = target(near.shape[0], rho), np.count_nonzero(np.diff(near.indptr))
    if n_alive < goal:
        raise ValueError(
            f"only {n_alive} of {near.shape[0]} rows have a norm above zero: rho={rho} cannot be reached"
        )
    near, weight = _merged(near)
    k = len(weight)
    rows = sp.hstack([near.astype(np.float64), -sp.eye_array(k)], format="csr")
    found = milp(
        np.concatenate([np.ones(k), np.zeros(k)]),
        constraints=[
            LinearConstraint(rows, 0, np.inf),
            LinearConstraint(np.concatenate([np.zeros(k), weight])[None], goal, np.inf),
        ],
        bounds=Bounds(0, 1),
        # y comes out whole where x is whole, and costs the solver less as a fraction
        integrality=np.concatenate([np.full(k, int(not relax)), np.zeros(k)]),
        options={"time_limit": _TIME_LIMIT, "mip_rel_gap": 0.0},
    )
    if found.status != 0:
        raise ArithmeticError(
            f"not solved within {_TIME_LIMIT} s: {found.message} Compute the bound (relax=True) or take a "
            "sample of rows"
        )
    return math.ceil(found.fun - 1e-6)


def best_first(queue, scored):
    """Yield entries by increasing score, the best first; `scored` computes an entry's score anew.

    Scores only grow as rows are captured, so an entry is scored again only when it comes to the top of
    the queue (lazy evaluation).
    """
    heapq.heapify(queue)
    while queue:
        entry = scored(heapq.heappop(queue))
        if queue and entry > queue[0]:
            heapq.heappush(queue, entry)
        else:
            yield entry


def _row(near, i):
    return near.indices[near.indptr[i] : near.indptr[i + 1]]


def _merged(near):
    """Rows with a neighbour, one for each set of neighbours, and how many rows it stands for."""
    sets = {}
    for i in range(near.shape[0]):
        if len(row := _row(near, i)):
            sets.setdefault(row.tobytes(), []).append(i)
    first = [rows[0] for rows in sets.values()]
    weight = np.array([len(rows) for rows in sets.values()], dtype=np.float64)
    return near[first][:, first], weight
