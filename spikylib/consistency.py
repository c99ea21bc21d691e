r"""Score how well the mean of some items' embeddings stands for those items.

Concept. Take k of n items, the mean :math:`\mu` of their embeddings, and the k items of highest inner
product with :math:`\mu` among all n, members included. The *precision* of the subset is the share of its
members among those k; the *consistency* of an embedding is the expected precision of a random subset of
size k. At 1 a mean is closest to what it averages; k / n is chance level.

Conventions. ``E`` has one row per item. Kurtosis is Pearson's: 3 for a normal distribution. In
theory the n x d coordinates are i.i.d., with a mean m, a standard deviation s, a skewness and a
kurtosis. A member scores t; it is retrieved if fewer than k others score above t: at least that
many of the other k - 1 members and of the n - k outsiders must be below. So one integral over t
gives the expected precision, once the distribution of scores is known.

* ``"independent"``, the poster's form: all n scores are independent and normal, with their
  moments. But one mean scores them all, so that they rise and fall together, and sums of few coordinates
  are not normal in the tail that decides. Against simulation with normal, uniform and Rademacher
  coordinates, k = 2 to 50, it is off by at most 0.04 at d = 64 and 0.02 at d = 128 for 1,000 items, 0.08
  and 0.06 for 100,000; by up to 0.22 at d = 32. Heavy tails lower the true consistency by more than this
  form predicts.
* ``"conditional"``: given the mean, an outsider's score is normal with variance
  :math:`s^2 |\mu|^2`, and members' scores differ from :math:`|\mu|^2` by normal deviations that
  add up to zero and do not depend on the mean. Exact for normal coordinates, at any d. For others
  the lengths and the deviations get the variances that their skewness and kurtosis imply, and
  the tail stays normal.

Functions. :func:`empirical` and :func:`precision` measure; :func:`theoretical`, :func:`member_wins`
and :func:`moments` compute; :func:`subsets` draws subsets that follow groups.

References. Bendada, Salha-Galvan, Hennequin, Bouabça, Cazenave (2023), "On the Consistency of
Average Embeddings for Item Recommendation", RecSys, https://doi.org/10.48550/arXiv.2308.12767.
"""

from collections import namedtuple
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import gammaincinv, gammaln, log_ndtr, ndtr, ndtri, wofz

from spikylib._arrays import checked_rows, largest_entry, n_shared, scale_of
from spikylib._checks import check_choice, check_range, row_numbers
from spikylib.retrieval import top_k

_TAIL = 9.0  # normal scores beyond this many standard deviations weigh less than 1e-18
_ENTRIES = 2**21  # of a table at a time: 16 MB of it
_EXTREME = 1e6  # moments beyond this are refused: their fourth powers leave no digits to the rest

Score = namedtuple("Score", ["mean", "error"])


def empirical(
    E: np.ndarray, k: int, *, n_subsets: int = 1000, similarity: str = "dot", seed: int = 0
) -> Score:
    """Measure the consistency of an embedding on random subsets of k items.

    Parameters
    ----------
    E : array, shape (n, d)
        Embeddings, one row per item; finite, not all rows equal.
    k : int
        Items averaged, 1 to n.
    n_subsets : int, default 1000
        Subsets drawn, at least 2. The standard error falls with its square root.
    similarity : {"dot", "cosine"}, default "dot"
        What "nearest to the mean" means; the poster's is the inner product.
    seed : int, default 0
        Seed of the subsets.

    Returns
    -------
    Score
        A named pair: ``mean``, the precision averaged over the subsets, between 0 and 1; ``error``,
        its standard error. Memory: that of `retrieval.top_k` and 8 n_subsets (k + d) bytes.

    Raises
    ------
    ValueError
        If `k`, `n_subsets` or `similarity` is out of range, or E is constant or not finite.

    References
    ----------
    Bendada et al. (2023), https://doi.org/10.48550/arXiv.2308.12767, "How?", 1.

    Examples
    --------
    >>> import numpy as np
    >>> E = np.random.default_rng(0).standard_normal((500, 64))
    >>> score = empirical(E, 10, n_subsets=200)
    >>> round(score.mean, 1), score.error < 0.02
    (0.6, True)
    """
    E, _ = _checked(E)
    k = _whole("k", k, len(E))
    check_range("n_subsets", n_subsets, 2)  # fewer have no standard error
    rng = np.random.default_rng(seed)
    subsets = np.array([rng.choice(len(E), k, replace=False, shuffle=False) for _ in range(n_subsets)])
    shares = precision(E, subsets, similarity=similarity)
    return Score(float(shares.mean()), float(shares.std(ddof=1) / np.sqrt(n_subsets)))


