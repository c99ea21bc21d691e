"""Embed the same items by other factorisations, and compare what comes out.

Concept. The paper's embedding is the truncated SVD of the PPMI matrix M. Others factorise M
under other constraints, or the interactions X themselves. Whether spikes belong to the SVD or
to the data is told by giving all of them the same items and the same number of dimensions.

Conventions. Row i of M and row i of X are the same item. Columns are scaled as in U Sigma where
a method has such a scale; dimensions of equal weight are part of the others. A method of no
spikes, ``"normal"``, is the floor.

Functions. :func:`factorise` embeds; :func:`halves` embeds two halves of the contexts
by every method, and measures spikes, stability and recall; :func:`like_normal` and
:func:`shuffle_items` are nulls, of the embedding and of the data.
"""

import warnings

import numpy as np
import pandas as pd
import scipy.sparse as sp

from spikylib import continuation
from spikylib.ppmi import ppmi_matrix
from spikylib.retrieval import hide_one, top_k
from spikylib.spikes import spk
from spikylib.svd import truncated_svd

METHODS = (
    "svd",
    "randomized_svd",
    "svd_unscaled",
    "laplacian",
    "nmf",
    "autoencoder",
    "als",
    "logistic_mf",
    "normal",
)
_NMF_PASSES = 100
_EPOCHS, _BATCH, _RATE = 30, 100, 3e-3


def factorise(M, X, f=32, *, method="svd", seed=0):
    """Embed items in f dimensions by one of several factorisations.

    Parameters
    ----------
    M : sparse array, shape (n, n)
        PPMI matrix: symmetric, non-negative, no empty row.
    X : sparse array, shape (n, n_contexts)
        Binary interactions of the same items.
    f : int, default 32
        Dimensions, 1 to n.
    method : str, default "svd"
        Of M:
        ``"svd"``, U Sigma, and ``"randomized_svd"``, the same by the randomized solver;
        ``"svd_unscaled"``, U;
        ``"laplacian"``, the eigenvectors of the f smallest eigenvalues of the normalised
        Laplacian I - D^-1/2 M D^-1/2, unscaled;
        ``"nmf"``, W of M ~ W H with W, H >= 0 from a random start, columns
        scaled to the norms of W and H together, as Sigma is in U Sigma; a local optimum,
        after 100 passes at most;
        ``"autoencoder"``, the f hidden units (ReLU) of a network that reproduces the rows of
        M, after 30 epochs of Adam.
        Of X:
        ``"als"``, :func:`spikylib.continuation.als`; ``"logistic_mf"``, the tracks' vectors of
        :func:`spikylib.continuation.fit`, their biases left out.
        Of nothing: ``"normal"``, independent standard normal numbers.
    seed : int, default 0
        Seed of random starts; "svd" depends on it only in rounding.

    Returns
    -------
    numpy.ndarray, shape (n, f), float64
        ``"autoencoder"`` works on a dense copy of M, 8 n^2 bytes; the others on M or X as given.

    Raises
    ------
    ValueError
        If shapes do not match, f is out of range, the method is unknown or a row of M is empty
        ("laplacian").

    References
    ----------
    Lee, Seung (1999), https://doi.org/10.1038/44565 (NMF); Ng, Jordan, Weiss (2001), "On
    spectral clustering", NIPS 14 (Laplacian); Hinton, Salakhutdinov (2006),
    https://doi.org/10.1126/science.1127647 (autoencoder); Hu, Koren, Volinsky (2008),
    https://doi.org/10.1109/ICDM.2008.22 (ALS); Johnson (2014), "Logistic Matrix
    Factorization for Implicit Feedback Data", NIPS workshop.

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> X = sp.csr_array(np.kron(np.eye(2), np.ones((5, 4))))  # two kinds of playlists
    >>> M, kept = ppmi_matrix(X)
    >>> E = factorise(M, X[kept], 2, method="nmf")
    >>> E.shape, bool((E >= 0).all())
    ((10, 2), True)
    """
    M, X = sp.csr_array(M), sp.csr_array(X)
    n = M.shape[0]
    if M.shape != (n, n) or X.shape[0] != n:
        raise ValueError(f"M and X must describe the same items, got shapes {M.shape} and {X.shape}")
    if not 1 <= f <= n:
        raise ValueError(f"f must be between 1 and the {n} items, got {f}")
    if method == "svd":
        return truncated_svd(M, f, seed=seed).embeddings()
    if method == "randomized_svd":
        return truncated_svd(M, f, solver="randomized", seed=seed).embeddings()
    if method == "svd_unscaled":
        return truncated_svd(M, f, seed=seed).embeddings(0.0)
    if method == "laplacian":
        return _laplacian(M, f, seed)
    if method == "nmf":
        return _nmf(M, f, seed)
    if method == "autoencoder":
        return _autoencoder(M, f, seed)
    if method == "als":
        return continuation.als(X, f, seed=seed)
    if method == "logistic_mf":
        in_use = np.bincount(X.indices, minlength=X.shape[1]) > 0
        return continuation.fit(X[:, in_use], dim=f, seed=seed).tracks.astype(np.float64)
    if method == "normal":
        return np.random.default_rng(seed).standard_normal((n, f))
    raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")


