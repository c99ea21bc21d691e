"""Stability curves against literal lists, exact cases, bad input and the drifting generator."""

from dataclasses import replace
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spikylib import datasets, stability, synthetic
from spikylib._interactions import build, resample
from spikylib.datasets import Embeddings
from spikylib.ppmi import ppmi_matrix
from spikylib.svd import truncated_svd
from spikylib.synthetic import drifting_playlists

DATES = [
    "20220521", "20220528", "20220625", "20220730", "20220903", "20221008",
    "20221112", "20221217", "20230114", "20230218", "20230325", "20230429",
]  # fmt: skip


def gaussian(seed, n=300, d=8):
    return np.random.default_rng(seed).standard_normal((n, d))


def year(*arrays, ids=None):
    return {DATES[i]: Embeddings(np.arange(len(E)) if ids is None else ids, E) for i, E in enumerate(arrays)}


def fit(data, seed, f=8):
    M, kept = ppmi_matrix(data.matrix)
    return Embeddings(data.items["id"].to_numpy()[kept], truncated_svd(M, f, seed=seed).embeddings())


def brute_force_lists(E, queries, pool, k, similarity):
    """Top-k sets by sorting all scores, the item itself left out."""
    norm = np.linalg.norm(E, axis=1)
    lists = []
    for q in queries:
        others = [i for i in pool if i != q]
        score = [E[i] @ E[q] / (norm[i] * norm[q] if similarity == "cosine" else 1.0) for i in others]
        lists.append({others[j] for j in np.argsort(score)[::-1][:k]})
    return lists


# --- norm_partitions ---------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 1000))
def test_parts_differ_by_at_most_one_and_cover_all_rows_by_norm(n, n_partitions, seed):
    E = np.random.default_rng(seed).integers(-2, 3, (n, 2)).astype(float)
    assume(E.any())
    if n_partitions > n:
        with pytest.raises(ValueError, match=f"the {n} items, got {n_partitions}"):
            stability.norm_partitions(E, n_partitions)
        return
    parts = stability.norm_partitions(E, n_partitions)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    norm = np.linalg.norm(E, axis=1)
    assert all(norm[low].max() <= norm[high].min() for low, high in pairwise(parts))


def test_parts_of_equal_norms_go_by_row_number():
    parts = stability.norm_partitions(np.ones((7, 2)), 3)
    assert [part.tolist() for part in parts] == [[0, 1, 2], [3, 4], [5, 6]]


def test_partitions_refuse_rows_that_are_not_finite():
    E = gaussian(0)
    E[7, 2] = np.nan
    with pytest.raises(ValueError, match="E contains nan at row 7"):
        stability.norm_partitions(E)
    with pytest.raises(ValueError, match="every row of E is zero"):
        stability.norm_partitions(np.zeros((5, 2)))
    with pytest.raises(ValueError, match="shape"):
        stability.norm_partitions(np.ones(5))


# --- curves: exact cases -----------------------------------------------------------------


def test_identical_snapshots_give_exactly_one_at_every_date():
    E = gaussian(0)
    table = stability.curves(year(*[E] * 12), k=[5, 20], n_queries=30)
    assert len(table) == 11 * 5 * 2 * 2
    for column in ("overlap", "overlap_low", "overlap_high", "jaccard", "jaccard_low", "jaccard_high"):
        assert (table[column] == 1.0).all(), column


def test_row_order_rotation_and_scale_change_nothing():
    E = gaussian(1)
    shuffle = np.random.default_rng(2).permutation(len(E))
    rotation = np.linalg.qr(gaussian(3, 8, 8))[0]
    snapshots = [("2022-05-21", Embeddings(np.arange(300), E)),
                 ("2022-06-21", Embeddings(shuffle, 3 * (E @ rotation)[shuffle]))]  # fmt: skip
    table = stability.curves(snapshots, k=10)
    assert (table["overlap"] == 1.0).all()


def test_disjoint_lists_give_zero():
    # item 0 is between two groups; each list of its part is the other group a date later
    angle = np.array([0.0, 0.1, 0.12, 2.0, 2.1])
    before = np.column_stack([np.cos(angle), np.sin(angle)])
    after = before[[0, 3, 4, 1, 2]]
    table = stability.curves(year(before, after), k=2, n_partitions=1, similarity="cosine")
    zero, rest = 1, 4  # the pairs (1, 2), (3, 4) stay together: one shared item of two, at most
    shared = [len(a & b) for a, b in zip(*(brute_force_lists(E, range(5), range(5), 2, "cosine")
                                           for E in (before, after)))]  # fmt: skip
    assert shared[0] == 0 and len(shared) == zero + rest
    assert table["overlap"].item() == pytest.approx(sum(shared) / 10)


