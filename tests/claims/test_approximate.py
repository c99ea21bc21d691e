"""Measures of approximate spikes, small communities and rotated axes against literal computations."""

import numpy as np
import pytest

from spikylib.claims import _approximate, _controls, _theorem
from spikylib.dcbm import DCBM


@pytest.fixture(scope="module")
def linked():
    """A study, its draw of seed 2 at f = 32, M-hat on the rows on spikes, their spikes, E and U."""
    study = _controls.linked(0)
    part, cover = _theorem.leading(study.resampled(2), 32)
    on = np.flatnonzero(cover.spike >= 0)
    return (
        study,
        part.reconstruct(on, on),
        cover.spike[on],
        part.embeddings()[on],
        part.U[on],
        cover.peaks,
        on,
    )


def nearest(M_hat, community, weight):
    """The nearest matrix w_i w_j gamma[C(i), C(j)], block by block."""
    fitted = np.empty_like(M_hat)
    for k in set(community):
        for m in set(community):
            block = np.ix_(community == k, community == m)
            a, b = weight[community == k], weight[community == m]
            fitted[block] = np.outer(a, b) * (a @ M_hat[block] @ b) / ((a @ a) * (b @ b))
    return fitted


def test_bounds_are_those_of_the_theorem(linked):
    study, M_hat, spike, E, U, _, _ = linked
    size, largest = np.linalg.norm(M_hat), np.linalg.svd(U)[1][0]
    angle = np.sqrt(2 * (1 - 0.9**2) * (E**2).sum()) * largest / size
    assert _approximate.bound_is_useful(study, 2) == pytest.approx((angle, 1.0))
    off = 0.0
    for k in set(spike):
        rows = E[spike == k]
        norm = np.linalg.norm(rows, axis=1)
        mean = norm @ rows / (norm @ norm)
        off += sum(((row - a * mean) ** 2).sum() for row, a in zip(rows, norm))
    bound = np.sqrt(2 * off) * largest / size
    assert _approximate.bound_from_directions(study, 2) == pytest.approx((bound, 0.5))
    norm = np.linalg.norm(E, axis=1)
    error = np.linalg.norm(M_hat - nearest(M_hat, spike, norm)) / size
    assert 0 < error < bound < angle


def test_what_is_explained_is_the_nearest_block_model(linked):
    study, M_hat, spike, E, *_ = linked
    norm, total = np.linalg.norm(E, axis=1), (M_hat**2).sum()
    mixed = np.random.default_rng(2).permutation(spike)
    both, communities, degrees = (
        1 - ((M_hat - nearest(M_hat, *model)) ** 2).sum() / total
        for model in ((spike, norm), (spike, np.ones(len(norm))), (mixed, norm))
    )
    assert _approximate.explained_on_spikes(study, 2) == pytest.approx((both, max(communities, degrees)))


def test_error_of_the_peaks_directions_is_that_of_the_matrix_they_make(linked):
    study, M_hat, spike, E, _, peaks, on = linked
    norm, size = np.linalg.norm(E, axis=1), np.linalg.norm(M_hat)
    d = study.resampled(2).svd.leading(32)
    D = d.s * np.sign((d.U * d.V).sum(axis=0))
    direction = [E[list(on).index(p)] / norm[list(on).index(p)] for p in peaks]
    beta = np.array([[(a / D) @ b for b in direction] for a in direction])
    of_peaks = np.linalg.norm(M_hat - np.outer(norm, norm) * beta[np.ix_(spike, spike)]) / size
    of_means = np.linalg.norm(M_hat - nearest(M_hat, spike, norm)) / size
    assert _approximate.peaks_direction_costs(study, 2) == pytest.approx((of_peaks, of_means))


def test_two_rows_of_a_narrow_spike_are_missed():
    angle = np.deg2rad(np.random.default_rng(4).uniform(0.5, 5))
    late = np.sin(angle) ** 2 + 1e-6 * np.cos(angle) ** 2
    N = np.array([[1e-6, 1e-6 * np.cos(angle)], [1e-6 * np.cos(angle), late]])
    error = np.sqrt(((N - N.sum() / 4) ** 2).sum() / (N**2).sum())
    assert _approximate.angle_alone_bounds_nothing(None, 4) == pytest.approx((error, 0.5))


def test_a_mean_without_its_diagonal_in_closed_form():
    # n equal items: ones without the diagonal have the eigenvalue n - 1, so the model reads (n - 1) / n for 1
    for n in (2, 5, 30):
        model = DCBM(np.zeros(n, dtype=int), [[1.0]], np.ones(n))
        assert _approximate.errors_without_diagonal(model) == pytest.approx((1 / n, 0), abs=1e-12)


def test_half_lines_are_counted():
    model = _approximate.singular(3)
    Q = np.linalg.eigh(model.mean())[1][:, -3:]
    unit = Q / np.linalg.norm(Q, axis=1, keepdims=True)
    assert np.linalg.matrix_rank(model.affinity) == 3
    apart = [i for i in range(180) if not any(unit[i] @ unit[j] > 1 - 1e-9 for j in range(i))]
    assert len(apart) == _approximate.half_lines(model, 3) == 4
    assert model.community[apart].tolist() == [0, 1, 2, 3]


def test_owned_dimensions_before_and_after(linked):
    study = linked[0]
    part = study.resampled(2)
    (U, spike), (axes, _) = _theorem.basis(part), _theorem.rotated(part)
    found = []
    for columns in (axes, U):
        owners = []
        for column in columns.T:
            held = [(column[spike == k] ** 2).sum() / (column**2).sum() for k in range(spike.max() + 1)]
            owners += [np.argmax(held)] if max(held) > 0.5 else []
        found.append(owners)
    after, before = found
    assert _approximate.more_dimensions_own(study, 2) == (len(after), len(before))
    assert _approximate.more_communities_reached(study, 2) == (len(set(after)), len(set(before)))