def precision(E: np.ndarray, subsets: np.ndarray, *, similarity: str = "dot") -> np.ndarray:
    """Measure the precision of each of several subsets of equal size.

    Parameters
    ----------
    E : array, shape (n, d)
        Embeddings, one row per item; finite, not all rows equal.
    subsets : array of int, shape (q, k)
        Rows of E, k distinct ones per subset.
    similarity : {"dot", "cosine"}, default "dot"
        With "cosine" neighbours are ranked by their angle to the mean of the rows as given;
        pass rows of unit norm to average directions as well.

    Returns
    -------
    numpy.ndarray, shape (q,), float64
        Share of each subset among the k items nearest to its mean.

    Raises
    ------
    ValueError
        If E is constant or not finite, if a subset is empty, repeats an item, or names a row that
        E does not have, or if `similarity` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> E = np.array([[2., 0.], [1., 0.], [0., 1.], [0., 3.]])
    >>> precision(E, [[0, 1], [1, 2]])
    array([1., 0.])
    """
    E, _ = _checked(E)
    subsets = row_numbers("subsets", subsets, len(E), 2)
    k = _whole("k", subsets.shape[1])
    repeats = (np.diff(np.sort(subsets, axis=1), axis=1) == 0).any(axis=1)
    if repeats.any():
        raise ValueError(f"subset {repeats.argmax()} repeats an item; give distinct rows")
    means = np.zeros((len(subsets), E.shape[1]))
    for members in subsets.T:  # one at a time, for all at once would take k times the memory
        means += E[members]
    return n_shared(top_k(E, means / k, k, similarity=similarity)[0], subsets) / k