@pytest.mark.parametrize("candidates", ["part", "all"])
@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_curves_match_brute_force(similarity, candidates):
    before, after = gaussian(4, 120), gaussian(4, 120) + 0.5 * gaussian(5, 120)
    k = 7
    table = stability.curves(
        year(before, after), k=k, n_partitions=3, similarity=similarity, candidates=candidates
    )
    order = np.argsort(np.linalg.norm(before, axis=1))
    for p in range(3):
        part = order[40 * p : 40 * (p + 1)]
        pool = part if candidates == "part" else range(120)
        one, other = (brute_force_lists(E, part, pool, k, similarity) for E in (before, after))
        overlap = np.array([len(a & b) / k for a, b in zip(one, other)])
        jaccard = np.array([len(a & b) / len(a | b) for a, b in zip(one, other)])
        row = table[table["part"] == p].iloc[0]
        for name, values in (("overlap", overlap), ("jaccard", jaccard)):
            half = 1.96 * values.std(ddof=1) / np.sqrt(40)
            assert row[name] == pytest.approx(values.mean(), abs=1e-12)
            assert row[f"{name}_low"] == pytest.approx(max(values.mean() - half, 0), abs=1e-4)
            assert row[f"{name}_high"] == pytest.approx(min(values.mean() + half, 1), abs=1e-4)
        assert row["n_queries"] == 40
        assert row["n_candidates"] == (39 if candidates == "part" else 119)
        assert row["norm_low"] == pytest.approx(np.linalg.norm(before[part], axis=1).min())


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_independent_embeddings_give_the_hypergeometric_expectation(similarity):
    expected = 40 / 399  # k of the 399 others of a part of 400
    inside, means = [], []
    for seed in range(20):
        pair = year(gaussian(2 * seed, 2000), gaussian(2 * seed + 1, 2000))
        table = stability.curves(pair, k=40, n_queries=40, similarity=similarity, seed=seed)
        inside.extend((table["overlap_low"] <= expected) & (expected <= table["overlap_high"]))
        means.extend(table["overlap"])
        assert (table["overlap_high"] - table["overlap_low"] < 0.05).all()
    assert 0.88 <= np.mean(inside) <= 1
    assert np.mean(means) == pytest.approx(expected, abs=4 * np.std(means) / np.sqrt(len(means)))


def test_overlap_of_eighty_percent_is_a_jaccard_index_of_two_thirds():
    lists = np.arange(500)[None, :].repeat(3, axis=0)
    later = lists + 100
    agreement = stability._agreement(lists, later)
    assert agreement["overlap"] == pytest.approx(0.8)
    assert agreement["jaccard"] == pytest.approx(400 / 600)


def test_shorter_lists_are_the_beginnings_of_longer_ones():
    snapshots = year(gaussian(8), gaussian(8) + 0.3 * gaussian(9))
    both = stability.curves(snapshots, k=[5, 20], n_queries=25, seed=3)
    for k in (5, 20):
        alone = stability.curves(snapshots, k=k, n_queries=25, seed=3)
        pd.testing.assert_frame_equal(both[both["k"] == k].reset_index(drop=True), alone)


def test_same_seed_same_table_and_fewer_queries_fall_in_the_wider_interval():
    snapshots = year(gaussian(10, 600), gaussian(10, 600) + gaussian(11, 600))
    one, again = (stability.curves(snapshots, k=10, n_queries=50, seed=1) for _ in range(2))
    pd.testing.assert_frame_equal(one, again)
    assert (one["n_queries"] == 50).all()
    everything = stability.curves(snapshots, k=10, n_queries=10**6)
    assert (everything["n_queries"] == 120).all()
    inside = (one["overlap_low"] <= everything["overlap"]) & (everything["overlap"] <= one["overlap_high"])
    assert inside.mean() >= 0.7


def test_the_earliest_date_is_the_reference():
    E, other = gaussian(12), gaussian(13)
    pairs = list(year(E, other, E).items())[::-1]
    table = stability.curves(pairs, k=5, similarity="dot")
    assert table["date"].drop_duplicates().tolist() == [
        pd.Timestamp("2022-05-28"),
        pd.Timestamp("2022-06-25"),
    ]
    assert (table.loc[table["date"] == "2022-06-25", "overlap"] == 1).all()
    assert (table.loc[table["date"] == "2022-05-28", "overlap"] < 0.5).all()


