"""Claims of chapter 8: what they measure with, against literal computations."""

from dataclasses import replace

import numpy as np
import pytest

from spikylib import continuation
from spikylib.claims import NotApplicable, _continuation, check
from spikylib.datasets import load
from spikylib.study import Study


@pytest.fixture(scope="module")
def study():
    return Study(load("synthetic", n_items=150, n_contexts=300, n_communities=5, mean_length=8, seed=1), f=8)


@pytest.fixture(scope="module")
def parts(study):
    return _continuation.sample(study, 0)


def pairs(X):
    return set(zip(*map(np.ndarray.tolist, X.nonzero())))


def test_a_sample_is_of_long_contexts_and_other_with_the_seed(study, parts):
    X = study.interactions.matrix
    whole = parts.train + parts.validation + parts.test
    assert whole.shape[1] == (X.sum(axis=0) >= 5).sum()
    sizes = sorted(size for size in X.sum(axis=0) if size >= 5)
    assert sorted(whole.sum(axis=0)) == sizes
    assert pairs(_continuation.sample(study, 1).test) != pairs(parts.test)
    with pytest.raises(NotApplicable, match="a hundred contexts"):
        few = study.interactions.select(study.interactions.matrix.indices < 90)
        _continuation.sample(Study(few), 0)


def test_accuracy_is_the_share_of_hidden_pairs_among_the_best(parts):
    rng = np.random.default_rng(0)
    table = rng.random(parts.test.shape[::-1])
    n_yes, hits = parts.test.shape[0] // 10, 0
    known, hidden = pairs(parts.train + parts.validation), pairs(parts.test)
    for playlist, scores in enumerate(table):
        ranked = [t for t in np.argsort(-scores) if (t, playlist) not in known]
        hits += sum((t, playlist) in hidden for t in ranked[:n_yes])
    assert _continuation.accuracy(table.__getitem__, parts) == pytest.approx(hits / len(hidden))
    some = _continuation.less_popular(parts)
    counts = {pair: (parts.train != 0).sum(axis=1)[pair[0]] for pair in hidden}
    median = np.median(list(counts.values()))
    assert pairs(some) == {pair for pair, count in counts.items() if count <= median}
    found = _continuation.accuracy(lambda p: some.T.toarray()[p].astype(float), parts, some)
    assert found == 1


def test_own_side_is_that_of_the_nearer_mean(parts):
    tracks = np.random.default_rng(1).standard_normal((parts.train.shape[0], 3))
    unit = tracks / np.linalg.norm(tracks, axis=1, keepdims=True)
    n = parts.train.shape[1]
    means = [unit[parts.train.toarray()[:, p] > 0].mean(axis=0) for p in range(n)]
    hidden = np.transpose((parts.validation + parts.test).nonzero())
    hidden = [(t, p) for t, p in hidden if parts.train[[t]].sum() > 0]
    step = np.random.default_rng(7).integers(1, n, len(hidden))
    near = [
        unit[t] @ means[p] / np.linalg.norm(means[p])
        > unit[t] @ means[(p + s) % n] / np.linalg.norm(means[(p + s) % n])
        for (t, p), s in zip(hidden, step)
    ]
    assert _continuation.on_own_side(tracks, parts, 7) == pytest.approx(np.mean(near))


def test_the_five_lowest_are_compared_with_the_rest():
    points = np.array([[0.0], [1], [2], [3], [4], [10], [11]])
    expected = (10.5 - 2) / points.std()
    assert _continuation.apart(points, points[:, 0]) == pytest.approx(expected)
    assert _continuation.apart(points, -points[:, 0]) == pytest.approx((6 - 0.5) / points.std())


def test_the_best_is_best_on_validation(parts):
    right, wrong = (lambda p, X=X: X.T.toarray()[p].astype(float) for X in (parts.validation, parts.test))
    assert _continuation.best([wrong, right], parts) == 1


def test_an_ensemble_is_compared_with_its_parts(study, parts):
    of = _continuation.ensemble(study, 0)["all"]
    rows, _ = _continuation.drawn(study, 0)
    scorers = [continuation.fit(parts.train, seed=0), continuation.item_knn(parts.train)]
    accuracies = [_continuation.accuracy(scorer, parts) for scorer in scorers]
    assert len(rows) == parts.train.shape[0]
    # the third is at most as good as all hidden tracks, and at least as good as none
    assert sum(accuracies) / 3 <= of["mean"] <= (sum(accuracies) + 1) / 3
    assert of["best"] >= of["mean"] > 0 and of["fused"] > 0


def test_places_need_an_order(study):
    data = study.interactions
    contexts = np.arange(data.n_contexts).astype("datetime64[s]")
    together = Study(replace(data, times=contexts[data.matrix.indices]), f=8)
    with pytest.raises(NotApplicable, match="an order"):
        _continuation.place_weights(together, 0)
    one_by_one = Study(replace(data, times=np.arange(data.matrix.nnz).astype("datetime64[s]")), f=8)
    weights = _continuation.place_weights(one_by_one, 0)
    rows, chosen = _continuation.drawn(study, 0)
    first = [column.indices.min() for column in weights.T.tocsr()]
    assert pairs(weights) == pairs(data.matrix[rows][:, chosen])
    assert weights.shape == (len(rows), len(chosen)) and len(first) == len(chosen)
    # times follow the rows, so the first track of each playlist is the one of the lowest row
    dense = weights.toarray()
    assert (dense.argmax(axis=0) == first).all()


@pytest.mark.parametrize("artist", ["", None, "each its own"])
def test_artists_that_no_two_items_share_cannot_be_compared(study, artist):
    n = study.interactions.n_items
    names = np.arange(n).astype(str) if artist else [artist] * n
    items = study.interactions.items.assign(artist=names)
    alone = Study(replace(study.interactions, items=items), f=8)
    found = {f.part: f for f in check("D2", alone)}["artists"]
    assert found.verdict == "not applicable" and "share their artist" in found.needs_missing
