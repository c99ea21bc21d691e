"""Continue playlists: a biased logistic matrix factorisation, its baselines and their test.

Concept. A playlist hides some of its tracks, the model sees the others and ranks the catalogue.
The slides' model gives each playlist and each track a vector and a bias, and the probability
that track t is in playlist p is sigmoid(p . t + b_p + b_t).

Conventions. As everywhere, a matrix is tracks x playlists. A *scorer* is a function that takes
playlist numbers, shape (q,), and returns scores, shape (q, n_tracks), higher is better, -inf for
a track it would not recommend: all models and baselines are scorers, made from the training
matrix alone. Ties go to the lower track. Only :func:`evaluate` sees hidden tracks, and refuses
those that the training matrix holds.

The slides report a "binary accuracy" without a definition. It cannot be the usual one, where a
constant "no" already has at least 50 %, for their 35 % would be worse. Here it is the share of
hidden (playlist, track) pairs to which a model says yes, where each model may say yes to the same
number of tracks per playlist, its ``n_yes`` best. R-precision and NDCG stand beside it.

Functions. :func:`split`, :func:`position_weights` prepare; :func:`fit` trains, and :func:`als` embeds by the usual
factorisation;
:func:`popularity`, :func:`same_label`, :func:`item_knn`, :func:`nearest_to_mean`,
:func:`nearest_to_any` and :func:`fuse` make other scorers; :func:`evaluate` and :func:`answers` measure;
:func:`parameter_count` counts.

References. Baer, Jackson, Koh, Montecillo (2022), "Spotify: How We Kept the Party Rolling", slides;
Johnson (2014), "Logistic Matrix Factorization for Implicit Feedback Data", NIPS workshop on
distributed machine learning and matrix computations.
"""

import importlib
import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.special import expit

_BATCH = 256  # playlists scored at a time


class Split(NamedTuple):
    """Three matrices of one shape, no (track, playlist) pair in two of them.

    Attributes
    ----------
    train, validation, test : scipy.sparse.csr_array, shape (n_tracks, n_playlists)
        With the values of the matrix that was split.
    """

    train: sp.csr_array
    validation: sp.csr_array
    test: sp.csr_array


def split(X, *, validation=0.1, test=0.1, seed=0):
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
        Each playlist keeps at least one track for training.

    Raises
    ------
    ValueError
        If a share is out of range, a playlist is empty, or one has nothing to hide: with fewer
        than 3 tracks no part can get one each.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> parts = split(sp.csr_array([[1, 1], [1, 1], [1, 1], [0, 1]]))
    >>> [part.sum(axis=0).tolist() for part in parts]
    [[1, 2], [1, 1], [1, 1]]
    """
    X = _checked(X)
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise ValueError(
            f"validation and test must be above 0 and together below 1, got {validation} and {test}"
        )
    size = np.bincount(X.indices, minlength=X.shape[1])
    if size.min() < 3:
        short = int(size.argmin())
        raise ValueError(
            f"playlist {short} has {size[short]} tracks: nothing to hide, since training, validation and "
            "test need one each; leave out playlists of fewer than 3 tracks"
        )
    n_test = np.clip(np.rint(test * size), 1, size - 2)
    n_validation = np.clip(np.rint(validation * size), 1, size - 1 - n_test)
    order = np.lexsort((np.random.default_rng(seed).random(X.nnz), X.indices))
    first = np.cumsum(size) - size
    rank = np.empty(X.nnz, dtype=np.int64)
    rank[order] = np.arange(X.nnz) - np.repeat(first, size)
    hidden = n_test + n_validation
    in_test = rank < n_test[X.indices]
    in_train = rank >= hidden[X.indices]
    return Split(*(_keep(X, part) for part in (in_train, ~in_train & ~in_test, in_test)))


def position_weights(X, times):
    """Weigh the tracks of a playlist by their place in it: the earlier, the more.

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
    if sp.issparse(X) and X.format == "csr" and not X.has_sorted_indices:
        raise ValueError("the matrix is not in order, so that its times cannot be; sort both")
    X = _checked(X)
    times = np.asarray(times)
    if times.shape != (X.nnz,):
        raise ValueError(f"times must have one entry for each of {X.nnz} pairs, got shape {times.shape}")
    order = np.lexsort((times, X.indices))
    size = np.bincount(X.indices, minlength=X.shape[1])
    place = np.empty(X.nnz)
    place[order] = 1 + np.arange(X.nnz) - np.repeat(np.cumsum(size) - size, size)
    weight = 1 / np.log2(1 + place)
    return sp.csr_array((weight / weight.mean(), X.indices, X.indptr), shape=X.shape)


