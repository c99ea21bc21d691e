"""Claims on what the sources name and did not test: other uses of the rows, votes, filters, other peaks."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import scipy.sparse as sp

from spikylib import beyond, continuation, dcbm, retrieval
from spikylib._arrays import row_norms
from spikylib._interactions import build
from spikylib.claims import _advice, _controls
from spikylib.claims._registry import NotApplicable, claim
from spikylib.datasets import Embeddings, Interactions
from spikylib.study import Study

K = 50  # length of a list
ONE_HIT = 0.01  # in a hundred lists
CONTEXTS, FEWEST = 1000, 100  # of which one item is asked for: at most, and at least
HISTORY = 10  # items that make a history
ROWS, F = 10_000, 32  # rows and dimensions in which peaks are tried in other orders


# controls of their own --------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def artists_of_three(seed: int) -> Study:
    """Items are artists, of three communities: the cosine hardly tells those of one community apart."""
    return _relabelled(_controls.three_communities(seed), artist=lambda items: items["id"].astype(str))


@lru_cache(maxsize=2)
def artists_of_many(seed: int) -> Study:
    """Items are artists, of communities so small that a list holds all of one, by either similarity."""
    return _relabelled(_controls.many_communities(seed), artist=lambda items: items["id"].astype(str))


@lru_cache(maxsize=2)
def popular_artist(seed: int) -> Study:
    """Communities whose most popular items are all of one artist, and the others of artists of their own."""
    study = _controls.communities(seed)
    plays = np.diff(study.interactions.matrix.indptr)
    star = plays > np.quantile(plays, 0.8)
    return _relabelled(study, artist=lambda items: np.where(star, "one", items["id"].astype(str)))


@lru_cache(maxsize=2)
def few_named_playlists(seed: int) -> Study:
    """Every community is an artist with one album and one tag, and playlists are few."""
    study = _controls.few_playlists(seed)
    return _named(study, study.interactions.items["community"])


@lru_cache(maxsize=2)
def linked_artists(seed: int) -> Study:
    """The same where playlists are many, and communities are played together with others."""
    study = _controls.linked(seed)
    return _named(study, study.interactions.items["id"] // 75)


@lru_cache(maxsize=2)
def tags_anywhere(seed: int) -> Study:
    """Tags have nothing to do with communities."""
    return _relabelled(_controls.artists_anywhere(seed), tags=lambda items: [(n,) for n in items["artist"]])


@lru_cache(maxsize=2)
def two_places(seed: int) -> Study:
    """Items at twelve places on a circle, and contexts of two places with two others between them."""
    rng = np.random.default_rng(seed)
    place = (rng.integers(12, size=(1500, 1)) + 4 * (np.arange(10) >= 5)) % 12
    item = 100 * place + rng.random((1500, 100)).argsort(axis=1)[:, :10]
    return Study(build(item.ravel(), np.arange(1500).repeat(10), name="places"), fit=_on_circle, seed=seed)


def _on_circle(data, seed):
    ids = data.items["id"].to_numpy()
    angle = 2 * np.pi * (ids // 100 / 12 + ids % 100 / 12_000)
    return Embeddings(ids, np.column_stack([np.cos(angle), np.sin(angle)]), data.name)


@lru_cache(maxsize=2)
def long_rows_apart(seed: int) -> Study:
    """Contexts of one class, and classes that are spikes, but for a tenth of their items: long, of any direction."""
    return Study(_controls.within_classes(seed).interactions, fit=_long_apart, seed=seed)


def _long_apart(data, seed):
    ids = data.items["id"].to_numpy()
    normal = np.random.default_rng(seed).standard_normal((len(ids), F))
    rows = np.where((ids % 10 == 0)[:, None], normal, np.eye(F)[ids // 80] + 0.01 * normal)
    return Embeddings(ids, rows, data.name)


def _named(study, community):
    names = community.astype(str)
    return _relabelled(study, artist=names, album=names, tags=[(name,) for name in names])


def _relabelled(study, **columns):
    data = study.interactions
    return study.refit(replace(data, items=data.items.assign(**columns)))


def _part(id, part, value, against, holds_on, fails_on, needs=frozenset({"refit"})):
    """What all that compare shares of hits have in common."""
    rule = {"unit": "%", "margin": ONE_HIT, "needs": needs, "value": value, "against": against}
    return claim(id, part, **rule, holds_on=holds_on, fails_on=fails_on)


def _dot(id, part, what, holds_on, fails_on, needs=frozenset({"refit"})):
    return _part(id, part, f"recall@50 {what} by dot product", "by cosine", holds_on, fails_on, needs)


def _history(part, against, holds_on, fails_on):
    of = "a long history, by cosine" if "longest" in part else "a history"
    return _part("S3", part, f"recall@50 from the mean of {of}", against, holds_on, fails_on)


def _votes(part, labels, fails_on, items="hidden items of few plays"):
    value = f"recall@50 of {items} by votes of SVD and labels"
    return _part("S4", part, value, "of the SVD alone", few_named_playlists, fails_on, {"refit", labels})


def _peaks(part, value, holds_on, fails_on, needs=frozenset({"refit"})):
    value = f"{value} where peaks are chosen {part.partition(',')[0]}"
    return _part("S6", part, value, "by norm", holds_on, fails_on, needs)


# the dot product, for artists and for items of few plays ----------------------------------------------


@_dot("S1", "similar artists", "of a hidden artist", artists_of_three, artists_of_many, {"refit", "artist"})
def dot_finds_artists(study, seed):
    """Among embeddings of artists, lists by dot product hold more of the hidden artists than lists by cosine.

    Tracks of an artist are made one item before anything is counted; where items are artists, they are
    taken as they are. Replicates are splits. Source: section 3.3.2.
    """
    return both(_advice.tests(of_artists(study), seed))


@_dot(
    "S1",
    "similar artists, less popular half",
    "of the less popular half of the hidden artists",
    artists_of_three,
    artists_of_many,
    {"refit", "artist"},
)
def dot_finds_less_popular_artists(study, seed):
    """Of the less popular half of the hidden artists, too, lists by dot product hold more than lists by cosine."""
    return both(_advice.tests(of_artists(study), seed).query("rare"))


@_part(
    "S1",
    "tracks of the artist",
    "an artist's other tracks in the list of one by dot product",
    "by cosine",
    popular_artist,
    _controls.artists_of_communities,
    needs={"E", "artist"},
)
def dot_finds_tracks_of_the_artist(study, seed):
    """Lists by dot product hold more of the other tracks of their query's artist than lists by cosine.

    Of each list of 50, the share of the tracks that could be in it, for queries whose artist has others.
    Replicates are draws of 80 % of the contexts.
    """
    shared(study, "artist")
    found = _advice.lists(study, seed)
    artist = codes(found.part.items["artist"])
    others = np.bincount(artist[artist >= 0])[artist] - 1
    rows = np.flatnonzero((artist[found.rows] >= 0) & (others[found.rows] > 0))
    asked = found.rows[rows]
    same = [(artist[found.by[s][rows]] == artist[asked][:, None]).sum(axis=1) for s in ("dot", "cosine")]
    return [_advice.hit_rate(hits / np.minimum(others[asked], K)) for hits in same]


@_dot(
    "S2",
    "queries of few plays",
    "from queries of few plays",
    _controls.communities,
    _controls.many_communities,
)
def dot_finds_more_from_few_plays(study, seed):
    """From the fifth of the queries that has fewest plays, lists by dot product find more than lists by cosine.

    Replicates are splits. Source: section 3.3.2.
    """
    return both(few_plays(study, seed)[0])


@_dot(
    "S2",
    "queries of few plays, less popular half",
    "of less popular hidden items from queries of few plays",
    _controls.few_communities,
    _controls.many_communities,
)
def dot_finds_rare_items_from_few_plays(study, seed):
    """From queries of few plays the dot product finds more of the less popular half of the hidden items, too."""
    return both(few_plays(study, seed)[0].query("rare"))


@_part(
    "S2",
    "in particular",
    "recall@50 that the dot product gains on the cosine from queries of few plays",
    "from other queries",
    _controls.communities,
    _controls.many_communities,
)
def dot_gains_most_from_few_plays(study, seed):
    """The dot product gains more on the cosine, or loses less, from queries of few plays than from other queries.

    Cold start is where the paper says that it is more suited "in particular".
    """
    return [np.subtract(*both(part)) for part in few_plays(study, seed)]


@_part(
    "S2",
    "than the most popular",
    "recall@50 from queries of few plays by dot product",
    "of the most popular items",
    _controls.communities,
    _controls.shuffled,
)
def dot_finds_more_than_popular_items(study, seed):
    """From queries of few plays the dot product finds more than one list of the most popular items for all.

    Null: the 50 items of most plays, which take no embedding.
    """
    cold, _ = few_plays(study, seed)
    least = np.sort(study.split(seed).study.plays)[-K:][0]
    return _advice.hit_rate(cold["dot"]), _advice.hit_rate(cold["popular"] >= least)


# a history as its mean --------------------------------------------------------------------------------


@_history("cosine, than one item", "from one of its items", _controls.popular_noise, two_places)
def mean_beats_one_item_by_cosine(study, seed):
    """By cosine the mean of what a context holds finds its hidden item more often than one item at random.

    Contexts of at least ten items; what they hold already is not listed. Replicates are splits, draws of
    the contexts and of the item. Source: poster, example 2.
    """
    return found(study, seed, "mean", "cosine"), found(study, seed, "one", "cosine")


@_history("dot product, than one item", "from one of its items", _controls.popular_noise, two_places)
def mean_beats_one_item_by_dot(study, seed):
    """By dot product the mean of what a context holds finds its hidden item more often than one item at random."""
    return found(study, seed, "mean", "dot"), found(study, seed, "one", "dot")


@_history(
    "cosine, than the most popular", "of the most popular items", _controls.communities, _controls.shuffled
)
def mean_beats_popular_items_by_cosine(study, seed):
    """By cosine the mean of a history finds the hidden item more often than a list of the most popular items.

    Null: the 50 most popular that the context does not hold, which take no embedding.
    """
    return found(study, seed, "mean", "cosine"), found(study, seed, "popular")


@_history(
    "dot product, than the most popular", "of the most popular items", _controls.communities, two_places
)
def mean_beats_popular_items_by_dot(study, seed):
    """By dot product the mean of a history finds the hidden item more often than a list of the most popular items."""
    return found(study, seed, "mean", "dot"), found(study, seed, "popular")


@_history(
    "longest quarter, than the most popular",
    "of the most popular items",
    _controls.communities,
    _controls.shuffled,
)
def mean_of_long_history_beats_popular_items(study, seed):
    """In the longest quarter of the histories, too, the mean finds more by cosine than the most popular items."""
    return found(study, seed, "mean", "cosine", longest=True), found(study, seed, "popular", longest=True)


@_history(
    "longest quarter, than its nearest item",
    "from its most similar item",
    _controls.popular_noise,
    two_places,
)
def mean_of_long_history_beats_nearest_item(study, seed):
    """In the longest quarter of the histories the mean finds more by cosine than no mean at all.

    Reference: items by their cosine with the most similar item of the history, whichever that is.
    """
    return [found(study, seed, rule, "cosine", longest=True) for rule in ("mean", "any")]


# votes of labels --------------------------------------------------------------------------------------


@_votes("artist", "artist", _controls.artists_anywhere)
def artists_help_items_of_few_plays(study, seed):
    """Votes of the SVD and of the artist, equal, find more of the hidden items of few plays than the SVD alone.

    Of few plays is the fifth that has fewest left, items without an embedding among them. Votes are fused
    by reciprocal ranks. Replicates are splits and draws of the contexts. Source: slides, "Ensemble methods".
    """
    return voted(study, seed, "artist", cold=True)


@_votes("album", "artist", _controls.artists_anywhere)
def albums_help_items_of_few_plays(study, seed):
    """Votes of the SVD and of the album find more of the hidden items of few plays than the SVD alone."""
    return voted(study, seed, "album", cold=True)


@_votes("tags", "tags", tags_anywhere)
def tags_help_items_of_few_plays(study, seed):
    """Votes of the SVD and of the tags find more of the hidden items of few plays than the SVD alone.

    The tags of an item vote by their cosine with those of what the context holds.
    """
    return voted(study, seed, "tags", cold=True)


@_votes("artist, all items", "artist", _controls.artists_anywhere, "hidden items")
def artists_help_all_items(study, seed):
    """Votes of the SVD and of the artist find more of all hidden items than the SVD alone."""
    return voted(study, seed, "artist", cold=False)


@_votes("tags, all items", "tags", tags_anywhere, "hidden items")
def tags_help_all_items(study, seed):
    """Votes of the SVD and of the tags find more of all hidden items than the SVD alone."""
    return voted(study, seed, "tags", cold=False)


# what the filter of rare pairs drops ------------------------------------------------------------------


@claim(
    "S5",
    "items",
    needs={"svd"},
    expect="less",
    unit="%",
    value="hidden items that have no embedding for want of a pair that is frequent enough",
    against="the most that does not matter being",
    holds_on=_controls.many_communities,
    fails_on=_controls.few_playlists,
)
def few_hidden_items_are_dropped(study, seed):
    """At most one in twenty hidden items is out of reach because none of its pairs comes up often enough.

    Items left without any pair are not counted: no filter is to blame. Replicates are splits.
    """
    train, _, hidden = retrieval.hide_one(study.interactions.matrix, seed=seed)
    paired = np.bincount(train.indices, minlength=train.shape[1])[train.indices] > 1
    alive = np.bincount(train.tocoo().row[paired], minlength=train.shape[0]) > 0
    kept = np.isin(hidden, study.split(seed).study.rows)
    return np.mean(alive[hidden] & ~kept), 0.05


@claim(
    "S5",
    "pairs",
    needs={"svd"},
    expect="less",
    unit="%",
    value="pairs of a query and its hidden item that are known from other contexts, and dropped",
    against="the most that does not matter being",
    holds_on=_controls.many_communities,
    fails_on=_controls.few_playlists,
)
def few_hidden_pairs_are_dropped(study, seed):
    """At most one in twenty pairs of a query and its hidden item is known from another context and dropped.

    Such a pair may still be found by way of other items. Replicates are splits.
    """
    train, queries, hidden = retrieval.hide_one(study.interactions.matrix, seed=seed)
    together = train[queries].multiply(train[hidden]).sum(axis=1)
    return np.mean((together > 0) & (together < study.settings["min_count"])), 0.05


# peaks in another order -------------------------------------------------------------------------------


@_peaks(
    "by gain, hidden items",
    "hidden items on the spike of their query, beyond chance,",
    _controls.ring,
    _controls.shuffled,
)
def gain_brings_hidden_items_together(study, seed):
    """Spikes whose peaks are chosen by gain hold more of the hidden items of their queries than as many by norm.

    By gain the next peak is the row that captures most of those left. In 32 dimensions, on the 10,000 most
    played items. Chance: the hidden items permuted. Replicates are splits. Source: section 2.
    """
    return together(study, seed, "gain"), together(study, seed, "norm")


@_peaks(
    "by gain, hidden items of captured ones",
    "hidden items on the spike of their query, of pairs on spikes and beyond chance,",
    _controls.ring,
    _controls.shuffled,
)
def gain_brings_captured_items_together(study, seed):
    """Of queries and hidden items that are both on spikes, more are on one where peaks are chosen by gain.

    This takes out that by gain as many peaks capture more items.
    """
    return together(study, seed, "gain", captured=True), together(study, seed, "norm", captured=True)


@_peaks(
    "at random, hidden items",
    "hidden items on the spike of their query, beyond chance,",
    long_rows_apart,
    _controls.shuffled,
)
def chance_brings_hidden_items_together(study, seed):
    """Spikes whose peaks are chosen at random hold more of the hidden items of their queries than as many by norm."""
    return together(study, seed, "random"), together(study, seed, "norm")


@_peaks(
    "by gain, artists",
    "normalised mutual information, beyond chance, of spikes and artists",
    linked_artists,
    _controls.artists_anywhere,
    {"refit", "artist"},
)
def gain_agrees_with_artists(study, seed):
    """Spikes whose peaks are chosen by gain agree with artists more than as many by norm.

    Chance: labels permuted.
    """
    return agreed(study, seed, "gain", "artist"), agreed(study, seed, "norm", "artist")


@_peaks(
    "by gain, tags",
    "normalised mutual information, beyond chance, of spikes and tags",
    linked_artists,
    tags_anywhere,
    {"refit", "tags"},
)
def gain_agrees_with_tags(study, seed):
    """Spikes whose peaks are chosen by gain agree with the sets of tags of items more than as many by norm.

    Chance: labels permuted.
    """
    return agreed(study, seed, "gain", "tags"), agreed(study, seed, "norm", "tags")


# what several of them share ---------------------------------------------------------------------------


def codes(labels):
    """A number for each different label, -1 where it is missing."""
    return pd.factorize(pd.Series(labels, dtype=object).replace("", None))[0]


def shared(study, column):
    """The labels of the items, where a tenth of those that have one share it with an item before."""
    items = study.interactions.items
    if column not in items:
        raise NotApplicable(f"the {column} of each item")
    code = codes(items[column])
    if not pd.Series(code[code >= 0]).duplicated().mean() > 0.1:
        raise NotApplicable(f"items that share their {column} with others")
    return items[column]


@lru_cache(maxsize=1)
def of_artists(study):
    """The study with the tracks of an artist made one item; itself where no two items share one."""
    data = study.interactions
    artist = codes(data.items["artist"])
    if len(np.unique(artist[artist >= 0])) == len(artist):
        return study
    row, col = data.matrix.nonzero()
    row, col = artist[row[artist[row] >= 0]], col[artist[row] >= 0]
    shape = (artist.max() + 1, data.n_contexts)
    matrix = sp.csr_array((np.ones(len(row), np.int32), (row, col)), shape=shape)
    matrix.data[:] = 1
    return study.refit(
        Interactions(matrix, pd.DataFrame({"id": np.arange(shape[0])}), data.contexts, name=data.name)
    )


def both(tests):
    """Recall by dot product and by cosine."""
    return [_advice.hit_rate(tests[similarity]) for similarity in ("dot", "cosine")]


def few_plays(study, seed):
    """Tests whose query is of the fifth with fewest plays, and the others."""
    tests = _advice.tests(study, seed)
    few = tests["plays"] <= tests["plays"].quantile(0.2)
    return tests[few], tests[~few]


@lru_cache(maxsize=2)
def histories(study, seed, fewest):
    """What contexts hold and what is hidden of each, and which are drawn: 1,000 at most, of so many items."""
    X, seen = study.interactions.matrix, study.split(seed).study.interactions.matrix
    size = np.bincount(X.indices, minlength=X.shape[1])
    tested = np.flatnonzero(size >= 3)
    some = np.flatnonzero(size[tested] >= fewest)
    if len(some) < FEWEST:
        raise NotApplicable(f"{FEWEST} contexts of {fewest} items")
    seen = seen[:, tested]
    return seen, X[:, tested] - seen, np.random.default_rng(seed).permutation(some)[:CONTEXTS]


@lru_cache(maxsize=8)
def found(study, seed, rule, similarity="cosine", longest=False):
    """Recall of the hidden items of histories by one rule, in the longest quarter of them or in all."""
    seen, hidden, some = histories(study, seed, HISTORY)
    part = study.split(seed).study
    if longest:
        some = some[np.argsort(-np.bincount(seen.indices)[some], kind="stable")[: len(some) // 4]]
    if rule == "popular":
        scorer = continuation.popularity(seen)
    elif rule == "one":
        scorer = continuation.nearest(
            one_of_each(seen, part.rows, seed), part.E, rows=part.rows, similarity=similarity
        )
    else:
        scorer = continuation.nearest(seen, part.E, rows=part.rows, to=rule, similarity=similarity)
    return recall(scorer, seen, hidden, some)


def recall(scorer, seen, hidden, contexts):
    """Share of hidden items among the 50 recommended."""
    options = {"n_yes": min(K, seen.shape[0]), "playlists": contexts}
    return continuation.evaluate(scorer, seen, hidden, **options)["accuracy"]


def one_of_each(seen, rows, seed):
    """Of each context one item at random, of those that have an embedding where there is one."""
    row, col = seen.nonzero()
    key = np.random.default_rng(seed).random(len(row)) + ~np.isin(row, rows)
    order = np.lexsort((key, col))
    first = order[np.unique(col[order], return_index=True)[1]]
    return sp.csr_array((np.ones(len(first)), (row[first], col[first])), shape=seen.shape)


def voted(study, seed, column, cold):
    """Recall by votes of SVD and labels, and of the SVD alone: of the fifth of hidden items of fewest plays, or of all."""
    labels = study.interactions.items["tags"] if column == "tags" else shared(study, column)
    seen, hidden, some = histories(study, seed, 3)
    part = study.split(seed).study
    alone = continuation.nearest(seen, part.E, rows=part.rows)
    vote = (same_tags if column == "tags" else continuation.same_label)(seen, labels)
    if cold:
        plays = np.diff(seen.indptr)[sp.csc_array(hidden).indices[some]]  # one is hidden of each
        some = some[plays <= np.quantile(plays, 0.2)]
    return [recall(scorer, seen, hidden, some) for scorer in (continuation.fuse(alone, vote), alone)]


def same_tags(seen, tags):
    """Score items by the cosines of their tags with those of what a context holds, the popular first among equals."""
    each = pd.Series([set(own) if isinstance(own, tuple) else () for own in tags]).explode()
    code, row = codes(each), each.index.to_numpy()
    T = sp.csr_array(
        (np.ones(np.sum(code >= 0)), (row[code >= 0], code[code >= 0])), (len(tags), code.max() + 1)
    )
    T = sp.csr_array(T.multiply(1 / np.sqrt(np.maximum(T.sum(axis=1), 1))[:, None]))
    held, plays = sp.csr_array(seen.T), np.diff(seen.indptr)

    def score(contexts):
        likeness = (held[contexts] @ T @ T.T).toarray()
        return np.where(likeness > 0, likeness + 1e-3 * plays / plays.max(), -np.inf)

    return score


@lru_cache(maxsize=1)
def covers(study, seed):
    """The spike of each row, or -1, with as many peaks by norm, by gain and at random."""
    part = study.split(seed).study
    if part.E.shape[1] < F:
        raise NotApplicable(f"{F} dimensions")
    rows = np.argsort(-part.plays, kind="stable")[:ROWS]
    E = part.E[rows, :F]
    near = beyond.neighbours(E, cos_theta=study.cos_theta)
    by_norm = beyond.ordered_cover(near, np.argsort(-row_norms("E", E)[0], kind="stable"), rho=study.rho)
    orders = {"gain": "gain", "random": np.random.default_rng(seed).permutation(len(E))}
    options = {"rho": 1.0, "limit": len(by_norm.peaks)}
    found = {name: beyond.ordered_cover(near, order, **options) for name, order in orders.items()}
    spike = {name: np.full(len(part.E), -1) for name in ("norm", *found)}
    for name, cover in (found | {"norm": by_norm}).items():
        spike[name][rows] = cover.spike
    return spike


def together(study, seed, order, captured=False):
    """Share of tests whose items are on one spike, less that of the hidden items permuted; of all, or of those on spikes."""
    spike, (_, queries, hidden, _) = covers(study, seed)[order], study.split(seed)
    one, other = spike[queries], spike[hidden]
    if captured:
        one, other = np.stack([one, other])[:, (one >= 0) & (other >= 0)]
    if len(one) == 0:
        raise NotApplicable("hidden items on spikes")
    own, theirs = (np.bincount(of[of >= 0], minlength=len(spike)) for of in (one, other))
    return np.mean((one == other) & (one >= 0)) - own @ theirs / len(one) ** 2


def agreed(study, seed, order, column):
    """Normalised mutual information of spikes and labels, less that of labels permuted."""
    shared(study, column)
    spike = covers(study, seed)[order]
    labels = study.split(seed).study.items[column]
    agreement = dcbm.agreement(spike, labels.to_numpy(), n_permutations=9, seed=seed)
    return agreement["nmi"] - agreement["null"]
