import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from spikylib import consistency as c

FORMS = ("independent", "conditional")
DISTRIBUTIONS = {
    "normal": (lambda rng, shape: rng.standard_normal(shape), 3.0),
    "uniform": (lambda rng, shape: rng.uniform(-1, 1, shape), 1.8),
    "rademacher": (lambda rng, shape: rng.choice([-1.0, 1.0], shape), 1.0),
}


def simulate(draw, n, d, k, repeats, seed=0):
    """Fresh embedding and fresh subset (its first k rows) each time, and plain sorting."""
    rng = np.random.default_rng(seed)
    shares = []
    for _ in range(repeats):
        E = draw(rng, (n, d))
        score = E @ E[:k].mean(axis=0)
        order = np.lexsort((rng.random(n), -np.round(score, 9)))  # ties by lot
        shares.append(np.mean(order[:k] < k))
    return np.mean(shares), np.std(shares) / np.sqrt(repeats)


def slow_precision(E, subset):
    score = [sum(a * b for a, b in zip(row, E[subset].mean(axis=0))) for row in E]
    ranked = sorted(range(len(E)), key=lambda i: (-round(score[i], 9), i))
    return len(set(ranked[: len(subset)]) & set(subset)) / len(subset)


def brute_theory(n_items, k, gap, spread, repeats=200_000):
    """The independent model itself, drawn at random."""
    rng = np.random.default_rng(0)
    members = gap + spread * rng.standard_normal((repeats, k))
    outsiders = rng.standard_normal((repeats, n_items - k))
    scores = np.concatenate([members, outsiders], axis=1)
    cut = np.partition(scores, n_items - k, axis=1)[:, n_items - k]
    shares = (members >= cut[:, None]).mean(axis=1)
    return shares.mean(), shares.std() / np.sqrt(repeats)


# --- the closed forms --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "n, d, k",
    [
        (40, 8, 20),
        (100, 4, 3),
        (200, 8, 1),
        (200, 16, 2),
        (300, 32, 5),
        (300, 64, 3),
        (500, 32, 10),
        (60, 16, 59),
    ],
)
def test_conditional_form_is_exact_for_normal_coordinates(n, d, k):
    mean, error = simulate(DISTRIBUTIONS["normal"][0], n, d, k, 2500)
    assert c.theoretical(n, d, k, form="conditional") == pytest.approx(mean, abs=3 * error)


@pytest.mark.parametrize(
    "n, d, k, m", [(200, 8, 3, 0.5), (200, 32, 10, 0.3), (100, 16, 1, 1.0), (100, 3, 5, 1.0)]
)
def test_conditional_form_is_exact_for_normal_coordinates_off_centre(n, d, k, m):
    mean, error = simulate(lambda rng, shape: m + rng.standard_normal(shape), n, d, k, 4000)
    assert c.theoretical(n, d, k, mean=m, form="conditional") == pytest.approx(mean, abs=3 * error)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("n, d, k", [(300, 128, 5), (500, 64, 10), (500, 64, 50), (1000, 128, 20)])
def test_poster_form_is_within_its_stated_error_for_three_distributions(name, n, d, k):
    draw, kurtosis = DISTRIBUTIONS[name]
    mean, error = simulate(draw, n, d, k, 250)  # 0.04 from d = 64 on, says the docstring
    assert c.theoretical(n, d, k, kurtosis=kurtosis) == pytest.approx(mean, abs=0.04 + 3 * error)


def test_both_forms_beside_a_simulation_at_moderate_dimension():
    # 60,000 draws of the exact distribution of scores gave 0.3281 with standard error 0.0007
    assert c.theoretical(2000, 32, 5) == pytest.approx(0.350, abs=0.001)
    assert c.theoretical(2000, 32, 5, form="conditional") == pytest.approx(0.3281, abs=0.0021)


@pytest.mark.parametrize("n, d, k, kurtosis", [(30, 4, 1, 3.0), (50, 16, 4, 9.0), (20, 8, 15, 1.0)])
def test_independent_form_integrates_its_own_model(n, d, k, kurtosis):
    gap, spread = np.sqrt(d / k), np.sqrt((kurtosis - 1 + k - 1) / k)  # of centred coordinates
    mean, error = brute_theory(n, k, gap, spread, 50_000)
    assert c.theoretical(n, d, k, kurtosis=kurtosis) == pytest.approx(mean, abs=3 * error)


