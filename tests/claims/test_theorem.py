"""Measures of the theorem against literal computations."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest

from spikylib import spikes, synthetic
from spikylib._arrays import unit_rows
from spikylib.claims import _controls, _theorem
from spikylib.study import Study
from spikylib.svd import truncated_svd


@pytest.fixture(scope="module")
def linked():
    return _controls.linked(0)


def test_pairs_are_on_one_spike_and_use_a_row_once():
    spike = np.random.default_rng(0).integers(-1, 6, 80)
    one, other = _theorem.pairs(spike, 3)
    assert (spike[one] == spike[other]).all() and (spike[one] >= 0).all()
    assert len({*one, *other}) == 2 * len(one)
    assert len(one) == sum(int(np.sum(spike == k)) // 2 for k in range(6))
    assert _theorem.pairs(spike, 4)[0].tolist() != one.tolist()
    with pytest.raises(_theorem.NotApplicable, match="two spikes of several rows"):
        _theorem.pairs(np.array([0, 1, 2, 3, 3, -1]), 0)


def test_held_out_rows_are_explained_by_least_squares_on_the_others():
    M, spike = synthetic.planted_spikes((9, 8, 6), 5, noise=0.4, seed=1)
    factors = truncated_svd(M, 3)
    fitted, asked = _theorem.pairs(spike, 7)
    M_hat, norm = (
        factors.reconstruct(_theorem.ALL, _theorem.ALL),
        np.linalg.norm(factors.embeddings(), axis=1),
    )
    error = total = 0.0
    for i in asked:
        for j in asked:
            if spike[i] != spike[j]:
                block = [
                    (a, b) for a in fitted for b in fitted if (spike[a], spike[b]) == (spike[i], spike[j])
                ]
                weight = sum((norm[a] * norm[b]) ** 2 for a, b in block)
                beta = sum(norm[a] * norm[b] * M_hat[a, b] for a, b in block) / weight
                error += (abs(M_hat[i, j]) - norm[i] * norm[j] * abs(beta)) ** 2
                total += M_hat[i, j] ** 2
    assert _theorem.explained_by_halves(factors, spike, 7) == pytest.approx(1 - error / total, abs=1e-12)
    exact = truncated_svd(synthetic.planted_spikes((9, 8, 6), 5, seed=1)[0], 3)
    assert _theorem.explained_by_halves(exact, spike, 7) == pytest.approx(1, abs=1e-12)


def test_after_a_negative_entry_the_next_of_its_block_is_counted(linked):
    part, spike = linked.resampled(2), linked.resampled(2).cover(32).spike
    M_hat = part.svd.leading(32).reconstruct(_theorem.ALL, _theorem.ALL)
    one, other = _theorem.pairs(spike, 2)
    after, negative = [], []
    for a, b in zip(one, other):
        for c, d in zip(one, other):
            if spike[a] != spike[c]:
                negative.append(M_hat[a, c] < 0)
                after += [M_hat[b, d] < 0] * int(M_hat[a, c] < 0)
    expected = np.mean(after), np.mean(negative)
    assert _theorem.negative_entries_are_isolated(linked, 2) == pytest.approx(expected)


def test_negative_entries_are_counted_and_weighed_on_the_sample(linked):
    part = linked.resampled(1)
    rows = np.random.default_rng(1).permutation(len(part.E))[:300]
    M_hat = (part.svd.U[rows] * part.svd.s) @ part.svd.V.T
    assert _theorem.few_entries_are_negative(linked, 1)[0] == pytest.approx((M_hat < 0).mean(), abs=1e-6)
    weighed = sum(x**2 for x in M_hat.ravel() if x < 0) / (M_hat**2).sum()
    assert _theorem.negative_entries_are_small(linked, 1)[0] == pytest.approx(weighed)
    M = part.M.toarray()[rows]
    expected = (M_hat[M > 0] < 0).mean(), (M_hat[M == 0] < 0).mean()
    assert _theorem.negative_where_nothing_is_known(linked, 1) == pytest.approx(expected, abs=1e-6)


def test_a_column_belongs_to_the_spike_that_holds_more_than_half_of_its_square():
    columns = np.array([[3.0, 1, 1, 0], [1.0, 2, 1, 0], [1.0, 1, 1, 0], [0.0, 1, 2, 5]])
    # squares on spikes 0, 1 and on none: 9, 2, 0; 1, 5, 1; 1, 2, 4; and 0, 0, 25
    assert _theorem.owners(columns, np.array([0, 1, 1, -1])).tolist() == [0, 1]


def test_rows_without_weight_in_16_dimensions_are_on_no_spike():
    rng = np.random.default_rng(0)
    E = np.zeros((200, 64))
    E[:100, :16], E[100:, 16:] = rng.random((100, 16)), rng.random((100, 48))
    E[100:, 0] = 0.01  # so little that where they point in 16 dimensions says nothing
    study = SimpleNamespace(
        E=E, svd=SimpleNamespace(U=E, s=np.ones(64)), cover=lambda f: spikes.cover(E, f=f, rho=1)
    )
    spike = _theorem.basis(study)[1]
    order = np.argsort(-(E**2).sum(axis=1), kind="stable")
    assert (spike == -1)[order >= 100].all() and (study.cover(16).spike[100:] >= 0).any()


@pytest.mark.parametrize(
    ("name", "columns", "rotated"),
    [("cornell-yes-small", (28, 4), (40, 9)), ("lastfm-2k", (4, 4), (24, 15))],
)
def test_dimensions_and_communities_computed_apart(data_home, name, columns, rotated):
    # counted with all rows of a spike, those that lie in later dimensions too
    study = Study.load(name, data_home=data_home)
    U, spike = study.svd.U[:, :64], study.cover(16).spike
    for axes, expected in ((U, columns), (spikes.varimax(U), rotated)):
        owned = _theorem.owners(axes, spike)
        assert (len(owned), len(set(owned))) == expected


def test_affinities_decide_how_many_half_lines_there_are():
    degree = np.linspace(0.1, 1, 400)
    for B, expected in ((np.ones((4, 4)), 1), (np.eye(4), 4), (np.ones((4, 4)) - 0.95 * np.eye(4), 4)):
        unit = unit_rows(_theorem.rays(B, degree))
        directions = [k for k in range(400) if not any(unit[k] @ unit[j] > 0.999 for j in range(k))]
        assert len(directions) == _theorem.n_rays(B, degree) == expected


def test_links_between_two_communities_alone_give_orthogonal_spikes():
    B = np.array([[0.05, 1.0], [1.0, 0.05]])
    alpha, community = np.linspace(0.1, 1, 60), np.repeat([0, 1], 30)
    unit = unit_rows(truncated_svd(np.outer(alpha, alpha) * B[np.ix_(community, community)], 2).U)
    for i, j in combinations(range(60), 2):
        assert unit[i] @ unit[j] == pytest.approx(float(community[i] == community[j]), abs=1e-9)
