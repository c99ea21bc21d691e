"""Claims of chapter 5: what the norm is worth, cosine or dot product, and the choice of f."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.stats import spearmanr

from spikylib import dcbm, nulls, retrieval, selectors, spikes, svd, synthetic
from spikylib._arrays import has_direction, n_shared, row_norms
from spikylib.claims import _controls as on
from spikylib.claims._finding import GENERATED, UNDECIDED, UNTESTED, Finding, judge, number
from spikylib.claims._registry import NotApplicable, claim, over_datasets
from spikylib.claims._spikes import redrawn
from spikylib.study import Study

K = 50  # length of a list
N_LISTS, N_TESTS, N_ROWS = 2_000, 4_000, 10_000  # drawn at most
GRID = (4, 8, 16, 32, 64, 128)  # ranks to choose from
PLACE = 0.02  # of a list of 50: its smallest change
TENTH = 0.1


# --- P22, P23: degree


@claim(
    "P22",
    "ranks degrees",
    needs={"svd"},
    value="rank correlation of norm and degree on spikes",
    against="the bound being",
    holds_on=on.communities,
    fails_on=on.dense,
)
def norm_ranks_degrees(study, seed):
    """On spikes the norm of a row ranks items as their degree in M-hat does: Spearman correlation above 0.8.

    At 0.8 four of five pairs are in the right order. The degree itself, U Sigma (V' 1),
    takes as long. Replicates are draws of the contexts. Source: section 3.3.1.
    """
    part = redrawn(study, seed)
    rows = part.cover().spike >= 0
    norm, degree = dcbm.degree_from_norm(part.svd), dcbm.degree_lowrank(part.svd)
    return spearmanr(norm[rows], degree[rows]).statistic, 0.8


@claim(
    "P22",
    "long rows are popular",
    margin=0.5,  # half as many plays again: less does not show in a list
    needs={"E", "interactions"},
    value="plays of the longest tenth of the rows, in means over all rows",
    against="rows of any length having",
    holds_on=on.communities,
    fails_on=on.dense,
)
def long_rows_are_popular(study, seed):
    """The longest rows belong to popular items: the top tenth by norm has more plays than the mean item.

    The advice about the dot product (P24, P25, P27) rests on this. Null: rows of any norm.
    """
    part = redrawn(study, seed)
    norm, plays = row_norms("E", part.E)[0], part.plays
    longest = np.argsort(-norm, kind="stable")[: max(1, len(norm) // 10)]
    return plays[longest].mean() / plays.mean(), 1.0


@claim(
    "P23",
    "tail of the degrees",
    expect="equal",
    margin=0.1,  # half of what is between a power law, which has 1, and the log-normal tails found here
    needs={"svd"},
    value="relative spread of the logarithms of the upper half of norms",
    against="of degrees in M",
    holds_on=on.untidy,
    fails_on=on.in_sixteen_dimensions,
)
def norms_have_the_tail_of_degrees(study, seed):
    """The tail of the norms is as heavy as that of the degrees in M: both call the graph scale-free, or neither.

    Source: section 3.3.1.
    """
    part = redrawn(study, seed)
    return tail(dcbm.degree_from_norm(part.svd)), tail(part.M.sum(axis=1))


@claim(
    "P23",
    "tail of the plays",
    expect="equal",
    margin=0.1,
    needs={"E", "interactions"},
    value="relative spread of the logarithms of the upper half of norms",
    against="of plays",
    holds_on=on.as_long_as_played,
    fails_on=on.few_communities,
)
def norms_have_the_tail_of_plays(study, seed):
    """The tail of the norms is as heavy as that of the plays: what they tell is true of the listening, too."""
    part = redrawn(study, seed)
    return tail(row_norms("E", part.E)[0]), tail(part.plays)


# --- P24, P25: cosine or dot product


@claim(
    "P24",
    "one value a community",
    expect="equal",
    margin=1e-9,
    value="largest difference of cosines between the same two of three exact spikes",
    against="of an SBM",
)
def cosine_has_one_value_a_community(study, seed):
    """On exact spikes all items of one community have the same cosine with all of another."""
    planted, spike = synthetic.planted_spikes(n_off=0, seed=seed)
    E = svd.truncated_svd(planted, f=3).embeddings()
    found, score = retrieval.top_k(E, np.arange(len(E)), len(E))
    pair = spike[:, None] * 3 + spike[found]
    return max(np.ptp(score[pair == k]) for k in np.unique(pair)), 0.0


@claim(
    "P24",
    "coverage",
    margin=0.02,
    needs={"E"},
    unit="%",
    value="items in some list by cosine",
    against="by dot product",
    holds_on=on.communities,
    fails_on=on.uniform,
)
def cosine_covers_more(study, seed):
    """More of the catalogue is in some list by cosine than by dot product.

    Lists of 50 for up to 2,000 items drawn at random. Source: section 3.3.2; Ge et al. (2010).
    """
    found = lists(study, seed)
    return tuple(len(np.unique(found.by[kind])) / len(found.part.E) for kind in ("cosine", "dot"))


@claim(
    "P24",
    "less popular half",
    margin=0.01,  # one more hit in a hundred lists
    needs={"refit"},
    unit="%",
    value="recall@50 of the less popular half of the hidden items by cosine",
    against="by dot product",
    holds_on=on.untidy,
    fails_on=on.few_communities,
)
def cosine_discovers(study, seed):
    """Of the less popular half of the hidden items, lists by cosine hold more than lists by dot product."""
    found = tests(study, seed)
    rare = found[found["rare"]]
    return hit_rate(rare["cosine"]), hit_rate(rare["dot"])


@claim(
    "P24",
    "filter bubble",
    expect="less",
    margin=PLACE,
    needs={"E"},
    unit="%",
    value="places given to other spikes by cosine",
    against="by dot product",
    holds_on=on.communities,
    fails_on=on.shuffled,
)
def cosine_stays(study, seed):
    """Lists by cosine leave the spike of their query less often than lists by dot product.

    Counted are places of items on spikes, in the lists of queries on spikes.
    """
    found = lists(study, seed)
    shares = []
    for kind in ("cosine", "dot"):
        place, own = spikes_of(found, found.by[kind])
        shares.append(hit_rate((place != own)[place >= 0]))
    return shares


@claim(
    "P25",
    "the peak comes first",
    needs={"E"},
    unit="%",
    value="lists by dot product that open with the peak of the query's spike",
    against="half of them being",
    holds_on=on.as_many_as_a_rank,
    fails_on=on.wide_and_uneven,
)
def peak_comes_first(study, seed):
    """Most lists by dot product open with the item of highest norm of the query's spike.

    The paper says "always". Queries are items on spikes, peaks left out. Source: section 3.3.2.
    """
    found = lists(study, seed)
    cover = found.part.cover()
    asks = (cover.spike[found.rows] >= 0) & ~np.isin(found.rows, cover.peaks)
    first = found.by["dot"][asks, 0]
    return hit_rate(first == cover.peaks[cover.spike[found.rows[asks]]]), 0.5


@claim(
    "P25",
    "popular items merge",
    margin=2 * PLACE,
    needs={"E", "interactions"},
    unit="%",
    value="places given to popular items of other spikes by dot product",
    against="by cosine",
    holds_on=on.communities,
    fails_on=on.uniform,
)
def popular_items_merge(study, seed):
    """Lists by dot product hold more popular items of other spikes than lists by cosine.

    Popular is the fifth of the items with most plays; queries are items on spikes.
    """
    found = lists(study, seed)
    plays = found.part.plays
    shares = []
    for kind in ("dot", "cosine"):
        place, own = spikes_of(found, found.by[kind])
        popular = plays[found.by[kind][found.on]] >= np.quantile(plays, 0.8)
        shares.append(hit_rate((place >= 0) & (place != own) & popular))
    return shares


@claim(
    "P25",
    "the tail is reached less",
    expect="less",
    margin=2 * PLACE,
    needs={"E", "interactions"},
    unit="%",
    value="places given to the less played half of the items by dot product",
    against="by cosine",
    holds_on=on.communities,
    fails_on=on.uniform,
)
def tail_is_reached_less(study, seed):
    """Lists by dot product give fewer places to the less played half of the items than lists by cosine."""
    found = lists(study, seed)
    rank = np.argsort(np.argsort(found.part.plays, kind="stable"), kind="stable")
    return tuple((rank[found.by[kind]] < len(rank) / 2).mean() for kind in ("dot", "cosine"))


@claim(
    "P25",
    "popular items are listed",
    margin=0.5,
    needs={"E", "interactions"},
    value="plays of an item listed by dot product, in means over all items",
    against="by cosine",
    holds_on=on.communities,
    fails_on=on.dense,
)
def popular_items_are_listed(study, seed):
    """Items listed by dot product have more plays than items listed by cosine."""
    return mean_plays(study, seed, "dot"), mean_plays(study, seed, "cosine")


@claim(
    "P25",
    "more is found",
    margin=0.01,
    needs={"refit"},
    unit="%",
    value="recall@50 of all hidden items by dot product",
    against="by cosine",
    holds_on=on.communities,
    fails_on=on.dense,
)
def dot_finds_more(study, seed):
    """Lists by dot product hold more of the hidden items than lists by cosine, as these are popular ones."""
    found = tests(study, seed)
    return hit_rate(found["dot"]), hit_rate(found["cosine"])


# --- P26 to P28, N2: what the peaks count


@claim(
    "P26",
    "K, clean communities",
    expect="equal",
    margin=0.25,
    value="peaks at f = K over the number K of clean communities",
    against="asked",
)
def peaks_count_communities(study, seed):
    """With as many dimensions as clean communities of unequal size, the peaks are as many, to within a quarter.

    Mean over K = 16, 32 and 64. Source: section 3.3.3.
    """
    return np.mean([peaks / k for peaks, k, _ in clean_counts(seed)]), 1.0


@claim(
    "P26",
    "half, clean communities",
    expect="equal",
    margin=0.25,
    value="peaks at f = K over the number of clean communities that hold half of the items",
    against="asked",
)
def peaks_count_communities_of_half(study, seed):
    """With as many dimensions as clean communities, the peaks are as many as hold half of the items, to within a quarter."""
    return np.mean([peaks / half for peaks, _, half in clean_counts(seed)]), 1.0


@claim(
    "P26",
    "K, untidy communities",
    expect="equal",
    margin=0.25,
    value="peaks at f = K over the number K of communities that overlap",
    against="asked",
)
def peaks_count_untidy_communities(study, seed):
    """Where communities overlap and noise is uneven, the peaks at f = K are as many as the communities."""
    n_communities = 100
    data = synthetic.playlists(n_items=1500, n_contexts=4000, n_communities=n_communities, seed=seed)
    return len(Study(data, f=n_communities).cover().peaks) / n_communities, 1.0


@claim(
    "P27",
    "lists repeat",
    margin=TENTH,
    needs={"refit"},
    heavy=True,
    unit="%",
    value="share of a list by cosine found again from 80 % of the contexts, top quintile of norms less the lowest",
    against="with shuffled items",
    holds_on=on.few_communities,
    fails_on=on.shuffled,
)
def lists_of_long_rows_repeat(study, seed):
    """Lists of the longest rows come out again from other contexts, those of the shortest less: by a tenth of a list.

    Null: shuffled items, among which lists of long rows repeat more, too, where they have more plays. A tenth
    beyond that. Source: section 3.3.3.
    """
    return top_less_lowest(repeats(study, seed)), top_less_lowest(repeats_by_chance(study, seed))


@claim(
    "P27",
    "lists repeat, equal plays",
    margin=PLACE,
    needs={"refit"},
    heavy=True,
    unit="%",
    value="share of a list by cosine found again from 80 % of the contexts, longer rows less shorter ones with as many plays",
    against="with shuffled items",
    holds_on=on.few_communities,
    fails_on=on.shuffled,
)
def lists_of_longer_rows_repeat(study, seed):
    """Of rows with as many plays, the lists of the longer half come out again more often.

    This takes out that items with few plays have short rows. Null: shuffled items, as above.
    """
    both = repeats(study, seed), repeats_by_chance(study, seed)
    long, short = np.transpose([longer_and_shorter(found, "same", seed) for found in both])
    return tuple(long - short)


@claim(
    "P27",
    "recall, less popular half",
    margin=0.01,
    needs={"refit"},
    unit="%",
    value="recall@50 of the less popular hidden items from the longer rows",
    against="from shorter rows with as many plays",
    holds_on=on.few_communities,
    fails_on=on.uniform,
)
def longer_rows_find_more(study, seed):
    """Of queries with as many plays, the longer half finds more of the less popular half of the hidden items."""
    found = tests(study, seed)
    return longer_and_shorter(found[found["rare"]], "cosine", seed)


@claim(
    "P28",
    "linear",
    expect="equal",
    margin=0.1,
    needs={"E"},
    value="peaks for each further row captured, from 85 % to 95 % of the rows",
    against="from 75 % to 85 %",
    holds_on=on.shuffled,
    fails_on=on.in_sixteen_dimensions,
)
def late_growth_is_linear(study, seed):
    """Once three quarters of the rows are captured, peaks grow in proportion to the rows captured.

    Of up to 10,000 rows drawn at random. Source: section 3.3.3.
    """
    early, late = growth(redrawn(study, seed).E, study, seed)
    return late, early


@claim(
    "P28",
    "as normal rows",
    expect="equal",
    margin=0.1,
    needs={"E"},
    value="peaks for each further row captured, from 85 % to 95 % of the rows",
    against="of normal rows",
    holds_on=on.shuffled,
    fails_on=on.in_sixteen_dimensions,
)
def late_growth_is_that_of_normal_rows(study, seed):
    """The last rows to be captured are as isolated as normal rows of the same mean and covariance."""
    E = redrawn(study, seed).E
    return growth(E, study, seed)[1], growth(nulls.like_normal(E, seed=seed), study, seed)[1]


@claim(
    "N2",
    "flat without communities",
    expect="less",
    margin=1.0,
    needs={"refit"},
    value="doublings of Spk from f = 16 to 128 once items are shuffled",
    against="as they are",
    heavy=True,
    holds_on=on.communities,
    fails_on=on.shuffled,
)
def flat_without_communities(study, seed):
    """Spk rises with f where there are communities, and is flat where the items have been shuffled."""
    return doublings(mixed(study, 1.0, seed), 16, 128), doublings(study, 16, 128)


@claim(
    "N2",
    "flat below K",
    margin=0.5,
    value="doublings of Spk from f = 16 to 32 with 40 clean communities",
    against="with none",
)
def no_flat_curve_with_communities(study, seed):
    """A catalogue of communities has no flat stretch: Spk rises faster there than without communities."""
    return doublings(on.communities(seed), 16, 32), doublings(on.shuffled(seed), 16, 32)


@claim(
    "N2",
    "noise",
    margin=0.5,
    needs={"refit"},
    value="doublings of Spk from f = 64 to 128 with 30 % of the interactions shuffled",
    against="as they are",
    heavy=True,
    holds_on=on.sixty_four_communities,
    fails_on=on.shuffled,
)
def noise_steepens_the_end(study, seed):
    """With noise in the interactions Spk rises faster at high f."""
    return doublings(mixed(study, 0.3, seed), 64, 128), doublings(study, 64, 128)


# --- P29, P30: the choice of f


@claim(
    "P29",
    "proportional at low f",
    expect="equal",
    margin=0.5,
    needs={"svd"},
    value="doublings of Spk from f = 16 to 32",
    against="on Deezer and Spotify",
    holds_on=on.few_communities,
    fails_on=on.dense,
)
def grows_as_in_the_paper(study, seed):
    """At low f Spk grows on every dataset as on Deezer and Spotify, whose 23 peaks become 50 and 55.

    Table 1. Over datasets: growth differs less from 16 to 32 than from 64 to 128.
    """
    return doublings(redrawn(study, seed), 16, 32), np.log2(np.array([50, 55]) / 23).mean()


@claim(
    "P29",
    "explodes at high f",
    margin=0.5,
    needs={"svd"},
    value="doublings of Spk from f = 64 to 128",
    against="from 16 to 32",
    holds_on=on.communities,
    fails_on=on.dense,
)
def explodes_at_high_f(study, seed):
    """Spk grows faster from f = 64 to 128 than from 16 to 32, as on Spotify: so f = 64 is enough."""
    part = redrawn(study, seed)
    return doublings(part, 64, 128), doublings(part, 16, 32)


@over_datasets("P29")
def growth_between_datasets(own):
    """Compare how much growth differs between datasets at low f and at high f, datasets being the replicates."""
    found = pd.DataFrame([(x.data, x.part, x.estimate) for x in own if x.data != GENERATED])
    grown = found.pivot(index=0, columns=1, values=2).dropna() if len(found) else found
    if len(grown) < 5:
        verdict = UNDECIDED if len(grown) else UNTESTED
        return Finding("P29", data=f"{len(grown)} datasets", verdict=verdict, why="It takes five datasets.")
    high, low = (grown[part] for part in ("explodes at high f", "proportional at low f"))
    samples = np.abs(np.stack([high - high.mean(), low - low.mean()], axis=1))
    factors = [2 ** float(np.ptp(x)) for x in (high, low)]
    return Finding(
        "P29",
        data=f"{len(grown)} datasets",
        estimate=factors[0],
        reference=factors[1],
        verdict=judge(samples, "more"),
        why=f"Over {len(grown)} datasets the growth of Spk differs by a factor of {number(factors[0])} "
        f"from f = 64 to 128 and of {number(factors[1])} from 16 to 32; the claim needs more.",
    )


@claim(
    "P30",
    "saturates, dot product",
    expect="equal",
    margin=0.05,
    needs={"refit"},
    unit="%",
    value="recall@50 by dot product at the knee of Spk over the best of all ranks",
    against="saturation being",
    holds_on=on.few_communities,
    fails_on=on.blurred,
)
def dot_saturates_at_the_knee(study, seed):
    """At the knee of Spk, recall by dot product is within 5 % of the best over f = 4, 8, ... 128.

    The knee must lie in spikes: Spk there is at most half of that of shuffled items. Source: section 3.3.3.
    """
    found = choices(study, seed)
    return found.recall["dot"][found.f["knee"]] / found.recall["dot"].max(), 1.0


@claim(
    "P30",
    "saturates, cosine",
    expect="equal",
    margin=0.05,
    needs={"refit"},
    unit="%",
    value="recall@50 by cosine at the knee of Spk over the best of all ranks",
    against="saturation being",
    holds_on=on.well_sampled,
    fails_on=on.blurred,
)
def cosine_saturates_at_the_knee(study, seed):
    """At the knee of Spk, recall by cosine is within 5 % of the best over f = 4, 8, ... 128."""
    found = choices(study, seed)
    return found.recall["cosine"][found.f["knee"]] / found.recall["cosine"].max(), 1.0


def against(selector: str, holds_on: Callable, fails_on: Callable, **rule) -> Callable:
    """What parts that compare the knee with another selector have in common."""
    return claim(
        "P30",
        f"beside {selector}",
        needs={"refit"},
        value="octaves from the knee of Spk to the rank at which recall saturates",
        against=f"from {selector}",
        holds_on=holds_on,
        fails_on=fails_on,
        **({"expect": "less", "margin": 0.5} | rule),  # half a step of the grid
    )


@against("f = 64", on.few_communities, on.blurred)
def knee_beats_fixed(study, seed):
    """The knee of Spk is nearer to the rank at which recall saturates than a fixed f = 64 is.

    Saturated is the smallest rank within 3 % of the best recall, by the similarity that finds more.
    """
    return off(study, seed, "knee"), off(study, seed, "f = 64")


@against("parallel analysis", on.few_communities, on.well_sampled)
def knee_beats_parallel_analysis(study, seed):
    """The knee is nearer to saturation than parallel analysis against shuffled items."""
    return off(study, seed, "knee"), off(study, seed, "parallel analysis")


@against("profile likelihood", on.a_hundred, on.few_communities)
def knee_beats_profile_likelihood(study, seed):
    """The knee is nearer to saturation than the profile likelihood of the singular values."""
    return off(study, seed, "knee"), off(study, seed, "profile likelihood")


@against("the eigengap", on.a_hundred, on.few_communities)
def knee_beats_eigengap(study, seed):
    """The knee is nearer to saturation than the widest gap of the singular values."""
    return off(study, seed, "knee"), off(study, seed, "eigengap")


@against("held-out recall", on.as_many_as_a_rank, on.few_communities, expect="equal", margin=1.0)
def knee_is_held_out_recall(study, seed):
    """The knee is as near to saturation as the rank chosen on other hidden items, to within a step of the grid."""
    return off(study, seed, "knee"), off(study, seed, "held-out recall")


# --- what several of them share


def tail(values: np.ndarray) -> float:
    """Coefficient of variation of the logarithms of the upper half, above the lowest of them: 1 for a power law.

    Source: Castillo, Daoudi, Lockhart (2014), https://doi.org/10.1111/sjos.12053.
    """
    top = np.sort(values[values > 0])[-(len(values) // 2) :]
    excess = np.log(top[1:] / top[0])
    if not len(excess) or excess.max() == 0:
        raise NotApplicable("items that differ in degree")
    return excess.std() / excess.mean()


class Lists(NamedTuple):
    """Lists of rows drawn at random: their queries, and which of these are on a spike."""

    part: Study
    rows: np.ndarray
    on: np.ndarray
    by: dict[str, np.ndarray]


@lru_cache(maxsize=1)
def lists(study: Study, seed: int) -> Lists:
    """Lists by cosine and by dot product for up to 2,000 rows that have a direction."""
    part = redrawn(study, seed)
    rows = np.flatnonzero(has_direction(row_norms("E", part.E)[0]))
    rows = np.random.default_rng(seed).permutation(rows)[:N_LISTS]
    by = {kind: listed(part.E, rows, kind) for kind in ("cosine", "dot")}
    return Lists(part, rows, part.cover().spike[rows] >= 0, by)


def listed(E: np.ndarray, rows: np.ndarray, similarity: str) -> np.ndarray:
    """The 50 items most similar to each of some rows."""
    return retrieval.top_k(E, rows, K, similarity=similarity, exclude_self=True)[0]


def spikes_of(found: Lists, by: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of the places in the lists of queries on spikes, and those of the queries as a column."""
    spike = found.part.cover().spike
    return spike[by[found.on]], spike[found.rows[found.on]][:, None]


def mean_plays(study: Study, seed: int, similarity: str) -> float:
    """Mean plays over the places of all lists, in means over all items."""
    found = lists(study, seed)
    return found.part.plays[found.by[similarity]].mean() / found.part.plays.mean()


def hit_rate(hits: np.ndarray | pd.Series) -> float:
    """Share of cases that are true."""
    if np.size(hits) == 0:
        raise NotApplicable("cases to count")
    return float(np.mean(hits))


@lru_cache(maxsize=1)
def tests(study: Study, seed: int) -> pd.DataFrame:
    """Up to 5,000 hidden items, a row each: hits of both similarities, and what is known of query and item.

    ``popular``: plays of the hidden item; ``rare``: it is of the less popular half; ``norm`` and ``plays`` are
    those of the query.
    """
    part, queries, hidden, _ = study.split(seed)
    norm = row_norms("E", part.E)[0]
    able = np.flatnonzero(has_direction(norm)[queries])
    drawn = np.random.default_rng(seed).permutation(able)[:N_TESTS]
    queries, hidden = queries[drawn], hidden[drawn]
    asked, own = np.unique(queries, return_inverse=True)
    hits = {s: retrieval.recall(listed(part.E, asked, s), own, hidden) for s in ("cosine", "dot")}
    about = {"norm": norm[queries], "plays": part.plays[queries]}
    popular = part.plays[hidden]
    return pd.DataFrame(hits | about | {"popular": popular, "rare": popular <= np.median(popular)})


@lru_cache(maxsize=2)
def repeats(study: Study, seed: int) -> pd.DataFrame:
    """How much of the list of an item, by cosine, is there again after a refit to 80 % of the contexts."""
    return repeated(study, study.resampled(seed), seed)


@lru_cache(maxsize=1)
def repeats_by_chance(study, seed):
    """The same with the items shuffled."""
    return repeats(study.with_matrix(nulls.shuffle_items(study.interactions.matrix, seed=seed)), seed)


def top_less_lowest(found: pd.DataFrame) -> float:
    """Mean share of a list, of the top quintile of norms less that of the lowest."""
    fifth = pd.qcut(found["norm"].rank(method="first"), 5, labels=False)
    return found["same"][fifth == 4].mean() - found["same"][fifth == 0].mean()


def repeated(study: Study, part: Study, seed: int) -> pd.DataFrame:
    """How much of the list of an item, by cosine, is there again in another study of the same catalogue.

    A row for each of up to 2,000 items that both have: ``same``, the share; ``norm`` and ``plays``.
    """
    row = pd.Index(study.items["id"]).get_indexer(part.items["id"])
    norm = row_norms("E", study.E)[0]
    able = (row >= 0) & has_direction(row_norms("E", part.E)[0]) & has_direction(norm)[row]
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(able))[:N_LISTS]
    # numbers of their own for items that the whole does not have
    row[row < 0] = -1 - np.flatnonzero(row < 0)
    before, after = listed(study.E, row[rows], "cosine"), row[listed(part.E, rows, "cosine")]
    about = {"norm": norm[row[rows]], "plays": study.plays[row[rows]]}
    return pd.DataFrame({"same": n_shared(before, after) / K} | about)


