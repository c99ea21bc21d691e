"""How many peaks noise adds beyond the rank of the spikes: predicted and measured."""

from collections.abc import Sequence

import numpy as np

from spikylib import spikes, svd, synthetic
from spikylib._checks import check_range


def noise_law(
    norm: np.ndarray,
    s: np.ndarray,
    K: int,
    ranks: Sequence[int],
    n_peaks: int,
    *,
    cos_theta: float = 0.9,
    rho: float = 0.5,
) -> np.ndarray:
    """Predict how many peaks K spikes need at ranks above K if the rest is independent noise.

    Noise of variance tau^2 in every entry of M has singular values up to 2 tau sqrt(n), so
    sigma_{K+1} gives tau. It adds tau^2 to the square of a row in each of the first K dimensions,
    and sigma_j^2 / n in each further one:

    .. math:: \\nu_f^2 = \\frac1n \\Big( \\frac{K \\sigma_{K+1}^2}{4}
              + \\sum_{K < j \\le f} \\sigma_j^2 \\Big), \\qquad
              \\cos^2 = \\frac{a_i^2}{a_i^2 + \\nu_f^2} \\cdot \\frac{a_*^2}{a_*^2 + \\nu_f^2}

    for a row with signal a_i and a peak with signal a_*, the median of the K largest. A row whose
    cosine falls below the threshold needs a peak of its own, as long as a share rho has to be
    captured. Nothing is fitted.

    Parameters
    ----------
    norm : array, shape (n,)
        Norm of each row in the first K dimensions.
    s : array, shape (>= max(ranks),)
        Singular values, at least K + 1.
    K, n_peaks : int
        Number of spikes, and of peaks at f = K.
    ranks : sequence of int
        Truncation ranks, each at least K.
    cos_theta, rho : float
        As for :func:`spikylib.spikes.cover`.

    Returns
    -------
    numpy.ndarray, shape (len(ranks),), float64
        Numbers of peaks, at most rho n.

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
    check_range("ranks and K + 1", [*ranks, K + 1], K, len(s), "singular values")
    inside = K * s[K] ** 2 / 4 / n
    signal = np.maximum(norm**2 - inside, 0.0)
    peak = np.median(np.sort(signal)[-K:])
    if peak == 0:
        raise ValueError(f"no row stands out of the noise in the first K={K} dimensions")
    noise = inside + np.array([[(s[K:f] ** 2).sum() / n] for f in ranks])
    cosine2 = signal / (signal + noise) * peak / (peak + noise)
    n_lost = np.maximum(0.0, rho * n - (cosine2 > cos_theta**2).sum(axis=1))
    return np.minimum(n_peaks + n_lost, max(rho * n, n_peaks))


def planted_runs(
    n_spikes: Sequence[int],
    noises: Sequence[float],
    ranks: Sequence[int],
    *,
    n_items: int = 800,
    seeds: Sequence[int] = (0, 1),
    cos_theta: float = 0.9,
    rho: float = 0.5,
) -> list[dict]:
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
        ``peaks_at_K``, and what :func:`noise_law` takes: ``norm`` and ``s``.

    Examples
    --------
    >>> (run,) = planted_runs([4], [0.01], [2, 4, 8], n_items=200, seeds=[0])
    >>> run["peaks"], run["peaks_at_K"]
    ([2, 2, 2], 2)
    """
    runs = []
    for K, noise, seed in ((K, noise, seed) for K in n_spikes for noise in noises for seed in seeds):
        n = n_items // K * K
        check_range("K and ranks", [K, *ranks], 1, n, "items")
        M, _ = synthetic.planted_spikes((n // K,) * K, 0, noise=noise, seed=seed)
        found = svd.truncated_svd(M, f=max(K, *ranks))
        E = found.embeddings()
        peaks = {f: len(spikes.cover(E, f=f, cos_theta=cos_theta, rho=rho).peaks) for f in {K, *ranks}}
        run = {"K": K, "noise": noise, "seed": seed, "n": n, "ranks": list(ranks)}
        run |= {"peaks": [peaks[f] for f in ranks], "peaks_at_K": peaks[K]}
        runs.append(run | {"norm": np.linalg.norm(E[:, :K], axis=1), "s": found.s})
    return runs