@dataclass(frozen=True)
class LogisticMF:
    """The slides' model, fitted: sigmoid(p . t + b_p + b_t). Calling it scores, as any scorer.

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

    def __call__(self, playlists):
        """Return p . t + b_p + b_t for every track; shape (len(playlists), n_tracks)."""
        dot = self.playlists[playlists] @ self.tracks.T
        return dot + self.track_bias + self.playlist_bias[playlists][:, None]

    def probability(self, tracks, playlists):
        """Return the probability of each of parallel arrays of tracks and playlists; float64."""
        dot = np.einsum("ij,ij->i", self.tracks[tracks], self.playlists[playlists], dtype=np.float64)
        return expit(dot + self.track_bias[tracks] + self.playlist_bias[playlists])


def fit(train, *, dim=3, regularization=0.6, iterations=30, learning_rate=1.0, seed=0):
    """Fit the biased logistic matrix factorisation, on sampled negatives.

    `implicit` does it, on one thread so that a rerun gives the same model: AdaGrad steps, playlists
    and tracks in turn, on the log-likelihood of the stored pairs and of sampled negatives. Its
    0.7.3 draws ``dim + 2`` negatives per playlist and per track and pass, whatever its
    `neg_prop` says, the often stored ones more often, stored pairs among them. So probabilities of
    a model of few dimensions lean towards yes: rank by them, and see :func:`answers`.

    Parameters
    ----------
    train : sparse matrix, shape (n_tracks, n_playlists)
        Its values are weights of the pairs, above 0; 1 is the slides' binary label.
    dim : int, default 3
        Coordinates of a track and of a playlist, at least 1.
    regularization : float, default 0.6
        Weight of the squared lengths. Raise it, or lower `iterations`, against overfitting.
    iterations : int, default 30
        Passes over the pairs, at least 1.
    learning_rate : float, default 1.0
        Of AdaGrad.
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
    >>> train = sp.block_diag([[[1] * 6] * 6] * 2, format="csr")  # two kinds of playlists
    >>> model = fit(train, dim=1)
    >>> own, other = model.probability([0, 11], [0, 0])
    >>> bool(own > other)
    True
    """
    train = _checked(train)
    if dim < 1 or iterations < 1:
        raise ValueError(f"dim and iterations must be at least 1, got {dim} and {iterations}")
    if not train.data.min() > 0:
        raise ValueError(f"weights must be above 0, got {train.data.min()}")
    model = _implicit("lmf", "LogisticMatrixFactorization")(
        factors=dim,
        regularization=regularization,
        iterations=iterations,
        learning_rate=learning_rate,
        num_threads=1,
        random_state=seed,
    )
    model.fit(sp.csr_matrix(train.T, dtype=np.float32), show_progress=False)
    # implicit appends two columns: the track's bias against a constant 1, and the playlist's
    return LogisticMF(
        tracks=model.item_factors[:, :dim],
        playlists=model.user_factors[:, :dim],
        track_bias=model.item_factors[:, dim],
        playlist_bias=model.user_factors[:, dim + 1],
    )


def als(train, dim=128, *, regularization=1.0, iterations=15, seed=0):
    """Embed tracks by alternating least squares on implicit feedback, `implicit`'s.

    Parameters
    ----------
    train : sparse matrix, shape (n_tracks, n_playlists)
        Its values are confidences, above 0.
    dim : int, default 128
        Coordinates, at least 1.
    regularization : float, default 1.0
        Weight of the squared lengths. With `implicit`'s own default, 0.01, its three steps of
        conjugate gradients end far from the solution, and rounding decides the third digit of
        the factors: they differ from one CPU to another.
    iterations : int, default 15
    seed : int, default 0
        Seed of the start; one thread, so that a rerun gives the same factors.

    Returns
    -------
    numpy.ndarray, shape (n_tracks, dim), float64

    Raises
    ------
    ValueError
        If `dim` or `iterations` is below 1.

    References
    ----------
    Hu, Koren, Volinsky (2008), https://doi.org/10.1109/ICDM.2008.22.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> als(sp.block_diag([[[1] * 6] * 6] * 2, format="csr"), 4).shape
    (12, 4)
    """
    from threadpoolctl import threadpool_limits

    train = _checked(train, may_be_empty=True)
    if dim < 1 or iterations < 1:
        raise ValueError(f"dim and iterations must be at least 1, got {dim} and {iterations}")
    with threadpool_limits(1, "blas"):
        model = _implicit("als", "AlternatingLeastSquares")(
            factors=dim,
            regularization=regularization,
            iterations=iterations,
            dtype=np.float64,
            num_threads=1,
            random_state=seed,
        )
        model.fit(sp.csr_matrix(train.T, dtype=np.float32), show_progress=False)
    return model.item_factors


def parameter_count(n_playlists, n_tracks, *, dim=3):
    """Count the parameters of the slides' model, layer by layer.

    Parameters
    ----------
    n_playlists, n_tracks : int
    dim : int, default 3

    Returns
    -------
    pandas.Series of int
        One entry per layer, in the order of the slides, and ``total``.

    Examples
    --------
    >>> int(parameter_count(5000, 645_802).total)
    2603208
    """
    layers = pd.Series(
        {
            "playlist_embeddings": n_playlists * dim,
            "playlist_bias": n_playlists,
            "track_embeddings": n_tracks * dim,
            "track_bias": n_tracks,
        }
    )
    layers["total"] = layers.sum()
    return layers


# --- baselines: each returns a scorer ----------------------------------------------------------


def popularity(train):
    """Score tracks by the number of playlists that hold them, the same for every playlist.

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
    counts = _counts(_checked(train)).astype(float)
    return lambda playlists: np.tile(counts, (len(playlists), 1))


