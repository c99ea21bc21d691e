"""Claims of chapter 7: how well the mean of some items stands for them."""

from functools import lru_cache

import numpy as np
from scipy.special import ndtr, ndtri

from spikylib import beyond, consistency, nulls
from spikylib.claims import _controls
from spikylib.claims._registry import NotApplicable, claim

# Consistency is the share of averaged items that their mean finds again. Two points of it are one
# item more in fifty, and less than the scatter of the poster's points.
_POINTS = 0.02
_SUBSETS = 500  # averaged for one number
_SHARE = {"unit": "%", "margin": _POINTS}


# the closed form (A1), and what moves it in theory (A2 to A5) -------------------------------------


@claim(
    "A1",
    "the poster's form, 128 dimensions",
    expect="equal",
    **_SHARE,
    value="largest gap between closed form and simulation",
    against="an exact form would have",
)
def closed_form_of_many_dimensions(study, seed):
    """The closed form gives the consistency of normal, uniform and Rademacher coordinates, d = 128, k = 10.

    Replicates are fresh embeddings of 1,000 items. Source: poster, "How?", 2.
    """
    kinds = ((lambda z: z, 3.0), (lambda z: 2 * ndtr(z) - 1, 1.8), (np.sign, 1.0))
    gaps = [
        simulated(1000, 128, 10, seed, shape) - consistency.theoretical(1000, 128, 10, kurtosis=kurtosis)
        for shape, kurtosis in kinds
    ]
    return max(gaps, key=abs), 0.0


@claim(
    "A1",
    "the poster's form, 16 dimensions",
    expect="equal",
    **_SHARE,
    value="consistency of 5 of 1,000 normal rows",
    against="by the closed form",
)
def closed_form_of_few_dimensions(study, seed):
    """The closed form gives the consistency of normal coordinates also at d = 16, k = 5.

    It takes the scores of items as independent, though one mean scores them all, and their sums as normal.
    """
    return simulated(1000, 16, 5, seed), consistency.theoretical(1000, 16, 5)


@claim(
    "A1",
    "the form given the mean, 16 dimensions",
    expect="equal",
    **_SHARE,
    value="consistency of 5 of 1,000 normal rows",
    against="by the form that conditions on the mean",
)
def conditional_form_of_few_dimensions(study, seed):
    """Conditioned on the mean, the closed form gives the consistency of normal coordinates at d = 16, k = 5.

    Source: this book, chapter 7.
    """
    return simulated(1000, 16, 5, seed), consistency.theoretical(1000, 16, 5, form="conditional")


@claim(
    "A2",
    "in theory",
    **_SHARE,
    value="consistency of normal rows of 64 dimensions",
    against="of 16 dimensions",
)
def rises_with_dimensions(study, seed):
    """Five of 1,000 normal rows are more consistent in 64 dimensions than in 16.

    Replicates are fresh embeddings. Source: poster, "How?", 2.
    """
    return simulated(1000, 64, 5, seed), simulated(1000, 16, 5, seed)


@claim(
    "A3",
    "items, in theory",
    expect="less",
    **_SHARE,
    value="consistency among 1,000 normal rows",
    against="among 100",
)
def falls_with_items(study, seed):
    """Five normal rows of 64 dimensions are less consistent among 1,000 than among 100.

    Replicates are fresh embeddings. Source: poster, "How?", 2.
    """
    return simulated(1000, 64, 5, seed), simulated(100, 64, 5, seed)


@claim(
    "A3",
    "items averaged, in theory",
    expect="less",
    **_SHARE,
    value="consistency of 50 normal rows averaged",
    against="of 5",
)
def falls_with_members(study, seed):
    """Fifty of 1,000 normal rows of 64 dimensions are less consistent than five.

    Replicates are fresh embeddings. Source: poster, "How?", 2. At k = n the consistency is 1 again.
    """
    return simulated(1000, 64, 50, seed), simulated(1000, 64, 5, seed)


