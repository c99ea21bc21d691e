"""Claims on what becomes of items that lose contexts: "degree makes lists robust" (P34), tested as a cause.

Of the items in sixteen contexts or more, one in twenty is *thinned*, 200 at most, evenly over the
plays: a share of its contexts is left, drawn at random. Its *twin*, an item of about as many plays, is
left alone. Both are compared with what they were in the study as it is. A list holds the fifty
nearest by cosine among the items that are not thinned; an item that has lost its embedding has kept
nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.linalg import orthogonal_procrustes

from spikylib import datasets, retrieval, synthetic
from spikylib._arrays import has_direction, n_shared, row_norms, unit_rows
from spikylib._interactions import build
from spikylib.claims import _controls as on
from spikylib.claims._registry import NotApplicable, claim
from spikylib.datasets import Interactions
from spikylib.study import Study

K = 50  # length of a list
PLAYS, ONE_IN, MOST = 16, 20, 200  # contexts of an item to thin; of how many such items one is; at most
FEWEST = 20  # thinned items of which a mean is taken


# --- controls of their own


@lru_cache(maxsize=2)
def twelve_alike(seed: int) -> Study:
    """Twelve communities of fifty items as popular as each other: an eighth of the contexts says as much."""
    return Study(on.separate(12, seed).interactions, f=12, seed=seed)


@lru_cache(maxsize=2)
def rare_anywhere(seed: int) -> Study:
    """The same communities, and 600 rare items in any contexts: few plays go along with having no community."""
    X = on.separate(12, seed).interactions.matrix.tocoo()
    rng = np.random.default_rng(seed)
    rare = 600 + np.repeat(np.arange(600), rng.integers(15, 30, 600))
    item, context = np.append(X.row, rare), np.append(X.col, rng.integers(X.shape[1], size=len(rare)))
    return Study(build(item, context, name="made"), seed=seed)


@lru_cache(maxsize=2)
def steady_if_played(seed: int) -> Study:
    """Long contexts, half of them noise: an item's list is as steady as it has contexts, whatever its community."""
    options = {"n_items": 1200, "n_contexts": 500, "n_communities": 10, "mean_length": 120, "noise": 0.5}
    return Study(synthetic.clean_playlists(**options, seed=seed), seed=seed)


def thinning(id: str, part: str, holds_on: Callable, fails_on: Callable = twelve_alike, **rule) -> Callable:
    """What the parts have in common."""
    rule = {"expect": "less", "margin": 0.1, "unit": "%"} | rule
    return claim(id, part, needs={"refit"}, heavy=True, holds_on=holds_on, fails_on=fails_on, **rule)


# --- H4: what is lost


LIST = "share of its list that an item keeps"
TURN = "cosine of an item's old and new direction"


@thinning(
    "H4",
    "list, half left",
    value=f"{LIST} with half of its contexts",
    against="its twin",
    holds_on=on.communities,
)
def half_changes_the_list(study, seed):
    """With half of its contexts an item keeps less of its list than its twin, in the same refit.

    Replicates are draws of items and of contexts. Null: the twin, for a refit changes every list. Five
    of the fifty places are the least that matters.
    """
    return after(study, seed, 1 / 2).lists


@thinning(
    "H4",
    "list, an eighth left",
    value=f"{LIST} with an eighth of its contexts",
    against="its twin",
    holds_on=on.communities,
)
def an_eighth_changes_the_list(study, seed):
    """With an eighth of its contexts an item keeps less of its list than its twin, in the same refit.

    Replicates, null and margin as with half.
    """
    return after(study, seed, 1 / 8).lists


@thinning(
    "H4",
    "dose",
    value=f"{LIST} with an eighth of its contexts",
    against="with half",
    holds_on=on.few_communities,
)
def the_more_is_lost_the_more_changes(study, seed):
    """With an eighth of its contexts an item keeps less of its list than with half.

    The contexts of the eighth are among those of the half.
    """
    return after(study, seed, 1 / 8).lists[0], after(study, seed, 1 / 2).lists[0]


