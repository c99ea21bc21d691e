"""Measure how the lists of similar items change from one embedding to a later one.

Concept. A recommender's embedding is computed anew every few weeks. Take the items that all
*snapshots* hold, cut them into parts of equal size by their norm in the *reference* snapshot
(the first), and compare the top-k list of an item at each later date with its list in the
reference. The paper does so for the candidates of the item's own part.

Conventions. Snapshots are a mapping, or a sequence of pairs, of a date and an
:class:`~spikylib.datasets.Embeddings`, in any order; any object with ``ids`` and ``vectors`` does.
Part 0 has the lowest norms. An item is never in its own list. An item whose row is zero (at most
1e-9 of the largest norm) has no list, so a snapshot does not hold it. For lists A and B of k items
the *overlap* is \\|A n B\\| / k, the *Jaccard index* \\|A n B\\| / \\|A u B\\|: an overlap of o is a
Jaccard index of o / (2 - o). Two lists of k drawn at random from c candidates overlap by k / c.

Functions. :func:`windows` cuts dated interactions, :func:`embed` turns each window into a snapshot,
:func:`curves` compares them (:func:`common_ids` lists the items), :func:`by_part` tabulates the last
date. :func:`noise_floor` and :func:`shuffled_floor` say what chance alone would take away,
:func:`explained_loss` how much of the loss that is. :func:`item_stability` and
:func:`rank_correlations` look for what an item's stability goes with, and :func:`follow` lists one
item's neighbours date by date.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
import scipy.sparse as sp
import scipy.stats

from spikylib.datasets import Embeddings, Interactions
from spikylib.ppmi import ppmi_matrix
from spikylib.retrieval import top_k
from spikylib.spikes import cover
from spikylib.svd import truncated_svd

_ZERO = 1e-9  # a norm at most this share of the largest counts as zero
_ROW_BLOCK = 4096  # rows whose norms are computed at a time


def norm_partitions(E, n_partitions=5):
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
        If E is not a matrix of finite numbers, or `n_partitions` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> norm_partitions(np.array([[3.0], [1.0], [-2.0], [0.5], [4.0]]), 2)
    [array([1, 2, 3]), array([0, 4])]
    """
    return _partition(_norms("E", E), n_partitions)