def test_given_ids_are_the_only_ones_compared():
    E, other = gaussian(12), gaussian(13)
    some = np.arange(300)[::3]
    table = stability.curves(year(E, other), k=5, ids=some)
    alone = stability.curves(year(E[some], other[some], ids=some), k=5)
    pd.testing.assert_frame_equal(table, alone)


def test_dates_are_put_in_order_and_only_common_ids_with_a_direction_are_used():
    E = gaussian(14, 100)
    missing = np.arange(100) != 17
    flat = E.copy()
    flat[23] = 0
    table = stability.curves(
        [
            (20220625, Embeddings(np.arange(100)[missing], E[missing])),
            (np.datetime64("2022-05-21"), Embeddings(np.arange(100), E)),
            (pd.Timestamp("2022-07-30"), Embeddings(np.arange(100), flat)),
        ],
        k=3,
        n_partitions=2,
    )
    assert table["date"].is_monotonic_increasing and table["date"].iloc[0] == pd.Timestamp("2022-06-25")
    assert table["n_queries"].unique().tolist() == [49]
    assert (table["overlap"] == 1).all()


def test_vectors_are_read_from_any_object_with_ids_and_vectors(tmp_path):
    E = gaussian(15).astype(np.float32)
    held = SimpleNamespace(ids=[f"t{i}" for i in range(300)], vectors=E)
    assert (stability.curves({"2022": held, "2023": held}, k=3)["overlap"] == 1).all()
    np.save(tmp_path / "E.npy", E)
    mapped = SimpleNamespace(ids=held.ids, vectors=np.load(tmp_path / "E.npy", mmap_mode="r"))
    assert (stability.curves({"2022": held, "2023": mapped}, k=3)["overlap"] == 1).all()


def test_twelve_parquet_folders_with_dates_out_of_order_and_missing_ids(tmp_path):
    rng = np.random.default_rng(16)
    E = gaussian(17, 260)
    for i, date in reversed(list(enumerate(DATES))):
        rows = rng.permutation(260)
        if date == "20221112":
            rows = rows[rows >= 10]
        frame = pd.DataFrame(
            {"track_id": 1000 + rows, "vector": list((E + 0.1 * i * gaussian(100 + i, 260))[rows])}
        )
        (tmp_path / date).mkdir()
        frame.to_parquet(tmp_path / date / "E.parquet")
    table = stability.curves(datasets.read_snapshots(tmp_path), k=5)
    assert table["date"].nunique() == 11 and (table["n_queries"] == 50).all()
    assert table["date"].dt.strftime("%Y%m%d").unique().tolist() == DATES[1:]
    mean = table.groupby("date")["overlap"].mean()
    assert 0.75 < mean.iloc[0] < 1 and mean.iloc[-1] < mean.iloc[0] - 0.2


# --- curves: bad input -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"snapshots": {}}, "number of snapshots must be at least 2, got 0"),
        ({"snapshots": year(gaussian(0))}, "number of snapshots must be at least 2, got 1"),
        ({"k": 60}, "k must be between 1 and the 59 candidates in .*of 300 common ids.*, got 60"),
        ({"k": 300, "candidates": "all"}, "k must be between 1 and the 299 candidates .*, got 300"),
        ({"k": 0}, "k must be between 1 and .*, got 0"),
        ({"n_queries": 1}, "n_queries must be at least 2"),
        ({"n_partitions": 0}, "n_partitions must be between 1 and the 300 items, got 0"),
        ({"similarity": "euclid"}, "similarity must be .* got 'euclid'"),
        ({"candidates": "most"}, "candidates must be 'part' or 'all', got 'most'"),
        (
            {"snapshots": {"2022-05-21": 1, "monday or so": 2}},
            "snapshot 'monday or so': its key is not a date",
        ),
        ({"snapshots": {"2022-05-21": 1, None: 2}}, "snapshot None: its key is not a date"),
    ],
)
def test_bad_options_are_named(change, message):
    arguments = {"snapshots": year(gaussian(0), gaussian(1)), "k": 5} | change
    with pytest.raises(ValueError, match=message):
        stability.curves(arguments.pop("snapshots"), **arguments)


