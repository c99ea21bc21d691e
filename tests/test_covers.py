"""Covers against literal definitions; planted structure for what has no definition to compare with."""

import itertools
import math

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spikylib import covers, spikes, synthetic
from spikylib import covers as module
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
    assert (covers.neighbours(E, cos_theta=cos_theta).toarray() == captures(E, cos_theta)).all()


@pytest.mark.filterwarnings("ignore:only .* have a norm above zero", "ignore:the rows tried capture")
@given(E=whole, rho=st.sampled_from([0.3, 0.5, 1.0]))
def test_by_decreasing_norm_it_is_the_cover_of_the_paper(E, rho):
    near = covers.neighbours(E)
    order = np.argsort(-np.sqrt((E**2).sum(axis=1)), kind="stable")
    found, expected = covers.in_order(near, order, rho=rho), spikes.cover(E, rho=rho)
    assert found.peaks.tolist() == expected.peaks.tolist()
    assert found.spike.tolist() == expected.spike.tolist()
    assert found.captured.tolist() == expected.captured.tolist()


def test_blocks_scale_and_columns_change_nothing(monkeypatch):
    E = np.random.default_rng(0).standard_normal((50, 4))
    E[7] = 0
    before = covers.neighbours(E, f=3, cos_theta=0.5)
    assert before.nnz == before.toarray().sum() and not before.toarray()[7].any()
    assert before.dtype == bool and before.indices.dtype == np.int32, "five bytes a pair"
    monkeypatch.setattr(module, "_BLOCK_ENTRIES", 150)
    for A in (E, 1e200 * E, 1e-200 * E):
        assert (covers.neighbours(A[:, :3], cos_theta=0.5) != before).nnz == 0


@pytest.mark.filterwarnings("ignore:the rows tried capture")
@settings(max_examples=60, deadline=None)
@given(E=whole, rho=st.sampled_from([0.3, 0.6, 1.0]))
def test_gain_fewest_and_bound_against_trying_every_set(E, rho):
    alive = np.flatnonzero(E.any(axis=1))
    near, target = captures(E, 0.9), math.ceil(rho * len(E) - 1e-9)
    if len(alive) < target:
        with pytest.raises(ValueError, match="cannot be reached"):
            covers.fewest(covers.neighbours(E), rho=rho)
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
    found = covers.neighbours(E)
    assert covers.by_gain(found, rho=rho).peaks.tolist() == greedy
    assert covers.fewest(found, rho=rho) == best
    assert covers.fewest(found, rho=rho, relax=True) <= best


def test_greedy_is_not_always_optimal_and_the_bound_holds():
    angle = np.radians([0, 20, 40, 44, 48, 68, 88])
    near = covers.neighbours(np.column_stack([np.cos(angle), np.sin(angle)]))
    assert covers.by_gain(near, rho=1).peaks.tolist() == [3, 0, 5]
    assert covers.fewest(near, rho=1) == 2


def test_both_ends():
    one = covers.neighbours(np.outer(np.arange(1, 21), [1.0, 2.0]))
    none = covers.neighbours(np.eye(20))
    for near, size in ((one, 1), (none, 10)):
        assert len(covers.by_gain(near).peaks) == size
        assert len(covers.in_order(near, range(20)).peaks) == size
        assert covers.fewest(near) == covers.fewest(near, relax=True) == size


def test_rows_without_norm_are_left_over():
    near = covers.neighbours(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]))
    with pytest.warns(RuntimeWarning, match="capture 1 of 3, fewer than the 2 asked for"):
        assert covers.by_gain(near).spike.tolist() == [-1, 0, -1]
    with pytest.warns(RuntimeWarning, match="capture 0 of 3"):
        assert covers.in_order(near, [0, 2]).peaks.tolist() == []


def test_planes_capture_what_lies_between_two_rows():
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, np.pi / 2, 40)
    fan = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(40)]) * rng.uniform(1, 2, (40, 1))
    E = np.vstack([fan, [[0, 0, 3]], [[0, 0, 0]]])
    table = covers.subspaces(E, range(41), 3, cos_theta=0.999)
    assert table["captured"].tolist() == [40, 41]
    assert table["directions"].tolist() == [2, 3]
    assert table["first"].iloc[1] == 40 and table["second"].tolist()[1] == -1
    lines = covers.subspaces(E, range(41), 3, planes=False, cos_theta=0.999)
    assert (lines["second"] == -1).all() and lines["directions"].tolist() == [1, 2, 3]
    assert lines["captured"].iloc[-1] < 40


