"""Generated catalogues on which a claim must hold, and others on which it must fail.

A function here takes a seed and returns a :class:`~spikylib.study.Study`; the same seed gives the same
one, kept for the claims that ask for it next.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from spikylib import nulls, synthetic
from spikylib._arrays import unit_rows
from spikylib._interactions import build
from spikylib.datasets import Embeddings
from spikylib.study import Study

_START, _HALF_WAY = np.datetime64("2022-01-01"), np.datetime64("2022-07-03")


@lru_cache(maxsize=2)
def communities(seed: int) -> Study:
    """Clean communities of items of varying popularity: spikes, and lists that follow them."""
    return Study(_playlists(seed), seed=seed)


@lru_cache(maxsize=2)
def shuffled(seed: int) -> Study:
    """The same with the items permuted over the interactions: popularity and nothing else."""
    data = _playlists(seed)
    return Study(replace(data, matrix=nulls.shuffle_items(data.matrix, seed=seed), times=None), seed=seed)


@lru_cache(maxsize=2)
def low_norms_change(seed: int) -> Study:
    """Dated communities of which, half-way, the rarer half of the items changes; rare items have low norms."""
    return _changed(seed, rare=True)


@lru_cache(maxsize=2)
def high_norms_change(seed: int) -> Study:
    """The same where the more popular half changes communities, and nobody else."""
    return _changed(seed, rare=False)


@lru_cache(maxsize=2)
def dated_without_communities(seed: int) -> Study:
    """Dated contexts of items that are drawn by popularity alone."""
    return Study(_dated(shuffled(seed).interactions, seed), f=64, seed=seed)


def low_norms_rescaled(seed: int) -> Study:
    """Three dated embeddings of communities; the lower half of the norms is drawn anew at each date."""
    return _rescaled(seed, low=True)


def high_norms_rescaled(seed: int) -> Study:
    """The same where the upper half is drawn anew."""
    return _rescaled(seed, low=False)


def _changed(seed, rare):
    data = _dated(_playlists(seed, n_contexts=6000), seed)
    plays = np.diff(data.matrix.indptr)
    rarer = np.argsort(np.argsort(plays, kind="stable")) < len(plays) // 2
    movers = np.flatnonzero(rarer if rare else ~rarer)
    becomes = np.arange(len(plays))
    becomes[movers] = np.random.default_rng(seed).permutation(movers)
    entries = data.matrix.tocoo()
    item = np.where(data.times < _HALF_WAY, entries.row, becomes[entries.row])
    changed = build(item, entries.col, times=data.times, name="synthetic-dated")
    return Study(changed, f=64, seed=seed)


def _dated(data, seed):
    """Date the contexts: half of them in the first quarter of two years, half in the last two."""
    day = np.random.default_rng(seed).permutation(data.n_contexts) * 365 // data.n_contexts
    day = np.where(day < 183, day, 2 * day)  # so that the window half-way holds the second half alone
    return replace(data, times=(_START + day)[data.matrix.indices].astype("datetime64[s]"))


def _rescaled(seed, low):
    rng = np.random.default_rng(seed)
    n, f = 1000, 4
    direction = np.eye(f)[rng.integers(f, size=n)] + 0.05 * rng.standard_normal((n, f))
    norm = np.sort(rng.uniform(1, 2, n))
    half = slice(0, n // 2) if low else slice(n // 2, n)
    dates = {}
    for year in ("2021", "2022", "2023"):
        dates[year] = Embeddings(np.arange(n), unit_rows(direction) * norm[:, None], "made")
        norm = norm.copy()
        norm[half] = rng.permutation(norm[half])
    return Study(snapshots=dates, seed=seed)


def _playlists(seed, n_contexts=4000):
    return synthetic.clean_playlists(n_items=1200, n_contexts=n_contexts, n_communities=40, seed=seed)
