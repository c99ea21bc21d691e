"""Claims of chapter 5: what they count, against counting it by hand."""

import numpy as np
import pytest

from spikylib import claims, synthetic
from spikylib.claims import Finding, NotApplicable, _advice, _controls
from spikylib.datasets import Embeddings
from spikylib.study import Study


@pytest.fixture(scope="module")
def small():
    """A study of 300 items, small enough to do everything literally."""
    data = synthetic.clean_playlists(n_items=300, n_contexts=1500, n_communities=6, seed=3)
    return Study(data, f=16, seed=3)


def nearest(E, row, similarity):
    """The fifty items most similar to one, by sorting."""
    unit = E if similarity == "dot" else E / np.linalg.norm(E, axis=1)[:, None]
    order = np.argsort(-(unit @ unit[row]), kind="stable")
    return order[order != row][:50]


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_hits_and_lists_counted_one_by_one(small, similarity):
    part, queries, hidden, _ = small.split(5)
    drawn = np.random.default_rng(5).permutation(len(queries))
    found = _advice.tests(small, 5)
    some = range(0, len(found), 20)
    hits = [hidden[drawn[t]] in nearest(part.E, queries[drawn[t]], similarity) for t in some]
    assert found[similarity].iloc[some].tolist() == hits
    plays = part.plays[hidden[drawn]]
    assert (plays[found["rare"]].max() <= np.median(plays)) and found["rare"].mean() >= 0.5

    part = small.resampled(5)
    lists = [nearest(part.E, row, similarity) for row in range(len(part.E))]
    assert _advice.mean_plays(small, 5, similarity) == pytest.approx(
        np.mean([part.plays[x].mean() for x in lists]) / part.plays.mean()
    )


def test_places_of_other_spikes_counted_one_by_one(small):
    part = small.resampled(5)
    spike, shares = part.cover().spike, []
    for similarity in ("cosine", "dot"):
        places = [
            spike[item] != spike[row]
            for row in np.flatnonzero(spike >= 0)
            for item in nearest(part.E, row, similarity)
            if spike[item] >= 0
        ]
        shares.append(np.mean(places))
    assert _advice.cosine_stays(small, 5) == pytest.approx(shares)


def test_lists_that_repeat_have_the_same_items(small):
    part = small.resampled(5)
    ids = [study.items["id"].to_numpy() for study in (small, part)]
    rows = np.random.default_rng(5).permutation(np.flatnonzero(np.isin(ids[1], ids[0])))
    same = [
        len(
            set(ids[1][nearest(part.E, row, "cosine")])
            & set(ids[0][nearest(small.E, np.flatnonzero(ids[0] == ids[1][row])[0], "cosine")])
        )
        for row in rows
    ]
    assert (50 * _advice.repeats(small, 5)["same"]).round().astype(int).tolist() == same


def test_lists_that_repeat_are_matched_by_item(small):
    order = np.random.default_rng(0).permutation(len(small.E))
    same = Embeddings(small.items["id"].to_numpy()[order], small.E[order])
    assert _advice.repeated(small, Study(small.interactions, same), 0)["same"].mean() > 0.99