def curves(
    snapshots,
    *,
    k=500,
    n_queries=1000,
    n_partitions=5,
    similarity=("cosine", "dot"),
    candidates="part",
    reference=None,
    seed=0,
):
    """Compare top-k lists with those of a reference date, by date and part of the norms.

    Parameters
    ----------
    snapshots : mapping or sequence of pairs
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
    reference : date, optional
        Default: the earliest.
    seed : int, default 0
        Seed of the draw of queries.

    Returns
    -------
    pandas.DataFrame
        One row per date other than the reference, part, similarity and k: ``date``, ``part`` (0 has
        the lowest norms), ``similarity``, ``k``; ``overlap`` and ``jaccard``, means over the
        queries, each with ``_low`` and ``_high``, their 95 % normal intervals; ``n_queries``,
        ``n_candidates`` of one query, and ``norm_low``, ``norm_high`` of the part in the reference.
        The intervals take queries to be independent: where every item of a part is a query,
        they are too narrow (measured on random embeddings: 87 % instead of 95 %).

        Beside the snapshots, holds the common rows of one of them at a time, in its own dtype (if ids differ),
        and what :func:`spikylib.retrieval.top_k` needs.

    Raises
    ------
    ValueError
        Fewer than two snapshots, a date that is none or comes twice, duplicate ids, another
        number of dimensions, values that are not finite, no common ids, or an option out of
        range. The message names the snapshot.

    References
    ----------
    Afchar, Hennequin, Guigue (2023), "Of Spiky SVDs and Music Recommendation", section 4. It says
    Jaccard; the script published with it divides by k, which is the overlap, and counts the item
    itself in both lists.

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
    snapshots = _checked(snapshots)
    reference = _reference(snapshots, reference)
    ks, similarities = _options(k, similarity, candidates, n_queries)
    common = _common(snapshots, reference)
    E = _rows(snapshots[reference], common)
    norm = _norms("E", E)
    if not 1 <= n_partitions <= len(common):
        raise ValueError(
            f"n_partitions must be between 1 and the {len(common)} ids common to all snapshots, got {n_partitions}"
        )
    parts = _partition(norm, n_partitions)
    pools = parts if candidates == "part" else [np.arange(len(common))] * n_partitions
    _check_k(max(ks), min(map(len, pools)) - 1, common, snapshots, reference)
    rng = np.random.default_rng(seed)
    queries = [np.sort(rng.choice(part, min(n_queries, len(part)), replace=False)) for part in parts]
    before = _all_lists(E, queries, pools, max(ks), similarities)
    del E
    rows = []
    for date in snapshots:
        if date == reference:
            continue
        after = _all_lists(_rows(snapshots[date], common), queries, pools, max(ks), similarities)
        for (part, kind), lists in after.items():
            for cut in ks:
                rows.append(
                    {
                        "date": date,
                        "part": part,
                        "similarity": kind,
                        "k": cut,
                        **_agreement(before[part, kind][:, :cut], lists[:, :cut]),
                        "n_queries": len(lists),
                        "n_candidates": len(pools[part]) - 1,
                        "norm_low": norm[parts[part]].min(),
                        "norm_high": norm[parts[part]].max(),
                    }
                )
    table = pd.DataFrame(rows)
    table["similarity"] = pd.Categorical(table["similarity"], similarities)
    table = table.sort_values(["date", "similarity", "k", "part"], ignore_index=True)
    return table.astype({"similarity": str})


def common_ids(snapshots):
    """List the items that :func:`curves` compares: those that every snapshot holds.

    Parameters
    ----------
    snapshots : mapping or sequence of pairs
        As for :func:`curves`.

    Returns
    -------
    pandas.Index
        Ids with a row other than zero in every snapshot, in the order of the earliest.

    Raises
    ------
    ValueError
        As :func:`curves`.

    Examples
    --------
    >>> import numpy as np
    >>> from spikylib.datasets import Embeddings
    >>> E = np.array([[1., 0.], [0., 1.], [0., 0.]])
    >>> list(common_ids({"2021": Embeddings(["a", "b", "c"], E), "2022": Embeddings(["c", "b", "a"], E)}))
    ['b']
    """
    snapshots = _checked(snapshots)
    return _common(snapshots, next(iter(snapshots)))


def windows(data, n_windows=12, *, kind="sliding", width=0.5):
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
        By the end of each window (the second after its last), in order. Items and contexts that
        a window does not hold are left out of it.

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
    if data.times is None:
        raise ValueError(f"{data.name or 'the data'} has no times; it cannot be cut into windows of time")
    if n_windows < 2:
        raise ValueError(f"n_windows must be at least 2, got {n_windows}")
    if kind not in ("sliding", "cumulative"):
        raise ValueError(f'kind must be "sliding" or "cumulative", got {kind!r}')
    if not 0 < width < 1:
        raise ValueError(f"width must be above 0 and below 1, got {width}")
    second = data.times.astype("datetime64[s]").astype(np.int64)
    first, stop = int(second.min()), int(second.max()) + 1
    if stop - first < 2:
        raise ValueError(f"{data.name or 'the data'} is all of one moment, {pd.Timestamp(first, unit='s')}")
    length, cut = width * (stop - first), {}
    for end in np.linspace(length, stop - first, n_windows):
        begin = 0 if kind == "cumulative" else end - length
        date = pd.Timestamp(first + int(np.ceil(end)), unit="s")
        part = _subset(data, (second - first >= begin) & (second - first < end))
        if part.matrix.nnz == 0:
            raise ValueError(f"the window that ends {date} is empty; use fewer or wider windows")
        cut[date] = part
    return cut


def embed(cut, *, f=128, min_count=2, top_k=2000):
    """Turn each window into a snapshot: PPMI matrix, truncated SVD, embeddings U Sigma.

    Parameters
    ----------
    cut : dict of date to Interactions
        As from :func:`windows`.
    f : int, default 128
        Truncation rank, 1 to the number of items that a window's PPMI matrix keeps.
    min_count, top_k : int
        As for :func:`spikylib.ppmi.ppmi_matrix`.

    Returns
    -------
    dict of date to Embeddings
        Every SVD is converged to the default residual bound of
        :func:`spikylib.svd.truncated_svd`.

    Raises
    ------
    ValueError
        As the two functions named; the message names the window.

    Notes
    -----
    Each window's SVD starts afresh. Starting from the one before is no faster at this bound, as
    ``benchmarks/stability.py`` measures: Lanczos from the sum of the previous vectors takes as long,
    and block methods that start from their subspace take more than three times as long.

    Examples
    --------
    >>> from spikylib.synthetic import drifting_playlists
    >>> data = drifting_playlists(n_items=300, n_contexts=900, n_communities=6)
    >>> [snapshot.vectors.shape[1] for snapshot in embed(windows(data, 2), f=8).values()]
    [8, 8]
    """
    snapshots = {}
    for date, part in cut.items():
        try:
            M, kept = ppmi_matrix(part.matrix, min_count=min_count, top_k=top_k)
            vectors = truncated_svd(M, f).embeddings()
        except ValueError as error:
            raise ValueError(f"window {_name(date)}: {error}") from None
        snapshots[date] = Embeddings(part.items["id"].to_numpy()[kept], vectors)
    return snapshots


def resample(data, seed):
    """Draw as many contexts as there are, with replacement (a bootstrap resample).

    Parameters
    ----------
    data : Interactions
    seed : int

    Returns
    -------
    Interactions
        A context drawn twice is there twice. Items in no context drawn are left out; `times` is
        None.

    Examples
    --------
    >>> from spikylib.datasets import load
    >>> data = load("synthetic", n_items=300, n_contexts=500, n_communities=6)
    >>> again = resample(data, seed=0)
    >>> again.n_contexts, int(again.contexts["id"].nunique()) < 350
    (500, True)
    """
    drawn = np.sort(np.random.default_rng(seed).integers(0, data.n_contexts, data.n_contexts))
    matrix = sp.csr_array(data.matrix.tocsc()[:, drawn])
    seen = np.flatnonzero(np.diff(matrix.indptr))
    return Interactions(
        matrix[seen],
        data.items.iloc[seen].reset_index(drop=True),
        data.contexts.iloc[drawn].reset_index(drop=True),
        None,
        data.name,
        f"bootstrap resample with seed {seed}",
    )


def shuffle_dates(data, seed):
    """Give every context the date of another: chance stays, and what changed with time goes.

    Cut into the same windows, the result has the sizes of the windows and the entries that they
    share, so its :func:`curves` are what to expect if nothing changed. The windows hold other
    items than those of `data`.

    Parameters
    ----------
    data : Interactions
        With ``times``.
    seed : int

    Returns
    -------
    Interactions
        The first times of the contexts are permuted; the other entries of a context keep their
        distance to its first, as far as the span of the data allows.

    Raises
    ------
    ValueError
        Data without times.

    Examples
    --------
    >>> from spikylib.synthetic import drifting_playlists
    >>> data = drifting_playlists(n_items=300, n_contexts=600, n_communities=6)
    >>> again = shuffle_dates(data, seed=0)
    >>> bool((np.sort(again.times) == np.sort(data.times)).all()), (again.matrix != data.matrix).nnz
    (False, 0)
    """
    if data.times is None:
        raise ValueError(f"{data.name or 'the data'} has no times to shuffle")
    second = data.times.astype("datetime64[s]").astype(np.int64)
    context = data.matrix.indices
    first = np.full(data.n_contexts, np.iinfo(np.int64).max)
    np.minimum.at(first, context, second)
    moved = second + (np.random.default_rng(seed).permutation(first) - first)[context]
    times = np.clip(moved, second.min(), second.max()).astype("datetime64[s]")
    notes = f"dates of the contexts shuffled with seed {seed}"
    return Interactions(data.matrix, data.items, data.contexts, times, data.name, notes)


def noise_floor(data, *, ids=None, f=128, min_count=2, top_k=2000, seed=0, **options):
    """Compare the embeddings of two bootstrap resamples of the same period.

    Nothing has changed between the two: what their lists do not share, chance alone takes away
    between two samples of this size.

    Parameters
    ----------
    data : Interactions
        One period, best the reference window.
    ids : sequence, optional
        Use these items only, best those that :func:`curves` compared: candidates are then as many.
    f, min_count, top_k : int
        As for :func:`embed`.
    seed : int, default 0
        Seed of the resamples and of the draw of queries.
    **options
        ``k``, ``n_queries``, ``n_partitions``, ``similarity``, ``candidates`` of :func:`curves`.

    Returns
    -------
    pandas.DataFrame
        As of :func:`curves`, without ``date``.

    Examples
    --------
    >>> from spikylib.datasets import load
    >>> data = load("synthetic", n_items=300, n_contexts=1500, n_communities=6)
    >>> floor = noise_floor(data, f=8, k=5, similarity="dot")
    >>> bool(floor.overlap.iloc[-1] > floor.overlap.iloc[0])
    True
    """
    seeds = np.random.SeedSequence(seed).generate_state(2)
    pair = embed(
        {pd.Timestamp(2000, 1, 1 + i): resample(data, int(s)) for i, s in enumerate(seeds)},
        f=f,
        min_count=min_count,
        top_k=top_k,
    )
    if ids is not None:
        pair = {date: _only(snapshot, ids) for date, snapshot in pair.items()}
    return curves(pair, seed=seed, **options).drop(columns="date")


def shuffled_floor(data, *, kind="sliding", width=0.5, f=128, min_count=2, top_k=2000, seed=0, **options):
    """Compare the first and the last window of data whose dates were shuffled.

    Nothing changes with time any more, and the windows have the sizes, and share the data, that
    those of :func:`windows` do.

    Parameters
    ----------
    data : Interactions
        With ``times``: the whole history.
    kind, width
        As for :func:`windows`.
    f, min_count, top_k : int
        As for :func:`embed`.
    seed : int, default 0
        Seed of :func:`shuffle_dates` and of the draw of queries.
    **options
        ``k``, ``n_queries``, ``n_partitions``, ``similarity``, ``candidates`` of :func:`curves`.

    Returns
    -------
    pandas.DataFrame
        As of :func:`curves`, without ``date``. Common items are more than in the data.

    Examples
    --------
    >>> from spikylib.synthetic import drifting_playlists
    >>> data = drifting_playlists(n_items=300, n_contexts=3000, n_communities=6)
    >>> floor = shuffled_floor(data, f=8, k=5, similarity="dot")
    >>> bool(floor.overlap.iloc[-1] > floor.overlap.iloc[0])
    True
    """
    ends = windows(shuffle_dates(data, seed), 2, kind=kind, width=width)
    pair = embed(ends, f=f, min_count=min_count, top_k=top_k)
    return curves(pair, seed=seed, **options).drop(columns="date")


def by_part(table, measure="overlap"):
    """Tabulate one measure at the last date: a row per similarity, a column per part.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`curves` or :func:`noise_floor`, with one k.
    measure : str, default "overlap"
        A column of `table`.

    Returns
    -------
    pandas.DataFrame
        Columns ``lowest``, ``2``, ``3``, ..., ``highest`` (norm), and ``mean``, that of the parts.

    Raises
    ------
    ValueError
        If `table` holds more than one k.

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
        raise ValueError(f"the table holds k = {sorted(table['k'].unique().tolist())}; pick one")
    last = table[table["date"] == table["date"].max()] if "date" in table else table
    wide = last.pivot(index="similarity", columns="part", values=measure)
    wide.columns = ["lowest", *(str(part + 1) for part in wide.columns[1:-1]), "highest"][: wide.shape[1]]
    return wide.assign(mean=wide.mean(axis=1))


