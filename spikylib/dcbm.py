"""The degree-corrected block model (DCBM) behind spikes: from spikes to the model, and back.

Concept. In a DCBM every item i has a community g(i) and a degree parameter alpha_i, and an edge
i-j is drawn with probability alpha_i alpha_j B[g(i), g(j)]. Rows of E = U Sigma on spikes,
e_i = alpha_i s_g(i) with unit directions s_k, give

.. math:: \\hat M_{ij} = \\alpha_i \\alpha_j \\beta_{g(i) g(j)}, \\qquad
          \\beta_{kl} = \\langle s_k, s_l D^{-1} \\rangle

with D the f leading eigenvalues, sign included: up to a constant, abs(M-hat) is the mean of a
DCBM (Theorem 3.4). With its signs kept, M-hat is the mean of a signed DCBM, whose edges are 1 or
-1. Conversely the eigenvectors of a DCBM lie on spikes.

Conventions. Communities are numbered from 0; -1 marks rows on no spike. Means and samples include the
diagonal (an item may be linked to itself), as in the paper.

Functions. :func:`from_spikes` is the theorem, :func:`signed_affinity` its beta, :func:`recover` the way
back from eigenvectors to communities; :func:`degree_from_norm` and :func:`degree_lowrank` read degrees off
a factorisation; :func:`explained` and :func:`agreement` measure how well the model fits, and how far
communities agree with outside labels. :func:`spikylib.synthetic.planted_spikes` makes a matrix that has
spikes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from spikylib._arrays import has_direction, row_norms, unit_rows
from spikylib._checks import check_choice, check_range, row_numbers
from spikylib.svd import TruncatedSVD

_BLOCK_ENTRIES = 2**22  # probabilities drawn at a time: 32 MB of them


@dataclass(frozen=True)
class DCBM:
    """A degree-corrected block model.

    Attributes
    ----------
    community : array of int, shape (n,)
        Community of each item, 0 to K - 1.
    affinity : array of float, shape (K, K)
        B, symmetric, in [0, 1].
    degree : array of float, shape (n,)
        alpha, finite, at least 0.
    scale : float, default 1.0
        Factor from the mean to the matrix that was modelled; for :func:`from_spikes` the constant
        of the theorem.
    signed : bool, default False
        Allow an affinity in [-1, 1]. Between communities of negative affinity an edge of -1,
        an avoidance, is drawn with probability -alpha_i alpha_j B[g(i), g(j)].

    Raises
    ------
    ValueError
        If shapes do not match, a community is out of range, the affinity is not symmetric or
        not in [0, 1] ([-1, 1] where signed), or a degree is negative, infinite or missing.

    References
    ----------
    Karrer, Newman (2011), https://doi.org/10.1103/PhysRevE.83.016107; section 3.1.2 of Afchar,
    Hennequin, Guigue (2023), "Of Spiky SVDs and Music Recommendation".

    Examples
    --------
    >>> model = DCBM(community=[0, 0, 1], affinity=[[1, 0.5], [0.5, 1]], degree=[1, 0.5, 0.2])
    >>> model.mean()
    array([[1.  , 0.5 , 0.1 ],
           [0.5 , 0.25, 0.05],
           [0.1 , 0.05, 0.04]])
    """

    community: np.ndarray
    affinity: np.ndarray
    degree: np.ndarray
    scale: float = 1.0
    signed: bool = False

    def __post_init__(self):
        affinity = np.asarray(self.affinity, dtype=np.float64)
        degree = np.asarray(self.degree, dtype=np.float64)
        if affinity.ndim != 2 or affinity.shape[0] != affinity.shape[1]:
            raise ValueError(f"affinity must be square, one row per community, got shape {affinity.shape}")
        community = row_numbers("community", self.community, len(affinity))
        if len(community) == 0 or degree.shape != community.shape:
            got = f"shape {community.shape} for degrees of shape {degree.shape}"
            raise ValueError(f"community must be non-empty, one entry for each degree, got {got}")
        name = "affinity" if self.signed else "affinity, unless signed=True,"
        check_range(name, affinity, -1 if self.signed else 0, 1)
        if np.abs(affinity - affinity.T).max() > 1e-12:
            raise ValueError("affinity is not symmetric; use (B + B.T) / 2")
        if not 0 <= degree.min() <= degree.max() < np.inf:
            raise ValueError(f"degree must be finite and at least 0, got {degree.min()} to {degree.max()}")
        # the only way to set a field of a frozen dataclass
        for name, value in (("community", community), ("affinity", affinity), ("degree", degree)):
            object.__setattr__(self, name, value)

    def mean(
        self, rows: Sequence[int] | slice = slice(None), cols: Sequence[int] | slice = slice(None)
    ) -> np.ndarray:
        """Return the expected adjacency matrix, or a block of it.

        Parameters
        ----------
        rows, cols : array-like of int, or slice, default all
            The whole is n x n and dense: request blocks of a large model.

        Returns
        -------
        numpy.ndarray, shape (len(rows), len(cols)), float64
        """
        block = self.affinity[np.ix_(self.community[rows], self.community[cols])]
        return block * self.degree[rows][:, None] * self.degree[cols]

    def sample(self, seed: int = 0) -> sp.csr_array:
        """Draw an adjacency matrix; each pair of items, and each item with itself, once.

        Parameters
        ----------
        seed : int, default 0
            Seed of the generator.

        Returns
        -------
        scipy.sparse.csr_array, shape (n, n), int8
            Symmetric, of zeros and ones, and of -1 where signed. Draws n^2 / 2 uniform numbers,
            4 million at a time.

        Raises
        ------
        ValueError
            If an expected entry is above 1, so that it cannot be a probability.

        Examples
        --------
        >>> A = DCBM([0, 0, 1], [[1, 0], [0, 1]], [1, 1, 1]).sample(seed=3)
        >>> A.toarray()
        array([[1, 1, 0],
               [1, 1, 0],
               [0, 0, 1]], dtype=int8)
        """
        largest = np.zeros(len(self.affinity))
        np.maximum.at(largest, self.community, self.degree)
        highest = (np.abs(self.affinity) * np.outer(largest, largest)).max()
        if highest > 1 + 1e-12:
            remedy = f"divide degree by {highest**0.5:.3g}"
            raise ValueError(f"the largest expected entry is {highest:.3g}, above 1: {remedy}")
        rng = np.random.default_rng(seed)
        n = len(self.community)
        step = max(1, _BLOCK_ENTRIES // n)
        found = []
        for a in range(0, n, step):
            # only from the diagonal on: the rest mirrors it
            probability = np.abs(self.mean(slice(a, a + step), slice(a, n)))
            i, j = np.nonzero(np.triu(rng.random(probability.shape) < probability))
            found.append(np.stack([i + a, j + a]))
        i, j = np.concatenate(found, axis=1)
        i, j = np.concatenate([i, j[i < j]]), np.concatenate([j, i[i < j]])
        sign = np.where(self.affinity[self.community[i], self.community[j]] < 0, -1, 1)
        return sp.csr_array((sign.astype(np.int8), (i, j)), shape=(n, n))


def from_spikes(svd: TruncatedSVD, spike: np.ndarray, *, signed: bool = False) -> DCBM:
    """Return the DCBM that Theorem 3.4 reads off the spikes of E = U Sigma.

    Degrees are the norms of the rows of E divided by the largest; the affinity is abs(beta) divided by
    its largest entry; the scale is the largest norm squared times that entry. Where rows lie on spikes
    exactly, ``scale * mean()`` is abs(M-hat) on those rows; elsewhere beta is the least-squares fit.

    Parameters
    ----------
    svd : TruncatedSVD of n rows
        Factorisation of a symmetric matrix.
    spike : array of int, shape (n,)
        Spike of each row, -1 for none, as in ``SpikeCover.spike``.
    signed : bool, default False
        Keep the signs of beta. Then ``scale * mean()`` is M-hat itself where spikes are exact.

    Returns
    -------
    DCBM
        Of the n' rows with ``spike >= 0``, in their order. Communities follow the spikes' numbers;
        numbers that do not occur are skipped. Allocates K^2 + (n + K) f float64.

    Raises
    ------
    ValueError
        If `spike` does not match the factorisation, no row is on a spike, or M-hat vanishes on
        all of them.

    References
    ----------
    Theorem 3.4 of Afchar, Hennequin, Guigue (2023), "Of Spiky SVDs and Music Recommendation".

    Examples
    --------
    >>> import numpy as np
    >>> from spikylib.svd import truncated_svd
    >>> M = np.array([[4., 2., 0., 0.], [2., 1., 0., 0.], [0., 0., 1., 3.], [0., 0., 3., 9.]])
    >>> model = from_spikes(truncated_svd(M, f=2), [0, 0, 1, 1])
    >>> np.allclose(model.scale * model.mean(), M)
    True
    """
    _, community, norm = _on_spikes(svd, spike)
    beta = signed_affinity(svd, spike)
    largest, strongest = norm.max(), np.abs(beta).max()
    if largest == 0 or strongest == 0:
        raise ValueError("M-hat is zero on every row that is on a spike: there is nothing to model")
    affinity = (beta if signed else np.abs(beta)) / strongest
    return DCBM(community, affinity, norm / largest, float(largest**2 * strongest), signed)


def signed_affinity(svd: TruncatedSVD, spike: np.ndarray) -> np.ndarray:
    """Return beta, with M-hat[i, j] = norm(e_i) norm(e_j) beta[g(i), g(j)] on spikes.

    The diagonal shows how norms compare between communities: sqrt(abs(M-hat[i, i])) is
    norm(e_i) sqrt(abs(beta[k, k])). A negative entry is a whole block of M-hat that is negative.

    Parameters, errors and source are those of :func:`from_spikes`.

    Returns
    -------
    numpy.ndarray, shape (K, K), float64
        Symmetric, at most 1 / svd.s.min() in magnitude; unit: that of 1 / M. Where spikes are
        not exact, the least-squares fit to M-hat given the norms.

    Examples
    --------
    >>> import numpy as np
    >>> from spikylib.svd import truncated_svd
    >>> signed_affinity(truncated_svd(np.diag([4., 2.]), f=2), [0, 1]).round(9) + 0.0
    array([[0.25, 0.  ],
           [0.  , 0.5 ]])
    """
    rows, community, norm = _on_spikes(svd, spike)
    # mean rows of U and V on each spike, weighted by the norms that multiply them in E
    weight = sp.csr_array((norm, (community, np.arange(len(rows)))))
    total = np.bincount(community, weights=norm**2)
    total[total == 0] = 1.0  # a spike of zero rows: its affinity is 0, not 0 / 0
    left = (weight @ svd.U[rows]) / total[:, None]
    right = (weight @ svd.V[rows]) / total[:, None]
    beta = (left * svd.s) @ right.T
    return (beta + beta.T) / 2  # symmetric but for rounding


def degree_from_norm(svd: TruncatedSVD, *, corrected: bool = False) -> np.ndarray:
    """Return the norm of each row of E = U Sigma, the paper's estimate of its degree.

    Parameters
    ----------
    svd : TruncatedSVD of n rows
    corrected : bool, default False
        Return sqrt(abs(M-hat[i, i])) instead. On a spike of community k this is the norm times
        sqrt(abs(beta[k, k])), the degree parameter once B[k, k] = 1, and comparable between communities.

    Returns
    -------
    numpy.ndarray, shape (n,), float64
        O(n f). Unit: that of M; of its square root if corrected.

    References
    ----------
    Section 3.3.1 of Afchar, Hennequin, Guigue (2023), "Of Spiky SVDs and Music Recommendation".

    Examples
    --------
    >>> import numpy as np
    >>> from spikylib.svd import truncated_svd
    >>> svd = truncated_svd(np.diag([9., 4.]), f=2)
    >>> degree_from_norm(svd), degree_from_norm(svd, corrected=True)
    (array([9., 4.]), array([3., 2.]))
    """
    if corrected:
        return np.sqrt(np.abs(np.einsum("ij,j,ij->i", svd.U, svd.s, svd.V)))
    return np.divide(*row_norms("E", svd.embeddings()))


def degree_lowrank(svd: TruncatedSVD) -> np.ndarray:
    """Return the row sums of M-hat = U Sigma V', without building it.

    Parameters
    ----------
    svd : TruncatedSVD of n rows

    Returns
    -------
    numpy.ndarray, shape (n,), float64
        Exact up to rounding, O(n f): U (Sigma (V' 1)). The diagonal of M-hat counts, and negative
        entries count as negative.

    Examples
    --------
    >>> import numpy as np
    >>> from spikylib.svd import truncated_svd
    >>> degree_lowrank(truncated_svd(np.array([[2., 1.], [1., 2.]]), f=2)).round(9)
    array([3., 3.])
    """
    return svd.U @ (svd.s * svd.V.sum(axis=0))


def recover(U: np.ndarray, n_communities: int, *, method: str = "spherical", seed: int = 0) -> np.ndarray:
    """Recover communities from leading eigenvectors by k-means.

    Parameters
    ----------
    U : array, shape (n, f)
        Leading eigenvectors, the first belonging to the largest eigenvalue.
    n_communities : int
        Clusters to form, at least 1.
    method : {"rows", "spherical", "score"}, default "spherical"
        What is clustered: the rows of U as they are; the rows scaled to norm 1; or the ratios of every
        further column to the first (SCORE), clipped to +- log n. The last two remove the degrees.
    seed : int, default 0
        Seed of k-means.

    Returns
    -------
    numpy.ndarray, shape (n,), int
        Cluster of each row. Rows of zero norm go to the cluster nearest the origin.

    Raises
    ------
    ValueError
        If the method is unknown, or "score" is given a single column.

    References
    ----------
    Lei, Rinaldo (2015), https://doi.org/10.1214/14-AOS1274 (spherical); Jin (2015),
    https://doi.org/10.1214/14-AOS1265 (SCORE).

    Examples
    --------
    >>> import numpy as np
    >>> U = np.array([[.6, .1], [.3, .05], [.1, .5], [.05, .25]])
    >>> found = recover(U, 2)
    >>> bool(found[0] == found[1] != found[2] == found[3])
    True
    """
    from sklearn.cluster import KMeans

    check_choice("method", method, "rows", "spherical", "score")
    U = points = np.asarray(U, dtype=np.float64)
    if method == "spherical":
        points = unit_rows(U)
    elif method == "score":
        if U.shape[1] < 2:
            raise ValueError("score needs two columns or more: it takes ratios to the first")
        first = np.where(U[:, :1] == 0, np.finfo(float).tiny, U[:, :1])
        with np.errstate(over="ignore"):
            points = np.clip(U[:, 1:] / first, -np.log(len(U)), np.log(len(U)))
        # an isolated item's row is rounding, and so would be its ratios
        points[~has_direction(row_norms("U", U)[0])] = 0
    # with 10 starts rounding alone decides now and then whether one of them finds the best
    return KMeans(n_communities, n_init=20, random_state=seed).fit_predict(points)


def explained(
    svd: TruncatedSVD, spike: np.ndarray, *, max_rows: int = 1000, seed: int = 0
) -> dict[str, float]:
    """Return the share of the squared norm of M-hat on spikes that its block model explains.

    Parameters
    ----------
    svd, spike
        As for :func:`from_spikes`.
    max_rows : int, default 1000
        Rows on spikes that are used; more are sampled down to these.
    seed : int, default 0
        Seed of the sample and of the shuffle.

    Returns
    -------
    dict of str to float
        One minus the squared error over the squared norm. Of abs(M-hat): ``dcbm``, the model of
        :func:`from_spikes`; ``rank``, the best matrix of the same rank as that model (the number of
        communities, or less), which bounds it from above and has no communities; ``sbm``, the mean of each
        block, so communities without degrees; ``shuffled``, the DCBM with communities shuffled among the
        same rows, so degrees without communities. Of M-hat with its signs: ``signed``, the signed model, at
        most ``dcbm``; ``bound``, the share that the theorem for approximate spikes guarantees, given the
        directions of the rows; negative where it guarantees nothing. Allocates about 10 max_rows^2 float64.

    References
    ----------
    Chapter 4 proves the bound; perturbed lines in an eigenspace are an idea of Wu, Ying, Wu, Zhou (2011),
    "Line orthogonality in adjacency eigenspace with application to community partition".

    Examples
    --------
    >>> from spikylib.svd import truncated_svd
    >>> from spikylib.synthetic import planted_spikes
    >>> M, spike = planted_spikes(sizes=(30, 20), n_off=10)
    >>> found = explained(truncated_svd(M, f=2), spike)
    >>> round(found["dcbm"], 6), round(found["rank"], 6), found["sbm"] < 1, found["shuffled"] < 1
    (1.0, 1.0, True, True)
    """
    rng = np.random.default_rng(seed)
    rows, _, _ = _on_spikes(svd, spike)
    if len(rows) > max_rows:
        rows = np.sort(rng.choice(rows, max_rows, replace=False))
    labels, signed = np.asarray(spike)[rows], svd.reconstruct(rows, rows)
    target, part = np.abs(signed), replace(svd, U=svd.U[rows], V=svd.V[rows])

    def share(target, fit):
        fit = fit.scale * fit.mean() if isinstance(fit, DCBM) else fit
        return float(1 - np.sum((target - fit) ** 2) / np.sum(target**2))

    model = from_spikes(part, labels)
    member = np.eye(len(model.affinity))[:, model.community]
    alike, weighted = unit_rows(member), unit_rows(member * model.degree)
    # rows less their share of the mean direction: what keeps spikes from being exact
    off = part.embeddings() - weighted.T @ (weighted @ part.embeddings())
    # the best matrix of rank r keeps the r eigenvalues of largest square
    energy = np.sort(np.linalg.eigvalsh(target) ** 2)[::-1]
    rank = np.linalg.matrix_rank(model.affinity)
    return {
        "dcbm": share(target, model),
        "rank": float(energy[:rank].sum() / energy.sum()),
        "sbm": share(target, alike.T @ (alike @ target @ alike.T) @ alike),
        "shuffled": share(target, from_spikes(part, rng.permutation(labels))),
        "signed": share(signed, from_spikes(part, labels, signed=True)),
        "bound": float(1 - 2 * np.sum(off**2) * np.linalg.norm(part.U, 2) ** 2 / np.sum(signed**2)),
    }


def agreement(
    spike: np.ndarray, labels: Sequence, *, n_permutations: int = 99, seed: int = 0
) -> dict[str, float]:
    """Compare communities with outside labels by normalised mutual information.

    Parameters
    ----------
    spike : array of int, shape (n,)
        Community or spike of each row, -1 for none.
    labels : sequence of length n
        Outside labels; None, NaN and "" are missing.
    n_permutations : int, default 99
        Shuffles of the labels that make the null. Many small communities agree with any labels to some
        degree: only the excess over the null counts.
    seed : int, default 0
        Seed of the shuffles.

    Returns
    -------
    dict of str to float or int
        ``nmi`` over the ``n_rows`` rows that have both; ``null``, its mean over the shuffles;
        ``p_value``, (1 + shuffles that reach nmi) / (1 + n_permutations).

    Raises
    ------
    ValueError
        If lengths differ, or no row has both.

    References
    ----------
    Vinh, Epps, Bailey (2010), "Information theoretic measures for clusterings comparison", JMLR 11.

    Examples
    --------
    >>> found = agreement([0, 0, 0, 1, 1, 1, -1], ["a", "a", "a", "b", "b", "b", "b"])
    >>> round(found["nmi"], 6), found["n_rows"]
    (1.0, 6)
    """
    import pandas as pd
    from sklearn.metrics import normalized_mutual_info_score

    spike = np.asarray(spike)
    codes, _ = pd.factorize(pd.Series(labels, dtype=object).replace("", None))  # -1 where missing
    if spike.shape != codes.shape:
        raise ValueError(f"there are {len(codes)} labels for spikes of shape {spike.shape}")
    both = (spike >= 0) & (codes >= 0)
    if not both.any():
        raise ValueError("no row is on a spike and has a label")
    spike, codes = spike[both], codes[both]
    rng = np.random.default_rng(seed)
    nmi = float(normalized_mutual_info_score(spike, codes))
    null = [normalized_mutual_info_score(spike, rng.permutation(codes)) for _ in range(n_permutations)]
    # the labels as they are count among the shuffles, and one equal but for rounding has reached them
    p_value = float(np.mean(np.array([*null, nmi]) >= nmi - 1e-12))
    return {"n_rows": len(codes), "nmi": nmi, "null": float(np.mean(null)), "p_value": p_value}


def _on_spikes(svd, spike):
    """Rows that are on a spike, their communities numbered without gaps, and their norms."""
    spike = np.asarray(spike)
    if spike.shape != (len(svd.U),) or spike.dtype.kind not in "iu":
        got = f"got dtype {spike.dtype} and shape {spike.shape}"
        raise ValueError(f"spike must have one whole number for each of the {len(svd.U)} rows, {got}")
    rows = np.flatnonzero(spike >= 0)
    if len(rows) == 0:
        raise ValueError("no row is on a spike: spike must be 0 or more somewhere")
    largest = svd.s.max()
    if largest > 1e150 or 0 < largest < 1e-150:
        raise ValueError(f"the square of the first singular value {largest:.1e} is beyond floats; rescale M")
    return rows, np.unique(spike[rows], return_inverse=True)[1], degree_from_norm(svd)[rows]
