"""Measure how the lists of similar items change from one embedding to a later one.

Concept. A recommender's embedding is computed anew every few weeks. Take the items that all *snapshots*
contain, cut them into parts of equal size by their norm in the first snapshot, the *reference*, and compare
the top-k list of an item at each later date with its list in the reference. The paper does so for the
candidates of the item's own part.

Conventions. Snapshots are a mapping, or pairs, of a date and an
:class:`~spikylib.datasets.Embeddings`, in any order; any object with ``ids`` and ``vectors`` does.
Part 0 has the lowest norms. An item is never in its own list. An item whose row is zero (at most 1e-9
of the largest norm) has no list, and counts as missing from that snapshot. For lists A and B of k
items the *overlap* is \\|A n B\\| / k, the *Jaccard index* \\|A n B\\| / \\|A u B\\|: an overlap of o
is a Jaccard index of o / (2 - o). Two lists of k drawn at random from c candidates overlap by k / c.
``fit`` is any function of interactions and a seed that returns embeddings, such as
:func:`spikylib.study.ppmi_svd`.

Functions. :func:`windows` cuts dated interactions, :func:`periods` picks the three windows that claims
compare, :func:`embed` turns each window into a snapshot, :func:`curves` compares them (:func:`common_ids`
lists the items), :func:`by_part` tabulates the last date. :func:`floor` measures what chance alone would
change, :func:`explained_loss` its share of the loss. :func:`item_stability` and :func:`rank_correlations`
relate an item's stability to its predictors.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pandas as pd

from spikylib._arrays import checked_rows, has_direction, n_shared, row_norms, sample_rows
from spikylib._checks import check_choice, check_range
from spikylib._interactions import Embeddings, Interactions, resample
from spikylib.retrieval import top_k
from spikylib.spikes import cover

_NORMAL_95 = 1.959964  # standard deviations on either side of the mean that hold 95 %

Snapshots = Mapping[Hashable, Embeddings] | Iterable[tuple[Hashable, Embeddings]]
Fit = Callable[[Interactions, int], Embeddings]


def norm_partitions(E: np.ndarray, n_partitions: int = 5) -> list[np.ndarray]:
    """Cut the rows of an embedding into parts of equal size by their norm.

    Parameters
    ----------
    E : array, shape (n, d), any real dtype
        Embeddings, one row per item; finite.
    n_partitions : int, default 5
        Number of parts, 1 to n.

    Returns
    -------
    list of numpy.ndarray of int64
        Rows of each part, ascending; the first part has the lowest norms. Sizes differ by at
        most one (the first parts are the larger); rows of equal norm are ranked by number.

    Raises
    ------
    ValueError
        If E is not a matrix of finite numbers, not all zero, or `n_partitions` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> norm_partitions(np.array([[3.0], [1.0], [-2.0], [0.5], [4.0]]), 2)
    [array([1, 2, 3]), array([0, 4])]
    """
    norm = _norms(E)
    check_range("n_partitions", n_partitions, 1, len(norm), "items")
    order = np.argsort(norm, kind="stable")
    return [np.sort(part) for part in np.array_split(order, n_partitions)]


def curves(
    snapshots: Snapshots,
    *,
    k: int | Sequence[int] = 500,
    n_queries: int = 1000,
    n_partitions: int = 5,
    similarity: str | Sequence[str] = ("cosine", "dot"),
    candidates: str = "part",
    gone: str = "left out",
    ids: Iterable[Hashable] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare top-k lists with those of the first date, by date and part of the norms.

    Parameters
    ----------
    snapshots : mapping or pairs
        Dates (anything `pandas.Timestamp` reads, "20220521" too) and embeddings, at least two,
        in any order. Ids are unique in each; those common to all are used.
    k : int or sequence of int, default 500
        Length of the lists, 1 to the number of candidates of an item.
    n_queries : int, default 1000
        Items drawn from each part, without replacement; all of a part that has fewer.
    n_partitions : int, default 5
        Number of parts of :func:`norm_partitions` of the reference's common items.
    similarity : {"cosine", "dot"} or a sequence of them, default both
    candidates : {"part", "all"}, default "part"
        Lists are drawn from the item's own part (the paper) or from all common items.
    gone : {"left out", "lost"}, default "left out"
        Compare the items common to all snapshots (the paper); or all items of the reference, where one that
        is missing at a later date has kept none of its list, and is in no other list.
    ids : iterable, optional
        Use these items only, so that two comparisons have as many candidates.
    seed : int, default 0
        Seed of the draw of queries.

    Returns
    -------
    pandas.DataFrame
        One row per later date, similarity, k and part, in that order: ``date``, ``part`` (0 has
        the lowest norms), ``similarity``, ``k``; ``overlap`` and ``jaccard``, means over the
        queries, each with ``_low`` and ``_high``, their 95 % normal intervals; ``n_queries``,
        ``n_candidates`` of one query, and ``norm_low``, ``norm_high`` of the part in the reference.
        The intervals take queries to be independent: where every item of a part is a query,
        they are too narrow (measured on random embeddings: 87 % instead of 95 %).

        Memory, besides the snapshots: the common rows of one of them at a time, in its own dtype (if ids
        differ), and that of :func:`spikylib.retrieval.top_k`.

    Raises
    ------
    ValueError
        Fewer than two snapshots, an invalid or repeated date, duplicate ids, unequal numbers of dimensions,
        values that are not finite, no common ids, or an option out of range. The message names the
        snapshot.

    References
    ----------
    Afchar, Hennequin, Guigue (2023), "Of Spiky SVDs and Music Recommendation", section 4. The paper reports
    Jaccard; its published script divides by k, which is the overlap, and counts the item itself in both
    lists.

    Examples
    --------
    >>> import numpy as np
    >>> from spikylib.datasets import Embeddings
    >>> E = np.random.default_rng(0).standard_normal((60, 4))
    >>> may, june = Embeddings(np.arange(60), E), Embeddings(np.arange(60)[::-1], -E[::-1])
    >>> table = curves({"2022-06-21": june, "2022-05-21": may}, k=5, n_partitions=2, similarity="dot")
    >>> table[["date", "part", "overlap", "jaccard", "n_queries"]]
            date  part  overlap  jaccard  n_queries
    0 2022-06-21     0      1.0      1.0         30
    1 2022-06-21     1      1.0      1.0         30
    """
    ks = np.unique(k).tolist()
    check_choice("candidates", candidates, "part", "all")
    check_choice("gone", gone, "left out", "lost")
    check_range("n_queries", n_queries, 2)  # fewer have no interval
    similarities = [similarity] if isinstance(similarity, str) else list(similarity)
    dated = _by_date(snapshots)
    common = _common(dated if gone == "left out" else dict(list(dated.items())[:1]))
    if ids is not None:
        common = common[common.isin(pd.Index(ids))]
    E = _rows(next(iter(dated.values())), common)
    norm, parts = _norms(E), norm_partitions(E, n_partitions)
    del E  # may be a copy as large as a snapshot
    pools = parts if candidates == "part" else [np.arange(len(common))] * n_partitions
    remedy = f'of {len(common)} common ids; for more, lower n_partitions or take candidates="all"'
    check_range("k", ks or 0, 1, min(map(len, pools)) - 1, f"candidates in the smallest part ({remedy})")
    rng = np.random.default_rng(seed)
    # sorted, so that blocks of queries read neighbouring rows
    queries = [np.sort(rng.choice(part, min(n_queries, len(part)), replace=False)) for part in parts]
    rows = []
    # lists of the longest k only: shorter ones are their beginnings
    for date, before, after in _paired_lists(dated, common, queries, pools, ks[-1], similarities):
        for kind, length, (p, part) in product(similarities, ks, enumerate(parts)):
            row = {"date": date, "part": p, "similarity": kind, "k": length}
            row |= _agreement(before[kind, p][:, :length], after[kind, p][:, :length])
            row |= {"n_queries": len(queries[p]), "n_candidates": len(pools[p]) - 1}
            rows.append(row | {"norm_low": norm[part].min(), "norm_high": norm[part].max()})
    return pd.DataFrame(rows)


