"""Top-k retrieval against a full sort."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from spikylib import retrieval, spikes
from spikylib.retrieval import top_k


def full_sort(E, queries, k, *, similarity="cosine", candidates=None, exclude_self=False):
    """Sort every candidate of every query, one number at a time."""
    rows = range(len(E)) if candidates is None else candidates
    indices, scores = [], []
    for query in queries:
        pairs = []
        for row in rows:
            if exclude_self and row == query:
                continue
            score = sum(a * b for a, b in zip(E[query].tolist(), E[row].tolist()))
            if similarity == "cosine":
                lengths = sum(a * a for a in E[query].tolist()) * sum(b * b for b in E[row].tolist())
                score = score / lengths**0.5 if lengths else 0.0
            pairs.append((-round(score, 9), row, score))
        pairs.sort()
        indices.append([row for _, row, _ in pairs[:k]])
        scores.append([score for _, _, score in pairs[:k]])
    return np.array(indices), np.array(scores)


@pytest.fixture(params=["few", "many"])
def small_blocks(request, monkeypatch):
    """Both ways: a few rows as such, and as many: pruning, settling, several passes."""
    monkeypatch.setattr(retrieval, "_PRODUCT", 3)
    if request.param == "many":
        treat_as_many(monkeypatch, 3, 7)


def treat_as_many(patch, query_block, candidate_block):
    """Let a few rows go the way of many, with blocks so small that they meet every branch."""
    patch.setattr(retrieval, "_FEW", 0)
    patch.setattr(retrieval, "_QUERY_BLOCK", query_block)
    patch.setattr(retrieval, "_CANDIDATE_BLOCK", candidate_block)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_equals_a_full_sort(small_blocks, similarity, exclude_self, k):
    rng = np.random.default_rng(1)
    E = rng.standard_normal((60, 6)) * rng.pareto(1.5, (60, 1))
    queries = [3, 59, 0, 17, 3]
    expected = full_sort(E, queries, k, similarity=similarity, exclude_self=exclude_self)
    found = top_k(E, queries, k, similarity=similarity, exclude_self=exclude_self)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-9)


@settings(deadline=None, max_examples=150)
@given(
    rows=st.lists(st.tuples(*[st.integers(-2, 2)] * 3), min_size=2, max_size=40).filter(np.any),
    k=st.integers(1, 40),
    similarity=st.sampled_from(["cosine", "dot"]),
    exclude_self=st.booleans(),
    blocks=st.tuples(st.integers(1, 4), st.integers(1, 9)),
)
def test_ties_go_to_the_lower_row(rows, k, similarity, exclude_self, blocks):
    E = np.array(rows, dtype=float)
    k = min(k, len(E) - 1)
    queries = list(range(len(E)))
    expected = full_sort(E, queries, k, similarity=similarity, exclude_self=exclude_self)
    options = dict(similarity=similarity, exclude_self=exclude_self)
    with pytest.MonkeyPatch.context() as patch:
        treat_as_many(patch, *blocks)
        ways = [top_k(E, queries, k, **options)]
    ways.append(top_k(E, queries, k, **options))
    for indices, scores in ways:
        np.testing.assert_array_equal(indices, expected[0])
        np.testing.assert_allclose(scores, expected[1], atol=1e-9)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_way_of_few_and_that_of_many_agree_to_the_bit(similarity, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    rng = np.random.default_rng(8)
    E = rng.standard_normal((3000, 24)) * rng.pareto(1.5, (3000, 1))
    E[::5] = np.outer(rng.uniform(0.5, 2, 600), E[0])  # ties for the cosine, beyond every list
    E[1::5] = E[1]  # and for both
    few = top_k(E, np.arange(300), 50, similarity=similarity)
    monkeypatch.setattr(retrieval, "_FEW", 0)
    many = top_k(E, np.arange(300), 50, similarity=similarity)
    one = [top_k(E, [query], 50, similarity=similarity) for query in range(0, 300, 37)]
    np.testing.assert_array_equal(many, few)
    np.testing.assert_array_equal(np.concatenate(one, axis=1), np.array(few)[:, ::37])
    # the tests above would not notice a way that is not taken
    assert len({table_dtype(3000, 24, 50, few) for few in (0, 64)}) == 2


def table_dtype(n, d, k, few):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "_FEW", few)
        E = np.ones((n, d))
        return retrieval._Candidates(E, np.arange(n), np.ones(n), 1.0, "dot", k).dtype


def test_rows_on_one_ray_are_ties_for_the_cosine_and_ranked_by_norm_for_the_dot_product():
    direction = np.array([0.3, -0.7, 0.1])
    E = np.outer([1.0, 3.0, 0.1, 7.0, 2.0], direction)
    indices, scores = top_k(E, [3], 5)
    assert indices.tolist() == [[0, 1, 2, 3, 4]]
    assert scores.tolist() == [[1.0] * 5]
    assert top_k(E, [2], 5, similarity="dot")[0].tolist() == [[3, 1, 4, 0, 2]]


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("d", [2, 3, 100])
def test_the_bounds_hold(similarity, d):
    # few coordinates, so that the rounding of a single one shows; many pairs, so that some are bad
    E = np.random.default_rng(d).standard_normal((1500, d))
    length = np.linalg.norm(E, axis=1)
    table = retrieval._Candidates(E, np.arange(1500), length, 1.0, similarity, 1)
    assert table.dtype == np.float32
    query = np.ones((200, d + 1), dtype=np.float32)
    query[:, :-1] = E[:200] / length[:200, None]
    exact = E[:200] @ E.T / length[:200, None] / (length if similarity == "cosine" else length.max())
    upper = query @ np.concatenate([table.scaled(a) for a in range(0, 1500, table.block)]).T
    upper, doubt = upper.astype(np.float64), table.doubt.astype(np.float64)
    assert (upper >= exact).all()
    assert (upper - 2 * doubt <= exact).all()
    assert doubt.max() < 2 * (d + 17) * 2.0**-23  # a bound that is too wide would be right, and slow


def test_scores_that_differ_by_less_than_a_tick_are_ties(small_blocks):
    E = 1 + 1e-15 * np.arange(300.0)[:, None]
    assert top_k(E, [0, 299], 5, similarity="dot")[0].tolist() == [[0, 1, 2, 3, 4]] * 2


def test_single_precision_alone_would_be_wrong():
    # steps of 1e-9 around 1 are all the same number in single precision
    n = 2000
    height = np.random.default_rng(2).permutation(n) * 1e-9
    E = np.column_stack([1 + height, np.zeros(n)])
    query = np.array([[1.0, 0.0]])
    indices, scores = top_k(E, query, 300, similarity="dot")
    np.testing.assert_array_equal(indices[0], np.argsort(-height)[:300])
    np.testing.assert_allclose(scores[0], 1 + np.sort(height)[::-1][:300], rtol=1e-11)


def test_crossing_the_real_block_sizes():
    rng = np.random.default_rng(3)
    E = rng.standard_normal((9000, 5)).astype(np.float32)
    E[::3] = np.outer(rng.uniform(0.5, 2, 3000), [1, 0, 0, 0, 0])  # a third of the rows on one ray
    queries = rng.choice(9000, 1100, replace=False)
    indices, scores = top_k(E, queries, 20, exclude_self=True)
    unit = E / np.linalg.norm(E.astype(float), axis=1, keepdims=True)
    unit = unit.astype(float)
    for q in (0, 1, 2, 1023, 1024, 1099):
        cosine = unit @ unit[queries[q]]
        cosine[queries[q]] = -2
        order = np.lexsort((np.arange(9000), -np.round(cosine, 6)))[:20]
        np.testing.assert_allclose(scores[q], np.sort(cosine)[::-1][:20], atol=1e-6)
        if queries[q] % 3 == 0:
            np.testing.assert_array_equal(indices[q], order)
    assert (indices != queries[:, None]).all()


def test_candidates_limit_the_result_and_their_order_does_not_matter():
    rng = np.random.default_rng(4)
    E = rng.standard_normal((30, 4))
    candidates = [20, 3, 7, 11, 28]
    expected = full_sort(E, [3, 5], 4, candidates=candidates, exclude_self=True)
    found = top_k(E, [3, 5], 4, candidates=candidates, exclude_self=True)
    np.testing.assert_array_equal(found[0], expected[0])
    again = top_k(E, [3, 5], 4, candidates=candidates[::-1], exclude_self=True)
    np.testing.assert_array_equal(again[0], expected[0])


def test_vectors_as_queries():
    E = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    mean = E[[0, 1]].mean(axis=0, keepdims=True)
    indices, scores = top_k(E, mean, 3, similarity="dot")
    assert indices.tolist() == [[2, 1, 0]]
    assert scores.tolist() == [[4.5, 2.0, 0.5]]
    np.testing.assert_array_equal(top_k(E, E, 2)[0], top_k(E, [0, 1, 2], 2)[0])


def test_zero_rows_have_cosine_zero():
    E = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    indices, scores = top_k(E, [0, 1], 3)
    assert indices.tolist() == [[0, 1, 2], [1, 0, 2]]
    assert scores.tolist() == [[0.0, 0.0, 0.0], [1.0, 0.0, -1.0]]
    with pytest.raises(ValueError, match="every row of E is zero"):
        top_k(np.zeros((3, 2)), [1], 2)


def test_rows_up_to_a_billionth_of_the_longest_have_no_direction():
    E = np.array([[1.0, 0.0], [1e-9, 0.0], [2e-9, 0.0], [-1.0, 0.0], [0.0, 1e-9]])
    indices, scores = top_k(E, [0, 1, 4], 5)
    assert indices.tolist() == [[0, 2, 1, 4, 3], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
    assert scores.tolist() == [[1.0, 1.0, 0.0, 0.0, -1.0], [0.0] * 5, [0.0] * 5]
    # the dot product needs no direction
    indices, scores = top_k(E, [0, 1], 5, similarity="dot")
    assert indices.tolist() == [[0, 2, 1, 4, 3]] * 2
    np.testing.assert_allclose(scores[0], [1, 2e-9, 1e-9, 0, -1], atol=1e-12)
    np.testing.assert_allclose(scores[1], [1e-9, 2e-18, 1e-18, 0, -1e-9], atol=1e-21)


def test_vectors_without_a_direction_are_near_nothing():
    E = np.array([[1.0, 0.0], [0.0, 2.0]])
    for vector in ([0.0, 0.0], [1e-9, 0.0], [0.0, 1e-300]):
        indices, scores = top_k(E, [vector, [0.0, 3.0]], 2)
        assert (indices.tolist(), scores.tolist()) == ([[0, 1], [1, 0]], [[0.0, 0.0], [1.0, 0.0]])
        assert top_k(E, [vector], 2)[1].tolist() == [[0.0, 0.0]]
    assert top_k(E, [[3e-9, 0.0]], 2)[1].tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("scale", [1e-300, 1e-140, 1.0, 1e140, 1e300])
@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_scale_of_the_embedding_does_not_matter(scale, similarity):
    E = np.random.default_rng(5).standard_normal((50, 4))
    plain = top_k(E, [0, 9], 10, similarity=similarity)[0]
    np.testing.assert_array_equal(top_k(E * scale, [0, 9], 10, similarity=similarity)[0], plain)


def test_integer_rows_and_no_queries():
    E = np.array([[1, 2], [3, 4]])
    assert top_k(E, [0], 1, similarity="dot")[1].tolist() == [[11.0]]
    indices, scores = top_k(E, [], 2)
    assert indices.shape == scores.shape == (0, 2)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(E=np.zeros(3)), "shape"),
        (dict(E=np.zeros((3, 2), complex)), "complex128"),
        (dict(E=np.array([[1.0, np.nan], [1.0, 2.0], [0.0, 1.0]])), "E contains nan at row 0, column 1"),
        (dict(E=np.zeros((3, 2))), "every row of E is zero"),
        (dict(k=0), "got 0"),
        (dict(k=4), "the 3 candidates of a query, got 4"),
        (dict(k=3, exclude_self=True), "the 2 candidates of a query, got 3"),
        (dict(similarity="euclid"), "'euclid'"),
        (dict(queries=[3]), "row numbers in queries must be between 0 and 2, got 3"),
        (dict(queries=[-1]), "got -1"),
        (dict(queries=[0.5]), "float64"),
        (dict(queries=[[1.0, 2.0, 3.0]]), "3 columns, E has 2"),
        (dict(queries=[[1.0, np.inf]]), "queries contains inf at row 0, column 1"),
        (dict(queries=[[1.0, 2.0]], exclude_self=True), "got vectors"),
        (dict(candidates=[0, 9]), "row numbers in candidates must be between 0 and 2, got 9"),
        (dict(candidates=[1, 0, 1]), "repeat row 1"),
        (dict(candidates=[True, False, True]), "bool"),
    ],
)
def test_bad_input(arguments, message):
    plain = dict(E=np.arange(1.0, 7.0).reshape(3, 2), queries=[0], k=1)
    with pytest.raises(ValueError, match=message):
        top_k(**{**plain, **arguments})


def test_tempered_norms_go_from_the_cosine_to_the_dot_product():
    rng = np.random.default_rng(6)
    E = rng.standard_normal((40, 5)) * rng.pareto(2, (40, 1))
    for gamma, similarity in ((0, "cosine"), (1, "dot")):
        tempered = top_k(retrieval.temper_norms(E, gamma), [4, 8], 9, similarity="dot")[0]
        np.testing.assert_array_equal(tempered, top_k(E, [4, 8], 9, similarity=similarity)[0])
    np.testing.assert_allclose(
        np.linalg.norm(retrieval.temper_norms(E, 0.3), axis=1), np.linalg.norm(E, axis=1) ** 0.3
    )
    tiny = np.array([[3.0, 4.0], [3e-9, 4e-9], [6e-9, 8e-9]])
    np.testing.assert_allclose(retrieval.temper_norms(tiny, 0), [[0.6, 0.8], [0, 0], [0.6, 0.8]])


def test_hiding_takes_one_item_of_each_context_that_is_large_enough():
    X = (np.random.default_rng(7).random((30, 50)) < 0.15).astype(np.int32)
    X[:, 0] = 0
    X[:2, 1] = 1
    X[2:, 1] = 0
    train, queries, hidden = retrieval.hide_one(sp.csr_array(X), seed=1)
    tested = np.flatnonzero(X.sum(axis=0) >= 3)
    assert len(queries) == len(hidden) == len(tested)
    assert (queries != hidden).all()
    expected = X.copy()
    expected[hidden, tested] = 0
    np.testing.assert_array_equal(train.toarray(), expected)
    assert train.nnz == expected.sum()
    assert (X[hidden, tested] == 1).all() and (expected[queries, tested] == 1).all()
    np.testing.assert_array_equal(hidden, retrieval.hide_one(X, seed=1)[2])
    assert (hidden != retrieval.hide_one(X, seed=2)[2]).any()


def test_hiding_is_uniform_over_the_items_of_a_context():
    X = np.ones((3, 6000), dtype=np.int32)
    _, queries, hidden = retrieval.hide_one(X)
    pairs = np.bincount(3 * hidden + queries, minlength=9)
    assert pairs[[0, 4, 8]].sum() == 0
    np.testing.assert_allclose(pairs[[1, 2, 3, 5, 6, 7]] / 6000, 1 / 6, atol=0.02)


@pytest.mark.parametrize(
    "options, message", [(dict(min_size=1), "got 1"), (dict(min_size=4), "largest has 3")]
)
def test_hiding_what_is_not_there(options, message):
    with pytest.raises(ValueError, match=message):
        retrieval.hide_one(np.ones((3, 2)), **options)


COVER = spikes.SpikeCover(
    peaks=np.array([0, 3]), spike=np.array([0, 0, 0, 1, 1, -1]), captured=np.array([3, 5])
)


def test_evaluation_counted_by_hand():
    lists = np.array([[1, 2], [0, 3], [1, 5], [4, 5], [0, 3], [3, 0]])
    found = retrieval.evaluate(lists, [0, 0, 5, 3], [2, 4, 3, 4], popularity=[6, 5, 4, 3, 2, 1], cover=COVER)
    assert found["recall"] == 3 / 4
    assert found["ndcg"] == pytest.approx((1 / np.log2(3) + 0 + 1 + 1) / 4)
    assert found["coverage"] == 1
    counts = [3, 2, 1, 3, 1, 2]
    differences = sum(abs(a - b) for a in counts for b in counts)
    assert found["gini"] == pytest.approx(differences / (2 * 6**2 * np.mean(counts)))
    assert found["popularity"] == pytest.approx((5 + 4 + 6 + 3 + 5 + 1 + 2 + 1 + 6 + 3 + 3 + 6) / 12)
    # items 1, 2 and 4 are on a spike and no peaks; only item 1's list opens with its peak
    assert found["opens_with_peak"] == pytest.approx(1 / 3)
    # eight places of items on spikes in lists of items on spikes: 3 for item 1, 0 for item 4
    assert found["crosses"] == pytest.approx(2 / 8)


def test_evaluation_of_perfect_and_concentrated_lists():
    ring = np.array([[1], [2], [0], [4], [3], [5]])
    found = retrieval.evaluate(ring, np.arange(6), ring[:, 0], popularity=np.ones(6), cover=COVER)
    assert found["recall"] == found["ndcg"] == found["coverage"] == found["popularity"] == 1
    assert found["gini"] == pytest.approx(0) and found["crosses"] == 0
    same = retrieval.evaluate(np.full((6, 1), 5), [0], [1], popularity=np.arange(6), cover=COVER)
    assert same["recall"] == same["ndcg"] == 0
    assert same["coverage"] == 1 / 6 and same["gini"] == pytest.approx(5 / 6)
    assert np.isnan(same["crosses"]) and same["opens_with_peak"] == 0


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(lists=[[1]]), "cover's 6 items"),
        (dict(popularity=[1, 2]), "cover's 6 items"),
        (dict(queries=[1, 2]), "lists of one length"),
        (dict(queries=[], hidden=[]), "lists of one length"),
    ],
)
def test_bad_evaluations(change, message):
    plain = dict(lists=[[1]] * 6, queries=[0], hidden=[1], popularity=[1] * 6)
    arguments = {**plain, **change}
    with pytest.raises(ValueError, match=message):
        retrieval.evaluate(**arguments, cover=COVER)


def test_knee():
    f = [4, 8, 16, 32, 64]
    assert retrieval.knee(f, [3, 5, 6, 30, 90])[0] == 16
    assert (
        retrieval.knee(f, np.array([3, 8, 16, 20, 60], dtype=np.int32))[0] == 32
    )  # not the rise from 3 to 8
    at, slope = retrieval.knee(f, [7, 7, 7, 7, 7])
    assert at == 4 and slope == 0
    at, slope = retrieval.knee(f, [10, 20, 40, 80, 160])
    assert at == 4 and slope == pytest.approx(1)


@pytest.mark.parametrize(
    "f, peaks, message",
    [
        ([4], [1], "2 or more"),
        ([4, 8], [1, 2, 3], "lists of one length"),
        ([8, 4], [1, 2], "increase"),
        ([0, 4], [1, 2], "positive"),
        ([4, 8], [0, 2], "at least 1"),
        ([4, 8], [0.1, 0.2], "counts"),
    ],
)
def test_bad_knees(f, peaks, message):
    with pytest.raises(ValueError, match=message):
        retrieval.knee(f, peaks)


def test_recall_counted_by_hand():
    lists = [[1, 2], [0, 3], [1, 0], [0, 1]]
    found = retrieval.recall(lists, [0, 0, 1, 3, 3], [2, 3, 0, 1, 2])
    assert found.dtype == bool and found.tolist() == [True, False, True, True, False]
    for queries, hidden in (([1, 2], [1]), ([], [])):
        with pytest.raises(ValueError, match="lists of one length"):
            retrieval.recall(lists, queries, hidden)


def test_paired_interval_of_equal_and_of_shifted_measurements():
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 10, 400)
    assert retrieval.paired_interval(hard, hard) == (0.0, 0.0, 0.0)
    # the same shift in every test is certain, however much the tests differ
    assert retrieval.paired_interval(hard + 0.5, hard) == pytest.approx((0.5, 0.5, 0.5))
    difference, low, high = retrieval.paired_interval(hard + rng.normal(1, 2, 400), hard, seed=1)
    # the normal interval: 1.96 standard errors of 0.1
    assert low == pytest.approx(difference - 0.196, abs=0.04)
    assert high == pytest.approx(difference + 0.196, abs=0.04)
    assert retrieval.paired_interval(hard, -hard, seed=1) == retrieval.paired_interval(hard, -hard, seed=1)


def test_paired_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for draw in range(200):
        _, low, high = retrieval.paired_interval(rng.random(60) < 0.5, rng.random(60) < 0.3, seed=draw)
        hits += low <= 0.2 <= high
    assert 0.9 < hits / 200 < 0.99


@pytest.mark.parametrize("change", [dict(others=[1.0]), dict(values=[], others=[])])
def test_bad_intervals(change):
    with pytest.raises(ValueError, match="lists of one length"):
        retrieval.paired_interval(**{"values": [1.0, 2.0], "others": [0.0, 0.0], **change})


def normal_rows(seed=0, n=60, d=4):
    return np.random.default_rng(seed).standard_normal((n, d))


def exact_order(E, query, similarity):
    """Rows by decreasing similarity in exact arithmetic, ties to the lower row."""
    E = [[Fraction(x) for x in row] for row in E.tolist()]

    def score(row):
        dot = sum(a * b for a, b in zip(E[query], E[row]))
        if similarity == "dot":
            return dot
        # the cosine squared, signed: the norm of the query is the same for all
        length = sum(a * a for a in E[row])
        return dot * abs(dot) / length if length else Fraction(0)

    return sorted(range(len(E)), key=lambda row: (-score(row), row))


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("power", [-490, -300, 0, 300, 500])
def test_top_k_is_exact_at_every_scale(similarity, power):
    E = np.ldexp(np.random.default_rng(3).integers(-9, 10, (40, 3)).astype(float), power)
    expected = [exact_order(E, query, similarity)[:7] for query in range(40)]
    assert top_k(E, range(40), 7, similarity=similarity)[0].tolist() == expected


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_differences_that_single_precision_cannot_see_decide(similarity):
    # 3,000 rows that agree to about 1e-8: pruning by bounds must not drop the best of them
    rng = np.random.default_rng(4)
    E = np.ones((3000, 8)) + 1e-8 * rng.standard_normal((3000, 8))
    query = np.zeros(8)
    query[0] = 1.0
    score = E[:, 0] / (np.linalg.norm(E, axis=1) if similarity == "cosine" else 1.0)
    best = np.argsort(-score, kind="stable")[:5]
    assert top_k(E, query[None], 5, similarity=similarity)[0][0].tolist() == best.tolist()


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize(
    "scale, own_scale", [(2.0**-1000, 2.0**-1000), (2.0**900, 2.0**900), (1.0, 2.0**1000)]
)
def test_squares_that_vanish_or_overflow_change_no_order(similarity, scale, own_scale):
    plain, scores = top_k(normal_rows(), normal_rows(1)[:5], 7, similarity=similarity)
    found, scaled = top_k(normal_rows() * scale, normal_rows(1)[:5] * own_scale, 7, similarity=similarity)
    np.testing.assert_array_equal(found, plain)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(scaled, scores * scale * own_scale if similarity == "dot" else scores)


def test_a_row_whose_square_vanishes_is_near_nothing():
    E = np.array([[1.0, 0.0], [1e-200, 0.0], [-1.0, 0.0]])
    indices, scores = top_k(E, [0], 3)
    assert (indices.tolist(), scores.tolist()) == ([[0, 1, 2]], [[1.0, 0.0, -1.0]])


def test_tempered_norms_of_zero_rows_stay_zero():
    assert retrieval.temper_norms(np.array([[0.0, 0.0], [0.0, 4.0]]), -0.5).tolist() == [
        [0.0, 0.0],
        [0.0, 0.5],
    ]


def test_recall_and_ndcg_are_those_of_ranx():
    ranx = pytest.importorskip("ranx", reason="an oracle that is no dependency: pip install ranx")
    rng = np.random.default_rng(0)
    E = rng.standard_normal((200, 8))
    lists, _ = retrieval.top_k(E, np.arange(200), 20, exclude_self=True)
    queries = rng.integers(200, size=300)
    hidden = (queries + rng.integers(1, 200, size=300)) % 200
    found = retrieval.evaluate(lists, queries, hidden, popularity=np.ones(200), cover=spikes.cover(E))
    names = [f"q{t}" for t in range(300)]
    asked = ranx.Qrels({name: {str(h): 1} for name, h in zip(names, hidden)})
    told = ranx.Run(
        {name: {str(i): 20.0 - r for r, i in enumerate(lists[q])} for name, q in zip(names, queries)}
    )
    expected = ranx.evaluate(asked, told, ["recall@20", "ndcg@20"])
    assert found["recall"] == pytest.approx(expected["recall@20"])
    assert found["ndcg"] == pytest.approx(expected["ndcg@20"])
