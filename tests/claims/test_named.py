"""What the sources name and did not test: what the claims count, against counting it by hand."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from spikylib import retrieval, synthetic
from spikylib.claims import NotApplicable, _advice, _named
from spikylib.datasets import Interactions
from spikylib.study import Study


@pytest.fixture(scope="module")
def small():
    """A study of 300 items, small enough to do everything literally; artists have ten items each."""
    data = synthetic.clean_playlists(n_items=300, n_contexts=400, n_communities=6, seed=3)
    study = Study(data, f=40, seed=3)
    names = [("", "anna", "bert")[k % 3] + str(k // 30) if k % 3 else "" for k in range(len(data.items))]
    return _named._relabelled(study, artist=names, tags=[(name,) if name else () for name in names])


def held_out(study, seed, fewest):
    """Contexts of so many items: what each holds, and what is hidden of it."""
    X = study.interactions.matrix
    train, _, hidden = retrieval.hide_one(X, seed=seed)
    size = X.toarray().sum(axis=0)
    return [
        (np.flatnonzero(train[:, [context]].toarray()), item)
        for context, item in zip(np.flatnonzero(size >= 3), hidden)
        if size[context] >= fewest
    ]


def first_fifty(scores, held):
    """The best fifty that a context does not hold, the lower first among equals, none at -inf."""
    scores = scores.copy()
    scores[held] = -np.inf
    return [i for i in np.argsort(-scores, kind="stable")[:50] if scores[i] > -np.inf]


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.mark.parametrize("rule", ["mean cosine", "mean dot", "any cosine", "popular"])
@pytest.mark.parametrize("longest", [False, True])
def test_recall_of_histories_counted_one_by_one(small, rule, longest):
    part, tests = small.split(5).study, held_out(small, 5, _named.HISTORY)
    plays = np.bincount(np.concatenate([held for held, _ in held_out(small, 5, 3)]), minlength=300)
    hits = []
    for held, item in tests:
        scores = np.full(small.interactions.n_items, -np.inf)
        own = part.E[np.isin(part.rows, held)]
        if rule == "popular":
            scores = plays.astype(float)[: len(scores)]
        elif rule == "any cosine":
            scores[part.rows] = (unit(part.E) @ unit(own).T).max(axis=1)
        else:
            scores[part.rows] = (unit(part.E) if "cosine" in rule else part.E) @ own.mean(axis=0)
        hits.append(item in first_fifty(scores, held))
    if longest:
        # which of equally long histories are among the longest is a matter of the draw
        size = np.array([len(held) for held, _ in tests])
        least = np.sort(size)[-(len(size) // 4)]
        sure, open_ = np.sum(np.array(hits)[size > least]), np.array(hits)[size == least]
        n, rest = len(size) // 4, len(size) // 4 - np.sum(size > least)
        found = _named.found(small, 5, *rule.split(), longest=True) * n - sure
        assert max(0, rest - np.sum(~open_)) <= round(found) <= min(rest, open_.sum())
    else:
        assert _named.found(small, 5, *rule.split()) == pytest.approx(np.mean(hits))


def test_one_item_is_held_and_has_an_embedding_where_one_has():
    seen = sp.csr_array(np.array([[1, 1, 0], [1, 1, 1], [1, 0, 1], [1, 0, 0]]))
    drawn = [_named.one_of_each(seen, [0, 3], seed).toarray() for seed in range(40)]
    assert all((one.sum(axis=0) == 1).all() and (one <= seen.toarray()).all() for one in drawn)
    often = np.mean(drawn, axis=0)
    assert often[:, 1].tolist() == [1, 0, 0, 0] and often[[1, 2], 0].sum() == 0
    assert 0.2 < often[0, 0] < 0.8 and 0.2 < often[1, 2] < 0.8


def test_few_histories_are_not_enough():
    data = synthetic.clean_playlists(n_items=60, n_contexts=120, n_communities=3, mean_length=6, seed=0)
    with pytest.raises(NotApplicable, match="100 contexts of 10 items"):
        _named.found(Study(data, f=8), 0, "popular")


def test_tracks_of_an_artist_become_one_item(small):
    artists = _named.of_artists(small)
    X, names = small.interactions.matrix.toarray(), small.interactions.items["artist"]
    first = [name for name in pd.unique(names) if name]
    expected = [X[(names == name).to_numpy()].max(axis=0) for name in first]
    assert (artists.interactions.matrix.toarray() == expected).all()
    alone = _named._relabelled(small, artist=[str(k) for k in range(len(names))])
    assert _named.of_artists(alone) is alone


def test_tracks_of_the_artist_counted_one_by_one(small):
    found = _advice.lists(small, 5)
    names = found.part.items["artist"].to_numpy()
    for kind, value in zip(("dot", "cosine"), _named.dot_finds_tracks_of_the_artist(small, 5)):
        shares = []
        for row, listed in zip(found.rows, found.by[kind]):
            others = np.sum(names == names[row]) - 1
            if names[row] and others:
                shares.append(np.sum(names[listed] == names[row]) / min(50, others))
        assert value == pytest.approx(np.mean(shares))


def test_queries_of_few_plays_are_a_fifth_or_as_few(small):
    few, others = _named.few_plays(small, 5)
    assert few["plays"].max() < others["plays"].min()
    assert 0.2 <= len(few) / (len(few) + len(others)) < 0.3


def test_tags_vote_by_their_cosine():
    seen = sp.csr_array(np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]]))
    tags = [("a", "b"), ("c",), ("a",), np.nan, ("b", "c", "d")]
    score = _named.same_tags(seen, tags)(np.array([1, 0]))
    half = 1 / np.sqrt(2)
    expected = [[half, 0, 1, 0, 0], [1, 1, half, 0, 1 / np.sqrt(6) + 1 / np.sqrt(3)]]
    expected += 1e-3 * np.array([1, 1, 1, 1, 0]) * (np.array(expected) > 0)  # plays
    assert score == pytest.approx(np.where(np.array(expected) > 0, expected, -np.inf))


def test_hidden_items_of_few_plays_are_those_with_fewest_left(small):
    part, tests = small.split(5).study, held_out(small, 5, 3)
    plays = np.bincount(np.concatenate([held for held, _ in tests]), minlength=300)
    left = plays[[item for _, item in tests]]
    hits = []
    for held, item in tests:
        scores = np.full(small.interactions.n_items, -np.inf)
        scores[part.rows] = unit(part.E) @ part.E[np.isin(part.rows, held)].mean(axis=0)
        hits.append(item in first_fifty(scores, held))
    cold = left <= np.quantile(left, 0.2)
    assert _named.voted(small, 5, "artist", cold=True)[1] == pytest.approx(np.mean(np.array(hits)[cold]))
    assert _named.voted(small, 5, "tags", cold=False)[1] == pytest.approx(np.mean(hits))


def test_items_and_pairs_that_the_filter_drops():
    rng = np.random.default_rng(0)
    X = sp.csr_array((rng.random((40, 60)) < 0.08).astype(np.int32))
    data = Interactions(X, pd.DataFrame({"id": range(40)}), pd.DataFrame({"id": range(60)}), name="made")
    study = Study(data, f=4)
    train, queries, hidden = retrieval.hide_one(X, seed=1)
    together = train.toarray() @ train.toarray().T
    np.fill_diagonal(together, 0)
    lost = [together[item].max() == 1 for item in hidden]
    assert 0 < np.mean(lost) < 1
    assert _named.few_hidden_items_are_dropped(study, 1)[0] == pytest.approx(np.mean(lost))
    dropped = [together[query, item] == 1 for query, item in zip(queries, hidden)]
    assert _named.few_hidden_pairs_are_dropped(study, 1)[0] == pytest.approx(np.mean(dropped))


@pytest.mark.parametrize("captured", [False, True])
def test_items_on_one_spike_beyond_those_of_any_two_tests(small, captured):
    _, queries, hidden, _ = small.split(5)
    spike = _named.covers(small, 5)["gain"]
    tests = [(spike[q], spike[h]) for q, h in zip(queries, hidden)]
    if captured:
        tests = [(one, other) for one, other in tests if one >= 0 and other >= 0]
    same = np.mean([one == other >= 0 for one, other in tests])
    chance = np.mean([one == other >= 0 for (one, _), (_, other) in product(tests, tests)])
    assert _named.together(small, 5, "gain", captured) == pytest.approx(same - chance)


def test_covers_have_as_many_peaks_and_those_by_gain_capture_most(small):
    part, spike = small.split(5).study, _named.covers(small, 5)
    assert len({len(np.unique(own[own >= 0])) for own in spike.values()}) == 1
    assert np.sum(spike["norm"] >= 0) >= 0.5 * len(part.E)
    assert (spike["norm"] == part.cover(_named.F).spike).all()
    assert all(np.sum(spike["gain"] >= 0) >= np.sum(own >= 0) for own in spike.values())


def test_agreement_is_beyond_that_of_labels_permuted(small):
    random = _named._relabelled(
        small, artist=np.random.default_rng(0).permutation(small.interactions.items["artist"])
    )
    community = _named._relabelled(small, artist=small.interactions.items["community"].astype(str))
    assert _named.agreed(random, 5, "norm", "artist") == pytest.approx(0, abs=0.03)
    assert _named.agreed(community, 5, "norm", "artist") > 0.3
    with pytest.raises(NotApplicable, match="items that share their artist"):
        unique = [str(k) for k in range(len(small.interactions.items))]
        _named.agreed(_named._relabelled(small, artist=unique), 5, "norm", "artist")


def test_the_mean_of_two_places_lies_at_neither():
    study = _named.two_places(0)
    ids, angle = study.items["id"].to_numpy(), np.arctan2(study.E[:, 1], study.E[:, 0])
    for one, other in combinations(range(3), 2):
        gap = angle[ids // 100 == one].mean() - angle[ids // 100 == other].mean()
        assert abs(np.sin(gap)) == pytest.approx(np.sin(np.pi / 6 * (other - one)), abs=0.02)
    assert (np.diff(study.interactions.matrix.tocsc().indptr) == 10).all()
