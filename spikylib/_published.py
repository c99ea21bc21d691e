"""What the paper and its first release published, and how to compare with it.

The factors were released on 2023-06-30. Until 2023-10-24 the released code factorised the upper triangle of
M, each pair of items once, with separate indices for rows and columns; the factors were not replaced then.
Source: the repository deezer/spiky_svd of Afchar, Hennequin and Guigue.
"""

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import svds

from spikylib._checks import check_range
from spikylib._files import in_checkout

if TYPE_CHECKING:
    import pandas as pd


def read_published(table: str) -> "pd.DataFrame":
    """Read a table of numbers that the paper published, kept beside the stored reruns.

    Parameters
    ----------
    table : str
        ``"table1"``: Table 1 of the paper, one row per dataset, as printed. ``"spectra"``: the 128
        singular values that were released for three of them.

    Returns
    -------
    pandas.DataFrame
        Indexed by dataset, text as printed.
    """
    import pandas as pd

    (file,) = in_checkout(f"book/results/{table}_published.csv")
    return pd.read_csv(file, dtype=str, index_col="dataset")


def upper_triangle_svd(M: sp.csr_array, f: int = 128, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Factorise the upper triangle of M, as the first release did.

    Parameters
    ----------
    M : scipy.sparse.csr_array, shape (n, n)
        Symmetric.
    f : int, default 128
        Truncation rank.
    seed : int, default 0
        Seed of the starting vector.

    Returns
    -------
    U : numpy.ndarray, shape (n_rows, f), float64
        One row per item that has a neighbour after it; the others have none. Signs are arbitrary.
    s : numpy.ndarray, shape (f,), float64
        Singular values, decreasing.

    Raises
    ------
    ValueError
        If f is not below the number of rows.

    Notes
    -----
    Where M is the rank-one block of a single community, the largest singular value of its triangle is
    2 / pi of its own in the limit of many items, followed by a third, a fifth ... of that. So the leading
    values fall in proportion, and the tail gains a copy of them.

    Examples
    --------
    >>> M = sp.csr_array(np.ones((500, 500)) - np.eye(500))
    >>> (upper_triangle_svd(M, 3)[1] * np.pi / 1000).round(2)
    array([1.  , 0.33, 0.2 ])
    """
    triangle = sp.csr_array(sp.triu(M, k=1))
    triangle = triangle[np.diff(triangle.indptr) > 0]
    smaller = min(triangle.shape)
    check_range("f", f, 1, smaller - 1, "dimensions that its upper triangle has, less one")
    U, s, _ = svds(triangle, k=f, v0=np.random.default_rng(seed).standard_normal(smaller))
    order = np.argsort(-s)
    return U[:, order], s[order]
