"""Vary the cover behind Spk: other orders of peaks, the fewest peaks, planes, noise, resampling.

Concept. Spk is the size of one cover among many. Which rows a peak would capture is a symmetric
relation, :func:`neighbours`. On it :func:`in_order` tries peaks in any order, :func:`by_gain`
takes the one that captures most, and :func:`fewest` finds the smallest cover there is.
:func:`subspaces` covers by planes through two peaks as well as by lines. :func:`noise_law` tells how
many peaks noise beyond the K dimensions of K spikes makes necessary, and :func:`resample` how much
a number owes to the contexts that happened to be seen.

Conventions. Those of :mod:`spikylib.spikes`: signed cosines, strictly above the threshold; rows of
zero norm are never captured and count in n.
"""

import heapq
import math
import warnings

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, milp

from spikylib import spikes, svd, synthetic
from spikylib._arrays import checked_rows, has_direction
from spikylib._greedy import check_thresholds
from spikylib.spikes import SpikeCover

_BLOCK_ENTRIES = 2**22  # cosines computed at a time
_ROUNDING = 1e-12  # a cosine this near the threshold is computed again as `spikes.cover` does


def neighbours(E, *, f=None, cos_theta=0.9, max_pairs=200_000_000):
    """Tell for each row which rows it would capture as a peak.

    Parameters
    ----------
    E : array, shape (n, d)
        Embeddings, finite.
    f : int, optional
        Use the first f columns. Default: all.
    cos_theta : float, default 0.9
        Collinearity threshold, in (-1, 1); the cosine must be larger.
    max_pairs : int, default 200,000,000
        Refuse to store more pairs than this.

    Returns
    -------
    scipy.sparse.csr_array, shape (n, n), bool
        Symmetric; a row of zero norm has no entry, every other row has itself. Five bytes a pair,
        so at most 1 GB by default, and as much again while it is put together; beside it two
        copies of E in double precision and 100 MB.

    Raises
    ------
    ValueError
        As :func:`spikylib.spikes.cover`, and if there are more than `max_pairs` pairs.

    Examples
    --------
    >>> E = np.array([[3., 0.], [2., 0.1], [0., 1.]])
    >>> neighbours(E).toarray().astype(int)
    array([[1, 1, 0],
           [1, 1, 0],
           [0, 0, 1]])
    """
    E = checked_rows("E", E, f)
    check_thresholds([cos_theta], [])
    E, norm, alive = _scaled(E)
    unit = E[alive] / norm[alive, None]
    step = max(1, _BLOCK_ENTRIES // len(alive))
    columns, counts, total = [], [], 0
    for a in range(0, len(alive), step):
        cosine = unit[a : a + step] @ unit.T
        i, j = np.nonzero(cosine > cos_theta - _ROUNDING)
        unclear = np.flatnonzero(cosine[i, j] < cos_theta + _ROUNDING)
        left, right = alive[a + i[unclear]], alive[j[unclear]]
        exact = np.einsum("ij,ij->i", E[left], E[right]) / (norm[left] * norm[right])
        hit = np.ones(len(i), dtype=bool)
        hit[unclear] = (exact > cos_theta) | (left == right)
        total += int(hit.sum())
        if total > max_pairs:
            raise ValueError(
                f"more than max_pairs={max_pairs:,} pairs of rows lie within the threshold (row "
                f"{a + len(cosine):,} of {len(alive):,} reached); raise cos_theta, take a sample of rows, "
                "or raise max_pairs at 5 bytes a pair"
            )
        counts.append(np.bincount(i[hit], minlength=len(cosine)))
        columns.append(alive[j[hit]].astype(np.int32))
    stored = np.zeros(len(E), dtype=np.int64)
    stored[alive] = np.concatenate(counts)
    start = np.concatenate([[0], np.cumsum(stored)]).astype(np.int32 if total < 2**31 else np.int64)
    columns = np.concatenate(columns)
    return sp.csr_array((np.ones(len(columns), dtype=bool), columns, start), shape=(len(E), len(E)))


def in_order(neighbours, order, *, rho=0.5):
    """Choose peaks in a given order until they have captured a share rho of the rows.

    By decreasing norm this is :func:`spikylib.spikes.cover`.

    Parameters
    ----------
    neighbours : csr_array, shape (n, n), bool
        As :func:`neighbours` returns.
    order : array-like of int
        Rows to try, each at most once.
    rho : float, default 0.5
        Share of the n rows to capture, in (0, 1].

    Returns
    -------
    SpikeCover

    Raises
    ------
    ValueError
        If rho is out of range, or the order names a row twice or one that is not there.

    Warns
    -----
    RuntimeWarning
        If the order ends before a share rho is captured.

    Examples
    --------
    >>> near = neighbours(np.array([[1., 0.], [1., 0.4], [1., 0.8]]))
    >>> in_order(near, [0, 1, 2], rho=1).peaks, in_order(near, [1, 0, 2], rho=1).peaks
    (array([0, 2]), array([1]))
    """
    n, target = _target(neighbours, rho)
    order = np.asarray(order, dtype=np.int64)
    if len(order) and not 0 <= order.min() <= order.max() < n:
        raise ValueError(f"order must name rows 0 to {n - 1}, got {order.min()} to {order.max()}")
    if len(np.unique(order)) < len(order):
        raise ValueError("order names a row twice")
    spike, peaks, captured, total = np.full(n, -1, dtype=np.int64), [], [], 0
    for i in order:
        if total >= target:
            break
        if spike[i] < 0:
            total += _capture(neighbours, spike, i, len(peaks), peaks, captured)
    return _finished(spike, peaks, captured, target)


def by_gain(neighbours, *, rho=0.5):
    """Choose as the next peak the row that captures most rows not yet captured.

    The greedy algorithm of set cover. Gains only shrink as rows are captured, so a row's gain is
    computed again only when it comes to the top of the queue (lazy evaluation).

    Parameters, errors and warning are those of :func:`in_order`; ties go to the lower row.

    Returns
    -------
    SpikeCover
        Its size is at most H(m) times the smallest, with m the most rows that a peak captures and
        H(m) = 1 + 1/2 + ... + 1/m.

    References
    ----------
    Johnson (1974), https://doi.org/10.1016/S0022-0000(74)80044-9; Slavik (1997), partial cover,
    https://doi.org/10.1016/S0020-0190(97)00182-8; Minoux (1978), lazy evaluation,
    https://doi.org/10.1007/BFb0006528.

    Examples
    --------
    >>> near = neighbours(np.array([[1., 0.], [1., 0.4], [1., 0.8]]))
    >>> by_gain(near, rho=1).peaks
    array([1])
    """
    n, target = _target(neighbours, rho)
    spike, peaks, captured, total = np.full(n, -1, dtype=np.int64), [], [], 0
    queue = [(-int(size), i) for i, size in enumerate(np.diff(neighbours.indptr)) if size]
    heapq.heapify(queue)
    while queue and total < target:
        _, i = heapq.heappop(queue)
        gain = int((spike[_row(neighbours, i)] < 0).sum())
        if queue and (-gain, i) > queue[0]:
            heapq.heappush(queue, (-gain, i))
        elif gain:
            total += _capture(neighbours, spike, i, len(peaks), peaks, captured)
    return _finished(spike, peaks, captured, target)


def fewest(neighbours, *, rho=0.5, relax=False, time_limit=600):
    """Count the fewest peaks that capture a share rho of the rows.

    Partial set cover as an integer program: x_i says that row i is a peak, y_j that row j is
    captured; minimise sum x with y_j <= sum of x_i over the neighbours i of j, and sum y >= rho n.
    Rows with the same neighbours are merged first.

    Parameters
    ----------
    neighbours : csr_array, shape (n, n), bool
        As :func:`neighbours` returns.
    rho : float, default 0.5
        Share of the n rows to capture, in (0, 1].
    relax : bool, default False
        Allow fractions of peaks, a linear program: the result, rounded up, is a lower bound.
    time_limit : float, default 600
        Seconds.

    Returns
    -------
    int
        NP-hard in general. A few thousand rows take seconds where few rows are neighbours; the
        bound takes seconds to a minute.

    Raises
    ------
    ValueError
        If rho is out of range, or no set of peaks captures so many rows.
    ArithmeticError
        If the time limit is reached first.

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
    n, target = _target(neighbours, rho)
    size = np.diff(neighbours.indptr)
    if np.count_nonzero(size) < target:
        raise ValueError(
            f"only {np.count_nonzero(size)} of {n} rows have a norm above zero: rho={rho} cannot be reached"
        )
    near, weight = _merged(neighbours)
    k = len(weight)
    rows = sp.hstack([near.astype(np.float64), -sp.eye_array(k)], format="csr")
    found = milp(
        np.concatenate([np.ones(k), np.zeros(k)]),
        constraints=[
            LinearConstraint(rows, 0, np.inf),
            LinearConstraint(np.concatenate([np.zeros(k), weight])[None], target, np.inf),
        ],
        bounds=Bounds(0, 1),
        integrality=np.concatenate([np.full(k, int(not relax)), np.zeros(k)]),
        options={"time_limit": time_limit, "mip_rel_gap": 0.0},
    )
    if found.status != 0:
        raise ArithmeticError(
            f"not solved within {time_limit} s: {found.message} Ask for the bound (relax=True), raise "
            "time_limit or take a sample of rows"
        )
    return math.ceil(found.fun - 1e-6)


def subspaces(E, candidates, n_directions, *, planes=True, cos_theta=0.9):
    """Cover by half-lines through candidate rows and planes through two of them.

    A half-line costs one direction, a plane two. Greedy: next comes what captures most rows, not
    yet captured, per direction; between equals the cheaper. A row is captured by a half-line if
    its cosine with it, by a plane if the cosine of its angle to the plane, is above `cos_theta`.

    Parameters
    ----------
    E : array, shape (n, f)
        Embeddings, finite.
    candidates : array-like of int, shape (P,)
        Rows that half-lines and planes go through, such as the peaks of a cover.
    n_directions : int
        Directions to spend, at least 1. What would cost more is left out.
    planes : bool, default True
        False: half-lines only.
    cos_theta : float, default 0.9
        In (0, 1).

    Returns
    -------
    pandas.DataFrame
        One row per half-line or plane, in the order chosen: ``directions`` spent so far,
        ``captured`` rows so far, ``first`` and ``second``, the rows that it goes through (-1 for
        no second). Works in 10 n P bytes, and tries P^2 / 2 planes, n operations each.

    Raises
    ------
    ValueError
        As :func:`spikylib.spikes.cover`, and if a candidate has norm zero, or an option is out of range.

    Examples
    --------
    Rows that fan out in a plane, and one outside it: a plane and a half-line do, where half-lines
    alone capture three rows with three directions.

    >>> fan = np.array([[1., 0., 0.], [.7, .7, 0.], [0., 1., 0.], [.4, .9, 0.], [0., 0., 1.]])
    >>> subspaces(fan, range(5), 3, cos_theta=0.95).captured.tolist()
    [4, 5]
    """
    E = checked_rows("E", E)
    check_thresholds([cos_theta], [])
    if cos_theta <= 0:
        raise ValueError(f"cos_theta must be above 0 for planes, got {cos_theta}")
    if n_directions < 1:
        raise ValueError(f"n_directions must be at least 1, got {n_directions}")
    candidates = np.asarray(candidates, dtype=np.int64)
    cosine = _unit(E) @ _directions(E, candidates).T
    among = cosine[candidates]

    def members(p, q):
        """Rows captured by the plane of each pair (p, q), or by the half-line p where q is p."""
        if q is p:
            return cosine[:, [p]] > cos_theta
        g, a, b = among[p, q], cosine[:, [p]], cosine[:, q]
        return a**2 + b**2 - 2 * g * a * b > cos_theta**2 * (1 - g**2)

    queue = [(-float(members(p, p).sum()), 1, p, -1) for p in range(len(candidates))]
    for p in range(len(candidates) if planes and n_directions > 1 else 0):
        others = np.arange(p + 1, len(candidates))
        for q, size in zip(others, members(p, others).sum(axis=0)):
            queue.append((-size / 2, 2, p, int(q)))
    heapq.heapify(queue)
    free, rows, spent = np.ones(len(E), dtype=bool), [], 0
    while queue and spent < n_directions:
        _, cost, p, q = heapq.heappop(queue)
        inside = members(p, p if q < 0 else [q])[:, 0] & free
        entry = (-inside.sum() / cost, cost, p, q)
        if spent + cost > n_directions or not inside.any():
            continue
        if queue and entry > queue[0]:
            heapq.heappush(queue, entry)
            continue
        free &= ~inside
        spent += cost
        rows.append((spent, int((~free).sum()), candidates[p], candidates[q] if q >= 0 else -1))
    return pd.DataFrame(rows, columns=["directions", "captured", "first", "second"])


def turn_residuals(E, candidates, *, seed=0):
    """Keep each row's angle to its nearest candidate, and turn the rest of it at random.

    The null for :func:`subspaces`: the half-lines keep their rows, and what a plane captures
    beyond them it captures by chance. The rest of a row is drawn from a Gaussian with the second
    moments of the columns of E, at a right angle to the candidate.

    Parameters
    ----------
    E : array, shape (n, f)
    candidates : array-like of int, shape (P,)
    seed : int, default 0
        Seed of the generator.

    Returns
    -------
    numpy.ndarray, shape (n, f), float64
        Rows of length 1, 0 where E has norm zero; candidates are only scaled.

    Raises
    ------
    ValueError
        If a candidate has norm zero.

    Examples
    --------
    >>> E = np.array([[2., 0., 0.], [1., 1., 0.], [0., 0., 3.]])
    >>> turned = turn_residuals(E, [0, 2])
    >>> (turned @ turned[0]).round(6), bool(abs(turned[1, 2]) > 0.01)
    (array([1.      , 0.707107, 0.      ]), True)
    """
    candidates = np.asarray(candidates, dtype=np.int64)
    unit, direction = _unit(E), _directions(E, candidates)
    cosine = unit @ direction.T
    nearest = cosine.argmax(axis=1)
    cosine = cosine[np.arange(len(unit)), nearest][:, None]
    axis = direction[nearest]
    rest = np.random.default_rng(seed).standard_normal(unit.shape) * np.sqrt(
        (np.asarray(E) ** 2).mean(axis=0)
    )
    rest -= (rest * axis).sum(axis=1, keepdims=True) * axis
    length = np.linalg.norm(rest, axis=1, keepdims=True)
    rest /= np.where(length > 0, length, 1)
    turned = cosine * axis + np.sqrt(np.clip(1 - cosine**2, 0, None)) * rest
    turned[candidates] = direction
    return np.where(unit.any(axis=1)[:, None], turned, 0.0)


def plane_gain(E, n_directions, *, n_candidates=60, n_nulls=3, cos_theta=0.9, seed=0):
    """Tell how much more planes capture than half-lines at equal cost, and how much by chance.

    Candidates are the first peaks of :func:`by_gain`. The null turns the residuals of all rows
    about the half-lines found (:func:`turn_residuals`) and does the same again.

    Parameters
    ----------
    E : array, shape (n, f)
        Embeddings, finite.
    n_directions : int
        Directions to spend.
    n_candidates : int, default 60
        Rows that half-lines and planes may go through.
    n_nulls : int, default 3
        Draws of the null.
    cos_theta : float, default 0.9
        In (0, 1).
    seed : int, default 0
        Seed of the first draw.

    Returns
    -------
    dict
        Shares of the n rows: ``lines`` and ``planes`` captured without and with planes, ``gain``,
        their difference, and ``null_low``, ``null_high``, the smallest and largest gain of the null.
        Memory is that of :func:`neighbours` and :func:`subspaces`.

    Raises
    ------
    ValueError
        As :func:`subspaces`.

    Examples
    --------
    Four communities that drift, and a narrow cone: eight half-lines leave more than four planes.

    >>> M, community, _ = synthetic.planted_shapes(["drift"] * 4, 60)
    >>> found = plane_gain(svd.truncated_svd(M, f=8).embeddings(), 8, cos_theta=0.98)
    >>> found["gain"] > 0.1 > found["null_high"]
    True
    """

    def captured(A):
        """Rows captured by half-lines alone and with planes, and the half-lines."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # rows of zero norm are left over
            candidates = by_gain(neighbours(A, cos_theta=cos_theta), rho=1).peaks[:n_candidates]
        lines, both = (
            subspaces(A, candidates, n_directions, planes=planes, cos_theta=cos_theta)
            for planes in (False, True)
        )
        return lines["captured"].iloc[-1] / len(A), both["captured"].iloc[-1] / len(A), lines["first"]

    lines, planes, axes = captured(E)
    nulls = [captured(turn_residuals(E, axes, seed=seed + i)) for i in range(n_nulls)]
    gains = [with_planes - alone for alone, with_planes, _ in nulls]
    return {
        "lines": float(lines),
        "planes": float(planes),
        "gain": float(planes - lines),
        "null_low": float(min(gains)),
        "null_high": float(max(gains)),
    }


def noise_law(norm, s, K, ranks, n_peaks, *, stretch=1.0, cos_theta=0.9, rho=0.5):
    """Tell how many peaks K spikes need at ranks above K if the rest is independent noise.

    Noise of variance tau^2 in every entry of M has singular values up to 2 tau sqrt(n), so
    sigma_{K+1} tells tau. It adds tau^2 to the square of a row in each of the first K dimensions,
    and sigma_j^2 / n in each further one:

    .. math:: \\nu_f^2 = \\frac{\\kappa}{n} \\Big( \\frac{K \\sigma_{K+1}^2}{4}
              + \\sum_{K < j \\le f} \\sigma_j^2 \\Big), \\qquad
              \\cos^2 = \\frac{a_i^2}{a_i^2 + \\nu_f^2} \\cdot \\frac{a_*^2}{a_*^2 + \\nu_f^2}

    for a row with signal a_i and a peak with signal a_*, the median of the K largest. A row whose
    cosine falls below the threshold needs a peak of its own, as long as a share rho has to be
    captured. Nothing is fitted where the stretch kappa is 1.

    Parameters
    ----------
    norm : array, shape (n,)
        Norm of each row in the first K dimensions.
    s : array, shape (>= max(ranks),)
        Singular values, one more than K at least.
    K : int
        Number of spikes.
    ranks : sequence of int
        Truncation ranks, each at least K.
    n_peaks : int
        Peaks at f = K.
    stretch : float, default 1.0
        kappa.
    cos_theta, rho : float
        As for :func:`spikylib.spikes.cover`.

    Returns
    -------
    numpy.ndarray, shape (len(ranks),), float64
        Numbers of peaks, at most rho n.

    Raises
    ------
    ValueError
        If a rank is below K, there are too few singular values, or no row is longer than the noise.

    References
    ----------
    The largest singular value of noise: Furedi, Komlos (1981), https://doi.org/10.1007/BF02579329.

    Examples
    --------
    Four rows of norms 4, 3, 2, 1 on one spike, and noise that grows. With three dimensions the
    shortest row is lost, with five all but two:

    >>> noise_law([4, 3, 2, 1], [5, 1, 1, 1, 1], 1, [1, 3, 5], 1, cos_theta=0.8, rho=1)
    array([1., 2., 2.])
    """
    norm, s = np.asarray(norm, dtype=np.float64), np.asarray(s, dtype=np.float64)
    n = len(norm)
    if min(ranks) < K or max(*ranks, K + 1) > len(s):
        raise ValueError(
            f"ranks must be between K={K} and the {len(s)} singular values, of which K + 1 are needed at "
            f"least; got {list(ranks)}"
        )
    inside = K * s[K] ** 2 / 4 / n
    signal = np.maximum(norm**2 - inside, 0.0)
    peak = np.median(np.sort(signal)[-K:])
    if peak == 0:
        raise ValueError(f"no row stands out of the noise in the first K={K} dimensions")
    noise = stretch * (inside + np.array([[(s[K:f] ** 2).sum() / n] for f in ranks]))
    cosine2 = signal / (signal + noise) * peak / (peak + noise)
    target = rho * n
    return np.minimum(
        n_peaks + np.maximum(0.0, target - (cosine2 > cos_theta**2).sum(axis=1)), max(target, n_peaks)
    )


def planted_runs(n_spikes, noises, ranks, *, n_items=800, seeds=(0, 1), cos_theta=0.9, rho=0.5):
    """Measure the peaks of planted spikes over a grid of their number, the noise and the rank.

    Every row is on a spike (:func:`spikylib.synthetic.planted_spikes`, equal sizes).

    Parameters
    ----------
    n_spikes, noises, seeds : sequence of int, float, int
        The grid; noise in units of the mean of M.
    ranks : sequence of int
        Truncation ranks.
    n_items : int, default 800
        Rows; the largest multiple of the number of spikes up to it is used.
    cos_theta, rho : float
        As for :func:`spikylib.spikes.cover`.

    Returns
    -------
    list of dict
        One per matrix: ``K``, ``noise``, ``seed``, ``n``, ``ranks``, ``peaks`` at each rank,
        ``peaks_at_K``, and what :func:`noise_law` takes: ``norm`` and ``s``. A matrix takes n^3
        operations and 8 n^2 bytes.

    Raises
    ------
    ValueError
        If a rank or K exceeds the number of items.

    Examples
    --------
    >>> (run,) = planted_runs([4], [0.01], [2, 4, 8], n_items=200, seeds=[0])
    >>> run["peaks"], run["peaks_at_K"]
    ([2, 2, 2], 2)
    """
    runs = []
    for K in n_spikes:
        n = n_items // K * K
        if max(K, *ranks) > n:
            raise ValueError(f"K and ranks must be at most the {n} items, got {max(K, *ranks)}")
        for noise in noises:
            for seed in seeds:
                M, _ = synthetic.planted_spikes((n // K,) * K, 0, noise=noise, seed=seed)
                found = svd.truncated_svd(M, f=max(K, *ranks))
                E = found.embeddings()
                peaks = {
                    f: len(spikes.cover(E, f=f, cos_theta=cos_theta, rho=rho).peaks) for f in {K, *ranks}
                }
                runs.append(
                    {
                        "K": K,
                        "noise": noise,
                        "seed": seed,
                        "n": n,
                        "ranks": list(ranks),
                        "peaks": [peaks[f] for f in ranks],
                        "peaks_at_K": peaks[K],
                        "norm": np.linalg.norm(E[:, :K], axis=1),
                        "s": found.s,
                    }
                )
    return runs


def law_error(run, *, stretch=1.0, cos_theta=0.9, rho=0.5):
    """Return the natural logarithm of predicted over measured peaks where they are rising.

    Parameters
    ----------
    run : dict
        As :func:`planted_runs` returns.
    stretch, cos_theta, rho : float
        As for :func:`noise_law`.

    Returns
    -------
    numpy.ndarray
        One value per rank above K at which the peaks measured are at least twice those at K and at
        most 95 % of rho n; it may be empty.

    Examples
    --------
    >>> run = {"K": 1, "n": 4, "ranks": [1, 5], "peaks": [1, 2], "peaks_at_K": 1,
    ...        "norm": [4, 3, 2, 1], "s": [5, 1, 1, 1, 1]}
    >>> law_error(run, cos_theta=0.8, rho=1)
    array([0.])
    """
    peaks = np.asarray(run["peaks"])
    rising = (
        (np.asarray(run["ranks"]) > run["K"])
        & (peaks >= 2 * run["peaks_at_K"])
        & (peaks <= 0.95 * rho * run["n"])
    )
    ranks = [f for f, here in zip(run["ranks"], rising) if here]
    if not ranks:
        return np.empty(0)
    told = noise_law(
        run["norm"],
        run["s"],
        run["K"],
        ranks,
        run["peaks_at_K"],
        stretch=stretch,
        cos_theta=cos_theta,
        rho=rho,
    )
    return np.log(told / peaks[rising])


def fit_stretch(runs, *, n_resamples=1000, seed=0, cos_theta=0.9, rho=0.5):
    """Fit the stretch of :func:`noise_law` to measured runs, with a bootstrap over the runs.

    Parameters
    ----------
    runs : list of dict
        As :func:`planted_runs` returns.
    n_resamples : int, default 1000
        Resamples of the runs.
    seed : int, default 0
        Seed of the generator.
    cos_theta, rho : float
        As for :func:`noise_law`.

    Returns
    -------
    dict
        ``stretch``, the value on a grid from 0.5 to 4 in steps of 1 % with the smallest mean
        square of :func:`law_error`; ``low`` and ``high``, its 95 % percentile interval; ``error``,
        the root of that mean square.

    Raises
    ------
    ValueError
        If the peaks rise in none of the runs.

    Examples
    --------
    >>> fit = fit_stretch(planted_runs([5, 10], [2], [24, 32, 48, 64], n_items=300))
    >>> 0.8 < fit["low"] <= fit["stretch"] <= fit["high"] < 1.2
    True
    """
    grid = np.exp(np.arange(np.log(0.5), np.log(4), 0.01))
    errors = [[law_error(run, stretch=x, cos_theta=cos_theta, rho=rho) for x in grid] for run in runs]
    square = np.array([[(e**2).sum() for e in row] for row in errors])
    count = np.array([len(row[0]) for row in errors])
    if not count.any():
        raise ValueError("the peaks rise in none of the runs: take larger ranks or more noise")
    draw = np.random.default_rng(seed).integers(0, len(runs), (n_resamples, len(runs)))
    draw = draw[count[draw].sum(axis=1) > 0]
    resampled = grid[square[draw].sum(axis=1).argmin(axis=1)]
    best = square.sum(axis=0).argmin()
    low, high = np.quantile(resampled, [0.025, 0.975])
    return {
        "stretch": float(grid[best]),
        "low": float(low),
        "high": float(high),
        "error": float(np.sqrt(square[:, best].sum() / count.sum())),
    }


def resample(X, statistic, *, share=0.8, replace=False, n_draws=20, seed=0):
    """Compute a statistic of interactions on random parts of the contexts.

    Drawn without replacement, N - d of N contexts: the delete-d jackknife, which with a large d also
    holds for statistics that are not smooth, such as counts of peaks. The standard error of the statistic of the whole is then the standard deviation of the values times
    sqrt(share / (1 - share)). Drawn with replacement, N of N, is the usual bootstrap: a context
    drawn twice makes every pair of its items co-occur twice, so a pair that a single context
    holds passes a filter of two.

    Parameters
    ----------
    X : sparse matrix, shape (n_items, n_contexts)
    statistic : function of such a matrix, returning a number or an array of numbers
    share : float, default 0.8
        Share of the contexts drawn, in (0, 1); not used with replacement.
    replace : bool, default False
    n_draws : int, default 20
    seed : int, default 0
        Seed of the generator.

    Returns
    -------
    numpy.ndarray, shape (n_draws, ...)

    Raises
    ------
    ValueError
        If an option is out of range.

    References
    ----------
    Shao, Wu (1989), the delete-d jackknife, https://doi.org/10.1214/aos/1176347263.

    Examples
    --------
    >>> X = sp.csr_array(np.ones((2, 10), dtype=int))
    >>> resample(X, lambda part: part.sum(), n_draws=3), resample(X, lambda part: part.sum(), replace=True, n_draws=1)
    (array([16, 16, 16]), array([20]))
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be between 0 and 1, both excluded, got {share}")
    if n_draws < 1:
        raise ValueError(f"n_draws must be at least 1, got {n_draws}")
    X, rng = sp.csc_array(X), np.random.default_rng(seed)
    N = X.shape[1]
    values = []
    for _ in range(n_draws):
        drawn = rng.choice(N, N if replace else max(1, round(share * N)), replace=replace)
        part = sp.csr_array(X[:, np.sort(drawn)])
        values.append(statistic(part[np.diff(part.indptr) > 0]))
    return np.array(values)


def _target(neighbours, rho):
    if not 0 < rho <= 1:
        raise ValueError(f"rho must be above 0 and at most 1, got {rho}")
    n = neighbours.shape[0]
    return n, math.ceil(rho * n - 1e-9)


def _row(neighbours, i):
    return neighbours.indices[neighbours.indptr[i] : neighbours.indptr[i + 1]]


def _capture(neighbours, spike, i, number, peaks, captured):
    """Make row i a peak; return how many rows it captured (none if its norm is zero)."""
    row = _row(neighbours, i)
    row = row[spike[row] < 0]
    if len(row):
        spike[row] = number
        peaks.append(int(i))
        captured.append((captured[-1] if captured else 0) + len(row))
    return len(row)


def _finished(spike, peaks, captured, target):
    if not captured or captured[-1] < target:
        warnings.warn(
            f"the rows tried capture {captured[-1] if captured else 0} of {len(spike)}, fewer than the "
            f"{target} asked for",
            RuntimeWarning,
            stacklevel=3,
        )
    return SpikeCover(np.array(peaks, dtype=np.int64), spike, np.array(captured, dtype=np.int64))


def _merged(neighbours):
    """Rows with a neighbour, one for each set of neighbours, and how many rows it stands for."""
    sets = {}
    for i in range(neighbours.shape[0]):
        if len(row := _row(neighbours, i)):
            sets.setdefault(row.tobytes(), []).append(i)
    first = [rows[0] for rows in sets.values()]
    weight = np.array([len(rows) for rows in sets.values()], dtype=np.float64)
    return neighbours[first][:, first], weight


def _scaled(E):
    """E times a power of two, which changes no cosine and keeps squares in range; norms; rows of norm > 0."""
    E = np.asarray(E).astype(np.float64)
    if not np.isfinite(E).all():
        i, j = np.argwhere(~np.isfinite(E))[0]
        raise ValueError(f"E holds {E[i, j]} at row {i}, column {j}; remove or fill such rows first")
    largest = np.abs(E).max()
    if largest == 0:
        raise ValueError("every row of E is zero: there is no direction to measure")
    E = np.ldexp(E, -np.frexp(largest)[1])
    norm = np.sqrt(np.einsum("ij,ij->i", E, E))
    return E, norm, np.flatnonzero(has_direction(norm))


def _unit(E):
    """Rows scaled to length 1, in double precision; rows of zero norm become zero."""
    E, norm, alive = _scaled(E)
    unit = np.zeros_like(E)
    unit[alive] = E[alive] / norm[alive, None]
    return unit


def _directions(E, candidates):
    direction = _unit(E)[candidates]
    if not direction.any(axis=1).all():
        raise ValueError(f"candidate row {candidates[~direction.any(axis=1)][0]} has norm zero")
    return direction
