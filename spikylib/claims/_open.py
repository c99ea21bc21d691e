"""Claims on what the paper leaves open about ranks, signs and planes."""

from functools import lru_cache

import numpy as np

from spikylib import beyond, dcbm, svd
from spikylib.claims import _controls
from spikylib.claims._registry import NotApplicable, claim
from spikylib.claims._spikes import redrawn


@claim(
    "N4",
    "up to rho K",
    expect="equal",
    margin=0.15,
    value="the exponent of the number of peaks in f",
    against="one peak a dimension giving",
)
def one_peak_a_dimension(study, seed):
    """Below the number of spikes that hold half of the items, each dimension brings one peak.

    Planted spikes of equal size in little noise, K = 10, 20 and 40; replicates are matrices.
    """
    points = [
        (np.log(f), np.log(peaks))
        for run in beyond.planted_runs([10, 20, 40], [1.0], [2, 4, 8, 16], seeds=[seed])
        for f, peaks in zip(run["ranks"], run["peaks"])
        if f <= run["K"] / 2
    ]
    return np.polyfit(*np.transpose(points), 1)[0], 1.0


@claim(
    "N4",
    "at K",
    expect="equal",
    margin=0.25,
    value="peaks over rho K, at f = K",
    against="spikes that hold half of the items being",
)
def peaks_at_K(study, seed):
    """At f = K there are as many peaks as spikes that hold half of the items, rho K, and not K.

    As in P26, in the case of spikes of equal size. Planted, K = 20; replicates are matrices.
    """
    (run,) = beyond.planted_runs([20], [1.0], [20], seeds=[seed])
    return run["peaks_at_K"] / (0.5 * run["K"]), 1.0


@claim(
    "N4",
    "just beyond K",
    expect="equal",
    margin=0.15,
    value="peaks at f = 1.5 K over those at K",
    against="no mark of K being",
)
def flat_beyond_K(study, seed):
    """Spk stays where it is when f goes beyond the true K: K leaves no mark on the curve.

    Planted spikes of equal size in little noise, K = 20; replicates are matrices.
    """
    (run,) = beyond.planted_runs([20], [1.0], [30], seeds=[seed])
    return run["peaks"][0] / run["peaks_at_K"], 1.0


@claim(
    "N4",
    "far beyond K",
    expect="equal",
    margin=0.5,
    value="peaks predicted over peaks found, in powers of two",
    against="an exact law giving",
)
def noise_decides_beyond_K(study, seed):
    """Far beyond K the number of peaks is the one that independent noise makes necessary.

    Planted spikes in noise; where the peaks found are at least twice those at K and not yet most of the
    items. The law has no fitted constant; its derivation is in chapter 9.
    """
    off = []
    for run in beyond.planted_runs([10, 20], [2.0, 4.0], [48, 64, 96, 128], seeds=[seed]):
        found = np.array(run["peaks"])
        law = beyond.noise_law(run["norm"], run["s"], run["K"], run["ranks"], run["peaks_at_K"])
        off += list(np.log2(law / found)[(found >= 2 * run["peaks_at_K"]) & (found < 0.475 * run["n"])])
    return np.mean(off), 0.0


@claim(
    "N4",
    "on data, f = 32 to 64",
    needs={"E"},
    expect="less",
    margin=0.5,
    value="error of the number of peaks that noise makes necessary, in powers of two",
    against="of the number of peaks at f = 32",
    holds_on=_controls.noisy_spikes,
    fails_on=_controls.communities,
)
def later_dimensions_are_noise(study, seed):
    """From 32 to 64 dimensions peaks become more as if what comes in were independent noise.

    The law for noise predicts the peaks at f = 64 from the norms in 32 dimensions and the singular values.
    Null: nothing changes. Replicates are draws of 80 % of the contexts.
    """
    part = redrawn(study, seed)
    if part.E.shape[1] < 64:
        raise NotApplicable("64 dimensions")
    norm, s = np.linalg.norm(part.E[:, :32], axis=1), np.linalg.norm(part.E, axis=0)
    before, after = (len(part.cover(f).peaks) for f in (32, 64))
    settings = {"cos_theta": part.cos_theta, "rho": part.rho}
    (law,) = beyond.noise_law(norm, s, 32, [64], before, **settings)
    return abs(np.log2(law / after)), abs(np.log2(before / after))


