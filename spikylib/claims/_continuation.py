"""Claims of chapter 8: a playlist recommender of three dimensions and two biases."""

from functools import lru_cache

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.special import expit
from scipy.stats import spearmanr

from spikylib import continuation, nulls, retrieval
from spikylib.claims import _controls
from spikylib.claims._registry import NotApplicable, claim
from spikylib.datasets import Interactions

_PLAYLISTS = 5000  # learnt from, drawn with the seed: as many as in the slides
_MEASURED = 2000  # of them
_FUSED = 1000  # of those, where several rankings are fused
# Of a hundred recommended tracks nobody notices half a hit more, so two hidden tracks of a hundred
# is the smallest difference in accuracy that matters.
_ACCURACY = {"unit": "%", "margin": 0.02, "heavy": True}
_NEEDS = frozenset({"interactions", "implicit"})


# what is on paper ----------------------------------------------------------------------------------


@claim(
    "D1",
    "the model",
    expect="equal",
    margin=1e-6,
    seeds=5,
    value="largest deviation from sigmoid(p . t + b_p + b_t)",
    against="the formula having",
)
def probability_is_the_sigmoid(study, seed):
    """A track is in a playlist with probability sigmoid(p . t + b_p + b_t).

    Replicates are random factors and biases. Source: slides, "Final model specification".
    """
    rng = np.random.default_rng(seed)
    shapes = ((30, 3), (20, 3), (30,), (20,))
    T, P, t, p = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    i, j = np.indices((30, 20)).reshape(2, -1)
    literal = [1 / (1 + np.exp(-float(T[a] @ P[b] + t[a] + p[b]))) for a, b in zip(i, j)]
    model = continuation.LogisticMF(T, P, t, p)
    gaps = (model.probability(i, j) - literal, expit(model(np.arange(20))[j, i]) - literal)
    return np.abs(gaps).max(), 0.0


@claim(
    "D1",
    "parameter counts",
    expect="equal",
    seeds=1,
    unit="thousand",
    value="parameters for 645,802 tracks and 5,000 playlists",
    against="in the slides",
)
def parameters_add_up(study, seed):
    """With three dimensions and two biases the model has the 2,603,208 parameters of the slides.

    Nothing is random in it. Source: slides, "The structure of our model".
    """
    tracks, playlists = 645_802, 5000
    shapes = ((tracks, 3), (playlists, 3), (tracks,), (playlists,))
    model = continuation.LogisticMF(*(np.zeros(shape, np.float32) for shape in shapes))
    return sum(layer.size for layer in vars(model).values()) / 1000, 2603.208


@claim(
    "D9",
    expect="equal",
    seeds=1,
    value="numbers of matches that differ from (2, 0, 1)",
    against="the slides having",
)
def content_based_example(study, seed):
    """Three apps share 2, 0 and 1 of the features that a user likes.

    Nothing is random in it. Source: slides, "Content-Based Filtering".
    """
    apps = np.array([[1, 0, 0, 0, 1, 0], [0, 1, 0, 1, 0, 0], [0, 0, 1, 0, 0, 1]])
    user = np.array([1, 0, 0, 0, 1, 1])
    return np.sum(apps @ user != (2, 0, 1)), 0


# the comparison ------------------------------------------------------------------------------------


@claim(
    "D2",
    "artists",
    needs=_NEEDS | {"artist"},
    **_ACCURACY,
    value="hidden tracks that the model finds",
    against="tracks of the same artist",
    holds_on=_controls.artists_anywhere,
    fails_on=_controls.artists_of_communities,
)
def model_beats_same_artist(study, seed):
    """Among 100 recommended tracks the model has more of the hidden ones than tracks of the same artists.

    Replicates are draws of playlists, splits and starts. Source: slides, "Comparison to Baseline Models".
    """
    same = continuation.same_label(sample(study, seed).train, labels(study, seed, "artist"))
    return found(study, seed), accuracy(same, sample(study, seed))