def halves(X, f=32, *, methods=METHODS, n_splits=3, k=20, cos_theta=0.9, rho=0.5, seed=0):
    """Embed two random halves of the contexts by every method, and measure what they are like.

    The halves share no context: what two embeddings agree on is not an accident of one of
    them, and the contexts of one half test the lists that come from the other.

    Parameters
    ----------
    X : sparse array, shape (n_items, n_contexts)
        Binary interactions.
    f : int, default 32
        Dimensions.
    methods : sequence of str, default all
        As for :func:`factorise`.
    n_splits : int, default 3
        Splits into halves, each with seeds of its own, at least 1.
    k : int, default 20
        Length of lists.
    cos_theta, rho : float
        As for :func:`spikylib.spikes.cover`.
    seed : int, default 0

    Returns
    -------
    pandas.DataFrame
        One row per method, split and half: ``spk``; ``null``, Spk of :func:`like_normal`;
        ``cosine`` and ``dot``, the recall@k of an item that a context of the other half holds,
        asked with another of its items, by either similarity; and ``overlap``, the share of
        the k nearest by cosine, among the items that both halves keep, that the two have in
        common (the same for both halves).

    Raises
    ------
    ValueError
        If `n_splits` is below 1, and as :func:`factorise`, `ppmi_matrix` and `top_k`.

    Examples
    --------
    >>> from spikylib.datasets import load
    >>> X = load("synthetic", n_items=200, n_contexts=1500, n_communities=4).matrix
    >>> table = halves(X, 4, methods=("svd", "normal"), n_splits=1)
    >>> mean = table.groupby("method")[["spk", "cosine", "overlap"]].mean()
    >>> (mean.loc["svd"] / mean.loc["normal"] > 3).to_dict()
    {'spk': False, 'cosine': True, 'overlap': True}
    """
    if n_splits < 1:
        raise ValueError(f"n_splits must be at least 1, got {n_splits}")
    X = sp.csc_array(X)
    rows = []
    for split in range(n_splits):
        order = np.random.default_rng([seed, split]).permutation(X.shape[1])
        parts = [sp.csr_array(X[:, np.sort(part)]) for part in np.array_split(order, 2)]
        pairs = [ppmi_matrix(part) for part in parts]
        for method in methods:
            E = [
                factorise(M, part[kept], f, method=method, seed=seed + 2 * split + h)
                for h, (part, (M, kept)) in enumerate(zip(parts, pairs))
            ]
            overlap = _overlap(E, [kept for _, kept in pairs], k)
            for h in (0, 1):
                row = {"method": method, "split": split, "half": h}
                row["spk"] = spk(E[h], cos_theta=cos_theta, rho=rho)
                row["null"] = spk(like_normal(E[h], seed=seed), cos_theta=cos_theta, rho=rho)
                row |= _recall(E[h], parts[1 - h][pairs[h][1]], k, seed + split)
                rows.append(row | {"overlap": overlap})
    return pd.DataFrame(rows)