def same_label(train, labels):
    """Score tracks that share a label with a playlist's tracks: the same artist, the same album.

    Parameters
    ----------
    train : sparse matrix, shape (n_tracks, n_playlists)
    labels : array-like, shape (n_tracks,)
        Artist or album of each track; missing or "" is never shared.

    Returns
    -------
    scorer
        Number of the playlist's tracks with that label; the popular first among equals; -inf
        where there is none.

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
    code, names = pd.factorize(pd.Series(np.asarray(labels, dtype=object)).replace("", None))
    if len(code) != train.shape[0]:
        raise ValueError(f"labels must have one entry for each of {train.shape[0]} tracks, got {len(code)}")
    known = np.flatnonzero(code >= 0)
    member = sp.csr_array((np.ones(len(known)), (code[known], known)), shape=(len(names), train.shape[0]))
    shared = sp.csc_array(member @ _pattern(train))
    counts = _counts(train)
    tie_break = counts / (counts.max() + 1)

    def score(playlists):
        here = shared[:, playlists].T.toarray()
        found = np.where(code >= 0, here[:, code], 0) if len(names) else np.zeros((len(playlists), len(code)))
        return np.where(found > 0, found + tie_break, -np.inf)

    return score


def item_knn(train, *, n_neighbours=100):
    """Score tracks by the cosines of their playlists with those of the playlist's tracks.

    Parameters
    ----------
    train : sparse matrix, shape (n_tracks, n_playlists)
    n_neighbours : int, default 100
        Neighbours kept of each track, itself among them: a track is scored by those of its
        neighbours that the playlist holds.

    Returns
    -------
    scorer
        -inf where the playlist holds none of a track's neighbours.

    Raises
    ------
    ValueError
        If `n_neighbours` is below 1.

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
    if n_neighbours < 1:
        raise ValueError(f"n_neighbours must be at least 1, got {n_neighbours}")
    unit = sp.csr_array(sp.diags_array(1 / np.sqrt(np.maximum(_counts(train), 1))) @ _pattern(train))
    blocks = []
    for a in range(0, len(_counts(train)), _BATCH):
        cosine = (unit[a : a + _BATCH] @ unit.T).toarray()
        nearest = _ranked(cosine, min(n_neighbours, cosine.shape[1]))
        kept = np.zeros(cosine.shape)
        np.put_along_axis(kept, nearest, np.take_along_axis(cosine, nearest, axis=1), axis=1)
        blocks.append(sp.csr_array(kept))
    neighbours = sp.vstack(blocks, format="csr")
    tracks_of = sp.csr_array(_pattern(train).T)

    def score(playlists):
        found = (tracks_of[playlists] @ neighbours.T).toarray()
        return np.where(found > 0, found, -np.inf)

    return score


