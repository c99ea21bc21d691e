"""Covers against literal definitions."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spikylib import spikes
from spikylib.beyond import _orders as module
from spikylib.beyond import fewest, neighbours, ordered_cover
from spikylib.svd import truncated_svd

whole = arrays(
    np.int64, st.tuples(st.integers(1, 12), st.integers(1, 3)), elements=st.integers(-3, 3)
).filter(np.any)


def captures(E, cos_theta):
    """Who captures whom, pair by pair."""
    norm = [math.sqrt(math.fsum(x * x for x in row)) for row in E.tolist()]
    near = np.zeros((len(E), len(E)), dtype=bool)
    for i, j in itertools.product(range(len(E)), repeat=2):
        if norm[i] > 0 and norm[j] > 0:
            dot = math.fsum(x * y for x, y in zip(E[i].tolist(), E[j].tolist()))
            near[i, j] = i == j or dot / (norm[i] * norm[j]) > cos_theta
    return near


@given(E=whole, cos_theta=st.sampled_from([-0.5, 0.0, 0.6, 0.8, 0.9]))
def test_neighbours_are_who_captures_whom(E, cos_theta):
    assert (neighbours(E, cos_theta=cos_theta).toarray() == captures(E, cos_theta)).all()


@pytest.mark.filterwarnings("ignore:only .* have a norm above zero", "ignore:the rows tried capture")
@given(E=whole, rho=st.sampled_from([0.3, 0.5, 1.0]))
def test_by_decreasing_norm_it_is_the_cover_of_the_paper(E, rho):
    near = neighbours(E)
    order = np.argsort(-np.sqrt((E**2).sum(axis=1)), kind="stable")
    found, expected = ordered_cover(near, order, rho=rho), spikes.cover(E, rho=rho)
    assert found.peaks.tolist() == expected.peaks.tolist()
    assert found.spike.tolist() == expected.spike.tolist()
    assert found.captured.tolist() == expected.captured.tolist()


def test_blocks_scale_and_columns_change_nothing(monkeypatch):
    E = np.random.default_rng(0).standard_normal((50, 4))
    E[7] = 0
    before = neighbours(E, f=3, cos_theta=0.5)
    assert before.nnz == before.toarray().sum() and not before.toarray()[7].any()
    assert before.dtype == bool and before.indices.dtype == np.int32, "five bytes a pair"
    monkeypatch.setattr(module, "_BLOCK_ENTRIES", 150)
    for A in (E, 1e200 * E, 1e-200 * E):
        assert (neighbours(A[:, :3], cos_theta=0.5) != before).nnz == 0


@pytest.mark.filterwarnings("ignore:the rows tried capture")
@settings(max_examples=60, deadline=None)
@given(E=whole, rho=st.sampled_from([0.3, 0.6, 1.0]))
def test_gain_fewest_and_bound_against_trying_every_set(E, rho):
    alive = np.flatnonzero(E.any(axis=1))
    near, target = captures(E, 0.9), math.ceil(rho * len(E) - 1e-9)
    if len(alive) < target:
        with pytest.raises(ValueError, match="cannot be reached"):
            fewest(neighbours(E), rho=rho)
        return
    best = next(
        k
        for k in range(1, len(E) + 1)
        if any(near[list(c)].any(axis=0).sum() >= target for c in itertools.combinations(range(len(E)), k))
    )
    free, greedy = np.ones(len(E), dtype=bool), []
    while (~free).sum() < target:
        greedy.append(int((near & free).sum(axis=1).argmax()))
        free &= ~near[greedy[-1]]
    found = neighbours(E)
    assert ordered_cover(found, "gain", rho=rho).peaks.tolist() == greedy
    assert fewest(found, rho=rho) == best
    assert fewest(found, rho=rho, relax=True) <= best


def test_greedy_is_not_always_optimal_and_the_bound_holds():
    angle = np.radians([0, 20, 40, 44, 48, 68, 88])
    near = neighbours(np.column_stack([np.cos(angle), np.sin(angle)]))
    assert ordered_cover(near, "gain", rho=1).peaks.tolist() == [3, 0, 5]
    assert fewest(near, rho=1) == 2


def test_both_ends():
    one = neighbours(np.outer(np.arange(1, 21), [1.0, 2.0]))
    none = neighbours(np.eye(20))
    for near, size in ((one, 1), (none, 10)):
        assert len(ordered_cover(near, "gain").peaks) == size
        assert len(ordered_cover(near, range(20)).peaks) == size
        assert fewest(near) == fewest(near, relax=True) == size


def test_a_share_that_is_whole_but_for_rounding():
    assert 0.07 * 100 > 7
    near = neighbours(np.eye(100))
    assert len(ordered_cover(near, "gain", rho=0.07).peaks) == fewest(near, rho=0.07) == 7


def test_rows_without_norm_are_left_over():
    near = neighbours(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]))
    with pytest.warns(RuntimeWarning, match="capture 1 of 3, fewer than the 2 required"):
        assert ordered_cover(near, "gain").spike.tolist() == [-1, 0, -1]
    with pytest.warns(RuntimeWarning, match="capture 0 of 3"):
        assert ordered_cover(near, [0, 2]).peaks.tolist() == []


def test_more_pairs_than_memory_is_meant_for_are_refused(monkeypatch):
    monkeypatch.setattr(module, "_MAX_PAIRS", 80)
    with pytest.raises(ValueError, match="more than 80 pairs"):
        neighbours(np.ones((9, 2)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: neighbours(np.array([[1.0, np.nan]])), "nan at row 0, column 1"),
        (lambda: neighbours(np.zeros((2, 2))), "every row of E is zero"),
        (lambda: neighbours(np.ones((2, 2)), cos_theta=1), "cos_theta must be between"),
        (lambda: ordered_cover(neighbours(np.eye(2)), [0, 0]), "names a row twice"),
        (lambda: ordered_cover(neighbours(np.eye(2)), [2]), "rows 0 to 1, got 2 to 2"),
        (lambda: ordered_cover(neighbours(np.eye(2)), "gain", rho=0), "rho must be above 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_optimum_out_of_time_is_refused(monkeypatch):
    monkeypatch.setattr(module, "_TIME_LIMIT", 1e-6)
    E = np.random.default_rng(0).standard_normal((400, 3))
    with pytest.raises(ArithmeticError, match="not solved within 1e-06 s"):
        fewest(neighbours(E))


def test_real_playlists(cornell):
    _, M = cornell
    E = truncated_svd(M).embeddings()
    near = neighbours(E)
    assert len(ordered_cover(near, "gain").peaks) == 96
    assert fewest(near, relax=True) == 90