@pytest.mark.parametrize("n, d, k", [(50, 8, 1), (300, 32, 4), (100_000, 128, 6), (20, 8, 9)])
def test_independent_form_is_that_of_order_statistics(n, d, k):
    """The j-th best member is retrieved if it beats the (k - j + 1)-th best outsider."""
    gap, spread = np.sqrt(d / k), np.sqrt((k + 1) / k)
    share = 0.0
    for j in range(1, k + 1):
        outsider = stats.beta(k - j + 1, n - 2 * k + j)  # of its chance to be exceeded

        def wins(u, j=j, outsider=outsider):
            return stats.binom.sf(j - 1, k, stats.norm.sf((stats.norm.isf(outsider.ppf(u)) - gap) / spread))

        share += integrate.quad(wins, 0, 1)[0] / k
    assert c.theoretical(n, d, k) == pytest.approx(share, abs=1e-6)


def test_moments_of_scores_against_drawn_ones():
    """Member and outsider scores of exponential coordinates: mean, std 1, skewness 2, kurtosis 9."""
    rng = np.random.default_rng(0)
    d, k, repeats = 6, 3, 200_000
    E = rng.exponential(size=(repeats, k + 1, d))
    mu = E[:, :k].mean(axis=1)
    member, outsider = (E[:, 0] * mu).sum(axis=1), (E[:, k] * mu).sum(axis=1)
    model = c._scores(d, k, "independent", 1.0, 1.0, 2.0, 9.0)
    scale = outsider.std()
    assert model.gaps[0] == pytest.approx((member.mean() - outsider.mean()) / scale, rel=0.02)
    assert model.spread == pytest.approx(member.std() / scale, rel=0.02)


def test_deviations_from_the_mean_against_drawn_ones():
    rng = np.random.default_rng(0)
    d, k, m = 400, 3, 0.5
    E = m + rng.exponential(size=(4000, k, d)) - 1
    mu = E.mean(axis=1)
    deviation = ((E[:, 0] - mu) * mu).sum(axis=1) / np.linalg.norm(mu, axis=1)
    model = c._scores(d, k, "conditional", m, 1.0, 2.0, 9.0)
    assert model.spread == pytest.approx(deviation.std(), rel=0.04)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 25])
def test_counts_of_constrained_normals(n):
    rng = np.random.default_rng(0)
    h = rng.standard_normal((200_000, n))
    h -= h.mean(axis=1, keepdims=True)
    t = np.array([-1.3, -0.2, 0.4, 1.1])
    table = c._constrained(n, t)
    assert table.sum(axis=1) == pytest.approx(1, abs=1e-4)
    for row, threshold in zip(table, t):
        counts = np.bincount((h > threshold).sum(axis=1), minlength=n + 1) / len(h)
        assert row == pytest.approx(counts, abs=0.006)


@pytest.mark.parametrize("form", FORMS)
def test_stable_for_ten_million_items(form):
    values = [c.theoretical(10**7, d, 200, form=form) for d in (256, 2048, 16384)]
    assert 200 / 10**7 < values[0] < values[1] < values[2] <= 1
    assert c.theoretical(10**7, 10**5, 200, form=form) == pytest.approx(1, abs=1e-9)
    small, large = (c.theoretical(10**7, 256, 2, mean=m, form=form) for m in (0.0, 1e-3))
    assert large == pytest.approx(small, abs=1e-4) and large != small  # a small mean is not set to zero


@pytest.mark.parametrize("form", FORMS)
def test_theory_moves_as_the_poster_says(form):
    by_dim = [c.theoretical(1000, d, 10, form=form) for d in (8, 32, 128, 512)]
    by_items = [c.theoretical(n, 64, 10, form=form) for n in (100, 1000, 10_000, 100_000)]
    by_k = [c.theoretical(1000, 64, k, form=form) for k in (1, 2, 5, 20, 50)]
    by_kurtosis = [c.theoretical(1000, 64, 2, kurtosis=q, form=form) for q in (1, 3, 9, 50)]
    assert by_dim == sorted(by_dim)
    for falling in (by_items, by_k, by_kurtosis):
        assert falling == sorted(falling, reverse=True)
    assert by_k[0] > 0.99 and by_k[-1] > 50 / 1000


@given(
    n=st.integers(1, 400),
    d=st.integers(1, 200),
    data=st.data(),
    skew=st.floats(-3, 3),
    extra=st.floats(0, 20),
    mean=st.floats(-3, 3),
)
@settings(max_examples=40, deadline=None)
def test_theory_is_a_share_and_ignores_the_unit(n, d, data, skew, extra, mean):
    k = data.draw(st.integers(1, min(n, 30)))
    moments = {"skew": skew, "kurtosis": 1 + skew**2 + extra}
    value = c.theoretical(n, d, k, mean=mean, std=1.0, **moments)
    assert 0 <= value <= 1
    assert c.theoretical(n, d, k, mean=4 * mean, std=4.0, **moments) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_all_items_averaged_are_all_found(form):
    assert c.theoretical(50, 4, 50, form=form) == 1
    assert c.theoretical(50, 4, 49, form=form) < 1


# --- a member against an outsider --------------------------------------------------------------


