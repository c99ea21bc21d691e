"""The result of one comparison, and the one rule that decides it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"
NOT_APPLICABLE, UNTESTED = "not applicable", "untested"
IN_PART, ON_GENERATED = "holds in part", "on generated data only"
GENERATED = "generated"  # `data` of a finding that needs no catalogue


@dataclass(frozen=True)
class Finding:
    """One comparison on one catalogue.

    Attributes
    ----------
    id, part : str
        Number of the claim, and which of its statements; "" where it has one.
    data : str
        Name of the catalogue, "generated", or the number of datasets behind a verdict over all.
    n, f : int
        Rows compared, and the truncation rank; 0 where there is none.
    seed : int
        First seed of the replicates.
    estimate, low, high : float
        Mean over the replicates, and the 95 % interval in which `reference` is taken as given: that
        of the differences, replicate by replicate, added to it. NaN where nothing was measured.
    reference : float
        What the estimate is compared with, its mean over the replicates.
    unit : str
        Unit of these numbers: "%" where they are shares, shown times 100.
    verdict : str
        "holds", "fails", "undecided", "not applicable" or "untested"; over datasets "holds in part"
        and "on generated data only" as well.
    why : str
        One sentence for a person, with the numbers in it.
    needs_missing : str
        What a claim that is not applicable lacks.
    """

    id: str
    part: str = ""
    data: str = GENERATED
    n: int = 0
    f: int = 0
    seed: int = 0
    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    reference: float = math.nan
    unit: str = ""
    verdict: str = UNDECIDED
    why: str = ""
    needs_missing: str = ""


def judge(samples: Sequence[tuple[float, float]], expect: str, margin: float = 0.0) -> str:
    """Call a comparison: the only rule there is.

    Parameters
    ----------
    samples : array, shape (r, 2)
        The value and its reference in each of r replicates.
    expect : {"more", "less", "equal"}
        What the claim says of the value against the reference.
    margin : float, default 0
        Smallest difference that matters; for "equal" the largest that does not.

    Returns
    -------
    str
        "holds" where the whole 95 % interval of the difference lies at least `margin` on the expected
        side (or, for "equal", within it), "fails" where all of it falls short, else "undecided".

    Examples
    --------
    >>> judge([(3.0, 1.0), (3.2, 1.1), (2.9, 1.0)], "more", 0.5)
    'holds'
    >>> judge([(3.0, 1.0), (3.2, 1.1), (2.9, 1.0)], "less")
    'fails'
    """
    low, high = interval(samples)
    if expect == "equal":
        holds, fails = -margin <= low and high <= margin, low > margin or high < -margin
    elif expect == "more":
        holds, fails = low >= margin, high < margin
    elif expect == "less":
        holds, fails = high <= -margin, low > -margin
    else:
        raise ValueError(f"expect must be 'more', 'less' or 'equal', got {expect!r}")
    return HOLDS if holds else FAILS if fails else UNDECIDED


def interval(samples: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """95 % interval of the mean of value less reference, by Student's t; of no width for one replicate."""
    from scipy.stats import t

    difference = np.subtract(*np.asarray(samples, dtype=np.float64).T)
    r = len(difference)
    error = difference.std(ddof=1) / math.sqrt(r) if r > 1 else 0.0
    half = float(t.ppf(0.975, r - 1)) * error if error > 0 else 0.0
    mean = float(difference.mean())
    return mean - half, mean + half


def number(value: float, unit: str = "") -> str:
    """A number as a sentence shows it: three digits, shares as percentages."""
    if not math.isfinite(value):
        return "none"
    value, unit = (100 * value, " %") if unit == "%" else (value, unit and f" {unit}")
    if value == 0 or 0.001 <= abs(value) < 1e6:
        digits = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
        return f"{value:,.{digits}f}{unit}"
    return f"{value:.2g}{unit}"