def test_bad_snapshots_are_named():
    good = Embeddings(np.arange(300), gaussian(0))
    infinite = gaussian(0)
    infinite[3, 0] = np.inf
    for bad, message in (
        (
            Embeddings(np.arange(300) // 2, gaussian(0)),
            "snapshot 2022-06-25 contains the id .* more than once",
        ),
        (
            Embeddings(np.arange(300), gaussian(0, d=9)),
            r"snapshot 2022-06-25 has .* \(300, 9\).* 8 dimensions as in snapshot 2022-05-21",
        ),
        (Embeddings(np.arange(300) + 300, gaussian(0)), "snapshot 2022-06-25 shares no id"),
        (Embeddings(np.arange(299), gaussian(0)), "snapshot 2022-06-25 has 299 ids, vectors of"),
        (Embeddings(np.arange(300), infinite), "snapshot 2022-06-25 contains inf at row 3, column 0"),
        (Embeddings(np.arange(300), np.zeros((300, 8))), "every row of snapshot 2022-06-25 is zero"),
        (Embeddings(np.arange(10), gaussian(0, 10)), "smallest part .of 10 common ids"),
    ):
        with pytest.raises(ValueError, match=message):
            stability.curves({"20220625": bad, "20220521": good}, k=5)
    with pytest.raises(ValueError, match="snapshot 2022-05-21 appears twice"):
        stability.curves({"20220521": good, "2022-05-21": good}, k=5)


@pytest.mark.parametrize("kind", ["cosine", "dot"])
def test_items_that_left_count_as_lost(kind):
    rng = np.random.default_rng(5)
    first = Embeddings(np.arange(60), rng.standard_normal((60, 4)))
    stay = rng.permutation(60)[:45]
    later = Embeddings(np.r_[stay, 99], rng.standard_normal((46, 4)))
    after = dict(zip(later.ids.tolist(), later.vectors))
    E = dict(zip(range(60), first.vectors))

    def nearest(vectors, i, pool):
        def score(j):
            return vectors[j] @ vectors[i] / (np.linalg.norm(vectors[j]) if kind == "cosine" else 1)

        return set(sorted((j for j in pool if j != i and j in vectors), key=score, reverse=True)[:5])

    expected = []
    for part in stability.norm_partitions(first.vectors, 3):
        shared = [len(nearest(E, i, part) & nearest(after, i, part)) if i in after else 0 for i in part]
        expected.append(np.mean(shared) / 5)
    options = {"k": 5, "n_partitions": 3, "similarity": kind, "gone": "lost"}
    table = stability.curves({"2021": first, "2022": later}, **options)
    assert table["overlap"].to_list() == pytest.approx(expected)


def test_nothing_is_left_where_all_items_left():
    E = np.random.default_rng(5).standard_normal((60, 4))
    dates = {"2021": Embeddings(np.arange(60), E), "2022": Embeddings(np.arange(60, 120), E)}
    assert (stability.curves(dates, k=5, gone="lost")["overlap"] == 0).all()
    with pytest.raises(ValueError, match="gone must be 'left out' or 'lost', got 'no'"):
        stability.curves(dates, k=5, gone="no")


def test_item_stability_of_some_items_is_that_of_all():
    data = drifting_playlists(n_items=300, n_contexts=900, n_communities=6)
    snapshots = stability.embed(stability.windows(data, 2), fit)
    plays = pd.DataFrame({"plays": range(data.n_items)}, index=data.items["id"])
    whole = stability.item_stability(snapshots, plays, k=5)
    some = stability.item_stability(snapshots, plays, k=5, n_queries=40, seed=3)
    assert len(some) == 40 and some["id"].is_unique
    pd.testing.assert_frame_equal(some, whole.set_index("id").loc[some["id"]].reset_index())


# --- windows and embed -------------------------------------------------------------------


def dated(days, n_contexts=None):
    """One entry per context: item i in context i on day i of `days`."""
    n = len(days)
    times = np.datetime64("2022-01-01", "s") + np.asarray(days) * np.timedelta64(86400, "s")
    return datasets.Interactions(
        synthetic.clean_playlists(n_items=4, n_contexts=4, n_communities=1).matrix.__class__(
            np.eye(n, dtype=np.int32)
        ),
        pd.DataFrame({"id": [f"i{j}" for j in range(n)]}),
        pd.DataFrame({"id": [f"c{j}" for j in range(n)]}),
        times,
        "made",
    )


def test_sliding_windows_have_one_length_and_cumulative_ones_one_beginning():
    data = dated(np.arange(101))
    sliding = stability.windows(data, 3, width=0.5)
    held = [[int(i[1:]) for i in part.items["id"]] for part in sliding.values()]
    assert held == [list(range(51)), list(range(26, 76)), list(range(51, 101))]
    cumulative = stability.windows(data, 3, kind="cumulative", width=0.5)
    held = [[int(i[1:]) for i in part.items["id"]] for part in cumulative.values()]
    assert held == [list(range(51)), list(range(76)), list(range(101))]
    assert list(sliding) == list(cumulative)
    assert max(sliding) == pd.Timestamp(data.times.max()) + pd.Timedelta(seconds=1)


def test_a_window_keeps_labels_times_and_entries_together():
    data = drifting_playlists(n_items=200, n_contexts=400, n_communities=4, n_months=4, seed=2)
    date, part = next(iter(stability.windows(data, 4).items()))
    whole, cut = data.matrix.tocoo(), part.matrix.tocoo()
    expected = {
        (data.items["id"][i], data.contexts["id"][j], t)
        for i, j, t in zip(whole.row, whole.col, data.times)
        if t < date.to_datetime64()
    }
    found = {
        (part.items["id"][i], part.contexts["id"][j], t) for i, j, t in zip(cut.row, cut.col, part.times)
    }
    assert found == expected
    assert (np.diff(part.matrix.indptr) > 0).all() and len(part.contexts) == part.n_contexts


def by_month(counts, start="2017-01"):
    """That many entries in each month, one an hour from its second day."""
    months = np.datetime64(start, "M") + np.arange(len(counts))
    hours = [
        m.astype("datetime64[h]") + (24 + np.arange(c)).astype("timedelta64[h]")
        for m, c in zip(months, counts)
    ]
    times = np.concatenate(hours).astype("datetime64[s]")
    return replace(dated(range(len(times))), times=times)


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ([20] * 12, ["2017-02-01", "2017-08-01", "2018-01-01"]),
        ([20] * 12 + [1], ["2017-02-01", "2017-08-01", "2018-01-01"]),  # a stray end under 1 %
        ([20] * 11 + [9], None),  # a month with less than half the mean
        ([20] * 13, None),
        ([20] * 5 + [0] + [20] * 6, None),
    ],
)
def test_twelve_even_months_are_compared_month_by_month(counts, found):
    data = by_month(counts)
    cut = stability.periods(data)
    if found is None:
        sliding = stability.windows(data)
        dates = list(sliding)
        assert list(cut) == [dates[0], dates[6], dates[11]]
        for date, part in cut.items():
            assert part.items["id"].to_list() == sliding[date].items["id"].to_list()
    else:
        assert [f"{end:%Y-%m-%d}" for end in cut] == found
        assert [part.matrix.nnz for part in cut.values()] == [counts[0], counts[6], counts[11]]


