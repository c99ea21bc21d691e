import math

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from spikylib import continuation as c


def playlists(lists, n_tracks):
    """Tracks x playlists matrix of lists of tracks."""
    X = sp.lil_array((n_tracks, len(lists)), dtype=np.int32)
    for p, tracks in enumerate(lists):
        for t in tracks:
            X[t, p] = 1
    return sp.csr_array(X)


def two_kinds(n_playlists=60, n_tracks=40, length=8, seed=0):
    """Playlists of the first or of the second half of the catalogue."""
    rng = np.random.default_rng(seed)
    half = n_tracks // 2
    lists = [(p % 2) * half + rng.choice(half, length, replace=False) for p in range(n_playlists)]
    return playlists(lists, n_tracks)


def table(scores):
    """A scorer of fixed scores, one row per playlist."""
    scores = np.asarray(scores, dtype=float)
    return lambda which: scores[which]


def pairs(X):
    return set(zip(*(axis.tolist() for axis in X.nonzero())))


# --- the split -----------------------------------------------------------------------------------


@given(
    sizes=st.lists(st.integers(3, 25), min_size=1, max_size=12),
    seed=st.integers(0, 5),
    share=st.floats(0.05, 0.45),
)
@settings(deadline=None)
def test_split_hides_within_each_playlist_and_loses_nothing(sizes, seed, share):
    rng = np.random.default_rng(seed)
    X = playlists([rng.choice(30, size, replace=False) for size in sizes], 30)
    parts = c.split(X, validation=share, test=share, seed=seed)
    found = [pairs(part) for part in parts]
    assert set.union(*found) == pairs(X) and sum(map(len, found)) == X.nnz
    for p, size in enumerate(sizes):
        train, validation, test = (sum(q == p for _, q in part) for part in found)
        assert train >= 1
        assert test == min(max(round(share * size), 1), size - 2)
        assert validation == min(max(round(share * size), 1), size - 1 - test)


def test_split_is_seeded_and_even():
    X = playlists([range(20)] * 300, 20)
    parts = c.split(X, test=0.2, seed=3)
    assert all(pairs(a) == pairs(b) for a, b in zip(parts, c.split(X, test=0.2, seed=3)))
    assert pairs(parts.test) != pairs(c.split(X, test=0.2, seed=4).test)
    hidden = parts.test.sum(axis=1)  # binomial(300, 0.2) per track: 60, standard deviation 7
    assert hidden.min() > 30 and hidden.max() < 90


def test_split_keeps_weights():
    X = playlists([[0, 1, 2, 3], [1, 2, 3]], 4).astype(float)
    X.data = np.arange(1.0, 8.0)
    parts = c.split(X)
    assert (parts.train + parts.validation + parts.test).toarray().tolist() == X.toarray().tolist()


def test_nothing_hidden_reaches_a_model():
    """Exchange the hidden tracks for others: no scorer made from the training part may notice."""
    X = two_kinds()
    train, validation, test = c.split(X, validation=0.2, test=0.2)
    other = sp.lil_array(train)
    rng = np.random.default_rng(1)
    for p in (validation + test).nonzero()[1]:
        free = np.flatnonzero((other[:, [p]].toarray()[:, 0] == 0) & (X[:, [p]].toarray()[:, 0] == 0))
        other[rng.choice(free), p] = 1
    changed = sp.csr_array(other)
    assert len(pairs(changed) & pairs(validation + test)) == 0 and changed.nnz == X.nnz
    labels = np.arange(40) // 4
    E = np.random.default_rng(0).standard_normal((40, 5))
    everyone = np.arange(X.shape[1])
    again = sp.csr_array(changed.multiply(train))  # the training part as seen from the changed data
    again.sort_indices()
    for make in (
        c.popularity,
        c.item_knn,
        lambda part: c.same_label(part, labels),
        lambda part: c.nearest(part, E),
        lambda part: c.nearest(part, E, to="any"),
        lambda part: c.fit(part, iterations=5),
    ):
        assert np.array_equal(make(train)(everyone), make(again)(everyone))
        assert not np.array_equal(make(train)(everyone), make(X)(everyone))  # the full data would show


