"""Cover an embedding by spikes, and measure how few it takes (Spk).

Concept. A *spike* is a half-line from the origin along which many rows of an embedding lie.
The rows of highest norm are candidate *peaks*: go through rows by decreasing norm; a row that
no earlier peak has captured becomes a peak and captures every row whose cosine with it is
above a threshold. Spk is the number of peaks needed to capture a share rho of the rows,
divided by the number of rows. Small means spiky; directions drawn at random give Spk = rho.

Conventions. ``E`` has one row per item. Norms and cosines are those of the first f columns.
The cosine is signed: opposite rows are on different spikes. Ties of norm go to the lower row.

Functions. :func:`cover` returns peaks and membership, :func:`spk` the single number,
:func:`describe` what the members of a spike share.
"""

import math
import os
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import hypergeom
from threadpoolctl import threadpool_limits

_PEAK_BLOCK = 256  # candidate peaks resolved by one matrix product
_ROW_BLOCK = 2048  # rows multiplied at a time: bounds the working memory
_THREADED = 16 * _ROW_BLOCK  # rows from which threads pay for their start
_ZERO = 1e-9  # a norm at most this share of the largest counts as zero


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
    def spk(self):
        """Number of peaks divided by the number of rows."""
        return len(self.peaks) / len(self.spike)


def spk(E, *, f=None, cos_theta=0.9, rho=0.5):
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


def cover(E, *, f=None, cos_theta=0.9, rho=0.5):
    """Choose peaks by decreasing norm until they have captured a share rho of the rows.

    The result is that of the one-peak-at-a-time definition, on every input: candidates are
    resolved in blocks by single-precision matrix products, and every cosine within rounding
    of the threshold is computed again in double precision.

    Parameters
    ----------
    E : array, shape (n, d), any real dtype
        Embeddings, one row per item; finite. May be a memory map.
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
        fewer than rho n rows to capture.

    References
    ----------
    Afchar, Hennequin, Guigue (2023), "Of Spiky SVDs and Music Recommendation", section 2.3.

    Examples
    --------
    Three rows on a first ray, two on a second; half of the five rows is reached by one peak,
    all of them by two:

    >>> import numpy as np
    >>> E = np.array([[3., 0.], [2., 0.], [0., 2.5], [1., 0.1], [0., 1.]])
    >>> cover(E).peaks
    array([0])
    >>> both = cover(E, rho=1)
    >>> both.peaks, both.spike, both.captured
    (array([0, 2]), array([0, 0, 1, 0, 1]), array([3, 5]))
    """
    E, cos_theta = _checked(E, f, cos_theta, rho)
    if len(E) < _THREADED:
        return _cover(E, cos_theta, rho, map)
    # the threads are ours, over blocks of rows: those of the matrix product would fight with them
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        return _cover(E, cos_theta, rho, pool.map)


def describe(cover, items, *, by, n_spikes=10):
    """Tell the largest spikes: peak, size, and what sets their members apart.

    Of the values that the members of a spike carry in the columns `by`, the one named is the
    most significantly over-represented against the whole catalogue (hypergeometric tail; ties
    go to the first in alphabetical order). A value that a single member carries says nothing.

    Parameters
    ----------
    cover : SpikeCover
    items : pandas.DataFrame, one row per row of the embedding
        Labels; ``title`` and ``artist`` name the peak where they are there.
    by : str or sequence of str
        Columns whose values are compared: a value per item, or a tuple of them (tags).
    n_spikes : int, default 10

    Returns
    -------
    pandas.DataFrame
        One row a spike, largest first: ``peak``, ``size``, ``shared`` (the value, or ""), ``share``
        of the members that carry it, and ``lift``, that share divided by the catalogue's.

    Raises
    ------
    ValueError
        If `items` does not match the cover, or lacks a column of `by`.

    Examples
    --------
    >>> E = np.array([[3.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 0.5], [1.0, 0.0]])
    >>> items = pd.DataFrame({"title": list("abcde"), "genre": ["rock", "rock", "jazz", "jazz", "rock"]})
    >>> describe(cover(E, rho=1), items, by="genre")[["peak", "size", "shared"]]
      peak  size shared
    0    a     3   rock
    1    c     2   jazz
    """
    if len(items) != len(cover.spike):
        raise ValueError(f"items has {len(items)} rows, the cover {len(cover.spike)}")
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


def _cover(E, cos_theta, rho, each):
    n = len(E)
    norm, scale = _norms(E, each)
    order = np.argsort(-norm, kind="stable")
    order = order[: np.count_nonzero(norm > _ZERO * norm.max())]
    target = math.ceil(rho * n - 1e-9)
    if len(order) < target:
        warnings.warn(
            f"only {len(order)} of {n} rows have a norm above zero: rho={rho} cannot be reached, "
            "so Spk counts the peaks that capture those",
            RuntimeWarning,
            stacklevel=3,
        )
    spike = np.full(n, -1, dtype=np.int64)
    peaks, captured, total, start = [], [], 0, 0
    while total < target and start < len(order):
        start, candidates = _next_free(order, spike, start)
        if len(candidates) == 0:
            break
        block = _Block(E, norm, scale, candidates, cos_theta)
        first = len(peaks)

        def capture(rows, block=block, first=first):
            row, peak = block.first_capture(rows)
            spike[row] = first + peak

        list(each(capture, _free_rows(spike, norm)))
        spike[block.peaks] = first + np.arange(len(block.peaks))
        sizes = np.bincount(spike[spike >= first] - first, minlength=len(block.peaks))
        running = total + np.cumsum(sizes)
        needed = min(int(np.searchsorted(running, target)) + 1, len(running))
        spike[spike >= first + needed] = -1
        peaks.extend(block.peaks[:needed])
        captured.extend(running[:needed])
        total = int(running[needed - 1])
    return SpikeCover(np.array(peaks, dtype=np.int64), spike, np.array(captured, dtype=np.int64))


