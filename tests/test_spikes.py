"""Spk against the one-peak-at-a-time definition, written out here."""

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spikylib import _greedy
from spikylib import spikes as module
from spikylib.spikes import cover, describe, peaks, principal, spk, varimax
from spikylib.svd import truncated_svd


def literal_cover(E, cos_theta=0.9, rho=0.5):
    """Peaks, membership and running count, one peak and one row at a time."""
    n = len(E)
    norm = [math.sqrt(math.fsum(x * x for x in row)) for row in E.tolist()]
    order = sorted((i for i in range(n) if norm[i] > 1e-9 * max(norm)), key=lambda i: (-norm[i], i))
    peaks, captured, spike = [], [], [-1] * n
    for peak in order:
        if sum(s >= 0 for s in spike) >= rho * n:
            break
        if spike[peak] >= 0:
            continue
        for i in order:
            dot = math.fsum(x * y for x, y in zip(E[i].tolist(), E[peak].tolist()))
            if spike[i] < 0 and (i == peak or dot / (norm[i] * norm[peak]) > cos_theta):
                spike[i] = len(peaks)
        peaks.append(peak)
        captured.append(sum(s >= 0 for s in spike))
    return peaks, spike, captured


def assert_same(E, **options):
    found = cover(E, **options)
    peaks, spike, captured = literal_cover(np.asarray(E, dtype=float), **options)
    assert found.peaks.tolist() == peaks
    assert found.spike.tolist() == spike
    assert found.captured.tolist() == captured
    assert found.spk == len(peaks) / len(E)


# whole numbers, so that dot products are exact and ties and equal cosines are common
whole = arrays(
    np.int64, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=st.integers(-4, 4)
).filter(np.any)


@pytest.mark.filterwarnings("ignore:only .* have a norm above zero")
@given(
    E=whole,
    cos_theta=st.sampled_from([-0.5, 0.0, 0.6, 0.8, 0.9, 0.99]),
    rho=st.sampled_from([0.1, 0.5, 0.9, 1]),
)
def test_cover_is_its_definition_on_whole_numbers(E, cos_theta, rho):
    assert_same(E, cos_theta=cos_theta, rho=rho)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), d=st.integers(2, 40), rho=st.sampled_from([0.3, 0.5, 1.0]))
def test_cover_is_its_definition_on_noisy_spikes(seed, d, rho):
    rng = np.random.default_rng(seed)
    rays = rng.standard_normal((5, d))
    E = rays[rng.integers(0, 5, 120)] * rng.pareto(1.5, 120)[:, None] + 0.2 * rng.standard_normal((120, d))
    assert_same(E, rho=rho)


@pytest.mark.parametrize("threaded_from", [0, 10**9])
def test_small_blocks_and_threads_change_nothing(threaded_from, monkeypatch):
    E = np.random.default_rng(0).standard_normal((200, 4))
    before = cover(E, rho=0.9)
    monkeypatch.setattr(_greedy, "PEAK_BLOCK", 3)
    monkeypatch.setattr(_greedy, "ROW_BLOCK", 7)
    monkeypatch.setattr(module, "_THREADED", threaded_from)
    after = cover(E, rho=0.9)
    assert (before.spike == after.spike).all() and (before.peaks == after.peaks).all()
    assert_same(E, rho=0.9)


@pytest.mark.parametrize("ulps", [-2, -1, 0, 1, 2])
def test_a_cosine_within_rounding_of_the_threshold_is_decided_in_double(ulps):
    # single precision cannot tell these five from each other
    c = 0.9
    for _ in range(abs(ulps)):
        c = np.nextafter(c, np.sign(ulps) * np.inf)
    E = np.array([[2.0, 0.0], [c, math.sqrt(1 - c * c)]])
    cosine = c / math.hypot(c, math.sqrt(1 - c * c))
    assert len(cover(E, rho=1).peaks) == (1 if cosine > 0.9 else 2)


@settings(max_examples=25)
@given(seed=st.integers(0, 999), scale=st.sampled_from([1e-200, 1e-3, 7.0, 1e200]))
def test_scale_rotation_and_reflection_change_nothing(seed, scale):
    rng = np.random.default_rng(seed)
    E = rng.standard_normal((60, 3)) * rng.pareto(2, 60)[:, None]
    rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    expected = cover(E).spike
    assert (cover(scale * E).spike == expected).all()
    assert (cover(E @ rotation).spike == expected).all()
    assert (cover(-E).spike == expected).all()


@settings(max_examples=25)
@given(seed=st.integers(0, 999))
def test_rows_have_no_order_but_for_ties(seed):
    rng = np.random.default_rng(seed)
    E = rng.standard_normal((60, 3))
    order = rng.permutation(60)
    assert (order[cover(E[order]).peaks] == cover(E).peaks).all()


@pytest.mark.filterwarnings("ignore:only .* have a norm above zero")
@given(E=whole, rho=st.floats(0.01, 1))
def test_bounds(E, rho):
    value = spk(E, rho=rho)
    assert 0 < value <= math.ceil(rho * len(E)) / len(E)


