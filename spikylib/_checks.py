"""Check ranges, row numbers and choices, with one wording for each mistake."""

import numpy as np
from numpy.typing import ArrayLike


def check_range(name: str, values: ArrayLike, low: float, high: float = np.inf, of: str = "") -> None:
    """Raise a ValueError about the first of the values, one or many, that is not in [low, high].

    `of` says what there are `high` of.
    """
    values = np.asarray(values)
    outside = values[~((values >= low) & (values <= high))]  # NaN as well
    if len(outside):
        most = f"the {high} {of}" if of else high
        end = f"at least {low}" if high == np.inf else f"between {low} and {most}"
        raise ValueError(f"{name} must be {end}, got {outside[0]}")


def row_numbers(name: str, rows: ArrayLike, n: int, ndim: int = 1) -> np.ndarray:
    """The rows as int64; a ValueError unless they are numbers of n rows, in `ndim` dimensions."""
    rows = np.asarray(rows)
    if rows.ndim != ndim or (rows.dtype.kind not in "iu" and rows.size):
        raise ValueError(f"{name} must be a {ndim}-d array of row numbers, got {rows.dtype} {rows.shape}")
    check_range(f"row numbers in {name}", rows, 0, n - 1)
    return rows.astype(np.int64)


def check_choice(name: str, value: str, *choices: str) -> None:
    """Raise a ValueError unless the value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be {' or '.join(map(repr, choices))}, got {value!r}")