def test_hidden_noise_is_found_by_chance_only():
    """Random playlists: nothing to learn, so any measured success above chance would be a leak."""
    rng = np.random.default_rng(0)
    X = playlists([rng.choice(200, 10, replace=False) for _ in range(400)], 200)
    train, validation, test = c.split(X, test=0.2)
    chance = 20 / (200 - 8)  # 20 yeses among the tracks that are not seen
    error = math.sqrt(chance * (1 - chance) / test.nnz)
    for scorer in (c.fit(train, dim=8), c.item_knn(train), c.popularity(train)):
        accuracy = c.evaluate(scorer, train + validation, test, n_yes=20)["accuracy"]
        assert accuracy == pytest.approx(chance, abs=4 * error)


# --- the model -----------------------------------------------------------------------------------


def test_model_is_the_slides_formula():
    model = c.fit(two_kinds(), dim=3, iterations=5)
    logit = model([4, 7])
    for q, p in enumerate([4, 7]):
        for t in (0, 39):
            by_hand = sum(a * b for a, b in zip(model.tracks[t], model.playlists[p]))
            by_hand += model.track_bias[t] + model.playlist_bias[p]
            assert logit[q, t] == pytest.approx(by_hand, abs=1e-5)
            assert model.probability([t], [p])[0] == pytest.approx(1 / (1 + math.exp(-by_hand)), abs=1e-6)
    assert model.tracks.shape == (40, 3) and model.playlists.shape == (60, 3)
    assert model.track_bias.shape == (40,) and model.playlist_bias.shape == (60,)


def test_model_is_the_one_that_implicit_trained():
    """implicit's own scores, users by items, are those of the biased form."""
    from implicit.lmf import LogisticMatrixFactorization

    X = two_kinds()
    reference = LogisticMatrixFactorization(
        factors=2, regularization=0.6, iterations=7, num_threads=1, random_state=5
    )
    reference.fit(sp.csr_matrix(X.T, dtype=np.float32), show_progress=False)
    scores = reference.user_factors @ reference.item_factors.T
    model = c.fit(X, dim=2, iterations=7, seed=5)
    assert model(np.arange(60)) == pytest.approx(scores, abs=1e-5)


def test_model_separates_two_kinds_of_playlists():
    X = two_kinds()
    train, validation, test = c.split(X, test=0.2)
    model = c.fit(train, iterations=100)
    found = c.evaluate(model, train + validation, test, n_yes=14)
    assert found["accuracy"] > 0.85  # the right half has 20 tracks, 6 of them seen; chance is 14 / 34


def test_model_is_seeded_and_weights_matter():
    X = two_kinds()
    assert np.array_equal(c.fit(X, seed=1).tracks, c.fit(X, seed=1).tracks)
    assert not np.array_equal(c.fit(X, seed=1).tracks, c.fit(X, seed=2).tracks)
    tracks, at = X.nonzero()
    light, heavy = (c.fit(X * weight).probability(tracks, at).mean() for weight in (0.1, 10.0))
    assert heavy > light + 0.2


def test_negatives_are_as_many_as_the_docstring_says():
    """implicit's own setting changes nothing where it asks for more than dim + 2."""
    from implicit.lmf import LogisticMatrixFactorization

    X = sp.csr_matrix(two_kinds().T, dtype=np.float32)  # 8 tracks a playlist

    def factors(dim, neg_prop):
        model = LogisticMatrixFactorization(factors=dim, neg_prop=neg_prop, num_threads=1, random_state=0)
        model.fit(X, show_progress=False)
        return model.item_factors

    assert np.array_equal(factors(3, 1), factors(3, 30))
    assert not np.array_equal(factors(20, 1), factors(20, 30))


