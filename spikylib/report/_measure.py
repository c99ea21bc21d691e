"""What a report measures beyond the claims: the few numbers that a decision needs."""

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from spikylib import consistency, retrieval, spikes, stability
from spikylib._arrays import has_direction, n_shared, row_norms, sample_rows
from spikylib._device import placed
from spikylib.study import Study

K = 50  # length of a list of similar items
RANKS_TRIED = (8, 16, 32, 64, 128)
GAMMAS = (0.0, 0.25, 0.5, 0.75, 1.0)  # from the cosine, 0, to the dot product, 1
LENGTHS = (2, 5, 10, 20, 50)  # items averaged
_SCORES = 2e8  # queries times items of one set of lists: a few seconds at 128 dimensions
_LISTED = 2000  # queries for lists that count hubs


class Tests(NamedTuple):
    """Hidden items to be found from another item of their context, and the embedding to find them with."""

    E: np.ndarray
    queries: np.ndarray
    hidden: np.ndarray
    rare: np.ndarray
    held_out: bool
    device: str


def tests(study: Study) -> Tests:
    """Hide one item of each context: from the fit too, where it can be redone."""
    held_out = "refit" in study.has
    if held_out:
        part, queries, hidden, _ = study.split(study.seed)
    else:
        part = study
        _, queries, hidden = retrieval.hide_one(study.interactions.matrix, seed=study.seed)
        row = np.full(study.interactions.n_items, -1)
        row[study.rows] = np.arange(len(study.rows))
        known = (row[queries] >= 0) & (row[hidden] >= 0)
        queries, hidden = row[queries[known]], row[hidden[known]]
    directed = np.flatnonzero(has_direction(row_norms("E", part.E)[0])[queries])
    n = int(np.clip(_SCORES / len(part.E), 1000, 5000))
    drawn = sample_rows(directed, n, study.seed)
    plays = part.plays[hidden[drawn]]
    return Tests(part.E, queries[drawn], hidden[drawn], plays <= np.median(plays), held_out, study.device)


def hits(found: Tests, f: int, gamma: float) -> np.ndarray:
    """Whether each hidden item is among the K nearest by cosine times norm^gamma, in f dimensions."""
    E = placed(retrieval.temper_norms(found.E[:, :f], gamma), found.device)
    asked, own = np.unique(found.queries, return_inverse=True)
    lists, _ = retrieval.top_k(E, asked, min(K, len(E) - 1), similarity="dot", exclude_self=True)
    return retrieval.recall(lists, own, found.hidden)


def recalls(found: Tests) -> dict[tuple[int, float], np.ndarray]:
    """Hits of cosine and dot product at each rank, and at the rank of choice of all between."""
    d = found.E.shape[1]
    ranks = [f for f in RANKS_TRIED if f <= d] or [d]
    by = {(f, gamma): hits(found, f, gamma) for f in ranks for gamma in (0.0, 1.0)}
    f = saturated(by)
    return by | {(f, gamma): hits(found, f, gamma) for gamma in GAMMAS[1:-1]}


def saturated(by: dict[tuple[int, float], np.ndarray]) -> int:
    """The smallest rank within 3 % of the best recall, by the similarity that finds more there."""
    best = max(hit.mean() for hit in by.values())
    return min(f for (f, _), hit in by.items() if hit.mean() >= 0.97 * best)


def dial(by: dict[tuple[int, float], np.ndarray], f: int) -> float:
    """The smallest exponent of the norm that is not clearly worse than the best, or costs less than a point."""
    found = {gamma: by[f, gamma] for gamma in GAMMAS}
    best = max(found.values(), key=np.mean)
    for gamma, hit in found.items():
        _, low, high = retrieval.paired_interval(best, hit)
        if low <= 0 or high < 0.01:
            return gamma
    raise AssertionError("the best is no worse than itself")


def found_again(study: Study) -> dict[int, float]:
    """Of items averaged, the share among as many nearest to their mean, by cosine, by how many there are."""
    n = len(study.E)
    drawn = {"n_subsets": int(np.clip(_SCORES / n / 10, 50, 300)), "similarity": "cosine", "seed": study.seed}
    # beyond a twentieth of the items chance finds many
    return {k: consistency.empirical(study.E, k, **drawn).mean for k in LENGTHS if 20 * k <= n or k == 2}


def matched(a: Study, b: Study) -> tuple[np.ndarray, np.ndarray]:
    """Row in b of each row of a, by id, -1 where it has none; and which have a direction in both."""
    row = pd.Index(b.items["id"]).get_indexer(a.items["id"])
    able = (row >= 0) & has_direction(row_norms("E", a.E)[0])
    able[able] &= has_direction(row_norms("E", b.E)[0])[row[able]]
    return row, able


def kept_when_redrawn(study: Study) -> tuple[np.ndarray, np.ndarray] | None:
    """How much of the lists of items is there again after a refit to 80 % of the contexts.

    Rows of E, up to 2,000 drawn at random and ordered by plays, and the share of each list; None where
    there is nothing to refit.
    """
    if "refit" not in study.has:
        return None
    part = study.resampled(study.seed)
    moved, able = matched(study, part)
    drawn = np.sort(sample_rows(np.flatnonzero(able), _LISTED, study.seed))
    k = min(K, len(part.E) - 1)
    before, _ = retrieval.top_k(placed(study.E, study.device), drawn, k, exclude_self=True)
    after, _ = retrieval.top_k(placed(part.E, study.device), moved[drawn], k, exclude_self=True)
    # numbers of their own for items that the part lacks
    number = np.where(moved < 0, -1 - np.arange(len(moved)), moved)
    order = np.argsort(study.plays[drawn], kind="stable")
    return drawn[order], (n_shared(number[before], after) / k)[order]


