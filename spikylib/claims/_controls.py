"""Generated catalogues on which a claim must hold, and others on which it must fail.

A function here takes a seed and returns a :class:`~spikylib.study.Study`; the same seed gives the same
one, kept for the claims that ask for it next.
"""

from dataclasses import replace
from functools import lru_cache

from spikylib import nulls, synthetic
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


def _playlists(seed):
    return synthetic.clean_playlists(n_items=1200, n_contexts=4000, n_communities=40, seed=seed)
