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
    """The same with the items permuted over the interactions: popularity and nothing else."""
    data = _playlists(seed)
    return Study(replace(data, matrix=nulls.shuffle_items(data.matrix, seed=seed), times=None), seed=seed)


@lru_cache(maxsize=2)
def many_communities(seed: int) -> Study:
    """More communities than dimensions, without noise: spikes in every dimension."""
    return Study(_playlists(seed, n_communities=150, noise=0.0), seed=seed)


@lru_cache(maxsize=2)
def few_communities(seed: int) -> Study:
    """Fewer communities than dimensions, and some noise: most dimensions have no community."""
    return Study(_playlists(seed, n_communities=3, noise=0.2), seed=seed)


@lru_cache(maxsize=2)
def noisy(seed: int) -> Study:
    """Long playlists mostly drawn from the whole catalogue, by popularity."""
    return Study(_playlists(seed, noise=0.6, mean_length=20, popularity_exponent=1.2), seed=seed)


@lru_cache(maxsize=2)
def uniform(seed: int) -> Study:
    """Communities of items that are all as popular as each other."""
    return Study(_playlists(seed, popularity_exponent=0.0), seed=seed)


@lru_cache(maxsize=2)
def rays(seed: int) -> Study:
    """Embeddings on five half-lines, to within little."""
    rng = np.random.default_rng(seed)
    on = np.eye(128)[rng.integers(5, size=1200)] * rng.uniform(1, 5, 1200)[:, None]
    return _given(on + 0.001 * rng.standard_normal(on.shape))


@lru_cache(maxsize=2)
def blobs(seed: int) -> Study:
    """Embeddings in round groups: directions that many share, and no lines through the origin."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((30, 128))
    return _given(centres[rng.integers(30, size=1200)] + 0.1 * rng.standard_normal((1200, 128)))


@lru_cache(maxsize=2)
def no_direction(seed: int) -> Study:
    """Embeddings of any direction whose norms have a heavy tail."""
    rng = np.random.default_rng(seed)
    return _given(rng.standard_normal((1200, 128)) * rng.pareto(1, (1200, 1)))


def _given(E):
    return Study(embeddings=Embeddings(np.arange(len(E)), E, "generated"))


def _playlists(seed, *, n_communities=40, **options):
    return synthetic.clean_playlists(
        n_items=1200, n_contexts=4000, n_communities=n_communities, seed=seed, **options
    )