def nearest_to_mean(train, E, *, rows=None, similarity="cosine"):
    """Score tracks by their similarity to the mean embedding of a playlist's tracks.

    Parameters
    ----------
    train : sparse matrix, shape (n_tracks, n_playlists)
    E : array, shape (len(rows), d)
        Embeddings made from `train` alone.
    rows : array of int, optional
        Track of each row of E, such as `kept` of `ppmi_matrix`. Default: all tracks.
    similarity : {"cosine", "dot"}, default "cosine"

    Returns
    -------
    scorer
        -inf for tracks without an embedding, and for playlists that have none.

    Raises
    ------
    ValueError
        If E and `rows` differ in length, or `similarity` is unknown.

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> score = nearest_to_mean(sp.csr_array([[1], [1], [0]]), np.array([[1., 0.], [1., 2.], [0., 3.]]))
    >>> score([0]).round(2)
    array([[0.71, 0.95, 0.71]])
    """
    train, E, rows = _checked_rows(_checked(train), E, rows)
    if similarity not in ("cosine", "dot"):
        raise ValueError(f'similarity must be "cosine" or "dot", got {similarity!r}')
    visible = sp.csr_array(_pattern(train)[rows].T)
    candidates = _unit(E) if similarity == "cosine" else E

    def score(playlists):
        mean = visible[playlists] @ E / np.maximum(visible[playlists].sum(axis=1), 1)[:, None]
        scores = np.full((len(playlists), train.shape[0]), -np.inf)
        scores[:, rows] = (_unit(mean) if similarity == "cosine" else mean) @ candidates.T
        scores[np.diff(visible.indptr)[playlists] == 0] = -np.inf
        return scores

    return score


def nearest_to_any(train, E, *, rows=None):
    """Score tracks by their cosine with the most similar of a playlist's tracks: no mean at all.

    Parameters
    ----------
    train, E, rows
        As for :func:`nearest_to_mean`.

    Returns
    -------
    scorer
        -inf for tracks without an embedding, and for playlists that have none.

    Raises
    ------
    ValueError
        If E and `rows` differ in length.

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> score = nearest_to_any(sp.csr_array([[1], [1], [0]]), np.array([[1., 0.], [1., 2.], [0., 3.]]))
    >>> score([0]).round(2)
    array([[1.  , 1.  , 0.89]])
    """
    train, E, rows = _checked_rows(_checked(train), E, rows)
    visible = sp.csr_array(_pattern(train)[rows].T)
    unit = _unit(E)

    def score(playlists):
        scores = np.full((len(playlists), train.shape[0]), -np.inf)
        for i, playlist in enumerate(playlists):
            own = visible.indices[visible.indptr[playlist] : visible.indptr[playlist + 1]]
            if len(own):
                scores[i, rows] = (unit @ unit[own].T).max(axis=1)
        return scores

    return score