def test_the_last_period_shares_no_day_with_the_first_and_the_one_half_way_does():
    first, half, last = stability.periods(
        drifting_playlists(n_items=300, n_contexts=900, n_communities=6)
    ).values()
    assert half.times.min() < first.times.max() < last.times.min()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_windows": 1}, "n_windows must be at least 2, got 1"),
        ({"kind": "weekly"}, "kind must be 'sliding' or 'cumulative', got 'weekly'"),
        ({"width": 1.0}, "width must be above 0 and below 1, got 1.0"),
        ({"n_windows": 12, "width": 0.1}, "the window that ends .* is empty"),
    ],
)
def test_windows_refuse_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        stability.windows(dated([0, 1, 2, 99, 100]), **options)


def test_windows_need_times():
    undated = synthetic.clean_playlists(n_items=40, n_contexts=50, n_communities=2)
    with pytest.raises(ValueError, match="synthetic-clean has no times"):
        stability.windows(undated)
    with pytest.raises(ValueError, match="synthetic-clean has no times"):
        stability.floor(undated, fit, kind="shuffled")
    with pytest.raises(ValueError, match="all of one moment"):
        stability.windows(dated([3, 3]))


def test_embed_fits_each_window_and_names_the_one_that_fails():
    data = drifting_playlists(n_items=200, n_contexts=400, n_communities=4, seed=2)
    cut = stability.windows(data, 2)
    snapshots = stability.embed(cut, lambda part, seed: (part, seed), seed=3)
    assert list(snapshots.items()) == [(date, (part, 3)) for date, part in cut.items()]
    with pytest.raises(ValueError, match=r"window 20\d\d-.*f must be between 1 and the"):
        stability.embed(cut, lambda part, seed: fit(part, seed, f=5000))


