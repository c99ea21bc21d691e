"""Generated catalogues on which a claim must hold, and others on which it must fail.

A function here takes a seed and returns a :class:`~spikylib.study.Study`; the same seed gives the same
one, kept for the claims that ask for it next.
"""

from dataclasses import replace
from functools import lru_cache, partial

import numpy as np

from spikylib import nulls, svd, synthetic
from spikylib._arrays import unit_rows
from spikylib._interactions import build
from spikylib.datasets import Embeddings
from spikylib.study import Study

_CLASSES, _OF_CLASS = 15, 80  # classes, and items of each
_START, _HALF_WAY = np.datetime64("2022-01-01"), np.datetime64("2022-07-03")


@lru_cache(maxsize=2)
def communities(seed: int) -> Study:
    """Clean communities of items of varying popularity: spikes, and lists that follow them."""
    return Study(_playlists(seed), seed=seed)


@lru_cache(maxsize=2)
def many_playlists(seed: int) -> Study:
    """The same communities in half as many playlists again."""
    return Study(_playlists(seed, n_contexts=6000), seed=seed)


def sixty_four_communities(seed: int) -> Study:
    """As many clean communities as dimensions from which noise is to steepen the curve."""
    return Study(_playlists(seed, n_items=1600, n_contexts=6000, n_communities=64), seed=seed)


@lru_cache(maxsize=2)
def shuffled(seed: int) -> Study:
    """The items permuted over the interactions: popularity and nothing else."""
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


@lru_cache(maxsize=2)
def few_items(seed: int) -> Study:
    """As communities, but small, for what takes long to train."""
    return Study(_few(seed), seed=seed)


@lru_cache(maxsize=2)
def few_items_shuffled(seed: int) -> Study:
    """As shuffled, but small."""
    data = _few(seed)
    return Study(replace(data, matrix=nulls.shuffle_items(data.matrix, seed=seed)), seed=seed)


@lru_cache(maxsize=2)
def within_classes(seed: int) -> Study:
    """Contexts of one class of items each; the classes are spikes, and noise in many dimensions hides them."""
    number = np.random.default_rng(seed).integers(_CLASSES, size=(2000, 1))
    return Study(
        _of_classes(number.repeat(4, axis=1), 0.0, seed), fit=partial(_by_class, noisy=600), seed=seed
    )


