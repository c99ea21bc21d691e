"""Generate catalogues and matrices for which the answer is known.

Functions. :func:`playlists` makes a catalogue like real ones: dated, communities that overlap,
uneven noise. In that of :func:`clean_playlists` every item is of one community, and in that of
:func:`drifting_playlists` communities are born, fade and come back. :func:`planted_spikes` makes a
matrix whose embeddings form spikes exactly, :func:`planted_shapes` one whose communities spread out
in other ways.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from spikylib._arrays import unit_rows
from spikylib._checks import check_choice, check_range
from spikylib._interactions import Interactions, build

_MONTH = 2629746  # seconds: a twelfth of the mean Gregorian year
_START = np.datetime64("2022-01-01", "s")
_MONTHS = 24  # months in the span of `playlists`
_SIZES = 0.6  # community k of `playlists` has a share proportional to k^-0.6
_RAMP = 0.02  # a community rises or fades over a few times this share of the span
_AFTERGLOW = 0.03  # share of its former plays that a faded community keeps
_SHARED = 0.2  # of the weight of a spike's direction, over all axes: communities have links
_WIDTH = 0.3  # for how long a drifting community stays alike, as a share of its span


def playlists(
    *,
    n_items: int = 3000,
    n_contexts: int = 8000,
    n_communities: int = 200,
    mean_length: float = 15,
    popularity_exponent: float = 0.6,
    overlap: float = 0.5,
    noise: float = 0.12,
    drift: float = 1.0,
    arriving: float = 0.2,
    seed: int = 0,
) -> Interactions:
    """Generate dated playlists that are as untidy as real ones.

    The shares of the communities in an item, and in a playlist, are a draw from a Dirichlet distribution
    in which community k has a mean share proportional to k^-0.6. A draw of a playlist picks one of its
    communities, then an item by its share in that community times its popularity. The item of number
    r - 1 has popularity r^-popularity_exponent; over two years, month by month, the logarithms of all
    popularities and of the strengths of the communities walk at random. Lengths are geometric.

    The defaults are such that Spk@128, Spk of the columns 113 to 128 alone, the share of M-hat^2 inside
    spikes, and the R^2 of the DCBM between spikes lie where those of real catalogues of music do.

    Parameters
    ----------
    n_items : int, default 3000
        Items in the catalogue, at least two per community. Items never drawn are left out.
    n_contexts : int, default 8000
        Playlists, at least 1; evenly spread over the 24 months, one date each.
    n_communities : int, default 200
        Communities, at least 1.
    mean_length : float, default 15
        Mean number of draws per playlist, at least 1; an item drawn twice counts once.
    popularity_exponent : float, default 0.6
        0 makes all items equally popular in the first month.
    overlap : float, default 0.5
        Sum of the Dirichlet parameters, at least 0.001. The chance that two draws of the shares of
        one item are of one community is about 1 / (1 + overlap).
    noise : float, default 0.12
        Mean share of an item or a playlist that is spread over all communities, 0 to 1. It is uneven:
        near 0 in most of them, near 1 in some.
    drift : float, default 1.0
        Standard deviation of the change of a log popularity or strength over the span, 0 or more.
    arriving : float, default 0.2
        Share of the items that arrive in a random month, 0 to 1.
    seed : int, default 0
        Seed of the generator.

    Returns
    -------
    Interactions
        Dated. ``.items`` contains the truth: ``community``, that of the largest share; ``membership``,
        this share; ``popularity``, relative to the sum, mean of the months; ``arrives``, the first
        month, from 0, in which the item can be played.

    Raises
    ------
    ValueError
        An option out of range.

    References
    ----------
    Airoldi, Blei, Fienberg, Xing (2008), "Mixed membership stochastic blockmodels", JMLR 9.

    Examples
    --------
    >>> data = playlists(n_items=500, n_contexts=800, n_communities=8)
    >>> data.items.columns.to_list()
    ['id', 'title', 'community', 'membership', 'popularity', 'arrives']
    >>> data.times.min() >= np.datetime64("2022-01-01"), data.times.max() < np.datetime64("2024-01-02")
    (np.True_, np.True_)
    """
    _check_playlists(n_items, n_contexts, n_communities, mean_length, popularity_exponent, noise)
    check_range("overlap", overlap, 1e-3)
    check_range("drift", drift, 0)
    check_range("arriving", arriving, 0, 1)
    rng = np.random.default_rng(seed)
    share = np.arange(1, n_communities + 1) ** -_SIZES
    share /= share.sum()
    member = _memberships(rng, n_items, share, overlap, noise)
    taste = _memberships(rng, n_contexts, share, overlap, noise)
    # the steps of a random walk add up in variance: over all months, to drift^2
    step = drift / np.sqrt(_MONTHS) * rng.standard_normal((_MONTHS, n_items + n_communities))
    popular, strength = np.split(np.exp(np.cumsum(step, axis=0)), [n_items], axis=1)
    arrives = np.where(rng.random(n_items) < arriving, rng.integers(0, _MONTHS, n_items), 0)
    arrives[0] = 0  # something is always there
    popular *= np.arange(1, n_items + 1) ** -float(popularity_exponent)
    popular[np.arange(_MONTHS)[:, None] < arrives] = 0
    date = np.sort(rng.random(n_contexts)) * _MONTHS  # in months
    playlist = np.repeat(np.arange(n_contexts), rng.geometric(1 / mean_length, n_contexts))
    month = date.astype(int)
    community = _pick(rng, taste * strength[month], playlist)
    edge = np.searchsorted(month[playlist], np.arange(_MONTHS + 1))
    now = zip(popular, np.split(community, edge[1:-1]), strict=True)
    item = np.concatenate([_pick(rng, member.T * weight, drawn) for weight, drawn in now])
    times = _START + (date * _MONTH).astype("timedelta64[s]")[playlist]
    data = build(item, playlist, times=times, name="synthetic")
    mean = (popular / popular.sum(axis=1, keepdims=True)).mean(axis=0)
    truth = {"membership": member.max(axis=1), "popularity": mean, "arrives": arrives}
    return _labelled(data, member.argmax(axis=1), **truth)


def clean_playlists(
    *,
    n_items: int = 6000,
    n_contexts: int = 15000,
    n_communities: int = 60,
    mean_length: float = 15,
    popularity_exponent: float = 1.0,
    noise: float = 0.1,
    seed: int = 0,
) -> Interactions:
    """Generate playlists of items that are of one community (genre) each, of varying popularity.

    Community k has a size proportional to k^-0.8, and as large a share of the playlists.
    Within a community the item of rank r is drawn with weight r^-popularity_exponent. A
    playlist has one community, or two in 30 % of cases, and 1 + Poisson(mean_length - 1)
    draws; each draw is, with probability `noise`, from the whole catalogue instead.

    Parameters
    ----------
    n_items : int, default 6000
        Items in the catalogue, at least two per community. Items never drawn are left out.
    n_contexts : int, default 15000
        Playlists, at least 1.
    n_communities : int, default 60
        Communities, at least 1.
    mean_length : float, default 15
        Mean number of draws per playlist, at least 1; an item drawn twice counts once.
    popularity_exponent : float, default 1.0
        0 makes all items of a community equally popular.
    noise : float, default 0.1
        Share of draws made without regard to the communities, 0 to 1.
    seed : int, default 0
        Seed of the generator.

    Returns
    -------
    Interactions
        ``.items`` contains the truth: ``community``, and ``popularity``, the probability of the
        item in a draw from the whole catalogue.

    Raises
    ------
    ValueError
        An option out of range.

    Examples
    --------
    >>> data = clean_playlists(n_items=500, n_contexts=800, n_communities=8)
    >>> data.items.columns.to_list()
    ['id', 'title', 'community', 'popularity']
    >>> int(data.items.community.nunique())
    8
    """
    _check_playlists(n_items, n_contexts, n_communities, mean_length, popularity_exponent, noise)
    rng = np.random.default_rng(seed)
    community, popularity = _genres(n_items, n_communities, popularity_exponent)
    draws, playlist = _draw_playlists(rng, community, popularity, n_contexts, mean_length, noise)
    data = build(draws, playlist, name="synthetic-clean")
    return _labelled(data, community, popularity=popularity)


def drifting_playlists(
    *,
    n_items: int = 6000,
    n_contexts: int = 30000,
    n_communities: int = 60,
    mean_length: float = 15,
    popularity_exponent: float = 1.0,
    noise: float = 0.1,
    n_months: int = 24,
    drift: float = 1.0,
    changing: float = 0.3,
    arriving: float = 0.2,
    start: str | pd.Timestamp = "2022-01-01",
    seed: int = 0,
) -> Interactions:
    """Generate dated playlists: popularity drifts, communities come and go, items arrive.

    Months have equal length and equally many playlists, drawn as those of :func:`clean_playlists` from the
    popularities of the month. Within its community an item's weight is r^-popularity_exponent times the
    exponential of a random walk. A third of the `changing` communities is born during the span, a third
    fades to 3 % of its plays, and a third fades and comes back. A share `arriving` of the items is played
    only from some month on. With ``drift=0, changing=0, arriving=0`` nothing changes: all differences are
    chance.

    Parameters
    ----------
    n_items, n_contexts, n_communities, mean_length, popularity_exponent, noise
        As for :func:`clean_playlists`; `n_contexts` is the total of all months.
    n_months : int, default 24
        Length of the span, at least 1.
    drift : float, default 1.0
        Standard deviation of the change of an item's log weight over the whole span, 0 or more.
    changing : float, default 0.3
        Share of the communities that are born, fade, or fade and come back, 0 to 1. The largest
        community is always steady.
    arriving : float, default 0.2
        Share of the items that arrive after the first month, 0 to 1. The first item of each
        community is always there.
    start : str or pandas.Timestamp, default "2022-01-01"
        First day.
    seed : int, default 0
        Seed of the generator.

    Returns
    -------
    Interactions
        Dated. ``.items`` contains the truth: ``community``, ``fate`` of the community (steady, born,
        fades, returns), ``popularity``, the mean over the months of the probability in a draw, and
        ``arrives``, the first month in which the item can be played.

    Raises
    ------
    ValueError
        An option out of range.

    Examples
    --------
    >>> data = drifting_playlists(n_items=500, n_contexts=900, n_communities=16, n_months=6)
    >>> data.times.min() >= np.datetime64("2022-01-01"), data.times.max() < np.datetime64("2022-07-03")
    (np.True_, np.True_)
    >>> sorted(data.items.fate.unique())
    ['born', 'fades', 'returns', 'steady']
    """
    _check_playlists(n_items, n_contexts, n_communities, mean_length, popularity_exponent, noise)
    check_range("n_months", n_months, 1)
    check_range("n_contexts", n_contexts, n_months)
    check_range("drift", drift, 0)
    check_range("changing", changing, 0, 1)
    check_range("arriving", arriving, 0, 1)
    rng = np.random.default_rng(seed)
    community, weight = _genres(n_items, n_communities, popularity_exponent)
    share = np.bincount(community, weights=weight)
    fate, strength = _histories(rng, n_communities, n_months, changing)
    arrives = np.where(rng.random(n_items) < arriving, rng.integers(0, n_months, n_items), 0)
    arrives[np.flatnonzero(np.diff(community, prepend=-1))] = 0  # the first of a community is always there
    log_weight = np.log(weight)
    draws, mean = [], np.zeros(n_items)
    first = np.linspace(0, n_contexts, n_months + 1).astype(int)
    for month, n_playlists in enumerate(np.diff(first)):
        if month:
            # the steps of a random walk add up in variance: over all months, to drift^2
            log_weight += drift / np.sqrt(n_months) * rng.standard_normal(n_items)
        now = np.exp(log_weight) * (arrives <= month)
        # what walks and arrivals do to a community's weight is undone: its share is the history's alone
        now *= (strength[:, month] * share / np.bincount(community, weights=now))[community]
        mean += now / now.sum() / n_months
        items, number = _draw_playlists(rng, community, now, n_playlists, mean_length, noise)
        second = ((month + np.sort(rng.random(n_playlists))) * _MONTH).astype("timedelta64[s]")
        draws.append((items, first[month] + number, second[number]))
    played, playlist, second = (np.concatenate(part) for part in zip(*draws))
    times = np.datetime64(pd.Timestamp(start), "s") + second
    data = build(played, playlist, times=times, name="synthetic-dated")
    return _labelled(data, community, fate=fate[community], popularity=mean, arrives=arrives)


def planted_spikes(
    sizes: Sequence[int] = (200, 200, 200), n_off: int = 400, *, noise: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Generate a symmetric non-negative matrix of rank K whose embeddings form K spikes.

    M = W W' with W >= 0: a row of W on spike k is alpha_i times a fixed direction, and a row on no spike
    has a direction of its own. The fixed directions spread 20 % of their weight evenly over all K axes, so
    that communities have links. Lengths alpha_i are uniform on (0.1, 1).

    Parameters
    ----------
    sizes : sequence of int, default (200, 200, 200)
        Rows on each of the K spikes.
    n_off : int, default 400
        Rows on no spike; they come last.
    noise : float, default 0.0
        Standard deviation of a symmetric Gaussian perturbation, in units of the mean of M. With
        noise, M has full rank and may have negative entries.
    seed : int, default 0
        Seed of the generator.

    Returns
    -------
    M : numpy.ndarray, shape (n, n), float64
    spike : numpy.ndarray, shape (n,), int64
        Spike of each row, -1 for none.

    Raises
    ------
    ValueError
        If a size is below 1, or another option out of range.

    Examples
    --------
    >>> M, spike = planted_spikes(sizes=(3, 2), n_off=1)
    >>> spike
    array([ 0,  0,  0,  1,  1, -1])
    >>> int(np.linalg.matrix_rank(M))
    2
    """
    rows = np.asarray(sizes)
    if rows.ndim != 1 or len(rows) == 0 or rows.min() < 1:
        raise ValueError(f"sizes must be one or more positive integers, got {rows.tolist()}")
    check_range("n_off", n_off, 0)
    check_range("noise", noise, 0)
    rng = np.random.default_rng(seed)
    K = len(rows)
    spike = np.concatenate([np.repeat(np.arange(K), rows), np.full(n_off, -1)])
    axes = (1 - _SHARED) * np.eye(K) + _SHARED / K
    direction = unit_rows(np.concatenate([axes[spike[spike >= 0]], rng.dirichlet(np.ones(K), n_off)]))
    W = direction * rng.uniform(0.1, 1, (len(spike), 1))
    return _with_noise(rng, W @ W.T, noise), spike


