"""The noise law by hand, and on planted spikes."""

import numpy as np
import pytest

from spikylib import spikes, synthetic
from spikylib.beyond import noise_law, planted_runs
from spikylib.svd import truncated_svd


def log_errors(run):
    """Logarithms of predicted over measured peaks, rank by rank, where they rise."""
    found = []
    for f, peaks in zip(run["ranks"], run["peaks"]):
        if f > run["K"] and 2 * run["peaks_at_K"] <= peaks <= 0.95 * 0.5 * run["n"]:
            (predicted,) = noise_law(run["norm"], run["s"], run["K"], [f], run["peaks_at_K"])
            found.append(np.log(predicted / peaks))
    return np.array(found)


def test_noise_law_by_hand():
    # signals 16, 9, 4, 1 less 1/16 for the noise in the first dimension; the peak is the largest
    norm, s = np.array([4.0, 3.0, 2.0, 1.0]), [5.0, 1.0, 1.0, 1.0, 1.0]
    for f in (1, 3, 5):
        noise = (1 / 4 + (f - 1)) / 4
        signal = norm**2 - 1 / 16
        cosine = np.sqrt(signal / (signal + noise) * signal[0] / (signal[0] + noise))
        expected = 1 + 4 - (cosine > 0.8).sum()
        assert noise_law(norm, s, 1, [f], 1, cos_theta=0.8, rho=1) == [min(expected, 4)]


def test_noise_law_holds_for_planted_spikes_without_a_constant():
    runs = planted_runs([10, 20], [4.0], [24, 32, 48, 64], n_items=400, seeds=[0, 1])
    errors = np.concatenate([log_errors(run) for run in runs])
    assert len(errors) > 4
    assert np.sqrt((errors**2).mean()) < 0.6
    # noise of twice the variance would miss by more
    worse = np.concatenate([log_errors(run | {"s": np.sqrt(2) * run["s"]}) for run in runs])
    assert (worse**2).mean() > 2 * (errors**2).mean()


def test_planted_runs_measure_what_they_say():
    (run,) = planted_runs([4], [1.0], [2, 4, 8], n_items=103, seeds=[3])
    assert run["n"] == 100 and (run["K"], run["noise"], run["seed"]) == (4, 1.0, 3)
    M, _ = synthetic.planted_spikes((25,) * 4, 0, noise=1.0, seed=3)
    E = truncated_svd(M, f=8).embeddings()
    assert run["peaks"] == [len(spikes.cover(E, f=f).peaks) for f in (2, 4, 8)]
    assert run["peaks_at_K"] == run["peaks"][1]
    np.testing.assert_allclose(run["norm"], np.linalg.norm(E[:, :4], axis=1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: noise_law([1, 1], [1, 1, 1], 2, [1], 1), "between 2 and the 3 singular values, got 1"),
        (lambda: noise_law([1, 1], [3, 9], 1, [1], 1), "no row stands out"),
        (lambda: planted_runs([5], [1], [64], n_items=20), "between 1 and the 20 items, got 64"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
