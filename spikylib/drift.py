"""Generate dated playlists whose communities and items change with time."""

import numpy as np
import pandas as pd

from spikylib._interactions import build
from spikylib.datasets import _draw_playlists, _genres

_MONTH = np.timedelta64(2629746, "s")  # a twelfth of the mean Gregorian year
_RAMP = 0.02  # a community rises or fades over a few times this share of the span
_AFTERGLOW = 0.03  # share of its former plays that a faded community keeps


def drifting_playlists(
    *,
    n_items=6000,
    n_contexts=30000,
    n_communities=60,
    mean_length=15,
    popularity_exponent=1.0,
    noise=0.1,
    n_months=24,
    drift=1.0,
    changing=0.3,
    arriving=0.2,
    start="2022-01-01",
    seed=0,
):
    """Generate dated playlists: popularity drifts, communities come and go, items arrive.

    Months have equal length and equally many playlists, drawn as those of
    :func:`spikylib.datasets.synthetic` from the popularities of the month. Within its community
    an item's weight is r^-popularity_exponent times the exponential of a random walk. Of the
    `changing` communities a third is born during the span, a third fades to 3 % of its plays, and
    a third fades and comes back. Of the items a share `arriving` is played from some month on.
    With ``drift=0, changing=0, arriving=0`` nothing changes: what still differs is chance.

    Parameters
    ----------
    n_items, n_contexts, n_communities, mean_length, popularity_exponent, noise
        As for :func:`spikylib.datasets.synthetic`; `n_contexts` is the total of all months.
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
    start : str or datetime, default "2022-01-01"
        First day.
    seed : int, default 0
        Seed of the generator.

    Returns
    -------
    Interactions
        Dated. ``.items`` holds the truth: ``community``, ``fate`` of the community (steady, born,
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
    for name, value, lowest, highest in (
        ("n_communities", n_communities, 1, np.inf),
        ("n_items", n_items, 2 * n_communities, np.inf),
        ("n_months", n_months, 1, np.inf),
        ("n_contexts", n_contexts, n_months, np.inf),
        ("mean_length", mean_length, 1, np.inf),
        ("popularity_exponent", popularity_exponent, 0, np.inf),
        ("noise", noise, 0, 1),
        ("drift", drift, 0, np.inf),
        ("changing", changing, 0, 1),
        ("arriving", arriving, 0, 1),
    ):
        if not lowest <= value <= highest:
            raise ValueError(f"{name} must be between {lowest} and {highest}, got {value}")
    rng = np.random.default_rng(seed)
    community, weight = _genres(n_items, n_communities, popularity_exponent)
    share = np.bincount(community, weights=weight)
    fate, strength = _histories(rng, n_communities, n_months, changing)
    arrives = _arrivals(rng, community, n_months, arriving)
    log_weight = np.log(weight)
    played, playlist, second = [], [], []
    mean = np.zeros(n_items)
    per_month = np.diff(np.linspace(0, n_contexts, n_months + 1).astype(int))
    for month, n_playlists in enumerate(per_month):
        if month:
            log_weight += drift / np.sqrt(n_months) * rng.standard_normal(n_items)
        now = np.exp(log_weight) * (arrives <= month)
        now *= (strength[:, month] * share / np.bincount(community, weights=now))[community]
        mean += now / now.sum() / n_months
        items, number = _draw_playlists(rng, community, now, n_playlists, mean_length, noise)
        first = np.concatenate([[0], np.cumsum(per_month)])[month]
        when = (month + np.sort(rng.random(n_playlists))) * (_MONTH / np.timedelta64(1, "s"))
        played.append(items)
        playlist.append(first + number)
        second.append(when[number].astype(np.int64))
    times = np.datetime64(pd.Timestamp(start), "s") + np.concatenate(second).astype("timedelta64[s]")
    data = build(
        np.concatenate(played),
        np.concatenate(playlist),
        times=times,
        name="synthetic",
        notes=f"dated, generated with seed {seed}",
    )
    number = data.items["id"].to_numpy()
    data.items["title"] = [f"genre {k}, item {i}" for i, k in zip(number, community[number])]
    data.items["community"] = community[number]
    data.items["fate"] = fate[community[number]]
    data.items["popularity"] = mean[number]
    data.items["arrives"] = arrives[number]
    return data


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
            strength[k, strength[k] < 1e-3] = 0
        elif fate[k] == "fades":
            strength[k] = np.maximum(1 - _rise(t, rng.uniform(0.5, 0.8)), _AFTERGLOW)
        else:
            away, back = rng.uniform(0.3, 0.4), rng.uniform(0.7, 0.8)
            strength[k] = np.maximum(1 - _rise(t, away) + _rise(t, back), _AFTERGLOW)
    return fate, strength


def _rise(t, middle):
    return 1 / (1 + np.exp(-(t - middle) / _RAMP))


def _arrivals(rng, community, n_months, arriving):
    """First month in which each item can be played; the first of a community is always there."""
    arrives = np.where(rng.random(len(community)) < arriving, rng.integers(0, n_months, len(community)), 0)
    arrives[np.flatnonzero(np.diff(community, prepend=-1))] = 0
    return arrives
