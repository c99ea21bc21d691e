"""Co-occurrence and PPMI against definitions written out pair by pair."""

import math
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spikylib import synthetic
from spikylib._counts import row_blocks
from spikylib.ppmi import cooccurrence, ppmi_matrix

binary = arrays(np.int8, st.tuples(st.integers(1, 9), st.integers(1, 12)), elements=st.integers(0, 1)).filter(
    np.any
)


budget = st.sampled_from([1, 2**30])  # a row at a time, or all of them
which = st.sampled_from(["mutual", "either", "later"])


def literal_cooccurrence(X, min_count, top_k, keep="mutual"):
    n = len(X)
    count = {(i, j): sum(a and b for a, b in zip(X[i], X[j])) for i in range(n) for j in range(n) if i != j}
    count = {pair: c for pair, c in count.items() if c >= min_count}
    if keep == "later":
        ranked = {i: [j for j in range(i + 1, n) if (i, j) in count] for i in range(n)}
    else:
        ranked = {i: [j for j in range(n) if (i, j) in count] for i in range(n)}
    best = {i: set(sorted(ranked[i], key=lambda j: (-count[i, j], j))[:top_k]) for i in range(n)}
    C = np.zeros((n, n), dtype=int)
    for (i, j), c in count.items():
        votes = (j in best[i]) + (i in best[j])
        if votes == 2 or (votes == 1 and keep != "mutual"):
            C[i, j] = c
    return C


def literal_ppmi(X, min_count, top_k, keep="mutual", shift=0.0):
    C, N = literal_cooccurrence(X, min_count, top_k, keep), X.shape[1]
    M = np.zeros(C.shape)
    for i, j in zip(*np.nonzero(C)):
        information = math.log(N * C[i, j] / (X[i].sum() * X[j].sum())) - shift
        M[i, j] = information if information > 1e-12 else 0
    kept = [i for i in range(len(M)) if M[i].any()]
    return M[np.ix_(kept, kept)], kept


@given(X=binary, min_count=st.integers(1, 3), top_k=st.integers(1, 9), keep=which, memory=budget)
def test_cooccurrence_is_its_definition(X, min_count, top_k, keep, memory):
    C = cooccurrence(X, min_count=min_count, top_k=top_k, keep=keep, memory=memory)
    assert C.dtype == np.int32
    assert (C.toarray() == literal_cooccurrence(X, min_count, top_k, keep)).all()


@given(
    X=binary,
    min_count=st.integers(1, 3),
    top_k=st.integers(1, 9),
    keep=which,
    shift=st.sampled_from([0.0, 0.3, math.log(2), math.log(3)]),
    memory=budget,
)
def test_ppmi_is_its_definition(X, min_count, top_k, keep, shift, memory):
    expected, kept = literal_ppmi(X, min_count, top_k, keep, shift)
    options = {"min_count": min_count, "top_k": top_k, "keep": keep, "shift": shift, "memory": memory}
    if not kept:
        with pytest.raises(ValueError, match="no pair of items is left"):
            ppmi_matrix(X, **options)
        return
    M, found = ppmi_matrix(X, **options)
    assert found.tolist() == kept
    assert (M.data > 0).all()
    np.testing.assert_allclose(M.toarray(), expected, rtol=1e-12, atol=1e-15)


@settings(max_examples=25)
@given(X=binary, seed=st.integers(0, 99))
def test_contexts_have_no_order(X, seed):
    shuffled = X[:, np.random.default_rng(seed).permutation(X.shape[1])]
    assert (cooccurrence(X, min_count=1) != cooccurrence(shuffled, min_count=1)).nnz == 0


def test_a_repeated_pair_counts_once():
    twice = sp.csr_array(([1, 1, 1, 1, 1], [0, 0, 1, 0, 1], [0, 3, 5]), shape=(2, 2))
    assert cooccurrence(twice).toarray().tolist() == [[0, 2], [2, 0]]
    assert twice.nnz == 5, "the caller's matrix is left as it was"


def test_ties_of_top_k_go_to_the_lower_item():
    # items 1, 2 and 3 share two contexts with item 0 each; only the first may stay
    X = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]])
    assert cooccurrence(X, top_k=1).toarray()[0].tolist() == [0, 2, 0, 0]


def test_which_of_two_keeps_the_other():
    # items 1, 2 and 3 share two contexts with item 0 each, and keep it as their only neighbour
    X = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]])
    assert cooccurrence(X, top_k=1, keep="either").toarray()[0].tolist() == [0, 2, 2, 2]
    # the items before item 0 in the reversed order rank it, those after it do not
    assert cooccurrence(X, top_k=1, keep="later").toarray()[0].tolist() == [0, 2, 0, 0]
    assert cooccurrence(X[::-1], top_k=1, keep="later").toarray()[3].tolist() == [2, 2, 2, 0]


def test_a_shift_that_leaves_nothing_is_named():
    X = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]])  # twice what chance would give
    with pytest.raises(ValueError, match=r"more of them than e\^0\.693147 times .* lower min_count or shift"):
        ppmi_matrix(X, shift=math.log(2))