class _Block:
    """Candidates in order of norm; the peaks among them, and what those capture."""

    def __init__(self, E, norm, scale, candidates, cos_theta):
        self.E, self.norm, self.scale, self.cos_theta = E, norm, scale, cos_theta
        # error of a product of a row with a unit row in single precision, as a share of the
        # row's norm, with room to spare
        self.band = (E.shape[1] + 16) * 2.0**-23
        self.peaks = candidates
        self.directions = (self._rows(candidates, np.float64) / norm[candidates, None]).astype(np.float32)
        capture = np.zeros((len(candidates), len(candidates)), dtype=bool)
        capture[self._captures(candidates)] = True
        taken = np.zeros(len(candidates), dtype=bool)
        chosen = []
        for j in range(len(candidates)):
            if not taken[j]:
                chosen.append(j)
                taken |= capture[:, j]
        self.peaks, self.directions = candidates[chosen], self.directions[chosen]

    def first_capture(self, rows):
        """The rows that a peak captures, and the position of the first that does."""
        i, j = self._captures(rows)
        first = np.flatnonzero(np.diff(i, prepend=-1))
        return rows[i[first]], j[first]

    def _captures(self, rows):
        """Pairs (row, peak) by position whose cosine is above the threshold, in order."""
        product = self._rows(rows, np.float32) @ self.directions.T
        lowest, highest = (
            ((self.cos_theta + error) * self.norm[rows]).astype(np.float32)
            for error in (-self.band, self.band)
        )
        above = np.flatnonzero(product > lowest[:, None])
        i, j = np.divmod(above, len(self.peaks))
        unclear = np.flatnonzero(product.ravel()[above] < highest[i])
        wrong = []
        for a in range(0, len(unclear), _ROW_BLOCK):
            part = unclear[a : a + _ROW_BLOCK]
            wrong.extend(part[self._exact(rows[i[part]], self.peaks[j[part]]) <= self.cos_theta])
        return (np.delete(i, wrong), np.delete(j, wrong)) if wrong else (i, j)

    def _exact(self, rows, peaks):
        dot = np.einsum("ij,ij->i", self._rows(rows, np.float64), self._rows(peaks, np.float64))
        return dot / (self.norm[rows] * self.norm[peaks])

    def _rows(self, rows, dtype):
        block = self.E[rows]
        if self.scale != 1:
            block = block.astype(np.float64) * self.scale
        return block.astype(dtype, copy=False)


def _checked(E, f, cos_theta, rho):
    E = np.asanyarray(E)
    if E.ndim != 2 or 0 in E.shape:
        raise ValueError(f"E must be a non-empty array of shape (n, d), got shape {E.shape}")
    if E.dtype.kind not in "fiub":
        raise ValueError(f"E must hold real numbers, got dtype {E.dtype}")
    if f is not None:
        if not 1 <= f <= E.shape[1]:
            raise ValueError(f"f must be between 1 and the {E.shape[1]} columns of E, got {f}")
        E = E[:, :f]
    if not -1 < cos_theta < 1:
        raise ValueError(f"cos_theta must be between -1 and 1, both excluded, got {cos_theta}")
    if not 0 < rho <= 1:
        raise ValueError(f"rho must be above 0 and at most 1, got {rho}")
    return E, float(cos_theta)


def _norms(E, each):
    """Norm of each row of E times a scale, 1 unless squares could leave the range of floats."""
    norm = _scaled_norms(E, 1.0, each)
    if 1e-10 < norm.max() < 1e10:  # false for NaN as well
        return norm, 1.0
    largest = 0.0
    for a in range(0, len(E), _ROW_BLOCK):
        block = np.abs(E[a : a + _ROW_BLOCK].astype(np.float64))
        if not np.isfinite(block).all():
            i, j = np.argwhere(~np.isfinite(block))[0]
            raise ValueError(
                f"E holds {E[a + i, j]} at row {a + i}, column {j}; remove or fill such rows first"
            )
        largest = max(largest, float(block.max()))
    if largest == 0:
        raise ValueError("every row of E is zero: there is no direction to measure")
    scale = 2.0 ** -min(max(math.frexp(largest)[1], -1022), 1022)
    return _scaled_norms(E, scale, each), scale


def _scaled_norms(E, scale, each):
    def of_block(a):
        with np.errstate(over="ignore"):
            block = E[a : a + _ROW_BLOCK].astype(np.float64, copy=False)
            block = block if scale == 1 else block * scale
            return np.sqrt(np.einsum("ij,ij->i", block, block))

    return np.concatenate(list(each(of_block, range(0, len(E), _ROW_BLOCK))))


def _next_free(order, spike, start):
    """The next candidates in order that no peak has captured, and where to go on from."""
    found = []
    while start < len(order) and len(found) < _PEAK_BLOCK:
        ahead = order[start : start + _PEAK_BLOCK]
        free = np.flatnonzero(spike[ahead] < 0)[: _PEAK_BLOCK - len(found)]
        found.extend(ahead[free])
        full = len(found) == _PEAK_BLOCK
        start += int(free[-1]) + 1 if full else len(ahead)
    return start, np.array(found, dtype=np.int64)


def _free_rows(spike, norm):
    """Blocks of rows, in row order, that are on no spike yet and have a direction."""
    rows = np.flatnonzero((spike < 0) & (norm > _ZERO * norm.max()))
    return [rows[a : a + _ROW_BLOCK] for a in range(0, len(rows), _ROW_BLOCK)]