def test_bias_takes_up_popularity():
    rng = np.random.default_rng(0)
    weight = 1 / np.arange(1, 51)
    X = playlists([rng.choice(50, 8, replace=False, p=weight / weight.sum()) for _ in range(300)], 50)
    counts = X.sum(axis=1)
    model = c.fit(X)
    assert np.corrcoef(np.log(counts), model.track_bias)[0, 1] > 0.8


# --- baselines -----------------------------------------------------------------------------------


def test_popularity_counts_playlists():
    assert c.popularity(playlists([[0, 1], [1]], 3))([1]).tolist() == [[1, 2, 0]]


def test_same_label_counts_shared_labels_and_breaks_ties_by_popularity():
    train = playlists([[0, 1], [4, 1]], 6)
    labels = ["a", "b", "a", "b", None, ""]
    scores = c.same_label(train, labels)(np.array([0, 1]))
    thirds = np.array([1, 2, 0, 0, 1, 0]) / 3
    expected = [[1, 1, 1, 1, -np.inf, -np.inf], [-np.inf, 1, -np.inf, 1, -np.inf, -np.inf]]
    assert scores == pytest.approx(np.array(expected) + thirds)
    assert np.isinf(c.same_label(train, [""] * 6)([0])).all()


def test_item_knn_against_dense_cosines(monkeypatch):
    monkeypatch.setattr(c, "_NEIGHBOURS", 4)
    rng = np.random.default_rng(0)
    dense = (rng.random((12, 9)) < 0.5).astype(int)
    dense[0] = 1  # no playlist is empty
    norm = np.linalg.norm(dense, axis=1)
    cosine = dense @ dense.T / np.outer(norm, norm)
    for row in cosine:
        row[np.argsort(-row, kind="stable")[4:]] = 0
    expected = dense.T @ cosine.T
    found = c.item_knn(sp.csr_array(dense))(np.arange(9))
    assert np.where(np.isinf(found), 0, found) == pytest.approx(expected)
    assert np.array_equal(np.isinf(found), expected == 0)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_nearest_to_mean_against_plain_sums(similarity):
    rng = np.random.default_rng(0)
    train = playlists([[0, 2, 5], [1, 3], [5]], 6)
    rows, E = np.array([0, 1, 2, 4]), rng.standard_normal((4, 3))
    found = c.nearest(train, E, rows=rows, similarity=similarity)(np.arange(3))
    mean = (E[0] + E[2]) / 2  # track 5 has no embedding
    length = np.linalg.norm(mean) * np.linalg.norm(E, axis=1) if similarity == "cosine" else 1
    assert found[0, rows] == pytest.approx(E @ mean / length)
    assert np.isinf(found[:, [3, 5]]).all() and np.isinf(found[2]).all()


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_nearest_to_any_against_plain_maxima(similarity):
    rng = np.random.default_rng(0)
    train = playlists([[0, 2, 5], [1, 3], [5]], 6)
    rows, E = np.array([0, 1, 2, 4]), rng.standard_normal((4, 3))
    found = c.nearest(train, E, rows=rows, to="any", similarity=similarity)(np.arange(3))
    norm = np.linalg.norm(E, axis=1) if similarity == "cosine" else np.ones(4)
    near = E @ E.T / np.outer(norm, norm)
    assert found[0, rows] == pytest.approx(np.maximum(near[0], near[2]))  # track 5 has no embedding
    assert found[1, rows] == pytest.approx(near[1])
    assert np.isinf(found[:, [3, 5]]).all() and np.isinf(found[2]).all()


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("to", ["mean", "any"])
def test_a_track_without_direction_is_near_nothing(to, similarity):
    train = playlists([[0, 1], [1, 2], [2], [3]], 4)
    E = np.array([[1.0, 0.0], [3.0, 4.0], [1e-12, 0.0], [-1.0, 0.0]])
    score = c.nearest(train, E, to=to, similarity=similarity)
    found = score(np.arange(4))
    assert np.isinf(found[:, 2]).all() and np.isinf(found[2]).all()
    assert np.isfinite(found[np.ix_([0, 1, 3], [0, 1, 3])]).all()
    without = c.nearest(train, E[[0, 1, 3]], rows=[0, 1, 3], to=to, similarity=similarity)
    assert np.array_equal(found, without(np.arange(4)))
    assert np.isinf(score([2])).all()  # alone in its batch


