"""Choose a truncation rank from singular values: the usual rules, to compare with the knee of Spk.

Each takes the singular values of a matrix, decreasing (else a ValueError), and returns how many to keep.
:func:`spikylib.retrieval.knee` chooses from the curve of Spk instead.
"""

import numpy as np
from numpy.typing import ArrayLike

from spikylib._checks import check_range


def parallel_analysis(s: ArrayLike, null: ArrayLike) -> int:
    """Count the leading singular values that exceed those of the same data without structure.

    Parameters
    ----------
    s, null : array, shape (f,) and (f',)
        Singular values of a matrix, and of one whose entries were shuffled; decreasing.

    Returns
    -------
    int
        0 to the smaller of f and f'.

    References
    ----------
    Horn (1965), https://doi.org/10.1007/BF02289447.

    Examples
    --------
    >>> parallel_analysis([9, 5, 2, 1], [3, 2.5, 2.2, 1.1])
    2
    """
    s, null = _decreasing("s", s), _decreasing("null", null)
    f = min(len(s), len(null))
    return int(np.argmin(np.append(s[:f] > null[:f], False)))


def profile_likelihood(s: ArrayLike) -> int:
    """Split singular values where two normal groups of one variance fit them best.

    Parameters
    ----------
    s : array, shape (f,), f >= 3
        Decreasing.

    Returns
    -------
    int
        Size of the first group, 1 to f - 1; the smallest of those that fit equally well.

    References
    ----------
    Zhu, Ghodsi (2006), https://doi.org/10.1016/j.csda.2005.09.010.

    Examples
    --------
    >>> profile_likelihood([9.0, 8.5, 8.0, 1.2, 1.1, 1.0])
    3
    """
    s = _decreasing("s", s, fewest=3)
    # the likelihood is highest where the squared distances from the two means are least
    within = [len(s[:q]) * s[:q].var() + len(s[q:]) * s[q:].var() for q in range(1, len(s))]
    return int(np.argmin(within)) + 1


def eigengap(s: ArrayLike) -> int:
    """Keep the singular values before the widest gap, ignoring the first gap.

    The first value of a non-negative matrix stands apart whatever the structure.

    Parameters
    ----------
    s : array, shape (f,), f >= 3
        Decreasing.

    Returns
    -------
    int
        2 to f - 1; the smallest where gaps are equal.

    References
    ----------
    von Luxburg (2007), section 8.3, https://doi.org/10.1007/s11222-007-9033-z.

    Examples
    --------
    >>> eigengap([90.0, 8.5, 8.0, 1.2, 1.1, 1.0])
    3
    """
    s = _decreasing("s", s, fewest=3)
    return int(np.argmax(s[1:-1] - s[2:])) + 2


def _decreasing(name, s, fewest=1):
    s = np.asarray(s, dtype=np.float64)
    if s.ndim != 1 or len(s) < fewest:
        raise ValueError(f"{name} must be a list of at least {fewest} singular values, got shape {s.shape}")
    check_range(name, s, 0)
    if (np.diff(s) > 0).any():
        raise ValueError(f"{name} must decrease; sort it with np.sort({name})[::-1]")
    return s