@pytest.mark.parametrize("d, k, m", [(1, 1, 0.0), (8, 3, 0.0), (8, 3, 1.0), (32, 10, 0.0)])
def test_member_wins_against_drawn_pairs(d, k, m):
    rng = np.random.default_rng(0)
    E = m + rng.standard_normal((60_000, k + 1, d))
    mu = E[:, :k].mean(axis=1)
    wins = np.mean(((E[:, 0] - E[:, k]) * mu).sum(axis=1) > 0)
    error = np.sqrt(wins * (1 - wins) / len(E))
    assert c.member_wins(d, k, mean=m, form="conditional") == pytest.approx(wins, abs=3 * error)
    assert c.member_wins(d, k, mean=m) > 0.5


# --- the empirical score -----------------------------------------------------------------------


def test_precision_against_plain_sorting():
    rng = np.random.default_rng(1)
    E = rng.standard_normal((60, 5)).round(1)
    subsets = np.array([rng.choice(60, 7, replace=False) for _ in range(50)])
    assert c.precision(E, subsets).tolist() == [slow_precision(E, s) for s in subsets]


def test_precision_by_cosine_ignores_the_norms_of_candidates():
    E = np.array([[1.0, 0.1], [1.0, -0.1], [9.0, 3.0], [0.0, -9.0]])
    assert c.precision(E, [[0, 1]]).tolist() == [0.5]
    assert c.precision(E, [[0, 1]], similarity="cosine").tolist() == [1.0]


def test_orthogonal_items_are_always_recovered():
    assert c.empirical(np.eye(40), 7, n_subsets=50) == (1.0, 0.0)


def test_all_items_are_always_recovered():
    E = np.random.default_rng(0).standard_normal((12, 3))
    assert c.empirical(E, 12, n_subsets=3) == (1.0, 0.0)


def test_one_direction_recovers_by_chance():
    """Items on one ray: the k longest are nearest to any mean, so the score is k / n."""
    E = np.outer(np.arange(1, 41), [1.0, 2.0])
    score = c.empirical(E, 8, n_subsets=4000)
    assert score.mean == pytest.approx(8 / 40, abs=3 * score.error)


def test_empirical_agrees_with_theory_and_is_seeded():
    E = np.random.default_rng(0).standard_normal((1000, 64))
    score = c.empirical(E, 10, n_subsets=400)
    assert score.mean == pytest.approx(c.theoretical(1000, 64, 10, form="conditional"), abs=4 * score.error)
    assert 0.003 < score.error < 0.02
    assert c.empirical(E, 10, n_subsets=400) == score
    assert c.empirical(E, 10, n_subsets=400, seed=1) != score


def test_moments():
    E = np.random.default_rng(0).exponential(size=(500, 400)) + 1
    found = c.moments(E)
    assert found == pytest.approx({"mean": 2, "std": 1, "skew": 2, "kurtosis": 9}, rel=0.05)


# --- subsets -----------------------------------------------------------------------------------


@given(sizes=st.lists(st.integers(0, 6), min_size=1, max_size=8), k=st.integers(1, 4), seed=st.integers(0, 9))
@settings(deadline=None)
def test_drawn_subsets_respect_the_groups(sizes, k, seed):
    label = np.repeat(np.arange(len(sizes)), sizes)
    groups = [np.flatnonzero(label == g) for g in range(len(sizes))]
    if max(sizes) >= k:
        for subset in c.subsets(groups, k, n_subsets=10, seed=seed):
            assert len(set(subset)) == k and len(set(label[subset])) == 1
    full = [g for g in groups if len(g)]
    if len(full) >= k:
        for subset in c.subsets(full, k, across=True, n_subsets=10, seed=seed):
            assert len(set(label[subset])) == k


def test_subsets_within_reach_every_large_group():
    groups = [np.array([0, 1]), np.array([2]), np.array([3, 4, 5])]
    drawn = c.subsets(groups, 2, n_subsets=200)
    seen = {tuple(sorted(s)) for s in drawn.tolist()}
    assert seen == {(0, 1), (3, 4), (3, 5), (4, 5)}


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, message",
    [
        ({"k": 0}, "k must be between 1 and the 30"),
        ({"k": 31}, "k must be between 1 and the 30"),
        ({"n_subsets": 1}, "n_subsets must be at least 2"),
        ({"E": np.ones((30, 4))}, "all 30 rows of E are equal"),
        ({"E": np.ones(30)}, "shape"),
        ({"E": np.full((30, 4), np.nan)}, "E contains nan at row 0"),
        ({"similarity": "euclid"}, "similarity"),
    ],
)
def test_empirical_refuses(change, message):
    arguments = {"E": np.random.default_rng(0).standard_normal((30, 4)), "k": 3, "n_subsets": 5} | change
    with pytest.raises(ValueError, match=message):
        c.empirical(**arguments)