@claim(
    "A4",
    "in theory",
    expect="less",
    **_SHARE,
    value="consistency of rows of kurtosis 35/3",
    against="of normal rows",
)
def falls_with_kurtosis(study, seed):
    """Five of 1,000 rows whose coordinates are z|z|, z normal, are less consistent than where they are z.

    The kurtosis of z|z| is 35/3, of z 3. Replicates are fresh embeddings. Source: poster, "How?", 2.
    """
    return simulated(1000, 64, 5, seed, lambda z: z * np.abs(z)), simulated(1000, 64, 5, seed)


@claim(
    "A5",
    "in theory",
    unit="%",
    value="consistency of 2 of 1,000 normal rows of 64 dimensions",
    against='"close to 1" being',
)
def close_to_one_in_theory(study, seed):
    """Two of 1,000 normal rows of 64 dimensions have a consistency of at least 0.9.

    Replicates are fresh embeddings. In 8 dimensions they have 0.3. Source: poster, "How?", 2.
    """
    return simulated(1000, 64, 2, seed), 0.9


# a member against an outsider ----------------------------------------------------------------------


@claim(
    "A6",
    "above one half",
    unit="%",
    value="pairs of which the member is closer",
    against="a coin giving",
)
def member_wins(study, seed):
    """A member of ten items is closer to their mean than an outsider in more than half of all draws, on spiky rows.

    Proved for any rows without duplicates; counted on generated playlists. Source: poster, "How?", 2.
    """
    return wins(_controls.communities(seed).E, 10, seed)[0], 0.5


@claim(
    "A6",
    "the identity",
    expect="equal",
    margin=0.01,
    unit="%",
    value="pairs of which the member is closer",
    against="by the theorem",
)
def member_wins_as_the_theorem_says(study, seed):
    """With D = u - v and r = mu - D / 2k the member u is closer with probability 1/2 + 1/2 P(|D.r| < |D|^2 / 2k).

    Both sides are counted on generated playlists. Source: this book, chapter 7.
    """
    return wins(_controls.communities(seed).E, 10, seed)


# on embeddings of a catalogue ----------------------------------------------------------------------


@claim(
    "A2",
    "a catalogue, inner product",
    needs={"E"},
    **_SHARE,
    value="consistency in all dimensions",
    against="in the first quarter of them",
    holds_on=_controls.normal_rows,
    fails_on=_controls.few_dimensions,
)
def catalogue_rises_with_dimensions(study, seed):
    """The mean of five items finds more of them by inner product in all dimensions than in the first quarter.

    Replicates are draws of the items. Source: poster, "How?", 2, stated there of independent coordinates.
    """
    return measured(study.E, 5, seed), measured(first_quarter(study.E), 5, seed)


@claim(
    "A2",
    "a catalogue, cosine",
    needs={"E"},
    **_SHARE,
    value="consistency in all dimensions",
    against="in the first quarter of them",
    holds_on=_controls.normal_rows,
    fails_on=_controls.few_dimensions,
)
def catalogue_rises_with_dimensions_by_cosine(study, seed):
    """The mean of five items finds more of them by cosine in all dimensions than in the first quarter."""
    return measured(study.E, 5, seed, "cosine"), measured(first_quarter(study.E), 5, seed, "cosine")