def test_both_ends():
    assert spk(np.outer(np.arange(1, 101), [1.0, 2.0, 3.0])) == 0.01
    assert spk(np.eye(100)) == 0.5
    assert spk(np.eye(101)) == 51 / 101


def test_opposite_rows_are_two_spikes():
    assert cover(np.array([[1.0, 0.0], [-1.0, 0.0]]), rho=1).spike.tolist() == [0, 1]


def test_ties_of_norm_go_to_the_lower_row():
    assert cover(np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, 0.0]]), rho=1).peaks.tolist() == [0, 1, 2]


def test_f_takes_the_first_columns():
    E = np.random.default_rng(1).standard_normal((50, 6))
    assert (cover(E, f=2).spike == cover(E[:, :2]).spike).all()


def test_zero_rows_count_in_n_but_are_never_captured():
    E = np.array([[1.0, 0.0], [0.0, 0.0], [1e-12, 0.0], [0.0, 0.9]])
    found = cover(E)
    assert found.spike.tolist() == [0, -1, -1, 1]
    assert found.spk == 0.5
    with pytest.warns(RuntimeWarning, match="only 2 of 4 rows"):
        assert cover(E, rho=1).captured.tolist() == [1, 2]


@pytest.mark.parametrize("power", [-1070, -600, 600, 1020])
def test_the_cover_is_the_same_at_every_scale(power):
    # whole numbers, so that not even denormals lose a digit
    E = np.random.default_rng(2).integers(-7, 8, (80, 3)).astype(float)
    plain, scaled = cover(E, rho=0.9), cover(np.ldexp(E, power), rho=0.9)
    assert scaled.peaks.tolist() == plain.peaks.tolist()
    assert scaled.spike.tolist() == plain.spike.tolist()


def test_one_row_and_one_column():
    assert cover(np.array([[-2.0]])).spike.tolist() == [0]
    line = cover(np.array([[-2.0], [1.0], [1.0], [3.0]]), rho=1)
    assert (line.peaks.tolist(), line.spike.tolist()) == ([3, 0], [1, 0, 0, 0])


def test_a_row_next_to_nothing_beside_a_huge_one_is_on_no_spike():
    E = np.array([[1e200, 0.0], [1e-200, 0.0], [0.0, 1e-200]])
    with pytest.warns(RuntimeWarning, match="only 1 of 3 rows"):
        assert cover(E, rho=1).spike.tolist() == [0, -1, -1]


def test_dtypes_and_memory_maps(tmp_path):
    E = np.random.default_rng(2).standard_normal((3000, 5)).astype(np.float32)
    np.save(tmp_path / "E.npy", E)
    mapped = np.load(tmp_path / "E.npy", mmap_mode="r")
    assert (cover(mapped).spike == cover(E.astype(np.float64)).spike).all()


@pytest.mark.parametrize(
    ("E", "options", "message"),
    [
        (np.ones(3), {}, r"non-empty array .* got shape \(3,\)"),
        (np.ones((0, 3)), {}, r"\(0, 3\)"),
        (np.array([["a"]]), {}, "real numbers"),
        (np.ones((2, 2), dtype=complex), {}, "complex"),
        (np.array([[1.0, 2.0], [3.0, np.nan]]), {}, "nan at row 1, column 1"),
        (np.array([[1.0, -np.inf]]), {}, "-inf at row 0, column 1"),
        (np.zeros((2, 2)), {}, "every row of E is zero"),
        (np.ones((2, 2)), {"f": 0}, "f must be between 1 and the 2 columns of E, got 0"),
        (np.ones((2, 2)), {"f": 3}, "got 3"),
        (np.ones((2, 2)), {"cos_theta": 1.0}, r"cos_theta must be between -1 and 1, both excluded, got 1\.0"),
        (np.ones((2, 2)), {"cos_theta": float("nan")}, "got nan"),
        (np.ones((2, 2)), {"rho": 0}, "rho must be above 0 and at most 1, got 0"),
        (np.ones((2, 2)), {"rho": 1.5}, r"got 1\.5"),
    ],
)
def test_bad_input_is_named(E, options, message):
    with pytest.raises(ValueError, match=message):
        cover(E, **options)


@pytest.mark.filterwarnings("ignore:only .* have a norm above zero")
@given(E=whole, limit=st.none() | st.integers(1, 12))
def test_peaks_are_those_of_a_cover_at_every_setting(E, limit):
    fs, cos_thetas, rhos = range(1, E.shape[1] + 1), [0.6, 0.9], [0.9, 0.1, 0.5]
    if not E[:, 0].any():
        fs = fs[-1:]
        E[0, -1] = 1
    found = peaks(E, fs, cos_thetas, rhos, limit=limit)
    for i, f in enumerate(fs):
        for j, cos_theta in enumerate(cos_thetas):
            for k, rho in enumerate(rhos):
                needed = len(cover(E, f=f, cos_theta=cos_theta, rho=rho).peaks)
                assert found[i, j, k] == (-1 if limit and needed > limit else needed)


