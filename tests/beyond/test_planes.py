"""Planes on planted structure, and against least squares."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikylib import synthetic
from spikylib.beyond import neighbours, ordered_cover, plane_gain
from spikylib.beyond._planes import _redrawn, _subspaces
from spikylib.svd import truncated_svd


def test_planes_capture_what_lies_between_two_rows():
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, np.pi / 2, 40)
    fan = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(40)]) * rng.uniform(1, 2, (40, 1))
    E = np.vstack([fan, [[0, 0, 3]], [[0, 0, 0]]])
    directions, captured, first, second = np.transpose(_subspaces(E, range(41), 3, 0.999))
    assert captured.tolist() == [40, 41] and directions.tolist() == [2, 3]
    assert first[1] == 40 and second[1] == -1 and second[0] >= 0
    directions, captured, _, second = np.transpose(_subspaces(E, range(41), 3, 0.999, planes=False))
    assert (second == -1).all() and directions.tolist() == [1, 2, 3]
    assert captured[-1] < 40


def test_planes_against_least_squares():
    rng = np.random.default_rng(2)
    E = rng.standard_normal((30, 4))
    ((spent, captured, *through),) = _subspaces(E, [3, 8], 2, 0.7)
    assert spent == 2 and through == [3, 8]
    inside = 0
    for row in E:
        on = E[[3, 8]].T @ np.linalg.lstsq(E[[3, 8]].T, row, rcond=None)[0]
        inside += np.linalg.norm(on) / np.linalg.norm(row) > 0.7
    assert captured == inside


def test_half_lines_alone_are_greedy_by_gain_on_the_candidates():
    E = np.random.default_rng(3).standard_normal((80, 3))
    expected = ordered_cover(neighbours(E), "gain", rho=1)
    _, captured, first, _ = np.transpose(_subspaces(E, range(80), 10, 0.9, planes=False))
    assert first.tolist() == expected.peaks[:10].tolist()
    assert captured.tolist() == expected.captured[:10].tolist()


def test_a_fan_and_a_row_outside_its_plane_take_three_directions():
    fan = np.array([[1.0, 0, 0], [0.7, 0.7, 0], [0, 1, 0], [0.4, 0.9, 0], [0, 0, 1]])
    assert [captured for _, captured, *_ in _subspaces(fan, range(5), 3, 0.95)] == [4, 5]
    assert [captured for _, captured, *_ in _subspaces(fan, range(5), 2, 0.95)] == [4]
    assert [captured for _, captured, *_ in _subspaces(fan, range(5), 9, 0.95)] == [4, 5]


def test_a_plane_counts_half_for_each_direction_at_every_step():
    fan = [[1, 0, 0]] * 3 + [[0.87, 0.5, 0], [0.5, 0.87, 0], [0, 1, 0]]  # six rows, three of them one way
    E = np.array(fan + [[0, 0, 1]] * 2)
    chosen = _subspaces(E, range(8), 4, 0.95)
    # half-lines of three and of two, then a plane of three: 3, 2, and 1.5 for a direction
    assert [(spent, captured) for spent, captured, *_ in chosen] == [(1, 3), (2, 5), (4, 8)]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99))
def test_redrawn_rows_keep_their_angle_to_the_nearest_candidate(seed):
    E = np.random.default_rng(seed).standard_normal((40, 5))
    E[5] = 0
    redrawn = _redrawn(E, [0, 1, 2], seed=seed + 1000)
    unit = E / np.maximum(np.linalg.norm(E, axis=1, keepdims=True), 1e-300)
    cosine = unit @ unit[:3].T
    kept = (redrawn @ unit[:3].T)[np.arange(40), cosine.argmax(axis=1)]
    alive = np.arange(40) != 5
    np.testing.assert_allclose(kept[alive], cosine.max(axis=1)[alive], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(redrawn, axis=1), alive.astype(float), atol=1e-12)
    np.testing.assert_allclose(redrawn[:3], unit[:3], atol=1e-12)
    assert np.median(np.abs(redrawn[6:] - unit[6:])) > 0.05, "the rest is redrawn"


def test_overlap_keeps_the_angle_and_turns_rows_to_another_candidate():
    E = np.random.default_rng(5).standard_normal((60, 6))
    E[:4] = np.eye(6)[:4]
    redrawn = _redrawn(E, [0, 1, 2, 3], True, seed=1)
    unit = E / np.linalg.norm(E, axis=1, keepdims=True)
    nearest = unit[:, :4].argmax(axis=1)
    for row, k, before in zip(redrawn, nearest, unit[:, :4].max(axis=1)):
        assert row[k] == pytest.approx(before)
        others = np.delete(row, k)
        assert np.abs(others[3:]).max() < 1e-12 and np.count_nonzero(np.abs(others) > 1e-12) <= 1


def test_communities_that_overlap_gain_no_more_than_their_null():
    rng = np.random.default_rng(0)
    member = np.eye(12)[rng.integers(0, 12, 600)]
    member += rng.beta(0.5, 1, (600, 1)) * np.eye(12)[rng.integers(0, 12, 600)]
    found = plane_gain(member * rng.uniform(0.2, 1, (600, 1)), 12, cos_theta=0.98, seed=1)
    assert found["gain"] > 0.05 > found["null_high"]
    assert found["gain"] < found["overlap_high"] + 0.02


def test_planes_gain_on_fans_and_not_on_spikes():
    gain = {}
    for shape in ("spike", "drift"):
        M, *_ = synthetic.planted_shapes([shape] * 6, 40, noise=0.3, seed=1)
        E = truncated_svd(M, f=12).embeddings()
        gain[shape] = plane_gain(E, 12, cos_theta=0.98)
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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plane_gain(np.eye(2), 0), "n_directions must be at least 1, got 0"),
        (
            lambda: plane_gain(np.eye(2), 1, cos_theta=-0.5),
            "cos_theta must be between 0 and 1, both excluded, got -0.5",
        ),
        (
            lambda: synthetic.planted_shapes(["star"], 5),
            "must be 'spike' or 'audiences' or 'drift', got 'star'",
        ),
        (lambda: synthetic.planted_shapes(["spike"], 0), "size must be at least 1, got 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