def at_the_end(study: Study) -> tuple[pd.DataFrame, float] | None:
    """Overlap of lists by norm with the first of the snapshots, and at the end with the dates shuffled.

    The latter is NaN of embeddings that are given; None where too few items are common.
    """
    dated = dict(study.snapshots())
    k = min(K, len(stability.common_ids(dated)) // 5 - 1)
    if k < 1:
        return None
    how = {"k": k, "similarity": "cosine", "n_queries": 300, "candidates": "all", "seed": study.seed}
    table, by_chance = stability.curves(dated, **how), float("nan")
    if "refit" in study.has:
        by_chance = stability.floor(study.interactions, study.fit, kind="shuffled", **how)["overlap"].mean()
    return table, by_chance


def hubs(study: Study) -> list[tuple[int, float]]:
    """The ten rows that are in most lists by dot product, and of how many lists: of up to 2,000 queries."""
    E = study.E
    asked = sample_rows(np.flatnonzero(has_direction(row_norms("E", E)[0])), _LISTED, study.seed)
    lists, _ = retrieval.top_k(
        placed(E, study.device), asked, min(K, len(E) - 1), similarity="dot", exclude_self=True
    )
    count = np.bincount(lists.ravel(), minlength=len(E))
    return [(int(i), float(count[i] / len(asked))) for i in np.argsort(-count, kind="stable")[:10]]


def largest(cover: spikes.SpikeCover, most: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """The spikes with most rows, as places among the peaks, and the number of rows of every spike."""
    size = np.bincount(cover.spike[cover.spike >= 0], minlength=len(cover.peaks))
    return np.argsort(-size, kind="stable")[:most], size


def largest_spikes(study: Study, f: int, names: np.ndarray) -> list[dict]:
    """Peak, size, some members and what they share, of the largest spikes at a rank."""
    cover = study.cover(f)
    chosen, size = largest(cover)
    by = [c for c in ("tags", "artist", "album") if c in study.items]
    table = spikes.describe(cover, study.items, by=by, n_spikes=len(chosen)) if by else None
    found = []
    for place, k in enumerate(chosen):
        members = np.flatnonzero(cover.spike == k)
        norm = np.linalg.norm(study.E[members, :f], axis=1)
        first = members[np.argsort(-norm, kind="stable")]
        row = {"peak": names[cover.peaks[k]], "items": int(size[k])}
        row["members"] = [str(names[i]) for i in first if i != cover.peaks[k]][:4]
        if table is not None and table["shared"][place] != "":
            row |= {"shared": str(table["shared"][place]), "share": float(table["share"][place])}
        found.append(row)
    return found


def what_was_read(study: Study, names: np.ndarray) -> dict:
    """Rows, those without a direction, those that repeat, and the share of a common mean in their squares."""
    E = study.E
    norm, _ = row_norms("E", E)
    first = sample_rows(E, 100_000, study.seed)
    repeated = len(first) - len(Counter(map(bytes, np.ascontiguousarray(first))))
    squares = float(np.square(first).sum())
    mean = float(len(first) * np.square(first.mean(axis=0)).sum() / squares) if squares else 0.0
    read = {"rows": len(E), "dimensions": E.shape[1], "zero_rows": int((~has_direction(norm)).sum())}
    read |= {"repeated_rows": repeated, "share_of_the_mean": mean, "notes": study.notes}
    middle, longest = float(np.median(norm[norm > 0])), int(norm.argmax())
    read |= {"longest": str(names[longest]), "longest_over_median": float(norm[longest]) / middle}
    if study.interactions is not None:
        data = study.interactions
        read |= {"items": data.n_items, "contexts": data.n_contexts, "interactions": int(data.matrix.nnz)}
    return read


def names_of(study: Study) -> np.ndarray:
    """What each row is called: title and artist where the data have them, else its id."""
    items = study.items
    parts = [items[c].astype(str) for c in ("title", "artist") if c in items]
    if not parts:
        return items["id"].astype(str).to_numpy(dtype=object)
    named = parts[0] if len(parts) == 1 else parts[0] + " - " + parts[1]
    return named.to_numpy(dtype=object)


def last_snapshot(study: Study) -> Study:
    """A study that has embeddings: of dated ones alone, the last."""
    if "E" in study.has:
        if study.embeddings is not None:
            _refuse_extremes(study.embeddings)
        return study
    dated = dict(study.snapshots())
    date = max(dated, key=str)
    looked_at = f"looked at: {date}, the last date of {len(dated)}"
    last = replace(dated[date], notes="; ".join(filter(None, [looked_at, dated[date].notes])))
    return Study(embeddings=last, snapshots=dated, seed=study.seed, device=study.device, **study.settings)


def _refuse_extremes(made):
    """Refuse a row compared with which all others are zero to rounding."""
    norm, _ = row_norms("vectors", made.vectors)
    longest = int(norm.argmax())
    middle = float(np.median(norm))
    if middle > 0 and norm[longest] > 1e8 * middle:
        raise ValueError(
            f"{made.name}: the row of {made.ids[longest]!s} is {norm[longest] / middle:.0e} times as long as the middle one, "
            "so compared with it the others are zero; remove or correct it"
        )