def explained_loss(table, floor):
    """Set the loss of overlap at the last date against the loss that chance alone gives.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`curves`.
    floor : pandas.DataFrame
        From :func:`noise_floor` or :func:`shuffled_floor`, with the same parts, similarities and k.

    Returns
    -------
    pandas.DataFrame
        One row per similarity, k and part: ``loss`` (1 - overlap at the last date), ``noise``
        (1 - overlap of the resamples), and ``share``, their ratio: 1 where the loss is no more
        than chance gives, above 1 where it is less. Missing where nothing was lost.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"similarity": "dot", "k": 5, "part": 0}
    >>> table = pd.DataFrame([{**row, "date": 1, "overlap": 0.9}, {**row, "date": 2, "overlap": 0.6}])
    >>> explained_loss(table, pd.DataFrame([{**row, "overlap": 0.8}]))
      similarity  k  part  loss  noise  share
    0        dot  5     0   0.4    0.2    0.5
    """
    keys = ["similarity", "k", "part"]
    last = table[table["date"] == table["date"].max()]
    both = last[[*keys, "overlap"]].merge(floor[[*keys, "overlap"]], on=keys, suffixes=("", "_floor"))
    both["loss"], both["noise"] = 1 - both.pop("overlap"), 1 - both.pop("overlap_floor")
    both["share"] = both["noise"] / both["loss"].where(both["loss"] > 0)
    return both


