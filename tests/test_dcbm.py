"""The block model, the theorem that reads it off spikes, and the way back."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from spikylib import dcbm, spikes, synthetic
from spikylib.dcbm import DCBM
from spikylib.svd import TruncatedSVD, truncated_svd

TWO = dict(community=[0, 1, 0], affinity=[[1.0, 0.25], [0.25, 0.5]], degree=[1.0, 0.5, 0.2])


def signed_matrix(seed=0):
    """M-hat of rank 3 with eigenvalues 5, -3, 1 and rows of E on four spikes and on none."""
    rng = np.random.default_rng(seed)
    spike = np.array([0] * 6 + [1] * 5 + [2] * 4 + [3] * 3 + [-1] * 4)
    rows = rng.standard_normal((4, 3))[spike] * rng.uniform(0.2, 2, (len(spike), 1))
    rows[spike < 0] = rng.standard_normal((4, 3))
    # a basis change makes the columns orthonormal and keeps rows collinear
    Q = np.linalg.qr(rows)[0]
    return (Q * [5.0, -3.0, 1.0]) @ Q.T, spike


def test_mean_is_the_definition_entry_by_entry():
    mean = DCBM(**TWO).mean()
    for i in range(3):
        for j in range(3):
            B = TWO["affinity"][TWO["community"][i]][TWO["community"][j]]
            assert mean[i, j] == pytest.approx(TWO["degree"][i] * TWO["degree"][j] * B, rel=1e-15)
    np.testing.assert_array_equal(DCBM(**TWO).mean([2, 0], slice(1, 3)), mean[[2, 0]][:, 1:3])


def test_samples_are_symmetric_seeded_and_binary():
    model = DCBM(**TWO)
    A = model.sample(seed=5).toarray()
    np.testing.assert_array_equal(A, A.T)
    assert set(np.unique(A)) <= {0, 1}
    np.testing.assert_array_equal(A, model.sample(seed=5).toarray())
    assert any((model.sample(seed=s).toarray() != A).any() for s in range(6, 16))


def test_sampled_mean_converges_to_the_mean(monkeypatch):
    monkeypatch.setattr(dcbm, "_BLOCK_ENTRIES", 90)  # several blocks of rows
    rng = np.random.default_rng(0)
    model = DCBM(rng.integers(0, 3, 30), 0.2 + 0.6 * np.eye(3), rng.uniform(0.2, 1, 30))
    n_samples = 3000
    total = sum(model.sample(seed=s).toarray().astype(int) for s in range(n_samples))
    mean = model.mean()
    error = np.sqrt(mean * (1 - mean) / n_samples)
    assert (np.abs(total / n_samples - mean) < 5 * error).all()


def test_certain_and_impossible_edges():
    full = DCBM([0, 0], [[1]], [1, 1]).sample()
    np.testing.assert_array_equal(full.toarray(), np.ones((2, 2)))
    assert DCBM([0, 0], [[0]], [1, 1]).sample().nnz == 0
    assert DCBM([0, 0], [[1]], [0, 0]).sample().nnz == 0


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(community=[0, 2, 0]), "row numbers in community must be between 0 and 1, got 2"),
        (dict(community=[0, -1, 0]), "row numbers in community must be between 0 and 1, got -1"),
        (dict(community=[0.0, 1.0, 0.0]), "float64"),
        (dict(community=np.array([], int), degree=[]), "non-empty"),
        (dict(degree=[1.0, 1.0]), r"shape \(3,\) for degrees of shape \(2,\)"),
        (dict(degree=[[1.0], [1.0], [1.0]]), r"degrees of shape \(3, 1\)"),
        (dict(degree=[1.0, -0.1, 1.0]), "got -0.1"),
        (dict(degree=[1.0, np.nan, 1.0]), "got nan"),
        (dict(affinity=[[1.0, 0.2], [0.3, 1.0]]), "not symmetric"),
        (dict(affinity=[[1.0, 1.2], [1.2, 1.0]]), "got 1.2"),
        (dict(affinity=[[1.0, -0.2], [-0.2, 1.0]]), "got -0.2"),
        (dict(affinity=[[1.0, np.nan], [np.nan, 1.0]]), "got nan"),
        (dict(affinity=[[1.0, 0.2]]), "square"),
    ],
)
def test_bad_models(change, message):
    with pytest.raises(ValueError, match=message):
        DCBM(**{**TWO, **change})


def test_a_signed_model_draws_avoidances_and_an_unsigned_one_names_the_way():
    signed = dict(affinity=[[1.0, -0.8], [-0.8, 0.5]], community=[0, 1, 0], degree=[1.0, 0.5, 0.2])
    model = DCBM(**signed, signed=True)
    assert model.mean()[0, 1] == pytest.approx(-0.4, rel=1e-15)
    n_samples = 2000
    drawn = [model.sample(seed=s).toarray() for s in range(n_samples)]
    assert {int(v) for A in drawn for v in np.unique(A)} == {-1, 0, 1}
    assert all((A == A.T).all() and (A[0, 1] <= 0) and (A[0, 2] >= 0) for A in drawn)
    assert np.mean([A[0, 1] for A in drawn]) == pytest.approx(-0.4, abs=5 * (0.24 / n_samples) ** 0.5)
    # without avoidances it draws what the plain model draws
    np.testing.assert_array_equal(
        DCBM(**TWO, signed=True).sample(3).toarray(), DCBM(**TWO).sample(3).toarray()
    )
    with pytest.raises(ValueError, match=r"unless signed=True, must be between 0 and 1, got -0\.8"):
        DCBM(**signed)
    with pytest.raises(ValueError, match=r"between -1 and 1, got -1\.5"):
        DCBM(**{**signed, "affinity": [[1.0, -1.5], [-1.5, 0.5]]}, signed=True)
    with pytest.raises(ValueError, match=r"largest expected entry is 1\.6, above 1"):
        DCBM(
            **{**signed, "degree": [2.0, 1.0, 0.5], "affinity": [[0.1, -0.8], [-0.8, 0.5]]}, signed=True
        ).sample()


def test_expected_entries_above_one_cannot_be_sampled():
    model = DCBM([0, 0, 1], [[0.5, 0], [0, 0.1]], [2, 1, 2])
    with pytest.raises(ValueError, match="largest expected entry is 2, above 1"):
        model.sample()
    DCBM([0, 0, 1], [[0.5, 0], [0, 0.1]], [2**0.5, 1, 2]).sample()


def test_theorem_holds_to_rounding_on_planted_spikes():
    M, spike = synthetic.planted_spikes(sizes=(30, 20, 10), n_off=25, seed=1)
    svd = truncated_svd(M, f=3)
    model = dcbm.from_spikes(svd, spike)
    on = np.flatnonzero(spike >= 0)
    target = np.abs(M[np.ix_(on, on)])
    np.testing.assert_allclose(model.scale * model.mean(), target, rtol=1e-12)
    np.testing.assert_array_equal(model.community, spike[on])
    assert model.degree.max() == 1 and model.affinity.max() == 1
    # the cover finds these spikes, numbered by norm, and gives the same matrix
    E = svd.embeddings()[on]
    found = spikes.cover(E, cos_theta=1 - 1e-9, rho=1).spike
    assert adjusted_rand_score(found, spike[on]) == 1


def test_theorem_holds_with_negative_eigenvalues_and_negative_blocks():
    M, spike = signed_matrix()
    svd = truncated_svd(M, f=3)
    model = dcbm.from_spikes(svd, spike)
    on = np.flatnonzero(spike >= 0)
    np.testing.assert_allclose(model.scale * model.mean(), np.abs(M[np.ix_(on, on)]), rtol=1e-11)
    beta = dcbm.signed_affinity(svd, spike)
    assert (beta < 0).any()
    signed_model = dcbm.from_spikes(svd, spike, signed=True)
    np.testing.assert_allclose(signed_model.scale * signed_model.mean(), M[np.ix_(on, on)], rtol=1e-11)
    np.testing.assert_array_equal(np.abs(signed_model.affinity), model.affinity)
    norm = dcbm.degree_from_norm(svd)[on]
    signed = np.outer(norm, norm) * beta[np.ix_(spike[on], spike[on])]
    np.testing.assert_allclose(signed, M[np.ix_(on, on)], rtol=1e-11)
    # the bound of the theorem: 1 / sigma_f
    assert np.abs(beta).max() <= 1 / svd.s[-1] + 1e-12


def test_beta_is_the_product_of_directions_through_the_inverse_eigenvalues():
    M, spike = signed_matrix(seed=3)
    svd = truncated_svd(M, f=3)
    E = svd.embeddings()
    eigenvalues = svd.s * np.sign((svd.U * svd.V).sum(axis=0))
    direction = np.array([E[spike == k][0] / np.linalg.norm(E[spike == k][0]) for k in range(4)])
    expected = np.array(
        [[sum(a * b / d for a, b, d in zip(s, t, eigenvalues)) for t in direction] for s in direction]
    )
    np.testing.assert_allclose(dcbm.signed_affinity(svd, spike), expected, rtol=1e-11, atol=1e-13)


def test_an_affinity_may_vanish_on_the_diagonal():
    # two communities linked to each other and not within: no form with B_kk = 1 exists
    M = np.kron([[0.0, 1.0], [1.0, 0.0]], np.outer([1, 2], [1, 2]))
    svd = truncated_svd(M, f=2)
    spike = [0, 0, 1, 1]
    np.testing.assert_allclose(np.diag(dcbm.signed_affinity(svd, spike)), 0, atol=1e-15)
    np.testing.assert_allclose(dcbm.degree_from_norm(svd, corrected=True), 0, atol=1e-7)
    model = dcbm.from_spikes(svd, spike)
    np.testing.assert_allclose(model.scale * model.mean(), M, atol=1e-14)


def test_spike_numbers_may_skip_and_rows_may_be_left_out():
    M, spike = synthetic.planted_spikes(sizes=(5, 4, 3), n_off=2)
    svd = truncated_svd(M, f=3)
    spike = np.where(spike == 1, -1, spike)
    model = dcbm.from_spikes(svd, spike)
    on = np.flatnonzero(spike >= 0)
    assert model.community.tolist() == [0] * 5 + [1] * 3
    np.testing.assert_allclose(model.scale * model.mean(), M[np.ix_(on, on)], rtol=1e-12)


def test_rank_beyond_the_matrix_changes_nothing():
    M, spike = synthetic.planted_spikes(sizes=(5, 4), n_off=2)
    exact = dcbm.from_spikes(truncated_svd(M, f=2), spike)
    beyond = dcbm.from_spikes(truncated_svd(M, f=6), spike)
    np.testing.assert_allclose(beyond.scale * beyond.mean(), exact.scale * exact.mean(), rtol=1e-12)


def test_fit_is_least_squares_where_spikes_are_not_exact():
    M, spike = synthetic.planted_spikes(sizes=(20, 15), n_off=0, noise=0.2, seed=4)
    svd = truncated_svd(M, f=4)
    norm = dcbm.degree_from_norm(svd)
    target = svd.reconstruct(slice(None), slice(None))
    beta = dcbm.signed_affinity(svd, spike)
    a, b = norm[:20], norm[20:]
    assert beta[0, 1] == pytest.approx((a @ target[:20, 20:] @ b) / ((a @ a) * (b @ b)), rel=1e-12)
    assert beta[0, 0] == pytest.approx((a @ target[:20, :20] @ a) / (a @ a) ** 2, rel=1e-12)


@pytest.mark.parametrize(
    "spike, message",
    [([0, 0, 1], "each of the 4 rows"), ([0.0] * 4, "float64"), ([-1] * 4, "no row is on a spike")],
)
def test_bad_spikes(spike, message):
    svd = truncated_svd(np.diag([4.0, 3.0, 2.0, 1.0]), f=2)
    with pytest.raises(ValueError, match=message):
        dcbm.from_spikes(svd, spike)


def test_nothing_to_model_where_the_approximation_is_zero():
    svd = truncated_svd(np.diag([4.0, 3.0, 2.0, 1.0]), f=2)
    with pytest.raises(ValueError, match="M-hat is zero"):
        dcbm.from_spikes(svd, [-1, -1, 0, 0])


def test_degrees():
    M, spike = signed_matrix(seed=2)
    svd = truncated_svd(M, f=3)
    np.testing.assert_allclose(dcbm.degree_lowrank(svd), M.sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(dcbm.degree_from_norm(svd), np.sqrt((M**2).sum(axis=1)), rtol=1e-11)
    corrected = dcbm.degree_from_norm(svd, corrected=True)
    np.testing.assert_allclose(corrected, np.sqrt(np.abs(np.diag(M))), rtol=1e-9)
    beta = dcbm.signed_affinity(svd, spike)
    on = spike >= 0
    np.testing.assert_allclose(
        corrected[on], (dcbm.degree_from_norm(svd) * np.sqrt(np.abs(np.diag(beta)[spike])))[on], rtol=1e-9
    )


@settings(deadline=None, max_examples=30)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    n_off=st.integers(0, 10),
    seed=st.integers(0, 2**32 - 1),
)
def test_planted_spikes_are_spikes_in_every_scaling(sizes, n_off, seed):
    M, spike = synthetic.planted_spikes(sizes, n_off, seed=seed)
    assert (M >= 0).all() and (M == M.T).all()
    assert np.bincount(spike + 1, minlength=len(sizes) + 1).tolist() == [n_off, *sizes]
    svd = truncated_svd(M, f=len(sizes))
    for rows in (svd.U, svd.embeddings(), svd.embeddings(0.5), svd.V):
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for k in range(len(sizes)):
            np.testing.assert_allclose(unit[spike == k] @ unit[spike == k][0], 1, atol=1e-9)


def test_planted_noise():
    clean, _ = synthetic.planted_spikes(seed=1)
    noisy, _ = synthetic.planted_spikes(seed=1, noise=0.5)
    np.testing.assert_array_equal(noisy, noisy.T)
    assert (noisy - clean).std() == pytest.approx(0.5 * clean.mean(), rel=0.01)


@pytest.mark.parametrize(
    "arguments, message",
    [(dict(sizes=()), "positive"), (dict(sizes=(3, 0)), "positive"), (dict(n_off=-1), "n_off"),
     (dict(noise=-0.1), "noise")],
)  # fmt: skip
def test_bad_plans(arguments, message):
    with pytest.raises(ValueError, match=message):
        synthetic.planted_spikes(**arguments)


def test_recovery_where_degrees_vary():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 150)
    degree = np.exp(rng.standard_normal(450))
    model = DCBM(truth, 0.1 + 0.9 * np.eye(3), np.minimum(0.5 * degree / degree.mean(), 1))
    U = truncated_svd(model.sample(seed=1).astype(float), f=3).U
    assert adjusted_rand_score(truth, dcbm.recover(U, 3, method="spherical")) > 0.9
    assert adjusted_rand_score(truth, dcbm.recover(U, 3, method="score")) > 0.9
    # the rows as they are form clusters by degree
    assert adjusted_rand_score(truth, dcbm.recover(U, 3, method="rows")) < 0.6


@pytest.mark.parametrize("method", ["spherical", "score"])
def test_recovery_takes_a_row_of_rounding_size_for_zero(method):
    rng = np.random.default_rng(0)
    U = np.kron(np.array([[0.6, 0.1], [0.1, 0.5]]), rng.uniform(0.5, 1, (40, 1)))
    zero = np.concatenate([U, np.zeros((30, 2))])
    rounding = np.concatenate([U, 1e-15 * rng.standard_normal((30, 2))])
    np.testing.assert_array_equal(
        dcbm.recover(zero, 2, method=method), dcbm.recover(rounding, 2, method=method)
    )


def test_recovery_survives_zeros_and_rejects_bad_input():
    U = np.array([[0.0, 1.0], [0.0, 2.0], [1.0, 0.0], [0.0, 0.0]])
    for method in ("rows", "spherical", "score"):
        found = dcbm.recover(U, 2, method=method)
        assert found.shape == (4,) and found[0] == found[1] != found[2]
    with pytest.raises(ValueError, match="two columns"):
        dcbm.recover(U[:, :1], 2, method="score")
    with pytest.raises(ValueError, match="'louvain'"):
        dcbm.recover(U, 2, method="louvain")


def test_explained_counted_by_hand():
    M, spike = synthetic.planted_spikes(sizes=(12, 9, 7), n_off=5, noise=0.5, seed=3)
    svd = truncated_svd(M, f=6)
    found = dcbm.explained(svd, spike)
    on = np.flatnonzero(spike >= 0)
    target = np.abs(svd.reconstruct(on, on))
    model = dcbm.from_spikes(svd, spike)
    error = sum((target[i, j] - model.scale * model.mean()[i, j]) ** 2 for i in range(28) for j in range(28))
    assert found["dcbm"] == pytest.approx(1 - error / (target**2).sum(), abs=1e-12)
    u, s, vt = np.linalg.svd(target)
    best = (u[:, :3] * s[:3]) @ vt[:3]
    assert found["rank"] == pytest.approx(1 - ((target - best) ** 2).sum() / (target**2).sum(), abs=1e-12)
    block = np.empty_like(target)
    for k in range(3):
        for m in range(3):
            where = np.ix_(spike[on] == k, spike[on] == m)
            block[where] = target[where].mean()
    assert found["sbm"] == pytest.approx(1 - ((target - block) ** 2).sum() / (target**2).sum(), abs=1e-12)
    assert found["shuffled"] < found["sbm"] < found["dcbm"] < found["rank"] < 1


def test_the_sign_costs_four_times_what_has_the_wrong_one():
    # abs(M-hat) against abs(model) differs from M-hat against model only where the signs differ
    M, spike = synthetic.planted_spikes(sizes=(12, 9, 7), n_off=5, noise=3.0, seed=3)
    svd = truncated_svd(M, f=8)
    found = dcbm.explained(svd, spike)
    on = np.flatnonzero(spike >= 0)
    norm, beta = dcbm.degree_from_norm(svd)[on], dcbm.signed_affinity(svd, spike)
    wrong = total = 0.0
    for i in range(28):
        for j in range(28):
            entry = float(svd.reconstruct(on[[i]], on[[j]])[0, 0])
            fit = norm[i] * norm[j] * beta[spike[on[i]], spike[on[j]]]
            total += entry**2
            wrong += abs(entry * fit) if entry * fit < 0 else 0.0
    assert wrong > 0
    assert found["dcbm"] - found["signed"] == pytest.approx(4 * wrong / total, rel=1e-9)
    exact, labels = signed_matrix()
    assert dcbm.explained(truncated_svd(exact, f=3), labels)["signed"] == pytest.approx(1)


def near_spikes(data_seed, n_rows, f, n_spikes, tilt, spread):
    """A factorisation of rows of orthonormal columns, with rows near spikes and rows on none."""
    rng = np.random.default_rng(data_seed)
    spike = np.concatenate([np.arange(n_spikes), rng.integers(-1, n_spikes, n_rows)])
    rows = rng.standard_normal((n_spikes + 1, f))[spike] + tilt * rng.standard_normal((len(spike), f))
    U = np.linalg.qr(rows * rng.uniform(0.1, 2, (len(spike), 1)))[0]
    s = np.sort(spread ** rng.uniform(0, 1, f))[::-1]
    return TruncatedSVD(U, s, U * rng.choice([-1.0, 1.0], f), np.zeros(f)), spike


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.integers(12, 40),
    f=st.integers(1, 12),
    n_spikes=st.integers(1, 8),
    tilt=st.floats(0, 3),
    spread=st.floats(1, 1e4),
)
def test_the_error_is_below_the_bound(seed, n_rows, f, n_spikes, tilt, spread):
    factors, spike = near_spikes(seed, n_rows, f, n_spikes, tilt, spread)
    on = np.flatnonzero(spike >= 0)
    E, M_hat = factors.embeddings()[on], factors.reconstruct(on, on)
    a = np.linalg.norm(E, axis=1)
    size, u = np.linalg.norm(M_hat), np.linalg.norm(factors.U[on], 2)
    model = dcbm.from_spikes(factors, spike)
    signed = dcbm.from_spikes(factors, spike, signed=True)
    of_sizes = np.linalg.norm(np.abs(M_hat) - model.scale * model.mean())
    error = np.linalg.norm(M_hat - signed.scale * signed.mean())
    # the sum over spikes of A (1 - |m|^2), and the largest angle to the mean direction
    left, cosine = 0.0, 1.0
    for k in set(spike[on]):
        rows, norm = E[spike[on] == k], a[spike[on] == k]
        m = norm @ rows / (norm @ norm)
        left += (norm @ norm) * (1 - m @ m)
        cosine = min(cosine, (rows @ m / norm / np.linalg.norm(m)).min())
    bound = np.sqrt(2 * max(left, 0)) * u
    tiny = 1e-7 * np.linalg.norm(a) * u
    assert of_sizes <= error + tiny and error <= size + tiny
    assert error <= bound + tiny
    if cosine > 0:
        assert bound <= np.sqrt(2 * (1 - min(cosine, 1) ** 2)) * np.linalg.norm(a) * u + tiny
    found = dcbm.explained(factors, spike)
    assert found["bound"] <= found["signed"] + 1e-9 <= found["dcbm"] + 2e-9
    assert found["bound"] == pytest.approx(1 - (bound / size) ** 2, rel=1e-6, abs=1e-9)
    # at least 1, and at most the condition number of U; 1 on all rows
    kappa = np.linalg.norm(a) * u / size
    assert kappa >= 1 - 1e-9
    if len(on) >= f:
        assert kappa <= np.linalg.cond(factors.U[on]) * (1 + 1e-9)
    if len(on) == len(spike):
        assert kappa == pytest.approx(1)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_communities=st.integers(2, 6),
    rank=st.integers(1, 4),
    data=st.data(),
)
def test_communities_stay_on_rays_and_share_one_if_their_rows_are_proportional(
    seed, n_communities, rank, data
):
    rng = np.random.default_rng(seed)
    like = [data.draw(st.integers(0, k)) for k in range(n_communities)]  # k itself, or an earlier one
    W = rng.uniform(0, 1, (n_communities, rank))
    for k, other in enumerate(like):
        W[k] = rng.uniform(0.3, 1) * W[other]
    B = W @ W.T
    full = np.linalg.matrix_rank(B)
    assume(np.linalg.svd(B)[1][full - 1] > 1e-3)  # else rounding decides what the rank is
    community = np.repeat(np.arange(n_communities), 4)
    mean = DCBM(community, B / B.max(), rng.uniform(0.1, 1, len(community))).mean()
    for f in range(1, full + 1):
        U = truncated_svd(mean, f).U
        norm = np.linalg.norm(U, axis=1, keepdims=True)
        unit = np.divide(U, norm)
        on_ray = (unit * unit[::4][community]).sum(axis=1)
        assert (on_ray[norm[:, 0] > 1e-6] > 1 - 1e-6).all()
    rows = B / np.linalg.norm(B, axis=1, keepdims=True)
    alike = rows @ rows.T > 1 - 1e-12
    together = unit[::4] @ unit[::4].T > 1 - 1e-8
    np.testing.assert_array_equal(together[alike], True)
    apart = rows @ rows.T < 1 - 1e-3
    np.testing.assert_array_equal(together[apart], False)


def test_explained_on_a_sample_is_seeded_and_exact_spikes_stay_exact():
    M, spike = synthetic.planted_spikes(sizes=(40, 30), n_off=5)
    svd = truncated_svd(M, f=2)
    found = dcbm.explained(svd, spike, max_rows=20, seed=1)
    assert found["dcbm"] == pytest.approx(1) and found["rank"] == pytest.approx(1)
    assert found == dcbm.explained(svd, spike, max_rows=20, seed=1)
    assert found["sbm"] != dcbm.explained(svd, spike, max_rows=20, seed=2)["sbm"]


def test_agreement_is_perfect_or_no_better_than_its_null():
    rng = np.random.default_rng(0)
    spike = rng.integers(-1, 4, 400)
    perfect = dcbm.agreement(spike, [f"genre {k}" for k in spike])
    assert perfect["nmi"] == pytest.approx(1) and perfect["p_value"] == 0.01
    assert perfect["n_rows"] == (spike >= 0).sum()
    unrelated = dcbm.agreement(spike, rng.integers(0, 5, 400))
    assert unrelated["nmi"] == pytest.approx(unrelated["null"], abs=0.02)
    assert unrelated["p_value"] > 0.05


def test_agreement_leaves_out_what_is_missing():
    found = dcbm.agreement([0, 0, 1, 1, 0, -1], ["a", "a", "b", "b", None, "a"], n_permutations=9)
    assert found["n_rows"] == 4 and found["nmi"] == pytest.approx(1)
    assert dcbm.agreement([0, 0, 1], ["a", float("nan"), ""], n_permutations=9)["n_rows"] == 1
    with pytest.raises(ValueError, match="2 labels"):
        dcbm.agreement([0, 0, 1], ["a", "b"])
    with pytest.raises(ValueError, match="no row"):
        dcbm.agreement([-1, 0], ["a", None])


@pytest.mark.parametrize("power", [-400, 0, 400])
def test_the_theorem_holds_at_every_scale(power):
    M, spike = synthetic.planted_spikes(sizes=(8, 5), n_off=3)
    svd = truncated_svd(np.ldexp(M, power), 2)
    model = dcbm.from_spikes(svd, spike)
    on = spike >= 0
    np.testing.assert_allclose(np.ldexp(model.scale * model.mean(), -power), M[np.ix_(on, on)], rtol=1e-9)


def test_a_scale_without_a_float_is_refused():
    M, spike = synthetic.planted_spikes(sizes=(8, 5), n_off=3)
    svd = truncated_svd(M, 2)
    for power in (1000, -1000):
        extreme = TruncatedSVD(svd.U, svd.s * 2.0**power, svd.V, svd.residuals)
        with pytest.raises(ValueError, match="is beyond floats; rescale M"):
            dcbm.from_spikes(extreme, spike)


def test_one_item_and_one_community():
    model = DCBM([0], [[1.0]], [1.0])
    assert model.sample(0).toarray().tolist() == [[1]]
    assert DCBM([0], [[0.0]], [0.0]).sample(0).nnz == 0
