"""Claims of chapter 3: how spikes are measured."""

import warnings
from functools import lru_cache

import numpy as np
from scipy.stats import kurtosis

from spikylib import beyond, nulls, spikes
from spikylib._arrays import sample_rows, unit_rows
from spikylib.claims import _controls
from spikylib.claims._registry import NotApplicable, claim, described
from spikylib.claims._spikes import redrawn
from spikylib.study import RANKS


# margin of P5: half of the half below which Spk is called spiky
@claim(
    "P5",
    "f = 16",
    needs={"svd"},
    expect="equal",
    margin=0.25,
    unit="%",
    value="Spk@16 of U as a share of its lowest null",
    against="of U Sigma",
    holds_on=_controls.more_communities_than_dimensions,
    fails_on=_controls.three_communities,
)
def scale_of_16_dimensions_does_not_matter(study, seed):
    """Spk@16 compared with chance is the same for U as for U Sigma, so that spikes are as present.

    Replicates are draws of 80 % of the contexts. Nulls, of U and of U Sigma each: rows of the same
    spectrum, and of the same mean and covariance.
    """
    return spiky_at_power(study, seed, 16, 0), spiky_at_power(study, seed, 16, 1)


@claim(
    "P5",
    "f = 128",
    needs={"svd"},
    expect="equal",
    margin=0.25,
    unit="%",
    value="Spk@128 of U as a share of its lowest null",
    against="of U Sigma",
    holds_on=_controls.more_communities_than_dimensions,
    fails_on=_controls.communities,
)
def scale_of_128_dimensions_does_not_matter(study, seed):
    """Spk@128 compared with chance is the same for U as for U Sigma, so that spikes are as present.

    As for 16 dimensions.
    """
    return spiky_at_power(study, seed, 128, 0), spiky_at_power(study, seed, 128, 1)


@claim(
    "P7",
    needs={"E"},
    margin=1.0,
    unit="doublings",
    value="from the smallest kurtosis to the largest, among three ways to take it",
    against="from the smallest Spk to the largest, among nine settings,",
    holds_on=_controls.no_direction,
    fails_on=_controls.communities,
)
def kurtosis_depends_on_its_settings(study, seed):
    """Kurtosis spreads over its settings by twice the factor at least by which Spk spreads over its own.

    Kurtosis (3 for normal numbers) of all coordinates pooled, as the mean over dimensions, and of rows
    of norm one; Spk at cos theta 0.8, 0.9, 0.95 and rho 0.25, 0.5, 0.75. Replicates are draws of 80 %
    of the contexts. Reference: the spread of Spk.
    """
    E = sample_rows(redrawn(study, seed).E, 5000, seed)
    ways = (kurtosis(E, None, False), kurtosis(E, 0, False).mean(), kurtosis(unit_rows(E), None, False))
    needed = spikes.peaks(E, [E.shape[1]], [0.8, 0.9, 0.95], [0.25, 0.5, 0.75])
    return np.log2(max(ways) / min(ways)), np.log2(needed.max() / needed.min())


@claim(
    "P8",
    "one spike",
    expect="equal",
    unit="%",
    value="Spk of rows on one half-line",
    against="one in all rows being",
)
def one_spike_gives_the_lower_end(study, seed):
    """Rows on one half-line have the least Spk there is, one peak for all rows.

    A random half-line a replicate.
    """
    rng = np.random.default_rng(seed)
    E = np.outer(rng.pareto(2, 999) + 0.1, rng.standard_normal(16))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # all rows pointing one way is what is meant
        return spikes.spk(E), 1 / 999


@claim(
    "P8",
    "no two collinear",
    expect="equal",
    unit="%",
    value="Spk of orthogonal rows",
    against="rho, rounded up to whole rows,",
)
def orthogonal_rows_give_the_upper_end(study, seed):
    """Rows no two of which are collinear have Spk rho, up to rounding rho n up.

    Orthogonal rows of random norms and a random rho a replicate.
    """
    rng = np.random.default_rng(seed)
    rho = rng.uniform(0.1, 1)
    return spikes.spk(np.diag(rng.uniform(1, 2, 501)), rho=rho), np.ceil(rho * 501) / 501


