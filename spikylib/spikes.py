"""Cover an embedding by spikes, and measure how few it takes (Spk).

Concept. A *spike* is a half-line from the origin along which many rows of an embedding lie.
The rows of highest norm are candidate *peaks*: go through rows by decreasing norm; a row that
no earlier peak has captured becomes a peak and captures every row whose cosine with it is
above a threshold. Spk is the number of peaks needed to capture a share rho of the rows,
divided by the number of rows. Small means spiky; directions drawn at random give Spk = rho.

Conventions. ``E`` has one row per item. Norms and cosines are those of the first f columns.
The cosine is signed: opposite rows are on different spikes. Ties of norm go to the lower row.

Functions. :func:`cover` returns peaks and membership, :func:`spk` the single number, :func:`peaks`
the numbers of peaks on a grid of settings; :func:`principal` turns an embedding of unknown basis to
its own axes first, and :func:`varimax` to axes that separate communities; :func:`describe` names
what the members of a spike share.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spikylib import _greedy
from spikylib._arrays import ROW_BLOCK, checked_rows, largest_entry, one_direction, threaded_map
from spikylib._device import on_gpu

if TYPE_CHECKING:  # measuring needs neither
    import pandas as pd

_QR_ROWS = 2**16  # turned at once, so that no second copy of E is made
_THREADED = 16 * ROW_BLOCK  # rows from which threads pay for their start


@dataclass(frozen=True)
class SpikeCover:
    """Peaks of an embedding and the rows that each captured.

    Attributes
    ----------
    peaks : numpy.ndarray, shape (n_peaks,), int64
        Rows that are peaks, in the order chosen (decreasing norm).
    spike : numpy.ndarray, shape (n,), int64
        For each row the position of its peak in `peaks`, -1 if no peak captured it.
    captured : numpy.ndarray, shape (n_peaks,), int64
        Rows captured so far after each peak, the peaks themselves included.
    """

    peaks: np.ndarray
    spike: np.ndarray
    captured: np.ndarray

    @property
    def spk(self) -> float:
        """Number of peaks divided by the number of rows."""
        return len(self.peaks) / len(self.spike)


def spk(E: np.ndarray, *, f: int | None = None, cos_theta: float = 0.9, rho: float = 0.5) -> float:
    """Return Spk@f, the share of rows that must be peaks to capture a share rho of all rows.

    Parameters, errors and source are those of :func:`cover`.

    Returns
    -------
    float
        Between 1 / n (one spike) and ceil(rho n) / n (no two rows collinear).

    Examples
    --------
    >>> import numpy as np
    >>> rays = np.repeat(np.eye(2), 50, axis=0) * np.linspace(1, 2, 100)[:, None]
    >>> spk(rays)
    0.01
    """
    return cover(E, f=f, cos_theta=cos_theta, rho=rho).spk


def cover(E: np.ndarray, *, f: int | None = None, cos_theta: float = 0.9, rho: float = 0.5) -> SpikeCover:
    """Choose peaks by decreasing norm until they have captured a share rho of the rows.

    The result is that of the one-peak-at-a-time definition, on every input: candidates are
    resolved in blocks by single-precision matrix products, and every cosine within rounding
    of the threshold is computed again in double precision.

    Parameters
    ----------
    E : array, shape (n, d), any real dtype
        Embeddings, one row per item; finite. May be a memory map, or a CuPy array: the result is that of
        the same rows in memory.
    f : int, optional
        Use the first f columns, 1 to d. Default: all.
    cos_theta : float, default 0.9
        Collinearity threshold, in (-1, 1): a row is captured when its cosine with the peak is
        strictly larger.
    rho : float, default 0.5
        Share of the n rows to capture, in (0, 1].

    Returns
    -------
    SpikeCover
        Working memory: 40 n bytes for norms, order and membership, and per core at most 10 MB
        and 32 kB per column whatever n is; E is never copied whole.

    Raises
    ------
    ValueError
        If E is not a two-dimensional array of finite real numbers, all its rows are zero, or
        `f`, `cos_theta` or `rho` is out of range.

    Warns
    -----
    RuntimeWarning
        If rows of zero norm (at most 1e-9 of the largest), which no peak can capture, leave
        fewer than rho n rows to capture; or if, without `f`, nearly all rows point the same way.

    References
    ----------
    Afchar, Hennequin, Guigue (2023), "Of Spiky SVDs and Music Recommendation", section 2.3.

    Examples
    --------
    Three rows on a first ray, two on a second: one peak captures half of the five rows, two capture all:

    >>> import numpy as np
    >>> E = np.array([[3., 0.], [2., 0.], [0., 2.5], [1., 0.1], [0., 1.]])
    >>> cover(E).peaks
    array([0])
    >>> both = cover(E, rho=1)
    >>> both.peaks, both.spike, both.captured
    (array([0, 2]), array([0, 0, 1, 0, 1]), array([3, 5]))
    """
    E = checked_rows("E", E, f)
    _greedy.check_thresholds([cos_theta], [rho])
    with threaded_map(len(E) >= _THREADED and not on_gpu(E)) as map_blocks:
        rows = _greedy.local_rows(E, map_blocks)
        order = _greedy.by_norm(rows.norm)
        _greedy.warn_of_zero_rows(len(order), len(E), rho)
        if f is None and one_direction(E):
            warnings.warn(
                "nearly all rows of E point the same way, so one peak captures them: subtract their mean, or the "
                "zero point of quantised values",
                RuntimeWarning,
                stacklevel=2,
            )
        return SpikeCover(*_greedy.greedy_cover(rows, order, cos_theta, rho))


def peaks(
    E: np.ndarray,
    fs: Sequence[int],
    cos_thetas: Sequence[float],
    rhos: Sequence[float],
    *,
    limit: int | None = None,
) -> np.ndarray:
    """Count the peaks that :func:`cover` needs at every rank, threshold and share of a grid.

    Norms and order are computed once per rank. One cover, to the largest share, gives all smaller shares,
    since their peaks are its first ones: twelve shares cost as much as one.

    Parameters
    ----------
    E : array, shape (n, d), any real dtype
    fs : sequence of int, length F
    cos_thetas : sequence of float, length T
    rhos : sequence of float, length R
        As `f`, `cos_theta` and `rho` of :func:`cover`.
    limit : int, optional
        Stop a cover once it needs more peaks than this.

    Returns
    -------
    numpy.ndarray, shape (F, T, R), int64
        Numbers of peaks; -1 where they are above `limit`.

    Raises
    ------
    ValueError
        As for :func:`cover`, and if `limit` is below 1.

    Warns
    -----
    RuntimeWarning
        As for :func:`cover`.

    Examples
    --------
    >>> E = np.array([[3., 0.], [2., 0.], [0.1, 2.5], [1., 0.1], [0.1, 1.]])
    >>> peaks(E, [1, 2], [0.9], [0.5, 1.0]).tolist()
    [[[1, 1]], [[1, 2]]]
    """
    E = checked_rows("E", E)
    _greedy.check_thresholds(cos_thetas, rhos)
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    needed = np.empty((len(fs), len(cos_thetas), len(rhos)), dtype=np.int64)
    goals = [_greedy.target(len(E), rho) for rho in rhos]
    with threaded_map(len(E) >= _THREADED and not on_gpu(E)) as map_blocks:
        for i, f in enumerate(fs):
            rows = _greedy.local_rows(checked_rows("E", E, f), map_blocks)
            order = _greedy.by_norm(rows.norm)
            _greedy.warn_of_zero_rows(len(order), len(E), max(rhos))
            for j, cos_theta in enumerate(cos_thetas):
                captured = _greedy.greedy_cover(rows, order, cos_theta, max(rhos), limit)[2]
                # where zero rows put a share out of reach, all peaks there are
                needed[i, j] = np.minimum(np.searchsorted(captured, goals) + 1, len(captured))
    return needed if limit is None else np.where(needed > limit, -1, needed)


def principal(E: np.ndarray) -> np.ndarray:
    """Rotate embeddings to their principal axes: E times its right singular vectors, not centred.

    Norms and cosines stay, and the first f columns approximate E best. Use it before ``cover(..., f=f)``
    where the basis of E is arbitrary. Leave the U Sigma^p of :mod:`spikylib.svd` as it is: it has its axes
    already, and for p other than 1 they are not those found here.

    Parameters
    ----------
    E : array, shape (n, d), any real dtype

    Returns
    -------
    numpy.ndarray, shape (n, d), float64
        Orthogonal columns by decreasing norm; those beyond the rank of E are zero to rounding. In
        each axis the entry of largest magnitude is positive.

    Raises
    ------
    ValueError
        If E is not a two-dimensional array of finite real numbers.

    Examples
    --------
    >>> np.abs(principal(np.array([[3.0, 4.0], [6.0, 8.0]])).round(12))
    array([[ 5.,  0.],
           [10.,  0.]])
    """
    E = checked_rows("E", E)
    largest_entry("E", E)  # refuses NaN and infinity
    # of the small factor R of E = Q R, which has the singular values and axes of E to full precision
    blocks = [slice(start, start + _QR_ROWS) for start in range(0, len(E), _QR_ROWS)]
    R = np.empty((0, E.shape[1]))
    for rows in blocks:
        R = np.linalg.qr(np.vstack([R, E[rows]]), mode="r")
    axes = np.linalg.svd(R)[2].T
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    turned = np.empty(E.shape)
    for rows in blocks:
        turned[rows] = E[rows] @ axes
    return turned


def varimax(U: np.ndarray, *, tol: float = 1e-7) -> np.ndarray:
    """Rotate orthonormal columns so that each has its weight on as few rows as possible.

    The columns of an SVD are ordered by what they explain, and mix communities; the axes of the same space
    in which squares are most unequal separate communities.

    Parameters
    ----------
    U : array, shape (n, f), n >= f
        Orthonormal columns: singular vectors.
    tol : float, default 1e-7
        Stop when a step raises the sum of fourth powers by no more than this share of it. Where two
        rotations are nearly as good the result is one of them.

    Returns
    -------
    numpy.ndarray, shape (n, f), float64
        U times an orthogonal matrix, so norms and cosines of rows stay. Columns by decreasing sum of fourth
        powers, with signs such that their cubes add up to no less than zero. Some dozens of steps are
        usual, each O(n f^2).

    References
    ----------
    Kaiser (1958), https://doi.org/10.1007/BF02289233; Rohe, Zeng, "Vintage factor analysis with varimax
    performs statistical inference", https://arxiv.org/abs/2004.05387.

    Examples
    --------
    >>> two_groups = np.kron(np.eye(2), np.full((4, 1), 0.5))
    >>> mixed = two_groups @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    >>> np.sort(varimax(mixed).round(3) + 0.0, axis=0).T
    array([[0. , 0. , 0. , 0. , 0.5, 0.5, 0.5, 0.5],
           [0. , 0. , 0. , 0. , 0.5, 0.5, 0.5, 0.5]])
    """
    L = U = np.asarray(checked_rows("U", U), dtype=np.float64)
    before, now = 0.0, np.sum((L * L) ** 2)
    while now > before * (1 + tol):
        # the sum of fourth powers is convex: the rotation nearest to its gradient can only raise it
        left, _, right = np.linalg.svd(U.T @ (L * L * L))
        L = U @ (left @ right)
        before, now = now, np.sum((L * L) ** 2)
    L *= np.where((L * L * L).sum(axis=0) < 0, -1.0, 1.0)
    return L[:, np.argsort(-((L * L) ** 2).sum(axis=0), kind="stable")]


def describe(
    cover: SpikeCover, items: "pd.DataFrame", *, by: str | Sequence[str], n_spikes: int = 10
) -> "pd.DataFrame":
    """Describe the largest spikes: peak, size, and what sets their members apart.

    Of the values that the members of a spike carry in the columns `by`, the one named is the most
    significantly over-represented against the whole catalogue (hypergeometric tail; ties go to the
    first in alphabetical order). A value that a single member carries is ignored.

    Parameters
    ----------
    cover : SpikeCover
    items : pandas.DataFrame, one row per row of the embedding
        Labels; ``title`` and ``artist``, where present, name the peak.
    by : str or sequence of str
        Columns whose values are compared: a value per item, or a tuple of them (tags).
    n_spikes : int, default 10

    Returns
    -------
    pandas.DataFrame
        One row per spike, largest first: ``peak``, ``size``, ``shared`` (the value, or ""), ``share``
        of the members that carry it, and ``lift``, that share divided by the catalogue's.

    Raises
    ------
    ValueError
        If `items` does not match the cover, or lacks a column of `by`.

    Examples
    --------
    >>> import pandas as pd
    >>> E = np.array([[3.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 0.5], [1.0, 0.0]])
    >>> items = pd.DataFrame({"title": list("abcde"), "genre": ["rock", "rock", "jazz", "jazz", "rock"]})
    >>> describe(cover(E, rho=1), items, by="genre")[["peak", "size", "shared"]]
      peak  size shared
    0    a     3   rock
    1    c     2   jazz
    """
    import pandas as pd
    from scipy.stats import hypergeom

    if len(items) != len(cover.spike):
        raise ValueError(f"items has {len(items)} rows, but the cover has {len(cover.spike)}")
    columns = [by] if isinstance(by, str) else list(by)
    for column in columns:
        if column not in items:
            raise ValueError(f"items has no column {column!r}; its columns are: {', '.join(items.columns)}")
    cells = zip(*(items[c] for c in columns))
    values = [{v for cell in row for v in (cell if isinstance(cell, tuple) else (cell,))} for row in cells]
    everywhere = Counter(v for row in values for v in row)
    size = np.bincount(cover.spike[cover.spike >= 0], minlength=len(cover.peaks))
    rows = []
    for k in np.argsort(-size, kind="stable")[:n_spikes]:
        here = Counter(v for i in np.flatnonzero(cover.spike == k) for v in values[i])
        tail = {
            v: hypergeom.logsf(c - 1, len(items), everywhere[v], size[k]) for v, c in here.items() if c > 1
        }
        best = min(tail, key=lambda v: (round(tail[v], 6), str(v)), default="")
        share = here[best] / size[k]
        peak = items.iloc[cover.peaks[k]]
        name = " - ".join(str(peak[c]) for c in ("title", "artist") if c in items) or str(cover.peaks[k])
        rows.append((name, int(size[k]), best, share, share * len(items) / max(everywhere[best], 1)))
    return pd.DataFrame(rows, columns=["peak", "size", "shared", "share", "lift"])
