"""Generated catalogues on which a claim must hold, and others on which it must fail.

A function here takes a seed and returns a :class:`~spikylib.study.Study`; the same seed gives the same
one, kept for the claims that ask for it next.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd

from spikylib import nulls, synthetic
from spikylib._interactions import build
from spikylib.datasets import Embeddings
from spikylib.study import Study


@lru_cache(maxsize=2)
def communities(seed: int) -> Study:
    """Clean communities of items of varying popularity: spikes, and lists that follow them."""
    return Study(_playlists(seed), seed=seed)


@lru_cache(maxsize=2)
def shuffled(seed: int) -> Study:
    """the items permuted over the interactions: popularity and nothing else."""
    data = _playlists(seed)
    return Study(replace(data, matrix=nulls.shuffle_items(data.matrix, seed=seed), times=None), seed=seed)


@lru_cache(maxsize=2)
def few_communities(seed: int) -> Study:
    """Eight communities: lists by inner product are of the same long rows, whoever asks."""
    return Study(_playlists(seed, n_communities=8), seed=seed)


@lru_cache(maxsize=2)
def few_playlists(seed: int) -> Study:
    """So few playlists that a model learns them by heart."""
    return Study(_playlists(seed, n_contexts=300), seed=seed)


@lru_cache(maxsize=2)
def equally_popular(seed: int) -> Study:
    """Communities of items that are all as popular as each other."""
    return Study(_playlists(seed, popularity_exponent=0), seed=seed)


@lru_cache(maxsize=2)
def artists_of_communities(seed: int) -> Study:
    """Every community is an artist with one album: playlists are of artists."""
    return _labelled(seed, lambda community: community)


@lru_cache(maxsize=2)
def artists_anywhere(seed: int) -> Study:
    """Artists and albums have nothing to do with communities."""
    return _labelled(seed, np.random.default_rng(seed).permutation)


@lru_cache(maxsize=2)
def best_first(seed: int) -> Study:
    """Playlists that start with their community and end with items of any."""
    return _in_order(seed, lambda fits, rng: ~fits)


@lru_cache(maxsize=2)
def in_any_order(seed: int) -> Study:
    """The same playlists, their items in any order."""
    return _in_order(seed, lambda fits, rng: rng.random(len(fits)))


@lru_cache(maxsize=2)
def strangers(seed: int) -> Study:
    """Playlists of twenty items of one of eight communities, and of five of another."""
    rng = np.random.default_rng(seed)
    community = np.column_stack(
        [rng.integers(8, size=(2000, 1)).repeat(20, 1), rng.integers(8, size=(2000, 1)).repeat(5, 1)]
    )
    items = community * 100 + rng.integers(100, size=community.shape)
    return Study(build(items.ravel(), np.arange(2000).repeat(25), name="synthetic"), seed=seed)


@lru_cache(maxsize=2)
def normal_rows(seed: int) -> Study:
    """Independent normal rows, given as embeddings: no structure at all."""
    return _given(nulls.gaussian(1000, 64, seed=seed))


@lru_cache(maxsize=2)
def few_dimensions(seed: int) -> Study:
    """Normal rows with numbers in the first 16 of 64 columns only: the rest says nothing."""
    return _given(np.pad(nulls.gaussian(1000, 16, seed=seed), ((0, 0), (0, 48))))


@lru_cache(maxsize=2)
def own_axes(seed: int) -> Study:
    """Every row has an axis of its own: a mean finds exactly what it averages."""
    return _given(np.diag(np.random.default_rng(seed).uniform(0.9, 1.0, 600)))


def _playlists(seed, **options):
    options = {"n_items": 1200, "n_contexts": 4000, "n_communities": 40} | options
    return synthetic.playlists(**options, seed=seed)


def _given(vectors):
    return Study(embeddings=Embeddings(np.arange(len(vectors)), vectors, "generated rows"))


def _labelled(seed, name):
    data = _playlists(seed)
    labels = name(data.items["community"].to_numpy())
    return Study(replace(data, items=data.items.assign(artist=labels, album=labels)), seed=seed)


def _in_order(seed, key):
    """Dated: within a playlist by a key of whether the item is of the community that most are of."""
    data, rng = _playlists(seed, noise=0.5), np.random.default_rng(seed)
    community = data.items["community"].to_numpy()[data.matrix.tocoo().row]
    most = pd.Series(community).groupby(data.matrix.indices).agg(lambda some: some.mode()[0]).to_numpy()
    minute = (
        pd.Series(key(community == most[data.matrix.indices], rng))
        .groupby(data.matrix.indices)
        .rank(method="first")
    )
    return Study(replace(data, times=minute.to_numpy().astype("datetime64[s]")), seed=seed)