@pytest.mark.parametrize(
    "subsets, message",
    [
        ([[0, 0]], "repeats"),
        ([[0, 9]], "subsets must be between 0 and 3, got 9"),
        ([[-1, 2]], "subsets must be between 0 and 3, got -1"),
        ([[]], "at least 1"),
        ([0, 1], "2-d array"),
        ([[0.5, 1.0]], "float64"),
        ([[0, 1, 2, 3, 0]], "repeats"),
    ],
)
def test_precision_refuses(subsets, message):
    with pytest.raises(ValueError, match=message):
        c.precision(np.arange(8.0).reshape(4, 2), subsets)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"k": 0}, "k must be between 1"),
        ({"k": 101}, "k must be between 1"),
        ({"n_items": 0}, "n_items"),
        ({"dim": 0}, "dim must be at least 1, got 0"),
        ({"std": 0.0}, "std must be finite and above 0, got 0.0"),
        ({"std": float("nan")}, "finite"),
        ({"kurtosis": 0.5}, "cannot be: Pearson"),
        ({"kurtosis": 2.0, "skew": 3.0}, "cannot be: Pearson"),
        ({"form": "exact"}, "form must be"),
    ],
)
def test_theory_refuses(change, message):
    arguments = {"n_items": 100, "dim": 8, "k": 5} | change
    with pytest.raises(ValueError, match=message):
        c.theoretical(**arguments)


def test_fractional_sizes_are_refused():
    with pytest.raises(TypeError, match=r"k must be a whole number, got 2\.5"):
        c.theoretical(100, 8, 2.5)
    with pytest.raises(TypeError, match=r"dim must be a whole number, got 2\.5"):
        c.theoretical(100, 2.5, 2)


def test_groups_that_cannot_serve_are_refused():
    with pytest.raises(ValueError, match="no group has 3 items; the largest has 2"):
        c.subsets([[0, 1], [2]], 3)
    with pytest.raises(ValueError, match="between 1 and the 2 groups"):
        c.subsets([[0, 1], [2]], 3, across=True)
    with pytest.raises(ValueError, match="empty"):
        c.subsets([[0, 1], []], 1, across=True)


def test_grid_is_fine_enough(monkeypatch):
    """Halving the step of the integral changes nothing that is printed."""
    coarse = {a: c.theoretical(*a) for a in itertools.product((100, 10_000), (4, 64), (1, 7, 50))}
    original = c._grid
    monkeypatch.setattr(c, "_grid", lambda k, spread: original(16 * k, spread))
    assert {a: c.theoretical(*a) for a in coarse} == pytest.approx(coarse, abs=1e-6)


@pytest.mark.parametrize("power", [-1060, -900, 0, 900, 1015])
def test_moments_are_the_same_at_every_scale(power):
    E = np.random.default_rng(5).integers(-9, 10, (30, 4)).astype(float)
    exact = [Fraction(x) for x in E.ravel().tolist()]
    mean = sum(exact) / 120
    central = [float(sum((x - mean) ** k for x in exact) / 120) for k in (2, 3, 4)]
    found = c.moments(np.ldexp(E, power))
    assert found["skew"] == pytest.approx(central[1] / central[0] ** 1.5, rel=1e-9)
    assert found["kurtosis"] == pytest.approx(central[2] / central[0] ** 2, rel=1e-9)
    if power > -1000:  # a mean of denormals is itself rounded to one
        assert math.ldexp(found["mean"], -power) == pytest.approx(float(mean), rel=1e-9)
        assert math.ldexp(found["std"], -power) == pytest.approx(central[0] ** 0.5, rel=1e-9)


def test_a_subset_of_all_items_is_recovered():
    assert c.empirical(np.random.default_rng(0).standard_normal((60, 4)), 60, n_subsets=3) == (1.0, 0.0)
    assert c.theoretical(5, 3, 5) == 1.0


def test_one_row_or_equal_rows_have_no_nearest():
    for E in (np.ones((1, 3)), np.full((4, 2), 1e-300)):
        with pytest.raises(ValueError, match="rows of E are equal"):
            c.empirical(E, 1)


@pytest.mark.parametrize("moments", [{"mean": 1e200}, {"std": 1e-200, "mean": 1}, {"kurtosis": 1e200}])
@pytest.mark.parametrize("form", ["independent", "conditional"])
def test_moments_that_rounding_would_decide_are_refused(moments, form):
    with pytest.raises(ValueError, match=r"skew and kurtosis must be between -1000000\.0 and 1000000\.0"):
        c.theoretical(100, 10, 2, form=form, **moments)


@pytest.mark.parametrize("form", ["independent", "conditional"])
def test_a_mean_that_outweighs_everything_leaves_chance(form):
    value = c.theoretical(1000, 64, 10, mean=1e5, form=form)
    assert value == pytest.approx(0.01, abs=0.01)
