"""Claims of chapter 7: what they measure with, against literal computations."""

import itertools

import numpy as np
import pytest
from scipy import stats

from spikylib.claims import NotApplicable, _averages
from spikylib.datasets import Embeddings
from spikylib.study import Study

E = np.random.default_rng(0).standard_normal((120, 8)) ** 3


def test_wins_are_those_of_all_subsets():
    rows = E[:6, :3]
    right = []
    for members in itertools.combinations(range(6), 3):
        mean = rows[list(members)].mean(axis=0)
        outsiders = set(range(6)) - set(members)
        right += [rows[u] @ mean > rows[v] @ mean for u in members for v in outsiders]
    counted, by_theorem = _averages.wins(rows, 3, seed=0)
    assert counted == pytest.approx(np.mean(right), abs=0.02)
    assert by_theorem == pytest.approx(np.mean(right), abs=0.02)


def test_consistency_is_the_share_of_members_found():
    k, seed, found = 3, 5, []
    rng = np.random.default_rng(seed)
    for _ in range(500):
        members = rng.choice(len(E), k, replace=False, shuffle=False)
        scores = E @ E[members].mean(axis=0)
        found.append(len(set(np.argsort(-scores)[:k]) & set(members)) / k)
    assert _averages.measured(E, k, seed) == pytest.approx(np.mean(found))
    with pytest.raises(NotApplicable, match="130 items"):
        _averages.measured(E, 13, seed)


def test_decline_is_that_of_what_is_above_chance():
    many = np.random.default_rng(1).standard_normal((600, 8))
    of_fifty = _averages.measured(many, 50, 2) - 50 / 600
    of_five = _averages.measured(many, 5, 2, n_subsets=2000) - 5 / 600
    expected = of_fifty / of_five * (595 / 550)
    assert _averages.over_five(many, 2) == pytest.approx(expected)


def test_normal_scores_keep_order_and_spread():
    study = Study(embeddings=Embeddings(np.arange(len(E)), E, "made"))
    scores = _averages.normal_scores(study)
    for column, original in zip(scores.T, study.E.T):
        assert (stats.rankdata(column) == stats.rankdata(original)).all()
        assert abs(stats.kurtosis(column)) < 0.3 < stats.kurtosis(original)
        assert column.std() == pytest.approx(original.std(), rel=0.03)


def test_permuted_numbers_are_the_same_elsewhere():
    permuted = _averages.permuted(E, 3)
    assert (np.sort(permuted, axis=None) == np.sort(E, axis=None)).all()
    assert (permuted == E).mean() < 0.1


def test_a_quarter_of_the_columns_needs_eight():
    assert (_averages.first_quarter(E) == E[:, :2]).all()
    with pytest.raises(NotApplicable, match="8 dimensions"):
        _averages.first_quarter(E[:, :7])