def planted_shapes(
    shapes: Sequence[str], size: int, *, noise: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Generate a symmetric matrix of unlinked communities of several shapes.

    An item has a length alpha, uniform on (0.1, 1), and a position t, uniform on (0, 1). Within a
    community M is alpha_i alpha_j times

    - ``"spike"``: 1, of rank 1;
    - ``"audiences"``: the cosine of (t_i - t_j) pi / 2, of rank 2: each item belongs to two
      audiences, the larger t, the more to the second;
    - ``"drift"``: exp(-(t_i - t_j)^2 / 0.18): items near in time are played together, the first never with the last.

    Parameters
    ----------
    shapes : sequence of str
        Shape of each community.
    size : int
        Items in each community, at least 1.
    noise : float, default 0.0
        Standard deviation of a symmetric Gaussian perturbation, in units of the mean of M.
    seed : int, default 0
        Seed of the generator.

    Returns
    -------
    M : numpy.ndarray, shape (n, n), float64
        n = len(shapes) size.
    community : numpy.ndarray, shape (n,), int64
    position : numpy.ndarray, shape (n,), float64

    Raises
    ------
    ValueError
        If a shape is unknown or an option out of range.

    Examples
    --------
    >>> M, community, position = planted_shapes(["spike", "audiences"], 20)
    >>> int(np.linalg.matrix_rank(M[:20, :20])), int(np.linalg.matrix_rank(M[20:, 20:]))
    (1, 2)
    """
    kernels = {
        "spike": np.ones_like,
        "audiences": lambda gap: np.cos(gap * np.pi / 2),
        "drift": lambda gap: np.exp(-(gap**2) / (2 * _WIDTH**2)),
    }
    for shape in shapes:
        check_choice("a shape", shape, *kernels)
    check_range("size", size, 1)
    check_range("noise", noise, 0)
    rng = np.random.default_rng(seed)
    community = np.repeat(np.arange(len(shapes)), size)
    length, position = rng.uniform(0.1, 1, len(community)), rng.random(len(community))
    M = np.zeros((len(community), len(community)))
    for k, shape in enumerate(shapes):
        rows = slice(k * size, (k + 1) * size)
        gap = position[rows, None] - position[rows]
        M[rows, rows] = kernels[shape](gap) * np.outer(length[rows], length[rows])
    return _with_noise(rng, M, noise), community, position


def _check_playlists(n_items, n_contexts, n_communities, mean_length, popularity_exponent, noise):
    check_range("n_communities", n_communities, 1)
    check_range("n_items", n_items, 2 * n_communities)
    check_range("n_contexts", n_contexts, 1)
    check_range("mean_length", mean_length, 1)
    check_range("popularity_exponent", popularity_exponent, 0)
    check_range("noise", noise, 0, 1)


def _memberships(rng, n, share, overlap, noise):
    """Shares of the communities in each of n rows; a last one, of everybody, is the noise."""
    drawn = rng.dirichlet(overlap * np.append((1 - noise) * share, noise), n)
    return drawn[:, :-1] + (drawn[:, -1:] + 1e-9) * share  # so that no community has nothing to draw


def _pick(rng, weight, row):
    """A column for each entry of `row`, drawn by the weights in that row."""
    # one uniform number picks it, within its row's stretch of the cumulated weights
    n_columns = weight.shape[1]
    edge = np.cumsum(weight)
    end = edge[n_columns - 1 :: n_columns]
    point = end[row] - rng.random(len(row)) * np.diff(end, prepend=0.0)[row]
    return np.clip(np.searchsorted(edge, point) - row * n_columns, 0, n_columns - 1)


def _labelled(data, community, **truth):
    """The data with the title, the community and other true columns of its items."""
    number = data.items["id"].to_numpy()
    data.items["title"] = [f"genre {k}, item {i}" for i, k in zip(number, community[number])]
    for column, values in {"community": community, **truth}.items():
        data.items[column] = values[number]
    return data


def _with_noise(rng, M, noise):
    """M and a symmetric Gaussian perturbation whose deviation is `noise` times the mean of M."""
    if noise == 0:
        return M
    error = np.triu(rng.normal(0, noise * M.mean(), M.shape))
    return M + error + np.triu(error, 1).T


def _genres(n_items, n_communities, exponent):
    """Community and draw probability of each item, communities in blocks."""
    weight = np.arange(1, n_communities + 1) ** -0.8
    size = 2 + np.floor((n_items - 2 * n_communities) * weight / weight.sum()).astype(int)
    size[0] += n_items - size.sum()  # what rounding left over
    community = np.repeat(np.arange(n_communities), size)
    within = [np.arange(1, s + 1) ** -float(exponent) for s in size]
    popularity = np.concatenate([s / n_items * w / w.sum() for s, w in zip(size, within)])
    return community, popularity


def _draw_playlists(rng, community, popularity, n_contexts, mean_length, noise):
    """Items drawn and the playlist of each draw."""
    share = np.bincount(community, weights=popularity)
    n_communities = len(share)
    first = rng.choice(n_communities, n_contexts, p=share / share.sum())
    other = rng.choice(n_communities, n_contexts, p=share / share.sum())
    second = np.where(rng.random(n_contexts) < 0.3, other, first)
    playlist = np.repeat(np.arange(n_contexts), 1 + rng.poisson(mean_length - 1, n_contexts))
    genre = np.where(rng.random(len(playlist)) < 0.5, first[playlist], second[playlist])
    anywhere = rng.random(len(playlist)) < noise
    # one uniform number picks the item: within its genre's stretch of the cumulated
    # probabilities, or anywhere on them
    edge = np.concatenate([[0.0], np.cumsum(share)])
    u = rng.random(len(playlist))
    point = np.where(anywhere, u * edge[-1], edge[genre] + u * share[genre])
    item = np.searchsorted(np.cumsum(popularity), point, side="right")
    block = np.searchsorted(community, np.arange(n_communities + 1))
    low = np.where(anywhere, 0, block[genre])
    high = np.where(anywhere, block[-1], block[genre + 1]) - 1
    return np.clip(item, low, high), playlist


def _histories(rng, n_communities, n_months, changing):
    """Fate of each community, and its strength in each month relative to a steady one."""
    n_changing = min(round(changing * n_communities), n_communities - 1)
    which = 1 + rng.choice(n_communities - 1, n_changing, replace=False) if n_changing else []
    fate = np.full(n_communities, "steady", dtype=object)
    fate[which] = np.resize(["born", "fades", "returns"], n_changing)
    t = (np.arange(n_months) + 0.5) / n_months
    strength = np.ones((n_communities, n_months))
    for k in which:
        if fate[k] == "born":
            strength[k] = _rise(t, rng.uniform(0.3, 0.7))
            strength[k, strength[k] < 1e-3] = 0  # unborn, not merely rare
        elif fate[k] == "fades":
            strength[k] = np.maximum(1 - _rise(t, rng.uniform(0.5, 0.8)), _AFTERGLOW)
        else:
            away, back = rng.uniform(0.3, 0.4), rng.uniform(0.7, 0.8)
            strength[k] = np.maximum(1 - _rise(t, away) + _rise(t, back), _AFTERGLOW)
    return fate, strength


def _rise(t, middle):
    return 1 / (1 + np.exp(-(t - middle) / _RAMP))