@claim(
    "A3",
    "items of a catalogue",
    needs={"E"},
    expect="less",
    **_SHARE,
    value="consistency among all items",
    against="among a tenth of them",
    holds_on=_controls.normal_rows,
    fails_on=_controls.own_axes,
)
def catalogue_falls_with_items(study, seed):
    """The mean of five items finds fewer of them by inner product among all items than among a tenth.

    It cannot find more: every item is one more to beat. Replicates are draws of the tenth and of the items.
    """
    tenth = np.random.default_rng(seed).choice(len(study.E), len(study.E) // 10, replace=False)
    return measured(study.E, 5, seed), measured(study.E[np.sort(tenth)], 5, seed)


@claim(
    "A3",
    "items averaged of a catalogue, inner product",
    needs={"E"},
    expect="less",
    **_SHARE,
    value="consistency of 50 items averaged",
    against="of 5",
    holds_on=_controls.normal_rows,
    fails_on=_controls.own_axes,
)
def catalogue_falls_with_members(study, seed):
    """The mean of fifty items finds a smaller share of them by inner product than the mean of five."""
    return measured(study.E, 50, seed), measured(study.E, 5, seed)


@claim(
    "A3",
    "items averaged of a catalogue, cosine",
    needs={"E"},
    expect="less",
    **_SHARE,
    value="consistency of 50 items averaged",
    against="of 5",
    holds_on=_controls.normal_rows,
    fails_on=_controls.own_axes,
)
def catalogue_falls_with_members_by_cosine(study, seed):
    """The mean of fifty items finds a smaller share of them by cosine than the mean of five."""
    return measured(study.E, 50, seed, "cosine"), measured(study.E, 5, seed, "cosine")


@claim(
    "A4",
    "a catalogue",
    needs={"E"},
    expect="less",
    **_SHARE,
    value="consistency of the rows as they are",
    against="with each coordinate brought to kurtosis 3",
    holds_on=_controls.communities,
    fails_on=_controls.normal_rows,
)
def catalogue_falls_with_kurtosis(study, seed):
    """The mean of five items finds fewer of them by inner product than after each coordinate is made normal.

    Null: normal scores, which leave the order of the items along each coordinate and its spread.
    Replicates are draws of the items. Source: poster, "How?", 2.
    """
    return measured(study.E, 5, seed), measured(normal_scores(study), 5, seed)


@claim(
    "A5",
    "a catalogue, inner product",
    needs={"E"},
    unit="%",
    value="consistency of 2 items",
    against='"close to 1" being',
    holds_on=_controls.normal_rows,
    fails_on=_controls.communities,
)
def catalogue_close_to_one(study, seed):
    """The mean of two items finds at least 90 % of them by inner product.

    Replicates are draws of the items. Source: poster, "How?", 2, stated there of independent coordinates.
    """
    return measured(study.E, 2, seed, n_subsets=4 * _SUBSETS), 0.9


@claim(
    "A5",
    "a catalogue, cosine",
    needs={"E"},
    unit="%",
    value="consistency of 2 items",
    against='"close to 1" being',
    holds_on=_controls.normal_rows,
    fails_on=_controls.communities,
)
def catalogue_close_to_one_by_cosine(study, seed):
    """The mean of two items finds at least 90 % of them by cosine."""
    return measured(study.E, 2, seed, "cosine"), 0.9


@claim(
    "A7",
    "2 items, inner product",
    needs={"E"},
    expect="less",
    **_SHARE,
    value="consistency of 2 items",
    against="with the same numbers in any place",
    holds_on=_controls.communities,
    fails_on=_controls.normal_rows,
)
def two_are_less_consistent_than_in_theory(study, seed):
    """The mean of two items finds fewer of them by inner product than coordinates independent and alike would let it.

    Null: all n d numbers of the embedding permuted, which has its moments and no structure.
    Replicates are permutations and draws of the items. Source: poster, "How?", 3.
    """
    return measured(study.E, 2, seed, n_subsets=4 * _SUBSETS), measured(
        permuted(study.E, seed), 2, seed, n_subsets=4 * _SUBSETS
    )


@claim(
    "A7",
    "10 items, inner product",
    needs={"E"},
    expect="less",
    **_SHARE,
    value="consistency of 10 items",
    against="with the same numbers in any place",
    holds_on=_controls.communities,
    fails_on=_controls.normal_rows,
)
def ten_are_less_consistent_than_in_theory(study, seed):
    """The mean of ten items finds fewer of them by inner product than coordinates independent and alike would let it."""
    return measured(study.E, 10, seed), measured(permuted(study.E, seed), 10, seed)


@claim(
    "A7",
    "10 items, cosine",
    needs={"E"},
    expect="less",
    **_SHARE,
    value="consistency of 10 items",
    against="with the same numbers in any place",
    holds_on=_controls.communities,
    fails_on=_controls.normal_rows,
)
def ten_are_less_consistent_by_cosine(study, seed):
    """The mean of ten items finds fewer of them by cosine than coordinates independent and alike would let it."""
    return measured(study.E, 10, seed, "cosine"), measured(permuted(study.E, seed), 10, seed, "cosine")


@claim(
    "A8",
    "ALS is steady",
    needs={"svd", "implicit"},
    expect="equal",
    margin=0.25,  # of the consistency at 5: what the poster's curve of ALS varies by
    value="consistency of ALS at 50 items over that at 5",
    against="a steady one having",
    heavy=True,
    holds_on=_controls.communities,
    fails_on=_controls.shuffled,
)
def als_is_steady(study, seed):
    """By inner product the consistency of ALS is about the same for fifty items as for five.

    64 dimensions. Replicates are random starts and draws of the items. Source: poster, "How?", 3.
    """
    X = study.interactions.matrix[study.rows]
    return over_five(beyond.factorise(None, X, min(64, len(study.E)), method="als", seed=seed), seed), 1.0


@claim(
    "A8",
    "SVD declines",
    needs={"svd"},
    expect="less",
    margin=0.25,
    value="consistency of SVD at 50 items over that at 5",
    against="a steady one having",
    holds_on=_controls.shuffled,
    fails_on=_controls.few_communities,
)
def svd_declines(study, seed):
    """By inner product the consistency of SVD is lower for fifty items than for five.

    64 dimensions. Replicates are draws of the items. Source: poster, "How?", 3.
    """
    return over_five(study.E[:, :64], seed), 1.0


# what they measure with ----------------------------------------------------------------------------


def simulated(n, d, k, seed, shape=lambda z: z):
    """Mean consistency of twenty fresh embeddings whose coordinates are a function of normal ones."""
    fresh = (shape(nulls.gaussian(n, d, seed=s)) for s in range(20 * seed, 20 * seed + 20))
    return np.mean([consistency.empirical(E, k, n_subsets=200, seed=s).mean for s, E in enumerate(fresh)])


def measured(E, k, seed, similarity="dot", n_subsets=_SUBSETS):
    """Consistency of an embedding, where it is well above that of a list of nearly all items."""
    if len(E) < 10 * k:
        raise NotApplicable(f"{10 * k} items")
    return consistency.empirical(E, k, n_subsets=n_subsets, similarity=similarity, seed=seed).mean


def over_five(E, seed):
    """Consistency at fifty items over that at five, of each what is above chance, which is k / n."""
    # more subsets of five, which are fewer items
    drawn = {50: _SUBSETS, 5: 4 * _SUBSETS}
    of_fifty, of_five = (
        (measured(E, k, seed, n_subsets=drawn[k]) - k / len(E)) / (1 - k / len(E)) for k in drawn
    )
    if of_five <= 0:
        raise NotApplicable("a mean of five items that finds more of them than chance")
    return of_fifty / of_five


def first_quarter(E):
    """First quarter of the columns."""
    if E.shape[1] < 8:
        raise NotApplicable("8 dimensions")
    return E[:, : E.shape[1] // 4]


def permuted(E, seed):
    """The numbers of an embedding, each in any place."""
    return np.random.default_rng(seed).permutation(E.ravel()).reshape(E.shape)


@lru_cache(maxsize=1)
def normal_scores(study):
    """Embeddings whose coordinates are normal, with the order of the items and the spread of each as they were."""
    rank = np.argsort(np.argsort(study.E, axis=0, kind="stable"), axis=0)
    return ndtri((rank + 0.5) / len(rank)) * study.E.std(axis=0)


def wins(E, k, seed, draws=20_000):
    """Share of draws in which a member beats an outsider, counted and by the theorem."""
    rng = np.random.default_rng(seed)
    picks = np.array([rng.choice(len(E), k + 1, replace=False) for _ in range(draws)])
    mean = sum(E[column] for column in picks[:, :k].T) / k
    D = E[picks[:, 0]] - E[picks[:, k]]
    half = (D**2).sum(axis=1) / (2 * k)
    product = (D * (mean - D / (2 * k))).sum(axis=1)
    return (half + product > 0).mean(), 0.5 + 0.5 * (np.abs(product) < half).mean()