def item_stability(
    snapshots, data, *, k=500, similarity=("cosine", "dot"), min_count=2, top_k=2000, reference=None
):
    """List the stability of every common item beside what might predict it.

    Parameters
    ----------
    snapshots : mapping or sequence of pairs
        As for :func:`curves`.
    data : Interactions
        Those of the reference snapshot, with the same ids.
    k : int, default 500
        Length of the lists, drawn from all common items.
    similarity : {"cosine", "dot"} or a sequence of them, default both
    min_count, top_k : int
        With which the PPMI matrix of `data` was built.
    reference : date, optional
        Default: the earliest.

    Returns
    -------
    pandas.DataFrame
        One row per common item: ``id``; in the reference ``norm``, ``degree`` (its row sum in the
        PPMI matrix), ``plays`` (contexts that hold it), ``on_spike`` (1 where
        :func:`spikylib.spikes.cover` with its defaults captured it, else 0); and for each
        similarity ``cosine`` or ``dot``, the overlap of its list with that of the reference,
        averaged over the other dates.

    Raises
    ------
    ValueError
        As :func:`curves`, and if `data` lacks a common id.

    Examples
    --------
    >>> from spikylib.synthetic import drifting_playlists
    >>> cut = windows(drifting_playlists(n_items=300, n_contexts=1500, n_communities=6), 3)
    >>> table = item_stability(embed(cut, f=8), next(iter(cut.values())), k=10)
    >>> table.columns.to_list()
    ['id', 'norm', 'degree', 'plays', 'on_spike', 'cosine', 'dot']
    """
    snapshots = _checked(snapshots)
    reference = _reference(snapshots, reference)
    (k,), similarities = _options(k, similarity, "all", 2)
    common = _common(snapshots, reference)
    _check_k(k, len(common) - 1, common, snapshots, reference)
    everything = np.arange(len(common))
    E = _rows(snapshots[reference], common)
    before = _all_lists(E, [everything], [everything], k, similarities)
    table = pd.DataFrame({"id": common, "norm": _norms("E", E)})
    M, kept = ppmi_matrix(data.matrix, min_count=min_count, top_k=top_k)
    row = pd.Index(data.items["id"]).get_indexer(common)
    if (row < 0).any():
        raise ValueError(
            f"data lacks item {common[row < 0][0]!r} of the reference snapshot {_name(reference)}"
        )
    degree = np.zeros(data.n_items)
    degree[kept] = M.sum(axis=1)
    table["degree"], table["plays"] = degree[row], np.diff(data.matrix.indptr)[row]
    whole = snapshots[reference]
    captured = cover(whole.vectors).spike >= 0
    table["on_spike"] = captured[pd.Index(whole.ids).get_indexer(common)].astype(int)
    for kind in similarities:
        table[kind] = 0.0
    others = [date for date in snapshots if date != reference]
    for date in others:
        after = _all_lists(_rows(snapshots[date], common), [everything], [everything], k, similarities)
        for key, lists in after.items():
            table[key[1]] += _shared(before[key], lists) / k / len(others)
    return table