@claim(
    "N5",
    "signed model",
    expect="equal",
    margin=1e-9,
    value="the largest error of the signed model on exact spikes, over the largest entry",
    against="that of an identity being",
)
def signed_model_is_exact(study, seed):
    """Where spikes are exact, M-hat with its signs is the mean of a signed DCBM.

    Made matrices whose affinities are random in sign; replicates are matrices. The proof is in chapter 9.
    """
    rng = np.random.default_rng(seed)
    spike, B = np.repeat(np.arange(4), 25), rng.uniform(-1, 1, (4, 4))
    M = dcbm.DCBM(spike, (B + B.T) / 2, rng.uniform(0.1, 1, 100), signed=True).mean()
    found = dcbm.from_spikes(svd.truncated_svd(M, 4), spike, signed=True)
    return np.abs(found.scale * found.mean() - M).max() / np.abs(M).max(), 0.0


@claim(
    "N5",
    "two communities, centred",
    expect="equal",
    margin=0.1,
    unit="%",
    value="share of squares in negative entries of correlations",
    against="one part in K being",
)
def centred_matrices_are_half_negative(study, seed):
    """In correlations of items of two communities half of what there is to say is negative.

    Generated contexts of one community each, as large as the other; the SVD of rank 2 of the correlations.
    One part in K is the law of chapter 9 for K such communities.
    """
    part = _controls.separate(2, seed)
    dense = np.corrcoef(part.interactions.matrix.toarray())
    np.fill_diagonal(dense, 0.0)
    M_hat = svd.truncated_svd(dense, 2).reconstruct(slice(None), slice(None))
    return np.sum(M_hat[M_hat < 0] ** 2) / np.sum(M_hat**2), 0.5


@claim(
    "N5",
    "invented links",
    needs={"svd"},
    expect="less",
    unit="%",
    value="negative among the 20 largest |M-hat| of an item",
    against="the most that does not matter being",
    holds_on=_controls.communities,
    fails_on=_controls.narrow_ring,
)
def signs_may_be_dropped(study, seed):
    """Of the 20 strongest links of an item in |M-hat|, at most one in twenty is negative in M-hat.

    These would be invented by dropping the sign. Items are a sample of 300; replicates are draws of 80 %
    of the contexts.
    """
    part = study.resampled(seed)
    rows = np.random.default_rng(seed).permutation(len(part.E))[:300]
    block = part.svd.reconstruct(rows, slice(None))
    k = min(20, block.shape[1])
    largest = np.argpartition(-np.abs(block), k - 1, axis=1)[:, :k]
    negative = block < -1e-10 * np.abs(block).max()  # rounding left out
    return np.mean(np.take_along_axis(negative, largest, axis=1)), 0.05


@claim(
    "N6",
    "beyond chance",
    needs={"E"},
    margin=0.02,
    unit="%",
    value="items that planes capture beyond half-lines at equal cost",
    against="by chance",
    holds_on=_controls.drifting,
    fails_on=_controls.communities,
)
def planes_beyond_chance(study, seed):
    """Planes through two peaks capture more items than half-lines at equal cost do, by more than chance.

    In 16 dimensions, within 11 degrees, for 20 directions, on 3,000 items drawn at random. Null: rows at
    their angle to the nearest half-line, turned about it at random. Beyond chance means communities that
    overlap, or of rank above 1. Replicates are draws of 80 % of the contexts.
    """
    found = planes(redrawn(study, seed), seed)
    return found["gain"], found["null_high"]


@claim(
    "N6",
    "beyond overlap",
    needs={"E"},
    margin=0.02,
    unit="%",
    value="items that planes capture beyond half-lines at equal cost",
    against="with communities of rank 1 that overlap by chance",
    holds_on=_controls.drifting,
    fails_on=_controls.overlapping,
)
def planes_beyond_overlap(study, seed):
    """Planes capture more than they would of communities of rank 1 that overlap by chance.

    Null: rows at their angle to the nearest half-line, turned to another half-line, dealt out among the
    rows. What does not stand out of it is overlap or drift, and planes cannot tell which.
    """
    found = planes(redrawn(study, seed), seed)
    return found["gain"], found["overlap_high"]


@lru_cache(maxsize=1)
def planes(study, seed):
    """Gain of planes at f = 16 and a cosine of 0.98, and that of the nulls."""
    rows = np.random.default_rng(seed).permutation(len(study.E))[:3000]
    return beyond.plane_gain(study.E[rows, :16], 20, cos_theta=0.98, seed=seed)