def common_ids(snapshots: Snapshots) -> pd.Index:
    """List the items that :func:`curves` compares, in the order of the earliest snapshot.

    Examples
    --------
    >>> import numpy as np
    >>> from spikylib.datasets import Embeddings
    >>> E = np.array([[1., 0.], [0., 1.], [0., 0.]])
    >>> list(common_ids({"2021": Embeddings(["a", "b", "c"], E), "2022": Embeddings(["c", "b", "a"], E)}))
    ['b']
    """
    return _common(_by_date(snapshots))


def windows(
    data: Interactions, n_windows: int = 12, *, kind: str = "sliding", width: float = 0.5
) -> dict[pd.Timestamp, Interactions]:
    """Cut dated interactions into windows of time.

    Parameters
    ----------
    data : Interactions
        With ``times``.
    n_windows : int, default 12
        Number of windows, at least 2. Their ends are evenly spaced; the last ends with the data.
    kind : {"sliding", "cumulative"}, default "sliding"
        All windows have the same length, or all begin with the data.
    width : float, default 0.5
        Length of the first window as a share of the span, above 0 and below 1. At 0.5 the last
        sliding window follows on the first without sharing a day.

    Returns
    -------
    dict of pandas.Timestamp to Interactions
        By the end of each window (the second after its last), in order. Items and contexts without an entry
        in a window are left out of it.

    Raises
    ------
    ValueError
        Data without times, or of a single moment; an option out of range; an empty window.

    Examples
    --------
    >>> from spikylib.synthetic import drifting_playlists
    >>> cut = windows(drifting_playlists(n_items=300, n_contexts=600, n_communities=6), 3)
    >>> [f"{end:%Y-%m}" for end in cut]
    ['2023-01', '2023-07', '2024-01']
    """
    second = _seconds(data)
    spans = _spans(data.name, second, n_windows, kind, width)
    return {date: _window(data, second, date, *span) for date, span in spans.items()}