def test_planes_against_least_squares():
    rng = np.random.default_rng(2)
    E = rng.standard_normal((30, 4))
    table = covers.subspaces(E, [3, 8], 2, cos_theta=0.7)
    assert table[["first", "second"]].to_numpy().tolist() == [[3, 8]]
    inside = 0
    for row in E:
        on = E[[3, 8]].T @ np.linalg.lstsq(E[[3, 8]].T, row, rcond=None)[0]
        inside += np.linalg.norm(on) / np.linalg.norm(row) > 0.7
    assert table["captured"].tolist() == [inside]


def test_half_lines_alone_are_greedy_by_gain_on_the_candidates():
    E = np.random.default_rng(3).standard_normal((80, 3))
    expected = covers.by_gain(covers.neighbours(E), rho=1)
    found = covers.subspaces(E, range(80), 10, planes=False)
    assert found["first"].tolist() == expected.peaks[:10].tolist()
    assert found["captured"].tolist() == expected.captured[:10].tolist()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99))
def test_turned_rows_keep_their_angle_to_the_nearest_candidate(seed):
    E = np.random.default_rng(seed).standard_normal((40, 5))
    E[5] = 0
    turned = covers.turn_residuals(E, [0, 1, 2], seed=seed + 1000)
    unit = E / np.maximum(np.linalg.norm(E, axis=1, keepdims=True), 1e-300)
    cosine = unit @ unit[:3].T
    kept = (turned @ unit[:3].T)[np.arange(40), cosine.argmax(axis=1)]
    alive = np.arange(40) != 5
    np.testing.assert_allclose(kept[alive], cosine.max(axis=1)[alive], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), alive.astype(float), atol=1e-12)
    np.testing.assert_allclose(turned[:3], unit[:3], atol=1e-12)
    assert np.median(np.abs(turned[6:] - unit[6:])) > 0.05, "the rest is turned"


def test_planes_gain_on_fans_and_not_on_spikes():
    gain = {}
    for shape in ("spike", "drift"):
        M, *_ = synthetic.planted_shapes([shape] * 6, 40, noise=0.3, seed=1)
        E = truncated_svd(M, f=12).embeddings()
        gain[shape] = covers.plane_gain(E, 12, cos_theta=0.98)
    assert gain["spike"]["gain"] == 0 and gain["spike"]["lines"] > 0.99
    assert gain["drift"]["gain"] > 0.1 > 2 * gain["drift"]["null_high"]
    assert gain["drift"]["planes"] - gain["drift"]["lines"] == gain["drift"]["gain"]


def test_planted_shapes_have_their_rank_and_noise_its_size():
    M, community, position = synthetic.planted_shapes(["spike", "audiences", "drift"], 30, seed=4)
    blocks = [M[community == k][:, community == k] for k in range(3)]
    assert [np.linalg.matrix_rank(b) for b in blocks[:2]] == [1, 2]
    assert np.linalg.matrix_rank(blocks[2], tol=1e-3) > 2
    assert np.count_nonzero(M[community == 0][:, community != 0]) == 0
    t = position[community == 2]
    length = np.sqrt(np.diag(blocks[2]))
    assert blocks[2][3, 8] == pytest.approx(length[3] * length[8] * math.exp(-((t[3] - t[8]) ** 2) / 0.18))
    noisy, *_ = synthetic.planted_shapes(["spike"], 300, noise=2.0, seed=5)
    clean, *_ = synthetic.planted_shapes(["spike"], 300, seed=5)
    assert (noisy == noisy.T).all()
    assert np.std((noisy - clean)[np.triu_indices(300)]) == pytest.approx(2 * clean.mean(), rel=0.02)


def test_noise_law_by_hand():
    # signals 16, 9, 4, 1 less 1/16 for the noise in the first dimension; the peak is the largest
    norm, s = np.array([4.0, 3.0, 2.0, 1.0]), [5.0, 1.0, 1.0, 1.0, 1.0]
    for f in (1, 3, 5):
        noise = (1 / 4 + (f - 1)) / 4
        signal = norm**2 - 1 / 16
        cosine = np.sqrt(signal / (signal + noise) * signal[0] / (signal[0] + noise))
        expected = 1 + 4 - (cosine > 0.8).sum()
        assert covers.noise_law(norm, s, 1, [f], 1, cos_theta=0.8, rho=1) == [min(expected, 4)]


def test_noise_law_holds_for_planted_spikes_and_its_stretch_is_one():
    runs = covers.planted_runs([10, 20], [4.0], [24, 32, 48, 64], n_items=400, seeds=[0, 1])
    fit = covers.fit_stretch(runs, n_resamples=200)
    assert fit["low"] <= fit["stretch"] <= fit["high"]
    assert 0.85 < fit["stretch"] < 1.2
    assert fit["error"] < 0.6
    at_best = np.concatenate([covers.law_error(run, stretch=fit["stretch"]) for run in runs])
    assert fit["error"] == pytest.approx(np.sqrt((at_best**2).mean()))
    worse = np.concatenate([covers.law_error(run, stretch=2.0) for run in runs])
    assert (worse**2).mean() > 2 * (at_best**2).mean()


