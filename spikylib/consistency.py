r"""Score how well the mean of some items' embeddings stands for those items.

Concept. Take k of n items, the mean :math:`\mu` of their embeddings, and the k items of highest
inner product with :math:`\mu` among all n, members included. The *precision* of the subset is
the share of its members among those k; the *consistency* of an embedding is the expected
precision of a random subset of size k. 1 says that a mean is closest to what it averages, k / n
is chance.

Conventions. ``E`` has one row per item. Kurtosis is Pearson's: 3 for a normal distribution.
In theory the n x d coordinates are independent and alike, with a mean m, a standard deviation
s, a skewness and a kurtosis. A member scores t; it is retrieved if fewer than k others score
above t: at least that many of the other k - 1 members and of the n - k outsiders must be below.
So one integral over t gives the expected precision, once the distribution of scores is known.

* ``"independent"``, the poster's form: all n scores are independent and normal, with their
  moments. But one mean scores them all, so that they go up and down together, and sums of few
  coordinates are not normal in the tail that decides. Against simulation with normal, uniform and
  Rademacher coordinates, k = 2 to 50, it is off by at most 0.04 at d = 64 and 0.02 at
  d = 128 for 1,000 items, 0.08 and 0.06 for 100,000; by up to 0.22 at d = 32. Heavy tails
  lower the true consistency by more than it says.
* ``"conditional"``: given the mean, an outsider's score is normal with variance
  :math:`s^2 |\mu|^2`, and members' scores differ from :math:`|\mu|^2` by normal deviations that
  add up to zero and do not depend on the mean. Exact for normal coordinates, at any d. For others
  the lengths and the deviations get the variances that their skewness and kurtosis imply, and
  the tail stays normal.

Functions. :func:`empirical` and :func:`precision` measure; :func:`theoretical`,
:func:`member_wins` and :func:`moments` compute; :func:`subsets_within` and
:func:`subsets_across` draw subsets that are not random.

References. Bendada, Salha-Galvan, Hennequin, Bouabça, Cazenave (2023), "On the Consistency of
Average Embeddings for Item Recommendation", RecSys, https://doi.org/10.48550/arXiv.2308.12767.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.interpolate import CubicSpline
from scipy.special import gammaln, log_ndtr, ndtr, wofz

from spikylib.retrieval import top_k

_LIMIT = 9.0  # normal scores beyond this many standard deviations weigh less than 1e-18
_ENTRIES = 2**21  # of a table held at a time
_EXTREME = 1e6  # moments beyond this are refused
_FORMS = ("independent", "conditional")


class Score(NamedTuple):
    """A mean precision, between 0 and 1, and its standard error over the subsets drawn."""

    mean: float
    error: float


def empirical(E, k, *, n_subsets=1000, similarity="dot", seed=0):
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
        Memory: that of `retrieval.top_k` beside 8 n_subsets (k + d) bytes.

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
    E = _checked_embedding(E)
    k = _checked_k(k, len(E))
    if n_subsets < 2:
        raise ValueError(f"n_subsets must be at least 2 for a standard error, got {n_subsets}")
    rng = np.random.default_rng(seed)
    subsets = np.array([rng.choice(len(E), k, replace=False, shuffle=False) for _ in range(n_subsets)])
    shares = precision(E, subsets, similarity=similarity)
    return Score(float(shares.mean()), float(shares.std(ddof=1) / np.sqrt(n_subsets)))


def precision(E, subsets, *, similarity="dot"):
    """Measure the precision of each of given subsets of equal size.

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
    E = _checked_embedding(E)
    subsets = np.asarray(subsets)
    if subsets.ndim != 2 or subsets.shape[1] == 0 or subsets.dtype.kind not in "iu":
        raise ValueError(
            f"subsets must be row numbers of shape (q, k) with k at least 1, got shape {subsets.shape} "
            f"and dtype {subsets.dtype}"
        )
    k = _checked_k(subsets.shape[1], len(E))
    if len(subsets) == 0:
        return np.empty(0)
    if subsets.min() < 0 or subsets.max() >= len(E):
        raise ValueError(f"subsets name rows {subsets.min()} to {subsets.max()}, E has 0 to {len(E) - 1}")
    ordered = np.sort(subsets, axis=1)
    repeated = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
    if len(repeated):
        raise ValueError(f"subset {repeated[0]} repeats an item; give distinct rows")
    means = np.zeros((len(subsets), E.shape[1]))
    for column in range(k):
        means += E[subsets[:, column]]
    nearest, _ = top_k(E, means / k, k, similarity=similarity)
    n = len(E)
    own = np.arange(len(subsets))[:, None] * n
    return np.isin(nearest + own, ordered + own).mean(axis=1)