@thinning(
    "H4",
    "direction, half left",
    value=f"{TURN} with half of its contexts",
    against="of its twin",
    unit="",
    holds_on=on.shuffled,
)
def half_turns(study, seed):
    """With half of its contexts an item turns away from its direction more than its twin does.

    The refit is first turned so that the items that are not thinned fit best (orthogonal Procrustes).
    A cosine of 0.9 is where an item leaves its spike, and so a tenth is the least that matters.
    """
    return after(study, seed, 1 / 2).directions


@thinning(
    "H4",
    "direction, an eighth left",
    value=f"{TURN} with an eighth of its contexts",
    against="of its twin",
    unit="",
    holds_on=on.communities,
)
def an_eighth_turns(study, seed):
    """With an eighth of its contexts an item turns away from its direction more than its twin does.

    The refit is first turned so that the items that are not thinned fit best (orthogonal Procrustes).
    """
    return after(study, seed, 1 / 8).directions


# --- H5: plays as the cause


@thinning(
    "H5",
    "popularity protects",
    expect="more",
    value="how much more of their lists the popular half of the thinned items keeps than the other",
    against="their twins",
    holds_on=rare_anywhere,
)
def popularity_protects(study, seed):
    """With a quarter of their contexts the more popular half of the items keeps more of its lists than the other.

    Null: the same of their twins, for rarer items change more in any refit.
    """
    kept = after(study, seed, 1 / 4).by_plays
    half = kept.shape[1] // 2
    return kept[:, half:].mean(axis=1) - kept[:, :half].mean(axis=1)


@thinning(
    "H5",
    "as those born with fewer",
    expect="equal",
    value="share of its list that a thinned item has again in another draw of the contexts",
    against="items that had as few from the start",
    holds_on=on.shuffled,  # plays are all that differs
    fails_on=rare_anywhere,
)
def as_steady_as_those_born_with_fewer(study, seed):
    """Between two draws of 80 % of the contexts, an item thinned to a quarter repeats as much of its list as one that had as few from the start.

    Each is matched with an item whose plays are the same within a tenth. If plays are the cause of
    steady lists, the two are alike; if plays only go along with it, the thinned item is steadier.
    """
    thin, _, born = repeated(study, seed)
    return thin, born


@thinning(
    "H5",
    "nearer to those born with fewer",
    margin=0.0,  # on which side of the middle: any side counts
    value="share of its list that a thinned item has again in another draw of the contexts",
    against="half-way between its twin and items that had as few from the start",
    holds_on=steady_if_played,
    fails_on=rare_anywhere,
)
def nearer_to_those_born_with_fewer(study, seed):
    """Between two draws of 80 % of the contexts, an item thinned to a quarter is less steady than half-way between its twin and an item that had as few from the start.

    Where it is, plays account for most of what a popular item's list is steadier by.
    """
    thin, twins, born = repeated(study, seed)
    return thin, (twins + born) / 2


# --- what they share


class Kept(NamedTuple):
    """What thinned items (first) and their twins (second) have kept: means, and lists by increasing plays."""

    lists: np.ndarray
    directions: np.ndarray
    by_plays: np.ndarray


@lru_cache(maxsize=3)
def after(study: Study, seed: int, share: float) -> Kept:
    """Compare the study with its refit after some items were thinned to a share of their contexts."""
    both = pairs(study, seed)
    part = thinned(study, seed, share)
    among = np.setdiff1d(np.arange(len(study.E)), both[0])
    kept = np.array([same(*(nearest(study, s, rows, among) for s in (study, part))) for rows in both])
    turned = direction_kept(study.E, aligned(study, part), among)[both]
    return Kept(kept.mean(axis=1), turned.mean(axis=1), kept)


@lru_cache(maxsize=1)
def thinned(study: Study, seed: int, share: float) -> Study:
    """The refit after some items were thinned to a share of their contexts."""
    rows = study.rows[pairs(study, seed)[0]]
    return study.refit(without_contexts(study.interactions, rows, share, seed))


