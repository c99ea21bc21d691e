"""Claims on embeddings that people train: which are spiky, what their norms mean, and how to search them.

Each model is fitted to the 3,000 most played items, once for each rank and split, and all questions are
asked of that one training. Embedded are the items that have a neighbour in the PPMI matrix, so that all
models have the same rows.
"""

from collections.abc import Callable
from functools import lru_cache, partial, wraps

from scipy.stats import spearmanr

from spikylib import beyond, nulls, spikes
from spikylib._arrays import row_norms
from spikylib.claims import _controls as on
from spikylib.claims._advice import TENTH, hit_rate, longer_and_shorter, repeated, tests
from spikylib.claims._registry import NotApplicable, claim
from spikylib.study import Study

ITEMS = 3_000  # most played, so that all trainings take minutes
FS = (32, 64)
# the method of `beyond.factorise` with what it is told, and the package that it needs
MODELS = {
    "SVD": ({"method": "svd"}, ()),
    "SVD, unscaled": ({"method": "svd_unscaled"}, ()),
    "NMF": ({"method": "nmf"}, ()),
    "EASE": ({"method": "ease"}, ()),
    "ALS": ({"method": "als"}, ("implicit",)),
    "BPR": ({"method": "bpr"}, ("implicit",)),
    "SGNS": ({"method": "sgns"}, ("gensim",)),
    "SGNS, 5 passes": ({"method": "sgns", "passes": 5, "rate": 0.025}, ("gensim",)),  # gensim's own
}


def of_each_model(id: str, value: str, what: str = "", *, holds_on, fails_on, fs=FS, **rule) -> Callable:
    """Register a measure as a part of a claim for each model; what is generated is for the SVD."""

    def register(measure):
        for model, (_, packages) in MODELS.items():
            controls = {"holds_on": holds_on, "fails_on": fails_on} if model == "SVD" else {}
            claim(
                id,
                ", ".join(filter(None, (model, what))),
                needs={"refit", *packages},
                fs=fs,
                value=f"{value}, {model}",
                heavy=True,
                **controls,
                **rule,
            )(wraps(measure)(partial(measure, model=model)))
        return measure

    return register


@of_each_model(
    "L1",
    "Spk",
    expect="less",
    unit="%",
    against="half of the lowest null",
    holds_on=on.communities,
    fails_on=on.shuffled,
)
def is_spiky(study, seed, f, model):
    """Embeddings that are trained in other ways have a Spk of at most half that of every null.

    Nulls, one draw each: normal rows, rows of the same spectrum, rows of the same mean and covariance.
    The 3,000 most played items; replicates are splits and starts.
    """
    E = split(study, model, f, seed).study.E
    draws = [null(E, seed=seed) for null in (nulls.same_spectrum, nulls.like_normal)]
    lowest = min(map(spikes.spk, (nulls.gaussian(*E.shape, seed=seed), *draws)))
    return spikes.spk(E), lowest / 2


@of_each_model(
    "L2",
    "rank correlation of norm and plays",
    against="the bound being",
    holds_on=on.communities,
    fails_on=on.many_communities,
)
def norm_ranks_plays(study, seed, f, model):
    """The longer rows of a trained embedding are the more popular items: Spearman correlation above 0.5.

    At 0.5 two of three pairs are in the right order. Items and replicates as for L1.
    """
    part = split(study, model, f, seed).study
    return spearmanr(row_norms("E", part.E)[0], part.plays).statistic, 0.5


@of_each_model(
    "L2",
    "rank correlation of norm and degree",
    "degrees",
    fs=FS[:1],
    against="the bound being",
    holds_on=on.communities,
    fails_on=on.many_communities,
)
def norm_ranks_degrees(study, seed, f, model):
    """The longer rows of a trained embedding are the items that meet most others: Spearman correlation above 0.5.

    The degree is the sum of an item's row of the co-occurrence matrix.
    """
    part = split(study, model, f, seed).study
    X = part.interactions.matrix
    degree = (X @ (X.sum(axis=0) - 1))[part.rows]
    return spearmanr(row_norms("E", part.E)[0], degree).statistic, 0.5


@of_each_model(
    "L3",
    "recall@50 by dot product",
    margin=0.01,  # one more hit in a hundred lists
    unit="%",
    against="by cosine",
    holds_on=on.communities,
    fails_on=on.dense,
)
def dot_finds_more(study, seed, f, model):
    """Lists by dot product hold more of the hidden items than lists by cosine, whatever was trained.

    Up to 4,000 hidden items of a split. Items and replicates as for L1.
    """
    found = hits(study, model, f, seed)
    return hit_rate(found["dot"]), hit_rate(found["cosine"])


@of_each_model(
    "L4",
    "recall@50 of the less popular half by dot product",
    margin=0.01,
    unit="%",
    against="by cosine",
    holds_on=on.strangers,
    fails_on=on.untidy,
)
def dot_finds_more_rare_items(study, seed, f, model):
    """Of the less popular half of the hidden items, too, lists by dot product hold more than lists by cosine."""
    found = hits(study, model, f, seed)
    rare = found[found["rare"]]
    return hit_rate(rare["dot"]), hit_rate(rare["cosine"])


@of_each_model(
    "L5",
    "share of the list of a longer row found again after another training",
    margin=TENTH,  # shuffled items have up to eight points
    unit="%",
    against="of a shorter row",
    holds_on=on.few_communities,
    fails_on=on.linked,
)
def lists_of_long_rows_repeat(study, seed, f, model):
    """Lists by cosine of the longer half of the rows come out again from the next split, those of the shorter less."""
    found = twice(study, model, f, seed)
    long = found["norm"] > found["norm"].median()
    return found["same"][long].mean(), found["same"][~long].mean()


@of_each_model(
    "L5",
    "share of the list of a longer row found again after another training",
    "equal plays",
    fs=FS[:1],
    margin=0.05,  # shuffled items have up to four
    unit="%",
    against="of a shorter row with as many plays",
    holds_on=on.few_communities,
    fails_on=on.linked,
)
def lists_of_longer_rows_repeat(study, seed, f, model):
    """Of rows with as many plays, the lists of the longer half come out again more often."""
    return longer_and_shorter(twice(study, model, f, seed), "same", seed)


@lru_cache(maxsize=2 * len(MODELS))
def trained(study, model, f):
    """The study of the most played items with another fit; it keeps the training of its latest split."""
    data = study.most_played(ITEMS).interactions
    return Study(data, fit=partial(beyond.embed, f=f, **MODELS[model][0]))


def split(study, model, f, seed):
    """What was trained without the hidden items of a split."""
    found = trained(study, model, f).split(seed)
    if len(found.study.E) < 4 * f:
        raise NotApplicable(f"{4 * f} items with neighbours")
    return found


def hits(study, model, f, seed):
    """Which hidden items of a split are found, by both similarities."""
    split(study, model, f, seed)  # refuses too few items
    return tests(trained(study, model, f), seed)


@lru_cache(maxsize=2 * len(MODELS))
def twice(study, model, f, seed):
    """How much of an item's list comes out again from the next seed's split and start."""
    first, second = (split(study, model, f, s).study for s in (seed, seed + 1))
    return repeated(first, second, seed)
