"""Measures of the open questions against literal computations."""

import numpy as np
import pytest

from spikylib import beyond, spikes
from spikylib.claims import _controls, _open


def test_invented_links_are_the_negative_among_the_largest():
    study = _controls.communities(0)
    part = study.resampled(3)
    rows = np.random.default_rng(3).permutation(len(part.E))[:300]
    count = 0
    for row in (part.svd.U[rows] * part.svd.s) @ part.svd.V.T:
        count += sum(row[j] < 0 for j in sorted(range(len(row)), key=lambda j: -abs(row[j]))[:20])
    assert _open.signs_may_be_dropped(study, 3)[0] == pytest.approx(count / 6000)


def test_embeddings_that_cannot_be_refitted_are_measured_as_they_are():
    study = _controls.noisy_spikes(0)
    assert _open.redrawn(study, 5) is study
    norm, s = np.linalg.norm(study.E[:, :32], axis=1), np.linalg.norm(study.E, axis=0)
    peaks = [len(spikes.cover(study.E[:, :f]).peaks) for f in (32, 64)]
    (law,) = beyond.noise_law(norm, s, 32, [64], peaks[0])
    expected = abs(np.log2(law / peaks[1])), abs(np.log2(peaks[0] / peaks[1]))
    assert _open.later_dimensions_are_noise(study, 0) == pytest.approx(expected)


def test_a_control_draws_contexts_by_taste_and_weight():
    weight = np.array([[1.0, 3.0, 0.0], [0.0, 0.0, 1.0]])
    study = _controls._drawn(np.tile([0.25, 0.75], (4000, 1)), weight, 1, 0)
    ids, plays = study.interactions.items["id"], study.interactions.matrix.sum(axis=1)
    assert dict(zip(ids, plays / 4000)) == pytest.approx({0: 1 / 16, 1: 3 / 16, 2: 3 / 4}, abs=0.02)
