"""The same items under other factorisations and trained models."""

import warnings

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from spikylib._checks import check_choice, check_range
from spikylib.datasets import Embeddings, Interactions
from spikylib.ppmi import ppmi_matrix
from spikylib.svd import truncated_svd

_NMF_PASSES = 100
_TIMES = 500  # SGNS reads an item, in the mean, as the centre of a window
# the autoencoder has 30 epochs of Adam, however little the last ones improve it
_ADAM = {"alpha": 0.0, "learning_rate_init": 3e-3, "max_iter": 30, "n_iter_no_change": 30}


def factorise(
    M: sp.csr_array | None, X: sp.csr_array, f: int = 32, *, method: str = "svd", seed: int = 0, **options
) -> np.ndarray:
    """Embed items in f dimensions by one of several factorisations.

    Columns are scaled as in U Sigma where a method has such a scale; in the others dimensions have equal
    weight.

    Parameters
    ----------
    M : sparse array, shape (n, n), or None
        PPMI matrix: symmetric, non-negative, no empty row. Not needed for the methods of X.
    X : sparse array, shape (n, n_contexts)
        Binary interactions of the same items.
    f : int, default 32
        Dimensions, 1 to n.
    method : str, default "svd"
        Of M:
        ``"svd"``, U Sigma; ``"svd_unscaled"``, U;
        ``"nmf"``, W of M ~ W H with W, H >= 0 from a random start, columns scaled to the norms of
        W and H together, as Sigma is in U Sigma; a local optimum, after 100 passes at most;
        ``"autoencoder"``, the f hidden units (ReLU) of a network that reproduces the rows of a
        dense copy of M, after 30 epochs of Adam.
        Of X:
        ``"als"``, alternating least squares on implicit feedback (`implicit`), the values of X
        its confidences;
        ``"sgns"``, skip-gram with negative sampling (`gensim`), contexts as sentences: windows of five
        items to each side of a context whose items are put in another order in each pass, so that in
        the end its window is the whole context; 5 negatives, no subsampling, the vectors of the centre;
        ``"bpr"``, Bayesian personalised ranking (`implicit`, its own settings: 100 passes, rate and
        penalty 0.01), the biases left out;
        ``"ease"``, V Sigma of B = I - P diag(1 / diag P), P = (X X' + `penalty` I)^-1, which scores item j
        for a context by the sum of B_ij over its items i: what the rows of V describe is the item that
        is recommended; f below n. Takes a few dense n x n matrices.
    seed : int, default 0
        Seed of random starts; "svd" and "ease" depend on it only in rounding.
    **options
        Of ``"als"``: ``regularization``, default 1.0. Of ``"ease"``: ``penalty``, default 500, Steck's on
        MovieLens. Of ``"sgns"``: ``rate``, the learning rate at the start, default 0.2, and ``passes``, by
        default enough to show each item 500 times on average. At the usual 0.025 it takes about eight times
        as many. The length of training decides what a norm means: after five passes at 0.025 (gensim's
        defaults) popular items have long rows, later short ones.

    Returns
    -------
    numpy.ndarray, shape (n, f), float64

    References
    ----------
    Lee, Seung (1999), https://doi.org/10.1038/44565 (NMF); Hinton, Salakhutdinov (2006),
    https://doi.org/10.1126/science.1127647 (autoencoder); Hu, Koren, Volinsky (2008),
    https://doi.org/10.1109/ICDM.2008.22 (ALS); Barkan, Koenigstein (2016),
    https://doi.org/10.1109/MLSP.2016.7738886 (SGNS of items); Rendle et al. (2009), "BPR", UAI; Steck
    (2019), https://doi.org/10.1145/3308558.3313710 (EASE).

    Examples
    --------
    >>> X = sp.csr_array(np.kron(np.eye(2), np.ones((5, 4))))  # two kinds of playlists
    >>> M, kept = ppmi_matrix(X)
    >>> E = factorise(M, X[kept], 2, method="nmf")
    >>> E.shape, bool((E >= 0).all())
    ((10, 2), True)
    """
    check_choice("method", method, *_OF_M, *_OF_X)
    X = sp.csr_array(X)
    n = X.shape[0]
    if method in _OF_M:
        M = sp.csr_array(M)
        if M.shape != (n, n):
            raise ValueError(f"M and X must describe the same items, got shapes {M.shape} and {X.shape}")
    check_range("f", f, 1, n, "items")
    return _OF_M[method](M, f, seed) if method in _OF_M else _OF_X[method](X, f, seed, **options)


