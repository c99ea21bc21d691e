"""Generated catalogues on which a claim must hold, and others on which it must fail.

A function here takes a seed and returns a :class:`~spikylib.study.Study`; the same seed gives the same
one, kept for the claims that ask for it next.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from spikylib import nulls, svd, synthetic
from spikylib._interactions import build
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
def few_items(seed: int) -> Study:
    """As many items as dimensions, so that M-hat is M."""
    return Study(
        synthetic.clean_playlists(n_items=100, n_contexts=1000, n_communities=8, seed=seed), seed=seed
    )


@lru_cache(maxsize=2)
def many_communities(seed: int) -> Study:
    """Eighty communities of rank 1, alike in size."""
    taste = 0.97 * np.eye(80)[np.random.default_rng(seed).integers(0, 80, 6000)] + 0.03 / 80
    return _drawn(taste, np.kron(np.eye(80), np.arange(1, 16) ** -0.5), 10, seed)


@lru_cache(maxsize=2)
def tiny_communities(seed: int) -> Study:
    """Two hundred and forty communities of five items: few dimensions know nothing of most."""
    taste = 0.97 * np.eye(240)[np.random.default_rng(seed).integers(0, 240, 6000)] + 0.03 / 240
    return _drawn(taste, np.kron(np.eye(240), np.ones(5)), 4, seed)


def separate(n_communities: int, seed: int) -> Study:
    """Communities of rank 1, alike in size, of which a context has one."""
    of = np.random.default_rng(seed).integers(0, n_communities, 4000)
    weight = np.ones(600 // n_communities)
    return _drawn(np.eye(n_communities)[of], np.kron(np.eye(n_communities), weight), 15, seed)


@lru_cache(maxsize=2)
def linked(seed: int) -> Study:
    """Sixteen communities that are played together with the three that follow."""
    rng = np.random.default_rng(seed)
    one = rng.integers(0, 16, 4000)
    taste = 0.6 * np.eye(16)[one] + 0.4 * np.eye(16)[(one + rng.integers(1, 4, 4000)) % 16]
    return _drawn(taste, np.kron(np.eye(16), 1 / np.arange(1, 76)), 15, seed)


@lru_cache(maxsize=2)
def overlapping(seed: int) -> Study:
    """Sixteen communities of rank 1, of whose items many belong to another one as well, any of them."""
    rng = np.random.default_rng(seed)
    home = np.eye(16)[np.repeat(np.arange(16), 75)].T
    share = 0.8 * rng.beta(0.5, 1.0, 1200)
    member = (1 - share) * home + share * np.eye(16)[rng.integers(0, 16, 1200)].T
    return _drawn(np.eye(16)[rng.integers(0, 16, 4000)], member * np.tile(1 / np.arange(1, 76), 16), 15, seed)


@lru_cache(maxsize=2)
def drifting(seed: int) -> Study:
    """Eight communities whose items are played together when they are near in time, and so of higher rank."""
    rng = np.random.default_rng(seed)
    home, position = np.eye(8)[np.repeat(np.arange(8), 150)].T, rng.random(1200)
    near = np.exp(-((position - np.linspace(0.025, 0.975, 20)[:, None]) ** 2) / (2 * 0.15**2))
    weight = (home[:, None] * near).reshape(160, 1200) * rng.uniform(0.1, 1, 1200) ** 2
    return _drawn(np.eye(160)[rng.integers(0, 160, 4000)], weight, 15, seed)


@lru_cache(maxsize=2)
def ring(seed: int) -> Study:
    """Items on a circle, played together with those close by: far more to say than few dimensions can."""
    rng = np.random.default_rng(seed)
    gap = np.abs(rng.random(1200) - np.arange(60)[:, None] / 60)
    weight = np.exp(-(np.minimum(gap, 1 - gap) ** 2) / (2 * 0.01**2)) * rng.uniform(0.1, 1, 1200)
    return _drawn(np.eye(60)[rng.integers(0, 60, 4000)], weight, 15, seed)


@lru_cache(maxsize=2)
def noisy_spikes(seed: int) -> Study:
    """Ten planted spikes in independent noise, as given embeddings."""
    M, _ = synthetic.planted_spikes((80,) * 10, 0, noise=4.0, seed=seed)
    return Study(embeddings=Embeddings(np.arange(800), svd.truncated_svd(M).embeddings(), "noisy"), seed=seed)


def _drawn(taste, weight, length, seed):
    """Contexts of a mean length, each item drawn by taste from a community and by weight within it.

    taste: (n_contexts, K), rows add up to 1; weight: (K, n_items).
    """
    rng = np.random.default_rng(seed)
    context = np.repeat(np.arange(len(taste)), 1 + rng.poisson(length - 1, len(taste)))
    community = (rng.random(len(context))[:, None] > np.cumsum(taste, axis=1)[context, :-1]).sum(axis=1)
    item = np.empty_like(context)
    for k, own in enumerate(weight):
        drawn = community == k
        item[drawn] = rng.choice(len(own), drawn.sum(), p=own / own.sum())
    return Study(build(item, context, name="made"), seed=seed)


def _playlists(seed):
    return synthetic.clean_playlists(n_items=1200, n_contexts=4000, n_communities=40, seed=seed)