def longer_and_shorter(found: pd.DataFrame, what: str, seed: int) -> tuple[float, float]:
    """Mean of a column over the half with longer rows and over the other, in ten groups of equal plays."""
    if len(found) < 100:
        raise NotApplicable("a hundred cases to compare")
    found = found.sample(frac=1, random_state=seed).sort_values("plays", kind="stable")
    groups = pd.Series(np.arange(len(found)) * 10 // len(found), index=found.index)
    long = found["norm"] > found.groupby(groups)["norm"].transform("median")
    means = found.groupby([groups, long])[what].mean().unstack()
    return means[True].mean(), means[False].mean()


def growth(E: np.ndarray, study: Study, seed: int) -> tuple[float, float]:
    """Peaks for each further row captured, from 75 % to 85 % of the rows and from there to 95 %."""
    rows = np.flatnonzero(has_direction(row_norms("E", E)[0]))
    rows = np.random.default_rng(seed).permutation(rows)[:N_ROWS]
    needed = spikes.peaks(E[rows], [E.shape[1]], [study.cos_theta], [0.75, 0.85, 0.95])[0, 0]
    early, late = np.diff(needed) / (TENTH * len(rows))
    return early, late


@lru_cache(maxsize=3)
def clean_counts(seed: int) -> list[tuple[int, int, int]]:
    """For K = 16, 32 and 64 clean communities: peaks at f = K, K, and how many hold half of the items."""
    counts = []
    for k in (16, 32, 64):
        study = Study(
            synthetic.clean_playlists(n_items=1500, n_contexts=4000, n_communities=k, seed=seed), f=k
        )
        size = np.sort(np.bincount(study.items["community"]))[::-1]
        half = int(np.searchsorted(np.cumsum(size), study.rho * size.sum())) + 1
        counts.append((len(study.cover().peaks), k, half))
    return counts


def doublings(study: Study, low: int, high: int) -> float:
    """How often Spk doubles from one rank to another."""
    if study.E.shape[1] < high:
        raise NotApplicable(f"{high} dimensions")
    return float(np.log2(study.spk(high) / study.spk(low)))


@lru_cache(maxsize=2)
def mixed(study, share, seed):
    """The study refitted after its items were permuted over a share of the interactions."""
    X = sp.coo_array(study.interactions.matrix)
    moved = np.random.default_rng(seed).random(X.nnz) < share

    def entries(some):
        return sp.csr_array((X.data[some], (X.row[some], X.col[some])), shape=X.shape)

    matrix = sp.csr_array(entries(~moved) + nulls.shuffle_items(entries(moved), seed=seed))
    matrix.data[:] = 1  # pairs that come up twice count once
    return study.with_matrix(matrix)


class Choices(NamedTuple):
    """The rank that each selector picks, and recall at each rank of the grid by both similarities."""

    f: dict[str, float]
    recall: pd.DataFrame


@lru_cache(maxsize=1)
def choices(study: Study, seed: int) -> Choices:
    """Let each selector pick a rank: from Spk, the singular values, or recall on a quarter of the tests.

    Recall is that of the rest. Picks of the singular values are kept within the grid.
    """
    part, queries, hidden, _ = study.split(seed)
    ranks = [f for f in GRID if f <= part.E.shape[1]]
    if len(ranks) < 3:
        raise NotApplicable(f"{GRID[2]} dimensions")
    shuffled = mixed(study, 1.0, study.seed)
    knee = knee_in_spikes(part, shuffled, ranks)  # before the lists, which take long: there may be none
    drawn = np.random.default_rng(seed).permutation(len(hidden))[:N_TESTS]
    chosen, judged = recall_in_parts(part, queries[drawn], hidden[drawn], ranks)
    s, null = (np.sort(np.linalg.norm(x.E, axis=0))[::-1] for x in (part, shuffled))
    picked = {
        "parallel analysis": selectors.parallel_analysis(s, null),
        "profile likelihood": selectors.profile_likelihood(s),
        "eigengap": selectors.eigengap(s),
        "f = 64": 64,
        "knee": knee,
        "held-out recall": saturation(chosen),
    }
    return Choices({name: min(max(f, ranks[0]), ranks[-1]) for name, f in picked.items()}, judged)


def recall_in_parts(
    part: Study, queries: np.ndarray, hidden: np.ndarray, ranks: list[int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Recall@50 of a quarter of the tests and of the rest, by both similarities, a row a rank."""
    asked, own = np.unique(queries, return_inverse=True)
    few = np.arange(len(hidden)) % 4 == 0
    chosen, judged = (pd.DataFrame(index=ranks, columns=["cosine", "dot"], dtype=float) for _ in range(2))
    for f in ranks:
        for kind in chosen.columns:
            hits = retrieval.recall(listed(part.E[:, :f], asked, kind), own, hidden)
            chosen.loc[f, kind], judged.loc[f, kind] = hits[few].mean(), hits[~few].mean()
    return chosen, judged


def saturation(recall: pd.DataFrame) -> int:
    """Smallest rank within 3 % of the best recall, by the similarity that finds more."""
    best = recall[recall.max().idxmax()]
    return int((best >= 0.97 * best.max()).idxmax())


def knee_in_spikes(part: Study, shuffled: Study, ranks: list[int]) -> int:
    """The knee of Spk, if shuffled items need more than twice as many peaks there."""
    needed = [len(part.cover(f).peaks) for f in ranks]
    f, _ = retrieval.knee(ranks, needed)
    twice = 2 * needed[ranks.index(f)]
    if spikes.peaks(shuffled.E, [f], [part.cos_theta], [part.rho], limit=twice).item() >= 0:
        raise NotApplicable(f"spikes at the knee, f = {f}, that shuffled items have not")
    return f


def off(study: Study, seed: int, selector: str) -> float:
    """Distance, in octaves, of a selector's rank from the one at which recall saturates."""
    found = choices(study, seed)
    return abs(float(np.log2(found.f[selector] / saturation(found.recall))))