@lru_cache(maxsize=2)
def across_classes(seed: int) -> Study:
    """The same spikes and noise where a context holds an item of each of three classes, never two of one."""
    number = np.random.default_rng(seed).integers(_CLASSES // 3, size=(2000, 1))
    return Study(
        _of_classes(3 * number + np.arange(3), 1.0, seed), fit=partial(_by_class, noisy=300), seed=seed
    )


@lru_cache(maxsize=2)
def few_communities(seed: int) -> Study:
    """Eight communities: lists by inner product are of the same long rows, whoever asks."""
    return Study(_playlists(seed, n_communities=8), seed=seed)


@lru_cache(maxsize=2)
def noisy(seed: int) -> Study:
    """Communities in few playlists, half of them noise: there is something to learn, and to learn wrongly."""
    return Study(_playlists(seed, n_contexts=1500, n_communities=12, noise=0.5), seed=seed)


@lru_cache(maxsize=2)
def few_playlists(seed: int) -> Study:
    """Communities in so few playlists that more of them would say more."""
    return Study(_playlists(seed, n_contexts=400), seed=seed)


@lru_cache(maxsize=2)
def nothing(seed: int) -> Study:
    """Any item in any playlist, all as popular as each other."""
    return Study(
        _playlists(seed, n_items=600, n_contexts=2000, n_communities=1, popularity_exponent=0), seed=seed
    )


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
    return _given(np.diag(np.random.default_rng(seed).uniform(0.9, 1.0, 500)))


@lru_cache(maxsize=2)
def many_communities(seed: int) -> Study:
    """Eighty communities of rank 1, alike in size."""
    taste = 0.97 * np.eye(80)[np.random.default_rng(seed).integers(0, 80, 6000)] + 0.03 / 80
    return _drawn(taste, np.kron(np.eye(80), np.arange(1, 16) ** -0.5), 10, seed)


def separate(n_communities: int, seed: int) -> Study:
    """Communities of rank 1, alike in size, of which a context has one."""
    of = np.random.default_rng(seed).integers(0, n_communities, 4000)
    weight = np.ones(600 // n_communities)
    return _drawn(np.eye(n_communities)[of], np.kron(np.eye(n_communities), weight), 15, seed)


@lru_cache(maxsize=2)
def linked(seed: int) -> Study:
    """Sixteen communities that are played together with the three that follow."""
    rng = np.random.default_rng(seed)
    one = rng.integers(0, 16, 2000)
    taste = 0.6 * np.eye(16)[one] + 0.4 * np.eye(16)[(one + rng.integers(1, 4, 2000)) % 16]
    return _drawn(taste, np.kron(np.eye(16), 1 / np.arange(1, 41)), 15, seed)


@lru_cache(maxsize=2)
def overlapping(seed: int) -> Study:
    """Sixteen communities of rank 1, of whose items many belong to another one as well, any of them."""
    rng = np.random.default_rng(seed)
    home = np.eye(16)[np.repeat(np.arange(16), 40)].T
    share = 0.8 * rng.beta(0.5, 1.0, 640)
    member = (1 - share) * home + share * np.eye(16)[rng.integers(0, 16, 640)].T
    return _drawn(np.eye(16)[rng.integers(0, 16, 2000)], member * np.tile(1 / np.arange(1, 41), 16), 15, seed)


@lru_cache(maxsize=2)
def drifting(seed: int) -> Study:
    """Eight communities whose items are played together when they are near in time, and so of higher rank."""
    rng = np.random.default_rng(seed)
    home, position = np.eye(8)[np.repeat(np.arange(8), 75)].T, rng.random(600)
    near = np.exp(-((position - np.linspace(0.025, 0.975, 20)[:, None]) ** 2) / (2 * 0.15**2))
    weight = (home[:, None] * near).reshape(160, 600) * rng.uniform(0.1, 1, 600) ** 2
    return _drawn(np.eye(160)[rng.integers(0, 160, 2000)], weight, 15, seed)


@lru_cache(maxsize=2)
def ring(seed: int) -> Study:
    """Items on a circle, played together with those close by: few dimensions say it in waves."""
    return _ring(60, 0.01, 4000, 15, seed)


@lru_cache(maxsize=2)
def narrow_ring(seed: int) -> Study:
    """The same with so few close by that an item's strongest links reach into the waves."""
    return _ring(600, 0.001, 8000, 4, seed)


def _ring(n_places, width, n_contexts, length, seed):
    rng = np.random.default_rng(seed)
    gap = np.abs(rng.random(1200) - np.arange(n_places)[:, None] / n_places)
    weight = np.exp(-(np.minimum(gap, 1 - gap) ** 2) / (2 * width**2)) * rng.uniform(0.1, 1, 1200)
    return _drawn(np.eye(n_places)[rng.integers(0, n_places, n_contexts)], weight, length, seed)


@lru_cache(maxsize=2)
def noisy_spikes(seed: int) -> Study:
    """Ten planted spikes in independent noise, as given embeddings."""
    M, _ = synthetic.planted_spikes((80,) * 10, 0, noise=4.0, seed=seed)
    return Study(embeddings=Embeddings(np.arange(800), svd.truncated_svd(M).embeddings(), "noisy"), seed=seed)


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


@lru_cache(maxsize=2)
def as_many_items_as_dimensions(seed: int) -> Study:
    """As many items as dimensions, so that M-hat is M."""
    return Study(
        synthetic.clean_playlists(n_items=100, n_contexts=1000, n_communities=8, seed=seed), seed=seed
    )


@lru_cache(maxsize=2)
def more_communities_than_dimensions(seed: int) -> Study:
    """More communities than dimensions, without noise: spikes in every dimension."""
    return Study(_playlists(seed, n_communities=150, noise=0.0), seed=seed)


@lru_cache(maxsize=2)
def long_playlists(seed: int) -> Study:
    """The same in playlists long enough to hold most of a community."""
    return Study(_playlists(seed, n_communities=160, noise=0.0, mean_length=30), seed=seed)


@lru_cache(maxsize=2)
def three_communities(seed: int) -> Study:
    """Fewer communities than dimensions, and some noise: most dimensions have no community."""
    return Study(_playlists(seed, n_communities=3, noise=0.2), seed=seed)


@lru_cache(maxsize=2)
def popular_noise(seed: int) -> Study:
    """Long playlists mostly drawn from the whole catalogue, by popularity."""
    return Study(_playlists(seed, noise=0.6, mean_length=20, popularity_exponent=1.2), seed=seed)


@lru_cache(maxsize=2)
def untidy(seed: int) -> Study:
    """Communities that overlap, and uneven noise."""
    return Study(synthetic.playlists(n_items=1200, n_contexts=6000, n_communities=80, seed=seed), seed=seed)


@lru_cache(maxsize=2)
def dense(seed: int) -> Study:
    """Few long contexts, half of them noise, as users of films: popular items meet all others, in short rows."""
    options = {"n_items": 600, "n_contexts": 300, "n_communities": 10, "mean_length": 120, "noise": 0.5}
    return Study(_playlists(seed, **options), seed=seed)


def in_sixteen_dimensions(seed: int) -> Study:
    """Communities in fewer dimensions than there are of them: no row is isolated."""
    return Study(_playlists(seed, n_communities=30), f=16, seed=seed)


def as_long_as_played(seed: int) -> Study:
    """Communities, and embeddings of any direction whose norms are the plays."""
    data = communities(seed).interactions
    plays = np.diff(data.matrix.indptr)[:, None]
    vectors = plays * unit_rows(nulls.gaussian(len(plays), 8, seed=seed))
    return Study(data, Embeddings(data.items["id"].to_numpy(), vectors, "as long as played"), seed=seed)


def wide_and_uneven(seed: int) -> Study:
    """Embeddings of any direction in four dimensions, norms of a heavy tail: the longest row is near to many."""
    norm = np.random.default_rng(seed).pareto(1, (1200, 1))
    return _given(norm * unit_rows(nulls.gaussian(1200, 4, seed=seed)))


@lru_cache(maxsize=2)
def as_many_as_a_rank(seed: int) -> Study:
    """Communities without noise, 32 of them: a rank of the grid."""
    return Study(_playlists(seed, n_communities=32, noise=0.0), seed=seed)


@lru_cache(maxsize=2)
def well_sampled(seed: int) -> Study:
    """The same in five times as many contexts: 32 dimensions hold all there is, for rare items, too."""
    return Study(_playlists(seed, n_items=600, n_communities=32, n_contexts=20_000, noise=0.0), seed=seed)


@lru_cache(maxsize=2)
def a_hundred(seed: int) -> Study:
    """A hundred communities of unequal size: their spectrum has no gap."""
    return Study(_playlists(seed, n_items=600, n_communities=100, n_contexts=10_000, noise=0.2), seed=seed)


@lru_cache(maxsize=2)
def blurred(seed: int) -> Study:
    """Communities half of whose contexts are noise: Spk rises long before recall is at its best."""
    return Study(_playlists(seed, n_contexts=3000, n_communities=80, noise=0.5), seed=seed)


def _of_classes(classes, exponent, seed):
    """Draw an item of each class that a context (a row) names, the one of rank r with weight r^-exponent."""
    weight = np.arange(1, _OF_CLASS + 1) ** -exponent
    rank = np.random.default_rng(seed).choice(_OF_CLASS, classes.shape, p=weight / weight.sum())
    item = _OF_CLASS * classes + rank
    return build(item.ravel(), np.arange(len(item)).repeat(item.shape[1]), name="classes")


def _by_class(data, seed, noisy):
    """Embed each item in the direction of its class, near those it goes with, and noise in many dimensions."""
    ids = data.items["id"].to_numpy()
    direction = np.eye(_CLASSES) + 0.2 * np.kron(np.eye(_CLASSES // 3), np.ones((3, 3)))
    noise = np.random.default_rng(seed).normal(0, 0.14, (len(ids), noisy))
    length = 1 + 0.05 * np.log1p(np.diff(data.matrix.indptr))  # so that popular ones come first
    return Embeddings(ids, np.hstack([direction[ids // _OF_CLASS], noise]) * length[:, None], data.name)


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


def _playlists(seed, **options):
    options = {"n_items": 1200, "n_contexts": 4000, "n_communities": 40} | options
    return synthetic.clean_playlists(**options, seed=seed)


def _few(seed):
    return synthetic.clean_playlists(n_items=400, n_contexts=2500, n_communities=32, seed=seed)


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
