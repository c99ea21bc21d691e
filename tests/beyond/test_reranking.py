"""Ranking again against a walk through each list, one item at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikylib.beyond import rerank


def walk(lists, spike, k, allowed):
    """Fill each list; `allowed(query number, spike, spikes taken)` decides who comes first."""
    result = []
    for q, row in enumerate(lists):
        taken, later = [], []
        for item in row:
            seen = {spike[other] for other in taken}
            (taken if allowed(q, spike[item], seen) else later).append(item)
        result.append((taken + later)[:k])
    return np.array(result)


@settings(deadline=None, max_examples=100)
@given(
    spike=st.lists(st.integers(-1, 3), min_size=6, max_size=6),
    orders=st.lists(st.permutations(range(6)), min_size=1, max_size=4),
    k=st.integers(1, 6),
)
def test_equals_a_walk(spike, orders, k):
    expected = walk(orders, spike, k, lambda q, s, seen: s < 0 or s not in seen)
    np.testing.assert_array_equal(rerank(orders, spike, k), expected)
    queries = [order[0] for order in orders]
    expected = walk(orders, spike, k, lambda q, s, seen: s == spike[queries[q]] >= 0)
    np.testing.assert_array_equal(rerank(orders, spike, k, queries=queries), expected)


def test_every_spike_in_reach_is_shown():
    spike = np.repeat(np.arange(5), 4)
    lists = np.tile(np.arange(20), (3, 1))
    assert (np.sort(spike[rerank(lists, spike, 5)], axis=1) == np.arange(5)).all()
    none = np.full(20, -1)
    np.testing.assert_array_equal(rerank(lists, none, 7), lists[:, :7])
    np.testing.assert_array_equal(rerank(lists, none, 7, queries=[0, 9, 19]), lists[:, :7])


def test_bad_input():
    for k in (0, 4):
        with pytest.raises(ValueError, match=f"got {k}"):
            rerank([[0, 1, 2]], [0, 0, 1], k)
    with pytest.raises(ValueError, match="1 lists for queries"):
        rerank([[0, 1, 2]], [0, 0, 1], 1, queries=[0, 1])
