"""Continue playlists: a biased logistic matrix factorisation, its baselines and their evaluation.

Concept. A playlist hides some of its tracks, the model sees the others and ranks the catalogue.
The slides' model gives each playlist and each track a vector and a bias, and the probability
that track t is in playlist p is sigmoid(p . t + b_p + b_t).

Conventions. As everywhere, a matrix is tracks x playlists. A *scorer* is a function that takes playlist
numbers, shape (q,), and returns scores, shape (q, n_tracks), higher is better, -inf for a track it would
not recommend: all models and baselines are scorers, made from the training matrix alone. Ties go to the
lower track. Only :func:`evaluate` sees hidden tracks, and refuses those in the training matrix.

The slides report a "binary accuracy" without a definition. It cannot be the usual one, where a
constant "no" already has at least 50 %, for their 35 % would be worse. Here it is the share of
hidden (playlist, track) pairs to which a model says yes, where each model may say yes to the same
number of tracks per playlist, its ``n_yes`` best. R-precision and NDCG are reported with it.

Functions. :func:`split`, :func:`position_weights` prepare; :func:`fit` trains;
:func:`popularity`, :func:`same_label`, :func:`item_knn`, :func:`nearest` and :func:`fuse` make
other scorers; :func:`evaluate` measures.

References. Baer, Jackson, Koh, Montecillo (2022), "Spotify: How We Kept the Party Rolling", slides;
Johnson (2014), "Logistic Matrix Factorization for Implicit Feedback Data", NIPS workshop on
distributed machine learning and matrix computations.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.special import expit

from spikylib._arrays import unit_rows
from spikylib._checks import check_choice, check_range

Scorer = Callable[[np.ndarray], np.ndarray]

_BATCH = 256  # playlists scored at a time: bounds the memory
_NEIGHBOURS = 100  # of a track in `item_knn`: more add noise and little recall
# of reciprocal rank fusion: how little the first ranks stand out, as in its paper, and the ranks
# counted, beyond which a rank adds less than a thousandth
_FUSION_CONSTANT, _FUSION_DEPTH = 60, 1000


class Split(NamedTuple):
    """Three csr matrices, shape (n_tracks, n_playlists), that share no pair; values are kept."""

    train: sp.csr_array
    validation: sp.csr_array
    test: sp.csr_array


def split(X: sp.csr_array, *, validation: float = 0.1, test: float = 0.1, seed: int = 0) -> Split:
    """Hide tracks of every playlist, some for validation and some for the test.

    Parameters
    ----------
    X : sparse matrix, shape (n_tracks, n_playlists)
        Stored entries are the tracks of a playlist; their values are kept.
    validation, test : float, default 0.1
        Share of each playlist's tracks to hide, rounded, but at least one track. Together
        below 1.
    seed : int, default 0
        Seed of the choice.

    Returns
    -------
    Split
        ``train``, ``validation``, ``test``; each playlist keeps at least one track for training.

    Raises
    ------
    ValueError
        If a share is out of range, or a playlist has fewer than 3 tracks, one for each part.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> parts = split(sp.csr_array([[1, 1], [1, 1], [1, 1], [0, 1]]))
    >>> [part.sum(axis=0).tolist() for part in parts]
    [[1, 2], [1, 1], [1, 1]]
    """
    X = _checked(X, 3)  # one each for training, validation and test
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise ValueError(f"validation and test must be above 0 and sum to < 1, got {validation} and {test}")
    size = np.bincount(X.indices)
    n_test = np.clip(np.rint(test * size), 1, size - 2)
    n_hidden = n_test + np.clip(np.rint(validation * size), 1, size - 1 - n_test)
    place = _places(X, np.random.default_rng(seed).random(X.nnz))
    part = (place >= n_test[X.indices]).astype(int) + (place >= n_hidden[X.indices])  # test first
    row, col = X.tocoo().coords
    masks = (part == k for k in (2, 1, 0))
    return Split(*(sp.csr_array((X.data[mask], (row[mask], col[mask])), X.shape) for mask in masks))


def position_weights(X: sp.csr_array, times: np.ndarray) -> sp.csr_array:
    """Weight the tracks of a playlist by position: the earlier, the heavier.

    Parameters
    ----------
    X : sparse matrix, shape (n_tracks, n_playlists)
    times : array, shape (X.nnz,)
        When each stored entry was played, in the order of ``X.data``, as in `Interactions.times`.

    Returns
    -------
    scipy.sparse.csr_array, shape (n_tracks, n_playlists), float64
        1 / log2(1 + place), places from 1, divided by the mean of all so that the mean
        weight is 1; for :func:`fit`.

    Raises
    ------
    ValueError
        If `times` does not have one entry per stored entry, or those are not sorted.

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> position_weights(sp.csr_array([[1], [1], [1]]), np.array([30, 10, 20])).data.round(2)
    array([0.7 , 1.41, 0.89])
    """
    # sorting here would part the entries from their times
    if sp.issparse(X) and X.format == "csr" and not X.has_sorted_indices:
        raise ValueError("the indices of the matrix are not sorted, so its times are not either; sort both")
    X = _checked(X)
    times = np.asarray(times)
    if times.shape != (X.nnz,):
        raise ValueError(f"times must have one entry for each of {X.nnz} pairs, got shape {times.shape}")
    weight = 1 / np.log2(2 + _places(X, times))
    return sp.csr_array((weight / weight.mean(), X.indices, X.indptr), shape=X.shape)


@dataclass(frozen=True)
class LogisticMF:
    """The slides' model, fitted: sigmoid(p . t + b_p + b_t). It is a scorer: calling it returns scores.

    Attributes
    ----------
    tracks : numpy.ndarray, shape (n_tracks, dim), float32
    playlists : numpy.ndarray, shape (n_playlists, dim), float32
    track_bias : numpy.ndarray, shape (n_tracks,), float32
    playlist_bias : numpy.ndarray, shape (n_playlists,), float32
    """

    tracks: np.ndarray
    playlists: np.ndarray
    track_bias: np.ndarray
    playlist_bias: np.ndarray

    def __call__(self, playlists: np.ndarray) -> np.ndarray:
        """Return p . t + b_p + b_t for every track; shape (len(playlists), n_tracks)."""
        dot = self.playlists[playlists] @ self.tracks.T
        return dot + self.track_bias + self.playlist_bias[playlists][:, None]

    def probability(self, tracks: np.ndarray, playlists: np.ndarray) -> np.ndarray:
        """Return the probability of each pair of ``tracks[i]`` and ``playlists[i]``; float64."""
        dot = np.einsum("ij,ij->i", self.tracks[tracks], self.playlists[playlists], dtype=np.float64)
        return expit(dot + self.track_bias[tracks] + self.playlist_bias[playlists])


def fit(
    train: sp.csr_array, *, dim: int = 3, regularization: float = 0.6, iterations: int = 30, seed: int = 0
) -> LogisticMF:
    """Fit the biased logistic matrix factorisation, on sampled negatives.

    `implicit` fits it, on one thread so that a rerun gives the same model: AdaGrad steps, playlists and
    tracks in turn, on the log-likelihood of the stored pairs and of sampled negatives. Its version 0.7.3
    draws ``dim + 2`` negatives per playlist and per track in each pass, whatever `neg_prop` is: frequent
    ones more often, and stored pairs among them. So the probabilities of a model of few dimensions are too
    high: use them to rank.

    Parameters
    ----------
    train : sparse matrix, shape (n_tracks, n_playlists)
        Its values are weights of the pairs, above 0; 1 is the slides' binary label.
    dim : int, default 3
        Coordinates of a track and of a playlist, at least 1.
    regularization : float, default 0.6
        L2 regularisation. Raise it, or lower `iterations`, against overfitting.
    iterations : int, default 30
        Passes over the pairs, at least 1.
    seed : int, default 0
        Seed of the start and of the negatives drawn.

    Returns
    -------
    LogisticMF

    Raises
    ------
    ValueError
        If `dim` or `iterations` is below 1, a weight is not above 0, or a playlist is empty.

    References
    ----------
    Johnson (2014), section 3; slides, "Final model specification".

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> train = sp.block_diag([sp.csr_array([[1] * 6] * 6)] * 2, format="csr")  # two kinds of playlists
    >>> model = fit(train, dim=1)
    >>> own, other = model.probability([0, 11], [0, 0])
    >>> bool(own > other)
    True
    """
    train = _checked(train)
    check_range("dim and iterations", [dim, iterations], 1)
    if not train.data.min() > 0:
        raise ValueError(f"weights must be above 0, got {train.data.min()}")
    with warnings.catch_warnings(action="ignore"):  # its progress bars ask for another package
        from implicit.lmf import LogisticMatrixFactorization
    model = LogisticMatrixFactorization(
        dim, regularization=regularization, iterations=iterations, num_threads=1, random_state=seed
    )
    model.fit(sp.csr_matrix(train.T, dtype=np.float32), show_progress=False)
    # implicit appends two columns: the track's bias against a constant 1, and the playlist's
    tracks, playlists = model.item_factors, model.user_factors
    return LogisticMF(tracks[:, :dim], playlists[:, :dim], tracks[:, dim], playlists[:, dim + 1])


# --- baselines: each returns a scorer ----------------------------------------------------------


def popularity(train: sp.csr_array) -> Scorer:
    """Score tracks by the number of playlists that contain them, the same for every playlist.

    Parameters
    ----------
    train : sparse matrix, shape (n_tracks, n_playlists)

    Returns
    -------
    scorer

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> popularity(sp.csr_array([[0, 1], [1, 1]]))([0, 1])
    array([[1., 2.],
           [1., 2.]])
    """
    counts = np.diff(_checked(train).indptr).astype(float)
    return lambda playlists: np.tile(counts, (len(playlists), 1))


def same_label(train: sp.csr_array, labels: np.ndarray | pd.Series) -> Scorer:
    """Score tracks that share a label with a playlist's tracks: the same artist, the same album.

    Parameters
    ----------
    train : sparse matrix, shape (n_tracks, n_playlists)
    labels : array-like, shape (n_tracks,)
        Artist or album of each track; missing or "" is never shared.

    Returns
    -------
    scorer
        Number of the playlist's tracks with that label; popularity breaks ties; -inf where there are none.

    Raises
    ------
    ValueError
        If there is not one label per track.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> same_label(sp.csr_array([[1], [0], [0]]), ["abba", "abba", "beck"])([0]).tolist()
    [[1.5, 1.0, -inf]]
    """
    train = _checked(train)
    n_tracks = train.shape[0]
    code, _ = pd.factorize(pd.Series(np.asarray(labels, dtype=object)).replace("", None))
    if len(code) != n_tracks:
        raise ValueError(f"labels must have one entry for each of {n_tracks} tracks, got {len(code)}")
    # a missing label has code -1: column 0, which stays empty, so that nothing is found for it
    carries = sp.csr_array(((code >= 0).astype(float), (np.arange(n_tracks), code + 1)))
    shared = sp.csr_array(_pattern(train).T @ carries)
    counts = np.diff(train.indptr)
    tie_break = counts / (counts.max() + 1)

    def score(playlists: np.ndarray) -> np.ndarray:
        found = shared[playlists].toarray()[:, code + 1]
        return np.where(found > 0, found + tie_break, -np.inf)

    return score


def item_knn(train: sp.csr_array) -> Scorer:
    """Score tracks by their cosines, as rows of the training matrix, with the playlist's tracks.

    The score is the sum of the cosines with those of its 100 nearest tracks, itself among them, that are in
    the playlist.

    Parameters
    ----------
    train : sparse matrix, shape (n_tracks, n_playlists)

    Returns
    -------
    scorer
        -inf where none of a track's neighbours is in the playlist.

    References
    ----------
    Sarwar, Karypis, Konstan, Riedl (2001), https://doi.org/10.1145/371920.372071.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> item_knn(sp.csr_array([[1, 1, 0], [1, 0, 0], [0, 0, 1]]))([1]).round(2).tolist()
    [[1.0, 0.71, -inf]]
    """
    train = _checked(train)
    counts = np.diff(train.indptr)
    unit = sp.csr_array(sp.diags_array(1 / np.sqrt(np.maximum(counts, 1))) @ _pattern(train))
    blocks = []
    for a in range(0, len(counts), _BATCH):
        cosine = (unit[a : a + _BATCH] @ unit.T).toarray()
        kept, near = np.zeros(cosine.shape), _ranked(cosine, _NEIGHBOURS)
        kept[near] = cosine[near]
        blocks.append(sp.csr_array(kept))
    neighbours = sp.vstack(blocks, format="csr")
    tracks_of = sp.csr_array(_pattern(train).T)

    def score(playlists: np.ndarray) -> np.ndarray:
        found = (tracks_of[playlists] @ neighbours.T).toarray()
        return np.where(found > 0, found, -np.inf)

    return score


def nearest(
    train: sp.csr_array,
    E: np.ndarray,
    *,
    rows: np.ndarray | None = None,
    to: str = "mean",
    similarity: str = "cosine",
) -> Scorer:
    """Score tracks by the similarity of their embeddings to those of a playlist's tracks.

    Parameters
    ----------
    train : sparse matrix, shape (n_tracks, n_playlists)
    E : array, shape (len(rows), d)
        Embeddings made from `train` alone, finite.
    rows : array of int, optional
        Track of each row of E, such as `kept` of `ppmi_matrix`. Default: all tracks.
    to : {"mean", "any"}, default "mean"
        Similarity to the mean of the playlist's embeddings, or to the most similar of them.
    similarity : {"cosine", "dot"}, default "cosine"

    Returns
    -------
    scorer
        -inf for tracks without an embedding or with one of norm zero, and for playlists of only such
        tracks.

    Raises
    ------
    ValueError
        If E and `rows` differ in length, E is not finite, or `to` or `similarity` is unknown.

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> train, E = sp.csr_array([[1], [1], [0]]), np.array([[1., 0.], [1., 2.], [0., 3.]])
    >>> nearest(train, E)([0]).round(2), nearest(train, E, to="any")([0]).round(2)
    (array([[0.71, 0.95, 0.71]]), array([[1.  , 1.  , 0.89]]))
    """
    train, E = _checked(train), np.asarray(E, dtype=np.float64)
    n_tracks = train.shape[0]
    rows = np.arange(n_tracks) if rows is None else np.asarray(rows)
    if len(E) != len(rows):
        raise ValueError(f"E must have one row for each of {len(rows)} tracks, got shape {E.shape}")
    check_choice("to", to, "mean", "any")
    check_choice("similarity", similarity, "cosine", "dot")
    unit = unit_rows(E)
    alive = unit.any(axis=1)
    rows, E, unit = rows[alive], E[alive], unit[alive]
    candidates = unit if similarity == "cosine" else E
    visible = sp.csr_array(_pattern(train)[rows].T)
    longest = E[[np.linalg.norm(E, axis=1).argmax()]]

    def to_mean(own):
        mean = own @ E / np.maximum(own.sum(axis=1), 1)[:, None]
        # beside the longest track, so that a mean near zero has no direction, whatever the batch
        direction = unit_rows(np.vstack([longest, mean]))[1:]
        scores = (direction if similarity == "cosine" else mean) @ candidates.T
        return np.where(direction.any(axis=1)[:, None], scores, -np.inf)

    def to_any(own):
        lists = np.split(own.indices, own.indptr[1:-1])
        return np.array([(candidates @ candidates[i].T).max(axis=1, initial=-np.inf) for i in lists])

    def score(playlists: np.ndarray) -> np.ndarray:
        scores = np.full((len(playlists), n_tracks), -np.inf)
        scores[:, rows] = (to_mean if to == "mean" else to_any)(visible[playlists])
        return scores

    return score


def fuse(scorer: Scorer, *others: Scorer) -> Scorer:
    """Fuse scorers by reciprocal ranks: the sum of 1 / (60 + rank) over their first 1000 tracks.

    Parameters
    ----------
    scorer, *others : scorer

    Returns
    -------
    scorer
        -inf for tracks on no list.

    References
    ----------
    Cormack, Clarke, Büttcher (2009), https://doi.org/10.1145/1571941.1572114.

    Examples
    --------
    >>> import numpy as np
    >>> a, b = (lambda playlists, row=row: np.array([row]) for row in ([3., 2., 1.], [1., 3., -np.inf]))
    >>> fuse(a, b)([0]).round(4)
    array([[0.0325, 0.0325, 0.0159]])
    """

    def score(playlists: np.ndarray) -> np.ndarray:
        by_scorer = [one(playlists) for one in (scorer, *others)]
        total = np.zeros(by_scorer[0].shape)
        for scores in by_scorer:
            ranked = _ranked(scores, _FUSION_DEPTH)
            listed = np.isfinite(scores[ranked])
            total[ranked] += listed / (_FUSION_CONSTANT + 1 + np.arange(listed.shape[1]))
        return np.where(total > 0, total, -np.inf)

    return score


# --- measures ----------------------------------------------------------------------------------


def evaluate(
    scorer: Scorer,
    seen: sp.csr_array,
    hidden: sp.csr_array,
    *,
    n_yes: int = 100,
    playlists: np.ndarray | None = None,
) -> dict[str, float]:
    """Measure how well a scorer finds the hidden tracks of playlists.

    Parameters
    ----------
    scorer : callable
        Playlists, shape (q,), to scores, shape (q, n_tracks).
    seen, hidden : sparse matrix, shape (n_tracks, n_playlists)
        Tracks of `seen` are not candidates; those of `hidden` are to be found. In the test, `seen` is
        training and validation together. To measure on the training tracks themselves, pass them as
        `hidden` and an empty matrix as `seen`.
    n_yes : int, default 100
        Tracks that the model says yes to, per playlist.
    playlists : array of int, optional
        Playlists to measure on. Default: all.

    Returns
    -------
    dict
        ``accuracy``, the share of hidden pairs among the yeses; ``r_precision``, the share of a
        playlist's h hidden tracks among the first h candidates, and ``ndcg`` of the first n_yes,
        both averaged over playlists. Memory: about 30 bytes for each of 256 n_tracks scores.

    Raises
    ------
    ValueError
        If the shapes differ, a pair is both seen and hidden (a leak), a playlist hides
        nothing, or `n_yes` is out of range.

    References
    ----------
    Zamani, Schedl, Lamere, Chen (2019), https://doi.org/10.1145/3344257, section 3.3, for
    R-precision and NDCG of playlist continuation.

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> seen, hidden = sp.csr_array([[1], [0], [0], [0]]), sp.csr_array([[0], [0], [1], [0]])
    >>> found = evaluate(lambda playlists: np.array([[9., 3., 2., 1.]]), seen, hidden, n_yes=2)
    >>> found["accuracy"], found["r_precision"], round(found["ndcg"], 2)
    (1.0, 0.0, 0.63)
    """
    seen, hidden = _checked(seen, 0), _checked(hidden)
    if seen.shape != hidden.shape:
        raise ValueError(f"seen and hidden must have one shape, got {seen.shape} and {hidden.shape}")
    leaked = _pattern(seen).multiply(_pattern(hidden)).nnz
    if leaked:
        raise ValueError(f"{leaked} hidden pairs are among the seen ones: a leak; use the parts of one split")
    check_range("n_yes", n_yes, 1, hidden.shape[0], "tracks")
    known, wanted = sp.csr_array(seen.T), sp.csr_array(hidden.T)
    size = np.diff(wanted.indptr)
    playlists = np.arange(len(size)) if playlists is None else np.asarray(playlists)
    found, r_precision, ndcg = 0, 0.0, 0.0
    for a in range(0, len(playlists), _BATCH):
        batch = playlists[a : a + _BATCH]
        scores = np.array(scorer(batch), dtype=np.float64)
        scores[known[batch].nonzero()] = -np.inf
        h = size[batch][:, None]
        ranked = _ranked(scores, max(n_yes, h.max()))
        # a list may be filled up with tracks that the scorer would not recommend
        hit = (wanted[batch].toarray() != 0)[ranked] & np.isfinite(scores[ranked])
        place = np.arange(hit.shape[1])
        discount = np.where(place < n_yes, 1 / np.log2(place + 2), 0)
        ideal = np.cumsum(discount)[np.minimum(h, len(place)) - 1]
        found += hit[:, :n_yes].sum()
        r_precision += ((hit & (place < h)).sum(axis=1) / h[:, 0]).sum()
        ndcg += ((hit * discount).sum(axis=1) / ideal[:, 0]).sum()
    means = found / size[playlists].sum(), r_precision / len(playlists), ndcg / len(playlists)
    return dict(zip(("accuracy", "r_precision", "ndcg"), map(float, means)))


def _places(X, key):
    """Place of each stored entry in its playlist by increasing key, from 0."""
    rank = pd.Series(key).groupby(X.indices).rank(method="first", na_option="bottom")
    return rank.to_numpy(dtype=np.int64) - 1


def _ranked(scores, depth):
    """Index of the `depth` best tracks of each row, or all, best first, ties by track."""
    # one whole number per score, in the order of (score, then lower track): no ties are left
    bits = np.ascontiguousarray(scores, dtype=np.float32).view(np.int32).astype(np.int64)
    # the bits of negative floats grow with their magnitude, so their order is reversed
    key = np.where(bits < 0, -(2**31) - bits, bits) * 2**32 - np.arange(scores.shape[1])
    depth = min(depth, scores.shape[1])
    best = np.argpartition(-key, depth - 1, axis=1)[:, :depth]
    row = np.arange(len(key))[:, None]
    return row, best[row, np.argsort(-key[row, best], axis=1)]


def _checked(X, fewest=1):
    if not sp.issparse(X) or X.ndim != 2 or 0 in X.shape:
        raise TypeError(f"need a sparse matrix of tracks x playlists, got {type(X).__name__}")
    X = sp.csr_array(X)
    if not X.has_canonical_format:
        stored, X = X.nnz, X.copy()
        X.sum_duplicates()
        if X.nnz < stored:
            raise ValueError("the matrix contains a pair twice; call its sum_duplicates() first")
    size = np.bincount(X.indices, minlength=X.shape[1])
    if size.min() < fewest:
        p = size.argmin()
        raise ValueError(f"playlist {p} has {size[p]} tracks, fewer than {fewest}; leave such playlists out")
    return X


def _pattern(X):
    return sp.csr_array((np.ones(X.nnz), X.indices, X.indptr), shape=X.shape)