def test_a_limit_stops_a_cover_early():
    E = np.random.default_rng(0).standard_normal((3000, 30))  # no two rows are collinear
    assert peaks(E, [30], [0.9], [0.05, 0.5], limit=200).tolist() == [[[150, -1]]]
    with pytest.raises(ValueError, match="limit must be at least 1, got 0"):
        peaks(E, [30], [0.9], [0.5], limit=0)
    with pytest.raises(ValueError, match="rho must be above 0 and at most 1, got 2"):
        peaks(E, [30], [0.9], [0.5, 2])


@given(seed=st.integers(0, 999), n=st.integers(2, 30), d=st.integers(1, 6))
def test_principal_axes_keep_every_angle_and_order_the_columns(seed, n, d):
    E = np.random.default_rng(seed).standard_normal((n, d))
    P = principal(E)
    np.testing.assert_allclose(P @ P.T, E @ E.T, atol=1e-12)
    np.testing.assert_allclose(
        P.T @ P, np.diag(np.linalg.svd(E.T)[1].tolist() + [0] * (d - n)) ** 2, atol=1e-12
    )
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]
    np.testing.assert_allclose(np.abs(principal(E @ rotation)), np.abs(P), atol=1e-6)


def test_principal_refuses_what_is_not_finite():
    with pytest.raises(ValueError, match="nan at row 1, column 0"):
        principal(np.array([[1.0, 2.0], [np.nan, 1.0]]))


def test_after_varimax_no_turn_of_two_columns_concentrates_them_more():
    U = np.linalg.qr(np.random.default_rng(2).standard_normal((60, 5)) ** 3)[0]
    L = varimax(U, tol=1e-14)
    np.testing.assert_allclose(L @ L.T, U @ U.T, atol=1e-12)
    best = (L**4).sum()
    assert best > (U**4).sum()
    for i in range(5):
        for j in range(i):
            for angle in np.linspace(0.01, np.pi / 2, 50):
                turned = L[:, [i, j]] @ [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
                assert (turned**4).sum() <= (L[:, [i, j]] ** 4).sum() + 1e-9
    assert ((L**3).sum(axis=0) >= 0).all() and (np.diff((L**4).sum(axis=0)) <= 1e-12).all()


def test_varimax_finds_groups_whatever_the_basis():
    weight = np.random.default_rng(1).uniform(0.1, 1, 30)
    groups = np.eye(3)[np.repeat([0, 1, 2], [15, 10, 5])] * weight[:, None]
    groups /= np.linalg.norm(groups, axis=0)
    for seed in range(3):
        turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))[0]
        found = varimax(groups @ turn, tol=1e-14)
        order = np.argsort(-(groups**4).sum(axis=0))
        np.testing.assert_allclose(found, groups[:, order], atol=1e-5)


def test_measuring_needs_numpy_alone():
    code = "import sys, spikylib.spikes; print({'pandas', 'scipy', 'sklearn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_describe_names_what_sets_a_spike_apart():
    E = np.array([[3.0, 0], [2, 0], [1, 0], [0, 2.5], [0, 1]])
    items = pd.DataFrame(
        {
            "title": list("abcde"),
            "tags": [("pop", "live"), ("pop",), ("pop", "jazz"), ("jazz", "live"), ("jazz",)],
        }
    )
    table = describe(cover(E, rho=1), items, by="tags")
    assert table["peak"].tolist() == ["a", "d"]
    assert table["size"].tolist() == [3, 2]
    assert table["shared"].tolist() == ["pop", "jazz"]
    assert table["share"].tolist() == [1.0, 1.0]
    assert table["lift"].tolist() == pytest.approx([5 / 3, 5 / 3])
    lonely = describe(cover(E, rho=1), items, by="title")
    assert lonely[["shared", "share"]].to_numpy().tolist() == [["", 0.0], ["", 0.0]], "no two share a title"
    with pytest.raises(ValueError, match="no column 'mood'"):
        describe(cover(E), items, by=["tags", "mood"])
    with pytest.raises(ValueError, match="items has 2 rows, but the cover has 5"):
        describe(cover(E), items[:2], by="tags")


def test_real_playlists(cornell):
    _, M = cornell
    E = truncated_svd(M).embeddings()
    assert [len(cover(E, f=f).peaks) for f in (128, 64, 32, 16)] == [513, 222, 34, 11]


def test_many_rows_are_turned_in_blocks_as_few_are_at_once(monkeypatch):
    E = np.random.default_rng(0).standard_normal((500, 6)).astype(np.float32)
    whole = principal(E)
    monkeypatch.setattr("spikylib.spikes._QR_ROWS", 64)
    np.testing.assert_allclose(principal(E), whole, atol=1e-12)