def periods(data: Interactions) -> dict[pd.Timestamp, Interactions]:
    """Cut the three windows of time that are compared on every dataset.

    Of twelve: the first, the seventh ("half-way") and the last. Twelve calendar months where the data span
    those evenly, each with at least half the mean number of entries (months at either end with under 1 % of
    the entries do not count); otherwise twelve sliding windows, each half the span, of which the seventh
    still shares days with the first and the last none.

    Examples
    --------
    >>> from spikylib.synthetic import drifting_playlists
    >>> options = {"n_items": 300, "n_contexts": 1200, "n_communities": 6}
    >>> [f"{end:%Y-%m-%d}" for end in periods(drifting_playlists(n_months=12, **options))]
    ['2022-02-01', '2022-08-01', '2023-01-01']
    >>> [f"{end:%Y-%m}" for end in periods(drifting_playlists(n_months=24, **options))]
    ['2023-01', '2023-07', '2024-01']
    """
    second = _seconds(data)
    first, *others = (_months(second) or _spans(data.name, second, 12, "sliding", 0.5)).items()
    return {date: _window(data, second, date, *span) for date, span in (first, others[5], others[-1])}


def embed(
    cut: Mapping[pd.Timestamp, Interactions], fit: Fit, *, seed: int = 0
) -> dict[pd.Timestamp, Embeddings]:
    """Turn each window into a snapshot: ``fit(window, seed)``, by date.

    An error of `fit` names the window. Each fit starts afresh: for PPMI and SVD, starting from the previous
    window is not faster at the default residual bound (``benchmarks/stability.py``).

    Examples
    --------
    >>> from spikylib.study import ppmi_svd
    >>> from spikylib.synthetic import drifting_playlists
    >>> data = drifting_playlists(n_items=300, n_contexts=900, n_communities=6)
    >>> [snapshot.vectors.shape[1] for snapshot in embed(windows(data, 2), ppmi_svd).values()]
    [128, 128]
    """
    snapshots = {}
    for date, part in cut.items():
        try:
            snapshots[date] = fit(part, seed)
        except ValueError as error:
            raise ValueError(f"window {_day(date)}: {error}") from None
    return snapshots