def theoretical(
    n_items: int,
    dim: int,
    k: int,
    *,
    mean: float = 0.0,
    std: float = 1.0,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    form: str = "independent",
) -> float:
    """Compute the consistency of embeddings whose coordinates are i.i.d.

    Parameters
    ----------
    n_items, dim : int
        Items n and coordinates d, at least 1.
    k : int
        Items averaged, 1 to `n_items`. Work grows with k^1.5; at most a second up to k = 200.
    mean, std, skew, kurtosis : float, default 0, 1, 0, 3
        Moments of a coordinate. Their unit cancels: only mean / std matters.
    form : {"independent", "conditional"}, default "independent"
        The poster's form, or the sharper one that conditions on the mean (see the module).

    Returns
    -------
    float
        Expected precision, between 0 and 1. Memory at most about 100 MB.

    Raises
    ------
    ValueError
        If a size is out of range, `std` is not positive, `form` is unknown, no distribution has such
        a skewness and kurtosis, or a moment is above 10^6, where rounding decides.

    References
    ----------
    Bendada et al. (2023), https://doi.org/10.48550/arXiv.2308.12767, "How?", 2; the conditional form
    is this book's, chapter 07.

    Examples
    --------
    >>> round(theoretical(2000, 32, 5), 3), round(theoretical(2000, 32, 5, form="conditional"), 3)
    (0.35, 0.328)
    """
    n_items, dim = _whole("n_items", n_items), _whole("dim", dim)
    k = _whole("k", k, n_items)
    model = _scores(dim, k, form, mean, std, skew, kurtosis)
    if n_items == k:
        return 1.0
    y = _grid(k, model.spread)
    if form == "independent":
        others = _binomial(k - 1, k, y)
    else:
        # given one of k deviations that add up to zero, the others are such again about a shifted mean
        others = _constrained(k - 1, y * np.sqrt(k / max(k - 1, 1)))
    weight = np.exp(-y * y / 2) / np.sqrt(2 * np.pi) * (y[1] - y[0])
    # at most j outsiders may be above if k - 1 - j of the other members are: columns meet in reverse
    others = (others * weight[:, None])[:, ::-1]

    def expected(gap):
        total, rows = 0.0, max(1, _ENTRIES // k)
        for a in range(0, len(y), rows):
            below = np.cumsum(_binomial(n_items - k, k, gap + model.spread * y[a : a + rows]), axis=1)
            total += float(np.sum(others[a : a + rows] * below))
        return total

    return float(np.clip(_average(expected, model), 0.0, 1.0))  # rounding may step outside


def member_wins(dim: int, k: int, *, form: str = "independent", **moments: float) -> float:
    """Compute the probability that a member scores above an outsider.

    Parameters and errors are those of :func:`theoretical`, without `n_items`. The result is above 0.5
    in either form, whatever the moments: Bendada et al. (2023),
    https://doi.org/10.48550/arXiv.2308.12767, last finding of "How?", 2.

    Examples
    --------
    >>> round(member_wins(32, 5, form="conditional"), 3)
    0.966
    """
    model = _scores(_whole("dim", dim), _whole("k", k), form, **moments)
    return float(_average(lambda gap: float(ndtr(gap / np.sqrt(1 + model.spread**2))), model))


def moments(E: np.ndarray) -> dict[str, float]:
    """Compute the moments of the coordinates of an embedding, as :func:`theoretical` takes them.

    All n d coordinates of E, shape (n, d), are pooled. Returns ``mean``, ``std``, ``skew`` and
    ``kurtosis``; a ValueError if all rows are equal or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> moments(np.array([[1., -1.], [-1., 1.]]))
    {'mean': 0.0, 'std': 1.0, 'skew': 0.0, 'kurtosis': 1.0}
    """
    E, scale = _checked(E)
    # scaled by a power of two, so that no fourth power leaves the range of floats and no digit changes
    values = E.ravel().astype(np.float64) * scale
    mean, variance = values.mean(), values.var()
    third, fourth = (((values - mean) ** power).mean() for power in (3, 4))
    found = mean / scale, np.sqrt(variance) / scale, third / variance**1.5, fourth / variance**2
    return dict(zip(("mean", "std", "skew", "kurtosis"), map(float, found)))


def subsets(
    groups: Sequence[np.ndarray], k: int, *, across: bool = False, n_subsets: int = 1000, seed: int = 0
) -> np.ndarray:
    """Draw subsets of k items: from one group (a spike, a playlist), or one from each of k groups.

    Parameters
    ----------
    groups : list of arrays of int
        Items of each group, distinct.
    k : int
        Items per subset, at least 1.
    across : bool, default False
        Take one item from each of k groups, none of which may be empty. Otherwise all items come from one
        group; those of at least k items are equally likely.
    n_subsets : int, default 1000
    seed : int, default 0

    Returns
    -------
    numpy.ndarray, shape (n_subsets, k), int64

    Raises
    ------
    ValueError
        If no group has k items; with `across`, if a group is empty or there are fewer than k.

    Examples
    --------
    >>> import numpy as np
    >>> groups = [np.array([3]), np.array([5, 7, 9])]
    >>> sorted(subsets(groups, 3, n_subsets=1)[0].tolist())
    [5, 7, 9]
    >>> 3 in subsets(groups, 2, across=True, n_subsets=1)
    True
    """
    rng = np.random.default_rng(seed)
    if across:
        if not all(map(len, groups)):
            raise ValueError("a group is empty; leave such groups out")
        k = _whole("k", k, len(groups), "groups")
        chosen = (rng.choice(len(groups), k, replace=False) for _ in range(n_subsets))
        drawn = [np.array([rng.choice(groups[g]) for g in some]) for some in chosen]
    else:
        large = [group for group in groups if len(group) >= _whole("k", k)]
        if not large:
            raise ValueError(f"no group has {k} items; the largest has {max(map(len, groups), default=0)}")
        drawn = [rng.choice(large[g], k, replace=False) for g in rng.integers(len(large), size=n_subsets)]
    return np.array(drawn, dtype=np.int64).reshape(n_subsets, k)


# --- the distribution of scores ----------------------------------------------------------------


class _Scores(NamedTuple):
    """Scores in units in which an outsider's is standard normal, and a member's is normal."""

    gaps: np.ndarray  # possible means of a member's score
    weights: np.ndarray  # their probabilities
    spread: float  # standard deviation of a member's score, given the gap


def _scores(dim, k, form, mean=0.0, std=1.0, skew=0.0, kurtosis=3.0):
    if not 0 < std < np.inf:
        raise ValueError(f"std must be finite and above 0, got {std}")
    # beyond these rounding decides
    check_range("mean / std, skew and kurtosis", [mean / std, skew, kurtosis], -_EXTREME, _EXTREME)
    if kurtosis < (1 + skew**2) * (1 - 1e-9):
        raise ValueError(f"kurtosis {kurtosis} at skew {skew} cannot be: Pearson's is at least 1 + skew^2")
    check_choice("form", form, "independent", "conditional")
    scores = _independent if form == "independent" else _conditional
    return scores(dim, k, mean / std, skew, kurtosis)


def _independent(dim, k, m, skew, kurtosis):
    """Moments of u * mean(u and k - 1 more) and of v * mean(k others), summed over d coordinates."""
    second = 1 + m * m
    third = skew + 3 * m + m**3
    fourth = kurtosis + 4 * m * skew + 6 * m * m + m**4
    total = (k - 1) * m
    total_squared = (k - 1) + total**2
    member = (fourth + 2 * third * total + second * total_squared) / k**2 - (1 / k + m * m) ** 2
    outsider = second / k + m * m
    gap = np.sqrt(dim / outsider) / k
    return _Scores(np.array([gap]), np.ones(1), float(np.sqrt(max(member, 0.0) / outsider)))


def _conditional(dim, k, m, skew, kurtosis):
    """The same, given the mean: its part along the constant vector, and the rest of its length."""
    excess = (kurtosis - 3) / k
    along, along_weight = np.zeros(1), np.ones(1)
    if m:
        u, along_weight = _nodes()
        along = m * np.sqrt(dim) + ndtri(u) / np.sqrt(k)
    rest, rest_weight = _squared_length(dim - 1 if m else dim, 2 + excess)
    along, rest = along[:, None], rest[None, :] / k
    length = np.sqrt(along**2 + rest)
    gaps = (length**2 - m * np.sqrt(dim) * along) / np.where(length > 0, length, 1.0)
    deviation = 1 + (2 * m * skew / k + excess / k) / (m * m + 1 / k)
    weights = along_weight[:, None] * rest_weight[None, :]
    spread = np.sqrt((1 - 1 / k) * max(deviation, 0.0))
    return _Scores(gaps.ravel(), weights.ravel(), float(spread))


def _nodes():
    """Probabilities and weights of an average over a distribution, by Gauss-Legendre."""
    x, weight = np.polynomial.legendre.leggauss(128)
    return (x + 1) / 2, weight / 2


def _squared_length(dim, variance):
    """Nodes of a squared length in `dim` dimensions, of mean dim and variance dim times `variance`."""
    if dim == 0 or variance <= 0:
        return np.array([float(dim)]), np.ones(1)
    u, weight = _nodes()
    return variance * gammaincinv(dim / variance, u), weight


def _average(function, model):
    """Mean of a smooth function of the gap; many are served by a spline through 65 of them."""
    gaps = model.gaps
    if len(gaps) > 65:
        from scipy.interpolate import CubicSpline

        grid = np.linspace(gaps.min(), gaps.max(), 65)
        return CubicSpline(grid, [function(gap) for gap in grid])(gaps) @ model.weights
    return np.array([function(gap) for gap in gaps]) @ model.weights


# --- how many score above t --------------------------------------------------------------------


def _grid(k, spread):
    """Normal scores of a member, symmetric, in steps finer than the scatter of the k-th highest score."""
    step = 1 / (5 * np.sqrt(k) * max(1.0, spread))
    return _TAIL * np.linspace(-1, 1, 2 * int(np.ceil(_TAIL / step)) + 1)


def _binomial(n, k, t):
    """Probability that 0, 1 ... k - 1 of n standard normal scores are above each t; (len(t), k)."""
    count = np.arange(min(n + 1, k))
    ways = gammaln(n + 1) - gammaln(count + 1) - gammaln(n - count + 1)
    table = np.zeros((len(t), k))
    table[:, : len(count)] = np.exp(ways + count * log_ndtr(-t)[:, None] + (n - count) * log_ndtr(t)[:, None])
    return table


def _constrained(n, t):
    """The same for n normal scores that add up to zero (less their own mean); (len(t), n + 1).

    The probability that j are above t and that the sum is zero is an inverse Fourier transform of
    the j-th power of a normal's characteristic function cut off below t, times the (n - j)-th
    power of the rest.
    """
    if n == 0:
        return np.ones((len(t), 1))
    if n == 1:
        zero = (1 + np.sign(t)) / 2
        return np.stack([zero, 1 - zero], axis=1)
    if n == 2:
        one = 2 * ndtr(-np.sqrt(2) * np.abs(t))
        return np.stack([np.where(t > 0, 1 - one, 0), one, np.where(t < 0, 1 - one, 0)], axis=1)
    count = np.arange(n + 1)
    ways = gammaln(n + 1) - gammaln(count + 1) - gammaln(n - count + 1)
    step = 0.9 / np.sqrt(n)
    omega = step * np.arange(int(max(12 / np.sqrt(n), 10 ** (5 / (n - 1))) / step) + 1)
    share = np.where(omega > 0, 2.0, 1.0) * step * np.sqrt(n / (2 * np.pi))
    table = np.empty((len(t), n + 1))
    for row, c in enumerate(np.abs(t)):
        above = np.exp(-c * c / 2 + 1j * c * omega) * wofz((omega + 1j * c) / np.sqrt(2)) / 2
        below = np.exp(-omega * omega / 2) - above
        powers = ways + count * np.log(above)[:, None] + (n - count) * np.log(below)[:, None]
        table[row] = share @ np.exp(powers).real
    table[t < 0] = table[t < 0, ::-1]
    return np.maximum(table, 0.0)


# --- checks ------------------------------------------------------------------------------------


def _checked(E):
    """E, and the power of two that brings its largest entry near 1."""
    E = checked_rows("E", E)
    largest = largest_entry("E", E)
    if (E[0] == E).all():
        raise ValueError(f"all {len(E)} rows of E are equal: no item is nearer to a mean than another")
    return E, scale_of(largest)


def _whole(name, value, most=np.inf, of="items"):
    if not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    check_range(name, value, 1, most, of)
    return int(value)