def test_a_resample_repeats_contexts_and_drops_items_not_drawn():
    data = synthetic.clean_playlists(n_items=300, n_contexts=400, n_communities=6)
    again = resample(data, replace=True, seed=5)
    drawn = np.sort(np.random.default_rng(5).integers(0, 400, 400))  # as bootstraps are usually drawn
    assert again.contexts["id"].to_list() == data.contexts["id"].iloc[drawn].to_list()
    assert again.n_contexts == 400 and again.matrix.shape[0] == len(again.items) < data.n_items
    column = dict(zip(data.contexts["id"], data.matrix.toarray().T))
    row = pd.Index(data.items["id"]).get_indexer(again.items["id"])
    for j in (0, 17, 399):
        assert (again.matrix.toarray()[:, j] == column[again.contexts["id"][j]][row]).all()


def test_shuffled_dates_move_whole_contexts_within_the_span():
    data = drifting_playlists(n_items=200, n_contexts=400, n_communities=4, seed=2)
    again = stability.shuffle_dates(data, seed=1)
    whole = data.matrix.tocoo()
    first = pd.DataFrame({"context": whole.col, "old": data.times, "new": again.times}).groupby("context")
    assert (first["new"].nunique() == 1).all()
    assert sorted(first["new"].first()) == sorted(first["old"].first())
    assert (first["new"].first() != first["old"].first()).mean() > 0.9


# --- floor -------------------------------------------------------------------------------


def test_bootstrap_floor_is_near_a_fresh_draw_and_grows_with_norm():
    options = {"n_items": 1500, "n_communities": 15, "drift": 0, "changing": 0, "arriving": 0, "n_months": 2}
    cut = stability.windows(drifting_playlists(n_contexts=8000, **options), 2)
    wide = partial(fit, f=16)
    table = stability.curves(stability.embed(cut, wide), k=10)
    floor = stability.floor(next(iter(cut.values())), wide, k=10, seed=1)
    keys = ["similarity", "k", "part"]
    both = table.merge(floor, on=keys, suffixes=("", "_floor")).set_index(keys)
    assert (both["overlap"] - both["overlap_floor"]).abs().mean() < 0.12
    for kind in ("cosine", "dot"):
        assert both["overlap"][kind].iloc[-1] > both["overlap"][kind].iloc[0] + 0.2
        assert both["overlap_floor"][kind].iloc[-1] > both["overlap_floor"][kind].iloc[0] + 0.2


def test_shuffled_floor_compares_windows_of_the_real_sizes_without_their_drift():
    # two halves of a year, each with playlists of its own: no list survives; shuffled, many do
    halves = [drifting_playlists(n_items=300, n_contexts=1500, n_communities=c, n_months=6, drift=0, changing=0,
                                 arriving=0, seed=c, start=start)
              for c, start in ((5, "2022-01-01"), (7, "2022-07-03"))]  # fmt: skip
    entries = [h.matrix.tocoo() for h in halves]
    data = build(
        np.concatenate([h.items["id"].to_numpy()[e.row] for h, e in zip(halves, entries)]),
        np.concatenate([e.col + 1500 * i for i, e in enumerate(entries)]),
        times=np.concatenate([h.times for h in halves]),
        name="two halves",
    )
    real = stability.by_part(stability.curves(stability.embed(stability.windows(data, 2), fit), k=10))
    floor = stability.by_part(stability.floor(data, fit, kind="shuffled", k=10))
    assert (floor["mean"] > real["mean"] + 0.1).all()


def test_floor_uses_the_given_ids_only():
    data = synthetic.clean_playlists(n_items=400, n_contexts=3000, n_communities=6)
    ids = data.items["id"].to_numpy()[:150]
    floor = stability.floor(data, fit, ids=ids, k=5, n_partitions=1)
    assert (floor["n_candidates"] < 150).all() and "date" not in floor
    with pytest.raises(ValueError, match="kind must be 'resampled' or 'shuffled', got 'noise'"):
        stability.floor(data, fit, kind="noise")


def test_by_part_tabulates_the_last_date_of_one_k():
    snapshots = year(gaussian(18), gaussian(18) + gaussian(19), gaussian(20))
    table = stability.curves(snapshots, k=5, n_partitions=3)
    wide = stability.by_part(table, "jaccard")
    assert wide.columns.to_list() == ["lowest", "2", "highest", "mean"]
    rows = table[(table["date"] == "2022-06-25") & (table["similarity"] == "dot")]
    assert wide.loc["dot"].to_list()[:3] == rows["jaccard"].to_list()
    assert wide.loc["dot", "mean"] == pytest.approx(rows["jaccard"].mean())
    with pytest.raises(ValueError, match=r"k = \[5, 9\]; pick one"):
        stability.by_part(stability.curves(snapshots, k=[5, 9]))


