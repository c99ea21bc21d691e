"""Generated catalogues on which a claim must hold, and others on which it must fail.

A function here takes a seed and returns a :class:`~spikylib.study.Study`; the same seed gives the same
one, kept for the claims that ask for it next.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np

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
def noisy(seed: int) -> Study:
    """Communities in few playlists, half of them noise: there is something to learn, and to learn wrongly."""
    return Study(_playlists(seed, n_contexts=1500, n_communities=12, noise=0.5), seed=seed)


@lru_cache(maxsize=2)
def nothing(seed: int) -> Study:
    """Any item in any playlist, all as popular as each other."""
    return Study(_playlists(seed, n_communities=1, popularity_exponent=0), seed=seed)


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
    """Playlists of twelve items of one of twelve communities, followed by twice as many of any."""
    items = _with_others(seed, 12, 24)
    return _listed(items, np.broadcast_to(np.arange(36), items.shape))


@lru_cache(maxsize=2)
def in_any_order(seed: int) -> Study:
    """The same playlists, their items in any order."""
    items = _with_others(seed, 12, 24)
    return _listed(items, np.random.default_rng(seed).random(items.shape).argsort(axis=1))


@lru_cache(maxsize=2)
def strangers(seed: int) -> Study:
    """Playlists of thirty items of one of eight communities, and of five of another."""
    rng = np.random.default_rng(seed)
    community = np.repeat(rng.integers(8, size=(2000, 2)), (30, 5), axis=1)
    return _listed(100 * community + rng.integers(100, size=community.shape))


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


def _with_others(seed, n_own, n_others):
    """Playlists of items of one of twelve communities, of popularities 1, 1/2, 1/3 ..., and of any others."""
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, 101)
    within = rng.choice(100, size=(1000, n_own), p=popularity / popularity.sum())
    own = 100 * rng.integers(12, size=(1000, 1)) + within
    return np.hstack([own, rng.integers(1200, size=(1000, n_others))])


def _listed(items, place=None):
    """A study of playlists given as rows of items, dated by their place where that is given."""
    n, length = items.shape
    times = None if place is None else place.ravel().astype("datetime64[s]")
    return Study(build(items.ravel(), np.arange(n).repeat(length), times=times, name="synthetic"))