def embed(
    interactions: Interactions, seed: int = 0, *, method: str = "sgns", f: int = 32, **options
) -> Embeddings:
    """Embed by a method of :func:`factorise`: with method and f fixed, a ``fit`` of a Study.

    Items without a neighbour in the PPMI matrix are left out, so that all methods embed the same items. f
    is lower where fewer are left.

    Examples
    --------
    >>> from functools import partial
    >>> from spikylib.datasets import load
    >>> from spikylib.study import Study
    >>> study = Study(load("synthetic-clean", n_items=200), fit=partial(embed, method="ease", f=8))
    >>> study.E.shape
    (200, 8)
    """
    M, kept = ppmi_matrix(interactions.matrix)
    vectors = factorise(M, interactions.matrix[kept], min(f, len(kept)), method=method, seed=seed, **options)
    return Embeddings(interactions.items["id"].to_numpy()[kept], vectors, interactions.name)


def _nmf(M, f, seed):
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    model = NMF(f, init="random", max_iter=_NMF_PASSES, random_state=seed)
    # a fixed number of passes is meant
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        W = model.fit_transform(sp.csr_matrix(M))
    return W * np.linalg.norm(model.components_, axis=1)


def _autoencoder(M, f, seed):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    rows = M.toarray()
    rows /= np.sqrt(np.sum(rows**2, axis=1).mean())
    model = MLPRegressor(hidden_layer_sizes=(f,), batch_size=min(100, len(rows)), random_state=seed, **_ADAM)
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        model.fit(rows, rows)
    # the hidden layer: sklearn computes only the output
    return np.maximum(rows @ model.coefs_[0] + model.intercepts_[0], 0.0)


def _als(X, f, seed, regularization=1.0):
    with warnings.catch_warnings(action="ignore"):  # its progress bars ask for another package
        from implicit.als import AlternatingLeastSquares

    # Regularisation: with implicit's own 0.01 its three steps of conjugate gradients end far from the
    # solution, and rounding decides the third digit of the factors: they differ between CPUs. One
    # thread, and none of BLAS, so that a rerun gives the same factors.
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            f, regularization=regularization, dtype=np.float64, num_threads=1, random_state=seed
        )
        model.fit(sp.csr_matrix(X.T, dtype=np.float32), show_progress=False)
    return model.item_factors


def _sgns(X, f, seed, rate=0.2, passes=None):
    from gensim.models import Word2Vec

    X, rng = sp.csc_array(X), np.random.default_rng(seed)
    plays, contexts = np.bincount(X.indices, minlength=X.shape[0]), np.split(X.indices, X.indptr[1:-1])
    passes = passes or max(1, round(_TIMES / plays.mean()))
    # a context comes in another order each time; one worker, so that a rerun gives the same vectors
    settings = {"window": 5, "shrink_windows": False, "alpha": rate, "sample": 0, "min_count": 1}
    model = Word2Vec(vector_size=f, sg=1, negative=5, workers=1, seed=seed, **settings)
    model.build_vocab_from_freq(dict(enumerate(plays.tolist())))
    read = (rng.permutation(items).tolist() for _ in range(passes) for items in contexts)
    model.train(read, total_examples=passes * len(contexts), epochs=1)
    return model.wv[list(range(len(plays)))].astype(np.float64)


def _bpr(X, f, seed):
    with warnings.catch_warnings(action="ignore"):  # as for ALS
        from implicit.bpr import BayesianPersonalizedRanking
    model = BayesianPersonalizedRanking(f, num_threads=1, random_state=seed)
    model.fit(sp.csr_matrix(X.T, dtype=np.float32), show_progress=False)
    return model.item_factors[:, :f].astype(np.float64)  # the last column is the bias


def _ease(X, f, _, penalty=500.0):
    P = np.linalg.inv((X @ X.T).toarray() + penalty * np.eye(X.shape[0]))
    B = np.eye(len(P)) - P / np.diag(P)
    _, s, Vt = sp.linalg.svds(B, f, v0=np.ones(len(B)))  # B is not symmetric; ascending
    return (s[:, None] * Vt)[::-1].T


_OF_M = {
    "svd": lambda M, f, seed: truncated_svd(M, f, seed=seed).embeddings(),
    "svd_unscaled": lambda M, f, seed: truncated_svd(M, f, seed=seed).embeddings(0.0),
    "nmf": _nmf,
    "autoencoder": _autoencoder,
}
_OF_X = {"als": _als, "bpr": _bpr, "ease": _ease, "sgns": _sgns}