def test_opposite_tracks_have_no_mean_direction():
    train = playlists([[0, 1]], 3)
    score = c.nearest(train, np.array([[1.0, 2.0], [-1.0, -2.0], [0.5, 0.0]]))
    assert np.isinf(score([0])).all()


def test_fusion_by_hand(monkeypatch):
    monkeypatch.setattr(c, "_FUSION_CONSTANT", 10)
    monkeypatch.setattr(c, "_FUSION_DEPTH", 2)
    a = table([[5, 4, 3, 2, -np.inf]])
    b = table([[1, 2, 3, 4, -np.inf]])
    found = c.fuse(a, b)([0])
    assert found == pytest.approx(np.array([[1 / 11, 1 / 12, 1 / 12, 1 / 11, -np.inf]]))
    monkeypatch.undo()
    assert c.fuse(a)([0]).argsort().tolist() == a([0]).argsort().tolist()


# --- measures ------------------------------------------------------------------------------------


def test_measures_by_hand():
    seen = playlists([[0], [0]], 6)
    hidden = playlists([[1, 2], [5]], 6)
    scores = table([[9, 5, 1, 4, 3, 2], [0, 9, 8, 7, 6, 5]])
    # candidates in order: 1 3 4 5 2 and 1 2 3 4 5; three yeses find track 1 of the first alone
    found = c.evaluate(scores, seen, hidden, n_yes=3)
    ideal = 1 + 1 / math.log2(3)
    assert found == pytest.approx({"accuracy": 1 / 3, "r_precision": 1 / 4, "ndcg": (1 / ideal) / 2})


def test_perfect_and_worst_scorers():
    seen, hidden = playlists([[0, 1], [2]], 8), playlists([[2, 3], [3, 4, 5]], 8)
    best = table(hidden.T.toarray())
    worst = table(-hidden.T.toarray())
    assert set(c.evaluate(best, seen, hidden, n_yes=3).values()) == {1.0}
    assert set(c.evaluate(worst, seen, hidden, n_yes=3).values()) == {0.0}


def test_tracks_not_recommended_are_no_yes():
    seen, hidden = playlists([[0]], 3), playlists([[1]], 3)
    silent = table([[-np.inf] * 3])
    assert set(c.evaluate(silent, seen, hidden, n_yes=3).values()) == {0.0}


def test_fewer_yeses_than_hidden_tracks():
    seen, hidden = playlists([[0]], 5), playlists([[1, 2, 3]], 5)
    found = c.evaluate(table([[0, 5, 4, 3, 2]]), seen, hidden, n_yes=1)
    assert found == pytest.approx({"accuracy": 1 / 3, "r_precision": 1, "ndcg": 1})


@given(st.integers(1, 30), st.integers(0, 3))
@settings(deadline=None)
def test_ranking_is_that_of_a_stable_sort(depth, seed):
    scores = np.random.default_rng(seed).integers(-2, 3, (4, 30)).astype(float)
    scores[scores == -2] = -np.inf
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    row, track = c._ranked(scores, depth)
    assert row.tolist() == [[0], [1], [2], [3]] and track.tolist() == expected.tolist()