def pairs(study: Study, seed: int) -> np.ndarray:
    """Rows of E to thin, by increasing plays, and of their twins: shape (2, pairs)."""
    rng = np.random.default_rng(seed)
    able = has_direction(row_norms("E", study.E)[0]) & (study.plays >= PLAYS)
    able = rng.permutation(np.flatnonzero(able))  # so that equal plays are in any order
    n = min(MOST, len(able) // ONE_IN)
    if n < FEWEST:
        raise NotApplicable(f"{ONE_IN * FEWEST} items of {PLAYS} contexts")
    groups = np.array_split(able[np.argsort(study.plays[able], kind="stable")], n)
    return np.array([rng.choice(group, 2, replace=False) for group in groups]).T


def without_contexts(data: Interactions, rows: np.ndarray, share: float, seed: int) -> Interactions:
    """Leave a share of the contexts of some items, drawn at random; a smaller share is part of a larger."""
    rng, X = np.random.default_rng(seed), data.matrix
    stays = np.ones(X.nnz, dtype=bool)
    for a, b in zip(X.indptr[rows], X.indptr[rows + 1]):
        stays[a:b] = rng.permutation(b - a) < round(share * (b - a))
    indptr = np.append(0, np.cumsum(stays))[X.indptr]
    matrix = sp.csr_array((X.data[stays], X.indices[stays], indptr), shape=X.shape)
    return replace(data, matrix=matrix, times=None)


def numbered(study: Study, part: Study) -> np.ndarray:
    """Row in the E of a refit of each row of the study's E; -1 where it has none."""
    return pd.Index(part.items["id"]).get_indexer(study.items["id"])


def nearest(study: Study, part: Study, rows: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Lists of some items in a refit, in rows of the study's E; -1 throughout where an item has no embedding."""
    at = numbered(study, part)
    back = np.full(len(part.E), -1)
    back[at[at >= 0]] = np.flatnonzero(at >= 0)
    found, there = np.full((len(rows), K), -1), at[rows] >= 0
    others = at[among][at[among] >= 0]
    found[there] = back[retrieval.top_k(part.E, at[rows[there]], K, candidates=others, exclude_self=True)[0]]
    return found


def same(lists: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Share of each list that is in the other; none where either is missing."""
    return np.where((lists[:, 0] < 0) | (others[:, 0] < 0), 0, n_shared(lists, others) / K)


def aligned(study: Study, part: Study) -> np.ndarray:
    """Rows of a refit in the order of the study's E; zero where an item has no embedding."""
    at = numbered(study, part)
    return np.where((at >= 0)[:, None], part.E[at], 0)


def direction_kept(E: np.ndarray, other: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Cosine of each row with its counterpart, after the rotation that fits the fixed rows best."""
    f = min(E.shape[1], other.shape[1])
    rotation, _ = orthogonal_procrustes(E[fixed, :f], other[fixed, :f])
    return np.vecdot(unit_rows(E[:, :f] @ rotation), unit_rows(other[:, :f]))


@lru_cache(maxsize=1)
def repeated(study: Study, seed: int) -> list[float]:
    """Mean share of lists that two draws of the contexts agree on, after thinning to a quarter.

    Of thinned items, of their twins, and of others that had as few plays as the thinned ones have left.
    """
    part, both = thinned(study, seed, 1 / 4), pairs(study, seed)
    among = np.setdiff1d(np.arange(len(study.E)), both[0])
    which, born = matched(study, part, both[0], among, seed)
    draws = [part.refit(datasets.resample(part.interactions, seed=2 * seed + k)) for k in (0, 1)]
    lists = ([nearest(study, draw, rows, among) for draw in draws] for rows in (*both[:, which], born))
    return [same(*pair).mean() for pair in lists]


def matched(study: Study, part: Study, thin: np.ndarray, among: np.ndarray, seed: int) -> np.ndarray:
    """Places of thinned items, and for each the row of another whose plays are the same within a tenth."""
    plays = np.diff(part.interactions.matrix.indptr)[study.rows]
    there = numbered(study, part) >= 0
    rng, found = np.random.default_rng(seed), []
    pool = rng.permutation(among[there[among]])
    for k in rng.permutation(np.flatnonzero(there[thin])):
        near = np.abs(plays[pool] - plays[thin[k]]) <= plays[thin[k]] / 10
        if near.any():
            found.append((k, pool[near.argmax()]))
            pool = np.delete(pool, near.argmax())
    if len(found) < FEWEST:
        raise NotApplicable("items in as few contexts as the thinned ones are left with")
    return np.array(found).T