def test_rows_of_equal_plays_are_compared(small):
    """Ten groups by plays, of which the longer half has the hits and the other none, whatever plays they have."""
    found = _advice.tests(small, 5)
    norm = np.random.default_rng(0).random(len(found))
    found = found.assign(norm=norm, cosine=norm > 0.5).iloc[: len(found) // 10 * 10]
    long, short = _advice.longer_and_shorter(found, "cosine", 0)
    assert long > 0.93 and short < 0.07
    follows = found.assign(norm=found["plays"] + norm, cosine=found["plays"] > found["plays"].median())
    long, short = _advice.longer_and_shorter(follows, "cosine", 0)
    whole = follows["norm"] > follows["norm"].median()
    assert long - short < 0.2 < 0.9 < follows["cosine"][whole].mean() - follows["cosine"][~whole].mean()
    with pytest.raises(NotApplicable, match="hundred"):
        _advice.longer_and_shorter(found.head(50), "cosine", 0)


def test_the_tail_of_a_power_law_is_one():
    p = (np.arange(200_000) + 0.5) / 200_000
    assert _advice.tail((1 - p) ** -0.7) == pytest.approx(1, abs=0.01)
    assert _advice.tail(np.where(p < 0.5, p, (1 - p) ** -0.7)) == pytest.approx(1, abs=0.01)
    assert _advice.tail(-np.log(1 - p)) < 0.9
    with pytest.raises(NotApplicable):
        _advice.tail(np.ones(50))


def test_isolated_rows_need_a_peak_each():
    study = Study(embeddings=Embeddings(np.arange(200), np.eye(200), "axes"))
    assert _advice.growth(study.E, study, 0) == pytest.approx((1, 1))
    rays = np.repeat(np.eye(4), 50, axis=0) * np.linspace(1, 2, 200)[:, None]
    assert _advice.growth(rays, study, 0) == pytest.approx((0, 1 / 20), abs=0.051)


def test_shuffling_moves_a_share_of_the_interactions(small):
    X = small.interactions.matrix
    assert (_advice.mixed(small, 0.0, 0).interactions.matrix != X).nnz == 0
    Y = _advice.mixed(small, 0.3, 0).interactions.matrix
    kept = X.multiply(Y).sum() / X.sum()
    assert 0.68 < kept < 0.75 and Y.max() == 1
    assert np.corrcoef(Y.sum(axis=1), X.sum(axis=1))[0, 1] > 0.98


def test_communities_that_hold_half_of_the_items():
    peaks, k, half = _advice.clean_counts(1)[0]
    data = synthetic.clean_playlists(n_items=1500, n_contexts=4000, n_communities=16, seed=1)
    study = Study(data, f=16)
    size = sorted(np.bincount(study.items["community"]), reverse=True)
    assert k == 16 and peaks == len(study.cover().peaks)
    assert sum(size[: half - 1]) < len(study.items) / 2 <= sum(size[:half])


def test_the_rank_of_clean_communities_is_found_by_whom_it_should():
    """Recall of 32 communities is at its best from f = 32 on."""
    study = _controls.as_many_as_a_rank(1)
    found = _advice.choices(study, 1)
    assert found.f["knee"] == 32 and found.f["f = 64"] == 64 and abs(found.f["profile likelihood"] - 32) <= 2
    assert _advice.saturation(found.recall) == 32 and _advice.off(study, 1, "f = 64") == 1
    with pytest.raises(NotApplicable, match="spikes at the knee"):
        _advice.choices(_controls.shuffled(1), 1)


def test_growth_is_compared_between_datasets():
    def over(low, high):
        parts = {"proportional at low f": low, "explodes at high f": high}
        own = [
            Finding("P29", part, f"data {k}", estimate=x)
            for part, xs in parts.items()
            for k, x in enumerate(xs)
        ]
        return claims.across("P29", own)

    apart = over([1.0, 1.1, 0.9, 1.0, 1.05, 0.95], [0.2, 3.0, 1.0, 2.2, 0.1, 2.9])
    assert apart.verdict == "holds" and apart.estimate == pytest.approx(2**2.9)
    assert over([0.2, 3.0, 1.0, 2.2, 0.1, 2.9], [1.0, 1.1, 0.9, 1.0, 1.05, 0.95]).verdict == "fails"
    assert over([1, 1], [1, 2]).verdict == "undecided" and claims.across("P29", []).verdict == "untested"


def false_claim(study, seed):
    """The cosine lists more popular items than the dot product: known to be wrong."""
    return _advice.mean_plays(study, seed, "cosine"), _advice.mean_plays(study, seed, "dot")


def test_a_false_claim_fails_where_it_is_false():
    assert claims.judge([false_claim(_controls.communities(0), seed) for seed in range(3)], "more") == "fails"
    # and is not called so where popular items have short rows
    assert claims.judge([false_claim(_controls.dense(0), seed) for seed in range(3)], "more") == "holds"


@pytest.mark.real
@pytest.mark.parametrize("name", ["cornell-yes-small", "triplej", "lastfm-2k"])
def test_a_false_claim_fails_on_music(data_home, name):
    study = Study.load(name, data_home=data_home)
    assert claims.judge([false_claim(study, seed) for seed in range(3)], "more") == "fails"