@claim(
    "D2",
    "artists, less popular half",
    needs=_NEEDS | {"artist"},
    **_ACCURACY,
    value="less popular hidden tracks that the model finds",
    against="tracks of the same artist",
    holds_on=_controls.artists_anywhere,
    fails_on=_controls.artists_of_communities,
)
def model_beats_same_artist_on_less_popular(study, seed):
    """Of the less popular half of the hidden tracks, too, the model has more than tracks of the same artists."""
    parts, rare = sample(study, seed), less_popular(sample(study, seed))
    same = continuation.same_label(parts.train, labels(study, seed, "artist"))
    return accuracy(fitted(study, seed), parts, rare), accuracy(same, parts, rare)


@claim(
    "D2",
    "albums",
    needs=_NEEDS | {"artist"},
    **_ACCURACY,
    value="hidden tracks that the model finds",
    against="tracks of the same album",
    holds_on=_controls.artists_anywhere,
    fails_on=_controls.artists_of_communities,
)
def model_beats_same_album(study, seed):
    """Among 100 recommended tracks the model has more of the hidden ones than tracks of the same albums."""
    same = continuation.same_label(sample(study, seed).train, labels(study, seed, "album"))
    return found(study, seed), accuracy(same, sample(study, seed))


@claim(
    "D2",
    "popularity",
    needs=_NEEDS,
    **_ACCURACY,
    value="hidden tracks that the model finds",
    against="the most popular tracks",
    holds_on=_controls.communities,
    fails_on=_controls.shuffled,
)
def model_beats_popularity(study, seed):
    """Among 100 recommended tracks the model has more of the hidden ones than the most popular tracks.

    Null: one list for everybody, which the slides leave out.
    """
    parts = sample(study, seed)
    return found(study, seed), accuracy(continuation.popularity(parts.train), parts)


# the pictures --------------------------------------------------------------------------------------


@claim(
    "D3",
    needs=_NEEDS,
    margin=0.1,
    heavy=True,
    value="distance of the five least fitting tracks from the rest of the playlist, in spreads",
    against="of the five lowest along a random direction",
    holds_on=_controls.strangers,
    fails_on=_controls.shuffled,
)
def least_fitting_lie_apart(study, seed):
    """A playlist's five least fitting tracks lie farther from its others than the five lowest along any direction.

    Null: a random direction, for the lowest of any linear score have an area of their own. Replicates
    are draws of playlists and starts. Source: slides, "investigating the embedding weights", 1.
    """
    parts, model = sample(study, seed), fitted(study, seed)
    rng, distances = np.random.default_rng(seed), []
    for playlist, own in enumerate(tracks_of(parts.train)[:_MEASURED]):
        if len(own) >= 10:
            points = model.tracks[own]
            scores = model(np.array([playlist]))[0, own], points @ rng.standard_normal(3)
            distances.append([apart(points, score) for score in scores])
    if len(distances) < 50:
        raise NotApplicable("fifty contexts of ten items")
    return np.mean(distances, axis=0)


@claim(
    "D4",
    needs=_NEEDS,
    unit="%",
    margin=0.05,
    heavy=True,
    value="hidden tracks nearer to their own playlist than to another",
    against="after the items were shuffled",
    holds_on=_controls.communities,
    fails_on=_controls.nothing,
)
def playlists_lie_apart(study, seed):
    """A hidden track is nearer, in the model's three dimensions, to its playlist's mean than to another's.

    Null: the model fitted to shuffled items. Replicates are draws of playlists, splits and starts.
    Source: slides, "investigating the embedding weights", 2.
    """
    parts = sample(study, seed)
    mixed = continuation.split(
        nulls.shuffle_items(parts.train + parts.validation + parts.test, seed=seed), seed=seed
    )
    of_mixed = continuation.fit(mixed.train, seed=seed)
    return on_own_side(fitted(study, seed).tracks, parts, seed), on_own_side(of_mixed.tracks, mixed, seed)