def floor(
    data: Interactions,
    fit: Fit,
    *,
    kind: str = "resampled",
    window: str = "sliding",
    width: float = 0.5,
    seed: int = 0,
    **options,
) -> pd.DataFrame:
    """Compare two embeddings between which nothing has changed: their lists differ by chance alone.

    Parameters
    ----------
    data : Interactions
        For "resampled" one period, best the reference window; for "shuffled" the whole history,
        with ``times``.
    fit : function of (Interactions, seed), returning Embeddings
    kind : {"resampled", "shuffled"}, default "resampled"
        Two bootstrap resamples of the same contexts; or the first and the last window after every context
        was given the date of another. These have the sizes and the overlap of the real windows, and more
        common items.
    window, width
        ``kind`` and ``width`` of :func:`windows`, for "shuffled".
    seed : int, default 0
        Seed of the resamples or the shuffle, of `fit` and of the draw of queries.
    **options
        Of :func:`curves`: ``k`` and the others, best with the ``ids`` that it compared.

    Returns
    -------
    pandas.DataFrame
        As of :func:`curves`, without ``date``.

    Examples
    --------
    >>> from spikylib.study import ppmi_svd
    >>> from spikylib.synthetic import drifting_playlists
    >>> data = drifting_playlists(n_items=300, n_contexts=3000, n_communities=6)
    >>> for kind in ("resampled", "shuffled"):
    ...     overlap = floor(data, ppmi_svd, kind=kind, k=5, similarity="dot")["overlap"]
    ...     print(bool(overlap.iloc[-1] > overlap.iloc[0]))
    True
    True
    """
    check_choice("kind", kind, "resampled", "shuffled")
    if kind == "resampled":
        seeds = np.random.SeedSequence(seed).generate_state(2)
        # any two dates do: curves asks for them, and they are dropped again
        cut = {2000 + i: resample(data, replace=True, seed=int(s)) for i, s in enumerate(seeds)}
    else:
        cut = windows(shuffle_dates(data, seed), 2, kind=window, width=width)
    return curves(embed(cut, fit, seed=seed), seed=seed, **options).drop(columns="date")


def shuffle_dates(data: Interactions, seed: int = 0) -> Interactions:
    """Give every context the first time of another, which removes change over time and leaves chance.

    The other entries of a context keep their distance to its first, as far as the span allows.

    Examples
    --------
    >>> from spikylib.synthetic import drifting_playlists
    >>> data = drifting_playlists(n_items=300, n_contexts=600, n_communities=6)
    >>> again = shuffle_dates(data)
    >>> bool((again.times == data.times).all()), bool(again.times.max() == data.times.max())
    (False, True)
    """
    second, context = _seconds(data), data.matrix.indices
    first = np.full(data.n_contexts, np.iinfo(np.int64).max)
    np.minimum.at(first, context, second)
    moved = second + (np.random.default_rng(seed).permutation(first) - first)[context]
    times = np.clip(moved, second.min(), second.max()).astype("datetime64[s]")
    return replace(data, times=times, notes=f"dates of the contexts shuffled with seed {seed}")


def by_part(table: pd.DataFrame, measure: str = "overlap") -> pd.DataFrame:
    """Tabulate one measure at the last date: a row per similarity, a column per part.

    `table` is that of :func:`curves` or :func:`floor`, with one k; `measure` is a column of it. Columns of
    the result are ``lowest``, ``2``, ``3``, ..., ``highest`` (norm), and ``mean``, over the parts.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(1, 0, 0.5), (1, 1, 0.7), (2, 0, 0.2), (2, 1, 0.6)]
    >>> table = pd.DataFrame(rows, columns=["date", "part", "overlap"]).assign(similarity="dot", k=5)
    >>> by_part(table)
                lowest  highest  mean
    similarity
    dot            0.2      0.6   0.4
    """
    if table["k"].nunique() != 1:
        raise ValueError(f"the table contains k = {sorted(table['k'].unique().tolist())}; pick one")
    wide = _at_end(table).pivot(index="similarity", columns="part", values=measure)
    # a single part is "lowest", two are "lowest" and "highest"
    wide.columns = ["lowest", *(str(part + 1) for part in wide.columns[1:-1]), "highest"][: wide.shape[1]]
    return wide.assign(mean=wide.mean(axis=1))


