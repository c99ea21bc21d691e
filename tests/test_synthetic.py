"""The catalogue like real ones: inside their ranges, spiky, dated, and true to its options."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from spikylib import datasets, retrieval, spikes
from spikylib.study import Study
from spikylib.synthetic import playlists

# Lowest and highest of cornell-yes-small, cornell-yes-big, triplej and lastfm-2k, rounded outwards:
# Spk@128 .178 .104 .351 .212; Spk of the columns 113 to 128 alone .340 .059 .384 .300; share of the
# squares of M-hat on spikes that lies inside one, at f = 32, .546 .432 .268 .381; R^2 of the DCBM
# between spikes, at f = 32, .896 .883 .868 .856. (movielens-small has .273 .401 .054 .807.)
REAL = {"spk": (0.10, 0.36), "last window": (0.05, 0.39), "inside": (0.25, 0.55), "between": (0.85, 0.90)}


def profile(study):
    """The four numbers, M-hat and the model of it written out, on at most 2,000 rows on spikes."""
    factors, spike = study.svd.leading(32), study.cover(32).spike
    rows = np.flatnonzero(spike >= 0)
    U, norm = factors.U, np.linalg.norm(factors.U * factors.s, axis=1)
    left, right = (
        np.stack([norm[spike == k] @ side[spike == k] / (norm[spike == k] ** 2).sum() for k in range(spike.max() + 1)])
        for side in (U, factors.V)
    )  # fmt: skip
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:2000])
    own = spike[rows]
    observed = np.abs((U[rows] * factors.s) @ factors.V[rows].T)
    model = np.abs((left * factors.s) @ right.T)[np.ix_(own, own)] * np.outer(norm[rows], norm[rows])
    inside = own[:, None] == own
    apart = observed[~inside]
    return {
        "spk": study.spk(128),
        "last window": spikes.spk(study.E[:, 112:128]),
        "inside": (observed[inside] ** 2).sum() / (observed**2).sum(),
        "between": 1 - ((apart - model[~inside]) ** 2).sum() / ((apart - apart.mean()) ** 2).sum(),
    }


def within_reality(found):
    return [name for name, (low, high) in REAL.items() if low <= found[name] <= high]


def test_the_default_lies_where_real_catalogues_do():
    found = [profile(Study(playlists(seed=seed))) for seed in range(5)]
    assert sum(within_reality(one) == list(REAL) for one in found) >= 4, found


def test_the_clean_catalogue_does_not():
    found = profile(Study.load("synthetic-clean"))
    assert found["spk"] < 0.025 and found["inside"] > 0.95 and found["between"] < 0.2
    assert Study.load("synthetic-clean").interactions.matrix.nnz == 182546  # the book's numbers are of these


@pytest.mark.real
@pytest.mark.parametrize("name", ["cornell-yes-small", "cornell-yes-big", "triplej", "lastfm-2k"])
def test_real_catalogues_do(name, data_home):
    if not datasets.files(name, data_home):
        pytest.skip(f"no {name} in {data_home}")
    found = profile(Study.load(name, data_home=data_home))
    assert within_reality(found) == list(REAL), found


@pytest.fixture(scope="module")
def study():
    return Study(datasets.load("synthetic"))


@pytest.mark.parametrize("f", [16, 32, 64])
def test_it_is_spiky_beside_every_null(study, f):
    null = {kind: spikes.spk(rows, f=f) for kind, rows in study.nulls(f, 1)}
    assert len(null) == 4 and study.spk(f) <= min(null.values()) / 2, null


def test_long_rows_are_items_of_high_degree_and_the_dot_product_lists_them(study):
    norm = np.linalg.norm(study.E, axis=1)
    assert spearmanr(norm, study.M.sum(axis=1)).statistic > 0.8
    queries = np.random.default_rng(0).choice(len(norm), 300, replace=False)
    by = {
        kind: retrieval.top_k(study.E[:, :64], queries, 10, similarity=kind)[0] for kind in ("cosine", "dot")
    }
    assert study.plays[by["dot"]].mean() > 1.5 * study.plays[by["cosine"]].mean()
    assert len(np.unique(by["dot"])) < 0.7 * len(np.unique(by["cosine"]))


def test_its_size_is_small_and_its_popularity_unequal(study):
    sizes = datasets.describe(study.interactions)
    assert 2000 < len(study.kept) < 3000 and 0.4 < sizes["gini"] < 0.7
    assert 8 <= sizes["median_context"] <= 23  # those of cornell-yes-small and triplej


def test_one_seed_gives_one_catalogue_dated_within_two_years():
    one, again, other = (playlists(n_items=300, n_contexts=600, n_communities=6, seed=s) for s in (0, 0, 1))
    assert (one.matrix != again.matrix).nnz == 0 and (one.times == again.times).all()
    assert one.matrix.shape != other.matrix.shape or (one.matrix != other.matrix).nnz > 0
    assert one.times.min() >= np.datetime64("2022-01-01") and one.times.max() < np.datetime64("2024-01-02")
    entries = pd.DataFrame({"context": one.matrix.indices, "time": one.times})
    assert (entries.groupby("context")["time"].nunique() == 1).all()
    assert not one.items.isna().any().any()


@pytest.mark.parametrize("options", [{}, {"noise": 0, "overlap": 0.001}, {"arriving": 1}, {"noise": 1}])
def test_no_item_is_played_before_it_arrives(options):
    data = playlists(**{"n_items": 60, "n_contexts": 3000, "n_communities": 30, "arriving": 0.5} | options)
    month = (data.times - np.datetime64("2022-01-01")) // np.timedelta64(2629746, "s")
    first = pd.Series(month).groupby(data.matrix.tocoo().row).min()
    assert (first.to_numpy() >= data.items["arrives"].to_numpy()).all()
    assert data.items["arrives"].max() > 12


def test_without_drift_every_month_is_drawn_alike_and_with_it_not():
    still = {"n_items": 60, "n_contexts": 20000, "n_communities": 3, "arriving": 0}
    for drift in (0, 1):
        data = playlists(**still, drift=drift)
        first = data.times < np.datetime64("2023-01-01")
        half = np.bincount(data.matrix.tocoo().row[first], minlength=60) / np.diff(data.matrix.indptr)
        assert (np.abs(half - 0.5).max() < 0.1) == (drift == 0)


def test_items_are_drawn_by_their_popularity():
    data = playlists(
        n_items=6,
        n_contexts=60000,
        n_communities=1,
        mean_length=1,
        popularity_exponent=1,
        drift=0,
        arriving=0,
    )
    share = np.diff(data.matrix.indptr) / 60000
    weight = 1 / np.arange(1, 7)
    assert data.items["popularity"].to_numpy() == pytest.approx((weight / weight.sum())[data.items["id"]])
    assert share == pytest.approx(data.items["popularity"].to_numpy(), abs=0.01)  # five deviations


def test_without_overlap_and_noise_a_playlist_is_of_one_community():
    options = {"n_items": 400, "n_contexts": 1000, "n_communities": 5}
    mixed = {}
    for overlap, noise in ((0.001, 0), (0.001, 0.3), (1.0, 0)):
        data = playlists(**options, overlap=overlap, noise=noise)
        held = np.eye(5)[data.items["community"]].T @ data.matrix
        mixed[overlap, noise] = 1 - held.max(axis=0).sum() / held.sum()
        if noise == 0:
            assert (data.items["membership"].mean() > 0.99) == (overlap < 1)
    assert mixed[0.001, 0] < 0.01 < 0.1 < min(mixed[0.001, 0.3], mixed[1.0, 0])


def test_noise_is_uneven():
    data = playlists(n_communities=50, overlap=0.1, noise=0.2)
    of_noise = data.items["membership"] < 0.3  # spread over all fifty, or over three
    assert 0.1 < of_noise.mean() < 0.3 and (data.items["membership"] > 0.95).mean() > 0.5


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("n_items", 11, "at least 12"),
        ("n_contexts", 0, "at least 1"),
        ("overlap", 0, "at least 0.001"),
        ("noise", 1.1, "between 0 and 1"),
        ("drift", -1, "at least 0"),
        ("arriving", -0.1, "between 0 and 1"),
    ],
)
def test_options_out_of_range_are_refused(option, value, allowed):
    with pytest.raises(ValueError, match=f"{option} must be {allowed}, got {value}"):
        playlists(**({"n_items": 300, "n_contexts": 600, "n_communities": 6} | {option: value}))