def like_normal(E, *, seed=0):
    """Draw normal rows of the mean and the covariance of the rows of E.

    Their Spk is what a cloud without spikes has that is as flat, and as far from the origin, as E.

    Parameters
    ----------
    E : array, shape (n, f)
    seed : int, default 0

    Returns
    -------
    numpy.ndarray, shape (n, f), float64
        Random combinations of the rows of E, so that no basis is chosen on the way: the same
        on every machine but for rounding. O(n^2 f), 16 MB of random numbers at a time.

    Examples
    --------
    >>> import numpy as np
    >>> E = np.repeat([[1., 5.], [3., 5.]], 500, axis=0)
    >>> null = like_normal(E)
    >>> null.mean(axis=0).round(1), null.std(axis=0).round(1)
    (array([2., 5.]), array([1., 0.]))
    """
    E = np.asarray(E, dtype=np.float64)
    n = len(E)
    rng = np.random.default_rng(seed)
    mean = E.mean(axis=0)
    centred = (E - mean) / np.sqrt(n)
    step = max(1, 2**21 // n)
    blocks = [rng.standard_normal((min(step, n - a), n)) @ centred for a in range(0, n, step)]
    return np.concatenate(blocks) + mean


def shuffle_items(X, *, seed=0):
    """Deal the items out to the contexts at random, so that nothing is left but how often each is used.

    Parameters
    ----------
    X : sparse array, shape (n_items, n_contexts)
        Binary interactions.
    seed : int, default 0

    Returns
    -------
    scipy.sparse.csr_array, shape (n_items, n_contexts), int32
        Each item keeps its number of uses and each context its size, less the pairs that
        come up twice, which count once.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.kron(np.eye(2), np.ones((3, 50)))  # items 0 to 2 are never with items 3 to 5
    >>> mixed = shuffle_items(X).toarray()
    >>> int((X[:3].sum(axis=0) * X[3:].sum(axis=0)).sum()), bool((mixed[:3].any(axis=0) & mixed[3:].any(axis=0)).any())
    (0, True)
    """
    row, col = sp.csr_array(X).nonzero()
    row = np.random.default_rng(seed).permutation(row)
    mixed = sp.csr_array((np.ones(len(row), dtype=np.int32), (row, col)), shape=X.shape)
    mixed.sum_duplicates()
    mixed.data[:] = 1
    return mixed


def _laplacian(M, f, seed):
    degree = np.asarray(M.sum(axis=1)).ravel()
    if not (degree > 0).all():
        raise ValueError(f"row {int(np.argmin(degree))} of M is empty; leave such items out")
    half = sp.dia_array((1 / np.sqrt(degree)[None], [0]), shape=M.shape)
    # eigenvalues of D^-1/2 M D^-1/2 lie in [-1, 1]: one more, and the largest are largest in magnitude too
    similarity = half @ M @ half
    shifted = (similarity + similarity.T) / 2 + sp.dia_array((np.ones((1, len(degree))), [0]), shape=M.shape)
    return truncated_svd(shifted, f, seed=seed).U


def _nmf(M, f, seed):
    from sklearn.decomposition import NMF

    model = NMF(f, init="random", max_iter=_NMF_PASSES, random_state=seed)
    W = _fitted(model.fit_transform, sp.csr_matrix(M))
    return W * np.linalg.norm(model.components_, axis=1)


def _autoencoder(M, f, seed):
    from sklearn.neural_network import MLPRegressor

    rows = M.toarray()
    rows /= np.sqrt(np.sum(rows**2, axis=1).mean())
    model = MLPRegressor(
        hidden_layer_sizes=(f,),
        activation="relu",
        alpha=0.0,
        batch_size=min(_BATCH, len(rows)),
        learning_rate_init=_RATE,
        max_iter=_EPOCHS,
        n_iter_no_change=_EPOCHS,
        random_state=seed,
    )
    _fitted(model.fit, rows, rows)
    return np.maximum(rows @ model.coefs_[0] + model.intercepts_[0], 0.0)


def _fitted(fit, *data):
    """What `fit` returns; a fixed number of passes is meant, so that more are not asked for."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit(*data)


def _overlap(E, kept, k):
    """Share of their k nearest by cosine that items have in common, among items in both."""
    common, *at = np.intersect1d(*kept, return_indices=True)
    everyone = np.arange(len(common))
    near = [np.sort(top_k(e[rows], everyone, k, exclude_self=True)[0], axis=1) for e, rows in zip(E, at)]
    offset = everyone[:, None] * len(common)
    shared = np.intersect1d(*(lists + offset for lists in near))
    return len(shared) / (k * len(common))


def _recall(E, X, k, seed):
    """Share of hidden items that the lists of the asked ones hold, by both similarities."""
    _, asked, hidden = hide_one(X, min_size=2, seed=seed)
    found = {}
    for similarity in ("cosine", "dot"):
        lists, _ = top_k(E, np.arange(len(E)), k, similarity=similarity, exclude_self=True)
        found[similarity] = float((lists[asked] == hidden[:, None]).any(axis=1).mean())
    return found