def explained_loss(table: pd.DataFrame, chance: pd.DataFrame) -> pd.DataFrame:
    """Compare the loss of overlap at the last date with the loss that chance alone gives.

    `table` is that of :func:`curves`, `chance` that of :func:`floor` with the same parts,
    similarities and k. The result has one row per similarity, k and part: ``loss`` (1 - overlap at
    the last date), ``noise`` (1 - overlap of `chance`), and ``share``, their ratio: 1 where the loss
    is no more than chance gives, above 1 where it is less, NaN where nothing was lost.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"similarity": "dot", "k": 5, "part": 0}
    >>> table = pd.DataFrame([{**row, "date": 1, "overlap": 0.9}, {**row, "date": 2, "overlap": 0.6}])
    >>> explained_loss(table, pd.DataFrame([{**row, "overlap": 0.8}]))
      similarity  k  part  loss  noise  share
    0        dot  5     0   0.4    0.2    0.5
    """
    columns = ["similarity", "k", "part", "overlap"]
    both = _at_end(table)[columns].merge(chance[columns], on=columns[:3], suffixes=("", "_chance"))
    both["loss"], both["noise"] = 1 - both.pop("overlap"), 1 - both.pop("overlap_chance")
    both["share"] = both["noise"] / both["loss"].where(both["loss"] > 0)
    return both


