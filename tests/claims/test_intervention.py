"""Claims on items that lose contexts: that these are lost, and what is kept, against doing it by hand."""

import numpy as np
import pytest

from spikylib import datasets, synthetic
from spikylib._arrays import unit_rows
from spikylib.claims import NotApplicable, _intervention
from spikylib.study import Study

SEED = 4


@pytest.fixture(scope="module")
def study():
    """Communities of items in few to many playlists."""
    data = synthetic.clean_playlists(n_items=800, n_contexts=2000, n_communities=8, mean_length=25, seed=SEED)
    return Study(data, f=16, seed=SEED)


def rows_of(data):
    X = data.matrix.tocsr()
    return [set(X.indices[a:b].tolist()) for a, b in zip(X.indptr, X.indptr[1:])]


@pytest.mark.parametrize("share", [1 / 2, 1 / 4, 1 / 8])
def test_thinning_leaves_the_share_and_touches_nothing_else(study, share):
    rows = study.rows[np.flatnonzero(study.plays >= 16)[[0, 10, 77]]]
    before, after = (
        rows_of(data)
        for data in (
            study.interactions,
            _intervention.without_contexts(study.interactions, rows, share, SEED),
        )
    )
    for k, (old, new) in enumerate(zip(before, after, strict=True)):
        assert new == old if k not in rows else new < old and len(new) == round(share * len(old))
    less = rows_of(_intervention.without_contexts(study.interactions, rows, share / 2, SEED))
    assert all(less[k] < after[k] for k in rows)


def test_pairs_are_alike_in_plays_and_spread_over_them(study):
    thin, twins = _intervention.pairs(study, SEED)
    able = np.sort(study.plays[study.plays >= 16])
    assert len(thin) == len(able) // 20 >= 20 and len({*thin, *twins}) == 2 * len(thin)
    # the k-th pair is of the k-th twentieth-part of the items in the order of plays
    for rows in (thin, twins):
        for k, group in enumerate(np.array_split(able, len(thin))):
            assert group[0] <= study.plays[rows[k]] <= group[-1]


def literal_list(part, item, others):
    """The fifty items of `others` most similar to an item, as ids, or nothing where it has no embedding."""
    ids = part.items["id"].tolist()
    if item not in ids:
        return set()
    unit = unit_rows(part.E)
    score = unit @ unit[ids.index(item)]
    order = [ids[k] for k in np.argsort(-score, kind="stable")]
    return set([other for other in order if other in others and other != item][:50])


def test_kept_lists_are_counted_one_by_one(study):
    study = Study(study.interactions, f=16, min_count=4, seed=SEED)
    thin, twins = _intervention.pairs(study, SEED)
    ids = study.items["id"].to_numpy()
    data = _intervention.without_contexts(study.interactions, study.rows[thin], 1 / 8, SEED)
    part = study.refit(data)
    assert not np.isin(ids[thin], part.items["id"]).all()  # two contexts are too few to keep a pair
    others = set(ids) - set(ids[thin])
    kept = [
        [len(literal_list(study, ids[k], others) & literal_list(part, ids[k], others)) / 50 for k in rows]
        for rows in (thin, twins)
    ]
    found = _intervention.after(study, SEED, 1 / 8)
    assert found.by_plays == pytest.approx(np.array(kept))
    assert found.lists == pytest.approx(np.mean(kept, axis=1))
    assert _intervention.an_eighth_changes_the_list(study, SEED) is found.lists


def test_a_rotated_copy_keeps_every_direction():
    rng = np.random.default_rng(0)
    E = rng.standard_normal((60, 5))
    turn = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    other = 2 * E @ turn
    other[:3] = -other[:3]  # not among the fixed ones, and so turned round
    other[3] = 0  # without an embedding
    cosine = _intervention.direction_kept(E, other, np.arange(4, 60))
    assert cosine == pytest.approx(np.r_[-1, -1, -1, 0, np.ones(56)])


def test_matched_items_have_as_few_plays(study):
    part = _intervention.thinned(study, SEED, 1 / 4)
    thin, _ = _intervention.pairs(study, SEED)
    among = np.setdiff1d(np.arange(len(study.E)), thin)
    which, others = _intervention.matched(study, part, thin, among, SEED)
    plays = np.diff(part.interactions.matrix.indptr)[study.rows]
    assert len(set(which)) == len(set(others)) == len(which) and not set(others) & set(thin)
    assert (np.abs(plays[others] - plays[thin[which]]) <= 0.1 * plays[thin[which]]).all()


def test_lists_that_two_draws_agree_on(study):
    part, (thin, twins) = _intervention.thinned(study, SEED, 1 / 4), _intervention.pairs(study, SEED)
    ids = study.items["id"].to_numpy()
    others = set(ids) - set(ids[thin])
    among = np.setdiff1d(np.arange(len(ids)), thin)
    which, born = _intervention.matched(study, part, thin, among, SEED)
    draws = [part.refit(datasets.resample(part.interactions, seed=s)) for s in (2 * SEED, 2 * SEED + 1)]
    shares = [
        np.mean([len(set.intersection(*(literal_list(d, ids[k], others) for d in draws))) / 50 for k in rows])
        for rows in (thin[which], twins[which], born)
    ]
    assert _intervention.repeated(study, SEED) == pytest.approx(shares)
    assert _intervention.as_steady_as_those_born_with_fewer(study, SEED) == pytest.approx(
        (shares[0], shares[2])
    )


def test_too_few_items_to_thin():
    data = synthetic.clean_playlists(n_items=300, n_contexts=900, n_communities=6, seed=1)
    with pytest.raises(NotApplicable, match="400 items of 16 contexts"):
        _intervention.pairs(Study(data, f=8), SEED)
