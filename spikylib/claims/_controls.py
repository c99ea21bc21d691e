"""Generated catalogues on which a claim must hold, and others on which it must fail.

A function here takes a seed and returns a :class:`~spikylib.study.Study`; the same seed gives the same
one, kept for the claims that ask for it next.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from spikylib import nulls, synthetic
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


def _playlists(seed):
    return synthetic.playlists(n_items=1200, n_contexts=4000, n_communities=40, seed=seed)


def _given(vectors):
    return Study(embeddings=Embeddings(np.arange(len(vectors)), vectors, "generated rows"))