@claim(
    "P9",
    fs=RANKS,
    needs={"E"},
    expect="equal",
    margin=0.1,
    seeds=1,
    value="Spk over the published value",
    against="agreement being",
)
def spk_is_that_of_table_1(study, seed, f):
    """Spk of a catalogue of Table 1, or of the authors' own factors, is the published one to within a tenth.

    One replicate: the value of the whole catalogue. No null: a comparison with published values.
    """
    published = described()["P9"]["table1"].get(study.name)
    if published is None:
        raise NotApplicable("a row in Table 1 of the paper")
    return study.spk(f) / published[RANKS.index(f)], 1


@claim(
    "P10",
    "f = 16",
    expect="equal",
    margin=0.01,
    unit="%",
    value="Spk@16 of 37,000 normal rows",
    against="the paper's value being",
)
def gaussian_rows_of_16_dimensions(study, seed):
    """Independent normal rows of 16 dimensions give the paper's Spk of 49.4 % to within a point.

    Replicates are draws. The value depends on the number of rows: a million give 37.8 %.
    """
    return spikes.spk(nulls.gaussian(37_000, 16, seed=seed)), 0.494


@claim(
    "P10",
    "f = 128",
    expect="equal",
    margin=0.001,
    unit="%",
    value="Spk@128 of 8,000 normal rows",
    against="rho being",
)
def gaussian_rows_of_128_dimensions(study, seed):
    """Independent normal rows of 128 dimensions give Spk rho, 50 %, to a tenth of a point.

    Replicates are draws. At this rank the number of rows does not matter.
    """
    return spikes.spk(nulls.gaussian(8_000, 128, seed=seed)), 0.5


@claim(
    "P11",
    fs=RANKS,
    needs={"E"},
    expect="less",
    unit="%",
    value="Spk",
    against="the paper's bound being",
    holds_on=_controls.rays,
    fails_on=_controls.shuffled,
)
def one_percent_of_peaks_suffices(study, seed, f):
    """Half of the rows fall under peaks that are less than 1 % of the rows.

    Replicates are draws of 80 % of the contexts. No null: a comparison with the paper's number.
    """
    return redrawn(study, seed).spk(f), 0.01


@claim("P12", "upper bound", value="peaks by decreasing norm", against="fewest that any choice needs")
def greedy_count_bounds_the_best(study, seed):
    """The peaks taken by decreasing norm are never fewer than the fewest that cover as much.

    The fewest from an integer program, on 150 normal rows of three dimensions, drawn anew in each replicate.
    """
    E = nulls.gaussian(150, 3, seed=seed)
    return len(spikes.cover(E).peaks), beyond.fewest(beyond.neighbours(E))


@claim(
    "P12",
    "a better choice exists",
    needs={"E"},
    expect="less",
    margin=0.1,
    unit="%",
    value="peaks by greatest gain over peaks by decreasing norm",
    against="no better choice being",
    holds_on=_controls.communities,
    fails_on=_controls.rays,
)
def a_better_choice_of_peaks_exists(study, seed):
    """Peaks taken by how many rows they capture are fewer, by a tenth at least, than those by decreasing norm.

    Replicates are draws of 80 % of the contexts, and of at most 10,000 items. Reference: the paper's own order.
    """
    needed = peaks_by_order(study, seed)
    return needed["gain"] / needed["norm"], 1


@claim(
    "P13",
    needs={"E"},
    margin=1.0,
    value="growth of Spk over a doubling of f, over its growth before, where that is most",
    against="steady growth being",
    holds_on=_controls.many_playlists,
    fails_on=_controls.shuffled,
)
def spk_rises_suddenly(study, seed):
    """Somewhere between 16 and 128 dimensions Spk begins to grow at least twice as fast.

    Growth is the factor from one of 16, 32, 64, 128 dimensions to the next. Replicates are draws of
    80 % of the contexts. Null: growth by the same factor from each to the next. A null that is near
    50 % at 16 dimensions, as rows of the same spectrum are, cannot grow, so that beside it any growth
    would be sudden.
    """
    part = redrawn(study, seed)
    spk = [part.spk(f) for f in RANKS if f <= part.E.shape[1]]
    if len(spk) < 3:
        raise NotApplicable("64 dimensions")
    growth = np.divide(spk[1:], spk[:-1])
    return (growth[1:] / growth[:-1]).max(), 1