@claim(
    "D5",
    needs=_NEEDS,
    margin=0.2,
    heavy=True,
    value="rank correlation of the bias with the number of playlists that hide the track",
    against="of its mean inner product with all playlists",
    holds_on=_controls.communities,
    fails_on=_controls.nothing,
)
def biases_take_up_popularity(study, seed):
    """A track's popularity among hidden pairs follows its bias, more than its factors.

    Were popularity in the factors, their inner product with the mean playlist would follow it.
    Replicates are draws of playlists, splits and starts. Source: slides, "Adding bias layers".
    """
    parts, model = sample(study, seed), fitted(study, seed)
    seen = np.diff(parts.train.indptr) > 0
    hidden = np.diff((parts.validation + parts.test).indptr)[seen]
    in_factors = model.tracks[seen] @ model.playlists.mean(axis=0)
    by_bias, by_factors = (spearmanr(by, hidden).statistic for by in (model.track_bias[seen], in_factors))
    return by_bias, abs(by_factors)


# the proposals -------------------------------------------------------------------------------------


@claim(
    "D6",
    "overfits",
    needs=_NEEDS,
    **(_ACCURACY | {"margin": 0.05}),  # a quarter of the gap in the slides
    value="training tracks that the model finds",
    against="hidden tracks",
    holds_on=_controls.noisy,
    fails_on=_controls.strangers,
)
def model_overfits(study, seed):
    """Among 100 recommended tracks the three-dimensional model has more of its training tracks than of the hidden ones.

    Replicates are draws of playlists, splits and starts. Source: slides, "areas for improvement".
    """
    parts, model = sample(study, seed), fitted(study, seed)
    nothing = sp.csr_array(parts.train.shape)
    return accuracy(model, parts, parts.train, seen=nothing), found(study, seed)


@claim(
    "D6",
    "regularisation",
    needs=_NEEDS,
    **_ACCURACY,
    value="hidden tracks found with the penalty that validation picks",
    against="with the default penalty",
    holds_on=_controls.noisy,
    fails_on=_controls.nothing,
)
def regularisation_helps(study, seed):
    """A penalty of 3 or 10, where validation prefers it, finds more hidden tracks than the default of 0.6.

    Three dimensions. Replicates are draws of playlists, splits and starts.
    """
    penalties = (0.6, 3.0, 10.0)
    picked = best([fitted(study, seed, penalty) for penalty in penalties], sample(study, seed))
    return found(study, seed, penalties[picked]), found(study, seed)


@claim(
    "D6",
    "regularisation, 16 dimensions",
    needs=_NEEDS,
    **_ACCURACY,
    value="hidden tracks found with a penalty of 3",
    against="with the default penalty",
    holds_on=_controls.noisy,
    fails_on=_controls.nothing,
)
def regularisation_helps_in_many_dimensions(study, seed):
    """In 16 dimensions a penalty of 3 finds more hidden tracks than the default of 0.6."""
    return found(study, seed, 3.0, dim=16), found(study, seed, dim=16)


