"""Selectors of a truncation rank, against what they maximise, written out."""

import numpy as np
import pytest
from scipy import stats

from spikylib import selectors


@pytest.fixture(params=range(6))
def spectrum(request):
    return np.sort(np.random.default_rng(request.param).pareto(1.5, 30))[::-1]


def test_parallel_analysis_stops_at_the_first_value_of_chance():
    s, null = [9, 7, 5, 3, 2], [6, 5, 5, 2, 1]
    assert selectors.parallel_analysis(s, null) == 2  # what is above later on does not count
    assert selectors.parallel_analysis(s, [10, 1]) == 0
    assert selectors.parallel_analysis(s, [1, 1, 1]) == 3


def test_profile_likelihood_is_the_best_split_into_two_normal_groups(spectrum):
    def likelihood(q):
        groups = spectrum[:q], spectrum[q:]
        rest = np.concatenate([group - group.mean() for group in groups])
        return stats.norm.logpdf(rest, scale=np.sqrt(np.sum(rest**2) / (len(spectrum) - 2))).sum()

    best = max(range(1, len(spectrum)), key=likelihood)
    assert selectors.profile_likelihood(spectrum) == best


def test_the_eigengap_is_the_widest_after_the_first(spectrum):
    gaps = {q: spectrum[q - 1] - spectrum[q] for q in range(2, len(spectrum))}
    assert selectors.eigengap(spectrum) == max(gaps, key=gaps.get)


@pytest.mark.parametrize(
    "select, s, message",
    [
        (selectors.eigengap, [2, 1], "at least 3 singular values"),
        (selectors.profile_likelihood, [[3, 2, 1]], "at least 3 singular values"),
        (selectors.eigengap, [1, 2, 3], "must decrease"),
        (selectors.profile_likelihood, [3, 2, -1], "at least 0"),
        (selectors.eigengap, [3, np.nan, 1], "at least 0"),
    ],
)
def test_what_is_no_spectrum_is_refused(select, s, message):
    with pytest.raises(ValueError, match=message):
        select(s)