@claim(
    "N7",
    "cos theta",
    needs={"E"},
    margin=1.0,
    value="Spk at cos theta 0.95 over Spk at 0.8",
    against="no dependence being",
    holds_on=_controls.communities,
    fails_on=_controls.rays,
)
def spk_depends_on_cos_theta(study, seed):
    """Spk at least doubles from cos theta 0.8 to 0.95.

    Replicates are draws of 80 % of the contexts. Reference: no dependence.
    """
    E = sample_rows(redrawn(study, seed).E, 10_000, seed)
    low, high = spikes.peaks(E, [E.shape[1]], [0.8, 0.95], [study.rho]).ravel()
    return high / low, 1


@claim(
    "N7",
    "choice of peaks",
    needs={"E"},
    margin=0.25,
    value="most peaks over fewest, among the orders by decreasing norm, by increasing norm and at random",
    against="no dependence being",
    holds_on=_controls.communities,
    fails_on=_controls.rays,
)
def spk_depends_on_the_choice_of_peaks(study, seed):
    """The number of peaks depends on the order in which they are tried, by a quarter at least.

    Replicates are draws of 80 % of the contexts, and of at most 10,000 items. Reference: no dependence.
    """
    needed = peaks_by_order(study, seed)
    tried = [needed[order] for order in ("norm", "reversed", "random")]
    return max(tried) / min(tried), 1


@claim(
    "N10",
    needs={"E"},
    expect="less",
    margin=0.1,
    unit="%",
    value="peaks of normalised rows, in random order, over peaks by decreasing norm",
    against="no difference being",
    holds_on=_controls.many_playlists,
    fails_on=_controls.rays,
)
def normalised_rows_look_spikier(study, seed):
    """Normalised rows, whose norms leave the order of the peaks to chance, need fewer peaks, by a tenth at least.

    Replicates are draws of 80 % of the contexts, and of at most 10,000 items. Reference: the rows as they are.
    """
    needed = peaks_by_order(study, seed)
    return needed["random"] / needed["norm"], 1


def spiky_at_power(study, seed, f, power):
    """Spk of U Sigma^power over the lower of two nulls, on at most 5,000 rows; asked where U Sigma is spiky."""
    part = redrawn(study, seed)
    if min(len(study.svd.s), len(part.svd.s)) < f:
        raise NotApplicable(f"{f} dimensions")
    if study.spk(f) > 0.5 * study.null_spk[f].min():
        raise NotApplicable(f"spikes in {f} dimensions, which a scale could affect")
    E = sample_rows(part.svd.embeddings(power)[:, :f], 5000, seed)
    own, *of_nulls = (
        spikes.spk(A, cos_theta=study.cos_theta, rho=study.rho)
        for A in (E, nulls.same_spectrum(E, seed=seed), nulls.like_normal(E, seed=seed))
    )
    return own / min(of_nulls)


@lru_cache(maxsize=1)
def peaks_by_order(study, seed):
    """Peaks that at most 10,000 rows need in the order of their norms, in the reverse, at random and by greatest gain."""
    E = sample_rows(redrawn(study, seed).E, 10_000, seed)
    near = beyond.neighbours(E, cos_theta=study.cos_theta)
    by_norm = np.argsort(-np.linalg.norm(E, axis=1), kind="stable")
    by_chance = np.random.default_rng(seed).permutation(len(E))
    orders = {"norm": by_norm, "reversed": by_norm[::-1], "random": by_chance, "gain": "gain"}
    return {
        name: len(beyond.ordered_cover(near, order, rho=study.rho).peaks) for name, order in orders.items()
    }