def item_stability(
    snapshots: Snapshots,
    predictors: pd.DataFrame,
    *,
    k: int = 500,
    n_queries: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """List the stability of every common item with its possible predictors.

    Parameters
    ----------
    snapshots : mapping or pairs
        As for :func:`curves`.
    predictors : pandas.DataFrame, indexed by id
        One row per item of the reference; columns such as ``degree`` and ``plays``.
    k : int, default 500
        Length of the lists, drawn from all common items.
    n_queries : int, optional
        List that many common items, drawn at random with `seed`.

    Returns
    -------
    pandas.DataFrame
        One row per common item, or item drawn: ``id``, its ``norm`` in the reference, the columns of `predictors`,
        ``on_spike`` (1 where :func:`spikylib.spikes.cover` with its defaults captured it in the
        reference, else 0); ``cosine`` and ``dot``, the overlap of its list by that similarity with
        the reference's, averaged over the later dates.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from spikylib.datasets import Embeddings
    >>> E = np.random.default_rng(0).standard_normal((60, 4))
    >>> year = {"2021": Embeddings(np.arange(60), E), "2022": Embeddings(np.arange(60), 2 * E)}
    >>> item_stability(year, pd.DataFrame({"plays": np.arange(60)}), k=5).iloc[7].round(2).to_dict()
    {'id': 7.0, 'norm': 1.15, 'plays': 7.0, 'on_spike': 1.0, 'cosine': 1.0, 'dot': 1.0}
    """
    dated = _by_date(snapshots)
    common = _common(dated)
    if len(unknown := common[~common.isin(predictors.index)]):
        raise ValueError(f"predictors lack the item {unknown[0]!r}; give a row for each of common_ids")
    rows, kinds = np.arange(len(common)), ("cosine", "dot")
    drawn = rows if n_queries is None else sample_rows(rows, n_queries, seed)
    first = next(iter(dated.values()))
    table = pd.DataFrame({"id": common, "norm": _norms(_rows(first, common))}).join(predictors, on="id")
    # spikes are those of the whole reference, items that later dates lack included
    captured = cover(first.vectors).spike >= 0
    table["on_spike"] = captured[pd.Index(first.ids).get_indexer(common)].astype(int)
    table = table.iloc[drawn].reset_index(drop=True)
    table[list(kinds)] = 0.0
    for _, before, after in _paired_lists(dated, common, [drawn], [rows], k, kinds):
        for kind in kinds:
            table[kind] += n_shared(before[kind, 0], after[kind, 0]) / k / (len(dated) - 1)
    return table


def rank_correlations(
    table: pd.DataFrame, target: str, predictors: Sequence[str] = ("norm", "degree", "plays", "on_spike")
) -> pd.DataFrame:
    """Correlate the ranks of a target with those of its predictors, alone and given the others.

    Parameters
    ----------
    table : pandas.DataFrame
        As from :func:`item_stability`, at least as many rows as predictors + 4.
    target, predictors : str, and sequence of str
        The column to predict, and those that may predict it.

    Returns
    -------
    pandas.DataFrame
        One row per predictor: ``rho`` (Spearman), ``partial`` (of the residuals of both ranks, regressed on
        the other predictors' ranks), each with ``_low`` and ``_high``, 95 % intervals. NaN where a column
        is constant.

    References
    ----------
    Intervals: Bonett, Wright (2000), https://doi.org/10.1007/BF02294183.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> cause = rng.standard_normal(2000)
    >>> table = pd.DataFrame({"cause": cause, "echo": cause + rng.standard_normal(2000)})
    >>> table["effect"] = cause + rng.standard_normal(2000)
    >>> found = rank_correlations(table, "effect", ["cause", "echo"])
    >>> found["rho"].round(1).to_list(), bool(found["partial"].abs().iloc[1] < 0.1)
    ([0.7, 0.5], True)
    """
    check_range("the number of rows", len(table), len(predictors) + 4)
    ranks = {name: table[name].rank().to_numpy() for name in [target, *predictors]}
    rows = {}
    for name in predictors:
        y, x = ranks[target], ranks[name]
        others = [ranks[other] for other in predictors if other != name]
        rows[name] = _correlation(y, x, []) + _correlation(y, x, others)
    columns = ["rho", "rho_low", "rho_high", "partial", "partial_low", "partial_high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("predictor")


def _by_date(snapshots):
    """Snapshots by date, in order, checked."""
    dated = sorted(((_date(key), value) for key, value in dict(snapshots).items()), key=lambda pair: pair[0])
    check_range("the number of snapshots", len(dated), 2)
    by_date, width = {}, dated[0][1].vectors.shape[-1]
    for date, snapshot in dated:
        ids, shape = pd.Index(snapshot.ids), snapshot.vectors.shape
        if date in by_date:
            raise ValueError(f"snapshot {_day(date)} appears twice; give one per date")
        if shape != (len(ids), width):
            needed = f"one row per id is needed, of {width} dimensions as in snapshot {_day(dated[0][0])}"
            raise ValueError(f"snapshot {_day(date)} has {len(ids)} ids, vectors of {shape}; {needed}")
        if len(twice := ids[ids.duplicated()]):
            raise ValueError(f"snapshot {_day(date)} contains the id {twice[0]!r} more than once")
        by_date[date] = snapshot
    return by_date


def _date(key):
    # as text, for pandas would read a whole number as nanoseconds; 20220521 is meant as a date
    date = pd.to_datetime(str(key), errors="coerce")
    if date is pd.NaT:
        raise ValueError(f'snapshot {key!r}: its key is not a date; use "2022-05-21", say')
    return date


def _day(date):
    return str(date).removesuffix(" 00:00:00")


def _norms(E):
    return np.divide(*row_norms("E", checked_rows("E", E)))


def _has_vector(date, snapshot):
    norm, _ = row_norms(f"snapshot {_day(date)}", snapshot.vectors)
    return has_direction(norm)


def _common(dated):
    """Ids with a direction in every snapshot, in the order of the first."""
    common = None
    for date, snapshot in dated.items():
        ids = pd.Index(snapshot.ids)[_has_vector(date, snapshot)]
        common = ids if common is None else common[common.isin(ids)]
        if len(common) == 0:
            raise ValueError(f"snapshot {_day(date)} shares no id with earlier ones; are ids spelt alike?")
    return common


def _rows(snapshot, common):
    ids = pd.Index(snapshot.ids)
    # as they are where nothing has to be picked: a memory map stays one
    return snapshot.vectors if ids.equals(common) else snapshot.vectors[ids.get_indexer(common)]


def _there(date, snapshot, common):
    """Which of the common items the snapshot holds with a direction: all, unless those gone count as lost."""
    return common.isin(pd.Index(snapshot.ids)[_has_vector(date, snapshot)])


def _paired_lists(dated, common, queries, pools, k, similarities):
    """For each later date, the top-k lists of the first and of that date, by (similarity, part)."""
    before = None
    for date, snapshot in dated.items():
        E, after, there = _rows(snapshot, common), {}, _there(date, snapshot, common)
        for kind, (p, rows) in product(similarities, enumerate(queries)):
            # numbers of no item, each once, in the place of what is gone
            lists = np.tile(-1 - np.arange(k), (len(rows), 1))
            pool, asked = pools[p][there[pools[p]]], there[rows]
            n = min(k, len(pool) - 1)
            if n > 0 and asked.any():
                options = {"similarity": kind, "candidates": pool, "exclude_self": True}
                lists[asked, :n] = top_k(E, rows[asked], n, **options)[0]
            after[kind, p] = lists
        if before:
            yield date, before, after
        before = before or after


def _agreement(one, other):
    """Mean overlap and Jaccard index of paired lists, with their intervals."""
    k, shared = one.shape[1], n_shared(one, other)
    result = {}
    for name, values in (("overlap", shared / k), ("jaccard", shared / (2 * k - shared))):
        mean, half = values.mean(), _NORMAL_95 * values.std(ddof=1) / np.sqrt(len(values))
        result |= {name: mean, f"{name}_low": max(mean - half, 0.0), f"{name}_high": min(mean + half, 1.0)}
    return result


def _at_end(table):
    """Rows of the last date; all of a table without dates, that of a floor."""
    return table[table["date"] == table["date"].max()] if "date" in table else table


def _spans(name, second, n_windows, kind, width):
    """Begin and end of each window, seconds since 1970, by the date at which it ends."""
    check_range("n_windows", n_windows, 2)
    check_choice("kind", kind, "sliding", "cumulative")
    if not 0 < width < 1:
        raise ValueError(f"width must be above 0 and below 1, got {width}")
    # one second more than the last, for windows hold their begin and not their end
    start, span = int(second.min()), int(np.ptp(second)) + 1
    if span < 2:
        raise ValueError(f"{name or 'the data'} is all of one moment, {pd.Timestamp(start, unit='s')}")
    ends = np.linspace(width * span, span, n_windows)
    begins = 0 * ends if kind == "cumulative" else ends - width * span
    dates = pd.to_datetime(start + np.ceil(ends).astype(np.int64), unit="s")
    return dict(zip(dates, zip(start + begins, start + ends)))


def _months(second):
    """As _spans, of the twelve even months that the data span; empty if they do not."""
    month, count = np.unique(second.astype("M8[s]").astype("M8[M]"), return_counts=True)
    full = np.flatnonzero(count >= 0.01 * count.sum())
    month, count = (a[full[0] : full[-1] + 1] for a in (month, count))
    if len(month) != 12 or np.ptp(month).astype(int) != 11 or count.min() < count.mean() / 2:
        return {}
    edges = np.append(month, month[-1] + np.timedelta64(1, "M")).astype("M8[s]").astype(np.int64)
    return {pd.Timestamp(end, unit="s"): (begin, end) for begin, end in pairwise(edges)}


def _window(data, second, date, begin, end):
    window = data.select((second >= begin) & (second < end))
    if window.matrix.nnz == 0:
        raise ValueError(f"the window that ends {date} is empty; use fewer or wider windows")
    return window


def _seconds(data):
    if data.times is None:
        raise ValueError(f"{data.name or 'the data'} has no times; load it with its dates")
    return data.times.astype("datetime64[s]").astype(np.int64)


def _correlation(y, x, others):
    """Correlation of what a linear function of the others leaves of y and x, and its 95 % interval."""
    X = np.column_stack([np.ones(len(y)), *others])
    rest_y, rest_x = (v - X @ np.linalg.lstsq(X, v, rcond=None)[0] for v in (y, x))
    size = np.linalg.norm(rest_y) * np.linalg.norm(rest_x)
    # nothing but rounding is left of a constant column, and it must not be correlated
    known = size > 1e-9 * np.linalg.norm(y) * np.linalg.norm(x)
    rho = float(rest_y @ rest_x / size) if known else np.nan
    half = _NORMAL_95 * np.sqrt((1 + rho**2 / 2) / (len(y) - len(others) - 3))
    # Fisher's z is infinite at a correlation of 1
    centre = np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12))
    return [rho, float(np.tanh(centre - half)), float(np.tanh(centre + half))]