def test_explained_loss_takes_the_last_date_and_leaves_no_loss_missing():
    rows = [("2022", 0, 0.9), ("2023", 0, 0.5), ("2022", 1, 1.0), ("2023", 1, 1.0)]
    table = pd.DataFrame(rows, columns=["date", "part", "overlap"]).assign(similarity="dot", k=5)
    floor = pd.DataFrame({"part": [0, 1], "overlap": [0.6, 0.9], "similarity": "dot", "k": 5})
    loss = stability.explained_loss(table, floor)
    assert loss["loss"].tolist() == [0.5, 0.0]
    assert loss["noise"].round(9).tolist() == [0.4, 0.1]
    assert loss["share"].iloc[0] == pytest.approx(0.8) and np.isnan(loss["share"].iloc[1])


# --- predictors --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    data = drifting_playlists(n_items=400, n_contexts=3000, n_communities=6, seed=4)
    cut = stability.windows(data, 3)
    reference = next(iter(cut.values()))
    plays = pd.DataFrame({"plays": np.diff(reference.matrix.indptr)}, reference.items["id"])
    return stability.embed(cut, fit), plays


def test_item_stability_is_the_mean_overlap_of_each_item(small):
    snapshots, plays = small
    table = stability.item_stability(snapshots, plays, k=10)
    assert table.columns.to_list() == ["id", "norm", "plays", "on_spike", "cosine", "dot"]
    assert table["id"].to_list() == stability.common_ids(snapshots).to_list()
    whole = stability.curves(snapshots, k=10, n_queries=10**6, n_partitions=1, candidates="all")
    for kind in ("cosine", "dot"):
        expected = whole.loc[whole["similarity"] == kind, "overlap"].mean()
        assert table[kind].mean() == pytest.approx(expected)
        assert table[kind].between(0, 1 + 1e-12).all()
    reference = next(iter(snapshots.values()))
    norm = dict(zip(reference.ids, np.linalg.norm(reference.vectors, axis=1)))
    assert table["norm"].tolist() == pytest.approx([norm[i] for i in table["id"]])
    assert table["plays"].tolist() == [plays["plays"][i] for i in table["id"]]
    assert set(table["on_spike"]) <= {0, 1} and 0.3 < table["on_spike"].mean() < 1


def test_item_stability_refuses_predictors_that_lack_an_item(small):
    snapshots, plays = small
    missing = stability.common_ids(snapshots)[3]
    with pytest.raises(ValueError, match=f"predictors lack the item .*{missing}"):
        stability.item_stability(snapshots, plays.drop(missing), k=5)


def test_rank_correlations_alone_and_given_the_others():
    rng = np.random.default_rng(0)
    cause = rng.standard_normal(4000)
    table = pd.DataFrame(
        {
            "target": np.exp(cause + rng.standard_normal(4000)),
            "cause": cause**3,
            "echo": cause + rng.standard_normal(4000),
            "nothing": rng.standard_normal(4000),
            "constant": 1.0,
        }
    )
    found = stability.rank_correlations(table, "target", ["cause", "echo", "nothing", "constant"])
    from scipy.stats import spearmanr

    for name in ("cause", "echo", "nothing"):
        assert found.loc[name, "rho"] == pytest.approx(spearmanr(table["target"], table[name]).statistic)
        assert found.loc[name, "rho_low"] < found.loc[name, "rho"] < found.loc[name, "rho_high"]
    assert found.loc["cause", "partial"] > 0.5
    assert abs(found.loc["echo", "partial"]) < 0.1 < found.loc["echo", "rho_low"]
    assert found.loc["nothing", "rho_low"] < 0 < found.loc["nothing", "rho_high"]
    assert found.loc["constant"].isna().all()


def test_rank_correlation_of_a_perfect_predictor_is_one():
    table = pd.DataFrame(
        {"target": np.arange(20.0) ** 2, "cause": np.arange(20.0), "other": np.sin(np.arange(20))}
    )
    found = stability.rank_correlations(table, "target", ["cause", "other"])
    assert found["rho"].iloc[0] == pytest.approx(1) and found["partial"].iloc[0] == pytest.approx(1)


def test_too_few_rows_to_correlate():
    with pytest.raises(ValueError, match="number of rows must be at least 5, got 4"):
        stability.rank_correlations(pd.DataFrame({"a": range(4), "b": range(4)}), "a", ["b"])


# --- follow ------------------------------------------------------------------------------


