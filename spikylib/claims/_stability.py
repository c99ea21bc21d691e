"""Claims of chapter 6: what becomes of lists of similar items, by the norm of the item.

Compared are three dates, the first with the one half-way and with the last. Where interactions are
dated, they are the windows of :func:`spikylib.stability.periods`, and replicates are draws of 80 % of
the contexts; dated embeddings are compared at their own dates, on draws of 80 % of the items. A list
holds an item's ten nearest among those of its own quintile of the norms. Items are those that all
three dates hold, where nothing else is said.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd

from spikylib import stability
from spikylib._interactions import build
from spikylib.claims import _controls
from spikylib.claims._registry import NotApplicable, claim
from spikylib.datasets import Embeddings

K = 10  # items of a list
ONE_ITEM = 0.1  # of the ten: a smaller difference changes nobody's list
ITEMS_DRAWN = 2000  # of which the own stability is measured


@claim(
    "P31",
    "half-way, cosine",
    needs={"dates"},
    margin=ONE_ITEM,
    unit="%",
    value="share of its list that the highest quintile of norms has kept half-way, less that of the lowest (cosine)",
    against="with the items shuffled",
    heavy=True,
    holds_on=_controls.low_norms_change,
    fails_on=_controls.high_norms_change,
)
def higher_norms_are_more_stable_half_way(study, seed):
    """Half-way, items of the highest quintile of norms have kept more of their cosine list than those of the lowest.

    Null: the items permuted over the interactions (one draw), for popularity alone makes some lists
    steadier; none where embeddings are given. Source: Afchar, Hennequin, Guigue (2023), section 4.
    """
    return gap(kept(study, seed), "half-way", "cosine"), null_gap(study, "half-way", "cosine")


@claim(
    "P31",
    "half-way, dot product",
    needs={"dates"},
    margin=ONE_ITEM,
    unit="%",
    value="share of its list that the highest quintile of norms has kept half-way, less that of the lowest (dot product)",
    against="with the items shuffled",
    heavy=True,
    holds_on=_controls.low_norms_change,
    fails_on=_controls.high_norms_change,
)
def higher_norms_are_more_stable_half_way_by_dot(study, seed):
    """Half-way, items of the highest quintile of norms have kept more of their dot-product list than those of the lowest.

    Null and source as for the cosine.
    """
    return gap(kept(study, seed), "half-way", "dot"), null_gap(study, "half-way", "dot")


@claim(
    "P31",
    "at the end, cosine",
    needs={"dates"},
    margin=ONE_ITEM,
    unit="%",
    value="share of its list that the highest quintile of norms has kept at the end, less that of the lowest (cosine)",
    against="with the items shuffled",
    heavy=True,
    holds_on=_controls.low_norms_change,
    fails_on=_controls.high_norms_change,
)
def higher_norms_are_more_stable_at_the_end(study, seed):
    """At the end, items of the highest quintile of norms have kept more of their cosine list than those of the lowest.

    The last window shares no day with the first. Null and source as half-way.
    """
    return gap(kept(study, seed), "end", "cosine"), null_gap(study, "end", "cosine")


@claim(
    "P31",
    "at the end, dot product",
    needs={"dates"},
    margin=ONE_ITEM,
    unit="%",
    value="share of its list that the highest quintile of norms has kept at the end, less that of the lowest (dot product)",
    against="with the items shuffled",
    heavy=True,
    holds_on=_controls.low_norms_change,
    fails_on=_controls.high_norms_change,
)
def higher_norms_are_more_stable_at_the_end_by_dot(study, seed):
    """At the end, items of the highest quintile of norms have kept more of their dot-product list than those of the lowest.

    Null and source as half-way.
    """
    return gap(kept(study, seed), "end", "dot"), null_gap(study, "end", "dot")


@claim(
    "P31",
    "at the end, what left is lost",
    needs={"dates"},
    margin=ONE_ITEM,
    unit="%",
    value="share of its list that the highest quintile of norms has kept at the end, less that of the lowest, where items that left have lost theirs",
    against="with the items shuffled",
    heavy=True,
    holds_on=_controls.low_norms_change,
    fails_on=_controls.high_norms_change,
)
def higher_norms_are_more_stable_with_those_that_left(study, seed):
    """At the end, the highest quintile of norms has kept more of its cosine lists, items that left counted as lost.

    All items of the first date are compared, not only those that the last one holds as well. Null as
    half-way.
    """
    found = gap(kept(study, seed, gone="lost"), "end", "cosine")
    return found, null_gap(study, "end", "cosine", gone="lost")


@claim(
    "P31",
    "beyond chance",
    needs={"dates", "refit"},
    margin=ONE_ITEM,
    unit="%",
    value="of the list that the highest quintile of norms keeps when dates are shuffled, it has kept at the end",
    against="the lowest quintile",
    heavy=True,
    holds_on=_controls.low_norms_change,
    fails_on=_controls.high_norms_change,
)
def time_takes_less_from_higher_norms(study, seed):
    """Of what chance leaves of a list, time takes a smaller share from the highest quintile of norms than from the lowest.

    Two samples of one and the same period differ too, most at low norms. Null: the same windows
    after every context was given the date of another, in which nothing changes but the sample.
    """
    found = at(kept(study, seed), "end", "cosine") / at(unchanged(study, seed), "end", "cosine")
    return found.iloc[-1], found.iloc[0]


@claim(
    "P32",
    "parts differ most, half-way",
    needs={"dates"},
    margin=ONE_ITEM,
    unit="%",
    value="highest less lowest quintile of norms by dot product, half-way",
    against="by cosine",
    heavy=True,
    holds_on=_controls.low_norms_rescaled,
    fails_on=_controls.high_norms_rescaled,
)
def norms_matter_more_by_dot_half_way(study, seed):
    """Half-way, the lists of the highest and the lowest quintile of norms differ more in what they keep by dot product than by cosine.

    Source: Afchar, Hennequin, Guigue (2023), section 4.
    """
    found = kept(study, seed)
    return gap(found, "half-way", "dot"), gap(found, "half-way", "cosine")


@claim(
    "P32",
    "parts differ most, at the end",
    needs={"dates"},
    margin=ONE_ITEM,
    unit="%",
    value="highest less lowest quintile of norms by dot product, at the end",
    against="by cosine",
    heavy=True,
    holds_on=_controls.low_norms_rescaled,
    fails_on=_controls.high_norms_rescaled,
)
def norms_matter_more_by_dot_at_the_end(study, seed):
    """At the end, the lists of the highest and the lowest quintile of norms differ more in what they keep by dot product than by cosine."""
    found = kept(study, seed)
    return gap(found, "end", "dot"), gap(found, "end", "cosine")


@claim(
    "P32",
    "low norms are soon irrelevant",
    needs={"dates"},
    expect="less",
    unit="%",
    value="share of its dot-product list that the lowest quintile of norms has kept half-way",
    against="half of a list being",
    heavy=True,
    holds_on=_controls.low_norms_rescaled,
    fails_on=_controls.high_norms_rescaled,
)
def low_norms_are_soon_irrelevant(study, seed):
    """Half-way, items of the lowest quintile of norms have lost more than half of their dot-product list."""
    return at(kept(study, seed), "half-way", "dot").iloc[0], 0.5


@claim(
    "P32",
    "high norms stay over 80 %",
    needs={"dates"},
    unit="%",
    value="share of its dot-product list that the highest quintile of norms has kept at the end",
    against="the paper's lowest value being",
    heavy=True,
    holds_on=_controls.low_norms_rescaled,
    fails_on=_controls.high_norms_rescaled,
)
def high_norms_stay_similar(study, seed):
    """At the end, items of the highest quintile of norms have kept over 80 % of their dot-product list.

    Measured is the overlap, as the paper's script does; by the Jaccard index of its text the same
    lists have less.
    """
    return at(kept(study, seed), "end", "dot").iloc[-1], 0.8


@claim(
    "P33",
    "half-way",
    needs={"dates"},
    margin=ONE_ITEM,
    unit="%",
    value="distance half-way from the mean of the quintiles of norms to the one farthest from it (cosine)",
    against="the chance of the draw",
    heavy=True,
    holds_on=_controls.low_norms_change,
    fails_on=_controls.high_norms_rescaled,
)
def the_mean_hides_the_parts_half_way(study, seed):
    """Half-way, some quintile of norms is farther from the mean of them all than the draw of its items explains.

    Null: half the width of the 95 % interval of a quintile. Source: as P31.
    """
    return farthest(kept(study, seed), "half-way")


@claim(
    "P33",
    "at the end",
    needs={"dates"},
    margin=ONE_ITEM,
    unit="%",
    value="distance at the end from the mean of the quintiles of norms to the one farthest from it (cosine)",
    against="the chance of the draw",
    heavy=True,
    holds_on=_controls.low_norms_change,
    fails_on=_controls.high_norms_rescaled,
)
def the_mean_hides_the_parts_at_the_end(study, seed):
    """At the end, some quintile of norms is farther from the mean of them all than the draw of its items explains."""
    return farthest(kept(study, seed), "end")


@claim(
    "P34",
    "half-way",
    needs={"dates", "refit", "svd"},
    margin=0.1,  # a weak correlation by Cohen's convention
    value="rank correlation of an item's degree in M with what its list of all items has kept half-way (cosine)",
    against="with the items shuffled",
    heavy=True,
    holds_on=_controls.low_norms_change,
    fails_on=_controls.high_norms_change,
)
def degree_predicts_stability_half_way(study, seed):
    """Half-way, items of higher degree have kept more of their list, beyond what popularity alone gives.

    The degree is the row sum of the PPMI matrix of the first window. Null: the items permuted over
    the interactions (one draw). Source: Afchar, Hennequin, Guigue (2023), sections 3.3.1 and 4.
    """
    return degree_and_stability(study, seed, "half-way"), null_degree(study, "half-way")


@claim(
    "P34",
    "at the end",
    needs={"dates", "refit", "svd"},
    margin=0.1,
    value="rank correlation of an item's degree in M with what its list of all items has kept at the end (cosine)",
    against="with the items shuffled",
    heavy=True,
    holds_on=_controls.low_norms_change,
    fails_on=_controls.high_norms_change,
)
def degree_predicts_stability_at_the_end(study, seed):
    """At the end, items of higher degree have kept more of their list, beyond what popularity alone gives.

    Degree, null and source as half-way.
    """
    return degree_and_stability(study, seed, "end"), null_degree(study, "end")


@claim(
    "N3",
    "sound embeddings keep more",
    needs={"dates"},
    margin=ONE_ITEM,
    unit="%",
    value="share of its list that the steadiest quintile of norms has kept at the end (cosine)",
    against="with the ids on the wrong rows",
    heavy=True,
    holds_on=_controls.low_norms_change,
    fails_on=_controls.dated_without_communities,
)
def sound_embeddings_keep_more_than_faulty_ones(study, seed):
    """A sound embedding has kept more of its lists, at some norm, than the same one with its ids on the wrong rows.

    Where it has not, low stability at every norm is no sign of a fault. Replicates as for P31, and
    each with another permutation. Source: the notes on the paper.
    """
    return steadiest(kept(study, seed)), steadiest(kept(study, seed, fault=True))


@claim(
    "N3",
    "only a fault is low throughout",
    margin=ONE_ITEM,
    unit="%",
    value="share of its list that the steadiest quintile of norms keeps in a sound embedding of items without communities",
    against="with the ids on the wrong rows",
)
def no_communities_is_not_a_fault(study, seed):
    """A sound embedding of a catalogue without communities keeps more of its lists than a faulty one.

    Generated: items drawn by popularity alone. Replicates are catalogues.
    """
    study = _controls.dated_without_communities(seed)
    return steadiest(kept(study, seed)), steadiest(kept(study, seed, fault=True))


@lru_cache(maxsize=1)
def three_dates(study, seed):
    """Embeddings at the first date, half-way and at the end, and the ids to compare (None: all)."""
    if "refit" in study.has:
        return fitted(study, drawn(study, seed)), None
    given = dict(study.snapshots())
    dates = sorted(given, key=lambda date: pd.Timestamp(str(date)))
    chosen = {date: given[date] for date in (dates[0], dates[len(dates) // 2], dates[-1])}
    ids = stability.common_ids(chosen)
    rng = np.random.default_rng(seed)
    return chosen, rng.choice(ids.to_numpy(), round(0.8 * len(ids)), replace=False)


def drawn(study, seed):
    """Interactions of 80 % of the contexts whose time is known."""
    data = study.resampled(seed).interactions
    return data.select(~np.isnat(data.times))


def fitted(study, data, *, fewer=False):
    """Embeddings of the three periods, or of the first and the last, as wide as the widest of them."""
    cut = stability.periods(data)
    dates = list(cut)[:: 2 if fewer else 1]
    found = stability.embed({date: cut[date] for date in dates}, study.fit, seed=study.seed)
    width = max(part.vectors.shape[1] for part in found.values())
    # a window with fewer items than f has fewer dimensions
    wide = (np.pad(part.vectors, ((0, 0), (0, width - part.vectors.shape[1]))) for part in found.values())
    return {date: replace(part, vectors=E) for (date, part), E in zip(found.items(), wide)}


@lru_cache(maxsize=3)
def kept(study, seed, *, gone="left out", fault=False):
    """Table of :func:`spikylib.stability.curves`, by when and similarity; with a fault, ids are on the wrong rows."""
    chosen, ids = three_dates(study, seed)
    if fault:
        date, last = list(chosen.items())[-1]
        wrong = np.random.default_rng(seed).permutation(last.ids)
        chosen = chosen | {date: Embeddings(wrong, last.vectors)}
    return table(chosen, seed, gone=gone, ids=ids)


@lru_cache(maxsize=1)
def unchanged(study, seed):
    """The same where every context has the date of another."""
    return table(fitted(study, stability.shuffle_dates(drawn(study, seed), seed), fewer=True), seed)


@lru_cache(maxsize=1)
def structureless(study):
    """Interactions with the items permuted over them, the dates of the contexts kept, and their embeddings."""
    data = drawn(study, study.seed)
    entries = data.matrix.tocoo()
    items = np.random.default_rng(study.seed).permutation(entries.row)
    mixed = build(items, entries.col, times=data.times, name=data.name)
    return mixed, fitted(study, mixed)


def table(chosen, seed, **options):
    """Table of :func:`spikylib.stability.curves`, by when, similarity and part."""
    found = stability.curves(chosen, k=K, seed=seed, **options)
    found["when"] = np.where(found["date"] == found["date"].max(), "end", "half-way")
    return found.set_index(["when", "similarity", "part"]).sort_index()


def at(found, when, similarity):
    """Share kept by each quintile of norms, the lowest first."""
    if when not in found.index.get_level_values("when"):
        raise NotApplicable("a date between the first and the last")
    return found["overlap"].loc[when, similarity]


def gap(found, when, similarity):
    """Share kept by the highest quintile of norms less that by the lowest."""
    overlap = at(found, when, similarity)
    return overlap.iloc[-1] - overlap.iloc[0]


def null_gap(study, when, similarity, gone="left out"):
    """The gap where items are shuffled; 0 where nothing can be refitted."""
    return gap(null_table(study, gone), when, similarity) if "refit" in study.has else 0.0


@lru_cache(maxsize=2)
def null_table(study, gone):
    """The same where items are shuffled."""
    return table(structureless(study)[1], study.seed, gone=gone)


def farthest(found, when):
    """Distance to the mean of the quintile farthest from it, and what chance gives one of that size."""
    overlap = at(found, when, "cosine")
    width = found["overlap_high"] - found["overlap_low"]
    return (overlap - overlap.mean()).abs().max(), width.loc[when, "cosine"].mean() / 2


def steadiest(found):
    """Largest share that a quintile of norms has kept at the end."""
    return at(found, "end", "cosine").max()


def degree_and_stability(study, seed, when):
    """Rank correlation of degree and the share kept, of the study's own items."""
    return rank_correlation(study, drawn(study, seed), three_dates(study, seed)[0], when, seed)


@lru_cache(maxsize=2)
def null_degree(study, when):
    """The same where items are shuffled."""
    return rank_correlation(study, *structureless(study), when, study.seed)


def rank_correlation(study, data, chosen, when, seed):
    """Spearman's correlation of degree in the first window with the share of its list that an item keeps."""
    dates = list(chosen)
    begin = study.refit(stability.periods(data)[dates[0]])
    degree = pd.DataFrame({"degree": begin.M.sum(axis=1)}, index=begin.items["id"])
    # items of all three dates: of those that leave, half-way holds old plays alone, and keeps their lists
    common = stability.common_ids(chosen)
    both = {date: only(chosen[date], common) for date in (dates[0], dates[1 if when == "half-way" else 2])}
    own = stability.item_stability(both, degree, k=K, n_queries=ITEMS_DRAWN, seed=seed)
    return stability.rank_correlations(own, "cosine", ["degree"]).loc["degree", "rho"]


def only(snapshot, ids):
    """The rows of some ids."""
    return Embeddings(
        ids.to_numpy(), snapshot.vectors[pd.Index(snapshot.ids).get_indexer(ids)], snapshot.name
    )