def test_planted_runs_measure_what_they_say():
    (run,) = covers.planted_runs([4], [1.0], [2, 4, 8], n_items=103, seeds=[3])
    assert run["n"] == 100 and (run["K"], run["noise"], run["seed"]) == (4, 1.0, 3)
    M, _ = synthetic.planted_spikes((25,) * 4, 0, noise=1.0, seed=3)
    E = truncated_svd(M, f=8).embeddings()
    assert run["peaks"] == [len(spikes.cover(E, f=f).peaks) for f in (2, 4, 8)]
    assert run["peaks_at_K"] == run["peaks"][1]
    np.testing.assert_allclose(run["norm"], np.linalg.norm(E[:, :4], axis=1))


def test_resample_draws_contexts():
    X = sp.csr_array(np.random.default_rng(0).random((30, 200)) < 0.2).astype(int)
    parts = covers.resample(X, lambda part: part.shape[1], share=0.25, n_draws=4)
    assert parts.tolist() == [50] * 4
    means = covers.resample(X, lambda part: part.sum() / part.shape[1], share=0.5, n_draws=60, seed=1)
    spread = np.sqrt(np.asarray(X.sum(axis=0)).var() / 200)
    assert means.std(ddof=1) == pytest.approx(spread, rel=0.3), "half the contexts: the factor is one"
    whole = covers.resample(X, lambda part: part.toarray().sum(axis=0).tolist(), replace=True, n_draws=2)
    assert whole.shape == (2, 200) and set(whole.ravel()) <= set(X.toarray().sum(axis=0))
    again = covers.resample(X, lambda part: part.sum(), n_draws=3, seed=7)
    assert (again == covers.resample(X, lambda part: part.sum(), n_draws=3, seed=7)).all()


def test_resample_leaves_out_items_that_are_in_no_context_drawn():
    X = sp.csr_array(np.eye(10, dtype=int))
    assert covers.resample(X, lambda part: part.shape[0], share=0.3, n_draws=1).tolist() == [3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: covers.neighbours(np.ones((9, 2)), max_pairs=80), "more than max_pairs=80 pairs"),
        (lambda: covers.neighbours(np.array([[1.0, np.nan]])), "nan at row 0, column 1"),
        (lambda: covers.neighbours(np.zeros((2, 2))), "every row of E is zero"),
        (lambda: covers.neighbours(np.ones((2, 2)), cos_theta=1), "cos_theta must be between"),
        (lambda: covers.in_order(covers.neighbours(np.eye(2)), [0, 0]), "names a row twice"),
        (lambda: covers.in_order(covers.neighbours(np.eye(2)), [2]), "rows 0 to 1, got 2 to 2"),
        (lambda: covers.by_gain(covers.neighbours(np.eye(2)), rho=0), "rho must be above 0"),
        (lambda: covers.subspaces(np.eye(2), [0], 0), "n_directions must be at least 1, got 0"),
        (lambda: covers.subspaces(np.eye(2), [0], 1, cos_theta=-0.5), "above 0 for planes"),
        (lambda: covers.subspaces(np.diag([1.0, 0]), [0, 1], 1), "candidate row 1 has norm zero"),
        (lambda: synthetic.planted_shapes(["star"], 5), "among spike, audiences, drift, got 'star'"),
        (lambda: synthetic.planted_shapes(["spike"], 0), "size is out of range: 0"),
        (lambda: covers.noise_law([1, 1], [1, 1, 1], 2, [1], 1), r"between K=2 and the 3"),
        (lambda: covers.noise_law([1, 1], [3, 9], 1, [1], 1), "no row stands out"),
        (lambda: covers.planted_runs([5], [1], [64], n_items=20), "at most the 20 items, got 64"),
        (lambda: covers.resample(np.eye(3), len, share=1), "share must be between 0 and 1"),
        (lambda: covers.resample(np.eye(3), len, n_draws=0), "n_draws must be at least 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_fit_without_a_rise_is_refused():
    with pytest.raises(ValueError, match="rise in none of the runs"):
        covers.fit_stretch(covers.planted_runs([3], [0.01], [4, 6], n_items=60))


def test_an_optimum_out_of_time_is_refused():
    E = np.random.default_rng(0).standard_normal((400, 3))
    with pytest.raises(ArithmeticError, match="not solved within 1e-06 s"):
        covers.fewest(covers.neighbours(E), time_limit=1e-6)


def test_real_playlists(cornell):
    _, M = cornell
    E = truncated_svd(M).embeddings()
    near = covers.neighbours(E)
    assert len(covers.by_gain(near).peaks) == 96
    assert covers.fewest(near, relax=True) == 90