# --- the drifting generator --------------------------------------------------------------


def test_drifting_playlists_are_reproducible_and_dated_within_their_span():
    one, again, other = (
        drifting_playlists(n_items=300, n_contexts=600, n_communities=6, seed=s) for s in (0, 0, 1)
    )
    assert (one.matrix != again.matrix).nnz == 0 and (one.times == again.times).all()
    assert one.matrix.shape != other.matrix.shape or (one.matrix != other.matrix).nnz > 0
    assert one.n_contexts == 600 and len(one.times) == one.matrix.nnz
    assert one.times.min() >= np.datetime64("2022-01-01") and one.times.max() < np.datetime64("2024-01-02")
    entries = pd.DataFrame({"context": one.matrix.indices, "time": one.times})
    assert (entries.groupby("context")["time"].nunique() == 1).all()


def test_no_item_is_played_before_it_arrives():
    data = drifting_playlists(n_items=300, n_contexts=2400, n_communities=6, arriving=0.5, seed=3)
    month = (data.times - np.datetime64("2022-01-01")) // np.timedelta64(2629746, "s")
    first = pd.Series(month).groupby(data.matrix.tocoo().row).min()
    assert (first.to_numpy() >= data.items["arrives"].to_numpy()).all()
    assert 0.3 < (data.items["arrives"] > 0).mean() < 0.5


def test_communities_are_born_fade_and_come_back():
    data = drifting_playlists(
        n_items=900, n_contexts=24000, n_communities=9, changing=0.9, arriving=0, seed=5
    )
    month = ((data.times - np.datetime64("2022-01-01")) // np.timedelta64(2629746, "s")).astype(int)
    fate = data.items["fate"].to_numpy()[data.matrix.tocoo().row]
    plays = pd.crosstab(month, fate, normalize="index")
    start, middle, end = plays.iloc[:5].mean(), plays.iloc[11:14].mean(), plays.iloc[-4:].mean()
    assert start["born"] == 0 and end["born"] > 0.05
    assert end["fades"] < 0.1 * start["fades"]
    assert middle["returns"] < 0.2 * start["returns"] and end["returns"] > 0.5 * start["returns"]
    assert data.items.loc[data.items["community"] == 0, "fate"].eq("steady").all()


def test_without_drift_every_month_is_drawn_alike():
    data = drifting_playlists(n_items=60, n_contexts=20000, n_communities=3, drift=0, changing=0, arriving=0)
    first = data.times < np.datetime64("2023-01-01")
    half = np.bincount(data.matrix.tocoo().row[first], minlength=60) / np.diff(data.matrix.indptr)
    assert (data.items["fate"] == "steady").all()
    assert np.abs(half - 0.5).max() < 0.1


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("n_items", 11, "at least 12"),
        ("n_months", 0, "at least 1"),
        ("n_contexts", 23, "at least 24"),
        ("drift", -1, "at least 0"),
        ("changing", 1.1, "between 0 and 1"),
        ("arriving", -0.1, "between 0 and 1"),
    ],
)
def test_drifting_playlists_refuse_options_out_of_range(option, value, allowed):
    with pytest.raises(ValueError, match=f"{option} must be {allowed}, got {value}"):
        drifting_playlists(**({"n_items": 300, "n_contexts": 600, "n_communities": 6} | {option: value}))


def two_dates(E, F):
    ids = np.arange(len(E))
    return {"2021-01-01": Embeddings(ids, E), "2022-01-01": Embeddings(ids, F)}


@pytest.mark.parametrize("power", [-700, -450, 0, 450, 700])
def test_a_scale_changes_no_list(power):
    table = stability.curves(
        two_dates(gaussian(0, 60, 4), np.ldexp(gaussian(0, 60, 4), power)), k=5, n_partitions=3
    )
    assert (table["overlap"] == 1).all()


def test_ties_of_norm_are_cut_by_row():
    parts = stability.norm_partitions(np.ones((7, 2)), 3)
    assert [part.tolist() for part in parts] == [[0, 1, 2], [3, 4], [5, 6]]


def test_equal_rows_have_equal_lists():
    table = stability.curves(two_dates(np.ones((9, 2)), np.full((9, 2), 3.0)), k=2, n_partitions=1)
    assert (table["overlap"] == 1).all()


def test_one_item_has_no_list():
    with pytest.raises(ValueError, match="k must be between 1 and the 0 candidates in the smallest part"):
        stability.curves(two_dates(np.ones((1, 2)), np.ones((1, 2))), k=1, n_partitions=1)