def test_position_weights_follow_the_clock():
    X = playlists([[0, 1, 2], [1, 2]], 3)
    clock = {(0, 0): 5, (1, 0): 1, (2, 0): 3, (1, 1): 9, (2, 1): 2}
    times = np.array([clock[pair] for pair in zip(*X.nonzero())])
    place = {(1, 0): 1, (2, 0): 2, (0, 0): 3, (2, 1): 1, (1, 1): 2}
    weight = np.array([1 / math.log2(1 + place[pair]) for pair in zip(*X.nonzero())])
    found = c.position_weights(X, times)
    assert found.data == pytest.approx(weight / weight.mean()) and found.data.mean() == pytest.approx(1)
    assert pairs(found) == pairs(X)


# --- what is refused -----------------------------------------------------------------------------


def test_playlists_that_cannot_be_split():
    with pytest.raises(ValueError, match="playlist 1 has 0 tracks, fewer than 3"):
        c.split(playlists([[0, 1, 2], []], 3))
    with pytest.raises(ValueError, match="playlist 0 has 2 tracks, fewer than 3"):
        c.split(playlists([[0, 1], [0, 1, 2]], 3))
    for shares in ({"test": 0}, {"validation": -0.1}, {"test": 0.6, "validation": 0.5}):
        with pytest.raises(ValueError, match="sum to < 1"):
            c.split(two_kinds(), **shares)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda X: c.fit(X, dim=0), "at least 1"),
        (lambda X: c.fit(-X), "weights must be above 0"),
        (lambda X: c.fit(playlists([[0], []], 2)), "playlist 1 has 0 tracks, fewer than 1"),
        (lambda X: c.same_label(X, ["a"]), "one entry for each of 40 tracks"),
        (lambda X: c.nearest(X, np.ones((3, 2))), "one row for each of 40"),
        (lambda X: c.nearest(X, np.ones(40)), r"shape \(rows, columns\), got shape \(40,\)"),
        (
            lambda X: c.nearest(X, np.ones((40, 2)), similarity="l2"),
            "similarity must be 'cosine' or 'dot', got 'l2'",
        ),
        (lambda X: c.nearest(X, np.ones((40, 2)), to="all"), "to must be 'mean' or 'any', got 'all'"),
        (lambda X: c.nearest(X, np.full((40, 2), np.nan)), "nan at row 0"),
        (lambda X: c.fuse(), "missing 1 required positional argument"),
        (lambda X: c.position_weights(X, np.arange(3)), "one entry for each"),
        (lambda X: c.evaluate(c.popularity(X), X, X), "a leak"),
        (lambda X: c.evaluate(c.popularity(X), X[:-1], X), "one shape"),
        (lambda X: c.evaluate(c.popularity(X), X * 0, X[:, :0]), "sparse matrix|shape"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(two_kinds())


def test_measuring_refuses():
    seen, hidden = playlists([[0], [1]], 3), playlists([[1], [2]], 3)
    scorer = c.popularity(seen)
    with pytest.raises(ValueError, match="n_yes must be between 1 and the 3"):
        c.evaluate(scorer, seen, hidden, n_yes=4)
    none_hidden = sp.csr_array((3, 2), dtype=np.int32)
    with pytest.raises(ValueError, match="playlist 0 has 0 tracks"):
        c.evaluate(scorer, seen, none_hidden)
    with pytest.raises(TypeError, match="sparse matrix"):
        c.split(np.ones((3, 2)))
    twice = sp.csr_array((np.ones(2), np.array([0, 0]), np.array([0, 2])), shape=(1, 1))
    with pytest.raises(ValueError, match="twice"):
        c.popularity(twice)


def test_the_order_of_columns_does_not_matter():
    X = two_kinds()
    shuffled = X[:, np.random.default_rng(0).permutation(60)]
    assert not shuffled.has_sorted_indices
    assert np.array_equal(c.popularity(shuffled)([0]), c.popularity(X)([0]))
    with pytest.raises(ValueError, match="are not sorted"):
        c.position_weights(shuffled, np.arange(shuffled.nnz))