@claim(
    "D6",
    "more data",
    needs=_NEEDS,
    **_ACCURACY,
    value="hidden tracks found after learning from all playlists drawn",
    against="from a third of them",
    holds_on=_controls.few_playlists,
    fails_on=_controls.nothing,
)
def more_data_helps(study, seed):
    """Learnt from three times as many playlists the model finds more hidden tracks.

    Measured on the same third. Replicates are draws of playlists, splits and starts.
    """
    parts = sample(study, seed)
    third = continuation.Split(*(part[:, : part.shape[1] // 3] for part in parts))
    some = np.arange(min(_MEASURED, third.train.shape[1]))
    models = (fitted(study, seed), parts), (continuation.fit(third.train, seed=seed), third)
    return tuple(
        accuracy(model, own, own.validation + own.test, seen=own.train, playlists=some)
        for model, own in models
    )


@claim("D7", "followers", untested="No open dataset at hand counts the followers of its playlists.")
def weights_by_followers(study, seed):
    """Weighting playlists by their followers finds more hidden tracks."""


@claim(
    "D7",
    "position",
    needs=_NEEDS | {"dates"},
    **_ACCURACY,
    value="hidden tracks found with weights that fall with the place in the playlist",
    against="with equal weights",
    holds_on=_controls.best_first,
    fails_on=_controls.in_any_order,
)
def weights_by_position(study, seed):
    """Weighting tracks by their place in the playlist, the earlier the more, finds more hidden tracks.

    Replicates are draws of playlists, splits and starts. Source: slides, "areas for improvement".
    """
    parts = sample(study, seed)
    weighted = continuation.fit(continuation.split(place_weights(study, seed), seed=seed).train, seed=seed)
    return accuracy(weighted, parts), found(study, seed)


@claim(
    "D8",
    "than its average part",
    needs=_NEEDS | {"refit"},
    **_ACCURACY,
    value="hidden tracks that the ensemble finds",
    against="its parts on average",
    holds_on=_controls.communities,
    fails_on=_controls.nothing,
)
def ensemble_beats_its_average(study, seed):
    """Ranks of the model, of item neighbours and of the mean of SVD rows, fused, find more than the three on average.

    Replicates are draws of playlists, splits and starts. Source: slides, "Ensemble methods"; fusion by
    reciprocal ranks.
    """
    of = ensemble(study, seed)["all"]
    return of["fused"], of["mean"]


@claim(
    "D8",
    "than its average part, less popular half",
    needs=_NEEDS | {"refit"},
    **_ACCURACY,
    value="less popular hidden tracks that the ensemble finds",
    against="its parts on average",
    holds_on=_controls.communities,
    fails_on=_controls.nothing,
)
def ensemble_beats_its_average_on_less_popular(study, seed):
    """Of the less popular half of the hidden tracks, too, the three fused find more than the three on average."""
    of = ensemble(study, seed)["less popular"]
    return of["fused"], of["mean"]


@claim(
    "D8",
    "than its best part",
    needs=_NEEDS | {"refit"},
    **_ACCURACY,
    value="hidden tracks that the ensemble finds",
    against="the part that is best in validation",
    holds_on=_controls.noisy,
    fails_on=_controls.nothing,
)
def ensemble_beats_its_best(study, seed):
    """The three fused find more hidden tracks than the one of them that validation picks."""
    of = ensemble(study, seed)["all"]
    return of["fused"], of["best"]


# what they measure with ----------------------------------------------------------------------------


def drawn(study, seed):
    """Contexts of at least five items, drawn at random, and the items in one of them."""
    X = study.interactions.matrix
    long = np.flatnonzero(np.bincount(X.indices, minlength=X.shape[1]) >= 5)
    if len(long) < 100:
        raise NotApplicable("a hundred contexts of five items")
    chosen = np.random.default_rng(seed).permutation(long)[:_PLAYLISTS]
    return np.flatnonzero(np.diff(X[:, chosen].indptr)), chosen


@lru_cache(maxsize=2)
def sample(study, seed):
    """Those contexts, a tenth of each hidden for validation and a tenth for the test."""
    rows, chosen = drawn(study, seed)
    return continuation.split(study.interactions.matrix[rows][:, chosen], seed=seed)


@lru_cache(maxsize=5)
def fitted(study, seed, penalty=0.6, dim=3):
    """The slides' model of the training tracks."""
    return continuation.fit(sample(study, seed).train, dim=dim, regularization=penalty, seed=seed)


@lru_cache(maxsize=5)
def found(study, seed, penalty=0.6, dim=3):
    """Accuracy of the model on the test."""
    return accuracy(fitted(study, seed, penalty, dim), sample(study, seed))


def accuracy(scorer, parts, hidden=None, *, seen=None, playlists=None):
    """Share of hidden pairs among the hundred tracks recommended, or a tenth where they are few; the test's by default."""
    seen = parts.train + parts.validation if seen is None else seen
    hidden = parts.test if hidden is None else hidden
    playlists = np.arange(min(_MEASURED, hidden.shape[1])) if playlists is None else playlists
    playlists = playlists[np.bincount(hidden.indices, minlength=hidden.shape[1])[playlists] > 0]
    n_yes = max(1, min(100, hidden.shape[0] // 10))
    own = seen[:, playlists], hidden[:, playlists]
    return continuation.evaluate(lambda some: scorer(playlists[some]), *own, n_yes=n_yes)["accuracy"]


def less_popular(parts):
    """Hidden pairs of the test whose track is in no more training playlists than that of half of them."""
    counts = np.diff(parts.train.indptr)[parts.test.nonzero()[0]]
    row, col = parts.test.nonzero()
    few = counts <= np.median(counts)
    return sp.csr_array((parts.test.data[few], (row[few], col[few])), parts.test.shape)


def labels(study, seed, column):
    """Artist or album of the tracks of a sample."""
    items = study.interactions.items
    if column not in items:
        raise NotApplicable(f"the {column} of each item")
    named = items[column][items[column].fillna("").astype(str) != ""]
    if not named.duplicated().mean() > 0.1:
        raise NotApplicable(f"items that share their {column} with others")
    return items[column].to_numpy()[drawn(study, seed)[0]]


def tracks_of(X):
    """Tracks of each playlist."""
    X = sp.csc_array(X)
    return np.split(X.indices, X.indptr[1:-1])


def apart(points, score):
    """Distance of the five of lowest score from the mean of the others, in spreads of all."""
    low = np.argsort(score, kind="stable")[:5]
    gap = points[low].mean(axis=0) - np.delete(points, low, axis=0).mean(axis=0)
    return np.linalg.norm(gap) / np.sqrt(points.var(axis=0).sum())


def on_own_side(tracks, parts, seed):
    """Share of hidden tracks, known from training, nearer to the mean direction of their playlist than of another."""
    unit = retrieval.temper_norms(tracks, 0)
    means = retrieval.temper_norms(parts.train.T @ unit, 0)
    track, playlist = (parts.validation + parts.test).nonzero()
    known = np.diff(parts.train.indptr)[track] > 0
    track, playlist = track[known], playlist[known]
    step = np.random.default_rng(seed).integers(1, len(means), len(track))  # to another playlist
    own, other = ((unit[track] * means[p]).sum(axis=1) for p in (playlist, (playlist + step) % len(means)))
    return (own > other).mean()


def best(scorers, parts, playlists=None):
    """Number of the scorer that finds most of the validation tracks."""
    options = {"hidden": parts.validation, "seen": parts.train, "playlists": playlists}
    return np.argmax([accuracy(scorer, parts, **options) for scorer in scorers])


def place_weights(study, seed):
    """The sample with weights that fall with the place of a track in its playlist."""
    data = study.interactions
    rows, chosen = drawn(study, seed)
    moments = None if data.times is None else pd.Series(data.times).groupby(data.matrix.indices).nunique()
    if moments is None or (moments[chosen] == 1).mean() > 0.5:
        raise NotApplicable("an order of the items within a context")
    return continuation.position_weights(data.matrix, data.times)[rows][:, chosen]


@lru_cache(maxsize=1)
def ensemble(study, seed):
    """Accuracy of three scorers fused, of their mean and of the best in validation; all and less popular tracks."""
    parts = sample(study, seed)
    rows, chosen = drawn(study, seed)
    items, contexts = study.interactions.items, study.interactions.contexts
    visible = study.refit(Interactions(parts.train, items.iloc[rows], contexts.iloc[chosen]))
    scorers = (
        fitted(study, seed),
        continuation.item_knn(parts.train),
        continuation.nearest(parts.train, visible.E, rows=visible.rows),
    )
    some = np.arange(min(_FUSED, len(chosen)))
    scores = [scorer(some) for scorer in scorers]  # once, for what follows ranks them several times
    alone = [table.__getitem__ for table in scores]
    scores.append(continuation.fuse(*alone)(some))
    picked, result = best(alone, parts, some), {}
    for name, hidden in (("all", parts.test), ("less popular", less_popular(parts))):
        *of, fused = (accuracy(table.__getitem__, parts, hidden, playlists=some) for table in scores)
        result[name] = {"fused": fused, "best": of[picked], "mean": np.mean(of)}
    return result