def rank_correlations(table, target, predictors=("norm", "degree", "plays", "on_spike")):
    """Correlate the ranks of a target with those of its predictors, alone and given the others.

    Parameters
    ----------
    table : pandas.DataFrame
        As from :func:`item_stability`.
    target : str
        Column to predict.
    predictors : sequence of str
        Columns that may predict it.

    Returns
    -------
    pandas.DataFrame
        One row per predictor: ``rho`` (Spearman), ``partial`` (of the parts of both
        ranks that a linear function of the other predictors' ranks leaves over), each with
        ``_low`` and ``_high``, 95 % intervals. Missing where a column is constant.

    Raises
    ------
    ValueError
        Fewer rows than predictors + 4.

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
    predictors = list(predictors)
    n = len(table)
    if n < len(predictors) + 4:
        raise ValueError(f"{n} rows are too few for {len(predictors)} predictors; at least 4 more are needed")
    ranks = {name: scipy.stats.rankdata(table[name]) for name in [target, *predictors]}
    rows = []
    for name in predictors:
        others = [ranks[other] for other in predictors if other != name]
        rho = _correlation(ranks[target], ranks[name])
        partial = _correlation(_residual(ranks[target], others), _residual(ranks[name], others))
        low, high = _rho_interval(rho, n)
        partial_low, partial_high = _rho_interval(partial, n - len(others))
        rows.append((rho, low, high, partial, partial_low, partial_high))
    columns = ["rho", "rho_low", "rho_high", "partial", "partial_low", "partial_high"]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(predictors, name="predictor"))


def follow(snapshots, item, *, k=10, similarity="dot"):
    """List the items most similar to one item, date by date.

    Parameters
    ----------
    snapshots : mapping or sequence of pairs
        As for :func:`curves`.
    item : id
        Dates whose snapshot does not hold it are left out.
    k : int, default 10
        Length of the lists, drawn from all items of the date, common or not.
    similarity : {"cosine", "dot"}, default "dot"

    Returns
    -------
    pandas.DataFrame
        One row per date and rank: ``date``, ``rank`` (from 1), ``id``, ``score``.

    Raises
    ------
    ValueError
        As :func:`curves`, and if no snapshot holds the item.

    Examples
    --------
    >>> import numpy as np
    >>> from spikylib.datasets import Embeddings
    >>> E = np.array([[2., 0.], [1., 0.1], [0., 1.]])
    >>> year = {"2021": Embeddings(["a", "b", "c"], E), "2022": Embeddings(["a", "c", "b"], E)}
    >>> follow(year, "a", k=1)[["date", "id"]]
            date id
    0 2021-01-01  b
    1 2022-01-01  c
    """
    snapshots = _checked(snapshots)
    lists = []
    for date, snapshot in snapshots.items():
        ids = pd.Index(snapshot.ids)
        if item not in ids:
            continue
        held = np.flatnonzero(_held(snapshot, date))
        row = np.array([ids.get_loc(item)])
        if row[0] not in held:
            continue
        if not 1 <= k < len(held):
            raise ValueError(
                f"k must be between 1 and the {len(held) - 1} other items of snapshot {_name(date)}, got {k}"
            )
        found, scores = top_k(
            snapshot.vectors, row, k, similarity=similarity, candidates=held, exclude_self=True
        )
        rank = np.arange(1, k + 1)
        lists.append(pd.DataFrame({"date": date, "rank": rank, "id": ids[found[0]], "score": scores[0]}))
    if not lists:
        raise ValueError(f"no snapshot holds the item {item!r}")
    return pd.concat(lists, ignore_index=True)


def _partition(norm, n_partitions):
    if not 1 <= n_partitions <= len(norm):
        raise ValueError(f"n_partitions must be between 1 and the {len(norm)} rows of E, got {n_partitions}")
    order = np.argsort(norm, kind="stable")
    return [np.sort(part) for part in np.array_split(order, n_partitions)]


def _name(date):
    return f"{date:%Y-%m-%d}" if date == date.normalize() else str(date)


def _date(key):
    try:
        date = pd.Timestamp(str(key)) if isinstance(key, (str, int, np.integer)) else pd.Timestamp(key)
    except (ValueError, TypeError):
        date = pd.NaT
    if date is pd.NaT:
        raise ValueError(f'snapshot {key!r}: its key is not a date; use "2022-05-21", say')
    return date


def _checked(snapshots):
    """Snapshots by date in order, each a pair of its ids and vectors, checked."""
    pairs = list(snapshots.items() if isinstance(snapshots, Mapping) else snapshots)
    dated = [(_date(key), snapshot) for key, snapshot in pairs]
    if len(dated) < 2:
        held = f", got only snapshot {_name(dated[0][0])}" if dated else ", got none"
        raise ValueError(f"at least two snapshots are needed{held}")
    dated.sort(key=lambda pair: pair[0])
    for (one, _), (other, _) in pairwise(dated):
        if one == other:
            raise ValueError(f"snapshot {_name(one)} is there twice; give one per date")
    width = None
    for date, snapshot in dated:
        ids, vectors = pd.Index(snapshot.ids), snapshot.vectors
        if vectors.ndim != 2 or len(ids) != len(vectors):
            raise ValueError(
                f"snapshot {_name(date)} has {len(ids)} ids and vectors of shape {vectors.shape}; "
                "one row per id is needed"
            )
        if not ids.is_unique:
            twice = ids[ids.duplicated()][0]
            raise ValueError(f"snapshot {_name(date)} holds the id {twice!r} more than once")
        if width is not None and vectors.shape[1] != width:
            raise ValueError(
                f"snapshot {_name(date)} has vectors of {vectors.shape[1]} dimensions, "
                f"snapshot {_name(dated[0][0])} of {width}"
            )
        width = vectors.shape[1]
    return dict(dated)


def _reference(snapshots, reference):
    if reference is None:
        return next(iter(snapshots))
    date = _date(reference)
    if date not in snapshots:
        known = ", ".join(map(_name, snapshots))
        raise ValueError(f"there is no snapshot {_name(date)} to be the reference; there are {known}")
    return date


def _options(k, similarity, candidates, n_queries):
    ks = sorted({int(cut) for cut in np.atleast_1d(k)})
    if not ks or ks[0] < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    kinds = [similarity] if isinstance(similarity, str) else list(similarity)
    for kind in kinds:
        if kind not in ("cosine", "dot"):
            raise ValueError(f'similarity must be "cosine" or "dot", got {kind!r}')
    if candidates not in ("part", "all"):
        raise ValueError(f'candidates must be "part" or "all", got {candidates!r}')
    if n_queries < 2:
        raise ValueError(f"n_queries must be at least 2, for an interval, got {n_queries}")
    return ks, kinds


def _common(snapshots, reference):
    common = None
    for date in [reference, *(date for date in snapshots if date != reference)]:
        snapshot = snapshots[date]
        ids = pd.Index(snapshot.ids)[_held(snapshot, date)]
        common = ids if common is None else common[common.isin(ids)]
        if len(common) == 0:
            raise ValueError(
                f"snapshot {_name(date)} has no id in common with those before it; "
                "are ids written in the same way, with rows other than zero?"
            )
    return common


def _held(snapshot, date):
    norm = _norms(f"snapshot {_name(date)}", snapshot.vectors)
    return norm > _ZERO * norm.max()


def _check_k(k, available, common, snapshots, reference):
    if k > available:
        fewest = min(snapshots, key=lambda date: len(snapshots[date].ids))
        raise ValueError(
            f"k={k} is more than the {available} candidates of an item in the smallest part of the "
            f"reference snapshot {_name(reference)}: {len(common)} ids are common to all snapshots, and "
            f"snapshot {_name(fewest)} has the fewest, {len(snapshots[fewest].ids)}. Lower k or "
            'n_partitions, or take candidates="all"'
        )


def _rows(snapshot, common):
    ids = pd.Index(snapshot.ids)
    return snapshot.vectors if ids.equals(common) else snapshot.vectors[ids.get_indexer(common)]


def _only(snapshot, ids):
    kept = np.flatnonzero(pd.Index(snapshot.ids).isin(ids))
    return Embeddings(np.asarray(snapshot.ids)[kept], snapshot.vectors[kept])


def _norms(name, E):
    E = np.asanyarray(E)
    if E.ndim != 2 or 0 in E.shape:
        raise ValueError(f"{name} must be a non-empty array of shape (rows, dimensions), got shape {E.shape}")
    blocks = (np.asarray(E[a : a + _ROW_BLOCK], dtype=np.float64) for a in range(0, len(E), _ROW_BLOCK))
    norm = np.concatenate([np.linalg.norm(block, axis=1) for block in blocks])
    if not np.isfinite(norm).all():
        bad = np.flatnonzero(~np.isfinite(norm))[0]
        raise ValueError(f"{name} holds NaN or infinity in row {bad}; remove or fill such rows first")
    return norm


def _all_lists(E, queries, pools, k, similarities):
    """Top-k lists of the queries of each part, by (part, similarity)."""
    return {
        (part, kind): top_k(E, rows, k, similarity=kind, candidates=pool, exclude_self=True)[0]
        for kind in similarities
        for part, (rows, pool) in enumerate(zip(queries, pools))
    }


def _shared(one, other):
    """Number of items that each row of two arrays of lists shares."""
    both = np.sort(np.concatenate([one, other], axis=1), axis=1)
    return (both[:, 1:] == both[:, :-1]).sum(axis=1)


def _agreement(one, other):
    """Mean overlap and Jaccard index of paired lists, with their intervals."""
    k = one.shape[1]
    shared = _shared(one, other)
    result = {}
    for name, values in (("overlap", shared / k), ("jaccard", shared / (2 * k - shared))):
        mean, half = values.mean(), 1.959964 * values.std(ddof=1) / np.sqrt(len(values))
        result |= {name: mean, f"{name}_low": max(mean - half, 0.0), f"{name}_high": min(mean + half, 1.0)}
    return result


def _subset(data, chosen):
    """The chosen entries of dated interactions, without empty rows and columns."""
    kept = data.matrix.tocoo()
    row, col = kept.row[chosen], kept.col[chosen]
    held, row = np.unique(row, return_inverse=True)
    contexts, col = np.unique(col, return_inverse=True)
    matrix = sp.coo_array((np.ones(len(row), np.int32), (row, col)), shape=(len(held), len(contexts)))
    return Interactions(
        matrix.tocsr(),
        data.items.iloc[held].reset_index(drop=True),
        data.contexts.iloc[contexts].reset_index(drop=True),
        data.times[chosen],
        data.name,
        data.notes,
    )


def _residual(y, others):
    X = np.column_stack([np.ones(len(y)), *others])
    return y - X @ np.linalg.lstsq(X, y, rcond=None)[0]


def _correlation(x, y):
    x, y = x - x.mean(), y - y.mean()
    size = np.linalg.norm(x) * np.linalg.norm(y)
    return float(x @ y / size) if size > 1e-9 * len(x) else np.nan


def _rho_interval(rho, n):
    half = 1.959964 * np.sqrt((1 + rho**2 / 2) / (n - 3))
    centre = np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12))
    return float(np.tanh(centre - half)), float(np.tanh(centre + half))
