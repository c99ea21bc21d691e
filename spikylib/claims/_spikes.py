"""Claims of chapter 2: that there are spikes, and where."""

import numpy as np

from spikylib import spikes
from spikylib._arrays import row_norms, sample_rows, unit_rows
from spikylib.claims import _controls
from spikylib.claims._registry import NotApplicable, claim, described
from spikylib.study import RANKS


@claim(
    "P1",
    fs=RANKS,
    needs={"E"},
    expect="less",
    unit="%",
    value="Spk as a share of that of the lowest draw of the nulls",
    against="the most that counts as spiky being",
    holds_on=_controls.communities,
    fails_on=_controls.shuffled,
)
def spikes_appear(study, seed, f):
    """Spk is at most half of the lowest of five draws of every null.

    Replicates are draws of 80 % of the contexts. Nulls: independent normal rows, rows of the same
    spectrum, rows of the same mean and covariance, and the items shuffled over the contexts.
    """
    part = redrawn(study, seed)
    own = spikes.spk(part.judged, f=f, cos_theta=study.cos_theta, rho=study.rho)
    return own / study.null_spk[f].min(), 0.5


@claim(
    "P2",
    "strongest in the leading dimensions",
    needs={"E"},
    expect="less",
    unit="%",
    value="Spk of the first sixteen dimensions over that of the last, as a share of the lowest such ratio of the nulls",
    against="the most that counts as stronger being",
    holds_on=_controls.communities,
    fails_on=_controls.shuffled,
)
def spikes_are_strongest_in_the_leading_dimensions(study, seed):
    """Spk rises from the first sixteen dimensions to the last sixteen at least twice as steeply as in every null.

    Replicates are draws of 80 % of the contexts. Nulls: five draws each, as for P1. In shuffled data
    the first dimensions are popularity, so that Spk rises there too.
    """
    part, null = redrawn(study, seed), study.null_spk
    first, last = ends_apart(part)
    return first / last / (null["first"] / null["last"]).min(), 0.5


@claim(
    "P2",
    "a cloud in the later dimensions",
    needs={"E"},
    unit="%",
    value="Spk of the last sixteen dimensions as a share of that of the lowest draw of the nulls",
    against="the least that counts as a cloud being",
    holds_on=_controls.communities,
    fails_on=_controls.many_communities,
)
def later_dimensions_are_a_cloud(study, seed):
    """Spk of the last sixteen dimensions is at least half of the lowest of five draws of every null.

    Asked where the first sixteen dimensions are spiky by the same rule. Replicates are draws of 80 %
    of the contexts. Nulls: as for P1.
    """
    null = study.null_spk
    if ends_apart(study)[0] > 0.5 * null["first"].min():
        raise NotApplicable("spikes in the first sixteen dimensions, which could blur")
    return ends_apart(redrawn(study, seed))[1] / null["last"].min(), 0.5


@claim(
    "P3",
    needs={"E"},
    expect="less",
    seeds=1,
    unit="%",
    value="Spk@64",
    against="the lowest that the paper has for another catalogue being",
)
def deezer_and_spotify_are_cleanest(study, seed):
    """Spk@64 of Deezer's and of Spotify's catalogue is below that of every other catalogue of Table 1.

    One replicate: the value of the whole catalogue. No null: a comparison with published values.
    """
    if study.name not in ("deezer-songs", "spotify-mpd"):
        raise NotApplicable("Deezer's songs or Spotify's playlists: neither can be had without an account")
    return study.spk(64), min(row[RANKS.index(64)] for row in described()["P9"]["table1"].values())


@claim(
    "P6",
    fs=(16, 128),
    needs={"E"},
    expect="less",
    unit="%",
    value="median distance from the origin of the line through an item on a spike and its twenty nearest, "
    "as a share of their own",
    against="half of what random directions of the same norms give being",
    holds_on=_controls.communities,
    fails_on=_controls.blobs,
)
def spikes_pass_through_the_origin(study, seed, f):
    """The line through items that lie close together on a spike passes at most half as far from the origin as by chance.

    An item on a spike and its twenty nearest by Euclidean distance: groups that no angle about the
    origin chose. Null: random directions with the norms of the items. Replicates are draws of 80 % of
    the contexts, and of 300 items.
    """
    E = sample_rows(redrawn(study, seed).E[:, :f], 10_000, seed)
    cover = spikes.cover(E, f=f, cos_theta=study.cos_theta, rho=study.rho)
    on = sample_rows(np.flatnonzero(cover.spike >= 0), 300, seed)
    norm = row_norms("E", E)[0]
    chance = unit_rows(np.random.default_rng(seed).standard_normal(E.shape)) * norm[:, None]
    return miss_of_lines(E, on), miss_of_lines(chance, on) / 2


def redrawn(study, seed):
    """The study of 80 % of its contexts; the study itself where there is nothing to refit."""
    return study.resampled(seed) if "refit" in study.has else study


def ends_apart(study):
    """Spk of the first and the last sixteen dimensions, where they do not overlap."""
    if study.E.shape[1] < 32:
        raise NotApplicable("32 dimensions")
    return study.ends()


def miss_of_lines(E, rows, k=20):
    """Median distance from the origin of the line through a row and its k nearest, over that of their mean."""
    if len(E) <= k:
        raise NotApplicable(f"more than {k} items")
    far = np.einsum("ij,ij->i", E, E) - 2 * E[rows] @ E.T
    group = E[np.argpartition(far, k, axis=1)[:, : k + 1]]
    centre = group.mean(axis=1)
    along = np.linalg.svd(group - centre[:, None], full_matrices=False)[2][:, 0]
    beside = centre - np.einsum("ij,ij->i", centre, along)[:, None] * along
    return float(np.median(np.linalg.norm(beside, axis=1) / np.linalg.norm(centre, axis=1)))