def fuse(*scorers, constant=60, depth=1000):
    """Fuse scorers by reciprocal ranks: the sum of 1 / (constant + rank) over their lists.

    Parameters
    ----------
    *scorers : scorer
        At least one.
    constant : float, default 60
        How little the first ranks stand out.
    depth : int, default 1000
        Ranks counted of each; the others add nothing.

    Returns
    -------
    scorer
        -inf for tracks on no list.

    Raises
    ------
    ValueError
        If there is no scorer, or `depth` is below 1.

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
    if not scorers or depth < 1:
        raise ValueError(f"need a scorer and a depth of at least 1, got {len(scorers)} and {depth}")

    def score(playlists):
        total = 0.0
        for scorer in scorers:
            scores = scorer(playlists)
            ranked = _ranked(scores, min(depth, scores.shape[1]))
            gain = 1 / (constant + 1 + np.arange(ranked.shape[1]))
            listed = np.isfinite(np.take_along_axis(scores, ranked, axis=1))
            part = np.zeros(scores.shape)
            np.put_along_axis(part, ranked, gain * listed, axis=1)
            total = total + part
        return np.where(total > 0, total, -np.inf)

    return score


# --- measures ----------------------------------------------------------------------------------


def evaluate(scorer, seen, hidden, *, n_yes=100, playlists=None):
    """Measure how well a scorer finds the hidden tracks of playlists.

    Parameters
    ----------
    scorer : callable
        Playlists, shape (q,), to scores, shape (q, n_tracks).
    seen, hidden : sparse matrix, shape (n_tracks, n_playlists)
        Tracks of `seen` are no candidates; those of `hidden` are to be found. At the test,
        `seen` is training and validation together. To measure on the training tracks
        themselves, pass them as `hidden` and an empty matrix as `seen`.
    n_yes : int, default 100
        Tracks that the model says yes to, per playlist.
    playlists : array of int, optional
        Those to measure on. Default: all that hide something.

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
    seen, hidden = _checked(seen, may_be_empty=True), _checked(hidden)
    if seen.shape != hidden.shape:
        raise ValueError(f"seen and hidden must have one shape, got {seen.shape} and {hidden.shape}")
    leaked = _pattern(seen).multiply(_pattern(hidden)).nnz
    if leaked:
        raise ValueError(f"{leaked} hidden pairs are among the seen ones: a leak; use the parts of one split")
    if not 1 <= n_yes <= hidden.shape[0]:
        raise ValueError(f"n_yes must be between 1 and the {hidden.shape[0]} tracks, got {n_yes}")
    known, wanted = sp.csr_array(seen.T), sp.csr_array(hidden.T)
    size = np.diff(wanted.indptr)
    playlists = np.flatnonzero(size) if playlists is None else np.asarray(playlists)
    if len(playlists) == 0 or size[playlists].min() == 0:
        empty = playlists[size[playlists] == 0][:1].tolist()
        raise ValueError(f"playlists that hide nothing cannot be measured: {empty or 'all'}")
    found, r_precision, ndcg = 0, 0.0, 0.0
    for a in range(0, len(playlists), _BATCH):
        batch = playlists[a : a + _BATCH]
        scores = np.array(scorer(batch), dtype=np.float64)
        scores[known[batch].nonzero()] = -np.inf
        h = size[batch][:, None]
        ranked = _ranked(scores, min(scores.shape[1], max(n_yes, h.max())))
        hit = np.take_along_axis(wanted[batch].toarray() != 0, ranked, axis=1)
        hit &= np.isfinite(np.take_along_axis(scores, ranked, axis=1))
        place = np.arange(ranked.shape[1])
        discount = np.where(place < n_yes, 1 / np.log2(place + 2), 0)
        ideal = np.cumsum(discount)[np.minimum(h, ranked.shape[1]) - 1]
        found += hit[:, :n_yes].sum()
        r_precision += ((hit & (place < h)).sum(axis=1) / h[:, 0]).sum()
        ndcg += ((hit * discount).sum(axis=1) / ideal[:, 0]).sum()
    return {
        "accuracy": float(found / size[playlists].sum()),
        "r_precision": float(r_precision / len(playlists)),
        "ndcg": float(ndcg / len(playlists)),
    }


