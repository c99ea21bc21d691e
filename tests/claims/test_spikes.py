"""Claims of chapter 2: where a line passes, and what the angle of a spike allows."""

import numpy as np
import pytest
from scipy import stats

from spikylib import spikes
from spikylib.claims import _spikes


def test_a_line_misses_the_origin_by_its_distance():
    """Points (t, 3, 4) lie on a line that passes the origin at distance 5."""
    t = np.array([10.0, 11.0, 12.0])
    points = np.column_stack([t, np.full(3, 3.0), np.full(3, 4.0)])
    assert _spikes.miss(points) == pytest.approx(5 / 13)
    assert _spikes.miss(np.outer(t, [1.0, 2.0, 2.0])) == pytest.approx(0)


def test_directions_drawn_anew_lie_evenly_within_the_angle():
    rng = np.random.default_rng(0)
    E = np.eye(6)[rng.integers(3, size=900)] * rng.uniform(1, 9, 900)[:, None] + 1e-3 * rng.standard_normal(
        (900, 6)
    )
    cover = spikes.cover(E, rho=1)
    drawn = _spikes.within_angle(E, cover, 0.9, seed=1)
    assert np.allclose(np.linalg.norm(drawn, axis=1), np.linalg.norm(E, axis=1))
    peak = E[cover.peaks][cover.spike]
    cosine = np.einsum("ij,ij->i", drawn, peak) / np.linalg.norm(drawn, axis=1) / np.linalg.norm(peak, axis=1)
    assert cosine.min() > 0.9
    # directions that the cone rejects from an even sphere: the reference
    even = rng.standard_normal((400_000, 6))
    even = even[:, 0] / np.linalg.norm(even, axis=1)
    assert stats.ks_2samp(cosine, even[even > 0.9]).pvalue > 0.01