@pytest.mark.parametrize("shift", [-0.1, np.nan])
def test_a_negative_shift_is_refused(shift):
    with pytest.raises(ValueError, match=f"shift must be at least 0, got {shift}"):
        ppmi_matrix(np.ones((2, 2)), shift=shift)


def test_another_way_to_keep_is_refused():
    with pytest.raises(ValueError, match="keep must be 'mutual' or 'either' or 'later', got 'both'"):
        cooccurrence(np.ones((2, 2)), keep="both")


def test_large_counts_do_not_overflow():
    # 200,000 contexts times 100,000 shared ones is past the largest int32
    X = np.zeros((2, 200_000), dtype=np.int8)
    X[:, :100_000] = 1
    M, _ = ppmi_matrix(X)
    assert M.toarray() == pytest.approx(math.log(2) * (1 - np.eye(2)))


def test_independence_is_dropped():
    # each pair shares exactly as many contexts as chance gives
    X = np.array([[1, 1, 0, 0], [1, 0, 1, 0]])
    with pytest.raises(ValueError, match="no pair"):
        ppmi_matrix(X, min_count=1)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones(3), "two-dimensional .* got 1"),
        (np.zeros((0, 4)), r"empty: its shape is \(0, 4\)"),
        (np.zeros((2, 2)), "contains no interaction"),
        (np.array([[1, -2], [0, 1]]), "negative value, -2"),
        (np.array([[1.0, np.nan], [0, 1]]), "NaN"),
        (np.array([[1j, 1], [1, 1]]), "real numbers, got dtype complex128"),
    ],
)
def test_bad_interactions_are_named(X, message):
    with pytest.raises(ValueError, match=message):
        cooccurrence(X)


@pytest.mark.parametrize("option", ["min_count", "top_k", "memory"])
def test_bad_options_are_named(option):
    with pytest.raises(ValueError, match=f"{option} must be at least 1, got 0"):
        cooccurrence(np.ones((2, 2)), **{option: 0})


@pytest.mark.parametrize("value", [5e-324, 1e-200, 1.0, 1e200, 1.7e308])
def test_any_positive_entry_counts_as_one(value):
    playlists = np.array([[1, 1, 0, 0, 0], [1, 1, 0, 0, 1], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0]])
    M, kept = ppmi_matrix(playlists * value)
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 0] = math.log(5 * 2 / (2 * 3))
    expected[2, 3] = expected[3, 2] = math.log(5 * 2 / (2 * 2))
    np.testing.assert_allclose(M.toarray(), expected, rtol=1e-14)
    assert kept.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.float32, np.int64])
def test_counts_do_not_overflow_the_type_of_the_entries(dtype):
    C = cooccurrence(np.ones((2, 70_000), dtype=dtype))
    assert C.toarray().tolist() == [[0, 70_000], [70_000, 0]]


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
def test_one_item_or_one_context_has_no_ppmi(shape):
    with pytest.raises(ValueError, match="no pair of items is left"):
        ppmi_matrix(np.ones(shape), min_count=1)


def test_a_disconnected_graph_is_the_graphs_one_by_one():
    X = np.random.default_rng(0).random((9, 40)) < 0.3
    Y = np.random.default_rng(1).random((7, 40)) < 0.3
    both = sp.block_diag([X, Y], format="csr").astype(np.int8)
    M, kept = ppmi_matrix(both, min_count=1)
    for part, items in ((X, range(9)), (Y, range(9, 16))):
        # alone, an item has the same contexts, but of half as many
        alone, held = ppmi_matrix(np.hstack([part, np.zeros_like(part)]), min_count=1)
        here = np.isin(kept, items)
        assert kept[here].tolist() == [items[i] for i in held]
        np.testing.assert_allclose(M.toarray()[np.ix_(here, here)], alone.toarray(), rtol=1e-14)
        assert not M.toarray()[np.ix_(here, ~here)].any()


def test_blocks_of_rows_give_the_same_matrix(cornell):
    data, M = cornell
    assert len(row_blocks(np.ones(10), 3)) == 4
    again, _ = ppmi_matrix(data.matrix, top_k=100, memory=2**20)
    whole, _ = ppmi_matrix(data.matrix, top_k=100, memory=2**40)
    assert whole.nnz < M.nnz
    assert (again.indptr == whole.indptr).all()
    assert (again.indices == whole.indices).all()
    assert (again.data == whole.data).all()


def test_memory_is_bounded_by_the_budget():
    X = synthetic.clean_playlists(n_items=4000, n_contexts=4000, mean_length=40, seed=0).matrix
    peak = {}
    for memory in (2**22, 2**30):
        tracemalloc.start()
        cooccurrence(X, min_count=3, memory=memory)
        peak[memory] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak[2**22] < peak[2**30] / 2


def test_real_playlists(cornell):
    data, M = cornell
    assert data.matrix.shape == (3113, 10252)
    assert data.matrix.nnz == 115697
    assert (M.shape[0], M.nnz) == (2888, 318530)
    assert M.sum() == pytest.approx(845781.58, abs=0.01)