def answers(model, hidden, known, *, seed=0):
    """Measure the model's plain answers: yes where the probability is above one half.

    Parameters
    ----------
    model : LogisticMF
    hidden : sparse matrix, shape (n_tracks, n_playlists)
        Pairs that deserve a yes.
    known : sparse matrix, shape (n_tracks, n_playlists)
        All pairs there are, `hidden` among them. For each hidden pair one other track of the
        catalogue is drawn that the playlist does not hold: it deserves a no.
    seed : int, default 0
        Seed of the draw.

    Returns
    -------
    dict
        ``yes_to_hidden`` and ``yes_to_others``, shares of yeses, and ``balanced``, the share of
        right answers to both kinds together.

    Raises
    ------
    ValueError
        If a playlist with hidden tracks holds the whole catalogue.

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> sure = LogisticMF(np.array([[1.], [-1.]]), np.ones((1, 1)), np.zeros(2), np.zeros(1))
    >>> answers(sure, sp.csr_array([[1], [0]]), sp.csr_array([[1], [0]]))
    {'yes_to_hidden': 1.0, 'yes_to_others': 0.0, 'balanced': 1.0}
    """
    hidden, known = _checked(hidden), sp.csc_array(_pattern(_checked(known)))
    tracks, playlists = hidden.nonzero()
    size = np.diff(known.indptr)
    full = playlists[size[playlists] == known.shape[0]]
    if len(full):
        raise ValueError(f"playlist {full[0]} holds all {known.shape[0]} tracks: there is no other to draw")
    known.sort_indices()
    # the u-th track that a playlist lacks: u plus the number of its tracks that come before
    draw = np.random.default_rng(seed).integers(known.shape[0] - size[playlists])
    others = np.empty_like(tracks)
    for i, (u, playlist) in enumerate(zip(draw, playlists)):
        own = known.indices[known.indptr[playlist] : known.indptr[playlist + 1]]
        others[i] = u + np.searchsorted(own - np.arange(len(own)), u, side="right")
    yes, wrong = ((model.probability(t, playlists) > 0.5).mean() for t in (tracks, others))
    return {
        "yes_to_hidden": float(yes),
        "yes_to_others": float(wrong),
        "balanced": float((yes + 1 - wrong) / 2),
    }


def _implicit(module, name):
    """A model of `implicit`, imported late and without the warnings of its progress bars."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(importlib.import_module(f"implicit.{module}"), name)


def _ranked(scores, depth):
    """The `depth` best tracks of each row, best first, ties by track."""
    # one whole number per score, in the order of (score, then lower track): no ties are left
    bits = np.ascontiguousarray(scores, dtype=np.float32).view(np.int32).astype(np.int64)
    key = np.where(bits < 0, -(2**31) - bits, bits) * 2**32 - np.arange(scores.shape[1])
    if depth < scores.shape[1]:
        best = np.argpartition(-key, depth - 1, axis=1)[:, :depth]
    else:
        best = np.tile(np.arange(depth), (len(scores), 1))
    order = np.argsort(-np.take_along_axis(key, best, axis=1), axis=1)
    return np.take_along_axis(best, order, axis=1)


def _checked(X, *, may_be_empty=False):
    if not sp.issparse(X) or X.ndim != 2 or 0 in X.shape:
        raise TypeError(f"need a sparse matrix of tracks x playlists, got {type(X).__name__}")
    X = sp.csr_array(X)
    if not X.has_canonical_format:
        stored, X = X.nnz, X.copy()
        X.sum_duplicates()
        if X.nnz < stored:
            raise ValueError("the matrix holds a pair twice; call its sum_duplicates() first")
    if not may_be_empty:
        size = np.bincount(X.indices, minlength=X.shape[1])
        if size.min() == 0:
            raise ValueError(f"playlist {int(size.argmin())} is empty; leave such playlists out")
    return X


def _checked_rows(train, E, rows):
    E = np.asarray(E, dtype=np.float64)
    rows = np.arange(train.shape[0]) if rows is None else np.asarray(rows)
    if E.ndim != 2 or len(E) != len(rows):
        raise ValueError(f"E must have one row for each of {len(rows)} tracks, got shape {E.shape}")
    return train, E, rows


def _keep(X, part):
    row, col = X.nonzero()
    return sp.csr_array((X.data[part], (row[part], col[part])), shape=X.shape)


def _pattern(X):
    return sp.csr_array((np.ones(X.nnz), X.indices, X.indptr), shape=X.shape)


def _counts(X):
    return np.diff(X.indptr)


def _unit(E):
    norm = np.linalg.norm(E, axis=1, keepdims=True)
    return E / np.where(norm > 0, norm, 1)