def theoretical(n_items, dim, k, *, mean=0.0, std=1.0, skew=0.0, kurtosis=3.0, form="independent"):
    """Compute the consistency of embeddings of independent and identical coordinates.

    Parameters
    ----------
    n_items, dim : int
        Items n and coordinates d, at least 1.
    k : int
        Items averaged, 1 to `n_items`. Work grows with k^1.5; a second up to k = 200.
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
    n_items, dim = _checked_sizes(n_items=n_items, dim=dim)
    k = _checked_k(k, n_items)
    model = _scores(dim, k, mean, std, skew, kurtosis, form)
    if n_items == k:
        return 1.0
    y = _grid(k, model.spread)  # symmetric, with 0
    if form == "independent":
        others = _binomial(k - 1, k, y)
    else:
        others = _constrained(k - 1, y * np.sqrt(k / max(k - 1, 1)))
    weight = np.exp(-y * y / 2) / np.sqrt(2 * np.pi) * (y[1] - y[0])
    others = (others * weight[:, None])[:, ::-1]

    def expected(gap):
        total = 0.0
        rows = max(1, _ENTRIES // k)
        for a in range(0, len(y), rows):
            below = np.cumsum(_binomial(n_items - k, k, gap + model.spread * y[a : a + rows]), axis=1)
            total += float(np.sum(others[a : a + rows] * below))
        return total

    value = _average(expected, model)
    return float(min(max(value, 0.0), 1.0))


def member_wins(dim, k, *, mean=0.0, std=1.0, skew=0.0, kurtosis=3.0, form="independent"):
    """Compute the probability that a member scores above an outsider.

    Parameters
    ----------
    dim, k, mean, std, skew, kurtosis, form
        As for :func:`theoretical`.

    Returns
    -------
    float
        Above 0.5 in either form, whatever the moments.

    Raises
    ------
    ValueError
        As :func:`theoretical`.

    References
    ----------
    Bendada et al. (2023), https://doi.org/10.48550/arXiv.2308.12767, last finding of "How?", 2.

    Examples
    --------
    >>> round(member_wins(32, 5, form="conditional"), 3)
    0.966
    """
    (dim,) = _checked_sizes(dim=dim)
    k = _checked_k(k, np.inf)
    model = _scores(dim, k, mean, std, skew, kurtosis, form)
    return float(_average(lambda gap: float(ndtr(gap / np.sqrt(1 + model.spread**2))), model))


def moments(E):
    """Compute the moments of the coordinates of an embedding, as :func:`theoretical` takes them.

    Parameters
    ----------
    E : array, shape (n, d)
        Embeddings; all n d coordinates are pooled.

    Returns
    -------
    dict
        ``mean``, ``std``, ``skew``, ``kurtosis``.

    Raises
    ------
    ValueError
        If E is constant or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> moments(np.array([[1., -1.], [-1., 1.]]))
    {'mean': 0.0, 'std': 1.0, 'skew': 0.0, 'kurtosis': 1.0}
    """
    values = _checked_embedding(E).ravel().astype(np.float64)
    # a power of two, so that no fourth power leaves the range of floats and no digit changes
    scale = 2.0 ** min(int(np.frexp(np.abs(values).max())[1]), 1023)
    values = values / scale
    return {
        "mean": float(values.mean() * scale),
        "std": float(values.std() * scale),
        "skew": float(stats.skew(values)),
        "kurtosis": float(stats.kurtosis(values, fisher=False)),
    }


def subsets_within(groups, k, *, n_subsets=1000, seed=0):
    """Draw subsets of k items that share a group: a spike, or a playlist.

    Parameters
    ----------
    groups : list of arrays of int
        Items of each group, distinct. Groups of fewer than k are passed over, the others are
        equally likely.
    k : int
        Items per subset, at least 1.
    n_subsets : int, default 1000
        Subsets drawn.
    seed : int, default 0
        Seed of the draw.

    Returns
    -------
    numpy.ndarray, shape (n_subsets, k), int64

    Raises
    ------
    ValueError
        If no group has k items.

    Examples
    --------
    >>> import numpy as np
    >>> drawn = subsets_within([np.array([3]), np.array([5, 7, 9])], 3, n_subsets=1)
    >>> sorted(drawn[0].tolist())
    [5, 7, 9]
    """
    k = _checked_k(k, np.inf)
    large = [np.asarray(group) for group in groups if len(group) >= k]
    if not large:
        raise ValueError(f"no group has {k} items; the largest has {max(map(len, groups), default=0)}")
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(large), size=n_subsets)
    drawn = [rng.choice(large[g], k, replace=False) for g in chosen]
    return np.array(drawn, dtype=np.int64).reshape(n_subsets, k)


def subsets_across(groups, k, *, n_subsets=1000, seed=0):
    """Draw subsets of k items, each of another group.

    Parameters
    ----------
    groups : list of arrays of int
        Items of each group, none empty.
    k : int
        Items per subset, 1 to the number of groups.
    n_subsets : int, default 1000
        Subsets drawn.
    seed : int, default 0
        Seed of the draw.

    Returns
    -------
    numpy.ndarray, shape (n_subsets, k), int64

    Raises
    ------
    ValueError
        If there are fewer than k groups, or one is empty.

    Examples
    --------
    >>> import numpy as np
    >>> drawn = subsets_across([np.array([3]), np.array([5])], 2, n_subsets=1)
    >>> sorted(drawn[0].tolist())
    [3, 5]
    """
    groups = [np.asarray(group) for group in groups]
    if any(len(group) == 0 for group in groups):
        raise ValueError("a group is empty; leave such groups out")
    k = _checked_k(k, len(groups), "groups")
    rng = np.random.default_rng(seed)
    drawn = [
        [rng.choice(groups[g]) for g in rng.choice(len(groups), k, replace=False)] for _ in range(n_subsets)
    ]
    return np.array(drawn, dtype=np.int64).reshape(n_subsets, k)


# --- the distribution of scores ----------------------------------------------------------------


class _Scores(NamedTuple):
    """Scores in units in which an outsider's is standard normal, and a member's is normal."""

    gaps: np.ndarray  # possible means of a member's score
    weights: np.ndarray  # their probabilities
    spread: float  # standard deviation of a member's score, given the gap


def _scores(dim, k, mean, std, skew, kurtosis, form):
    if not (np.isfinite([mean, std, skew, kurtosis]).all() and std > 0):
        raise ValueError(
            "mean, std, skew and kurtosis must be finite and std above 0 (constant coordinates have no "
            f"nearest items), got {mean}, {std}, {skew}, {kurtosis}"
        )
    if abs(mean) > _EXTREME * std or kurtosis > _EXTREME or abs(skew) > _EXTREME:
        raise ValueError(
            f"mean / std, skew and kurtosis must be at most {_EXTREME:.0e}, beyond which rounding decides, "
            f"got {mean} / {std}, {skew}, {kurtosis}"
        )
    if kurtosis < (1 + skew**2) * (1 - 1e-9):
        raise ValueError(
            f"no distribution has kurtosis {kurtosis} at skewness {skew}: it is at least 1 + skewness^2 "
            "(Pearson's kurtosis, 3 for a normal distribution, is meant)"
        )
    if form not in _FORMS:
        raise ValueError(f'form must be "independent" or "conditional", got {form!r}')
    m = mean / std
    if form == "independent":
        return _independent(dim, k, m, skew, kurtosis)
    return _conditional(dim, k, m, skew, kurtosis)


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
    if m == 0:
        along, along_weight = np.zeros(1), np.ones(1)
        rest, rest_weight = _squared_length(dim, 2 + excess)
    else:
        along, along_weight = _nodes(stats.norm(m * np.sqrt(dim), 1 / np.sqrt(k)))
        rest, rest_weight = _squared_length(dim - 1, 2 + excess)
    along, rest = along[:, None], rest[None, :] / k
    length = np.sqrt(along**2 + rest)
    gaps = (length**2 - m * np.sqrt(dim) * along) / np.where(length > 0, length, 1.0)
    deviation = 1 + (2 * m * skew / k + excess / k) / (m * m + 1 / k)
    weights = along_weight[:, None] * rest_weight[None, :]
    spread = np.sqrt((1 - 1 / k) * max(deviation, 0.0))
    return _Scores(gaps.ravel(), weights.ravel(), float(spread))


def _nodes(distribution):
    """Nodes and weights of an average over a distribution: Gauss-Legendre in its probabilities."""
    u, weight = np.polynomial.legendre.leggauss(128)
    return distribution.ppf((u + 1) / 2), weight / 2


def _squared_length(dim, variance):
    """Nodes of a squared length in `dim` dimensions, of mean dim and variance dim times `variance`."""
    if dim == 0 or variance <= 0:
        return np.array([float(dim)]), np.ones(1)
    return _nodes(stats.gamma(dim / variance, scale=variance))


def _average(function, model):
    """Mean of a smooth function of the gap; many are served by a spline through 65 of them."""
    gaps = model.gaps
    if len(gaps) > 65:
        grid = np.linspace(gaps.min(), gaps.max(), 65)
        return CubicSpline(grid, [function(gap) for gap in grid])(gaps) @ model.weights
    return np.array([function(gap) for gap in gaps]) @ model.weights


# --- how many score above t --------------------------------------------------------------------


def _grid(k, spread):
    """Normal scores of a member, in steps finer than the scatter of the k-th highest score."""
    step = 1 / (5 * np.sqrt(k) * max(1.0, spread))
    return _LIMIT * np.linspace(-1, 1, 2 * int(np.ceil(_LIMIT / step)) + 1)


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


def _checked_embedding(E):
    E = np.asarray(E)
    if E.ndim != 2 or 0 in E.shape or E.dtype.kind not in "fiu":
        raise ValueError(
            f"E must be real and of shape (n, d), none of them 0, got shape {E.shape} and dtype {E.dtype}"
        )
    if not np.isfinite(E).all():
        raise ValueError("E holds NaN or infinity; remove or fill such rows first")
    if (E[0] == E).all():
        raise ValueError(f"all {len(E)} rows of E are equal: no item is nearer to a mean than another")
    return E


def _checked_k(k, largest, what="items"):
    if not isinstance(k, (int, np.integer)):
        raise TypeError(f"k must be a whole number, got {k!r}")
    if not 1 <= k <= largest:
        raise ValueError(f"k must be between 1 and the {largest} {what}, got {k}")
    return int(k)


def _checked_sizes(**sizes):
    for name, value in sizes.items():
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    return tuple(int(value) for value in sizes.values())
